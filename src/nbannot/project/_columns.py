"""Arrow columns as SQLite holds them, and back: lists of numbers are little-endian blobs.

Nothing is copied but offsets: the values of a list column *are* the bytes of the blob column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import ProjectError, SchemaError

__all__ = ["from_stored", "stored_type", "to_stored"]


def stored_type(kind: pa.DataType) -> pa.DataType:
    """Return the Arrow type in which SQLite gives a column of type `kind`."""
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_list(kind) or pa.types.is_binary(kind):
        return pa.binary()
    return pa.string()


def to_stored(data: pa.Table) -> pa.Table:
    """Return `data` with lists as blobs and without the columns that are all null.

    Raises:
        SchemaError: a list holds a null, which a blob can't.
    """
    columns = {}
    for name, column in zip(data.column_names, data.columns, strict=True):
        if column.null_count == len(column) and len(column):
            continue
        if pa.types.is_list(column.type):
            columns[name] = pa.chunked_array(
                [_blobs(name, chunk) for chunk in column.chunks], pa.large_binary()
            )
        elif pa.types.is_dictionary(column.type):
            columns[name] = pc.cast(column, column.type.value_type)
        else:
            columns[name] = column
    return pa.table(columns)


def from_stored(data: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return columns that SQLite gave as columns of `schema`, which has the same names.

    Raises:
        ProjectError: a blob is not a whole number of values: the file is damaged.
    """
    columns = []
    for field in schema:
        column = data[field.name]
        if pa.types.is_list(field.type):
            chunks = [_lists(field, chunk) for chunk in column.chunks]
            columns.append(pa.chunked_array(chunks, field.type))
        else:
            columns.append(column if column.type == field.type else pc.cast(column, field.type))
    return pa.table(columns, schema=schema)


def _validity(array: pa.Array) -> pa.Buffer | None:
    # Made anew: the bitmap of a slice may begin in the middle of a byte.
    return pc.is_valid(array).buffers()[1] if array.null_count else None


def _little(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))


def _blobs(name: str, lists: pa.ListArray) -> pa.Array:
    values = lists.values
    if values.null_count and pc.list_flatten(lists).null_count:
        raise SchemaError(f"column {name} holds a list with a null in it")
    if values.null_count:  # nulls in no list of this slice: any value will do
        values = values.fill_null(0)
    flat = _little(values.to_numpy(zero_copy_only=True))
    offsets = lists.offsets.to_numpy().astype(np.int64) * flat.itemsize
    buffers = [_validity(lists), pa.py_buffer(offsets), pa.py_buffer(flat)]
    return pa.Array.from_buffers(pa.large_binary(), len(lists), buffers)


def _lists(field: pa.Field, blobs: pa.Array) -> pa.Array:
    kind = field.type.value_type
    size = kind.bit_width // 8
    _, offsets, data = blobs.buffers()
    wide = pa.types.is_large_binary(blobs.type)
    ends = np.frombuffer(offsets, np.int64 if wide else np.int32) if offsets else np.zeros(1, int)
    ends = ends[blobs.offset : blobs.offset + len(blobs) + 1]
    if not len(ends):
        ends = np.zeros(1, np.int32)
    if (ends % size).any():
        raise ProjectError(
            f"The column {field.name} of the project is damaged: a value is cut short",
            hint="Restore the project from a backup.",
        )
    first, last = int(ends[0]), int(ends[-1])
    # Zero copy: the reader's buffer, from the first value on, is the list's values.
    part = data.slice(first, last - first) if data is not None else pa.py_buffer(b"")
    values = pa.Array.from_buffers(kind, (last - first) // size, [None, part])
    starts = ((ends - first) // size).astype(np.int32)
    return pa.Array.from_buffers(
        field.type, len(blobs), [_validity(blobs), pa.py_buffer(starts)], children=[values]
    )
