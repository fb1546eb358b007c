"""What formats share that name many images in one file: files, names of images, geometry."""

from __future__ import annotations

import json

import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats.image_files import extra_of, rounded, subset_folder
from nbannot.formats.image_records import (
    At,
    Images,
    add_box,
    add_points,
    document,
    json_lines,
    number,
    objects,
    subset_of,
)
from nbannot.formats.reading import Reading
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source


def reading(*paths):
    """Return a read of a source with these files."""
    return Reading(open_source(dict.fromkeys(paths or ("x",), b"")), Ledger(), Progress())


@pytest.mark.parametrize(
    ("path", "others", "subset"),
    [
        ("train/x.json", (), "train"),
        ("a/Valid/x.json", (), "Valid"),
        ("labels/det_val.json", (), "val"),
        ("train-export.csv", (), "train"),
        ("trains/x.json", (), None),
        ("a/x.json", ("a/x.json",), None),
        ("a/x.json", ("a/x.json", "b/x.json"), "a"),
        ("a/x.json", ("a/x.json", "a/y.json"), None),
    ],
)
def test_subset_of(path, others, subset):
    """A usual word of the name or a folder, else what tells several files apart."""
    assert subset_of(path, others) == subset


@pytest.mark.parametrize(
    ("name", "key", "media"),
    [
        ("a.jpg", "a.jpg", "sub/a.jpg"),
        (".\\deep\\b.jpg", "deep/b.jpg", "sub/deep/b.jpg"),
        ("../other/c.jpg", "other/c.jpg", "other/c.jpg"),
        ("/home/me/other/c.jpg", "other/c.jpg", "other/c.jpg"),
        ("C:\\data\\a.jpg", "a.jpg", "sub/a.jpg"),
        ("file:///x/a%20b.jpg", "a b.jpg", "sub/a b.jpg"),
        ("a%20b.jpg", "a b.jpg", "sub/a b.jpg"),
        ("/home/me/z.jpg", "z.jpg", None),
        ("s3://bucket/p/a.jpg", "bucket/p/a.jpg", "sub/a.jpg"),
        ("train/d.jpg", "d.jpg", None),
    ],
)
def test_names_of_images(name, key, media):
    """Relative, absolute, of another machine, escaped, remote; the subset's folder is no key."""
    made = reading("sub/a.jpg", "sub/deep/b.jpg", "other/c.jpg", "sub/a b.jpg", "sub/x.json")
    item = Images(made).add(name, At("sub/x.json", "1", ""), strip=("train",))
    assert made.key(item) == key
    (batch,) = made.rest()
    assert batch.items["media"].to_pylist() == [media]


@pytest.mark.parametrize("name", [None, "", "  ", 7, "../../etc/passwd", "data:image/png;base64,"])
def test_names_that_are_none(name):
    """No text, a path that leaves, media in the text: rejected."""
    made = reading("sub/x.json")
    assert Images(made).add(name, At("sub/x.json", "1", "")) is None
    assert made.ledger.groups()[0][0] == "rejected"


def test_two_of_one_name_stay_two():
    """Absolute paths of one base name get longer keys; the same name twice is one item."""
    made = reading()
    images = Images(made)
    keys = [
        made.key(images.add(name, At("x.json", str(i), "")))
        for i, name in enumerate(("/x/1.jpg", "/y/1.jpg", "/x/1.jpg"))
    ]
    assert keys == ["1.jpg", "y/1.jpg", "1.jpg"]
    one = reading("sub/1.jpg")
    images = Images(one)
    for name in ("/x/1.jpg", "/y/1.jpg"):
        images.add(name, At("sub/x.json", "1", ""))
    (batch,) = one.rest()
    assert batch.items["media"].to_pylist() == ["sub/1.jpg", None]
    assert made.ledger.groups() == [("warning", "image named twice", 1)]


def test_boxes_and_points():
    """What is doubtful is said and kept; what is no shape is rejected; all are counted."""
    made = reading()
    item = made.item("a.jpg")
    size = (10, 10)
    at = [At("x.json", str(i), "a.jpg") for i in range(8)]
    assert add_box(made, item, at[0], (0, 0, 10, 10.4), size)
    assert add_box(made, item, at[1], (-1, 0, 5, 5), size)
    assert add_box(made, item, at[2], (1, 1, 0, 5), size)
    assert not add_box(made, item, at[3], (1, 1, -2, 5), size)
    assert not add_box(made, item, at[4], None, size)
    assert add_points(made, item, at[5], [0, 0, 4, 0, 4, 3], size, label="cat")
    assert not add_points(made, item, at[6], [0, 0, 4, 0], size)
    assert add_points(made, item, at[7], [0, 0, 40, 0], size, type="polyline")
    (batch,) = made.rest()
    rows = batch.annotations.to_pylist()
    assert [rows[3][n] for n in "xywh"] == [0, 0, 4, 3]
    balance = made.ledger.check(1 + len(rows))
    assert (balance.read, balance.warned, balance.rejected) == (9, 3, 3)


def test_json_of_any_encoding():
    """A list of one stays a list, in UTF-16 too; lines that are bad are rejected."""
    made = reading()
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert document('[{"ä": 1}]'.encode(encoding), "x.json", made) == [{"ä": 1}]
        assert document('{"ä": 1}'.encode(encoding), "x.json", made) == {"ä": 1}
        lines = list(json_lines('{"ä": 1}\r\n\r\n5\r\n{"b": 2}'.encode(encoding), "x", made))
        assert lines == [("line 1", {"ä": 1}), ("line 4", {"b": 2})]
    assert made.ledger.groups() == [("rejected", "line is not JSON", 3)]
    assert list(objects(b'[{"a": 1}, 2]', "x", made)) == [("images[0]", {"a": 1})]
    for data in (b"", b"[1", b"[" * 100_000):
        with pytest.raises(BrokenFileError):
            document(data, "x.json", made)
    with pytest.raises(BrokenFileError, match="line 1"):
        list(json_lines(b"{\n}", "x", made))


@pytest.mark.parametrize(
    ("value", "found"),
    [(1, 1.0), ("2.5", 2.5), (True, None), (None, None), ("x", None), (10**400, None),
     (float("nan"), None), ([], None)],
)  # fmt: skip
def test_numbers(value, found):
    """Finite numbers, also as text; nothing else."""
    assert number(value) == found


def test_what_writers_share():
    """Folders of subsets, whole numbers, values of one's own in `extra`."""

    class Data:
        name, labels, subsets = "x", (), ("a/b",)

    ledger = Ledger()
    assert subset_folder(Data(), "a/b", ledger) == "a-b"
    assert ledger.groups() == [("note", "subset is a folder only", 1)]
    assert [rounded(v) for v in (3.0, -0.5, 1e300)] == [3, -0.5, 1e300]
    row = {"extra": json.dumps({"mine": {"a": 1}, "other": 2})}
    assert (extra_of(row, "mine"), extra_of(row, "other"), extra_of({}, "mine")) == (
        {"a": 1}, {}, {},
    )  # fmt: skip
