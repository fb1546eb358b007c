"""Reading annotation files that name images: finding the files, the images, checking geometry.

Shared by formats of which one file speaks of many images (CreateML, VIA, VoTT, BDD100K ...).
"""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from ..errors import BrokenFileError
from ..media.kinds import is_image, suffix
from ..sources.base import Source
from .addresses import Address, address_of, find_media
from .json_values import dumps, loads, values_of
from .look import Head, Look
from .media_index import Found
from .reading import Reading

__all__ = [
    "At", "Images", "add_box", "add_points", "as_json", "candidates", "document", "files_of",
    "is_subset", "json_lines", "label_of", "number", "numbers", "objects", "subset_of",
]  # fmt: skip

_EDGE_PX = 0.5  # how far a shape may pass the edge, by rounding, before it is said
_MAX_HEADS = 8
_SUBSET = re.compile(
    r"(train(ing)?|val(id(ation)?)?|dev|test(ing)?|eval(uation)?|trainval|minival)", re.IGNORECASE
)
_ABSOLUTE = re.compile(r"(?i)file:|/|\\|[a-z]:[\\/]")


class At(NamedTuple):
    """Where a record is, for the ledger: its file, its place there, the key of its item."""

    file: str
    where: str
    key: str

    def line(self, message: str, record: str = "") -> dict[str, str]:
        """Return the fields of a line of the ledger about it."""
        return {
            "file": self.file, "where": self.where, "record": record or self.where,
            "item": self.key, "message": f"{self.where}: {message}",
        }  # fmt: skip


# -- files --------------------------------------------------------------------------------


def candidates(source: Source, *suffixes: str) -> list[str]:
    """Return the files of these suffixes, the shallowest first; of a single file, only that."""
    if source.main is not None:
        return [source.main] if suffix(source.main) in suffixes else []
    shown = [p for p in source.files.with_suffix(*suffixes) if "/." not in p and p[0] != "."]
    return sorted(shown, key=lambda p: p.count("/"))  # a listing is in order of names already


def files_of(
    look: Look, mine: Callable[[Head], bool], *suffixes: str, limit: int | None = _MAX_HEADS
) -> list[str]:
    """Return the files whose head is of a format, among the first `limit` (None: among all)."""
    return [p for p in candidates(look.source, *suffixes)[:limit] if mine(look.head(p))]


def is_subset(name: str) -> bool:
    """Say whether a folder of this name is a subset: train, valid, test and the like."""
    return bool(_SUBSET.fullmatch(name))


def subset_of(path: str, others: Sequence[str] = ()) -> str | None:
    """Return the subset that the path of an annotation file names.

    A folder or a word of its name that is a usual one; where there are several files, else the
    folder that tells them apart.

    >>> subset_of("valid/_annotations.createml.json"), subset_of("labels/det_train.json")
    ('valid', 'train')
    >>> subset_of("a/x.json", ["a/x.json", "b/x.json"]), subset_of("pets.json")
    ('a', None)
    """
    folder, _, name = path.rpartition("/")
    parts = folder.split("/") if folder else []
    words = re.split(r"[-_.\s]", name.rpartition(".")[0])
    for part in (*reversed(words), *reversed(parts)):
        if _SUBSET.fullmatch(part):
            return part
    folders = {p.rpartition("/")[0] for p in others}
    if len(folders) == len(others) > 1 and parts:
        return parts[-1]
    return None


def document(data: bytes, file: str, reading: Reading) -> Any:
    """Return the value of a whole JSON file.

    Raises:
        BrokenFileError: it is not JSON, or holds several values.
    """
    raws = values_of(data, file, reading.ledger)
    problems: dict[str, None] = {}
    values = []
    for raw in raws:
        try:
            value, problem = loads(raw)
        except ValueError as error:
            raise BrokenFileError(f"The file is not JSON: {error}", where=file) from None
        values.append(value)
        if problem:
            problems[problem] = None
    for problem in problems:
        reading.ledger.note("file was mended", file=file, message=f"{file} holds {problem}")
    listed = Head(data[:4096]).json_start == "["
    return values if listed or len(values) != 1 else values[0]


def objects(
    data: bytes, file: str, reading: Reading, what: str = "images"
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (``"images[3]"``, object) of a JSON list or of JSON lines; others are rejected.

    Raises:
        BrokenFileError: it is not JSON.
    """
    for index, raw in enumerate(values_of(data, file, reading.ledger)):
        where = f"{what}[{index}]"
        value: Any = None
        problem = ""
        try:
            value, problem = loads(raw)
        except ValueError as error:
            problem = str(error)
        if isinstance(value, dict):
            if problem:
                reading.ledger.note("value was mended", file=file, where=where, message=problem)
            yield where, value
            continue
        reading.reject(
            "record is not an object", file=file, where=where, record=where,
            message=f"{where}: {problem or 'it is not a JSON object'}",
        )  # fmt: skip


def json_lines(data: bytes, file: str, reading: Reading) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (``"line 3"``, object) of each line; a line that is none is rejected.

    A file that is a list is read as one.

    Raises:
        BrokenFileError: no line is a JSON object.
    """
    text = Head(data).text
    if text.lstrip()[:1] == "[":
        yield from objects(data, file, reading, "lines")
        return
    good, bad = 0, []
    for number_, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value, problem = loads(line.encode("utf-8", "replace"))
        except ValueError as error:
            value, problem = None, str(error)
        where = f"line {number_}"
        if isinstance(value, dict):
            good += 1
            yield where, value
        else:
            bad.append((where, problem or "it is not an object"))
    if bad and not good:
        raise BrokenFileError(
            f"The file has no lines of JSON: {bad[0][1]}", where=f"{file}, {bad[0][0]}"
        )
    for where, problem in bad:
        reading.reject(
            "line is not JSON", file=file, where=where, record=where,
            message=f"{where} is not JSON: {problem}",
        )  # fmt: skip


# -- values -------------------------------------------------------------------------------


def number(value: Any) -> float | None:
    """Return a finite number, also of text that is one; None of anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def numbers(*values: Any) -> list[float] | None:
    """Return finite numbers, None where one is none."""
    found = [number(value) for value in values]
    kept = [value for value in found if value is not None]
    return kept if len(kept) == len(found) else None


def label_of(value: Any) -> str | None:
    """Return the name of a label; None where there is none."""
    if value is None or isinstance(value, (dict, list)) or value == "":
        return None
    return value if isinstance(value, str) else str(value)


def as_json(values: Mapping[str, Any]) -> str | None:
    """Return a JSON object of the values that are not None; None where there are none."""
    kept = {k: v for k, v in values.items() if v is not None}
    return dumps(kept) if kept else None


# -- images -------------------------------------------------------------------------------


class Images:
    """Finds images as annotation files name them, and makes them items.

    The key is the name without the folder of the subset. A name that is absolute, of another
    machine, becomes the path of the file that is found, or else its last part.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._names: dict[tuple[str | None, str], str] = {}
        self._media: dict[int, str] = {}
        self._made: dict[tuple[str | None, str], int] = {}

    def known(self, name: Any, at: At, subset: str | None = None) -> int | None:
        """Return the number of the item that `name` means, if it has been met."""
        if not isinstance(name, str):
            return None
        address, _ = _address(name, posixpath.dirname(at.file))
        return self._made.get((subset, address.path))

    def size(self, item: int) -> tuple[int, int] | None:
        """Return width and height, as displayed, of an item's image; None where unknown."""
        return self._reading.size(self._media.get(item))

    def leftover(self, folder: str, subset: str | None, *, deep: bool = False) -> None:
        """Add the images in a folder (`deep`: and below) that no annotation file speaks of."""
        if self._reading.source.main is None:
            files = self._reading.source.files
            beside = (
                [p for p in files if p.startswith(f"{folder}/")]
                if deep and folder
                else (files if deep else files.files(folder))
            )
            self._reading.leftover([p for p in beside if is_image(p)], subset, under=folder)

    def add(
        self,
        name: Any,
        at: At,
        *,
        subset: str | None = None,
        folders: Sequence[str] = (),
        strip: Sequence[str] = (),
        again: bool = False,
        by_name: bool = True,
        **values: Any,
    ) -> int | None:
        """Count and make the item of an image; None where it was rejected.

        Args:
            name: as the annotation file gives it: a path, or an address.
            at: where the record is (`At.key` is not used).
            subset: the subset.
            folders: where the file may lie, besides beside the annotation file.
            strip: folders in front of the name that only sort; the first that fits is left out.
            again: the format names an image once for each annotation.
            by_name: look a remote address up by its last part too.
            **values: more columns of ITEMS.
        """
        if not isinstance(name, str) or not name.strip():
            self._reject("image without a name", at, "it names no image")
            return None
        home = posixpath.dirname(at.file)
        address, absolute = _address(name, home)
        if address.problem:
            self._reject("image name refused", at, f"{name!r} {address.problem}")
            return None
        known = self._made.get((subset, address.path))
        if known is not None:
            if not again:
                self._twice(at, self._reading.key(known))
            return known
        near = (home, *folders)
        found = find_media(self._reading.media, address, near, by_name=by_name)
        if absolute and found.path is None and found.problem == "missing":
            found = self._by_tail(address.path, near)
        key = address.path
        if absolute:
            key = found.path if found.path is not None else key.rpartition("/")[2]
            key = _without(key, (home,)) if found.path is not None else key
        if found.problem == "escaped":
            key = unquote(key)
        key = _without(key, strip)
        if absolute and self._names.get((subset, key), address.path) != address.path:
            key = address.path
        known = self._reading.number(key, subset)
        if known is not None:
            self._twice(at, key)
            return known
        self._names[subset, key] = address.path
        if address.uri is not None:
            values["uri"] = address.uri
        number = self._reading.item(key, subset=subset, media=found.path, **values)
        self._made[subset, address.path] = number
        if found.path is not None:
            self._media[number] = found.path
        elif self._reading.has_images:
            several = found.problem == "ambiguous"
            self._reading.warn(
                "several images fit" if several else "image file missing",
                **At(at.file, at.where, key).line(
                    f"{key}: " + ("several files have this name" if several
                                  else "there is no image of this name"), "item",
                ),
            )  # fmt: skip
        return number

    def _twice(self, at: At, key: str) -> None:
        text = f"{key} was named before; its annotations are put together"
        self._reading.warn("image named twice", **At(at.file, at.where, key).line(text, "item"))

    def _by_tail(self, path: str, near: Sequence[str]) -> Found:
        # "/home/me/data/train/a.jpg" -> "train/a.jpg", here or in a folder near: the longest.
        parts = path.split("/")
        for i in range(1, len(parts)):
            found = self._reading.media.find("/".join(parts[i:]), near)
            if found.path is not None and found.path not in self._reading.used_media:
                return found
            if found.problem == "ambiguous":
                return found
        return Found(None, "missing")

    def _reject(self, reason: str, at: At, text: str) -> None:
        self._reading.reject(reason, **At(at.file, at.where, "").line(text))


def _address(name: str, home: str) -> tuple[Address, bool]:
    # The address, and whether the name was absolute.
    text = name.strip()
    absolute = bool(_ABSOLUTE.match(text))
    if text[:5].lower() == "file:":
        text = unquote(text[5:]).lstrip("/")
    path = text.replace("\\", "/")
    if absolute:
        path = path.lstrip("/")
        parts = [p for p in path.split("/") if p not in ("", ".", "..")]
        return address_of("/".join(parts)), True
    if "../" in path and ":" not in path:
        path = posixpath.normpath(posixpath.join(home, path))
        return address_of(path), False
    return address_of(text), False


def _without(key: str, folders: Sequence[str]) -> str:
    for folder in folders:
        if folder and key.startswith(f"{folder}/"):
            return key[len(folder) + 1 :]
    return key


# -- annotations --------------------------------------------------------------------------


def add_box(
    reading: Reading,
    item: int,
    at: At,
    box: Sequence[float] | None,
    size: tuple[float, float] | None = None,
    **values: Any,
) -> bool:
    """Count and add a box (x, y, w, h), or an ellipse; say what is doubtful. True: it was added.

    Args:
        reading: the read.
        item: number of the item.
        at: where the record is.
        box: None where it has no numbers.
        size: width and height of the image, where they are known.
        **values: more columns; `type` is "box" by default.
    """
    kind = values.setdefault("type", "box")
    if box is None:
        reading.reject(f"{kind} without numbers", **at.line("a coordinate is missing or no number"))
        return False
    x, y, w, h = box
    if w < 0 or h < 0:
        reading.reject("width or height is negative", **at.line(f"it is {w:g} wide and {h:g} high"))
        return False
    if w == 0 or h == 0:
        reading.warn(f"{kind} has no area", **at.line("its width or height is 0; kept as it is"))
    if not values.get("rotation"):
        _outside(reading, at, (x, y, x + w, y + h), size, kind)
    reading.annotation(item, x=x, y=y, w=w, h=h, **values)
    return True


def add_points(
    reading: Reading,
    item: int,
    at: At,
    points: Sequence[float] | None,
    size: tuple[float, float] | None = None,
    *,
    type: str = "polygon",
    **values: Any,
) -> bool:
    """Count and add a polygon, polyline or points (x, y, x, y, ...); see `add_box`."""
    if points is None or len(points) % 2:
        text = "a coordinate is missing or no number"
        reading.reject(f"{type} without numbers", **at.line(text))
        return False
    least = {"polygon": 3, "polyline": 2}.get(type, 1)
    if len(points) < 2 * least:
        text = f"it has {len(points) // 2} of the {least} points that it needs"
        reading.reject(f"{type} with too few points", **at.line(text))
        return False
    xs, ys = points[::2], points[1::2]
    low, high = (min(xs), min(ys)), (max(xs), max(ys))
    _outside(reading, at, (*low, *high), size, type)
    if type == "polygon":
        values |= {"x": low[0], "y": low[1], "w": high[0] - low[0], "h": high[1] - low[1]}
    reading.annotation(item, type=type, points=list(points), **values)
    return True


def _outside(
    reading: Reading,
    at: At,
    corners: Sequence[float],
    size: tuple[float, float] | None,
    kind: str,
) -> None:
    if size is None:
        return
    low, high = min(corners[:2]), (corners[2] - size[0], corners[3] - size[1])
    if low < -_EDGE_PX or max(high) > _EDGE_PX:
        text = f"it reaches outside the image of {size[0]:g} x {size[1]:g}; kept as it is"
        reading.warn(f"{kind} reaches outside the image", **at.line(text))
