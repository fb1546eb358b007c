"""Figures in JSON: rings within rings, rotated boxes, bitmaps that lie about their size."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats.json_shapes import Unusable, bitmap, doubts, mask, nested_rings, rotated_box
from nbannot.geometry import box_corners

from .json_junk import nested, read_files


def square(left, top, side):
    """Return a square ring."""
    return [left, top, left + side, top, left + side, top + side, left, top + side]


def test_an_island_in_a_hole_is_a_part():
    """Even-odd: a ring in a hole is solid again, and comes with its own holes."""
    rings = [square(0, 0, 90), square(10, 10, 70), square(20, 20, 50), square(30, 30, 10)]
    made = nested_rings(rings[::-1])
    assert made == [
        (rings[2], False), (rings[3], True), (rings[0], False), (rings[1], True),
    ]  # fmt: skip


def test_a_hole_that_touches_its_outline():
    """A hole with a vertex on the outer ring is a hole; an equal ring beside it is a part."""
    hole = [0.0, 5.0, 5.0, 4.0, 5.0, 6.0]
    assert nested_rings([square(0, 0, 10), hole])[1] == (hole, True)
    assert [h for _, h in nested_rings([square(0, 0, 10), square(10, 0, 10)])] == [False, False]


@pytest.mark.parametrize("degrees", [30, -60, 180])
def test_rotated_boxes_come_back(degrees):
    """Corners of a rectangle, in either direction, give a box with those corners."""
    corners = box_corners([[10, 20, 40, 8]], [degrees])[0]
    for order in ([0, 1, 2, 3], [0, 3, 2, 1]):
        made = rotated_box(corners[order].ravel().tolist())
        again = box_corners([[made[n] for n in "xywh"]], [made["rotation"]])[0]
        assert sorted(again.round(6).tolist()) == sorted(corners.round(6).tolist())


def test_four_corners_that_are_no_rectangle():
    """They stay a polygon."""
    assert rotated_box([0, 0, 10, 0, 5, 10, 0, 10])["type"] == "polygon"


def claims(width, height):
    """Return a PNG of one pixel whose header claims another size."""
    out = io.BytesIO()
    Image.new("L", (1, 1)).save(out, "PNG")
    data = bytearray(out.getvalue())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def test_bitmaps_of_one_bit():
    """A picture of one bit per pixel is a mask as well."""
    image = Image.new("1", (3, 2))
    image.putpixel((1, 1), 1)
    out = io.BytesIO()
    image.save(out, "PNG")
    values = bitmap(base64.b64encode(out.getvalue()).decode())
    assert (values != 0).tolist() == [[False, False, False], [False, True, False]]


@pytest.mark.parametrize("data", [zlib.compress(bytes(1 << 27)), claims(40_000, 40_000)])
def test_bitmaps_that_are_bombs(data):
    """Neither what inflates without end nor a picture of 1.6 billion pixels is unpacked."""
    with pytest.raises(Unusable, match=r"more than|pixels|too large"):
        bitmap(base64.b64encode(data).decode())


def test_masks_at_their_place():
    """A mask is put at its origin; of an unknown image it ends where its pixels do."""
    made = mask(np.array([[0, 1], [0, 0]]), 3, 4)
    assert [made[n] for n in ("x", "y", "w", "h", "mask_width", "mask_height")] == [
        4,
        4,
        1,
        1,
        5,
        5,
    ]


@pytest.mark.parametrize("depth", [150, 900, 100_000])
@pytest.mark.parametrize(
    "name", ["supervisely", "darwin", "superannotate", "dataloop", "labelbox", "scale"]
)
def test_files_nested_too_deeply(name, depth):
    """A file nested thousands of times is an error or a rejected record, never a crash."""
    files = {"a.jpg.json": nested(depth), "b.jpg.json": b'{"size": {}, "objects": []}'}
    try:
        found = read_files(name, files)
    except BrokenFileError:
        return
    assert found.balance.rejected >= 1


def test_what_is_doubtful():
    """No area and a place outside the image; a turned box is not measured."""
    empty = {"type": "box", "x": 0.0, "y": 0.0, "w": 0.0, "h": 4.0}
    assert [reason for reason, _ in doubts(empty, 10, 10)] == ["box has no area"]
    wide = {**empty, "w": 11.0}
    assert [reason for reason, _ in doubts(wide, 10, 10)] == ["reaches outside the image"]
    assert doubts({**wide, "rotation": 45.0}, 10, 10) == []
    assert doubts(wide, None, None) == []
