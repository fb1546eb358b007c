"""FiftyOne: datasets with fields of every kind, labels of images, ETA's; what is malformed."""

from __future__ import annotations

import base64
import io
import json
import pickle
import zlib

import numpy as np
import pytest
from PIL import Image

from nbannot import geometry
from nbannot.errors import BrokenFileError, OptionError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import example, read_back, written
from nbannot.sources import open_source


class TestDataset(FormatCases):
    """Everything comes back, but for the last bits of shares of the image's size."""

    format_name = "fiftyone"


class LabelsCases(FormatCases):
    """A file holds boxes or tags."""

    format_name = "fiftyone-labels"
    holds = ("box",)
    compared = ("type", "label", "x", "y", "w", "h")

    @pytest.fixture
    def dataset(self):
        """The example with what one file holds."""
        return example(self.holds)


class TestBoxes(LabelsCases):
    """FiftyOneImageDetectionDataset."""

    generates = ("box",)


class TestClasses(LabelsCases):
    """FiftyOneImageClassificationDataset."""

    holds = ("tag",)
    generates = ("tag",)


def jpg(width=200, height=100):
    """Return a picture."""
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "JPEG")
    return out.getvalue()


def binary(array):
    """Return an array as FiftyOne stores it."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    packed = base64.b64encode(zlib.compress(out.getvalue())).decode()
    return {"$binary": {"base64": packed, "subType": "00"}}


def sample(name="a.jpg", tags=(), size=(200, 100), **fields):
    """Return a sample."""
    metadata = {"_cls": "ImageMetadata", "width": size[0], "height": size[1]} if size else None
    return {"_id": {"$oid": "0" * 24}, "filepath": f"data/{name}", "tags": list(tags),
            "metadata": metadata, "_media_type": "image", **fields}  # fmt: skip


def detections(*labels):
    """Return a field of detections."""
    return {"_cls": "Detections", "detections": [{"_cls": "Detection", **v} for v in labels]}


def read(*samples, metadata=None, more=None, **options):
    """Read made-up samples."""
    files = {"samples.json": json.dumps({"samples": samples}).encode(), **(more or {})}
    if metadata is not None:
        files["metadata.json"] = json.dumps(metadata).encode()
    return read_back(get_format("fiftyone"), open_source(files), **options)


BOX = {"label": "cat", "bounding_box": [0.1, 0.2, 0.5, 0.25]}


def test_shares_become_pixels():
    """A box of shares is one of pixels; custom values are attributes, a tag is the subset."""
    label = {**BOX, "_id": {"$oid": "a" * 24}, "iscrowd": 0.0, "tags": ["hard"],
             "attributes": {"color": {"_cls": "CategoricalAttribute", "value": "red"}}}  # fmt: skip
    found = read(sample(tags=["validation", "blurred"], size=(200, 100), city="Bern",
                        ground_truth=detections(label)))  # fmt: skip
    row = found.annotations[0]
    assert [row[n] for n in "xywh"] == [20, 20, 100, 25]
    assert row["source_id"] == "a" * 24
    assert json.loads(row["attributes"]) == {"iscrowd": 0.0, "color": "red"}
    assert json.loads(row["extra"])["fiftyone"] == {"field": "ground_truth", "tags": ["hard"]}
    item = found.items[0]
    assert (item["subset"], item["key"]) == ("validation", "a.jpg")
    assert (item["width"], item["height"]) == (200, 100)
    meta = {"fiftyone": {"tags": ["blurred"], "fields": {"city": "Bern"}}}
    assert json.loads(item["meta"]) == meta
    assert found.ledger.groups() == []


def test_what_was_read_is_written_to_the_same_fields():
    """Fields, tags, single labels and layers come back where they were."""
    one = sample(
        tags=["train", "blurred"], city="Bern",
        weather={"_cls": "Classification", "label": "rain"},
        ground_truth=detections(BOX), model=detections({**BOX, "confidence": 0.5}),
    )  # fmt: skip
    found = read(one, more={"data/a.jpg": jpg()})
    made = example(())
    made.items = {"train": [{k: v for k, v in i.items() if k not in ("item", "subset", "kind")}
                            for i in found.items]}  # fmt: skip
    made.annotations = {"train": [
        {**{k: v for k, v in a.items() if k not in ("subset", "key")}, "item": a["key"]}
        for a in found.annotations
    ]}  # fmt: skip
    files = written(get_format("fiftyone"), made)
    back = json.loads(files["samples.json"])["samples"][0]
    assert back["tags"] == ["train", "blurred"]
    assert back["city"] == "Bern"
    assert back["weather"]["_cls"] == "Classification"
    assert back["model"]["detections"][0]["confidence"] == 0.5
    again = read_back(get_format("fiftyone"), open_source(files))
    assert [(r["type"], r.get("layer")) for r in again.annotations] == [
        ("tag", None), ("box", None), ("box", "model"),
    ]  # fmt: skip


def test_fields_with_confidences_are_layers():
    """Several fields: those with a confidence are predictions, unless ground_truth= says so."""
    one = sample(
        ground_truth=detections(BOX), yolo=detections({**BOX, "confidence": 0.5}),
        weather={"_cls": "Classification", "label": "rain"},
    )  # fmt: skip
    found = read(one)
    assert [r.get("layer") for r in found.annotations] == [None, "yolo", None]
    assert found.annotations[1]["score"] == 0.5
    assert ("note", "fields taken as predictions", 1) in found.ledger.groups()
    other = read(one, ground_truth="yolo, weather")
    assert [r.get("layer") for r in other.annotations] == ["ground_truth", None, None]
    alone = read(sample(yolo=detections({**BOX, "confidence": 0.5})))
    assert [r.get("layer") for r in alone.annotations] == [None]
    with pytest.raises(OptionError, match="nothing"):
        read(one, ground_truth="nothing")


def test_masks_of_boxes():
    """A packed array is the mask of its box, column-major or not; its area is exact."""
    inside = np.zeros((25, 100), bool)
    inside[2:5, 3:50] = True
    for array in (inside, np.asfortranarray(inside), inside.astype(np.uint8) * 255):
        found = read(sample(ground_truth=detections({**BOX, "mask": binary(array)})))
        row = found.annotations[0]
        mask = geometry.rle_to_mask(row["mask"], 100, 200)
        assert mask[22:25, 23:70].all()
        assert mask.sum() == 3 * 47
        assert [row[n] for n in "xywh"] == [20, 20, 100, 25]
        assert found.ledger.groups() == []
    small = np.ones((5, 20), bool)
    found = read(sample(ground_truth=detections({**BOX, "mask": binary(small)})))
    assert found.ledger.groups() == [("warning", "mask fitted to its box", 1)]
    row = found.annotations[0]
    assert geometry.rle_to_mask(row["mask"], 100, 200).sum() == 100 * 25


def _header(shape, descr="|b1", data=b""):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    raw = b"\x93NUMPY\x01\x00" + (len(text) + 1).to_bytes(2, "little") + text.encode() + b"\n"
    return {"$binary": {"base64": base64.b64encode(zlib.compress(raw + data)).decode()}}


@pytest.mark.parametrize(
    "mask",
    [
        binary(np.array([{"a": 1}], object)),
        _header((1_000_000, 1_000_000)),
        _header((-1, 4)),
        _header((2, 2), "|O", pickle.dumps([1])),
        {"$binary": {"base64": "AAAA"}},
        {"$binary": {"base64": "no base64!"}},
        {"$binary": {"base64": base64.b64encode(zlib.compress(b"x" * (1 << 28) + b"y")).decode()}},
        binary(np.ones((2, 2, 3))),
        7,
    ],
    ids=range(9),
)
def test_hostile_masks_are_rejected(mask):
    """Objects, sizes that lie, bombs: a rejected record, and the next one is read."""
    found = read(sample(ground_truth=detections({**BOX, "mask": mask}, BOX)))
    assert len(found.annotations) == 1
    assert found.ledger.groups() == [("rejected", "mask can't be read", 1)]


def test_a_claimed_size_is_not_allocated():
    """An image of 10^9 by 10^9 pixels has no masks, and costs nothing."""
    label = {**BOX, "mask": binary(np.ones((2, 2), bool))}
    found = read(sample(size=(10**9, 10**9), ground_truth=detections(label, BOX)))
    assert [r["type"] for r in found.annotations] == ["box"]
    assert found.ledger.groups() == [("rejected", "mask can't be read", 1)]
    huge = {**label, "bounding_box": [0.0, 0.0, 1e9, 1e9]}
    found = read(sample(ground_truth=detections(huge)))
    assert found.ledger.groups() == [("warning", "mask fitted to its box", 1)]


def test_masks_in_files_and_segmentations():
    """mask_path names a PNG; each value of a segmentation is a mask, named by mask_targets."""
    pixels = np.zeros((100, 200), np.uint8)
    pixels[10:20, 30:60] = 1
    pixels[50:55, 0:5] = 7
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    one = sample(seg={"_cls": "Segmentation", "mask_path": "fields/seg/a.png"})
    metadata = {"sample_fields": [], "mask_targets": {"seg": {"1": "road"}}}
    found = read(one, metadata=metadata, more={"fields/seg/a.png": out.getvalue()})
    assert [(r["label"], r["x"], r["y"], r["w"], r["h"]) for r in found.annotations] == [
        ("road", 30, 10, 30, 10), ("7", 0, 50, 5, 5),
    ]  # fmt: skip
    array = read(sample(seg={"_cls": "Segmentation", "mask": binary(pixels)}))
    assert [r["label"] for r in array.annotations] == ["1", "7"]
    assert found.balance.read == 2  # one image, one segmentation


def test_polylines_and_keypoints():
    """Closed is a polygon, of several parts; NaN is a joint that is absent."""
    ring, other = [[0, 0], [0.5, 0], [0.5, 0.5]], [[0.6, 0.6], [0.7, 0.6], [0.7, 0.8]]
    lines = {"_cls": "Polylines", "polylines": [
        {"label": "cat", "points": [ring, other], "closed": True, "filled": True},
        {"label": "cat", "points": [ring], "closed": False, "filled": False},
        {"label": "cat", "points": [ring, other], "closed": False},
    ]}  # fmt: skip
    nan = {"$numberDouble": "NaN"}
    points = {"_cls": "Keypoints", "keypoints": [
        {"label": "man", "points": [[0.1, 0.2], [nan, nan]], "confidence": [0.5, 0.1]},
    ]}  # fmt: skip
    loose = {"_cls": "Keypoints", "keypoints": [{"label": "dot", "points": [[0.1, 0.2]]}]}
    metadata = {"skeletons": {"pose": {"labels": ["head", "foot"], "edges": [[0, 1]]}}}
    found = read(sample(lines=lines, pose=points, dots=loose), metadata=metadata)
    polygon, line, first, second, man, dot = found.annotations
    assert (polygon["type"], polygon["rings"]) == ("polygon", [3, 3])
    assert polygon["points"][:6] == [0, 0, 100, 0, 100, 50]
    assert (line["type"], line["points"]) == ("polyline", [0, 0, 100, 0, 100, 50])
    assert first["points"] + second["points"] == polygon["points"]
    assert (man["type"], man["points"], man["visibility"]) == ("skeleton", [20, 20, 0, 0], [2, 0])
    assert found.labels["man"].skeleton.points == ("head", "foot")
    assert json.loads(man["attributes"]) == {"confidence": [0.5, 0.1]}
    assert (dot["type"], dot["points"]) == ("points", [20, 20])
    assert found.balance.read == 6


def test_other_kinds():
    """A number, a time span by the frame rate; heatmaps and places are named, not read."""
    video = {"_id": {"$oid": "1" * 24}, "filepath": "data/v.mp4", "tags": [],
             "metadata": {"_cls": "VideoMetadata", "frame_rate": 10.0},
             "events": {"_cls": "TemporalDetections", "detections": [
                 {"label": "run", "support": [11, 30]}]}}  # fmt: skip
    image = sample(
        quality={"_cls": "Regression", "value": 2.5},
        heat={"_cls": "Heatmap", "map": binary(np.ones((2, 2)))},
        place={"_cls": "GeoLocation", "point": {"type": "Point"}},
    )
    found = read(video, image)
    span, value = found.annotations
    assert (span["type"], span["start"], span["end"]) == ("time_span", 1.0, 3.0)
    assert (value["type"], value["number"], value["label"]) == ("number", 2.5, "quality")
    assert [i["kind"] for i in found.items] == ["video", "image"]
    assert found.ledger.groups() == [("rejected", "kind of label is not read", 2)]


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ({"label": "cat"}, "box without numbers"),
        ({"label": "cat", "bounding_box": [0, 0, 1]}, "box without numbers"),
        ({"label": "cat", "bounding_box": [0, 0, "x", 1]}, "box without numbers"),
        ({"label": "cat", "bounding_box": [0, 0, -0.5, 1]}, "width or height is negative"),
    ],
)
def test_one_bad_box_is_rejected(label, reason):
    """A bad box is a line with its place, and the next one is read."""
    found = read(sample(ground_truth=detections(label, BOX)))
    assert len(found.annotations) == 1
    line = found.ledger.lines("rejected", reason)[0]
    assert line["where"] == "samples[0].ground_truth.detections[0]"


def test_bad_samples():
    """No object, no path, a path that leaves, no size: each is a line."""
    found = read(7, {"tags": [], "x": detections(BOX)}, sample("../../etc/passwd"),
                 sample("b.jpg", size=None, ground_truth=detections(BOX)))  # fmt: skip
    assert [i["key"] for i in found.items] == ["b.jpg"]
    assert sorted(g[1] for g in found.ledger.groups()) == [
        "image name refused", "image size is not known", "image without a name",
        "sample is not an object", "sample was rejected",
    ]  # fmt: skip


def test_size_from_the_image():
    """Where metadata has no size, the image has."""
    found = read(sample(size=None, ground_truth=detections(BOX)), more={"data/a.jpg": jpg()})
    assert [found.annotations[0][n] for n in "xywh"] == [20, 20, 100, 25]


def test_not_fiftyone():
    """COCO, nothing, half a file."""
    for text in ('{"images": [], "annotations": []}', ""):
        candidates = {c.format: c for c in detect(open_source({"samples.json": text.encode()}))}
        assert candidates["fiftyone"].confidence == 0
        assert candidates["fiftyone-labels"].confidence == 0
    for name in ("fiftyone", "fiftyone-labels"):
        for data in (b"", b"{}", b"7"):
            with pytest.raises(BrokenFileError, match=r"samples\.json"):
                read_back(get_format(name), open_source({"samples.json": data}))


# -- labels of images ---------------------------------------------------------------------


def labels(body, more=None, **options):
    """Read made-up labels.json."""
    files = {"labels.json": json.dumps(body).encode(), **(more or {})}
    source = open_source(files)
    assert detect(source)[0].format == "fiftyone-labels"
    return read_back(get_format("fiftyone-labels"), source, **options)


def test_boxes_by_class_number_and_name():
    """Numbers are of classes; null is an image without boxes; names have no suffix."""
    body = {"classes": ["cat", "dog"], "labels": {
        "a": [{"label": 1, "bounding_box": [0.1, 0.2, 0.5, 0.25], "confidence": 0.5,
               "attributes": {"hidden": True}},
              {"label": "bird", "bounding_box": [0, 0, 1, 1]},
              {"label": 2, "bounding_box": [0, 0, 1, 1]}],
        "b": None,
    }}  # fmt: skip
    found = labels(body, {"data/a.jpg": jpg(), "data/b.png": jpg(), "data/c.jpg": jpg()})
    assert [i["key"] for i in found.items] == ["a.jpg", "b.png", "c.jpg"]
    first, second = found.annotations
    assert [first[n] for n in "xywh"] == [20, 20, 100, 25]
    assert (first["label"], first["score"], second["label"]) == ("dog", 0.5, "bird")
    assert json.loads(first["attributes"]) == {"hidden": True}
    assert found.ledger.groups() == [("rejected", "class number is not in classes", 1)]
    assert list(found.labels) == ["cat", "dog", "bird"]


def test_classes_null_and_several_labels():
    """classes: null, texts; a label may be a number, a text, an object or a list."""
    body = {"classes": None, "labels": {
        "a": "cat", "b": ["cat", "dog"], "c": {"label": "dog", "confidence": 0.25}, "d": None,
    }}  # fmt: skip
    found = labels(body)
    seen = [(r["key"], r["label"], r.get("score")) for r in found.annotations]
    assert seen == [("a", "cat", None), ("b", "cat", None), ("b", "dog", None), ("c", "dog", 0.25)]


def test_a_stem_of_two_images_is_said():
    """a.jpg and a.png: labels of `a` may be of either."""
    body = {"classes": ["cat"], "labels": {"a": 0}}
    found = labels(body, {"data/a.jpg": jpg(), "data/a.png": jpg()})
    assert ("warning", "several images fit", 1) in found.ledger.groups()


def test_boxes_without_images_have_no_pixels():
    """labels.json alone: its boxes are rejected, and it is said why; the images are items."""
    body = {"classes": ["cat"], "labels": {"a": [{"label": 0, "bounding_box": [0, 0, 1, 1]}]}}
    found = labels(body)
    assert [i["key"] for i in found.items] == ["a"]
    assert found.ledger.groups() == [("rejected", "image size is not known", 1)]


def test_tags_beside_boxes_are_named():
    """Where there are boxes, tags are rejected by the writer, one line each."""
    made = example(("box", "tag"))
    files = written(get_format("fiftyone-labels"), made)
    found = read_back(get_format("fiftyone-labels"), open_source(files))
    assert {r["type"] for r in found.annotations} == {"box"}


def test_eta_labels():
    """ETA: a manifest, and for each image objects and attributes."""
    manifest = {"type": "eta.core.datasets.LabeledImageDataset", "description": "", "index": [
        {"data": "data/a.jpg", "labels": "labels/a.json"},
        {"data": "data/b.jpg", "labels": "labels/b.json"}, 5,
    ]}  # fmt: skip
    content = {
        "attrs": {"attrs": [{"type": "x", "name": "weather", "value": "rain"}]},
        "objects": {"objects": [{
            "label": "cat", "bounding_box": {"top_left": {"x": 0.1, "y": 0.2},
                                             "bottom_right": {"x": 0.6, "y": 0.45}},
            "attrs": {"attrs": [{"name": "age", "value": 3}]},
        }]},
    }  # fmt: skip
    files = {"manifest.json": json.dumps(manifest).encode(), "data/a.jpg": jpg(),
             "data/b.jpg": jpg(), "labels/a.json": json.dumps(content).encode()}  # fmt: skip
    source = open_source(files)
    assert detect(source)[0].format == "fiftyone-labels"
    found = read_back(get_format("fiftyone-labels"), source)
    box, tag = found.annotations
    assert [box[n] for n in "xywh"] == pytest.approx([20, 20, 100, 25])
    assert json.loads(box["attributes"]) == {"age": 3}
    assert (tag["type"], tag["label"]) == ("tag", "rain")
    assert sorted(g[1] for g in found.ledger.groups()) == [
        "image without a name", "label file missing",
    ]  # fmt: skip
