"""COCO annotations as records: decoded in bulk where they are as they should be, else mended.

`decode` returns one `Annotation` per record that can be kept. A record of an unusual shape is
looked at by itself (`mend`): what can be understood is written in the usual shape with a
warning, and what can't is rejected, each by name.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw

from ...ledger import Ledger
from .json import loads, plain_json
from .labels import ident
from .segmentation import ABSENT

__all__ = ["Annotation", "Lines", "again", "decode", "has_repeated_keys", "mend"]


class _Keys(msgspec.Struct, gc=False):
    # COCO's keys, and what CVAT, Datumaro and FiftyOne add; others are passed over.
    image_id: int | str
    id: int | str | None = None
    category_id: int | str | None = None
    bbox: Raw = ABSENT
    segmentation: Raw = ABSENT
    area: Raw = ABSENT
    iscrowd: int | None = None
    keypoints: Raw = ABSENT
    num_keypoints: int | None = None
    attributes: Raw = ABSENT
    score: float | None = None
    caption: Raw = ABSENT
    track_id: int | str | None = None


class Annotation(_Keys, gc=False, forbid_unknown_fields=True):
    """One annotation; geometry stays JSON text (`ABSENT` where there is none).

    `at` is its position in the file; `more` holds its other keys, as ``"key":value,...``.
    """

    at: int = msgspec.field(default=-1, name=" at")  # with a blank: no file has such a key
    more: str = msgspec.field(default="", name=" more")


_COLON, _BRACE = b":{"
_NEXT = re.compile(rb"\}\s*,\s*\{")
_KEYS = frozenset(_Keys.__struct_fields__)
_usual = msgspec.json.Decoder(list[Annotation])
_loose = msgspec.json.Decoder(list[_Keys])
_parts = msgspec.json.Decoder(list[dict[str, Raw]])
_raws = msgspec.json.Decoder(list[Raw])


class Lines:
    """Writes the ledger lines about the annotations of one file."""

    def __init__(
        self, ledger: Ledger, path: str,
        place_of: Callable[[int], tuple[str, str]] | None = None,
    ) -> None:  # fmt: skip
        self.ledger, self.path = ledger, path
        self._place_of = place_of
        self.item_key: Callable[[Any], str] = lambda image_id: ""
        self.noun = "annotation id"
        self._named: dict[str, int] = {}

    def warn(self, record: Annotation, reason: str, message: str) -> None:
        """Say that a record was imported, but is suspect or was changed."""
        self._line(self.ledger.warn, record, reason, message)

    def reject(self, record: Annotation, reason: str, message: str) -> None:
        """Say that a record was not imported."""
        self._line(self.ledger.reject, record, reason, message)

    def _line(
        self, write: Callable[..., None], record: Annotation, reason: str, message: str
    ) -> None:
        name = called = f"{self.noun} {record.id}"
        # A line must name one record only, and ids may come twice.
        if record.id is None or self._named.setdefault(name, record.at) != record.at:
            name = f"annotations[{record.at}]"
            called = name if record.id is None else called
        where = f"$.annotations[{record.at}]"
        if self._place_of is not None:
            where, name = self._place_of(record.at)
            called = name
        write(
            reason, file=self.path, where=where, record=name,
            item=self.item_key(record.image_id), message=f"{called}: {message}",
        )  # fmt: skip


def decode(text: bytes, places: Sequence[int], lines: Lines) -> list[Annotation]:
    """Decode a JSON array of annotations; `places` are their positions in the file."""
    if not places:
        return []
    try:
        found = _usual.decode(text)
    except (msgspec.ValidationError, UnicodeDecodeError):
        found = _decode_loosely(text, places, lines)
    else:
        for record, at in zip(found, places, strict=True):
            record.at = at
    _find_twice(text, places, lines)
    return found


def has_repeated_keys(text: Any, count: int) -> bool:
    """Say whether one of `count` objects in a JSON array has a key more than once."""
    if _are_alike(text, count):
        return False
    return any(_colons(raw) is None for raw in _raws.decode(text))


def _find_twice(text: bytes, places: Sequence[int], lines: Lines) -> None:
    # JSON keeps the last of two equal keys and says nothing.
    if _are_alike(text, len(places)):
        return
    for raw, at in zip(_raws.decode(text), places, strict=True):
        if _colons(raw) is not None:
            continue
        values = loads(bytes(raw), list)
        names = [k for k, _ in values]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            ident_ = ident(dict(values).get("id"))
            text_ = f"the key {twice[0]!r} comes more than once in it; the last one was read"
            lines.warn(Annotation("", id=ident_, at=at), "a key comes more than once", text_)


def _are_alike(text: Any, count: int) -> bool:
    # Counting colons finds out: where all records look like the first, and it has no key twice,
    # none has. (Run lengths aside, an object of two keys.)
    end = _NEXT.search(text)
    usual = _colons(bytes(memoryview(text)[1 : end.start() + 1 if end else -1]))
    letters = np.frombuffer(text, np.uint8)
    colons, braces = (int(np.count_nonzero(letters == letter)) for letter in (_COLON, _BRACE))
    colons -= 2 * (braces - count)
    return bool(usual) and colons == count * (usual or 0)


def _colons(raw: Raw | bytes) -> int | None:
    # How many colons a record of these keys has, less two per object in it; None: it has more.
    data = bytes(raw)
    try:
        keys: dict[str, Raw] = msgspec.json.decode(data, type=dict[str, Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0  # not an object, or not text: told elsewhere
    count = sum(k.count(":") + 1 + bytes(v).count(b":") for k, v in keys.items())
    return count - 2 * (data.count(b"{") - 1) if count == data.count(b":") else None


def _decode_loosely(text: bytes, places: Sequence[int], lines: Lines) -> list[Annotation]:
    try:
        loose, parts = _loose.decode(text), _parts.decode(text)
    except (msgspec.ValidationError, UnicodeDecodeError):
        raws = _raws.decode(text)
        each = (_one(raw, at, lines) for raw, at in zip(raws, places, strict=True))
        return [record for record in each if record is not None]
    names = _Keys.__struct_fields__
    found = []
    for known, keys, at in zip(loose, parts, places, strict=True):
        record = Annotation(*[getattr(known, n) for n in names])
        record.at = at
        if len(keys) > len(_KEYS) or not keys.keys() <= _KEYS:
            pairs = ((k, v) for k, v in keys.items() if k not in _KEYS)
            record.more = ",".join(f"{json.dumps(k)}:{_utf8(v)}" for k, v in pairs)
        found.append(record)
    return found


def _utf8(raw: Raw) -> str:
    return bytes(raw).decode("utf-8", "replace")


def _one(raw: Raw, at: int, lines: Lines) -> Annotation | None:
    try:
        values = loads(bytes(raw))
    except (ValueError, RecursionError) as error:
        values = error
    if not isinstance(values, dict):
        nobody = Annotation("", at=at)
        lines.reject(nobody, "the annotation is not an object", f"it is not an object: {values!r}")
        return None
    return mend(values, at, lines)


def again(record: Annotation, lines: Lines) -> Annotation | None:
    """Mend a decoded record whose geometry turned out to have an unusual shape."""
    values: dict[str, Any] = loads("{" + record.more + "}") if record.more else {}
    for name in _Keys.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, Raw):
            if value is not ABSENT and bytes(value):
                values[name] = loads(bytes(value))
        elif value is not None:
            values[name] = value
    return mend(values, record.at, lines)


def mend(values: dict[str, Any], at: int, lines: Lines) -> Annotation | None:
    """Return the record of an unusual annotation in the usual shape; None: it was rejected."""
    image = ident(values.pop("image_id", None))
    record = Annotation(image if image is not None else "", at=at)
    given = values.pop("id", None)
    record.id = ident(given) if given is not None else None
    if image is None:
        lines.reject(record, "the annotation is on no image", "it has no image_id")
        return None
    more: dict[str, Any] = {}
    problems: list[tuple[str, str]] = []
    has_box = "bbox" in values
    category = values.pop("category_id", None)
    record.category_id = ident(category)
    if category is not None and record.category_id is None:
        text = f"its category_id is {plain_json(category)[:80]}"
        lines.reject(record, "the category is no id", text)
        return None
    for name in list(values):
        mender = _MENDERS.get(name)
        value = values.pop(name)
        if mender is None:
            more[name] = value
            continue
        mended, problem = mender(value)
        if problem:
            problems.append((name, problem))
        if mended is not None:
            setattr(record, name, mended)
        if mended is None and value not in (None, [], ""):
            more[name] = value
    broken = [n for n in ("bbox", "segmentation", "keypoints") if n in more]
    if not record.bbox and not record.segmentation and not record.keypoints:
        if broken or has_box or _means_geometry(record):
            what = "; ".join(f"{n} {p.partition('; it is kept')[0]}" for n, p in problems)
            lines.reject(record, "no usable geometry", what or "bbox is empty")
            return None
    for name, problem in problems:
        lines.warn(record, f"{name} is not as COCO's", f"{name} {problem}")
    record.more = plain_json(more)[1:-1] if more else ""
    return record


def _means_geometry(record: Annotation) -> bool:
    # Was it meant to have a place in the image? A tag has nothing but ids.
    return bool(record.area) or record.iscrowd is not None


def _raw(value: Any) -> Raw:
    return Raw(plain_json(value).encode())


def _number(value: Any) -> float | int | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None


def _numbers(values: Any) -> list[Any] | None:
    numbers = [_number(v) for v in values] if isinstance(values, list) else [None]
    return None if any(n is None for n in numbers) else numbers


def _mend_bbox(value: Any) -> tuple[Raw | None, str]:
    if value is None or value == []:
        return None, ""
    numbers = _numbers(value)
    if numbers is None or len(numbers) != 4:
        return None, f"is not four numbers but {plain_json(value)[:80]}; it is kept in extra"
    return _raw(numbers), "is written as text" if numbers != value else ""


def _mend_segmentation(value: Any) -> tuple[Raw | None, str]:
    if value is None or value in ([], "", [[]], {}):
        return None, ""
    if isinstance(value, dict):
        return _raw(value), ""
    if not isinstance(value, list):
        return None, f"is {plain_json(value)[:80]}; it is kept in extra"
    if len(value) == 1 and isinstance(value[0], dict) and "counts" in value[0]:
        return _raw(value[0]), "is run lengths in a list"
    rings = value if isinstance(value[0], list) else [value]
    problem = "" if rings is value else "is one list of numbers, not a list of lists"
    kept: list[list[Any]] = []
    left: list[str] = []
    for ring in rings:
        flat = ring
        if isinstance(ring, list) and ring and all(_has_length(p, 2) for p in ring):
            flat = [v for point in ring for v in point]
            problem = "has points as pairs"
        numbers = _numbers(flat)
        if numbers is None:
            left.append("one is not numbers")
        elif len(numbers) % 2:
            left.append(f"one has an odd count of numbers, {len(numbers)}")
        elif len(numbers) < 6:
            left.append(f"one has {len(numbers)} numbers, less than three points")
        else:
            kept.append(numbers)
            if numbers != flat:
                problem = "has numbers written as text"
    if not kept:
        return None, f"has no usable polygon ({left[0]}); it is kept in extra"
    if left:
        problem = f"has {len(left)} of {len(rings)} polygons that are none and were left out: "
        problem += left[0]
    return _raw(kept), problem


def _has_length(value: Any, length: int) -> bool:
    return isinstance(value, list) and len(value) == length


def _mend_keypoints(value: Any) -> tuple[Raw | None, str]:
    if not value:
        return None, ""
    flat, problem = value, ""
    if isinstance(value, list) and all(_has_length(p, 3) for p in value):
        flat, problem = [v for point in value for v in point], "has points as triples"
    numbers = _numbers(flat)
    if numbers is None or len(numbers) % 3:
        return None, f"is not a list of x, y, v but {plain_json(value)[:80]}; it is kept in extra"
    if any(v not in (0, 1, 2) for v in numbers[2::3]):
        numbers[2::3] = [2 if v > 0 else 0 for v in numbers[2::3]]
        problem = "has other visibilities than 0, 1, 2; those above 0 were read as visible"
    return _raw(numbers), problem


def _mend_score(value: Any) -> tuple[float | None, str]:
    number = _number(value)
    if number is None:
        return None, "" if value is None else f"is {plain_json(value)[:40]}; it is kept in extra"
    return float(number), "is written as text" if isinstance(value, str) else ""


def _mend_flag(value: Any) -> tuple[int | None, str]:
    known = {"0": 0, "1": 1, "true": 1, "false": 0}.get(str(value).lower())
    return known, "" if known is not None or value is None else f"is {plain_json(value)[:40]}"


def _mend_count(value: Any) -> tuple[int | None, str]:
    return (value, "") if type(value) is int else (None, "")


def _mend_object(value: Any) -> tuple[Raw | None, str]:
    return (_raw(value), "") if isinstance(value, dict) else (None, "")


def _mend_caption(value: Any) -> tuple[Raw | None, str]:
    if not isinstance(value, str):
        return None, "" if value is None else f"is {plain_json(value)[:40]}; it is kept in extra"
    clean = value if value.isascii() else value.encode("utf-8", "replace").decode()
    return _raw(clean), "" if clean == value else "is no Unicode text: half a surrogate pair"


_MENDERS: dict[str, Callable[[Any], tuple[Any, str]]] = {
    "bbox": _mend_bbox,
    "segmentation": _mend_segmentation,
    "area": lambda value: (_raw(value), ""),
    "iscrowd": _mend_flag,
    "keypoints": _mend_keypoints,
    "num_keypoints": _mend_count,
    "attributes": _mend_object,
    "score": _mend_score,
    "caption": _mend_caption,
    "track_id": lambda value: (ident(value), ""),
}
