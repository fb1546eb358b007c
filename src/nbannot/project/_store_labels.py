"""Labels as rows: read, added, and given what they lack."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from ..palette import color_of
from ..schema import Label, Skeleton
from ._store_connection import Connection
from ._store_rows import as_json, next_id
from ._store_tables import live

__all__ = ["ensure_labels", "label_rows"]


def label_rows(connection: Connection) -> dict[int, Label]:
    """Return the live labels by id, in the order they were added."""
    rows = connection.rows(
        "SELECT label_id, name, color, parent, skeleton, attributes, hotkey, source_id, extra "
        f"FROM labels WHERE {live()} ORDER BY position, label_id"
    )
    return {row.pop("label_id"): _label(row) for row in rows}


def ensure_labels(
    connection: Connection, request_id: int, wanted: Sequence[Label]
) -> dict[str, int]:
    """Add the labels that are not there, and fill in those that are; return the id of each name."""
    there = label_rows(connection)
    ids = {label.name: label_id for label_id, label in there.items()}
    labels = {label.name: label for label in there.values()}
    label_id = next_id(connection, "labels", "label_id")
    changed: dict[str, bool] = {}  # name → was it there before?
    for place, label in enumerate(wanted, len(there)):
        old = labels.get(label.name)
        if old is None:
            color = label.color or ""
            good = re.fullmatch("#[0-9a-fA-F]{6}", color) is not None
            color = color.lower() if good else color_of(place)
            labels[label.name] = replace(label, color=color)
            ids[label.name] = label_id
            label_id += 1
            changed[label.name] = False
        elif (filled := _filled(old, label)) != old:
            labels[label.name] = filled
            changed.setdefault(label.name, True)
    for name in (name for name, before in changed.items() if before):
        # A changed label is a new row, so that undo brings the old one back.
        connection.run(
            f"UPDATE labels SET removed_by = {request_id} WHERE label_id = {ids[name]} AND {live()}"
        )
    if changed:
        first = next_id(connection, "labels", "row_id")
        rows = [
            {"row_id": row_id, "added_by": request_id, **_row(ids[name], labels[name])}
            for row_id, name in enumerate(changed, first)
        ]
        connection.ingest("labels", pa.Table.from_pylist(rows))
    return {label.name: ids[label.name] for label in wanted}


def _filled(old: Label, new: Label) -> Label:
    lacking: dict[str, Any] = {
        name: getattr(new, name)
        for name in ("parent", "skeleton", "attributes", "hotkey", "source_id", "extra")
        if not getattr(old, name) and getattr(new, name)
    }
    return replace(old, **lacking) if lacking else old


def _row(label_id: int, label: Label) -> dict[str, Any]:
    bones = label.skeleton
    skeleton = None if bones is None else {"points": bones.points, "edges": bones.edges}
    return {
        "label_id": label_id, "name": label.name, "color": label.color, "parent": label.parent,
        "skeleton": as_json(skeleton), "attributes": as_json([dict(a) for a in label.attributes]),
        "hotkey": label.hotkey, "source_id": label.source_id, "extra": as_json(dict(label.extra)),
        "position": label_id,
    }  # fmt: skip


def _label(row: dict[str, Any]) -> Label:
    row["attributes"] = tuple(json.loads(row["attributes"]))
    row["extra"] = json.loads(row["extra"])
    if row["skeleton"] is not None:
        made = json.loads(row["skeleton"])
        edges = tuple((int(a), int(b)) for a, b in made["edges"])
        row["skeleton"] = Skeleton(tuple(made["points"]), edges)
    return Label(**row)
