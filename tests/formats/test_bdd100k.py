"""BDD100K: boxes, lanes, areas, frames of videos, what is malformed."""

from __future__ import annotations

import json

import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import example, read_back, written
from nbannot.sources import open_source


class TestBDD100K(FormatCases):
    """Boxes, polygons in parts, polylines, tags."""

    format_name = "bdd100k"


def box(category="car", x1=10, y1=20, x2=40, y2=60, **more):
    """Return a label with a box."""
    return {"id": "7", "category": category, "box2d": {"x1": x1, "y1": y1, "x2": x2, "y2": y2},
            **more}  # fmt: skip


def poly(*parts, category="lane", closed=False, types=None):
    """Return a label with poly2d."""
    lines = [
        {"vertices": part, "types": types or "L" * len(part), "closed": closed} for part in parts
    ]
    return {"id": 8, "category": category, "poly2d": lines}


def frame(*labels, name="a.jpg", **more):
    """Return a frame."""
    return {"name": name, "attributes": {"weather": "clear"}, "timestamp": 10000,
            "labels": list(labels), **more}  # fmt: skip


def read(*frames, name="bdd100k_labels_images_train.json", more=None):
    """Read made-up frames."""
    source = open_source({name: json.dumps(frames).encode(), **(more or {})})
    assert detect(source)[0].format == "bdd100k"
    return read_back(get_format("bdd100k"), source)


TRIANGLE = [[0, 0], [10, 0], [10, 10]]
SQUARE = [[20, 20], [30, 20], [30, 30], [20, 30]]


def test_boxes_and_what_belongs_to_them():
    """W is x2 - x1; occluded has its column, other attributes stay; the frame's are kept."""
    attributes = {"occluded": True, "truncated": False, "trafficLightColor": None}
    found = read(frame(box(attributes=attributes, score=0.5, manualShape=True)))
    item, row = found.items[0], found.annotations[0]
    assert (item["subset"], item["key"]) == ("train", "a.jpg")
    kept = {"attributes": {"weather": "clear"}, "timestamp": 10000}
    assert json.loads(item["meta"]) == {"bdd100k": kept}
    assert [row[n] for n in "xywh"] == [10, 20, 30, 40]
    assert (row["label"], row["occluded"], row["score"]) == ("car", True, 0.5)
    assert json.loads(row["attributes"]) == {"truncated": False, "trafficLightColor": None}
    assert json.loads(row["extra"]) == {"bdd100k": {"manualShape": True}}
    assert found.ledger.groups() == []


def test_lines_and_areas():
    """Open is a polyline, closed a polygon; several parts; the types of curves are kept."""
    found = read(frame(
        poly(TRIANGLE), poly(TRIANGLE, SQUARE, closed=True, category="area/drivable"),
        poly(TRIANGLE, SQUARE), poly(SQUARE, types="LCCC"), {"id": 1, "category": "night"},
    ))  # fmt: skip
    line, area, first, second, curve, tag = found.annotations
    assert (line["type"], line["points"]) == ("polyline", [0, 0, 10, 0, 10, 10])
    assert (area["type"], area["rings"]) == ("polygon", [3, 4])
    assert [area[n] for n in "xywh"] == [0, 0, 30, 30]
    assert first["points"] + second["points"] == area["points"]
    assert first["source_id"] == second["source_id"]
    assert json.loads(curve["extra"]) == {"bdd100k": {"types": ["LCCC"]}}
    assert (tag["type"], tag["label"]) == ("tag", "night")
    assert found.balance.read == 6


def test_frames_of_videos_have_tracks():
    """With videoName and frameIndex, an id is a track."""
    found = read(
        frame(box(), name="v/v-1.jpg", videoName="v", frameIndex=0),
        frame(box(x2=50), name="v/v-2.jpg", videoName="v", frameIndex=1),
    )
    assert [(r["track"], r["frame"], r["key"]) for r in found.annotations] == [
        ("7", 0, "v/v-1.jpg"), ("7", 1, "v/v-2.jpg"),
    ]  # fmt: skip


def test_images_of_the_usual_layout():
    """images/100k/<subset>/a.jpg is the image; a name without suffix finds it too."""
    image = written(get_format("bdd100k"), example(("box",)))["images/train/plain.jpg"]
    more = {"images/100k/train/a.jpg": image, "images/100k/val/a.jpg": image,
            "images/100k/train/b.jpg": image}  # fmt: skip
    found = read(frame(box()), frame(name="b"), name="labels/det_20/det_train.json", more=more)
    assert [(i["key"], i["media"]) for i in found.items] == [
        ("a.jpg", "images/100k/train/a.jpg"), ("b.jpg", "images/100k/train/b.jpg"),
    ]  # fmt: skip


def test_one_file_per_image_and_scalabel():
    """The files of 2018 with frames and objects; Scalabel's {"frames": [...]}."""
    old = {"name": "x", "attributes": {}, "frames": [{"timestamp": 1, "objects": [
        box(), {"id": 1, "category": "area/drivable",
                "poly2d": [[0, 0, "L"], [10, 0, "L"], [10, 10, "C"]]}]}]}  # fmt: skip
    source = open_source({"train/x.json": json.dumps(old).encode("utf-16")})
    assert detect(source)[0].format == "bdd100k"
    found = read_back(get_format("bdd100k"), source)
    assert [r["type"] for r in found.annotations] == ["box", "polygon"]
    new = {"frames": [frame(box())], "config": {}}
    found = read_back(get_format("bdd100k"), open_source({"x.json": json.dumps(new).encode()}))
    assert len(found.annotations) == 1


def test_written_again():
    """A frame is what it was, with its own values."""
    given = frame(box(attributes={"truncated": False}, manualShape=False, manualAttributes=True),
                  poly(SQUARE, types="LCCC"))  # fmt: skip
    found = read(given)
    made = example(())
    drop = ("item", "subset", "kind")
    made.items = {"train": [{k: v for k, v in i.items() if k not in drop} for i in found.items]}
    made.annotations = {"train": [
        {**{k: v for k, v in r.items() if k not in ("subset", "key")}, "item": r["key"]}
        for r in found.annotations
    ]}  # fmt: skip
    files = written(get_format("bdd100k"), made, media=False)
    (back,) = json.loads(files["labels/det_train.json"])
    assert back["labels"][0] == given["labels"][0]
    assert back["labels"][1]["poly2d"] == given["labels"][1]["poly2d"]
    assert {k: back[k] for k in ("name", "attributes", "timestamp")} == {
        k: given[k] for k in ("name", "attributes", "timestamp")
    }


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (box(x1=None), "box without numbers"),
        (box(x2=0), "width or height is negative"),
        ({"category": "car", "box2d": 5}, "box without numbers"),
        (poly([[0, 0]]), "polyline with too few points"),
        (poly([[0, 0], [1, 1]], closed=True), "polygon with too few points"),
        (poly([[0, "x"], [1, 1]]), "polygon without numbers"),
        ({"id": 1, "category": "car", "rle": {}}, "rle is not read"),
        ({"id": 1}, "tag without a label"),
        (5, "label is not an object"),
    ],
)
def test_one_bad_label_is_rejected(label, reason):
    """A bad label is a line with its place, and the next one is read."""
    found = read(frame(label, box("bus")))
    assert [r["label"] for r in found.annotations] == ["bus"]
    line = found.ledger.lines("rejected", reason)[0]
    assert line["where"] == "frames[0].labels[0]"


def test_bad_frames():
    """No object, no name: a line; labels may be null."""
    found = read(frame(box()), 5, {"labels": [box()]}, {"name": "b.jpg", "labels": None})
    assert [i["key"] for i in found.items] == ["a.jpg", "b.jpg"]
    assert sorted(g[1] for g in found.ledger.groups()) == [
        "image was rejected", "image without a name", "record is not an object",
    ]  # fmt: skip


def test_not_bdd100k():
    """COCO, LabelMe and nothing are not BDD100K's; a broken file is named."""
    for text in ('{"images": [{"name": 1}], "annotations": []}', '{"shapes": []}', ""):
        candidates = {c.format: c for c in detect(open_source({"x.json": text.encode()}))}
        assert candidates["bdd100k"].confidence == 0
    with pytest.raises(BrokenFileError, match=r"x\.json"):
        read_back(get_format("bdd100k"), open_source({"x.json": b'[{"name"'}))
