"""AutoML and Vertex AI: CSV with and without header, JSON lines, what is malformed."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import MemorySink, example, read_back, written
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source


class TestCsv(FormatCases):
    """Boxes and tags, each in a file of its own."""

    format_name = "automl"
    compared = ("type", "label", "x", "y", "w", "h")


class TestLines(TestCsv):
    """The same as JSON lines."""

    write_options = {"file": "jsonl"}

    def container(self, files):
        """None: a line that is cut is a line of the ledger."""


def jpg():
    """Return a picture of 200 x 100."""
    out = io.BytesIO()
    Image.new("RGB", (200, 100)).save(out, "JPEG")
    return out.getvalue()


def read(text, name="import.csv", images=("a.jpg",)):
    """Read a made-up file with images of 200 x 100."""
    data = text if isinstance(text, bytes) else text.encode()
    source = open_source({name: data, **{image: jpg() for image in images}})
    assert detect(source)[0].format == "automl"
    return read_back(get_format("automl"), source)


def boxes(found):
    """Return label and box of what was read."""
    return [(r["label"], *(r[n] for n in "xywh")) for r in found.annotations]


def test_rows_of_detection():
    """Four vertices, two vertices in short, with and without ML_USE, no label at all."""
    text = (
        "TRAIN,gs://bucket/in/a.jpg,cat,0.1,0.2,0.6,0.2,0.6,0.45,0.1,0.45\n"
        "TRAIN,gs://bucket/in/a.jpg,dog,0.1,0.2,,,0.6,0.45,,\r\n"
        "VALIDATION,gs://bucket/in/b.jpg,dog,0.5,0.5,,,1.0,1.0,,\n"
        "UNASSIGNED,gs://bucket/in/c.jpg,,,,,,,,,\n"
        "gs://bucket/in/d.jpg,dog,0.5,0.5,,,1.0,1.0,,\n"
        ",gs://bucket/in/e.jpg\n"
    )
    images = [f"{n}.jpg" for n in "abcde"]
    for data in (text.encode("utf-8-sig"), text.encode("utf-16")):
        found = read(data, images=images)
        assert [(i.get("subset"), i["key"]) for i in found.items] == [
            ("train", "bucket/in/a.jpg"), ("validation", "bucket/in/b.jpg"),
            (None, "bucket/in/c.jpg"), (None, "bucket/in/d.jpg"), (None, "bucket/in/e.jpg"),
        ]  # fmt: skip
        assert found.items[0]["uri"] == "gs://bucket/in/a.jpg"
        assert found.items[0]["media"] == "a.jpg"
        assert boxes(found) == [
            ("cat", 20, 20, 100, 25), ("dog", 20, 20, 100, 25), ("dog", 100, 50, 100, 50),
            ("dog", 100, 50, 100, 50),
        ]  # fmt: skip
        assert found.ledger.groups() == []


def test_a_header_is_no_row():
    """Some write a header: it is left out."""
    text = "set,path,label,x1,y1,x2,y1,x2,y2,x1,y2\nTRAIN,a.jpg,cat,0,0,1,0,1,1,0,1\n"
    found = read(text)
    assert boxes(found) == [("cat", 0, 0, 200, 100)]
    assert len(found.items) == 1


def test_rows_of_classification():
    """Labels without coordinates are tags, several in one row too; folders of a split."""
    text = "TRAIN,train/a.jpg,cat\nTEST,b.jpg,cat,dog\nVALIDATION,val/c.jpg\n"
    found = read(text, images=("train/a.jpg", "b.jpg", "val/c.jpg"))
    assert [(i["subset"], i["key"]) for i in found.items] == [
        ("train", "a.jpg"), ("test", "b.jpg"), ("val", "c.jpg"),
    ]  # fmt: skip
    assert [(r["type"], r["key"], r["label"]) for r in found.annotations] == [
        ("tag", "a.jpg", "cat"), ("tag", "b.jpg", "cat"), ("tag", "b.jpg", "dog"),
    ]  # fmt: skip


def test_a_quadrangle_is_a_polygon():
    """Four vertices that are no upright rectangle are kept as they are."""
    found = read("TRAIN,a.jpg,cat,0.5,0,1,0.5,0.5,1,0,0.5\n")
    row = found.annotations[0]
    assert (row["type"], row["points"]) == ("polygon", [100, 0, 200, 50, 100, 100, 0, 50])


def test_texts_and_videos_are_named():
    """Rows of other media are rejected by what they are."""
    text = (
        "TRAIN,a.jpg,cat\n"
        'TRAIN,"It is a lovely day, is it not",good\n'
        "TRAIN,gs://b/doc.txt,good\n"
        "TRAIN,gs://b/v.mp4,run,0,inf\n"
        "TEST,gs://b/videos.csv\n"
    )
    found = read(text)
    assert len(found.items) == len(found.annotations) == 1
    assert sorted(found.ledger.groups()) == [
        ("rejected", "list of other files is not read", 1), ("rejected", "text is not read", 4),
        ("rejected", "video is not read", 4),
    ]  # fmt: skip


VERTEX = {
    "imageGcsUri": "gs://b/a.jpg",
    "boundingBoxAnnotations": [
        {"displayName": "cat", "xMin": 0.1, "yMin": 0.2, "xMax": 0.6, "yMax": 0.45,
         "annotationResourceLabels": {"k": "v"}},
        {"displayName": "dog", "xMax": 0.5, "yMax": 0.5},
    ],
    "dataItemResourceLabels": {"aiplatform.googleapis.com/ml_use": "training", "city": "Bern"},
}  # fmt: skip


def test_lines_of_vertex():
    """Boxes by name of corner (0 may be left out), classes, labels of resources."""
    other = {"imageGcsUri": "gs://b/b.jpg", "classificationAnnotation": {"displayName": "x"}}
    third = {"imageGcsUri": "gs://b/c.jpg", "classificationAnnotations": [
        {"displayName": "x"}, {"displayName": "y"}, {}]}  # fmt: skip
    text = {"textContent": "hello", "textSegmentAnnotations": []}
    lines = "\r\n".join(json.dumps(v) for v in (VERTEX, other, third, text))
    found = read(lines, "import.jsonl")
    assert found.items[0]["subset"] == "train"
    assert json.loads(found.items[0]["meta"]) == {"automl": {"labels": {"city": "Bern"}}}
    assert boxes(type(found)([], found.annotations[:2], {}, found.ledger, None)) == [
        ("cat", 20, 20, 100, 25), ("dog", 0, 0, 100, 50),
    ]  # fmt: skip
    assert json.loads(found.annotations[0]["extra"]) == {"automl": {"labels": {"k": "v"}}}
    assert [r["label"] for r in found.annotations[2:]] == ["x", "x", "y"]
    assert [g for g in found.ledger.groups() if g[0] == "rejected"] == [
        ("rejected", "tag without a label", 1), ("rejected", "text is not read", 1),
    ]  # fmt: skip


def test_lines_of_data_labelling():
    """The older service: payload, annotationValue, vertices of which 0 is left out."""
    box = {"annotationSpec": {"displayName": "cat"}, "normalizedBoundingPoly": {
        "normalizedVertices": [{}, {"x": 0.5}, {"x": 0.5, "y": 0.5}, {"y": 0.5}]}}  # fmt: skip
    tag = {"annotationSpec": {"displayName": "day"}}
    line = {"name": "x", "imagePayload": {"imageUri": "gs://b/a.jpg"}, "annotations": [
        {"annotationValue": {"imageBoundingPolyAnnotation": box}},
        {"annotationValue": {"imageClassificationAnnotation": tag}},
        {"annotationValue": {}},
    ]}  # fmt: skip
    found = read(json.dumps(line), "export.jsonl")
    first, second = found.annotations
    assert [first[n] for n in "xywh"] == [0, 0, 100, 50]
    assert (second["type"], second["label"]) == ("tag", "day")
    assert found.ledger.groups() == [("rejected", "box without numbers", 1)]


def test_addresses_and_labels_are_written_again():
    """Read and written without media, a line of Vertex AI is what it was."""
    found = read(json.dumps(VERTEX), "import.jsonl")
    made = example(())
    size = {"width": 200, "height": 100}
    drop = ("item", "subset", "kind", "media")
    made.items = {"train": [
        {**{k: v for k, v in i.items() if k not in drop}, **size} for i in found.items
    ]}  # fmt: skip
    made.annotations = {"train": [
        {**{k: v for k, v in r.items() if k not in ("subset", "key")}, "item": r["key"]}
        for r in found.annotations
    ]}  # fmt: skip
    files = written(get_format("automl"), made, media=False, file="jsonl")
    back = json.loads(files["detection.jsonl"])
    second = {"displayName": "dog", "xMin": 0, "yMin": 0, "xMax": 0.5, "yMax": 0.5}
    assert back == {
        **VERTEX, "boundingBoxAnnotations": [VERTEX["boundingBoxAnnotations"][0], second],
    }  # fmt: skip


def test_without_the_image_there_are_no_pixels():
    """Boxes of an image that is not there are rejected, and it is said why."""
    found = read("TRAIN,gs://b/z.jpg,cat,0,0,,,1,1,,\n", images=())
    assert [i["key"] for i in found.items] == ["b/z.jpg"]
    assert found.ledger.groups() == [("rejected", "image size is not known", 1)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("TRAIN,a.jpg,cat,0,0,x,0,1,1,0,1", "box without numbers"),
        ("TRAIN,a.jpg,cat,,,,,,,,", "box without numbers"),
        ("TRAIN,../../a.jpg,cat", "image name refused"),
        ("TRAIN,,cat", "image without a name"),
    ],
)
def test_one_bad_row_is_rejected(row, reason):
    """A bad row is named by its line, and the next one is read."""
    found = read(f"TRAIN,a.jpg\n{row}\nTRAIN,a.jpg,cat,0,0,1,0,1,1,0,1\n")
    assert boxes(found) == [("cat", 0, 0, 200, 100)]
    said = found.ledger.lines("rejected", reason)[0]
    assert said["where"].startswith("line 2")


def test_subsets_of_other_names_are_unassigned():
    """A subset that Google does not know is UNASSIGNED, and a note says so."""
    made = example(("box",))
    made.items = {"holdout": made.items["train"]}
    made.annotations = {"holdout": made.annotations["train"]}
    sink, ledger = MemorySink(), Ledger()
    get_format("automl").write(made, sink, {}, ledger, Progress())
    assert ledger.groups() == [("note", "subset is UNASSIGNED", 1)]
    assert sink.files["detection.csv"].startswith(b"UNASSIGNED,holdout/a/1.jpg,cat,")


def test_not_automl():
    """Other tables, other lines and nothing are not AutoML's; broken lines are named."""
    texts = {
        "x.csv": "filename,width,height,class,xmin\na.jpg,1,2,cat,0\n",
        "y.csv": "a.jpg,1,2,3,4,cat\n",
        "x.jsonl": '{"image": "a.jpg"}',
        "z.csv": "",
    }
    for name, text in texts.items():
        candidates = {c.format: c for c in detect(open_source({name: text.encode()}))}
        assert candidates["automl"].confidence == 0
    with pytest.raises(BrokenFileError, match=r"x\.jsonl"):
        read_back(get_format("automl"), open_source({"x.jsonl": b'{"imageGcsUri": "gs:'}))
