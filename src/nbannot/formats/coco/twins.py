"""One object that two files of a COCO subset describe, as instances and person_keypoints do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .records import Annotation
from .segmentation import NOTHING

__all__ = ["Twins"]

_Key = tuple[int, Any, int]


class Twins:
    """Objects that a second file of the subset describes too (instances and keypoints, say).

    An object is the same where item, id, category, box and segmentation are. The file with
    keypoints then adds the keypoints only; one that adds nothing is joined.
    """

    def __init__(self) -> None:
        self._second: dict[_Key, bool] = {}  # does it have keypoints there?
        self._met: set[_Key] = set()

    def __bool__(self) -> bool:
        return bool(self._second)

    def expect(self, items: Sequence[int | None], records: Iterable[Annotation]) -> None:
        """Note the objects of a file that is read later."""
        for item, record in zip(items, records, strict=True):
            if item is not None and record.id is not None and (record.bbox or record.segmentation):
                key = _key(item, record)
                has_points = bytes(record.keypoints) not in NOTHING
                self._second[key] = has_points or self._second.get(key, False)

    def meet(self, item: int, record: Annotation) -> bool:
        """Say whether a later file adds keypoints to this object, and remember it."""
        key = _key(item, record)
        if key not in self._second:
            return False
        self._met.add(key)
        return self._second[key]

    def is_known(self, item: int, record: Annotation) -> bool:
        """Say whether this object of a later file was met in the first."""
        return bool(self._met) and _key(item, record) in self._met


def _key(item: int, record: Annotation) -> _Key:
    texts = (bytes(record.bbox), bytes(record.segmentation))
    outline = (record.category_id, *(t.translate(None, b" \t\r\n") for t in texts))
    return item, record.id, hash(outline)
