"""What is exported: which items and annotations of a project, in which subsets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import OptionError
from ..ledger import Ledger
from ..progress import Progress
from ..project import Job, Task
from ..schema import ANNOTATIONS, ITEMS, Batch
from ..sources.links import is_url

if TYPE_CHECKING:
    from ..project import Project
    from .forecast import Watched

__all__ = ["ProjectExport"]

_GROUND_TRUTH = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """A task, or some of its items."""

    task: Task
    item_ids: NDArray[np.int64] | None = None


class ProjectExport:
    """A project, or a part of it, as a writer sees it: see `formats.writing.Export`."""

    def __init__(
        self,
        project: Project,
        what: object,
        subsets: Sequence[str] | None,
        layer: str | Sequence[str] | None,
        name: str | None,
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        self.name = name or ("dataset" if project.path is None else project.name)
        self.labels = tuple(project.label_list())
        self.keys: dict[int, str] = {}
        self.watched: Watched | None = None
        self._project, self._ledger, self._progress = project, ledger, progress
        self._layers = self._layer_ids(layer)
        self._parts = _by_subset(_parts(project, what), ledger)
        if subsets is not None:
            wanted = [subsets] if isinstance(subsets, str) else list(subsets)
            unknown = [s for s in wanted if s not in self._parts]
            if unknown:
                raise OptionError(
                    f"There is no subset {unknown[0]!r} to export",
                    hint=f"There is: {', '.join(map(repr, self._parts)) or 'none'}.",
                )
            self._parts = {s: part for s, part in self._parts.items() if s in wanted}
        self.subsets = tuple(self._parts)
        self._counts: dict[str, int] = {}

    def _layer_ids(self, layer: str | Sequence[str] | None) -> list[int]:
        known = self._project.layers
        ids = dict(zip(known["name"], known["layer_id"].tolist(), strict=True))
        if layer is None:
            left = known[(known["layer_id"] != _GROUND_TRUTH) & (known["annotations"] > 0)]
            for other, count in zip(left["name"], left["annotations"], strict=True):
                text = f"{count:,} annotations of layer {other!r} (layer={other!r} exports them)"
                self._ledger.note("layer not exported", message=text)
            return [_GROUND_TRUTH]
        names = [layer] if isinstance(layer, str) else list(layer)
        unknown = [n for n in names if n not in ids]
        if unknown:
            raise OptionError(
                f"The project has no layer {unknown[0]!r}",
                hint=f"It has: {', '.join(map(repr, ids))}.",
            )
        return [int(ids[n]) for n in names]

    @property
    def read_count(self) -> int:
        """Items and annotations that the writer was given."""
        return sum(self._counts.values())

    def batches(self, subset: str) -> Iterator[Batch]:
        """Yield a subset's items in order, each with all its annotations in the same batch."""
        part = self._parts[subset]
        count = 0
        if self.watched is not None:
            self.watched.begin(subset)
        for items, rows in self._project.annotation_batches(
            part.task.task_id, part.item_ids, self._layers
        ):
            self._progress.check()
            batch = _batch(items, rows, subset)
            self.keys = dict(
                zip(batch.items["item"].to_pylist(), batch.items["key"].to_pylist(), strict=True)
            )
            count += batch.items.num_rows + batch.annotations.num_rows
            if self.watched is not None:
                self.watched.add(subset, items, rows, batch)
            yield batch
        self._counts[subset] = count  # a writer may come twice: counted once

    def media(self, item: int) -> bytes:
        """Return the bytes of an item's media."""
        return self._project.media_bytes(item)


def _batch(items: pa.Table, annotations: pa.Table, subset: str) -> Batch:
    uris = items["uri"].to_pylist()
    columns = {name: items[name] for name in ITEMS.names if name in items.column_names}
    columns["item"] = items["item_id"]
    columns["subset"] = pa.repeat(subset, len(items))
    # A writer needs a name for the file, and no place on this machine.
    names = (re.split(r"[/\\]", u)[-1] if u else None for u in uris)
    columns["media"] = pa.array(names, pa.string())
    urls = (u if u and _is_remote(u) else None for u in uris)
    columns["uri"] = pa.array(urls, pa.string())
    return Batch(
        pa.table([columns[n] for n in ITEMS.names], schema=ITEMS),
        annotations.select(ANNOTATIONS.names).cast(ANNOTATIONS),
    )


def _is_remote(uri: str) -> bool:
    return is_url(uri) and not uri.startswith(("file:", "zip:", "tar:"))


def _parts(project: Project, what: object) -> list[_Part]:
    if what is None:
        return [_Part(task) for task in project.task_list()]
    if isinstance(what, str):
        if what.lstrip()[:7].lower() == "select " and what not in project.task_names():
            return _parts_of_rows(project, project.sql(what))
        return [_Part(project.task(what))]
    if hasattr(what, "columns"):
        return _parts_of_rows(project, what)
    if isinstance(what, Task):
        return [_Part(what)]
    if isinstance(what, Job):
        return [_Part(what.task, what.item_table()["item_id"].to_numpy())]
    things = list(what) if hasattr(what, "__iter__") else []
    numbers = [t for t in things if isinstance(t, (int, np.integer)) and not isinstance(t, bool)]
    if things and len(numbers) == len(things):
        return _parts_of_items(project, np.unique(np.asarray(things, np.int64)))
    if not things or numbers:
        raise OptionError(
            f"what= can't be {what!r}",
            hint="Give a task's name, a Task or Job, a list of these, or a list of item ids.",
        )
    found: dict[int, _Part] = {}
    for thing in things:
        for part in _parts(project, thing):
            before = found.get(part.task.task_id)
            found[part.task.task_id] = part if before is None else _union(before, part)
    return list(found.values())


def _parts_of_rows(project: Project, rows: Any) -> list[_Part]:
    # A DataFrame that says which items: what a query gives, or a part of `project.items`.
    name = next((n for n in ("item_id", "item") if n in rows.columns), None)
    if name is None:
        raise OptionError(
            f"what= has no column item_id, but {', '.join(map(str, rows.columns))}",
            hint='Ask for it: "SELECT item_id FROM live_items WHERE ...".',
        )
    return _parts_of_items(project, np.unique(np.asarray(rows[name], np.int64)))


def _parts_of_items(project: Project, ids: NDArray[np.int64]) -> list[_Part]:
    table = project.item_table(item_ids=ids)
    missing = np.setdiff1d(ids, table["item_id"].to_numpy())
    if len(missing):
        raise OptionError(f"The project has no item {missing[0]}", where="what=")
    owners = set(table["task_id"].to_pylist())
    return [_Part(task, ids) for task in project.task_list() if task.task_id in owners]


def _union(one: _Part, other: _Part) -> _Part:
    if one.item_ids is None or other.item_ids is None:
        return _Part(one.task)
    return _Part(one.task, np.union1d(one.item_ids, other.item_ids))


def _by_subset(parts: Sequence[_Part], ledger: Ledger) -> dict[str, _Part]:
    wanted = [part.task.subset or part.task.name for part in parts]
    out: dict[str, _Part] = {}
    for part, subset in zip(parts, wanted, strict=True):
        if wanted.count(subset) > 1 and subset != part.task.name:
            text = f"task {part.task.name!r}: other tasks are of subset {subset!r} too"
            ledger.note("subset called as its task", message=text)
            subset = part.task.name
        name, n = subset, 1
        while name in out:
            n += 1
            name = f"{subset} ({n})"
        out[name] = part
    return out
