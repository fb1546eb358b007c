"""TFRecord files and the tf.train.Example messages in them, without TensorFlow.

A record is: length (8 bytes, little endian), its masked CRC-32C (4), the bytes, their CRC. The
bytes are an Example in protobuf's wire format: a map from name to a list of bytes, of 32-bit
floats, or of 64-bit integers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, BinaryIO

import numpy as np

from ..errors import BrokenFileError
from .limits import GIB, MIB

__all__ = [
    "Features", "Value", "crc32c", "example", "masked_crc", "parse_example", "record", "records",
]  # fmt: skip

Value = bytes | float | int
Features = dict[str, Sequence[Value]]

_MAX_RECORD = GIB
_MAX_FEATURES = 10_000
_HEAD = 12
_POLYNOMIAL = 0x82F63B78


# -- framing ----------------------------------------------------------------------------------


def records(
    stream: BinaryIO, *, start: int = 0, check: bool = True, name: str = ""
) -> Iterator[tuple[int, bytes, bool]]:
    """Yield (offset, bytes, is the CRC right?) of each record from the place of `stream` on.

    Raises:
        BrokenFileError: the length of a record is damaged, or the file ends within one; the
            message says where.
    """
    offset = start
    while head := _read(stream, _HEAD):
        where = f"{name}, byte {offset}" if name else f"byte {offset}"
        if len(head) < _HEAD:
            raise BrokenFileError("The file ends within the head of a record", where=where)
        length, crc = struct.unpack("<QI", head)
        if masked_crc(head[:8]) != crc:
            raise BrokenFileError(
                "There is no record of a TFRecord: the checksum of its length is wrong",
                where=where, hint="Download or write the file again; compressed ones are not read.",
            )  # fmt: skip
        if length > _MAX_RECORD:
            raise BrokenFileError(f"A record of {length:,} bytes is too long", where=where)
        body = _read(stream, length + 4)
        if len(body) < length + 4:
            raise BrokenFileError("The file ends within a record", where=where)
        data = body[:-4]
        right = not check or masked_crc(data) == struct.unpack("<I", body[-4:])[0]
        yield offset, data, right
        offset += _HEAD + length + 4


def _read(stream: BinaryIO, size: int) -> bytes:
    # In pieces: a length that is only said takes no memory.
    parts = []
    while size > 0 and (data := stream.read(min(size, 16 * MIB))):
        parts.append(data)
        size -= len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def record(data: bytes) -> bytes:
    """Return `data` framed as a record."""
    length = struct.pack("<Q", len(data))
    return b"".join(
        (length, struct.pack("<I", masked_crc(length)), data, struct.pack("<I", masked_crc(data)))
    )


def masked_crc(data: bytes) -> int:
    """Return the CRC-32C of `data`, as TFRecord masks it."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of `data`: many stretches at once, put together at the end.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    if len(data) > 1024:
        # Long stretches are few to put together, short ones have few words in a row.
        lane = min(2048, 1 << (len(data).bit_length() // 2 - 1))
        lanes = len(data) // lane
        rows = np.frombuffer(data, "<u4", lanes * lane // 4).reshape(lanes, -1)
        state = np.zeros(lanes, np.uint32)
        state[0] = crc
        tables = _word_tables()
        for column in np.ascontiguousarray(rows.T):
            state = _lookup(tables, state ^ column)
        zeros = _zeros(lane)
        crc = 0
        for part in state.tolist():
            crc = _advance(zeros, crc) ^ part
        data = data[lanes * lane :]
    table = _byte_table()
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@cache
def _byte_table() -> list[int]:
    out = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        out.append(value)
    return out


def _zeros_table(count: int) -> Any:
    # What a state becomes after `count` bytes of zero, as one table for each of its four bytes.
    states = np.array([[byte << (8 * k) for byte in range(256)] for k in range(4)], np.uint32)
    table = np.array(_byte_table(), np.uint32)
    for _ in range(count):
        states = table[states & 0xFF] ^ (states >> np.uint32(8))
    return states


@cache
def _word_tables() -> Any:
    return _zeros_table(4)


@cache
def _zeros(count: int) -> list[list[int]]:
    made: list[list[int]] = _zeros_table(count).tolist()
    return made


def _lookup(tables: Any, words: Any) -> Any:
    return (
        tables[0][words & 0xFF] ^ tables[1][(words >> 8) & 0xFF]
        ^ tables[2][(words >> 16) & 0xFF] ^ tables[3][words >> 24]
    )  # fmt: skip


def _advance(tables: list[list[int]], crc: int) -> int:
    return (
        tables[0][crc & 0xFF] ^ tables[1][(crc >> 8) & 0xFF]
        ^ tables[2][(crc >> 16) & 0xFF] ^ tables[3][crc >> 24]
    )  # fmt: skip


# -- tf.train.Example -------------------------------------------------------------------------


def parse_example(data: bytes) -> Features:
    """Return the features of an Example: lists of bytes, floats or integers by name.

    Raises:
        ValueError: it is none, or has more than ten thousand features.
    """
    features: Features = {}
    for number, value in _fields(data):
        if number != 1 or not isinstance(value, bytes):
            continue
        for inner, entry in _fields(value):
            if inner == 1 and isinstance(entry, bytes):
                name, values = _entry(entry)
                features[name] = values
                if len(features) > _MAX_FEATURES:
                    raise ValueError("it has too many features")
    return features


def _entry(data: bytes) -> tuple[str, Sequence[Value]]:
    name, values = "", []
    for number, value in _fields(data):
        if not isinstance(value, bytes):
            raise ValueError("a feature is no message")  # noqa: TRY004  of the file, not of us
        if number == 1:
            name = value.decode("utf-8", "replace")
        elif number == 2:
            values = _feature(value)
    return name, values


def _feature(data: bytes) -> list[Value]:
    out: list[Value] = []
    for kind, message in _fields(data):
        if kind not in (1, 2, 3) or not isinstance(message, bytes):
            continue
        for number, value in _fields(message):
            if number != 1:
                continue
            if kind == 1:
                if not isinstance(value, bytes):
                    raise ValueError("a list of bytes holds no bytes")
                out.append(value)
            elif kind == 2:
                out += _floats(value)
            else:
                out += _integers(value)
    return out


def _floats(value: bytes | int) -> list[float]:
    data = value if isinstance(value, bytes) else value.to_bytes(4, "little")
    if len(data) % 4:
        raise ValueError("a list of floats is cut short")
    with np.errstate(invalid="ignore"):  # a NaN of any kind is one
        found: list[float] = np.frombuffer(data, "<f4").astype(np.float64).tolist()
    return found


def _integers(value: bytes | int) -> list[int]:
    if isinstance(value, int):
        return [_signed(value)]
    out, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        out.append(_signed(number))
    return out


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    # Wire types 0 (varint), 1 (8 bytes), 2 (bytes) and 5 (4 bytes); groups are not allowed.
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            number, at = _varint(data, at)
            yield tag >> 3, number
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"it has a field of wire type {kind}")
        if size > len(data) - at:
            raise ValueError("it ends within a field")
        piece = data[at : at + size]
        at += size
        yield tag >> 3, piece if kind == 2 else int.from_bytes(piece, "little")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("it ends within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7


def example(features: Mapping[str, Sequence[Value]]) -> bytes:
    """Return an Example; a list is of the type that its first value has, and empty lists of bytes.

    >>> parse_example(example({"a": [b"x"], "b": [0.5], "c": [-1, 3]}))
    {'a': [b'x'], 'b': [0.5], 'c': [-1, 3]}
    """
    entries = b""
    for name, values in sorted(features.items()):
        entry = _field(1, name.encode()) + _field(2, _packed(values))
        entries += _field(1, entry)
    return _field(1, entries)


def _packed(values: Sequence[Value]) -> bytes:
    if not values or isinstance(values[0], bytes):
        inside = b"".join(_field(1, v) for v in values if isinstance(v, bytes))
        return _field(1, inside)
    if isinstance(values[0], float):
        return _field(2, _field(1, np.asarray(values, "<f4").tobytes()))
    return _field(3, _field(1, b"".join(_number(int(v)) for v in values)))


def _field(number: int, data: bytes) -> bytes:
    return _number(number << 3 | 2) + _number(len(data)) + data


def _number(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
