"""Files that hold tables: which ones a source has, and what is in them."""

from __future__ import annotations

import heapq
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet

from ...errors import BrokenFileError, NbannotError, OptionError
from ...ledger import Ledger
from ...media.kinds import suffix
from ...sources.base import Source
from ..json_values import dumps, loads, values_of
from .csv import read_csv

__all__ = [
    "TABLE_SUFFIXES",
    "FileTable",
    "Head",
    "head_of",
    "open_table",
    "split_of",
    "table_files",
]

CSV_SUFFIXES = (".csv", ".tsv")
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
ARROW_SUFFIXES = (".arrow", ".feather")
_MAX_TEXTS = 8
_IMAGE_FIRST = re.compile(rb"[^,;\t\n]+\.(jpe?g|png|bmp|gif|tiff?|webp)[\"']?[,;\t]", re.IGNORECASE)
TABLE_SUFFIXES = (*CSV_SUFFIXES, *JSON_SUFFIXES, ".parquet", ".pq", *ARROW_SUFFIXES)
HEAD_BYTES = 64 * 1024
HEAD_ROWS = 200
MAX_FILES = 24
"""Files whose heads are looked at, to choose among them."""

_SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class FileTable:
    """A table read from a file; `lines` on which its rows begin, None where it has none."""

    table: pa.Table
    lines: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Head:
    """The first rows of a file's table, or the reason why it is none; `broken`: but should be."""

    path: str
    table: pa.Table | None
    reason: str = ""
    broken: bool = False


def table_files(source: Source, count: int = MAX_FILES) -> list[str]:
    """Return up to `count` files that may hold tables, those nearest to the root first."""
    if source.main is not None:
        return [source.main] if suffix(source.main) in TABLE_SUFFIXES else []
    paths = source.files.with_suffix(*TABLE_SUFFIXES) or _text_tables(source)
    return heapq.nsmallest(count, paths, key=lambda p: (p.count("/"), p))


def _text_tables(source: Source) -> list[str]:
    # Text files of lines like "a.jpg,cat,1,2,3,4", where nothing else is a table.
    paths = source.files.with_suffix(".txt")
    if len(paths) > _MAX_TEXTS:
        return []
    return [path for path in paths if _IMAGE_FIRST.match(source.read(path, 1024))]


def split_of(path: str) -> str | None:
    """Return the subset that a file's name or folder says it is; None where neither does.

    >>> split_of("train.csv"), split_of("valid/_annotations.csv"), split_of("boxes.csv")
    ('train', 'valid', None)
    """
    folder, _, name = path.rpartition("/")
    stem = name.partition(".")[0]
    for part in (stem, folder.rpartition("/")[2]):
        if part.lower() in _SPLITS:
            return part
    for word in stem.replace("-", "_").split("_"):
        if word.lower() in _SPLITS:
            return word
    return None


def head_of(source: Source, path: str, options: dict[str, Any], data: bytes | None = None) -> Head:
    """Return the first rows of a file; `data` is its beginning, where that is known."""
    kind = suffix(path)
    try:
        if kind in (".parquet", ".pq"):
            return Head(path, _parquet_head(source, path))
        data = source.read(path, HEAD_BYTES) if data is None else data
        if kind in ARROW_SUFFIXES:
            return Head(path, _arrow(source.read(path), path).slice(0, HEAD_ROWS))
        if kind in JSON_SUFFIXES:
            return _json_head(path, data)
        size = source.size(path)
        whole = len(data) < HEAD_BYTES if size is None else len(data) >= size
        read = _csv(data, path, Ledger(), options, whole=whole)
    except NbannotError as error:
        return Head(path, None, str(error), broken=kind not in JSON_SUFFIXES)
    return Head(path, read.table)


def open_table(source: Source, path: str, options: dict[str, Any], ledger: Ledger) -> FileTable:
    """Return the table in a file.

    Raises:
        BrokenFileError: it can't be parsed; the message says where.
    """
    kind = suffix(path)
    data = source.read(path)
    if kind in (".parquet", ".pq"):
        return FileTable(_plain(_parquet(data, path), path, ledger))
    if kind in ARROW_SUFFIXES:
        return FileTable(_plain(_arrow(data, path), path, ledger))
    if kind in JSON_SUFFIXES:
        return _json(data, path, ledger)
    return _csv(data, path, ledger, options, whole=True)


# -- CSV ------------------------------------------------------------------------------


def _csv(
    data: bytes, path: str, ledger: Ledger, options: dict[str, Any], *, whole: bool
) -> FileTable:
    delimiter = options.get("delimiter") or ("\t" if suffix(path) == ".tsv" else None)
    found = read_csv(
        data, path, ledger, delimiter={"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter),
        encoding=options.get("encoding"), header=options.get("header") or "auto", whole=whole,
    )  # fmt: skip
    if found.broken_cells:
        _warn_broken(found.broken_cells, found.lines, path, ledger)
    return FileTable(found.table, found.lines)


def _warn_broken(
    broken: Sequence[tuple[int, str]], lines: NDArray[np.int64], path: str, ledger: Ledger
) -> None:
    for line, what in broken:
        begins = lines[lines <= line]
        if not len(begins):
            text = f"line {line} holds {what}"
            ledger.note("file is not plain text", file=path, where=f"line {line}", message=text)
            continue
        ledger.warn(
            "cell is not plain text", file=path, where=f"line {line}",
            record=f"line {begins[-1]}", message=f"line {line} holds {what}",
        )  # fmt: skip


# -- Parquet and Arrow ----------------------------------------------------------------


def _parquet(data: bytes, path: str) -> pa.Table:
    try:
        return parquet.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _broken(error, path, "Parquet") from None


def _parquet_head(source: Source, path: str) -> pa.Table:
    with source.open(path) as stream:
        file = stream if stream.seekable() else io.BytesIO(stream.read())
        try:
            batches = parquet.ParquetFile(file).iter_batches(HEAD_ROWS)
            first = next(iter(batches), None)
            if first is None:
                return parquet.ParquetFile(file).schema_arrow.empty_table()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _broken(error, path, "Parquet") from None
    return _plain(pa.Table.from_batches([first]), path, Ledger())


def _arrow(data: bytes, path: str) -> pa.Table:
    try:
        reader = pa.BufferReader(data)
        try:
            table = pa.ipc.open_file(reader).read_all()
        except pa.ArrowInvalid:
            table = pa.ipc.open_stream(pa.BufferReader(data)).read_all()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _broken(error, path, "Arrow") from None
    # Offsets that point outside their buffer would crash whoever looks at a value.
    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            raise BrokenFileError(
                f"Column {name!r} is damaged: {error}", where=path, hint="Write it again."
            ) from None
    return table


def _broken(error: BaseException, path: str, what: str) -> BrokenFileError:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return BrokenFileError(
        f"The {what} file can't be read: {text}", where=path, hint="Write or download it again."
    )


def _plain(table: pa.Table, path: str, ledger: Ledger) -> pa.Table:
    """Return a table with plain types: no extensions, dictionaries or views; bytes left out."""
    names, columns = [], []
    for i, field in enumerate(table.schema):
        column, kind = table.column(i), field.type
        meta = field.metadata or {}
        told = meta.get(b"ARROW:extension:name")
        if isinstance(kind, pa.BaseExtensionType):
            column, kind = (
                pa.chunked_array([c.storage for c in column.chunks], kind.storage_type),
                (kind.storage_type),
            )
        elif told is not None:
            text = (
                f"column {field.name!r} declares the type {told.decode('utf-8', 'replace')}, "
                "which is not known; it is read as what it is stored as"
            )
            ledger.note("column of an unknown type", file=path, message=text)
        if pa.types.is_dictionary(kind):
            column, kind = pc.cast(column, kind.value_type), kind.value_type
        if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            column = pc.cast(column, pa.string())
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            text = f"column {field.name!r} holds bytes, which have no place in an item's data"
            ledger.note("column was left out", file=path, message=text)
            continue
        names.append(field.name)
        columns.append(column)
    return pa.table(columns, names=names)


# -- JSON -----------------------------------------------------------------------------


def _json_head(path: str, data: bytes) -> Head:
    try:
        records = list(_first_objects(data))
    except ValueError as error:
        return Head(path, None, str(error))
    reason = not_a_record(records[0]) if records else "no records"
    if _is_one_object(path, data) and len(records) < 2:
        reason = "one object, and no list of records"
    if reason:
        return Head(path, None, reason)
    return Head(path, _table_of(records))


def _is_one_object(path: str, data: bytes) -> bool:
    # A line of JSON lines may be the only one; a .json file with one object is something else.
    return suffix(path) == ".json" and data.lstrip()[:1] != b"["


def _first_objects(data: bytes) -> Iterator[dict[str, Any]]:
    # The objects at the beginning of a list, or of lines, that are there whole.
    import json

    text = data.decode("utf-8-sig", "ignore").lstrip()
    decoder = json.JSONDecoder()
    at = 1 if text.startswith("[") else 0
    if not text.startswith(("[", "{")):
        raise ValueError("no list of records")
    for _ in range(HEAD_ROWS):
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text) or text[at] != "{":
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return  # cut off, or broken: whoever reads all of it will say so
        yield value


def not_a_record(record: Any) -> str:
    """Return "" for a flat record, else what it looks like, in a user's words.

    >>> not_a_record({"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4]})
    'COCO results'
    """
    if not isinstance(record, dict):
        return "no list of records"
    if {"image_id", "category_id"} <= record.keys() and record.keys() & {
        "bbox", "segmentation", "keypoints", "score"
    }:  # fmt: skip
        return "COCO results"
    if {"annotation_id", "lead_time"} <= record.keys():
        return "Label Studio's JSON-MIN"
    nested = [k for k, v in record.items() if isinstance(v, dict) or _is_nested_list(v)]
    return f"records that nest ({nested[0]!r})" if nested else ""


def _is_nested_list(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value)


def _json(data: bytes, path: str, ledger: Ledger) -> FileTable:
    raws = values_of(data, path, ledger)
    if len(raws) == 1 and _is_one_object(path, data):
        raise BrokenFileError(f"{path} holds one object, and no list of records", where=path)
    records, numbers = [], []
    for n, raw in enumerate(raws):
        try:
            value, problem = loads(raw)
        except ValueError as error:
            value, problem = None, str(error)
        reason = not_a_record(value) if n == 0 else ("" if isinstance(value, dict) else "no record")
        if reason and n == 0:
            raise BrokenFileError(f"{path} holds {reason}, and not flat records", where=path)
        if reason:
            ledger.read()
            ledger.reject(
                "not a record", file=path, where=f"$[{n}]", record=f"line {n + 1}",
                message=f"it is {value!r:.60}",
            )  # fmt: skip
            continue
        if problem:
            ledger.warn(
                "record is not strict JSON", file=path, where=f"$[{n}]", record=f"line {n + 1}",
                message=f"it holds {problem}",
            )  # fmt: skip
        records.append(value)
        numbers.append(n + 1)
    return FileTable(_table_of(records), np.array(numbers, np.int64))


def _table_of(records: Sequence[dict[str, Any]]) -> pa.Table:
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = [_column([record.get(name) for record in records]) for name in names]
    return pa.table(columns, names=names)


def _column(values: list[Any]) -> pa.Array:
    kinds = {type(v) for v in values} - {type(None)}
    if kinds <= {str}:
        return pa.array(values, pa.string())
    if kinds <= {int} and all(v is None or -(2**63) <= v < 2**63 for v in values):
        return pa.array(values, pa.int64())
    if kinds <= {int, float} and all(
        v is None or isinstance(v, float) or abs(v) <= 2**53 for v in values
    ):
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    if kinds <= {bool}:
        return pa.array(values, pa.bool_())
    if kinds <= {list}:
        try:
            return pa.array(values)
        except (pa.ArrowException, TypeError, OverflowError):
            pass
    return pa.array(
        [v if v is None or isinstance(v, str) else dumps(v) for v in values], pa.string()
    )


def wanted(source: Source, given: str | None) -> list[str]:
    """Return the files that ``file=`` names (several by commas), or all that may hold tables.

    Raises:
        OptionError: there is no such file.
    """
    if not given:
        return table_files(source)
    out = []
    for name in (n.strip() for n in given.split(",")):
        found = source.files.match(name) or [
            p for p in source.files if f"/{p}".endswith(f"/{name}")
        ]
        if len(found) != 1:
            known = ", ".join(table_files(source))
            what = "names several files" if found else "is not in the source"
            raise OptionError(f"file={name!r} {what}", hint=f"It has: {known}.")
        out += found
    return out
