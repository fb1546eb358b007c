"""Finding the media file that an annotation file names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple
from urllib.parse import unquote

from ..media.kinds import KIND_OF_SUFFIX, suffix
from ..sources.base import Listing

__all__ = ["Found", "MediaIndex", "as_path"]


def as_path(name: str) -> str:
    """Return a name from a file as a path: ``/`` for backslashes, no ``./`` in front."""
    path = name.replace("\\", "/").strip()
    while path.startswith("./"):
        path = path[2:]
    return path


class Found(NamedTuple):
    """A media file (`path`, None where there is none), and what was unusual about finding it.

    `problem` is "" or one of ``"missing"``, ``"ambiguous"`` (several files fit equally),
    ``"unicode"`` (the name is written in another normal form), ``"escaped"`` (percent-encoded).
    """

    path: str | None
    problem: str = ""


class MediaIndex:
    """Finds media by name: the full path first, then a unique suffix, never a base name of many.

    The whole name must be the end of a file's path, or (`tails`, for absolute paths of another
    machine) a file's whole path the end of the name.

    >>> index = MediaIndex(Listing(["images/val/a.jpg", "x/b.jpg", "y/b.jpg"]))
    >>> index.find("val/a.jpg").path
    'images/val/a.jpg'
    >>> index.find("b.jpg")
    Found(path=None, problem='ambiguous')
    >>> index.find("b.jpg", near=["y"]).path
    'y/b.jpg'
    """

    def __init__(self, files: Listing) -> None:
        self._files = files

    @cached_property
    def _media(self) -> dict[str, list[str]]:
        # Base name, in NFC -> media files that have it.
        found: dict[str, list[str]] = {}
        for path in self._files.with_suffix(*KIND_OF_SUFFIX):
            base = path.rpartition("/")[2]
            found.setdefault(
                base if base.isascii() else unicodedata.normalize("NFC", base), []
            ).append(path)
        return found

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for base, paths in self._media.items():
            found.setdefault(base.rpartition(".")[0], []).extend(paths)
        return found

    def find(self, name: str, near: Sequence[str] = (), *, tails: bool = False) -> Found:
        """Return the file that `name` means; folders in `near` are tried first, in order."""
        path = as_path(name)
        for folder in (*near, ""):
            place = f"{folder}/{path}" if folder else path
            if place in self._files:
                return Found(place)
        found = self._by_suffix(path, self._media)
        if found.path is None and found.problem == "missing" and unquote(path) != path:
            plain = self.find(unquote(path), near)
            return Found(plain.path, "escaped") if plain.path else found
        if found.path is None and found.problem == "missing" and tails:
            return self._by_tail(path)
        return found

    def find_stem(self, stem: str, near: Sequence[str] = ()) -> Found:
        """Return the media file of path `stem`, whatever its suffix (``"val/a"``)."""
        path = as_path(stem)
        base = unicodedata.normalize("NFC", path.rpartition("/")[2])
        pool = self._by_stem.get(base, [])
        for folder in (*near, ""):
            place = f"{folder}/{path}" if folder else path
            exact = [p for p in pool if p[: -len(suffix(p))] == place]
            if exact:
                return Found(exact[0]) if len(exact) == 1 else Found(None, "ambiguous")
        ends = [p for p in pool if f"/{p[: -len(suffix(p))]}".endswith(f"/{path}")]
        return _only(ends)

    def _by_suffix(self, path: str, media: dict[str, list[str]]) -> Found:
        normal = path if path.isascii() else unicodedata.normalize("NFC", path)
        pool = media.get(normal.rpartition("/")[2], ())
        exact = [p for p in pool if f"/{p}".endswith(f"/{path}")]
        if exact or path.isascii():
            return _only(exact)
        other = [p for p in pool if unicodedata.normalize("NFC", f"/{p}").endswith(f"/{normal}")]
        found = _only(other)
        return Found(found.path, "unicode") if found.path else found

    def _by_tail(self, path: str) -> Found:
        # "/home/me/data/train/images/a.jpg" -> "train/images/a.jpg": the longest tail that is.
        parts = path.split("/")
        for i in range(1, len(parts)):
            tail = "/".join(parts[i:])
            if tail in self._files:
                return Found(tail)
        return Found(None, "missing")


def _only(paths: Iterable[str]) -> Found:
    paths = list(paths)
    if len(paths) == 1:
        return Found(paths[0])
    return Found(None, "ambiguous" if paths else "missing")
