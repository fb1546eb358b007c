"""DOTA: a text file per image, with the four corners, class and difficulty of each object."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import geometry
from ..errors import FormatError
from ..ledger import Ledger
from ..media.kinds import is_image
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format
from .fitting import Fitting, Holds, Row
from .image_files import ImageFiles, extra_of, fitted, rounded, subset_folder
from .image_records import At, add_box, add_points, as_json, candidates, numbers
from .json_values import loads
from .look import Look
from .reading import Reading
from .writing import Export, Sink

__all__ = ["Dota"]

_FOLDER = re.compile(r"(?i)labeltxt.*|annfiles")
_IMAGE_FOLDERS = ("images", "image", "JPEGImages", "img", "imgs", "")
_SUBSET = re.compile(r"(?i)(train(ing)?|val(id(ation)?)?|dev|test(ing)?|eval|trainval)")
_HEADER = re.compile(r"(?i)(imagesource|gsd|acquisition dates?)\s*:\s*(.*)")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_ROW = re.compile(rf"(?:{_NUMBER}\s+){{8}}(?!{_NUMBER}(?:\s|$))\S.*")
_NOT_LABELS = ("readme", "classes", "labels", "license")


class Dota(Format):
    """DOTA 1.0 to 2.0, as its makers, Roboflow, mmrotate and Datumaro lay it out.

    **Items** are the text files, and images that have none. The key is the path below
    ``labelTxt``, with the suffix of the image of that name in ``images``. The subset is the
    folder (``train/labelTxt``, ``labelTxt/train``).

    **Objects**: four corners in pixels. Where they are those of a rectangle, but for rounding,
    the object is a rotated box, first corner top left; else it is a polygon. The corners are kept
    and written again to the digit. Difficulty is an attribute where it is not 0.

    **Records** are images and lines. Written are boxes, rotated or not, and polygons of four
    points; any other polygon becomes the smallest rectangle around it.
    """

    name: ClassVar[str] = "dota"
    title: ClassVar[str] = "DOTA"
    summary: ClassVar[str] = "labelTxt: a text file per image, four corners and a class per line."
    rules: ClassVar[str] = "https://captain-whu.github.io/DOTA/dataset.html"
    holds: ClassVar[tuple[str, ...]] = ("box", "polygon")

    def requires(self, look: Look) -> float:
        """Return 0.95 where labelTxt has lines of 8 numbers and a class, 0.8 for such a file."""
        paths = _label_files(look.source)
        look.need(paths, "no text files")
        named = any(_place(p) is not None for p in paths)
        rows = 0
        for path in (paths[0], *paths[1 : len(paths) : max(len(paths) // 8, 1)])[:9]:
            lines = [line for line in look.head(path).lines if not _HEADER.match(line)]
            if lines and _ROW.fullmatch(lines[0]):
                rows += 1
            elif lines:
                look.need(rows, f"{path} has no lines of 8 numbers and a class")
        if named:
            look.found("a folder is called labelTxt")
        look.need(rows or named, f"{paths[0]} has no lines of 8 numbers and a class")
        if rows:
            look.found(f"{paths[0]} and the like: lines of 8 numbers and a class")
            if look.files.with_suffix(".yaml", ".yml"):
                return 0.6  # YOLO's, in Roboflow's older layout
            return 0.95 if named else 0.8
        return 0.6

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the images of the text files, then those that have none.

        Raises:
            FormatError: there is no text file.
        """
        paths = _label_files(source)
        if not paths:
            raise FormatError(f"{source.name} has no text files of DOTA")
        reading = Reading(source, ledger, progress, limit)
        places = {path: _place(path) or _Place("", None, _stem(path)) for path in paths}
        _split(places)
        if len({place.root for place in places.values()}) > 1:  # else they would be one
            for path, place in places.items():
                if place.subset is None and place.root:
                    places[path] = place._replace(subset=place.root.rpartition("/")[2])
        for path, data in reading.files(paths):
            _read_file(reading, path, data, places[path])
            yield from reading.batches()
            if reading.is_full:
                break
        for root, subset in sorted({(p.root, p.subset or "") for p in places.values()}):
            _leftover(reading, root, subset or None)
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``labelTxt/`` and ``images/`` in a folder for each subset."""
        holds = Holds({"box": ("rotation",), "polygon": ()}, ("attributes", "extra"))
        fitting = Fitting(self.title, holds, ledger)
        progress.start("Writing images", unit="images")
        for subset in export.subsets:
            folder = subset_folder(export, subset, ledger)
            base = f"{folder}/" if folder else ""
            files = ImageFiles(sink, fitting, stems=True)
            for item, rows in fitted(export, subset, fitting, progress, "dota"):
                place = f"{base}images"
                name = files.add(item, place)[len(place) + 1 :]
                meta = extra_of(item, "dota", "meta")
                lines = [f"{k}:{v}" for k, v in meta.items() if isinstance(v, str)]
                lines += [_line(item, row, fitting) for row in rows]
                text = "".join(f"{line}\n" for line in lines)
                sink.write(f"{base}labelTxt/{_stem(name)}.txt", text)
        fitting.close()


class _Place(NamedTuple):
    """Where a text file is: the folder that has labelTxt, the subset, the key without suffix."""

    root: str
    subset: str | None
    stem: str


def _stem(path: str) -> str:
    return path.rpartition(".")[0] if is_image(path) or path.endswith((".txt", ".TXT")) else path


def _label_files(source: Source) -> list[str]:
    paths = candidates(source, ".txt")
    folders = [f for f in source.files.all_folders() if _place(f"{f}/a.txt") is not None]
    if source.main is None and not folders:
        plain = [p for p in paths if not p.rpartition("/")[2].lower().startswith(_NOT_LABELS)]
        return sorted(plain)
    inside = [p for p in paths if _place(p) is not None]
    plain = [p for p in paths if not p.rpartition("/")[2].lower().startswith(_NOT_LABELS)]
    return sorted(inside or plain)


def _place(path: str) -> _Place | None:
    parts = path.split("/")
    for i, part in enumerate(parts[:-1]):
        if _FOLDER.fullmatch(part):
            above, below = parts[:i], parts[i + 1 :]
            if above and _SUBSET.fullmatch(above[-1]):
                return _Place("/".join(above), above[-1], _stem("/".join(below)))
            return _Place("/".join(above), None, _stem("/".join(below)))
    return None


def _split(places: dict[str, _Place]) -> None:
    # labelTxt/train/a.txt, where everything in labelTxt lies in folders of subsets.
    by_root: dict[str, list[str]] = {}
    for path, place in places.items():
        if place.subset is None:
            by_root.setdefault(place.root, []).append(path)
    for paths in by_root.values():
        tops = [places[path].stem.partition("/") for path in paths]
        if all(slash and _SUBSET.fullmatch(top) for top, slash, _ in tops):
            for path, (top, _, rest) in zip(paths, tops, strict=True):
                places[path] = places[path]._replace(subset=top, stem=rest)


def _image_folders(place: _Place) -> list[str]:
    base = f"{place.root}/" if place.root else ""
    folders = [f"{base}{name}".rstrip("/") for name in _IMAGE_FOLDERS]
    if place.subset:
        folders = [f"{folder}/{place.subset}".lstrip("/") for folder in folders] + folders
    return folders


def _leftover(reading: Reading, root: str, subset: str | None) -> None:
    if reading.source.main is not None:
        return
    for folder in _image_folders(_Place(root, subset, "")):
        some = [p for p in reading.source.files if folder and p.startswith(f"{folder}/")]
        reading.leftover([p for p in some if is_image(p)], subset, under=folder)
        if any(map(is_image, some)):
            return


def _read_file(reading: Reading, path: str, data: bytes, place: _Place) -> None:
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = data.decode("utf-16" if wide else "utf-8-sig", "replace")
    lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    meta = {m[1].lower(): m[2] for _, line in lines if (m := _HEADER.fullmatch(line))}
    near = _image_folders(place)
    item = reading.image_item(
        place.stem, file=path, near=near, subset=place.subset, stem=True,
        meta=as_json({"dota": meta or None}),
    )  # fmt: skip
    key = reading.key(item)
    size = reading.size(reading.find(place.stem, near=near, stem=True).path) if lines else None
    for number, line in lines:
        if not _HEADER.fullmatch(line):
            _read_line(reading, item, At(path, f"line {number}", key), line, size)


def _read_line(
    reading: Reading, item: int, at: At, line: str, size: tuple[int, int] | None
) -> None:
    cells = line.split(None, 8)
    if len(cells) < 9:
        reading.reject("line is too short", **at.line("it is not 8 numbers and a class"))
        return
    flat = numbers(*cells[:8])
    if flat is None:
        reading.reject("box without numbers", **at.line("one of its 8 coordinates is no number"))
        return
    label, _, last = cells[8].rpartition(" ")
    if not re.fullmatch(r"\d+", last) or not label.strip():
        label, last = cells[8], "0"
    values: dict[str, Any] = {"label": label.strip()}
    if int(last[:9]):
        values["attributes"] = as_json({"difficult": int(last[:9])})
    found = _rectangle(flat)
    if found is None:
        add_points(reading, item, at, flat, size, **values)
        return
    box, turn, corners = found
    low, high = corners.min(axis=0), corners.max(axis=0)
    if turn and size is not None and (min(low) < -0.5 or max(high - size) > 0.5):
        text = f"it reaches outside the image of {size[0]} x {size[1]}; kept as it is"
        reading.warn("box reaches outside the image", **at.line(text))
    extra = as_json({"dota": {"corners": flat}})
    add_box(reading, item, at, box, size, rotation=turn or None, extra=extra, **values)


def _rectangle(
    flat: Sequence[float],
) -> tuple[list[float], float, NDArray[np.float64]] | None:
    """Return box, degrees and corners of four corners; None where they are no rectangle."""
    given = np.asarray(flat, np.float64).reshape(4, 2)
    corners = given if geometry.ring_area(given) >= 0 else given[[0, 3, 2, 1]]
    boxes, degrees = geometry.corners_to_box(corners)
    off = np.hypot(*(geometry.box_corners(boxes, degrees)[0] - corners).T).max()
    short, long = sorted(boxes[0, 2:])
    if off > min(max(1.0, 0.05 * long), 0.2 * short) + 1e-9:
        return None
    turn = float(degrees[0])
    if min(abs(turn), 180 - abs(turn)) < 1e-9:  # exact, where it is not turned
        low, high = corners.min(axis=0), corners.max(axis=0)
        return [*low.tolist(), *(high - low).tolist()], 0.0, corners
    return boxes[0].tolist(), turn, corners


# -- writing ------------------------------------------------------------------------------


def _line(item: Row, row: Row, fitting: Fitting) -> str:
    flat = _corners(item, row, fitting)
    label = " ".join(row["label"].split())
    if label != row["label"]:
        fitting.warn(item, row, "label changed", f"{row['label']!r} is written as {label!r}")
    attributes = loads(row["attributes"].encode())[0] if row.get("attributes") else {}
    given = attributes.pop("difficult", 0)
    difficult = int(given) if isinstance(given, (bool, int)) and given >= 0 else 0
    if attributes:
        names = ", ".join(attributes)
        fitting.warn(item, row, "attributes can't be written", f"{names}: DOTA has no place")
    return " ".join([*(str(rounded(v)) for v in flat), label, str(difficult)])


def _corners(item: Row, row: Row, fitting: Fitting) -> list[float]:
    if row["type"] == "box":
        box, turn = [row[n] for n in "xywh"], row.get("rotation") or 0.0
        kept = extra_of(row, "dota").get("corners")
        flat = numbers(*kept) if isinstance(kept, list) and len(kept) == 8 else None
        was = _rectangle(flat) if flat is not None else None
        if flat is not None and was is not None and np.allclose([*was[0], was[1]], [*box, turn]):
            return flat
        if not turn:
            x, y, w, h = box
            return [x, y, x + w, y, x + w, y + h, x, y + h]
        return [float(v) for v in geometry.box_corners([box], [turn])[0].ravel()]
    if len(row["points"]) == 8:
        if _rectangle(list(row["points"])) is not None:
            text = "four corners of a rectangle are a rotated box in DOTA"
            fitting.warn(item, row, "polygon written as rotated box", text)
        return list(row["points"])
    text = f"{len(row['points']) // 2} points become the smallest rectangle around them"
    fitting.warn(item, row, "polygon written as rotated box", text)
    return _smallest(np.asarray(row["points"], np.float64).reshape(-1, 2))


def _smallest(points: NDArray[np.float64]) -> list[float]:
    """Return the corners of the rectangle of least area around some points."""
    hull = _hull(points)
    best: tuple[float, list[float]] | None = None
    for a, b in zip(hull, np.roll(hull, -1, axis=0), strict=True):
        length = float(np.hypot(*(b - a)))
        if not length:
            continue
        along = (b - a) / length
        axes = np.stack([along, [-along[1], along[0]]])
        seen = hull @ axes.T
        low, high = seen.min(axis=0), seen.max(axis=0)
        area = float(np.prod(high - low))
        if best is None or area < best[0]:
            square = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
            best = area, [float(v) for v in (square @ axes).ravel()]
    return best[1] if best is not None else [float(v) for v in np.tile(hull[0], 4)]


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    # The convex hull, by Andrew's chain.
    ordered = sorted({(float(x), float(y)) for x, y in points})
    if len(ordered) < 3:
        return np.array(ordered)
    halves: list[list[tuple[float, float]]] = []
    for pass_ in (ordered, ordered[::-1]):
        chain: list[tuple[float, float]] = []
        for p in pass_:
            while len(chain) > 1 and _cross(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        halves.append(chain[:-1])
    return np.array(halves[0] + halves[1])


def _cross(o: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float:
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])
