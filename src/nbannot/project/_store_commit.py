"""One change of a project: rows added and removed by one request, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import ProjectError, SchemaError
from ..schema import Label
from ._media import Incoming, MediaFolder
from ._store import Store, now
from ._store_connection import Connection, Value
from ._store_counts import COUNTED, LabelCounts
from ._store_labels import ensure_labels
from ._store_read import Ids, among, id_array, note_columns
from ._store_rows import as_json, insert, next_id
from ._store_tables import (
    ANNOTATIONS_BY_ITEM,
    GROUND_TRUTH,
    LEDGER,
    STORED_ANNOTATIONS,
    STORED_ITEMS,
    live,
)

__all__ = ["Commit", "begin"]


@contextmanager
def begin(
    store: Store,
    media: MediaFolder,
    kind: str,
    *,
    title: str = "",
    source_uri: str | None = None,
    source_fingerprint: str | None = None,
    format: str | None = None,
    options: Any = None,
    target: Any = None,
    code: str | None = None,
) -> Iterator[Commit]:
    """Begin a change; it is whole when the block ends, and absent when it raises."""
    with store.write(is_long=kind == "import") as connection, media.incoming() as incoming:
        if kind != "export":  # what was undone can't be redone over something newer
            connection.run("UPDATE requests SET undone = 2 WHERE undone = 1")
        request_id = next_id(connection, "requests", "request_id")
        row: dict[str, Value] = {
            "request_id": request_id, "kind": kind, "title": title or kind, "started": now(),
            "source_uri": source_uri, "source_fingerprint": source_fingerprint, "format": format,
            "options": as_json(options), "target": as_json(target), "code": code,
        }  # fmt: skip
        commit = Commit(connection, incoming, row)
        try:
            yield commit
            commit._complete()
        finally:
            commit._background.shutdown()  # nothing of it may run after the transaction
            commit._open = False


class Commit:
    """What `Project.begin` gives: adds and removes rows on behalf of one request.

    Nothing is visible to others, and nothing lasts, before the block ends.
    """

    def __init__(
        self, connection: Connection, incoming: Incoming, request: Mapping[str, Value]
    ) -> None:
        self._open = True
        self._request = request
        self._live_connection = connection
        self._incoming = incoming
        self.request_id = int(request["request_id"] or 0)
        self._next_item = next_id(connection, "items", "item_id")
        self._next_annotation = next_id(connection, "annotations", "annotation_id")
        self._unindexed = False
        self._background = ThreadPoolExecutor(1, "nbannot-commit")
        self._indexing: Future[None] | None = None
        self._counts = LabelCounts()
        self._used: set[str] = set()
        self._outcome: dict[str, Value] = dict.fromkeys(
            ("read", "imported", "warned", "rejected"), 0
        )

    # -- tasks, labels, layers --------------------------------------------------------

    def add_task(self, name: str, subset: str | None = None) -> int:
        """Add a task; return its id.

        Raises:
            ProjectError: there is a task of that name.
        """
        if not name:
            raise ProjectError("A task needs a name")
        if self._connection.rows(f"SELECT 1 FROM tasks WHERE name = ? AND {live()}", (name,)):
            raise ProjectError(
                f"There is a task {name!r} already", hint="Choose another name for the new one."
            )
        task_id = next_id(self._connection, "tasks", "task_id")
        self._add("tasks", task_id=task_id, name=name, subset=subset, position=task_id)
        return task_id

    def add_job(self, task_id: int, name: str, start: int, stop: int, assignee: str = "") -> int:
        """Add a job, the items at positions `start` to `stop` (exclusive) of a task."""
        if not 0 <= start < stop:
            raise ProjectError(f"A job can't reach from position {start} to {stop}")
        job_id = next_id(self._connection, "jobs", "job_id")
        self._add(
            "jobs", job_id=job_id, task_id=task_id, name=name, start=start, stop=stop,
            assignee=assignee,
        )  # fmt: skip
        return job_id

    def remove_jobs(self, task_id: int) -> None:
        """Remove the jobs of a task; its items stay."""
        self._connection.run(
            f"UPDATE jobs SET removed_by = {self.request_id} WHERE task_id = {task_id} AND {live()}"
        )

    def ensure_labels(self, wanted: Sequence[Label]) -> dict[str, int]:
        """Return the id of each label's name; labels that are not there are added.

        A label that is there keeps what it has, and is given what it lacks (parent, skeleton,
        attributes, hotkey, source_id). A new one without a colour gets one.
        """
        return ensure_labels(self._connection, self.request_id, wanted)

    def ensure_layer(self, name: str | None) -> int:
        """Return the id of the layer of predictions called `name`, added when it is not there.

        None is the ground truth, 0.

        Raises:
            ProjectError: `name` is that of the ground truth.
        """
        if name is None:
            return 0
        if name == GROUND_TRUTH:  # it would look like the ground truth, and not be it
            raise ProjectError(
                f"A layer of predictions can't be called {name!r}", hint="Give it another name."
            )
        found = self._connection.rows(
            f"SELECT layer_id FROM layers WHERE name = ? AND {live()}", (name,)
        )
        if found:
            return int(found[0]["layer_id"])
        layer_id = next_id(self._connection, "layers", "layer_id")
        self._add("layers", layer_id=layer_id, name=name, kind="prediction")
        return layer_id

    # -- items and annotations --------------------------------------------------------

    @property
    def next_item_id(self) -> int:
        """The first id that no item has: who adds annotations before items counts from it."""
        return self._next_item

    def add_items(self, task_id: int, items: pa.Table, item_ids: Ids | None = None) -> Ids:
        """Add items at the end of a task; return their ids, in row order.

        Args:
            task_id: the task.
            item_ids: their ids, `next_item_id` and up; given by itself when not given.
            items: columns of `schema.ITEMS` without `item`, `subset` and `media`, and `blob`
                (`put_media`); absent ones are null. `key` and `kind` must be there.

        Raises:
            ProjectError: a key is there already: an item is known by its key in its task.
            SchemaError: a column is unknown or of another type.
        """
        count = len(items)
        ids = np.arange(self._next_item, self._next_item + count) if item_ids is None else item_ids
        if not count:
            return ids
        self._check_keys(task_id, items)
        last = self._connection.rows(
            f"SELECT max(position) AS n FROM items WHERE task_id = {task_id}"
        )[0]["n"]
        first = 0 if last is None else last + 1
        self._ingest(
            "items",
            _fitted(items, STORED_ITEMS, ("item_id", "task_id", "position")),
            item_id=pa.array(ids),
            task_id=pa.array(np.full(count, task_id, np.int64)),
            position=pa.array(np.arange(first, first + count)),
        )
        self._next_item = max(self._next_item, int(ids.max()) + 1)
        return ids

    def _check_keys(self, task_id: int, items: pa.Table) -> None:
        schema = pa.schema([("item_id", pa.int64()), ("key", pa.string())])
        there = self._connection.query(
            f"SELECT item_id, key FROM items WHERE task_id = {task_id} AND {live()}", schema
        )
        keys = pa.chunked_array([*items["key"].chunks, *there["key"].chunks], pa.string())
        if len(pc.unique(keys)) == len(keys):
            return
        tally = pc.value_counts(keys)
        twice = tally.filter(pc.greater(tally.field("counts"), 1)).field("values")
        raise ProjectError(
            f"{len(twice)} keys would be in one task twice, the first is {twice[0].as_py()!r}",
            hint="An item is known by its key in its task: give each one its own.",
        )

    def add_annotations(self, annotations: pa.Table) -> int:
        """Add annotations; return how many. They are numbered by item, then as they come.

        SQLite has no NaN and no -0.0: in a column of floats they become null and 0.0. Lists
        (`points`) are kept bit by bit.

        Args:
            annotations: columns of `schema.ANNOTATIONS`, where `item` is the item_id, `layer` the
                layer_id (null: 0) and `label` the label_id (null: none), all int64; absent ones
                are null. `item` and `type` must be there.

        Raises:
            SchemaError: a column is unknown or of another type.
        """
        count = len(annotations)
        if not count:
            return 0
        stored = {"item": "item_id", "layer": "layer_id", "label": "label_id"}
        ours = annotations.rename_columns([stored.get(n, n) for n in annotations.column_names])
        fitted = _fitted(ours, STORED_ANNOTATIONS, ("annotation_id",))
        layer = pc.fill_null(fitted["layer_id"], 0)
        fitted = fitted.set_column(fitted.schema.get_field_index("layer_id"), "layer_id", layer)
        first = self._next_annotation
        if first == 1:  # into an empty table: sorting once is cheaper than inserting in order
            self._connection.run("DROP INDEX IF EXISTS annotations_by_item")
            self._unindexed = True
        # A column of nulls is what an absent column becomes; binding it would only cost.
        used = [n for n in fitted.column_names if fitted[n].null_count < count]
        self._used |= set(used)
        given, fitted = fitted, fitted.select(used)
        ids = np.arange(first, first + count)
        owner = fitted["item_id"].to_numpy()
        order = None
        if (np.diff(owner) < 0).any():  # by item: what is read together shall lie together
            order = np.argsort(owner, kind="stable")
            numbers = np.empty_like(ids)
            numbers[order] = ids
            ids = numbers
        self._ingest("annotations", fitted, order, annotation_id=pa.array(ids))
        self._next_annotation += count
        self._counts.add(given, 1)
        return count

    def all_annotations_added(self) -> None:
        """Say that no annotation will be added any more: sort and count them in the background."""
        self._counts.begin()
        self._indexing = self._background.submit(self._index)

    def remove_annotations(self, annotation_ids: Any) -> int:
        """Remove annotations (ids of any array-like); return how many were there."""
        condition, params = among("annotation_id", id_array(annotation_ids))
        return self._remove_annotations(condition, params)

    def remove_items(self, item_ids: Any) -> int:
        """Remove items and the annotations on them; return how many items were there."""
        condition, params = among("item_id", id_array(item_ids))
        where = f"{condition} AND {live()}"
        found = self._connection.rows(f"SELECT count(*) AS n FROM items WHERE {where}", params)
        self._remove_annotations(condition, params)
        self._connection.run(
            f"UPDATE items SET removed_by = {self.request_id} WHERE {where}", params
        )
        return int(found[0]["n"])

    def _remove_annotations(self, condition: str, params: Sequence[Value]) -> int:
        self._index()
        where = f"{condition} AND {live()}"
        schema = pa.schema([(name, pa.int64()) for name in ("annotation_id", *COUNTED)])
        columns = ", ".join(schema.names)
        found = self._connection.query(
            f"SELECT {columns} FROM annotations WHERE {where}", schema, params
        )
        self._connection.run(
            f"UPDATE annotations SET removed_by = {self.request_id} WHERE {where}", params
        )
        self._counts.add(found, -1)
        return len(found)

    # -- media, ledger, end -----------------------------------------------------------

    def put_media(self, data: bytes) -> str:
        """Copy media into the project, once per content; return its sha-256 (`ITEMS.blob`)."""
        return self._incoming.put(data)

    def add_ledger(self, lines: pa.Table) -> None:
        """Add the lines of a ledger (`Ledger.to_arrow`)."""
        if len(lines):
            ids = np.full(len(lines), self.request_id, np.int64)
            table = lines.select(LEDGER).append_column("request_id", pa.array(ids))
            self._connection.ingest("ledger", table)

    def finish(
        self,
        *,
        read: int = 0,
        imported: int = 0,
        warned: int = 0,
        rejected: int = 0,
        summary: Mapping[str, Any] | None = None,
    ) -> None:
        """Note what came of the request: counts of records, and whatever `summary` says."""
        self._outcome = {
            "read": read, "imported": imported, "warned": warned, "rejected": rejected,
            "summary": as_json(summary),
        }  # fmt: skip

    def _complete(self) -> None:
        if self._indexing is not None:
            self._indexing.result()
        self._index()
        self._counts.write(self._connection, self.request_id)
        note_columns(self._connection, self._used)
        # Last, and once. A page that a long transaction changes early, moves to the log and changes
        # again costs reading the whole log anew: SQLite checks each page by the one before it.
        insert(self._connection, "requests", {**self._request, "finished": now(), **self._outcome})

    @property
    def _connection(self) -> Connection:
        if not self._open:
            raise ProjectError(
                "This change has ended", hint="Begin another one: with project.begin(...)."
            )
        return self._live_connection

    def _index(self) -> None:
        if self._unindexed:
            self._connection.run(ANNOTATIONS_BY_ITEM)
            self._unindexed = False

    # -- how --------------------------------------------------------------------------

    def _add(self, table: str, **row: Value) -> None:
        insert(self._connection, table, {**row, "added_by": self.request_id})

    def _ingest(
        self, table: str, data: pa.Table, order: Ids | None = None, **columns: pa.Array
    ) -> None:
        for name, values in columns.items():
            data = data.append_column(name, values)
        mine = pa.array(np.full(len(data), self.request_id, np.int64))
        self._connection.ingest(table, data.append_column("added_by", mine), order)


def _fitted(data: pa.Table, schema: pa.Schema, ours: Sequence[str]) -> pa.Table:
    """Return `data` with the types of `schema`; `ours` are the columns that we add ourselves."""
    unknown = set(data.column_names) - set(schema.names) | set(data.column_names) & set(ours)
    if unknown:
        raise SchemaError(f"The project's table has no columns {sorted(unknown)} to be given")
    columns = {}
    for field in schema:
        if field.name in data.column_names:
            columns[field.name] = pc.cast(data[field.name], field.type)
        elif field.name not in ours:
            columns[field.name] = pa.nulls(len(data), field.type)
    return pa.table(columns)
