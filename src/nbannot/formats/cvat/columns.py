"""Rows of annotations and items as tuples, and batches of them: no dict per row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from ...schema import Batch, Label
from ..json_values import dumps

__all__ = ["ATTRIBUTES", "FRAME", "GEOMETRY", "OUTSIDE", "Columns", "Row", "posed_row"]

Row = tuple[Any, ...]

_ANNOTATION = (
    "item", "type", "label",
    "x", "y", "w", "h", "rotation", "points", "visibility", "mask", "mask_height", "mask_width",
    "frame", "track", "keyframe", "outside", "occluded", "z_order", "group", "score",
    "attributes", "extra",
)  # fmt: skip
_ITEM = (
    "item", "subset", "key", "kind", "media", "width", "height", "frames", "source_id", "meta"
)  # fmt: skip
GEOMETRY = slice(3, 13)
"""Where the geometry is in a row, see `shapes`."""
FRAME = _ANNOTATION.index("frame")
OUTSIDE = _ANNOTATION.index("outside")
ATTRIBUTES = _ANNOTATION.index("attributes")
_ENOUGH = 16_384


class Columns:
    """Collects `items` and `annotations`, lists of tuples in the order of their columns."""

    def __init__(self) -> None:
        self.items: list[Row] = []
        self.annotations: list[Row] = []
        self.next_item = 0
        self._before: list[Batch] = []

    def add_item(
        self, subset: str | None, key: str, kind: str, media: str | None,
        size: tuple[int | None, int | None], frames: int | None, source_id: str | None,
        meta: str | None,
    ) -> int:  # fmt: skip
        """Add an item; return its number."""
        number = self.next_item
        self.next_item += 1
        self.items.append((number, subset, key, kind, media, *size, frames, source_id, meta))
        return number

    @property
    def is_enough(self) -> bool:
        """Is it worth a batch?"""
        count = sum(b.items.num_rows + b.annotations.num_rows for b in self._before)
        return count + len(self.items) + len(self.annotations) >= _ENOUGH

    def add(self, items: Mapping[str, Any], annotations: Mapping[str, Any]) -> None:
        """Add columns of items, numbered from `next_item` on, and of annotations."""
        if self.items or self.annotations:
            self._before.append(self._collected(self.annotations))
            self.annotations.clear()
        self._before.append(Batch.of(items, annotations))
        self.next_item += self._before[-1].items.num_rows

    def _collected(self, rows: list[Row], labels: tuple[Label, ...] = ()) -> Batch:
        batch = Batch.of(_table(self.items, _ITEM), _table(rows, _ANNOTATION), labels)
        self.items.clear()
        return batch

    def flush(self, labels: tuple[Label, ...], keep: int = 0) -> Batch:
        """Return what was collected, but for the last `keep` annotations, and begin anew."""
        kept = self.annotations[len(self.annotations) - keep :] if keep else []
        rows = self.annotations[: len(self.annotations) - keep] if keep else self.annotations
        batch = self._collected(rows, labels)
        self.annotations[:] = kept
        if not self._before:
            return batch
        batches, self._before = [*self._before, batch], []
        return Batch(
            pa.concat_tables([b.items for b in batches]).combine_chunks(),
            pa.concat_tables([b.annotations for b in batches]).combine_chunks(),
            labels,
        )


def _table(rows: list[Row], names: tuple[str, ...]) -> dict[str, Any]:
    # Columns without a value are left out: making a null column costs nothing.
    columns = zip(names, zip(*rows, strict=True), strict=True) if rows else ()
    count = len(rows)
    return {n: values for n, values in columns if values.count(None) < count}


def posed_row(row: Row, geometry: Row, parts: Mapping[str, Any]) -> Row:
    """Return a skeleton's row with its geometry, and what its joints say beyond in `extra`."""
    extra = row[-1]
    if parts:
        own = json.loads(extra)["cvat"] if extra else {}
        extra = dumps({"cvat": {**own, "joints": parts}})
    return (*row[: GEOMETRY.start], *geometry, *row[GEOMETRY.stop : -1], extra)
