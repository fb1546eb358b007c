"""From rows of numbers to columns of annotations, and what the ledger is told of each."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .data import Declared
from .geometry import RowGeometry
from .rows import BOX, NONE, POSE, Rows, read_shapes
from .work import RowLines, RowWork

__all__ = ["annotation_columns"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_TYPES = pa.array(["", "box", "polygon", "box", "skeleton"])  # by kind: NONE, BOX, ...


def annotation_columns(
    rows: Rows,
    declared: Declared,
    sizes: Floats,
    items: Integers,
    lines: RowLines,
    *,
    task: str,
    quads: bool,
) -> dict[str, Any]:
    """Return the columns of ``ANNOTATIONS`` for the rows that can be read, in order.

    Args:
        rows: the rows of several label files.
        declared: names and keypoints; names that none declares are added.
        sizes: (files, 2) width and height in pixels, NaN where not known.
        items: item number of each file, -1 where it is none.
        lines: told of each row that is rejected, changed or suspect.
        task: ``auto``, ``detect``, ``segment``, ``obb`` or ``pose``.
        quads: are rows of 9 numbers rotated boxes?
    """
    for bad in rows.bad:
        one = np.array([bad.file]), np.array([bad.line])
        lines.tell("reject", bad.reason, *one, bad.message)
    if not len(rows):
        return {}
    size = sizes[rows.file]
    shapes = read_shapes(rows, size, task=task, pose=declared.pose, quads=quads)
    work = RowWork(rows, shapes, size, lines)
    _refuse(work, declared, items)
    _carry_over(work)
    work.repeated()
    geometry_columns = RowGeometry(work, declared.pose).columns()
    return _assemble(work, declared, items, geometry_columns)


def _refuse(work: RowWork, declared: Declared, items: Integers) -> None:
    rows, shapes = work.rows, work.shapes
    work.reject(items[rows.file] < 0, "its image is not imported", "its image is not imported")
    count = rows.count

    def columns(i: int) -> str:
        text = f"{count[i]} columns"
        if declared.pose is not None:
            return f"{text}; kpt_shape asks for {5 + declared.pose.numbers}"
        return f"{text}; a row has class cx cy w h, or class and three points or more"

    work.reject(shapes.kind == NONE, "wrong number of columns", columns)
    first = rows.values[rows.start]
    whole = (first >= 0) & (first < 2**31) & (first == np.floor(first))
    work.reject(~whole, "class is not a whole number", lambda i: f"class {first[i]:g}")
    if declared.names.declared:
        known = np.isin(first, list(declared.names.by_id))
        ids = list(declared.names.by_id)
        span = f"{ids[0]} to {ids[-1]}" if ids else "none"
        text = "class {:.0f} is not in names ({})"
        work.reject(~known, "class is not in names", lambda i: text.format(first[i], span))
    boxes = np.flatnonzero((shapes.kind == BOX) | (shapes.kind == POSE))
    negative = boxes[(rows.numbers(boxes, 3, 5) < 0).any(axis=1)]
    text = "its width or height is negative"
    work.reject(work.flags(negative), "width or height is negative", text)


def _carry_over(work: RowWork) -> None:
    # What rescued rows and further columns bring, and what is to be said of it.
    rows, shapes = work.rows, work.shapes
    warnings: dict[str, dict[int, str]] = {}
    for i, rescued in rows.rescued.items():
        if rescued.warning is not None:
            reason, text = rescued.warning
            warnings.setdefault(reason, {})[i] = text
        if rescued.extra:
            work.extra[i] = dict(rescued.extra)
        if rescued.attributes:
            work.attributes[i] = dict(rescued.attributes)
    for reason, texts in warnings.items():
        work.warn(work.flags(list(texts)), reason, texts.__getitem__)
    for i in np.flatnonzero(shapes.further & work.good).tolist():
        tail = work.numbers_of(i)[1 + shapes.used[i] :]
        work.extra.setdefault(i, {})["columns"] = tail.tolist()
    text = "further columns, of unknown meaning, are kept in `extra`"
    work.warn(shapes.further, "further columns", text)


def _assemble(
    work: RowWork, declared: Declared, items: Integers, columns: dict[str, Any]
) -> dict[str, Any]:
    good = np.flatnonzero(work.good)
    rows, shapes = work.rows, work.shapes
    numbers = rows.values[rows.start[good]].astype(np.int64)
    if not declared.names.declared:
        for number in np.unique(numbers).tolist():
            if number not in declared.names.by_id:
                declared.names.add(number)
    ids = np.array(sorted(declared.names.by_id), np.int64)
    names = pa.array([declared.names.by_id[i] for i in ids.tolist()], pa.string())
    codes = pa.array(np.searchsorted(ids, numbers).astype(np.int32))
    take = pa.array(good)
    out: dict[str, Any] = {
        "item": items[rows.file[good]],
        "type": pa.DictionaryArray.from_arrays(pa.array(shapes.kind[good]), _TYPES),
        "label": pa.DictionaryArray.from_arrays(codes, names),
    }
    for name, values in columns.items():
        if isinstance(values, pa.Array):
            out[name] = values.take(take)
        elif name != "rotation" or not np.isnan(values).all():
            out[name] = pa.array(values[good], from_pandas=True)
    if not np.isnan(shapes.score).all():
        out["score"] = pa.array(shapes.score[good], from_pandas=True)
    track = shapes.track[good]
    if (track >= 0).any():
        out["track"] = pa.array(track, mask=track < 0).cast(pa.string())
    repeated = set(declared.names.repeated()) if declared.names.declared else set()
    if repeated:
        for i, number in zip(good.tolist(), numbers.tolist(), strict=True):
            if declared.names.by_id[number] in repeated:
                work.extra.setdefault(i, {})["class"] = number
    for name, found in (("extra", work.extra), ("attributes", work.attributes)):
        if found:
            texts = [json.dumps(found[i]) if i in found else None for i in good.tolist()]
            out[name] = pa.array(texts, pa.string())
    return out
