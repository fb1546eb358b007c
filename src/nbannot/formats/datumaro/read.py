"""Reading Datumaro JSON: items of a subset, their media, their annotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Raw

from ...errors import BrokenFileError
from ...ledger import Ledger
from ...media.kinds import IMAGE_SUFFIXES, kind_of, suffix
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..json_documents import whole
from ..json_values import dumps, loads, values_of
from ..look import HEAD_BYTES, Head
from ..media_index import as_path
from ..reading import Reading
from .annotations import AnnotationReader, Place
from .labels import Labels

__all__ = ["DatumaroReader", "is_datumaro", "key_of"]

FOLDERS = {"image": "images", "video": "videos", "other": "point_clouds"}
"""Folder of each kind of media, beside ``annotations``; any other is ``media``."""

_KIND_OF_MEDIA_TYPE = {1: "other", 5: "video", 6: "other"}
_HINT = "Export or download it again."


class _Document(msgspec.Struct):
    items: list[Raw]
    categories: dict[str, Any]
    infos: Any = None
    info: Any = None
    media_type: Any = None


class _Brief(msgspec.Struct):
    # What tells where an item belongs; annotations are skipped over.
    id: Any = None
    image: Any = None
    media: Any = None
    point_cloud: Any = None
    video: Any = None
    video_frame: Any = None


_DOCUMENT = msgspec.json.Decoder(_Document)
_BRIEF = msgspec.json.Decoder(_Brief)


def is_datumaro(head: Head) -> bool:
    """Say whether the head of a file is Datumaro's: items, and categories that are an object."""
    text = head.text
    start = text.find('"categories"')
    if head.json_start != "{" or start < 0:
        return False
    after = text[start + len('"categories"') :].lstrip(" \t\r\n:")
    keys = head.json_keys
    return after[:1] == "{" and ("items" in keys or {"label", "labels"} <= keys)


def key_of(name: str, path: str) -> str:
    """Return the key of an item called `name`, whose media is at `path`.

    >>> key_of("a/1", "a_1.png"), key_of("1.png", "1.png")
    ('a/1.png', '1.png')
    """
    end = path[len(path) - len(suffix(path)) :]
    return name if f"/{path}".endswith(f"/{name}") else name + end


@dataclass(slots=True)
class _Entry:
    """One item to be: its key, its media as named, and the places of its records in the file."""

    key: str
    kind: str
    path: str | None = None
    frames: list[int | None] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


class DatumaroReader:
    """One read of a dataset; see `DatumaroJson`."""

    def __init__(
        self, source: Source, ledger: Ledger, progress: Progress, limit: int | None
    ) -> None:
        self._reading = Reading(source, ledger, progress, limit)
        self._source = source
        self._folder = self._root = ""
        self._subsets: list[str] = []

    def read(self) -> Iterator[Batch]:
        """Yield the dataset."""
        reading = self._reading
        paths = self._files()
        self._subsets = [_stem(p) for p in paths]
        for path, data in reading.files(paths):
            file = _File(reading, path, data, self._root, self._subsets)
            yield from file.read()
            if reading.is_full:
                break
        else:
            self._note_unnamed()
        yield from reading.rest()

    def _note_unnamed(self) -> None:
        source, used = self._source, self._reading.used_media
        folder = f"{self._root}/images/" if self._root else "images/"
        images = source.files.with_suffix(*IMAGE_SUFFIXES) if source.main is None else []
        unnamed = [p for p in images if p.startswith(folder) and p not in used]
        if unnamed:
            text = f"{len(unnamed):,} images are of no item and are not read: {unnamed[0]}"
            more = " and others" if len(unnamed) > 1 else ""
            self._reading.ledger.note("images of no item", message=text + more)

    def _files(self) -> list[str]:
        source, ledger = self._source, self._reading.ledger
        if source.main is not None:
            mine = [source.main]
        else:
            every = source.files.with_suffix(".json")
            mine = [p for p in every if is_datumaro(Head(source.read(p, HEAD_BYTES)))] or every
        if not mine:
            raise BrokenFileError("There is no JSON file", hint="Choose another format.")
        folders = {p.rpartition("/")[0]: None for p in mine}
        folder = min(folders, key=lambda f: (f.count("/"), bool(f), f))
        for path in mine:
            if path.rpartition("/")[0] != folder:
                ledger.note(
                    "another dataset", file=path,
                    message=f"{path} lies in another folder than {folder}; import it by itself",
                )  # fmt: skip
        parent, _, name = folder.rpartition("/")
        self._root = parent if name.lower() == "annotations" else folder
        return [p for p in mine if p.rpartition("/")[0] == folder]


class _File:
    """The annotation file of one subset."""

    def __init__(
        self, reading: Reading, path: str, data: bytes, root: str, subsets: Sequence[str]
    ) -> None:
        self.reading, self.path, self.subset = reading, path, _stem(path)
        self._prefix = f"{root}/" if root else ""
        self._others = [s for s in subsets if s != self.subset]
        document = self._parse(data)
        self._items: list[Any] = document.items
        self._media_type = document.media_type
        for name in ("infos", "info"):
            if getattr(document, name):
                text = f"{name} of {path}: {dumps(getattr(document, name)):.200}"
                reading.ledger.note("no place for what is said of the dataset", file=path,
                                    message=text)  # fmt: skip
        self.labels = Labels(
            document.categories,
            lambda reason, text: reading.ledger.note(reason, file=path, message=text),
        )
        for label in self.labels.declared:
            if label.name not in reading.labels:
                reading.labels[label.name] = label

    def _parse(self, data: bytes) -> _Document:
        raws = values_of(data, self.path, self.reading.ledger)
        if len(raws) != 1:
            raise BrokenFileError("The file is not one JSON object", where=self.path, hint=_HINT)
        try:
            return _DOCUMENT.decode(raws[0])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        try:
            value, problem = loads(raws[0])
        except ValueError as error:
            raise BrokenFileError(
                f"The file is not JSON: {error}", where=self.path, hint=_HINT
            ) from None
        if problem:
            self.reading.ledger.note("file is not strict JSON", file=self.path, message=problem)
        if not isinstance(value, dict) or not isinstance(value.get("items"), list):
            raise BrokenFileError("It has no list of items", where=self.path, hint=_HINT)
        categories = value.get("categories")
        if not isinstance(categories, dict):
            raise BrokenFileError("It has no categories", where=self.path, hint=_HINT)
        known = {n: value.get(n) for n in ("infos", "info", "media_type")}
        return _Document(value["items"], categories, **known)

    # -- items ------------------------------------------------------------------------

    def read(self) -> Iterator[Batch]:
        """Yield the items of the file."""
        for entry in self._entries():
            self._item(entry)
            yield from self.reading.batches()
            if self.reading.is_full:
                return

    def _entries(self) -> list[_Entry]:
        # Frames of one video, and items of one id, are one item, wherever they are in the file.
        entries: dict[str, _Entry] = {}
        for place, raw in enumerate(self._items):
            brief = _brief(raw)
            if brief is None:
                self._reject(place, "item is not an object", f"it is {_short(raw)}")
                continue
            entry = self._entry(brief)
            if entry is None:
                self._reject_all(place)
                continue
            known = entries.setdefault(entry.key, entry)
            known.places.append(place)
            known.frames.append(entry.frames[0])
        for entry in entries.values():
            entry.frames = entry.frames[-len(entry.places) :]
        return list(entries.values())

    def _entry(self, brief: _Brief) -> _Entry | None:
        name = str(brief.id) if isinstance(brief.id, (str, int)) else ""
        frame = brief.video_frame
        if isinstance(frame, dict) and isinstance(frame.get("video_path"), str):
            path = _relative(frame["video_path"])
            return _Entry(path, "video", path, [whole(frame.get("frame_index"))])
        if isinstance(brief.video, dict) and isinstance(brief.video.get("path"), str):
            path = _relative(brief.video["path"])
            return _Entry(path, "video", path, [None])
        for kind, value in (
            ("image", brief.image), ("other", brief.point_cloud), ("", brief.media),
        ):  # fmt: skip
            if not isinstance(value, dict):
                continue
            given = value.get("path")
            if not isinstance(given, str) or not given:
                if kind != "image" or not name:
                    continue
                given = f"{name}.jpg"
            path = as_path(given)
            name = name or path[: len(path) - len(suffix(path))]
            return _Entry(key_of(name, path), kind or kind_of(path), path, [None])
        if not name:
            return None
        kind = _KIND_OF_MEDIA_TYPE.get(whole(self._media_type) or 0, "image")
        return _Entry(name, kind, None, [None])

    def _item(self, entry: _Entry) -> None:
        records = [self._record(place) for place in entry.places]
        first = records[0]
        size: tuple[int | None, int | None] = (None, None)
        image = first.get("image")
        if isinstance(image, dict) and isinstance(image.get("size"), list):
            height, width = ([*(whole(v, 1) for v in image["size"]), None, None])[:2]
            size = (width, height) if width and height else size
        media = self._media(entry)
        number = self.reading.item(
            entry.key, subset=self.subset, kind=entry.kind, media=media,
            width=size[0], height=size[1], source_id=_text(first.get("id")),
            meta=self._meta(entry, records),
        )  # fmt: skip
        if media is None and entry.path is not None and self._has_media(entry.kind):
            self._say(
                "warn", "item", entry, f"{entry.kind} file missing",
                f"{entry.key}: there is no file {entry.path}",
            )  # fmt: skip
        for n, (place, record) in enumerate(zip(entry.places, records, strict=True)):
            if n:
                self.reading.ledger.read()
                self.reading.ledger.joined()
                if entry.kind != "video":
                    text = f"{entry.key}: items[{entry.places[0]}] and items[{place}] are one item"
                    self._say("warn", "item", entry, "item occurs twice", text)
            at = Place(number, entry.key, size, entry.frames[n], self.path, f"items[{place}]")
            AnnotationReader(self.reading, self.labels, at, record).read()

    def _record(self, place: int) -> dict[str, Any]:
        raw = self._items[place]
        if not isinstance(raw, Raw):
            return raw
        try:
            value, problem = loads(raw)
        except ValueError:  # nested too deeply: only what was asked for is known
            value, problem = msgspec.to_builtins(_BRIEF.decode(raw)), "it is nested too deeply"
        if problem:
            self.reading.ledger.note(
                "file is not strict JSON", file=self.path, where=f"items[{place}]",
                message=f"items[{place}] holds {problem}",
            )  # fmt: skip
        return value

    def _media(self, entry: _Entry) -> str | None:
        if entry.path is None:
            return None
        base = f"{self._prefix}{FOLDERS.get(entry.kind, 'media')}"
        for name in dict.fromkeys((entry.path, entry.key, _relative(entry.path))):
            found = self.reading.find(name, near=[f"{base}/{self.subset}", base]).path
            # Not the image of this name in another subset.
            if found and not any(found.startswith(f"{base}/{s}/") for s in self._others):
                return found
        return None

    def _has_media(self, kind: str) -> bool:
        if kind == "image":
            return self.reading.has_images
        files = self._source_files()
        return any(p.startswith(f"{self._prefix}{FOLDERS.get(kind, 'media')}/") for p in files)

    def _source_files(self) -> Sequence[str]:
        source = self.reading.source
        return source.files if source.main is None else ()

    def _meta(self, entry: _Entry, records: Sequence[Mapping[str, Any]]) -> str | None:
        kept: dict[str, Any] = {}
        frames: dict[str, Any] = {}
        for frame, record in zip(entry.frames, records, strict=True):
            known = ("id", "annotations", "image", "media", "attr", "video_frame")
            mine = {k: v for k, v in record.items() if k not in known and v not in (None, {}, [])}
            if isinstance(record.get("attr"), dict) and record["attr"]:
                mine["attr"] = record["attr"]
            if frame is not None:
                frames[str(frame)] = {"id": _text(record.get("id")), **mine}
            else:
                kept = {**mine, **kept}
        for name in ("point_cloud", "video"):
            if isinstance(kept.get(name), dict):
                kept[name] = {k: v for k, v in kept[name].items() if k != "path"}
        if frames:
            kept["frames"] = frames
        return dumps({"datumaro": kept}) if kept else None

    # -- the ledger -------------------------------------------------------------------

    def _reject(self, place: int, reason: str, text: str) -> None:
        where = f"items[{place}]"
        self.reading.reject(
            reason, file=self.path, where=where, record=where, message=f"{where}: {text}"
        )

    def _reject_all(self, place: int) -> None:
        # Without an id an item has no key; its annotations are on nothing.
        self._reject(place, "item without id", "it has neither an id nor a path")
        annotations = self._record(place).get("annotations")
        for n, _ in enumerate(annotations if isinstance(annotations, list) else ()):
            where = f"items[{place}].annotations[{n}]"
            self.reading.reject(
                "item without id", file=self.path, where=where, record=where,
                message=f"{where}: its item has neither an id nor a path",
            )  # fmt: skip

    def _say(self, how: str, record: str, entry: _Entry, reason: str, text: str) -> None:
        getattr(self.reading, how)(
            reason, file=self.path, where=f"items[{entry.places[0]}]", record=record,
            item=entry.key, message=text,
        )  # fmt: skip


def _brief(raw: Any) -> _Brief | None:
    if isinstance(raw, Raw):
        try:
            return _BRIEF.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass
        try:
            raw, _ = loads(raw)
        except ValueError:
            return None
    if not isinstance(raw, dict):
        return None
    return _Brief(**{n: raw.get(n) for n in _Brief.__struct_fields__})


def _relative(path: str) -> str:
    # A path of another machine says nothing but its last part.
    path = as_path(path)
    if path.startswith("/") or path[1:2] == ":" or ".." in path.split("/"):
        return path.rpartition("/")[2]
    return path


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, (str, int)) else None


def _short(value: Any) -> str:
    return f"{bytes(value)[:60]!r}" if isinstance(value, Raw) else f"{value!r:.60}"
