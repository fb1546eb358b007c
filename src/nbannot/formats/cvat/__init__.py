"""CVAT: XML 1.1 for images and for video."""

from __future__ import annotations

from .format import Cvat, CvatVideo

__all__ = ["Cvat", "CvatVideo"]
