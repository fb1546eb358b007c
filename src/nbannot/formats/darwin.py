"""Darwin JSON, V7's format: one JSON file per image, video or document."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..ledger import Ledger
from ..progress import Progress
from ..schema import Batch, Skeleton
from ..sources.base import Source
from .base import Format
from .json_documents import (
    Spot,
    add_unannotated,
    documents,
    gather,
    heads,
    is_http,
    list_of,
    mapping_of,
    paths_of,
    put,
    spare,
    tell_twice,
    text_of,
    whole,
)
from .json_shapes import (
    MAX_MASK_PIXELS,
    Row,
    Unusable,
    box,
    ellipse,
    is_number,
    mask,
    nested_rings,
    number,
    pair,
    points,
    polygon,
)
from .json_values import dumps
from .look import Look
from .media_index import as_path
from .reading import Reading

__all__ = ["Darwin"]

Runs = tuple[NDArray[Any], NDArray[Any]]

_SHAPES = (
    "polygon", "tag", "line", "keypoint", "ellipse", "cuboid", "skeleton", "mask", "bounding_box",
)  # fmt: skip
_UNREAD = ("table", "simple_table", "string", "graph", "link")
_KINDS = {"image": "image", "video": "video"}
_SUBS = (
    "id", "name", "slot_names", "properties", "attributes", "instance_id", "text", "inference",
    "directional_vector", "frames", "sections", "keyframe",
)  # fmt: skip


class Darwin(Format):
    """Darwin JSON 2.0 (and 1.0), as V7 exports it.

    **Items.** Each file is one item, its key the item's path and name in V7; each slot is one
    where a file has several. A video is one item: its annotations have ``frame`` and ``track``,
    one row for each frame that is written, with ``keyframe``. Addresses are kept, never opened.

    **Geometry** is in pixels as it is; the rings of a polygon are holes where they lie within
    another (even-odd); angles (radians) become degrees; masks come from the raster layer, whose
    runs are row by row.

    **Attributes** are V7's attributes (true), properties, ``instance_id`` and
    ``directional_vector``; ``inference`` is the score, and its model the layer.

    **Records** are items and annotations; of a video's annotation, its frames. A raster layer is
    part of its masks. Tables, strings and graphs are rejected.
    """

    name: ClassVar[str] = "darwin"
    title: ClassVar[str] = "Darwin JSON (V7)"
    summary: ClassVar[str] = "One JSON file per image or video, as V7 exports it."
    rules: ClassVar[str] = "https://docs.v7labs.com/reference/darwin-json"
    holds: ClassVar[tuple[str, ...]] = (
        "box",
        "polygon",
        "polyline",
        "points",
        "skeleton",
        "mask",
        "ellipse",
        "cuboid",
        "tag",
        "text",
    )
    writes: ClassVar[bool] = False

    def requires(self, look: Look) -> float:
        """Recognise files with an item, its slots and annotations."""
        for path, head in heads(look, ".json"):
            keys = head.json_keys
            if head.json_start != "{":
                continue
            if {"item", "slots"} <= keys and keys & {"annotations", "schema_ref"}:
                look.found(f"{path} has an item with slots")
                return 0.95
            if {"image", "annotations", "workview_url"} <= keys:
                look.found(f"{path} is Darwin JSON 1.0")
                return 0.9
        look.need(False, "no JSON file with an item and its slots")
        return 0.0

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the files; see `Format.read`.

        Raises:
            BrokenFileError: not a single file is JSON.
        """
        self.check_options(options)
        reading = Reading(source, ledger, progress, limit)
        for path, value in documents(reading, paths_of(source, ".json")):
            if isinstance(value, Mapping) and isinstance(value.get("annotations"), list):
                _File(reading, path, value).read()
            elif isinstance(value, Mapping) and value.get("item"):
                text = f"{path}: annotations is no list"
                reading.reject(
                    "the file has no annotations", file=path, record="file", message=text
                )
            else:
                ledger.note("not an annotation", file=path, message=f"{path} is not Darwin JSON")
            yield from reading.batches()
            if reading.is_full:
                break
        add_unannotated(reading)
        yield from reading.rest()


class _File:
    """One file of annotations."""

    def __init__(self, reading: Reading, path: str, value: Mapping[str, Any]) -> None:
        self._reading, self._path, self._value = reading, path, value
        self._items: dict[str, tuple[int, str, tuple[int | None, int | None]]] = {}
        # id of a mask → frame (-1: the image) → the runs of its layer, and its value in them
        self._layers: dict[str, dict[int, tuple[Runs | Unusable, int | None]]] = {}

    def read(self) -> None:
        """Read the items, and then what is on them."""
        item = self._value.get("item", self._value.get("image"))
        self._slots(item if isinstance(item, Mapping) else {})
        annotations: Sequence[Any] = self._value["annotations"]
        layers = [_is_layer(one) for one in annotations]
        for i, one in enumerate(annotations):
            if layers[i]:
                self._layer(i, one)
        for i, one in enumerate(annotations):
            if not isinstance(one, Mapping):
                _, key, _ = self._on(())
                spot = Spot(self._path, f"annotations[{i}]", f"annotation {i + 1}", key)
                text = f"{spot.record} is no object"
                self._reading.reject("annotation is not an object", **spot.line(), message=text)
            elif not layers[i]:
                self._annotation(i, one)

    # -- items ------------------------------------------------------------------------

    def _slots(self, item: Mapping[str, Any]) -> None:
        name = item.get("name") or item.get("filename") or self._path.rpartition("/")[2][:-5]
        folder = item.get("path")
        folder = folder.strip("/") if isinstance(folder, str) else ""
        key = as_path(f"{folder}/{name}" if folder else str(name))
        slots = item.get("slots")
        if not isinstance(slots, list) or not slots:
            slots = [item]  # Darwin JSON 1.0
        several = len(slots) > 1
        for i, given in enumerate(slots):
            slot = given if isinstance(given, Mapping) else {}
            slot_name = str(slot.get("slot_name", i))
            self._slot(item, slot, slot_name, f"{key}/{slot_name}" if several else key)

    def _slot(
        self, item: Mapping[str, Any], slot: Mapping[str, Any], slot_name: str, key: str
    ) -> None:
        reading = self._reading
        given = slot.get("source_files")
        files = [f for f in given if isinstance(f, Mapping)] if isinstance(given, list) else []
        names = [str(f["file_name"]) for f in files if f.get("file_name")]
        url = next((f["url"] for f in [*files, slot] if is_http(f.get("url"))), None)
        kind = _KINDS.get(str(slot.get("type", "image")), "other")
        size = whole(slot.get("width"), 1), whole(slot.get("height"), 1)
        found = next((n for n in (key, *names) if reading.find(n).path), key)
        tell_twice(reading, key, self._path)
        number = reading.image_item(
            found, key=key, file=self._path, kind=kind, uri=url, width=size[0], height=size[1],
            frames=whole(slot.get("frame_count")),
            meta=spare("darwin", {
                "source_info": item.get("source_info"), "fps": slot.get("fps"),
                "properties": self._value.get("properties"),
            }),
        )  # fmt: skip
        self._items[slot_name] = (number, key, size)

    def _on(self, slot_names: Any) -> tuple[int, str, tuple[int | None, int | None]]:
        # The item that an annotation of these slots is on.
        for name in slot_names if isinstance(slot_names, (list, tuple)) else ():
            if str(name) in self._items:
                return self._items[str(name)]
        return next(iter(self._items.values()))

    # -- masks ------------------------------------------------------------------------

    def _layer(self, i: int, one: Mapping[str, Any]) -> None:
        # A raster layer counts as a record (each of its frames, in a video) that becomes part of
        # its masks.
        if "raster_layer" in one:
            self._take_layer(i, one, one["raster_layer"], -1)
            return
        for at, frame in mapping_of(one.get("frames")).items():
            layer = mapping_of(frame).get("raster_layer")
            self._take_layer(i, one, layer, int(at) if at.isdecimal() and len(at) < 16 else -1)

    def _take_layer(self, i: int, one: Mapping[str, Any], layer: Any, frame: int) -> None:
        _, key, size = self._on(one.get("slot_names"))
        layer = mapping_of(layer)
        mapping = mapping_of(layer.get("mask_annotation_ids_mapping"))
        runs: Runs | Unusable
        try:
            if not isinstance(layer.get("mask_annotation_ids_mapping"), Mapping):
                raise Unusable("raster layer is not understood", "it has no ids of masks")
            runs = _runs(layer.get("dense_rle"), size)
        except Unusable as why:
            runs = why
            at = "" if frame < 0 else f", frame {frame}"
            spot = Spot(self._path, f"annotations[{i}]", f"annotation {i + 1}{at}", key)
            self._reading.reject(why.reason, **spot.line(), message=f"{spot.record}: {why.text}")
        else:
            self._reading.ledger.read()
            self._reading.ledger.joined()
        for ident, value in mapping.items():
            self._layers.setdefault(str(ident), {})[frame] = (runs, whole(value))

    def _mask(self, ident: Any, size: tuple[int | None, int | None], frame: int | None) -> Row:
        layers = self._layers.get(str(ident), {})
        before = [n for n in layers if n <= (-1 if frame is None else frame)]
        if not before:
            raise Unusable("mask without a raster layer", f"no raster layer has the id {ident}")
        runs, value = layers[max(before)]
        if isinstance(runs, Unusable):
            raise Unusable("mask without a raster layer", f"its layer: {runs.text}")
        if value is None:
            raise Unusable("mask without a raster layer", "its value in the layer is no number")
        inside = np.repeat(runs[0] == value, runs[1])
        return mask(inside.reshape(size[1] or 0, size[0] or 0), 0, 0, size)

    # -- annotations ------------------------------------------------------------------

    def _annotation(self, i: int, one: Mapping[str, Any]) -> None:
        number, key, size = self._on(one.get("slot_names"))
        where, record = f"annotations[{i}]", f"annotation {i + 1}"
        frames = {
            **mapping_of(one.get("frames")), **mapping_of(one.get("sections"))
        }  # fmt: skip
        if "frames" not in one and "sections" not in one:
            spot = Spot(self._path, where, record, key)
            self._put(number, spot, one, one, size, {})
            return
        last: dict[str, Any] = {}
        if not frames:
            spot = Spot(self._path, where, record, key)
            text = f"{record} has no frame with a figure"
            self._reading.reject("annotation without frames", **spot.line(), message=text)
        for at, frame in sorted(frames.items(), key=lambda f: (len(f[0]), f[0])):
            spot = Spot(self._path, f"{where}.frames.{at}", f"{record}, frame {at}", key)
            if not at.isdecimal() or len(at) > 15 or not isinstance(frame, Mapping):
                text = f"{spot.record} is not understood"
                self._reading.reject("frame is not understood", **spot.line(), message=text)
                continue
            shape = {k: frame[k] for k in (*_SHAPES, *_UNREAD) if k in frame}
            last = shape or last
            keyframe = frame.get("keyframe")
            more = {
                "frame": int(at), "track": text_of(one.get("id")),
                "keyframe": keyframe if isinstance(keyframe, bool) else None,
            }  # fmt: skip
            self._put(number, spot, one, {**last, **frame}, size, more)

    def _put(
        self, number: int, spot: Spot, one: Mapping[str, Any], frame: Mapping[str, Any],
        size: tuple[int | None, int | None], more: Row,
    ) -> None:  # fmt: skip
        name = one.get("name")
        label = name.strip() if isinstance(name, str) else None
        if label is None:
            text = f"{spot.record} has no name"
            self._reading.warn("annotation without a name", **spot.line(), message=text)

        def make() -> Row:
            columns = self._columns({**one, **frame}, more.get("frame"))
            shape = self._shape(frame, one.get("id"), label, size, more.get("frame"))
            return {**shape, "label": label, **columns, **more}

        put(self._reading, number, spot, make, size)

    def _columns(self, one: Mapping[str, Any], frame: int | None) -> Row:
        values: dict[str, Any] = {}
        for name in list_of(one.get("attributes")):
            values[str(name)] = True
        for entry in list_of(one.get("properties")):
            if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
                if frame is None or entry.get("frame_index") in (None, "global", frame):
                    gather(values, entry["name"], entry.get("value"))
        ident = one.get("instance_id")
        if isinstance(ident, Mapping) and ident.get("value") is not None:
            values["instance_id"] = ident["value"]
        if isinstance(one.get("directional_vector"), Mapping):
            values["directional_vector"] = one["directional_vector"]
        text = one.get("text")
        inference = mapping_of(one.get("inference"))
        score, model = inference.get("confidence"), mapping_of(inference.get("model"))
        return {
            "attributes": dumps(values) if values else None,
            "text": text_of(text.get("text")) if isinstance(text, Mapping) else None,
            "score": float(score) if is_number(score) else None,
            "layer": text_of(model.get("name")) if inference else None,
            "source_id": text_of(one.get("id")),
            "extra": spare("darwin", one, *_SUBS, *_SHAPES),
        }

    def _shape(
        self, one: Mapping[str, Any], ident: Any, label: str | None,
        size: tuple[int | None, int | None], at: int | None,
    ) -> Row:  # fmt: skip
        kind = next((k for k in _SHAPES if k in one), "")
        if not kind:
            other = next((k for k in _UNREAD if k in one), "annotation without a figure")
            raise Unusable(
                f"{other} can't be read", f"it has {', '.join(sorted(one)) or 'nothing'}"
            )
        given = one[kind]
        if kind == "tag":
            return {"type": "tag"}
        if kind == "mask":
            return self._mask(ident, size, at)
        if not isinstance(given, Mapping):
            raise Unusable("no points", f"{kind} is {given!r:.80}")
        if kind == "skeleton":
            return self._skeleton(given, label)
        if kind == "keypoint":
            return {"type": "points", "points": list(pair(given))}
        if kind == "line":
            return {"type": "polyline", "points": points(given.get("path"), 2, "line")}
        return _FIGURES[kind](given)

    def _skeleton(self, given: Mapping[str, Any], label: str | None) -> Row:
        nodes = {
            str(n.get("name", i)): n
            for i, n in enumerate(list_of(given.get("nodes")))
            if isinstance(n, Mapping)
        }
        if not nodes:
            raise Unusable("no points", "it has no nodes")
        declared = self._reading.labels[label].skeleton if label in self._reading.labels else None
        names = declared.points if declared else tuple(nodes)
        unknown = [n for n in nodes if n not in names]
        if unknown:
            text = f"{unknown[0]!r} is no joint of {label}"
            raise Unusable("joint is not of the class", text)
        flat: list[float] = []
        seen = []
        for name in names:
            node = nodes.get(name)
            flat += pair(node, "joint") if node is not None else (0.0, 0.0)
            seen.append(0 if node is None else 1 if node.get("occluded") else 2)
        if label is not None and not declared:
            self._reading.label(label, skeleton=Skeleton(names))
        return {"type": "skeleton", "points": flat, "visibility": seen}


def _polygon(given: Mapping[str, Any]) -> Row:
    paths = given.get("paths")
    if not isinstance(paths, list):  # Darwin JSON 1.0
        paths = [given.get("path"), *list_of(given.get("additional_paths"))]
    elif paths and isinstance(paths[0], Mapping):
        paths = [paths]
    return polygon(nested_rings([points(path, 3, "polygon") for path in paths]))


def _ellipse(given: Mapping[str, Any]) -> Row:
    (x, y), (a, b) = pair(given.get("center"), "centre"), pair(given.get("radius"), "radius")
    return ellipse(x, y, a, b, math.degrees(number(given.get("angle", 0), "the angle")))


def _box(given: Mapping[str, Any]) -> Row:
    return box(*(given.get(n) for n in "xywh"))


def _cuboid(given: Mapping[str, Any]) -> Row:
    flat: list[float] = []
    for face in ("front", "back"):
        one = _box(mapping_of(given.get(face)))
        x, y, right, bottom = one["x"], one["y"], one["x"] + one["w"], one["y"] + one["h"]
        flat += [x, y, right, y, right, bottom, x, bottom]
    return {"type": "cuboid", "points": flat}


_FIGURES = {"polygon": _polygon, "ellipse": _ellipse, "bounding_box": _box, "cuboid": _cuboid}


def _is_layer(one: Any) -> bool:
    if not isinstance(one, Mapping):
        return False
    frames = mapping_of(one.get("frames")).values()
    return "raster_layer" in one or any("raster_layer" in mapping_of(f) for f in frames)


def _runs(runs: Any, size: tuple[int | None, int | None]) -> Runs:
    # Value, length, value, length ...: row by row over the whole image.
    width, height = size
    if not width or not height:
        raise Unusable("raster layer is not understood", "the size of the image is not known")
    if width * height > MAX_MASK_PIXELS:
        raise Unusable("mask is too large", f"an image of {width:,} x {height:,} pixels")
    try:
        pairs = np.asarray(runs, np.int64).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError):
        raise Unusable("raster layer is not understood", "dense_rle holds no runs") from None
    values, lengths = pairs[:, 0], pairs[:, 1]
    if (lengths < 0).any() or (lengths > width * height).any() or lengths.sum() != width * height:
        text = f"its runs do not make up {width} x {height} pixels"
        raise Unusable("raster layer is not understood", text)
    return values, lengths
