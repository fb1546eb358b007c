"""Annotation rows of a batch as a writer of Label Studio wants them: by row, in percent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...schema import Batch
from ..writing import annotation_ranks
from .regions import SHAPES, SPANS, VALUES
from .rows import percent_of, top_left_of

__all__ = ["BatchRows", "object_of"]

Floats = NDArray[np.float64]

# Columns that Label Studio has not: they go into a region's meta, from where they are read again.
_OWN_COLUMNS = ("occluded", "outside", "z_order", "group", "frame", "track", "keyframe", "text")


@lru_cache(4096)
def object_of(text: str | None) -> Mapping[str, Any]:
    """Return the JSON object in a cell; {} where it is empty. Not to be changed: it is kept."""
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}


class BatchRows:
    """The annotations of a batch: values of a row by name, lengths in percent of its image."""

    def __init__(self, batch: Batch) -> None:
        rows = batch.annotations
        self.columns = {
            name: rows[name].to_pylist() for name in rows.column_names
            if rows[name].null_count < len(rows)
        }  # fmt: skip
        self.rank = annotation_ranks(batch)
        self.own = [name for name in _OWN_COLUMNS if name in self.columns]
        numbers = batch.items["item"].to_numpy()
        owner = np.searchsorted(numbers, rows["item"].to_numpy())
        sizes = [
            batch.items[n].to_numpy(zero_copy_only=False).astype(np.float64)[owner]
            for n in ("width", "height")
        ]
        for i, extra in enumerate(self.columns.get("extra", ())):
            if extra is not None and "original_width" in extra:
                own = object_of(extra)
                sizes[0][i], sizes[1][i] = own["original_width"], own["original_height"]
        for name, size in (("mask_width", sizes[0]), ("mask_height", sizes[1])):
            own_size = rows[name].to_numpy(zero_copy_only=False).astype(np.float64)
            np.copyto(size, own_size, where=~np.isnan(own_size))
        self.width, self.height = sizes
        self.percent, self.corner = self._lengths(rows)
        self.points = self._points()

    def get(self, i: int, name: str) -> Any:
        """Return a value, None where there is none."""
        column = self.columns.get(name)
        return None if column is None else column[i]

    def layer(self, i: int) -> str | None:
        """Return the layer of a row."""
        found: str | None = self.get(i, "layer")
        return found

    def set(self, i: int) -> str | None:
        """Return the set of a row."""
        found: str | None = self.get(i, "set")
        return found

    def own_extra(self, i: int) -> Mapping[str, Any]:
        """Return what a row has of Label Studio's own, {} where it is from elsewhere."""
        found = object_of(self.get(i, "extra"))
        kind = found.get("type")
        known = kind == "relation" or (
            isinstance(kind, str)
            and kind in SHAPES | SPANS | VALUES
            and isinstance(found.get("from_name"), str)
            and isinstance(found.get("to_name"), (str, type(None)))
        )
        return found if known else {}

    def is_parent(self, i: int) -> bool:
        """Say whether other regions of its item name it as their parent."""
        return (self.get(i, "item"), self.get(i, "source_id")) in self._parents

    @cached_property
    def _parents(self) -> frozenset[tuple[int, str]]:
        extras = self.columns.get("extra", ())
        return frozenset(
            (self.columns["item"][i], str(object_of(text)["parentID"]))
            for i, text in enumerate(extras)
            if text is not None and '"parentID"' in text
        )

    def sized(self, i: int) -> bool:
        """Say whether the size of a row's image is known."""
        return bool(self.width[i] > 0 and self.height[i] > 0)

    def _lengths(self, rows: Any) -> tuple[Floats, Floats]:
        # (n, 4) x, y, w, h of the upright box in percent; (n, 2) its corner, turned with it
        x, y, w, h, turn = (
            rows[n].to_numpy(zero_copy_only=False).astype(np.float64)
            for n in ("x", "y", "w", "h", "rotation")
        )
        size = np.stack([self.width, self.height, self.width, self.height], axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            percent = percent_of(np.stack([x, y, w, h], axis=1), size)
            corner = np.stack(top_left_of(x, y, w, h, np.nan_to_num(turn)), axis=1)
            turned = percent_of(corner, size[:, :2])
        return percent, np.where(np.nan_to_num(turn)[:, None] != 0, turned, percent[:, :2])

    def _points(self) -> list[list[list[float]] | None]:
        lists = self.columns.get("points")
        if lists is None:
            return [None] * len(self.width)
        counts = [len(p) // 2 if p else 0 for p in lists]
        flat = np.array([v for p in lists if p for v in p], np.float64).reshape(-1, 2)
        size = np.stack([np.repeat(self.width, counts), np.repeat(self.height, counts)], axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            percent = percent_of(flat, size).tolist()
        out: list[list[list[float]] | None] = []
        start = 0
        for count in counts:
            out.append(percent[start : start + count] if count else None)
            start += count
        return out
