"""COCO: instances, keypoints, labels, captions, panoptic; its many layouts."""

from __future__ import annotations

from .format import Coco

__all__ = ["Coco"]
