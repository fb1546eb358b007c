import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbannot.errors import SourceError, UnsafeSourceError
from nbannot.sources import open_source

TEXT = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=8,
)


def test_files_in_memory():
    """A mapping of path to bytes is a source of those files."""
    source = open_source({"b.txt": b"22", "a/c.txt": bytearray(b"1")}, name="mine")
    assert list(source.files) == ["a/c.txt", "b.txt"]
    assert source.read("b.txt", 1) == b"2"
    assert source.size("b.txt") == 2
    assert source.link("b.txt") is None
    assert (source.name, source.code) == ("mine", "mine")
    with source.open("a/c.txt") as stream:
        assert stream.read() == b"1"
    with pytest.raises(SourceError, match=r"There is no file 'c\.txt' in mine"):
        source.read("c.txt")


def test_paths_in_memory_may_not_escape():
    """The rules for paths hold here too."""
    with pytest.raises(UnsafeSourceError):
        open_source({"../a": b""})
    with pytest.raises(SourceError, match="the same file"):
        open_source({"./a": b"", "a": b""})


def test_fingerprint_is_of_the_content():
    """Equal content has an equal fingerprint."""
    first = open_source({"a": b"1", "b": b"2"}).fingerprint()
    assert open_source({"b": b"2", "a": b"1"}).fingerprint() == first
    assert open_source({"a": b"12", "b": b""}).fingerprint() != first


@given(st.lists(VALUES) | st.dictionaries(TEXT, VALUES))
def test_json_values_become_one_file(value):
    """A list or dict is one JSON file that says the same, to the last digit."""
    source = open_source(value, name="predictions")
    assert list(source.files) == ["records.json"]
    assert json.loads(source.read("records.json")) == value
    assert (source.name, source.code) == ("predictions", "predictions")


def test_nan_does_not_become_null():
    """NaN is not the same as nothing."""
    read = json.loads(open_source([{"score": math.nan, "x": None}]).read("records.json"))
    assert math.isnan(read[0]["score"])
    assert read[0]["x"] is None


def test_numbers_of_numpy_are_numbers():
    """A model's output is full of numpy's numbers."""
    value = [{"box": np.array([1.5, 2.0]), "label": np.int64(3)}, np.bool_(1)]
    read = json.loads(open_source(value).read("records.json"))
    assert read == [{"box": [1.5, 2.0], "label": 3}, True]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([{"a": 1}, {"b": [0, object()]}], r"\[1\]\.b\[1\] is a value of type object"),
        ({"x": {"y": 1j}}, r"x\.y is a value of type complex"),
        ([math], r"\[0\] is a value of type module"),
        ({("a", "b"): 1}, "can't be read as JSON"),
    ],
)
def test_what_is_no_json_is_named(value, place):
    """The message names the place of what can't be stored."""
    with pytest.raises(SourceError, match=place):
        open_source(value)


def test_a_list_in_itself():
    """A value without end is an error."""
    value = []
    value.append(value)
    with pytest.raises(SourceError, match="too deep"):
        open_source(value)
