"""COCO results: lists of detections, on the images beside them or alone."""

from __future__ import annotations

import json

import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.base import Miss
from nbannot.formats.look import Look
from nbannot.sources import open_source

from .coco_files import SQUARE, annotation, document, lines, read

TRUTH = "annotations/instances_val.json"


def result(**changes):
    """Return a detection of a dog on the second image; a change to `...` takes the key away."""
    whole = {"image_id": 2, "category_id": 2, "bbox": [1.5, 2, 3, 4], "score": 0.25, **changes}
    return {k: v for k, v in whole.items() if v is not ...}


def source(files):
    """Return files of JSON values as a source."""
    return open_source({path: json.dumps(value).encode() for path, value in files.items()})


def messages(found, reason):
    """Return the messages of the ledger's lines of a reason."""
    table = found.ledger.to_pandas()
    return table[table["reason"] == reason]["message"].tolist()


# -- with the images beside ---------------------------------------------------------------------


def test_results_are_a_layer_on_the_images_beside_them():
    """Ids of images and categories are those of the COCO file; the layer is named by the file."""
    found = read({TRUTH: document(annotation()), "yolo_a.json": [result()]})
    truth, guess = found.annotations
    assert "layer" not in truth
    assert (guess["layer"], guess["key"], guess["label"], guess["score"]) == (
        "yolo_a", "b.png", "dog", 0.25,
    )  # fmt: skip
    assert [guess[n] for n in "xywh"] == [1.5, 2, 3, 4]
    assert (len(found.items), found.balance.read, found.balance.imported) == (2, 4, 4)
    text = (
        "yolo_a.json is read as predictions, in the layer 'yolo_a', on the images of subset val; "
        "labels are the categories of that subset"
    )
    assert messages(found, "results are a layer of predictions") == [text]


def test_each_kind_of_result_becomes_its_type():
    """Boxes, run lengths, polygons, keypoints and captions."""
    full = {"size": [48, 64], "counts": [0, 48 * 64]}
    boxless = {"bbox": ...}
    found = read(
        {
            TRUTH: document(),
            "boxes.json": [result()],
            "masks.json": [result(segmentation=full, **boxless)],
            "polygons.json": [result(segmentation=SQUARE, **boxless)],
            "joints.json": [result(keypoints=[1, 2, 1, 0, 0, 0], **boxless)],
            "captions.json": [{"image_id": 1, "caption": "a cat"}],
        }
    )
    by_layer = {row["layer"]: row for row in found.annotations}
    assert {layer: row["type"] for layer, row in by_layer.items()} == {
        "boxes": "box", "masks": "mask", "polygons": "polygon", "joints": "skeleton",
        "captions": "text",
    }  # fmt: skip
    assert [by_layer["masks"][n] for n in "xywh"] == [0, 0, 64, 48]
    assert by_layer["joints"]["points"] == [1, 2, 0, 0]
    assert by_layer["captions"]["text"] == "a cat"


def test_files_of_one_name_are_layers_of_their_paths():
    """Two models' results.json do not become one layer."""
    found = read({TRUTH: document(), "a/results.json": [result()], "b/results.json": [result()]})
    assert [row["layer"] for row in found.annotations] == ["a/results", "b/results"]


def test_ids_that_are_not_there_are_rejected_by_name():
    """An unknown image and an undeclared category are a line each, with the place in the list."""
    found = read({TRUTH: document(), "r.json": [result(image_id=9), result(category_id=7), 5]})
    assert lines(found, "rejected") == [
        ("result #3", "the annotation is not an object"),
        ("result #1", "the annotation is on an unknown image"),
        ("result #2", "the category is not declared"),
    ]
    table = found.ledger.to_pandas()
    assert table[table["outcome"] == "rejected"]["where"].tolist() == ["$[2]", "$[0]", "$[1]"]
    assert "result #1: it is on image id 9, which is not among the images" in messages(
        found, "the annotation is on an unknown image"
    )


@pytest.mark.parametrize(
    ("path", "image", "subset"),
    [
        ("instances_train_results.json", 1, "train"),
        ("val/detections.json", 1, "val"),
        ("detections.json", 31, "val"),  # by its ids
        ("models/mini/yolo.json", 1, "mini"),
        ("yolo-mini.bbox.json", 1, "mini"),
    ],
)
def test_the_subset_of_results(path, image, subset):
    """The file's or folder's name says it, else the images that it is about do."""
    val = document()
    val["images"] += [{"id": 31, "file_name": "c.png", "width": 64, "height": 48}]
    found = read(
        {
            "annotations/instances_train.json": document(),
            "annotations/instances_val.json": val,
            "annotations/instances_mini.json": document(),
            path: [result(image_id=image)],
        }
    )
    assert [row["subset"] for row in found.annotations] == [subset]
    assert not messages(found, "results fit several subsets")


def test_results_that_fit_two_subsets_are_told():
    """Where ids are the same in both, the first is taken, and a note says so."""
    files = {
        "annotations/instances_train.json": document(),
        "annotations/instances_val.json": document(),
        "r.json": [result()],
    }
    found = read(files)
    assert [row["subset"] for row in found.annotations] == ["train"]
    text = (
        "the image ids of r.json fit train and val alike; they are read as those of train. Put "
        "the subset's name into the file's name to say it"
    )
    assert messages(found, "results fit several subsets") == [text]


def test_a_preview_has_the_results_of_its_images():
    """With a limit, the first images and what was found on them."""
    files = {TRUTH: document(annotation()), "r.json": [result(), result(image_id=1)]}
    found = read(files, limit=1)
    assert [item["key"] for item in found.items] == ["a.png"]
    assert [row.get("layer") for row in found.annotations] == [None, "r"]


# -- alone --------------------------------------------------------------------------------------


def test_results_alone_are_on_items_named_by_their_ids():
    """Labels are "category 3"; run lengths tell the images' sizes; both are said in notes."""
    rle = {"size": [48, 64], "counts": [0, 48 * 64]}
    found = read({"r.json": [result(), result(image_id=7, category_id=3, segmentation=rle)]})
    assert [(i["key"], i.get("width"), i.get("height")) for i in found.items] == [
        ("2", None, None), ("7", 64, 48),
    ]  # fmt: skip
    assert [(r["key"], r["label"], r["layer"], r["type"]) for r in found.annotations] == [
        ("2", "category 2", "r", "box"), ("7", "category 3", "r", "mask"),
    ]  # fmt: skip
    text = (
        "r.json names images and categories by id only: items are named by those ids. Put the "
        "COCO file of those images beside it to have it read on them"
    )
    assert messages(found, "results without their images") == [text]
    assert len(messages(found, "no categories are declared")) == 1


def test_two_models_alone_share_their_images():
    """An id is one item, however many files name it."""
    found = read({"a.json": [result()], "b.json": [result(), result(image_id=5)]})
    assert [item["key"] for item in found.items] == ["2", "5"]
    assert [(r["layer"], r["key"]) for r in found.annotations] == [
        ("a", "2"), ("b", "2"), ("b", "5"),
    ]  # fmt: skip


def test_an_image_id_that_is_a_name_stays_one():
    """Some tools take the file's name as the id; none leads out of the source."""
    found = read({"r.json": [result(image_id="x/a.png"), result(image_id="../../b.png")]})
    assert [item["key"] for item in found.items] == ["x/a.png", "b.png"]


def test_a_result_on_no_image_is_rejected():
    """Alone, too."""
    found = read({"r.json": [result(), result(image_id=...)]})
    assert lines(found, "rejected") == [("result #2", "the annotation is on no image")]


def test_a_list_cut_in_half_is_broken():
    """The file and the place are named."""
    text = json.dumps([result()] * 3)[:-20]
    with pytest.raises(BrokenFileError, match="ends in the middle"):
        read({"r.json": text})


# -- recognising --------------------------------------------------------------------------------


def test_results_are_recognised():
    """A list of detections or captions is COCO's, with 0.9; with the images, it is a dataset."""
    for content in ([result()], [{"image_id": 1, "caption": "a cat"}]):
        look = Look(source({"r.json": content}))
        assert get_format("coco").requires(look) == 0.9
        assert look.evidence
        best = detect(source({"r.json": content}))[0]
        assert (best.format, best.confidence) == ("coco", 0.9)
    look = Look(source({"coco_results.json": [result()], TRUTH: document(annotation())}))
    assert get_format("coco").requires(look) == 0.95


@pytest.mark.parametrize(
    "content",
    [
        [{"image_id": "a", "label": "cat", "score": 0.5}],
        [{"image_id": 1, "image": "a.jpg", "caption": "a cat"}],
        [{"image_id": 1, "category_id": 1, "score": 0.5}],
        [],
    ],
)
def test_other_lists_are_not_results(content):
    """Without a place or a category they are someone else's."""
    with pytest.raises(Miss):
        get_format("coco").requires(Look(source({"r.json": content})))
