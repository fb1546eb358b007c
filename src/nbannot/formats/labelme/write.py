"""Writing LabelMe JSON: each image with its file beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...ledger import Ledger
from ...media.kinds import suffix
from ...progress import Progress
from ..fitting import Fitting, Holds, Row
from ..image_files import ImageFiles, extra_of, fitted, subset_folder
from ..json_values import loads
from ..writing import Export, Sink
from .places import Place, is_plain
from .shapes import is_circle, shapes_of

__all__ = ["VERSION", "LabelMeWriter"]

VERSION = "5.7.0"
"""What is written as the version of a file that did not come from LabelMe."""

_HOLDS = Holds(
    {"box": ("rotation",), "polygon": ("parts",), "mask": (), "polyline": (), "points": (),
     "ellipse": ("rotation",), "skeleton": (), "tag": (), "text": ()},
    ("score", "group", "attributes", "extra", "text", "occluded"),
    unlabelled=True,
)  # fmt: skip


class LabelMeWriter:
    """One export; see `LabelMe.write`."""

    def __init__(
        self, export: Export, sink: Sink, turned: str, ledger: Ledger, progress: Progress
    ) -> None:
        self._export, self._sink, self._turned, self._progress = export, sink, turned, progress
        self._ledger = ledger
        self._fitting = Fitting("LabelMe", _HOLDS, ledger)
        self._joints = {b.name: b.skeleton.points for b in export.labels if b.skeleton is not None}
        self._taken: set[str] = set()
        self._foreign = 0

    def write(self) -> None:
        """Write everything."""
        self._progress.start("Writing images", unit="images")
        files = ImageFiles(self._sink, self._fitting)
        for subset in self._export.subsets:
            folder = subset_folder(self._export, subset)
            for item, rows in fitted(self._export, subset, self._fitting, self._progress):
                path = files.add(item, folder)
                place = Place(item.get("subset") if folder else None, item["key"])
                text = json.dumps(self._file(item, rows, path, place), ensure_ascii=False, indent=2)
                self._sink.write(self._json_name(path), text)
        names = [label.name for label in self._export.labels]
        own = ("__ignore__", "_background_")
        lines = [n for n in names if n not in own and n.strip() == n and len(n.splitlines()) == 1]
        if lines:
            self._sink.write("labels.txt", "".join(f"{n}\n" for n in ("__ignore__", *lines)))
        if self._foreign:
            text = f"extra of {self._foreign:,} records"
            self._ledger.note("no place in LabelMe", message=text)
        self._fitting.close()

    def _json_name(self, path: str) -> str:
        # a.jpg and a.png: the second has a.png.json.
        stem = path[: len(path) - len(suffix(path))]
        name, n = f"{stem}.json", 1
        while name in self._taken:
            name = f"{path}.json" if n == 1 else f"{path}-{n}.json"
            n += 1
        self._taken.add(name)
        return name

    # -- one file ---------------------------------------------------------------------

    def _file(self, item: Row, rows: Sequence[Row], path: str, place: Place) -> dict[str, Any]:
        kept = extra_of(item, "labelme", "meta")
        flags = dict.fromkeys(map(str, kept.get("flags", ())), False)
        shapes: list[dict[str, Any]] = []
        caption = ""
        groups = _Groups(rows)
        for row in rows:
            if row["type"] == "tag":
                self._tag(item, row, flags)
            elif row["type"] == "text":
                if caption:
                    text = "an image has one description"
                    self._fitting.reject(item, row, "second text can't be written", text)
                else:
                    caption = self._caption(item, row)
            elif row["type"] == "skeleton":
                shapes += self._skeleton(item, row, groups)
            else:
                shapes += self._shapes(item, row, groups)
        file: dict[str, Any] = {
            "version": kept.get("version", VERSION),
            "flags": flags,
            "shapes": shapes,
            "imagePath": path.rpartition("/")[2],
            "imageData": None,
            "imageHeight": item.get("height"),
            "imageWidth": item.get("width"),
        }
        if caption:
            file["description"] = caption
        if not is_plain(path, place):
            file["nbannot"] = {"subset": place.subset, "key": place.key}
        other = kept.get("other")
        return {**(other if isinstance(other, dict) else {}), **file}

    def _tag(self, item: Row, row: Row, flags: dict[str, bool]) -> None:
        label = row.get("label")
        if label is None:
            self._fitting.reject(item, row, "annotation without a label", "a flag needs a name")
        elif flags.get(label):
            self._fitting.reject(item, row, "tag given twice", f"{label!r} is a flag already")
        else:
            flags[label] = True
            self._tell(item, row, ("score", "group", "attributes", "text"))

    def _caption(self, item: Row, row: Row) -> str:
        self._tell(item, row, ("label", "score", "group", "attributes"))
        if not row.get("text"):
            self._fitting.reject(item, row, "text is empty", "LabelMe takes it for none")
        return row.get("text") or ""

    def _tell(self, item: Row, row: Row, names: Sequence[str]) -> None:
        for name in names:
            if row.get(name) not in (None, "", "{}"):
                self._fitting.warn(item, row, f"{name} can't be written", f"{row[name]} is lost")

    def _shapes(self, item: Row, row: Row, groups: _Groups) -> list[dict[str, Any]]:
        kept = extra_of(row, "labelme")
        self._foreign += "extra" in row and not kept
        if row["type"] == "ellipse" and not is_circle(row):
            text = "LabelMe has circles only"
            self._fitting.warn(item, row, "ellipse written as polygon", text)
        if row["type"] == "mask":
            size = (row["mask_width"], row["mask_height"])
            if not row.get("w"):
                self._fitting.reject(item, row, "mask is empty", "no pixel of it is set")
                return []
            if item.get("width") and size != (item["width"], item["height"]):
                text = f"it is {size[0]}x{size[1]}, the image {item['width']}x{item['height']}"
                self._fitting.warn(item, row, "mask of another size than the image", text)
        group, more = groups.of(row, kept)
        if more.get("object") and not more.get("ungrouped") and len(row.get("rings") or "1") == 1:
            text = "LabelMe takes polygons of one label and group for one object"
            self._fitting.warn(item, row, "group joins polygons", text)
        shape = self._columns(item, row, kept)
        description = row.get("text", kept.get("description", ""))
        if kept.get("text") is True and description:
            shape["text"], description = description, ""
        return [
            {"label": row.get("label", ""), "points": made["points"], "group_id": group,
             "description": description,
             "shape_type": made["shape_type"], "flags": shape["flags"], "mask": made["mask"],
             **{k: v for k, v in shape.items() if k != "flags"}, **more}
            for made in shapes_of(row, kept, turned=self._turned)
        ]  # fmt: skip

    def _skeleton(self, item: Row, row: Row, groups: _Groups) -> list[dict[str, Any]]:
        # As is the custom: a box, and a point for each joint, of one group.
        seen = row.get("visibility") or [2] * (len(row["points"]) // 2)
        if not any(seen) and "w" not in row:
            self._fitting.reject(item, row, "skeleton is empty", "no joint of it is there")
            return []
        text = "each joint is a point of its name, in one group with the box"
        self._fitting.warn(item, row, "skeleton written as points", text)
        self._foreign += "extra" in row
        group = row["group"] if "group" in row else groups.new()
        same: Row = {"record": row["record"], "group": group}
        said = ("label", "attributes", "score", "text", "occluded")
        shapes: list[dict[str, Any]] = []
        if "w" in row:
            box = {n: row[n] for n in (*"xywh", *said) if n in row}
            shapes += self._shapes(item, {**same, **box, "type": "box"}, groups)
        else:
            self._tell(item, row, said)
        names = self._joints.get(row.get("label", ""), ())
        for i, shown in enumerate(seen):
            if shown:
                name = names[i] if i < len(names) else str(i + 1)
                point: Row = {"points": row["points"][2 * i : 2 * i + 2], "label": name}
                shapes += self._shapes(item, {**same, **point, "type": "points"}, groups)
        return shapes

    def _columns(self, item: Row, row: Row, kept: Mapping[str, Any]) -> dict[str, Any]:
        other = kept.get("other")
        shape: dict[str, Any] = dict(other) if isinstance(other, dict) else {}
        flags: dict[str, bool] = {}
        attributes: dict[str, Any] = {}
        found: Any = {}
        if row.get("attributes"):
            found, _ = loads(row["attributes"].encode())
        for name, value in (found if isinstance(found, dict) else {"value": found}).items():
            if name == "difficult" and value is True:
                shape["difficult"] = True
            elif isinstance(value, bool):
                flags[name] = value
            else:
                attributes[name] = value
        if attributes:
            shape["attributes"] = attributes
        if row.get("occluded"):
            flags["occluded"] = True
            text = "it is the flag occluded"
            self._fitting.warn(item, row, "occluded written as a flag", text)
        score = row.get("score", kept.get("score"))
        if score is not None:
            shape["score"] = score
        return {"flags": flags, **shape}


class _Groups:
    """The group ids of one file: what a reader joins by them is what was one annotation."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._next = max((r["group"] for r in rows if "group" in r), default=-1) + 1
        polygons = [_name(r) for r in rows if r["type"] == "polygon" and "group" in r]
        self._shared = {name for name in polygons if polygons.count(name) > 1}
        self._object = 0

    def new(self) -> int:
        """Return a group id that no other has."""
        self._next += 1
        return self._next - 1

    def of(self, row: Row, kept: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the group id of a row's shapes, and what else must be said of it."""
        group = row.get("group", kept.get("group_id"))
        if row["type"] != "polygon":
            return group, {}
        parts = len(row.get("rings") or "1") > 1
        if "group" not in row and parts:
            return self.new(), {"ungrouped": True}
        if "group" in row and _name(row) in self._shared:
            self._object += 1
            return group, {"object": self._object}
        return group, {}


def _name(row: Row) -> tuple[Any, Any]:
    return row.get("label"), row.get("group")
