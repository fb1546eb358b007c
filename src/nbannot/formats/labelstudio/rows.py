"""Annotation rows of Label Studio: collected in percent, converted to pixels column by column.

Label Studio writes lengths in percent of the image's width or height, and turns a rectangle
about its top left corner, in pixels. The conversions here are exact to the last bit and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ... import geometry
from ...ledger import Ledger
from ...schema import offsets

__all__ = [
    "Place", "Row", "Rows", "box_outside", "percent_of", "pixels_of", "points_of", "say_outside",
    "top_left_of",
]  # fmt: skip

Floats = NDArray[np.float64]

OUTSIDE_PERCENT = 0.01
"""How far, in percent, a region may reach outside the image before it is said."""


class Place(NamedTuple):
    """One annotation or prediction of one task, for the ledger."""

    file: str
    name: str  # "task 7, annotation 9"
    path: str  # "$[0].annotations[0]"
    item: str  # the item's key

    def line(self, index: int, region: object = None) -> dict[str, str]:
        """Return the fields of a ledger line about result number `index`."""
        named = f" ({region})" if region not in (None, "") else ""
        return {
            "file": self.file,
            "where": f"{self.path}.result[{index}]" if self.path[-1:] == "]" else self.path,
            "record": f"{self.name}, result {index + 1}{named}",
            "item": self.item,
        }


class Row(NamedTuple):
    """One annotation row to be. Boxes and points are in percent; a plain tuple will do."""

    item: int
    layer: str | None
    set: str | None
    type: str
    label: str | None
    source_id: str | None
    score: float | None
    extra: str | None
    place: Place
    nth: int  # of the result in its annotation, from 0
    x: float | None = None  # top left corner of the unrotated rectangle, percent
    y: float | None = None
    w: float | None = None
    h: float | None = None
    rotation: float | None = None  # of a box: about its top left corner; of an ellipse: its centre
    width: float | None = None  # pixels, of the image
    height: float | None = None
    points: Sequence[Sequence[float]] | None = None  # percent
    more: dict[str, Any] | None = None  # further columns of ANNOTATIONS


def pixels_of(percent: Floats, size: Floats) -> Floats:
    """Return lengths in pixels, given percent of `size`."""
    return percent * size / 100.0


def percent_of(pixels: Floats, size: Floats) -> Floats:
    """Return lengths in percent of `size` such that `pixels_of` gives the very same pixels.

    Where no percentage gives them exactly, the nearest.
    """
    out = pixels * 100.0 / size
    wrong = (pixels_of(out, size) != pixels) & ~np.isnan(out)
    if wrong.any():
        low = high = out[wrong]
        target, scale = pixels[wrong], size[wrong]
        best, best_error = out[wrong], np.abs(pixels_of(out[wrong], scale) - target)
        for _ in range(3):
            low, high = np.nextafter(low, -np.inf), np.nextafter(high, np.inf)
            for tried in (low, high):
                error = np.abs(pixels_of(tried, scale) - target)
                better = error < best_error
                best, best_error = (
                    np.where(better, tried, best),
                    np.where(better, error, best_error),
                )
        out[wrong] = best
    return out


def centred(x: Floats, y: Floats, w: Floats, h: Floats, degrees: Floats) -> tuple[Floats, Floats]:
    """Return the top left of the unrotated box about its centre, given it about its corner."""
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return x + (w * cos - h * sin) / 2 - w / 2, y + (w * sin + h * cos) / 2 - h / 2


def top_left_of(
    x: Floats, y: Floats, w: Floats, h: Floats, degrees: Floats
) -> tuple[Floats, Floats]:
    """Return the turned top left corner of boxes turned about their centres."""
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return x + w / 2 - (w * cos - h * sin) / 2, y + h / 2 - (w * sin + h * cos) / 2


class Rows:
    """Rows to be, column by column: `columns` has one list per field of `Row`."""

    def __init__(self) -> None:
        self.columns: dict[str, list[Any]] = {name: [] for name in Row._fields}

    def __len__(self) -> int:
        return len(self.columns["item"])

    def add(self, rows: Sequence[Row]) -> None:
        """Append some rows."""
        if rows:
            for column, values in zip(self.columns.values(), zip(*rows, strict=True), strict=True):
                column.extend(values)

    def flush(self, ledger: Ledger) -> dict[str, Any]:
        """Return columns of ANNOTATIONS, in pixels, and begin anew.

        What lies outside its image gets a warning.
        """
        columns, self.columns = self.columns, {name: [] for name in Row._fields}
        if not columns["item"]:
            return {}
        width, height = _floats(columns["width"]), _floats(columns["height"])
        x, y = _floats(columns["x"]), _floats(columns["y"])
        w, h = _floats(columns["w"]), _floats(columns["h"])
        turn = _floats(columns["rotation"])
        outside = box_outside(x, y, w, h) & ~(np.nan_to_num(turn) != 0)
        x, w = pixels_of(x, width), pixels_of(w, width)
        y, h = pixels_of(y, height), pixels_of(h, height)
        turned = np.flatnonzero(np.nan_to_num(turn) != 0)
        if len(turned):  # boxes are turned about a corner, ellipses about their centre already
            at = turned[[columns["type"][i] == "box" for i in turned]]
            x[at], y[at] = centred(x[at], y[at], w[at], h[at], turn[at])
        kept = ("item", "layer", "set", "type", "label", "source_id", "score", "extra")
        out: dict[str, Any] = {name: columns[name] for name in kept}
        if any(columns["points"]):
            points, bounds, outside_points = points_of(columns["points"], width, height)
            out["points"] = points
            polygons = np.array([t == "polygon" for t in columns["type"]])
            polygons &= ~np.isnan(bounds[:, 0])
            x, y, w, h = (np.where(polygons, bounds[:, k], v) for k, v in enumerate((x, y, w, h)))
            outside |= outside_points
        turn[turn == 0] = np.nan
        for name, values in zip(("x", "y", "w", "h", "rotation"), (x, y, w, h, turn), strict=True):
            out[name] = pa.array(values, from_pandas=True)
        if any(columns["more"]):
            _add_more(out, columns["more"])
        say_outside(
            [
                columns["place"][i].line(columns["nth"][i], columns["source_id"][i])
                for i in np.flatnonzero(outside).tolist()
            ],
            ledger,
        )
        return out


def _add_more(out: dict[str, Any], rows: Sequence[dict[str, Any] | None]) -> None:
    for i, more in enumerate(rows):
        for name, value in (more or {}).items():
            column = out.get(name)
            if not isinstance(column, list):
                column = out[name] = [None] * len(rows) if column is None else column.to_pylist()
            column[i] = value


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array(values, np.float64)  # None becomes NaN


def box_outside(x: Floats, y: Floats, w: Floats, h: Floats) -> NDArray[np.bool_]:
    """Say which upright boxes, in percent, reach outside their images."""
    low, high = -OUTSIDE_PERCENT, 100 + OUTSIDE_PERCENT
    with np.errstate(invalid="ignore"):
        found: NDArray[np.bool_] = (x < low) | (y < low) | (x + w > high) | (y + h > high)
    return found


def points_of(
    lists: Sequence[Sequence[Sequence[float]] | None], width: Floats, height: Floats
) -> tuple[pa.Array, Floats, NDArray[np.bool_]]:
    """Return (column, bounding boxes, what lies outside) of lists of points in percent.

    Bounding boxes are x, y, w, h in pixels, shape (n, 4), NaN where there are no points.
    """
    counts = np.array([len(p) if p else 0 for p in lists], np.int64)
    flat = np.fromiter(
        chain.from_iterable(chain.from_iterable(p for p in lists if p)),
        np.float64,
        int(counts.sum()) * 2,
    ).reshape(-1, 2)
    size = np.stack([np.repeat(width, counts), np.repeat(height, counts)], axis=1)
    pixels = pixels_of(flat, size).ravel()
    starts = offsets(counts * 2)
    some = counts > 0
    column = pa.ListArray.from_arrays(
        pa.array(starts), pa.array(pixels), mask=None if some.all() else pa.array(~some)
    )
    bounds = np.full((len(lists), 4), np.nan)
    outside = np.zeros(len(lists), bool)
    if some.any():
        used = np.append(starts[:-1][some], starts[-1])
        bounds[some] = geometry.bounds(pixels, used)
        percent = geometry.bounds(flat.ravel(), used)
        low, high = -OUTSIDE_PERCENT, 100 + OUTSIDE_PERCENT
        outside[some] = (percent[:, :2] < low).any(axis=1) | (
            (percent[:, :2] + percent[:, 2:]) > high
        ).any(axis=1)
    return column, bounds, outside


def say_outside(lines: Sequence[dict[str, str]], ledger: Ledger) -> None:
    """Warn of regions that reach outside their images, one line each (`Place.line`)."""
    if lines:
        ledger.warn(
            "region reaches outside the image",
            message="it is kept as written",
            **{name: [line[name] for line in lines] for name in lines[0]},
        )
