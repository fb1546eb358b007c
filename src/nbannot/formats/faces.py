"""What formats of faces share: five landmarks, and identities as tags."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from ..ledger import Ledger
from ..schema import Skeleton
from .fitting import Fitting, Row
from .text_lines import plain_number

__all__ = [
    "FACE", "LANDMARKS", "Once", "attributes_of", "box_cells", "finite_numbers", "five_points",
    "landmark_cells", "lose_attributes", "renamed",
]  # fmt: skip

FACE = "face"
"""The label of a face whose identity nothing says."""

LANDMARKS = Skeleton(("left eye", "right eye", "nose", "left mouth", "right mouth"))
"""The five landmarks; left and right as one looks at the picture."""


def finite_numbers(cells: Sequence[str]) -> list[float] | None:
    """Return cells as numbers; None where one is none, or infinite."""
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def five_points(numbers: Sequence[float]) -> dict[str, Any]:
    """Return the columns of a skeleton of five landmarks."""
    return {"type": "skeleton", "points": list(numbers), "visibility": [2] * 5}


def landmark_cells(fitting: Fitting, item: Row, row: Row, *, whole: bool = False) -> list[str]:
    """Return the ten numbers of five landmarks, [] where there are not five, which is told."""
    points = list(row["points"])
    if len(points) != 10:
        text = f"it has {len(points) // 2} points; {fitting.title} holds five landmarks"
        fitting.reject(item, row, "landmarks are not five", text)
        return []
    if row["type"] == "points":
        fitting.warn(item, row, "points written as landmarks", "they come back as a skeleton")
    if any(v != 2 for v in row.get("visibility") or ()):
        text = f"visibility {row['visibility']} is lost"
        fitting.warn(item, row, "visibility can't be written", text)
    if row["type"] == "skeleton" and row.get("w") is not None:
        fitting.warn(item, row, "box of a skeleton can't be written", "its points are")
    return _cells(fitting, item, row, points, whole=whole)


def _cells(
    fitting: Fitting, item: Row, row: Row, numbers: Sequence[float], *, whole: bool
) -> list[str]:
    if whole:
        rounded = [float(round(v)) for v in numbers]
        if rounded != list(numbers):
            text = f"{fitting.title} holds whole pixels"
            fitting.warn(item, row, "coordinates rounded to whole pixels", text)
        numbers = rounded
    return [plain_number(v) for v in numbers]


def box_cells(fitting: Fitting, item: Row, row: Row, *, whole: bool = False) -> list[str]:
    """Return left, top, width and height."""
    return _cells(fitting, item, row, [row[n] for n in "xywh"], whole=whole)


class Once:
    """Takes one annotation of each kind per image; what comes after it is told."""

    def __init__(self, fitting: Fitting, item: Row) -> None:
        self._fitting, self._item = fitting, item
        self._taken: set[str] = set()

    def take(self, kind: str, row: Row) -> bool:
        """Return whether this is the first of its kind; else it is rejected."""
        if kind in self._taken:
            text = f"{self._fitting.title} holds one {kind} per image"
            self._fitting.reject(self._item, row, f"more than one {kind}", text)
            return False
        self._taken.add(kind)
        return True


def attributes_of(row: Row) -> dict[str, Any]:
    """Return the attributes of a row."""
    found = json.loads(row.get("attributes") or "{}")
    return found if isinstance(found, dict) else {}


def lose_attributes(fitting: Fitting, item: Row, row: Row, attributes: dict[str, Any]) -> None:
    """Tell that attributes are not written, where there are any."""
    if attributes:
        text = f"attributes {', '.join(attributes)} are lost"
        fitting.warn(item, row, "attributes can't be written", text)


def renamed(ledger: Ledger, item: Row, name: str) -> None:
    """Tell that an image is written under another name, where it is."""
    key = item["key"]
    if key != name:
        text = f"{key} is written as {name}"
        ledger.warn("image renamed", file=key, record="item", item=key, message=text)
