"""Tables in memory: pandas, polars, pyarrow, and whatever speaks Arrow's C stream protocol."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import Any, BinaryIO

import pyarrow as pa

from ..errors import SourceError, printable
from ..media.kinds import KIND_OF_SUFFIX, suffix
from .base import Source, missing
from .links import is_url, without_secrets
from .local import unreadable

__all__ = ["TableSource", "is_table"]


class TableSource(Source):
    """A DataFrame or Arrow table. It has no files of its own.

    Media that its cells name is found on this machine: `open`, `read` and `link` take an absolute
    path, or one relative to the folder that was current when the source was opened. Only files
    with a suffix of an image, video or sound are given: a table may come from anywhere, and
    ``/etc/passwd`` in one is not its media.

    Args:
        table: a pandas or polars DataFrame, a pyarrow Table, RecordBatch or RecordBatchReader, or
            any object with ``__arrow_c_stream__``. An index that is not just 0, 1, 2 ... is kept
            as a column.
        name: of the variable.

    Raises:
        SourceError: it can't become an Arrow table; the message names the column.
    """

    def __init__(self, table: Any, name: str = "df") -> None:
        self.name = self.code = name
        self.uri = f"table:{name}"
        self._table = _plain(_to_arrow(table, name))
        self._folder = os.getcwd()

    def _list(self) -> Iterable[str]:
        return ()

    def table(self) -> pa.Table:
        """Return the table, its text columns as ``string``, without metadata."""
        return self._table

    def _place(self, path: str) -> str:
        if is_url(path):
            raise SourceError(
                f"{without_secrets(path)} is a link, and links are not fetched", where=self.name
            )
        place = os.path.join(self._folder, path)
        if suffix(path) not in KIND_OF_SUFFIX or "\0" in path or not os.path.isfile(place):
            raise missing(path, self)
        return os.path.abspath(place)

    def open(self, path: str) -> BinaryIO:
        """Return the bytes of a media file as a stream, to be closed by the caller."""
        place = self._place(path)
        try:
            return open(place, "rb")
        except OSError as error:
            raise unreadable(error, path, self.name) from None

    def size(self, path: str) -> int | None:
        """Return the size of a media file in bytes."""
        return os.path.getsize(self._place(path))

    def link(self, path: str) -> str | None:
        """Return the absolute path of a media file of this machine, None where there is none."""
        try:
            return self._place(path)
        except SourceError:
            return None

    def fingerprint(self) -> str:
        """Return a hash over the columns' Arrow IPC bytes."""
        sink = _Hash()
        for name, column in zip(self._table.column_names, self._table.columns, strict=True):
            # What lies in memory under a null is chance: where values are, and the values.
            for part in (column.is_valid(), column.drop_null()):
                rows = pa.table([part], names=[name]).combine_chunks()
                with pa.ipc.new_stream(pa.PythonFile(sink, "w"), rows.schema) as writer:
                    writer.write_table(rows, max_chunksize=65_536)
        return f"sha256:{sink.digest.hexdigest()}"


class _Hash:
    # A file that keeps nothing but the hash of what was written to it.
    closed = False

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def is_table(thing: object) -> bool:
    """Say whether `thing` is a table that `TableSource` takes."""
    return _is_pandas(thing) or any(
        hasattr(thing, name) for name in ("__arrow_c_stream__", "__arrow_c_array__")
    )


def _is_pandas(thing: object) -> bool:
    # By name, so that pandas need not be imported; a subclass (GeoDataFrame) is one too.
    names = {(c.__module__.partition(".")[0], c.__name__) for c in type(thing).__mro__}
    return ("pandas", "DataFrame") in names


def _to_arrow(table: Any, name: str) -> pa.Table:
    if isinstance(table, pa.Table):
        return table
    try:
        if _is_pandas(table):
            return _from_pandas(table, name)
        if isinstance(table, pa.RecordBatch):
            return pa.Table.from_batches([table])
        return _from_stream(table)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise SourceError(
            f"{name} can't be read as a table: {error}", hint="Give a table with named columns."
        ) from None


def _from_stream(table: Any) -> pa.Table:
    try:
        return pa.table(table)
    except pa.ArrowInvalid:  # a type that an older pyarrow does not know; polars has another way
        if type(table).__module__.partition(".")[0] != "polars":
            raise
        return pa.table(table.to_arrow())


def _from_pandas(frame: Any, name: str) -> pa.Table:
    # An index of one's own is data (often the file's name); 0, 1, 2 ... is not.
    index = frame.index
    plain = index.nlevels == 1 and index.name is None and type(index).__name__ == "RangeIndex"
    if not (plain and index.start == 0 and index.step == 1):
        frame = frame.reset_index()
    names = [str(column) for column in frame.columns]
    twice = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise SourceError(
            f"{name} has two columns called {twice[0]!r}", hint="Give each column its own name."
        )
    arrays = []
    for position, column in enumerate(names):
        try:
            arrays.append(pa.array(frame.iloc[:, position], from_pandas=True))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise SourceError(
                f"Column {column!r} of {name} can't be read: {str(error).splitlines()[0]}",
                hint=f"Give it one type, for example with {printable(name)}[{column!r}]"
                ".astype(str), or leave it out.",
            ) from None
    return pa.table(arrays, names=names)


def _plain(table: pa.Table) -> pa.Table:
    # polars gives string_view, some give large_string: readers get string, whatever the library.
    columns = [_plain_column(column) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = _plain_type(column.type)
    if kind == column.type:
        return column
    try:
        if pa.types.is_dictionary(column.type):
            chunks = [chunk.dictionary.cast(kind).take(chunk.indices) for chunk in column.chunks]
            return pa.chunked_array(chunks, kind)
        return column.cast(kind)
    except pa.ArrowException:  # more than 2 GiB of text in one chunk, or a rare type
        return column


_PLAIN = {
    "large_string": pa.string(),
    "string_view": pa.string(),
    "large_binary": pa.binary(),
    "binary_view": pa.binary(),
}


def _plain_type(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if str(kind) in _PLAIN:  # by name: pyarrow 14 knows no views
        return _PLAIN[str(kind)]
    if types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    if types.is_struct(kind):
        return pa.struct([pa.field(f.name, _plain_type(f.type)) for f in kind])
    return kind
