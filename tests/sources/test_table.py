from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from nbannot.errors import OptionError, SourceError
from nbannot.sources import open_source

COLUMNS = {"path": ["a.jpg", "b.jpg", None], "class": ["cat", "dog", "cat"], "x": [1.5, 2.0, None]}


def views():
    """Return a table with the newest kind of text."""
    return pa.table({**COLUMNS, "path": pa.array(COLUMNS["path"], pa.string_view())})


TABLES = {
    "pandas": lambda: pd.DataFrame(COLUMNS),
    "pandas object": lambda: pd.DataFrame(COLUMNS).astype({"path": object}),
    "pandas arrow": lambda: pd.DataFrame(COLUMNS).convert_dtypes(dtype_backend="pyarrow"),
    "pandas category": lambda: pd.DataFrame(COLUMNS).astype({"class": "category"}),
    "polars": lambda: pl.DataFrame(COLUMNS),
    "polars category": lambda: pl.DataFrame(COLUMNS, schema_overrides={"class": pl.Categorical}),
    "pyarrow": lambda: pa.table(COLUMNS),
    "batch": lambda: pa.RecordBatch.from_pydict(COLUMNS),
    "reader": lambda: pa.table(COLUMNS).to_reader(),
    "large": lambda: pa.table({**COLUMNS, "path": pa.array(COLUMNS["path"], pa.large_string())}),
    **({"views": views} if hasattr(pa, "string_view") else {}),
}


class Speaks:
    """A table of some other library."""

    def __arrow_c_stream__(self, requested_schema=None):
        return pa.table(COLUMNS).__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("make", [*TABLES.values(), Speaks], ids=[*TABLES, "other"])
def test_every_library_gives_the_same_table(make):
    """Whatever library a table comes from, readers get the same Arrow table."""
    source = open_source(make())
    assert source.table().to_pydict() == COLUMNS
    assert source.table().schema.equals(
        pa.schema({"path": pa.string(), "class": pa.string(), "x": pa.float64()})
    )
    assert source.table().schema.metadata is None
    assert list(source.files) == []
    assert source.fingerprint() == open_source(pa.table(COLUMNS)).fingerprint()


def test_the_name_is_that_of_the_variable():
    """A table is called what the user calls it."""
    source = open_source(pd.DataFrame(COLUMNS), name="boxes")
    assert (source.name, source.code, source.uri) == ("boxes", "boxes", "table:boxes")
    assert open_source(pd.DataFrame(COLUMNS)).code == "df"


def test_fingerprint_follows_the_values():
    """Another value, another fingerprint."""
    frame = pd.DataFrame(COLUMNS)
    before = open_source(frame).fingerprint()
    frame.loc[0, "x"] = 1.25
    assert open_source(frame).fingerprint() != before


def test_an_index_of_ones_own_is_a_column():
    """The index is often the file's name; numbers from 0 on are not worth a column."""
    frame = pd.DataFrame(COLUMNS)
    assert open_source(frame.set_index("path")).table().column_names == ["path", "class", "x"]
    assert open_source(frame[frame["class"] == "cat"]).table()["index"].to_pylist() == [0, 2]
    several = frame.set_index(["path", "class"])
    assert open_source(several).table().column_names == ["path", "class", "x"]
    assert open_source(frame).table().column_names == ["path", "class", "x"]


def test_a_column_that_cannot_be_read_is_named():
    """A column of mixed things is refused by name, with a way out."""
    frame = pd.DataFrame({"ok": [1, 2], "mixed": ["a", 1]}).astype({"mixed": object})
    with pytest.raises(SourceError, match=r"Column 'mixed' of df can't be read.*astype\(str\)"):
        open_source(frame)
    with pytest.raises(SourceError, match="Column 'thing'"):
        open_source(pd.DataFrame({"thing": [object()]}))


def test_columns_of_one_name_are_refused():
    """Two columns of one name can't both be read."""
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(SourceError, match="two columns called 'a'"):
        open_source(frame)


def test_what_is_no_table():
    """A column alone, an array and a plan of a query are no tables."""
    with pytest.raises(SourceError, match="can't be read as a table"):
        open_source(pl.Series("a", [1, 2]))
    with pytest.raises(OptionError, match="ndarray"):
        open_source(np.zeros((2, 2)))
    with pytest.raises(OptionError, match=r"collect\(\)"):
        open_source(pl.LazyFrame(COLUMNS))


def test_media_of_a_table_is_found_on_this_machine(tmp_path, monkeypatch):
    """Paths in a table are absolute, or relative to the folder that was current."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.jpg").write_bytes(b"jpg")
    monkeypatch.chdir(tmp_path)
    source = open_source(pd.DataFrame({"path": ["images/a.jpg"]}))
    monkeypatch.chdir(Path(tmp_path.anchor))
    assert source.link("images/a.jpg") == str(tmp_path / "images/a.jpg")
    assert source.link(str(tmp_path / "images/a.jpg")) == str(tmp_path / "images/a.jpg")
    assert source.read("images/a.jpg") == b"jpg"
    assert source.size("images/a.jpg") == 3
    assert source.link("images/gone.jpg") is None
    with pytest.raises(SourceError, match="There is no file"):
        source.read("images/gone.jpg")


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../../../etc/passwd", "~/.ssh/id_rsa", "notes.txt", "folder.jpg", "a\0.jpg"],
)
def test_only_media_is_read_for_a_table(tmp_path, monkeypatch, path):
    """S14: a table that names /etc/passwd does not get it."""
    (tmp_path / "notes.txt").write_text("secret")
    (tmp_path / "folder.jpg").mkdir()
    monkeypatch.chdir(tmp_path)
    source = open_source(pd.DataFrame({"path": [path]}))
    assert source.link(path) is None
    for look in (source.read, source.open, source.size):
        with pytest.raises(SourceError, match="There is no file"):
            look(path)


@pytest.mark.parametrize(
    "url",
    [
        "https://me:S3CRETPW@127.0.0.1:9/a.png?sig=SIGSECRET",
        "simplecache::file:///etc/S3CRETPW.png",
        "data:image/png;base64,S3CRETPW",
        "//127.0.0.1/S3CRETPW.png?x=SIGSECRET",
        " http://me:S3CRETPW@127.0.0.1:9/a.png",
        "http://[S3CRETPW/a.png",
    ],
)
def test_urls_in_a_table_are_not_fetched(url):
    """R5: a link is refused by its form, and its secrets are not repeated."""
    source = open_source(pd.DataFrame({"path": [url]}))
    assert source.link(url) is None
    with pytest.raises(SourceError, match="links are not fetched") as caught:
        source.read(url)
    assert "SIGSECRET" not in str(caught.value)
    if not url.startswith("//"):
        assert "S3CRETPW" not in str(caught.value)


def test_a_geodataframe_would_do():
    """A subclass of DataFrame is a DataFrame."""

    class Frame(pd.DataFrame):
        pass

    assert open_source(Frame(COLUMNS)).table().num_rows == 3
