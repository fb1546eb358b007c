"""What the names and the pairs of LFW say."""

from __future__ import annotations

import re

from ...media.kinds import suffix

__all__ = [
    "NEGATIVE", "PERSON_IMAGE", "POSITIVE", "TABLE", "image_of", "parse_pair", "stem_of",
]  # fmt: skip

TABLE = re.compile(
    r"(?:^|/)(pairs|people|landmarks)(DevTrain|DevTest|_[^/]+)?\.txt$", re.IGNORECASE
)
"""The tables: what they hold, and which part of the people."""

PERSON_IMAGE = re.compile(r"(?:.*/)?([^/]+)/\1_([0-9]{1,9})")
"""An image that is called after its folder, without its suffix."""

POSITIVE, NEGATIVE = "positive_pairs", "negative_pairs"
"""Attributes of a tag: images of the same person, and of others."""


def stem_of(path: str) -> str:
    """Return a path without its suffix."""
    return path[: len(path) - len(suffix(path))]


def parse_pair(line: str) -> tuple[str, str, bool] | None:
    r"""Return both keys without suffix, and whether they show one person.

    >>> parse_pair("Ann_B\t1\t4"), parse_pair("Ann_B\t1\tCid\t12")
    (('Ann_B/Ann_B_0001', 'Ann_B/Ann_B_0004', True), ('Ann_B/Ann_B_0001', 'Cid/Cid_0012', False))
    """
    cells = [cell.strip() for cell in line.split("\t") if cell.strip()]
    if len(cells) not in (3, 4):
        cells = line.split()
    if len(cells) == 3:
        cells = [cells[0], cells[1], cells[0], cells[2]]
        same = True
    elif len(cells) == 4:
        same = False
    else:
        return None
    if not (cells[1].isdecimal() and cells[3].isdecimal()):
        return None
    return image_of(cells[0], int(cells[1][:9])), image_of(cells[2], int(cells[3][:9])), same


def image_of(name: str, number: int) -> str:
    """Return the key, without suffix, of an image of somebody."""
    return f"{name}/{name}_{number:04d}"
