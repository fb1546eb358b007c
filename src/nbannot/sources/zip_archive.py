"""Zip archives, read by their central directory.

Beyond what `zipfile` checks: names (`names.relative_path`), links and devices, encryption,
members that overlap (CVE-2024-0450; Python checks this only since 3.12.2 and 3.11.8), and limits.
"""

from __future__ import annotations

import contextlib
import io
import stat
import sys
import weakref
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, BinaryIO, cast

from ..errors import BrokenFileError, SourceError, printable
from .archive import ArchiveSource, refused
from .inside import INSIDE
from .limits import MIB
from .local import unreadable

__all__ = ["ZipSource"]

_HEADER_BYTES = 30  # of a local header, without name and extra field
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UTF8 = 0x800
# What zipfile raises for damage of one kind or another.
_DAMAGE = (
    zipfile.BadZipFile, EOFError, IndexError, NotImplementedError, OverflowError, RuntimeError,
    ValueError, zlib.error,
)  # fmt: skip


class ZipSource(ArchiveSource[zipfile.ZipInfo]):
    """A zip archive; `_path` is the file."""

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        try:
            # Unbuffered: half the time where only the heads of members are read.
            file = open(self._path, "rb", buffering=0)  # noqa: SIM115  closed with the ZipFile
        except OSError as error:
            raise unreadable(error, self.name, self.name) from None
        with contextlib.ExitStack() as undone:
            undone.callback(file.close)
            try:
                self._limits.check_members(_declared_count(file), self.name)
                opened = zipfile.ZipFile(cast(BinaryIO, file))
            except (*_DAMAGE, LookupError, OSError) as error:
                raise self.broken(_damage(file, error)) from None
            # Readers hold the ZipFile: the file closes when the last of them is gone.
            weakref.finalize(opened, undone.pop_all().close)
        return opened

    def _scan(self) -> Iterator[tuple[str, zipfile.ZipInfo]]:
        infos = self._zip.infolist()
        for info in infos:
            self._check(info)
        self._check_overlap(infos)
        for info in infos:
            name = _name(info)
            if not name.endswith(("/", "\\")):
                yield name, info

    def _check(self, info: zipfile.ZipInfo) -> None:
        if info.flag_bits & _ENCRYPTED:
            raise refused(self.name, info.orig_filename, "is encrypted")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            what = "a link" if kind == stat.S_IFLNK else "a device or pipe"
            raise refused(self.name, info.orig_filename, f"is {what}")

    def _check_overlap(self, infos: Sequence[zipfile.ZipInfo]) -> None:
        # Members that quote one another make a small archive unpack to any size.
        places = sorted(infos, key=lambda info: info.header_offset)
        ends = [info.header_offset for info in places[1:]] + [self._zip.start_dir]
        for info, end in zip(places, ends, strict=False):
            name_bytes = len(info.orig_filename)  # at least
            if info.header_offset + _HEADER_BYTES + name_bytes + info.compress_size > end:
                raise refused(self.name, info.orig_filename, "overlaps another member")

    def open(self, path: str) -> BinaryIO:
        """Return the bytes of a member as a stream, to be closed by the caller."""
        if self.is_inside(path):
            return io.BytesIO(self.inside.read(path))
        info = self._member(path)
        return cast(BinaryIO, io.BufferedReader(_Reader(self, path, info), 64 * 1024))

    def read(self, path: str, limit: int | None = None) -> bytes:
        """Return the bytes of a member, or the first `limit` of them."""
        if self.is_inside(path):
            return self.inside.read(path, limit)
        info = self._member(path)
        reader = _Reader(self, path, info)
        with reader:
            if limit is not None:
                return reader.take(limit)
            self._meter.count(path, info.file_size)  # before memory is taken for it
            parts = []
            while data := reader.take(4 * MIB):
                parts.append(data)
            return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield ``(path, bytes)`` of each path, in the order in which they lie in the archive."""
        if any(self.is_inside(path) for path in paths):
            yield from super().read_many(paths)
            return
        for path in sorted(paths, key=lambda p: self._member(p).header_offset):
            yield path, self.read(path)

    def size(self, path: str) -> int | None:
        """Return the size of a member in bytes."""
        return self._member(path).file_size

    def link(self, path: str) -> str | None:
        """Return ``zip:///folder/pets.zip!/path``."""
        self._member(path.rpartition(INSIDE)[0] if self.is_inside(path) else path)
        return f"zip://{self._path}!/{path}"

    def close(self) -> None:
        """Let go of the archive; it opens again when it is read again."""
        self.inside.close()
        self.__dict__.pop("_zip", None)


class _Reader(io.RawIOBase):
    """The bytes of one member, counted as they are produced."""

    def __init__(self, source: ZipSource, path: str, info: zipfile.ZipInfo) -> None:
        self._source, self._path, self._info = source, path, info
        self._at = self._most = 0
        # Said, not produced: but zipfile ends at the size that is said, and checks the sum there.
        source._meter.check_ratio(path, info.file_size, info.compress_size)  # noqa: SLF001
        with _explained(self._source, self._path):
            self._stream = source._zip.open(info)  # noqa: SLF001  of one module

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def take(self, size: int) -> bytes:
        """Return the next bytes, `size` of them unless the member ends."""
        with _explained(self._source, self._path):
            data = self._stream.read(size)
        self._at += len(data)
        self._most = max(self._most, self._at)
        self._source._meter.count(self._path, self._most)  # noqa: SLF001
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.take(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._info.file_size}[whence]
        target = min(max(base + offset, 0), self._info.file_size)
        if target < self._at:
            with _explained(self._source, self._path):
                self._stream.seek(target)
            self._at = target
        while self._at < target and self.take(min(target - self._at, MIB)):
            pass
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        if not self.closed and hasattr(self, "_stream"):
            self._stream.close()
        super().close()


@contextlib.contextmanager
def _explained(source: ZipSource, path: str) -> Iterator[None]:
    # Turns what zipfile raises about a member into our own errors.
    try:
        yield
    except NotImplementedError as error:
        raise SourceError(
            f"{printable(path)} is compressed in a way that Python does not know ({error})",
            where=source.name,
            hint="Unpack the archive with another tool, and open the folder.",
        ) from None
    except _DAMAGE as error:
        why = str(error) or type(error).__name__
        raise BrokenFileError(
            f"{printable(path)} can't be read: {why}",
            where=source.name,
            hint="The archive may be damaged: download or copy it again.",
        ) from None
    except OSError as error:
        raise unreadable(error, path, source.name) from None


def _name(info: zipfile.ZipInfo) -> str:
    # `orig_filename` is uncut; `filename` ends at a NUL. A name without the UTF-8 mark is read as
    # code page 437, though many tools write UTF-8 without the mark.
    name = info.orig_filename
    if info.flag_bits & _UTF8 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _damage(file: io.FileIO, error: Exception) -> str:
    file.seek(0)
    if file.read(2) != b"PK":
        return "it is not a zip archive"
    if "not a zip" in str(error):
        return "its end, where the list of its members stands, is missing"
    return str(error) or type(error).__name__


def _declared_count(file: io.FileIO) -> int:
    # The count in the end record, before zipfile makes an object for each member.
    file.seek(max(file.seek(0, io.SEEK_END) - 65_557, 0))
    tail = file.read(65_557)
    end = tail.rfind(b"PK\x05\x06")
    count = int.from_bytes(tail[end + 10 : end + 12], "little") if end >= 0 else 0
    if count == 0xFFFF and tail[max(end - 20, 0) : end].startswith(b"PK\x06\x07"):
        file.seek(min(int.from_bytes(tail[end - 12 : end - 4], "little"), sys.maxsize))
        record = file.read(40)
        if record.startswith(b"PK\x06\x06"):
            count = int.from_bytes(record[32:40], "little")
    return count
