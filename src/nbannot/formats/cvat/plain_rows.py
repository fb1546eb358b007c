"""Rows of the shapes in plain XML (`plain`): values to columns, as `events` and `shapes` say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..json_values import dumps
from .shapes import FLAGS, GEOMETRY_OF, KNOWN, Bad, extra_of

__all__ = ["Odd", "Rows", "Typed", "rows_of"]

_MOST_ATTRIBUTES = 64
_SLACK = 1e-6
_MASK = ("left", "top", "width", "height", "rle")

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Typed = Mapping[str, Mapping[str, Callable[[str], Any]]]
"""The converters of attributes, by label and name."""


class Odd(Exception):  # noqa: N818  not an error: the parser is to read it
    """Some of it is not of the usual shape."""


class Values(Protocol):
    """The elements of a text; see `plain`."""

    names: dict[str, int]
    levels: NDArray[np.int8]
    shape_of: Integers
    texts: Integers
    said: list[str]

    def places(self, name: str) -> NDArray[np.int32]: ...
    def strings(self, name: str, elements: Integers) -> pa.Array: ...
    def codes(self, name: str, elements: Integers) -> tuple[Integers, list[str]]: ...
    def numbers(self, name: str, elements: Integers) -> Floats: ...


class Rows(NamedTuple):
    """Columns of ANNOTATIONS but for `item`, the image of each row, and the labels that occur."""

    owner: Integers
    columns: dict[str, pa.Array]
    labels: list[str]


def rows_of(
    values: Values, shapes: Integers, types: pa.Array, owner: Integers, sizes: Floats, typed: Typed
) -> tuple[Rows, Flags]:
    """Return the rows of `shapes`, and of which something is to be said, so not here.

    Raises:
        Odd: coordinates are missing.
        pa.ArrowInvalid: coordinates are no numbers.
    """
    made = _Maker(values, shapes, types, sizes)
    codes, labels = values.codes("label", shapes)
    made.bad |= codes < 0
    if "" in labels:
        made.bad |= codes == labels.index("")
    for name in values.names.keys() - KNOWN:
        made.bad |= values.places(name)[shapes] >= 0
    columns = {"type": types, "label": _taken(pa.array(labels, pa.string()), codes)}
    columns |= made.geometry()
    for name, column, convert, kind in _COLUMNS:
        if name in values.names:
            columns[column] = made.converted(name, convert, kind)
    attributes = made.attributes(codes, labels, typed)
    if attributes is not None:
        columns["attributes"] = attributes
    return Rows(owner, columns, labels), made.bad


def _taken(values: pa.Array, codes: Integers) -> pa.Array:
    missing = codes < 0
    return values.take(pa.array(codes, mask=missing if missing.any() else None))


# -- values one by one, each different one once; ValueError: something is to be said ------------


def _z_order(text: str) -> int:
    return _within(int(text), 1 << 31)


def _group(text: str) -> int | None:
    return _within(int(text), 1 << 62) or None


def _within(value: int, limit: int) -> int:
    if not -limit < value < limit:
        raise ValueError
    return value


def _finite(text: str) -> float:
    value = float(text)
    if value * 0.0 != 0.0:
        raise ValueError
    return value


def _rotation(text: str) -> float | None:
    return _finite(text) or None if text else None


def _source(text: str) -> str | None:
    return None if text == "manual" else extra_of(text, {})


_COLUMNS: tuple[tuple[str, str, Callable[[str], Any], pa.DataType], ...] = (
    ("occluded", "occluded", FLAGS.get, pa.bool_()),
    ("z_order", "z_order", _z_order, pa.int32()),
    ("group_id", "group", _group, pa.int64()),
    ("score", "score", _finite, pa.float64()),
    ("source", "extra", _source, pa.string()),
)


class _Maker:
    """Makes the columns of some shapes; `bad` are those of which something is to be said."""

    def __init__(self, values: Values, shapes: Integers, types: pa.Array, sizes: Floats) -> None:
        self._values, self._shapes, self._sizes = values, shapes, sizes
        codes = types.dictionary_encode()
        kinds = codes.dictionary.to_pylist()
        self._of = {
            kind: np.flatnonzero(codes.indices.to_numpy() == i) for i, kind in enumerate(kinds)
        }
        self._frame = np.full((4, len(shapes)), np.nan)
        self.bad = np.zeros(len(shapes), np.bool_)

    def converted(
        self, name: str, convert: Callable[[str], Any], kind: pa.DataType, rows: Any = slice(None)
    ) -> pa.Array:
        """Return the values of an attribute of some shapes as `convert` makes them."""
        codes, said = self._values.codes(name, self._shapes[rows])
        made: list[Any] = []
        for i, text in enumerate(said):
            try:
                made.append(convert(text))
            except (ValueError, OverflowError):
                made.append(None)
                self.bad[rows] |= codes == i
        return _taken(pa.array(made, kind), codes)

    # -- geometry ---------------------------------------------------------------------

    def geometry(self) -> dict[str, pa.Array]:
        """Return the columns of the geometry."""
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is bad
            columns = self._framed() | self._paths() | self._masks()
        if not np.isnan(self._frame[0]).all():
            for name, side in zip("xywh", self._frame, strict=True):
                columns[name] = pa.array(side, from_pandas=True)
        return columns

    def _framed(self) -> dict[str, pa.Array]:
        # Boxes and ellipses.
        none = np.empty(0, np.int64)
        boxes, ellipses = self._of.get("box", none), self._of.get("ellipse", none)
        if len(boxes):
            left, top, right, bottom = self._numbers(boxes, "xtl", "ytl", "xbr", "ybr")
            self._frame[:, boxes] = left, top, right - left, bottom - top
        if len(ellipses):
            x, y, across, down = self._numbers(ellipses, "cx", "cy", "rx", "ry")
            self._frame[:, ellipses] = x - across, y - down, 2 * across, 2 * down
        rows = np.concatenate([boxes, ellipses]) if len(ellipses) else boxes
        x, y, w, h = frame = self._frame[:, rows]
        self.bad[rows] |= ~np.isfinite(x + y + w + h) | (w < 0.0) | (h < 0.0)
        columns = {}
        upright = np.ones(len(rows), np.bool_)
        if "rotation" in self._values.names:
            turns = self.converted("rotation", _rotation, pa.float64(), rows)
            upright = pc.is_null(turns).to_numpy(zero_copy_only=False)
            if not upright.all():
                places = np.full(len(self._shapes), -1)
                places[rows] = np.arange(len(rows))
                columns["rotation"] = _taken(turns, places)
        wrong = (w == 0.0) | (h == 0.0) | self._outside(rows, *frame)
        self.bad[rows] |= upright & wrong
        return columns

    def _numbers(self, rows: Integers, *names: str) -> list[Floats]:
        made = [self._values.numbers(name, self._shapes[rows]) for name in names]
        self.bad[rows] |= ~np.isfinite(made[0] + made[1] + made[2] + made[3])
        return made

    def _outside(self, rows: Integers, x: Floats, y: Floats, w: Floats, h: Floats) -> Flags:
        width, height = self._sizes[:, rows]
        over: Flags = (x + w > width + _SLACK) | (y + h > height + _SLACK)
        return over | (x < 0.0) | (y < 0.0)

    def _paths(self) -> dict[str, pa.Array]:
        # Polygons, polylines and points.
        found = [self._of[kind] for kind in ("polygon", "polyline", "points") if kind in self._of]
        if not found:
            return {}
        rows = np.sort(np.concatenate(found))
        texts = self._values.strings("points", self._shapes[rows])
        if texts.null_count:
            raise Odd
        lists = pc.split_pattern(pc.replace_substring(texts, ";", ","), ",")
        flat = pc.cast(lists.flatten(), pa.float64()).to_numpy()
        lengths = np.diff(lists.offsets.to_numpy())
        if (lengths % 2).any() or not np.isfinite(flat).all():
            raise Odd
        places = (np.cumsum(lengths) - lengths) // 2
        x, y = np.minimum.reduceat(flat[::2], places), np.minimum.reduceat(flat[1::2], places)
        w = np.maximum.reduceat(flat[::2], places) - x
        h = np.maximum.reduceat(flat[1::2], places) - y
        self.bad[rows] |= self._outside(rows, x, y, w, h)
        polygons = self._of.get("polygon")
        if polygons is not None:
            mine = np.searchsorted(rows, polygons)
            self._frame[:, polygons] = x[mine], y[mine], w[mine], h[mine]
            self.bad[polygons] |= (w[mine] == 0.0) | (h[mine] == 0.0)
        counts = np.zeros(len(self._shapes) + 1, np.int32)
        counts[rows + 1] = lengths
        missing = np.ones(len(counts), np.bool_)
        missing[rows] = missing[-1] = False
        missing[-1] = False
        offsets = pa.array(np.cumsum(counts, dtype=np.int32), mask=missing)
        return {"points": pa.ListArray.from_arrays(offsets, pa.array(flat))}

    def _masks(self) -> dict[str, pa.Array]:
        rows = self._of.get("mask")
        if rows is None:
            return {}
        texts = [self._values.strings(name, self._shapes[rows]).to_pylist() for name in _MASK]
        runs: list[bytes | None] = [None] * len(self._shapes)
        sizes: list[tuple[int | None, int | None]] = [(None, None)] * len(self._shapes)
        for row, said in zip(rows.tolist(), zip(*texts, strict=True), strict=True):
            size: Any = tuple(map(int, self._sizes[:, row]))
            given = {n: text for n, text in zip(_MASK, said, strict=True) if text is not None}
            try:
                geometry = GEOMETRY_OF["mask"](given, size)
            except Bad:
                self.bad[row] = True
                continue
            self._frame[:, row] = geometry[:4]
            runs[row], sizes[row] = geometry[7], (geometry[8], geometry[9])
            self.bad[row] |= (geometry[9], geometry[8]) != size or not geometry[2]
        heights, widths = zip(*sizes, strict=True)
        return {
            "mask": pa.array(runs, pa.binary()),
            "mask_height": pa.array(heights, pa.int32()),
            "mask_width": pa.array(widths, pa.int32()),
        }

    # -- attributes -------------------------------------------------------------------

    def attributes(self, labels: Integers, label_names: list[str], typed: Typed) -> Any:
        """Return the attributes as JSON: each different set of them is made once."""
        values = self._values
        elements = np.flatnonzero(values.levels == 3)
        if not len(elements):
            return None
        rows = np.searchsorted(self._shapes, values.shape_of[elements])
        codes, names = values.codes("name", elements)
        codes[codes < 0] = len(names)
        names.append("")
        nameless = np.array([name == "" for name in names])
        self.bad[rows[nameless[codes]]] = True
        texts = values.texts[elements].astype(np.int64)
        counts = np.bincount(rows, minlength=len(self._shapes))
        firsts = np.cumsum(counts) - counts
        many = counts > _MOST_ATTRIBUTES
        self.bad |= many
        order = np.arange(len(elements)) - firsts[rows]
        said = 2 + codes * len(values.said) + texts
        most = len(names) * len(values.said) + 2
        keys = 2 * (labels + 1) + many
        for k in range(min(int(counts.max()), _MOST_ATTRIBUTES)):
            mine = order == k
            part = np.zeros(len(keys), np.int64)
            part[rows[mine]] = said[mine]
            keys = np.unique(keys * most + part, return_inverse=True)[1]
        _, samples, keys = np.unique(keys, return_index=True, return_inverse=True)
        made: list[str | None] = []
        for n, row in enumerate(samples.tolist()):
            if not counts[row] or many[row]:
                made.append(None)
                continue
            of_label = typed.get(label_names[labels[row]], {}) if labels[row] >= 0 else {}
            own: dict[str, Any] = {}
            for e in range(firsts[row], firsts[row] + counts[row]):
                name, text = names[codes[e]], values.said[texts[e]]
                convert = of_label.get(name)
                own[name] = text if convert is None else convert(text)
            made.append(dumps(own))
            if len(own) < counts[row]:  # one is given twice
                self.bad |= keys == n
        return pa.array(made, pa.string()).take(pa.array(keys))
