"""The YOLO family: Ultralytics and Darknet."""

from __future__ import annotations

from .darknet import YoloDarknet
from .format import Yolo

__all__ = ["Yolo", "YoloDarknet"]
