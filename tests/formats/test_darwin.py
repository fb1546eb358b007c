"""Darwin JSON (V7): real exports, every figure, videos, and what is malformed."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.base import Miss
from nbannot.formats.examples import read_back
from nbannot.formats.look import Look
from nbannot.geometry import rings_to_mask, rle_to_mask
from nbannot.schema import Skeleton
from nbannot.sources import open_source

from .json_junk import read_files, reads_any_junk, reasons


def doc(*annotations, slots=None, **item):
    """Return a file of one image of 10 x 6."""
    slots = slots or [{"slot_name": "0", "type": "image", "width": 10, "height": 6}]
    return {
        "version": "2.0", "schema_ref": "https://x.org/2.0",
        "item": {"name": "a.jpg", "path": "/", "slots": slots, **item},
        "annotations": list(annotations),
    }  # fmt: skip


def one(name="cat", **figure):
    """Return an annotation."""
    return {"id": "i", "name": name, "slot_names": ["0"], **figure}


def ring(*flat):
    """Return points as Darwin writes them."""
    return [{"x": x, "y": y} for x, y in zip(flat[0::2], flat[1::2], strict=True)]


def read(*annotations, **more):
    """Read one file."""
    return read_files("darwin", {"a.json": doc(*annotations, **more)})


# -- samples --------------------------------------------------------------------------


def test_sample_of_all_basic_figures(samples):
    """Eight images, eight annotations each, every number as it stands in the files."""
    source = open_source(samples / "darwin/darwin-image_basic")
    assert detect(source)[0].format == "darwin"
    found = read_back(get_format("darwin"), source)
    assert found.ledger.groups() == []
    assert (found.balance.read, len(found.items), len(found.annotations)) == (72, 8, 56)
    rows = {row["source_id"]: row for row in found.annotations}
    keys = set()
    for path in sorted((samples / "darwin/darwin-image_basic").glob("*.json")):
        data = json.loads(path.read_text())
        item = data["item"]
        key = f"{item['path'].strip('/')}/{item['name']}".strip("/")
        keys.add(key)
        for a in data["annotations"]:
            if "raster_layer" in a:
                continue
            row = rows[a["id"]]
            assert (row["key"], row["label"]) == (key, a["name"])
            _same(row, a, data["annotations"])
    assert {i["key"] for i in found.items} == keys
    assert all((i["width"], i["height"]) == (1920, 1080) for i in found.items)


def _same(row, a, all_):
    if "polygon" in a:
        (path,) = a["polygon"]["paths"]
        assert row["points"] == [v for p in path for v in (p["x"], p["y"])]
        box = a["bounding_box"]
        assert [row[n] for n in "xywh"] == pytest.approx([box[n] for n in "xywh"], abs=1e-3)
    elif "bounding_box" in a:
        assert [row[n] for n in "xywh"] == [a["bounding_box"][n] for n in "xywh"]
    elif "ellipse" in a:
        e = a["ellipse"]
        assert row["x"] + row["w"] / 2 == pytest.approx(e["center"]["x"])
        assert row["h"] / 2 == pytest.approx(e["radius"]["y"])
        assert math.radians(row["rotation"]) == pytest.approx(e["angle"])
    elif "line" in a:
        assert row["points"] == [v for p in a["line"]["path"] for v in (p["x"], p["y"])]
    elif "keypoint" in a:
        assert row["points"] == [a["keypoint"]["x"], a["keypoint"]["y"]]
    elif "mask" in a:
        layer = next(x["raster_layer"] for x in all_ if "raster_layer" in x)
        value = layer["mask_annotation_ids_mapping"][a["id"]]
        runs = layer["dense_rle"]
        count = sum(n for v, n in zip(runs[0::2], runs[1::2], strict=True) if v == value)
        pixels = rle_to_mask(row["mask"], 1080, 1920)
        assert pixels.sum() == count
        assert int(np.flatnonzero(pixels)[0]) == runs[1]
    else:
        assert row["type"] == "tag"


def test_sample_of_polygons_agrees_with_its_masks(samples):
    """Polygons cover what V7's own converter drew as instance masks."""
    folder = samples / "segmentation_mask/darwin-instance_mask"
    found = read_back(get_format("darwin"), open_source(folder / "from"))
    assert len(found.annotations) == 3
    for row, path in zip(found.annotations, sorted(folder.glob("to/masks/*.png")), strict=True):
        drawn = np.asarray(Image.open(path)) > 0
        mine = rings_to_mask(row["points"], row.get("rings"), *drawn.shape) > 0
        union = (drawn | mine).sum()
        assert (drawn & mine).sum() / union > 0.95


# -- figures --------------------------------------------------------------------------


def test_rings_within_rings():
    """A ring within another is its hole, whichever comes first; one beside it is a part."""
    inner, outer, beside = (1, 1, 2, 1, 2, 2), (0, 0, 4, 0, 4, 4, 0, 4), (6, 0, 8, 0, 8, 2)
    paths = [ring(*inner), ring(*outer), ring(*beside)]
    (row,) = read(one(polygon={"paths": paths})).annotations
    assert row["rings"] == [4, -3, 3]
    assert row["points"] == [*outer, *inner, *beside]
    assert [row[n] for n in "xywh"] == [0, 0, 8, 4]


def test_masks_come_from_the_raster_layer():
    """dense_rle is value, run, row by row; each mask has its value."""
    runs = [0, 11, 1, 2, 2, 1, 0, 46]
    layer = {"dense_rle": runs, "mask_annotation_ids_mapping": {"p": 1, "q": 2}, "total_pixels": 60}
    found = read(
        {"id": "p", "name": "cat", "mask": {}}, {"id": "q", "name": "dog", "mask": {}},
        {"id": "r", "name": "__raster_layer__", "raster_layer": layer},
    )  # fmt: skip
    cat, dog = found.annotations
    assert np.argwhere(rle_to_mask(cat["mask"], 6, 10)).tolist() == [[1, 1], [1, 2]]
    assert np.argwhere(rle_to_mask(dog["mask"], 6, 10)).tolist() == [[1, 3]]
    assert (found.balance.read, found.balance.imported) == (4, 4)


def test_skeleton_and_cuboid():
    """Joints by name, hidden where occluded; a cuboid is two faces."""
    nodes = [{"name": "nose", "x": 1, "y": 2, "occluded": False},
             {"name": "ear", "x": 3, "y": 4, "occluded": True}]  # fmt: skip
    faces = {f: {"x": n, "y": n, "w": 2, "h": 3} for n, f in enumerate(("front", "back"))}
    found = read(
        one("pose", skeleton={"nodes": nodes}), one("pose", skeleton={"nodes": nodes[1:]}),
        one("pose", skeleton={"nodes": [{"name": "tail", "x": 0, "y": 0}]}), one(cuboid=faces),
    )  # fmt: skip
    first, second, cuboid = found.annotations
    assert (first["points"], first["visibility"]) == ([1, 2, 3, 4], [2, 1])
    assert (second["points"], second["visibility"]) == ([0, 0, 3, 4], [0, 1])
    assert found.labels["pose"].skeleton == Skeleton(("nose", "ear"))
    assert cuboid["points"] == [0, 0, 2, 0, 2, 3, 0, 3, 1, 1, 3, 1, 3, 4, 1, 4]
    assert reasons(found) == [("rejected", "joint is not of the class")]


def test_what_an_annotation_carries():
    """Attributes, properties, ids of instances, text, and the model that made it."""
    annotation = one(
        tag={}, attributes=["wet"], instance_id={"value": 7}, text={"text": "STOP"},
        properties=[{"name": "size", "value": "big"}, {"name": "size", "value": "wide"}],
        inference={"confidence": 0.5, "model": {"name": "m1"}},
        directional_vector={"angle": 1, "length": 2},
    )  # fmt: skip
    (row,) = read(annotation).annotations
    assert json.loads(row["attributes"]) == {
        "wet": True, "size": ["big", "wide"], "instance_id": 7,
        "directional_vector": {"angle": 1, "length": 2},
    }  # fmt: skip
    assert (row["text"], row["score"], row["layer"]) == ("STOP", 0.5, "m1")


def test_videos():
    """One row for each frame; a frame without a figure has that of the frame before."""
    box = {"x": 1, "y": 2, "w": 3, "h": 4}
    frames = {"10": {"bounding_box": {**box, "x": 5}, "keyframe": True},
              "2": {"bounding_box": box, "keyframe": True},
              "7": {"text": {"text": "hi"}}}  # fmt: skip
    slots = [{"slot_name": "0", "type": "video", "width": 10, "height": 6, "frame_count": 30}]
    found = read(one(frames=frames, ranges=[[2, 12]]), slots=slots)
    (item,) = found.items
    assert (item["kind"], item["frames"]) == ("video", 30)
    assert [(r["frame"], r["x"], r["track"], r.get("text")) for r in found.annotations] == [
        (2, 1, "i", None), (7, 1, "i", "hi"), (10, 5, "i", None),
    ]  # fmt: skip
    assert json.loads(found.annotations[0]["extra"]) == {"darwin": {"ranges": [[2, 12]]}}


def test_masks_in_videos():
    """A mask of a frame comes from the layer of that frame, or of the last one before it."""

    def layer(first):
        runs = [0, first, 1, 1, 0, 59 - first]
        return {"raster_layer": {"dense_rle": runs, "mask_annotation_ids_mapping": {"m": 1}}}

    found = read(
        {"id": "m", "name": "cat", "frames": {n: {"mask": {}} for n in ("1", "2", "4", "5")}},
        {"id": "r", "name": "__raster_layer__", "frames": {"2": layer(3), "5": layer(8)}},
    )  # fmt: skip
    assert [(r["frame"], r["x"]) for r in found.annotations] == [(2, 3), (4, 3), (5, 8)]
    assert found.ledger.groups() == [("rejected", "mask without a raster layer", 1)]


def test_several_slots_are_several_items():
    """Each slot is an item, and annotations are on the one that they name."""
    slots = [{"slot_name": n, "type": "image", "width": 10, "height": 6} for n in ("l", "r")]
    found = read({"name": "cat", "slot_names": ["r"], "tag": {}}, slots=slots)
    assert [i["key"] for i in found.items] == ["a.jpg/l", "a.jpg/r"]
    assert found.annotations[0]["key"] == "a.jpg/r"


def test_images_are_found_and_the_others_added():
    """images/ beside annotations/; an image of no file is an item."""
    out = io.BytesIO()
    Image.new("RGB", (10, 6)).save(out, "PNG")
    files = {"annotations/a.json": doc(name="a.png", path="/cars"),
             "images/cars/a.png": out.getvalue(), "images/b.png": out.getvalue()}  # fmt: skip
    found = read_files("darwin", files)
    assert [(i["key"], i["media"]) for i in found.items] == [
        ("cars/a.png", "images/cars/a.png"), ("b.png", "images/b.png"),
    ]  # fmt: skip


def test_two_files_about_one_image():
    """The annotations of both are kept, and it is told; backslashes are slashes."""
    files = {
        "a.json": doc(one(tag={}), name="x\\a.jpg"),
        "b.json": doc(one(tag={}), name="x/a.jpg"),
    }
    found = read_files("darwin", files)
    assert [i["key"] for i in found.items] == ["x/a.jpg"]
    assert len(found.annotations) == 2
    assert reasons(found) == [("warning", "two annotation files for one image")]


def test_version_1():
    """An image instead of an item, path instead of paths."""
    data = {
        "dataset": "d",
        "annotations": [{"name": "cat", "polygon": {"path": ring(0, 0, 4, 0, 4, 4)}}],
        "image": {"filename": "a.jpg", "path": "/x", "width": 10, "height": 6,
                  "workview_url": "https://x.org"},
    }  # fmt: skip
    assert detect(open_source({"a.json": json.dumps(data).encode()}))[0].format == "darwin"
    found = read_files("darwin", {"a.json": data})
    assert (found.items[0]["key"], found.items[0]["width"]) == ("x/a.jpg", 10)
    assert found.annotations[0]["points"] == [0, 0, 4, 0, 4, 4]


# -- malformed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (one(table={"cells": []}), "table can't be read"),
        (one(), "annotation without a figure can't be read"),
        (one(mask={}), "mask without a raster layer"),
        (one(bounding_box={"x": 1, "y": 2, "w": -3, "h": 1}), "width or height is negative"),
        (one(bounding_box={"x": 1, "y": 2, "w": None, "h": 1}), "coordinate is not a number"),
        (one(polygon={"paths": []}), "no points"),
        (one(polygon={"paths": [ring(0, 0, 1, 1)]}), "too few points"),
        (one(frames={}), "annotation without frames"),
        (one(frames={"x": {}}), "frame is not understood"),
        ("nothing", "annotation is not an object"),
        (one(raster_layer={"dense_rle": [0, 5], "mask_annotation_ids_mapping": {}}),
         "raster layer is not understood"),
        (one(raster_layer={"dense_rle": [0, -5, 1, 65], "mask_annotation_ids_mapping": {}}),
         "raster layer is not understood"),
    ],
)  # fmt: skip
def test_what_can_not_be_read(annotation, reason):
    """One bad annotation is one rejected line; the next one is read."""
    found = read(annotation, one("dog", tag={}))
    assert reasons(found) == [("rejected", reason)]
    (line,) = found.ledger.lines("rejected", reason)
    assert (line["file"], line["item"]) == ("a.json", "a.jpg")
    assert [r["label"] for r in found.annotations] == ["dog"]


def test_a_size_of_10_to_the_9_allocates_nothing():
    """A raster layer over an impossible image is refused before it is unpacked."""
    slots = [{"slot_name": "0", "type": "image", "width": 10**9, "height": 10**9}]
    layer = {"dense_rle": [0, 10**18], "mask_annotation_ids_mapping": {"i": 1}}
    found = read(one(raster_layer=layer), slots=slots)
    assert reasons(found) == [("rejected", "mask is too large")]


def test_what_is_doubtful():
    """Boxes that reach outside, and annotations without a name, are kept and warned of."""
    found = read({"bounding_box": {"x": 8, "y": 2, "w": 5, "h": 1}})
    assert set(reasons(found)) == {
        ("warning", "annotation without a name"), ("warning", "reaches outside the image"),
    }  # fmt: skip
    assert len(found.annotations) == 1


def test_junk_in_any_place():
    """Whatever stands in place of a value, nothing is raised and the ledger balances."""
    document = doc(
        one(polygon={"paths": [ring(0, 0, 4, 0, 4, 4)]}, attributes=["a"],
            properties=[{"name": "p", "value": "v"}], inference={"confidence": 1}),
        one("pose", skeleton={"nodes": [{"name": "n", "x": 1, "y": 2}]}),
        one(ellipse={"center": {"x": 1, "y": 2}, "radius": {"x": 1, "y": 1}, "angle": 0}),
        one(frames={"1": {"bounding_box": {"x": 1, "y": 2, "w": 3, "h": 4}}}),
        {"id": "m", "name": "c", "mask": {}},
        one(raster_layer={"dense_rle": [0, 59, 1, 1], "mask_annotation_ids_mapping": {"m": 1}}),
        one(frames={"1": {"raster_layer": {
            "dense_rle": [0, 59, 1, 1], "mask_annotation_ids_mapping": {"m": 1}}}}),
    )  # fmt: skip
    reads_any_junk("darwin", "a.json", document, {"b.json": doc()})


def test_files_that_are_no_annotations():
    """One broken file of many is a rejected line, another JSON a note; one alone an error."""
    found = read_files("darwin", {"a.json": doc(), "b.json": b"{", "c.json": {"x": 1}})
    assert reasons(found) == [("rejected", "the file is not JSON"), ("note", "not an annotation")]
    with pytest.raises(BrokenFileError, match=r"b\.json"):
        read_files("darwin", {"b.json": json.dumps(doc()).encode()[:50]})


@pytest.mark.parametrize("data", [b"", b"[]", b'{"annotations": [], "images": []}', b'{"item": 1}'])
def test_not_darwin(data):
    """What is missing is said."""
    with pytest.raises(Miss, match="no JSON file with an item and its slots"):
        get_format("darwin").requires(Look(open_source({"a.json": data})))
