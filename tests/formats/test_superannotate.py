"""SuperAnnotate: vector and pixel projects, version 1, videos, and what is malformed.

Made by the rules of the format's documentation: there is no real sample beside this checkout.
"""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.base import Miss
from nbannot.formats.look import Look
from nbannot.geometry import rle_to_mask
from nbannot.schema import Skeleton
from nbannot.sources import open_source

from .json_junk import read_files, reads_any_junk, reasons

NAME = "a.jpg___objects.json"


def doc(*instances, **more):
    """Return a file of one image of 100 x 60."""
    metadata = {"name": "a.jpg", "width": 100, "height": 60, "status": "Completed"}
    return {"metadata": metadata, "instances": list(instances), "tags": [], "comments": [], **more}


def one(kind, points=None, name="cat", **more):
    """Return an instance, as a vector project has it."""
    instance = {
        "type": kind, "classId": 1, "className": name, "probability": 100, "groupId": 0,
        "pointLabels": {}, "locked": False, "visible": True, "attributes": [], "error": None,
    }  # fmt: skip
    return {**instance, **({} if points is None else {"points": points}), **more}


def read(*instances, **more):
    """Read one file."""
    return read_files("superannotate", {NAME: doc(*instances, **more)})


BOX = {"x1": 10.5, "x2": 30.5, "y1": 20.0, "y2": 25.0}
TEMPLATE = {
    "type": "template",
    "points": [{"id": 1, "x": 1, "y": 2}, {"id": 2, "x": 3, "y": 4}],
    "connections": [{"id": 1, "from": 1, "to": 2}],
    "pointLabels": {"0": "nose", "1": "tail"},
}


def test_every_figure():
    """Numbers are kept as they are; exclude are holes; two corners make a face of a cuboid."""
    ellipse = {"cx": 50, "cy": 30, "rx": 10, "ry": 5, "angle": -45.5}
    faces = {"f1": {"x": 1, "y": 2}, "f2": {"x": 5, "y": 6}, "r1": {"x": 3, "y": 1},
             "r2": {"x": 7, "y": 5}}  # fmt: skip
    found = read(
        one("bbox", BOX), one("polygon", [0, 0, 9, 0, 9, 9], exclude=[[1, 0, 2, 0, 2, 1]]),
        one("polyline", [1, 2, 3, 4]), one("point", x=7, y=8), one("ellipse", **ellipse),
        one("cuboid", faces), one("tag"), {**one("template", name="pose"), **TEMPLATE},
    )  # fmt: skip
    rows = {r["type"]: r for r in found.annotations}
    assert [rows["box"][n] for n in "xywh"] == [10.5, 20, 20, 5]
    assert rows["polygon"]["rings"] == [3, -3]
    assert rows["polygon"]["points"] == [0, 0, 9, 0, 9, 9, 1, 0, 2, 0, 2, 1]
    assert rows["polyline"]["points"] == [1, 2, 3, 4]
    assert rows["points"]["points"] == [7, 8]
    assert [rows["ellipse"][n] for n in ("x", "y", "w", "h", "rotation")] == [40, 25, 20, 10, -45.5]
    assert rows["cuboid"]["points"] == [1, 2, 5, 2, 5, 6, 1, 6, 3, 1, 7, 1, 7, 5, 3, 5]
    assert rows["skeleton"]["points"] == [1, 2, 3, 4]
    assert found.labels["pose"].skeleton == Skeleton(("nose", "tail"), ((0, 1),))
    assert len(rows) == 8
    assert found.ledger.groups() == []
    assert (found.items[0]["key"], found.items[0]["width"]) == ("a.jpg", 100)


def test_rotated_box():
    """Four corners in order: a rectangle turned by 90 degrees, or a polygon if it is none."""
    corners = (30, 10, 30, 50, 10, 50, 10, 10)
    named = {f"{a}{i // 2 + 1}": corners[i + (a == "y")] for i in (0, 2, 4, 6) for a in "xy"}
    (row,) = read(one("rbbox", named)).annotations
    assert [row[n] for n in "xywh"] == pytest.approx([0, 20, 40, 20])
    assert row["rotation"] == pytest.approx(90)
    (row,) = read(one("rbbox", {**named, "x1": 60})).annotations
    assert row["type"] == "polygon"


def test_what_an_instance_carries():
    """Attributes by group, group, track, score; tags of the image are annotations."""
    attributes = [{"name": "Small", "groupName": "Size"}, {"name": "Old", "groupName": "Kind"},
                  {"name": "Red", "groupName": "Kind"}, {"name": "wet"}]  # fmt: skip
    instance = one("bbox", BOX, attributes=attributes, groupId=4, trackingId="t", probability=75,
                   visible=False)  # fmt: skip
    found = read(instance, tags=["day", "rain"])
    row = next(r for r in found.annotations if r["type"] == "box")
    assert json.loads(row["attributes"]) == {"Size": "Small", "Kind": ["Old", "Red"], "wet": True}
    assert (row["group"], row["track"], row["score"]) == (4, "t", 0.75)
    assert json.loads(row["extra"]) == {"superannotate": {"visible": False}}
    assert [r["label"] for r in found.annotations if r["type"] == "tag"] == ["day", "rain"]


def test_classes_are_declared():
    """classes/classes.json gives colours and the groups of attributes."""
    classes = [{"id": 7, "name": "cat", "color": "#FE62E2", "attribute_groups": [
        {"name": "Size", "attributes": [{"name": "Small"}]}]}]  # fmt: skip
    found = read_files("superannotate", {"classes/classes.json": classes, NAME: doc()})
    label = found.labels["cat"]
    assert (label.color, label.source_id) == ("#fe62e2", "7")
    assert label.attributes == ({"name": "Size", "values": ["Small"]},)


def test_version_1():
    """A bare list: instances, comments, and one entry with the size."""
    meta = {"type": "meta", "name": "imageAttributes", "width": 100, "height": 60}
    data = [{"type": "comment", "x": 1, "comments": []}, one("bbox", BOX), meta]
    source = open_source({"a.jpg___vector.json": json.dumps(data).encode()})
    assert detect(source)[0].format == "superannotate"
    found = read_files("superannotate", {"a.jpg___vector.json": data})
    assert [(i["key"], i["width"], i["height"]) for i in found.items] == [("a.jpg", 100, 60)]
    assert [r["type"] for r in found.annotations] == ["box"]
    assert "comments" in json.loads(found.items[0]["meta"])["superannotate"]


def save_png(pixels):
    """Return a PNG of packed colours."""
    values = np.asarray(pixels)
    rgb = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=-1).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "PNG")
    return out.getvalue()


def test_pixel_projects():
    """The mask of an instance are the colours of its parts in ___save.png."""
    pixels = [[0, 0x0F, 0x10], [0x0F, 0, 0x0102FF]]
    instances = [
        {"classId": 1, "className": "cat", "probability": 100, "attributes": [],
         "parts": [{"color": "#00000f"}, {"color": "#000010"}]},
        {"classId": 2, "className": "dog", "probability": 100, "parts": [{"color": "#0102ff"}]},
        {"classId": 2, "className": "dog", "probability": 100, "parts": [{"color": "#ffffff"}]},
    ]  # fmt: skip
    data = {"metadata": {"name": "a.jpg", "width": 3, "height": 2}, "instances": instances}
    files = {"a.jpg___pixel.json": data, "a.jpg___save.png": save_png(pixels)}
    found = read_files("superannotate", files)
    cat, dog = (rle_to_mask(r["mask"], 2, 3).tolist() for r in found.annotations)
    assert cat == [[0, 1, 1], [1, 0, 0]]
    assert dog == [[0, 0, 0], [0, 0, 1]]
    assert ("rejected", "mask is empty") in reasons(found)
    assert len(found.items) == 1  # ___save.png is no image of its own
    without = read_files("superannotate", {"a.jpg___pixel.json": data})
    assert without.ledger.groups() == [("rejected", "mask image missing", 3)]


def test_videos():
    """Each timestamp is a row with its second; an event is a span of time."""
    moments = [{"points": BOX, "timestamp": 0, "attributes": []},
               {"points": BOX, "timestamp": 1500000,
                "attributes": [{"name": "on", "groupName": "light"}]},
               {"points": BOX, "timestamp": "soon"}]  # fmt: skip
    box = {"meta": {"type": "bbox", "className": "car"}, "parameters": [{"timestamps": moments}]}
    event = {"meta": {"type": "event", "className": "stop"}, "parameters": [
        {"start": 500000, "end": 2000000, "timestamps": []}]}  # fmt: skip
    data = {"metadata": {"name": "v.mp4", "width": 100, "height": 60, "duration": 3000000},
            "instances": [box, event], "tags": ["t"]}  # fmt: skip
    found = read_files("superannotate", {"v.mp4.json": data})
    assert (found.items[0]["kind"], found.items[0]["duration"]) == ("video", 3)
    boxes = [r for r in found.annotations if r["type"] == "box"]
    assert [(b["start"], b["track"], b.get("attributes")) for b in boxes] == [
        (0, "0", None), (1.5, "0", '{"light":"on"}'),
    ]  # fmt: skip
    (span,) = (r for r in found.annotations if r["type"] == "time_span")
    assert (span["label"], span["start"], span["end"]) == ("stop", 0.5, 2)
    assert reasons(found) == [("rejected", "timestamp is no number")]


def test_folders_belong_to_the_key():
    """Equal names in two folders are two images."""
    files = {f"{d}/{NAME}": doc() for d in ("x", "y")}
    files |= {f"{d}/a.jpg": save_png([[1]]) for d in ("x", "y")}
    found = read_files("superannotate", files)
    assert [(i["key"], i["media"]) for i in found.items] == [("x/a.jpg",) * 2, ("y/a.jpg",) * 2]


@pytest.mark.parametrize(
    ("instance", "reason"),
    [
        ("nothing", "instance is not an object"),
        (one("brush"), "brush can't be read"),
        (one(None), "instance without a type can't be read"),
        (one("bbox", {"x1": 1}), "coordinate is not a number"),
        (one("bbox"), "coordinate is not a number"),
        (one("polygon", [1, 2, 3]), "odd number of coordinates"),
        (one("polygon", [1, 2, 3, 4]), "too few points"),
        (one("polyline", None), "no points"),
        (one("template", []), "no points"),
        (one("mask", parts=[{"color": "red"}]), "mask without a colour"),
    ],
)
def test_what_can_not_be_read(instance, reason):
    """One bad instance is one rejected line; the next one is read."""
    found = read(instance, one("tag", name="dog"))
    assert reasons(found) == [("rejected", reason)]
    (line,) = found.ledger.lines("rejected", reason)
    assert (line["file"], line["where"], line["record"]) == (NAME, "instances[0]", "instance 1")
    assert [r["label"] for r in found.annotations] == ["dog"]


def test_what_is_doubtful():
    """Boxes outside the image and instances without a class are kept, and warned of."""
    found = read(one("bbox", {**BOX, "x2": 300}, name=None))
    assert set(reasons(found)) == {
        ("warning", "instance without a class"), ("warning", "reaches outside the image"),
    }  # fmt: skip
    assert len(found.annotations) == 1


def test_templates_that_differ():
    """A figure with other joints than its class's first one is read as points, and warned of."""
    other = {**TEMPLATE, "points": TEMPLATE["points"][:1]}
    found = read({**one("template"), **TEMPLATE}, {**one("template"), **other})
    assert [r["type"] for r in found.annotations] == ["skeleton", "points"]
    assert json.loads(found.annotations[1]["extra"])["superannotate"]["joints"] == ["nose"]
    assert reasons(found) == [("warning", "template differs from its class's")]


def test_texts():
    """Entities are spans of a text."""
    data = {"metadata": {"name": "t"}, "instances": [
        {"type": "entity", "start": 3, "end": 9, "className": "cat"}], "freeText": ""}  # fmt: skip
    found = read_files("superannotate", {"t.json": data})
    assert found.items[0]["kind"] == "text"
    assert [(r["type"], r["start"], r["end"]) for r in found.annotations] == [("text_span", 3, 9)]


def test_comments_in_videos():
    """A comment is one rejected line, however many moments it has."""
    comment = {"meta": {"type": "comment"}, "parameters": [{"timestamps": [{}, {}]}]}
    found = read(comment)
    assert reasons(found)[0] == ("rejected", "comment can't be read")
    assert found.balance.rejected == 1


def test_junk_in_any_place():
    """Whatever stands in place of a value, nothing is raised and the ledger balances."""
    document = doc(
        one("bbox", BOX, attributes=[{"name": "a", "groupName": "g"}]),
        one("polygon", [0, 0, 9, 0, 9, 9], exclude=[[1, 0, 2, 0, 2, 1]]),
        {**one("template"), **TEMPLATE}, one("ellipse", cx=1, cy=1, rx=1, ry=1, angle=1),
        {"className": "m", "parts": [{"color": "#000001"}]}, tags=["t"],
    )  # fmt: skip
    others = {"b.json": doc(), "a.jpg___save.png": save_png(np.ones((60, 100), int))}
    reads_any_junk("superannotate", NAME, document, others)
    moment = {"points": BOX, "timestamp": 0, "attributes": []}
    video = doc(
        {"meta": {"type": "bbox"}, "parameters": [{"timestamps": [moment]}]},
        {"meta": {"type": "event"}, "parameters": [{"start": 1, "end": 2, "timestamps": [moment]}]},
    )  # fmt: skip
    reads_any_junk("superannotate", "v.mp4.json", video, others)
    classes = [{"id": 1, "name": "c", "color": "#000000", "attribute_groups": [{"name": "g"}]}]
    reads_any_junk("superannotate", "classes/classes.json", classes, others)


def test_files_that_are_no_annotations():
    """One broken file of many is a rejected line; one alone is an error that names it."""
    found = read_files("superannotate", {NAME: doc(), "b.json": b"[", "c.json": {"x": 1}})
    assert reasons(found) == [("rejected", "the file is not JSON"), ("note", "not an annotation")]
    with pytest.raises(BrokenFileError, match=r"a\.jpg___objects\.json"):
        read_files("superannotate", {NAME: json.dumps(doc()).encode()[:40]})


@pytest.mark.parametrize("data", [b"", b"[]", b'{"metadata": 1}', b'[{"label": 1}]'])
def test_not_superannotate(data):
    """What is missing is said."""
    with pytest.raises(Miss, match="no JSON file with metadata and instances"):
        get_format("superannotate").requires(Look(open_source({"a.json": data})))
