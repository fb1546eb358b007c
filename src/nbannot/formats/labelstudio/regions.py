"""The results of a Label Studio annotation, read with care: any type, any fault.

Results with one id are one region: its geometry, its labels, and what was chosen, written or
rated for it. They become one row, with the latter as attributes. What no column holds stays in
`extra`, so that the writer can give it back: keys of the result under their own names, keys of
its value under ``value``, further results of the region under ``parts``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...ledger import Ledger
from ..json_values import dumps
from .config import Config
from .items import Item, ItemFinder
from .own import apply_own, own_of, points_together, without_own
from .rows import Place, Row
from .shapes import Fault, Shape, is_number, shape_of
from .spans import span_columns

__all__ = ["SHAPES", "SPANS", "VALUES", "RegionReader"]

SHAPES = frozenset(
    ("rectangle", "rectanglelabels", "ellipse", "ellipselabels", "polygon", "polygonlabels",
     "keypoint", "keypointlabels", "brush", "brushlabels", "magicwand", "bitmask",
     "bitmasklabels", "vector", "vectorlabels", "ocrlabels", "videorectangle", "videovector",
     "videovectorlabels"),
)  # fmt: skip
"""Types of result that have geometry; ``labels`` may have, too."""

SPANS = frozenset(
    ("labels", "hypertextlabels", "paragraphlabels", "timeserieslabels", "timelinelabels")
)
"""Types of result that have a start and an end."""

VALUES = frozenset(
    ("choices", "taxonomy", "textarea", "rating", "number", "datetime", "pairwise", "ranker",
     "chatmessage", "reactcode"),
)  # fmt: skip
"""Types of result that say something of the task, or of the region whose id they bear."""

_OWN = ("value", "id", "score", "original_width", "original_height")
Result = Mapping[str, Any]


class RegionReader:
    """Reads results into rows, and says what became of each."""

    def __init__(self, ledger: Ledger, finder: ItemFinder, config: Config | None) -> None:
        self._ledger = ledger
        self._finder = finder
        self._config = config

    def read(
        self,
        results: Sequence[Any],
        item: Item,
        layer: str | None,
        set_: str | None,
        place: Place,
        score: float | None,
    ) -> list[Row]:
        """Return the rows of one annotation or prediction; `score` is that of the whole."""
        self._ledger.read(len(results))
        self._item, self._place, self._score = item, place, score
        self._layer, self._set = layer, set_
        rows: list[Row] = []
        good = [i for i, result in enumerate(results) if self._is_sound(i, result)]
        groups = _parents(results, good, item)
        points = {group[0]: group[1:] for group in points_together(results, good)}
        others = {i for rest in points.values() for i in rest}
        for main, parts in self._merge(results, [i for i in good if i not in others]):
            result = results[main]
            try:
                found = self._rows(main, result, [results[i] for i in parts])
                if main in points:
                    found = [self._with_points(found[0], [results[i] for i in points[main]])]
            except Fault as fault:
                for i in (main, *parts, *points.get(main, ())):
                    self._say("reject", fault.reason, i, results[i], str(fault))
                continue
            own = own_of(result)
            if own:
                found = [apply_own(row, own) for row in found]
            self._ledger.joined(len(parts) + len(points.get(main, ())))
            self._ledger.split(len(found) - 1)
            group = groups.get(str(result.get("id"))) if groups else None
            if group is not None:
                found = [r._replace(more={**(r.more or {}), "group": group}) for r in found]
            rows += found
        return rows

    def _with_points(self, row: Row, results: Sequence[Result]) -> Row:
        # The points that nbannot wrote as one result each.
        shapes = [shape_of(r["type"], r["value"], (row.width, row.height))[0] for r in results]  # type: ignore[arg-type]
        more = [list(p) for shape in shapes for p in shape.points or ()]
        return row._replace(points=[*(row.points or ()), *more])

    def _say(self, how: str, reason: str, index: int, result: Any, message: str) -> None:
        region = result.get("id") if isinstance(result, Mapping) else None
        line = self._place.line(index, region)
        getattr(self._ledger, how)(reason, message=message, **line)

    def _is_sound(self, index: int, result: Any) -> bool:
        if not isinstance(result, Mapping):
            self._say("reject", "result is not an object", index, result, f"it is {result!r:.80}")
            return False
        kind = result.get("type")
        if kind == "relation":
            return True
        if not isinstance(kind, str) or kind not in SHAPES | SPANS | VALUES:
            reason = f"unknown result type {kind!r:.60}"
            self._say("reject", reason, index, result, f"{reason} is not one that nbannot reads")
            return False
        if not isinstance(result.get("value"), Mapping):
            text = f"its value is {result.get('value')!r:.80}"
            self._say("reject", "result has no value", index, result, text)
            return False
        for name in ("from_name", "to_name"):
            if not isinstance(result.get(name), (str, type(None))):
                text = f"its {name} is {result[name]!r:.60}"
                self._say("reject", f"{name} is not a name", index, result, text)
                return False
        control = result.get("from_name")
        if self._config is not None and not (
            isinstance(control, str) and (kind == "chatmessage" or self._config.knows(control))
        ):
            text = (
                f"its from_name {control!r} is not a control of {self._config.file}: "
                "Label Studio would not show it"
            )
            self._say("warn", "control is not in the configuration", index, result, text)
        return True

    def _merge(self, results: Sequence[Any], good: Sequence[int]) -> list[tuple[int, list[int]]]:
        # (index of the result that has the geometry, indices of the others of its region)
        by_id: dict[str, list[int]] = {}
        for i in good:
            region = results[i].get("id")
            if results[i].get("type") != "relation" and region not in (None, ""):
                by_id.setdefault(str(region), []).append(i)
        parts_of: dict[int, list[int]] = {i: [] for i in good}
        for indices in by_id.values():
            if len(indices) > 1:
                self._join(results, indices, parts_of)
        return sorted(parts_of.items())

    def _join(
        self, results: Sequence[Any], indices: list[int], parts_of: dict[int, list[int]]
    ) -> None:
        shaped = [i for i in indices if results[i]["type"] not in VALUES]
        if not shaped:
            return
        # The pure shape first: its labels come as a part of it.
        shaped.sort(key=lambda i: results[i]["type"] == "labels")
        main, first = shaped[0], _geometry(results[shaped[0]])
        for i in shaped[1:]:
            other = results[i]
            same = _geometry(other) in (first, {})
            if same and other["type"] != results[main]["type"]:
                parts_of[main].append(i)
                del parts_of[i]
            else:
                text = f"another region of the annotation has the id {other.get('id')!r}, too"
                self._say("warn", "two regions have one id", i, other, text)
        for i in indices:
            if results[i]["type"] in VALUES:
                parts_of[main].append(i)
                del parts_of[i]

    # -- one region -------------------------------------------------------------------

    def _rows(self, index: int, result: Result, parts: Sequence[Result]) -> list[Row]:
        if result.get("type") == "relation":
            return [self._relation(index, result)]
        if result["type"] in VALUES:
            from .values import value_rows

            return value_rows(self._row(index, result), result)
        label_key, labels, rest = _labels(result, parts)
        shape, leftover = self._shape(index, result)
        leftover = {k: v for k, v in leftover.items() if k != label_key or not labels}
        extra = {k: v for k, v in result.items() if k not in _OWN}
        attributes = _attributes(rest)
        if len(labels) > 1:
            attributes["labels"] = labels
            text = f"its label is the first, {labels[0]!r}; all {len(labels)} are in its attributes"
            self._say("warn", "region has several labels", index, result, text)
        if label_key and label_key != result["type"]:
            extra["labels_key"] = label_key
        if leftover:
            extra["value"] = leftover
        if parts:
            extra["parts"] = [_part(p, result, labels) for p in parts]
        width, height = shape.size or (None, None)
        if shape.size and (width, height) != (self._item.width, self._item.height):
            extra |= {k: result[k] for k in ("original_width", "original_height") if k in result}
        more = dict(shape.more)
        if attributes:
            more["attributes"] = dumps(attributes)
        row = self._row(index, result, extra)._replace(
            type=shape.type, label=labels[0] if labels else None,
            x=shape.x, y=shape.y, w=shape.w, h=shape.h, rotation=shape.rotation,
            width=width, height=height, points=shape.points, more=more or None,
        )  # fmt: skip
        if not shape.frames:
            return [row]
        return _track(row, shape.frames, extra)

    def _shape(self, index: int, result: Result) -> tuple[Shape, dict[str, Any]]:
        kind, value = result["type"], result["value"]
        is_span = kind in SPANS and (kind != "labels" or not _geometry(result, spans=False))
        if is_span:
            type_, columns, problem = span_columns(
                kind, value, self._item.data, result.get("to_name"),
                self._item.media_key, self._item.kind,
            )  # fmt: skip
            if problem:
                self._say("warn", "span is suspect", index, result, problem)
            leftover = {k: v for k, v in value.items() if k != "text" or "text" not in columns}
            if all(columns.get(k) == value.get(k) for k in ("start", "end")):
                leftover = {k: v for k, v in leftover.items() if k not in ("start", "end")}
            elif "start" in columns:
                # The numbers as written hold as long as the columns are as read.
                leftover["read_as"] = [columns["start"], columns["end"]]
            return Shape(type_, more=columns), leftover
        size = self._size(index, result)
        shape, leftover, problems = shape_of(kind, value, size)
        for reason, text in problems:
            self._say("warn", reason, index, result, text)
        if result.get("image_rotation"):
            text = f"it was drawn on the image turned by {result['image_rotation']} degrees"
            self._say("warn", "image was turned while labelling", index, result, text)
        return shape, leftover

    def _size(self, index: int, result: Result) -> tuple[float, float] | None:
        size = result.get("original_width"), result.get("original_height")
        item = self._item
        if not all(is_number(v) and 1 <= v < 2**31 for v in size):
            return self._finder.size_of(item)
        width, height = float(size[0]), float(size[1])  # type: ignore[arg-type]
        if item.width is None:
            item.width, item.height = int(width), int(height)
        elif (item.width, item.height) != (width, height) or result.get("item_index"):
            text = (
                f"it is on an image of {width:.0f}x{height:.0f}, "
                f"the task's first has {item.width}x{item.height}"
            )
            self._say("warn", "region is on another image of its task", index, result, text)
        return width, height

    def _relation(self, index: int, result: Result) -> Row:
        extra = {
            k: v for k, v in result.items() if k not in ("from_id", "to_id", "direction", "labels")
        }
        labels = [v for v in result.get("labels") or () if isinstance(v, str)]
        attributes: dict[str, Any] = {"from": result.get("from_id"), "to": result.get("to_id")}
        if "direction" in result:
            attributes["direction"] = result["direction"]
        if len(labels) > 1 or ("labels" in result and not labels):
            attributes["labels"] = result["labels"]
        if attributes["from"] is None or attributes["to"] is None:
            raise Fault("relation has no ends", "it names no from_id or no to_id")
        row = self._row(index, {"score": result.get("score")}, extra)
        return row._replace(
            type="relation", label=labels[0] if labels else None,
            more={"attributes": dumps(attributes)},
        )  # fmt: skip

    def _row(self, index: int, result: Result, extra: dict[str, Any] | None = None) -> Row:
        if extra is None:
            extra = {k: v for k, v in result.items() if k not in _OWN}
        score = result.get("score")
        if not is_number(score):
            if score is not None:
                extra["score"] = score
            score = None
            if self._score is not None:
                score, extra["score_of"] = self._score, "prediction"
        elif not 0 <= score <= 1:
            self._say("warn", "score is not from 0 to 1", index, result, f"it is {score}")
        region = result.get("id")
        return Row(
            self._item.number, self._layer, self._set, "", None,
            None if region in (None, "") else str(region),
            None if score is None else float(score),
            dumps(dict(sorted(without_own(extra).items()))), self._place, index,
        )  # fmt: skip


# -- what a region is made of ---------------------------------------------------------

_GEOMETRY = (
    "x", "y", "width", "height", "rotation", "radiusX", "radiusY", "points", "format", "rle",
    "imageDataURL", "vertices", "sequence", "ranges",
)  # fmt: skip
_SPAN = ("start", "end", "startOffset", "endOffset", "globalOffsets", "text", "channel")


def _geometry(result: Result, *, spans: bool = True) -> dict[str, Any]:
    keys = (*_GEOMETRY, *_SPAN) if spans else _GEOMETRY
    value = result["value"]
    return {k: value[k] for k in keys if k in value and not (k == "text" and _is_text(result))}


def _is_text(result: Result) -> bool:
    return bool(result["type"] == "textarea")


def _labels(result: Result, parts: Sequence[Result]) -> tuple[str, list[str], list[Result]]:
    # (key of the labels in the result's own value, the labels, parts that are not labels)
    rest = [p for p in parts if p["type"] in VALUES]
    for part in (result, *(p for p in parts if p["type"] not in VALUES)):
        value = part["value"]
        names = [part["type"], "labels", *(k for k in value if k.endswith("labels"))]
        for key in names:
            found = value.get(key)
            if isinstance(found, str):
                found = [found]
            if isinstance(found, list) and found and all(isinstance(v, str) for v in found):
                return (key if part is result else ""), found, rest
    return "", [], rest


def _attributes(parts: Sequence[Result]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for part in parts:
        value = part["value"].get("text" if part["type"] == "textarea" else part["type"])
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        out[str(part.get("from_name") or part["type"])] = value
    return out


def _part(part: Result, main: Result, labels: Sequence[str]) -> dict[str, Any]:
    # What the writer needs beside the region itself.
    same = _geometry(main)
    value = {
        k: v
        for k, v in part["value"].items()
        if not (k in same and same[k] == v) and (part["type"] in VALUES or v != list(labels))
    }
    shared = ("id", "original_width", "original_height", "image_rotation", "to_name", "value")
    own = {
        k: v for k, v in part.items() if k not in shared or (k == "to_name" and v != main.get(k))
    }
    out = {**own, "value": value}
    if any(k in part["value"] for k in same):
        out["shape"] = True
    return dict(sorted(out.items()))


def _parents(results: Sequence[Any], good: Sequence[int], item: Item) -> dict[str, int]:
    # Regions that belong together by parentID: id -> number of the group.
    above = {
        str(results[i].get("id")): str(results[i]["parentID"])
        for i in good
        if results[i].get("parentID")
    }
    if not above:
        return {}
    known = {str(results[i].get("id")) for i in good}
    groups: dict[str, int] = {}
    numbers: dict[str, int] = {}
    for region in above:
        top, seen = region, {region}
        while above.get(top) in known and above[top] not in seen:
            top = above[top]
            seen.add(top)
        if top == region:
            continue
        if top not in numbers:
            item.groups += 1
            numbers[top] = item.groups
        groups[region] = groups[top] = numbers[top]
    return groups


def _track(row: Row, frames: Sequence[dict[str, Any]], extra: dict[str, Any]) -> list[Row]:
    # One row per keyframe of a video's rectangle; the first holds what belongs to all.
    track = row.source_id or f"{row.place.name}, result {row.nth + 1}"
    out = []
    for i, frame in enumerate(frames):
        own = {k: v for k, v in extra.items() if i == 0 or k in ("from_name", "to_name", "type")}
        own["entry"] = frame["entry"]
        more = {**(row.more or {}), "frame": frame["frame"], "track": track, "keyframe": True}
        out.append(
            row._replace(
                x=frame["x"], y=frame["y"], w=frame["w"], h=frame["h"],
                rotation=frame["rotation"], extra=dumps(dict(sorted(own.items()))), more=more,
            )
        )  # fmt: skip
    return out
