"""Writing sequences of MOT Challenge."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any

from ...ledger import Ledger
from ...progress import Progress
from ...schema import DEFAULT_SUBSET, Label
from ..fitting import Fitting, Holds, Row
from ..text_lines import plain_number
from ..writing import Export, Sink, safe_path
from .read import DETECTIONS
from .sequences import IMAGE_FOLDER, folder_of

__all__ = ["Names", "Place", "Plan", "own_meta", "plan_sequences", "write_sequences"]

_FRAME_NAME = re.compile(r"[0-9]{6,18}")
_TRACK = re.compile(r"[0-9]{1,18}")
_HOLDS = Holds(
    {"box": ()},
    columns=("track", "frame", "score", "layer", "occluded", "attributes", "outside"),
    kinds=("image", "video"),
)


@dataclass
class Plan:
    """A sequence that is to be written: its folder, and what was written of it so far."""

    folder: str
    name: str
    image_folder: str = IMAGE_FOLDER
    rate: float | None = None
    length: int = 0
    width: int | None = None
    height: int | None = None
    suffix: str = ".jpg"
    gt: list[str] = field(default_factory=list)
    det: list[str] = field(default_factory=list)
    _tracks: dict[str, int] = field(default_factory=dict)
    _numbers: set[int] = field(default_factory=set)
    _measured: bool = False

    def number_of(self, track: str) -> int:
        """Return the number of a track: its own where it is one and free, else the next free."""
        number = self._tracks.get(track)
        if number is None:
            number = int(track) if _TRACK.fullmatch(track) else 0
            if str(number) != track or number in self._numbers:
                number = next(n for n in itertools.count(1) if n not in self._numbers)
            self._tracks[track] = number
            self._numbers.add(number)
        return number

    def measure(self, item: Row) -> None:
        """Take the size of an image as that of the sequence, if all have it."""
        size = (item.get("width"), item.get("height"))
        if not self._measured:
            self.width, self.height = size
        elif size != (self.width, self.height):
            self.width = self.height = None
        self._measured = True

    def info(self) -> str:
        """Return the text of seqinfo.ini."""
        values = {
            "name": self.name.rpartition("/")[2] or "sequence",
            "imDir": self.image_folder,
            "frameRate": self.rate and plain_number(self.rate),
            "seqLength": self.length,
            "imWidth": self.width,
            "imHeight": self.height,
            "imExt": self.suffix,
        }
        lines = [f"{k}={v}\n" for k, v in values.items() if v is not None]
        return "[Sequence]\n" + "".join(lines)

    def path(self, name: str) -> str:
        """Return the path of a file of the sequence."""
        return f"{self.folder}/{name}" if self.folder else name


@dataclass(frozen=True)
class Place:
    """Where an image goes: its sequence, the number of its frame from 1, and its file and key."""

    plan: Plan
    frame: int
    file: str
    key: str


def own_meta(item: Row, name: str) -> dict[str, Any]:
    """Return what the format `name` had said of an item."""
    try:
        meta = json.loads(item.get("meta") or "{}").get(name)
    except (ValueError, AttributeError):
        return {}
    return meta if isinstance(meta, dict) else {}


def plan_sequences(export: Export, subset: str, format: str = "mot") -> dict[str, Place]:
    """Return where each image of a subset goes, by its key.

    Images whose folder is ``img1`` and whose names are their numbers stay; others are numbered.
    """
    groups: dict[str, list[tuple[str, Row]]] = {}
    for batch in export.batches(subset):
        for item in batch.items.select(["key", "kind", "media", "meta"]).to_pylist():
            if item["kind"] == "image":
                parent, inner = _split(item, own_meta(item, format))
                groups.setdefault(parent, []).append((inner, item))
    alone = tuple(export.subsets) == (DEFAULT_SUBSET,)
    places: dict[str, Place] = {}
    for sequence, members in groups.items():
        folder, name = folder_of(subset, sequence, alone=alone)
        meta = own_meta(members[0][1], format)
        plan = Plan(folder, name, members[0][0] or IMAGE_FOLDER, rate=_rate(meta))
        keeps = _are_frames(members, plan.image_folder)
        for number, (_, item) in enumerate(members, 1):
            frame = int(_stem(item["key"])) if keeps else number
            name_of = f"{frame:06d}{_suffix(item)}"
            inner = f"{plan.image_folder}/{name_of}"
            key = f"{plan.name}/{inner}" if plan.name else inner
            places[item["key"]] = Place(plan, frame, plan.path(inner), key)
    return places


def _are_frames(members: list[tuple[str, Row]], image_folder: str) -> bool:
    # Are all images in the folder of frames, and called by their numbers?
    stems = [_stem(item["key"]) for _, item in members]
    if len(set(stems)) < len(stems) or any(inner != image_folder for inner, _ in members):
        return False
    return all(_FRAME_NAME.fullmatch(s) and int(s) and f"{int(s):06d}" == s for s in stems)


def _split(item: Row, meta: dict[str, Any]) -> tuple[str, str]:
    # The sequence of an image, and the folder of its frames there, "" where it is not in one.
    folder = safe_path(item["key"]).rpartition("/")[0]
    inner = meta.get("imDir", IMAGE_FOLDER)
    if not isinstance(inner, str) or not inner:
        inner = IMAGE_FOLDER
    if folder == inner or folder.endswith(f"/{inner}"):
        return folder[: -len(inner)].rstrip("/"), inner
    return folder, ""


def _rate(meta: dict[str, Any]) -> float | None:
    rate = meta.get("frameRate")
    return rate if isinstance(rate, (int, float)) and rate > 0 else None


def _stem(key: str) -> str:
    return key.rpartition("/")[2].partition(".")[0]


def _suffix(item: Row) -> str:
    for path in (item["key"], item.get("media") or ""):
        dot = path.rpartition("/")[2].rfind(".")
        if dot > 0:
            end: str = path.rpartition("/")[2][dot:]
            return end
    return ".jpg"


class Names:
    """Names of classes as lines of labels.txt; a label is known by the number of its line."""

    def __init__(self, labels: tuple[Label, ...]) -> None:
        self._numbers: dict[str, int] = {}
        self.lines: list[str] = []
        for label in labels:
            self.number(label.name)

    def number(self, label: str) -> int:
        """Return the number of a label, from 1, adding it where it has none."""
        if label not in self._numbers:
            line = " ".join(label.split()) if label != label.strip() or "\n" in label else label
            line = " ".join(line.splitlines()) or "unnamed"
            unique, n = line, 1
            while unique in self.lines:
                n += 1
                unique = f"{line}-{n}"
            self.lines.append(unique)
            self._numbers[label] = len(self.lines)
        return self._numbers[label]

    def line(self, label: str) -> str:
        """Return what a label is called in the file."""
        return self.lines[self.number(label) - 1]


def write_sequences(export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
    """Write an export as sequences; see `Mot.write`."""
    fitting = Fitting("MOT Challenge", _HOLDS, ledger)
    names = Names(export.labels)
    plans: dict[str, Plan] = {}
    progress.start("Writing sequences", None, "items")
    for subset in export.subsets:
        places = plan_sequences(export, subset)
        for batch in export.batches(subset):
            for item, rows in fitting.fit(batch):
                place = places.get(item["key"]) or _video_place(export, subset, item)
                plan = plans.setdefault(place.plan.folder, place.plan)
                _write_item(item, place, sink, ledger)
                for row in rows:
                    _write_row(fitting, names, item, row, plan, place)
                progress.advance()
    for folder in sorted(plans):
        _write_plan(plans[folder], names, sink)
    for label in export.labels:
        if names.line(label.name) != label.name:
            text = f"{label.name!r} is written as {names.line(label.name)!r}"
            ledger.note("label renamed", message=text)
    fitting.close()


def _video_place(export: Export, subset: str, item: Row) -> Place:
    key = safe_path(item["key"])
    stem = key[: key.rfind(".")] if "." in key.rpartition("/")[2][1:] else key
    alone = tuple(export.subsets) == (DEFAULT_SUBSET,)
    folder, name = folder_of(subset, stem, alone=alone)
    rate = (
        item["frames"] / item["duration"] if item.get("duration") and item.get("frames") else None
    )
    plan = Plan(folder, name, rate=rate, length=item.get("frames") or 0)
    return Place(plan, 0, "", f"{name}/{IMAGE_FOLDER}" if name else IMAGE_FOLDER)


def _write_item(item: Row, place: Place, sink: Sink, ledger: Ledger) -> None:
    plan = place.plan
    plan.length = max(plan.length, place.frame)
    plan.measure(item)
    key = item["key"]
    if item["kind"] == "video":
        text = f"{key} is written as a sequence; its frames are not"
        ledger.warn("video written as a sequence", file=key, record="item", item=key, message=text)
        return
    plan.suffix = place.file[place.file.rindex(".") :]
    if place.key != key:
        text = f"{key} is written as {place.key}"
        ledger.warn("frame renamed", file=key, record="item", item=key, message=text)
    if item.get("media") is not None or sink.saves_media:
        sink.add_media(place.file, item["number"])


def _write_row(
    fitting: Fitting, names: Names, item: Row, row: Row, plan: Plan, place: Place
) -> None:
    if row.get("outside"):
        fitting.reject(item, row, "outside the view", "where a track is not seen, MOT has no row")
        return
    frame = place.frame or (row.get("frame") or 0) + 1
    plan.length = max(plan.length, frame)
    box = ",".join(plain_number(row[n]) for n in "xywh")
    track = _track(fitting, item, row, plan)
    label = names.number(row["label"])
    score = row.get("score")
    if row.get("layer") is not None:
        if row["layer"] != DETECTIONS:
            fitting.warn(item, row, "layer can't be named", f"layer {row['layer']} is in det.txt")
        _lose(fitting, item, row, _attributes(row))
        if row.get("occluded"):
            fitting.warn(item, row, "occluded can't be written", "det.txt has no visibility")
        shown = "1" if score is None else plain_number(score)
        plan.det.append(f"{frame},{track},{box},{shown},{label}\n")
        return
    attributes = _attributes(row)
    ignored = attributes.pop("ignored", False)
    if not isinstance(ignored, bool):
        attributes["ignored"], ignored = ignored, False
    visibility = attributes.pop("visibility", None)
    if visibility is not None and not _is_number(visibility):
        attributes["visibility"], visibility = visibility, None
    _lose(fitting, item, row, attributes)
    if visibility is None:
        visibility = 0.0 if row.get("occluded") else 1.0
    elif row.get("occluded") and visibility:
        fitting.warn(item, row, "occluded can't be written", f"its visibility is {visibility}")
    shown = "0" if ignored else "1"
    if score is not None:
        if ignored or score in (0, 1):
            fitting.warn(item, row, "score can't be written", f"{score} would say something else")
        else:
            shown = plain_number(score)
    plan.gt.append(f"{frame},{track},{box},{shown},{label},{plain_number(visibility)}\n")


def _attributes(row: Row) -> dict[str, Any]:
    text = row.get("attributes")
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def _lose(fitting: Fitting, item: Row, row: Row, attributes: dict[str, Any]) -> None:
    if attributes:
        text = f"attributes {', '.join(attributes)} are lost"
        fitting.warn(item, row, "attributes can't be written", text)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _track(fitting: Fitting, item: Row, row: Row, plan: Plan) -> int:
    track = row.get("track")
    if track is None:
        return -1
    number = plan.number_of(track)
    if str(number) != track:
        fitting.warn(item, row, "track renumbered", f"track {track} is written as {number}")
    return number


def _write_plan(plan: Plan, names: Names, sink: Sink) -> None:
    if plan.gt or not plan.det:
        sink.write(plan.path("gt/gt.txt"), "".join(plan.gt))
    sink.write(plan.path("gt/labels.txt"), "".join(f"{line}\n" for line in names.lines))
    if plan.det:
        sink.write(plan.path("det/det.txt"), "".join(plan.det))
    sink.write(plan.path("seqinfo.ini"), plan.info())
