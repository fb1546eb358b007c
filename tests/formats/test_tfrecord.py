"""TFRecord: written and read again, samples of Datumaro and Roboflow, and damaged files."""

from __future__ import annotations

import io
import json
import struct

import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import read_back
from nbannot.sources import open_source
from nbannot.sources.tfrecord import crc32c, example, record


class TestTFRecord(FormatCases):
    """Boxes, tags and masks; coordinates are 32-bit floats."""

    format_name = "tfrecord"
    tolerance_px = 1e-4

    def test_items_come_back(self, format, dataset, files):
        """Every item is there, under its own path, with its image inside the file."""
        source = open_source(files)
        found = self.read(format, source)
        given = [(s, row["key"]) for s, rows in dataset.items.items() for row in rows]
        assert sorted((row["subset"], row["key"]) for row in found.items) == sorted(given)
        for row in found.items:
            number = given.index((row["subset"], row["key"]))
            assert source.read(row["media"]) == dataset.media(number)


def read(where):
    """Read with the format; the ledger balances."""
    return read_back(get_format("tfrecord"), open_source(where))


def lines(found, outcome="rejected"):
    """Return (reason, record) of the ledger's lines."""
    rows = found.ledger.to_arrow().to_pylist()
    return [(r["reason"], r["record"]) for r in rows if r["outcome"] == outcome]


def picture(size=(20, 10), form="PNG"):
    """Return an image file."""
    out = io.BytesIO()
    Image.new("RGB", size).save(out, form)
    return out.getvalue()


def made(*, corners=(0.1, 0.2, 0.5, 0.6), **more):
    """Return the features of a record with one object."""
    names = ("xmin", "ymin", "xmax", "ymax")
    found = {f"image/object/bbox/{n}": [v] for n, v in zip(names, corners, strict=True)}
    found |= {
        "image/filename": [b"a.png"], "image/encoded": [picture()], "image/height": [10],
        "image/width": [20], "image/object/class/text": [b"cat"],
    }  # fmt: skip
    return {**found, **{k.replace("_", "/", 1): v for k, v in more.items()}}


def test_checksum():
    """CRC-32C of values that the RFC gives, and of more than is taken at once."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    data = bytes(i * 7 % 251 for i in range(10_007))
    slow = 0xFFFFFFFF
    for byte in data:
        slow ^= byte
        for _ in range(8):
            slow = (slow >> 1) ^ (0x82F63B78 if slow & 1 else 0)
    assert crc32c(data) == slow ^ 0xFFFFFFFF


def test_the_sample_of_datumaro(samples, expected):
    """Items, sizes and boxes are what CVAT's Datumaro reads; the images are in the records."""
    place = samples / "tfrecord/datumaro-tf_detection_api"
    assert detect(open_source(place))[0].format == "tfrecord"
    truth = json.loads(
        (expected / "tfrecord/datumaro-tf_detection_api.tf_detection_api.cvatfork.json").read_text()
    )
    source = open_source(place)
    found = read(place)
    assert list(found.labels) == truth["labels"]
    items = {i["id"]: i for i in truth["items"]}
    assert len(found.items) == len(items)
    for row in found.items:
        item = items[row["source_id"]]
        assert (row["subset"], [row["height"], row["width"]]) == (item["subset"], item["size_hw"])
        assert row["key"] == f"{item['id']}.jpg"
        data = source.read(row["media"])
        assert list(Image.open(io.BytesIO(data)).size) == item["size_hw"][::-1]
        mine = [a for a in found.annotations if a["key"] == row["key"]]
        shapes = [(a.get("label"), [a[n] for n in "xywh"]) for a in mine]
        wanted = [(a.get("label"), pytest.approx(a["bbox_xywh"], abs=1e-5))
                  for a in item["annotations"]]  # fmt: skip
        assert shapes == wanted
    assert found.ledger.groups() == []


def test_the_sample_of_roboflow(samples):
    """Three records with one or two boxes each (no reference reads it; by its own bytes)."""
    place = samples / "roboflow/datumaro-tfrecord"
    assert detect(open_source(place))[0].format == "tfrecord"
    found = read(place)
    assert [(r["subset"], r["key"]) for r in found.items] == [
        ("train", "train_001.jpg"), ("train", "train_002.jpg"), ("val", "val_001.jpg")
    ]  # fmt: skip
    assert list(found.labels) == ["label_0", "label_1"]
    assert [g for g in found.ledger.groups() if g[0] == "rejected"] == []
    assert [a["label"] for a in found.annotations[:2]] == ["label_0", "label_1"]


def test_malformed_objects():
    """Corners that are turned, outside, missing or no numbers; sizes as floats, or not there."""
    rows = [
        made(corners=(0.5, 0.2, 0.1, 0.6)),
        made(corners=(-0.1, 0.2, 1.5, 0.6), image_filename=[b"b.png"]),
        {k: v for k, v in made(image_filename=[b"c.png"]).items() if not k.endswith("xmax")},
        made(image_height=[10.0], image_width=[20.0], image_filename=[b"d.png"]),
        made(image_height=[], image_filename=[b"e.png"]),
        made(image_height=[], image_encoded=[], image_filename=[b"f.png"]),
    ]
    found = read({"train.tfrecord": b"".join(record(example(r)) for r in rows)})
    assert lines(found) == [
        ("box of negative size", "record 0, object 1"),
        ("box without numbers", "record 2, object 1"),
        ("size of the image is unknown", "record 5, object 1"),
    ]
    assert lines(found, "warning") == [("box reaches outside the image", "record 1, object 1")]
    boxes = {a["key"]: [a[n] for n in "xywh"] for a in found.annotations}
    assert boxes["b.png"] == pytest.approx([-2, 2, 32, 4], abs=1e-5)
    assert boxes["d.png"] == boxes["e.png"] == pytest.approx([2, 2, 8, 4], abs=1e-5)


def test_labels():
    """Text first, then the map, beginning at 1; 0 is no class, unless the map has it."""
    rows = [
        made(image_filename=[str(n).encode()],
             **{"image_object/class/text": [text], "image_object/class/label": [n]})
        for n, text in enumerate((b"", b"", b"dog", b""))
    ]  # fmt: skip
    data = b"".join(record(example(r)) for r in rows)
    pbtxt = b"item {\n name: \"k\\303\\244tzchen\" # one\n id: 1\n display_name: 'Cat'\n}\n"
    found = read({"train.tfrecord": data, "label_map.pbtxt": pbtxt})
    assert [a.get("label") for a in found.annotations] == [None, "kätzchen", "dog", "class_3"]
    assert found.labels["kätzchen"].extra == {"display_name": "Cat"}
    assert found.labels["kätzchen"].source_id == "1"


def test_damage():
    """A record with a wrong checksum, one that is no Example, and a file that is cut short."""
    good = record(example(made()))
    flipped = bytearray(good)
    flipped[40] ^= 1
    alone = good + bytes(flipped) + record(b"\xff\xff") + record(b"")
    found = read({"train.tfrecord": alone + good[:50]})
    assert lines(found) == [
        ("record that can't be read", "record 1"),
        ("record that can't be read", "record 2"),
        ("record that can't be read", "record 3"),
        ("the file is damaged", "record 4"),
    ]
    assert len(found.items) == len(found.annotations) == 1
    for data in (good[:50], b"nothing of this kind at all", b"\x1f\x8b compressed it is"):
        with pytest.raises(BrokenFileError, match=r"train\.tfrecord, byte 0"):
            read({"train.tfrecord": data})


def test_lengths_that_are_only_said():
    """A record that claims a length of 2^60 takes no memory, and is an error."""
    from nbannot.sources.tfrecord import masked_crc

    length = struct.pack("<Q", 1 << 60)
    data = length + struct.pack("<I", masked_crc(length)) + bytes(20)
    with pytest.raises(BrokenFileError, match="too long"):
        read({"train.tfrecord": data})


def test_two_records_of_one_name():
    """Both stay; the second gets another name, and the ledger says so."""
    data = record(example(made())) * 2
    found = read({"train.tfrecord-00000-of-00002": data, "train.tfrecord-00001-of-00002": b""})
    assert [(r["subset"], r["key"]) for r in found.items] == [
        ("train", "a.png"), ("train", "a-2.png")
    ]  # fmt: skip
    assert lines(found, "warning") == [("second record of one name", "item")]


def test_records_of_other_tools():
    """FiftyOne's classification, and TensorFlow Datasets with names beside."""
    fiftyone = {"image_bytes": [picture()], "filename": [b"x.png"], "label": [b"cat"],
                "height": [10], "width": [20], "format": [b"png"]}  # fmt: skip
    found = read({"tf.records": record(example(fiftyone))})
    assert [(a["type"], a["label"], a["key"]) for a in found.annotations] == [
        ("tag", "cat", "x.png")
    ]
    tfds = {"image": [picture()], "objects/bbox": [0.1, 0.2, 0.5, 0.6], "objects/label": [1]}
    files = {"voc-test.tfrecord-00000-of-00001": record(example(tfds)),
             "objects-label.labels.txt": b"cat\ndog\n"}  # fmt: skip
    assert detect(open_source(files))[0].format == "tfrecord"
    found = read(files)
    assert [(a["subset"], a["label"], a["key"]) for a in found.annotations] == [
        ("test", "dog", "000000.png")
    ]
    assert [found.annotations[0][n] for n in "xywh"] == pytest.approx([4, 1, 8, 4], abs=1e-5)


def test_what_is_no_tfrecord():
    """Other bytes are not recognised, and the one thing missing is said."""
    missing = {}
    for data in (b"", b"x" * 40, record(example({"text": [b"hello"]}))):
        found = {c.format: c for c in detect(open_source({"a.tfrecord": data}))}
        missing[len(data)] = found["tfrecord"].missing
    assert list(missing.values()) == [
        "a.tfrecord is empty",
        "a.tfrecord does not begin with a record",
        "the records of a.tfrecord have no images",
    ]
    assert read({"a.tfrecord": b""}).items == []
