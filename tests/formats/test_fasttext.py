"""fastText: the conformance suite, real samples, and lines that are not as they should."""

from __future__ import annotations

import json
from pathlib import Path

from nbannot.formats import detect, get_format
from nbannot.formats.examples import MemorySink, Row, read_back, written
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source

from .text_cases import TextCases, read_written, text_example

KEYS = {"train": ("train-1", "train-2", "train-3", "train-4"), "val": ("val-1", "val-2")}


class TestFastText(TextCases):
    """Texts of one line; keys are ranks; a space in a label becomes _."""

    format_name = "fasttext"
    keys = KEYS
    spaces = (" ", "  ", "\t", "")

    def expected(self, row: Row) -> Row | None:
        """A space in a label becomes _."""
        return {**row, "label": row["label"].replace(" ", "_")}

    def test_items_come_back(self, format, dataset, files) -> None:  # type: ignore[no-untyped-def]
        """Every text, letter for letter, but for a line break, which becomes a space."""
        found = read_back(format, open_source(files))
        wanted = {
            (s, row["key"]): json.loads(row["data"])["text"].replace("\n", " ")
            for s, rows in dataset.items.items()
            for row in rows
        }
        back = {(r["subset"], r["key"]): json.loads(r["data"])["text"] for r in found.items}
        assert back == wanted


def test_flair_multi_class(samples: Path) -> None:
    """Seven, four and five lines; several labels each; the last line has no line break."""
    source = open_source(samples / "fasttext/flair-multi_class")
    assert [(c.format, c.confidence) for c in detect(source) if c.confidence] == [
        ("fasttext", 0.95)
    ]
    found = read_back(get_format("fasttext"), source)
    by_subset = [
        (s, [json.loads(r["data"])["text"] for r in found.items if r["subset"] == s])
        for s in ("train", "dev", "test")
    ]
    assert by_subset == [
        ("train", ["tv", "apple tv", "apple", "tv", "apple tv", "guitar", "guitar"]),
        ("dev", ["apple", "tv", "guitar", "apple tv"]),
        ("test", ["guitar", "apple", "tv", "apple tv", "apple tv"]),
    ]
    assert [r["label"] for r in found.annotations if r["key"] == "test-5"] == ["apple", "guitar"]
    assert len(found.annotations) == 9 + 5 + 7
    assert len(found.ledger) == 0


def test_a_sample_is_written_as_it_was(samples: Path) -> None:
    """Read and written, a file is the same, but for the last line break."""
    folder = samples / "fasttext/flair-multi_class"
    given = {p.name: p.read_bytes() for p in folder.iterdir()}
    format = get_format("fasttext")
    back = written(format, read_written(format, given))
    assert back == {name: data + b"\n" for name, data in given.items()}


def test_flair_classification_among_other_files(samples: Path) -> None:
    """Read by name, the fastText files of a mixed folder; the others are noted."""
    source = open_source(samples / "conll/flair-trivial")
    assert detect(source)[0].format == "conll"
    found = read_back(get_format("fasttext"), source)
    lines = sum(
        len(p.read_text().splitlines())
        for p in (samples / "conll/flair-trivial").glob("*classification*/*")
    )
    assert len(found.items) == lines
    assert {r["label"] for r in found.annotations} == {"Berlin", "New_York", "pizza"}


def test_labels_anywhere_and_odd_lines() -> None:
    """Labels at the end, no labels, labels only, a label twice; CRLF, a BOM, another prefix."""
    text = (
        "\ufeff__label__a  two  spaces\r\nin __label__b the middle\r\nno label\r\n\r\n"
        "__label__c\r\n__label__d __label__d x\r\n"
    )
    found = read_back(get_format("fasttext"), open_source({"a.txt": text.encode()}))
    assert [json.loads(r["data"])["text"] for r in found.items] == [
        "two  spaces", "in the middle", "no label", "", "x",
    ]  # fmt: skip
    assert [r["label"] for r in found.annotations] == ["a", "b", "c", "d"]
    assert found.ledger.groups() == [
        ("rejected", "label is given twice", 1), ("warning", "labels without a text", 1)
    ]  # fmt: skip
    line = found.ledger.lines("rejected", "label is given twice")[0]
    assert (line["where"], line["record"]) == ("line 6", "line 6, label 2")
    other = read_back(
        get_format("fasttext"), open_source({"a.txt": b"#x#good a text\n"}), prefix="#x#"
    )
    assert [r["label"] for r in other.annotations] == ["good"]


def test_a_subset_without_labels() -> None:
    """A file called test is read, too; another one without labels is noted."""
    files = {"train.txt": b"__label__a b\n", "test.txt": b"c\n", "notes.txt": b"by hand\n"}
    found = read_back(get_format("fasttext"), open_source(files))
    assert [(r["subset"], r["key"]) for r in found.items] == [
        ("test", "test-1"), ("train", "train-1")
    ]  # fmt: skip
    assert [n["file"] for n in found.ledger.lines("note", "file was not read")] == ["notes.txt"]


def test_what_the_writer_says() -> None:
    """Lost keys, line breaks and types of annotation are lines of the ledger."""
    format = get_format("fasttext")
    example = text_example(("tag", "text_span"))
    ledger = Ledger()
    format.write(example, MemorySink(), format.check_options({}, writing=True), ledger, Progress())
    assert ledger.groups() == [
        ("rejected", "text_span can't be written", 6),
        ("warning", "label is written with _", 1),
        ("warning", "line breaks written as spaces", 1),
        ("note", "no place in fastText", 1),
    ]


def test_not_this_format() -> None:
    """Prose holds no labels; an empty file has no items."""
    best = next(c for c in detect(open_source({"a.txt": b"some text"})) if c.format == "fasttext")
    assert (best.confidence, best.missing) == (0.0, "no lines that begin with __label__")
    found = read_back(get_format("fasttext"), open_source({"a.txt": b""}))
    assert (found.items, found.annotations) == ([], [])
