"""data.yaml is read without running it, and its words stay the words they are."""

from __future__ import annotations

import os

import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats.yolo.yaml import load_yaml


def load(text):
    """Return the content of a YAML text."""
    return load_yaml(text if isinstance(text, bytes) else text.encode(), "data.yaml")[0]


def test_words_are_words():
    """What YAML 1.1 calls booleans, numbers, dates and null are class names here."""
    names = ["on", "off", "yes", "no", "y", "007", "1e3", "null", "2020-01-01", "0x10", "1_000"]
    assert load(f"names: [{', '.join(names)}]") == {"names": names}
    assert load("names: ['a: b', \"c # d\", é]") == {"names": ["a: b", "c # d", "é"]}


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfnames: [a]",
        "names: [a]".encode("utf-16"),
        b"names:\r\n- a\r\n",
        b"names:\n\t- a\n",
    ],
    ids=["bom", "utf16", "crlf", "tab"],
)
def test_as_editors_save_it(data):
    """Byte order marks, UTF-16, CRLF and tabs for indentation are no obstacle."""
    assert load(data) == {"names": ["a"]}


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:builtins.exec",
        "!!python/object/apply:os.system",
        "!!python/name:os.system",
        "!mine",
    ],
)
def test_objects_are_refused(tag, monkeypatch):
    """A tag that asks for an object is an error that names the file, and nothing runs."""
    monkeypatch.delenv("NBANNOT_CANARY", raising=False)
    text = f"names: [a]\nx: {tag} [\"import os; os.environ['NBANNOT_CANARY'] = 'yaml'\"]"
    with pytest.raises(BrokenFileError, match=r"data\.yaml.*line 2"):
        load(text)
    assert "NBANNOT_CANARY" not in os.environ


def test_plain_tags_are_harmless():
    """The tags of YAML's own types change nothing."""
    assert load("names: !!seq [!!str a, !!int 1]") == {"names": ["a", "1"]}


def test_aliases_are_counted():
    """A few aliases are fine; ten lines that stand for a billion values are an error."""
    assert load("a: &x [1]\nnames: *x") == {"a": ["1"], "names": ["1"]}
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    with pytest.raises(BrokenFileError, match="more than 200,000 values"):
        load("\n".join([*lines, "names: *a9"]))
    with pytest.raises(BrokenFileError, match="no anchor"):
        load("a: &x [*x]")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("names: [a", "not valid YAML"),
        ("a: b: c", r"not valid YAML.*line 1"),
        ("[" * 5000, "nested deeper"),
        ("? [a]\n: b", "a key is not a word"),
        ("- a\n---\n- b", "more than one document"),
        (b"\xff\xfa", "not UTF-8 text"),
    ],
    ids=["cut", "colon", "deep", "key", "two", "bytes"],
)
def test_broken_files_are_named(text, says):
    """What is no YAML is an error with the file and, where there is one, the line."""
    with pytest.raises(BrokenFileError, match=says) as caught:
        load(text)
    assert "data.yaml" in str(caught.value)


def test_a_key_given_twice_is_remarked_on():
    """The last value counts, as everywhere, but it is said."""
    value, odd = load_yaml(b"a: 1\na: 2", "data.yaml")
    assert value == {"a": "2"}
    assert odd == ["'a' is given twice; the last one counts"]
