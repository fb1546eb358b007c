"""Files that a browser sends, piece by piece."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from ..errors import OptionError, SourceError, printable
from .archive import is_archive, open_archive, refuse_other_archives
from .base import Listing, Source, missing
from .limits import Limits
from .local import unreadable
from .names import is_junk, relative_path

__all__ = ["UploadSource"]

AHEAD_BYTES = 64 * 1024 * 1024
"""How far a piece may come before its turn: pieces under way at once may overtake one another."""


class UploadSource(Source):
    """Files that are sent in pieces; a source once all are there and `finish` was called.

    The files lie in a private folder under names of our own (their numbers), which goes when the
    source is closed or no longer used. One archive becomes the archive; anything else, a folder.

    Args:
        files: ``(relative path, size in bytes)`` of each file. Where all lie in one folder, as in
            the upload of a folder, it gives the name, and the paths are relative to it.
        limits: how much may be sent, and how much an archive may unpack to.

    Raises:
        UnsafeSourceError: a path is absolute or climbs out with ``..``; there are too many files.
        OptionError: there are none, a size is negative, or two have one path.

    >>> upload = UploadSource([("pets/a.txt", 4), ("pets/b.txt", 0)])
    >>> upload.write(0, 0, b"ab"), upload.write(0, 2, b"cd")
    (2, 4)
    >>> upload.finish()
    >>> upload.name, list(upload.files), upload.read("a.txt")
    ('pets', ['a.txt', 'b.txt'], b'abcd')
    """

    def __init__(self, files: Sequence[tuple[str, int]], limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._paths, self.name = _paths([path for path, _ in files])
        self._alone = self._paths == [self.name]
        self._sizes = [size for _, size in files]
        self._check()
        self.uri = f"upload:{self.name}"
        self.code = repr(self.name)
        self._received = [0] * len(files)
        self._early: list[dict[int, bytes]] = [{} for _ in files]  # offset -> piece
        self._digests = [hashlib.sha256() for _ in files]
        self._lock = threading.Lock()
        self._inner: Source | None = None
        self._folder = tempfile.mkdtemp(prefix="nbannot-")
        self._forget = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def _check(self) -> None:
        self._limits.check_members(len(self._paths), self.name)
        for path, size in zip(self._paths, self._sizes, strict=True):
            if type(size) is not int or size < 0:
                raise OptionError(f"{printable(path)} can't have the size {printable(size)}")
        if len(set(self._paths)) < len(self._paths):
            twice = next(p for p in self._paths if self._paths.count(p) > 1)
            raise OptionError(f"Two of the files are called {printable(twice)!r}")
        if sum(self._sizes) > self._limits.total_bytes:
            raise SourceError(
                f"{self.name} has {sum(self._sizes):,} bytes, more than an upload may have "
                f"({self._limits.total_bytes:,})",
                hint="Copy it to the machine of the notebook, and give its path.",
            )

    # -- receiving ------------------------------------------------------------------------

    def write(self, file: int, offset: int, data: bytes) -> int:
        """Take a piece of a file; return how many bytes of it are there without a gap.

        Several pieces may be under way at once and overtake one another; one that is sent again
        is taken as the one that is there.

        Args:
            file: the number of the file, as given to the constructor.
            offset: where the piece belongs.
            data: the piece.

        Raises:
            OptionError: no such file, the piece is far ahead, or past its size.
            SourceError: it can't be stored (the disk is full).
        """
        if type(file) is not int or not 0 <= file < len(self._paths):
            raise OptionError(f"The upload has no file number {printable(file)}")
        with self._lock:
            path, due = self._paths[file], self._received[file]
            if self._inner is not None or not self._forget.alive:
                raise SourceError(f"The upload of {self.name} has ended", hint="Begin it again.")
            early = self._early[file]
            if type(offset) is int and 0 <= offset <= offset + len(data) <= due and data:
                return due  # sent again, because its acknowledgement was lost
            if type(offset) is not int or not due <= offset <= due + AHEAD_BYTES:
                raise OptionError(f"{path}: byte {due} was due, not byte {printable(offset)}")
            if offset + len(data) > self._sizes[file]:
                raise OptionError(f"{path} has {self._sizes[file]} bytes, and more were sent")
            early[offset] = data
            while (due := self._received[file]) in early:
                self._append(file, due, early[due])
                del early[due]
            return due

    def _append(self, file: int, due: int, data: bytes) -> None:
        try:
            # "r+b" at the offset: what a failed write left behind is written over.
            with open(self._place(file), "r+b" if due else "wb") as stream:
                stream.seek(due)
                stream.write(data)
        except OSError as error:
            self._early[file].clear()
            raise SourceError(
                f"{self._paths[file]} can't be stored in the temporary folder: {error.strerror}",
                hint="Make room in it, or name another in TMPDIR and restart the kernel.",
            ) from None
        self._digests[file].update(data)
        self._received[file] += len(data)

    def finish(self) -> None:
        """End the upload: from now on it is a source.

        Raises:
            SourceError: a file is not there in full, or is an archive of a kind that is not read.
        """
        with self._lock:
            for path, size, received in zip(self._paths, self._sizes, self._received, strict=True):
                if received < size:
                    raise SourceError(
                        f"{path} is not there in full: {received:,} of {size:,} bytes",
                        where=self.name,
                        hint="Upload it again.",
                    )
            self._inner = self._open()
            self.main = self._inner.main

    def _open(self) -> Source:
        if len(self._paths) == 1:
            path = self._paths[0]
            refuse_other_archives(path)
            if is_archive(path):
                return open_archive(self._place(0), name=self.name, limits=self._limits)
        places = {
            path: self._place(i)
            for i, path in enumerate(self._paths)
            if not any(is_junk(part) for part in path.split("/"))
        }
        for i, path in enumerate(self._paths):
            if not self._sizes[i] and path in places:
                open(places[path], "ab").close()
        return _Stored(places, self.name, self._paths[0] if self._alone else None)

    def _place(self, file: int) -> str:
        return os.path.join(self._folder, str(file))

    # -- being a source ---------------------------------------------------------------------

    @property
    def _source(self) -> Source:
        if self._inner is None:
            raise SourceError(f"The upload of {self.name} has not ended", hint="Wait for it.")
        return self._inner

    @property
    def files(self) -> Listing:
        """The files; those of the archive, where one archive was sent."""
        return self._source.files

    @property
    def notes(self) -> list[str]:
        """Remarks on the list of files."""
        return self._source.notes

    def _list(self) -> Iterable[str]:
        return self._source.files

    def open(self, path: str) -> BinaryIO:
        """Return the bytes of a file as a stream, to be closed by the caller."""
        return self._source.open(path)

    def read(self, path: str, limit: int | None = None) -> bytes:
        """Return the bytes of a file, or the first `limit` of them."""
        return self._source.read(path, limit)

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield ``(path, bytes)`` of each path, in the order that is cheapest."""
        return self._source.read_many(paths)

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes."""
        return self._source.size(path)

    def fingerprint(self) -> str:
        """Return a hash over the paths and the bytes that were sent."""
        whole = hashlib.sha256()
        digests = dict(zip(self._paths, self._digests, strict=True))
        for path in sorted(digests):
            whole.update(f"{path}\0{digests[path].hexdigest()}\0".encode())
        return f"sha256:{whole.hexdigest()}"

    def close(self) -> None:
        """Delete what was sent."""
        if self._inner is not None:
            self._inner.close()
        self._forget()


class _Stored(Source):
    """Files that lie under names of our own."""

    def __init__(self, places: dict[str, str], name: str, main: str | None) -> None:
        self._places, self.main = places, main
        self.name = self.uri = self.code = name

    def _list(self) -> Iterable[str]:
        return self._places

    def open(self, path: str) -> BinaryIO:
        if self.is_inside(path):
            return io.BytesIO(self.inside.read(path))
        if path not in self._places:
            raise missing(path, self)
        try:
            return open(self._places[path], "rb")
        except OSError as error:
            raise unreadable(error, path, self.name) from None

    def size(self, path: str) -> int | None:
        if path not in self._places:
            raise missing(path, self)
        return os.path.getsize(self._places[path])

    def fingerprint(self) -> str:
        raise NotImplementedError  # the upload hashed what it got


def _paths(given: Sequence[str]) -> tuple[list[str], str]:
    # The paths that the source lists, and its name.
    paths = [relative_path(path, "the upload", "file") for path in given]
    if not all(paths):
        raise OptionError("A file without a name can't be uploaded")
    if not paths:
        raise OptionError("The upload has no files")
    tops = {path.partition("/")[0] for path in paths}
    if len(tops) == 1 and all("/" in path for path in paths):
        top = tops.pop()
        return [path[len(top) + 1 :] for path in paths], top
    if len(paths) == 1:
        return paths, paths[0]
    return paths, f"{len(paths)} files"
