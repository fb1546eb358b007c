"""Open Images V4 to V7: boxes, classes of images and masks as CSV."""

from __future__ import annotations

from .format import OpenImages

__all__ = ["OpenImages"]
