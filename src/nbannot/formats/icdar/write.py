"""Writing ICDAR."""

from __future__ import annotations

import colorsys
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from ...ledger import Ledger
from ...progress import Progress
from ..fitting import FileNames, Fitting, Holds, Row
from ..mask_images import Color, pack, without_suffix
from ..mask_painting import Painting
from ..text_lines import one_line, plain_number
from ..writing import Export, Sink
from .layout import subset_of
from .lines import ILLEGIBLE, quoted
from .read import LABEL

__all__ = ["write_icdar"]

_HOLDS = Holds(
    {"box": (), "polygon": (), "mask": (), "text": ()},
    columns=("text", "attributes", "group", "extra"),
    unlabelled=True,
)
_BACKGROUND = 0xFFFFFF


class _Writer:
    def __init__(self, sink: Sink, fitting: Fitting, *, decimals: bool) -> None:
        self.sink, self.fitting, self.decimals = sink, fitting, decimals
        self.foreign = 0

    def subset(self, export: Export, subset: str, progress: Progress) -> None:
        if not self.sink.saves_media and subset_of(subset) != (subset, ""):
            text = f"without images, {subset!r} is read as {subset_of(subset)[0]!r}"
            self.fitting.ledger.note("subset can't be written", message=text)
        names = FileNames(stems=True)
        kinds = _kinds(export, subset)
        words: list[str] = []
        for batch in export.batches(subset):
            for item, rows in self.fitting.fit(batch):
                path = names.of({**item, "key": one_line(item["key"])})
                if path != item["key"]:
                    key = item["key"]
                    text = f"{key} is written as {path}"
                    self.fitting.ledger.warn(
                        "image renamed", file=key, record="item", item=key, message=text
                    )
                self.sink.add_media(f"{subset}/images/{path}", item["number"])
                self._item(subset, path, item, rows, words, kinds)
                progress.advance()
        if words:
            self.sink.write(f"{subset}/gt.txt", "".join(words))

    def _item(
        self,
        subset: str,
        path: str,
        item: Row,
        rows: list[Row],
        words: list[str],
        kinds: set[str],
    ) -> None:
        folder, _, base = without_suffix(path).rpartition("/")
        place = f"{subset}/{folder}/" if folder else f"{subset}/"
        for row in rows:
            self._lose(item, row)
        texts = [row for row in rows if row["type"] == "text"]
        words += [f"{path}, {self._text(item, row)}\n" for row in texts]
        regions = [row for row in rows if row["type"] in ("box", "polygon")]
        if regions or (not rows and (not kinds or kinds & {"box", "polygon"})):
            lines = [self._region(item, row) for row in regions]
            self.sink.write(f"{place}gt_{base}.txt", "".join(lines))
        masks = [row for row in rows if row["type"] == "mask"]
        if masks:
            self._segmentation(f"{place}{base}_GT", item, masks)

    # -- rows -------------------------------------------------------------------------

    def _text(self, item: Row, row: Row) -> str:
        if _attributes(row).get("illegible") is True:
            if row.get("text"):
                text = f"text {row['text']!r} is written as {ILLEGIBLE}"
                self.fitting.warn(item, row, "illegible text can't be written", text)
            return quoted(ILLEGIBLE)
        text = row.get("text") or ""
        line = " ".join(text.splitlines()) if text.splitlines() != [text] else text
        if line != text:
            self.fitting.warn(item, row, "line break in a text", "a space is written for it")
        return quoted(line)

    def _region(self, item: Row, row: Row) -> str:
        if row["type"] == "polygon":
            numbers = list(row["points"])
            if len(numbers) != 8:
                text = f"it has {len(numbers) // 2} points, a quadrangle 4"
                self.fitting.warn(item, row, "polygon written as its box", text)
                numbers = _corners(row)
        else:
            numbers = _corners(row)
        if not self.decimals:
            whole = [float(round(v)) for v in numbers]
            if whole != numbers:
                text = "ICDAR holds whole pixels"
                self.fitting.warn(item, row, "coordinates rounded to whole pixels", text)
            numbers = whole
        cells = [plain_number(v) for v in numbers]
        language = _attributes(row).get("language")
        if isinstance(language, str) and len(cells) == 8:
            cells.append(language)
        return ",".join([*cells, self._text(item, row)]) + "\n"

    def _lose(self, item: Row, row: Row) -> None:
        self.foreign += bool(set(json.loads(row.get("extra") or "{}")) - {"icdar"})
        attributes = _attributes(row)
        if attributes.get("illegible") is True:
            del attributes["illegible"]
        if row["type"] == "polygon" and isinstance(attributes.get("language"), str):
            del attributes["language"]
        if attributes:
            text = f"attributes {', '.join(attributes)} are lost"
            self.fitting.warn(item, row, "attributes can't be written", text)
        if row.get("label") not in (None, LABEL):
            text = f"all is {LABEL!r}, {row['label']!r} is lost"
            self.fitting.warn(item, row, "label can't be written", text)
        if row.get("group") is not None and row["type"] != "mask":
            text = f"group {row['group']} is lost"
            self.fitting.warn(item, row, "group can't be written", text)

    # -- masks ------------------------------------------------------------------------

    def _segmentation(self, path: str, item: Row, rows: list[Row]) -> None:
        painting = Painting.of(item, rows, self.fitting)
        if painting is None:
            return
        shown = [paint.row for paint in painting.paints]
        colors = _colors(shown)
        packed = painting.values(lambda row: pack(colors[id(row)]) + 1, np.int64)
        packed = np.where(packed == 0, _BACKGROUND, packed - 1)
        pixels = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1)
        out = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(out, "BMP")
        self.sink.write(f"{path}.bmp", out.getvalue())
        words: dict[Any, list[Row]] = {}
        for row in rows:
            if id(row) in colors:
                group = row.get("group")
                words.setdefault(("group", group) if group is not None else id(row), []).append(row)
        blocks = ["".join(self._character(item, r, colors[id(r)]) for r in w)
                  for w in words.values()]  # fmt: skip
        self.sink.write(f"{path}.txt", "\n".join(blocks))

    def _character(self, item: Row, row: Row, color: Color) -> str:
        own = _own(row)
        box, center = _numbers(own.get("box"), 4), _numbers(own.get("center"), 2)
        if box is None or center is None:
            left, top, right, bottom = _corners(row)
            box = [left, top, right, bottom]
            center = [float((left + right) // 2), float((top + bottom) // 2)]
        numbers = [*map(str, color), *(plain_number(v) for v in [*center, *box])]
        illegible = _attributes(row).get("illegible") is True
        text = self._text(item, {**row, "attributes": "{}"}) if row.get("text") else quoted("")
        if illegible and not row.get("text"):
            text = quoted(ILLEGIBLE)
        return f"{'# ' if illegible else ''}{' '.join(numbers)} {text}\n"


def write_icdar(
    export: Export, sink: Sink, ledger: Ledger, progress: Progress, *, decimals: bool
) -> None:
    """Write an export; see `Icdar.write`."""
    fitting = Fitting("ICDAR", _HOLDS, ledger)
    progress.start("Writing texts", None, "items")
    writer = _Writer(sink, fitting, decimals=decimals)
    for subset in export.subsets:
        writer.subset(export, subset, progress)
    if writer.foreign:
        ledger.note("no place in ICDAR", message=f"extra of {writer.foreign:,} records")
    fitting.close()


def _kinds(export: Export, subset: str) -> set[str]:
    found: set[str] = set()
    for batch in export.batches(subset):
        found.update(batch.annotations["type"].unique().to_pylist())
    return found


def _attributes(row: Row) -> dict[str, Any]:
    found = json.loads(row.get("attributes") or "{}")
    return found if isinstance(found, dict) else {}


def _own(row: Row) -> dict[str, Any]:
    found = json.loads(row.get("extra") or "{}")
    mine = found.get("icdar") if isinstance(found, dict) else None
    return mine if isinstance(mine, dict) else {}


def _numbers(value: Any, count: int) -> list[Any] | None:
    # A list of so many numbers, else None.
    if not isinstance(value, list) or len(value) != count:
        return None
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in value):
        return None
    return value


def _corners(row: Row) -> list[float]:
    return [row["x"], row["y"], row["x"] + row["w"], row["y"] + row["h"]]


def _colors(rows: list[Row]) -> dict[int, Color]:
    # A colour for each row: its own, where it has one that is free.
    found: dict[int, Color] = {}
    taken = {_BACKGROUND}
    for row in rows:
        own = _numbers(_own(row).get("color"), 3)
        if own is not None and all(isinstance(v, int) and 0 <= v <= 255 for v in own):
            color = (own[0], own[1], own[2])
            if pack(color) not in taken:
                found[id(row)] = color
                taken.add(pack(color))
    free = (c for c in _palette() if pack(c) not in taken)
    for row in rows:
        if id(row) not in found:
            found[id(row)] = next(free)
    return found


def _palette() -> Iterator[Color]:
    for n in range(0x7FFFFF):
        if n < 4096:
            red, green, blue = colorsys.hsv_to_rgb(n * 0.61803398875 % 1, 0.75, 0.9 - n / 8192)
            yield round(red * 255), round(green * 255), round(blue * 255)
        else:
            yield n >> 16, n >> 8 & 255, n & 255
