"""Reading CVAT's XML, in one pass and without a tree: what the files of a source share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from ...errors import BrokenFileError
from ...ledger import Ledger
from ...media.kinds import IMAGE_SUFFIXES, KIND_OF_SUFFIX, suffix
from ...progress import Progress
from ...schema import Batch, Label
from ...sources.base import Source
from ..json_values import dumps
from ..look import HEAD_BYTES, Head
from ..reading import Reading
from .columns import Columns
from .file import FileReader, Full
from .pictures import Pictures
from .pieces import read_pieces
from .plain import Images
from .shapes import Size
from .xml import chunks

__all__ = ["CvatReader", "cvat_files", "is_cvat"]

_SUBSET_NAMES = frozenset(
    ("train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval")
)
_MARK = re.compile(r"<(version|image|track|meta)[\s>]")


def is_cvat(head: Head) -> bool:
    """Does the head of a file say that it is CVAT's XML?"""
    if head.xml_root != "annotations":
        return False
    return _MARK.search(head.text) is not None


def cvat_files(source: Source) -> list[str]:
    """Return the XML files of a source that are CVAT's."""
    paths = [source.main] if source.main is not None else source.files.with_suffix(".xml")
    return [p for p in paths if _is_cvat_file(source, p)]


def _is_cvat_file(source: Source, path: str) -> bool:
    head = Head(source.read(path, 4096))
    return is_cvat(Head(source.read(path, HEAD_BYTES))) if not head.xml_root else is_cvat(head)


class CvatReader:
    """One read of a source: what its files share."""

    def __init__(
        self, source: Source, options: Mapping[str, Any], ledger: Ledger, progress: Progress,
        limit: int | None,
    ) -> None:  # fmt: skip
        self.source, self.ledger, self.progress, self.limit = source, ledger, progress, limit
        self.interpolate = options.get("frames") == "interpolated"
        self.kit = Reading(source, ledger, progress, limit)
        self.columns = Columns()
        self.keys: dict[tuple[str | None, str], tuple[int, str | None, str | None]] = {}
        self._copies: dict[tuple[str | None, str], int] = {}
        self._tracks: dict[tuple[str | None, str, str], dict[str, int]] = {}
        self.used: set[str] = set()
        self.subsets: set[str] = set()
        self.budget = 5_000_000
        self.has_media = bool(source.files.with_suffix(*KIND_OF_SUFFIX))
        self.told = -1

    def read(self) -> Iterator[Batch]:
        """Yield the dataset; see `Format.read`."""
        paths = cvat_files(self.source)
        if not paths:
            raise BrokenFileError(
                "There is no XML file of CVAT", where=self.source.name,
                hint="Its first element is <annotations>; export it from CVAT again.",
            )  # fmt: skip
        sizes = [self.source.size(p) for p in paths]
        total = None if None in sizes else sum(s for s in sizes if s is not None)
        self.progress.start("Reading CVAT", total, "bytes")
        folders = sorted({p.rpartition("/")[0] for p in paths})
        is_whole = self.limit is None
        with Pictures.of(self.source, self.progress, is_whole=is_whole) as pictures:
            for path in paths:
                folder = path.rpartition("/")[0]
                prefix, subset = _place(folder, folders)
                stem = path.rpartition("/")[2].rpartition(".")[0]
                subset = stem if stem.lower() in _SUBSET_NAMES else subset
                file = FileReader(self, path, prefix, subset)
                for batch in self._file(file, alone=len(paths) == 1):
                    yield batch
                    pictures.go_on(self.progress.state.fraction or 0.0)
                if self.is_full:
                    break
            pictures.go_on()
        if not self.is_full:
            self._leftover(folders)
        yield self._flush()

    @property
    def is_full(self) -> bool:
        """Are there as many items as were asked for?"""
        return self.limit is not None and self.columns.next_item >= self.limit

    def _file(self, file: FileReader, *, alone: bool) -> Iterator[Batch]:
        try:
            with self.source.open(file.path) as stream:
                for count in self._read(file, stream):
                    self.progress.advance(count)
                    file.count()
                    if self.columns.is_enough:
                        yield self._flush(keep=int(file.is_open))
                file.close()
        except Full:
            pass
        except BrokenFileError as error:
            if alone:
                raise
            self.kit.reject(
                "the file can't be read", file=file.path, where=error.where, record="file",
                message=f"{error} What came before is imported.",
            )  # fmt: skip
        file.count()

    def _read(self, file: FileReader, stream: BinaryIO) -> Iterator[int]:
        if self.limit is not None:
            return chunks(stream, file.parser, file.path)
        return read_pieces(file, stream)

    def _flush(self, keep: int = 0) -> Batch:
        labels: tuple[Label, ...] = ()
        if len(self.kit.labels) != self.told:
            labels = tuple(self.kit.labels.values())
            self.told = len(labels)
        return self.columns.flush(labels, keep)

    def _leftover(self, folders: Sequence[str]) -> None:
        # Images that no file speaks of are items without annotations.
        if self.source.main is not None:
            return
        count = 0
        for path in self.source.files.with_suffix(*IMAGE_SUFFIXES):
            if path in self.used:
                continue
            folder = max((f for f in folders if not f or path.startswith(f"{f}/")), key=len,
                         default=None)  # fmt: skip
            if folder is None:
                continue
            prefix, subset = _place(folder, folders)
            parts = path[len(folder) :].lstrip("/").split("/")
            if parts[0] in ("images", "data") and len(parts) > 1:
                parts = parts[1:]
            if len(parts) > 1 and parts[0] in self.subsets:
                subset = parts.pop(0)
            key = "/".join([prefix, *parts]) if prefix else "/".join(parts)
            if (subset, key) in self.keys:
                key = path
            self.add_item(subset, key, "image", path, (None, None))
            count += 1
            if self.is_full:
                break
        if count:
            self.ledger.note(
                "images that no annotation names",
                message=f"{count:,} images are in no XML file; they are items without annotations",
            )

    def add_item(
        self, subset: str | None, key: str, kind: str, media: str | None, size: Size,
        source_id: str | None = None, task_id: str | None = None, *, frames: int | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> int:  # fmt: skip
        """Count and add an item; return its number."""
        self.ledger.read()
        if media is not None:
            self.used.add(media)
        own = dict(meta) if meta else {}
        if task_id:
            own["task_id"] = task_id
        number = self.columns.add_item(
            subset, key, kind, media, size, frames, source_id, dumps({"cvat": own}) if own else None
        )
        self.keys[subset, key] = (number, task_id, media)
        if subset is not None:
            self.subsets.add(subset)
        return number

    def items_of(
        self, found: Sequence[tuple[str | None, str, str | None, str | None]], images: Images,
        first: int,
    ) -> dict[str, Any]:  # fmt: skip
        """Count plain images, of which (subset, key, media, task) were found; return columns."""
        count, base = len(found), self.columns.next_item
        self.ledger.read(count)
        subsets, keys, media, tasks = zip(*found, strict=True)
        self.used.update(filter(None, media))
        self.subsets.update(subset for subset in set(subsets) if subset is not None)
        own = {t: dumps({"cvat": {"task_id": t}}) if t else None for t in set(tasks)}
        part = slice(first, first + count)
        return {
            "item": np.arange(base, base + count), "subset": subsets, "key": keys,
            "kind": pa.repeat("image", count), "media": media, "width": images.widths[part],
            "height": images.heights[part], "source_id": images.ids[part],
            "meta": [own[t] for t in tasks],
        }  # fmt: skip

    def free_key(self, subset: str | None, key: str) -> str:
        """Return `key`, with a number where it is taken."""
        free = key
        while (subset, free) in self.keys:
            n = self._copies[subset, key] = self._copies.get((subset, key), 1) + 1
            free = f"{key}-{n}"
        return free

    def track_name(self, place: tuple[str | None, str, str], name: str) -> str:
        """Return `name`, with a number where a track of the same place has it."""
        names = self._tracks.setdefault(place, {})
        free = name
        while free in names:
            names[name] += 1
            free = f"{name}-{names[name]}"
        names[free] = 1
        return free

    def find(self, name: str, near: Sequence[str], subset: str | None) -> tuple[str | None, str]:
        """Return the media of a name, and "" or what was wrong in finding it."""
        if not self.has_media:
            return None, "missing"
        files = self.source.files
        for folder in near:
            place = f"{folder}/{name}" if folder else name
            if place in files:
                return place, ""
        if not suffix(name):
            found = self.kit.media.find_stem(name, near)
        else:
            found = self.kit.media.find(name, near, tails=True)
        path = found.path
        if path in self.used:
            return None, "missing"  # it is another item's
        if path is not None and subset is not None:
            parts = path.split("/")
            if subset not in parts and not self.subsets.isdisjoint(parts[:-1]):
                return None, "missing"  # it is another subset's
        return path, found.problem if path is None else ""


def _place(folder: str, folders: Sequence[str]) -> tuple[str, str | None]:
    # The folder of an XML file below the one that all have in common, and the subset it is.
    parts = [f.split("/") if f else [] for f in folders]
    mine = folder.split("/") if folder else []
    subset = mine.pop() if mine and mine[-1].lower() in _SUBSET_NAMES else None
    shared = 0
    while all(len(p) > shared and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return "/".join(mine[shared:]), subset
