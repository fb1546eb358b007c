"""Writing CVAT for images, and what both writers share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Label
from ..fitting import FileNames, Fitting, Holds, Row
from ..json_values import dumps
from ..writing import Export, Sink
from .head import definitions, head_lines
from .meta import Task
from .shapes import Bad, encode, pairs
from .xml import INVALID, attr, text

__all__ = ["ImagesWriter", "Numbers", "ShapeWriter", "Survey", "own"]

_SHAPES: Mapping[str, Sequence[str]] = {
    "box": ("rotation",), "polygon": (), "polyline": (), "points": (), "skeleton": (), "mask": (),
    "ellipse": ("rotation",), "cuboid": (),
}  # fmt: skip
_COLUMNS = ("occluded", "z_order", "group", "score", "attributes", "extra")
_IMAGES = Holds({**_SHAPES, "tag": ()}, (*_COLUMNS, "frame", "keyframe", "outside"))
_VIDEO = Holds(
    _SHAPES, (*_COLUMNS, "track", "frame", "keyframe", "outside"), kinds=("image", "video")
)
_SAFE_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_WRITTEN = frozenset(
    ("label", "source", "occluded", "outside", "keyframe", "frame", "z_order", "group_id", "score",
     "rotation", "points", "joints", "single", "closing", "rle", "left", "top", "width", "height",
     "cx", "cy", "rx", "ry")
)  # fmt: skip


def own(row: Row, name: str = "extra") -> dict[str, Any]:
    """Return what our reader kept of CVAT's in `extra` or `meta`."""
    given = row.get(name)
    found = json.loads(given).get("cvat") if given and '"cvat"' in given else None
    return found if isinstance(found, dict) else {}


@dataclass
class Survey:
    """What must be known before the head is written: labels, kinds of attributes, counts."""

    labels: dict[str, Label] = field(default_factory=dict)
    kinds: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    types: dict[str, dict[str, str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, export: Export) -> Survey:
        """Go through an export once."""
        found = cls({label.name: label for label in export.labels})
        for subset in export.subsets:
            found.counts[subset] = 0
            for batch in export.batches(subset):
                found.counts[subset] += batch.items.num_rows
                rows = batch.annotations.select(["label", "attributes"])
                for name in pc.unique(rows["label"]).to_pylist():
                    if name is not None:
                        found.labels.setdefault(name, Label(name))
                rows = rows.filter(pc.is_valid(rows["attributes"]))
                for row in rows.group_by(["label", "attributes"]).aggregate([]).to_pylist():
                    found._learn(row["label"] or "", json.loads(row["attributes"]))
        for name, label in found.labels.items():
            given = definitions(label.attributes, found.kinds.get(name, {}))
            found.types[name] = {one["name"]: one["input_type"] for one in given}
        return found

    def _learn(self, label: str, values: Mapping[str, Any]) -> None:
        kinds = self.kinds.setdefault(label, {})
        for name, value in values.items():
            if value is not None:
                kinds.setdefault(name, set()).add(_kind(value))


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "checkbox"
    return "number" if isinstance(value, (int, float)) else "text"


class ShapeWriter:
    """Turns rows into lines; what has no place is told to the ledger."""

    def __init__(self, survey: Survey, ledger: Ledger, *, video: bool) -> None:
        title = "CVAT for video" if video else "CVAT for images"
        self.fitting = Fitting(title, _VIDEO if video else _IMAGES, ledger)
        self._survey, self._title, self._ledger = survey, title, ledger
        self._lost: dict[str, int] = {}
        for label in survey.labels.values():
            if INVALID.search(label.name):
                ledger.note("characters that XML can't hold", message=f"in label {label.name!r}")
            if label.parent:
                self._lose("parent of a label")

    def _lose(self, what: str) -> None:
        self._lost[what] = self._lost.get(what, 0) + 1

    def close(self) -> None:
        """Note what has no place, at the end."""
        self.fitting.close()
        for what, count in sorted(self._lost.items()):
            self._ledger.note(f"no place in {self._title}", message=f"{what} of {count:,} records")

    def shape(
        self, item: Row, row: Row, place: Sequence[tuple[str, str]], depth: int
    ) -> list[str] | None:
        """Return the lines of a shape, None where it can't be written.

        `place` are attributes of a track's shape (frame, keyframe, outside) instead of the label.
        """
        try:
            drawn = encode(row)
            if drawn and drawn[0] == ("points", ""):
                raise Bad("shape without points", "it has no points")
        except Bad as bad:
            self.fitting.reject(item, row, bad.reason, bad.text)
            return None
        kept = own(row)
        if row.get("extra") and set(json.loads(row["extra"])) - {"cvat"}:
            self._lose("extra")
        kind = row["type"]
        said = list(place)
        if not place:
            said += [("label", row["label"]), ("source", str(kept.get("source", "manual")))]
        if kind != "tag":
            said += [("occluded", str(int(bool(row.get("occluded"))))), *drawn]
            said.append(("z_order", str(row.get("z_order") or 0)))
        if row.get("group"):
            said.append(("group_id", str(row["group"])))
        if row.get("score") is not None:
            said.append(("score", repr(row["score"])))
        said += [
            (k, v) for k, v in kept.items()
            if k not in _WRITTEN and isinstance(v, str) and _SAFE_NAME.fullmatch(k)
        ]  # fmt: skip
        indent = "  " * depth
        head = " ".join(f"{name}={attr(value)}" for name, value in said)
        inner = self._joints(item, row, kept, place[:1], depth + 1) if kind == "skeleton" else []
        inner += self._attributes(item, row, depth + 1)
        return [f"{indent}<{kind} {head}>", *inner, f"{indent}</{kind}>"]

    def _joints(
        self,
        item: Row,
        row: Row,
        kept: Mapping[str, Any],
        frame: Sequence[tuple[str, str]],
        depth: int,
    ) -> list[str]:
        if row.get("w") is not None:
            self._lose("box of a skeleton")
        bones = self._survey.labels[row["label"]].skeleton
        flat = row["points"]
        count = len(flat) // 2
        names = list(bones.points) if bones else []
        if len(names) != count:
            if names:
                text_of = f"it has {count} joints, its label {len(names)}"
                self.fitting.warn(item, row, "joints do not fit the label", text_of)
            names = [*names[:count], *map(str, range(len(names) + 1, count + 1))]
        shown = row.get("visibility") or [2] * count
        said_of = kept.get("joints", {})
        source = str(kept.get("source", "manual"))
        indent, made = "  " * depth, []
        for i, name in enumerate(names):
            more = said_of.get(name, {})
            said = [("label", name)]
            if frame:  # which CVAT does not need, and Datumaro does
                said += frame
                usual = row.get("keyframe") is not False
                said.append(("keyframe", str(int(bool(more.get("keyframe", usual))))))
            else:
                said.append(("source", source))
            said += [
                ("outside", str(int(shown[i] == 0))), ("occluded", str(int(shown[i] == 1))),
                ("points", pairs(flat[2 * i : 2 * i + 2])),
            ]  # fmt: skip
            head = " ".join(f"{n}={attr(v)}" for n, v in said)
            inner = [
                _attribute(str(n), str(v), depth + 1) for n, v in more.get("attributes", {}).items()
            ]
            made += [f"{indent}<points {head}>", *inner, f"{indent}</points>"]
        return made

    def _attributes(self, item: Row, row: Row, depth: int) -> list[str]:
        given = row.get("attributes")
        if not given or given == "{}":
            return []
        types = self._survey.types.get(row.get("label") or "", {})
        made = []
        for name, value in json.loads(given).items():
            if value is None:
                self.fitting.warn(item, row, "attribute without a value", f"{name} is left out")
                continue
            kind = _kind(value)
            if kind == "checkbox":
                shown = "true" if value else "false"
            elif isinstance(value, str):
                shown = value
            else:
                shown = dumps(value)
            typed = types.get(name, "text")
            if not isinstance(value, str) and typed != kind:
                self.fitting.warn(item, row, "attribute written as text", f"{name} is {shown}")
            if INVALID.search(shown) or INVALID.search(name):
                self.fitting.warn(item, row, "characters that XML can't hold", f"in {name!r}")
            made.append(_attribute(name, shown, depth))
        return made


def _attribute(name: str, value: str, depth: int) -> str:
    return f"{'  ' * depth}<attribute name={attr(name)}>{text(value)}</attribute>"


class Numbers:
    """Gives things the numbers that CVAT knows them by: their own, where they have one."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._next = 0

    def of(self, source_id: str | None) -> int:
        """Return the number that `source_id` is, if it is one and it is free; else the next."""
        if source_id and source_id.isascii() and source_id.isdigit() and len(source_id) < 10:
            number = int(source_id)
        else:
            number = -1
        if number < 0 or number in self._taken:
            while self._next in self._taken:
                self._next += 1
            number = self._next
        self._taken.add(number)
        return number


class ImagesWriter:
    """One export as CVAT for images."""

    def __init__(self, export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
        self._export, self._sink, self._ledger, self._progress = export, sink, ledger, progress
        self._names = FileNames()
        self._media: list[tuple[str, int]] = []

    def write(self) -> None:
        """Write annotations.xml, then the images."""
        export = self._export
        survey = Survey.of(export)
        tasks = [
            Task(str(n), subset if len(export.subsets) > 1 else export.name, subset,
                 mode="annotation", size=survey.counts[subset])
            for n, subset in enumerate(export.subsets, 1)
        ]  # fmt: skip
        shapes = ShapeWriter(survey, self._ledger, video=False)
        self._progress.start("Writing annotations.xml", sum(survey.counts.values()), "items")
        with self._sink.open("annotations.xml") as stream:
            head = head_lines(export.name, tasks, survey)
            stream.write("".join(f"{line}\n" for line in head).encode())
            for task in tasks:
                for block in self._images(task, shapes, project=len(tasks) > 1):
                    stream.write("".join(f"{line}\n" for line in block).encode())
            stream.write(b"</annotations>\n")
        shapes.close()
        if self._sink.saves_media:
            for path, number in self._progress.each(self._media, "Writing images", "images"):
                self._sink.add_media(path, number)

    def _images(self, task: Task, shapes: ShapeWriter, *, project: bool) -> Iterator[list[str]]:
        subset = task.subset or ""
        folder = f"images/{subset}" if project else "images"
        numbers = Numbers()
        for batch in self._export.batches(subset):
            for item, rows in shapes.fitting.fit(batch):
                path = self._names.of(item, folder)
                name = path[len(folder) + 1 :]
                if name != item["key"] or INVALID.search(name):
                    self._ledger.warn(
                        "renamed", file=item["key"], record="item", item=item["key"],
                        message=f"{item['key']} is written as {name}",
                    )  # fmt: skip
                self._media.append((path, item["number"]))
                said = [("id", str(numbers.of(item.get("source_id")))), ("name", name)]
                if project:
                    said += [("subset", subset), ("task_id", task.id)]
                said += [(n, str(item[n])) for n in ("width", "height") if item.get(n)]
                block = [f"  <image {' '.join(f'{n}={attr(v)}' for n, v in said)}>"]
                for row in rows:
                    if row.get("outside"):
                        why = "where a track is not seen, an image has no shape"
                        shapes.fitting.reject(item, row, "outside the view", why)
                        continue
                    block += shapes.shape(item, row, (), 2) or []
                yield [*block, "  </image>"]
            self._progress.advance(batch.items.num_rows)
