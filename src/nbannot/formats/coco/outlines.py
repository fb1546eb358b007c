"""Outlines as COCO has them: a polygon with a hole becomes a mask, and what was asked for.

COCO's polygons are a union of rings, so a hole can be told by run lengths only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...geometry import mask_to_rings, mask_to_rle, rings_to_mask, rle_to_mask
from ...ledger import Ledger
from ...schema import Batch

__all__ = ["as_written"]

_MASK = ("mask", "mask_height", "mask_width")
_MAX_PIXELS = 64_000_000


def as_written(
    rows: pa.Table, types: NDArray[Any], batch: Batch, ranks: NDArray[np.int64], outlines: str,
    ledger: Ledger,
) -> pa.Table:  # fmt: skip
    """Return rows with their outlines as they are written; a warning names each that changes.

    Args:
        rows: rows of the batch.
        types: the type of each.
        batch: what the rows are of.
        ranks: the rank of each among those of its item.
        outlines: "rle" makes masks of all polygons, "polygons" polygons of masks without holes.
        ledger: where the changes are told.
    """
    rings: list[list[int] | None] = [None] * len(rows)
    if rows["rings"].null_count < len(rows):
        rings = rows["rings"].to_pylist()
    elif outlines == "given" or not set(types) & {"polygon", "mask"}:
        return rows
    change: dict[int, Callable[..., None]] = {}
    for i, kind in enumerate(types.tolist()):
        if kind == "polygon" and (outlines == "rle" or min(rings[i] or [1]) < 0):
            change[i] = _as_mask
        elif kind == "mask" and outlines == "polygons":
            change[i] = _as_polygon
    if not change:
        return rows
    names = ("item", "width", "height", "key")
    told = zip(*(batch.items[n].to_pylist() for n in names), strict=True)
    items = {item: (width, height, key) for item, width, height, key in told}
    columns = {n: rows[n].to_pylist() for n in ("type", "points", "rings", *_MASK)}
    for i, convert in change.items():
        width, height, key = items[rows["item"][i].as_py()]
        convert(columns, i, (width, height), key, f"annotation {ranks[i]}", ledger)
    for name, values in columns.items():
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, name, pa.array(values, rows.schema.field(name).type))
    return rows


def _as_mask(
    columns: Mapping[str, list[Any]], i: int, size: tuple[int | None, int | None], key: str,
    record: str, ledger: Ledger,
) -> None:  # fmt: skip
    points, rings = columns["points"][i], columns["rings"][i]
    width = size[0] or math.ceil(max(points[::2]))
    height = size[1] or math.ceil(max(points[1::2]))
    columns["type"][i] = "mask"
    columns["mask"][i] = mask_to_rle(rings_to_mask(points, rings, height, width))
    columns["mask_height"][i], columns["mask_width"][i] = height, width
    why = " has a hole: it" if min(rings or [1]) < 0 else ""
    text = f"{record} of {key}{why} is written as a mask, {width}x{height} pixels"
    ledger.warn("polygon written as a mask", file=key, record=record, item=key, message=text)


def _as_polygon(
    columns: Mapping[str, list[Any]], i: int, size: tuple[int | None, int | None], key: str,
    record: str, ledger: Ledger,
) -> None:  # fmt: skip
    del size
    counts, height, width = (columns[name][i] for name in _MASK)
    points: list[float] = []
    rings: list[int] = []
    if height * width > _MAX_PIXELS:
        why = "is too large to be outlined"
    else:
        points, rings = mask_to_rings(rle_to_mask(counts, height, width))
        why = "covers nothing" if not rings else "has a hole" if min(rings) < 0 else ""
    if why:
        text = f"{record} of {key} {why}, and stays a mask"
        ledger.warn("mask can't be a polygon", file=key, record=record, item=key, message=text)
        return
    columns["type"][i] = "polygon"
    columns["points"][i], columns["rings"][i] = points, rings
    for name in _MASK:
        columns[name][i] = None
    text = f"{record} of {key} is written as its outline along the edges of pixels"
    ledger.warn("mask written as a polygon", file=key, record=record, item=key, message=text)
