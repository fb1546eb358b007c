"""Kaldi data directories: wav.scp, segments, text, utt2spk and the like."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..ledger import Ledger
from ..progress import Progress
from ..schema import DEFAULT_SUBSET, Batch
from ..sources.base import Source
from .base import Format
from .fitting import Fitting, Holds, Row
from .image_files import extra_of, fitted
from .image_records import At
from .look import Look
from .reading import Reading
from .recordings import (
    RecordingFiles,
    Recordings,
    add_span,
    one_line,
    one_word,
    seconds,
    time_order,
)
from .text_lines import lines_of, plain_number
from .texts import json_object
from .writing import Export, Sink, safe_path

__all__ = ["Kaldi"]

_SCP = "wav.scp"
_MEDIA = "wav"


class Kaldi(Format):
    """A data directory of Kaldi, and of ESPnet, Lhotse, WeNet and others that use the same.

    **Items** are the recordings of ``wav.scp``; the key is their id. Commands there (``sox ... |``)
    are never run, they are kept as text. A directory's name is the subset, unless it is the root.
    The duration is that of ``reco2dur``.

    **Utterances** are time spans in seconds where there are ``segments``, else texts (or tags) on
    the whole recording. The transcript is the text, the speaker the label, the utterance's id the
    source id, the speaker's gender an attribute. An utterance that is its own speaker has no label.

    **Records** are recordings and utterances; lines that speak of none of these are rejected.
    """

    name: ClassVar[str] = "kaldi"
    title: ClassVar[str] = "Kaldi data directory"
    summary: ClassVar[str] = "Recordings, utterances, transcripts and speakers as lists."
    rules: ClassVar[str] = "https://kaldi-asr.org/doc/data_prep.html"
    holds: ClassVar[tuple[str, ...]] = ("time_span", "text", "tag")

    def requires(self, look: Look) -> float:
        """Return 0.95 where a wav.scp lies beside segments, text or utt2spk."""
        paths = _directories(look.source)
        look.need(paths, f"no {_SCP}")
        look.found(f"{paths[0]} is there")
        folder = paths[0].rpartition("/")[0]
        beside = {p.rpartition("/")[2] for p in look.files.files(folder)}
        others = sorted(beside & {"segments", "text", "utt2spk", "spk2utt", "reco2dur"})
        if others:
            look.found(f"beside it are {', '.join(others)}")
            return 0.95
        return 0.8

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the recordings with their utterances, directory by directory."""
        reading = Reading(source, ledger, progress, limit)
        recordings = Recordings(reading)
        paths = _directories(source)
        progress.start("Reading data directories", len(paths), "directories")
        commands = 0
        for path in paths:
            directory = _Directory(reading, recordings, path, _subset_of(path, paths))
            yield from directory.read()
            commands += directory.commands
            progress.advance()
            if reading.is_full:
                break
        if commands:
            ledger.note(
                "commands are not run",
                message=f"{commands:,} recordings of {_SCP} are made by a command, which nbannot "
                "never runs: they are without media",
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
        """Write a directory per subset, and the recordings in its folder ``wav``."""
        types = {"time_span": (), "text": (), "tag": ()}
        columns = ("text", "attributes", "extra")
        holds = Holds(types, columns, ("audio", "video"), unlabelled=True)
        fitting = Fitting(self.title, holds, ledger)
        progress.start("Writing recordings", unit="recordings")
        alone = list(export.subsets) in ([DEFAULT_SUBSET], [""])
        utterances: set[str] = set()
        for subset in export.subsets:
            folder = "" if alone else safe_path(subset or DEFAULT_SUBSET).replace("/", "-") + "/"
            if not alone and folder[:-1] != subset:
                ledger.note("name of a subset is not kept", file=folder[:-1])
            files = RecordingFiles(sink, fitting, spaces=False)
            lists = _Lists(fitting, utterances)
            for item, rows in fitted(export, subset, fitting, progress):
                key = files.name(item)
                path = _media_path(item, key, folder, saves=sink.saves_media)
                lists.recording(item, key, path)
                lists.items.append((item, key, rows))
                if sink.saves_media:
                    files.add_media(item, path)
            for name, lines in lists.files():
                sink.write(f"{folder}{name}", "".join(f"{line}\n" for line in lines))
        fitting.close()


def _directories(source: Source) -> list[str]:
    if source.main is not None:
        return [source.main] if source.main.rpartition("/")[2] == _SCP else []
    found = [p for p in source.files.with_suffix(".scp") if p.rpartition("/")[2] == _SCP]
    whole = [p for p in found if not any(f"/{p}".count(f"/split{n}") for n in range(10))]
    return sorted(whole or found, key=lambda p: (p.count("/"), p))


def _subset_of(path: str, others: Sequence[str]) -> str | None:
    # The name of the directory, or its path where two have that name.
    folder = path.rpartition("/")[0]
    name = folder.rpartition("/")[2]
    names = [p.rpartition("/")[0].rpartition("/")[2] for p in others]
    return (name if names.count(name) == 1 else folder) or None


# -- reading --------------------------------------------------------------------------


@dataclass
class _Entry:
    """The rest of a line of a list, and the line's number."""

    text: str
    where: str


class _Directory:
    """One data directory while it is read."""

    def __init__(
        self, reading: Reading, recordings: Recordings, path: str, subset: str | None
    ) -> None:
        self._reading, self._recordings, self._path = reading, recordings, path
        self._folder = path.rpartition("/")[0]
        self._subset = subset
        self.commands = 0
        self._text = self._list("text")
        self._speaker = self._list("utt2spk", told=False)
        if not self._speaker:
            self._speaker = {
                utterance: _Entry(speaker, entry.where)
                for speaker, entry in self._list("spk2utt", told=False).items()
                for utterance in entry.text.split()
            }
        self._gender = self._list("spk2gender", told=False)
        self._duration = self._list("reco2dur", told=False)
        self._channel = self._list("reco2file_and_channel", told=False)

    def _place(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    def _list(self, name: str, *, told: bool = True) -> dict[str, _Entry]:
        # First word of each line -> the rest.
        path, found = self._place(name), {}
        if path not in self._reading.source.files:
            return {}
        for number, line in lines_of(self._reading.source.read(path)):
            key, _, rest = line.replace("\t", " ").partition(" ")
            where = f"line {number}"
            if key in found:
                if told:
                    self._reject(path, where, "id is used twice", f"{key} was met before")
                else:
                    self._reading.ledger.note(
                        "id is used twice", file=path, where=where,
                        message=f"{path}, {where}: {key} was met before; the first one counts",
                    )  # fmt: skip
                continue
            found[key] = _Entry(rest.strip(), where)
        return found

    def _reject(self, path: str, where: str, reason: str, text: str) -> None:
        self._reading.reject(
            reason, file=path, where=where, record=where, message=f"{path}, {where}: {text}"
        )

    def read(self) -> Iterator[Batch]:
        """Add the recordings, each with its utterances; yield batches."""
        segments_path = self._place("segments")
        has_segments = segments_path in self._reading.source.files
        segments = self._segments() if has_segments else {}
        used: set[str] = set()
        for key, entry in self._list(_SCP).items():
            item = self._recording(key, entry)
            for utterance, where, start, end in segments.pop(key, ()):
                used.add(utterance)
                at = At(segments_path, where, key)
                duration = seconds(self._duration[key].text) if key in self._duration else None
                add_span(
                    self._reading, item, at, seconds(start), seconds(end), duration=duration,
                    source_id=utterance, **self._said(utterance),
                )  # fmt: skip
            if not has_segments:
                used.add(key)
                self._whole(item, key)
            yield from self._reading.batches()
            if self._reading.is_full:
                return
        for recording, lines in segments.items():
            for utterance, where, *_ in lines:
                used.add(utterance)
                text = f"recording {recording} of {utterance} is not in {_SCP}"
                self._reject(segments_path, where, f"recording is not in {_SCP}", text)
        self._strangers(used, "segments" if has_segments else _SCP)

    def _segments(self) -> dict[str, list[tuple[str, str, str, str]]]:
        path = self._place("segments")
        found: dict[str, list[tuple[str, str, str, str]]] = {}
        for utterance, entry in self._list("segments").items():
            cells = entry.text.split()
            if len(cells) < 3:
                text = f"{utterance} has no recording, start and end"
                self._reject(path, entry.where, "segment is incomplete", text)
                self._text.pop(utterance, None)
                self._speaker.pop(utterance, None)
                continue
            found.setdefault(cells[0], []).append((utterance, entry.where, cells[1], cells[2]))
        return found

    def _recording(self, key: str, entry: _Entry) -> int:
        values: Row = {}
        if key in self._duration:
            values["duration"] = seconds(self._duration[key].text)
        text = entry.text
        is_command = text.endswith("|") or text.startswith("|")
        if is_command or (":" in text and ".ark:" in text):
            self.commands += is_command
            values["meta"] = json.dumps({"kaldi": {"wav": text}}, ensure_ascii=False)
            return self._reading.item(key, subset=self._subset, kind="audio", **values)
        if not text:
            self._reading.warn(
                "recording without a path", file=self._path, where=entry.where, record="item",
                item=key, message=f"{self._path}, {entry.where}: {key} has no path",
            )  # fmt: skip
        near = [self._folder] if self._folder else []
        return self._recordings.add(
            key, file=self._path, name=text or key, near=near, subset=self._subset, **values
        )

    def _said(self, utterance: str) -> Row:
        values: Row = {}
        if utterance in self._text:
            values["text"] = self._text[utterance].text
        speaker = self._speaker[utterance].text if utterance in self._speaker else ""
        if speaker and speaker != utterance:
            values["label"] = speaker
        if speaker in self._gender:
            values["attributes"] = json.dumps({"gender": self._gender[speaker].text})
        return values

    def _whole(self, item: int, key: str) -> None:
        said = self._said(key)
        if "text" in said:
            self._reading.annotation(item, type="text", source_id=key, **said)
        elif "label" in said:
            self._reading.annotation(item, type="tag", source_id=key, **said)

    def _strangers(self, used: set[str], known: str) -> None:
        for utterance, entry in self._text.items():
            if utterance not in used:
                text = f"utterance {utterance} is not in {known}"
                self._reject(self._place("text"), entry.where, f"utterance is not in {known}", text)
        lost = [u for u in self._speaker if u not in used]
        if lost:
            self._reading.ledger.note(
                "speakers of unknown utterances", file=self._place("utt2spk"),
                message=f"{len(lost):,} utterances of utt2spk are not in {known}: {lost[0]} ...",
            )  # fmt: skip


# -- writing --------------------------------------------------------------------------


def _media_path(item: Row, key: str, folder: str, *, saves: bool) -> str:
    if saves:
        return f"{folder}{_MEDIA}/{key}"
    own = extra_of(item, "kaldi", "meta").get("wav")
    if isinstance(own, str) and own == " ".join(own.splitlines()):
        return own
    return str(item.get("uri") or item.get("media") or key)


@dataclass
class _Lists:
    """The lists of one directory: id -> the rest of its line."""

    fitting: Fitting
    taken: set[str]
    items: list[tuple[Row, str, Sequence[Row]]] = field(default_factory=list)
    _made: dict[str, dict[str, str]] = field(default_factory=dict)
    _genders: dict[str, list[tuple[Row, Row, Any]]] = field(default_factory=dict)

    def recording(self, item: Row, key: str, path: str) -> None:
        """Add a recording."""
        self._put(_SCP, key, path)
        if item.get("duration") is not None:
            self._put("reco2dur", key, plain_number(item["duration"]))

    def _put(self, name: str, key: str, rest: str) -> None:
        self._made.setdefault(name, {})[key] = rest

    def files(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the lists with their lines, sorted as in the C locale."""
        spans = any(row["type"] == "time_span" for _, _, rows in self.items for row in rows)
        self._made.setdefault(_SCP, {})
        for item, key, rows in self.items:
            if spans:
                for row in sorted(rows, key=lambda r: time_order({"start": 0.0, "end": 0.0, **r})):
                    self._segment(item, key, row)
            else:
                self._said_of_whole(item, key, rows)
        self._put_genders()
        speakers: dict[str, list[str]] = {}
        for utterance, speaker in sorted(self._made.get("utt2spk", {}).items()):
            speakers.setdefault(speaker, []).append(utterance)
        for speaker, some in speakers.items():
            self._put("spk2utt", speaker, " ".join(some))
        for name, lines in self._made.items():
            ordered = sorted(lines, key=lambda k: k.encode())
            yield name, [f"{key} {lines[key]}".rstrip(" ") for key in ordered]

    def _put_genders(self) -> None:
        # A speaker has one gender, so that all utterances have to say the same.
        for speaker, said in self._genders.items():
            found = {gender if isinstance(gender, str) else None for *_, gender in said}
            if len(found) == 1 and found <= {"m", "f"}:
                self._put("spk2gender", speaker, found.pop() or "")
                continue
            for item, row, gender in said:
                if gender is not None:
                    text = f"gender {gender!r} is lost: the utterances of {speaker} differ in it"
                    self.fitting.warn(item, row, "attributes can't be written", text)

    def _segment(self, item: Row, key: str, row: Row) -> None:
        start, end = row.get("start"), row.get("end")
        if row["type"] != "time_span":
            if item.get("duration") is None:
                why = "the length of the recording is not known, and others have segments"
                self.fitting.reject(item, row, f"{row['type']} can't be written", why)
                return
            start, end = 0.0, item["duration"]
            why = "it is on the whole recording, and others have segments"
            self.fitting.warn(item, row, f"{row['type']} written as time span", why)
        assert start is not None
        assert end is not None
        speaker = self._speaker(item, row)
        utterance = self._utterance(row, speaker, key)
        self._put("segments", utterance, f"{key} {plain_number(start)} {plain_number(end)}")
        self._put("utt2spk", utterance, speaker or utterance)
        self._say(item, row, utterance, speaker)

    def _said_of_whole(self, item: Row, key: str, rows: Sequence[Row]) -> None:
        for rank, row in enumerate(rows):
            if rank:
                why = "without segments, a recording is one utterance"
                self.fitting.reject(item, row, f"second {row['type']} of a recording", why)
                continue
            speaker = self._speaker(item, row)
            self._put("utt2spk", key, speaker or key)
            self._say(item, row, key, speaker)

    def _speaker(self, item: Row, row: Row) -> str | None:
        label = row.get("label")
        return one_word(self.fitting, item, row, label, "label") if label else None

    def _say(self, item: Row, row: Row, utterance: str, speaker: str | None) -> None:
        given = json_object(row.get("attributes"))
        said = (item, row, given.pop("gender", None))
        self._genders.setdefault(speaker or utterance, []).append(said)
        if given:
            text = f"attributes {', '.join(sorted(given))} are lost"
            self.fitting.warn(item, row, "attributes can't be written", text)
        if row.get("text") is not None:
            text = one_line(self.fitting, item, row, row["text"], "text")
            self._put("text", utterance, text)

    def _utterance(self, row: Row, speaker: str | None, key: str) -> str:
        given = row.get("source_id") or ""
        if not given or given.split() != [given] or not given.startswith(speaker or ""):
            base = key.replace("/", "-")
            start = round(row.get("start", 0.0) * 100)
            end = round(row.get("end", 0.0) * 100)
            given = f"{base}-{start:07d}-{end:07d}"
            given = f"{speaker}-{given}" if speaker else given
        unique, n = given, 1
        while unique in self.taken:
            n += 1
            unique = f"{given}-{n}"
        self.taken.add(unique)
        return unique
