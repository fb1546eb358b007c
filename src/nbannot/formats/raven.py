"""Raven selection tables: selections in time and frequency, tab separated, with a header."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ..errors import BrokenFileError
from ..ledger import Ledger
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format, Option
from .fitting import Fitting, Holds, Row
from .image_files import extra_of, fitted, rounded
from .image_records import At, candidates
from .look import Look
from .reading import Reading
from .recordings import (
    RecordingFiles,
    Recordings,
    add_span,
    one_line,
    place_of,
    seconds,
    stem_of,
    subset_folders,
    tell_texts,
    time_order,
    with_breaks,
)
from .text_lines import plain_number, text_of
from .texts import json_object
from .writing import Export, Sink

__all__ = ["Raven"]

_SUFFIXES = (".txt", ".tsv", ".csv")
_BEGIN, _END = "Begin Time (s)", "End Time (s)"
_LOW, _HIGH = "Low Freq (Hz)", "High Freq (Hz)"
_OWN = ("Selection", "View", "Channel")
_FILES = ("Begin File", "Begin Path", "End File", "End Path", "File Offset (s)")
_LABELS = ("Species", "Label", "Annotation", "Class", "Common Name", "Call Type", "Sound type",
           "Species Code", "Tags")  # fmt: skip
_SCORES = ("Confidence", "Score")
_TEXT = "Text"
_ENDING = re.compile(
    r"(\.(table|bird\w*)\.\d+)?\.(selections|selection\.table|results)$", re.IGNORECASE
)
_HZ = {"low_hz": _LOW, "high_hz": _HIGH}


class Raven(Format):
    """Selection tables of Raven (Cornell), and of what writes the like: BirdNET and others.

    **Items** are recordings: the one that ``Begin File`` or ``Begin Path`` names, else the one
    that is called as the table (``a.Table.1.selections.txt`` is of ``a.wav``). A first folder
    called train, test and the like is the subset.

    **Selections** are time spans in seconds; where there is a ``File Offset (s)``, the start
    counts from the start of the file. Frequencies are the attributes ``low_hz``, ``high_hz``. The
    label is the column `label`, by default Species, Annotation, Class and the like; other columns
    are attributes, a confidence is the score.

    **Records** are selections; one that is listed for each of its views (waveform, spectrogram)
    is one.
    """

    name: ClassVar[str] = "raven"
    title: ClassVar[str] = "Raven selection table"
    summary: ClassVar[str] = "Selections in time and frequency, a tab separated table."
    rules: ClassVar[str] = "https://ravensoundsoftware.com/knowledge-base/selection-tables/"
    holds: ClassVar[tuple[str, ...]] = ("time_span",)
    read_options: ClassVar[tuple[Option, ...]] = (
        Option("label", "column", None, "The column with the label; by default Species and alike."),
    )

    def requires(self, look: Look) -> float:
        """Return 0.97 where a table has the columns of Raven."""
        paths = candidates(look.source, *_SUFFIXES)
        look.need(paths, "no selection table (.txt)")
        mine = [p for p in paths[:8] if _is_header(look.head(p).text)]
        look.need(mine, f"{paths[0]} has no columns {_BEGIN} and {_END}")
        look.found(f"{mine[0]} has the columns {_BEGIN} and {_END}")
        return 0.97

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield recordings with their selections, then the recordings without.

        Raises:
            BrokenFileError: the only file is no selection table.
        """
        reading = Reading(source, ledger, progress, limit)
        recordings = Recordings(reading)
        look = Look(source)
        paths = candidates(source, *_SUFFIXES)
        mine = [p for p in paths if _is_header(look.head(p).text)]
        if not mine and paths:
            raise BrokenFileError(
                f"The file is no selection table: it has no columns {_BEGIN} and {_END}",
                where=paths[0], hint="Save the selection table again from Raven.",
            )  # fmt: skip
        for path in paths:
            if path not in mine:
                ledger.note("file is no selection table", file=path)
        for path, data in reading.files(mine):
            _Table(reading, recordings, path, text_of(data), options["label"]).read()
            yield from reading.batches()
            if reading.is_full:
                break
        recordings.leftover()
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>/<name>.Table.1.selections.txt``, and the recording beside it."""
        columns = ("text", "attributes", "score", "extra")
        holds = Holds({"time_span": ()}, columns, ("audio", "video"), unlabelled=True)
        fitting = Fitting(self.title, holds, ledger)
        progress.start("Writing recordings", unit="recordings")
        for subset, folder in subset_folders(export, fitting):
            files = RecordingFiles(sink, fitting, stems=True)
            for item, rows in fitted(export, subset, fitting, progress):
                name = files.name(item)
                place = files.place(folder, name)
                table = _table_of(fitting, item, sorted(rows, key=time_order))
                sink.write(f"{stem_of(place)}.Table.1.selections.txt", table)
                files.add_media(item, place)
            files.tell_suffixes()
        fitting.close()


def _is_header(text: str) -> bool:
    names = {name.strip() for name in with_breaks(text).partition("\n")[0].split("\t")}
    return {_BEGIN, _END} <= names


def _stem(path: str) -> str:
    stem = path.rpartition(".")[0]
    return _ENDING.sub("", stem)


class _Table:
    """One selection table while it is read."""

    def __init__(
        self, reading: Reading, recordings: Recordings, path: str, text: str, label: str | None
    ) -> None:
        self._reading, self._recordings, self._path = reading, recordings, path
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._names = [name.strip() for name in lines[0].split("\t")]
        self._lines = lines[1:]
        known = {name.lower(): name for name in self._names}
        named = [known[n.lower()] for n in _LABELS if n.lower() in known]
        self._label = label if label in self._names else next(iter(named), None)
        self._scores = [n for n in _SCORES if n in self._names]
        self._seen: dict[tuple[str, ...], None] = {}

    def read(self) -> None:
        """Add the table's selections."""
        named = any(n in self._names for n in ("Begin File", "Begin Path"))
        if not named or not any(line.strip() for line in self._lines):
            self._recordings.add_beside(self._path, _stem(self._path))
        for number, line in enumerate(self._lines, 2):
            if line.strip():
                self._selection(line, f"line {number}")

    def _selection(self, line: str, where: str) -> None:
        cells = [_unquoted(cell) for cell in line.split("\t")]
        reading = self._reading
        if len(cells) > len(self._names):
            reading.reject(
                "line has too many columns", file=self._path, where=where, record=where,
                message=f"{where} has {len(cells)} cells for {len(self._names)} columns",
            )  # fmt: skip
            return
        row = {n: c for n, c in zip(self._names, cells, strict=False) if c != ""}
        same = tuple(row.get(n, "") for n in ("Selection", _BEGIN, _END, _LOW, _HIGH, "Begin File"))
        if row.get("Selection") and same in self._seen:  # another view of it
            reading.ledger.read()
            reading.ledger.joined()
            return
        self._seen[same] = None
        item = self._item(row)
        at = At(self._path, where, reading.key(item))
        start, end = seconds(row.get(_BEGIN, "")), seconds(row.get(_END, ""))
        offset = seconds(row.get("File Offset (s)", ""))
        if offset is not None and start is not None and end is not None:
            start, end = offset, offset + (end - start)
        add_span(reading, item, at, start, end, **self._values(row))

    def _item(self, row: Row) -> int:
        name = row.get("Begin Path") or row.get("Begin File")
        if not name:
            return self._recordings.add_beside(self._path, _stem(self._path))
        base = name.replace("\\", "/").rpartition("/")[2]
        folder = self._path.rpartition("/")[0]
        found = self._recordings.find(row.get("Begin File") or base, [folder])
        if found.path is None and "Begin Path" in row:
            found = self._recordings.find(name, [folder])
        subset, key = place_of(found.path or (f"{folder}/{base}" if folder else base))
        return self._recordings.add(key, file=self._path, name=found.path or base, subset=subset)

    def _values(self, row: Row) -> Row:
        values: Row = {"label": row.get(self._label) if self._label else None}
        given: Row = {}
        for name, column in _HZ.items():
            if column in row:
                number = seconds(row[column])
                given[name] = row[column] if number is None else rounded(number)
        for score in self._scores[:1]:
            values["score"] = seconds(row.get(score, ""))
        if _TEXT in row:
            values["text"] = row[_TEXT]
        used = {*_OWN, *_FILES, *_HZ.values(), _BEGIN, _END, _TEXT, self._label, *self._scores[:1]}
        given |= {name: value for name, value in row.items() if name not in used}
        if given:
            values["attributes"] = json.dumps(given, ensure_ascii=False)
        own = {n: row[n] for n in _OWN if n in row}
        values["source_id"] = own.pop("Selection", None)
        if own and own != {"View": "Spectrogram 1", "Channel": "1"}:
            values["extra"] = json.dumps({"raven": own}, ensure_ascii=False)
        return values


def _unquoted(cell: str) -> str:
    cell = cell.strip()
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def _table_of(fitting: Fitting, item: Row, rows: Sequence[Row]) -> str:
    given = [json_object(row.get("attributes")) for row in rows]
    reserved = {*_OWN, *_FILES, *_HZ.values(), _BEGIN, _END, *_LABELS, *_SCORES, _TEXT}
    extras = [n for n in dict.fromkeys(n for some in given for n in some) if n not in _HZ]
    kept = [n for n in extras if n not in reserved and n == " ".join(n.split()) and n]
    tell_texts(fitting, given, _HZ)
    scores = any(row.get("score") is not None for row in rows)
    texts = any(row.get("text") is not None for row in rows)
    names = [*_OWN, _BEGIN, _END, _LOW, _HIGH, "Species"]
    names += ["Confidence"] * scores + [_TEXT] * texts + kept
    lines = [names]
    for number, (row, some) in enumerate(zip(rows, given, strict=True), 1):
        own = extra_of(row, "raven")
        for name in extras:
            if name in some and name not in kept:
                text = f"attribute {name} is lost: its name is one of Raven's own"
                fitting.warn(item, row, "attributes can't be written", text)
        cells: list[Any] = [number, own.get("View", "Spectrogram 1"), own.get("Channel", 1)]
        cells += [plain_number(row["start"]), plain_number(row["end"])]
        cells += [_cell(fitting, item, row, some.get(n)) for n in _HZ]
        cells.append(_cell(fitting, item, row, row.get("label")))
        cells += [row.get("score", "")] * scores
        cells += [_cell(fitting, item, row, row.get("text"))] * texts
        cells += [_cell(fitting, item, row, some.get(n)) for n in kept]
        lines.append([str(cell) for cell in cells])
    return "".join("\t".join(line) + "\n" for line in lines)


def _cell(fitting: Fitting, item: Row, row: Row, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return plain_number(value)
    text = one_line(fitting, item, row, str(value), "value")
    if len(text) > 1 and text[0] == text[-1] == '"':
        return '"' + text.replace('"', '""') + '"'
    return text
