"""Which column of a table is what: its image, its label, its box ...

Found by names, confirmed by cells. A role is `sure` where both agree; each says why it was chosen,
and each can be chosen otherwise by an option of the same name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...errors import OptionError
from ...media.kinds import kind_of
from ..addresses import address_of
from .names import BOX_NAMES, NAMES, VAGUE, corner_of, plain_name

__all__ = ["BOX", "TABLE_ROLES", "Role", "RoleHelp", "Roles", "choose_roles", "infer_roles"]

BOX = ("x1", "y1", "x2", "y2")
"""The roles of the four numbers of a box, in the order in which any convention has them."""

HEAD_ROWS = 1_000
"""Rows that are looked at to confirm a role."""

_SEQUENCES = {
    "xyxy": ("left", "top", "right", "bottom"),
    "xywh": ("left", "top", "w", "h"),
    "cxcywh": ("cx", "cy", "w", "h"),
}


@dataclass(frozen=True, slots=True)
class RoleHelp:
    """What a role means, in a user's words."""

    role: str
    help: str


TABLE_ROLES = (
    RoleHelp("image", "Path or address of the image (or sound, video) that a row is about"),
    RoleHelp("label", "Label of the row's box, or of its image"),
    RoleHelp("bbox", "A whole box in one cell: [x, y, w, h] or [x1, y1, x2, y2]"),
    RoleHelp("x1", "First number of a box: left, or the centre's x"),
    RoleHelp("y1", "Second number of a box: top, or the centre's y"),
    RoleHelp("x2", "Third number of a box: right, or width"),
    RoleHelp("y2", "Fourth number of a box: bottom, or height"),
    RoleHelp("split", "Subset of the image: train, val, test ..."),
    RoleHelp("score", "Confidence of the row, 0 to 1"),
    RoleHelp("width", "Width of the image in pixels"),
    RoleHelp("height", "Height of the image in pixels"),
    RoleHelp("id", "Id of the row's annotation"),
    RoleHelp("text", "Text, where the rows are texts to label"),
)
"""Every role that a column can have."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role, its column, whether that is beyond doubt, and why it was chosen."""

    role: str
    column: str
    sure: bool
    why: str


@dataclass(frozen=True)
class Roles:
    """The roles of a table's columns, and what the names tell of the box.

    `box_format` is ``"xyxy"``, ``"xywh"``, ``"cxcywh"``, or "" where names do not tell;
    `one_hot` are columns of 0 and 1, one per label.
    """

    found: tuple[Role, ...]
    box_format: str = ""
    one_hot: tuple[str, ...] = ()

    def column(self, role: str) -> str | None:
        """Return the column of a role, None where it has none."""
        return next((r.column for r in self.found if r.role == role), None)

    @property
    def box(self) -> tuple[str, ...]:
        """The columns of the box: four, one, or none."""
        one = self.column("bbox")
        if one is not None:
            return (one,)
        found = [self.column(role) for role in BOX]
        return tuple(c for c in found if c is not None) if None not in found else ()

    def used(self) -> set[str]:
        """Return the columns that have a role."""
        return {r.column for r in self.found} | set(self.one_hot)


def infer_roles(table: pa.Table) -> list[Role]:
    """Return the roles that a table's columns seem to have.

    >>> table = pa.table({"path": ["a.jpg"], "xmin": [1], "ymin": [2], "xmax": [3], "ymax": [4]})
    >>> [(r.role, r.column) for r in infer_roles(table)]
    [('image', 'path'), ('x1', 'xmin'), ('y1', 'ymin'), ('x2', 'xmax'), ('y2', 'ymax')]
    """
    return list(choose_roles(table, {}).found)


def choose_roles(table: pa.Table, options: Mapping[str, Any]) -> Roles:
    """Return the roles of a table's columns: those given as options, the others inferred.

    Args:
        table: the table, or its first rows.
        options: column by role; ``bbox`` may be one column or four; ``"-"`` for none.

    Raises:
        OptionError: a column is not there, or a box has less than four.
    """
    head = table.slice(0, HEAD_ROWS)
    given = _given(table.column_names, options)
    taken = {c for c in given.values() if c}
    found: dict[str, Role] = {
        role: Role(role, column, sure=True, why="chosen")
        for role, column in given.items()
        if column
    }
    free = [name for name in table.column_names if name not in taken]

    def add(role: Role | None) -> None:
        if role is not None and role.role not in given and role.column in free:
            found[role.role] = role
            free.remove(role.column)

    named = all(not name.startswith("column ") for name in table.column_names)
    add(_image(head, free))
    has_image = "image" in found
    boxed = {*BOX, "bbox"} & given.keys()
    if not boxed and has_image:
        for role in _box(head, free):
            add(role)
    if not named and has_image and not boxed and not {*BOX, "bbox"} & found.keys():
        for role in _unnamed_box(head, free):
            add(role)
    for role_name in ("label", "split", "score", "width", "height", "id", "text"):
        if has_image or role_name in ("label", "split", "id", "text"):
            add(_by_name(role_name, head, free))
    if not named and has_image and "label" not in found:
        add(_unnamed_label(head, free))
    one_hot: tuple[str, ...] = ()
    if has_image and "label" not in given and "label" not in found and not boxed:
        one_hot = tuple(name for name in free if _is_flag(head[name]))
        if len(one_hot) < 2 or len(one_hot) < len(free):
            one_hot = ()
    order = [r.role for r in TABLE_ROLES]
    roles = tuple(sorted(found.values(), key=lambda r: order.index(r.role)))
    box_format = _format_of([found[r].column for r in BOX if r in found], found.get("bbox"))
    result = Roles(roles, box_format, one_hot)
    some = [r for r in BOX if r in found]
    if some and len(some) < 4 and "bbox" not in found:
        if any(role in given for role in BOX):
            raise OptionError(
                f"A box needs four columns, but there are {len(some)}: {', '.join(some)}",
                hint="Give x1, y1, x2 and y2, or one column as bbox.",
            )
        roles = tuple(r for r in roles if r.role not in BOX)
        result = Roles(roles, "", one_hot)
    return result


def _given(columns: Sequence[str], options: Mapping[str, Any]) -> dict[str, str]:
    # Column by role, "" where the user says that there is none.
    out: dict[str, str] = {}
    for role in (r.role for r in TABLE_ROLES):
        value = options.get(role)
        if value in (None, "", ()):
            continue
        if role == "bbox":
            parts = [value] if isinstance(value, str) else list(value)
            if len(parts) == 1 and parts[0] not in columns and parts[0].count(",") == 3:
                parts = [p.strip() for p in parts[0].split(",")]
            if len(parts) == 4:
                out |= dict(zip(BOX, parts, strict=True))
                continue
            if len(parts) != 1:
                raise OptionError(
                    f"bbox= names {len(parts)} columns", hint="Give one column, or four."
                )
            value = parts[0]
        out[role] = "" if value == "-" else str(value)
    for role, column in out.items():
        if column and column not in columns:
            raise OptionError(
                f"{role}= names the column {column!r}, which the table does not have",
                hint=f"It has: {', '.join(map(str, columns[:40]))}.",
            )
    if "bbox" in out and out["bbox"] == "":
        out |= dict.fromkeys(BOX, "")
    return out


# -- what cells look like -------------------------------------------------------------


def texts(column: pa.ChunkedArray) -> list[str]:
    """Return the cells of a text column that are not empty, stripped."""
    if not _is_text(column.type):
        return []
    return [c.strip() for c in column.to_pylist() if c and c.strip()]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_numeric(column: pa.ChunkedArray) -> bool:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return True
    cells = [c for c in texts(column)[:200] if c.lower() not in _MISSING]
    return bool(cells) and 2 * sum(number(c) is not None for c in cells) >= len(cells)


_MISSING = frozenset(("", "na", "nan", "n/a", "null", "none"))


def number(text: str) -> float | None:
    """Return the number that a cell is, with a point or a comma; None where it is none.

    >>> number("0,5"), number(" 7"), number("cat")
    (0.5, 7.0, None)
    """
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def _is_flag(column: pa.ChunkedArray) -> bool:
    if pa.types.is_boolean(column.type):
        return True
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        return False
    values = set(pc.unique(column.cast(pa.string())).to_pylist()) - {None}
    return bool(values) and {v.strip().lower() for v in values} <= {
        "0", "1", "0.0", "1.0", "true", "false"
    }  # fmt: skip


def _media_share(column: pa.ChunkedArray) -> float:
    cells = texts(column)[:200]
    good = sum(
        kind_of(c) != "other" or (address_of(c).uri is not None and " " not in c) for c in cells
    )
    return good / len(cells) if cells else 0.0


def _image(head: pa.Table, free: Sequence[str]) -> Role | None:
    by_plain = {plain_name(name): name for name in reversed(free)}
    shares = {name: _media_share(head[name]) for name in free}
    for plain in NAMES["image"]:
        name = by_plain.get(plain)
        if name is None:
            continue
        if shares[name] > 0.5:
            return Role("image", name, sure=True, why=f"called {name!r}, and its cells name media")
        kind = head[name].type
        whole = _is_text(kind) or pa.types.is_integer(kind)
        if plain not in VAGUE and whole and not any("\n" in t for t in texts(head[name])[:50]):
            return Role("image", name, sure=False, why=f"called {name!r}")
    best = max(free, key=lambda n: shares[n], default=None)
    if best is not None and shares[best] > 0.5:
        return Role("image", best, sure=True, why="its cells name media")
    for plain in ("imageid", "imgid"):
        name = by_plain.get(plain)
        if name is not None and not pa.types.is_floating(head[name].type):
            return Role("image", name, sure=False, why=f"called {name!r}")
    return None


def _by_name(role: str, head: pa.Table, free: Sequence[str]) -> Role | None:
    by_plain = {plain_name(name): name for name in reversed(free)}
    for plain in NAMES[role]:
        name = by_plain.get(plain)
        if name is None or not _fits(role, head[name]):
            continue
        return Role(
            role, name, sure=not plain.endswith("id") or role == "id", why=f"called {name!r}"
        )
    return None


def _fits(role: str, column: pa.ChunkedArray) -> bool:
    if role in ("score", "width", "height"):
        return _is_numeric(column)
    if role == "label":
        nested = pa.types.is_nested(column.type) or pa.types.is_binary(column.type)
        return not (nested or pa.types.is_floating(column.type))
    if role == "text":
        return _is_text(column.type)
    return not pa.types.is_nested(column.type)


# -- boxes ----------------------------------------------------------------------------


def _box(head: pa.Table, free: Sequence[str]) -> list[Role]:
    for name in free:
        if plain_name(name) in BOX_NAMES and holds_boxes(head[name]):
            return [
                Role("bbox", name, sure=True, why=f"called {name!r}, four numbers in each cell")
            ]
    parts: dict[str, str] = {}
    twice: dict[str, str] = {}
    for name in free:
        meaning, doubly = corner_of(name)
        if meaning and _is_numeric(head[name]):
            (twice if doubly else parts).setdefault(meaning, name)
    plain = {plain_name(n): n for n in free}
    if {"x0", "y0", "x1", "y1"} <= plain.keys():
        parts |= {"left": plain["x0"], "top": plain["y0"], "right": plain["x1"]}
        parts["bottom"] = plain["y1"]
    # "bbox_width" is the box's, whatever "width" is.
    for chosen in ({**parts, **twice}, parts):
        for corner, side in (("left", "x"), ("top", "y")):
            if corner not in chosen and side in chosen:
                chosen = {**chosen, corner: chosen[side]}
        for sequence in _SEQUENCES.values():
            if all(part in chosen for part in sequence):
                columns = [chosen[part] for part in sequence]
                why = f"called {', '.join(columns)}"
                return [
                    Role(role, column, sure=True, why=why)
                    for role, column in zip(BOX, columns, strict=True)
                ]
    return []


def _unnamed_box(head: pa.Table, free: Sequence[str]) -> list[Role]:
    # No header: four columns of numbers in a row.
    names = head.column_names
    for i in range(len(names) - 3):
        four = names[i : i + 4]
        if all(n in free and _is_numeric(head[n]) for n in four):
            return [
                Role(role, column, sure=False, why="four columns of numbers")
                for role, column in zip(BOX, four, strict=True)
            ]
    return []


def _unnamed_label(head: pa.Table, free: Sequence[str]) -> Role | None:
    words = [n for n in free if texts(head[n]) and not _is_numeric(head[n])]
    if len(words) == 1:
        return Role("label", words[0], sure=False, why="the only other column of words")
    return None


def holds_boxes(column: pa.ChunkedArray) -> bool:
    """Say whether most cells of a column hold four numbers."""
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind):
        lengths = pc.list_value_length(column).drop_null()
        return len(lengths) > 0 and pc.mean(pc.equal(lengths, 4)).as_py() > 0.5
    lists = [numbers_in(c) for c in texts(column)[:200] if c.strip("[] ")]
    return bool(lists) and 2 * sum(len(found) == 4 for found in lists) >= len(lists)


def numbers_in(cell: str) -> list[float]:
    """Return the numbers in a cell like ``"[1, 2.5, 3, 4]"`` or ``"1 2.5 3 4"``; [] if it is not.

    >>> numbers_in("[1, 2.5, 3e1, 4]"), numbers_in("cat 4")
    ([1.0, 2.5, 30.0, 4.0], [])
    """
    parts = cell.translate(_OPEN).split()
    try:
        return [float(p) for p in parts]
    except ValueError:
        return []


_OPEN = str.maketrans("[](){},;", " " * 8)


def _format_of(columns: Iterable[str], whole: Role | None) -> str:
    if whole is not None:
        plain = plain_name(whole.column)
        return plain if plain in _SEQUENCES else ""
    meanings = [corner_of(c)[0] for c in columns]
    if len(meanings) != 4:
        return ""
    names = [plain_name(c) for c in columns]
    if names[0].endswith("x0") and names[2].endswith("x1"):
        return "xyxy"
    same = {"x": "left", "y": "top"}
    meant = tuple(same.get(m, m) for m in meanings)
    return next((name for name, parts in _SEQUENCES.items() if parts == meant), "")
