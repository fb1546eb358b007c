"""One annotation of Datumaro as the columns of a row: its geometry, its attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..coco.segmentation import parse_rles
from ..json_shapes import Row, Unusable, box, is_number, number, polygon
from ..json_values import dumps

__all__ = ["CUBOID", "GEOMETRY", "attributes_of", "geometry_of", "long"]

CUBOID = (0, 3, 6, 7, 1, 2, 5, 4)
"""Datumaro's corner of each of ours: front top left, clockwise, then the back."""

_LONG = 2**63


def _flat(values: Any, what: str, *, least: int, step: int = 2) -> list[float]:
    if not isinstance(values, list) or isinstance(values, str):
        raise Unusable("no points", f"the points of the {what} are {values!r:.80}")
    if values and isinstance(values[0], list):  # [[x, y], ...]
        values = [v for pair in values for v in (pair if isinstance(pair, list) else [pair])]
    if len(values) % step:
        raise Unusable(
            "odd count of coordinates", f"the {what} has {len(values)} numbers, not {step} each"
        )
    if len(values) < step * least:
        raise Unusable(
            "too few points", f"a {what} of {len(values) // step} points; it needs {least}"
        )
    return [number(v) for v in values]


def _bbox(ann: Mapping[str, Any], _: Sequence[str]) -> Row:
    values = ann.get("bbox")
    if not isinstance(values, list) or len(values) != 4:
        raise Unusable("box without four numbers", f"bbox is {values!r:.80}")
    return box(*values)


def _rotated(ann: Mapping[str, Any], _: Sequence[str]) -> Row:
    values = ann.get("points")
    if not isinstance(values, list):
        values = [ann.get(n) for n in ("cx", "cy", "w", "h", "r")]
    if len(values) != 5:
        raise Unusable("rotated box without five numbers", f"its points are {values!r:.80}")
    cx, cy, w, h, r = (number(v) for v in values)
    return {**box(cx - w / 2, cy - h / 2, w, h), "rotation": r}


def _polygon(ann: Mapping[str, Any], _: Sequence[str]) -> Row:
    return polygon([(_flat(ann.get("points"), "polygon", least=3), False)])


def _polyline(ann: Mapping[str, Any], _: Sequence[str]) -> Row:
    return {"type": "polyline", "points": _flat(ann.get("points"), "polyline", least=2)}


def _ellipse(ann: Mapping[str, Any], _: Sequence[str]) -> Row:
    values = _flat(ann.get("points"), "ellipse", least=2)
    if len(values) != 4:
        raise Unusable("ellipse without two corners", f"it has {len(values)} numbers")
    x1, y1, x2, y2 = values
    return {**box(x1, y1, x2 - x1, y2 - y1), "type": "ellipse"}


def _points(ann: Mapping[str, Any], joints: Sequence[str]) -> Row:
    flat = _flat(ann.get("points"), "points", least=1)
    seen = ann.get("visibility")
    count = len(flat) // 2
    if seen is not None and (
        not isinstance(seen, list) or len(seen) != count or any(v not in (0, 1, 2) for v in seen)
    ):
        raise Unusable("visibility is not understood", f"{count} points, visibility {seen!r:.80}")
    shown = [int(v) for v in seen] if seen is not None else [2] * count
    if len(joints) == count and not ann.get("loose"):
        return {"type": "skeleton", "points": flat, "visibility": shown, **_box_of(ann)}
    row: Row = {"type": "points", "points": flat}
    if any(v != 2 for v in shown):
        row["visibility"] = shown
    return row


def _box_of(ann: Mapping[str, Any]) -> Row:
    values = ann.get("bbox")
    if not isinstance(values, list) or len(values) != 4 or not all(map(is_number, values)):
        return {}
    return dict(zip("xywh", map(float, values), strict=True))


def _skeleton(ann: Mapping[str, Any], joints: Sequence[str]) -> Row:
    if isinstance(ann.get("elements"), list):
        return {**_elements(ann["elements"], joints), **_box_of(ann)}
    flat = _flat(ann.get("points"), "skeleton", least=1, step=3)
    seen = flat[2::3]
    if any(v not in (0, 1, 2) for v in seen):
        raise Unusable("visibility is not understood", f"visibility {seen!r:.80}")
    points = [v for i in range(0, len(flat), 3) for v in flat[i : i + 2]]
    return {
        "type": "skeleton", "points": points, "visibility": [int(v) for v in seen], **_box_of(ann)
    }  # fmt: skip


def _elements(elements: Sequence[Any], joints: Sequence[str]) -> Row:
    # One point each, by the name of its joint; `name` was put in by the caller.
    places: dict[int, tuple[list[float], int]] = {}
    for n, element in enumerate(elements):
        if not isinstance(element, dict):
            raise Unusable("skeleton is not understood", f"element {n} is {element!r:.80}")
        xy = _flat(element.get("points"), "element of a skeleton", least=1)
        seen = element.get("visibility")
        shown = seen[0] if isinstance(seen, list) and seen else 2
        if len(xy) != 2 or shown not in (0, 1, 2):
            raise Unusable("skeleton is not understood", f"element {n} is no point")
        name = element.get("name")
        place = joints.index(name) if name in joints else n
        if place in places:
            raise Unusable("skeleton is not understood", f"two elements are joint {place + 1}")
        places[place] = (xy, int(shown))
    count = max(len(joints), *(p + 1 for p in places)) if places else 0
    if not count:
        raise Unusable("no points", "the skeleton has no elements")
    absent = ([0.0, 0.0], 0)
    return {
        "type": "skeleton",
        "points": [v for i in range(count) for v in places.get(i, absent)[0]],
        "visibility": [places.get(i, absent)[1] for i in range(count)],
    }


def _mask(ann: Mapping[str, Any], _: Sequence[str]) -> Row:
    rle = ann.get("rle")
    if not isinstance(rle, dict):
        raise Unusable("mask without run lengths", f"rle is {rle!r:.80}")
    (mask,) = parse_rles([dumps(rle).encode()])
    if mask.problem:
        raise Unusable("mask can't be decoded", mask.problem)
    return {
        "type": "mask", "mask": mask.counts, "mask_height": mask.height, "mask_width": mask.width,
        **_mask_box(mask.counts, mask.height, mask.width),
    }  # fmt: skip


def _mask_box(counts: bytes, height: int, width: int) -> Row:
    from pycocotools import mask as coco_mask

    x, y, w, h = coco_mask.toBbox({"counts": counts, "size": [height, width]}).tolist()
    return {"x": x, "y": y, "w": w, "h": h}


def _cuboid(ann: Mapping[str, Any], _: Sequence[str]) -> Row:
    flat = _flat(ann.get("points"), "cuboid", least=8)
    if len(flat) != 16:
        raise Unusable("cuboid without eight corners", f"it has {len(flat) // 2}")
    return {
        "type": "cuboid", "points": [v for i in CUBOID for v in flat[2 * i : 2 * i + 2]]
    }  # fmt: skip


def _tag(_ann: Mapping[str, Any], _: Sequence[str]) -> Row:
    return {"type": "tag"}


def _caption(ann: Mapping[str, Any], _: Sequence[str]) -> Row:
    if not isinstance(ann.get("caption"), str):
        raise Unusable("caption without a text", f"caption is {ann.get('caption')!r:.80}")
    return {"type": "text", "text": ann["caption"]}


GEOMETRY: Mapping[str, tuple[Callable[[Mapping[str, Any], Sequence[str]], Row], frozenset[str]]] = {
    "bbox": (_bbox, frozenset(("bbox",))),
    "rotated_bbox": (_rotated, frozenset(("points", "cx", "cy", "w", "h", "r"))),
    "polygon": (_polygon, frozenset(("points", "part"))),
    "polyline": (_polyline, frozenset(("points",))),
    "points": (_points, frozenset(("points", "visibility", "bbox", "loose"))),
    "skeleton": (_skeleton, frozenset(("points", "elements", "bbox"))),
    "mask": (_mask, frozenset(("rle",))),
    "ellipse": (_ellipse, frozenset(("points",))),
    "cuboid_2d": (_cuboid, frozenset(("points",))),
    "label": (_tag, frozenset()),
    "caption": (_caption, frozenset(("caption",))),
}
"""Type of Datumaro → what makes columns of it, and the keys that this uses."""


def geometry_of(ann: Mapping[str, Any], joints: Sequence[str]) -> Row:
    """Return the geometry of an annotation; `joints` are those of its label.

    Raises:
        Unusable: it has none that can be used, or no type of ours.
    """
    kind = ann.get("type")
    known = GEOMETRY.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise Unusable(f"{kind!s:.40} is not read", f"there is no type of annotation for {kind!r}")
    return known[0](ann, joints)


def attributes_of(ann: Mapping[str, Any], row: Row) -> dict[str, Any]:
    """Put what CVAT writes among the attributes into columns of `row`; return the others."""
    given = ann.get("attributes")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Unusable("attributes are not an object", f"they are {given!r:.80}")
    rest = dict(given)
    for name in ("occluded", "keyframe", "outside"):
        if isinstance(rest.get(name), bool):
            row[name] = rest.pop(name)
    if is_number(rest.get("score")) and 0 <= rest["score"] <= 1:
        row["score"] = float(rest.pop("score"))
    if row["type"] in ("box", "ellipse") and is_number(rest.get("rotation")):
        turn = float(rest.pop("rotation"))
        if turn and not row.get("rotation"):
            row["rotation"] = turn
    track = rest.get("track_id")
    if isinstance(track, str) or (isinstance(track, int) and not isinstance(track, bool)):
        row["track"] = str(rest.pop("track_id"))
    return rest


def long(value: Any) -> int | None:
    """Return a whole number of 64 bits, None where `value` is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        exact = int(value)
    except (OverflowError, ValueError):
        return None
    return exact if exact == value and -_LONG <= exact < _LONG else None
