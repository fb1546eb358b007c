"""Kinetics: CSV or JSON with one action of each clip of a video."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ..ledger import Ledger
from ..progress import Progress
from ..schema import DEFAULT_SUBSET, Batch
from ..sources.base import Source
from .base import Format
from .fitting import Fitting, Holds, Row
from .image_files import extra_of, fitted
from .image_records import At, as_json, candidates, document, label_of, number
from .look import Head, Look
from .reading import Reading
from .recordings import RecordingFiles, Recordings, add_span, rows_as_text, stem_of, with_breaks
from .text_lines import plain_number, text_of
from .texts import (
    is_split,
)
from .writing import Export, Sink, safe_path

__all__ = ["Kinetics"]

_COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")
_TRIMMED = _COLUMNS[1:]
_NEEDED = {"youtube_id", "time_start", "time_end"}
_CLIP = re.compile(r".+_\d{6}_\d{6}")
_ENTRY = {"annotations", "duration", "subset", "url"}
_MAX_HEADS = 12
_PREFIXES = ("", "video_", "v_")


class Kinetics(Format):
    """Kinetics-400, -600, -700 and what is written like it: CSV files, or JSON files.

    **Items** are videos; the key is the YouTube id. The subset is the column ``split`` (JSON:
    ``subset``), else the file's name. Where the videos are cut (``<id>_000417_000427.mp4``), each
    cut is an item of that name, and its action a tag; the times are kept with it.

    **Rows** are time spans in seconds, from ``time_start`` to ``time_end``; a row without times
    is a tag, without a label (of a test set) a time span without one, with neither only a video.

    **Records** are videos and rows. Written is a CSV file per subset.
    """

    name: ClassVar[str] = "kinetics"
    title: ClassVar[str] = "Kinetics"
    summary: ClassVar[str] = "CSV or JSON with label, video id, start and end of each clip."
    rules: ClassVar[str] = "https://github.com/cvdfoundation/kinetics-dataset"
    holds: ClassVar[tuple[str, ...]] = ("time_span", "tag")

    def requires(self, look: Look) -> float:
        """Return 0.97 where a header has youtube_id, 0.9 for JSON of ids with segments."""
        paths = _files(look, _MAX_HEADS)
        look.need(candidates(look.source, ".csv", ".json"), "no CSV or JSON file")
        look.need(paths, "no file has youtube_id, time_start and time_end, or ids with segments")
        if paths[0].lower().endswith(".csv"):
            look.found(f"{paths[0]} has the columns youtube_id, time_start, time_end")
            return 0.97
        look.found(f"{paths[0]} has ids with annotations, segment and subset")
        return 0.9

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the videos in the order of the rows, then those without one.

        Raises:
            BrokenFileError: a file is not JSON.
        """
        reading = Reading(source, ledger, progress, limit)
        paths = _files(Look(source)) or candidates(source, ".csv", ".json")
        twice = [p for p in paths if p.endswith(".json") and f"{p[:-5]}.csv" in paths]
        for path in twice:  # the downloads of Kinetics have each subset as both
            ledger.note(
                "file says the same as another", file=path,
                message=f"{path} is not read: {path[:-5]}.csv is the same list",
            )  # fmt: skip
        paths = [path for path in paths if path not in twice]
        videos = _Videos(reading)
        for path, data in reading.files(paths):
            if path.lower().endswith(".json"):
                videos.json(path, document(data, path, reading))
            else:
                videos.csv(path, with_breaks(text_of(data)))
            yield from reading.batches()
        videos.recordings.leftover()
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>.csv``, and the videos in the folder ``<subset>``."""
        types = {"time_span": (), "tag": ()}
        holds = Holds(types, ("extra",), ("video", "audio"), unlabelled=True)
        fitting = Fitting(self.title, holds, ledger)
        progress.start("Writing videos", unit="videos")
        taken: set[str] = set()
        for subset in export.subsets:
            split = "" if subset == DEFAULT_SUBSET else subset
            name = safe_path(split or "kinetics").replace("/", "-")
            while name.lower() in taken:
                name += "_"
            taken.add(name.lower())
            files = RecordingFiles(sink, fitting, kind="video")
            lines: list[Row] = []
            media: list[tuple[Row, str]] = []
            for item, rows in fitted(export, subset, fitting, progress):
                key = files.name(item)
                clip = extra_of(item, "kinetics", "meta")
                made = [_row_of(row, clip) for row in rows] or [_empty(clip)]
                lines += [{"youtube_id": key, "split": split, **row} for row in made]
                media.append((item, f"{name}/{key}"))
            sink.write(f"{name}.csv", _table(lines))
            for item, path in media:
                files.add_media(item, path)
        fitting.close()


def _files(look: Look, limit: int | None = None) -> list[str]:
    found = [
        path
        for path in candidates(look.source, ".csv", ".json")[:limit]
        if (_is_csv if path.lower().endswith(".csv") else _is_json)(look.head(path))
    ]
    return sorted(found, key=lambda path: (not path.lower().endswith(".csv"), path))


def _is_csv(head: Head) -> bool:
    return set(_header(head.text)) >= _NEEDED


def _is_json(head: Head) -> bool:
    keys = head.json_keys
    return (
        head.json_start == "{"
        and {"annotations", "segment", "subset"} <= keys
        and keys.isdisjoint({"database", "results", "images", "categories", "data"})
    )


def _header(text: str) -> list[str]:
    try:
        return [
            name.strip() for name in next(csv.reader([with_breaks(text).partition("\n")[0]]), [])
        ]
    except csv.Error:
        return []


class _Videos:
    """The videos while they are read."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.recordings = Recordings(reading, "video")
        self._clips = any(
            _CLIP.fullmatch(stem_of(path).rpartition("/")[2]) for path in self.recordings.paths
        )

    def csv(self, path: str, text: str) -> None:
        """Read the rows of a CSV file."""
        names = _header(text)
        rows = csv.reader(io.StringIO(text, newline=""))
        next(rows, None)
        while True:
            try:
                cells = next(rows, None)
            except csv.Error as error:
                self._reject(path, f"line {rows.line_num}", "line is not a row", str(error))
                continue
            if cells is None:
                return
            where = f"line {rows.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            row = {
                n: c.strip() if n in _TRIMMED else c
                for n, c in zip(names, cells, strict=False)
                if c.strip()
            }
            if len(cells) > len(names):
                text = f"it has {len(cells)} cells for {len(names)} columns"
                self._reject(path, where, "line has too many columns", text)
            elif "youtube_id" not in row:
                self._reject(path, where, "row without a video", "it has no youtube_id")
            else:
                extra = {k: v for k, v in row.items() if k not in _COLUMNS}
                self._row(path, where, row, row.get("split"), extra)

    def json(self, path: str, value: Any) -> None:
        """Read the entries of a JSON file."""
        entries = value.items() if isinstance(value, dict) else ()
        if not isinstance(value, dict):
            self._reject(path, "file", "file is not an object", "it is no JSON object of videos")
        for key, entry in entries:
            if not isinstance(entry, dict) or not key:
                self._reject(path, repr(key), "video is not an object", "it is no JSON object")
                continue
            found = entry.get("annotations")
            some: Sequence[Any] = found if isinstance(found, list) else [found or {}]
            for index, row in enumerate(some or [{}]):
                where = f"[{key!r}].annotations[{index}]"
                if not isinstance(row, dict):
                    self._reject(path, where, "annotation is not an object", "it is no object")
                    continue
                self._entry(path, where, key, entry, row)

    def _entry(self, path: str, where: str, key: str, entry: Row, annotation: Row) -> None:
        segment = annotation.get("segment")
        row: Row = {"youtube_id": key}
        if isinstance(segment, list) and len(segment) == 2:
            row |= {"time_start": segment[0], "time_end": segment[1]}
        elif segment is not None:
            text = f"its segment is {segment!r}"
            self._reject(path, where, "segment is not [start, end]", text)
            return
        row["label"] = label_of(annotation.get("label"))
        extra = {k: v for k, v in annotation.items() if k not in ("label", "segment")}
        values: Row = {"duration": number(entry.get("duration"))}
        url = entry.get("url")
        values["uri"] = url if isinstance(url, str) and url else None
        kept = {k: v for k, v in entry.items() if k not in _ENTRY}
        self._row(path, where, row, label_of(entry.get("subset")), extra, kept, **values)

    def _reject(self, path: str, where: str, reason: str, text: str) -> None:
        self._reading.reject(
            reason, file=path, where=where, record=where, message=f"{where}: {text}"
        )

    def _row(
        self,
        path: str,
        where: str,
        row: Row,
        subset: str | None,
        extra: Row,
        kept: Row | None = None,
        **values: Any,
    ) -> None:
        reading = self._reading
        if subset is None:
            stem = path.rpartition("/")[2].rpartition(".")[0]
            subset = stem if is_split(stem) else None
        start, end = number(row.get("time_start")), number(row.get("time_end"))
        timed = row.get("time_start") is not None or row.get("time_end") is not None
        key, clip = row["youtube_id"], None
        if self._clips and start is not None and end is not None:
            clip = {"id": key, "start": start, "end": end}
            key = f"{key}_{int(start):06d}_{int(end):06d}"
        if reading.is_full and reading.number(key, subset) is None:
            return
        if clip is not None or kept:
            values["meta"] = as_json({"kinetics": {**(kept or {}), **(clip or {})}})
        item = self._item(path, key, subset, values)
        at = At(path, where, reading.key(item))
        label = row.get("label")
        own = as_json({"kinetics": extra or None})
        if clip is None and timed:
            add_span(reading, item, at, start, end, label=label, extra=own)
        elif label is not None:
            reading.annotation(item, type="tag", label=label, extra=own)

    def _item(self, path: str, key: str, subset: str | None, values: Row) -> int:
        folder = path.rpartition("/")[0]
        near = [f"{folder}/{subset}".lstrip("/")] if subset else []
        near += [path.rpartition(".")[0], *([folder] if folder else [])]
        name = key
        for prefix in _PREFIXES:
            if self.recordings.find(prefix + key, near).path is not None:
                name = prefix + key
                break
        return self.recordings.add(key, file=path, name=name, near=near, subset=subset, **values)


# -- writing --------------------------------------------------------------------------


def _empty(clip: Row) -> Row:
    if {"id", "start", "end"} <= clip.keys():
        return {"youtube_id": clip["id"], "time_start": _time(clip["start"]),
                "time_end": _time(clip["end"])}  # fmt: skip
    return {}


def _row_of(row: Row, clip: Row) -> Row:
    made = {**_empty(clip), "label": row.get("label") or ""}
    if row["type"] == "time_span":
        first = number(clip.get("start")) or 0.0 if made.get("youtube_id") else 0.0
        made |= {"time_start": _time(first + row["start"]), "time_end": _time(first + row["end"])}
    kept = extra_of(row, "kinetics")
    return made | {k: _cell(v) for k, v in kept.items() if k not in _COLUMNS}


def _time(value: Any) -> str:
    found = number(value)
    return "" if found is None else plain_number(found)


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(lines: Sequence[Row]) -> str:
    more = dict.fromkeys(n for line in lines for n in line if n not in _COLUMNS)
    names = [*_COLUMNS, *more]
    return rows_as_text([names, *([line.get(name, "") for name in names] for line in lines)])
