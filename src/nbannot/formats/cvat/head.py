"""The head of a CVAT file, written: the reverse of `meta`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from ...schema import Label, Skeleton
from .meta import Frame, Task
from .xml import attr, text

__all__ = ["definitions", "head_lines"]


class Labels(Protocol):
    """Labels by name, and the types of values that their attributes have."""

    labels: dict[str, Label]
    kinds: dict[str, dict[str, set[str]]]


def head_lines(
    name: str, tasks: Sequence[Task], labels: Labels, frames: Sequence[Frame] = ()
) -> Iterator[str]:
    """Yield the lines of a file up to its first image or track; several tasks are a project."""
    yield from ('<?xml version="1.0" encoding="utf-8"?>', "<annotations>")
    yield from ("  <version>1.1</version>", "  <meta>")
    if len(tasks) == 1:
        yield "    <task>"
        yield from (line for tag, v in _task(tasks[0]) for line in lines(tag, v, 3))
        scope = "task"
    else:
        scope = "project"
        yield "    <project>"
        yield from lines("name", name, 3)
        yield from lines("tasks", [("task", _task(task)) for task in tasks], 3)
        yield from lines("subsets", "\n".join(t.subset or "" for t in tasks), 3)
    yield from label_lines(labels, 3)
    yield f"    </{scope}>"
    if frames:
        yield "    <frames>"
        yield from (frame_line(frame, 3) for frame in frames)
        yield "    </frames>"
    yield "  </meta>"


def _task(task: Task) -> list[tuple[str, Any]]:
    stop = task.stop if task.stop is not None else task.start + max((task.size or 1) - 1, 0)
    said: list[tuple[str, Any]] = [
        ("id", task.id), ("name", task.name), ("size", task.size or 0), ("mode", task.mode),
        ("subset", task.subset or ""), ("start_frame", task.start), ("stop_frame", stop),
        ("frame_filter", f"step={task.step}" if task.step != 1 else ""),
    ]  # fmt: skip
    if task.source:
        said.append(("source", task.source))
    if task.width and task.height:
        size = [("width", task.width), ("height", task.height)]
        said.append(("original_size", size))
    return [(tag, value) for tag, value in said if tag != "id" or value]


def lines(tag: str, value: Any, depth: int) -> list[str]:
    """Return an element as lines: of a text or number, or of (tag, value) pairs."""
    indent = "  " * depth
    if isinstance(value, list):
        inner = [line for name, v in value for line in lines(name, v, depth + 1)]
        return [f"{indent}<{tag}>", *inner, f"{indent}</{tag}>"]
    return [f"{indent}<{tag}>{text(str(value))}</{tag}>"]


def frame_line(frame: Frame, depth: int) -> str:
    """Return the line of one frame."""
    said = {"id": str(frame.number), "name": frame.name, "subset": frame.subset}
    said |= {n: str(v) for n, v in (("width", frame.width), ("height", frame.height)) if v}
    inner = " ".join(f"{n}={attr(v)}" for n, v in said.items() if v is not None)
    return f"{'  ' * depth}<frame {inner}/>"


def label_lines(labels: Labels, depth: int) -> list[str]:
    """Return ``<labels>``."""
    made = []
    for label in labels.labels.values():
        own = label.extra.get("cvat", {})
        own = own if isinstance(own, Mapping) else {}
        defined = definitions(label.attributes, labels.kinds.get(label.name, {}))
        bones = label.skeleton
        kind = "skeleton" if bones else own.get("type", "any")
        made.append(_label_pairs(label.name, label.color, kind, defined))
        if bones is None:
            continue
        made[-1].append(("svg", _drawing(bones, own.get("places", {}))))
        parts = own.get("joints", {})
        for joint in bones.points:
            part = parts.get(joint, {})
            pairs = _label_pairs(
                joint, part.get("color"), "points", definitions(part.get("attributes", ()), {})
            )
            made.append([*pairs, ("parent", label.name)])
    return lines("labels", [("label", pairs) for pairs in made], depth)


def _label_pairs(
    name: str, color: str | None, kind: str, defined: Sequence[Mapping[str, Any]]
) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = [("name", name)]
    if color:
        pairs.append(("color", color))
    inner = [
        (
            "attribute",
            [
                ("name", a["name"]),
                ("mutable", str(bool(a.get("mutable")))),
                ("input_type", a["input_type"]),
                ("default_value", a.get("default_value") or ""),
                ("values", "\n".join(map(str, a.get("values") or ()))),
            ],
        )
        for a in defined
    ]
    return [*pairs, ("type", kind), ("attributes", inner)]


def definitions(
    given: Sequence[Mapping[str, Any]], kinds: Mapping[str, set[str]]
) -> list[dict[str, Any]]:
    """Return the definitions of attributes: those given, and those that only values show."""
    found: list[dict[str, Any]] = []
    for one in given:
        name = str(one.get("name", ""))
        if name and one.get("input_type") in ("select", "radio", "checkbox", "number", "text"):
            found.append({**one, "name": name})
        elif name and name not in kinds:
            found.append({"name": name, "input_type": "text"})
    known = {one["name"] for one in found}
    for name in sorted(set(kinds) - known):
        only = next(iter(kinds[name])) if len(kinds[name]) == 1 else "text"
        default = {"checkbox": "false", "number": "0"}.get(only, "")
        values = {"checkbox": ["false"], "number": ["-1000000", "1000000", "1"]}.get(only, [])
        found.append({"name": name, "input_type": only, "default_value": default, "values": values})
    return found


def _drawing(bones: Skeleton, places: Mapping[str, Sequence[float]]) -> str:
    # The template that CVAT's editor needs of a skeleton: where nothing is known, a circle.
    count = len(bones.points)
    xy = []
    for i, joint in enumerate(bones.points):
        turn = 2 * math.pi * i / max(count, 1)
        at = places.get(joint) or (50 + 40 * math.sin(turn), 50 - 40 * math.cos(turn))
        xy.append((round(float(at[0]), 3), round(float(at[1]), 3)))
    made = []
    for a, b in bones.edges:
        (x1, y1), (x2, y2) = xy[a], xy[b]
        made.append(
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="black" data-type="edge" '
            f'data-node-from="{a + 1}" stroke-width="0.5" data-node-to="{b + 1}"></line>'
        )
    for i, joint in enumerate(bones.points):
        name = text(joint).replace('"', "&quot;")
        made.append(
            f'<circle r="1.5" stroke="black" fill="#b3b3b3" cx="{xy[i][0]}" cy="{xy[i][1]}" '
            f'stroke-width="0.1" data-type="element node" data-element-id="{i + 1}" '
            f'data-node-id="{i + 1}" data-label-name="{name}"></circle>'
        )
    return "".join(made)
