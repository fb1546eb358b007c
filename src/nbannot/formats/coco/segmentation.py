"""Numbers, polygons and run lengths of COCO annotations, many at a time.

Each function takes the JSON text of one value per annotation. Text of the usual shape is parsed
in bulk; `Odd` means that some of it has another shape, so that the caller looks at each by itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from msgspec import Raw
from numpy.typing import NDArray

from ...schema import offsets

__all__ = [
    "ABSENT",
    "NOTHING",
    "Mask",
    "Odd",
    "Polygons",
    "flat_numbers",
    "kinds_of",
    "list_array",
    "parse_boxes",
    "parse_keypoints",
    "parse_polygons",
    "parse_rles",
]

Floats = NDArray[np.float64]

_BLANKS = b" \t\r\n"
_TO_LINES = bytes.maketrans(b",;[]" + _BLANKS, b"\n" * 8)
_SEMICOLON_TO_LINE = bytes.maketrans(b";", b"\n")
_NO_BOX = b"nan,nan,nan,nan"  # JSON has no such number, so it can't be meant otherwise
ABSENT = Raw()
"""Stands for a key that an annotation does not have."""
NOTHING = (b"", b"[]", b"[[]]", b"null")
"""What is written where there is no segmentation, or no keypoints."""
_OPEN, _CLOSE, _BRACE, _COMMA, _SEMICOLON = b"[]{,;"
_NUMERIC = tuple(b"%c" % c for c in b"-0123456789")
_MAX_PIXELS = 2**32 - 1  # run lengths are 32 bits


class Odd(Exception):  # noqa: N818  not an error: look at each record by itself
    """Some value is not of the usual shape."""


class Polygons(NamedTuple):
    """Polygons of some annotations, in order: all their numbers, and how many each has."""

    numbers: Floats  # x, y, x, y, ...
    lengths: NDArray[np.int64]  # numbers of each polygon
    ring_counts: NDArray[np.int64]  # rings of each polygon
    rings: NDArray[np.int32]  # vertices of each ring


def flat_numbers(text: bytes, expected: int) -> Floats:
    """Return the numbers of a text that else holds only commas, semicolons, brackets and blanks.

    Raises:
        Odd: it holds something else, or another count of finite numbers than `expected`.
    """
    if not expected:
        if text.strip(b"[],;" + _BLANKS):
            raise Odd
        return np.empty(0)
    # Empty lines are passed over, and this is twice as fast as deleting letters.
    numbers: Floats = _csv(text.translate(_TO_LINES), ["n"])["n"].to_numpy()
    if len(numbers) != expected:
        raise Odd
    return _finite(numbers)


def _finite(numbers: Floats) -> Floats:
    # A sum is not finite where a number is not (or where it is too large itself: then look).
    with np.errstate(over="ignore", invalid="ignore"):
        total = numbers.sum()
    if not np.isfinite(total) and not np.isfinite(numbers).all():
        raise Odd
    return numbers


def parse_boxes(texts: Sequence[Raw]) -> Floats:
    """Return (x, y, w, h) of each text ``[x,y,w,h]``, shape (n, 4); NaN where it is absent.

    Raises:
        Odd: a text is something else.
    """
    if not texts:
        return np.empty((0, 4))
    absent = texts.count(ABSENT)
    whole = b";".join([t or _NO_BOX for t in texts] if absent else texts)
    if whole.count(b"[") != len(texts) - absent or whole.count(b";") != len(texts) - 1:
        raise Odd
    lines = whole.translate(_SEMICOLON_TO_LINE, b"[]" + _BLANKS)
    columns = _csv(lines, ["x", "y", "w", "h"])
    boxes: Floats = np.stack([columns[n].to_numpy() for n in "xywh"], axis=1)
    if len(boxes) != len(texts) or np.isinf(boxes).any() or np.isnan(boxes).sum() != 4 * absent:
        raise Odd
    return boxes


def _csv(lines: bytes, names: list[str]) -> pa.Table:
    # Arrow's CSV reader is the fastest strict reader of decimal numbers at hand, and exact.
    csv = pyarrow.csv
    try:
        return csv.read_csv(
            pa.py_buffer(lines),
            # Its threads take twice the processor time, and no less on the clock.
            read_options=csv.ReadOptions(column_names=names, block_size=1 << 20, use_threads=False),
            parse_options=csv.ParseOptions(quote_char=False, delimiter=","),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.float64()), null_values=[]
            ),
        )
    except pa.ArrowInvalid as error:
        raise Odd from error


def kinds_of(raws: Sequence[Raw]) -> NDArray[np.int8]:
    """Return what each segmentation is: 0 none, 1 polygons, 2 run lengths.

    Raises:
        Odd: one is something else.
    """
    # By the first three letters, looked at in one text for all; "; ;" keeps the last one apart.
    lengths = np.fromiter(map(len, raws), np.int64, len(raws))
    letters = np.frombuffer(b";".join([*raws, b";;"]), np.uint8)
    starts = np.cumsum(lengths + 1) - lengths - 1
    a, b, c = letters[starts], letters[starts + 1], letters[starts + 2]
    kinds = np.where(lengths == 0, 0, -1).astype(np.int8)
    kinds[a == _BRACE] = 2
    kinds[(a == _OPEN) & (b == _CLOSE)] = 0
    number = ((c >= ord("0")) & (c <= ord("9"))) | (c == ord("-"))
    kinds[(a == _OPEN) & (b == _OPEN) & number] = 1
    for i in np.flatnonzero(kinds < 0).tolist():
        plain = bytes(raws[i]).translate(None, _BLANKS)
        if plain in NOTHING:
            kinds[i] = 0
        elif plain[:1] == b"{":
            kinds[i] = 2
        elif plain[:2] == b"[[" and plain[2:3] in _NUMERIC:
            kinds[i] = 1
        else:
            raise Odd
    return kinds


def parse_polygons(texts: Sequence[Raw]) -> Polygons:
    """Return the polygons of texts ``[[x,y,x,y,x,y,...],...]``, one or more rings each.

    Raises:
        Odd: a text is something else, or a ring has an odd count of numbers or less than six.
    """
    if not texts:
        none = np.empty(0, np.int64)
        return Polygons(np.empty(0), none, none, none.astype(np.int32))
    joined = _Joined.of(texts)
    # Two opening brackets, and two at the end: one ring. (What opens otherwise is no polygon.)
    each = {i: _ring_sizes(bytes(texts[i])) for i in joined.unlike_one_ring()}
    if each:
        whole: list[Any] = [*texts]
        for i in each:
            whole[i] = b"[[%b]]" % bytes(texts[i]).translate(None, b"[]" + _BLANKS)
        joined = _Joined.of(whole)
    numbers, lengths = joined.numbers()
    ring_counts = np.ones(len(texts), np.int64)
    ring_counts[[*each]] = [len(sizes) for sizes in each.values()]
    sizes = np.repeat(lengths, ring_counts)
    first_rings = offsets(ring_counts)
    for i, own in each.items():
        sizes[first_rings[i] : first_rings[i] + len(own)] = own
    if (sizes & 1).any() or (sizes < 6).any():
        raise Odd
    return Polygons(numbers, lengths, ring_counts, (sizes // 2).astype(np.int32))


class _Joined(NamedTuple):
    """Texts ``[[1,2,...]]`` in one, with semicolons between."""

    text: bytes
    letters: NDArray[np.uint8]
    starts: NDArray[np.int64]  # of each, in the text
    stops: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[Raw | bytes]) -> _Joined:
        text = b";".join(texts)
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        starts = np.cumsum(lengths + 1) - lengths - 1
        return cls(text, np.frombuffer(text, np.uint8), starts, starts + lengths)

    def unlike_one_ring(self) -> list[int]:
        """Return which texts, all of which open twice, open again or do not close at their end."""
        letters = self.letters
        alike = letters[self.stops - 1] == _CLOSE
        alike &= letters[self.stops - 2] == _CLOSE
        if alike.all() and self.text.count(b"[") == 2 * len(alike):
            return []
        opening = np.flatnonzero(letters == _OPEN)
        alike &= np.diff(np.searchsorted(opening, self.starts), append=len(opening)) == 2
        return np.flatnonzero(~alike).tolist()

    def numbers(self) -> tuple[Floats, NDArray[np.int64]]:
        """Return all numbers, and how many each text has."""
        between = np.flatnonzero((self.letters == _COMMA) | (self.letters == _SEMICOLON))
        ends = np.searchsorted(between, self.stops)  # the separator after each text
        lengths = np.diff(ends, prepend=-1)
        digits = self.text.translate(None, b",;[]")
        if len(digits) != len(self.text) - len(between) - 4 * len(lengths):  # blanks
            return flat_numbers(self.text, int(lengths.sum())), lengths
        # Where each number ends in `digits`: without the separators and brackets before it.
        places = np.zeros(len(between) + 2, np.int32)
        before = np.arange(2, 4 * len(lengths) + 2, 4, dtype=np.int32)
        places[1:-1] = between
        places[1:-1] -= np.arange(len(between), dtype=np.int32)
        places[1:-1] -= np.repeat(before, lengths)[:-1]
        places[ends[:-1] + 1] -= 2
        places[-1] = len(digits)
        words = pa.StringArray.from_buffers(
            len(places) - 1, pa.py_buffer(places), pa.py_buffer(digits)
        )
        try:
            return _finite(pc.cast(words, pa.float64()).to_numpy()), lengths
        except pa.ArrowInvalid as error:
            raise Odd from error


def parse_keypoints(raws: Sequence[Raw]) -> tuple[Floats, NDArray[np.int64]]:
    """Return all numbers of texts ``[x,y,v,...]``, and how many each has (0 where it has none).

    Raises:
        Odd: a text is something else, or a visibility is not 0, 1 or 2.
    """
    lengths = np.zeros(len(raws), np.int64)
    if raws.count(ABSENT) == len(raws):
        return np.empty(0), lengths
    texts = [bytes(r) for r in raws]
    places = [i for i, t in enumerate(texts) if t not in NOTHING]
    if not places:
        return np.empty(0), lengths
    given = [texts[i] for i in places]
    lengths[places] = [t.count(b",") + 1 for t in given]
    joined = b";".join(given)
    if (lengths % 3).any() or joined.count(b"[") != len(given):
        raise Odd
    numbers = flat_numbers(joined, int(lengths.sum()))
    if not np.isin(numbers[2::3], (0, 1, 2)).all():
        raise Odd
    return numbers, lengths


def _ring_sizes(text: bytes) -> list[int]:
    # Count of the numbers in each ring of one polygon.
    if text[:2] == b"[[" and text[-2:] == b"]]" and text.count(b"[") == 2:
        return [text.count(b",") + 1]
    plain = text.translate(None, _BLANKS)
    if plain[:2] != b"[[" or plain[-2:] != b"]]":
        raise Odd
    rings = plain[2:-2].split(b"],[")
    if any(b"[" in ring or b"]" in ring for ring in rings):
        raise Odd
    return [ring.count(b",") + 1 for ring in rings]


class _Rle(msgspec.Struct):
    size: tuple[int, int]
    counts: list[int] | str


class Mask(NamedTuple):
    """A mask: COCO compressed run lengths and its size; `problem` says why it is none."""

    counts: bytes
    height: int
    width: int
    problem: str = ""


def parse_rles(texts: Sequence[bytes]) -> list[Mask]:
    """Return the mask of each text ``{"size":[h,w],"counts":[...] or "..."}``; none is decoded."""
    return [_mask(text) for text in texts]


def _mask(text: bytes) -> Mask:
    rle: _Rle | None
    try:
        rle = msgspec.json.decode(text, type=_Rle)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        rle = _lenient(text)
        if rle is None:
            return Mask(b"", 0, 0, f"its run lengths are not understood ({error})")
    height, width = rle.size
    if height <= 0 or width <= 0 or height * width > _MAX_PIXELS:
        return Mask(b"", 0, 0, f"the size of its run lengths is {height}x{width}")
    problem = ""
    counts = b""
    if isinstance(rle.counts, str):
        counts = rle.counts.encode()
        total = _total(counts)
        if total is None:
            problem = "its compressed run lengths are not such"
    else:
        total = sum(rle.counts)
        if rle.counts and min(rle.counts) < 0:
            problem = "it has a negative run length"
    if not problem and total != height * width:
        problem = f"its run lengths add up to {total}, but {height}x{width} are {height * width}"
    if problem:
        return Mask(b"", height, width, problem)
    return Mask(counts or _compress(rle.counts, height, width), height, width)


def _lenient(text: bytes) -> _Rle | None:
    # Whole numbers written as 480.0, keys beside size and counts.
    try:
        found = json.loads(text)
        size, counts = [int(v) for v in found["size"]], found["counts"]
        if size != found["size"] or len(size) != 2:
            return None
        whole = counts if isinstance(counts, str) else [int(c) for c in counts]
        return _Rle((size[0], size[1]), whole) if whole == counts else None
    except (ValueError, TypeError, KeyError):
        return None


def _compress(counts: Any, height: int, width: int) -> bytes:
    from pycocotools import mask as coco_mask

    rle = {"counts": counts or [height * width], "size": [height, width]}
    compressed: bytes = coco_mask.frPyObjects(rle, height, width)["counts"]
    return compressed


def _total(counts: bytes) -> int | None:
    # Pixels that compressed run lengths cover, None where they are garbage: pycocotools would
    # read beyond the end of it. Six bits per character from "0" on: five of value, one "more
    # follows"; the fifth of the last is the sign. From the third on, a length is the difference
    # to the last but one.
    bits = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    if not len(bits) or (bits < 0).any() or (bits > 63).any() or bits[-1] & 32:
        return None
    ends = np.flatnonzero((bits & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    sizes = ends - starts + 1
    if (sizes > 7).any():
        return None
    place = np.arange(len(bits)) - np.repeat(starts, sizes)
    values = np.add.reduceat((bits & 31) << (5 * place), starts)
    values -= np.where(bits[ends] & 16, 1 << (5 * sizes), 0)
    runs = values.copy()
    runs[1::2] = np.cumsum(values[1::2])
    runs[2::2] = np.cumsum(values[2::2])
    return int(runs.sum()) if (runs >= 0).all() else None


def list_array(
    numbers: NDArray[Any], lengths: NDArray[np.int64], kind: pa.DataType, absent: NDArray[np.bool_]
) -> pa.Array:
    """Return lists of `lengths` (0 where `absent`) over `numbers`; null where `absent`."""
    values = pa.array(numbers, kind)
    places = pa.array(offsets(lengths))
    return pa.ListArray.from_arrays(places, values, mask=pa.array(absent))
