"""What nbannot writes into Label Studio's files beside what Label Studio knows, read again.

A task may have a key ``nbannot``, a region one in its ``meta``; Label Studio leaves both alone.
They hold what it has no place for: the item's key and subset, an annotation's drawing order, the
points that belong together, the outline that was written as a mask. Anybody may have written
them, so each is taken only where it is what it should be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import geometry
from .rows import Row
from .shapes import is_number

__all__ = ["NOTHING_OWN", "TaskOwn", "apply_own", "own_of", "points_together", "without_own"]

_TYPES: dict[str, type] = {
    "occluded": bool, "outside": bool, "keyframe": bool, "z_order": int, "group": int,
    "frame": int, "track": str, "text": str,
}  # fmt: skip


class TaskOwn:
    """The ``nbannot`` of a task: what of it is sound."""

    def __init__(self, found: Any) -> None:
        given = found if isinstance(found, Mapping) else {}
        key, kind, size = given.get("key"), given.get("kind"), given.get("size")
        self.subset = _text(given.get("subset"))
        parts = key.replace("\\", "/").split("/") if isinstance(key, str) else [".."]
        self.key = None if ".." in parts or parts[0] == "" else key
        self.kind = kind if kind in ("time_series", "table", "other") else None
        sized = isinstance(size, list) and len(size) == 2 and all(_is_whole(v) for v in size)
        self.size: tuple[int, int] | None = (size[0], size[1]) if sized and size else None
        self._sets, self._layers = given.get("sets"), given.get("layers")

    def sets(self, names: list[str | None]) -> list[str | None]:
        """Return the names of the annotations: those written, where there is one for each."""
        given = self._sets
        if given is None:
            return names
        sound = (
            isinstance(given, list)
            and len(given) == len(names)
            and all(v is None or isinstance(v, str) for v in given)
            and len(set(given)) == len(given)
        )
        return list(given) if sound else names

    def layers(self, names: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
        """Return (layer, set) of the predictions, likewise."""
        given = self._layers
        if not isinstance(given, list) or len(given) != len(names):
            return names
        if not all(
            isinstance(v, list)
            and len(v) == 2
            and isinstance(v[0], str)
            and (v[1] is None or isinstance(v[1], str))
            for v in given
        ):
            return names
        pairs = [(v[0], v[1]) for v in given]
        return pairs if len(set(pairs)) == len(pairs) else names


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


NOTHING_OWN = TaskOwn(None)
"""Of a task that nbannot did not write: most."""


def own_of(result: Any) -> Mapping[str, Any]:
    """Return the ``nbannot`` in a result's meta, {} where there is none."""
    meta = result.get("meta") if isinstance(result, Mapping) else None
    found = meta.get("nbannot") if isinstance(meta, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def without_own(extra: dict[str, Any]) -> dict[str, Any]:
    """Return `extra` without the ``nbannot`` in its meta."""
    meta = extra.get("meta")
    if not isinstance(meta, Mapping) or "nbannot" not in meta:
        return extra
    rest = {k: v for k, v in meta.items() if k != "nbannot"}
    out = {k: v for k, v in extra.items() if k != "meta"}
    return {**out, "meta": rest} if rest else out


def points_together(results: Sequence[Any], good: Sequence[int]) -> list[list[int]]:
    """Return the indices of results that are the points of one row, in the order of the points."""
    by_ids: dict[tuple[Any, ...], dict[Any, int]] = {}
    for i in good:
        ids = own_of(results[i]).get("points")
        if isinstance(ids, list) and all(isinstance(v, str) for v in ids):
            by_ids.setdefault(tuple(ids), {}).setdefault(results[i].get("id"), i)
    out = []
    for ids, found in by_ids.items():
        if len(found) == len(ids) > 1 and all(v in found for v in ids):
            same = {(results[i].get("type"), results[i].get("from_name")) for i in found.values()}
            if len(same) == 1:
                out.append([found[v] for v in ids])
    return out


def apply_own(row: Row, own: Mapping[str, Any]) -> Row:
    """Return `row` with the columns that `own` holds."""
    more = dict(row.more or {})
    for name, kind in _TYPES.items():
        value = own.get(name)
        if isinstance(value, int) and abs(value) >= 2**31:
            continue
        if isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
            more[name] = value
    given = own.get("attributes")
    if isinstance(given, Mapping):
        import json

        more["attributes"] = json.dumps(
            {**json.loads(more.get("attributes") or "{}"), **given},
            ensure_ascii=False, separators=(",", ":"),
        )  # fmt: skip
    if own.get("type") == "tag" and row.type == "choice":
        row = row._replace(type="tag")
    outline = own.get("outline")
    if row.type == "mask" and isinstance(outline, Mapping) and _is_outline(outline, more):
        points = [float(v) for v in outline["points"]]
        x, y, w, h = geometry.bounds(points, [0, len(points)])[0].tolist()
        more |= {"points": points, "rings": outline["rings"], "x": x, "y": y, "w": w, "h": h}
        more |= {"mask": None, "mask_height": None, "mask_width": None}
        row = row._replace(type="polygon")
    return row._replace(more=more or None)


def _is_outline(outline: Mapping[str, Any], more: Mapping[str, Any]) -> bool:
    # Does it still cover what the mask does? Somebody may have painted since.
    points, rings = outline.get("points"), outline.get("rings")
    if not (isinstance(points, list) and isinstance(rings, list) and points and rings):
        return False
    numbers = all(is_number(v) for v in points)
    whole = all(isinstance(v, int) and 0 < abs(v) < 2**31 for v in rings)
    if not (numbers and whole and 2 * sum(map(abs, rings)) == len(points)):
        return False
    height, width = more["mask_height"], more["mask_width"]
    drawn = geometry.rings_to_mask(points, rings, height, width)
    return bool(np.array_equal(drawn, geometry.rle_to_mask(more["mask"], height, width)))
