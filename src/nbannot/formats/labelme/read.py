"""Reading LabelMe JSON: one file is one image."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import BrokenFileError, NbannotError, SourceError
from ...ledger import Ledger
from ...media.images import probe_image
from ...media.kinds import IMAGE_SUFFIXES, suffix
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..json_documents import document, whole
from ..json_shapes import Row, Unusable, doubts
from ..json_values import dumps
from ..look import Head
from ..media_index import as_path
from ..reading import Reading
from .places import Place, beside, place_of, wrapper_of
from .shapes import row_of

__all__ = ["LabelMeReader", "is_labelme"]

_CHUNK_FILES, _CHUNK_BYTES = 512, 1 << 26
_TOP = frozenset(
    ("version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth",
     "description", "nbannot")
)  # fmt: skip
_INSTANCE = re.compile(r"(.*\S)-(\d{1,9})")
_SUFFIXES = frozenset(IMAGE_SUFFIXES)


def is_labelme(head: Head) -> bool:
    """Say whether the head of a file is LabelMe's; an embedded image may come first in it."""
    if head.json_start != "{":
        return False
    keys = head.json_keys
    if "shapes" in keys:
        shape = {"shape_type", "line_color", "fill_color", "group_id"}
        return "imagePath" in keys or (bool(shape & keys) and {"label", "points"} <= keys)
    return "imageData" in keys and bool(keys & {"imagePath", "imageHeight", "version", "lineColor"})


class LabelMeReader:
    """One read of a dataset; see `LabelMe`."""

    def __init__(
        self, source: Source, instances: bool, ledger: Ledger, progress: Progress, limit: int | None
    ) -> None:
        self._reading = Reading(source, ledger, progress, limit)
        self._source, self._ledger, self._instances = source, ledger, instances
        self._folders: set[str] = set()
        self._wrapper = ""

    def read(self) -> Iterator[Batch]:
        """Yield the dataset: the annotated images, then those beside them that are not."""
        reading, main = self._reading, self._source.main
        paths = [main] if main is not None else self._source.files.with_suffix(".json")
        self._wrapper = wrapper_of(paths) if main is None and paths else ""
        if main is None:
            self._declare_labels()
        good = 0
        broken: BrokenFileError | None = None
        for path, data in self._files(paths):
            try:
                value = document(self._utf8(data, path), path, self._ledger)
            except BrokenFileError as error:
                broken = broken or error
                reading.reject("the file is not JSON", file=path, record="file", message=str(error))
                continue
            good += self._file(path, value)
            yield from reading.batches()
            if reading.is_full:
                break
        if paths and not good:
            raise broken or BrokenFileError(
                "There is no file of LabelMe's: none has shapes", where=paths[0],
                hint="Choose another format.",
            )  # fmt: skip
        self._leftover()
        yield from reading.rest()

    def _files(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        # Files may hold whole images: they are read some at a time, by their size.
        progress, source = self._reading.progress, self._source
        progress.start("Reading", len(paths), "files")
        most = _CHUNK_FILES if self._reading.limit is None else max(1, self._reading.limit)
        start = 0
        while start < len(paths):
            end, size = start, 0
            while end < len(paths) and end - start < most and (size < _CHUNK_BYTES or end == start):
                size += source.size(paths[end]) or 1 << 16
                end += 1
            yield from self._read(paths[start:end])
            start = end

    def _read(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        try:
            some = dict(self._source.read_many(paths))
        except SourceError:  # which of them is to be found out one by one
            some = {}
        for path in paths:
            try:
                yield path, some.pop(path) if path in some else self._source.read(path)
            except SourceError as error:
                self._reading.reject(
                    "the file can't be read", file=path, record="file", message=str(error)
                )
            self._reading.progress.advance()

    def _utf8(self, data: bytes, path: str) -> bytes:
        # Chinese Windows wrote its own encoding.
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return data
        try:
            data.decode()
        except UnicodeDecodeError:
            try:
                text = data.decode("gb18030")
            except UnicodeDecodeError:
                return data
            self._ledger.note(
                "file is not UTF-8", file=path, message=f"{path} is read as GB18030 (GBK)"
            )
            return text.encode()
        return data

    def _declare_labels(self) -> None:
        name = f"{self._wrapper}/labels.txt" if self._wrapper else "labels.txt"
        if name not in self._source.files:
            return
        try:
            text = self._source.read(name, 1 << 20).decode("utf-8-sig", "replace")
        except SourceError:
            return
        for line in text.splitlines():
            if line.strip() and line.strip() not in ("__ignore__", "_background_"):
                self._reading.label(line.strip())

    def _leftover(self) -> None:
        reading = self._reading
        if self._source.main is not None:
            return
        for path in self._source.files.with_suffix(*IMAGE_SUFFIXES):
            if reading.is_full:
                return
            if path.rpartition("/")[0] in self._folders and path not in reading.used_media:
                place = place_of(path, self._wrapper)
                if reading.number(place.key, place.subset) is None:
                    reading.item(place.key, subset=place.subset, media=path)

    # -- one file ---------------------------------------------------------------------

    def _file(self, path: str, value: Any) -> bool:
        """Read the value of a file; was it LabelMe's?"""
        own = isinstance(value, dict) and {"imagePath", "imageData", "imageHeight"} & value.keys()
        if not isinstance(value, dict) or ("shapes" not in value and not own):
            if self._source.main is None:
                text = f"{path} is no file of LabelMe's: it has no shapes"
                self._ledger.note("not a LabelMe file", file=path, message=text)
            return False
        shapes = value.get("shapes")
        if not isinstance(shapes, list):
            self._reading.reject(
                "file without shapes", file=path, record="file",
                message=f"shapes of {path} is {shapes!r:.80}, not a list",
            )  # fmt: skip
            return True
        _File(self._reading, path, value, self._wrapper, self._folders, self._instances).read()
        return True


class _File:
    """One file: its image, its flags, its shapes."""

    def __init__(
        self, reading: Reading, path: str, value: Mapping[str, Any], wrapper: str,
        folders: set[str], instances: bool,
    ) -> None:  # fmt: skip
        self._reading, self._path, self._value = reading, path, value
        self._wrapper, self._folders, self._instances = wrapper, folders, instances
        self._warnings: list[tuple[str, str]] = []
        self._key = ""

    def read(self) -> None:
        """Add the item and its annotations."""
        reading, value = self._reading, self._value
        media, place = self._image()
        if reading.number(place.key, place.subset) is not None:
            text = f"{self._path} and another file are about {place.key}"
            self._warnings.append(("two files for one image", text))
            place = self._free(place, media)
        self._key = place.key
        size = self._size(media)
        number = reading.item(
            place.key, subset=place.subset, media=media, width=size[0], height=size[1],
            meta=self._meta(),
        )  # fmt: skip
        for reason, text in self._warnings:
            self._say("item", "", reason, text)
        if media is not None:
            self._folders.add(media.rpartition("/")[0])
        self._flags(number)
        caption = value.get("description")
        if isinstance(caption, str) and caption:
            reading.annotation(number, type="text", text=caption)
        self._shapes(number, size)

    # -- the image --------------------------------------------------------------------

    def _image(self) -> tuple[str | None, Place]:
        reading, path, given = self._reading, self._path, self._value.get("imagePath")
        folder = path.rpartition("/")[0]
        self._folders.add(folder)
        stem = path[: -len(suffix(path))] if suffix(path) else path
        named: str = beside(path, given) if isinstance(given, str) and as_path(given) else ""
        files = reading.source.files
        own = [stem + end for end in _SUFFIXES] + [stem + end.upper() for end in _SUFFIXES]
        if named in files and (named in own or named == stem):
            media: str | None = named
        else:
            mine = sorted(p for p in own if p in files)
            media = mine[0] if len(mine) == 1 else None
            if media is not None and named and suffix(named) in _SUFFIXES:
                text = f"imagePath is {given!r:.80}, but {media} has the name of the file"
                self._warnings.append(("imagePath names another image", text))
            elif media is None and named:
                media = named if named in files else self._search(named, stem)
        place = place_of(media or named or f"{stem}.jpg", self._wrapper)
        place = self._as_told(place)
        if media is None:
            if reading.has_images:
                text = f"{place.key}: there is no image {given!r:.80}"
                self._warnings.append(("image file missing", text))
            if isinstance(self._value.get("imageData"), str):
                text = f"{place.key}: its image is only in the JSON file, as imageData: not kept"
                self._warnings.append(("image is only in the file", text))
        return media, place

    def _search(self, named: str, stem: str) -> str | None:
        # Images kept apart from the files: by the end of the path, never of another subset.
        base = named.rpartition("/")[2]
        subset = place_of(stem, self._wrapper).subset
        for found in (
            self._reading.find(named).path,
            self._reading.find(base).path,
            self._reading.find(stem.rpartition("/")[2], stem=True).path,
        ):
            if found is not None and suffix(found) in _SUFFIXES:
                other = place_of(found, self._wrapper).subset
                if other is None or subset is None or other == subset:
                    return found
        return None

    def _as_told(self, place: Place) -> Place:
        # What our writer says where the path alone would tell something else.
        told = self._value.get("nbannot")
        if not isinstance(told, dict) or not isinstance(told.get("key"), str) or not told["key"]:
            return place
        subset = told.get("subset")
        return Place(subset if isinstance(subset, str) else None, told["key"])

    def _free(self, place: Place, media: str | None) -> Place:
        own = place_of(self._path, self._wrapper)
        end = (media or "")[len(media or "") - len(suffix(media or "")) :]
        key = own.key[: -len(suffix(own.key))] + end
        taken = self._reading.number(key, own.subset) is not None
        return Place(own.subset, own.key if taken else key)

    def _size(self, media: str | None) -> tuple[int | None, int | None]:
        value = self._value
        width, height = whole(value.get("imageWidth"), 1), whole(value.get("imageHeight"), 1)
        if width and height:
            return width, height
        data = value.get("imageData")
        if isinstance(data, str) and data:
            try:
                info = probe_image(base64.b64decode(data), "imageData")
            except (binascii.Error, ValueError, NbannotError):
                self._warnings.append(("imageData is no image", "its size is not known from it"))
            else:
                return info.width, info.height
        return self._reading.size(media) or (None, None)

    def _meta(self) -> str | None:
        value = self._value
        kept: dict[str, Any] = {}
        if isinstance(value.get("version"), str):
            kept["version"] = value["version"]
        flags = value.get("flags")
        if isinstance(flags, dict) and not all(v is True for v in flags.values()):
            kept["flags"] = [str(k) for k in flags]
        other = {k: v for k, v in value.items() if k not in _TOP and v not in (None, "", [], {})}
        if other:
            kept["other"] = other
        return dumps({"labelme": kept}) if kept else None

    def _flags(self, number: int) -> None:
        flags = self._value.get("flags")
        if flags is not None and not isinstance(flags, dict):
            self._say("item", "flags", "flags are not an object", f"flags are {flags!r:.80}")
            return
        for name, told in (flags or {}).items():
            where = f"flags[{name!r}]"
            if told is True:
                self._reading.annotation(number, type="tag", label=name)
            elif told is not False and told is not None:
                self._reading.reject(
                    "flag is neither true nor false", file=self._path, where=where, record=where,
                    item=self._key, message=f"{where} is {told!r:.80}",
                )  # fmt: skip

    # -- shapes -----------------------------------------------------------------------

    def _shapes(self, number: int, size: tuple[int | None, int | None]) -> None:
        rows: list[Row] = []
        same: dict[str, Row] = {}
        for n, shape in enumerate(self._value["shapes"]):
            where = f"shapes[{n}]"
            warnings: list[tuple[str, str]] = []
            try:
                row = row_of(shape, size, warnings)
            except Unusable as why:
                self._reading.reject(
                    why.reason, file=self._path, where=where, record=where, item=self._key,
                    message=f"{where}: {why.text}",
                )  # fmt: skip
                continue
            self._instance(row)
            for reason, text in (*warnings, *doubts(row, *size)):
                if reason != "box has no area":  # LabelMe means it so
                    self._say(where, where, reason, f"{where}: {text}")
            object_of = _object_of(shape, row)
            whole_row = same.get(object_of) if object_of else None
            if whole_row is not None:
                _join(whole_row, row)
                self._reading.ledger.read()
                self._reading.ledger.joined()
            else:
                rows.append(row)
                if object_of:
                    same[object_of] = row
            if shape.get("ungrouped") is True:
                row.pop("group", None)
        for row in rows:
            self._reading.annotation(number, **row)

    def _instance(self, row: Row) -> None:
        # "person-1", as LabelMe 3 had it before groups.
        match = _INSTANCE.fullmatch(row.get("label", "")) if self._instances else None
        if match is not None and "group" not in row:
            row["label"], row["group"] = match[1], int(match[2])

    def _say(self, record: str, where: str, reason: str, text: str) -> None:
        self._reading.warn(
            reason, file=self._path, where=where, record=record, item=self._key, message=text
        )


def _object_of(shape: Mapping[str, Any], row: Row) -> str:
    # Polygons of one label and group are one object, if they say nothing different; "" for others.
    if row["type"] != "polygon" or "group" not in row:
        return ""
    geometry = {"points", "rings", "x", "y", "w", "h"}
    return dumps([{k: v for k, v in row.items() if k not in geometry}, shape.get("object")])


def _join(row: Row, part: Row) -> None:
    if not row.get("rings"):
        row["rings"] = [len(row["points"]) // 2]
    row["rings"] = [*row["rings"], len(part["points"]) // 2]
    row["points"] = [*row["points"], *part["points"]]
    xs, ys = row["points"][::2], row["points"][1::2]
    row.update(x=min(xs), y=min(ys), w=max(xs) - min(xs), h=max(ys) - min(ys))
