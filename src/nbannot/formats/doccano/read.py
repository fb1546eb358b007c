"""Reading doccano: rows as items, their labels as spans, tags, relations or texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import BrokenFileError, FormatError
from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..json_records import (
    json_records,
)
from ..json_values import dumps
from ..reading import Reading
from ..texts import (
    Keys,
    TextFile,
    covered,
    declared_key,
    decode,
    text_files,
)
from .rows import (
    csv_header,
    csv_rows,
    data_column,
    is_label_types,
    is_span,
    label_column,
    looks_written,
)

__all__ = ["DoccanoReader"]

_Row = tuple[Any, str]


class DoccanoReader:
    """One read of files of doccano."""

    def __init__(
        self, source: Source, options: Mapping[str, Any], ledger: Ledger, progress: Progress
    ) -> None:
        self._source, self._options = source, options
        self._ledger, self._progress = ledger, progress

    def read(self, paths: Sequence[str], limit: int | None) -> Iterator[Batch]:
        """Yield the rows of `paths`; a list of labels declares them; other files are noted."""
        reading = Reading(self._source, self._ledger, self._progress, limit)
        held: list[tuple[str, list[_Row]]] = []
        for path, data in reading.files(paths):
            rows = self._rows(path, data)
            objects = [row for row, _ in rows if isinstance(row, dict)]
            if objects and is_label_types(objects):
                self._labels(reading, path, objects)
            elif objects and not any(data_column(row) for row in objects):
                self._ledger.note(
                    "file was not read", file=path, message=f"{path} has no column text"
                )
                if len(paths) == 1:
                    raise FormatError(f"{path} has no column text", where=path)
            else:
                held.append((path, rows))
        files = {file.path: file for file in text_files([path for path, _ in held])}
        taken: dict[str | None, set[str]] = {}
        for path, rows in held:
            file = files[path]
            keys = Keys(file.base, taken.setdefault(file.subset, set()))
            reader = _RowReader(reading, file, keys, self._task(path, rows))
            for row, where in rows:
                if reading.is_full:
                    break
                reader.read(row, where)
                yield from reading.batches()
        yield from reading.rest()

    def _rows(self, path: str, data: bytes) -> list[_Row]:
        if not path.lower().endswith((".csv", ".tsv")):
            return list(json_records(data, path, self._ledger))
        text = decode(data, path, self._ledger)
        if data_column(dict.fromkeys(csv_header(text)[1])) is None:
            return [(dict.fromkeys(csv_header(text)[1]), "line 1")] if text else []
        try:
            return list(csv_rows(text, self._options["label_sep"] or ""))
        except ValueError as error:
            raise BrokenFileError(
                f"The file is not CSV: {error}", where=path, hint="Export it again."
            ) from None

    def _task(self, path: str, rows: Sequence[_Row]) -> str:
        # Are labels that are mere words classes, or texts that somebody wrote?
        task: str = self._options["task"]
        if task != "auto":
            return task
        labels = []
        for row, _ in rows:
            if isinstance(row, dict) and not {"cats", "entities"} & set(row):
                labels += _listed(row.get(label_column(row) or ""))
        words = [label for label in labels if isinstance(label, str)]
        if not looks_written(words):
            return "classification"
        self._ledger.note(
            "labels are taken as texts", file=path,
            message=f"{path}: no label occurs twice, and most are sentences; "
            "task='classification' reads them as labels",
        )  # fmt: skip
        return "seq2seq"

    def _labels(self, reading: Reading, path: str, objects: Sequence[Mapping[str, Any]]) -> None:
        for row in objects:
            name = row.get("text")
            if not isinstance(name, str) or not name:
                self._ledger.note("label without a name", file=path, message=f"{row} in {path}")
                continue
            if name in reading.labels:
                self._ledger.note(
                    "label is declared twice", file=path,
                    message=f"{name!r} stands twice in {path}; the first counts",
                )  # fmt: skip
                continue
            color, hotkey = row.get("background_color"), row.get("suffix_key")
            reading.label(
                name,
                color=color.lower() if isinstance(color, str) else None,
                hotkey=hotkey if isinstance(hotkey, str) else None,
            )


def _listed(value: object) -> list[Any]:
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


class _RowReader:
    """Reads the rows of one file."""

    def __init__(self, reading: Reading, file: TextFile, keys: Keys, task: str) -> None:
        self._reading, self._file, self._keys, self._task = reading, file, keys, task
        self._item, self._key, self._text, self._where = 0, "", "", ""

    def read(self, row: Any, where: str) -> None:
        """Read one row, and all that is on it."""
        column = data_column(row) if isinstance(row, dict) else None
        text = row[column] if column else None
        if not isinstance(text, str) or not text:
            self._reading.reject(
                "row without a text", file=self._file.path, where=where, record=where,
                message=f"{where} of {self._file.path} holds no text",
            )  # fmt: skip
            return
        given = row.get("key") or row.get("id")
        given = row.get("id") if given is None else given
        named = str(given) if isinstance(given, (str, int)) and given != "" else None
        name = row.get("id")
        self._key = declared_key(self._reading, self._keys, named, self._file.path, where)
        self._text, self._where = text, where
        used = {column, "id", "key", label_column(row), "entities", "relations", "cats"}
        rest = {k: v for k, v in row.items() if k not in used}
        self._item = self._reading.item(
            self._key, subset=self._file.subset, kind="text",
            source_id=str(name) if isinstance(name, (str, int)) and name != "" else None,
            data=dumps({"text": text, **rest}),
        )  # fmt: skip
        self._labels(row)
        names = self._entities(row)
        self._relations(row, names)

    def _reject(self, reason: str, record: str, message: str) -> None:
        self._reading.reject(
            reason, file=self._file.path, where=self._where, item=self._key,
            record=f"{self._where}, {record}", message=f"{self._where}: {message}",
        )  # fmt: skip

    def _labels(self, row: Mapping[str, Any]) -> None:
        written = self._task == "seq2seq" or bool({"cats", "entities"} & set(row))
        for n, value in enumerate(_listed(row.get(label_column(row) or "")), 1):
            if is_span(value):
                self._span(f"label {n}", *value)
            elif isinstance(value, str) and written:
                self._reading.annotation(self._item, type="text", text=value)
            elif isinstance(value, (str, int, float)):
                self._reading.annotation(self._item, type="tag", label=str(value))
            else:
                self._reject("label can't be read", f"label {n}", f"{value!r} is neither a label "
                             "nor [start, end, label]")  # fmt: skip
        cats = row.get("cats")
        if isinstance(cats, dict):
            cats = [name for name, value in cats.items() if value]
        for n, value in enumerate(_listed(cats), 1):
            if isinstance(value, str):
                self._reading.annotation(self._item, type="tag", label=value)
            else:
                self._reject("label can't be read", f"category {n}", f"{value!r} is no label")

    def _entities(self, row: Mapping[str, Any]) -> set[str]:
        names = set()
        for n, value in enumerate(_listed(row.get("entities")), 1):
            record = f"entity {n}"
            if is_span(value):
                self._span(record, *value)
                continue
            span = _span_of(value)
            if span is None:
                self._reject("entity can't be read", record, f"{value!r} has no label, no "
                             "start_offset or no end_offset")  # fmt: skip
                continue
            name = value.get("id")
            named = str(name) if name is not None else None
            if self._span(record, *span, source_id=named) and named is not None:
                names.add(named)
        return names

    def _span(
        self, record: str, start: int, end: int, label: str, source_id: str | None = None
    ) -> bool:
        if not 0 <= start < end <= len(self._text):
            what = "span without characters" if start == end else "span outside the text"
            self._reject(what, record, f"{start} to {end} of {len(self._text)} characters")
            return False
        self._reading.annotation(
            self._item, type="text_span", label=label, start=float(start), end=float(end),
            text=covered(self._text, start, end), source_id=source_id,
        )  # fmt: skip
        return True

    def _relations(self, row: Mapping[str, Any], names: set[str]) -> None:
        for n, value in enumerate(_listed(row.get("relations")), 1):
            record = f"relation {n}"
            kind = value.get("type", value.get("label")) if isinstance(value, dict) else None
            if not isinstance(kind, str):
                self._reject("relation can't be read", record, f"{value!r} has no type")
                continue
            ends = [str(value.get("from_id")), str(value.get("to_id"))]
            lost = [end for end in ends if end not in names]
            if lost:
                self._reject("end of a relation is missing", record,
                             f"there is no entity {lost[0]}")  # fmt: skip
                continue
            name = value.get("id")
            self._reading.annotation(
                self._item, type="relation", label=kind,
                source_id=str(name) if name is not None else None,
                attributes=dumps({"from": ends[0], "to": ends[1]}),
            )  # fmt: skip


def _span_of(value: Any) -> tuple[int, int, str] | None:
    if not isinstance(value, dict):
        return None
    triple = [
        value.get("start_offset", value.get("start")), value.get("end_offset", value.get("end")),
        value.get("label"),
    ]  # fmt: skip
    return (triple[0], triple[1], triple[2]) if is_span(triple) else None  # type: ignore[return-value]
