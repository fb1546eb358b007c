"""Tables as nbannot writes them: one row per annotation, read again exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...ledger import Ledger
from ...schema import ANNOTATIONS, DEFAULT_SUBSET, ITEMS, KINDS, TYPES, Batch, Label, table
from ...sources.base import Source
from ..addresses import address_of
from .cells import numbers_of
from .items import MediaFinder
from .rows import BATCH_ROWS, TablePart

__all__ = ["ANNOTATION_COLUMNS", "ITEM_COLUMNS", "is_own", "read_own"]

ITEM_COLUMNS = {
    "item": "key", "subset": "subset", "file": "media", "uri": "uri", "kind": "kind",
    "image_width": "width", "image_height": "height", "frames": "frames",
    "duration": "duration", "item_id": "source_id", "data": "data", "meta": "meta",
}  # fmt: skip
"""Columns of an item in the table, and in ITEMS."""

ANNOTATION_COLUMNS = {
    "label": "label", "type": "type", "id": "source_id",
    **{n: n for n in ANNOTATIONS.names if n not in ("item", "label", "type", "source_id")},
}  # fmt: skip
"""Columns of an annotation in the table, and in ANNOTATIONS."""

_NEEDED = frozenset(("item", "subset", "type"))
_CORNERS = {"xmin": "x", "ymin": "y", "xmax": "w", "ymax": "h"}
_LISTS = ("points", "rings", "visibility")


def is_own(head: pa.Table) -> bool:
    """Say whether a table is one that nbannot wrote: by its columns, and by its types."""
    names = set(head.column_names) - _CORNERS.keys()
    if not names >= _NEEDED or not names <= ITEM_COLUMNS.keys() | ANNOTATION_COLUMNS.keys():
        return False
    if not pa.types.is_string(head["type"].type):
        return bool(pa.types.is_null(head["type"].type))
    return bool(set(pc.unique(head["type"]).to_pylist()) - {None, ""} <= set(TYPES))


def read_own(
    part: TablePart, source: Source, ledger: Ledger, first_item: int, limit: int | None
) -> Iterator[Batch]:
    """Yield the items and annotations of such a table; each row is one record."""
    found = _with_sizes(part.table)
    ledger.read(found.num_rows)
    if not found.num_rows:
        return
    subset = _strings(found, "subset")
    kind = _strings(found, "type")
    bad_type = ~pc.fill_null(pc.is_in(kind, value_set=pa.array(TYPES)), True).to_numpy()
    bad_type &= kind.is_valid().to_numpy()
    nameless = ~_strings(found, "item").is_valid().to_numpy()
    broken = bad_type | nameless
    reader = _Columns(found, part, ledger)
    for reason, which in (("unknown type", bad_type), ("row names no item", nameless & ~bad_type)):
        reader.reject(reason, np.flatnonzero(which))
    # An item is its subset and its key; its first row says what it is.
    both = pc.binary_join_element_wise(
        pc.fill_null(subset, ""), pc.fill_null(_strings(found, "item"), ""), "\0"
    )
    encoded = pc.dictionary_encode(both.combine_chunks())
    codes = encoded.indices.to_numpy().astype(np.int64)
    codes[broken] = -1
    used, first = np.unique(codes, return_index=True)
    first = np.sort(first[used >= 0])
    number = np.full(len(encoded.dictionary), -1)
    number[codes[first]] = np.arange(len(first))
    owner = np.where(codes >= 0, number[codes], -1)
    if limit is not None:
        first = first[:limit]
    rows = np.flatnonzero((owner >= 0) & (owner < len(first)) & kind.is_valid().to_numpy())
    items = reader.columns(ITEM_COLUMNS, ITEMS, first)
    items["item"] = first_item + np.arange(len(first))
    items["subset"] = pc.if_else(
        pc.equal(pc.fill_null(items["subset"], DEFAULT_SUBSET), DEFAULT_SUBSET),
        pa.scalar(None, pa.string()), items["subset"],
    )  # fmt: skip
    kinds = pc.fill_null(items.get("kind", pa.nulls(len(first), pa.string())), "image")
    items["kind"] = pc.if_else(pc.is_in(kinds, value_set=pa.array(KINDS)), kinds, "other")
    items["media"] = _media(items, source, part.file)
    annotations = reader.columns(ANNOTATION_COLUMNS, ANNOTATIONS, rows)
    annotations["item"] = first_item + owner[rows]
    bad = reader.bad_rows()
    if len(bad):
        keep = ~np.isin(rows, bad)
        annotations = {n: pc.filter(_array(v), pa.array(keep)) for n, v in annotations.items()}
        rows = rows[keep]
    kept = found.num_rows - int(broken.sum()) - len(bad)
    made = len(first) + len(rows)
    if made >= kept:
        ledger.split(made - kept)
    else:
        ledger.joined(kept - made)
    names = pc.unique(_strings(found, "label")).to_pylist() if "label" in found.column_names else []
    labels = tuple(Label(name) for name in names if name is not None)
    rows_table = table(annotations, ANNOTATIONS)
    yield Batch(table(items, ITEMS), rows_table.slice(0, BATCH_ROWS), labels)
    for start in range(BATCH_ROWS, rows_table.num_rows, BATCH_ROWS):
        yield Batch(annotations=rows_table.slice(start, BATCH_ROWS))


def _with_sizes(found: pa.Table) -> pa.Table:
    # Written with box_format="xyxy": corners to corner and size.
    if not _CORNERS.keys() <= set(found.column_names):
        return found
    corners = {name: numbers_of(found[name])[0] for name in _CORNERS}
    x, y = corners["xmin"], corners["ymin"]
    values = {"x": x, "y": y, "w": corners["xmax"] - x, "h": corners["ymax"] - y}
    found = found.drop_columns(list(_CORNERS))
    for name, numbers in values.items():
        found = found.append_column(name, pa.array(numbers, from_pandas=True))
    return found


def _array(values: Any) -> Any:
    return values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)


def _strings(found: pa.Table, name: str) -> pa.ChunkedArray:
    column = pc.cast(found[name], pa.string())
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _media(items: Mapping[str, Any], source: Source, file: str) -> pa.Array:
    # The file that was written along, else whatever the key finds.
    keys = _array(items["key"]).to_pylist()
    files = _array(items["media"]).to_pylist() if "media" in items else [None] * len(keys)
    finder = MediaFinder(source, file.rpartition("/")[0])
    out = []
    for key, path in zip(keys, files, strict=True):
        name = path or key
        address = address_of(name)
        out.append(None if address.problem else finder.find(name, address).path)
    return pa.array(out, pa.string())


class _Columns:
    # Takes columns of the table as columns of the schema; rows with a bad cell are rejected.
    def __init__(self, found: pa.Table, part: TablePart, ledger: Ledger) -> None:
        self._found, self._part, self._ledger = found, part, ledger
        self._bad: dict[int, str] = {}

    def reject(self, reason: str, rows: Any, message: str = "") -> None:
        names = [self._part.name(r) for r in rows.tolist()]
        if names:
            self._ledger.reject(
                reason, file=self._part.file, where=names, record=names, message=message or reason
            )

    def bad_rows(self) -> Any:
        """Reject the rows that have a cell which is not what its column holds; return them."""
        rows = np.array(sorted(self._bad), np.int64)
        for row, name in sorted(self._bad.items()):
            text = f"{name} is {self._found[name][row].as_py()!r:.60}"
            self.reject("cell is not what its column holds", np.array([row]), text)
        return rows

    def columns(self, names: Mapping[str, str], schema: pa.Schema, rows: Any) -> dict[str, Any]:
        take = pa.array(rows)
        out: dict[str, Any] = {}
        for given, wanted in names.items():
            if given not in self._found.column_names:
                continue
            kind = schema.field(wanted).type
            column = self._found[given].take(take)
            if column.null_count == len(column):
                out[wanted] = pa.nulls(len(column), kind)
            elif pa.types.is_string(kind):
                out[wanted] = pc.cast(column, kind)
            elif pa.types.is_string(column.type):
                out[wanted] = self._from_text(given, column, kind, rows)
            else:
                out[wanted] = column if column.type == kind else pc.cast(column, kind)
        return out

    def _from_text(self, name: str, column: pa.ChunkedArray, kind: pa.DataType, rows: Any) -> Any:
        if pa.types.is_binary(kind):
            return pc.cast(column, pa.binary())
        if pa.types.is_boolean(kind):
            lower = pc.utf8_lower(column)
            good = pc.is_in(lower, value_set=pa.array(["true", "false"]))
            self._note(name, column, ~good.to_numpy(), rows)
            return pc.if_else(column.is_valid(), pc.equal(lower, "true"), None)
        if pa.types.is_list(kind):
            return pa.array(self._lists(name, column, kind, rows), kind)
        numbers, empty = numbers_of(column)
        self._note(name, column, np.isnan(numbers) & ~empty, rows)
        values = pa.array(numbers, from_pandas=True)
        return values if pa.types.is_floating(kind) else pc.cast(values, kind, safe=False)

    def _note(self, name: str, column: pa.ChunkedArray, bad: Any, rows: Any) -> None:
        for i in np.flatnonzero(bad & column.is_valid().to_numpy()).tolist():
            self._bad.setdefault(int(rows[i]), name)

    def _lists(self, name: str, column: pa.ChunkedArray, kind: pa.DataType, rows: Any) -> list[Any]:
        whole = not pa.types.is_floating(kind.value_type)
        out: list[Any] = []
        for i, cell in enumerate(column.to_pylist()):
            value = None
            if cell:
                try:
                    value = json.loads(cell)
                except ValueError:
                    value = False
                good = isinstance(value, list) and all(
                    isinstance(v, int if whole else (int, float)) for v in value
                )
                if not good:
                    self._bad.setdefault(int(rows[i]), name)
                    value = None
            out.append(value)
        return out
