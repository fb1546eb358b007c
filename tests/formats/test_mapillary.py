"""Mapillary Vistas: instances in 16 bits, polygons, two versions."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.sources import open_source

from .mask_files import lexed, lines, masks_of, picture, png, read, told

CASE = "mapillary_vistas/datumaro-mapillary_vistas"
REFERENCE = f"{CASE}.mapillary_vistas.cvatfork.json"
CONFIG = json.dumps(
    {
        "labels": [
            {"name": "animal--bird", "readable": "Bird", "color": [165, 42, 42]},
            {"name": "void--unlabeled", "readable": "Unlabeled", "color": "black"},
        ]
    }
).encode()


def test_sample_is_found(samples):
    """Its panoptic files are COCO's; that it is Mapillary's is surer."""
    with open_source(samples / CASE) as source:
        best = detect(source)[0]
    assert (best.format, best.confidence) == ("mapillary", 0.97)
    assert get_format("mapillary").writes is False


def test_sample_polygons(samples, expected):
    """The polygons of version 2.0 are those that Datumaro reads beside the masks."""
    found = read("mapillary", samples / CASE)
    truth = json.loads((expected / REFERENCE).read_text())
    wanted = [
        (i["subset"], i["id"] + ".jpg", a["label"], a["points"])
        for i in truth["items"] for a in i["annotations"] if a["type"] == "polygon"
    ]  # fmt: skip
    got = [(r["subset"], r["key"], r["label"], r["points"]) for r in found.annotations]
    assert got == wanted
    assert list(found.labels) == truth["labels"]
    assert found.labels["animal--bird"].color == "#a52a2a"
    assert lines(found, "reason") == []
    assert ("note", "another version is there", 1) in found.ledger.groups()


@pytest.mark.parametrize("version", ["v1.2", "v2.0"])
def test_sample_masks(samples, expected, version):
    """The masks of both versions are those that Datumaro reads of 2.0: the sample's are equal."""
    found = read("mapillary", samples / CASE, version=version, use="masks")
    assert masks_of(found) == told(expected / REFERENCE)
    assert lines(found, "reason") == []


def test_the_first_layout():
    """training/images beside training/instances, without folders of versions."""
    files = {
        "config.json": CONFIG, "training/images/a.jpg": picture(3, 1, "JPEG"),
        "training/instances/a.png": png([[0, 1, 256]], dtype=np.uint16),
        "training/images/b.jpg": picture(2, 1, "JPEG"), "training/labels/b.png": png([[0, 1]]),
    }  # fmt: skip
    with open_source(files) as source:
        assert detect(source)[0].format == "mapillary"
    found = read("mapillary", files)
    assert [(r["key"], r["label"], r["source_id"]) for r in found.annotations] == [
        ("a.jpg", "animal--bird", "0"), ("a.jpg", "animal--bird", "1"),
        ("a.jpg", "void--unlabeled", "256"), ("b.jpg", "animal--bird", "0"),
        ("b.jpg", "void--unlabeled", "1"),
    ]  # fmt: skip
    assert {item["subset"] for item in found.items} == {"training"}


def _polygons(*objects):
    return json.dumps({"width": 10, "height": 10, "objects": objects}).encode()


def test_malformed():
    """Each bad object and file is a line that names it; the good ones stay."""
    good = {"label": "animal--bird", "polygon": [[1, 1], [5, 1], [5, 5]], "id": 3}
    files = {
        "config_v2.0.json": CONFIG,
        "val/v2.0/polygons/a.json": _polygons(
            {**good, "polygon": [[1, 1]]}, {"polygon": good["polygon"]}, 3,
            {**good, "polygon": [[1, 1], [50, 1], [5, 5]]}, good,
        ),
        "val/v2.0/polygons/b.json": b'{"width": 10, ',
        "val/v2.0/instances/c.png": png([[0, 512]], dtype=np.uint16),
        "val/images/c.jpg": picture(2, 1, "JPEG"),
    }  # fmt: skip
    found = read("mapillary", files)
    assert lines(found, "outcome", "reason", "record", "item") == [
        ("warning", "image file missing", "item", "a.jpg"),
        ("rejected", "too few points", "object 1", "a.jpg"),
        ("rejected", "object without label", "object 2", "a.jpg"),
        ("rejected", "object without label", "object 3", "a.jpg"),
        ("warning", "reaches outside the image", "object 4", "a.jpg"),
        ("warning", "image file missing", "item", "b.jpg"),
        ("rejected", "the file can't be read", "file", "b.jpg"),
        ("warning", "a value that no class has", "value 512", "c.jpg"),
    ]
    assert [row["label"] for row in found.annotations] == [
        "animal--bird", "animal--bird", "animal--bird", "class_2",
    ]  # fmt: skip
    assert [(i.get("width"), i["key"]) for i in found.items] == [
        (10, "a.jpg"), (None, "b.jpg"), (2, "c.jpg"),
    ]  # fmt: skip


def test_a_preview_is_a_prefix(samples):
    """The first items of the whole read, with all that is on them."""
    whole = read("mapillary", samples / CASE)
    some = read("mapillary", samples / CASE, limit=1)
    assert some.items[:1] == whole.items[:1]
    assert [r for r in some.annotations if r["key"] == "2.jpg"] == whole.annotations[:5]


@pytest.mark.parametrize("config", [b'{"labels": [{"name"', b'{"labels": 3}', b"[1]"])
def test_a_broken_list_of_labels_is_named(config):
    """Without the list of labels, nothing has a name."""
    files = {"config_v1.2.json": config, "val/v1.2/labels/a.png": png([[0]])}
    with pytest.raises(BrokenFileError, match=r"config_v1\.2\.json"):
        read("mapillary", files)


def test_not_this_format():
    """A config.json of anything, and one without masks, are not taken."""
    for files in (
        {"config.json": b'{"labels": []}', "x/labels/a.png": png([[0]])},
        {"config_v2.0.json": CONFIG},
        {"x/instances/a.png": png([[0]]), "a.json": b"{}"},
    ):
        with open_source(files) as source:
            found = next(c for c in detect(source) if c.format == "mapillary")
        assert (found.confidence, bool(found.missing)) == (0, True)


def test_labels_are_pixels_of_the_image():
    """A mask of another size is resized with a warning."""
    files = {
        "config.json": CONFIG,
        "t/images/a.png": picture(4, 1),
        "t/labels/a.png": png([[0, 1]]),
    }
    found = read("mapillary", files)
    assert lexed(found)[0] == ("animal--bird", [[1, 1, 0, 0]])
    assert lines(found, "reason") == [("mask and image differ in size",)]
