"""Rows of a table as items and annotations, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...ledger import Ledger
from ...schema import ANNOTATIONS, ITEMS, Batch, Label
from ...schema import table as as_table
from ...sources.base import Source
from .boxes import OUTSIDE_PX, Boxes, read_boxes
from .cells import (
    as_int32,
    as_text,
    flags_of,
    json_objects,
    numbers_of,
    split_labels,
    without_nan,
)
from .items import SAMPLE_IMAGES, Images, MediaFinder, group_rows
from .roles import Roles

__all__ = ["TablePart", "read_rows"]

BATCH_ROWS = 500_000
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class TablePart:
    """A table, and where it is from: `file` ("" for a frame), `lines` of its rows, its subset."""

    table: pa.Table
    roles: Roles
    file: str = ""
    lines: Integers | None = None
    subset: str | None = None

    def name(self, row: int) -> str:
        """Return what a row is called in the ledger."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"


def read_rows(
    part: TablePart,
    source: Source,
    options: Mapping[str, Any],
    ledger: Ledger,
    first_item: int,
    limit: int | None,
) -> Iterator[Batch]:
    """Yield the items and annotations of a table; each row is one record."""
    ledger.read(part.table.num_rows)
    reader = _Reader(part, source, options, ledger, first_item, limit)
    if part.roles.column("image") is None:
        yield from reader.plain_rows()
    else:
        yield from reader.image_rows()


class _Reader:
    def __init__(
        self, part: TablePart, source: Source, options: Mapping[str, Any], ledger: Ledger,
        first_item: int, limit: int | None,
    ) -> None:  # fmt: skip
        self._part = part
        self._table = part.table
        self._roles = part.roles
        self._source = source
        self._options = options
        self._ledger = ledger
        self._first_item = first_item
        self._limit = limit
        self._rejected = np.zeros(part.table.num_rows, bool)

    def _say(self, how: str, reason: str, rows: Integers, message: Any, items: Any = "") -> None:
        if not len(rows):
            return
        names = [self._part.name(r) for r in rows.tolist()]
        getattr(self._ledger, how)(
            reason, file=self._part.file, where=names, record=names, item=items, message=message
        )

    def _reject(self, reason: str, rows: Integers, message: Any) -> None:
        fresh = ~self._rejected[rows]
        if not isinstance(message, str):
            message = [m for m, f in zip(message, fresh, strict=True) if f]
        self._say("reject", reason, rows[fresh], message)
        self._rejected[rows] = True

    def _text(self, role: str) -> pa.ChunkedArray | None:
        column = self._roles.column(role)
        return None if column is None else as_text(self._table[column])

    # -- rows about images ------------------------------------------------------------

    def image_rows(self) -> Iterator[Batch]:
        """Yield one item per image, and what the rows say of it."""
        texts = self._text("image")
        assert texts is not None
        folder = self._part.file.rpartition("/")[0]
        finder = MediaFinder(self._source, folder)
        images = group_rows(texts, self._text("split"), self._part.subset, finder)
        nameless = np.flatnonzero(images.of_row < 0)
        self._reject("row names no image", nameless, f"{self._roles.column('image')} is empty")
        refused = np.zeros(len(images), bool)
        for reason, n, message in images.problems:
            refused[n] = True
            rows = np.flatnonzero(images.of_row == n)
            self._reject(reason, rows, message)
        size = self._sizes(images, finder)
        boxes = self._boxes(images, finder, size)
        owner, label, kind, box_rows = self._annotations(images, boxes)
        items_kept = np.flatnonzero(~refused)
        if self._limit is not None and len(items_kept) > self._limit:
            items_kept = items_kept[: self._limit]
            keep = images.of_row[owner] <= items_kept[-1] if len(items_kept) else owner < 0
            owner, label = owner[keep], label.filter(pa.array(keep))
            kind = kind.filter(pa.array(keep))
            images.shown = int(items_kept[-1]) + 1 if len(items_kept) else 0
        kept_rows = int((~self._rejected).sum())
        made = len(items_kept) + len(owner)
        if made >= kept_rows:
            self._ledger.split(made - kept_rows)
        else:  # the same image named twice, and nothing said of it
            self._ledger.joined(kept_rows - made)
        self._warn_images(images, refused)
        if boxes is not None:
            self._warn_boxes(images, boxes, box_rows, size)
        number = np.full(len(images), -1, np.int64)
        number[items_kept] = self._first_item + np.arange(len(items_kept))
        data, attributes = self._rest(images, owner)
        width, height = size
        items = {
            "item": number[items_kept],
            "subset": pa.array(images.subsets, pa.string()).take(pa.array(items_kept)),
            "key": pa.array(images.keys, pa.string()).take(pa.array(items_kept)),
            "kind": pa.array(images.kinds, pa.string()).take(pa.array(items_kept)),
            "media": pa.array(images.media, pa.string()).take(pa.array(items_kept)),
            "uri": pa.array(images.uris, pa.string()).take(pa.array(items_kept)),
            "width": as_int32(width[items_kept]),
            "height": as_int32(height[items_kept]),
            "data": data.take(pa.array(items_kept)),
        }
        columns: dict[str, Any] = {
            "item": number[images.of_row[owner]],
            "type": kind,
            "label": label,
            "attributes": attributes,
        }
        if boxes is not None:
            values = boxes.xywh[owner]
            for i, name in enumerate(("x", "y", "w", "h")):
                columns[name] = pa.array(values[:, i], from_pandas=True)
        columns |= self._common(owner)
        labels = self._labels(label)
        items_table, rows_table = as_table(items, ITEMS), as_table(columns, ANNOTATIONS)
        yield Batch(items_table, rows_table.slice(0, BATCH_ROWS), labels)
        for start in range(BATCH_ROWS, rows_table.num_rows, BATCH_ROWS):
            yield Batch(annotations=rows_table.slice(start, BATCH_ROWS))

    def _sizes(self, images: Images, finder: MediaFinder) -> tuple[Floats, Floats]:
        # By the table's own columns, in its first row about each image.
        out = []
        for role in ("width", "height"):
            column = self._roles.column(role)
            if column is None:
                out.append(np.full(len(images), np.nan))
                continue
            values, _ = numbers_of(self._table[column])
            sound = (values >= 1) & (values < 2**31)
            out.append(np.where(sound, values, np.nan)[images.first_row])
        return out[0], out[1]

    def _boxes(
        self, images: Images, finder: MediaFinder, size: tuple[Floats, Floats]
    ) -> Boxes | None:
        columns = self._roles.box
        if not columns:
            return None
        width, height = size

        def rows(wide: Floats, high: Floats) -> tuple[Floats, Floats]:
            of = images.of_row
            return np.where(of < 0, np.nan, wide[of]), np.where(of < 0, np.nan, high[of])

        def sample() -> tuple[Floats, Floats]:
            if not np.isnan(width).all():
                return rows(width, height)
            wide, high = width.copy(), height.copy()  # of a few: not said of the items
            some = np.flatnonzero([m is not None for m in images.media])[:SAMPLE_IMAGES]
            for n in some.tolist():
                wide[n], high[n] = finder.size_of(images.media[n])
            return rows(wide, high)

        def everything() -> tuple[Floats, Floats]:
            for n in np.flatnonzero(np.isnan(width) | np.isnan(height)).tolist():
                width[n], height[n] = finder.size_of(images.media[n])
            return rows(width, height)

        boxes = read_boxes(
            self._table, columns, self._roles.box_format,
            box_format=self._options.get("box_format") or "auto",
            normalized=self._options.get("normalized") or "auto",
            sizes=everything, sample=sample,
        )  # fmt: skip
        for reason, which, message in boxes.problems:
            self._reject(reason, which, message)
        for reason, message in boxes.notes:
            self._ledger.note(reason, file=self._part.file, message=message)
        return boxes

    def _annotations(
        self, images: Images, boxes: Boxes | None
    ) -> tuple[Integers, pa.Array, pa.Array, Bools]:
        # (row of each annotation, its label, its type, which rows have a box)
        good = ~self._rejected
        has_box = good & ~boxes.empty if boxes is not None else np.zeros(len(good), bool)
        if self._roles.one_hot:
            return self._one_hot(good, has_box)
        labels = self._text("label")
        if labels is None:
            labels = pa.chunked_array([pa.nulls(len(good), pa.string())])
        tagged = good & ~has_box & labels.is_valid().to_numpy()
        if boxes is not None:
            text = "its box is empty, so its label is a tag of the image"
            self._say("warn", "label without a box", np.flatnonzero(tagged), text)
        rows = np.flatnonzero(has_box | tagged)
        label = labels.take(pa.array(rows)).combine_chunks()
        separator = self._options.get("label_sep")
        if separator:
            rows, label = split_labels(rows, label, separator)
        kind = pa.array(np.where(has_box[rows], "box", "tag"), pa.string())
        return rows, label, kind, has_box

    def _one_hot(self, good: Bools, has_box: Bools) -> tuple[Integers, pa.Array, pa.Array, Bools]:
        names = self._roles.one_hot
        flags = np.stack([flags_of(self._table[n]) for n in names], axis=1) & good[:, None]
        rows, which = np.nonzero(flags)
        label = pa.array(names, pa.string()).take(pa.array(which))
        return rows.astype(np.int64), label, pa.repeat("tag", len(rows)), has_box

    def _common(self, owner: Integers) -> dict[str, Any]:
        out: dict[str, Any] = {}
        if self._options.get("model_version"):
            out["layer"] = pa.repeat(str(self._options["model_version"]), len(owner))
        score = self._roles.column("score")
        if score is not None:
            values, empty = numbers_of(self._table[score])
            bad = np.flatnonzero(np.isnan(values) & ~empty & ~self._rejected)
            self._say("warn", "score is not a number", bad, f"{score} is left empty")
            beyond = np.flatnonzero((values < 0) | (values > 1))
            beyond = beyond[~self._rejected[beyond]]
            self._say("warn", "score is not from 0 to 1", beyond, f"{score} is kept as written")
            out["score"] = pa.array(values[owner], from_pandas=True)
        ids = self._text("id")
        if ids is not None:
            out["source_id"] = ids.take(pa.array(owner))
        return out

    def _labels(self, label: pa.Array) -> tuple[Label, ...]:
        if self._roles.one_hot:
            return tuple(Label(name) for name in self._roles.one_hot)
        return tuple(Label(name) for name in pc.unique(label).to_pylist() if name is not None)

    # -- what is left over ------------------------------------------------------------

    def _rest(self, images: Images, owner: Integers) -> tuple[pa.Array, pa.Array]:
        """Return the data of each image, and the attributes of each annotation.

        A column whose cells are the same in all rows of each image is the image's.
        """
        used = self._roles.used()
        names = [n for n in self._table.column_names if n not in used]
        of_image: dict[str, pa.ChunkedArray] = {}
        of_row: dict[str, pa.ChunkedArray] = {}
        first = pa.array(images.first_row)
        single = len(images) == (images.of_row >= 0).sum()
        for name in names:
            column = without_nan(self._table[name])
            if single or self._is_constant(column, images):
                of_image[name] = column.take(first)
            else:
                of_row[name] = column.take(pa.array(owner))
        return json_objects(of_image, len(images)), json_objects(of_row, len(owner))

    def _is_constant(self, column: pa.ChunkedArray, images: Images) -> bool:
        rows = images.of_row >= 0
        if pa.types.is_nested(column.type):
            return False
        encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        codes = encoded.indices.to_numpy()
        return bool((codes[rows] == codes[images.first_row][images.of_row[rows]]).all())

    # -- warnings ---------------------------------------------------------------------

    def _warn_images(self, images: Images, refused: Bools) -> None:
        shown = len(images) if images.shown is None else images.shown
        for reason, n, message in images.warnings:
            if n < shown:
                row = np.array([images.first_row[n]])
                self._say_kept(reason, row, message, images.keys[n])
        missing = [n for n in images.missing if not refused[n]]
        found = any(m is not None for m in images.media)
        if missing and found:
            some = np.array([n for n in missing if n < shown], np.int64)
            keys = [images.keys[n] for n in some.tolist()]
            messages = [f"{key!r} is not in the source" for key in keys]
            self._say_kept("image file is missing", images.first_row[some], messages, keys)
        elif missing:
            self._ledger.note(
                "media files are not in the source", file=self._part.file,
                message=f"none of the {len(missing):,} files that the rows name is there",
            )  # fmt: skip

    def _say_kept(self, reason: str, rows: Integers, message: Any, items: Any) -> None:
        # A rejected row is not warned of, too.
        kept = ~self._rejected[rows]
        if not isinstance(message, str):
            message = [m for m, k in zip(message, kept, strict=True) if k]
            items = [i for i, k in zip(items, kept, strict=True) if k]
        self._say("warn", reason, rows[kept], message, items)

    def _warn_boxes(
        self, images: Images, boxes: Boxes, has_box: Bools, size: tuple[Floats, Floats]
    ) -> None:
        for reason, rows, message in boxes.warnings:
            self._say("warn", reason, rows[has_box[rows]], message)
        width, height = (np.where(images.of_row < 0, np.nan, v[images.of_row]) for v in size)
        x, y, w, h = boxes.xywh.T
        with np.errstate(invalid="ignore"):
            outside = (
                (x < -OUTSIDE_PX) | (y < -OUTSIDE_PX)
                | (x + w > width + OUTSIDE_PX) | (y + h > height + OUTSIDE_PX)
            ) & has_box  # fmt: skip
        rows = np.flatnonzero(outside)
        self._say("warn", "box reaches outside the image", rows, "it is kept as written")

    # -- rows that are items themselves -----------------------------------------------

    def plain_rows(self) -> Iterator[Batch]:
        """Yield each row as an item, with the row as its data."""
        count = self._table.num_rows
        if self._limit is not None:
            count = min(count, self._limit)
        table = self._table.slice(0, count)
        ids = self._text("id")
        label = self._text("label")
        splits = self._text("split")
        keys = None
        if ids is not None and not ids.null_count and len(pc.unique(ids)) == len(ids):
            keys = ids
        text = self._roles.column("text")
        skip = (
            {self._roles.column("label"), self._roles.column("split")}
            if label
            else {self._roles.column("split")}
        )
        data = {n: without_nan(table[n]) for n in table.column_names if n not in skip}
        number = self._first_item + np.arange(count)
        subset = pa.repeat(pa.scalar(self._part.subset, pa.string()), count)
        if splits is not None:
            subset = pc.coalesce(splits.slice(0, count), pa.scalar(self._part.subset, pa.string()))
        items = {
            "item": number,
            "subset": subset,
            "key": keys.slice(0, count) if keys is not None else [
                f"row-{r + 1}" for r in range(count)
            ],
            "kind": pa.repeat("text" if text is not None else "table", count),
            "data": pc.coalesce(json_objects(data, count), "{}"),
        }  # fmt: skip
        if ids is not None:
            items["source_id"] = ids.slice(0, count)
        columns: dict[str, Any] = {}
        labels: tuple[Label, ...] = ()
        if label is not None:
            label = label.slice(0, count)
            rows = np.flatnonzero(label.is_valid().to_numpy())
            names = label.take(pa.array(rows)).combine_chunks()
            if self._options.get("label_sep"):
                rows, names = split_labels(rows, names, self._options["label_sep"])
            columns = {"item": number[rows], "type": pa.repeat("tag", len(rows)), "label": names}
            if self._options.get("model_version"):
                columns["layer"] = pa.repeat(str(self._options["model_version"]), len(rows))
            labels = self._labels(names)
            self._ledger.split(len(rows))
        yield Batch(as_table(items, ITEMS), as_table(columns, ANNOTATIONS), labels)
