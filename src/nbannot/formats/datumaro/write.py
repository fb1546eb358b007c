"""Writing Datumaro JSON: version 1.0, or the legacy form that CVAT reads."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from ...ledger import Ledger
from ...media.kinds import suffix
from ...progress import Progress
from ...schema import DEFAULT_SUBSET
from ..fitting import Fitting, Holds, Row
from ..image_files import ImageFiles, extra_of, fitted
from ..json_values import dumps, loads
from ..writing import Export, Sink
from .labels import SPECIAL, LabelTable
from .read import FOLDERS
from .shapes import CUBOID

__all__ = ["DatumaroWriter"]

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})")
_COLUMNS = (
    "score", "track", "keyframe", "outside", "occluded", "z_order", "group", "attributes", "extra",
    "frame",
)  # fmt: skip
_TYPES: Mapping[str, Sequence[str]] = {
    "box": ("rotation",), "polygon": ("parts",), "polyline": (), "points": (), "skeleton": (),
    "mask": (), "tag": (), "text": (),
}  # fmt: skip
_KINDS = ("image", "video", "audio", "other")
_IN_MEMORY = 1 << 24


class DatumaroWriter:
    """One export; see `DatumaroJson.write`."""

    def __init__(
        self, export: Export, sink: Sink, legacy: bool, ledger: Ledger, progress: Progress
    ) -> None:
        types = dict(_TYPES)
        if not legacy:
            types |= {"ellipse": ("rotation",), "cuboid": ()}
        self._export, self._sink, self._legacy, self._progress = export, sink, legacy, progress
        self._fitting = Fitting("Datumaro", Holds(types, _COLUMNS, _KINDS, unlabelled=True), ledger)
        self._labels = LabelTable(export.labels, legacy=legacy)
        self._names: set[str] = set()
        self._foreign = 0

    def write(self) -> None:
        """Write everything."""
        self._progress.start("Writing items", unit="items")
        for subset in self._export.subsets:
            self._subset(subset, self._subset_name(subset))
        if self._foreign:
            self._fitting.ledger.note(
                "no place in Datumaro", message=f"extra of {self._foreign:,} records"
            )
        self._fitting.close()

    def _subset_name(self, subset: str) -> str:
        given = subset or DEFAULT_SUBSET
        name = _UNSAFE.sub("_", given).strip(". ") or DEFAULT_SUBSET
        unique, n = name, 1
        while unique in self._names:
            n += 1
            unique = f"{name}-{n}"
        self._names.add(unique)
        if unique != given:
            self._fitting.ledger.note(
                "subset renamed", message=f"{given} is written as {unique}: it names a file"
            )
        return unique

    def _subset(self, subset: str, name: str) -> None:
        files = ImageFiles(self._sink, self._fitting)
        ids: set[str] = set()
        kinds: set[str] = set()
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
            empty = True
            for item, rows in fitted(self._export, subset, self._fitting, self._progress):
                for record, kind in self._items(item, rows, files, name, ids):
                    spool.write(b"\n" if empty else b",\n")
                    spool.write(dumps(record).encode())
                    kinds.add(kind)
                    empty = False
            spool.seek(0)
            with self._sink.open(f"annotations/{name}.json") as stream:
                stream.write(self._head(kinds))
                shutil.copyfileobj(spool, _as_io(stream))
                stream.write(b"]}\n")

    def _head(self, kinds: set[str]) -> bytes:
        categories = dumps(self._labels.categories())
        if self._legacy:
            return f'{{"info":{{}},"categories":{categories},\n"items":['.encode()
        known = {"image": 2, "frame": 4, "video": 5, "point_cloud": 6}
        media_type = known.get(next(iter(kinds)), 1) if len(kinds) == 1 else 1 if kinds else 2
        return (
            f'{{"dm_format_version":"1.0","media_type":{media_type},"infos":{{}},'
            f'"categories":{categories},\n"items":['
        ).encode()

    # -- items ------------------------------------------------------------------------

    def _items(
        self, item: Row, rows: Sequence[Row], files: ImageFiles, subset: str, ids: set[str]
    ) -> Iterator[tuple[dict[str, Any], str]]:
        """Yield the records of an item, one but for a video, and what media they are of."""
        kept = extra_of(item, "datumaro", "meta")
        folder = f"{FOLDERS.get(item['kind'], 'media')}/{subset}"
        path = files.add(item, folder)[len(folder) + 1 :]
        if item["kind"] == "video":
            yield from self._video(item, rows, path, kept, ids)
            return
        record = {"id": _free_id(path, ids), "annotations": [], **_more(kept)}
        if item["kind"] == "other" and ("point_cloud" in kept or suffix(path) == ".pcd"):
            record["point_cloud"] = {"path": path, **kept.get("point_cloud", {})}
            kind = "point_cloud"
        elif item["kind"] != "image":
            record["media"] = {"path": path}
            kind = "media"
        else:
            kind = "image"
            if suffix(path) or item.get("width"):
                record["image"] = {"path": path}
            if item.get("width") and item.get("height"):
                record["image"]["size"] = [item["height"], item["width"]]
        frames = {r["frame"] for r in rows if "frame" in r and "track" in r}
        if len(frames) == 1 and "frame" not in record.get("attr", {}):
            record["attr"] = {**record.get("attr", {}), "frame": next(iter(frames))}
        of_item = record.get("attr", {}).get("frame")
        record["annotations"] = self._annotations(item, rows, of_item, tracked=True)
        yield record, kind

    def _video(
        self, item: Row, rows: Sequence[Row], path: str, kept: Mapping[str, Any], ids: set[str]
    ) -> Iterator[tuple[dict[str, Any], str]]:
        of = kept.get("frames")
        known = of if isinstance(of, dict) else {}
        whole = [r for r in rows if "frame" not in r]
        frames = sorted({r["frame"] for r in rows if "frame" in r} | {
            int(k) for k in known if _NUMBER.fullmatch(k)})  # fmt: skip
        if whole or not frames or "video" in kept:
            given = kept.get("video")
            yield {
                "id": _free_id(path, ids),
                "annotations": self._annotations(item, whole, None, tracked=False),
                **_more(kept),
                "video": {"path": path, "step": 1, "start_frame": 0, **(given or {})},
            }, "video"  # fmt: skip
        for frame in frames:
            more = dict(known.get(str(frame), {}))
            name = str(more.pop("id", None) or f"{_stem(path)}_frame_{frame:06d}")
            mine = [r for r in rows if r.get("frame") == frame]
            yield {
                "id": _free(name, ids),
                "annotations": self._annotations(item, mine, frame, tracked=False),
                **more,
                "video_frame": {"video_path": path, "frame_index": frame},
            }, "frame"  # fmt: skip

    # -- annotations ------------------------------------------------------------------

    def _annotations(
        self, item: Row, rows: Sequence[Row], frame: Any, *, tracked: bool
    ) -> list[dict[str, Any]]:
        # `frame` is what a reader takes for the frame: of all, or of members of tracks only.
        made: list[dict[str, Any]] = []
        taken = {r["group"] for r in rows if r.get("group")}
        for row in rows:
            if row["type"] == "tag" and row.get("label") is None:
                self._fitting.reject(item, row, "annotation without a label", "a tag needs one")
                continue
            kept = extra_of(row, "datumaro")
            self._foreign += "extra" in row and not kept
            ann = self._common(item, row, kept)
            if row.get("frame") != (frame if not tracked or "track" in row else None):
                ann["frame"] = row.get("frame")
            rings = row.get("rings") or ()
            if row["type"] == "polygon" and len(rings) > 1:
                group = ann["group"] or max((*taken, 0)) + 1
                taken.add(group)
                start = 0
                for n, count in enumerate(rings, 1):
                    part = {"n": n, "of": len(rings), "group": ann["group"] or None}
                    points = row["points"][2 * start : 2 * (start + count)]
                    made.append({**ann, "group": group, "points": points, "part": part})
                    start += count
            else:
                made.append(ann | self._geometry(item, row))
        return made

    def _common(self, item: Row, row: Row, kept: dict[str, Any]) -> dict[str, Any]:
        rank = int(row["record"].rpartition(" ")[2])
        given = row.get("source_id") or ""
        attributes = self._attributes(item, row)
        ann: dict[str, Any] = {
            "id": int(given) if _NUMBER.fullmatch(given) else rank,
            "type": _KIND[row["type"]],
            "attributes": attributes,
            "group": row.get("group") or 0,
        }
        kept.pop("label_id", None)  # of no label there: null
        if "label" in row:
            ann["label_id"] = self._labels.of(row["label"])
        elif row["type"] != "text":
            ann["label_id"] = None
        if row["type"] not in ("tag", "text"):
            ann["z_order"] = row.get("z_order", 0)
        of = kept.pop("object_id", None)
        if of is True and _NUMBER.fullmatch(row.get("track", "")):
            attributes.pop("track_id", None)
            ann["object_id"] = int(row["track"])
        elif isinstance(of, int) and not isinstance(of, bool):
            ann["object_id"] = of
        return {**{k: v for k, v in kept.items() if k not in ann}, **ann}

    def _attributes(self, item: Row, row: Row) -> dict[str, Any]:
        attributes: dict[str, Any] = {}
        if row.get("attributes"):
            found, _ = loads(row["attributes"].encode())
            attributes = dict(found) if isinstance(found, dict) else {"value": found}
        for name in sorted(SPECIAL & attributes.keys()):
            if name != "rotation" or row["type"] in ("box", "ellipse"):
                text = (
                    f"{name} is a word of Datumaro's own: {attributes[name]!r:.60} is read as such"
                )
                self._fitting.warn(item, row, "attribute has a name of Datumaro's own", text)
        for name in ("occluded", "keyframe", "outside", "score"):
            if name in row:
                attributes[name] = row[name]
        if row.get("rotation") and row["type"] in ("box", "ellipse"):
            attributes["rotation"] = row["rotation"]
        if "track" in row:
            track = row["track"]
            attributes["track_id"] = int(track) if _NUMBER.fullmatch(track) else track
        return attributes

    def _geometry(self, item: Row, row: Row) -> dict[str, Any]:
        kind = row["type"]
        if kind == "box":
            return {"bbox": [row[n] for n in "xywh"]}
        if kind == "ellipse":
            x, y, w, h = (row[n] for n in "xywh")
            return {"points": [x, y, x + w, y + h]}
        if kind == "mask":
            size = [row["mask_height"], row["mask_width"]]
            return {"rle": {"counts": row["mask"].decode("ascii"), "size": size}}
        if kind == "text":
            return {"caption": row.get("text") or ""}
        if kind == "points":
            skeleton = self._labels.skeletons.get(row.get("label", ""))
            count = len(row["points"]) // 2
            made = {"points": row["points"], "visibility": row.get("visibility") or [2] * count}
            return made | ({"loose": True} if skeleton and len(skeleton.points) == count else {})
        if kind == "skeleton":
            return self._skeleton(item, row)
        if kind == "cuboid":
            xy = [row["points"][i : i + 2] for i in range(0, 16, 2)]
            back = sorted(range(8), key=CUBOID.__getitem__)
            return {"points": [xy[i] for i in back]}
        return {"points": row["points"]} if kind != "tag" else {}

    def _skeleton(self, item: Row, row: Row) -> dict[str, Any]:
        skeleton = self._labels.skeletons.get(row.get("label", ""))
        seen = row.get("visibility") or [2] * (len(row["points"]) // 2)
        if skeleton is None or len(skeleton.points) != len(seen):
            text = f"{len(seen)} points, but its label has no {len(seen)} joints"
            self._fitting.warn(item, row, "skeleton written as points", text)
            return {"type": "points", "points": row["points"], "visibility": seen}
        made: dict[str, Any] = {}
        if "w" in row:
            made["bbox"] = [row[n] for n in "xywh"]
        if not self._legacy:
            return {"points": row["points"], "visibility": seen, **made}
        kept = extra_of(row, "datumaro").get("points_attributes")
        fits = isinstance(kept, list) and len(kept) == len(seen)
        made["points"] = [
            v for i, s in enumerate(seen) for v in (*row["points"][2 * i : 2 * i + 2], s)
        ]
        return {
            **made,
            "type": "skeleton",
            "points_attributes": kept if fits else [{} for _ in seen],
        }


_KIND = {
    "box": "bbox", "polygon": "polygon", "polyline": "polyline", "points": "points",
    "skeleton": "points", "mask": "mask", "ellipse": "ellipse", "cuboid": "cuboid_2d",
    "tag": "label", "text": "caption",
}  # fmt: skip


def _stem(path: str) -> str:
    return path[: len(path) - len(suffix(path))]


def _free_id(path: str, ids: set[str]) -> str:
    # a.jpg is item a; where a is taken, as by a.png, a.jpg.
    stem = _stem(path)
    return _free(path if stem in ids else stem, ids)


def _free(name: str, ids: set[str]) -> str:
    unique, n = name, 1
    while unique in ids:
        n += 1
        unique = f"{name}-{n}"
    ids.add(unique)
    return unique


def _more(kept: Mapping[str, Any]) -> dict[str, Any]:
    own = ("point_cloud", "video", "frames")
    return {k: v for k, v in kept.items() if k not in own}


def _as_io(stream: Any) -> IO[bytes]:
    return stream
