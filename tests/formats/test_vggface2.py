"""VGGFace2: the sample, there and back, and what is malformed."""

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

VGG = get_format("vggface2")
BB, MARKS = "bb_landmark/loose_bb_train.csv", "bb_landmark/loose_landmark_train.csv"
POINTS = [1.0, 2.5, 3, 4, 5, 6, 7, 8, 9, 10]


def read(files):
    """Read files (text or bytes) kept in memory."""
    made = {p: t.encode() if isinstance(t, str) else t for p, t in files.items()}
    return read_back(VGG, open_source(made))


def lines(found):
    """Return (outcome, reason, where) of the ledger."""
    table = found.ledger.to_pandas()
    return list(zip(table["outcome"], table["reason"], table["where"], strict=True))


class TestVggFace2(FormatCases):
    """One face per image, labelled as its folder is."""

    format_name = "vggface2"
    generates = ()
    compared = ("type", "label", "x", "y", "w", "h", "points", "visibility")

    @pytest.fixture
    def dataset(self):
        """Each image with one box, and landmarks for two."""
        made = example(("box",))
        for subset, items in made.items.items():
            rows = []
            for number, item in enumerate(items):
                key = item["key"]
                label = key.partition("/")[0] if "/" in key else "face"
                base = {"item": key, "label": label}
                if key != "empty.jpg":
                    rows.append({**base, "type": "box", "x": 1.25, "y": 2.0, "w": 3.0 + number,
                                 "h": 4.0})  # fmt: skip
                if number:
                    rows.append({**base, "type": "skeleton", "points": POINTS,
                                 "visibility": [2] * 5})  # fmt: skip
            made.annotations[subset] = rows
        return made


@settings(max_examples=25, deadline=None)
@given(data=datasets(("box",)))
def test_made_up_boxes_come_back(data):
    """The first box of each image comes back, in the folder of its label."""
    found = read_back(VGG, open_source(written(VGG, data)))
    boxes = {}
    for subset, rows in data.annotations.items():
        for row in rows:
            boxes.setdefault((subset, row["item"]), row)
    keys = {}
    for subset, items in data.items.items():
        for item in items:
            key, box = item["key"], boxes.get((subset, item["key"]))
            keys[subset, key] = f"{box['label']}/{key}" if box else key
    assert {(r["subset"], r["key"]) for r in found.items} == {
        (subset, key) for (subset, _), key in keys.items()
    }
    wanted = {(s, keys[s, k]): (b["label"], *(b[n] for n in "xywh")) for (s, k), b in boxes.items()}
    assert {
        (r["subset"], r["key"]): (r["label"], *(r[n] for n in "xywh")) for r in found.annotations
    } == wanted


def test_sample(samples, expected):
    """Boxes, landmarks and identities are those that Datumaro reads (it rounds to 0.01)."""
    source = open_source(samples / "vggface2" / "datumaro-vgg_face2")
    best = detect(source)[0]
    assert (best.format, best.confidence) == ("vggface2", 0.95)
    found = read_back(VGG, source)
    truth = json.loads((expected / "vggface2" / "datumaro-vgg_face2.vgg_face2.json").read_text())
    assert list(found.labels) == truth["labels"]
    assert found.labels["n000002"].extra == {"vggface2": "Jay"}
    assert found.labels["n000002"].skeleton.points[2] == "nose"
    assert {(r["subset"], r["key"], r["media"]) for r in found.items} == {
        (i["subset"], f"{i['id']}.jpg", i["file"]) for i in truth["items"]
    }
    wanted = {
        (f"{i['id']}.jpg", a["type"]): (a["label"], a.get("points") or a["bbox_xywh"])
        for i in truth["items"]
        for a in i["annotations"]
    }
    assert len(found.annotations) == len(wanted) == 8
    for row in found.annotations:
        kind = "points" if row["type"] == "skeleton" else "bbox"
        label, numbers = wanted[row["key"], kind]
        assert row["label"] == label
        got = row.get("points") or [row[n] for n in "xywh"]
        assert got == pytest.approx(numbers, abs=0.0051)
    assert found.ledger.groups() == []


def test_the_original_is_quoted():
    """Quoted names, CRLF, a byte order mark, and names of identities in identity_meta.csv."""
    files = {
        BB: '\ufeff"NAME_ID","X","Y","W","H"\r\n"n000002/0001_01",161,140,224,324\r\n',
        MARKS: 'NAME_ID,P1X\r\n"n000002/0001_01",1,2,3,4,5,6,7,8,9,10.5\r\n',
        "identity_meta.csv": 'Class_ID, Name, Sample_Num\nn000002, "A._J._Buckley", 424\n',
        "train/n000002/0001_01.jpg": b"",
    }
    found = read(files)
    box, marks = found.annotations
    assert [box[n] for n in "xywh"] == [161, 140, 224, 324]
    assert marks["points"][-1] == 10.5
    assert (box["label"], box["key"]) == ("n000002", "n000002/0001_01.jpg")
    assert found.labels["n000002"].extra == {"vggface2": "A._J._Buckley"}
    assert found.ledger.groups() == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("n1/2,1,2,3\n", ("rejected", "row is not numbers", "line 3")),
        ("n1/2,1,2,3,x\n", ("rejected", "row is not numbers", "line 3")),
        ("n1/2,1,2,3,nan\n", ("rejected", "row is not numbers", "line 3")),
        ("n1/2,1,2,-3,4\n", ("rejected", "box of negative size", "line 3")),
        ("n1/2,1,2,0,4\n", ("warning", "box without area", "line 3")),
    ],
)
def test_malformed_rows(text, line):
    """One broken row is one line of the ledger; the others are read."""
    head = "NAME_ID,X,Y,W,H\n"
    found = read({BB: f"{head}n1/1,1,2,3,4\n{text}n1/3,1,2,3,4\n"})
    assert lines(found) == [line]
    assert len(found.annotations) == (2 if line[0] == "rejected" else 3)
    assert len(found.items) == 3


def test_images_that_are_missing_or_more():
    """A row without its image is told; an image without a row is an item."""
    found = read({BB: "NAME_ID,X,Y,W,H\nn1/1,1,2,3,4\n", "train/n1/2.png": b""})
    assert [(r["key"], r.get("media")) for r in found.items] == [
        ("n1/1.jpg", None), ("n1/2.png", "train/n1/2.png")
    ]  # fmt: skip
    assert found.ledger.groups() == [("warning", "image file missing", 1)]


def test_foreign_and_empty_files():
    """A table with a header only is empty; other tables are not VGGFace2's."""
    found = read({BB: "NAME_ID,X,Y,W,H\n"})
    assert (found.items, found.annotations) == ([], [])
    for files in ({BB: b"a,b\n"}, {BB: b""}, {"boxes.csv": b"NAME_ID,X,Y,W,H\n"}):
        names = {c.format for c in detect(open_source(files)) if c.confidence}
        assert "vggface2" not in names


def test_losses_are_told():
    """A second box, landmarks that are not five, another label, an image elsewhere."""
    box = {"item": "x.jpg", "type": "box", "label": "n1", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0}
    marks = {"item": "x.jpg", "type": "skeleton", "label": "n2", "points": POINTS,
             "visibility": [2, 2, 1, 2, 2], "x": 1.0, "y": 1.0, "w": 1.0, "h": 1.0}  # fmt: skip
    rows = [box, {**box, "attributes": '{"a": 1}'}, {**marks, "points": POINTS[:4]}, marks]
    data = Example({"train": [{"key": "x.jpg"}]}, {"train": rows}, (Label("n1"), Label("n2")))
    sink, ledger = MemorySink(), Ledger()
    VGG.write(data, sink, {}, ledger, Progress())
    assert sink.files[BB].decode().splitlines()[1:] == ["n1/x,1,2,3,4"]
    assert sink.files[MARKS].decode().splitlines()[1:] == ["n1/x,1,2.5,3,4,5,6,7,8,9,10"]
    assert sorted(ledger.groups()) == [
        ("rejected", "landmarks are not five", 1),
        ("rejected", "more than one box", 1),
        ("warning", "attributes can't be written", 1),
        ("warning", "box of a skeleton can't be written", 1),
        ("warning", "image renamed", 1),
        ("warning", "label can't be written", 2),
        ("warning", "visibility can't be written", 1),
    ]
