"""What formats of audio and of video in time share: finding recordings, time spans, names."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from ..media.kinds import AUDIO_SUFFIXES, VIDEO_SUFFIXES, suffix
from ..schema import DEFAULT_SUBSET
from .fitting import Fitting, Row
from .image_records import At
from .media_index import Found, as_path
from .reading import Reading
from .texts import (
    is_split,
)
from .writing import Export, Sink, safe_path

__all__ = [
    "RECORDING_SUFFIXES", "TOLERANCE_S", "RecordingFiles", "Recordings", "add_span", "one_line",
    "one_word", "place_of", "rows_as_text", "seconds", "stem_of", "subset_folders", "tell_texts",
    "time_order", "with_breaks",
]  # fmt: skip

RECORDING_SUFFIXES = (*AUDIO_SUFFIXES, *VIDEO_SUFFIXES)
TOLERANCE_S = 1e-5
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


def seconds(text: str) -> float | None:
    """Return a number of a file, None where it is none; "-0" is 0.

    >>> seconds(" 1.5 "), seconds("-0"), seconds("1e999"), seconds("nan")
    (1.5, 0.0, None, None)
    """
    if not _NUMBER.fullmatch(text.strip()):
        return None
    value = float(text)
    return value + 0.0 if math.isfinite(value) else None


def stem_of(path: str) -> str:
    """Return a path without the suffix of a recording.

    >>> stem_of("a/1.wav"), stem_of("a/1.2")
    ('a/1', 'a/1.2')
    """
    end = suffix(path)
    return path[: -len(end)] if end in RECORDING_SUFFIXES else path


def place_of(path: str) -> tuple[str | None, str]:
    """Return subset and key of a path: its first folder, where that is called train, test ...

    >>> place_of("train/a/1.wav"), place_of("a/1.wav")
    (('train', 'a/1.wav'), (None, 'a/1.wav'))
    """
    first, slash, rest = path.partition("/")
    known = is_split(first) or first == DEFAULT_SUBSET
    return (first, rest) if slash and known else (None, path)


# -- reading --------------------------------------------------------------------------


class Recordings:
    """Finds the audio and video files of a source, and adds them as items of a read."""

    def __init__(self, reading: Reading, kind: str = "audio") -> None:
        """`kind` is that of an item whose name does not tell it."""
        self._reading, self._kind = reading, kind
        self.paths = reading.source.files.with_suffix(*RECORDING_SUFFIXES)
        self._by_base: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        self._files: dict[int, str] = {}
        self._repeated: set[tuple[str, str]] = set()
        for path in self.paths:
            stem = stem_of(path)
            self._by_stem.setdefault(stem, []).append(path)
            self._by_base.setdefault(stem.rpartition("/")[2], []).append(path)

    def find(self, name: str, near: Sequence[str] = ()) -> Found:
        """Return the file that `name` means, with its suffix or without."""
        path = as_path(name)
        if suffix(path) in RECORDING_SUFFIXES:
            found = self._reading.media.find(path, near, tails=True)
            if found.path is not None or found.problem == "ambiguous":
                return found
        for folder in (*near, ""):
            exact = self._by_stem.get(f"{folder}/{path}" if folder else path, [])
            if exact:
                return Found(exact[0]) if len(exact) == 1 else Found(None, "ambiguous")
        pool = self._by_base.get(path.rpartition("/")[2], [])
        ends = [p for p in pool if f"/{stem_of(p)}".endswith(f"/{path}")]
        if len(ends) == 1:
            return Found(ends[0])
        return Found(None, "ambiguous" if ends else "missing")

    def kind_of(self, *names: str | None) -> str:
        """Return "audio" or "video", by the first name that tells it."""
        return _kind_of(*names) or self._kind

    def add(
        self,
        key: str,
        *,
        file: str,
        name: str | None = None,
        near: Sequence[str] = (),
        subset: str | None = None,
        **values: Any,
    ) -> int:
        """Find the media of `name` (by default `key`), add the item, and return its number.

        An item that was met before is returned as it is; that several files speak of it is noted.
        Where the source has recordings, one that is missing is a warning.
        """
        known = self._reading.number(key, subset)
        if known is not None:
            self._met_again(known, key, file)
            return known
        found = self.find(name or key, near)
        kind = self.kind_of(found.path, name, key)
        item = self._reading.item(key, subset=subset, kind=kind, media=found.path, **values)
        self._files[item] = file
        if found.path is None and self.paths:
            several = found.problem == "ambiguous"
            self._reading.warn(
                f"several {kind} files fit" if several else f"{kind} file missing",
                file=file, record="item", item=key,
                message=f"{key}: " + ("several files have this name" if several
                                      else f"there is no {kind} file of this name"),
            )  # fmt: skip
        return item

    def _met_again(self, item: int, key: str, file: str) -> None:
        first = self._files.get(item, file)
        if first != file and (first, file) not in self._repeated:
            self._repeated.add((first, file))
            self._reading.ledger.note(
                "several files speak of one item", file=file,
                message=f"{file} speaks of {key} and maybe others, as {first} does: what they say "
                "is put together",
            )  # fmt: skip

    def add_beside(self, path: str, stem: str, **values: Any) -> int:
        """Add the recording that an annotation file is about, which has the same name.

        `stem` is the file's path without what the format appends. The key is the path of the
        recording within its subset; without one, `stem`.
        """
        found = self._beside(stem)
        subset, key = place_of(stem)
        if found.path is not None:
            key += suffix(found.path)
        return self.add(key, file=path, name=found.path or stem, subset=subset, **values)

    def _beside(self, stem: str) -> Found:
        found = self.find(stem)
        base = stem.rpartition("/")[2]
        pool = self._by_base.get(base, [])
        if found.path is None and len(pool) == 1 and self._only_file_called(base):
            return Found(pool[0])  # recordings in a folder of their own
        return found

    def _only_file_called(self, base: str) -> bool:
        return self._names[base.partition(".")[0]] == 2

    @cached_property
    def _names(self) -> Counter[str]:
        # How many files have a name, up to its first point.
        files = self._reading.source.files
        return Counter(path.rpartition("/")[2].partition(".")[0] for path in files)

    def leftover(self) -> None:
        """Add recordings that no annotation file speaks of as items without annotations."""
        if self._reading.source.main is not None:
            return
        for path in self.paths:
            if self._reading.is_full:
                return
            if path not in self._reading.used_media:
                subset, key = place_of(path)
                self._reading.item(key, subset=subset, kind=self.kind_of(path), media=path)


def _kind_of(*names: str | None) -> str:
    for name in names:
        end = suffix(name or "")
        if end in RECORDING_SUFFIXES:
            return "audio" if end in AUDIO_SUFFIXES else "video"
    return ""


def add_span(
    reading: Reading,
    item: int,
    at: At,
    start: float | None,
    end: float | None,
    *,
    duration: float | None = None,
    **values: Any,
) -> bool:
    """Count and add a time span, or reject it where its times make none; return whether."""
    if start is None or end is None:
        reading.reject("time is not a number", **at.line("start or end is not a number"))
        return False
    if end < start:
        reading.reject("end before start", **at.line(f"it ends at {end} before its start {start}"))
        return False
    if start < -TOLERANCE_S:
        reading.warn("starts before the recording", **at.line(f"it starts at {start} seconds"))
    elif duration is not None and end > duration + TOLERANCE_S:
        text = f"it ends at {end}, and the recording at {duration} seconds"
        reading.warn("reaches beyond the end", **at.line(text))
    reading.annotation(item, type="time_span", start=start, end=end, **values)
    return True


# -- writing --------------------------------------------------------------------------


def time_order(row: Row) -> tuple[float, float]:
    """Return what time spans are sorted by."""
    return row["start"], row["end"]


def subset_folders(export: Export, fitting: Fitting) -> Iterator[tuple[str, str]]:
    """Yield each subset with its folder; one that is not known by its name again is noted."""
    alone = len(export.subsets) == 1
    for subset in export.subsets:
        name = subset or DEFAULT_SUBSET
        if alone and name == DEFAULT_SUBSET:
            yield subset, ""
            continue
        folder = safe_path(name).replace("/", "-")
        if place_of(f"{folder}/x")[0] != name:
            fitting.ledger.note(
                "name of a subset is not kept", file=folder,
                message=f"the subset {name!r} is a folder when {fitting.title} is read again",
            )  # fmt: skip
        yield subset, folder


class RecordingFiles:
    """Gives each recording of one folder or list its name, and writes its media.

    * `stems`: names are told apart without their suffix (a.wav and a.mp3 are one name).
    * `spaces`: may a name have spaces?
    * `kind`: what an item is read as whose name does not tell it.
    """

    def __init__(
        self,
        sink: Sink,
        fitting: Fitting,
        *,
        stems: bool = False,
        spaces: bool = True,
        kind: str = "audio",
    ) -> None:
        self._sink, self._fitting, self._kind = sink, fitting, kind
        self._stems, self._spaces = stems, spaces
        self._taken: set[str] = set()
        self._ends: set[str] = set()

    def name(self, item: Row) -> str:
        """Return the name of an item, its key as far as that can be written, and unique.

        Raises:
            UnsafeSourceError: the key leads out of the folder.
        """
        name = safe_path(item["key"])
        if not self._spaces:
            name = "_".join(name.split())
        stem = stem_of(name)
        end = name[len(stem) :]
        unique, n = stem, 1
        while (unique if self._stems else unique + end) in self._taken:
            n += 1
            unique = f"{stem}-{n}"
        self._taken.add(unique if self._stems else unique + end)
        self._ends.add(end)
        if unique + end != item["key"]:
            self.renamed(item, unique + end)
        self._tell_kind(item, unique + end)
        return unique + end

    def _tell_kind(self, item: Row, name: str) -> None:
        names = [name] if self._sink.saves_media or not self._stems else []
        names += [item.get("media") or ""] if self._sink.saves_media else []
        back = _kind_of(*names) or self._kind
        if back != item["kind"]:
            key = item["key"]
            self._fitting.ledger.warn(
                "kind of item is not kept", file=key, record="item", item=key,
                message=f"{key} is of kind {item['kind']} and comes back as {back}",
            )  # fmt: skip

    def place(self, folder: str, name: str) -> str:
        """Return the path of a name in the folder of its subset.

        Where there is none, a name that would be read as in one gets it.
        """
        if not folder and place_of(name)[0] is not None:
            folder = DEFAULT_SUBSET
        return f"{folder}/{name}" if folder else name

    def tell_suffixes(self) -> None:
        """Note, where no media is written, that only its names tell the suffixes of keys."""
        if not self._sink.saves_media and any(self._ends):
            self._fitting.ledger.note(
                "suffixes of names are not kept",
                message=f"without media, items of {self._fitting.title} come back without the "
                "suffixes of their names",
            )  # fmt: skip

    def renamed(self, item: Row, name: str) -> None:
        """Say that an item comes back under another name."""
        key = item["key"]
        self._fitting.ledger.warn(
            "renamed", file=key, record="item", item=key, message=f"{key} is written as {name}"
        )

    def add_media(self, item: Row, path: str) -> str:
        """Write the media of an item to `path`, with the suffix it needs; return the path."""
        if suffix(path) not in RECORDING_SUFFIXES:
            end = suffix(item.get("media") or "")
            path += end if end in RECORDING_SUFFIXES else ""
        self._sink.add_media(path, item["number"])
        return path


def one_line(fitting: Fitting, item: Row, row: Row, text: str, what: str) -> str:
    """Return a text of one line, without tabs and spaces around; a warning where it had such."""
    line = " ".join(text.replace("\t", " ").replace("\r", "\n").split("\n")).strip()
    if line == text:
        return text
    if line == text.strip():
        fitting.warn(item, row, f"spaces around the {what}", f"{what} {text!r} is without them")
    else:
        fitting.warn(item, row, f"line breaks in the {what}", f"{what} {text!r} is on one line")
    return line


def with_breaks(text: str) -> str:
    r"""Return a text whose lines end with a lone carriage return with line feeds there.

    >>> with_breaks("a\rb"), with_breaks("a\r\nb")
    ('a\nb', 'a\r\nb')
    """
    return text if "\n" in text else text.replace("\r", "\n")


def rows_as_text(rows: Iterable[Sequence[Any]], delimiter: str = ",") -> str:
    r"""Return rows as CSV, so that any text comes back.

    >>> rows_as_text([["a", 1], ["b\r", "c,d"]])
    'a,1\n"b\r","c,d"\n'
    """
    out = io.StringIO()
    plain = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    quoted = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:  # a lone carriage return is not quoted by every version of Python
        (quoted if any("\r" in str(cell) for cell in row) else plain).writerow(row)
    return out.getvalue()


def tell_texts(fitting: Fitting, given: Sequence[Row], own: Container[str] = ()) -> None:
    """Note where attributes that are no texts come back as texts, but for those of `own`."""
    names = {k for row in given for k, v in row.items() if k not in own and not isinstance(v, str)}
    if names:
        fitting.ledger.note(
            "values of attributes become texts",
            message=f"{fitting.title} has texts only: {', '.join(sorted(names))} come back so",
        )  # fmt: skip


def one_word(fitting: Fitting, item: Row, row: Row, text: str, what: str) -> str:
    """Return a text without spaces; a warning where it had some."""
    parts = text.split()
    if len(parts) == 1 and parts[0] == text:
        return text
    word = "_".join(parts) or "_"
    fitting.warn(item, row, f"spaces in the {what}", f"{what} {text!r} is written {word!r}")
    return word
