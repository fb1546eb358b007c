"""The table of built-in formats: name → where its class is, in alphabetical order."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BUILT_IN", "Place"]


class Place(NamedTuple):
    """Where the class of a format is, and what detection can say without importing it.

    One of `suffixes` must occur among the files of a source; (): the format looks in any case.
    """

    where: str
    title: str
    suffixes: tuple[str, ...] = ()


# fmt: off
BUILT_IN: dict[str, Place] = {
    "coco": Place("nbannot.formats.coco:Coco", "COCO", (".json", ".jsonl")),
    "imagefolder": Place("nbannot.formats.imagefolder:ImageFolder", "Image folder"),
    "labelstudio": Place("nbannot.formats.labelstudio:LabelStudio", "Label Studio"),
    "table": Place("nbannot.formats.table:Table", "Table"),
    "voc": Place("nbannot.formats.voc:Voc", "Pascal VOC"),
    "yolo": Place("nbannot.formats.yolo:Yolo", "YOLO (Ultralytics)"),
    "yolo-darknet": Place("nbannot.formats.yolo:YoloDarknet", "YOLO (Darknet)"),
}
# fmt: on
assert list(BUILT_IN) == sorted(BUILT_IN), "the table of formats is not in alphabetical order"
