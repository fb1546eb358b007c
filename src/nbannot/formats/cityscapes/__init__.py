"""Cityscapes: the format ``cityscapes``."""

from __future__ import annotations

from .format import Cityscapes

__all__ = ["Cityscapes"]
