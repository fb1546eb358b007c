"""Boxes in tables: any convention, in one column or four, in pixels or parts of the image.

Where names do not tell the convention, the numbers do, by rules that are said in the ledger:

* the third number is smaller than the first, or the fourth than the second: it is a width;
* with the image's size: what would reach outside the image is not the convention;
* else, in four rows or more, always larger: it is the right and bottom edge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from ...geometry import cxcywh_to_xywh, xyxy_to_xywh
from .cells import numbers_of
from .names import corner_of, plain_name
from .roles import numbers_in

__all__ = ["FORMATS", "Boxes", "read_boxes", "settle_format"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Sizes = Callable[[], tuple[Floats, Floats]]
"""Returns (width, height) in pixels of each row's image, NaN where it is not known."""

FORMATS = ("xyxy", "xywh", "cxcywh")
_MEANING = {
    "xyxy": "left, top, right, bottom",
    "xywh": "left, top, width, height",
    "cxcywh": "centre x, centre y, width, height",
}
FEW_ROWS = 4
OUTSIDE_PX = 0.01


@dataclass
class Boxes:
    """Boxes of a table's rows.

    * `xywh`: (n, 4), pixels; NaN where there is none.
    * `empty`: rows whose cells are all empty: an image without a box.
    * `problems`: (reason, rows, message) of rows that are rejected.
    * `warnings`: likewise, of rows that are kept.
    * `notes`: (reason, message) about all.
    """

    xywh: Floats
    empty: Bools
    problems: list[tuple[str, NDArray[np.int64], str]] = field(default_factory=list)
    warnings: list[tuple[str, NDArray[np.int64], str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


def read_boxes(
    table: pa.Table,
    columns: Sequence[str],
    named: str,
    *,
    box_format: str,
    normalized: str,
    sizes: Sizes,
    sample: Sizes,
) -> Boxes:
    """Return the boxes of a table.

    Args:
        table: the table.
        columns: one column of whole boxes, or four.
        named: the convention that the columns' names tell, or "".
        box_format: that which the user chose, or ``"auto"``.
        normalized: ``"yes"``, ``"no"`` or ``"auto"``: are they parts of the image's size?
        sizes: of all images; asked for only where needed.
        sample: the sizes that are had for nothing or of a few images.
    """
    values, empty = _values(table, columns)
    finite = np.asarray(np.isfinite(values).all(axis=1), bool)
    out = Boxes(values, empty)
    broken = np.flatnonzero(~finite & ~empty)
    if len(broken):
        text = f"{' or '.join(columns) if len(columns) > 1 else columns[0]} holds no number"
        out.problems.append(("box is not four numbers", broken, text))
    good = values[finite]
    parts = _is_normalized(good) if normalized == "auto" else normalized == "yes"
    if parts and normalized == "auto":
        text = "all are from 0 to 1: parts of the image's size (normalized= otherwise)"
        out.notes.append(("boxes are parts of the image", text))
    chosen = box_format if box_format != "auto" else ""
    plain = {"x", "y"} & {corner_of(c)[0] for c in columns}
    settled, why = chosen or named, ""
    width = height = np.ones(len(good))
    if not parts and not chosen and (not named or plain):
        width, height = (v[finite] for v in sample())
    if not settled:
        settled, why = settle_format(good, width, height)
    elif not chosen and settled == "xywh" and plain:
        settled, why = _perhaps_centre(good, width, height)
    if why:
        text = (
            f"{', '.join(columns)} are taken as {_MEANING[settled]}: {why} (box_format= otherwise)"
        )
        out.notes.append(("convention of the boxes", text))
    out.xywh = _as_xywh(values, settled)
    if parts:
        _scale(out, finite, *sizes())
    _turn_round(out, settled)
    return out


def _is_normalized(boxes: Floats) -> bool:
    if not len(boxes):
        return False
    return bool(np.abs(boxes).max() <= 1.0 and (boxes != np.floor(boxes)).any())


def settle_format(boxes: Floats, width: Floats, height: Floats) -> tuple[str, str]:
    """Return (convention, why) of boxes, shape (n, 4), from their numbers alone.

    >>> nan = np.full(1, np.nan)
    >>> settle_format(np.array([[50.0, 60, 20, 10]]), nan, nan)[0]
    'xywh'
    """
    count = len(boxes)
    if not count:
        return "xywh", ""
    x, y, a, b = boxes.T
    smaller = (a < x) | (b < y)
    if smaller.mean() > 0.01:
        return "xywh", f"in {smaller.sum():,} of {count:,} rows the third is smaller than the first"
    known = ~(np.isnan(width) | np.isnan(height))
    if known.any():
        w, h = width[known], height[known]
        out_wh = (x[known] + a[known] > w + OUTSIDE_PX) | (y[known] + b[known] > h + OUTSIDE_PX)
        out_xy = (a[known] > w + OUTSIDE_PX) | (b[known] > h + OUTSIDE_PX)
        if out_wh.mean() > 0.01 and out_xy.mean() < out_wh.mean():
            return "xyxy", f"as width and height they would reach outside {out_wh.sum():,} images"
    if count >= FEW_ROWS and ((a > x) & (b > y)).all():
        return "xyxy", f"in all {count:,} rows the third is larger than the first"
    return "xywh", "nothing tells, and this is the commonest"


def _perhaps_centre(boxes: Floats, width: Floats, height: Floats) -> tuple[str, str]:
    # "x" and "y" may be the centre.
    known = ~(np.isnan(width) | np.isnan(height))
    if not known.any():
        return "xywh", ""
    x, y, w, h = boxes[known].T
    wide, high = width[known] + OUTSIDE_PX, height[known] + OUTSIDE_PX
    corner = (x + w > wide) | (y + h > high)
    centre = (
        (x - w / 2 < -OUTSIDE_PX)
        | (y - h / 2 < -OUTSIDE_PX)
        | (x + w / 2 > wide)
        | (y + h / 2 > high)
    )
    if corner.mean() > 0.05 and centre.mean() < corner.mean() / 4:
        return "cxcywh", f"from the corner, {corner.sum():,} would reach outside their images"
    return "xywh", ""


def _as_xywh(values: Floats, convention: str) -> Floats:
    if convention == "xyxy":
        return xyxy_to_xywh(values)
    return cxcywh_to_xywh(values) if convention == "cxcywh" else values


def _scale(out: Boxes, finite: Bools, width: Floats, height: Floats) -> None:
    unknown = np.flatnonzero(finite & (np.isnan(width) | np.isnan(height)))
    if len(unknown):
        text = "its box is a part of the image, whose size is not known"
        out.problems.append(("the size of the image is not known", unknown, text))
    out.xywh = out.xywh * np.stack([width, height, width, height], axis=1)


def _turn_round(out: Boxes, convention: str) -> None:
    # Corners in another order are the same box.
    with np.errstate(invalid="ignore"):
        negative = np.flatnonzero((out.xywh[:, 2:] < 0).any(axis=1))
        if len(negative):
            box = out.xywh[negative]
            box[:, :2] += np.minimum(box[:, 2:], 0)
            box[:, 2:] = np.abs(box[:, 2:])
            out.xywh[negative] = box
            what = (
                "its corners are in another order"
                if convention == "xyxy"
                else ("its width or height is negative")
            )
            out.warnings.append(("box was turned round", negative, f"{what}; it covers the same"))
        flat = np.flatnonzero((out.xywh[:, 2:] == 0).any(axis=1))
    if len(flat):
        out.warnings.append(("box has no area", flat, "its width or height is 0"))


# -- cells ----------------------------------------------------------------------------


def _values(table: pa.Table, columns: Sequence[str]) -> tuple[Floats, Bools]:
    if len(columns) == 1:
        return _whole(table[columns[0]])
    found = [numbers_of(table[name]) for name in columns]
    return np.stack([v for v, _ in found], axis=1), np.logical_and.reduce([e for _, e in found])


def _whole(column: pa.ChunkedArray) -> tuple[Floats, Bools]:
    kind = column.type
    if pa.types.is_struct(kind):
        return _struct(column)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _lists(column)
    return _cells(column)


def _lists(column: pa.ChunkedArray) -> tuple[Floats, Bools]:
    lengths = pc.list_value_length(column)
    empty = pc.fill_null(pc.equal(lengths, 0), True).to_numpy()
    four = pc.fill_null(pc.equal(lengths, 4), False).to_numpy()
    out = np.full((len(column), 4), np.nan)
    flat = pc.list_flatten(column.filter(pa.array(four)))
    if pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type):
        values = np.array(pc.cast(flat, pa.float64(), safe=False).to_numpy(), np.float64)
    else:
        values, _ = numbers_of(pa.chunked_array([pc.cast(flat, pa.string())], pa.string()))
    out[four] = values.reshape(-1, 4)
    return out, empty


def _struct(column: pa.ChunkedArray) -> tuple[Floats, Bools]:
    # {"x": .., "y": .., "width": .., "height": ..}, by the names of its fields
    names = [f.name for f in column.type]
    meant = {corner_of(n)[0] or plain_name(n): n for n in names}
    order = next(
        (
            seq
            for seq in (("x", "y", "w", "h"), ("left", "top", "w", "h"), ("cx", "cy", "w", "h"),
                        ("left", "top", "right", "bottom"))
            if all(part in meant for part in seq)
        ),
        None,
    )  # fmt: skip
    empty = pc.is_null(column).to_numpy()
    if order is None:
        return np.full((len(column), 4), np.nan), empty
    values = np.stack([numbers_of(pc.struct_field(column, meant[p]))[0] for p in order], axis=1)
    if order[0] == "cx":
        values = cxcywh_to_xywh(values)
    elif order[2] == "right":
        values = xyxy_to_xywh(values)
    return values, empty


def _cells(column: pa.ChunkedArray) -> tuple[Floats, Bools]:
    column = pc.cast(column, pa.string())
    blank = pc.match_substring_regex(column, r"^\s*(?:\[\s*\])?\s*$")
    empty = pc.fill_null(blank, True).to_numpy()
    out = np.full((len(column), 4), np.nan)
    rest = column.filter(pa.array(~empty))
    values = _all_at_once(rest)
    if values is None:
        parsed = [numbers_in(cell) for cell in rest.to_pylist()]
        values = np.array([p if len(p) == 4 else [np.nan] * 4 for p in parsed], np.float64)
    out[~empty] = values.reshape(-1, 4)
    return out, empty


def _all_at_once(cells: pa.ChunkedArray) -> Floats | None:
    # "[1, 2, 3, 4]" in every cell: one CSV of four columns, parsed by Arrow.
    if not len(cells):
        return None
    whole = pa.ListArray.from_arrays([0, len(cells)], cells.combine_chunks())
    text = pc.binary_join(whole, "\n")[0].as_buffer()
    data = text.to_pybytes().translate(None, b"[](){} \t")
    names = list("abcd")
    try:
        found = arrow_csv.read_csv(
            pa.py_buffer(data),
            read_options=arrow_csv.ReadOptions(column_names=names),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.float64()), null_values=[]
            ),
        )
    except pa.ArrowInvalid:
        return None
    if found.num_rows != len(cells):
        return None
    return np.stack([found[n].to_numpy() for n in names], axis=1)
