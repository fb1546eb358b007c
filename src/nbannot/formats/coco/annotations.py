"""COCO annotations, in chunks, as columns.

One annotation is one row: its type is polygon (all parts in one row), mask (run lengths), skeleton
(keypoints), box, text (a caption) or tag, the first of these that it has. Keypoints beside a
polygon or a mask make two rows, which share `group`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Raw
from numpy.typing import NDArray

from ...geometry import bounds
from ...schema import ANNOTATIONS, offsets, table
from .columns import extra_of, instances_as_tracks, split_attributes, texts_of
from .geometry import Geometry, geometry_of
from .json import Document
from .labels import ident
from .records import Annotation, Lines, again, decode
from .segmentation import Mask, Odd, Polygons, list_array
from .twins import Twins

__all__ = ["AnnotationReader"]

_EDGE = 0.5  # pixels a box may pass the edge by, from rounding, before it is said to be outside

_TYPES = pa.array(["box", "tag", "text", "skeleton", "polygon", "mask"])
_BOX, _TAG, _TEXT, _SKELETON, _POLYGON, _MASK = range(6)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Begun = tuple[list[Annotation], Integers, "Future[Geometry]"]


class AnnotationReader:
    """Turns the annotations of one file into rows.

    Args:
        document: the file.
        items: item number of each image id.
        names: label of each category id; empty where the file declares none.
        sizes: (width, height) of each item, from number `first` on.
        keys: key of each item, from number `first` on.
        corners: boxes are written as x1, y1, x2, y2.
        twins: objects shared with other files of the subset.
        is_first: is this the first of these files?
        layer: name of the layer of predictions that all are in.
        frames: frame of its video that each item is, from number `first` on; NaN: of none.
    """

    def __init__(
        self, document: Document, lines: Lines, items: Mapping[Any, int],
        names: dict[Any, str], sizes: Floats, keys: Sequence[str], first: int, *,
        corners: bool = False, twins: Twins | None = None, is_first: bool = True,
        layer: str | None = None, frames: Floats | None = None,
    ) -> None:  # fmt: skip
        self._layer, self._frames = layer, frames
        self._document, self._lines, self._items = document, lines, items
        self._names, self._declared = names, bool(names)
        self._sizes, self._first = sizes, first
        self._corners, self._twins, self._is_first = corners, twins, is_first
        self._seen: set[Any] = set()
        self.outside = self.boxes = self.as_corners = 0
        self.undeclared: set[Any] = set()
        lines.item_key = lambda image: (
            keys[self._items[image] - first] if image in self._items else ""
        )

    def begin(self, raws: list[Raw], places: Sequence[int], pool: Executor) -> Begun:
        """Decode some annotations; their geometry is parsed in `pool`, beside what comes next."""
        self._lines.ledger.read(len(raws))
        records = decode(self._document, raws, places, self._lines)
        records, items = self._placed(records)
        return records, items, pool.submit(geometry_of, records)

    def finish(self, begun: Begun) -> pa.Table:
        """Return the rows of what was begun, in order."""
        records, items, geometry = begun
        try:
            return self._table(records, items, geometry.result())
        except Odd:
            records, items = self._placed(self._mended(records), warn=False)
            return self._table(records, items, geometry_of(records))

    def _placed(
        self, records: list[Annotation], *, warn: bool = True
    ) -> tuple[list[Annotation], Integers]:
        # The records whose image and category are known, and their item numbers.
        find, names = self._items.get, self._names
        items = [find(r.image_id) for r in records]
        if None in items:
            items = [
                find(ident(r.image_id)) if i is None else i
                for i, r in zip(items, records, strict=True)
            ]
        wrong = None in items
        if self._declared:
            wrong = wrong or not {r.category_id for r in records} <= {*names, None}
        if wrong:
            kept = [i for i, r in enumerate(records) if self._is_placed(items[i], r)]
            records, items = [records[i] for i in kept], [items[i] for i in kept]
        if warn:
            self._find_twice(records)
        return records, np.array(items, np.int64)

    def _is_placed(self, item: int | None, record: Annotation) -> bool:
        if item is None:
            text = f"it is on image id {record.image_id}, which is not among the images"
            self._lines.reject(record, "the annotation is on an unknown image", text)
            return False
        key = record.category_id
        if self._declared and key is not None and key not in self._names:
            record.category_id = ident(key)
            if record.category_id not in self._names and not record.caption:
                text = f"it has category id {key}, which is not declared"
                self._lines.reject(record, "the category is not declared", text)
                return False
        return True

    def _find_twice(self, records: list[Annotation]) -> None:
        fresh = {r.id for r in records}
        fresh.discard(None)
        if len(fresh) < len(records) or not self._seen.isdisjoint(fresh):
            for record in records:
                if record.id in self._seen:
                    text = "its id is that of another annotation too; both are kept"
                    self._lines.warn(record, "an annotation id comes twice", text)
                elif record.id is not None:
                    self._seen.add(record.id)
        self._seen |= fresh

    def _mended(self, records: list[Annotation]) -> list[Annotation]:
        # Halve until the odd ones are found; each of those is looked at by itself.
        if len(records) <= 8:
            found = [again(r, self._lines) for r in records]
            return [r for r in found if r is not None]
        middle = len(records) // 2
        out: list[Annotation] = []
        for part in (records[:middle], records[middle:]):
            try:
                geometry_of(part)
                texts_of([r.caption for r in part])
                split_attributes([r.attributes for r in part], np.zeros(len(part), np.bool_))
                out += part
            except Odd:
                out += self._mended(part)
        return out

    # -- columns ----------------------------------------------------------------------

    def _table(self, records: list[Annotation], items: Integers, geometry: Geometry) -> pa.Table:
        boxes, kinds, polygons, masks, joints, joint_lengths = geometry
        has_points, has_box = joint_lengths > 0, ~np.isnan(boxes[:, 0])
        # What may turn out odd comes before any line is written.
        captions = [r.caption for r in records]
        texts = texts_of(captions) if any(captions) else None
        is_box = has_box & (kinds == 0) & ~has_points
        attributes = split_attributes([r.attributes for r in records], is_box)
        bad = self._bad_masks(records, items, kinds, masks)
        if bad:
            keep = [i for i in range(len(records)) if i not in bad]
            records = [records[i] for i in keep]
            return self._table(records, items[keep], geometry_of(records))
        count = len(records)
        if self._corners:
            boxes[:, 2:] -= boxes[:, :2]
        self._fill_boxes(boxes, kinds, polygons, masks)
        self._check_boxes(records, items, boxes)
        types = np.where(has_box, _BOX, _TAG)
        if texts is not None:
            types[np.array([t is not None for t in texts]) & ~has_box] = _TEXT
        types[has_points] = _SKELETON
        types[kinds == 1], types[kinds == 2] = _POLYGON, _MASK
        double = has_points & (kinds > 0)
        extra = extra_of(records, joints, joint_lengths)
        groups, known = self._groups(records, items, double, has_points)
        scores = [r.score for r in records]
        tracks = [r.track_id for r in records]
        columns: dict[str, Any] = {
            "item": items,
            "type": _TYPES.take(pa.array(types)),
            "label": self._labels(records),
            **dict(zip("xywh", _columns(boxes), strict=True)),
            "source_id": _as_text([r.id for r in records]),
            "extra": extra,
            **attributes,
        }
        if texts is not None:
            columns["text"] = texts
        if groups.count(None) < count:
            columns["group"] = groups
        if scores.count(None) < count:
            columns["score"] = scores
        if tracks.count(None) < count:
            own = columns.get("track", [None] * count)
            columns["track"] = [
                o if t is None else str(t) for t, o in zip(tracks, own, strict=True)
            ]
        if self._layer is not None:
            columns["layer"] = pa.repeat(self._layer, count)
        if self._frames is not None:
            columns["frame"] = pa.array(self._frames[items - self._first], from_pandas=True)
            instances_as_tracks(records, columns)
        self._add_segmentation(columns, kinds, polygons, masks)
        rows = table(columns, ANNOTATIONS)
        self._lines.ledger.split(int((double & ~known).sum()))
        self._lines.ledger.joined(int((known & ~has_points).sum()))
        if has_points.any():
            return _with_skeletons(rows, joints, joint_lengths, kinds, known)
        return rows.filter(pa.array(~known)) if known.any() else rows

    def _bad_masks(
        self, records: list[Annotation], items: Integers, kinds: NDArray[np.int8], masks: list[Mask]
    ) -> set[int]:
        bad: set[int] = set()
        for mask, i in zip(masks, np.flatnonzero(kinds == 2).tolist(), strict=True):
            width, height = self._sizes[items[i] - self._first]
            problem = mask.problem
            fits = np.isnan(width) or (mask.width, mask.height) == (width, height)
            if not problem and not fits:
                problem = f"its mask is {mask.width}x{mask.height} (width x height), "
                problem += f"but the image is {width:.0f}x{height:.0f}"
                if (mask.height, mask.width) == (width, height):
                    problem += ": the two are swapped"
            if problem:
                self._lines.reject(records[i], "the mask does not fit", problem)
                bad.add(i)
        return bad

    def _fill_boxes(
        self, boxes: Floats, kinds: NDArray[np.int8], polygons: Polygons, masks: list[Mask]
    ) -> None:
        # A segmentation without bbox gets the box of its outline.
        empty = np.isnan(boxes[:, 0])
        if (empty & (kinds == 1)).any():
            mine = empty[kinds == 1]
            with np.errstate(over="ignore"):
                outlines = bounds(polygons.numbers, offsets(polygons.lengths))
            boxes[empty & (kinds == 1)] = outlines[mine]
        for mask, i in zip(masks, np.flatnonzero(kinds == 2).tolist(), strict=True):
            if empty[i]:
                from pycocotools import mask as coco_mask

                rle = {"counts": mask.counts, "size": [mask.height, mask.width]}
                boxes[i] = coco_mask.toBbox(rle)

    def _check_boxes(self, records: list[Annotation], items: Integers, boxes: Floats) -> None:
        x, y, w, h = boxes.T
        width, height = self._sizes[items - self._first].T
        with np.errstate(over="ignore"):
            outside = (x < -_EDGE) | (y < -_EDGE)
            outside |= (x + w > width + _EDGE) | (y + h > height + _EDGE)
            corners = (w > x) & (h > y) & (w <= width) & (h <= height)
        self.boxes += len(boxes)
        self.outside += int(outside.sum())
        self.as_corners += int(corners.sum())
        for i in np.flatnonzero(outside).tolist():
            text = f"its box {_short(boxes[i])} reaches outside the image"
            if not np.isnan(width[i]):
                text += f" of {width[i]:.0f}x{height[i]:.0f}"
            self._lines.warn(records[i], "box reaches outside the image", text + "; kept as it is")
        for i in np.flatnonzero((w <= 0) | (h <= 0)).tolist():
            text = f"its box {_short(boxes[i])} has no area; kept as it is"
            self._lines.warn(records[i], "box has no area", text)

    def _labels(self, records: list[Annotation]) -> pa.Array:
        names = self._names
        if not self._declared:
            for record in records:
                key = record.category_id
                if key is not None and not record.caption and key not in names:
                    names[key] = f"category {key}"
                    self.undeclared.add(key)
        return pa.array([names.get(r.category_id) for r in records], pa.string())

    def _groups(
        self, records: list[Annotation], items: Integers, double: NDArray[np.bool_],
        has_points: NDArray[np.bool_],
    ) -> tuple[list[int | None], NDArray[np.bool_]]:  # fmt: skip
        # The group of each row that has a partner, and which records another file told already.
        groups: list[int | None] = [None] * len(records)
        known = np.zeros(len(records), np.bool_)
        for i in np.flatnonzero(double).tolist():
            groups[i] = _group(records[i])
        if self._twins:
            for i, (item, record) in enumerate(zip(items.tolist(), records, strict=True)):
                if self._is_first:
                    if self._twins.meet(item, record):
                        groups[i] = _group(record)
                elif self._twins.is_known(item, record):
                    known[i] = True
                    groups[i] = _group(record) if has_points[i] else None
        return groups, known

    def _add_segmentation(
        self, columns: dict[str, Any], kinds: NDArray[np.int8], polygons: Polygons,
        masks: list[Mask],
    ) -> None:  # fmt: skip
        if (kinds == 1).any():
            other = kinds != 1
            lengths = np.zeros(len(kinds), np.int64)
            lengths[~other] = polygons.lengths
            columns["points"] = list_array(polygons.numbers, lengths, pa.float64(), other)
            if (polygons.ring_counts > 1).any():
                # One ring is the rule, and needs no count.
                several = polygons.ring_counts > 1
                rings = polygons.rings[np.repeat(several, polygons.ring_counts)]
                counts = np.zeros(len(kinds), np.int64)
                counts[~other] = np.where(several, polygons.ring_counts, 0)
                columns["rings"] = list_array(rings, counts, pa.int32(), counts == 0)
        if masks:
            places = np.flatnonzero(kinds == 2)
            rles = np.full(len(kinds), None, object)
            rles[places] = [m.counts for m in masks]
            columns["mask"] = pa.array(rles, pa.binary())
            for name, side in (("mask_height", "height"), ("mask_width", "width")):
                sides = np.full(len(kinds), np.nan)
                sides[places] = [getattr(m, side) for m in masks]
                columns[name] = pa.array(sides, from_pandas=True)


def _with_skeletons(
    rows: pa.Table, joints: Floats, lengths: Integers, kinds: NDArray[np.int8],
    known: NDArray[np.bool_],
) -> pa.Table:  # fmt: skip
    # Rows with keypoints: the skeleton alone, or after the polygon or mask of the same object.
    chosen = np.flatnonzero(lengths)
    xyv = joints.reshape(-1, 3)
    own = lengths[chosen]
    nobody = np.zeros(len(chosen), np.bool_)
    skeletons = rows.take(pa.array(chosen))
    changed = {
        "type": pa.array(["skeleton"] * len(chosen)),
        "points": list_array(xyv[:, :2].ravel(), own // 3 * 2, pa.float64(), nobody),
        "visibility": list_array(xyv[:, 2].astype(np.int8), own // 3, pa.int8(), nobody),
    }
    for name in ("rings", "mask", "mask_height", "mask_width"):
        changed[name] = pa.nulls(len(chosen), ANNOTATIONS.field(name).type)
    for name, column in changed.items():
        skeletons = skeletons.set_column(ANNOTATIONS.get_field_index(name), name, column)
    kept = np.flatnonzero(((kinds > 0) | (lengths == 0)) & ~known)
    both = pa.concat_tables([rows.take(pa.array(kept)), skeletons])
    order = np.argsort(np.concatenate([kept, chosen]), kind="stable")
    return both.take(pa.array(order)).combine_chunks()


def _group(record: Annotation) -> int:
    ok = isinstance(record.id, int) and 0 <= record.id < 2**63
    return record.id if ok and isinstance(record.id, int) else record.at


def _as_text(ids: list[Any]) -> pa.Array:
    try:
        return pa.array(ids, pa.int64()).cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if i is None else str(i) for i in ids], pa.string())


def _columns(boxes: Floats) -> list[pa.Array]:
    # The columns of (n, 4), NaN as null.
    some_absent = bool(np.isnan(boxes[:, 0]).any())
    return [pa.array(column, from_pandas=some_absent) for column in boxes.T.copy()]


def _short(box: Floats) -> str:
    return "[" + ", ".join(f"{v:g}" for v in box) + "]"
