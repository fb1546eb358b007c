"""The images of a YOLO dataset, in order, and the label file of each, by names alone."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...media.kinds import IMAGE_SUFFIXES
from ...sources.base import Source
from .data import SPLIT_ALIASES, Declared, read_lines
from .labels import LabelFinder, is_label_folder, is_label_name
from .lists import ListMatcher, missing_name
from .splits import Place, find_splits

__all__ = [
    "Entries",
    "Entry",
    "Layout",
    "key_of",
    "lay_out",
    "place_of_label",
    "subset_of",
    "under",
]

_OBJ_FOLDER = re.compile(r"obj_(.+)_data")
_SPLIT_OF = {alias: name for name, aliases in SPLIT_ALIASES.items() for alias in aliases}

Remarks = list[tuple[str, str]]


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


class Entries:
    """Images as columns, since there may be 200,000; `entry` gives one, `part` some of them.

    `name` is where an image is, or would be if it were in the source.
    """

    def __init__(self) -> None:
        self.name: list[str] = []
        self.subset: list[str | None] = []
        self.key: list[str] = []
        self.media: list[str | None] = []
        self.label: list[str | None] = []
        self.listed: list[str] = []
        self.problem: list[str] = []

    def __len__(self) -> int:
        return len(self.key)

    def add(
        self,
        subset: str | None,
        keys: Sequence[str],
        names: Sequence[str],
        *,
        listed: str = "",
        problem: str = "",
        missing: bool = False,
    ) -> None:
        """Add images of one subset; `missing`: they are not in the source."""
        count = len(keys)
        self.subset += [subset] * count
        self.key += keys
        self.name += names
        self.media += [None] * count if missing else names
        self.label += [None] * count
        self.listed += [listed] * count
        self.problem += [problem] * count

    def make_keys_unique(self) -> None:
        """Where short keys collide within a subset, let all its keys be whole paths."""
        if len(set(self.key)) == len(self.key):
            return
        seen: set[tuple[str | None, str]] = set()
        collided = set()
        for pair in zip(self.subset, self.key, strict=True):
            if pair in seen:
                collided.add(pair[0])
            seen.add(pair)
        for i, subset in enumerate(self.subset if collided else ()):
            if subset in collided:
                self.key[i] = self.name[i]

    def part(self, start: int, stop: int) -> Entries:
        """Return the images from `start` to `stop`, exclusive."""
        part = Entries()
        for name, column in vars(self).items():
            setattr(part, name, column[start:stop])
        return part

    def at(self, places: Sequence[int]) -> Entries:
        """Return the images at `places`."""
        part = Entries()
        for name, column in vars(self).items():
            setattr(part, name, [column[i] for i in places])
        return part

    def entry(self, i: int) -> Entry:
        """Return one image."""
        return Entry(
            self.subset[i], self.key[i], self.media[i], self.label[i], self.listed[i],
            self.problem[i],
        )  # fmt: skip


@dataclass
class Layout:
    """The images in order, the label files of no image, and what is worth a note."""

    entries: Entries
    orphans: list[str]
    remarks: Remarks = field(default_factory=list)


def under(folder: str, paths: Sequence[str]) -> Sequence[str]:
    """Return the part of the sorted `paths` that lies in `folder` or below."""
    if not folder:
        return paths
    return paths[bisect_left(paths, folder + "/") : bisect_left(paths, folder + "0")]  # "/" + 1


def lay_out(
    source: Source, declared: Declared, not_labels: Sequence[str] = (), *, any_case: bool = False
) -> Layout:
    """Return the images of a dataset, in order, each with its subset, key and label file.

    First the images of the splits, as declared; then those of no split that have labels or lie
    where images do. Of what is left out the layout remarks.

    Args:
        source: where the dataset is.
        declared: what its files declare.
        not_labels: text files that are something else (names).
        any_case: folders may be written in another case than declared.

    Raises:
        FormatError: a split leads out of the source.
    """
    images = source.files.with_suffix(*IMAGE_SUFFIXES)
    splits, remarks = find_splits(source.files, images, declared, any_case=any_case)
    lists = [place.path for places in splits.values() for place in places if place.kind == "list"]
    finder = LabelFinder(source.files, [*lists, *not_labels])
    found = _Collector(source, images, finder, declared.where)
    for split, places in splits.items():
        found.add_split(split, places)
    found.add_others(has_splits=bool(splits))
    found.entries.make_keys_unique()
    _give_labels(found.entries, finder)
    remarks += found.remarks
    return Layout(found.entries, _orphans(found.entries, finder, images, remarks), remarks)


class _Collector:
    def __init__(
        self, source: Source, images: Sequence[str], finder: LabelFinder, where: str
    ) -> None:
        self._source, self._images, self._finder, self._where = source, images, finder, where
        self._matcher = ListMatcher(source.files)
        self._taken: dict[str | None, str] = {}
        self.entries, self.remarks = Entries(), Remarks()

    def add_split(self, split: str, places: Sequence[Place]) -> None:
        """Add the images of a split, but for those that an earlier one has."""
        subset = split or None
        again: dict[str, int] = {}
        for place in places:
            if place.kind == "folder":
                mine = under(place.path, self._images)
                base = _base(place.path, mine) if len(places) == 1 else ""
                fresh = self._fresh(mine, split, again)
                start = len(base) + 1
                keys = [path[start:] if base else key_of(path, subset) for path in fresh]
                self.entries.add(subset, keys, fresh)
            elif place.kind == "image":
                fresh = self._fresh([place.path], split, again)
                keys = [key_of(path, subset) for path in fresh]
                self.entries.add(subset, keys, fresh, listed=self._where)
            else:
                self._add_list(split, place.path, again)
        for other, count in again.items():
            text = "listed twice" if other == split else f"already in {other}"
            text = f"{self._where}: {count} images of {split} are {text}: kept once, there"
            self.remarks.append(("images in two splits", text))

    def _add_list(self, split: str, path: str, again: dict[str, int]) -> None:
        subset = split or None
        for line in read_lines(self._source, path):
            if not line:
                continue
            found = self._matcher.find(line, path)
            name = found.path or missing_name(line, self._finder)
            if self._fresh([name], split, again):
                self.entries.add(
                    subset,
                    [key_of(name, subset)],
                    [name],
                    listed=path,
                    problem=found.problem,
                    missing=found.path is None,
                )

    def _fresh(self, paths: Sequence[str], split: str, again: dict[str, int]) -> Sequence[str]:
        # The paths that no split has yet; the others are counted by the split that has them.
        taken = self._taken
        fresh = [path for path in paths if path not in taken] if taken else paths
        if len(fresh) < len(paths):
            for path in paths:
                if path in taken:
                    again[taken[path]] = again.get(taken[path], 0) + 1
        taken.update(dict.fromkeys(fresh, split))
        return fresh

    def add_others(self, *, has_splits: bool) -> None:
        """Add images of no split that have labels, or lie where a dataset's images do."""
        others = [path for path in self._images if path not in self._taken]
        if has_splits:
            labels = self._finder.find(others)
            kept = [
                path
                for path, label in zip(others, labels, strict=True)
                if label is not None or _among_images(path)
            ]
            if kept:
                text = (
                    f"{len(kept)} images are in no split ({kept[0]}, …); imported by their folder"
                )
                self.remarks.append(("images in no split", text))
            ignored = sorted(set(others) - set(kept))
            if ignored:
                text = f"{len(ignored)} images are in no split and have no labels ({ignored[0]}, …)"
                self.remarks.append(("images that are not imported", text))
            others = kept
        for path in others:
            subset = subset_of(path)
            self.entries.add(subset, [key_of(path, subset)], [path])


def _among_images(path: str) -> bool:
    folders = path.lower().split("/")[:-1]
    return "images" in folders or not _SPLIT_OF.keys().isdisjoint(folders)


def _base(folder: str, images: Sequence[str]) -> str:
    # What the keys of a split's images leave out; also train/images where train is named.
    deeper = f"{folder}/images"
    inside = "images" not in folder.split("/") and len(under(deeper, images)) == len(images)
    return deeper if inside else folder


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
    if len(parts) > 1 and subset:
        aliases = SPLIT_ALIASES.get(_SPLIT_OF.get(subset.lower(), ""), ())
        if parts[0].lower() in (subset.lower(), *aliases):
            parts = parts[1:]
    return "/".join(parts)


def subset_of(path: str) -> str | None:
    """Return the subset that the folders of a path speak of, None where they speak of none."""
    for part in path.split("/")[:-1]:
        match = _OBJ_FOLDER.fullmatch(part)
        if match:
            return match.group(1)
        if part.lower() in _SPLIT_OF:
            return part
    return None


def place_of_label(path: str) -> tuple[str | None, str]:
    """Return subset and key of an image that is not there, by its label file."""
    parts = path[:-4].split("/")
    inside = [i for i, part in enumerate(parts[:-1]) if is_label_folder(part)]
    parts = ["images", *parts[inside[-1] + 1 :]] if inside else parts
    subset = subset_of(path)
    return subset, key_of("/".join(parts), subset)


def _give_labels(entries: Entries, finder: LabelFinder) -> None:
    # One label file is one image's. Of images with one stem, .jpg comes first.
    names = entries.name
    entries.label = labels = finder.find(names)
    for i, name in enumerate(names if None in labels else ()):
        if labels[i] is None and not name.isascii():
            labels[i] = finder.find_other_form(name)
            if labels[i] is not None and not entries.problem[i]:
                entries.problem[i] = "unicode"
    if len(set(labels) - {None}) == len(labels) - labels.count(None):
        return
    owner: dict[str, int] = {}
    for i, label in enumerate(labels):
        first = owner.setdefault(label, i) if label is not None else i
        if first != i and label is not None:
            keep, give = (i, first) if _rank(entries, i) < _rank(entries, first) else (first, i)
            owner[label] = keep
            labels[give] = None
            text = f"{label} is also the label file of {names[keep]}, and was read for that"
            entries.problem[give] = text


def _rank(entries: Entries, i: int) -> tuple[bool, bool, str]:
    path = entries.name[i]
    return entries.media[i] is None, not path.lower().endswith((".jpg", ".jpeg")), path


def _orphans(
    entries: Entries, finder: LabelFinder, images: Sequence[str], remarks: Remarks
) -> list[str]:
    claimed = set(entries.label)
    free = [path for path in finder if path not in claimed and is_label_name(path)]
    folders = {label.rpartition("/")[0] for label in claimed if label} if free else set()
    orphans: list[str] = []
    others: list[str] = []
    for path in free:
        folder = path.rpartition("/")[0]
        like_labels = folder in folders or is_label_folder(folder) or not images
        (orphans if like_labels else others).append(path)
    if others:
        text = f"{len(others)} text files are no labels of an image ({others[0]}, …)"
        remarks.append(("text files that are not imported", text))
    return orphans
