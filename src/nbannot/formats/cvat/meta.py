"""The head of a CVAT file: labels, their attributes and skeletons, tasks, sizes."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree.ElementTree import Element

from ...schema import Label, Skeleton

__all__ = ["Frame", "Header", "MetaBuilder", "Task", "parse"]

_MAX_DEPTH = 50
_TAG = re.compile(r"<(line|circle)\s([^>]*)>")
_PAIR = re.compile(r'([\w-]+)\s*=\s*"([^"]*)"')
_COLOR = re.compile("#[0-9a-fA-F]{6}")
_KNOWN_TASK = frozenset(
    ("id", "name", "size", "mode", "start_frame", "stop_frame", "frame_filter", "subset", "source",
     "original_size", "labels", "tasks", "subsets", "z_order")
)  # fmt: skip


@dataclass
class Frame:
    """An image that is a frame of a track's task: our own addition, other tools skip it."""

    subset: str | None
    number: int
    name: str
    width: int | None = None
    height: int | None = None


@dataclass
class Task:
    """What the head says of one task (or of the job that was exported)."""

    id: str = ""
    name: str = ""
    subset: str | None = None
    source: str = ""
    mode: str = ""
    size: int | None = None
    start: int = 0
    stop: int | None = None
    step: int = 1
    width: int | None = None
    height: int | None = None


@dataclass
class Header:
    """What the head of a file says.

    `values` are the converters of attributes by label, for those that are not text; `skipped` the
    names of what it says beyond.
    """

    labels: list[Label] = field(default_factory=list)
    values: dict[str, dict[str, Callable[[str], Any]]] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    task: Task = field(default_factory=Task)
    subsets: list[str] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    is_project: bool = False

    def task_of(self, task_id: str | None) -> Task:
        """Return the task of this id, or the only one."""
        return self.tasks.get(task_id or "", self.task)


class MetaBuilder:
    """Makes a tree of the events of ``<meta>``; deeper than 50 levels it is cut."""

    def __init__(self) -> None:
        self._tree = ET.TreeBuilder()
        self._depth = 0
        self.data = self._tree.data

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        """Open an element."""
        self._depth += 1
        if self._depth <= _MAX_DEPTH:
            self._tree.start(tag, attrs)

    def end(self, tag: str) -> bool:
        """Close an element; is it the last one?"""
        if self._depth <= _MAX_DEPTH:
            self._tree.end(tag)
        self._depth -= 1
        return self._depth == 0

    def close(self) -> Element:
        """Return the tree."""
        made = self._tree.close()
        assert isinstance(made, Element)
        return made


# -- reading -------------------------------------------------------------------------


def parse(meta: Element) -> Header:
    """Return what ``<meta>`` says."""
    header = Header()
    head = next((e for e in map(meta.find, ("task", "project", "job")) if e is not None), meta)
    header.is_project = head.tag == "project"
    header.task = _task(head, meta)
    for element in meta.iterfind(".//tasks/task"):
        task = _task(element, None)
        header.tasks[task.id] = task
    header.subsets = [s for s in (head.findtext("subsets") or "").split("\n") if s]
    if header.is_project and len(header.tasks) == 1:
        header.task = next(iter(header.tasks.values()))
    _labels(meta, header)
    for element in meta.iterfind("frames/frame"):
        number = _whole(element.get("id"))
        if number is not None and element.get("name"):
            header.frames.append(
                Frame(
                    element.get("subset"), number, element.get("name") or "",
                    _positive(element.get("width")), _positive(element.get("height")),
                )
            )  # fmt: skip
    header.skipped = sorted({e.tag for e in head if e.tag not in _KNOWN_TASK and _is_said(e)})
    return header


def _is_said(element: Element) -> bool:
    return any((e.text or "").strip() for e in element.iter())


def _task(element: Element, meta: Element | None) -> Task:
    def said(path: str) -> str:
        found = element.findtext(path)
        if found is None and meta is not None:
            found = meta.findtext(path)
        return (found or "").strip()

    step = re.search(r"step\s*=\s*(\d+)", said("frame_filter"))
    width = height = None
    for place in (element, meta):
        size = None if place is None else place.find(".//original_size")
        if size is not None and width is None:
            width, height = (_positive(size.findtext(n)) for n in ("width", "height"))
    return Task(
        said("id"), said("name"), said("subset") or None, said("source"), said("mode"),
        _whole(said("size")), _whole(said("start_frame")) or 0, _whole(said("stop_frame")),
        max(int(step[1]) if step and len(step[1]) < 10 else 1, 1), width, height,
    )  # fmt: skip


def _whole(given: str | None) -> int | None:
    given = (given or "").strip()
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else None


def _positive(given: str | None) -> int | None:
    value = _whole(given)
    return value if value and value < 1 << 31 else None


def _name(element: Element, tag: str = "name") -> str:
    # Kept as written, but for the line breaks of a pretty printer.
    given = element.findtext(tag) or ""
    return given.strip() if "\n" in given else given


def _labels(meta: Element, header: Header) -> None:
    children: dict[str, list[Element]] = {}
    tops: list[Element] = []
    for element in meta.iterfind(".//labels/label"):
        if not _name(element):
            continue
        parent = _name(element, "parent")
        if parent:
            children.setdefault(parent, []).append(element)
        else:
            tops.append(element)
    seen: set[str] = set()
    for element in tops:
        name = _name(element)
        if name in seen:
            continue
        seen.add(name)
        header.labels.append(_label(element, name, children.pop(name, [])))
        header.values[name] = _converters(element)
    for parent, orphans in children.items():
        for element in orphans:
            if (name := _name(element)) not in seen:
                seen.add(name)
                header.labels.append(replace(_label(element, name, []), parent=parent))


def _label(element: Element, name: str, joints: list[Element]) -> Label:
    own: dict[str, Any] = {}
    kind = _name(element, "type")
    if kind and kind != "any":
        own["type"] = kind
    bones = None
    svg = element.findtext("svg") or ""
    if joints or kind == "skeleton":
        names, edges, places = _svg(svg)
        if joints:
            names = list(dict.fromkeys(_name(e) for e in joints))
        at = {joint: i for i, joint in enumerate(names)}
        pairs = tuple((at[a], at[b]) for a, b in edges if a in at and b in at)
        bones = Skeleton(tuple(names), pairs) if names else None
        parts = {_name(e): _part(e) for e in joints}
        if any(parts.values()):
            own["joints"] = {joint: said for joint, said in parts.items() if said}
        if places:
            own["places"] = {joint: xy for joint, xy in places.items() if joint in at}
    return Label(
        name,
        color=_color(element),
        skeleton=bones,
        attributes=tuple(_attributes(element)),
        extra={"cvat": own} if own else {},
    )


def _color(element: Element) -> str | None:
    given = (element.findtext("color") or "").strip()
    return given.lower() if _COLOR.fullmatch(given) else None


def _part(element: Element) -> dict[str, Any]:
    said: dict[str, Any] = {"color": _color(element), "attributes": _attributes(element)}
    return {k: v for k, v in said.items() if v}


def _attributes(element: Element) -> list[dict[str, Any]]:
    found = []
    for given in element.iterfind("attributes/attribute"):
        name = _name(given)
        if not name:
            continue
        values = [v.strip() for v in (given.findtext("values") or "").split("\n")]
        found.append(
            {
                "name": name,
                "mutable": (given.findtext("mutable") or "").strip().lower() == "true",
                "input_type": (given.findtext("input_type") or "text").strip(),
                "default_value": (given.findtext("default_value") or "").strip(),
                "values": [v for v in values if v],
            }
        )
    return found


_FLAGS = {"true": True, "false": False}


def _flag(given: str) -> Any:
    return _FLAGS.get(given.strip().lower(), given)


def _numeric(given: str) -> Any:
    try:
        value = float(given)
    except ValueError:
        return given
    if not math.isfinite(value):
        return given
    whole = given.strip().lstrip("+-")
    return int(given) if whole.isascii() and whole.isdigit() and len(whole) < 300 else value


_CONVERTERS: Mapping[str, Callable[[str], Any]] = {"checkbox": _flag, "number": _numeric}


def _converters(element: Element) -> dict[str, Callable[[str], Any]]:
    return {
        a["name"]: _CONVERTERS[a["input_type"]]
        for a in _attributes(element)
        if a["input_type"] in _CONVERTERS
    }


def _svg(svg: str) -> tuple[list[str], list[tuple[str, str]], dict[str, list[float]]]:
    # Names of the joints, edges between them, and where the template puts them. The drawing
    # itself is never kept: it is a page's code in a file that anybody may have made.
    nodes: dict[str, str] = {}
    places: dict[str, list[float]] = {}
    lines: list[tuple[str, str]] = []
    for tag, inner in _TAG.findall(svg):
        said = dict(_PAIR.findall(inner))
        if tag == "line":
            lines.append((said.get("data-node-from", ""), said.get("data-node-to", "")))
            continue
        node = said.get("data-node-id") or said.get("data-element-id") or ""
        name = said.get("data-label-name", "")
        for code, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
            name = name.replace(code, sign)
        if not name:
            continue
        nodes[node] = name
        try:
            at = [float(said["cx"]), float(said["cy"])]
        except (KeyError, ValueError):
            continue
        if all(map(math.isfinite, at)):
            places[name] = at
    edges = [(nodes[a], nodes[b]) for a, b in lines if a in nodes and b in nodes]
    return list(dict.fromkeys(nodes.values())), edges, places
