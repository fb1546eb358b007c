"""Content hashes of annotation rows, to tell what changed since the last import of a source."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["item_hashes", "row_hashes"]

Hashes = NDArray[np.uint64]
_PRIME = np.uint64(0x9E3779B97F4A7C15)


def row_hashes(rows: pa.Table, columns: Sequence[str]) -> Hashes:
    """Return one 64-bit hash per row over `columns`; equal rows have equal hashes.

    Vectorised: no Python object per row. The same values in another run give the same hash.
    """
    total = np.zeros(rows.num_rows, np.uint64)
    for k, name in enumerate(columns):
        values = rows[name].combine_chunks()
        if isinstance(values, pa.ChunkedArray):
            values = (
                pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
            )
        if values.null_count == len(values):
            continue
        each = _mix(_column(values) + np.uint64((k + 1) * int(_PRIME) % 2**64))
        if values.null_count:  # null adds nothing, so a row hashes the same in any batch
            each[values.is_null().to_numpy(zero_copy_only=False)] = 0
        total += each
    return _mix(total)


def item_hashes(owner: NDArray[np.int64], rows: Hashes, count: int) -> Hashes:
    """Return one hash per item, 0 to `count` - 1, of the rows it owns, in whatever order."""
    out = np.zeros(count, np.uint64)
    np.add.at(out, owner, rows)
    return out


def _mix(h: Hashes) -> Hashes:
    # The finaliser of splitmix64; wrapping is meant.
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    out: Hashes = h ^ (h >> np.uint64(31))
    return out


def _column(values: pa.Array) -> Hashes:
    kind = values.type
    if pa.types.is_list(kind):
        bits = _bits(values.values)  # the child, unsliced; offsets are into it
        h = _lists(bits, np.asarray(values.offsets))
    elif pa.types.is_string(kind) or pa.types.is_binary(kind):
        encoded = pc.dictionary_encode(values)
        words = encoded.dictionary.cast(pa.binary()).to_pylist()
        each = np.array(
            [zlib.crc32(w) | (zlib.adler32(w) ^ len(w)) << 32 for w in words] or [0], np.uint64
        )
        h = each[encoded.indices.fill_null(0).to_numpy()]
    else:
        h = _bits(values)
    return _mix(h)


def _bits(values: pa.Array) -> Hashes:
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    if values.null_count:
        values = values.fill_null(0)
    numbers = values.to_numpy(zero_copy_only=False)
    if numbers.dtype.kind == "f":
        numbers = numbers.astype(np.float64) + 0.0  # -0.0 and 0.0 are the same coordinate
        return numbers.view(np.uint64)
    return numbers.astype(np.int64).view(np.uint64)


def _lists(bits: Hashes, offsets: NDArray[np.int32]) -> Hashes:
    lengths = np.diff(offsets)
    inner = bits[offsets[0] : offsets[-1]]
    starts = offsets[:-1] - offsets[0]
    place = np.arange(len(inner)) - np.repeat(starts, lengths)
    mixed = _mix(inner + (place.astype(np.uint64) + np.uint64(1)) * _PRIME)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])
    out: Hashes = sums[starts + lengths] - sums[starts] + lengths.astype(np.uint64)
    return out
