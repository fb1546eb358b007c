"""Which text file holds the labels of which image, by names alone.

Rules of Ultralytics: the label file of an image lies where the last ``images`` folder of its path
is exchanged for ``labels``. Of Darknet: beside it. Both, and what exporters make of them, are
looked for folder by folder, so that equal base names in two folders never share labels.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from ...media.kinds import IMAGE_SUFFIXES
from ...sources.base import Listing

__all__ = ["LabelFinder", "is_label_folder", "is_label_name"]

_LABEL_FOLDERS = ("labels", "label", "labeltxt", "annotations", "annotation", "txt")
_IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages", "frames", "data", "items")
_NO_LABELS = re.compile(
    r"(readme.*|licen[cs]e.*|requirements|classes|labels|predefined_classes|notes|images"
    r"|train|training|val|valid|validation|test)\.txt",
    re.IGNORECASE,
)


def is_label_name(path: str) -> bool:
    """Say whether a text file may hold labels, by its name: ``classes.txt`` may not."""
    return not _NO_LABELS.fullmatch(path.rpartition("/")[2])


def is_label_folder(folder: str) -> bool:
    """Say whether a folder is called, or lies in one called, as those of labels are."""
    return not set(folder.lower().split("/")).isdisjoint(_LABEL_FOLDERS)


class LabelFinder:
    """Finds the label files of images: in a folder's counterpart, never by a base name alone.

    Args:
        files: of the source.
        excluded: text files that are something else.

    >>> finder = LabelFinder(Listing(["images/val/a.jpg", "labels/val/a.txt", "b.png", "b.txt"]))
    >>> finder.find(["images/val/a.jpg", "b.png", "c.png"])
    ['labels/val/a.txt', 'b.txt', None]
    """

    def __init__(self, files: Listing, excluded: Iterable[str] = ()) -> None:
        self._by_stem = {path[:-4]: path for path in files.with_suffix(".txt")}
        for path in excluded:
            self._by_stem.pop(path[:-4], None)
        self._folders = {stem.rpartition("/")[0] for stem in self._by_stem}
        parts = {part for folder in self._folders for part in folder.split("/")}
        known = {part for part in parts if part.lower() in _LABEL_FOLDERS}
        self._names = sorted(known, key=lambda part: _LABEL_FOLDERS.index(part.lower()))
        # a.jpg.txt is the file of a.jpg alone, and goes before a.txt.
        text = "\0".join([*self._by_stem, ""]).lower()  # one search, not one for each name
        self._doubled = any(f"{suffix}\0" in text for suffix in IMAGE_SUFFIXES)
        self._places: dict[str, list[str]] = {}
        self._normal: dict[str, str] | None = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_stem.values())

    def find(self, images: Iterable[str]) -> list[str | None]:
        """Return the label file of each image, None where there is none."""
        get, doubled = self._by_stem.get, self._doubled
        out: list[str | None] = []
        last, places = None, [""]
        for image in images:
            cut, dot = image.rfind("/") + 1, image.rfind(".")
            folder = image[:cut]
            if folder != last:
                last, places = folder, self._places.get(folder) or self._places_for(folder)
                self._places[folder] = places
            stem = image[cut:dot] if dot > cut else image[cut:]
            found = None
            for place in places:
                found = (doubled and get(place + image[cut:])) or get(place + stem)
                if found:
                    break
            out.append(found or None)
        return out

    def find_other_form(self, image: str) -> str | None:
        """Return the label file whose name is that of `image` in another Unicode form."""
        if self._normal is None:
            pairs = ((s, p) for s, p in self._by_stem.items() if not s.isascii())
            self._normal = {unicodedata.normalize("NFC", s): p for s, p in pairs}
        folder, slash, name = image.rpartition("/")
        stem = name.rpartition(".")[0] or name
        for place in self._places_for(folder + slash):
            found = self._normal.get(unicodedata.normalize("NFC", place + stem))
            if found is not None:
                return found
        return None

    def _places_for(self, folder: str) -> list[str]:
        # Folders that may hold the labels of the images in `folder`, best first, with "/".
        parts = folder.split("/")[:-1]
        places: list[Sequence[str]] = []
        for i in reversed(range(len(parts))):
            if parts[i].lower() in _IMAGE_FOLDERS:
                places += [(*parts[:i], name, *parts[i + 1 :]) for name in self._names]
                break
        places.append(parts)
        for name in self._names:
            places += [(*parts, name), (name, *parts)]
        known = [
            p for p in dict.fromkeys("/".join(place) for place in places) if p in self._folders
        ]
        return [f"{place}/" if place else "" for place in known]
