"""Praat TextGrid: tiers of intervals and points over one recording."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..errors import BrokenFileError
from ..ledger import Ledger
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format, Option
from .fitting import Fitting, Holds, Row
from .image_files import extra_of, fitted
from .image_records import At, candidates
from .look import Look
from .reading import Reading
from .recordings import (
    TOLERANCE_S,
    RecordingFiles,
    Recordings,
    add_span,
    seconds,
    stem_of,
    subset_folders,
    time_order,
)
from .text_lines import plain_number, text_of
from .writing import Export, Sink

__all__ = ["TextGrid"]

_SUFFIX = ".textgrid"
_TOKEN = re.compile(r'"([^"]*(?:""[^"]*)*)"(?!")|!\s[^\n]*|(<[^>\n]*>)|([^\s"]+)')
_BINARY = b"ooBinaryFile"
_INTERVALS = "IntervalTier"
_POINTS = ("TextTier", "PointTier")
_LABELS = Option(
    "labels", "choice", "tier",
    "What the label is: the name of the tier (the text of an interval is its text), or the text.",
    ("tier", "text"),
)  # fmt: skip


class TextGrid(Format):
    """Praat's TextGrid: text files, long or short, in UTF-8, UTF-16 or Latin-1.

    **Items** are TextGrids; the key is the path of the audio file of the same name, or of the
    TextGrid without its suffix. A first folder called train, test and the like is the subset. The
    duration is ``xmax``.

    **Intervals** are time spans in seconds. The label is the name of the tier, the interval's
    text is the text; with ``labels="text"`` the text is the label, and the tier is kept. Points
    are time spans that end where they start. Tiers may have one name.

    **Records** are intervals and points. Intervals without text are silence: counted, not
    imported. Intervals that overlap by less than 1e-5 s do not overlap. Written are labels and
    texts; what overlaps goes to a second tier of the same name. Binary TextGrids are not read.
    """

    name: ClassVar[str] = "textgrid"
    title: ClassVar[str] = "Praat TextGrid"
    summary: ClassVar[str] = "Tiers of intervals and points, one text file per recording."
    rules: ClassVar[str] = "https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html"
    holds: ClassVar[tuple[str, ...]] = ("time_span",)
    read_options: ClassVar[tuple[Option, ...]] = (_LABELS,)
    write_options: ClassVar[tuple[Option, ...]] = (_LABELS,)

    def requires(self, look: Look) -> float:
        """Return 0.95 where a file begins as Praat's text files do."""
        paths = candidates(look.source, _SUFFIX)
        look.need(paths, "no .TextGrid file")
        for path in paths[:4]:
            head = look.head(path)
            if head.data.startswith(_BINARY):
                look.found(f"{path} is a binary TextGrid, which must be saved as text")
                return 0.9
            if _is_textgrid(text_of(head.data[: len(head.data) & ~1])):
                look.found(f"{path} is a TextGrid of Praat")
                return 0.95
        look.found(f"{paths[0]} is a TextGrid by its name")
        return 0.3

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield a recording per TextGrid, then the recordings without one.

        Raises:
            BrokenFileError: the only file is no TextGrid, or a binary one.
        """
        reading = Reading(source, ledger, progress, limit)
        recordings = Recordings(reading)
        paths = candidates(source, _SUFFIX)
        silent = 0
        for path, data in reading.files(paths):
            grid = _parse(data)
            if grid.broken:
                if len(paths) == 1:
                    raise BrokenFileError(grid.broken, where=path, hint=grid.hint)
                message = f"{path}: {grid.broken}. {grid.hint}"
                reading.reject(
                    "file is not a TextGrid in text form", file=path, record="file",
                    message=message,
                )  # fmt: skip
                continue
            silent += _read_grid(reading, recordings, path, grid, options["labels"] == "tier")
            yield from reading.batches()
            if reading.is_full:
                break
        recordings.leftover()
        if silent:
            ledger.note(
                "intervals without text are silence",
                message=f"{silent:,} intervals without text are not imported: they are the gaps "
                "between the others",
            )  # fmt: skip
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>/<name>.TextGrid`` in the long form, and the recording beside it."""
        columns = ("text", "extra")
        holds = Holds({"time_span": ()}, columns, ("audio", "video"), unlabelled=True)
        fitting = Fitting(self.title, holds, ledger)
        order = [label.name for label in export.labels]
        progress.start("Writing recordings", unit="recordings")
        for subset, folder in subset_folders(export, fitting):
            files = RecordingFiles(sink, fitting, stems=True)
            for item, rows in fitted(export, subset, fitting, progress):
                name = files.name(item)
                place = files.place(folder, name)
                by_tier = options["labels"] == "tier"
                grid = _grid_of(fitting, item, rows, order, by_tier=by_tier)
                sink.write(f"{stem_of(place)}.TextGrid", _long_form(grid))
                files.add_media(item, place)
            files.tell_suffixes()
        fitting.close()


# -- the files ------------------------------------------------------------------------


@dataclass
class _Mark:
    """An interval, or a point (start = end); times are None where they are no numbers."""

    start: float | None
    end: float | None
    text: str
    where: str


@dataclass
class _Tier:
    name: str
    is_points: bool
    marks: list[_Mark] = field(default_factory=list)


@dataclass
class _Grid:
    """A TextGrid; `broken` says why it is none, `cut` that it ends early."""

    start: float = 0.0
    end: float = 0.0
    tiers: list[_Tier] = field(default_factory=list)
    broken: str = ""
    hint: str = ""
    cut: str = ""


class _End(Exception):  # noqa: N818  not an error by itself
    """The file is at its end, or something else stands where a value should."""


class _Tokens:
    """Reads the values of a file one by one: texts in quotes, flags, numbers.

    Everything else (``xmin =``, ``item [1]:``) only explains them, as in Praat itself.
    """

    def __init__(self, text: str) -> None:
        self._found = _TOKEN.finditer(text)
        self._breaks = [m.start() for m in re.finditer("\n", text)]
        self._at = 0

    @property
    def line(self) -> str:
        """Where the last value stands."""
        return f"line {bisect.bisect_left(self._breaks, self._at) + 1}"

    def next(self) -> tuple[str, str]:
        """Return kind (``text``, ``flag``, ``number``) and content of the next value."""
        for match in self._found:
            text, flag, other = match.groups()
            self._at = match.start()
            if text is not None:
                return "text", text.replace('""', '"')
            if flag is not None:
                return "flag", flag
            if other is not None and (_number_like(other)):
                return "number", other
        raise _End("the file ends early")

    def of(self, kind: str) -> str:
        found, value = self.next()
        if found != kind:
            raise _End(f"there is {value!r} where a {kind} is expected")
        return value


def _number_like(word: str) -> bool:
    return seconds(word) is not None or word.lower().lstrip("+-").startswith(
        ("nan", "inf", "--undefined--")
    )


def _is_textgrid(text: str) -> bool:
    head = text[:400]
    return "ooTextFile" in head.split("\n")[0] and re.search(r'"TextGrid"', head) is not None


def _parse(data: bytes) -> _Grid:
    if data.startswith(_BINARY):
        return _Grid(
            broken="The TextGrid is in Praat's binary form",
            hint="Open it in Praat and save it as a text file.",
        )
    text = text_of(data).replace("\r\n", "\n").replace("\r", "\n")
    if not _is_textgrid(text):
        return _Grid(
            broken="The file is no TextGrid: it does not begin as one",
            hint="Save it again from Praat.",
        )
    grid = _Grid()
    tokens = _Tokens(text)
    try:
        tokens.of("text")
        tokens.of("text")
        grid.start = seconds(tokens.of("number")) or 0.0
        grid.end = seconds(tokens.of("number")) or 0.0
        if tokens.of("flag") != "<exists>":
            return grid
        tiers = int(float(tokens.of("number")))
        for n in range(tiers):
            _parse_tier(grid, tokens, f"tier {n + 1} of {tiers}")
    except (_End, ValueError, OverflowError) as error:
        grid.cut = grid.cut or f"{error}, {tokens.line}"
    return grid


def _parse_tier(grid: _Grid, tokens: _Tokens, which: str) -> None:
    kind = tokens.of("text")
    if kind not in (_INTERVALS, *_POINTS):
        raise _End(f"{which} is of the unknown class {kind!r}")
    tier = _Tier(tokens.of("text"), kind != _INTERVALS)
    grid.tiers.append(tier)
    tokens.of("number")
    tokens.of("number")
    count = int(float(tokens.of("number")))
    for n in range(count):
        try:
            start = tokens.of("number")
            where = tokens.line
            end = start if tier.is_points else tokens.of("number")
            text = tokens.of("text")
        except _End as error:
            grid.cut = (
                f"{error}, {tokens.line}: {count - n:,} of {count:,} "
                f"{'points' if tier.is_points else 'intervals'} of {which} are missing"
            )
            raise
        tier.marks.append(_Mark(seconds(start), seconds(end), text, where))


def _read_grid(
    reading: Reading, recordings: Recordings, path: str, grid: _Grid, by_tier: bool
) -> int:
    # Returns how many intervals are silence.
    meta = json.dumps({"textgrid": {"xmin": grid.start}}) if grid.start else None
    stem = path[: -len(_SUFFIX)]
    item = recordings.add_beside(path, stem, duration=grid.end, meta=meta)
    silent = 0
    for tier in grid.tiers:
        if by_tier and tier.name:
            reading.label(tier.name)
        last: float | None = None
        for mark in tier.marks:
            at = At(path, mark.where, reading.key(item))
            if not tier.is_points and not mark.text.strip():
                reading.ledger.read()
                reading.ledger.joined()
                silent += 1
                continue
            _warn_of(reading, at, tier, mark, last)
            last = mark.end if last is None or (mark.end or 0.0) > last else last
            add_span(
                reading, item, at, mark.start, mark.end, duration=grid.end,
                **_label_and_text(tier, mark.text, by_tier),
            )  # fmt: skip
    if grid.cut:
        reading.reject(
            "file ends early", file=path, record="rest of the file", item=reading.key(item),
            message=f"{path}: {grid.cut}; what comes before is imported",
        )  # fmt: skip
    return silent


def _label_and_text(tier: _Tier, text: str, by_tier: bool) -> Row:
    if by_tier:
        return {"label": tier.name or None, "text": text or None}
    return {"label": text or None, "extra": json.dumps({"textgrid": {"tier": tier.name}})}


def _warn_of(reading: Reading, at: At, tier: _Tier, mark: _Mark, last: float | None) -> None:
    if tier.is_points or mark.start is None or mark.end is None or mark.end < mark.start:
        return
    if last is not None and mark.start < last - TOLERANCE_S:
        text = f"it starts at {mark.start}, and the interval before it ends at {last}"
        reading.warn("intervals of a tier overlap", **at.line(text))
    elif mark.start == mark.end:
        reading.warn("interval without length", **at.line(f"it starts and ends at {mark.start}"))


# -- writing --------------------------------------------------------------------------


def _grid_of(
    fitting: Fitting, item: Row, rows: Sequence[Row], order: Sequence[str], *, by_tier: bool
) -> _Grid:
    first = extra_of(item, "textgrid", "meta").get("xmin")
    ends = [row["end"] for row in rows]
    starts = [row["start"] for row in rows]
    start = min([float(first) if isinstance(first, (int, float)) else 0.0, *starts])
    grid = _Grid(start, max([item.get("duration") or start, *ends]))
    tiers: dict[tuple[int, str, bool, int], _Tier] = {}
    for row in sorted(rows, key=time_order):
        name, text = _name_and_text(fitting, item, row, by_tier)
        is_points = row["start"] == row["end"]
        rank = order.index(name) if name in order else len(order)
        n = 0
        while True:
            tier = tiers.setdefault((rank, name, is_points, n), _Tier(name, is_points))
            if is_points or not tier.marks or (tier.marks[-1].end or 0.0) <= row["start"]:
                break
            n += 1
        tier.marks.append(_Mark(row["start"], row["end"], text, ""))
    grid.tiers = [tiers[key] for key in sorted(tiers)]
    return grid


def _name_and_text(fitting: Fitting, item: Row, row: Row, by_tier: bool) -> tuple[str, str]:
    label, text = row.get("label"), row.get("text")
    if "\r" in (label or "") or "\r" in (text or ""):
        why = "a carriage return is read as a line feed"
        fitting.warn(item, row, "line breaks changed", why)
    if not by_tier:
        tier = extra_of(row, "textgrid").get("tier")
        if text is not None and text != label:
            fitting.warn(item, row, "text can't be written", f"text {text!r} is lost")
        if not label:
            text = "an interval without text would be silence: it gets the text -"
            fitting.warn(item, row, "annotation without a label", text)
        return tier if isinstance(tier, str) else "labels", label or "-"
    is_point = row["start"] == row["end"]
    if (text or "").strip() or is_point:
        return label or "", text or ""
    why = "an interval without text would be silence: its text is its label"
    fitting.warn(item, row, "label written as text too", why)
    return label or "", label or "-"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _long_form(grid: _Grid) -> str:
    lines = [
        'File type = "ooTextFile"', 'Object class = "TextGrid"', "",
        f"xmin = {plain_number(grid.start)} ", f"xmax = {plain_number(grid.end)} ",
        "tiers? <exists> ", f"size = {len(grid.tiers)} ", "item []: ",
    ]  # fmt: skip
    for number, tier in enumerate(grid.tiers, 1):
        marks = tier.marks if tier.is_points else list(_filled(tier.marks, grid))
        what = "points" if tier.is_points else "intervals"
        lines += [
            f"    item [{number}]:",
            f"        class = {_quoted(_POINTS[0] if tier.is_points else _INTERVALS)} ",
            f"        name = {_quoted(tier.name)} ",
            f"        xmin = {plain_number(grid.start)} ",
            f"        xmax = {plain_number(grid.end)} ",
            f"        {what}: size = {len(marks)} ",
        ]
        for rank, mark in enumerate(marks, 1):
            assert mark.start is not None
            assert mark.end is not None
            lines.append(f"        {what} [{rank}]:")
            if tier.is_points:
                lines.append(f"            number = {plain_number(mark.start)} ")
                lines.append(f"            mark = {_quoted(mark.text)} ")
                continue
            lines.append(f"            xmin = {plain_number(mark.start)} ")
            lines.append(f"            xmax = {plain_number(mark.end)} ")
            lines.append(f"            text = {_quoted(mark.text)} ")
    return "\n".join(lines) + "\n"


def _filled(marks: Sequence[_Mark], grid: _Grid) -> Iterator[_Mark]:
    # Intervals of a tier leave no gaps: what lies between is an interval without text.
    last = grid.start
    for mark in marks:
        if mark.start is not None and mark.start > last:
            yield _Mark(last, mark.start, "", "")
        yield mark
        last = mark.end if mark.end is not None else last
    if last < grid.end or not marks:
        yield _Mark(last, grid.end, "", "")
