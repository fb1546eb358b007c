"""CVAT Generic TSV 1.0: intervals of audio tasks, one row each."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ..errors import BrokenFileError
from ..ledger import Ledger
from ..media.kinds import suffix
from ..progress import Progress
from ..schema import DEFAULT_SUBSET, Batch
from ..sources.base import Source
from .base import Format
from .fitting import Fitting, Holds, Row
from .image_files import extra_of, fitted
from .image_records import At, candidates
from .look import Look
from .reading import Reading
from .recordings import (
    RECORDING_SUFFIXES,
    RecordingFiles,
    Recordings,
    add_span,
    rows_as_text,
    seconds,
    subset_folders,
    tell_texts,
    time_order,
    with_breaks,
)
from .text_lines import plain_number, text_of
from .texts import (
    is_split,
    json_object,
)
from .writing import Export, Sink

__all__ = ["CvatTsv"]

_NEEDED = ("start", "stop", "label")
_COLUMNS = ("id", "filename", "start", "stop", "label", "source", "score")
_TEXTS = ("transcript", "transcription", "text")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d*)?)")


class CvatTsv(Format):
    """CVAT's tab separated rows of audio intervals.

    **Items** are the recordings that ``filename`` names, or, without that column, the one that is
    called as the file. The subset is the file's name, where it is train, test and the like.

    **Rows** are time spans; ``start`` and ``stop`` are ``HH:MM:SS.fraction`` (or seconds). Columns
    beyond CVAT's own are attributes, but transcript, which is the text. ``id`` is the source id;
    ``source`` is kept.

    **Records** are rows. A recording without an interval has no row: it comes back only where
    media is written along.
    """

    name: ClassVar[str] = "cvat-tsv"
    title: ClassVar[str] = "CVAT Generic TSV"
    summary: ClassVar[str] = "Intervals of audio with start, stop and label, tab separated."
    rules: ClassVar[str] = (
        "https://docs.cvat.ai/docs/dataset_management/formats/format-generic-tsv/"
    )
    holds: ClassVar[tuple[str, ...]] = ("time_span",)

    def requires(self, look: Look) -> float:
        """Return 0.96 where a header has CVAT's columns, 0.8 for start, stop and label only."""
        paths = candidates(look.source, ".tsv")
        look.need(paths, "no .tsv file")
        names = {path: _header(look.head(path).text) for path in paths[:8]}
        mine = [path for path in names if set(_NEEDED) <= set(names[path])]
        look.need(mine, f"{paths[0]} has no columns start, stop and label")
        look.found(f"{mine[0]} has the columns start, stop and label")
        head = look.head(mine[0]).text.split("\n")[1:2]
        if set(_COLUMNS) <= set(names[mine[0]]) or any(_CLOCK.search(line) for line in head):
            return 0.96
        return 0.8

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the recordings with their intervals, then those without.

        Raises:
            BrokenFileError: no file has the columns that are needed.
        """
        reading = Reading(source, ledger, progress, limit)
        recordings = Recordings(reading)
        look = Look(source)
        paths = candidates(source, ".tsv")
        mine = [p for p in paths if set(_NEEDED) <= set(_header(look.head(p).text))]
        if paths and not mine:
            raise BrokenFileError(
                "The file has no columns start, stop and label", where=paths[0],
                hint="Export it again from CVAT as Generic TSV 1.0.",
            )  # fmt: skip
        for path in paths:
            if path not in mine:
                ledger.note("file is not of CVAT", file=path)
        for path, data in reading.files(mine):
            _read_file(reading, recordings, path, with_breaks(text_of(data)))
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
        """Write ``<subset>.tsv``, and the recordings in the folder ``<subset>``."""
        columns = ("text", "attributes", "score", "extra")
        holds = Holds({"time_span": ()}, columns, ("audio", "video"))
        fitting = Fitting(self.title, holds, ledger)
        progress.start("Writing recordings", unit="recordings")
        for subset, folder in subset_folders(export, fitting):
            files = RecordingFiles(sink, fitting)
            lines: list[tuple[Row, Row, str]] = []
            media: list[tuple[Row, str]] = []
            for item, rows in fitted(export, subset, fitting, progress):
                name = files.name(item)
                place = files.place(folder, name)
                shown = name if not folder or is_split(folder) else place
                lines += [(item, row, shown) for row in sorted(rows, key=time_order)]
                media.append((item, place))
                if not rows and not (sink.saves_media and suffix(place) in RECORDING_SUFFIXES):
                    ledger.warn(
                        "recording without intervals", file=item["key"], record="item",
                        item=item["key"], message=f"{item['key']} has no row in {self.title}",
                    )  # fmt: skip
            sink.write(f"{folder or DEFAULT_SUBSET}.tsv", _table(fitting, lines))
            for item, place in media:
                files.add_media(item, place)
        fitting.close()


def _header(text: str) -> list[str]:
    return [_unquoted(name) for name in with_breaks(text).partition("\n")[0].split("\t")]


def _unquoted(name: str) -> str:
    return name.strip().strip('"').strip()


def clock(text: str) -> float | None:
    """Return seconds of ``HH:MM:SS.fraction``, or of a plain number; None for anything else.

    >>> clock("01:00:02.5"), clock("2.5"), clock("soon")
    (3602.5, 2.5, None)
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return seconds(text)
    last = seconds(match[3].replace(",", "."))
    return None if last is None else int(match[1] or 0) * 3600 + int(match[2]) * 60 + last


def as_clock(value: float) -> str:
    """Return seconds as ``HH:MM:SS.fraction``, three digits or as many as are needed.

    >>> as_clock(3602.5), as_clock(0.1234), as_clock(-1.0)
    ('01:00:02.500', '00:00:00.1234', '-1')
    """
    if value < 0:
        return plain_number(value)
    whole = int(value)
    digits = f"{value - whole:.9f}".rstrip("0")[2:].ljust(3, "0")
    if f"{value - whole:.9f}".startswith("1"):
        whole, digits = whole + 1, "000"
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{digits}"


def _read_file(reading: Reading, recordings: Recordings, path: str, text: str) -> None:
    folder, _, base = path.rpartition("/")
    stem = base.rpartition(".")[0]
    last = folder.rpartition("/")[2]
    subset = stem if is_split(stem) else last if is_split(last) else None
    near = [f"{folder}/{stem}".lstrip("/"), *([folder] if folder else [])]
    names = _header(text)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t")
    next(rows, None)
    while True:
        try:
            cells = next(rows, None)
        except csv.Error as error:
            reading.reject(
                "line is not a row", file=path, where=f"line {rows.line_num}",
                record=f"line {rows.line_num}", message=f"line {rows.line_num}: {error}",
            )  # fmt: skip
            continue
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        where = f"line {rows.line_num}"
        if len(cells) > len(names):
            reading.reject(
                "line has too many columns", file=path, where=where, record=where,
                message=f"{where} has {len(cells)} cells for {len(names)} columns",
            )  # fmt: skip
            continue
        row = {n: c for n, c in zip(names, cells, strict=False) if c != ""}
        name = row.get("filename")
        if name is None:
            item = recordings.add_beside(path, path.rpartition(".")[0])
        else:
            if reading.is_full and reading.number(name, subset) is None:
                continue
            item = recordings.add(name, file=path, near=near, subset=subset)
        _read_row(reading, item, At(path, where, reading.key(item)), row)


def _read_row(reading: Reading, item: int, at: At, row: Row) -> None:
    label = row.get("label")
    if label is None:
        reading.warn("annotation without a label", **at.line("it has no label"))
    text = next((row[name] for name in _TEXTS if name in row), None)
    given = {k: v for k, v in row.items() if k not in _COLUMNS and k not in _TEXTS}
    score = None
    if "score" in row:
        score = seconds(row["score"])
        if score is None:
            reading.warn("score is not a number", **at.line(f"its score is {row['score']!r}"))
    source = row.get("source")
    add_span(
        reading, item, at, clock(row.get("start", "")), clock(row.get("stop", "")), label=label,
        text=text, score=score, source_id=row.get("id"),
        attributes=json.dumps(given, ensure_ascii=False) if given else None,
        extra=json.dumps({"cvat-tsv": {"source": source}}) if source else None,
    )  # fmt: skip


def _table(fitting: Fitting, lines: list[tuple[Row, Row, str]]) -> str:
    given = [json_object(row.get("attributes")) for _, row, _ in lines]
    tell_texts(fitting, given)
    found = dict.fromkeys(name for some in given for name in some)
    bad = [n for n in found if n in _COLUMNS or n in _TEXTS or n != " ".join(n.split()) or not n]
    kept = [name for name in found if name not in bad and '"' not in name]
    texts = any(row.get("text") is not None for _, row, _ in lines)
    table: list[list[Any]] = [[*_COLUMNS, *(["transcript"] * texts), *kept]]
    for number, ((item, row, name), some) in enumerate(zip(lines, given, strict=True), 1):
        for lost in some:
            if lost not in kept:
                text = f"attribute {lost} is lost: its name is one of CVAT's own"
                fitting.warn(item, row, "attributes can't be written", text)
        score = row.get("score")
        table.append([
            row.get("source_id") or number, name, as_clock(row["start"]), as_clock(row["end"]),
            row["label"], extra_of(row, "cvat-tsv").get("source", "manual"),
            "" if score is None else plain_number(score),
            *([row.get("text") or ""] * texts), *(_cell(some.get(n)) for n in kept),
        ])  # fmt: skip
    return rows_as_text(table, "\t")


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
