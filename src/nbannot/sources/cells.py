"""The kinds of file that hold media inside, and how the bytes of one are got."""

from __future__ import annotations

import csv
import io
import weakref
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from ..errors import SourceError
from . import idx, pickles, tfrecord
from .inside import Cells
from .limits import Limits

__all__ = ["CELLS", "csv_image", "png"]


class _File:
    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        # Closed with the source, or when nobody reads from it any more.
        self.close = weakref.finalize(self, stream.close)


class ParquetCells(_File):
    """A parquet file: ``<column>/<row>``, a column of bytes or of struct<bytes, path>."""

    def __init__(self, stream: BinaryIO) -> None:
        import pyarrow.parquet as pq

        super().__init__(stream)
        self._file = pq.ParquetFile(stream)
        meta = self._file.metadata
        rows = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
        self._starts = [0, *np.cumsum(rows).tolist()]
        self._at: tuple[str, int] | None = None
        self._values: Any = None

    def read(self, *place: str) -> bytes:
        """Return the bytes in a cell; the row group is kept for the next one."""
        column, row = place[0], int(place[1])
        group = bisect_right(self._starts, row) - 1
        if not 0 <= group < len(self._starts) - 1:
            raise ValueError(f"no row {row}")
        if self._at != (column, group):
            self._values = self._group(column, group)
            self._at = column, group
        data = self._values[row - self._starts[group]].as_py()
        if not isinstance(data, bytes):
            raise SourceError(f"Row {row} of column {column} holds no bytes")
        return data

    def _group(self, column: str, group: int) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = self._file.schema_arrow.field(column).type
        nested = pa.types.is_struct(kind)
        name = f"{column}.bytes" if nested else column
        meta = self._file.metadata.row_group(group)
        chunks = [meta.column(i) for i in range(meta.num_columns)]
        size = sum(c.total_uncompressed_size for c in chunks if c.path_in_schema == name)
        if size > Limits().member_bytes:
            raise SourceError(f"Row group {group} of column {column} is too large to be read")
        values = self._file.read_row_group(group, columns=[name]).column(0)
        return pc.struct_field(values, "bytes") if nested else values


class RecordCells(_File):
    """A TFRecord file: ``<offset of the record>/<feature>/<number of the value>``."""

    def read(self, *place: str) -> bytes:
        """Return one bytes value of a record."""
        self.stream.seek(int(place[0]))
        _, payload, _ = next(tfrecord.records(self.stream, start=int(place[0]), check=False))
        value = tfrecord.parse_example(payload)[place[1]][int(place[2])]
        if not isinstance(value, bytes):
            raise SourceError(f"{place[1]} of the record at {place[0]} holds no bytes")
        return value


class IdxCells(_File):
    """An idx file of images, gzipped or not: ``<number>``, as PNG."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self._images = idx.IdxFile(stream)

    def read(self, *place: str) -> bytes:
        """Return one image as PNG."""
        return png(self._images[int(place[0])])


class CsvCells(_File):
    """MNIST as CSV: ``<number>`` of a row of pixels, as PNG."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        text = io.TextIOWrapper(stream, "utf-8-sig", "replace", newline="")
        self._text, self._rows = text, csv.reader(text)
        self._next = 0

    def read(self, *place: str) -> bytes:
        """Return one image as PNG; rows are read in order, going back begins anew."""
        wanted = int(place[0])
        if wanted < self._next:
            self._text.seek(0)
            self._rows, self._next = csv.reader(self._text), 0
        for row in self._rows:
            self._next += 1
            if self._next == wanted + 1:
                return png(csv_image(row))
        raise ValueError(f"no row {wanted}")


class CifarCells(_File):
    """A batch of CIFAR: ``<number>`` of an image of 3 planes, as PNG."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        if stream.seek(0, io.SEEK_END) > Limits().member_bytes:
            raise SourceError("The batch is too large to be read at once")
        stream.seek(0)
        batch = pickles.loads(stream.read())
        self._images = pickles.images(batch)

    def read(self, *place: str) -> bytes:
        """Return one image as PNG."""
        image = self._images[int(place[0])]
        if image is None:
            raise ValueError("no pixels")
        return png(image)


def csv_image(row: list[str]) -> Any:
    """Return the pixels of a row ``label, pixel, pixel, ...``, which must be a square.

    Raises:
        ValueError: they are not numbers from 0 to 255, or no square.
    """
    values = np.array([int(cell) for cell in row[1:]], np.int64)
    side = int(len(values) ** 0.5)
    if not side or side * side != len(values):
        raise ValueError(f"{len(values)} pixels are no square")
    if values.min() < 0 or values.max() > 255:
        raise ValueError("a pixel is not from 0 to 255")
    return values.astype(np.uint8).reshape(side, side)


def png(pixels: Any) -> bytes:
    """Return pixels, shape (h, w) or (h, w, 3), as PNG."""
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels, np.uint8)).save(out, "PNG", compress_level=1)
    return out.getvalue()


CELLS: Mapping[str, Callable[[BinaryIO], Cells]] = {
    "parquet": ParquetCells,
    "tfrecord": RecordCells,
    "idx": IdxCells,
    "mnist-csv": CsvCells,
    "cifar": CifarCells,
}
