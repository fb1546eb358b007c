"""Scale AI: tasks with their responses, and annotations of Nucleus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ..errors import BrokenFileError
from ..ledger import Ledger
from ..media.kinds import kind_of
from ..progress import Progress
from ..schema import Batch, Skeleton
from ..sources.base import Source
from .addresses import address_of, masked
from .base import Format
from .json_documents import (
    Spot,
    add_unannotated,
    heads,
    is_http,
    list_of,
    mapping_of,
    paths_of,
    put,
    rows_of,
    spare,
    text_of,
    whole,
)
from .json_shapes import Row, Unusable, box, is_number, number, pair, points, polygon, rotated_box
from .json_values import dumps
from .look import Look
from .reading import Reading

__all__ = ["Scale"]

_SUFFIXES = (".json", ".ndjson", ".jsonl")
_KNOWN = (
    "uuid", "annotation_id", "type", "label", "left", "top", "width", "height", "vertices", "x",
    "y", "rotation", "attributes", "geometry", "reference_id", "metadata", "confidence", "score",
    "track_reference_id", "key_frames", "frames", "mask_url", "annotations",
)  # fmt: skip


class Scale(Format):
    """Scale AI: tasks with the annotations of their responses, and Nucleus annotations as lines.

    **Items.** Each task is one, named by the end of its ``attachment`` (Nucleus: the
    ``reference_id``); the address is kept, never opened. The frames of a video task are rows
    with ``frame`` and ``track``.

    **Geometry** is in pixels as it is; a rotated box is read from its corners. Masks lie at
    addresses and are not fetched: they are kept as a tag of their class, with the address in
    ``extra``, and a warning. Figures in space are rejected.

    **Records** are tasks, annotations (frames in a video), categories, and global attributes,
    which become tags with a value.
    """

    name: ClassVar[str] = "scale"
    title: ClassVar[str] = "Scale AI"
    summary: ClassVar[str] = "Tasks of Scale AI with their responses, or lines of Nucleus."
    rules: ClassVar[str] = "https://docs.scale.com/reference; scaleapi/nucleus-python-client"
    holds: ClassVar[tuple[str, ...]] = (
        "box",
        "polygon",
        "polyline",
        "points",
        "skeleton",
        "mask",
        "tag",
    )
    writes: ClassVar[bool] = False

    def requires(self, look: Look) -> float:
        """Recognise tasks and Nucleus annotations by their keys."""
        for path, head in heads(look, *_SUFFIXES):
            keys = head.json_keys
            if {"task_id", "params"} <= keys and keys & {"response", "attachment", "geometries"}:
                look.found(f"{path} holds tasks of Scale AI")
                return 0.95
            if {"reference_id", "geometry", "type"} <= keys:
                look.found(f"{path} holds annotations of Nucleus")
                return 0.9
        look.need(False, "no JSON file with task_id and params, or reference_id and geometry")
        return 0.0

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the tasks; see `Format.read`.

        Raises:
            BrokenFileError: a file is not JSON.
        """
        self.check_options(options)
        reading = Reading(source, ledger, progress, limit)
        paths = paths_of(source, *_SUFFIXES)
        tasks: dict[str, str] = {}
        for path, data in reading.files(paths):
            try:
                rows = rows_of(data, path, ledger)
            except BrokenFileError as error:
                if len(paths) == 1:
                    raise
                text = str(error)
                reading.reject("the file is not JSON", file=path, record="file", message=text)
                continue
            if len(rows) == 1 and isinstance(rows[0], Mapping):
                for name in ("docs", "tasks"):  # an answer of the API
                    if isinstance(rows[0].get(name), list):
                        rows = rows[0][name]
                        break
            file = _File(reading, path, tasks)
            for i, row in enumerate(rows):
                file.row(i, row)
                yield from reading.batches()
            if reading.is_full:
                break
        add_unannotated(reading)
        yield from reading.rest()


class _File:
    """One file of tasks or annotations."""

    def __init__(self, reading: Reading, path: str, tasks: dict[str, str]) -> None:
        self._reading, self._path = reading, path
        self._tasks = tasks  # key of an item → id of its task

    def row(self, i: int, row: Any) -> None:
        """Read one row: a task, an item with annotations, or one annotation."""
        if isinstance(row, Mapping) and "params" in row:
            if not self._reading.is_full:
                self._task(i, row)
        elif isinstance(row, Mapping) and isinstance(row.get("item"), Mapping):
            if not self._reading.is_full:
                self._with_item(i, row)
        elif isinstance(row, Mapping) and "reference_id" in row:
            self._nucleus(i, row)
        else:
            self._reading.reject(
                "row is no task and no annotation", file=self._path, where=f"[{i}]",
                record=f"row {i + 1}", message=f"{self._path}: row {i + 1} is {row!r:.80}",
            )  # fmt: skip

    def _item(self, name: str, url: Any, ident: str | None, **more: Any) -> int:
        key = name
        if ident is not None and self._tasks.setdefault(key, ident) != ident:
            key = f"{name}#{ident}"
            self._reading.warn(
                "two tasks about one file", file=self._path, record="item", item=key,
                message=f"{name} has another task, too: this one is called {key}",
            )  # fmt: skip
        more.setdefault("kind", "video" if kind_of(name) == "video" else "image")
        return self._reading.image_item(
            name, key=key, file=self._path, uri=url if is_http(url) else None,
            source_id=ident, **more,
        )  # fmt: skip

    # -- tasks ------------------------------------------------------------------------

    def _task(self, i: int, task: Mapping[str, Any]) -> None:
        params, response = mapping_of(task["params"]), mapping_of(task.get("response"))
        kind, ident = text_of(task.get("type")) or "", text_of(task.get("task_id"))
        url = params.get("attachment")
        address = address_of(url) if isinstance(url, str) else None
        name = (address.path if address else "") or f"task {ident or i + 1}"
        if address is not None and address.uri and not self._reading.find(name).path:
            name = address.path.rpartition("/")[2] or name
        space = "lidar" in kind or "sensor" in kind
        item_kind = "other" if space else "video" if "video" in kind else "image"
        number_ = self._item(
            name, url, ident, kind=item_kind,
            meta=spare("scale", {k: task.get(k) for k in ("type", "status", "metadata", "batch")}),
        )  # fmt: skip
        key = self._reading.key(number_)
        given = response.get("annotations")
        if isinstance(given, Mapping):
            self._layers(number_, i, given, response)
        for k, one in enumerate(list_of(given)):
            spot = Spot(
                self._path, f"[{i}].response.annotations[{k}]", f"row {i + 1}, annotation {k + 1}",
                key,
            )  # fmt: skip
            if not isinstance(one, Mapping):
                text = f"{spot.record} is no object"
                self._reading.reject("annotation is not an object", **spot.line(), message=text)
            elif isinstance(one.get("frames"), list):
                self._frames(number_, spot, one)
            else:
                self._put(number_, spot, one, {})
        for name, value in mapping_of(response.get("global_attributes")).items():
            self._reading.annotation(
                number_, type="tag", label=str(name), attributes=dumps({"value": value})
            )

    def _layers(
        self, number_: int, i: int, given: Mapping[str, Any], response: Mapping[str, Any]
    ) -> None:
        # Segmentation: images at addresses, and what each of their colours means.
        key = self._reading.key(number_)
        for name, value in given.items():
            address = value.get("image", value.get("url")) if isinstance(value, Mapping) else value
            spot = Spot(
                self._path, f"[{i}].response.annotations.{name}", f"row {i + 1}, layer {name}", key
            )  # fmt: skip
            text = f"{spot.record} lies at {masked(str(address))}, which is not fetched"
            meaning = {"layer": name, "mask": {"url": address},
                       "labelMapping": response.get("labelMapping")}  # fmt: skip
            self._reading.warn("mask lies at an address", **spot.line(), message=text)
            self._reading.annotation(
                number_, type="tag", label=str(name), extra=spare("scale", meaning)
            )

    def _frames(self, number_: int, spot: Spot, one: Mapping[str, Any]) -> None:
        track = text_of(one.get("uuid") or one.get("id")) or spot.record
        for k, frame in enumerate(one["frames"]):
            here = Spot(
                spot.file, f"{spot.where}.frames[{k}]", f"{spot.record}, frame {k + 1}", spot.item
            )  # fmt: skip
            at = mapping_of(frame).get("key", mapping_of(frame).get("frame"))
            index = whole(at)
            if index is None:
                text = f"{here.record} has no number"
                self._reading.reject("frame is not understood", **here.line(), message=text)
                continue
            both = {**one, "type": one.get("type", one.get("geometry")), **frame}
            both.pop("frames", None)
            if isinstance(both.get("geometry"), str):
                del both["geometry"]
            self._put(number_, here, both, {"frame": index, "track": track, "keyframe": True})

    # -- Nucleus ----------------------------------------------------------------------

    def _with_item(self, i: int, row: Mapping[str, Any]) -> None:
        # An item with its annotations by their type, as Nucleus exports slices.
        item = mapping_of(row["item"])
        name = text_of(item.get("reference_id")) or f"row {i + 1}"
        url = item.get("image_url", item.get("image_location"))
        number_ = self._item(
            name, url, None, meta=spare("scale", item, "reference_id", "image_url")
        )
        key = self._reading.key(number_)
        for kind, some in mapping_of(row.get("annotations")).items():
            for k, one in enumerate(list_of(some)):
                record = f"row {i + 1}, {kind} {k + 1}"
                spot = Spot(self._path, f"[{i}].annotations.{kind}[{k}]", record, key)
                if isinstance(one, Mapping):
                    self._put(number_, spot, {"type": kind, **one}, {})
                else:
                    text = f"{spot.record} is no object"
                    self._reading.reject("annotation is not an object", **spot.line(), message=text)

    def _nucleus(self, i: int, one: Mapping[str, Any]) -> None:
        name = text_of(one["reference_id"]) or f"row {i + 1}"
        known = self._reading.number(name)
        if known is None and self._reading.is_full:
            return
        number_ = self._item(name, None, None) if known is None else known
        spot = Spot(self._path, f"[{i}]", f"row {i + 1}", self._reading.key(number_))
        self._put(number_, spot, one, {})

    # -- annotations ------------------------------------------------------------------

    def _put(self, number_: int, spot: Spot, one: Mapping[str, Any], more: Row) -> None:
        label = text_of(one.get("label"))
        url = ""

        def make() -> Row:
            nonlocal url
            figure, url = self._figure(one, label)
            values = {**mapping_of(one.get("metadata")), **mapping_of(one.get("attributes"))}
            kept = {k: v for k, v in one.items() if k not in _KNOWN}
            if url:
                kept |= {"mask": {"url": url}, "annotations": one.get("annotations")}
            score = one.get("confidence", one.get("score"))
            return {
                **figure, "label": figure.get("label", label),
                "attributes": dumps(values) if values else None,
                "score": float(score) if is_number(score) else None,
                "track": text_of(one.get("track_reference_id")),
                "source_id": text_of(one.get("uuid") or one.get("annotation_id")),
                "extra": spare("scale", kept), **more,
            }  # fmt: skip

        if label is None and one.get("type") not in ("segmentation", "mask", "multicategory"):
            text = f"{spot.record} has no label"
            self._reading.warn("annotation without a label", **spot.line(), message=text)
        if put(self._reading, number_, spot, make) and url:
            text = f"{spot.record}: its mask lies at {masked(url)}, which is not fetched"
            self._reading.warn("mask lies at an address", **spot.line(), message=text)

    def _figure(self, one: Mapping[str, Any], label: str | None) -> tuple[Row, str]:
        kind = one.get("type")
        shape = {**one, **mapping_of(one.get("geometry"))}
        if kind == "box":
            return _box(shape), ""
        if kind == "polygon":
            return polygon([(points(shape.get("vertices"), 3, "polygon"), False)]), ""
        if kind == "line":
            return {"type": "polyline", "points": points(shape.get("vertices"), 2, "line")}, ""
        if kind == "point":
            return {"type": "points", "points": list(pair(shape))}, ""
        if kind == "category":
            return {"type": "tag"}, ""
        if kind == "keypoints":
            return self._keypoints(shape, label), ""
        if kind in ("segmentation", "mask") and isinstance(one.get("mask_url"), str):
            return {"type": "tag", "label": label or "segmentation"}, one["mask_url"]
        raise Unusable(f"{kind or 'annotation without a type'} can't be read", f"type is {kind!r}")

    def _keypoints(self, shape: Mapping[str, Any], label: str | None) -> Row:
        given = [p for p in list_of(shape.get("points", shape.get("keypoints")))
                 if isinstance(p, Mapping)]  # fmt: skip
        if not given:
            raise Unusable("no points", "it has no keypoints")
        named = list_of(shape.get("names")) or list(range(len(given)))
        flat = [v for p in given for v in pair(p, "keypoint")]
        seen = [2 if p.get("visible", True) else 1 for p in given]
        known = self._reading.labels[label].skeleton if label in self._reading.labels else None
        if known is not None and len(known.points) != len(given):
            raise Unusable(
                "points differ from the template",
                f"it has {len(given)} points, others of {label} have {len(known.points)}",
            )
        if known is None and label is not None and len(named) == len(given):
            pairs = [
                e for e in list_of(shape.get("skeleton")) if isinstance(e, list) and len(e) == 2
            ]
            ends = [(whole(a), whole(b)) for a, b in pairs]
            edges = tuple((a, b) for a, b in ends if a is not None and b is not None)
            fits = all(max(edge) < len(named) for edge in edges)
            joints = Skeleton(tuple(map(str, named)), edges if fits else ())
            self._reading.label(label, skeleton=joints)
        return {"type": "skeleton", "points": flat, "visibility": seen}


def _box(shape: Mapping[str, Any]) -> Row:
    if shape.get("rotation") and isinstance(shape.get("vertices"), list):
        return rotated_box(points(shape["vertices"], 4, "rotated box"))
    if shape.get("rotation"):
        raise Unusable("rotated box without four corners", "it has a rotation, but no vertices")
    left, top = shape.get("left", shape.get("x")), shape.get("top", shape.get("y"))
    return box(number(left, "left"), number(top, "top"), shape.get("width"), shape.get("height"))
