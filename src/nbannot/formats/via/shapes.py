"""Shapes of VIA, and annotations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..fitting import Row
from ..image_files import rounded
from ..image_records import At, add_box, add_points, as_json, numbers
from ..reading import Reading

__all__ = ["KNOWN", "add_shape", "from_via3", "to_shapes"]

KNOWN = ("rect", "circle", "ellipse", "polygon", "polyline", "line", "point")


def from_via3(xy: Any) -> dict[str, Any] | None:
    """Return ``xy`` of VIA 3 as VIA 2 writes the shape; {} where there is none, None where bad.

    >>> from_via3([2, 10, 20, 30, 40])
    {'name': 'rect', 'x': 10.0, 'y': 20.0, 'width': 30.0, 'height': 40.0}
    """
    if not isinstance(xy, list):
        return None
    found = numbers(*xy)
    if found is None:
        return None
    if not found:
        return {}
    code, rest = int(found[0]), found[1:]
    names = {1: ("point", "cx cy"), 2: ("rect", "x y width height"), 3: ("circle", "cx cy r"),
             4: ("ellipse", "cx cy rx ry")}  # fmt: skip
    if code in names:
        name, keys = names[code]
        if len(rest) != len(keys.split()):
            return None
        return {"name": name, **dict(zip(keys.split(), rest, strict=True))}
    if code == 8 and len(rest) == 8:  # a rectangle by four points on its edges
        xs, ys = rest[::2], rest[1::2]
        return {"name": "rect", "x": min(xs), "y": min(ys), "width": max(xs) - min(xs),
                "height": max(ys) - min(ys)}  # fmt: skip
    lines = {5: "polyline", 6: "polyline", 7: "polygon"}
    if code not in lines or len(rest) % 2:
        return None
    return {"name": lines[code], "all_points_x": rest[::2], "all_points_y": rest[1::2]}


def add_shape(
    reading: Reading,
    item: int,
    at: At,
    shape: Mapping[str, Any],
    size: tuple[int, int] | None,
    **values: Any,
) -> None:
    """Count and add a region; say what is doubtful or can't be read."""
    name = shape.get("name")
    kept: dict[str, Any] = {}
    if name == "rect":
        box = numbers(*(shape.get(n) for n in ("x", "y", "width", "height")))
        add_box(reading, item, at, box, size, **values)
    elif name in ("circle", "ellipse"):
        _ellipse(reading, item, at, shape, size, values)
    elif name == "point":
        xy = numbers(shape.get("cx"), shape.get("cy"))
        add_points(reading, item, at, xy, size, type="points", **values)
    elif name in ("polygon", "polyline", "line"):
        points = _points(shape)
        if name == "polygon" and points and len(points) > 6 and points[:2] == points[-2:]:
            points, kept["closed"] = points[:-2], True
        type = "polygon" if name == "polygon" else "polyline"
        extra = as_json({"via": kept or None})
        add_points(reading, item, at, points, size, type=type, extra=extra, **values)
    else:
        reading.reject("unknown shape", **at.line(f"{name!r} is no shape of VIA"))


def _ellipse(
    reading: Reading,
    item: int,
    at: At,
    shape: Mapping[str, Any],
    size: tuple[int, int] | None,
    values: dict[str, Any],
) -> None:
    circle = shape.get("name") == "circle"
    radii = ("r", "r") if circle else ("rx", "ry")
    found = numbers(*(shape.get(n) for n in ("cx", "cy", *radii)), shape.get("theta", 0))
    if found is None:
        text = "a coordinate is missing or no number"
        reading.reject("ellipse without numbers", **at.line(text))
        return
    x, y, a, b, theta = found
    box = (x - a, y - b, 2 * a, 2 * b)
    extra = as_json({"via": {"shape": "circle"}}) if circle else None
    rotation = math.degrees(theta) if theta else None
    add_box(
        reading, item, at, box, size, type="ellipse", rotation=rotation, extra=extra, **values
    )  # fmt: skip


def _points(shape: Mapping[str, Any]) -> list[float] | None:
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        return None
    return numbers(*(v for pair in zip(xs, ys, strict=True) for v in pair))


def to_shapes(row: Row, kept: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return an annotation as ``shape_attributes``: one, or one for each of its points."""
    kind = row["type"]
    if kind == "box":
        return [{
            "name": "rect", "x": rounded(row["x"]), "y": rounded(row["y"]),
            "width": rounded(row["w"]), "height": rounded(row["h"]),
        }]  # fmt: skip
    if kind == "ellipse":
        a, b = row["w"] / 2, row["h"] / 2
        made: dict[str, Any] = {
            "name": "ellipse", "cx": rounded(row["x"] + a), "cy": rounded(row["y"] + b),
        }  # fmt: skip
        if kept.get("shape") == "circle" and a == b and not row.get("rotation"):
            return [made | {"name": "circle", "r": rounded(a)}]
        turn = math.radians(row.get("rotation") or 0)
        return [made | {"rx": rounded(a), "ry": rounded(b), "theta": rounded(turn)}]
    xs, ys = [rounded(v) for v in row["points"][::2]], [rounded(v) for v in row["points"][1::2]]
    if kind == "points":
        return [{"name": "point", "cx": x, "cy": y} for x, y in zip(xs, ys, strict=True)]
    if kept.get("closed"):
        xs, ys = [*xs, xs[0]], [*ys, ys[0]]
    return [{"name": kind, "all_points_x": xs, "all_points_y": ys}]
