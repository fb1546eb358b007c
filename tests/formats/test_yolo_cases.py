"""The conformance suite, for each kind of row that YOLO has."""

from __future__ import annotations

import pytest

from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import example

COLUMNS = ("type", "label", "x", "y", "w", "h")


class YoloCases(FormatCases):
    """A data.yaml cut in half is YAML still, with fewer names: there is no container to break."""

    format_name = "yolo"
    holds = ("box",)
    generates: tuple[str, ...] = ("box",)
    compared = COLUMNS

    @pytest.fixture
    def dataset(self):
        """The example with the annotations that one kind of row holds."""
        made = example(self.holds)
        made.annotations = {
            subset: [row for row in rows if len(row.get("rings", ())) < 2]
            for subset, rows in made.annotations.items()
        }
        return made

    def container(self, files):
        """None: see test_yolo_yaml.py for files that can't be parsed."""


class TestDetect(YoloCases):
    """Boxes."""


class TestDarknet(YoloCases):
    """Boxes, in Darknet's layout."""

    format_name = "yolo-darknet"


class TestSegment(YoloCases):
    """Polygons of one part."""

    holds = ("polygon",)
    generates = holds
    compared = (*COLUMNS, "points")


class TestRotated(YoloCases):
    """Rotated boxes."""

    compared = (*COLUMNS, "rotation")
    write_options = {"task": "obb"}

    def expected(self, row):
        """Every box has a rotation, if only one of 0."""
        return {"rotation": 0.0, **row}

    @pytest.fixture
    def dataset(self):
        """The example's boxes, turned."""
        made = example(("box",))
        for rows in made.annotations.values():
            for number, row in enumerate(rows):
                row |= {"rotation": 30.0 + number, "x": row["x"] / 4 + 20, "y": 14.0}
                row |= {"w": row["w"] / 4, "h": row["h"] / 4}
        return made


class TestPose(YoloCases):
    """Skeletons."""

    holds = ("skeleton",)
    generates = holds
    compared = (*COLUMNS, "points", "visibility")
