"""BDD100K: a JSON list of frames with labels: boxes, lanes, drivable areas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from .. import geometry
from ..ledger import Ledger
from ..media.kinds import suffix
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format
from .fitting import Fitting, Holds, Row
from .image_files import ImageFiles, extra_of, fitted, rounded, subset_folder
from .image_records import (
    At,
    Images,
    add_box,
    add_points,
    as_json,
    candidates,
    document,
    files_of,
    label_of,
    number,
    numbers,
    objects,
    subset_of,
)
from .json_values import dumps, loads
from .look import Head, Look
from .reading import Reading
from .writing import Export, Sink

__all__ = ["BDD100K"]

_SHAPES = {"box2d", "poly2d"}
_KNOWN = {"id", "category", "attributes", "box2d", "poly2d", "score", "manualShape",
          "manualAttributes"}  # fmt: skip


class BDD100K(Format):
    """BDD100K's JSON of 2018 and of 2020 (Scalabel), and FiftyOne's BDDDataset.

    **Items** are frames; the key is ``name``, the image of that name is looked for in
    ``images/100k/<subset>`` and everywhere else. The subset is a word of the file's name
    (``det_train.json``) or its folder. Attributes of the frame (weather) and all that it has
    besides are kept with it.

    **Labels**: box2d is a box, w = x2 - x1; poly2d is a polygon where it is closed, else a
    polyline, one for each of its parts. Bezier curves keep their types. ``occluded`` has a
    column of its own, ``score`` is the score; where frames are of a video (``videoName``,
    ``frameIndex``), an id is the track.

    **Records** are frames and labels; a label without box2d and poly2d is a tag.
    """

    name: ClassVar[str] = "bdd100k"
    title: ClassVar[str] = "BDD100K"
    summary: ClassVar[str] = "One JSON list of frames with box2d and poly2d."
    rules: ClassVar[str] = "https://doc.bdd100k.com/format.html"
    holds: ClassVar[tuple[str, ...]] = ("box", "polygon", "polyline", "tag")

    def requires(self, look: Look) -> float:
        """Return 0.95 for JSON with name, labels, category and box2d or poly2d."""
        paths = candidates(look.source, ".json")
        look.need(paths, "no JSON file")
        mine = files_of(look, _is_mine, ".json")
        look.need(mine, f"{paths[0]} has no labels with box2d or poly2d")
        look.found(f"{mine[0]} has frames with labels")
        if not _SHAPES & look.head(mine[0]).json_keys:
            return 0.7
        look.found("labels have box2d or poly2d")
        return 0.95

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield frames with their labels.

        Raises:
            BrokenFileError: a file is not JSON.
        """
        reading = Reading(source, ledger, progress, limit)
        images = Images(reading)
        paths = files_of(Look(source), _is_mine, ".json", limit=None)
        paths = paths or candidates(source, ".json")
        subsets = _subsets(paths)
        for path, data in reading.files(paths):
            for where, frame in _frames(reading, path, data):
                _read_frame(reading, images, At(path, where, ""), frame, subsets[path])
                yield from reading.batches()
                if reading.is_full:
                    break
            if reading.is_full:
                break
        for subset in dict.fromkeys(subsets.values()):
            for folder in _folders(subset)[:1]:
                images.leftover(folder, subset, deep=True)
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``labels/det_<subset>.json`` and ``images/<subset>/``."""
        types = {"box": (), "polygon": ("parts",), "polyline": (), "tag": ()}
        columns = ("attributes", "occluded", "score", "extra", "track")
        fitting = Fitting(self.title, Holds(types, columns), ledger)
        progress.start("Writing images", unit="images")
        for subset in export.subsets:
            folder = subset_folder(export, subset, ledger)
            place = f"images/{folder}" if folder else "images"
            files = ImageFiles(sink, fitting)
            lines = []
            for item, rows in fitted(export, subset, fitting, progress, "bdd100k"):
                name = files.add(item, place)[len(place) + 1 :]
                frame = _frame(name, item, rows)
                in_video = {"videoName", "video_name"} & frame.keys()
                for row in () if in_video else rows:
                    if row.get("track") is not None:
                        text = "the image is no frame of a video (its meta names none)"
                        fitting.warn(item, row, "track can't be written", text)
                lines.append(json.dumps(frame, ensure_ascii=False))
            text = "[" + ",\n".join(lines) + "]\n"
            sink.write(f"labels/det_{folder}.json" if folder else "labels/det.json", text)
        fitting.close()


def _is_mine(head: Head) -> bool:
    keys = head.json_keys
    if {"name", "frames", "objects", "category"} <= keys and keys & _SHAPES:
        return True  # one file per image, of 2018
    if not {"name", "labels"} <= keys or keys & {"label_schema", "shapes", "images", "_cls"}:
        return False
    if "category" in keys and keys & _SHAPES:
        return True
    return (
        head.json_start == "["
        and bool(keys & {"timestamp", "category", "weather", "timeofday"})
        and (keys.isdisjoint({"regions", "annotations", "data", "bounding_box", "objects"}))
    )


def _subsets(paths: Sequence[str]) -> dict[str, str | None]:
    found = {path: subset_of(path, paths) for path in paths}
    stems = {p: p.rpartition("/")[2].rpartition(".")[0].removeprefix("det_") for p in paths}
    if len(paths) > 1 and len(set(stems.values())) == len(paths):
        found = {path: subset or stems[path] for path, subset in found.items()}
    return found


def _folders(subset: str | None) -> list[str]:
    if subset is None:
        return ["images", "data"]
    return [f"images/{subset}", f"images/100k/{subset}", f"{subset}/data", f"{subset}/images"]


# -- reading ------------------------------------------------------------------------------


def _frames(reading: Reading, path: str, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    # A list of frames; Scalabel's {"frames": [...]}; or one file per image.
    if Head(data[:4096]).json_start != "{":
        yield from objects(data, path, reading, "frames")
        return
    value = document(data, path, reading)
    frames = value.get("frames") if isinstance(value, dict) else None
    if (
        isinstance(frames, list)
        and "labels" not in value
        and all(isinstance(f, dict) and "objects" in f for f in frames)
    ):  # one file per image, of 2018
        labels = [label for frame in frames for label in frame["objects"] or ()]
        yield "frame", {**value, "labels": labels}
        return
    for index, frame in enumerate(frames if isinstance(frames, list) else [value]):
        where = f"frames[{index}]"
        if isinstance(frame, dict):
            yield where, frame
        else:
            reading.reject("frame is not an object", **At(path, where, "").line("it is no object"))


def _read_frame(
    reading: Reading, images: Images, at: At, frame: Mapping[str, Any], subset: str | None
) -> None:
    kept = {k: v for k, v in frame.items() if k not in ("name", "labels") and v is not None}
    name = frame.get("name")
    if isinstance(name, str) and name and not suffix(name):
        found = reading.find(name, near=_folders(subset), stem=True).path
        name += suffix(found) if found is not None else ""
    folders = (*_folders(subset), *_folders(None))
    item = images.add(
        name, at, subset=subset, folders=folders, meta=as_json({"bdd100k": kept or None})
    )
    labels = frame.get("labels")
    rows = labels if isinstance(labels, list) else []
    size = images.size(item) if item is not None and rows else None
    video = frame.get("videoName") or frame.get("video_name")
    index = number(frame.get("frameIndex", frame.get("frame_index")))
    values: dict[str, Any] = {}
    if video is not None and index is not None and index >= 0:
        values["frame"] = int(index)
    for rank, label in enumerate(rows):
        place = At(at.file, f"{at.where}.labels[{rank}]", "" if item is None else reading.key(item))
        if item is None:
            reading.reject("image was rejected", **place.line("its image was rejected"))
        elif not isinstance(label, dict):
            reading.reject("label is not an object", **place.line("it is no JSON object"))
        else:
            _read_label(reading, item, place, label, size, values)


def _read_label(
    reading: Reading,
    item: int,
    at: At,
    label: Mapping[str, Any],
    size: tuple[int, int] | None,
    more: Mapping[str, Any],
) -> None:
    attributes = label.get("attributes")
    attributes = dict(attributes) if isinstance(attributes, dict) else {}
    occluded = attributes.get("occluded")
    if isinstance(occluded, bool):
        del attributes["occluded"]
    kept = {k: v for k, v in label.items() if k not in _KNOWN and v is not None}
    kept |= {k: label[k] for k in ("manualShape", "manualAttributes") if k in label}
    identity = label.get("id")
    values: dict[str, Any] = {
        "label": label_of(label.get("category")),
        "occluded": occluded if isinstance(occluded, bool) else None,
        "score": number(label.get("score")),
        "source_id": None if identity is None else str(identity),
        "attributes": dumps(attributes) if attributes else None,
        **more,
    }
    if "frame" in more and identity is not None:
        values["track"] = str(identity)
    if values["label"] is None:
        reading.warn("annotation without a label", **at.line("it has no category"))
    box, lines = label.get("box2d"), label.get("poly2d")
    if isinstance(lines, list) and lines and not isinstance(box, dict):
        _read_lines(reading, item, at, lines, size, kept, values)
    elif box is not None or lines is not None:
        if lines:
            kept["poly2d"] = lines
            reading.warn("label with two shapes", **at.line("its poly2d is kept beside the box"))
        corners = numbers(*(box.get(n) for n in ("x1", "y1", "x2", "y2"))) if isinstance(
            box, dict) else None  # fmt: skip
        where = None
        if corners is not None:
            x, y, right, low = corners
            where = (x, y, right - x, low - y)
        add_box(reading, item, at, where, size, extra=as_json({"bdd100k": kept or None}), **values)
    elif set(label) & {"rle", "graph", "box3d"}:
        what = next(k for k in ("rle", "graph", "box3d") if k in label)
        reading.reject(f"{what} is not read", **at.line(f"its shape is {what}"))
    elif values["label"] is not None:
        reading.annotation(item, type="tag", extra=as_json({"bdd100k": kept or None}), **values)
    else:
        reading.reject("tag without a label", **at.line("it has neither shape nor category"))


def _read_lines(
    reading: Reading,
    item: int,
    at: At,
    lines: list[Any],
    size: tuple[int, int] | None,
    kept: Mapping[str, Any],
    values: Mapping[str, Any],
) -> None:
    parts: list[tuple[bool, list[float], str]] = []
    if all(isinstance(v, list) and len(v) == 3 and isinstance(v[2], str) for v in lines):
        closed = str(values.get("label")).startswith("area")  # one line, of 2018
        types = "".join(v[2] for v in lines)
        lines = [{"vertices": [v[:2] for v in lines], "types": types, "closed": closed}]
    for line in lines:
        found = _vertices(line)
        if found is None:
            text = "poly2d has a vertex that is no pair of numbers"
            reading.reject("polygon without numbers", **at.line(text))
            return
        parts.append(found)
    extra = as_json({"bdd100k": {**kept, **_types(parts)} or None})
    if all(closed for closed, _, _ in parts):
        if min(len(flat) for _, flat, _ in parts) < 6:
            text = "a part has fewer than three points"
            reading.reject("polygon with too few points", **at.line(text))
            return
        whole = [v for _, flat, _ in parts for v in flat]
        rings = [len(flat) // 2 for _, flat, _ in parts] if len(parts) > 1 else None
        add_points(reading, item, at, whole, size, rings=rings, extra=extra, **values)
        return
    good = [part for part in parts if len(part[1]) >= 4]
    if len(good) < len(parts):
        text = "a part has fewer points than it needs"
        reading.reject("polyline with too few points", **at.line(text))
        return
    for rank, (closed, flat, types) in enumerate(parts):
        kind = "polygon" if closed and len(flat) >= 6 else "polyline"
        mine = as_json({"bdd100k": {**kept, **_types([(closed, flat, types)])} or None})
        if rank == 0:
            add_points(reading, item, at, flat, size, type=kind, extra=mine, **values)
            continue
        reading.ledger.split()
        frame: dict[str, Any] = {}
        if kind == "polygon":
            xs, ys = flat[::2], flat[1::2]
            frame = {"x": min(xs), "y": min(ys), "w": max(xs) - min(xs), "h": max(ys) - min(ys)}
        reading.annotation(item, counted=True, type=kind, points=flat, extra=mine, **frame,
                           **values)  # fmt: skip


def _vertices(line: Any) -> tuple[bool, list[float], str] | None:
    """Return (closed, points, types) of a part; None where it has no numbers."""
    if not isinstance(line, dict):
        return None
    vertices, types = line.get("vertices"), str(line.get("types") or "")
    closed = bool(line.get("closed"))
    if not isinstance(vertices, list):
        return None
    pairs = [numbers(*v[:2]) if isinstance(v, list) and len(v) > 1 else None for v in vertices]
    flat = [v for pair in pairs if pair is not None for v in pair]
    return (closed, flat, types) if len(flat) == 2 * len(pairs) else None


def _types(parts: Sequence[tuple[bool, list[float], str]]) -> dict[str, Any]:
    # Types of vertices, where one is no corner of a straight line ("C": a Bezier curve).
    return {"types": [t for _, _, t in parts]} if any("C" in t for _, _, t in parts) else {}


# -- writing ------------------------------------------------------------------------------


def _frame(name: str, item: Row, rows: Sequence[Row]) -> Row:
    labels = [_label(rank, row) for rank, row in enumerate(rows)]
    return {"name": name, **extra_of(item, "bdd100k", "meta"), "labels": labels}


def _label(rank: int, row: Row) -> Row:
    kept = extra_of(row, "bdd100k")
    types = kept.pop("types", None)
    attributes = loads(row["attributes"].encode())[0] if row.get("attributes") else {}
    if row.get("occluded") is not None:
        attributes["occluded"] = row["occluded"]
    made: Row = {"id": row.get("track") or row.get("source_id") or str(rank),
                 "category": row["label"], "attributes": attributes,
                 "manualShape": True, "manualAttributes": True, **kept}  # fmt: skip
    if row.get("score") is not None:
        made["score"] = row["score"]
    if row["type"] == "box":
        x, y = row["x"], row["y"]
        corners = (x, y, x + row["w"], y + row["h"])
        names = ("x1", "y1", "x2", "y2")
        made["box2d"] = {n: rounded(v) for n, v in zip(names, corners, strict=True)}
    elif row["type"] != "tag":
        rings = geometry.split_rings(row["points"], row.get("rings"))
        made["poly2d"] = [
            {"vertices": [[rounded(x), rounded(y)] for x, y in ring.tolist()],
             "types": types[i] if isinstance(types, list) and i < len(types) else "L" * len(ring),
             "closed": row["type"] == "polygon"}
            for i, (ring, _) in enumerate(rings)
        ]  # fmt: skip
    return made
