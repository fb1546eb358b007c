"""Writing COCO panoptic: polygons and masks of each image painted into one PNG.

A pixel has one segment. Segments are painted in drawing order, the last over the others: what is
covered is a line of the ledger.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...geometry import rings_to_mask, rle_to_mask
from ...ledger import Ledger
from ...schema import Batch
from ..writing import Sink, annotation_ranks, safe_path
from .json import loads, plain_json
from .panoptic import MAX_PIXELS

__all__ = ["PAINTED", "Painter"]

PAINTED = frozenset(("polygon", "mask"))
"""Types of annotation that become segments."""

_TOP = 1 << 24  # ids are three bytes
_OWN = ("id", "category_id", "bbox", "area", "iscrowd")
_UNKEPT = ("attributes", "score", "track", "group", "occluded", "text")
_READ = (
    "item", "type", "label", "x", "y", "w", "h", "points", "rings", "mask", "mask_height",
    "mask_width", "z_order", "source_id", "extra",
)  # fmt: skip
Ids = NDArray[np.uint32]
Row = dict[str, Any]


class Painter:
    """Paints the segments of one subset, image by image; `annotations` are those of its JSON.

    Args:
        sink: where the PNG files go, into `folder`.
        folder: the folder named like the JSON file.
        category_of: the category id of a label.
        ledger: where it is told what is not kept.
        lose: counts what has no place.
    """

    def __init__(
        self, sink: Sink, folder: str, category_of: Callable[[str | None], int | None],
        ledger: Ledger, lose: Callable[[str, int], None],
    ) -> None:  # fmt: skip
        self._sink, self._folder, self._category_of = sink, folder, category_of
        self._ledger, self._lose = ledger, lose
        self._taken: set[str] = set()
        self.annotations: list[str] = []

    def paint(self, batch: Batch, images: Mapping[int, int]) -> None:
        """Paint the items of a batch; `images` are their image ids."""
        rows = batch.annotations.select([*_READ, *_UNKEPT]).to_pylist()
        mine: dict[int, list[Row]] = {}
        for row, rank in zip(rows, annotation_ranks(batch).tolist(), strict=True):
            if row["type"] in PAINTED:
                row["record"] = f"annotation {rank}"
                mine.setdefault(row["item"], []).append(row)
        columns = batch.items.select(["item", "key", "width", "height"]).to_pylist()
        for item in columns:
            if item["item"] in mine and item["item"] in images:
                self._image(item, mine[item["item"]], images[item["item"]])

    def _image(self, item: Row, rows: list[Row], image: int) -> None:
        size = item["height"], item["width"]
        if None in size:
            sizes = [(r["mask_height"], r["mask_width"]) for r in rows if r["type"] == "mask"]
            size = sizes[0] if sizes else size
        ids: Ids | None = None
        if None not in size and size[0] * size[1] <= MAX_PIXELS:
            ids = np.zeros(size, np.uint32)
        numbers = _numbers([row["source_id"] for row in rows])
        pixels: dict[int, int] = {}
        order = sorted(range(len(rows)), key=lambda i: rows[i]["z_order"] or 0)
        for i in order:
            mask, problem = self._mask(rows[i], ids)
            if ids is None or mask is None:
                self._reject(item["key"], rows[i], *problem)
                continue
            ids[mask] = numbers[i]
            pixels[numbers[i]] = int(mask.sum())
        if ids is None or not pixels:
            return
        found = dict(zip(*(v.tolist() for v in np.unique(ids, return_counts=True)), strict=True))
        segments = []
        for row, number in zip(rows, numbers, strict=True):
            if number not in pixels:
                continue
            left = found.get(number, 0)
            if not left:
                text = "other segments cover all of it, and a pixel has one segment only"
                self._reject(item["key"], row, "covered by other segments", text)
                continue
            if left < pixels[number]:
                text = f"{pixels[number] - left:,} of its {pixels[number]:,} pixels are covered"
                self._warn(item["key"], row, "partly covered by other segments", text)
            segments.append(self._segment(row, number, ids, left == pixels[number], left, item))
        if segments:
            self._save(item["key"], image, ids, segments)

    def _mask(self, row: Row, ids: Ids | None) -> tuple[Any, tuple[str, str]]:
        # The pixels of a row, or why there are none.
        if row["label"] is None:
            return None, ("segment without label", "a segment has a category")
        if ids is None:
            return None, ("image without size", "the size of its image is not known, or too large")
        height, width = ids.shape
        if row["type"] == "mask":
            theirs = row["mask_height"], row["mask_width"]
            if theirs != (height, width):
                text = f"it is {theirs[1]}x{theirs[0]}, but the image is {width}x{height}"
                return None, ("the mask does not fit", text)
            mask = rle_to_mask(row["mask"], height, width)
        else:
            if not np.isfinite(row["points"]).all():
                return None, ("not a number", "it has a coordinate that is no finite number")
            mask = rings_to_mask(row["points"], row["rings"], height, width)
        if not mask.any():
            return None, ("covers no pixel", "it covers no pixel of its image")
        return mask.astype(bool), ("", "")

    def _segment(
        self, row: Row, number: int, ids: Ids, whole: bool, left: int, item: Row
    ) -> Mapping[str, Any]:
        if row["type"] == "polygon":
            text = f"it is written as a mask, {ids.shape[1]}x{ids.shape[0]} pixels"
            self._warn(item["key"], row, "polygon written as a mask", text)
        for name in _UNKEPT:
            if row[name] is not None:
                self._lose(f"{name} of segments", 1)
        extra = loads(row["extra"] or "{}")
        extra = extra if isinstance(extra, dict) else {"extra": extra}
        box = [row[n] for n in "xywh"]
        if not whole or None in box or not np.isfinite(box).all():
            down, across = (np.flatnonzero((ids == number).any(axis)) for axis in (1, 0))
            box = [across[0], down[0], across[-1] - across[0] + 1, down[-1] - down[0] + 1]
            box = [int(v) for v in box]
        kept = whole and row["type"] == "mask" and "area" in extra
        return {
            "id": number, "category_id": self._category_of(row["label"]),
            "bbox": [int(v) if float(v).is_integer() else v for v in box],
            "area": extra["area"] if kept else left, "iscrowd": extra.get("iscrowd") or 0,
            **{k: v for k, v in extra.items() if k not in _OWN},
        }  # fmt: skip

    def _save(self, key: str, image: int, ids: Ids, segments: Sequence[Mapping[str, Any]]) -> None:
        stem = safe_path(key).rpartition(".")
        name = f"{stem[0] or stem[2]}.png"
        if name.lower() in self._taken:
            name = f"{safe_path(key)}.png"
        self._taken.add(name.lower())
        colours = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1).astype(np.uint8)
        out = io.BytesIO()
        Image.fromarray(colours).save(out, "PNG")
        self._sink.write(f"{self._folder}/{name}", out.getvalue())
        told = plain_json(list(segments))
        self.annotations.append(
            f'{{"image_id":{image},"file_name":{json.dumps(name)},"segments_info":{told}}}'
        )

    def _reject(self, key: str, row: Row, reason: str, text: str) -> None:
        record = row["record"]
        message = f"{record} of {key}: {text}"
        self._ledger.reject(reason, file=key, record=record, item=key, message=message)

    def _warn(self, key: str, row: Row, reason: str, text: str) -> None:
        record = row["record"]
        message = f"{record} of {key}: {text}"
        self._ledger.warn(reason, file=key, record=record, item=key, message=message)


def _numbers(source_ids: Sequence[str | None]) -> list[int]:
    # The source's ids where they are colours, and one each; else the first that are free.
    given = [int(i) if i and i.isdecimal() and 0 < int(i) < _TOP else 0 for i in source_ids]
    taken, free = {0}, 0
    found = []
    wanted = set(given)
    for number in given:
        if number in taken:
            free += 1
            while free in taken or free in wanted:
                free += 1
            number = free
        taken.add(number)
        found.append(number)
    return found
