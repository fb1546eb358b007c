"""The idx files of MNIST: numbers in an array of any dimensions, big endian, often gzipped."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from typing import Any, BinaryIO, cast

import numpy as np

from ..errors import BrokenFileError
from .limits import MIB, Limits

__all__ = ["IdxFile", "header", "idx_header"]

_BYTE = 0x08  # the type that images and labels have


def header(head: bytes) -> tuple[int, ...] | None:
    """Return the dimensions of an idx file of bytes, None if it is none, by its first bytes.

    >>> header(bytes([0, 0, 8, 1, 0, 0, 0, 5]))
    (5,)
    """
    if head[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(31).decompress(head, 64)
        except zlib.error:
            return None
    if len(head) < 8 or head[:2] != b"\0\0" or head[2] != _BYTE or not 1 <= head[3] <= 4:
        return None
    size = 4 + 4 * head[3]
    return struct.unpack(f">{head[3]}I", head[4:size]) if len(head) >= size else None


def idx_header(*shape: int) -> bytes:
    """Return the header of an idx file of bytes.

    >>> idx_header(5).hex()
    '0000080100000005'
    """
    return bytes([0, 0, _BYTE, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


class IdxFile:
    """An idx file of bytes: its `shape`, and its entries by number.

    Plain files are read entry by entry, gzipped ones as a whole, up to the size that the header
    says and no further.

    Raises:
        BrokenFileError: it is no idx file of bytes, or says that it is larger than it may be.
    """

    def __init__(self, stream: BinaryIO, name: str = "") -> None:
        gzipped = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        self._stream = cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if gzipped else stream
        self._name = name
        head = self._read(4)
        shape = header(head + self._read(4 * head[3])) if len(head) == 4 and head[3] <= 4 else None
        if shape is None:
            raise BrokenFileError("The file is no idx file of bytes", where=name)
        self.shape = shape
        self._start = 4 + 4 * len(shape)
        self._each = 1
        for count in shape[1:]:
            self._each *= count
        if self._each * shape[0] > Limits().member_bytes:
            raise BrokenFileError(f"The file claims {shape} values, which is too many", where=name)
        if gzipped:
            self._stream = io.BytesIO(self._read(self._each * shape[0]))
            self._start = 0
        size = self._stream.seek(0, io.SEEK_END) - self._start
        self.count = min(shape[0], size // self._each if self._each else 0)
        """Entries that are there in full; `shape` says how many there should be."""

    def _read(self, size: int) -> bytes:
        parts = []
        try:
            while size > 0 and (data := self._stream.read(min(size, 16 * MIB))):
                parts.append(data)
                size -= len(data)
        except (EOFError, zlib.error, OSError) as error:
            if not isinstance(error, EOFError):
                raise BrokenFileError(f"The file is damaged: {error}", where=self._name) from None
        return b"".join(parts)

    def __getitem__(self, number: int) -> Any:
        """Return an entry; IndexError where there is none."""
        if not 0 <= number < self.count:
            raise IndexError(f"there is no entry {number}")
        self._stream.seek(self._start + number * self._each)
        return np.frombuffer(self._read(self._each), np.uint8).reshape(self.shape[1:])
