"""What a writer does with what its format can't hold."""

from __future__ import annotations

import numpy as np
import pytest

from nbannot.formats.fitting import FileNames, Fitting, Holds
from nbannot.geometry import mask_to_rle, rings_to_mask
from nbannot.ledger import Ledger
from nbannot.schema import Batch

SQUARE = [8.0, 4.0, 24.0, 4.0, 24.0, 40.0, 8.0, 40.0]
HOLE = [10.0, 10.0, 20.0, 10.0, 20.0, 20.0, 10.0, 20.0]
OTHER = [30.0, 10.0, 40.0, 10.0, 35.0, 20.0]


def fit(row, holds, **columns):
    """Return the fitted rows of one annotation, and the ledger's groups."""
    ledger = Ledger()
    fitting = Fitting("F", Holds(holds, **columns), ledger)
    values = {"label": "cat", **row}
    batch = Batch.of(
        {"item": [0], "key": ["a.jpg"], "kind": ["image"], "width": [64], "height": [48]},
        {"item": [0], **{name: [value] for name, value in values.items()}},
    )
    ((_, rows),) = fitting.fit(batch)
    fitting.close()
    return rows, ledger.groups()


def polygon(points, rings=None):
    """Return a polygon row."""
    return {"type": "polygon", "points": points, "rings": rings, "x": 8.0, "y": 4.0, "w": 1.0}


def test_what_fits_is_left_alone():
    """No line, no change."""
    row = {"type": "box", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0}
    (found,), said = fit(row, {"box": ()})
    assert {k: found[k] for k in row} == row
    assert said == []


def test_a_rotated_box_becomes_a_polygon_or_the_enclosing_box():
    """By what the format holds; the corners are those of the rotated box."""
    row = {"type": "box", "x": 20.0, "y": 10.0, "w": 10.0, "h": 4.0, "rotation": 90.0}
    (found,), said = fit(row, {"polygon": ()})
    corners = np.round(np.reshape(found["points"], (4, 2)), 6).tolist()
    assert sorted(corners) == [[23.0, 7.0], [23.0, 17.0], [27.0, 7.0], [27.0, 17.0]]
    assert said == [("warning", "rotated box written as polygon", 1)]
    (found,), said = fit(row, {"box": ()})
    assert [round(found[n], 6) for n in "xywh"] == [23.0, 7.0, 4.0, 10.0]
    assert "rotation" not in found
    assert said == [("warning", "rotated box written as enclosing box", 1)]


def test_a_rotated_ellipse_has_its_own_enclosing_box():
    """Not the box of its turned box, which is larger."""
    row = {"type": "ellipse", "x": 10.0, "y": 10.0, "w": 20.0, "h": 10.0, "rotation": 45.0}
    (found,), _ = fit(row, {"box": ()})
    half = np.hypot(10 * np.cos(np.pi / 4), 5 * np.sin(np.pi / 4))
    assert found["w"] == pytest.approx(2 * half)
    assert found["x"] + found["w"] / 2 == pytest.approx(20.0)


def test_holes_and_parts_by_what_polygons_may_have():
    """Holes go with their ring, parts become polygons, and each loss is told."""
    row = polygon([*SQUARE, *HOLE, *OTHER], [4, -4, 3])
    rows, said = fit(row, {"polygon": ("holes",)})
    assert [r.get("rings") for r in rows] == [[4, -4], None]
    assert [reason for _, reason, _ in said] == ["parts written as polygons of their own"]
    rows, said = fit(row, {"polygon": ("parts",)})
    assert [r.get("rings") for r in rows] == [[4, 3]]
    assert [reason for _, reason, _ in said] == ["holes filled"]
    rows, said = fit(row, {"polygon": ()})
    assert [len(r["points"]) for r in rows] == [8, 6]
    assert {reason for _, reason, _ in said} == {
        "holes filled", "parts written as polygons of their own",
    }  # fmt: skip
    (whole,), said = fit(row, {"polygon": ("holes", "parts")})
    assert whole["rings"] == [4, -4, 3]
    assert said == []


def test_masks_and_polygons_cover_the_same():
    """A mask becomes its outline along pixel edges; a polygon what it covers."""
    mask = np.zeros((48, 64), np.uint8)
    mask[4:40, 8:24] = 1
    mask[10:20, 10:20] = 0
    row = {"type": "mask", "mask": mask_to_rle(mask), "mask_height": 48, "mask_width": 64}
    (found,), said = fit(row, {"polygon": ("holes",)})
    assert (rings_to_mask(found["points"], found["rings"], 48, 64) == mask).all()
    assert said == [("warning", "mask written as polygon", 1)]
    (found,), _ = fit(polygon([*SQUARE, *HOLE], [4, -4]), {"mask": ()})
    assert found["mask"] == mask_to_rle(mask)


def test_columns_without_a_place_are_told_one_by_one():
    """Attributes, track and text are lost with a line each; what is kept has none."""
    row = {"type": "box", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0, "track": "7", "text": "STOP",
           "attributes": '{"a": 1}', "occluded": False, "z_order": 0}  # fmt: skip
    _, said = fit(row, {"box": ()}, columns=("track",))
    assert {reason for _, reason, _ in said} == {
        "attributes can't be written", "text can't be written",
    }  # fmt: skip


BOX = {"type": "box", "x": 0.0, "y": 0.0, "w": 1.0, "h": 1.0}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"type": "polyline", "points": [1.0, 2.0, 3.0, 4.0]}, "polyline can't be written"),
        ({**BOX, "x": float("inf")}, "coordinate is not a number"),
        ({**BOX, "label": None}, "annotation without a label"),
    ],
)
def test_what_has_no_route_is_left_out(row, reason):
    """With the reason."""
    rows, said = fit(row, {"box": ()})
    assert rows == []
    assert said == [("rejected", reason, 1)]


def test_items_of_another_kind_go_with_their_annotations():
    """The item and each of its annotations is a rejected record."""
    ledger = Ledger()
    fitting = Fitting("F", Holds({"tag": ()}), ledger)
    batch = Batch.of(
        {"item": [0], "key": ["a.wav"], "kind": ["audio"]},
        {"item": [0, 0], "type": ["tag", "tag"], "label": ["a", "b"]},
    )
    assert list(fitting.fit(batch)) == []
    assert ledger.groups() == [("rejected", "audio can't be written", 3)]


def test_file_names_are_unique_with_or_without_suffix():
    """Where annotation files take the stem, a.jpg and a.png are one name."""
    names = FileNames(stems=True)
    assert [names.of({"key": key}) for key in ("a.jpg", "a.png", "b")] == ["a.jpg", "a-2.png", "b"]
    assert FileNames().of({"key": "a", "media": "x.png"}, "images") == "images/a.png"
