"""Pages of a project: which items are on one, and their pictures."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..errors import NbannotError, ProjectError, printable
from . import _store_read as read
from ._store import Store
from ._store_connection import Connection
from ._store_tables import STORED_ITEMS
from .page import PAGE_ITEMS, Page

__all__ = ["Gallery"]

MAX_THUMBNAILS = 2_048
TEXT_LENGTH = 400

Ids = NDArray[np.int64]
Picture = tuple[bytes, str]  # and why there is none


class Gallery:
    """Makes pages; keeps what does not change: thumbnails, and lists of items per filter.

    A page costs what it holds, not what comes before it: positions in a task have no gaps as
    long as nothing was removed, and a list of ids is kept for a task with gaps or a filter.
    """

    def __init__(self, store: Store, media: Callable[[int], bytes]) -> None:
        self._store = store
        self._media = media
        self._lock = threading.Lock()
        self._pictures: OrderedDict[tuple[str, int], Picture] = OrderedDict()

    def count(self, task: str | None, label: str | None, layer: str | None) -> int:
        """Return how many items a page with these filters is a part of."""
        with self._store.read() as connection:
            return self._choose(connection, task, label, layer, 0, 0)[1]

    def page(
        self,
        task: str | None,
        label: str | None,
        layer: str | None,
        start: int,
        count: int,
        size_px: int,
    ) -> Page:
        """Return a page; see `Project.page`."""
        start, count = max(start, 0), max(count, 0)
        with self._store.read() as connection:
            items, total = self._choose(connection, task, label, layer, start, count)
            known = self._names()
            rows = self._rows(connection, known, items, layer)
            names = {t.task_id: t.name for t in self._tasks()}
        return self._made(items, rows, known, names, size_px, start, total)

    def of_items(self, item_ids: Sequence[int], size_px: int) -> Page:
        """Return a page of given items, in their order.

        Raises:
            ProjectError: one is not there.
        """
        ids = np.asarray(item_ids, np.int64)
        with self._store.read() as connection:
            items = self._items(connection, ids)
            if len(items) < len(ids):
                gone = sorted(set(ids.tolist()) - set(items["item_id"].to_pylist()))
                raise ProjectError(f"There is no item {gone[0]}", where=self._store.name)
            known = self._names()
            rows = self._rows(connection, known, items, None)
            names = {t.task_id: t.name for t in self._tasks()}
        return self._made(items, rows, known, names, size_px, 0, len(ids))

    def sample(self, count: int, size_px: int) -> Page:
        """Return a page of a few items worth seeing: annotated ones first, some of each task."""
        with self._store.read() as connection:
            tasks = self._tasks()
            share = max(count // max(len(tasks), 1), 1)
            ids = [i for t in tasks[:count] for i in read.annotated(connection, t.task_id, share)]
            more = read.annotated(connection, None, count) if len(ids) < count else []
            ids = list(dict.fromkeys([*ids, *more]))[:count]
            if not ids:
                ids = self._choose(connection, None, None, None, 0, count)[0]["item_id"].to_pylist()
        return self.of_items(sorted(ids), size_px)

    def _tasks(self) -> list[read.TaskRow]:
        return self._store.cached("tasks", read.task_rows)

    def _names(self) -> read.Names:
        return self._store.cached("names", read.names)

    # -- which items ------------------------------------------------------------------

    def _choose(
        self,
        connection: Connection,
        task: str | None,
        label: str | None,
        layer: str | None,
        start: int,
        count: int,
    ) -> tuple[pa.Table, int]:
        tasks = self._tasks()
        if task is not None:
            tasks = [t for t in tasks if t.name == task] or _unknown(
                "task", task, [t.name for t in tasks]
            )
        if label is not None or layer is not None:
            task_id = tasks[0].task_id if task is not None else None
            ids = self._matching(task_id, label, layer)
            return self._items(connection, ids[start : start + count]), len(ids)
        parts, first = [], 0
        for row in tasks:  # the part of the page that lies in each task
            low, high = max(start - first, 0), min(start + count - first, row.items)
            first += row.items
            if low >= high:
                continue
            if row.items == row.stop:
                part = read.item_rows(connection, task_id=row.task_id, positions=(low, high))
                parts.append(part.sort_by("position"))
            else:
                ids = self._task_items(row.task_id)
                parts.append(self._items(connection, ids[low:high]))
        return pa.concat_tables([STORED_ITEMS.empty_table(), *parts]), first

    def _task_items(self, task_id: int) -> Ids:
        return self._store.cached(("task", task_id), lambda c: read.task_items(c, task_id))

    def _matching(self, task_id: int | None, label: str | None, layer: str | None) -> Ids:
        known = self._names()
        label_id = layer_id = None
        if label is not None:
            label_id = known.label_id(label)
            if label_id is None:
                _unknown("label", label, [x.name for x in known.labels.values()])
        if layer is not None:
            layer_id = known.layer_id(layer)
            if layer_id is None:
                _unknown("layer", layer, list(known.layers.values()))
        return self._store.cached(
            ("matching", label_id, layer_id, task_id),
            lambda c: read.matching_items(c, label_id=label_id, layer_id=layer_id, task_id=task_id),
        )

    @staticmethod
    def _items(connection: Connection, ids: Ids) -> pa.Table:
        found = read.item_rows(connection, item_ids=np.sort(ids))
        place = pc.index_in(pa.array(ids, pa.int64()), found["item_id"].combine_chunks())
        return found.take(place.drop_null())

    @staticmethod
    def _rows(
        connection: Connection, known: read.Names, items: pa.Table, layer: str | None
    ) -> pa.Table:
        """Return the annotations of `items`, `item` an index into it, in their order."""
        ids = items["item_id"].combine_chunks()
        layers = None if layer is None else [known.layer_id(layer) or 0]
        found = read.annotation_rows(
            connection, known, item_ids=np.sort(ids.to_numpy()), layer_ids=layers
        )
        index = pc.cast(pc.index_in(found["item"], ids), pa.int64())
        found = found.set_column(found.schema.get_field_index("item"), "item", index)
        return found.sort_by([("item", "ascending"), ("annotation_id", "ascending")])

    # -- what is seen -----------------------------------------------------------------

    def _made(
        self,
        items: pa.Table,
        rows: pa.Table,
        known: read.Names,
        task_names: dict[int, str],
        size_px: int,
        start: int,
        total: int,
    ) -> Page:
        listed = items.to_pylist()
        pictures = self._thumbnails(listed, size_px)
        table = pa.Table.from_pylist(
            [
                {
                    "id": str(row["item_id"]),
                    "task": task_names.get(row["task_id"]),
                    "note": note,
                    "text": self._text(row),
                    **{name: row[name] for name in ("key", "kind", "width", "height")},
                }
                for row, (_, note) in zip(listed, pictures, strict=True)
            ],
            PAGE_ITEMS,
        )
        return Page.from_tables(
            table,
            rows,
            list(known.labels.values()),
            [data for data, _ in pictures],
            start=start,
            total=total,
        )

    def _thumbnails(self, items: Sequence[dict[str, Any]], size_px: int) -> list[Picture]:
        from ..media.images import thumbnails

        found: dict[int, Picture] = {}
        wanted: list[int] = []
        with self._lock:
            for i, row in enumerate(items):
                key = (_place(row), size_px)
                if row["kind"] != "image":
                    found[i] = (b"", "")
                elif key in self._pictures:
                    self._pictures.move_to_end(key)
                    found[i] = self._pictures[key]
                else:
                    wanted.append(i)
        if wanted:
            readers = [
                (lambda n=items[i]["item_id"]: self._media(n)) if _place(items[i]) else None
                for i in wanted
            ]
            made, problems = thumbnails(readers, size_px)
            with self._lock:
                for i, data, problem in zip(wanted, made, problems, strict=True):
                    note = "" if data else printable(problem or "image not found", 120)
                    found[i] = (data, note)
                    if data:  # what can't be read now may be there next time
                        self._pictures[(_place(items[i]), size_px)] = found[i]
                while len(self._pictures) > MAX_THUMBNAILS:
                    self._pictures.popitem(last=False)
        return [found[i] for i in range(len(items))]

    def _text(self, row: dict[str, Any]) -> str | None:
        if row["kind"] != "text":
            return None
        try:
            data = json.loads(row["data"] or "null")
            values = data.values() if isinstance(data, dict) else ()
            texts = [value for value in values if isinstance(value, str)]
            if texts:
                return max(texts, key=len)[:TEXT_LENGTH]
            head = self._media(row["item_id"])[: 4 * TEXT_LENGTH]
        except (NbannotError, ValueError):  # the item is there, without its text
            return None
        return head.decode("utf-8", "replace")[:TEXT_LENGTH]


def _place(row: dict[str, Any]) -> str:
    return row["blob"] or row["uri"] or ""


def _unknown(what: str, name: str, known: Sequence[str]) -> Any:
    names = ", ".join(repr(n) for n in known[:20]) or "none"
    raise ProjectError(
        f"The project has no {what} {printable(name)!r}",
        hint=f"It has: {names}{', …' if len(known) > 20 else '.'}",
    )
