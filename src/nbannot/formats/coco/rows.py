"""Columns and rows of COCO annotations, made of their parsed geometry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...geometry import bounds
from ...schema import ANNOTATIONS, offsets
from .geometry import Geometry
from .segmentation import list_array

__all__ = ["as_text", "box_columns", "filled_boxes", "segmentation_columns", "with_skeletons"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def filled_boxes(geometry: Geometry, *, corners: bool) -> Floats:
    """Return the boxes, (n, 4): x, y, w, h; a segmentation without one gets that of its outline.

    Args:
        geometry: what was parsed.
        corners: its boxes are x1, y1, x2, y2.
    """
    boxes, kinds = geometry.boxes.copy(), geometry.kinds
    if corners:
        boxes[:, 2:] -= boxes[:, :2]
    empty = np.isnan(boxes[:, 0])
    if (empty & (kinds == 1)).any():
        with np.errstate(over="ignore"):
            outlines = bounds(geometry.polygons.numbers, offsets(geometry.polygons.lengths))
        boxes[empty & (kinds == 1)] = outlines[empty[kinds == 1]]
    for mask, i in zip(geometry.masks, np.flatnonzero(kinds == 2).tolist(), strict=True):
        if empty[i]:
            from pycocotools import mask as coco_mask

            rle = {"counts": mask.counts, "size": [mask.height, mask.width]}
            boxes[i] = coco_mask.toBbox(rle)
    return boxes


def box_columns(boxes: Floats) -> dict[str, pa.Array]:
    """Return the columns of boxes (n, 4), NaN as null."""
    some_absent = bool(np.isnan(boxes[:, 0]).any())
    columns = (pa.array(column, from_pandas=some_absent) for column in boxes.T.copy())
    return dict(zip("xywh", columns, strict=True))


def segmentation_columns(geometry: Geometry) -> dict[str, pa.Array]:
    """Return the columns of polygons and masks, those that there are."""
    columns: dict[str, pa.Array] = {}
    kinds, polygons, masks = geometry.kinds, geometry.polygons, geometry.masks
    if (kinds == 1).any():
        other = kinds != 1
        lengths = np.zeros(len(kinds), np.int64)
        lengths[~other] = polygons.lengths
        columns["points"] = list_array(polygons.numbers, lengths, pa.float64(), other)
        if (polygons.ring_counts > 1).any():
            # One ring is the rule, and needs no count.
            several = polygons.ring_counts > 1
            rings = polygons.rings[np.repeat(several, polygons.ring_counts)]
            counts = np.zeros(len(kinds), np.int64)
            counts[~other] = np.where(several, polygons.ring_counts, 0)
            columns["rings"] = list_array(rings, counts, pa.int32(), counts == 0)
    if masks:
        places = np.flatnonzero(kinds == 2)
        rles = np.full(len(kinds), None, object)
        rles[places] = [m.counts for m in masks]
        columns["mask"] = pa.array(rles, pa.binary())
        for name, side in (("mask_height", "height"), ("mask_width", "width")):
            sides = np.full(len(kinds), np.nan)
            sides[places] = [getattr(m, side) for m in masks]
            columns[name] = pa.array(sides, from_pandas=True)
    return columns


def with_skeletons(rows: pa.Table, geometry: Geometry, known: NDArray[np.bool_]) -> pa.Table:
    """Make skeletons of the keypoints: alone, or after the polygon or mask of the same object.

    Args:
        rows: one row per annotation.
        geometry: theirs.
        known: those whose segmentation another file told already.
    """
    kinds, joints, lengths = geometry.kinds, geometry.joints, geometry.joint_lengths
    chosen = np.flatnonzero(lengths)
    xyv = joints.reshape(-1, 3)
    own = lengths[chosen]
    nobody = np.zeros(len(chosen), np.bool_)
    skeletons = rows.take(pa.array(chosen))
    changed = {
        "type": pa.array(["skeleton"] * len(chosen)),
        "points": list_array(xyv[:, :2].ravel(), own // 3 * 2, pa.float64(), nobody),
        "visibility": list_array(xyv[:, 2].astype(np.int8), own // 3, pa.int8(), nobody),
    }
    for name in ("rings", "mask", "mask_height", "mask_width"):
        changed[name] = pa.nulls(len(chosen), ANNOTATIONS.field(name).type)
    for name, column in changed.items():
        skeletons = skeletons.set_column(ANNOTATIONS.get_field_index(name), name, column)
    kept = np.flatnonzero(((kinds > 0) | (lengths == 0)) & ~known)
    both = pa.concat_tables([rows.take(pa.array(kept)), skeletons])
    order = np.argsort(np.concatenate([kept, chosen]), kind="stable")
    return both.take(pa.array(order)).combine_chunks()


def as_text(ids: Sequence[Any] | Integers) -> pa.Array:
    """Return ids as text, None as null."""
    try:
        return pa.array(ids, pa.int64()).cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if i is None else str(i) for i in ids], pa.string())
