"""Annotation rows as COCO's JSON: columns of text, joined by Arrow, not a dict per annotation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...geometry import bounds
from ...ledger import Ledger
from ...schema import Batch
from ..writing import annotation_ranks
from .columns import tails
from .outlines import as_written
from .segmentation import list_array

if TYPE_CHECKING:
    from .write import Ids

__all__ = ["Encoder"]

_OUTLINES = ("box", "polygon", "mask")
_TASK = {
    **dict.fromkeys(_OUTLINES, "instances"),
    "skeleton": "person_keypoints", "tag": "labels", "text": "captions",
}  # fmt: skip

Integers = NDArray[np.int64]


class Encoder:
    """Turns batches into text, per task file: objects, each with a comma before it.

    `outlines` says how polygons and masks are written (see `as_written`); types `left_out` are
    written elsewhere.
    """

    def __init__(
        self, category_of: Callable[[str | None], int | None], objects: Ids, tags: Ids,
        ledger: Ledger, *, outlines: str = "given", left_out: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self._outlines, self._left_out = outlines, left_out
        self._category_of, self._ledger = category_of, ledger
        self._objects, self._tags, self._texts = objects, tags, type(tags)(1)
        self.ungrouped = 0

    def ids(self) -> Sequence[tuple[str, Ids]]:
        """Return what was numbered, and how."""
        return (
            ("annotations", self._objects), ("tags", self._tags), ("captions", self._texts)
        )  # fmt: skip

    def encode(self, batch: Batch, images: Mapping[int, int]) -> Callable[[], dict[str, bytes]]:
        """Number the rows of a batch; return what makes their text for each task that has some.

        The function that is returned is pure: it may run in any thread.
        """
        ranks = annotation_ranks(batch)
        rows, places = self._representable(batch, images, ranks)
        types = np.array(rows["type"].to_pylist(), object)
        if not len(types):
            return dict
        rows = as_written(rows, types, batch, ranks[places], self._outlines, self._ledger)
        types = np.array(rows["type"].to_pylist(), object)
        tasks = np.array([_TASK[t] for t in types.tolist()], object)
        partners = _partners(rows, types)
        self.ungrouped += len(rows) - rows["group"].null_count - 2 * len(partners)
        labels = rows["label"].to_pylist()
        known = {name: self._category_of(name) for name in dict.fromkeys(labels)}
        return partial(
            _texts, rows, types, tasks, partners,
            [str(i) for i in self._number(rows, tasks, partners)],
            [str(images[i]) for i in rows["item"].to_pylist()],
            ["null" if known[name] is None else str(known[name]) for name in labels],
        )  # fmt: skip

    def _number(
        self, rows: pa.Table, tasks: NDArray[Any], partners: Mapping[int, int]
    ) -> list[int]:
        # The id of each row; a skeleton has that of the outline that it belongs to.
        source_ids = rows["source_id"].to_pylist()
        ids = [0] * len(source_ids)
        for numbers, mine in (
            (self._objects, (tasks == "instances") | (tasks == "person_keypoints")),
            (self._tags, tasks == "labels"),
            (self._texts, tasks == "captions"),
        ):
            own = [i for i in np.flatnonzero(mine).tolist() if i not in partners]
            for i, number in zip(own, numbers.take([source_ids[i] for i in own]), strict=True):
                ids[i] = number
        for skeleton, outline in partners.items():
            ids[skeleton] = ids[outline]
        return ids

    def _representable(
        self, batch: Batch, images: Mapping[int, int], ranks: NDArray[np.int64]
    ) -> tuple[pa.Table, NDArray[np.int64]]:
        # The rows that COCO can hold, and where they were; each other is a line of the ledger.
        rows = batch.annotations
        types, items = rows["type"].to_pylist(), rows["item"].to_pylist()
        bad = ~_finite(rows)
        known = _TASK.keys() - self._left_out
        if not bad.any() and set(types) <= known and images.keys() >= set(items):
            return rows, np.arange(len(rows))
        numbers, names = batch.items["item"].to_pylist(), batch.items["key"].to_pylist()
        key_of = dict(zip(numbers, names, strict=True))
        keep = []
        for i, (kind, item) in enumerate(zip(types, items, strict=True)):
            if item not in images:
                reason, text = "annotation of no image", "it is on no image"
            elif kind in self._left_out:
                continue  # it is written elsewhere
            elif kind not in _TASK:
                reason, text = f"{kind} can't be held", f"COCO has no {kind.replace('_', ' ')}"
            elif bad[i]:
                reason, text = "not a number", "it has a coordinate that is no finite number"
            else:
                keep.append(i)
                continue
            record = f"annotation {ranks[i]}"
            key = key_of.get(item, "")
            self._ledger.reject(
                reason, file=key, record=record, item=key, message=f"{record} of {key}: {text}"
            )
        return rows.take(pa.array(keep, pa.int64())), np.array(keep, np.int64)


def _finite(rows: pa.Table) -> NDArray[np.bool_]:
    good = np.ones(len(rows), np.bool_)
    for name in ("x", "y", "w", "h", "rotation", "score"):
        if rows[name].null_count < len(rows):
            finite = pc.fill_null(pc.is_finite(rows[name]), True)
            good &= finite.to_numpy(zero_copy_only=False)
    points = rows["points"].combine_chunks()
    flat = pc.list_flatten(points)
    if len(flat) and not pc.all(pc.is_finite(flat)).as_py():
        owners = pc.list_parent_indices(points).to_numpy()
        finite = pc.is_finite(flat).to_numpy(zero_copy_only=False)
        good[owners[~finite]] = False
    return good


def _partners(rows: pa.Table, types: NDArray[Any]) -> dict[int, int]:
    # Row of each skeleton that belongs to an outline, and the row of that: one COCO annotation.
    if rows["group"].null_count == len(rows) or "skeleton" not in types:
        return {}
    names = ("item", "group", "label", "source_id")
    keys = list(zip(*(rows[n].to_pylist() for n in names), strict=True))
    outlines = {
        k: i for i, k in enumerate(keys) if k[1] is not None and types[i] in _OUTLINES
    }  # fmt: skip
    found: dict[int, int] = {}
    for i, key in enumerate(keys):
        if types[i] == "skeleton" and key[1] is not None and key in outlines:
            found[i] = outlines.pop(key)
    return found


def _texts(
    rows: pa.Table, types: NDArray[Any], tasks: NDArray[Any], partners: Mapping[int, int],
    ids: list[str], image_ids: list[str], categories: list[str],
) -> dict[str, bytes]:  # fmt: skip
    texts = _objects(rows, types, partners, ids, image_ids, categories)
    names = list(dict.fromkeys(tasks.tolist()))
    if len(names) == 1:
        return {names[0]: _joined_text(texts)}
    return {name: _joined_text(texts.filter(pa.array(tasks == name))) for name in names}


def _joined_text(texts: pa.StringArray) -> bytes:
    # The texts lie one after the other in one buffer.
    _, places, data = texts.buffers()
    ends = np.frombuffer(places, np.int32)
    return memoryview(data)[ends[texts.offset] : ends[texts.offset + len(texts)]].tobytes()


def _objects(
    rows: pa.Table, types: NDArray[Any], partners: Mapping[int, int], ids: list[str],
    image_ids: list[str], categories: list[str],
) -> pa.Array:  # fmt: skip
    placed = np.isin(types.astype(str), [*_OUTLINES, "skeleton"])
    pieces: list[Any] = [
        ',\n{"id":', pa.array(ids), ',"image_id":', pa.array(image_ids), ',"category_id":',
        pa.array(categories),
    ]  # fmt: skip
    if placed.any():
        boxes = _boxes(rows, types)
        outlines = _segmentations(rows, types)
        if partners:
            source = np.arange(len(rows))
            source[list(partners)] = list(partners.values())
            outlines = outlines.take(pa.array(source))
        text = pc.binary_join_element_wise(
            ',"segmentation":', outlines, ',"bbox":[', _joined(boxes), "]", ""
        )
        pieces.append(pc.if_else(pa.array(placed & ~np.isnan(boxes[:, 0])), text, ""))
        bare = placed & np.isnan(boxes[:, 0])
        if bare.any():
            only = pc.binary_join_element_wise(',"segmentation":', outlines, "")
            pieces.append(pc.if_else(pa.array(bare), only, ""))
        pieces.append(_keypoints(rows, types))
        with np.errstate(over="ignore", invalid="ignore"):
            areas = _areas(rows, types, boxes)
    else:
        areas = np.full(len(rows), np.nan)
    pieces += [tails(rows, areas, placed), "}"]
    arrays = [p.combine_chunks() if isinstance(p, pa.ChunkedArray) else p for p in pieces]
    return pc.binary_join_element_wise(*arrays, "")


def _joined(numbers: NDArray[np.float64]) -> pa.Array:
    # "x,y,w,h" of each row of a 2-D array; numbers shortest, as they round-trip.
    texts = pc.cast(pa.array(numbers.ravel()), pa.string())
    steps = np.arange(0, numbers.size + 1, numbers.shape[1], dtype=np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(steps), texts), ",")


def _boxes(rows: pa.Table, types: NDArray[Any]) -> NDArray[np.float64]:
    columns = [rows[n].to_numpy(zero_copy_only=False) for n in ("x", "y", "w", "h")]
    boxes = np.stack(columns, axis=1).astype(np.float64)
    empty = np.isnan(boxes).any(axis=1)
    boxes[empty] = np.nan
    wanted = np.flatnonzero(empty & np.isin(types.astype(str), ["polygon", "mask"]))
    for i in wanted.tolist():
        if types[i] == "polygon":
            points = rows["points"][i].as_py()
            with np.errstate(over="ignore"):
                boxes[i] = bounds(points, [0, len(points)])[0]
        else:
            from pycocotools import mask as coco_mask

            boxes[i] = coco_mask.toBbox(_rle(rows, i))
    return boxes


def _rle(rows: pa.Table, i: int) -> dict[str, Any]:
    size = [rows["mask_height"][i].as_py(), rows["mask_width"][i].as_py()]
    return {"counts": rows["mask"][i].as_py(), "size": size}


def _segmentations(rows: pa.Table, types: NDArray[Any]) -> pa.Array:
    texts = pa.array(["[]"] * len(rows))
    chosen = types == "polygon"
    if chosen.any():
        lists = rows["points"].filter(pa.array(chosen)).combine_chunks()
        numbers = pc.cast(pc.list_flatten(lists), pa.string())
        rings, counts = _rings(rows, chosen, pc.list_value_length(lists).to_numpy())
        nobody = np.zeros(len(rings), np.bool_)
        joined = pc.binary_join(list_array(numbers, rings * 2, pa.string(), nobody), ",")
        each = pc.binary_join_element_wise("[", joined, "]", "")
        whole = pc.binary_join(
            list_array(each, counts, pa.string(), np.zeros(len(counts), np.bool_)), ","
        )
        done = pc.binary_join_element_wise("[", whole, "]", "")
        texts = pc.replace_with_mask(texts, pa.array(chosen), done)
    chosen = types == "mask"
    if chosen.any():
        masks = rows.filter(pa.array(chosen))
        done = [
            f'{{"counts":{json.dumps(c.decode())},"size":[{h},{w}]}}'
            for c, h, w in zip(
                *(masks[n].to_pylist() for n in ("mask", "mask_height", "mask_width")), strict=True
            )
        ]
        texts = pc.replace_with_mask(texts, pa.array(chosen), pa.array(done))
    return texts


def _rings(
    rows: pa.Table, chosen: NDArray[np.bool_], numbers: Integers
) -> tuple[Integers, Integers]:
    # Vertices of each ring, and rings of each polygon.
    if rows["rings"].null_count == len(rows):
        return (numbers // 2).astype(np.int64), np.ones(len(numbers), np.int64)
    lists = rows["rings"].filter(pa.array(chosen)).to_pylist()
    each = [r or [n // 2] for r, n in zip(lists, numbers.tolist(), strict=True)]
    flat = np.array([v for r in each for v in r], np.int64)
    return flat, np.array([len(r) for r in each], np.int64)


def _keypoints(rows: pa.Table, types: NDArray[Any]) -> pa.Array:
    texts = pa.array([""] * len(rows))
    chosen = types == "skeleton"
    if not chosen.any():
        return texts
    mine = rows.filter(pa.array(chosen))
    done = []
    for points, visible, extra in zip(
        *(mine[n].to_pylist() for n in ("points", "visibility", "extra")), strict=True
    ):
        points = points or []
        shown = [2 if v is None else v for v in visible or [2] * (len(points) // 2)]
        triples = zip(points[::2], points[1::2], shown, strict=True)
        text = ",".join(f"{_short(x)},{_short(y)},{v}" for x, y, v in triples)
        count = "" if '"num_keypoints":' in (extra or "") else sum(v > 0 for v in shown)
        told = f',"num_keypoints":{count}' if count != "" else ""
        done.append(f',"keypoints":[{text}]{told}')
    return pc.replace_with_mask(texts, pa.array(chosen), pa.array(done))


def _short(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _areas(rows: pa.Table, types: NDArray[Any], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    # Pixels covered, where the source did not say: of the mask, the polygon's rings, else the box.
    areas: NDArray[np.float64] = boxes[:, 2] * boxes[:, 3]
    known = pc.fill_null(pc.match_substring(rows["extra"], '"area":'), False)
    unknown = ~known.to_numpy(zero_copy_only=False)
    for i in np.flatnonzero(unknown & (types == "mask")).tolist():
        from pycocotools import mask as coco_mask

        areas[i] = coco_mask.area(_rle(rows, i))
    chosen = unknown & (types == "polygon")
    if chosen.any():
        lists = rows["points"].filter(pa.array(chosen)).combine_chunks()
        rings, counts = _rings(rows, chosen, pc.list_value_length(lists).to_numpy())
        xy = pc.list_flatten(lists).to_numpy().reshape(-1, 2)
        starts = np.concatenate([[0], np.cumsum(rings)])
        following = np.arange(1, len(xy) + 1)
        following[starts[1:] - 1] = starts[:-1]
        x, y = xy.T
        cross = np.add.reduceat(x * y[following] - x[following] * y, starts[:-1])
        owners = np.concatenate([[0], np.cumsum(counts)])[:-1]
        areas[chosen] = np.add.reduceat(np.abs(cross) / 2, owners)
    return areas
