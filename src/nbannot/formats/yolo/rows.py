"""Rows of YOLO label files: text to numbers, and what each row's numbers mean.

Thousands of label files are parsed at a time, as columns. Lines that are not all numbers are
looked at one by one: some can still be read (class names, commas, DOTA), the others are named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ... import geometry
from .data import Names, Pose

__all__ = [
    "BOX", "NONE", "POLYGON", "POSE", "QUAD", "BadLine", "Rows", "Shapes", "fit_rectangles",
    "parse_plain_rows", "parse_rows", "read_shapes", "row_share",
]  # fmt: skip

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_LARGEST = 1e15
"""What is larger, infinite or NaN is no number here: nothing could be computed with it."""
# What Python calls white space, and Arrow does not.
_RARE_SPACES = bytes(32 if i in b"\v\f\x1c\x1d\x1e\x1f" else i for i in range(256))
_DOTA_HEADER = re.compile(r"(imagesource|gsd)\s*:", re.IGNORECASE)

NONE, BOX, POLYGON, QUAD, POSE = range(5)
"""What a row is; NONE: it can't be read."""


@dataclass(frozen=True)
class BadLine:
    """A line that is no row: `file` is the index of its text, `line` counts from 1."""

    file: int
    line: int
    reason: str
    message: str


@dataclass(frozen=True)
class Rescued:
    """What was unusual about a row that is not all numbers: a warning and what it carried."""

    warning: tuple[str, str] | None = None
    pixels: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Rows:
    """Rows of several texts, in order, as columns.

    Row i has `count[i]` numbers at ``values[start[i]:]``, the class first; it is line `line[i]`
    of text `file[i]`. `whole` says that its last number is written as an integer.
    """

    file: Integers
    line: Integers
    start: Integers
    count: Integers
    values: Floats
    whole: Flags
    rescued: dict[int, Rescued]
    bad: list[BadLine]
    headers: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.file)

    def flat(self) -> tuple[Floats, Integers]:
        """Return the numbers of all rows, one row after the other, and where each begins."""
        begins = np.cumsum(self.count) - self.count
        place = np.arange(int(self.count.sum())) - np.repeat(begins, self.count)
        return self.values[np.repeat(self.start, self.count) + place], begins

    def numbers(self, rows: Integers, first: int, stop: int) -> Floats:
        """Return the numbers `first` to `stop` (exclusive) of `rows`, as a matrix."""
        out: Floats = self.values[self.start[rows][:, None] + np.arange(first, stop)]
        return out


def parse_rows(texts: Sequence[bytes], names: Names) -> Rows:
    r"""Return the rows of label files.

    >>> rows = parse_rows([b"0 .5 .5 .2 .2\n", b"1 a b c d"], Names({0: "cat", 1: "dog"}))
    >>> len(rows), rows.bad[0].message
    (1, "'a' is not a number")
    """
    rows, good, lines = _parse(texts)
    return rows if good.all() else _rescue_lines(rows, good, lines, names)


def parse_plain_rows(texts: Sequence[bytes]) -> Rows | None:
    """Return the rows of label files where all are plain numbers, else None."""
    rows, good, _ = _parse(texts)
    return rows if good.all() else None


def _parse(texts: Sequence[bytes]) -> tuple[Rows, Flags, pa.Array]:
    # Each line that holds something, as far as it is numbers; whether it is; and as text.
    clean = [_clean(text) for text in texts]
    joined = b"\n".join(clean) + b"\n"
    ends = np.flatnonzero(np.frombuffer(joined, np.uint8) == 10)
    offsets = np.zeros(len(ends) + 1, np.int64)
    offsets[1:] = ends + 1
    lines = pa.LargeStringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(joined))
    lengths = np.array([text.count(b"\n") + 1 for text in clean], np.int64)
    file = np.repeat(np.arange(len(clean)), lengths)
    line = np.arange(len(file)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1

    trimmed = pc.ascii_trim_whitespace(lines[: len(file)])
    filled = pc.greater(pc.binary_length(trimmed), 0)
    keep = filled.to_numpy(zero_copy_only=False)
    trimmed, file, line = trimmed.filter(filled), file[keep], line[keep]
    words = pc.ascii_split_whitespace(trimmed)
    count = pc.list_value_length(words).to_numpy(zero_copy_only=False).astype(np.int64)
    start = np.cumsum(count) - count
    tokens = words.flatten()
    try:
        values = pc.cast(tokens, pa.float64()).to_numpy(zero_copy_only=False)
        good = np.full(len(count), np.abs(values).max(initial=0) < _LARGEST)
    except pa.ArrowInvalid:
        good = np.zeros(len(count), bool)
    if not good.all():
        values, good = _careful(tokens, start)
    rows = Rows(file, line, start, count, values, _whole(tokens, start, count), {}, [], [])
    return rows, good, trimmed


def _clean(text: bytes) -> bytes:
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = text.decode("utf-16", "replace").encode()
    if text[:3] == b"\xef\xbb\xbf":
        text = text[3:]
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    text = text.translate(_RARE_SPACES)
    if not text.isascii():  # a no-break space is a space
        text = re.sub(r"[^\S\n]", " ", text.decode("utf-8", "replace")).encode()
    return text


def _careful(tokens: pa.Array, start: Integers) -> tuple[Floats, Flags]:
    is_number = pc.match_substring_regex(tokens, _NUMBER)
    numbers = pc.cast(pc.if_else(is_number, tokens, "nan"), pa.float64())
    values = numbers.to_numpy(zero_copy_only=False)
    return values, np.logical_and.reduceat(np.abs(values) < _LARGEST, start)


def _whole(tokens: pa.Array, start: Integers, count: Integers) -> Flags:
    # Only rows that may end in a confidence or a track need it.
    whole = np.zeros(len(count), bool)
    asked = np.flatnonzero((count != 5) & (count != 9))
    if len(asked):
        last = tokens.take(pa.array(start[asked] + count[asked] - 1))
        digits = pc.match_substring_regex(last, r"^\d+$")
        whole[asked] = digits.to_numpy(zero_copy_only=False)
    return whole


def _rescue_lines(rows: Rows, good: Flags, texts: pa.Array, names: Names) -> Rows:
    found: list[tuple[int, list[float], Rescued]] = []
    bad, headers = [], []
    for i in np.flatnonzero(~good).tolist():
        text, file, line = texts[i].as_py(), int(rows.file[i]), int(rows.line[i])
        if _DOTA_HEADER.match(text):
            headers.append((file, line))
            continue
        numbers, rescued = _rescue(text, names)
        if isinstance(rescued, Rescued):
            found.append((i, numbers, rescued))
        else:
            bad.append(BadLine(file, line, *rescued))
    index = np.concatenate([np.flatnonzero(good), np.array([i for i, _, _ in found], np.int64)])
    extra = [number for _, numbers, _ in found for number in numbers]
    counts = np.array([len(numbers) for _, numbers, _ in found], np.int64)
    start = np.concatenate([rows.start[good], len(rows.values) + np.cumsum(counts) - counts])
    count = np.concatenate([rows.count[good], counts])
    whole = np.concatenate([rows.whole[good], [n[-1].is_integer() for _, n, _ in found]])
    order = np.argsort(index, kind="stable")
    place = {int(row): new for new, row in enumerate(index[order])}
    return Rows(
        rows.file[index[order]],
        rows.line[index[order]],
        start[order].astype(np.int64),
        count[order].astype(np.int64),
        np.concatenate([rows.values, np.array(extra, np.float64)]),
        whole[order].astype(bool),
        {place[i]: rescued for i, _, rescued in found},
        bad,
        headers,
    )


def _rescue(text: str, names: Names) -> tuple[list[float], Rescued | tuple[str, str]]:
    # The numbers of a line that is not all numbers; or none, and (reason, message) why it is not.
    tokens = text.split()
    numeric = [_is_number(token) for token in tokens]
    lead = numeric.index(False)
    if lead == 8:  # DOTA: x1 y1 ... x4 y4 name difficult, in pixels
        hard = tokens[-1] if len(tokens) > 9 and tokens[-1].isdigit() else ""
        name = " ".join(tokens[8:-1] if hard else tokens[8:])
        number = names.number_of(name)
        if number is None:
            return [], ("class is not in names", f"class {name!r} is not in names")
        attributes = {"difficult": True} if hard.strip("0") else {}
        return [number, *map(float, tokens[:8])], Rescued(None, True, attributes)
    parts = [part.strip() for part in re.split("[,;]", text.strip(" ,;\t"))]
    if len(parts) >= 5 and all(map(_is_number, parts)):
        warning = ("separated by commas", "its numbers are separated by commas, not spaces")
        return [float(part) for part in parts], Rescued(warning)
    last = len(numeric) - numeric[::-1].index(False)  # the first token of all numbers to the end
    if last < len(tokens) - 3 and lead == 0 and names.declared:
        number = names.number_of(" ".join(tokens[:last]))
        if number is not None:
            warning = ("class is given by name", f"its class is a name, {names.by_id[number]!r}")
            return [number, *map(float, tokens[last:])], Rescued(warning)
    if lead >= 5 and "," not in tokens[lead]:
        trailing = " ".join(tokens[lead:])
        warning = ("text after the numbers", f"{trailing[:80]!r} after the numbers is kept apart")
        return [float(t) for t in tokens[:lead]], Rescued(warning, extra={"text": trailing})
    hint = "; decimals need a point" if re.fullmatch(r"-?\d+,\d+", tokens[lead]) else ""
    return [], ("not a number", f"{tokens[lead][:40]!r} is not a number{hint}")


def _is_number(token: str) -> bool:
    return re.match(_NUMBER, token) is not None and abs(float(token)) < _LARGEST


# -- what the numbers mean --------------------------------------------------------------------


@dataclass
class Shapes:
    """What each row is, as columns.

    `kind` is BOX, POLYGON, QUAD, POSE or NONE; `used` the numbers of its geometry (the class not
    counted); `score` NaN where there is none, `track` -1; `further` says that more numbers follow.
    """

    kind: NDArray[np.int8]
    used: Integers
    score: Floats
    track: Integers
    further: Flags


def read_shapes(rows: Rows, size: Floats, *, task: str, pose: Pose | None, quads: bool) -> Shapes:
    """Return what each row is.

    Args:
        rows: the rows.
        size: (rows, 2) width and height of each row's image, in pixels.
        task: ``auto``, ``detect``, ``segment``, ``obb`` or ``pose``.
        pose: the keypoints, where the dataset has them.
        quads: are rows of 9 numbers rotated boxes, rather than polygons of 4 points?
    """
    n, count = len(rows), rows.count
    kind, used = np.zeros(n, np.int8), np.zeros(n, np.int64)

    def set_kind(which: Flags, what: int, numbers: Any) -> None:
        which = which & (kind == NONE)
        kind[which] = what
        used[which] = numbers[which] if isinstance(numbers, np.ndarray) else numbers

    for i, rescued in rows.rescued.items():
        if rescued.pixels:
            kind[i], used[i] = QUAD, 8
    if pose is not None and task in ("auto", "pose"):
        whole = 5 + pose.numbers
        set_kind(count >= whole, POSE, whole - 1)
        set_kind((count == 5) | (count == 6), BOX, 4)
        set_kind((count > 6) & ((count - 5) % pose.dims == 0), POSE, count - 1)
    elif task == "detect":
        set_kind(count >= 5, BOX, 4)
    else:
        set_kind((count == 5) | (count == 6), BOX, 4)
        if task == "obb":
            set_kind((count >= 9) & (count <= 11), QUAD, 8)
        elif task == "auto":
            set_kind(_tracked_boxes(rows), BOX, 4)
            set_kind(count == 9, QUAD if quads else POLYGON, 8)
            rectangle = _rectangles(rows, np.flatnonzero((count == 10) | (count == 11)), size)
            set_kind((count == 10) & rectangle, QUAD, 8)
            set_kind(count == 10, BOX, 4)  # box and columns of one's own (demographics, ...)
            set_kind((count == 11) & rectangle & rows.whole & quads, QUAD, 8)
        set_kind(count >= 7, POLYGON, (count - 1) // 2 * 2)
    return _tails(rows, kind, used)


def _tracked_boxes(rows: Rows) -> Flags:
    # class cx cy w h confidence track: 7 numbers, as a triangle has. A track past 1 tells.
    seven = np.flatnonzero((rows.count == 7) & rows.whole)
    out = np.zeros(len(rows), bool)
    if len(seven):
        tail = rows.numbers(seven, 5, 7)
        sure = (tail[:, 1] > 1) & (tail[:, 0] >= 0) & (tail[:, 0] <= 1)
        out[seven] = np.isin(rows.file[seven], rows.file[seven[sure]])
    return out


def _rectangles(rows: Rows, which: Integers, size: Floats) -> Flags:
    out = np.zeros(len(rows), bool)
    if len(which):
        corners = rows.numbers(which, 1, 9).reshape(-1, 4, 2) * size[which][:, None, :]
        boxes, _, deviation = fit_rectangles(corners)
        out[which] = (deviation <= 0.03 * boxes[:, 2:].max(axis=1)) & (boxes[:, 2:] > 0).all(axis=1)
    return out


def _tails(rows: Rows, kind: NDArray[np.int8], used: Integers) -> Shapes:
    n = len(rows)
    score, track = np.full(n, np.nan), np.full(n, -1, np.int64)
    rest = np.where(kind == NONE, 0, rows.count - 1 - used)
    further = rest > 2
    one, two = np.flatnonzero(rest == 1), np.flatnonzero(rest == 2)
    if len(one):
        value, whole = rows.values[rows.start[one] + rows.count[one] - 1], rows.whole[one]
        # A confidence of 1 may be written "1": the other rows of the file tell.
        fractions = np.isin(rows.file[one], rows.file[one[~whole]])
        is_track = whole & (~fractions | (value > 1)) & (value < 2**53)
        is_score = ~is_track & (value >= 0) & (value <= 1)
        track[one[is_track]] = value[is_track].astype(np.int64)
        score[one[is_score]] = value[is_score]
        further[one] = ~(is_track | is_score)
    if len(two):
        last = rows.start[two] + rows.count[two] - 1
        value, number = rows.values[last - 1], rows.values[last]
        good = rows.whole[two] & (value >= 0) & (value <= 1) & (number < 2**53)
        score[two[good]] = value[good]
        track[two[good]] = number[good].astype(np.int64)
        further[two] = ~good
    return Shapes(kind, used, score, track, further)


def fit_rectangles(corners: Floats) -> tuple[Floats, Floats, Floats]:
    """Return boxes (x, y, w, h), degrees, and how far a corner is off, of quadrangles (n, 4, 2).

    Corners may go either way round.

    >>> boxes, degrees, off = fit_rectangles(np.array([[[0, 0], [0, 3], [9, 3], [9, 0.0]]]))
    >>> boxes.tolist(), degrees.tolist(), off.tolist()
    ([[0.0, 0.0, 9.0, 3.0]], [0.0], [0.0])
    """
    a, b = corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]
    backwards = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0
    turned = np.where(backwards[:, None, None], corners[:, [0, 3, 2, 1]], corners)
    boxes, degrees = geometry.corners_to_box(turned)
    rebuilt = geometry.box_corners(boxes, degrees)
    off = np.abs(rebuilt - turned).max(axis=(1, 2)) if len(turned) else np.empty(0)
    return boxes, degrees + 0.0, off


def row_share(text: bytes) -> tuple[int, int]:
    r"""Return how many lines of a text look like rows, and how many lines there are.

    A row has a whole number and then 4 numbers or more, the first four about 0 to 1; or it is
    DOTA's. Many other formats are rows of numbers, too: KITTI, MOT, landmarks.

    >>> row_share(b"0 .5 .5 .2 .2\n1 20 30 5 5\n")
    (1, 2)
    """
    rows = parse_rows([text], Names())
    dota = [i for i, rescued in rows.rescued.items() if rescued.pixels]
    enough = np.setdiff1d(np.flatnonzero(rows.count >= 5), dota)
    first = rows.numbers(enough, 0, 5)
    whole = (first[:, 0] >= 0) & (first[:, 0] == np.floor(first[:, 0]))
    near = (first[:, 1:] >= -0.5).all(axis=1) & (first[:, 1:] <= 1.5).all(axis=1)
    return int((whole & near).sum()) + len(dota), len(rows) + len(rows.bad)
