"""COCO: the conformance suite, layouts, what becomes of each kind of annotation, real samples."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import numpy as np
import pytest

from nbannot.errors import Cancelled
from nbannot.formats import get_format
from nbannot.formats.base import Miss
from nbannot.formats.cases import FormatCases
from nbannot.formats.coco import bytes as coco_bytes
from nbannot.formats.coco import chunks as coco_chunks
from nbannot.formats.examples import read_back
from nbannot.formats.look import Look
from nbannot.geometry import rle_to_mask
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source

from .coco_files import SQUARE, annotation, document, lines, read, read_document, typed

PNG = b"\x89PNG, or so its name says"


class TestConformance(FormatCases):
    """What every format must do."""

    format_name = "coco"
    keeps_ids = True


# -- what becomes of an annotation ------------------------------------------------------------


def test_a_box_keeps_its_digits():
    """The numbers of a bbox are those of the file, to the last digit."""
    row = read_document(document(annotation(bbox=[2.123456789012345, 3.1, 4.7, 1e-7])))
    assert [row.annotations[0][n] for n in "xywh"] == [2.123456789012345, 3.1, 4.7, 1e-7]


def test_parts_of_a_polygon_are_rings_of_one_row():
    """Two polygons of one annotation are one row of two rings, not two objects."""
    two = [*SQUARE, [20, 20, 30, 20, 30, 30.5]]
    found = read_document(
        document(annotation(segmentation=two), annotation(2, segmentation=SQUARE))
    )
    first, second = found.annotations
    assert (first["type"], first["rings"]) == ("polygon", [4, 3])
    assert first["points"] == [*SQUARE[0], 20, 20, 30, 20, 30, 30.5]
    assert second["points"] == SQUARE[0]
    assert "rings" not in second


def test_run_lengths_of_both_kinds_are_the_same_mask():
    """Uncompressed counts become the compressed text; that which is compressed stays as it is."""
    counts = [194, 2, 46, 2, 46, 2, 2780]
    plain = annotation(segmentation={"size": [48, 64], "counts": counts}, iscrowd=1)
    mask = read_document(document(plain)).annotations[0]["mask"]
    again = {"counts": mask.decode(), "size": [48, 64]}
    row = read_document(document(annotation(segmentation=again))).annotations[0]
    assert (row["type"], row["mask"], row["mask_height"], row["mask_width"]) == (
        "mask", mask, 48, 64,
    )  # fmt: skip
    decoded = rle_to_mask(mask, 48, 64)
    assert decoded[2:4, 4:7].all()
    assert decoded.sum() == 6


def test_crowd_area_and_unknown_keys_are_kept():
    """What no column holds is in extra, as it was written."""
    given = annotation(iscrowd=1, area=12.50, isbbox=True, nested={"a": [1, {"b": 2}]})
    row = read_document(document(given, annotation(2))).annotations[0]
    assert json.loads(row["extra"]) == {
        "area": 12.5, "iscrowd": 1, "isbbox": True, "nested": {"a": [1, {"b": 2}]},
    }  # fmt: skip


def test_attributes_of_cvat_have_columns():
    """Occluded, rotation, track_id and keyframe leave the attributes; the rest stays."""
    given = {"occluded": True, "rotation": 12.5, "track_id": 7, "keyframe": False, "colour": "red"}
    row = read_document(document(annotation(attributes=given))).annotations[0]
    assert (row["occluded"], row["rotation"], row["track"], row["keyframe"]) == (
        True, 12.5, "7", False,
    )  # fmt: skip
    assert json.loads(row["attributes"]) == {"colour": "red"}


def test_keypoints_are_a_skeleton():
    """Keypoints become points with visibility; the label has names and edges, counted from 0."""
    joints = {"keypoints": ["nose", "tail", "ear"], "skeleton": [[1, 2], [1, 3]]}
    category = {"id": 1, "name": "cat", **joints}
    given = annotation(keypoints=[5, 6, 2, 7.5, 8, 1, 0, 0, 0], num_keypoints=2)
    found = read_document(document(given, categories=[category]))
    row = found.annotations[0]
    assert row["type"] == "skeleton"
    assert row["points"] == [5, 6, 7.5, 8, 0, 0]
    assert row["visibility"] == [2, 1, 0]
    assert json.loads(row["extra"]) == {"area": 120}
    skeleton = found.labels["cat"].skeleton
    assert (skeleton.points, skeleton.edges) == (("nose", "tail", "ear"), ((0, 1), (0, 2)))


def test_a_skeleton_counted_from_zero_is_recognised():
    """An edge with a 0 says that joints are counted from 0."""
    category = {"id": 1, "name": "cat", "keypoints": ["a", "b"], "skeleton": [[0, 1]]}
    found = read_document(document(categories=[category]))
    assert found.labels["cat"].skeleton.edges == ((0, 1),)


def test_keypoints_beside_a_polygon_are_two_rows_of_a_group():
    """An object with an outline and keypoints is a polygon and a skeleton, tied together."""
    given = annotation(9, segmentation=SQUARE, keypoints=[5, 6, 2])
    found = read_document(document(annotation(8), given))
    assert typed(found) == ["box", "polygon", "skeleton"]
    assert [row.get("group") for row in found.annotations] == [None, 9, 9]
    assert found.annotations[1]["points"] == SQUARE[0]


def test_no_bbox_is_a_tag_and_a_caption_is_a_text():
    """An annotation of nothing but a category is a tag; captions need no category."""
    tag = {"id": 1, "image_id": 1, "category_id": 2}
    caption = {"id": 2, "image_id": 1, "caption": 'a "cat"\nand größe ✓'}
    found = read_document(document(tag, caption))
    assert typed(found) == ["tag", "text"]
    assert found.annotations[0]["label"] == "dog"
    assert found.annotations[1]["text"] == 'a "cat"\nand größe ✓'


def test_a_segmentation_without_bbox_gets_its_box():
    """The box of an outline is that of its points, or of its mask."""
    mask = {"size": [48, 64], "counts": [194, 2, 46, 2, 46, 2, 2780]}
    found = read_document(
        document(
            annotation(1, bbox=..., segmentation=SQUARE), annotation(2, bbox=..., segmentation=mask)
        )
    )
    assert [[row[n] for n in "xywh"] for row in found.annotations] == [
        [1, 2, 10, 12], [4, 2, 3, 2],
    ]  # fmt: skip


def test_scores_are_kept():
    """A score is the confidence of its row."""
    found = read_document(document(annotation(score=0.25), annotation(2)))
    assert [row.get("score") for row in found.annotations] == [0.25, None]


# -- images and categories --------------------------------------------------------------------


def test_other_keys_of_an_image_are_its_meta():
    """Licence, date and the like are kept, with the text as it was written."""
    image = {
        "id": 7,
        "file_name": "x/a.png",
        "width": 4,
        "height": 3,
        "license": 3,
        "extra": {"n": 1},
    }
    row = read_document(document(images=[image])).items[0]
    assert (row["key"], row["source_id"], row["width"], row["height"]) == ("x/a.png", "7", 4, 3)
    assert json.loads(row["meta"]) == {"license": 3, "extra": {"n": 1}}


@pytest.mark.parametrize(
    ("name", "place", "key"),
    [
        ("a.png", "images/train/a.png", "a.png"),
        ("a.png", "train/a.png", "a.png"),
        ("a.png", "data/a.png", "a.png"),
        ("a.png", "deep/down/a.png", "a.png"),
        ("train/a.png", "images/train/a.png", "train/a.png"),
        ("images\\a.png", "images/a.png", "images/a.png"),
        ("./a.png", "images/a.png", "a.png"),
        ("a%20b.png", "images/a b.png", "a%20b.png"),
        ("/home/me/x/train/a.png", "train/a.png", "home/me/x/train/a.png"),
        ("C:\\data\\a.png", "data/a.png", "data/a.png"),
        ("../images/a.png", "images/a.png", "images/a.png"),
        ("http://example.org/d/a.png?x=1", "d/a.png", "d/a.png"),
        ("größe.png", "images/größe.png", "größe.png"),
    ],
)
def test_an_image_is_found_where_it_lies(name, place, key):
    """Official, flat and other layouts; paths of other machines; backslashes; escapes."""
    content = document(images=[{"id": 1, "file_name": name}])
    found = read({"annotations/instances_train.json": content, place: PNG})
    assert (found.items[0]["key"], found.items[0]["media"]) == (key, place)


def test_the_subset_of_an_image_decides_which_of_two_it_is():
    """Equal names in two subsets are found in the folder of their own subset."""
    files = {f"annotations/instances_{s}.json": document() for s in ("train", "val")}
    images = {f"images/{s}/{n}.png": PNG for s in ("train", "val") for n in "ab"}
    found = read({**files, **images})
    assert [(row["subset"], row["media"]) for row in found.items] == [
        (s, f"images/{s}/{n}.png") for s in ("train", "val") for n in "ab"
    ]


def test_an_address_is_where_the_image_is():
    """A file name that is an address, or coco_url, is the uri of an image without a file."""
    images = [
        {"id": 1, "file_name": "http://example.org/d/a.png"},
        {"id": 2, "file_name": "b.png", "coco_url": "http://example.org/b.png"},
        {"id": 3, "coco_url": "http://images.example.org/val2017/0003.jpg"},
    ]
    found = read_document(document(images=images))
    assert [(row["key"], row["uri"]) for row in found.items] == [
        ("d/a.png", "http://example.org/d/a.png"),
        ("b.png", "http://example.org/b.png"),
        ("val2017/0003.jpg", "http://images.example.org/val2017/0003.jpg"),
    ]


def test_ids_of_any_size_and_kind_are_keys():
    """0, 2**63, 10**30 and text are ids, and stay what they are."""
    ids = [0, 2**53 + 1, 2**63, 10**30, "x-1"]
    images = [{"id": i, "file_name": f"{n}.png"} for n, i in enumerate(ids)]
    categories = [{"id": i, "name": f"label {i}"} for i in ids]
    given = [annotation(i, image_id=i, category_id=i) for i in ids]
    found = read_document(document(*given, images=images, categories=categories))
    assert [row["source_id"] for row in found.items] == [str(i) for i in ids]
    assert [row["source_id"] for row in found.annotations] == [str(i) for i in ids]
    assert [row["label"] for row in found.annotations] == [f"label {i}" for i in ids]
    assert [row["key"] for row in found.annotations] == [f"{n}.png" for n in range(5)]


def test_an_id_as_text_is_the_same_id():
    """image_id "1" is the image with id 1."""
    found = read_document(document(annotation(image_id="1", category_id="2")))
    assert (found.annotations[0]["key"], found.annotations[0]["label"]) == ("a.png", "dog")


def test_categories_keep_ids_order_colour_and_parent():
    """Ids with gaps, the order of the file, a colour, the supercategory."""
    categories = [
        {"id": 90, "name": "zebra", "supercategory": "animal", "color": [255, 0, 16]},
        {"id": 3, "name": "car", "color": "#00FF00", "frequency": "c"},
    ]
    labels = list(read_document(document(categories=categories)).labels.values())
    assert [(label.name, label.source_id, label.color) for label in labels] == [
        ("zebra", "90", "#ff0010"), ("car", "3", "#00ff00"),
    ]  # fmt: skip
    assert labels[0].extra == {"supercategory": "animal"}
    assert labels[1].extra == {"frequency": "c"}


def test_two_categories_of_one_name_stay_two():
    """The second is renamed, and a note names both ids."""
    categories = [{"id": 1, "name": "cat"}, {"id": 8, "name": "cat"}]
    given = [annotation(1), annotation(2, category_id=8)]
    found = read_document(document(*given, categories=categories))
    assert [row["label"] for row in found.annotations] == ["cat", "cat (2)"]
    note = found.ledger.lines("note", "two categories have one name")[0]["message"]
    assert "1 and 8" in note


def test_no_categories_at_all_are_named_by_their_ids():
    """A file that declares no categories has labels named by ids, and a note says so."""
    found = read_document(document(annotation(category_id=5), categories=[]))
    assert found.annotations[0]["label"] == "category 5"
    assert ("", "no categories are declared") in lines(found, "note")


def test_the_placeholder_of_roboflow_is_a_label_only_if_used():
    """Category 0 that only groups the others is left out with a note, unless it is used."""
    categories = [
        {"id": 0, "name": "pets", "supercategory": "none"},
        {"id": 1, "name": "cat", "supercategory": "pets"},
    ]
    unused = read_document(document(annotation(), categories=categories))
    used = read_document(document(annotation(category_id=0), categories=categories))
    assert list(unused.labels) == ["cat"]
    assert list(used.labels) == ["pets", "cat"]
    assert used.annotations[0]["label"] == "pets"


# -- files and subsets ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "subset"),
    [
        ("annotations/instances_val2017.json", "val2017"),
        ("annotations/person_keypoints_my_set.json", "my_set"),
        ("annotations/instances.json", None),
        ("valid/_annotations.coco.json", "valid"),
        ("_annotations.coco.json", None),
        ("test/labels.json", "test"),
        ("labels.json", None),
        ("train.json", "train"),
        ("coco_val.json", "val"),
        ("annotations/lvis_v1_train.json", "train"),
        ("result.json", None),
        ("pets/annotations/instances_default.json", "default"),
    ],
)
def test_the_subset_is_said_by_a_name(path, subset):
    """By the file's name, else by its folder's, else not at all."""
    found = read({path: document()})
    assert [row.get("subset") for row in found.items] == [subset] * 2


def test_files_that_say_no_subset_are_subsets_by_their_names():
    """Two files side by side without a task are two datasets, not one."""
    found = read({"first.json": document(annotation()), "second.json": document(annotation())})
    assert [row["subset"] for row in found.items] == ["first", "first", "second", "second"]
    assert len(found.annotations) == 2


def test_datasets_of_two_folders_are_kept_apart():
    """Two datasets with a train subset each are two subsets."""
    paths = [f"{name}/annotations/instances_train.json" for name in ("cats", "dogs")]
    found = read({path: document(annotation()) for path in paths})
    assert [row["subset"] for row in found.items] == ["cats_train"] * 2 + ["dogs_train"] * 2


def test_tasks_of_a_subset_are_merged_by_image():
    """Instances, keypoints, captions and tags of one subset are on the same items."""
    outline = annotation(5, segmentation=SQUARE, bbox=[1, 2, 10, 12])
    pose = {**outline, "keypoints": [5, 6, 2], "num_keypoints": 1}
    plain = annotation(4)
    only_pose = annotation(6, keypoints=[7, 8, 1], num_keypoints=1)
    person = {"id": 1, "name": "cat", "keypoints": ["nose"], "skeleton": []}
    other_ids = [{"id": 77, "file_name": "b.png", "width": 64, "height": 48}]
    files = {
        "annotations/instances_train.json": document(outline, annotation(4)),
        "annotations/person_keypoints_train.json": document(
            pose, only_pose, plain, categories=[person]
        ),
        "annotations/captions_train.json": {
            "images": other_ids,
            "annotations": [{"id": 1, "image_id": 77, "caption": "a dog"}],
        },
        "annotations/labels_train.json": document({"id": 1, "image_id": 2, "category_id": 2}),
        "annotations/image_info_train.json": document(
            images=[{"id": 9, "file_name": "c.png", "width": 5, "height": 5}]
        ),
    }
    found = read(files)
    assert [row["key"] for row in found.items] == ["a.png", "b.png", "c.png"]
    assert Counter(typed(found)) == {"polygon": 1, "box": 1, "skeleton": 2, "text": 1, "tag": 1}
    both = [row for row in found.annotations if row["source_id"] == "5"]
    assert [(row["type"], row["group"]) for row in both] == [("polygon", 5), ("skeleton", 5)]
    text = next(row for row in found.annotations if row["type"] == "text")
    assert text["key"] == "b.png"
    assert found.labels["cat"].skeleton.points == ("nose",)
    assert found.balance.rejected == 0
    assert found.balance.warned == 0
    some = read(files, limit=1)
    assert some.items == found.items[:1]
    assert some.annotations == [row for row in found.annotations if row["key"] == "a.png"]


def test_a_second_file_of_the_same_objects_adds_nothing():
    """Objects that two files repeat word by word are read once."""
    content = document(annotation(1, segmentation=SQUARE), annotation(2))
    files = {f"annotations/{t}_train.json": content for t in ("instances", "stuff")}
    found = read(files)
    assert len(found.annotations) == 2
    assert found.balance.read == found.balance.imported


def test_panoptic_segments_are_masks():
    """Each segment is a mask by the colour of its pixels; one that is not there is named."""
    import io

    from PIL import Image

    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[2:4, 4:7] = (7, 1, 0)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    segments = [
        {"id": 263, "category_id": 1, "area": 6, "bbox": [4, 2, 3, 2], "iscrowd": 0},
        {"id": 9, "category_id": 1, "area": 6, "bbox": [4, 2, 3, 2], "iscrowd": 0},
    ]
    content = document({"image_id": 1, "file_name": "a.png", "segments_info": segments})
    found = read(
        {
            "annotations/panoptic_train.json": content,
            "annotations/panoptic_train/a.png": out.getvalue(),
        }
    )
    (row,) = found.annotations
    assert (row["type"], row["source_id"], row["label"]) == ("mask", "263", "cat")
    assert rle_to_mask(row["mask"], 48, 64)[2:4, 4:7].all()
    assert lines(found, "rejected") == [
        ("panoptic annotation 0, segment 9", "the segment has no mask")
    ]


def test_a_file_asked_for_by_name_is_read_alone(tmp_path):
    """Given the path of one JSON file, its images beside it are found, other files left alone."""
    for name in ("instances_train", "instances_val"):
        place = tmp_path / "annotations" / f"{name}.json"
        place.parent.mkdir(exist_ok=True)
        place.write_text(json.dumps(document(annotation())))
    (tmp_path / "images" / "val").mkdir(parents=True)
    (tmp_path / "images" / "val" / "a.png").write_bytes(PNG)
    with open_source(tmp_path / "annotations" / "instances_val.json") as source:
        found = read_back(get_format("coco"), source)
        best = get_format("coco").requires(Look(source))
    assert [row["subset"] for row in found.items] == ["val", "val"]
    assert found.items[0]["media"] == "images/val/a.png"
    assert best > 0.9


# -- recognising ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        '{"annotations": [{"id": 1, "image_id": 5, "bbox": [1, 2, 3, 4], "x": "' + "y" * 70_000,
        '{"info": {}, "images": [{"license": 4, "file_name": "a.jpg", "height": 4, "id": 3',
        '{"categories": [{"supercategory": "x", "id": 1, "name": "y"}], "images": [',
        '{"images": [], "annotations": [], "categories": []}',
        '\ufeff{"images": [{"id": 1, "file_name": "a.jpg"}]}',
    ],
)
def test_the_head_of_a_file_is_enough(content):
    """However large the file, its first 64 KiB say that it is COCO."""
    look = Look(open_source({"x.json": content.encode()}))
    assert get_format("coco").requires(look) >= 0.8
    assert look.evidence


@pytest.mark.parametrize(
    "content",
    [
        [{"image": "a.jpg", "annotations": [{"label": "cat", "coordinates": {"x": 1}}]}],
        [{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": []}]}],
        {"items": [{"id": "a"}], "categories": {"label": {"labels": [{"name": "cat"}]}}},
        {"image": {"image_id": 1, "file_name": "a.jpg"}, "annotations": [{"bbox": [1, 2, 3, 4]}]},
        {"item": {"name": "a.jpg"}, "version": "2.0", "annotations": [{"name": "cat"}]},
        {"_via_img_metadata": {"a.jpg1": {"filename": "a.jpg", "regions": []}}},
        {"images": "many", "categories": "some"},
    ],
)
def test_look_alikes_are_not_coco(content):
    """CreateML, Label Studio, Datumaro, SA-1B, Darwin and VIA have other keys in those places."""
    look = Look(open_source({"annotations.json": json.dumps(content).encode()}))
    with pytest.raises(Miss):
        get_format("coco").requires(look)


@pytest.mark.parametrize("said", [0, 1, -1, None])
def test_large_files_are_read_alike(said, tmp_path, monkeypatch):
    """A large file's memory is given back as it is read; its rows are those of a small one.

    Also where the file's size is not what the source says it is.
    """
    given = [annotation(n, image_id=1 + n % 2, segmentation=SQUARE) for n in range(1, 500)]
    content = json.dumps(document(*given, ende="\u00fc"), ensure_ascii=False)
    (tmp_path / "a.json").write_text(content, "utf-8")
    small = read({"a.json": content})
    monkeypatch.setattr(coco_bytes, "LARGE", 1)
    monkeypatch.setattr(coco_bytes, "_SLICE", 1000)
    monkeypatch.setattr(coco_chunks, "CHUNK", 100)
    with open_source(tmp_path) as source:
        size = source.size("a.json")
        source.size = lambda path: None if said is None else size + said
        large = read_back(get_format("coco"), source)
    assert large.annotations == small.annotations
    assert large.balance == small.balance


def test_other_json_files_are_named():
    """A JSON file beside the dataset that is not COCO is a note, not a silence."""
    found = read({"annotations/instances_train.json": document(), "config.json": {"lr": 0.1}})
    note = found.ledger.lines("note", "a JSON file is not COCO")[0]
    assert note["file"] == "config.json"


def test_reading_can_be_cancelled():
    """Cancel stops the read at its next chunk."""
    source = open_source({"a.json": json.dumps(document(annotation())).encode()})
    progress = Progress()
    batches = get_format("coco").read(source, {}, Ledger(), progress)
    next(batches)
    progress.cancel()
    with pytest.raises(Cancelled):
        list(batches)


def test_a_preview_of_many_images_is_a_prefix():
    """The first items of a long file have all their annotations, wherever those stand."""
    images = [{"id": 1000 - n, "file_name": f"{n}.png"} for n in range(900)]
    given = [annotation(n, image_id=1000 - n * 7 % 900) for n in range(1, 2000)]
    content = {"annotations/instances_train.json": document(*given, images=images)}
    whole = read(content)
    for limit in (1, 24, 300):
        some = read(content, limit=limit)
        assert some.items == whole.items[:limit]
        keys = {row["key"] for row in some.items}
        assert some.annotations == [row for row in whole.annotations if row["key"] in keys]


# -- real samples -----------------------------------------------------------------------------

SAMPLES = (
    "coco/datumaro-coco_instances", "coco/datumaro-mmdet_coco", "coco/datumaro-coco_roboflow",
    "coco/datumaro-coco_stuff", "coco/datumaro-coco_labels", "coco/datumaro-coco_captions",
    "coco/datumaro-coco_image_info", "coco/datumaro-coco_person_keypoints",
    "coco/cvatdatumaro-coco_person_keypoints", "coco/darwin-import", "coco/ls_sdk-import_coco",
    "roboflow/datumaro-coco", "roboflow/roboflow-sharks_coco", "kaggle/datumaro-relaxed_coco",
)  # fmt: skip


@pytest.mark.parametrize("case", SAMPLES)
def test_counts_of_samples_are_those_of_their_files(case, samples, expected):
    """Images, annotations, labels and kinds are as many as an independent count says."""
    facts = json.loads((expected / "_raw" / f"{case}.json").read_text())
    files = [f for f in facts["parsed"] if f["as"] == "coco"]
    with open_source(samples / case) as source:
        assert get_format("coco").requires(Look(source)) > 0.8
        found = read_back(get_format("coco"), source)
    assert len(found.items) == sum(f["images"] for f in files)
    assert found.balance.read == sum(f["images"] + f["annotations"] for f in files)
    assert (found.balance.warned, found.balance.rejected) == (0, 0)
    kinds = Counter(typed(found))
    shapes = sum((Counter(f["segmentation"]) for f in files), Counter())
    assert kinds["polygon"] == shapes["polygon"] + shapes["multi-polygon"]
    assert kinds["mask"] == shapes["rle-uncompressed"]
    assert kinds["skeleton"] == sum(f["with_keypoints"] for f in files)
    assert kinds["text"] == sum(f["captions"] for f in files)
    outlines = [row for row in found.annotations if row["type"] != "skeleton" or "group" not in row]
    per_label = Counter(row["label"] for row in outlines if "label" in row)
    counted = Counter()
    for file in files:
        counted.update(file["per_category"] or {})
    assert per_label == counted


@pytest.mark.parametrize(
    ("case", "reader"),
    [
        ("coco/datumaro-coco_instances", "coco_instances"),
        ("coco/datumaro-mmdet_coco", "mmdet_coco"),
        ("coco/datumaro-coco_roboflow", "roboflow_coco"),
        ("coco/datumaro-coco_stuff", "coco_stuff"),
        ("coco/datumaro-coco_labels", "coco_labels"),
        ("coco/datumaro-coco_captions", "coco_captions"),
        ("coco/datumaro-coco_person_keypoints", "coco_person_keypoints"),
        ("roboflow/datumaro-coco", "roboflow_coco"),
        ("coco/datumaro-coco", "coco"),
    ],
)
def test_geometry_of_samples_is_what_datumaro_reads(case, reader, samples, expected):
    """Boxes, polygons, masks, points, tags and captions are those of an independent reader."""
    facts = json.loads((expected / f"{case}.{reader}.json").read_text())
    with open_source(samples / case) as source:
        found = read_back(get_format("coco"), source)
    mine = {_fact(row, found) for row in found.annotations}
    boxes = {
        (
            row["key"].rpartition(".")[0],
            "bbox",
            row["label"],
            row["x"],
            row["y"],
            row["w"],
            row["h"],
        )
        for row in found.annotations
        if "x" in row
    }
    theirs = {_datumaro(item["id"], a) for item in facts["items"] for a in item["annotations"]}
    assert theirs <= mine | boxes


def _fact(row, found):
    name = row["key"].rpartition(".")[0]
    if row["type"] == "mask":
        mask = rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
        packed = np.packbits(mask.astype(bool), axis=None).tobytes()
        return name, "mask", row["label"], hashlib.sha1(packed).hexdigest()[:16]
    if row["type"] == "text":
        return name, "caption", row["text"]
    if row["type"] in ("polygon", "skeleton"):
        kind = "points" if row["type"] == "skeleton" else "polygon"
        return name, kind, row["label"], *row["points"], *row.get("visibility", ())
    return name, {"tag": "label"}.get(row["type"], "bbox"), row["label"]


def _datumaro(name, a):
    if a["type"] == "mask":
        return name, "mask", a["label"], a["mask_sha1"]
    if a["type"] == "caption":
        return name, "caption", a["caption"]
    if a["type"] in ("polygon", "points"):
        return name, a["type"], a["label"], *a["points"], *a.get("visibility", ())
    return name, a["type"], a["label"], *a.get("bbox_xywh", ())


def test_sharks_have_five_on_one_image(samples):
    """The image that its makers count five sharks on has five annotations."""
    with open_source(samples / "roboflow/roboflow-sharks_coco") as source:
        found = read_back(get_format("coco"), source)
    mine = [row for row in found.annotations if row["key"].startswith("sharks_mp4-20_")]
    assert len(mine) == 5
    assert "sharks" not in found.labels
    assert all(row["media"] for row in found.items)


def test_all_tasks_of_a_sample_are_read(samples):
    """Of a dataset in all tasks at once, every record is read, and every one accounted for."""
    with open_source(samples / "coco/datumaro-coco") as source:
        found = read_back(get_format("coco"), source)
    assert Counter(typed(found)) == {
        "box": 1, "polygon": 1, "mask": 5, "skeleton": 3, "text": 3, "tag": 3,
    }  # fmt: skip
    assert [(row["subset"], row["key"]) for row in found.items] == [
        ("train", "a.jpg"), ("val", "b.jpg"),
    ]  # fmt: skip
    assert found.balance.read == found.balance.imported
