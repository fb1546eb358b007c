"""SageMaker Ground Truth: kinds of jobs, chained jobs, what is malformed."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from nbannot import geometry
from nbannot.errors import BrokenFileError, OptionError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import MemorySink, example, read_back, written
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source


class TestSageMaker(FormatCases):
    """Boxes and tags come back as they were, if they are not rounded."""

    format_name = "sagemaker"
    compared = ("type", "label", "x", "y", "w", "h")
    write_options = {"whole_pixels": False}


def read(*lines, more=None, **options):
    """Read a made-up manifest; a line may be text."""
    text = "\n".join(v if isinstance(v, str) else json.dumps(v) for v in lines)
    files = {"output.manifest": text.encode(), **(more or {})}
    return read_back(get_format("sagemaker"), open_source(files), **options)


def detection(*boxes, name="job", path="s3://bucket/pets/a.jpg", **metadata):
    """Return a line of object detection, as Amazon's documentation has it."""
    return {
        "source-ref": path,
        name: {
            "image_size": [{"width": 500, "height": 400, "depth": 3}],
            "annotations": list(boxes),
        },
        f"{name}-metadata": {
            "objects": [{"confidence": 0.8}] * len(boxes),
            "class-map": {"0": "dog", "1": "cat"},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": "2018-10-18T22:18:13.527256",
            "job-name": "my-bounding-box-job",
            **metadata,
        },
    }


BOX = {"class_id": 1, "left": 111, "top": 134, "width": 61, "height": 128}


def test_object_detection():
    """The example of the documentation: pixels, class map, confidence, address."""
    line = detection(BOX)
    source = open_source({"output.manifest": json.dumps(line).encode()})
    assert detect(source)[0].format == "sagemaker"
    found = read_back(get_format("sagemaker"), source)
    item, row = found.items[0], found.annotations[0]
    assert (item["key"], item["uri"]) == ("bucket/pets/a.jpg", "s3://bucket/pets/a.jpg")
    assert (row["label"], row["score"]) == ("cat", 0.8)
    assert [row[n] for n in "xywh"] == [111, 134, 61, 128]
    assert found.labels["cat"].source_id == "1"
    assert json.loads(item["meta"])["sagemaker"]["job"]["job-name"] == "my-bounding-box-job"
    assert found.ledger.groups() == []


def test_the_address_is_written_again():
    """Without media, source-ref is the address; class ids and the job are those that were."""
    found = read(detection(BOX))
    made = example(())
    made.labels = tuple(found.labels.values())
    made.items = {"default": [{k: v for k, v in found.items[0].items() if k != "item"}]}
    made.annotations = {"default": [
        {**{k: v for k, v in r.items() if k not in ("subset", "key")}, "item": r["key"]}
        for r in found.annotations
    ]}  # fmt: skip
    files = written(get_format("sagemaker"), made, media=False)
    line = json.loads(files["output.manifest"])
    assert line["source-ref"] == "s3://bucket/pets/a.jpg"
    assert line["bounding-box"]["annotations"] == [BOX]
    assert line["bounding-box-metadata"]["class-map"] == {"1": "cat"}


def test_classification():
    """One class, several classes, of an image or a text; confidences are scores."""
    metadata = {"type": "groundtruth/image-classification", "class-name": "cat",
                "confidence": 0.9, "job-name": "j"}  # fmt: skip
    several = {
        "type": "groundtruth/image-classification-multilabel",
        "class-map": {"0": "cat", "2": "dog"},
        "confidence-map": {"0": 0.5, "2": 0.25},
    }
    text = {"type": "groundtruth/text-classification", "class-name": "good"}
    found = read(
        {"source-ref": "a.jpg", "one": 0, "one-metadata": metadata},
        {"source-ref": "b.jpg", "many": [0, 2], "many-metadata": several},
        {"source": "lovely", "mood": 0, "mood-metadata": text},
    )
    assert [(r["key"], r["label"], r.get("score")) for r in found.annotations] == [
        ("a.jpg", "cat", 0.9), ("b.jpg", "cat", 0.5), ("b.jpg", "dog", 0.25), ("3", "good", None),
    ]  # fmt: skip
    assert (found.items[2]["kind"], json.loads(found.items[2]["data"])) == (
        "text", {"text": "lovely"},
    )  # fmt: skip


def test_named_entities():
    """Spans within the text; one beyond it is rejected."""
    entities = [{"label": "per", "startOffset": 0, "endOffset": 3},
                {"label": "per", "startOffset": 2, "endOffset": 99}]  # fmt: skip
    line = {"source": "Ädä runs", "ner": {"annotations": {"entities": entities}},
            "ner-metadata": {"type": "groundtruth/text-span"}}  # fmt: skip
    found = read(line)
    row = found.annotations[0]
    assert (row["type"], row["start"], row["end"], row["text"]) == ("text_span", 0, 3, "Ädä")
    assert found.ledger.groups() == [("rejected", "span is not within the text", 1)]


@pytest.mark.parametrize("palette", [True, False])
def test_semantic_segmentation(palette):
    """A PNG beside the manifest: one mask for each class, but for the background."""
    pixels = np.zeros((40, 50), np.uint8)
    pixels[5:10, 20:30] = 1
    colors = {0: (255, 255, 255), 1: (0x2A, 0xCA, 0x7B)}
    if palette:
        image = Image.frombytes("P", (50, 40), pixels.tobytes())
        image.putpalette([v for i in (0, 1) for v in colors[i]])
    else:
        image = Image.fromarray(np.array([colors[0], colors[1]], np.uint8)[pixels])
    out = io.BytesIO()
    image.save(out, "PNG")
    name = "0_2021-01-01T12:00:00.png"
    line = {
        "source-ref": "a.jpg", "seg-ref": f"s3://b/out/{name}",
        "seg-ref-metadata": {
            "type": "groundtruth/semantic-segmentation", "internal-color-map": {
                "0": {"class-name": "BACKGROUND", "hex-color": "#ffffff", "confidence": 0.1},
                "1": {"class-name": "road", "hex-color": "#2aca7b", "confidence": 0.75},
            },
        },
    }  # fmt: skip
    found = read(line, more={f"out/{name.replace(':', '_')}": out.getvalue()})
    row = found.annotations[0]
    assert (row["type"], row["label"], row["score"]) == ("mask", "road", 0.75)
    assert [row[n] for n in "xywh"] == [20, 5, 10, 5]
    assert geometry.rle_to_mask(row["mask"], 40, 50).sum() == 50
    assert found.labels["road"].color == "#2aca7b"
    missing = read(line)
    assert missing.ledger.groups() == [("rejected", "mask can't be read", 1)]


def test_chained_jobs():
    """Two jobs of one kind: the last is ground truth, the first a layer; or as one says."""
    line = {**detection(BOX, name="first"), **detection(BOX, name="second")}
    found = read(line)
    assert [r.get("layer") for r in found.annotations] == ["first", None]
    assert ("note", "attributes taken as layers", 1) in found.ledger.groups()
    found = read(line, ground_truth="first")
    assert [r.get("layer") for r in found.annotations] == [None, "second"]
    with pytest.raises(OptionError, match="nothing"):
        read(line, ground_truth="nothing")


def test_whole_pixels():
    """Ground Truth has whole pixels: boxes are rounded, and each change is said."""
    made, sink, ledger = example(("box",)), MemorySink(), Ledger()
    get_format("sagemaker").write(made, sink, {}, ledger, Progress())
    reason = "coordinates rounded to whole pixels"
    assert ledger.groups() == [("warning", reason, 1)]
    first = json.loads(sink.files["train.manifest"].splitlines()[0])
    box = first["bounding-box"]["annotations"][0]
    assert [box[n] for n in ("left", "top", "width", "height")] == [2, 3, 11, 6]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line is not JSON"),
        (detection({**BOX, "left": None}), "box without numbers"),
        (detection({**BOX, "width": -1}), "width or height is negative"),
        (detection(7), "annotation is not an object"),
        ({"job": 1}, "image without a name"),
        (detection(path="../../etc/passwd"), "image name refused"),
        ({"source-ref": "a.jpg", "job-metadata": {"failure-reason": "x"}}, "labelling failed"),
        ({"source-ref": "a.jpg", "job": {}, "job-metadata": {"type": "groundtruth/3d"}},
         "kind of label is not read"),
    ],
)  # fmt: skip
def test_one_bad_line_is_rejected(line, reason):
    """A bad line or label is named, and the next line is read."""
    found = read(detection(path="s3://b/0.jpg"), line, detection(BOX, path="s3://b/c.jpg"))
    assert [r["key"] for r in found.annotations] == ["b/c.jpg"]
    said = found.ledger.lines("rejected", reason)[0]
    assert said["file"] == "output.manifest"
    assert said["where"].startswith("line 2")


def test_unknown_classes_keep_their_number():
    """A class that class-map lacks is its number, with a warning."""
    found = read(detection({**BOX, "class_id": 9}))
    assert found.annotations[0]["label"] == "9"
    assert found.ledger.groups() == [("warning", "class is not in class-map", 1)]


def test_not_sagemaker():
    """Other JSON lines and nothing are not SageMaker's; a broken file is named."""
    for text in ('{"image": "a.jpg", "label": 1}\n{"image": "b.jpg"}', ""):
        candidates = {c.format: c for c in detect(open_source({"x.jsonl": text.encode()}))}
        assert candidates["sagemaker"].confidence == 0
    with pytest.raises(BrokenFileError, match=r"x\.manifest"):
        read_back(get_format("sagemaker"), open_source({"x.manifest": b"hello"}))
