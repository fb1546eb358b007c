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
from ..look import HEAD_BYTES, Head, Look
from .config import Config, parse_config
from .flat import flat_tasks, is_flat, is_surely_flat, is_table, repeated_columns
from .items import ItemFinder
from .tasks import TaskReader

if TYPE_CHECKING:
    from ...sources.base import Source
    from ..writing import Export, Sink

__all__ = ["LabelStudio"]

BATCH_TASKS = 2_000
_FLAT = 0.93  # confidence of a flat export
_TABLES = (".csv", ".tsv")
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
    * The flat exports, JSON-MIN, CSV and TSV, are made tasks again: several controls on one outline
      are one region. They have lost ids, relations, predictions and, where the configuration is
      not beside them, which columns are results; notes say so.
    * Kinds of result that no column can hold (spans of HTML, paragraphs, video frames) are rows,
      too; what they hold is in `extra`, and comes back when written.

    >>> from nbannot.formats import get_format
    >>> get_format("labelstudio").title
    'Label Studio'
    """

    name = "labelstudio"
    title = "Label Studio"
    summary = (
        "Tasks with annotations and predictions, as Label Studio's JSON export has them; its flat "
        "exports (JSON-MIN, CSV) too."
    )
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
        Option(
            "choices", "text", None,
            "Columns of a flat export that are choices, with commas between, where there is no "
            "configuration",
        ),
    )  # fmt: skip
    write_options = (
        Option("config", "bool", True, "Write label_config.xml beside the tasks"),
        Option(
            "model_version", "text", None,
            "Write ground truth, too, as predictions of this model version",
        ),
        Option(
            "layout", "choice", "json",
            "Full tasks, or one flat record per annotation as JSON-MIN or CSV, which lose ids, "
            "relations and predictions",
            ("json", "json_min", "csv"),
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Return 0.95 where a file has results in it, 0.6 where it has only tasks."""
        paths = _candidates(look.source, MAX_HEADS)
        look.need(paths, "no JSON or CSV file")
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
        if best == _FLAT and not configs and is_table(look.head(paths[0])):
            columns = ", ".join(repeated_columns(look.head(paths[0])))
            if columns:
                look.offer(f"No configuration says so: read {columns} as choices", choices=columns)
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
        choices = [n.strip() for n in (options.get("choices") or "").split(",") if n.strip()]
        files = _files(source, ledger)
        for path, data, several, flat in files:
            config = _best_config(configs, data, path, ledger)
            tasks, places = (
                flat_tasks(data, path, config, ledger, choices) if flat
                else (values_of(data, path, ledger), None)
            )  # fmt: skip
            del data
            reader = TaskReader(
                path, _subset(path, len(tasks), several), finder, config, ledger,
                include_cancelled=bool(options.get("include_cancelled")), first_item=count,
                places=places,
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
        """Write one file per subset, of tasks or flat records, and label_config.xml beside."""
        from .write import write_tasks

        write_tasks(export, sink, options, ledger, progress)


# -- finding files --------------------------------------------------------------------


def _candidates(source: Source, count: int | None = None) -> list[str]:
    # Files that may hold tasks, the nearest first; tables, which flat exports may be, after all.
    if source.main is not None:
        return [source.main]
    paths = source.files.with_suffix(".json", ".jsonl", ".ndjson")
    if not paths:  # a cloud storage gets files named 1, 2, 3, ...
        paths = [p for p in source.files.with_suffix("") if p.rpartition("/")[2].isdigit()]
    paths = [*paths, *source.files.with_suffix(*_TABLES)]
    nearest = len(paths) if count is None else count
    return heapq.nsmallest(nearest, paths, key=lambda p: (_is_table_name(p), p.count("/"), p))


def _is_table_name(path: str) -> bool:
    return path.lower().endswith(_TABLES)


def _xml_files(source: Source) -> list[str]:
    paths = source.files.with_suffix(".xml")
    return sorted(paths, key=lambda p: ("config" not in p.rpartition("/")[2].lower(), p))


def _recognise(head: Head) -> tuple[float, str]:
    # (confidence, evidence); 0 with a text: why it is nearly one
    if is_table(head):
        return _FLAT, "columns annotation_id, annotator, lead_time of a flat export"
    keys = head.json_keys
    if not keys:
        return 0.0, ""
    if {"from_name", "to_name", "type", "value"} <= keys and keys & {"result", *_TASK_KEYS}:
        return 0.95, "tasks with results (from_name, to_name, type, value)"
    if is_surely_flat(head):
        return _FLAT, "flat records with annotation_id, annotator, lead_time (JSON-MIN)"
    if is_flat(head):
        return 0.6, "flat records of regions with original_width or run lengths (JSON-MIN)"
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


def _files(source: Source, ledger: Ledger) -> Iterator[tuple[str, bytes, bool, bool]]:
    # (path, bytes, are there several?, is it flat?) of each file with tasks
    paths = _candidates(source)
    documents = [p for p in paths if not _is_table_name(p)]
    found = False
    alone = len(documents) == 1
    skipped = []
    flat = []
    for path, data in source.read_many(documents):
        head = Head(data[:HEAD_BYTES])
        confidence, why = _recognise(head)
        if not confidence and not alone:
            skipped.append((path, why or "holds no tasks"))
        elif confidence and is_flat(head):
            flat.append(path)  # the same tasks are in a full export, if there is one
        else:
            found = True
            yield path, data, not alone, False
    look = Look(source)  # most tables are the data of tasks: not one is read whole in vain
    flat += [p for p in paths if _is_table_name(p) and is_table(look.head(p))]
    if found:
        skipped += [(path, "is a flat export, and full ones are there") for path in flat]
    for path, data in source.read_many(flat) if not found else ():
        found = True
        yield path, data, len(flat) > 1, True
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
