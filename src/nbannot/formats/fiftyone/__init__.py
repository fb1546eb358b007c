"""FiftyOne's own formats: whole datasets, and labels of images."""

from __future__ import annotations

from .format import FiftyOne
from .labels import FiftyOneLabels

__all__ = ["FiftyOne", "FiftyOneLabels"]
