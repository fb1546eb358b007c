"""VoTT, the Visual Object Tagging Tool: its JSON and CSV exports, and its files of assets."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ..errors import BrokenFileError
from ..ledger import Ledger
from ..media.kinds import is_image, suffix
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format, Option
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
    numbers,
    subset_of,
)
from .look import Head, Look
from .reading import Reading
from .writing import Export, Sink

__all__ = ["Vott"]

_COLUMNS = ("image", "xmin", "ymin", "xmax", "ymax", "label")
_LINES = {"POLYGON": "polygon", "POLYLINE": "polyline", "POINT": "points"}
_TYPES = {"box": "RECTANGLE", "polygon": "POLYGON", "polyline": "POLYLINE", "points": "POINT"}


class Vott(Format):
    """VoTT 2: ``<name>-export.json``, ``<name>-export.csv``, or ``<id>-asset.json``.

    **Items** are assets; the key is the path as given, or the name where the path is one of
    another machine. Where there are several kinds of files, the JSON export is read, and the
    ledger names the others. The subset is the folder or the name of the export, where that is
    train, val or the like.

    **Regions**: rectangles and squares are boxes; polygons, polylines and points are kept. A
    region of several tags is a row for each of them, with one source id, and is written as one.
    The CSV export has boxes only, and names no image without one.

    **Records** are assets and regions (rows of a CSV). Tags give labels their colours.
    """

    name: ClassVar[str] = "vott"
    title: ClassVar[str] = "VoTT"
    summary: ClassVar[str] = "Export of VoTT: JSON with assets and regions, or CSV with boxes."
    rules: ClassVar[str] = "https://github.com/microsoft/VoTT"
    holds: ClassVar[tuple[str, ...]] = ("box", "polygon", "polyline", "points")
    write_options: ClassVar[tuple[Option, ...]] = (
        Option("file", "choice", "json", "json: all shapes; csv: boxes only.", ("json", "csv")),
    )

    def requires(self, look: Look) -> float:
        """Return 0.95 for JSON with assets and regions, 0.9 for a CSV export by its name."""
        paths = candidates(look.source, ".json", ".csv")
        look.need(paths, "no JSON or CSV file")
        exports = files_of(look, _is_export, ".json")
        assets = files_of(look, _is_asset, ".json")
        if exports or assets:
            what = "is an export of VoTT" if exports else "is an asset of VoTT"
            look.found(f"{(exports or assets)[0]} {what}")
            return 0.95
        tables = files_of(look, _is_csv, ".csv")
        look.need(tables, f"{paths[0]} has no assets with regions, nor the columns of VoTT")
        look.found(f"{tables[0]} has the columns {', '.join(_COLUMNS)}")
        if tables[0].lower().endswith("-export.csv"):
            look.found("it is called as VoTT calls it")
            return 0.9
        return 0.69

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield assets with their regions.

        Raises:
            BrokenFileError: an export is not JSON, or has not the columns of VoTT.
        """
        reading = Reading(source, ledger, progress, limit)
        images = Images(reading)
        paths = _chosen(source, ledger)
        subsets = {path: subset_of(path, paths) for path in paths}
        _labels(reading, source)
        for path, data in reading.files(paths):
            records = _records(reading, path, data)
            for name, record, where in records:
                at = At(path, where, "")
                if path.lower().endswith(".csv"):
                    _read_row(reading, images, at, name, record, subsets[path])
                else:
                    _read_asset(reading, images, at, record, subsets[path])
                yield from reading.batches()
                if reading.is_full and not path.lower().endswith(".csv"):
                    break
            if reading.is_full:
                break
        folders: dict[str, set[str | None]] = {}
        for path in paths:
            folders.setdefault(path.rpartition("/")[0], set()).add(subsets[path])
        for folder, names in sorted(folders.items(), reverse=True):
            subset = next(iter(names)) if len(names) == 1 else None
            images.leftover(folder, subset, deep=len(paths) == len(folders))
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>-export.json`` (or ``.csv``) in the subset's folder, images beside it."""
        kind = self.check_options(options, writing=True)["file"]
        types = dict.fromkeys(self.holds if kind == "json" else ("box",), ())
        columns = ("extra",) if kind == "json" else ()
        fitting = Fitting(self.title, Holds(types, columns, unlabelled=kind == "json"), ledger)
        own = "vott" if kind == "json" else ""
        progress.start("Writing images", unit="images")
        for subset in export.subsets:
            folder = subset_folder(export, subset, ledger)
            files = ImageFiles(sink, fitting)
            made = []
            for item, rows in fitted(export, subset, fitting, progress, own):
                path = files.add(item, folder)
                made.append((path[len(folder) + 1 :] if folder else path, item, rows))
            text = _json(export, made) if kind == "json" else _csv(made, fitting, sink)
            name = f"{folder.rpartition('/')[2] or 'vott'}-export.{kind}"
            sink.write(f"{folder}/{name}" if folder else name, text)
        fitting.close()


def _is_export(head: Head) -> bool:
    return head.json_start == "{" and {"assets", "asset", "tags"} <= head.json_keys


def _is_asset(head: Head) -> bool:
    keys = head.json_keys
    shape = {"asset", "regions"} <= keys and "assets" not in keys
    return head.json_start == "{" and shape and bool(keys & {"state", "format", "version"})


def _is_csv(head: Head) -> bool:
    first = head.text.lstrip().partition("\n")[0]
    return [cell.strip().strip('"') for cell in first.split(",")] == list(_COLUMNS)


# -- reading ------------------------------------------------------------------------------


def _chosen(source: Source, ledger: Ledger) -> list[str]:
    look = Look(source)
    kinds = {
        "export": files_of(look, _is_export, ".json", limit=None),
        "table": files_of(look, _is_csv, ".csv", limit=None),
        "asset": [
            p
            for p in candidates(source, ".json")
            if p.endswith("-asset.json") or _is_asset(look.head(p))
        ],
    }
    best = next((kind for kind, paths in kinds.items() if paths), "")
    if not best:
        return candidates(source, ".json", ".csv")
    for kind, paths in kinds.items():
        if kind != best and paths:
            text = f"{len(paths)} files, {paths[0]} and the like, hold the same as {kinds[best][0]}"
            ledger.note("files were not read", file=paths[0], message=text)
    return kinds[best]


def _labels(reading: Reading, source: Source) -> None:
    # Datumaro's list of labels, and the tags of a project.
    for path in (
        () if source.main is not None else source.files.match("dataset_meta.json", "*.vott")
    ):
        try:
            value = document(source.read(path), path, reading)
        except BrokenFileError:
            continue  # an old project is encrypted
        if isinstance(value, dict):
            _tags(reading, value.get("tags"))
            for name in value.get("labels") or ():
                if isinstance(name, str):
                    reading.label(name)


def _tags(reading: Reading, tags: Any) -> None:
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, dict) and isinstance(tag.get("name"), str) and tag["name"]:
            color = tag.get("color")
            reading.label(tag["name"], color=color if _is_color(color) else None)


def _is_color(value: Any) -> bool:
    return (
        isinstance(value, str) and len(value) == 7 and value[0] == "#"
        and all(c in "0123456789abcdefABCDEF" for c in value[1:])
    )  # fmt: skip


def _records(reading: Reading, path: str, data: bytes) -> Iterator[tuple[str, Any, str]]:
    """Yield (name, asset or row, where)."""
    if path.lower().endswith(".csv"):
        yield from _rows(path, data)
        return
    try:
        value = document(data, path, reading)
    except BrokenFileError as error:
        if not path.endswith("-asset.json"):
            raise
        reading.reject("the file can't be read", file=path, record="file", message=str(error))
        return
    if isinstance(value, dict) and isinstance(value.get("assets"), dict):
        _tags(reading, value.get("tags"))
        for name, record in value["assets"].items():
            yield name, record, f"assets[{name!r}]"
    elif isinstance(value, dict) and "asset" in value:
        yield path, value, "asset"
    else:
        raise BrokenFileError("The file has no assets", where=path)


def _rows(path: str, data: bytes) -> Iterator[tuple[str, Any, str]]:
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = data.decode("utf-16" if wide else "utf-8-sig", "replace")
    rows = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(rows, [])]
    if not set(_COLUMNS) <= set(header):
        raise BrokenFileError(
            f"The first line has not the columns {', '.join(_COLUMNS)}", where=f"{path}, line 1"
        )
    try:
        for row in rows:
            if row:
                yield row[0], dict(zip(header, row, strict=False)), f"line {rows.line_num}"
    except csv.Error as error:
        raise BrokenFileError(f"The file is no CSV: {error}", where=path) from None


def _read_row(
    reading: Reading, images: Images, at: At, name: str, row: Row, subset: str | None
) -> None:
    if reading.is_full and images.known(name, at, subset) is None:
        return  # a preview: rows of its images may come later
    item = images.add(row.get("image"), at, subset=subset, again=True)
    if item is None:
        text = "its image was rejected"
        reading.reject("image was rejected", **at.line(text, f"{at.where}, box"))
        return
    place = At(at.file, at.where, reading.key(item))
    corners = numbers(*(row.get(n) for n in _COLUMNS[1:5]))
    box = None
    if corners is not None:
        x1, y1, x2, y2 = corners
        box = (x1, y1, x2 - x1, y2 - y1)
    label = label_of(row.get("label"))
    added = add_box(reading, item, place, box, images.size(item), label=label)
    if added and label is None:
        reading.warn("annotation without a label", **place.line("it has no label"))


def _read_asset(reading: Reading, images: Images, at: At, record: Any, subset: str | None) -> None:
    asset = record.get("asset") if isinstance(record, dict) else None
    if not isinstance(asset, dict):
        reading.reject("asset is not an object", **at.line("it has no asset"))
        return
    path, name = asset.get("path"), asset.get("name")
    values: dict[str, Any] = {}
    if isinstance(path, str) and path.lower().startswith(("http:", "https:")):
        values["uri"], path = path, name
    if asset.get("type") == 3 or not isinstance(path, str) or not path:  # 3: a frame of a video
        path = name
    size = asset.get("size")
    wh = numbers(size.get("width"), size.get("height")) if isinstance(size, dict) else None
    px = (wh[0], wh[1]) if wh and min(wh) > 0 and max(wh) < 2**31 else None
    kept = {k: asset[k] for k in ("type", "timestamp", "parent") if asset.get(k) not in (None, 1)}
    item = images.add(
        path, at, subset=subset, source_id=asset.get("id"),
        width=int(px[0]) if px else None, height=int(px[1]) if px else None,
        meta=as_json({"vott": kept or None}), **values,
    )  # fmt: skip
    regions = record.get("regions")
    for index, region in enumerate(regions if isinstance(regions, list) else ()):
        place = At(at.file, f"{at.where}.regions[{index}]", reading.key(item) if item is not None
                   else "")  # fmt: skip
        if item is None:
            reading.reject("image was rejected", **place.line("its image was rejected"))
        else:
            _read_region(reading, item, place, region, px)


def _read_region(
    reading: Reading, item: int, at: At, region: Any, size: tuple[float, float] | None
) -> None:
    if not isinstance(region, dict):
        reading.reject("region is not an object", **at.line("it is no JSON object"))
        return
    tags = region.get("tags")
    names = [t for t in tags if isinstance(t, str) and t] if isinstance(tags, list) else []
    if not names:
        reading.warn("annotation without a label", **at.line("it has no tags"))
    identity = region.get("id")
    values: dict[str, Any] = {
        "label": names[0] if names else None,
        "source_id": identity if isinstance(identity, str) else None,
    }
    kind = _LINES.get(str(region.get("type")).upper())
    if region.get("type") == "SQUARE":
        values["extra"] = as_json({"vott": {"type": "SQUARE"}})
    if kind is not None:
        points = region.get("points")
        flat = None
        if isinstance(points, list) and all(isinstance(p, dict) for p in points):
            flat = numbers(*(p.get(n) for p in points for n in "xy"))
        shape: Row = {"type": kind, "points": flat}
        added = add_points(reading, item, at, flat, size, type=kind, **values)
    else:
        where = region.get("boundingBox")
        box = None
        if isinstance(where, dict):
            box = numbers(*(where.get(n) for n in ("left", "top", "width", "height")))
        shape = {"type": "box", **dict(zip("xywh", box or (), strict=False))}
        added = add_box(reading, item, at, box, size, **values)
    if kind == "polygon" and added and flat is not None:
        xs, ys = flat[::2], flat[1::2]
        shape |= {"x": min(xs), "y": min(ys), "w": max(xs) - min(xs), "h": max(ys) - min(ys)}
    for name in names[1:] if added else ():
        reading.ledger.split()
        reading.annotation(item, counted=True, **{**values, **shape, "label": name})


# -- writing ------------------------------------------------------------------------------


def _csv(made: list[tuple[str, Row, list[Row]]], fitting: Fitting, sink: Sink) -> str:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for path, item, rows in made:
        for row in rows:
            x, y = row["x"], row["y"]
            corners = [rounded(v) for v in (x, y, x + row["w"], y + row["h"])]
            writer.writerow([path, *corners, row["label"]])
        if not rows and not (sink.saves_media and is_image(path)):
            key = item["key"]
            fitting.ledger.warn(
                "image without boxes can't be written", file=key, record="item", item=key,
                message=f"{key} has no box, and so no line",
            )  # fmt: skip
    return out.getvalue()


def _json(export: Export, made: list[tuple[str, Row, list[Row]]]) -> str:
    tags = [{"name": label.name, "color": label.color or "#5db300"} for label in export.labels]
    assets = {}
    for path, item, rows in made:
        identity = hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()
        asset: Row = {
            "format": suffix(path)[1:], "id": identity, "name": path.rpartition("/")[2],
            "path": path, "size": {"width": item.get("width"), "height": item.get("height")},
            "state": 2 if rows else 1, "type": 1, **extra_of(item, "vott", "meta"),
        }  # fmt: skip
        regions = _regions(rows)
        assets[identity] = {"asset": asset, "regions": regions, "version": "2.2.0"}
    body = {"name": export.name, "version": "2.2.0", "tags": tags, "assets": assets}
    return json.dumps(body, ensure_ascii=False, indent=1) + "\n"


def _regions(rows: list[Row]) -> list[Row]:
    made: dict[Any, Row] = {}
    for number, row in enumerate(rows):
        if row["type"] == "box":
            x, y, w, h = (row[n] for n in "xywh")
            flat = [x, y, x + w, y, x + w, y + h, x, y + h]
        else:
            flat = row["points"]
            xs, ys = flat[::2], flat[1::2]
            x, y, w, h = min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
        points = [{"x": rounded(a), "y": rounded(b)}
                  for a, b in zip(flat[::2], flat[1::2], strict=True)]  # fmt: skip
        same = (row.get("source_id") or number, row["type"], *flat)
        if same in made and row.get("label") is not None:
            made[same]["tags"].append(row["label"])
            continue
        if same in made:  # two regions without a tag, one like the other
            same = (number, *same)
        made[same] = {
            "id": row.get("source_id") or str(number + 1),
            "type": extra_of(row, "vott").get("type") or _TYPES[row["type"]],
            "tags": [row["label"]] if row.get("label") is not None else [],
            "boundingBox": {"left": rounded(x), "top": rounded(y), "width": rounded(w),
                            "height": rounded(h)},
            "points": points,
        }  # fmt: skip
    return list(made.values())
