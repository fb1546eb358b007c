"""Cells as numbers and as JSON, a whole column at a time."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..json_values import dumps

__all__ = [
    "as_int32", "as_text", "flags_of", "json_objects", "numbers_of", "split_labels", "without_nan",
]  # fmt: skip

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_SAFE = 2**53


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as strings, null where a cell is empty; text as it is, spaces too."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = pc.cast(column, kind.value_type), kind.value_type
    if pa.types.is_floating(kind):
        # A column of whole numbers with a gap is floats in pandas: 7, not 7.0.
        whole = pc.and_(pc.is_finite(column), pc.equal(pc.floor(column), column))
        if pc.all(pc.fill_null(whole, True)).as_py() and _max_abs(column) < _SAFE:
            column = pc.cast(column, pa.int64())
        else:
            column = pc.if_else(pc.is_nan(column), None, column)
    if not pa.types.is_string(column.type):
        column = pc.cast(column, pa.string())
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _max_abs(column: pa.ChunkedArray) -> float:
    value = pc.max(pc.abs(column)).as_py()
    return 0.0 if value is None else float(value)


def numbers_of(column: pa.ChunkedArray) -> tuple[Floats, Bools]:
    """Return the numbers in a column (NaN where a cell holds none), and which cells are empty.

    Text is read exactly, with a point or, where no cell has one, with a comma.
    """
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_boolean(column.type) or pa.types.is_nested(column.type):
        nothing = pc.is_null(column).to_numpy()
        return np.full(len(column), np.nan), nothing
    if not pa.types.is_string(column.type):
        # A frame's NaN is its empty cell.
        numbers = _to_numpy(pc.cast(column, pa.float64(), safe=False))
        return numbers, np.isnan(numbers)
    empty = pc.is_null(column)
    try:
        numbers = pc.cast(column, pa.float64())
    except pa.ArrowInvalid:
        column = pc.utf8_trim_whitespace(column)
        empty = pc.or_(empty, pc.fill_null(pc.equal(column, ""), False))
        if not pc.any(pc.match_substring(column, ".")).as_py():
            column = pc.replace_substring(column, ",", ".")
        good = pc.match_substring_regex(column, _NUMBER)
        numbers = pc.cast(pc.if_else(good, column, pa.scalar(None, pa.string())), pa.float64())
    return _to_numpy(numbers), empty.to_numpy()


def _to_numpy(column: pa.ChunkedArray) -> Floats:
    return np.array(column.to_numpy(), np.float64)  # a copy that may be written to; null is NaN


def json_objects(columns: Mapping[str, pa.ChunkedArray], count: int) -> pa.Array:
    """Return one JSON object per row of what is not empty in `columns`; null where nothing is."""
    pieces = []
    for name, column in columns.items():
        head = f",{json.dumps(name, ensure_ascii=False)}:"
        piece = pc.binary_join_element_wise(head, _json_values(column), "")
        pieces.append(pc.fill_null(piece, ""))
    if not pieces:
        return pa.nulls(count, pa.string())
    inner = pc.utf8_slice_codeunits(pc.binary_join_element_wise(*pieces, ""), 1)
    whole = pc.binary_join_element_wise("{", inner, "}", "")
    out = pc.if_else(pc.equal(inner, ""), pa.scalar(None, pa.string()), whole)
    return out.combine_chunks() if isinstance(out, pa.ChunkedArray) else out


def _json_values(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = pc.cast(column, kind.value_type), kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _json_strings(column)
    if pa.types.is_boolean(kind) or (pa.types.is_integer(kind) and kind.bit_width < 64):
        return pc.cast(column, pa.string())
    if pa.types.is_integer(kind):
        text = pc.cast(column, pa.string())
        # Past 2**53 a browser would round it: as text it stays what it is.
        big = pc.greater(column, pa.scalar(_SAFE, kind))
        if pa.types.is_signed_integer(kind):
            big = pc.or_(big, pc.less(column, pa.scalar(-_SAFE, kind)))
        if not pc.any(big).as_py():
            return text
        return pc.if_else(big, pc.binary_join_element_wise('"', text, '"', ""), text)
    if pa.types.is_floating(kind):
        finite = pc.if_else(pc.is_finite(column), column, pa.scalar(None, kind))
        return pc.cast(finite, pa.string())
    if pa.types.is_temporal(kind):
        return _json_strings(pc.cast(column, pa.string()))
    return pa.chunked_array([[_json_value(v) for v in column.to_pylist()]], pa.string())


def _json_strings(column: pa.ChunkedArray) -> pa.ChunkedArray:
    column = pc.cast(column, pa.string())
    awkward = pc.match_substring_regex(column, r'["\\\x00-\x1f]')
    if not pc.any(awkward).as_py():
        return pc.binary_join_element_wise('"', column, '"', "")
    texts = [None if v is None else json.dumps(v, ensure_ascii=False) for v in column.to_pylist()]
    return pa.chunked_array([texts], pa.string())


def _json_value(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return dumps(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def as_int32(values: Floats) -> pa.Array:
    """Return whole numbers as int32, NaN as null."""
    return pc.cast(pa.array(values, from_pandas=True), pa.int32(), safe=False)


def flags_of(column: pa.ChunkedArray) -> Bools:
    """Return which cells of a column of 0 and 1, or false and true, are on."""
    if pa.types.is_boolean(column.type):
        return np.asarray(pc.fill_null(column, False).to_numpy(), bool)
    text = pc.utf8_lower(as_text(column))
    on = pc.is_in(text, value_set=pa.array(["1", "1.0", "true"]))
    return np.asarray(on.to_numpy(), bool)


def split_labels(
    rows: NDArray[np.int64], label: pa.Array, separator: str
) -> tuple[NDArray[np.int64], pa.Array]:
    """Return (row, label) of each label in cells that hold several."""
    parts = pc.split_pattern(label, separator)
    lengths = pc.fill_null(pc.list_value_length(parts), 1).to_numpy()
    filled = pc.if_else(pc.is_null(parts), pa.scalar([None], parts.type), parts)
    flat = pc.utf8_trim_whitespace(pc.list_flatten(filled))
    out = np.repeat(rows, lengths)
    keep = pc.fill_null(pc.not_equal(flat, ""), True)
    return out[keep.to_numpy(zero_copy_only=False)], flat.filter(keep)


def without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with null for NaN, which is the empty cell of a frame."""
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column
