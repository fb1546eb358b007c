"""The classes of Cityscapes, which KITTI's segmentation shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...ledger import Ledger
from ...schema import Label
from ..class_tables import ClassTable, distinct_colors
from ..mask_images import Color

__all__ = ["CITYSCAPES", "THINGS", "TRAIN_IDS", "WrittenClasses", "official_name"]

_ROWS: Sequence[tuple[str, Color]] = (
    ("unlabeled", (0, 0, 0)), ("ego vehicle", (0, 0, 0)), ("rectification border", (0, 0, 0)),
    ("out of roi", (0, 0, 0)), ("static", (0, 0, 0)), ("dynamic", (111, 74, 0)),
    ("ground", (81, 0, 81)), ("road", (128, 64, 128)), ("sidewalk", (244, 35, 232)),
    ("parking", (250, 170, 160)), ("rail track", (230, 150, 140)), ("building", (70, 70, 70)),
    ("wall", (102, 102, 156)), ("fence", (190, 153, 153)), ("guard rail", (180, 165, 180)),
    ("bridge", (150, 100, 100)), ("tunnel", (150, 120, 90)), ("pole", (153, 153, 153)),
    ("polegroup", (153, 153, 153)), ("traffic light", (250, 170, 30)),
    ("traffic sign", (220, 220, 0)), ("vegetation", (107, 142, 35)), ("terrain", (152, 251, 152)),
    ("sky", (70, 130, 180)), ("person", (220, 20, 60)), ("rider", (255, 0, 0)),
    ("car", (0, 0, 142)), ("truck", (0, 0, 70)), ("bus", (0, 60, 100)), ("caravan", (0, 0, 90)),
    ("trailer", (0, 0, 110)), ("train", (0, 80, 100)), ("motorcycle", (0, 0, 230)),
    ("bicycle", (119, 11, 32)),
)  # fmt: skip

CITYSCAPES = ClassTable.of(
    [(i, name, color) for i, (name, color) in enumerate(_ROWS)], "Cityscapes' list", [0]
)
"""The official classes by id; -1, license plate, is never drawn."""

THINGS = frozenset(range(24, 34))
"""Official ids of classes whose instances are told apart."""

TRAIN_IDS: Mapping[int, int] = dict(
    enumerate((7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33))
)
"""trainId → id."""

_BY_PLAIN = {name.replace(" ", ""): i for i, (name, _) in enumerate(_ROWS)}
_BY_PLAIN["licenseplate"] = -1


def official_name(name: str) -> str | None:
    """Return the official spelling of a class, None where it is none.

    >>> official_name("trafficlight"), official_name("cat")
    ('traffic light', None)
    """
    index = _BY_PLAIN.get(name.replace(" ", "").lower())
    if index is None:
        return None
    return "license plate" if index < 0 else _ROWS[index][0]


class WrittenClasses:
    """The index and colour of each label that is written: the official ones, where all are such.

    Else they are numbered from 1, and ``label_colors.txt`` says so.
    """

    def __init__(self, labels: Sequence[Label], highest: int, ledger: Ledger) -> None:
        ids = {label.name: _official_id(label.name) for label in labels}
        self.is_official = all(i is not None for i in ids.values())
        self.index: dict[str, int] = {}
        self.colors: dict[str, Color] = {}
        if self.is_official:
            for name, index in ids.items():
                if index is not None and index >= 0:
                    self.index[name] = index
                    self.colors[name] = _ROWS[index][1]
            return
        self.colors = distinct_colors(labels)
        self.index = {label.name: i for i, label in enumerate(labels[:highest], 1)}
        for name in self.colors:
            if _one_line(name) != name:
                text = f"{name!r} is written as {_one_line(name)!r}: a name is one line"
                ledger.note("name of a label changed", message=text)

    def counts(self, name: str) -> bool:
        """Are the instances of a label told apart?"""
        return not self.is_official or self.index.get(name) in THINGS

    def palette(self) -> list[Color]:
        """Return the colour of each index."""
        out = [(0, 0, 0)] * (max(self.index.values(), default=0) + 1)
        for name, index in self.index.items():
            out[index] = self.colors[name]
        return out

    def label_colors(self) -> str:
        """Return ``label_colors.txt``."""
        zero = "unlabeled" if "unlabeled" not in self.colors else "background"
        lines = [f"0 0 0 {zero}\n"]
        for name, color in self.colors.items():
            lines.append(f"{' '.join(map(str, color))} {_one_line(name)}\n")
        return "".join(lines)


def _official_id(name: str) -> int | None:
    # Only the official spelling: another would not come back.
    return _BY_PLAIN.get(name.replace(" ", "")) if official_name(name) == name else None


def _one_line(name: str) -> str:
    return " ".join(name.split("\n")).strip() or "_"
