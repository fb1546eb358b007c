"""Plain results of Label Studio, boxes and polygons, many at once: the fast way.

Gives the very rows that `RegionReader` and `Rows` would give, column by column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...ledger import Ledger
from ...schema import ANNOTATIONS, table
from ..json_values import dumps
from .json import Plain
from .rows import Place, box_outside, pixels_of, points_of, say_outside

__all__ = ["Owner", "PlainPacker"]


class Owner(NamedTuple):
    """One annotation or prediction: whose its results are."""

    item: int
    layer: str | None
    set: str | None
    score: float | None  # of the whole prediction
    place: Place
    size: int  # results that it has


class PlainPacker:
    """Turns plain results into a table; remembers the few forms that `extra` has."""

    def __init__(self) -> None:
        self._places: dict[tuple[Any, ...], int] = {}
        self._extras: list[str] = []

    def pack(self, results: Sequence[Plain], owners: Sequence[Owner], ledger: Ledger) -> pa.Table:
        """Return the rows of `results`, those of the first owner first."""
        values = [r.value for r in results]
        ids = [r.id for r in results]
        counts = np.array([o.size for o in owners])
        width = np.array([r.original_width for r in results], np.float64)
        height = np.array([r.original_height for r in results], np.float64)
        whole = np.repeat(np.array([o.score for o in owners], np.float64), counts)
        given = np.array([r.score for r in results], np.float64)  # None becomes NaN
        borrowed = np.isnan(given) & ~np.isnan(whole)
        x = np.array([v.x for v in values], np.float64)
        y = np.array([v.y for v in values], np.float64)
        w = np.array([v.width for v in values], np.float64)
        h = np.array([v.height for v in values], np.float64)
        outside = box_outside(x, y, w, h)
        boxes = pixels_of(np.stack([x, y, w, h]), np.stack([width, height, width, height]))
        columns: dict[str, Any] = {
            "item": np.repeat([o.item for o in owners], counts),
            "layer": _repeat([o.layer for o in owners], counts),
            "set": _repeat([o.set for o in owners], counts),
            "type": pa.repeat("box", len(results)),
            "label": pa.array([v.labels[0] for v in values], pa.string()),
            "source_id": pa.array(ids, pa.string()),
            "score": pa.array(np.where(borrowed, whole, given), from_pandas=True),
            "extra": self._extra_column(results, borrowed),
        }
        if np.isnan(x).any():
            columns["type"] = [r.kind for r in results]
            columns["points"], bounds, beyond = points_of([v.points for v in values], width, height)
            boxes = np.where(np.isnan(boxes), bounds.T, boxes)
            outside |= beyond
        columns |= dict(zip(("x", "y", "w", "h"), boxes, strict=True))
        self._say(np.flatnonzero(outside).tolist(), owners, counts, ids, ledger)
        return table(columns, ANNOTATIONS)

    def _extra_column(self, results: Sequence[Plain], borrowed: NDArray[np.bool_]) -> pa.Array:
        forms = [
            (r.from_name, r.to_name, r.origin, r.image_rotation, r.value.closed, r.type)
            for r in results
        ]
        for form in set(forms) - self._places.keys():
            self._places[form] = len(self._extras) // 2
            self._extras += [_extra(*form, borrowed=False), _extra(*form, borrowed=True)]
        places = self._places
        codes = np.array([places[form] for form in forms], np.int32) * 2 + borrowed
        return pa.array(self._extras, pa.string()).take(pa.array(codes))

    def _say(
        self, which: Sequence[int], owners: Sequence[Owner], counts: Any, ids: Any, ledger: Ledger
    ) -> None:
        if not which:
            return
        starts = np.cumsum(counts) - counts
        lines = []
        for i in which:
            k = int(np.searchsorted(starts, i, side="right")) - 1
            while not owners[k].size:
                k -= 1
            lines.append(owners[k].place.line(i - int(starts[k]), ids[i]))
        say_outside(lines, ledger)


def _repeat(values: Sequence[Any], counts: Any) -> pa.Array:
    # Each value as often as its count says; few differ.
    column = pa.array(values)
    return column.take(pa.array(np.repeat(np.arange(len(values)), counts)))


def _extra(
    control: str, to: str, origin: str | None, turn: int | None, closed: bool | None, kind: str,
    *, borrowed: bool,
) -> str:  # fmt: skip
    found = {
        "from_name": control,
        "image_rotation": turn,
        "origin": origin,
        "score_of": "prediction" if borrowed else None,
        "to_name": to,
        "type": kind,
        "value": None if closed is None else {"closed": closed},
    }
    return dumps({k: v for k, v in found.items() if v is not None})
