"""ImageNet as text lists: written and read again, Datumaro's samples, and malformed lists."""

from __future__ import annotations

import json

import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import example, read_back, written
from nbannot.sources import open_source


class TestImagenetTxt(FormatCases):
    """synsets.txt and a list for each subset."""

    format_name = "imagenet-txt"
    compared = ("type", "label")


def read(where, **options):
    """Read with the format; the ledger balances."""
    return read_back(get_format("imagenet-txt"), open_source(where), **options)


def rejected(found):
    """Return (reason, record) of what was rejected."""
    rows = found.ledger.to_arrow().to_pylist()
    return [(r["reason"], r["record"]) for r in rows if r["outcome"] == "rejected"]


def test_the_sample(samples, expected):
    """Datumaro's sample has the items and labels that Datumaro reads."""
    place = samples / "imagenet_txt/datumaro-basic"
    assert detect(open_source(place))[0].format == "imagenet-txt"
    truth = json.loads((expected / "imagenet_txt/datumaro-basic.imagenet_txt.json").read_text())
    found = read(place)
    assert list(found.labels) == truth["labels"]
    wanted = [(i["subset"], f"{i['id']}.jpg", i["annotations"][0]["label"]) for i in truth["items"]]
    assert [(r["subset"], r["key"], r["label"]) for r in found.annotations] == wanted
    assert [r.get("media") for r in found.items] == ["images/1.jpg", "images/2.jpg", None, None]
    assert found.ledger.groups() == [("warning", "image file missing", 2)]


@pytest.mark.parametrize(
    ("case", "label"), [("custom_labels", "alt_label_0"), ("no_labels", "class_4")]
)
def test_lists_without_synsets(samples, case, label):
    """Names may lie in a file of another name, or be missing."""
    place = samples / "imagenet_txt" / f"datumaro-{case}"
    assert detect(open_source(place))[0].format == "imagenet-txt"
    found = read(place)
    assert [(r["key"], r["label"]) for r in found.annotations] == [("1.jpg", label)]
    assert found.ledger.groups() == []


def test_names_instead_of_numbers(samples):
    """Kaggle's lists of names: the second list says the same again, without suffixes."""
    place = samples / "kaggle/datumaro-image_txt"
    found = read(place)
    assert [(r["key"], r["label"]) for r in found.annotations[:5]] == [
        ("1.jpg", "dog"), ("2.jpg", "cat"), ("3.jpg", "dog"), ("4.jpg", "cat"), ("5.jpg", "cat")
    ]  # fmt: skip
    assert len(found.items) == 5
    assert all(r["media"] for r in found.items)


def test_malformed_lines():
    """Quotes, several classes, windows line ends; each line that is wrong is told."""
    text = (
        '\ufeff"a b.jpg" 0 1\r\nimages\\c.jpg 1\r\n\r\nd.jpg 2\r\nd.jpg -1\r\n'
        "e.jpg\r\n../f.jpg 0\r\nc.jpg 1\r\n"
    )
    found = read({"synsets.txt": "cat\ngröße\n".encode(), "val.txt": text.encode()})
    assert [(r["key"], r["label"]) for r in found.annotations] == [
        ("a b.jpg", "cat"), ("a b.jpg", "größe"), ("c.jpg", "größe")
    ]  # fmt: skip
    assert [r["key"] for r in found.items] == ["a b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    assert rejected(found) == [
        ("class is not in synsets.txt", "line 4"),
        ("class is not in synsets.txt", "line 5"),
        ("line without an image", "line 7"),
        ("twice the same class", "line 8"),
    ]


def test_quotes_around_spaces():
    """The suffix stands behind the quotes, as Datumaro writes it, or within them."""
    lines = '"a b".jpg 0\n"c d.jpg" 0\n"e f".png\n'
    found = read({"synsets.txt": b"cat\n", "val.txt": lines.encode()})
    assert [(r["key"], r["label"]) for r in found.annotations] == [
        ("a b.jpg", "cat"), ("c d.jpg", "cat")
    ]  # fmt: skip
    assert [r["key"] for r in found.items] == ["a b.jpg", "c d.jpg", "e f.png"]
    files = written(get_format("imagenet-txt"), example(("tag",)))
    assert '"train/ordner/größe ✓ 1.2".jpg' in files["train.txt"].decode()


def test_descriptions_of_synsets():
    """Lines of synset_words.txt are a WordNet id and a description."""
    words = "n01440764 tench, Tinca tinca\nn01443537 goldfish\n"
    found = read({"synset_words.txt": words.encode(), "train.txt": b"x/1.JPEG 1\n"})
    assert [r["label"] for r in found.annotations] == ["n01443537"]
    assert found.labels["n01440764"].extra == {"description": "tench, Tinca tinca"}


def test_not_this_format():
    """Text of another kind is not recognised, an empty list holds nothing."""
    files = {"synsets.txt": b"a\n", "notes.txt": b"hello there\nthis is text\n"}
    missing = {c.format: c.missing for c in detect(open_source(files))}
    assert missing["imagenet-txt"] == (
        "the lines of notes.txt are not images and numbers of classes"
    )
    assert read({"synsets.txt": b"", "train.txt": b""}).items == []
    with pytest.raises(BrokenFileError, match=r"train\.txt"):
        read({"synsets.txt": b"a\n", "train.txt": b"/x\n" * 30})
