"""spaCy: the conformance suite for each form, and values that are not as they should."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from nbannot.errors import BrokenFileError, FormatError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import MemorySink, ReadBack, read_back, written
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source

from .text_cases import TextCases, read_written, text_example

KEYS = {"train": ("train-1", "train-2", "train-3", "train-4"), "val": ("val-1", "val-2")}


class TestSpacyTuples(TextCases):
    """Tuples have no keys but their ranks."""

    format_name = "spacy"
    keys = KEYS


class TestSpacyJson(TextCases):
    """The JSON of version 2 has ids."""

    format_name = "spacy"
    write_options = {"layout": "json"}


class TestSpacyDoc(TextCases):
    """Lines as of doc.to_json()."""

    format_name = "spacy"
    keys = KEYS
    write_options = {"layout": "doc"}


def read(value: Any, name: str = "a.json") -> ReadBack:
    text = value if isinstance(value, str) else json.dumps(value)
    return read_back(get_format("spacy"), open_source({name: text.encode()}))


def spans(found: ReadBack) -> list[tuple[str, str, float]]:
    return [
        (r["label"], r["text"], r["start"]) for r in found.annotations if r["type"] == "text_span"
    ]


def again(value: Any) -> Any:
    """Return what is written after `value` was read."""
    format = get_format("spacy")
    back = written(format, read_written(format, {"data.json": json.dumps(value).encode()}))
    name, data = next(iter(back.items()))
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in data.decode().splitlines()]
    return json.loads(data)


TUPLES = [
    ["Uber blew through $1 million", {"entities": [[0, 4, "ORG"]]}],
    ["Android Pay expands 😀 to Canada", {"entities": [[0, 11, "PRODUCT"], [25, 31, "GPE"]]}],
]
OLD = [
    {
        "id": 7,
        "paragraphs": [
            {
                "raw": "Mr. Jones  lives in New York.",
                "sentences": [
                    {"tokens": [
                        {"id": 0, "dep": "compound", "head": 1, "tag": "NNP", "orth": "Mr.",
                         "ner": "O"},
                        {"id": 1, "dep": "nsubj", "head": 1, "tag": "NNP", "orth": "Jones",
                         "ner": "U-PERSON"},
                        {"id": 2, "dep": "ROOT", "head": 0, "tag": "VBZ", "orth": "lives",
                         "ner": "O"},
                        {"id": 3, "dep": "prep", "head": -1, "tag": "IN", "orth": "in",
                         "ner": "O"},
                        {"id": 4, "dep": "compound", "head": 1, "tag": "NNP", "orth": "New",
                         "ner": "B-GPE"},
                        {"id": 5, "dep": "pobj", "head": -2, "tag": "NNP", "orth": "York",
                         "ner": "L-GPE"},
                        {"id": 6, "dep": "punct", "head": -4, "tag": ".", "orth": ".",
                         "ner": "O"},
                    ], "brackets": []},
                ],
                "cats": [{"label": "NEWS", "value": 1.0}, {"label": "FICTION", "value": 0.0}],
            }
        ],
    }
]  # fmt: skip


def test_tuples() -> None:
    """TRAIN_DATA in a list, one per line, and as an annotator's file with its classes."""
    wanted = [("ORG", "Uber", 0.0), ("PRODUCT", "Android Pay", 0.0), ("GPE", "Canada", 25.0)]
    found = read(TUPLES)
    assert spans(found) == wanted
    assert len(found.ledger) == 0
    assert spans(read("\n".join(json.dumps(t) for t in TUPLES), name="a.jsonl")) == wanted
    other = read({"classes": ["ORG", "PRODUCT", "GPE", "DATE"], "annotations": [*TUPLES, None]})
    assert spans(other) == wanted
    assert list(other.labels) == ["ORG", "PRODUCT", "GPE", "DATE"]
    assert len(other.ledger) == 0
    assert again(TUPLES) == TUPLES
    for value in (TUPLES, {"classes": ["ORG"], "annotations": TUPLES}):
        best = detect(open_source({"a.json": json.dumps(value).encode()}))[0]
        assert (best.format, best.confidence) == ("spacy", 0.95)
    lines = "\n".join(json.dumps(t) for t in TUPLES).encode()
    assert detect(open_source({"a.jsonl": lines}))[0].format == "spacy"


def test_json_of_version_2() -> None:
    """BILUO tags placed in the raw text; categories; and the same values written again."""
    found = read(OLD)
    assert spans(found) == [("PERSON", "Jones", 4.0), ("GPE", "New York", 20.0)]
    assert [r["label"] for r in found.annotations if r["type"] == "tag"] == ["NEWS"]
    assert list(found.labels)[:2] == ["NEWS", "FICTION"]
    assert [(r["key"], r["source_id"]) for r in found.items] == [("7", "7")]
    assert len(found.ledger) == 0
    assert detect(open_source({"a.json": json.dumps(OLD).encode()}))[0].format == "spacy"
    back = again(OLD)
    assert back[0]["paragraphs"][0]["sentences"] == OLD[0]["paragraphs"][0]["sentences"]
    assert back[0]["id"] == 7
    assert back[0]["paragraphs"][0]["cats"] == [{"label": "NEWS", "value": 1.0}]


def test_json_without_raw_text_and_with_several_paragraphs() -> None:
    """Words are joined by spaces; paragraphs of one id are told apart."""
    words = {"sentences": [{"tokens": [{"orth": "a", "ner": "O"}, {"orth": "b", "ner": "U-X"}]}]}
    found = read([{"id": "d", "paragraphs": [words, words]}])
    assert [r["key"] for r in found.items] == ["d-1", "d-2"]
    assert spans(found) == [("X", "b", 2.0), ("X", "b", 2.0)]


def test_documents_as_json() -> None:
    """What doc.to_json() gives, with groups of spans that overlap; written as it was."""
    doc = {
        "text": "New York City", "ents": [{"start": 0, "end": 8, "label": "GPE"}],
        "spans": {"sc": [{"start": 0, "end": 13, "label": "CITY"},
                         {"start": 4, "end": 13, "label": "ODD"}]},
        "cats": {"A": 1.0, "B": 0.25},
        "tokens": [{"id": 0, "start": 0, "end": 3}],
    }  # fmt: skip
    found = read(doc)
    assert spans(found) == [
        ("GPE", "New York", 0.0), ("CITY", "New York City", 0.0), ("ODD", "York City", 4.0)
    ]  # fmt: skip
    assert [(r["label"], r.get("score")) for r in found.annotations[3:]] == [
        ("A", None), ("B", 0.25)
    ]  # fmt: skip
    assert again(doc) == [doc]
    cats = {"text": "a", "cats": {"A": 1.0, "B": 0.0}}
    assert [(r["type"], r["label"]) for r in read(cats, name="a.jsonl").annotations] == [
        ("tag", "A")
    ]


def test_overlaps_are_written_as_groups_of_spans() -> None:
    """Entities of spaCy do not overlap; in JSON of version 2 the second is rejected."""
    format = get_format("spacy")
    both = [["a b c", {"entities": [[0, 3, "X"], [2, 5, "Y"]]}]]
    assert again(both) == [
        ["a b c", {"entities": [[0, 3, "X"]], "spans": {"sc": [[2, 5, "Y"]]}}]
    ]  # fmt: skip
    example = read_written(format, {"a.json": json.dumps(both).encode()})
    ledger = Ledger()
    options = format.check_options({"layout": "json"}, writing=True)
    format.write(example, MemorySink(), options, ledger, Progress())
    assert ledger.groups() == [("rejected", "overlapping span can't be written", 1)]


def test_values_with_something_wrong() -> None:
    """Each is a line of the ledger that says where; the others stay."""
    found = read([
        ["😀 ab", {"entities": [[2, 4, "X"], [2, 9, "X"], [1, 1, "X"], ["a"]],
                   "cats": {"A": 1, "B": None}}],
        {"text": "x"}, 7,
        {"id": 1, "paragraphs": [{"raw": "other words", "sentences": [
            {"tokens": [{"orth": "not", "ner": "U-X"}]}]}]},
        {"id": 1, "paragraphs": [{"raw": "a b", "sentences": [
            {"tokens": [{"orth": "a", "ner": "I-X"}, {"orth": "b", "ner": "-"}]}]}]},
    ])  # fmt: skip
    assert spans(found) == [("X", "ab", 2.0), ("X", "not", 0.0), ("X", "a", 0.0)]
    assert [r["key"] for r in found.items] == ["a-1", "1", "1-2"]
    assert found.ledger.groups() == [
        ("rejected", "not a text of spaCy", 2), ("rejected", "category can't be read", 1),
        ("rejected", "entity can't be read", 1),
        ("rejected", "span outside the text", 1), ("rejected", "span without characters", 1),
        ("warning", "entity begins with I-", 1), ("warning", "id is used twice", 1),
        ("warning", "words are not in the raw text", 1),
    ]  # fmt: skip
    line = found.ledger.lines("rejected", "span outside the text")[0]
    assert (line["where"], line["record"]) == ("[0]", "[0], entities[1]")


def test_a_doc_bin_is_named() -> None:
    """The binary form is recognised, is not guessed to be anything else, and says what to do."""
    files = {"train.spacy": zlib.compress(b"\x84 not looked into")}
    best = next(c for c in detect(open_source(files)) if c.format == "spacy")
    assert best.confidence == 0
    assert best.evidence == ("train.spacy is a DocBin of spaCy",)
    assert "doc.to_json()" in best.missing
    with pytest.raises(FormatError, match=r"train\.spacy is a DocBin"):
        read_back(get_format("spacy"), open_source(files))


def test_what_the_writer_says() -> None:
    """Keys, scores of spans and data have no place in tuples."""
    format = get_format("spacy")
    example = text_example(("text_span", "tag", "relation"))
    example.annotations["train"][0]["score"] = 0.5
    ledger = Ledger()
    format.write(example, MemorySink(), format.check_options({}, writing=True), ledger, Progress())
    assert ledger.groups() == [
        ("rejected", "relation can't be written", 1), ("warning", "score can't be written", 1),
        ("note", "no place in spaCy", 1),
    ]  # fmt: skip


def test_not_this_format() -> None:
    """Other JSON is not spaCy's; a cut list is a broken file; an empty one has no items."""
    best = next(c for c in detect(open_source({"a.json": b'[["a", 1]]'})) if c.format == "spacy")
    assert (best.confidence, best.missing) == (
        0.0, "no [text, {entities}], no paragraphs, no text with ents"
    )  # fmt: skip
    with pytest.raises(FormatError, match="holds no texts of spaCy"):
        read([["a", 1]])
    with pytest.raises(BrokenFileError, match=r"a\.json"):
        read(json.dumps(TUPLES)[:-20])
    assert read("[]").items == []
