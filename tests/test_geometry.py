"""Conversions of geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nbannot import geometry as g

coordinates = st.floats(-1e4, 1e4, allow_nan=False).map(lambda v: round(v, 3))
sizes = st.floats(0.1, 1e4).map(lambda v: round(v, 3))
masks = arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 1)
)


@given(coordinates, coordinates, sizes, sizes)
def test_box_conventions_come_back(x: float, y: float, w: float, h: float) -> None:
    """A box through any convention and back is the box."""
    box = [[x, y, w, h]]
    assert np.allclose(g.xyxy_to_xywh(g.xywh_to_xyxy(box)), box)
    assert np.allclose(g.cxcywh_to_xywh(g.xywh_to_cxcywh(box)), box)


@given(coordinates, coordinates, sizes, sizes, st.floats(-179.9, 179.9))
def test_rotated_boxes_come_back(x: float, y: float, w: float, h: float, angle: float) -> None:
    """A rotated box through its corners and back is the box."""
    box, degrees = g.corners_to_box(g.box_corners([[x, y, w, h]], [angle]))
    assert np.allclose(box, [[x, y, w, h]], atol=1e-6)
    assert np.allclose(degrees, [angle], atol=1e-6)


@given(masks)
def test_masks_through_rle_come_back(mask: np.ndarray) -> None:
    """A mask through COCO RLE and back is the mask, also when it is not square."""
    assert (g.rle_to_mask(g.mask_to_rle(mask), *mask.shape) == mask).all()


@settings(max_examples=200)
@given(masks)
def test_outlines_cover_the_mask(mask: np.ndarray) -> None:
    """The outlines of a mask, holes cut out, have its area."""
    points, rings = g.mask_to_rings(mask)
    area = sum(g.ring_area(xy) for xy, _ in g.split_rings(points, rings or None) if len(xy))
    assert area == pytest.approx(mask.sum())


def test_a_hole_stays_a_hole() -> None:
    """A ring-shaped mask has an outer ring and a hole, and is drawn back the same."""
    mask = np.ones((6, 7), np.uint8)
    mask[2:4, 2:5] = 0
    points, rings = g.mask_to_rings(mask)
    assert [abs(r) for r in rings] == [4, 4]
    assert rings[1] < 0
    assert (g.rings_to_mask(points, rings, 6, 7) == mask).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_moves_points_with_the_pixels(orientation: int) -> None:
    """For every EXIF orientation a point stays on its pixel, and a box on its pixels."""
    mask = np.zeros((5, 8), np.uint8)
    mask[1:3, 2:7] = 1
    shown = g.orient_mask(mask, orientation)
    x, y, w, h = g.orient_xywh([[2, 1, 5, 2]], orientation, 8, 5)[0].astype(int)
    assert shown[y : y + h, x : x + w].all()
    assert shown.sum() == w * h
    px, py = g.orient_points([[2.5, 1.5]], orientation, 8, 5)[0]
    assert shown[int(py), int(px)]


def test_orientation_agrees_with_pillow() -> None:
    """What we call displayed is what Pillow's exif_transpose shows."""
    from PIL import Image, ImageOps

    mask = np.zeros((5, 8), np.uint8)
    mask[0, 0] = 255
    mask[1, 5] = 128
    for orientation in range(1, 9):
        image = Image.fromarray(mask)
        exif = image.getexif()
        exif[0x0112] = orientation
        image.info["exif"] = exif.tobytes()
        assert (
            np.asarray(ImageOps.exif_transpose(image)) == g.orient_mask(mask, orientation)
        ).all()


def test_areas_agree_with_pycocotools() -> None:
    """A polygon is rasterised as pycocotools does it."""
    from pycocotools import mask as coco

    ring = [1.5, 2, 20, 3.2, 15, 18, 3, 12]
    theirs = coco.decode(coco.frPyObjects([ring], 20, 30))[:, :, 0]
    assert (g.rings_to_mask(ring, None, 20, 30) == theirs).all()


def test_bounds_of_lists() -> None:
    """The bounding box of each list of points."""
    assert g.bounds([1, 2, 3, 8, 5, 5], [0, 4, 6]).tolist() == [[1, 2, 2, 6], [5, 5, 0, 0]]
    assert g.bounds([], [0]).shape == (0, 4)
