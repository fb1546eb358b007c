"""Label Studio: tasks with annotations and predictions, as its "JSON" export writes them."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from ...errors import BrokenFileError, FormatError
from ...ledger import Ledger
from ...progress import Progress
from ...schema import TYPES, Batch, Label
from ..base import Format, Miss, Option
from ..json_values import values_of
from ..look import Head, Look
from .config import Config, parse_config
from .items import ItemFinder
from .tasks import TaskReader

if TYPE_CHECKING:
    from ...sources.base import Source
    from ..writing import Export, Sink

__all__ = ["LabelStudio"]

BATCH_TASKS = 2_000
MAX_HEADS = 8
SPLITS = frozenset(("train", "training", "val", "valid", "validation", "dev", "test", "testing"))

_FROM_NAME = re.compile(rb'"from_name"\s*:\s*"([^"\\]{1,200})"')
_TASK_KEYS = frozenset(("annotations", "completions", "predictions"))


class LabelStudio(Format):
    """Label Studio's JSON: read losslessly, drawn where it is about images, and written.

    * Predictions become layers named by `model_version`, ``"undefined"`` where they have none.
    * Several annotations of one task are kept apart by `set`: the annotator's address or number.
    * Percent become pixels by ``original_width`` and ``original_height``, else by the image.
    * A rectangle is turned about its top left corner there, about its centre here.
    * Results with one id are one row: choices, texts and ratings of a region are its attributes.
    * A region with several labels is one row with the first; all are in ``attributes.labels``.
    * Text spans are in code points here, whichever unit the file counts in.
    * Kinds of result that no column can hold (spans of HTML, paragraphs, video frames) are rows,
      too; what they hold is in `extra`, and comes back when written.

    >>> from nbannot.formats import get_format
    >>> get_format("labelstudio").title
    'Label Studio'
    """

    name = "labelstudio"
    title = "Label Studio"
    summary = "Tasks with annotations and predictions, as Label Studio's JSON export has them."
    rules = "https://labelstud.io/guide/task_format; label-studio-sdk 2.1 (converter, tag models)"
    holds = tuple(t for t in TYPES if t not in ("skeleton", "cuboid"))
    read_options = (
        Option(
            "include_cancelled", "bool", False,
            "Read annotations, too, that their annotators cancelled (was_cancelled)",
        ),
        Option(
            "config", "text", None,
            "The labelling configuration: a path in the source, or its XML; found by itself",
        ),
    )  # fmt: skip
    write_options = (
        Option("config", "bool", True, "Write label_config.xml beside the tasks"),
        Option(
            "model_version", "text", None,
            "Write ground truth, too, as predictions of this model version",
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Return 0.95 where a file has results in it, 0.6 where it has only tasks."""
        paths = _candidates(look.source, MAX_HEADS)
        look.need(paths, "no JSON file")
        best, minimal = 0.0, ""
        for path in paths:
            head = look.head(path)
            confidence, why = _recognise(head)
            if confidence > best:
                best = confidence
                look.found(f"{path}: {why}")
            elif why and not minimal:
                minimal = f"{path}: {why}"
        if not best and minimal:
            raise Miss(minimal)
        look.need(best, "no JSON file with tasks (data, annotations, result)")
        configs = [
            p for p in _xml_files(look.source)[:MAX_HEADS] if look.head(p).xml_root == "View"
        ]
        if configs:
            look.found(f"{configs[0]}: labelling configuration")
        return best

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield tasks as items, their results as annotations; see the class.

        Raises:
            BrokenFileError: a file is not JSON.
            FormatError: no file holds tasks.
        """
        configs = _configs(source, options.get("config"), ledger)
        finder = ItemFinder(source, ledger)
        used: dict[str, Label] = {}
        count = 0
        files = _files(source, ledger)
        for path, data, several in files:
            tasks = values_of(data, path, ledger)
            config = _best_config(configs, data, path, ledger)
            del data
            reader = TaskReader(
                path, _subset(path, len(tasks), several), finder, config, ledger,
                include_cancelled=bool(options.get("include_cancelled")), first_item=count,
            )  # fmt: skip
            left = len(tasks) if limit is None else min(len(tasks), limit - count)
            progress.start(f"Reading {path}", left, "tasks")
            for start in range(0, left, BATCH_TASKS):
                stop = min(start + BATCH_TASKS, left)
                for position in range(start, stop):
                    reader.read(tasks[position], position)
                yield _batch(reader, config, used)
                progress.advance(stop - start)
            count = reader.next_item
            if limit is not None and count >= limit:
                break
        finder.finish()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write one JSON file of tasks per subset, and label_config.xml beside them."""
        from .write import write_tasks

        write_tasks(export, sink, options, ledger, progress)


# -- finding files --------------------------------------------------------------------


def _candidates(source: Source, count: int | None = None) -> list[str]:
    if source.main is not None:
        return [source.main]
    paths = source.files.with_suffix(".json", ".jsonl", ".ndjson")
    if not paths:  # a cloud storage gets files named 1, 2, 3, ...
        paths = [p for p in source.files.with_suffix("") if p.rpartition("/")[2].isdigit()]
    nearest = len(paths) if count is None else count
    return heapq.nsmallest(nearest, paths, key=lambda p: (p.count("/"), p))


def _xml_files(source: Source) -> list[str]:
    paths = source.files.with_suffix(".xml")
    return sorted(paths, key=lambda p: ("config" not in p.rpartition("/")[2].lower(), p))


def _recognise(head: Head) -> tuple[float, str]:
    # (confidence, evidence); 0 with a text: why it is nearly one
    keys = head.json_keys
    if not keys:
        return 0.0, ""
    if {"from_name", "to_name", "type", "value"} <= keys and keys & {"result", *_TASK_KEYS}:
        return 0.95, "tasks with results (from_name, to_name, type, value)"
    if {"annotation_id", "lead_time"} <= keys and "data" not in keys:
        return 0.0, (
            "is Label Studio's JSON-MIN export, which has lost types and ids; export it as JSON"
        )
    if "data" not in keys:
        return 0.0, ""
    first = first_object(head.text)
    if first.get("data") != "{":
        return 0.0, ""
    if _TASK_KEYS & set(first):
        return 0.9, "tasks (data, annotations)"
    others = set(first) - {"id", "data", "meta", "inner_id", "created_at", "updated_at"}
    if not others:
        return 0.6, "tasks without annotations (data)"
    return 0.0, ""


def first_object(text: str) -> dict[str, str]:
    """Return the keys of the first object in JSON `text`, each with how its value begins.

    >>> first_object('[{"id": 1, "data": {"image": "a.jpg"}}]')
    {'id': '1', 'data': '{'}
    """
    found: dict[str, str] = {}
    depth, key = 0, ""
    for match in re.finditer(r'"((?:[^"\\]|\\.)*)"|[\[\]{}:,]|[^\s\[\]{}:,"]+', text):
        token = match[0]
        at_value = depth == 1 and key and key not in found
        if token == ":":
            continue
        if at_value:
            found[key] = token[0]
        elif depth == 1 and match[1] is not None:
            key = match[1]
            continue
        if token == "{" or (token == "[" and depth):
            depth += 1
        elif token == "}" or (token == "]" and depth):
            depth -= 1
            if depth <= 0:
                break
        if token == ",":
            key = "" if depth == 1 else key
    return found


def _files(source: Source, ledger: Ledger) -> Iterator[tuple[str, bytes, bool]]:
    # (path, bytes, are there several?) of each file with tasks
    paths = _candidates(source)
    lists = 0
    found = False
    alone = len(paths) == 1
    skipped = []
    for path, data in source.read_many(paths):
        confidence, why = _recognise(Head(data[: 64 * 1024]))
        if not confidence and not alone:
            skipped.append((path, why or "holds no tasks"))
            continue
        if not confidence and why:
            raise FormatError(f"{path} {why}", where=path)
        found = True
        lists += 1
        yield path, data, not alone
    for path, why in skipped:
        ledger.note("file was not read", file=path, message=f"{path}: {why}")
    if not found:
        raise FormatError("No file holds tasks of Label Studio", where=source.name)


def _subset(path: str, tasks: int, several: bool) -> str | None:
    stem = path.rpartition("/")[2].partition(".")[0]
    if stem.lower() in SPLITS or (several and tasks > 1):
        return stem
    return None


# -- the configuration ----------------------------------------------------------------


def _configs(source: Source, given: str | None, ledger: Ledger) -> list[Config]:
    if given:
        if given.lstrip().startswith("<"):
            return [parse_config(given, "the configuration given")]
        return [parse_config(source.read(given), given)]
    found = []
    for path in _xml_files(source)[: 4 * MAX_HEADS]:
        data = source.read(path)
        if Head(data[: 64 * 1024]).xml_root != "View":
            continue
        try:
            found.append(parse_config(data, path))
        except BrokenFileError as error:
            ledger.note("configuration was not read", file=path, message=str(error))
    return found


def _best_config(configs: list[Config], data: bytes, path: str, ledger: Ledger) -> Config | None:
    # Of several, that which knows most of the controls that the file names.
    if len(configs) < 2:
        return configs[0] if configs else None
    names = {m.decode("utf-8", "replace") for m in _FROM_NAME.findall(data[: 4 << 20])}
    folder = path.rpartition("/")[0]

    def rank(config: Config) -> tuple[int, bool, bool]:
        known = sum(config.knows(name) for name in names)
        place, _, name = config.file.rpartition("/")
        return known, place == folder, name in ("label_config.xml", "config.xml")

    best = max(configs, key=rank)
    ledger.note(
        "one of several configurations", file=best.file,
        message=f"{best.file} is taken as the configuration of {path}",
    )  # fmt: skip
    return best


# -- batches --------------------------------------------------------------------------


def _batch(reader: TaskReader, config: Config | None, used: dict[str, Label]) -> Batch:
    items, annotations = reader.flush()
    new: dict[str, Label] = {}
    for label in config.labels if config is not None else ():
        if label.name not in used:
            new[label.name] = label
    for name in pc.unique(annotations["label"]).to_pylist():
        if name is not None and name not in used and name not in new:
            new[name] = Label(name)
    used |= new
    return Batch(items, annotations, tuple(new.values()))
