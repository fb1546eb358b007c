"""LabelMe's JSON: one file per image."""

from __future__ import annotations

from .format import LabelMe

__all__ = ["LabelMe"]
