"""Items of Label Studio: which entry of a task's data is its media, where that lies, what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import NbannotError
from ...ledger import Ledger
from ...media.images import probe_source_image
from ...media.kinds import KIND_OF_SUFFIX
from ...sources.base import Source
from ..addresses import Address, address_of, find_media
from ..media_index import Found, MediaIndex
from .config import Config

__all__ = ["Item", "ItemFinder", "kind_of_result"]

_KIND_OF_RESULT = {
    "videorectangle": "video", "videovector": "video", "videovectorlabels": "video",
    "timelinelabels": "video", "timeserieslabels": "time_series", "hypertextlabels": "text",
    "paragraphlabels": "text", "chatmessage": "text", "ranker": "other",
    **dict.fromkeys(
        ("rectangle", "rectanglelabels", "ellipse", "ellipselabels", "polygon", "polygonlabels",
         "keypoint", "keypointlabels", "brush", "brushlabels", "magicwand", "bitmask",
         "bitmasklabels", "vector", "vectorlabels", "ocrlabels"), "image",
    ),
}  # fmt: skip
_KIND_OF_KEY = {
    "image": "image", "images": "image", "img": "image", "picture": "image", "photo": "image",
    "image_url": "image", "audio": "audio", "video": "video", "text": "text", "html": "text",
    "dialogue": "text", "$undefined$": "text",
}  # fmt: skip
_MEDIA_KINDS = ("image", "audio", "video")


def kind_of_result(kind: object, value: object) -> str:
    """Return the kind of item that a result is on, "" where any would do."""
    if kind == "labels" and isinstance(value, Mapping):
        if "channel" in value:
            return "audio"
        return "text" if isinstance(value.get("text"), str) and "start" in value else ""
    return _KIND_OF_RESULT.get(kind, "") if isinstance(kind, str) else ""


@dataclass(slots=True)
class Item:
    """The item that a task is, while its results are read.

    `media_key` is the key in the data under which its media is named, None where it has none;
    `width` and `height` are those that its results declare, or that the file has.
    """

    number: int
    key: str
    kind: str
    data: Mapping[str, Any]
    media_key: str | None = None
    media: str | None = None
    uri: str | None = None
    width: int | None = None
    height: int | None = None
    groups: int = 0
    probed: bool = False
    problems: list[tuple[str, str]] = field(default_factory=list)


class ItemFinder:
    """Makes an `Item` of each task; remembers which files are taken and which are missing."""

    def __init__(self, source: Source, ledger: Ledger) -> None:
        self._source = source
        self._ledger = ledger
        self._index = MediaIndex(source.files)
        self._by_name: dict[str, str] = {}
        self._missing: list[tuple[str, str, str, str]] = []
        self._found = False
        self._has_media = bool(source.files.with_suffix(*KIND_OF_SUFFIX))

    def item(
        self,
        number: int,
        name: str,
        file: str,
        data: Mapping[str, Any],
        results: Iterable[tuple[Any, Any, Any]],
        config: Config | None,
    ) -> Item:
        """Return the item of the task called `name`.

        `results` are (to_name, type, value) of its results, as far as one cares to look.
        """
        to_name, kind = None, ""
        for to, result_type, value in results:
            if not isinstance(to, (str, type(None))):
                continue
            to_name = to if to_name is None else to_name
            kind = kind_of_result(result_type, value)
            if kind:
                to_name = to
                break
        media_key, declared = _media_key(data, to_name, config)
        item = Item(number, name.replace(" ", "-"), declared or kind, data, media_key)
        text = _first_text(data.get(media_key)) if media_key is not None else None
        item.kind = item.kind or _KIND_OF_KEY.get(media_key or "", "")
        if text is not None and item.kind not in ("text", "time_series", "table"):
            address = address_of(text)
            if item.kind in _MEDIA_KINDS or _is_media(text, address):
                self._place(item, address, name, file)
        item.kind = item.kind or _kind_of_data(data)
        return item

    def _place(self, item: Item, address: Address, name: str, file: str) -> None:
        if address.problem:
            item.problems.append(("media is not reachable", f"{item.media_key} {address.problem}"))
            return
        item.kind = item.kind or (address.kind if address.kind != "other" else "")
        item.key, item.uri = address.path, address.uri
        near = [file.rpartition("/")[0]] if "/" in file else []
        found = (
            find_media(self._index, address, near) if self._has_media else Found(None, "missing")
        )
        if found.path is not None and address.uri is not None:
            # By its last part only: another address must not end in the same file.
            if self._by_name.setdefault(found.path, address.uri) != address.uri:
                found = found._replace(path=None, problem="ambiguous")
        if found.path is not None:
            self._found = True
            item.media = found.path
            if found.problem == "unicode":
                item.problems.append(
                    ("name is in another Unicode form", "the file's name is in another normal form")
                )
        elif found.problem == "ambiguous":
            item.problems.append(("several files fit", f"more than one file fits {item.key!r}"))
        elif address.uri is None:
            self._missing.append((file, name, item.key, item.kind or "media"))

    def size_of(self, item: Item) -> tuple[float, float] | None:
        """Return (width, height) in pixels of the item's image; None where nothing tells."""
        if item.width is None and item.media and item.kind == "image" and not item.probed:
            item.probed = True
            try:
                info = probe_source_image(self._source, item.media)
            except NbannotError:
                return None  # said by whoever opens the image, with the reason
            item.width, item.height = info.width, info.height
        if item.width is None or item.height is None:
            return None
        return float(item.width), float(item.height)

    def finish(self) -> None:
        """Say which files are missing: one by one where others are there, else once."""
        if not self._missing:
            return
        if not self._found:
            self._ledger.note(
                "media files are not in the source",
                message=f"none of the {len(self._missing)} files that the tasks name is there",
            )
            return
        for file, name, key, kind in self._missing:
            what = f"{kind} file" if kind != "media" else "file"
            self._ledger.warn(
                f"{what} is missing", file=file, record=name, item=key,
                message=f"{key!r} is not in the source",
            )  # fmt: skip


def _media_key(
    data: Mapping[str, Any], to_name: str | None, config: Config | None
) -> tuple[str | None, str]:
    # (key in the data, kind of item or "")
    if config is not None:
        named = config.object_of(to_name) if to_name is not None else None
        for kind, key in (*((named,) if named else ()), *config.objects.values()):
            if key is not None and key in data:
                return key, kind
    if to_name is not None and to_name in data:
        return to_name, ""
    for key, value in data.items():
        if _KIND_OF_KEY.get(key) in _MEDIA_KINDS and _first_text(value) is not None:
            return key, ""
    for key, value in data.items():
        text = _first_text(value)
        if text and _is_media(text, address_of(text)):
            return key, ""
    return next((key for key in data if _KIND_OF_KEY.get(key) == "text"), None), ""


def _is_media(text: str, address: Address) -> bool:
    if len(text) > 4096 or "\n" in text:
        return False
    return address.kind != "other" or (address.uri is not None and " " not in text)


def _first_text(value: Any) -> str | None:
    # of "a.jpg", of a list of such, or of a list of objects that hold one each
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        first = value[0]
        if isinstance(first, Mapping):
            texts = [v for v in first.values() if isinstance(v, str)]
            return next((t for t in texts if address_of(t).kind != "other"), None)
        return first if isinstance(first, str) else None
    return None


def _kind_of_data(data: Mapping[str, Any]) -> str:
    if any(isinstance(v, str) for v in data.values()):
        return "text"
    return "other"
