"""What is written for other readers: the example of the suite, and thirty images with all shapes.

No two shapes of an image touch, so that what one hides of another is not what is compared.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nbannot.formats import get_format
from nbannot.formats.examples import Example, Row, written
from nbannot.geometry import mask_to_rle
from nbannot.schema import Label, Skeleton

__all__ = ["LABELS", "ONE_WORD", "POSE", "cells", "many", "write"]

CELL = 40
_COLORS = ("#ff0000", "#00ff00", "#0000ff")
SIZES = ((200, 120), (120, 160), (160, 160))
LABELS = (
    Label("cat", source_id="7", color="#ff0000"),
    Label("big dog", source_id="2", color="#00ff00"),
    Label("größe ✓", source_id="90", color="#0000ff"),
)
ONE_WORD = tuple(Label(n, color=c) for n, c in zip(("cat", "dog", "größe"), _COLORS, strict=True))
POSE = Label(
    "pose", skeleton=Skeleton(("nose", "left", "right"), ((0, 1), (0, 2))), source_id="3",
    color="#00ffff",
)  # fmt: skip
_FOLDERS = ("", "a/", "b/", "a/ordner größe ✓/")


def many(
    kinds: Sequence[str], *, whole: bool = False, labels: tuple[Label, ...] = LABELS,
    images: int = 30, subsets: tuple[str, ...] = ("train", "val"), empty: bool = True,
    folders: Sequence[str] = _FOLDERS, most: int = 8,
    spaces: bool = True,
) -> Example:  # fmt: skip
    """Return a dataset of `images` images in two subsets.

    `whole`: all coordinates are whole pixels; `empty`: every seventh image has no annotation;
    `most`: no image has more annotations; `spaces`: names have them.
    """
    dice = random.Random(2026)
    declared = labels if "skeleton" not in kinds else (*labels, POSE) if len(kinds) > 1 else (POSE,)
    made = Example({s: [] for s in subsets}, {s: [] for s in subsets}, declared)
    for number in range(images):
        subset = subsets[number * len(subsets) // images]
        key = f"{folders[number % len(folders)]}{'image ' if number % 5 else ''}{number:04d}.jpg"
        key = key if spaces else key.replace(" ", "_")
        width, height = SIZES[number % len(SIZES)]
        made.items[subset].append(
            {"key": key, "width": width, "height": height, "source_id": str(1000 + 3 * number)}
        )
        if empty and number % 7 == 6:
            continue
        places = cells(width, height)
        dice.shuffle(places)
        told: set[str] = set()
        for rank, (left, top) in enumerate(places[: 1 + number % most]):
            kind = kinds[(number + rank) % len(kinds)]
            label = labels[(number + 2 * rank) % len(labels)].name
            row = _SHAPES[kind](dice, left, top, width, height, whole)
            row = {"item": key, "type": kind.partition(" ")[0], "label": label, **row}
            if kind == "tag":
                if label in told:
                    continue
                told.add(label)
            if kind == "skeleton":
                row["label"] = POSE.name
            if kind == "text":
                del row["label"]
            made.annotations[subset].append({k: v for k, v in row.items() if v is not None})
    for first, rows in zip((100, 5000), made.annotations.values(), strict=False):
        for rank, row in enumerate(rows):
            row["source_id"] = str(first + 7 * rank)
    return made


def cells(width: int, height: int) -> list[tuple[int, int]]:
    """Return the corners of the cells that an image is divided into."""
    return [(x, y) for y in range(0, height, CELL) for x in range(0, width, CELL)]


def write(folder: Path, name: str, dataset: Example, **options: Any) -> Path:
    """Write a dataset with one of our writers, media and all."""
    for path, data in written(get_format(name), dataset, **options).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return folder


# -- shapes, each in a cell of its own ------------------------------------------------------------


def _number(dice: random.Random, low: int, high: int, whole: bool) -> float:
    # Quarters of a pixel: readers that round to two decimals leave them as they are.
    return float(dice.randrange(low, high) if whole else dice.randrange(4 * low, 4 * high) / 4)


def _frame(dice: random.Random, left: int, top: int, whole: bool) -> tuple[float, ...]:
    x, y = (start + _number(dice, 1, 10, whole) for start in (left, top))
    return x, y, _number(dice, 12, 28, whole), _number(dice, 12, 28, whole)


def _box(dice: random.Random, left: int, top: int, width: int, height: int, whole: bool) -> Row:
    return dict(zip("xywh", _frame(dice, left, top, whole), strict=True))


def _rotated(dice: random.Random, left: int, top: int, width: int, height: int, whole: bool) -> Row:
    # Within its cell, however it is turned.
    w, h = _number(dice, 12, 22, whole), _number(dice, 6, 12, whole)
    row = {"x": left + 20 - w / 2, "y": top + 20 - h / 2, "w": w, "h": h}
    return {**row, "rotation": float(dice.randrange(5, 85))}


def _polygon(dice: random.Random, left: int, top: int, width: int, height: int, whole: bool) -> Row:
    x, y, w, h = _frame(dice, left, top, whole)
    cut = 4.0 if whole else 4.25
    points = [x, y, x + w - cut, y, x + w, y + cut, x + w, y + h, x, y + h]
    return {"points": points, "x": x, "y": y, "w": w, "h": h}


def _quad(dice: random.Random, left: int, top: int, width: int, height: int, whole: bool) -> Row:
    row = _polygon(dice, left, top, width, height, whole)
    return {**row, "points": row["points"][:2] + row["points"][4:]}


def _parts(dice: random.Random, left: int, top: int, width: int, height: int, whole: bool) -> Row:
    row = _polygon(dice, left, top, width, height, whole)
    x, y, w = (row[n] for n in "xyw")
    far = x + w + 2
    more = [far, y, far + 4, y, far + 2, y + 6]
    return {**row, "points": [*row["points"], *more], "rings": [5, 3], "w": w + 6}


def _mask(dice: random.Random, left: int, top: int, width: int, height: int, whole: bool) -> Row:
    x, y, w, h = (int(v) for v in _frame(dice, left, top, True))
    mask = np.zeros((height, width), np.uint8)
    mask[y : y + h, x : x + w] = 1
    mask[y + 3 : y + 6, x + 2 : x + 5] = 0  # a hole
    mask[y, x] = 0
    frame = {"x": float(x), "y": float(y), "w": float(w), "h": float(h)}
    return {"mask": mask_to_rle(mask), "mask_height": height, "mask_width": width, **frame}


def _skeleton(
    dice: random.Random, left: int, top: int, width: int, height: int, whole: bool
) -> Row:
    x, y, w, h = _frame(dice, left, top, whole)
    if dice.random() < 0.5:
        points, visibility = [x, y, x + w, y + h, x + w / 4, y + h / 2], [2, 1, 2]
        if whole:
            points = [float(round(v)) for v in points]
    else:
        points, visibility = [x, y, x + w, y + h, 0.0, 0.0], [2, 1, 0]
    return {"points": points, "visibility": visibility, "x": x, "y": y, "w": w, "h": h}


def _line(dice: random.Random, left: int, top: int, width: int, height: int, whole: bool) -> Row:
    x, y, w, h = _frame(dice, left, top, whole)
    return {"points": [x, y, x + w, y + 5, x + 6, y + h]}


def _nothing(dice: random.Random, left: int, top: int, width: int, height: int, whole: bool) -> Row:
    return {}


def _text(dice: random.Random, left: int, top: int, width: int, height: int, whole: bool) -> Row:
    return {"text": f'a "cat" at {left},\n{top} ✓'}


_SHAPES: dict[str, Callable[[random.Random, int, int, int, int, bool], Row]] = {
    "box": _box, "box turned": _rotated, "ellipse": _box, "polygon": _polygon,
    "polygon of parts": _parts, "polygon of four": _quad, "mask": _mask, "skeleton": _skeleton,
    "polyline": _line, "points": _line, "tag": _nothing, "text": _text,
}  # fmt: skip
