"""One annotation file of Pascal VOC, as rows."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from ...errors import BrokenFileError
from ...ledger import Ledger
from ...schema import BatchBuilder

__all__ = [
    "DEFAULT", "ONE_BASED", "REAL_VOC", "AnnotationFile", "add_objects", "is_one_based",
    "meta_json", "object_name", "parse_annotation_file",
]  # fmt: skip

ONE_BASED = " (1-based)"
"""What we add to ``<source><database>`` where we write corners 1-based."""

REAL_VOC = re.compile(r"The VOC20\d\d Database")
"""``<source><database>`` of the files of the challenge itself: 1-based, inclusive corners."""

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_FLAGS = {"0": False, "1": True, "false": False, "true": True}
_KNOWN = frozenset(
    ("name", "bndbox", "robndbox", "polygon", "point", "part", "actions", "attributes", "type",
     "occluded", "difficult", "truncated", "pose", "score", "confidence")
)  # fmt: skip
_HEADER = frozenset(("filename", "size", "object", "segmented"))
DEFAULT: dict[str, Any] = {"folder": "JPEGImages", "source": {"database": "Unknown"}}
"""What `voc_write` says in the head of a file where nothing is known: it is not kept."""


def meta_json(said: Iterable[tuple[str, Any]]) -> str | None:
    """Return what is worth keeping of what the head of a file says, as JSON; None for nothing."""
    meta = {k: v for k, v in said if v and v != DEFAULT.get(k)}
    return json.dumps({"voc": meta}, ensure_ascii=False) if meta else None


def is_one_based(database: str, chosen: str) -> bool:
    """Say whether corners are 1-based; `chosen` is the option, ``"auto"``, ``"yes"``, ``"no"``."""
    real = REAL_VOC.fullmatch(database) is not None or database.endswith(ONE_BASED)
    return chosen == "yes" or (chosen == "auto" and real)


@dataclass
class AnnotationFile:
    """The root of a parsed file, and what its head says."""

    root: Element
    filename: str
    width: int | None
    height: int | None
    one_based: bool
    problems: list[tuple[str, str]] = field(default_factory=list)

    @cached_property
    def objects(self) -> list[Element]:
        """The ``<object>`` elements."""
        return self.root.findall("object")

    @property
    def names(self) -> list[str | None]:
        """The names of the objects."""
        return [object_name(element) for element in self.objects]

    @property
    def meta(self) -> str | None:
        """What the head says beyond name and size, for `ITEMS.meta`."""
        found = {e.tag: _plain(e) for e in self.root if e.tag not in _HEADER}
        depth = (self.root.findtext("size/depth") or "").strip()
        return meta_json((*found.items(), ("depth", depth)))


def parse_annotation_file(data: bytes, one_based: str) -> AnnotationFile:
    """Parse an annotation file; `one_based` is ``"auto"``, ``"yes"`` or ``"no"``.

    Entities, document types and external references are refused.

    Raises:
        BrokenFileError: it is not XML, declares entities or a document type, or is not VOC's.
    """
    root = _parse(data)
    if root.tag != "annotation":
        raise BrokenFileError(f"Its root is <{root.tag}>, not <annotation>")
    database = (root.findtext("source/database") or "").strip()
    filename = (root.findtext("filename") or "").strip()
    file = AnnotationFile(root, filename, None, None, is_one_based(database, one_based))
    size = root.find("size")
    if size is not None:
        given = [(size.findtext(side) or "").strip() for side in ("width", "height")]
        numbers = [_number(text) for text in given]
        if all(n is not None and 0 < n < 2**31 for n in numbers):
            file.width, file.height = (int(n) for n in numbers if n is not None)
        elif any(given):
            file.problems.append(
                (
                    "declared size is none",
                    f"declared as {given[0]}x{given[1]}; the image's own counts",
                )
            )
    for element in root:
        if element.tag.endswith("XInclude}include"):
            file.problems.append(("an inclusion is not followed", "<xi:include> is left out"))
    return file


def _parse(data: bytes) -> Element:
    # Entities can only be declared in a document type. A file without one goes to the fast
    # parser; what may have one (or is UTF-16, where the search would miss it), to defusedxml.
    try:
        if b"<!DOCTYPE" in data or b"\0" in data:
            root: Element = defusedxml.ElementTree.fromstring(data, forbid_dtd=True)
            return root
        return ET.fromstring(data)  # noqa: S314
    except DefusedXmlException as error:
        kind = "a document type or entities"
        raise BrokenFileError(f"The file declares {kind}, which is refused") from error
    except ParseError as error:
        line, column = error.position
        raise BrokenFileError(
            f"The file is not XML: {error}", where=f"line {line}, column {column}"
        ) from error
    except (ValueError, LookupError) as error:  # an encoding that Python does not know
        raise BrokenFileError(f"The file is not XML: {error}") from error


def object_name(element: Element) -> str | None:
    """Return the name of an object or part, None where it has none."""
    # Kept as written, but for the line breaks of a pretty printer.
    name = element.findtext("name") or ""
    return (name.strip() if "\n" in name else name) or None


def add_objects(
    file: AnnotationFile,
    path: str,
    item: int,
    key: str,
    grouped: Collection[int],
    builder: BatchBuilder,
    ledger: Ledger,
) -> None:
    """Add a row for each object and part of a file; those numbered in `grouped` get a group."""
    rows = _Rows(file, path, item, key, builder, ledger)
    for number, element in enumerate(file.objects, 1):
        rows.object(number, element, in_group=number in grouped)


class _Bad(Exception):  # noqa: N818  not a fault: the reason to reject a record
    """Why a record can't be read: the reason that groups, and the sentence."""


@dataclass(slots=True)
class _Rows:
    file: AnnotationFile
    path: str
    item: int
    key: str
    builder: BatchBuilder
    ledger: Ledger

    def object(self, number: int, element: Element, *, in_group: bool) -> None:
        record = f"object {number}"
        self.ledger.read()
        parts = element.findall("part")
        name = object_name(element)
        group = number if parts or in_group else None
        common: dict[str, Any] = {"label": name, "group": group}
        try:
            shapes = list(self._shapes(element))
            common.update(self._properties(element))
        except _Bad as bad:
            self._say("reject", record, *bad.args)
        else:
            if len(shapes) > 1:
                self.ledger.split(len(shapes) - 1)
                self._say("warn", record, "object with several boxes", f"{len(shapes)} are kept")
            if name is None:
                self._say("warn", record, "object without name", "it has no label")
            for shape in shapes:
                row = {**common, **_joined(common, shape)}
                if row["type"] != "box":
                    row.pop("rotation", None)
                self._add(record, row)
        for n, part in enumerate(parts, 1):
            self._part(f"{record} part {n}", part, number)

    def _part(self, record: str, element: Element, group: int) -> None:
        self.ledger.read()
        box = element.find("bndbox")
        try:
            if box is None:
                raise _Bad("part without bndbox", "it says nothing of where it is")
            shape = self._box(box)
        except _Bad as bad:
            self._say("reject", record, *bad.args)
            return
        extra = json.dumps({"part": True})
        self._add(record, {"label": object_name(element), "group": group, "extra": extra, **shape})

    def _add(self, record: str, row: dict[str, Any]) -> None:
        width, height = self.file.width, self.file.height
        if row.get("w") is not None:
            if not (row["w"] and row["h"]):
                self._say("warn", record, "box without area", f"it is {row['w']:g}x{row['h']:g}")
            elif width and height and not row.get("rotation"):
                right, bottom = row["x"] + row["w"], row["y"] + row["h"]
                if row["x"] < 0 or row["y"] < 0 or right > width or bottom > height:
                    self._say(
                        "warn",
                        record,
                        "box reaches outside the image",
                        f"({row['x']:g}, {row['y']:g}) to ({right:g}, {bottom:g}) in an image of "
                        f"{width}x{height}; kept as given",
                    )
        self.builder.annotation(self.item, **row)

    def _say(self, how: str, record: str, reason: str, message: str) -> None:
        getattr(self.ledger, how)(
            reason, file=self.path, record=record, item=self.key, message=f"{record}: {message}"
        )

    # -- shapes -----------------------------------------------------------------------

    def _shapes(self, element: Element) -> Iterator[dict[str, Any]]:
        boxes = element.findall("bndbox")
        turned, polygon, point = (element.find(t) for t in ("robndbox", "polygon", "point"))
        if turned is not None:
            yield self._turned(turned)
        elif polygon is not None and len(polygon):
            yield self._polygon(polygon, boxes)
        elif boxes:
            for box in boxes:
                yield self._box(box)
        elif point is not None:
            yield {"type": "points", "points": self._numbers(point, ("x", "y"))}
        else:
            raise _Bad("object without bndbox", "it says nothing of where it is")

    def _box(self, element: Element) -> dict[str, Any]:
        left, top, right, bottom = self._numbers(element, _SIDES)
        if right < left or bottom < top:
            low, high = ("xmin", "xmax") if right < left else ("ymin", "ymax")
            raise _Bad(
                "corners in the wrong order",
                f"{low} is greater than {high}: ({left:g}, {top:g}) to ({right:g}, {bottom:g})",
            )
        if self.file.one_based:
            left, top = left - 1, top - 1
        return {"type": "box", "x": left, "y": top, "w": right - left, "h": bottom - top}

    def _turned(self, element: Element) -> dict[str, Any]:
        cx, cy, w, h, angle = self._numbers(element, ("cx", "cy", "w", "h", "angle"))
        exact = math.degrees(angle)
        rounded = round(exact, 9)  # 30, not 29.999999999999996, where both are the same angle
        degrees = rounded if math.radians(rounded) == angle else exact
        return {"type": "box", "x": cx - w / 2, "y": cy - h / 2, "w": w, "h": h,
                "rotation": degrees}  # fmt: skip

    def _polygon(self, element: Element, boxes: list[Element]) -> dict[str, Any]:
        count = sum(e.tag.startswith("x") for e in element)
        names = [f"{axis}{n}" for n in range(1, count + 1) for axis in "xy"]
        if count < 3 or len(element) != 2 * count:
            raise _Bad("polygon not understood", "it needs x1, y1, x2, y2 ... of 3 points or more")
        points = self._numbers(element, names)
        points = [v - self.file.one_based for v in points]
        xs, ys = points[::2], points[1::2]
        row = {"type": "polygon", "points": points, "x": min(xs), "y": min(ys),
               "w": max(xs) - min(xs), "h": max(ys) - min(ys)}  # fmt: skip
        given = [self._box(box) for box in boxes]
        if len(given) == 1 and any(given[0][k] != row[k] for k in "xywh"):
            row["extra"] = json.dumps({"bndbox": [given[0][k] for k in "xywh"]})
        return row

    def _numbers(self, element: Element, names: Any) -> list[float]:
        out = []
        for name in names:
            text = element.findtext(name)
            value = _number(text)
            if value is None:
                said = "is missing" if text is None else f"is {text.strip()!r}"
                raise _Bad("coordinate is not a number", f"<{element.tag}><{name}> {said}")
            out.append(value)
        return out

    # -- everything else --------------------------------------------------------------

    def _properties(self, element: Element) -> dict[str, Any]:
        row: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        for tag, default in (("pose", "Unspecified"), ("truncated", False), ("difficult", False)):
            text = (element.findtext(tag) or "").strip()
            value = text if tag == "pose" else _FLAGS.get(text.lower(), text)
            if text and value != default:  # VOC's defaults say nothing
                attributes[tag] = value
        occluded = (element.findtext("occluded") or "").strip()
        if occluded.lower() in _FLAGS:
            row["occluded"] = _FLAGS[occluded.lower()]
        elif occluded:
            attributes["occluded"] = occluded
        for action in element.findall("actions/*"):
            text = (action.text or "").strip()
            attributes[action.tag] = _FLAGS.get(text, text)
        for attribute in element.findall("attributes/attribute"):
            self._attribute(attribute, row, attributes)
        if attributes:
            row["attributes"] = json.dumps(attributes, ensure_ascii=False)
        other: dict[str, Any] = {e.tag: _plain(e) for e in element if e.tag not in _KNOWN}
        for tag in ("confidence", "score"):
            said = element.findtext(tag)
            score = _number(said)
            if score is not None and 0 <= score <= 1:
                row["score"] = score
            elif said is not None:
                other[tag] = said
        point = element.find("point")
        if point is not None and element.find("bndbox") is not None:
            other["point"] = _plain(point)
        if other:
            row["extra"] = json.dumps({"elements": other}, ensure_ascii=False)
        return row

    def _attribute(self, element: Element, row: dict[str, Any], attributes: dict[str, Any]) -> None:
        name, value = element.findtext("name") or "", element.find("value")
        text = "" if value is None else value.text or ""
        kind = "" if value is None else value.get("type", "")
        # CVAT writes these of its own among a user's attributes.
        if not kind and name == "rotation" and _number(text) is not None:
            degrees = _number(text)
            if degrees:
                row["rotation"] = degrees
        elif not kind and name == "track_id":
            row["track"] = text
        elif not kind and name in ("keyframe", "outside") and text.lower() in _FLAGS:
            row[name] = _FLAGS[text.lower()]
        elif kind == "json":
            try:
                attributes[name] = json.loads(text)
            except ValueError as error:
                raise _Bad("attribute is not JSON", f"{name}: {error}") from None
        else:
            attributes[name] = text


def _joined(common: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    # Both the object and its shape may have something extra.
    if "extra" in common and "extra" in shape:
        both = json.loads(common["extra"]) | json.loads(shape["extra"])
        return {**shape, "extra": json.dumps(both, ensure_ascii=False)}
    return shape


def _number(text: str | None) -> float | None:
    if text is None or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _plain(element: Element, depth: int = 4) -> Any:
    """Return an element as text, or as a dict of its children; repeated children as a list."""
    if not len(element) or not depth:
        return (element.text or "").strip()
    out: dict[str, Any] = {}
    for child in element:
        value = _plain(child, depth - 1)
        if child.tag in out:
            before = out[child.tag]
            out[child.tag] = [*(before if isinstance(before, list) else [before]), value]
        else:
            out[child.tag] = value
    return out
