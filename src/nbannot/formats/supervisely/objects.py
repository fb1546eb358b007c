"""What an annotation file says of objects: class, tags, geometry, and of the item as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...schema import Skeleton
from ..json_documents import Spot, put, spare, whole
from ..json_shapes import Row, is_number
from ..json_values import dumps
from ..reading import Reading
from .figures import figure_columns, shape_of
from .layout import AnnFile
from .meta import Meta

__all__ = ["ObjectReader", "frame_range", "group_of", "id_of"]

_CONFIDENCE = "confidence"
_GEOMETRY = (
    "geometryType", "shape", "type", "points", "bitmap", "nodes", "faces", "vertices", "parts",
    "angle", "geometry",
)  # fmt: skip
_KNOWN = (
    *_GEOMETRY, "id", "key", "classId", "classTitle", "tags", "description", "instance",
    "objectKey", "objectId",
)  # fmt: skip
_USUAL = (
    ("nnCreated", False), ("nnUpdated", False), ("nonFinalValue", False), ("isFinished", True),
)  # fmt: skip


class ObjectReader:
    """Reads objects and tags with the classes of a project; `nodes` are those of templates."""

    def __init__(self, reading: Reading, meta: Meta, nodes: dict[str, list[str]]) -> None:
        self._reading, self._meta, self._nodes = reading, meta, nodes

    def of_item(self, number: int, key: str, ann: AnnFile, value: Mapping[str, Any]) -> None:
        """Read what is said of the image or video as a whole: tags and a description."""
        reading = self._reading
        for i, tag in enumerate(self.entries(ann, key, value, "tags")):
            spot = Spot(ann.path, f"tags[{i}]", f"tag {i + 1}", key)
            if isinstance(tag, str):
                tag = {"name": tag}
            name = tag.get("name") if isinstance(tag, Mapping) else None
            if not isinstance(name, str) or not isinstance(tag, Mapping):
                reading.reject(
                    "tag without a name", **spot.line(), message=f"{spot.record} of {key}"
                )
                continue
            if self._meta.found and name not in self._meta.tags:
                text = f"the tag {name!r} is not in meta.json"
                reading.warn("tag is not in meta.json", **spot.line(), message=text)
            if name not in reading.labels and name in self._meta.tags:
                reading.labels[name] = self._meta.tag_label(name)
            values: dict[str, Any] = {}
            if tag.get("value") is not None:
                values["value"] = tag["value"]
            frames = frame_range(tag.get("frameRange"))
            if frames:
                values["frames"] = list(frames)
            reading.annotation(
                number, type="tag", label=name, frame=frames[0] if frames else None,
                attributes=dumps(values) if values else None, source_id=id_of(tag.get("id")),
                extra=spare("supervisely", _unknown(tag), "name", "value", "frameRange", "tagId"),
            )  # fmt: skip
        description = value.get("description")
        if isinstance(description, str) and description:
            reading.annotation(number, type="text", text=description)

    def entries(self, ann: AnnFile, key: str, value: Mapping[str, Any], name: str) -> Sequence[Any]:
        """Return a list of the file; what is no list is a rejected record."""
        given = value.get(name)
        if given is None or isinstance(given, list):
            return given or []
        text = f"{key}: {name} is {given!r:.80}"
        self._reading.reject(
            f"{name} is not a list", file=ann.path, where=name, record=name, item=key, message=text
        )
        return []

    def not_an_object(self, spot: Spot) -> None:
        """Reject an entry that is no JSON object."""
        text = f"{spot.record} of {spot.item} is no object"
        self._reading.reject("figure is not an object", **spot.line(), message=text)

    def title(self, entry: Mapping[str, Any], spot: Spot) -> str | None:
        """Return the class of an object, by its title or its id."""
        title: str | None = None
        said = entry.get("classTitle")
        if isinstance(said, str) and said:
            title = said
        else:
            title = self._meta.titles.get(str(entry.get("classId")))
        if title is None:
            text = f"{spot.record} of {spot.item} has no classTitle"
            self._reading.warn("object without a class", **spot.line(), message=text)
        elif self._meta.found and title not in self._meta.classes:
            text = f"{spot.record} of {spot.item}: the class {title!r} is not in meta.json"
            self._reading.warn("class is not in meta.json", **spot.line(), message=text)
        return title

    def tags(self, given: Any, spot: Spot, frame: int | None) -> Row:
        """Return tags as attributes; those of a video's object may be for some frames only."""
        values: Row = {}
        for tag in given if isinstance(given, list) else ():
            if isinstance(tag, str):
                tag = {"name": tag}
            name = tag.get("name") if isinstance(tag, Mapping) else None
            if not isinstance(tag, Mapping) or not isinstance(name, str):
                text = f"{spot.record} of {spot.item}: a tag is {tag!r:.80}"
                self._reading.warn("tag without a name", **spot.line(), message=text)
                continue
            frames = frame_range(tag.get("frameRange"))
            if frames and frame is not None and not frames[0] <= frame <= frames[1]:
                continue
            value = True if tag.get("value") is None else tag["value"]
            if name in values:
                before = values[name]
                value = [*(before if isinstance(before, list) else [before]), value]
            values[name] = value
        return values

    def columns(self, entry: Mapping[str, Any], tags: Row) -> Row:
        """Return the columns beside geometry; `tags` that stand for a column are taken out."""
        said = tags.get(_CONFIDENCE)
        score = float(said) if is_number(said) else None
        if score is not None and 0 <= score <= 1:
            tags.pop(_CONFIDENCE)
        else:
            score = None
        occluded = tags.get("occluded") is True
        if occluded:
            tags.pop("occluded")
        text = entry.get("description")
        return {
            "score": score,
            "occluded": True if occluded else None,
            "attributes": dumps(tags) if tags else None,
            "text": text if isinstance(text, str) and text else None,
            "source_id": id_of(entry.get("id", entry.get("key"))),
        }

    def put(
        self, number: int, spot: Spot, figure: Mapping[str, Any], title: str | None,
        columns: Row, size: tuple[int | None, int | None],
    ) -> None:  # fmt: skip
        """Add a figure as an annotation of class `title`."""
        shape, grey = shape_of(figure, self._meta.shape(title or "")), False

        def make() -> Row:
            nonlocal grey
            made = figure_columns(figure, shape, self._nodes.get(title or "", ()), size)
            grey = made.pop("grey", False)
            extra = _unknown(figure)
            if figure.get("instance") and figure["instance"] != str(columns.get("group")):
                extra["instance"] = figure["instance"]
            if shape in ("alpha_mask", "cuboid"):
                extra["shape"] = shape
            if shape == "cuboid":
                extra |= {"points": figure["points"], "faces": figure["faces"]}
            more = dumps({"supervisely": extra}) if extra else None
            return {**made, "label": title, **columns, "extra": more}

        if put(self._reading, number, spot, make, size):
            self._tell_shape(spot, figure, shape, title)
            if grey and shape == "alpha_mask":
                text = f"{spot.record} of {spot.item}: every pixel that is not 0 is taken in"
                self._reading.warn("alpha mask read as a mask", **spot.line(), message=text)

    def _tell_shape(
        self, spot: Spot, figure: Mapping[str, Any], shape: str, title: str | None
    ) -> None:
        if shape == "cuboid":
            text = f"{spot.record} of {spot.item}: the eighth corner is computed from the others"
            self._reading.warn("hidden corner of a cuboid", **spot.line(), message=text)
        if shape == "graph" and title not in self._nodes:
            keys = [str(k) for k in figure.get("nodes", ())]
            self._nodes[title or ""] = keys
            if title is not None:
                self._reading.label(title, skeleton=Skeleton(tuple(keys)))


def id_of(value: Any) -> str | None:
    """Return an id as text."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    return str(value) if value != "" else None


def _unknown(entry: Mapping[str, Any]) -> dict[str, Any]:
    # What a figure or a tag says that is not read, and not what it says of most.
    return {
        k: v
        for k, v in entry.items()
        if k not in _KNOWN
        and v not in (None, "")
        and not (isinstance(v, bool) and (k, v) in _USUAL)
    }


def group_of(value: Any, groups: dict[str, int]) -> int | None:
    """Return the number of a group, by the text that its members share."""
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value == "":
        return None
    text = str(value)
    if text not in groups:
        own = int(text) if text.isdecimal() and len(text) < 19 else None
        taken = set(groups.values())
        groups[text] = own if own is not None and own not in taken else max(taken, default=0) + 1
    return groups[text]


def frame_range(value: Any) -> tuple[int, int] | None:
    """Return the first and the last frame of a tag."""
    if isinstance(value, list) and len(value) == 2:
        first, last = whole(value[0]), whole(value[1])
        if first is not None and last is not None:
            return first, last
    return None
