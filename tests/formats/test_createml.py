"""CreateML: centres, samples of Roboflow and Datumaro, what is malformed."""

from __future__ import annotations

import json

import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import MemorySink, example, read_back
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source


class TestCreateML(FormatCases):
    """Boxes come back exactly but for the rounding of centre and half size."""

    format_name = "createml"
    compared = ("type", "label", "x", "y", "w", "h")


def read(files, **options):
    """Read made-up files with CreateML's reader."""
    return read_back(get_format("createml"), open_source(files), **options)


def of(*annotations, **image):
    """Return a file of one image."""
    record = {"image": "a.jpg", "annotations": list(annotations), **image}
    return {"x.json": json.dumps([record]).encode()}


def box(x=10, y=20, width=4, height=6, label="cat", **more):
    """Return an annotation."""
    coordinates = {"x": x, "y": y, "width": width, "height": height}
    return {"label": label, "coordinates": coordinates, **more}


def test_sharks(samples):
    """Roboflow's: every box is that of its COCO export, 2.5 times as large (README.md)."""
    with open_source(samples / "createml/roboflow-sharks_createml") as source:
        assert detect(source)[0].format == "createml"
        found = read_back(get_format("createml"), source)
    assert found.balance.rejected == 0
    assert {row["subset"] for row in found.items} == {"train", "valid", "test"}
    assert (len(found.items), len(found.annotations)) == (10, 60)
    back = [
        (row["key"].split("_jpg")[0], row["label"], [row[n] for n in "xywh"])
        for row in found.annotations
    ]
    wanted = []
    for path in (samples / "roboflow/roboflow-sharks_coco").glob("*/*.json"):
        coco = json.loads(path.read_text())
        names = {c["id"]: c["name"] for c in coco["categories"]}
        images = {i["id"]: i["file_name"].split("_jpg")[0] for i in coco["images"]}
        for a in coco["annotations"]:
            box = [2.5 * v for v in a["bbox"]]
            wanted.append((images[a["image_id"]], names[a["category_id"]], box))
    assert len(back) == len(wanted)
    for one, other in zip(sorted(back, key=_coarse), sorted(wanted, key=_coarse), strict=True):
        assert one[:2] == other[:2]
        assert one[2] == pytest.approx(other[2], abs=1.5)  # COCO's were rounded to whole pixels


def _coarse(box):
    return (*box[:2], [round(v / 20) for v in box[2]])


def test_datumaro_takes_the_centre_for_the_corner(samples, expected):
    """Same boxes as Datumaro reads, moved by half their size: its rule is wrong (README.md)."""
    with open_source(samples / "roboflow/datumaro-createml") as source:
        assert detect(source)[0].format == "createml"
        found = read_back(get_format("createml"), source)
    reference = json.loads((expected / "roboflow/datumaro-createml.roboflow_create_ml.json")
                           .read_text())  # fmt: skip
    wanted = sorted(
        (item["id"] + ".jpg", a["label"], x - w / 2, y - h / 2, w, h)
        for item in reference["items"]
        for a in item["annotations"]
        for x, y, w, h in [a["bbox_xywh"]]
    )
    back = sorted((r["key"], r["label"], r["x"], r["y"], r["w"], r["h"]) for r in found.annotations)
    assert back == wanted
    assert {(r["subset"], r["key"]) for r in found.items} == {
        ("train", "train_001.jpg"), ("train", "train_002.jpg"), ("val", "val_001.jpg"),
    }  # fmt: skip
    assert found.balance.rejected == 0


@pytest.mark.parametrize("keys", [("image", "annotations"), ("imagefilename", "annotation")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_spellings_of_apple(keys, encoding):
    """Both pairs of keys, in any encoding, are read; an image without objects is an item."""
    records = [{keys[0]: "ä.jpg", keys[1]: [box()]}, {keys[0]: "b.jpg", keys[1]: []}]
    data = json.dumps(records, ensure_ascii=False).replace("\n", "\r\n").encode(encoding)
    source = open_source({"x.json": data})
    assert detect(source)[0].format == "createml"
    found = read_back(get_format("createml"), source)
    assert [row["key"] for row in found.items] == ["ä.jpg", "b.jpg"]
    row = found.annotations[0]
    assert (row["x"], row["y"], row["w"], row["h"]) == (8, 17, 4, 6)


def test_other_values_come_back():
    """`verified`, and what an annotation has besides, are kept."""
    found = read(of(box(confidence=0.5, id=3), verified=True))
    assert json.loads(found.items[0]["meta"]) == {"createml": {"verified": True}}
    row = found.annotations[0]
    assert row["score"] == 0.5
    assert json.loads(row["extra"]) == {"createml": {"id": 3}}


def test_what_other_formats_kept_is_counted():
    """Values that another format's reader kept have no place, and a note counts them."""
    made = example(("box",))
    rows = made.annotations["train"]
    rows[0]["extra"] = json.dumps({"coco": {"area": 3}})
    rows[1]["extra"] = json.dumps({"createml": {"id": 3}})
    sink, ledger = MemorySink(), Ledger()
    get_format("createml").write(made, sink, {}, ledger, Progress())
    assert ledger.groups() == [("note", "no place in CreateML", 1)]
    assert b'"id": 3' in sink.files["train/_annotations.createml.json"]


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (box(x=None), "box without numbers"),
        (box(width="wide"), "box without numbers"),
        (box(x=float("nan")), "box without numbers"),
        (box(height=-1), "width or height is negative"),
        ({"label": "cat"}, "box without numbers"),
        (7, "annotation is not an object"),
    ],
)
def test_one_bad_annotation_is_rejected(annotation, reason):
    """A bad annotation is a line with its place; the one after it is read."""
    found = read(of(annotation, box()))
    assert len(found.annotations) == 1
    assert ("rejected", reason, 1) in found.ledger.groups()
    line = found.ledger.lines("rejected", reason)[0]
    assert line["where"] == "images[0].annotations[0]"
    assert line["file"] == "x.json"


def test_doubtful_boxes_are_kept():
    """No label, no area: kept, and said."""
    found = read(of(box(label=None), box(width=0)))
    assert len(found.annotations) == 2
    assert {g[1] for g in found.ledger.groups()} == {
        "annotation without a label",
        "box has no area",
    }


def test_images_without_a_name_and_twice():
    """Annotations of an image without a name are rejected with it; twice is put together."""
    records = [
        {"annotations": [box()]},
        {"image": "a.jpg", "annotations": [box()]},
        {"image": "a.jpg", "annotations": [box()]},
        {"image": "../../etc/passwd", "annotations": []},
        5,
    ]
    found = read({"x.json": json.dumps(records).encode()})
    assert len(found.items) == 1
    assert len(found.annotations) == 2
    assert sorted(found.ledger.groups()) == [
        ("rejected", "image name refused", 1),
        ("rejected", "image was rejected", 1),
        ("rejected", "image without a name", 1),
        ("rejected", "record is not an object", 1),
        ("warning", "image named twice", 1),
    ]


def test_not_createml():
    """Label Studio's tasks, COCO, and an empty file are not taken for CreateML."""
    for text in (
        '[{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": []}]}]',
        '{"images": [], "annotations": [], "categories": []}',
        "",
    ):
        candidates = {c.format: c for c in detect(open_source({"x.json": text.encode()}))}
        assert candidates["createml"].confidence == 0


def test_an_empty_file_is_broken():
    """Nothing at all is no JSON: the file is named."""
    with pytest.raises(BrokenFileError, match=r"x\.json"):
        read({"x.json": b""})
