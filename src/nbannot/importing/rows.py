"""Staged annotation rows, batch by batch: which to add, which to reject, what they hash to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..ledger import Ledger
from .hashes import item_hashes, row_hashes
from .staging import column

if TYPE_CHECKING:
    from .labels import LabelMapping
    from .plan import Plan

__all__ = [
    "batches",
    "drop_labels",
    "dropped",
    "label_ids",
    "mapped",
    "only_on",
    "reject_rows",
    "staged_hashes",
]

Mask = NDArray[np.bool_]


def batches(
    plan: Plan, add_rows: list[Mask]
) -> Iterator[tuple[pa.Table, Mask, NDArray[np.int64], int]]:
    """Yield (rows, mask, position of each row's item, number of the first row) per batch."""
    numbers = plan.staged.item_numbers
    first = 0
    for rows, mask in zip(plan.staged.batches, add_rows, strict=True):
        yield rows, mask, np.searchsorted(numbers, rows["item"].to_numpy()), first
        first += rows.num_rows


def only_on(plan: Plan, add_rows: list[Mask], items: Mask) -> None:
    """Narrow the masks to rows on items where `items` is True."""
    for _, mask, position, _ in batches(plan, add_rows):
        mask &= items[position]


def drop_labels(plan: Plan) -> list[Mask]:
    """Return a mask per batch of the rows to add: all but those whose label is dropped."""
    dropped = [m.name for m in plan.labels if m.action == "drop"]
    masks = [np.ones(rows.num_rows, bool) for rows in plan.staged.batches]
    if not dropped:
        return masks
    keys = plan.staged.items["key"].to_pylist()
    values = pa.array(dropped, pa.string())
    for rows, mask, position, first in batches(plan, masks):
        gone = pc.is_in(rows["label"], value_set=values).to_numpy(zero_copy_only=False)
        reject_rows(plan.notes, rows, gone, position, keys, first, "its label is dropped")
        mask &= ~gone
    return masks


def dropped(plan: Plan) -> int:
    """Return how many rows have a label that is dropped."""
    return sum(m.count for m in plan.labels if m.action == "drop")


def reject_rows(
    notes: Ledger,
    rows: pa.Table,
    gone: Mask,
    position: NDArray[np.int64],
    keys: Sequence[str],
    first: int,
    reason: str,
) -> None:
    """Reject the rows where `gone` is True, each by name."""
    lost = np.flatnonzero(gone)
    if not len(lost):
        return
    sources = rows["source_id"].take(pa.array(lost)).to_pylist()
    labels = rows["label"].take(pa.array(lost)).to_pylist()
    notes.reject(
        reason,
        where=[f"row {first + r}" for r in lost.tolist()],
        record=[
            f"annotation {s if s is not None else '#'}, row {first + r}"
            for s, r in zip(sources, lost.tolist(), strict=True)
        ],
        item=[keys[position[r]] for r in lost.tolist()],
        message=[f"label {label!r}" if label else "" for label in labels],
    )


def mapped(plan: Plan, rows: pa.Table) -> pa.Table:
    """Return `rows` with the names that its labels have in the project."""
    renamed = {m.name: m.to for m in plan.labels if m.action == "map"}
    return column(rows, "label", rename(rows["label"], renamed)) if renamed else rows


def rename(labels: pa.ChunkedArray, renamed: Mapping[str, str]) -> pa.ChunkedArray:
    """Return `labels` with some names replaced."""
    names = pc.unique(labels)
    target = pa.array([renamed.get(n, n) for n in names.to_pylist()], pa.string())
    return target.take(pc.index_in(labels, value_set=names))


def staged_hashes(plan: Plan, add_rows: list[Mask], columns: Sequence[str]) -> NDArray[np.uint64]:
    """Return one hash per staged item, of its rows that are to be added."""
    total = np.zeros(plan.staged.items.num_rows, np.uint64)
    for rows, mask, position, _ in batches(plan, add_rows):
        hashes = row_hashes(mapped(plan, rows), columns)
        total += item_hashes(position[mask], hashes[mask], len(total))
    return total


def label_ids(
    labels: pa.ChunkedArray, mapping: Sequence[LabelMapping], ids: Mapping[str, int]
) -> pa.Array:
    """Return the label id of each row, null where it has no label."""
    names = pc.unique(labels)
    to = {m.name: ids.get(m.to) for m in mapping}
    values = pa.array([to.get(n) for n in names.to_pylist()], pa.int64())
    out = values.take(pc.index_in(labels, value_set=names))
    return out.combine_chunks() if isinstance(out, pa.ChunkedArray) else out
