"""Writing CVAT for video: items as frames, annotations as tracks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from ...ledger import Ledger
from ...media.kinds import suffix
from ...progress import Progress
from ..fitting import FileNames, Row
from ..writing import Export, Sink
from .head import head_lines
from .meta import Frame, Task
from .write import Numbers, ShapeWriter, Survey, own
from .xml import INVALID, attr

__all__ = ["VideoWriter"]

_FRAME = re.compile(r"frame_(\d{1,9})\.\w+")


@dataclass
class _Shape:
    frame: int
    lines: list[str]
    keyframe: bool | None
    outside: bool


@dataclass
class _Track:
    id: int
    name: str
    label: str
    source: str
    group: int | None
    task: Task
    single: bool = False
    shapes: list[_Shape] = field(default_factory=list)


@dataclass
class _File:
    """One XML file: its tasks, frames and tracks, in the order they came."""

    tasks: list[Task] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    tracks: dict[tuple[str, str, str], _Track] = field(default_factory=dict)
    names: set[tuple[str, str]] = field(default_factory=set)
    ids: Numbers = field(default_factory=Numbers)
    subsets: bool = False

    def track(self, name: str | None, row: Row, task: Task) -> _Track:
        """Return the track of a row, made when it is new; without a name, one of its own."""
        label = row["label"]
        key = (task.id, name if name is not None else f"\0{len(self.tracks)}", label)
        found = self.tracks.get(key)
        if found is None:
            given = name if name is not None else f"single {len(self.tracks)}"
            shown, n = given, 1
            while (task.id, shown) in self.names:
                n += 1
                shown = f"{given}-{n}"
            self.names.add((task.id, shown))
            number = self.ids.of(shown if name is not None else None)
            source = str(own(row).get("source", "manual"))
            found = _Track(
                number, shown, label, source, row.get("group"), task, single=name is None
            )
            self.tracks[key] = found
        return found


class VideoWriter:
    """One export as CVAT for video."""

    def __init__(self, export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
        self._export, self._sink, self._ledger, self._progress = export, sink, ledger, progress
        self._survey = Survey.of(export)
        self._shapes = ShapeWriter(self._survey, ledger, video=True)
        self._names = FileNames()
        self._media: list[tuple[str, int]] = []
        self._renamed = 0

    def write(self) -> None:
        """Write the XML files, then images and videos."""
        frames = _File(subsets=len(self._export.subsets) > 1)
        videos: list[_File] = []
        total = sum(self._survey.counts.values())
        self._progress.start("Reading the export", total, "items")
        for subset in self._export.subsets:
            self._subset(subset, frames, videos)
        files = [frames] if frames.frames or not videos else []
        files += videos
        for n, file in enumerate(files):
            name = "annotations.xml" if len(files) == 1 or file is frames else f"task_{n:03d}.xml"
            self._write(name, file)
        self._shapes.close()
        if self._renamed:
            self._ledger.note(
                "images became frames",
                message=f"{self._renamed:,} images are written as frame_000000 and so on; what "
                "they were called is in <meta><frames>, which other tools do not read",
            )
        if self._sink.saves_media:
            for path, number in self._progress.each(self._media, "Writing media", "files"):
                self._sink.add_media(path, number)

    def _subset(self, subset: str, frames: _File, videos: list[_File]) -> None:
        task = Task(str(len(frames.tasks) + 1), subset, subset, mode="interpolation")
        if not frames.subsets:
            task.name = self._export.name
        numbering = self._numbering(subset)
        mine: list[Frame] = []
        for batch in self._export.batches(subset):
            for item, rows in self._shapes.fitting.fit(batch):
                if item["kind"] == "video":
                    videos.append(self._video(item, rows, subset, len(videos) + 1))
                    continue
                number = next(numbering)
                mine.append(self._image(item, number, subset, several=frames.subsets))
                for row in rows:
                    if row.get("frame", number) != number:
                        self._shapes.fitting.warn(
                            item, row, "frame renumbered", f"frame {row['frame']} is now {number}"
                        )
                    self._row(frames, item, row, number, task)
            self._progress.advance(batch.items.num_rows)
        if not mine and frames.tasks and not frames.subsets:
            return
        numbers = sorted(f.number for f in mine)
        task.size = len(mine)
        if numbers:
            task.start, task.stop = numbers[0], numbers[-1]
            task.step = math.gcd(*(b - a for a, b in pairwise(numbers))) or 1
        sizes = {(f.width, f.height) for f in mine}
        if len(sizes) == 1:
            task.width, task.height = sizes.pop()
        frames.tasks.append(task)
        frames.frames += mine

    def _numbering(self, subset: str) -> Iterator[int]:
        # The numbers in the names, where all images are called frame_000010.png; else the order.
        found: list[int] = []
        for batch in self._export.batches(subset):
            for kind, key in zip(batch.items["kind"], batch.items["key"], strict=True):
                if kind.as_py() == "image":
                    match = _FRAME.fullmatch(key.as_py())
                    found.append(int(match[1]) if match else -1)
        if -1 in found or len(set(found)) < len(found):
            found = list(range(len(found)))
        return iter(found)

    def _image(self, item: Row, number: int, subset: str, *, several: bool) -> Frame:
        key = item["key"]
        name = f"frame_{number:06d}{suffix(key) or suffix(item.get('media') or '')}"
        folder = f"images/{subset}" if several else "images"
        self._media.append((f"{folder}/{name}", item["number"]))
        if name != key:
            self._renamed += 1
        if INVALID.search(key):
            self._ledger.warn(
                "characters that XML can't hold", file=key, record="item", item=key,
                message=f"{key!r} loses characters in <meta><frames>",
            )  # fmt: skip
        return Frame(subset if several else None, number, key, item.get("width"),
                     item.get("height"))  # fmt: skip

    def _video(self, item: Row, rows: list[Row], subset: str, rank: int) -> _File:
        kept = own(item, "meta")
        start, step, stop = (kept.get(n) for n in ("start_frame", "step", "stop_frame"))
        task = Task(
            str(rank), str(kept.get("name") or item["key"]), subset, item["key"], "interpolation",
            item.get("frames"), start if isinstance(start, int) else 0,
            stop if isinstance(stop, int) else None, step if isinstance(step, int) else 1,
            item.get("width"), item.get("height"),
        )  # fmt: skip
        file = _File([task])
        for row in rows:
            if row.get("frame") is None:
                why = "in a video, it is on no frame"
                self._shapes.fitting.reject(item, row, "annotation without a frame", why)
            else:
                self._row(file, item, row, row["frame"], task)
        if task.stop is None:
            last = max((s.frame for t in file.tracks.values() for s in t.shapes), default=0)
            task.stop = max(last, task.start + ((task.size or 1) - 1) * task.step)
        self._media.append((self._names.of(item), item["number"]))
        return file

    def _row(self, file: _File, item: Row, row: Row, number: int, task: Task) -> None:
        keyframe, outside = row.get("keyframe"), bool(row.get("outside"))
        place = [
            ("frame", str(number)), ("keyframe", str(int(keyframe is not False))),
            ("outside", str(int(outside))),
        ]  # fmt: skip
        name = row.get("track")
        track = file.track(name, row, task)
        if name is not None and track.name != name:
            text = f"track {name} has several labels; {row['label']!r} is track {track.name}"
            self._shapes.fitting.warn(item, row, "track has several labels", text)
        if row.get("group") == track.group:
            row = {k: v for k, v in row.items() if k != "group"}
        made = self._shapes.shape(item, row, place, 2)
        if made is not None:
            track.shapes.append(_Shape(number, made, keyframe, outside))

    def _write(self, name: str, file: _File) -> None:
        with self._sink.open(name) as stream:
            head = head_lines(self._export.name, file.tasks, self._survey, file.frames)
            stream.write("".join(f"{line}\n" for line in head).encode())
            for track in file.tracks.values():
                if track.shapes:
                    stream.write("".join(f"{line}\n" for line in _track(track, file)).encode())
            stream.write(b"</annotations>\n")


def _track(track: _Track, file: _File) -> Iterator[str]:
    said = [("id", str(track.id)), ("label", track.label), ("source", track.source)]
    if not track.single and track.name != str(track.id):
        said.append(("track", track.name))  # CVAT and Datumaro want a number as the id
    if file.subsets:
        said += [("task_id", track.task.id), ("subset", track.task.subset or "")]
    if track.group:
        said.append(("group_id", str(track.group)))
    if track.single:
        said.append(("single", "1"))
    yield f"  <track {' '.join(f'{n}={attr(v)}' for n, v in said)}>"
    step, stop = track.task.step, track.task.stop
    shapes = sorted(track.shapes, key=lambda s: s.frame)
    for shape, after in zip(shapes, [*shapes[1:], None], strict=True):
        yield from shape.lines
        # A track that has a row for each frame ends where it has none: CVAT must be told.
        end = shape.frame + step
        gap = after is None or after.frame > end
        if shape.keyframe is None and not shape.outside and gap and (stop is None or end <= stop):
            yield from _closing(shape.lines, end)
    yield "  </track>"


def _closing(shape: list[str], frame: int) -> Iterator[str]:
    # The same shape, outside from this frame on; our reader skips what says closing="1".
    place = f' frame="{frame}" keyframe="1" outside="1" closing="1"'
    yield re.sub(r' frame="\d+" keyframe="\d" outside="\d"', place, shape[0], count=1)
    for line in shape[1:]:
        if line.startswith("      <points "):  # a joint
            line = re.sub(r' frame="\d+"', f' frame="{frame}"', line, count=1)
            line = line.replace(' outside="0"', ' outside="1"', 1)
        yield line
