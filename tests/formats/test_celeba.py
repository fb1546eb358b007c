"""CelebA: samples, both kinds of image, there and back, and what is malformed."""

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

CELEBA = get_format("celeba")
POINTS = [165.0, 184, 244, 176, 196, 249, 194, 271, 266, 260]
BOXES = "1\nimage_id x_1 y_1 width height\n000001.jpg    95  71 226 313\n"


def read(files, **options):
    """Read files (text or bytes) kept in memory."""
    made = {p: t.encode() if isinstance(t, str) else t for p, t in files.items()}
    return read_back(CELEBA, open_source(made), **options)


def lines(found):
    """Return (outcome, reason, where) of the ledger."""
    table = found.ledger.to_pandas()
    return list(zip(table["outcome"], table["reason"], table["where"], strict=True))


class TestCelebA(FormatCases):
    """Identity, attributes, a box and landmarks, in whole pixels."""

    format_name = "celeba"
    generates = ()
    compared = ("type", "label", "x", "y", "w", "h", "points", "visibility")

    @pytest.fixture
    def dataset(self):
        """Faces of known and of unknown people."""
        made = example(("box",))
        for subset, items in made.items.items():
            rows = []
            for number, item in enumerate(items[:-1]):
                label = str(number) if number else "face"
                base = {"item": item["key"], "label": label}
                if number:
                    rows.append({**base, "type": "tag"})
                rows += [
                    {**base, "type": "tag", "label": "Smiling"},
                    {**base, "type": "tag", "label": "größe_✓"},
                    {**base, "type": "box", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0},
                    {**base, "type": "skeleton", "points": POINTS, "visibility": [2] * 5},
                ]
            made.annotations[subset] = rows
        return made

    def item_key(self, subset, key):
        """One folder holds the images of all subsets, so that a name occurs once."""
        return "a/1-2.jpg" if (subset, key) == ("val", "a/1.jpg") else key


@settings(max_examples=25, deadline=None)
@given(data=datasets(("tag",)))
def test_made_up_attributes_come_back(data):
    """Tags are attributes; a name that occurs in both subsets gets another."""
    found = read_back(CELEBA, open_source(written(CELEBA, data)))
    keys, taken = {}, set()
    for subset, items in data.items.items():
        for item in items:
            key = item["key"]
            if key in taken:
                stem, _, end = key.rpartition(".")
                key = f"{stem}-2.{end}"
            taken.add(key)
            keys[subset, item["key"]] = (subset, key)
    assert {(r["subset"], r["key"]) for r in found.items} == set(keys.values())
    wanted = [
        (*keys[subset, row["item"]], row["label"].replace(" ", "_"))
        for subset, rows in data.annotations.items()
        for row in rows
    ]
    got = [(r["subset"], r["key"], r["label"]) for r in found.annotations]
    assert sorted(got) == sorted(wanted)


def kinds(rows):
    """Return (key, type, label, numbers) of what Datumaro has, as it is read here."""
    return sorted(
        (r["key"], r["type"], r["label"], r.get("points") or [r.get(n) for n in "xywh"])
        for r in rows
    )


@pytest.mark.parametrize("kind", ["celeba", "align_celeba"])
def test_samples(samples, expected, kind):
    """Identities, attributes, boxes and landmarks are those that Datumaro reads.

    It calls identity 12 ``class-12``, and keeps attributes with the image: those that are true
    are tags here.
    """
    source = open_source(samples / "celeba" / f"datumaro-{kind}" / "dataset")
    best = detect(source)[0]
    assert (best.format, best.confidence) == ("celeba", 0.95)
    found = read_back(CELEBA, source)
    truth = json.loads((expected / "celeba" / f"datumaro-{kind}__dataset.{kind}.json").read_text())
    assert {(r["subset"], r["key"], r["media"]) for r in found.items} == {
        (i["subset"], f"{i['id']}.jpg", i["file"]) for i in truth["items"]
    }
    names = {"label": "tag", "points": "skeleton", "bbox": "box"}
    wanted = []
    for item in truth["items"]:
        base = {"key": f"{item['id']}.jpg"}
        wanted += [
            {**base, "type": "tag", "label": name}
            for name, value in item["attributes"].items() if value
        ]  # fmt: skip
        for row in item["annotations"]:
            box = dict(zip("xywh", row.get("bbox_xywh", ()), strict=False))
            wanted.append({**base, **box, "type": names[row["type"]], "points": row.get("points"),
                           "label": row["label"].removeprefix("class-")})  # fmt: skip
    assert kinds(found.annotations) == kinds(wanted)
    assert found.ledger.groups() == []
    own = [json.loads(r.get("meta", "{}")).get("celeba", {}) for r in found.items]
    assert [bool(m.get("attributes")) for m in own] == [True, False, True, False, False]
    assert all(bool(m.get("aligned")) == (kind == "align_celeba") for m in own)


@pytest.mark.parametrize("kind", ["celeba", "align_celeba"])
def test_names_of_identities(samples, kind):
    """dataset_meta.json names the identities."""
    source = open_source(samples / "celeba" / f"datumaro-{kind}" / "dataset_with_meta_file")
    assert detect(source)[0].format == "celeba"
    found = read_back(CELEBA, source)
    assert [(r["key"][:6], r["label"]) for r in found.annotations] == [
        ("000001", "class-1"), ("000002", "class-3"), ("000003", "class-0"),
        ("000004", "class-2"), ("000005", "class-6"),
    ]  # fmt: skip
    assert len(found.labels) == 7


def test_csv_of_kaggle():
    """Kaggle's tables have commas, and one header."""
    found = read({
        "list_attr_celeba.csv": "image_id,Bald,Young\r\n000001.jpg,-1,1\r\n",
        "list_bbox_celeba.csv": "image_id,x_1,y_1,width,height\n000001.jpg,95,71,226,313\n",
        "list_eval_partition.csv": "image_id,partition\n000001.jpg,1\n",
    })  # fmt: skip
    tag, box = found.annotations
    assert tag["label"] == "Young"
    assert [box[n] for n in "xywh"] == [95, 71, 226, 313]
    assert box["label"] == "face"
    assert [(r["subset"], r["key"]) for r in found.items] == [("val", "000001.jpg")]
    assert found.ledger.groups() == []
    assert found.balance.read == 3


def test_only_what_speaks_of_the_images_is_read():
    """With aligned images, boxes of the original ones are left out, and it is noted."""
    head = "1\nlefteye_x lefteye_y\n000001.jpg "
    files = {
        "Anno/list_bbox_celeba.txt": BOXES,
        "Anno/list_landmarks_celeba.txt": head + "1 2 3 4 5 6 7 8 9 10\n",
        "Anno/list_landmarks_align_celeba.txt": head + "11 12 13 14 15 16 17 18 19 20\n",
        "Img/img_align_celeba/000001.jpg": b"",
    }
    found = read(files)
    assert [r["points"][0] for r in found.annotations] == [11]
    assert found.ledger.groups() == [("note", "not read: of other images", 2)]
    found = read(files, images="original")
    assert [r["type"] for r in found.annotations] == ["skeleton", "box"]
    assert found.annotations[0]["points"][0] == 1
    assert found.items[0].get("media") is None


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("list_bbox_celeba.txt", "b.jpg 1 2 3\n", ("rejected", "row is not numbers", "line 4")),
        ("list_bbox_celeba.txt", "b.jpg 1 2 3 x\n", ("rejected", "row is not numbers", "line 4")),
        ("list_bbox_celeba.txt", "b.jpg 1 2 -3 4\n",
         ("rejected", "box of negative size", "line 4")),
        ("list_bbox_celeba.txt", "b.jpg 1 2 0 4\n", ("warning", "box without area", "line 4")),
        ("list_bbox_celeba.txt", "000001.jpg 1 2 3 4\n",
         ("rejected", "image is listed twice", "line 4")),
        ("list_bbox_celeba.txt", "what is this\n",
         ("rejected", "line is not of a table", "line 4")),
    ],
)  # fmt: skip
def test_malformed_boxes(path, text, line):
    """One broken line is one line of the ledger; the others are read."""
    found = read({path: BOXES[2:].replace("image_id", "2\nimage_id") + text + "c.jpg 1 2 3 4\n"})
    assert [entry for entry in lines(found) if entry[0] != "note"] == [line]
    assert len(found.annotations) == (2 if line[0] == "rejected" else 3)


def test_other_malformed_values():
    """Attributes, identities and partitions that are none; a count that is wrong."""
    found = read({
        "list_attr_celeba.txt": "9\nBald Young\na.jpg 1 2\nb.jpg 1\nc.jpg 1 1\n",
        "identity_CelebA.txt": "a.jpg x\nb.jpg 7\n",
        "list_eval_partition.txt": "a.jpg 3\nb.jpg 0\n",
    })  # fmt: skip
    assert sorted(lines(found)) == [
        ("note", "count is not the number of rows", ""),
        ("rejected", "attribute is not 1 or -1", "line 3"),
        ("rejected", "identity is not a number", "line 1"),
        ("rejected", "partition is not 0, 1 or 2", "line 1"),
        ("rejected", "row of another length", "line 4"),
    ]
    assert [(r["key"], r["label"]) for r in found.annotations] == [
        ("a.jpg", "Bald"), ("b.jpg", "7"), ("c.jpg", "Bald"), ("c.jpg", "Young")
    ]  # fmt: skip
    assert [(r.get("subset"), r["key"]) for r in found.items] == [
        (None, "a.jpg"), ("train", "b.jpg"), (None, "c.jpg")
    ]  # fmt: skip


def test_images_that_are_missing_or_more():
    """A row without its image is told; an image of no table is an item; suffixes may differ."""
    files = {
        "list_eval_partition.txt": "a.jpg 0\nb.jpg 2\n",
        "img_align_celeba_png/a.png": b"", "img_align_celeba_png/c.png": b"",
    }  # fmt: skip
    found = read(files)
    assert [(r["key"], r.get("media")) for r in found.items] == [
        ("a.jpg", "img_align_celeba_png/a.png"), ("b.jpg", None),
        ("c.png", "img_align_celeba_png/c.png"),
    ]  # fmt: skip
    assert found.ledger.groups() == [("warning", "image file missing", 1)]


def test_foreign_and_empty_files():
    """Empty tables are an empty dataset; other texts are not CelebA's."""
    found = read({"list_eval_partition.txt": "\n"})
    assert (found.items, found.annotations) == ([], [])
    for files in ({"list_attr_celeba.txt": b"1 2 3\n"}, {"attributes.txt": b"a.jpg 1\n"}):
        assert "celeba" not in {c.format for c in detect(open_source(files)) if c.confidence}


def write(rows, subset="train", meta=None, labels=("cat",), **options):
    """Return the files written of one image, and the ledger."""
    items = [{"key": "a.jpg", **({"meta": json.dumps({"celeba": meta})} if meta else {})}]
    data = Example({subset: items}, {subset: rows}, tuple(map(Label, labels)))
    sink, ledger = MemorySink(), Ledger()
    CELEBA.write(data, sink, {"images": "auto", **options}, ledger, Progress())
    return {p: t.decode() for p, t in sink.files.items()}, ledger


BOX = {"item": "a.jpg", "type": "box", "label": "face", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0}


def test_losses_are_told():
    """A second face, decimals, other subsets, names with spaces."""
    rows = [
        {**BOX, "x": 1.4}, BOX, {**BOX, "type": "polyline", "points": [1.0, 2, 3, 4]},
        {"item": "a.jpg", "type": "tag", "label": "big nose"},
        {"item": "a.jpg", "type": "tag", "label": "3"},
        {"item": "a.jpg", "type": "tag", "label": "4"},
    ]  # fmt: skip
    files, ledger = write(rows, "mine")
    assert files == {
        "Anno/identity_CelebA.txt": "a.jpg 3\n",
        "Anno/list_attr_celeba.txt": "1\nbig_nose\na.jpg 1\n",
        "Anno/list_bbox_celeba.txt": "1\nimage_id x_1 y_1 width height\na.jpg 1 2 3 4\n",
    }
    assert sorted(ledger.groups()) == [
        ("note", "attribute renamed", 1),
        ("note", "subset can't be written", 1),
        ("rejected", "more than one box", 1),
        ("rejected", "more than one identity", 1),
        ("rejected", "polyline can't be written", 1),
        ("warning", "coordinates rounded to whole pixels", 1),
        ("warning", "label can't be written", 2),
    ]


def test_aligned_images_stay_aligned():
    """Landmarks of aligned images are written as such; there is no table for their boxes."""
    marks = {**BOX, "type": "skeleton", "points": POINTS}
    files, ledger = write([{k: v for k, v in marks.items() if k not in "xywh"}, BOX],
                          meta={"aligned": True, "attributes": True})  # fmt: skip
    assert "Anno/list_landmarks_align_celeba.txt" in files
    assert ledger.groups() == [("rejected", "box of an aligned image", 1)]


def test_attributes_that_nobody_has_stay():
    """A column of -1 comes back as one, and an image without a row has none again."""
    text = "2\nBald Young\na.jpg -1 -1\nb.jpg -1 1\n"
    found = read({"list_attr_celeba.txt": text, "identity_CelebA.txt": "c.jpg 5\n"})
    items = [{k: r[k] for k in ("key", "meta") if k in r} for r in found.items]
    rows = [{"item": r["key"], "type": "tag", "label": r["label"]} for r in found.annotations]
    data = Example({"default": items}, {"default": rows}, tuple(found.labels.values()))
    sink, ledger = MemorySink(), Ledger()
    CELEBA.write(data, sink, {"images": "auto"}, ledger, Progress())
    assert sink.files["Anno/list_attr_celeba.txt"].decode() == text
    assert sink.files["Anno/identity_CelebA.txt"] == b"c.jpg 5\n"
    assert ledger.groups() == []


def test_labels_of_boxes_become_identities():
    """Labels that are no numbers are numbered, and named in dataset_meta.json."""
    files, ledger = write([{**BOX, "label": "cat"}])
    assert files["Anno/identity_CelebA.txt"] == "a.jpg 0\n"
    assert json.loads(files["dataset_meta.json"]) == {"labels": ["cat"]}
    assert ledger.groups() == []
    assert {r["label"] for r in read(files).annotations} == {"cat"}
