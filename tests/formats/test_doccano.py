"""doccano: the conformance suite, real samples, and rows that are not as they should."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nbannot.errors import BrokenFileError, FormatError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import Example, MemorySink, ReadBack, read_back, written
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

from .text_cases import TextCases, text_example


class TestDoccano(TextCases):
    """All that doccano holds, as relation extraction."""

    format_name = "doccano"

    def container(self, files: Mapping[str, bytes]) -> str | None:
        """The list of labels is the one JSON file that is whole or nothing."""
        return "label_config.json"


class TestDoccanoSequence(TestDoccano):
    """Spans only, with ids that come back."""

    @pytest.fixture
    def dataset(self) -> Example:
        """Texts with spans."""
        return text_example(("text_span",))


def read(files: Mapping[str, str | bytes], **options: Any) -> ReadBack:
    data = {p: t.encode() if isinstance(t, str) else t for p, t in files.items()}
    return read_back(get_format("doccano"), open_source(data), **options)


def shown(found: ReadBack) -> list[tuple[str, list[tuple[Any, ...]]]]:
    """Return each text with its annotations, briefly."""
    out = []
    for item in found.items:
        mine = [r for r in found.annotations if r["key"] == item["key"]]
        rows: list[tuple[Any, ...]] = []
        for row in mine:
            if row["type"] == "text_span":
                rows.append((row["label"], int(row["start"]), int(row["end"])))
            else:
                rows.append((row["type"], row.get("label", row.get("text"))))
        out.append((json.loads(item["data"])["text"], rows))
    return out


# -- samples --------------------------------------------------------------------------

CLASSES = [
    ("Terrible customer service.", [("tag", "negative")]),
    ("Really great transaction.", [("tag", "positive")]),
    ("Great price.", [("tag", "positive")]),
]
WRITTEN = [
    ("Hello!", [("text", "こんにちは！")]),  # noqa: RUF001
    ("Good morning.", [("text", "おはようございます。")]),
    ("See you.", [("text", "さようなら。")]),
]


@pytest.mark.parametrize("name", ["example.csv", "example.json", "example.jsonl"])
def test_classes_and_texts_of_the_samples(samples: Path, name: str) -> None:
    """CSV, JSON and JSON lines of the same rows are read alike."""
    folder = samples / "doccano/doccano-import_examples"
    for case, wanted in (("text_classification", CLASSES), ("sequence_to_sequence", WRITTEN)):
        found = read({name: (folder / case / name).read_bytes()})
        assert shown(found) == wanted
        assert [g for g in found.ledger.groups() if g[0] != "note"] == []
        best = detect(open_source(folder / case / name))[0]
        assert best.format == "doccano"


def test_spans_relations_and_intents_of_the_samples(samples: Path) -> None:
    """The other tasks, with the numbers that stand in the files."""
    folder = samples / "doccano/doccano-import_examples"
    spans = read({"a.jsonl": (folder / "sequence_labeling/example.jsonl").read_bytes()})
    assert shown(spans) == [
        ("EU rejects German call to boycott British lamb.", [("ORG", 0, 2)]),
        ("Peter Blackburn", [("PERSON", 0, 15)]),
        ("President Obama", [("PERSON", 10, 15)]),
    ]
    intents = read({"a.jsonl": (folder / "intent_detection/example.jsonl").read_bytes()})
    assert shown(intents) == [
        ("Find a flight from Memphis to Tacoma",
         [("tag", "flight"), ("City", 0, 26), ("City", 30, 36)]),
        ("I want to know what airports are in Los Angeles",
         [("tag", "airport"), ("City", 36, 47)]),
    ]  # fmt: skip
    relations = read({"a.jsonl": (folder / "relation_extraction/example.jsonl").read_bytes()})
    ends = [(r["label"], json.loads(r["attributes"])) for r in relations.annotations
            if r["type"] == "relation"]  # fmt: skip
    assert ends == [
        ("foundedAt", {"from": "0", "to": "1"}), ("foundedBy", {"from": "0", "to": "2"}),
        ("foundedBy", {"from": "0", "to": "3"}),
    ]  # fmt: skip
    texts = [r["text"] for r in relations.annotations if r["type"] == "text_span"]
    assert texts == ["Google", "September 4, 1998", "Larry Page", "Sergey Brin"]
    for some in (spans, intents, relations):
        assert len(some.ledger) == 0


def test_all_samples_at_once(samples: Path) -> None:
    """The folder of all examples: each file's rows under keys of their own."""
    source = open_source(samples / "doccano/doccano-import_examples")
    assert detect(source)[0].format == "doccano"
    found = read_back(get_format("doccano"), source)
    assert len(found.items) == 3 + 2 + 1 + 3 * 3 + 3 * 3
    assert len({row["key"] for row in found.items}) == len(found.items)
    assert [g for g in found.ledger.groups() if g[0] != "note"] == []


def test_label_types_of_the_samples(samples: Path) -> None:
    """A list of labels declares them; one that stands there twice is noted."""
    source = open_source(samples / "doccano/doccano-label_types")
    best = detect(source)[0]
    assert (best.format, best.confidence) == ("doccano", 0.95)
    found = read_back(get_format("doccano"), source)
    assert found.items == []
    assert [(x.name, x.color, x.hotkey) for x in found.labels.values()] == [
        ("Dog", "#ff0000", "a"), ("Cat", "#ff0000", "c"),
    ]  # fmt: skip
    notes = found.ledger.lines("note", "label is declared twice")
    assert [n["file"] for n in notes] == ["invalid_labels.json", "valid_labels.json"]


# -- rows ---------------------------------------------------------------------------------


def test_what_doccano_itself_tests() -> None:
    """Its own cases: no, one and two labels; no text; columns in another order; overlaps."""
    found = read({
        "a.jsonl": '{"text": "exampleA", "label": ["positive"]}\n'
        '{"text": "exampleB", "label": ["positive", "negative"]}\n'
        '{"text": "exampleC", "label": []}\n{"label": ["x"]}\n{"text": "", "label": ["x"]}\n'
    })  # fmt: skip
    assert shown(found) == [
        ("exampleA", [("tag", "positive")]),
        ("exampleB", [("tag", "positive"), ("tag", "negative")]), ("exampleC", []),
    ]  # fmt: skip
    rejected = found.ledger.lines("rejected", "row without a text")
    assert [r["where"] for r in rejected] == ["line 4", "line 5"]
    table = read({"a.csv": 'label,text\r\nb#c,exampleA\r\n,"two\nlines"\r\nd,\r\n'})
    assert shown(table) == [
        ("exampleA", [("tag", "b"), ("tag", "c")]), ("two\nlines", []),
    ]  # fmt: skip
    assert table.ledger.lines("rejected", "row without a text")[0]["where"] == "line 5"
    twice = read({"a.jsonl": '{"text": "exampleA", "label": [[0, 1, "LOC"], [0, 1, "LOC"], '
                             '[0, 3, "X"]]}'})  # fmt: skip
    assert shown(twice) == [("exampleA", [("LOC", 0, 1), ("LOC", 0, 1), ("X", 0, 3)])]
    assert len(twice.ledger) == 0


def test_json_lines_of_several_lines() -> None:
    """Values over several lines in .jsonl are read, and noted."""
    text = '{\n  "id": 7,\n  "text": "a",\n  "label": ["x"]\n}\n{\n  "id": 8, "text": "b"\n}\n'
    found = read({"all.jsonl": text})
    assert [(r["key"], r["source_id"]) for r in found.items] == [("7", "7"), ("8", "8")]
    assert [g[:2] for g in found.ledger.groups()] == [("note", "file is not JSON lines")]
    with pytest.raises(BrokenFileError, match=r"all.jsonl, line 7"):
        read({"all.jsonl": text[:-8]})


def test_rows_with_something_wrong() -> None:
    """Each is a line of the ledger that says where; the others stay."""
    found = read({
        "a.jsonl": '{"id": 1, "text": "😀 abc", "label": [[2, 5, "X"], [4, 9, "Y"], [1, 1, "Z"], '
        '{"x": 1}]}\nnonsense\n{"id": 1, "text": "abc", "entities": [{"id": 5, "label": "X", '
        '"start_offset": 0, "end_offset": 1}, {"id": 6}], "relations": [{"from_id": 5, "to_id": 6,'
        ' "type": "r"}, {"from_id": 5}], "cats": {"yes": 1.0, "no": 0.0}}\n'
        '{"id": 3, "text": "note", "label": null, "Comments": ["c"], "by": "me"}\n"text"\n'
    })  # fmt: skip
    assert shown(found) == [
        ("😀 abc", [("X", 2, 5)]), ("abc", [("tag", "yes"), ("X", 0, 1)]), ("note", []),
    ]  # fmt: skip
    assert [r["key"] for r in found.items] == ["1", "1-2", "3"]
    assert json.loads(found.items[2]["data"]) == {"text": "note", "Comments": ["c"], "by": "me"}
    assert found.ledger.groups() == [
        ("rejected", "end of a relation is missing", 1), ("rejected", "entity can't be read", 1),
        ("rejected", "label can't be read", 1), ("rejected", "line is not JSON", 1),
        ("rejected", "relation can't be read", 1), ("rejected", "row without a text", 1),
        ("rejected", "span outside the text", 1), ("rejected", "span without characters", 1),
        ("warning", "id is used twice", 1),
    ]  # fmt: skip
    line = found.ledger.lines("rejected", "span outside the text")[0]
    assert (line["where"], line["record"], line["message"]) == (
        "line 1", "line 1, label 2", "line 1: 4 to 9 of 5 characters"
    )  # fmt: skip


def test_entities_with_start_and_end() -> None:
    """Entities as others write them, with start and end, are read alike."""
    row = b'{"text": "Uber", "entities": [{"start": 0, "end": 4, "label": "ORG"}]}'
    assert shown(read({"a.jsonl": row})) == [("Uber", [("ORG", 0, 4)])]
    best = detect(open_source({"a.jsonl": row}))[0]
    assert (best.format, best.confidence) == ("doccano", 0.6)


def test_numbers_past_any_measure() -> None:
    """An offset of 30 digits is outside the text; one of 5,000 is not even JSON here."""
    for digits, reason in ((30, "span outside the text"), (5000, "line is not JSON")):
        row = '{"text": "a", "label": [[0, ' + "9" * digits + ', "X"]]}\n'
        found = read({"a.jsonl": row + '{"text": "b"}\n'})
        assert [g[1] for g in found.ledger.groups()] == [reason]


def test_encodings() -> None:
    """UTF-16, a byte order mark, CRLF."""
    text = '{"text": "größe", "label": [[0, 5, "X"]]}\r\n{"text": "b", "label": []}\r\n'
    for data in (text.encode("utf-16"), text.encode("utf-8-sig"), text.encode()):
        assert shown(read({"a.jsonl": data})) == [("größe", [("X", 0, 5)]), ("b", [])]


def test_the_writer_chooses_the_task() -> None:
    """Spans, relations, classes, texts, intents, and CSV, as doccano takes them."""
    format = get_format("doccano")

    def first(*holds: str, **options: Any) -> dict[str, Any]:
        files = written(format, text_example(holds), **options)
        rows = [json.loads(line) for line in files["train.jsonl"].decode().splitlines()]
        return {k: v for k, v in rows[0].items() if k not in ("id", "text", "key")}

    spans = [[2, 5, "cat"], [12, 19, "big dog"], [20, 21, "größe ✓"]]
    assert first("text_span") == {"label": spans}
    assert first("text_span", "tag") == {"entities": spans, "cats": []}
    assert first("tag") == {"label": []}
    assert first("text") == {"label": []}
    made = first("text_span", "relation")
    assert made["relations"] == [{"id": 3, "from_id": 0, "to_id": 1, "type": "chases"}]
    assert made["entities"][1] == {"id": 1, "label": "big dog", "start_offset": 12,
                                   "end_offset": 19}  # fmt: skip
    table = written(format, text_example(("tag",)), file_format="csv")["val.csv"]
    assert table.decode() == "id,text,label\n30,the cat sat,cat#pose\n31,no annotation at all,\n"


def test_what_the_writer_says() -> None:
    """What a task does not hold, attributes, empty texts, and data in CSV."""
    format = get_format("doccano")
    example = text_example(("text_span", "tag"))
    example.annotations["train"][0]["attributes"] = '{"a":1}'
    example.items["val"].append({"key": "e", "kind": "text", "data": '{"text":""}'})
    example.items["val"].append({"key": "n", "kind": "text", "data": "{}"})
    ledger = Ledger()
    options = format.check_options({"task": "sequence"}, writing=True)
    format.write(example, MemorySink(), options, ledger, Progress())
    assert ledger.groups() == [
        ("rejected", "tag can't be written", 3), ("rejected", "empty text can't be written", 1),
        ("rejected", "item without a text", 1), ("warning", "attributes can't be written", 1),
    ]  # fmt: skip


def test_labels_are_written_with_colours() -> None:
    """The list of labels that doccano imports, and that is read back."""
    example = text_example(("tag",))
    example.labels = (Label("cat", color="#112233", hotkey="c"), *example.labels[1:])
    files = written(get_format("doccano"), example)
    assert json.loads(files["label_config.json"])[0] == {
        "text": "cat", "prefix_key": None, "suffix_key": "c", "background_color": "#112233",
        "text_color": "#ffffff", "task_type": "Category",
    }  # fmt: skip
    found = read_back(get_format("doccano"), open_source(files))
    assert (found.labels["cat"].color, found.labels["cat"].hotkey) == ("#112233", "c")


def test_a_list_of_labels_with_one_that_has_no_name() -> None:
    """It is noted; the others are labels, and none is a text."""
    rows = [{"text": "a", "suffix_key": None, "background_color": "#000000"},
            {"suffix_key": None, "background_color": "#000000"}]  # fmt: skip
    found = read({"labels.json": json.dumps(rows)})
    assert (list(found.labels), found.items) == (["a"], [])
    assert [g[:2] for g in found.ledger.groups()] == [("note", "label without a name")]


def test_not_this_format() -> None:
    """Rows without a text are not doccano's; an empty file has no items."""
    data = {"a.json": b'[{"image": "a.jpg", "label": "x"}]'}
    best = next(c for c in detect(open_source(data)) if c.format == "doccano")
    assert (best.confidence, best.missing) == (
        0.0, "no rows of text with labels, spans or entities"
    )  # fmt: skip
    with pytest.raises(FormatError, match="no column text"):
        read(data)
    with pytest.raises(BrokenFileError, match=r"a\.json"):
        read({"a.json": b'[{"text": "a"'})
    found = read({"a.jsonl": b""})
    assert (found.items, found.annotations) == ([], [])
