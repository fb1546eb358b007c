"""Prodigy: the conformance suite, tasks as its documentation has them, and malformed ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import MemorySink, ReadBack, read_back, written
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source

from .text_cases import TextCases, read_written, text_example


class TestProdigy(TextCases):
    """Spans, relations and labels."""

    format_name = "prodigy"


def read(*rows: Any, name: str = "a.jsonl") -> ReadBack:
    text = "\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows)
    return read_back(get_format("prodigy"), open_source({name: text.encode()}))


def again(*rows: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows as they are written after they were read."""
    format = get_format("prodigy")
    data = "\n".join(json.dumps(r) for r in rows).encode()
    back = written(format, read_written(format, {"data.jsonl": data}))
    return [json.loads(line) for line in back["data.jsonl"].decode().splitlines()]


TOKENS = [
    {"text": "First", "start": 0, "end": 5, "id": 0, "ws": True},
    {"text": "look", "start": 6, "end": 10, "id": 1, "ws": True},
    {"text": "at", "start": 11, "end": 13, "id": 2, "ws": True},
    {"text": "MacBook", "start": 14, "end": 21, "id": 3, "ws": False},
]
NER = {
    "text": "First look at MacBook", "meta": {"source": "site"},
    "_input_hash": -2001158135, "_task_hash": 2038497141, "_is_binary": False,
    "tokens": TOKENS, "_view_id": "ner_manual", "answer": "accept",
    "spans": [{"start": 14, "end": 21, "label": "PRODUCT", "token_start": 3, "token_end": 3,
               "score": 0.5, "source": "model", "pattern": 1}],
}  # fmt: skip
RELATIONS = {
    "text": "First look at MacBook", "answer": "accept", "tokens": TOKENS,
    "spans": [
        {"start": 0, "end": 10, "token_start": 0, "token_end": 1, "label": "EVENT"},
        {"start": 14, "end": 21, "token_start": 3, "token_end": 3, "label": "PRODUCT"},
    ],
    "relations": [
        {"head": 1, "child": 3, "label": "ABOUT", "color": "#fff",
         "head_span": {"start": 0, "end": 10, "token_start": 0, "token_end": 1, "label": "EVENT"},
         "child_span": {"start": 14, "end": 21, "token_start": 3, "token_end": 3,
                        "label": "PRODUCT"}},
        {"head": 2, "child": 3, "label": "POBJ",
         "head_span": {"start": 11, "end": 13, "token_start": 2, "token_end": 2, "label": None},
         "child_span": {"start": 14, "end": 21, "token_start": 3, "token_end": 3,
                        "label": "PRODUCT"}},
    ],
}  # fmt: skip
CHOICE = {
    "text": "a", "options": [{"id": "pos", "text": "Good"}, {"id": 2, "text": "Two"}],
    "accept": ["pos", 2], "answer": "accept",
}  # fmt: skip


def test_named_entities() -> None:
    """A span with its score; tokens and hashes in meta, the rest in data; written as it was."""
    found = read(NER)
    row = found.annotations[0]
    assert (row["label"], row["start"], row["end"], row["score"], row["text"]) == (
        "PRODUCT", 14.0, 21.0, 0.5, "MacBook"
    )  # fmt: skip
    item = found.items[0]
    assert item["source_id"] == "2038497141"
    assert json.loads(item["data"]) == {
        "text": "First look at MacBook", "meta": {"source": "site"}, "answer": "accept"
    }  # fmt: skip
    without = {k: v for k, v in NER.items() if k != "spans"}
    assert again(NER, without, {**NER, "spans": []}) == [NER, without, {**NER, "spans": []}]
    assert len(found.ledger) == 0


def test_relations() -> None:
    """Relations are between spans; one from a token without a span is kept."""
    found = read(RELATIONS)
    ends = [json.loads(r["attributes"]) for r in found.annotations if r["type"] == "relation"]
    assert ends == [{"from": "0", "to": "1"}, {"from": "token 2", "to": "1"}]
    assert again(RELATIONS) == [RELATIONS]


def test_labels_and_choices() -> None:
    """A label is a tag, and so is each accepted option; all options are labels."""
    found = read({"text": "a", "label": "SPORT", "answer": "accept"}, CHOICE)
    assert [(r["type"], r["label"]) for r in found.annotations] == [
        ("tag", "SPORT"), ("tag", "pos"), ("tag", "2")
    ]  # fmt: skip
    assert again(CHOICE) == [CHOICE]
    assert again({"text": "a", "label": "SPORT", "answer": "accept"}) == [
        {"text": "a", "label": "SPORT", "answer": "accept"}
    ]


def test_answers_that_are_not_accept() -> None:
    """They are kept, on the item and on what it holds, and noted with their count."""
    rejected = {**NER, "answer": "reject"}
    found = read(NER, rejected, {"text": "x", "answer": "ignore", "spans": []})
    assert [json.loads(r["data"])["answer"] for r in found.items] == ["accept", "reject", "ignore"]
    assert [r.get("attributes") for r in found.annotations] == [None, '{"answer":"reject"}']
    assert [g[1] for g in found.ledger.groups()] == ["answered ignore", "answered reject"]
    assert again(rejected) == [rejected]


def test_tasks_with_something_wrong() -> None:
    """Each is a line of the ledger that says where; the others stay."""
    found = read(
        {"image": "a.jpg", "answer": "accept"},
        {"answer": "accept"},
        {"text": "😀 ab", "spans": [
            {"start": 2, "end": 4, "label": "X"}, {"start": 2, "end": 9, "label": "X"},
            {"start": 1, "end": 1}, {"label": "X"}, {"token_start": 0, "token_end": 0},
        ], "tokens": [{"id": 0, "start": 0, "end": 1}], "relations": [{"head": 1}],
         "accept": [None]},
        "{broken",
    )  # fmt: skip
    assert [(r.get("label"), r["text"]) for r in found.annotations] == [("X", "ab"), (None, "😀")]
    assert found.ledger.groups() == [
        ("rejected", "label can't be read", 1), ("rejected", "line is not JSON", 1),
        ("rejected", "relation can't be read", 1), ("rejected", "span outside the text", 1),
        ("rejected", "span without characters", 1), ("rejected", "span without offsets", 1),
        ("rejected", "task about image", 1), ("rejected", "task without a text", 1),
    ]  # fmt: skip
    line = found.ledger.lines("rejected", "span outside the text")[0]
    assert (line["where"], line["record"]) == ("line 3", "line 3, span 2")


def test_ids_and_labels_of_other_kinds() -> None:
    """A token's id, a span's label or a relation's label that is a list stops nothing."""
    odd = {**RELATIONS, "tokens": [{"id": [], "start": 0, "end": 5}, None]}
    odd["relations"] = [{"head": [1], "child": 0, "label": "X",
                         "head_span": {"start": 0, "end": 10, "label": ["EVENT"]}}]  # fmt: skip
    found = read(odd)
    ends = [json.loads(r["attributes"]) for r in found.annotations if r["type"] == "relation"]
    assert ends == [{"from": "0", "to": "token 0"}]


def test_what_the_writer_makes() -> None:
    """Relations bring tokens; several tags bring options; lost attributes are said."""
    format = get_format("prodigy")
    example = text_example(("text_span", "relation", "tag"))
    example.annotations["train"][0]["attributes"] = '{"a":1}'
    ledger, sink = Ledger(), MemorySink()
    format.write(example, sink, format.check_options({}, writing=True), ledger, Progress())
    assert ledger.groups() == [("warning", "attributes can't be written", 1)]
    first = json.loads(sink.files["train.jsonl"].decode().splitlines()[0])
    relation = first["relations"][0]
    # "a cat and a big dog": cat is token 1, big dog tokens 4 to 5
    assert (relation["head"], relation["child"], relation["label"]) == (1, 5, "chases")
    assert relation["child_span"] == {
        "start": 12, "end": 19, "token_start": 4, "token_end": 5, "label": "big dog"
    }  # fmt: skip
    assert [o["id"] for o in first["options"]] == ["cat", "big dog", "pose"]
    last = json.loads(sink.files["val.jsonl"].decode().splitlines()[0])
    assert last["accept"] == ["cat", "pose"]


def test_not_this_format() -> None:
    """Texts without spans or an answer are not Prodigy's; a cut list is a broken file."""
    rows = b'{"text": "a", "label": [[0, 1, "X"]]}\n'
    found = [c for c in detect(open_source({"a.jsonl": rows})) if c.format == "prodigy"]
    assert (found[0].confidence, found[0].missing) == (0.0, "no texts with spans or an answer")
    with pytest.raises(BrokenFileError, match=r"a\.json"):
        read('[{"text": "a", "spans": []}, {"te', name="a.json")
    assert read("").items == []
