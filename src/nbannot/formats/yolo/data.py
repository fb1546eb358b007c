"""What a YOLO dataset declares: class names, keypoints, splits; from YAML, obj.data or a list.

Nothing here looks for images or labels; that is `yolo_layout`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import FormatError
from ...schema import Label, Skeleton
from ...sources.base import Source
from .yaml import decode_text, is_null, load_yaml

__all__ = ["SPLIT_ALIASES", "Declared", "Names", "Pose", "read_lines", "read_obj_data", "read_yaml"]

SPLIT_ALIASES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "eval"),
}
"""What each of the three usual splits is called."""

_ALL_SPLITS = [name for names in SPLIT_ALIASES.values() for name in names] + ["minival"]
# Keys of data.yaml that name no split; any other key may (CVAT writes a subset under its name).
_USED = (
    "path", "names", "nc", "kpt_shape", "kpt_names", "flip_idx", "colors", "download", "task",
)  # fmt: skip
_TASK_COMMENT = re.compile(rb"^# task: (\w+)", re.MULTILINE)
_KNOWN = {*_USED, "channels", "license", "url", "version", "roboflow"}


class Names:
    """Class names by id. Where a dataset declares none, ``class_7`` is made up when 7 occurs.

    >>> Names({0: "cat", 5: "dog"}).by_id[5]
    'dog'
    """

    def __init__(self, by_id: Mapping[int, str] | None = None) -> None:
        self.declared = by_id is not None
        self.made_up = False
        given = sorted((by_id or {}).items())
        self.unnamed = [i for i, name in given if not name]
        self.by_id = {i: name or f"class_{i}" for i, name in given}
        self._ids = {name: i for i, name in reversed(self.by_id.items())}
        self._next = given[-1][0] + 1 if given else 0

    def add(self, number: int) -> str:
        """Return the name made up for class `number`, which was not declared."""
        self.made_up = True
        self._next = max(self._next, number + 1)
        name = self.by_id[number] = f"class_{number}"
        self._ids.setdefault(name, number)
        return name

    def number_of(self, name: str) -> int | None:
        """Return the id of the class called `name`; where none is declared, a new one."""
        if name not in self._ids and not self.declared:
            self.by_id[self._next] = name
            self._ids[name] = self._next
            self._next += 1
        return self._ids.get(name)

    def gaps(self, most: int = 10) -> list[int]:
        """Return the first ids, `most` at most, that are skipped below the last."""
        found: list[int] = []
        expected = 0
        for number in self.by_id:
            found += range(expected, min(number, expected + most))
            expected = number + 1
        return found[:most]

    def repeated(self) -> dict[str, list[int]]:
        """Return the names that more than one id has, with those ids."""
        names = {name for i, name in self.by_id.items() if self._ids[name] != i}
        ids: dict[str, list[int]] = {name: [] for name in sorted(names)}
        for i, name in self.by_id.items():
            if name in names:
                ids[name].append(i)
        return ids


@dataclass(frozen=True)
class Pose:
    """The keypoints of each row: `count` of them, `dims` numbers each (2: x y; 3: x y visibility).

    `names` are the points' names by class id, `flip` the index of each point's mirror image.
    """

    count: int
    dims: int
    names: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    flip: tuple[int, ...] | None = None

    @property
    def numbers(self) -> int:
        """Numbers per row for the keypoints."""
        return self.count * self.dims

    def skeleton(self, number: int) -> Skeleton:
        """Return the skeleton of class `number`; points without names are numbered."""
        named = self.names.get(number, ())[: self.count]
        return Skeleton(named or tuple(f"point_{i}" for i in range(self.count)))


@dataclass
class Declared:
    """What the files beside the labels say: `where` names the file, for the ledger.

    `splits` is subset → what stands there (a folder, a list, images), as written; `root` the
    ``path`` of data.yaml; `task` a hint at what rows of 9 numbers are (``obb``, ``segment``);
    `remarks` (reason, message) what is worth a note.
    """

    where: str
    names: Names
    splits: dict[str, list[str]] = field(default_factory=dict)
    root: str = ""
    task: str = ""
    pose: Pose | None = None
    colors: Mapping[int, str] = field(default_factory=dict)
    remarks: list[tuple[str, str]] = field(default_factory=list)

    def label(self, number: int) -> Label:
        """Return the label of class `number`."""
        pose = self.pose
        return Label(
            self.names.by_id[number],
            color=self.colors.get(number),
            skeleton=pose.skeleton(number) if pose else None,
            source_id=str(number),
            extra={"flip_idx": list(pose.flip)} if pose and pose.flip else {},
        )

    def labels(self) -> tuple[Label, ...]:
        """Return the labels, in the order of their ids."""
        return tuple(self.label(number) for number in self.names.by_id)

    def remark_on_names(self) -> None:
        """Remark on ids that are skipped or unnamed, and on names that several ids have."""
        names, where = self.names, self.where
        gaps = names.gaps()
        if gaps:
            shown = ", ".join(map(str, gaps)) + (", …" if len(gaps) == 10 else "")
            text = f"{where}: names skip the ids {shown}; each row keeps the name of its own id"
            self.remarks.append(("names skip ids", text))
        for number in names.unnamed:
            text = f"{where}: class {number} has no name; it is called class_{number}"
            self.remarks.append(("class without a name", text))
        for name, ids in names.repeated().items():
            numbers = ", ".join(map(str, ids))
            text = f"{where}: the classes {numbers} are all called {name!r}: one label"
            self.remarks.append(("one name for several classes", text))


def read_lines(source: Source, path: str) -> list[str]:
    """Return the lines of a text file, stripped, blank ones at the end left out.

    Raises:
        BrokenFileError: it is not text.
    """
    lines = [line.strip() for line in decode_text(source.read(path), path).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def read_names(source: Source, path: str) -> Names:
    """Return the names of a file with one per line: the line's number, from 0, is the id."""
    lines = read_lines(source, path)
    return Names(dict(enumerate(lines)))


def read_obj_data(source: Source, path: str) -> dict[str, str]:
    """Return the ``key = value`` pairs of a Darknet data file, in its order."""
    pairs = (line.partition("=") for line in read_lines(source, path) if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs if not key.startswith("#")}


def read_yaml(data: bytes, where: str, source: Source | None = None) -> Declared:
    """Return what a dataset YAML declares.

    Args:
        data: the file.
        where: its path in `source`, for messages.
        source: where a names file that it points to is.

    Raises:
        BrokenFileError: it can't be parsed safely.
        FormatError: it is no mapping, or its names are neither a list nor a mapping.
    """
    content, odd = load_yaml(data, where)
    if not isinstance(content, dict):
        raise FormatError(f"{where} holds no keys", where=where, hint="Expected names:, train: ...")
    declared = Declared(where, _names(content, where, source))
    declared.remarks += [("unusual YAML", f"{where}: {text}") for text in odd]
    root = content.get("path", "")
    declared.root = root if isinstance(root, str) and not is_null(root) else ""
    hint = _TASK_COMMENT.search(data)
    declared.task = str(content.get("task", hint.group(1).decode() if hint else ""))
    declared.splits = _splits(content)
    declared.pose = _pose(content, where, declared)
    declared.colors = _colors(content.get("colors"))
    if "download" in content and not is_null(content["download"]):
        text = f"{where}: download: is ignored; nbannot runs no code and fetches nothing"
        declared.remarks.append(("download ignored", text))
    count = _whole(content.get("nc"))
    if declared.names.declared and count is not None and count != len(declared.names.by_id):
        text = f"{where}: nc is {count}, but there are {len(declared.names.by_id)} names"
        declared.remarks.append(("nc is not the number of names", text))
    unused = [k for k in content if k not in _USED and k not in declared.splits]
    if unused:
        text = f"{where}: {', '.join(unused)}: not imported"
        declared.remarks.append(("keys that are not imported", text))
    declared.remark_on_names()
    return declared


def _names(content: Mapping[str, Any], where: str, source: Source | None) -> Names:
    given = content.get("names", "")
    if isinstance(given, str) and not is_null(given) and source is not None:
        folder = where.rpartition("/")[0]
        for path in (f"{folder}/{given}".lstrip("/"), given):
            if path in source.files:
                return read_names(source, path)
    if isinstance(given, str) and is_null(given):
        count = _whole(content.get("nc"))
        return Names({i: f"class_{i}" for i in range(min(count, 100_000))}) if count else Names()
    if isinstance(given, list):
        given = {str(i): name for i, name in enumerate(given)}
    if not isinstance(given, dict) or not all(isinstance(n, str) for n in given.values()):
        raise FormatError(
            f"The names in {where} are neither a list of words nor a mapping of ids to words",
            where=where,
            hint="Write them as  names: {0: cat, 1: dog}",
        )
    ids = {key: _whole(key) for key in given}
    if all(i is not None for i in ids.values()):
        return Names({i: given[k] for k, i in ids.items() if i is not None})
    values = {key: _whole(value) for key, value in given.items()}
    if all(i is not None for i in values.values()):  # {cat: 0, dog: 1}: the other way round
        return Names({i: k for k, i in values.items() if i is not None})
    raise FormatError(
        f"The names in {where} have keys that are no ids: "
        f"{', '.join(k for k, i in ids.items() if i is None)}",
        where=where,
        hint="Write them as  names: {0: cat, 1: dog}",
    )


def _splits(content: Mapping[str, Any]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    usual = [key for key in _ALL_SPLITS if key in content]
    for key in [*usual, *(k for k in content if k not in usual and k not in _KNOWN)]:
        value = content[key]
        values = value if isinstance(value, list) else [value]
        if all(isinstance(v, str) for v in values):
            splits[key] = [v for v in values if not is_null(v)]
    return {key: values for key, values in splits.items() if values or key in usual}


def _pose(content: Mapping[str, Any], where: str, declared: Declared) -> Pose | None:
    if "kpt_shape" not in content or is_null(content["kpt_shape"]):
        return None
    names = content.get("kpt_names")
    by_class: dict[int, tuple[str, ...]] = {}
    if isinstance(names, list):
        by_class = dict.fromkeys(declared.names.by_id, tuple(map(str, names)))
    elif isinstance(names, dict):
        pairs = ((_whole(k), v) for k, v in names.items())
        by_class = {
            i: tuple(map(str, v)) for i, v in pairs if i is not None and isinstance(v, list)
        }
    flip = content.get("flip_idx")
    indices = [_whole(i) for i in flip] if isinstance(flip, list) else []
    mirror = tuple(i for i in indices if i is not None)
    return parse_kpt_shape(content["kpt_shape"], where, by_class, mirror or None)


def parse_kpt_shape(
    shape: str | Sequence[Any],
    where: str,
    names: Mapping[int, tuple[str, ...]] | None = None,
    flip: tuple[int, ...] | None = None,
) -> Pose:
    """Return the keypoints that ``kpt_shape`` describes: ``[17, 3]`` or ``"17,3"``.

    Raises:
        FormatError: it is neither ``[K, 2]`` nor ``[K, 3]``.
    """
    values = re.split(r"[,x\s]+", shape.strip("[] ")) if isinstance(shape, str) else shape
    numbers = [_whole(v) for v in values]
    if len(numbers) != 2 or not numbers[0] or numbers[1] not in (2, 3) or numbers[0] > 10_000:
        raise FormatError(
            f"kpt_shape is {shape!r}, but it must be [number of keypoints, 2 or 3]", where=where
        )
    return Pose(numbers[0], numbers[1], names or {}, flip)


def _colors(given: Any) -> dict[int, str]:
    # Supervisely: [[r, g, b], ...], or "#rrggbb" per class.
    if isinstance(given, dict):
        pairs = [(_whole(k), v) for k, v in given.items()]
    else:
        pairs = list(enumerate(given)) if isinstance(given, list) else []
    colors = {}
    for number, value in pairs:
        rgb = [_whole(v) for v in value] if isinstance(value, list) else []
        if isinstance(value, str) and re.fullmatch("#[0-9A-Fa-f]{6}", value):
            text = value.lower()
        elif len(rgb) == 3 and all(v is not None and 0 <= v <= 255 for v in rgb):
            text = "#" + "".join(f"{v:02x}" for v in rgb)
        else:
            continue
        if number is not None:
            colors[number] = text
    return colors


def _whole(value: Any) -> int | None:
    if isinstance(value, int):
        return value
    match = re.fullmatch(r"\s*(\d{1,9})(?:\.0*)?\s*", value) if isinstance(value, str) else None
    return int(match.group(1)) if match else None
