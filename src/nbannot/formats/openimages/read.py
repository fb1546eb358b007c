"""Reading Open Images: images first, then annotations, by columns."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...errors import BrokenFileError, printable
from ...ledger import Ledger
from ...media.kinds import is_image
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..bit_masks import read_mask
from ..json_values import dumps
from ..reading import Reading
from ..text_lines import lines_of, text_of
from .columns import as_array, attributes, flag, floats, sources
from .files import BOXES, LABELS, LISTS, MASKS, BadRow, kind_of_header, subset_of, tables

__all__ = ["Reader"]

_SUBSETS = {"train", "validation", "test", "val", "challenge2018"}
_EDGES = ("xmin", "xmax", "ymin", "ymax")
_NOT_KEPT = ("xclick1x", "predictediou", "clicks")
_SIDES = 1e-9
_BEYOND, _NO_IMAGE = -1, -2  # no item: beyond the limit; the row names none


class Reader:
    """One read."""

    def __init__(
        self, source: Source, ledger: Ledger, progress: Progress, limit: int | None
    ) -> None:
        self._reading = Reading(source, ledger, progress, limit)
        self._source, self._ledger, self._progress = source, ledger, progress
        self._items: dict[tuple[str | None, str], int] = {}  # (subset, ImageID) -> item
        self._sizes: dict[int, tuple[int, int] | None] = {}
        self._media: dict[int, str] = {}
        self._meta: dict[str, tuple[int, int]] = {}
        self._labels: dict[str, str] = {}  # LabelName -> name of the label
        self._subsets: dict[str, list[str | None]] = {}  # ImageID -> subsets, as lists say

    def read(self) -> Iterator[Batch]:
        """Yield everything."""
        main = self._source.main
        files = [main] if main else self._source.files.with_suffix(".csv")
        kinds: dict[str, list[str]] = {}
        for file in files:
            if "class-descriptions" in file.lower():
                self._read_names(file)
                continue
            head = text_of(self._source.read(file, 64 * 1024))
            kinds.setdefault(kind_of_header(head), []).append(file)
        self._read_hierarchy()
        self._read_sizes()
        for file in kinds.get(LISTS, ()):
            self._read_list(file)
        self._add_images()
        for file in kinds.get("other", ()):
            self._ledger.note("file not read", file=file, message="relations and points are not")
        wanted = [(f, k) for k in (LABELS, BOXES, MASKS) for f in kinds.get(k, ())]
        self._progress.start("Reading", unit="rows")
        for file, kind in wanted:
            yield from self._annotations(file, kind)
        yield from self._reading.rest()

    # -- labels -------------------------------------------------------------------------

    def _read_names(self, file: str) -> None:
        import csv

        data = text_of(self._source.read(file))
        for n, row in enumerate(csv.reader(data.splitlines())):
            if len(row) < 2 or (n == 0 and row[0].strip().lower() == "labelname"):
                continue
            self._label(row[0], row[1])

    def _label(self, given: str, shown: str = "") -> str:
        known = self._labels.get(given)
        if known is None:
            known = shown or given
            if known in self._reading.labels:  # two ids of one description
                known = f"{known} ({given})"
            self._labels[given] = self._reading.label(known, source_id=given)
        return known

    def _read_hierarchy(self) -> None:
        files = [] if self._source.main else self._source.files.match("**/*hierarchy*.json")
        for file in files:
            try:
                tree = json.loads(text_of(self._source.read(file)))
            except (ValueError, RecursionError) as error:
                raise BrokenFileError(f"The file is not JSON: {error}", where=file) from None
            waiting: list[tuple[Any, str | None]] = [(tree, None)]
            while waiting:
                node, parent = waiting.pop()
                if not isinstance(node, dict):
                    continue
                name = node.get("LabelName")
                label = self._labels.get(name) if isinstance(name, str) else None
                if label and parent and self._reading.labels[label].parent is None:
                    self._reading.label(label, parent=parent)
                inner = node.get("Subcategory")
                waiting += [(one, label) for one in reversed(inner)] if inner else []

    # -- images -------------------------------------------------------------------------

    def _read_sizes(self) -> None:
        # images.meta: id height width, ids with spaces quoted, # begins a comment.
        import shlex

        files = [] if self._source.main else self._source.files.match("**/images.meta")
        for file in files:
            for number, line in lines_of(self._source.read(file)):
                try:
                    cells = shlex.split(line, comments=True)
                    if cells:
                        name, height, width = cells
                        size = int(width), int(height)
                        if self._meta.setdefault(name, size) != size:
                            self._meta[name] = 0, 0  # two subsets have an image of this name
                except ValueError:
                    self._ledger.note(
                        "size that can't be read", file=file, where=f"line {number}",
                        message=f"line {number} is {printable(line)}",
                    )  # fmt: skip

    def _read_list(self, file: str) -> None:
        for table, _, bad in tables(self._source, file, self._ledger):
            names = table.column_names
            good = zip(*(table[n].to_pylist() for n in names), strict=True)
            for cells in itertools.chain(good, bad):
                row = dict(zip(names, cells, strict=False))
                if isinstance(cells, BadRow):
                    self._warn_bad(file, row, cells.number)
                if row.get("imageid"):
                    self._list_row(file, row)

    def _list_row(self, file: str, row: dict[str, str]) -> None:
        name = row.pop("imageid")
        subset = row.pop("subset", "") or subset_of(file)
        self._subsets.setdefault(name, []).append(subset)
        if self._reading.is_full:
            return
        kept = {k: v for k, v in row.items() if v and (k, v) != ("rotation", "0")}
        meta = dumps({"openimages": kept}) if kept else None
        self._item(name, subset, file, meta)

    def _warn_bad(self, file: str, row: dict[str, str], number: int) -> None:
        self._ledger.note(
            "row with a wrong number of cells", file=file, where=f"row {number}",
            message=f"the row of {printable(row.get('imageid', ''))} has not as many cells as "
            "there are columns; what stands where it should is kept",
        )  # fmt: skip

    @cached_property
    def _images(self) -> list[str]:
        # Masks are images, too, and lie beside them.
        return [p for p in self._source.files if is_image(p) and "/masks/" not in f"/{p}"]

    @cached_property
    def _has_images(self) -> bool:
        return self._source.main is None and bool(self._images)

    def _add_images(self) -> None:
        # Images of which no list speaks.
        for path in [] if self._source.main else self._images:
            if self._reading.is_full:
                return
            if path in self._reading.used_media:
                continue
            subset, key = _place(path)
            name = key.rpartition(".")[0]
            if (subset, name) not in self._items:
                self._item(name, subset, "", None, path)

    def _item(
        self, name: str, subset: str | None, file: str, meta: str | None, path: str | None = None
    ) -> int:
        known = self._items.get((subset, name))
        if known is not None:
            return known
        reading = self._reading
        folders = [f"images/{subset}", str(subset)] if subset else []
        if path is None:
            path = reading.find(name, near=[*folders, "images"], stem=True).path
        key = _place(path)[1] if path else f"{name}.jpg"
        if path and key.rpartition(".")[0] != name:
            key = f"{name}.{path.rpartition('.')[2]}"
        size = self._meta.get(name)
        size = size if size and min(size) > 0 and max(size) < 1 << 31 else None
        number = reading.item(
            key, subset=subset, media=path, source_id=name, meta=meta,
            width=size[0] if size else None, height=size[1] if size else None,
        )  # fmt: skip
        if path is None and self._has_images:
            reading.warn(
                "image file missing", file=file, record="item", item=key,
                message=f"{key}: there is no image of this name",
            )  # fmt: skip
        self._items[subset, name] = number
        if size:
            self._sizes[number] = size
        if path:
            self._media[number] = path
        return number

    def _size(self, item: int) -> tuple[int, int] | None:
        if item not in self._sizes:
            self._sizes[item] = self._reading.size(self._media.get(item))
        return self._sizes[item]

    # -- annotations ----------------------------------------------------------------------

    def _annotations(self, file: str, kind: str) -> Iterator[Batch]:
        told = False
        for table, rows, bad in tables(self._source, file, self._ledger):
            for row in bad:
                self._reading.reject(
                    "row with a wrong number of cells", file=file, record=f"row {row.number}",
                    message=f"{printable(','.join(row))} has not as many cells as columns",
                )  # fmt: skip
            lost = [n for n in table.column_names if n in _NOT_KEPT[:1]]
            if lost and not told:
                told = True
                self._ledger.note("columns not kept", file=file, message="clicks of boxes")
            self._progress.advance(table.num_rows)
            items = self._owners(table, file)
            for number in rows[items == _NO_IMAGE]:
                self._reading.reject(
                    "row without an image", file=file, record=f"row {number}",
                    message=f"row {number} has no ImageID",
                )  # fmt: skip
            if (items < 0).any():
                table, rows = table.filter(pa.array(items >= 0)), rows[items >= 0]
                items = items[items >= 0]
            if not table.num_rows:
                continue
            if kind == MASKS:
                for n, row in enumerate(table.to_pylist()):
                    where = f"row {rows[n]}"
                    self._mask(int(items[n]), row, file, where)
                yield from self._reading.batches()
                continue
            columns = self._columns(table, items, file, rows, boxes=kind == BOXES)
            yield from self._reading.rest()  # the items come first
            yield Batch.of(None, columns)

    def _owners(self, table: pa.Table, file: str) -> NDArray[np.int64]:
        # The item of each row, made where it is new.
        ids = table["imageid"].combine_chunks().dictionary_encode()
        subset = subset_of(file)
        owners = []
        for name in ids.dictionary.to_pylist():
            listed = self._subsets.get(name, [subset])
            mine = subset if subset in listed or (subset, name) in self._items else listed[0]
            if mine is None and (None, name) not in self._items:
                mine = next((s for s in sorted(_SUBSETS) if (s, name) in self._items), None)
            known = self._items.get((mine, name))
            if not name.strip():
                owners.append(_NO_IMAGE)
            elif known is None and self._reading.is_full:
                owners.append(_BEYOND)
            else:
                owners.append(self._item(name, mine, file, None) if known is None else known)
        table_of: NDArray[np.int64] = np.asarray(owners, np.int64)
        return table_of[np.asarray(ids.indices)] if owners else table_of

    def _columns(
        self,
        table: pa.Table,
        items: NDArray[np.int64],
        file: str,
        rows: NDArray[np.int64],
        *,
        boxes: bool,
    ) -> dict[str, Any]:
        count = table.num_rows
        self._ledger.read(count)
        score = floats(table, "confidence")
        labels = [self._label(name) for name in table["labelname"].to_pylist()]
        columns: dict[str, Any] = {"type": ["box" if boxes else "tag"] * count}
        good = np.ones(count, bool)
        if boxes:
            box, good = self._boxes(table, items, file, rows)
            columns.update(zip("xywh", box.T, strict=True))
            columns["occluded"] = flag(table, "isoccluded")
            columns["attributes"] = attributes(table)
        else:
            columns["attributes"] = ['{"absent":true}' if s == 0 else None for s in score.tolist()]
        doubtful = ~np.isfinite(score) | (score < 0) | (score > 1)
        keep = ~doubtful & (score < 1) & ((score > 0) | boxes)
        columns["score"] = pa.array(np.where(keep, score, np.nan), from_pandas=True)
        columns["label"] = labels
        columns["extra"] = sources(table, "xclick" if boxes else "verification")
        columns["item"] = items
        if good.all():
            return columns
        whole = pa.table({k: as_array(v) for k, v in columns.items()}).filter(pa.array(good))
        return {n: whole[n] for n in whole.column_names}

    def _boxes(
        self, table: pa.Table, items: NDArray[np.int64], file: str, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        x1, x2, y1, y2 = (floats(table, n) for n in _EDGES)
        owners, place = np.unique(items, return_inverse=True)
        known = [self._size(int(i)) or (np.nan, np.nan) for i in owners]
        sizes = np.asarray(known, np.float64).reshape(-1, 2)[place]
        width, height = sizes.T
        box = np.stack([x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height], axis=1)
        number = np.asarray(np.isfinite(np.stack([x1, x2, y1, y2])).all(axis=0))
        sized = np.isfinite(width)
        turned = np.asarray(number & ((x2 < x1) | (y2 < y1)))
        self._say("reject", "box without numbers", ~number, items, file, rows)
        self._say("reject", "size of the image is unknown", number & ~sized, items, file, rows)
        self._say("reject", "box of negative size", turned & sized, items, file, rows)
        good = np.asarray(number & sized & ~turned)
        outside = (np.minimum(x1, y1) < -_SIDES) | (np.maximum(x2, y2) > 1 + _SIDES)
        self._say("warn", "box reaches outside the image", good & outside, items, file, rows)
        return box, good

    def _say(
        self, how: str, reason: str, which: NDArray[np.bool_], items: NDArray[np.int64],
        file: str, rows: NDArray[np.int64],
    ) -> None:  # fmt: skip
        found = np.flatnonzero(which)
        if not len(found):
            return
        records = [f"row {rows[n]}" for n in found]
        keys = [self._reading.key(int(items[n])) for n in found]
        getattr(self._ledger, how)(
            reason, file=file, where=records, record=records, item=keys,
            message=[f"{r} of {k}: {reason}" for r, k in zip(records, keys, strict=True)],
        )  # fmt: skip

    def _mask(self, item: int, row: dict[str, str], file: str, where: str) -> None:
        reading = self._reading
        key, name = reading.key(item), row["maskpath"]
        subset = subset_of(file)
        near = [f"masks/{subset}", f"masks/{subset}/{name[:1]}", "masks"]
        found = reading.find(name, near=near)
        if found.path is None:
            reading.reject(
                "mask file missing", file=file, where=where, record=where, item=key,
                message=f"there is no mask {printable(name)}",
            )  # fmt: skip
            return
        try:
            values = read_mask(self._source.read(found.path), self._size(item))
        except ValueError as error:
            reading.reject(
                "mask can't be read", file=file, where=where, record=where, item=key,
                message=f"{printable(found.path)}: {error}",
            )  # fmt: skip
            return
        extra = {n: row[n] for n in _NOT_KEPT[1:] if row.get(n)}
        reading.annotation(
            item, type="mask", label=self._label(row["labelname"]),
            source_id=row.get("boxid") or None,
            extra=dumps({"openimages": extra}) if extra else None, **values,
        )  # fmt: skip


def _place(path: str) -> tuple[str | None, str]:
    # Subset and key of an image by where it lies: images/<subset>/<key>.
    parts = path.split("/")
    if "images" in parts[:-1]:
        parts = parts[parts.index("images") + 1 :]
        if len(parts) > 1:
            return parts[0], "/".join(parts[1:])
    elif len(parts) > 1 and parts[0] in _SUBSETS:
        return parts[0], "/".join(parts[1:])
    return None, "/".join(parts)
