"""Label Studio's files as tasks: what lies in them, parsed no further than needed.

Most tasks are boxes and polygons written by Label Studio itself. Those are parsed into the
structures below, several times faster than into dicts, and what they require is checked on the
way; a task that has anything else in it (`plain_task` returns None) is parsed into dicts and read
with care.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType, field

from ..errors import BrokenFileError
from ..ledger import Ledger

__all__ = ["Annotation", "Plain", "Task", "dumps", "loads", "plain_task", "tasks_of"]

Id = int | str | None | UnsetType
_ABSENT = Raw()
Pixels = Annotated[int, Meta(ge=1)]
BOX, POLYGON = "rectanglelabels", "polygonlabels"


class BoxValue(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The value of a plain box: upright, with an area and one label."""

    x: float
    y: float
    width: Annotated[float, Meta(gt=0)]
    height: Annotated[float, Meta(gt=0)]
    labels: tuple[str] = field(name="rectanglelabels")
    rotation: Annotated[float, Meta(ge=0, le=0)] = 0.0
    points: None = None
    closed: None = None


class PolygonValue(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The value of a plain polygon: closed, with three points or more, and one label."""

    points: Annotated[list[tuple[float, float]], Meta(min_length=3)]
    labels: tuple[str] = field(name="polygonlabels")
    closed: bool | None = None
    x: None = None
    y: None = None
    width: None = None
    height: None = None


class Box(msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="type", tag=BOX):
    """A result that is a plain box."""

    value: BoxValue
    id: Annotated[str, Meta(min_length=1)]
    from_name: str
    to_name: str
    original_width: Pixels
    original_height: Pixels
    image_rotation: Literal[0] | None = None
    origin: str | None = None
    score: Annotated[float, Meta(ge=0, le=1)] | None = None
    kind: ClassVar[str] = "box"
    type: ClassVar[str] = BOX


class Polygon(msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="type", tag=POLYGON):
    """A result that is a plain polygon."""

    value: PolygonValue
    id: Annotated[str, Meta(min_length=1)]
    from_name: str
    to_name: str
    original_width: Pixels
    original_height: Pixels
    image_rotation: Literal[0] | None = None
    origin: str | None = None
    score: Annotated[float, Meta(ge=0, le=1)] | None = None
    kind: ClassVar[str] = "polygon"
    type: ClassVar[str] = POLYGON


Plain = Box | Polygon


class Annotation(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """An annotation or a prediction. Encoded without `result`, it is what surrounds it."""

    result: list[Plain] | UnsetType = UNSET
    id: Id = UNSET
    completed_by: Any = UNSET
    model_version: str | None | UnsetType = UNSET
    score: float | None | UnsetType = UNSET
    was_cancelled: bool | UnsetType = UNSET
    ground_truth: bool | UnsetType = UNSET
    created_at: Raw = _ABSENT
    updated_at: Raw = _ABSENT
    draft_created_at: Raw = _ABSENT
    created_ago: Raw = _ABSENT
    lead_time: Raw = _ABSENT
    prediction: Raw = _ABSENT
    result_count: Raw = _ABSENT
    unique_id: Raw = _ABSENT
    import_id: Raw = _ABSENT
    last_action: Raw = _ABSENT
    bulk_created: Raw = _ABSENT
    task: Raw = _ABSENT
    project: Raw = _ABSENT
    updated_by: Raw = _ABSENT
    parent_prediction: Raw = _ABSENT
    parent_annotation: Raw = _ABSENT
    last_created_by: Raw = _ABSENT
    history: Raw = _ABSENT
    reviews: Raw = _ABSENT
    cluster: Raw = _ABSENT
    neighbors: Raw = _ABSENT
    mislabeling: Raw = _ABSENT
    model: Raw = _ABSENT
    model_run: Raw = _ABSENT


class Task(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A task. Encoded without `data`, it is what surrounds it."""

    data: dict[str, Any] | UnsetType
    id: Id = UNSET
    annotations: list[Annotation] | UnsetType = UNSET
    predictions: list[Annotation] | UnsetType = UNSET
    drafts: list[Any] | UnsetType = UNSET
    meta: dict[str, Any] | None | UnsetType = UNSET
    created_at: Raw = _ABSENT
    updated_at: Raw = _ABSENT
    inner_id: Raw = _ABSENT
    file_upload: Raw = _ABSENT
    total_annotations: Raw = _ABSENT
    cancelled_annotations: Raw = _ABSENT
    total_predictions: Raw = _ABSENT
    comment_count: Raw = _ABSENT
    unresolved_comment_count: Raw = _ABSENT
    last_comment_updated_at: Raw = _ABSENT
    project: Raw = _ABSENT
    updated_by: Raw = _ABSENT
    comment_authors: Raw = _ABSENT
    is_labeled: Raw = _ABSENT
    overlap: Raw = _ABSENT
    agreement: Raw = _ABSENT
    allow_skip: Raw = _ABSENT


_TASK = msgspec.json.Decoder(Task)
_RAWS = msgspec.json.Decoder(list[Raw])
_RAW = msgspec.json.Decoder(Raw)
_ANY = msgspec.json.Decoder()
_SURROGATE = re.compile("[\ud800-\udfff]")


def plain_task(raw: Raw) -> Task | None:
    """Return a task that holds nothing but what the structures above name, else None."""
    try:
        return _TASK.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def loads(raw: Raw | bytes) -> tuple[Any, str]:
    """Return the value of some JSON, and "" or what was wrong with it and mended.

    Mended are NaN and Infinity (kept as such), lone surrogates and bytes that are not UTF-8
    (U+FFFD put in their place).

    Raises:
        ValueError: it is not JSON at all.
    """
    try:
        return _ANY.decode(raw), ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    data = bytes(raw)
    problems = set()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
        problems.add("bytes that are not UTF-8, replaced by U+FFFD")
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return _mend(value, problems), "; ".join(sorted(problems))


def _mend(value: Any, problems: set[str]) -> Any:
    if isinstance(value, str):
        if _SURROGATE.search(value):
            problems.add("half a surrogate pair, replaced by U+FFFD")
            return _SURROGATE.sub("\ufffd", value)
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            problems.add("NaN or Infinity, which JSON has not")
        return value
    if isinstance(value, dict):
        return {_mend(k, problems): _mend(v, problems) for k, v in value.items()}
    if isinstance(value, list):
        return [_mend(v, problems) for v in value]
    return value


def dumps(value: Any) -> str:
    """Return compact JSON; integers of any size, NaN as null."""
    try:
        return msgspec.json.encode(value).decode()
    except (OverflowError, msgspec.MsgspecError):  # an integer past 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def tasks_of(data: bytes, file: str, ledger: Ledger) -> Sequence[Raw]:
    """Return the tasks of a file: a list, one dict, or one dict per line.

    A line that is not JSON is a rejected record; the others stay.

    Raises:
        BrokenFileError: it is not JSON.
    """
    data = _utf8(data)
    first = data[:1024].lstrip()[:1]
    try:
        if first == b"[":
            return _RAWS.decode(data)
        return [_RAW.decode(data)]
    except (msgspec.DecodeError, RecursionError) as error:
        if first == b"{" and "trailing" in str(error) and _is_json(data.split(b"\n", 1)[0]):
            return list(_lines(data, file, ledger))
    # Perhaps only NaN or the like, which Python's own parser takes: find out, and where it ends.
    try:
        value, _ = loads(data)
    except ValueError as error:
        raise _broken(error, file) from None
    values = value if isinstance(value, list) else [value]
    return [Raw(json.dumps(v).encode()) for v in values]


def _utf8(data: bytes) -> bytes:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data[3:] if data[:3] == b"\xef\xbb\xbf" else data


def _is_json(data: bytes) -> bool:
    try:
        loads(data)
    except ValueError:
        return False
    return True


def _lines(data: bytes, file: str, ledger: Ledger) -> Iterator[Raw]:
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            loads(line)
        except ValueError as error:
            ledger.read()
            ledger.reject(
                "line is not JSON", file=file, where=f"line {number}", record=f"line {number}",
                message=f"line {number} is not JSON: {error}",
            )  # fmt: skip
        else:
            yield Raw(line)


def _broken(error: ValueError, file: str) -> BrokenFileError:
    where = file
    text = str(error)
    if isinstance(error, json.JSONDecodeError):
        offset = len(error.doc[: error.pos].encode("utf-8", "replace"))
        where = f"{file}, line {error.lineno}, byte {offset}"
        text = error.msg[0].lower() + error.msg[1:]
    return BrokenFileError(
        f"The file is not JSON: {text}", where=where, hint="Export or download it again."
    )
