"""Hashes that tell changed annotations from unchanged ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nbannot.importing.hashes import item_hashes, row_hashes
from nbannot.schema import ANNOTATIONS, Batch

COLUMNS = [n for n in ANNOTATIONS.names if n != "item"]
BASE: dict[str, Any] = {
    "type": "polygon",
    "label": "cat",
    "x": 1.0,
    "points": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    "mask": b"abc",
    "visibility": [2, 1],
    "occluded": True,
    "extra": "{}",
}


def rows(*changes: dict[str, Any]) -> pa.Table:
    """Return one row per change of the base row."""
    made = [{**BASE, **change} for change in changes]
    columns = {name: [m.get(name) for m in made] for name in BASE | changes[0] | changes[-1]}
    return Batch.of({}, {"item": [0] * len(made), **columns}).annotations


@pytest.mark.parametrize(
    "change",
    [
        {"label": "dog"},
        {"label": None},
        {"x": 1.0000000000000002},
        {"x": None},
        {"points": [1.0, 2.0, 3.0, 4.0, 6.0, 5.0]},
        {"points": None},
        {"mask": b"acb"},
        {"visibility": [1, 2]},
        {"occluded": False},
        {"extra": '{"a": 1}'},
        {"w": 0.0},
    ],
)
def test_any_change_changes_the_hash(change: dict[str, Any]) -> None:
    """Whatever column differs, however little, the hash differs."""
    a, b = row_hashes(rows({}, change), COLUMNS)
    assert a != b


def test_equal_rows_are_equal_wherever_they_lie() -> None:
    """The hash depends on the values only: not on batches, slices or absent columns."""
    table = rows({}, {"label": "dog"}, {})
    whole = row_hashes(table, COLUMNS)
    assert whole[0] == whole[2]
    assert row_hashes(table.slice(2, 1), COLUMNS)[0] == whole[0]
    assert row_hashes(pa.concat_tables([table.slice(0, 1), table.slice(1)]), COLUMNS)[2] == whole[2]


def test_items_do_not_mind_order_but_mind_repetition() -> None:
    """An item is the same with its annotations in another order, not with one of them twice."""
    h = row_hashes(rows({}, {"label": "dog"}), COLUMNS)
    owner = np.zeros(2, np.int64)
    assert item_hashes(owner, h, 1) == item_hashes(owner, h[::-1], 1)
    assert item_hashes(np.zeros(3, np.int64), h[[0, 1, 1]], 1) != item_hashes(owner, h, 1)
