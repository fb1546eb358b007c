"""Where a Pascal VOC dataset keeps what: which XML, image and masks are one item, in which subset.

Names only: no annotation file is opened here, only the lists in ``ImageSets``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ...errors import SourceError
from ...ledger import Ledger
from ...media.kinds import IMAGE_SUFFIXES
from ...sources.base import Source

__all__ = ["SUBSET_NAMES", "Entry", "ImageSets", "Layout", "image_stem", "is_mask_folder"]

SUBSET_NAMES = frozenset(
    ("train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval")
)
"""Folders of these names (case does not matter) are subsets."""

_XML_FOLDERS = frozenset(("annotations", "annotation", "labels", "xml", "xmls", "ann"))
_IMAGE_FOLDERS = frozenset(("jpegimages", "images", "image", "imgs", "img", "data"))
_KINDS = ("main", "segmentation", "action", "layout")
_LINE = re.compile(r'(?:"(?P<quoted>.*)"|(?P<name>.*?))(?P<numbers>(?:\s+-?\d+)*)')


def image_stem(path: str) -> str:
    """Return `path` without the suffix of an image; any other dot belongs to the name.

    >>> image_stem("a/b.JPG"), image_stem("v1.5")
    ('a/b', 'v1.5')
    """
    stem, dot, end = path.rpartition(".")
    return stem if dot and stem and f".{end.lower()}" in IMAGE_SUFFIXES else path


def is_mask_folder(name: str) -> bool:
    """Say whether a folder of this name holds masks rather than images."""
    return name.lower().startswith(("segmentationclass", "segmentationobject"))


class Place(NamedTuple):
    """A file, apart from the folders that only sort it: root, subset folder, and the rest."""

    root: str
    subset: str | None
    name: str


@dataclass(slots=True)
class Entry:
    """One item: its annotation file, image and masks, as far as their names tell.

    `name` is the item's path without the suffix of a file. Where several images fit, they are in
    `rivals` and the annotation file has to name one.
    """

    root: str
    subset: str | None
    name: str
    xml: str | None = None
    image: str | None = None
    class_mask: str | None = None
    object_mask: str | None = None
    rivals: tuple[str, ...] = ()


class ImageSets:
    """The lists of one ``ImageSets`` folder: which image is in which subset, and of which class.

    An image in several lists is in the smallest of them (``train``, not ``trainval``); the lists
    of ``Main`` come before those of ``Segmentation``, ``Action`` and ``Layout``.
    """

    def __init__(self, source: Source, folder: str, known: Iterable[str]) -> None:
        self._known = frozenset(known)
        self.subset_of: dict[str, str] = {}
        self.present: dict[str, dict[str, str]] = {}  # name -> class -> "1" or "0" (difficult)
        self.in_several = 0
        self.class_lists = 0
        self.unread: list[str] = []
        self.used: set[str] = set()
        kinds: dict[str, list[str]] = {}
        prefix = f"{folder}/"
        for path in source.files.with_suffix(".txt"):
            if path.startswith(prefix) and "/" in path[len(prefix) :]:
                kinds.setdefault(path[len(prefix) :].partition("/")[0], []).append(path)
        for kind in sorted(kinds, key=_kind_order):
            self._read_kind(source, f"{prefix}{kind}/", kinds[kind], main=kind.lower() == "main")
        # Images of each subset in a folder of its name: the folder says nothing more.
        self.nested = len(set(self.subset_of.values())) > 1 and all(
            name.startswith(f"{subset}/") for name, subset in self.subset_of.items()
        )

    def _read_kind(self, source: Source, prefix: str, paths: list[str], *, main: bool) -> None:
        lists: dict[str, list[tuple[str, list[str]]]] = {}
        for path in paths:
            try:
                text = source.read(path).decode("utf-8-sig", "replace")
            except SourceError:
                self.unread.append(path)
                continue
            lists[path[len(prefix) : -len(".txt")]] = list(self._lines(text))
        plain = {n: rows for n, rows in lists.items() if not self._of_class(n, rows, lists)}
        seen: dict[str, str] = {}
        for subset in sorted(plain, key=lambda n: (len(plain[n]), n)):
            for name, _ in plain[subset]:
                if name in seen and seen[name] != subset:
                    self.in_several += 1
                else:
                    seen[name] = subset
        for name, subset in seen.items():
            self.subset_of.setdefault(name, subset)
        for stem, rows in lists.items():
            of = self._of_class(stem, rows, lists)
            if not of:
                continue
            self.class_lists += 1
            if main:
                label = stem[: -len(of) - 1]
                for name, numbers in rows:
                    if numbers and numbers[0] in ("0", "1"):
                        self.present.setdefault(name, {}).setdefault(label, numbers[0])

    @staticmethod
    def _of_class(stem: str, rows: list[tuple[str, list[str]]], lists: Iterable[str]) -> str | None:
        # "cat_train" beside "train" is the list of a class, unless its lines have no -1, 0 or 1.
        for subset in sorted(lists, key=len, reverse=True):
            if stem.endswith(f"_{subset}") and len(stem) > len(subset) + 1:
                marked = not rows or (rows[0][1] and rows[0][1][-1] in ("-1", "0", "1"))
                return subset if marked else None
        return None

    def _lines(self, text: str) -> Iterable[tuple[str, list[str]]]:
        for line in text.splitlines():
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if line in self._known and line[0] != '"':  # most are
                yield line, []
                continue
            match = _LINE.fullmatch(line)
            assert match is not None
            name = match["quoted"] if match["quoted"] is not None else match["name"]
            if line in self._known and match["quoted"] is None:
                yield line, []
            else:
                yield name.removeprefix("JPEGImages/"), match["numbers"].split()

    def find(self, *names: str) -> str | None:
        """Return the first of `names` that is in a list."""
        for name in names:
            if name in self.subset_of:
                self.used.add(name)
                return name
        return None


def _kind_order(kind: str) -> tuple[int, str]:
    lower = kind.lower()
    return (_KINDS.index(lower) if lower in _KINDS else len(_KINDS), kind)


class Layout:
    """The entries of a dataset: those with an annotation file or masks first, sorted by name.

    Images that no entry claims are items too; `leftover` yields them once the annotation files,
    which may name an image by ``<filename>``, have been read.
    """

    def __init__(self, source: Source, ledger: Ledger) -> None:
        files = source.files
        self.set_folders = {
            folder.rpartition("/")[0]: folder
            for folder in files.all_folders()
            if folder.rpartition("/")[2].lower() == "imagesets"
        }
        self._folders: dict[tuple[str, frozenset[str]], Place] = {}
        main = source.main
        xmls = [main] if main is not None else files.with_suffix(".xml")
        self.masks = [] if main is not None else [p for p in files.with_suffix(".png") if _mask(p)]
        images = files.with_suffix(*IMAGE_SUFFIXES)
        if self.masks:
            masks = set(self.masks)
            images = [p for p in images if p not in masks and not _in_mask_folder(p)]
        self.images = images
        self._places = {p: self.place(p, _IMAGE_FOLDERS) for p in images}
        # (root, subset) -> name without suffix -> images
        self._by_stem: dict[tuple[str, str | None], dict[str, list[str]]] = {}
        for path, (root, subset, name) in self._places.items():
            stems = self._by_stem.setdefault((root, subset), {})
            stems.setdefault(image_stem(name), []).append(path)
        self.claimed: set[str] = set()
        self.entries = self._pair(xmls)
        self.sets = self._read_sets(source, ledger)
        self._alone = main is not None
        self._prefixed = self._roots_collide()

    # -- places -----------------------------------------------------------------------

    def place(self, path: str, sorting: frozenset[str]) -> Place:
        """Take the folders out of `path` that only sort: ``Annotations``, ``train`` ..."""
        folder, _, name = path.rpartition("/")
        place = self._folders.get((folder, sorting))
        if place is None:
            place = self._folders[folder, sorting] = self._place_folder(folder, sorting)
        return Place(place.root, place.subset, place.name + name)

    def _place_folder(self, folder: str, sorting: frozenset[str]) -> Place:
        folders = folder.split("/") if folder else []
        for root in self._set_roots(folders):
            rest = folders[root:]
            if rest and (rest[0].lower() in sorting or is_mask_folder(rest[0])):
                return Place("/".join(folders[:root]), None, "".join(f"{f}/" for f in rest[1:]))
        kinds = [f.lower() in sorting or is_mask_folder(f) for f in folders]
        kind = len(kinds) - 1 - kinds[::-1].index(True) if True in kinds else None
        subset = next(
            (i for i, f in enumerate(folders) if f.lower() in SUBSET_NAMES and i != kind), None
        )
        marks = [i for i in (kind, subset) if i is not None]
        if not marks:
            return Place("", None, f"{folder}/" if folder else "")
        rest = [f for i, f in enumerate(folders) if i >= min(marks) and i not in marks]
        root_folder = "/".join(folders[: min(marks)])
        named = folders[subset] if subset is not None else None
        return Place(root_folder, named, "".join(f"{f}/" for f in rest))

    def _set_roots(self, folders: list[str]) -> Iterable[int]:
        if self.set_folders:
            for depth in range(len(folders), -1, -1):
                if "/".join(folders[:depth]) in self.set_folders:
                    yield depth

    # -- pairing ----------------------------------------------------------------------

    @cached_property
    def _by_path(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in self.images:
            found.setdefault(image_stem(path), []).append(path)
        return found

    def _pair(self, xmls: list[str]) -> list[Entry]:
        entries = []
        first: dict[tuple[str, str | None, str], Entry] = {}
        for path in xmls:
            root, subset, name = self.place(path, _XML_FOLDERS)
            name = name[: -len(".xml")] if name.lower().endswith(".xml") else name
            entry = self._with_image(Entry(root, subset, name, xml=path), path.rpartition(".")[0])
            entries.append(entry)
            first.setdefault((root, subset, name), entry)
        for path in self.masks:
            root, subset, name = self.place(path, frozenset())
            name = name.rpartition(".")[0]
            found = first.get((root, subset, name))
            if found is None:
                found = self._with_image(Entry(root, subset, name), "")
                entries.append(found)
                first[root, subset, name] = found
            if path.lower().rpartition("segmentation")[2].startswith("class"):
                found.class_mask = found.class_mask or path
            else:
                found.object_mask = found.object_mask or path
        return sorted(entries, key=lambda e: (e.root, e.subset or "", e.name, e.xml or ""))

    def _with_image(self, entry: Entry, beside: str) -> Entry:
        # a.jpg.xml speaks of a.jpg alone, a.xml of any image called a.
        stems = self._by_stem.get((entry.root, entry.subset), {})
        stem = image_stem(entry.name)
        whole = [p for p in stems.get(stem, ()) if self._places[p].name == entry.name]
        found = whole or stems.get(entry.name)
        if not found:
            found = self._by_path.get(beside, [])
            found = [p for p in found if self._places[p].name == entry.name] or found
        if len(found) == 1:
            entry.image = found[0]
            self.claimed.add(found[0])
        else:
            entry.rivals = tuple(found)
        return entry

    def leftover(self) -> list[Entry]:
        """Return an entry for each image that was not claimed, in order of path."""
        if self._alone:
            return []
        return [
            Entry(place.root, place.subset, image_stem(place.name), image=path)
            for path, place in self._places.items()
            if path not in self.claimed
        ]

    # -- subsets and keys -------------------------------------------------------------

    def _read_sets(self, source: Source, ledger: Ledger) -> dict[str, ImageSets]:
        sets = {}
        for root, folder in self.set_folders.items():
            known = {e.name for e in self.entries if e.root == root}
            known |= {image_stem(p.name) for p in self._places.values() if p.root == root}
            sets[root] = ImageSets(source, folder, known)
            for path in sets[root].unread:
                ledger.note("the list can't be read", file=path)
        return sets

    def listed(self, entry: Entry) -> str | None:
        """Return the name by which a list of ``ImageSets`` knows the entry."""
        sets = self.sets.get(entry.root)
        if sets is None:
            return None
        if entry.image is None or entry.name in sets.subset_of:
            return sets.find(entry.name)
        name = self._places[entry.image].name
        return sets.find(entry.name, name, image_stem(name))

    def subset(self, entry: Entry, listed: str | None) -> str | None:
        """Return the entry's subset: what a list says, or the folder that it lies in."""
        return self.sets[entry.root].subset_of[listed] if listed is not None else entry.subset

    def has_image(self, path: str) -> bool:
        """Say whether `path` is an image of the dataset, and not a mask."""
        return path in self._places

    def key(self, entry: Entry, subset: str | None, filename: str = "") -> str:
        """Return the item's path in its subset.

        Where there is no image, `filename` (a relative path, from the annotation file) is its
        name, in the folder that the annotation file is in; where that is empty, the file's own.
        """
        root, name = entry.root, entry.name
        if entry.image is not None:
            root, _, name = self._places[entry.image]
        elif filename:
            folder = name.rpartition("/")[0]
            inside = not folder or filename.startswith(f"{folder}/")
            name = filename if inside else f"{folder}/{filename.rpartition('/')[2]}"
        sets = self.sets.get(entry.root)
        if sets is not None and sets.nested and subset is not None:
            name = name.removeprefix(f"{subset}/")
        return f"{root}/{name}" if root and self._prefixed else name

    def _roots_collide(self) -> bool:
        # Two datasets side by side (VOC2007, VOC2012) with one name in both: keep them apart.
        if len({e.root for e in self.entries} | {p.root for p in self._places.values()}) < 2:
            return False
        roots: dict[tuple[str | None, str], set[str]] = {}
        for entry in (*self.entries, *self.leftover()):
            place = (self.subset(entry, self.listed(entry)), entry.name)
            roots.setdefault(place, set()).add(entry.root)
        for sets in self.sets.values():
            sets.used.clear()
        return any(len(r) > 1 for r in roots.values())

    def closing_notes(self, ledger: Ledger) -> None:
        """Say what the lists name that is not there, and what is in several of them."""
        for root, sets in self.sets.items():
            folder = self.set_folders[root]
            absent = [name for name in sets.subset_of if name not in sets.used]
            if absent:
                ledger.note(
                    "listed, but not in the source",
                    file=folder,
                    message=f"{len(absent)} of {len(sets.subset_of)} names in the lists have "
                    f"neither an image nor an annotation file, {absent[0]!r} first",
                )
            if sets.in_several:
                ledger.note(
                    "in several lists",
                    file=folder,
                    message=f"{sets.in_several} lines name an image that a smaller list has "
                    "too (trainval beside train); each image is in the smallest list's subset",
                )


def _mask(path: str) -> bool:
    folders = path.split("/")[:-1]
    return any(is_mask_folder(f) and not f.lower().endswith("visualization") for f in folders)


def _in_mask_folder(path: str) -> bool:
    return any(is_mask_folder(f) for f in path.split("/")[:-1])
