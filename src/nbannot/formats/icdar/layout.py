"""Which files of ICDAR are what, and which image belongs to which."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from ...media.kinds import is_image
from ...sources.base import Listing, Source
from ..mask_images import without_suffix
from ..mot.sequences import SPLITS

__all__ = ["TASKS", "Images", "Table", "find_tables", "is_mask", "roots_of", "subset_of"]

TASKS = ("localization", "recognition", "segmentation")

_SPLIT_WORD = re.compile(r"(training|train|validation|valid|val|testing|test)", re.IGNORECASE)
_NO_SUBSET = re.compile(r"gt|annot|label|image|img|transcription|ground|txt|data", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """A text: its task, subset, folder within the subset, and the stem of its image ("": many)."""

    path: str
    task: str
    subset: str | None
    folder: str
    stem: str


def find_tables(source: Source, task: str | None = None) -> list[Table]:
    """Return the texts of a source by name: gt_<image>.txt, <image>_GT.txt, gt.txt."""
    paths = [source.main] if source.main is not None else source.files.with_suffix(".txt")
    roots = roots_of(source.files) if source.main is None else frozenset()
    if task is None:  # of 100,000 texts, most are somebody else's
        paths = [p for p in paths if "gt" in p.lower()]
    found = [table for path in paths if (table := _table(path, task, roots)) is not None]
    order = {name: i for i, name in enumerate(TASKS)}
    return sorted(found, key=lambda t: (order[t.task], t.path))


def _table(path: str, task: str | None, roots: Collection[str]) -> Table | None:
    folder, _, base = path.rpartition("/")
    subset, inner = subset_of(folder, roots)
    stem, low = without_suffix(base), base.lower()
    if low == "gt.txt" and folder.rpartition("/")[2] != "gt":
        made = Table(path, "recognition", subset, inner, "")
    elif low.startswith("gt_") and len(low) > len("gt_.txt"):
        made = Table(path, "localization", subset, inner, stem[3:])
    elif low.endswith("_gt.txt") and len(low) > len("_gt.txt"):
        made = Table(path, "segmentation", subset, inner, stem[:-3])
    elif task is not None and low not in ("labels.txt", "classes.txt", "readme.txt"):
        made = Table(path, task, subset, inner, "" if task == "recognition" else stem)
    else:
        return None
    return made if task in (None, made.task) else None


def roots_of(files: Listing) -> frozenset[str]:
    """Return the folders that hold a folder ``images``: they are subsets, whatever their name."""
    return frozenset(f for f in files.folders() if "images" in files.folders(f))


def subset_of(folder: str, roots: Collection[str] = ()) -> tuple[str | None, str]:
    """Return the subset that a folder means, and the rest of it.

    >>> subset_of("train/a"), subset_of("mine"), subset_of("ch4_training_gt"), subset_of("gt")
    (('train', 'a'), ('mine', ''), ('training', ''), (None, ''))
    """
    parts = folder.split("/") if folder else []
    if parts and parts[0] in roots:
        return parts[0], "/".join(parts[1:])
    for i, part in enumerate(parts):
        if part.lower() in SPLITS:
            return part, "/".join(parts[i + 1 :])
    for i, part in enumerate(parts):
        match = _SPLIT_WORD.search(part)
        if match:
            return match[1].lower(), "/".join(parts[i + 1 :])
    if parts and not _NO_SUBSET.search(parts[0]):
        return parts[0], "/".join(parts[1:])
    return None, "/".join(parts[1:])


def is_mask(path: str) -> bool:
    """Is it the mask of a segmentation?"""
    return re.search(r"_GT\.(bmp|png)$", path, re.IGNORECASE) is not None


class Images:
    """The images of a source, by subset and path without suffix.

    An image's path is taken below the subset's folder, without a folder ``images``.
    """

    def __init__(self, files: Listing) -> None:
        self._found: dict[tuple[str | None, str], list[str]] = {}
        self._keys: dict[str, tuple[str | None, str]] = {}
        places: dict[str, tuple[str | None, str]] = {}
        roots = roots_of(files)
        for path in files:
            if not is_image(path) or is_mask(path):
                continue
            folder, _, base = path.rpartition("/")
            if folder not in places:
                subset, inner = subset_of(folder, roots)
                parts = [p for p in inner.split("/") if p]
                if parts and parts[0].lower() == "images":
                    parts = parts[1:]
                places[folder] = subset, "/".join(parts)
            subset, inner = places[folder]
            key = f"{inner}/{base}" if inner else base
            self._keys[path] = (subset, key)
            self._found.setdefault((subset, without_suffix(key)), []).append(path)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def of_stem(self, subset: str | None, stem: str) -> str | None:
        """Return the image of a path without suffix; of another subset, if only one fits."""
        pool = self._found.get((subset, stem)) or self._elsewhere.get(stem, [])
        return pool[0] if len(pool) == 1 else None

    def of_name(self, subset: str | None, name: str) -> str | None:
        """Return the image of a path; of another subset, if only one fits."""
        stem = without_suffix(name)
        pool = self._found.get((subset, stem)) or self._elsewhere.get(stem, [])
        exact = [p for p in pool if self._keys[p][1] == name] or pool
        return exact[0] if len(exact) == 1 else None

    @cached_property
    def _elsewhere(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for (_, stem), paths in self._found.items():
            found.setdefault(stem, []).extend(paths)
        return found

    def key(self, path: str) -> tuple[str | None, str]:
        """Return the subset and the key of an image."""
        return self._keys[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)
