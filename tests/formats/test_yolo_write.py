"""Writing YOLO: what is written is read back the same, here and by other readers."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nbannot import geometry
from nbannot.errors import OptionError, UnsafeSourceError
from nbannot.formats import examples
from nbannot.formats.yolo import Yolo, YoloDarknet
from nbannot.formats.yolo.encode import bridge
from nbannot.schema import BatchBuilder, Label, Skeleton

from .yolo_files import CAT, DOG, Exported, batch, box, mask, polygon, read_folder, write, written

HOLED = [0, 0, 40, 0, 40, 40, 0, 40, 10, 10, 30, 10, 30, 30, 10, 30, 60, 10, 90, 10, 90, 40]
RINGS = [4, -4, 3]


def lines(ledger, outcome):
    """Return the reasons of one outcome, with how many lines each has."""
    return {reason: n for kind, reason, n in ledger.groups() if kind == outcome}


# -- layout ---------------------------------------------------------------------------


def test_files_as_ultralytics_wants_them(tmp_path):
    """images/<subset>, labels/<subset>, and a data.yaml with train, val and names."""
    exported = Exported({"train": batch(box()), "val": batch(box(label="dog"))}, (CAT, DOG))
    _, texts = write(tmp_path, exported)
    assert texts["labels/train/a.txt"] == "0 0.2 0.2 0.2 0.2\n"
    assert texts["labels/val/a.txt"] == "1 0.2 0.2 0.2 0.2\n"
    assert (tmp_path / "images/train/a.png").exists()
    assert yaml.safe_load(texts["data.yaml"]) == {
        "train": "images/train",
        "val": "images/val",
        "names": {0: "cat", 1: "dog"},
    }


@pytest.mark.parametrize(
    "subsets", [("default",), ("train",), ("valid",), ("train", "val", "test"), ("b", "a", "dev")]
)
def test_subsets_come_back_by_their_names(subsets, tmp_path):
    """Training needs train and val; whatever the subsets are called, they are read back so."""
    exported = Exported({s: batch(box(), key=f"{s}.png") for s in subsets}, (CAT,))
    _, texts = write(tmp_path, exported)
    content = yaml.safe_load(texts["data.yaml"])
    assert {"train", "val"} <= content.keys()
    assert read_folder(tmp_path).keys == {s: [f"{s}.png"] for s in subsets}


def test_names_that_yaml_would_change(tmp_path):
    """no, 007, quotes, colons and line breaks are quoted as YAML wants it."""
    names = ["no", "007", "a: b", "it's", '"', "new\nline", "κατ", "😀", "# x", "~", ""]
    labels = [Label(n) for n in names]
    _, texts = write(tmp_path, Exported({"train": batch(box(label="~"))}, labels))
    assert list(yaml.safe_load(texts["data.yaml"])["names"].values()) == names
    result = read_folder(tmp_path)
    assert list(result.labels)[:-1] == names[:-1]
    assert result.rows[0]["label"] == "~"


def test_images_without_annotations(tmp_path):
    """One known to be empty gets an empty file, one that was not annotated gets none."""
    builder = BatchBuilder()
    for key, meta in (("empty.png", '{"label_file": "empty"}'), ("new.png", None)):
        builder.item(key=key, kind="image", width=100, height=50, meta=meta)
    _, texts = write(tmp_path, Exported({"train": builder.flush()}, (CAT,)))
    assert texts["labels/train/empty.txt"] == ""
    assert "labels/train/new.txt" not in texts
    items = read_folder(tmp_path).items
    assert [i.get("meta") for i in items] == ['{"label_file": "empty"}', None]


def test_two_images_with_one_stem(tmp_path):
    """a.jpg and a.png would share a label file: the second is renamed, and it is said."""
    builder = BatchBuilder()
    for key, label in (("a.jpg", "cat"), ("a.png", "dog")):
        number = builder.item(key=key, kind="image", width=100, height=50)
        builder.annotation(number, **box(label=label))
    ledger, texts = write(tmp_path, Exported({"train": builder.flush()}, (CAT, DOG)))
    assert lines(ledger, "warning") == {"renamed: two images with one stem": 1}
    assert texts["labels/train/a.txt"].startswith("0 ")
    assert texts["labels/train/a.png.txt"].startswith("1 ")
    result = read_folder(tmp_path)
    assert result.keys == {"train": ["a.jpg", "a.png.png"]}
    assert [r["label"] for r in result.rows] == ["cat", "dog"]


def test_nested_keys_and_folders_called_images(tmp_path):
    """Labels lie where Ultralytics looks: the last `images` of the path becomes `labels`."""
    builder = BatchBuilder()
    for key in ("deep/a.png", "x/images/a.png", "1.2.3.png", "κ λ.png"):
        number = builder.item(key=key, kind="image", width=9, height=9)
        builder.annotation(number, label="cat", **box())
    _, texts = write(tmp_path, Exported({"train": builder.flush()}, (CAT,)))
    assert "images/train/x/labels/a.txt" in texts
    result = read_folder(tmp_path)
    keys = ["1.2.3.png", "deep/a.png", "x/images/a.png", "κ λ.png"]
    assert result.keys == {"train": keys}
    assert len(result.rows) == 4


def test_a_key_without_a_suffix_takes_that_of_its_media(tmp_path):
    """An id is no file name: the image keeps the suffix of the file it came from."""
    exported = Exported({"train": batch(box(), key="17", media="x/17.png")}, (CAT,))
    write(tmp_path, exported)
    assert read_folder(tmp_path).keys == {"train": ["17.png"]}


def test_a_key_that_climbs_out_is_refused(tmp_path):
    """Nothing is written outside the target."""
    with pytest.raises(UnsafeSourceError):
        write(tmp_path / "out", Exported({"train": batch(box(), key="../../a.png")}, (CAT,)))
    assert not list(tmp_path.glob("*.png"))


def test_options_are_checked(tmp_path):
    """A task that does not exist is an error that names those that do."""
    with pytest.raises(OptionError, match="segment"):
        written(tmp_path, box(), task="seg")


@pytest.mark.parametrize("subsets", [("default",), ("valid",), ("train", "val"), ("b", "a")])
def test_subsets_come_back_from_darknet(subsets, tmp_path):
    """Lists are called as their subsets, whatever obj.data's two keys are."""
    exported = Exported({s: batch(box(), key=f"{s}.png") for s in subsets}, (CAT,))
    write(tmp_path, exported, darknet=True)
    assert read_folder(tmp_path, darknet=True).keys == {s: [f"{s}.png"] for s in subsets}


def test_the_task_is_a_comment(tmp_path):
    """Four points come back as what they were; CVAT takes keys it does not know for subsets."""
    square = polygon((10, 10, 20, 10, 20, 20, 10, 20))
    _, _, texts = written(tmp_path, square)
    assert set(yaml.safe_load(texts["data.yaml"])) == {"train", "val", "names"}
    assert [r["type"] for r in read_folder(tmp_path).rows] == ["polygon"]


# -- tasks ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotations", "columns"),
    [
        ([box()], 5),
        ([box(), box(rotation=30.0)], 9),
        ([box(), polygon()], 9),
        ([{"type": "skeleton", "points": [1.0, 2, 3, 4], "visibility": [2, 1]}], 11),
    ],
    ids=["detect", "obb", "segment", "pose"],
)
def test_auto_takes_the_task_that_holds_most(annotations, columns, tmp_path):
    """Boxes, rotated boxes, polygons and skeletons each have their kind of row."""
    _, rows, _ = written(tmp_path, *annotations)
    assert len(rows[0].split()) == columns


@pytest.mark.parametrize(
    ("task", "annotation", "reason"),
    [
        ("detect", polygon(), "polygon can't be written"),
        ("detect", box(rotation=10.0), "rotated box can't be written"),
        ("detect", {"type": "tag"}, "tag can't be written"),
        ("obb", polygon(), "polygon can't be written"),
        ("pose", polygon(), "polygon can't be written"),
        ("segment", {"type": "polyline", "points": [1.0, 2, 3, 4]}, "polyline can't be written"),
        ("segment", polygon((0, 0, 5, 5)), "polygon with fewer than three points"),
        ("segment", mask(np.zeros((50, 100))), "mask is empty"),
        ("detect", box(label=None), "annotation without a label"),
        ("detect", {"type": "box"}, "box is incomplete"),
        ("segment", polygon((0, 0, 5, math.nan, 5, 5)), "coordinate is not a number"),
    ],
)
def test_what_a_task_cannot_hold_is_named(task, annotation, reason, tmp_path):
    """It is rejected one by one; what the task holds is written."""
    keep = {"detect": box(), "obb": box(), "pose": box(), "segment": polygon()}[task]
    ledger, rows, _ = written(tmp_path, annotation, keep, task=task)
    assert lines(ledger, "rejected") == {reason: 1}
    assert len(rows) == 1
    (line,) = ledger.lines("rejected", reason)
    assert (line["record"], line["item"]) == ("annotation 1", "a.png")


def test_an_image_of_unknown_size(tmp_path):
    """Pixels can't become 0 to 1 without it: its annotations are rejected, the image written."""
    exported = Exported({"train": batch(box(), size=None)}, (CAT,))
    ledger, texts = write(tmp_path, exported)
    assert lines(ledger, "rejected") == {"size of the image is not known": 1}
    assert "labels/train/a.txt" not in texts
    assert (tmp_path / "images/train/a.png").exists()


def test_items_that_are_no_images(tmp_path):
    """A text and its annotations are rejected, each of them."""
    builder = BatchBuilder()
    builder.annotation(builder.item(key="a.txt", kind="text"), type="tag", label="cat")
    number = builder.item(key="b.png", kind="image", width=9, height=9)
    builder.annotation(number, label="cat", **box())
    ledger, _ = write(tmp_path, Exported({"train": builder.flush()}, (CAT,)), task="detect")
    assert lines(ledger, "rejected") == {"annotation of no image": 1, "item is no image": 1}
    assert len(read_folder(tmp_path).rows) == 1


def test_boxes_among_polygons(tmp_path):
    """Ultralytics can't have both in one file: boxes become four points, with a warning."""
    ledger, rows, _ = written(tmp_path, box(), polygon())
    assert rows[0] == "0 0.1 0.1 0.3 0.1 0.3 0.3 0.1 0.3"
    assert lines(ledger, "warning") == {"box written as a polygon": 1}


def test_what_has_no_place_is_counted(tmp_path):
    """Attributes, groups, tracks and scores are noted, by how many annotations had them."""
    more = {"attributes": '{"a": 1}', "track": "7", "score": 0.5, "group": 3, "occluded": True}
    ledger, _, _ = written(tmp_path, box(**more), box(attributes="{}", occluded=False))
    names = {reason.removeprefix("not written: ") for reason in lines(ledger, "note")}
    assert names == {*more, "subset for training"}


def test_scores_and_tracks_by_option(tmp_path):
    """For predictions: confidence and track follow, as Ultralytics and CVAT write them."""
    _, rows, _ = written(tmp_path, box(score=0.25, track="7"), scores=True, tracks=True)
    assert rows == ["0 0.2 0.2 0.2 0.2 0.25 7"]
    (row,) = read_folder(tmp_path).rows
    assert (row["score"], row["track"]) == (0.25, "7")


def test_classify_writes_a_tree(tmp_path):
    """<subset>/<class>/<image>; what has no class, or is no tag, is named."""
    builder = BatchBuilder()
    for key, labels in (("a.png", ["cat"]), ("b.png", ["cat", "../dog"]), ("c.png", [])):
        number = builder.item(key=key, kind="image")
        for label in labels:
            builder.annotation(number, type="tag", label=label)
    ledger, texts = write(tmp_path, Exported({"train": builder.flush()}, (CAT, Label("../dog"))))
    files = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png"))
    assert files == ["train/_dog/b.png", "train/cat/a.png", "train/cat/b.png"]
    assert texts == {}
    assert lines(ledger, "rejected") == {"image without a class": 1}
    assert lines(ledger, "warning") == {"image with several classes": 1}


# -- polygons of several parts, masks -------------------------------------------------


def area(row):
    """Return the area in pixels of a row's ring, in an image of 100 x 50."""
    xy = np.array(row.split()[1:], float).reshape(-1, 2) * [100, 50]
    return geometry.ring_area(xy)


def test_parts_and_holes_are_bridged(tmp_path):
    """Joined by lines of no width: the area is the same, and it is said."""
    ledger, rows, _ = written(tmp_path, polygon(HOLED, rings=RINGS))
    assert len(rows) == 1
    assert area(rows[0]) == pytest.approx(1600 - 400 + 450)
    (line,) = ledger.lines("warning", "parts of a polygon joined")
    assert "2 parts and 1 hole " in line["message"]


def test_parts_can_be_rows_of_their_own(tmp_path):
    """multipart="split": a row for each part; holes are filled, and it is said."""
    ledger, rows, _ = written(tmp_path, polygon(HOLED, rings=RINGS), multipart="split")
    assert [area(row) for row in rows] == pytest.approx([1600, 450])
    assert lines(ledger, "warning") == {"polygon written in parts": 1}


def test_masks_become_polygons(tmp_path):
    """Along the edges of their pixels, holes and all: the area is that of the mask."""
    pixels = np.zeros((50, 100))
    pixels[10:30, 20:60] = 1
    pixels[15:20, 30:40] = 0
    pixels[40, 90] = 1
    ledger, rows, _ = written(tmp_path, mask(pixels))
    assert area(rows[0]) == pytest.approx(pixels.sum())
    assert lines(ledger, "warning")["mask written as a polygon"] == 1


@given(st.integers(0, 2**24 - 1))
def test_bridges_keep_the_area_of_any_mask(bits):
    """Whatever the parts and holes, the ring round all of them has their area."""
    pixels = np.array([bits >> i & 1 for i in range(24)]).reshape(4, 6)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="__array__ implementation")
        points, rings = geometry.mask_to_rings(pixels)
    if rings:
        ring = bridge(geometry.split_rings(points, rings))
        assert geometry.ring_area(ring) == pytest.approx(pixels.sum())


# -- keypoints ------------------------------------------------------------------------


def test_skeletons_come_back(tmp_path):
    """Joints, their names, visibility and the box; a smaller skeleton is padded and unpadded."""
    person = Label("person", skeleton=Skeleton(("l", "r", "n")), extra={"flip_idx": [1, 0, 2]})
    cup = Label("cup", skeleton=Skeleton(("rim", "foot")))
    points = [10.0, 5.0, 30.0, 25.0, 0.0, 0.0]
    first = {"type": "skeleton", "label": "person", "points": points, "visibility": [2, 1, 0]}
    second = {"type": "skeleton", "label": "cup", "points": [50.0, 5, 60, 15], "x": 45.0, "y": 5.0,
              "w": 20.0, "h": 15.0}  # fmt: skip
    _, rows, texts = written(tmp_path, first, second, box(label="cup"), labels=(person, cup))
    assert {len(row.split()) for row in rows} == {5 + 9}
    assert yaml.safe_load(texts["data.yaml"])["kpt_shape"] == [3, 3]
    result = read_folder(tmp_path)
    a, b, c = result.rows
    assert (a["points"], a["visibility"]) == (points, [2, 1, 0])
    assert [a[k] for k in "xywh"] == [10, 5, 20, 20]
    assert (b["points"], b["visibility"]) == ([50, 5, 60, 15], [2, 2])
    assert c["visibility"] == [0, 0]
    assert result.labels["person"].skeleton.points == ("l", "r", "n")


def test_mirror_indices_come_back(tmp_path):
    """flip_idx is kept where all skeletons agree on it."""
    person = Label("cat", skeleton=Skeleton(("l", "r")), extra={"flip_idx": [1, 0]})
    written(tmp_path, {"type": "skeleton", "points": [1.0, 2, 3, 4]}, labels=(person,))
    assert read_folder(tmp_path).labels["cat"].extra == {"flip_idx": [1, 0]}


# -- Darknet --------------------------------------------------------------------------


def test_darknet_files(tmp_path):
    """obj.data, obj.names, a list per subset, and images with their labels beside them."""
    exported = Exported({"train": batch(box()), "val": batch(box(label="dog"))}, (CAT, DOG))
    _, texts = write(tmp_path, exported, darknet=True)
    assert texts["obj.names"] == "cat\ndog\n"
    assert texts["train.txt"] == "data/obj_train_data/a.png\n"
    assert texts["obj_val_data/a.txt"] == "1 0.2 0.2 0.2 0.2\n"
    pairs = dict(line.split(" = ") for line in texts["obj.data"].splitlines())
    assert pairs == {
        "classes": "2",
        "train": "data/train.txt",
        "valid": "data/val.txt",
        "names": "data/obj.names",
        "backup": "backup/",
    }
    result = read_folder(tmp_path, darknet=True)
    assert result.keys == {"train": ["a.png"], "val": ["a.png"]}
    assert [r["label"] for r in result.rows] == ["cat", "dog"]


def test_darknet_has_a_file_for_each_image():
    """It stops at an image without one."""
    files = examples.written(YoloDarknet(), examples.example(("box",)))
    assert files["obj_val_data/empty.txt"] == b""
    labels = {p for p in files if p.startswith("obj_") and p.endswith(".txt")}
    images = {f"{p[:-4]}.txt" for p in files if p.endswith(".jpg")}
    assert labels == images


def test_darknet_names_are_one_line_each(tmp_path):
    """A line break in a name would shift all that follow: it is written as a space, and said."""
    labels = (Label("new\nline"), CAT)
    exported = Exported({"default": batch(box())}, labels)
    ledger, texts = write(tmp_path, exported, darknet=True)
    assert texts["obj.names"] == "new line\ncat\n"
    assert lines(ledger, "note")["name of a label changed"] == 1
    result = read_folder(tmp_path, darknet=True)
    assert [r["label"] for r in result.rows] == ["cat"]
    assert result.keys == {"default": ["a.png"]}


def test_darknet_holds_boxes_only(tmp_path):
    """Anything else is rejected, one by one."""
    exported = Exported({"train": batch(box(), polygon(), {"type": "tag"})}, (CAT,))
    ledger, texts = write(tmp_path, exported, darknet=True)
    assert lines(ledger, "rejected") == {"polygon can't be written": 1, "tag can't be written": 1}
    assert texts["obj_train_data/a.txt"].count("\n") == 1


def test_options_are_json():
    """Options of reader and writer are plain values, so that a widget can show them."""
    for option in (*Yolo.read_options, *Yolo.write_options):
        assert json.loads(json.dumps(option.default)) == option.default
