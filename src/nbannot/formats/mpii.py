"""MPII Human Pose: a JSON list of people with 16 joints each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, SourceError
from ..ledger import Ledger
from ..media.kinds import is_image
from ..progress import Progress
from ..schema import Batch, Label, Skeleton
from ..sources.base import Source
from .base import Format
from .fitting import Fitting, Holds, Row
from .image_files import ImageFiles, fitted, rounded, subset_folder
from .image_records import (
    At,
    Images,
    as_json,
    candidates,
    files_of,
    number,
    numbers,
    objects,
    subset_of,
)
from .json_values import loads
from .look import Head, Look
from .npy import npy_array
from .reading import Reading
from .writing import Export, Sink

__all__ = ["Mpii"]

_FILE = "mpii_annotations.json"
_LABEL, _HEAD = "human", "head"
_JOINTS = (
    "right ankle", "right knee", "right hip", "left hip", "left knee", "left ankle", "pelvis",
    "thorax", "upper neck", "head top", "right wrist", "right elbow", "right shoulder",
    "left shoulder", "left elbow", "left wrist",
)  # fmt: skip
_EDGES = ((0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9), (10, 11),
          (11, 12), (12, 7), (7, 13), (13, 14), (14, 15))  # fmt: skip
_KNOWN = {"img_paths", "img_width", "img_height", "isValidation", "joint_self", "joint_others",
          "scale_provided", "scale_provided_other", "objpos", "objpos_other", "numOtherPeople",
          "dataset"}  # fmt: skip
_MATLAB = "The annotations of MPII are in a file of MATLAB, {path}, which is not read"
_MATLAB_HINT = "Use them as JSON (mpii_annotations.json), as pose estimators provide them."


class Mpii(Format):
    """MPII Human Pose as JSON (``mpii_annotations.json``), with the .npy files beside it.

    **Items** are images. The subset is the folder of the file, else, where some people are marked
    ``isValidation``, train and val.

    **People** are skeletons of the label ``human``: joint_self of every entry, and joint_others
    that are no other entry's. A joint of visibility 0 is hidden, at 0, 0 it is absent;
    ``jnt_visible.npy`` goes before. Centre and scale are attributes. A rectangle of
    ``mpii_headboxes.npy`` is a box ``head`` in the group of its person.

    **Records** are images, people and heads. Skeletons of 16 joints are written; boxes and
    the names of labels have no place. The .mat of MPII itself is not read.
    """

    name: ClassVar[str] = "mpii"
    title: ClassVar[str] = "MPII Human Pose"
    summary: ClassVar[str] = "JSON list of people with 16 joints."
    rules: ClassVar[str] = "http://human-pose.mpi-inf.mpg.de/"
    holds: ClassVar[tuple[str, ...]] = ("skeleton",)

    def requires(self, look: Look) -> float:
        """Return 0.95 for a JSON list with joint_self, 0.3 for MPII's own .mat."""
        mine = files_of(look, _is_mine, ".json")
        if mine:
            look.found(f"{mine[0]} has joint_self and img_paths")
            return 0.95
        matlab = _matlab(look.source)
        look.need(matlab, "no JSON file with joint_self")
        look.found(f"{matlab[0]} is MPII's own, of MATLAB: reading it is not supported")
        return 0.3

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield images with the people in them.

        Raises:
            BrokenFileError: a file is not JSON.
            FormatError: there is only the .mat.
        """
        reading = Reading(source, ledger, progress, limit)
        images = Images(reading)
        paths = files_of(Look(source), _is_mine, ".json", limit=None)
        if not paths and _matlab(source):
            raise FormatError(_MATLAB.format(path=_matlab(source)[0]), hint=_MATLAB_HINT)
        paths = paths or candidates(source, ".json")
        subsets = {path: subset_of(path, paths) for path in paths}
        joints = Skeleton(_JOINTS, _EDGES)
        for path, data in reading.files(paths):
            entries = list(objects(data, path, reading, "people"))
            if entries:
                reading.label(_LABEL, skeleton=joints)
            marked = any(number(e.get("isValidation")) == 1 for _, e in entries)
            known = {(_name(e), _key(e.get("joint_self"))) for _, e in entries}
            beside = _Beside(reading, path, len(entries))
            for rank, (where, entry) in enumerate(entries):
                at = At(path, where, "")
                subset = subsets[path]
                if subset is None and marked:
                    subset = "val" if number(entry.get("isValidation")) == 1 else "train"
                _read_entry(reading, images, at, entry, subset, known, beside, rank)
                yield from reading.batches()
        for path in paths:
            if not reading.is_full:
                images.leftover(path.rpartition("/")[0], subsets[path], deep=True)
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``mpii_annotations.json`` for each subset, in its folder, images beside it.

        Joints go by name, where the label's skeleton has those of MPII, else by rank.
        """
        fitting = Fitting(self.title, Holds({"skeleton": ()}, ("attributes", "group")), ledger)
        labels = {label.name: label for label in export.labels}
        progress.start("Writing images", unit="images")
        for subset in export.subsets:
            folder = subset_folder(export, subset, ledger)
            files = ImageFiles(sink, fitting)
            lines: list[str] = []
            for item, rows in fitted(export, subset, fitting, progress):
                path = files.add(item, folder)
                name = path[len(folder) + 1 :] if folder else path
                people = [p for row in rows if (p := _person(item, row, labels, fitting))]
                if not people and not (sink.saves_media and is_image(path)):
                    key = item["key"]
                    ledger.warn("image without people can't be written", file=key, record="item",
                                item=key, message=f"{key} has no entry")  # fmt: skip
                for rank in range(len(people)):
                    entry = _entry(name, item, people, rank, validation=subset.startswith("val"))
                    lines.append(json.dumps(entry, ensure_ascii=False))
            text = "[" + ",\n".join(lines) + "]\n"
            sink.write(f"{folder}/{_FILE}" if folder else _FILE, text)
        fitting.close()


def _is_mine(head: Head) -> bool:
    return head.json_start == "[" and {"joint_self", "img_paths"} <= head.json_keys


def _matlab(source: Source) -> list[str]:
    paths = candidates(source, ".mat")
    return [p for p in paths if p.rpartition("/")[2].lower().startswith("mpii_human_pose")]


# -- reading ------------------------------------------------------------------------------


class _Beside:
    """The .npy files beside a JSON file: visibility of joints and rectangles of heads."""

    def __init__(self, reading: Reading, path: str, count: int) -> None:
        folder = path.rpartition("/")[0]
        self.visible = self._load(reading, folder, "jnt_visible.npy", (16, count))
        self.heads = self._load(reading, folder, "mpii_headboxes.npy", (2, 2, count))

    def _load(
        self, reading: Reading, folder: str, name: str, shape: tuple[int, ...]
    ) -> NDArray[Any] | None:
        place = f"{folder}/{name}" if folder else name
        if reading.source.main is not None or place not in reading.source.files:
            return None
        try:
            found = npy_array(reading.source.read(place))
            if found.shape != shape:
                raise ValueError(f"its shape is {found.shape}, not {shape}")
        except (ValueError, SourceError) as error:
            reading.ledger.note("file was not read", file=place, message=f"{place}: {error}")
            return None
        return found


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("img_paths"))


def _key(joints: Any) -> str:
    # What makes a person the same in another entry.
    return json.dumps(joints)


def _read_entry(
    reading: Reading,
    images: Images,
    at: At,
    entry: Mapping[str, Any],
    subset: str | None,
    known: set[tuple[str, str]],
    beside: _Beside,
    rank: int,
) -> None:
    others = entry.get("joint_others")
    people: list[tuple[str, Any]] = [("joint_self", entry.get("joint_self"))]
    for index, joints in enumerate(_several(others)):
        people.append((f"joint_others[{index}]", joints))
    wide = numbers(entry.get("img_width"), entry.get("img_height"))
    size = (int(wide[0]), int(wide[1])) if wide and 0 < min(wide) <= max(wide) < 2**31 else None
    key = entry.get("img_paths")
    if reading.is_full and images.known(key, at, subset) is None:
        return  # a preview: entries of its images may come later
    item = images.add(
        key, at, subset=subset, again=True, width=size[0] if size else None,
        height=size[1] if size else None,
    )  # fmt: skip
    for index, (name, joints) in enumerate(people):
        place = At(at.file, f"{at.where}.{name}", "" if item is None else reading.key(item))
        if item is None:
            reading.reject("image was rejected", **place.line("its image was rejected"))
            continue
        if index and (_name(entry), _key(joints)) in known:
            reading.ledger.read()
            reading.ledger.joined()  # an entry of its own says more of it
            continue
        if index:
            known.add((_name(entry), _key(joints)))
        about = _about(entry, index)
        seen = beside.visible[:, rank] if beside.visible is not None and not index else None
        group = rank + 1 if beside.heads is not None and not index else None
        _read_person(reading, item, place, joints, about, seen, group)
    if item is not None and beside.heads is not None:
        (x, y), (right, low) = beside.heads[:, :, rank].astype(np.float64).tolist()
        place = At(at.file, f"{at.where}.head", reading.key(item))
        if not np.isfinite([x, y, right, low]).all():
            reading.reject("box without numbers", **place.line("its rectangle has no numbers"))
        else:
            reading.annotation(item, type="box", label=_HEAD, x=min(x, right), y=min(y, low),
                               w=abs(right - x), h=abs(low - y), group=rank + 1)  # fmt: skip


def _several(others: Any) -> list[Any]:
    # One other person may stand without a list of its own.
    if not isinstance(others, list) or not others:
        return []
    first = others[0]
    alone = isinstance(first, list) and bool(first) and not isinstance(first[0], list)
    return [others] if alone else others


def _about(entry: Mapping[str, Any], index: int) -> dict[str, Any]:
    if index == 0:
        rest = {k: v for k, v in entry.items() if k not in _KNOWN}
        return {"center": entry.get("objpos"), "scale": entry.get("scale_provided"), **rest}
    found: dict[str, Any] = {}
    for name, key in (("center", "objpos_other"), ("scale", "scale_provided_other")):
        values = entry.get(key)
        if isinstance(values, list) and len(values) >= index:
            found[name] = values[index - 1]
    return found


def _read_person(
    reading: Reading,
    item: int,
    at: At,
    joints: Any,
    about: Mapping[str, Any],
    seen: NDArray[Any] | None,
    group: int | None,
) -> None:
    rows = joints if isinstance(joints, list) else []
    found = [numbers(*row[:3]) if isinstance(row, list) and len(row) > 1 else None for row in rows]
    kept = [row for row in found if row is not None]
    if len(kept) != len(_JOINTS) or len(found) != len(_JOINTS):
        text = f"{len(kept)} of its joints have numbers, {len(_JOINTS)} are needed"
        reading.reject("skeleton without its joints", **at.line(text))
        return
    shown = []
    for rank, row in enumerate(kept):
        flag = float(seen[rank]) if seen is not None else row[2] if len(row) > 2 else 1.0
        absent = row[0] == 0 and row[1] == 0
        shown.append(0 if absent and not flag else 2 if flag else 1)
    reading.annotation(
        item, type="skeleton", label=_LABEL, points=[v for row in kept for v in row[:2]],
        visibility=shown, group=group, attributes=as_json(about),
    )  # fmt: skip


# -- writing ------------------------------------------------------------------------------


def _person(
    item: Row, row: Row, labels: Mapping[str, Label], fitting: Fitting
) -> dict[str, Any] | None:
    """Return joints, centre and scale of a skeleton; None where it has not the joints of MPII."""
    label = labels.get(row["label"])
    names = label.skeleton.points if label is not None and label.skeleton is not None else ()
    count = len(row["points"]) // 2
    order: Sequence[int] = range(count)
    if set(names) == set(_JOINTS) and len(names) == count:
        order = [names.index(name) for name in _JOINTS]
    elif count != len(_JOINTS):
        text = f"it has {count} joints, those of MPII are {len(_JOINTS)}"
        fitting.reject(item, row, "skeleton is not that of MPII", text)
        return None
    if row["label"] != _LABEL:
        text = f"{row['label']!r}: people of MPII have no label"
        fitting.warn(item, row, "label can't be written", text)
    if row.get("w") is not None:
        text = "people of MPII have no box"
        fitting.warn(item, row, "box of a skeleton can't be written", text)
    shown = row.get("visibility") or [2] * count
    xy = [(row["points"][2 * i], row["points"][2 * i + 1]) for i in order]
    joints = [
        [rounded(x) if v else 0, rounded(y) if v else 0, 1 if v == 2 else 0]
        for (x, y), v in zip(xy, (shown[i] for i in order), strict=True)
    ]
    given = [p for p, v in zip(xy, (shown[i] for i in order), strict=True) if v] or xy
    xs, ys = [p[0] for p in given], [p[1] for p in given]
    attributes = loads(row["attributes"].encode())[0] if row.get("attributes") else {}
    center = attributes.pop("center", None) or [(min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2]
    scale = attributes.pop("scale", None) or max(max(ys) - min(ys), 1) / 200
    return {"joints": joints, "center": center, "scale": scale, "rest": attributes}


def _entry(
    name: str, item: Row, people: Sequence[Row], rank: int, *, validation: bool
) -> dict[str, Any]:
    me = people[rank]
    others = [p for i, p in enumerate(people) if i != rank]
    made: Row = {
        "dataset": "MPI", "isValidation": float(validation), "img_paths": name,
        "img_width": item.get("width"), "img_height": item.get("height"),
        "objpos": me["center"], "joint_self": me["joints"], "scale_provided": me["scale"],
        "joint_others": [p["joints"] for p in others],
        "scale_provided_other": [p["scale"] for p in others],
        "objpos_other": [p["center"] for p in others], "numOtherPeople": len(others),
    }  # fmt: skip
    return {**me["rest"], **made}
