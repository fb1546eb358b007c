"""Images and masks in pairs: the format ``masks``."""

from __future__ import annotations

from .format import Masks

__all__ = ["Masks"]
