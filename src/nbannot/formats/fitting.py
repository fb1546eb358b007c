"""Making annotations fit what a format holds, and telling the ledger of each change.

A writer says what its format holds; what it can't hold is converted to the nearest that it can,
or left out, by the same rules for every format.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from .. import geometry
from ..ledger import Ledger
from ..media.kinds import suffix
from ..schema import Batch, Label
from .writing import safe_path

__all__ = ["FileNames", "Fitting", "Holds", "Row", "note_spaces"]

Row = dict[str, Any]

_ROUTES: Mapping[str, Sequence[str]] = {
    "box": ("polygon", "mask", "box"),
    "ellipse": ("polygon", "mask", "box"),
    "polygon": ("mask", "polygon", "box"),
    "mask": ("polygon", "box"),
    "skeleton": ("points", "box"),
    "cuboid": ("polygon", "box"),
}
_ELLIPSE_POINTS = 64
_IDENTITY = {"item", "type", "source_id", "label", "keyframe"}
_GEOMETRY = {
    "x", "y", "w", "h", "rotation", "points", "rings", "visibility", "mask", "mask_height",
    "mask_width", "start", "end", "text", "number",
}  # fmt: skip


@dataclass(frozen=True)
class Holds:
    """What a format holds.

    * `types`: type of annotation → its features: ``"rotation"`` (box, ellipse), ``"parts"`` and
      ``"holes"`` (polygon).
    * `columns`: columns of ANNOTATIONS beyond geometry that it holds (``"score"``, ``"track"``).
    * `kinds`: kinds of item.
    * `unlabelled`: can it hold annotations without a label?
    """

    types: Mapping[str, Sequence[str]]
    columns: Sequence[str] = ()
    kinds: Sequence[str] = ("image",)
    unlabelled: bool = False


@dataclass
class Fitting:
    """Turns batches into items and rows that fit; each change is a line of the ledger.

    >>> from nbannot.ledger import Ledger
    >>> from nbannot.schema import Batch
    >>> ledger = Ledger()
    >>> fitting = Fitting("My format", Holds({"box": ()}), ledger)
    >>> batch = Batch.of(
    ...     {"item": [0], "key": ["a.jpg"], "kind": ["image"], "width": [9], "height": [9]},
    ...     {"item": [0], "type": ["ellipse"], "label": ["cat"], "x": [1], "y": [1], "w": [4],
    ...      "h": [2]})
    >>> [(item["key"], rows[0]["type"]) for item, rows in fitting.fit(batch)]
    [('a.jpg', 'box')]
    >>> ledger.groups()
    [('warning', 'ellipse written as box', 1)]
    """

    title: str
    holds: Holds
    ledger: Ledger
    _lost: dict[str, int] = field(default_factory=dict)

    def fit(self, batch: Batch) -> Iterator[tuple[Row, list[Row]]]:
        """Yield each item of a batch with its annotations, changed until they fit.

        A row is a dict of the columns that are not null; an item also has ``"number"``, what a
        `Sink` knows its media by. An annotation has ``"record"``, how the ledger names it.
        """
        mine: dict[int, list[Row]] = {}
        for row in _rows(batch.annotations):
            mine.setdefault(row["item"], []).append(row)
        for item in _rows(batch.items):
            item["number"] = item["item"]
            rows = mine.get(item["item"], [])
            if item["kind"] not in self.holds.kinds:
                self._reject_item(item, rows)
                continue
            fitted: list[Row] = []
            for rank, row in enumerate(rows, 1):
                row["record"] = f"annotation {rank}"
                fitted += self._fit(item, row)
            yield item, fitted

    def reject(self, item: Row, row: Row, reason: str, text: str) -> None:
        """Leave an annotation out, and say so."""
        self._say("reject", item, row, reason, text)

    def warn(self, item: Row, row: Row, reason: str, text: str) -> None:
        """Say that an annotation is written, but changed."""
        self._say("warn", item, row, reason, text)

    def close(self) -> None:
        """Note what other formats' readers had kept that is not written; call it at the end."""
        for what, count in sorted(self._lost.items()):
            self.ledger.note(f"no place in {self.title}", message=f"{what} of {count:,} records")

    # -- one annotation ---------------------------------------------------------------

    def _fit(self, item: Row, row: Row) -> list[Row]:
        kind = row["type"]
        if row.get("label") is None and not self.holds.unlabelled and kind != "text":
            self.reject(item, row, "annotation without a label", f"{self.title} needs one")
            return []
        if not _is_finite(row):
            self.reject(item, row, "coordinate is not a number", "infinite or not a number")
            return []
        rows = self._shape(item, row)
        if not rows:
            return []
        for name in row:
            if name in _IDENTITY or name in _GEOMETRY or name in ("record", *self.holds.columns):
                continue
            if name == "extra":
                self._lost[name] = self._lost.get(name, 0) + 1
            elif row[name] not in (False, "{}") and (name, row[name]) != ("z_order", 0):
                self.warn(item, row, f"{name} can't be written", f"{name} {row[name]} is lost")
        if row.get("text") is not None and kind not in ("text", "text_span"):
            if "text" not in self.holds.columns:
                self.warn(item, row, "text can't be written", f"text {row['text']!r} is lost")
        return rows

    def _shape(self, item: Row, row: Row) -> list[Row]:
        kind = row["type"]
        types = self.holds.types
        if kind in types and not self._beyond(row):
            return [row]
        if kind in types and kind == "polygon" and "mask" not in types:
            return self._simple_rings(item, row)
        size = (item.get("width"), item.get("height"))
        for target in _ROUTES.get(kind, ()):
            if target not in types or (target == kind and kind != "box"):
                continue
            if target == "mask" and not (size[0] and size[1]):
                continue
            made = _CONVERT[kind, target](row, size)
            if made is None:
                break
            changed = {**{k: v for k, v in row.items() if k not in _GEOMETRY}, **made}
            changed["type"] = target
            what = "rotated box" if kind == target == "box" or row.get("rotation") else kind
            how = "enclosing box" if kind == target == "box" else target
            self.warn(item, row, f"{what} written as {how}", f"{self.title} holds no {what}")
            if target == "polygon" and self._beyond(changed):
                return self._simple_rings(item, changed)
            return [changed]
        self.reject(item, row, f"{kind} can't be written", f"{self.title} holds no {kind}")
        return []

    def _beyond(self, row: Row) -> bool:
        # Does the row need a feature of its type that the format lacks?
        features = self.holds.types[row["type"]]
        if row["type"] in ("box", "ellipse"):
            return bool(row.get("rotation")) and "rotation" not in features
        rings = row.get("rings") or [0]
        if row["type"] != "polygon" or len(rings) == 1:
            return False
        holes = any(n < 0 for n in rings)
        parts = sum(n > 0 for n in rings) > 1
        return (holes and "holes" not in features) or (parts and "parts" not in features)

    def _simple_rings(self, item: Row, row: Row) -> list[Row]:
        # One polygon becomes several, without holes, as far as the format needs it.
        features = self.holds.types["polygon"]
        rings = geometry.split_rings(row["points"], row.get("rings"))
        if any(hole for _, hole in rings) and "holes" not in features:
            self.warn(item, row, "holes filled", f"{self.title} holds no holes")
            rings = [ring for ring in rings if not ring[1]]
        whole = {k: v for k, v in row.items() if k not in ("points", "rings")}
        wholes: list[list[tuple[Any, bool]]] = []
        for ring in rings:
            if ring[1] and wholes:
                wholes[-1].append(ring)  # a hole goes with the ring before it
            else:
                wholes.append([ring])
        if "parts" in features:
            wholes = [rings]
        elif len(wholes) > 1:
            text = f"{len(wholes)} parts become polygons of their own"
            self.warn(item, row, "parts written as polygons of their own", text)
        made = []
        for mine in wholes:
            counts = [-len(xy) if hole else len(xy) for xy, hole in mine]
            points = np.concatenate([xy for xy, _ in mine])
            made.append({**whole, **_polygon(points, counts if len(counts) > 1 else None)})
        return [{k: v for k, v in one.items() if v is not None} for one in made]

    # -- the ledger -------------------------------------------------------------------

    def _say(self, how: str, item: Row, row: Row, reason: str, text: str) -> None:
        key, record = item["key"], row["record"]
        getattr(self.ledger, how)(
            reason, file=key, record=record, item=key, message=f"{record} of {key}: {text}"
        )

    def _reject_item(self, item: Row, rows: Sequence[Row]) -> None:
        key = item["key"]
        for n in range(len(rows) + 1):
            self.ledger.reject(
                f"{item['kind']} can't be written", file=key, item=key,
                record=f"annotation {n}" if n else "item",
                message=f"{self.title} holds {', '.join(self.holds.kinds)} only",
            )  # fmt: skip


def note_spaces(labels: Iterable[Label], ledger: Ledger, title: str) -> None:
    """Note labels with spaces in a format that parts its columns at them, and has no quotes.

    >>> ledger = Ledger()
    >>> note_spaces([Label("big dog"), Label("cat")], ledger, "KITTI")
    >>> ledger.lines("note", "label with a space")[0]["message"]
    "'big dog' is written as it is: nbannot reads it again, other readers of KITTI may not"
    """
    for label in labels:
        if any(c.isspace() for c in label.name):
            text = f"{label.name!r} is written as it is: nbannot reads it again, other readers of "
            ledger.note("label with a space", message=f"{text}{title} may not")


class FileNames:
    """Gives each item a file name of its own, safe to write.

    >>> names = FileNames()
    >>> names.of({"key": "a/1.jpg"}), names.of({"key": "a/1.jpg"})
    ('a/1.jpg', 'a/1-2.jpg')
    """

    def __init__(self, *, stems: bool = False) -> None:
        """`stems`: files are told apart without their suffix (a.jpg and a.png are one name)."""
        self._stems = stems
        self._taken: set[str] = set()

    def of(self, item: Row, folder: str = "") -> str:
        """Return the path under `folder` of an item's media: its key, with a suffix, unique.

        Raises:
            UnsafeSourceError: the key leads out of the folder.
        """
        name = safe_path(item["key"])
        if not suffix(name) and item.get("media"):
            name += suffix(item["media"])
        place = f"{folder}/{name}" if folder else name
        end = suffix(place)
        stem = place[: len(place) - len(end)]
        unique, n = stem, 1
        while (unique if self._stems else unique + end) in self._taken:
            n += 1
            unique = f"{stem}-{n}"
        self._taken.add(unique if self._stems else unique + end)
        return unique + end


# -- conversions: a row and (width, height) of its image, to the columns of the new geometry ------

Size = tuple[int | None, int | None]


def _box_of(points: Any) -> Row:
    xy = np.asarray(points, np.float64).reshape(-1, 2)
    low, high = xy.min(axis=0), xy.max(axis=0)
    return dict(zip("xywh", [*low.tolist(), *(high - low).tolist()], strict=True))


def _polygon(points: Any, rings: Sequence[int] | None = None) -> Row:
    flat = np.asarray(points, np.float64).ravel().tolist()
    return {"points": flat, "rings": list(rings) if rings else None, **_box_of(flat)}


def _mask(mask: Any) -> Row | None:
    ys, xs = np.nonzero(mask)
    if not len(xs):
        return None
    box = {"x": float(xs.min()), "y": float(ys.min()), "w": float(np.ptp(xs) + 1),
           "h": float(np.ptp(ys) + 1)}  # fmt: skip
    height, width = mask.shape
    return {
        "mask": geometry.mask_to_rle(mask), "mask_height": height, "mask_width": width, **box
    }  # fmt: skip


def _corners(row: Row) -> Any:
    return geometry.box_corners([[row[n] for n in "xywh"]], [row.get("rotation") or 0.0])[0]


def _outline(row: Row) -> Any:
    angle = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)
    turn = math.radians(row.get("rotation") or 0.0)
    a, b = row["w"] / 2 * np.cos(angle), row["h"] / 2 * np.sin(angle)
    x = row["x"] + row["w"] / 2 + a * math.cos(turn) - b * math.sin(turn)
    y = row["y"] + row["h"] / 2 + a * math.sin(turn) + b * math.cos(turn)
    return np.stack([x, y], axis=1)


def _ellipse_box(row: Row) -> Row:
    turn = math.radians(row.get("rotation") or 0.0)
    a, b = row["w"] / 2, row["h"] / 2
    half_w = math.hypot(a * math.cos(turn), b * math.sin(turn))
    half_h = math.hypot(a * math.sin(turn), b * math.cos(turn))
    x, y = row["x"] + a - half_w, row["y"] + b - half_h
    return {"x": x, "y": y, "w": 2 * half_w, "h": 2 * half_h}


def _painted(points: Any, rings: Sequence[int] | None, size: Size) -> Row | None:
    width, height = size
    assert width
    assert height
    flat = np.asarray(points, np.float64).ravel()
    return _mask(geometry.rings_to_mask(flat, rings, height, width))


def _mask_polygon(row: Row) -> Row | None:
    mask = geometry.rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
    points, rings = geometry.mask_to_rings(mask)
    return _polygon(points, rings) if points else None


def _mask_box(row: Row) -> Row | None:
    if row.get("w") is not None:
        return {n: row[n] for n in "xywh"}
    made = _mask(geometry.rle_to_mask(row["mask"], row["mask_height"], row["mask_width"]))
    return made and {n: made[n] for n in "xywh"}


def _seen(row: Row) -> Any:
    xy = np.asarray(row["points"], np.float64).reshape(-1, 2)
    shown = row.get("visibility")
    return xy if shown is None else xy[np.asarray(shown) > 0]


def _skeleton_box(row: Row) -> Row | None:
    if row.get("w") is not None:
        return {n: row[n] for n in "xywh"}
    return _box_of(_seen(row)) if len(_seen(row)) else None


def _front(row: Row) -> Any:
    return np.asarray(row["points"], np.float64).reshape(-1, 2)[:4]


_CONVERT: Mapping[tuple[str, str], Callable[[Row, Size], Row | None]] = {
    ("box", "polygon"): lambda row, _: _polygon(_corners(row)),
    ("box", "mask"): lambda row, size: _painted(_corners(row), None, size),
    ("box", "box"): lambda row, _: _box_of(_corners(row)),
    ("ellipse", "polygon"): lambda row, _: _polygon(_outline(row)),
    ("ellipse", "mask"): lambda row, size: _painted(_outline(row), None, size),
    ("ellipse", "box"): lambda row, _: _ellipse_box(row),
    ("polygon", "mask"): lambda row, size: _painted(row["points"], row.get("rings"), size),
    ("polygon", "box"): lambda row, _: _box_of(row["points"]),
    ("mask", "polygon"): lambda row, _: _mask_polygon(row),
    ("mask", "box"): lambda row, _: _mask_box(row),
    ("skeleton", "points"): lambda row, _: {"points": _seen(row).ravel().tolist()},
    ("skeleton", "box"): lambda row, _: _skeleton_box(row),
    ("cuboid", "polygon"): lambda row, _: _polygon(_front(row)),
    ("cuboid", "box"): lambda row, _: _box_of(row["points"]),
}


def _is_finite(row: Row) -> bool:
    numbers = [row[n] for n in ("x", "y", "w", "h", "rotation") if n in row]
    return bool(np.isfinite(np.asarray([*numbers, *row.get("points", ())], np.float64)).all())


def _rows(table: pa.Table) -> list[Row]:
    return [{k: v for k, v in row.items() if v is not None} for row in table.to_pylist()]
