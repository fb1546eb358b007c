"""Datumaro JSON: both dialects there and back, real files, what is malformed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, MemorySink, example, read_back, written
from nbannot.geometry import rle_to_mask
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label, Skeleton
from nbannot.sources import open_source


class TestDatumaro(FormatCases):
    """Everything that it holds comes back exactly."""

    format_name = "datumaro"
    compared = (*FormatCases.compared, "rotation", "score", "group", "track", "occluded")


class TestCvatDialect(FormatCases):
    """As CVAT reads it, without ellipses, which become polygons there."""

    format_name = "datumaro"
    write_options = {"dialect": "cvat"}
    generates = ("box", "polygon", "polyline", "points", "mask", "tag", "text")

    @pytest.fixture
    def dataset(self, format):
        """Return the example without ellipses."""
        return example([kind for kind in format.holds if kind != "ellipse"])


FORMAT = get_format("datumaro")
LABELS = [{"name": "cat", "parent": "", "attributes": []}, {"name": "dog", "parent": ""}]


def of(*annotations, item=None, categories=None, **more):
    """Return a dataset of one item of 40 x 30 pixels."""
    record = {"id": "a", "image": {"path": "a.jpg", "size": [30, 40]}, **(item or {})}
    record["annotations"] = list(annotations)
    label = {"label": {"labels": LABELS, "attributes": []}}
    document = {"categories": categories or label, "items": [record], **more}
    return {"annotations/train.json": json.dumps(document).encode()}


def read(files, **options):
    """Read made-up files."""
    return read_back(FORMAT, open_source(files), **options)


def only(files):
    """Return the one annotation of made-up files, and the ledger's groups."""
    found = read(files)
    (row,) = found.annotations
    return row, found.ledger.groups()


def rejected(*annotations, **more):
    """Return the ledger line of the one annotation that is rejected."""
    found = read(of(*annotations, **more))
    ((outcome, reason, count),) = [g for g in found.ledger.groups() if g[0] == "rejected"]
    assert count == 1
    (line,) = found.ledger.lines(outcome, reason)
    assert line["file"] == "annotations/train.json"
    return line


# -- real files -----------------------------------------------------------------------

SAMPLES = {
    "cvatdatumaro-diverse": ("datumaro.cvatfork", {"cuboid_3d": 1}),
    "cvatdatumaro-with_pcd": ("datumaro.cvatfork", {"cuboid_3d": 1}),
    "cvatdatumaro-with_skeleton": ("datumaro.cvatfork", {}),
    "datumaro-legacy": ("datumaro", {}),
}
TYPES = {"tag": "label", "box": "bbox", "text": "caption"}


def facts(found):
    """Return what was read in the terms of the expected files, item by item."""
    rows = {}
    for item in found.items:
        rows[item["subset"], item["source_id"]] = {
            "size_hw": [item["height"], item["width"]] if item.get("width") else None,
            "file": item.get("media"),
            "annotations": [],
        }
    ids = {(item["subset"], item["key"]): item["source_id"] for item in found.items}
    for row in found.annotations:
        fact = {"type": TYPES.get(row["type"], row["type"])}
        if "label" in row:
            fact["label"] = row["label"]
        if row["type"] == "box":
            fact["bbox_xywh"] = [row[n] for n in "xywh"]
        elif row["type"] == "mask":
            mask = rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
            fact["area"], fact["mask_shape_hw"] = int(mask.sum()), list(mask.shape)
        elif row["type"] == "text":
            fact["caption"] = row["text"]
        elif row["type"] != "tag":
            fact["points"] = row["points"]
        fact["group"], fact["id"] = row.get("group", 0), int(row.get("source_id", 0))
        fact["z_order"] = row.get("z_order", 0)
        rows[row["subset"], ids[row["subset"], row["key"]]]["annotations"].append(fact)
    return rows


def wanted(expected):
    """Return an expected file in the same terms, without what has no type of ours."""
    rows = {}
    for item in expected["items"]:
        annotations = []
        for ann in item["annotations"]:
            if ann["type"] == "cuboid_3d":
                continue
            names = ("type", "label", "bbox_xywh", "area", "mask_shape_hw", "caption", "points")
            fact = {n: ann[n] for n in names if n in ann}
            if isinstance(fact.get("label"), int):  # an id of no category: we say so, and drop it
                del fact["label"]
            if ann["type"] == "skeleton":
                fact["points"] = [v for e in ann["elements"] for v in e["points"]]
            fact |= {n: ann.get(n, 0) for n in ("group", "id", "z_order")}
            annotations.append(fact)
        rows[item["subset"], item["id"]] = {
            "size_hw": item["size_hw"], "file": item["file"], "annotations": annotations,
        }  # fmt: skip
    return rows


@pytest.mark.parametrize("case", sorted(SAMPLES))
def test_samples_are_what_datumaro_says(case, samples, expected):
    """Items, media, labels, types and geometry are those that Datumaro itself reads."""
    reader, lost = SAMPLES[case]
    with open_source(samples / "datumaro" / case) as source:
        best = detect(source)[0]
        found = read_back(FORMAT, source)
    assert (best.format, best.confidence) == ("datumaro", 0.95)
    truth = json.loads((expected / "datumaro" / f"{case}.{reader}.json").read_text())
    if case == "datumaro-legacy":  # it does not say the sizes, which Datumaro takes from the files
        for item in truth["items"]:
            item["size_hw"] = None
    if case == "cvatdatumaro-diverse":  # Datumaro says where 43.qq would be: there is no such file
        truth["items"][-1]["file"] = None
    assert facts(found) == wanted(truth)
    joints = {"point1-label", "point2-label", "point3-label"}  # of a skeleton: no labels of ours
    assert set(found.labels) == set(truth["labels"]) - joints
    assert found.balance.rejected == sum(lost.values())
    assert [g[1] for g in found.ledger.groups() if g[0] == "rejected"] == [
        f"{kind} is not read" for kind in lost
    ]


def test_detects_only_its_own_samples(samples):
    """No sample of another format is taken for Datumaro's."""
    for folder in ("coco", "createml", "cvat", "label_studio", "supervisely", "darwin", "vott"):
        for case in sorted((samples / folder).iterdir()):
            with open_source(case) as source:
                assert not [c for c in detect(source) if c.format == "datumaro" and c.confidence]


def test_attributes_of_the_diverse_sample(samples):
    """Attributes stay; a score is a column; an id of no category is said, with the number."""
    with open_source(samples / "datumaro/cvatdatumaro-diverse") as source:
        found = read_back(FORMAT, source)
    boxes = {row["source_id"]: row for row in found.annotations if row["type"] == "box"}
    assert (boxes["4"]["score"], boxes["4"].get("attributes")) == (1.0, None)
    assert json.loads(boxes["5"]["attributes"]) == {"a": 1.5, "b": "text"}
    (line,) = found.ledger.lines("warning", "label_id is not in categories")
    assert line["message"] == (
        "items[1].annotations[2]: label_id 5 is not one of 5 labels; it has no label"
    )
    meta = {row["key"]: row.get("meta") for row in found.items if row["subset"] == "test"}
    assert json.loads(meta["42"]) == {"datumaro": {"attr": {"a1": 5, "a2": "42"}}}


def test_categories_of_the_samples(samples):
    """Joints count from 1, and from 0 where a 0 occurs; the colour map colours labels."""
    with open_source(samples / "datumaro/cvatdatumaro-with_skeleton") as source:
        labels = read_back(FORMAT, source).labels
    names = ("point1-label", "point3-label", "point2-label")
    assert labels["skeleton-label"].skeleton == Skeleton(names, ((1, 2), (0, 1)))
    with open_source(samples / "datumaro/cvatdatumaro-diverse") as source:
        labels = read_back(FORMAT, source).labels
    assert labels["cat1"].skeleton == Skeleton(("cat1", "cat2"), ((0, 1),))
    assert [labels[f"cat{i}"].color for i in (0, 3)] == ["#000000", "#808000"]
    assert [a["name"] for a in labels["cat1"].attributes] == ["x", "y", "a", "b"]


# -- made-up files --------------------------------------------------------------------


def test_each_type_is_read():
    """Every type of annotation has its columns."""
    masks = {"type": "mask", "label_id": 0, "rle": {"counts": [2, 3, 1], "size": [2, 3]}}
    corners = [[0, 10], [5, 5], [15, 5], [10, 10], [5, 15], [15, 15], [10, 20], [0, 20]]
    found = read(
        of(
            {"type": "ellipse", "label_id": 1, "points": [1, 2, 5, 10],
             "attributes": {"rotation": 30.0}},
            {"type": "rotated_bbox", "label_id": 1, "points": [10, 20, 4, 2, 45]},
            {"type": "cuboid_2d", "label_id": 0, "points": corners},
            {"type": "points", "label_id": 0, "points": [1, 2, 3, 4], "visibility": [2, 1]},
            {"type": "bbox", "label_id": 0, "bbox": [1, 2, 3, 4], "object_id": 7,
             "attributes": {"occluded": True, "score": 3}},
            masks,
        )
    )  # fmt: skip
    ellipse, rotated, cuboid, points, box, mask = found.annotations
    assert [ellipse[n] for n in "xywh"] + [ellipse["rotation"]] == [1, 2, 4, 8, 30]
    assert [rotated[n] for n in "xywh"] + [rotated["rotation"]] == [8, 19, 4, 2, 45]
    front = [0, 10, 10, 10, 10, 20, 0, 20]  # clockwise from top left
    assert cuboid["points"] == [*front, 5, 5, 15, 5, 15, 15, 5, 15]
    assert points["visibility"] == [2, 1]
    assert (box["track"], box["occluded"], json.loads(box["attributes"])) == (
        "7",
        True,
        {"score": 3},
    )
    pixels = rle_to_mask(mask["mask"], 2, 3)  # runs of 0, 1, 0, down the columns
    assert pixels.tolist() == [[0, 1, 1], [0, 1, 0]]
    assert [mask[n] for n in "xywh"] == [1, 0, 2, 2]


def test_elements_of_a_skeleton():
    """A skeleton written as elements finds its joints by name; absent ones are 0."""
    categories = {
        "label": {"labels": [
            {"name": "man", "parent": ""},
            *({"name": n, "parent": "man"} for n in ("nose", "left", "right")),
        ]},
        "points": {"items": [{"label_id": 0, "labels": ["nose", "left", "right"],
                              "joints": [[1, 2]]}]},
    }  # fmt: skip
    elements = [
        {"type": "points", "label_id": 3, "points": [5, 6], "visibility": [1],
         "attributes": {"far": True}},
        {"type": "points", "label_id": 1, "points": [1, 2], "visibility": [2]},
    ]  # fmt: skip
    files = of({"type": "skeleton", "label_id": 0, "elements": elements}, categories=categories)
    row, groups = only(files)
    assert (row["type"], row["points"]) == ("skeleton", [1, 2, 0, 0, 5, 6])
    assert (row["visibility"], groups) == ([2, 0, 1], [])
    kept = json.loads(row["extra"])["datumaro"]
    assert kept == {"points_attributes": [{}, {}, {"far": True}]}
    assert list(read(files).labels) == ["man"]


def test_tracks_and_frames():
    """Members of a track get the frame that CVAT writes on the item."""
    box = {"type": "bbox", "label_id": 0, "bbox": [1, 2, 3, 4]}
    tracked = {**box, "attributes": {"track_id": 3, "keyframe": True, "outside": False}}
    found = read(of(tracked, box, item={"attr": {"frame": 12}}))
    one, other = found.annotations
    assert (one["track"], one["frame"], one["keyframe"], one["outside"]) == ("3", 12, True, False)
    assert "frame" not in other


def test_frames_of_a_video_are_one_item():
    """Frames of one video are joined, their ids and attributes kept; written, they come back."""
    box = {"type": "bbox", "label_id": 0, "bbox": [1, 2, 3, 4], "attributes": {}, "id": 0}
    frames = [
        {"id": f"v/{n}", "annotations": [box], "attr": {"n": n},
         "video_frame": {"video_path": "v.mp4", "frame_index": n}} for n in (3, 8)
    ]  # fmt: skip
    document = {"dm_format_version": "1.0", "media_type": 4, "items": frames,
                "categories": {"label": {"labels": LABELS}}}  # fmt: skip
    files = {"annotations/train.json": json.dumps(document).encode(), "videos/train/v.mp4": b"1"}
    found = read(files)
    (item,) = found.items
    assert (item["key"], item["kind"], item["media"]) == ("v.mp4", "video", "videos/train/v.mp4")
    assert [row["frame"] for row in found.annotations] == [3, 8]
    assert (found.balance.read, found.balance.imported) == (4, 4)
    back = rewritten(found)
    assert [{k: i[k] for k in ("id", "attr", "video_frame")} for i in back["items"]] == [
        {k: i[k] for k in ("id", "attr", "video_frame")} for i in frames
    ]
    assert back["media_type"] == 4


def rewritten(found, **options):
    """Write what was read again; return the document of train."""
    rows = [{k: v for k, v in r.items() if k not in ("subset", "key")} | {"item": r["key"]}
            for r in found.annotations]  # fmt: skip
    items = [{k: v for k, v in i.items() if k not in ("item", "media") and v is not None}
             for i in found.items]  # fmt: skip
    data = Example({"train": items}, {"train": rows}, tuple(found.labels.values()))
    return json.loads(written(FORMAT, data, media=False, **options)["annotations/train.json"])


@pytest.mark.parametrize("case", ["cvatdatumaro-with_skeleton", "cvatdatumaro-diverse"])
def test_cvat_files_are_written_as_they_were(case, samples):
    """What CVAT wrote is written by us with the same annotations."""
    name = "train" if case.endswith("diverse") else "default"
    folder = samples / "datumaro" / case
    given = json.loads((folder / f"annotations/{name}.json").read_bytes())
    given["items"] = given["items"][:1]  # the second has a label_id of no label
    found = read({"annotations/train.json": json.dumps(given).encode()})
    back = rewritten(found, dialect="cvat")

    def plain(items):
        # Datumaro's defaults, written or not; our places in the list.
        return [
            {k: v for k, v in ann.items() if k != "z_order" or v}
            for item in items
            for ann in item["annotations"]
        ]

    assert plain(back["items"]) == plain(given["items"])
    assert back["items"][0]["image"] == given["items"][0]["image"]
    ours, theirs = back["categories"], given["categories"]
    assert sorted(map(str, ours["label"]["labels"])) == sorted(map(str, theirs["label"]["labels"]))
    assert ours.get("mask") == theirs.get("mask")
    assert [p["labels"] for p in ours["points"]["items"]] == [
        p["labels"] for p in theirs["points"]["items"]
    ]


def test_groups_of_labels_come_back(samples):
    """Label groups, parents, attributes of all labels and colours are written as they were."""
    with open_source(samples / "datumaro/datumaro-legacy") as source:
        found = read_back(FORMAT, source)
    found.items, found.annotations = [], []
    given = json.loads((samples / "datumaro/datumaro-legacy/annotations/train.json").read_bytes())[
        "categories"
    ]
    assert rewritten(found)["categories"]["label"] == given["label"]
    labels = [{"name": "cat", "parent": "pet", "attributes": ["x"]}, {"name": "pet", "parent": ""}]
    categories = {
        "label": {"labels": labels, "attributes": ["all", "occluded"]},
        "mask": {"colormap": [{"label_id": 1, "r": 1, "g": 2, "b": 255}]},
    }
    found = read(of(categories=categories))
    assert (found.labels["cat"].parent, found.labels["pet"].color) == ("pet", "#0102ff")
    back = rewritten(found)["categories"]
    assert back["mask"] == categories["mask"]
    assert back["label"]["attributes"] == ["all"]
    assert back["label"]["labels"] == [labels[0], {**labels[1], "attributes": []}]


def test_losses_of_writing_are_told():
    """A text on a box, a cuboid for CVAT, a name of Datumaro's own: each has its line."""
    box = {"item": "a.jpg", "type": "box", "label": "cat", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0}
    rows = [
        {**box, "text": "word"},
        {**box, "attributes": '{"score": 0.5}'},
        {
            "item": "a.jpg",
            "type": "cuboid",
            "label": "cat",
            "points": [float(i) for i in range(16)],
        },
        {"item": "a.jpg", "type": "tag"},
    ]
    items = [{"key": "a.jpg", "width": 40, "height": 30}]
    data = Example({"train": items}, {"train": rows}, (Label("cat"),))
    ledger = Ledger()
    FORMAT.write(data, MemorySink(), {"dialect": "cvat"}, ledger, Progress())
    assert ledger.groups() == [
        ("rejected", "annotation without a label", 1),
        ("warning", "attribute has a name of Datumaro's own", 1),
        ("warning", "cuboid written as polygon", 1),
        ("warning", "text can't be written", 1),
    ]


def test_a_cuboid_comes_back():
    """Corners are put in Datumaro's order, and back."""
    points = [float(v) for v in np.arange(16)]
    rows = [{"item": "a.jpg", "type": "cuboid", "label": "cat", "points": points}]
    data = Example({"train": [{"key": "a.jpg"}]}, {"train": rows}, (Label("cat"),))
    (row,) = read(written(FORMAT, data, media=False)).annotations
    assert row["points"] == points


# -- malformed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ann", "reason"),
    [
        ({"type": "feature_vector", "label_id": 0}, "feature_vector is not read"),
        ({"type": "bbox", "label_id": 0, "bbox": [1, 2, 3]}, "box without four numbers"),
        ({"type": "bbox", "label_id": 0, "bbox": [1, 2, -3, 4]}, "width or height is negative"),
        ({"type": "bbox", "bbox": [1, 2, "x", 4]}, "coordinate is not a number"),
        ({"type": "polygon", "points": [1, 2, 3, 4]}, "too few points"),
        ({"type": "polygon", "points": [1, 2, 3, 4, 5, 6, 7]}, "odd count of coordinates"),
        ({"type": "polygon"}, "no points"),
        ({"type": "mask", "rle": {"counts": "zz", "size": [2, 3]}}, "mask can't be decoded"),
        (
            {"type": "mask", "rle": {"counts": "06", "size": [10**9, 10**9]}},
            "mask can't be decoded",
        ),
        ({"type": "mask"}, "mask without run lengths"),
        ({"type": "label", "label_id": None}, "label without label_id"),
        ({"type": "caption"}, "caption without a text"),
        ({"type": "points", "points": [1, 2], "visibility": [7]}, "visibility is not understood"),
        ({"type": "bbox", "bbox": [1, 2, 3, 4], "attributes": [1]}, "attributes are not an object"),
        ({}, "None is not read"),
        ("text", "annotation is not an object"),
    ],
)
def test_a_bad_annotation_is_rejected_alone(ann, reason):
    """The line names the annotation; its neighbour is read."""
    good = {"type": "bbox", "label_id": 1, "bbox": [1, 2, 3, 4]}
    line = rejected(good, ann)
    assert (line["reason"], line["where"]) == (reason, "items[0].annotations[1]")
    (row,) = read(of(good, ann)).annotations
    assert row["label"] == "dog"


def test_nan_is_one_record():
    """NaN in one annotation costs that annotation only, and is noted."""
    text = of({"type": "bbox", "label_id": 0, "bbox": [1, 2, 3, 4]},
              {"type": "bbox", "label_id": 0, "bbox": [5, 2, 3, 4]})  # fmt: skip
    broken = {k: v.replace(b"[5", b"[NaN") for k, v in text.items()}
    found = read(broken)
    assert [row["x"] for row in found.annotations] == [1]
    assert ("rejected", "coordinate is not a number", 1) in found.ledger.groups()


def test_items_without_id_and_twice():
    """An item without id or path is rejected with its annotations; one that occurs twice is one."""
    box = {"type": "bbox", "label_id": 0, "bbox": [1, 2, 3, 4]}
    items = [
        {"annotations": [box]}, {"id": "a", "annotations": [box]},
        {"id": "a", "annotations": [box]}, 5, {"id": 7, "annotations": None},
    ]  # fmt: skip
    document = {"categories": {"label": {"labels": LABELS}}, "items": items}
    found = read({"annotations/train.json": json.dumps(document).encode()})
    assert [(i["key"], i["subset"]) for i in found.items] == [("a", "train"), ("7", "train")]
    assert found.ledger.groups() == [
        ("rejected", "item without id", 2),
        ("rejected", "item is not an object", 1),
        ("warning", "item occurs twice", 1),
    ]


def test_sizes_paths_and_subsets():
    """A null size, an absolute path and one id in two subsets are nothing special."""
    one = of(item={"image": {"path": "C:\\data\\a.jpg", "size": None}})["annotations/train.json"]
    files = {"annotations/train.json": one, "annotations/val.json": one,
             "images/train/a.jpg": b"1"}  # fmt: skip
    found = read(files)
    assert [(i["subset"], i["key"], i.get("media")) for i in found.items] == [
        ("train", "a.jpg", "images/train/a.jpg"), ("val", "a.jpg", None),
    ]  # fmt: skip
    assert found.ledger.groups() == [("warning", "image file missing", 1)]


def test_images_of_no_item_are_noted():
    """Datumaro does not read them, so neither do we, but it is said."""
    found = read({**of(), "images/train/a.jpg": b"1", "images/train/b.jpg": b"2"})
    assert [i["key"] for i in found.items] == ["a.jpg"]
    (line,) = found.ledger.lines("note", "images of no item")
    assert line["message"] == "1 images are of no item and are not read: images/train/b.jpg"


def test_annotations_alone():
    """Without its images, a dataset is read with the same keys and subsets, and no doubts."""
    files = written(FORMAT, example(FORMAT.holds), media=False)
    assert sorted(files) == ["annotations/train.json", "annotations/val.json"]
    whole = read(written(FORMAT, example(FORMAT.holds)))
    alone = read(files)
    assert alone.annotations == whole.annotations
    assert [(i["subset"], i["key"]) for i in alone.items] == [
        (i["subset"], i["key"]) for i in whole.items
    ]
    assert alone.ledger.groups() == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings(encoding):
    """UTF-8 with a byte order mark and UTF-16 are found and read."""
    files = of({"type": "caption", "caption": "größe ✓"})
    data = files["annotations/train.json"].decode().encode(encoding)
    source = open_source({"annotations/train.json": data})
    assert detect(source)[0].format == "datumaro"
    (row,) = read_back(FORMAT, source).annotations
    assert row["text"] == "größe ✓"


def test_one_file_by_itself():
    """A single file is read, its images found where they lie."""
    files = of({"type": "label", "label_id": 1}, dm_format_version="1.0", media_type=2)
    (row,) = read({"x.json": files["annotations/train.json"]}).annotations
    assert (row["type"], row["label"], row["subset"]) == ("tag", "dog", "x")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"categories": {}', '{"items": 5, "categories": {}}', '{"items": []}']
)
def test_what_is_no_dataset_is_an_error(text):
    """The error names the file."""
    with pytest.raises(BrokenFileError, match=r"train\.json"):
        read({"annotations/train.json": text.encode()})


def test_a_coco_file_is_not_datumaro():
    """Categories that are a list are COCO's."""
    coco = {"images": [], "annotations": [], "categories": [], "items": []}
    source = open_source({"annotations/train.json": json.dumps(coco).encode()})
    assert not [c for c in detect(source) if c.format == "datumaro" and c.confidence]
