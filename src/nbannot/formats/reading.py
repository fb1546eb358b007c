"""One read of a format whose records come one at a time: counting, finding media, batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from ..errors import NbannotError, SourceError
from ..ledger import Ledger
from ..media.images import probe_source_image
from ..media.kinds import IMAGE_SUFFIXES
from ..progress import Progress
from ..schema import Batch, BatchBuilder, Label
from ..sources.base import Source
from .media_index import Found, MediaIndex

__all__ = ["Reading"]

_BATCH_ROWS = 16_384
_READ_AHEAD = 512


class Reading:
    """The state of one read: every record that is met goes through it, and is counted once.

    A reader asks `files` for the bytes of its files, makes `item`s and `annotation`s, says
    `reject` of what it can't use, and yields from `batches` whenever a file is done and from
    `rest` at the end::

        reading = Reading(source, ledger, progress, limit)
        for path, data in reading.files(paths):
            item = reading.image_item(name, file=path)
            reading.annotation(item, type="box", label="cat", x=1, y=2, w=3, h=4)
            yield from reading.batches()
            if reading.is_full:
                break
        yield from reading.rest()

    Folder formats stay in constant memory this way. For hundreds of thousands of annotations in
    one file, columns are faster: build a `Batch` directly.
    """

    def __init__(
        self, source: Source, ledger: Ledger, progress: Progress, limit: int | None = None
    ) -> None:
        self.source, self.ledger, self.progress, self.limit = source, ledger, progress, limit
        self.labels: dict[str, Label] = {}
        self.used_media: set[str] = set()
        self._builder = BatchBuilder()
        self._numbers: dict[tuple[str | None, str], int] = {}
        self._keys: dict[int, str] = {}
        self._told = 0

    # -- files ------------------------------------------------------------------------

    def files(
        self, paths: Sequence[str], doing: str = "Reading", *, record: str = "file"
    ) -> Iterator[tuple[str, bytes]]:
        """Yield each path and its bytes, in order; one that can't be read is a rejected record.

        Reports progress and can be cancelled between files.
        """
        self.progress.start(doing, len(paths), "files")
        ahead = _READ_AHEAD if self.limit is None else max(1, min(_READ_AHEAD, self.limit))
        for start in range(0, len(paths), ahead):
            for path, data in self._read(paths[start : start + ahead]):
                if isinstance(data, SourceError):
                    self.reject(
                        "the file can't be read", file=path, record=record, message=str(data)
                    )
                else:
                    yield path, data
                self.progress.advance()

    def _read(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes | SourceError]]:
        try:
            some = dict(self.source.read_many(paths))  # in whatever order is cheapest
        except SourceError:  # which of them is to be found out one by one
            for path in paths:
                try:
                    yield path, self.source.read(path)
                except SourceError as error:
                    yield path, error
        else:
            yield from ((path, some[path]) for path in paths)

    @cached_property
    def media(self) -> MediaIndex:
        """Finds the media files of the source by name."""
        return MediaIndex(self.source.files)

    @cached_property
    def has_images(self) -> bool:
        """Are there images at all? Where there are none, none is missing."""
        return self.source.main is None and bool(self.source.files.with_suffix(*IMAGE_SUFFIXES))

    def size(self, path: str | None) -> tuple[int, int] | None:
        """Return width and height in pixels, as displayed, of an image; None if unreadable."""
        if path is None:
            return None
        try:
            info = probe_source_image(self.source, path)
        except NbannotError:
            return None
        return info.width, info.height

    # -- records ----------------------------------------------------------------------

    def label(self, name: str, **fields: Any) -> str:
        """Declare a label (fields of `Label`), or add fields to it; return its name."""
        known = self.labels.get(name)
        if known is None:
            self.labels[name] = Label(name, **fields)
        elif fields:
            self.labels[name] = replace(known, **fields)
        return name

    def number(self, key: str, subset: str | None = None) -> int | None:
        """Return the number of the item of this key, if it has been met."""
        return self._numbers.get((subset, key))

    def key(self, item: int) -> str:
        """Return the key of item number `item`."""
        return self._keys[item]

    def item(
        self, key: str, *, subset: str | None = None, kind: str = "image", **values: Any
    ) -> int:
        """Count and add an item (columns of ITEMS); return its number.

        An item that was met before is not counted again: its number is returned.
        """
        known = self._numbers.get((subset, key))
        if known is not None:
            return known
        self.ledger.read()
        number = self._builder.item(subset=subset, key=key, kind=kind, **values)
        self._numbers[subset, key] = number
        self._keys[number] = key
        if values.get("media") is not None:
            self.used_media.add(values["media"])
        return number

    def image_item(
        self,
        name: str,
        *,
        file: str = "",
        near: Sequence[str] = (),
        subset: str | None = None,
        key: str | None = None,
        stem: bool = False,
        **values: Any,
    ) -> int:
        """Find the image that `name` means, and add it as an item; return its number.

        Args:
            name: path or base name as the format gives it.
            file: the annotation file, for the ledger.
            near: folders that are looked at first.
            subset: the subset.
            key: the item's key; by default `name` (where `stem`, with the suffix found).
            stem: `name` has no suffix: any image of that name.
            **values: more columns of ITEMS.
        """
        found = self.find(name, near=near, stem=stem)
        if key is None:
            key = name
            if stem and found.path is not None:
                key += found.path[found.path.rindex(".") :]
        known = self._numbers.get((subset, key))
        if known is not None:
            return known
        number = self.item(key, subset=subset, media=found.path, **values)
        if found.path is None and self.has_images:
            several = found.problem == "ambiguous"
            self.warn(
                "several images fit" if several else "image file missing",
                file=file, record="item", item=key,
                message=f"{key}: " + ("several files have this name" if several
                                      else "there is no image of this name"),
            )  # fmt: skip
        return number

    def find(self, name: str, *, near: Sequence[str] = (), stem: bool = False) -> Found:
        """Return the media file that `name` means; see `MediaIndex.find`."""
        if stem:
            return self.media.find_stem(name, near)
        return self.media.find(name, near, tails=True)

    def annotation(self, item: int, *, counted: bool = False, **values: Any) -> None:
        """Count and add an annotation (columns of ANNOTATIONS) on item number `item`.

        Its label is declared if it was not. `counted`: the record was counted already, as one
        that `warn` spoke of before is not, and the second row of one record is (``split``).
        """
        if not counted:
            self.ledger.read()
        label = values.get("label")
        if label is not None and label not in self.labels:
            self.labels[label] = Label(label)
        self._builder.annotation(item, **values)

    def reject(self, reason: str, **line: Any) -> None:
        """Count one record and reject it; the fields are those of `Ledger.reject`."""
        self.ledger.read()
        self.ledger.reject(reason, **line)

    def warn(self, reason: str, **line: Any) -> None:
        """Say what is doubtful about a record that is counted elsewhere."""
        self.ledger.warn(reason, **line)

    def leftover(
        self, images: Iterable[str], subset: str | None = None, *, under: str = ""
    ) -> None:
        """Add images that no annotation file speaks of as items without annotations.

        The key is the path, without the folder `under`.
        """
        for path in images:
            if self.is_full:
                return
            if path not in self.used_media:
                key = path[len(under) + 1 :] if under and path.startswith(f"{under}/") else path
                self.item(key, subset=subset, media=path)

    # -- batches ----------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Are there as many items as were asked for?"""
        return self.limit is not None and self._builder.next_item >= self.limit

    @property
    def count(self) -> int:
        """Items so far."""
        return self._builder.next_item

    def batches(self) -> Iterator[Batch]:
        """Yield what was collected, if it is enough for a batch."""
        if len(self._builder) >= _BATCH_ROWS:
            yield self._flush()

    def rest(self) -> Iterator[Batch]:
        """Yield what is left; once, at the end."""
        if len(self._builder) or len(self.labels) > self._told or not self._told:
            yield self._flush()

    def _flush(self) -> Batch:
        self._told = len(self.labels)
        return self._builder.flush(tuple(self.labels.values()))
