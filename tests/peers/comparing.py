"""What two readers say of the same files, side by side."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbannot.formats import get_format
from nbannot.formats.examples import Example, Row, read_back
from nbannot.geometry import rings_to_mask, rle_to_mask
from nbannot.sources import open_source

__all__ = ["Seen", "ours", "same", "told"]

Place = tuple[str, str]
"""A subset, and the key of an item in it without its suffix: what all readers give."""


@dataclass
class Seen:
    """What a reader gives: the size of each item, and its annotations.

    An annotation is a dict of type, label, and some of box (x, y, w, h, rotation), points,
    visibility, text, and pixels (a mask of the whole image, for masks and polygons).
    """

    items: dict[Place, tuple[int, int] | None] = field(default_factory=dict)
    rows: dict[Place, list[Row]] = field(default_factory=lambda: defaultdict(list))


def told(dataset: Example) -> Seen:
    """Return what a dataset is, as it was given to the writer."""
    seen = Seen()
    for subset, items in dataset.items.items():
        for item in items:
            seen.items[subset, _stem(item["key"])] = item["width"], item["height"]
        for row in dataset.annotations[subset]:
            place = subset, _stem(row["item"])
            seen.rows[place].append(plain(row, seen.items[place]))
    return seen


def ours(name: str, folder: Path, **options: Any) -> Seen:
    """Return what nbannot itself reads of a folder."""
    found = read_back(get_format(name), open_source(folder), **options)
    assert [group for group in found.ledger.groups() if group[0] != "note"] == []
    seen = Seen()
    for item in found.items:
        seen.items[item.get("subset", ""), _stem(item["key"])] = _size(item)
    for row in found.annotations:
        place = row.get("subset", ""), _stem(row["key"])
        seen.rows[place].append(plain(row, seen.items[place]))
    return seen


def plain(row: Row, size: tuple[int, int] | None) -> Row:
    """Return a row of the data model as readers are compared by."""
    kind = row["type"]
    made: Row = {"type": kind, "label": row.get("label")}
    if kind in ("box", "ellipse"):
        made["box"] = [row[n] for n in "xywh"]
        if row.get("rotation"):
            made["rotation"] = row["rotation"]
    elif kind == "mask":
        made["pixels"] = rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
    elif kind == "polygon":
        assert size
        width, height = size
        made["pixels"] = rings_to_mask(row["points"], row.get("rings"), height, width)
    elif kind == "text":
        made["text"] = row["text"]
    elif kind in ("skeleton", "polyline", "points"):
        made["points"] = list(row["points"])
    if kind in ("polygon", "mask") and "x" in row:
        made["frame"] = [row[n] for n in "xywh"]
    if kind == "skeleton":
        made["visibility"] = list(row["visibility"])
    return made


def same(found: Seen, wanted: Seen, tolerance: float = 1e-9) -> None:
    """Assert that two readers say the same; coordinates may be `tolerance` pixels off."""
    assert not found.items.keys() ^ wanted.items.keys()
    for place, size in found.items.items():
        assert size is None or wanted.items[place] in (None, size), place
    for place in wanted.items:
        left = list(found.rows.get(place, ()))
        for row in wanted.rows.get(place, ()):
            match = next((i for i, r in enumerate(left) if _alike(r, row, tolerance)), None)
            assert match is not None, f"{place}: no {_text(row)} among {[*map(_text, left)]}"
            del left[match]
        assert not left, f"{place}: more than is wanted: {[*map(_text, left)]}"


def _alike(one: Row, other: Row, tolerance: float) -> bool:
    names = {k for row in (one, other) for k in row if row[k] is not None}
    # Not every reader gives the box of a polygon or mask.
    names -= {"frame"} if one.get("frame") is None or other.get("frame") is None else set()
    return all(_equal(one.get(n), other.get(n), tolerance) for n in names)


def _equal(one: Any, other: Any, tolerance: float) -> bool:
    if one is None or other is None:
        return False
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and bool((one == other).all())
    if isinstance(one, (list, tuple, float)):
        return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=0, atol=tolerance)
    return bool(one == other)


def _text(row: Row) -> str:
    return str({k: _area(v) if isinstance(v, np.ndarray) else v for k, v in row.items()})


def _area(pixels: NDArray[Any]) -> str:
    where = np.argwhere(pixels)
    if not len(where):
        return f"{pixels.shape}: none"
    return f"{pixels.shape}: {len(where)} from {where.min(0)} to {where.max(0)}"


def _size(item: Row) -> tuple[int, int] | None:
    return (item["width"], item["height"]) if "width" in item else None


def _stem(key: str) -> str:
    stem, dot, _ = key.rpartition(".")
    return stem if dot else key
