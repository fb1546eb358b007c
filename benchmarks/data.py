"""The files that cases read, made once into ``bench-data/`` (git-ignored), the same for a seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from PIL import Image

__all__ = ["coco_file", "cvat_folder", "folder_of_files", "pictures", "voc_folder", "yolo_folder"]

FOLDER = Path(__file__).parents[1] / "bench-data"
WIDTH, HEIGHT = 640, 480
# COCO's own ids: 80 categories from 1 to 90, with gaps.
CATEGORIES = [n for n in range(1, 91) if n not in {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}]


def coco_file(images: int) -> Path:
    """Return a COCO instances file with the statistics of train2017.

    118,287 images give some 857,000 annotations and 409 MB: 7.27 annotations an image, polygons
    of 24 points, 1.2 % crowds with runs in the open, labels as uneven as there.
    """
    # In a folder of its own: media is looked for beside a file that is opened alone.
    path = FOLDER / f"coco-{images}" / "instances.json"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    ids = (rng.permutation(images * 5)[:images] + 1).tolist()
    part = path.with_suffix(".part")
    with part.open("wb") as out:
        out.write(b'{"info": {"year": 2017, "version": "1.0"}, "licenses": [], "annotations": [')
        total = 0
        for image in ids:
            rows = _annotations(rng, image, 1_000_000 + total)
            out.write(b", " if total else b"")
            out.write(orjson.dumps(rows)[1:-1])
            total += len(rows)
        out.write(b'], "images": [')
        out.write(b", ".join(orjson.dumps(_image(image)) for image in ids))
        out.write(b'], "categories": [')
        out.write(b", ".join(orjson.dumps(_category(number)) for number in CATEGORIES))
        out.write(b"]}")
    part.rename(path)
    return path


def _image(number: int) -> dict[str, Any]:
    return {
        "license": 3,
        "file_name": f"{number:012d}.jpg",
        "coco_url": f"http://images.example.org/train2017/{number:012d}.jpg",
        "height": HEIGHT,
        "width": WIDTH,
        "date_captured": "2013-11-14 11:18:45",
        "id": number,
    }


def _category(number: int) -> dict[str, Any]:
    return {"supercategory": f"group{number % 12}", "id": number, "name": f"category {number}"}


def _annotations(rng: np.random.Generator, image: int, first: int) -> list[dict[str, Any]]:
    rows = []
    for number in range(int(min(rng.geometric(1 / 7.27), 90))):
        w = round(float(min(WIDTH, rng.lognormal(4.2, 1.0))), 2)
        h = round(float(min(HEIGHT, rng.lognormal(4.2, 1.0))), 2)
        x = round(float(rng.uniform(0, max(WIDTH - w, 0.01))), 2)
        y = round(float(rng.uniform(0, max(HEIGHT - h, 0.01))), 2)
        crowd = bool(rng.random() < 0.012)
        segmentation: Any
        if crowd:
            cuts = np.sort(rng.integers(1, WIDTH * HEIGHT, 40))
            runs = np.diff(np.concatenate([[0], cuts, [WIDTH * HEIGHT]])).tolist()
            segmentation = {"counts": runs, "size": [HEIGHT, WIDTH]}
        else:
            angle = np.sort(rng.uniform(0, 2 * np.pi, int(max(3, rng.normal(24, 12)))))
            px = np.round(x + w / 2 + w / 2 * np.cos(angle), 2)
            py = np.round(y + h / 2 + h / 2 * np.sin(angle), 2)
            segmentation = [np.stack([px, py], 1).ravel().tolist()]
        rows.append(
            {
                "segmentation": segmentation,
                "area": round(w * h * 0.78, 4),
                "iscrowd": int(crowd),
                "image_id": image,
                "bbox": [x, y, w, h],
                "category_id": CATEGORIES[int(80 * rng.random() ** 2.2)],
                "id": first + number,
            }
        )
    return rows


def pictures(count: int = 200) -> list[Path]:
    """Return JPEG photographs, so to speak: 640 x 480, some 40 kB each."""
    folder = FOLDER / f"pictures-{count}"
    paths = [folder / f"{n:04d}.jpg" for n in range(count)]
    if not all(path.is_file() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        for path in paths:
            small = rng.integers(0, 255, (HEIGHT // 24, WIDTH // 24, 3), dtype=np.uint8)
            picture = Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
            picture.save(path, quality=88)
    return paths


def folder_of_files(count: int) -> Path:
    """Return a YOLO dataset of `count` files: half pictures (empty), half label files."""
    folder = FOLDER / f"yolo-{count}"
    if not (folder / "data.yaml").is_file():
        for kind, end, content in (("images", "jpg", b""), ("labels", "txt", b"0 .5 .5 .1 .1\n")):
            place = folder / kind / "train"
            place.mkdir(parents=True, exist_ok=True)
            for n in range(count // 2):
                (place / f"{n:06d}.{end}").write_bytes(content)
        names = json.dumps({"path": ".", "train": "images/train", "names": ["thing"]})
        (folder / "data.yaml").write_text(names)  # JSON is YAML
    return folder


def yolo_folder(images: int) -> Path:
    """Return a YOLO dataset of small pictures, three boxes on each."""
    folder = FOLDER / f"yolo-images-{images}"
    if not (folder / "data.yaml").is_file():
        rng = np.random.default_rng(0)
        _write_pictures(folder / "images/train", images)
        labels = folder / "labels/train"
        labels.mkdir(parents=True, exist_ok=True)
        for n in range(images):
            rows = [f"{c} {x} {y} 0.2 0.1\n" for c, x, y in _places(rng)]
            (labels / f"{n:06d}.txt").write_text("".join(rows))
        names = {"path": ".", "train": "images/train", "val": "images/train", "names": NAMES}
        (folder / "data.yaml").write_text(json.dumps(names))  # JSON is YAML
    return folder


def voc_folder(images: int) -> Path:
    """Return a Pascal VOC devkit of small pictures, three boxes on each."""
    folder = FOLDER / f"voc-images-{images}"
    lists = folder / "ImageSets/Main"
    if not (lists / "train.txt").is_file():
        rng = np.random.default_rng(0)
        _write_pictures(folder / "JPEGImages", images)
        (folder / "Annotations").mkdir(parents=True, exist_ok=True)
        for n in range(images):
            objects = "".join(
                f"<object><name>{NAMES[c]}</name><bndbox><xmin>{int(x * 40)}</xmin>"
                f"<ymin>{int(y * 30)}</ymin><xmax>{int(x * 40) + 12}</xmax>"
                f"<ymax>{int(y * 30) + 5}</ymax></bndbox></object>\n"
                for c, x, y in _places(rng)
            )
            (folder / f"Annotations/{n:06d}.xml").write_text(
                f"<annotation><folder>bench</folder><filename>{n:06d}.jpg</filename><size>"
                f"<width>64</width><height>48</height><depth>3</depth></size>\n{objects}</annotation>"
            )
        lists.mkdir(parents=True)
        (lists / "train.txt").write_text("".join(f"{n:06d}\n" for n in range(images)))
    return folder


def cvat_folder(images: int) -> Path:
    """Return CVAT's annotations.xml of small pictures, three boxes on each."""
    folder = FOLDER / f"cvat-images-{images}"
    path = folder / "annotations.xml"
    if not path.is_file():
        _write_pictures(folder / "images", images)  # Datumaro refuses to read without them
        rng = np.random.default_rng(0)
        labels = "".join(f"<label><name>{n}</name><attributes/></label>" for n in NAMES)
        with path.open("w") as out:
            out.write(
                '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta>'
                f"<task><id>1</id><name>bench</name><size>{images}</size><mode>annotation</mode>"
                f"<labels>{labels}</labels></task></meta>\n"
            )
            for n in range(images):
                boxes = "".join(
                    f'<box label="{NAMES[c]}" source="manual" occluded="0" xtl="{x * 40:.2f}" '
                    f'ytl="{y * 30:.2f}" xbr="{x * 40 + 12:.2f}" ybr="{y * 30 + 5:.2f}" '
                    'z_order="0"></box>\n'
                    for c, x, y in _places(rng)
                )
                out.write(
                    f'<image id="{n}" name="{n:06d}.jpg" width="64" height="48">\n{boxes}</image>\n'
                )
            out.write("</annotations>\n")
    return folder


NAMES = ["cat", "dog", "bird", "horse", "sheep"]


def _places(rng: np.random.Generator) -> list[tuple[int, float, float]]:
    # Class, and two numbers from 0.2 to 0.8, of three boxes.
    places = rng.uniform(0.2, 0.8, (3, 2)).round(4).tolist()
    return [(c, x, y) for c, (x, y) in zip(rng.integers(0, 5, 3).tolist(), places, strict=True)]


def _write_pictures(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    first = folder / "000000.jpg"
    Image.new("RGB", (64, 48), (40, 90, 160)).save(first)
    content = first.read_bytes()
    for n in range(count):
        (folder / f"{n:06d}.jpg").write_bytes(content)


def warmed(folder: Path) -> Path:
    """Return a folder after reading its files once: then neither side waits for the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.read_bytes()
    return folder
