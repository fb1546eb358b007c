"""The table ``label_counts``: how many annotations of a label each request added or removed.

A small clustered table in place of an index over labels and scores, which would make bulk
inserts four times slower. It answers "which items have this label" and "how many are there".
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..errors import ProjectError
from ._store_connection import Connection

__all__ = ["COUNTED", "LabelCounts"]

COUNTED = ("layer_id", "label_id", "item_id")
"""What a row of the table counts by, with the request."""


class LabelCounts:
    """Counts what one request adds and removes, and writes it in one go."""

    def __init__(self) -> None:
        self._parts: list[tuple[NDArray[Any], ...]] = []
        self._begun: Future[tuple[NDArray[Any], ...]] | None = None

    def add(self, rows: pa.Table, sign: int) -> None:
        """Count stored annotations, added (`sign` 1) or removed (-1)."""
        score = np.full(len(rows), -np.inf)
        if "score" in rows.column_names:
            score = pc.fill_null(rows["score"], -np.inf).to_numpy()
        label = pc.fill_null(rows["label_id"], 0).to_numpy()
        layer, item = rows["layer_id"].to_numpy(), rows["item_id"].to_numpy()
        self._parts.append((layer, label, item, score, np.full(len(rows), sign, np.int64)))
        self._begun = None

    def begin(self) -> None:
        """Begin to sort on a thread of its own, while something else is written: all is added."""
        if not self._parts:
            return
        pool = ThreadPoolExecutor(1, "nbannot-count")
        self._begun = pool.submit(self._tally)
        pool.shutdown(wait=False)

    def write(self, connection: Connection, request_id: int) -> None:
        """Write what was counted.

        Raises:
            ProjectError: an annotation is on an item that does not exist.
        """
        if not any(len(part[0]) for part in self._parts):
            return
        tally = self._begun.result() if self._begun is not None else self._tally()
        layer, label, item, count, best = tally
        connection.ingest(
            "label_counts",
            pa.table(
                {
                    "layer_id": layer,
                    "label_id": label,
                    "item_id": item,
                    "request_id": np.full(len(item), request_id, np.int64),
                    "task_id": _tasks_of(connection, item),
                    "count": count,
                    "max_score": pa.array(best, mask=np.isneginf(best)),
                }
            ),
        )

    def _tally(self) -> tuple[NDArray[Any], ...]:
        # Layer, label, item, count and best score of each (layer, label, item) that changed.
        columns = zip(*self._parts, strict=True)
        layer, label, item, score, sign = (np.concatenate(column) for column in columns)
        if not len(item):
            return layer, label, item, sign, score
        # One sortable number per (layer, label, item). Ids are counted from 1, so it fits.
        labels, items = int(label.max()) + 1, int(item.max()) + 1
        key = (layer * labels + label) * items + item
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))
        count = np.add.reduceat(sign[order], starts)
        best = np.maximum.reduceat(score[order], starts)[count != 0]
        first = order[starts][count != 0]
        return layer[first], label[first], item[first], count[count != 0], best


def _tasks_of(connection: Connection, item_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(item_ids):
        return item_ids
    schema = pa.schema([("item_id", pa.int64()), ("task_id", pa.int64())])
    low, high = int(item_ids.min()), int(item_ids.max())
    found = connection.query(
        f"SELECT item_id, task_id FROM items WHERE item_id BETWEEN {low} AND {high}", schema
    )
    known, tasks = found["item_id"].to_numpy(), found["task_id"].to_numpy()
    place = np.minimum(np.searchsorted(known, item_ids), max(len(known) - 1, 0))
    missing = known[place] != item_ids if len(known) else np.ones(len(item_ids), bool)
    if missing.any():
        raise ProjectError(
            f"There is no item {int(item_ids[missing][0])} for an annotation to be on"
        )
    out: NDArray[np.int64] = tasks[place]
    return out
