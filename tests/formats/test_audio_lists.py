"""CTM, RTTM and Kaldi: the conformance suite, a real sample, and lines that are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from nbannot.formats import detect, get_format
from nbannot.formats.examples import Example, MemorySink, ReadBack, Row, read_back
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source

from .audio_cases import AudioCases, Recorded, read, spans_of, told


class Ids(AudioCases):
    """Formats whose names and labels have no spaces."""

    def item_key(self, subset: str, key: str) -> str:
        """Spaces become underscores."""
        return key.replace(" ", "_")

    def word(self, text: str) -> str:
        """Return a text as it comes back."""
        return "_".join(text.split())


class TestCtm(Ids):
    """Words without labels."""

    format_name = "ctm"
    texts = True
    labelled = False

    def expected(self, row: Row) -> Row:
        """A word has no spaces."""
        return {**row, "text": self.word(row["text"])}


class TestCtmLabels(Ids):
    """Labels as words."""

    format_name = "ctm"
    read_options: ClassVar[dict[str, str]] = {"labels": "label"}

    def expected(self, row: Row) -> Row:
        """A word has no spaces."""
        return {**row, "label": self.word(row["label"])}


class TestRttm(Ids):
    """Speakers are labels."""

    format_name = "rttm"

    def expected(self, row: Row) -> Row:
        """A speaker has no spaces."""
        return {**row, "label": self.word(row["label"])}


class TestRttmTexts(TestRttm):
    """Lines with a text."""

    texts = True

    def expected(self, row: Row) -> Row:
        """Neither speaker nor text have spaces."""
        return {**super().expected(row), "text": self.word(row["text"])}


class TestKaldi(TestRttm):
    """Utterances with transcripts and speakers."""

    format_name = "kaldi"
    texts = True


def lists(name: str, files: dict[str, str | bytes], **options: Any) -> ReadBack:
    return read(get_format(name), files, **options)


# -- CTM --------------------------------------------------------------------------------

CTM = """;; a comment
a 1 0.11 0.36 HELLO 0.92
a A 0.50 0.25 world
b 1 3 0.5 x 1.0 lex extra
"""


def test_ctm_rows() -> None:
    """Start and duration become start and end; channel and more columns are kept."""
    found = lists("ctm", {"train.ctm": CTM.replace("\n", "\r\n").encode("utf-8-sig"),
                          "wav/a.wav": b"RIFF", "wav/b.flac": b"fLaC"})  # fmt: skip
    assert spans_of(found) == [
        (0.11, 0.47, None, "HELLO"), (0.5, 0.75, None, "world"), (3.0, 3.5, None, "x"),
    ]  # fmt: skip
    assert [(r["subset"], r["key"], r["media"]) for r in found.items] == [
        ("train", "a", "wav/a.wav"), ("train", "b", "wav/b.flac"),
    ]  # fmt: skip
    assert found.annotations[0]["score"] == 0.92
    assert found.annotations[1]["extra"] == '{"ctm": {"channel": "A"}}'
    assert told(found) == []
    assert spans_of(lists("ctm", {"x.ctm": CTM}, labels="label"))[0] == (0.11, 0.47, "HELLO", None)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a 1 0.1", "line is not of CTM"),
        ("a 1 x 0.1 word", "time is not a number"),
        ("a 1 0.1 1e999 word", "time is not a number"),
        ("a 1 0.5 -0.2 word", "end before start"),
        ("a 1 * * <ALT_BEGIN>", "alternatives are not read"),
    ],
)
def test_ctm_lines_that_are_wrong(line: str, reason: str) -> None:
    """Each is rejected, with its line, and stops nothing."""
    found = lists("ctm", {"a.ctm": CTM + line + "\n"})
    assert told(found) == [("rejected", reason, 1)]
    assert found.ledger.lines("rejected", reason)[0]["where"] == "line 5"
    assert len(found.annotations) == 3


# -- RTTM -------------------------------------------------------------------------------

RTTM = """SPKR-INFO meet 1 <NA> <NA> <NA> unknown spk1 <NA>
SPEAKER meet 1 6.69 0.43 <NA> <NA> spk1 <NA> <NA>
SPEAKER meet 1 7.55 0.8 <NA> <NA> spk2 0.5
LEXEME meet 2 7.6 0.1 hello lex spk2 0.9 <NA>
NON-SPEECH meet 1 9 1 <NA> noise <NA> <NA>
"""


def test_rttm_rows() -> None:
    """Speakers are labels, a word is a text; the kind of line is kept."""
    found = lists("rttm", {"meet.rttm": RTTM})
    assert spans_of(found) == [
        (6.69, 7.12, "spk1", None), (7.55, 8.35, "spk2", None), (7.6, 7.7, "spk2", "hello"),
        (9.0, 10.0, "NON-SPEECH", None),
    ]  # fmt: skip
    assert [r.get("score") for r in found.annotations] == [None, 0.5, 0.9, None]
    assert found.annotations[2]["extra"] == (
        '{"rttm": {"type": "LEXEME", "channel": "2", "subtype": "lex"}}'
    )
    assert told(found) == [("rejected", "line without times", 1)]
    assert [(r.get("subset"), r["key"]) for r in found.items] == [(None, "meet")]


def test_rttm_is_written_again_as_it_was() -> None:
    """All lines with times come back letter for letter."""
    found = lists("rttm", {"meet.rttm": RTTM})
    made = Example(
        {"default": [{"key": "meet", "kind": "audio"}]},
        {"default": [{**{k: v for k, v in r.items() if k not in ("subset", "key")},
                      "item": "meet"} for r in found.annotations]},
        tuple(found.labels.values()),
    )  # fmt: skip
    sink = MemorySink()
    get_format("rttm").write(made, sink, {}, Ledger(), Progress())
    lines = sink.files["default.rttm"].decode().splitlines()
    wanted = RTTM.splitlines()[1:]
    wanted[1] += " <NA>"
    wanted[3] += " <NA>"
    assert sorted(lines) == sorted([";; recording meet", *wanted])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("SPEAKER meet 1 6.69 0.43", "line is not of RTTM"),
        ("TALKER meet 1 6.69 0.43 <NA> <NA> spk1", "line is not of RTTM"),
        ("SPEAKER meet 1 x 0.43 <NA> <NA> spk1", "time is not a number"),
        ("SPEAKER meet 1 1 -1 <NA> <NA> spk1", "end before start"),
    ],
)
def test_rttm_lines_that_are_wrong(line: str, reason: str) -> None:
    """Each is rejected, with its line, and stops nothing."""
    found = lists("rttm", {"a.rttm": RTTM + line + "\n"})
    assert ("rejected", reason, 1) in told(found)
    assert found.ledger.lines("rejected", reason)[0]["where"] == "line 6"
    assert len(found.annotations) == 4


def test_rttm_per_recording_has_no_subsets() -> None:
    """One file per recording, as diarisation sets have it: the folder is the subset."""
    found = lists("rttm", {f"dev/{n}.rttm": RTTM.replace("meet", n) for n in ("x", "y")})
    assert [(r["subset"], r["key"]) for r in found.items] == [("dev", "x"), ("dev", "y")]


@pytest.mark.parametrize("name", ["ctm", "rttm"])
def test_empty_and_strange_files(name: str) -> None:
    """An empty file has nothing, and one of something else only rejected lines."""
    assert lists(name, {f"a.{name}": ""}).items == []
    found = lists(name, {f"a.{name}": "hello\n{}\n"})
    assert told(found)[0][2] == 2
    assert found.items == []


def test_two_files_about_one_recording_are_noted() -> None:
    """A reference and a guess are put together, and that is said."""
    found = lists("rttm", {"hyp.rttm": RTTM, "ref.rttm": RTTM})
    assert (len(found.items), len(found.annotations)) == (1, 8)
    assert ("note", "several files speak of one item", 1) in found.ledger.groups()


# -- Kaldi ------------------------------------------------------------------------------


def test_kaldi_sample(samples: Path) -> None:
    """38 recordings made by commands, that are not run, with an utterance each."""
    folder = samples / "kaldi/lhotse-mini_librispeech"
    with open_source(folder) as source:
        assert detect(source)[0].format == "kaldi"
        found = read_back(get_format("kaldi"), source)
    assert (len(found.items), len(found.annotations)) == (38, 38)
    assert told(found) == []
    assert found.ledger.groups() == [("note", "commands are not run", 1)]
    for file, values in (
        ("text", {r["key"]: r["text"] for r in found.annotations}),
        ("utt2spk", {r["key"]: r["label"] for r in found.annotations}),
    ):
        lines = (folder / file).read_text().splitlines()
        assert values == dict(line.split(" ", 1) for line in lines)
    ends = {r["key"]: r["end"] for r in found.annotations}
    for line in (folder / "segments").read_text().splitlines():
        _, recording, start, end = line.split()
        assert (start, ends[recording]) == ("0", float(end))
    durations = {r["key"]: r["duration"] for r in found.items}
    assert durations["lbi-1462-170145-0000"] == 15.404999732971191
    assert found.annotations[0]["attributes"] == '{"gender": "m"}'
    assert "media" not in found.items[0]
    assert "sox  -r  16000" in found.items[0]["meta"]


KALDI = {
    "train/wav.scp": "rec1 /data/wav/a.wav\nrec2 sox x.wav -t wav - |\nrec3 raw.ark:42\n",
    "train/text": "utt1 hello world\nutt2 good bye\nghost boo\n",
    "train/segments": "utt1 rec1 0.5 1.25\nutt2 rec1 2 1\nutt3 recX 0 1\nutt4 rec1\n",
    "train/utt2spk": "utt1 anna\nutt2 bo\n",
    "wav/a.wav": "RIFF",
}


def test_kaldi_lines_that_are_wrong() -> None:
    """Each is rejected with its file and line."""
    found = lists("kaldi", {**KALDI})
    assert spans_of(found) == [(0.5, 1.25, "anna", "hello world")]
    assert sorted(told(found)) == [
        ("rejected", "end before start", 1),
        ("rejected", "recording is not in wav.scp", 1),
        ("rejected", "segment is incomplete", 1),
        ("rejected", "utterance is not in segments", 1),
    ]
    line = found.ledger.lines("rejected", "utterance is not in segments")[0]
    assert (line["file"], line["where"]) == ("train/text", "line 3")
    assert [(r["subset"], r["key"], r.get("media")) for r in found.items] == [
        ("train", "rec1", "wav/a.wav"), ("train", "rec2", None), ("train", "rec3", None),
    ]  # fmt: skip


def test_kaldi_without_segments() -> None:
    """The transcript is on the whole recording."""
    files = {"wav.scp": "u1 a.wav\nu2 b.wav\n", "text": "u1 hi there\n", "utt2spk": "u1 u1\nu2 z\n"}
    found = lists("kaldi", {**files})
    rows = [(r["key"], r["type"], r.get("label"), r.get("text")) for r in found.annotations]
    assert rows == [("u1", "text", None, "hi there"), ("u2", "tag", "z", None)]
    assert told(found) == []


def test_kaldi_ids_met_twice() -> None:
    """The first one counts, the second is rejected."""
    found = lists("kaldi", {"wav.scp": "u1 a.wav\nu1 b.wav\n", "text": "u1 x\nu1 y\n"})
    assert [r["text"] for r in found.annotations] == ["x"]
    assert told(found) == [("rejected", "id is used twice", 2)]


def test_kaldi_whole_recordings_are_written_without_segments() -> None:
    """Transcripts of whole recordings need no segments, until others have some."""
    items = [{"key": k, "kind": "audio", "duration": 3.0} for k in ("a.wav", "b.wav")]
    text = {"item": "a.wav", "type": "text", "text": "hi"}
    sink, ledger = MemorySink(), Ledger()
    format = get_format("kaldi")
    format.write(Recorded({"train": items}, {"train": [text]}), sink, {}, ledger, Progress())
    assert sorted(sink.files) == [
        "train/reco2dur", "train/spk2utt", "train/text", "train/utt2spk", "train/wav.scp",
    ]  # fmt: skip
    assert sink.files["train/text"] == b"a.wav hi\n"
    assert ledger.groups() == []
    span = {"item": "b.wav", "type": "time_span", "start": 1.0, "end": 2.0, "label": "x"}
    sink = MemorySink()
    format.write(Recorded({"train": items}, {"train": [text, span]}), sink, {}, ledger, Progress())
    assert sink.files["train/segments"] == (
        b"a.wav-0000000-0000000 a.wav 0 3\nx-b.wav-0000100-0000200 b.wav 1 2\n"
    )
    assert ledger.groups() == [("warning", "text written as time span", 1)]


def test_kaldi_directories_of_equal_name() -> None:
    """a/train and b/train are two subsets, and neither is lost."""
    files = {"a/train/wav.scp": "u1 a.wav\n", "b/train/wav.scp": "u1 b.wav\n"}
    found = lists("kaldi", {**files})
    assert [(r["subset"], r["key"]) for r in found.items] == [("a/train", "u1"), ("b/train", "u1")]
