"""Praat TextGrid: the conformance suite, real samples, and files that are not as they should."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import Row, read_back
from nbannot.sources import open_source

from .audio_cases import AudioCases, read, spans_of, told


class TestTextGrid(AudioCases):
    """Tiers by label, each span with a text of its own."""

    format_name = "textgrid"
    texts = True


class TestTextGridLabels(AudioCases):
    """The texts of intervals are labels."""

    format_name = "textgrid"
    write_options: ClassVar[dict[str, str]] = {"labels": "text"}
    read_options: ClassVar[dict[str, str]] = {"labels": "text"}


class TestTextGridWithoutText(AudioCases):
    """An interval needs a text, so the label is written as that too."""

    format_name = "textgrid"

    def expected(self, row: Row) -> Row:
        """A point may be without text, an interval not."""
        return row if row["start"] == row["end"] else {**row, "text": row["label"]}


GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 3
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "word"
        xmin = 0
        xmax = 3
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1
            text = "a ""b""
c"
        intervals [2]:
            xmin = 1
            xmax = 2
            text = ""
        intervals [3]:
            xmin = 2
            xmax = 3
            text = "d"
    item [2]:
        class = "TextTier"
        name = "click"
        xmin = 0
        xmax = 3
        points: size = 1
        points [1]:
            number = 1.5
            mark = "k"
"""
ROWS = [(0.0, 1.0, "word", 'a "b"\nc'), (2.0, 3.0, "word", "d"), (1.5, 1.5, "click", "k")]


def grid_of(files: dict[str, str | bytes], **options: Any) -> Any:
    return read(get_format("textgrid"), files, **options)


@pytest.mark.parametrize(
    "data",
    [
        GRID.encode(), GRID.encode("utf-8-sig"), GRID.encode("utf-16"), GRID.encode("latin-1"),
        GRID.replace("\n", "\r\n").encode(),
        b"\xfe\xff" + GRID.encode("utf-16-be"),
    ],
)  # fmt: skip
def test_encodings_and_line_ends(data: bytes) -> None:
    """UTF-8, UTF-16 and Latin-1, with any line ends, are read alike."""
    found = grid_of({"a.TextGrid": data, "a.wav": b"RIFF"})
    assert spans_of(found) == ROWS
    assert found.items[0] == {
        "item": 0, "key": "a.wav", "kind": "audio", "media": "a.wav", "duration": 3.0,
    }  # fmt: skip
    assert told(found) == []
    assert found.ledger.groups() == [("note", "intervals without text are silence", 1)]


def test_texts_as_labels() -> None:
    """With labels="text", the text is the label, and the tier is kept."""
    found = grid_of({"a.TextGrid": GRID}, labels="text")
    assert spans_of(found) == [(a, b, text, None) for a, b, _, text in ROWS]
    assert found.annotations[0]["extra"] == '{"textgrid": {"tier": "word"}}'


# -- samples ----------------------------------------------------------------------------


def test_kylebgorman_samples(samples: Path) -> None:
    """Long and short form agree, and intervals that overlap by 1e-7 s are no problem."""
    folder = samples / "textgrid/kylebgorman-textgrid"
    with open_source(folder) as source:
        assert detect(source)[0].format == "textgrid"
        found = read_back(get_format("textgrid"), source)
    assert told(found) == []
    long, short = spans_of(found, "long_format"), spans_of(found, "short_format")
    assert long == short
    # The file says 104 intervals of phone, none without text.
    assert Counter(label for *_, label, _ in long) == {"phone": 104, "word": 45, "Errors": 3}
    assert long[:2] == [
        (1358.8925, 1361.8925, "phone", "sil"), (1361.8925, 1362.0125, "phone", "R"),
    ]  # fmt: skip
    assert found.items[0]["duration"] == 1422.5525
    overlaps = [a[1] - b[0] for a, b in pairwise(long) if a[2] == b[2] and a[1] > b[0]]
    assert all(gap < 1e-5 for gap in overlaps)


def test_praatio_samples(samples: Path) -> None:
    """Quotes, newlines, equal tier names, -0, UTF-16, and ELAN's spacing."""
    folder = samples / "textgrid/praatio-tests"
    with open_source(folder) as source:
        assert detect(source)[0].format == "textgrid"
        found = read_back(get_format("textgrid"), source)
    assert told(found) == [("warning", "audio file missing", 12)]  # only bobby.wav is there
    assert len(found.items) == 13
    same = [spans_of(found, f"bobby_words_with_newlines{end}") for end in ("", "_longfile")]
    assert [row[:3] for row in same[0]] == [row[:3] for row in same[1]]
    assert same[0][0] == (0.06469123242311078, 0.41156462585, '"word"', '"""BOBBY"""\nNoun')
    mary = spans_of(found, "mary")
    assert mary[0] == (0.3154201182247563, 0.38526757369599995, "phone", "m")
    assert mary[1][3] == "ə"
    assert mary == spans_of(found, "mary_longfile")
    assert mary == spans_of(found, "mary_with_negative_zero")
    assert Counter(label for *_, label, _ in mary) == {"phone": 14, "word": 4, "pitch": 4}
    assert {x[2] for x in spans_of(found, "all_tiers_have_the_same_name")} == {"Mary"}


@pytest.mark.parametrize("folder", ["kylebgorman-textgrid", "praatio-tests"])
def test_every_long_sample_has_the_texts_that_are_in_it(samples: Path, folder: str) -> None:
    """Counted with an expression of its own: texts and marks, but for empty texts."""
    found = read_back(get_format("textgrid"), open_source(samples / "textgrid" / folder))
    counts = Counter(row["key"] for row in found.annotations)
    seen = 0
    for path in sorted((samples / "textgrid" / folder).glob("*.TextGrid")):
        data = path.read_bytes()
        text = data.decode("utf-16" if data[:2] in (b"\xfe\xff", b"\xff\xfe") else "utf-8")
        if "intervals: size" in text:
            seen += 1
            texts = re.findall(r'\b(?:text|mark) ?= ?"', text)
            empty = re.findall(r'\btext ?= ?" *" *\r?\n', text)
            assert counts[path.stem] == len(texts) - len(empty), path.name
    assert seen >= 1


# -- files that are not as they should ----------------------------------------------------


def test_a_binary_file_is_named() -> None:
    """A binary TextGrid is recognised, and what to do is said."""
    files: dict[str, str | bytes] = {"a.TextGrid": b"ooBinaryFile\x08TextGrid" + bytes(40)}
    assert detect(open_source(files))[0].format == "textgrid"
    with pytest.raises(BrokenFileError, match=r"a\.TextGrid.*save it as a text file"):
        grid_of(files)
    found = grid_of({**files, "b.TextGrid": GRID})
    assert spans_of(found) == ROWS
    assert told(found) == [("rejected", "file is not a TextGrid in text form", 1)]


@pytest.mark.parametrize("data", ["", "hello", "<xml/>"])
def test_what_is_no_textgrid(data: str) -> None:
    """A file that is only called so is an error that names it."""
    with pytest.raises(BrokenFileError, match=r"a\.TextGrid"):
        grid_of({"a.TextGrid": data})


def test_a_file_that_ends_early() -> None:
    """Wherever it ends: what comes before is imported, and the rest is one rejected line."""
    for end in range(100, len(GRID) - 3):
        if GRID[end - 1 : end + 1] == '""':
            continue  # half of a doubled quote is a quote: nothing tells
        found = grid_of({"a.TextGrid": GRID[:end]})
        rows = spans_of(found)
        assert rows == ROWS[: len(rows)], end
        assert told(found) == [("rejected", "file ends early", 1)], end


def test_a_size_that_is_a_lie() -> None:
    """A declared size of 10**9 allocates nothing."""
    found = grid_of({"a.TextGrid": GRID.replace("points: size = 1", "points: size = 999999999")})
    assert spans_of(found) == ROWS
    line = found.ledger.lines("rejected", "file ends early")[0]
    assert "999,999,998 of 999,999,999 points of tier 2 of 2 are missing" in line["message"]


@pytest.mark.parametrize(
    ("old", "new", "told_of", "rows"),
    [
        ("xmin = 2\n", "xmin = 0.5\n", ("warning", "intervals of a tier overlap"), 3),
        ("xmin = 2\n", "xmin = 3\n", ("warning", "interval without length"), 3),
        ("xmin = 2\n", "xmin = 3.5\n", ("rejected", "end before start"), 2),
        ("xmin = 2\n", "xmin = nan\n", ("rejected", "time is not a number"), 2),
        ("number = 1.5", "number = 4", ("warning", "reaches beyond the end"), 3),
        ("number = 1.5", "number = -1", ("warning", "starts before the recording"), 3),
    ],
)
def test_times_that_are_wrong(old: str, new: str, told_of: tuple[str, str], rows: int) -> None:
    """Each wrong time is a line of the ledger, and stops nothing."""
    found = grid_of({"a.TextGrid": GRID.replace(old, new)})
    assert told(found) == [(*told_of, 1)]
    assert len(found.annotations) == rows


def test_overlaps_below_the_tolerance_are_none() -> None:
    """Intervals that overlap by 1e-7 s are not worth a word."""
    found = grid_of({"a.TextGrid": GRID.replace("xmin = 2\n", "xmin = 0.9999999\n")})
    assert told(found) == []


def test_what_stands_in_the_way_is_named() -> None:
    """A tier of an unknown class ends the reading, and is named with its line."""
    found = grid_of({"a.TextGrid": GRID.replace("TextTier", "SpeechTier")})
    assert spans_of(found) == ROWS[:2]
    line = found.ledger.lines("rejected", "file ends early")[0]
    number = GRID[: GRID.index("TextTier")].count("\n") + 1
    assert f"unknown class 'SpeechTier', line {number}" in line["message"]
