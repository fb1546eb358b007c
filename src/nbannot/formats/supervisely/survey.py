"""What an export holds, found out before anything is written: shapes, tags, joints."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...schema import Batch
from ..json_values import dumps

__all__ = ["OWN_TAGS", "Survey", "Tag", "object_of", "several"]

_SHAPES = {
    "box": "rectangle", "ellipse": "polygon", "polygon": "polygon", "polyline": "line",
    "points": "point", "mask": "bitmap", "skeleton": "graph", "cuboid": "cuboid_2d",
}  # fmt: skip
OWN_TAGS = {"confidence": "score", "occluded": "occluded"}
"""Tags of objects that stand for a column."""


@dataclass
class Tag:
    """How a tag is written: the kinds of values that occur, and on what."""

    kinds: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    on_images: bool = False
    on_objects: bool = False

    @property
    def kind(self) -> str:
        """``"none"``, ``"any_number"`` or ``"any_string"``: what holds all values."""
        if self.kinds <= {"none"}:
            return "none"
        return "any_number" if self.kinds == {"any_number"} else "any_string"


@dataclass
class Survey:
    """What an export holds: the shapes of each label, the tags, the joints of skeletons."""

    shapes: dict[str, set[str]] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)
    joints: dict[str, int] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)

    def add(self, batch: Batch) -> None:
        """Look at the items and annotations of a batch."""
        self.kinds |= set(batch.items["kind"].to_pylist())
        names = ("type", "label", "rotation", "rings", "attributes", "score", "occluded", "points")
        for row in batch.annotations.select(names).to_pylist():
            label, kind = row["label"], row["type"]
            values = object_of(row["attributes"])
            if kind == "tag" and label is not None:
                self.tag(label, values.get("value", True), image=True)
                continue
            if label is not None and kind in _SHAPES:
                self.shapes.setdefault(label, set()).add(_shape(row))
            if kind == "skeleton" and label is not None:
                count = len(row["points"] or ()) // 2
                self.joints[label] = max(self.joints.get(label, 0), count)
            for name, value in values.items():
                if not row.get(OWN_TAGS.get(name, "")):
                    self.tag(name, value)
            if row["score"] is not None:
                self.tag("confidence", row["score"])
            if row["occluded"]:
                self.tag("occluded", True)

    def tag(self, name: str, value: Any, *, image: bool = False) -> None:
        """Note a value of a tag."""
        tag = self.tags.setdefault(name, Tag())
        tag.on_images |= image
        tag.on_objects |= not image
        for one in several(value):
            kind = _kind(one)
            tag.kinds.add(kind)
            if kind == "any_string":
                tag.texts.add(one if isinstance(one, str) else dumps(one))


def _shape(row: Mapping[str, Any]) -> str:
    if row["type"] == "box" and row["rotation"]:
        return "oriented_bbox"
    if row["type"] == "polygon" and sum(n > 0 for n in row["rings"] or ()) > 1:
        return "multipolygon"
    return _SHAPES[row["type"]]


def _kind(value: Any) -> str:
    if value is True:
        return "none"
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return "any_number"
    return "any_string"


def several(value: Any) -> list[Any]:
    """Return the values of tags of one name: a list of plain values is several."""
    if isinstance(value, list) and len(value) > 1:
        if all(isinstance(v, str) or _kind(v) != "any_string" for v in value):
            return value
    return [value]


def object_of(text: str | None) -> dict[str, Any]:
    """Return the JSON object of a column, empty where there is none."""
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}
