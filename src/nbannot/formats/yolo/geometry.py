"""The geometry of YOLO rows, in pixels of the image as displayed, kind by kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ... import geometry
from .data import Pose
from .rows import BOX, POLYGON, POSE, QUAD, fit_rectangles
from .work import RowWork

__all__ = ["RowGeometry"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_ROUNDING = 1e-5
"""How far outside 0 to 1 an edge may lie by rounding to six decimals."""


class RowGeometry:
    """The geometry columns of the good rows, kind by kind."""

    def __init__(self, work: RowWork, pose: Pose | None) -> None:
        self.work, self.pose = work, pose
        n = len(work.rows)
        self.box = np.full((n, 4), np.nan)
        self.rotation = np.full(n, np.nan)
        self.lists: list[tuple[Integers, Integers, Floats]] = []  # rows, lengths, flat values
        self.visible: list[tuple[Integers, Integers, Floats]] = []
        self.outside = np.zeros(n, bool)
        self.pixels = np.zeros(n, bool)
        self.over = np.zeros(n, bool)

    def columns(self) -> dict[str, Any]:
        """Return x, y, w, h, rotation, points and visibility, one value per row."""
        work, rows = self.work, self.work.rows
        boxes, quads, poses = work.kind(BOX), work.kind(QUAD), work.kind(POSE)
        polygons = work.kind(POLYGON)
        lengths = work.shapes.used[polygons]
        outlines = [
            (mine := polygons[lengths == n], rows.numbers(mine, 1, 1 + n).reshape(-1, n // 2, 2))
            for n in np.unique(lengths).tolist()
        ]
        box_points = rows.numbers(boxes, 1, 5).reshape(-1, 2, 2)
        corners = rows.numbers(quads, 1, 9).reshape(-1, 4, 2)
        pose_points = rows.numbers(poses, 1, 5).reshape(-1, 2, 2)
        given = [(boxes, box_points), (quads, corners), (poses, pose_points), *outlines]
        self._find_pixels([(index, points) for index, points in given if len(index)])

        self._boxes(boxes, box_points)
        self._quads(quads, corners)
        for index, points in outlines:
            self._add_polygons(index, self._outline(index, points))
        if self.pose is not None and len(poses):
            self._boxes(poses, pose_points)
            self._keypoints(poses, self.pose)

        text = "it has coordinates outside 0 to 1; kept as they are"
        work.warn(self.outside & ~self.pixels, "coordinates outside 0 to 1", text)
        text = "it reaches outside the image; kept as it is"
        work.warn(self.over, "reaches outside the image", text)
        columns = {name: self.box[:, k] for k, name in enumerate("xywh")}
        columns["rotation"] = self.rotation
        if self.lists:
            columns["points"] = _list_column(self.lists, len(rows), pa.float64())
        if self.visible:
            columns["visibility"] = _list_column(self.visible, len(rows), pa.int8())
        return columns

    def _find_pixels(self, given: list[tuple[Integers, Floats]]) -> None:
        # Ten times the image's size is no coordinate. Where such values fit the image as pixels,
        # the row is in pixels, and so are the rows of its file that go past 1 and fit.
        work, file = self.work, self.work.rows.file
        sure, likely = self.pixels.copy(), self.pixels.copy()
        for index, points in given:
            low, high = points.min(axis=1), points.max(axis=1)
            fits = (high <= work.size[index] + 1).all(axis=1) & (low >= -1).all(axis=1)
            sure[index] = fits & (high > 10).any(axis=1)
            likely[index] = fits & (high > 1).any(axis=1)
            self.outside[index] = (low < 0).any(axis=1) | (high > 1).any(axis=1)
        self.pixels = sure | (likely & np.isin(file, file[sure])) if sure.any() else sure
        dota = work.flags([i for i, r in work.rows.rescued.items() if r.pixels])
        text = "its coordinates are in pixels, not 0 to 1; read as pixels"
        work.warn(self.pixels & ~dota, "coordinates in pixels", text)
        self.pixels |= dota

    def _scale(self, index: Integers, points: Floats) -> Floats:
        # (n, k, 2) points as given → pixels.
        size = self.work.size[index][:, None, :]
        return points * np.where(self.pixels[index][:, None, None], 1.0, size)

    def _outline(self, index: Integers, points: Floats) -> Floats:
        scaled = self._scale(index, points)
        low, high = scaled.min(axis=1), scaled.max(axis=1)
        over = (low < -1).any(axis=1) | (high > self.work.size[index] + 1).any(axis=1)
        self.over[index] = over & self.pixels[index]
        return scaled

    def _boxes(self, index: Integers, given: Floats) -> None:
        scaled = self._scale(index, given).reshape(-1, 4)
        self.box[index] = geometry.cxcywh_to_xywh(scaled)
        self._check_boxes(index, scaled)

    def _check_boxes(self, index: Integers, scaled: Floats) -> None:
        work = self.work
        slack = work.size[index] * _ROUNDING
        low, high = self.box[index, :2], self.box[index, :2] + self.box[index, 2:]
        over = (low < -slack).any(axis=1) | (high > work.size[index] + slack).any(axis=1)
        over &= ~self.outside[index] | self.pixels[index]  # else it is said already
        self.over[index[over]] = True
        flat = (scaled[:, 2:] == 0).any(axis=1)
        work.warn(work.flags(index[flat]), "box has no area", "its width or height is 0")

    def _quads(self, index: Integers, given: Floats) -> None:
        if not len(index):
            return
        corners = self._outline(index, given)
        boxes, degrees, off = fit_rectangles(corners)
        exact = np.maximum(self.work.size[index].max(axis=1) * 4e-6, 1e-6)  # six decimals
        longest = boxes[:, 2:].max(axis=1)
        fits = off <= np.maximum(exact, np.minimum(1.0, 0.03 * longest))
        self.box[index[fits]], self.rotation[index[fits]] = boxes[fits], degrees[fits]
        for k in np.flatnonzero(fits & (off > exact)).tolist():
            self.work.extra.setdefault(int(index[k]), {})["corners"] = corners[k].ravel().tolist()
        self._add_polygons(index[~fits], corners[~fits])
        text = "its four corners are no rectangle: a polygon"
        which = self.work.flags(index[~fits])
        self.work.tell("note", which, "rotated box that is no rectangle", text)

    def _add_polygons(self, index: Integers, points: Floats) -> None:
        if len(index):
            self.work.shapes.kind[index] = POLYGON
            low = points.min(axis=1)
            self.box[index] = np.concatenate([low, points.max(axis=1) - low], axis=1)
            lengths = np.full(len(index), 2 * points.shape[1])
            self.lists.append((index, lengths, points.ravel()))

    def _keypoints(self, index: Integers, pose: Pose) -> None:
        rows, work = self.work.rows, self.work
        given = np.zeros((len(index), pose.numbers))
        used = work.shapes.used[index] - 4
        for length in np.unique(used).tolist():
            mine = used == length
            given[mine, :length] = rows.numbers(index[mine], 5, 5 + length)
        text = f"it has fewer than {pose.count} keypoints; those that follow are absent"
        short = work.flags(index[used < pose.numbers])
        work.warn(short, "keypoints are missing", text)
        keypoints = given.reshape(-1, pose.count, pose.dims)
        points = self._scale(index, keypoints[:, :, :2])
        low, high = keypoints[:, :, :2].min(axis=(1, 2)), keypoints[:, :, :2].max(axis=(1, 2))
        self.outside[index] |= (low < 0) | (high > 1)
        visible = self._visibility(index, keypoints)
        kept = self._joints(index, pose, visible)
        count = kept.sum(axis=1)
        self.lists.append((index, 2 * count, points[kept].ravel()))
        self.visible.append((index, count, visible[kept]))

    def _visibility(self, index: Integers, keypoints: Floats) -> Floats:
        if keypoints.shape[2] == 2:  # Ultralytics takes negative ones as absent; others write 0 0
            xy = keypoints[:, :, :2]
            return np.where((xy < 0).any(axis=2) | (xy == 0).all(axis=2), 0.0, 2.0)
        given = keypoints[:, :, 2]
        odd_rows: Flags = np.asarray((~np.isin(given, (0, 1, 2))).any(axis=1))
        odd = self.work.flags(index[odd_rows])
        for k in np.flatnonzero(odd_rows).tolist():  # a model's confidence per point
            self.work.extra.setdefault(int(index[k]), {})["keypoint_scores"] = given[k].tolist()
        text = "its visibility is not 0, 1 or 2: a confidence, kept in `extra`"
        self.work.warn(odd, "keypoint confidence for visibility", text)
        by_score = np.select([given >= 0.5, given > 0], [2.0, 1.0], 0.0)
        return np.where(odd_rows[:, None], by_score, given)

    def _joints(self, index: Integers, pose: Pose, visible: Floats) -> Flags:
        # A class with fewer named points than K has its rows padded with absent ones.
        kept = np.ones(visible.shape, bool)
        numbers = self.work.rows.values[self.work.rows.start[index]].astype(np.int64)
        for number, names in pose.names.items():
            padded = (numbers == number) & ~visible[:, len(names) :].any(axis=1)
            kept[padded, len(names) :] = False
        return kept


def _list_column(parts: list[tuple[Integers, Integers, Floats]], n: int, kind: Any) -> pa.Array:
    lengths = np.zeros(n, np.int64)
    for rows, counts, _ in parts:
        lengths[rows] = counts
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    flat = np.empty(offsets[-1])
    for rows, counts, values in parts:
        place = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
        flat[np.repeat(offsets[rows], counts) + place] = values
    absent = np.ones(n, bool)
    for rows, _, _ in parts:
        absent[rows] = False
    values = pa.array(flat) if kind == pa.float64() else pa.array(flat.astype(np.int8))
    return pa.ListArray.from_arrays(
        pa.array(offsets.astype(np.int32)), values, mask=pa.array(absent)
    )
