"""Reading AVA: rows of video, timestamp, box, action and person, and the list of actions."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import OptionError
from ...media.kinds import IMAGE_SUFFIXES, suffix
from ...schema import DEFAULT_SUBSET
from ..fitting import Row
from ..image_records import At, add_box
from ..look import Head, Look
from ..reading import Reading
from ..recordings import Recordings, seconds
from ..text_lines import lines_of, text_of
from ..texts import (
    is_split,
)

__all__ = ["FRAMES", "NAME", "Reader", "action_lists", "actions", "is_mine", "number_option"]

FRAMES = "frames"
NAME = re.compile(r"ava_(.+?)_v\d[\d.]*(?:_.*)?\.csv", re.IGNORECASE)
_ENTRY = re.compile(r'(?:label|item)\s*\{((?:[^{}"]|"(?:[^"\\]|\\.)*")*)\}')
_FIELD = re.compile(r'(\w+)\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(-?\d+))')
_ACTION = re.compile(r"[0-9]{1,9}")
_MAX_FRAME = 2**53
_RELATIVE_TO = 2.0  # coordinates from here on are no part of a width or height
_PROBED = 200


def is_mine(head: Head) -> bool:
    """Has a file rows of AVA?"""
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
    return None not in values and (action == "" or _ACTION.fullmatch(action) is not None) and all(
        cell.strip() == "" or seconds(cell) is not None for cell in cells[7:]
    )  # fmt: skip


def action_lists(look: Look) -> list[str]:
    """Return the files that list actions."""
    paths = look.files.with_suffix(".pbtxt")
    return [path for path in paths if _ENTRY.search(look.head(path).text)]


def actions(reading: Reading, look: Look) -> dict[str, str] | None:
    """Return the actions by number; None where there is no list."""
    found: dict[str, str] = {}
    paths = action_lists(look)
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


def number_option(options: Mapping[str, Any], name: str) -> float | None:
    """Return an option that is a number above 0, or None."""
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


class Reader:
    """Reads the rows of one source."""

    def __init__(
        self, reading: Reading, actions: dict[str, str] | None, options: Mapping[str, Any]
    ) -> None:
        self._reading, self._actions = reading, actions
        self._recordings = Recordings(reading, "video")
        self._units = options["units"]
        self._size, self._fps = _size_option(options), number_option(options, "fps")
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
        near = [f"{subset}/{FRAMES}", FRAMES] if subset else [FRAMES]
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
            moment = (seconds(cells[1]) or 0.0) * (self._fps or 1.0)
            if not 0 <= moment < _MAX_FRAME:
                text = f"its timestamp is {cells[1]}"
                reading.reject("timestamp is of no frame", **at.line(text))
                return
            values["frame"] = round(moment)
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
    match = NAME.fullmatch(name)
    if match is not None:
        return None if match[1] == DEFAULT_SUBSET else match[1]
    words = [word for word in re.split(r"[-_.]", name) if is_split(word)]
    return words[0] if words else None
