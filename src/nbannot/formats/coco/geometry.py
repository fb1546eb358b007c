"""The geometry of some COCO annotations: boxes, polygons, masks and joints, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .segmentation import (
    Mask,
    Odd,
    Polygons,
    kinds_of,
    parse_boxes,
    parse_keypoints,
    parse_polygons,
    parse_rles,
)  # fmt: skip

__all__ = ["Geometry", "geometry_of"]


class Geometry(NamedTuple):
    """Geometry of n annotations; `polygons` and `masks` are of those that have them, in order."""

    boxes: NDArray[np.float64]  # (n, 4): x, y, w, h; NaN where there is no bbox
    kinds: NDArray[np.int8]  # segmentation: 0 none, 1 polygons, 2 run lengths
    polygons: Polygons
    masks: list[Mask]
    joints: NDArray[np.float64]  # x, y, v, x, y, v, ... of all
    joint_lengths: NDArray[np.int64]  # how many of these numbers each has


def geometry_of(records: Sequence[Any]) -> Geometry:
    """Parse the geometry of some annotations (`records.Annotation`, or what has its fields).

    Raises:
        Odd: some of it has another shape, or is missing where it must have been meant.
    """
    boxes = parse_boxes([r.bbox for r in records])
    outlines = [r.segmentation for r in records]
    kinds = kinds_of(outlines)
    polygons = parse_polygons([r for r, k in zip(outlines, kinds.tolist(), strict=True) if k == 1])
    masks = parse_rles([bytes(outlines[i]) for i in np.flatnonzero(kinds == 2).tolist()])
    joints, lengths = parse_keypoints([r.keypoints for r in records])
    bare = np.flatnonzero(np.isnan(boxes[:, 0]) & (kinds == 0) & (lengths == 0)).tolist()
    # A tag has nothing but ids; what has an area was meant to have a place.
    if any(records[i].area or records[i].iscrowd is not None for i in bare):
        raise Odd
    return Geometry(boxes, kinds, polygons, masks, joints, lengths)
