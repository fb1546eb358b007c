"""A page: some items, all their annotations and pictures, as columns that a browser can draw."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..errors import SchemaError
from ..palette import color_of
from ..schema import ANNOTATIONS, TYPES, Label, Skeleton

__all__ = ["PAGE_ITEMS", "Page", "PageLabel"]

GROUND_TRUTH = "ground truth"
MAX_LAYERS = 256  # a layer's code is one byte
TEXT_LENGTH = 200

PAGE_ITEMS = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("key", pa.string()),
        pa.field("task", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("note", pa.string()),  # why there is no picture, "" where all is well
        pa.field("text", pa.string()),  # the beginning of a text item's text
    ]
)
"""Columns of a page's items."""

_FLOATS = ("x", "y", "w", "h", "rotation", "score")


@dataclass(frozen=True, slots=True)
class PageLabel:
    """A label as a page shows it."""

    name: str
    color: str
    skeleton: Skeleton | None = None


@dataclass(frozen=True, eq=False)
class Page:
    """Items `start` to ``start + len(items)`` of `total`, with all that is drawn on them.

    Made by `Project.page`, or by `Page.from_tables` of rows that are in no project yet.

    * `items`: columns of `PAGE_ITEMS`.
    * `annotations`: columns of `schema.ANNOTATIONS`; `item` is an index into `items`.
    * `labels`: those that occur. `thumbnails`: one per item, JPEG or PNG, b"" where there is none.
    """

    items: pa.Table
    annotations: pa.Table
    labels: tuple[PageLabel, ...]
    thumbnails: tuple[bytes, ...]
    start: int
    total: int

    @classmethod
    def from_tables(
        cls,
        items: pa.Table,
        annotations: pa.Table,
        labels: Mapping[str, str] | Iterable[Label | tuple[str, str, Skeleton | None]],
        thumbnails: Sequence[bytes],
        *,
        start: int = 0,
        total: int | None = None,
    ) -> Page:
        """Make a page of tables.

        Args:
            items: columns of `PAGE_ITEMS`; absent ones are null, others are left out.
            annotations: columns of `schema.ANNOTATIONS`, others are left out; `item` is an index
                into `items`.
            labels: name → colour, or labels, or (name, colour, skeleton). A label that occurs
                and is not among them gets a colour.
            thumbnails: one per item, b"" where there is none.
            start: the number of the first item.
            total: how many items there are in all; by default those of this page.

        Raises:
            SchemaError: a column is missing, or there is not one thumbnail per item.
        """
        if len(thumbnails) != len(items):
            raise SchemaError(f"{len(thumbnails)} thumbnails for {len(items)} items")
        known = {label.name: label for label in _labels(labels)}
        used = [n for n in pc.unique(annotations["label"]).to_pylist() if n is not None]
        shown = [known.get(n) or PageLabel(n, color_of(len(known) + i)) for i, n in enumerate(used)]
        return cls(
            _fitted(items, PAGE_ITEMS),
            annotations.select(ANNOTATIONS.names).cast(ANNOTATIONS).combine_chunks(),
            tuple(shown),
            tuple(thumbnails),
            start,
            len(items) if total is None else total,
        )

    def __len__(self) -> int:
        return len(self.items)

    def encode(self) -> tuple[dict[str, Any], list[bytes]]:
        """Return the page as a JSON header and one little-endian buffer per column.

        ``header["columns"]`` names the buffers and their types, in order. Columns of
        annotations are called ``annotation.*``; null is NaN in floats, -1 in ``label``. Lists
        are a column of offsets (``*_start``, one longer) and a column of values.
        """
        rows = self.annotations
        layers = _layers(rows["layer"])
        label_names = pa.array([label.name for label in self.labels], pa.string())
        columns: dict[str, NDArray[Any]] = {
            "annotation.item": _numbers(rows["item"], np.int32, 0),
            "annotation.type": _codes(rows["type"], pa.array(TYPES), np.uint8),
            "annotation.label": _codes(rows["label"], label_names, np.int32),
            "annotation.layer": _codes(
                pc.fill_null(rows["layer"], GROUND_TRUTH), pa.array(layers), np.uint8
            ),
        }
        for name in _FLOATS:
            columns[f"annotation.{name}"] = _numbers(rows[name], np.float32, np.nan)
        points, points_start = _flat(rows["points"], np.float32)
        columns["annotation.points_start"], columns["points"] = points_start, points
        rings, columns["annotation.rings_start"] = _flat(rows["rings"], np.int32)
        columns["rings"] = rings
        visibility = _visibility(rows["visibility"], points_start)
        columns["visibility"] = visibility
        masks = [mask or b"" for mask in rows["mask"].to_pylist()]
        columns["annotation.mask_start"] = _starts([len(mask) for mask in masks])
        columns["mask"] = np.frombuffer(b"".join(masks), np.uint8)
        for name in ("mask_height", "mask_width"):
            columns[f"annotation.{name}"] = _numbers(rows[name], np.int32, 0)
        columns["thumb_start"] = _starts([len(data) for data in self.thumbnails])
        columns["thumbs"] = np.frombuffer(b"".join(self.thumbnails), np.uint8)
        header = {
            "start": self.start,
            "total": self.total,
            "items": self._item_headers(columns["annotation.item"]),
            "labels": [_label_header(label) for label in self.labels],
            "layers": layers[:MAX_LAYERS],
            "texts": self.texts(),
            "has_visibility": bool(len(visibility)),
            "columns": [{"name": n, "dtype": v.dtype.name} for n, v in columns.items()],
        }
        return header, [v.astype(v.dtype.newbyteorder("<")).tobytes() for v in columns.values()]

    def _item_headers(self, owner: NDArray[np.int32]) -> list[dict[str, Any]]:
        tally = np.bincount(owner, minlength=len(self.items)).tolist()
        headers = []
        for row, count in zip(self.items.to_pylist(), tally, strict=True):
            header = {
                "item": row["id"], "key": row["key"], "task": row["task"] or "",
                "kind": row["kind"], "width": row["width"], "height": row["height"],
                "annotations": count, "note": row["note"] or "",
            }  # fmt: skip
            if row["text"]:
                header["text"] = row["text"]
            headers.append(header)
        return headers

    def texts(self) -> dict[str, str]:
        """Return what is written beside an annotation, by its index: text, number, attributes."""
        columns = ("text", "number", "attributes")
        some = [pc.is_valid(self.annotations[name]) for name in columns]
        index = np.flatnonzero(np.logical_or.reduce([s.to_numpy() for s in some]))
        rows = self.annotations.select(columns).take(pa.array(index)).to_pylist()
        texts = {str(i): _text(row) for i, row in zip(index.tolist(), rows, strict=True)}
        return {i: text for i, text in texts.items() if text}


def _labels(labels: Any) -> list[PageLabel]:
    if isinstance(labels, Mapping):
        return [PageLabel(name, color) for name, color in labels.items()]
    found = []
    for i, label in enumerate(labels):
        if isinstance(label, Label):
            found.append(PageLabel(label.name, label.color or color_of(i), label.skeleton))
        else:
            found.append(PageLabel(*label))
    return found


def _label_header(label: PageLabel) -> dict[str, Any]:
    bones = label.skeleton
    return {
        "name": label.name,
        "color": label.color,
        "points": None if bones is None else list(bones.points),
        "edges": [] if bones is None else [list(edge) for edge in bones.edges],
    }


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    given = set(table.column_names)
    if missing := {"id", "key", "kind"} - given:
        raise SchemaError(f"A page's items lack the columns {sorted(missing)}")
    columns = [
        pc.cast(table[f.name], f.type) if f.name in given else pa.nulls(len(table), f.type)
        for f in schema
    ]
    return pa.table(columns, schema=schema)


def _layers(names: pa.ChunkedArray) -> list[str]:
    # A code is one byte: what would not fit shares the last one, and is drawn as the last one.
    found = [n for n in pc.unique(names).to_pylist() if n is not None]
    return [GROUND_TRUTH, *(n for n in found if n != GROUND_TRUTH)]


def _codes(values: pa.ChunkedArray, among: pa.Array, kind: Any) -> NDArray[Any]:
    index = pc.fill_null(pc.index_in(values, value_set=among), -1).to_numpy()
    if kind is np.uint8:
        index = np.minimum(index, MAX_LAYERS - 1)
    out: NDArray[Any] = index.astype(kind)
    return out


def _numbers(values: pa.ChunkedArray, kind: Any, null: float) -> NDArray[Any]:
    filled = pc.fill_null(values, pa.scalar(null, values.type)) if values.null_count else values
    with np.errstate(over="ignore"):
        out: NDArray[Any] = filled.to_numpy().astype(kind)
    return out


def _starts(lengths: Iterable[int]) -> NDArray[np.int32]:
    out: NDArray[np.int32] = np.concatenate([[0], np.cumsum(list(lengths))]).astype(np.int32)
    return out


def _flat(lists: pa.ChunkedArray, kind: Any) -> tuple[NDArray[Any], NDArray[np.int32]]:
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    values = pc.list_flatten(lists).to_numpy()
    with np.errstate(over="ignore"):
        return values.astype(kind), _starts(lengths)


def _visibility(lists: pa.ChunkedArray, points_start: NDArray[np.int32]) -> NDArray[np.uint8]:
    # One value per point of every annotation, so that one offset serves both columns.
    if lists.null_count == len(lists):
        return np.empty(0, np.uint8)
    points = np.diff(points_start) // 2
    starts = _starts(points)
    out = np.full(int(starts[-1]), 2, np.uint8)  # 2: visible, where nothing is said
    for i, values in enumerate(lists.to_pylist()):
        if values is not None:
            count = min(len(values), int(points[i]))
            out[starts[i] : starts[i] + count] = values[:count]
    return out


def _text(row: Mapping[str, Any]) -> str:
    parts = []
    if row["text"]:
        parts.append(row["text"])
    if row["number"] is not None:
        parts.append(f"{row['number']:g}")
    if row["attributes"]:
        parts += _attributes(row["attributes"])
    text = ", ".join(parts)
    return text if len(text) <= TEXT_LENGTH else text[: TEXT_LENGTH - 1] + "…"


def _attributes(text: str) -> list[str]:
    try:
        values = json.loads(text)
    except ValueError:  # no reader writes that, but a page shows what there is
        return [text]
    return [f"{k}: {_plain(v)}" for k, v in values.items()] if isinstance(values, dict) else [text]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
