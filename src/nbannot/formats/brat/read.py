"""Reading brat: lines of an .ann file as spans, relations, and what is said of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..json_values import dumps
from ..reading import Reading
from ..texts import (
    covered,
    decode,
    fit_offsets,
    is_split,
)
from .config import labels_of

__all__ = ["ANN_SUFFIXES", "LINE", "BratReader"]

ANN_SUFFIXES = (".ann", ".a1", ".a2", ".rel")
LINE = re.compile(r"(?:[TREAMN#]\S+|\*)\t")
_SPAN = re.compile(r"(\S.*?) (-?\d{1,15} -?\d{1,15}(?:;-?\d{1,15} -?\d{1,15})*)\s*")
_PAIR = re.compile(r"([^\s:]+):(\S+)")


@dataclass
class _Line:
    """One line of an annotation file."""

    file: str
    number: int
    id: str
    body: str
    text: str | None = None
    raw: str = ""

    @property
    def where(self) -> str:
        return f"line {self.number}"


@dataclass
class _Row:
    """A row to be: its columns, what is added to it by other lines, and the line it is from."""

    line: _Line
    values: dict[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    counted: bool = False


class BratReader:
    """One read of a folder of texts with annotations."""

    def __init__(self, source: Source, ledger: Ledger, progress: Progress) -> None:
        self._source, self._ledger, self._progress = source, ledger, progress

    def read(self, limit: int | None) -> Iterator[Batch]:
        """Yield one item per text."""
        reading = Reading(self._source, self._ledger, self._progress, limit)
        for label in labels_of(self._config("annotation.conf"), self._config("visual.conf")):
            fields = {"color": label.color, "parent": label.parent, "extra": label.extra}
            reading.label(label.name, **{k: v for k, v in fields.items() if v})
        texts, annotations = self._pairs()
        stems = sorted({*texts, *annotations})
        for path, data in self._read_texts(reading, stems, texts):
            mark = data[:3] == b"\xef\xbb\xbf"
            stem = path[: -len(".txt")]
            document = _Document(reading, path, decode(data, path, self._ledger), mark=mark)
            document.read(self._lines(reading, annotations.get(stem, ())))
            yield from reading.batches()
            if reading.is_full:
                break
        if not reading.is_full:
            for stem in stems:
                if stem not in texts:
                    self._without_text(reading, stem, annotations[stem])
        yield from reading.rest()

    def _config(self, name: str) -> str:
        found = self._source.files.match(f"**/{name}", name) if not self._source.main else []
        if not found:
            return ""
        nearest = min(found, key=lambda p: (p.count("/"), p))
        return decode(self._source.read(nearest), nearest, self._ledger)

    def _pairs(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        main = self._source.main
        files = self._source.files
        marked: dict[str, list[str]] = {}
        for path in files.with_suffix(*ANN_SUFFIXES):
            marked.setdefault(path.rpartition(".")[0], []).append(path)
        texts = {p.rpartition(".")[0]: p for p in files.with_suffix(".txt")}
        if main is not None:
            stem = main.rpartition(".")[0]
            return ({stem: texts[stem]} if stem in texts else {}), {stem: marked.get(stem, [])}
        folders = {stem.rpartition("/")[0] for stem in marked}
        beside = {s: p for s, p in texts.items() if s in marked or s.rpartition("/")[0] in folders}
        return beside, marked

    def _read_texts(
        self, reading: Reading, stems: Sequence[str], texts: dict[str, str]
    ) -> Iterator[tuple[str, bytes]]:
        paths = [texts[stem] for stem in stems if stem in texts]
        return reading.files(paths, "Reading texts")

    def _lines(self, reading: Reading, paths: Sequence[str]) -> Iterator[_Line]:
        for path in paths:
            text = decode(self._source.read(path), path, self._ledger)
            for number, line in enumerate(text.split("\n"), 1):
                raw = line.rstrip("\r")
                if not raw.strip():
                    continue
                if not LINE.match(raw):
                    reading.reject(
                        "line is not an annotation", file=path, where=f"line {number}",
                        record=f"line {number}",
                        message=f"line {number} of {path} does not begin with an id (T1, R1 ...) "
                        "and a tab",
                    )  # fmt: skip
                    continue
                name, body, *rest = raw.split("\t", 2)
                yield _Line(path, number, name, body, rest[0] if rest else None, raw)

    def _without_text(self, reading: Reading, stem: str, paths: Sequence[str]) -> None:
        for line in self._lines(reading, paths):
            reading.reject(
                "its text is missing", file=line.file, where=line.where, record=line.where,
                message=f"there is no {stem}.txt",
            )  # fmt: skip
        reading.reject(
            "text file is missing", file=paths[0], record="item", item=f"{stem}.txt",
            message=f"there is no {stem}.txt beside {paths[0]}",
        )  # fmt: skip


def _subset_and_key(path: str) -> tuple[str | None, str]:
    # train/a/1.txt is a/1.txt of train
    parts = path.split("/")
    for n, part in enumerate(parts[:-1]):
        if is_split(part):
            return part, "/".join([*parts[:n], *parts[n + 1 :]])
    return None, path


class _Document:
    """Reads the lines about one text; what they say of each other is put together at the end."""

    def __init__(self, reading: Reading, path: str, text: str, *, mark: bool) -> None:
        self._reading, self._text, self._mark = reading, text, mark
        self._ledger = reading.ledger
        self._subset, self.key = _subset_and_key(path)
        self._rows: list[_Row] = []
        self._by_id: dict[str, _Row] = {}
        self._triggers: dict[str, str] = {}
        self._kept: list[str] = []
        self._groups = 0

    def read(self, lines: Iterator[_Line]) -> None:
        """Read all lines: spans first, then what refers to them."""
        every = list(lines)
        item_values = {"kind": "text", "data": dumps({"text": self._text})}
        for kinds, take in (
            ("T", self._span), ("E", self._event), ("R*", self._relation),
            ("AM", self._attribute), ("N", self._normalization), ("#", self._note),
        ):  # fmt: skip
            for line in every:
                if line.id[0] in kinds:
                    take(line)
            if kinds == "E":
                for row in [r for r in self._rows if "event" in r.extra]:
                    self._check_ends(row, row.line)
        if self._kept:
            item_values["meta"] = dumps({"brat": {"lines": self._kept}})
        item = self._reading.item(self.key, subset=self._subset, **item_values)
        for row in self._rows:
            if row.attributes:
                row.values["attributes"] = dumps(row.attributes)
            if row.extra:
                row.values["extra"] = dumps({"brat": row.extra})
            self._reading.annotation(item, counted=True, **row.values)
            if not row.counted:
                self._ledger.read()
            else:
                self._ledger.split()

    # -- saying so ------------------------------------------------------------------------

    def _reject(self, line: _Line, reason: str, message: str) -> None:
        self._reading.reject(
            reason, file=line.file, where=line.where, record=line.where, item=self.key,
            message=f"{line.where}: {message}",
        )  # fmt: skip

    def _warn(self, line: _Line, reason: str, message: str) -> None:
        self._reading.warn(
            reason, file=line.file, where=line.where, record=line.where, item=self.key,
            message=f"{line.where}: {message}",
        )  # fmt: skip

    def _join(self) -> None:
        self._ledger.read()
        self._ledger.joined()

    def _name(self, line: _Line) -> str:
        # The id, made unique: two lines with one id are two annotations.
        name, n = line.id, 1
        while name in self._by_id or name in self._triggers:
            n += 1
            name = f"{line.id}#{n}"
        if n > 1:
            self._warn(line, "id is used twice", f"{line.id} was met before; this is {name}")
        return name

    # -- spans ----------------------------------------------------------------------------

    def _span(self, line: _Line) -> None:
        match = _SPAN.fullmatch(line.body)
        if not match:
            self._reject(line, "span without offsets", f"{line.body!r} is no type with offsets")
            return
        pairs = [tuple(map(int, p.split())) for p in match[2].split(";")]
        parts, problem = self._place([(low, high) for low, high in pairs], line.text)
        bad = [(low, high) for low, high in parts if not 0 <= low < high <= len(self._text)]
        if bad:
            low, high = bad[0]
            what = "span without characters" if low == high else "span outside the text"
            self._reject(line, what, f"{low} to {high} of {len(self._text)} characters")
            return
        name = self._name(line)
        if problem:
            quoted = " ".join(covered(self._text, *p) for p in parts)
            self._warn(line, problem, f"{line.id} quotes {line.text!r}, its offsets {quoted!r}")
        if len(parts) > 1:
            self._groups += 1
        for n, (low, high) in enumerate(parts):
            values: dict[str, Any] = {
                "type": "text_span", "label": match[1], "start": float(low), "end": float(high),
                "text": covered(self._text, low, high),
                "source_id": name if not n else f"{name};{n + 1}",
            }  # fmt: skip
            row = _Row(line, values, counted=n > 0)
            if len(parts) > 1:
                values["group"] = self._groups
                row.extra["part"] = n
            self._rows.append(row)
            if not n:
                self._by_id[name] = row

    def _place(
        self, parts: list[tuple[int, int]], quoted: str | None
    ) -> tuple[list[tuple[int, int]], str]:
        whole = " ".join(covered(self._text, low, high) for low, high in parts)
        if not quoted or " ".join(whole.split()) == " ".join(quoted.split()):
            return parts, ""
        if len(parts) == 1:
            low, high, why = fit_offsets(self._text, *parts[0], quoted, mark=self._mark)
            return [(low, high)], why
        words = quoted
        found = []
        for low, high in parts:  # each part by the words that it would quote
            length = high - low
            piece, words = words[:length], words[length + 1 :]
            low, high, why = fit_offsets(self._text, low, high, piece, mark=self._mark)
            if "not the text" in why:
                return parts, why
            found.append((low, high))
        return found, why

    # -- events and relations -------------------------------------------------------------

    def _event(self, line: _Line) -> None:
        pairs = _PAIR.findall(line.body)
        if not pairs or " ".join(f"{a}:{b}" for a, b in pairs) != line.body.strip():
            self._reject(line, "event can't be read", f"{line.body!r} is not Type:T1 Role:T2 ...")
            return
        (kind, trigger), *arguments = pairs
        on = self._by_id.get(trigger)
        if on is None or on.values["type"] != "text_span":
            self._reject(line, "trigger is missing", f"{line.id} has the trigger {trigger}, "
                         "which is not there")  # fmt: skip
            return
        name = self._name(line)
        if not arguments:
            on.extra.setdefault("events", []).append({"id": name, "type": kind})
            self._triggers[name] = trigger
            self._join()
            return
        self._triggers[name] = trigger
        for n, (role, to) in enumerate(arguments):
            values = {
                "type": "relation", "label": role,
                "source_id": name if not n else f"{name};{n + 1}",
            }  # fmt: skip
            row = _Row(line, values, counted=n > 0)
            row.attributes = {"from": trigger, "to": to}
            row.extra = {"event": name, "type": kind}
            self._rows.append(row)
            if not n:
                self._by_id[name] = row

    def _relation(self, line: _Line) -> None:
        kind, *rest = line.body.split()
        if line.id == "*":
            self._equivalence(line, kind, rest)
            return
        pairs = [m.groups() for r in rest if (m := _PAIR.fullmatch(r))]
        if len(pairs) != 2 or len(rest) != 2:
            self._reject(line, "relation can't be read", f"{line.body!r} is not Type Arg1:T1 "
                         "Arg2:T2")  # fmt: skip
            return
        name = self._name(line)
        values = {"type": "relation", "label": kind, "source_id": name}
        row = _Row(line, values)
        row.attributes = {"from": pairs[0][1], "to": pairs[1][1]}
        if [p[0] for p in pairs] != ["Arg1", "Arg2"]:
            row.extra["roles"] = [p[0] for p in pairs]
        self._check_ends(row, line)
        self._rows.append(row)
        self._by_id[name] = row

    def _equivalence(self, line: _Line, kind: str, names: Sequence[str]) -> None:
        if len(names) < 2:
            self._reject(line, "relation can't be read", "it relates fewer than two")
            return
        for n, (one, other) in enumerate(pairwise(names)):
            row = _Row(line, {"type": "relation", "label": kind}, counted=n > 0)
            row.attributes = {"from": one, "to": other}
            row.extra = {"equivalent": line.number}
            if not n:
                self._check_ends(row, line)
            self._rows.append(row)

    def _check_ends(self, row: _Row, line: _Line) -> None:
        lost = [
            n for n in row.attributes.values() if n not in self._by_id and n not in self._triggers
        ]
        if lost:
            self._warn(line, "end of a relation is missing", f"{lost[0]} is not there")

    # -- what is said of others -------------------------------------------------------------

    def _target(self, line: _Line, name: str) -> tuple[_Row, dict[str, Any]] | None:
        # The row that an id means, and the event without arguments on it, if it means one.
        row = self._by_id.get(name)
        if row is not None:
            return row, {}
        trigger = self._by_id.get(self._triggers.get(name, ""))
        for event in trigger.extra["events"] if trigger is not None else ():
            if event["id"] == name:
                assert trigger is not None
                return trigger, event
        return None

    def _attribute(self, line: _Line) -> None:
        words = line.body.split(None, 2)
        found = self._target(line, words[1]) if len(words) > 1 else None
        if found is None:
            what = words[1] if len(words) > 1 else "nothing"
            self._reject(line, "target is missing", f"{line.id} is about {what}, not there")
            return
        row, event = found
        values = event.setdefault("attributes", {}) if event else row.attributes
        if words[0] in values:
            self._reject(line, "attribute is given twice", f"{words[1]} has {words[0]} already")
            return
        values[words[0]] = words[2] if len(words) > 2 else True
        self._join()

    def _normalization(self, line: _Line) -> None:
        words = line.body.split(None, 2)
        found = self._target(line, words[1]) if len(words) == 3 else None
        if found is None:
            self._reject(line, "target is missing", f"{line.body!r} names nothing that is there")
            return
        database, _, entry = words[2].partition(":")
        value = [words[0], database, entry, line.text or ""]
        (found[1] or found[0].extra).setdefault("normalizations", []).append(value)
        self._join()

    def _note(self, line: _Line) -> None:
        words = line.body.split(None, 1)
        found = self._target(line, words[1]) if len(words) == 2 else None
        if found is None:
            self._kept.append(line.raw)
        else:
            notes = (found[1] or found[0].extra).setdefault("notes", [])
            notes.append([words[0], line.text or ""])
        self._join()
