"""The geometry in the value of a Label Studio result."""

from __future__ import annotations

import base64
import binascii
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ... import geometry
from .brush import MAX_PIXELS, decode_brush

__all__ = ["Fault", "Shape", "is_frame", "is_number", "read_png", "shape_of"]

Problems = list[tuple[str, str]]
Size = tuple[float, float]

MAX_NUMBER = 1e300
_NO_SIZE = (
    "the size of the image is not known",
    "its numbers are percent, it has no original_width, and the image is not in the source",
)


class Fault(Exception):  # noqa: N818  not an error: one record is not understood
    """Why a result can't become a row: a short `reason`, and a sentence as the message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass
class Shape:
    """A geometry: its type of annotation, and its numbers in percent of `size` (pixels).

    `more` holds other columns of ANNOTATIONS; `frames` the keyframes of a track.
    """

    type: str
    size: Size | None = None
    x: float | None = None
    y: float | None = None
    w: float | None = None
    h: float | None = None
    rotation: float | None = None
    points: list[list[float]] | None = None
    more: dict[str, Any] = field(default_factory=dict)
    frames: list[dict[str, Any]] | None = None


def is_number(value: object) -> TypeGuard[float]:
    """Say whether `value` is a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < MAX_NUMBER  # NaN is not


def is_frame(value: object) -> TypeGuard[float]:
    """Say whether `value` can be the number of a frame, which Label Studio counts from 1."""
    return is_number(value) and 0 <= value < 2**53


def shape_of(
    kind: str, value: Mapping[str, Any], size: Size | None
) -> tuple[Shape, dict[str, Any], Problems]:
    """Return the geometry of a value, the rest of the value, and what is suspect about it.

    The rest holds the geometry as written, too, where it can't be had back from the columns.

    Raises:
        Fault: it has none, or it is broken.
    """
    problems: Problems = []
    if kind in ("videorectangle", "videovector", "videovectorlabels") or "sequence" in value:
        return _video(kind, value, size, problems)
    if "imageDataURL" in value:
        return _bitmask(value, size, problems)
    if size is None:
        raise Fault(*_NO_SIZE)
    if "rle" in value:
        return _brush(value, size, problems)
    if "vertices" in value:
        return _vector(value, size, problems)
    if "points" in value:
        return _polygon(value, size, problems)
    if "radiusX" in value:
        return _ellipse(value, size, problems)
    if "width" in value and "height" in value:
        return _box(value, size, problems)
    if "x" in value and "y" in value:
        x, y = _numbers(value, ("x", "y"), problems)
        return Shape("points", size, points=[[x, y]]), _rest(value, "x", "y"), problems
    raise Fault("result has no geometry", f"a {kind} without numbers: {sorted(value)!r:.120}")


def _rest(value: Mapping[str, Any], *without: str) -> dict[str, Any]:
    return {k: v for k, v in value.items() if k not in without}


def _numbers(value: Mapping[str, Any], names: Sequence[str], problems: Problems) -> list[float]:
    return [_number(value.get(name), name, problems) for name in names]


def _number(found: Any, name: str, problems: Problems) -> float:
    if isinstance(found, str):
        try:
            number = float(found)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            problems.append(("number is written as text", f"{name} is {found!r:.40}"))
            return number
    if not is_number(found):
        raise Fault("not a number", f"{name} is {found!r:.40}")
    return float(found)


def _box(
    value: Mapping[str, Any], size: Size, problems: Problems
) -> tuple[Shape, dict[str, Any], Problems]:
    x, y, w, h = _numbers(value, ("x", "y", "width", "height"), problems)
    turn = _number(value["rotation"], "rotation", problems) if value.get("rotation") else 0.0
    rest = _rest(value, "x", "y", "width", "height", "rotation")
    if turn or w < 0 or h < 0:
        rest |= {k: value[k] for k in ("x", "y", "width", "height", "rotation") if k in value}
    if w == 0 or h == 0:
        problems.append(("box has no area", f"it is {w} by {h} percent"))
    if w < 0 or h < 0:  # drawn to the left or upwards: its corner is another one
        cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        along, down = min(w, 0) * size[0] / 100, min(h, 0) * size[1] / 100
        if turn:
            x += (along * cos - down * sin) / size[0] * 100
            y += (along * sin + down * cos) / size[1] * 100
        else:
            x, y = x + min(w, 0), y + min(h, 0)
        w, h = abs(w), abs(h)
    more = {}
    if isinstance(rest.get("ocrtext"), str):
        more["text"] = rest.pop("ocrtext")
    return Shape("box", size, x, y, w, h, turn or None, more=more), rest, problems


def _ellipse(
    value: Mapping[str, Any], size: Size, problems: Problems
) -> tuple[Shape, dict[str, Any], Problems]:
    x, y, rx, ry = _numbers(value, ("x", "y", "radiusX", "radiusY"), problems)
    turn = _number(value["rotation"], "rotation", problems) if value.get("rotation") else 0.0
    rx, ry = abs(rx), abs(ry)
    shape = Shape("ellipse", size, x - rx, y - ry, 2 * rx, 2 * ry, turn or None)
    return shape, dict(value), problems


def _polygon(
    value: Mapping[str, Any], size: Size, problems: Problems
) -> tuple[Shape, dict[str, Any], Problems]:
    points = value["points"]
    if not isinstance(points, list) or not points:
        raise Fault("polygon has no points", f"its points are {points!r:.60}")
    if not all(isinstance(p, (list, tuple)) and len(p) == 2 for p in points):
        raise Fault("points are not pairs", f"its points are {points!r:.60}")
    pairs = [[_number(v, "a point", problems) for v in p] for p in points]
    opened = value.get("closed") is False
    if len(pairs) < 3 and not opened:
        problems.append(("polygon has less than 3 points", f"it has {len(pairs)}"))
    kind = "polyline" if opened else "polygon"
    return Shape(kind, size, points=pairs), _rest(value, "points"), problems


def _vector(
    value: Mapping[str, Any], size: Size, problems: Problems
) -> tuple[Shape, dict[str, Any], Problems]:
    vertices = value["vertices"]
    if not isinstance(vertices, list) or not vertices:
        raise Fault("vector has no vertices", f"its vertices are {vertices!r:.60}")
    if not all(isinstance(v, Mapping) for v in vertices):
        raise Fault("vertices are not objects", f"its vertices are {vertices!r:.60}")
    pairs = [_numbers(v, ("x", "y"), problems) for v in vertices]
    if any(v.get("isBezier") for v in vertices):
        problems.append(("curve is kept as straight lines", "its control points stay in extra"))
    kind = "polygon" if value.get("closed") else "polyline"
    return Shape(kind, size, points=pairs), dict(value), problems


def _brush(
    value: Mapping[str, Any], size: Size, problems: Problems
) -> tuple[Shape, dict[str, Any], Problems]:
    width, height = int(size[0]), int(size[1])
    try:
        mask, soft = decode_brush(value["rle"], height, width)
    except (ValueError, TypeError) as error:
        raise Fault("brush mask can't be decoded", str(error)) from None
    if soft:
        problems.append(("brush has a soft edge", "all of its edge was taken as inside"))
    return Shape("mask", size, more=mask_columns(mask)), _rest(value, "rle", "format"), problems


def _bitmask(
    value: Mapping[str, Any], size: Size | None, problems: Problems
) -> tuple[Shape, dict[str, Any], Problems]:
    try:
        mask = read_png(str(value["imageDataURL"]))
    except ValueError as error:
        raise Fault("bit mask can't be decoded", str(error)) from None
    own = (float(mask.shape[1]), float(mask.shape[0]))
    if size is not None and size != own:
        text = f"it is {own[0]:.0f}x{own[1]:.0f}, the image {size[0]:.0f}x{size[1]:.0f}"
        problems.append(("bit mask has another size than its image", text))
    return Shape("mask", size or own, more=mask_columns(mask)), dict(value), problems


def read_png(url: str) -> NDArray[np.uint8]:
    """Return the mask in a ``data:image/png;base64,`` address: where it is not transparent.

    Raises:
        ValueError: it is no such address, or too large, or broken.
    """
    from PIL import Image

    head, _, text = url.partition(",")
    if not head.startswith("data:image/png") or "base64" not in head:
        raise ValueError(f"it is not a PNG, but {head!r:.40}")
    try:
        with Image.open(
            io.BytesIO(base64.b64decode(text, validate=True)), formats=["PNG"]
        ) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"a mask of {image.width}x{image.height} pixels is refused")
            transparent = "A" in image.getbands() or "transparency" in image.info
            band = image.convert("RGBA").getchannel("A") if transparent else image.convert("L")
            mask: NDArray[np.uint8] = (np.asarray(band) != 0).astype(np.uint8)
    except (binascii.Error, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"its PNG is broken: {error}") from None
    return mask


def mask_columns(mask: NDArray[np.uint8]) -> dict[str, Any]:
    """Return the columns of ANNOTATIONS that hold a mask and its bounding box."""
    columns: dict[str, Any] = {
        "mask": geometry.mask_to_rle(mask),
        "mask_height": mask.shape[0],
        "mask_width": mask.shape[1],
    }
    rows, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows):
        columns |= {
            "x": float(across[0]), "y": float(rows[0]),
            "w": float(across[-1] - across[0] + 1), "h": float(rows[-1] - rows[0] + 1),
        }  # fmt: skip
    return columns


def _video(
    kind: str, value: Mapping[str, Any], size: Size | None, problems: Problems
) -> tuple[Shape, dict[str, Any], Problems]:
    entries = value.get("sequence")
    if not isinstance(entries, list) or not all(isinstance(e, Mapping) for e in entries):
        raise Fault("video region has no sequence", f"its sequence is {entries!r:.60}")
    first = entries[0].get("frame") if entries else None
    if size is None or kind != "videorectangle" or not entries:
        if kind == "videorectangle":
            text = "the video's size is not known, so its boxes stay percent, in extra"
            problems.append(("video region is kept as written", text))
        more = {"frame": int(first) - 1} if is_frame(first) else {}
        return Shape("time_span", None, more=more), dict(value), problems
    frames = []
    for entry in entries:
        box, rest, _ = _box(entry, size, problems)
        if not is_frame(entry.get("frame")):
            raise Fault("frame is not a number", f"frame is {entry.get('frame')!r:.40}")
        frame = int(entry["frame"]) - 1
        frames.append(
            {"frame": frame, "x": box.x, "y": box.y, "w": box.w, "h": box.h,
             "rotation": box.rotation, "entry": {k: v for k, v in rest.items() if k != "frame"}}
        )  # fmt: skip
    return Shape("box", size, frames=frames), _rest(value, "sequence"), problems
