"""COCO as nbannot writes it, read by nbannot and by others."""

from __future__ import annotations

import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from nbannot.errors import UnsafeSourceError
from nbannot.formats import get_format
from nbannot.formats.examples import Example, MemorySink, example, read_back
from nbannot.geometry import mask_to_rle, rings_to_mask, rle_to_mask
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label, Skeleton
from nbannot.sources import open_source

from .coco_files import SQUARE, annotation, document, read

RING = SQUARE[0]


def write(what, *, media=False):
    """Return the files that are written, JSON decoded, and the ledger."""
    sink = MemorySink(what.media if media else None)
    ledger = Ledger()
    get_format("coco").write(what, sink, {}, ledger, Progress())
    return {p: _strict(d) if p.endswith(".json") else d for p, d in sink.files.items()}, ledger


def _strict(data):
    def refuse(token):
        pytest.fail(f"{token} is no JSON")

    return json.loads(data, parse_constant=refuse)


def one_image(*annotations, labels=(), **item):
    """Return a dataset of one image."""
    row = {"key": "a.jpg", "width": 64, "height": 48, **item}
    return Example(
        {"train": [row]}, {"train": [{"item": row["key"], **a} for a in annotations]}, labels
    )


def box(**changes):
    """Return a box."""
    return {"type": "box", "label": "cat", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0, **changes}


def again(found):
    """Return what was read as a dataset to be written."""
    what = Example({}, {}, tuple(found.labels.values()))
    for row in found.items:
        rows = what.items.setdefault(row.get("subset", "default"), [])
        rows.append({k: v for k, v in row.items() if k not in ("item", "subset")})
    for row in found.annotations:
        rows = what.annotations.setdefault(row.get("subset") or "default", [])
        plain = {k: v for k, v in row.items() if k not in ("key", "subset")}
        rows.append({**plain, "item": row["key"]})
    return what


# -- layout -----------------------------------------------------------------------------------


def test_official_names_and_folders():
    """One file per task that there is something for, and images by subset."""
    files, _ = write(example(("box", "skeleton", "tag", "text")), media=True)
    assert set(files) == {
        "annotations/instances_train.json", "annotations/instances_val.json",
        "annotations/person_keypoints_train.json", "annotations/labels_train.json",
        "annotations/labels_val.json", "annotations/captions_train.json",
        "images/train/a/1.jpg", "images/train/b/1.jpg", "images/train/plain.jpg",
        "images/train/ordner/größe ✓ 1.2.jpg", "images/val/a/1.jpg", "images/val/empty.jpg",
    }  # fmt: skip


def test_without_annotations_the_images_are_listed():
    """A subset of images only is a file with images."""
    files, _ = write(one_image())
    assert [i["file_name"] for i in files["annotations/instances_train.json"]["images"]] == [
        "a.jpg"
    ]


def test_a_subset_is_no_path():
    """A name with slashes makes no folders, and a note says what became of it."""
    what = Example({"../up/x": [{"key": "a.jpg"}], "": [{"key": "b.jpg"}]})
    files, ledger = write(what)
    assert set(files) == {
        "annotations/instances__up_x.json", "annotations/instances_default.json",
    }  # fmt: skip
    assert [g[:2] for g in ledger.groups()] == [("note", "a subset is named otherwise")]


def test_a_name_that_leaves_the_target_is_refused():
    """No key of a project makes a file elsewhere."""
    with pytest.raises(UnsafeSourceError):
        write(one_image(key="../a.jpg"))


# -- ids --------------------------------------------------------------------------------------


def test_ids_of_the_source_are_kept_or_made_new():
    """Whole numbers are kept; others get new ids; annotation id 0 is never written."""
    rows = [box(source_id=i) for i in ("7", "0", "x", None, "7")]
    files, ledger = write(one_image(*rows, source_id="0", labels=(Label("cat", source_id="0"),)))
    whole = files["annotations/instances_train.json"]
    assert whole["images"][0]["id"] == 0
    assert [a["id"] for a in whole["annotations"]] == [7, 8, 9, 10, 11]
    assert whole["categories"] == [{"id": 0, "name": "cat", "supercategory": ""}]
    assert ("note", "new ids", 1) in ledger.groups()


def test_categories_are_numbered_where_the_source_has_no_numbers():
    """1 to N in the order of the labels, unless all have whole numbers of their own."""
    labels = (Label("b", source_id="x"), Label("a", source_id="3"))
    files, _ = write(one_image(box(label="a"), labels=labels))
    whole = files["annotations/instances_train.json"]
    assert [(c["id"], c["name"]) for c in whole["categories"]] == [(1, "b"), (2, "a")]
    assert whole["annotations"][0]["category_id"] == 2


# -- what can't be held -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ellipse", "polyline", "points", "cuboid", "choice", "relation"])
def test_types_that_coco_lacks_are_rejected_by_name(kind):
    """Each is a line of the ledger; the others are written."""
    odd = {"type": kind, "label": "cat", "points": [1.0, 2.0, 3.0, 4.0]}
    files, ledger = write(one_image(odd, box()))
    assert len(files["annotations/instances_train.json"]["annotations"]) == 1
    (line,) = ledger.lines("rejected", f"{kind} can't be held")
    assert (line["record"], line["item"]) == ("annotation 1", "a.jpg")


def test_numbers_that_json_lacks_are_rejected():
    """NaN and infinity are never written."""
    rows = [box(x=float("nan")), box(w=float("inf")), box(score=float("nan")), box()]
    shape = {"type": "polygon", "label": "cat", "points": [1.0, 2.0, float("inf"), 4.0, 5.0, 6.0]}
    files, ledger = write(one_image(*rows, shape))
    assert len(files["annotations/instances_train.json"]["annotations"]) == 1
    records = ledger.to_pandas()["record"].tolist()
    assert records == ["annotation 1", "annotation 2", "annotation 3", "annotation 5"]


def test_a_hole_makes_a_mask():
    """A polygon with a hole is written as run lengths that have it, and a warning says so."""
    points = [*RING, 4.0, 5.0, 8.0, 5.0, 8.0, 9.0, 4.0, 9.0]
    row = {"type": "polygon", "label": "cat", "points": points, "rings": [4, -4]}
    files, ledger = write(one_image(row))
    (made,) = files["annotations/instances_train.json"]["annotations"]
    mask = rle_to_mask(made["segmentation"]["counts"].encode(), 48, 64)
    assert (mask == rings_to_mask(points, [4, -4], 48, 64)).all()
    assert mask[6, 6] == 0
    assert ledger.groups() == [("warning", "polygon written as a mask", 1)]


def test_columns_without_a_place_are_counted():
    """What COCO has no key for is a note with the count."""
    _, ledger = write(one_image(box(z_order=3), box(z_order=0, set="anna"), box(layer="yolo")))
    told = {line["message"] for line in ledger.lines("note", "no place in COCO")}
    assert told == {
        "drawing order of 1 annotations", "annotator's set of 1 annotations",
        "layer of 1 annotations",
    }  # fmt: skip


# -- round trips ------------------------------------------------------------------------------


def test_everything_that_was_read_comes_back():
    """Extra keys, attributes, crowds, scores, keypoints with outlines: read, written, read."""
    person = {"id": 4, "name": "person", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}
    mask = {"size": [48, 64], "counts": [194, 2, 46, 2, 46, 2, 2780]}
    rich = {"occluded": False, "rotation": 12.5, "track_id": 7, "colour": "red"}
    rows = [
        annotation(9, segmentation=[*SQUARE, [20, 20, 30, 20, 30, 30.5]], area=99.25),
        annotation(8, segmentation=mask, iscrowd=1, area=6),
        annotation(7, attributes=rich, score=0.125, custom={"deep": [1, None, "x"]}),
        annotation(6, category_id=4, segmentation=SQUARE, keypoints=[1, 2, 2, 3.5, 4, 1],
                   num_keypoints=2),
        annotation(5, category_id=4, keypoints=[0, 0, 0, 0, 0, 0], num_keypoints=0),
        annotation(4, category_id=4, segmentation=mask, keypoints=[1, 2, 2, 3, 4, 0],
                   num_keypoints=5),
        {"id": 3, "image_id": 2, "category_id": 2},
        {"id": 2, "image_id": 2, "caption": "a dog", "category_id": 2},
        annotation(1, category_id=None),
        annotation(10, bbox=[1, 2, 3, 4], caption="a region"),
    ]  # fmt: skip
    extra = {"license": 3, "date_captured": "2013", "coco_url": "http://example.org/a.png"}
    whole = document(*rows)
    whole["images"][0].update(extra)
    whole["categories"].append(person)
    first = read({"annotations/instances_train.json": whole})
    files, ledger = write(again(read({"annotations/instances_train.json": whole})))
    second = read(files)
    assert [row for row in ledger.groups() if row[0] != "note"] == []
    assert _plain(second.items) == _plain(first.items)
    assert sorted(map(str, _plain(second.annotations))) == sorted(
        map(str, _plain(first.annotations))
    )
    assert list(second.labels.values()) == list(first.labels.values())


def _plain(rows):
    return [
        {k: json.loads(v) if k in ("extra", "attributes", "meta") else v
         for k, v in sorted(row.items()) if k != "item"}
        for row in rows
    ]  # fmt: skip


@pytest.mark.parametrize(
    "case", ["datumaro-coco", "cvatdatumaro-coco_person_keypoints", "darwin-import"]
)
def test_samples_come_back(case, samples):
    """What is read of a real dataset and written is read as the same once more."""
    with open_source(samples / "coco" / case) as source:
        first = read_back(get_format("coco"), source)
    with open_source(samples / "coco" / case) as source:
        files, _ = write(again(read_back(get_format("coco"), source)))
    second = read(files)
    keep = ("type", "label", "points", "visibility", "mask", "x", "y", "w", "h", "text", "group")
    rows = [
        sorted(str({k: row[k] for k in keep if k in row}) for row in found.annotations)
        for found in (first, second)
    ]
    assert rows[0] == rows[1]
    assert [r["source_id"] for r in first.items] == [r["source_id"] for r in second.items]


def test_an_outline_and_its_skeleton_are_one_annotation():
    """The keypoints file repeats the outline, with the id that it has in the instances."""
    label = Label("person", skeleton=Skeleton(("nose",)))
    outline = {"type": "polygon", "label": "person", "points": RING, "group": 4}
    pose = {"type": "skeleton", "label": "person", "points": [5.0, 6.0], "visibility": [1],
            "group": 4}  # fmt: skip
    files, _ = write(one_image(box(source_id="1"), outline, pose, labels=(label,)))
    (keypoints,) = files["annotations/person_keypoints_train.json"]["annotations"]
    instance = files["annotations/instances_train.json"]["annotations"][1]
    assert keypoints["id"] == instance["id"]
    assert keypoints["segmentation"] == instance["segmentation"] == [RING]
    assert keypoints["keypoints"] == [5, 6, 1]
    assert keypoints["num_keypoints"] == 1


# -- other readers ----------------------------------------------------------------------------


@pytest.fixture
def dataset(tmp_path):
    """A dataset with masks, polygons of several parts and boxes, in a folder."""
    shape = np.zeros((48, 64), np.uint8)
    shape[10:30, 12:40] = 1
    shape[15:20, 20:25] = 0
    what = one_image(
        box(),
        {"type": "polygon", "label": "dog", "points": [*RING, 20.0, 20.0, 30.0, 20.0, 30.0, 30.0],
         "rings": [4, 3]},
        {"type": "mask", "label": "cat", "mask": mask_to_rle(shape), "mask_height": 48,
         "mask_width": 64},
        labels=(Label("cat", source_id="3"), Label("dog", source_id="1")),
    )  # fmt: skip
    sink = MemorySink(what.media)
    get_format("coco").write(what, sink, {}, Ledger(), Progress())
    for path, data in sink.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    return tmp_path, shape


def test_pycocotools_reads_the_same_masks_and_areas(dataset):
    """Masks are equal, and areas are those of the masks or rings."""
    folder, shape = dataset
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(folder / "annotations/instances_train.json"))
    by_name = {c["name"]: c["id"] for c in coco.dataset["categories"]}
    assert by_name == {"cat": 3, "dog": 1}
    rows = coco.loadAnns(coco.getAnnIds())
    assert [r["area"] for r in rows] == [12, 10 * 12 + 50, shape.sum()]
    assert (coco.annToMask(rows[2]) == shape).all()
    polygon = rings_to_mask(
        [*RING, 20.0, 20.0, 30.0, 20.0, 30.0, 30.0], [4, 3], 48, 64
    )  # fmt: skip
    assert (coco.annToMask(rows[1]) == polygon).all()
    assert rows[2]["bbox"] == coco_mask.toBbox(coco.annToRLE(rows[2])).tolist()
    assert rows[1]["bbox"] == [1, 2, 29, 28]


def test_pycocotools_evaluates_against_it(dataset):
    """What is written finds itself: average precision 1."""
    from pycocotools.cocoeval import COCOeval

    folder, _ = dataset
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(folder / "annotations/instances_train.json"))
        results = [
            {"image_id": a["image_id"], "category_id": a["category_id"], "bbox": a["bbox"],
             "score": 0.9}
            for a in coco.dataset["annotations"]
        ]  # fmt: skip
        judge = COCOeval(coco, coco.loadRes(results), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert judge.stats[0] == pytest.approx(1)


def test_supervision_reads_the_same_boxes(dataset):
    """An independent reader gives the same boxes, classes and count of masks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)
        import supervision

    folder, shape = dataset
    found = supervision.DetectionDataset.from_coco(
        images_directory_path=str(folder / "images/train"),
        annotations_path=str(folder / "annotations/instances_train.json"),
        force_masks=True,
    )
    ((_, _, detections),) = list(found)
    assert sorted(found.classes) == ["cat", "dog"]
    assert detections.xyxy.tolist() == [[1, 2, 4, 6], [1, 2, 30, 30], [12, 10, 40, 30]]
    assert (detections.mask[2] == shape.astype(bool)).all()


FINITE = st.floats(allow_nan=False, allow_infinity=False)
SHAPES = st.lists(st.lists(FINITE, min_size=6, max_size=9), min_size=1, max_size=3)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(FINITE, FINITE, FINITE, FINITE), min_size=1, max_size=4), SHAPES)
def test_any_number_comes_back_to_the_last_bit(boxes, shapes):
    """Written and read, each coordinate is the very same float."""
    rows = [box(x=x, y=y, w=w, h=h) for x, y, w, h in boxes]
    rings = [ring[: len(ring) // 2 * 2] for ring in shapes]
    points = [v for ring in rings for v in ring]
    rows.append(box(type="polygon", points=points, rings=[len(ring) // 2 for ring in rings]))
    files, _ = write(one_image(*rows, labels=(Label("cat"),)))
    found = read(files)
    numbers = [[row[n] for n in "xywh"] for row in found.annotations]
    assert numbers == [[row[n] for n in "xywh"] for row in rows]
    assert found.annotations[-1]["points"] == points
    assert found.annotations[-1].get("rings", [len(points) // 2]) == rows[-1]["rings"]
