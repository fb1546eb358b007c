"""Annotations come out of the store as they went in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbannot.errors import SchemaError
from nbannot.project import open_project
from nbannot.project._columns import from_stored, to_stored
from nbannot.schema import ANNOTATIONS, TYPES, Label
from tests.project.making import add, annotation_rows, item_rows

FLOATS = st.floats(allow_nan=False, width=64).map(lambda v: v + 0.0)  # -0.0 is 0.0 in SQLite
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = {
    pa.float64(): FLOATS,
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.bool_(): st.booleans(),
    pa.string(): TEXT,
    pa.binary(): st.binary(max_size=8),
    pa.list_(pa.float64()): st.lists(st.floats(width=64, allow_nan=False), max_size=6),
    pa.list_(pa.int32()): st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
    pa.list_(pa.int8()): st.lists(st.integers(-128, 127), max_size=3),
}
ROWS = st.lists(
    st.fixed_dictionaries(
        {"item": st.integers(1, 3), "type": st.sampled_from(TYPES)},
        optional={
            field.name: st.none() | VALUES[field.type]
            for field in ANNOTATIONS
            if field.name not in ("item", "type", "layer", "label")
        }
        | {"label": st.sampled_from([None, 1, 2]), "layer": st.sampled_from([None, 0, 1])},
    ),
    max_size=8,
)
NAMES: dict[str, list[Any]] = {"label": [None, "cat", "é"], "layer": [None, "yolo"]}


@pytest.mark.parametrize("driver", ["adbc", "sqlite3"])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS)
def test_annotations_survive_the_store(rows, driver, monkeypatch):
    """Every column, null, unicode, empty list and extreme number is the same afterwards."""
    monkeypatch.setattr("nbannot.project._store_connection._adbc", lambda: driver == "adbc")
    given_rows = annotation_rows(rows)
    with open_project() as project:
        with project.begin("import") as commit:
            commit.add_items(commit.add_task("t"), item_rows(["a", "b", "c"]))
            commit.ensure_labels([Label("cat"), Label("é")])
            commit.ensure_layer("yolo")
            commit.add_annotations(given_rows)
        found = project.annotation_table()
    order = np.argsort(given_rows["item"].to_numpy(), kind="stable")
    expected = given_rows.take(pa.array(order))
    for name, names in NAMES.items():
        ids = pc.fill_null(expected[name], 0)
        column = pa.array([names[i] for i in ids.to_pylist()], pa.string())
        expected = expected.set_column(ANNOTATIONS.get_field_index(name), name, column)
    assert found.select(ANNOTATIONS.names).to_pylist() == expected.to_pylist()
    assert found["annotation_id"].to_pylist() == list(range(1, len(rows) + 1))


@given(
    lists=st.lists(st.none() | st.lists(st.floats(), max_size=4), max_size=20),
    start=st.integers(0, 10),
    count=st.integers(0, 10),
)
def test_lists_and_blobs(lists, start, count):
    """A slice of a list column becomes blobs and lists again, bit by bit, NaN and -0.0 too."""
    schema = pa.schema([("points", pa.list_(pa.float64()))])
    data = pa.table({"points": lists}, schema=schema).slice(start, count)
    stored = to_stored(data)
    if not stored.num_columns:  # all null: the column is left out
        assert data["points"].null_count == len(data)
        return
    assert from_stored(stored, schema)["points"].combine_chunks().equals(
        data["points"].combine_chunks()
    ) or repr(from_stored(stored, schema).to_pylist()) == repr(data.to_pylist())


def test_a_null_in_a_list_is_refused():
    """A list with a hole in it can't be kept as it is, so it is not taken."""
    data = pa.table({"points": pa.array([[1.0, None]], pa.list_(pa.float64()))})
    with pytest.raises(SchemaError, match="column points holds a list with a null"):
        to_stored(data)


def test_items_survive_the_store(project):
    """Every column of an item is the same afterwards."""
    values: dict[str, Any] = {
        "kind": ["video"], "uri": ["/data/é.mp4"], "width": [2**31 - 1], "height": [0],
        "frames": [2**53 + 1], "duration": [0.1], "source_id": ["9223372036854775808"],
        "data": ['{"a": 1}'], "meta": ["{}"], "blob": ["00" * 32],
    }  # fmt: skip
    with project.begin("import") as commit:
        commit.add_items(commit.add_task("t"), item_rows(["ü/a.mp4"], **values))
    row = project.item_table().to_pylist()[0]
    assert {name: row[name] for name in values} == {name: v[0] for name, v in values.items()}
    assert (row["key"], row["position"]) == ("ü/a.mp4", 0)


def test_columns_that_the_tables_do_not_have(project):
    """A column that is not in the schema is an error, never left out in silence."""
    add(project)
    rows = annotation_rows([{"item": 1, "type": "box"}]).append_column("area", pa.array([1.0]))
    with pytest.raises(SchemaError, match="area"), project.begin("import") as commit:
        commit.add_annotations(rows)
