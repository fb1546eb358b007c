"""Shapes of CVAT as geometry, and back.

A geometry is the tuple (x, y, w, h, rotation, points, visibility, mask, mask_height, mask_width).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ... import geometry as geo
from ..json_values import dumps

__all__ = [
    "FLAGS", "GEOMETRY_OF", "KNOWN", "Bad", "Geometry", "Size", "encode", "extra_of", "pairs",
    "points_of", "skeleton",
]  # fmt: skip

Geometry = tuple[Any, ...]
Size = tuple[int | None, int | None]
Attrs = Mapping[str, str]

# Our corners: the front face clockwise from its top left, then the rear face in the same order.
# CVAT's editor draws its points as edges fl (tl1, bl1), fr (tr1, br1), dr (tl2, bl2) and
# dl (tr2, br2): "tl2" is the corner behind the top *right* one.
_CORNERS = ("tl1", "tr1", "br1", "bl1", "tr2", "tl2", "bl2", "br2")
_CORNER_NAMES = tuple(f"{axis}{corner}" for corner in _CORNERS for axis in "xy")
FLAGS = {"0": False, "1": True, "false": False, "true": True, "False": False, "True": True}
"""Values of flags."""

KNOWN = frozenset(
    ("label", "source", "occluded", "z_order", "group_id", "rotation", "points", "frame",
     "keyframe", "outside", "xtl", "ytl", "xbr", "ybr", "cx", "cy", "rx", "ry", "rle", "left",
     "top", "width", "height", "score", "annotation_type", "closing",
     *(f"{a}{v}{s}{n}" for a in "xy" for v in "tb" for s in "lr" for n in "12"))
)  # fmt: skip
"""XML attributes of shapes that are read."""

_MAX_PIXELS = 1 << 27
_MAX_IMAGE = 1 << 31


class Bad(Exception):  # noqa: N818  what is wrong with one record
    """A shape can't be read: the reason, and the end of a sentence about it."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(reason)
        self.reason, self.text = reason, text


def _numbers(attrs: Attrs, names: Sequence[str], what: str) -> list[float]:
    try:
        values = [float(attrs[name]) for name in names]
    except KeyError as error:
        raise Bad(f"{what} without numbers", f"it has no {error.args[0]}") from None
    except ValueError as error:
        raise Bad(f"{what} without numbers", f"{error}") from None
    if not math.isfinite(sum(values)):
        raise Bad("coordinate is not a number", f"{what} of {', '.join(map(str, values))}")
    return values


def _rotation(attrs: Attrs) -> float | None:
    text = attrs.get("rotation")
    if not text:
        return None
    return _numbers(attrs, ("rotation",), "rotation")[0] or None


def _box(attrs: Attrs, _: Size) -> Geometry:
    try:
        x, y = float(attrs["xtl"]), float(attrs["ytl"])
        w, h = float(attrs["xbr"]) - x, float(attrs["ybr"]) - y
    except (KeyError, ValueError):
        _numbers(attrs, ("xtl", "ytl", "xbr", "ybr"), "box")
        raise
    if (x + y + w + h) * 0.0 != 0.0:
        raise Bad("coordinate is not a number", "its corners are not all numbers")
    if w < 0.0 or h < 0.0:
        raise Bad("width or height is negative", f"the box is {w:g} x {h:g}")
    turn = _rotation(attrs) if "rotation" in attrs else None
    return (x, y, w, h, turn, None, None, None, None, None)


def _ellipse(attrs: Attrs, _: Size) -> Geometry:
    cx, cy, rx, ry = _numbers(attrs, ("cx", "cy", "rx", "ry"), "ellipse")
    if rx < 0 or ry < 0:
        raise Bad("width or height is negative", f"the radii are {rx:g} and {ry:g}")
    box = (cx - rx, cy - ry, 2 * rx, 2 * ry)
    return (*box, _rotation(attrs), None, None, None, None, None)


def points_of(attrs: Attrs, what: str) -> list[float]:
    """Return the flat coordinates in ``points="x,y;x,y"``."""
    text = attrs.get("points")
    if not text:
        raise Bad(f"{what} without points", "it has no points")
    try:
        flat = [float(v) for v in text.replace(";", ",").split(",")]
    except ValueError:
        flat = _loose_points(text, what)
    if len(flat) % 2:
        raise Bad(f"{what} without numbers", f"it has {len(flat)} coordinates, an odd number")
    if sum(flat) * 0.0 != 0.0:
        raise Bad("coordinate is not a number", "its points are not all numbers")
    return flat


def _loose_points(text: str, what: str) -> list[float]:
    # Semicolons at the end, or two in a row.
    pairs = [pair.split(",") for pair in text.split(";") if pair.strip()]
    try:
        if pairs and all(len(pair) == 2 for pair in pairs):
            return [float(v) for pair in pairs for v in pair]
    except ValueError:
        pass
    shown = text if len(text) < 40 else f"{text[:40]}..."
    raise Bad(f"{what} without numbers", f"its points are {shown!r}")


def _path(what: str) -> Callable[[Attrs, Size], Geometry]:
    def made(attrs: Attrs, _: Size) -> Geometry:
        return (None, None, None, None, None, points_of(attrs, what), None, None, None, None)

    return made


def _polygon(attrs: Attrs, _: Size) -> Geometry:
    flat = points_of(attrs, "polygon")
    xs, ys = flat[::2], flat[1::2]
    x, y = min(xs), min(ys)
    return (x, y, max(xs) - x, max(ys) - y, None, flat, None, None, None, None)


def _cuboid(attrs: Attrs, _: Size) -> Geometry:
    flat = _numbers(attrs, _CORNER_NAMES, "cuboid")
    return (None, None, None, None, None, flat, None, None, None, None)


def skeleton(flat: list[float], visibility: list[int]) -> Geometry:
    """Return the geometry of a skeleton."""
    return (None, None, None, None, None, flat, visibility, None, None, None)


# -- masks ---------------------------------------------------------------------------


def _mask(attrs: Attrs, size: Size) -> Geometry:
    try:
        left, top, width, height = (int(attrs[n]) for n in ("left", "top", "width", "height"))
        runs = np.array(attrs["rle"].split(","), dtype=np.int64)
    except KeyError as error:
        raise Bad("mask without numbers", f"it has no {error.args[0]}") from None
    except (ValueError, OverflowError):
        raise Bad("mask without numbers", "its runs or its box are not whole numbers") from None
    if min(left, top) < 0 or min(width, height) < 1:
        raise Bad("mask has no place", f"its box is {left}, {top}, {width} x {height}")
    if width * height > _MAX_PIXELS:
        raise Bad("mask is too large", f"its box is {width:,} x {height:,} pixels")
    if runs.min(initial=0) < 0:
        raise Bad("mask runs do not fit", "it has a negative run length")
    if runs.max(initial=0) > width * height or runs.sum() != width * height:
        pixels = f"its runs cover {sum(runs.tolist()):,} pixels of {width * height:,}"
        raise Bad("mask runs do not fit", pixels)
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    full_width = max(size[0] or 0, left + width)
    full_height = max(size[1] or 0, top + height)
    if full_width * full_height >= _MAX_IMAGE:
        raise Bad("mask is too large", f"its image is {full_width:,} x {full_height:,} pixels")
    counts = _columns(inside, left, top, full_height, full_width)
    return (*_bounds(inside, left, top), None, None, None, counts, full_height, full_width)


def _bounds(inside: np.ndarray, left: int, top: int) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return (float(left), float(top), 0.0, 0.0)
    x, y = float(columns[0]), float(rows[0])
    return (x + left, y + top, float(columns[-1]) - x + 1, float(rows[-1]) - y + 1)


def _columns(inside: np.ndarray, left: int, top: int, height: int, width: int) -> bytes:
    # The mask in its box as COCO's runs down the columns of the whole image, which is never made.
    from pycocotools import mask as coco_mask

    padded = np.zeros((inside.shape[1], inside.shape[0] + 1), np.int8)
    padded[:, :-1] = inside.T
    edges = np.diff(padded, axis=1, prepend=np.int8(0))
    column, row = np.nonzero(edges)
    places = (column + left) * height + row + top
    starts, ends = places[::2], places[1::2]
    joined = starts[1:] == ends[:-1]  # a column filled to its end, the next from its start
    keep_start = np.concatenate([[True], ~joined]) if len(starts) else np.empty(0, bool)
    keep_end = np.concatenate([~joined, [True]]) if len(ends) else np.empty(0, bool)
    changes = np.empty(2 * int(keep_start.sum()), np.int64)
    changes[::2], changes[1::2] = starts[keep_start], ends[keep_end]
    runs = np.diff(np.concatenate([[0], changes, [height * width]]))
    if len(runs) % 2 == 1 and runs[-1] == 0:
        runs = runs[:-1]
    encoded: dict[str, Any] = coco_mask.frPyObjects(
        {"counts": runs.tolist(), "size": [height, width]}, height, width
    )
    counts: bytes = encoded["counts"]
    return counts


GEOMETRY_OF: Mapping[str, Callable[[Attrs, Size], Geometry]] = {
    "box": _box,
    "polygon": _polygon,
    "polyline": _path("polyline"),
    "points": _path("points"),
    "ellipse": _ellipse,
    "mask": _mask,
    "cuboid": _cuboid,
}
"""Element of a shape → its geometry; raises `Bad`."""


def extra_of(source: str | None, attrs: Mapping[str, str]) -> str:
    """Return as JSON who made a shape, and its XML attributes that no column holds."""
    own: dict[str, Any] = {}
    if source is not None and source != "manual":
        own["source"] = source
    own |= {k: v for k, v in attrs.items() if k not in KNOWN}
    return dumps({"cvat": own})


# -- back ----------------------------------------------------------------------------


def number(value: float) -> str:
    """Return a number with two decimals, as CVAT writes it, or as many as it needs."""
    short = f"{value:.2f}"
    return short if float(short) == value else repr(value)


def _far(start: float, size: float) -> float:
    # The number from which a reader gets `size` back: start + size, or the one next to it.
    far = start + size
    for value in (far, math.nextafter(far, math.inf), math.nextafter(far, -math.inf)):
        if value - start == size:
            return value
    return far


def encode(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the XML attributes of a row's geometry (of a skeleton: none)."""
    kind = row["type"]
    turn = [("rotation", number(row["rotation"]))] if row.get("rotation") else []
    if kind == "box":
        x, y, w, h = (row[n] for n in "xywh")
        sides = zip(("xtl", "ytl", "xbr", "ybr"), (x, y, _far(x, w), _far(y, h)), strict=True)
        return [*((n, number(v)) for n, v in sides), *turn]
    if kind == "ellipse":
        x, y, w, h = (row[n] for n in "xywh")
        named = zip(("cx", "cy", "rx", "ry"), (x + w / 2, y + h / 2, w / 2, h / 2), strict=True)
        return [*((n, number(v)) for n, v in named), *turn]
    if kind == "cuboid":
        corners = dict(zip(_CORNER_NAMES, row["points"], strict=True))
        names = [f"{a}{c}" for c in ("tl1", "bl1", "tr1", "br1", "tl2", "bl2", "tr2", "br2")
                 for a in "xy"]  # fmt: skip
        return [(n, number(corners[n])) for n in names]
    if kind == "mask":
        return _mask_attrs(row)
    if kind in ("polygon", "polyline", "points"):
        return [("points", pairs(row["points"]))]
    return []


def pairs(flat: Sequence[float]) -> str:
    """Return ``"x,y;x,y"``."""
    return ";".join(f"{number(x)},{number(y)}" for x, y in zip(flat[::2], flat[1::2], strict=True))


def _mask_attrs(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    inside = geo.rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        raise Bad("mask is empty", "CVAT has no mask without pixels")
    top, left = int(rows[0]), int(columns[0])
    part = inside[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    flat = part.ravel()
    changes = np.flatnonzero(np.diff(flat, prepend=np.uint8(0)))
    runs = np.diff(np.concatenate([[0], changes, [flat.size]]))
    box = (("left", left), ("top", top), ("width", part.shape[1]), ("height", part.shape[0]))
    return [("rle", ", ".join(map(str, runs.tolist()))), *((n, str(v)) for n, v in box)]
