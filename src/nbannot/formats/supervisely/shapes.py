"""Rows as figures of Supervisely, whatever their type."""

from __future__ import annotations

import base64
import io
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ...geometry import rle_to_mask, split_rings
from ..fitting import Fitting, Row
from .figures import VERTICES

__all__ = ["Shapes"]


@dataclass
class Shapes:
    """Turns rows into figures; `nodes` are the keys of each label's template."""

    fitting: Fitting
    nodes: Mapping[str, Sequence[str]]
    whole_pixels: bool = False

    def figures(self, item: Row, row: Row) -> list[dict[str, Any]]:
        """Return the figures of a row: one, several points, or none (the ledger says why)."""
        make = getattr(self, f"_of_{row['type']}")
        figures: list[dict[str, Any]] = make(item, row)
        for figure in figures:
            figure["shape"] = figure["geometryType"]
        if figures and self.whole_pixels and self._rounds(row):
            self.fitting.warn(
                item, row, "coordinates rounded to whole pixels", "whole_pixels was asked for"
            )
        return figures

    def _rounds(self, row: Row) -> bool:
        if row["type"] == "mask":
            return False
        values = row.get("points") or [row.get(n) or 0.0 for n in "xywh"]
        return any(v != int(v) for v in values)

    def _number(self, value: float) -> float | int:
        if self.whole_pixels:
            return math.floor(value + 0.5)
        return int(value) if value == int(value) else value

    def _points(self, points: Any) -> list[list[float | int]]:
        xy = np.asarray(points, np.float64).reshape(-1, 2).tolist()
        return [[self._number(x), self._number(y)] for x, y in xy]

    def _of_box(self, item: Row, row: Row) -> list[dict[str, Any]]:
        x, y, w, h = (row.get(n) for n in "xywh")
        if x is None or y is None or w is None or h is None:
            self.fitting.reject(item, row, "box is incomplete", "it lacks x, y, w or h")
            return []
        if w < 1 or h < 1:
            text = f"{w:g} x {h:g} becomes {max(w, 1):g} x {max(h, 1):g}: corners are pixels"
            self.fitting.warn(item, row, "box smaller than a pixel", text)
        corners = self._points([x, y, x + max(w, 1) - 1, y + max(h, 1) - 1])
        if row.get("rotation"):
            angle = math.radians(row["rotation"])
            return [{"geometryType": "oriented_bbox", "points": corners, "angle": angle}]
        return [_exterior("rectangle", corners)]

    def _of_polygon(self, item: Row, row: Row) -> list[dict[str, Any]]:
        rings = split_rings(row.get("points") or [], row.get("rings"))
        if any(len(xy) < 3 for xy, _ in rings):
            text = "a ring of it has fewer than three points"
            self.fitting.reject(item, row, "polygon with fewer than three points", text)
            return []
        parts: list[dict[str, Any]] = []
        for xy, hole in rings:
            if hole and parts:
                parts[-1]["interior"].append(self._points(xy))
            else:
                parts.append({"exterior": self._points(xy), "interior": []})
        if len(parts) == 1:
            return [{"geometryType": "polygon", "points": parts[0]}]
        return [{"geometryType": "multipolygon", "parts": parts}]

    def _of_polyline(self, item: Row, row: Row) -> list[dict[str, Any]]:
        points = self._points(row.get("points") or [])
        if len(points) < 2:
            self.fitting.reject(item, row, "line with fewer than two points", "it has no length")
            return []
        return [_exterior("line", points)]

    def _of_points(self, item: Row, row: Row) -> list[dict[str, Any]]:
        points = self._points(row.get("points") or [])
        if not points:
            self.fitting.reject(item, row, "no points", "it has none")
        if len(points) > 1:
            text = f"{len(points)} points become objects of their own"
            self.fitting.warn(item, row, "points written one by one", text)
        return [_exterior("point", [point]) for point in points]

    def _of_mask(self, item: Row, row: Row) -> list[dict[str, Any]]:
        pixels = rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
        ys, xs = np.nonzero(pixels)
        if not len(xs):
            self.fitting.reject(item, row, "mask is empty", "it covers no pixel")
            return []
        left, top = int(xs.min()), int(ys.min())
        image = Image.fromarray(pixels[top : int(ys.max()) + 1, left : int(xs.max()) + 1])
        image.putpalette([0, 0, 0, 255, 255, 255])
        out = io.BytesIO()
        image.save(out, "PNG", transparency=0, optimize=False)
        data = base64.b64encode(zlib.compress(out.getvalue())).decode()
        return [{"geometryType": "bitmap", "bitmap": {"data": data, "origin": [left, top]}}]

    def _of_skeleton(self, item: Row, row: Row) -> list[dict[str, Any]]:
        points = self._points(row.get("points") or [])
        seen = row.get("visibility") or [2] * len(points)
        nodes: dict[str, Any] = {}
        for key, point, shown in zip(self.nodes[row["label"]], points, seen, strict=False):
            if shown:
                nodes[key] = {"loc": point, "disabled": True} if shown == 1 else {"loc": point}
        if not nodes:
            self.fitting.reject(item, row, "skeleton without points", "no joint is there")
            return []
        if row.get("w") is not None:
            text = "a graph has nodes only; its box is lost"
            self.fitting.warn(item, row, "box of a skeleton can't be written", text)
        return [{"geometryType": "graph", "nodes": nodes}]

    def _of_cuboid(self, item: Row, row: Row) -> list[dict[str, Any]]:
        corners = self._points(row.get("points") or [])
        if len(corners) != 8:
            text = f"it has {len(corners)} corners"
            self.fitting.reject(item, row, "cuboid without eight corners", text)
            return []
        vertices = {n: {"loc": c} for n, c in zip(VERTICES, corners, strict=True)}
        return [{"geometryType": "cuboid_2d", "vertices": vertices}]


def _exterior(shape: str, points: list[list[float | int]]) -> dict[str, Any]:
    return {"geometryType": shape, "points": {"exterior": points, "interior": []}}
