"""Columns of Open Images' tables as values of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..json_values import dumps

__all__ = ["FLAGS", "as_array", "attributes", "flag", "floats", "sources"]

FLAGS = {
    "istruncated": "truncated",
    "isgroupof": "is_group_of",
    "isdepiction": "is_depiction",
    "isinside": "is_inside",
}
"""Column (in lower case) and attribute of each flag; IsOccluded has a column of its own."""


def floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column as numbers, NaN where it is none; an absent Confidence is 1."""
    if name not in table.column_names:
        return np.ones(table.num_rows) if name == "confidence" else np.full(table.num_rows, np.nan)
    try:
        return np.asarray(pc.cast(pc.utf8_trim_whitespace(table[name]), pa.float64()))
    except pa.ArrowInvalid:
        return np.asarray([_float(v) for v in table[name].to_pylist()], np.float64)


def _float(text: str) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return float("nan")


def flag(table: pa.Table, name: str) -> list[bool | None]:
    """Return a column of 1, 0 and -1 as True, False and None."""
    if name not in table.column_names:
        return [None] * table.num_rows
    known = {"1": True, "0": False}
    return [known.get(v.strip()) for v in table[name].to_pylist()]


def attributes(table: pa.Table) -> list[str | None]:
    """Return the flags of each row as a JSON object."""
    # Few combinations occur, so each is written once.
    columns = [flag(table, n) for n in FLAGS]
    made: dict[Sequence[bool | None], str | None] = {}
    out = []
    for values in zip(*columns, strict=True):
        if values not in made:
            known = {n: v for n, v in zip(FLAGS.values(), values, strict=True) if v is not None}
            made[values] = dumps(known) if known else None
        out.append(made[values])
    return out


def sources(table: pa.Table, usual: str) -> list[str | None]:
    """Return who said so, where it is not as usual, for the column `extra`."""
    if "source" not in table.column_names:
        return [None] * table.num_rows
    made: dict[str, str | None] = {usual: None, "": None}
    out = []
    for value in table["source"].to_pylist():
        if value not in made:
            made[value] = dumps({"openimages": {"source": value}})
        out.append(made[value])
    return out


def as_array(values: Any) -> pa.Array:
    """Return values as an Arrow array."""
    return values if isinstance(values, pa.Array) else pa.array(values)
