"""Writing AVA: frames get the names that it has, boxes become parts of their size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...media.kinds import suffix
from ...schema import Label
from ..fitting import Fitting, Row
from ..recordings import rows_as_text, stem_of
from ..text_lines import plain_number
from ..writing import safe_path
from .read import FRAMES

__all__ = ["Writer", "numbers_of"]

_FRAME = re.compile(r"(?P<video>.+)/(?P<base>[^/]+)_(?P<time>\d+)(?P<end>\.\w+)")


def numbers_of(labels: Sequence[Label]) -> dict[str, int]:
    """Return the numbers that the labels have, where those are good ones, else from 1."""
    given = [label.source_id or "" for label in labels]
    if all(n.isdecimal() and n.isascii() and len(n) < 9 for n in given) and (
        len({int(n) for n in given}) == len(given)
    ):
        return {label.name: int(n) for label, n in zip(labels, given, strict=True)}
    return {label.name: n for n, label in enumerate(labels, 1)}


@dataclass
class Writer:
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
        self.place = f"{FRAMES}/{path}{end}"
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
