"""Tasks as Label Studio's flat exports write them: JSON-MIN, CSV.

One record per annotation: the task's data, what each control gave, and who annotated. As
label-studio-sdk does, with two differences: data that has the name of a control is written as
``_data_<name>`` in JSON, too, and what a task has of nbannot's own (`nbannot`) is kept.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from ..json_values import dumps
from .regions import VALUES

__all__ = ["FlatFile", "records_of"]

_IN_MEMORY = 1 << 24
_AROUND = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time")
_LISTS = {"choices": "choices", "textarea": "text"}
_LOST = {
    "score": "scores", "meta": "what only nbannot knows (attributes, tracks, groups, ...)",
    "item_index": "pages of regions",
}  # fmt: skip
Record = dict[str, Any]


class _Stream(Protocol):
    def write(self, data: bytes, /) -> Any: ...


def records_of(
    task: Mapping[str, Any], number: Callable[[], int], lose: Callable[[str], None]
) -> Iterator[Record]:
    """Yield the records of a task, one per annotation, or one without any.

    `number` gives ids to annotations that have none; `lose` counts what a record can't hold.
    """
    around: Record = {"id": task["id"]}
    rest = {k: task[k] for k in ("agreement", "nbannot") if k in task}
    annotations: Iterable[Mapping[str, Any]] = task.get("annotations") or ({},)
    for annotation in annotations:
        found = _outcomes(annotation.get("result") or (), lose)
        data = {(f"_data_{k}" if k in found else k): v for k, v in task["data"].items()}
        record = {**data, **around, **{k: _pretty(v) for k, v in found.items()}}
        by = annotation.get("completed_by")
        record["annotator"] = by.get("email") or by.get("id") if isinstance(by, Mapping) else by
        record["annotation_id"] = annotation.get("id")
        if annotation and record["annotation_id"] is None:
            record["annotation_id"] = number()
        for key in ("created_at", "updated_at", "lead_time"):
            record[key] = annotation.get(key)
        yield {**record, **rest}


def _outcomes(
    results: Iterable[Mapping[str, Any]], lose: Callable[[str], None]
) -> dict[str, list[tuple[str, Any]]]:
    # (type, value) of what each control gave
    outlines: dict[str, Mapping[str, Any]] = {}
    found: dict[str, list[tuple[str, Any]]] = {}
    for result in results:
        kind, value = result["type"], dict(result["value"])
        for key, what in _LOST.items():
            if result.get(key):
                lose(what)
        if kind not in VALUES:
            outlines.setdefault(result["id"], {
                k: v for k, v in value.items() if not k.endswith("labels") and k != "text"
            })  # fmt: skip
        elif result["id"] in outlines:  # by its outline, what is said of a region finds it again
            value = {**outlines[result["id"]], **value}
        for side in ("original_width", "original_height"):
            if side in result:
                value[side] = result[side]
        found.setdefault(result["from_name"], []).append((kind, value))
    return found


def _pretty(entries: list[tuple[str, Any]]) -> Any:
    # One choice or text is written as such; anything else is a list.
    out = []
    for kind, value in entries:
        key = _LISTS.get(kind)
        if kind == "chatmessage":
            out.append(value.get("chatmessage", value))
        elif key is not None and value.keys() == {key} and _is_one_text(value[key]):
            out.append(value[key][0])
        else:
            out.append(value)
    return out[0] if len(out) == 1 and isinstance(out[0], str) else out


def _is_one_text(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and isinstance(value[0], str)


class FlatFile:
    """Writes records into a stream, as JSON or (`is_table`) as CSV, whose columns come first."""

    def __init__(self, stream: _Stream, *, is_table: bool) -> None:
        self._stream, self._is_table = stream, is_table
        self._names: set[str] = set(_AROUND)
        self._between = b"\n"

    @classmethod
    @contextmanager
    def into(cls, stream: _Stream, *, is_table: bool) -> Iterator[FlatFile]:
        """Open a file; it is whole when this ends."""
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
            flat = cls(spool if is_table else stream, is_table=is_table)
            if not is_table:
                stream.write(b"[")
            yield flat
            if is_table:
                spool.seek(0)
                flat._table(spool, stream)
            else:
                stream.write(b"\n]\n")

    def add(self, record: Record) -> None:
        """Write a record."""
        if self._is_table:
            self._names.update(record)
            self._stream.write(dumps(record).encode() + b"\n")
            return
        self._stream.write(self._between + dumps(record).encode())
        self._between = b",\n"

    def _table(self, lines: Iterable[bytes], stream: _Stream) -> None:
        names = sorted(self._names)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, names, quoting=csv.QUOTE_NONNUMERIC)
        writer.writeheader()
        for line in lines:
            record = json.loads(line)
            writer.writerow({k: _cell(v) for k, v in record.items()})
            if text.tell() > _IN_MEMORY:
                stream.write(text.getvalue().encode())
                text.seek(0)
                text.truncate()
        stream.write(text.getvalue().encode())


def _cell(value: Any) -> Any:
    return dumps(value) if isinstance(value, (list, dict, bool)) else value
