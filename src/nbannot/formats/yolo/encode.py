"""From columns of annotations, in pixels, to rows of YOLO label files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ... import geometry
from ...ledger import Ledger
from ...schema import Batch
from ..writing import annotation_ranks

__all__ = ["HELD", "RowEncoder", "bridge"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

HELD = {
    "detect": ("box",),
    "segment": ("polygon", "mask", "box"),
    "obb": ("box", "polygon"),
    "pose": ("skeleton", "box"),
}
"""Types of annotation that the rows of each task can hold."""

_DECIMALS = 14  # what float arithmetic leaves behind is gone: 0.3, not 0.30000000000000004
_WOULD_HOLD = {"polygon": "segment", "mask": "segment", "skeleton": "pose"}
_LOST = ("attributes", "extra", "group", "occluded", "outside", "set", "text", "track", "z_order")


class RowEncoder:
    """Turns annotations into rows; tells the ledger of each that is changed or can't be held.

    `classes` is label → class id; labels that are not in it are added. `keypoints` is K, the
    numbers of keypoints in each row, for the task ``pose``.
    """

    def __init__(
        self,
        task: str,
        classes: dict[str, int],
        ledger: Ledger,
        *,
        keypoints: int = 0,
        multipart: str = "bridge",
        scores: bool = False,
        tracks: bool = False,
    ) -> None:
        self.task, self.classes, self.ledger = task, classes, ledger
        self.keypoints, self.multipart = keypoints, multipart
        self.scores, self.tracks = scores, tracks
        self.lost: dict[str, int] = {}

    def encode(self, batch: Batch, files: Sequence[str]) -> list[list[str]]:
        """Return the rows of each item of a batch, in order.

        Args:
            batch: items, and all their annotations.
            files: the label file of each item, for the ledger.
        """
        out: list[list[str]] = [[] for _ in range(batch.items.num_rows)]
        if batch.annotations.num_rows:
            part = _Part(self, batch, files)
            part.encode()
            for owner, rows in zip(part.owner.tolist(), part.rows, strict=True):
                out[owner] += rows
        return out

    def tell_losses(self) -> None:
        """Note what the written rows have that no row can hold."""
        for name, count in sorted(self.lost.items()):
            text = f"{name} of {count} annotations: a YOLO row has no place for it"
            self.ledger.note(f"not written: {name}", message=text)


class _Part:
    """One batch being encoded: `rows[i]` becomes the lines of annotation i."""

    def __init__(self, encoder: RowEncoder, batch: Batch, files: Sequence[str]) -> None:
        self.encoder, self.batch = encoder, batch
        self.table = batch.annotations.combine_chunks()
        self.files, self.keys = files, batch.items["key"].to_pylist()
        numbers = batch.items["item"].to_numpy()
        order = np.argsort(numbers, kind="stable")
        mine = self.table["item"].to_numpy()
        self.owner = order[np.searchsorted(numbers[order], mine)]
        sizes = [batch.items[name].to_numpy(zero_copy_only=False) for name in ("width", "height")]
        self.size = np.stack(sizes, axis=1).astype(np.float64)[self.owner]
        self.rows: list[list[str]] = [[] for _ in range(len(mine))]
        self.good = np.ones(len(mine), bool)
        self.types = self.column("type")
        self.prefix, self.suffix = self._prefix(), self._suffix()

    def column(self, name: str) -> pa.Array:
        column = self.table[name]
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()

    def of_type(self, name: str) -> Integers:
        return np.flatnonzero(pc.equal(self.types, name).to_numpy(zero_copy_only=False) & self.good)

    # -- the ledger -------------------------------------------------------------------

    @cached_property
    def rank(self) -> Integers:
        return annotation_ranks(self.batch)

    def tell(self, how: str, index: Iterable[int], reason: str, text: str) -> None:
        places = list(index)
        if not places:
            return
        owners = self.owner[places].tolist()
        names = [f"annotation {n}" for n in self.rank[places].tolist()]
        keys = [self.keys[i] for i in owners]
        getattr(self.encoder.ledger, how)(
            reason,
            file=[self.files[i] for i in owners],
            record=names,
            item=keys,
            message=[f"{name} of {key}: {text}" for name, key in zip(names, keys, strict=True)],
        )

    def reject(self, index: Integers, reason: str, text: str) -> None:
        self.tell("reject", index.tolist(), reason, text)
        self.good[index] = False

    # -- class, confidence, track -----------------------------------------------------

    def _prefix(self) -> list[str]:
        encoded = pc.dictionary_encode(self.column("label"))
        classes = self.encoder.classes
        ids = [str(classes.setdefault(n, len(classes))) for n in encoded.dictionary.to_pylist()]
        codes = encoded.indices.to_pylist()
        return ["" if code is None else ids[code] for code in codes]

    def _suffix(self) -> list[str] | None:
        encoder = self.encoder
        if not encoder.scores and not encoder.tracks:
            return None
        n = len(self.rows)
        score = self.column("score").to_pylist() if encoder.scores else [None] * n
        track = self.column("track").to_pylist() if encoder.tracks else [None] * n
        return [
            ("" if s is None else f" {s!r}") + (f" {t}" if t is not None and t.isdecimal() else "")
            for s, t in zip(score, track, strict=True)
        ]

    def put(self, index: Integers, flat: Floats, lengths: Integers) -> None:
        """Add one line to each annotation in `index`: `lengths` numbers of `flat`, 0 to 1."""
        texts = pc.cast(pa.array(np.round(flat, _DECIMALS) + 0.0), pa.string())
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        lines = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), texts), " ").to_pylist()
        finite = np.isfinite(flat)
        if not finite.all():
            fine = np.logical_and.reduceat(finite, offsets[:-1])
            text = "one of its coordinates is infinite or not a number"
            self.reject(index[~fine], "coordinate is not a number", text)
        for i, line in zip(index.tolist(), lines, strict=True):
            if not self.good[i]:
                continue
            tail = self.suffix[i] if self.suffix is not None else ""
            self.rows[i].append(f"{self.prefix[i]} {line}{tail}")

    def put_matrix(self, index: Integers, numbers: Floats) -> None:
        self.put(index, numbers.ravel(), np.full(len(index), numbers.shape[1]))

    # -- geometry ---------------------------------------------------------------------

    def encode(self) -> None:
        task = self.encoder.task
        unlabelled = np.flatnonzero([not prefix for prefix in self.prefix])
        self.reject(unlabelled, "annotation without a label", "YOLO rows need a class")
        unknown = np.flatnonzero(~(self.size > 0).all(axis=1) & self.good)
        self.reject(unknown, "size of the image is not known", "its pixels can't become 0 to 1")
        for name in pc.unique(self.types).to_pylist():
            if name not in HELD[task]:
                better = _WOULD_HOLD.get(name)
                hint = f"; task={better!r} can" if better else ""
                text = f"the task {task} can't hold a {name}{hint}"
                self.reject(self.of_type(name), f"{name} can't be written", text)
        self._boxes(self.of_type("box"), task)
        self._polygons(self.of_type("polygon"), task)
        self._masks(self.of_type("mask"))
        self._skeletons(self.of_type("skeleton"))
        self._count_losses()

    def _boxes(self, index: Integers, task: str) -> None:
        if not len(index):
            return
        box = np.stack([self._numbers(name, index) for name in "xywh"], axis=1)
        broken = ~np.isfinite(box).all(axis=1)
        self.reject(index[broken], "box is incomplete", "it lacks x, y, w or h")
        index, box = index[~broken], box[~broken]
        size = self.size[index]
        degrees = np.nan_to_num(self._numbers("rotation", index))
        if task in ("segment", "obb"):
            corners = geometry.box_corners(box, degrees) / size[:, None, :]
            self.put_matrix(index, corners.reshape(-1, 8))
            if task == "segment":
                text = "rows of polygons and of boxes don't mix: written as four points"
                self.tell("warn", index.tolist(), "box written as a polygon", text)
            return
        turned = degrees % 360 != 0
        text = f"the task {task} can't hold a rotated box; task='obb' can"
        self.reject(index[turned], "rotated box can't be written", text)
        index, box, size = index[~turned], box[~turned], size[~turned]
        numbers = geometry.xywh_to_cxcywh(box) / np.tile(size, 2)
        if task == "pose":
            numbers = np.pad(numbers, ((0, 0), (0, 3 * self.encoder.keypoints)))
            text = "written with all its keypoints absent"
            self.tell("warn", index.tolist(), "box without keypoints", text)
        self.put_matrix(index, numbers)

    def _numbers(self, name: str, index: Integers) -> Floats:
        values = self.column(name).take(pa.array(index))
        numbers: Floats = values.to_numpy(zero_copy_only=False).astype(np.float64)
        return numbers

    def _polygons(self, index: Integers, task: str) -> None:
        if not len(index):
            return
        points, rings = (self.column(n).take(pa.array(index)) for n in ("points", "rings"))
        length = pc.fill_null(pc.list_value_length(points), 0).to_numpy(zero_copy_only=False)
        parts = pc.fill_null(pc.list_value_length(rings), 1).to_numpy(zero_copy_only=False)
        if task == "obb":
            other = (length != 8) | (parts > 1)
            text = "only a polygon of four points can be a rotated box; task='segment' holds all"
            self.reject(index[other], "polygon can't be written", text)
        few = (length < 6) & self.good[index]
        self.reject(index[few], "polygon with fewer than three points", "it has no area")
        good = self.good[index]
        simple = good & (parts <= 1)
        one = points.filter(pa.array(simple))
        size = np.repeat(self.size[index[simple]], length[simple] // 2, axis=0)
        flat = one.flatten().to_numpy(zero_copy_only=False).reshape(-1, 2) / size
        self.put(index[simple], flat.ravel(), length[simple])
        for k in np.flatnonzero(good & (parts > 1)).tolist():
            self._rings(int(index[k]), points[k].as_py(), rings[k].as_py())

    def _masks(self, index: Integers) -> None:
        columns = [self.column(name) for name in ("mask", "mask_height", "mask_width")]
        for i in index.tolist():
            counts, height, width = (column[i].as_py() for column in columns)
            rings: list[int] = []
            if counts is not None and height and width:
                points, rings = geometry.mask_to_rings(geometry.rle_to_mask(counts, height, width))
            if not rings:
                self.reject(np.array([i]), "mask is empty", "it covers no pixel")
                continue
            self._rings(i, points, rings)
            text = "its outline, along the edges of its pixels, is written"
            self.tell("warn", [i], "mask written as a polygon", text)

    def _rings(self, i: int, points: Sequence[float], rings: Sequence[int]) -> None:
        parts = [(xy, hole) for xy, hole in geometry.split_rings(points, rings) if len(xy) > 2]
        holes = sum(hole for _, hole in parts)
        what = " and ".join(
            f"{n} {word}{'s' * (n > 1)}"
            for n, word in ((len(parts) - holes, "part"), (holes, "hole"))
            if n
        )
        if self.encoder.multipart == "split":
            parts = [(xy, hole) for xy, hole in parts if not hole]
            text = f"of its {what}, each part is a row, and holes are filled"
            self.tell(
                "warn", [i] if holes or len(parts) > 1 else [], "polygon written in parts", text
            )
            outlines = [xy for xy, _ in parts]
        else:
            outlines = [bridge(parts)]
            text = f"its {what} are joined to one ring by lines of no width"
            self.tell("warn", [i] if len(parts) > 1 else [], "parts of a polygon joined", text)
        for xy in outlines:
            self.put_matrix(np.array([i]), (xy / self.size[i]).reshape(1, -1))

    def _skeletons(self, index: Integers) -> None:
        if not len(index):
            return
        count = self.encoder.keypoints
        box = np.stack([self._numbers(name, index) for name in "xywh"], axis=1)
        points, visibility = (
            self.column(n).take(pa.array(index)) for n in ("points", "visibility")
        )
        numbers = np.zeros((len(index), count, 3))
        for k, (flat, seen) in enumerate(
            zip(points.to_pylist(), visibility.to_pylist(), strict=True)
        ):
            xy = np.array(flat or [], np.float64).reshape(-1, 2)[:count]
            numbers[k, : len(xy), :2] = xy
            marks = [2 if v is None else v for v in seen] if seen else [2] * len(xy)
            numbers[k, : len(xy), 2] = marks[: len(xy)]
            if np.isnan(box[k]).any():  # YOLO needs a box: that of the points there are
                there = xy[numbers[k, : len(xy), 2] > 0]
                there = there if len(there) else np.zeros((1, 2))
                box[k] = (*there.min(axis=0), *np.ptp(there, axis=0))
        size = self.size[index]
        numbers[:, :, :2] /= size[:, None, :]
        whole = np.concatenate(
            [geometry.xywh_to_cxcywh(box) / np.tile(size, 2), numbers.reshape(len(index), -1)],
            axis=1,
        )
        self.put_matrix(index, whole)

    def _count_losses(self) -> None:
        good, lost = pa.array(self.good), self.encoder.lost
        for name in _LOST if self.encoder.scores else (*_LOST, "score"):
            column = self.column(name).filter(good)
            if column.null_count == len(column):
                continue
            if name == "track" and self.encoder.tracks:
                count = sum(v is not None and not v.isdecimal() for v in column.to_pylist())
            elif pa.types.is_boolean(column.type):
                count = pc.sum(column).as_py() or 0
            elif name in ("attributes", "extra"):
                count = sum(_says_something(v) for v in column.to_pylist())
            else:
                count = len(column) - column.null_count
            if count:
                lost[name] = lost.get(name, 0) + count


def _says_something(text: str | None) -> bool:
    return bool(text) and bool(json.loads(text or "null"))


def bridge(parts: Sequence[tuple[Floats, bool]]) -> Floats:
    """Return one ring that goes round all `parts` ((n, 2) points, is it a hole?).

    Parts are joined where they are nearest by a line there and back, which has no width: the area
    inside is theirs. Holes run against the other rings.

    >>> square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], float)
    >>> geometry.ring_area(bridge([(square, False), (square / 2 + 1, True)]))
    12.0
    """
    out: Floats | None = None
    for xy, hole in parts:
        ring = xy if (geometry.ring_area(xy) > 0) != hole else xy[::-1]
        if out is None:
            out = ring
            continue
        gaps = ((out[:, None, :] - ring[None, :, :]) ** 2).sum(axis=2)
        a, b = np.unravel_index(int(gaps.argmin()), gaps.shape)
        turned = np.concatenate([ring[b:], ring[: b + 1]])
        out = np.concatenate([out[: a + 1], turned, out[a:]])
    assert out is not None, "a polygon of no rings"
    return out
