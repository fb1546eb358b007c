"""One ``<object>`` of LabelMe's XML as the columns of a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from ...errors import BrokenFileError
from ..json_shapes import Row, Unusable, number, polygon
from ..json_values import dumps
from .attributes import parse_attributes

__all__ = ["Object", "objects_of", "parse", "text_of"]

_HINT = "Export or download it again."
_KNOWN = frozenset(
    ("name", "deleted", "occluded", "attributes", "parts", "id", "type", "polygon", "segm")
)  # fmt: skip


def parse(data: bytes, file: str) -> Element:
    """Return the root of an XML file; document types and entities are refused.

    Raises:
        BrokenFileError: it is not XML, or declares a document type.
    """
    try:
        root: Element = defusedxml.ElementTree.fromstring(data, forbid_dtd=True)
    except DefusedXmlException:
        raise BrokenFileError(
            "The file declares a document type or entities, which is refused", where=file
        ) from None
    except ParseError as error:
        line, column = error.position
        raise BrokenFileError(
            f"The file is not XML: {str(error).partition(':')[0]}",
            where=f"{file}, line {line}, column {column}", hint=_HINT,
        ) from None  # fmt: skip
    except (ValueError, LookupError) as error:  # an encoding that Python does not know
        raise BrokenFileError(f"The file is not XML: {error}", where=file) from None
    return root


def text_of(element: Element | None, path: str) -> str:
    """Return the text of an element under another, stripped; "" where there is none."""
    return ((element.findtext(path) if element is not None else "") or "").strip()


@dataclass(slots=True)
class Object:
    """An object: its id, whether it was deleted, its parent and its parts, the element itself."""

    element: Element
    id: str
    deleted: bool
    parent: str
    parts: list[str]
    group: int | None = None
    warnings: list[tuple[str, str]] = field(default_factory=list)

    @property
    def mask(self) -> str:
        """Name of the image of its mask; "" where it is a polygon."""
        if self.element.find("polygon") is not None:
            return ""
        return text_of(self.element, "segm/mask")

    def figure(self) -> Row:
        """Return the columns of its geometry, unless it is a mask.

        Raises:
            Unusable: it has none that can be used.
        """
        found = self.element.find("polygon")
        if found is None:
            if self.element.find("segm") is not None:
                raise Unusable("mask without a name", "its segm names no mask")
            raise Unusable("object without polygon", "it has neither polygon nor segm")
        flat = [
            number(text_of(pt, axis) or None, f"{axis} of a point")
            for pt in found.iter("pt")
            for axis in ("x", "y")
        ]
        count = len(flat) // 2
        if not count:
            raise Unusable("no points", "its polygon has no pt")
        if text_of(self.element, "type") == "bounding_box":
            xs, ys = flat[::2], flat[1::2]
            return {"type": "box", "x": min(xs), "y": min(ys), "w": max(xs) - min(xs),
                    "h": max(ys) - min(ys)}  # fmt: skip
        if count > 2:
            return polygon([(flat, False)])
        kind = "points" if count == 1 else "polyline"
        self.warnings.append(
            ("polygon of one or two points", f"{count} points; it is read as {kind}")
        )
        return {"type": kind, "points": flat}

    def columns(self) -> Row:
        """Return the columns beside geometry."""
        row: Row = {"source_id": self.id} if self.id else {}
        name = text_of(self.element, "name")
        if name:
            row["label"] = name
        else:
            self.warnings.append(("object without a name", "it has no label"))
        occluded = text_of(self.element, "occluded").lower()
        if occluded in ("yes", "no"):
            row["occluded"] = occluded == "yes"
        attributes = parse_attributes(text_of(self.element, "attributes"))
        if attributes:
            row["attributes"] = dumps(attributes)
        if self.group is not None:
            row["group"] = self.group
        kept = dict(self._kept())
        if kept:
            row["extra"] = dumps({"labelme-xml": kept})
        return row

    def _kept(self) -> Iterator[tuple[str, Any]]:
        for place in ("polygon", "segm"):
            user = text_of(self.element, f"{place}/username")
            if user:
                yield "username", user
        if self.group is not None and self.parent:
            yield "parent", self.parent
        texts = {
            e.tag: (e.text or "").strip()
            for e in self.element
            if e.tag not in _KNOWN and not len(e) and (e.text or "").strip()
        }
        if texts.get("verified") == "0":
            del texts["verified"]
        if texts:
            yield "elements", texts


def objects_of(root: Element) -> list[Object]:
    """Return the objects of a file; those that are parts of each other have one group.

    The group is the number of the whole: its id, where that is a number.
    """
    found = []
    for element in root.iter("object"):
        parts = [p.strip() for p in text_of(element, "parts/hasparts").split(",")]
        found.append(
            Object(
                element,
                text_of(element, "id"),
                text_of(element, "deleted") not in ("", "0", "false"),
                text_of(element, "parts/ispartof").partition(",")[0].strip(),
                [p for p in parts if p],
            )
        )
    _set_groups(found)
    return found


def _set_groups(objects: list[Object]) -> None:
    by_id = {o.id: o for o in objects if o.id and not o.deleted}
    for one in objects:
        for part in one.parts:
            if part in by_id and not by_id[part].parent and by_id[part] is not one:
                by_id[part].parent = one.id
    leaders: dict[str, list[Object]] = {}
    for one in by_id.values():
        leader, seen = one, {one.id}
        while leader.parent in by_id and leader.parent not in seen:
            leader = by_id[leader.parent]
            seen.add(leader.id)
        if leader.parent in seen:  # parts of each other, in a circle
            leader = by_id[min(seen)]
        leaders.setdefault(leader.id, []).append(one)
    taken = {int(i) for i in leaders if i.isdecimal() and len(i) < 19}
    free = max(taken, default=0) + 1
    for leader_id, members in leaders.items():
        if len(members) < 2:
            continue
        if leader_id.isdecimal() and len(leader_id) < 19:
            group = int(leader_id)
        else:
            group, free = free, free + 1
        for member in members:
            member.group = group
