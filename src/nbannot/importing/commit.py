"""Committing a plan: one transaction, or nothing."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..ledger import Balance
from ..progress import Progress
from ..schema import Label
from ..sources import Source
from . import display
from .report import Report
from .rows import label_ids
from .staging import column
from .target import ADD, LEFT_OUT, Target

if TYPE_CHECKING:
    from ..project import Commit
    from .plan import Plan

__all__ = ["commit_plan"]


def commit_plan(plan: Plan, balance: Balance, progress: Progress, started_s: float) -> Report:
    """Write everything that the plan says, and record it as a request."""
    target = plan.target
    assert target is not None
    with begin_import(plan) as commit:
        labels = commit.ensure_labels(_labels(plan))
        task_ids = [
            task.task_id if task.task_id is not None else commit.add_task(task.name, task.subset)
            for task in target.tasks
        ]
        item_ids = _add_items(plan, target, commit, task_ids, progress)
        if len(target.removes):
            commit.remove_annotations(target.removes)
        _add_annotations(plan, target, commit, item_ids, labels, progress)
        commit.add_ledger(plan.notes.to_arrow())
        tasks = dict(zip((t.subset for t in target.tasks), task_ids, strict=True))
        if plan.request.into is not None:
            tasks = {}
        commit.finish(
            read=balance.read,
            imported=balance.imported,
            warned=balance.warned,
            rejected=balance.rejected,
            summary={"tasks": tasks, "chain": target.chain, "text": target.changes.done},
        )
        request_id = commit.request_id
    return Report(
        project=plan.project,
        request_id=request_id,
        balance=balance,
        notes=plan.notes,
        changes=target.changes,
        seconds=time.monotonic() - started_s,
        title=display.title_of(plan),
    )


def begin_import(plan: Plan) -> AbstractContextManager[Commit]:
    """Begin the transaction of an import, recorded as a request."""
    from .plan import target_json

    return plan.project.begin(
        kind="import",
        title=f"Import {plan.source.name}",
        source_uri=plan.source.uri,
        source_fingerprint=plan.fingerprint,
        format=plan.format.name,
        options=dict(plan.request.options),
        target=target_json(plan),
        code=plan.code,
    )


def _labels(plan: Plan) -> list[Label]:
    # Into a task only the labels in use are made; a dataset brings all that it declares.
    out: dict[str, Label] = {}
    for mapping in plan.labels:
        if mapping.action == "drop" or (plan.request.into is not None and not mapping.count):
            continue
        declared = plan.staged.labels.get(mapping.name, Label(mapping.name))
        if mapping.to != mapping.name:
            declared = Label(mapping.to)
        out.setdefault(declared.name, declared)
    return list(out.values())


def _add_items(
    plan: Plan, target: Target, commit: Commit, task_ids: list[int], progress: Progress
) -> NDArray[np.int64]:
    # Returns the item id of each staged item, LEFT_OUT where it has none.
    ids = target.item_ids.copy()
    source = plan.source.under(plan.request.root)
    for t, task_id in enumerate(task_ids):
        new = np.flatnonzero((target.item_ids == ADD) & (target.task_of == t))
        if not len(new):
            continue
        rows = plan.staged.items.take(pa.array(new))
        table = stored_items(plan, source, rows, commit, progress)
        ids[new] = np.asarray(commit.add_items(task_id, table))
    return ids


def stored_items(
    plan: Plan, source: Source, rows: pa.Table, commit: Commit, progress: Progress
) -> pa.Table:
    """Return item rows as the store takes them, their media linked or copied."""
    uris, blobs = _place_media(plan, source, rows, commit, progress)
    table = column(rows, "uri", uris).drop_columns(["item", "subset", "media"])
    return table.append_column("blob", pa.array(blobs, pa.string()))


def _place_media(
    plan: Plan, source: Source, rows: pa.Table, commit: Commit, progress: Progress
) -> tuple[list[str | None], list[str | None]]:
    # By link where the source can be found again, copied once by content where it can't.
    media = rows["media"].to_numpy().tolist()  # several times faster than to_pylist
    uris: list[str | None] = rows["uri"].to_numpy().tolist()
    blobs: list[str | None] = [None] * len(media)
    copies: dict[str, list[int]] = {}
    places = [i for i, path in enumerate(media) if path is not None]
    paths = [media[i] for i in places] if len(places) < len(media) else media
    copied = plan.request.media == "copy"
    links = [None] * len(paths) if copied else source.links(paths)
    if len(links) == len(media) and None not in links:
        uris = [*links]
    else:
        for i, path, link in zip(places, paths, links, strict=True):
            if link is None:
                copies.setdefault(path, []).append(i)
            else:
                uris[i] = link
    if copies:
        progress.start("Copying media", len(copies), "files")
        for path, data in source.read_many(list(copies)):
            digest = commit.put_media(data)
            for i in copies[path]:
                blobs[i] = digest
            progress.advance()
    return uris, blobs


def _add_annotations(
    plan: Plan,
    target: Target,
    commit: Commit,
    item_ids: NDArray[np.int64],
    labels: dict[str, int],
    progress: Progress,
) -> None:
    numbers = plan.staged.item_numbers
    total = int(sum(mask.sum() for mask in target.add_rows))
    progress.start("Importing annotations", total, "annotations")
    for rows, mask in zip(plan.staged.batches, target.add_rows, strict=True):
        wanted = rows if mask.all() else rows.filter(pa.array(mask))
        if not wanted.num_rows:
            continue
        owner = item_ids[np.searchsorted(numbers, wanted["item"].to_numpy())]
        assert (owner != LEFT_OUT).all()
        ids = label_ids(wanted["label"], plan.labels, labels)
        commit.add_annotations(stored_annotations(wanted, owner, ids, commit))
        progress.advance(wanted.num_rows)


def stored_annotations(
    rows: pa.Table, owner: NDArray[np.int64], labels: pa.Array, commit: Commit
) -> pa.Table:
    """Return annotation rows as the store takes them: ids for item, layer and label."""
    names = pc.unique(rows["layer"])
    layers = pa.array([commit.ensure_layer(n) for n in names.to_pylist()], pa.int64())
    for name, values in (
        ("item", pa.array(owner, pa.int64())),
        ("layer", layers.take(pc.index_in(rows["layer"], value_set=names))),
        ("label", labels),
    ):
        rows = rows.set_column(rows.schema.get_field_index(name), name, values)
    return rows
