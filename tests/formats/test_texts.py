"""What formats of text share, and which samples they must leave to others."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbannot.formats import get_format
from nbannot.formats.base import Miss
from nbannot.formats.json_records import (
    json_records,
)
from nbannot.formats.look import Look
from nbannot.formats.texts import (
    Keys,
    decode,
    fit_offsets,
    text_files,
    tokenize,
)
from nbannot.ledger import Ledger
from nbannot.sources import open_source

NAMES = ("brat", "conll", "doccano", "fasttext", "prodigy", "spacy")
OURS = ("conll", "doccano", "fasttext")


@pytest.mark.parametrize("name", NAMES)
def test_samples_of_other_formats_are_left_to_them(samples: Path, name: str) -> None:
    """No format of text claims a sample of pictures, tables, sounds or Label Studio."""
    format = get_format(name)
    claimed = []
    for family in sorted(p for p in samples.iterdir() if p.is_dir()):
        if family.name in OURS or family.name.startswith("_"):
            continue
        for case in sorted(family.iterdir()):
            with open_source(case) as source:
                try:
                    confidence = format.requires(Look(source))
                except Miss:
                    continue
            if confidence > 0.3:
                claimed.append((f"{family.name}/{case.name}", confidence))
    assert claimed == []


def test_subsets_are_in_names_and_folders() -> None:
    """Of names, of folders, of several files; one file and many files have none."""
    files = text_files(["dev/a.txt", "en_ewt-ud-train.conllu", "x/eng.testb", "x/eng.testa"])
    assert [(f.subset, f.base) for f in files] == [
        ("dev", "dev/a"), ("train", "train"), ("testb", "x/testb"), ("testa", "x/testa")
    ]  # fmt: skip
    assert [f.subset for f in text_files(["one.json", "two.json"])] == ["one", "two"]
    assert {f.subset for f in text_files([f"{n}.txt" for n in range(30)])} == {None}
    same = text_files(["a.csv", "a.json"])
    assert [(f.subset, f.base) for f in same] == [(None, "a.csv"), (None, "a.json")]


def test_keys_that_a_writer_need_not_declare() -> None:
    """A rank, or what the record says in any case; a repeated id is told apart."""
    keys = Keys("train", set())
    assert [keys.to_declare("train-1"), keys.to_declare("a"), keys.to_declare("7", "7")] == [
        None, "a", "7"
    ]  # fmt: skip
    assert keys.to_declare("7-2", "7") == "7"


def test_encodings_of_text() -> None:
    """UTF-8 with and without its mark, UTF-16, and Latin-1, which is noted."""
    ledger = Ledger()
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert decode("größe".encode(encoding), "a", ledger) == "größe"
    assert len(ledger) == 0
    assert decode("größe".encode("latin-1"), "a", ledger) == "größe"
    assert ledger.groups() == [("note", "file is not UTF-8", 1)]


def test_offsets_are_found_by_what_is_quoted() -> None:
    """Code points first; then one-character line breaks, UTF-16, a byte order mark."""
    text = "a\r\n😀\r\nword"
    assert fit_offsets(text, 6, 10, "word") == (6, 10, "")
    assert fit_offsets(text, 4, 8, "word")[:2] == (6, 10)
    assert fit_offsets(text, 7, 11, "word")[:2] == (6, 10)
    assert fit_offsets("word", 1, 5, "word", mark=True)[:2] == (0, 4)
    assert fit_offsets("word", 0, 2, "xx") == (
        0, 2, "the text at its offsets is not the text that it quotes"
    )  # fmt: skip


def test_json_lines_with_a_broken_one() -> None:
    """A line that is not JSON is a rejected record, wherever it stands; half surrogates mend."""
    ledger = Ledger()
    data = b'oops\n{"a": "\\ud800"}\n\n[1]\n'
    assert list(json_records(data, "a.jsonl", ledger)) == [
        ({"a": "\ufffd"}, "line 2"), ([1], "line 4")
    ]  # fmt: skip
    assert [g[:2] for g in ledger.groups()] == [
        ("rejected", "line is not JSON"), ("note", "JSON was mended")
    ]  # fmt: skip


def test_words_are_divided_at_spans() -> None:
    """A span within a word divides it."""
    assert [("New-York"[a:b]) for a, b in tokenize("New-York", [5])] == ["New", "-", "Y", "ork"]
