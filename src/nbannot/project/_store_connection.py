"""A connection to SQLite: through ADBC (Arrow in and out), or through `sqlite3` without it.

One SQLite library per file and process: ADBC carries its own, and a file opened by both at once
can lose its locks. So `connect` takes one of the two for all, and nothing else opens the file.
"""

from __future__ import annotations

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import ProjectError
from ._columns import from_stored, stored_type, to_stored

__all__ = ["BATCH_ROWS", "Connection", "connect"]

BATCH_ROWS = 65_536
"""Rows per Arrow batch, in and out."""

ALL_ROWS = 1 << 24
"""Rows from which ADBC takes the types of a query that is not ours."""

Value = int | float | str | bytes | None

# The sentinel row: its first value is below every id, so it sorts before all rows.
_SENTINEL = {
    pa.int64(): "-9223372036854775808",
    pa.float64(): "0.0",
    pa.string(): "''",
    pa.binary(): "x''",
}


class Connection(ABC):
    """One connection in autocommit mode; transactions are ``run("BEGIN IMMEDIATE")`` and so on.

    Threads may share it, statement by statement. Each method raises `ProjectError` for whatever
    SQLite has to say.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.RLock()

    @abstractmethod
    def query(
        self, sql: str, schema: pa.Schema, params: Sequence[Value] = (), *, ordered: bool = True
    ) -> pa.Table:
        """Return the rows of a SELECT as a table of `schema`, which names its columns in order.

        The first column must be an integer. `ordered` by it; else as SQLite finds them, which
        spares it sorting rows with large blobs.
        """

    @abstractmethod
    def ask(self, sql: str, params: Sequence[Value] = ()) -> pa.Table:
        """Return the rows of any statement, in whatever types SQLite gives."""

    def rows(self, sql: str, params: Sequence[Value] = ()) -> list[dict[str, Any]]:
        """Return a few rows as dicts."""
        found: list[dict[str, Any]] = self.ask(sql, params).to_pylist()
        return found

    def run(self, sql: str, params: Sequence[Value] = ()) -> None:
        """Run one statement that returns nothing."""
        self.ask(sql, params)

    def ingest(self, table: str, data: pa.Table, order: NDArray[np.int64] | None = None) -> None:
        """Append rows to a table, in `order` if given; columns that `data` lacks get their default.

        A slice at a time, so that never more than one of them is held as blobs or in order.
        """
        if order is not None:
            data = data.combine_chunks()
        for start in range(0, len(data), BATCH_ROWS):
            if order is None:
                part = data.slice(start, BATCH_ROWS)
            else:
                part = data.take(pa.array(order[start : start + BATCH_ROWS]))
            self._ingest(table, to_stored(part))

    @abstractmethod
    def _ingest(self, table: str, data: pa.Table) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""


def connect(place: str, name: str, *, driver: str | None = None) -> Connection:
    """Return a connection to the SQLite file (or ``file:`` URI, or ``":memory:"``) at `place`.

    Args:
        place: what SQLite opens.
        name: what messages call it.
        driver: ``"adbc"`` or ``"sqlite3"``; None is the first that can be imported.

    Raises:
        ProjectError: it can't be opened.
    """
    if driver is None:
        driver = "adbc" if _adbc() else "sqlite3"
    return AdbcConnection(place, name) if driver == "adbc" else Sqlite3Connection(place, name)


def _adbc() -> bool:
    try:
        import adbc_driver_sqlite  # noqa: F401
    except ImportError:
        return False
    return True


class AdbcConnection(Connection):
    """Through adbc-driver-sqlite, by its statements.

    Its DBAPI module would import pandas and polars, which a reader of columns does not need.
    """

    def __init__(self, place: str, name: str) -> None:
        super().__init__(name)
        import adbc_driver_manager
        import adbc_driver_sqlite

        with _explained(name):
            self._database = adbc_driver_sqlite.connect(place)
            self._connection = adbc_driver_manager.AdbcConnection(self._database)

    @contextmanager
    def _statement(self, **options: str) -> Iterator[Any]:
        import adbc_driver_manager

        with self._lock, _explained(self.name):
            statement = adbc_driver_manager.AdbcStatement(self._connection)
            try:
                statement.set_options(**options)
                yield statement
            finally:
                statement.close()

    def _read(self, sql: str, params: Sequence[Value], batch_rows: int) -> pa.Table:
        with self._statement(**{"adbc.sqlite.query.batch_rows": str(batch_rows)}) as statement:
            statement.set_sql_query(sql)
            statement.prepare()
            if params:
                columns = [pa.array([value]) for value in params]
                statement.bind(pa.record_batch(columns, [str(n) for n in range(len(columns))]))
            stream, _ = statement.execute_query()
            with pa.RecordBatchReader._import_from_c(stream.address) as reader:
                # A statement without rows has no columns.
                return reader.read_all() if reader.schema.names else pa.table({})

    def query(
        self, sql: str, schema: pa.Schema, params: Sequence[Value] = (), *, ordered: bool = True
    ) -> pa.Table:
        # The driver takes a column's type from its first rows: a typed row in front keeps it.
        typed = ", ".join(f'{_SENTINEL[stored_type(f.type)]} AS "{f.name}"' for f in schema)
        whole = f"SELECT {typed} UNION ALL SELECT * FROM ({sql}) {'ORDER BY 1' if ordered else ''}"
        rows = self._read(whole, params, BATCH_ROWS)
        if rows.column(0)[0].as_py() != -(2**63):  # dropping another row would lose it
            raise ProjectError("SQLite did not give the row of types first", where=self.name)
        return from_stored(rows.slice(1), schema)

    def ask(self, sql: str, params: Sequence[Value] = ()) -> pa.Table:
        return self._read(sql, params, ALL_ROWS)

    def _ingest(self, table: str, data: pa.Table) -> None:
        options = {
            "adbc.ingest.target_table": table,
            "adbc.ingest.mode": "adbc.ingest.mode.append",
        }
        with self._statement(**options) as statement:
            statement.bind_stream(data.to_reader())
            statement.execute_update()

    def close(self) -> None:
        self._connection.close()
        self._database.close()


class Sqlite3Connection(Connection):
    """Through Python's `sqlite3`: slower, and everywhere (Pyodide)."""

    def __init__(self, place: str, name: str) -> None:
        super().__init__(name)
        with _explained(name):
            self._connection = sqlite3.connect(
                place,
                isolation_level=None,
                check_same_thread=False,
                uri=place.startswith("file:"),
                cached_statements=16,
            )

    def query(
        self, sql: str, schema: pa.Schema, params: Sequence[Value] = (), *, ordered: bool = True
    ) -> pa.Table:
        parts = []
        with self._lock, _explained(self.name):
            order = "ORDER BY 1" if ordered else ""
            cursor = self._connection.execute(f"SELECT * FROM ({sql}) {order}", tuple(params))
            while rows := cursor.fetchmany(BATCH_ROWS):
                values = zip(schema, zip(*rows, strict=True), strict=True)
                stored = pa.table({f.name: pa.array(v, stored_type(f.type)) for f, v in values})
                parts.append(from_stored(stored, schema))
        return pa.concat_tables([schema.empty_table(), *parts])

    def ask(self, sql: str, params: Sequence[Value] = ()) -> pa.Table:
        with self._lock, _explained(self.name):
            cursor = self._connection.execute(sql, tuple(params))
            names = [column[0] for column in cursor.description or ()]
            columns = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(names)
        return pa.table([_inferred(values) for values in columns], names=names)

    def _ingest(self, table: str, data: pa.Table) -> None:
        names = ", ".join(f'"{name}"' for name in data.column_names)
        marks = ", ".join("?" * data.num_columns)
        columns = [column.to_pylist() for column in data.columns]
        with self._lock, _explained(self.name):
            self._connection.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({marks})", zip(*columns, strict=True)
            )

    def close(self) -> None:
        self._connection.close()


def _inferred(values: Sequence[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except pa.ArrowException:  # a column of mixed types: SQLite has no other answer either
        return pa.array([None if v is None else str(v) for v in values])


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn an error of SQLite into a `ProjectError` that says what to do."""
    try:
        yield
    except (sqlite3.Error, pa.ArrowException, OSError) as error:
        raise _explain(error, name) from error
    except Exception as error:
        if type(error).__module__.startswith("adbc_driver_manager"):
            raise _explain(error, name) from error
        raise


# What SQLite says, what a user should hear, and what to do.
_MEANINGS = (
    (
        "database is locked",
        "Another notebook is writing to the project",
        "Wait for it to end, then run this again; nothing was changed.",
    ),
    (
        "disk is full",
        "The disk is full",
        "Make room, then run this again; the project is as it was.",
    ),
    (
        "disk i/o error",
        "The disk could not be read or written",
        "The project is as it was. Check the disk and its free space.",
    ),
    (
        "readonly database",
        "The project is open for reading only",
        "Open it without read_only=True.",
    ),
    (
        "not a database",
        "The file is not a project's database",
        "Choose another name, or restore the file from a backup.",
    ),
    (
        "malformed",
        "The project's database is damaged",
        "Restore the project from a backup.",
    ),
    (
        "to open",  # unable or failed
        "The project's database can't be opened",
        "Check that the folder exists, and that you may read and write it.",
    ),
)


def _explain(error: Exception, name: str) -> ProjectError:
    said = str(error)
    lower = said.lower()
    for words, message, hint in _MEANINGS:
        if words in lower:
            return ProjectError(message, where=name, hint=hint)
    said = said.rpartition("[SQLite] ")[2].partition("\n")[0]
    return ProjectError(f"SQLite says: {said or repr(error)}", where=name)
