"""Scale AI: tasks, Nucleus, and what is malformed.

Made by the rules of the documentation: there is no real sample beside this checkout.
"""

from __future__ import annotations

import json
import math

import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.base import Miss
from nbannot.formats.look import Look
from nbannot.schema import Skeleton
from nbannot.sources import open_source

from .json_junk import read_files, reads_any_junk, reasons

BOX = {"left": 10, "top": 20, "width": 30, "height": 5}


def xy(*flat):
    """Return points as Scale writes them."""
    return [{"x": x, "y": y} for x, y in zip(flat[0::2], flat[1::2], strict=True)]


def task(*annotations, ident="t1", kind="imageannotation", **response):
    """Return a task."""
    return {
        "task_id": ident, "type": kind, "status": "completed", "metadata": {"batch": 3},
        "params": {"attachment": "https://example.org/x/a.jpg?sig=secret", "geometries": {}},
        "response": {"annotations": list(annotations), **response},
    }  # fmt: skip


def one(kind, label="cat", **more):
    """Return an annotation of a task."""
    return {"uuid": "u", "type": kind, "label": label, "attributes": {}, **more}


def nucleus(kind, geometry, label="cat", reference="img1", **more):
    """Return a line of Nucleus."""
    return {"label": label, "type": kind, "geometry": geometry, "reference_id": reference,
            "annotation_id": f"{kind} of {reference}", "metadata": {}, **more}  # fmt: skip


def read(*rows):
    """Read a file of rows."""
    return read_files("scale", {"tasks.json": list(rows)})


def test_tasks():
    """Figures in pixels, attributes, global attributes as tags with a value."""
    data = task(
        one("box", **BOX, attributes={"wet": "yes"}), one("polygon", vertices=xy(0, 0, 9, 0, 9, 9)),
        one("line", vertices=xy(1, 2, 3, 4)), one("point", x=7, y=8),
        global_attributes={"weather": "rain"},
    )  # fmt: skip
    assert detect(open_source({"tasks.json": json.dumps([data]).encode()}))[0].format == "scale"
    found = read(data)
    (item,) = found.items
    assert (item["key"], item["source_id"]) == ("a.jpg", "t1")
    assert item["uri"] == "https://example.org/x/a.jpg?sig=secret"
    assert json.loads(item["meta"])["scale"]["status"] == "completed"
    box, polygon, line, point, tag = found.annotations
    assert [box[n] for n in "xywh"] == [10, 20, 30, 5]
    assert json.loads(box["attributes"]) == {"wet": "yes"}
    assert polygon["points"] == [0, 0, 9, 0, 9, 9]
    assert (line["type"], line["points"]) == ("polyline", [1, 2, 3, 4])
    assert (point["type"], point["points"]) == ("points", [7, 8])
    assert (tag["type"], tag["label"], tag["attributes"]) == ("tag", "weather", '{"value":"rain"}')
    assert found.ledger.groups() == []


def test_rotated_boxes():
    """The corners of a rotated box say all of it; without them it can't be read."""
    turned = one("box", **BOX, rotation=math.pi / 2, vertices=xy(30, 10, 30, 50, 10, 50, 10, 10))
    found = read(task(turned, one("box", **BOX, rotation=1)))
    (row,) = found.annotations
    assert [row[n] for n in "xywh"] == pytest.approx([0, 20, 40, 20])
    assert row["rotation"] == pytest.approx(90)
    assert reasons(found) == [("rejected", "rotated box without four corners")]


def test_videos():
    """Each frame of an annotation is a row; its uuid is the track."""
    frames = [{"key": 0, **BOX}, {"key": 5, **BOX, "left": 11}, {}]
    annotation = {"uuid": "u", "label": "car", "geometry": "box", "frames": frames}
    found = read(task(annotation, kind="videoannotation"))
    assert found.items[0]["kind"] == "video"
    assert [(r["frame"], r["track"], r["x"]) for r in found.annotations] == [
        (0, "u", 10), (5, "u", 11),
    ]  # fmt: skip
    assert reasons(found) == [("rejected", "frame is not understood")]


def test_masks_are_not_fetched():
    """Layers of a segmentation stay as tags with their address, and a warning without secrets."""
    url = "https://example.org/m.png?token=secret"
    segmented = task(kind="segmentannotation")
    segmented["response"] = {"annotations": {"combined": {"image": url}}, "labelMapping": {"a": 1}}
    found = read(segmented)
    (row,) = found.annotations
    assert json.loads(row["extra"])["scale"]["mask"] == {"url": url}
    (line,) = found.ledger.lines("warning", "mask lies at an address")
    assert "secret" not in line["message"]
    mask = {"type": "segmentation", "mask_url": url, "reference_id": "img1",
            "annotations": [{"index": 1, "label": "cat"}]}  # fmt: skip
    found = read_files("scale", {"a.jsonl": json.dumps(mask).encode()})
    assert found.annotations[0]["type"] == "tag"
    assert reasons(found) == [("warning", "mask lies at an address")]


def test_nucleus():
    """Lines of annotations, several of one image; keypoints, categories, tracks."""
    keypoints = {"points": [{"x": 1, "y": 2, "visible": True}, {"x": 3, "y": 4, "visible": False}],
                 "names": ["nose", "tail"], "skeleton": [[0, 1]]}  # fmt: skip
    rows = [
        nucleus("box", {"x": 10, "y": 20, "width": 30, "height": 5}, track_reference_id="t",
                metadata={"color": "red"}, confidence=0.5),
        nucleus("polygon", {"vertices": xy(0, 0, 9, 0, 9, 9)}, reference="img2"),
        nucleus("keypoints", keypoints, "pose"), nucleus("category", None, "day"),
    ]  # fmt: skip
    data = "\n".join(map(json.dumps, rows)).encode()
    assert detect(open_source({"a.jsonl": data}))[0].format == "scale"
    found = read_files("scale", {"a.jsonl": data})
    assert [i["key"] for i in found.items] == ["img1", "img2"]
    box, polygon, pose, tag = found.annotations
    assert ([box[n] for n in "xywh"], box["track"], box["score"]) == ([10, 20, 30, 5], "t", 0.5)
    assert json.loads(box["attributes"]) == {"color": "red"}
    assert polygon["key"] == "img2"
    assert (pose["points"], pose["visibility"]) == ([1, 2, 3, 4], [2, 1])
    assert found.labels["pose"].skeleton == Skeleton(("nose", "tail"), ((0, 1),))
    assert (tag["type"], tag["label"]) == ("tag", "day")
    assert found.ledger.groups() == []


def test_items_with_annotations():
    """An export of Nucleus: an item, and its annotations by type."""
    row = {"item": {"reference_id": "img1", "image_url": "https://x.org/a.jpg"},
           "annotations": {"box": [{"label": "cat", "geometry": {
               "x": 1, "y": 2, "width": 3, "height": 4}}, 5]}}  # fmt: skip
    found = read(row)
    assert found.items[0]["uri"] == "https://x.org/a.jpg"
    assert [r["label"] for r in found.annotations] == ["cat"]
    assert reasons(found) == [("rejected", "annotation is not an object")]


def test_two_tasks_about_one_file():
    """They stay two items, and it is told."""
    found = read(task(), task(ident="t2"))
    assert [i["key"] for i in found.items] == ["a.jpg", "a.jpg#t2"]
    assert reasons(found) == [("warning", "two tasks about one file")]


def test_an_answer_of_the_api():
    """Tasks may lie in docs."""
    found = read_files("scale", {"tasks.json": {"docs": [task()], "total": 1}})
    assert [i["key"] for i in found.items] == ["a.jpg"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("nothing", "annotation is not an object"),
        (one("cuboid"), "cuboid can't be read"),
        (one(None), "annotation without a type can't be read"),
        (one("box", left=1), "coordinate is not a number"),
        (one("box", **{**BOX, "width": -1}), "width or height is negative"),
        (one("polygon", vertices=xy(1, 2)), "too few points"),
        (one("line"), "no points"),
        (one("point"), "point is not understood"),
    ],
)
def test_what_can_not_be_read(given, reason):
    """One bad annotation is one rejected line; the next one is read."""
    found = read(task(given, one("box", "dog", **BOX)))
    assert reasons(found) == [("rejected", reason)]
    (line,) = found.ledger.lines("rejected", reason)
    assert (line["where"], line["record"], line["item"]) == (
        "[0].response.annotations[0]", "row 1, annotation 1", "a.jpg",
    )  # fmt: skip
    assert [r["label"] for r in found.annotations] == ["dog"]


def test_rows_that_are_nothing():
    """A row that is no task is a rejected line."""
    found = read(7, {"x": 1}, task())
    assert found.ledger.groups() == [("rejected", "row is no task and no annotation", 2)]


def test_junk_in_any_place():
    """Whatever stands in place of a value, nothing is raised and the ledger balances."""
    frames = {"uuid": "u", "label": "c", "geometry": "box", "frames": [{"key": 0, **BOX}]}
    polygon = one("polygon", vertices=xy(0, 0, 9, 0, 9, 9))
    box = one("box", **BOX, attributes={"a": 1})
    document = [task(box, frames, polygon, global_attributes={"g": 1})]
    others = {"b.json": [task(ident="t9")]}
    reads_any_junk("scale", "a.json", document, others)
    keypoints = {"points": [{"x": 1, "y": 2}], "names": ["n"], "skeleton": [[0, 0]]}
    lines = [
        nucleus("keypoints", keypoints), nucleus("box", {"x": 1, "y": 2, "width": 3, "height": 4}),
        {"item": {"reference_id": "r"}, "annotations": {"category": [{"label": "x"}]}},
    ]  # fmt: skip
    reads_any_junk("scale", "a.json", lines, others)


def test_broken_files():
    """A file cut in half is an error that names it; one of many is a rejected line."""
    with pytest.raises(BrokenFileError, match=r"a\.json"):
        read_files("scale", {"a.json": json.dumps([task()]).encode()[:50]})
    found = read_files("scale", {"a.json": [task()], "b.json": b"["})
    assert reasons(found) == [("rejected", "the file is not JSON")]


@pytest.mark.parametrize("data", [b"", b"[]", b'{"task_id": 1}', b'[{"geometry": 1}]'])
def test_not_scale(data):
    """What is missing is said."""
    with pytest.raises(Miss, match="no JSON file with task_id and params"):
        get_format("scale").requires(Look(open_source({"a.json": data})))
