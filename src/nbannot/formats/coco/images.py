"""COCO images, and the items of a subset that they become.

An image's identity is its file name as a path. The files of a subset (instances, keypoints,
captions) repeat their images, with ids of their own or not: one path is one item.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import compress
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Raw
from numpy.typing import NDArray

from ...ledger import Ledger
from ...progress import Progress
from ...schema import ITEMS, table
from ...sources.base import Source
from ..media_index import MediaIndex
from .image_names import (
    MAX_SIDE,
    Line,
    Named,
    id_of,
    is_url,
    meta_of,
    named,
    quoted,
    side,
    text_of,
    texts_of,
)  # fmt: skip
from .json import Document, loads, plain_json
from .layout import Part, near
from .videos import frame_name

__all__ = ["Ids", "Images"]

_CHUNK = 5_000
_COLUMNS = ("key", "media", "uri", "width", "height", "source_id", "meta")
_OWN = ("id", "file_name", "width", "height")
# Names that need a second look: empty, absolute, with blanks around, backslashes, addresses.
_UNUSUAL = re.compile(r"^$|^[/ .]|^.:|[/ ]$|\\|//|/\.|\.\.|[^\x20-\x7e\n]", re.MULTILINE)
_MAY_DIFFER = re.compile(rb"^$|\\|:|//|^/|^ | $|\./")
_TYPES: dict[str, type] = {"id": int, "file_name": str, "width": int, "height": int}
_PROBLEMS = {
    "ambiguous": "several files fit the image's name",
    "unicode": "the file's name is in another Unicode form",
    "escaped": "the file's name is percent-encoded",
}

Ids = dict[int | str, int]


class Images:
    """The items of one subset: made from images, numbered from `first` in the order met."""

    def __init__(
        self, source: Source, index: MediaIndex | None, subset: str | None, ledger: Ledger,
        first: int,
    ) -> None:  # fmt: skip
        self._source, self._index, self._ledger = source, index, ledger
        self._subset, self.first = subset, first
        self._columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        self._numbers: dict[str, int] = {}  # key -> row
        self._files: list[str] = []  # per row, where its image was met first
        self._places: list[int] = []
        self._records: dict[int, str] = {}  # row -> what the ledger calls it, if unusual
        self._wheres: dict[int, str] = {}  # row -> its place in the file, if unusual

    def __len__(self) -> int:
        return len(self._places)

    @property
    def following(self) -> int:
        """The number of the next item."""
        return self.first + len(self)

    @property
    def keys(self) -> list[str]:
        """The key of each item, in order."""
        return self._columns["key"]

    def sizes(self) -> NDArray[np.float64]:
        """Return (width, height) of each item, shape (n, 2), NaN where not known."""
        sides = [self._columns["width"], self._columns["height"]]
        return np.array(sides, np.float64).T.reshape(-1, 2)

    def frames(self) -> NDArray[np.float64]:
        """Return the number of each item in its video, as COCO's videos say it; NaN: not said."""
        metas = self._metas()
        found = [meta.get("frame_id", meta.get("frame_index")) for meta in metas]
        return np.array([f if type(f) is int and 0 <= f < 2**53 else np.nan for f in found])

    def frame_numbers(self) -> Ids:
        """Return the number of each item that is a frame, by the id of its video and its own."""
        return {
            frame_name(meta["video_id"], meta["frame_id"]): self.first + row
            for row, meta in enumerate(self._metas())
            if "video_id" in meta and "frame_id" in meta
        }

    def _metas(self) -> list[dict[str, Any]]:
        return [loads(meta) if meta else {} for meta in self._columns["meta"]]

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
        is_first = not len(self)
        step = _CHUNK if limit is None else min(max(limit, 100), _CHUNK)
        for start in range(0, len(raws), step):
            chunk = raws[start : start + step]
            self._ledger.read(len(chunk))
            if limit is not None or not self._many(
                document, chunk, start, part, folders, ids, mine
            ):
                known = None if limit is None or is_first else {k.encode() for k in self.keys}
                for at, image in enumerate(_decode(document, chunk), start):
                    if known is None or _may_be(image, known):
                        where = document.image_place_of and document.image_place_of(at)
                        self._one(image, at, part, folders, ids, mine, limit, where)
            progress.advance(len(chunk))
            # A file after the first may name the same images anywhere in its list.
            if limit is not None and is_first and len(self) >= limit:
                break
        return ids

    # -- many at once, where nothing is unusual ---------------------------------------

    def _many(
        self, document: Document, chunk: list[Raw], start: int, part: Part,
        folders: Sequence[str], ids: Ids, mine: set[str],
    ) -> bool:  # fmt: skip
        # False, and nothing done, where one of them has to be looked at by itself.
        columns = _columns_of(document, chunk)
        if columns is None:
            return False
        numbers, keys = columns["id"], columns["file_name"]
        sides = [columns.get(n) or [None] * len(keys) for n in ("width", "height")]
        text = "\n".join(keys)
        if (
            text.count("\n") >= len(keys)
            or _UNUSUAL.search(text)
            or any(s[0] is not None and (min(s) <= 0 or max(s) > MAX_SIDE) for s in sides)
            or len(set(keys)) < len(keys)
            or len(set(numbers)) < len(numbers)
            or not ids.keys().isdisjoint(numbers)
            or not mine.isdisjoint(keys)
        ):
            return False
        metas = _metas(columns, len(keys))
        rows: Iterable[int]
        if self._numbers.keys().isdisjoint(keys):
            rows = range(len(self), len(self) + len(keys))
            self._append(keys, numbers, sides, metas, columns.get("coco_url"), start, part, folders)
        else:
            found = [self._numbers.get(key) for key in keys]
            if None in found or not self._are(found, sides, metas):
                return False
            rows = [row for row in found if row is not None]
            self._ledger.joined(len(keys))
        mine.update(keys)
        ids.update(zip(numbers, [self.first + row for row in rows], strict=True))
        return True

    def _are(self, rows: list[Any], sides: list[list[Any]], metas: list[str | None]) -> bool:
        # Do these rows hold just that already?
        told = (("width", sides[0]), ("height", sides[1]), ("meta", metas))
        return all([self._columns[n][row] for row in rows] == values for n, values in told)

    def _append(
        self, keys: list[str], numbers: list[int], sides: list[list[Any]],
        metas: list[str | None], urls: list[Raw] | None, start: int, part: Part,
        folders: Sequence[str],
    ) -> None:  # fmt: skip
        media: list[str | None] = [None] * len(keys)
        if self._index is not None:
            for i, (key, number) in enumerate(zip(keys, numbers, strict=True)):
                say = Line(self._ledger, part.path, f"$.images[{start + i}]", f"image id {number}")
                media[i] = self._find(Named(key, key, ""), folders, say)
        uris: list[str | None] = [None] * len(keys)
        if urls is not None and None in media:
            uris = [
                url if path is None and url is not None and is_url(url) else None
                for url, path in zip(texts_of(urls), media, strict=True)
            ]
        row = len(self)
        self._numbers.update(zip(keys, range(row, row + len(keys)), strict=True))
        self._files += [part.path] * len(keys)
        self._places += range(start, start + len(keys))
        values: list[list[Any]] = [keys, media, uris, *sides, list(map(str, numbers)), metas]
        for name, column in zip(_COLUMNS, values, strict=True):
            self._columns[name] += column

    # -- one by one -------------------------------------------------------------------

    def _one(
        self, image: Any, at: int, part: Part, folders: Sequence[str], ids: Ids, mine: set[str],
        limit: int | None, where: str | None,
    ) -> None:  # fmt: skip
        say = Line(self._ledger, part.path, where or f"$.images[{at}]", f"images[{at}]")
        if not isinstance(image, dict):
            say.reject("the image is not an object", "an entry of images is not an object")
            return
        key = id_of(image.pop("id", None))
        given = text_of(image.get("file_name"))
        if key is not None:
            say.record = f"image id {key}" + (f" (images[{at}])" if key in ids else "")
        name = named(image, given, key, part.path, self._source.name, say)
        row = self._numbers.get(name.key)
        if row is not None and (
            name.key not in mine or (key is not None and ids.get(key) == self.first + row)
        ):
            mine.add(name.key)
            if key is not None:
                ids.setdefault(key, self.first + row)
            self._join(row, image, say)
            return
        if limit is not None and len(self) >= limit:
            return
        if row is not None:
            name = self._second(name, row, key, say)
        mine.add(name.key)
        number = self.first + self._add(name, given, image, key, at, part, folders, say)
        if key is None:
            say.warn("the image has no id", "so no annotation can be on it", name.key)
        elif key in ids:
            text = f"it is the id of {self.keys[ids[key] - self.first]} too, which gets the "
            say.warn("an image id comes twice", text + "annotations", name.key)
        else:
            ids[key] = number

    def _second(self, name: Named, row: int, key: int | str | None, say: Line) -> Named:
        stem, dot, end = name.key.rpartition(".")
        count, fresh = 2, name.key
        while fresh in self._numbers:
            fresh = f"{stem} ({count}).{end}" if dot and stem else f"{name.key} ({count})"
            count += 1
        first = self._columns["source_id"][row]
        text = f"images {first} and {key} both name {name.key}; the second is the item {fresh!r}"
        say.warn("two images have one file name", text, fresh)
        return name._replace(key=fresh)

    def _join(self, row: int, image: dict[str, Raw], say: Line) -> None:
        # The same image once more: it says nothing new, or its other keys are added.
        columns = self._columns
        for name in ("width", "height"):
            value, known = side(image.pop(name, None)), columns[name][row]
            if known is None:
                columns[name][row] = value
            elif value and value != known:
                text = f"its {name} is {value} here and {known} in another record"
                say.warn("an image has two sizes", text, self.keys[row])
        self._ledger.joined()
        image.pop("file_name", None)
        other, known = meta_of(image), columns["meta"][row]
        if other is not None and other != known:
            columns["meta"][row] = plain_json({**loads(other), **loads(known or "{}")})

    def _add(
        self, name: Named, given: str | None, image: dict[str, Raw], key: int | str | None,
        at: int, part: Part, folders: Sequence[str], say: Line,
    ) -> int:  # fmt: skip
        sides = []
        for what in ("width", "height"):
            raw = bytes(image.pop(what, Raw(b"null")))
            sides.append(side(Raw(raw)))
            if sides[-1] is None and raw != b"null":
                text = f"its {what} is {raw[:40].decode('utf-8', 'replace')}; left out"
                say.warn("the image's size is no size", text, name.key)
        image.pop("file_name", None)
        media = self._find(name, folders, say) if self._index else None
        url = name.url or (text_of(image.get("coco_url")) if media is None else None)
        if given is not None and given != name.key:
            image = {"file_name": Raw(json.dumps(given).encode()), **image}
        row = len(self)
        if not say.where.startswith("$.images["):
            self._wheres[row] = say.where
        self._numbers[name.key] = row
        self._files.append(part.path)
        self._places.append(at)
        if say.record != f"image id {key}":
            self._records[row] = say.record
        values = (
            name.key, media, url if url and is_url(url) else None, *sides,
            None if key is None else str(key), meta_of(image),
        )  # fmt: skip
        for column, value in zip(_COLUMNS, values, strict=True):
            self._columns[column].append(value)
        return row

    def _find(self, name: Named, folders: Sequence[str], say: Line) -> str | None:
        assert self._index is not None
        found = self._index.find(name.path, folders, tails=True)
        if found.problem in _PROBLEMS:
            text = f"{name.path} is " + (found.path or "the end of several files' names")
            say.warn(_PROBLEMS[found.problem], text, name.key)
        return found.path

    # -- the result -------------------------------------------------------------------

    def finish(self) -> pa.Table:
        """Return the items, and say which have no media file in the source."""
        count = len(self)
        missing = [path is None for path in self._columns["media"]]
        if count and all(missing):
            text = (
                f"none of the {count:,} images of subset {self._subset or 'default'} is in "
                f"{self._source.name}; their annotations are read all the same"
            )
            self._ledger.note("no image file is in the source", file=self._files[0], message=text)
        elif any(missing):
            rows = list(compress(range(count), missing))
            self._ledger.warn(
                "the image file is missing",
                file=[self._files[row] for row in rows],
                where=[self._wheres.get(row, f"$.images[{self._places[row]}]") for row in rows],
                record=[self._record(row) for row in rows],
                item=[self.keys[row] for row in rows],
                message=[f"{self.keys[row]} is not in {self._source.name}" for row in rows],
            )
        columns: dict[str, Any] = dict(self._columns)
        columns["item"] = np.arange(self.first, self.first + count)
        columns["kind"] = pa.repeat("image", count)
        columns["subset"] = pa.repeat(pa.scalar(self._subset, pa.string()), count)
        return table(columns, ITEMS)

    def _record(self, row: int) -> str:
        return self._records.get(row) or f"image id {self._columns['source_id'][row]}"


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


def _may_be(image: Any, keys: set[bytes]) -> bool:
    # Could its file name be one of these keys? Names that can be written in several ways could.
    if not isinstance(image, dict):
        return True
    name = bytes(image.get("file_name", b""))[1:-1]
    return name in keys or not name.isascii() or _MAY_DIFFER.search(name) is not None


def _columns_of(document: Document, raws: list[Raw]) -> dict[str, list[Any]] | None:
    # The values of each key, where all images have the same keys and values of the usual types.
    try:
        names = tuple(msgspec.json.decode(raws[0], type=dict[str, Raw]))
        if "id" not in names or "file_name" not in names:
            return None
        rows = msgspec.json.decode(document.text(raws), type=_rows_of(names))
    except (ValueError, TypeError):
        return None
    columns = zip(*map(attrgetter(*(f"f{i}" for i in range(len(names)))), rows), strict=True)
    return {name: list(values) for name, values in zip(names, columns, strict=True)}


@lru_cache(maxsize=64)
def _rows_of(names: tuple[str, ...]) -> Any:
    types = [_TYPES.get(name, Raw) for name in names]
    fields = [(f"f{i}", kind) for i, kind in enumerate(types)]
    rename = {f"f{i}": name for i, name in enumerate(names)}
    row = msgspec.defstruct("_Image", fields, rename=rename, forbid_unknown_fields=True, gc=False)
    return list[row]  # type: ignore[valid-type]


def _metas(raws: dict[str, list[Raw]], count: int) -> list[str | None]:
    # What no column holds, as text of JSON objects, values as they were written.
    names = [n for n in raws if n not in _OWN]
    if not names:
        return [None] * count
    pairs = [quoted(n).encode().replace(b"%", b"%%") + b":%b" for n in names]
    whole = b"{" + b",".join(pairs) + b"}"
    columns = [raws[n] for n in names]
    return [(whole % row).decode("utf-8", "replace") for row in zip(*columns, strict=True)]
