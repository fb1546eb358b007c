"""Pascal VOC: annotation files, class lists, masks."""

from __future__ import annotations

from .format import Voc

__all__ = ["Voc"]
