"""NIST's lines about speech: CTM (words in time) and RTTM (who speaks when)."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ..ledger import Ledger
from ..progress import Progress
from ..schema import DEFAULT_SUBSET, Batch
from ..sources.base import Source
from .base import Format, Option
from .fitting import Fitting, Holds, Row
from .image_files import extra_of, fitted
from .image_records import At, candidates
from .look import Look
from .reading import Reading
from .recordings import (
    RecordingFiles,
    Recordings,
    add_span,
    one_word,
    seconds,
    time_order,
)
from .text_lines import lines_of, plain_number
from .texts import (
    is_split,
)
from .writing import Export, Sink, safe_path

__all__ = ["Ctm", "Rttm"]

_NONE = "<NA>"
_SUBSET = ";; subset "
_ITEM = ";; recording "
_RTTM_TYPES = (
    "SPEAKER", "LEXEME", "NON-LEX", "NON-SPEECH", "SEGMENT", "FILLER", "EDIT", "SU", "IP", "CB",
    "A/P", "NOSCORE", "NO_RT_METADATA", "SPKR-INFO",
)  # fmt: skip


class _Lines(Format):
    """A list of lines, each about a time in a recording."""

    ending: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    name_at: ClassVar[int]

    @abstractmethod
    def _is_line(self, cells: Sequence[str]) -> bool:
        """Say whether a line is one of the format."""

    @abstractmethod
    def _add(self, line: _Line, cells: Sequence[str], options: Mapping[str, Any]) -> None:
        """Add what a line says."""

    @abstractmethod
    def _row(self, fitting: Fitting, item: Row, row: Row, name: str) -> str:
        """Return the line of an annotation on the recording `name`."""

    def requires(self, look: Look) -> float:
        """Return 0.95 where the file's lines have the columns of the format."""
        paths = candidates(look.source, self.ending)
        look.need(paths, f"no {self.ending} file")
        for path in paths[:4]:
            text = look.head(path).text
            lines = [n for n in text.split("\n")[:50] if n.strip()]
            if any(n.startswith((_SUBSET, _ITEM)) for n in lines):
                look.found(f"{path} is of {self.title}")
                return 0.95
            rows = [n.split() for n in (lines[:-1] or lines) if not n.startswith(";;")]
            if rows and sum(map(self._is_line, rows)) * 2 > len(rows):
                look.found(f"{path} has lines of {self.title}")
                return 0.95
        look.found(f"{paths[0]} is of {self.title} by its name")
        return 0.4

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the recordings in the order of the lines, then those without one."""
        reading = Reading(source, ledger, progress, limit)
        recordings = Recordings(reading)
        for path, data in reading.files(candidates(source, self.ending)):
            self._read_file(reading, recordings, path, data, options)
            yield from reading.batches()
            if reading.is_full:
                break
        recordings.leftover()
        yield from reading.rest()

    def _read_file(
        self,
        reading: Reading,
        recordings: Recordings,
        path: str,
        data: bytes,
        options: Mapping[str, Any],
    ) -> None:
        subset = _subset_of(path)
        for number, text in lines_of(data):
            if text.startswith(_SUBSET.strip() + " "):
                subset = text[len(_SUBSET) :].strip() or None
            elif text.startswith(_ITEM.strip() + " "):
                if not reading.is_full:
                    _Line(reading, recordings, path, "", subset).item(text[len(_ITEM) :].strip())
            elif text.startswith(";;"):
                continue
            else:
                cells = text.split()
                if reading.is_full and not self._is_known(reading, cells, subset):
                    continue
                line = _Line(reading, recordings, path, f"line {number}", subset)
                self._add(line, cells, options)

    def _is_known(self, reading: Reading, cells: Sequence[str], subset: str | None) -> bool:
        return len(cells) > self.name_at and (
            reading.number(cells[self.name_at], subset) is not None
        )

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write one file per subset, and the recordings in a folder of that name.

        Comments name the subset, and recordings without a line.
        """
        holds = Holds({"time_span": ()}, self.columns, ("audio", "video"), unlabelled=True)
        fitting = Fitting(self.title, holds, ledger)
        progress.start("Writing recordings", unit="recordings")
        alone = list(export.subsets) in ([DEFAULT_SUBSET], [""])
        for subset in export.subsets:
            name = safe_path(subset or DEFAULT_SUBSET).replace("/", "-")
            files = RecordingFiles(sink, fitting, spaces=False)
            lines = [] if alone else [f"{_SUBSET}{subset or DEFAULT_SUBSET}\n"]
            media: list[tuple[Row, str]] = []
            for item, rows in fitted(export, subset, fitting, progress):
                key = files.name(item)
                lines.append(f"{_ITEM}{key}\n")
                lines += [
                    self._row(fitting, item, row, key) for row in sorted(rows, key=time_order)
                ]
                media.append((item, key if alone else f"{name}/{key}"))
            sink.write(f"{name}{self.ending}", "".join(lines))
            for item, path in media:
                files.add_media(item, path)
        fitting.close()


class _Line:
    """Where a line stands, and what it is read into."""

    def __init__(
        self, reading: Reading, recordings: Recordings, path: str, where: str, subset: str | None
    ) -> None:
        self.reading, self._recordings = reading, recordings
        self._path, self._where, self._subset = path, where, subset

    def item(self, name: str) -> int:
        """Return the recording of a name."""
        folder = self._path.rpartition("/")[0]
        near = [self._path.rpartition(".")[0], *([folder] if folder else [])]
        return self._recordings.add(name, file=self._path, near=near, subset=self._subset)

    def reject(self, reason: str, message: str) -> None:
        """Reject the line."""
        self.reading.reject(
            reason, file=self._path, where=self._where, record=self._where,
            message=f"{self._where}: {message}",
        )  # fmt: skip

    def add(self, name: str, start: str, length: str, **values: Any) -> None:
        """Add a time span of a recording."""
        begin, duration = seconds(start), seconds(length)
        if begin is None or duration is None:
            self.reject("time is not a number", f"start {start!r}, duration {length!r}")
            return
        item = self.item(name)
        at = At(self._path, self._where, self.reading.key(item))
        end = round(begin + duration, 9)
        add_span(self.reading, item, at, begin, end, **values)


def _subset_of(path: str) -> str | None:
    folder, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0]
    if is_split(stem):
        return stem
    last = folder.rpartition("/")[2]
    return last if is_split(last) else None


def _duration(row: Row) -> str:
    return plain_number(round(row["end"] - row["start"], 9))


def _own(**values: Any) -> str | None:
    given = {k: v for k, v in values.items() if v is not None}
    return json.dumps(given, ensure_ascii=False) if given else None


class Ctm(_Lines):
    """CTM: recording, channel, start, duration, word, confidence.

    **Items** are the recordings that the lines name; the key is that name, and the audio file of
    the name is looked for. The subset is a file's name (``train.ctm``) or its folder's.

    **Lines** are time spans; the word is the text, or, with ``labels="label"``, the label (as of
    phones). The confidence is the score.

    **Records** are lines; comments (``;;``) are none, but that the writer names the subset and
    the recordings in such. Alternatives (``<ALT_BEGIN>``) are rejected. A text of several words
    is written with underscores.
    """

    name: ClassVar[str] = "ctm"
    title: ClassVar[str] = "CTM"
    summary: ClassVar[str] = "Words with start and duration, in lines."
    rules: ClassVar[str] = "https://github.com/usnistgov/SCTK/blob/master/doc/infmts.htm"
    holds: ClassVar[tuple[str, ...]] = ("time_span",)
    read_options: ClassVar[tuple[Option, ...]] = (
        Option("labels", "choice", "text", "What the word of a line is: the text, or the label.",
               ("text", "label")),
    )  # fmt: skip
    ending: ClassVar[str] = ".ctm"
    name_at: ClassVar[int] = 0
    columns: ClassVar[tuple[str, ...]] = ("text", "score", "extra")

    def _is_line(self, cells: Sequence[str]) -> bool:
        return 5 <= len(cells) <= 8 and None not in (seconds(cells[2]), seconds(cells[3]))

    def _add(self, line: _Line, cells: Sequence[str], options: Mapping[str, Any]) -> None:
        if len(cells) < 5:
            line.reject("line is not of CTM", f"it has {len(cells)} columns, and needs 5")
            return
        name, channel, start, length, word = cells[:5]
        if word.startswith("<ALT") or "*" in (start, length):
            line.reject("alternatives are not read", f"{word} belongs to alternatives")
            return
        score = seconds(cells[5]) if len(cells) > 5 else None
        extra = _own(channel=None if channel == "1" else channel, rest=list(cells[6:]) or None)
        extra = None if extra is None else f'{{"ctm": {extra}}}'
        line.add(name, start, length, score=score, extra=extra, **{options["labels"]: word})

    def _row(self, fitting: Fitting, item: Row, row: Row, name: str) -> str:
        word, label, own = row.get("text"), row.get("label"), extra_of(row, "ctm")
        if word is None:
            word = label or "<unk>"
            what = "label written as the word" if label else "annotation without a label"
            fitting.warn(item, row, what, f"it is the word {word!r} of CTM")
        elif label is not None:
            fitting.warn(item, row, "label can't be written", f"label {label!r} is lost")
        cells = [
            name, str(own.get("channel", 1)), plain_number(row["start"]), _duration(row),
            one_word(fitting, item, row, word, "text"),
        ]  # fmt: skip
        if row.get("score") is not None:
            cells += [plain_number(row["score"]), *map(str, own.get("rest", ()))]
        return " ".join(cells) + "\n"


class Rttm(_Lines):
    """RTTM: type, recording, channel, start, duration, text, subtype, speaker, confidence.

    **Items** are the recordings that the lines name; the key is that name, and the audio file of
    the name is looked for. The subset is a file's name (``dev.rttm``) or its folder's.

    **Lines** are time spans; the label is the speaker, or the line's type where it names none.
    The type, where it is not SPEAKER, channel and subtype are kept; the text of a LEXEME is its
    text, a confidence is the score.

    **Records** are lines; comments (``;;``) are none, but that the writer names the subset and
    the recordings in such. Lines without times (SPKR-INFO) are rejected.
    """

    name: ClassVar[str] = "rttm"
    title: ClassVar[str] = "RTTM"
    summary: ClassVar[str] = "Who speaks when, in lines with start and duration."
    rules: ClassVar[str] = (
        "https://web.archive.org/web/20170119114252/http://www.itl.nist.gov/iad/mig/tests/rt/2009/"
        "docs/rt09-meeting-eval-plan-v2.pdf"
    )
    holds: ClassVar[tuple[str, ...]] = ("time_span",)
    ending: ClassVar[str] = ".rttm"
    name_at: ClassVar[int] = 1
    columns: ClassVar[tuple[str, ...]] = ("text", "score", "extra")

    def _is_line(self, cells: Sequence[str]) -> bool:
        return len(cells) >= 8 and cells[0] in _RTTM_TYPES

    def _add(self, line: _Line, cells: Sequence[str], options: Mapping[str, Any]) -> None:
        del options
        if len(cells) < 8 or cells[0] not in _RTTM_TYPES:
            text = f"it has {len(cells)} columns and begins with {cells[0]!r}"
            line.reject("line is not of RTTM", text)
            return
        kind, name, channel, start, length, text, subtype, speaker = cells[:8]
        if kind == "SPKR-INFO" or (_NONE in (start, length)):
            line.reject("line without times", f"{kind} {speaker} has no start and duration")
            return
        own = _own(
            type=None if kind == "SPEAKER" else kind, channel=None if channel == "1" else channel,
            subtype=None if subtype == _NONE else subtype,
            rest=[c for c in cells[9:] if c != _NONE] or None,
        )  # fmt: skip
        extra = None if own is None else f'{{"rttm": {own}}}'
        score = seconds(cells[8]) if len(cells) > 8 else None
        line.add(
            name, start, length, label=kind if speaker == _NONE else speaker, score=score,
            text=None if text == _NONE else text, extra=extra,
        )  # fmt: skip

    def _row(self, fitting: Fitting, item: Row, row: Row, name: str) -> str:
        own, label, text = extra_of(row, "rttm"), row.get("label"), row.get("text")
        kind = own.get("type") if own.get("type") in _RTTM_TYPES else "SPEAKER"
        speaker = _word(fitting, item, row, label, "label") if label else "unknown"
        if not label:
            fitting.warn(item, row, "annotation without a label", "its speaker is called unknown")
        if text is not None and kind == "SPEAKER":
            kind = "LEXEME"
            why = "a line with a text is of the type LEXEME, not SPEAKER"
            fitting.warn(item, row, "written as LEXEME", why)
        word = _NONE if text is None else _word(fitting, item, row, text, "text")
        score = row.get("score")
        rest = own.get("rest")
        cells = [
            str(kind), name, str(own.get("channel", 1)), plain_number(row["start"]),
            _duration(row), word, str(own.get("subtype", _NONE)),
            _NONE if label == kind and own.get("type") else speaker,
            _NONE if score is None else plain_number(score),
            str(rest[0]) if isinstance(rest, list) and rest else _NONE,
        ]  # fmt: skip
        return " ".join(cells) + "\n"


def _word(fitting: Fitting, item: Row, row: Row, text: str, what: str) -> str:
    if text == _NONE:
        fitting.warn(item, row, f"{what} can't be written", f"{what} {_NONE} means none: it is NA")
        return "NA"
    return one_word(fitting, item, row, text, what)
