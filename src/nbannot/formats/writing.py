"""What a writer gets (`Export`) and where it writes (`Sink`)."""

from __future__ import annotations

import io
import tempfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsafeSourceError
from ..schema import Batch, Label

__all__ = ["Export", "FolderSink", "NullSink", "Sink", "ZipSink", "annotation_ranks", "safe_path"]

_IN_MEMORY_BYTES = 1 << 20

MediaReader = Callable[[int], bytes]
"""Returns the bytes of an item's media, given its number (``ITEMS.item``)."""


class Export(Protocol):
    """What is to be written, as a writer sees it."""

    name: str
    labels: tuple[Label, ...]

    @property
    def subsets(self) -> tuple[str, ...]:
        """The names of the subsets, in order."""
        ...

    def batches(self, subset: str) -> Iterator[Batch]:
        """Yield a subset's items in order, each with all its annotations in the same batch."""
        ...


def annotation_ranks(batch: Batch) -> NDArray[np.int64]:
    """Return each annotation's rank among those of its item, from 1.

    By it the ledger of an export names an annotation ("annotation 3"), and a forecast finds it.

    >>> batch = Batch.of({"item": [7, 8], "key": ["a", "b"], "kind": ["image"] * 2},
    ...                  {"item": [7, 8, 7], "type": ["tag"] * 3})
    >>> annotation_ranks(batch).tolist()
    [1, 1, 2]
    """
    owner = batch.annotations["item"].to_numpy()
    order = np.argsort(owner, kind="stable")
    ranks = np.empty(len(owner), np.int64)
    ranks[order] = np.arange(1, len(owner) + 1)
    found: NDArray[np.int64] = ranks - np.searchsorted(owner[order], owner)
    return found


def safe_path(path: str) -> str:
    """Return `path` as a relative path with ``/`` that stays within its folder.

    Raises:
        UnsafeSourceError: it is absolute, or climbs out with ``..``: a key in a project may
            come from anywhere, and an export writes files by it.
    """
    parts = path.replace("\\", "/").split("/")
    if path.startswith(("/", "\\")) or ".." in parts or (len(parts[0]) == 2 and parts[0][1] == ":"):
        raise UnsafeSourceError(
            f"The item {path!r} would be written outside the export's folder",
            hint="Rename the item, or leave it out with subsets= or what=.",
        )
    return "/".join(part for part in parts if part not in ("", "."))


class Sink(ABC):
    """Where a writer puts its files: a folder or a zip.

    `saves_media` says whether media is written along; `add_media` does nothing where not.
    """

    def __init__(self, media: MediaReader | None = None) -> None:
        self._media = media

    @property
    def saves_media(self) -> bool:
        """Is media written along?"""
        return self._media is not None

    def add_media(self, path: str, item: int) -> None:
        """Write the media of item number `item` to `path`, if media is written at all."""
        if self._media is not None:
            self.write(path, self._media(item))

    def media(self, item: int) -> bytes | None:
        """Return the media of item number `item`, for a format that keeps it in its own files.

        None where media is not written, or where it can't be read (which the ledger says).
        """
        return None if self._media is None else self._media(item)

    def write(self, path: str, data: bytes | str) -> None:
        """Write a whole file; text is UTF-8 without BOM."""
        with self.open(path) as stream:
            stream.write(data.encode() if isinstance(data, str) else data)

    @abstractmethod
    def open(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Return a context manager of a binary stream that becomes the file `path`.

        One file at a time. Raises UnsafeSourceError for a path that leaves the target.
        """


class NullSink(Sink):
    """Writes nowhere: for a forecast, which is an export without its files."""

    def __init__(self, place: object = None, media: MediaReader | None = None) -> None:
        """`place` is there for the sake of its siblings, and not used."""
        del place
        super().__init__(media)

    def add_media(self, path: str, item: int) -> None:
        """Only look at the path."""
        del item
        if self.saves_media:
            safe_path(path)

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """Give a stream that is thrown away."""
        safe_path(path)
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as stream:
            yield stream  # type: ignore[misc]


class FolderSink(Sink):
    """Writes into a folder, made when absent."""

    def __init__(self, folder: Path, media: MediaReader | None = None) -> None:
        super().__init__(media)
        self.folder = folder

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """Open ``folder/path`` for writing."""
        place = self.folder / safe_path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as stream:
            yield stream


class ZipSink(Sink):
    """Writes into a zip; media is stored as it is, text deflated."""

    def __init__(self, file: Path | BinaryIO, media: MediaReader | None = None) -> None:
        super().__init__(media)
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False)

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """Open a member for writing."""
        info = zipfile.ZipInfo(safe_path(path))  # a fixed date: equal content, equal zip
        info.compress_type = zipfile.ZIP_DEFLATED
        with self._zip.open(info, "w", force_zip64=True) as stream:
            yield stream  # type: ignore[misc]

    def add_media(self, path: str, item: int) -> None:
        """Store media without deflating it again."""
        if self._media is not None:
            self._zip.writestr(zipfile.ZipInfo(safe_path(path)), self._media(item))

    def close(self) -> None:
        """Write the zip's directory."""
        self._zip.close()

    @classmethod
    def to_bytes(cls, write: Callable[[ZipSink], None], media: MediaReader | None = None) -> bytes:
        """Return the zip that `write` fills, as bytes."""
        out = io.BytesIO()
        sink = cls(out, media)
        write(sink)
        sink.close()
        return out.getvalue()
