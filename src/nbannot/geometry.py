"""Conversions of geometry, on numpy arrays: boxes, rotated boxes, polygons, masks, RLE.

All boxes are float64 arrays of shape (n, 4). Pixels, origin top left, y down, angles in
degrees clockwise (as seen on the screen).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "bounds",
    "box_corners",
    "corners_to_box",
    "cxcywh_to_xywh",
    "mask_to_rings",
    "mask_to_rle",
    "orient_mask",
    "orient_points",
    "orient_xywh",
    "ring_area",
    "rings_to_mask",
    "rle_to_mask",
    "xywh_to_cxcywh",
    "xywh_to_xyxy",
    "xyxy_to_xywh",
]

Floats = NDArray[np.float64]


def _boxes(values: ArrayLike) -> Floats:
    return np.asarray(values, np.float64).reshape(-1, 4)


def xyxy_to_xywh(boxes: ArrayLike) -> Floats:
    """Return (x, y, w, h) of boxes (x1, y1, x2, y2)."""
    b = _boxes(boxes)
    return np.concatenate([b[:, :2], b[:, 2:] - b[:, :2]], axis=1)


def xywh_to_xyxy(boxes: ArrayLike) -> Floats:
    """Return (x1, y1, x2, y2) of boxes (x, y, w, h)."""
    b = _boxes(boxes)
    return np.concatenate([b[:, :2], b[:, :2] + b[:, 2:]], axis=1)


def cxcywh_to_xywh(boxes: ArrayLike) -> Floats:
    """Return (x, y, w, h) of boxes (centre x, centre y, w, h)."""
    b = _boxes(boxes)
    return np.concatenate([b[:, :2] - b[:, 2:] / 2, b[:, 2:]], axis=1)


def xywh_to_cxcywh(boxes: ArrayLike) -> Floats:
    """Return (centre x, centre y, w, h) of boxes (x, y, w, h)."""
    b = _boxes(boxes)
    return np.concatenate([b[:, :2] + b[:, 2:] / 2, b[:, 2:]], axis=1)


def box_corners(boxes: ArrayLike, degrees: ArrayLike) -> Floats:
    """Return the corners, shape (n, 4, 2), of boxes (x, y, w, h) turned about their centres.

    The first corner is the unrotated box's top left, then clockwise.

    >>> box_corners([[0, 0, 4, 2]], [90]).round(6)[0].tolist()
    [[3.0, -1.0], [3.0, 3.0], [1.0, 3.0], [1.0, -1.0]]
    """
    b = _boxes(boxes)
    angle = np.radians(np.asarray(degrees, np.float64).reshape(-1, 1))
    half = b[:, None, 2:] / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    cos, sin = np.cos(angle), np.sin(angle)
    turned = np.stack(
        [half[..., 0] * cos - half[..., 1] * sin, half[..., 0] * sin + half[..., 1] * cos], axis=-1
    )
    out: Floats = turned + (b[:, None, :2] + b[:, None, 2:] / 2)
    return out


def corners_to_box(corners: ArrayLike) -> tuple[Floats, Floats]:
    """Return boxes (x, y, w, h) and degrees of quadrangles of shape (n, 4, 2).

    Exact for rectangles whose corners come clockwise; of others, the rectangle with the mean
    of opposite sides. Degrees are in (-180, 180].

    >>> box, angle = corners_to_box(box_corners([[1, 2, 4, 2]], [30]))
    >>> box.round(6).tolist(), angle.round(6).tolist()
    ([[1.0, 2.0, 4.0, 2.0]], [30.0])
    """
    c = np.asarray(corners, np.float64).reshape(-1, 4, 2)
    along = (c[:, 1] - c[:, 0] + c[:, 2] - c[:, 3]) / 2
    down = (c[:, 3] - c[:, 0] + c[:, 2] - c[:, 1]) / 2
    size = np.stack([np.hypot(*along.T), np.hypot(*down.T)], axis=1)
    box = np.concatenate([c.mean(axis=1) - size / 2, size], axis=1)
    return box, np.degrees(np.arctan2(along[:, 1], along[:, 0]))


def bounds(flat: ArrayLike, starts: ArrayLike) -> Floats:
    """Return the bounding box (x, y, w, h) of each list of points.

    Args:
        flat: all points, x, y, x, y, ...
        starts: offsets into `flat`, one longer than there are lists (an Arrow list's offsets);
            no list may be empty.

    >>> bounds([0, 0, 4, 2, 1, 1, 3, 5], [0, 4, 8]).tolist()
    [[0.0, 0.0, 4.0, 2.0], [1.0, 1.0, 2.0, 4.0]]
    """
    xy = np.asarray(flat, np.float64).reshape(-1, 2)
    begin = np.asarray(starts, np.int64)[:-1] // 2
    if not len(begin):
        return np.empty((0, 4))
    low = np.minimum.reduceat(xy, begin, axis=0)
    return np.concatenate([low, np.maximum.reduceat(xy, begin, axis=0) - low], axis=1)


def ring_area(points: ArrayLike) -> float:
    """Return the area of one ring (x, y, x, y, ...), positive when clockwise on the screen."""
    xy = np.asarray(points, np.float64).reshape(-1, 2)
    x, y = xy[:, 0], xy[:, 1]
    return float((x @ np.roll(y, -1) - np.roll(x, -1) @ y) / 2)


def mask_to_rle(mask: ArrayLike) -> bytes:
    """Return the COCO compressed RLE counts of a 2-D mask (non-zero is inside)."""
    from pycocotools import mask as coco_mask

    encoded: dict[str, Any] = coco_mask.encode(np.asfortranarray(np.asarray(mask) != 0, np.uint8))
    counts: bytes = encoded["counts"]
    return counts


def rle_to_mask(counts: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """Return the mask, shape (height, width), values 0 and 1, of COCO compressed RLE counts.

    >>> rle_to_mask(mask_to_rle([[0, 1], [1, 1]]), 2, 2).tolist()
    [[0, 1], [1, 1]]
    """
    from pycocotools import mask as coco_mask

    decoded: NDArray[np.uint8] = coco_mask.decode({"counts": counts, "size": [height, width]})
    return decoded


def split_rings(points: ArrayLike, rings: Sequence[int] | None) -> list[tuple[Floats, bool]]:
    """Return each ring of a polygon row as ((n, 2) points, is it a hole?)."""
    xy = np.asarray(points, np.float64).reshape(-1, 2)
    out, start = [], 0
    for count in rings if rings is not None and len(rings) else [len(xy)]:
        out.append((xy[start : start + abs(count)], count < 0))
        start += abs(count)
    return out


def rings_to_mask(
    points: ArrayLike, rings: Sequence[int] | None, height: int, width: int
) -> NDArray[np.uint8]:
    """Return the mask that a polygon row covers; holes are cut out of the ring before them.

    Rasterised as pycocotools does, so areas agree with it.
    """
    from pycocotools import mask as coco_mask

    whole = np.zeros((height, width), np.uint8)
    part = whole.copy()
    for xy, hole in split_rings(points, rings):
        if not hole:
            whole |= part
            part = np.zeros_like(whole)
        if len(xy) < 3:
            continue
        encoded = coco_mask.frPyObjects([xy.ravel().tolist()], height, width)
        ring = coco_mask.decode(encoded)[:, :, 0]
        part = part & ~ring & 1 if hole else part | ring
    return whole | part


def mask_to_rings(mask: ArrayLike) -> tuple[list[float], list[int]]:
    """Return (points, rings) of the outlines of a mask along pixel edges, holes included.

    Exact: `rings_to_mask` of the result covers the same area. Points lie on pixel corners.

    >>> mask_to_rings([[1, 1], [1, 1]])
    ([0.0, 0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0], [4])
    """
    m = np.pad(np.asarray(mask) != 0, 1).astype(np.int8)
    # Directed unit edges with the inside on the right: clockwise outlines, holes the other way.
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def add(edges: NDArray[Any], a: tuple[int, int], b: tuple[int, int]) -> None:
        for r, c in np.argwhere(edges).tolist():
            steps.setdefault((c + a[0], r + a[1]), []).append((c + b[0], r + b[1]))

    inside = m[1:-1, 1:-1]
    add(inside & (m[:-2, 1:-1] == 0), (0, 0), (1, 0))  # top edges, to the right
    add(inside & (m[1:-1, 2:] == 0), (1, 0), (1, 1))  # right edges, down
    add(inside & (m[2:, 1:-1] == 0), (1, 1), (0, 1))  # bottom edges, to the left
    add(inside & (m[1:-1, :-2] == 0), (0, 1), (0, 0))  # left edges, up
    outers: list[list[tuple[int, int]]] = []
    holes: list[list[tuple[int, int]]] = []
    while steps:
        start = min(steps, key=lambda p: (p[1], p[0]))
        ring, here, heading = [], start, (0, 0)
        while True:
            nexts = steps[here]
            # Where two outlines touch at a corner, turn right: they stay apart.
            right = (here[0] - heading[1], here[1] + heading[0])
            there = right if right in nexts and len(nexts) > 1 else nexts[0]
            nexts.remove(there)
            if not nexts:
                del steps[here]
            turn = (there[0] - here[0], there[1] - here[1])
            if turn != heading:
                ring.append(here)
            here, heading = there, turn
            if here == start:
                break
        (outers if ring_area(ring) > 0 else holes).append(ring)
    return _nest(outers, holes)


def _nest(
    outers: list[list[tuple[int, int]]], holes: list[list[tuple[int, int]]]
) -> tuple[list[float], list[int]]:
    points: list[float] = []
    rings: list[int] = []
    left = list(holes)
    for outer in sorted(outers, key=lambda r: abs(ring_area(r))):
        mine = [h for h in left if _inside(h, outer)]
        left = [h for h in left if h not in mine]
        for ring, sign in [(outer, 1), *((h, -1) for h in mine)]:
            points += [float(v) for p in ring for v in p]
            rings.append(sign * len(ring))
    return points, rings


def _inside(hole: list[tuple[int, int]], outer: list[tuple[int, int]]) -> bool:
    # Is the middle of the pixel at the hole's first corner within the outer ring?
    x, y = hole[0][0] + 0.5, hole[0][1] + 0.5
    odd = False
    for (x1, y1), (x2, y2) in zip(outer, outer[1:] + outer[:1], strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            odd = not odd
    return odd


# EXIF orientation: what must be done to the stored pixels so that they are as displayed.
# A point (x, y) of the stored image, width w, height h, is displayed at:
_DISPLAYED = {
    1: lambda x, y, w, h: (x, y),
    2: lambda x, y, w, h: (w - x, y),
    3: lambda x, y, w, h: (w - x, h - y),
    4: lambda x, y, w, h: (x, h - y),
    5: lambda x, y, w, h: (y, x),
    6: lambda x, y, w, h: (h - y, x),
    7: lambda x, y, w, h: (h - y, w - x),
    8: lambda x, y, w, h: (y, w - x),
}


def orient_points(points: ArrayLike, orientation: int, width: float, height: float) -> Floats:
    """Return points (n, 2) of the stored image as points of the image as displayed.

    Args:
        points: (n, 2), in the stored image of `width` x `height`.
        orientation: EXIF orientation, 1 to 8.
        width: pixels, of the stored image.
        height: pixels, of the stored image.
    """
    xy = np.asarray(points, np.float64).reshape(-1, 2)
    return np.stack(_DISPLAYED[orientation](xy[:, 0], xy[:, 1], width, height), axis=1)


def orient_xywh(boxes: ArrayLike, orientation: int, width: float, height: float) -> Floats:
    """Return boxes of the stored image as boxes of the image as displayed."""
    corners = xywh_to_xyxy(boxes)
    a = orient_points(corners[:, :2], orientation, width, height)
    b = orient_points(corners[:, 2:], orientation, width, height)
    low = np.minimum(a, b)
    return np.concatenate([low, np.maximum(a, b) - low], axis=1)


def orient_mask(mask: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return a mask of the stored image as a mask of the image as displayed."""
    turned = {
        1: lambda m: m,
        2: lambda m: m[:, ::-1],
        3: lambda m: m[::-1, ::-1],
        4: lambda m: m[::-1],
        5: lambda m: m.T,
        6: lambda m: np.rot90(m, -1),
        7: lambda m: m[::-1, ::-1].T,
        8: lambda m: np.rot90(m, 1),
    }
    out: NDArray[np.uint8] = np.ascontiguousarray(turned[orientation](mask))
    return out
