"""COCO categories, and the labels they become.

A category is known by its id, an opaque key: 0 and 2**63 are good ids, "7" and 7 are one. Labels
are known by their names over all files of a dataset. Names are never merged: a second category
of one name is named "name (2)", and what would look alike to a person is noted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...ledger import Ledger
from ...schema import Label, Skeleton

__all__ = ["Labels", "category_of", "ident"]

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_KNOWN = ("id", "name", "keypoints", "skeleton", "color")


def ident(value: Any) -> int | str | None:
    """Return an id as given in JSON as a key: 5, 5.0 and "5" are 5; None where it is no id."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else str(value)
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"(0|-?[1-9]\d{0,18})", value) else value
    return None


class Labels:
    """The labels of a dataset, collected from the categories of its files."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._labels: dict[str, Label] = {}
        self._told: set[tuple[str, str]] = set()

    def all(self) -> tuple[Label, ...]:
        """Return the labels met so far, in the order of the files."""
        return tuple(self._labels.values())

    def add(
        self, categories: Any, path: str, uses_zero: Callable[[], bool]
    ) -> dict[int | str, str]:
        """Take the categories of one file; return the name of the label of each category id.

        Roboflow's placeholder (id 0, supercategory "none") is left out, unless `uses_zero` says
        that there are annotations of it.
        """
        if not isinstance(categories, list):
            if categories is not None:
                text = f"categories in {path} is not a list, and was not read"
                self._ledger.note("categories are not understood", file=path, message=text)
            return {}
        names: dict[int | str, str] = {}
        taken: dict[str, Any] = {}
        for number, category in enumerate(categories):
            key = ident(category.get("id")) if isinstance(category, dict) else None
            if key is None:
                text = f"category {number} has no id, and was not read"
                self._note("a category has no id", path, f"$.categories[{number}]", text)
                continue
            if key == 0 and _placeholder(category, categories) and not uses_zero():
                text = f"category id 0 ({category.get('name')!r}) groups the others; it is not used"
                self._note("a placeholder is left out", path, f"$.categories[{number}]", text)
                continue
            if key in names:
                text = f"category id {key} comes twice; the first one counts"
                self._note("a category id comes twice", path, f"$.categories[{number}]", text)
                continue
            names[key] = self._name(category, key, taken, path, number)
            taken[names[key]] = key
            self._keep(self._label(category, key, names[key], path, number))
        self._look_alikes(names, path)
        if 0 in names:
            text = (
                f"category id 0 is the label {names[0]!r}; some other tools take 0 for "
                "the background"
            )
            self._note("category id 0 is a label", path, "$.categories", text)
        return names

    def unnamed(self, ids: set[int | str], path: str) -> dict[int | str, str]:
        """Return labels for ids of a file that declares no categories at all."""
        names = {key: f"category {key}" for key in sorted(ids, key=str)}
        for key, name in names.items():
            self._keep(Label(name, source_id=str(key)))
        text = f"{path} declares no categories: labels are named by the ids {sorted(ids, key=str)}"
        self._note("no categories are declared", path, "$.categories", text)
        return names

    def _name(
        self, category: dict[str, Any], key: int | str, taken: dict[str, Any], path: str, at: int
    ) -> str:
        where = f"$.categories[{at}]"
        given = category.get("name")
        name = given if isinstance(given, str) else "" if given is None else str(given)
        if not name.isascii():
            name = name.encode("utf-8", "replace").decode()  # a lone surrogate is no text
        if not name:
            name = f"category {key}"
            text = f"category id {key} has no name; the label is {name!r}"
            self._note("a category has no name", path, where, text)
        elif name != given:
            text = f"the name of category id {key} was read as {name!r}"
            self._note("a category's name is not text", path, where, text)
        if name in taken:
            plain, count = name, 2
            while name in taken:
                name, count = f"{plain} ({count})", count + 1
            text = (
                f"category ids {taken[plain]} and {key} are both named {plain!r}; the second is "
                f"named {name!r}"
            )
            self._note("two categories have one name", path, where, text)
        return name

    def _label(
        self, category: dict[str, Any], key: int | str, name: str, path: str, at: int
    ) -> Label:
        extra = {k: v for k, v in category.items() if k not in _KNOWN}
        if extra.get("supercategory") == "":
            del extra["supercategory"]
        color = _color(category.get("color"))
        if color is None and "color" in category:
            extra["color"] = category["color"]
        skeleton, odd = _skeleton(category)
        if odd:
            for k in ("keypoints", "skeleton"):
                if k in category:
                    extra[k] = category[k]
            text = f"the skeleton of {name!r} {odd}; it is kept as it was in the label's extra"
            self._note("a skeleton is not as COCO's", path, f"$.categories[{at}]", text)
        return Label(name, color=color, skeleton=skeleton, source_id=str(key), extra=extra)

    def _keep(self, label: Label) -> None:
        known = self._labels.setdefault(label.name, label)
        if known.skeleton is None and label.skeleton is not None:
            self._labels[label.name] = replace(
                known, skeleton=label.skeleton, extra={**label.extra, **known.extra}
            )

    def _look_alikes(self, names: dict[int | str, str], path: str) -> None:
        alike: dict[str, list[str]] = {}
        for name in names.values():
            plain = unicodedata.normalize("NFC", name).casefold().strip()
            alike.setdefault(plain, []).append(name)
        for group in alike.values():
            if len(group) > 1:
                text = f"the labels {', '.join(map(repr, group))} look alike; they are kept apart"
                self._note("labels look alike", path, "$.categories", text)

    def _note(self, reason: str, path: str, where: str, message: str) -> None:
        # The files of a dataset repeat their categories: said once is enough.
        if (reason, message) not in self._told:
            self._told.add((reason, message))
            self._ledger.note(reason, file=path, where=where, message=message)


def _placeholder(category: dict[str, Any], categories: list[Any]) -> bool:
    others = {c.get("supercategory") for c in categories if isinstance(c, dict)}
    return category.get("supercategory") == "none" and category.get("name") in others


def _color(value: Any) -> str | None:
    if isinstance(value, str) and _COLOR.fullmatch(value):
        return value.lower()
    if isinstance(value, list) and len(value) == 3:
        if all(isinstance(v, int) and 0 <= v <= 255 for v in value):
            return "#{:02x}{:02x}{:02x}".format(*value)
    return None


def _skeleton(category: dict[str, Any]) -> tuple[Skeleton | None, str]:
    # COCO counts joints from 1; exporters that count from 0 give themselves away by a 0.
    points, edges = category.get("keypoints"), category.get("skeleton")
    if not points and not edges:
        return None, ""
    points = points or []
    edges = edges or []
    if not (
        isinstance(points, list)
        and isinstance(edges, list)
        and all(isinstance(p, str) for p in points)
        and all(
            isinstance(e, list) and len(e) == 2 and all(type(i) is int and i >= 0 for i in e)
            for e in edges
        )
    ):
        return None, "is not a list of names and a list of pairs"
    first = 0 if any(0 in e for e in edges) else 1
    pairs = tuple((a - first, b - first) for a, b in edges)
    count = max((max(p) + 1 for p in pairs), default=0)
    if not points:
        return Skeleton(tuple(str(i + 1) for i in range(count)), pairs), "does not name its joints"
    if count > len(points):
        inside = tuple(p for p in pairs if max(p) < len(points))
        return Skeleton(tuple(points), inside), f"has edges to joint {count} of {len(points)}"
    return Skeleton(tuple(points), pairs), ""


def category_of(label: Label, number: int) -> dict[str, Any]:
    """Return the COCO category of a label, with id `number`."""
    extra = dict(label.extra)
    made: dict[str, Any] = {"id": number, "name": label.name}
    made["supercategory"] = extra.pop("supercategory", label.parent or "")
    if label.color and "color" not in extra:
        made["color"] = label.color
    if label.skeleton is not None:
        made["keypoints"] = list(label.skeleton.points)
        made["skeleton"] = [[a + 1, b + 1] for a, b in label.skeleton.edges]
    made.update((k, v) for k, v in extra.items() if k not in made or k in _KNOWN[2:4])
    return made
