"""What our writers write is what Datumaro reads, format by format.

Where Datumaro gives something else, `SAYS` states what, and docs/disagreements.md says why.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset
from datumaro.components.errors import DatumaroError

from nbannot.formats.examples import Example, example

from .comparing import Place, Seen, ours, same, told
from .datumaro_reader import read
from .made import ONE_WORD, many, write

Change = Callable[[Seen], Seen]


def renamed(rename: Callable[[Place], Place]) -> Change:
    """Return a change of the items' names."""

    def change(seen: Seen) -> Seen:
        items = {rename(place): size for place, size in seen.items.items()}
        assert len(items) == len(seen.items)
        rows = {rename(place): found for place, found in seen.rows.items()}
        return Seen(items, rows)

    return change


def without(label: str) -> Change:
    """Return a change that takes away all of a label: Datumaro gives the background as a mask."""

    def change(seen: Seen) -> Seen:
        rows = {p: [r for r in found if r["label"] != label] for p, found in seen.rows.items()}
        return Seen(seen.items, rows)

    return change


def unlabelled(seen: Seen) -> Seen:
    """Take the labels away: the format has none, and nbannot calls all of it by one."""
    rows = {p: [{**r, "label": None} for r in found] for p, found in seen.rows.items()}
    return Seen(seen.items, rows)


def both(one: Change, other: Change) -> Change:
    """Return one change after the other."""
    return lambda seen: other(one(seen))


def as_masks(seen: Seen) -> Seen:
    """Polygons of several parts are masks in the format."""
    rows = {
        p: [{**r, "type": "mask"} if r["type"] == "polygon" else r for r in found]
        for p, found in seen.rows.items()
    }
    return Seen(seen.items, rows)


def inner(place: Place) -> Place:
    """Take the first folder away."""
    return place[0], place[1].partition("/")[2]


@dataclass(frozen=True)
class Case:
    """What is written, what it is read as, and how the two are brought together.

    `made`: arguments of `many`; `options`: of our writer; `changed`: the format changes what is
    written (rounding, names), so what nbannot reads of the same files is compared, which the suite
    holds against what was given; `apart`: each subset's folder is a dataset for Datumaro.
    """

    format: str
    peer: str
    kinds: tuple[str, ...]
    tolerance: float = 0.006  # Datumaro rounds to two decimals
    made: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    changed: bool = False
    apart: bool = False
    theirs: Change = lambda seen: seen
    ours: Change = lambda seen: seen
    again: str = ""

    def __str__(self) -> str:
        return f"{self.format}-{self.peer}{'-' + self.again if self.again else ''}"


EVENTS = ("0--Parade/", "1--Handshaking/")
FLAT: dict[str, Any] = {"folders": ("",)}
PLAIN: dict[str, Any] = {**FLAT, "labels": ONE_WORD, "spaces": False}
FULL: dict[str, Any] = {"empty": False}
ONE: dict[str, Any] = {"most": 1}
SHAPES = ("box", "polygon", "polygon of parts", "mask")
DATUMARO = ("box", "polygon", "polyline", "points", "mask", "ellipse", "tag", "text")

CASES = [
    Case("coco", "coco", SHAPES),
    Case("coco", "coco_instances", SHAPES),
    Case("coco", "coco_person_keypoints", ("skeleton",)),
    Case("coco", "coco_captions", ("text",)),
    Case("coco", "coco_labels", ("tag",)),
    Case("voc", "voc", ("box",), made={"spaces": False}),
    Case("voc", "voc", SHAPES, made={"spaces": False, "whole": True}, changed=True, again="masks"),
    Case("yolo", "yolo", ("box",), made={**FLAT, **FULL}),
    Case("yolo-darknet", "yolo", ("box",), made=FULL,
         theirs=renamed(lambda p: ("val" if p[0] == "valid" else p[0], p[1]))),
    Case("cvat", "cvat", ("box", "polygon", "polyline", "points", "tag", "mask")),
    Case("datumaro", "datumaro", (*DATUMARO, "skeleton")),
    Case("labelme-xml", "label_me", SHAPES[:2] + SHAPES[3:]),
    Case("openimages", "open_images", ("box", "tag", "mask")),
    Case("kitti", "kitti_detection", ("box",), made=PLAIN),
    Case("kitti-segmentation", "kitti_segmentation", ("mask",), made=PLAIN,
         theirs=without("unlabeled")),
    Case("cityscapes", "cityscapes", ("mask",), made=PLAIN,
         theirs=both(without("unlabeled"), renamed(inner))),
    Case("camvid", "camvid", ("mask",), made=PLAIN, theirs=without("Void"), again=""),
    Case("masks", "common_semantic_segmentation_with_subset_dirs", ("mask",), made=FLAT,
         theirs=without("background")),
    Case("masks", "common_semantic_segmentation_with_subset_dirs", ("mask",), made=FLAT,
         options={"encoding": "color"}, theirs=without("background"), again="color"),
    Case("dota", "dota", ("box",), made=PLAIN),
    Case("vott", "vott_json", ("box",), made=FLAT),
    Case("vott", "vott_csv", ("box",), made={**FLAT, **FULL}, options={"file": "csv"}, apart=True),
    Case("mots", "mots", ("mask",), made=PLAIN, changed=True),
    Case("widerface", "wider_face", ("box",), changed=True,
         made={**FULL, "folders": EVENTS, "labels": ONE_WORD}, ours=renamed(inner)),
    Case("icdar", "icdar_text_localization", ("box", "polygon"), changed=True, made=FLAT,
         ours=unlabelled),
    Case("icdar", "icdar_text_segmentation", ("mask",), changed=True, made={**FLAT, **FULL},
         ours=unlabelled),
    Case("imagenet-txt", "imagenet_txt", ("tag",), made={"labels": ONE_WORD},
         theirs=renamed(inner)),
    Case("imagefolder", "imagenet_with_subset_dirs", ("tag",), changed=True,
         made={**FLAT, **FULL, **ONE},
         theirs=renamed(lambda p: (p[0], p[1].replace(":", "/")))),
    Case("mnist", "mnist", ("tag",), changed=True, made=ONE, options={"gzip": True, "size": 28},
         theirs=renamed(lambda p: (p[0], f"{int(p[1]):05d}"))),
    Case("vggface2", "vgg_face2", ("box",), changed=True, made={**PLAIN, **ONE, **FULL,
                                                                 "subsets": ("train",)}),
]  # fmt: skip


def compared(case: Case, dataset: Example, folder: Path) -> None:
    """Write, read with both, compare."""
    write(folder, case.format, dataset, **case.options)
    wanted = ours(case.format, folder) if case.changed else told(dataset)
    assert sum(map(len, wanted.rows.values())) >= 3 * len(case.kinds)
    if case.apart:
        found = Seen()
        for subset in dataset.items:
            part = read(folder / subset, case.peer, subset=subset)
            found.items |= part.items
            found.rows |= part.rows
    else:
        found = read(folder, case.peer)
    same(case.theirs(found), case.ours(wanted), case.tolerance)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_reads_what_we_write(case: Case, tmp_path: Path) -> None:
    """Items, labels and shapes of thirty images are those that were given."""
    compared(case, many(case.kinds, **case.made), tmp_path)
