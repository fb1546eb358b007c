"""Writing MOTS: PNG masks, or lines of run lengths."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...ledger import Ledger
from ...progress import Progress
from ..fitting import FileNames, Fitting, Holds, Row
from ..mask_images import encode_mask, without_suffix
from ..mask_painting import Painting
from ..mot.write import Names, Place, Plan, plan_sequences
from ..writing import Export, Sink
from .ids import CLASS_STEP, IGNORED, IGNORED_LABEL

__all__ = ["MotsWriter"]

_HOLDS = Holds({"mask": ()}, columns=("track", "frame"))
_MOST_CLASSES = 64


class MotsWriter:
    """Writes an export; one use."""

    def __init__(self, export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
        self._export, self._sink, self._ledger, self._progress = export, sink, ledger, progress
        self._fitting = Fitting("MOTS", _HOLDS, ledger)
        self._names = Names(tuple(x for x in export.labels if x.name != IGNORED_LABEL))
        self._tracks: dict[tuple[str, str], int] = {}
        self._taken: dict[str, set[int]] = {}
        self._last: dict[str, int] = {}

    def write(self, *, png: bool) -> None:
        """Write all subsets."""
        self._progress.start("Writing masks", None, "items")
        for subset in self._export.subsets:
            self._number_tracks(subset)
            (self._write_pngs if png else self._write_rows)(subset)
        self._fitting.close()
        for label in self._export.labels:
            line = label.name if label.name == IGNORED_LABEL else self._names.line(label.name)
            if line != label.name:
                text = f"{label.name!r} is written as {line!r}"
                self._ledger.note("label renamed", message=text)

    # -- PNG --------------------------------------------------------------------------

    def _write_pngs(self, subset: str) -> None:
        names = FileNames(stems=True)
        for batch in self._export.batches(subset):
            for item, rows in self._fitting.fit(batch):
                path = names.of(item)
                self._sink.add_media(f"{subset}/images/{path}", item["number"])
                if path != item["key"]:
                    self._renamed(item, path)
                self._write_png(f"{subset}/instances/{without_suffix(path)}.png", item, rows)
                self._progress.advance()
        self._sink.write(f"{subset}/instances/labels.txt", self._labels())

    def _write_png(self, path: str, item: Row, rows: list[Row]) -> None:
        values = self._values(item, rows)
        rows = [row for row in rows if id(row) in values]
        sizes = {(row["mask_width"], row["mask_height"]) for row in rows}
        if len(sizes) == 1:  # a PNG has the size of its masks, whatever that of the image
            ((width, height),) = sizes
            if item.get("width") and (item["width"], item.get("height")) != (width, height):
                for row in rows:
                    text = f"{width}x{height}, the image is {item['width']}x{item.get('height')}"
                    reason = "a mask has another size than its image"
                    self._fitting.warn(item, row, reason, text)
            item = {**item, "width": width, "height": height}
        painting = Painting.of(item, rows, self._fitting) or Painting.blank(item)
        if painting is not None:
            pixels = painting.values(lambda row: values[id(row)], np.uint16)
            self._sink.write(path, encode_mask(pixels))

    def _labels(self) -> str:
        return "".join(f"{line}\n" for line in self._names.lines)

    def _renamed(self, item: Row, name: str) -> None:
        key = item["key"]
        text = f"{key} is written as {name}"
        self._ledger.warn("image renamed", file=key, record="item", item=key, message=text)

    # -- lines ------------------------------------------------------------------------

    def _write_rows(self, subset: str) -> None:
        places = plan_sequences(self._export, subset, "mots")
        plans: dict[str, Plan] = {}
        for batch in self._export.batches(subset):
            for item, rows in self._fitting.fit(batch):
                place = places[item["key"]]
                plans[place.plan.folder] = place.plan
                self._add_rows(place, item, rows)
                if place.key != item["key"]:
                    self._renamed(item, place.key)
                self._sink.add_media(place.file, item["number"])
                self._progress.advance()
        for folder in sorted(plans):
            plan = plans[folder]
            self._sink.write(plan.path("gt/gt.txt"), "".join(plan.gt))
            self._sink.write(plan.path("gt/labels.txt"), self._labels())
            self._sink.write(plan.path("seqinfo.ini"), plan.info())

    def _add_rows(self, place: Place, item: Row, rows: list[Row]) -> None:
        plan = place.plan
        plan.length = max(plan.length, place.frame)
        plan.suffix = place.file[place.file.rindex(".") :]
        plan.measure(item)
        values = self._values(item, rows)
        for row in rows:
            value = values.get(id(row))
            if value is not None:
                kind = value // CLASS_STEP
                size = f"{row['mask_height']} {row['mask_width']}"
                rle = row["mask"].decode()
                plan.gt.append(f"{place.frame} {value} {kind} {size} {rle}\n")

    # -- numbers ----------------------------------------------------------------------

    def _values(self, item: Row, rows: list[Row]) -> dict[int, int]:
        # The number of each row of an image, by id(row); those without one are told.
        found: dict[int, int] = {}
        here: set[int] = set()
        for row in rows:
            if row["label"] == IGNORED_LABEL:
                found[id(row)] = IGNORED
                continue
            kind = self._names.number(row["label"])
            if kind > _MOST_CLASSES:
                text = f"{row['label']!r} is class {kind}; 16 bits hold {_MOST_CLASSES}"
                self._fitting.reject(item, row, "too many classes", text)
                continue
            instance = self._instance(row, kind, here)
            if instance is None:
                text = f"MOTS holds {CLASS_STEP - 1} of {row['label']!r}"
                self._fitting.reject(item, row, "too many instances of a class", text)
                continue
            value = kind * CLASS_STEP + instance
            if value in here:
                text = f"its track {row['track']} has a mask in this image already"
                self._fitting.warn(item, row, "masks of one track merged", text)
            here.add(value)
            found[id(row)] = value
            track = row.get("track")
            if track is None:
                self._fitting.warn(item, row, "mask without a track", f"it is instance {value}")
            elif str(value) != track:
                text = f"track {track} is written as {value}"
                self._fitting.warn(item, row, "track renumbered", text)
        return found

    def _instance(self, row: Row, kind: int, here: set[int]) -> int | None:
        label = row["label"]
        if row.get("track") is not None:
            return self._tracks.get((label, row["track"]))
        taken = self._taken.get(label, set())

        def is_free(n: int) -> bool:
            return n not in taken and kind * CLASS_STEP + n not in here

        found = _next(self._last.get(label, 0), is_free)
        if found is not None:
            self._last[label] = found
        return found

    def _number_tracks(self, subset: str) -> None:
        # The tracks of a subset, before anything of it is written: each keeps its own number
        # where it has one.
        self._tracks, self._taken, self._last = {}, {}, {}
        pairs: dict[tuple[str, str], None] = {}
        for batch in self._export.batches(subset):
            table = batch.annotations.select(["label", "track"])
            for row in table.group_by(["label", "track"]).aggregate([]).to_pylist():
                if row["label"] is not None and row["track"] is not None:
                    pairs[row["label"], row["track"]] = None
        later = []
        for label, track in sorted(pairs):
            number = _own_number(track, self._names.number(label)) if label != IGNORED_LABEL else 0
            taken = self._taken.setdefault(label, set())
            if number and number not in taken:
                self._tracks[label, track] = number
                taken.add(number)
            elif label != IGNORED_LABEL:
                later.append((label, track))
        for label, track in later:
            free = _next(0, lambda n, taken=self._taken[label]: n not in taken)  # type: ignore[misc]
            if free is not None:
                self._tracks[label, track] = free
                self._taken[label].add(free)


def _own_number(track: str, kind: int) -> int:
    if not track.isdecimal() or len(track) > 6 or str(int(track)) != track:
        return 0
    number = int(track)
    if number // CLASS_STEP in (0, kind):
        return number % CLASS_STEP
    return 0


def _next(last: int, is_free: Callable[[int], bool]) -> int | None:
    # The next free number after `last`, beginning again after 999.
    for step in range(1, CLASS_STEP):
        number = (last + step - 1) % (CLASS_STEP - 1) + 1
        if is_free(number):
            return number
    return None
