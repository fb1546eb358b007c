"""Dataloop: one JSON file per item, as the platform and dtlpy export it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ..ledger import Ledger
from ..media.kinds import kind_of
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
    Row,
    Unusable,
    bitmap,
    corner_box,
    ellipse,
    is_number,
    mask,
    nested_rings,
    number,
    pair,
    points,
    polygon,
    rotated_box,
)
from .json_values import dumps
from .look import Look
from .media_index import as_path
from .reading import Reading

__all__ = ["Dataloop"]

_CORNERS = tuple(f"{face}_{c}" for face in ("front", "back") for c in ("tl", "tr", "br", "bl"))
_OWN = {"datasetId", "itemId", "annotationsCount", "itemMetadata", "itemUrl", "thumbnail"}
_KNOWN = (
    "id", "_id", "label", "type", "coordinates", "data", "attributes", "metadata", "item", "url",
    "itemUrl", "datasetId", "itemId", "annotation", "hash", "source",
)  # fmt: skip


class Dataloop(Format):
    """Dataloop's JSON: one file per item, with its annotations.

    **Items.** Each file is one item; its key is ``filename``, the path in Dataloop.

    **Geometry** is in pixels as it is. A box may have an angle (degrees, about its centre); the
    rings of a segment are holes where they lie within another; binary masks are PNGs within the
    file; a pose becomes a skeleton of the points that name it as their parent.

    **Videos** are one item: an annotation is a row at its first frame and at each snapshot
    (``snapshots_``), with ``frame``, and ``track`` from its ``objectId``.

    **Records** are items, annotations, and snapshots. ``metadata.user.model`` is the layer and
    the score. Notes and figures in space are rejected.
    """

    name: ClassVar[str] = "dataloop"
    title: ClassVar[str] = "Dataloop"
    summary: ClassVar[str] = "One JSON file per item, as Dataloop exports it."
    rules: ClassVar[str] = "https://sdk-docs.dataloop.ai/en/latest/tutorials/annotations_image"
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
        "time_span",
    )
    writes: ClassVar[bool] = False

    def requires(self, look: Look) -> float:
        """Recognise files of an item with a filename, annotations, and the platform's metadata."""
        for path, head in heads(look, ".json"):
            keys = head.json_keys
            if head.json_start != "{" or not {"annotations", "filename"} <= keys:
                continue
            if keys & {"images", "categories", "shapes"}:
                continue
            shapes = {"label", "coordinates"} <= keys and "type" in keys
            if keys & _OWN or (shapes and "system" in keys):
                look.found(f"{path} is an item of Dataloop with its annotations")
                return 0.95 if shapes or len(keys & _OWN) > 1 else 0.6
        look.need(False, "no JSON file with a filename, annotations and their coordinates")
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
            if not isinstance(value, Mapping) or not isinstance(value.get("annotations"), list):
                text = f"{path} has no list of annotations"
                ledger.note("not an annotation", file=path, message=text)
                continue
            _File(reading, path, value).read()
            yield from reading.batches()
            if reading.is_full:
                break
        add_unannotated(reading)
        yield from reading.rest()


class _File:
    """One file: an item and its annotations."""

    def __init__(self, reading: Reading, path: str, value: Mapping[str, Any]) -> None:
        self._reading, self._path, self._value = reading, path, value
        system = mapping_of(
            mapping_of(value.get("metadata") or value.get("itemMetadata")).get("system")
        )
        self._system = system
        self._size = whole(system.get("width"), 1), whole(system.get("height"), 1)
        self._joints: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}

    def read(self) -> None:
        """Read the item and its annotations."""
        reading, value = self._reading, self._value
        name = text_of(value.get("filename")) or text_of(value.get("name")) or ""
        name = as_path(name).strip("/") or f"{own_folder(self._path)}/{self._stem()}".strip("/")
        media = text_of(self._system.get("mimetype")) or ""
        kind = media.partition("/")[0]
        url = value.get("url") or value.get("itemUrl")
        tell_twice(reading, name, self._path)
        number_ = reading.image_item(
            name, file=self._path, kind=kind if kind in ("image", "video", "audio", "text")
            else "video" if kind_of(name) == "video" else "image",
            width=self._size[0], height=self._size[1], frames=whole(self._system.get("nb_frames")),
            uri=url if is_http(url) else None,
            source_id=text_of(value.get("id") or value.get("_id") or value.get("itemId")),
            meta=spare("dataloop", {"metadata": value.get("metadata")}),
        )  # fmt: skip
        key = reading.key(number_)
        annotations = value["annotations"]
        for one in annotations:
            parent = _system(one).get("parentId") if isinstance(one, Mapping) else None
            if parent is not None and one.get("type") == "point":
                label = text_of(one.get("label")) or ""
                self._joints.setdefault(str(parent), []).append((label, one))
        poses = {
            str(_id(a)) for a in annotations if isinstance(a, Mapping) and a.get("type") == "pose"
        }
        for i, one in enumerate(annotations):
            spot = Spot(self._path, f"annotations[{i}]", f"annotation {i + 1}", key)
            if not isinstance(one, Mapping):
                text = f"{spot.record} is no object"
                reading.reject("annotation is not an object", **spot.line(), message=text)
            elif one.get("type") == "point" and str(_system(one).get("parentId")) in poses:
                reading.ledger.read()  # it is part of a pose
                reading.ledger.joined()
            else:
                self._annotation(number_, spot, one)

    def _stem(self) -> str:
        return self._path.rpartition("/")[2].removesuffix(".json")

    def _annotation(self, number_: int, spot: Spot, one: Mapping[str, Any]) -> None:
        system = _system(one)
        snapshots = [s for s in list_of(system.get("snapshots_")) if isinstance(s, Mapping)]
        first = whole(system.get("frame"))
        more: Row = {}
        is_video = bool(snapshots or (first is not None and system.get("endFrame")))
        if is_video:
            track = text_of(system.get("objectId")) or text_of(_id(one))
            more = {"frame": first or 0, "track": track, "keyframe": True}
        self._put(number_, spot, one, more)
        for k, shot in enumerate(snapshots):
            here = Spot(
                spot.file, f"{spot.where}.snapshots_[{k}]", f"{spot.record}, snapshot {k + 1}",
                spot.item,
            )  # fmt: skip
            at = whole(shot.get("frame"))
            if at is None:
                text = f"{here.record}: frame is {shot.get('frame')!r}"
                self._reading.reject("snapshot without a frame", **here.line(), message=text)
                continue
            if at == more["frame"]:
                self._reading.ledger.read()  # the first snapshot repeats the annotation itself
                self._reading.ledger.joined()
                continue
            changed = {
                k: v for k, v in shot.items() if k in ("label", "attributes", "data", "type")
            }
            both = {**one, **changed}
            if "data" in shot:
                both.pop("coordinates", None)
            self._put(number_, here, both, {**more, "frame": at})

    def _put(self, number_: int, spot: Spot, one: Mapping[str, Any], more: Row) -> None:
        label = text_of(one.get("label"))

        def make() -> Row:
            made = self._figure(one, label)
            if made["type"] == "text":
                return {**made, **self._columns(one), **more}
            return {**made, "label": label, **self._columns(one), **more}

        if label is None and one.get("type") != "item_description":
            text = f"{spot.record} has no label"
            self._reading.warn("annotation without a label", **spot.line(), message=text)
        put(self._reading, number_, spot, make, self._size)

    def _columns(self, one: Mapping[str, Any]) -> Row:
        values: dict[str, Any] = {}
        for name in list_of(one.get("attributes")):
            values[str(name)] = True
        system, user = _system(one), mapping_of(mapping_of(one.get("metadata")).get("user"))
        for given in (one.get("attributes"), system.get("attributes")):
            for name, value in mapping_of(given).items():
                gather(values, str(name), value)
        model = mapping_of(user.get("model"))
        score = model.get("confidence", user.get("confidence"))
        kept = {k: v for k, v in one.items() if k not in _KNOWN}
        end = {k: system[k] for k in ("endFrame", "startTime", "endTime") if system.get(k)}
        return {
            "attributes": dumps(values) if values else None,
            "score": float(score) if is_number(score) else None,
            "layer": text_of(model.get("name")),
            "source_id": text_of(_id(one)),
            "extra": spare("dataloop", {**kept, **end}),
        }

    def _figure(self, one: Mapping[str, Any], label: str | None) -> Row:
        kind, given = one.get("type"), one.get("coordinates", one.get("data"))
        if kind == "box":
            return _box(given)
        if kind == "segment":
            rings = list_of(given)
            rings = [rings] if rings and isinstance(rings[0], Mapping) else rings
            return polygon(nested_rings([points(ring, 3, "segment") for ring in rings]))
        if kind == "polyline":
            lines = list_of(given)
            if lines and isinstance(lines[0], list):
                if len(lines) > 1:
                    raise Unusable("line of several parts", f"it has {len(lines)} parts")
                lines = lines[0]
            return {"type": "polyline", "points": points(lines, 2, "line")}
        if kind == "point":
            return {"type": "points", "points": list(pair(given))}
        if kind == "binary":
            data = given.get("data") if isinstance(given, Mapping) else given
            return mask(bitmap(data) != 0, 0, 0, self._size)
        if kind == "class":
            return {"type": "tag"}
        named = mapping_of(given)
        if kind == "ellipse":
            x, y = pair(named.get("center"), "centre")
            angle = number(named.get("angle") or 0, "the angle")
            return ellipse(x, y, named.get("rx"), named.get("ry"), angle)
        if kind == "cube":
            return {"type": "cuboid", "points": [v for n in _CORNERS for v in pair(named.get(n))]}
        if kind == "pose":
            return self._pose(one, label)
        if kind == "subtitle":
            return _subtitle(named, _system(one))
        if kind in ("item_description", "text_mark"):
            text = named.get("description", named.get("text"))
            if kind == "item_description" and isinstance(text, str):
                return {"type": "text", "text": text}
        raise Unusable(f"{kind or 'annotation without a type'} can't be read", f"type is {kind!r}")

    def _pose(self, one: Mapping[str, Any], label: str | None) -> Row:
        joints = self._joints.get(str(_id(one)), [])
        if not joints:
            raise Unusable("no points", "no point names this pose as its parent")
        named = dict(joints)
        known = self._reading.labels[label].skeleton if label in self._reading.labels else None
        names = known.points if known else tuple(named)
        unknown = [n for n in named if n not in names]
        if unknown or len(named) < len(joints):
            text = f"{', '.join(unknown) or 'a joint'} comes twice or is no joint of {label}"
            raise Unusable("points differ from the template", text)
        flat: list[float] = []
        for name in names:
            joint = named.get(name)
            given = joint.get("coordinates", joint.get("data")) if joint else (0.0, 0.0)
            flat += pair(given, "joint")
        if known is None and label is not None:
            self._reading.label(label, skeleton=Skeleton(names))
        return {"type": "skeleton", "points": flat, "visibility": [2 * (n in named) for n in names]}


def _system(one: Mapping[str, Any]) -> dict[str, Any]:
    return mapping_of(mapping_of(one.get("metadata")).get("system"))


def _id(one: Mapping[str, Any]) -> Any:
    return one.get("id", one.get("_id"))


def _box(given: Any) -> Row:
    corners = list_of(given)
    flat = [v for c in corners if isinstance(c, Mapping) for v in pair(c, "corner")]
    if len(flat) == 8:
        xs, ys = sorted(set(flat[0::2])), sorted(set(flat[1::2]))
        upright = len(xs) == len(ys) == 2
        return corner_box(xs[0], ys[0], xs[1], ys[1]) if upright else rotated_box(flat)
    if len(flat) != 4:
        raise Unusable("box without two corners", f"it has {len(flat) // 2}")
    angle = corners[2] if len(corners) > 2 and is_number(corners[2]) else 0
    return {**corner_box(*flat), "rotation": float(angle) or None}


def _subtitle(named: Mapping[str, Any], system: Mapping[str, Any]) -> Row:
    start, end = number(system.get("startTime"), "start"), number(system.get("endTime"), "end")
    return {"type": "time_span", "start": start, "end": end, "text": text_of(named.get("text"))}
