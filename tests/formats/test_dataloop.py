"""Dataloop: every type of annotation, videos, poses, and what is malformed.

Made as dtlpy writes it: there is no real sample beside this checkout.
"""

from __future__ import annotations

import base64
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


def doc(*annotations, **more):
    """Return a file of one image of 10 x 6."""
    return {
        "id": "item", "datasetId": "d", "filename": "/cars/a.jpg",
        "metadata": {"system": {"width": 10, "height": 6, "mimetype": "image/jpeg"}},
        "annotations": list(annotations), **more,
    }  # fmt: skip


def one(kind, coordinates=None, label="cat", system=None, **more):
    """Return an annotation."""
    return {"id": "i", "type": kind, "label": label, "coordinates": coordinates, "attributes": [],
            "metadata": {"system": system or {}}, **more}  # fmt: skip


def xy(*flat):
    """Return points as Dataloop writes them."""
    return [{"x": x, "y": y, "z": 0} for x, y in zip(flat[0::2], flat[1::2], strict=True)]


def read(*annotations, **more):
    """Read one file."""
    return read_files("dataloop", {"json/cars/a.json": doc(*annotations, **more)})


def data_url(pixels):
    """Return a mask as Dataloop keeps it: black where it is not, with alpha."""
    rgba = np.zeros((*np.shape(pixels), 4), np.uint8)
    rgba[..., 3] = np.asarray(pixels) * 255
    out = io.BytesIO()
    Image.fromarray(rgba).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


MASK = [[0] * 10, [0, 1, 1] + [0] * 7, *[[0] * 10] * 4]
CUBE = {f"{f}_{c}": {"x": i, "y": j} for i, f in enumerate(("front", "back"))
        for j, c in enumerate(("tl", "tr", "br", "bl"))}  # fmt: skip


def test_every_type():
    """Numbers are kept as they are; the ring within a segment is its hole."""
    outer, inner = (0, 0, 6, 0, 6, 6, 0, 6), (1, 1, 2, 1, 2, 2)
    found = read(
        one("box", xy(5, 4, 2, 1)), one("segment", [xy(*outer), xy(*inner)]),
        one("polyline", xy(1, 2, 3, 4)), one("point", {"x": 7, "y": 5}), one("class"),
        one("ellipse", {"center": {"x": 5, "y": 3}, "rx": 2, "ry": 1, "angle": 30}),
        one("cube", {**CUBE, "angle": 0}), one("binary", data_url(MASK)),
        one("item_description", {"description": "a car"}, label=None),
    )  # fmt: skip
    rows = {r["type"]: r for r in found.annotations}
    assert [rows["box"][n] for n in "xywh"] == [2, 1, 3, 3]
    assert (rows["polygon"]["rings"], rows["polygon"]["points"]) == ([4, -3], [*outer, *inner])
    assert rows["polyline"]["points"] == [1, 2, 3, 4]
    assert rows["points"]["points"] == [7, 5]
    assert [rows["ellipse"][n] for n in ("x", "y", "w", "h", "rotation")] == [3, 2, 4, 2, 30]
    assert rows["cuboid"]["points"] == [0, 0, 0, 1, 0, 2, 0, 3, 1, 0, 1, 1, 1, 2, 1, 3]
    assert rle_to_mask(rows["mask"]["mask"], 6, 10).tolist() == MASK
    assert rows["text"]["text"] == "a car"
    assert "tag" in rows
    assert found.ledger.groups() == []
    (item,) = found.items
    assert (item["key"], item["source_id"], item["width"]) == ("cars/a.jpg", "item", 10)


def test_rotated_boxes():
    """A third value is the angle in degrees; four corners are a box of their own."""
    found = read(one("box", [*xy(2, 1, 6, 3), 45.0]), one("box", xy(6, 1, 6, 5, 4, 5, 4, 1)))
    turned, upright = found.annotations
    assert [turned[n] for n in ("x", "y", "w", "h", "rotation")] == [2, 1, 4, 2, 45]
    assert [upright[n] for n in "xywh"] == [4, 1, 2, 4]


def test_what_an_annotation_carries():
    """Attributes of both kinds; a model is the layer and gives the score."""
    row = one("class", attributes=["wet"])
    row["metadata"] = {"system": {"attributes": {"1": "red"}},
                       "user": {"model": {"name": "m1", "confidence": 0.5}}}  # fmt: skip
    (made,) = read(row).annotations
    assert json.loads(made["attributes"]) == {"wet": True, "1": "red"}
    assert (made["layer"], made["score"], made["source_id"]) == ("m1", 0.5, "i")


def test_poses():
    """Points that name a pose as their parent are its joints, and records that become part."""
    pose = one("pose", {"templateId": "t"}, label="pose", id="p")
    joints = [one("point", {"x": n, "y": n}, label=name, system={"parentId": "p"})
              for n, name in enumerate(("nose", "tail"))]  # fmt: skip
    found = read(*joints, pose)
    (row,) = found.annotations
    assert (row["points"], row["visibility"]) == ([0, 0, 1, 1], [2, 2])
    assert found.labels["pose"].skeleton == Skeleton(("nose", "tail"))
    assert (found.balance.read, found.balance.imported) == (4, 4)


def test_videos():
    """The first frame and each snapshot are rows; subtitles are spans of time."""
    snapshots = [{"frame": 3, "data": xy(1, 1, 2, 2)}, {"frame": 9, "data": xy(2, 1, 4, 2)},
                 {"frame": None}]  # fmt: skip
    box = one("box", xy(1, 1, 2, 2), system={"frame": 3, "endFrame": 20, "objectId": "7",
                                             "snapshots_": snapshots})  # fmt: skip
    said = one("subtitle", {"text": "hello"}, system={"startTime": 1, "endTime": 2.5})
    meta = {"system": {"mimetype": "video/mp4", "nb_frames": 30, "width": 10, "height": 6}}
    found = read(box, said, filename="/v.mp4", metadata=meta)
    assert (found.items[0]["kind"], found.items[0]["frames"]) == ("video", 30)
    boxes = [r for r in found.annotations if r["type"] == "box"]
    assert [(b["frame"], b["track"], b["x"], b["w"]) for b in boxes] == [
        (3, "7", 1, 1), (9, "7", 2, 2),
    ]  # fmt: skip
    assert json.loads(boxes[0]["extra"]) == {"dataloop": {"endFrame": 20}}
    (span,) = (r for r in found.annotations if r["type"] == "time_span")
    assert (span["start"], span["end"], span["text"]) == (1, 2.5, "hello")
    assert reasons(found) == [("rejected", "snapshot without a frame")]


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ("nothing", "annotation is not an object"),
        (one("note", {"text": "?"}), "note can't be read"),
        (one("cube_3d", {}), "cube_3d can't be read"),
        (one("box", xy(1, 2)), "box without two corners"),
        (one("box", [{"x": 1, "y": "?"}, {"x": 1, "y": 2}]), "coordinate is not a number"),
        (one("segment", []), "no points"),
        (one("segment", [xy(1, 2, 3, 4)]), "too few points"),
        (one("polyline", [xy(1, 2, 3, 4)] * 2), "line of several parts"),
        (one("binary", "data:image/png;base64,xxxx"), "mask can't be decoded"),
        (one("binary", data_url([[1] * 20])), "mask reaches outside the image"),
        (one("pose", {}), "no points"),
        (one("subtitle", {"text": "?"}), "coordinate is not a number"),
    ],
)
def test_what_can_not_be_read(annotation, reason):
    """One bad annotation is one rejected line; the next one is read."""
    found = read(annotation, one("class", label="dog"))
    assert reasons(found) == [("rejected", reason)]
    (line,) = found.ledger.lines("rejected", reason)
    assert (line["where"], line["record"], line["item"]) == (
        "annotations[0]", "annotation 1", "cars/a.jpg",
    )  # fmt: skip
    assert [r["label"] for r in found.annotations] == ["dog"]


def test_junk_in_any_place():
    """Whatever stands in place of a value, nothing is raised and the ledger balances."""
    system = {"frame": 3, "endFrame": 20, "objectId": "7",
              "snapshots_": [{"frame": 5, "data": xy(1, 1, 2, 2)}]}  # fmt: skip
    document = doc(
        one("box", [*xy(1, 1, 2, 2), 5], system=system, attributes=["a"]),
        one("segment", [xy(0, 0, 4, 0, 4, 4)]), one("polyline", [xy(0, 0, 4, 0)]),
        one("pose", {}, id="p"), one("point", {"x": 1, "y": 1}, system={"parentId": "p"}),
        one("binary", data_url(MASK)), one("cube", CUBE), one("subtitle", {"text": "x"}),
    )  # fmt: skip
    reads_any_junk("dataloop", "a.json", document, {"b.json": doc()})


def test_files():
    """Recognised; one broken file of many is a rejected line; one alone is an error."""
    files = {"a.json": doc(one("class")), "b.json": b"{", "c.json": {"x": 1}}
    source = open_source({"a.json": json.dumps(files["a.json"]).encode()})
    assert detect(source)[0].format == "dataloop"
    found = read_files("dataloop", files)
    assert reasons(found) == [("rejected", "the file is not JSON"), ("note", "not an annotation")]
    with pytest.raises(BrokenFileError, match=r"b\.json"):
        read_files("dataloop", {"b.json": b"{"})


@pytest.mark.parametrize("data", [b"", b"{}", b'{"annotations": [], "filename": 1, "images": 1}'])
def test_not_dataloop(data):
    """What is missing is said."""
    with pytest.raises(Miss, match="no JSON file with a filename"):
        get_format("dataloop").requires(Look(open_source({"a.json": data})))
