"""Audacity, Raven and CVAT's TSV: the conformance suite, and rows that are not as they should."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import Example, MemorySink, ReadBack, Row
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source

from .audio_cases import AudioCases, Recorded, read, spans_of, told


class TestAudacity(AudioCases):
    """Labels."""

    format_name = "audacity"


class TestAudacityTexts(AudioCases):
    """Transcripts."""

    format_name = "audacity"
    texts = True
    labelled = False
    read_options: ClassVar[dict[str, str]] = {"labels": "text"}


class TestRaven(AudioCases):
    """Labels and texts."""

    format_name = "raven"
    texts = True


class TestCvatTsv(AudioCases):
    """Labels and texts."""

    format_name = "cvat-tsv"
    texts = True


class TestCvatTsvVideo(AudioCases):
    """Labels on videos."""

    format_name = "cvat-tsv"
    kind = "video"
    end = ".mp4"


def table(name: str, files: dict[str, str | bytes], **options: Any) -> ReadBack:
    return read(get_format(name), files, **options)


def rewritten(name: str, found: ReadBack) -> tuple[dict[str, bytes], Ledger]:
    """Return the files that a format writes of what was read, all in one subset."""
    items = [{k: v for k, v in r.items() if k not in ("item", "subset", "media")}
             for r in found.items]  # fmt: skip
    rows: list[Row] = [
        {**{k: v for k, v in r.items() if k not in ("subset", "key")}, "item": r["key"]}
        for r in found.annotations
    ]
    made: Example = Recorded({"default": items}, {"default": rows}, tuple(found.labels.values()))
    sink, ledger = MemorySink(), Ledger()
    get_format(name).write(made, sink, {}, ledger, Progress())
    return sink.files, ledger


# -- Audacity ---------------------------------------------------------------------------

TRACK = (
    "0.500000\t1.250000\tspeech\n\\\t1000.0\t2500.5\n2.000000\t2.000000\tclick\n3.0000\t4.0000\t\n"
)


def test_audacity_rows() -> None:
    """Spans, a point, one without a label, and the frequencies of the first."""
    found = table("audacity", {"val/a.txt": TRACK.replace("\n", "\r\n").encode("utf-16"),
                               "val/a.ogg": b"OggS"})  # fmt: skip
    assert spans_of(found) == [
        (0.5, 1.25, "speech", None), (2.0, 2.0, "click", None), (3.0, 4.0, None, None),
    ]  # fmt: skip
    assert json.loads(found.annotations[0]["attributes"]) == {"low_hz": 1000.0, "high_hz": 2500.5}
    assert [(r["subset"], r["key"], r["media"]) for r in found.items] == [
        ("val", "a.ogg", "val/a.ogg")
    ]
    assert told(found) == []


def test_audacity_is_written_again_as_it_was() -> None:
    """Frequencies too."""
    files, ledger = rewritten("audacity", table("audacity", {"a.txt": TRACK}))
    assert files["a.txt"].decode() == (
        "0.500000\t1.250000\tspeech\n\\\t1000\t2500.5\n2.000000\t2.000000\tclick\n"
        "3.000000\t4.000000\t\n"
    )
    assert ledger.groups() == []


def test_audacity_labels_keep_their_tabs_and_decimal_commas_are_points() -> None:
    """The last field keeps the rest of the line."""
    found = table("audacity", {"a.txt": "0,5\t1,25\ta\tb\n"})
    assert spans_of(found) == [(0.5, 1.25, "a\tb", None)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1.0 2.0 x", "line is not a label"),
        ("x\t2.0\tlabel", "line is not a label"),
        ("3.0\t2.0\tlabel", "end before start"),
    ],
)
def test_audacity_lines_that_are_wrong(line: str, reason: str) -> None:
    """Each is rejected, with its line, and stops nothing."""
    found = table("audacity", {"a.txt": TRACK + line + "\n"})
    assert told(found) == [("rejected", reason, 1)]
    assert found.ledger.lines("rejected", reason)[0]["where"] == "line 5"
    assert len(found.annotations) == 3


def test_frequencies_need_a_label() -> None:
    """Frequencies at the start are of nothing."""
    found = table("audacity", {"a.txt": "\\\t1\t2\n" + TRACK})
    assert told(found) == [("rejected", "frequencies without a label", 1)]


def test_other_text_files_are_noted() -> None:
    """A README beside the label tracks is no label track."""
    found = table("audacity", {"a.txt": TRACK, "readme.txt": "Hello\n"})
    assert [r["key"] for r in found.items] == ["a"]
    assert ("note", "file is no label track", 1) in found.ledger.groups()


@pytest.mark.parametrize(
    "text", ["", "hello\n", "1 2 3\n", "0 0.5 0.5 0.1 0.1\n", "a\tb\tc\n", "cat\n0.5\t1.0\tx\n"]
)
def test_what_is_no_label_track(text: str) -> None:
    """Other text files are not taken for it."""
    found = {c.format: c.confidence for c in detect(open_source({"a.txt": text.encode()}))}
    assert found["audacity"] == 0


# -- Raven ------------------------------------------------------------------------------

RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
    "Species\tQuality\n"
    "1\tWaveform 1\t1\t0.5\t1.25\t1000.5\t8000\tWren\tgood\n"
    "1\tSpectrogram 1\t1\t0.5\t1.25\t1000.5\t8000\tWren\tgood\n"
    "2\tSpectrogram 1\t2\t3\t4\t0\t500\t\t\n"
)


def test_raven_rows() -> None:
    """Two views of one selection are one; frequencies and other columns are attributes."""
    found = table("raven", {"a.Table.1.selections.txt": RAVEN, "a.wav": "RIFF"})
    assert spans_of(found) == [(0.5, 1.25, "Wren", None), (3.0, 4.0, None, None)]
    assert json.loads(found.annotations[0]["attributes"]) == {
        "low_hz": 1000.5, "high_hz": 8000.0, "Quality": "good",
    }  # fmt: skip
    assert [r["source_id"] for r in found.annotations] == ["1", "2"]
    assert [(r["key"], r["media"]) for r in found.items] == [("a.wav", "a.wav")]
    assert told(found) == []
    assert spans_of(table("raven", {"a.txt": RAVEN}, label="Quality"))[0][2] == "good"


def test_raven_is_written_again_as_it_was() -> None:
    """But for the second view."""
    files, ledger = rewritten("raven", table("raven", {"a.txt": RAVEN}))
    lines = RAVEN.splitlines(keepends=True)
    assert files["a.Table.1.selections.txt"].decode() == lines[0] + lines[1] + lines[3]
    assert ledger.groups() == []


def test_raven_begin_file_and_offset() -> None:
    """A table of many files names each, and where in it a selection begins."""
    text = (
        "Selection\tBegin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tCommon Name\t"
        "Confidence\n"
        "1\t100\t103\tone.wav\t10\tWren\t0.75\n"
        "2\t200.5\t201\ttwo.wav\t0.5\tRobin\t0.5\n"
    )
    files = {"results.txt": text, "rec/one.wav": "RIFF", "rec/two.wav": "RIFF"}
    found = table("raven", {**files})
    assert spans_of(found, "rec/one.wav") == [(10.0, 13.0, "Wren", None)]
    assert spans_of(found, "rec/two.wav") == [(0.5, 1.0, "Robin", None)]
    assert [r["score"] for r in found.annotations] == [0.75, 0.5]
    assert told(found) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("3\tS\t1\tx\t4", "time is not a number"),
        ("3\tS\t1\t5\t4", "end before start"),
        ("3\tS\t1", "time is not a number"),
        ("3\tS\t1\t5\t6\t0\t1\ta\tb\tc", "line has too many columns"),
    ],
)
def test_raven_lines_that_are_wrong(line: str, reason: str) -> None:
    """Each is rejected, with its line, and stops nothing."""
    found = table("raven", {"a.txt": RAVEN + line + "\n"})
    assert told(found) == [("rejected", reason, 1)]
    assert found.ledger.lines("rejected", reason)[0]["where"] == "line 5"
    assert len(found.annotations) == 2


# -- CVAT -------------------------------------------------------------------------------

TSV = (
    "id\tfilename\tstart\tstop\tlabel\tsource\tscore\tlang\ttranscript\n"
    "7\tcalls/a.wav\t00:00:00.500\t00:00:01.250\tspeech\tauto\t0.5\ten\tHello, world.\n"
    "8\tcalls/b.wav\t01:00:00.000\t01:00:02.25\tmusic\tmanual\t1\t\t\n"
)


def test_cvat_rows() -> None:
    """Clock times are seconds; other columns are attributes, the transcript is the text."""
    found = table("cvat-tsv", {"train.tsv": TSV, "calls/a.wav": "RIFF", "calls/b.wav": "RIFF"})
    assert spans_of(found) == [
        (0.5, 1.25, "speech", "Hello, world."), (3600.0, 3602.25, "music", None),
    ]  # fmt: skip
    first = found.annotations[0]
    assert (first["source_id"], first["score"]) == ("7", 0.5)
    assert json.loads(first["attributes"]) == {"lang": "en"}
    assert [(r["subset"], r["key"], r["media"]) for r in found.items] == [
        ("train", "calls/a.wav", "calls/a.wav"), ("train", "calls/b.wav", "calls/b.wav"),
    ]  # fmt: skip
    assert told(found) == []


def test_the_example_of_the_documentation() -> None:
    """Only start, stop and label are needed; the recording is the one called as the file."""
    text = (
        "start\tstop\tlabel\ttranscript\n00:00:00.000\t00:00:02.450\tspeech\tHello, world.\n"
        "00:00:03.100\t00:00:04.000\tmusic\n"
    )
    files = {"call.tsv": text.encode(), "call.wav": b"RIFF"}
    assert detect(open_source(files))[0].format == "cvat-tsv"
    found = table("cvat-tsv", {**files})
    assert spans_of(found) == [(0.0, 2.45, "speech", "Hello, world."), (3.1, 4.0, "music", None)]
    assert [r["key"] for r in found.items] == ["call.wav"]


def test_cvat_is_written_again_as_it_was() -> None:
    """Ids, sources and attributes too."""
    files, ledger = rewritten("cvat-tsv", table("cvat-tsv", {"a.tsv": TSV}))
    swapped = TSV.replace("lang\ttranscript", "transcript\tlang")
    swapped = swapped.replace("en\tHello, world.", "Hello, world.\ten")
    assert files["default.tsv"].decode() == swapped.replace("02.25\t", "02.250\t")
    assert ledger.groups() == []


def test_recordings_without_intervals_are_told_of() -> None:
    """They have no row, so that without media nothing is left of them."""
    sink, ledger = MemorySink(), Ledger()
    made = Recorded({"train": [{"key": "a.wav", "kind": "audio"}]}, {})
    get_format("cvat-tsv").write(made, sink, {}, ledger, Progress())
    assert ledger.groups() == [("warning", "recording without intervals", 1)]


@pytest.mark.parametrize(
    ("line", "outcome", "reason"),
    [
        ("9\ta.wav\tsoon\t00:00:01\tx", "rejected", "time is not a number"),
        ("9\ta.wav\t00:00:02\t00:00:01\tx", "rejected", "end before start"),
        ("9\ta.wav\t00:00:02\t00:00:03\t", "warning", "annotation without a label"),
        ("9\ta.wav\t1\t2\tx\tmanual\thigh", "warning", "score is not a number"),
        ("\t".join("9" * 12), "rejected", "line has too many columns"),
    ],
)
def test_cvat_rows_that_are_wrong(line: str, outcome: str, reason: str) -> None:
    """Each is a line of the ledger, and stops nothing."""
    found = table("cvat-tsv", {"a.tsv": TSV + line + "\n"})
    assert told(found) == [(outcome, reason, 1)]
    assert len(found.annotations) == (3 if outcome == "warning" else 2)


@pytest.mark.parametrize(("name", "file"), [("raven", "a.txt"), ("cvat-tsv", "a.tsv")])
@pytest.mark.parametrize("text", ["", "hello\n", "start stop label\n"])
def test_what_is_no_table(name: str, file: str, text: str) -> None:
    """A file without the columns is an error that names it."""
    with pytest.raises(BrokenFileError, match=file):
        table(name, {file: text})


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("audacity", "a.txt", "1.0\t2.0\tWörter\n"),
        ("raven", "a.txt", "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\n1\t1\t2\tWörter\n"),
        ("cvat-tsv", "a.tsv", "start\tstop\tlabel\n1\t2\tWörter\n"),
        ("kinetics", "a.csv", "label,youtube_id,time_start,time_end\nWörter,a,1,2\n"),
        ("rttm", "a.rttm", "SPEAKER a 1 1 1 <NA> <NA> Wörter <NA> <NA>\n"),
    ],
)
def test_encodings_and_line_ends(
    name: str, file: str, text: str, encoding: str, break_: str
) -> None:
    """Any of them is read alike."""
    found = table(name, {file: text.replace("\n", break_).encode(encoding)})
    assert spans_of(found) == [(1.0, 2.0, "Wörter", None)]
    assert told(found) == []
