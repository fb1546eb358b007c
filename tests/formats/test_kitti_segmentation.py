"""KITTI segmentation: instances in 16 bits, classes, colours."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import Example, example, written
from nbannot.geometry import mask_to_rle
from nbannot.schema import Label
from nbannot.sources import open_source

from .mask_files import PaintedCases, lexed, lines, masks_of, picture, png, read, told

INSTANCE = "training/instance/1.png"


class TestKittiSegmentation(PaintedCases):
    """Instances are told apart."""

    format_name = "kitti-segmentation"
    merges = False

    def container(self, files):
        """None: see test_malformed."""

    def _is_mask(self, path):
        return "/instance/" in path or "/semantic" in path


def test_sample(samples, expected):
    """The masks are those that Datumaro reads; crowds only of classes that have instances."""
    with open_source(samples / "kitti/datumaro-kitti_segmentation") as source:
        assert detect(source)[0].format == "kitti-segmentation"
    found = read("kitti-segmentation", samples / "kitti/datumaro-kitti_segmentation")
    got = {
        place: sorted((label.replace(" ", ""), area, sha) for label, area, sha in rows)
        for place, rows in masks_of(found).items()
    }
    assert got == told(expected / "kitti/datumaro-kitti_segmentation.kitti.json")
    assert [row.get("source_id") for row in found.annotations] == [
        None, "6913", "6914", None, "3073", "7937",
    ]  # fmt: skip
    assert all("extra" not in row for row in found.annotations)
    assert lines(found, "reason") == []


def test_instances_before_classes_before_colours():
    """The three say the same; the one that says most is read."""
    files = {
        INSTANCE: png([[0, 7 << 8, 26 << 8, (26 << 8) + 1]], dtype=np.uint16),
        "training/semantic/1.png": png([[0, 7, 26, 26]]),
        "training/semantic_rgb/1.png": png([[(0, 0, 0), (128, 64, 128), (0, 0, 142), (0, 0, 142)]]),
        "training/image_2/1.jpg": picture(4, 1, "JPEG"),
        "training/image_2/2.jpg": picture(4, 1, "JPEG"),
    }
    found = read("kitti-segmentation", files)
    assert [(r["label"], r.get("extra")) for r in found.annotations] == [
        ("road", None), ("car", '{"iscrowd":1}'), ("car", None),
    ]  # fmt: skip
    assert [(i["subset"], i["key"]) for i in found.items] == [
        ("training", "1.jpg"), ("training", "2.jpg"),
    ]  # fmt: skip
    merged = [("road", [[0, 1, 0, 0]]), ("car", [[0, 0, 1, 1]])]
    del files[INSTANCE]
    assert lexed(read("kitti-segmentation", files)) == merged
    del files["training/semantic/1.png"]
    assert lexed(read("kitti-segmentation", files)) == merged


def test_classes_of_ones_own():
    """label_colors.txt numbers the classes."""
    files = {"label_colors.txt": b"0 0 0 nothing\n1 2 3 cat\n",
             INSTANCE: png([[0, 257, 258, 512]], dtype=np.uint16)}  # fmt: skip
    found = read("kitti-segmentation", files)
    assert [row["label"] for row in found.annotations] == ["cat", "cat", "class_2"]
    assert lines(found, "outcome", "reason", "record") == [
        ("warning", "a value that no class has", "value 512")
    ]


def test_malformed():
    """A cut mask, one of another size, one without an image: each is a line."""
    whole = png(np.full((40, 40), 7 << 8), dtype=np.uint16)
    files = {
        "t/image_2/a.png": picture(40, 40), "t/instance/a.png": whole[:60],
        "t/image_2/b.png": picture(20, 20), "t/instance/b.png": whole, "t/instance/c.png": whole,
    }  # fmt: skip
    found = read("kitti-segmentation", files)
    assert lines(found, "outcome", "reason", "item") == [
        ("rejected", "the mask can't be read", "a.png"),
        ("warning", "mask and image differ in size", "b.png"),
        ("warning", "image file missing", "c.png"),
    ]
    assert [row["mask_width"] for row in found.annotations] == [20, 40]
    with pytest.raises(BrokenFileError, match=r"label_colors\.txt"):
        read("kitti-segmentation", {**files, "label_colors.txt": b"0 0 300 x"})


def test_not_this_format():
    """Instances without image_2 are other formats'."""
    for files in ({"x/instance/a.png": png([[1]])}, {"image_2/a.png": picture(2, 2)}):
        with open_source(files) as source:
            found = next(c for c in detect(source) if c.format == "kitti-segmentation")
        assert (found.confidence, bool(found.missing)) == (0, True)


def test_what_is_written():
    """Official classes keep their ids, and crowds are instance 0."""
    mask = np.zeros((1, 4), np.uint8)
    mask[0, 1] = 1
    row = {"item": "a.png", "type": "mask", "mask": mask_to_rle(mask), "mask_height": 1,
           "mask_width": 4}  # fmt: skip
    other = {**row, "mask": mask_to_rle([[0, 0, 1, 0]])}
    rows = [{**row, "label": "car"}, {**other, "label": "car", "extra": '{"iscrowd":1}'}]
    items = {"training": [{"key": "a.png", "width": 4, "height": 1}]}
    made = Example(items, {"training": rows}, (Label("car"),))
    files = written(get_format("kitti-segmentation"), made)
    ids = np.asarray(Image.open(io.BytesIO(files["training/instance/a.png"])))
    assert ids.tolist() == [[0, (26 << 8) + 1, 26 << 8, 0]]
    assert "label_colors.txt" not in files
    files = written(get_format("kitti-segmentation"), example(("mask",)))
    assert files["label_colors.txt"].startswith(b"0 0 0 unlabeled\n128 0 0 cat\n")
