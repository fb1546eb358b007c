"""Which image an annotation file of Pascal VOC speaks of."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from ...errors import BrokenFileError
from ...sources.base import Listing
from ..media_index import Found, MediaIndex, as_path
from .layout import Entry, Layout, image_stem
from .plain import PlainFile
from .xml import AnnotationFile

__all__ = ["FOREIGN", "SEVERAL", "AnyFile", "ImageFinder"]

AnyFile = AnnotationFile | PlainFile
FOREIGN = re.compile(r"^(?:[A-Za-z]:)?/")
"""The beginning of a path on another machine."""
SEVERAL = "several images fit"


class ImageFinder:
    """Finds the images that annotation files name; `stale` are files that name another one."""

    def __init__(self, layout: Layout) -> None:
        self._layout, self._index = layout, MediaIndex(Listing(layout.images))
        self.stale: list[str] = []

    def find(self, entry: Entry, file: AnyFile) -> None:
        """Find the image of an annotation file: the one of its own name, else of `<filename>`."""
        if entry.image is not None and entry.image.rpartition("/")[2] == file.filename:
            return
        name = as_path(file.filename)
        folder = posixpath.dirname(entry.xml or "")
        if ".." in name.split("/"):
            name = posixpath.normpath(posixpath.join(folder, name))
            if name.startswith(("..", "/")):
                raise BrokenFileError(f"<filename> {file.filename!r} leads out of the dataset")
        base = name.rpartition("/")[2]
        if entry.image is not None:
            own = image_stem(entry.image.rpartition("/")[2])
            if base and image_stem(base) != own:
                self.stale.append(entry.xml or "")
            return
        if entry.rivals:
            named = [p for p in entry.rivals if p.rpartition("/")[2] == base]
            if len(named) == 1:
                self._take(entry, named[0])
            return
        for found in self._search(entry.name, name, base, folder):
            if found.path is not None and self._take(entry, found.path):
                if found.problem:
                    file.problems.append(("matched under another spelling", f"it is {found.path}"))
                return
            if found.problem == "ambiguous":
                file.problems.append((SEVERAL, f"{file.filename!r} names them all"))
                return

    def _search(self, own: str, name: str, base: str, folder: str) -> Iterator[Found]:
        if name:
            foreign = bool(FOREIGN.match(name))
            yield self._index.find(name, near=[folder], tails=foreign)
            if base != name:
                yield self._index.find(base, near=[folder])
            yield self._index.find_stem(image_stem(base), near=[folder])
        yield self._index.find_stem(own, near=[folder])

    def _take(self, entry: Entry, path: str) -> bool:
        if path in self._layout.claimed or not self._layout.has_image(path):
            return False
        entry.image, entry.rivals = path, ()
        self._layout.claimed.add(path)
        return True
