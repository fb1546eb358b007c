"""Writing LabelMe's XML as Datumaro lays it out: Annotations, Images and Masks, by subset."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

from ... import geometry
from ...ledger import Ledger
from ...media.kinds import suffix
from ...progress import Progress
from ...schema import DEFAULT_SUBSET
from ..fitting import Fitting, Holds, Row
from ..image_files import ImageFiles, extra_of, fitted, rounded
from ..json_values import dumps, loads
from ..writing import Export, Sink, safe_path
from .attributes import write_attributes

__all__ = ["LabelMeXmlWriter"]

_HOLDS = Holds(
    {"box": (), "polygon": (), "mask": ()},
    ("occluded", "group", "attributes", "extra"),
    unlabelled=True,
)
_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAG = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_ID = re.compile(r"0|[1-9]\d{0,17}")
_PAINT = np.array([[0, 0, 0, 0], [255, 203, 0, 153]], np.uint8)  # as LabelMe paints a mask
_SOURCE = {"sourceImage": "", "sourceAnnotation": "LabelMe"}


class LabelMeXmlWriter:
    """One export; see `LabelMeXml.write`."""

    def __init__(self, export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
        self._export, self._sink, self._progress = export, sink, progress
        self._ledger = ledger
        self._fitting = Fitting("LabelMe XML", _HOLDS, ledger)
        self._names: set[str] = set()
        self._foreign = 0

    def write(self) -> None:
        """Write everything."""
        self._progress.start("Writing images", unit="images")
        files = ImageFiles(self._sink, self._fitting)
        for subset in self._export.subsets:
            folder = safe_path(subset or DEFAULT_SUBSET)
            if "/" in folder:
                folder = folder.replace("/", "_")
                text = f"{subset} is written as {folder}: it is one folder"
                self._ledger.note("subset renamed", message=text)
            for item, rows in fitted(self._export, subset, self._fitting, self._progress):
                if _INVALID.search(item["key"]):
                    self._refuse(item, rows)
                    continue
                path = files.add(item, f"Images/{folder}")[len(f"Images/{folder}/") :]
                self._item(item, rows, folder, path)
        if self._foreign:
            text = f"extra of {self._foreign:,} records"
            self._ledger.note("no place in LabelMe XML", message=text)
        self._fitting.close()

    def _refuse(self, item: Row, rows: Sequence[Row]) -> None:
        for row in ({"record": "item"}, *rows):
            text = "XML can't hold the characters of its name"
            self._fitting.reject(item, row, "name can't be written", text)

    def _item(self, item: Row, rows: Sequence[Row], folder: str, path: str) -> None:
        stem, n = path[: len(path) - len(suffix(path))], 1
        name = stem
        while f"{folder}/{name}" in self._names:  # a.jpg and a.png: the second is a.png.xml
            name, n = (path if n == 1 else f"{path}-{n}"), n + 1
        self._names.add(f"{folder}/{name}")
        kept = extra_of(item, "labelme-xml", "meta").get("source")
        source = {**_SOURCE, **(kept if isinstance(kept, dict) else {})}
        lines = [
            "<annotation>\n",
            _element("filename", path),
            _element("folder", folder),
            "  <source>\n",
            *(_element(k, str(v), 4) for k, v in source.items() if _TAG.fullmatch(k)),
            "  </source>\n",
        ]
        if item.get("width") and item.get("height"):
            rows_columns = (("nrows", item["height"]), ("ncols", item["width"]))
            lines.append("  <imagesize>\n")
            lines += [_element(tag, str(value), 4) for tag, value in rows_columns]
            lines.append("  </imagesize>\n")
        good = [row for row in rows if self._holds(item, row)]
        ids = _ids(good)
        families = self._families(item, good, ids)
        for row, own in zip(good, ids, strict=True):
            mask = f"{name}_mask_{own}.png"
            lines += self._object(item, row, own, families.get(own, ("", "")), mask)
            if row["type"] == "mask":
                self._sink.write(f"Masks/{folder}/{mask}", _painted(row))
        lines.append("</annotation>\n")
        self._sink.write(f"Annotations/{folder}/{name}.xml", "".join(lines))

    def _holds(self, item: Row, row: Row) -> bool:
        if _INVALID.search(f"{row.get('label', '')}{row.get('attributes', '')}"):
            text = "XML can't hold a character of its label or attributes"
            self._fitting.reject(item, row, "text can't be written", text)
            return False
        label = row.get("label", "")
        if label != label.strip():
            text = f"{label!r} is read without the blanks around it"
            self._fitting.warn(item, row, "label with blanks around it", text)
        if row["type"] == "mask" and not row.get("w"):
            self._fitting.reject(item, row, "mask is empty", "no pixel of it is set")
            return False
        return True

    def _families(
        self, item: Row, rows: Sequence[Row], ids: Sequence[str]
    ) -> dict[str, tuple[str, str]]:
        """Return the parts and the whole of each object that has a group: of its leader."""
        groups: dict[int, list[int]] = {}
        for i, row in enumerate(rows):
            if "group" in row:
                groups.setdefault(row["group"], []).append(i)
        by_source = {row.get("source_id"): own for row, own in zip(rows, ids, strict=True)}
        found: dict[str, tuple[str, str]] = {}
        for members in groups.values():
            if len(members) < 2:
                text = "LabelMe has groups of two or more"
                self._fitting.warn(item, rows[members[0]], "group of one can't be written", text)
                continue
            known = {ids[i]: self._parent(rows[i], by_source) for i in members}
            leader = next((own for own, parent in known.items() if parent not in known), "")
            leader = leader or ids[members[0]]
            parents = {
                own: parent if parent in known and parent != own else leader
                for own, parent in known.items()
            }
            parents[leader] = ""
            for own in known:
                parts = ",".join(k for k, parent in parents.items() if parent == own)
                found[own] = (parts, parents[own])
        return found

    def _parent(self, row: Row, by_source: Mapping[Any, str]) -> str:
        return by_source.get(extra_of(row, "labelme-xml").get("parent"), "")

    def _object(
        self, item: Row, row: Row, own: str, family: tuple[str, str], mask: str
    ) -> Iterator[str]:
        kept = extra_of(row, "labelme-xml")
        self._foreign += "extra" in row and not kept
        texts = kept.get("elements")
        texts = dict(texts) if isinstance(texts, dict) else {}
        yield "  <object>\n"
        yield _element("name", row.get("label", ""), 4)
        yield _element("deleted", "0", 4)
        yield _element("verified", str(texts.pop("verified", "0")), 4)
        if "occluded" in row:
            yield _element("occluded", "yes" if row["occluded"] else "no", 4)
        yield _element("date", str(texts.pop("date", "")), 4)
        yield _element("id", own, 4)
        for tag, value in texts.items():
            if _TAG.fullmatch(tag):
                yield _element(tag, str(value), 4)
        yield "    <parts>\n"
        yield _element("hasparts", family[0], 6)
        yield _element("ispartof", family[1], 6)
        yield "    </parts>\n"
        yield _element("attributes", self._attributes(item, row), 4)
        yield from _figure(row, str(kept.get("username", "")), mask)
        yield "  </object>\n"

    def _attributes(self, item: Row, row: Row) -> str:
        if not row.get("attributes"):
            return ""
        found, _ = loads(row["attributes"].encode())
        values: dict[str, Any] = {}
        for name, value in (found if isinstance(found, dict) else {"value": found}).items():
            if not name.strip():
                text = f"it has no name; its value {value!r:.60} is lost"
                self._fitting.warn(item, row, "attribute can't be written", text)
                continue
            if name != name.strip():
                text = f"{name!r} is read without the blanks around it"
                self._fitting.warn(item, row, "attribute with blanks around it", text)
            if value is None or isinstance(value, (list, dict)):
                text = f"{name} is {value!r:.60}; LabelMe has texts, numbers, true and false"
                self._fitting.warn(item, row, "attribute written as text", text)
                value = dumps(value)
            values[name] = value
        return write_attributes(values)


def _ids(rows: Sequence[Row]) -> list[str]:
    # Ids of the source, where they are numbers and all different; else numbers from 0.
    given = [row.get("source_id") or "" for row in rows]
    if len(set(given)) == len(given) and all(_ID.fullmatch(i) for i in given):
        return given
    return [str(n) for n in range(len(rows))]


def _figure(row: Row, username: str, mask: str) -> Iterator[str]:
    if row["type"] == "mask":
        left, top, right, bottom = _extent(row)
        yield "    <segm>\n"
        yield _element("username", username, 6)
        yield "      <box>\n"
        for tag, side in (("xmin", left), ("ymin", top), ("xmax", right), ("ymax", bottom)):
            yield _element(tag, str(rounded(side)), 8)
        yield "      </box>\n"
        yield _element("mask", mask, 6)
        yield "    </segm>\n"
        return
    flat = row.get("points", ())
    if row["type"] == "box":
        yield _element("type", "bounding_box", 4)
        x, y = row["x"], row["y"]
        right, bottom = x + row["w"], y + row["h"]
        flat = (x, y, right, y, right, bottom, x, bottom)
    yield "    <polygon>\n"
    yield _element("username", username, 6)
    for i in range(0, len(flat), 2):
        x, y = (rounded(v) for v in flat[i : i + 2])
        yield f"      <pt><x>{x!r}</x><y>{y!r}</y></pt>\n"
    yield "    </polygon>\n"


def _extent(row: Row) -> tuple[float, float, float, float]:
    return row["x"], row["y"], row["x"] + row["w"], row["y"] + row["h"]


def _painted(row: Row) -> bytes:
    pixels = geometry.rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
    out = io.BytesIO()
    Image.fromarray(_PAINT[pixels]).save(out, "PNG")
    return out.getvalue()


def _element(tag: str, text: str, depth: int = 2) -> str:
    clean = _INVALID.sub("\ufffd", escape(text, {"\r": "&#13;"}))
    return f"{' ' * depth}<{tag}>{clean}</{tag}>\n"
