"""The columns of the data model: names, Arrow types, units. The one place that knows them.

**Coordinates.** Pixels, float64, origin top left, x to the right, y down, continuous
(pixel i covers [i, i+1)), in the image *as displayed*: EXIF orientation applied.

**What an annotation is.** One row: its `type` says which columns hold its geometry.

============  ===============================================================================
type          columns
============  ===============================================================================
box           x, y, w, h of the unrotated box; rotation in degrees clockwise about its centre
ellipse       x, y, w, h of its unrotated bounding box; rotation as for a box
polygon       points, rings; x, y, w, h is its bounding box
polyline      points
points        points
skeleton      points, one per joint of the label's skeleton, visibility 0 absent, 1 hidden,
              2 visible; x, y, w, h is the box of the whole, where the format has one
mask          mask (COCO compressed RLE), mask_height, mask_width; x, y, w, h its bounding box
cuboid        points: 8 corners, front face first, clockwise from top left
tag, choice   label; number, text, ... are the value where the type is number, text, ...
text_span     start, end in Unicode code points, end exclusive
time_span     start, end in seconds
relation      attributes: {"from": source_id, "to": source_id, "direction": ...}
============  ===============================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .errors import SchemaError

__all__ = [
    "ANNOTATIONS",
    "DEFAULT_SUBSET",
    "ITEMS",
    "KINDS",
    "TYPES",
    "Batch",
    "BatchBuilder",
    "Label",
    "Skeleton",
]

DEFAULT_SUBSET = "default"
"""The subset of items for which a source names none."""

KINDS = ("image", "video", "audio", "text", "time_series", "table", "other")
"""What an item can be."""

TYPES = (
    "tag", "choice", "taxonomy", "rating", "number", "datetime", "text", "pairwise", "ranking",
    "box", "polygon", "polyline", "points", "skeleton", "mask", "ellipse", "cuboid",
    "text_span", "time_span", "relation",
)  # fmt: skip
"""What an annotation can be. The order is the code that pages use; append, never reorder."""

ITEMS = pa.schema(
    [
        pa.field("item", pa.int64()),  # the reader's own number of the item, unique in one read
        pa.field("subset", pa.string()),  # "train", ...; null: the source names none
        pa.field("key", pa.string()),  # relative path or given id: the item's identity in its task
        pa.field("kind", pa.string()),  # one of KINDS
        pa.field("media", pa.string()),  # path of the media file in the source; null: not there
        pa.field("uri", pa.string()),  # where else the media is (a URL the data names); not fetched
        pa.field("width", pa.int32()),  # pixels, as displayed
        pa.field("height", pa.int32()),
        pa.field("frames", pa.int64()),
        pa.field("duration", pa.float64()),  # seconds
        pa.field("source_id", pa.string()),  # the id the format gives it: an opaque key
        pa.field("data", pa.string()),  # JSON object: the Label Studio data dict, a table's row ...
        pa.field("meta", pa.string()),  # JSON object: what no other column holds
    ]
)
"""Columns of a Batch's items. `item`, `key` and `kind` are never null."""

ANNOTATIONS = pa.schema(
    [
        pa.field("item", pa.int64()),  # the item it is on: ITEMS.item of the same read
        pa.field("layer", pa.string()),  # model version of a prediction; null: ground truth
        pa.field("set", pa.string()),  # one annotator's pass, where there are several
        pa.field("type", pa.string()),  # one of TYPES
        pa.field("label", pa.string()),  # name of the label; null: none
        pa.field("x", pa.float64()),
        pa.field("y", pa.float64()),
        pa.field("w", pa.float64()),
        pa.field("h", pa.float64()),
        pa.field("rotation", pa.float64()),  # degrees clockwise; null: 0
        pa.field("points", pa.list_(pa.float64())),  # flat x, y, x, y, ...
        # Vertices per ring of a polygon; a hole in the outer ring before it is counted negative,
        # so [4, -3, 5] is a quadrangle with a triangular hole, and a pentagon. Null: one ring.
        pa.field("rings", pa.list_(pa.int32())),
        pa.field("visibility", pa.list_(pa.int8())),  # per point: 0 absent, 1 hidden, 2 visible
        pa.field("mask", pa.binary()),  # COCO compressed RLE counts (column-major)
        pa.field("mask_height", pa.int32()),
        pa.field("mask_width", pa.int32()),
        pa.field("start", pa.float64()),
        pa.field("end", pa.float64()),
        pa.field("text", pa.string()),
        pa.field("number", pa.float64()),
        pa.field("frame", pa.int64()),  # 0-based frame of a video
        pa.field("track", pa.string()),  # members of one track share it
        pa.field("keyframe", pa.bool_()),
        pa.field("outside", pa.bool_()),
        pa.field("occluded", pa.bool_()),
        pa.field("z_order", pa.int32()),
        pa.field("group", pa.int64()),  # annotations of one item with one group belong together
        pa.field("score", pa.float64()),  # confidence, 0 to 1
        pa.field("source_id", pa.string()),  # the id the format gives it: an opaque key
        pa.field("attributes", pa.string()),  # JSON object of values
        pa.field("extra", pa.string()),  # JSON object: what the format had that no column holds
    ]
)
"""Columns of a Batch's annotations. `item` and `type` are never null."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Joints of a label: `points` are their names, `edges` pairs of 0-based indices into them."""

    points: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """A label, as a format declares it.

    `color` is ``"#rrggbb"`` or None (the project chooses); `attributes` are the format's
    definitions, as JSON objects with at least ``name``; `source_id` the id the format gives it,
    an opaque key; `extra` what no field holds, JSON values only.
    """

    name: str
    color: str | None = None
    parent: str | None = None
    skeleton: Skeleton | None = None
    attributes: tuple[Mapping[str, Any], ...] = ()
    hotkey: str | None = None
    source_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Batch:
    """Some items, some annotations, and labels: what a reader yields and a writer takes.

    Annotations may refer to items of an earlier or a later batch of the same read. `labels`
    are those that the source declares, in its order; they may be repeated, and come in any
    batch. Validated at construction.

    Raises:
        SchemaError: a column is unknown, has another type, or holds null where it may not.
    """

    items: pa.Table = field(default_factory=ITEMS.empty_table)
    annotations: pa.Table = field(default_factory=ANNOTATIONS.empty_table)
    labels: tuple[Label, ...] = ()

    def __post_init__(self) -> None:
        _check("items", self.items, ITEMS, required=("item", "key", "kind"))
        _check("annotations", self.annotations, ANNOTATIONS, required=("item", "type"))
        _known("items.kind", self.items["kind"], KINDS)
        _known("annotations.type", self.annotations["type"], TYPES)

    @classmethod
    def of(
        cls,
        items: Mapping[str, Any] | None = None,
        annotations: Mapping[str, Any] | None = None,
        labels: Sequence[Label] = (),
    ) -> Batch:
        """Make a Batch from columns (lists, numpy or Arrow arrays); absent ones are null.

        >>> batch = Batch.of({"item": [0], "key": ["a.jpg"], "kind": ["image"]})
        >>> batch.items.num_rows, batch.annotations.num_rows
        (1, 0)
        """
        return cls(table(items or {}, ITEMS), table(annotations or {}, ANNOTATIONS), tuple(labels))


def table(columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """Return `columns` as a table of `schema`, absent columns null.

    Raises:
        SchemaError: a column is unknown, of another length, or can't be cast.
    """
    unknown = set(columns) - set(schema.names)
    if unknown:
        raise SchemaError(f"unknown columns {sorted(unknown)}")
    arrays: dict[str, pa.Array | pa.ChunkedArray] = {}
    for name, values in columns.items():
        kind = schema.field(name).type
        try:
            if isinstance(values, (pa.Array, pa.ChunkedArray)):
                if pa.types.is_dictionary(values.type):
                    values = (
                        values.dictionary_decode()
                        if isinstance(values, pa.Array)
                        else (pc.cast(values, kind))
                    )
                arrays[name] = values if values.type == kind else pc.cast(values, kind)
            else:
                arrays[name] = pa.array(values, kind)
        except (pa.ArrowException, TypeError) as error:
            raise SchemaError(f"column {name} does not fit {kind}: {error}") from error
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise SchemaError(f"columns of different lengths: {lengths}")
    count = next(iter(lengths.values()), 0)
    return pa.table([arrays.get(f.name, pa.nulls(count, f.type)) for f in schema], schema=schema)


class BatchBuilder:
    """Collects items and annotations one at a time, for formats that nest them.

    Formats that are columns already build a `Batch` directly. Only the columns that
    occur are kept.

    >>> builder = BatchBuilder()
    >>> cat = builder.item(key="cat.jpg", kind="image")
    >>> builder.annotation(cat, type="box", label="cat", x=1, y=2, w=3, h=4)
    >>> builder.flush().annotations.num_rows
    1
    """

    def __init__(self, first_item: int = 0) -> None:
        self.next_item = first_item
        self._items: dict[str, list[Any]] = {}
        self._annotations: dict[str, list[Any]] = {}
        self._sizes = [0, 0]

    def item(self, **values: Any) -> int:
        """Add an item (columns of ITEMS but `item`); return its number."""
        number = self.next_item
        self.next_item += 1
        self._append(self._items, 0, {"item": number, **values})
        return number

    def annotation(self, item: int, **values: Any) -> None:
        """Add an annotation (columns of ANNOTATIONS but `item`) on item number `item`."""
        self._append(self._annotations, 1, {"item": item, **values})

    def annotations(self, item: int, columns: Mapping[str, list[Any]]) -> None:
        """Add several annotations on item number `item`: columns of one length, one at least.

        >>> builder = BatchBuilder()
        >>> cat = builder.item(key="cat.jpg", kind="image")
        >>> builder.annotations(cat, {"type": ["tag", "tag"], "label": ["cat", "pet"]})
        >>> builder.flush().annotations["label"].to_pylist()
        ['cat', 'pet']
        """
        size = self._sizes[1]
        count = len(next(iter(columns.values())))
        known = self._annotations
        for name, values in (("item", [item] * count), *columns.items()):
            column = known.get(name)
            if column is None:
                column = known[name] = [None] * size
            column += values
        self._sizes[1] = size + count
        if len(columns) + 1 != len(known):
            for column in known.values():
                column += [None] * (size + count - len(column))

    def _append(self, columns: dict[str, list[Any]], which: int, values: dict[str, Any]) -> None:
        size = self._sizes[which]
        for name, value in values.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = [None] * size
            column.append(value)
        self._sizes[which] = size + 1
        if len(values) != len(columns):
            for column in columns.values():
                if len(column) == size:
                    column.append(None)

    def __len__(self) -> int:
        """Return the rows collected since the last flush."""
        return sum(self._sizes)

    def flush(self, labels: Sequence[Label] = ()) -> Batch:
        """Return what was collected as a Batch, and begin anew (item numbers go on)."""
        batch = Batch.of(self._items, self._annotations, labels)
        self._items, self._annotations, self._sizes = {}, {}, [0, 0]
        return batch


def _check(what: str, found: pa.Table, schema: pa.Schema, required: Sequence[str]) -> None:
    if not found.schema.equals(schema):
        expected = {f.name: str(f.type) for f in schema}
        actual = {f.name: str(f.type) for f in found.schema}
        wrong = {
            n: (actual.get(n), expected.get(n))
            for n in {*actual, *expected}
            if actual.get(n) != expected.get(n)
        }
        raise SchemaError(f"{what}: columns differ from the schema (found, expected): {wrong}")
    for name in required:
        if found[name].null_count:
            raise SchemaError(f"{what}.{name} holds {found[name].null_count} nulls; it may not")


def _known(what: str, column: pa.ChunkedArray, allowed: Sequence[str]) -> None:
    unknown = set(pc.unique(column).to_pylist()) - set(allowed)
    if unknown:
        raise SchemaError(f"{what} holds {sorted(unknown)}; known are {', '.join(allowed)}")


def offsets(lengths: np.ndarray) -> np.ndarray:
    """Return int32 list offsets for lists of `lengths`: one longer, starting at 0."""
    out = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=out[1:])
    return out
