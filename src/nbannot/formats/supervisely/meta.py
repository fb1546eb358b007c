"""meta.json: the classes and tags of a project."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...ledger import Ledger
from ...schema import Label, Skeleton
from ..json_values import dumps

__all__ = ["Meta", "hex_color", "skeleton_of"]

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def hex_color(value: Any) -> str | None:
    """Return a colour as ``#rrggbb``; [r, g, b] is what old projects have."""
    if isinstance(value, str) and _COLOR.fullmatch(value):
        return value.lower()
    if isinstance(value, list) and len(value) == 3:
        if all(isinstance(v, int) and 0 <= v < 256 for v in value):
            return "#{:02x}{:02x}{:02x}".format(*value)
    return None


def skeleton_of(config: Any) -> tuple[list[str], Skeleton] | None:
    """Return the keys of a template's nodes, and the skeleton that they make."""
    nodes = config.get("nodes") if isinstance(config, Mapping) else None
    if not isinstance(nodes, Mapping) or not nodes:
        return None
    keys = [str(k) for k in nodes]
    names = [
        str(node.get("label") or key) if isinstance(node, Mapping) else key
        for key, node in zip(keys, nodes.values(), strict=True)
    ]
    if len(set(names)) < len(names):
        names = keys
    place = {key: i for i, key in enumerate(keys)}
    edges = config.get("edges")
    pairs = []
    for edge in edges if isinstance(edges, list) else ():
        if isinstance(edge, Mapping):
            ends = place.get(str(edge.get("src"))), place.get(str(edge.get("dst")))
            if ends[0] is not None and ends[1] is not None:
                pairs.append((ends[0], ends[1]))
    return keys, Skeleton(tuple(names), tuple(pairs))


@dataclass
class Meta:
    """Classes by title, tags by name, as the file has them."""

    classes: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, Any]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)  # id of a class → its title
    found: bool = False

    def add(self, value: Any, file: str, ledger: Ledger) -> None:
        """Take over what a meta.json says; what is not understood is noted."""
        if not isinstance(value, Mapping):
            ledger.note("meta.json is not understood", file=file, message=f"{file}: no object")
            return
        self.found = True
        for entry in self._entries(value, "classes", file, ledger):
            title = entry.get("title") or entry.get("name")
            if not isinstance(title, str):
                text = f"{file}: a class without a title: {entry!r:.80}"
                ledger.note("class without a title", file=file, message=text)
                continue
            self.classes.setdefault(title, dict(entry))
            if entry.get("id") is not None:
                self.titles[str(entry["id"])] = title
        for kind, scope in (
            ("tags", ""),
            ("tags_images", "imagesOnly"),
            ("tags_objects", "objectsOnly"),
        ):
            for entry in self._entries(value, kind, file, ledger):
                name = entry.get("name")
                if isinstance(name, str):
                    made = {"applicable_type": scope, **entry} if scope else dict(entry)
                    self.tags.setdefault(name, made)

    def _entries(
        self, value: Mapping[str, Any], key: str, file: str, ledger: Ledger
    ) -> list[Mapping[str, Any]]:
        given = value.get(key, [])
        if isinstance(given, Mapping):
            given = list(given.values())
        if not isinstance(given, list):
            ledger.note(
                "meta.json is not understood", file=file, message=f"{file}: {key} is no list"
            )
            return []
        named = [{"name": v} if isinstance(v, str) else v for v in given]
        return [v for v in named if isinstance(v, Mapping)]

    def shape(self, title: str) -> str:
        """Return the shape that figures of a class have, "" where it is not said."""
        shape = self.classes.get(title, {}).get("shape")
        return shape if isinstance(shape, str) and shape != "any" else ""

    def labels(self) -> list[Label]:
        """Return the classes, then the tags of images, as labels."""
        made = [self._class_label(title, entry) for title, entry in self.classes.items()]
        for name, entry in self.tags.items():
            if entry.get("applicable_type") == "imagesOnly" and name not in self.classes:
                made.append(self.tag_label(name))
        return made

    def tag_label(self, name: str) -> Label:
        """Return a tag as a label of its own."""
        entry = self.tags.get(name, {})
        extra = {k: v for k, v in entry.items() if k not in ("name", "color", "id", "hotkey")}
        return Label(
            name, color=hex_color(entry.get("color")), source_id=_text(entry.get("id")),
            hotkey=_text(entry.get("hotkey")), extra={"supervisely": {"tag": extra}},
        )  # fmt: skip

    def _class_label(self, title: str, entry: Mapping[str, Any]) -> Label:
        known = ("title", "name", "color", "id", "hotkey")
        own = {k: v for k, v in entry.items() if k not in known and v not in ({}, "", None)}
        graph = skeleton_of(entry.get("geometry_config"))
        return Label(
            title, color=hex_color(entry.get("color")), source_id=_text(entry.get("id")),
            hotkey=_text(entry.get("hotkey")), skeleton=graph[1] if graph else None,
            attributes=tuple(self._attributes(title)), extra={"supervisely": own} if own else {},
        )  # fmt: skip

    def _attributes(self, title: str) -> list[Mapping[str, Any]]:
        # Tags that objects of a class can have, as definitions of attributes.
        made: list[Mapping[str, Any]] = []
        for name, entry in self.tags.items():
            only = entry.get("classes")
            if entry.get("applicable_type") == "imagesOnly" or (only and title not in only):
                continue
            kept = {k: v for k, v in entry.items() if k in ("value_type", "values", "color") and v}
            made.append({"name": name, **kept})
        return made


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else dumps(value)
