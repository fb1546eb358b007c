"""brat: the conformance suite, every kind of line, and files that are not as they should."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from nbannot.formats import detect, get_format
from nbannot.formats.examples import MemorySink, ReadBack, Row, read_back, written
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

from .text_cases import TextCases, read_written, text_example


class TestBrat(TextCases):
    """Keys end in .txt; a space in a label becomes _."""

    format_name = "brat"
    compared = ("type", "label", "start", "end", "text", "attributes")

    def expected(self, row: Row) -> Row | None:
        """A space in a label becomes _."""
        return {**row, "label": row["label"].replace(" ", "_")}

    def item_key(self, subset: str, key: str) -> str:
        """The key is the file's name."""
        return f"{key}.txt"

    def same_annotations(self, dataset: Any, found: ReadBack) -> None:
        """JSON is compared as values."""
        for row in found.annotations:
            if "attributes" in row:
                row["attributes"] = json.dumps(json.loads(row["attributes"]))
        super().same_annotations(dataset, found)


TEXT = "Sony bought Nokia and\nEricsson in Köln. 😀 It did not sell BBC and ITV."
ANN = """E1\tMerge:T3 Org1:T1 Org2:T2
T1\tOrg 0 4\tSony
T2\tOrg 12 17\tNokia
T3\tMerge 5 11\tbought
T4\tOrg 22 30\tEricsson
T5\tOrg 58 61;66 69\tBBC ITV
T6\tSell 53 57\tsell
E2\tSell:T6
E3\tReport:T6 Theme:E1
R1\tOwns Arg1:T1 Arg2:T2
R2\tPart Whole:T4 Part:T2\t
A1\tNegation E2
M2\tCertainty E1 L3
A3\tKnown T1
N1\tReference T1 Wikipedia:123\tSony Corporation
#1\tAnnotatorNotes T1\tsure of it
#2\tAnnotatorNotes A9\tlost
*\tAlias T1 T2 T4
"""
CONF = (
    "[entities]\nOrg\n\tCompany\n[relations]\nOwns\tArg1:Org, Arg2:Org\n<OVERLAP>\tArg1:Org\n"
    "[events]\nMerge\tOrg*:Org\n[attributes]\nNegation\tArg:<EVENT>\n"
)
VISUAL = (
    "[labels]\nOrg | Organization\n[drawing]\nSPAN_DEFAULT\tfgColor:black\nOrg\tbgColor:#8FB2FF\n"
)


def read(files: Mapping[str, str | bytes]) -> ReadBack:
    data = {p: t.encode() if isinstance(t, str) else t for p, t in files.items()}
    return read_back(get_format("brat"), open_source(data))


def the(found: ReadBack, source_id: str) -> Row:
    return next(row for row in found.annotations if row.get("source_id") == source_id)


def whole() -> dict[str, str]:
    return {"a.txt": TEXT, "a.ann": ANN, "annotation.conf": CONF, "visual.conf": VISUAL}


def test_every_kind_of_line() -> None:
    """Spans, parts, events (one before its trigger), relations; all lines are accounted for."""
    found = read(whole())
    assert len(found.ledger) == 0
    assert found.balance is not None
    assert found.balance.read == 1 + len(ANN.splitlines())
    spans = {r["source_id"]: (r["label"], r["text"]) for r in found.annotations
             if r["type"] == "text_span"}  # fmt: skip
    assert spans == {
        "T1": ("Org", "Sony"), "T2": ("Org", "Nokia"), "T3": ("Merge", "bought"),
        "T4": ("Org", "Ericsson"), "T5": ("Org", "BBC"), "T5;2": ("Org", "ITV"),
        "T6": ("Sell", "sell"),
    }  # fmt: skip
    assert the(found, "T5")["group"] == the(found, "T5;2")["group"]
    ends = [
        (r["label"], json.loads(r["attributes"])["from"], json.loads(r["attributes"])["to"])
        for r in found.annotations if r["type"] == "relation"
    ]  # fmt: skip
    assert sorted(ends) == [
        ("Alias", "T1", "T2"), ("Alias", "T2", "T4"), ("Org1", "T3", "T1"), ("Org2", "T3", "T2"),
        ("Owns", "T1", "T2"), ("Part", "T4", "T2"), ("Theme", "T6", "E1"),
    ]  # fmt: skip
    assert json.loads(the(found, "T1")["attributes"]) == {"Known": True}
    assert json.loads(the(found, "E1")["attributes"])["Certainty"] == "L3"
    assert json.loads(the(found, "T1")["extra"])["brat"] == {
        "normalizations": [["Reference", "Wikipedia", "123", "Sony Corporation"]],
        "notes": [["AnnotatorNotes", "sure of it"]],
    }
    assert json.loads(the(found, "T6")["extra"])["brat"]["events"] == [
        {"id": "E2", "type": "Sell", "attributes": {"Negation": True}}
    ]
    assert [(n, x.color, x.parent) for n, x in found.labels.items()][:4] == [
        ("Org", "#8fb2ff", None), ("Company", None, "Org"), ("Merge", None, None),
        ("Owns", None, None),
    ]  # fmt: skip


def test_every_kind_of_line_is_written() -> None:
    """Read and written, the files say the same, in another order and with A for M."""
    format = get_format("brat")
    given = {p: t.encode() for p, t in whole().items()}
    back = written(format, read_written(format, given))
    assert back["a.txt"].decode() == TEXT

    def lines(text: str) -> list[str]:
        # without the numbers that are given anew, and the spare tab
        return sorted(
            line.rstrip("\t").partition("\t")[2] if line[0] in "AMN#" else line.rstrip("\t")
            for line in text.splitlines()
        )

    assert lines(back["a.ann"].decode()) == lines(ANN)
    again = read_back(format, open_source(back))
    first = read(whole())
    assert again.labels["Org"].color == first.labels["Org"].color

    def plain(rows: list[Row]) -> list[str]:
        return sorted(
            json.dumps({k: v for k, v in r.items() if k != "extra"}, sort_keys=True) for r in rows
        )

    assert plain(again.annotations) == plain(first.annotations)


@pytest.mark.parametrize(
    ("text", "line", "reason", "span"),
    [
        (b"a\r\nbcd e", b"T1\tX 2 5\tbcd", "offsets count a line break as one character", (3, 6)),
        ("😀 hello".encode(), b"T1\tX 3 8\thello", "offsets count UTF-16 units", (2, 7)),
        (b"\xef\xbb\xbfabc", b"T1\tX 1 4\tabc", "offsets count the byte order mark", (0, 3)),
        (b"abc def", b"T1\tX 0 3\txyz",
         "the text at its offsets is not the text that it quotes", (0, 3)),
    ],
)  # fmt: skip
def test_offsets_that_count_otherwise(
    text: bytes, line: bytes, reason: str, span: tuple[int, int]
) -> None:
    """Offsets that count otherwise are found out by what the span quotes, with a warning."""
    found = read({"d.txt": text, "d.ann": line})
    assert found.ledger.groups() == [("warning", reason, 1)]
    assert (found.annotations[0]["start"], found.annotations[0]["end"]) == span


def test_crlf_files_with_offsets_of_their_own_are_fine() -> None:
    """Offsets that count both characters of a line break are taken as they are."""
    found = read({"d.txt": b"a\r\nbcd", "d.ann": b"T1\tX 3 6\tbcd\r\n"})
    assert len(found.ledger) == 0
    assert found.annotations[0]["text"] == "bcd"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nonsense", "line is not an annotation"),
        ("T1\tOrg\tSony", "span without offsets"),
        ("T1\tOrg 0 99\tSony", "span outside the text"),
        (f"T1\tOrg 0 {'9' * 5000}\tSony", "span without offsets"),
        ("T1\tOrg 2 2\t", "span without characters"),
        ("E1\tMerge:T9 Org:T1", "trigger is missing"),
        ("E1\tMerge", "event can't be read"),
        ("R1\tOwns Arg1:T1", "relation can't be read"),
        ("*\tEquiv T1", "relation can't be read"),
        ("A1\tNegation T9", "target is missing"),
        ("N1\tReference T9 W:1\tx", "target is missing"),
    ],
)
def test_lines_that_can_not_be_read(line: str, reason: str) -> None:
    """Each is one rejected record with its line; the others stay."""
    found = read({"d.txt": "Sony Nokia", "d.ann": f"T2\tOrg 5 10\tNokia\n{line}\n"})
    rejected = found.ledger.lines("rejected", reason)
    assert [(r["file"], r["where"], r["record"]) for r in rejected] == [
        ("d.ann", "line 2", "line 2")
    ]
    assert [r["text"] for r in found.annotations] == ["Nokia"]


def test_ids_twice_and_ends_that_are_missing() -> None:
    """An id twice and a relation to nothing are warnings; an attribute twice is rejected."""
    found = read({
        "d.txt": "Sony Nokia",
        "d.ann": "T1\tOrg 0 4\tSony\nT1\tOrg 5 10\tNokia\nR1\tX Arg1:T1 Arg2:T8\n"
                 "A1\tK T1 a\nA2\tK T1 b\n",
    })  # fmt: skip
    assert found.ledger.groups() == [
        ("rejected", "attribute is given twice", 1),
        ("warning", "end of a relation is missing", 1), ("warning", "id is used twice", 1),
    ]  # fmt: skip
    assert [r["source_id"] for r in found.annotations] == ["T1", "T1#2", "R1"]


def test_files_that_are_alone() -> None:
    """An empty .ann is a text without annotations, as is a text alone; .ann alone is rejected."""
    found = read({
        "train/a.txt": "x", "train/a.ann": "", "dev/b.txt": "y", "dev/c.ann": "T1\tX 0 1\ty\n",
    })  # fmt: skip
    assert [(r["subset"], r["key"]) for r in found.items] == [("dev", "b.txt"), ("train", "a.txt")]
    assert found.ledger.groups() == [
        ("rejected", "its text is missing", 1), ("rejected", "text file is missing", 1)
    ]  # fmt: skip


def test_bionlp_has_two_files() -> None:
    """.a1 holds the entities, .a2 the events on them."""
    found = read({"1.txt": "p53 binds", "1.a1": "T1\tProtein 0 3\tp53\n",
                  "1.a2": "T2\tBinding 4 9\tbinds\nE1\tBinding:T2 Theme:T1\n"})  # fmt: skip
    assert [(r["type"], r["label"]) for r in found.annotations] == [
        ("text_span", "Protein"), ("text_span", "Binding"), ("relation", "Theme"),
    ]  # fmt: skip


def test_what_the_writer_says() -> None:
    """Tags, labels with spaces and keys without .txt are lines of the ledger."""
    format = get_format("brat")
    example = text_example(("text_span", "relation", "tag"))
    example.labels = (*example.labels, Label("red", color="#ff0000"))
    ledger = Ledger()
    sink = MemorySink()
    format.write(example, sink, format.check_options({}, writing=True), ledger, Progress())
    assert ledger.groups() == [
        ("rejected", "tag can't be written", 3), ("warning", "label is written with _", 3),
        ("note", "keys end in .txt", 1),
    ]  # fmt: skip
    assert sink.files["visual.conf"].decode().splitlines()[-1] == "red\tbgColor:#ff0000"
    assert sink.files["train/a/1.ann"].decode() == (
        "T1\tcat 2 5\tcat\nT2\tbig_dog 12 19\tbig dog\nT3\tgröße_✓ 20 21\t😀\n"
        "R1\tchases Arg1:T1 Arg2:T2\n"
    )


def test_not_this_format() -> None:
    """Texts alone, and .ann files of something else, are not brat."""
    files = {"a.ann": b"\x00\x01 something", "a.txt": b"x"}
    best = next(c for c in detect(open_source(files)) if c.format == "brat")
    assert (best.confidence, best.missing) == (
        0.0, "no line of a.ann begins with an id and a tab"
    )  # fmt: skip
    alone = next(c for c in detect(open_source({"a.txt": b"x"})) if c.format == "brat")
    assert alone.confidence == 0.0
