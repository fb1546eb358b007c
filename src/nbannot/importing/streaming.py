"""Importing while reading: what `import_dataset` does when nobody looks in between.

A plan keeps everything until it is applied. A dataset that comes for the first time, as new tasks,
under its own labels, leaves nothing to decide: its annotations go into the open transaction as
they are read, on a thread of their own, while the next ones are parsed. It takes half the time
and half the memory, and the outcome is the same; where something must be decided after all, the
transaction is rolled back and the import is planned.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..ledger import Ledger
from ..progress import Progress
from ..schema import Label
from . import display
from .commit import begin_import, stored_annotations, stored_items
from .frames import check_images
from .labels import LabelMapping
from .report import Report
from .rows import label_ids
from .staging import Staged, collector_paused, name_twins
from .target import Changes, tasks_for

if TYPE_CHECKING:
    from ..project import Commit
    from .plan import Plan, Request

__all__ = ["can_stream", "stream_import"]

_WAITING_BATCHES = 4


class _MustPlan(Exception):  # noqa: N818  not an error: an answer
    """Something has to be decided with everything at hand."""


def can_stream(request: Request) -> bool:
    """Say whether an import that was asked for so leaves nothing to decide."""
    return (
        request.into is None
        and not request.labels
        and request.subsets is None
        and not request.strict
    )


def stream_import(plan: Plan, progress: Progress) -> Report | None:
    """Import the source of an empty plan while reading it; None where it has to be planned."""
    started_s = time.monotonic()
    notes, changes = Ledger(), Changes()
    for remark in plan.source.notes:
        notes.note("source", file=plan.source.name, message=remark)
    part = plan.source.under(plan.request.root)
    staged = Staged()
    try:
        with begin_import(plan) as commit:
            first_item = commit.next_item_id
            with collector_paused(), _Writer(commit, first_item) as writer:
                progress.start(f"Reading {plan.format.title}")
                options = plan.format.check_options(plan.request.options)
                for batch in plan.format.read(part, options, notes, progress):
                    staged.add_items(batch)
                    writer.put(batch.labels, batch.annotations)
                    progress.check()
            commit.all_annotations_added()
            staged.finish()
            name_twins(staged, notes)
            if check_images(staged, part, notes, progress):
                raise _MustPlan  # annotations that are written already would have to be turned
            progress.start("Importing items", staged.items.num_rows, "items")
            tasks = tasks_for([n for n, _, _ in staged.subsets()], _names(plan), notes)
            task_ids = {t.subset: commit.add_task(t.name, t.subset) for t in tasks}
            for subset, task_id in task_ids.items():
                rows = staged.items.filter(pc.equal(staged.items["subset"], subset))
                ids = first_item + rows["item"].to_numpy()
                table = stored_items(plan, part, rows, commit, progress)
                commit.add_items(task_id, table, ids)
                progress.advance(len(ids))
            balance = notes.check(staged.items.num_rows + writer.count)
            commit.add_ledger(notes.to_arrow())
            changes.tasks = [t.name for t in tasks]
            changes.adds_items, changes.adds_annotations = staged.items.num_rows, writer.count
            changes.adds_labels = len(writer.labels)
            commit.finish(
                read=balance.read,
                imported=balance.imported,
                warned=balance.warned,
                rejected=balance.rejected,
                summary={"tasks": task_ids, "chain": [], "text": changes.done},
            )
            request_id = commit.request_id
    except _MustPlan:
        return None
    return Report(
        project=plan.project,
        request_id=request_id,
        balance=balance,
        notes=notes,
        changes=changes,
        seconds=time.monotonic() - started_s,
        title=display.title_of(plan),
    )


def _names(plan: Plan) -> list[str]:
    return plan.project.task_names()


class _Writer:
    """Adds annotations to a commit, on a thread of its own."""

    def __init__(self, commit: Commit, first_item: int) -> None:
        self._commit, self._first_item = commit, first_item
        self._waiting: queue.Queue[tuple[tuple[Label, ...], pa.Table] | None] = queue.Queue(
            _WAITING_BATCHES
        )
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="nbannot-write", daemon=True)
        self.labels: dict[str, int] = {}
        self._told: dict[str, Label] = {}
        self.count = 0

    def __enter__(self) -> _Writer:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # Whatever happened, the thread has left the transaction before it ends.
        self._waiting.put(None)
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error

    def put(self, labels: tuple[Label, ...], rows: pa.Table) -> None:
        """Hand over a batch; waits while the thread is behind."""
        if self._error is not None:
            raise self._error
        self._waiting.put((labels, rows))

    def _run(self) -> None:
        while (batch := self._waiting.get()) is not None:
            if self._error is None:
                try:
                    self._write(*batch)
                except BaseException as error:  # noqa: BLE001  handed to the thread that reads
                    self._error = error

    def _write(self, declared: tuple[Label, ...], rows: pa.Table) -> None:
        names = [n for n in pc.unique(rows["label"]).to_pylist() if n is not None]
        known = {label.name: label for label in declared}
        known.update({n: Label(n) for n in names if n not in known and n not in self.labels})
        # Declared again with more (a skeleton), a label is completed by the store.
        new = [label for label in known.values() if self._told.get(label.name) != label]
        if new:
            self.labels.update(self._commit.ensure_labels(new))
            self._told.update({label.name: label for label in new})
        if rows.num_rows:
            owner = np.asarray(rows["item"]) + self._first_item
            column = label_ids(rows["label"], _as_they_are(self.labels), self.labels)
            self._commit.add_annotations(stored_annotations(rows, owner, column, self._commit))
            self.count += rows.num_rows


def _as_they_are(labels: Iterable[str]) -> list[LabelMapping]:
    return [LabelMapping(name, 0, "exact", name) for name in labels]
