"""AVA: actions of persons at moments of videos, a CSV file and the list of actions."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..errors import OptionError
from ..ledger import Ledger
from ..media.kinds import IMAGE_SUFFIXES, suffix
from ..progress import Progress
from ..schema import DEFAULT_SUBSET, Batch, Label
from ..sources.base import Source
from .base import Format, Option
from .fitting import Fitting, Holds, Row
from .image_files import fitted
from .image_records import At, add_box, candidates
from .look import Head, Look
from .reading import Reading
from .recordings import Recordings, rows_as_text, seconds, stem_of
from .text_lines import lines_of, plain_number, text_of
from .texts import is_split
from .writing import Export, Sink, safe_path

__all__ = ["Ava"]

_NAME = re.compile(r"ava_(.+?)_v\d[\d.]*(?:_.*)?\.csv", re.IGNORECASE)
_ENTRY = re.compile(r"(?:label|item)\s*\{([^{}]*)\}")
_FIELD = re.compile(r'(\w+)\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(-?\d+))')
_FRAME = re.compile(r"(?P<video>.+)/(?P<base>[^/]+)_(?P<time>\d+)(?P<end>\.\w+)")
_FRAMES, _LISTS = "frames", "annotations"
_ACTIONS = "ava_action_list_v2.2.pbtxt"
_RELATIVE_TO = 2.0  # coordinates from here on are no part of a width or height
_PROBED = 200
_FPS = Option("fps", "number", None, "Frames per second: a frame is its timestamp times this. By "
              "default a timestamp is the number of the frame.")  # fmt: skip


class Ava(Format):
    """AVA actions: ``ava_<subset>_v2.2.csv`` and the list of actions as ``.pbtxt``.

    **Items** are frames, ``<video>/<video>_<timestamp>.jpg``, where such images are there; else
    videos, whose boxes have a ``frame``, the timestamp (times ``fps``). The subset is that of the
    file's name.

    **Rows** are boxes, with the action as label and the person as track: a person with two
    actions is two boxes. Coordinates are parts of width and height, 0 to 1; a file with larger
    ones is in pixels. The size is the image's; that of videos has to be said (``size``).

    **Records** are frames or videos, and rows; a row without a box is a frame without a person.
    Images of other names are written as frame 0 of a video of that name.
    """

    name: ClassVar[str] = "ava"
    title: ClassVar[str] = "AVA actions"
    summary: ClassVar[str] = "CSV of video, timestamp, box, action and person, and frames."
    rules: ClassVar[str] = "https://research.google.com/ava/download.html"
    holds: ClassVar[tuple[str, ...]] = ("box",)
    read_options: ClassVar[tuple[Option, ...]] = (
        Option("units", "choice", None, "What coordinates are; by default found out.",
               ("relative", "pixels")),
        Option("size", "text", None, 'Width and height of videos, "1280x720".'),
        _FPS,
    )  # fmt: skip
    write_options: ClassVar[tuple[Option, ...]] = (_FPS,)

    def requires(self, look: Look) -> float:
        """Return 0.95 for rows of AVA with a list of actions, 0.7 for such rows alone."""
        paths = candidates(look.source, ".csv")
        look.need(paths, "no .csv file")
        mine = [p for p in paths[:8] if _is_mine(look.head(p))]
        lists = _action_lists(look)
        if not mine and lists and all(not look.head(p).text.strip() for p in paths[:8]):
            look.found(f"{lists[0]} is a list of actions, and {paths[0]} is empty")
            return 0.8
        look.need(mine, f"{paths[0]} has no rows of video, timestamp, box, action and person")
        look.found(f"{mine[0]} has rows of video, timestamp, box, action and person")
        if lists:
            look.found(f"{lists[0]} is a list of actions")
            return 0.95
        return 0.9 if _NAME.fullmatch(mine[0].rpartition("/")[2]) else 0.6

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield frames or videos with their boxes, then the frames without a row."""
        reading = Reading(source, ledger, progress, limit)
        look = Look(source)
        reader = _Reader(reading, _actions(reading, look), options)
        paths = candidates(source, ".csv")
        mine = [p for p in paths if source.main or _is_mine(look.head(p))]
        for path in paths:
            if path not in mine and look.head(path).text.strip():
                ledger.note("file has no rows of AVA", file=path)
        for path, data in reading.files(mine):
            reader.file(path, text_of(data))
            yield from reading.batches()
        for folder in (_FRAMES, *(f"{s}/{_FRAMES}" for s in source.files.folders())):
            if source.main is None:
                some = [p for p in look.images if p.startswith(f"{folder}/")]
                above = folder.rpartition("/")[0]
                reading.leftover(some, above if is_split(above) else None, under=folder)
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``annotations/`` with the lists, and the frames (or videos) beside it."""
        holds = Holds({"box": ()}, ("track", "frame"), ("image", "video"))
        fitting = Fitting(self.title, holds, ledger)
        progress.start("Writing frames", unit="frames")
        numbers = _numbers(export.labels)
        shared = len(export.subsets) < 2
        for subset in export.subsets:
            name = safe_path(subset or DEFAULT_SUBSET).replace("/", "-")
            if not shared and name != subset:
                ledger.note("name of a subset is not kept", file=name)
            writer = _Writer(fitting, numbers, _number_option(options, "fps"))
            media: list[tuple[Row, str]] = []
            for item, rows in fitted(export, subset, fitting, progress):
                writer.item(item, rows)
                place = writer.place if shared else f"{name}/{writer.place}"
                media.append((item, place))
            sink.write(f"{_LISTS}/ava_{name}_v2.2.csv", writer.text())
            for item, place in media:
                sink.add_media(place, item["number"])
        entries = [
            f"label {{\n  name: {json.dumps(label, ensure_ascii=False)}\n  label_id: {number}\n}}\n"
            for label, number in numbers.items()
        ]
        sink.write(f"{_LISTS}/{_ACTIONS}", "".join(entries))
        fitting.close()


def _is_mine(head: Head) -> bool:
    lines = head.lines[:20]
    rows = [line.split(",") for line in (lines[:-1] or lines)]
    return bool(rows) and all(_is_row(row) for row in rows)


def _is_row(cells: Sequence[str]) -> bool:
    if len(cells) not in (7, 8) or seconds(cells[1]) is None or not cells[0].strip():
        return False
    if not any(cell.strip() for cell in cells[2:]):
        return True  # no person in this frame
    values = [seconds(cell) for cell in cells[2:6]]
    action = cells[6].strip()
    return None not in values and (action == "" or action.isdigit()) and all(
        cell.strip() == "" or seconds(cell) is not None for cell in cells[7:]
    )  # fmt: skip


def _action_lists(look: Look) -> list[str]:
    paths = look.files.with_suffix(".pbtxt")
    return [path for path in paths if _ENTRY.search(look.head(path).text)]


def _actions(reading: Reading, look: Look) -> dict[str, str] | None:
    # Number -> action; None where there is no list.
    found: dict[str, str] = {}
    paths = _action_lists(look)
    for path in paths:
        text = text_of(reading.source.read(path))
        for entry in _ENTRY.finditer(text):
            values = {m[1]: m[2] if m[3] is None else m[3] for m in _FIELD.finditer(entry[1])}
            name = values.get("name")
            number = values.get("label_id", values.get("id", "0"))
            if name and number not in found:
                name = json.loads(f'"{name}"') if _is_json_text(name) else name
                found[number] = reading.label(name, source_id=number)
    return found if paths else None


def _is_json_text(text: str) -> bool:
    try:
        json.loads(f'"{text}"')
    except ValueError:
        return False
    return True


def _number_option(options: Mapping[str, Any], name: str) -> float | None:
    value = options.get(name)
    if value is None or value == "":
        return None
    number = seconds(str(value))
    if number is None or number <= 0:
        raise OptionError(f"Option {name!r} can't be {value!r}", hint="It is a number above 0.")
    return number


def _size_option(options: Mapping[str, Any]) -> tuple[int, int] | None:
    value = options.get("size")
    if not value:
        return None
    match = re.fullmatch(r"\s*(\d{1,5})\s*[x,]\s*(\d{1,5})\s*", str(value))
    if match is None:
        raise OptionError(f"Option 'size' can't be {value!r}", hint='It is like "1280x720".')
    return int(match[1]), int(match[2])


class _Reader:
    """Reads the rows of one source."""

    def __init__(
        self, reading: Reading, actions: dict[str, str] | None, options: Mapping[str, Any]
    ) -> None:
        self._reading, self._actions = reading, actions
        self._recordings = Recordings(reading, "video")
        self._units = options["units"]
        self._size, self._fps = _size_option(options), _number_option(options, "fps")
        self._sizes: dict[int, tuple[int, int] | None] = {}
        self._unnamed = False

    def file(self, path: str, text: str) -> None:
        """Read a file."""
        rows = [
            (number, [cell.strip() for cell in next(csv.reader([line]), [])])
            for number, line in lines_of(text)
            if "\x00" not in line
        ]
        subset = _subset_of(path)
        good = [cells for _, cells in rows if _is_row(cells)]
        values = (seconds(cell) or 0.0 for cells in good for cell in cells[2:6])
        in_pixels = self._units == "pixels" or (
            self._units is None and any(value >= _RELATIVE_TO for value in values)
        )
        if in_pixels and self._units is None:
            self._reading.ledger.note(
                "coordinates are pixels", file=path,
                message=f"{path} has coordinates of {_RELATIVE_TO:g} and more: they are taken as "
                "pixels, not as parts of width and height",
            )  # fmt: skip
        frames = any(self._find(cells, subset) for cells in good[:_PROBED])
        for number, cells in rows:
            where = f"line {number}"
            if not _is_row(cells):
                self._reading.reject(
                    "line is not a row of AVA", file=path, where=where, record=where,
                    message=f"{where} is not video, timestamp, box, action and person",
                )  # fmt: skip
                continue
            self._row(path, where, cells, subset, frames=frames, in_pixels=in_pixels)

    def _find(self, cells: Sequence[str], subset: str | None) -> str | None:
        near = [f"{subset}/{_FRAMES}", _FRAMES] if subset else [_FRAMES]
        found = self._reading.media.find_stem(_frame_stem(cells), near).path
        return found if found is not None and suffix(found) in IMAGE_SUFFIXES else None

    def _row(
        self,
        path: str,
        where: str,
        cells: Sequence[str],
        subset: str | None,
        *,
        frames: bool,
        in_pixels: bool,
    ) -> None:
        reading = self._reading
        media = self._find(cells, subset) if frames else None
        key = _frame_stem(cells) + (suffix(media) if media else ".jpg") if frames else cells[0]
        item = reading.number(key, subset)
        if item is None:
            if reading.is_full:
                return
            item = self._add(path, key, subset, media, frames=frames)
        if not any(cells[2:6]):
            return
        at = At(path, where, key)
        x1, y1, x2, y2 = (seconds(cell) or 0.0 for cell in cells[2:6])
        size = self._sizes[item]
        if not in_pixels:
            if size is None:
                what = "image" if frames else "video"
                text = f"coordinates are parts of the size of the {what}, which is not known"
                reading.reject(f"size of the {what} is not known", **at.line(text))
                return
            x1, x2, y1, y2 = x1 * size[0], x2 * size[0], y1 * size[1], y2 * size[1]
        values: Row = {"label": self._label(cells[6], at), **_person(cells)}
        if not frames:
            time = seconds(cells[1]) or 0.0
            values["frame"] = round(time * (self._fps or 1.0))
        add_box(reading, item, at, [x1, y1, x2 - x1, y2 - y1], size, **values)

    def _add(
        self, path: str, key: str, subset: str | None, media: str | None, *, frames: bool
    ) -> int:
        if not frames:
            near = [subset] if subset else []
            item = self._recordings.add(key, file=path, near=near, subset=subset)
            self._sizes[item] = self._size
            return item
        size = self._reading.size(media) or self._size
        width, height = size or (None, None)
        item = self._reading.item(key, subset=subset, media=media, width=width, height=height)
        self._sizes[item] = size
        if media is None:
            self._reading.warn(
                "image file missing", file=path, record="item", item=key,
                message=f"{key}: there is no image of this name",
            )  # fmt: skip
        return item

    def _label(self, number: str, at: At) -> str | None:
        if number == "":
            return None
        plain = str(int(number))
        if self._actions is None:
            if not self._unnamed:
                self._reading.ledger.note(
                    "no list of actions", file=at.file,
                    message="there is no .pbtxt with the names of actions: labels are numbers",
                )  # fmt: skip
            self._unnamed = True
            return plain
        if plain not in self._actions:
            text = f"action {plain} is not in the list, the label is its number"
            self._reading.warn("action is not in the list", **at.line(text))
        return self._actions.get(plain, plain)


def _person(cells: Sequence[str]) -> Row:
    # The last column is a person, or, of predictions, a score.
    last = cells[7] if len(cells) > 7 else ""
    if "." in last:
        return {"score": seconds(last)}
    return {"track": last} if last not in ("", "-1") else {}


def _frame_stem(cells: Sequence[str]) -> str:
    video = cells[0].replace("\\", "/")
    return f"{video}/{video.rpartition('/')[2]}_{cells[1]}"


def _subset_of(path: str) -> str | None:
    name = path.rpartition("/")[2]
    match = _NAME.fullmatch(name)
    if match is not None:
        return None if match[1] == DEFAULT_SUBSET else match[1]
    words = [word for word in re.split(r"[-_.]", name) if is_split(word)]
    return words[0] if words else None


# -- writing --------------------------------------------------------------------------


def _numbers(labels: Sequence[Label]) -> dict[str, int]:
    # The numbers that the labels have, where those are good ones, else from 1.
    given = [label.source_id or "" for label in labels]
    if all(n.isdecimal() and n.isascii() and len(n) < 9 for n in given) and (
        len({int(n) for n in given}) == len(given)
    ):
        return {label.name: int(n) for label, n in zip(labels, given, strict=True)}
    return {label.name: n for n, label in enumerate(labels, 1)}


@dataclass
class _Writer:
    """Makes the rows of one subset."""

    fitting: Fitting
    numbers: dict[str, int]
    fps: float | None
    place: str = ""
    _taken: set[str] = field(default_factory=set)
    _tracks: dict[tuple[str, str], str] = field(default_factory=dict)
    _rows: list[list[Any]] = field(default_factory=list)

    def text(self) -> str:
        """Return the rows."""
        return rows_as_text(self._rows)

    def item(self, item: Row, rows: Sequence[Row]) -> None:
        """Add the rows of an item; `place` is where its media goes."""
        if item["kind"] == "image":
            video, time = self._frame(item)
        else:
            video, time = self._video(item), ""
        made = [line for row in rows if (line := self._line(item, row, video, time)) is not None]
        self._rows += made or [[video, time or "0000", "", "", "", "", "", ""]]

    def _frame(self, item: Row) -> tuple[str, str]:
        key = safe_path(item["key"])
        match = _FRAME.fullmatch(key)
        if match is not None and match["video"].rpartition("/")[2] == match["base"]:
            video, time, end = match["video"], match["time"], match["end"]
        else:
            end = suffix(key) or suffix(item.get("media") or "") or ".jpg"
            video, time = (key[: -len(end)] if suffix(key) else key), "000000"
        first, n = video, 1
        while self._path(video, time) in self._taken:
            n += 1
            video = f"{first}-{n}"
        path = self._path(video, time)
        self._taken.add(path)
        self.place = f"{_FRAMES}/{path}{end}"
        self._told(item, path + end)
        return video, time

    def _path(self, video: str, time: str) -> str:
        return f"{video}/{video.rpartition('/')[2]}_{time}"

    def _video(self, item: Row) -> str:
        key = safe_path(item["key"])
        stem, n = stem_of(key), 1
        unique = key
        while unique in self._taken:
            n += 1
            unique = f"{stem}-{n}{key[len(stem) :]}"
        self._taken.add(unique)
        self.place = unique
        self._told(item, unique)
        return unique

    def _told(self, item: Row, name: str) -> None:
        key = item["key"]
        if name != key:
            self.fitting.ledger.warn(
                "renamed", file=key, record="item", item=key, message=f"{key} is written as {name}"
            )

    def _line(self, item: Row, row: Row, video: str, time: str) -> list[Any] | None:
        width, height = item.get("width"), item.get("height")
        if not width or not height:
            self.fitting.reject(item, row, "size is not known", "boxes are parts of it")
            return None
        if not time:
            if row.get("frame") is None:
                self.fitting.reject(item, row, "box without a frame", "AVA needs its timestamp")
                return None
            moment = row["frame"] / (self.fps or 1.0)
            time = f"{moment:04.0f}" if float(moment).is_integer() else repr(moment)
        elif row.get("frame") is not None and row["frame"] != int(time):
            self.fitting.warn(
                item, row, "frame can't be written", f"frame {row['frame']} is that of the image"
            )
        sides = (row["x"] / width, row["y"] / height, (row["x"] + row["w"]) / width,
                 (row["y"] + row["h"]) / height)  # fmt: skip
        person = self._person(item, row)
        label = self.numbers.setdefault(row["label"], max(self.numbers.values(), default=0) + 1)
        return [video, time, *(plain_number(side) for side in sides), label, person]

    def _person(self, item: Row, row: Row) -> str:
        track = row.get("track")
        if track is None:
            return "-1"
        if re.fullmatch(r"\d{1,15}", track):
            return str(track)
        made = self._tracks.setdefault((item["key"], track), str(1_000_000 + len(self._tracks)))
        self.fitting.warn(
            item, row, "track written as a number", f"track {track!r} is the person {made}"
        )
        return made
