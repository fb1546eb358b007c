"""Painting Pascal VOC's masks: which index a label has, and which pixels a record gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import geometry
from ...schema import Label
from .masks import VOID, voc_colormap

__all__ = ["Palette", "paint"]

Row = Mapping[str, Any]
Say = Callable[[str, Row, str, str], None]
Mask = NDArray[np.uint8]
Color = tuple[int, int, int]


class Palette:
    """The index and colour of each label: 0 is background; `undeclared` are names without a line.

    A label keeps its colour; where it has none, or another label, the background or the void has
    the same, it gets the first of VOC's that is free.
    """

    def __init__(self, labels: Sequence[Label]) -> None:
        self._labels = {label.name: label for label in labels}
        inner = {
            part
            for label in labels
            for part in label.extra.get("parts", ())
            if part in self._labels and self._labels[part].parent == label.name
        }
        names = [n for n in self._labels if n not in inner and n != "background"]
        self.undeclared = [n for n in names if n.startswith("#") or n.splitlines() != [n]]
        self.names = ["background", *(n for n in names if n not in self.undeclared)]
        self._index = {name: i for i, name in enumerate(self.names)}
        standard: list[Color] = [tuple(c) for c in voc_colormap().tolist()]
        taken = {standard[0], standard[VOID]}
        own: dict[str, Color] = {}
        for name in self.names[1:]:
            color = _rgb(self._labels[name].color)
            if color is not None and color not in taken:
                own[name] = color
                taken.add(color)
        self.colors: list[Color] = [standard[0]]
        for i, name in enumerate(self.names[1:VOID], 1):
            free = (c for c in (standard[i], *standard) if c not in taken)
            color = own.get(name) or next(free)
            taken.add(color)
            self.colors.append(color)

    def index(self, label: str | None) -> int | None:
        """Return the index of a label, 0 for no label, None where it can't have one."""
        if label is None:
            return 0
        index = self._index.get(label, VOID)
        return index if 0 < index < VOID else None

    def labelmap(
        self, parts: Mapping[str, Iterable[str]], actions: Mapping[str, Iterable[str]]
    ) -> str:
        """Return ``labelmap.txt``."""
        lines = ["# label:color_rgb:parts:actions\n"]
        for i, name in enumerate(self.names):
            color = ",".join(map(str, self.colors[i])) if i < len(self.colors) else ""
            lists = [",".join(_listable(of.get(name, ()))) for of in (parts, actions)]
            lines.append(f"{name}:{color}:{lists[0]}:{lists[1]}\n")
        return "".join(lines)


def _listable(names: Iterable[str]) -> list[str]:
    """Return names that can stand in a list of labelmap.txt."""
    return [n for n in names if n and not set(n) & set(",:\n\r")]


def _rgb(color: str | None) -> Color | None:
    if color is None or len(color) != 7:
        return None
    try:
        value = int(color[1:], 16)
    except ValueError:
        return None
    return value >> 16, value >> 8 & 255, value & 255


def paint(
    rows: Sequence[tuple[Row, int]],
    size: tuple[int | None, int | None],
    objects: int,
    palette: Palette,
    say: Say,
) -> tuple[Mask, Mask] | None:
    """Return the pixels of SegmentationClass and SegmentationObject; None where there are none.

    Args:
        rows: masks and polygons, each with the number of its object in the XML, 0 for none.
        size: width and height of the image; where unknown, a mask tells.
        objects: how many objects the XML has: instances without one are numbered after them.
        palette: which index a label has.
        say: called with "warn" or "reject", the row, a reason and a sentence.
    """
    width, height = size
    for row, _ in rows:
        if (width is None or height is None) and row["type"] == "mask":
            width, height = row["mask_width"], row["mask_height"]
    ready: list[tuple[Row, int, Mask]] = []
    following = objects
    for row, number in sorted(rows, key=lambda r: r[0].get("z_order") or 0):
        mask = _mask(row, width, height, palette, say)
        if mask is None:
            continue
        if not number:
            following += 1
        if (number or following) >= VOID:
            say("reject", row, "too many instances", f"a palette holds {VOID - 1} instances")
            continue
        ready.append((row, number or following, mask))
    if not ready:
        return None
    classes = np.zeros((height or 0, width or 0), np.uint8)
    instances = classes.copy()
    for row, number, mask in ready:
        inside = mask != 0
        classes[inside] = palette.index(row.get("label")) or 0
        instances[inside] = number
    for row, number, mask in ready:
        _tell(row, int((mask != 0).sum()), int((instances == number).sum()), say)
    return (classes, instances) if instances.any() else None


def _mask(
    row: Row, width: int | None, height: int | None, palette: Palette, say: Say
) -> Mask | None:
    polygon = row["type"] == "polygon"
    how, but = ("warn", "; only its box is written") if polygon else ("reject", "")
    problem: tuple[str, str] | None = None
    mask: Mask | None = None
    if width is None or height is None:
        problem = ("image size unknown", "a mask needs it")
    elif palette.index(row.get("label")) is None:
        problem = ("label has no index", f"{row.get('label')!r} can't be one of {VOID - 1} classes")
    elif polygon:
        mask = geometry.rings_to_mask(row["points"], row.get("rings"), height, width)
    elif (row["mask_width"], row["mask_height"]) != (width, height):
        text = f"{row['mask_width']}x{row['mask_height']} in an image of {width}x{height}"
        problem = ("a mask has another size than its image", text)
    else:
        mask = geometry.rle_to_mask(row["mask"], height, width)
    if mask is not None and not mask.any():
        problem = ("nothing to paint", "it covers no pixel of the image")
    if problem is not None:
        say(how, row, problem[0], problem[1] + but)
        return None
    return mask


def _tell(row: Row, own: int, left: int, say: Say) -> None:
    polygon = row["type"] == "polygon"
    if polygon:
        say("warn", row, "polygon became a mask", "its box is in the XML, its pixels in the PNG")
    if left == own:
        return
    if left or polygon:
        text = f"{own - left:,} of its {own:,} pixels lie under a later one"
        say("warn", row, "partly covered", text)
    else:
        say("reject", row, "wholly covered", f"all its {own:,} pixels lie under later ones")
