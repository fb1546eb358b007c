"""Datasets that Hypothesis makes up: what the conformance suite writes and reads beside its own.

For Hypothesis, which nbannot itself does not need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..geometry import mask_to_rle
from ..schema import Label, Skeleton
from .examples import Example, Row

__all__ = ["datasets"]

_LABELS = (
    Label("cat", source_id="7"),
    Label("big dog", source_id="2"),
    Label("größe ✓", source_id="90"),
)
_POSE = Label("pose", skeleton=Skeleton(("nose", "left", "right"), ((0, 1), (0, 2))), source_id="3")
_NAMES = ("1.jpg", "a/1.jpg", "b/1.jpg", "a b.png", "ordner/größe ✓.jpg", "x.y.z.jpg", "0007.jpg")
_SIZES = ((64, 48), (31, 77), (200, 100))

# No halves: where two readers round differently, that is not what is looked for.
_PARTS = (0.0, 0.125, 0.25, 0.7)


def datasets(holds: Sequence[str]) -> st.SearchStrategy[Example]:
    """Return a strategy for datasets of one or two subsets with annotations of types in `holds`."""
    shapes = [kind for kind in holds if kind in _SHAPES]
    return st.builds(_dataset, st.lists(_items(shapes), min_size=1, max_size=2))


def _items(shapes: Sequence[str]) -> st.SearchStrategy[list[tuple[str, Any]]]:
    size = st.sampled_from(_SIZES)
    item = size.flatmap(
        lambda s: st.tuples(st.just(s), st.lists(_annotation(shapes, s), max_size=5))
    )
    named = st.tuples(st.sampled_from(_NAMES), item)
    return st.lists(named, min_size=1, max_size=4, unique_by=lambda i: i[0])


def _dataset(subsets: Sequence[Sequence[tuple[str, Any]]]) -> Example:
    items: dict[str, list[Row]] = {}
    annotations: dict[str, list[Row]] = {}
    number = 0
    for subset, some in zip(("train", "val"), subsets, strict=False):
        items[subset], annotations[subset] = [], []
        for key, ((width, height), rows) in some:
            number += 1
            row = {"key": key, "width": width, "height": height, "source_id": str(number)}
            items[subset].append(row)
            seen: set[str] = set()
            for found in rows:
                if repr(found) not in seen:  # twins are told apart by nothing
                    seen.add(repr(found))
                    number += 1
                    annotations[subset].append({"item": key, **found, "source_id": str(number)})
    return Example(items, annotations, (*_LABELS, _POSE))


def _annotation(shapes: Sequence[str], size: tuple[int, int]) -> st.SearchStrategy[Row]:
    return st.sampled_from(list(shapes)).flatmap(lambda kind: _SHAPES[kind](*size))


def _number(low: int, high: int) -> st.SearchStrategy[float]:
    return st.builds(
        lambda whole, part: min(whole + part, float(high)),
        st.integers(low, high), st.sampled_from(_PARTS),
    )  # fmt: skip


def _frame(width: int, height: int) -> st.SearchStrategy[tuple[float, float, float, float]]:
    # x, y, w, h within the image, four pixels wide and high at least.
    def fit(x: float, y: float, w: float, h: float) -> tuple[float, float, float, float]:
        return x, y, min(w, width - x), min(h, height - y)

    return st.builds(
        fit, _number(0, width - 6), _number(0, height - 6), _number(4, width), _number(4, height)
    )


_label = st.sampled_from([label.name for label in _LABELS])


def _box(width: int, height: int) -> st.SearchStrategy[Row]:
    return st.builds(_framed, st.just("box"), _label, _frame(width, height))


def _ellipse(width: int, height: int) -> st.SearchStrategy[Row]:
    return st.builds(_framed, st.just("ellipse"), _label, _frame(width, height))


def _framed(kind: str, label: str, frame: tuple[float, ...]) -> Row:
    return {"type": kind, "label": label, **dict(zip("xywh", frame, strict=True))}


def _polygon(width: int, height: int) -> st.SearchStrategy[Row]:
    def make(label: str, frame: tuple[float, ...], cut: float) -> Row:
        x, y, w, h = frame
        # A box whose upper right corner is cut off.
        points = [x, y, x + w * cut, y, x + w, y + h * cut, x + w, y + h, x, y + h]
        return {**_framed("polygon", label, frame), "points": points}

    return st.builds(make, _label, _frame(width, height), st.sampled_from((0.25, 0.5)))


def _mask(width: int, height: int) -> st.SearchStrategy[Row]:
    def make(label: str, frame: tuple[float, ...]) -> Row:
        x, y, w, h = (int(v) for v in frame)
        mask = np.zeros((height, width), np.uint8)
        mask[y : y + h, x : x + w] = 1
        mask[y + 1, x + 1] = 0  # a hole
        return {
            **_framed("mask", label, (float(x), float(y), float(w), float(h))),
            "mask": mask_to_rle(mask), "mask_height": height, "mask_width": width,
        }  # fmt: skip

    return st.builds(make, _label, _frame(width, height))


def _points(kind: str, least: int) -> Callable[[int, int], st.SearchStrategy[Row]]:
    def of(width: int, height: int) -> st.SearchStrategy[Row]:
        pair = st.tuples(_number(0, width), _number(0, height))
        made = st.lists(pair, min_size=least, max_size=6, unique=True)
        return st.builds(
            lambda label, xy: {"type": kind, "label": label, "points": [v for p in xy for v in p]},
            _label, made,
        )  # fmt: skip

    return of


def _skeleton(width: int, height: int) -> st.SearchStrategy[Row]:
    def make(frame: tuple[float, ...], seen: tuple[int, int]) -> Row:
        x, y, w, h = frame
        points = [x, y, x + w, y + h, x + w / 2, y] if all(seen) else [x, y, x + w, y + h, 0.0, 0.0]
        visibility = [2, max(seen[0], 1), seen[1] if all(seen) else 0]
        return {**_framed("skeleton", "pose", frame), "points": points, "visibility": visibility}

    return st.builds(make, _frame(width, height), st.tuples(st.integers(0, 2), st.integers(0, 2)))


def _tag(width: int, height: int) -> st.SearchStrategy[Row]:
    del width, height
    return st.builds(lambda label: {"type": "tag", "label": label}, _label)


_SHAPES: Mapping[str, Callable[[int, int], st.SearchStrategy[Row]]] = {
    "box": _box,
    "ellipse": _ellipse,
    "polygon": _polygon,
    "mask": _mask,
    "polyline": _points("polyline", 2),
    "points": _points("points", 1),
    "skeleton": _skeleton,
    "tag": _tag,
}
