"""Lists of images, as ``train.txt`` holds them: which files of the source their lines mean."""

from __future__ import annotations

from ...media.kinds import is_image
from ...sources.base import Listing
from ..media_index import Found, MediaIndex, as_path
from .labels import LabelFinder

__all__ = ["ListMatcher", "missing_name"]


class ListMatcher:
    r"""Finds the images that a list names; its paths may be those of another machine.

    >>> matcher = ListMatcher(Listing(["images/a.jpg", "images/b.jpg", "train.txt"]))
    >>> matcher.find("C:\\data\\images\\a.jpg", "train.txt").path
    'images/a.jpg'
    """

    def __init__(self, files: Listing) -> None:
        self._files, self._index = files, MediaIndex(files)
        self._swap = ("", "")  # what to put in place of what stood before the last path

    def find(self, line: str, listed: str) -> Found:
        """Return the image that `line` of the file `listed` means."""
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


def missing_name(line: str, finder: LabelFinder) -> str:
    """Return the name of an image that is not there: the longest end of its path with labels."""
    parts = [part for part in as_path(line).split("/") if part not in ("", ".", "..")]
    tails = ["/".join(parts[i:]) for i in range(len(parts))]
    labels = finder.find(tails)
    return next((tail for tail, label in zip(tails, labels, strict=True) if label), tails[0])


def _difference(a: str, b: str) -> tuple[str, str]:
    # What stands before the part that two paths have in common at their ends.
    x, y = a.split("/"), b.split("/")
    n = 0
    while n < min(len(x), len(y)) and x[-1 - n] == y[-1 - n]:
        n += 1
    return "".join(p + "/" for p in x[: len(x) - n]), "".join(p + "/" for p in y[: len(y) - n])
