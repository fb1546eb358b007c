"""COCO annotations from text to columns: pure, so that a helper process can do it.

`parse` takes annotations as practically all are: whole numbers as ids, the keys that are known,
geometry of the usual shape. Where one of a chunk is not so it says None, and the chunk is decoded
as records (`records`), each looked at by itself, which `columns_of` turns into the same columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Raw
from numpy.typing import NDArray

from .columns import extra_of, split_attributes, texts_of
from .geometry import Geometry, geometry_of
from .records import has_repeated_keys
from .segmentation import ABSENT, Odd

__all__ = ["Columns", "Parsed", "columns_of", "parse"]

Integers = NDArray[np.int64]


class Columns(NamedTuple):
    """What n annotations hold, where it does not depend on anything else."""

    geometry: Geometry
    extra: pa.Array
    attributes: dict[str, Any]  # columns by name
    texts: list[str | None] | None  # captions; None: there are none
    scores: list[float | None] | None
    tracks: list[int | str | None] | None


class Parsed(NamedTuple):
    """The columns of annotations of the usual shape, and their ids."""

    columns: Columns
    ids: Integers | None
    images: Integers
    categories: Integers | None


class _Usual(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    image_id: int
    id: int | None = None
    category_id: int | None = None
    bbox: Raw = ABSENT
    segmentation: Raw = ABSENT
    area: Raw = ABSENT
    iscrowd: int | None = None
    keypoints: Raw = ABSENT
    num_keypoints: int | None = None
    attributes: Raw = ABSENT
    score: float | None = None
    track_id: int | None = None
    caption: ClassVar[Raw] = ABSENT
    more: ClassVar[str] = ""


_decoder = msgspec.json.Decoder(list[_Usual])


def columns_of(records: Sequence[Any]) -> Columns:
    """Return what annotations (`Annotation`, or what else has its fields) hold as columns.

    Raises:
        Odd: some of it has another shape than it has usually.
    """
    geometry = geometry_of(records)
    captions = [r.caption for r in records]
    is_box = ~np.isnan(geometry.boxes[:, 0]) & (geometry.kinds == 0)
    is_box &= geometry.joint_lengths == 0
    return Columns(
        geometry,
        extra_of(records, geometry.joints, geometry.joint_lengths),
        split_attributes([r.attributes for r in records], is_box),
        texts_of(captions) if any(captions) else None,
        _or_none([r.score for r in records]),
        _or_none([r.track_id for r in records]),
    )


def parse(text: Any) -> Parsed | None:
    """Return the columns of a JSON array of annotations; None where some are not as usual."""
    try:
        records = _decoder.decode(text)
        if not records or has_repeated_keys(text, len(records)):
            return None
        images = np.array([r.image_id for r in records], np.int64)
        ids = _whole([r.id for r in records])
        categories = _whole([r.category_id for r in records])
        return Parsed(columns_of(records), ids, images, categories)
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError, Odd):
        return None


def _whole(values: list[int | None]) -> Integers | None:
    # All have one, or none has.
    missing = values.count(None)
    if missing not in (0, len(values)):
        raise Odd
    return None if missing else np.array(values, np.int64)


def _or_none(values: list[Any]) -> list[Any] | None:
    return None if values.count(None) == len(values) else values
