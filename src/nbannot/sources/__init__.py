"""Where bytes come from: `open_source` takes whatever a user has, and gives a `Source`."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import OptionError, SourceError
from .archive import is_archive, open_archive, refuse_other_archives
from .base import Listing, Source
from .limits import Limits
from .links import is_url, open_media, without_secrets
from .local import FileSource, FolderSource, no_such_path, unreadable
from .memory import MemorySource, json_source
from .table import TableSource, is_table
from .upload import UploadSource

__all__ = ["Limits", "Listing", "Source", "UploadSource", "open_media", "open_source"]


def open_source(where: Any, *, name: str | None = None, limits: Limits | None = None) -> Source:
    """Open whatever holds data, for reading.

    Args:
        where: a path to a folder, a file, or an archive (.zip, .tar, .tar.gz, .tar.bz2, .tar.xz);
            a table (pandas, polars, pyarrow, or what speaks Arrow's C stream protocol); JSON
            values (a list of dicts, a dict); files in memory ({path: bytes}); a Source.
        name: of the variable that holds `where`, if it is one; shown, and used in code.
        limits: how much an archive may unpack to; `Limits` says what it is by default.

    Raises:
        SourceError: there is no such path, or it can't be read or understood.
        UnsafeSourceError: an archive would do harm (its list is checked when it is first asked
            for, its members as they are read).
        OptionError: `where` is nothing that can be opened.

    >>> source = open_source([{"image": "a.jpg", "label": "cat"}])
    >>> list(source.files)
    ['records.json']
    """
    if isinstance(where, Source):
        return where
    if isinstance(where, (str, os.PathLike)):
        return _open_path(os.fspath(where), limits)
    if is_table(where):
        return TableSource(where, name or "df")
    if isinstance(where, Mapping) and where and all(_is_file(*pair) for pair in where.items()):
        return MemorySource(where, name or "files")
    if isinstance(where, (Mapping, list, tuple)):
        value = dict(where) if isinstance(where, Mapping) else where
        return json_source(value, name or "records")
    hint = "Give a path, a DataFrame, an Arrow table, or a list of dicts."
    if hasattr(where, "collect"):  # a LazyFrame
        hint = "Give what its method collect() returns."
    raise OptionError(f"A {type(where).__name__} can't be opened as a source", hint=hint)


def _is_file(path: object, data: object) -> bool:
    return isinstance(path, str) and isinstance(data, (bytes, bytearray, memoryview))


def _open_path(where: str | bytes, limits: Limits | None) -> Source:
    if isinstance(where, bytes):
        where = os.fsdecode(where)
    if not where.strip():
        raise OptionError("The path is empty", hint="Give '.' for the current folder.")
    if is_url(where) and not os.path.exists(where):  # a file may be called a:b.json
        raise SourceError(
            f"{without_secrets(where)} is a link, and links are not fetched",
            hint="Download it, and give the path of the file.",
        )
    path = Path(where).expanduser()
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise no_such_path(where) from None
    except OSError as error:
        raise unreadable(error, where, where) from None
    if stat.S_ISDIR(mode):
        return FolderSource(str(path), where, limits)
    if not stat.S_ISREG(mode):
        raise SourceError(f"{where} is neither a file nor a folder")
    if is_archive(path.name):
        return open_archive(str(path), where, limits=limits)
    refuse_other_archives(path.name)
    return FileSource(str(path), where, limits)
