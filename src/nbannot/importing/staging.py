"""What was read and is not yet committed: items, annotations, labels, and where they are.

A `Staged` keeps the reader's batches as they came. Beyond `MEMORY_BYTES` further batches lie in a
temporary file and are memory-mapped, so a plan of any size fits.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..errors import SchemaError
from ..ledger import Ledger
from ..schema import ANNOTATIONS, DEFAULT_SUBSET, ITEMS, Batch, Label

__all__ = ["MEMORY_BYTES", "Staged", "collector_paused", "column", "name_twins"]

MEMORY_BYTES = 1 << 30
"""Annotations beyond this are kept in a temporary file."""

Integers = NDArray[np.int64]


class Staged:
    """The result of one read, or of the first part of one (a preview).

    Rows of `items` are in the reader's order (by item number), `subset` never null.
    Annotations stay in their batches; `rows_of` finds those of some items.
    """

    def __init__(self) -> None:
        self.items: pa.Table = ITEMS.empty_table()
        self.labels: dict[str, Label] = {}
        self.batches: list[pa.Table] = []
        self._bytes = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._item_batches: list[pa.Table] = []

    def add(self, batch: Batch) -> None:
        """Keep what a reader yields."""
        self.add_items(batch)
        if batch.annotations.num_rows:
            self.add_annotations(batch.annotations)

    def add_items(self, batch: Batch) -> None:
        """Keep the items and labels of a batch, not its annotations."""
        for label in batch.labels:
            known = self.labels.get(label.name, label)
            self.labels[label.name] = label if known is label else _completed(known, label)
        if batch.items.num_rows:
            self._item_batches.append(batch.items)

    def add_annotations(self, rows: pa.Table) -> None:
        """Keep annotation rows, in memory or, when there are very many, in a file."""
        self._bytes += rows.nbytes
        if self._bytes > MEMORY_BYTES:
            rows = self._on_disk(rows)
        self.batches.append(rows)
        self.__dict__.pop("_index", None)

    def finish(self) -> None:
        """Put the items in order once all batches are here.

        Raises:
            SchemaError: two items have one number, or an annotation is on no item.
        """
        if self._item_batches:
            items = pa.concat_tables(self._item_batches)
            numbers = items["item"].to_numpy()
            if len(numbers) > 1 and not (np.diff(numbers) > 0).all():
                items = items.take(np.argsort(numbers, kind="stable"))
            subset = pc.fill_null(items["subset"], DEFAULT_SUBSET)
            self.items = items.set_column(items.schema.get_field_index("subset"), "subset", subset)
            self._item_batches = []
        numbers = self.item_numbers
        if (np.diff(numbers) == 0).any():  # they are in order
            raise SchemaError("the reader gave one number to two items")
        for rows in self.batches:
            found = rows["item"].to_numpy()
            if len(found) and not np.isin(found, numbers).all():
                raise SchemaError("the reader yielded an annotation on an item that it never did")

    def _on_disk(self, rows: pa.Table) -> pa.Table:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="nbannot-plan-")
        path = Path(self._folder.name) / f"{len(self.batches)}.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
            writer.write_table(rows)
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()

    def close(self) -> None:
        """Forget everything, the temporary file too."""
        self.batches, self.items = [], ITEMS.empty_table()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    # -- looking at it ----------------------------------------------------------------

    @property
    def item_numbers(self) -> Integers:
        """The reader's item numbers, in the order of `items`."""
        numbers: Integers = self.items["item"].to_numpy()
        return numbers

    @property
    def annotation_count(self) -> int:
        """How many annotation rows there are."""
        return sum(rows.num_rows for rows in self.batches)

    def subsets(self) -> list[tuple[str, int, int]]:
        """Return (subset, items, annotations), in the order in which they first occur."""
        column = self.items["subset"].combine_chunks()
        encoded = pc.dictionary_encode(column)
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        names = encoded.dictionary.to_pylist()
        codes = encoded.indices.to_numpy()
        items = np.bincount(codes, minlength=len(names))
        annotations = np.bincount(
            codes, weights=np.diff(self._index[1]) if len(codes) else None, minlength=len(names)
        )
        return list(zip(names, items.tolist(), annotations.astype(int).tolist(), strict=True))

    def label_counts(self) -> dict[str, int]:
        """Return how many annotations each label has, declared ones first, also unused ones."""
        counts = dict.fromkeys(self.labels, 0)
        for rows in self.batches:
            for entry in pc.value_counts(rows["label"]).to_pylist():
                if entry["values"] is not None:
                    name = entry["values"]
                    counts[name] = counts.get(name, 0) + entry["counts"]
        return counts

    @cached_property
    def _index(self) -> tuple[Integers, Integers]:
        # (rows of all batches in the order of `items`, offsets per item into them)
        numbers = self.item_numbers
        owners = [rows["item"].to_numpy() for rows in self.batches]
        owner = np.concatenate(owners) if owners else np.empty(0, np.int64)
        order = np.argsort(owner, kind="stable")
        place = np.searchsorted(owner[order], numbers)
        stop = np.searchsorted(owner[order], numbers, side="right")
        if len(numbers) == 0:
            return order, np.zeros(1, np.int64)
        return order, np.concatenate([place, stop[-1:]])

    def rows_of(self, positions: Integers) -> pa.Table:
        """Return the annotations of the items at `positions`; `item` is an index into those."""
        order, offsets = self._index
        spans = [order[offsets[p] : offsets[p + 1]] for p in positions]
        wanted = np.concatenate(spans) if spans else np.empty(0, np.int64)
        owner = np.repeat(np.arange(len(spans)), [len(s) for s in spans])
        starts = np.cumsum([0, *(rows.num_rows for rows in self.batches)])
        which = np.searchsorted(starts, wanted, side="right") - 1
        parts, owners = [], []
        for k in np.unique(which).tolist():
            mine = which == k
            parts.append(self.batches[k].take(wanted[mine] - starts[k]))
            owners.append(owner[mine])
        if not parts:
            return ANNOTATIONS.empty_table()
        index = pa.array(np.concatenate(owners))
        return pa.concat_tables(parts).set_column(0, "item", index).combine_chunks()

    def positions(self, *, subset: str | None = None, label: str | None = None) -> Integers:
        """Return the positions of the items of a subset, or that have a label."""
        keep = np.ones(self.items.num_rows, bool)
        if subset is not None:
            keep &= pc.equal(self.items["subset"], subset).to_numpy(zero_copy_only=False)
        if label is not None:
            have = [
                rows["item"].to_numpy()[
                    pc.fill_null(pc.equal(rows["label"], label), False).to_numpy()
                ]
                for rows in self.batches
            ]
            keep &= np.isin(self.item_numbers, np.concatenate(have or [np.empty(0, np.int64)]))
        return np.flatnonzero(keep)

    def keep_items(self, keep: NDArray[np.bool_]) -> tuple[int, int]:
        """Drop the items where `keep` is False, with their annotations; return (items, rows)."""
        numbers = self.item_numbers[keep]
        gone = int((~keep).sum())
        self.items = self.items.filter(pa.array(keep))
        dropped = 0
        if gone:
            for k, rows in enumerate(self.batches):
                mask = np.isin(rows["item"].to_numpy(), numbers)
                dropped += int((~mask).sum())
                self.batches[k] = rows.filter(pa.array(mask))
            self.__dict__.pop("_index", None)
        return gone, dropped

    def replace_batches(self, batches: Iterator[pa.Table] | list[pa.Table]) -> None:
        """Put other annotation rows in place of those that were staged."""
        self.batches = [rows for rows in batches if rows.num_rows]
        self.__dict__.pop("_index", None)


def _completed(label: Label, other: Label) -> Label:
    # One label may be declared in several files, and only one of them know its skeleton.
    fields = ("color", "parent", "skeleton", "attributes", "hotkey", "source_id", "extra")
    missing = {f: getattr(other, f) for f in fields if not getattr(label, f)}
    return replace(label, **missing)


def column(rows: pa.Table, name: str, values: Any) -> pa.Table:
    """Return `rows` with the column `name` replaced."""
    place = rows.schema.get_field_index(name)
    field = rows.schema.field(place)
    if not isinstance(values, (pa.Array, pa.ChunkedArray)):
        values = pa.array(values, field.type)
    return rows.set_column(place, field, values)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the search for reference cycles while millions of objects come and go.

    Readers make none, and looking for them takes a fifteenth of the time of a large import.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def name_twins(staged: Staged, ledger: Ledger) -> None:
    """Give items that have one key in one subset a key each: both are kept, the second renamed."""
    items = staged.items
    if len(pc.unique(items["key"])) == items.num_rows:  # soon told, and most often so
        return
    groups = items.group_by(["subset", "key"]).aggregate([([], "count_all")])
    if groups.num_rows == items.num_rows:
        return
    names, ids = items["key"].to_pylist(), items["source_id"].to_pylist()
    subsets = items["subset"].to_pylist()
    used = set(zip(subsets, names, strict=True))
    first: dict[tuple[str, str], int] = {}
    for i, place in enumerate(list(zip(subsets, names, strict=True))):
        one = first.setdefault(place, i)
        if one == i:
            continue
        subset, key = place
        n = 2
        while (subset, f"{key} ({n})") in used:
            n += 1
        names[i] = f"{key} ({n})"
        used.add((subset, names[i]))
        ledger.warn(
            "two items have one name",
            record="item",
            item=names[i],
            message=f"{key!r} is the name of items {_id(ids, one)} and {_id(ids, i)}; "
            f"the second is {names[i]!r}",
        )
    staged.items = column(items, "key", names)


def _id(ids: list[str | None], i: int) -> str:
    return f"number {i}" if ids[i] is None else str(ids[i])
