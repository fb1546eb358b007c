"""What a project holds: queries of live rows, as Arrow tables and a few small objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..schema import ANNOTATIONS, Label
from ._store_connection import Connection, Value
from ._store_labels import label_rows
from ._store_rows import columns_of
from ._store_tables import STORED_ANNOTATIONS, STORED_ITEMS, live

__all__ = [
    "ANNOTATION_TABLE",
    "Counts",
    "Ids",
    "Names",
    "TaskRow",
    "among",
    "annotated",
    "annotation_rows",
    "batches",
    "counts",
    "id_array",
    "item_rows",
    "job_rows",
    "matching_items",
    "names",
    "note_columns",
    "task_items",
    "task_rows",
]

Ids = NDArray[np.int64]

ANNOTATION_TABLE = pa.schema(
    [
        pa.field("annotation_id", pa.int64()),
        *ANNOTATIONS,
        pa.field("added_by", pa.int64()),  # the request that added it
    ]
)
"""What `annotation_rows` returns: `item` is the item_id, `label` and `layer` are names."""

_READ_ANNOTATIONS = STORED_ANNOTATIONS.append(pa.field("added_by", pa.int64()))
_USED = "annotation_columns"


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A live task: `items` live items at positions 0 to `stop` (exclusive), gaps where removed."""

    task_id: int
    name: str
    subset: str | None
    position: int
    added_by: int
    items: int
    stop: int


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the live labels and layers, by their ids; labels in the order they were added."""

    labels: dict[int, Label]
    layers: dict[int, str]
    layer_kinds: dict[int, str]

    def label_id(self, name: str) -> int | None:
        """Return the id of a label, None where there is none of that name."""
        return next((i for i, label in self.labels.items() if label.name == name), None)

    def layer_id(self, name: str) -> int | None:
        """Return the id of a layer, None where there is none of that name."""
        return next((i for i, layer in self.layers.items() if layer == name), None)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many live annotations there are, per task, per label (0: none) and per layer."""

    by_task: dict[int, int]
    by_label: dict[int, int]
    by_layer: dict[int, int]


def among(column: str, ids: Ids) -> tuple[str, list[Value]]:
    """Return the condition that a column of ids is one of `ids`, and its parameters."""
    if len(ids) and ids[-1] - ids[0] == len(ids) - 1 and (np.diff(ids) == 1).all():
        return f"{column} BETWEEN {int(ids[0])} AND {int(ids[-1])}", []
    return f"{column} IN (SELECT value FROM json_each(?))", [json.dumps(ids.tolist())]


def id_array(ids: Any) -> Ids:
    """Return ids (a list, range, numpy or Arrow array, Series) as a sorted int64 array."""
    return np.unique(np.asarray(ids, np.int64))


def task_rows(connection: Connection) -> list[TaskRow]:
    """Return the live tasks in their order."""
    rows = connection.rows(
        f"SELECT task_id, name, subset, position, added_by FROM tasks WHERE {live()} "
        "ORDER BY position, task_id"
    )
    sizes = {
        row["task_id"]: (row["items"], row["stop"])
        for row in connection.rows(
            "SELECT task_id, count(*) AS items, max(position) + 1 AS stop FROM items "
            f"WHERE {live()} GROUP BY task_id"
        )
    }
    found = []
    for row in rows:
        count, stop = sizes.get(row["task_id"], (0, 0))
        found.append(TaskRow(**row, items=count, stop=stop))
    return found


def job_rows(connection: Connection) -> list[dict[str, Any]]:
    """Return the live jobs of all tasks, by task and where they start."""
    return connection.rows(
        "SELECT job_id, task_id, name, start, stop, assignee, state FROM jobs "
        f"WHERE {live()} ORDER BY task_id, start, job_id"
    )


def names(connection: Connection) -> Names:
    """Return the live labels and layers."""
    rows = connection.rows(
        f"SELECT layer_id, name, kind FROM layers WHERE {live()} ORDER BY layer_id"
    )
    return Names(
        label_rows(connection),
        {row["layer_id"]: row["name"] for row in rows},
        {row["layer_id"]: row["kind"] for row in rows},
    )


def item_rows(
    connection: Connection,
    *,
    task_id: int | None = None,
    item_ids: Ids | None = None,
    positions: tuple[int, int] | None = None,
) -> pa.Table:
    """Return live items in columns of `STORED_ITEMS`, by item_id; all filters must hold."""
    conditions, params = [live()], list[Value]()
    if task_id is not None:
        conditions.append(f"task_id = {task_id}")
    if positions is not None:
        conditions.append(f"position >= {positions[0]} AND position < {positions[1]}")
    if item_ids is not None:
        condition, more = among("item_id", item_ids)
        conditions.append(condition)
        params += more
    sql = f"SELECT {columns_of(STORED_ITEMS)} FROM items WHERE {' AND '.join(conditions)}"
    return connection.query(sql, STORED_ITEMS, params)


def task_items(connection: Connection, task_id: int) -> Ids:
    """Return the ids of a task's live items, by position."""
    schema = pa.schema([("position", pa.int64()), ("item_id", pa.int64())])
    found = connection.query(
        f"SELECT position, item_id FROM items WHERE task_id = {task_id} AND {live()}", schema
    )
    ids: Ids = found["item_id"].to_numpy()
    return ids


def matching_items(
    connection: Connection,
    *,
    label_id: int | None,
    layer_id: int | None,
    task_id: int | None,
) -> Ids:
    """Return the ids of items with a live annotation of that label, layer and task, in order."""
    layers = "SELECT layer_id FROM layers" if layer_id is None else str(layer_id)
    conditions = [
        f"layer_id IN ({layers})",
        "request_id NOT IN (SELECT request_id FROM requests WHERE undone > 0)",
    ]
    if label_id is not None:
        conditions.append(f"label_id = {label_id}")
    if task_id is not None:
        conditions.append(f"task_id = {task_id}")
    schema = pa.schema([(n, pa.int64()) for n in ("item_id", "task_id", "count")])
    found = connection.query(
        "SELECT item_id, task_id, count FROM label_counts WHERE " + " AND ".join(conditions), schema
    )
    ids, task, count = (found[n].to_numpy() for n in schema.names)
    if len(ids) and ((np.diff(ids) == 0).any() or (count < 1).any()):
        starts = np.flatnonzero(np.diff(ids, prepend=ids[0] - 1))
        count = np.add.reduceat(count, starts)
        ids, task = ids[starts][count > 0], task[starts][count > 0]
    if (np.diff(task) < 0).any():  # items were appended to an earlier task
        ids = ids[np.lexsort((ids, task))]
    return np.asarray(ids, np.int64)


def annotated(connection: Connection, task_id: int | None, count: int) -> list[int]:
    """Return the ids of the first items (of a task) that have an annotation."""
    of_task = "" if task_id is None else f"task_id = {task_id} AND"
    rows = connection.rows(
        f"SELECT item_id FROM items WHERE {of_task} {live()} AND EXISTS (SELECT 1 FROM "
        f"annotations a WHERE a.item_id = items.item_id AND {live('a')}) "
        f"ORDER BY task_id, position LIMIT {count}"
    )
    return [row["item_id"] for row in rows]


def annotation_rows(
    connection: Connection,
    known: Names,
    *,
    task_id: int | None = None,
    item_ids: Ids | None = None,
    layer_ids: Iterable[int] | None = None,
) -> pa.Table:
    """Return live annotations in columns of `ANNOTATION_TABLE`, by annotation_id."""
    conditions, params = [live()], list[Value]()
    if task_id is not None:
        conditions.append(f"item_id IN (SELECT item_id FROM items WHERE task_id = {task_id})")
    if layer_ids is not None:
        conditions.append(f"layer_id IN ({', '.join(str(int(i)) for i in layer_ids)})")
    if item_ids is not None:
        condition, more = among("item_id", item_ids)
        conditions.append(condition)
        params += more
    # Most columns of most projects are empty, and reading nulls takes most of the time.
    used = {"annotation_id", "item_id", "layer_id", "added_by", *used_columns(connection)}
    schema = pa.schema([f for f in _READ_ANNOTATIONS if f.name in used])
    sql = f"SELECT {columns_of(schema)} FROM annotations WHERE {' AND '.join(conditions)}"
    found = connection.query(sql, schema, params, ordered=False)
    return in_order(_named(found, known), "annotation_id")


def _named(stored: pa.Table, known: Names) -> pa.Table:
    """Return stored annotations with names for ids; the ground truth's layer is null."""
    columns = dict(zip(stored.column_names, stored.columns, strict=True))
    columns["item"] = stored["item_id"]
    columns["layer"] = _take({i: n for i, n in known.layers.items() if i}, stored["layer_id"])
    if "label_id" in columns:
        label_names = {i: label.name for i, label in known.labels.items()}
        columns["label"] = _take(label_names, stored["label_id"])
    return pa.table(
        [
            columns[f.name] if f.name in columns else pa.nulls(len(stored), f.type)
            for f in ANNOTATION_TABLE
        ],
        schema=ANNOTATION_TABLE,
    )


def in_order(table: pa.Table, column: str) -> pa.Table:
    """Return `table` sorted by a column of integers, equal ones in their order; often it is."""
    values = table[column].to_numpy()
    if not (np.diff(values) < 0).any():
        return table
    return table.take(pa.array(np.argsort(values, kind="stable")))


def used_columns(connection: Connection) -> list[str]:
    """Return the columns of table ``annotations`` that were ever given a value."""
    rows = connection.rows("SELECT value FROM meta WHERE key = ?", (_USED,))
    used: list[str] = json.loads(rows[0]["value"]) if rows else []
    return used


def note_columns(connection: Connection, used: Iterable[str]) -> None:
    """Note that columns of table ``annotations`` were given values."""
    before = used_columns(connection)
    if new := set(used) - set(before):
        value = json.dumps(sorted({*before, *new}))
        connection.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_USED, value))


def _take(by_id: dict[int, str], ids: pa.ChunkedArray) -> pa.ChunkedArray:
    index = pc.index_in(ids, pa.array(list(by_id), pa.int64()))
    return pa.chunked_array(
        [pc.take(pa.array(list(by_id.values()), pa.string()), chunk) for chunk in index.chunks],
        pa.string(),
    )


def batches(
    connection: Connection,
    task_id: int | None,
    item_ids: Ids | None,
    layer_ids: Sequence[int] | None,
    size: int,
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield (items, annotations on them), `size` items at a time, by task and position."""
    known = names(connection)
    for task in task_rows(connection):
        if task_id is not None and task.task_id != task_id:
            continue
        ids = task_items(connection, task.task_id)
        if item_ids is not None:
            ids = ids[np.isin(ids, item_ids)]
        for start in range(0, len(ids), size):
            part = np.sort(ids[start : start + size])
            rows = annotation_rows(connection, known, item_ids=part, layer_ids=layer_ids)
            shown = item_rows(connection, item_ids=part)
            yield in_order(shown, "position"), in_order(rows, "item")


def counts(connection: Connection) -> Counts:
    """Return how many live annotations there are."""
    alive = "request_id NOT IN (SELECT request_id FROM requests WHERE undone > 0)"
    per_label = connection.rows(
        "SELECT layer_id, label_id, sum(count) AS n FROM label_counts "
        f"WHERE {alive} GROUP BY layer_id, label_id"
    )
    per_task = connection.rows(
        f"SELECT task_id, sum(count) AS n FROM label_counts WHERE {alive} GROUP BY task_id"
    )
    by_label: dict[int, int] = {}
    by_layer: dict[int, int] = {}
    for row in per_label:
        by_label[row["label_id"]] = by_label.get(row["label_id"], 0) + row["n"]
        by_layer[row["layer_id"]] = by_layer.get(row["layer_id"], 0) + row["n"]
    return Counts({row["task_id"]: row["n"] for row in per_task}, by_label, by_layer)
