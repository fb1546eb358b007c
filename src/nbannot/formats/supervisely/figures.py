"""The geometry of a figure, in any of the shapes that Supervisely has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...geometry import ring_area
from ..json_shapes import Row, Unusable, bitmap, box, mask, number, pair, points, polygon

__all__ = ["VERTICES", "figure_columns", "shape_of"]

Size = tuple[int | None, int | None]

VERTICES = tuple(
    f"face{n}-{corner}"
    for n in (1, 2)
    for corner in ("topleft", "topright", "bottomright", "bottomleft")
)
"""Names of the corners of a cuboid_2d: the front face, then the back, clockwise."""

_KEYS = {
    "rectangle": "points", "polygon": "points", "line": "points", "point": "points",
    "bitmap": "bitmap", "alpha_mask": "bitmap", "graph": "nodes", "cuboid": "faces",
    "cuboid_2d": "vertices", "oriented_bbox": "angle", "multipolygon": "parts",
}  # fmt: skip
_ALIASES = {"polyline": "line", "keypoints": "graph", "obb": "oriented_bbox"}


def shape_of(figure: Mapping[str, Any], class_shape: str) -> str:
    """Return the shape of a figure: as it says itself, as its class does, or by its keys."""
    for key in ("geometryType", "shape", "type"):
        said = figure.get(key)
        if isinstance(said, str) and said and said != "any":
            said = _ALIASES.get(said, said)
            if _KEYS.get(said, said) in figure or said not in _KEYS:
                return said
    if class_shape in _KEYS and _KEYS[class_shape] in figure:
        return class_shape
    return _by_keys(figure) or class_shape


def _by_keys(figure: Mapping[str, Any]) -> str:
    for key, shape in (
        ("bitmap", "bitmap"), ("nodes", "graph"), ("vertices", "cuboid_2d"), ("faces", "cuboid"),
        ("parts", "multipolygon"), ("angle", "oriented_bbox"),
    ):  # fmt: skip
        if key in figure:
            return shape
    count = len(_exterior(figure)) if "points" in figure else 0
    return {0: "", 1: "point", 2: "rectangle"}.get(count, "polygon")


def figure_columns(figure: Mapping[str, Any], shape: str, nodes: Sequence[str], size: Size) -> Row:
    """Return the columns of a figure; `nodes` are the keys of its class's template.

    ``grey`` is no column: it says whether a mask has more than two values.

    Raises:
        Unusable: it has a shape that is not read, or lacks what its shape needs.
    """
    if shape not in _KEYS:
        name = shape or "figure without a shape"
        raise Unusable(f"{name} can't be read", f"figures of the shape {shape!r} are not read")
    if shape == "rectangle":
        return _corners(_exterior(figure))
    if shape == "oriented_bbox":
        made = _corners(_exterior(figure))
        turn = math.degrees(number(figure.get("angle") or 0, "the angle"))
        return {**made, "rotation": turn or None}
    if shape == "polygon":
        return polygon(_rings(figure.get("points")))
    if shape == "multipolygon":
        parts = figure.get("parts")
        given = parts if isinstance(parts, list) else []
        return polygon([ring for part in given for ring in _rings(part)])
    if shape == "line":
        return {"type": "polyline", "points": points(_exterior(figure), 2, "line")}
    if shape == "point":
        return {"type": "points", "points": points(_exterior(figure), 1, "point")}
    if shape in ("bitmap", "alpha_mask"):
        return _bitmap(figure.get("bitmap"), size)
    if shape == "graph":
        return _graph(figure.get("nodes"), nodes)
    return _cuboid_2d(figure.get("vertices")) if shape == "cuboid_2d" else _cuboid(figure)


def _exterior(figure: Mapping[str, Any]) -> Sequence[Any]:
    given = figure.get("points")
    if isinstance(given, Mapping):
        given = given.get("exterior")
    if not isinstance(given, list):
        raise Unusable("no points", "it has no points.exterior")
    return given


def _corners(exterior: Sequence[Any]) -> Row:
    # Corners are pixels that belong to the box: it ends where the next pixel begins.
    flat = points(exterior, 2, "rectangle")
    if len(flat) != 4:
        raise Unusable("rectangle without two corners", f"it has {len(flat) // 2} points")
    x1, x2 = sorted(flat[0::2])
    y1, y2 = sorted(flat[1::2])
    return box(x1, y1, x2 - x1 + 1, y2 - y1 + 1)


def _rings(given: Any) -> list[tuple[list[float], bool]]:
    if not isinstance(given, Mapping):
        given = {"exterior": given}
    rings = [(points(given.get("exterior"), 3, "polygon"), False)]
    holes = given.get("interior") or []
    if not isinstance(holes, list):
        raise Unusable("no points", f"points.interior is {holes!r:.80}")
    return rings + [(points(hole, 3, "hole"), True) for hole in holes]


def _bitmap(given: Any, size: Size) -> Row:
    if not isinstance(given, Mapping):
        raise Unusable("mask can't be decoded", "it has no bitmap")
    left, top = pair(given.get("origin"), "origin")
    values = bitmap(given.get("data"))
    made = mask(values != 0, round(left), round(top), size)
    made["grey"] = bool(((values != 0) & (values != values.max())).any())
    return made


def _graph(given: Any, nodes: Sequence[str]) -> Row:
    if not isinstance(given, Mapping) or not given:
        raise Unusable("no points", "it has no nodes")
    order = list(nodes) or [str(k) for k in given]
    unknown = [k for k in given if str(k) not in order]
    if unknown:
        text = f"the class's template has no node {unknown[0]!r}"
        raise Unusable("node is not in the class's template", text)
    flat: list[float] = []
    seen: list[int] = []
    for key in order:
        node = given.get(key)
        if node is None:
            flat += [0.0, 0.0]
            seen.append(0)
            continue
        at = node.get("loc") if isinstance(node, Mapping) else None
        flat += pair(at, "node")
        seen.append(1 if node.get("disabled") else 2)
    return {"type": "skeleton", "points": flat, "visibility": seen}


def _cuboid_2d(given: Any) -> Row:
    if not isinstance(given, Mapping):
        raise Unusable("no points", "it has no vertices")
    by_name = all(name in given for name in VERTICES)
    corners = [given[name] for name in VERTICES] if by_name else list(given.values())
    if len(corners) != 8:
        raise Unusable("cuboid without eight corners", f"it has {len(corners)}")
    flat = [
        v for c in corners for v in pair(c.get("loc") if isinstance(c, Mapping) else c, "corner")
    ]
    return {"type": "cuboid", "points": flat}


def _cuboid(figure: Mapping[str, Any]) -> Row:
    # Seven corners and three faces: the front, and two that share an edge with it. The eighth
    # corner is hidden; where the faces are parallelograms it lies as computed here.
    flat = np.asarray(points(_exterior(figure), 7, "cuboid")).reshape(-1, 2)
    faces = figure.get("faces")
    try:
        picked = [[int(i) for i in face] for face in faces or ()]
        front = picked[0]
        if len(picked) != 3 or any(len(set(f)) != 4 for f in picked) or min(map(min, picked)) < 0:
            raise ValueError
        corners = {i: flat[i] for face in picked for i in face}
    except (TypeError, ValueError, IndexError):
        raise Unusable("cuboid without three faces", f"its faces are {faces!r:.80}") from None
    behind: dict[int, Any] = {}
    for face in picked[1:]:
        for k, corner in enumerate(face):
            other = face[(k + 1) % 4]
            if corner in front and other not in front:
                behind.setdefault(corner, corners[other])
            if other in front and corner not in front:
                behind.setdefault(other, corners[corner])
    hidden = [c for c in front if c not in behind]
    if len(hidden) != 1:
        raise Unusable("cuboid without three faces", "its faces do not share edges with the front")
    at = front.index(hidden[0])
    before, after, across = (front[(at + k) % 4] for k in (3, 1, 2))
    behind[hidden[0]] = behind[before] + behind[after] - behind[across]
    order = _clockwise([corners[i] for i in front])
    both = [corners[front[k]] for k in order] + [behind[front[k]] for k in order]
    return {"type": "cuboid", "points": [float(v) for xy in both for v in xy]}


def _clockwise(face: Sequence[Any]) -> list[int]:
    # The order in which the corners of a face come clockwise, from the top left.
    order = [0, 1, 2, 3] if ring_area(np.asarray(face)) >= 0 else [0, 3, 2, 1]
    start = min(range(4), key=lambda k: float(sum(face[order[k]])))
    return order[start:] + order[:start]
