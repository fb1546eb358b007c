"""Small datasets that tests make: pictures and annotation files written into a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

__all__ = ["coco_document", "picture", "write_coco"]


def picture(path: Path, width: int = 40, height: int = 30, orientation: int = 1) -> Path:
    """Write a picture: red in the top left quarter of the stored pixels, blue elsewhere."""
    image = Image.new("RGB", (width, height), "navy")
    image.paste("red", (0, 0, width // 2, height // 2))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=95, exif=exif)
    return path


def coco_document(
    images: Sequence[str],
    boxes: Sequence[tuple[int, str, Sequence[float]]],
    categories: Sequence[str] = ("cat", "dog"),
    size: tuple[int, int] = (40, 30),
) -> dict[str, Any]:
    """Return a COCO instances document; `boxes` are (index of the image, label, x y w h)."""
    ids = {name: i + 1 for i, name in enumerate(categories)}
    return {
        "images": [
            {"id": i, "file_name": name, "width": size[0], "height": size[1]}
            for i, name in enumerate(images)
        ],
        "annotations": [
            {"id": k + 1, "image_id": i, "category_id": ids[label], "bbox": list(box),
             "area": box[2] * box[3], "iscrowd": 0, "segmentation": []}
            for k, (i, label, box) in enumerate(boxes)
        ],
        "categories": [{"id": i, "name": name} for name, i in ids.items()],
    }  # fmt: skip


def write_coco(folder: Path, subsets: Mapping[str, dict[str, Any]], *, media: bool = True) -> Path:
    """Write documents in COCO's own layout, with a picture for each image."""
    for name, document in subsets.items():
        file = folder / "annotations" / f"instances_{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document), "utf-8")
        for image in document["images"] if media else ():
            picture(folder / "images" / name / image["file_name"], image["width"], image["height"])
    return folder
