"""Writing Pascal VOC: a devkit folder, as VOC2012, CVAT and Datumaro lay it out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ...ledger import Ledger
from ...media.kinds import suffix
from ...progress import Progress
from ...schema import DEFAULT_SUBSET, Batch
from ..writing import Export, Sink, safe_path
from .element import INVALID, TAG, attribute, element, json_object, number, shape
from .layout import image_stem
from .masks import encode_mask
from .paint import Palette, paint
from .xml import DEFAULT, ONE_BASED, REAL_VOC

__all__ = ["VocWriter"]

_HOLDS = ("box", "polygon", "mask")
_NO_PLACE = ("layer", "set")  # columns whose loss changes what a record means

Row = dict[str, Any]


@dataclass(slots=True)
class _Item:
    """An item on its way out: its columns, its rows, the name of its files without suffix."""

    row: Row
    rows: list[Row]
    key: str
    name: str = ""
    xml: str = ""


@dataclass(slots=True)
class VocWriter:
    """One export. Names of XML files are unique over all subsets, since they share a folder."""

    export: Export
    sink: Sink
    polygons_as_masks: bool
    one_based: bool
    ledger: Ledger
    progress: Progress
    _palette: Palette = field(init=False)
    _names: set[str] = field(default_factory=set)
    _parts: dict[str, dict[str, None]] = field(default_factory=dict)
    _actions: dict[str, tuple[str, ...]] = field(init=False)
    _unkept: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._palette = Palette(self.export.labels)
        self._actions = {
            label.name: tuple(label.extra.get("actions", ())) for label in self.export.labels
        }
        for label in self.export.labels:
            for part in label.extra.get("parts", ()):
                self._parts.setdefault(label.name, {})[part] = None

    def write(self) -> None:
        """Write everything; see `Voc.write`."""
        in_folders = self._needs_folders()
        self.progress.start("Writing Pascal VOC", unit="images")
        for subset in self.export.subsets:
            folder = f"{safe_path(subset or DEFAULT_SUBSET)}/" if in_folders else ""
            names: list[str] = []
            painted: list[str] = []
            for batch in self.export.batches(subset):
                for item in self._items(batch, folder):
                    if self._item(item, folder):
                        painted.append(item.name)
                    names.append(item.name)
                    self.progress.advance()
            file = f"{safe_path(subset or DEFAULT_SUBSET)}.txt"
            self.sink.write(f"ImageSets/Main/{file}", _listing(names))
            if painted:
                self.sink.write(f"ImageSets/Segmentation/{file}", _listing(painted))
        self.sink.write("labelmap.txt", self._palette.labelmap(self._parts, self._actions))
        for name in self._palette.undeclared:
            self.ledger.note("label not in labelmap.txt", message=f"{name!r} can't be a line of it")
        for what, count in self._unkept.items():
            self.ledger.note("no place in Pascal VOC", message=f"{what} of {count:,} records")

    def _needs_folders(self) -> bool:
        # All subsets share the folders; where that would mix them up, each gets its own in them.
        if len(self.export.subsets) < 2:
            return False
        owner: dict[str, str] = {}
        all_inside = True
        for subset in self.export.subsets:
            for batch in self.export.batches(subset):
                for key in batch.items["key"].to_pylist():
                    if owner.setdefault(image_stem(key), subset) != subset:
                        return True
                    all_inside = all_inside and key.startswith(f"{subset}/")
        return all_inside and bool(owner)

    # -- items ------------------------------------------------------------------------

    def _items(self, batch: Batch, folder: str) -> Iterator[_Item]:
        by_item: dict[int, list[Row]] = {}
        for row in _rows(batch.annotations):
            by_item.setdefault(row["item"], []).append(row)
        for row in _rows(batch.items):
            item = _Item(row, by_item.get(row["item"], []), safe_path(row["key"]))
            problem = self._problem(row)
            if problem:
                self._reject_item(item, *problem)
                continue
            item.name, item.xml = self._free_name(f"{folder}{item.key}")
            for name in ("data", "uri", "source_id"):
                self._count(f"{name} of items", row.get(name) is not None)
            yield item

    def _problem(self, row: Row) -> tuple[str, str] | None:
        if row["kind"] != "image":
            return "not an image", f"it is of kind {row['kind']}"
        if "\n" in row["key"] or INVALID.search(row["key"]):
            return "name can't be written", "XML and lists can't hold its characters"
        return None

    def _reject_item(self, item: _Item, reason: str, message: str) -> None:
        for n in range(len(item.rows) + 1):
            record = f"annotation {n}" if n else "image"
            self.ledger.reject(reason, file=item.key, record=record, item=item.key, message=message)

    def _free_name(self, path: str) -> tuple[str, str]:
        stem = image_stem(path)
        name, n = stem, 0
        while name in self._names:  # a.jpg and a.png: the second is a.png.xml
            name = path if not n else f"{path}-{n + 1}"
            n += 1
        self._names.add(name)
        return name, f"Annotations/{name}.xml"

    def _item(self, item: _Item, folder: str) -> bool:
        """Write one item; return whether it has masks."""
        image = f"{folder}{item.key}"
        if self.sink.saves_media:
            end = suffix(item.row.get("media") or "")
            if image_stem(image) == image and end:
                image += end
                text = f"the image is {image}: without {end} no reader would find it"
                self.ledger.warn(
                    "suffix added", file=item.xml, record="image", item=item.key, message=text
                )
            self.sink.add_media(f"JPEGImages/{image}", item.row["item"])
        objects, painted = self._objects(item)
        masks = paint(
            painted,
            (item.row.get("width"), item.row.get("height")),
            len(objects),
            self._palette,
            lambda how, row, reason, text: self._say(item, how, row, reason, text),
        )
        if masks is not None:
            classes, instances = masks
            colors = self._palette.colors
            self.sink.write(f"SegmentationClass/{item.name}.png", encode_mask(classes, colors))
            self.sink.write(f"SegmentationObject/{item.name}.png", encode_mask(instances))
        self.sink.write(item.xml, self._xml(item, image, objects, masked=masks is not None))
        return masks is not None

    def _xml(self, item: _Item, image: str, objects: Sequence[str], *, masked: bool) -> str:
        known = json.loads(item.row.get("meta") or "{}").get("voc", {})
        head: dict[str, Any] = {**DEFAULT, **known}
        head.pop("filename", None)
        depth = head.pop("depth", None)
        folder = head.pop("folder")
        source = head.pop("source")
        if isinstance(source, dict):
            source = {**source, "database": self._database(str(source.get("database", "")))}
        width, height = item.row.get("width"), item.row.get("height")
        size = "".join(
            element(tag, value, 2)
            for tag, value in (("width", width), ("height", height), ("depth", depth))
            if value is not None
        )
        return "".join(
            (
                "<annotation>\n",
                element("folder", folder),
                element("filename", image),
                element("source", source),
                *(element(tag, value) for tag, value in head.items()),
                f"  <size>\n{size}  </size>\n" if size else "",
                element("segmented", int(masked)),
                *objects,
                "</annotation>\n",
            )
        )

    def _database(self, name: str) -> str:
        # By its name a reader knows the challenge's own files, which are 1-based.
        if self.one_based:
            return name if REAL_VOC.fullmatch(name) else name.removesuffix(ONE_BASED) + ONE_BASED
        return f"{name}, 0-based" if REAL_VOC.fullmatch(name) else name.removesuffix(ONE_BASED)

    # -- annotations ------------------------------------------------------------------

    def _objects(self, item: _Item) -> tuple[list[str], list[tuple[Row, int]]]:
        """Return the objects as XML, and what is to be painted with its object's number, or 0."""
        kept = [row for row in item.rows if self._keeps(item, row)]
        groups: dict[int, list[Row]] = {}
        for row in kept:
            if row.get("group") is not None:
                groups.setdefault(row["group"], []).append(row)
        parts = self._find_parts(groups)
        drawn = [
            r for r in kept if r["type"] != "mask" and not any(r is p for p in parts.get("", ()))
        ]
        number_of = {id(row): n for n, row in enumerate(drawn, 1)}
        self._tell_groups(item, groups, parts, number_of)
        objects = []
        for row in drawn:
            mine = parts.get(id(row), [])
            for part in mine:
                self._parts.setdefault(row["label"] or "", {})[part["label"] or ""] = None
            objects.append(self._object(row, mine))
        painted = []
        for row in kept:
            if row["type"] == "mask":
                painted.append((row, self._object_of(row, groups, number_of)))
            elif row["type"] == "polygon" and self._to_mask(row):
                painted.append((row, number_of[id(row)]))
        return objects, painted

    def _keeps(self, item: _Item, row: Row) -> bool:
        if row["type"] not in _HOLDS:
            text = f"{row['type']} is not a box, polygon or mask"
            self._say(item, "reject", row, "type not in Pascal VOC", text)
            return False
        if row["type"] == "box" and not all(_is_finite(row.get(name)) for name in "xywh"):
            self._say(item, "reject", row, "box without numbers", "x, y, w or h is missing")
            return False
        if INVALID.search(f"{row.get('label') or ''}{row.get('attributes') or ''}"):
            text = "its label or attributes have characters that XML can't hold"
            self._say(item, "reject", row, "text can't be written", text)
            return False
        for name in _NO_PLACE:
            if row.get(name) is not None:
                text = f"{name} {row[name]!r} is not kept"
                self._say(item, "warn", row, f"{name} has no place in Pascal VOC", text)
        for name in ("source_id", "text", "z_order"):
            self._count(name, row.get(name) is not None)
        self._count("extra", bool(set(json_object(row, "extra")) - {"part", "elements", "bndbox"}))
        return True

    @staticmethod
    def _find_parts(groups: Mapping[int, list[Row]]) -> dict[Any, list[Row]]:
        # id of the whole -> its parts; "" -> all of them.
        parts: dict[Any, list[Row]] = {}
        for rows in groups.values():
            marked = [r for r in rows if json_object(r, "extra").get("part") and _is_bare_box(r)]
            wholes = [r for r in rows if r["type"] == "box" and not any(r is m for m in marked)]
            if marked and len(wholes) == 1:
                parts[id(wholes[0])] = marked
                parts.setdefault("", []).extend(marked)
        return parts

    @staticmethod
    def _object_of(row: Row, groups: Mapping[int, list[Row]], number_of: Mapping[int, int]) -> int:
        # A mask goes by the number of the box that it has a group and a label with.
        for other in groups.get(row.get("group", -1), ()):
            if other["type"] == "box" and other.get("label") == row.get("label"):
                return number_of.get(id(other), 0)
        return 0

    def _tell_groups(
        self,
        item: _Item,
        groups: Mapping[int, list[Row]],
        parts: Mapping[Any, list[Row]],
        number_of: Mapping[int, int],
    ) -> None:
        for group, rows in groups.items():
            inside = {id(p) for r in rows for p in parts.get(id(r), ())}
            linked = {id(r) for r in rows if r["type"] == "mask"
                      and self._object_of(r, groups, number_of)}  # fmt: skip
            others = [r for r in rows if id(r) not in inside | linked]
            for row in others if len(others) > 1 else ():
                text = f"group {group} is not kept"
                self._say(item, "warn", row, "groups have no place in Pascal VOC", text)

    def _to_mask(self, row: Row) -> bool:
        return self.polygons_as_masks or len(row.get("rings") or (0,)) != 1

    def _object(self, row: Row, parts: Iterable[Row]) -> str:
        label = row.get("label")
        attributes = json_object(row, "attributes")
        pose = attributes.pop("pose") if _text(attributes.get("pose")) else "Unspecified"
        flags = {}
        for name in ("truncated", "difficult"):
            flags[name] = attributes.pop(name) if attributes.get(name) is True else False
        out = ["  <object>\n"]
        out += [element("name", label, 2)] if label is not None else []
        out += [element("pose", pose, 2), element("truncated", int(flags["truncated"]), 2)]
        if row.get("occluded") is not None:
            out.append(element("occluded", int(row["occluded"]), 2))
        out.append(element("difficult", int(flags["difficult"]), 2))
        polygon = row["type"] == "polygon" and not self._to_mask(row)
        out += shape(row, 2, polygon=polygon, one_based=self.one_based)
        for part in parts:
            of = part.get("label")
            out.append("    <part>\n" + (element("name", of, 3) if of is not None else ""))
            out += [*shape(part, 3, one_based=self.one_based), "    </part>\n"]
        actions = {
            k: int(v)
            for k, v in attributes.items()
            if k in self._actions.get(label or "", ()) and isinstance(v, bool) and TAG.fullmatch(k)
        }
        if actions:
            out.append(element("actions", actions, 2))
        named = [attribute(k, v) for k, v in attributes.items() if k not in actions]
        for name in ("track", "keyframe", "outside"):
            value = row.get(name)
            if value is not None:
                text = value if name == "track" else str(value).lower()
                named.append(attribute(name.replace("track", "track_id"), text, own=True))
        if named:
            out.append("    <attributes>\n" + "".join(named) + "    </attributes>\n")
        if row.get("score") is not None:
            out.append(element("score", number(row["score"]), 2))
        for tag, value in json_object(row, "extra").get("elements", {}).items():
            out.append(element(tag, value, 2))
        out.append("  </object>\n")
        return "".join(out)

    # -- the account ------------------------------------------------------------------

    def _say(
        self, item: _Item, how: str, row: Mapping[str, Any], reason: str, message: str
    ) -> None:
        number = next(n for n, other in enumerate(item.rows, 1) if other is row)
        record = f"annotation {number} ({row['type']})"
        getattr(self.ledger, how)(
            reason, file=item.xml, record=record, item=item.key, message=f"{record}: {message}"
        )

    def _count(self, what: str, lost: object) -> None:
        if lost:
            self._unkept[what] = self._unkept.get(what, 0) + 1


def _rows(table: pa.Table) -> Iterator[Row]:
    # Only columns that hold something: most of a table's are null.
    names = [n for n in table.column_names if table[n].null_count < table.num_rows]
    columns = [table[n].to_pylist() for n in names]
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _is_bare_box(row: Row) -> bool:
    more = ("attributes", "score", "rotation", "occluded", "track")
    return row["type"] == "box" and all(row.get(name) is None for name in more)


def _text(value: object) -> bool:
    return isinstance(value, str) and value == value.strip() != ""


def _listing(names: Iterable[str]) -> str:
    quoted = (f'"{n}"' if re.search(r'\s|^[#"]', n) else n for n in names)
    return "".join(f"{n}\n" for n in quoted)
