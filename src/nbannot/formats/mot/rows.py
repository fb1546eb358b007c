"""The rows of gt.txt and det.txt as columns: fast where they are clean, line by line where not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from ..text_lines import lines_of, text_of

__all__ = ["OFFICIAL_CLASSES", "Rows", "parse_rows"]

OFFICIAL_CLASSES = (
    "pedestrian", "person on vehicle", "car", "bicycle", "motorbike", "non motorized vehicle",
    "static person", "distractor", "occluder", "occluder on the ground", "occluder full",
    "reflection", "crowd",
)  # fmt: skip
"""The classes 1 to 13 of MOT16, MOT17 and MOT20."""

_MOST_COLUMNS = 10
_FEWEST_COLUMNS = 6

Bad = tuple[int, str, str]


@dataclass
class Rows:
    """Rows as columns.

    `frame` and `id` are whole numbers; `box` has the columns left, top, width, height;
    `confidence`, `kind` (the class) and `visibility` are NaN where a row has none; `line` is the
    line of each row, from 1. `bad` are the lines that are no rows: line, reason, sentence.
    `header` is a first line of names, "" where there is none.
    """

    frame: NDArray[np.int64]
    id: NDArray[np.int64]
    box: NDArray[np.float64]
    confidence: NDArray[np.float64]
    kind: NDArray[np.float64]
    visibility: NDArray[np.float64]
    line: NDArray[np.int64]
    bad: list[Bad] = field(default_factory=list)
    header: str = ""

    def __len__(self) -> int:
        return len(self.frame)

    def keep(self, which: NDArray[np.bool_]) -> Rows:
        """Return the rows of which it is True, and nothing bad."""
        names = ("frame", "id", "box", "confidence", "kind", "visibility", "line")
        return Rows(*(getattr(self, name)[which] for name in names))


def parse_rows(data: bytes) -> Rows:
    """Return the rows of a file: numbers separated by commas, or by semicolons or white space."""
    fast = _parse_fast(data)
    return _parse_slowly(data) if fast is None else fast


def _parse_fast(data: bytes) -> Rows | None:
    data = data.rstrip().removeprefix(b"\xef\xbb\xbf")
    count = data.split(b"\n", 1)[0].count(b",") + 1
    if not _FEWEST_COLUMNS <= count <= _MOST_COLUMNS:
        return None
    for first in (pa.int64(), pa.float64()):
        table = _read_csv(data, count, first)
        if table is not None:
            break
    else:
        return None
    columns = [table[name].to_numpy() for name in table.column_names]
    numbers = []
    for column in columns[:2]:
        if column.dtype != np.int64:
            whole = np.isfinite(column) & (np.abs(column) < 2**53)
            if not (whole.all() and (column == np.floor(column)).all()):
                return None
        numbers.append(column.astype(np.int64))
    lines = np.arange(1, len(table) + 1)
    counts = np.full(len(table), count)
    rest = np.full((len(table), _MOST_COLUMNS), np.nan)
    for i, column in enumerate(columns[2:], 2):
        rest[:, i] = column
    return _rows(numbers[0], numbers[1], rest, counts, lines)


def _read_csv(data: bytes, count: int, first: Any) -> pa.Table | None:
    names = [str(i) for i in range(count)]
    types = {name: first if i < 2 else pa.float64() for i, name in enumerate(names)}
    try:
        return pyarrow.csv.read_csv(
            pa.BufferReader(data),
            read_options=pyarrow.csv.ReadOptions(column_names=names),
            parse_options=pyarrow.csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            convert_options=pyarrow.csv.ConvertOptions(column_types=types, null_values=[]),
        )
    except pa.ArrowInvalid:
        return None


def _parse_slowly(data: bytes) -> Rows:
    frames: list[int] = []
    ids: list[int] = []
    values: list[list[float]] = []
    counts: list[int] = []
    lines: list[int] = []
    bad: list[Bad] = []
    header = ""
    for number, line in lines_of(text_of(data)):
        cells = _cells(line)
        if not lines and not bad and not header and not any(_is_number(c) for c in cells):
            header = line
            continue
        problem = _problem(cells)
        if problem:
            bad.append((number, *problem))
            continue
        cells = cells[:_MOST_COLUMNS]
        frames.append(_whole(cells[0]) or 0)
        ids.append(_whole(cells[1]) or 0)
        values.append([float(c) for c in cells] + [np.nan] * (_MOST_COLUMNS - len(cells)))
        counts.append(len(cells))
        lines.append(number)
    table = np.asarray(values, np.float64).reshape(-1, _MOST_COLUMNS)
    rows = _rows(
        np.asarray(frames, np.int64), np.asarray(ids, np.int64), table,
        np.asarray(counts, np.int64), np.asarray(lines, np.int64),
    )  # fmt: skip
    rows.bad, rows.header = bad, header
    return rows


def _cells(line: str) -> list[str]:
    for separator in (",", ";"):
        if separator in line:
            cells = [c.strip() for c in line.split(separator)]
            return cells[:-1] if not cells[-1] else cells
    return line.split()


def _problem(cells: list[str]) -> tuple[str, str] | None:
    if len(cells) < _FEWEST_COLUMNS:
        text = f"it has {len(cells)} columns; frame, id, left, top, width and height are 6"
        return "row has too few columns", text
    if len(cells) > _MOST_COLUMNS:
        return "row has too many columns", f"it has {len(cells)} columns; {_MOST_COLUMNS} at most"
    wrong = [c for c in cells if not _is_number(c)]
    if wrong:
        return "row is not numbers", f"{wrong[0]!r} is not a number"
    for name, cell in (("frame", cells[0]), ("id", cells[1])):
        if _whole(cell) is None:
            return f"{name} is not a whole number", f"its {name} is {cell}"
    return None


def _is_number(cell: str) -> bool:
    return _try(float, cell) is not None


def _whole(cell: str) -> int | None:
    number = _try(int, cell)
    if number is None:
        value = _try(float, cell)
        number = int(value) if value is not None and abs(value) < 2**53 and value % 1 == 0 else None
    return number if number is not None and -(2**63) <= number < 2**63 else None


def _try(kind: Callable[[str], Any], cell: str) -> Any:
    try:
        return kind(cell)
    except ValueError:
        return None


def _rows(
    frame: NDArray[np.int64],
    id: NDArray[np.int64],
    table: NDArray[np.float64],
    counts: NDArray[np.int64],
    lines: NDArray[np.int64],
) -> Rows:
    # With 10 columns, the last three are x, y, z of the world: MOT15, which has no classes.
    world = counts == _MOST_COLUMNS
    kind, visibility = table[:, 7].copy(), table[:, 8].copy()
    kind[world] = np.nan
    visibility[world] = np.nan
    return Rows(frame, id, table[:, 2:6], table[:, 6], kind, visibility, lines)
