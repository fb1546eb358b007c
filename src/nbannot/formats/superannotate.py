"""SuperAnnotate: one JSON file per image or video, and a PNG beside it in pixel projects."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import NbannotError
from ..ledger import Ledger
from ..media.images import FORMATS, probe_image
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
    own_folder,
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
    corner_box,
    ellipse,
    is_number,
    mask,
    number,
    pair,
    polygon,
    rotated_box,
)
from .json_values import dumps
from .look import Look
from .media_index import as_path
from .reading import Reading

__all__ = ["SuperAnnotate"]

_NAME = re.compile(r"(___(objects|pixel|vector))?\.json$")
_PROOF = {"className", "pointLabels", "isPredicted", "lastAction", "annotatorEmail", "is_Predicted"}
_KNOWN = (
    "type", "className", "classId", "points", "attributes", "groupId", "trackingId", "probability",
    "cx", "cy", "rx", "ry", "angle", "x", "y", "exclude", "parts", "connections", "error", "locked",
    "visible", "id", "meta", "parameters",
)  # fmt: skip
_MICRO = 1e6


class SuperAnnotate(Format):
    """SuperAnnotate's export: vector and pixel projects of images, and videos; v1 and later.

    **Items.** Each file is one item, named by ``metadata.name``, or by the file's own name
    without ``___objects.json``; the folder of the file belongs to the key. A video is one item:
    each timestamp of an instance is a row with ``start`` in seconds and ``track``; an event is a
    span of time.

    **Geometry** is in pixels as it is; ``exclude`` are holes, a template is a skeleton with the
    joints of the first figure of its class, a cuboid is drawn by the corners of two faces. Masks of
    pixel projects come from ``<name>___save.png``, by the colours of an instance's parts.

    A class whose figures have several templates keeps the first; others are points, and warned of.

    **Attributes** are values by the name of their group, tags of an image are annotations,
    ``probability`` below 100 is the score.

    **Records** are items, instances (timestamps in a video), and tags. Comments are kept in the
    item's meta.
    """

    name: ClassVar[str] = "superannotate"
    title: ClassVar[str] = "SuperAnnotate"
    summary: ClassVar[str] = "One JSON file of instances per image, as SuperAnnotate exports it."
    rules: ClassVar[str] = "https://doc.superannotate.com/docs/superannotate-json-format"
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
        "text_span",
        "time_span",
    )
    writes: ClassVar[bool] = False

    def requires(self, look: Look) -> float:
        """Recognise files with metadata and instances, or lists of instances of v1."""
        best = 0.0
        for path, head in heads(look, ".json"):
            keys = head.json_keys
            named = _NAME.search(path)
            marked = bool(named and named[1])
            if head.json_start == "{" and {"metadata", "instances"} <= keys:
                best = 0.95 if keys & _PROOF or marked else 0.6
            elif head.json_start == "[" and {"className", "probability"} <= keys:
                best = 0.95 if "pointLabels" in keys or "parts" in keys or marked else 0.6
            elif head.json_start == "[" and marked:
                best = 0.6
            if best:
                look.found(f"{path} has instances of SuperAnnotate")
                return best
        look.need(False, "no JSON file with metadata and instances")
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
        paths = paths_of(source, ".json")
        first = [p for p in paths if p.rpartition("/")[2] == "classes.json"]
        for path, value in documents(reading, [*first, *(p for p in paths if p not in first)]):
            if path in first:
                _classes(reading, value)
                continue
            if isinstance(value, list) and all(isinstance(v, Mapping) for v in value):
                value = _version_1(value)
            if not isinstance(value, Mapping) or not isinstance(value.get("instances"), list):
                text = f"{path} has no instances of SuperAnnotate"
                ledger.note("not an annotation", file=path, message=text)
                continue
            _File(reading, path, value).read()
            yield from reading.batches()
            if reading.is_full:
                break
        drawn = ("___save.png", "___fuse.png")
        reading.used_media.update(p for p in source.files if p.endswith(drawn))
        add_unannotated(reading)
        yield from reading.rest()


def _classes(reading: Reading, value: Any) -> None:
    # classes/classes.json declares classes with colours and groups of attributes.
    for entry in list_of(value):
        name = entry.get("name") if isinstance(entry, Mapping) else None
        if isinstance(name, str):
            reading.label(
                name, color=_color(entry.get("color")), source_id=text_of(entry.get("id")),
                attributes=tuple(_groups(entry.get("attribute_groups"))),
            )  # fmt: skip


def _groups(given: Any) -> Iterator[dict[str, Any]]:
    for group in map(mapping_of, list_of(given)):
        if isinstance(group.get("name"), str):
            values = [mapping_of(v).get("name") for v in list_of(group.get("attributes"))]
            yield {"name": group["name"], "values": values}


def _color(value: Any) -> str | None:
    if isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value):
        return value.lower()
    return None


def _version_1(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    # A bare list of instances, comments, and one entry of metadata.
    metadata = next((dict(v) for v in values if v.get("type") == "meta"), {})
    if metadata.get("name") == "imageAttributes":
        del metadata["name"]
    kept = [v for v in values if v.get("type") not in ("meta", "comment")]
    comments = [v for v in values if v.get("type") == "comment"]
    return {"metadata": metadata, "instances": kept, "comments": comments, "tags": []}


class _File:
    """One file of instances."""

    def __init__(self, reading: Reading, path: str, value: Mapping[str, Any]) -> None:
        self._reading, self._path, self._value = reading, path, value
        self._metadata = mapping_of(value.get("metadata"))
        base = _NAME.sub("", path.rpartition("/")[2])
        self._name = as_path(text_of(self._metadata.get("name")) or base)
        self._stem = base
        self._size = whole(self._metadata.get("width"), 1), whole(self._metadata.get("height"), 1)
        self._pixels: NDArray[Any] | None = None

    def read(self) -> None:
        """Read the item, its tags and its instances."""
        reading, value = self._reading, self._value
        folder = own_folder(self._path)
        instances = value["instances"]
        duration = self._metadata.get("duration")
        video = is_number(duration) or any("parameters" in mapping_of(v) for v in instances)
        is_text = "freeText" in value or any(
            mapping_of(v).get("type") == "entity" for v in instances
        )
        url = self._metadata.get("url")
        key = f"{folder}/{self._name}" if folder else self._name
        tell_twice(reading, key, self._path)
        number = reading.image_item(
            self._name, key=key, file=self._path,
            near=[p for p in (folder, self._path.rpartition("/")[0]) if p],
            kind="video" if video else "text" if is_text else "image",
            width=self._size[0], height=self._size[1],
            uri=url if is_http(url) else None,
            duration=duration / _MICRO if video and is_number(duration) else None,
            meta=spare("superannotate", {
                **self._metadata, "comments": value.get("comments"),
            }, "name", "width", "height", "url", "duration"),
        )  # fmt: skip
        for i, tag in enumerate(list_of(value.get("tags"))):
            spot = Spot(self._path, f"tags[{i}]", f"tag {i + 1}", key)
            name = tag.get("name") if isinstance(tag, Mapping) else tag
            if isinstance(name, str):
                reading.annotation(number, type="tag", label=name)
            else:
                text = f"{spot.record} of {key}: {tag!r:.80}"
                reading.reject("tag without a name", **spot.line(), message=text)
        for i, one in enumerate(instances):
            spot = Spot(self._path, f"instances[{i}]", f"instance {i + 1}", key)
            if not isinstance(one, Mapping):
                text = f"{spot.record} is no object"
                reading.reject("instance is not an object", **spot.line(), message=text)
            elif "parameters" in one and mapping_of(one.get("meta")).get("type") != "comment":
                self._video(number, spot, one, i)
            else:
                self._put(number, spot, {**one, **mapping_of(one.get("meta"))}, one, {})

    # -- instances --------------------------------------------------------------------

    def _put(
        self, number_: int, spot: Spot, one: Mapping[str, Any], shape: Mapping[str, Any], more: Row
    ) -> None:
        label = text_of(one.get("className"))
        if label is None:
            text = f"{spot.record} has no className"
            self._reading.warn("instance without a class", **spot.line(), message=text)
        joints: tuple[str, ...] = ()

        def make() -> Row:
            nonlocal joints
            figure = self._figure(one.get("type"), shape, label)
            joints = figure.pop("joints", ())
            kept = {**one, "joints": list(joints)} if joints else one
            return {**figure, "label": label, **self._columns(kept), **more}

        if put(self._reading, number_, spot, make, self._size) and joints:
            text = f"{spot.record} has other joints than the first {label}: read as points"
            self._reading.warn("template differs from its class's", **spot.line(), message=text)

    def _columns(self, one: Mapping[str, Any]) -> Row:
        values: dict[str, Any] = {}
        for entry in list_of(one.get("attributes")):
            if isinstance(entry, Mapping) and isinstance(entry.get("name"), (str, int, float)):
                group = entry.get("groupName")
                if isinstance(group, str):
                    gather(values, group, entry["name"])
                else:
                    values[str(entry["name"])] = True
        share = one.get("probability")
        score = share / 100 if is_number(share) and 0 <= share < 100 else None
        hidden = {k: one[k] for k, usual in (("visible", True), ("locked", False))
                  if isinstance(one.get(k), bool) and one[k] is not usual}  # fmt: skip
        kept = {k: v for k, v in one.items() if k not in _KNOWN}
        return {
            "attributes": dumps(values) if values else None,
            "group": whole(one.get("groupId"), 1),
            "track": text_of(one.get("trackingId")),
            "score": score,
            "source_id": text_of(one.get("id")),
            "extra": spare("superannotate", {**kept, **hidden}),
        }

    def _figure(self, kind: Any, one: Mapping[str, Any], label: str | None) -> Row:
        given = one.get("points")
        named = mapping_of(given)
        if kind == "bbox":
            return corner_box(*(named.get(n) for n in ("x1", "y1", "x2", "y2")))
        if kind == "rbbox":
            return rotated_box([number(named.get(f"{a}{i}")) for i in (1, 2, 3, 4) for a in "xy"])
        if kind == "polygon":
            holes = [(_flat(ring, 3), True) for ring in list_of(one.get("exclude"))]
            return polygon([(_flat(given, 3), False), *holes])
        if kind == "polyline":
            return {"type": "polyline", "points": _flat(given, 2)}
        if kind == "point":
            return {"type": "points", "points": list(pair(one if "x" in one else given))}
        if kind == "ellipse":
            angle = number(one.get("angle") or 0, "the angle")
            return ellipse(one.get("cx"), one.get("cy"), one.get("rx"), one.get("ry"), angle)
        if kind == "cuboid":
            return _cuboid(named)
        if kind == "template":
            return self._template(one, label)
        if kind == "tag":
            return {"type": "tag"}
        if kind == "entity":
            start, end = number(one.get("start"), "start"), number(one.get("end"), "end")
            return {"type": "text_span", "start": start, "end": end}
        if isinstance(one.get("parts"), list):
            return self._mask(one["parts"])
        raise Unusable(f"{kind or 'instance without a type'} can't be read", f"type is {kind!r}")

    def _template(self, one: Mapping[str, Any], label: str | None) -> Row:
        given = [p for p in list_of(one.get("points")) if isinstance(p, Mapping)]
        if not given:
            raise Unusable("no points", "a template without points")
        names = mapping_of(one.get("pointLabels"))
        ids = [p.get("id", i + 1) for i, p in enumerate(given)]
        joints = tuple(str(names.get(str(i)) or ids[i]) for i in range(len(given)))
        if len(set(joints)) < len(joints):
            joints = tuple(str(i) for i in ids)
        known = self._reading.labels[label].skeleton if label in self._reading.labels else None
        flat = [v for p in given for v in pair(p, "joint")]
        if known is not None and known.points != joints:
            return {"type": "points", "points": flat, "joints": joints}
        if known is None and label is not None:
            place = {ident: i for i, ident in enumerate(map(str, ids))}
            ends = [
                (place.get(str(c.get("from"))), place.get(str(c.get("to"))))
                for c in list_of(one.get("connections"))
                if isinstance(c, Mapping)
            ]
            edges = tuple((a, b) for a, b in ends if a is not None and b is not None)
            self._reading.label(label, skeleton=Skeleton(joints, edges))
        return {"type": "skeleton", "points": flat, "visibility": [2] * len(given)}

    # -- videos -----------------------------------------------------------------------

    def _video(self, number_: int, spot: Spot, one: Mapping[str, Any], rank: int) -> None:
        meta = mapping_of(one.get("meta"))
        instance = {**one, **meta}
        for i, part in enumerate(list_of(one.get("parameters"))):
            part = mapping_of(part)
            if meta.get("type") == "event":
                here = Spot(
                    spot.file, f"{spot.where}.parameters[{i}]", f"{spot.record}, part {i + 1}",
                    spot.item,
                )  # fmt: skip
                self._event(number_, here, instance, part)
                continue
            for k, moment in enumerate(list_of(part.get("timestamps"))):
                here = Spot(
                    spot.file, f"{spot.where}.parameters[{i}].timestamps[{k}]",
                    f"{spot.record}, part {i + 1}, timestamp {k + 1}", spot.item,
                )  # fmt: skip
                moment = mapping_of(moment)
                at = moment.get("timestamp")
                if not is_number(at):
                    text = f"{here.record}: {at!r}"
                    self._reading.reject("timestamp is no number", **here.line(), message=text)
                    continue
                whole_one = {**instance, "attributes": moment.get("attributes")}
                more = {"start": at / _MICRO, "track": str(rank), "keyframe": True}
                self._put(number_, here, whole_one, {**instance, **moment}, more)

    def _event(
        self, number_: int, spot: Spot, one: Mapping[str, Any], part: Mapping[str, Any]
    ) -> None:
        def make() -> Row:
            start, end = number(part.get("start"), "start"), number(part.get("end"), "end")
            found: list[Any] = []
            for moment in list_of(part.get("timestamps")):
                for entry in list_of(mapping_of(moment).get("attributes")):
                    if entry not in found:
                        found.append(entry)
            return {
                "type": "time_span", "label": text_of(one.get("className")),
                **self._columns({**one, "attributes": found}),
                "start": start / _MICRO, "end": end / _MICRO,
            }  # fmt: skip

        put(self._reading, number_, spot, make)

    # -- masks ------------------------------------------------------------------------

    def _mask(self, parts: Sequence[Any]) -> Row:
        colors = [mapping_of(part).get("color") for part in parts]
        wanted = [int(c[1:], 16) for c in map(_color, colors) if c]
        if not wanted:
            raise Unusable("mask without a colour", f"its parts are {parts!r:.80}")
        if self._pixels is None:
            self._pixels = self._saved()
        size = self._size if all(self._size) else self._pixels.shape[::-1]
        return mask(np.isin(self._pixels, wanted), 0, 0, (size[0], size[1]))

    def _saved(self) -> NDArray[Any]:
        folder = self._path.rpartition("/")[0]
        path = f"{folder}/{self._stem}___save.png" if folder else f"{self._stem}___save.png"
        if path not in self._reading.source.files:
            raise Unusable("mask image missing", f"there is no {path}")
        try:
            data = self._reading.source.read(path)
            info = probe_image(data, path)
            if info.width * info.height > MAX_MASK_PIXELS:
                raise Unusable("mask is too large", f"{path}: {info.width:,} x {info.height:,}")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                rgb = np.asarray(image.convert("RGB"), np.uint32)
        except (NbannotError, OSError, SyntaxError) as error:
            raise Unusable("mask can't be decoded", f"{path}: {error}") from None
        packed: NDArray[Any] = rgb @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        return packed


def _flat(values: Any, least: int) -> list[float]:
    if not isinstance(values, list):
        raise Unusable("no points", f"points are {values!r:.80}")
    flat = [number(v) for v in values]
    if len(flat) % 2:
        raise Unusable("odd number of coordinates", f"it has {len(flat)} numbers")
    if len(flat) < 2 * least:
        raise Unusable("too few points", f"it has {len(flat) // 2} points and needs {least}")
    return flat


def _cuboid(named: Mapping[str, Any]) -> Row:
    # f1 and f2 are opposite corners of the front, r1 and r2 of the rear.
    flat: list[float] = []
    for face in "fr":
        (x1, y1), (x2, y2) = pair(named.get(f"{face}1")), pair(named.get(f"{face}2"))
        left, right, top, bottom = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
        flat += [left, top, right, top, right, bottom, left, bottom]
    return {"type": "cuboid", "points": flat}
