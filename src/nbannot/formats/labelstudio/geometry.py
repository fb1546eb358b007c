"""The value of a Label Studio result, from the columns of a row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ... import geometry
from ...ledger import Ledger
from .brush import encode_brush
from .rows import Place, Row, Rows
from .shapes import Fault, read_png, shape_of

if TYPE_CHECKING:
    from .columns import BatchRows

__all__ = ["Fault", "geometry_of", "outline_as_mask"]

_AS_READ_PX = 1e-6
"""How near a row must be to what its result said for the result to be given back as written."""

_BOX = ("x", "y", "width", "height", "rotation")
_RAW = {  # what a value holds, beside the columns, where these can't give it back exactly
    "box": _BOX, "ellipse": ("x", "y", "radiusX", "radiusY", "rotation"), "mask": ("imageDataURL",),
    "polygon": ("vertices",), "polyline": ("vertices",),
}  # fmt: skip
_NO_SIZE = (
    "the size of the image is not known", "Label Studio's numbers are percent of the image's size"
)  # fmt: skip


def geometry_of(
    rows: BatchRows, i: int, kind: str, extra: Mapping[str, Any], data: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the value of a result of type `kind`, without labels.

    Where the row is still as it was read, that is the value as it was written.

    Raises:
        Fault: Label Studio can't hold it.
    """
    row_type = rows.get(i, "type")
    given = dict(extra.get("value", {}))
    if row_type in ("box", "ellipse", "polygon", "polyline", "points", "mask", "skeleton"):
        if not rows.sized(i):
            raise Fault(*_NO_SIZE)
        raw = _RAW.get(row_type, ())
        rest = {k: v for k, v in given.items() if k not in raw}
        if kind == "videorectangle":
            return {**rest, "sequence": [_keyframe(rows, i)]}
        if any(k in given for k in raw) and _as_read(rows, i, kind, given):
            return given
        return {**_shape(rows, i, kind, extra), **rest}
    if row_type in ("text_span", "time_span"):
        return _span(rows, i, kind, given, data)
    return {**_value(rows, i, kind), **given}


def _shape(rows: BatchRows, i: int, kind: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    row_type = rows.get(i, "type")
    x, y, w, h = rows.percent[i].tolist()
    turn = rows.get(i, "rotation") or 0
    if row_type == "box":
        x, y = rows.corner[i].tolist()
        value = {"x": x, "y": y, "width": w, "height": h, "rotation": turn}
        if kind == "ocrlabels" and rows.get(i, "text") is not None:
            value["ocrtext"] = rows.get(i, "text")
        return _finite(value)
    if row_type == "ellipse":
        return _finite(
            {"x": x + w / 2, "y": y + h / 2, "radiusX": w / 2, "radiusY": h / 2, "rotation": turn}
        )
    if row_type == "mask" or (row_type == "polygon" and _is_compound(rows, i)):
        return {"format": "rle", "rle": encode_brush(mask_of(rows, i))}
    points = rows.points[i]
    if not points:
        raise Fault("it has no points", f"a {row_type} without points")
    if not all(math.isfinite(v) for p in points for v in p):
        raise Fault("not a number", "it has a coordinate that is no finite number")
    if row_type in ("points", "skeleton"):
        return {"x": points[0][0], "y": points[0][1], **({} if extra else {"width": 0.5})}
    if kind.startswith("vector"):
        ids = [f"v{n}" for n in range(len(points))]
        vertices = [
            {"id": own, "x": p[0], "y": p[1], "prevPointId": before, "isBezier": False}
            for own, before, p in zip(ids, [None, *ids], points, strict=False)
        ]
        return {"vertices": vertices, "closed": row_type == "polygon"}
    return {"points": points} if extra else {"points": points, "closed": True}


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    if not all(math.isfinite(v) for v in value.values() if isinstance(v, float)):
        raise Fault("not a number", "it has a coordinate that is no finite number")
    return value


def _is_compound(rows: BatchRows, i: int) -> bool:
    rings = rows.get(i, "rings")
    return rings is not None and len(rings) > 1


def mask_of(rows: BatchRows, i: int) -> Any:
    """Return the mask of a mask, or of a polygon of several rings."""
    if rows.get(i, "type") == "mask":
        return geometry.rle_to_mask(
            rows.get(i, "mask"), rows.get(i, "mask_height"), rows.get(i, "mask_width")
        )
    height, width = int(rows.height[i]), int(rows.width[i])
    return geometry.rings_to_mask(rows.get(i, "points"), rows.get(i, "rings"), height, width)


def outline_as_mask(rows: BatchRows, i: int) -> dict[str, Any]:
    """Return what lets a reader make of a mask the polygon that it was."""
    if not _is_compound(rows, i):
        return {}
    return {"outline": {"points": rows.get(i, "points"), "rings": rows.get(i, "rings")}}


def _as_read(rows: BatchRows, i: int, kind: str, given: Mapping[str, Any]) -> bool:
    # Does reading the value again give the row as it is?
    if "imageDataURL" in given:
        try:
            return bool((read_png(given["imageDataURL"]) == mask_of(rows, i)).all())
        except ValueError:
            return False
    try:
        shape, _, _ = shape_of(kind, given, (float(rows.width[i]), float(rows.height[i])))
    except Fault:
        return False
    if shape.type != rows.get(i, "type"):
        return False
    read = Rows()
    read.add(
        [
            Row(
                0, None, None, shape.type, None, None, None, None, Place("", "", "", ""), 0,
                shape.x, shape.y, shape.w, shape.h, shape.rotation, rows.width[i], rows.height[i],
                shape.points,
            )
        ]
    )  # fmt: skip
    columns = read.flush(Ledger())
    if shape.points is not None:
        pairs = list(zip(columns["points"][0].as_py(), rows.get(i, "points"), strict=False))
        same = len(pairs) == len(rows.get(i, "points")) == 2 * len(shape.points)
        return same and all(abs(a - b) <= _AS_READ_PX for a, b in pairs)
    for name in ("x", "y", "w", "h", "rotation"):
        was, now = columns[name][0].as_py() or 0.0, rows.get(i, name) or 0.0
        if abs(was - now) > _AS_READ_PX:
            return False
    return True


def _keyframe(rows: BatchRows, i: int) -> dict[str, Any]:
    entry = dict(rows.own_extra(i).get("entry", {}))
    box = _shape(rows, i, "videorectangle", {"type": ""})
    was = entry if _as_read(rows, i, "rectangle", entry) else {}
    shown = {} if "enabled" in entry else {"enabled": not rows.get(i, "outside")}
    return {**shown, **entry, **box, **was, "frame": (rows.get(i, "frame") or 0) + 1}


def _span(
    rows: BatchRows, i: int, kind: str, given: dict[str, Any], data: Mapping[str, Any]
) -> dict[str, Any]:
    start, end, text = (rows.get(i, n) for n in ("start", "end", "text"))
    value = dict(given)
    read_as = value.pop("read_as", None)
    if text is not None:
        value["text"] = text
    if start is None or end is None or (read_as == [start, end]):
        return value
    if rows.get(i, "type") == "text_span" and kind == "labels":
        if not given:
            # As a browser counts: in UTF-16 units.
            whole = next((v for v in data.values() if _is_quoted(v, start, end, text)), None)
            if whole is not None:
                value.setdefault("text", whole[int(start) : int(end)])
                start, end = (len(whole[: int(v)].encode("utf-16-le")) // 2 for v in (start, end))
        start, end = int(start), int(end)
    elif kind == "hypertextlabels":
        value["globalOffsets"] = {"start": int(start), "end": int(end)}
        return value
    return {**value, "start": start, "end": end}


def _is_quoted(value: Any, start: float, end: float, text: str | None) -> bool:
    if not isinstance(value, str) or len(value) < end:
        return False
    return text is None or value[int(start) : int(end)] == text


def _value(rows: BatchRows, i: int, kind: str) -> dict[str, Any]:
    label, text, number = (rows.get(i, n) for n in ("label", "text", "number"))
    if kind == "choices":
        return {"choices": [] if label is None else [label]}
    if kind == "taxonomy":
        if label is None:
            return {"taxonomy": []}
        path = _attribute(rows, i, "path")
        same = isinstance(path, list) and "/".join(path) == label
        return {"taxonomy": [path if same else label.split("/")]}
    if kind == "textarea":
        return {"text": [] if text is None else [text]}
    if kind in ("rating", "number"):
        whole = number is not None and float(number).is_integer()
        return {kind: int(number) if whole else number}
    if kind == "datetime":
        return {"datetime": text}
    if kind == "pairwise":
        return {"selected": text}
    if kind == "ranker":
        return {"ranker": _attribute(rows, i, "ranking")}
    return {}


def _attribute(rows: BatchRows, i: int, name: str) -> Any:
    import json

    text = rows.get(i, "attributes")
    found = json.loads(text) if text else None
    return found.get(name) if isinstance(found, dict) else None
