"""Folders and single files on this machine."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import BinaryIO

from ..errors import SourceError, printable
from ..helper import in_order, start_helper
from ..media.kinds import KIND_OF_SUFFIX, suffix
from .base import Source, helper_of_thread, missing
from .disk import DiskFiles, read_head, read_whole, stats, stats_of_all
from .inside import INSIDE
from .limits import Limits
from .names import JUNK, is_junk, storable

__all__ = ["FileSource", "FolderSource", "no_such_path", "unreadable"]

# An annotation file in one of these folders speaks of media that lie beside the folder.
_ANNOTATION_FOLDERS = frozenset(
    {"ann", "annotation", "annotations", "anns", "imagesets", "label", "labels"}
)
# ImageSets/Main/train.txt: the list lies one folder deeper.
_LIST_FOLDERS = frozenset({"action", "layout", "main", "segmentation"})
_HASHED_AT_ONCE = 32_768
_FEW = 64
"""Files that are no more are read one by one, without anything made ready for it."""
_MANY = 20_000
"""Files, half of them no media, that a second process helps to read: it takes half a second."""
_VERY_MANY = 100_000
"""Files that it helps with whatever they are: each is asked for its date."""


class _LocalSource(Source):
    """What a folder and a file share: bytes by path below `root`."""

    def __init__(self, root: str, where: str) -> None:
        self.code = repr(where)
        self._root = root

    @cached_property
    def _real_names(self) -> dict[str, str]:
        # Listed path -> path on disk, where the two differ (a name that is not Unicode).
        return {}

    @cached_property
    def _listed(self) -> frozenset[str]:
        return self.files.as_set()

    def _place(self, path: str) -> str:
        # Only what was listed is opened: a path from a file can't lead elsewhere, or to a device.
        if path not in self._listed:
            raise missing(path, self)
        return f"{self._root}/{self._real_names.get(path, path)}"

    def open(self, path: str) -> BinaryIO:
        if self.is_inside(path):
            return io.BytesIO(self.inside.read(path))
        place = self._place(path)
        try:
            return open(place, "rb")
        except OSError as error:
            raise unreadable(error, path, self.name) from None

    def read(self, path: str, limit: int | None = None) -> bytes:
        if INSIDE in path and self.is_inside(path):
            return self.inside.read(path, limit)
        place = self._place(path)
        try:
            return read_whole(place) if limit is None else read_head(place, limit)
        except OSError as error:
            raise unreadable(error, path, self.name) from None

    def size(self, path: str) -> int | None:
        try:
            return os.stat(self._place(path)).st_size
        except OSError as error:
            raise unreadable(error, path, self.name) from None

    def link(self, path: str) -> str | None:
        if self.is_inside(path):
            file, _, place = path.rpartition(INSIDE)
            link = self.link(file)
            return link and f"file://{link}{INSIDE}{place}"
        place = self._place(path)
        return os.path.normpath(place) if path not in self._real_names else None

    def links(self, paths: Sequence[str]) -> Sequence[str | None]:
        if self._real_names or os.sep != "/" or not self._listed.issuperset(paths):
            return super().links(paths)
        above = f"{self._root}/"  # neither it nor what was listed needs to be made normal
        return [above + path for path in paths]

    def _stats(self, path: str) -> str:
        # What a fingerprint holds of a file.
        try:
            return stats(path, self._place(path))
        except OSError as error:
            raise unreadable(error, path, self.name) from None


class FolderSource(_LocalSource):
    """A folder: every file in it and below, junk of file managers left out.

    Links inside it are followed, so that a dataset put together from links reads like the real
    one; a link back to a folder that contains it is left out, and noted.

    Args:
        folder: an existing folder.
        where: the path as the user wrote it.
        limits: at most ``limits.members`` files may be reached through links.
    """

    def __init__(self, folder: str, where: str | None = None, limits: Limits | None = None) -> None:
        root = os.path.realpath(folder)
        super().__init__(root, folder if where is None else where)
        # A folder reached by a link is called what the user called it.
        self.name = os.path.basename(os.path.abspath(folder)) or root
        self.uri = root
        self._limits = limits or Limits()

    def _list(self) -> Iterable[str]:
        paths, links = [], 0
        for folder, prefix, linked in walk(self._root, self.notes, self.name):
            names = folder if JUNK.isdisjoint(folder) else [n for n in folder if n not in JUNK]
            paths += [prefix + name for name in names]
            if linked:
                links += len(folder)
                self._limits.check_members(links, self.name)
        if "/._" in "/".join(["", *paths]):  # one search, not one for each name
            paths = [path for path in paths if not is_junk(path.rpartition("/")[2])]
        return storable(paths, self._real_names, self.notes)

    def fingerprint(self) -> str:
        """Return a hash over path, size and time of change of every file."""
        digest = hashlib.blake2b(digest_size=16)
        for paths, text in in_order(stats_of_all, self._parts(_HASHED_AT_ONCE), self.helper):
            # Where a file can't be asked, ask them one by one, to say which.
            digest.update(("".join(map(self._stats, paths)) if text is None else text).encode())
        return f"stat:{digest.hexdigest()}"

    def _parts(self, size: int) -> Iterator[tuple[Sequence[str], tuple[DiskFiles | None]]]:
        for start in range(0, len(self.files), size):
            paths = self.files[start : start + size]
            yield paths, (self.on_disk(paths),)

    def on_disk(self, paths: Sequence[str]) -> DiskFiles | None:
        """Return many listed files as they lie on disk; None of a few, or of others."""
        if len(paths) <= _FEW or self._real_names or not self._listed.issuperset(paths):
            return None
        return DiskFiles(self._root, paths)

    @contextmanager
    def helped(self) -> Iterator[None]:
        """Have a second process help to read, where there are very many files."""
        if self.helper is not None or not self._is_large():
            yield
            return
        with start_helper() or nullcontext() as helper:
            before = helper_of_thread.set(helper)
            try:
                yield
            finally:
                helper_of_thread.reset(before)

    def _is_large(self) -> bool:
        # Of media at most the first bytes are read.
        if not _MANY <= len(self.files) < _VERY_MANY:
            return len(self.files) >= _VERY_MANY
        media = sum(n for end, n in self.files.suffixes().items() if end in KIND_OF_SUFFIX)
        return len(self.files) - media >= _MANY // 2


class FileSource(_LocalSource):
    """One file (`main`), and the media that lies beside and below it.

    Where the file lies in a folder such as ``annotations/``, the media of the folder above is
    listed too, and all paths are relative to that folder.

    Args:
        file: an existing file.
        where: the path as the user wrote it.
        limits: at most ``limits.members`` neighbours are listed.
    """

    main: str

    def __init__(self, file: str, where: str | None = None, limits: Limits | None = None) -> None:
        # The file itself may be a link (to a cache, say): its neighbours are those of the link.
        path = os.path.abspath(file)
        folder, self.name = os.path.split(path)
        folder = os.path.realpath(folder)
        root = dataset_folder(folder)
        super().__init__(root, file if where is None else where)
        self.uri = os.path.join(folder, self.name)
        real = os.path.relpath(self.uri, root).replace(os.sep, "/")
        self.main = storable([real], self._real_names, self.notes)[0]
        self._limits = limits or Limits()

    def _place(self, path: str) -> str:
        # The file itself needs no list of its neighbours.
        if path == self.main:
            return self.uri
        return super()._place(path)

    def _list(self) -> Iterable[str]:
        found = [self.main]
        # Notes on neighbours that could not be listed would speak of what nobody asked for.
        for folder, prefix, _ in walk(self._root, [], self.name, strict=False):
            names = [name for name in folder if suffix(name) in KIND_OF_SUFFIX]
            found += [prefix + name for name in names if not is_junk(name)]
            if len(found) > self._limits.members:
                self.notes.append(
                    f"More than {self._limits.members:,} media files lie beside {self.name}; "
                    "the others were not looked at. Open the dataset's own folder instead."
                )
                break
        paths = storable(found, self._real_names, self.notes)
        return dict.fromkeys(paths)  # the file itself may be media, and is listed once

    def fingerprint(self) -> str:
        """Return a hash over name, size and time of change of the file itself."""
        digest = hashlib.blake2b(self._stats(self.main).encode(), digest_size=16)
        return f"stat:{digest.hexdigest()}"


def dataset_folder(folder: str) -> str:
    """Return the folder that an annotation file in `folder` speaks of."""
    above, name = os.path.split(folder)
    if name.lower() in _LIST_FOLDERS and os.path.basename(above).lower() in _ANNOTATION_FOLDERS:
        above, name = os.path.split(above)
    return above if name.lower() in _ANNOTATION_FOLDERS else folder


def walk(
    root: str, notes: list[str], source: str, *, strict: bool = True
) -> Iterator[tuple[list[str], str, bool]]:
    """Yield ``(names of files, prefix, reached through a link?)`` of each folder below `root`.

    Raises:
        SourceError: a folder can't be listed. Where not `strict`, such a folder and hidden ones
            are left out.
    """
    # Next to each folder waits the real path of every link on the way to it, and its own: a link
    # to a folder that contains one of them is a loop.
    waiting: list[tuple[str, str, tuple[str, ...]]] = [(root, "", (root,))]
    while waiting:
        folder, prefix, reals = waiting.pop()
        names: list[str] = []
        others: list[os.DirEntry[str]] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    try:
                        if entry.is_file():
                            names.append(entry.name)
                        else:
                            others.append(entry)
                    except OSError:  # a link to itself
                        others.append(entry)
        except OSError as error:
            if strict:
                raise unreadable(error, prefix.rstrip("/") or source, source) from None
            continue
        for entry in others:
            if is_junk(entry.name) or (not strict and entry.name.startswith(".")):
                continue
            down = _descend(entry, reals)
            if isinstance(down, str):
                notes.append(f"{prefix}{entry.name} {down}")
            else:
                waiting.append((entry.path, f"{prefix}{entry.name}/", down))
        yield names, prefix, len(reals) > 1


def _descend(entry: os.DirEntry[str], reals: tuple[str, ...]) -> tuple[str, ...] | str:
    # Where a folder in the folder `reals` really is; or, in words, why it is not entered.
    linked = entry.is_symlink()
    if not linked and entry.is_dir():
        return (*reals[:-1], os.path.join(reals[-1], entry.name))
    if not os.path.isdir(entry.path):
        what = "a link to nothing" if linked else "neither a file nor a folder"
        return f"is {what}, and was left out"
    target = os.path.realpath(entry.path)
    inside = os.path.join(target, "")
    if any(os.path.join(real, "").startswith(inside) for real in reals):
        return "is a link to a folder that contains it, and was not followed"
    return (*reals, target)


def no_such_path(where: str) -> SourceError:
    """Return the error for a path that is not there, with the closest name that is."""
    path = os.path.abspath(os.path.expanduser(where))
    there, below = os.path.split(path)
    while not os.path.isdir(there) and below:
        there, below = os.path.split(there)
    names: list[str] = []
    with contextlib.suppress(OSError):  # a folder that can't be listed has no suggestion
        names = os.listdir(there)
    close = difflib.get_close_matches(below, names, n=1, cutoff=0.6)
    hint = f"The folder {there} has no {below!r}."
    if close:
        hint += f" Did you mean {os.path.join(there, close[0])!r}?"
    return SourceError(f"There is no file or folder {where!r}", hint=hint)


def unreadable(error: OSError, path: str, source: str) -> SourceError:
    """Return the error for a file or folder that the system does not give."""
    hints = {
        PermissionError: "Ask for the right to read it, or leave it out.",
        FileNotFoundError: "It was there when the source was listed: list it again.",
    }
    reasons = {PermissionError: "no permission", FileNotFoundError: "it is not there any more"}
    kind = type(error)
    reason = reasons.get(kind, error.strerror or kind.__name__)
    return SourceError(
        f"{printable(path)} can't be read: {reason}",
        where="" if source == path else source,
        hint=hints.get(kind, ""),
    )
