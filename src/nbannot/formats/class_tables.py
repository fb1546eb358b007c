"""The classes of masks: which name an index or a colour has, from the files that say so.

``labelmap.txt``, ``label_colors.txt``, ``codes.txt``, ``dataset_meta.json``, class lists as CSV.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import BrokenFileError
from ..schema import Label
from ..sources.base import Source
from .json_values import loads
from .mask_images import (
    Color,
    MaskPicture,
    Runs,
    hex_color,
    pack,
    palette_colors,
    parse_color,
    unpack,
)
from .text_lines import text_of

__all__ = ["ClassTable", "assigned_indices", "class_files", "distinct_colors", "read_class_table"]

_TXT = ("label_colors.txt", "labelmap.txt", "label_map.txt", "codes.txt", "classes.txt",
        "class_names.txt", "labels.txt")  # fmt: skip
_JSON = ("dataset_meta.json", "obj_class_to_machine_color.json")
_NAMES = frozenset((*_TXT, *_JSON))
_CSV = re.compile(r"(labelmap|label_map|class_dict|class_mapping|_?classes|.*_classes)\.csv")
_BACKGROUND = frozenset(
    ("background", "_background_", "__background__", "bg", "void", "unlabeled", "unlabelled",
     "ignore", "__ignore__")
)  # fmt: skip
_NUMBERS = re.compile(r"\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)\s*(?:$|[\s,:]\s*(.*))")


@dataclass(frozen=True)
class ClassTable:
    """Classes by index; `colors` of those that have one; `background` are no annotations."""

    names: Mapping[int, str] = field(default_factory=dict)
    colors: Mapping[int, Color] = field(default_factory=dict)
    background: frozenset[int] = frozenset((0,))
    file: str = ""
    subsets: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        rows: Sequence[tuple[int, str, Color | None]],
        file: str = "",
        background: Iterable[int] | None = None,
        subsets: Iterable[str] = (),
    ) -> ClassTable:
        """Return the table of rows (index, name, colour).

        Without `background`, it is what is called so, what is black, and 0 where it has no name.
        """
        names = {index: name for index, name, _ in rows}
        colors = {index: color for index, _, color in rows if color is not None}
        if background is None:
            black = [i for i, color in colors.items() if color == (0, 0, 0)]
            called = [i for i, name in names.items() if name.lower() in _BACKGROUND]
            background = {*black[:1], *called, *([] if 0 in names else [0])}
        return cls(names, colors, frozenset(background), file, tuple(subsets))

    def labels(self) -> Iterator[Label]:
        """Yield a label for each class but the background."""
        for index, name in self.names.items():
            if index not in self.background:
                color = self.colors.get(index)
                shown = None if color is None else hex_color(color)
                yield Label(name, color=shown, source_id=str(index))

    def interpret(self, picture: MaskPicture) -> tuple[Runs, dict[int, int]]:
        """Return a mask as runs, and the index that each of its values means.

        Colours are looked up: one that no class has becomes ``-1 - packed``. The indices of a
        palette are looked up by their colours where all of those are in the table.
        """
        by_color = {pack(color): i for i, color in reversed(list(self.colors.items()))}
        runs = Runs.of(picture.values)
        found = runs.unique()
        if not picture.is_color:
            used = {v: pack(picture.palette[v]) for v in found if v < len(picture.palette)}
            if by_color and len(used) == len(found) and set(used.values()) <= by_color.keys():
                return runs, {v: by_color[color] for v, color in used.items()}
            return runs, {v: v for v in found}
        table = {v: by_color.get(v, -1 - v) for v in found}
        if table.get(0, 0) < 0:
            table[0] = min(self.background, default=0)
        grey = picture.as_index() if any(v < 0 for v in table.values()) else None
        if grey is not None:
            as_index = {v: v & 255 for v in found}
            if not by_color or all(self.knows(v) for v in as_index.values()):
                return runs, as_index
        return runs, table

    def knows(self, index: int) -> bool:
        """Is an index one of a class, or of the background?"""
        return index in self.names or index in self.background

    def name(self, index: int) -> str:
        """Return the name of a class; one made up where it has none."""
        if index < 0:
            return hex_color(unpack(-1 - index))
        return self.names.get(index, f"class_{index}")


def class_files(source: Source) -> list[str]:
    """Return the files that may say what the classes are, the nearest to the root first."""

    def rank(path: str) -> tuple[int, int, str]:
        name = path.rpartition("/")[2].lower()
        order = [*_JSON, *_TXT]
        return path.count("/"), order.index(name) if name in order else len(order), path

    paths = source.files.with_suffix(".txt", ".json", ".csv")
    return sorted((p for p in paths if _is_class_file(p.rpartition("/")[2].lower())), key=rank)


def _is_class_file(name: str) -> bool:
    if name.endswith(".csv"):
        return _CSV.fullmatch(name) is not None
    return name in _NAMES


def read_class_table(source: Source, path: str) -> ClassTable:
    """Return the classes that a file declares.

    Raises:
        BrokenFileError: the file can't be parsed, or a colour is not three numbers to 255.
    """
    data, name = source.read(path), path.rpartition("/")[2].lower()
    if name.endswith(".json"):
        return _json(data, path)
    text = text_of(data)
    if name.endswith(".csv"):
        return _csv(text, path)
    if name in ("labelmap.txt", "label_map.txt") and ":" in text:
        return _labelmap(text, path)
    return _lines(text, path)


def _color(values: Sequence[str], file: str, line: int) -> Color:
    try:
        red, green, blue = (int(v) for v in values)
    except ValueError:
        red = green = blue = -1
    if not all(0 <= v <= 255 for v in (red, green, blue)):
        raise BrokenFileError(
            f"The colour {' '.join(values)!r} is not three numbers from 0 to 255",
            where=f"{file}, line {line}",
            hint="Correct the line, or remove it.",
        )
    return red, green, blue


def _labelmap(text: str, file: str) -> ClassTable:
    # label:r,g,b:parts:actions, as CVAT writes it
    rows: list[tuple[int, str, Color | None]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        said = rest.split(":")[0].strip()
        color = _color(said.split(","), file, number) if said else None
        rows.append((len(rows), name.strip(), color))
    return ClassTable.of(rows, file)


def _lines(text: str, file: str) -> ClassTable:
    # "r g b name", or names only; the number of the line is the index
    rows: list[tuple[int, str, Color | None]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _NUMBERS.fullmatch(line)
        if match is None:
            rows.append((len(rows), line.strip(), None))
        else:
            color = _color(match.groups()[:3], file, number)
            rows.append((len(rows), (match[4] or "").strip() or hex_color(color), color))
    return ClassTable.of(rows, file)


def _csv(text: str, file: str) -> ClassTable:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        table = list(csv.reader(io.StringIO(lines), skipinitialspace=True))
    except csv.Error as error:
        raise BrokenFileError(
            f"The list of classes is no CSV: {error}", where=file, hint="Get the file again."
        ) from error
    header = [h.strip().lower() for h in table[0]] if table else []

    def column(*names: str) -> int | None:
        return next((header.index(n) for n in names if n in header), None)

    name = column("name", "class_name", "class", "label", "classes")
    index = column("pixel value", "index", "id", "value", "class_id")
    channels = [column(n, n[0]) for n in ("red", "green", "blue")]
    whole = column("class_color", "color", "colour", "rgb")
    if name is None:
        raise BrokenFileError(
            "The list of classes has no column for their names",
            where=file,
            hint="Name the columns name, r, g, b.",
        )
    rows: list[tuple[int, str, Color | None]] = []
    for number, row in enumerate(table[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        cells = [*row, *[""] * (len(header) - len(row))]
        color = None
        if None not in channels:
            given = [cells[c] for c in channels if c is not None]
            color = _color(given, file, number) if any(given) else None
        elif whole is not None and cells[whole].strip():
            found = re.findall(r"\d+", cells[whole])
            color = parse_color(cells[whole].strip()) or _color(found, file, number)
        at = len(rows)
        if index is not None and cells[index].strip().isdecimal():
            at = int(cells[index])
        rows.append((at, cells[name].strip(), color))
    return ClassTable.of(rows, file)


def _json(data: bytes, file: str) -> ClassTable:
    try:
        value, _ = loads(data)
    except ValueError as error:
        raise BrokenFileError(
            f"The list of classes is not JSON: {error}", where=file, hint="Get the file again."
        ) from error
    if not isinstance(value, dict):
        raise BrokenFileError("The list of classes is no JSON object", where=file)
    if "label_map" not in value:  # Supervisely: name → colour
        rows = [(i, str(n), _json_color(c, file)) for i, (n, c) in enumerate(value.items(), 1)]
        return ClassTable.of(rows, file, [0])
    names = value["label_map"]
    colors = value.get("segmentation_colors") or []
    if not isinstance(names, dict) or not isinstance(colors, list):
        raise BrokenFileError("label_map or segmentation_colors is not understood", where=file)
    rows = []
    indices = [int(k) if str(k).isdecimal() else place for place, k in enumerate(names)]
    # A colour is that of the index; in files with as many colours as classes, of the rank.
    by_rank = len(colors) <= max(indices, default=0)
    for rank, (index, name) in enumerate(zip(indices, names.values(), strict=True)):
        place = rank if by_rank else index
        color = _json_color(colors[place], file) if place < len(colors) else None
        rows.append((index, str(name), color))
    said = str(value.get("background_label", ""))
    background = [int(said)] if said.isdecimal() else None
    subsets = value.get("subsets")
    return ClassTable.of(
        rows, file, background, map(str, subsets) if isinstance(subsets, list) else ()
    )


def _json_color(value: Any, file: str) -> Color | None:
    if value is None:
        return None
    if isinstance(value, str) and parse_color(value):
        return parse_color(value)
    return _color([str(v) for v in value] if isinstance(value, list) else [str(value)], file, 1)


# -- writing --------------------------------------------------------------------------------


def assigned_indices(labels: Sequence[Label], highest: int) -> dict[str, int]:
    """Return an index for each label: the ones they had, where those fit, else 1, 2, ...

    Labels that get none (there are more than `highest`) are left out.
    """
    own = [label.source_id for label in labels]
    numbers = [int(s) for s in own if s is not None and s.isdecimal() and len(s) < 6]
    if len(set(numbers)) == len(labels) and all(0 < n <= highest for n in numbers):
        return {label.name: n for label, n in zip(labels, numbers, strict=True)}
    return {label.name: i for i, label in enumerate(labels[:highest], 1)}


def distinct_colors(labels: Sequence[Label], taken: Iterable[Color] = ()) -> dict[str, Color]:
    """Return a colour for each label: its own, or one that no other has; black is nobody's."""
    used = {(0, 0, 0), *taken}
    out: dict[str, Color] = {}
    for label in labels:
        color = parse_color(label.color)
        if color is not None and color not in used:
            out[label.name] = color
            used.add(color)
    free = (c for c in _endless() if c not in used)
    for label in labels:
        if label.name not in out:
            out[label.name] = next(free)
    return {label.name: out[label.name] for label in labels}


def _endless() -> Iterator[Color]:
    yield from palette_colors()[1:255]
    for packed in range(1, 1 << 24):
        # an odd factor visits every colour once
        mixed = packed * 0x9E3779 & 0xFFFFFF
        yield mixed >> 16, mixed >> 8 & 255, mixed & 255
