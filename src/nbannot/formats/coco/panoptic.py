"""COCO panoptic: one PNG per image, in which each segment has a colour of its own.

A segment's id is R + 256 G + 65536 B of its colour; 0 is nobody's. Each segment becomes a mask.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Raw
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ...errors import SourceError
from ...geometry import mask_to_rle
from ...schema import BatchBuilder
from ...sources.base import Source
from .json import Document, loads, plain_json
from .labels import ident
from .layout import Part
from .records import Annotation, Lines

__all__ = ["PanopticReader", "is_panoptic"]

MAX_PIXELS = 64_000_000
_KNOWN = ("id", "category_id", "bbox")


def is_panoptic(document: Document) -> bool:
    """Say whether the annotations of a file are panoptic."""
    return bool(document.annotations) and b'"segments_info"' in bytes(document.annotations[0])


class PanopticReader:
    """Turns the panoptic annotations of one file into masks.

    Args as for `AnnotationReader`; the PNG files lie in the folder beside the file that is named
    like it (``panoptic_val.json``, ``panoptic_val/``), or in the file's own folder.
    """

    def __init__(
        self, source: Source, part: Part, lines: Lines,
        items: Mapping[Any, int], names: Mapping[Any, str], sizes: NDArray[np.float64],
        keys: Sequence[str], first: int,
    ) -> None:  # fmt: skip
        self._source, self._lines = source, lines
        self._items, self._names, self._sizes, self._first = items, names, sizes, first
        stem = part.path.rpartition(".")[0]
        folder = part.path.rpartition("/")[0]
        self._folders = (f"{stem}/", f"{folder}/" if folder else "", "")
        lines.noun = "panoptic annotation"
        lines.item_key = lambda image: keys[items[image] - first] if image in items else ""

    def rows(self, raws: list[Raw], places: Sequence[int]) -> pa.Table:
        """Return the rows of some annotations, in order."""
        builder = BatchBuilder()
        for raw, at in zip(raws, places, strict=True):
            self._image(_object(raw), at, builder)
        return builder.flush().annotations

    def _image(self, values: dict[str, Any], at: int, builder: BatchBuilder) -> None:
        image = ident(values.get("image_id"))
        record = Annotation(image if image is not None else "", at=at)
        item = self._items.get(image)
        segments = _segments(values)
        self._lines.ledger.read(max(len(segments), 1))
        if not segments:
            reason = "no segments"
            self._lines.reject(record, reason, "it has no list segments_info with segments")
            return
        problem = "" if item is not None else f"it is on image id {image}, which is not declared"
        ids: NDArray[np.uint32] | None = None
        if item is not None:
            ids, problem = self._pixels(values.get("file_name"), item)
        for segment in segments:
            key = ident(segment.get("id"))
            one = Annotation(record.image_id, id=f"{at}, segment {key}", at=at)
            if ids is None or item is None:
                self._lines.reject(one, "the segment has no mask", problem)
                continue
            self._segment(segment, key, one, item, ids, builder)

    def _segment(
        self, segment: dict[str, Any], key: Any, record: Annotation, item: int,
        ids: NDArray[np.uint32], builder: BatchBuilder,
    ) -> None:  # fmt: skip
        category = ident(segment.get("category_id"))
        if category not in self._names:
            text = f"it has category id {category}, which is not declared"
            self._lines.reject(record, "the category is not declared", text)
            return
        mask: NDArray[np.bool_] = (
            ids == key if isinstance(key, int) else np.zeros(ids.shape, np.bool_)
        )
        if not mask.any():
            text = f"segment {key} has no pixel in its PNG"
            self._lines.reject(record, "the segment has no mask", text)
            return
        bbox = segment.get("bbox")
        if not (isinstance(bbox, list) and len(bbox) == 4 and all(_is_number(v) for v in bbox)):
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            bbox = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
        x, y, w, h = (float(v) for v in bbox)
        extra = {k: v for k, v in segment.items() if k not in _KNOWN}
        if not extra.get("iscrowd", 1):
            del extra["iscrowd"]
        builder.annotation(
            item, type="mask", label=self._names[category], x=x, y=y, w=w, h=h,
            mask=mask_to_rle(mask), mask_height=mask.shape[0], mask_width=mask.shape[1],
            source_id=str(key), extra=plain_json(extra) if extra else None,
        )  # fmt: skip

    def _pixels(self, name: Any, item: int) -> tuple[NDArray[np.uint32] | None, str]:
        # The segment id of each pixel, or why there is none.
        paths = [f"{folder}{name}" for folder in self._folders]
        path = next((p for p in paths if p in self._source.files), None)
        if path is None:
            return None, f"the PNG {name!r} is not in {self._source.name}"
        try:
            with Image.open(io.BytesIO(self._source.read(path)), formats=("PNG",)) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    return None, f"{path} has {picture.width}x{picture.height} pixels, too many"
                wide = picture if picture.mode in ("L", "I", "I;16") else picture.convert("RGB")
                pixels: NDArray[Any] = np.asarray(wide, np.uint32)
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, SourceError) as error:
            return None, f"{path} can't be read: {error}"
        if pixels.ndim == 3:
            pixels = pixels[..., 0] | pixels[..., 1] << 8 | pixels[..., 2] << 16
        width, height = self._sizes[item - self._first]
        if not np.isnan(width) and pixels.shape != (height, width):
            size = f"{pixels.shape[1]}x{pixels.shape[0]}"
            return None, f"{path} is {size}, but the image is {width:.0f}x{height:.0f}"
        return pixels, ""


def _object(raw: Raw) -> dict[str, Any]:
    try:
        values = loads(bytes(raw))
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _segments(values: dict[str, Any]) -> list[dict[str, Any]]:
    segments = values.get("segments_info")
    if not isinstance(segments, list):
        return []
    return [s if isinstance(s, dict) else {} for s in segments]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
