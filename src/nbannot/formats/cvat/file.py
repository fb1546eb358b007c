"""One XML file of CVAT: its head, its images, its tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ...media.kinds import suffix
from ...schema import Label
from ..media_index import as_path
from .events import EMPTY, REJECTED, ShapeEvents
from .meta import MetaBuilder, Task, parse
from .plain import Images
from .plain_rows import Rows
from .shapes import GEOMETRY_OF
from .video import Frames, Track, finish

if TYPE_CHECKING:
    from .read import CvatReader

__all__ = ["FileReader", "Full"]

_SHAPES = (*GEOMETRY_OF, "tag")


class Full(Exception):  # noqa: N818
    """There are as many items as were asked for."""


class FileReader(ShapeEvents):
    """One XML file: the state between the events of its parser."""

    def __init__(self, whole: CvatReader, path: str, prefix: str, subset: str | None) -> None:
        super().__init__(whole, path)
        self.prefix, self.subset = prefix, subset
        self.frames = Frames(self)
        self.folder = path.rpartition("/")[0]
        self._near: dict[str | None, list[str]] = {}
        self._meta: MetaBuilder | None = None
        self._has_header = False
        self._count_of_tracks = 0
        self._record_of_track = 0
        self._is_inside = False
        self._starts: dict[str, Callable[[str, dict[str, str]], None]] = {
            **dict.fromkeys(_SHAPES, self._start_shape), "box": self._start_box,
            "image": self._start_image,
            "track": self._start_track, "skeleton": self._start_skeleton,
            "attribute": self._start_attribute, "meta": self._start_meta,
            "annotations": self._start_root, "version": _pass,
        }  # fmt: skip
        self._ends: dict[str, Callable[[str], None]] = {
            **dict.fromkeys(_SHAPES, self._end_shape), "image": self._end_image,
            "track": self._end_track, "skeleton": self._end_skeleton,
            "attribute": self._end_attribute, "annotations": self._end_root,
        }  # fmt: skip
        self._listen()

    def _listen(self) -> None:
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = None

    def count(self) -> None:
        """Tell the ledger of the annotations that were met."""
        self.ledger.read(self._met)
        self._met = 0

    def close(self) -> None:
        """Finish: what is left to say of the file."""
        if self.header.skipped:
            names = ", ".join(self.header.skipped)
            self.ledger.note(
                "what is said of the task is not kept", file=self.path,
                message=f"the head of {self.path} says more of its task: {names}",
            )  # fmt: skip
        if self._has_header and self._undeclared:
            names = ", ".join(sorted(self._undeclared)[:20])
            self.ledger.note(
                "labels that are not declared", file=self.path,
                message=f"the head of {self.path} does not declare: {names}",
            )  # fmt: skip

    # -- events -----------------------------------------------------------------------

    def _start(self, tag: str, attrs: dict[str, str]) -> None:
        handler = self._starts.get(tag)
        if handler is not None:
            handler(tag, attrs)
        elif (self._item is not None or self._track is not None) and not self.is_open:
            self._met += 1
            self._record += 1
            self.reject(f"<{tag}> is not known", "CVAT 1.1 has no such shape")

    def _end(self, tag: str) -> None:
        handler = self._ends.get(tag)
        if handler is not None:
            handler(tag)

    @property
    def rests(self) -> bool:
        """Is nothing open but ``<annotations>``?"""
        within = (self._item, self._track, self._meta, self._skeleton, self._joint_track)
        return (
            self._is_inside
            and within == (None,) * len(within)
            and self._joint is None
            and not self.is_open
            and not self._values
            and self.parser.CharacterDataHandler is None
        )

    def _start_root(self, tag: str, attrs: dict[str, str]) -> None:
        self._is_inside = True

    def _end_root(self, tag: str) -> None:
        self._is_inside = False

    # -- the head ---------------------------------------------------------------------

    def _start_meta(self, tag: str, attrs: dict[str, str]) -> None:
        if self._item is not None or self._track is not None or self._meta is not None:
            return
        self._meta = MetaBuilder()
        self._meta.start(tag, attrs)
        self.parser.StartElementHandler = self._meta.start
        self.parser.EndElementHandler = self._end_meta
        self.parser.CharacterDataHandler = self._meta.data

    def _end_meta(self, tag: str) -> None:
        assert self._meta is not None
        if not self._meta.end(tag):
            return
        self.header = parse(self._meta.close())
        self._meta = None
        self._has_header = bool(self.header.labels)
        for label in self.header.labels:
            known = self.whole.kit.labels.get(label.name)
            if known is None or (known.skeleton is None and label.skeleton is not None):
                self.whole.kit.labels[label.name] = label
        self.whole.subsets.update(self.header.subsets)
        self.frames.declare()
        self._listen()

    # -- images -----------------------------------------------------------------------

    def take(self, images: Images, first: int) -> int:
        """Add plain images from number `first` on, with what is on them.

        Returns:
            The first that is not added: the parser has to read it.
        """
        whole, base = self.whole, self.whole.columns.next_item
        files = whole.source.files if whole.has_media else None
        before = f"{self.prefix}/" if self.prefix else ""
        found: list[tuple[str | None, str, str | None, str | None]] = []
        last: list[str | None] = []
        subset, folders = None, [""]
        for name, is_odd, *said in images.named(first):
            if is_odd:
                break
            if last != said:
                last = said
                task = self.header.task_of(said[1]) if said[1] else self.header.task
                subset = self.subset_of(said[0], task)
                folders = [f"{folder}/" if folder else "" for folder in self.near(subset)]
            media = None
            if files is not None:
                for folder in folders:
                    if (media := folder + name) in files:
                        break
                else:
                    break
            place = (subset, before + name)
            if place in whole.keys:
                break
            whole.keys[place] = (base + len(found), said[1], media)
            found.append((*place, media, said[1]))
        stop = first + len(found)
        if found:
            items = whole.items_of(found, images, first)
            self.columns.add(items, self._rows_of(images.rows, first, stop, base))
        return stop

    def _rows_of(self, rows: Rows, first: int, stop: int, base: int) -> dict[str, pa.Array]:
        begin, end = np.searchsorted(rows.owner, (first, stop)).tolist()
        self._met += end - begin
        self._record += end - begin
        columns = {name: values.slice(begin, end - begin) for name, values in rows.columns.items()}
        if not self.whole.kit.labels.keys() >= set(rows.labels):
            for label in columns["label"].unique().to_pylist():
                if label not in self.whole.kit.labels:
                    self._declare(label)
        columns["item"] = pa.array(rows.owner[begin:end] + (base - first))
        return columns

    def near(self, subset: str | None) -> list[str]:
        """Return the folders where the media of a subset may lie, likeliest first."""
        found = self._near.get(subset)
        if found is None:
            roots = [self.folder]
            if self.folder:
                roots.append(self.folder.rpartition("/")[0])
            found = []
            for root in roots:
                inside = f"{root}/images" if root else "images"
                if subset is not None:
                    found += [f"{inside}/{subset}", f"{root}/{subset}" if root else subset]
                found += [inside, root, f"{root}/data" if root else "data"]
            self._near[subset] = found
        return found

    def subset_of(self, given: str | None, task: Task) -> str | None:
        """Return the subset of an item of a task."""
        return given or task.subset or self.subset

    def _start_image(self, tag: str, attrs: dict[str, str]) -> None:
        whole = self.whole
        if whole.is_full:
            raise Full
        source_id = attrs.get("id")
        name = as_path(attrs.get("name") or "")
        if not name:
            self._met += 1
            self._item, self._key = REJECTED, source_id or ""
            self.ledger.reject(
                "image without a name", file=self.path, record="item", item=f"image {source_id}",
                where=f"line {self.parser.CurrentLineNumber}",
                message=f"the image with the id {source_id} has no name",
            )  # fmt: skip
            return
        task_id = attrs.get("task_id")
        task = self.header.task_of(task_id) if task_id else self.header.task
        subset = self.subset_of(attrs.get("subset"), task)
        media, problem = whole.find(name, self.near(subset), subset)
        key = name
        if media is not None and not media.endswith(name) and not suffix(name):
            key += media[media.rindex(".") :]
        problems: list[tuple[str, str]] = []
        if key[0] == "/" or key[1:2] == ":" or (".." in key and ".." in key.split("/")):
            key, problem = _safe(key), "unsafe"
        if self.prefix:
            key = f"{self.prefix}/{key}"
        self._size = (self._side(attrs, "width"), self._side(attrs, "height"))
        is_odd = None in self._size
        if is_odd and media is not None:
            self._size = whole.kit.size(media) or self._size
        known = whole.keys.get((subset, key))
        if known is not None:
            if known[1] == task_id and known[2] == media:
                self._again(known[0], key, subset)
                return
            several = f"{key} is the name of two images; this one is {task_id or self.path}/{key}"
            key = f"{task_id or self.path}/{key}"
            problems.append(("two images of one name", several))
            key = whole.free_key(subset, key)
            if media in whole.used:
                media = None
        if problem or (media is None and problems):
            problems += self._media_problem(problem, name)
        if is_odd and (given := [attrs[n] for n in ("width", "height") if n in attrs]):
            problems.append(("declared size is none", f"it is declared as {' x '.join(given)}"))
        self._item = whole.add_item(subset, key, "image", media, self._size, source_id, task_id)
        self._key = key
        for reason, text in problems:
            self.ledger.warn(
                reason, file=self.path, where=f"line {self.parser.CurrentLineNumber}",
                record="item", item=key, message=f"{key}: {text}",
            )  # fmt: skip

    def _media_problem(self, problem: str, name: str) -> Iterator[tuple[str, str]]:
        if problem == "unsafe":
            yield "image path refused", f"{name!r} leads out of the dataset"
        elif self.whole.kit.has_images:
            if problem == "ambiguous":
                yield "several images fit", "several files have this name"
            else:
                yield "image file missing", "there is no image of this name"

    def _again(self, number: int, key: str, subset: str | None) -> None:
        self._met += 1
        self.ledger.joined()
        self._item, self._key = number, key
        self.ledger.warn(
            "image is given twice", file=self.path,
            where=f"line {self.parser.CurrentLineNumber}", record="item", item=key,
            message=f"{key} is given twice; its shapes are brought together",
        )  # fmt: skip

    def _side(self, attrs: Mapping[str, str], name: str) -> int | None:
        try:
            value = int(float(attrs[name]))
        except (KeyError, ValueError, OverflowError):
            return None
        return value if 0 < value < 1 << 31 else None

    def _end_image(self, tag: str) -> None:
        self._item = None
        self._values = {}

    # -- tracks -----------------------------------------------------------------------

    def _start_track(self, tag: str, attrs: dict[str, str]) -> None:
        if self._track is not None:
            self._joint_track = attrs.get("label") or ""
            return
        label = attrs.get("label") or None
        self._record_of_track = self._record
        self._count_of_tracks += 1
        name = attrs.get("track") or attrs.get("id") or f"track {self._count_of_tracks}"
        task = self.header.task_of(attrs.get("task_id"))
        subset = self.subset_of(attrs.get("subset"), task)
        unique = self.whole.track_name((subset, self.prefix, task.source), name)
        self._track = Track(
            f"{self.prefix}/{unique}" if self.prefix else unique, label, attrs.get("group_id"),
            attrs.get("source"), subset, attrs.get("task_id"), task, (None, None),
        )  # fmt: skip
        self._track.size = self.frames.size_of(self._track)
        if "single" in attrs:
            self._track.name, self._track.explicit = None, True
        if label not in self.whole.kit.labels:
            self._declare_track(label, name)
        self._typed = self.header.values.get(label or "", EMPTY)
        if unique != name:
            self._track.problems.append(("track id is given twice", f"this one is {unique}"))

    def _declare_track(self, label: str | None, name: str) -> None:
        if label is None:
            assert self._track is not None
            self._track.problems.append(("annotation without a label", f"track {name} has none"))
        else:
            self._undeclared.add(label)
            self.whole.kit.labels[label] = Label(label)

    def _end_track(self, tag: str) -> None:
        if self._joint_track is not None:
            self._joint_track = None
            return
        track, self._track = self._track, None
        if track is None:
            return
        if self._record == self._record_of_track:
            self._met += 1
            self._record += 1
            self.reject("track without shapes", f"track {track.name} has none")
            return
        finish(track, self)


def _pass(tag: str, attrs: dict[str, str]) -> None:
    pass


def _safe(name: str) -> str:
    parts = [p for p in name.split("/") if p not in ("", ".", "..") and not p.endswith(":")]
    return "/".join(parts) or "image"
