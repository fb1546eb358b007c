"""KITTI detection: one text file per image, a row of 15 or 16 columns per object."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from ..ledger import Ledger
from ..media.kinds import IMAGE_SUFFIXES
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format, Option
from .class_tables import ClassTable, distinct_colors, read_class_table
from .fitting import Fitting, Holds, Row, note_spaces
from .look import Look
from .mask_images import without_suffix
from .masks.write import told_names
from .reading import Reading
from .text_lines import lines_of, plain_number
from .writing import Export, Sink

__all__ = ["Kitti", "Place", "placed"]

_SUBSETS = frozenset(("train", "training", "val", "valid", "validation", "test", "testing"))
_UNKNOWN = (-1.0,) * 7
_FIELDS = ("height", "width", "length", "x", "y", "z", "rotation_y")


class Place(NamedTuple):
    """Where a file of a KITTI tree is: in front of its sorting folder, its subset, its stem."""

    root: str
    subset: str | None
    stem: str


def placed(path: str, folder: str) -> Place | None:
    """Return the place of a file in a folder called `folder`; None where it is in none.

    >>> placed("a/training/label_2/x/1.txt", "label_2")
    Place(root='a', subset='training', stem='x/1')
    >>> placed("label_2/val/1.txt", "label_2")
    Place(root='', subset='val', stem='1')
    """
    if f"{folder}/" not in path:
        return None
    parts = path.split("/")
    if folder not in parts[:-1]:
        return None
    at = parts.index(folder)
    before, after = parts[:at], parts[at + 1 :]
    subset = None
    if before:
        subset = before.pop()
    elif len(after) > 1 and after[0].lower() in _SUBSETS:
        subset = after.pop(0)
    return Place("/".join(before), subset, without_suffix("/".join(after)))


class _Bad(Exception):  # noqa: N818  not a fault: the reason to reject a record
    """Why a row can't be read: the reason that groups, and the sentence."""


def parse_row(line: str) -> dict[str, Any]:
    """Return a row's columns of ANNOTATIONS; a name may hold spaces, so it is read from the right.

    Raises:
        _Bad: it is none.
    """
    words = line.split()
    numbers: list[float] = []
    for word in reversed(words[1:]):
        try:
            numbers.insert(0, float(word))
        except ValueError:
            break
        if len(numbers) == 15:
            break
    if len(numbers) < 14:
        raise _Bad(
            "row is not understood",
            f"it ends in {len(numbers)} numbers; a row is a name and 14 or 15 numbers",
        )
    # A name that ends in a number: the columns after it tell.
    scored = len(numbers) == 15 and _is_row(numbers)
    values = numbers if scored else numbers[-14:]
    label = line.rsplit(None, len(values))[0].strip()
    if not all(math.isfinite(v) for v in values):
        raise _Bad("coordinate is not a number", "infinite or not a number")
    truncated, occluded, alpha, left, top, right, bottom = values[:7]
    if right < left or bottom < top:
        text = f"({left:g}, {top:g}) to ({right:g}, {bottom:g})"
        raise _Bad("corners in the wrong order", text)
    row: dict[str, Any] = {
        "type": "box", "label": label, "x": left, "y": top, "w": right - left, "h": bottom - top
    }  # fmt: skip
    extra: dict[str, Any] = {}
    if truncated:
        extra["truncated"] = truncated
    if occluded in (0, 1, 2):
        row["occluded"] = occluded > 0
    if occluded not in (0, 1):
        extra["occluded"] = int(occluded) if occluded.is_integer() else occluded
    if alpha != -1:
        extra["alpha"] = alpha
    if tuple(values[7:14]) != _UNKNOWN:
        extra.update(zip(_FIELDS, values[7:14], strict=True))
    if scored and 0 <= values[14] <= 1:
        row["score"] = values[14]
    elif scored:
        extra["score"] = values[14]
    if extra:
        row["extra"] = json.dumps({"kitti": extra})
    return row


def _is_row(numbers: Sequence[float]) -> bool:
    # truncated 0 to 1 (or -1), occluded 0 to 3 (or -1), corners in order
    fits = -1 <= numbers[0] <= 1 and numbers[1] in (-1, 0, 1, 2, 3)
    return fits and numbers[5] >= numbers[3] and numbers[6] >= numbers[4]


class Kitti(Format):
    """KITTI's 2D boxes, as the benchmark, CVAT, Datumaro and FiftyOne write them.

    **Items.** Each file of ``label_2`` and each image of ``image_2`` is one (``labels`` and
    ``data`` in FiftyOne's layout). The key is the image's path in that folder; the subset is the
    folder above (``training``), or below.

    **Annotations.** ``left top right bottom`` are pixels from 0, w = right - left. ``DontCare``
    is a label like others. Occlusion 1 and 2 is `occluded`; the exact value, truncation, alpha
    and the 3D box (height, width, length, x, y, z, rotation_y) are kept in `extra` and written
    again, but not shown. A 16th column is the score.

    **Records** are items and rows. Names with spaces are written as they are, as CVAT does.
    """

    name: ClassVar[str] = "kitti"
    title: ClassVar[str] = "KITTI"
    summary: ClassVar[str] = "One text file per image, a row of 15 or 16 columns per box."
    rules: ClassVar[str] = "https://www.cvlibs.net/datasets/kitti/eval_object.php (devkit)"
    holds: ClassVar[tuple[str, ...]] = ("box",)
    write_options: ClassVar[tuple[Option, ...]] = (
        Option("scores", "bool", True, "Write confidences as a 16th column, where there are any."),
    )

    def requires(self, look: Look) -> float:
        """Recognise a row of KITTI's, and the folder ``label_2``."""
        main = look.source.main
        if main is not None:
            look.need(_has_row(look, main), "the file has no row of 15 or 16 columns")
            look.found("a row has KITTI's columns")
            return 0.9
        look.need(
            not any(p.endswith("tracklet_labels.xml") for p in look.files.with_suffix(".xml")),
            "these are KITTI's raw tracklets, which are 3D and are not read",
        )
        files = _some_labels(look)
        look.need(files, "no label_2/*.txt")
        some = sorted({files[0], files[len(files) // 2], files[-1]})
        rows = [path for path in some if _has_row(look, path)]
        if not rows:
            empty = all(not look.head(path).lines for path in some)
            layout = any(placed(path, "label_2") for path in some)
            look.need(empty and layout, f"{some[0]} has no row of 15 or 16 columns")
            look.found("label_2 has files without rows")
            return 0.6
        look.found(f"{rows[0]} has KITTI's columns")
        return 0.95 if placed(rows[0], "label_2") else 0.9

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the dataset; see `Format.read`."""
        reading = Reading(source, ledger, progress, limit)
        files, folders = _label_files(source)
        for label in _declared(source).labels():
            reading.label(label.name, color=label.color)
        places = {path: placed(path, folders[0]) or Place("", None, "") for path in files}
        images = [p for p in source.files.with_suffix(*IMAGE_SUFFIXES) if placed(p, folders[1])]
        beside = {path: placed(path, folders[1]) for path in images}
        several = len({p.root for p in [*places.values(), *beside.values()] if p}) > 1
        by_place = {place: path for path, place in reversed(list(beside.items()))}
        solid = 0
        for path, data in reading.files(files):
            place = places[path] if source.main is None else Place("", None, _stem(path))
            image = by_place.get(place) or reading.find(place.stem, stem=True).path
            size = reading.size(image)
            number = self._item(reading, path, place, image, several, size)
            solid += _rows(reading, path, data, number, size)
            yield from reading.batches()
            if reading.is_full:
                break
        for path, found in beside.items():
            if found is None or reading.is_full or path in reading.used_media:
                continue
            reading.item(_key(found, path, several), subset=found.subset, media=path)
        if solid:
            text = f"3D boxes of {solid:,} rows are kept and written again, but not shown"
            ledger.note("3D boxes are not shown", message=text)
        yield from reading.rest()

    def _item(
        self, reading: Reading, path: str, place: Place, image: str | None, several: bool,
        size: tuple[int, int] | None,
    ) -> int:  # fmt: skip
        key = _key(place, image or "", several)
        number = reading.item(
            key, subset=place.subset, media=image, width=size and size[0], height=size and size[1]
        )
        if image is None and reading.has_images:
            reading.warn(
                "image file missing", file=path, record="item", item=key,
                message=f"{key}: there is no image of this name",
            )  # fmt: skip
        return number

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>/image_2``, ``<subset>/label_2`` and ``label_colors.txt``."""
        chosen = self.check_options(options, writing=True)
        columns = ("occluded", "extra", *(("score",) if chosen["scores"] else ()))
        fitting = Fitting(self.title, Holds({"box": ()}, columns=columns), ledger)
        note_spaces(export.labels, ledger, self.title)
        lost = 0
        for subset in export.subsets:
            names = told_names(subset, ledger)
            progress.start(f"Writing {subset}", None, "images")
            for batch in export.batches(subset):
                for item, rows in fitting.fit(batch):
                    path = names(item)
                    sink.add_media(f"{subset}/image_2/{path}", item["number"])
                    lines = []
                    for row in rows:
                        lines.append(_line(row) + "\n")
                        lost += "kitti" not in json.loads(row.get("extra") or '{"kitti": 0}')
                    sink.write(f"{subset}/label_2/{without_suffix(path)}.txt", "".join(lines))
                    progress.advance()
        if lost:
            ledger.note(f"no place in {self.title}", message=f"extra of {lost:,} records")
        colors = distinct_colors(export.labels)
        text = [f"{r} {g} {b} {_plain(name)}\n" for name, (r, g, b) in colors.items()]
        for name in colors:
            if _plain(name) != name:
                why = f"{name!r} is written as {_plain(name)!r}: a name is one line"
                ledger.note("name of a label changed", message=why)
        sink.write("label_colors.txt", "".join(text))
        fitting.close()


def _label_files(source: Source) -> tuple[list[str], tuple[str, str]]:
    # The files of labels, and the names of the folders for labels and images.
    if source.main is not None:
        return [source.main], ("label_2", "image_2")
    paths = source.files.with_suffix(".txt")
    for folders in (("label_2", "image_2"), ("labels", "data")):
        found = sorted(p for p in paths if placed(p, folders[0]))
        if found:
            return found, folders
    return [], ("label_2", "image_2")


def _some_labels(look: Look) -> list[str]:
    # A few of the files that `_label_files` would return, without looking at each of them.
    for name in ("label_2", "labels"):
        folders = [f for f in look.files.all_folders() if name in f.split("/")][:50]
        found = [p for f in folders for p in look.files.files(f) if p.lower().endswith(".txt")]
        if found:
            return found
    return []


def _has_row(look: Look, path: str) -> bool:
    for line in look.head(path).lines[:3]:
        try:
            parse_row(line)
        except _Bad:
            continue
        return not re.fullmatch(r"[-+.\d]+", line.split()[0])  # those are rows of YOLO
    return False


def _declared(source: Source) -> ClassTable:
    for name in ("label_colors.txt", "labels.txt"):
        found = [p for p in source.files.match(f"**/{name}") if not placed(p, "labels")]
        if found and source.main is None:
            table = read_class_table(source, min(found, key=lambda p: p.count("/")))
            return ClassTable(table.names, table.colors, frozenset())
    return ClassTable()


def _stem(path: str) -> str:
    return without_suffix(path.rpartition("/")[2])


def _key(place: Place, image: str, several: bool) -> str:
    end = image[len(without_suffix(image)) :]
    return (f"{place.root}/" if several and place.root else "") + place.stem + end


def _rows(reading: Reading, path: str, data: bytes, item: int, size: tuple[int, int] | None) -> int:
    # Adds the rows of a file; returns how many have a 3D box.
    solid = 0
    key = reading.key(item)
    for number, line in lines_of(data):
        where = {"file": path, "where": f"line {number}", "record": f"line {number}", "item": key}
        try:
            row = parse_row(line)
        except _Bad as bad:
            reading.reject(bad.args[0], message=f"{path}, line {number}: {bad.args[1]}", **where)
            continue
        right, bottom = row["x"] + row["w"], row["y"] + row["h"]
        if not (row["w"] and row["h"]):
            text = f"{path}, line {number}: the box is {row['w']:g}x{row['h']:g}"
            reading.warn("box without area", message=text, **where)
        elif size and (row["x"] < 0 or row["y"] < 0 or right > size[0] or bottom > size[1]):
            text = (
                f"{path}, line {number}: ({row['x']:g}, {row['y']:g}) to ({right:g}, {bottom:g}) "
                f"in an image of {size[0]}x{size[1]}; kept as given"
            )
            reading.warn("box reaches outside the image", message=text, **where)
        kept = json.loads(row.get("extra", "{}")).get("kitti", {})
        solid += kept.get("height", -1) > 0
        reading.annotation(item, **row)
    return solid


def _line(row: Row) -> str:
    found = json.loads(row.get("extra") or "{}").get("kitti")
    extra = found if isinstance(found, dict) else {}
    occluded = extra.get("occluded", 1 if row.get("occluded") else 0)
    left, top = row["x"], row["y"]
    solid = [extra.get(name, -1) for name in _FIELDS]
    values = [extra.get("truncated", 0.0), occluded, extra.get("alpha", -1),
              left, top, left + row["w"], top + row["h"], *solid]  # fmt: skip
    score = row.get("score", extra.get("score"))
    if score is not None:
        values.append(score)
    return " ".join([_plain(row["label"]), *(plain_number(v) for v in values)])


def _plain(name: str) -> str:
    return " ".join(name.split()) or "_"
