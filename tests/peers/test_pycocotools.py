"""What our writer for COCO writes is what pycocotools reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from nbannot.formats.examples import example

from .comparing import Seen, same, told
from .made import many, write

KINDS = ("box", "polygon", "polygon of parts", "mask", "skeleton")


def read(folder: Path, task: str) -> Seen:
    """Return all subsets of a task as pycocotools gives them; masks are painted by it."""
    seen = Seen()
    for subset in ("train", "val"):
        found = COCO(str(folder / "annotations" / f"{task}_{subset}.json"))
        places = {}
        for image in found.loadImgs(found.getImgIds()):
            place = subset, image["file_name"].rpartition(".")[0]
            places[image["id"]] = place
            seen.items[place] = image["width"], image["height"]
        for row in found.loadAnns(found.getAnnIds()):
            made = {"label": found.loadCats(row["category_id"])[0]["name"]}
            if row.get("keypoints"):
                points = np.reshape(row["keypoints"], (-1, 3))
                made |= {"type": "skeleton", "points": points[:, :2].ravel().tolist(),
                         "visibility": points[:, 2].astype(int).tolist(),
                         "box": row["bbox"]}  # fmt: skip
            elif not row.get("segmentation"):
                made |= {"type": "box", "box": row["bbox"]}
            else:
                pixels = found.annToMask(row)
                kind = "polygon" if isinstance(row["segmentation"], list) else "mask"
                made |= {"type": kind, "pixels": pixels, "frame": row["bbox"]}
                if kind == "mask":
                    assert row["area"] == pixels.sum()
            seen.rows[places[row["image_id"]]].append(made)
    return seen


@pytest.mark.parametrize("kinds", [("box",), KINDS[:4], ("skeleton",)], ids=str)
def test_it_reads_what_we_write(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    """Boxes, pixels, keypoints and labels of thirty images are those that were given."""
    made = many(kinds)
    write(tmp_path, "coco", made)
    wanted = told(made)
    for subset, rows in made.annotations.items():
        mine = [r for place, some in wanted.rows.items() if place[0] == subset for r in some]
        for row, want in zip(rows, mine, strict=True):
            if row["type"] == "skeleton":
                want["box"] = [row[n] for n in "xywh"]
    task = "person_keypoints" if kinds == ("skeleton",) else "instances"
    same(read(tmp_path, task), wanted)


def test_ids_are_kept(tmp_path: Path) -> None:
    """Ids of images, annotations and categories are those of the source."""
    made = example(("box",))
    write(tmp_path, "coco", made)
    found = COCO(str(tmp_path / "annotations/instances_train.json"))
    assert found.getImgIds() == [int(row["source_id"]) for row in made.items["train"]]
    assert found.getAnnIds() == [int(row["source_id"]) for row in made.annotations["train"]]
    assert {c["name"]: c["id"] for c in found.loadCats(found.getCatIds())} == {
        label.name: int(label.source_id or 0) for label in made.labels
    }


def test_boxes_as_results(tmp_path: Path) -> None:
    """Written annotations load as results of a model, which loadRes checks against the images."""
    made = many(("box",))
    write(tmp_path, "coco", made)
    truth = COCO(str(tmp_path / "annotations/instances_val.json"))
    rows = [
        {**{k: row[k] for k in ("image_id", "category_id", "bbox")}, "score": 0.5}
        for row in truth.loadAnns(truth.getAnnIds())
    ]
    (tmp_path / "results.json").write_text(json.dumps(rows))
    results = truth.loadRes(str(tmp_path / "results.json"))
    assert [r["bbox"] for r in results.dataset["annotations"]] == [r["bbox"] for r in rows]
