"""Writing a COCO dataset: official names, one file per subset and task, as a stream.

``annotations/instances_<subset>.json`` holds boxes, polygons and masks, ``person_keypoints_`` the
skeletons (with the outline of the object that they belong to), ``labels_`` the tags (Datumaro's
convention), ``captions_`` the texts, and ``panoptic_``, where asked for, the polygons and masks;
images are ``images/<subset>/<key>``.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from ...ledger import Ledger
from ...progress import Progress
from ...schema import DEFAULT_SUBSET, Batch, Label
from ..writing import Export, Sink, safe_path
from .encode import Encoder
from .json import loads, plain_json
from .labels import category_of, ident
from .panoptic_write import PAINTED, Painter

__all__ = ["write_coco"]

_WORKERS = 2  # numbers become text without Python's lock
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f]')
_OWN = ("id", "file_name", "width", "height")
_OWN_KEY = re.compile(r'"(?:id|file_name|width|height)"')
_FRAME_KEY = re.compile(r'"frame_(?:id|index)":')
_TASKS = ("instances", "person_keypoints", "labels", "captions")
_UNKEPT = {
    "layer": "layer", "set": "annotator's set", "number": "number", "start": "start",
    "end": "end",
}  # fmt: skip


def write_coco(
    export: Export, sink: Sink, options: Mapping[str, Any], ledger: Ledger, progress: Progress
) -> None:
    """Write `export` to `sink`."""
    taken: set[str] = set()
    categories = _Categories(export.labels, ledger)
    lost: dict[str, int] = {}
    for subset in export.subsets:
        name = _UNSAFE.sub("_", subset or DEFAULT_SUBSET).strip(". ") or DEFAULT_SUBSET
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        if name != (subset or DEFAULT_SUBSET):
            text = f"subset {subset!r} is written as {name!r}: its name is part of file names"
            ledger.note("a subset is named otherwise", message=text)
        _Subset(export, subset, name, sink, options, categories, ledger, progress, lost).write()
    for what, count in lost.items():
        ledger.note("no place in COCO", message=f"{what} of {count:,} annotations")


class _Categories:
    """The category of each label: ids as in the source where they all can be, else 1 to N."""

    def __init__(self, labels: Sequence[Label], ledger: Ledger) -> None:
        self._labels = {label.name: label for label in labels}
        given = [ident(label.source_id) for label in labels]
        keep = (
            all(isinstance(i, int) and i >= 0 for i in given)
            and len(set(given)) == len(given)
        )  # fmt: skip
        numbers = given if keep else range(1, len(labels) + 1)
        self.ids: dict[str, int] = {
            name: int(str(i)) for name, i in zip(self._labels, numbers, strict=True)
        }
        if not keep and any(i is not None for i in given):
            text = "their ids in the source are not whole numbers, or come twice; they are 1 to N"
            ledger.note("categories have new ids", message=text)

    def id_of(self, name: str | None) -> int | None:
        """Return the id of a label, known or new."""
        if name is None:
            return None
        if name not in self.ids:
            self._labels[name] = Label(name)
            self.ids[name] = max(self.ids.values(), default=0) + 1
        return self.ids[name]

    def text(self, *, panoptic: bool = False) -> str:
        """Return the categories as JSON; in panoptic files each is said to be a thing or not."""
        made = [category_of(label, self.ids[name]) for name, label in self._labels.items()]
        if panoptic:
            made = [{**category, "isthing": category.get("isthing", 1)} for category in made]
        return "[" + ",\n".join(plain_json(c) for c in made) + "]"


class Ids:
    """Gives ids: the source's where they are free whole numbers from `low` up, else new ones."""

    def __init__(self, low: int) -> None:
        self._low, self._used, self._top = low, set[int](), max(low, 1) - 1
        self.changed = 0

    def take(self, source_ids: Sequence[str | None]) -> list[int]:
        """Return an id for each."""
        given = [_whole(i) for i in source_ids]
        good = [i for i in given if i is not None and i >= self._low]
        fresh = set(good)
        if len(fresh) == len(given) and self._used.isdisjoint(fresh):
            self._used |= fresh
            self._top = max([self._top, *good])
            return good
        found = []
        for number, source_id in zip(given, source_ids, strict=True):
            if number is None or number < self._low or number in self._used:
                self.changed += source_id is not None
                self._top += 1
                number = self._top
            self._used.add(number)
            self._top = max(self._top, number)
            found.append(number)
        return found


def _whole(text: str | None) -> int | None:
    if text is None:
        return None
    if text.isdecimal() and len(text) < 40 and (text[0] != "0" or text == "0"):
        return int(text)
    return None


class _Subset:
    """Writes the files of one subset."""

    def __init__(
        self, export: Export, subset: str, name: str, sink: Sink, options: Mapping[str, Any],
        categories: _Categories, ledger: Ledger, progress: Progress, lost: dict[str, int],
    ) -> None:  # fmt: skip
        self._export, self._subset, self._name, self._sink = export, subset, name, sink
        self._categories, self._ledger, self._progress = categories, ledger, progress
        self._lost = lost
        self._out: BinaryIO | None = None
        self._images: list[str] = []
        self._media: list[tuple[str, int]] = []
        self._image_ids = Ids(0)
        self._others: dict[str, list[bytes]] = {task: [] for task in _TASKS[1:]}
        self._paints = bool(options.get("panoptic"))
        self._image_of: dict[int, int] = {}
        self._encoder = Encoder(
            categories.id_of, Ids(1), Ids(1), ledger, outlines=options.get("segmentation", "given"),
            left_out=PAINTED if self._paints else frozenset(),
        )  # fmt: skip

    def write(self) -> None:
        """Write all; annotations go out batch by batch, images after them."""
        self._progress.start(f"Writing {self._name}", None, "images")
        with ThreadPoolExecutor(_WORKERS, "coco") as pool, ExitStack() as stack:
            pending: deque[tuple[Future[dict[str, bytes]], int]] = deque()
            for batch in self._export.batches(self._subset):
                images = self._add_images(batch)
                self._count_lost(batch)
                pending.append((pool.submit(self._encoder.encode(batch, images)), len(images)))
                if len(pending) > _WORKERS:
                    self._take(*pending.popleft(), stack)
            while pending:
                self._take(*pending.popleft(), stack)
            nothing = self._out is None and not any(self._others.values())
            if nothing and not self._paints:
                self._open(stack)
            if self._out is not None:
                self._end(self._out)
        for task, pieces in self._others.items():
            if pieces:
                with self._sink.open(self._path(task)) as out:
                    self._begin(out)
                    out.write(b"".join(pieces)[1:])
                    self._end(out)
        if self._paints:
            self._paint(always=nothing)
        self._say_changed()
        self._lose("group", self._encoder.ungrouped)
        self._progress.start(f"Writing images of {self._name}", len(self._media), "images")
        for path, item in self._media if self._sink.saves_media else ():
            self._sink.add_media(path, item)
            self._progress.advance()

    def _paint(self, *, always: bool) -> None:
        # The PNG files come one by one, so the JSON that tells of them comes last.
        path = self._path("panoptic")
        folder = path.rpartition(".")[0]
        painter = Painter(self._sink, folder, self._categories.id_of, self._ledger, self._lose)
        self._progress.start(f"Painting {self._name}", len(self._images), "images")
        for batch in self._export.batches(self._subset):
            painter.paint(batch, self._image_of)
            self._progress.advance(batch.items.num_rows)
        if painter.annotations or always:
            with self._sink.open(path) as out:
                self._begin(out)
                out.write(",\n".join(painter.annotations).encode())
                self._end(out, panoptic=True)

    def _take(self, made: Future[dict[str, bytes]], count: int, stack: ExitStack) -> None:
        for task, text in made.result().items():
            if task != "instances":
                self._others[task].append(text)
            elif self._out is None:
                self._open(stack).write(text[1:])  # no comma before the first
            else:
                self._out.write(text)
        self._progress.advance(count)

    def _open(self, stack: ExitStack) -> BinaryIO:
        self._out = stack.enter_context(self._sink.open(self._path("instances")))
        self._begin(self._out)
        return self._out

    def _path(self, task: str) -> str:
        return f"annotations/{task}_{self._name}.json"

    def _begin(self, out: BinaryIO) -> None:
        info = plain_json({"description": self._export.name})
        out.write(f'{{"info":{info},"licenses":[],"annotations":['.encode())

    def _end(self, out: BinaryIO, *, panoptic: bool = False) -> None:
        out.write(b'],"images":[')
        for start in range(0, len(self._images), 10_000):
            text = ",\n".join(self._images[start : start + 10_000])
            out.write(("," if start else "").encode() + text.encode())
        out.write(f'],"categories":{self._categories.text(panoptic=panoptic)}}}'.encode())

    def _add_images(self, batch: Batch) -> dict[int, int]:
        # Image id of each item; those that are no images are rejected.
        items = batch.items.select(
            ["item", "key", "kind", "uri", "width", "height", "source_id", "meta"]
        ).to_pylist()
        images = [row for row in items if row["kind"] == "image"]
        others = [row["key"] for row in items if row["kind"] != "image"]
        if others:
            self._ledger.reject(
                "item is no image", file=others, record=[f"item {k}" for k in others], item=others,
                message=[f"{k} is no image, and COCO holds only those" for k in others],
            )  # fmt: skip
        numbers = self._image_ids.take([row["source_id"] for row in images])
        for row, number in zip(images, numbers, strict=True):
            key = safe_path(row["key"])
            self._images.append(_image(row, key, number))
            self._media.append((f"images/{self._name}/{key}", row["item"]))
        found = {row["item"]: number for row, number in zip(images, numbers, strict=True)}
        if self._paints:
            self._image_of |= found
        return found

    def _count_lost(self, batch: Batch) -> None:
        rows = batch.annotations
        for column, what in _UNKEPT.items():
            self._lose(what, len(rows) - rows[column].null_count)
        self._lose("frame", _frames_lost(batch))
        self._lose("drawing order", _count(rows["z_order"]))
        self._lose("'outside' of a track", _count(rows["outside"]))

    def _lose(self, what: str, count: int) -> None:
        if count:
            self._lost[what] = self._lost.get(what, 0) + count

    def _say_changed(self) -> None:
        for what, ids in (("images", self._image_ids), *self._encoder.ids()):
            if ids.changed:
                text = (
                    f"{ids.changed:,} {what} of {self._name} have new ids: theirs are not whole "
                    "numbers above 0, or come twice"
                )
                self._ledger.note("new ids", message=text)


def _count(column: pa.ChunkedArray) -> int:
    # Values that are not null, 0 or false.
    if column.null_count == len(column):
        return 0
    total: int = pc.sum(pc.not_equal(pc.cast(column, pa.int64()), 0)).as_py() or 0
    return total


def _frames_lost(batch: Batch) -> int:
    # Frames of annotations whose image does not tell it anyway.
    rows = batch.annotations
    if rows["frame"].null_count == len(rows):
        return 0
    items = batch.items.select(["item", "meta"]).to_pylist()
    told = {i["item"] for i in items if _tells_frame(i["meta"] or "")}
    pairs = zip(rows["item"].to_pylist(), rows["frame"].to_pylist(), strict=True)
    return sum(frame is not None and item not in told for item, frame in pairs)


def _tells_frame(meta: str) -> bool:
    return '"video_id":' in meta and _FRAME_KEY.search(meta) is not None


def _image(row: dict[str, Any], key: str, number: int) -> str:
    made = f'{{"id":{number},"file_name":{json.dumps(key)}'
    for side in ("width", "height"):
        if row[side] is not None:
            made += f',"{side}":{row[side]}'
    meta = row["meta"] or "{}"
    if (row["uri"] and '"coco_url":' not in meta) or _OWN_KEY.search(meta):
        values = {k: v for k, v in _pairs(meta) if k not in _OWN}
        if row["uri"]:
            values.setdefault("coco_url", row["uri"])
        meta = plain_json(values)
    inner = meta.strip()[1:-1].strip()
    return f"{made},{inner}}}" if inner else made + "}"


def _pairs(text: str) -> Iterable[tuple[str, Any]]:
    values = loads(text)
    return values.items() if isinstance(values, dict) else [("meta", values)]
