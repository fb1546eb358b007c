"""Rows that are added one by one: their ids, and what JSON columns hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from ._store_connection import Connection, Value

__all__ = ["as_json", "columns_of", "insert", "next_id"]


def columns_of(schema: pa.Schema) -> str:
    """Return the columns of a schema as SQL has them."""
    return ", ".join(f'"{name}"' for name in schema.names)


def as_json(value: Any) -> str | None:
    """Return `value` as JSON with sorted keys; a string is taken to be JSON already."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def insert(connection: Connection, table: str, row: Mapping[str, Value]) -> None:
    """Add one row to a table."""
    columns = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    connection.run(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(row.values()))


def next_id(connection: Connection, table: str, column: str) -> int:
    """Return the next free id. An id is never given twice: compact() notes the highest it saw."""
    rows = connection.rows(
        f"SELECT max(coalesce((SELECT max({column}) FROM {table}), 0), "
        "coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?), 0)) + 1 AS n",
        (f"last_{column}",),
    )
    return int(rows[0]["n"])
