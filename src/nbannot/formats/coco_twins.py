"""One object that two files of a COCO subset describe, as instances and person_keypoints do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .coco_records import Annotation
from .coco_segmentation import NOTHING

__all__ = ["Twins"]


class Twins:
    """Objects that a second file of the subset describes too (instances and keypoints, say).

    An object is the same where item, id, category, box and segmentation are. The file with
    keypoints then adds the keypoints only; one that adds nothing is joined.
    """

    def __init__(self) -> None:
        self._second: dict[tuple[int, Any], tuple[int, bool]] = {}
        self._matched: set[tuple[int, Any]] = set()

    def __bool__(self) -> bool:
        return bool(self._second)

    def expect(self, items: Sequence[int | None], records: Iterable[Annotation]) -> None:
        """Note the objects of a file that is read later."""
        for item, record in zip(items, records, strict=True):
            if item is not None and record.id is not None:
                has_points = bytes(record.keypoints) not in NOTHING
                self._second[item, record.id] = (_digest(record), has_points)

    def meet(self, item: int, record: Annotation) -> bool:
        """Say whether a later file adds keypoints to this object, and remember it."""
        key = (item, record.id)
        digest, has_points = self._second.get(key, (None, False))
        if digest is None or digest != _digest(record):
            return False
        self._matched.add(key)
        return has_points

    def is_known(self, item: int, record: Annotation) -> bool:
        """Say whether this object of a later file was met in the first."""
        key = (item, record.id)
        return key in self._matched and self._second[key][0] == _digest(record)


def _digest(record: Annotation) -> int:
    texts = (bytes(record.bbox), bytes(record.segmentation))
    return hash((record.category_id, *(t.translate(None, b" \t\r\n") for t in texts)))
