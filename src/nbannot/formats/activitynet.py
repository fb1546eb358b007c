"""ActivityNet: JSON with the actions of each video, and predictions in the same form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ..errors import BrokenFileError
from ..ledger import Ledger
from ..progress import Progress
from ..schema import DEFAULT_SUBSET, Batch
from ..sources.base import Source
from .base import Format
from .fitting import Fitting, Holds, Row
from .image_files import extra_of, fitted, rounded
from .image_records import At, as_json, candidates, document, files_of, label_of, number
from .look import Head, Look
from .reading import Reading
from .recordings import RecordingFiles, Recordings, add_span
from .writing import Export, Sink, safe_path

__all__ = ["ActivityNet"]

_FILE = "activitynet.json"
_VIDEOS = "videos"
_ENTRY = {"annotations", "duration", "subset", "resolution", "url"}
_ANNOTATION = {"label", "segment", "score", "id"}
_RESOLUTION = re.compile(r"\s*(\d{1,5})\s*[x×]\s*(\d{1,5})\s*")


class ActivityNet(Format):
    """ActivityNet's ground truth (``database``) and predictions (``results``), as others use too.

    **Items** are videos; the key is their id, and a file of that name, or of ``v_`` and that
    name, is looked for. The subset is that of the entry; predictions are on the video of the same
    id. Length and resolution are read, the url is the address; all else is kept.

    **Annotations** are time spans in seconds; one without a ``segment`` is a tag. Predictions are
    of the layer that their file is called after; ``score`` is the score.

    **Records** are videos and annotations. Ids are unique in a file, so that videos of equal key
    in two subsets get other names when written.
    """

    name: ClassVar[str] = "activitynet"
    title: ClassVar[str] = "ActivityNet"
    summary: ClassVar[str] = "One JSON file of videos with actions in time; predictions too."
    rules: ClassVar[str] = "http://activity-net.org/download.html"
    holds: ClassVar[tuple[str, ...]] = ("time_span", "tag")

    def requires(self, look: Look) -> float:
        """Return 0.95 for JSON with a database of annotations with segments, or such results."""
        paths = candidates(look.source, ".json")
        look.need(paths, "no JSON file")
        mine = files_of(look, _is_mine, ".json")
        look.need(mine, f"{paths[0]} has no database or results of videos with segments")
        keys = look.head(mine[0]).json_keys
        what = "a database of videos" if "database" in keys else "results for videos"
        look.found(f"{mine[0]} has {what}")
        if "segment" not in keys:
            return 0.85
        look.found("annotations have segments")
        return 0.95

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the videos with their actions, then what is predicted of them.

        Raises:
            BrokenFileError: a file is not JSON, or has neither database nor results.
        """
        reading = Reading(source, ledger, progress, limit)
        recordings = Recordings(reading, "video")
        look = Look(source)
        paths = files_of(look, _is_mine, ".json", limit=None) or candidates(source, ".json")
        results: list[tuple[str, Mapping[str, Any]]] = []
        subsets: dict[str, str | None] = {}
        for path, data in reading.files(paths):
            value = document(data, path, reading)
            if not isinstance(value, dict) or not ({"database", "results"} & value.keys()):
                raise BrokenFileError(
                    "The file has neither a database nor results of videos", where=path,
                    hint="It is no file of ActivityNet.",
                )  # fmt: skip
            if "database" in value:
                _read_taxonomy(reading, value.get("taxonomy"))
                _read_database(reading, recordings, path, value["database"], subsets)
            if "results" in value:
                results.append((path, value["results"]))
            yield from reading.batches()
        for path, found in results:
            _read_results(reading, recordings, path, found, subsets)
        recordings.leftover()
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``activitynet.json``, ``predictions/<layer>.json``, and ``videos/``."""
        columns = ("score", "layer", "extra")
        holds = Holds({"time_span": (), "tag": ()}, columns, ("video", "audio"))
        fitting = Fitting(self.title, holds, ledger)
        progress.start("Writing videos", unit="videos")
        files = RecordingFiles(sink, fitting, kind="video")
        lines: list[str] = []
        layers: dict[str, list[str]] = {}
        for subset in export.subsets:
            for item, rows in fitted(export, subset, fitting, progress):
                key = files.name(item)
                own = [row for row in rows if row.get("layer") is None]
                lines.append(f"{json.dumps(key)}: {_json(_entry(item, subset, own))}")
                by_layer: dict[str, list[Row]] = {}
                for row in rows:
                    if row.get("layer") is not None:
                        by_layer.setdefault(row["layer"], []).append(row)
                for layer, some in by_layer.items():
                    found = _json([_annotation(row) for row in some])
                    layers.setdefault(layer, []).append(f"{json.dumps(key)}: {found}")
                files.add_media(item, f"{_VIDEOS}/{key}")
        taxonomy = [
            {"nodeName": label.name, "parentName": label.parent, "nodeId": label.source_id}
            for label in export.labels
            if label.parent is not None
        ]
        head = f'{{"version": "VERSION 1.3",\n"taxonomy": {_json(taxonomy)},\n"database": {{\n'
        sink.write(_FILE, head + ",\n".join(lines) + "\n}}\n")
        _write_layers(sink, fitting, layers)
        fitting.close()


def _is_mine(head: Head) -> bool:
    keys = head.json_keys
    if head.json_start != "{":
        return False
    if "database" in keys:
        named = {"taxonomy", "version"} <= keys
        return named or {"annotations", "segment", "label"} <= keys
    return "results" in keys and (
        {"label", "segment"} <= keys or {"version", "external_data"} <= keys
    )


# -- reading --------------------------------------------------------------------------


def _read_taxonomy(reading: Reading, nodes: Any) -> None:
    found = [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []
    parents = {label_of(node.get("parentName")) for node in found}
    for node in found:
        name, parent = label_of(node.get("nodeName")), label_of(node.get("parentName"))
        if name is not None and name not in parents:
            reading.label(name, parent=parent, source_id=label_of(node.get("nodeId")))


def _read_database(
    reading: Reading,
    recordings: Recordings,
    path: str,
    database: Any,
    subsets: dict[str, str | None],
) -> None:
    for key, entry in _entries(database, path, "database"):
        if reading.is_full:
            return
        where = f"database[{key!r}]"
        if not isinstance(entry, dict) or not key:
            reading.reject(
                "video is not an object", file=path, where=where, record=where,
                message=f"{where} is not a JSON object with annotations",
            )  # fmt: skip
            continue
        subset = label_of(entry.get("subset"))
        item = _video(recordings, path, key, subset, _values(entry))
        subsets.setdefault(key, subset)
        rows = entry.get("annotations")
        _read_annotations(reading, item, path, where + ".annotations", rows, None)


def _entries(value: Any, path: str, what: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise BrokenFileError(
            f"The {what} is no JSON object of videos", where=path,
            hint="It is no file of ActivityNet.",
        )  # fmt: skip
    yield from value.items()


def _values(entry: Mapping[str, Any]) -> Row:
    values: Row = {}
    duration = number(entry.get("duration"))
    if duration is not None:
        values["duration"] = duration
    size = _RESOLUTION.fullmatch(str(entry.get("resolution") or ""))
    if size is not None:
        values |= {"width": int(size[1]), "height": int(size[2])}
    if isinstance(entry.get("url"), str) and entry["url"]:
        values["uri"] = entry["url"]
    kept = {k: v for k, v in entry.items() if k not in _ENTRY}
    if size is None and entry.get("resolution"):
        kept["resolution"] = entry["resolution"]
    values["meta"] = as_json({"activitynet": kept or None})
    return values


def _video(recordings: Recordings, path: str, key: str, subset: str | None, values: Row) -> int:
    folder = path.rpartition("/")[0]
    near = [f"{folder}/{_VIDEOS}".lstrip("/"), *([folder] if folder else [])]
    if subset:
        near.append(f"{folder}/{subset}".lstrip("/"))
    name = key
    if recordings.find(key, near).path is None and recordings.find(f"v_{key}", near).path:
        name = f"v_{key}"
    return recordings.add(key, file=path, name=name, near=near, subset=subset, **values)


def _read_annotations(
    reading: Reading, item: int, path: str, where: str, rows: Any, layer: str | None
) -> None:
    some: Sequence[Any] = rows if isinstance(rows, list) else [] if rows is None else [rows]
    for index, row in enumerate(some):
        at = At(path, f"{where}[{index}]", reading.key(item))
        if not isinstance(row, dict):
            reading.reject("annotation is not an object", **at.line("it is no JSON object"))
            continue
        label = label_of(row.get("label"))
        if label is None:
            reading.warn("annotation without a label", **at.line("it has no label"))
        rest = {k: v for k, v in row.items() if k not in _ANNOTATION}
        values: Row = {
            "label": label, "score": number(row.get("score")), "layer": layer,
            "source_id": label_of(row.get("id")),
            "extra": as_json({"activitynet": rest or None}),
        }  # fmt: skip
        segment = row.get("segment")
        if segment is None:
            reading.annotation(item, type="tag", **values)
        elif isinstance(segment, list) and len(segment) == 2:
            start, end = number(segment[0]), number(segment[1])
            add_span(reading, item, at, start, end, **values)
        else:
            reading.reject("segment is not [start, end]", **at.line(f"its segment is {segment!r}"))


def _read_results(
    reading: Reading,
    recordings: Recordings,
    path: str,
    results: Any,
    subsets: Mapping[str, str | None],
) -> None:
    layer = path.rpartition("/")[2].rpartition(".")[0]
    for key, rows in _entries(results, path, "results"):
        where = f"results[{key!r}]"
        subset = subsets.get(key)
        if reading.is_full and reading.number(key, subset) is None:
            continue
        item = _video(recordings, path, key, subset, {})
        _read_annotations(reading, item, path, where, rows, layer)


# -- writing --------------------------------------------------------------------------


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _entry(item: Row, subset: str, rows: Sequence[Row]) -> Row:
    entry: Row = {}
    if item.get("duration") is not None:
        entry["duration"] = rounded(item["duration"])
    if subset and subset != DEFAULT_SUBSET:
        entry["subset"] = subset
    if item.get("width") and item.get("height"):
        entry["resolution"] = f"{item['width']}x{item['height']}"
    if item.get("uri"):
        entry["url"] = item["uri"]
    kept = extra_of(item, "activitynet", "meta")
    entry |= {k: v for k, v in kept.items() if k not in entry and k != "annotations"}
    entry["annotations"] = [_annotation(row) for row in rows]
    return entry


def _annotation(row: Row) -> Row:
    made: Row = {"label": row["label"]}
    if row["type"] == "time_span":
        made["segment"] = [rounded(row["start"]), rounded(row["end"])]
    if row.get("score") is not None:
        made["score"] = row["score"]
    kept = extra_of(row, "activitynet")
    return made | {k: v for k, v in kept.items() if k not in _ANNOTATION}


def _write_layers(sink: Sink, fitting: Fitting, layers: Mapping[str, Sequence[str]]) -> None:
    taken: set[str] = set()
    for layer, lines in layers.items():
        name = safe_path(layer.replace("/", "-").replace("\\", "-") or "predictions")
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        if name != layer:
            fitting.ledger.note(
                "name of a layer is not kept", file=name,
                message=f"the predictions {layer!r} are written as {name}.json",
            )  # fmt: skip
        text = '{"version": "VERSION 1.3",\n"results": {\n' + ",\n".join(lines)
        sink.write(f"predictions/{name}.json", text + '\n},\n"external_data": {}}\n')
