"""Tar archives, plain or compressed.

The headers are read here and not by `tarfile`, whose reader loops for ever on a negative size
(CVE-2025-8194), takes minutes on some headers (CVE-2024-6232), and takes a damaged header for the
end of the archive. Rules: POSIX.1-2001 (ustar, pax) and GNU tar's long names.
https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
https://www.gnu.org/software/tar/manual/html_node/Standard.html

A compressed archive is decompressed once, into memory up to 32 MiB and beyond that into a
temporary file without a name; from there its members are read at their places, as those of a
plain archive are.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import BinaryIO, NamedTuple, cast

from ..errors import SourceError
from .archive import ArchiveSource, Shared, Window, refused
from .inside import INSIDE
from .limits import MIB
from .local import unreadable

__all__ = ["TarSource"]

BLOCK = 512
KEPT_IN_MEMORY = 32 * MIB
MAX_SIZE = 10**18  # far beyond any file, and a place to which a file can still be asked to go
MAX_NAME_RECORD = MIB  # of a pax header or a GNU long name

_OPENERS: dict[bytes, Callable[[BinaryIO], BinaryIO]] = {
    b"\x1f\x8b": lambda raw: cast(BinaryIO, gzip.GzipFile(fileobj=raw)),
    b"BZh": lambda raw: cast(BinaryIO, bz2.BZ2File(raw)),
    b"\xfd7zXZ": lambda raw: cast(BinaryIO, lzma.LZMAFile(raw)),  # noqa: SIM115
}
_FILES = (b"0", b"\0", b"7")
_RECORDS = (b"x", b"X", b"g", b"L", b"K")  # they speak of the member that follows
_LINKS = {b"1": "a hard link", b"2": "a symbolic link"}
_DEVICES = {b"3": "a device", b"4": "a device", b"6": "a pipe", b"S": "a sparse file"}


class _Member(NamedTuple):
    start: int
    size: int  # bytes


class TarSource(ArchiveSource[_Member]):
    """A tar archive; `_path` is the file."""

    _content: Shared | None = None
    _compressed = False

    def _scan(self) -> Iterator[tuple[str, _Member]]:
        shared = self._open()
        names = _Names()
        place = 0
        while (block := shared.read(place, BLOCK)).count(0) < len(block):  # until a block of zeros
            kind, name, size, link = self._header(block, place)
            start = place + BLOCK
            if kind in _RECORDS:
                if size > MAX_NAME_RECORD:
                    raise self.broken(f"it holds a name of {size:,} bytes", f"byte {place}")
                names.add(kind, shared.read(start, size), partial(self._bad, place))
            else:
                name, size = names.apply(name, size, partial(self._bad, place))
                self._check_kind(kind, name, link, names.sparse)
                if kind in _FILES and not name.endswith("/"):
                    if start + size > shared.size:
                        raise self.broken(f"it ends in the middle of {name}")
                    yield name, _Member(start, size)
                elif kind not in (*_FILES, b"5"):
                    self.notes.append(f"{name} is a member of an unknown kind, and was left out")
                names = _Names(names.shared)
            place = start + -(-size // BLOCK) * BLOCK
        if not block and place == 0:
            raise self.broken("it is empty")
        if not block:
            self.notes.append(f"{self.name} has no mark at its end, so it may have been cut short")

    def _bad(self, place: int) -> Exception:
        why = "it is not a tar archive" if place == 0 else "a header in it is damaged"
        return self.broken(why, f"byte {place}")

    def _header(self, block: bytes, place: int) -> tuple[bytes, str, int, str]:
        try:
            size, checksum = _number(block[124:136]), _number(block[148:156])
            rest = block[:148] + block[156:]
            right = len(block) == BLOCK and (
                checksum == 256 + sum(rest)
                # Old writers summed signed bytes.
                or checksum == 256 + sum(rest) - 256 * sum(byte > 127 for byte in rest)
            )
            if not right or not 0 <= size < MAX_SIZE:
                raise ValueError
        except ValueError:
            raise self._bad(place) from None
        name = _text(block[:100])
        # GNU tar has other fields where ustar has the prefix.
        if block[257:263] == b"ustar\0" and block[345]:
            name = f"{_text(block[345:500])}/{name}"
        return block[156:157], name, size, _text(block[157:257])

    def _check_kind(self, kind: bytes, name: str, link: str, sparse: bool) -> None:
        if kind in _LINKS:
            raise refused(self.name, name, f"is {_LINKS[kind]} to {link}")
        if kind in _DEVICES or sparse:
            raise refused(self.name, name, f"is {_DEVICES.get(kind, 'a sparse file')}")

    # -- bytes --------------------------------------------------------------------------

    def _open(self) -> Shared:
        if self._content is None:
            try:
                # Unbuffered: what is read is either a block of 512 bytes, or all that is wanted.
                raw = open(self._path, "rb", buffering=0)  # noqa: SIM115  closed by Shared
            except OSError as error:
                raise unreadable(error, self.name, self.name) from None
            head = raw.read(6)
            raw.seek(0)
            opener = next((o for magic, o in _OPENERS.items() if head.startswith(magic)), None)
            if opener is None:
                self._content = Shared(raw)
            else:
                self._compressed = True
                with raw:
                    self._content = self._decompress(opener(raw), raw)
        return self._content

    def _decompress(self, stream: BinaryIO, raw: BinaryIO) -> Shared:
        stored = os.path.getsize(self._path)
        spool = cast(BinaryIO, tempfile.SpooledTemporaryFile(KEPT_IN_MEMORY))  # noqa: SIM115
        produced = 0
        try:
            while data := stream.read(MIB):
                produced += len(data)
                self._limits.check_stream(produced, raw.tell(), self.name)
                spool.write(data)
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, ValueError) as error:
            spool.close()
            raise self.broken(f"its compressed data is damaged: {error}") from None
        except OSError as error:
            spool.close()
            if error.errno is None:  # bz2 says "Invalid data stream" so
                raise self.broken(f"its compressed data is damaged: {error}") from None
            raise SourceError(
                f"{self.name} ({stored:,} bytes) can't be unpacked into the temporary folder: "
                f"{error.strerror}",
                hint="Make room in it, name another in TMPDIR, or unpack the archive yourself.",
            ) from None
        except BaseException:
            spool.close()
            raise
        return Shared(spool)

    def open(self, path: str) -> BinaryIO:
        """Return the bytes of a member as a stream, to be closed by the caller."""
        if self.is_inside(path):
            return io.BytesIO(self.inside.read(path))
        member = self._member(path)
        self._meter.count(path, member.size)
        return cast(BinaryIO, io.BufferedReader(Window(self._open(), *member)))

    def read(self, path: str, limit: int | None = None) -> bytes:
        """Return the bytes of a member, or the first `limit` of them."""
        if self.is_inside(path):
            return self.inside.read(path, limit)
        start, size = self._member(path)
        wanted = size if limit is None else min(size, limit)
        self._meter.count(path, wanted)
        return self._open().read(start, wanted)

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield ``(path, bytes)`` of each path, in the order in which they lie in the archive."""
        if any(self.is_inside(path) for path in paths):
            yield from super().read_many(paths)
            return
        for path in sorted(paths, key=lambda p: self._member(p).start):
            yield path, self.read(path)

    def size(self, path: str) -> int | None:
        """Return the size of a member in bytes."""
        return self._member(path).size

    def link(self, path: str) -> str | None:
        """Return ``tar:///folder/pets.tar!/path``; None for a compressed archive."""
        self._member(path.rpartition(INSIDE)[0] if self.is_inside(path) else path)
        return None if self._compressed else f"tar://{self._path}!/{path}"

    def close(self) -> None:
        """Let go of the archive; it opens again when it is read again."""
        self.inside.close()
        with self._lock:
            if self._content is not None:
                self._content.close()
            self._content, self._found = None, None


class _Names:
    """What the records in front of a member say of it: pax headers and GNU long names."""

    def __init__(self, shared: dict[str, str] | None = None) -> None:
        self.shared = dict(shared or {})  # of all members that follow
        self._own: dict[str, str] = {}

    def add(self, kind: bytes, data: bytes, bad: Callable[[], Exception]) -> None:
        if kind == b"L":
            self._own["path"] = _text(data)
        elif kind != b"K":  # the target of a link, and links are refused
            (self.shared if kind == b"g" else self._own).update(_pax(data, bad))

    def apply(self, name: str, size: int, bad: Callable[[], Exception]) -> tuple[str, int]:
        said = {**self.shared, **self._own}
        text = said.get("size", str(size))
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise bad()
        return said.get("path", name), int(text)

    @property
    def sparse(self) -> bool:
        return any(key.startswith("GNU.sparse.") for key in (*self.shared, *self._own))


def _pax(data: bytes, bad: Callable[[], Exception]) -> dict[str, str]:
    # Records "17 path=images/a\n": the number counts the whole record.
    found: dict[str, str] = {}
    place = 0
    while place < len(data):
        blank = data.find(b" ", place, place + 20)
        length = data[place:blank]
        if blank < 0 or not length.isdigit() or place + int(length) > len(data):
            raise bad()
        record = data[blank + 1 : place + int(length)]
        if not record.endswith(b"\n") or int(length) <= blank - place or b"=" not in record:
            raise bad()
        key, _, value = record[:-1].partition(b"=")
        found[_utf8(key)] = _utf8(value)
        place += int(length)
    return found


def _number(field: bytes) -> int:
    # Octal digits; or, with the top bit set, a signed number in base 256.
    if field[0] & 0x80:
        number = int.from_bytes(field, "big", signed=False) & ((1 << (8 * len(field) - 1)) - 1)
        return number - (1 << (8 * len(field) - 1)) if field[0] & 0x40 else number
    digits = field.partition(b"\0")[0].strip(b" ")
    return int(digits, 8) if digits else 0


def _text(field: bytes) -> str:
    return _utf8(field.partition(b"\0")[0])


def _utf8(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
