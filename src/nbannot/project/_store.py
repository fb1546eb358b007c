"""The store of a project: one SQLite file, who may touch it when, and its version.

Only the modules ``project/_store*.py`` know SQL: this one opens the file and guards it,
`_store_tables` declares the tables, `_store_connection` runs statements, `_store_read` queries,
`_store_commit` adds and removes, `_store_history` undoes, redoes and compacts.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pyarrow as pa

from ..errors import ProjectError
from ._store_connection import Connection, connect
from ._store_tables import MIGRATIONS

__all__ = ["Store", "now"]

FILE = "project.sqlite"
APPLICATION_ID = 0x6E62616E  # "nban": SQLite's mark for whose file it is
FLUSH_S = 0.2
LOG_BYTES = 16 << 20
"""The log is moved into the file when it is larger."""
MAX_CACHED = 32
T = TypeVar("T")
WAIT_MS = 30_000
"""How long a writer waits for another one."""


def now() -> str:
    """Return the time as ISO 8601 in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


class Store:
    """The database of a project, in `folder` or (None) in memory.

    A file has two connections: one writes, one reads the last committed state meanwhile. A
    database in memory exists on one connection only, so there a read waits for a write to end.
    Another process may have the same file open.

    Raises:
        ProjectError: it can't be opened, was made by a newer nbannot, or is not a project.
    """

    def __init__(self, folder: Path | None, *, name: str, read_only: bool = False) -> None:
        self.name = name
        self.read_only = read_only
        self._writing = threading.Lock()
        self._writer_thread: int | None = None
        self._reading = threading.RLock()
        self._reads = 0
        self._cache: dict[Hashable, Any] = {}
        self._cache_version = ""
        self._writes = 0
        self._file = folder / FILE if folder is not None else None
        self._log = folder / f"{FILE}-wal" if folder is not None else None
        self._writer: Connection | None = None
        opened: list[Connection] = []
        try:
            if self._file is None:
                self._writer = self._reader = self._open(":memory:", opened)
                self._migrate(self._writer)
            elif read_only:
                self._reader = self._open_read_only(self._file, opened)
                self._check_version(self._reader)
            else:
                self._writer = self._open(str(self._file), opened)
                # For a new file only. Twice as fast for polygons as SQLite's 4,096.
                self._writer.run("PRAGMA page_size = 32768")
                self._use_wal(self._writer)
                # What is changed and finds no room here goes into the log at once, and is not left
                # to be written by COMMIT.
                self._writer.run("PRAGMA cache_size = -32768")
                self._writer.run("PRAGMA synchronous = FULL")
                self._writer.run("PRAGMA wal_autocheckpoint = 0")  # see _tidy
                self._writer.run(f"PRAGMA journal_size_limit = {LOG_BYTES}")
                self._migrate(self._writer)
                self._reader = self._open(str(self._file), opened)
                self._reader.run("PRAGMA query_only = 1")
        except BaseException:
            _close_all(opened)
            raise
        self._tidying: list[threading.Thread] = []
        self._close = weakref.finalize(self, _close_all, opened, self._tidying)

    # -- opening ----------------------------------------------------------------------

    def _open(self, place: str, opened: list[Connection]) -> Connection:
        connection = connect(place, self.name)
        opened.append(connection)
        connection.run(f"PRAGMA busy_timeout = {WAIT_MS}")
        connection.run("PRAGMA cache_size = -65536")
        connection.run("PRAGMA trusted_schema = 0")  # the file may come from a stranger
        return connection

    def _open_read_only(self, file: Path, opened: list[Connection]) -> Connection:
        uri = f"file:{quote(str(file))}?mode=ro"
        try:
            connection = self._open(uri, opened)
            connection.rows("PRAGMA user_version")
        except ProjectError:
            # On a read-only disk SQLite can't make its shared-memory file. Where no log is
            # waiting, and so nobody writes, the file can be read as it lies there.
            log = file.with_name(f"{file.name}-wal")
            if log.exists() and log.stat().st_size:
                raise
            connection = self._open(f"{uri}&immutable=1", opened)
        connection.run("PRAGMA query_only = 1")
        return connection

    @staticmethod
    def _use_wal(connection: Connection) -> None:
        # SQLite does not wait here when another process turns the same new file to WAL.
        last_s = time.monotonic() + WAIT_MS / 1000
        while True:
            try:
                connection.rows("PRAGMA journal_mode = WAL")
            except ProjectError as error:
                if "Another notebook" not in error.message or time.monotonic() > last_s:
                    raise
                time.sleep(0.01)
            else:
                return

    def _check_version(self, connection: Connection) -> int:
        """Return the file's version, once it is known that we can read it."""
        version = int(connection.rows("PRAGMA user_version")[0]["user_version"])
        newest = len(MIGRATIONS)
        if version > newest:
            raise ProjectError(
                f"The project was written by a newer nbannot: its store is of version {version}, "
                f"and this nbannot reads up to {newest}",
                where=self.name,
                hint="Install a newer one: pip install -U nbannot",
            )
        mark = int(connection.rows("PRAGMA application_id")[0]["application_id"])
        tables = connection.rows("SELECT name FROM sqlite_master LIMIT 1")
        if tables and mark != APPLICATION_ID:
            raise ProjectError(
                "The database was not made by nbannot", where=self.name, hint="Choose another name."
            )
        if self.read_only and version < newest:
            raise ProjectError(
                f"The project's store is of version {version}, and must be brought to {newest}",
                where=self.name,
                hint="Open it once without read_only=True.",
            )
        return version

    def _migrate(self, connection: Connection) -> None:
        if self._check_version(connection) == len(MIGRATIONS):
            return
        with _transaction(connection):
            # Again, now that nobody else can write: another process may have been quicker.
            for version in range(self._check_version(connection), len(MIGRATIONS)):
                for statement in _statements(MIGRATIONS[version]):
                    connection.run(statement)
                connection.run(f"PRAGMA user_version = {version + 1}")
            connection.run(f"PRAGMA application_id = {APPLICATION_ID}")
            for key, value in (("format_version", str(len(MIGRATIONS))), ("migrated", now())):
                connection.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
            connection.run("INSERT OR IGNORE INTO meta VALUES ('created', ?)", (now(),))

    # -- reading and writing ----------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give the connection for reading; all reads in one ``with`` see one committed state.

        A thread waits for the other's ``with``: keep them short.
        """
        with self._reading:
            self._check_open()
            alone = self._reader is not self._writer and not self._reads
            if alone:
                self._reader.run("BEGIN")
            self._reads += 1
            try:
                yield self._reader
            finally:
                self._reads -= 1
                if alone:
                    self._reader.run("COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection of its own that sees one committed state, however long it lives.

        In memory there is no other connection: it is the same, for one thread at a time.
        """
        self._check_open()
        if self._file is None:
            yield self._reader
            return
        opened: list[Connection] = []
        try:
            if self.read_only:
                connection = self._open_read_only(self._file, opened)
            else:
                connection = self._open(str(self._file), opened)
                connection.run("PRAGMA query_only = 1")
            connection.run("BEGIN")
            yield connection
        finally:
            _close_all(opened)

    @contextmanager
    def write(self, *, is_long: bool = False) -> Iterator[Connection]:
        """Give the connection for writing, in one transaction: whole, or (on any error) absent.

        Where it `is_long`, what it writes goes on to the disk meanwhile, and COMMIT waits less.

        Raises:
            ProjectError: the project is read only, a change is under way in this thread, or
                another thread or process has been writing for `WAIT_MS`.
        """
        self._check_open()
        if self._writer is None:
            raise ProjectError(
                "The project is open for reading only",
                where=self.name,
                hint="Open it without read_only=True.",
            )
        if self._writer_thread == threading.get_ident():
            raise ProjectError(
                "A change of this project is already under way",
                where=self.name,
                hint="End the first `with project.begin(...)` before the next.",
            )
        if not self._writing.acquire(timeout=WAIT_MS / 1000):
            raise ProjectError(
                "Another import into this project is still running",
                where=self.name,
                hint="Wait for it to end, or cancel it; nothing was changed.",
            )
        try:
            self._writer_thread = threading.get_ident()
            alone = self._reading if self._reader is self._writer else contextlib.nullcontext()
            flushing = _flushing(self._log) if is_long and self._log else contextlib.nullcontext()
            with alone, flushing, _transaction(self._writer):
                yield self._writer
        finally:
            self._writes += 1
            self._writer_thread = None
            self._writing.release()
        self._tidy()

    def _tidy(self) -> None:
        """Begin to move what was committed from the log into the file, in the background.

        A commit is safe once it is in the log. SQLite would by itself move it on, in the
        committing thread, which for a large import takes as long as half of the rest.
        """
        log = self._log
        if self._file is None or log is None or any(thread.is_alive() for thread in self._tidying):
            return
        if log.exists() and log.stat().st_size >= LOG_BYTES:
            place, name = str(self._file), self.name
            thread = threading.Thread(target=_checkpoint, args=(place, name), name="nbannot-tidy")
            self._tidying[:] = [thread]
            thread.start()

    def vacuum(self) -> None:
        """Give the space of deleted rows back to the disk."""
        assert self._writer is not None
        with self._writing:
            alone = self._reading if self._reader is self._writer else contextlib.nullcontext()
            with alone:
                self._writer.run("VACUUM")
                if self._file is not None:
                    self._writer.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def sql(self, query: str) -> pa.Table:
        """Return the rows of a query that may only read."""
        with self.read() as connection:
            same = connection is self._writer
            if same:
                connection.run("PRAGMA query_only = 1")
            try:
                return connection.ask(query)
            except ProjectError as error:
                if "reading only" not in error.message:
                    raise
                raise ProjectError(
                    "sql() may only read", where=self.name, hint="Change things with begin()."
                ) from error
            finally:
                if same:
                    connection.run("PRAGMA query_only = 0")

    def version(self) -> str:
        """Return a string that changes whenever the project does, also by another process."""
        with self.read() as connection:
            other = connection.rows("PRAGMA data_version")[0]["data_version"]
        return f"{self._writes}.{other}"

    def cached(self, key: Hashable, make: Callable[[Connection], T]) -> T:
        """Return what `make` returns, kept under `key` until the project changes."""
        with self.read() as connection:
            version = self.version()
            if version != self._cache_version or len(self._cache) > MAX_CACHED:
                self._cache, self._cache_version = {}, version
            if key not in self._cache:
                self._cache[key] = make(connection)
            found: T = self._cache[key]
        return found

    def _check_open(self) -> None:
        if not self._close.alive:
            raise ProjectError(
                "The project is closed", where=self.name, hint="Open it again with nb.open_project."
            )

    def close(self) -> None:
        """Close the file; what is committed stays."""
        self._close()


def _close_all(connections: list[Connection], threads: Sequence[threading.Thread] = ()) -> None:
    for thread in threads:
        thread.join()
    while connections:
        connections.pop().close()


def _checkpoint(place: str, name: str) -> None:
    # Where this fails nothing is lost: the log is there, and the next commit tries again.
    with contextlib.suppress(ProjectError), contextlib.closing(connect(place, name)) as connection:
        connection.rows("PRAGMA wal_checkpoint(PASSIVE)")


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    connection.run("BEGIN IMMEDIATE")
    try:
        yield
        connection.run("COMMIT")
    except BaseException:
        # A full disk makes SQLite roll back by itself, and there is nothing left to do.
        with contextlib.suppress(ProjectError):
            connection.run("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextlib.contextmanager
def _flushing(log: Path) -> Iterator[None]:
    ended = threading.Event()
    thread = threading.Thread(target=_flush, args=(log, ended), name="nbannot-flush", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _flush(log: Path, ended: threading.Event) -> None:
    # Locks are on other files than the log, so that closing it here drops none.
    while hasattr(os, "fdatasync") and not ended.wait(FLUSH_S):
        with contextlib.suppress(OSError), log.open("rb") as file:
            os.fdatasync(file.fileno())
