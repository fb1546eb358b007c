"""Media that lie inside a file, as the images in a cell of a parquet file: their paths and bytes.

Such a path is the file's, then ``!/``, the kind of file, and the place in it:
``data/train.parquet!/parquet/image/17``. Every source reads it as if it were a file.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote, unquote

from ..errors import BrokenFileError, NbannotError, SourceError, printable

__all__ = ["INSIDE", "Cells", "Inside", "inside_path", "split_inside"]

INSIDE = "!/"
_KEPT_OPEN = 4


class Cells(Protocol):
    """One file with media inside, open."""

    def read(self, *place: str) -> bytes:
        """Return the bytes at a place; ValueError where there is none."""
        ...

    @property
    def close(self) -> Callable[[], Any]:
        """Closes the file."""
        ...


def inside_path(file: str, kind: str, *place: str | int) -> str:
    """Return the path of media inside `file`.

    >>> inside_path("train.parquet", "parquet", "image", 17)
    'train.parquet!/parquet/image/17'
    """
    return "/".join([f"{file}!", kind, *(quote(str(part), safe="") for part in place)])


def split_inside(path: str) -> tuple[str, str, list[str]]:
    """Return file, kind and place of a path that `inside_path` made.

    >>> split_inside("train.parquet!/parquet/image/17")
    ('train.parquet', 'parquet', ['image', '17'])
    """
    file, _, rest = path.rpartition(INSIDE)
    kind, *place = rest.split("/")
    return file, kind, [unquote(part) for part in place]


class Inside:
    """Reads media inside files, and keeps the last few files open.

    `open_file` returns the stream of a file, given its path; `stamp` what changes when it does.
    """

    def __init__(
        self, open_file: Callable[[str], BinaryIO], stamp: Callable[[str], object] | None = None
    ) -> None:
        self._open_file, self._stamp = open_file, stamp
        self._cells: OrderedDict[tuple[str, str, object], Cells] = OrderedDict()
        self._lock = threading.RLock()

    def read(self, path: str, limit: int | None = None) -> bytes:
        """Return the bytes of media inside a file, or the first `limit` of them.

        Raises:
            SourceError: the file is not there, or has nothing at that place.
            BrokenFileError: the file is damaged.
        """
        file, kind, place = split_inside(path)
        with self._lock:
            try:
                data = self._of(file, kind).read(*place)
            except NbannotError:
                raise
            except Exception as error:  # noqa: BLE001  damage makes decoders raise whatever
                raise SourceError(
                    f"There is no media at {printable(path)!r}: {printable(error)}"
                ) from None
        return data if limit is None else data[:limit]

    def _of(self, file: str, kind: str) -> Cells:
        from .cells import CELLS

        key = file, kind, self._stamp(file) if self._stamp else None
        found = self._cells.pop(key, None)
        if found is None:
            if kind not in CELLS:
                raise SourceError(f"There is no file {printable(file)!r} with media of {kind!r}")
            stream = self._open_file(file)
            try:
                found = CELLS[kind](stream)
            except NbannotError:
                stream.close()
                raise
            except Exception as error:  # noqa: BLE001  as above
                stream.close()
                raise BrokenFileError(f"The file can't be read: {error}", where=file) from None
        self._cells[key] = found
        while len(self._cells) > _KEPT_OPEN:
            self._cells.popitem(last=False)[1].close()
        return found

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            while self._cells:
                self._cells.popitem()[1].close()
