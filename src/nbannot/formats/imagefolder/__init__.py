"""Folders of images, and trees in which a folder is a class."""

from __future__ import annotations

from .format import ImageFolder

__all__ = ["ImageFolder"]
