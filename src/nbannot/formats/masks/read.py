"""Reading images and masks in pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import BrokenFileError, NbannotError, OptionError, SourceError
from ...media.images import probe_source_image
from ...schema import Batch
from ...sources.base import Source
from ..class_tables import ClassTable, class_files, read_class_table
from ..mask_images import (
    MaskPicture,
    Runs,
    decode_mask,
    majority,
    matched_to,
    pack,
    read_groups,
    unpack,
)
from ..reading import Reading
from .layout import Pair

__all__ = ["MasksReader", "class_table", "tables_of_folders"]

_SAMPLED = 8
_MAX_VALUES = 4096
_IGNORED = 255


def class_table(source: Source, options: Mapping[str, Any]) -> ClassTable:
    """Return the classes that the options, or else a file of the source, say.

    Raises:
        BrokenFileError: the file of classes can't be parsed.
        OptionError: the options name a background that is no class.
    """
    said = options.get("classes")
    files = class_files(source)
    table = ClassTable()
    if said and said in source.files:
        table = read_class_table(source, said)
    elif files:
        table = read_class_table(source, files[0])
    if said and said not in source.files:
        rows = [(i, n.strip(), table.colors.get(i)) for i, n in enumerate(said.split(","))]
        table = ClassTable.of(rows, "the option classes", subsets=table.subsets)
    background = options.get("background")
    if background is None:
        return table
    chosen: set[int] = set()
    by_name = {name: i for i, name in table.names.items()}
    for name in (n.strip() for n in str(background).split(",")):
        if name.isdecimal() or name in by_name:
            chosen.add(by_name[name] if name in by_name else int(name))
        elif name not in ("", "none"):
            raise OptionError(f"The background {name!r} is no class", hint="Give its index.")
    return replace(table, background=frozenset(chosen))


def tables_of_folders(source: Source, options: Mapping[str, Any]) -> dict[str, ClassTable]:
    """Return the classes by the folder where a file lists them; none, where the options say them.

    Raises:
        BrokenFileError: a file of classes can't be parsed.
    """
    if options.get("classes") or options.get("background") is not None:
        return {}
    first: dict[str, str] = {}
    for path in class_files(source):
        first.setdefault(path.rpartition("/")[0], path)
    if len(first) < 2:
        return {}
    return {folder: read_class_table(source, path) for folder, path in first.items()}


class MasksReader:
    """One read of pairs of images and masks, whatever the layout that they were found by.

    `ignore` is an index that is no annotation; `sample` are masks that tell whether all are
    binary; `has_images` says whether a missing image is worth a warning. `tables` are classes
    that count for the masks below a folder, instead of `table`.
    """

    def __init__(
        self,
        reading: Reading,
        table: ClassTable,
        pairs: Sequence[Pair],
        *,
        ignore: int | None = _IGNORED,
        sample: Sequence[str] = (),
        has_images: bool = True,
        tables: Mapping[str, ClassTable] | None = None,
    ) -> None:
        self._reading, self._table, self._pairs = reading, table, pairs
        self._source, self._ledger = reading.source, reading.ledger
        self._ignore, self._has_images = ignore, has_images
        self._binary = self._is_binary(sample)
        self._ignored = 0
        self._tables, self._default = dict(tables or {}), table

    def read(self) -> Iterator[Batch]:
        """Yield the dataset."""
        reading, pairs = self._reading, self._pairs
        for table in self._tables.values() or [self._table]:
            for label in table.labels():
                if label.name not in reading.labels:
                    reading.label(label.name, color=label.color, source_id=label.source_id)
        self._notes()
        reading.progress.start("Reading masks", len(pairs), "images")
        groups = [[*p.masks, *([p.instances] if p.instances else [])] for p in pairs]
        at_once = 32 if reading.limit is None else min(32, max(1, reading.limit))
        for pair, found in zip(pairs, read_groups(self._source, groups, at_once), strict=True):
            if reading.is_full:
                break
            self._table = self._nearest(next(iter(found), ""))
            self._pair(pair, found)
            yield from reading.batches()
            reading.progress.advance()
        if self._ignored:
            self._ledger.note(
                "pixels to be ignored",
                message=f"index {self._ignore} in {self._ignored:,} masks is no annotation",
            )
        yield from reading.rest()

    def _nearest(self, path: str) -> ClassTable:
        folder = path
        while folder and self._tables:
            folder = folder.rpartition("/")[0]
            if folder in self._tables:
                return self._tables[folder]
        return self._default

    def _notes(self) -> None:
        named = [n for i, n in self._table.names.items() if i in self._table.background]
        if named:
            self._ledger.note(
                "background is no annotation",
                file=self._table.file,
                message=f"pixels of {', '.join(named)} become no masks",
            )
        if not self._table.names:
            self._ledger.note(
                "no list of classes",
                message="classes are called by their index: class_1, class_2 ...",
            )

    # -- one image --------------------------------------------------------------------

    def _pair(self, pair: Pair, found: Mapping[str, bytes | SourceError]) -> None:
        pictures: dict[str, MaskPicture | NbannotError] = {}
        for path, data in found.items():
            try:
                if isinstance(data, SourceError):
                    raise data
                pictures[path] = self._mended(decode_mask(data, path), path)
            except NbannotError as error:
                pictures[path] = error
        size, orientation = self._size(pair, pictures)
        key = pair.key
        number = self._reading.item(
            key, subset=pair.subset, media=pair.image, width=size and size[0],
            height=size and size[1],
        )  # fmt: skip
        if pair.image is None and self._has_images:
            self._reading.warn(
                "image file missing", file=next(iter(found), ""), record="item", item=key,
                message=f"{key}: there is no image of this name",
            )  # fmt: skip
        good: dict[str, MaskPicture] = {}
        for path, picture in pictures.items():
            if isinstance(picture, NbannotError):
                self._reading.reject(
                    "the mask can't be read", file=path, record="mask", item=key,
                    message=picture.message,
                )  # fmt: skip
                continue
            if picture.lossy:
                self._reading.warn(
                    "mask saved as JPEG", file=path, record="item", item=key,
                    message=f"{key}: JPEG has changed the mask; each pixel has its nearest class",
                )  # fmt: skip
            good[path], problem = matched_to(picture, size, orientation)
            if problem:
                self._reading.warn(
                    "mask and image differ in size", file=path, record="item", item=key,
                    message=f"{key}: the mask is {problem}",
                )  # fmt: skip
        classes = [good[p] for p in pair.masks if p in good]
        if pair.instances in good and len(classes) < 2:
            instances = good[pair.instances]
            self._instances(number, key, pair, instances, classes[0] if classes else None)
        else:
            for path in pair.masks:
                if path in good:
                    self._classes(number, key, path, good[path])

    def _size(
        self, pair: Pair, pictures: Mapping[str, MaskPicture | NbannotError]
    ) -> tuple[tuple[int, int] | None, int]:
        if pair.image is not None and (pair.masks or pair.instances):
            try:
                info = probe_source_image(self._source, pair.image)
            except NbannotError:
                pass
            else:
                return (info.width, info.height), info.orientation
        for picture in pictures.values():
            if isinstance(picture, MaskPicture):
                height, width = picture.values.shape
                return (width, height), 1
        return None, 1

    def _classes(self, number: int, key: str, path: str, picture: MaskPicture) -> None:
        runs, table = self._interpret(picture)
        strange = [v for v in table.values() if v < 0]
        if len(strange) > _MAX_COLORS or len(table) > _MAX_VALUES:
            self._reading.reject(
                "a picture, not a mask", file=path, record="mask", item=key,
                message=f"{key}: it has {len(table):,} values; masks have few, and no shades",
            )  # fmt: skip
            return
        skip = {*self._table.background, *self._ignores(table)}
        for segment in runs.mapped(table).segments(skip):
            self._row(number, key, path, segment.value, segment.row)

    def _instances(
        self, number: int, key: str, pair: Pair, instances: MaskPicture,
        classes: MaskPicture | None,
    ) -> None:  # fmt: skip
        path = pair.instances or ""
        votes: dict[int, tuple[int, int]] = {}
        table: dict[int, int] = {}
        skip: set[int] = set()
        if classes is not None:
            runs, table = self._interpret(classes)
            skip = {*self._table.background, *self._ignores(table)}
            raw = {v for v, index in table.items() if index in skip}
            votes = majority(instances.values, classes.values, raw)
        for segment in Runs.of(instances.values).segments({0}):
            found, others = votes.get(segment.value, (0, 0))
            index = table.get(found)
            record = f"instance {segment.value}"
            if index is None or index in skip:
                self._reading.warn(
                    "instance without class", file=path, record=record, item=key,
                    message=f"{key}: {record} has no class in a mask of classes",
                )  # fmt: skip
                self._reading.annotation(number, **segment.row)
                continue
            if others:
                self._reading.warn(
                    "instance of several classes", file=path, record=record, item=key,
                    message=f"{key}: {record} has {others:,} pixels of another class",
                )  # fmt: skip
            self._row(number, key, path, index, segment.row, record)
        if classes is not None:
            rest = np.where(instances.values == 0, classes.values, -1)
            runs = Runs.of(rest).mapped(table)
            for segment in runs.segments({*skip, -1}):
                self._row(number, key, pair.masks[0], segment.value, segment.row)

    def _row(
        self, number: int, key: str, path: str, index: int, row: Mapping[str, Any], record: str = ""
    ) -> None:
        name = self._table.name(index)
        record = record or (f"index {index}" if index >= 0 else f"colour {name}")
        if self._table.names and not self._table.knows(index):
            self._reading.warn(
                "a value that no class has", file=path, record=record, item=key,
                message=f"{key}: {record} is not in {self._table.file}; its label is {name}",
            )  # fmt: skip
        self._reading.annotation(number, label=name, **row)

    # -- what a value means -----------------------------------------------------------

    def _ignores(self, table: Mapping[int, int]) -> set[int]:
        if self._ignore is None or self._binary or self._ignore in self._table.names:
            return set()
        if self._ignore in table.values():
            self._ignored += 1
        return {self._ignore}

    def _interpret(self, picture: MaskPicture) -> tuple[Runs, dict[int, int]]:
        runs, table = self._table.interpret(picture)
        if self._binary:
            one = next((i for i in self._table.names if i not in self._table.background), 1)
            table = {v: one if index in (1, _IGNORED) else index for v, index in table.items()}
        return runs, table

    def _foreground(self) -> int:
        return sum(i not in self._table.background for i in self._table.names)

    def _is_binary(self, sample: Sequence[str]) -> bool:
        # 0 and 255, where there is one class at most: what 255 means can only be that.
        if self._foreground() > 1 or self._ignore != _IGNORED or _IGNORED in self._table.names:
            return False
        values: set[int] = set()
        for path in sample[:_SAMPLED]:
            try:
                picture = self._mended(decode_mask(self._source.read(path), path), path)
            except NbannotError:
                continue
            values |= set(self._table.interpret(picture)[1].values())
        return _IGNORED in values and values <= {0, _IGNORED}

    def _mended(self, picture: MaskPicture, path: str) -> MaskPicture:
        # What JPEG has blurred.
        if not picture.lossy:
            return picture
        grey = picture.as_index()
        if grey is not None and self._foreground() < 2:
            return grey._replace(values=np.where(grey.values > 127, 255, 0).astype(np.uint8))
        if not self._table.colors or not picture.is_color:
            raise BrokenFileError(
                "The mask was saved as JPEG, and its classes are lost", where=path
            )
        colors = np.array(list(self._table.colors.values()), np.int64)
        found, inverse = np.unique(picture.values, return_inverse=True)
        rgb = np.array([unpack(v) for v in found.tolist()], np.int64)
        nearest = [int(((colors - color) ** 2).sum(axis=1).argmin()) for color in rgb]
        packed = np.array([pack(colors[i]) for i in nearest], np.int32)
        return picture._replace(values=packed[inverse].reshape(picture.values.shape))


_MAX_COLORS = 256
