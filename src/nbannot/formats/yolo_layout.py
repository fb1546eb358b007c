"""Where the images and the label files of a YOLO dataset are, found by their names alone.

Rules of Ultralytics: the label file of an image lies where the last ``images`` folder of its path
is exchanged for ``labels``. Of Darknet: beside it. Both, and what exporters make of them, are
looked for folder by folder, so that equal base names in two folders never share labels.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..media.kinds import IMAGE_SUFFIXES, is_image
from ..sources.base import Listing, Source
from .media_index import Found, MediaIndex, as_path
from .yolo_data import SPLIT_ALIASES, Declared, read_lines
from .yolo_splits import Place, find_splits

__all__ = ["Entry", "LabelFinder", "Layout", "is_label_name", "lay_out", "under"]

_LABEL_FOLDERS = ("labels", "label", "labeltxt", "annotations", "annotation", "txt")
_IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages", "frames", "data", "items")
_NO_LABELS = re.compile(
    r"(readme.*|licen[cs]e.*|requirements|classes|labels|predefined_classes|notes|images"
    r"|train|training|val|valid|validation|test)\.txt",
    re.IGNORECASE,
)
_OBJ_FOLDER = re.compile(r"obj_(.+)_data")
_SPLIT_OF = {alias: name for name, aliases in SPLIT_ALIASES.items() for alias in aliases}


class Entry(NamedTuple):
    """One image of the dataset: an item to be.

    `media` is its path, None where it is not in the source; `label` the path of its label file,
    None where there is none; `listed` the file that names the image, "" where it was just found;
    `problem` "" or what was unusual: ``missing``, ``ambiguous``, ``unicode``, ``escaped``, or a
    sentence where another image of the same stem has got the labels.
    """

    subset: str | None
    key: str
    media: str | None
    label: str | None
    listed: str = ""
    problem: str = ""


@dataclass
class Layout:
    """The images in order, the label files of no image, and what is worth a note."""

    entries: list[Entry]
    orphans: list[str]
    remarks: list[tuple[str, str]] = field(default_factory=list)


def is_label_name(path: str) -> bool:
    """Say whether a text file may hold labels, by its name: ``classes.txt`` may not."""
    return not _NO_LABELS.fullmatch(path.rpartition("/")[2])


def under(folder: str, paths: Sequence[str]) -> Sequence[str]:
    """Return the part of the sorted `paths` that lies in `folder` or below."""
    if not folder:
        return paths
    return paths[bisect_left(paths, folder + "/") : bisect_left(paths, folder + "0")]  # "/" + 1


def _stem(path: str) -> str:
    name = path.rpartition("/")[2]
    return path[: -len(name) + name.rindex(".")] if "." in name[1:] else path


class LabelFinder:
    """Finds the label file of an image: in its own folder's counterpart, never by name alone.

    >>> finder = LabelFinder(Listing(["images/val/a.jpg", "labels/val/a.txt", "b.png", "b.txt"]))
    >>> finder.find("images/val/a.jpg"), finder.find("b.png")
    (Found(path='labels/val/a.txt', problem=''), Found(path='b.txt', problem=''))
    """

    def __init__(self, files: Listing, excluded: Iterable[str] = ()) -> None:
        texts = files.with_suffix(".txt")
        self._by_stem = {path[:-4]: path for path in texts}
        for path in excluded:
            self._by_stem.pop(path[:-4], None)
        self._normal: dict[str, str] | None = None
        self.folders = {stem.rpartition("/")[0] for stem in self._by_stem}
        parts = {part for folder in self.folders for part in folder.split("/")}
        known = {part for part in parts if part.lower() in _LABEL_FOLDERS}
        self._names = sorted(known, key=lambda part: _LABEL_FOLDERS.index(part.lower()))
        self._places: dict[str, list[str]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_stem.values())

    def find(self, image: str) -> Found:
        """Return the label file of the image at path `image`."""
        folder, _, name = image.rpartition("/")
        places = self._places.get(folder)
        if places is None:
            places = self._places[folder] = self._places_for(folder)
        stem = _stem(name)
        for place in places:
            base = f"{place}/" if place else ""
            found = self._by_stem.get(base + name) or self._by_stem.get(base + stem)
            if found is not None:
                return Found(found)
        return Found(None, "missing") if image.isascii() else self._other_form(places, stem)

    def _other_form(self, places: Sequence[str], stem: str) -> Found:
        if self._normal is None:
            pairs = ((s, p) for s, p in self._by_stem.items() if not s.isascii())
            self._normal = {unicodedata.normalize("NFC", s): p for s, p in pairs}
        for place in places:
            base = f"{place}/{stem}" if place else stem
            found = self._normal.get(unicodedata.normalize("NFC", base))
            if found is not None:
                return Found(found, "unicode")
        return Found(None, "missing")

    def _places_for(self, folder: str) -> list[str]:
        parts = folder.split("/") if folder else []
        places = []
        for i in reversed(range(len(parts))):
            if parts[i].lower() in _IMAGE_FOLDERS:
                places += ["/".join([*parts[:i], n, *parts[i + 1 :]]) for n in self._names]
                break
        places.append(folder)
        for name in self._names:
            places += [f"{folder}/{name}".strip("/"), f"{name}/{folder}".strip("/")]
        return [place for place in dict.fromkeys(places) if place in self.folders]


def lay_out(source: Source, declared: Declared, not_labels: Iterable[str] = ()) -> Layout:
    """Return the images of a dataset, in order, each with its subset, key and label file.

    First the images of the splits, as declared; then those of no split that have labels or lie
    where images do. Of what is left out the layout remarks.

    Args:
        source: where the dataset is.
        declared: what its files declare.
        not_labels: text files that are something else (names).

    Raises:
        FormatError: a split leads out of the source.
    """
    images = source.files.with_suffix(*IMAGE_SUFFIXES)
    splits, remarks = find_splits(source.files, images, declared)
    lists = [place.path for places in splits.values() for place in places if place.kind == "list"]
    finder = LabelFinder(source.files, [*lists, *not_labels])
    rows: list[Entry] = []
    taken: dict[str, str] = {}
    for subset, places in splits.items():
        mine = list(_entries(source, images, finder, subset, places, declared.where))
        others: dict[str, int] = {}
        for entry in mine:
            if entry.media is not None and entry.media in taken:
                other = taken[entry.media]
                others[other] = others.get(other, 0) + 1
            else:
                rows.append(entry)
            if entry.media is not None:
                taken.setdefault(entry.media, subset)
        for other, count in others.items():
            again = "listed twice" if other == subset else f"already in {other}"
            text = f"{declared.where}: {count} images of {subset} are {again}: kept once, there"
            remarks.append(("images in two splits", text))
    rows += _leftovers(images, taken, finder, bool(splits), remarks)
    rows = _give_labels(_unique_keys(rows), finder)
    return Layout(rows, _orphans(rows, finder, bool(images), remarks), remarks)


def _entries(
    source: Source,
    images: Sequence[str],
    finder: LabelFinder,
    split: str,
    places: Sequence[Place],
    where: str,
) -> Iterator[Entry]:
    subset = split or None
    lines = None
    for place in places:
        if place.kind == "folder":
            mine = under(place.path, images)
            base = _base(place.path, mine) if len(places) == 1 else ""
            start = len(base) + 1
            for path in mine:
                key = path[start:] if base else key_of(path, subset)
                yield Entry(subset, key, path, None)
        elif place.kind == "image":
            yield Entry(subset, key_of(place.path, subset), place.path, None, where)
        else:
            lines = lines or _ListMatcher(source.files)
            for line in read_lines(source, place.path):
                if line:
                    found = lines.find(line, place.path)
                    name = found.path or lines.labelled_tail(line, finder)
                    key = key_of(name, subset)
                    yield Entry(subset, key, found.path, None, place.path, found.problem)


def _base(folder: str, images: Sequence[str]) -> str:
    # What the keys of a split's images leave out; also train/images where train is named.
    deeper = f"{folder}/images"
    inside = "images" not in folder.split("/") and len(under(deeper, images)) == len(images)
    return deeper if inside else folder


class _ListMatcher:
    """Finds the images that a list names, whose paths may be those of another machine."""

    def __init__(self, files: Listing) -> None:
        self._files, self._index = files, MediaIndex(files)
        self._swap = ("", "")

    def find(self, line: str, listed: str) -> Found:
        path, folder = as_path(line), listed.rpartition("/")[0]
        old, new = self._swap
        guesses = [path, f"{folder}/{path}" if folder else path]
        if path.startswith(old):
            guesses.append(new + path[len(old) :])
        for guess in guesses:
            if guess in self._files:
                return Found(guess)
        if is_image(path):
            found = self._index.find(path, [folder], tails=True)
        else:  # VOC's lists leave the suffix out
            found = self._index.find_stem(path, [folder])
        if found.path and not found.problem:
            self._swap = _difference(path, found.path)
        return found

    @staticmethod
    def labelled_tail(line: str, finder: LabelFinder) -> str:
        """Return the longest tail of a missing image's path that has labels, else its whole."""
        parts = [part for part in as_path(line).split("/") if part not in ("", ".", "..")]
        for i in range(len(parts)):
            tail = "/".join(parts[i:])
            if finder.find(tail).path:
                return tail
        return "/".join(parts)


def _difference(a: str, b: str) -> tuple[str, str]:
    # What stands before the part that two paths have in common at their ends.
    x, y = a.split("/"), b.split("/")
    n = 0
    while n < min(len(x), len(y)) and x[-1 - n] == y[-1 - n]:
        n += 1
    return "".join(p + "/" for p in x[: len(x) - n]), "".join(p + "/" for p in y[: len(y) - n])


def key_of(path: str, subset: str | None) -> str:
    """Return the key of an image in its subset: its path without what the layout put before it.

    >>> key_of("images/train/cam1/a.jpg", "train"), key_of("obj_train_data/a.jpg", "train")
    ('cam1/a.jpg', 'a.jpg')
    """
    parts = path.split("/")
    for i in reversed(range(len(parts) - 1)):
        if parts[i].lower() == "images" or _OBJ_FOLDER.fullmatch(parts[i]):
            parts = parts[i + 1 :]
            break
    first = parts[0].lower()
    if len(parts) > 1 and subset and first in (subset.lower(), *_aliases(subset)):
        parts = parts[1:]
    return "/".join(parts)


def _aliases(subset: str) -> tuple[str, ...]:
    return SPLIT_ALIASES.get(_SPLIT_OF.get(subset.lower(), ""), ())


def subset_of(path: str) -> str | None:
    """Return the subset that the folders of a path speak of, None where they speak of none."""
    for part in path.split("/")[:-1]:
        match = _OBJ_FOLDER.fullmatch(part)
        if match:
            return match.group(1)
        if part.lower() in _SPLIT_OF:
            return part
    return None


def _unique_keys(rows: list[Entry]) -> list[Entry]:
    # Where short keys collide within a subset, all its keys are whole paths.
    if len({row[:2] for row in rows}) == len(rows):
        return rows
    seen: set[tuple[str | None, str]] = set()
    collided = set()
    for row in rows:
        if row[:2] in seen:
            collided.add(row.subset)
        seen.add(row[:2])
    return [
        row._replace(key=row.media) if row.media and row.subset in collided else row for row in rows
    ]


def _leftovers(
    images: Sequence[str],
    taken: dict[str, str],
    finder: LabelFinder,
    has_splits: bool,
    remarks: list[tuple[str, str]],
) -> list[Entry]:
    rows: list[Entry] = []
    ignored: list[str] = []
    for path in images:
        if path in taken:
            continue
        folders = path.lower().split("/")[:-1]
        usual = not _SPLIT_OF.keys().isdisjoint(folders) or "images" in folders
        if not has_splits or usual or finder.find(path).path:
            subset = subset_of(path)
            rows.append(Entry(subset, key_of(path, subset), path, None))
        else:
            ignored.append(path)
    if rows and has_splits:
        text = f"{len(rows)} images are in no split ({rows[0].media}, …); imported by their folder"
        remarks.append(("images in no split", text))
    if ignored:
        text = f"{len(ignored)} images are in no split and have no labels ({ignored[0]}, …)"
        remarks.append(("images that are not imported", text))
    return rows


def _give_labels(rows: list[Entry], finder: LabelFinder) -> list[Entry]:
    # One label file is one image's. Of images with one stem, .jpg comes first.
    owner: dict[str, int] = {}
    out: list[Entry] = []
    for i, row in enumerate(rows):
        subset, key, media, _, listed, problem = row
        found = finder.find(media or key)
        if found.problem == "unicode":
            problem = problem or found.problem
        out.append(Entry(subset, key, media, found.path, listed, problem))
        if found.path is None:
            continue
        first = owner.setdefault(found.path, i)
        if first != i:
            keep, give = (i, first) if _rank(row) < _rank(out[first]) else (first, i)
            owner[found.path] = keep
            text = f"{found.path} is also the label file of {out[keep].media}, and was read for it"
            out[give] = out[give]._replace(label=None, problem=text)
    return out


def _rank(row: Entry) -> tuple[bool, bool, str]:
    path = row.media or row.key
    return row.media is None, not path.lower().endswith((".jpg", ".jpeg")), path


def _orphans(
    rows: Sequence[Entry], finder: LabelFinder, images: bool, remarks: list[tuple[str, str]]
) -> list[str]:
    claimed = {row.label for row in rows if row.label}
    folders = {path.rpartition("/")[0] for path in claimed}
    orphans, other = [], []
    for path in finder:
        if path in claimed or not is_label_name(path):
            continue
        folder = path.rpartition("/")[0]
        like_labels = not set(folder.lower().split("/")).isdisjoint(_LABEL_FOLDERS)
        (orphans if folder in folders or like_labels or not images else other).append(path)
    if other:
        text = f"{len(other)} text files are no labels of an image ({other[0]}, …)"
        remarks.append(("text files that are not imported", text))
    return orphans
