from __future__ import annotations

import pyarrow as pa
import pytest

from nbannot.errors import ProjectError
from nbannot.project._store_connection import Connection, connect

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("flag", pa.bool_()),
        ("points", pa.list_(pa.float64())),
    ]
)


@pytest.fixture(params=["adbc", "sqlite3"])
def connection(request):
    """Return a connection to a database in memory with one table."""
    made = connect(":memory:", "test", driver=request.param)
    made.run("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, flag INTEGER, points BLOB)")
    yield made
    made.close()


def rows(connection: Connection) -> pa.Table:
    """Return the whole table."""
    return connection.query("SELECT id, name, flag, points FROM t", SCHEMA)


def test_what_goes_in_comes_out(connection):
    """Nulls, empty lists, unicode and NUL characters are the same afterwards, in id order."""
    data = pa.table(
        {
            "id": [3, 1, 2],
            "name": ["a\0b", None, "é\N{GRINNING FACE}"],
            "flag": [None, True, False],
            "points": [[1.5, -2.0], None, []],
        },
        schema=SCHEMA,
    )
    connection.ingest("t", data.slice(1))
    connection.ingest("t", data.slice(0, 1))
    assert rows(connection).equals(data.sort_by("id").combine_chunks())


def test_types_hold_where_the_first_rows_are_null(connection):
    """Text after 3,000 nulls is text, and an empty answer has the types asked for."""
    names = [None] * 3000 + ["late"]
    empty = rows(connection)
    assert empty.schema.equals(SCHEMA)
    assert not len(empty)
    connection.ingest("t", pa.table({"id": range(1, 3002), "name": pa.array(names, pa.string())}))
    assert rows(connection)["name"].to_pylist() == names


def test_more_rows_than_a_batch_go_in_order(connection):
    """Rows given with an order are written in it, a slice at a time."""
    count = 150_000
    order = pa.array(range(count)).to_numpy()[::-1]
    connection.ingest("t", pa.table({"name": [str(i) for i in range(count)]}), order)
    found = rows(connection)
    assert found["name"][0].as_py() == str(count - 1)
    assert found["name"][count - 1].as_py() == "0"


def test_a_query_of_ones_own_has_the_types_of_all_its_rows(connection):
    """A column that begins with nulls is text when text comes later."""
    connection.ingest("t", pa.table({"name": pa.array([None] * 3000 + ["x"], pa.string())}))
    assert connection.ask("SELECT name FROM t ORDER BY id")["name"].to_pylist()[-1] == "x"


def test_an_error_says_what_sqlite_said(connection):
    """A wrong query is a ProjectError with SQLite's words."""
    with pytest.raises(ProjectError, match="no such table: nope"):
        connection.ask("SELECT * FROM nope")


def test_damaged_lists_are_refused(connection):
    """A blob that is not a whole number of values is damage, not a shorter list."""
    connection.run("INSERT INTO t(points) VALUES (x'0000')")
    with pytest.raises(ProjectError, match="points of the project is damaged"):
        rows(connection)


def test_a_file_that_is_no_database(tmp_path):
    """A file of something else is named as such."""
    file = tmp_path / "x.sqlite"
    file.write_bytes(b"GIF89a" * 1000)
    for driver in ("adbc", "sqlite3"):
        made = connect(str(file), "pets", driver=driver)
        with pytest.raises(ProjectError, match=r"not a project's database \(pets\)"):
            made.rows("SELECT name FROM sqlite_master")
        made.close()


def test_a_place_that_is_not_there(tmp_path):
    """A folder that does not exist can't be opened, and the error says what to check."""
    for driver in ("adbc", "sqlite3"):
        with pytest.raises(ProjectError, match="Check that the folder exists"):
            connect(str(tmp_path / "no" / "x.sqlite"), "pets", driver=driver).close()
