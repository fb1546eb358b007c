"""Our Label Studio JSON, through Label Studio's own converter, config parser and validator."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_studio_sdk.converter import Converter
from label_studio_sdk.converter.brush import decode_from_annotation
from label_studio_sdk.label_interface import LabelInterface

from nbannot import geometry
from nbannot.formats.examples import Example
from nbannot.geometry import rings_to_mask
from nbannot.schema import Label

from .comparing import Place, Seen, same, told
from .made import many, write

SUBSETS = ("train", "val")
FLAT: dict[str, Any] = {"folders": ("",)}
KINDS = ("box", "box turned", "polygon", "mask", "points", "polyline", "ellipse", "tag", "text")


def exported(folder: Path, made: Example) -> LabelInterface:
    """Write a dataset; return its labelling configuration, read by Label Studio."""
    write(folder, "labelstudio", made)
    return LabelInterface((folder / "label_config.xml").read_text("utf-8"))


def tasks(folder: Path) -> list[dict[str, Any]]:
    """Return all tasks of all subsets."""
    return [task for s in SUBSETS for task in json.loads((folder / f"{s}.json").read_bytes())]


def converter(folder: Path) -> Converter:
    """Return Label Studio's converter, for images that lie beside the tasks."""
    config = (folder / "label_config.xml").read_text("utf-8")
    return Converter(config=config, project_dir=str(folder), download_resources=False)


# -- the configuration, and the tasks against it --------------------------------------------------


@pytest.mark.parametrize("kinds", [*((k,) for k in KINDS), ("polygon of parts",), KINDS], ids=str)
def test_it_is_valid(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    """The configuration passes Label Studio's schema, and every result fits its control."""
    made = many(kinds)
    interface = exported(tmp_path, made)
    interface.validate()
    results = 0
    for task in tasks(tmp_path):
        assert interface.load_task(task["data"]) is not None
        for annotation in task.get("annotations", ()):
            found = {"result": annotation["result"], "model_version": "any", "score": 0.5}
            assert interface.validate_prediction(found, return_errors=True) == []
            results += len(annotation["result"])
    # All texts or tags of an image are one result.
    assert results >= len({r["item"] for rows in made.annotations.values() for r in rows}) > 25


def test_it_is_not_valid_otherwise(tmp_path: Path) -> None:
    """The validator tells a label that the configuration does not have."""
    interface = exported(tmp_path, many(("box",)))
    (result, *_) = tasks(tmp_path)[0]["annotations"][0]["result"]
    result["value"]["rectanglelabels"] = ["another"]
    found = {"result": [result], "model_version": "any", "score": 0.5}
    assert interface.validate_prediction(found, return_errors=True) != []


def test_labels_are_those_of_the_config(tmp_path: Path) -> None:
    """Names and colours of labels are read from the configuration."""
    made = many(("box",))
    control = exported(tmp_path, made).get_control("rectangle")
    colors = {name: tag.attr["background"] for name, tag in control.labels_attrs.items()}
    assert colors == {label.name: label.color for label in made.labels}


# -- converted by it to other formats -------------------------------------------------------------


def coco(folder: Path, made: Example, subset: str) -> Seen:
    """Return what Label Studio's converter to COCO makes of a subset's tasks."""
    converter(folder).convert_to_coco(
        str(folder / f"{subset}.json"), str(folder), is_dir=False
    )  # in the folder itself, where it finds the images
    found = json.loads((folder / "result.json").read_bytes())
    names = {c["id"]: c["name"] for c in found["categories"]}
    sizes = {i["id"]: (i["width"], i["height"]) for i in found["images"]}
    places: dict[int, Place] = {}
    seen = Seen()
    for image in found["images"]:
        place = subset, Path(image["file_name"]).relative_to(f"media/{subset}").stem
        places[image["id"]] = place
        seen.items[place] = sizes[image["id"]]
        seen.rows[place] = []
    for row in found["annotations"]:
        made_row: dict[str, Any] = {"type": "box", "label": names[row["category_id"]]}
        if row["segmentation"]:
            width, height = sizes[row["image_id"]]
            # Through percents and back; a half of a pixel must stay one.
            points = np.round(row["segmentation"][0], 6)
            pixels = rings_to_mask(points, None, height, width)
            made_row |= {"type": "polygon", "pixels": pixels}
        else:
            made_row["box"] = row["bbox"]
        seen.rows[places[row["image_id"]]].append(made_row)
    return seen


def only(seen: Seen, subset: str) -> Seen:
    """Return a subset of what was seen."""
    items = {p: size for p, size in seen.items.items() if p[0] == subset}
    return Seen(items, {p: seen.rows.get(p, []) for p in items})


@pytest.mark.parametrize("subset", SUBSETS)
def test_to_coco(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subset: str) -> None:
    """Boxes and polygons in pixels are those that were given."""
    made = many(("box", "polygon"), **FLAT)
    write(tmp_path, "labelstudio", made)
    monkeypatch.chdir(tmp_path)
    same(coco(tmp_path, made, subset), only(told(made), subset), 1e-6)


def test_to_coco_of_rotated_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its boxes around rotated ones are right only where images are square."""
    made = many(("box turned",), **FLAT, images=12)
    write(tmp_path, "labelstudio", made)
    monkeypatch.chdir(tmp_path)
    found = coco(tmp_path, made, "train")
    right = {True: 0, False: 0}
    for row in made.annotations["train"]:
        place = "train", Path(row["item"]).stem
        corners = geometry.box_corners([[row[n] for n in "xywh"]], [row["rotation"]])[0]
        (x, y), (x2, y2) = corners.min(0), corners.max(0)
        boxes = [r["box"] for r in found.rows[place] if r["label"] == row["label"]]
        width, height = found.items[place] or (0, 0)
        alike = any(np.allclose(b, [x, y, x2 - x, y2 - y], atol=1e-6) for b in boxes)
        assert alike == (width == height)
        right[alike] += 1
    assert min(right.values()) > 2


def test_to_yolo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes as shares of the image, the centre first."""
    made = many(("box",), **FLAT)
    write(tmp_path, "labelstudio", made)
    monkeypatch.chdir(tmp_path)
    for subset in SUBSETS:
        out = tmp_path / f"yolo_{subset}"
        converter(tmp_path).convert_to_yolo(f"{subset}.json", str(out), is_dir=False)
        names = (out / "classes.txt").read_text("utf-8").splitlines()
        wanted, found = only(told(made), subset), Seen()
        for place, size in wanted.items.items():
            assert size
            found.items[place] = size
            for line in (out / "labels" / f"{place[1]}.txt").read_text().splitlines():
                number, cx, cy, w, h = map(float, line.split())
                box = [(cx - w / 2) * size[0], (cy - h / 2) * size[1], w * size[0], h * size[1]]
                row = {"type": "box", "label": names[int(number)], "box": box}
                found.rows[place].append(row)
        same(found, wanted, 1e-6)


def test_to_yolo_of_rotated_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The four corners of rotated boxes are those of ours."""
    made = many(("box turned",), **FLAT)
    write(tmp_path, "labelstudio", made)
    monkeypatch.chdir(tmp_path)
    sizes, count = told(made).items, 0
    for subset in SUBSETS:
        out = tmp_path / f"yolo_{subset}"
        converter(tmp_path).convert_to_yolo(f"{subset}.json", str(out), is_dir=False, is_obb=True)
        lines = {
            key: (out / "labels" / f"{key}.txt").read_text().splitlines()
            for at, key in sizes
            if at == subset
        }
        for row in made.annotations[subset]:
            key = Path(row["item"]).stem
            wanted = geometry.box_corners([[row[n] for n in "xywh"]], [row["rotation"]])[0]
            found = [
                np.reshape(np.array(line.split()[1:], float), (4, 2)) * sizes[subset, key]
                for line in lines[key]
            ]
            assert any(np.allclose(f, wanted, atol=1e-6) for f in found), (row, found)
            count += 1
    assert count > 90


def test_to_voc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Corners are cut to whole pixels, x and width each by itself."""
    made = many(("box",), **FLAT)
    write(tmp_path, "labelstudio", made)
    monkeypatch.chdir(tmp_path)
    wanted, found = told(made), Seen()
    wanted.items = {p: size for p, size in wanted.items.items() if wanted.rows.get(p)}
    for subset in SUBSETS:
        out = tmp_path / f"voc_{subset}"
        converter(tmp_path).convert_to_voc(f"{subset}.json", str(out), is_dir=False)
        for file in (out / "Annotations").glob("*.xml"):
            root = ET.parse(file).getroot()
            place: Place = subset, file.stem
            size = root.find("size")
            found.items[place] = int(size.find("width").text), int(size.find("height").text)
            for node in root.iter("object"):
                x, y, x2, y2 = (int(v.text) for v in node.find("bndbox"))
                box = [float(x), float(y), float(x2 - x), float(y2 - y)]
                row = {"type": "box", "label": node.find("name").text, "box": box}
                found.rows[place].append(row)
    same(found, wanted, 1.0)


def test_brushes(tmp_path: Path) -> None:
    """Run lengths of brushes are unpacked by it to the same pixels."""
    made = many(("mask",), **FLAT)
    write(tmp_path, "labelstudio", made)
    wanted, found = told(made), Seen()
    for task in tasks(tmp_path):
        place = task["nbannot"]["subset"], Path(task["nbannot"]["key"]).stem
        found.items[place] = None
        for annotation in task.get("annotations", ()):
            for result in annotation["result"]:
                value = result["value"]
                # One at a time: it gives each label of an image one layer.
                layers = decode_from_annotation(
                    "brush",
                    [{"type": "brushlabels", **value, "original_width": result["original_width"],
                      "original_height": result["original_height"]}],
                )  # fmt: skip
                (pixels,) = layers.values()
                row = {"type": "mask", "label": value["brushlabels"][0],
                       "pixels": (pixels > 0).astype(np.uint8)}  # fmt: skip
                found.rows[place].append(row)
    same(found, wanted)


def test_spans_to_conll(tmp_path: Path) -> None:
    """Spans of texts are the same words to it."""
    text = "We gave Jane Smith £3.99 at the Größe Café"
    spans = [("Person", "Jane Smith"), ("Place", "Größe Café")]
    rows = [
        {"item": "1", "type": "text_span", "label": label, "text": words,
         "start": float(text.index(words)), "end": float(text.index(words) + len(words))}
        for label, words in spans
    ]  # fmt: skip
    item = {"key": "1", "kind": "text", "source_id": "1", "data": json.dumps({"text": text})}
    made = Example({"train": [item]}, {"train": rows}, (Label("Person"), Label("Place")))
    write(tmp_path, "labelstudio", made)
    out = tmp_path / "conll"
    converter(tmp_path).convert_to_conll2003(str(tmp_path / "tasks.json"), str(out), is_dir=False)
    lines = [line.split() for line in (out / "result.conll").read_text("utf-8").splitlines()]
    tagged = {line[0]: line[-1] for line in lines if line and line[-1] != "O"}
    assert tagged == {
        "Jane": "B-Person", "Smith": "I-Person", "Größe": "B-Place", "Café": "I-Place",
    }  # fmt: skip
