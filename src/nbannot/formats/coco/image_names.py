"""The parts of one COCO image's record: its id, its name as a path, its size, all else."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Raw

from ...errors import UnsafeSourceError
from ...ledger import Ledger
from ..media_index import as_path
from .json import loads
from .labels import ident

__all__ = [
    "MAX_SIDE",
    "Line",
    "Named",
    "id_of",
    "is_url",
    "meta_of",
    "named",
    "quoted",
    "side",
    "text_of",
    "texts_of",
]

MAX_SIDE = 2**31 - 1
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_NUMBER = re.compile(rb"\d{1,10}(?:\.0+)?")


class Named(NamedTuple):
    """What an image is called: the item's key, what to look for, and the URL if it is one."""

    key: str
    path: str
    url: str


class Line:
    """Writes ledger lines about one image."""

    def __init__(self, ledger: Ledger, file: str, where: str, record: str) -> None:
        self._ledger, self.file, self.where, self.record = ledger, file, where, record

    def warn(self, reason: str, message: str, item: str = "") -> None:
        """Say that the image was imported, but is suspect or was changed."""
        self._ledger.warn(
            reason, file=self.file, where=self.where, record=self.record, item=item,
            message=f"{self.record}: {message}",
        )  # fmt: skip

    def reject(self, reason: str, message: str) -> None:
        """Say that the image was not imported."""
        self._ledger.reject(
            reason, file=self.file, where=self.where, record=self.record, message=message
        )


def named(
    image: dict[str, Raw], given: str | None, key: int | str | None, file: str, source: str,
    say: Line,
) -> Named:  # fmt: skip
    """Return what an image of the file `file` is called; `given` is its file_name.

    Raises:
        UnsafeSourceError: the name leads out of the source (of that name).
    """
    name = given
    if not name:
        url = text_of(image.get("coco_url")) or ""
        # LVIS names its images by URL only: ".../train2017/000000391895.jpg".
        name = "/".join(url.split("/")[-2:]) if _URL.match(url) else ""
        if not name:
            name = str(key) if key is not None else say.record
            say.warn("the image has no file name", f"it is named {name!r}", name)
    if is_url(name):
        path = unquote(urlsplit(name).path).lstrip("/")
        return Named(path or name, path, name)
    if not name.isascii():
        clean = name.encode("utf-8", "replace").decode()
        if clean != name:
            say.warn("the file name is no Unicode text", f"it is read as {clean!r}", clean)
        name = clean
    path = as_path(name)
    if ".." in path.split("/"):
        folder = file.rpartition("/")[0]
        path = posixpath.normpath(posixpath.join("/" if path[:1] == "/" else folder, path))
        if path.startswith(".."):
            raise UnsafeSourceError(
                f"The file name {name!r} leads out of {source}", where=file,
                hint="Correct the file name; nothing was read.",
            )  # fmt: skip
    plain = path.partition(":/")[2] if path[1:3] == ":/" else path
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    return Named("/".join(parts) or say.record, path, "")


def is_url(name: str) -> bool:
    """Say whether a name is an address."""
    return _URL.match(name) is not None


def id_of(raw: Raw | None) -> int | str | None:
    """Return an image's id as a key; None where it has none."""
    if raw is None:
        return None
    text = bytes(raw)
    return int(text) if text.isdigit() and len(text) < 20 else ident(loads(text))


def text_of(raw: Raw | None) -> str | None:
    """Return the text of a JSON string; None where it is none."""
    if raw is None:
        return None
    data = bytes(raw)
    if data[:1] != b'"':
        return None
    if b"\\" not in data:
        return data[1:-1].decode("utf-8", "replace")
    text: str = loads(data)
    return text


def texts_of(raws: Sequence[Raw]) -> list[str | None]:
    """Return the text of each JSON string; None where it is none."""
    try:
        found: list[str | None]
        found = msgspec.json.decode(b"[" + b",".join(raws) + b"]", type=list[str | None])
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = [text_of(raw) for raw in raws]
    return found


def side(raw: Raw | None) -> int | None:
    """Return a width or height in pixels; None where it is no positive whole number."""
    text = b"" if raw is None else bytes(raw).strip(b'"')
    if not _NUMBER.fullmatch(text):
        return None
    value = int(text.partition(b".")[0])
    return value if 0 < value <= MAX_SIDE else None


def meta_of(image: dict[str, Raw]) -> str | None:
    """Return keys and values, as they were written, as the text of a JSON object."""
    if not image:
        return None
    pairs = [f"{quoted(k)}:{bytes(v).decode('utf-8', 'replace')}" for k, v in image.items()]
    return "{" + ",".join(pairs) + "}"


_QUOTED: dict[str, str] = {}


def quoted(key: str) -> str:
    """Return a key as JSON."""
    text = _QUOTED.get(key)
    if text is None:
        text = json.dumps(key)
        if len(_QUOTED) < 1000:
            _QUOTED[key] = text
    return text
