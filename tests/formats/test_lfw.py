"""LFW: the sample, there and back, and what is malformed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, MemorySink, example, read_back, written
from nbannot.formats.generated import datasets
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

LFW = get_format("lfw")
POINTS = [1.0, 2.5, 3, 4, 5, 6, 7, 8, 9, 10]
PEOPLE = {
    ("train", "a/1.jpg"): "Ann_B", ("train", "b/1.jpg"): "Cid",
    ("train", "ordner/größe ✓ 1.2.jpg"): "größe ✓", ("val", "a/1.jpg"): "Ann_B",
}  # fmt: skip


def read(files):
    """Read files (text or bytes) kept in memory."""
    made = {p: t.encode() if isinstance(t, str) else t for p, t in files.items()}
    return read_back(LFW, open_source(made))


def lines(found):
    """Return (outcome, reason, where) of the ledger."""
    table = found.ledger.to_pandas()
    return list(zip(table["outcome"], table["reason"], table["where"], strict=True))


class TestLfw(FormatCases):
    """People and landmarks; an image of somebody is called after them."""

    format_name = "lfw"
    generates = ()
    compared = ("type", "label", "points", "visibility", "attributes")

    @pytest.fixture
    def dataset(self):
        """The example, with people on most images."""
        made = example(())
        for (subset, key), person in PEOPLE.items():
            base = {"item": key, "label": person}
            rows = made.annotations[subset]
            rows.append({**base, "type": "tag"})
            rows.append({**base, "type": "skeleton", "points": POINTS, "visibility": [2] * 5})
        made.annotations["train"][0]["attributes"] = '{"negative_pairs": ["Cid/Cid_0001"]}'
        plain = {"item": "plain.jpg", "type": "skeleton", "label": "face", "points": POINTS}
        made.annotations["train"].append({**plain, "visibility": [2] * 5})
        return made

    def item_key(self, subset, key):
        """The first image of somebody in a subset."""
        person = PEOPLE.get((subset, key))
        return f"{person}/{person}_0001.jpg" if person else key


@settings(max_examples=25, deadline=None)
@given(data=datasets(("tag",)))
def test_made_up_people_come_back(data):
    """The first tag of each image comes back; images are numbered by person."""
    found = read_back(LFW, open_source(written(LFW, data)))
    wanted, keys = [], []
    for subset, items in data.items.items():
        tags, numbers = {}, {}
        for row in data.annotations[subset]:
            tags.setdefault(row["item"], row["label"])
        for item in items:
            key = item["key"]
            if key in tags:
                name = tags[key]
                numbers[name] = numbers.get(name, 0) + 1
                key = f"{name}/{name}_{numbers[name]:04d}.{key.rpartition('.')[2]}"
                wanted.append((subset, key, name))
            keys.append((subset, key))
    assert sorted((r["subset"], r["key"]) for r in found.items) == sorted(keys)
    got = [(r["subset"], r["key"], r["label"]) for r in found.annotations]
    assert sorted(got) == sorted(wanted)


def test_sample(samples, expected):
    """People, pairs and landmarks are those that Datumaro reads."""
    source = open_source(samples / "lfw" / "datumaro-lfw")
    best = detect(source)[0]
    assert (best.format, best.confidence) == ("lfw", 0.95)
    found = read_back(LFW, source)
    truth = json.loads((expected / "lfw" / "datumaro-lfw.lfw.json").read_text())
    assert {(r["subset"], r["key"], r["media"]) for r in found.items} == {
        (i["subset"], i["file"].partition("/images/")[2], i["file"]) for i in truth["items"]
    }
    names = {"label": "tag", "points": "skeleton"}
    wanted = sorted(
        (i["file"].partition("/images/")[2], names[a["type"]], a["label"],
         json.dumps(a.get("attributes", {})), str(a.get("points")))
        for i in truth["items"] for a in i["annotations"]
    )  # fmt: skip
    assert wanted == sorted(
        (r["key"], r["type"], r["label"], r.get("attributes", "{}"), str(r.get("points")))
        for r in found.annotations
    )
    assert found.labels["name1"].skeleton.points[2] == "nose"
    assert found.ledger.groups() == []
    assert found.balance.read == 3 + 3 + 3 + 3  # images, tags, landmarks, pairs


FOLDS = "2\t1\nAnn\t1\t2\nAnn\t1\tCid\t1\nCid\t1\t2\nCid\t2\tAnn\t2\n"


def test_folds_of_pairs():
    """Folds of pairs are kept, and written again as they were."""
    images = [f"lfw/{n}/{n}_000{i}.jpg" for n in ("Ann", "Cid") for i in (1, 2)]
    found = read({"pairs.txt": FOLDS, **dict.fromkeys(images, b"")})
    assert [(r.get("subset"), r["key"]) for r in found.items] == [
        (None, image[4:]) for image in images
    ]
    tags = {r["key"]: r for r in found.annotations}
    assert json.loads(tags["Ann/Ann_0001.jpg"]["attributes"]) == {
        "positive_pairs": ["Ann/Ann_0002"], "negative_pairs": ["Cid/Cid_0001"]
    }  # fmt: skip
    assert json.loads(tags["Cid/Cid_0002.jpg"]["extra"]) == {
        "lfw": {"folds": [[1, "Ann/Ann_0002"]]}
    }
    assert found.ledger.groups() == []
    items = [{"key": r["key"]} for r in found.items]
    rows = [{**{k: v for k, v in r.items() if k not in ("key", "subset")}, "item": r["key"]}
            for r in found.annotations]  # fmt: skip
    files, ledger = write(items, rows)
    assert files["train/annotations/pairs.txt"].decode() == FOLDS
    assert files["train/annotations/people.txt"].decode() == "2\nAnn\t2\nCid\t2\n"
    assert ledger.groups() == []


def test_views_of_the_original():
    """peopleDevTrain.txt and its like say in which subset somebody is."""
    found = read({
        "peopleDevTrain.txt": "1\nAnn\t1\n", "peopleDevTest.txt": "1\nCid\t2\n",
        "pairsDevTest.txt": "1\nCid\t1\t2\n",
        "lfw/Ann/Ann_0001.jpg": b"", "lfw/Cid/Cid_0001.jpg": b"", "lfw/Cid/Cid_0002.jpg": b"",
        "lfw/Eve/Eve_0001.jpg": b"",
    })  # fmt: skip
    assert [(r.get("subset"), r["key"]) for r in found.items] == [
        (None, "Eve/Eve_0001.jpg"), ("test", "Cid/Cid_0001.jpg"), ("test", "Cid/Cid_0002.jpg"),
        ("train", "Ann/Ann_0001.jpg"),
    ]  # fmt: skip
    assert "positive_pairs" in found.annotations[1]["attributes"]


def test_without_images():
    """people.txt tells how many images there are; a count of a billion lists none."""
    found = read(
        {"people.txt": "2\r\nAnn\t2\r\nCid\t1000000000\r\n", "pairs.txt": "1\nAnn\t1\t2\n"}
    )
    assert [r["key"] for r in found.items] == ["Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg"]
    assert found.ledger.groups() == [("note", "not read: images that people.txt counts", 1)]


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("pairs.txt", "1\t2\nAnn\n", ("rejected", "line is not a pair", "line 2")),
        ("pairs.txt", "1\t2\nAnn\t1\tx\n", ("rejected", "line is not a pair", "line 2")),
        ("people.txt", "1\nAnn\tx\n", ("rejected", "line is not a person", "line 2")),
        ("landmarks.txt", "Ann/Ann_0001.jpg\t1\t2\n",
         ("rejected", "line is not landmarks", "line 1")),
        ("landmarks.txt", "Ann/Ann_0001.jpg" + "\tx" * 10,
         ("rejected", "line is not landmarks", "line 1")),
        ("landmarks.txt", 2 * ("Ann/Ann_0001.jpg" + "\t5" * 10 + "\n"),
         ("warning", "image has landmarks already", "line 2")),
    ],
)  # fmt: skip
def test_malformed_lines(path, text, line):
    """One broken line is one line of the ledger; the image stays."""
    found = read({path: text, "Ann/Ann_0001.jpg": b""})
    assert lines(found) == [line]
    assert [r["key"] for r in found.items] == ["Ann/Ann_0001.jpg"]


def test_pairs_of_images_that_are_missing():
    """An image that only a pair names is an item, and told."""
    found = read({"pairs.txt": "1\t1\nAnn\t1\t2\n", "lfw/Ann/Ann_0001.jpg": b""})
    assert [(r["key"], r.get("media")) for r in found.items] == [
        ("Ann/Ann_0001.jpg", "lfw/Ann/Ann_0001.jpg"), ("Ann/Ann_0002.jpg", None)
    ]  # fmt: skip
    assert found.ledger.groups() == [("warning", "image file missing", 1)]


def test_images_of_equal_stem_are_two():
    """A PNG beside a JPEG of the same name is an item of its own."""
    found = read({"pairs.txt": "1\t0\n", "Ann/Ann_0001.jpg": b"", "Ann/Ann_0001.png": b""})
    assert {r["key"] for r in found.items} == {"Ann/Ann_0001.jpg", "Ann/Ann_0001.png"}


def test_foreign_and_empty_files():
    """Other texts of these names are not LFW's."""
    for files in (
        {"pairs.txt": b"a b\n"}, {"pairs.txt": b""}, {"people.txt": b"Ann,Bob\n"},
        {"landmarks.txt": b"1 2 3\n"},
    ):  # fmt: skip
        assert "lfw" not in {c.format for c in detect(open_source(files)) if c.confidence}


def write(items, annotations):
    """Return the files written of one subset, and the ledger."""
    sink, ledger = MemorySink(), Ledger()
    data = Example({"train": items}, {"train": annotations}, (Label("Ann"),))
    LFW.write(data, sink, {}, ledger, Progress())
    return sink.files, ledger


def test_losses_are_told():
    """Second tags, other attributes, pairs of nobody, names that would be read as somebody's."""
    tag = {"item": "x.jpg", "type": "tag", "label": "Ann"}
    pairs = '{"positive_pairs": ["nobody"], "age": 3}'
    rows = [
        {**tag, "attributes": pairs}, {**tag, "label": "Cid"},
        {**tag, "type": "points", "points": POINTS},
        {**tag, "type": "skeleton", "points": POINTS[:6]},
    ]  # fmt: skip
    files, ledger = write([{"key": "x.jpg"}, {"key": "Ann/Ann_0001.jpg"}], rows)
    assert files["train/annotations/people.txt"] == b"1\nAnn\t2\n"
    assert files["train/annotations/landmarks.txt"].startswith(b"Ann/Ann_0002.jpg\t1\t2.5\t3\t")
    assert sorted(ledger.groups()) == [
        ("rejected", "landmarks are not five", 1),
        ("rejected", "more than one person", 1),
        ("warning", "attributes can't be written", 1),
        ("warning", "image renamed", 2),
        ("warning", "pair can't be written", 1),
        ("warning", "points written as landmarks", 1),
    ]
