"""The tables of a project, and the steps that bring an older project to them.

A store's version is SQLite's ``user_version``: how many of `MIGRATIONS` it has been through. An
empty file is version 0, so a new project is made by the same steps that an old one is brought up
to date by.

Every row of ``tasks``, ``jobs``, ``labels``, ``layers``, ``items`` and ``annotations`` knows the
request that added it and the one that removed it. It is *live* when the former is not undone, and
the latter is absent or undone. Undo and redo set one flag in ``requests``.
"""

from __future__ import annotations

import pyarrow as pa

from ..schema import ANNOTATIONS, ITEMS

__all__ = [
    "ANNOTATIONS_BY_ITEM",
    "GROUND_TRUTH",
    "LEDGER",
    "MIGRATIONS",
    "REQUESTS",
    "STORED_ANNOTATIONS",
    "STORED_ITEMS",
    "live",
]

GROUND_TRUTH = "ground truth"
"""The name of layer 0, which every project has."""


def live(alias: str = "") -> str:
    """Return the SQL condition that a row (of the table called `alias`) is live."""
    dot = f"{alias}." if alias else ""
    undone = "(SELECT request_id FROM requests WHERE undone > 0)"
    return (
        f"({dot}added_by NOT IN {undone} "
        f"AND ({dot}removed_by IS NULL OR {dot}removed_by IN {undone}))"
    )


STORED_ITEMS = pa.schema(
    [
        pa.field("item_id", pa.int64()),
        pa.field("task_id", pa.int64()),
        pa.field("position", pa.int64()),  # in the task, from 0; gaps where items were removed
        *(f for f in ITEMS if f.name in ("key", "kind", "uri")),
        pa.field("blob", pa.string()),  # sha-256 of copied media, hex
        *(f for f in ITEMS if f.name not in ("item", "subset", "media", "key", "kind", "uri")),
    ]
)
"""Columns of table ``items`` but `added_by` and `removed_by`."""

STORED_ANNOTATIONS = pa.schema(
    [
        pa.field("annotation_id", pa.int64()),
        pa.field("item_id", pa.int64()),
        pa.field("layer_id", pa.int64()),
        pa.field("label_id", pa.int64()),
        *(f for f in ANNOTATIONS if f.name not in ("item", "layer", "label")),
    ]
)
"""Columns of table ``annotations`` but `added_by` and `removed_by`."""

REQUESTS = pa.schema(
    [
        pa.field("request_id", pa.int64()),
        *(pa.field(n, pa.string()) for n in ("kind", "title", "state")),
        pa.field("undone", pa.bool_()),
        *(
            pa.field(n, pa.string())
            for n in (
                "started", "finished", "source_uri", "source_fingerprint", "format", "options",
                "target", "code",
            )
        ),
        *(pa.field(n, pa.int64()) for n in ("read", "imported", "warned", "rejected")),
        pa.field("summary", pa.string()),
    ]
)  # fmt: skip
"""Columns of table ``requests`` as users see them."""

LEDGER = ("outcome", "reason", "file", "where", "record", "item", "message")
"""Columns of table ``ledger`` as users see them."""

ANNOTATIONS_BY_ITEM = "CREATE INDEX annotations_by_item ON annotations(item_id)"

_HISTORY = "added_by INTEGER NOT NULL, removed_by INTEGER"

_VERSION_1 = f"""
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;

CREATE TABLE requests(
    request_id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,                     -- 'import', 'export', 'edit'
    title TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'done',
    undone INTEGER NOT NULL DEFAULT 0,      -- 1: undone; 2: undone, and too late to redo
    compacted INTEGER NOT NULL DEFAULT 0,   -- 1: what it removed is gone, so it can't be undone
    started TEXT, finished TEXT,            -- ISO 8601, UTC
    source_uri TEXT, source_fingerprint TEXT, format TEXT,
    options TEXT, target TEXT,              -- JSON
    code TEXT,
    read INTEGER, imported INTEGER, warned INTEGER, rejected INTEGER,
    summary TEXT                            -- JSON
);

CREATE TABLE tasks(
    task_id INTEGER PRIMARY KEY, name TEXT NOT NULL, subset TEXT, position INTEGER NOT NULL,
    {_HISTORY});

CREATE TABLE jobs(
    job_id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL, name TEXT NOT NULL,
    start INTEGER NOT NULL, stop INTEGER NOT NULL,      -- positions in the task, stop exclusive
    assignee TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT 'new',
    {_HISTORY});

CREATE TABLE labels(                        -- a changed label is a new row with the same label_id
    row_id INTEGER PRIMARY KEY, label_id INTEGER NOT NULL, name TEXT NOT NULL,
    color TEXT NOT NULL, parent TEXT, skeleton TEXT, attributes TEXT NOT NULL DEFAULT '[]',
    hotkey TEXT, source_id TEXT, extra TEXT NOT NULL DEFAULT '{{}}', position INTEGER NOT NULL,
    {_HISTORY});

CREATE TABLE layers(
    layer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, {_HISTORY});
INSERT INTO layers VALUES (0, '{GROUND_TRUTH}', 'truth', 0, NULL);

CREATE TABLE items(
    item_id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL, position INTEGER NOT NULL,
    key TEXT NOT NULL, kind TEXT NOT NULL, uri TEXT, blob TEXT, width INTEGER, height INTEGER,
    frames INTEGER, duration REAL, source_id TEXT, data TEXT, meta TEXT,
    {_HISTORY});
CREATE INDEX items_by_task ON items(task_id, position, added_by, removed_by);

CREATE TABLE annotations(
    annotation_id INTEGER PRIMARY KEY, item_id INTEGER NOT NULL,
    layer_id INTEGER NOT NULL DEFAULT 0, label_id INTEGER, "set" TEXT, type TEXT NOT NULL,
    x REAL, y REAL, w REAL, h REAL, rotation REAL,
    points BLOB,                            -- little-endian float64: x, y, x, y, ...
    rings BLOB,                             -- little-endian int32
    visibility BLOB,                        -- int8
    mask BLOB, mask_height INTEGER, mask_width INTEGER, start REAL, "end" REAL, text TEXT,
    number REAL, frame INTEGER, track TEXT, keyframe INTEGER, outside INTEGER, occluded INTEGER,
    z_order INTEGER, "group" INTEGER, score REAL, source_id TEXT, attributes TEXT, extra TEXT,
    {_HISTORY});
{ANNOTATIONS_BY_ITEM};

-- How many annotations each request added (or, below 0, removed) per layer, label (0: none) and
-- item. Live counts are sums over requests that are not undone.
CREATE TABLE label_counts(
    layer_id INTEGER NOT NULL, label_id INTEGER NOT NULL, item_id INTEGER NOT NULL,
    request_id INTEGER NOT NULL, task_id INTEGER NOT NULL, count INTEGER NOT NULL, max_score REAL,
    PRIMARY KEY (layer_id, label_id, item_id, request_id)) WITHOUT ROWID;

CREATE TABLE ledger(
    line_id INTEGER PRIMARY KEY, request_id INTEGER NOT NULL, outcome TEXT, reason TEXT, file TEXT,
    "where" TEXT, record TEXT, item TEXT, message TEXT);
CREATE INDEX ledger_by_request ON ledger(request_id);

-- For Project.sql.
CREATE VIEW live_tasks AS SELECT task_id, name, subset, position FROM tasks WHERE {live()};
CREATE VIEW live_labels AS
    SELECT label_id, name, color, parent, skeleton, attributes, hotkey, source_id, extra, position
    FROM labels WHERE {live()};
CREATE VIEW live_layers AS SELECT layer_id, name, kind FROM layers WHERE {live()};
CREATE VIEW live_items AS
    SELECT i.item_id, t.name AS task, i.position, i.key, i.kind, i.uri, i.blob, i.width, i.height,
        i.frames, i.duration, i.source_id, i.data, i.meta, i.task_id
    FROM items i LEFT JOIN tasks t USING (task_id) WHERE {live("i")};
CREATE VIEW live_annotations AS
    SELECT a.*, (SELECT name FROM live_labels l WHERE l.label_id = a.label_id) AS label,
        (SELECT name FROM layers y WHERE y.layer_id = a.layer_id) AS layer
    FROM annotations a WHERE {live("a")};
"""

MIGRATIONS: tuple[str, ...] = (_VERSION_1,)
"""Step n, a script of SQL statements, brings a store from version n to n + 1.

Append to it, and never change a step that was in a release: stores of all versions are out there.
"""
