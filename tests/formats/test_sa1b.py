"""Segment Anything: one JSON of masks without classes per image."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nbannot import geometry
from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.mask_images import rle_segment
from nbannot.sources import open_source

from .mask_files import digest, lines, picture, read

CASE = "segment_anything/datumaro-segment_anything"


def test_sample(samples, expected):
    """Masks, boxes and values are those that Datumaro reads; one box of the pair is the mask's."""
    with open_source(samples / CASE) as source:
        assert detect(source)[0].format == "sa1b"
    assert get_format("sa1b").writes is False
    found = read("sa1b", samples / CASE)
    truth = json.loads((expected / f"{CASE}.segment_anything.json").read_text())
    wanted = [
        (item["file"], a["area"], a["mask_sha1"], a["attributes"]["predicted_iou"])
        for item in truth["items"] for a in item["annotations"] if a["type"] == "mask"
    ]  # fmt: skip
    got = [
        (r["key"], *digest(r), json.loads(r["attributes"])["predicted_iou"])
        for r in found.annotations
    ]  # fmt: skip
    assert got == wanted
    boxes = [
        a["bbox_xywh"] for i in truth["items"] for a in i["annotations"] if a["type"] == "bbox"
    ]
    assert [[r[n] for n in "xywh"] for r in found.annotations] == boxes
    assert json.loads(found.annotations[0]["extra"]) == {
        "sa1b": {"crop_box": [3.0, 1.0, 2.0, 5.0], "point_coords": [[3, 4]]}
    }
    assert [(i["key"], i["source_id"], i["width"], i["height"]) for i in found.items] == [
        ("a.jpg", "1", 10, 5), ("b.jpg", "2", 5, 10),
    ]  # fmt: skip
    # The sample's second mask is empty, and lies across.
    assert lines(found, "outcome", "reason", "item") == [
        ("warning", "mask and image differ in size", "b.jpg"),
        ("warning", "mask is empty", "b.jpg"),
    ]


def _json(*annotations, **image):
    head = {"image_id": 7, "width": 3, "height": 2, "file_name": "a.jpg", **image}
    return json.dumps({"image": head, "annotations": annotations}).encode()


def _mask(counts, size=(2, 3), **more):
    return {"segmentation": {"size": list(size), "counts": counts}, "predicted_iou": 0.5, **more}


def test_folders_and_missing_images():
    """Keys are paths below the folder of all; UTF-16 and backslashes are read."""
    files = {
        "data/sa_0/a.json": _json(_mask([1, 5])), "data/sa_0/a.jpg": picture(3, 2),
        "data/sa_1/a.json": _json(_mask([1, 5]), file_name=".\\a.jpg").decode().encode("utf-16"),
    }  # fmt: skip
    found = read("sa1b", files)
    assert [(i["key"], i.get("media")) for i in found.items] == [
        ("sa_0/a.jpg", "data/sa_0/a.jpg"), ("sa_1/a.jpg", None),
    ]  # fmt: skip
    assert lines(found, "reason", "item") == [("image file missing", "sa_1/a.jpg")]
    found = read("sa1b", {"json/a.json": _json(_mask([1, 5])), "images/a.jpg": picture(3, 2)})
    assert [(i["key"], i["media"]) for i in found.items] == [("a.jpg", "images/a.jpg")]


def test_malformed_annotations():
    """Each bad mask is a line that names it; the good ones stay, whatever the size they claim."""
    files = {
        "a.json": _json(
            _mask([1, 5], area=4), _mask([1, 4]), _mask([-1, 7]), _mask("\x01"), _mask("é"),
            _mask("oooooooooo"), _mask(3), _mask([1, 5], size=(0, 3)), {"predicted_iou": 1}, 7,
            _mask([10**18], size=(10**9, 10**9)), _mask([[1], [2, 3]]), _mask([6]),
            _mask([0, 3, 0, 3], bbox=[0, 0, 3, 2]), _mask([1, 2.5, 2.5]),
        )
    }  # fmt: skip
    found = read("sa1b", files)
    assert lines(found, "outcome", "reason", "record") == [
        ("warning", "area is not the mask's", "annotation 1"),
        ("rejected", "mask can't be read", "annotation 2"),
        ("rejected", "mask can't be read", "annotation 3"),
        ("rejected", "mask can't be read", "annotation 4"),
        ("rejected", "mask can't be read", "annotation 5"),
        ("rejected", "mask can't be read", "annotation 6"),
        ("rejected", "mask without counts", "annotation 7"),
        ("rejected", "mask without size", "annotation 8"),
        ("rejected", "mask without size", "annotation 9"),
        ("rejected", "mask without size", "annotation 10"),
        ("rejected", "mask without size", "annotation 11"),
        ("rejected", "mask can't be read", "annotation 12"),
        ("warning", "mask is empty", "annotation 13"),
        ("rejected", "mask can't be read", "annotation 15"),
    ]
    assert [digest(row)[0] for row in found.annotations] == [5, 0, 6]
    assert "extra" not in found.annotations[2]


def test_rle_is_taken_as_it_is():
    """Compressed counts come back byte by byte, and areas and boxes agree with numpy."""
    rng = np.random.default_rng(3)
    for density in (0.02, 0.5, 0.98):
        mask = rng.random((37, 53)) < density
        counts = geometry.mask_to_rle(mask)
        segment = rle_segment(counts, 37, 53)
        assert segment is not None
        ys, xs = np.nonzero(mask)
        assert segment.row["mask"] == counts
        assert segment.area == mask.sum()
        assert [segment.row[n] for n in "xywh"] == [
            xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1,
        ]  # fmt: skip


def test_broken_files():
    """One of many is a rejected record; the only one is an error that names it."""
    files = {"a.json": _json(_mask([1, 5])), "b.json": b'{"image": {"fi', "c.json": b"{}"}
    found = read("sa1b", files)
    assert lines(found, "outcome", "reason", "file") == [
        ("rejected", "the file is not JSON", "b.json"),
        ("rejected", "no image and annotations", "c.json"),
    ]
    assert len(found.annotations) == 1
    with pytest.raises(BrokenFileError, match=r"b\.json"):
        read("sa1b", {"b.json": files["b.json"]})


def test_not_this_format():
    """COCO, and JSON of others with images and annotations, are not taken."""
    for data in (b'{"images": [], "annotations": []}', b'{"image": {"image_id": 1}}', b""):
        with open_source({"a.json": data}) as source:
            found = next(c for c in detect(source) if c.format == "sa1b")
        assert (found.confidence, bool(found.missing)) == (0, True)


def test_a_preview_is_a_prefix(samples):
    """The first item of the whole read, with all that is on it."""
    whole, some = read("sa1b", samples / CASE), read("sa1b", samples / CASE, limit=1)
    assert (some.items, some.annotations) == (whole.items[:1], whole.annotations[:1])
