"""Reading several files of a source, of which some may be unreadable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import SourceError
from ...sources.base import Source

__all__ = ["get", "read_all"]


def read_all(source: Source, paths: Sequence[str]) -> dict[str, bytes | SourceError]:
    """Return the bytes of files by path, or why there are none."""
    try:
        return dict(source.read_many(paths))
    except SourceError:
        found: dict[str, bytes | SourceError] = {}
        for path in paths:
            try:
                found[path] = source.read(path)
            except SourceError as error:
                found[path] = error
        return found


def get(data: Mapping[str, bytes | SourceError], path: str) -> bytes:
    """Return the bytes of a file, or raise why there are none."""
    found = data[path]
    if isinstance(found, SourceError):
        raise found
    return found
