"""What a number of MOTS means: class * 1000 + instance."""

from __future__ import annotations

import re

__all__ = [
    "CLASS_STEP", "IGNORED", "IGNORED_LABEL", "OFFICIAL_CLASSES", "ROW", "class_name",
]  # fmt: skip

CLASS_STEP = 1000
IGNORED = 10_000
"""The number of pixels that are not to be judged."""

IGNORED_LABEL = "ignore region"
OFFICIAL_CLASSES = ("car", "pedestrian")
"""The classes 1 and 2 of KITTI MOTS and MOTS Challenge."""

ROW = re.compile(r"(-?\d+)\s+(-?\d+)\s+(-?\d+)\s+(\d+)\s+(\d+)\s+(\S+)")
"""A line of MOTS txt: frame, object id, class, height, width, run lengths."""


def class_name(number: int, names: tuple[str, ...] | None) -> str | None:
    """Return the name of class `number` (from 1); None where `names` has none.

    >>> class_name(2, None), class_name(7, None), class_name(3, ("a", "b"))
    ('pedestrian', 'class 7', None)
    """
    if names is not None:
        return names[number - 1] if 1 <= number <= len(names) else None
    if 1 <= number <= len(OFFICIAL_CLASSES):
        return OFFICIAL_CLASSES[number - 1]
    return f"class {number}"
