"""The splits of a YOLO dataset: which folders, lists and images of the source they mean.

What ``train:`` holds was written on another machine: relative to a working directory, with
``../`` in front (Roboflow), or absolute. Nothing outside the source is ever looked at.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...errors import FormatError
from ...media.kinds import is_image
from ...sources.base import Listing
from ..media_index import as_path
from .data import SPLIT_ALIASES, Declared

__all__ = ["Place", "find_splits"]

_USUAL = {alias: name for name, aliases in SPLIT_ALIASES.items() for alias in aliases}


class Place(NamedTuple):
    """Where images of a split are: `kind` is ``folder``, ``list`` (a text file) or ``image``."""

    kind: str
    path: str


def find_splits(
    files: Listing, images: Sequence[str], declared: Declared, *, any_case: bool = False
) -> tuple[dict[str, tuple[Place, ...]], list[tuple[str, str]]]:
    """Return the places of each subset that is in the source, and remarks on the others.

    A subset is called by its key, but where the folder has the same name in another form (``val:
    images/valid``), or several keys mean it (``train`` and ``val: images/default``), by that.

    With `any_case`, ``images/train`` may be written ``Images/Train`` in the source.

    Raises:
        FormatError: a split names nothing and leads out of the source.
    """
    finder = _Finder(files, images, declared, any_case=any_case)
    splits: dict[str, tuple[Place, ...]] = {}
    remarks: list[tuple[str, str]] = []
    unknown: list[str] = []
    for split, values in declared.splits.items():
        places: list[Place] = []
        for value in values:
            place = finder.find(value, split)
            if place is not None:
                places.append(place)
            elif split in _USUAL or split in ("", "minival") or places:
                text = f"{declared.where}: {split}: {value!r} is not in the source"
                remarks.append(("split is not in the source", text))
            else:
                unknown.append(split)
        if not places:
            continue
        name = _name(places)
        if name and name.lower() in SPLIT_ALIASES.get(_USUAL.get(split, ""), ()):
            split = name if name not in splits else split
        same = next((other for other, them in splits.items() if them == tuple(places)), None)
        if same is not None:
            kept = name if name and name not in splits else same
            text = f"{declared.where}: {same} and {split} are the same images: kept once, as {kept}"
            remarks.append(("one folder for two splits", text))
            split = kept
            del splits[same]
        splits[split] = tuple(places)
    if unknown:
        text = f"{declared.where}: {', '.join(unknown)}: not imported"
        remarks.append(("keys that are not imported", text))
    return splits, remarks


def _name(places: Sequence[Place]) -> str:
    # What a split's folder or list is called: "x" of images/x, of x/images, of x, of x.txt.
    if len(places) > 1 or places[0].kind == "image":
        return ""
    parts = places[0].path.split("/")
    if places[0].kind == "list":
        return parts[-1][:-4]
    return parts[-1] if parts[-1].lower() != "images" else "".join(parts[-2:-1])


class _Finder:
    def __init__(
        self, files: Listing, images: Sequence[str], declared: Declared, *, any_case: bool
    ) -> None:
        self._files, self._images = files, images
        self._folders = set(files.all_folders())
        self._any_case = {f.lower(): f for f in sorted(self._folders)} if any_case else {}
        self._where = declared.where
        self._home = declared.where.rpartition("/")[0]
        self._root = as_path(declared.root)

    def find(self, value: str, split: str) -> Place | None:
        value = as_path(value)
        named = [part for part in value.split("/") if part not in ("", ".", "..")]
        if not named:
            return self._own_folder(value)
        for path in self._candidates(value, named, split):
            if path in self._files and is_image(path):
                return Place("image", path)
            if path in self._files and path.lower().endswith(".txt"):
                return Place("list", path)
            if path in self._folders and self._has_images(path):
                return Place("folder", path)
        for path in self._candidates(value, named, split) if self._any_case else ():
            other = self._any_case.get(path.lower(), "")
            if self._has_images(other):
                return Place("folder", other)
        return None

    def _has_images(self, folder: str) -> bool:
        i = bisect_left(self._images, folder + "/")
        found = i < len(self._images) and self._images[i].startswith(folder + "/")
        return found and folder != ""

    def _own_folder(self, value: str) -> Place | None:
        # "." or "..": a folder without a name.
        absolute = self._root.startswith("/")
        start = self._root if absolute else f"{self._home}/{self._root}"
        path, climbed = _resolve(f"{start}/{value}")
        if ".." in value.split("/") and (climbed or absolute):
            raise FormatError(
                f"{self._where}: {value!r} of path {self._root!r} leads out of the source",
                where=self._where,
                hint="Nothing outside the source is read; write the folder of the images there.",
            )
        return Place("folder", path if path in self._folders and not absolute else self._home)

    def _candidates(self, value: str, named: list[str], split: str) -> Iterator[str]:
        home, root = self._home, self._root
        if value.startswith("/"):
            joined = value
        else:
            joined = f"{root}/{value}" if root else value
            if not root.startswith("/"):
                yield _resolve(f"{home}/{joined}")[0]
            yield _resolve(f"{home}/{value}")[0]
            yield _resolve(joined)[0]
            yield "/".join(named)
            yield f"{home}/{'/'.join(named)}".lstrip("/")
        parts = [part for part in joined.split("/") if part not in ("", ".", "..")]
        bases = [f"{home}/", ""] if home else [""]
        tails = [base + "/".join(parts[i:]) for i in range(len(parts)) for base in bases]
        last = len(bases)  # a tail of one part says little: it comes after the usual names
        yield from tails[:-last]
        usual = split in _USUAL or not split
        if usual:
            for alias in SPLIT_ALIASES.get(_USUAL.get(split, ""), ()):
                for base in bases:
                    yield from (
                        base + place
                        for place in (f"{alias}/images", f"images/{alias}", alias)
                        if base + place in self._folders
                    )
        if usual or value.lower().endswith(".txt"):
            yield from tails[-last:]


def _resolve(path: str) -> tuple[str, bool]:
    # The path without "." and "..", and whether it climbed above the top on its way.
    parts: list[str] = []
    climbed = False
    for part in path.split("/"):
        if part == "..":
            climbed = climbed or not parts
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts), climbed
