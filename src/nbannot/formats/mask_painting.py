"""Painting annotations over each other, for formats that hold one image of pixels per image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import geometry
from .fitting import Fitting, Row
from .mask_images import MAX_MASK_PIXELS, rle_counts

__all__ = ["Paint", "Painting", "outline"]


class Paint(NamedTuple):
    """A row, and the number of its pixels in the painting."""

    row: Row
    number: int


@dataclass(frozen=True)
class Painting:
    """Rows painted over each other: `numbers` says which one a pixel shows, 0 is none."""

    numbers: NDArray[np.int32]
    paints: tuple[Paint, ...]

    def values(self, of: Callable[[Row], int], dtype: Any = np.uint8) -> NDArray[Any]:
        """Return the painting with ``of(row)`` for the pixels of each row."""
        table = np.zeros(max((p.number for p in self.paints), default=0) + 1, dtype)
        for row, number in self.paints:
            table[number] = of(row)
        return table[self.numbers]

    @classmethod
    def blank(cls, item: Row) -> Painting | None:
        """Return a painting of nothing; None where the image's size is unknown, or too large."""
        width, height = item.get("width") or 0, item.get("height") or 0
        if not 0 < width * height <= MAX_MASK_PIXELS:
            return None
        return cls(np.zeros((height, width), np.int32), ())

    @classmethod
    def of(cls, item: Row, rows: Sequence[Row], fitting: Fitting) -> Painting | None:
        """Paint rows (boxes, ellipses, polygons, masks) by z_order; None where there are none.

        Each one that is not all there afterwards is a line of the ledger.
        """
        width, height = item.get("width"), item.get("height")
        for row in rows:
            if (not width or not height) and row["type"] == "mask":
                width, height = row["mask_width"], row["mask_height"]
        pixels_of_image = (width or 0) * (height or 0)
        too_large = pixels_of_image > MAX_MASK_PIXELS
        flat = np.zeros(0 if too_large else pixels_of_image, np.int32)
        areas: list[tuple[Row, int, int]] = []
        for row in sorted(rows, key=lambda r: r.get("z_order") or 0):
            if not width or not height:
                fitting.reject(item, row, "image size unknown", "a mask needs it")
                continue
            if too_large:
                text = f"{width:,} x {height:,} pixels are more than {MAX_MASK_PIXELS:,}"
                fitting.reject(item, row, "image too large for a mask", text)
                continue
            pixels = _pixels(item, row, width, height, fitting)
            if pixels is not None:
                areas.append((row, len(areas) + 1, len(pixels)))
                flat[pixels] = len(areas)
        left = np.bincount(flat, minlength=len(areas) + 1)
        paints = []
        for row, number, area in areas:
            seen = int(left[number])
            if not seen:
                text = f"all its {area:,} pixels lie under later ones"
                fitting.reject(item, row, "wholly covered", text)
                continue
            paints.append(Paint(row, number))
            if seen < area:
                text = f"{area - seen:,} of its {area:,} pixels lie under a later one"
                fitting.warn(item, row, "partly covered", text)
        if not paints:
            return None
        return cls(flat.reshape((height or 0, width or 0), order="F"), tuple(paints))


_ELLIPSE_POINTS = 64


def _pixels(
    item: Row, row: Row, width: int, height: int, fitting: Fitting
) -> NDArray[np.int64] | None:
    # The pixels of a row as indices into the columns of the image, one after the other.
    kind = row["type"]
    if kind == "mask":
        if (row["mask_width"], row["mask_height"]) != (width, height):
            text = f"{row['mask_width']}x{row['mask_height']} in an image of {width}x{height}"
            fitting.reject(item, row, "a mask has another size than its image", text)
            return None
        try:
            pixels = _indices(row["mask"], width * height)
        except ValueError as error:
            fitting.reject(item, row, "mask can't be read", str(error))
            return None
    else:
        pixels = _inside(row, width, height)
    if not len(pixels):
        fitting.reject(item, row, "nothing to paint", "it covers no pixel of the image")
        return None
    if kind != "mask":
        what = f"rotated {kind}" if row.get("rotation") else kind
        fitting.warn(item, row, f"{what} written as mask", f"{fitting.title} holds pixels only")
    return pixels


def _indices(rle: bytes, total: int) -> NDArray[np.int64]:
    # The pixels of a COCO compressed RLE; runs beyond the image are cut.
    edges = np.clip(np.cumsum(rle_counts(rle)), 0, total)
    starts, ends = edges[:-1:2], edges[1::2]
    lengths = ends - starts
    shift = starts - np.concatenate([[0], np.cumsum(lengths)[:-1]])
    out: NDArray[np.int64] = np.repeat(shift, lengths) + np.arange(int(lengths.sum()))
    return out


def _inside(row: Row, width: int, height: int) -> NDArray[np.int64]:
    points, rings = outline(row), row.get("rings")
    low = np.floor(points.min(axis=0)).astype(np.int64)
    high = np.ceil(points.max(axis=0)).astype(np.int64) + 1
    if (low < 0).any() or high[0] > width or high[1] > height:
        low, high = np.zeros(2, np.int64), np.array([width, height])
    mask = geometry.rings_to_mask(
        (points - low).ravel(), rings, int(high[1] - low[1]), int(high[0] - low[0])
    )
    columns, rows = np.nonzero(mask.T)
    out: NDArray[np.int64] = (columns + low[0]) * height + rows + low[1]
    return out


def outline(row: Row) -> NDArray[np.float64]:
    """Return the corners, (n, 2), of a polygon, box or ellipse; an ellipse has 64."""
    if row["type"] == "polygon":
        return np.asarray(row["points"], np.float64).reshape(-1, 2)
    box, turn = [[row[n] for n in "xywh"]], row.get("rotation") or 0.0
    corners = geometry.box_corners(box, [turn])[0]
    if row["type"] == "box":
        return corners
    angle = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)[:, None]
    along, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    out: NDArray[np.float64] = corners.mean(axis=0) + np.cos(angle) * along + np.sin(angle) * down
    return out
