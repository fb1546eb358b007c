"""Reading the images and label files of a YOLO dataset as a stream of batches.

Shared by both layouts: `yolo` and `yolo-darknet` differ in what declares the dataset only.
Coordinates become pixels of the image as displayed, as Ultralytics does, so each image's header
is read. Memory holds the names of all images, and the rows of one chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...errors import BrokenFileError, NbannotError, OptionError, SourceError, UnsafeSourceError
from ...helper import in_order
from ...ledger import Ledger
from ...media.headers import Scanned
from ...media.images import (
    ImageInfo,
    probe_source_image,
    probe_source_images,
    remember_scanned,
)
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ...sources.disk import DiskFiles
from ..base import Option
from .columns import annotation_columns
from .data import Declared, Names, parse_kpt_shape
from .files import CHUNK_BYTES, read_files
from .layout import Entries, Entry, Layout, place_of_label
from .rows import Rows, fit_rectangles, parse_rows
from .work import RowLines

__all__ = ["READ_OPTIONS", "read_layout"]

CHUNK_IMAGES = 4096
_SAMPLE_IMAGES = 100
_UNKNOWN = (np.nan, np.nan)
_EMPTY = '{"label_file": "empty"}'

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

READ_OPTIONS = (
    Option(
        "task", "choice", "auto", "what the rows are; auto looks at each",
        ("auto", "detect", "segment", "obb", "pose"),
    ),
    Option("image_size", "text", None, "size of images that are missing, e.g. 1920x1080"),
    Option("kpt_shape", "text", None, "keypoints per row where no file says so, e.g. 17,3"),
    Option("names", "text", None, "names of the classes, in order, where no file has them"),
)  # fmt: skip
"""Options of both YOLO readers."""

_PROBLEMS = {
    "missing": ("image is not in the source", "{0} is not in the source"),
    "ambiguous": ("image name fits several files", "{0} fits several files equally"),
    "unicode": ("name in another Unicode form", "{0} is written in another Unicode form"),
    "escaped": ("name is percent-encoded", "{0} is written percent-encoded"),
}


def read_layout(
    source: Source,
    declared: Declared,
    layout: Layout,
    options: Mapping[str, Any],
    ledger: Ledger,
    progress: Progress,
    limit: int | None,
) -> Iterator[Batch]:
    """Yield the images of a layout with their rows, in order; see `Format.read`."""
    for reason, text in (*declared.remarks, *layout.remarks):
        ledger.note(reason, file=declared.where, message=text)
    if options.get("kpt_shape"):
        declared.pose = parse_kpt_shape(options["kpt_shape"], "option kpt_shape")
    if options["task"] == "pose" and declared.pose is None:
        raise OptionError(
            "task='pose' needs to know the keypoints",
            hint="Give kpt_shape='17,3', or write kpt_shape: [17, 3] into data.yaml.",
        )
    yield from _Reader(source, declared, layout, options, ledger, progress).batches(limit)


class _Reader:
    def __init__(
        self,
        source: Source,
        declared: Declared,
        layout: Layout,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        self.source, self.declared, self.ledger = source, declared, ledger
        self.progress = progress
        self.size = _parse_size(options["image_size"])
        self.task = options["task"]
        self.entries, self.orphans = layout.entries, layout.orphans
        if self.size is not None:  # with a size, labels alone can be placed
            for path in self.orphans:
                subset, key = place_of_label(path)
                self.entries.add(
                    subset, [key], [path[:-4]], listed=path, problem="missing", missing=True
                )
                self.entries.label[-1] = path
            self.entries.make_keys_unique()
            self.orphans = []
        self.quads = self.task == "auto" and declared.pose is None and self._has_quads()
        self.next_item = 0
        self.told: set[int] = set()
        self.told_made_up = False

    def batches(self, limit: int | None) -> Iterator[Batch]:
        first = tuple(self._new_labels())
        self.progress.start("Reading labels", len(self.entries), "images")
        empty = True
        helper = self.source.helper if limit is None else None
        for chunk, (scanned, rows) in in_order(read_files, self._chunks(limit), helper):
            for part, found in self._texts(chunk) if rows is None else [(chunk, {})]:
                if len(part) < len(chunk):
                    scanned = None
                batch = self._batch(part, scanned, found if rows is None else rows, first)
                first, empty = (), False
                self._tell_made_up_names()
                yield batch
                self.progress.advance(len(part))
        if limit is not None and self.next_item >= limit:
            return
        if empty:
            yield Batch(labels=first)
        self._reject_orphans()

    def _chunks(self, limit: int | None) -> Iterator[tuple[Entries, tuple[DiskFiles | None, ...]]]:
        # Some images at a time, and their files where they lie on disk.
        start = 0
        while limit is None or self.next_item < limit:
            count = CHUNK_IMAGES if limit is None else min(CHUNK_IMAGES, limit - self.next_item)
            chunk = self.entries.part(start, start + count)
            if not len(chunk):
                return
            start += count
            columns = (chunk.media, chunk.label)
            yield chunk, tuple(self.source.on_disk(_given(column)) for column in columns)

    def _texts(self, chunk: Entries) -> Iterator[tuple[Entries, dict[str, bytes]]]:
        # A chunk with the bytes of its label files by path, in parts of bounded size.
        while len(chunk):
            labels = _given(chunk.label)
            found, settled = self._read_texts(labels)
            if settled == len(labels):
                yield chunk, found
                return
            count = chunk.label.index(labels[settled - 1]) + 1
            yield chunk.part(0, count), found
            chunk = chunk.part(count, len(chunk))

    def _read_texts(self, paths: Sequence[str]) -> tuple[dict[str, bytes], int]:
        # The bytes by path of the first of `paths`, and how many these are: as many as
        # CHUNK_BYTES hold, and one more.
        found: dict[str, bytes] = {}
        size = 0
        try:
            for path, data in self.source.read_many(paths):
                found[path] = data
                size += len(data)
                if size >= CHUNK_BYTES:
                    break
            else:
                return found, len(paths)
        except UnsafeSourceError:
            raise
        except SourceError:
            pass  # one by one, to name the file that can't be read
        # In the order of a source that may be another one, too much was read at once.
        known, found = found, {}
        size = 0
        for count, path in enumerate(paths, 1):
            try:
                found[path] = data = known[path] if path in known else self.source.read(path)
            except UnsafeSourceError:
                raise
            except SourceError as error:
                self.ledger.read()
                self.ledger.reject(
                    "label file can't be read", file=path, record="file", message=str(error)
                )
                continue
            size += len(data)
            if size >= CHUNK_BYTES:
                return found, count
        return found, len(paths)

    # -- one batch --------------------------------------------------------------------

    def _batch(
        self, part: Entries, scanned: Scanned | None, found: Rows | dict[str, bytes], labels: Any
    ) -> Batch:
        sizes, items = self._items(part, scanned)
        labelled = np.array([label is not None for label in part.label], bool)
        if isinstance(found, Rows):
            rows = found
            if not labelled.all():
                rows = replace(rows, file=np.flatnonzero(labelled)[rows.file])
        else:
            rows = parse_rows(
                [found.get(label or "", b"") for label in part.label], self.declared.names
            )
            labelled = np.array([label in found for label in part.label], bool)
        self.ledger.read(len(rows) + len(rows.bad))
        lines = RowLines(self.ledger, [label or "" for label in part.label], part.key)
        numbers = np.full(len(part), -1, np.int64)
        numbers[items] = np.arange(self.next_item, self.next_item + len(items))
        columns = annotation_columns(
            rows, self.declared, sizes, numbers, lines, task=self.task, quads=self.quads
        )
        blank = labelled
        blank[rows.file] = False
        blank[[bad.file for bad in rows.bad] + [file for file, _ in rows.headers]] = False
        for file, line in rows.headers:
            self.ledger.note("DOTA header line", file=part.label[file] or "", where=f"line {line}")
        self.next_item += len(items)
        if len(items) < len(part):
            kept = part.at(items.tolist())
            sizes, blank = sizes[items], blank[items]
        else:
            kept = part
        meta = pa.nulls(len(kept), pa.string())
        if blank.any():
            meta = pc.if_else(pa.array(blank), _EMPTY, meta)
        return Batch.of(
            {
                "item": numbers[items],
                "subset": kept.subset,
                "key": kept.key,
                "kind": ["image"] * len(kept),
                "media": kept.media,
                "width": sizes[:, 0].astype(np.int32),
                "height": sizes[:, 1].astype(np.int32),
                "meta": meta,
            },
            columns,
            (*labels, *self._new_labels()),
        )

    def _items(self, part: Entries, scanned: Scanned | None) -> tuple[Floats, Integers]:
        # Width and height of each image (NaN: unknown), and which of them become items.
        self.ledger.read(len(part))
        known = None if scanned is None or len(scanned.which) < len(part) else scanned.sizes()
        if scanned is not None and known is not None and not any(part.problem):
            remember_scanned(self.source, _given(part.media), scanned)
            return known, np.arange(len(part))
        sizes: list[tuple[float, float]] = []
        items = []
        probed = probe_source_images(
            self.source, _given(part.media), scanned=scanned, remember=True
        )
        for i, media in enumerate(part.media):
            info = next(probed) if media is not None else None
            if isinstance(info, ImageInfo):
                items.append(i)
                sizes.append((info.width, info.height))
                if part.problem[i]:
                    self._doubtful(part.entry(i))
            elif self._unmeasured(part.entry(i), info):
                items.append(i)
                sizes.append(self.size or _UNKNOWN)
            else:
                sizes.append(_UNKNOWN)
        return np.array(sizes, np.float64).reshape(-1, 2), np.array(items, np.int64)

    def _unmeasured(self, entry: Entry, error: NbannotError | None) -> bool:
        # Say that an image is not there, or can't be read; is it an item all the same?
        if error is None:
            reason, text = _PROBLEMS.get(entry.problem, _PROBLEMS["missing"])
            text = text.format(entry.key)
        elif isinstance(error, UnsafeSourceError):
            raise error
        else:
            reason, text = "image can't be read", error.message
        if self.size is None:
            text += "; with image_size= its rows can be placed all the same"
            self.ledger.reject(reason, **self._line(entry), message=text)
            return False
        text += "; image_size is taken for its size"
        self.ledger.warn(reason, **self._line(entry), message=text)
        return True

    def _doubtful(self, entry: Entry) -> None:
        # The image is there, but not quite as it was named, or its labels are another's.
        if entry.problem in _PROBLEMS:
            reason, text = _PROBLEMS[entry.problem]
            self.ledger.warn(reason, **self._line(entry), message=text.format(entry.media))
        else:
            reason = "one label file for two images"
            self.ledger.warn(reason, **self._line(entry), message=entry.problem)

    def _line(self, entry: Entry) -> dict[str, str]:
        return {
            "file": entry.media or entry.listed or self.declared.where,
            "record": f"image {entry.key}",
            "item": entry.key,
        }

    def _new_labels(self) -> Iterator[Any]:
        for number in self.declared.names.by_id:
            if number not in self.told:
                self.told.add(number)
                yield self.declared.label(number)

    def _tell_made_up_names(self) -> None:
        if self.declared.names.made_up and not self.told_made_up:
            self.told_made_up = True
            text = "no file names the classes: they are called class_0, class_1 …"
            self.ledger.note("no class names", message=text)

    # -- the rest ---------------------------------------------------------------------

    def _reject_orphans(self) -> None:
        reason = "label file without an image"
        start = 0
        while paths := self.orphans[start : start + CHUNK_IMAGES]:
            found, settled = self._read_texts(paths)
            start += settled
            paths = paths[:settled]
            texts = [found.get(path, b"") for path in paths]
            rows = parse_rows(texts, Names({}))
            file = np.concatenate([rows.file, [bad.file for bad in rows.bad]]).astype(int)
            line = np.concatenate([rows.line, [bad.line for bad in rows.bad]]).astype(int)
            self.ledger.read(len(file))
            where = [f"line {n}" for n in line.tolist()]
            names = [paths[i] for i in file.tolist()]
            text = "{} {}: there is no image for it; image_size= places its rows without one"
            self.ledger.reject(
                reason, file=names, where=where, record=where,
                message=[text.format(n, w) for n, w in zip(names, where, strict=True)],
            )  # fmt: skip
            blank = [p for i, p in enumerate(paths) if i not in set(file.tolist()) and p in found]
            self.ledger.note(reason, file=blank, message=[f"{p} is empty" for p in blank])

    def _has_quads(self) -> bool:
        # Rows of 9 numbers are rotated boxes where data.yaml says so, or the first labelled images
        # have nothing else and these are near to rectangles in pixels.
        if self.declared.task in ("obb", "segment"):
            return self.declared.task == "obb"
        labelled = (i for i, label in enumerate(self.entries.label) if label)
        places = list(islice(labelled, _SAMPLE_IMAGES))
        sample = [entry for entry in map(self.entries.entry, places) if entry.media]
        try:
            found = dict(self.source.read_many([entry.label or "" for entry in sample]))
        except SourceError:
            return False
        texts = [found[entry.label or ""] for entry in sample]
        rows = parse_rows(texts, Names({}))
        if not len(rows) or not np.isin(rows.count, (9, 10, 11)).all():
            return False
        files = np.unique(rows.file)[:20]
        corners = []
        for i in files.tolist():
            try:
                info = probe_source_image(self.source, sample[i].media or "")
            except (SourceError, BrokenFileError):
                continue
            mine = np.flatnonzero(rows.file == i)
            scale = np.array([info.width, info.height])
            corners.append(rows.numbers(mine, 1, 9).reshape(-1, 4, 2) * scale)
        if not corners:
            return False
        boxes, _, off = fit_rectangles(np.concatenate(corners))
        near = off <= np.maximum(0.05 * boxes[:, 2:].max(axis=1), 1.5)
        return bool(near.mean() >= 0.8)


def _given(paths: Sequence[str | None]) -> list[str]:
    return [path for path in paths if path is not None]


def _parse_size(given: Any) -> tuple[float, float] | None:
    if given is None or given == "":
        return None
    values = given.replace("x", ",").split(",") if isinstance(given, str) else given
    try:
        width, height = (float(v) for v in values)
    except (TypeError, ValueError):
        width = height = 0.0
    if not (0 < width < 1e6 and 0 < height < 1e6):
        raise OptionError(
            f"image_size can't be {given!r}", hint="Give width and height in pixels: 1920x1080."
        )
    return width, height
