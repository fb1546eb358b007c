"""VIA, the VGG Image Annotator, versions 1 to 3."""

from __future__ import annotations

from .format import Via

__all__ = ["Via"]
