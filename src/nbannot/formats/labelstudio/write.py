"""Writing Label Studio: one JSON file of tasks per subset, and the labelling configuration."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from ...errors import OptionError
from ...ledger import Ledger
from ...progress import Progress
from ...schema import DEFAULT_SUBSET, Batch
from ..addresses import address_of
from ..json_values import dumps
from ..writing import Export, Sink, safe_path
from .columns import BatchRows
from .controls import Controls
from .encode import Encoder
from .flat_write import FlatFile, records_of
from .tasks import layer_names, set_names

__all__ = ["write_tasks"]

_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f]')
_KEY_OF_KIND = {"image": "image", "audio": "audio", "video": "video", "time_series": "ts"}


def write_tasks(
    export: Export,
    sink: Sink,
    options: Mapping[str, Any],
    ledger: Ledger,
    progress: Progress,
) -> None:
    """Write `export` to `sink`, task by task.

    Raises:
        OptionError: flat records of predictions are asked for.
    """
    controls = Controls(export.labels)
    layout = options.get("layout") or "json"
    if layout != "json" and options.get("model_version") is not None:
        raise OptionError(
            "Flat exports have no predictions, so nothing can be written as such",
            hint='Leave out model_version, or write with layout="json".',
        )
    writer = _Writer(controls, sink, options.get("model_version"), ledger, layout != "json")
    taken: set[str] = set()
    for subset in export.subsets:
        alone = len(export.subsets) == 1
        name = "tasks" if alone else _UNSAFE.sub("_", subset or DEFAULT_SUBSET).strip(". ")
        while not name or name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        file = f"{name}.csv" if layout == "csv" else f"{name}.json"
        progress.start(f"Writing {file}", None, "tasks")
        with sink.open(file) as stream:
            batches = export.batches(subset)
            if layout == "json":
                writer.write_full(stream, batches, subset, progress)
            else:
                is_table = layout == "csv"
                writer.write_flat(stream, batches, subset, progress, is_table=is_table)
        progress.start("Writing media", len(writer.media), "files")
        for path, item in writer.media:
            sink.add_media(path, item)
            progress.advance()
        writer.media = []
    if options.get("config", True):
        sink.write("label_config.xml", controls.xml())
    writer.say_lost()


class _Writer:
    """Turns batches into tasks."""

    def __init__(
        self, controls: Controls, sink: Sink, model_version: str | None, ledger: Ledger,
        is_flat: bool,
    ) -> None:  # fmt: skip
        self._is_flat, self._ledger = is_flat, ledger
        self._numbers = itertools.count(1)
        self.media: list[tuple[str, int]] = []
        self._saves_media = sink.saves_media
        self._controls = controls
        self._model_version = model_version
        self._encoder = Encoder(controls, ledger)

    def tasks(self, batch: Batch, subset: str) -> Iterator[str]:
        """Yield each item of a batch as the JSON of a task."""
        items = batch.items.select(
            ["item", "key", "kind", "media", "uri", "width", "height", "source_id", "data", "meta"]
        ).to_pylist()
        rows = BatchRows(batch)
        owner = batch.annotations["item"].to_numpy()
        order = np.argsort(owner, kind="stable")
        starts = np.searchsorted(owner[order], [i["item"] for i in items])
        stops = np.searchsorted(owner[order], [i["item"] for i in items], side="right")
        for item, start, stop in zip(items, starts, stops, strict=True):
            yield self._task(item, subset, rows, order[start:stop].tolist())

    def write_full(
        self, stream: BinaryIO, batches: Iterable[Batch], subset: str, progress: Progress
    ) -> None:
        """Write the items of some batches as tasks."""
        stream.write(b"[")
        between = b"\n"
        for batch in batches:
            for task in self.tasks(batch, subset):
                stream.write(between + task.encode())
                between = b",\n"
            progress.advance(batch.items.num_rows)
        stream.write(b"\n]\n")

    def write_flat(
        self, stream: BinaryIO, batches: Iterable[Batch], subset: str, progress: Progress,
        *, is_table: bool,
    ) -> None:  # fmt: skip
        """Write the items of some batches as flat records."""
        with FlatFile.into(stream, is_table=is_table) as file:
            for batch in batches:
                for task in self.tasks(batch, subset):
                    whole = json.loads(task)
                    for record in records_of(whole, self._numbers.__next__, self._encoder.lose):
                        file.add(record)
                progress.advance(batch.items.num_rows)

    def _fits(self, rows: BatchRows, i: int, key: str) -> bool:
        # What flat records have no place for at all is rejected by name.
        kind = rows.get(i, "type")
        what = "prediction" if rows.layer(i) is not None else kind if kind == "relation" else ""
        if what:
            record = f"annotation {rows.rank[i]}"
            text = f"{record} of {key}: flat exports have no {what}s"
            self._ledger.reject(
                f"{what} can't be held", file=key, record=record, item=key, message=text
            )
        return not what

    def say_lost(self) -> None:
        """Say once what Label Studio has no place for."""
        self._encoder.say_lost()

    def _task(self, item: dict[str, Any], subset: str, rows: BatchRows, mine: list[int]) -> str:
        meta = _object(item["meta"]).get("label_studio")
        meta = meta if isinstance(meta, dict) and isinstance(meta.get("task"), dict) else {}
        envelope = dict(meta.get("task", {}))
        data, data_key, named = self._data(item, meta, subset)
        self._controls.begin(item["kind"], data_key)
        if self._is_flat:
            mine = [i for i in mine if self._fits(rows, i, item["key"])]
        by_pass: dict[tuple[str | None, str | None], list[int]] = {}
        for i in mine:
            by_pass.setdefault((rows.layer(i), rows.set(i)), []).append(i)
        truth, truth_names = self._annotations(envelope, meta, by_pass, item, data, rows)
        guesses, guess_names = self._predictions(envelope, meta, by_pass, item, data, rows)
        if self._model_version is not None:
            for annotation in truth:
                version = {"model_version": self._model_version, "result": annotation["result"]}
                guesses.append(version)
                guess_names.append((self._model_version, None))
            truth, truth_names = [], []
        own: dict[str, Any] = {}
        if subset not in (None, "", DEFAULT_SUBSET):
            own["subset"] = subset
        if named != item["key"]:
            own["key"] = item["key"]
        if item["kind"] not in ("image", "audio", "video", "text"):
            own["kind"] = item["kind"]
        shown = any("original_width" in r for a in (*truth, *guesses) for r in a["result"])
        if item["width"] and item["height"] and not shown:
            own["size"] = [item["width"], item["height"]]
        if set_names([(a.get("completed_by"), a.get("id")) for a in truth]) != truth_names:
            own["sets"] = truth_names
        if layer_names([(p.get("model_version"), p.get("id")) for p in guesses]) != guess_names:
            own["layers"] = guess_names
        task = {k: v for k, v in envelope.items() if k not in ("annotations", "predictions", "id")}
        for name, count in (("total_annotations", len(truth)), ("total_predictions", len(guesses))):
            if name in task:
                task[name] = count
        out = {"id": _ident(envelope.get("id", item["source_id"]), item["item"] + 1), "data": data}
        if truth or "annotations" in envelope or not envelope:
            out["annotations"] = truth
        if guesses or "predictions" in envelope:
            out["predictions"] = guesses
        out |= task
        if own:
            out["nbannot"] = own
        return dumps(out)

    def _data(
        self, item: dict[str, Any], meta: Mapping[str, Any], subset: str
    ) -> tuple[dict[str, Any], str, str]:
        # (the data, the key of the media in it, the item key that a reader would make of it)
        data = _object(item["data"])
        key = meta.get("media") if "media" in meta else None
        kind = item["kind"]
        if key is None:
            key = _KEY_OF_KIND.get(kind, "text")
            while (
                key in data and kind in _KEY_OF_KIND and data[key] not in (item["uri"], item["key"])
            ):
                key = f"nbannot_{key}"
        if kind not in ("image", "audio", "video"):
            if not data:
                data = {key: item["key"]}
            return data, key, f"task-{_ident(item['source_id'], item['item'] + 1)}"
        if self._saves_media:
            folder = _UNSAFE.sub("_", subset or DEFAULT_SUBSET)
            path = f"media/{folder}/{safe_path(item['key'])}"
            self.media.append((path, item["item"]))
            data = {**data, key: path}
        elif key not in data:
            remote = item["uri"] is not None and address_of(item["uri"]).uri is not None
            data = {**data, key: item["uri"] if remote else item["key"]}
        text = data[key]
        return data, key, address_of(text).path if isinstance(text, str) else item["key"]

    def _annotations(
        self,
        envelope: Mapping[str, Any],
        meta: Mapping[str, Any],
        by_pass: Mapping[tuple[str | None, str | None], list[int]],
        item: dict[str, Any],
        data: Mapping[str, Any],
        rows: BatchRows,
    ) -> tuple[list[dict[str, Any]], list[str | None]]:
        out, names = [], []
        found = envelope.get("annotations")
        known = dict(
            zip(meta.get("sets", ()), found if isinstance(found, list) else (), strict=False)
        )
        for name, around in known.items():
            mine = by_pass.get((None, name), [])
            out.append({**around, "result": self._encoder.results(rows, mine, item, data, None)})
            names.append(name)
        for (layer, name), mine in by_pass.items():
            if layer is None and name not in known:
                result = self._encoder.results(rows, mine, item, data, None)
                out.append({**_annotator(name), "result": result})
                names.append(name)
        return out, names

    def _predictions(
        self,
        envelope: Mapping[str, Any],
        meta: Mapping[str, Any],
        by_pass: Mapping[tuple[str | None, str | None], list[int]],
        item: dict[str, Any],
        data: Mapping[str, Any],
        rows: BatchRows,
    ) -> tuple[list[dict[str, Any]], list[tuple[str, str | None]]]:
        out, names = [], []
        found = envelope.get("predictions")
        keys = [(layer, name) for layer, name in meta.get("layers", ())]
        known = dict(zip(keys, found if isinstance(found, list) else (), strict=False))
        for key, around in known.items():
            mine, score = by_pass.get(key, []), around.get("score")
            whole = score if isinstance(score, (int, float)) else None
            out.append({**around, "result": self._encoder.results(rows, mine, item, data, whole)})
            names.append(key)
        for (layer, name), mine in by_pass.items():
            if layer is not None and (layer, name) not in known:
                result = self._encoder.results(rows, mine, item, data, None)
                out.append({"model_version": layer, "result": result})
                names.append((layer, name))
        return out, names


def _object(text: str | None) -> dict[str, Any]:
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}


def _ident(given: Any, otherwise: int) -> Any:
    # Label Studio's ids are numbers; another format's may be anything.
    if isinstance(given, str):
        plain = given.isdecimal() and (given == "0" or given[0] != "0")
        return int(given) if plain else given
    return otherwise if given is None else given


def _annotator(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    number = re.fullmatch(r"annotator (\d{1,18})", name)
    if number:
        return {"completed_by": int(number[1])}
    return {"completed_by": {"email": name}} if "@" in name else {}
