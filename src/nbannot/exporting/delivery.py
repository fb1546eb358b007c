"""Where an export goes: written beside the target, and moved into place when it is whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FormatError, NbannotError, OptionError
from ..formats.base import Format
from ..formats.writing import FolderSink, Sink, ZipSink
from ..ledger import Ledger
from ..progress import Progress
from ..sources.links import is_url
from .selection import ProjectExport

if TYPE_CHECKING:
    from ..project import Project

__all__ = ["move", "place_of", "staged", "write_to"]

_ONE_FILE = (".csv", ".json", ".jsonl", ".tsv")
_ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz")


def place_of(project: Project, target: object, *, overwrite: bool) -> Path:
    """Return where to write, as an absolute path.

    Raises:
        OptionError: it is no path, exists and may not be replaced, or can't be written to.
    """
    if not isinstance(target, (str, os.PathLike)) or not str(target):
        raise OptionError(
            f"target= can't be {target!r}", hint="Name a folder, or a file that ends in .zip."
        )
    if is_url(str(target)):
        raise OptionError(
            f"Exporting to {str(target).split(':')[0]}: is not supported yet",
            hint="Export to a folder or a .zip, and copy that.",
        )
    place = Path(target).expanduser().absolute()
    if place.suffix.lower() in _ARCHIVES:
        raise OptionError(f"{place.suffix} can't be written", hint="Name a folder or a .zip.")
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return place
    if not overwrite:
        raise OptionError(
            f"{place} exists already", hint="Choose another target, or pass overwrite=True."
        )
    if place.is_dir():
        _refuse_to_replace(project, place.resolve())
    return place


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


@contextmanager
def staged(place: Path) -> Iterator[Path]:
    """Give a path to write to, beside `place`; whatever is left there is removed."""
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


def move(temporary: Path, place: Path) -> None:
    """Put what was written in place of what is there, if anything."""
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


class _Unreadable(Exception):  # noqa: N818  not an error: a line of the ledger
    """Media that can't be read: the export goes on without it."""


class _Lenient(Sink):
    """A sink that says in the ledger which media could not be read."""

    def __init__(self, place: Path, data: ProjectExport, ledger: Ledger, *, saves: bool) -> None:
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
            if item not in self._told:
                self._told.add(item)
                key = self._data.keys.get(item, str(item))
                self._ledger.warn(
                    "media not written", file=path, record="media", item=key,
                    message=f"{key}: {error}",
                )  # fmt: skip


class _Folder(_Lenient, FolderSink):
    """A folder."""


class _Zip(_Lenient, ZipSink):
    """A zip."""
