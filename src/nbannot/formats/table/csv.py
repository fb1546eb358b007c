"""CSV and its kin as a table of strings: every cell as it is written, every line accounted for.

Nothing is guessed about values: "NA", "nan" and "007" are text. Delimiter, encoding and header are
found out, or given. Files without surprises are parsed by Arrow in parallel; where quotes are out
of order or lines have too few or too many cells, Python's csv module goes line by line.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from ...errors import BrokenFileError, OptionError
from ...ledger import Ledger
from ...media.kinds import kind_of
from .names import is_known_name

__all__ = ["CsvTable", "read_csv"]

DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_BYTES = 64 * 1024
_SEP = re.compile(rb"sep=(.)\r?\n", re.IGNORECASE)


@dataclass
class CsvTable:
    """A table of strings (null: an empty cell), and the line on which each row begins."""

    table: pa.Table
    lines: NDArray[np.int64]
    delimiter: str
    has_header: bool
    broken_cells: list[tuple[int, str]] = field(default_factory=list)  # (line, what was mended)


def read_csv(
    data: bytes,
    file: str,
    ledger: Ledger,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: str = "auto",
    whole: bool = True,
) -> CsvTable:
    """Return the table in a CSV file; lines with a wrong number of cells are rejected records.

    Args:
        data: the file, or with ``whole=False`` only its beginning, whose last line may be cut.
        file: its name, for the ledger.
        ledger: where notes and rejections go.
        delimiter: of cells; None: found out among comma, semicolon, tab and bar.
        encoding: None: UTF-8, UTF-16 with a byte order mark, else Windows-1252, which is noted.
        header: ``"yes"``, ``"no"`` or ``"auto"``.
        whole: is `data` all of the file?

    Raises:
        BrokenFileError: a quote is opened and never closed; the message names the line.
        OptionError: the encoding is unknown, or not that of the file.
    """
    data = _as_utf8(data, file, encoding, ledger, whole=whole)
    if not whole:
        data = data[: data.rfind(b"\n") + 1] or data
    first_line = 1
    said = _SEP.match(data[:16])
    if said:
        delimiter = delimiter or said[1].decode("latin-1")
        data, first_line = data[said.end() :], 2
        ledger.note(
            "first line names the delimiter", file=file, where="line 1",
            message=f"the first line is {said[0].decode('latin-1').strip()!r}, as Excel writes it",
        )  # fmt: skip
    data, broken = _without_nul(data, first_line)
    delimiter = delimiter or _sniff(data)
    if len(delimiter) != 1 or not delimiter.isascii():
        raise OptionError(f"delimiter= can't be {delimiter!r}", hint="Give one character.")
    sample = _first_rows(data, delimiter)
    if not sample:
        return CsvTable(pa.table({}), np.empty(0, np.int64), delimiter, has_header=False)
    has_header = header == "yes" or (header != "no" and _looks_like_header(sample))
    names = _names(sample, file, ledger, has_header=has_header)
    table, lines = _fast(data, delimiter, names, has_header=has_header)
    if table is None:
        table, lines = _careful(
            data.decode(), file, delimiter, names, ledger, has_header=has_header, whole=whole,
            first_line=first_line,
        )  # fmt: skip
    else:
        lines = lines + first_line - 1
    table = _trimmed(table, sample)
    if delimiter != ",":
        table = _with_points(table, file, ledger)
    return CsvTable(table, lines, delimiter, has_header, broken)


# -- bytes to text --------------------------------------------------------------------


def _as_utf8(data: bytes, file: str, encoding: str | None, ledger: Ledger, *, whole: bool) -> bytes:
    if encoding is None and data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encoding = "utf-16"
    if encoding is not None:
        try:
            text = data.decode(encoding, "strict" if whole else "ignore")
        except (UnicodeDecodeError, LookupError) as error:
            raise OptionError(
                f"{file} can't be read with encoding={encoding!r}: {error}",
                hint="Leave it out, or name the file's encoding.",
            ) from None
        return text.removeprefix("\ufeff").encode("utf-8", "replace")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if not whole and error.start > len(data) - 4:
            return data[: error.start]
        line = data.count(b"\n", 0, error.start) + 1
        ledger.note(
            "file is not UTF-8", file=file, where=f"line {line}",
            message=f"line {line} is not UTF-8; the file is read as Windows-1252 "
            "(say otherwise with encoding=)",
        )  # fmt: skip
        try:
            return data.decode("cp1252").encode()
        except UnicodeDecodeError:
            return data.decode("latin-1").encode()
    return data


def _without_nul(data: bytes, first_line: int) -> tuple[bytes, list[tuple[int, str]]]:
    broken = []
    at = data.find(b"\0")
    while at >= 0:
        broken.append((data.count(b"\n", 0, at) + first_line, "a NUL, replaced by U+FFFD"))
        at = data.find(b"\0", at + 1)
    return (data.replace(b"\0", "\ufffd".encode()) if broken else data), broken


# -- what the first lines tell --------------------------------------------------------


@contextmanager
def _long_cells() -> Iterator[None]:
    # The csv module stops at 131,072 characters in a cell, unless told otherwise.
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _first_rows(data: bytes, delimiter: str, count: int = 50) -> list[list[str]]:
    head = data[:_SAMPLE_BYTES]
    whole = len(head) == len(data)
    text = head.decode("utf-8", "ignore")
    rows = []
    with _long_cells():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) > count:
                return rows[:count]
    return rows if whole or len(rows) < 2 else rows[:-1]  # the last may be cut


def _sniff(data: bytes) -> str:
    best, best_rank = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        rows = _first_rows(data, delimiter, 20)
        counts = [len(row) for row in rows]
        if not counts:
            continue
        usual = max(set(counts), key=lambda n: (counts.count(n), n))
        if usual > 1:
            rank = (round(counts.count(usual) / len(counts), 1), usual)
            if rank > best_rank:
                best, best_rank = delimiter, rank
    return best


def _is_number(text: str) -> bool:
    try:
        float(text.strip().replace(",", "."))
    except ValueError:
        return False
    return True


def _looks_like_header(rows: Sequence[Sequence[str]]) -> bool:
    first = [cell.strip() for cell in rows[0]]
    if any(kind_of(cell) != "other" for cell in first) or any(_is_number(c) for c in first if c):
        return False
    if any(is_known_name(cell) for cell in first):
        return True
    for i, name in enumerate(first):
        column = [row[i] for row in rows[1:] if len(row) > i and row[i].strip()]
        if column and all(map(_is_number, column)):
            return True  # numbers below a word
        if column and any(kind_of(cell) != "other" for cell in column) and name:
            return True  # file names below a word
    return len(set(first)) == len(first)


def _names(
    rows: Sequence[Sequence[str]], file: str, ledger: Ledger, *, has_header: bool
) -> list[str]:
    widths = [len(row) for row in rows]
    width = max(set(widths[has_header:] or widths), key=widths.count)
    if not has_header:
        return [f"column {i + 1}" for i in range(width)]
    given = [cell.strip() for cell in rows[0]]
    if width == len(given) + 1 and len(rows) > 2 and all(n == width for n in widths[1:]):
        given = ["", *given]  # R and others leave out the name of the row names
    names: list[str] = []
    for i, name in enumerate(given):
        name = name or f"column {i + 1}"
        free, n = name, 1
        while free in names:
            n += 1
            free = f"{name} ({n})"
        if free != name:
            ledger.note(
                "two columns have one name", file=file, where="line 1",
                message=f"two columns are called {name!r}; the second is taken as {free!r}",
            )  # fmt: skip
        names.append(free)
    return names


# -- cells ----------------------------------------------------------------------------


def _fast(
    data: bytes, delimiter: str, names: Sequence[str], *, has_header: bool
) -> tuple[pa.Table | None, NDArray[np.int64]]:
    # (table, line of each row), or (None, ...) where something is out of order
    none = np.empty(0, np.int64)
    starts, broken_lines = None, False
    uneven = b"\n\n" in data or b"\n\r\n" in data or data[:1] in (b"\n", b"\r")
    if uneven or b'"' in data:
        found = _record_lines(data, delimiter)
        if found is None:
            return None, none
        starts, broken_lines = found
    elif b"\r" in data.replace(b"\r\n", b""):
        return None, none  # old Macintosh line ends
    columns = [f"f{i}" for i in range(len(names))]
    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(data),
            read_options=arrow_csv.ReadOptions(
                autogenerate_column_names=True, block_size=max(1 << 20, _longest(data) * 2)
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=broken_lines, ignore_empty_lines=True
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()),
                strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=False,
            ),
        )  # fmt: skip
    except pa.ArrowInvalid:
        return None, none
    if table.column_names != columns:
        return None, none
    if starts is None:
        starts = np.arange(1, table.num_rows + 1)
    elif len(starts) != table.num_rows:
        return None, none
    table = table.slice(int(has_header)).rename_columns(list(names))
    return table, starts[has_header:].astype(np.int64)


def _longest(data: bytes) -> int:
    # Of the lines, roughly: Arrow wants a block to hold more than one.
    if len(data) < 1 << 20:
        return len(data)
    breaks = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
    return int(np.diff(breaks, prepend=-1, append=len(data)).max())


def _record_lines(data: bytes, delimiter: str) -> tuple[NDArray[np.int64], bool] | None:
    """Return the line on which each record begins, and whether a cell holds a line break.

    None where a quote is out of order: one that neither opens nor closes a cell.
    """
    text = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(text == 34)
    if len(quotes) % 2:
        return None
    ends = np.zeros(256, bool)
    ends[[10, 13, ord(delimiter)]] = True
    opens, closes = quotes[::2], quotes[1::2]
    doubled = opens[1:] == closes[:-1] + 1  # "" within a cell
    before = ends[text[opens - 1]]
    after = ends[text[np.minimum(closes + 1, len(text) - 1)]]
    if len(quotes):
        before[0] |= opens[0] == 0
        after[-1] |= closes[-1] == len(text) - 1
        before[1:] |= doubled
        after[:-1] |= doubled
    if not (before.all() and after.all()):
        return None
    breaks = np.flatnonzero(text == 10)
    inside = np.searchsorted(quotes, breaks) % 2 == 1
    begins = np.concatenate([[0], breaks[~inside] + 1])
    begins = begins[begins < len(text)]
    # A line with nothing on it is no record.
    first = text[begins]
    second = text[np.minimum(begins + 1, len(text) - 1)]
    empty = (first == 10) | ((first == 13) & (second == 10))
    lines: NDArray[np.int64] = np.searchsorted(breaks, begins[~empty]) + 1
    return lines, bool(inside.any())


def _careful(
    text: str,
    file: str,
    delimiter: str,
    names: Sequence[str],
    ledger: Ledger,
    *,
    has_header: bool,
    whole: bool,
    first_line: int,
) -> tuple[pa.Table, NDArray[np.int64]]:
    width = len(names)
    rows: list[list[str]] = []
    lines: list[int] = []
    with _long_cells():
        records = _records(text, file, delimiter, ledger, first_line, whole=whole)
        if has_header:
            next(records, None)
        for line, row in records:
            while len(row) > width and not row[-1].strip():
                row.pop()  # delimiters at the end of a line
            if len(row) == width:
                rows.append(row)
                lines.append(line)
                continue
            ledger.read()
            many = "many" if len(row) > width else "few"
            ledger.reject(
                f"line has too {many} cells", file=file, where=f"line {line}",
                record=f"line {line}", message=f"it has {len(row)} cells instead of {width}",
            )  # fmt: skip
    columns = list(zip(*rows, strict=True)) if rows else [()] * width
    arrays = [pa.array([c or None for c in column], pa.string()) for column in columns]
    return pa.table(arrays, names=list(names)), np.array(lines, np.int64)


def _records(
    text: str, file: str, delimiter: str, ledger: Ledger, first_line: int, *, whole: bool
) -> Iterator[tuple[int, list[str]]]:
    # (line, cells) of each record; a quote out of order is mended within one line only
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[str] | None = None
    while True:
        start = reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line = start + first_line
            if reader.line_num - start > 1 or "unexpected end" in str(error):
                if not whole:
                    return
                raise BrokenFileError(
                    "A quote is opened and never closed",
                    where=f"{file}, line {line}",
                    hint='Close it, or double a " that belongs to the text.',
                ) from None
            lines = text.splitlines() if lines is None else lines
            row = next(csv.reader([lines[start]], delimiter=delimiter))
            ledger.note(
                "quote within a cell", file=file, where=f"line {line}",
                message=f"line {line} has a quote within a cell; it is taken as written",
            )  # fmt: skip
        if row:
            yield start + first_line, row


def _trimmed(table: pa.Table, sample: Sequence[Sequence[str]]) -> pa.Table:
    # Some write ", " between cells: then the space belongs to the delimiter.
    for i, name in enumerate(table.column_names):
        cells = [row[i] for row in sample if len(row) > i and row[i]]
        if i and cells and all(cell.startswith(" ") for cell in cells):
            column = pc.utf8_ltrim(table[name], characters=" ")
            table = table.set_column(i, name, pc.if_else(pc.equal(column, ""), None, column))
    return table


def _with_points(table: pa.Table, file: str, ledger: Ledger) -> pa.Table:
    # Where a comma does not part cells, it parts the digits of numbers.
    for i, name in enumerate(table.column_names):
        column = table.column(i)
        numbers = pc.match_substring_regex(column, r"^[+-]?\d*(,\d+)?([eE][+-]?\d+)?$")
        commas = pc.any(pc.match_substring(column, ",")).as_py()
        if commas and pc.all(numbers).as_py():
            table = table.set_column(i, name, pc.replace_substring(column, ",", "."))
            ledger.note(
                "decimal comma", file=file,
                message=f"the numbers in {name!r} have a comma, which is read as a point",
            )  # fmt: skip
    return table
