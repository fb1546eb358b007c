"""Images of CVAT's XML as most tools write them: from text to columns, without a parser.

Between the quotes of such a text there are values, and between the values a few dozen different
gaps: ``xtl=``, or ``/><box label=``. Each different gap is understood once; the sequence of them
says where elements begin and end, and the values are taken out by column.
What is not of the usual shape, or is something to be said of, is left to the parser (`events`),
which reads all that can be read here the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .plain_rows import Odd, Rows, Typed, rows_of

__all__ = ["IMAGE", "Images", "Part", "parse"]

IMAGE = b"<image "
"""Where a text can be cut."""

_NONE = ("\ufffe".encode(), "\uffff".encode())  # UTF-8, and not XML
_SMALLEST = 1 << 16
_MOST_NAMES = 100
_SHORT = 200
_TAGS = ("image", "attribute", "box", "polygon", "polyline", "points", "ellipse", "mask", "tag")
_IMAGE, _ATTRIBUTE = 0, 1
_LEVELS = np.array([1, 3, *[2] * (len(_TAGS) - 2)], np.int8)
"""How deep an element of a tag is."""
_TYPES = pa.array(_TAGS)
_SPACE = " \t\n"
_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_INSIDE = re.compile(rf"[{_SPACE}]+({_NAME})=")
_BETWEEN = re.compile(
    rf"(?:[{_SPACE}]*(/?>)[{_SPACE}]*((?:</[a-z]+>[{_SPACE}]*)*))?"
    rf"(?:<([a-z]+)[{_SPACE}]+({_NAME})=)?"
)
_TEXT = re.compile(r">[^<>\x00-\x08\x0b-\x1f]*")
_END = re.compile(r"</([a-z]+)>")
# A name that is a path as it stands, and leads nowhere else.
_PATH = re.compile(r"(?![./\s])(?!.*\.\.)[^\\:]+(?<!\s)")
_OPENS = {"image": 0, "attribute": 2, **dict.fromkeys(_TAGS[2:], 1)}

Integers = NDArray[np.int64]


class Images(NamedTuple):
    """Some images and what is on them; `rows.owner` is the image that a row is on.

    `starts` is where in the text each begins; `is_odd` says which the parser must read.
    """

    starts: Integers
    is_odd: NDArray[np.bool_]
    names: list[str]
    ids: list[str | None]
    subsets: list[str | None] | None
    tasks: list[str | None] | None
    widths: Integers
    heights: Integers
    rows: Rows

    def named(self, first: int) -> Iterator[tuple[Any, ...]]:
        """Yield name, oddness, subset and task of each from number `first` on."""
        count = len(self.names)
        columns: list[Sequence[Any]] = [self.names, self.is_odd.tolist()]
        columns += [said or [None] * count for said in (self.subsets, self.tasks)]
        return islice(zip(*columns, strict=True), first, None)


class Part(NamedTuple):
    """A part of a text, from byte `start` to `stop`; `images` are None where it is not plain."""

    start: int
    stop: int
    images: Images | None


class _Gap(NamedTuple):
    """What a gap says.

    Its `level` is that of the element in whose tag it begins: 1 image, 2 shape, 3 attribute; 0 at
    the start of a text, -1 where it does not leave the tag. `closes` and `opens` are tags (-1:
    none), `name` is that of the value after it, `text` that of an attribute that it ends. `marks`
    are its line breaks, tabs and ``<``, `tail` its bytes from the last ``<`` on.
    """

    level: int
    closes: int
    opens: int
    name: str
    text: str
    marks: int
    tail: int


def parse(text: bytes, typed: Typed) -> list[Part]:
    """Return the parts of a text in UTF-8, all but the first of which begin with an image.

    `typed` are the converters of attributes by label and name.
    """
    return _parts(text, 0, len(text), typed)


def _parts(text: bytes, start: int, stop: int, typed: Typed) -> list[Part]:
    # What is odd is looked for in one half, and then in the other.
    try:
        return [Part(start, stop, _images(text[start:stop], typed))]
    except (Odd, pa.ArrowInvalid, UnicodeDecodeError):
        cut = text.find(IMAGE, (start + stop) // 2, stop)
        if stop - start < 2 * _SMALLEST or cut <= start:
            return [Part(start, stop, None)]
        return _parts(text, start, cut, typed) + _parts(text, cut, stop, typed)


def _images(text: bytes, typed: Typed) -> Images:
    values = _Values(text)
    tags, levels = values.tags, values.levels
    images, shapes = np.flatnonzero(levels == 1), np.flatnonzero(levels == 2)
    sides = (_sides(values, "width", images), _sides(values, "height", images))
    is_odd = (sides[0] == 0) | (sides[1] == 0)
    names = values.strings("name", images).to_pylist()
    is_odd |= np.array([n is None or _PATH.fullmatch(n) is None for n in names])
    owner = (np.cumsum(levels == 1) - 1)[shapes]
    sizes = np.array(sides, np.float64)[:, owner]
    rows, bad = rows_of(values, shapes, _TYPES.take(pa.array(tags[shapes])), owner, sizes, typed)
    is_odd[owner[bad]] = True
    starts = values.starts[images]
    is_odd[np.searchsorted(starts, values.references, side="right") - 1] = True
    ids = values.strings("id", images).to_pylist()
    subsets, tasks = (_said(values, name, images) for name in ("subset", "task_id"))
    return Images(starts, is_odd, names, ids, subsets, tasks, *sides, rows)


def _said(values: _Values, name: str, images: Integers) -> list[str | None] | None:
    return values.strings(name, images).to_pylist() if name in values.names else None


def _sides(values: _Values, name: str, images: Integers) -> Integers:
    codes, said = values.codes(name, images)
    return np.array([*map(_side, said), 0], np.int64)[codes]


def _side(text: str) -> int:
    try:
        value = int(float(text))
    except (ValueError, OverflowError):
        return 0
    return value if 0 < value < 1 << 31 else 0


class _Values:
    """The elements of a text, and the values of their attributes.

    `tags` and `levels` are those of the elements in their order, `shape_of` is the shape that an
    attribute is of, `texts` what an element ends with, as a number into `said`. `references` are
    where a value has an ``&``: what that stands for, the parser knows.

    Raises:
        Odd: the text is not plain.
    """

    def __init__(self, text: bytes) -> None:
        if not text.startswith(IMAGE):
            raise Odd
        data = np.frombuffer(text, np.uint8)
        quotes = np.flatnonzero(data == ord('"'))
        count = len(quotes) // 2
        if not count or len(quotes) % 2:
            raise Odd
        if not text.isascii():
            text.decode()
            if any(character in text for character in _NONE):
                raise Odd
        self.references = np.flatnonzero(data == ord("&")) if b"&" in text else quotes[:0]
        # Gap, quote, value, quote, gap ...
        cuts = np.empty(4 * count + 2, np.int32)
        cuts[0], cuts[-1] = 0, len(text)
        cuts[1:-1:2] = quotes
        cuts[2:-1:2] = quotes + 1
        self._strings = pa.StringArray.from_buffers(
            4 * count + 1, pa.py_buffer(cuts), pa.py_buffer(text)
        )
        gaps = self._strings.take(pa.array(np.arange(0, 4 * count + 1, 4))).dictionary_encode()
        codes, said = gaps.indices.to_numpy(), [_known(gap) for gap in gaps.dictionary.to_pylist()]
        known = [gap for gap in said if gap is not None]
        if len(known) < len(said):
            raise Odd
        self.said = [gap.text for gap in known]
        self.names = {name: i for i, name in enumerate(dict.fromkeys(g.name for g in known))}
        if len(self.names) > _MOST_NAMES:
            raise Odd
        marks = np.array([gap.marks for gap in known])[codes].sum()
        if marks != np.count_nonzero((data < 32) | (data == ord("<"))):
            raise Odd  # there are some in values
        self._elements(codes, known, quotes)

    def _elements(self, codes: Integers, known: list[_Gap], quotes: Integers) -> None:
        level = np.array([gap.level for gap in known], np.int8)[codes]
        opens = np.array([gap.opens for gap in known], np.int8)[codes]
        moves = np.flatnonzero(level > 0)
        count = len(codes) - 1
        if level[0] != 0 or not level[1:].all() or not len(moves) or moves[-1] != count:
            raise Odd
        starts = np.concatenate([[0], moves[:-1]])
        self.tags = opens[starts]
        if opens[-1] >= 0 or (self.tags < 0).any():
            raise Odd
        self.levels = _LEVELS[self.tags]
        self.shape_of = np.maximum.accumulate(np.where(self.levels == 2, np.arange(len(starts)), 0))
        closes = np.array([gap.closes for gap in known], np.int8)[codes[moves]]
        wrong = (closes >= 0) & (closes != self.tags[self.shape_of])
        if wrong.any() or (self.levels != level[moves]).any():
            raise Odd
        self.texts = codes[moves]
        tails = np.array([gap.tail for gap in known])[codes[starts]]
        self.starts = quotes[2 * starts] - tails
        names = np.array([self.names[gap.name] for gap in known], np.int16)[codes[:-1]]
        element_of = np.repeat(np.arange(len(starts)), np.diff(starts, append=count))
        self._places = [np.full(len(starts), -1, np.int32) for _ in self.names]
        for name, found in enumerate(self._places):
            at = np.flatnonzero(names == name)
            owners = element_of[at]
            if (owners[1:] == owners[:-1]).any():
                raise Odd  # given twice, which is no XML
            found[owners] = 4 * at + 2

    def places(self, name: str) -> NDArray[np.int32]:
        """Return where the values of an attribute are, for each element; -1: it has none."""
        if name not in self.names:
            return np.full(len(self.tags), -1, np.int32)
        return self._places[self.names[name]]

    def strings(self, name: str, elements: Integers) -> pa.Array:
        """Return the values of an attribute of some elements, null where there is none."""
        places = self.places(name)[elements]
        missing = places < 0
        return self._strings.take(pa.array(places, mask=missing if missing.any() else None))

    def codes(self, name: str, elements: Integers) -> tuple[Integers, list[str]]:
        """Return the same as numbers into a list of the different values; -1: none."""
        if name not in self.names:
            return np.full(len(elements), -1), []
        found = self.strings(name, elements).dictionary_encode()
        codes = pc.fill_null(found.indices, -1).to_numpy().astype(np.int64)
        return codes, found.dictionary.to_pylist()

    def numbers(self, name: str, elements: Integers) -> NDArray[np.float64]:
        """Return the same as numbers.

        Raises:
            Odd: an element has none.
            pa.ArrowInvalid: one is no number, or not written as numbers usually are.
        """
        found = self.strings(name, elements)
        if found.null_count:
            raise Odd
        return pc.cast(found, pa.float64()).to_numpy()


def _known(gap: str) -> _Gap | None:
    # None: it does not occur in a plain text.
    text, end, after = gap.partition("</attribute>")
    if not end:
        return _gap(gap) if len(gap) < _SHORT else None
    usual = _TEXT.fullmatch(text) is not None and len(after) < _SHORT
    found = _gap(f">{end}{after}") if usual else None
    if found is None:
        return None
    return found._replace(text=text[1:], marks=found.marks + text.count("\n") + text.count("\t"))


@lru_cache(4096)
def _gap(gap: str) -> _Gap | None:
    inside = _INSIDE.fullmatch(gap)
    marks = sum(map(gap.count, "\n\t<"))
    if inside is not None:
        return _Gap(-1, -1, -1, inside[1], "", marks, 0)
    between = _BETWEEN.fullmatch(gap)
    if between is None:
        return None
    closer, ends, tag, name = between.groups()
    opens = _TAGS.index(tag) if tag in _OPENS else -1
    if tag is not None and opens < 0:
        return None
    tail = len(gap.encode()) - gap.rfind("<") if tag is not None else 0
    if closer is None:
        found = gap.startswith("<image")
        return _Gap(0, -1, opens, name, "", marks, len(gap)) if found else None
    closed = _END.findall(ends)
    level = _OPENS.get(tag, 0) + len(closed) + (closer == "/>")
    expected = range(level - (closer == "/>"), 0, -1)
    closes = -1
    if not 1 <= level <= 3:
        return None
    for deep, end in zip(expected, closed, strict=False):
        if end not in _OPENS or _LEVELS[_TAGS.index(end)] != deep:
            return None
        if deep == 2:
            closes = _TAGS.index(end)
    return _Gap(level, closes, opens, name or "", "", marks, tail)
