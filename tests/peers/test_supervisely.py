"""Our Supervisely projects, read by Supervisely's own SDK.

In an environment of its own: the SDK and Datumaro want different versions of cachetools.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import supervisely as sly

from nbannot.formats.examples import Example, Row, example
from nbannot.geometry import rings_to_mask

from .comparing import Seen, same, told
from .made import many, write

FLAT: dict[str, Any] = {"folders": ("",)}
KINDS = ("box", "polygon", "mask", "skeleton", "polyline", "tag")


def read(folder: Path) -> tuple[sly.Project, Seen]:
    """Open a project and read all of it with the SDK."""
    project = sly.Project(str(folder), sly.OpenMode.READ)
    seen = Seen()
    for dataset in project.datasets:
        for name in dataset:
            place = dataset.name, Path(name).stem
            text = Path(dataset.get_ann_path(name)).read_text("utf-8")
            annotation = sly.Annotation.from_json(json.loads(text), project.meta)
            height, width = annotation.img_size
            assert Path(dataset.get_img_path(name)).is_file()
            seen.items[place] = width, height
            seen.rows[place] = [_row(label, (width, height)) for label in annotation.labels]
            seen.rows[place] += [
                {"type": "tag", "label": tag.meta.name} for tag in annotation.img_tags
            ]
    return project, seen


def _row(label: sly.Label, size: tuple[int, int]) -> Row:
    shape = label.geometry
    row: Row = {"label": label.obj_class.name}
    if isinstance(shape, sly.Rectangle):
        # Its corners are pixels that belong to it.
        box = [shape.left, shape.top, shape.width, shape.height]
        return {**row, "type": "box", "box": [float(v) for v in box]}
    if isinstance(shape, sly.Bitmap):
        pixels = np.zeros(size[::-1], np.uint8)
        height, width = shape.data.shape
        top, left = shape.origin.row, shape.origin.col
        pixels[top : top + height, left : left + width] = shape.data
        return {**row, "type": "mask", "pixels": pixels}
    if isinstance(shape, sly.Polygon):
        rings = [shape.exterior, *([] if not shape.interior else shape.interior)]
        points = [v for ring in rings for p in _points(ring) for v in p]
        counts = [len(shape.exterior), *(-len(ring) for ring in shape.interior)]
        pixels = rings_to_mask(points, counts, size[1], size[0])
        return {**row, "type": "polygon", "pixels": pixels}
    if isinstance(shape, sly.Polyline):
        points = [v for p in _points(shape.exterior) for v in p]
        return {**row, "type": "polyline", "points": points}
    assert isinstance(shape, sly.GraphNodes)
    nodes = [shape.nodes.get(name) for name in ("nose", "left", "right")]
    at = [v for n in nodes for v in ((n.location.col, n.location.row) if n else (0, 0))]
    seen = [0 if n is None else 1 if n.disabled else 2 for n in nodes]
    return {**row, "type": "skeleton", "points": [float(v) for v in at], "visibility": seen}


def _points(locations: Any) -> list[tuple[float, float]]:
    return [(float(p.col), float(p.row)) for p in locations]


def test_whole_pixels(tmp_path: Path) -> None:
    """Boxes, polygons, bitmaps, graphs, lines and tags are those that were given."""
    made = many(KINDS, **FLAT, whole=True)
    write(tmp_path, "supervisely", made)
    project, found = read(tmp_path)
    assert project.total_items == 30
    same(found, told(made))


def test_parts_of_pixels(tmp_path: Path) -> None:
    """The SDK cuts coordinates to whole pixels; the files have what was given."""
    made = many(("box", "skeleton", "polyline"), **FLAT)
    write(tmp_path, "supervisely", made)
    wanted = told(made)
    for row in (row for rows in wanted.rows.values() for row in rows):
        if row["type"] == "box":
            x, y, w, h = row["box"]
            left, top, right, bottom = map(int, (x, y, x + w - 1, y + h - 1))
            row["box"] = [float(v) for v in (left, top, right - left + 1, bottom - top + 1)]
        else:
            row["points"] = [float(int(v)) for v in row["points"]]
    same(read(tmp_path)[1], wanted)


def test_polygons_with_holes(tmp_path: Path) -> None:
    """Holes are interiors."""
    made = many(("polygon",), **FLAT, whole=True)
    for rows in made.annotations.values():
        for row in rows:
            x, y = row["x"] + 3, row["y"] + 5
            row["points"] = [*row["points"], x, y, x + 4, y, x + 4, y + 3, x, y + 3]
            row["rings"] = [5, -4]
    write(tmp_path, "supervisely", made)
    same(read(tmp_path)[1], told(made))


def test_points(tmp_path: Path) -> None:
    """Its points are single: a row of three is three of them."""
    made = many(("points",), **FLAT, whole=True)
    write(tmp_path, "supervisely", made)
    project = sly.Project(str(tmp_path), sly.OpenMode.READ)
    found: dict[tuple[str, str], list[float]] = {}
    for dataset in project.datasets:
        for name in dataset:
            for label in dataset.get_ann(name, project.meta).labels:
                at = [float(label.geometry.point_location.col),
                      float(label.geometry.point_location.row)]  # fmt: skip
                found.setdefault((dataset.name, Path(name).stem), []).extend(at)
    wanted = {
        place: [v for row in rows for v in row["points"]]
        for place, rows in told(made).rows.items()
        if rows
    }
    assert found == wanted


def test_classes(tmp_path: Path) -> None:
    """Classes have their colours, and graphs their joints and edges."""
    made = many(KINDS, **FLAT, whole=True)
    write(tmp_path, "supervisely", made)
    meta = read(tmp_path)[0].meta
    assert {c.name: f"#{bytes(c.color).hex()}" for c in meta.obj_classes} == {
        label.name: label.color for label in made.labels
    }
    (pose,) = [c for c in meta.obj_classes if c.geometry_type is sly.GraphNodes]
    assert list(pose.geometry_config["nodes"]) == ["nose", "left", "right"]
    edges = [(e["src"], e["dst"]) for e in pose.geometry_config["edges"]]
    assert edges == [("nose", "left"), ("nose", "right")]


@pytest.mark.parametrize("kind", ["box", "mask", "tag"])
def test_the_example(tmp_path: Path, kind: str) -> None:
    """Names in folders are names of files, in which the folders stay apart."""
    made: Example = example((kind,))
    write(tmp_path, "supervisely", made, whole_pixels=True)
    project, found = read(tmp_path)
    count = sum(map(len, made.annotations.values()))
    assert sum(map(len, found.rows.values())) == count
    assert len(found.items) == project.total_items == 6
