"""Where staged rows go: into new tasks, into the tasks of an earlier import, or into a task or job.

The answer is a `Target`: for each staged item the item it is or becomes, which annotation rows to
add, which rows of the project to remove. Nothing is changed here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..ledger import Ledger
from ..progress import Progress
from ..schema import ANNOTATIONS
from .hashes import item_hashes, row_hashes
from .matching import AMBIGUOUS, NONE, match_paths
from .rows import (
    batches,
    drop_labels,
    dropped,
    mapped,
    only_on,
    reject_rows,
    staged_hashes,
)

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["Changes", "Target", "TaskPlan", "resolve_target"]

ADD = -1
"""In `Target.item_ids`: the item is new."""
LEFT_OUT = -3
"""In `Target.item_ids`: the item is rejected."""

_CONTENT = [name for name in ANNOTATIONS.names if name != "item"]
_SAME = [
    "layer", "type", "label", "x", "y", "w", "h", "rotation", "points", "rings", "mask",
    "start", "end", "text", "number", "frame", "track",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """A task that receives a subset: an existing one (`task_id`), or a new one of this name."""

    subset: str
    name: str
    task_id: int | None = None


@dataclass(slots=True)
class Changes:
    """What will change in the project, counted."""

    adds_items: int = 0
    adds_annotations: int = 0
    removes_annotations: int = 0
    updates_items: int = 0
    unchanged_items: int = 0
    tasks: list[str] = field(default_factory=list)
    adds_labels: int = 0

    @property
    def text(self) -> str:
        """The changes in one sentence, as they will be."""
        return self._sentence("adds", "removes", "updates", "leaves", "Changes nothing.")

    @property
    def done(self) -> str:
        """The changes in one sentence, as they were made."""
        return self._sentence("added", "removed", "updated", "left", "Changed nothing.")

    def _sentence(self, adds: str, removes: str, updates: str, leaves: str, nothing: str) -> str:
        parts = []
        if self.adds_items or self.adds_annotations:
            parts.append(
                f"{adds} {_count(self.adds_items, 'item')} and "
                f"{_count(self.adds_annotations, 'annotation')}"
            )
        if self.removes_annotations:
            parts.append(f"{removes} {_count(self.removes_annotations, 'annotation')}")
        if self.updates_items:
            parts.append(f"{updates} {_count(self.updates_items, 'item')}")
        if self.unchanged_items:
            parts.append(f"{leaves} {_count(self.unchanged_items, 'item')} as they are")
        if not parts:
            return nothing
        tasks = ", ".join(self.tasks[:6]) + (", …" if len(self.tasks) > 6 else "")
        plural = "tasks" if len(self.tasks) > 1 else "task"
        where = f" in {plural} {tasks}" if self.tasks else ""
        text = "; ".join(parts)
        return f"{text[0].upper()}{text[1:]}{where}."

    @property
    def warning(self) -> str:
        """What a user should know before pressing Import, "" if nothing."""
        if not self.removes_annotations:
            return ""
        return (
            f"{_count(self.removes_annotations, 'annotation')} that the task has now will be "
            "removed. Undo brings them back."
        )


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


@dataclass
class Target:
    """The answer of `resolve_target`.

    `task_of` and `item_ids` have one entry per staged item: the index of its task in `tasks`,
    and its item id, `ADD` or `LEFT_OUT`. `add_rows` has one mask per staged batch.
    """

    tasks: list[TaskPlan]
    task_of: NDArray[np.int64]
    item_ids: NDArray[np.int64]
    add_rows: list[NDArray[np.bool_]]
    kept_rows: int
    removes: NDArray[np.int64]
    changes: Changes
    chain: list[int] = field(default_factory=list)

    @property
    def kept_items(self) -> int:
        """Items that are in the project afterwards."""
        return int((self.item_ids != LEFT_OUT).sum())


def resolve_target(plan: Plan, progress: Progress, previous: Mapping[str, Any] | None) -> Target:
    """Decide where everything goes; problems become lines of ``plan.notes``."""
    progress.start("Comparing with the project")
    if plan.request.into is not None:
        target = _into(plan)
    else:
        target = _as_tasks(plan, previous)
    existing = {label.name for label in plan.project.label_list()}
    target.changes.adds_labels = len(
        {m.to for m in plan.labels if m.action != "drop" and m.to not in existing}
    )
    return target


# -- a dataset into the project: tasks, one per subset --------------------------------


def _as_tasks(plan: Plan, previous: Mapping[str, Any] | None) -> Target:
    staged, project = plan.staged, plan.project
    names = [name for name, _, _ in staged.subsets()]
    earlier, chain = _earlier_tasks(plan, previous)
    tasks = tasks_for(names, project.task_names(), plan.notes, earlier)
    place = {t.subset: i for i, t in enumerate(tasks)}
    codes = pc.index_in(staged.items["subset"], value_set=pa.array(list(place), pa.string()))
    task_of = codes.to_numpy().astype(np.int64)
    item_ids = np.full(staged.items.num_rows, ADD, np.int64)
    add_rows = drop_labels(plan)
    changes = Changes(tasks=[t.name for t in tasks])
    removes: NDArray[np.int64] = np.empty(0, np.int64)
    if earlier:
        removes = _update(plan, tasks, task_of, item_ids, add_rows, chain, changes)
    kept = plan.annotations - dropped(plan)
    changes.adds_items = int((item_ids == ADD).sum())
    changes.adds_annotations = int(sum(mask.sum() for mask in add_rows))
    changes.removes_annotations = len(removes)
    return Target(tasks, task_of, item_ids, add_rows, kept, removes, changes, chain)


def _earlier_tasks(
    plan: Plan, previous: Mapping[str, Any] | None
) -> tuple[dict[str, tuple[int, str]], list[int]]:
    # Tasks that the last import of this source made and that are still there: subset -> (id, name)
    if previous is None:
        return {}, []
    summary = json.loads(previous["summary"] or "{}")
    live = {t.task_id: t.name for t in plan.project.task_list()}
    tasks = {
        s: (int(i), live[int(i)]) for s, i in summary.get("tasks", {}).items() if int(i) in live
    }
    return tasks, [*summary.get("chain", []), int(previous["request_id"])]


def tasks_for(
    subsets: Sequence[str],
    taken: Sequence[str],
    notes: Ledger,
    earlier: Mapping[str, tuple[int, str]] = MappingProxyType({}),
) -> list[TaskPlan]:
    """Return the task of each subset: the one of an earlier import, or a new one of a free name."""
    used = set(taken)
    tasks = []
    for name in subsets:
        if name in earlier:
            task_id, task_name = earlier[name]
            tasks.append(TaskPlan(name, task_name, task_id))
            continue
        free = _free_name(name, used)
        if free != name:
            notes.note(
                "task name taken", message=f"the project has a task {name!r}; this one is {free!r}"
            )
        used.add(free)
        tasks.append(TaskPlan(name, free))
    return tasks


def _free_name(name: str, taken: set[str]) -> str:
    n, free = 1, name
    while free in taken:
        n += 1
        free = f"{name} ({n})"
    return free


def _update(
    plan: Plan,
    tasks: Sequence[TaskPlan],
    task_of: NDArray[np.int64],
    item_ids: NDArray[np.int64],
    add_rows: list[NDArray[np.bool_]],
    chain: Sequence[int],
    changes: Changes,
) -> NDArray[np.int64]:
    # Compare with what earlier imports of this source brought; fill item_ids and add_rows.
    staged, project = plan.staged, plan.project
    keys = staged.items["key"].to_pylist()
    gone = 0
    known: dict[int, int] = {}  # item id -> staged position
    old_rows = []
    for t, task in enumerate(tasks):
        if task.task_id is None:
            continue
        table = project.item_table(task_id=task.task_id)
        ids = dict(zip(table["key"].to_pylist(), table["item_id"].to_pylist(), strict=True))
        for i in np.flatnonzero(task_of == t).tolist():
            item = ids.pop(keys[i], None)
            if item is not None:
                item_ids[i] = item
                known[item] = i
        gone += len(ids)
        rows = project.annotation_table(task_id=task.task_id)
        mine = pc.is_in(rows["added_by"], value_set=pa.array(list(chain), rows["added_by"].type))
        old_rows.append(rows.filter(mine))
    old = pa.concat_tables(old_rows)
    new_hash = staged_hashes(plan, add_rows, _CONTENT)
    owner = np.array([known.get(i, -1) for i in old["item"].to_pylist()], np.int64)
    hashes = row_hashes(old, _CONTENT)
    old_hash = item_hashes(owner[owner >= 0], hashes[owner >= 0], len(keys))
    same = (item_ids >= 0) & (old_hash == new_hash)
    changed = (item_ids >= 0) & ~same
    only_on(plan, add_rows, ~same)
    changes.unchanged_items, changes.updates_items = int(same.sum()), int(changed.sum())
    if gone:
        plan.notes.note(
            "no longer in the source",
            message=f"{gone} items of the last import are not in the source now; they are kept",
        )
    leaving = (owner >= 0) & changed[np.maximum(owner, 0)]
    removed: NDArray[np.int64] = old["annotation_id"].to_numpy()[leaving]
    return removed


# -- annotations into a task or job ---------------------------------------------------


def _into(plan: Plan) -> Target:
    staged, request = plan.staged, plan.request
    into = request.into
    assert into is not None
    table = into.item_table()
    names = staged.items["key"].to_pylist()
    found = match_paths(names, table["key"].to_pylist())
    ids = table["item_id"].to_numpy()
    item_ids = np.where(found >= 0, ids[np.maximum(found, 0)] if len(ids) else LEFT_OUT, LEFT_OUT)
    add_rows = drop_labels(plan)
    _reject_unmatched(plan, found, names, into.name, add_rows)
    kept = int(sum(mask.sum() for mask in add_rows))
    changes = Changes(tasks=[into.name])
    layers = _layers(plan)
    existing = into.annotation_table()
    in_layers = pc.is_in(pc.fill_null(existing["layer"], ""), value_set=pa.array(sorted(layers)))
    existing = existing.filter(in_layers)
    removes: NDArray[np.int64] = np.empty(0, np.int64)
    if request.mode == "replace":
        removes = existing["annotation_id"].to_numpy()
    elif request.mode == "merge":
        removes = _merge(plan, existing, item_ids, add_rows)
    touched = int((item_ids != LEFT_OUT).sum())
    changes.adds_annotations = int(sum(mask.sum() for mask in add_rows))
    changes.removes_annotations = len(removes)
    changes.updates_items = touched
    task_of = np.zeros(len(names), np.int64)
    tasks = [TaskPlan("", into.name, into.task_id)]
    return Target(tasks, task_of, item_ids, add_rows, kept, removes, changes)


def _layers(plan: Plan) -> set[str]:
    found: set[str] = set()
    for rows in plan.staged.batches:
        found |= {name or "" for name in pc.unique(rows["layer"]).to_pylist()}
    return found or {""}


def _reject_unmatched(
    plan: Plan,
    found: NDArray[np.int64],
    names: Sequence[str],
    task: str,
    add_rows: list[NDArray[np.bool_]],
) -> None:
    reasons = {
        NONE: ("no such item in the task", f"no item of {task!r} has this path"),
        AMBIGUOUS: ("several items fit", f"more than one item of {task!r} ends in this path"),
    }
    for code, (reason, message) in reasons.items():
        lost = np.flatnonzero(found == code).tolist()
        if not lost:
            continue
        keys = [names[i] for i in lost]
        plan.notes.gone(set(keys))
        plan.notes.reject(
            reason,
            record=[f"item {i}" for i in lost],  # one key may be in two subsets
            item=keys,
            message=message,
        )
    bad = found < 0
    if not bad.any():
        return
    for rows, mask, position, first in batches(plan, add_rows):
        gone = mask & bad[position]
        reject_rows(plan.notes, rows, gone, position, names, first, "its item is not in the task")
        mask &= ~gone


def _merge(
    plan: Plan,
    existing: pa.Table,
    item_ids: NDArray[np.int64],
    add_rows: list[NDArray[np.bool_]],
) -> NDArray[np.int64]:
    # A row that is there already is not added again; one with the same source id replaces it.
    seed = np.uint64(0x9E3779B97F4A7C15)
    have = row_hashes(existing, _SAME) ^ (existing["item"].to_numpy().astype(np.uint64) * seed)
    by_id = {
        (item, source): annotation
        for item, source, annotation in zip(
            existing["item"].to_pylist(),
            existing["source_id"].to_pylist(),
            existing["annotation_id"].to_pylist(),
            strict=True,
        )
        if source is not None
    }
    removes: set[int] = set()
    for rows, mask, position, _ in batches(plan, add_rows):
        item = np.maximum(item_ids[position], 0)
        hashes = row_hashes(mapped(plan, rows), _SAME) ^ (item.astype(np.uint64) * seed)
        mask &= ~np.isin(hashes, have)
        sources = rows["source_id"].to_pylist()
        for r in np.flatnonzero(mask).tolist():
            old = by_id.get((int(item[r]), sources[r]))
            if old is not None:
                removes.add(old)
    return np.array(sorted(removes), np.int64)
