"""COCO images, and the items of a subset that they become.

An image's identity is its file name as a path. The files of a subset (instances, keypoints,
captions) repeat their images, with ids of their own or not: one path is one item.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Raw
from numpy.typing import NDArray

from ..errors import UnsafeSourceError
from ..ledger import Ledger
from ..progress import Progress
from ..schema import ITEMS, table
from ..sources.base import Source
from .coco_json import Document, plain_json
from .coco_labels import ident
from .coco_layout import Part, near
from .media_index import MediaIndex, as_path

__all__ = ["Images"]

_CHUNK = 10_000
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_NUMBER = re.compile(rb"-?\d+(?:\.0+)?")
_MAX_SIDE = 2**31 - 1
_PROBLEMS = {
    "ambiguous": "several files fit the image's name",
    "unicode": "the file's name is in another Unicode form",
    "escaped": "the file's name is percent-encoded",
}

Ids = dict[int | str, int]


class _Named(NamedTuple):
    key: str  # the item's key
    path: str  # what to look for in the source
    url: str  # "" where the name is no URL


class Images:
    """The items of one subset: made from images, numbered from `first` in the order met."""

    def __init__(
        self, source: Source, index: MediaIndex | None, subset: str | None, ledger: Ledger,
        first: int,
    ) -> None:  # fmt: skip
        self._source, self._index, self._ledger = source, index, ledger
        self._subset, self._first = subset, first
        self._rows: list[dict[str, Any]] = []
        self._numbers: dict[str, int] = {}  # key -> item number
        self._missing: list[tuple[str, str, str, str]] = []  # file, where, record, key

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def following(self) -> int:
        """The number of the next item."""
        return self._first + len(self._rows)

    def add(
        self, document: Document, part: Part, progress: Progress, limit: int | None = None
    ) -> Ids:
        """Take the images of a file; return the item number of each image id.

        With `limit`, no more items are made than that; images of other items are passed over.
        """
        folders = near(part, self._source)
        ids: Ids = {}
        mine: set[str] = set()
        raws = document.images
        step = _CHUNK if limit is None else max(limit, 100)
        for start in range(0, len(raws), step):
            chunk = raws[start : start + step]
            self._ledger.read(len(chunk))
            for at, image in enumerate(_decode(document, chunk), start):
                self._image(image, at, part, folders, ids, mine, limit)
            progress.advance(len(chunk))
            if limit is not None and len(self) >= limit and not self._more(document, limit):
                break
        return ids

    def _more(self, document: Document, limit: int) -> bool:
        # A file after the subset's first one may name the same images anywhere in its list.
        return len(self._numbers) > limit or document.path != self._rows[0]["_file"]

    def _image(
        self, image: Any, at: int, part: Part, folders: Sequence[str], ids: Ids, mine: set[str],
        limit: int | None,
    ) -> None:  # fmt: skip
        say = _Line(self._ledger, part.path, f"$.images[{at}]", f"images[{at}]")
        if not isinstance(image, dict):
            say.reject("the image is not an object", "an entry of images is not an object")
            return
        key = _id(image.pop("id", None))
        given = _text(image.get("file_name"))
        record = f"image id {key}" if key is not None else f"images[{at}]"
        if key in ids:
            record = f"image id {key} (images[{at}])"
        say = _Line(self._ledger, part.path, f"$.images[{at}]", record)
        named = self._named(image, given, key, part, say)
        item = self._numbers.get(named.key)
        if item is not None and named.key not in mine:
            mine.add(named.key)
            self._join(item, image, key, ids, say)
            return
        if item is not None and key is not None and ids.get(key) == item:
            self._join(item, image, key, ids, say)
            return
        if limit is not None and len(self) >= limit:
            return
        if item is not None:
            named = self._second(named, item, key, say)
        mine.add(named.key)
        number = self._add(named, given, image, key, part, folders, say)
        if key is None:
            say.warn("the image has no id", f"{named.key} has no id, so no annotation can be on it")
        elif key in ids:
            text = f"image id {key} is that of {self._rows[ids[key] - self._first]['key']} too, "
            say.warn("an image id comes twice", text + "which gets the annotations", named.key)
        else:
            ids[key] = number

    def _named(
        self, image: dict[str, Raw], given: str | None, key: int | str | None, part: Part,
        say: _Line,
    ) -> _Named:  # fmt: skip
        name = given
        if not name:
            url = _text(image.get("coco_url")) or ""
            # LVIS names its images by URL only: ".../train2017/000000391895.jpg".
            name = "/".join(url.split("/")[-2:]) if _URL.match(url) else ""
            if not name:
                name = str(key) if key is not None else say.record
                say.warn("the image has no file name", f"{say.record} is named {name!r}", name)
        if _URL.match(name):
            path = unquote(urlsplit(name).path).lstrip("/")
            return _Named(path or name, path, name)
        if not name.isascii():
            clean = name.encode("utf-8", "replace").decode()
            if clean != name:
                say.warn("the file name is no Unicode text", f"it is read as {clean!r}", clean)
            name = clean
        path = as_path(name)
        if ".." in path.split("/"):
            folder = part.path.rpartition("/")[0]
            path = posixpath.normpath(posixpath.join("/" if path[:1] == "/" else folder, path))
            if path.startswith(".."):
                raise UnsafeSourceError(
                    f"The file name {name!r} leads out of {self._source.name}", where=part.path,
                    hint="Correct the file name; nothing was read.",
                )  # fmt: skip
        plain = path.partition(":/")[2] if path[1:3] == ":/" else path
        return _Named(plain.lstrip("/") or str(key), path, "")

    def _second(self, named: _Named, item: int, key: int | str | None, say: _Line) -> _Named:
        stem, dot, end = named.key.rpartition(".")
        count, fresh = 2, named.key
        while fresh in self._numbers:
            fresh = f"{stem} ({count}).{end}" if dot and stem else f"{named.key} ({count})"
            count += 1
        first = self._rows[item - self._first]["source_id"]
        text = f"images {first} and {key} both name {named.key}; the second is the item {fresh!r}"
        say.warn("two images have one file name", text, fresh)
        return named._replace(key=fresh)

    def _join(
        self, item: int, image: dict[str, Raw], key: int | str | None, ids: Ids, say: _Line
    ) -> None:
        # The same image once more: it says nothing new, or its other keys are added.
        if key is not None:
            ids.setdefault(key, item)
        row = self._rows[item - self._first]
        size = (_side(image.pop("width", None)), _side(image.pop("height", None)))
        for name, value in zip(("width", "height"), size, strict=True):
            if row[name] is None:
                row[name] = value
            elif value and value != row[name]:
                text = f"{name} of {row['key']} is {value} here and {row[name]} in another record"
                say.warn("an image has two sizes", text, row["key"])
        self._ledger.joined()
        image.pop("file_name", None)
        other = _meta(image)
        if other is not None and other != row["meta"]:
            both = {**json.loads(other), **json.loads(row["meta"] or "{}")}
            row["meta"] = plain_json(both)

    def _add(
        self, named: _Named, given: str | None, image: dict[str, Raw], key: int | str | None,
        part: Part, folders: Sequence[str], say: _Line,
    ) -> int:  # fmt: skip
        width, height = _side(image.get("width")), _side(image.get("height"))
        for name, value in (("width", width), ("height", height)):
            raw = bytes(image.pop(name, Raw(b"null")))
            if value is None and raw != b"null":
                text = f"{name} of {named.key} is {raw[:40].decode('utf-8', 'replace')}; left out"
                say.warn("the image's size is no size", text, named.key)
        image.pop("file_name", None)
        media = self._find(named, folders, say) if self._index else None
        url = named.url
        if not url and media is None and b"://" in bytes(image.get("coco_url", b"")):
            url = _text(image.get("coco_url")) or ""
        if given is not None and given != named.key:
            image = {"file_name": Raw(json.dumps(given).encode()), **image}
        number = self.following
        self._numbers[named.key] = number
        self._rows.append(
            {
                "item": number, "key": named.key, "media": media, "uri": url or None,
                "width": width, "height": height, "meta": _meta(image),
                "source_id": None if key is None else str(key), "_file": part.path,
            }
        )  # fmt: skip
        if media is None:
            self._missing.append((say.file, say.where, say.record, named.key))
        return number

    def _find(self, named: _Named, folders: Sequence[str], say: _Line) -> str | None:
        assert self._index is not None
        found = self._index.find(named.path, folders, tails=True)
        if found.problem in _PROBLEMS:
            text = f"{named.path} is " + (found.path or "the end of several files' names")
            say.warn(_PROBLEMS[found.problem], text, named.key)
        return found.path

    def finish(self) -> pa.Table:
        """Return the items, and say which have no media file in the source."""
        rows = self._rows
        if self._missing and len(self._missing) == len(rows):
            text = (
                f"none of the {len(rows)} images of subset {self._subset or 'default'} is in "
                f"{self._source.name}; their annotations are read all the same"
            )
            self._ledger.note("no image file is in the source", file=rows[0]["_file"], message=text)
        elif self._missing:
            files, places, records, keys = zip(*self._missing, strict=True)
            self._ledger.warn(
                "the image file is missing", file=files, where=places, record=records, item=keys,
                message=[f"{k} is not in {self._source.name}" for k in keys],
            )  # fmt: skip
        names = [n for n in ITEMS.names if rows and n in rows[0]]
        columns: dict[str, Any] = {n: [row[n] for row in rows] for n in names}
        columns["kind"] = ["image"] * len(rows)
        columns["subset"] = [self._subset] * len(rows)
        return table(columns, ITEMS)

    def keys(self) -> list[str]:
        """Return the key of each item, in order."""
        return [row["key"] for row in self._rows]

    def sizes(self) -> NDArray[np.float64]:
        """Return (width, height) of each item, shape (n, 2), NaN where not known."""
        sides = [(row["width"], row["height"]) for row in self._rows]
        return np.array(sides, np.float64).reshape(-1, 2)


class _Line:
    """Writes ledger lines about one record."""

    def __init__(self, ledger: Ledger, file: str, where: str, record: str) -> None:
        self._ledger, self.file, self.where, self.record = ledger, file, where, record

    def warn(self, reason: str, message: str, item: str = "") -> None:
        self._ledger.warn(
            reason, file=self.file, where=self.where, record=self.record, item=item,
            message=f"{self.record}: {message}",
        )  # fmt: skip

    def reject(self, reason: str, message: str) -> None:
        self._ledger.reject(
            reason, file=self.file, where=self.where, record=self.record, message=message
        )


def _decode(document: Document, raws: list[Raw]) -> list[Any]:
    try:
        return msgspec.json.decode(document.text(raws), type=list[dict[str, Raw]])
    except msgspec.ValidationError:
        found: list[Any] = []
        for raw in raws:
            try:
                found.append(msgspec.json.decode(raw, type=dict[str, Raw]))
            except msgspec.ValidationError:
                found.append(None)
        return found


def _id(raw: Raw | None) -> int | str | None:
    if raw is None:
        return None
    text = bytes(raw)
    return int(text) if text.isdigit() else ident(json.loads(text))


def _text(raw: Raw | None) -> str | None:
    # The text of a JSON string; None where it is none.
    if raw is None:
        return None
    data = bytes(raw)
    if data[:1] != b'"':
        return None
    if b"\\" not in data:
        return data[1:-1].decode("utf-8", "replace")
    text: str = json.loads(data)
    return text


def _side(raw: Raw | None) -> int | None:
    # A width or height in pixels; None where it is no positive whole number.
    text = b"" if raw is None else bytes(raw).strip(b'"')
    if not _NUMBER.fullmatch(text):
        return None
    value = int(text.partition(b".")[0])
    return value if 0 < value <= _MAX_SIDE else None


def _meta(image: dict[str, Raw]) -> str | None:
    # What no column holds, as the text of a JSON object, values as they were written.
    if not image:
        return None
    pairs = [f"{_quoted(k)}:{bytes(v).decode('utf-8', 'replace')}" for k, v in image.items()]
    return "{" + ",".join(pairs) + "}"


_QUOTED: dict[str, str] = {}


def _quoted(key: str) -> str:
    text = _QUOTED.get(key)
    if text is None:
        text = json.dumps(key)
        if len(_QUOTED) < 1000:
            _QUOTED[key] = text
    return text
