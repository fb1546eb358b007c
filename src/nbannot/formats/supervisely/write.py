"""Writing a Supervisely project: a survey of what there is, then the files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from ...ledger import Ledger
from ...palette import color_of
from ...progress import Progress
from ...schema import Label
from ..fitting import FileNames, Fitting, Holds, Row
from ..json_values import dumps
from ..writing import Export, Sink, safe_path
from .figures import VERTICES
from .layout import KEY_IN_META, dataset_folder
from .meta import skeleton_of
from .shapes import Shapes
from .survey import OWN_TAGS, Survey, object_of, several
from .video import VideoDocument

__all__ = ["SuperviselyWriter"]

_TYPES: Mapping[str, Sequence[str]] = {
    "box": ("rotation",), "polygon": ("parts", "holes"), "polyline": (), "points": (),
    "mask": (), "skeleton": (), "cuboid": (), "tag": (), "text": (),
}  # fmt: skip
_COLUMNS = ("score", "occluded", "attributes", "extra")
_IMAGES = Holds(_TYPES, (*_COLUMNS, "group", "text"))
_VIDEOS = Holds(_TYPES, (*_COLUMNS, "frame", "track", "outside"), kinds=("video",))


class SuperviselyWriter:
    """One export."""

    def __init__(
        self, export: Export, sink: Sink, ledger: Ledger, progress: Progress, *, whole_pixels: bool
    ) -> None:
        self._export, self._sink, self._ledger = export, sink, ledger
        self._progress, self._whole_pixels = progress, whole_pixels
        self._survey = Survey()
        for subset in export.subsets:
            for batch in export.batches(subset):
                self._survey.add(batch)
        # A project is of one kind: where there are images, videos have no place.
        self._of_videos = "video" in self._survey.kinds and "image" not in self._survey.kinds
        self._fitting = Fitting("Supervisely", _VIDEOS if self._of_videos else _IMAGES, ledger)
        self._labels = {label.name: label for label in export.labels}
        self._nodes: dict[str, list[str]] = {}
        self._shapes = Shapes(self._fitting, self._nodes, whole_pixels)
        self._ids = count(1)
        self._lost = 0

    def write(self) -> None:
        """Write the project."""
        meta = self._meta()
        self._progress.start("Writing", None, "videos" if self._of_videos else "images")
        for subset in self._export.subsets:
            folder, names = dataset_folder(safe_path(subset)), FileNames()
            for batch in self._export.batches(subset):
                for item, rows in self._fitting.fit(batch):
                    self._item(folder, names, item, rows)
                    self._progress.advance()
        self._sink.write("meta.json", json.dumps(meta, ensure_ascii=False, indent=1))
        self._fitting.close()
        if self._lost:
            text = f"extra of {self._lost:,} records"
            self._ledger.note("no place in Supervisely", message=text)

    # -- meta.json --------------------------------------------------------------------

    def _meta(self) -> dict[str, Any]:
        labels = dict(self._labels)
        for name in self._survey.shapes:
            labels.setdefault(name, Label(name))
        ids = [label.source_id for label in labels.values()]
        classes: list[dict[str, Any]] = []
        for label in labels.values():
            own = _own(label.extra)
            if label.name in self._survey.shapes or (
                label.name not in self._survey.tags and "tag" not in own
            ):
                classes.append(self._class(label, own, ids, len(classes)))
        kind = "videos" if self._of_videos else "images"
        return {"classes": classes, "tags": list(self._tags(labels, ids)), "projectType": kind}

    def _class(
        self, label: Label, own: Mapping[str, Any], ids: Sequence[str | None], rank: int
    ) -> dict[str, Any]:
        shapes = self._survey.shapes.get(label.name, set())
        shape = next(iter(shapes)) if len(shapes) == 1 else own.get("shape", "any")
        color = label.color or color_of(rank)
        made: dict[str, Any] = {
            **{k: v for k, v in own.items() if k != "tag"},
            "title": label.name, "shape": "any" if len(shapes) > 1 else shape, "color": color,
            "geometry_config": self._template(label, own, color), "hotkey": label.hotkey or "",
        }  # fmt: skip
        return {**made, **_unique_id(label, ids)}

    def _template(self, label: Label, own: Mapping[str, Any], color: str) -> dict[str, Any]:
        made = self._graph(label, own, color)
        if "cuboid_2d" in self._survey.shapes.get(label.name, ()) and "vertices" not in made:
            edges = [*made.get("edges", []), *_cuboid_edges(color)]
            made = {**made, "vertices": _nodes(VERTICES, VERTICES, color), "edges": edges}
        return made

    def _graph(self, label: Label, own: Mapping[str, Any], color: str) -> dict[str, Any]:
        count = self._survey.joints.get(label.name, 0)
        names = list(label.skeleton.points) if label.skeleton else []
        given = own.get("geometry_config")
        if not names and not count:
            return given if isinstance(given, dict) else {}
        known = skeleton_of(given)
        if known and isinstance(given, dict) and list(known[1].points) == names:
            self._nodes[label.name] = known[0]
            if count <= len(names):
                return given
        names += [f"{i}" for i in range(len(names), count)]
        keys = names if len(set(names)) == len(names) else [str(i) for i in range(len(names))]
        self._nodes[label.name] = keys
        edges = label.skeleton.edges if label.skeleton else ()
        pairs = [{"src": keys[a], "dst": keys[b], "color": color} for a, b in edges]
        return {"nodes": _nodes(keys, names, color), "edges": pairs}

    def _tags(
        self, labels: Mapping[str, Label], ids: Sequence[str | None]
    ) -> Iterator[dict[str, Any]]:
        defined: dict[str, Mapping[str, Any]] = {}
        for label in labels.values():
            if "tag" in _own(label.extra) and isinstance(_own(label.extra)["tag"], Mapping):
                defined.setdefault(label.name, _own(label.extra)["tag"])
            for attribute in label.attributes:
                name = attribute.get("name")
                if isinstance(name, str) and "value_type" in attribute:
                    defined.setdefault(name, attribute)
        for rank, name in enumerate(dict.fromkeys([*defined, *self._survey.tags])):
            tag, given = self._survey.tags.get(name), defined.get(name, {})
            label = labels.get(name) or Label(name)
            kind = str(given.get("value_type", "none")) if tag is None else tag.kind
            values = given.get("values")
            if tag is not None and kind == "any_string" and isinstance(values, list):
                kind = "oneof_string" if tag.texts <= set(map(str, values)) else kind
            scope = given.get("applicable_type", "all")
            if (tag is not None and scope != "all") or not given:
                assert tag is not None
                both = tag.on_images == tag.on_objects
                scope = "all" if both else "imagesOnly" if tag.on_images else "objectsOnly"
            color = label.color or given.get("color") or color_of(rank)
            made: dict[str, Any] = {
                "name": name, "value_type": kind, "color": color, "hotkey": label.hotkey or "",
                "applicable_type": scope, "classes": [],
            }  # fmt: skip
            if kind == "oneof_string":
                made["values"] = values or []
            own_id = _unique_id(label, ids) if name not in self._survey.shapes else {}
            yield {**made, **own_id}

    # -- one item ---------------------------------------------------------------------

    def _item(self, folder: str, names: FileNames, item: Row, rows: Sequence[Row]) -> None:
        key = item["key"]
        flat = safe_path(key).replace("/", "_")
        name = names.of({**item, "key": flat})
        if name != key:
            data = json.dumps({KEY_IN_META: key}, ensure_ascii=False)
            self._sink.write(f"{folder}/meta/{name}.json", data)
            self._ledger.warn(
                "renamed", file=key, record="item", item=key,
                message=f"{key} is called {name}, as datasets have no folders; its path is kept "
                f"in meta/{name}.json",
            )  # fmt: skip
        size = {n: item[n] for n in ("height", "width") if item.get(n) is not None}
        if len(size) < 2:
            self._ledger.warn(
                "size of the image is not known", file=key, record="item", item=key,
                message=f"{key}: Supervisely needs a size in its annotations",
            )  # fmt: skip
        document: dict[str, Any] = {"description": "", "name": name, "tags": [], "size": size}
        if self._of_videos:
            document |= self._video(document, item, rows)
        else:
            document["objects"] = []
            for row in rows:
                self._row(document, item, row)
        self._sink.write(f"{folder}/ann/{name}.json", json.dumps(document, ensure_ascii=False))
        media = "video" if self._of_videos else "img"
        self._sink.add_media(f"{folder}/{media}/{name}", item["number"])

    def _row(self, document: dict[str, Any], item: Row, row: Row) -> None:
        if row["type"] == "text":
            self._text(document, item, row)
        elif row["type"] == "tag":
            document["tags"] += self._item_tags(item, row)
        else:
            figures = self._shapes.figures(item, row)
            if figures:
                common = self._common(item, row)
                document["objects"] += [{**common, **figure} for figure in figures]

    def _video(self, document: dict[str, Any], item: Row, rows: Sequence[Row]) -> dict[str, Any]:
        video = VideoDocument(item["key"], self._ids)
        for row in rows:
            frame = row.get("frame")
            if row["type"] == "text":
                self._text(document, item, row)
            elif row["type"] == "tag":
                more = {} if frame is None else {"frameRange": [frame, frame]}
                document["tags"] += [{**more, **tag} for tag in self._item_tags(item, row)]
            elif frame is None:
                self._fitting.reject(item, row, "figure without a frame", "it is on none")
            elif row.get("outside"):
                text = "where an object is outside, Supervisely has no figure"
                self._fitting.reject(item, row, "outside can't be written", text)
            else:
                figures = self._shapes.figures(item, row)
                if figures:
                    video.add(row, self._common(item, row), figures)
        if video.gaps:
            text = f"{item['key']}: {video.gaps:,} times a track goes on after frames without it"
            self._ledger.note("frames between keyframes are not filled", message=text)
        return video.finish(item.get("frames"))

    def _text(self, document: dict[str, Any], item: Row, row: Row) -> None:
        if document["description"]:
            self._fitting.reject(item, row, "second text of an image", "there is one description")
        elif not row.get("text"):
            self._fitting.reject(item, row, "text is empty", "it has no text")
        else:
            document["description"] = row["text"]
            if row.get("label") is not None:
                self._fitting.warn(item, row, "label of a text", f"label {row['label']} is lost")

    def _item_tags(self, item: Row, row: Row) -> list[dict[str, Any]]:
        values = object_of(row.get("attributes"))
        value = values.pop("value", True)
        more = [k for k, v in (("score", row.get("score")), ("group", row.get("group"))) if v]
        for name in [*values, *more]:
            if name == "frames" and self._of_videos:
                continue
            text = f"{name} of the tag is lost"
            self._fitting.warn(item, row, "value of a tag can't be written", text)
        if row.get("text") is not None and not self._of_videos:
            self._fitting.warn(item, row, "text can't be written", f"text {row['text']!r} is lost")
        extra, frames = self._extra(row), values.get("frames")
        if self._of_videos and isinstance(frames, list):
            extra["frameRange"] = frames
        return [{**extra, **t} for t in self._tag_values(item, row, row["label"], value)]

    def _common(self, item: Row, row: Row) -> dict[str, Any]:
        extra = self._extra(row)
        tags: list[dict[str, Any]] = []
        for name, value in object_of(row.get("attributes")).items():
            column = OWN_TAGS.get(name)
            if column and row.get(column):
                text = f"the tag {name} is its {column} already"
                self._fitting.warn(item, row, "attribute can't be written", text)
                continue
            if column:
                text = f"{name} is read again as {column}"
                self._fitting.warn(item, row, f"attribute means {column}", text)
            tags += self._tag_values(item, row, name, value)
        if row.get("score") is not None:
            tags += self._tag_values(item, row, "confidence", row["score"])
        if row.get("occluded"):
            tags += self._tag_values(item, row, "occluded", True)
        made: dict[str, Any] = {**extra, "classTitle": row["label"]}
        if row.get("group") is not None:
            made.setdefault("instance", str(row["group"]))
        source_id = row.get("source_id")
        if source_id and source_id.isdecimal() and source_id.isascii():
            made["id"] = int(source_id)
        return {**made, "description": row.get("text") or "", "tags": tags}

    def _extra(self, row: Row) -> dict[str, Any]:
        extra = object_of(row.get("extra"))
        if set(extra) - {"supervisely"}:
            self._lost += 1
        hidden = ("shape", "points", "faces")
        return {k: v for k, v in _own(extra).items() if k not in hidden}

    def _tag_values(self, item: Row, row: Row, name: str, value: Any) -> list[dict[str, Any]]:
        kind = self._survey.tags[name].kind
        made = []
        for one in several(value):
            if kind == "none":
                made.append({"name": name})
            elif kind == "any_string" and not isinstance(one, str):
                text = f"{name}: {dumps(one)} is written as text"
                self._fitting.warn(item, row, "value written as text", text)
                made.append({"name": name, "value": dumps(one)})
            else:
                made.append({"name": name, "value": one})
        return made


def _nodes(keys: Sequence[str], names: Sequence[str], color: str) -> dict[str, Any]:
    # Points of a template, in rows: where they lie matters to nobody but the eye.
    side = max(1, math.ceil(math.sqrt(len(keys))))
    return {
        key: {"label": name, "loc": [10 + 20 * (i % side), 10 + 20 * (i // side)], "color": color,
              "disabled": False}
        for i, (key, name) in enumerate(zip(keys, names, strict=True))
    }  # fmt: skip


def _cuboid_edges(color: str) -> Iterator[dict[str, str]]:
    for i in range(4):
        around = (i, (i + 1) % 4), (4 + i, 4 + (i + 1) % 4), (i, 4 + i)
        for a, b in around:
            yield {"src": VERTICES[a], "dst": VERTICES[b], "color": color}


def _own(extra: Mapping[str, Any]) -> dict[str, Any]:
    own = extra.get("supervisely")
    return dict(own) if isinstance(own, Mapping) else {}


def _unique_id(label: Label, ids: Sequence[str | None]) -> dict[str, int]:
    own = label.source_id
    if own and own.isdecimal() and own.isascii() and ids.count(own) == 1:
        return {"id": int(own)}
    return {}
