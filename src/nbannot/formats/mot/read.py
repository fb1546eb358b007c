"""Reading sequences of MOT Challenge: one batch of columns each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...errors import BrokenFileError, SourceError
from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch, Label
from ...sources.base import Source
from .rows import OFFICIAL_CLASSES, Rows, parse_rows
from .sequences import Sequence, find_sequences, load_sequence, number_frames

__all__ = ["DETECTIONS", "MotReader"]

DETECTIONS = "det"
"""The layer of what stands in det.txt."""

_EDGE_PX = 0.5


class MotReader:
    """Reads a source; one use."""

    def __init__(
        self, source: Source, options: Mapping[str, Any], ledger: Ledger, progress: Progress
    ) -> None:
        self._source, self._ledger, self._progress = source, ledger, progress
        self._detections = bool(options["detections"])
        self._count = 0
        self._labels: dict[str, Label] = {}

    def read(self, limit: int | None) -> Iterator[Batch]:
        """Yield a batch per sequence, whole ones until there are `limit` items.

        Raises:
            BrokenFileError: it is one file, and holds no row.
        """
        sequences = find_sequences(self._source)
        self._progress.start("Reading sequences", len(sequences), "sequences")
        for sequence in sequences:
            if limit is not None and self._count >= limit:
                break
            load_sequence(self._source, sequence)
            yield self._sequence(sequence)
            self._progress.advance()
        if not sequences:
            yield Batch.of()

    # -- one sequence -----------------------------------------------------------------

    def _sequence(self, sequence: Sequence) -> Batch:
        for problem in sequence.problems:
            self._note("seqinfo.ini is doubtful", sequence.path("seqinfo.ini"), problem)
        parts: list[tuple[str, str | None, Rows]] = []
        if sequence.gt is not None:
            parts.append((sequence.gt, None, self._rows(sequence.gt)))
        if sequence.det is not None and self._detections:
            parts.append((sequence.det, DETECTIONS, self._rows(sequence.det)))
        if self._source.main is not None and not any(len(rows) for _, _, rows in parts):
            name = self._source.main
            hint = "A row is: frame, id, left, top, width, height, confidence, ..."
            raise BrokenFileError("The file holds no row of MOT", where=name, hint=hint)
        base = 0 if any((rows.frame == 0).any() for _, _, rows in parts) else 1
        if base == 0:
            file = next(file for file, _, rows in parts if (rows.frame == 0).any())
            self._note("frames are counted from 0", file, "MOT counts frames from 1")
        parts = [(file, layer, self._checked(file, rows, base)) for file, layer, rows in parts]
        items, number_of = self._items(sequence, [rows for _, _, rows in parts], base)
        tables = [
            self._annotations(sequence, file, layer, rows, number_of, base)
            for file, layer, rows in parts
        ]
        batch = Batch.of(items)
        annotations = pa.concat_tables([batch.annotations, *tables])
        labels = tuple(self._labels.values())
        return Batch(batch.items, annotations.combine_chunks(), labels)

    def _rows(self, file: str) -> Rows:
        try:
            data = self._source.read(file)
        except SourceError as error:
            self._ledger.read()
            self._ledger.reject(
                "the file can't be read", file=file, record="file", message=str(error)
            )
            data = b""
        rows = parse_rows(data)
        if rows.header:
            self._note("first line is a header", file, f"{rows.header!r} is not a row")
        self._ledger.read(len(rows) + len(rows.bad))
        for line, reason, text in rows.bad:
            where = f"line {line}"
            self._ledger.reject(
                reason, file=file, where=where, record=where, message=f"{where}: {text}"
            )
        return rows

    def _checked(self, file: str, rows: Rows, base: int) -> Rows:
        bad = rows.frame < base
        self._lines("reject", "frame is below 0", file, rows.line[bad], "its frame can't be")
        broken = ~np.isfinite(rows.box).all(axis=1) & ~bad
        self._lines(
            "reject", "box without numbers", file, rows.line[broken], "infinite or not a number"
        )
        bad |= broken
        negative = ((rows.box[:, 2] < 0) | (rows.box[:, 3] < 0)) & ~bad
        self._lines(
            "reject", "box of negative size", file, rows.line[negative],
            "its width or height is below 0",
        )  # fmt: skip
        return rows.keep(~(bad | negative))

    # -- items ------------------------------------------------------------------------

    def _items(
        self, sequence: Sequence, parts: list[Rows], base: int
    ) -> tuple[dict[str, Any], dict[int, int]]:
        named = np.unique(np.concatenate([np.empty(0, np.int64), *(r.frame for r in parts)]))
        if number_frames(sequence, set(named.tolist())):
            text = "their names do not end in the numbers of frames"
            self._note("images are frames in order", sequence.path(sequence.image_folder), text)
        frames = dict(sequence.frames)
        if not frames and sequence.length is not None:
            frames = dict.fromkeys(range(base, sequence.length + base), "")
        images = bool(sequence.frames)
        missing = [n for n in named.tolist() if n not in frames]
        order = sorted([*frames, *missing])
        media = [frames.get(n) or None for n in order] + sequence.others
        keys = [
            sequence.key(path.rpartition("/")[2]) if path else self._key(sequence, n)
            for n, path in zip([*order, *[0] * len(sequence.others)], media, strict=True)
        ]
        first, count = self._count, len(keys)
        self._count += count
        self._ledger.read(count)
        number_of = {n: first + i for i, n in enumerate(order)}
        self._doubt_frames(sequence, missing, images=images)
        meta = {"frameRate": sequence.rate, "imDir": sequence.image_folder}
        told = {k: v for k, v in meta.items() if v is not None and v != "img1"}
        columns = {
            "item": np.arange(first, first + count),
            "subset": pa.repeat(pa.scalar(sequence.subset, pa.string()), count),
            "key": keys,
            "kind": pa.repeat("image", count),
            "media": pa.array(media, pa.string()),
        }
        if sequence.width and sequence.height:
            columns["width"] = pa.repeat(pa.scalar(sequence.width, pa.int32()), count)
            columns["height"] = pa.repeat(pa.scalar(sequence.height, pa.int32()), count)
        if told:
            columns["meta"] = pa.repeat(json.dumps({"mot": told}), count)
        return columns, number_of

    def _key(self, sequence: Sequence, frame: int) -> str:
        return sequence.key(f"{frame:06d}{sequence.suffix}")

    def _doubt_frames(self, sequence: Sequence, missing: list[int], *, images: bool) -> None:
        if not missing or not (images or sequence.length):
            return
        reason = "image file missing" if images else "frame beyond seqLength"
        keys = [self._key(sequence, n) for n in missing]
        why = "there is no image of it" if images else f"seqLength is {sequence.length}"
        self._ledger.warn(
            reason, file=sequence.gt or sequence.det or "", record="item", item=keys,
            message=[f"frame {n}: {why}" for n in missing],
        )  # fmt: skip

    # -- annotations ------------------------------------------------------------------

    def _annotations(
        self,
        sequence: Sequence,
        file: str,
        layer: str | None,
        rows: Rows,
        number_of: dict[int, int],
        base: int,
    ) -> pa.Table:
        rows, labels = self._named(sequence, file, rows, layer)
        count = len(rows)
        frames = np.fromiter(number_of, np.int64, len(number_of))
        numbers = np.fromiter(number_of.values(), np.int64, len(number_of))
        item = numbers[np.searchsorted(frames, rows.frame)] if count else rows.frame
        self._doubt_boxes(sequence, file, rows)
        columns: dict[str, Any] = {
            "item": item,
            "type": pa.repeat("box", count),
            "label": labels,
            "frame": rows.frame - base,
            "layer": pa.repeat(pa.scalar(layer, pa.string()), count),
            "track": pa.array(rows.id).cast(pa.string()),
        }
        columns |= {name: rows.box[:, i] for i, name in enumerate("xywh")}
        columns["track"] = _where(rows.id != -1, columns["track"])
        confidence = rows.confidence
        ignored = np.zeros(count, bool)
        if layer is None:
            ignored = confidence == 0
            told = np.isfinite(confidence) & ~np.isin(confidence, (-1.0, 0.0, 1.0))
        else:
            told = np.isfinite(confidence)
        if (told & ((confidence < 0) | (confidence > 1))).any():
            self._note("confidences are not 0 to 1", file, "they are kept as they are")
        columns["score"] = _where(told, pa.array(confidence))
        seen = np.where(np.isfinite(rows.visibility) & (rows.visibility >= 0), rows.visibility, 1.0)
        if (seen == 0).any():
            columns["occluded"] = _where(seen == 0, pa.array(seen == 0))
        columns["attributes"] = _attributes(ignored, seen)
        return Batch.of(None, columns).annotations

    def _named(
        self, sequence: Sequence, file: str, rows: Rows, layer: str | None
    ) -> tuple[Rows, pa.Array]:
        names = sequence.labels
        kind = np.where(np.isfinite(rows.kind), rows.kind, -1.0)
        if names is not None:
            good = (kind == -1) | ((kind >= 1) & (kind <= len(names)) & (kind % 1 == 0))
            self._lines(
                "reject", "class is not in labels.txt", file, rows.line[~good],
                f"{sequence.labels_file} names the classes 1 to {len(names)}",
            )  # fmt: skip
            rows, kind = rows.keep(good), kind[good]
            without = _label_without_class(names)
            if without is None and layer is not None and (kind == -1).any():
                self._note("detections without a class", file, "they have no label")
            elif without is None:
                self._lines(
                    "warn", "row without a class", file, rows.line[kind == -1], "it has no label"
                )
        else:
            without = OFFICIAL_CLASSES[0]
        used, index = np.unique(kind, return_inverse=True)
        table = [self._name(names, without, value) for value in used.tolist()]
        if names is None and any(n and n not in OFFICIAL_CLASSES for n in table):
            text = "classes are numbers that neither labels.txt nor MOT Challenge names"
            self._note("classes without names", file, text)
        for name in (*(names or ()), *(n for n in table if n)):
            self._labels.setdefault(name, Label(name))
        return rows, pa.array(table, pa.string()).take(pa.array(index.ravel()))

    def _name(self, names: tuple[str, ...] | None, without: str | None, value: float) -> str | None:
        if value == -1:
            return without
        if names is not None:
            return names[int(value) - 1]
        if value % 1 == 0 and 1 <= value <= len(OFFICIAL_CLASSES):
            return OFFICIAL_CLASSES[int(value) - 1]
        return f"class {value:g}"

    def _doubt_boxes(self, sequence: Sequence, file: str, rows: Rows) -> None:
        x, y, w, h = rows.box.T
        self._lines(
            "warn", "box without area", file, rows.line[(w == 0) | (h == 0)],
            "its width or height is 0",
        )  # fmt: skip
        if sequence.width and sequence.height:
            outside = (x < -_EDGE_PX) | (y < -_EDGE_PX) | (x + w > sequence.width + _EDGE_PX)
            outside |= y + h > sequence.height + _EDGE_PX
            self._lines(
                "warn", "box reaches outside the image", file, rows.line[outside],
                f"the image is {sequence.width} x {sequence.height}; kept as it is",
            )  # fmt: skip
        tracked = rows.id != -1
        pairs = np.stack([rows.frame[tracked], rows.id[tracked]], axis=1)
        if len(pairs):
            order = np.lexsort((pairs[:, 1], pairs[:, 0]))
            again = np.zeros(len(pairs), bool)
            again[order[1:]] = (pairs[order[1:]] == pairs[order[:-1]]).all(axis=1)
            self._lines(
                "warn", "track has two boxes in one frame", file, rows.line[tracked][again],
                "its frame and id occurred before",
            )  # fmt: skip

    # -- the ledger -------------------------------------------------------------------

    def _note(self, reason: str, file: str, text: str) -> None:
        self._ledger.note(reason, file=file, message=f"{file}: {text}")

    def _lines(self, how: str, reason: str, file: str, lines: NDArray[np.int64], text: str) -> None:
        if len(lines):
            where = [f"line {n}" for n in lines.tolist()]
            getattr(self._ledger, how)(
                reason, file=file, where=where, record=where,
                message=[f"{place}: {text}" for place in where],
            )  # fmt: skip


def _label_without_class(names: tuple[str, ...]) -> str | None:
    if len(names) == 1 or OFFICIAL_CLASSES[0] in names:
        return OFFICIAL_CLASSES[0] if OFFICIAL_CLASSES[0] in names else names[0]
    return None


def _where(valid: NDArray[np.bool_], values: pa.Array) -> pa.Array:
    nothing = pa.scalar(None, values.type)
    return pa.compute.if_else(pa.array(valid), values, nothing)


def _attributes(ignored: NDArray[np.bool_], seen: NDArray[np.float64]) -> pa.Array:
    # Few pairs of values occur: each becomes JSON once.
    values, index = np.unique(seen, return_inverse=True)
    pairs, place = np.unique(index.ravel() * 2 + ignored, return_inverse=True)
    texts: list[str | None] = []
    for pair in pairs.tolist():
        visibility = float(values[pair // 2])
        told: dict[str, Any] = {"ignored": True} if pair % 2 else {}
        if visibility != 1:
            told["visibility"] = visibility
        texts.append(json.dumps(told) if told else None)
    return pa.array(texts, pa.string()).take(pa.array(place.ravel()))
