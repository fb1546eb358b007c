"""A small dataset to try things with: eight photographs, annotated by hand.

The photographs lie in the wheels of scikit-image and scikit-learn (``pip install
'nbannot[demo]'``), so nothing is downloaded; `demo_annotations.json` beside this module has the
annotations, in pixels, and says whose photographs they are.

* `demo_dataset`: COCO, with boxes, polygons, masks, a crowd and skeletons.
* `demo_tasks`: a Label Studio export, with what COCO has no shape for.
* `demo_predictions`: a CSV of boxes with scores, as a detector might have found them.
"""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DependencyError, SourceError
from .geometry import bounds, mask_to_rle, ring_area, rle_to_mask

__all__ = ["demo_dataset", "demo_predictions", "demo_tasks"]

_WHEELS = {"skimage": "scikit-image", "sklearn": "scikit-learn"}


def demo_dataset(folder: str | Path = "demo-data") -> Path:
    """Write the demo as a COCO dataset, and return its folder, ``folder/coco``.

    It has the official layout: ``annotations/{instances,labels}_{train,val}.json`` and
    ``images/{train,val}/``. 8 images; 69 objects of 25 categories, with the ids that COCO gives
    them (so with gaps); a tag for each image. Files that are there already and the same are left
    alone.

    Args:
        folder: where to put it; made when absent.

    Raises:
        DependencyError: the packages with the photographs are not installed.

    >>> import tempfile
    >>> sorted(p.name for p in demo_dataset(tempfile.mkdtemp()).iterdir())
    ['annotations', 'images']
    """
    root = Path(folder) / "coco"
    for subset in ("train", "val"):
        photos = [p for p in _demo()["photos"] if p["subset"] == subset]
        for photo in photos:
            _write(root / "images" / subset / photo["name"], _photo(photo))
        for kind, content in (("instances", _instances(photos)), ("labels", _tags(photos))):
            info = {"description": f"nbannot demo, {kind} of {subset}", "version": "1.0"}
            document = {"info": info, "images": [_coco_image(p) for p in photos], **content}
            _write_json(root / "annotations" / f"{kind}_{subset}.json", document)
    return root


def demo_tasks(folder: str | Path = "demo-data") -> Path:
    """Write the demo as a Label Studio export, and return its folder, ``folder/label-studio``.

    ``tasks.json`` beside ``images/``: the same 8 photographs with ellipses, rotated boxes,
    polylines, choices and captions.

    Args:
        folder: where to put it; made when absent.

    Raises:
        DependencyError: the packages with the photographs are not installed.

    >>> import tempfile
    >>> sorted(p.name for p in demo_tasks(tempfile.mkdtemp()).iterdir())
    ['images', 'tasks.json']
    """
    root = Path(folder) / "label-studio"
    for photo in _demo()["photos"]:
        _write(root / "images" / photo["name"], _photo(photo))
    _write_json(root / "tasks.json", _label_studio())
    return root


def demo_predictions(folder: str | Path = "demo-data") -> Path:
    """Write made-up predictions for the demo's "val" images, and return ``folder/predictions.csv``.

    30 rows: image, label, x1, y1, x2, y2 (pixels), score (0 to 1), with the mistakes that
    detectors make: things missed, found twice, or taken for another.

    Args:
        folder: where to put it; made when absent.

    >>> import tempfile
    >>> demo_predictions(tempfile.mkdtemp()).read_text().splitlines()[0]
    'image,label,x1,y1,x2,y2,score'
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["image", "label", "x1", "y1", "x2", "y2", "score"])
    writer.writerows(_demo()["predictions"])
    path = Path(folder) / "predictions.csv"
    _write(path, out.getvalue().encode())
    return path


@cache
def _demo() -> dict[str, Any]:
    text = (files("nbannot") / "demo_annotations.json").read_text("utf-8")
    demo: dict[str, Any] = json.loads(text)
    return demo


def _photo(photo: dict[str, Any]) -> bytes:
    package = photo["source"].partition("/")[0]
    spec = find_spec(package)  # finds it without importing it
    if spec is None or spec.origin is None:
        raise DependencyError("The demo's photographs", _WHEELS[package], "demo")
    path = Path(spec.origin).parents[1] / photo["source"]
    if not path.is_file():
        raise SourceError(
            f"The installed {_WHEELS[package]} does not have {path.name}",
            where=str(path.parent),
            hint="Install a newer one with: pip install -U 'nbannot[demo]'",
        )
    return path.read_bytes()


def _write(path: Path, data: bytes) -> None:
    # An unchanged file keeps its date, so that importing it again is seen to change nothing.
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _write_json(path: Path, value: object) -> None:
    _write(path, json.dumps(value, ensure_ascii=False).encode())


def _image_id(name: str) -> int:
    return 100 + [p["name"] for p in _demo()["photos"]].index(name)


def _coco_image(photo: dict[str, Any]) -> dict[str, Any]:
    width, height = photo["size"]
    return {
        "id": _image_id(photo["name"]),
        "file_name": photo["name"],
        "width": width,
        "height": height,
        "credit": photo["credit"],
    }


def _instances(photos: list[dict[str, Any]]) -> dict[str, Any]:
    demo = _demo()
    size_of = {p["name"]: p["size"] for p in photos}
    category_id = {label["name"]: label["id"] for label in demo["labels"]}
    annotations = [
        {
            "id": number,
            "image_id": _image_id(shape["photo"]),
            "category_id": category_id[shape["label"]],
            **_coco_shape(shape, *size_of[shape["photo"]]),
        }
        for number, shape in enumerate(demo["shapes"], 1)
        if shape["photo"] in size_of
    ]
    return {
        "annotations": annotations,
        "categories": [_coco_category(label) for label in demo["labels"]],
    }


def _tags(photos: list[dict[str, Any]]) -> dict[str, Any]:
    # Not one of COCO's own files, but what Datumaro and CVAT write for a label of a whole image.
    names = sorted({p["scene"] for p in _demo()["photos"]})
    number = {name: 201 + index for index, name in enumerate(names)}
    ids = [_image_id(p["name"]) for p in photos]
    return {
        "annotations": [
            {"id": 2000 + n, "image_id": n, "category_id": number[p["scene"]]}
            for n, p in zip(ids, photos, strict=True)
        ],
        "categories": [{"id": n, "name": name} for name, n in number.items()],
    }


def _coco_category(label: dict[str, Any]) -> dict[str, Any]:
    category = {"id": label["id"], "name": label["name"], "supercategory": label["group"]}
    return category | {k: label[k] for k in ("keypoints", "skeleton") if k in label}


def _coco_shape(shape: dict[str, Any], width: int, height: int) -> dict[str, Any]:
    out: dict[str, Any] = {"iscrowd": 0}
    if "box" in shape:
        x, y, w, h = shape["box"]
        out |= {"bbox": [x, y, w, h], "area": w * h, "segmentation": []}
    elif "polygons" in shape:
        parts = shape["polygons"]
        area = sum(abs(ring_area(part)) for part in parts)
        flat = [v for part in parts for v in part]
        out |= {"bbox": _round(bounds(flat, [0, len(flat)])[0]), "area": round(area, 1)}
        out["segmentation"] = parts
    else:
        # COCO writes crowds with their runs in the open, other masks with them packed.
        runs = shape.get("crowd")
        counts = _pack(runs, width, height) if runs else shape["rle"].encode()
        mask = rle_to_mask(counts, height, width)
        rows, columns = np.nonzero(mask)
        left, top = int(columns.min()), int(rows.min())
        out["bbox"] = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
        out["area"] = int(mask.sum())
        out["segmentation"] = {"size": [height, width], "counts": runs or shape["rle"]}
        out["iscrowd"] = int(runs is not None)
    if "keypoints" in shape:
        out["keypoints"] = shape["keypoints"]
        out["num_keypoints"] = sum(v > 0 for v in shape["keypoints"][2::3])
    return out


def _pack(runs: list[int], width: int, height: int) -> bytes:
    # Runs of 0 and 1 in turn, zeros first, down the columns.
    flat = np.repeat(np.arange(len(runs)) % 2, runs)
    return mask_to_rle(flat.reshape(width, height).T)


def _round(values: Any) -> list[float]:
    return [round(float(v), 1) for v in values]


# Label Studio's control of each kind of shape, which is also the key of its labels.
_CONTROLS = {"ellipse": "ellipselabels", "rotated": "rectanglelabels", "line": "vectorlabels"}


def _label_studio() -> list[dict[str, Any]]:
    demo = _demo()
    tasks = []
    for number, photo in enumerate(demo["photos"], 1):
        width, height = photo["size"]
        image = {"original_width": width, "original_height": height, "image_rotation": 0}
        result: list[dict[str, Any]] = [
            _result(number, "scene", "choices", {"choices": [photo["scene"]]}),
            _result(number, "caption", "textarea", {"text": [photo["caption"]]}),
        ]
        for index, shape in enumerate(s for s in demo["drawn"] if s["photo"] == photo["name"]):
            kind = next(k for k in _CONTROLS if k in shape)
            control = _CONTROLS[kind]
            value = _percent(kind, shape[kind], width, height) | {control: [shape["label"]]}
            result.append(image | _result(f"{number}-{index}", kind, control, value))
        tasks.append(
            {
                "id": number,
                "data": {"image": f"/data/local-files/?d=images/{photo['name']}"},
                "annotations": [
                    {"id": number, "completed_by": 1, "was_cancelled": False, "result": result}
                ],
                "predictions": [],
            }
        )
    return tasks


def _result(part: object, name: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"demo-{part}-{name}",
        "from_name": name,
        "to_name": "image",
        "type": kind,
        "origin": "manual",
        "value": value,
    }


def _percent(kind: str, numbers: list[float], width: int, height: int) -> dict[str, Any]:
    # Percent of the image's width and height; a box turns about its top left corner.
    def x(value: float) -> float:
        return round(value / width * 100, 4)

    def y(value: float) -> float:
        return round(value / height * 100, 4)

    if kind == "ellipse":
        cx, cy, rx, ry, degrees = numbers
        size = {"radiusX": x(rx), "radiusY": y(ry)}
        return {"x": x(cx), "y": y(cy), **size, "rotation": degrees}
    if kind == "rotated":
        left, top, w, h, degrees = numbers
        size = {"width": x(w), "height": y(h)}
        return {"x": x(left), "y": y(top), **size, "rotation": degrees}
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    vertices = []
    for index, (px, py) in enumerate(points):
        before = {"prevPointId": f"p{index - 1}"} if index else {}
        vertices.append({"id": f"p{index}", "x": x(px), "y": y(py), "isBezier": False, **before})
    return {"vertices": vertices, "closed": False}
