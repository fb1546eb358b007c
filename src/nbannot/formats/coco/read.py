"""Reading a COCO dataset: the files of each subset, merged by image, one chunk after another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BrokenFileError
from ...helper import Helper, start_helper
from ...ledger import Ledger
from ...media.kinds import IMAGE_SUFFIXES
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Listing, Source
from ..media_index import MediaIndex
from .annotations import AnnotationReader
from .bytes import LARGE
from .chunks import Chunk, chunks_of, outlined_chunks, parsed_chunks
from .images import Ids, Images
from .json import Document, open_document
from .labels import Labels
from .layout import Part, find_parts
from .panoptic import PanopticReader, is_panoptic
from .records import Lines, decode
from .results import choose_subsets, on_named_images, say_alone, say_resolved
from .twins import Twins
from .videos import has_frames, has_tracks, has_videos, split_tracks

__all__ = ["read_coco"]

MEGABYTE = 1_000_000
_EMPTY = ("", "n/a", "unknown")  # what exporters write where there is nothing to say
# Where several files of a subset tell of one object, the first of these tells its outline.
_ORDER = (
    "instances", "", "person_keypoints", "keypoints", "stuff", "panoptic", "captions", "labels",
    "image_info",
)  # fmt: skip
# "info" and "licenses" describe the file, no record, and practically every file has them.
_READ = {"categories", "info", "licenses"}
_CATEGORY_0 = re.compile(rb'"category_id"\s*:\s*"?0(?![\w.])')


def read_coco(
    source: Source,
    options: Mapping[str, Any],
    ledger: Ledger,
    progress: Progress,
    limit: int | None,
) -> Iterator[Batch]:
    """Yield the batches of a COCO dataset: per subset its items, then its annotations."""
    parts, results, others = find_parts(source)
    if not parts and not results:
        why = next(iter(others.values()), "no JSON file")
        raise BrokenFileError(f"There is no COCO file in {source.name}: {why}", where=source.name)
    for path, why in others.items():
        ledger.note("a JSON file is not COCO", file=path, message=f"{path} was not read: {why}")
    index = None
    if source.files.with_suffix(*IMAGE_SUFFIXES):
        index = MediaIndex(_without_segments(source.files, parts))
    labels = Labels(ledger)
    if parts:
        about = choose_subsets(results, parts, source, ledger)
        results = [replace(part, subset=about[part.path]) for part in results]
    else:
        parts, results = results, []
    held: dict[str | None, _Subset] = {}
    corners = options.get("boxes") == "xyxy"
    first = 0
    is_long = limit is None and any((source.size(p.path) or 0) >= LARGE for p in parts + results)
    own = start_helper() if is_long and source.helper is None else None
    with own or nullcontext(source.helper if is_long else None) as helper:
        for subset, group in groupby(sorted(parts, key=_place), key=lambda p: p.subset):
            images = Images(source, index, subset, ledger, first)
            left = None if limit is None else limit - first
            reader = _Subset(source, list(group), images, labels, ledger, progress, helper)
            yield from reader.batches(left, corners=corners)
            held |= {subset: reader} if results else {}
            first = images.following
            if limit is not None and first >= limit:
                break
        for part in results:
            if part.subset in held:  # else its images are beyond the limit
                yield from held[part.subset].results(part, limit, corners=corners)


def _without_segments(files: Listing, parts: list[Part]) -> Listing:
    # The PNG files of segments are no images, though they may have the names of such.
    folders = tuple(f"{p.path.rpartition('.')[0]}/" for p in parts if p.task == "panoptic")
    if not folders:
        return files
    return Listing([path for path in files if not path.startswith(folders)])


def _place(part: Part) -> tuple[str, int, str]:
    task = _ORDER.index(part.task) if part.task in _ORDER else len(_ORDER)
    return part.subset or "", task, part.path


class _Subset:
    """The files of one subset."""

    def __init__(
        self, source: Source, parts: list[Part], images: Images, labels: Labels, ledger: Ledger,
        progress: Progress, helper: Helper | None,
    ) -> None:  # fmt: skip
        self._source, self._parts, self._images = source, parts, images
        self._labels, self._ledger, self._progress = labels, ledger, progress
        self._helper = helper
        self._ids: dict[str, Ids] = {}
        self._names: dict[str, dict[Any, str]] = {}
        self._twins = Twins()
        self._is_video = False
        self._frames: NDArray[np.float64] | None = None
        # Files that are not read again, and the positions of their annotations.
        self._kept: dict[str, tuple[Document, Sequence[int]]] = {}
        # Their annotations, where a helper parses the first of them already.
        self._begun: dict[str, Iterator[Chunk]] = {}

    def batches(self, limit: int | None, *, corners: bool) -> Iterator[Batch]:
        for part in self._parts:
            self._survey(part, limit)
        first = self._images.first
        yield Batch(items=self._images.finish(), labels=self._labels.all())
        self._frames = self._images.frames() if self._is_video else None
        sizes, keys = self._images.sizes(), self._images.keys
        for part in self._parts:
            kept = part.path in self._kept
            document, places = self._kept.pop(part.path) if kept else self._again(part)
            names, ids = self._names[part.path], self._ids[part.path]
            lines = Lines(self._ledger, part.path, document.place_of)
            self._start("Reading annotations", document, places)
            if is_panoptic(document):
                painted = PanopticReader(self._source, part, lines, ids, names, sizes, keys, first)
                yield from self._segments(document, places, painted)
                continue
            reader = AnnotationReader(
                lines, ids, names, sizes, keys, first, corners=corners,
                twins=self._twins, is_first=part is self._parts[0], layer=part.layer,
                frames=self._frames,
            )  # fmt: skip
            begun = self._begun.pop(part.path, None) or self._parsed(document, places)
            yield from self._annotations(begun, reader)
            self._afterwards(reader, part)

    def _again(self, part: Part) -> tuple[Document, Sequence[int]]:
        # Of several large files only one is in memory at a time.
        document = self._open(part, Ledger())
        return document, range(len(document.annotations))

    def _open(self, part: Part, ledger: Ledger, *, outlined: bool = False) -> Document:
        if part.layer is not None:
            return on_named_images(self._open_results(part, ledger))
        document = open_document(self._source, part.path, ledger, outlined=outlined)
        return split_tracks(document, ledger) if has_frames(document) else document

    def _open_results(self, part: Part, ledger: Ledger) -> Document:
        document = open_document(self._source, part.path, ledger, results=True)
        return split_tracks(document, ledger, results=True) if has_tracks(document) else document

    def _survey(self, part: Part, limit: int | None) -> None:
        # Take the images and categories of a file; its annotations come later.
        self._progress.start(f"Reading {part.path}")
        is_whole = len(self._parts) == 1 and limit is None
        document = self._open(part, self._ledger, outlined=is_whole)
        if part.layer is not None:
            say_alone(part, self._ledger)
        self._is_video = self._is_video or has_videos(document)
        if is_whole and not is_panoptic(document):
            everything = range(len(document.annotations))
            self._begun[part.path] = self._parsed(document, everything, part)
        self._progress.start("Reading images", len(document.images), "images")
        ids = self._images.add(document, part, self._progress, limit)
        self._ids[part.path] = ids
        categories = document.rest.get("categories")
        self._names[part.path] = self._labels.add(
            categories, part.path, lambda: document.mentions(_CATEGORY_0)
        )
        unread = [k for k, v in document.rest.items() if k not in _READ and _says_something(v)]
        if unread:
            text = f"{part.path} also holds {', '.join(unread)}, which were not read"
            self._ledger.note("not read", file=part.path, message=text)
        places: Sequence[int] = range(len(document.annotations))
        if limit is not None:
            places = document.annotations_of(list(ids))
            document = document.only(places)
        if limit is not None or len(self._parts) == 1:
            self._kept[part.path] = (document, places)
        if part is not self._parts[0] and not is_panoptic(document):
            self._expect(document, places, ids)

    def _expect(self, document: Document, places: Sequence[int], ids: Ids) -> None:
        quiet = Lines(Ledger(), document.path)
        for chunk in chunks_of(document, places, self._progress):
            records = decode(chunk.text, chunk.places, quiet)
            self._twins.expect([ids.get(r.image_id) for r in records], records)

    def results(self, part: Part, limit: int | None, *, corners: bool) -> Iterator[Batch]:
        """Yield what a model found on the images of this subset."""
        self._progress.start(f"Reading {part.path}")
        document = self._open_results(part, self._ledger)
        say_resolved(part, self._ledger)
        ids: Ids = {}
        names: dict[Any, str] = {}
        for other in self._parts:
            ids = {**self._ids[other.path], **ids}
            names = {**self._names[other.path], **names}
        if self._is_video:
            ids = {**self._images.frame_numbers(), **ids}
        places: Sequence[int] = range(len(document.annotations))
        if limit is not None:
            places = document.annotations_of(list(ids))
            document = document.only(places)
        sizes, keys, first = self._images.sizes(), self._images.keys, self._images.first
        reader = AnnotationReader(
            Lines(self._ledger, part.path, document.place_of), ids, names, sizes, keys,
            first, corners=corners, layer=part.layer, frames=self._frames,
        )  # fmt: skip
        self._start("Reading results", document, places)
        yield from self._annotations(self._parsed(document, places), reader)
        self._afterwards(reader, part)

    def _start(self, stage: str, document: Document, places: Sequence[int]) -> None:
        outline = document.outline
        if outline is None:
            self._progress.start(stage, len(places), "annotations")
        else:  # how many they are is not known
            self._progress.start(stage, (outline.end - outline.begin) // MEGABYTE, "MB")

    def _annotations(self, chunks: Iterable[Chunk], reader: AnnotationReader) -> Iterator[Batch]:
        by_size, done = self._progress.state.unit == "MB", 0
        for chunk in chunks:
            rows = reader.rows(chunk)
            if rows.num_rows:
                yield Batch(annotations=rows)
            before = done
            done += len(chunk.text) if by_size else len(chunk.places)
            unit = MEGABYTE if by_size else 1
            self._progress.advance(done // unit - before // unit)

    def _parsed(
        self, document: Document, places: Sequence[int], part: Part | None = None
    ) -> Iterator[Chunk]:
        if document.outline is not None and part is not None:
            again = partial(self._split, part)
            outline = document.outline
            return outlined_chunks(document, outline, self._progress, self._helper, again)
        if self._twins:  # found by records, one by one
            return chunks_of(document, places, self._progress)
        return parsed_chunks(document, places, self._progress, self._helper)

    def _split(self, part: Part) -> Document:
        # What could not be read by its outline; the ledger has lines about it already.
        told = Ledger()
        document = open_document(self._source, part.path, told)
        for line in told.to_arrow().select(["reason", "file", "where", "message"]).to_pylist():
            if not self._ledger.lines("note", line["reason"]):
                self._ledger.note(**line)
        return document

    def _segments(
        self, document: Document, places: Sequence[int], reader: PanopticReader
    ) -> Iterator[Batch]:
        for start in range(0, len(places), 50):
            self._progress.check()
            some = places[start : start + 50]
            rows = reader.rows(document.annotations[start : start + 50], some)
            if rows.num_rows:
                yield Batch(annotations=rows)
            self._progress.advance(len(some))
            document.forget(some)

    def _afterwards(self, reader: AnnotationReader, part: Part) -> None:
        if reader.undeclared:
            self._labels.unnamed(reader.undeclared, part.path)
        if reader.outside * 2 > reader.boxes > 4 and reader.as_corners >= 0.95 * reader.boxes:
            text = (
                f"{reader.outside} of {reader.boxes} boxes of {part.path} reach outside their "
                'images: they look like x1, y1, x2, y2. If so, read them with boxes="xyxy"'
            )
            self._ledger.note("boxes look like corners", file=part.path, message=text)


def _says_something(value: Any) -> bool:
    # Is there a word in it? Exporters write `info` and `licenses` with empty fields.
    if isinstance(value, dict):
        return any(_says_something(v) for k, v in value.items() if k not in ("id", "year"))
    if isinstance(value, list):
        return any(_says_something(v) for v in value)
    return isinstance(value, str) and value.strip().lower() not in _EMPTY
