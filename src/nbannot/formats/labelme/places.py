"""Where LabelMe files and their images lie: subset and key of an image by its path."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import NamedTuple

from ..media_index import as_path
from ..voc.layout import SUBSET_NAMES

__all__ = ["Place", "beside", "is_plain", "place_of", "wrapper_of"]

_SORTING = frozenset(
    ("images", "image", "imgs", "img", "jpegimages", "labels", "label", "annotations",
     "annotation", "json", "jsons", "labelme", "data_annotated")
)  # fmt: skip


class Place(NamedTuple):
    """What an image is by its path, apart from folders that only sort."""

    subset: str | None
    key: str


def _is_sorting(folder: str) -> bool:
    return folder.lower() in _SORTING


def _is_subset(folder: str) -> bool:
    return folder.lower() in SUBSET_NAMES


def place_of(path: str, wrapper: str = "") -> Place:
    """Return subset and key of an image; `wrapper` is a folder around the dataset.

    >>> place_of("images/train/a/1.jpg"), place_of("train/images/1.jpg"), place_of("a/1.jpg")
    (Place(subset='train', key='a/1.jpg'), Place(subset='train', key='1.jpg'), Place(subset=None, \
key='a/1.jpg'))
    """
    if wrapper and path.startswith(f"{wrapper}/"):
        path = path[len(wrapper) + 1 :]
    parts = path.split("/")
    first = int(len(parts) > 1 and _is_sorting(parts[0]))
    if len(parts) > first + 1 and _is_subset(parts[first]):
        rest = parts[first + 1 :]
        rest = rest[1:] if not first and len(rest) > 1 and _is_sorting(rest[0]) else rest
        return Place(parts[first], "/".join(rest))
    return Place(None, "/".join(parts[first:]))


def wrapper_of(paths: Sequence[str]) -> str:
    """Return the folder around a dataset whose own folders are subsets or only sort, or ""."""
    split = [path.split("/") for path in paths]
    tops = {parts[0] for parts in split}
    if len(tops) != 1 or _is_subset(split[0][0]) or _is_sorting(split[0][0]):
        return ""
    if not all(len(p) > 2 and (_is_subset(p[1]) or _is_sorting(p[1])) for p in split):
        return ""
    return tops.pop()


def is_plain(path: str, place: Place) -> bool:
    """Is an image at `path` read as `place`, whatever else the dataset holds?"""
    inner = path.split("/")[1:-1]
    return place_of(path) == place and not any(_is_subset(p) or _is_sorting(p) for p in inner)


def beside(file: str, name: str) -> str:
    r"""Return the path that `name` means in `file`; a base name beside it, where it leads out.

    >>> beside("labels/train/a.json", "..\\..\\images\\a.jpg"), beside("a.json", "C:/b/a.jpg")
    ('images/a.jpg', 'a.jpg')
    """
    folder = file.rpartition("/")[0]
    path = as_path(name)
    joined = posixpath.normpath(posixpath.join(folder, path))
    if path.startswith("/") or path[1:2] == ":" or joined.startswith(".."):
        base = path.rpartition("/")[2]
        return f"{folder}/{base}" if folder else base
    return joined
