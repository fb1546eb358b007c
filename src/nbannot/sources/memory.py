"""Bytes and JSON values that are already in memory."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import msgspec

from ..errors import SourceError
from .base import Source, missing
from .names import relative_path

__all__ = ["JSON_FILE", "MemorySource", "json_source"]

JSON_FILE = "records.json"
"""What the one file of a JSON value is called."""


class MemorySource(Source):
    """Files in memory: a mapping of relative path to bytes.

    >>> source = MemorySource({"a.txt": b"1 2", "images/b.png": b""}, name="mine")
    >>> list(source.files), source.read("a.txt")
    (['a.txt', 'images/b.png'], b'1 2')

    Raises:
        UnsafeSourceError: a path is absolute or climbs out with ``..``.
    """

    def __init__(self, files: Mapping[str, bytes], name: str = "files") -> None:
        self.name = self.code = name
        self.uri = f"memory:{name}"
        self._bytes = {relative_path(p, name, "file"): bytes(data) for p, data in files.items()}
        if len(self._bytes) != len(files):
            raise SourceError(f"Two of the paths in {name} are the same file")

    def _list(self) -> Iterable[str]:
        return self._bytes

    def open(self, path: str) -> BinaryIO:
        """Return the bytes of a file as a stream, to be closed by the caller."""
        return io.BytesIO(self.read(path))

    def read(self, path: str, limit: int | None = None) -> bytes:
        """Return the bytes of a file, or the first `limit` of them."""
        if self.is_inside(path):
            return self.inside.read(path, limit)
        if path not in self._bytes:
            raise missing(path, self)
        data = self._bytes[path]
        return data if limit is None else data[:limit]

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes."""
        return len(self.read(path))

    def fingerprint(self) -> str:
        """Return a hash over the paths and the bytes."""
        digest = hashlib.sha256()
        for path, data in sorted(self._bytes.items()):
            digest.update(f"{path}\0{len(data)}\0".encode())
            digest.update(data)
        return f"sha256:{digest.hexdigest()}"


def json_source(value: Any, name: str = "records") -> MemorySource:
    """Return a JSON value (list of dicts, dict) as a source of one file, ``records.json``.

    Raises:
        SourceError: something in it is no JSON value; the message names its place.
    """
    try:
        data = _encode(value)
        # msgspec writes NaN as null, which would be another value.
        if b"null" in data and _find(value, _is_not_finite):
            data = json.dumps(value, default=_plain).encode()
    except RecursionError:
        raise SourceError(f"{name} can't be read as JSON: it is nested too deep") from None
    except (TypeError, ValueError) as error:
        place = _find(value, _is_not_json)
        raise SourceError(
            f"{name} can't be read as JSON: {_reason(place, error)}",
            hint="Give dicts, lists, text, numbers, booleans and None.",
        ) from None
    return MemorySource({JSON_FILE: data}, name)


def _encode(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value, enc_hook=_plain)
    except OverflowError:  # whole numbers of more than 64 bits
        return json.dumps(value, default=_plain).encode()


def _reason(place: tuple[str, Any] | None, error: Exception) -> str:
    if place is None:
        return str(error) or type(error).__name__
    return f"{place[0]} is a value of type {type(place[1]).__name__}"


def _plain(value: Any) -> Any:
    # numpy's numbers and arrays are what a model gives; anything else is no JSON value.
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a value of type {type(value).__name__}")


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _is_not_json(value: Any) -> bool:
    try:
        _encode(value)
    except (TypeError, ValueError):
        return True
    return False


def _find(value: Any, test: Any) -> tuple[str, Any] | None:
    # The first value below `value`, depth first, for which `test` holds, and its place.
    for place, inner in _walk(value):
        if test(inner):
            return place, inner
    return None


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    waiting = [("", value)]
    while waiting:
        place, inner = waiting.pop()
        if isinstance(inner, dict):
            waiting += [(f"{place}.{k}".lstrip("."), v) for k, v in reversed(inner.items())]
        elif isinstance(inner, (list, tuple)):
            waiting += [(f"{place}[{i}]", inner[i]) for i in reversed(range(len(inner)))]
        else:
            yield place or "it", inner
