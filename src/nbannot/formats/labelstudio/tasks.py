"""Tasks of one Label Studio file, read into item rows and annotation rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import UNSET, Raw

from ...ledger import Ledger
from ...schema import ANNOTATIONS, ITEMS, table
from ..json_values import dumps, loads
from .config import Config
from .items import Item, ItemFinder
from .json import Annotation, Plain, Task, plain_task
from .own import NOTHING_OWN, TaskOwn
from .plain import Owner, PlainPacker
from .regions import RegionReader
from .rows import Place, Row, Rows
from .shapes import is_number

__all__ = ["TaskReader", "layer_names", "set_names"]

PACK_RESULTS = 4_000
"""Plain results that are turned into columns at once: few enough to stay in the cache."""

_ITEM_COLUMNS = (
    "item", "subset", "key", "kind", "media", "uri", "width", "height", "source_id", "data", "meta",
)  # fmt: skip

_RESULTS = ("annotations", "completions", "predictions", "drafts")


class TaskReader:
    """Reads the tasks of one file, one by one; `flush` returns what it has read."""

    def __init__(
        self,
        file: str,
        subset: str | None,
        finder: ItemFinder,
        config: Config | None,
        ledger: Ledger,
        *,
        include_cancelled: bool,
        first_item: int,
        places: Sequence[Sequence[str]] | None = None,
    ) -> None:
        self.file = file
        self._here: Sequence[str] = ()
        self._places = places  # of each annotation of each task, where the file is flat
        self._items: list[tuple[Any, ...]] = []
        self._rows = Rows()
        self._packer = PlainPacker()
        self._plain_results: list[Plain] = []
        self._owners: list[Owner] = []
        self._tables: list[pa.Table] = []
        self.next_item = first_item
        self._subset = subset
        self._finder = finder
        self._config = config
        self._ledger = ledger
        self._include_cancelled = include_cancelled
        self._regions = RegionReader(ledger, finder, config)
        self._names: set[str] = set()
        self._known: set[str] = set()

    def read(self, raw: Raw, position: int) -> None:
        """Read task number `position` (0-based) of the file."""
        self._ledger.read()
        task = plain_task(raw)
        if task is not None and self._is_plain(task):
            self._plain(task, position)
            return
        try:
            value, problem = loads(raw)
        except ValueError as error:
            name = self._name(None, position)
            self._ledger.reject(
                "task is not JSON", file=self.file, where=self._where(position), record=name,
                message=f"it is not JSON: {error}",
            )  # fmt: skip
            return
        self._careful(value, problem, position)

    def _where(self, position: int) -> str:
        if self._places is None:
            return f"$[{position}]"
        self._here = self._places[position]
        return self._here[0]

    def _path(self, where: str, key: str, i: int) -> str:
        # In a flat file, an annotation is all of a record.
        return f"{where}.{key}[{i}]" if self._places is None else self._here[i]

    def _name(self, task_id: object, position: int) -> str:
        # "task 7": unique in the file, as a ledger's record must be.
        name = f"task {task_id}" if isinstance(task_id, (int, str)) else f"task #{position + 1}"
        if name in self._names:
            name = f"{name} (#{position + 1})"
        self._names.add(name)
        return name

    # -- tasks of nothing but plain boxes and polygons --------------------------------

    def _is_plain(self, task: Task) -> bool:
        if task.drafts or (isinstance(task.id, int) and not -(2**63) <= task.id < 2**63):
            return False
        widths: set[int] = set()
        heights: set[int] = set()
        for annotation in (*(task.annotations or ()), *(task.predictions or ())):
            results = annotation.result
            if annotation.was_cancelled is True or isinstance(results, msgspec.UnsetType):
                return False
            if len({r.id for r in results}) != len(results):
                return False
            if False in {r.value.closed for r in results}:
                return False
            widths.update([r.original_width for r in results])
            heights.update([r.original_height for r in results])
            if self._config is not None and not all(
                map(self._knows, {r.from_name for r in results})
            ):
                return False
        return len(widths) < 2 and len(heights) < 2

    def _knows(self, from_name: str) -> bool:
        if self._config is None or from_name in self._known:
            return True
        if self._config.knows(from_name):
            self._known.add(from_name)
            return True
        return False

    def _plain(self, task: Task, position: int) -> None:
        assert isinstance(task.data, dict)
        name = self._name(task.id if task.id is not UNSET else None, position)
        annotations, predictions = list(task.annotations or ()), list(task.predictions or ())
        first = next((a.result[0] for a in (*annotations, *predictions) if a.result), None)
        on = [(first.to_name, first.type, None)] if first is not None else []
        own = NOTHING_OWN if task.nbannot is UNSET else TaskOwn(task.nbannot)
        item = self._item(name, task.data, on, own)
        if first is not None:
            item.width, item.height = first.original_width, first.original_height
        by = [(_or_none(a.completed_by), _or_none(a.id)) for a in annotations]
        versions = [(_or_none(a.model_version), _or_none(a.id)) for a in predictions]
        sets, layers = own.sets(set_names(by)), own.layers(layer_names(versions))
        names = _names([_or_none(a.id) for a in annotations], "annotation")
        for i, (annotation, set_) in enumerate(zip(annotations, sets, strict=True)):
            path = f"$[{position}].annotations[{i}]"
            place = self._place(name, names[i], path, item)
            self._plain_rows(annotation, item, None, set_, place, None)
        names = _names([_or_none(a.id) for a in predictions], "prediction")
        for i, (prediction, (layer, set_)) in enumerate(zip(predictions, layers, strict=True)):
            place = self._place(name, names[i], f"$[{position}].predictions[{i}]", item)
            score = _or_none(prediction.score)
            self._plain_rows(prediction, item, layer, set_, place, score)
        for each in (*annotations, *predictions):
            each.result = UNSET
        data, task.data, task.nbannot = task.data, UNSET, UNSET
        task_id = None if task.id in (UNSET, None) else str(task.id)
        envelope = msgspec.json.encode(task).decode()
        self._finish(item, data, task_id, envelope, own, sets, layers)

    def _plain_rows(
        self,
        annotation: Annotation,
        item: Item,
        layer: str | None,
        set_: str | None,
        place: Place,
        whole: float | None,
    ) -> None:
        results = annotation.result
        assert not isinstance(results, msgspec.UnsetType)
        self._ledger.read(len(results))
        if len(self._rows):
            self._pack_rows()
        self._plain_results += results
        self._owners.append(Owner(item.number, layer, set_, whole, place, len(results)))
        if len(self._plain_results) > PACK_RESULTS:
            self._pack_plain()

    def _pack_plain(self) -> None:
        if self._plain_results:
            table = self._packer.pack(self._plain_results, self._owners, self._ledger)
            self._tables.append(table)
        self._plain_results, self._owners = [], []

    def _pack_rows(self) -> None:
        if len(self._rows):
            self._tables.append(table(self._rows.flush(self._ledger), ANNOTATIONS))

    def _add(self, rows: Sequence[Row]) -> None:
        self._pack_plain()
        self._rows.add(rows)

    def flush(self) -> tuple[pa.Table, pa.Table]:
        """Return items and annotations read since the last flush."""
        self._pack_plain()
        self._pack_rows()
        columns = zip(*self._items, strict=True) if self._items else [()] * len(_ITEM_COLUMNS)
        items = dict(zip(_ITEM_COLUMNS, map(list, columns), strict=True))
        tables, self._tables, self._items = self._tables, [], []
        annotations = pa.concat_tables(tables) if tables else ANNOTATIONS.empty_table()
        return table(items, ITEMS), annotations

    # -- any task ---------------------------------------------------------------------

    def _careful(self, value: Any, problem: str, position: int) -> None:
        where = self._where(position)
        if isinstance(value, dict) and isinstance(value.get("task"), dict) and "result" in value:
            # As a cloud storage gets it: one annotation, with its task inside.
            value = {**value["task"], "annotations": [{**value, "task": value["task"].get("id")}]}
        if not isinstance(value, dict):
            name = self._name(None, position)
            self._ledger.reject(
                "task is not an object", file=self.file, where=where, record=name,
                message=f"it is {value!r:.80}",
            )  # fmt: skip
            return
        task_id = value.get("id")
        name = self._name(task_id, position)

        def warn(reason: str, message: str) -> None:
            self._ledger.warn(reason, file=self.file, where=where, record=name, message=message)

        if problem:
            warn("task is not strict JSON", f"it holds {problem}")
        if isinstance(task_id, int) and not -(2**63) <= task_id < 2**63:
            warn("id is past 64 bits", f"the id {task_id} is kept as text")
        data = value.get("data")
        if not isinstance(data, dict):
            if any(key in value for key in _RESULTS) or data:
                self._ledger.reject(
                    "task has no data", file=self.file, where=where, record=name,
                    message=f"its data is {data!r:.60}",
                )  # fmt: skip
                return
            warn("record without data", "all of it is taken as its data, as Label Studio does")
            data, value = value, {}
        annotations = self._annotations(value, name, where)
        predictions = self._predictions(value, name, where)
        on = [
            (r.get("to_name"), r.get("type"), r.get("value"))
            for _, _, results, _ in (*annotations, *predictions)
            for r in results
            if isinstance(r, dict)
        ]
        own = TaskOwn(value.get("nbannot"))
        item = self._item(name, data, on, own)
        by = [(a.get("completed_by"), a.get("id")) for a, *_ in annotations]
        versions = [(p.get("model_version"), p.get("id")) for p, *_ in predictions]
        sets, layers = own.sets(set_names(by)), own.layers(layer_names(versions))
        for (_, named, results, path), set_ in zip(annotations, sets, strict=True):
            place = self._place(name, named, path, item)
            self._add(self._regions.read(results, item, None, set_, place, None))
        for (prediction, named, results, path), (layer, set_) in zip(
            predictions, layers, strict=True
        ):
            place = self._place(name, named, path, item)
            score = prediction.get("score")
            known = float(score) if is_number(score) else None
            self._add(self._regions.read(results, item, layer, set_, place, known))
        envelope = {k: v for k, v in value.items() if k not in ("data", "nbannot", *_RESULTS)}
        for key, entries in (("annotations", annotations), ("predictions", predictions)):
            if key in value or entries:
                envelope[key] = [_without(e, "result") for e, *_ in entries]
        if value.get("drafts") == []:
            envelope["drafts"] = []
        known_id = str(task_id) if isinstance(task_id, (int, str)) else None
        self._finish(item, data, known_id, dumps(envelope), own, sets, layers)

    def _annotations(
        self, task: Mapping[str, Any], name: str, where: str
    ) -> list[tuple[dict[str, Any], str, list[Any], str]]:
        key = "annotations" if "annotations" in task else "completions"
        found = self._entries(task, key, "annotation", name, where)
        kept = []
        for entry in found:
            cancelled = entry[0].get("was_cancelled") or entry[0].get("skipped")
            if cancelled and not self._include_cancelled:
                self._leave("cancelled by its annotator", entry, name)
            else:
                kept.append(entry)
        for entry in self._entries(task, "drafts", "draft", name, where):
            self._leave("draft that was never submitted", entry, name)
        return kept

    def _predictions(
        self, task: Mapping[str, Any], name: str, where: str
    ) -> list[tuple[dict[str, Any], str, list[Any], str]]:
        return self._entries(task, "predictions", "prediction", name, where)

    def _leave(
        self, reason: str, entry: tuple[dict[str, Any], str, list[Any], str], name: str
    ) -> None:
        # Its results are records; without any, it is one itself.
        _, named, results, path = entry
        place = Place(self.file, f"{name}, {named}", path, "")
        self._ledger.read(len(results) or 1)
        if not results:
            record = place.name
            self._ledger.reject(
                reason, file=self.file, where=path, record=record, message="it has no results"
            )
        for i, result in enumerate(results):
            region = result.get("id") if isinstance(result, dict) else None
            self._ledger.reject(reason, message="", **place.line(i, region))

    def _entries(
        self, task: Mapping[str, Any], key: str, what: str, name: str, where: str
    ) -> list[tuple[dict[str, Any], str, list[Any], str]]:
        # (annotation, "annotation 7", its results, JSON path) of each that is one
        found = task.get(key)
        if found is None:
            return []
        if not isinstance(found, list):
            found = [found]
        ids = [e.get("id") if isinstance(e, dict) else None for e in found]
        out = []
        for i, (entry, named) in enumerate(zip(found, _names(ids, what), strict=True)):
            results = entry.get("result") if isinstance(entry, dict) else entry
            if isinstance(entry, dict) and (results is None or isinstance(results, list)):
                out.append((entry, named, results or [], self._path(where, key, i)))
                continue
            self._ledger.read()
            self._ledger.reject(
                f"{what} has no list of results", file=self.file,
                where=self._path(where, key, i),
                record=f"{name}, {named}", message=f"it has {results!r:.80}",
            )  # fmt: skip
        return out

    # -- both -------------------------------------------------------------------------

    def _item(
        self, name: str, data: dict[str, Any], on: Sequence[tuple[Any, Any, Any]], own: TaskOwn
    ) -> Item:
        item = self._finder.item(self.next_item, name, self.file, data, on, self._config)
        item.key, item.kind = own.key or item.key, own.kind or item.kind
        self.next_item += 1
        for reason, message in item.problems:
            self._ledger.warn(reason, file=self.file, record=name, item=item.key, message=message)
        return item

    def _place(self, name: str, named: str, path: str, item: Item) -> Place:
        return Place(self.file, f"{name}, {named}", path, item.key)

    def _finish(
        self,
        item: Item,
        data: dict[str, Any],
        task_id: str | None,
        envelope: str,
        own: TaskOwn,
        sets: Sequence[str | None],
        layers: Sequence[tuple[str, str | None]],
    ) -> None:
        if item.width is None and own.size is not None:
            item.width, item.height = own.size
        around = _around(tuple(sets), tuple(layers), item.media_key)
        self._items.append(
            (
                item.number,
                own.subset or self._subset,
                item.key, item.kind, item.media, item.uri, item.width, item.height, task_id,
                dumps(data),
                f'{{"label_studio":{{"task":{envelope},{around}}}}}',
            )
        )  # fmt: skip


@lru_cache(4096)
def _around(
    sets: tuple[str | None, ...], layers: tuple[tuple[str, str | None], ...], media: str | None
) -> str:
    return dumps({"sets": sets, "layers": layers, "media": media})[1:-1]


def _or_none(value: Any) -> Any:
    return None if value is UNSET else value


def _without(entry: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in entry.items() if k != key}


def _names(ids: Sequence[Any], what: str) -> list[str]:
    # "annotation 7", or by place where ids are missing or occur twice
    if len(ids) == 1 and ids[0] is not None:
        return [f"{what} {ids[0]}"]
    good = len({str(i) for i in ids}) == len(ids) and not any(i is None for i in ids)
    return [f"{what} {i}" if good else f"{what} #{n}" for n, i in enumerate(ids, 1)]


def set_names(found: Sequence[tuple[Any, Any]]) -> list[str | None]:
    """Return the name of each annotation of a task by (completed_by, id): its annotator."""
    names: list[str | None] = []
    for n, (by, own_id) in enumerate(found, 1):
        name = None
        if isinstance(by, Mapping):
            by = by.get("email") or by.get("id")
        if by is not None:
            name = by if isinstance(by, str) else f"annotator {by}"
        if name in names:
            which = f"annotation {n if own_id is None else own_id}"
            name = f"{name}, {which}" if name is not None else which
        names.append(name)
    return names


def layer_names(found: Sequence[tuple[Any, Any]]) -> list[tuple[str, str | None]]:
    """Return (layer, set) of each prediction of a task by (model_version, id)."""
    names: list[tuple[str, str | None]] = []
    for n, (version, own_id) in enumerate(found, 1):
        layer = "undefined" if version in (None, "") else str(version)
        taken = any(layer == other for other, _ in names)
        names.append((layer, f"prediction {n if own_id is None else own_id}" if taken else None))
    return names
