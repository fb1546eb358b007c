"""The annotations of one item of a Datumaro file, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..json_documents import whole
from ..json_shapes import Row, Unusable, doubts
from ..json_values import dumps
from ..reading import Reading
from .labels import Labels
from .shapes import GEOMETRY, attributes_of, geometry_of, long

__all__ = ["AnnotationReader", "Place"]

_COMMON = frozenset(
    ("id", "type", "attributes", "group", "label_id", "z_order", "object_id", "frame")
)


@dataclass(frozen=True, slots=True)
class Place:
    """An item that was read: its number and key, its size, its frame, its record in the file."""

    number: int
    key: str
    size: tuple[int | None, int | None]
    frame: int | None
    file: str
    where: str


class AnnotationReader:
    """Adds the annotations of one record of an item."""

    def __init__(
        self, reading: Reading, labels: Labels, place: Place, record: Mapping[str, Any]
    ) -> None:
        self._reading, self._labels, self._place = reading, labels, place
        self._where = f"{place.where}.annotations"
        given = record.get("annotations")
        self._given: list[Any] = given if isinstance(given, list) else []
        attr = record.get("attr")
        self._attr_frame = whole(attr.get("frame")) if isinstance(attr, dict) else None
        if given is not None and not isinstance(given, list):
            reading.ledger.note(
                "annotations are no list", file=place.file, where=self._where, item=place.key,
                message=f"{self._where} is {given!r:.60}",
            )  # fmt: skip

    def read(self) -> None:
        """Add them."""
        n = 0
        while n < len(self._given):
            count = self._parts(n)
            self._add(n, count)
            n += count

    def _parts(self, n: int) -> int:
        # How many polygons, from `n` on, are the parts of one: as our writer marks them.
        part = _part(self._given[n])
        if part is None or part[0] != 1:
            return 1
        count = part[1]
        found = [_part(ann) for ann in self._given[n : n + count]]
        return count if found == [(i + 1, count) for i in range(count)] else 1

    def _add(self, n: int, count: int) -> None:
        reading, record = self._reading, f"{self._where}[{n}]"
        ledger = reading.ledger
        try:
            ann = self._given[n]
            if not isinstance(ann, dict):
                raise Unusable("annotation is not an object", f"it is {ann!r:.60}")
            warnings: list[tuple[str, str]] = []
            row = self._row(ann, warnings)
            if count > 1:
                row = self._joined(row, n, count)
        except Unusable as why:
            for i in range(count):
                at = f"{self._where}[{n + i}]"
                reading.reject(why.reason, **self._line(at), message=f"{at}: {why.text}")
            return
        for reason, text in (*warnings, *doubts(row, *self._place.size)):
            reading.warn(reason, **self._line(record), message=f"{record}: {text}")
        ledger.read(count - 1)
        ledger.joined(count - 1)
        reading.annotation(self._place.number, **row)

    def _joined(self, row: Row, n: int, count: int) -> Row:
        rings = [row, *(geometry_of(ann, ()) for ann in self._given[n + 1 : n + count])]
        flat = [v for ring in rings for v in ring["points"]]
        xs, ys = flat[::2], flat[1::2]
        group = self._given[n]["part"].get("group")
        row.pop("group", None)
        if long(group) is not None:
            row["group"] = long(group)
        return {
            **row, "points": flat, "rings": [len(ring["points"]) // 2 for ring in rings],
            "x": min(xs), "y": min(ys), "w": max(xs) - min(xs), "h": max(ys) - min(ys),
        }  # fmt: skip

    def _line(self, record: str) -> dict[str, str]:
        return {
            "file": self._place.file, "where": record, "record": record, "item": self._place.key
        }  # fmt: skip

    def _row(self, ann: dict[str, Any], warnings: list[tuple[str, str]]) -> Row:
        labels = self._labels
        given = ann.get("label_id")
        i = whole(given)
        joints = labels.joints.get(i, ()) if i is not None else ()
        if isinstance(ann.get("elements"), list):
            ann = {**ann, "elements": [self._named(e) for e in ann["elements"]]}
        row = geometry_of(ann, joints)
        kept: dict[str, Any] = {}
        if row["type"] == "skeleton":
            self._skeleton(ann, row, i, joints, warnings)
        elif row["type"] == "mask" and not row["w"]:
            warnings.append(("mask is empty", "no pixel of it is set"))
        height, width = row.get("mask_height"), row.get("mask_width")
        if height and self._place.size[0] and (width, height) != self._place.size:
            text = f"it is {width}x{height}, the image {self._place.size[0]}x{self._place.size[1]}"
            warnings.append(("mask of another size than the image", text))
        if i is not None and i < len(labels.names):
            row["label"] = labels.names[i]
        elif given is not None:
            kept["label_id"] = given
            text = f"label_id {given!r:.40} is not one of {len(labels.names)} labels"
            warnings.append(("label_id is not in categories", f"{text}; it has no label"))
        elif row["type"] == "tag":
            raise Unusable("label without label_id", "it says nothing")
        attributes = attributes_of(ann, row)
        if attributes:
            row["attributes"] = dumps(attributes)
        self._numbers(ann, row, kept, warnings)
        known = GEOMETRY[ann["type"]][1]
        kept.update(
            {k: v for k, v in ann.items()
             if k not in _COMMON and k not in known and v not in (None, [], {})}
        )  # fmt: skip
        if kept:
            row["extra"] = dumps({"datumaro": kept})
        return row

    def _numbers(
        self, ann: Mapping[str, Any], row: Row, kept: dict[str, Any],
        warnings: list[tuple[str, str]],
    ) -> None:  # fmt: skip
        for name, read in (("group", long), ("z_order", _short_int)):
            value = ann.get(name)
            found = read(value)
            if found:
                row[name] = found
            elif found is None and value is not None:
                kept[name] = value
                text = f"{name} is {value!r:.40}; it is kept aside"
                warnings.append((f"{name} is not a whole number", text))
        of = long(ann.get("object_id"))
        if of is not None and of >= 0:
            if "track" not in row:
                row["track"] = str(of)
                kept["object_id"] = True
            elif row["track"] != str(of):
                kept["object_id"] = of
        if ann.get("id") is not None:
            row["source_id"] = str(ann["id"])
        frame = self._attr_frame if "track" in row else None
        frame = self._place.frame if self._place.frame is not None else frame
        frame = whole(ann["frame"]) if "frame" in ann else frame
        if frame is not None:
            row["frame"] = frame

    def _named(self, element: Any) -> Any:
        i = whole(element.get("label_id")) if isinstance(element, dict) else None
        names = self._labels.names
        if i is None or i >= len(names):
            return element
        return {**element, "name": names[i]}

    def _skeleton(
        self, ann: dict[str, Any], row: Row, i: int | None, joints: Sequence[str],
        warnings: list[tuple[str, str]],
    ) -> None:  # fmt: skip
        count = len(row["visibility"])
        if joints and len(joints) != count:
            text = f"{count} points, but the label has {len(joints)} joints; read as points"
            warnings.append(("skeleton of another count of points", text))
            row["type"] = "points"
        elif not joints:
            text = "its label has no joints in categories; read as points"
            warnings.append(("skeleton without joints", text))
            row["type"] = "points"
        if isinstance(ann.get("elements"), list):
            more = [_element_attributes(e) for e in ann["elements"]]
            names = [e.get("name") for e in ann["elements"]]
            order = [names.index(j) if j in names else -1 for j in joints]
            if any(more):
                ann["points_attributes"] = [more[k] if k >= 0 else {} for k in order] or more
        given = ann.get("points_attributes")
        if isinstance(given, list) and not any(given):
            del ann["points_attributes"]


def _element_attributes(element: Mapping[str, Any]) -> dict[str, Any]:
    found = element.get("attributes")
    return found if isinstance(found, dict) else {}


def _part(ann: Any) -> tuple[int, int] | None:
    value = ann.get("part") if isinstance(ann, dict) else None
    if not isinstance(value, dict) or ann.get("type") != "polygon":
        return None
    n, of = whole(value.get("n")), whole(value.get("of"))
    return (n, of) if n and of and of > 1 else None


def _short_int(value: Any) -> int | None:
    found = long(value)
    return found if found is not None and abs(found) < 2**31 else None
