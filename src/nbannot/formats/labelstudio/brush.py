"""Label Studio's run-length code of brush masks (thi.ng's rle-pack), to and from masks.

A stream of bits, most significant first: 32 bits number of values, 5 bits size of a value less 1,
four times 4 bits size of a length less 1; then packets: 1 bit run or literal, 2 bits which size of
length, the length less 1, and one value or as many as the length says. The values are the image's
RGBA bytes, row by row; the mask is where alpha is not 0.
Rules: label-studio-sdk 2.1, converter/brush.py, and @thi.ng/rle-pack.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_PIXELS", "decode_brush", "encode_brush"]

Mask = NDArray[np.uint8]

MAX_PIXELS = 178_956_970
"""Masks of more pixels are refused (as Pillow refuses images)."""

_LENGTH_BITS = (3, 4, 8, 16)
_SHORT = 64


def decode_brush(rle: Sequence[int] | bytes, height: int, width: int) -> tuple[Mask, bool]:
    """Return the mask, shape (height, width), values 0 and 1, and whether its edge is soft.

    Soft: alpha has values other than 0 and 255.

    Raises:
        ValueError: it is not such a code, or of an image of another size.
    """
    if not 0 < height * width <= MAX_PIXELS:
        raise ValueError(f"a mask of {width}x{height} pixels is refused")
    data = bytes(rle)
    count, at = int.from_bytes(data[:4], "big"), 32
    if count != height * width * 4:
        raise ValueError(f"it codes {count // 4} pixels, but the image has {width}x{height}")
    padded = data + bytes(16)
    end = len(data) * 8

    def bits(place: int, size: int) -> int:
        word = int.from_bytes(padded[place >> 3 : (place >> 3) + 8], "big")
        return (word >> (64 - (place & 7) - size)) & ((1 << size) - 1)

    word_bits = bits(at, 5) + 1
    if word_bits != 8:
        raise ValueError(f"its values have {word_bits} bits instead of 8")
    sizes = [bits(at + 5 + 4 * i, 4) + 1 for i in range(4)]
    at += 21
    alpha = bytearray(height * width)
    i = 0
    while i < count:
        head = bits(at, 19)  # run bit, size index and the longest length
        size = sizes[head >> 16 & 3]
        is_run, length = head >> 18, (head >> (16 - size) & ((1 << size) - 1)) + 1
        at += 3 + size
        stop = min(i + length, count)
        if at + (8 if is_run else 8 * length) > end:
            raise ValueError(f"it ends after {i} of {count} values")
        first = (3 - i) % 4  # value 4k+3 is the alpha of pixel k
        if is_run:
            value = bits(at, 8)
            if value:
                alpha[i // 4 : stop // 4] = bytes([value]) * (stop // 4 - i // 4)
            at += 8
        elif length <= _SHORT:
            for k in range(first, stop - i, 4):
                alpha[(i + k) // 4] = bits(at + 8 * k, 8)
            at += 8 * length
        else:
            values = _unaligned(padded, at, length)[: stop - i][first::4]
            alpha[i // 4 : i // 4 + len(values)] = values.tobytes()
            at += 8 * length
        i = stop
    found = np.frombuffer(alpha, np.uint8)
    soft = bool(((found != 0) & (found != 255)).any())
    mask: Mask = (found != 0).astype(np.uint8).reshape(height, width)
    return mask, soft


def _unaligned(data: bytes, at: int, count: int) -> Mask:
    # `count` bytes that begin at bit `at`.
    shift = at & 7
    part = np.frombuffer(data, np.uint8, count + 1, at >> 3).astype(np.uint16)
    return ((part[:-1] << shift | part[1:] >> (8 - shift)) & 0xFF).astype(np.uint8)


def encode_brush(mask: Mask) -> list[int]:
    """Return the code of a mask (non-zero is inside): its bytes, as JSON holds them.

    >>> mask = np.array([[0, 1, 1], [0, 0, 1]], np.uint8)
    >>> decode_brush(encode_brush(mask), 2, 3)[0].tolist()
    [[0, 1, 1], [0, 0, 1]]
    """
    flat = np.asarray(mask).ravel() != 0
    edges = np.flatnonzero(np.diff(flat)) + 1
    bounds = np.concatenate([[0], edges, [len(flat)]])
    lengths, values = np.diff(bounds) * 4, flat[bounds[:-1]]
    # A run is at most 2**16 long: cut the longer ones.
    pieces = -(-lengths // 65536)
    values = np.repeat(values, pieces)
    cut = np.full(int(pieces.sum()), 65536)
    last = np.cumsum(pieces) - 1
    cut[last] = lengths - (pieces - 1) * 65536
    which = np.searchsorted([8, 16, 256], cut, side="left")
    size = np.array(_LENGTH_BITS)[which]
    # run bit, size index, length, value: from 14 to 27 bits, left-aligned in 32.
    packets = (((np.int64(4) | which) << size | (cut - 1)) << 8) | np.where(values, 255, 0)
    used = 11 + size
    aligned = (packets << (32 - used)).astype(">u4")
    spread = np.unpackbits(aligned.view(np.uint8)).reshape(-1, 32)
    stream = spread[np.arange(32) < used[:, None]]
    header = (len(flat) * 4) << 21 | 7 << 16 | 0x2 << 12 | 0x3 << 8 | 0x7 << 4 | 0xF
    head = [(header >> k) & 1 for k in range(52, -1, -1)]
    out: list[int] = np.packbits(np.concatenate([np.array(head, np.uint8), stream])).tolist()
    return out
