"""Label Studio's flat exports, JSON-MIN, CSV and TSV, as the tasks that they were made of.

A record is one annotation of one task: the task's data, one key per control with what it gave
(ids, types and relations of regions are lost), and id, annotator, annotation_id, created_at,
updated_at, lead_time. Which keys are controls says the configuration; without one, the order of
the keys (JSON-MIN has data, id, controls, annotator), or the shape of what is in them.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from msgspec import Raw

from ...errors import BrokenFileError
from ...ledger import Ledger
from ..json_values import dumps, loads, values_of
from ..look import Head
from .config import Config
from .flat_results import kind_of, results_of

__all__ = [
    "FlatTasks", "flat_tasks", "is_flat", "is_surely_flat", "is_table", "repeated_columns",
]  # fmt: skip

_AROUND = (
    "id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement",
    "history", "nbannot",
)  # fmt: skip
_NEEDED = frozenset(("annotation_id", "annotator", "lead_time"))
_FULL = frozenset(
    ("data", "result", "from_name", "to_name", "annotations", "predictions", "completions")
)
_DATA = "_data_"
_FEW = 6  # rows that show whether words repeat
_ADDRESS = re.compile(r"^\s*[-+\d.]+\s*$|://|[\\/]|\.\w{2,4}$")  # numbers, files


class FlatTasks(NamedTuple):
    """Tasks made of flat records; `places` are, per task, where each of its annotations is."""

    tasks: list[Raw]
    places: list[list[str]]


class _Record(NamedTuple):
    place: str
    values: dict[str, Any] | None  # None: it is no object
    raw: Raw = Raw(b"null")


def is_flat(head: Head) -> bool:
    """Say whether a file begins like a flat export, JSON or a table."""
    return is_surely_flat(head) or _may_be_flat(head)


def is_surely_flat(head: Head) -> bool:
    """Say whether a file has a record's annotator, annotation_id and lead_time in its head."""
    if head.json_start:
        return head.json_keys >= _NEEDED and "data" not in head.json_keys
    return is_table(head)


def _may_be_flat(head: Head) -> bool:
    # A brush stroke can be longer than the head, and who drew it comes after it.
    keys = head.json_keys
    shown = {"original_width", "original_height"} <= keys or {"format", "rle"} <= keys
    return head.json_start == "[" and shown and not keys & _FULL


def is_table(head: Head) -> bool:
    """Say whether a file is a flat export as a table, by its first line."""
    if head.json_start:
        return False
    line = head.text.partition("\n")[0]
    return len(line) < 1 << 16 and set(_names(line)) >= _NEEDED


def _delimiter(line: str) -> str:
    return max("\t,;", key=line.count)


def _names(line: str) -> list[str]:
    try:
        return next(csv.reader([line.strip()], delimiter=_delimiter(line)), [])
    except csv.Error:
        return []


def repeated_columns(head: Head) -> list[str]:
    r"""Return the columns of a table whose words repeat, as those of choices do.

    >>> text = "annotation_id,annotator,lead_time,mood,text\n"
    >>> rows = "".join(f"{i},1,2,{'good' if i % 2 else 'bad'},Line {i}\n" for i in range(9))
    >>> repeated_columns(Head((text + rows).encode()))
    ['mood']
    """
    try:
        records = list(_rows(head.text.rpartition("\n")[0], ""))
    except BrokenFileError:
        return []
    rows = [record.values for record in records if record.values is not None]
    names = [n for n in rows[0] if n not in _AROUND] if len(rows) >= _FEW else []
    found = []
    for name in names:
        words = [row[name] for row in rows if row.get(name) not in (None, "")]
        plain = all(isinstance(w, str) and not _ADDRESS.search(w) for w in words)
        if plain and words and len(set(words)) <= len(words) / 3:
            found.append(name)
    return found


def flat_tasks(
    data: bytes, path: str, config: Config | None, ledger: Ledger, choices: Sequence[str] = ()
) -> FlatTasks:
    """Return the tasks that a flat export was made of; records of one task become one.

    `choices` are columns of choices where no configuration says which they are.

    Raises:
        BrokenFileError: it is neither JSON nor a table.
    """
    head = Head(data)
    if head.json_start:
        records = [_json(raw, at) for at, raw in enumerate(values_of(data, path, ledger))]
    else:
        records = list(_rows(head.text, path))
    controls = _controls(records, config, is_json=bool(head.json_start))
    if config is None:
        controls.update(n for n in choices if any(n in (r.values or ()) for r in records))
    _say(records, controls, config, path, ledger)
    tasks: list[dict[str, Any] | Raw] = []
    places: list[list[str]] = []
    by_id: dict[str, int] = {}
    for record in records:
        if record.values is None:
            tasks.append(record.raw)
            places.append([record.place])
            continue
        task = _task(record.values, controls, config)
        name = dumps(task.get("id"))
        at = by_id.get(name) if "id" in task else None
        first = tasks[at] if at is not None else None
        if at is not None and isinstance(first, dict) and first["data"] == task["data"]:
            first["annotations"] += task["annotations"]
            places[at].append(record.place)
            ledger.read()
            ledger.joined()
            continue
        by_id[name] = len(tasks)
        tasks.append(task)
        places.append([record.place])
    raws = [task if isinstance(task, Raw) else Raw(dumps(task).encode()) for task in tasks]
    return FlatTasks(raws, places)


# -- records ---------------------------------------------------------------------------


def _json(raw: Raw, at: int) -> _Record:
    try:
        value, _ = loads(raw)
    except ValueError:
        value = None
    return _Record(f"record {at + 1}", value if isinstance(value, dict) else None, raw)


@contextmanager
def _long_cells() -> Iterator[None]:
    # A brush stroke is one cell of a megabyte.
    before = csv.field_size_limit(1 << 30)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _rows(text: str, path: str) -> Iterator[_Record]:
    line = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(line))
    with _long_cells():
        try:
            names = next(reader, [])
            before = reader.line_num
            for cells in reader:
                place, before = f"line {before + 1}", reader.line_num
                if not cells:
                    continue
                if len(cells) != len(names):
                    raw = Raw(dumps(f"{len(cells)} cells, not {len(names)}").encode())
                    yield _Record(place, None, raw)
                    continue
                yield _Record(place, {n: _cell(n, c) for n, c in zip(names, cells, strict=True)})
        except csv.Error as error:
            where = f"{path}, line {reader.line_num}"
            raise BrokenFileError(f"The table can't be read: {error}", where=where) from error


def _cell(name: str, text: str) -> Any:
    # Lists and objects are JSON; of what is around the data, numbers are numbers.
    if name in _AROUND:
        if not text or text == "None":
            return None
        if name in ("created_at", "updated_at"):
            return text
        with suppress(ValueError):
            return int(text) if text.isdecimal() else float(text)
    if text[:1] in ("[", "{"):
        try:
            return loads(text.encode())[0]
        except ValueError:
            return text
    return text


# -- which keys are controls -----------------------------------------------------------


def _controls(records: Sequence[_Record], config: Config | None, *, is_json: bool) -> set[str]:
    found: set[str] = set()
    for values in (r.values for r in records if r.values is not None):
        around = [name for name in values if name not in _AROUND]
        if config is not None and config.controls:
            found.update(n for n in around if config.knows(n))
            continue
        found.update(n for n in around if f"{_DATA}{n}" in values)
        found.update(n for n in around if kind_of(values[n]))
        if is_json:
            found.update(_between(list(values)))
    return found


def _between(names: Sequence[str]) -> Sequence[str]:
    # JSON-MIN: the keys after those of the data and the id, where there are data before it.
    if "id" not in names or "annotator" not in names:
        return ()
    return names[names.index("id") + 1 : names.index("annotator")] if names[0] != "id" else ()


def _say(
    records: Sequence[_Record], controls: set[str], config: Config | None, path: str,
    ledger: Ledger,
) -> None:  # fmt: skip
    text = (
        f"{path} is a flat export of Label Studio: ids of regions, relations, predictions and "
        "cancelled annotations are not in it. Export as JSON to have them"
    )
    ledger.note("a flat export has lost ids and relations", file=path, message=text)
    if config is not None and config.controls:
        return
    names = dict.fromkeys(n for r in records for n in r.values or () if n not in _AROUND)
    as_data = [n for n in names if n not in controls]
    told = ", ".join(sorted(controls)) or "none"
    text = (
        f"there is no labelling configuration for {path}: read as results are {told}; as data "
        f"{', '.join(as_data) or 'none'}. Put the configuration beside it to have it read by "
        "that, or name the columns of choices (choices=)"
    )
    ledger.note("which columns are results is a guess", file=path, message=text)


# -- tasks -----------------------------------------------------------------------------


def _task(values: Mapping[str, Any], controls: set[str], config: Config | None) -> dict[str, Any]:
    chats = {f"{n}_transcript" for n in controls if f"{n}_transcript" in values}
    data: dict[str, Any] = {}
    results: list[dict[str, Any]] = []
    done = values.get("annotation_id") is not None  # else all are data, whatever their names
    for name, value in values.items():
        if name in controls and done:
            results += results_of(name, value, config)
        elif name in controls and (value in (None, "") or f"{_DATA}{name}" in values):
            continue
        elif name not in _AROUND and name not in chats:
            plain = name.removeprefix(_DATA)
            data[plain if plain in controls else name] = value
    _unite(results)
    task: dict[str, Any] = {"data": data, "annotations": []}
    if values.get("id") is not None:
        task = {"id": values["id"], **task}
    for key in ("agreement", "nbannot"):
        if values.get(key) is not None:
            task[key] = values[key]
    if done:
        annotation = {"id": values.get("annotation_id"), "result": results}
        by = values.get("annotator")
        if by not in (None, "", {}):
            annotation["completed_by"] = {"email": by} if "@" in str(by) else by
        for key in ("created_at", "updated_at", "lead_time", "history"):
            if values.get(key) is not None:
                annotation[key] = values[key]
        task["annotations"] = [annotation]
    return task


_OUTLINE = (
    "x", "y", "width", "height", "rotation", "points", "radiusX", "radiusY", "rle", "vertices",
    "start", "end", "startOffset", "endOffset",
)  # fmt: skip


def _unite(results: list[dict[str, Any]]) -> None:
    # What several controls gave for one outline was one region: it gets one id again.
    met: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        outline = {k: result["value"][k] for k in _OUTLINE if k in result["value"]}
        if outline:
            met.setdefault(dumps(outline), []).append(result)
    number = 0
    for same in met.values():
        if len({r["from_name"] for r in same}) == len(same) > 1:
            number += 1
            for result in same:
                result["id"] = f"region {number}"
