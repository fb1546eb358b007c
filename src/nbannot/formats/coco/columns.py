"""The columns of COCO annotations that are not geometry: attributes, and extra."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw
from numpy.typing import NDArray

from ...schema import offsets
from .json import loads, plain_json
from .records import Annotation
from .segmentation import ABSENT, Odd

__all__ = ["extra_of", "instances_as_tracks", "split_attributes", "tails", "texts_of"]


class _Attributes(NamedTuple):
    rest: str | None
    occluded: bool | None = None
    rotation: float | None = None
    track: str | None = None
    keyframe: bool | None = None


def split_attributes(raws: Sequence[Raw], is_box: NDArray[np.bool_]) -> dict[str, Any]:
    """Return columns: attributes as JSON text, and those of CVAT's that have columns.

    CVAT and Datumaro write ``attributes: {...}`` beside COCO's own keys, with `occluded`,
    `rotation` (of a box, degrees clockwise about its centre), `track_id` and `keyframe` among them.

    Raises:
        Odd: some are not a JSON object.
    """
    if raws.count(ABSENT) == len(raws):
        return {}
    split = [_split(bytes(r), bool(b)) for r, b in zip(raws, is_box, strict=True)]
    columns: dict[str, Any] = {"attributes": [s.rest for s in split]}
    for name in ("occluded", "rotation", "track", "keyframe"):
        values = [getattr(s, name) for s in split]
        if any(v is not None for v in values):
            columns[name] = values
    return columns


@lru_cache(maxsize=4096)  # a dataset has few different ones
def _split(text: bytes, is_box: bool) -> _Attributes:
    if not text:
        return _Attributes(None)
    try:
        values = loads(text)
    except ValueError as error:
        raise Odd from error
    if values is None:
        return _Attributes(None)
    if not isinstance(values, dict):
        raise Odd
    found: dict[str, Any] = {}
    for key in ("occluded", "keyframe"):
        if isinstance(values.get(key), bool):
            found[key] = values.pop(key)
    angle = values.get("rotation")
    if is_box and isinstance(angle, (int, float)) and not isinstance(angle, bool):
        found["rotation"] = float(values.pop("rotation"))
    track = values.get("track_id")
    if isinstance(track, (int, str)) and not isinstance(track, bool):
        found["track"] = str(values.pop("track_id"))
    return _Attributes(plain_json(values) if values or not found else None, **found)


def texts_of(captions: Sequence[Raw]) -> list[str | None]:
    """Return captions as text, None where there is none.

    Raises:
        Odd: one is not text.
    """
    told = b"[" + b",".join([c or _NULL for c in captions]) + b"]"
    try:
        texts: list[str | None] = msgspec.json.decode(told, type=list[str | None])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Odd from error
    return texts


_NULL = b"null"
_INSTANCE = re.compile(r'"instance_id":("(?:[^"\\]|\\.)*"|-?\d+)')


def instances_as_tracks(records: Sequence[Annotation], columns: dict[str, Any]) -> None:
    """Give those of a video that have an `instance_id` and no track that as their track."""
    tracks = list(columns.get("track") or [None] * len(records))
    for i, record in enumerate(records):
        found = _INSTANCE.search(record.more) if record.more and tracks[i] is None else None
        if found is not None:
            tracks[i] = str(loads(found[1]))
    if tracks.count(None) < len(tracks):
        columns["track"] = tracks


def extra_of(
    records: Sequence[Annotation], joints: NDArray[np.float64], lengths: NDArray[np.int64]
) -> pa.Array:
    """Return what no column holds, as text of JSON objects: area, iscrowd (where 1), other keys.

    Numbers stay as they were written. `num_keypoints` is kept where it is not the count of
    labelled joints.
    """
    counts = [r.num_keypoints for r in records]
    if counts.count(None) < len(counts):
        starts = np.concatenate([[0], np.cumsum(lengths // 3)])
        labelled = np.concatenate([[0], np.cumsum(joints[2::3] > 0)])
        true = (labelled[starts[1:]] - labelled[starts[:-1]]).tolist()
        counts = [None if c == t else c for c, t in zip(counts, true, strict=True)]
    areas = [r.area for r in records]
    if areas.count(ABSENT) or counts.count(None) < len(counts):
        texts = [_extra(r, c) for r, c in zip(records, counts, strict=True)]
        return pa.array(texts, pa.binary()).cast(pa.string())
    odd = {i for i, r in enumerate(records) if r.iscrowd}
    odd.update(i for i, more in enumerate([r.more for r in records]) if more)
    for i in odd:
        areas[i] = Raw((_extra(records[i], None) or b"")[len(_BEFORE_AREA) : -1])
    # One text for all, cut by offsets: a third of the time of one text each.
    whole = _BEFORE_AREA + (b"}" + _BEFORE_AREA).join(areas) + b"}"
    lengths = np.fromiter(map(len, areas), np.int64, len(areas)) + len(_BEFORE_AREA) + 1
    places = pa.py_buffer(offsets(lengths))
    buffers = [None, places, pa.py_buffer(whole)]
    if whole.isascii():
        return pa.StringArray.from_buffers(len(areas), *buffers[1:])
    return pa.BinaryArray.from_buffers(pa.binary(), len(areas), buffers).cast(pa.string())


_BEFORE_AREA = b'{"area":'


def _extra(record: Annotation, count: int | None) -> bytes | None:
    parts = []
    if record.area:
        parts.append(b'"area":%b' % record.area)
    if record.iscrowd:
        parts.append(b'"iscrowd":%d' % record.iscrowd)
    if count is not None:
        parts.append(b'"num_keypoints":%d' % count)
    if record.more:
        parts.append(record.more.encode())
    return b"{" + b",".join(parts) + b"}" if parts else None


_PLAIN_EXTRA = r'^\{(?:"area":(?P<area>-?[0-9][0-9.eE+-]*))?,?(?:"iscrowd":(?P<crowd>1))?\}$'
_OWN = (
    "id", "image_id", "category_id", "segmentation", "bbox", "keypoints", "caption",
)  # fmt: skip


def tails(rows: pa.Table, areas: NDArray[np.float64], placed: NDArray[np.bool_]) -> pa.Array:
    """Return the end of each annotation's JSON: ``,"area":...,"iscrowd":...`` and all other keys.

    The inverse of `extra_of` and `split_attributes`. `areas` are for those whose extra has none;
    tags and captions (not `placed`) get neither area nor iscrowd.
    """
    extra = rows["extra"].combine_chunks()
    parts = pc.extract_regex(extra, _PLAIN_EXTRA)
    plain = pc.is_valid(parts).to_numpy(zero_copy_only=False) | ~pc.is_valid(extra).to_numpy(
        zero_copy_only=False
    )
    for name in ("rotation", "occluded", "track", "keyframe", "text"):
        if rows[name].null_count < len(rows):
            plain &= pc.is_null(rows[name]).to_numpy(zero_copy_only=False)
    plain &= placed
    own = pc.cast(pa.array(np.where(np.isfinite(areas), areas, 0.0)), pa.string())
    area, crowd = pc.struct_field(parts, 0), pc.struct_field(parts, 1)
    area = pc.if_else(pc.equal(pc.fill_null(area, ""), ""), own, area)
    crowd = pc.if_else(pc.equal(pc.fill_null(crowd, ""), ""), "0", crowd)
    pieces: list[Any] = [',"area":', area, ',"iscrowd":', crowd]
    if rows["attributes"].null_count < len(rows):
        given = rows["attributes"].combine_chunks()
        text = pc.binary_join_element_wise(',"attributes":', given, "")
        pieces.append(pc.fill_null(text, ""))
    if rows["score"].null_count < len(rows):
        given = pc.cast(rows["score"].combine_chunks(), pa.string())
        pieces.append(pc.fill_null(pc.binary_join_element_wise(',"score":', given, ""), ""))
    texts = pc.binary_join_element_wise(*pieces, "")
    odd = np.flatnonzero(~plain)
    if len(odd):
        done = [
            _tail(row, float(areas[i]), bool(placed[i]))
            for i, row in zip(odd.tolist(), rows.take(pa.array(odd)).to_pylist(), strict=True)
        ]
        texts = pc.replace_with_mask(texts, pa.array(~plain), pa.array(done, pa.string()))
    return texts


def _tail(row: dict[str, Any], area: float, placed: bool) -> str:
    values: dict[str, Any] = {}
    if placed:
        values = {"area": area if np.isfinite(area) else 0.0, "iscrowd": 0}
    extra = loads(row["extra"] or "{}")
    extra = extra if isinstance(extra, dict) else {"extra": extra}
    values.update((k, v) for k, v in extra.items() if k not in _OWN)
    attributes = loads(row["attributes"] or "{}")
    attributes = attributes if isinstance(attributes, dict) else {"attributes": attributes}
    given = {
        "occluded": row["occluded"], "rotation": row["rotation"], "keyframe": row["keyframe"],
        "track_id": _number_or_text(row["track"]),
    }  # fmt: skip
    attributes.update((k, v) for k, v in given.items() if v is not None)
    if attributes or row["attributes"]:
        values["attributes"] = attributes
    if row["score"] is not None:
        values["score"] = row["score"]
    if row["text"] is not None:
        values["caption"] = row["text"]
    return "".join(f",{json.dumps(k)}:{plain_json(v)}" for k, v in values.items())


def _number_or_text(value: str | None) -> int | str | None:
    return int(value) if value is not None and value.isdecimal() else value
