"""CamVid: lists, folders with annot behind their name, and colours."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import example, written
from nbannot.sources import open_source

from .mask_files import PaintedCases, lexed, lines, masks_of, picture, png, read, told

COLORS = b"0 0 0 Void\n1 2 3 Car\n4 5 6 big tree\n"


class CamVidCases(PaintedCases):
    """Masks are in folders called trainannot."""

    format_name = "camvid"

    def container(self, files):
        """None: see test_a_broken_list_of_classes_is_named."""

    def _is_mask(self, path):
        return "annot/" in path


class TestColor(CamVidCases):
    """RGB masks."""


class TestIndex(CamVidCases):
    """Grey masks."""

    write_options = {"encoding": "index"}


def test_sample(samples, expected):
    """Labels and masks are those that Datumaro reads, but for Void, the background."""
    with open_source(samples / "camvid/datumaro-camvid") as source:
        assert detect(source)[0].format == "camvid"
    found = read("camvid", samples / "camvid/datumaro-camvid")
    assert masks_of(found) == told(expected / "camvid/datumaro-camvid.camvid.json")
    assert len(found.labels) == 31
    assert found.labels["Animal"].color == "#408040"
    assert lines(found, "reason") == []
    assert all(item["width"] == 5 for item in found.items)


def test_lists_and_folders():
    """Quotes, absolute paths of other machines, backslashes, CRLF, and what no list names."""
    files = {
        "label_colors.txt": COLORS,
        "train.txt": b'"/train/a b.png" "/trainannot/a b.png"\r\n'
        b"/SegNet/CamVid/train/c.jpg /SegNet/CamVid/trainannot/c.png\r\n"
        b"train\\x\\d.png trainannot\\x\\d.png\r\n",
        "train/a b.png": picture(2, 1), "trainannot/a b.png": png([[(0, 0, 0), (1, 2, 3)]]),
        "train/c.jpg": picture(2, 1, "JPEG"), "trainannot/c.png": png([[1, 2]]),
        "train/x/d.png": picture(2, 1), "trainannot/x/d.png": png([[0, 0]]),
        "train/e.png": picture(2, 1), "train/f.png": picture(2, 1),
        "trainannot/f.png": png([[2, 2]]),
    }  # fmt: skip
    found = read("camvid", files)
    assert [(i["subset"], i["key"]) for i in found.items] == [
        ("train", key) for key in ("a b.png", "c.jpg", "x/d.png", "e.png", "f.png")
    ]
    assert lexed(found) == [
        ("Car", [[0, 1]]), ("Car", [[1, 0]]), ("big tree", [[0, 1]]), ("big tree", [[1, 1]]),
    ]  # fmt: skip
    assert lines(found, "reason") == []


def test_malformed_lists():
    """A line of three words, a mask and an image that are not there: each is told."""
    files = {
        "label_colors.txt": COLORS,
        "val.txt": b"/val/a b.png /valannot/a b.png\n/val/c.png /valannot/c.png\n"
        b"/val/d.png /valannot/d.png\n",
        "val/c.png": picture(2, 1),
        "valannot/d.png": png([[1, 1]]),
    }
    found = read("camvid", files)
    assert lines(found, "outcome", "reason", "file", "where", "item") == [
        ("rejected", "line is not understood", "val.txt", "line 1", ""),
        ("rejected", "mask file missing", "val.txt", "line 2", "c.png"),
        ("warning", "image file missing", "valannot/d.png", "", "d.png"),
    ]
    assert lexed(found) == [("Car", [[1, 1]])]


def test_an_unknown_colour():
    """It is kept under its own name, with a warning."""
    files = {"label_colors.txt": COLORS, "a/1.png": picture(2, 1)}
    files["aannot/1.png"] = png([[(9, 9, 8), (1, 2, 3)]])
    found = read("camvid", files)
    assert lexed(found) == [("#090908", [[1, 0]]), ("Car", [[0, 1]])]
    assert lines(found, "outcome", "reason", "record") == [
        ("warning", "a value that no class has", "colour #090908")
    ]


def test_indices_without_names():
    """Indices up to 11 are SegNet's; there, 0 is Sky and 11 the background."""
    found = read("camvid", {"train/a.png": picture(3, 1), "trainannot/a.png": png([[0, 8, 11]])})
    assert [label for label, _ in lexed(found)] == ["Sky", "Car"]
    found = read("camvid", {"train/a.png": picture(2, 1), "trainannot/a.png": png([[0, 80]])})
    assert [label for label, _ in lexed(found)] == ["class_0", "class_80"]


def test_a_broken_list_of_classes_is_named():
    """A colour of 999 is said with its line."""
    files = {"label_colors.txt": b"0 0 999 Void", "trainannot/a.png": png([[1]])}
    with pytest.raises(BrokenFileError, match=r"label_colors\.txt, line 1"):
        read("camvid", files)


def test_broken_masks():
    """An empty file and a cut one are one rejected record each."""
    whole = png([[1, 2]])
    files = {"t/a.png": picture(2, 1), "tannot/a.png": b"", "tannot/b.png": whole[:40],
             "tannot/c.png": whole, "label_colors.txt": COLORS}  # fmt: skip
    found = read("camvid", files)
    assert [line[0] for line in lines(found, "reason") if "can't" in line[0]] == [
        "the mask can't be read"
    ] * 2
    assert len(found.annotations) == 2


def test_not_this_format():
    """Folders of images are not taken; nor is a folder called annot."""
    for files in ({"train/a.png": picture(1, 1)}, {"annot/a.png": png([[1]])}):
        with open_source(files) as source:
            found = next(c for c in detect(source) if c.format == "camvid")
        assert (found.confidence, bool(found.missing)) == (0, True)


def test_what_is_written():
    """The lists and the colours are as CVAT has them."""
    files = written(get_format("camvid"), example(("mask",)))
    train = files["train.txt"].decode().splitlines()
    assert train[0] == "/train/a/1.jpg /trainannot/a/1.png"
    assert train[3] == '"/train/ordner/größe ✓ 1.2.jpg" "/trainannot/ordner/größe ✓ 1.2.png"'
    names = files["label_colors.txt"].decode().splitlines()
    assert names[:3] == ["0 0 0 Void", "128 0 0 cat", "0 128 0 big dog"]
    mask = Image.open(io.BytesIO(files["trainannot/a/1.png"]))
    assert (mask.mode, mask.getpixel((8, 4)), mask.getpixel((0, 0))) == (
        "RGB", (128, 0, 0), (0, 0, 0),
    )  # fmt: skip
