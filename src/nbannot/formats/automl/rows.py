"""Cells of AutoML's CSV: ML_USE, headers, corners."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ..image_records import number

__all__ = ["FOLDERS", "corners", "first_row", "is_header", "shape_of", "uses"]

_USES = {
    "TRAIN": "train", "TRAINING": "train", "VALIDATION": "validation", "VALIDATE": "validation",
    "VAL": "validation", "TEST": "test", "UNASSIGNED": "",
}  # fmt: skip
FOLDERS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "eval"),
}
"""What folders mean a use."""
_HEADERS = {"ml_use", "mluse", "set", "split", "usage", "gcs_file_path", "gcs_uri", "image_uri",
            "path", "uri", "image_path"}  # fmt: skip
_ROWS = 3


def uses(cell: str) -> str | None:
    """Return what a cell with ML_USE means: "train", ..., "" (unassigned), None (it is none).

    >>> uses("TRAIN"), uses("UNASSIGNED"), uses("gs://b/a.jpg")
    ('train', '', None)
    """
    return _USES.get(cell.strip().upper())


def first_row(text: str) -> list[list[str]]:
    """Return the first rows that are not empty, of a CSV's beginning."""
    lines = text.splitlines(keepends=True)
    whole = "".join(lines[:50] if text.endswith("\n") or len(lines) == 1 else lines[:50][:-1])
    found = []
    try:
        for row in csv.reader(io.StringIO(whole, newline="")):
            if any(cell.strip() for cell in row):
                found.append(row)
            if len(found) == _ROWS:
                break
    except csv.Error:
        return []
    return found


def is_header(row: Sequence[str]) -> bool:
    """Say whether a row names columns."""
    names = [cell.strip().lower().replace(" ", "_") for cell in row[:2]]
    return any(name in _HEADERS for name in names)


def corners(cells: Sequence[str]) -> list[float] | None:
    """Return x, y, x, y, ... of the cells behind a label; None where they are no coordinates.

    >>> corners(["0.1", "0.2", "", "", "0.3", "0.4", "", ""])
    [0.1, 0.2, 0.3, 0.4]
    """
    if len(cells) not in (6, 7, 8):
        return None
    found = [number(cell) if cell.strip() else None for cell in cells]
    if any(v is None and cell.strip() for v, cell in zip(found, cells, strict=True)):
        return None
    flat = [v for v in found if v is not None]
    return flat if len(flat) in (4, 8) else None


def shape_of(
    flat: Sequence[float], size: tuple[float, float]
) -> tuple[tuple[float, float, float, float] | None, list[float]]:
    """Return (box, points) in pixels of vertices that are shares; no box: it is a polygon."""
    points = [v * size[i % 2] for i, v in enumerate(flat)]
    xs, ys = flat[::2], flat[1::2]
    x, y, right, top = min(xs), min(ys), max(xs), max(ys)
    straight = len(xs) == 2 or all(
        min(abs(a - x), abs(a - right)) < 1e-9 and min(abs(b - y), abs(b - top)) < 1e-9
        for a, b in zip(xs, ys, strict=True)
    )
    if not straight or len(xs) not in (2, 4):
        return None, points
    w, h = right * size[0] - x * size[0], top * size[1] - y * size[1]
    return (x * size[0], y * size[1], w, h), points
