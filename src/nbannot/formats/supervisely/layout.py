"""Which files of a source are a Supervisely project's, and what each of them is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...media.kinds import KIND_OF_SUFFIX
from ...sources.base import Listing

__all__ = [
    "KEY_IN_META",
    "MEDIA_FOLDERS",
    "TRACK",
    "AnnFile",
    "Layout",
    "dataset_folder",
    "dataset_name",
]

KEY_IN_META = "nbannot_key"
"""Where an image's own data (``meta/<name>.json``) keeps the key that its name can't hold."""

TRACK = "nbannot_track"
"""Where an object of a video keeps the track that its key can't hold: keys are UUIDs."""

MEDIA_FOLDERS = ("img", "video", "pointcloud", "volume")
_NESTED = "datasets"
_NOT_ANNOTATIONS = {
    "img_info", "meta", "related_images", "key_id_map.json", "obj_class_to_machine_color.json",
    "frame_pointcloud_map.json", "meta.json",
}  # fmt: skip


def dataset_name(folder: str) -> str | None:
    """Return the name of the dataset in `folder`, without ``datasets/``; None for the top.

    >>> dataset_name("a/datasets/b"), dataset_name("a/b"), dataset_name("")
    ('a/b', 'a/b', None)
    """
    parts = folder.split("/")
    if len(parts) > 2 and all(p == _NESTED for p in parts[1::2]):
        parts = parts[0::2]
    return "/".join(parts) or None


def dataset_folder(name: str) -> str:
    """Return the folder of a dataset: nested ones lie in ``datasets/`` of their parent.

    >>> dataset_folder("a/b/c")
    'a/datasets/b/datasets/c'
    """
    return f"/{_NESTED}/".join(name.split("/"))


class AnnFile(NamedTuple):
    """An annotation file: its path, the folder of its dataset, and its name within ``ann``."""

    path: str
    folder: str
    name: str

    @property
    def media_name(self) -> str:
        """The name of the image or video, as the file's own name says it."""
        return self.name[: -len(".json")]

    @property
    def names_suffix(self) -> bool:
        """Does the name hold the media's suffix (``a.jpg.json``)? It does since 2019."""
        return bool(re.search(r"\.[A-Za-z0-9]{2,5}$", self.media_name))


@dataclass
class Layout:
    """The files of a project. `top` is the folder of its ``meta.json``, "" for the source."""

    files: Listing
    metas: Sequence[str]
    top: str = ""
    annotations: list[AnnFile] = field(default_factory=list)
    episodes: list[str] = field(default_factory=list)
    media: dict[str, list[str]] = field(default_factory=dict)

    def subset(self, folder: str) -> str | None:
        """Return the name of the dataset in `folder`."""
        inner = folder
        if self.top and f"{folder}/".startswith(f"{self.top}/"):
            inner = folder[len(self.top) + 1 :]
        return dataset_name(inner)

    @classmethod
    def of(cls, files: Listing, main: str | None, metas: Sequence[str]) -> Layout:
        """Sort the files of a source; `metas` are the ``meta.json`` of projects."""
        found = cls(files, metas)
        if len(metas) == 1:
            found.top = metas[0].rpartition("/")[0]
        jsons = files.with_suffix(".json")
        for path in jsons if main is None else [main]:
            made = _ann_file(path, main is not None)
            if made is not None:
                found.annotations.append(made)
        if not found.annotations and main is None:  # no folders called ann: image.jpg.json
            found.annotations = [
                AnnFile(p, "", p) for p in jsons if _beside(p) and p not in metas
            ]  # fmt: skip
        if main is None:
            found._find_media()
            found.episodes = [
                p
                for p in files.match("**/annotation.json", "**/ann.json")
                if f"{_joined(p, 'pointcloud')}" in found.media
            ]
        return found

    def _find_media(self) -> None:
        for folder in self.files.all_folders():
            parts = folder.split("/")
            kinds = [i for i, p in enumerate(parts) if p in MEDIA_FOLDERS]
            if kinds:
                base = "/".join(parts[: kinds[-1] + 1])
                self.media.setdefault(base, []).extend(
                    p for p in self.files.files(folder) if not p.lower().endswith(".json")
                )


def _joined(path: str, folder: str) -> str:
    base = path.rpartition("/")[0]
    return f"{base}/{folder}" if base else folder


def _ann_file(path: str, alone: bool) -> AnnFile | None:
    parts = path.split("/")
    places = [i for i, p in enumerate(parts[:-1]) if p == "ann"]
    if places:
        at = places[-1]
        return AnnFile(path, "/".join(parts[:at]), "/".join(parts[at + 1 :]))
    return AnnFile(path, "", parts[-1]) if alone else None


def _beside(path: str) -> bool:
    # Is it a name as image.jpg.json?
    if _NOT_ANNOTATIONS & set(path.split("/")):
        return False
    stem = path[: -len(".json")]
    return any(stem.lower().endswith(s) for s in KIND_OF_SUFFIX)
