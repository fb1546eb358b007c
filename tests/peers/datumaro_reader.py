"""A dataset as Datumaro reads it, in the words that readers are compared by."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from datumaro.components.annotation import Annotation, AnnotationType
from datumaro.components.dataset import Dataset

from nbannot.formats.examples import Row
from nbannot.geometry import rings_to_mask

from .comparing import Place, Seen

__all__ = ["read"]

Frames = dict[int, Annotation]
_SHAPES = ("polygon", "mask", "points")


def read(folder: Path, name: str, *, subset: str = "") -> Seen:
    """Read a folder with Datumaro's importer `name`; `subset`: call all subsets so."""
    dataset = Dataset.import_from(str(folder), name)
    labels = dataset.categories().get(AnnotationType.label)
    names = [c.name for c in labels.items] if labels else []
    skeletons = dataset.categories().get(AnnotationType.points)
    joints = {i: 2 * len(c.labels) for i, c in skeletons.items.items()} if skeletons else {}
    seen = Seen()
    for item in dataset:
        place: Place = (subset or item.subset, str(item.id))
        assert place not in seen.items
        size = item.media.size if item.media is not None else None
        seen.items[place] = (size[1], size[0]) if size else None
        parts: dict[Any, list[Annotation]] = {}
        # COCO: a box is that of the polygon or mask of the same id.
        shaped = {a.id for a in item.annotations if a.type.name in _SHAPES} - {0}
        frames = {a.id: a for a in item.annotations if a.type.name == "bbox" and a.id in shaped}
        for found in item.annotations:
            if found is frames.get(found.id):
                continue
            label = getattr(found, "label", None)
            told = None if label is None else names[label]
            if found.type == AnnotationType.polygon and found.group:
                # The parts of a polygon are polygons of one group.
                parts.setdefault((found.group, told), []).append(found)
            else:
                row = _row(found, told, seen.items[place], frames)
                if row["type"] == "points" and len(found.points) == joints.get(label):
                    row["type"] = "skeleton"
                    row["visibility"] = [int(v) for v in found.visibility]
                seen.rows[place].append(row)
        for (_, told), polygons in parts.items():
            seen.rows[place].append(_polygon(polygons, told, seen.items[place], frames))
    return seen


def _polygon(
    parts: list[Annotation], label: str | None, size: tuple[int, int] | None, frames: Frames
) -> Row:
    assert size
    points = [v for part in parts for v in part.points]
    rings = [len(part.points) // 2 for part in parts]
    return {
        "type": "polygon", "label": label,
        "pixels": rings_to_mask(points, rings, size[1], size[0]),
        "frame": _frame(parts[0], frames),
    }  # fmt: skip


def _frame(found: Annotation, frames: Frames) -> list[float] | None:
    return list(frames[found.id].get_bbox()) if found.id in frames else None


def _row(found: Annotation, label: str | None, size: tuple[int, int] | None, frames: Frames) -> Row:
    kind = found.type.name
    row: Row = {"type": _TYPES[kind], "label": label}
    if kind == "bbox":
        row["box"] = list(found.get_bbox())
        if found.attributes.get("rotation"):
            row["rotation"] = found.attributes["rotation"]
    elif kind == "rotated_bbox":
        row["box"] = [found.cx - found.w / 2, found.cy - found.h / 2, found.w, found.h]
        if found.r % 360:
            row["rotation"] = found.r
    elif kind == "ellipse":
        x1, y1, x2, y2 = found.points
        row["box"] = [x1, y1, x2 - x1, y2 - y1]
    elif kind == "polygon":
        return _polygon([found], label, size, frames)
    elif kind == "mask":
        row["pixels"] = np.asarray(found.image).astype(np.uint8)
        row["frame"] = _frame(found, frames)
    elif kind in ("polyline", "points"):
        row["points"] = list(found.points)
    elif kind == "caption":
        row["text"] = found.caption
    else:
        assert kind == "label", kind
    assert all(math.isfinite(v) for v in row.get("box", ()))
    return row


_TYPES = {
    "label": "tag", "bbox": "box", "rotated_bbox": "box", "polygon": "polygon", "mask": "mask",
    "polyline": "polyline", "points": "points", "caption": "text", "ellipse": "ellipse",
}  # fmt: skip
