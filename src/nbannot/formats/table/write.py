"""Writing tables: CSV, JSON lines or Parquet, one row per annotation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from ...progress import Progress
from ...schema import ANNOTATIONS, DEFAULT_SUBSET, ITEMS, Batch
from ..json_values import dumps
from ..writing import Export, Sink, safe_path
from .own import ANNOTATION_COLUMNS, ITEM_COLUMNS

__all__ = ["write_table"]

_ALWAYS = ("item", "subset", "label", "type", "x", "y", "w", "h")
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f]')
_SUFFIX = {"csv": ".csv", "tsv": ".tsv", "parquet": ".parquet", "jsonl": ".jsonl"}


def write_table(export: Export, sink: Sink, options: Mapping[str, Any], progress: Progress) -> None:
    """Write all subsets of `export` to one file, and media, where it is written along."""
    kind = options.get("file_format") or "csv"
    corners = options.get("box_format") == "xyxy"
    schema = _schema(export, saves_media=sink.saves_media)
    path = f"annotations{_SUFFIX[kind]}"
    media: list[tuple[str, int]] = []
    progress.start(f"Writing {path}", None, "items")

    def parts() -> Iterator[pa.Table]:
        for subset in export.subsets:
            for batch in export.batches(subset):
                yield _rows(batch, subset, schema, sink, media)
                progress.advance(batch.items.num_rows)

    with sink.open(path) as stream:
        if kind == "parquet":
            with parquet.ParquetWriter(stream, schema) as writer:
                for rows in parts():
                    writer.write_table(rows)
        elif kind == "jsonl":
            for rows in parts():
                stream.write(_json_lines(_corners(rows) if corners else rows))
        else:
            first = True
            for rows in parts():
                flat = _flat(_corners(rows) if corners else rows)
                if options.get("spreadsheet_safe"):
                    flat = _spreadsheet_safe(flat)
                settings = arrow_csv.WriteOptions(
                    include_header=first, delimiter="\t" if kind == "tsv" else ","
                )
                sheet = pa.BufferOutputStream()
                arrow_csv.write_csv(flat, sheet, settings)
                stream.write(sheet.getvalue())
                first = False
            if first:
                names = _corners(schema.empty_table()).column_names if corners else schema.names
                stream.write((",".join(names) + "\n").encode())
    progress.start("Writing media", len(media), "files")
    for place, item in media:
        sink.add_media(place, item)
        progress.advance()


def _schema(export: Export, *, saves_media: bool) -> pa.Schema:
    # The columns that hold something, in a fixed order: one look at everything first.
    used = set(_ALWAYS)
    for subset in export.subsets:
        for batch in export.batches(subset):
            for given, name in ITEM_COLUMNS.items():
                if name in batch.items.column_names and _holds(batch.items[name], name):
                    used.add(given)
            for given, name in ANNOTATION_COLUMNS.items():
                if batch.annotations[name].null_count < batch.annotations.num_rows:
                    used.add(given)
    used.discard("file")
    if saves_media:
        used.add("file")
    fields = []
    for given, name in ITEM_COLUMNS.items():
        if given in used:
            fields.append(pa.field(given, ITEMS.field(name).type))
    for given, name in ANNOTATION_COLUMNS.items():
        if given in used:
            kind = ANNOTATIONS.field(name).type
            # The counts of a mask are printable: text everywhere.
            fields.append(pa.field(given, pa.string() if pa.types.is_binary(kind) else kind))
    return pa.schema(fields)


def _holds(column: pa.ChunkedArray, name: str) -> bool:
    if name == "kind":
        return bool(set(pc.unique(column).to_pylist()) - {"image"})
    return bool(column.null_count < len(column))


def _rows(
    batch: Batch, subset: str, schema: pa.Schema, sink: Sink, media: list[tuple[str, int]]
) -> pa.Table:
    """Return a batch as rows: its annotations, and a row for each item without any."""
    items, rows = batch.items, batch.annotations
    if sink.saves_media:
        folder = _UNSAFE.sub("_", subset or DEFAULT_SUBSET)
        places = [f"media/{folder}/{safe_path(key)}" for key in items["key"].to_pylist()]
        media += list(zip(places, items["item"].to_pylist(), strict=True))
        at = items.schema.get_field_index("media")
        items = items.set_column(at, ITEMS.field("media"), pa.array(places, pa.string()))
    owner = pc.index_in(rows["item"], value_set=items["item"].combine_chunks())
    alone = items.filter(
        pc.invert(pc.is_in(items["item"], value_set=rows["item"].combine_chunks()))
    )
    mine = items.take(owner)
    columns = []
    for field in schema:
        if field.name in ITEM_COLUMNS:
            name = ITEM_COLUMNS[field.name]
            column = [*mine[name].chunks, *alone[name].chunks]
        else:
            name = ANNOTATION_COLUMNS[field.name]
            mine_too = rows[name]
            if mine_too.type != field.type:
                mine_too = pc.cast(mine_too, field.type)
            column = [*mine_too.chunks, pa.nulls(alone.num_rows, field.type)]
        columns.append(pa.chunked_array(column, field.type))
    out = pa.table(columns, schema=schema)
    # An item's rows together, in the items' order.
    order = pa.chunked_array(
        [
            *_chunks(owner),
            *_chunks(pc.index_in(alone["item"], value_set=items["item"].combine_chunks())),
        ],
        pa.int32(),
    )
    sorted_rows = pc.sort_indices(pa.table({"order": order}), sort_keys=[("order", "ascending")])
    at = out.schema.get_field_index("subset")
    named = pa.array([subset or DEFAULT_SUBSET] * out.num_rows, pa.string())
    return out.set_column(at, "subset", named).take(sorted_rows)


def _chunks(column: Any) -> list[pa.Array]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _corners(rows: pa.Table) -> pa.Table:
    # x, y, w, h -> xmin, ymin, xmax, ymax
    out = rows
    for far, near, side in (("xmax", "x", "w"), ("ymax", "y", "h")):
        at = out.schema.get_field_index(side)
        out = out.set_column(at, far, pc.add(rows[near], rows[side]))
    names = [{"x": "xmin", "y": "ymin"}.get(n, n) for n in out.column_names]
    return out.rename_columns(names)


def _flat(rows: pa.Table) -> pa.Table:
    # What CSV can hold: lists as JSON.
    for i, field in enumerate(rows.schema):
        if pa.types.is_list(field.type):
            values = [None if v is None else dumps(v) for v in rows.column(i).to_pylist()]
            rows = rows.set_column(i, field.name, pa.array(values, pa.string()))
    return rows


def _spreadsheet_safe(rows: pa.Table) -> pa.Table:
    # A spreadsheet runs what begins like this.
    for i, field in enumerate(rows.schema):
        if pa.types.is_string(field.type):
            column = rows.column(i)
            risky = pc.match_substring_regex(column, r"^[=+\-@\t\r]")
            if pc.any(risky).as_py():
                quoted = pc.binary_join_element_wise("'", column, "")
                rows = rows.set_column(i, field.name, pc.if_else(risky, quoted, column))
    return rows


def _json_lines(rows: pa.Table) -> bytes:
    lines = [dumps({k: v for k, v in row.items() if v is not None}) for row in rows.to_pylist()]
    return ("\n".join(lines) + "\n").encode() if lines else b""
