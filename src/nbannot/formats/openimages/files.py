"""The files of Open Images: what each is, by its columns, and reading them by columns."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from ...errors import BrokenFileError
from ...ledger import Ledger
from ...sources.base import Source
from ..text_lines import text_of

__all__ = ["BOXES", "LABELS", "LISTS", "MASKS", "BadRow", "kind_of_header", "subset_of", "tables"]

BOXES, LABELS, MASKS, LISTS, OTHER = "boxes", "labels", "masks", "lists", "other"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_PREFIX = re.compile(
    r"^(?:oidv\d+-|challenge-\d+-)?(.+?)-(?:annotations|images|image|localized|point)"
)


class BadRow(list[str]):
    """The cells of a row that has too many or too few; its `number`, the first row being 1."""

    number = 0


def kind_of_header(text: str) -> str:
    """Return what a CSV file lists, by its first lines, "" where it is none of Open Images.

    >>> kind_of_header("ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax")
    'boxes'
    """
    names = set(_distinct(header(text)))
    if "imageid" not in names:
        return ""
    if {"maskpath", "labelname"} <= names:
        return MASKS
    if "labelname1" in names:
        return OTHER
    if "labelname" in names:
        return BOXES if {"xmin", "xmax", "ymin", "ymax"} <= names else LABELS
    if names & {"rotation", "originalurl", "subset"}:
        return LISTS
    return OTHER if {"x", "y", "label"} <= names else ""


def subset_of(file: str) -> str | None:
    """Return the subset that the name of a file says.

    >>> subset_of("annotations/oidv6-train-annotations-bbox.csv"), subset_of("a.csv")
    ('train', None)
    """
    match = _PREFIX.match(file.rpartition("/")[2])
    return match[1] if match else None


def tables(
    source: Source, file: str, ledger: Ledger
) -> Iterator[tuple[pa.Table, NDArray[np.int64], list[BadRow]]]:
    """Yield the rows of a CSV file piece by piece: (texts by column, numbers of rows, bad rows).

    Columns are called in lower case. Rows that have too many or too few cells come apart. Bytes
    that are no UTF-8 are replaced, which the ledger notes.

    Raises:
        BrokenFileError: the file can't be parsed.
    """
    bad: list[BadRow] = []

    def keep(row: Any) -> str:
        bad.append(BadRow(next(csv.reader([row.text]), [])))
        bad[-1].number = row.number - 1
        return "skip"

    with source.open(file) as raw:
        head = raw.read(64 * 1024)
        raw.seek(0)
        names = header(text_of(head))
        if not names:
            return
        text = _Utf8(raw, "utf-16" if head[:2] in _UTF16 else "utf-8-sig")
        options = {
            "read_options": pa_csv.ReadOptions(
                use_threads=False, column_names=_distinct(names), skip_rows=1
            ),
            "parse_options": pa_csv.ParseOptions(invalid_row_handler=keep),
            "convert_options": pa_csv.ConvertOptions(
                column_types=dict.fromkeys(_distinct(names), pa.string()),
                strings_can_be_null=False,
            ),
        }
        first = 1
        wrong: list[int] = []
        try:
            for batch in pa_csv.open_csv(io.BufferedReader(text, 1 << 20), **options):
                taken, bad[:] = list(bad), []
                wrong += [row.number for row in taken]
                numbers = _numbers(first, batch.num_rows, wrong)
                first = int(numbers[-1]) + 1 if len(numbers) else first
                yield pa.Table.from_batches([batch]), numbers, taken
        except pa.ArrowException as error:
            if "Empty CSV" not in str(error):
                raise BrokenFileError(
                    f"The file is no CSV that can be read: {error}", where=file,
                    hint="Download it again.",
                ) from None  # fmt: skip
        if bad:
            empty = pa.table({n: pa.array([], pa.string()) for n in _distinct(names)})
            yield empty, np.empty(0, np.int64), list(bad)
        if text.replaced:
            ledger.note(
                "file is not UTF-8", file=file,
                message=f"{file} holds bytes that are not UTF-8, replaced by U+FFFD",
            )  # fmt: skip


def _numbers(first: int, count: int, wrong: Sequence[int]) -> NDArray[np.int64]:
    # The numbers of `count` good rows from `first` on, the wrong ones between them left out.
    some = np.arange(first, first + count + len(wrong), dtype=np.int64)
    return some[~np.isin(some, wrong)][:count]


class _Utf8(io.RawIOBase):
    """A text file of any kind as UTF-8, which is all that Arrow reads."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._waiting = b""
        self._ended = self.replaced = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._waiting and not self._ended:
            data = self._stream.read(1 << 20)
            self._ended = not data
            text = self._decoder.decode(data, final=not data)
            self.replaced = self.replaced or "\ufffd" in text
            self._waiting = text.encode("utf-8", "replace")
        count = min(len(buffer), len(self._waiting))
        buffer[:count] = self._waiting[:count]
        self._waiting = self._waiting[count:]
        return count


def _distinct(names: Sequence[str]) -> list[str]:
    # In lower case; a second column of a name, or one without, is called by its place.
    out: list[str] = []
    for place, name in enumerate(names):
        lower = name.strip().lower()
        out.append(lower if lower and lower not in out else f"{lower} {place}")
    return out


def header(text: str) -> list[str]:
    """Return the names of the columns, as they are written, by the first lines of a file."""
    line = re.split(r"[\r\n]", text.lstrip("\ufeff"), maxsplit=1)[0]
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []
