"""ADE20K: lines of text and numbers in blue (2017), JSON and a mask per object (2020)."""

from __future__ import annotations

import json

import pytest

from nbannot.formats import detect, get_format
from nbannot.formats.examples import read_back
from nbannot.sources import open_source

from .mask_files import lexed, lines, masks_of, picture, png, read, told


@pytest.mark.parametrize("year", ["2017", "2020"])
@pytest.mark.parametrize("root", ["", "/dataset", "/dataset_with_meta_file"])
def test_samples_are_found(samples, year, root):
    """Each of the two datasets of a sample, and both at once, are this format's."""
    with open_source(samples / f"ade20k/datumaro-ade20k{year}{root}") as source:
        assert detect(source)[0].format == "ade20k"
    assert get_format("ade20k").writes is False


def test_sample_2017(samples, expected):
    """Masks, labels, attributes and levels are those that Datumaro reads."""
    found = read("ade20k", samples / "ade20k/datumaro-ade20k2017/dataset")
    path = expected / "ade20k/datumaro-ade20k2017__dataset.ade20k2017.json"
    assert masks_of(found) == told(path)
    truth = json.loads(path.read_text())
    wanted = [
        (a["label"], a.get("z_order", 0), a.get("attributes", {}))
        for item in truth["items"] for a in item["annotations"]
    ]  # fmt: skip
    assert [
        (r["label"], r["z_order"], json.loads(r.get("attributes", "{}"))) for r in found.annotations
    ] == wanted
    assert [r["occluded"] for r in found.annotations] == [True, *[False] * 6]
    assert [(i["subset"], i["key"]) for i in found.items] == [
        ("training", "street/1.jpg"), ("validation", "2.jpg"),
    ]  # fmt: skip
    assert lines(found, "reason") == []


def test_sample_2020(samples, expected):
    """One mask per object; Datumaro reads each twice, of two files, and its polygon again."""
    found = read("ade20k", samples / "ade20k/datumaro-ade20k2020/dataset")
    path = expected / "ade20k/datumaro-ade20k2020__dataset.ade20k2020.json"
    assert masks_of(found) == {place: sorted(set(rows)) for place, rows in told(path).items()}
    assert [(r["label"], r["z_order"], r.get("group")) for r in found.annotations[3:]] == [
        ("car", 0, 1), ("person", 0, None), ("door", 1, 1), ("rim", 2, 1),
    ]  # fmt: skip
    assert found.annotations[1]["attributes"] == '{"walkin":true}'
    assert [r.get("occluded") for r in found.annotations[:3]] == [None, False, True]
    assert found.labels["car"].source_id == "401"
    assert lines(found, "reason") == []


def test_sample_2020_polygons(samples, expected):
    """By option, the polygon of the object that has one is read."""
    found = read("ade20k", samples / "ade20k/datumaro-ade20k2020/dataset", use="polygons")
    got = [r["points"] for r in found.annotations if r["type"] == "polygon"]
    path = expected / "ade20k/datumaro-ade20k2020__dataset.ade20k2020.json"
    items = json.loads(path.read_text())["items"]
    wanted = [a["points"] for i in items for a in i["annotations"] if a["type"] == "polygon"]
    assert got == wanted
    assert len(found.annotations) == 7


# -- 2017 -----------------------------------------------------------------------------------


def _old(text, seg, **parts):
    files = {"training/a.jpg": picture(4, 1, "JPEG"), "training/a_atr.txt": text,
             "training/a_seg.png": png(seg)}  # fmt: skip
    return {**files, **{f"training/a_{name}.png": png(data) for name, data in parts.items()}}


def test_ranks_of_blue():
    """In the real files blue is spread: the line's number is its rank; names may be shared."""
    text = (
        b'001 # 0 # 0 # bank, shore # bank # ""\r\n002 # 0 # 0 # bank, house # bank # "old, big"\n'
    )
    found = read("ade20k", _old(text, [[(10, 3, 90), (10, 3, 90), (20, 4, 180), (0, 0, 0)]]))
    assert lexed(found) == [("bank", [[1, 1, 0, 0]]), ("bank, house", [[0, 0, 1, 0]])]
    assert found.annotations[1]["attributes"] == '{"old":true,"big":true}'


def test_malformed_lines():
    """A line that is none, one without pixels, pixels without a line: each is told."""
    text = b'001 # 0 # 0 # cat # cat # ""\nfoo\n003 # 0 # 0 # dog # dog # ""\n\n'
    found = read("ade20k", _old(text, [[(0, 1, 1), (0, 1, 3), (0, 7, 0), (0, 0, 0)]]))
    assert lines(found, "outcome", "reason", "file", "record") == [
        ("rejected", "line is not understood", "training/a_atr.txt", "line 2"),
        ("warning", "pixels without a line", "training/a_seg.png", "level 0 value -7"),
    ]
    assert lexed(found) == [
        ("cat", [[1, 0, 0, 0]]), ("dog", [[0, 1, 0, 0]]), (None, [[0, 0, 1, 0]])
    ]  # fmt: skip
    text += b'001 # 1 # 0 # paw # paw # ""\n004 # 0 # 0 # cow # cow # ""'
    found = read("ade20k", _old(text, [[(0, 1, 1), (0, 1, 3), (0, 0, 0), (0, 0, 0)]]))
    assert [line for line in lines(found, "reason", "record") if "without" in line[0]] == [
        ("object without pixels", "line 6"), ("object without pixels", "line 5"),
    ]  # fmt: skip


def test_a_broken_mask_stops_no_other():
    """A cut _seg.png is a rejected record, and so are its objects."""
    files = _old(b'001 # 0 # 0 # cat # cat # ""', [[(0, 1, 1)] * 4])
    files["training/b.jpg"], files["training/b_atr.txt"] = picture(4, 1), b""
    files["training/a_seg.png"] = files["training/a_seg.png"][:40]
    found = read("ade20k", files)
    assert lines(found, "outcome", "reason") == [
        ("rejected", "the mask can't be read"), ("rejected", "object without pixels"),
    ]  # fmt: skip
    assert [item["key"] for item in found.items] == ["a.jpg", "b.jpg"]


# -- 2020 -----------------------------------------------------------------------------------


def _new(*objects, **more):
    return json.dumps({"annotation": {"imsize": [2, 3, 3], "object": objects, **more}}).encode()


def test_malformed_objects():
    """Each bad object is a line that names it; the good ones stay."""
    square = {"x": [0, 2, 2], "y": [0, 0, 1]}
    good = {"id": 1, "name": "cat", "name_ndx": 4, "polygon": square}
    files = {
        "validation/a.jpg": picture(3, 2, "JPEG"),
        "validation/a.json": _new(
            good, 3, {"id": 2}, {"name": "cat"}, {**good, "instance_mask": "a/no.png"},
            {"name": "cat", "instance_mask": "a/cut.png"},
            {"name": "x", "instance_mask": "a/0.png"},
            {**good, "polygon": {"x": [0, "z", 1], "y": [1, 1, 1]}},
            {**good, "parts": {"ispartof": 1, "part_level": 1}},
        ),
        "validation/a/cut.png": b"\x89PNG\r\n\x1a\n", "validation/a/0.png": png([[0, 0, 0]] * 2),
        "validation/b.jpg": picture(3, 2, "JPEG"), "validation/b.json": b'{"annotation": {"obj',
    }  # fmt: skip
    found = read("ade20k", files)
    assert lines(found, "outcome", "reason", "where", "item") == [
        ("rejected", "object without name", "annotation.object[1]", "a.jpg"),
        ("rejected", "object without name", "annotation.object[2]", "a.jpg"),
        ("rejected", "object without mask or polygon", "annotation.object[3]", "a.jpg"),
        ("rejected", "the mask can't be read", "annotation.object[5]", "a.jpg"),
        ("rejected", "mask is empty", "annotation.object[6]", "a.jpg"),
        ("rejected", "coordinate is not a number", "annotation.object[7]", "a.jpg"),
        ("rejected", "the file can't be read", "", "b.jpg"),
    ]
    # Three have the id 1 of the part's object: the file says no more of which is meant.
    assert [(r["label"], r["type"], r["group"]) for r in found.annotations] == [
        ("cat", "polygon", 2)
    ] * 3  # fmt: skip


def test_a_single_file():
    """One JSON without its image: polygons can be read, and the size is declared."""
    data = _new({"id": 0, "name": "cat", "polygon": {"x": [0, 2, 2], "y": [0, 0, 1]}})
    found = read("ade20k", {"training/ADE_1.json": data})
    assert [(i["key"], i["width"], i["height"]) for i in found.items] == [("ADE_1.jpg", 3, 2)]
    assert found.annotations[0]["points"] == [0, 0, 2, 0, 2, 1]


def test_not_this_format():
    """A list of anything, and JSON of others beside images, are not taken."""
    for files in (
        {"a_atr.txt": b"hello", "a.jpg": picture(2, 2)},
        {"a.json": b'{"annotation": {"size": 3}}', "a.jpg": picture(2, 2)},
        {"a_seg.png": png([[1]]), "a.jpg": picture(1, 1), "b.txt": b"x"},
    ):
        with open_source(files) as source:
            found = next(c for c in detect(source) if c.format == "ade20k")
        assert (found.confidence, bool(found.missing)) == (0, True)


def test_a_preview_is_a_prefix(samples):
    """The first item of the whole read, with all that is on it."""
    folder = samples / "ade20k/datumaro-ade20k2017/dataset"
    whole, some = read("ade20k", folder), read("ade20k", folder, limit=1)
    assert (some.items, some.annotations) == (whole.items[:1], whole.annotations[:3])


def test_what_is_not_kept_is_noted_once(samples):
    """Scene, dates and hypernyms: a note each for the dataset, not for each image."""
    source = open_source(samples / "ade20k/datumaro-ade20k2020")
    lines = read_back(get_format("ade20k"), source).ledger.lines("note", "not kept")
    assert sorted(line["message"].split()[0] for line in lines) == [
        "hypernym", "saved_date", "scene",
    ]  # fmt: skip
