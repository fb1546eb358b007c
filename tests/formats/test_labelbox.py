"""Labelbox: exports of version 1 and 2, annotations to be imported, and what is malformed.

Made as Labelbox's own test files are: there is no real sample beside this checkout.
"""

from __future__ import annotations

import base64
import io
import json

import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.base import Miss
from nbannot.formats.look import Look
from nbannot.geometry import rle_to_mask
from nbannot.sources import open_source

from .json_junk import read_files, reads_any_junk, reasons

URL = "https://storage.example.org/masks/7?token=secret"
BOX = {"top": 20, "left": 10, "height": 5, "width": 30}
POLYGON = [{"x": 0, "y": 0}, {"x": 9, "y": 0}, {"x": 9, "y": 9}]


def row_1(*objects, classifications=(), external="a.jpg", ident="d1", **more):
    """Return a row of an export of version 1."""
    return {
        "ID": f"label of {ident}", "DataRow ID": ident, "External ID": external,
        "Labeled Data": f"https://example.org/x/{ident}.jpg?sig=secret",
        "Media Attributes": {"width": 100, "height": 60}, "Skipped": False,
        "Label": {"objects": list(objects), "classifications": list(classifications)}, **more,
    }  # fmt: skip


def obj_1(title="cat", **figure):
    """Return an object of version 1."""
    return {"featureId": "f", "schemaId": "s", "title": title, "value": "c", "color": "#FF0000",
            "instanceURI": URL, **figure}  # fmt: skip


def row_2(annotations, ident="d1", **more):
    """Return a row of an export of version 2."""
    return {
        "data_row": {"id": ident, "external_id": f"{ident}.jpg",
                     "row_data": f"https://example.org/{ident}.jpg"},
        "media_attributes": {"width": 100, "height": 60, "mime_type": "image/jpeg"},
        "projects": {"p": {"name": "pets", "labels": [{"id": "l", "annotations": annotations}]}},
        **more,
    }  # fmt: skip


def obj_2(kind, **figure):
    """Return an object of version 2."""
    return {"feature_id": "f", "feature_schema_id": "s", "name": "cat", "annotation_kind": kind,
            "classifications": [], **figure}  # fmt: skip


def lines(*rows):
    """Return NDJSON."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def read(*rows):
    """Read a file of rows."""
    return read_files("labelbox", {"export.json": list(rows)})


# -- version 1 ------------------------------------------------------------------------


def test_version_1_objects():
    """Boxes, polygons, lines and points in pixels; colours of labels; the name of the file."""
    data = row_1(
        obj_1(bbox=BOX), obj_1("dog", polygon=POLYGON), obj_1(line=POLYGON[:2]),
        obj_1(point={"x": 1.5, "y": 2}),
    )  # fmt: skip
    best = detect(open_source({"export.json": json.dumps([data]).encode()}))[0]
    assert (best.format, best.confidence) == ("labelbox", 0.95)
    found = read(data)
    (item,) = found.items
    assert (item["key"], item["width"], item["source_id"]) == ("a.jpg", 100, "d1")
    assert item["uri"] == "https://example.org/x/d1.jpg?sig=secret"
    box, polygon, line, point = found.annotations
    assert [box[n] for n in "xywh"] == [10, 20, 30, 5]
    assert (polygon["label"], polygon["points"]) == ("dog", [0, 0, 9, 0, 9, 9])
    assert (line["type"], line["points"]) == ("polyline", [0, 0, 9, 0])
    assert (point["type"], point["points"]) == ("points", [1.5, 2])
    assert found.labels["cat"].color == "#ff0000"
    assert found.ledger.groups() == []


def test_masks_are_not_fetched():
    """An object that is a mask at an address stays as a tag with the address, and a warning."""
    found = read(row_1(obj_1()))
    (row,) = found.annotations
    assert (row["type"], row["label"]) == ("tag", "cat")
    assert json.loads(row["extra"]) == {"labelbox": {"mask": {"url": URL}}}
    (line,) = found.ledger.lines("warning", "mask lies at an address")
    assert "https://storage.example.org/masks/7" in line["message"]
    assert "secret" not in line["message"]


def test_version_1_classifications():
    """Answers are choices, text is text; nested ones and those of objects are attributes."""
    deep = {"title": "how", "answer": {"title": "much"}}
    radio = {"title": "weather", "answer": {"title": "rain", "classifications": [deep]}}
    several = {"title": "who", "answer": [{"title": "me"}, {"title": "you"}]}
    free = {"title": "note", "answer": "hmm"}
    box = obj_1(bbox=BOX, classifications=[radio, several])
    found = read(row_1(box, classifications=[radio, several, free]))
    choices = [(r["label"], json.loads(r["attributes"])) for r in found.annotations[1:-1]]
    assert choices == [
        ("rain", {"question": "weather", "how": "much"}),
        ("me", {"question": "who"}), ("you", {"question": "who"}),
    ]  # fmt: skip
    assert (found.annotations[-1]["label"], found.annotations[-1]["text"]) == ("note", "hmm")
    attributes = json.loads(found.annotations[0]["attributes"])
    assert attributes == {"weather": "rain", "how": "much", "who": ["me", "you"]}
    assert found.balance.read == 6


def test_spans_of_text_include_their_end():
    """Labelbox counts the last character in: 25 to 44 is 25 up to 45."""
    entity = obj_1(data={"location": {"start": 25, "end": 44}}, format="text.location")
    found = read(row_1(entity, external="index.html"))
    (row,) = found.annotations
    assert (row["type"], row["start"], row["end"]) == ("text_span", 25, 45)
    assert found.items[0]["kind"] == "text"


def test_several_labels_of_one_row():
    """Consensus: two labels of one data row are two sets on one item."""
    rows = [row_1(obj_1(bbox=BOX), ID=n) for n in ("l1", "l2")]
    found = read(*rows)
    assert len(found.items) == 1
    assert [r["set"] for r in found.annotations] == ["l1", "l2"]


def test_two_rows_of_one_name():
    """Data rows that are called alike stay apart, and it is told."""
    found = read(row_1(obj_1(bbox=BOX)), row_1(ident="d2"))
    assert [i["key"] for i in found.items] == ["a.jpg", "d2"]
    assert reasons(found) == [("warning", "two data rows have one name")]


def test_skipped_rows_and_one_row_alone():
    """A skipped row is an item without annotations; a file may hold one row."""
    skipped = row_1(Label="Skip", Skipped=True)
    found = read_files("labelbox", {"export.json": skipped})
    assert (len(found.items), found.annotations, found.ledger.groups()) == (1, [], [])


# -- version 2 ------------------------------------------------------------------------


def test_version_2():
    """NDJSON: one data row per line, objects by their kind, answers, relationships."""
    annotations = {
        "objects": [
            obj_2("ImageBoundingBox", bounding_box=BOX),
            obj_2("ImagePolygon", polygon=POLYGON, classifications=[
                {"name": "color", "radio_answer": {"name": "red", "classifications": []}}]),
            obj_2("ImageSegmentationMask", mask={"url": URL}),
        ],
        "classifications": [
            {"name": "weather", "checklist_answers": [{"name": "rain"}, {"name": "wind"}]},
            {"name": "note", "text_answer": {"content": "hmm"}},
        ],
        "relationships": [
            {"name": "eats", "unidirectional_relationship": {"source": "f1", "target": "f2"}}],
    }  # fmt: skip
    data = lines(row_2(annotations), row_2({}, "d2"))
    assert detect(open_source({"export.ndjson": data}))[0].format == "labelbox"
    found = read_files("labelbox", {"export.ndjson": data})
    assert [i["key"] for i in found.items] == ["d1.jpg", "d2.jpg"]
    types = [r["type"] for r in found.annotations]
    assert types == ["box", "polygon", "tag", "choice", "choice", "text", "relation"]
    assert json.loads(found.annotations[1]["attributes"]) == {"color": "red"}
    relation = json.loads(found.annotations[-1]["attributes"])
    assert relation == {"from": "f1", "to": "f2", "direction": "right"}
    assert reasons(found) == [("warning", "mask lies at an address")]


def test_version_2_videos():
    """Frames count from 1 there and from 0 here; a feature is a track."""
    frames = {
        "1": {"objects": {"f": obj_2("VideoBoundingBox", bounding_box=BOX)}, "classifications": []},
        "8": {"objects": {"f": obj_2("VideoBoundingBox", bounding_box=BOX)}},
        "x": {},
    }
    row = row_2({"frames": frames, "key_frame_feature_map": {"f": {"1": True}}})
    row["media_attributes"] |= {"mime_type": "video/mp4", "frame_count": 30}
    found = read(row)
    assert (found.items[0]["kind"], found.items[0]["frames"]) == ("video", 30)
    assert [(r["frame"], r["track"], r["keyframe"]) for r in found.annotations] == [
        (0, "f", True), (7, "f", False),
    ]  # fmt: skip
    assert reasons(found) == [("rejected", "frame is not understood")]


def test_experiments_are_predictions():
    """The labels of a model's run are a layer of their own."""
    label = {"id": "p", "annotations": {"objects": [
        obj_2("ImageBoundingBox", bounding_box=BOX, confidence=0.5)]}}  # fmt: skip
    runs = {"r": {"name": "run 1", "labels": [label]}}
    found = read(row_2({}, experiments={"e": {"name": "model", "runs": runs}}))
    assert [(r["layer"], r["score"]) for r in found.annotations] == [("model/run 1", 0.5)]


def test_version_1_videos():
    """Label may be the list of frames itself."""
    frames = [{"frameNumber": n, "objects": [obj_1(bbox=BOX)], "classifications": []}
              for n in (1, 2)]  # fmt: skip
    found = read(row_1(Label=frames, external="v.mp4"))
    assert found.items[0]["kind"] == "video"
    assert [(r["frame"], r["track"]) for r in found.annotations] == [(0, "f"), (1, "f")]


# -- annotations to be imported -------------------------------------------------------


def test_documents():
    """A box on a page of a PDF has the page as an attribute; the item is no image."""
    row = {"uuid": "1", "name": "b", "dataRow": {"id": "d"}, "page": 4, "bbox": BOX}
    found = read(row)
    assert found.items[0]["kind"] == "other"
    assert json.loads(found.annotations[0]["attributes"]) == {"page": 4}


def test_annotations_to_be_imported():
    """One annotation per line, of a data row by its id or global key."""
    out = io.BytesIO()
    Image.new("L", (3, 2), 255).save(out, "PNG")
    png = base64.b64encode(out.getvalue()).decode()
    rows = [
        {"uuid": "1", "name": "cat", "dataRow": {"id": "d1"}, "bbox": BOX, "confidence": 0.5},
        {"uuid": "2", "schemaId": "s1", "dataRow": {"id": "d1"}, "polygon": POLYGON},
        {"uuid": "3", "name": "m", "dataRow": {"globalKey": "b.jpg"}, "mask": {"png": png}},
        {"uuid": "4", "name": "m", "dataRow": {"globalKey": "b.jpg"},
         "mask": {"instanceURI": URL, "colorRGB": [255, 0, 0]}},
        {"uuid": "5", "name": "q", "dataRow": {"id": "d1"}, "answer": {"name": "yes"}},
        {"uuid": "6", "name": "t", "dataRow": {"id": "txt"}, "location": {"start": 3, "end": 5}},
        {"uuid": "7", "name": "q", "dataRow": {}, "answer": "x"},
    ]  # fmt: skip
    data = lines(*rows)
    assert detect(open_source({"import.ndjson": data}))[0].format == "labelbox"
    found = read_files("labelbox", {"import.ndjson": data})
    assert [(i["key"], i["kind"]) for i in found.items] == [
        ("d1", "image"), ("b.jpg", "image"), ("txt", "text"),
    ]  # fmt: skip
    rows = {r.get("source_id"): r for r in found.annotations}
    assert (rows["1"]["label"], rows["1"]["score"]) == ("cat", 0.5)
    assert rows["2"]["label"] == "s1"
    assert rle_to_mask(rows["3"]["mask"], 2, 3).sum() == 6
    assert rows["4"]["type"] == "tag"
    assert (rows["5"]["type"], rows["5"]["label"]) == ("choice", "yes")
    assert (rows["6"]["start"], rows["6"]["end"]) == (3, 6)
    assert reasons(found) == [
        ("rejected", "row of no data row"), ("warning", "mask lies at an address"),
    ]  # fmt: skip


def test_segments_of_videos_to_be_imported():
    """Segments are lists of frames, or have keyframes."""
    segments = [[{"frame": 1, "bbox": BOX}], {"keyframes": [{"frame": 5, "bbox": BOX}]}, [{}]]
    row = {"uuid": "u", "name": "cat", "dataRow": {"id": "v"}, "segments": segments}
    found = read(row)
    assert found.items[0]["kind"] == "video"
    assert [(r["frame"], r["track"]) for r in found.annotations] == [(0, "u"), (4, "u")]
    assert reasons(found) == [("rejected", "frame is not understood")]


# -- malformed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("nothing", "object is not an object"),
        ({"title": "cat"}, "object without a figure"),
        (obj_1(bbox={"top": 1}), "coordinate is not a number"),
        (obj_1(polygon=POLYGON[:2]), "too few points"),
        (obj_1(data={"location": {"start": 5, "end": 2}}), "span ends before it starts"),
        ({"geometry": {"coordinates": [-99.2, 19.4]}}, "places on the earth can't be read"),
    ],
)
def test_objects_that_can_not_be_read(given, reason):
    """One bad object is one rejected line; the next one is read."""
    found = read(row_1(given, obj_1("dog", bbox=BOX)))
    assert reasons(found) == [("rejected", reason)]
    (line,) = found.ledger.lines("rejected", reason)
    assert (line["where"], line["record"], line["item"]) == (
        "[0].Label.objects[0]", "row 1, object 1", "a.jpg",
    )  # fmt: skip
    assert [r["label"] for r in found.annotations] == ["dog"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (7, "row is not an object"),
        ({"x": 1}, "row of no data row"),
        (row_1(Label=[1]), "label is not an object"),
        (row_1(classifications=[5]), "classification is not an object"),
        (row_1(classifications=[{"title": "q"}]), "classification without an answer"),
        (row_1(Label={"frames": "https://x.org/f"}), "frames lie at an address"),
        (row_2({"relationships": [{}]}), "relationship without its ends"),
    ],
)
def test_rows_that_can_not_be_read(row, reason):
    """A bad row is a rejected line; the next one is read."""
    found = read(row, row_1(external="b.jpg", ident="d2"))
    assert reasons(found) == [("rejected", reason)]
    assert found.items[-1]["key"] == "b.jpg"


def test_junk_in_any_place():
    """Whatever stands in place of a value, nothing is raised and the ledger balances."""
    radio = {"title": "q", "answer": [{"title": "a", "classifications": []}]}
    others = {"b.json": [row_1(external="b.jpg", ident="d2")]}
    one = row_1(obj_1(bbox=BOX, classifications=[radio]), obj_1(polygon=POLYGON), obj_1(),
                classifications=[radio])  # fmt: skip
    reads_any_junk("labelbox", "a.json", [one], others)
    frames = {"1": {"objects": {"f": obj_2("x", bounding_box=BOX)}, "classifications": [radio]}}
    two = row_2({"frames": frames, "objects": [obj_2("x", mask={"url": URL})],
                 "key_frame_feature_map": {"f": {"1": True}},
                 "relationships": [{"unidirectional_relationship": {"source": 1, "target": 2}}]},
                experiments={"e": {"runs": {"r": {"labels": [{"annotations": {}}]}}}})  # fmt: skip
    reads_any_junk("labelbox", "a.json", [two], others)
    three = [{"uuid": "1", "name": "cat", "dataRow": {"id": "d"}, "bbox": BOX},
             {"uuid": "2", "name": "cat", "dataRow": {"id": "d"},
              "segments": [[{"frame": 1, "bbox": BOX}]]}]  # fmt: skip
    reads_any_junk("labelbox", "a.json", three, others)


def test_a_preview_has_all_of_its_items():
    """With a limit, every annotation of the first items is there, wherever its line is."""
    rows = [{"uuid": str(n), "name": "c", "dataRow": {"id": f"d{n % 3}"}, "bbox": BOX}
            for n in range(9)]  # fmt: skip
    found = read_files("labelbox", {"a.ndjson": lines(*rows)}, limit=2)
    assert [i["key"] for i in found.items] == ["d0", "d1"]
    assert [r["source_id"] for r in found.annotations] == ["0", "1", "3", "4", "6", "7"]


def test_broken_files_and_lines():
    """A line that is not JSON is a rejected record; a file cut in half is an error."""
    data = lines(row_2({}), row_2({}, "d2"))
    found = read_files("labelbox", {"a.ndjson": data + b'{"data_row"\n'})
    assert (len(found.items), reasons(found)) == (2, [("rejected", "line is not JSON")])
    with pytest.raises(BrokenFileError, match=r"a\.json"):
        read_files("labelbox", {"a.json": json.dumps([row_1()]).encode()[:50]})
    found = read_files("labelbox", {"a.json": [row_1()], "b.json": b"["})
    assert reasons(found) == [("rejected", "the file is not JSON")]


@pytest.mark.parametrize("data", [b"", b"[]", b'{"Label": 1}', b'[{"dataRow": 1}]'])
def test_not_labelbox(data):
    """What is missing is said."""
    with pytest.raises(Miss, match="no JSON file with Labeled Data"):
        get_format("labelbox").requires(Look(open_source({"a.json": data})))
