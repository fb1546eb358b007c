"""Tracks: their frames as items, joints from tracks of their own, and interpolation."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ...media.kinds import IMAGE_SUFFIXES, kind_of, suffix
from ..media_index import as_path
from .columns import FRAME, OUTSIDE, Row, posed_row
from .meta import Frame, Task
from .shapes import Bad, Size

if TYPE_CHECKING:
    from .file import FileReader

__all__ = ["Frames", "Joint", "Track", "finish"]

_FRAME_FILE = re.compile(r"frame_(\d{1,15})\.[A-Za-z]+")
_KEYFRAME = FRAME + 2
_MAX_GAP = 1_000_000


@dataclass(slots=True)
class Joint:
    """One joint of a skeleton: `visible` is 0, 1 or 2."""

    name: str
    x: float
    y: float
    visible: int
    keyframe: bool | None = None
    values: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Track:
    """One ``<track>`` while it is read: `rows` are complete but for their item.

    `joints` are the states of the joints that have tracks of their own, by name and frame; `bare`
    the records of skeletons whose joints are to be found there. `explicit`: it has a row for each
    of its frames, as our writer says.
    """

    name: str | None
    label: str | None
    group: str | None
    source: str | None
    subset: str | None
    task_id: str | None
    task: Task
    size: Size
    rows: list[Row] = field(default_factory=list)
    joints: dict[str, dict[int, Joint]] = field(default_factory=dict)
    bare: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    explicit: bool = False


class Frames:
    """The items that the tracks of one file are on: images of frames, or one video."""

    def __init__(self, file: FileReader) -> None:
        self._file = file
        self._videos: dict[tuple[str | None, str | None], int] = {}
        self._images: dict[tuple[str | None, str | None], dict[int, int]] = {}
        self._suffix: dict[tuple[str | None, str | None], str] = {}
        self._sizes: dict[tuple[str | None, str | None], Size] = {}
        self._own_sizes: dict[tuple[str | None, int], Size] = {}

    def size_of(self, track: Track) -> Size:
        """Return the size of a task's frames: as declared, else that of the first of its images."""
        place = (track.subset, track.task_id)
        if place not in self._sizes:
            size: Size = (track.task.width, track.task.height)
            files = self._files(track.subset) if None in size else {}
            if files:
                size = self._file.whole.kit.size(files[min(files)]) or size
            self._sizes[place] = size
        return self._sizes[place]

    def size(self, track: Track, frame: str | None) -> Size:
        """Return the size of one frame, where the head says it, else of the task's."""
        if self._own_sizes and frame is not None and frame.isascii() and frame.isdigit():
            return self._own_sizes.get((track.subset, int(frame)), track.size)
        return track.size

    def item(self, track: Track, frame: int) -> int:
        """Return the number of the item that a frame of a track is on."""
        place = (track.subset, track.task_id)
        if place in self._videos:
            return self._videos[place]
        if place not in self._images:
            self._open(track)
            return self.item(track, frame)
        numbers = self._images[place]
        if frame not in numbers:
            numbers[frame] = self._missing(track, frame)
        return numbers[frame]

    def declare(self) -> None:
        """Add the frames that the head lists as items."""
        header = self._file.header
        for subset in dict.fromkeys(f.subset for f in header.frames):
            tasks = [t for t in header.tasks.values() if subset is not None and t.subset == subset]
            task = tasks[0] if tasks else header.task
            place = self._file.subset_of(subset, task)
            task_id = task.id if tasks else None
            self._open(Track(None, None, None, None, place, task_id, task, (None, None)))

    def _open(self, track: Track) -> None:
        place = (track.subset, track.task_id)
        frames = {
            f.number: f
            for f in self._file.header.frames
            if f.subset is None or f.subset == track.subset
        }
        files = self._files(track.subset)
        if not frames and not files:
            self._videos[place] = self._video(track)
            return
        some = next(iter(files.values()), "")
        self._suffix[place] = suffix(some) if some else ""
        self._images[place] = {
            number: self._image(track, number, frames.get(number), files.get(number))
            for number in sorted({*frames, *files})
        }

    def _files(self, subset: str | None) -> dict[int, str]:
        listing = self._file.whole.source.files
        for folder in self._file.near(subset):
            found: dict[int, str] = {}
            for path in listing.files(folder):
                match = _FRAME_FILE.fullmatch(path.rpartition("/")[2])
                if match and suffix(path).lower() in IMAGE_SUFFIXES:
                    found.setdefault(int(match[1]), path)
            if found:
                return found
        return {}

    def _image(self, track: Track, number: int, frame: Frame | None, path: str | None) -> int:
        file, whole = self._file, self._file.whole
        size: Size = (track.task.width, track.task.height)
        if frame is not None:
            key = as_path(frame.name)
            size = (frame.width, frame.height)
            self._own_sizes[track.subset, number] = size
            if path is None:
                path = whole.find(key, file.near(track.subset), track.subset)[0]
        else:
            key = (path or "").rpartition("/")[2]
        return self._add(track, key, path, size, number)

    def _add(self, track: Track, key: str, path: str | None, size: Size, number: int) -> int:
        file, whole = self._file, self._file.whole
        if file.prefix:
            key = f"{file.prefix}/{key}"
        known = whole.keys.get((track.subset, key))
        if known is not None:
            if known[1] == track.task_id and known[2] == path:
                return known[0]
            key = whole.free_key(track.subset, f"{track.task_id or file.path}/{key}")
        return whole.add_item(track.subset, key, "image", path, size, str(number), track.task_id)

    def _missing(self, track: Track, frame: int) -> int:
        file, whole = self._file, self._file.whole
        key = f"frame_{frame:06d}{self._suffix[track.subset, track.task_id]}"
        size = (track.task.width, track.task.height)
        number = self._add(track, key, None, size, frame)
        if whole.kit.has_images:
            shown = f"{file.prefix}/{key}" if file.prefix else key
            whole.ledger.warn(
                "image file missing", file=file.path, record="item", item=shown,
                message=f"{shown}: there is no image of this frame",
            )  # fmt: skip
        return number

    def _video(self, track: Track) -> int:
        file, whole, task = self._file, self._file.whole, track.task
        near = file.near(track.subset)
        given = as_path(task.source)
        path = whole.find(given, near, None)[0] if given else None
        if path is None:
            videos = [
                p
                for folder in near
                for p in whole.source.files.files(folder)
                if kind_of(p) == "video"
            ]
            path = videos[0] if len(set(videos)) == 1 and not whole.source.main else None
        stem = file.path.rpartition("/")[2].rpartition(".")[0]
        key = given or (path or "").rpartition("/")[2] or task.name or stem
        if file.prefix:
            key = f"{file.prefix}/{key}"
        if (track.subset, key) in whole.keys:
            key = whole.free_key(track.subset, f"{track.task_id or file.path}/{key}")
        meta = {
            name: value
            for name, value, usual in (
                ("name", task.name, ""), ("start_frame", task.start, 0),
                ("stop_frame", task.stop, None), ("step", task.step, 1),
            )
            if value != usual
        }  # fmt: skip
        return whole.add_item(
            track.subset, key, "video", path, (task.width, task.height), task.id or None,
            track.task_id, frames=task.size, meta=meta,
        )  # fmt: skip


def finish(track: Track, file: FileReader) -> None:
    """Complete the rows of a track, and put them with the others."""
    rows = track.rows
    if track.bare:
        rows = list(_from_joint_tracks(track, file))
    if any(b[FRAME] <= a[FRAME] for a, b in pairwise(rows)):
        rows.sort(key=lambda row: row[FRAME])
        twice = {a[FRAME] for a, b in pairwise(rows) if a[FRAME] == b[FRAME]}
        for frame in sorted(twice):
            text = f"track {track.name} has two on frame {frame}; both are kept"
            file.warn("two shapes of a track on one frame", text, f"track {track.name} {frame}")
    for reason, text in track.problems if rows else ():
        file.warn(reason, text, f"track {track.name}")
    if file.whole.interpolate and not track.explicit:
        full = list(_filled(rows, track, file))
        file.ledger.split(len(full) - len(rows))
        rows = full
    item = file.frames.item
    file.columns.annotations += [(item(track, row[FRAME]), *row[1:]) for row in rows]


def _from_joint_tracks(track: Track, file: FileReader) -> Iterator[Row]:
    bare = iter(track.bare)
    frames = {name: sorted(states) for name, states in track.joints.items()}
    for row in track.rows:
        if row[1] != "skeleton" or row[8] is not None:
            yield row
            continue
        record, frame = next(bare), row[FRAME]
        joints = []
        for name, states in track.joints.items():
            at = bisect_right(frames[name], frame)
            if at:
                last = frames[name][at - 1]
                state = states[last]
                if last != frame:
                    state = replace(state, keyframe=None, values={})
                joints.append(state)
        keyframe = row[_KEYFRAME]
        try:
            if not joints:
                raise Bad("skeleton without points", "it has no joints")
            geometry, parts = file.posed(track.label or "", joints, keyframe)
            if track.size[0] and track.size[1]:
                file.check("skeleton", geometry, track.size, record)
            yield posed_row(row, geometry, parts)
        except Bad as bad:
            file.ledger.reject(
                bad.reason, file=file.path, record=record,
                message=f"{record} of track {track.name}: {bad.text}",
            )  # fmt: skip


# -- interpolation -------------------------------------------------------------------


def _filled(rows: Sequence[Row], track: Track, file: FileReader) -> Iterator[Row]:
    # Each row, and those between it and the next, or the last frame of the task.
    step, whole = track.task.step, file.whole
    for i, row in enumerate(rows):
        yield row
        if row[OUTSIDE]:
            continue
        after = rows[i + 1] if i + 1 < len(rows) else None
        if after is None and track.task.stop is None:
            continue
        end = after[FRAME] if after is not None else (track.task.stop or 0) + 1
        count = len(range(row[FRAME] + step, end, step))
        if count > min(_MAX_GAP, whole.budget):
            text = f"{count:,} frames after frame {row[FRAME]} of track {track.name} are too many"
            file.warn("not interpolated", text, f"track {track.name}")
            continue
        whole.budget -= count
        for frame in range(row[FRAME] + step, end, step):
            yield _between(row, after, frame)


def _between(row: Row, after: Row | None, frame: int) -> Row:
    geometry: list[Any] = list(row[3:FRAME])
    if after is not None and after[1] == row[1]:
        part = (frame - row[FRAME]) / (after[FRAME] - row[FRAME])
        kind = row[1]
        if kind in ("box", "ellipse"):
            for i in range(4):
                geometry[i] += (after[3 + i] - geometry[i]) * part
            turn, to = geometry[4] or 0.0, after[7] or 0.0
            turn += ((to - turn + 180) % 360 - 180) * part  # the shorter way round
            geometry[4] = turn or None
        elif kind in ("points", "skeleton", "cuboid") and len(after[8]) == len(row[8]):
            geometry[5] = [a + (b - a) * part for a, b in zip(row[8], after[8], strict=True)]
    place = (frame, row[FRAME + 1], False, False)
    return (*row[:3], *geometry, *place, *row[OUTSIDE + 1 :])
