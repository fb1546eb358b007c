"""Figures in JSON of any quality, as columns of an annotation.

Numbers, points, boxes, rings and bitmaps come in many spellings; what can't be a figure raises
`Unusable` with the reason that the ledger shows.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import BrokenFileError
from ..geometry import box_corners, corners_to_box, mask_to_rle, ring_area
from ..media.images import FORMATS, probe_image

__all__ = [
    "Unusable",
    "bitmap",
    "box",
    "corner_box",
    "doubts",
    "ellipse",
    "is_number",
    "mask",
    "number",
    "pair",
    "points",
    "polygon",
    "rotated_box",
]

Row = dict[str, Any]

MAX_MASK_PIXELS = 1 << 28
_MAX_PNG = 1 << 26
_VERTICES = 32


class Unusable(ValueError):  # noqa: N818  not an error: the fate of a record
    """A figure can't be read; `reason` groups lines of the ledger, `text` says it."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason, self.text = reason, text


def is_number(value: Any) -> TypeGuard[float]:
    """Is it a number that is finite?"""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer past any float
        return False


def number(value: Any, what: str = "coordinate") -> float:
    """Return a finite number; a text that is one is taken for it."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)
    if not is_number(value):
        raise Unusable("coordinate is not a number", f"{what} is {value!r}")
    return float(value)


def pair(value: Any, what: str = "point") -> tuple[float, float]:
    """Return x and y of ``{"x": 1, "y": 2}`` or ``[1, 2]``."""
    if isinstance(value, Mapping) and "x" in value and "y" in value:
        return number(value["x"], f"x of a {what}"), number(value["y"], f"y of a {what}")
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) >= 2:
        return number(value[0], f"x of a {what}"), number(value[1], f"y of a {what}")
    raise Unusable("point is not understood", f"a {what} is {value!r:.80}")


def points(values: Any, least: int = 1, what: str = "figure") -> list[float]:
    """Return points as x, y, x, y ...; at least `least` of them."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise Unusable("no points", f"the points of the {what} are {values!r:.80}")
    flat = [v for value in values for v in pair(value)]
    if len(flat) < 2 * least:
        raise Unusable(
            "too few points", f"a {what} of {len(flat) // 2} points; it needs {least}"
        )  # fmt: skip
    return flat


def box(x: Any, y: Any, w: Any, h: Any) -> Row:
    """Return the columns of a box; a negative width or height is unusable."""
    values = [number(v, f"{n} of the box") for n, v in zip("xywh", (x, y, w, h), strict=True)]
    if values[2] < 0 or values[3] < 0:
        raise Unusable(
            "width or height is negative", f"the box is {values[2]:g} x {values[3]:g}"
        )  # fmt: skip
    return {"type": "box", **dict(zip("xywh", values, strict=True))}


def corner_box(x1: Any, y1: Any, x2: Any, y2: Any) -> Row:
    """Return the columns of a box of any two opposite corners."""
    a, b, c, d = (number(v, "a corner") for v in (x1, y1, x2, y2))
    return box(min(a, c), min(b, d), abs(c - a), abs(d - b))


def rotated_box(flat: Sequence[float]) -> Row:
    """Return the columns of a rotated box of its four corners, in order.

    Corners that are no rectangle become a polygon.
    """
    if len(flat) != 8:
        raise Unusable("rotated box without four corners", f"it has {len(flat) // 2} points")
    corners = np.asarray(flat, np.float64).reshape(1, 4, 2)
    if ring_area(corners[0]) < 0:
        corners = corners[:, [0, 3, 2, 1]]
    (columns,), (turn,) = corners_to_box(corners)
    again = box_corners([columns], [turn])[0]
    if np.abs(again - corners[0]).max() > max(1.0, 0.01 * float(max(columns[2:]))):
        return polygon([(list(flat), False)])
    values = dict(zip("xywh", columns.tolist(), strict=True))
    return {"type": "box", **values, "rotation": float(turn)}


def ellipse(cx: Any, cy: Any, rx: Any, ry: Any, degrees: float = 0.0) -> Row:
    """Return the columns of an ellipse of its centre and radii."""
    x, y, a, b = (number(v, "a part of the ellipse") for v in (cx, cy, rx, ry))
    made = box(x - a, y - b, 2 * a, 2 * b)
    return {**made, "type": "ellipse", "rotation": degrees or None}


def polygon(rings: Sequence[tuple[list[float], bool]]) -> Row:
    """Return the columns of a polygon of rings, each (x, y, x, y ..., is it a hole?)."""
    if not rings or rings[0][1]:
        raise Unusable("no points", "a polygon without an outer ring")
    for ring, hole in rings:
        if len(ring) < 6:
            what = "hole" if hole else "polygon"
            raise Unusable("too few points", f"a {what} of {len(ring) // 2} points; it needs 3")
    flat = [v for ring, _ in rings for v in ring]
    counts = [(-1 if hole else 1) * (len(ring) // 2) for ring, hole in rings]
    return {
        "type": "polygon", "points": flat, "rings": counts if len(counts) > 1 else None,
        **_bounds(flat),
    }  # fmt: skip


def nested_rings(rings: Sequence[list[float]]) -> list[tuple[list[float], bool]]:
    """Return rings of a polygon in even-odd order: each hole after the ring that it lies in.

    >>> outer, inner = [0, 0, 9, 0, 9, 9, 0, 9], [1, 1, 2, 1, 2, 2]
    >>> [hole for _, hole in nested_rings([inner, outer])]
    [False, True]
    """
    around = [
        [j for j, other in enumerate(rings) if j != i and _lies_in(ring, other)]
        for i, ring in enumerate(rings)
    ]
    made: list[tuple[list[float], bool]] = []
    for i, ring in enumerate(rings):
        if len(around[i]) % 2:
            continue
        made.append((list(ring), False))
        depth = len(around[i]) + 1
        made += [
            (list(hole), True)
            for j, hole in enumerate(rings)
            if i in around[j] and len(around[j]) == depth
        ]
    return made


def _lies_in(ring: Sequence[float], other: Sequence[float]) -> bool:
    # Most of some vertices of `ring` are within `other`: rings may touch at the rest.
    xy, around = (np.asarray(r, np.float64).reshape(-1, 2) for r in (ring, other))
    if len(around) < 3 or abs(ring_area(xy)) >= abs(ring_area(around)):
        return False
    if (xy.max(axis=0) < around.min(axis=0)).any() or (xy.min(axis=0) > around.max(axis=0)).any():
        return False
    x, y = xy[:: max(1, len(xy) // _VERTICES), :, None].transpose(1, 0, 2)
    ends = np.roll(around, -1, axis=0)
    rises = ends[:, 1] - around[:, 1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        at = (ends[:, 0] - around[:, 0]) * (y - around[:, 1]) / rises + around[:, 0]
    crossed = ((around[:, 1] > y) != (ends[:, 1] > y)) & (x < at)
    return bool((crossed.sum(axis=1) % 2).mean() > 0.5)


def mask(
    inside: NDArray[Any], left: int = 0, top: int = 0, size: tuple[int | None, int | None] = (0, 0)
) -> Row:
    """Return the columns of a mask: pixels `inside`, at (left, top) of an image of `size`.

    Where the size is not known the mask ends where its pixels do.
    """
    ys, xs = np.nonzero(inside)
    if not len(xs):
        raise Unusable("mask is empty", "no pixel of it is set")
    x, y = int(xs.min()), int(ys.min())
    w, h = int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1
    width, height = size[0] or left + x + w, size[1] or top + y + h
    if left + x < 0 or top + y < 0 or left + x + w > width or top + y + h > height:
        raise Unusable(
            "mask reaches outside the image",
            f"its pixels span {left + x}, {top + y} to {left + x + w}, {top + y + h}, "
            f"the image is {width} x {height}",
        )
    if width * height > MAX_MASK_PIXELS:
        raise Unusable("mask is too large", f"an image of {width:,} x {height:,} pixels")
    canvas = np.zeros((height, width), np.uint8)
    canvas[top + y : top + y + h, left + x : left + x + w] = inside[y : y + h, x : x + w]
    return {
        "type": "mask", "mask": mask_to_rle(canvas), "mask_height": height, "mask_width": width,
        "x": float(left + x), "y": float(top + y), "w": float(w), "h": float(h),
    }  # fmt: skip


def bitmap(text: Any) -> NDArray[np.uint8]:
    """Return the values (0 outside) of a PNG in base64, deflated once more or not.

    Of an image with transparency its alpha, of a palette its index, else its brightest channel.
    """
    if not isinstance(text, str):
        raise Unusable("mask can't be decoded", "its data is no text")
    try:
        data = base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text)
    except (binascii.Error, ValueError):
        raise Unusable("mask can't be decoded", "its data is not base64") from None
    return image_values(_inflated(data))


def image_values(data: bytes) -> NDArray[np.uint8]:
    """Return the values (0 outside) of a mask that is an image file; see `bitmap`."""
    try:
        info = probe_image(data, "the mask")
    except BrokenFileError as error:
        raise Unusable("mask can't be decoded", error.message) from None
    if info.stored_width * info.stored_height > MAX_MASK_PIXELS:
        raise Unusable("mask is too large", f"{info.width:,} x {info.height:,} pixels")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            shown = image.convert("RGBA") if "transparency" in image.info else image
            values = np.asarray(shown.getchannel("A") if shown.mode in ("RGBA", "LA") else shown)
    except Exception as error:  # noqa: BLE001  damage makes decoders raise whatever they like
        raise Unusable("mask can't be decoded", str(error)) from None
    if values.ndim == 3:
        values = values.max(axis=2)
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * 255
    return values if values.dtype == np.uint8 else (values != 0).astype(np.uint8) * 255


def _inflated(data: bytes) -> bytes:
    if data[:4] == b"\x89PNG":
        return data
    try:
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(data, _MAX_PNG)
    except zlib.error:
        return data
    if unpacker.unconsumed_tail:
        raise Unusable("mask is too large", f"it inflates to more than {_MAX_PNG >> 20} MB")
    return plain


def doubts(row: Row, width: int | None, height: int | None) -> list[tuple[str, str]]:
    """Return what is doubtful about a figure, as (reason, text)."""
    found = []
    if row["type"] == "box" and not (row["w"] and row["h"]):
        found.append(("box has no area", f"it is {row['w']:g} x {row['h']:g}"))
    if width and height and not row.get("rotation"):
        if "x" in row and row["type"] in ("box", "polygon", "mask"):
            low, high = (row["x"], row["y"]), (row["x"] + row["w"], row["y"] + row["h"])
        elif row.get("points") and row["type"] != "skeleton":
            xy = np.asarray(row["points"], np.float64).reshape(-1, 2)
            low, high = tuple(xy.min(axis=0)), tuple(xy.max(axis=0))
        else:
            return found
        slack = 1e-6 * max(width, height)
        if min(low) < -slack or high[0] > width + slack or high[1] > height + slack:
            text = (
                f"it spans {low[0]:g}, {low[1]:g} to {high[0]:g}, {high[1]:g}, the image is "
                f"{width} x {height}; kept as it is"
            )
            found.append(("reaches outside the image", text))
    return found


def _bounds(flat: Sequence[float]) -> Row:
    xs, ys = flat[0::2], flat[1::2]
    return {"x": min(xs), "y": min(ys), "w": max(xs) - min(xs), "h": max(ys) - min(ys)}
