"""What a text in a dataset says about where media is: a path, an address, or neither.

Shared by formats whose records name their media by any kind of text (Label Studio, tables). Such
texts come from anybody: nothing here opens or fetches anything, and a path that climbs out of the
dataset is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ..media.kinds import kind_of
from .media_index import Found, MediaIndex, as_path

__all__ = ["Address", "address_of", "find_media", "masked"]

_PLAIN = re.compile(r"[^\\/.:?#][^\\:?#]*")  # a path as it should be: most are
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_REMOTE = frozenset(
    ("http", "https", "s3", "gs", "gcs", "az", "abfs", "abfss", "azure-blob", "hf", "oss", "r2")
)
_UPLOAD = re.compile(r"(?:^|/)data/upload/(?:\d+/)?([^/?#]+)$")
_LOCAL_FILES = re.compile(r"(?:^|/)data/local-files/?\?(?:.*&)?d=([^&#]*)")
# Label Studio puts 8 hex digits in front of what is uploaded (-) or downloaded (__).
_PREFIX = re.compile(r"[0-9a-f]{8}(?:-|__)(?=.)")


class Address(NamedTuple):
    """Where media is said to be.

    * `path`: relative, with ``/``, never outside the dataset; "" where there is none.
    * `uri`: the text itself, where it is a remote address; it may hold secrets: never print it.
    * `problem`: "" or why the text is refused, as the end of a sentence.
    * `names`: the paths under which the file may lie in the source, likeliest first.
    """

    path: str
    uri: str | None = None
    problem: str = ""
    names: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Kind of media by the suffix, ``"other"`` where it tells nothing."""
        return kind_of(self.path)


def address_of(text: str) -> Address:
    """Return what `text` says about where media is.

    Label Studio's ``/data/upload/<project>/<8 hex>-name.jpg`` and
    ``/data/local-files/?d=folder/name.jpg`` are taken as the file that they stand for.

    >>> address_of("/data/upload/3/0a1b2c3d-cat.jpg").names
    ('0a1b2c3d-cat.jpg', 'cat.jpg')
    >>> address_of("https://me:pw@example.org/pets/a%20b.jpg?token=1").path
    'example.org/pets/a b.jpg'
    >>> address_of("../../etc/passwd").problem
    'is a path that leaves the dataset'
    """
    text = text.strip()
    if _PLAIN.fullmatch(text) and "/." not in text and "//" not in text:
        return Address(text, None, "", (text,)) if "data/upload/" not in text else _upload(text)
    local = _LOCAL_FILES.search(text) if "data/local-files" in text else None
    if local:
        return _relative(unquote(local[1]))
    if "data/upload/" in text and _UPLOAD.search(text):
        return _upload(text)
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _relative(text)
    if scheme[1].lower() not in _REMOTE:
        if scheme[1].lower() == "data":
            return Address("", None, "is media written into the text itself, which is not read")
        return Address(
            "", None, f"is an address of the kind {scheme[1].lower()}:, which is refused"
        )
    return _remote(text)


def _upload(text: str) -> Address:
    upload = _UPLOAD.search(text)
    if upload is None:
        return _relative(text)
    name = unquote(upload[1])
    bare = _PREFIX.sub("", name, count=1) if _PREFIX.match(name) else name
    found = _relative(bare)
    return found if bare == name or found.problem else found._replace(names=(name, bare))


def _remote(text: str) -> Address:
    try:
        parts = urlsplit(text)
    except ValueError:
        return Address("", None, "is not an address")
    host = parts.netloc.rpartition("@")[2]
    path = [p for p in unquote(parts.path).split("/") if p not in ("", ".", "..")]
    names = ["/".join(path)] if path else []
    if path:
        names.append(path[-1])
        if _PREFIX.match(path[-1]):
            names.append(_PREFIX.sub("", path[-1], count=1))
    return Address("/".join([host, *path]), text, "", tuple(names))


def _relative(text: str) -> Address:
    path = as_path(text)
    parts = path.split("/")
    if len(parts[0]) == 2 and parts[0][1] == ":":  # C:\data\a.jpg
        parts = parts[1:]
    if ".." in parts:
        return Address("", None, "is a path that leaves the dataset")
    clean = "/".join(p for p in parts if p not in ("", "."))
    return Address(clean, None, "" if clean else "is empty", (clean,) if clean else ())


def find_media(
    index: MediaIndex, address: Address, near: Sequence[str] = (), *, by_name: bool = True
) -> Found:
    """Return the file of the source that `address` means.

    A remote address is looked up by its path, and, with `by_name`, by its last part: a dataset is
    often the addresses and a folder of what was downloaded from them.
    """
    names = address.names if by_name or address.uri is None else address.names[:1]
    found = Found(None, "missing")
    for name in names:
        found = index.find(name, near, tails=True)
        if found.path is not None or found.problem == "ambiguous":
            return found
    return found


def masked(text: str) -> str:
    """Return `text` without what may be secret in an address: user, password, query, fragment.

    >>> masked("https://me:pw@example.org/a.jpg?token=1")
    'https://example.org/a.jpg'
    """
    if not _SCHEME.match(text) or "//" not in text:
        return text
    head, _, rest = text.partition("//")
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    return f"{head}//{host.rpartition('@')[2]}{slash}{path}"
