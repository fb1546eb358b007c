"""Batches and labels."""

from __future__ import annotations

import pyarrow as pa
import pytest

from nbannot.errors import SchemaError
from nbannot.schema import ANNOTATIONS, ITEMS, Batch, BatchBuilder, offsets


def test_absent_columns_are_null() -> None:
    """A batch has all columns; those that were not given are null."""
    batch = Batch.of({"item": [0], "key": ["a"], "kind": ["image"]})
    assert batch.items.schema.equals(ITEMS)
    assert batch.items["width"].null_count == 1
    assert batch.annotations.schema.equals(ANNOTATIONS)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ({"item": [0], "key": ["a"], "kind": ["picture"]}, "picture"),
        ({"item": [0], "key": ["a"]}, "kind holds 1 nulls"),
        ({"item": [0, 1], "key": ["a"]}, "different lengths"),
        ({"item": [0], "name": ["a"]}, r"unknown columns \['name'\]"),
        ({"item": ["zero"], "key": ["a"], "kind": ["image"]}, "column item"),
    ],
)
def test_a_bad_batch_is_refused_with_the_reason(
    items: dict[str, list[object]], message: str
) -> None:
    """What does not fit the columns is refused at construction, by name."""
    with pytest.raises(SchemaError, match=message):
        Batch.of(items)


def test_dictionary_columns_are_decoded() -> None:
    """Readers may give dictionary arrays; a batch holds plain strings."""
    kinds = pa.array(["image", "image"]).dictionary_encode()
    batch = Batch.of({"item": [0, 1], "key": ["a", "b"], "kind": kinds})
    assert batch.items["kind"].type == pa.string()


def test_builder_fills_columns_that_come_and_go() -> None:
    """Rows may have different fields; the others are null, and numbers go on after a flush."""
    builder = BatchBuilder()
    first = builder.item(key="a", kind="image", width=3)
    builder.item(key="b", kind="image")
    builder.item(key="c", kind="image", height=4)
    builder.annotation(first, type="tag", label="x")
    builder.annotation(first, type="box", x=1.0)
    batch = builder.flush()
    assert batch.items["width"].to_pylist() == [3, None, None]
    assert batch.items["height"].to_pylist() == [None, None, 4]
    assert batch.annotations["x"].to_pylist() == [None, 1.0]
    assert len(builder) == 0
    assert builder.item(key="d", kind="image") == 3


def test_offsets() -> None:
    """Lengths become Arrow offsets."""
    assert offsets([2, 0, 3]).tolist() == [0, 2, 2, 5]
