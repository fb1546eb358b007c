"""MNIST: written and read again, Datumaro's samples, and damaged files."""

from __future__ import annotations

import gzip
import io
import json

import numpy as np
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import Example, read_back, written
from nbannot.ledger import Ledger
from nbannot.schema import Label
from nbannot.sources import open_source
from nbannot.sources.idx import idx_header
from tests.formats.pixel_cases import PixelCases


class TestMnist(PixelCases):
    """Two idx files for each subset."""

    format_name = "mnist"
    keeps_names = False


class TestGzipped(TestMnist):
    """The same, gzipped."""

    write_options = {"gzip": True}


def read(where):
    """Read with the format; the ledger balances."""
    return read_back(get_format("mnist"), open_source(where))


def lines(found, outcome="rejected"):
    """Return (reason, record) of the ledger's lines."""
    rows = found.ledger.to_arrow().to_pylist()
    return [(r["reason"], r["record"]) for r in rows if r["outcome"] == outcome]


@pytest.mark.parametrize(
    ("case", "truth"),
    [
        ("datumaro-mnist", "datumaro-mnist.mnist"),
        ("datumaro-mnist_csv", "datumaro-mnist_csv.mnist_csv"),
    ],
)  # fmt: skip
def test_samples(samples, expected, case, truth):
    """Items, sizes and classes are what Datumaro reads; every pixel of these images is 1."""
    place = samples / "mnist" / case
    assert detect(open_source(place))[0].format == "mnist"
    wanted = json.loads((expected / "mnist" / f"{truth}.json").read_text())
    source = open_source(place)
    found = read(place)
    assert list(found.labels) == wanted["labels"]
    labels = {(a["subset"], int(a["key"][:5])): a["label"] for a in found.annotations}
    assert labels == {
        (i["subset"], int(i["id"])): i["annotations"][0]["label"] for i in wanted["items"]
    }
    for row in found.items:
        pixels = np.asarray(Image.open(io.BytesIO(source.read(row["media"]))))
        assert pixels.shape == (28, 28) == (row["height"], row["width"])
        assert (pixels == 1).all()
    assert found.ledger.groups() == []


def idx(values):
    """Return an idx file of an array."""
    array = np.asarray(values, np.uint8)
    return idx_header(*array.shape) + array.tobytes()


IMAGES = np.arange(3 * 4 * 5).reshape(3, 4, 5)


def test_pixels_and_names():
    """Rows before columns; labels.txt names the classes; t10k is test, and other names stay."""
    files = {
        "t10k-images-idx3-ubyte": idx(IMAGES), "t10k-labels-idx1-ubyte": idx([1, 0, 7]),
        "emnist-letters-train-images-idx3-ubyte.gz": gzip.compress(idx(IMAGES)),
        "emnist-letters-train-labels-idx1-ubyte.gz": gzip.compress(idx([0, 0, 0])),
        "labels.txt": "Hemd ✓\r\nHose\r\n".encode(),
    }  # fmt: skip
    source = open_source(files)
    found = read(files)
    assert [(a["subset"], a["label"]) for a in found.annotations] == [
        ("train", "Hemd ✓"), ("train", "Hemd ✓"), ("train", "Hemd ✓"), ("test", "Hose"),
        ("test", "Hemd ✓"), ("test", "7"),
    ]  # fmt: skip
    for row in found.items:
        pixels = np.asarray(Image.open(io.BytesIO(source.read(row["media"]))))
        assert (pixels == IMAGES[int(row["key"][:5])]).all()


def test_files_that_do_not_agree():
    """More images than classes, more classes than images, and a file that is cut short."""
    files = {"train-images-idx3-ubyte": idx(IMAGES), "train-labels-idx1-ubyte": idx([1, 2])}
    assert lines(read(files), "warning") == [("image without a class", "item")]
    files = {"train-images-idx3-ubyte": idx(IMAGES)[:-1], "train-labels-idx1-ubyte": idx([1, 2, 3])}
    found = read(files)
    assert lines(found, "warning") == [("class without an image", "item")]
    assert ("note", "file is cut short", 1) in found.ledger.groups()
    assert [r.get("media") is None for r in found.items] == [False, False, True]
    only = read({"train-labels-idx1-ubyte": idx([1, 2, 3])})
    assert [a["label"] for a in only.annotations] == ["1", "2", "3"]
    assert only.ledger.groups() == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no idx file",
        bytes([0, 0, 0x0D, 3]) + bytes(12),  # floats
        idx_header(1 << 31, 1 << 20, 1 << 20),  # a size that is only said
        gzip.compress(idx_header(1 << 31, 1 << 20, 1 << 20)),
        gzip.compress(idx(IMAGES))[:20],
    ],
)
def test_what_is_no_idx_file(data):
    """Other bytes, and sizes that nobody has, are an error that names the file."""
    files = {"train-images-idx3-ubyte": data}
    with pytest.raises(BrokenFileError, match="train-images-idx3-ubyte"):
        read(files)


def test_rows_of_csv():
    """A header is skipped; rows without a square of bytes are rejected by line."""
    row = ",".join(["3"] + ["7"] * 64)
    text = f"label,{','.join('p' * 64)}\n{row}\n\n4,1,2\n{row.replace('7', '256')}\n{row}\n"
    found = read({"mnist_train.csv": text.encode()})
    assert [(a["subset"], a["key"], a["label"]) for a in found.annotations] == [
        ("train", "00000.png", "3"), ("train", "00003.png", "3")
    ]  # fmt: skip
    assert lines(found) == [("row without pixels", "line 4"), ("row without pixels", "line 5")]
    source = open_source({"mnist_train.csv": text.encode()})
    for item in found.items:
        assert np.asarray(Image.open(io.BytesIO(source.read(item["media"])))).max() == 7


def test_not_mnist():
    """Other tables are not recognised."""
    found = {c.format: c for c in detect(open_source({"a.csv": b"image,label\na.jpg,1\n"}))}
    assert found["mnist"].missing == "the rows of a.csv are not a class and pixels"


def test_what_is_not_written():
    """No class, a second class, another size, colours: each is a line; `size` mends the sizes."""
    items = [
        {"key": k, "width": w, "height": 9} for k, w in (("a.png", 9), ("b.png", 5), ("c.png", 9))
    ]
    tags = [{"item": k, "type": "tag", "label": v} for k, v in
            (("a.png", "x"), ("a.png", "y"), ("b.png", "y"))]  # fmt: skip
    what = Example({"train": items}, {"train": tags}, (Label("x"), Label("y")))
    from nbannot.formats.examples import MemorySink
    from nbannot.progress import Progress

    format, ledger = get_format("mnist"), Ledger()
    format.write(what, MemorySink(what.media), format.check_options({}, writing=True), ledger,
                 Progress())  # fmt: skip
    rows = ledger.to_arrow().to_pylist()
    assert [(r["outcome"], r["reason"], r["item"], r["record"]) for r in rows if r["item"]] == [
        ("warning", "pixels changed", "a.png", "item"),
        ("rejected", "more than one class", "a.png", "annotation 2"),
        ("warning", "pixels changed", "b.png", "item"),
        ("rejected", "image of another size", "b.png", "item"),
        ("rejected", "image of another size", "b.png", "annotation 1"),
        ("rejected", "item without a class", "c.png", "item"),
    ]
    found = read(written(format, what, size=28))
    assert [(a["key"], a["label"]) for a in found.annotations] == [
        ("00000.png", "x"), ("00001.png", "y")
    ]  # fmt: skip
    assert {(r["width"], r["height"]) for r in found.items} == {(28, 28)}
    bare = written(format, what, media=False)
    assert sorted(bare) == ["labels.txt", "train-labels-idx1-ubyte"]
    assert [a["label"] for a in read(bare).annotations] == ["x", "y"]
