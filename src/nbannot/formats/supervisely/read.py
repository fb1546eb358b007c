"""Reading a Supervisely project: images with objects, videos with figures, and the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import NbannotError, UnsafeSourceError
from ...ledger import Ledger
from ...media.kinds import KIND_OF_SUFFIX, suffix
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..json_documents import Spot, document, documents, spare, whole
from ..reading import Reading
from ..writing import safe_path
from .layout import KEY_IN_META, TRACK, AnnFile, Layout
from .meta import Meta, skeleton_of
from .objects import ObjectReader, group_of, id_of

__all__ = ["SuperviselyReader", "metas_of"]


def metas_of(source: Source) -> list[str]:
    """Return the paths of the source's ``meta.json``, those of the top first."""
    if source.main is not None:
        return []
    return sorted(source.files.match("**/meta.json"), key=lambda p: (p.count("/"), p))


class SuperviselyReader:
    """One read of a project."""

    def __init__(
        self, source: Source, ledger: Ledger, progress: Progress, limit: int | None
    ) -> None:
        self._source, self._ledger = source, ledger
        self._reading = Reading(source, ledger, progress, limit)
        self._meta = Meta()
        self._nodes: dict[str, list[str]] = {}
        metas = [p for p in metas_of(source) if self._take_meta(p)]
        self._layout = Layout.of(source.files, source.main, metas)
        self._objects = ObjectReader(self._reading, self._meta, self._nodes)

    def _take_meta(self, path: str) -> bool:
        value = document(self._source.read(path), path, self._ledger)
        if not isinstance(value, Mapping) or "classes" not in value:
            if path == "meta.json":
                self._meta.add(value, path, self._ledger)
            return False
        self._meta.add(value, path, self._ledger)
        return True

    def read(self) -> Iterator[Batch]:
        """Yield the project: annotated items, then what has no annotation file."""
        reading = self._reading
        for label in self._meta.labels():
            reading.labels[label.name] = label
        for title, entry in self._meta.classes.items():
            graph = skeleton_of(entry.get("geometry_config"))
            if graph:
                self._nodes[title] = graph[0]
        if not self._meta.found and self._source.main is None:
            text = "There is no meta.json: classes are those that objects have"
            self._ledger.note("no meta.json", message=text)
        files = {a.path: a for a in self._layout.annotations}
        for path, value in documents(reading, list(files)):
            self._file(files[path], value)
            yield from reading.batches()
            if reading.is_full:
                break
        if not reading.is_full:
            self._episodes()
            self._leftover()
            self._not_read()
        yield from reading.rest()

    # -- files ------------------------------------------------------------------------

    def _file(self, ann: AnnFile, value: Any) -> None:
        if not isinstance(value, Mapping):
            self._reading.reject(
                "the file is no annotation", file=ann.path, record="file",
                message=f"{ann.path} holds no object with objects and size",
            )  # fmt: skip
        elif "frames" in value and isinstance(value["frames"], list):
            self._video(ann, value)
        elif any(k in value for k in ("planes", "spatialFigures", "volumeMeta")):
            self._space(ann, value, "volume")
        elif "figures" in value:
            self._space(ann, value, "pointcloud")
        elif any(k in value for k in ("objects", "size", "tags")):
            self._image(ann, value)
        else:
            self._ledger.note("not an annotation", file=ann.path, message=f"{ann.path}: not read")

    def _item(
        self, ann: AnnFile, value: Mapping[str, Any], folder: str, kind: str
    ) -> tuple[int, str, tuple[int | None, int | None]]:
        place = f"{ann.folder}/{folder}" if ann.folder else folder
        if place not in self._layout.media:
            place = ""
        name, path = self._find(ann, place, kind)
        subset = self._layout.subset(ann.folder)
        info, key = self._info(ann, name)
        if self._reading.number(key, subset) is not None and key != name:
            key = name
        width, height = self._size(ann, value, key, path if kind == "image" else None)
        meta = spare(
            "supervisely", {**info, "customData": value.get("customBigData")}, "id", "link", "name"
        )
        known = self._reading.number(key, subset)
        number = self._reading.item(
            key, subset=subset, kind=kind, media=path, width=width, height=height, meta=meta,
            frames=whole(value.get("framesCount")), source_id=id_of(info.get("id")),
            uri=info.get("link") if isinstance(info.get("link"), str) else None,
        )  # fmt: skip
        if known is not None:
            self._reading.warn(
                "two annotation files for one image", file=ann.path, record="item", item=key,
                message=f"{ann.path} is about {key}, too; the annotations of both are kept",
            )  # fmt: skip
        if path is None and (self._reading.has_images or self._layout.media):
            self._reading.warn(
                f"{kind if kind != 'other' else folder} file missing", file=ann.path,
                record="item", item=key, message=f"{key}: there is no file of this name",
            )  # fmt: skip
        return number, key, (width, height)

    def _find(self, ann: AnnFile, place: str, kind: str) -> tuple[str, str | None]:
        # The name of the media within its dataset, and its path.
        reading, name = self._reading, ann.media_name
        full = f"{place}/{name}" if place else name
        if full in self._source.files:
            return name, full
        if kind == "image":
            found = reading.find(full)
            if found.path is None:  # before 2019: a.json for a.jpg
                found = reading.find(full, stem=True)
            if found.path is not None and (not place or found.path.startswith(f"{place}/")):
                end = suffix(found.path)
                return name if name.lower().endswith(end) else name + end, found.path
        return name, None

    def _info(self, ann: AnnFile, name: str) -> tuple[dict[str, Any], str]:
        # What img_info/ and meta/ say of an image: its id, its own data, its path as a key.
        info: dict[str, Any] = {}
        base = f"{ann.folder}/" if ann.folder else ""
        for folder in ("img_info", "meta"):
            path = f"{base}{folder}/{name}.json"
            if path == ann.path or path not in self._source.files:
                continue
            try:
                value = document(self._source.read(path), path, self._ledger)
            except NbannotError as error:
                self._ledger.note("file can't be read", file=path, message=str(error))
                continue
            if isinstance(value, Mapping) and folder == "img_info":
                info |= {k: value[k] for k in ("id", "meta", "link") if value.get(k)}
            elif isinstance(value, Mapping):
                info["meta"] = dict(value)
        own = info.get("meta")
        key = own.get(KEY_IN_META) if isinstance(own, dict) else None
        if isinstance(own, dict) and isinstance(key, str) and key and _is_safe(key):
            info["meta"] = {k: v for k, v in own.items() if k != KEY_IN_META}
            return info, key
        return info, name

    def _size(
        self, ann: AnnFile, value: Mapping[str, Any], key: str, path: str | None
    ) -> tuple[int | None, int | None]:
        given = value.get("size")
        if isinstance(given, Mapping) and given:
            width, height = whole(given.get("width"), 1), whole(given.get("height"), 1)
            if width and height:
                return width, height
            if given.get("width") is not None or given.get("height") is not None:
                self._reading.warn(
                    "size is no size", file=ann.path, where="size", record="item", item=key,
                    message=f"{key}: size is {dict(given)!r:.80}",
                )  # fmt: skip
        return self._reading.size(path) or (None, None)

    # -- images -----------------------------------------------------------------------

    # -- what a file holds -------------------------------------------------------------

    def _image(self, ann: AnnFile, value: Mapping[str, Any]) -> None:
        number, key, size = self._item(ann, value, "img", "image")
        self._objects.of_item(number, key, ann, value)
        groups: dict[str, int] = {}
        for i, figure in enumerate(self._objects.entries(ann, key, value, "objects")):
            spot = Spot(ann.path, f"objects[{i}]", f"object {i + 1}", key)
            if not isinstance(figure, Mapping):
                self._objects.not_an_object(spot)
                continue
            title = self._objects.title(figure, spot)
            columns = self._objects.columns(
                figure, self._objects.tags(figure.get("tags"), spot, None)
            )
            columns["group"] = group_of(figure.get("instance"), groups)
            self._objects.put(number, spot, figure, title, columns, size)

    def _video(self, ann: AnnFile, value: Mapping[str, Any]) -> None:
        number, key, size = self._item(ann, value, "video", "video")
        self._objects.of_item(number, key, ann, value)
        objects, used = self._declared(ann, key, value), set()
        for i, frame in enumerate(self._objects.entries(ann, key, value, "frames")):
            entry = frame if isinstance(frame, Mapping) else {}
            figures = entry.get("figures")
            at = whole(entry.get("index"))
            if not isinstance(figures, list) or at is None:
                spot = Spot(ann.path, f"frames[{i}]", f"frame {i + 1}", key)
                text = f"{spot.record} of {key}: {frame!r:.80}"
                self._reading.reject("frame is not understood", **spot.line(), message=text)
                continue
            for k, figure in enumerate(figures):
                where = f"frames[{i}].figures[{k}]"
                spot = Spot(ann.path, where, f"frame {at}, figure {k + 1}", key)
                if not isinstance(figure, Mapping):
                    self._objects.not_an_object(spot)
                    continue
                used.add(self._figure(number, spot, figure, at, objects, size))
        for name, (i, _) in objects.items():
            if name not in used and i not in {objects[u][0] for u in used if u in objects}:
                spot = Spot(ann.path, f"objects[{i}]", f"object {i + 1}", key)
                text = f"{spot.record} of {key} is on no frame"
                self._reading.reject("object without figures", **spot.line(), message=text)

    def _declared(
        self, ann: AnnFile, key: str, value: Mapping[str, Any]
    ) -> dict[str, tuple[int, Mapping[str, Any]]]:
        # The objects of a video by their key, or id where they have no key.
        found: dict[str, tuple[int, Mapping[str, Any]]] = {}
        for i, entry in enumerate(self._objects.entries(ann, key, value, "objects")):
            spot = Spot(ann.path, f"objects[{i}]", f"object {i + 1}", key)
            if not isinstance(entry, Mapping):
                self._objects.not_an_object(spot)
                continue
            name = entry.get("key") or entry.get("id")
            if name is None or str(name) in found:
                text = f"{spot.record} of {key} has no key of its own"
                self._reading.reject("object without a key", **spot.line(), message=text)
                continue
            found[str(name)] = (i, entry)
        return found

    def _figure(
        self, number: int, spot: Spot, figure: Mapping[str, Any], frame: int,
        objects: Mapping[str, tuple[int, Mapping[str, Any]]], size: tuple[int | None, int | None],
    ) -> str:  # fmt: skip
        names = [str(figure[k]) for k in ("objectKey", "objectId") if figure.get(k) is not None]
        name = next((n for n in names if n in objects), "")
        if not name:
            text = f"{spot.record} of {spot.item}: there is no object {', '.join(names) or 'key'}"
            self._reading.reject("figure of no object", **spot.line(), message=text)
            return ""
        owner = objects[name][1]
        title = self._objects.title(owner, spot)
        tags = self._objects.tags(owner.get("tags"), spot, frame)
        tags |= self._objects.tags(figure.get("tags"), spot, frame)
        columns = self._objects.columns({**figure, "description": owner.get("description")}, tags)
        track = owner.get(TRACK, name)
        columns |= {"frame": frame, "track": track if isinstance(track, str) else None}
        geometry = figure.get("geometry")
        whole_figure = {**figure, **geometry} if isinstance(geometry, Mapping) else figure
        self._objects.put(number, spot, whole_figure, title, columns, size)
        return name

    def _space(self, ann: AnnFile, value: Mapping[str, Any], folder: str) -> None:
        # Point clouds and volumes: the item and its tags; figures in space are not read.
        number, key, _ = self._item(ann, value, folder, "other")
        self._objects.of_item(number, key, ann, value)
        figures = list(_space_figures(value))
        for where, figure in figures:
            self._not_read_figure(ann.path, where, figure, key)

    def _not_read_figure(self, file: str, where: str, figure: Any, key: str) -> None:
        shape = figure.get("geometryType") if isinstance(figure, Mapping) else None
        name = shape if isinstance(shape, str) else "figure"
        self._reading.reject(
            f"{name} can't be read", file=file, where=where, record=where, item=key,
            message=f"{key}: {where} is a {name}; figures in space are not read",
        )  # fmt: skip

    def _episodes(self) -> None:
        # One file for the point clouds of an episode: figures by frame.
        for path in self._layout.episodes:
            try:
                value = document(self._source.read(path), path, self._ledger)
            except NbannotError as error:
                self._reading.reject(
                    "the file can't be read", file=path, record="file", message=str(error)
                )
                continue
            if not isinstance(value, Mapping):
                continue
            frames = value.get("frames")
            for i, frame in enumerate(frames if isinstance(frames, list) else ()):
                figures = frame.get("figures") if isinstance(frame, Mapping) else None
                for k, figure in enumerate(figures if isinstance(figures, list) else ()):
                    self._not_read_figure(path, f"frames[{i}].figures[{k}]", figure, path)

    # -- what has no annotation file --------------------------------------------------

    def _leftover(self) -> None:
        reading, files = self._reading, self._source.files
        if self._source.main is not None:
            return
        for folder in sorted(self._layout.media):
            base, _, kind = folder.rpartition("/")
            subset = self._layout.subset(base)
            for path in self._layout.media[folder]:
                if path in reading.used_media:
                    continue
                known = KIND_OF_SUFFIX.get(suffix(path))
                if kind in ("img", "video") and known not in ("image", "video"):
                    continue
                key = path[len(folder) + 1 :]
                if reading.number(key, subset) is not None:
                    key = path
                reading.item(key, subset=subset, kind=known or "other", media=path)
                if reading.is_full:
                    return
        if not self._layout.media:
            reading.leftover(files.with_suffix(*_images()))

    def _not_read(self) -> None:
        files = self._source.files
        blobs = [p for p in files.with_suffix(".tar", ".pkl") if "blob" in p or "offsets" in p]
        related = [p for p in files if "/related_images/" in f"/{p}" and suffix(p) in _images()]
        for what, paths in (("images within blobs", blobs), ("related images", related)):
            if paths:
                text = f"{len(paths):,} files as {paths[0]}"
                self._ledger.note(f"not read: {what}", file=paths[0], message=text)


def _is_safe(key: str) -> bool:
    try:
        return safe_path(key) == key
    except UnsafeSourceError:
        return False


def _images() -> list[str]:
    return [s for s, kind in KIND_OF_SUFFIX.items() if kind == "image"]


def _space_figures(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in ("figures", "spatialFigures"):
        given = value.get(key)
        for i, figure in enumerate(given if isinstance(given, list) else ()):
            yield f"{key}[{i}]", figure
    planes = value.get("planes")
    for i, plane in enumerate(planes if isinstance(planes, list) else ()):
        slices = plane.get("slices") if isinstance(plane, Mapping) else None
        for k, part in enumerate(slices if isinstance(slices, list) else ()):
            figures = part.get("figures") if isinstance(part, Mapping) else None
            for n, figure in enumerate(figures if isinstance(figures, list) else ()):
                yield f"planes[{i}].slices[{k}].figures[{n}]", figure
