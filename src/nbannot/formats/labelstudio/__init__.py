"""Label Studio JSON: tasks, annotations, predictions."""

from __future__ import annotations

from .format import LabelStudio

__all__ = ["LabelStudio"]
