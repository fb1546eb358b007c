"""Shapes, attributes and joints of CVAT's XML: events of the parser to rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...schema import Label, Skeleton
from ..json_values import dumps
from .columns import ATTRIBUTES, OUTSIDE, Row, posed_row
from .meta import Header
from .shapes import FLAGS, GEOMETRY_OF, KNOWN, Bad, Size, extra_of, points_of, skeleton
from .video import Frames, Joint, Track
from .xml import parser

if TYPE_CHECKING:
    from .read import CvatReader

__all__ = ["EMPTY", "REJECTED", "ShapeEvents"]

EMPTY: Mapping[str, Any] = {}
REJECTED = -1
"""Number of an item that was rejected: what is on it, is too."""

_NOTHING = (None,) * 10
_PLAIN = len(("label", "source", "occluded", "xtl", "ytl", "xbr", "ybr", "z_order"))


class ShapeEvents:
    """The state within one image or track; `FileReader` knows where they begin."""

    frames: Frames

    def __init__(self, whole: CvatReader, path: str) -> None:
        self.whole, self.path = whole, path
        self.ledger, self.columns = whole.ledger, whole.columns
        self.header = Header()
        self.parser = parser(path)
        self.is_open = False
        self._met = self._record = 0
        self._item: int | None = None
        self._key = ""
        self._size: Size = (None, None)
        self._track: Track | None = None
        self._undeclared: set[str] = set()
        self._typed: Mapping[str, Any] = EMPTY
        self._kept: list[Row] | None = None
        self._values: dict[str, Any] = {}
        self._name = ""
        self._text: list[str] = []
        self._skeleton: dict[str, str] | None = None
        self._joints: list[Joint] = []
        self._joint: Joint | None = None
        self._joint_track: str | None = None

    def reject(self, reason: str, text: str) -> None:
        """Reject the shape that is being read."""
        self._say("reject", reason, text)

    def warn(self, reason: str, text: str, record: str = "") -> None:
        """Warn of the shape that is being read."""
        self._say("warn", reason, text, record)

    def _say(self, how: str, reason: str, text: str, record: str = "") -> None:
        record = record or self.record
        key = self._key if self._item is not None else ""
        getattr(self.ledger, how)(
            reason, file=self.path, where=f"line {self.parser.CurrentLineNumber}", record=record,
            item=key, message=f"{record}{f' of {key}' if key else ''}: {text}",
        )  # fmt: skip

    @property
    def record(self) -> str:
        """What the ledger calls the shape that is being read."""
        return f"shape {self._record}"

    # -- shapes -----------------------------------------------------------------------

    def _start_shape(self, tag: str, attrs: dict[str, str]) -> None:
        if self._skeleton is not None or self._joint_track is not None:
            self._start_joint(tag, attrs)
            return
        if self._track is not None and "closing" in attrs:
            self._track.explicit = True  # our writer tells CVAT where a track ends
            return
        self._met += 1
        self._record += 1
        self.is_open = True
        self._kept = None
        item, track = self._item, self._track
        try:
            if track is not None:
                size: Size = self.frames.size(track, attrs.get("frame"))
            elif item is None or item < 0:
                raise _homeless(item)
            else:
                size = self._size
            geometry = _NOTHING if tag == "tag" else GEOMETRY_OF[tag](attrs, size)
            row = self._row(tag, geometry, attrs)
        except Bad as bad:
            self.reject(bad.reason, bad.text)
            return
        if size[0] and size[1]:
            if tag != "tag":
                self.check(tag, geometry, size)
        elif tag == "mask":
            text = f"it is taken as {geometry[9]} x {geometry[8]}, where the mask ends"
            self.warn("size of the image is unknown", text)
        self._kept = kept = self.columns.annotations if track is None else track.rows
        kept.append(row)

    def _start_box(self, tag: str, attrs: dict[str, str]) -> None:
        # Most boxes of most files are like this one: nothing to say but where it is.
        item, size = self._item, self._size
        if item is None or len(attrs) != _PLAIN or self._track is not None:
            return self._start_shape(tag, attrs)
        try:
            x, y, label = float(attrs["xtl"]), float(attrs["ytl"]), attrs["label"]
            far_x, far_y, flag = float(attrs["xbr"]), float(attrs["ybr"]), attrs["occluded"]
            plain = attrs["source"] == "manual" and attrs["z_order"] == "0"
        except (KeyError, ValueError):
            return self._start_shape(tag, attrs)
        if (
            plain
            and item >= 0
            and 0.0 <= x < far_x <= (size[0] or 0)
            and 0.0 <= y < far_y <= (size[1] or 0)
            and flag in ("0", "1")
            and label in self.whole.kit.labels
            and self._skeleton is None
            and label
        ):
            self._met += 1
            self._record += 1
            self.is_open = True
            self._typed = self.header.values.get(label, EMPTY)
            self._kept = kept = self.columns.annotations
            kept.append(
                (item, "box", label, x, y, far_x - x, far_y - y, None, None, None, None, None,
                 None, None, None, None, None, flag == "1", 0, None, None, None, None)
            )  # fmt: skip
            return None
        return self._start_shape(tag, attrs)

    def _row(self, tag: str, geometry: Row, attrs: Mapping[str, str]) -> Row:
        track = self._track
        occluded = attrs.get("occluded")
        z_order: Any = attrs.get("z_order")
        if z_order is not None:
            z_order = 0 if z_order == "0" else self._integer(z_order, "z_order", 1 << 31)
        group: Any = attrs.get("group_id")
        score = attrs.get("score")
        flag = FLAGS.get(occluded) if occluded is not None else None
        if track is None:
            label = attrs.get("label") or None
            if label not in self.whole.kit.labels:
                self._declare(label)
            self._typed = self.header.values.get(label, EMPTY) if label else EMPTY
            source = attrs.get("source")
            head = (self._item, tag, label)
            place: Row = (None, None, None, None)
        else:
            if group is None:
                group = track.group
            source = attrs.get("source", track.source)
            head = (None, tag, track.label)
            place = self._place(track, attrs)
        if group is not None:
            group = self._integer(group, "group_id", 1 << 62) or None
        extra = None
        if (source is not None and source != "manual") or not KNOWN.issuperset(attrs):
            extra = extra_of(source, attrs)
        return (
            *head, *geometry, *place, flag, z_order, group,
            None if score is None else self._score(score), None, extra,
        )  # fmt: skip

    def _place(self, track: Track, attrs: Mapping[str, str]) -> Row:
        try:
            frame = int(attrs["frame"])
        except KeyError:
            raise Bad("shape without a frame", "it is in a track, and has no frame") from None
        except ValueError:
            raise Bad("shape without a frame", f"its frame is {attrs['frame']!r}") from None
        if not 0 <= frame < 1 << 53:
            raise Bad("shape without a frame", f"its frame is {frame}")
        if track.name is None:
            return (frame, None, None, None)
        keyframe, outside = attrs.get("keyframe", "1"), attrs.get("outside", "0")
        return (frame, track.name, FLAGS.get(keyframe, True), FLAGS.get(outside, False))

    def _declare(self, label: str | None) -> None:
        if label is None:
            self.warn("annotation without a label", "its label is empty")
            return
        self._undeclared.add(label)
        self.whole.kit.labels[label] = Label(label)

    def _integer(self, given: str, name: str, limit: int) -> int | None:
        try:
            value = int(given)
        except ValueError:
            value = limit
        if -limit < value < limit:
            return value
        self.warn(f"{name} is not a number", f"{name} {given!r} is left out")
        return None

    def _score(self, given: str) -> float | None:
        try:
            value = float(given)
        except ValueError:
            value = float("nan")
        if value * 0.0 == 0.0:
            return value
        self.warn("score is not a number", f"score {given!r} is left out")
        return None

    def check(self, tag: str, geometry: Row, size: Size, record: str = "") -> None:
        """Warn of a shape that has no area, or reaches outside the image."""
        x, y, w, h, turn, points = geometry[:6]
        if turn is not None or tag == "mask":
            if tag == "mask" and geometry[7] is not None:
                if (geometry[9], geometry[8]) != size:
                    text = f"it needs {geometry[9]} x {geometry[8]} pixels"
                    self.warn("mask reaches outside the image", f"{text}; kept as it is", record)
                elif not w:
                    self.warn("mask is empty", "it has no pixel", record)
            return
        if w is None:
            x, y = min(points[::2]), min(points[1::2])
            w, h = max(points[::2]) - x, max(points[1::2]) - y
        elif w == 0.0 or h == 0.0:
            self.warn(f"{tag} has no area", f"it is {w:g} x {h:g}; kept as it is", record)
        if x < 0.0 or y < 0.0 or x + w > size[0] + 1e-6 or y + h > size[1] + 1e-6:  # type: ignore[operator]
            self.warn(
                f"{tag} reaches outside the image", f"the image is {size[0]} x {size[1]}", record
            )

    def _end_shape(self, tag: str) -> None:
        if self._joint is not None:
            self._joint = None
            return
        self.is_open = False
        if self._values:
            self._patch()

    def _patch(self) -> None:
        if self._kept:
            row = self._kept[-1]
            self._kept[-1] = (*row[:ATTRIBUTES], dumps(self._values), *row[ATTRIBUTES + 1 :])
        self._values = {}

    # -- attributes -------------------------------------------------------------------

    def _start_attribute(self, tag: str, attrs: dict[str, str]) -> None:
        self._name = attrs.get("name") or ""
        self._text = []
        self.parser.CharacterDataHandler = self._text.append

    def _end_attribute(self, tag: str) -> None:
        self.parser.CharacterDataHandler = None
        text, name = "".join(self._text), self._name
        if not (self.is_open or self._joint is not None):
            return
        if not name:
            self.warn("attribute without a name", f"its value {text!r} is left out")
            return
        if self._joint is not None:
            self._joint.values[name] = text
            return
        if name in self._values:
            self.warn("attribute is given twice", f"the last {name} counts")
        typed = self._typed.get(name)
        self._values[name] = text if typed is None else typed(text)

    # -- skeletons --------------------------------------------------------------------

    def _start_skeleton(self, tag: str, attrs: dict[str, str]) -> None:
        if "closing" not in attrs:
            self._met += 1
            self._record += 1
        self._skeleton, self._joints = attrs, []
        self.is_open = True
        if self._track is None:
            self._typed = self.header.values.get(attrs.get("label", ""), EMPTY)

    def _start_joint(self, tag: str, attrs: dict[str, str]) -> None:
        name = attrs.get("label") or self._joint_track or ""
        outside = FLAGS.get(attrs.get("outside", "0"), False)
        visible = 0 if outside else 1 if FLAGS.get(attrs.get("occluded", "0")) else 2
        keyframe = FLAGS.get(attrs.get("keyframe", ""))
        self._joint = joint = Joint(name, 0.0, 0.0, visible, keyframe)
        if tag != "points":
            self.warn("joint is not a point", f"{name} is a {tag}, and is left out")
            return
        try:
            flat = points_of(attrs, "joint")
        except Bad as bad:
            self.warn(bad.reason, f"{name}: {bad.text}; it is left out")
            return
        if len(flat) != 2:
            self.warn("joint of several points", f"{name} has {len(flat) // 2}; the first counts")
        joint.x, joint.y = flat[:2]
        if self._skeleton is not None:
            self._joints.append(joint)
        elif self._track is not None:
            frame = self._integer(attrs.get("frame", ""), "frame", 1 << 53)
            if frame is not None:
                self._track.joints.setdefault(name, {})[frame] = joint

    def _end_skeleton(self, tag: str) -> None:
        attrs, self._skeleton = self._skeleton, None
        if attrs is None:
            return
        self.is_open = False
        self._kept = None
        track = self._track
        if track is not None and "closing" in attrs:
            self._values = {}
            track.explicit = True
            return
        try:
            if track is None and (self._item is None or self._item < 0):
                raise _homeless(self._item)
            label = attrs.get("label") if track is None else track.label
            if track is None and not self._joints:
                raise Bad("skeleton without points", "it has no joints")
            row = self._row("skeleton", _NOTHING, attrs)
            if self._joints:
                keyframe = None if track is None else FLAGS.get(attrs.get("keyframe", "1"))
                geometry, parts = self.posed(label or "", self._joints, keyframe)
                row = posed_row(row, geometry, parts)
                if track is not None and "outside" not in attrs and not any(geometry[6]):
                    row = (*row[:OUTSIDE], True, *row[OUTSIDE + 1 :])  # CVAT says it of joints only
                size = self._size
                if track is not None:
                    size = self.frames.size(track, attrs.get("frame"))
                if size[0] and size[1]:
                    self.check("skeleton", geometry, size)
        except Bad as bad:
            self.reject(bad.reason, bad.text)
            self._values = {}
            return
        self._kept = kept = self.columns.annotations if track is None else track.rows
        kept.append(row)
        if track is not None and not self._joints:
            track.bare.append(self.record)
        if self._values:
            self._patch()

    def posed(
        self, label: str, joints: Sequence[Joint], keyframe: bool | None
    ) -> tuple[Row, dict[str, Any]]:
        """Return the geometry of joints in the order of their label, and what else they say."""
        declared = self.whole.kit.labels.get(label)
        if declared is None or declared.skeleton is None:
            # Not declared, or not as a skeleton: the first one shows what there is.
            names = tuple(dict.fromkeys(j.name for j in joints))
            if label:
                self.whole.kit.label(label, skeleton=Skeleton(names))
                self.whole.told = -1
        else:
            names = declared.skeleton.points
        index = {name: i for i, name in enumerate(names)}
        flat, visibility = [0.0] * (2 * len(names)), [0] * len(names)
        said: dict[str, Any] = {}
        for joint in joints:
            i = index.get(joint.name)
            if i is None:
                self.warn("joint is not of the skeleton", f"{label} has no {joint.name!r}")
                continue
            flat[2 * i : 2 * i + 2], visibility[i] = [joint.x, joint.y], joint.visible
            more: dict[str, Any] = {}
            if joint.values:
                more["attributes"] = joint.values
            if keyframe is not None and joint.keyframe not in (None, keyframe):
                more["keyframe"] = joint.keyframe
            if more:
                said[joint.name] = more
        if sum(flat) * 0.0 != 0.0:
            raise Bad("coordinate is not a number", "its joints are not all numbers")
        return skeleton(flat, visibility), said


def _homeless(item: int | None) -> Bad:
    if item == REJECTED:
        return Bad("image was rejected", "its image has no name")
    return Bad("shape of no image", "it is in no image and in no track")
