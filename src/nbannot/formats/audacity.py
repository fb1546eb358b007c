"""Audacity label tracks: start, end and label, one text file per recording."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..ledger import Ledger
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format, Option
from .fitting import Fitting, Holds, Row
from .image_files import fitted, rounded
from .image_records import At, candidates
from .look import Look
from .reading import Reading
from .recordings import (
    RECORDING_SUFFIXES,
    RecordingFiles,
    Recordings,
    add_span,
    one_line,
    seconds,
    stem_of,
    subset_folders,
    time_order,
)
from .text_lines import plain_number, text_of
from .texts import json_object
from .writing import Export, Sink

__all__ = ["Audacity"]

_SUFFIX = ".txt"
_TIME = r"-?\d+(?:[.,]\d+)?"
_ROW = re.compile(rf"({_TIME})\t({_TIME})(?:\t(.*))?")
_EXACT = re.compile(r"-?\d+[.,]\d{2,}\t-?\d+[.,]\d{2,}(\t.*)?")
_HERTZ = re.compile(rf"\\\t({_TIME})\t({_TIME})")
_LOW, _HIGH = "low_hz", "high_hz"


class Audacity(Format):
    r"""Label tracks as Audacity exports and imports them, and as many other tools write them.

    **Items** are the text files; the key is the path of the audio file of the same name, or of
    the text file without its suffix. A first folder called train, test and the like is the
    subset.

    **Lines** are ``start TAB end TAB label``, in seconds: time spans. With ``labels="text"`` what
    is written there is the text, as of transcripts, and not the label. A line that begins with a
    backslash gives the frequencies of the line before: attributes ``low_hz`` and ``high_hz``. A
    point ends where it starts.

    **Records** are the lines. Written are labels and frequencies; where there is no label, the
    text.
    """

    name: ClassVar[str] = "audacity"
    title: ClassVar[str] = "Audacity labels"
    summary: ClassVar[str] = "Start, end and label in lines, one text file per recording."
    rules: ClassVar[str] = "https://manual.audacityteam.org/man/importing_and_exporting_labels.html"
    holds: ClassVar[tuple[str, ...]] = ("time_span",)
    read_options: ClassVar[tuple[Option, ...]] = (
        Option("labels", "choice", "label", "What a line says: a label, or a text (transcript).",
               ("label", "text")),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Return 0.9 where the lines of a text file are start, end and label with tabs."""
        paths = candidates(look.source, _SUFFIX)
        look.need(paths, "no .txt file")
        sure = {path: _confidence(look.head(path).text) for path in paths[:6]}
        best = max(sure, key=lambda p: sure[p])
        if sure[best]:
            look.found(f"{best} has lines of start, end and label with tabs")
            others = sum(not c for p, c in sure.items() if look.head(p).text.strip())
            return sure[best] if others * 2 < len(sure) else min(sure[best], 0.5)
        if self._are_empty(look, paths):
            return 0.35
        look.need(False, f"{paths[0]} has no lines of start, end and label with tabs between")
        return 0.0

    def _are_empty(self, look: Look, paths: list[str]) -> bool:
        # Label tracks without labels, beside their recordings.
        recordings = {stem_of(p) for p in look.files.with_suffix(*RECORDING_SUFFIXES)}
        stems = [p[: -len(_SUFFIX)] for p in paths[:6] if not look.head(p).data.strip()]
        if stems and len(stems) == len(paths[:6]) and recordings.issuperset(stems):
            look.found("empty .txt files have the names of recordings")
            return True
        return False

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield a recording per label track, then the recordings without one."""
        reading = Reading(source, ledger, progress, limit)
        recordings = Recordings(reading)
        paths = candidates(source, _SUFFIX)
        column = options["labels"]
        for path, data in reading.files(paths):
            text = text_of(data)
            if source.main is None and text.strip() and not _has_rows(text):
                ledger.note(
                    "file is no label track", file=path,
                    message=f"{path} has no line of start, end and label with tabs between",
                )  # fmt: skip
                continue
            item = recordings.add_beside(path, path[: -len(_SUFFIX)])
            for line in _lines(text):
                _read_line(reading, item, At(path, line.where, reading.key(item)), line, column)
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
        """Write ``<subset>/<name>.txt``, and the recording beside it."""
        holds = Holds(
            {"time_span": ()}, ("text", "attributes"), ("audio", "video"), unlabelled=True
        )
        fitting = Fitting(self.title, holds, ledger)
        progress.start("Writing recordings", unit="recordings")
        for subset, folder in subset_folders(export, fitting):
            files = RecordingFiles(sink, fitting, stems=True)
            for item, rows in fitted(export, subset, fitting, progress):
                name = files.name(item)
                place = files.place(folder, name)
                rows = sorted(rows, key=time_order)
                sink.write(
                    f"{stem_of(place)}.txt", "".join(_line_of(fitting, item, row) for row in rows)
                )
                files.add_media(item, place)
            files.tell_suffixes()
        fitting.close()


def _confidence(text: str) -> float:
    lines = [line for line in text.split("\n")[:200] if line.strip()]
    lines = [line.rstrip("\r") for line in (lines[:-1] or lines)]
    if not lines or not all(_ROW.fullmatch(n) or _HERTZ.fullmatch(n) for n in lines):
        return 0.0
    if not _ROW.fullmatch(lines[0]):
        return 0.0
    exact = all(_EXACT.fullmatch(n) or _HERTZ.fullmatch(n) for n in lines)
    spans = [m for m in map(_ROW.fullmatch, lines) if m]
    if not all((_time(m[1]) or 0.0) <= (_time(m[2]) or 0.0) for m in spans):
        return 0.4
    return 0.92 if exact else 0.6


def _has_rows(text: str) -> bool:
    return any(_ROW.fullmatch(line.rstrip("\r")) for line in text.split("\n")[:200])


@dataclass
class _Line:
    where: str
    text: str
    row: re.Match[str] | None
    hertz: re.Match[str] | None = None


def _lines(text: str) -> Iterator[_Line]:
    # The lines, each with the frequencies that stand in the line after it.
    kept: _Line | None = None
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if not line.strip():
            continue
        hertz = _HERTZ.fullmatch(line)
        if hertz and kept is not None and kept.row is not None and kept.hertz is None:
            kept.hertz = hertz
            continue
        if kept is not None:
            yield kept
        kept = _Line(f"line {number}", line, _ROW.fullmatch(line))
    if kept is not None:
        yield kept


def _time(text: str) -> float | None:
    return seconds(text.replace(",", "."))


def _whole(value: float | None) -> float | int | None:
    return None if value is None else rounded(value)


def _read_line(reading: Reading, item: int, at: At, line: _Line, column: str) -> None:
    if line.row is None:
        if _HERTZ.fullmatch(line.text):
            reading.reject("frequencies without a label", **at.line("no label stands before them"))
            return
        text = f"{line.text!r} is not start, end and label with tabs between"
        reading.reject("line is not a label", **at.line(text))
        return
    start, end, label = line.row.groups()
    values: Row = {column: label.strip() or None} if label else {}
    if line.hertz is not None:
        low, high = _time(line.hertz[1]), _time(line.hertz[2])
        values["attributes"] = json.dumps({_LOW: _whole(low), _HIGH: _whole(high)})
    add_span(reading, item, at, _time(start), _time(end), **values)


def _line_of(fitting: Fitting, item: Row, row: Row) -> str:
    label, text = row.get("label"), row.get("text")
    if label is None and text is not None:
        fitting.warn(item, row, "text written as the label", f"{text!r} stands for its label")
        label = text
    elif text is not None:
        fitting.warn(item, row, "text can't be written", f"text {text!r} is lost")
    shown = one_line(fitting, item, row, label or "", "label")
    line = f"{plain_time(row['start'])}\t{plain_time(row['end'])}\t{shown}\n"
    given = json_object(row.get("attributes"))
    low, high = given.get(_LOW), given.get(_HIGH)
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        line += f"\\\t{plain_number(low)}\t{plain_number(high)}\n"
        given = {k: v for k, v in given.items() if k not in (_LOW, _HIGH)}
    if given:
        names = ", ".join(sorted(given))
        fitting.warn(item, row, "attributes can't be written", f"attributes {names} are lost")
    return line


def plain_time(value: float) -> str:
    """Return seconds as Audacity writes them: six digits, more where they would be lost.

    >>> plain_time(1.5), plain_time(1.123456789012345)
    ('1.500000', '1.123456789012345')
    """
    short = f"{value:.6f}"
    return short if float(short) == value else f"{value:.17f}".rstrip("0") if value < 1e-4 else (
        repr(float(value))
    )  # fmt: skip
