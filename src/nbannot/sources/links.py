"""Links to media: what `Source.link` gave, and the bytes behind it."""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from typing import BinaryIO
from urllib.parse import urlsplit

from ..errors import SourceError, printable
from .base import Source
from .inside import INSIDE, Inside
from .limits import Limits

__all__ = ["is_url", "open_media", "without_secrets"]

# "https://", "data:", "simplecache::file://": one letter and a colon is a drive of Windows.
_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]+:")
_ARCHIVE = re.compile(r"(zip|tar)://")
_KEPT_OPEN = 4

_archives: OrderedDict[tuple[str, int, int], Source] = OrderedDict()
_lock = threading.Lock()


def is_url(text: str) -> bool:
    """Say whether `text` names a place by a scheme (``https:``), and not a path on this machine.

    >>> [is_url(t) for t in ("https://host/a.png", "data:image/png;base64,", "C:/a.png", "a/b.png")]
    [True, True, False, False]
    """
    return _SCHEME.match(text) is not None or text.lstrip().startswith(("//", "\\\\"))


def without_secrets(url: str) -> str:
    """Return a URL without user, password and query, fit for a message.

    >>> without_secrets("https://me:secret@host/a.png?sig=secret#secret")
    'https://…@host/a.png?…'
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        parts = None
    if parts is None or not parts.netloc:
        # data:, javascript:, and what can't be parsed: what follows the scheme may be anything.
        return f"{printable(url.strip().partition(':')[0], 40)}:…"
    _user, at, host = parts.netloc.rpartition("@")
    scheme = f"{parts.scheme}:" if parts.scheme else ""
    rest = "?…" if parts.query or parts.fragment else ""
    return printable(f"{scheme}//{'…@' if at else ''}{host}{parts.path}{rest}")


def open_media(uri: str) -> bytes:
    """Return the bytes behind a link that `Source.link` gave.

    Args:
        uri: an absolute path, ``zip:///abs/pets.zip!/a.jpg``, ``tar:///abs/pets.tar!/a.jpg``, or
            of media inside a file, ``file:///abs/pets.parquet!/parquet/image/17``.
            The last archives are kept open, so that a page of pictures from one is fast.

    Raises:
        SourceError: the file is not there any more or can't be read, or it is a link of another
            kind: URLs are not fetched.
        BrokenFileError: the archive, or its member, is damaged.
    """
    match = _ARCHIVE.match(uri)
    if match:
        path, member = _split(uri[match.end() :])
        return _archive(path).read(member)
    if uri.startswith("file:///") and INSIDE in uri:
        return _inside.read(uri[len("file://") :])
    if is_url(uri) or not os.path.isabs(uri):
        shown = without_secrets(uri) if is_url(uri) else printable(uri)
        raise SourceError(
            f"{shown} is not a file on this machine; links to URLs are not fetched",
            hint="Download the file, and import it again.",
        )
    try:
        if os.path.isfile(uri) or not os.path.exists(uri):
            if os.path.getsize(uri) > Limits().member_bytes:
                raise SourceError(f"{printable(uri)} is too large to be read at once")
            with open(uri, "rb", buffering=0) as stream:
                return stream.read()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _gone(uri, error) from None
    raise SourceError(f"{printable(uri)} is not a file")


def _open_file(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except (OSError, ValueError) as error:
        raise _gone(path, error) from None


def _stamp(path: str) -> object:
    try:
        stat = os.stat(path)
    except (OSError, ValueError) as error:
        raise _gone(path, error) from None
    return stat.st_size, stat.st_mtime_ns


_inside = Inside(_open_file, _stamp)


def _gone(path: str, error: Exception) -> SourceError:
    reason = getattr(error, "strerror", None) or "it is no path"
    return SourceError(
        f"{printable(path)} can't be read: {reason}",
        hint="It was linked, not copied: put it back, or import it again with its media copied.",
    )


def _split(text: str) -> tuple[str, str]:
    # Both the path and the member may hold "!/": the archive is the file that is there.
    places = [m.start() for m in re.finditer("!/", text)]
    if not places:
        raise SourceError(f"The link {printable(text)!r} names no member of an archive")
    for place in places:
        if os.path.isfile(text[:place]):
            return text[:place], text[place + 2 :]
    raise _gone(text[: places[0]], FileNotFoundError(0, "it is not there"))


def _archive(path: str) -> Source:
    from .archive import open_archive

    try:
        stat = os.stat(path)
    except OSError as error:
        raise _gone(path, error) from None
    key = (path, stat.st_size, stat.st_mtime_ns)
    with _lock:
        source = _archives.pop(key, None)
        if source is None:
            source = open_archive(path)
        _archives[key] = source
        # Not closed: another thread may be reading from it. It closes when the last lets go.
        while len(_archives) > _KEPT_OPEN:
            _archives.popitem(last=False)
    return source
