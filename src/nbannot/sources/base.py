"""What every source is: a list of files, and their bytes on demand."""

from __future__ import annotations

import fnmatch
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import SourceError, printable
from .inside import INSIDE, Inside

if TYPE_CHECKING:
    import pyarrow as pa

    from ..helper import Helper
    from .disk import DiskFiles

__all__ = ["Listing", "Source"]

helper_of_thread: ContextVar[Helper | None] = ContextVar("helper_of_thread", default=None)
"""The second process that helps this thread to read; see `Source.helped`."""


class Listing(Sequence[str]):
    """The files of a source: relative paths with ``/``, sorted, no folders.

    >>> files = Listing(["images/val/a.jpg", "data.yaml", "images/b.JPG"])
    >>> files.match("*.yaml"), files.folders("images")
    (['data.yaml'], ['val'])
    >>> files.with_suffix(".jpg")
    ['images/b.JPG', 'images/val/a.jpg']
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = sorted(paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: Any) -> Any:
        return self._paths[index]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __contains__(self, path: object) -> bool:
        return path in self._set

    def as_set(self) -> frozenset[str]:
        """Return all paths as a set, for those who ask of very many."""
        return self._set

    @cached_property
    def _set(self) -> frozenset[str]:
        return frozenset(self._paths)

    @cached_property
    def _by_suffix(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        # The last characters of a name most often tell its suffix, and many have the same.
        adders: dict[str, Callable[[str], None]] = {}
        for path in self._paths:
            end = path[-6:]
            add = adders.get(end)
            if add is None:
                stem, dot, suffix = path.rpartition(".")
                key = dot + suffix.lower() if stem and "/" not in suffix else ""
                add = found.setdefault(key, []).append
                if len(suffix) < len(end) - 1:
                    adders[end] = add
            add(path)
        return found

    @cached_property
    def _tree(self) -> dict[str, tuple[set[str], list[str]]]:
        # folder -> (its sub-folders, its files); "" is the root.
        tree: dict[str, tuple[set[str], list[str]]] = {"": (set(), [])}
        last, add = "", tree[""][1].append
        for path in self._paths:
            folder = path[: path.rfind("/") + 1]
            if folder != last:
                last, name = folder, folder[:-1]
                if name not in tree:
                    parts = name.split("/")
                    for i, part in enumerate(parts):
                        tree.setdefault("/".join(parts[:i]), (set(), []))[0].add(part)
                    tree[name] = (set(), [])
                add = tree[name][1].append
            add(path)
        return tree

    def with_suffix(self, *suffixes: str) -> list[str]:
        """Return the paths that end in one of `suffixes` (``".jpg"``; case does not matter)."""
        lists = [self._by_suffix[s.lower()] for s in suffixes if s.lower() in self._by_suffix]
        return lists[0] if len(lists) == 1 else sorted(chain.from_iterable(lists))

    def suffixes(self) -> dict[str, int]:
        """Return how many files have each suffix (lower case, with its dot; "" for none)."""
        return {suffix: len(paths) for suffix, paths in self._by_suffix.items()}

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders directly in `folder`, sorted."""
        return sorted(self._tree.get(folder, (set(), []))[0])

    def all_folders(self) -> list[str]:
        """Return the path of every folder, "" (the root) first."""
        return sorted(self._tree)

    def files(self, folder: str = "") -> list[str]:
        """Return the paths of the files directly in `folder`, sorted."""
        return self._tree.get(folder, (set(), []))[1]

    def match(self, *patterns: str) -> list[str]:
        """Return the paths that match a pattern: ``*`` stays within a folder, ``**/`` is any depth.

        Case does not matter. A pattern without ``*`` costs nothing; ``**/name`` and
        ``**/*.suffix`` cost one look at each path.
        """
        found: set[str] = set()
        for pattern in patterns:
            folder, _, name = pattern.rpartition("/")
            if "*" not in pattern and "?" not in pattern and pattern in self:
                found.add(pattern)
            elif folder == "**":
                pool = self._paths
                if name.startswith("*.") and "*" not in name[2:]:
                    pool = self._by_suffix.get("." + name.rpartition(".")[2].lower(), [])
                lower = name.lower()
                found.update(
                    p for p in pool if fnmatch.fnmatchcase(p.rpartition("/")[2].lower(), lower)
                )
            else:
                for place in self._match_folders(folder):
                    found.update(
                        p
                        for p in self.files(place)
                        if fnmatch.fnmatchcase(p.rpartition("/")[2].lower(), name.lower())
                    )
        return sorted(found)

    def _match_folders(self, pattern: str) -> list[str]:
        places = [""]
        for part in pattern.split("/") if pattern else []:
            places = [
                f"{place}/{name}".lstrip("/")
                for place in places
                for name in self.folders(place)
                if fnmatch.fnmatchcase(name.lower(), part.lower())
            ]
        return places


class Source(ABC):
    """Where bytes come from: a folder, a file, an archive, an upload, a table, memory.

    A source is opened by `nbannot.sources.open_source` and is read only. It may be used
    from several threads.

    * `name` is what a user calls it: ``"pets.zip"``.
    * `uri` is its identity: the same source opened twice has the same; it holds no secret.
    * `code` is the Python expression that opens it again (``"'data/pets.zip'"``).
    * `main` is the one file that was asked for, where that was a file and not a folder; the media
      lying beside it is listed too.
    """

    name: str
    uri: str
    code: str
    main: str | None = None

    @cached_property
    def files(self) -> Listing:
        """The files, listed on first use.

        Raises:
            SourceError: it can't be listed.
            UnsafeSourceError: its list of files would do harm (RELIABILITY rules R1, R2).
        """
        return Listing(self._list())

    @cached_property
    def notes(self) -> list[str]:
        """Remarks on the list of files, each a sentence for the ledger.

        Two members of one name, a link to nothing ... Complete once `files` was asked for.
        """
        return []

    @abstractmethod
    def _list(self) -> Iterable[str]:
        """Return the paths of all files, relative, with ``/``."""

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """Return the bytes of a file as a binary stream, to be closed by the caller.

        Raises:
            SourceError: it is not there, or can't be read.
        """

    def read(self, path: str, limit: int | None = None) -> bytes:
        """Return the bytes of a file, or the first `limit` of them."""
        with self.open(path) as stream:
            return stream.read() if limit is None else stream.read(limit)

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield ``(path, bytes)`` of each path, in the order that is cheapest for the source."""
        for path in paths:
            yield path, self.read(path)

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes, or None where only reading it would tell."""
        return None

    def link(self, path: str) -> str | None:
        """Return a URI at which `open_media` finds the file later, None where it must be copied."""
        return None

    def links(self, paths: Sequence[str]) -> Sequence[str | None]:
        """Return what `link` says of each path."""
        return [self.link(path) for path in paths]

    def on_disk(self, paths: Sequence[str]) -> DiskFiles | None:
        """Return files so that another process can read them too; None where there is no need."""
        return None

    def helped(self) -> AbstractContextManager[None]:
        """Have a second process help this thread to read, where the source is so large."""
        return nullcontext()

    @property
    def helper(self) -> Helper | None:
        """The process that helps, if one does."""
        return helper_of_thread.get()

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a string that changes when the content does, as cheaply as the source allows."""

    @cached_property
    def inside(self) -> Inside:
        """Reads media inside the source's files; see `nbannot.sources.inside`."""
        return Inside(self.open)

    def is_inside(self, path: str) -> bool:
        """Say whether `path` is that of media inside a file, and not of a file."""
        return INSIDE in path and path not in self.files

    def table(self) -> pa.Table | None:
        """Return the source as a table, where it is one (a DataFrame), else None."""
        return None

    def under(self, folder: str) -> Source:
        """Return the part of this source in `folder`, as a source with paths relative to it."""
        return self if not folder else _Part(self, folder)

    def close(self) -> None:  # noqa: B027  most hold none
        """Let go of files held open."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


class _Part(Source):
    """A folder of another source."""

    def __init__(self, whole: Source, folder: str) -> None:
        self._whole, self._prefix = whole, folder.rstrip("/") + "/"
        self.name = f"{whole.name}/{folder}"
        self.uri = f"{whole.uri}#{folder}"
        self.code = whole.code
        if whole.main is not None and whole.main.startswith(self._prefix):
            self.main = whole.main[len(self._prefix) :]

    @property
    def notes(self) -> list[str]:
        return self._whole.notes

    def _list(self) -> Iterable[str]:
        start = len(self._prefix)
        return (p[start:] for p in self._whole.files if p.startswith(self._prefix))

    def open(self, path: str) -> BinaryIO:
        return self._whole.open(self._prefix + path)

    def read(self, path: str, limit: int | None = None) -> bytes:
        return self._whole.read(self._prefix + path, limit)

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        start = len(self._prefix)
        for path, data in self._whole.read_many([self._prefix + p for p in paths]):
            yield path[start:], data

    def size(self, path: str) -> int | None:
        return self._whole.size(self._prefix + path)

    def link(self, path: str) -> str | None:
        return self._whole.link(self._prefix + path)

    def links(self, paths: Sequence[str]) -> Sequence[str | None]:
        return self._whole.links([self._prefix + path for path in paths])

    def on_disk(self, paths: Sequence[str]) -> DiskFiles | None:
        return self._whole.on_disk([self._prefix + path for path in paths])

    def fingerprint(self) -> str:
        return self._whole.fingerprint()


def missing(path: str, source: Source) -> SourceError:
    """Return the error for a file that a source does not have."""
    return SourceError(f"There is no file {printable(path)!r} in {source.name}")
