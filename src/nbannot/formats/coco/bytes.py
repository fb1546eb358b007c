"""The bytes of a large file, in memory that can be given back bit by bit.

A file of 400 MB is needed whole while it is split, and less and less of it afterwards. A `bytes`
is freed as a whole; anonymous memory is given back page by page, as its records are read. It is
a copy: a file that is cut or changed meanwhile, or a network that fails, is an error here and now,
not a killed process later, as it would be with a mapped file.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

from ...sources.base import Source

__all__ = ["LARGE", "Buffer", "address", "is_ascii", "let_go", "read_buffer"]

Buffer = bytes | mmap.mmap

LARGE = 32 << 20
"""From this size on, in bytes, it is worth to take trouble with a file."""
_SLICE = 1 << 22


def read_buffer(source: Source, path: str) -> Buffer:
    """Return the content of a file."""
    size = source.size(path)
    if size is None or size < LARGE or not hasattr(mmap, "MADV_DONTNEED"):
        return source.read(path)
    try:
        data = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        return source.read(path)
    done = 0
    with source.open(path) as stream:
        while piece := stream.read(_SLICE):
            if done + len(piece) > size:
                return source.read(path)  # not the size that it was said to have
            data[done : done + len(piece)] = piece
            done += len(piece)
    return data if done == size else data[:done]


def let_go(data: Buffer, begin: int, end: int) -> None:
    """Give back the memory of bytes that are not needed any more; they become zeros, or stay."""
    if isinstance(data, mmap.mmap):
        first = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE
        last = end // mmap.PAGESIZE * mmap.PAGESIZE
        if last > first:
            data.madvise(mmap.MADV_DONTNEED, first, last - first)


def is_ascii(data: Buffer) -> bool:
    """Say whether no byte is above 127."""
    if isinstance(data, bytes):
        return data.isascii()
    return all(data[i : i + _SLICE].isascii() for i in range(0, len(data), _SLICE))


def address(data: Any) -> int:
    """Return where in memory a buffer (or a part of one) begins."""
    place: int = np.frombuffer(data, np.uint8).__array_interface__["data"][0] if len(data) else 0
    return place
