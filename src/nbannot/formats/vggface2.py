"""VGGFace2: a box and five landmarks per image, in CSV, by identity."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ..ledger import Ledger
from ..media.kinds import is_image, suffix
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format
from .faces import FACE, LANDMARKS, Once, box_cells, finite_numbers, five_points, landmark_cells
from .faces import renamed as tell_renamed
from .fitting import FileNames, Fitting, Holds
from .look import Look
from .reading import Reading
from .text_lines import lines_of, one_line
from .writing import Export, Sink, safe_path

__all__ = ["VggFace2"]

_TABLE = re.compile(r"(?:^|/)loose_(bb|landmark)_([^/]+)\.csv$", re.IGNORECASE)
_HOLDS = Holds({"box": (), "skeleton": (), "points": ()})
_HEADS = {
    "bb": ["NAME_ID", "X", "Y", "W", "H"],
    "landmark": ["NAME_ID", *(f"P{i}{axis}" for i in range(1, 6) for axis in "XY")],
}


class VggFace2(Format):
    """VGGFace2: ``bb_landmark/loose_bb_<subset>.csv``, ``loose_landmark_<subset>.csv``, images.

    **Items** are the images that a table names, and those that only lie in ``<subset>/``; the
    key is the path there (``n000001/0001_01.jpg``), its folder is the identity: the label of the
    box and of the landmarks, a skeleton of five points. Names of identities in ``labels.txt`` or
    ``identity_meta.csv`` are kept with the label. **Records** are images and rows. One box and
    one set of landmarks per image is all that the format holds.
    """

    name: ClassVar[str] = "vggface2"
    title: ClassVar[str] = "VGGFace2"
    summary: ClassVar[str] = "Faces by identity: a box and five landmarks each, in CSV."
    rules: ClassVar[str] = "https://github.com/ox-vgg/vgg_face2"
    holds: ClassVar[tuple[str, ...]] = ("box", "skeleton")

    def requires(self, look: Look) -> float:
        """Recognise loose_bb_<subset>.csv or loose_landmark_<subset>.csv by its header."""
        main = look.source.main
        paths = [main] if main is not None else look.files.with_suffix(".csv")
        tables = [p for p in paths if _TABLE.search(p)]
        look.need(tables, "no loose_bb_<subset>.csv")
        right = [p for p in tables if _has_header(look.head(p).lines)]
        look.need(right, f"{tables[0]} has no header NAME_ID,X,Y,W,H")
        look.found(f"{right[0]} has the columns of VGGFace2")
        return 0.95

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield images, boxes and landmarks; see `Format.read`."""
        self.check_options(options)
        reading = Reading(source, ledger, progress, limit)
        yield from _Reader(reading).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>/<label>/<image>`` and two tables per subset.

        An image that does not lie in the folder of its label is moved there, which is told.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        self.check_options(options, writing=True)
        fitting = Fitting(self.title, _HOLDS, ledger)
        progress.start("Writing faces", None, "items")
        for subset in export.subsets:
            _write_subset(export, subset, sink, fitting, progress)
        known = [label for label in export.labels if label.name != FACE]
        names = {x.name: x.extra.get("vggface2") for x in known}
        if any(names.values()):
            lines = [f"{name} {given or name}\n" for name, given in names.items()]
            sink.write("labels.txt", "".join(lines))
        fitting.close()


def _has_header(lines: list[str]) -> bool:
    return bool(lines) and lines[0].replace('"', "").upper().startswith("NAME_ID")


class _Reader:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        source = reading.source
        paths = [source.main] if source.main is not None else source.files.with_suffix(".csv")
        self._tables = {p: m for p in paths if (m := _TABLE.search(p))}
        self._images = {
            p[: -len(suffix(p))]: p
            for p in (source.files if source.main is None else ())
            if is_image(p)
        }

    def read(self) -> Iterator[Batch]:
        reading = self._reading
        self._declare()
        by_subset: dict[str, list[str]] = {}
        for path, match in self._tables.items():
            by_subset.setdefault(match[2], []).append(path)
        for subset, paths in sorted(by_subset.items()):
            folder = paths[0].rpartition("/")[0].rpartition("/")[0]
            place = f"{folder}/{subset}" if folder else subset
            known: dict[str, tuple[int, str]] = {}
            for path, data in reading.files(paths):
                for line, cells in self._rows(path, data, known):
                    name = cells[0].replace("\\", "/")
                    if name not in known:
                        if reading.is_full:
                            continue
                        known[name] = self._item(name, place, subset, path)
                    self._face(*known[name], path, line, cells[1:])
                    yield from reading.batches()
            self._leftover(place, subset)
        yield from reading.rest()

    def _declare(self) -> None:
        source = self._reading.source
        for base in ("labels.txt", "identity_meta.csv"):
            for path in source.files.match(base, f"*/{base}") if source.main is None else ():
                for _, line in lines_of(source.read(path)):
                    cells = [c.strip().strip('"') for c in re.split(r"[,\s]+", line, maxsplit=1)]
                    if cells[0] in ("Class_ID", "") or len(cells) < 2:
                        continue
                    name = cells[1]
                    if base.endswith(".csv"):
                        name = _cells(cells[1])[0]
                    self._reading.label(cells[0], extra={"vggface2": name.strip('" ')})

    def _rows(
        self, path: str, data: bytes, known: Mapping[str, Any]
    ) -> Iterator[tuple[int, list[str]]]:
        # The rows of a table; where there are items enough, only those of `known` names.
        for number, line in lines_of(data):
            if self._reading.is_full and line.partition(",")[0].strip('" ') not in known:
                continue
            cells = [cell.strip() for cell in _cells(line)]
            if cells[0].upper() == "NAME_ID":
                continue
            if cells[0]:
                yield number, cells
                continue
            where = f"line {number}"
            self._reading.reject(
                "row without a name", file=path, where=where, record=where,
                message=f"{where}: it names no image",
            )  # fmt: skip

    def _item(self, name: str, place: str, subset: str, file: str) -> tuple[int, str]:
        image = self._images.get(f"{place}/{name}") or self._images.get(name)
        key = name + (image[image.rindex(".") :] if image else ".jpg")
        folder = name.rpartition("/")[0]
        label = folder.partition("/")[0] or FACE
        item = self._reading.item(key, subset=subset, media=image)
        if image is None and self._images:
            self._reading.warn(
                "image file missing", file=file, record="item", item=key,
                message=f"{key}: there is no image of this name",
            )  # fmt: skip
        return item, label

    def _face(self, item: int, label: str, path: str, line: int, cells: list[str]) -> None:
        reading = self._reading
        where = f"line {line}"
        is_box = self._tables[path][1].lower() == "bb"
        count = 4 if is_box else 10
        numbers = finite_numbers(cells)
        place = {"file": path, "where": where, "record": where, "item": reading.key(item)}
        if numbers is None or len(numbers) != count:
            text = f"{where}: after the name come not {count} numbers"
            reading.reject("row is not numbers", message=text, **place)
            return
        if not is_box:
            self._label(label)
            reading.annotation(item, label=label, **five_points(numbers))
            return
        x, y, w, h = numbers
        if w < 0 or h < 0:
            text = f"{where}: its width or height is below 0"
            reading.reject("box of negative size", message=text, **place)
            return
        if not (w and h):
            text = f"{where}: its width or height is 0"
            reading.warn("box without area", message=text, **place)
        self._label(label)
        reading.annotation(item, type="box", label=label, x=x, y=y, w=w, h=h)

    def _label(self, name: str) -> None:
        known = self._reading.labels.get(name)
        if known is None or known.skeleton is None:
            self._reading.label(name, skeleton=LANDMARKS)

    def _leftover(self, place: str, subset: str) -> None:
        reading = self._reading
        for path in self._images.values():
            if path.startswith(f"{place}/") and path not in reading.used_media:
                if not reading.is_full:
                    reading.item(path[len(place) + 1 :], subset=subset, media=path)


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line], skipinitialspace=True))
    except (csv.Error, StopIteration):
        return [line]


def _write_subset(
    export: Export, subset: str, sink: Sink, fitting: Fitting, progress: Progress
) -> None:
    names = FileNames(stems=True)
    tables: dict[str, list[list[str]]] = {"bb": [], "landmark": []}
    for batch in export.batches(subset):
        for item, rows in fitting.fit(batch):
            label = next((row["label"] for row in rows), None)
            path = names.of({**item, "key": _key(item["key"], label)})
            tell_renamed(fitting.ledger, item, path)
            sink.add_media(f"{subset}/{path}", item["number"])
            stem = path[: -len(suffix(path))] if suffix(path) else path
            once = Once(fitting, item)
            for row in rows:
                if row["label"] != label:
                    text = f"{row['label']!r} is not the identity {label!r} of the image"
                    fitting.warn(item, row, "label can't be written", text)
                if row["type"] == "box" and once.take("box", row):
                    tables["bb"].append([stem, *box_cells(fitting, item, row)])
                elif row["type"] != "box":
                    cells = landmark_cells(fitting, item, row)
                    if cells and once.take("set of landmarks", row):
                        tables["landmark"].append([stem, *cells])
            progress.advance()
    for kind, cells_of in tables.items():
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([_HEADS[kind], *cells_of])
        sink.write(f"bb_landmark/loose_{kind}_{subset}.csv", out.getvalue())


def _key(key: str, label: str | None) -> str:
    # The path of an image: in the folder of its label.
    key = one_line(safe_path(key))
    if label is None:
        return key
    folder = "" if label == FACE else re.sub(r"[\\/\r\n]", "_", label).strip(". ") or "_"
    if (key.partition("/")[0] if "/" in key else "") == folder:
        return key
    return f"{folder}/{key}" if folder else key.replace("/", "_")
