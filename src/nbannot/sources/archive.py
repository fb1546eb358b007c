"""Archives: which files are some, and what zip and tar have in common. Nothing is unpacked.

A member is read where it lies; its name never becomes a path on disk. A list that holds a name
or a member that would do harm is refused as a whole, before a byte of it is read.
"""

from __future__ import annotations

import io
import os
import threading
import weakref
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, BinaryIO, Generic, TypeVar

from ..errors import BrokenFileError, SourceError, UnsafeSourceError, printable
from .base import Source, missing
from .limits import Limits, Meter
from .names import is_junk, relative_path, shared_names, unused

__all__ = [
    "ArchiveSource",
    "Shared",
    "Window",
    "is_archive",
    "open_archive",
    "refuse_other_archives",
    "refused",
]

_ZIP = (".zip",)
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
_OTHERS = (".7z", ".rar", ".tar.zst", ".tzst", ".tar.lz4", ".tar.z")

Member = TypeVar("Member")


def is_archive(name: str) -> bool:
    """Say whether a file of this name is an archive that can be read.

    >>> [is_archive(name) for name in ("pets.ZIP", "pets.tar.gz", "brain.nii.gz", "pets.7z")]
    [True, True, False, False]
    """
    return name.lower().endswith(_ZIP + _TAR)


def refuse_other_archives(name: str) -> None:
    """Raise SourceError if a file of this name is an archive of a kind that is not read."""
    if name.lower().endswith(_OTHERS):
        raise SourceError(
            f"{name} is an archive of a kind that is not read",
            hint="Unpack it and open the folder, or pack it as .zip or .tar.gz.",
        )


def open_archive(
    path: str,
    where: str | None = None,
    *,
    name: str | None = None,
    limits: Limits | None = None,
) -> Source:
    """Open the archive at `path`; its name says what kind it is.

    Args:
        path: an existing file.
        where: the path as the user wrote it.
        name: what the user calls it, where the file is called otherwise (an upload).
        limits: how much it may unpack to.
    """
    from .tar_archive import TarSource
    from .zip_archive import ZipSource

    kind = ZipSource if (name or path).lower().endswith(_ZIP) else TarSource
    return kind(path, where, name=name, limits=limits)


def refused(source: str, member: str, why: str) -> UnsafeSourceError:
    """Return the error for an archive with a member that would do harm."""
    return UnsafeSourceError(
        f"{printable(member)} {why}, so nothing was read",
        where=source,
        hint="Unpack the archive with a tool you trust, and open the folder.",
    )


class ArchiveSource(Source, Generic[Member]):
    """What zip and tar share: names that are safe and distinct, members by name, limits."""

    def __init__(
        self,
        path: str,
        where: str | None = None,
        *,
        name: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._path = os.path.realpath(path)
        self.name = name or os.path.basename(path)
        self.uri = self._path
        self.code = repr(path if where is None else where)
        self._limits = limits or Limits()
        self._meter = Meter(self._limits, self.name)
        self._lock = threading.Lock()
        self._found: dict[str, Member] | None = None

    @abstractmethod
    def _scan(self) -> Iterable[tuple[str, Member]]:
        """Yield the name (as it is in the archive) and the place of each member that is a file."""

    @property
    def _members(self) -> dict[str, Member]:
        # Not a cached_property: two threads that list at once must get one set of notes.
        with self._lock:
            if self._found is None:
                self._found = self._collect()
            return self._found

    def _collect(self) -> dict[str, Member]:
        members: dict[str, Member] = {}
        twice: dict[str, int] = {}
        count = 0
        for name, member in self._scan():
            path = relative_path(name, self.name)
            count += 1
            self._limits.check_members(count, self.name)
            if not path or any(is_junk(part) for part in path.split("/")):
                continue
            if path in members:
                twice[path] = twice.get(path, 1) + 1
                path = unused(path, members)
            members[path] = member
        self.notes.extend(
            f"{number} members are called {printable(path)}; all are kept, the second is listed as "
            f"{printable(unused(path, {path: None}))}"
            for path, number in twice.items()
        )
        self.notes.extend(shared_names(list(members)))
        self._look_for_archives(members)
        return members

    def _look_for_archives(self, members: dict[str, Member]) -> None:
        inner = [path for path in members if path.lower().endswith(_ZIP + _TAR + _OTHERS)]
        if not inner:
            return
        some = ", ".join(printable(path, 80) for path in inner[:3]) + ("..." * (len(inner) > 3))
        if len(inner) == len(members):
            raise SourceError(
                f"{self.name} holds nothing but other archives ({some}), which are not opened",
                hint="Unpack it once, and open one of them.",
            )
        self.notes.append(f"Archives inside the archive are not opened: {some}")

    def _list(self) -> Iterable[str]:
        return self._members

    def _member(self, path: str) -> Member:
        member = self._members.get(path)
        if member is None:
            raise missing(path, self)
        return member

    def fingerprint(self) -> str:
        """Return the size and time of change of the archive."""
        stat = os.stat(self._path)
        return f"stat:{stat.st_size}:{stat.st_mtime_ns}"

    def broken(self, why: str, where: str = "") -> BrokenFileError:
        """Return the error for an archive that is damaged."""
        return BrokenFileError(
            f"{self.name} can't be read: {why}",
            where=where,
            hint="The file may be cut short or damaged: download or copy it again.",
        )


class Shared:
    """A file that several threads read at places of their own."""

    def __init__(self, file: BinaryIO | io.FileIO) -> None:
        self.file = file
        self.size = file.seek(0, io.SEEK_END)
        self._lock = threading.Lock()
        # Closed when nobody reads from it any more, not when the source is dropped.
        self.close = weakref.finalize(self, file.close)

    def read(self, place: int, size: int) -> bytes:
        """Return `size` bytes from `place` on; fewer only where the file ends."""
        parts = []
        with self._lock:
            self.file.seek(place)
            while size > 0 and (data := self.file.read(size)):  # at most 2 GiB at once
                parts.append(data)
                size -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class Window(io.RawIOBase):
    """The `size` bytes of a shared file from `start` on, as a file."""

    def __init__(self, shared: Shared, start: int, size: int) -> None:
        self._shared, self._start, self._size, self._at = shared, start, size, 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` from here on; return how many bytes there were."""
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        data = self._shared.read(self._start + self._at, wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
