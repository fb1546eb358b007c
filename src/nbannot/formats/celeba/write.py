"""Writing CelebA."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from ...ledger import Ledger
from ...media.kinds import is_image
from ...progress import Progress
from ...schema import DEFAULT_SUBSET
from ..faces import FACE, Once, box_cells, landmark_cells, renamed
from ..fitting import FileNames, Fitting, Holds, Row
from ..text_lines import one_line
from ..writing import Export, Sink
from .read import SUBSETS

__all__ = ["write_celeba"]

_HOLDS = Holds({"tag": (), "box": (), "skeleton": (), "points": ()})
_IDENTITY = re.compile(r"(?:class-)?([0-9]{1,18})")
_ALIASES = {"training": 0, "valid": 1, "validation": 1, "dev": 1, "testing": 2}
_LANDMARKS = (
    "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y "
    "rightmouth_x rightmouth_y"
)


@dataclass
class _Tables:
    identity: list[str] = field(default_factory=list)
    partition: list[str] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)
    landmarks: list[str] = field(default_factory=list)
    attributes: list[tuple[str, set[str]]] = field(default_factory=list)


def write_celeba(
    export: Export, sink: Sink, ledger: Ledger, progress: Progress, *, images: str
) -> None:
    """Write an export; see `CelebA.write`."""
    fitting = Fitting("CelebA", _HOLDS, ledger)
    progress.start("Writing faces", None, "items")
    tables, names = _Tables(), FileNames()
    aligned = _is_aligned(export) if images == "auto" else images == "aligned"
    identities = _declared_identities(export)
    folder = "Img/img_align_celeba" if aligned else "Img/img_celeba"
    for subset in export.subsets:
        number = _partition(subset)
        if number is None and subset != DEFAULT_SUBSET:
            text = f"CelebA has train, val and test; {subset!r} is written as none of them"
            ledger.note("subset can't be written", message=text)
        for batch in export.batches(subset):
            for item, rows in fitting.fit(batch):
                path = names.of({**item, "key": one_line(item["key"])})
                if not is_image(path):
                    path += ".jpg"
                renamed(ledger, item, path)
                sink.add_media(f"{folder}/{path}", item["number"])
                if number is not None:
                    tables.partition.append(f"{path} {number}\n")
                _Faces(fitting, tables, identities, item, path, aligned=aligned).write(rows)
                progress.advance()
    _write_tables(tables, sink, ledger, export, aligned=aligned)
    if identities:
        sink.write("dataset_meta.json", json.dumps({"labels": list(identities)}) + "\n")
    fitting.close()


def _declared_identities(export: Export) -> dict[str, int]:
    # Labels of boxes and landmarks that are not numbers: identities by their place in a list.
    used: dict[str, None] = {}
    for subset in export.subsets:
        for batch in export.batches(subset):
            table = batch.annotations.select(["type", "label"])
            for row in (
                table.group_by(["type", "label"], use_threads=False).aggregate([]).to_pylist()
            ):
                if row["type"] != "tag" and row["label"] not in (None, FACE):
                    used[row["label"]] = None
    if all(_IDENTITY.fullmatch(name) for name in used):
        return {}
    order = {label.name: i for i, label in enumerate(export.labels)}
    names = sorted(used, key=lambda name: (order.get(name, len(order)), name))
    return {name: i for i, name in enumerate(names)}


def _partition(subset: str) -> int | None:
    low = subset.lower()
    if low in SUBSETS:
        return SUBSETS.index(low)
    return _ALIASES.get(low)


def _meta(item: Row) -> dict[str, Any]:
    found = json.loads(item.get("meta") or "{}")
    mine = found.get("celeba") if isinstance(found, dict) else None
    return mine if isinstance(mine, dict) else {}


def _is_aligned(export: Export) -> bool:
    for subset in export.subsets:
        for batch in export.batches(subset):
            for meta in batch.items["meta"].to_pylist():
                return bool(_meta({"meta": meta}).get("aligned"))
    return False


class _Faces:
    # What is on one image, as lines of the tables.

    def __init__(
        self,
        fitting: Fitting,
        tables: _Tables,
        identities: dict[str, int],
        item: Row,
        path: str,
        *,
        aligned: bool,
    ) -> None:
        self._fitting, self._tables, self._identities = fitting, tables, identities
        self._item, self._path, self._aligned = item, path, aligned

    def write(self, rows: list[Row]) -> None:
        once = Once(self._fitting, self._item)
        faces = [row for row in rows if row["type"] != "tag"]
        tags = [row for row in rows if row["type"] == "tag"]
        labels = [row["label"] for row in faces if row["label"] != FACE]
        attributes: set[str] = set()
        identity = next((r["label"] for r in tags if self._number(r["label"]) is not None), None)
        identity = identity or next(iter(labels), None)
        for row in tags:
            if self._number(row["label"]) is None:
                attributes.add(row["label"])
            else:
                once.take("identity", row)
        if identity is not None:
            self._tables.identity.append(f"{self._path} {self._number(identity)}\n")
        if attributes or _meta(self._item).get("attributes"):
            self._tables.attributes.append((self._path, attributes))
        for row in faces:
            self._face(row, identity, once)

    def _face(self, row: Row, identity: str | None, once: Once) -> None:
        if row["label"] != (identity or FACE):
            text = f"{row['label']!r} is not the identity {identity!r} of the image"
            self._fitting.warn(self._item, row, "label can't be written", text)
        if row["type"] != "box":
            cells = landmark_cells(self._fitting, self._item, row, whole=True)
            if cells and once.take("set of landmarks", row):
                self._tables.landmarks.append(f"{self._path} {' '.join(cells)}\n")
        elif self._aligned:
            text = "CelebA has boxes of the original images only"
            self._fitting.reject(self._item, row, "box of an aligned image", text)
        elif once.take("box", row):
            cells = box_cells(self._fitting, self._item, row, whole=True)
            self._tables.boxes.append(f"{self._path} {' '.join(cells)}\n")

    def _number(self, label: str) -> int | None:
        if self._identities:
            return self._identities.get(label)
        match = _IDENTITY.fullmatch(label)
        return int(match[1]) if match else None


def _write_tables(
    tables: _Tables, sink: Sink, ledger: Ledger, export: Export, *, aligned: bool
) -> None:
    if tables.identity:
        sink.write("Anno/identity_CelebA.txt", "".join(tables.identity))
    columns = _attribute_columns(tables, export)
    if columns and tables.attributes:
        sink.write("Anno/list_attr_celeba.txt", _attribute_table(tables, columns, ledger))
    heads = {
        "list_bbox_celeba": (tables.boxes, "image_id x_1 y_1 width height"),
        f"list_landmarks{'_align' * aligned}_celeba": (tables.landmarks, _LANDMARKS),
    }
    for name, (lines, head) in heads.items():
        if lines:
            sink.write(f"Anno/{name}.txt", f"{len(lines)}\n{head}\n{''.join(lines)}")
    if tables.partition or not (tables.identity or tables.boxes or tables.landmarks):
        sink.write("Eval/list_eval_partition.txt", "".join(tables.partition))


def _attribute_columns(tables: _Tables, export: Export) -> list[str]:
    # Attributes that an image has, and those that were attributes when they were read.
    used = {name for _, names in tables.attributes for name in names}
    used |= {label.name for label in export.labels if label.extra.get("celeba") == "attribute"}
    order = {label.name: i for i, label in enumerate(export.labels)}
    return sorted(used, key=lambda name: (order.get(name, len(order)), name))


def _attribute_table(tables: _Tables, columns: list[str], ledger: Ledger) -> str:
    written: dict[str, str] = {}
    for column in columns:
        plain = "_".join(column.split()) or "_"
        while plain in written.values():
            plain += "_"
        written[column] = plain
        if plain != column:
            text = f"{column!r} is written as {plain!r}"
            ledger.note("attribute renamed", message=text)
    lines = [
        f"{path} {' '.join('1' if c in names else '-1' for c in columns)}\n"
        for path, names in tables.attributes
    ]
    return f"{len(lines)}\n{' '.join(written.values())}\n{''.join(lines)}"
