"""The ``categories`` of a Datumaro file as labels, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...schema import Label, Skeleton
from ..json_documents import whole
from ..mask_images import hex_color, parse_color

__all__ = ["SPECIAL", "LabelTable", "Labels"]

SPECIAL = frozenset(("occluded", "rotation", "score", "track_id", "keyframe", "outside"))
"""Attributes that CVAT and Datumaro write of their own among a user's: columns of ours."""

Note = Callable[[str, str], None]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


class Labels:
    """The labels of one file, by their ids: the places in ``categories.label.labels``.

    * `names` are their names; `joints` the names of the joints of those that have a skeleton.
    * `declared` are those that are labels of their own: the joints of a skeleton, which CVAT
      lists as labels with the skeleton as their parent, are not.
    """

    def __init__(self, categories: Mapping[str, Any], note: Note) -> None:
        """`note` is told of what can't be understood: a reason and a sentence."""
        self._note = note
        part = {k: v if isinstance(v, dict) else {} for k, v in categories.items()}
        label = part.get("label", {})
        records = label.get("labels")
        records = records if isinstance(records, list) else []
        self.names = [self._name(r, n) for n, r in enumerate(records)]
        self._parents = [r.get("parent") if isinstance(r, dict) else None for r in records]
        self._records = [r if isinstance(r, dict) else {} for r in records]
        points = {whole(p.get("label_id")): p for p in _dicts(part.get("points", {}).get("items"))}
        self.joints = {
            i: tuple(map(str, p["labels"]))
            for i, p in points.items()
            if i is not None and isinstance(p.get("labels"), list) and p["labels"]
        }
        colors = {}
        for c in _dicts(part.get("mask", {}).get("colormap")):
            channels = [whole(c.get(n)) for n in "rgb"]
            rgb = [v for v in channels if v is not None and v < 256]
            if len(rgb) == 3:
                colors[whole(c.get("label_id"))] = hex_color(rgb)
        common = [n for n in _texts(label.get("attributes")) if n not in SPECIAL]
        groups = _dicts(label.get("label_groups"))
        self.declared = [
            self._label(i, points.get(i, {}), colors.get(i), common, groups)
            for i in range(len(self.names))
            if not self._is_joint(i)
        ]

    def _name(self, record: Any, number: int) -> str:
        name = record.get("name") if isinstance(record, dict) else record
        if isinstance(name, str) and name:
            return name
        text = f"label {number} is called {name!r:.80}; it is read as {number}"
        self._note("label without a name", text)
        return str(number)

    def _is_joint(self, i: int) -> bool:
        parent = self._parents[i]
        if not parent or parent == self.names[i]:
            return False
        return any(
            self.names[p] == parent and self.names[i] in joints
            for p, joints in self.joints.items()
            if p < len(self.names)
        )

    def _label(
        self, i: int, points: Mapping[str, Any], color: str | None, common: Sequence[str],
        groups: Sequence[Mapping[str, Any]],
    ) -> Label:  # fmt: skip
        name, parent = self.names[i], self._parents[i]
        own = [n for n in _texts(self._records[i].get("attributes")) if n not in SPECIAL]
        attributes: list[dict[str, Any]] = [{"name": n} for n in own]
        attributes += [{"name": n, "of_all_labels": True} for n in common if n not in own]
        kept: dict[str, Any] = {}
        mine = [
            [g.get("name"), g.get("group_type")] for g in groups if name in _texts(g.get("labels"))
        ]
        if mine:
            kept["groups"] = mine
        if isinstance(points.get("positions"), list) and points["positions"]:
            kept["positions"] = points["positions"]
        theirs = {
            self.names[k]: found
            for k, record in enumerate(self._records)
            if self._parents[k] == name and self._is_joint(k)
            and (found := _texts(record.get("attributes")))
        }  # fmt: skip
        if theirs:
            kept["joint_attributes"] = theirs
        skeleton = None
        if i in self.joints:
            if not any(p == name and self._is_joint(k) for k, p in enumerate(self._parents)):
                kept["bare_joints"] = True  # they are no labels with this as their parent
            skeleton = Skeleton(self.joints[i], self._edges(name, points, len(self.joints[i])))
        return Label(
            name,
            color=color,
            parent=parent if isinstance(parent, str) and parent else None,
            skeleton=skeleton,
            attributes=tuple(attributes),
            source_id=str(i),
            extra={"datumaro": kept} if kept else {},
        )

    def _edges(
        self, name: str, points: Mapping[str, Any], count: int
    ) -> tuple[tuple[int, int], ...]:
        found = points.get("joints") if isinstance(points.get("joints"), list) else []
        pairs = [[whole(v) for v in j] for j in found or [] if isinstance(j, list) and len(j) == 2]
        first = 0 if any(0 in pair for pair in pairs) else 1  # CVAT's sample counts from 0
        edges = []
        for a, b in pairs:
            if a is None or b is None or max(a, b) - first >= count:
                self._note("joint is not understood", f"{name} joins points {a} and {b}")
            else:
                edges.append((a - first, b - first))
        return tuple(edges)


class LabelTable:
    """The labels of an export, with their ids, as ``categories``."""

    def __init__(self, labels: Sequence[Label], *, legacy: bool) -> None:
        """`legacy`: as CVAT wants it, the joints of a skeleton are labels, too."""
        self._labels, self._legacy = list(labels), legacy
        self.ids: dict[str, int] = {}
        self.skeletons: dict[str, Skeleton] = {}
        records: list[dict[str, Any]] = []
        taken: set[tuple[str, str]] = set()
        common: dict[str, None] = {}
        for label in labels:
            if label.name in self.ids:
                continue
            self.ids[label.name] = len(records)
            own = [str(a["name"]) for a in label.attributes if not a.get("of_all_labels")]
            common.update(
                (str(a["name"]), None) for a in label.attributes if a.get("of_all_labels")
            )
            record = {"name": label.name, "parent": label.parent or "", "attributes": sorted(own)}
            records.append(record)
            taken.add((label.name, label.parent or ""))
        for label in labels:
            if label.skeleton is None or not label.skeleton.points:
                continue
            self.skeletons[label.name] = label.skeleton
            theirs = _kept(label).get("joint_attributes", {})
            if _kept(label).get("bare_joints") if legacy else not theirs:
                continue
            for joint in label.skeleton.points:
                if (joint, label.name) not in taken:
                    taken.add((joint, label.name))
                    records.append(
                        {
                            "name": joint,
                            "parent": label.name,
                            "attributes": theirs.get(joint, []),
                        }
                    )
        self._records = records
        self.common = common

    def of(self, name: str) -> int:
        """Return the id of a label; one that was not declared is added."""
        if name not in self.ids:
            self.ids[name] = len(self._records)
            self._records.append({"name": name, "parent": "", "attributes": []})
        return self.ids[name]

    def categories(self) -> dict[str, Any]:
        """Return what is written as ``categories``."""
        legacy = self._legacy
        label: dict[str, Any] = {"labels": self._records}
        if not legacy:
            label["label_groups"] = self._groups()
        label["attributes"] = sorted({*self.common, *(() if not legacy else ("occluded",))})
        made: dict[str, Any] = {"label": label}
        colors = [
            {"label_id": self.ids[one.name], "r": rgb[0], "g": rgb[1], "b": rgb[2]}
            for one in self._labels
            if (rgb := parse_color(one.color)) is not None
        ]
        if colors:
            made["mask"] = {"colormap": colors}
        items = [self._points(one) for one in self._labels
                 if self.skeletons.get(one.name) is one.skeleton is not None]  # fmt: skip
        if items or legacy:
            made["points"] = {"items": items}
        return made

    def _points(self, label: Label) -> dict[str, Any]:
        assert label.skeleton is not None
        joints = [[a + 1, b + 1] for a, b in label.skeleton.edges]
        item: dict[str, Any] = {
            "label_id": self.ids[label.name], "labels": list(label.skeleton.points),
            "joints": joints,
        }  # fmt: skip
        if not self._legacy:
            item["positions"] = _kept(label).get("positions", [])
        return item

    def _groups(self) -> list[dict[str, Any]]:
        groups: dict[tuple[Any, Any], list[str]] = {}
        for label in self._labels:
            for name, kind in _kept(label).get("groups", ()):
                groups.setdefault((name, kind), []).append(label.name)
        return [
            {"name": name, "group_type": kind, "labels": labels}
            for (name, kind), labels in groups.items()
        ]


def _kept(label: Label) -> dict[str, Any]:
    kept = label.extra.get("datumaro")
    return kept if isinstance(kept, dict) else {}
