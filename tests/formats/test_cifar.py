"""CIFAR: written and read again, Datumaro's samples, and pickles that must not be read."""

from __future__ import annotations

import io
import json
import os
import pickle
import pickletools
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import example, read_back, written
from nbannot.sources import open_source, pickles
from tests.formats.pixel_cases import PixelCases


class TestCifar10(PixelCases):
    """batches.meta, data_batch_1, and a batch for each other subset."""

    format_name = "cifar"
    one_size = False


class TestCifar100(PixelCases):
    """meta, train, test: fine and coarse classes."""

    format_name = "cifar"
    one_size = False
    write_options = {"kind": "cifar100"}


def read(where):
    """Read with the format; the ledger balances."""
    return read_back(get_format("cifar"), open_source(where))


def lines(found, outcome="rejected"):
    """Return (reason, record) of the ledger's lines."""
    rows = found.ledger.to_arrow().to_pylist()
    return [(r["reason"], r["record"]) for r in rows if r["outcome"] == outcome]


# Datumaro takes each batch for a subset; by CIFAR's own words batches 1 to 5 are for training.
SUBSETS = {"data_batch_1": "train", "test_batch": "test"}


@pytest.mark.parametrize("case", ["datumaro-cifar10", "datumaro-cifar100"])
def test_samples(samples, expected, case):
    """Items, sizes and classes are what Datumaro reads."""
    place = samples / "cifar" / case
    assert detect(open_source(place))[0].format == "cifar"
    wanted = json.loads((expected / "cifar" / f"{case}.cifar.json").read_text())
    source = open_source(place)
    found = read(place)
    assert list(found.labels)[: len(wanted["labels"])] == wanted["labels"]
    items = {(SUBSETS.get(i["subset"], i["subset"]), f"{i['id']}.png"): i for i in wanted["items"]}
    assert {(r["subset"], r["key"]) for r in found.items} == set(items)
    for row in found.annotations:
        assert row["label"] == items[row["subset"], row["key"]]["annotations"][0]["label"]
    assert len(found.annotations) == len(items)
    for row in found.items:
        size = items[row["subset"], row["key"]]["size_hw"]
        image = Image.open(io.BytesIO(source.read(row["media"])))
        assert [image.height, image.width] == size == [row["height"], row["width"]]
    assert found.ledger.groups() == []


def test_coarse_classes(samples):
    """The parent of a fine class is its coarse one; pixels are three planes."""
    found = read(samples / "cifar/datumaro-cifar100")
    parents = {label.name: label.parent for label in found.labels.values()}
    assert parents == {
        "airplane": "air_object", "automobile": "ground_object", "bird": "air_object",
        "air_object": None, "ground_object": None,
    }  # fmt: skip
    item = next(r for r in found.items if (r["width"], r["height"], r["subset"]) == (2, 2, "test"))
    source = open_source(samples / "cifar/datumaro-cifar100")
    pixels = np.asarray(Image.open(io.BytesIO(source.read(item["media"]))))
    assert pixels[0].tolist() == [[1, 2, 3], [4, 5, 6]]  # by the bytes of the sample


def python2(value):
    """Return a pickle as Python 2 wrote it: byte strings, an array by its bytes."""
    return pickle.dumps(value, protocol=2)


def batch(**more):
    """Return a batch of two images."""
    data = np.arange(2 * 3072, dtype=np.int64).astype(np.uint8).reshape(2, 3072)
    return {b"data": data, b"labels": [0, 1], b"filenames": [b"a.png", b"x/b.png"],
            **{k.encode(): v for k, v in more.items()}}  # fmt: skip


def test_as_it_comes_from_toronto():
    """Keys and names as bytes, classes without names, all five batches together."""
    files = {
        "cifar-10/data_batch_1": python2(batch()),
        "cifar-10/data_batch_2": python2(batch(filenames=[b"c.png", b"a.png"])),
        "cifar-10/test_batch": python2(batch(filenames=[])),
    }
    found = read(files)
    assert [(a["subset"], a["key"], a["label"]) for a in found.annotations] == [
        ("train", "a.png", "class_0"), ("train", "x/b.png", "class_1"),
        ("train", "c.png", "class_0"), ("train", "a-2.png", "class_1"),
        ("test", "test_batch/00000.png", "class_0"), ("test", "test_batch/00001.png", "class_1"),
    ]  # fmt: skip
    assert lines(found, "warning") == [("second image of one name", "item")]


def test_what_does_not_agree():
    """Classes that have no name, too few classes, pixels of another size."""
    files = {
        "batches.meta": python2({b"label_names": [b"cat"]}),
        "data_batch_1": python2(batch()),
        "test_batch": python2(batch(labels=[0], image_sizes=[(32, 32), (9, 9)])),
    }
    found = read(files)
    assert lines(found) == [("class is not in the names", "label 1")]
    assert sorted(lines(found, "warning")) == [
        ("image without a class", "item"), ("image without pixels", "item")
    ]  # fmt: skip


def test_pickles_name_no_function():
    """What is written names numpy's arrays, and nothing else that would be called."""
    files = written(get_format("cifar"), example(("tag",)))
    assert files
    for data in files.values():
        found = [arg for op, arg, _ in pickletools.genops(data) if op.name == "GLOBAL"]
        assert all(name.partition(".")[0].partition(" ")[0] == "numpy" for name in found)


FORBIDDEN = str(Path(tempfile.gettempdir()) / "nbannot-made-by-a-pickle")


class Evil:
    """What runs a program when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, (FORBIDDEN,)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (pickle.dumps({"data": Evil(), "labels": [0]}), "names posix.mkdir"),
        (pickle.dumps({"data": Evil(), "labels": [0]}, protocol=0), "names posix.mkdir"),
        (b"\x80\x04cbuiltins\neval\n(X\x03\x00\x00\x001+1tR.", "names builtins.eval"),
        (b"\x80\x04cbuiltins\nbytes\n(K\x7ftR.", "positional argument"),
        (b"\x80\x04cnumpy\nload\n.", "names numpy.load"),
        (b"\x80\x04c__main__\nEvil\n)\x81.", "NEWOBJ"),
        (b"\x80\x04\x82\x01.", "EXT1"),
        (b"\x80\x04P1\n.", "PERSID"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x0f.", "expected"),
        (b"\x80\x04Nr\xff\xff\xff\x7f.", "memo"),
        (b"\x80\x04]", "STOP"),
        (b"", "STOP"),
        (b"\x80\x04K\x01.", "no batch"),
    ],
)
def test_pickles_that_are_refused(data, why):
    """Nothing that a pickle names is called; sizes that are only said take no memory."""
    with pytest.raises(BrokenFileError, match=f"(?s){why}.*data_batch_1"):
        read({"data_batch_1": data})
    assert not Path(FORBIDDEN).exists()


def test_one_bad_batch_of_many():
    """It is a rejected record; the other batch is read."""
    files = {"data_batch_1": pickle.dumps({"data": Evil()}), "data_batch_2": python2(batch())}
    found = read(files)
    assert lines(found) == [("batch that can't be read", "file")]
    assert len(found.items) == 2


def test_arrays():
    """Arrays of numbers of any size and order come back as they are."""
    for array in (
        np.arange(6, dtype=">u2").reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([True, False]), np.arange(3, dtype=np.int8), np.empty((0, 3), np.uint8),
    ):  # fmt: skip
        for protocol in (0, 2, 3, 4):
            assert np.array_equal(pickles.loads(pickle.dumps(array, protocol)), array)
    with pytest.raises(ValueError, match="an array of"):
        pickles.loads(pickle.dumps(np.array(["text"])))


def test_hundred_is_found_out():
    """Where every class has a parent, CIFAR-100 is written, and parents come back."""
    what = example(("tag",))
    labels = tuple(replace(label, parent="thing") for label in what.labels)
    what = replace(what, labels=labels)
    files = written(get_format("cifar"), what)
    assert sorted(files) == ["meta", "train", "val"]
    found = read(files)
    assert {found.labels[a["label"]].parent for a in found.annotations} == {"thing"}
    bare = read(written(get_format("cifar"), what, media=False))
    assert [(a["key"], a["label"]) for a in bare.annotations] == [
        (a["key"], a["label"]) for a in found.annotations
    ]


def test_not_cifar():
    """Files without a suffix that are no pickles are not recognised."""
    found = {c.format: c for c in detect(open_source({"meta": b"hello", "train": b"x"}))}
    assert found["cifar"].missing == "meta is no pickle of CIFAR"
