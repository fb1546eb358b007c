"""TFRecord of the TensorFlow Object Detection API, with the images inside."""

from __future__ import annotations

from .format import TFRecord

__all__ = ["TFRecord"]
