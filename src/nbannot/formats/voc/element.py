"""Pieces of a Pascal VOC annotation file, as text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ... import geometry

__all__ = ["INVALID", "TAG", "attribute", "element", "json_object", "number", "shape"]

INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that XML 1.0 can't hold."""

TAG = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
"""A name that is an element's."""

_CVAT_NAMES = ("rotation", "track_id", "keyframe", "outside")

Row = dict[str, Any]


def json_object(row: Row, name: str) -> dict[str, Any]:
    """Return the JSON object in a column of a row, {} where there is none."""
    text = row.get(name)
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def shape(row: Row, depth: int, *, polygon: bool = False, one_based: bool = False) -> list[str]:
    """Return ``<bndbox>``, and ``<robndbox>`` or ``<polygon>`` where a row is more than that."""
    if row["type"] == "polygon":
        given = json_object(row, "extra").get("bndbox")
        x, y, w, h = given or geometry.bounds(row["points"], [0, len(row["points"])])[0].tolist()
    else:
        x, y, w, h = row["x"], row["y"], row["w"], row["h"]
    sides = (x, y, _far(x, w), _far(y, h))
    more = []
    if row["type"] == "box" and row.get("rotation"):
        corners = geometry.box_corners([[x, y, w, h]], [row["rotation"]])[0]
        sides = (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
        turned = (x + w / 2, y + h / 2, w, h, math.radians(row["rotation"]))
        more.append(_numbers("robndbox", ("cx", "cy", "w", "h", "angle"), turned, depth))
    elif polygon:
        names = [f"{axis}{n}" for n in range(1, len(row["points"]) // 2 + 1) for axis in "xy"]
        points = [v + 1 for v in row["points"]] if one_based else row["points"]
        more.append(_numbers("polygon", names, points, depth))
    if one_based:
        sides = (sides[0] + 1, sides[1] + 1, *sides[2:])
    return [_numbers("bndbox", ("xmin", "ymin", "xmax", "ymax"), sides, depth), *more]


def _numbers(tag: str, names: Sequence[str], values: Sequence[float], depth: int) -> str:
    named = {name: number(value) for name, value in zip(names, values, strict=True)}
    return element(tag, named, depth)


def _far(start: float, size: float) -> float:
    # The number from which a reader gets `size` back: start + size, or the one next to it.
    far = start + size
    for value in (far, math.nextafter(far, math.inf), math.nextafter(far, -math.inf)):
        if value - start == size:
            return value
    return far


def number(value: float) -> str:
    """Return a number so that it is read back as it is, a whole one without a point."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _escape(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return INVALID.sub("\ufffd", text.replace("\r", "&#13;"))


def element(tag: str, value: Any, depth: int = 1) -> str:
    """Return an element as text: of a text or number, a dict of children, or a list of them."""
    if not TAG.fullmatch(tag):
        return ""
    if isinstance(value, list):
        return "".join(element(tag, v, depth) for v in value)
    indent = "  " * depth
    if isinstance(value, Mapping):
        inner = "".join(element(t, v, depth + 1) for t, v in value.items())
        return f"{indent}<{tag}>\n{inner}{indent}</{tag}>\n"
    return f"{indent}<{tag}>{_escape(str(value))}</{tag}>\n"


def attribute(name: str, value: Any, *, own: bool = False) -> str:
    """Return one of CVAT's attributes; `own` ones are those that CVAT writes of itself.

    ``type=`` tells our reader what other readers take for text anyway.
    """
    kind = ""
    if not isinstance(value, str):
        kind, value = ' type="json"', json.dumps(value, ensure_ascii=False)
    elif name in _CVAT_NAMES and not own:
        kind = ' type="text"'
    return (
        f"      <attribute>\n        <name>{_escape(name)}</name>\n"
        f"        <value{kind}>{_escape(value)}</value>\n      </attribute>\n"
    )
