"""COCO annotations, in chunks, as columns.

One annotation is one row: its type is polygon (all parts in one row), mask (run lengths), skeleton
(keypoints), box, text (a caption) or tag, the first of these that it has. Keypoints beside a
polygon or a mask make two rows, which share `group`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...schema import ANNOTATIONS, table
from .chunks import Chunk
from .columns import instances_as_tracks, split_attributes, texts_of
from .geometry import geometry_of
from .labels import ident
from .parse import Columns, Parsed, columns_of
from .records import Annotation, Lines, again, decode
from .rows import as_text, box_columns, filled_boxes, segmentation_columns, with_skeletons
from .segmentation import Mask, Odd
from .twins import Twins

__all__ = ["AnnotationReader"]

_EDGE = 0.5  # pixels a box may pass the edge by, from rounding, before it is said to be outside

_TYPES = pa.array(["box", "tag", "text", "skeleton", "polygon", "mask"])
_BOX, _TAG, _TEXT, _SKELETON, _POLYGON, _MASK = range(6)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class AnnotationReader:
    """Turns the annotations of one file into rows.

    Args:
        lines: the ledger lines about the file.
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
        self, lines: Lines, items: Mapping[Any, int], names: dict[Any, str], sizes: Floats,
        keys: Sequence[str], first: int, *, corners: bool = False, twins: Twins | None = None,
        is_first: bool = True, layer: str | None = None, frames: Floats | None = None,
    ) -> None:  # fmt: skip
        self._layer, self._frames = layer, frames
        self._lines, self._items = lines, items
        self._names, self._declared = names, bool(names)
        self._sizes, self._first = sizes, first
        self._corners, self._twins, self._is_first = corners, twins, is_first
        self._seen: set[Any] = set()
        self.outside = self.boxes = self.as_corners = 0
        self.undeclared: set[Any] = set()
        lines.item_key = lambda image: (
            keys[self._items[image] - first] if image in self._items else ""
        )

    def rows(self, chunk: Chunk) -> pa.Table:
        """Return the rows of a chunk, in order."""
        self._lines.ledger.read(len(chunk.places))
        rows = self._usual_rows(chunk.parsed, chunk.places) if chunk.parsed is not None else None
        if rows is not None:
            return rows
        records = decode(chunk.text, chunk.places, self._lines)
        records, items = self._placed(records)
        try:
            return self._rows(records, items, columns_of(records))
        except Odd:
            records, items = self._placed(self._mended(records), warn=False)
            return self._rows(records, items, columns_of(records))

    # -- annotations of the usual shape -------------------------------------------------

    def _usual_rows(self, parsed: Parsed, places: Sequence[int]) -> pa.Table | None:
        # None, before anything is said, where one has to be looked at by itself.
        if self._twins:
            return None
        items = self._known_items(parsed.images)
        labels = self._known_labels(parsed.categories, len(parsed.images))
        if items is None or labels is None or self._bad_masks(parsed.columns, items):
            return None
        if parsed.ids is not None:
            fresh = set(parsed.ids.tolist())
            if len(fresh) < len(parsed.ids) or not self._seen.isdisjoint(fresh):
                return None
            self._seen |= fresh
        names = _Names(parsed, places)
        return self._table(names, items, labels, as_text(names.ids), parsed.columns)

    @cached_property
    def _whole_ids(self) -> tuple[Integers, Integers]:
        # Image ids in order, and their items.
        ids = np.array([k for k in self._items if isinstance(k, int) and -(2**63) <= k < 2**63])
        items = np.array([self._items[k] for k in ids.tolist()], np.int64)
        order = np.argsort(ids)
        return ids[order], items[order]

    def _known_items(self, images: Integers) -> Integers | None:
        ids, items = self._whole_ids
        if not len(ids):
            return None
        places = np.minimum(np.searchsorted(ids, images), len(ids) - 1)
        return items[places] if (ids[places] == images).all() else None

    def _known_labels(self, categories: Integers | None, count: int) -> pa.Array | None:
        if categories is None:
            return pa.nulls(count, pa.string())
        keys, places = np.unique(categories, return_inverse=True)
        if self._declared and not self._names.keys() >= {*keys.tolist()}:
            return None
        names = [self._name(key) for key in keys.tolist()]
        return pa.array(names, pa.string()).take(pa.array(places))

    # -- annotations one by one ---------------------------------------------------------

    def _rows(self, records: list[Annotation], items: Integers, columns: Columns) -> pa.Table:
        bad = self._bad_masks(columns, items)
        if bad:
            for i, problem in bad.items():
                self._lines.reject(records[i], "the mask does not fit", problem)
            keep = [i for i in range(len(records)) if i not in bad]
            records, items = [records[i] for i in keep], items[keep]
            return self._rows(records, items, columns_of(records))
        labels = pa.array([self._label(r) for r in records], pa.string())
        return self._table(records, items, labels, as_text([r.id for r in records]), columns)

    def _label(self, record: Annotation) -> str | None:
        key = record.category_id
        if record.caption:  # it needs none
            return self._names.get(key)
        return None if key is None else self._name(key)

    def _name(self, category: Any) -> str | None:
        if not self._declared and category not in self._names:
            self._names[category] = f"category {category}"
            self.undeclared.add(category)
        return self._names.get(category)

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

    # -- rows ---------------------------------------------------------------------------

    def _table(
        self, records: Sequence[Annotation], items: Integers, labels: pa.Array, ids: pa.Array,
        parsed: Columns,
    ) -> pa.Table:  # fmt: skip
        geometry, texts, tracks = parsed.geometry, parsed.texts, parsed.tracks
        kinds, has_points = geometry.kinds, geometry.joint_lengths > 0
        has_box = ~np.isnan(geometry.boxes[:, 0])
        boxes = filled_boxes(geometry, corners=self._corners)
        self._check_boxes(records, items, boxes)
        types = np.where(has_box, _BOX, _TAG)
        if texts is not None:
            types[np.array([t is not None for t in texts]) & ~has_box] = _TEXT
        types[has_points] = _SKELETON
        types[kinds == 1], types[kinds == 2] = _POLYGON, _MASK
        double = has_points & (kinds > 0)
        groups, known = self._groups(records, items, double, has_points)
        columns: dict[str, Any] = {
            "item": items,
            "type": _TYPES.take(pa.array(types)),
            "label": labels,
            **box_columns(boxes),
            "source_id": ids,
            "extra": parsed.extra,
            **parsed.attributes,
            **segmentation_columns(geometry),
        }
        if texts is not None:
            columns["text"] = texts
        if groups is not None:
            columns["group"] = groups
        if parsed.scores is not None:
            columns["score"] = parsed.scores
        if tracks is not None:
            own = columns.get("track", [None] * len(tracks))
            columns["track"] = [
                o if t is None else str(t) for t, o in zip(tracks, own, strict=True)
            ]
        if self._layer is not None:
            columns["layer"] = pa.repeat(self._layer, len(records))
        if self._frames is not None:
            columns["frame"] = pa.array(self._frames[items - self._first], from_pandas=True)
            instances_as_tracks(records, columns)
        rows = table(columns, ANNOTATIONS)
        self._lines.ledger.split(int((double & ~known).sum()))
        self._lines.ledger.joined(int((known & ~has_points).sum()))
        if has_points.any():
            return with_skeletons(rows, geometry, known)
        return rows.filter(pa.array(~known)) if known.any() else rows

    def _bad_masks(self, columns: Columns, items: Integers) -> dict[int, str]:
        # The problem of each mask that has one.
        geometry = columns.geometry
        places = np.flatnonzero(geometry.kinds == 2).tolist()
        found = (
            (i, self._problem(m, items[i])) for i, m in zip(places, geometry.masks, strict=True)
        )
        return {i: problem for i, problem in found if problem}

    def _problem(self, mask: Mask, item: int) -> str:
        width, height = self._sizes[item - self._first]
        if mask.problem or np.isnan(width) or (mask.width, mask.height) == (width, height):
            return mask.problem
        problem = f"its mask is {mask.width}x{mask.height} (width x height), "
        problem += f"but the image is {width:.0f}x{height:.0f}"
        swapped = (mask.height, mask.width) == (width, height)
        return problem + (": the two are swapped" if swapped else "")

    def _check_boxes(self, records: Sequence[Annotation], items: Integers, boxes: Floats) -> None:
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

    def _groups(
        self, records: Sequence[Annotation], items: Integers, double: NDArray[np.bool_],
        has_points: NDArray[np.bool_],
    ) -> tuple[list[int | None] | None, NDArray[np.bool_]]:  # fmt: skip
        # The group of each row that has a partner, and which records another file told already.
        groups: dict[int, int] = {i: _group(records[i]) for i in np.flatnonzero(double).tolist()}
        known = np.zeros(len(records), np.bool_)
        if self._twins:
            for i, (item, record) in enumerate(zip(items.tolist(), records, strict=True)):
                if self._is_first:
                    if self._twins.meet(item, record):
                        groups[i] = _group(record)
                elif self._twins.is_known(item, record):
                    known[i] = True
                    groups.pop(i, None)
                    if has_points[i]:
                        groups[i] = _group(record)
        return [groups.get(i) for i in range(len(records))] if groups else None, known


class _Names(Sequence[Annotation]):
    """Annotations of the usual shape as the ledger names them, each made when it is asked for."""

    def __init__(self, parsed: Parsed, places: Sequence[int]) -> None:
        count = len(parsed.images)
        self.ids = [None] * count if parsed.ids is None else parsed.ids
        self._images, self._places = parsed.images, places

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, i: Any) -> Any:
        ident_ = self.ids[i]
        name = None if ident_ is None else int(ident_)
        return Annotation(int(self._images[i]), id=name, at=self._places[i])


def _group(record: Annotation) -> int:
    ok = isinstance(record.id, int) and 0 <= record.id < 2**63
    return record.id if ok and isinstance(record.id, int) else record.at


def _short(box: Floats) -> str:
    return "[" + ", ".join(f"{v:g}" for v in box) + "]"
