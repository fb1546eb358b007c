"""Copied media: one file per content, named by its sha-256, under the project's ``media/``.

A file gets its name only when it is whole and on the disk, and before the transaction that
mentions it commits. So an item never names a file that is not there, also after a power cut.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from ..errors import ProjectError

__all__ = ["Incoming", "MediaFolder", "sync"]

_INCOMING = "incoming"


class MediaFolder:
    """The media of a project in `folder`; None is a temporary folder, removed with this object."""

    def __init__(self, folder: Path | None) -> None:
        self._lasting = folder is not None
        self._temporary = None if folder is not None else tempfile.TemporaryDirectory("-nbannot")
        self.folder = folder or Path(self._temporary.name)  # type: ignore[union-attr]

    def path(self, sha256: str) -> Path:
        """Return where the file with that content is, or would be."""
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):  # it comes from a file anybody may have made
            raise ProjectError(
                "The project names media by something that is no sha-256", where=sha256
            )
        return self.folder / sha256[:2] / sha256

    def read(self, sha256: str) -> bytes:
        """Return the bytes with that hash.

        Raises:
            ProjectError: they are not there, or can't be read.
        """
        path = self.path(sha256)
        try:
            return path.read_bytes()
        except OSError as error:
            raise ProjectError(
                "A media file of the project can't be read",
                where=str(path),
                hint="Restore the folder media/ from a backup, or import it again.",
            ) from error

    @contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """Take files in; they are kept when the block ends, and gone when it raises.

        Only within a transaction: one at a time.
        """
        waiting = Incoming(self)
        try:
            yield waiting
            with _explained(self.folder):
                waiting.keep(durable=self._lasting)
        finally:
            shutil.rmtree(self.folder / _INCOMING, ignore_errors=True)

    def remove_others(self, kept: Collection[str]) -> tuple[int, int]:
        """Remove the files whose hash is not in `kept`; return how many, and their bytes."""
        count = size = 0
        for path in self.folder.glob("[0-9a-f][0-9a-f]/*"):
            if path.name not in kept:
                size += path.stat().st_size
                count += 1
                path.unlink()
        return count, size

    def close(self) -> None:
        """Remove a temporary folder."""
        if self._temporary is not None:
            self._temporary.cleanup()


class Incoming:
    """Media that a transaction brings."""

    def __init__(self, media: MediaFolder) -> None:
        self._media = media
        self._folder = media.folder / _INCOMING
        self._waiting: dict[str, Path] = {}

    def put(self, data: bytes) -> str:
        """Take in a file's bytes, unless they are here already; return their sha-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        final = self._media.path(sha256)
        with _explained(final):
            if sha256 in self._waiting or (final.exists() and final.stat().st_size == len(data)):
                return sha256
            if not self._waiting:
                self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / sha256).write_bytes(data)
        self._waiting[sha256] = final
        return sha256

    def keep(self, *, durable: bool) -> None:
        """Give each file its final name, after its bytes are on the disk."""
        if not self._waiting:
            return
        folders = {final.parent for final in self._waiting.values()}
        for folder in folders:
            folder.mkdir(exist_ok=True)
        if durable:
            with ThreadPoolExecutor(8) as pool:  # the disk does many at once, Python only waits
                list(pool.map(sync, (self._folder / name for name in self._waiting)))
        for name, final in self._waiting.items():
            (self._folder / name).replace(final)
        if durable:
            for folder in (*folders, self._media.folder):
                sync(folder)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if path.is_dir():
        # Windows can't, and some network folders won't; the files themselves are what counts.
        with contextlib.suppress(OSError):
            _sync(path, os.O_RDONLY)
    else:
        _sync(path, os.O_RDWR)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _explained(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ProjectError(
            f"Media could not be copied into the project: {error.strerror or error}",
            where=str(where),
            hint="Nothing was changed. Make room on the disk, or link media instead of copying.",
        ) from error
