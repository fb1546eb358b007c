"""Where an export goes: written beside the target, and moved into place when it is whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..errors import FormatError, NbannotError, OptionError
from ..formats.base import Format
from ..formats.writing import FolderSink, NullSink, Sink, ZipSink
from ..ledger import Ledger
from ..progress import Progress
from ..sources.links import is_url, without_secrets
from ..sources.remote import remote_place
from .selection import ProjectExport

if TYPE_CHECKING:
    from ..project import Project

__all__ = ["LocalPlace", "Nowhere", "Place", "RemotePlace", "place_of", "write_to"]

_ONE_FILE = (".csv", ".json", ".jsonl", ".tsv")
_READ_ONLY = ("data", "http", "https", "javascript")
_ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz")


def place_of(project: Project, target: object, *, overwrite: bool) -> Place:
    """Return where to write.

    Raises:
        OptionError: it is no path or URL, exists and may not be replaced, or can't be written to.
    """
    if not isinstance(target, (str, os.PathLike)) or not str(target):
        raise OptionError(
            f"target= can't be {target!r}", hint="Name a folder, or a file that ends in .zip."
        )
    if Path(str(target)).suffix.lower() in _ARCHIVES:
        raise OptionError(
            f"{Path(str(target)).suffix} can't be written", hint="Name a folder or a .zip."
        )
    if is_url(str(target)):
        return RemotePlace(str(target), overwrite=overwrite)
    return LocalPlace(project, Path(target).expanduser().absolute(), overwrite=overwrite)


class Place(ABC):
    """Where an export ends up: staged elsewhere, put in place when it is whole."""

    name: str

    @abstractmethod
    def staged(self) -> AbstractContextManager[Path]:
        """Return a context manager of a path to write to; whatever is left there is removed."""

    @abstractmethod
    def put(self, temporary: Path) -> None:
        """Put what was written in place of what is there, if anything.

        Raises:
            NbannotError: it can't be written; what was there is still there.
        """


class LocalPlace(Place):
    """A folder or file of this machine: written beside itself, and renamed."""

    def __init__(self, project: Project, path: Path, *, overwrite: bool) -> None:
        self.path, self.name = path, path.name
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            return
        if not overwrite:
            raise OptionError(
                f"{path} exists already", hint="Choose another target, or pass overwrite=True."
            )
        if path.is_dir():
            _refuse_to_replace(project, path.resolve())

    def __str__(self) -> str:
        return str(self.path)

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """Give a path beside the place."""
        place = self.path
        made = [p for p in place.parents if not p.exists()]
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
        except OSError as error:
            raise NbannotError(f"{place} can't be written: {error.strerror}") from error
        try:
            yield folder / place.name
        except OSError as error:
            raise NbannotError(f"{place} can't be written: {error.strerror or error}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            for parent in made:  # innermost first; one that holds the export stays
                with suppress(OSError):
                    parent.rmdir()

    def put(self, temporary: Path) -> None:
        """Rename, and keep what was there until that has worked."""
        place = self.path
        try:
            if place.is_dir() or (place.exists() and temporary.is_dir()):
                old = temporary.with_name(f"{place.name}.old")
                place.replace(old)
                try:
                    temporary.replace(place)
                except OSError:
                    old.replace(place)
                    raise
            else:
                temporary.replace(place)
        except OSError as error:
            raise NbannotError(f"{place} can't be written: {error.strerror}") from error


class RemotePlace(Place):
    """A URL that fsspec can write to: uploaded under another name, and moved into place."""

    def __init__(self, url: str, *, overwrite: bool) -> None:
        self._shown = without_secrets(url)
        if url.strip().partition(":")[0].lower() in _READ_ONLY:
            raise OptionError(
                f"{self._shown} can't be written to",
                hint="Name a folder, a file that ends in .zip, or a bucket (s3://bucket/pets.zip).",
            )
        self._fs, self._path = remote_place(url)
        exists = self._fs.exists(self._path)
        self.name = self._path.rpartition("/")[2]
        if exists and not overwrite:
            raise OptionError(
                f"{self._shown} exists already",
                hint="Choose another target, or pass overwrite=True.",
            )

    def __str__(self) -> str:
        return self._shown

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """Give a path on this machine: what is uploaded is whole."""
        with tempfile.TemporaryDirectory(prefix="nbannot-export-") as folder:
            yield Path(folder) / self.name

    def put(self, temporary: Path) -> None:
        """Upload, then move; what was there goes when all has arrived."""
        fs, place, many = self._fs, self._path, temporary.is_dir()
        parent, _, name = place.rpartition("/")
        arriving, old = (f"{parent}/.{name}.{uuid4().hex[:8]}{n}" for n in (".new", ".old"))
        try:
            if parent:
                fs.makedirs(parent, exist_ok=True)
            fs.put(str(temporary), arriving, recursive=many)
            if not fs.exists(place):
                fs.mv(arriving, place, recursive=many)
                return
            fs.mv(place, old, recursive=True)
            try:
                fs.mv(arriving, place, recursive=many)
            except Exception:
                fs.mv(old, place, recursive=True)
                raise
            fs.rm(old, recursive=True)
        except Exception as error:  # each file system raises its own
            with suppress(Exception):
                fs.rm(arriving, recursive=True)
            raise NbannotError(f"{self._shown} can't be written: {error}") from error


def _refuse_to_replace(project: Project, folder: Path) -> None:
    """Raise `OptionError` where replacing `folder` would take more away than an old export."""
    precious = [Path.cwd(), Path.home(), *([project.path] if project.path is not None else [])]
    reason = ""
    if any(folder in (p.resolve(), *p.resolve().parents) for p in precious):
        reason = "it holds the project, or the folder you work in"
    elif (folder / "project.sqlite").exists():
        reason = "it is a project"
    else:
        inside = f"{folder}{os.sep}"
        for uri in project.item_table()["uri"].to_pylist():
            if uri and inside in uri:
                reason = f"the project links to media in it, {uri} for one"
                break
    if reason:
        raise OptionError(f"{folder} is not replaced: {reason}", hint="Choose another target.")


def write_to(
    fmt: Format,
    data: ProjectExport,
    place: Path,
    options: Mapping[str, Any],
    ledger: Ledger,
    progress: Progress,
    *,
    save_media: bool,
) -> None:
    """Write to `place`: a folder, a zip, or one file, as its name says.

    Raises:
        FormatError: `place` is one file, and the format writes several.
    """
    suffix = place.suffix.lower()
    if suffix == ".zip":
        archive = _Zip(place, data, ledger, saves=save_media)
        try:
            fmt.write(data, archive, options, ledger, progress)
        finally:
            archive.close()
        return
    folder = place.with_name(f"{place.name}.files") if suffix in _ONE_FILE else place
    folder.mkdir()
    sink = _Folder(folder, data, ledger, saves=save_media)
    fmt.write(data, sink, options, ledger, progress)
    if suffix in _ONE_FILE:
        files = [p for p in folder.rglob("*") if p.is_file()]
        if len(files) != 1 or files[0].suffix.lower() != suffix:
            names = ", ".join(p.name for p in files[:4])
            raise FormatError(
                f"{fmt.title} writes {len(files)} files ({names}), not one {suffix}",
                hint="Name a folder, or a file that ends in .zip.",
            )
        files[0].replace(place)


class _Unreadable(Exception):  # noqa: N818  not an error: a line of the ledger
    """Media that can't be read: the export goes on without it."""


class _Lenient(Sink):
    """A sink that says in the ledger which media could not be read."""

    def __init__(
        self, place: Path | None, data: ProjectExport, ledger: Ledger, *, saves: bool
    ) -> None:
        super().__init__(place, self._read if saves else None)  # type: ignore[arg-type, call-arg]
        self._data, self._ledger = data, ledger
        self._told: set[int] = set()

    def _read(self, item: int) -> bytes:
        try:
            return self._data.media(item)
        except NbannotError as error:
            raise _Unreadable(error.message) from error

    def add_media(self, path: str, item: int) -> None:
        """Write media, or say why not, once for each item."""
        try:
            super().add_media(path, item)
        except _Unreadable as error:
            self._tell(path, item, error)

    def media(self, item: int) -> bytes | None:
        """Return media, or None and say why, once for each item."""
        try:
            return super().media(item)
        except _Unreadable as error:
            self._tell("", item, error)
            return None

    def _tell(self, path: str, item: int, error: _Unreadable) -> None:
        if item not in self._told:
            self._told.add(item)
            key = self._data.keys.get(item, str(item))
            self._ledger.warn(
                "media not written", file=path, record="media", item=key, message=f"{key}: {error}"
            )


class Nowhere(_Lenient, NullSink):
    """Nothing is written, and the same is said as if it were."""


class _Folder(_Lenient, FolderSink):
    """A folder."""


class _Zip(_Lenient, ZipSink):
    """A zip."""
