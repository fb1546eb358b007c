"""What our writers write is what supervision reads: COCO, YOLO, Pascal VOC, LabelMe, CreateML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import supervision
from supervision.detection.utils.converters import polygon_to_mask

from nbannot import geometry
from nbannot.formats.examples import Example
from nbannot.geometry import rle_to_mask, split_rings

from .comparing import Place, Seen, same, told
from .made import many, write

SUBSETS = ("train", "val")
FLOAT32 = 1e-4  # supervision keeps corners in single precision
FLAT: dict[str, Any] = {"folders": ("",), "spaces": False}
Datasets = dict[str, supervision.DetectionDataset]


def load(name: str, folder: Path, **options: Any) -> Datasets:
    """Return supervision's dataset of each subset."""
    of = supervision.DetectionDataset
    made: Datasets = {}
    for subset in SUBSETS:
        images = str(folder / "images" / subset)
        if name == "coco":
            file = str(folder / "annotations" / f"instances_{subset}.json")
            made[subset] = of.from_coco(images, file, **options)
        elif name == "yolo":
            labels, config = str(folder / "labels" / subset), str(folder / "data.yaml")
            made[subset] = of.from_yolo(images, labels, config, **options)
        elif name == "labelme":
            made[subset] = of.from_labelme(str(folder / subset), str(folder / subset), **options)
        elif name == "createml":
            here = folder / subset
            made[subset] = of.from_createml(str(here), str(here / "_annotations.createml.json"))
        else:
            assert name == "voc"
            # A devkit has one folder for all subsets.
            made[""] = of.from_pascal_voc(
                str(folder / "JPEGImages"), str(folder / "Annotations"), **options
            )
    return made


def seen(datasets: Datasets, made: Example, *, masks: bool = False) -> Seen:
    """Return what supervision gives: masks where asked for, else boxes, turned ones by corners."""
    found = Seen()
    subset_of = {Path(key).name: subset for subset, key in told(made).items}
    for dataset in datasets.values():
        for path, _, all_of in dataset:
            stem = Path(path).stem
            place: Place = (subset_of[stem], stem)
            assert place not in found.items
            found.items[place] = None
            corners = all_of.data.get("xyxyxyxy", [])
            for n in range(len(all_of)):
                x1, y1, x2, y2 = map(float, all_of.xyxy[n])
                row: dict[str, Any] = {"label": str(dataset.classes[int(all_of.class_id[n])])}
                frame = [x1, y1, x2 - x1, y2 - y1]
                if masks:
                    pixels = all_of.mask[n].astype(np.uint8)
                    row |= {"type": "mask", "pixels": pixels, "frame": frame}
                elif len(corners):
                    boxes, turned = geometry.corners_to_box(np.asarray(corners[n])[None])
                    row |= {"type": "box", "box": boxes[0].tolist(), "rotation": float(turned[0])}
                else:
                    row |= {"type": "box", "box": frame}
                found.rows[place].append(row)
    return found


def filled(made: Example) -> Seen:
    """Return what is given, polygons painted by supervision's own function.

    It rounds corners to pixels and paints the outline too, so that its pixels are not those of
    pycocotools: what is compared is the polygon that it was given.
    """
    wanted = told(made)
    for subset, rows in made.annotations.items():
        for row in rows:
            place = subset, row["item"].rpartition(".")[0]
            size = wanted.items[place]
            assert size
            pixels = np.zeros(size[::-1], bool)
            if row["type"] == "mask":
                pixels |= rle_to_mask(row["mask"], size[1], size[0]).astype(bool)
            else:
                for ring, _ in split_rings(row["points"], row.get("rings")):
                    corners = np.round(ring).astype(np.int32)
                    pixels |= polygon_to_mask(polygon=corners, resolution_wh=size).astype(bool)
            match = next(r for r in wanted.rows[place] if r["frame"] == [row[n] for n in "xywh"])
            match |= {"type": "mask", "pixels": pixels.astype(np.uint8)}
    return wanted


@pytest.mark.parametrize("name", ["coco", "yolo", "labelme", "createml"])
def test_boxes(tmp_path: Path, name: str) -> None:
    """Boxes and labels of thirty images are those that were given."""
    made = many(["box"], **FLAT, empty=name != "createml")
    write(tmp_path, name, made)
    same(seen(load(name, tmp_path), made), told(made), FLOAT32)


@pytest.mark.parametrize("one_based", [False, True])
def test_voc(tmp_path: Path, one_based: bool) -> None:
    """It takes all VOC files for 1-based; so does ours with that option."""
    made = many(["box"], **FLAT)
    write(tmp_path, "voc", made, one_based=one_based)
    wanted = told(made)
    if not one_based:  # docs/disagreements.md
        for row in (row for rows in wanted.rows.values() for row in rows):
            x, y, w, h = row["box"]
            row["box"] = [x - 1, y - 1, w + 1, h + 1]
    same(seen(load("voc", tmp_path), made), wanted, FLOAT32)


def test_yolo_rotated_boxes(tmp_path: Path) -> None:
    """Rotated boxes are the same four corners."""
    made = many(["box turned"], **FLAT)
    write(tmp_path, "yolo", made)
    same(seen(load("yolo", tmp_path, is_obb=True), made), told(made), 1e-3)


@pytest.mark.parametrize("name", ["coco", "yolo", "labelme"])
def test_polygons(tmp_path: Path, name: str) -> None:
    """Polygons, painted by the same function, cover the same pixels."""
    made = many(["polygon"], **FLAT)
    write(tmp_path, name, made)
    same(seen(load(name, tmp_path, force_masks=True), made, masks=True), filled(made), FLOAT32)


def test_coco_masks_and_parts(tmp_path: Path) -> None:
    """Run lengths are the same pixels; the parts of a polygon are one mask."""
    made = many(["mask", "polygon of parts"], **FLAT)
    write(tmp_path, "coco", made)
    found = seen(load("coco", tmp_path, force_masks=True), made, masks=True)
    same(found, filled(made), FLOAT32)


def test_voc_polygons(tmp_path: Path) -> None:
    """Polygons in the XML are those of Roboflow: supervision reads them 1-based."""
    made = many(["polygon"], **FLAT)
    write(tmp_path, "voc", made, polygons="xml", one_based=True)
    found = seen(load("voc", tmp_path, force_masks=True), made, masks=True)
    same(found, filled(made), FLOAT32)


def test_yolo_keypoints(tmp_path: Path) -> None:
    """Of skeletons it reads the boxes."""
    made = many(["skeleton"], **FLAT)
    write(tmp_path, "yolo", made)
    wanted = told(made)
    for subset, rows in made.annotations.items():
        for row, want in zip(rows, _rows_of(wanted, subset), strict=True):
            del want["points"], want["visibility"]
            want |= {"type": "box", "box": [row[n] for n in "xywh"]}
    same(seen(load("yolo", tmp_path), made), wanted, FLOAT32)


def _rows_of(seen: Seen, subset: str) -> list[dict[str, Any]]:
    return [row for place, rows in seen.rows.items() if place[0] == subset for row in rows]
