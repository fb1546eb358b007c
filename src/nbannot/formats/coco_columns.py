"""The columns of COCO annotations that are not geometry: attributes, and extra."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from msgspec import Raw
from numpy.typing import NDArray

from .coco_json import plain_json
from .coco_records import ABSENT, Annotation
from .coco_segmentation import Odd

__all__ = ["extra_of", "split_attributes"]


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
        values = json.loads(text)
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
    if isinstance(track, int) and not isinstance(track, bool):
        found["track"] = str(values.pop("track_id"))
    return _Attributes(plain_json(values) if values or not found else None, **found)


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
    if counts.count(None) == len(counts):
        texts = [
            _extra(r, None) if r.iscrowd or r.more or not r.area else b'{"area":%b}' % r.area
            for r in records
        ]
    else:
        texts = [_extra(r, c) for r, c in zip(records, counts, strict=True)]
    return pa.array(texts, pa.binary()).cast(pa.string())


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
