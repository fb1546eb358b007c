"""Giving a file to its reader: plain images as columns (`plain`), all else to the parser.

The parser gets a file but for its plain images, and for each of those as many line breaks and
spaces as it has, so that it knows where it is. Parts are plain only where it is between the
elements of ``<annotations>``: in a comment, say, nothing is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from .file import FileReader
from .plain import IMAGE, Images, Part, parse
from .xml import named_errors

__all__ = ["read_pieces"]

PIECE = 1 << 21
"""Bytes that are read at once."""

_LONGEST = 16 * PIECE
_CHUNK = 1 << 18
_MOST_TURNS = 50
_END = b"</annotations"
# What says that bytes are anything but UTF-8.
_OTHER = re.compile(rb"\s*<\?xml(?![^>]*encoding\s*=\s*[\"'](?i:utf-8|us-ascii)[\"'])[^>]*encoding")


def read_pieces(file: FileReader, stream: BinaryIO) -> Iterator[int]:
    """Read a file; yield the number of bytes after each part of it.

    Raises:
        BrokenFileError: it is not XML; says at which line.
    """
    feed = _Feed(file)
    for piece in _pieces(stream):
        header = file.header
        typed = {label: known for label, known in header.values.items() if known}
        for part in parse(piece, typed):
            if part.images is None or file.header is not header or not feed.is_ready:
                yield from feed.text(piece[part.start : part.stop])
            else:
                yield from feed.images(piece, part, part.images)
    feed.end()


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    # What comes before the first image, pieces of whole images, what comes after the last.
    rest = b""
    find = bytes.find
    while block := stream.read(PIECE):
        rest += block
        cut = find(rest, IMAGE)
        find = bytes.rfind
        if cut == 0 and len(rest) < _LONGEST:
            continue
        cut = cut if cut > 0 else len(rest)
        yield rest[:cut]
        rest = rest[cut:]
    cut = max(rest.rfind(_END), 0)
    yield rest[:cut]
    yield rest[cut:]


class _Feed:
    """Feeds the parser of a file."""

    def __init__(self, file: FileReader) -> None:
        self._file = file
        self._fed = 0
        self._is_utf8: bool | None = None

    @property
    def is_ready(self) -> bool:
        """Is what comes next in ``<annotations>``, and in nothing else?"""
        return bool(
            self._is_utf8 and self._file.parser.CurrentByteIndex == self._fed and self._file.rests
        )

    def text(self, text: bytes) -> Iterator[int]:
        """Have the parser read a text."""
        if self._is_utf8 is None:
            self._is_utf8 = _OTHER.match(text) is None and text[:1] in (b"<", b"\xef")
        if b"<![" in text:  # in CDATA, nothing is an element
            self._is_utf8 = False
        for start in range(0, len(text), _CHUNK):
            chunk = text[start : start + _CHUNK]
            self._parse(chunk)
            self._file.count()
            yield len(chunk)

    def end(self) -> None:
        """Have the parser say if something is missing."""
        self._parse(b"", is_last=True)

    def _parse(self, text: bytes, *, is_last: bool = False) -> None:
        with named_errors(self._file.path):
            self._file.parser.Parse(text, is_last)
        self._fed += len(text)

    def images(self, piece: bytes, part: Part, images: Images) -> Iterator[int]:
        """Add plain images, and have the parser read those between them that are odd."""
        starts = [*(images.starts + part.start).tolist(), part.stop]
        place = turns = 0
        while place < len(images.names):
            begin, place = place, self._file.take(images, place)
            if place > begin:
                self._pass(piece, starts[begin], starts[place])
                self._file.count()
                yield starts[place] - starts[begin]
            begin, turns = place, turns + 1
            while place < len(images.names) and (place == begin or images.is_odd[place]):
                place += 1
            yield from self.text(piece[starts[begin] : starts[place]])
            if turns > _MOST_TURNS or not self.is_ready:
                yield from self.text(piece[starts[place] : part.stop])
                return

    def _pass(self, piece: bytes, start: int, stop: int) -> None:
        lines = piece.count(b"\n", start, stop)
        after = max(piece.rfind(b"\n", start, stop) + 1, start)
        self._parse(b"\n" * lines + b" " * len(piece[after:stop].decode()))
