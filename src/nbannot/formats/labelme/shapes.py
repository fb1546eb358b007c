"""One shape of LabelMe as the columns of a row, and back."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ...geometry import (
    box_corners,
    corners_to_box,
    ring_area,
    rle_to_mask,
)
from ..json_shapes import Row, Unusable, bitmap, corner_box, mask, points, polygon
from ..json_values import dumps

__all__ = ["is_circle", "row_of", "shapes_of"]

Size = tuple[int | None, int | None]
Warnings = list[tuple[str, str]]
Figure = tuple[list[float], str, str | None]

_KNOWN = frozenset(
    ("label", "points", "group_id", "shape_type", "flags", "description", "mask", "score",
     "difficult", "attributes", "object", "ungrouped")
)  # fmt: skip
_EPSILON = 1e-3
_ELLIPSE_POINTS = 64


# -- reading --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shape:
    """A shape as given, the size of its image, what is doubtful, and what is kept for `extra`."""

    given: Mapping[str, Any]
    size: Size
    warnings: Warnings
    kept: Row


def _exactly(values: Any, count: int, what: str) -> list[float]:
    flat = points(values, 1, what)
    if len(flat) != 2 * count:
        raise Unusable(
            "wrong count of points", f"a {what} has {count} points, this one {len(flat) // 2}"
        )
    return flat


def _rectangle(s: _Shape) -> Row:
    flat = points(s.given.get("points"), 1, "rectangle")
    if len(flat) == 8:  # X-AnyLabeling writes all corners
        made = _turned(s)
        if not made.get("rotation"):
            s.kept.pop("shape_type", None)
            s.kept.pop("points", None)
            made.pop("rotation", None)
        return made
    flat = _exactly(s.given.get("points"), 2, "rectangle")
    return corner_box(*flat)


def _turned(s: _Shape) -> Row:
    flat = _exactly(s.given.get("points"), 4, str(s.given.get("shape_type")))
    corners = np.asarray(flat, np.float64).reshape(1, 4, 2)
    clockwise = corners if ring_area(corners[0]) >= 0 else corners[:, [0, 3, 2, 1]]
    box, turn = _box_of(clockwise[0])
    s.kept["shape_type"] = s.given.get("shape_type")
    off = float(np.abs(box_corners([box], [turn])[0] - clockwise[0]).max())
    if off > _EPSILON * max(1.0, *box[2:]):
        text = f"its corners are {off:.3g} px off a rectangle; read as a polygon"
        s.warnings.append(("rotated box is not a rectangle", text))
        return polygon([(flat, False)])
    s.kept["points"] = flat
    return {"type": "box", **dict(zip("xywh", box, strict=True)), "rotation": turn}


def _box_of(corners: Any) -> tuple[list[float], float]:
    (box,), (turn,) = corners_to_box(corners[None])
    if not box[2] and box[3]:  # no width, so its height must say how it is turned
        down = corners[3] - corners[0]
        turn = math.degrees(math.atan2(down[1], down[0])) - 90
    return box.tolist(), float(turn)


def _circle(s: _Shape) -> Row:
    cx, cy, px, py = _exactly(s.given.get("points"), 2, "circle")
    r = math.hypot(px - cx, py - cy)
    s.kept["points"] = [cx, cy, px, py]
    return {"type": "ellipse", "x": cx - r, "y": cy - r, "w": 2 * r, "h": 2 * r}


def _line(s: _Shape) -> Row:
    flat = points(s.given.get("points"), 2, str(s.given.get("shape_type")))
    if (s.given.get("shape_type") == "line") != (len(flat) == 4):
        s.kept["shape_type"] = s.given.get("shape_type")
    return {"type": "polyline", "points": flat}


def _points(s: _Shape) -> Row:
    flat = points(s.given.get("points"), 1, str(s.given.get("shape_type")))
    if (s.given.get("shape_type") == "point") != (len(flat) == 2):
        s.kept["shape_type"] = s.given.get("shape_type")
    return {"type": "points", "points": flat}


def _polygon(s: _Shape) -> Row:
    flat = points(s.given.get("points"), 1, "polygon")
    if len(flat) == 4:
        text = "a polygon of 2 points; read as a line"
        s.warnings.append(("polygon of two points", text))
        s.kept["shape_type"] = "polygon"
        return {"type": "polyline", "points": flat}
    if s.given.get("shape_type") == "quadrilateral":
        s.kept["shape_type"] = "quadrilateral"
    return polygon([(flat, False)])


def _mask(s: _Shape) -> Row:
    corners = _exactly(s.given.get("points"), 2, "mask")
    if s.given.get("mask") is None:
        raise Unusable("mask without pixels", "its mask is null")
    inside = bitmap(s.given["mask"])
    left, top, right, bottom = (round(v) for v in corners)
    if all(v == int(v) for v in corners):  # fractions were rounded apart: the pixels count
        inside = inside[: max(bottom - top + 1, 0), : max(right - left + 1, 0)]
    if corners != [left, top, left + inside.shape[1] - 1, top + inside.shape[0] - 1]:
        s.kept["points"] = corners
    return mask(inside, left, top, s.size)


def _cuboid(s: _Shape) -> Row:
    flat = _exactly(s.given.get("points"), 8, "cuboid")
    text = "its corners are taken as the front face, then the back, clockwise from top left"
    s.warnings.append(("order of corners is not documented", text))
    return {"type": "cuboid", "points": flat}


_MAKERS: Mapping[str, Callable[[_Shape], Row]] = {
    "rectangle": _rectangle, "oriented_rectangle": _turned, "rotation": _turned,
    "circle": _circle, "line": _line, "linestrip": _line, "point": _points, "points": _points,
    "polygon": _polygon, "quadrilateral": _polygon, "mask": _mask, "cuboid": _cuboid,
}  # fmt: skip


def row_of(shape: Any, size: Size, warnings: Warnings) -> Row:
    """Return the columns of a shape; what is doubtful is added to `warnings`.

    Raises:
        Unusable: it is no shape that can be read.
    """
    if not isinstance(shape, dict):
        raise Unusable("shape is not an object", f"it is {shape!r:.80}")
    kind = shape.get("shape_type")
    kind = "polygon" if kind in (None, "") else kind
    make = _MAKERS.get(kind) if isinstance(kind, str) else None
    if make is None:
        raise Unusable("shape_type is not known", f"shape_type is {kind!r:.40}")
    kept: Row = {}
    row = make(_Shape(shape, size, warnings, kept))
    row |= _columns_of(shape, kept, warnings)
    known = _KNOWN | {"text"} if kept.get("text") else _KNOWN
    other = {k: v for k, v in shape.items() if k not in known and v not in (None, "", [], {})}
    if other:
        kept["other"] = other
    if kept:
        row["extra"] = dumps({"labelme": kept})
    return row


def _columns_of(shape: Mapping[str, Any], kept: Row, warnings: Warnings) -> Row:
    """Return the columns of a shape beside its geometry."""
    row: Row = {}
    label = shape.get("label")
    if isinstance(label, str):
        if label:
            row["label"] = label
    elif label is None:
        warnings.append(("shape without a label", "it has no label"))
    else:
        row["label"] = str(label)
        warnings.append(("label is no text", f"label is {label!r:.40}, read as {str(label)!r:.40}"))
    group = shape.get("group_id")
    if isinstance(group, int) and not isinstance(group, bool) and abs(group) < 2**63:
        row["group"] = group
    elif group is not None:
        kept["group_id"] = group
        text = f"group_id is {group!r:.40}; it is kept aside"
        warnings.append(("group_id is not a whole number", text))
    attributes: dict[str, Any] = {}
    for name in ("attributes", "flags"):
        given = shape.get(name)
        if isinstance(given, dict):
            attributes |= given
        elif given is not None:
            warnings.append((f"{name} are not an object", f"{name} are {given!r:.80}; left out"))
    if shape.get("difficult") is True:
        attributes["difficult"] = True
    if attributes:
        row["attributes"] = dumps(attributes)
    score = shape.get("score")
    if isinstance(score, (int, float)) and not isinstance(score, bool) and 0 <= score <= 1:
        row["score"] = float(score)
    elif score is not None:
        kept["score"] = score
    described = shape.get("description")
    if isinstance(described, str) and described:
        row["text"] = described
    elif described is not None and not isinstance(described, str):
        kept["description"] = described
    elif isinstance(shape.get("text"), str) and shape["text"]:  # AnyLabeling's word for it
        row["text"] = shape["text"]
        kept["text"] = True
    return row


# -- writing --------------------------------------------------------------------------------


def shapes_of(row: Row, kept: Mapping[str, Any], *, turned: str) -> list[dict[str, Any]]:
    """Return geometry and type of the shapes of a row: several where a polygon has several parts.

    `kept` is what the reader kept of the shape, `turned` the type that rotated boxes become.
    """
    return [
        {"points": [flat[i : i + 2] for i in range(0, len(flat), 2)], "shape_type": kind, "mask": m}
        for flat, kind, m in _figures(row, kept, turned)
    ]


def _figures(row: Row, kept: Mapping[str, Any], turned: str) -> list[Figure]:
    kind, old = row["type"], str(kept.get("shape_type"))
    if kind == "box":
        return [_box(row, kept, turned)]
    if kind == "ellipse":
        return [_ellipse(row, kept)]
    if kind == "mask":
        return [_png(row, kept)]
    flat = [float(v) for v in row["points"]]
    count = len(flat) // 2
    if kind == "polyline":
        usual = "line" if count == 2 else "linestrip"
        return [(flat, old if old in ("line", "linestrip", "polygon") else usual, None)]
    if kind == "points":
        return [(flat, "point" if count == 1 and old != "points" else "points", None)]
    if len(row.get("rings") or ()) < 2:
        again = old in ("oriented_rectangle", "rotation", "quadrilateral") and count == 4
        return [(flat, old if again else "polygon", None)]
    rings: list[Figure] = []
    start = 0
    for n in row["rings"]:
        rings.append((flat[2 * start : 2 * (start + n)], "polygon", None))
        start += n
    return rings


def _box(row: Row, kept: Mapping[str, Any], turned: str) -> Figure:
    x, y, w, h = (row[n] for n in "xywh")
    old = kept.get("shape_type")
    kind = old if old in ("oriented_rectangle", "rotation") else turned
    if not row.get("rotation") and old not in ("oriented_rectangle", "rotation"):
        return [x, y, x + w, y + h], "rectangle", None
    corners = box_corners([[x, y, w, h]], [row.get("rotation") or 0.0])[0]
    given = np.asarray(kept.get("points") or (), np.float64)
    if given.size == 8 and np.abs(given.reshape(4, 2) - corners).max() < _EPSILON:
        return given.tolist(), kind, None
    return corners.ravel().tolist(), kind, None


def _ellipse(row: Row, kept: Mapping[str, Any]) -> Figure:
    a, b = row["w"] / 2, row["h"] / 2
    cx, cy = row["x"] + a, row["y"] + b
    if is_circle(row):
        given = list(kept.get("points") or ())
        if len(given) == 4 and abs(given[0] - cx) + abs(given[1] - cy) < _EPSILON:
            if abs(math.hypot(given[2] - given[0], given[3] - given[1]) - a) < _EPSILON:
                return list(given), "circle", None
        return [cx, cy, cx + a, cy], "circle", None
    turn = math.radians(row.get("rotation") or 0.0)
    angle = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)
    across, down = a * np.cos(angle), b * np.sin(angle)
    xs = cx + across * math.cos(turn) - down * math.sin(turn)
    ys = cy + across * math.sin(turn) + down * math.cos(turn)
    return np.stack([xs, ys], axis=1).ravel().tolist(), "polygon", None


def is_circle(row: Row) -> bool:
    """Is an ellipse a circle, which LabelMe has?"""
    return abs(row["w"] - row["h"]) <= 1e-9 * max(row["w"], row["h"])


def _png(row: Row, kept: Mapping[str, Any]) -> Figure:
    pixels = rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
    ys, xs = np.nonzero(pixels)
    left, top, right, bottom = (int(v) for v in (xs.min(), ys.min(), xs.max(), ys.max()))
    corners = [float(v) for v in (left, top, right, bottom)]
    given = list(kept.get("points") or ())
    if len(given) == 4:
        crop = _given_crop(pixels, given)
        if crop is not None:
            return list(given), "mask", _encoded(crop)
    return corners, "mask", _encoded(pixels[top : bottom + 1, left : right + 1])


def _given_crop(pixels: Any, given: Any) -> Any:
    # The box as LabelMe had it, if the mask still lies in it.
    left, top, right, bottom = (round(v) for v in given)
    if left < 0 or top < 0 or right < left or bottom < top:
        return None
    crop = pixels[top : bottom + 1, left : right + 1]
    fits = crop.shape == (bottom - top + 1, right - left + 1)
    return crop if fits and crop.sum() == pixels.sum() else None


def _encoded(pixels: Any) -> str:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels, np.uint8)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()
