"""The demo data: what a new user sees first."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

import nbannot as nb
from nbannot import demo
from nbannot.errors import DependencyError

SUBSETS = {"train": 5, "val": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All of the demo, in one folder."""
    folder = tmp_path_factory.mktemp("demo")
    demo.demo_dataset(folder)
    demo.demo_tasks(folder)
    demo.demo_predictions(folder)
    return folder


@pytest.fixture(scope="module")
def coco(folder):
    """The COCO file of each subset, as pycocotools reads it."""
    names = {s: folder / f"coco/annotations/instances_{s}.json" for s in SUBSETS}
    return {subset: COCO(str(path)) for subset, path in names.items()}


@pytest.mark.parametrize("subset", SUBSETS)
def test_pictures_are_as_declared(folder, coco, subset):
    """Each image of the COCO file is there, in the size that the file says."""
    images = list(coco[subset].imgs.values())
    assert len(images) == SUBSETS[subset]
    for image in images:
        with Image.open(folder / "coco/images" / subset / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"])


@pytest.mark.parametrize("subset", SUBSETS)
def test_boxes_and_areas_are_those_of_the_shapes(coco, subset):
    """A box is the bounding box of its outline to a pixel, and the area agrees with pycocotools."""
    for annotation in coco[subset].anns.values():
        if not annotation["segmentation"]:
            continue
        mask = coco[subset].annToMask(annotation)
        x, y, w, h = annotation["bbox"]
        bx, by, bw, bh = coco_mask.toBbox(coco_mask.encode(np.asfortranarray(mask)))
        assert np.allclose([x, y, x + w, y + h], [bx, by, bx + bw, by + bh], atol=1)
        assert annotation["area"] == pytest.approx(mask.sum(), rel=0.01)


def test_shapes_lie_within_their_pictures(coco):
    """Nothing reaches outside: the first import a user makes has no problems to explain."""
    for subset in SUBSETS:
        for annotation in coco[subset].anns.values():
            image = coco[subset].imgs[annotation["image_id"]]
            x, y, w, h = annotation["bbox"]
            assert w > 0
            assert h > 0
            assert x >= 0
            assert y >= 0
            assert x + w <= image["width"]
            assert y + h <= image["height"]


def test_every_kind_of_shape_that_coco_holds_is_there(coco):
    """Boxes, polygons in several parts, masks with a hole, a crowd, and skeletons."""
    annotations = [a for c in coco.values() for a in c.anns.values()]
    segmentations = [a["segmentation"] for a in annotations]
    assert [] in segmentations
    assert any(isinstance(s, list) and len(s) > 1 for s in segmentations)
    assert any(isinstance(s, dict) and isinstance(s["counts"], str) for s in segmentations)
    assert any(a["iscrowd"] and isinstance(a["segmentation"]["counts"], list) for a in annotations)
    seen = {v for a in annotations for v in a.get("keypoints", ())[2::3]}
    assert seen == {0, 1, 2}
    assert any("skeleton" in c for c in coco["train"].cats.values())


def test_every_picture_has_a_tag(folder):
    """Beside the objects, each image has one label for the whole of it."""
    for subset, count in SUBSETS.items():
        path = folder / f"coco/annotations/labels_{subset}.json"
        document = json.loads(path.read_text("utf-8"))
        images = {image["id"] for image in document["images"]}
        assert {a["image_id"] for a in document["annotations"]} == images
        assert len(images) == count


def test_the_cup_has_a_hole_where_the_coffee_is(coco):
    """The mask of the cup leaves out the coffee, which is annotated by itself."""
    train = coco["train"]
    one = {
        name: train.annToMask(train.anns[train.getAnnIds(catIds=train.getCatIds([name]))[0]])
        for name in ("cup", "coffee")
    }
    assert (one["cup"] & one["coffee"]).sum() < 0.02 * one["coffee"].sum()
    inside = one["coffee"].nonzero()
    row, column = int(inside[0].mean()), int(inside[1].mean())
    assert all(np.any(side) for side in (one["cup"][row, :column], one["cup"][row, column:]))


def test_label_studio_tasks_have_what_coco_can_not_hold(folder):
    """Ellipses, rotated boxes, polylines, choices and texts; in percent, on pictures beside."""
    root = folder / "label-studio"
    tasks = json.loads((root / "tasks.json").read_text("utf-8"))
    results = [r for t in tasks for a in t["annotations"] for r in a["result"]]
    kinds = {r["type"] for r in results}
    assert kinds == {"choices", "ellipselabels", "rectanglelabels", "textarea", "vectorlabels"}
    assert any(r["value"].get("rotation", 0) for r in results if r["type"] == "rectanglelabels")
    assert all(0 <= r["value"].get("x", 0) <= 100 for r in results)
    for task in tasks:
        assert (root / task["data"]["image"].partition("?d=")[2]).is_file()
    assert len({r["id"] for r in results}) == len(results)


def test_predictions_are_boxes_with_scores_on_val(folder, coco):
    """Each row names a picture of "val" and lies in it, with a score between 0 and 1."""
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    sizes = {i["file_name"]: (i["width"], i["height"]) for i in coco["val"].imgs.values()}
    assert len(rows) == 30
    for row in rows:
        width, height = sizes[row["image"]]
        assert 0 <= float(row["x1"]) < float(row["x2"]) <= width
        assert 0 <= float(row["y1"]) < float(row["y2"]) <= height
        assert 0 < float(row["score"]) < 1


def test_writing_it_again_touches_nothing(folder):
    """Run twice, the same cell leaves every file as it is, its date included."""
    files = [p for p in folder.rglob("*") if p.is_file()]
    before = {p: p.stat().st_mtime_ns for p in files}
    demo.demo_dataset(folder)
    demo.demo_tasks(folder)
    demo.demo_predictions(folder)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()} == before


def test_without_the_photographs_it_says_what_to_install(tmp_path, monkeypatch):
    """The error names the command that installs them, and nothing is written."""
    monkeypatch.setattr(demo, "find_spec", lambda _: None)
    with pytest.raises(DependencyError, match=r"pip install 'nbannot\[demo\]'"):
        demo.demo_dataset(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("make", "annotations"), [(demo.demo_dataset, 79), (demo.demo_tasks, 33)], ids=["coco", "tasks"]
)
def test_it_is_imported_without_a_word(tmp_path, make, annotations):
    """The format is found, everything is imported, and the ledger has nothing to say."""
    project = nb.open_project()
    report = project.import_dataset(make(tmp_path))
    assert len(project.items) == 8
    assert len(project.annotations) == annotations
    assert report.read == report.imported
    assert report.ledger.empty
    project.close()
