"""The history of a project: its requests and their ledgers, undo, redo, and compact."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ..errors import ProjectError
from ._media import MediaFolder
from ._store import Store
from ._store_connection import Connection, Value
from ._store_read import Counts, Names, TaskRow
from ._store_rows import columns_of
from ._store_tables import LEDGER, REQUESTS, live

__all__ = [
    "compact",
    "last_import",
    "ledger",
    "redo",
    "redoable",
    "requests",
    "summary",
    "undo",
    "undoable",
]

_HISTORIES = ("tasks", "jobs", "labels", "layers", "items", "annotations")
_IDS = {
    "requests": ("request_id",),
    "tasks": ("task_id",),
    "jobs": ("job_id",),
    "labels": ("row_id", "label_id"),
    "layers": ("layer_id",),
    "items": ("item_id",),
    "annotations": ("annotation_id",),
}


def summary(
    connection: Connection, rows: Sequence[TaskRow], known: Names, tally: Counts, limit: int
) -> dict[str, Any]:
    """Return what `Project.summary` does, of what is known of tasks, names and counts."""
    history = connection.rows(
        "SELECT request_id, kind, title, state, undone > 0 AS undone, started, finished, format, "
        "code, read, imported, warned, rejected, summary FROM requests "
        f"ORDER BY request_id DESC LIMIT {limit}"
    )
    for row in history:
        row["undone"] = bool(row["undone"])
        row["text"] = (json.loads(row.pop("summary") or "{}") or {}).get("text", "")
    labelled = sorted(known.labels.items(), key=lambda pair: -tally.by_label.get(pair[0], 0))
    return {
        "counts": {
            "tasks": len(rows),
            "items": sum(row.items for row in rows),
            "annotations": sum(tally.by_layer.values()),
            "labels": len(known.labels),
            "layers": len(known.layers),
            "requests": connection.rows("SELECT count(*) AS n FROM requests")[0]["n"],
        },
        "tasks": [
            {
                "id": row.task_id, "name": row.name, "subset": row.subset or "",
                "items": row.items, "annotations": tally.by_task.get(row.task_id, 0),
            }
            for row in rows[:limit]
        ],
        "labels": [
            {"name": x.name, "color": x.color, "annotations": tally.by_label.get(i, 0)}
            for i, x in labelled[:limit]
        ],
        "layers": [
            {"name": n, "kind": known.layer_kinds[i], "annotations": tally.by_layer.get(i, 0)}
            for i, n in list(known.layers.items())[:limit]
        ],
        "requests": history,
    }  # fmt: skip


def requests(connection: Connection) -> pa.Table:
    """Return all requests, undone ones too, oldest first."""
    columns = columns_of(REQUESTS).replace('"undone"', "undone > 0")
    return connection.query(f"SELECT {columns} FROM requests", REQUESTS)


def last_import(connection: Connection, source_uri: str, target: str) -> dict[str, Any] | None:
    """Return the newest live import of a source into a target, None where there is none."""
    rows = connection.rows(
        "SELECT * FROM requests WHERE kind = 'import' AND undone = 0 AND source_uri = ? "
        "AND target = ? ORDER BY request_id DESC LIMIT 1",
        (source_uri, target),
    )
    return rows[0] if rows else None


def ledger(
    connection: Connection,
    request_id: int,
    *,
    outcome: str = "",
    reason: str = "",
    start: int = 0,
    count: int = -1,
) -> tuple[pa.Table, int]:
    """Return lines of a request's ledger in their order, and how many there are in all."""
    schema = pa.schema([("line_id", pa.int64()), *((n, pa.string()) for n in LEDGER)])
    where, params = f"request_id = {int(request_id)}", list[Value]()
    for column, value in (("outcome", outcome), ("reason", reason)):
        if value:
            where += f" AND {column} = ?"
            params.append(value)
    total = connection.rows(f"SELECT count(*) AS n FROM ledger WHERE {where}", params)[0]["n"]
    lines = connection.query(
        f"SELECT {columns_of(schema)} FROM ledger WHERE {where} "
        f"ORDER BY line_id LIMIT {int(count)} OFFSET {int(start)}",
        schema,
        params,
    )
    return lines.drop_columns("line_id"), int(total)


def undoable(connection: Connection) -> dict[str, Any] | None:
    """Return the request that undo would take back, None where there is none."""
    found = connection.rows(
        "SELECT * FROM requests WHERE undone = 0 AND kind <> 'export' "
        "ORDER BY request_id DESC LIMIT 1"
    )
    return found[0] if found else None


def redoable(connection: Connection) -> dict[str, Any] | None:
    """Return the request that redo would bring back, None where there is none."""
    found = connection.rows("SELECT * FROM requests WHERE undone = 1 ORDER BY request_id LIMIT 1")
    return found[0] if found else None


def undo(store: Store) -> dict[str, Any]:
    """Undo the newest request that is not; return its row."""
    with store.write() as connection:
        row = undoable(connection)
        if row is None:
            raise ProjectError("There is nothing to undo", where=store.name)
        if row["compacted"]:
            raise ProjectError(
                f"{row['title']!r} can't be undone: compact() has dropped what it removed",
                where=store.name,
            )
        connection.run("UPDATE requests SET undone = 1 WHERE request_id = ?", (row["request_id"],))
    return row


def redo(store: Store) -> dict[str, Any]:
    """Redo the request that was undone last; return its row."""
    with store.write() as connection:
        row = redoable(connection)
        if row is None:
            raise ProjectError(
                "There is nothing to redo",
                where=store.name,
                hint="What was undone can be redone until something else is imported.",
            )
        connection.run("UPDATE requests SET undone = 0 WHERE request_id = ?", (row["request_id"],))
    return row


def compact(store: Store, media: MediaFolder) -> dict[str, int]:
    """Drop undone requests, removed rows and media that nothing names; return what was dropped."""
    dropped: dict[str, int] = {}
    with store.write() as connection:
        for table, columns in _IDS.items():
            for column in columns:  # ids are never given twice
                connection.run(
                    "INSERT OR REPLACE INTO meta SELECT ?, max(coalesce(max(t.id), 0), "
                    "coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?), 0)) "
                    f"FROM (SELECT max({column}) AS id FROM {table}) t",
                    (f"last_{column}", f"last_{column}"),
                )
        for table in _HISTORIES:
            gone = f"NOT {live()}"
            connection.run(
                "UPDATE requests SET compacted = 1 WHERE undone = 0 AND request_id IN "
                f"(SELECT removed_by FROM {table} WHERE {gone} AND removed_by IS NOT NULL)"
            )
            count = connection.rows(f"SELECT count(*) AS n FROM {table} WHERE {gone}")
            dropped[table] = int(count[0]["n"])
            connection.run(f"DELETE FROM {table} WHERE {gone}")
            connection.run(
                f"UPDATE {table} SET removed_by = NULL WHERE removed_by IS NOT NULL"
            )  # what is left was removed by an undone request
        undone = "SELECT request_id FROM requests WHERE undone > 0"
        count = connection.rows(f"SELECT count(*) AS n FROM ({undone})")
        dropped["requests"] = int(count[0]["n"])
        connection.run(f"DELETE FROM ledger WHERE request_id IN ({undone})")
        connection.run("DELETE FROM requests WHERE undone > 0")
        connection.run("DELETE FROM label_counts")
        connection.run(
            "INSERT INTO label_counts (layer_id, label_id, item_id, request_id, task_id, count, "
            "max_score) SELECT a.layer_id, coalesce(a.label_id, 0), a.item_id, a.added_by, "
            "i.task_id, count(*), max(a.score) FROM annotations a JOIN items i USING (item_id) "
            "GROUP BY 1, 2, 3, 4"
        )
    # Media goes in a transaction of its own, once the rows are gone for good, and while nobody
    # else can bring the same content in.
    with store.write() as connection:
        named = connection.rows("SELECT DISTINCT blob FROM items WHERE blob IS NOT NULL")
        dropped["media"], dropped["media_bytes"] = media.remove_others({r["blob"] for r in named})
    store.vacuum()
    return dropped
