"""What compares readers here tells every difference."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest

from .comparing import Seen, same, told
from .made import many

KINDS = ("box", "polygon", "mask", "skeleton", "polyline", "points", "tag", "text", "box turned")


def first(seen: Seen, kind: str) -> dict:
    """Return the first annotation of a kind."""
    return next(r for rows in seen.rows.values() for r in rows if r["type"] == kind)


def shift(seen: Seen) -> None:
    first(seen, "box")["box"][2] += 0.02


def relabel(seen: Seen) -> None:
    first(seen, "tag")["label"] = "another"


def turn(seen: Seen) -> None:
    rows = (r for rows in seen.rows.values() for r in rows)
    next(r for r in rows if "rotation" in r)["rotation"] *= -1


def hide(seen: Seen) -> None:
    first(seen, "skeleton")["visibility"][0] = 1


def paint(seen: Seen) -> None:
    pixels = first(seen, "mask")["pixels"]
    pixels[np.unravel_index(pixels.argmax(), pixels.shape)] = 0


def cut(seen: Seen) -> None:
    del first(seen, "polyline")["points"][-2:]


def say(seen: Seen) -> None:
    first(seen, "text")["text"] += "."


def frame(seen: Seen) -> None:
    first(seen, "polygon")["frame"][0] -= 1


def drop(seen: Seen) -> None:
    next(rows for rows in seen.rows.values() if rows).pop()


def double(seen: Seen) -> None:
    rows = next(rows for rows in seen.rows.values() if rows)
    rows.append(rows[0])


def lose(seen: Seen) -> None:
    place = next(p for p in seen.items if not seen.rows.get(p))
    del seen.items[place]


def resize(seen: Seen) -> None:
    place = next(iter(seen.items))
    seen.items[place] = (1, 1)


CHANGES = [shift, relabel, turn, hide, paint, cut, say, frame, drop, double, lose, resize]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_it_tells(change: Callable[[Seen], None]) -> None:
    """One change in a dataset of thirty images, whichever side it is on."""
    dataset = told(many(KINDS, most=12))
    changed = copy.deepcopy(dataset)
    same(changed, dataset, 0.011)
    change(changed)
    with pytest.raises(AssertionError):
        same(changed, dataset, 0.011)
    with pytest.raises(AssertionError):
        same(dataset, changed, 0.011)
