"""The tables of CelebA: a name of an image and numbers per line, as text or as CSV."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from ...media.kinds import IMAGE_SUFFIXES
from ...sources.base import Source
from ..text_lines import lines_of

__all__ = ["Rows", "TableFile", "cells_of", "find_tables", "parse_table"]

_SUFFIXES = "|".join(re.escape(s[1:]) for s in IMAGE_SUFFIXES)
_ROW = re.compile(rf"\"?(.+?\.(?:{_SUFFIXES}))\"?(?:\s*,\s*|\s+)(\S.*)", re.IGNORECASE)
_NAMES = re.compile(
    r"(?:(?:anno|eval|annotations?)/)?"
    r"(identity_celeba|list_(?:attr|bbox|eval_partition|landmarks(?:_align)?)(?:_celeba)?)"
    r"\.(?:txt|csv)",
    re.IGNORECASE,
)
_KINDS = {
    "identity": "identity", "list_attr": "attr", "list_bbox": "bbox",
    "list_eval_partition": "partition", "list_landmarks_align": "landmarks_align",
    "list_landmarks": "landmarks",
}  # fmt: skip


@dataclass(frozen=True)
class TableFile:
    """A table: its path, and what it holds."""

    path: str
    kind: str


@dataclass
class Rows:
    """The rows of a table: line, name of the image, values; `columns` are those of the header.

    `bad` are lines that are no rows.
    """

    rows: list[tuple[int, str, str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    bad: list[int] = field(default_factory=list)
    count: int | None = None


def find_tables(source: Source) -> list[TableFile]:
    """Return the tables of a source: at its root, or in Anno and Eval."""
    if source.main is not None:
        match = _NAMES.fullmatch(source.main.rpartition("/")[2])
        return [TableFile(source.main, _kind(match[1]))] if match else []
    found: dict[str, TableFile] = {}
    for path in source.files.with_suffix(".txt", ".csv"):
        match = _NAMES.fullmatch(path)
        if match and _kind(match[1]) not in found:
            found[_kind(match[1])] = TableFile(path, _kind(match[1]))
    return list(found.values())


def _kind(name: str) -> str:
    return _KINDS[name.lower().removesuffix("_celeba")]


def cells_of(values: str) -> list[str]:
    """Return the values of a row, one by one."""
    return [c.strip() for c in values.split(",")] if "," in values else values.split()


def parse_table(data: bytes, wanted: Collection[str] | None = None) -> Rows:
    r"""Return the rows of a table; before them may stand their number, and a header.

    >>> made = parse_table(b"1\nimage_id x_1 y_1 width height\na.jpg   95 71 226 313\n")
    >>> made.rows, made.columns[0]
    ([(3, 'a.jpg', '95 71 226 313')], 'image_id')

    Args:
        data: the file.
        wanted: names of images; rows of others may be left out.
    """
    made = Rows()
    begins = None if wanted is None else {_first(name) for name in wanted}
    for number, line in lines_of(data):
        if begins is not None and made.rows and _first(line) not in begins:
            continue
        match = _ROW.fullmatch(line)
        if match:
            values = match[2].strip().strip(",")
            made.rows.append((number, match[1].replace("\\", "/"), values))
        elif not made.rows and made.count is None and not made.columns and line.isdecimal():
            made.count = int(line[:18])
        elif not made.rows and not made.columns:
            made.columns = [c.strip('"') for c in cells_of(line)]
        else:
            made.bad.append(number)
    return made


def _first(line: str) -> str:
    # What stands before the first space or comma.
    return line.split(None, 1)[0].partition(",")[0].strip('"').replace("\\", "/")
