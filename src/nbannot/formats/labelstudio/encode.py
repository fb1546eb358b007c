"""Annotation rows as Label Studio's results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ledger import Ledger
from .columns import BatchRows, object_of
from .controls import Controls
from .geometry import Fault, geometry_of, outline_as_mask
from .regions import VALUES

__all__ = ["Encoder"]

Result = dict[str, Any]
Floats = NDArray[np.float64]

_DEFAULT = {
    "box": "rectanglelabels", "polygon": "polygonlabels", "polyline": "vectorlabels",
    "points": "keypointlabels", "skeleton": "keypointlabels", "mask": "brushlabels",
    "ellipse": "ellipselabels", "tag": "choices", "choice": "choices", "taxonomy": "taxonomy",
    "rating": "rating", "number": "number", "datetime": "datetime", "text": "textarea",
    "pairwise": "pairwise", "ranking": "ranker", "text_span": "labels", "time_span": "labels",
    "relation": "relation",
}  # fmt: skip
_FITS = {
    "box": ("rectangle", "rectanglelabels", "ocrlabels", "labels", "videorectangle"),
    "polygon": ("polygon", "polygonlabels", "vector", "vectorlabels", "labels", "ocrlabels"),
    "polyline": ("polygon", "polygonlabels", "vector", "vectorlabels", "labels"),
    "points": ("keypoint", "keypointlabels", "labels"),
    "mask": ("brush", "brushlabels", "magicwand", "bitmask", "bitmasklabels", "labels"),
    "ellipse": ("ellipse", "ellipselabels", "labels", "ocrlabels"),
    "tag": ("choices",), "choice": ("choices",), "taxonomy": ("taxonomy",),
    "rating": ("rating",), "number": ("number",), "datetime": ("datetime",),
    "text": ("textarea", "chatmessage", "reactcode"), "pairwise": ("pairwise",),
    "ranking": ("ranker",), "text_span": ("labels", "hypertextlabels", "paragraphlabels"),
    "time_span": ("labels", "timeserieslabels", "timelinelabels", "videorectangle",
                  "videovector", "videovectorlabels"),
}  # fmt: skip
_MERGED = {"choices": "choices", "taxonomy": "taxonomy", "textarea": "text"}


class Encoder:
    """Makes results of rows, one annotation or prediction at a time."""

    def __init__(self, controls: Controls, ledger: Ledger) -> None:
        self._controls = controls
        self._ledger = ledger
        self._lost: dict[str, int] = {}

    def say_lost(self) -> None:
        """Say once what was written in another way."""
        for what, count in self._lost.items():
            self._ledger.note("no place in Label Studio", message=f"{what}: {count:,}")

    def results(
        self,
        rows: BatchRows,
        mine: Sequence[int],
        item: Mapping[str, Any],
        data: Mapping[str, Any],
        whole: float | None,
    ) -> list[Result]:
        """Return the results of rows `mine`; `whole` is the score of the prediction itself."""
        out: list[Result] = []
        open_lists: dict[tuple[Any, ...], Result] = {}
        tracks: dict[str, Result] = {}
        taken = {rows.get(i, "source_id") for i in mine}
        for i in mine:
            region = rows.get(i, "source_id")
            n = 0
            while region is None:
                n += 1
                free = f"r{len(out) + n}"
                region = None if free in taken else free
            taken.add(region)
            try:
                made = self._row(rows, i, region, item, data, whole)
            except Fault as fault:
                record = f"annotation {rows.rank[i]}"
                self._ledger.reject(
                    fault.reason, file=item["key"], record=record, item=item["key"],
                    message=f"{record} of {item['key']}: {fault}",
                )  # fmt: skip
                continue
            out += [r for r in made if not self._joined(r, rows, i, open_lists, tracks)]
        return out

    def _joined(
        self, result: Result, rows: BatchRows, i: int, lists: dict[tuple[Any, ...], Result],
        tracks: dict[str, Result],
    ) -> bool:  # fmt: skip
        # Rows that are one result: what was chosen for one control, the frames of a track.
        kind = result["type"]
        if kind == "videorectangle" and rows.get(i, "type") == "box":
            name = str(rows.get(i, "track") or result["id"])
            if name in tracks:
                tracks[name]["value"]["sequence"] += result["value"]["sequence"]
                return True
            tracks[name] = result
            return False
        key = _MERGED.get(kind)
        if key is None:
            return False
        extra = rows.own_extra(i)
        nth = extra.get("nth")
        own_id = rows.get(i, "source_id") if extra else None
        about = (
            kind,
            result["from_name"],
            own_id,
            json.dumps(result.get("meta")),
            result.get("score"),
        )
        first = lists.get(about)
        if first is not None and (nth or not extra):
            first["value"][key] += result["value"][key]
            return True
        lists[about] = result
        return False

    def _row(
        self, rows: BatchRows, i: int, region: str, item: Mapping[str, Any],
        data: Mapping[str, Any], whole: float | None,
    ) -> list[Result]:  # fmt: skip
        row_type = rows.get(i, "type")
        extra = rows.own_extra(i)
        if row_type == "relation":
            relation = _relation(rows, i, extra)
            self._controls.relate(v for v in relation.get("labels") or () if isinstance(v, str))
            return [relation]
        kind = extra.get("type")
        if kind not in _FITS.get(row_type, ()):
            kind, extra = _default_kind(row_type, item["kind"]), {}
        if row_type == "polygon" and len(rows.get(i, "rings") or ()) > 1:
            kind, extra = "brushlabels", {}  # its polygons have one outline
        attributes = object_of(rows.get(i, "attributes"))
        labels = _labels(rows.get(i, "label"), attributes)
        labels_part = next((p for p in extra.get("parts", ()) if _has_labels(p)), None)
        if (
            labels
            and kind in ("rectangle", "ellipse", "polygon", "keypoint", "brush", "vector")
            and (labels_part is None)
        ):
            kind, extra = f"{kind}labels", {k: v for k, v in extra.items() if k != "from_name"}
        value = geometry_of(rows, i, kind, extra, data)
        if labels and labels_part is None and kind not in VALUES:
            value[extra.get("labels_key") or (kind if kind.endswith("labels") else "labels")] = (
                labels
            )
        own = self._own(rows, i, row_type, kind, attributes, extra, labels)
        control, to = self._controls.use(
            kind, extra.get("from_name"), extra.get("to_name"),
            labels if labels_part is None else (),
        )  # fmt: skip
        result: Result = {"id": region, "type": kind, "value": value}
        result |= {k: v for k, v in extra.items() if k not in _NOT_KEYS}
        result |= {"from_name": control, "to_name": to}
        if row_type in _PLANE and rows.sized(i):
            result["original_width"] = int(rows.width[i])
            result["original_height"] = int(rows.height[i])
            if not extra:
                result["image_rotation"] = 0
        self._score(result, rows, i, extra, whole)
        if own:
            result["meta"] = {**(result.get("meta") or {}), "nbannot": own}
        if row_type == "points" and len(rows.points[i] or ()) > 1:
            return _points(result, rows.points[i] or [], region)
        if row_type == "skeleton":
            self.lose("skeletons written as key points")
            return _points(result, rows.points[i] or [], region)
        return [result, *self._parts(result, extra, attributes, labels)]

    def _own(
        self, rows: BatchRows, i: int, row_type: str, kind: str, attributes: Mapping[str, Any],
        extra: Mapping[str, Any], labels: Sequence[str],
    ) -> dict[str, Any]:  # fmt: skip
        # What goes into meta.nbannot, from where it is read again.
        in_track = kind == "videorectangle" or "ranges" in extra.get("value", {})
        own = {
            name: rows.get(i, name)
            for name in rows.own
            if rows.get(i, name) is not None
            and not (in_track and name in ("frame", "track", "keyframe"))
            and not (
                name == "text" and (row_type not in _SHAPES_WITH_TEXT or _says_text(kind, extra))
            )
            and not (name == "group" and ("parentID" in extra or rows.is_parent(i)))
        }
        if row_type == "tag":
            own["type"] = "tag"
        said = {p.get("from_name") for p in extra.get("parts", ())} | {"path", "ranking"}
        if len(labels) > 1:
            said.add("labels")
        if kind == "chatmessage":
            said.add("role")
        rest = {k: v for k, v in attributes.items() if k not in said}
        if rest:
            own["attributes"] = rest
        if row_type == "polygon" and kind == "brushlabels":
            own |= outline_as_mask(rows, i)
        return own

    def _score(
        self, result: Result, rows: BatchRows, i: int, extra: Mapping[str, Any], whole: float | None
    ) -> None:
        score = rows.get(i, "score")
        if score is not None and not (extra.get("score_of") and score == whole):
            result["score"] = score

    def _parts(
        self, main: Result, extra: Mapping[str, Any], attributes: Mapping[str, Any],
        labels: Sequence[str],
    ) -> Iterable[Result]:  # fmt: skip
        # The other results of the region: its labels, and what was chosen or written for it.
        for part in extra.get("parts", ()):
            kind, value = part["type"], dict(part["value"])
            if _has_labels(part):
                value[kind if kind.endswith("labels") else "labels"] = list(labels)
            else:
                name = part.get("from_name") or kind
                key = "text" if kind == "textarea" else kind
                given = value.get(key)
                shown = given[0] if isinstance(given, list) and len(given) == 1 else given
                if name in attributes and attributes[name] != shown:
                    new = attributes[name]
                    value[key] = (
                        new if isinstance(new, list) or not isinstance(given, list) else [new]
                    )
            if part.get("shape"):
                value = {k: v for k, v in main["value"].items() if not k.endswith("labels")} | value
            control, to = self._controls.use(
                kind, part.get("from_name"), part.get("to_name", main["to_name"]),
                labels if _has_labels(part) else _chosen(kind, value),
            )  # fmt: skip
            keys = ("original_width", "original_height", "image_rotation")
            yield {
                "id": main["id"], "type": kind, "value": value,
                **{k: v for k, v in part.items() if k not in ("shape", "value", "type")},
                **{k: main[k] for k in keys if k in main},
                "from_name": control, "to_name": to,
            }  # fmt: skip

    def lose(self, what: str) -> None:
        """Count something that Label Studio has no place for."""
        self._lost[what] = self._lost.get(what, 0) + 1


def _says_text(kind: str, extra: Mapping[str, Any]) -> bool:
    # Is the text of a region written as a result of its own, or in its value, as it was read?
    parts = (part.get("value") for part in extra.get("parts", ()))
    values = (v for v in (extra.get("value"), *parts) if isinstance(v, dict))
    return kind == "ocrlabels" or any("text" in v for v in values)


_SHAPES_WITH_TEXT = ("box", "ellipse", "mask", "points", "polygon", "polyline")
_NOT_KEYS = frozenset(
    ("value", "parts", "score_of", "labels_key", "nth", "entry", "type", "original_width",
     "original_height"),
)  # fmt: skip
_PLANE = frozenset(("box", "polygon", "polyline", "points", "skeleton", "mask", "ellipse"))


def _default_kind(row_type: str, item_kind: str) -> str:
    kind = _DEFAULT.get(row_type)
    if kind is None:
        raise Fault(f"{row_type} can't be held", f"Label Studio has no {row_type}")
    if row_type == "time_span" and item_kind == "time_series":
        return "timeserieslabels"
    return kind


def _labels(label: str | None, attributes: Mapping[str, Any]) -> list[str]:
    several = attributes.get("labels")
    if isinstance(several, list) and several and several[0] == label:
        return [str(v) for v in several]
    return [] if label is None else [label]


def _has_labels(part: Mapping[str, Any]) -> bool:
    return part["type"] not in VALUES


def _chosen(kind: str, value: Mapping[str, Any]) -> list[str]:
    found = value.get(kind) if kind == "choices" else None
    return [v for v in found if isinstance(v, str)] if isinstance(found, list) else []


def _relation(rows: BatchRows, i: int, extra: Mapping[str, Any]) -> Result:
    attributes = object_of(rows.get(i, "attributes"))
    result: Result = {
        "type": "relation",
        "from_id": attributes.get("from"),
        "to_id": attributes.get("to"),
    }
    if "direction" in attributes or not extra:
        result["direction"] = attributes.get("direction") or "right"
    labels = _labels(rows.get(i, "label"), attributes)
    if labels or "labels" in attributes:
        result["labels"] = labels or attributes["labels"]
    rest = {k: v for k, v in extra.items() if k not in _NOT_KEYS}
    if rows.get(i, "score") is not None:
        result["score"] = rows.get(i, "score")
    return {**result, **rest}


def _points(result: Result, points: Sequence[Sequence[float]], region: str) -> list[Result]:
    # One result per point; together they are read as one row again.
    ids = [region, *(f"{region}-{n}" for n in range(2, len(points) + 1))]
    meta = result.get("meta") or {}
    together = {**meta, "nbannot": {**meta.get("nbannot", {}), "points": ids}}
    rest = {k: v for k, v in result["value"].items() if k not in ("x", "y")}
    return [
        {**result, "id": own_id, "value": {"x": x, "y": y, **rest}, "meta": together}
        for own_id, (x, y) in zip(ids, points, strict=True)
    ]
