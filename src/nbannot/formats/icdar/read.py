"""Reading ICDAR."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...errors import BrokenFileError, NbannotError
from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..mask_images import MaskPicture, Runs, decode_mask, pack
from ..reading import Reading
from ..text_lines import lines_of, text_of
from .layout import Images, Table, find_tables
from .lines import (
    ILLEGIBLE,
    Character,
    Region,
    parse_character,
    parse_region,
    parse_word,
)

__all__ = ["LABEL", "IcdarReader"]

LABEL = "text"
"""The label of all that is read."""


class IcdarReader:
    """Reads a source; one use."""

    def __init__(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None,
    ) -> None:
        self._source = source
        self._reading = Reading(source, ledger, progress, limit)
        task = options["task"]
        self._tables = find_tables(source, None if task == "auto" else task)
        self._images = Images(source.files) if source.main is None else None

    def read(self) -> Iterator[Batch]:
        """Yield the content.

        Raises:
            BrokenFileError: it is one file, and holds no line of ICDAR.
        """
        reading = self._reading
        tables = {table.path: table for table in self._tables}
        later: list[str] = []
        for path, data in reading.files(list(tables)):
            self._table(tables[path], data)
            yield from reading.batches()
            if reading.is_full:
                later = list(tables)[list(tables).index(path) + 1 :]
                break
        # What other texts say of the items that there are.
        rest = [p for p in later if not tables[p].stem or self._is_known(tables[p])]
        for path, data in reading.files(rest):
            self._table(tables[path], data)
        for path in self._images or ():
            if path not in reading.used_media and not reading.is_full:
                subset, key = self._images.key(path)  # type: ignore[union-attr]
                reading.item(key, subset=subset, media=path)
        yield from reading.rest()

    def _table(self, table: Table, data: bytes) -> None:
        read = {
            "localization": self._localization,
            "recognition": self._recognition,
            "segmentation": self._segmentation,
        }[table.task]
        if not read(table, data) and self._source.main is not None:
            hint = "A line is: x1,y1,x2,y2,x3,y3,x4,y4,text"
            raise BrokenFileError("The file holds no line of ICDAR", where=table.path, hint=hint)

    # -- items ------------------------------------------------------------------------

    def _item(self, table: Table) -> int:
        return self._add(table, *self._place(table, ""))

    def _is_known(self, table: Table) -> bool:
        subset, key, _ = self._place(table, "")
        return self._reading.number(key, subset) is not None

    def _place(self, table: Table, name: str) -> tuple[str | None, str, str | None]:
        # Subset, key and file of the image that a text, or a line of one, speaks of.
        inner = name or table.stem
        path = f"{table.folder}/{inner}" if table.folder else inner
        image = None
        if self._images:
            find = self._images.of_name if name else self._images.of_stem
            image = find(table.subset, path)
        if image is None or not self._images:
            return table.subset, path if name else f"{path}.jpg", None
        other, key = self._images.key(image)
        return table.subset or other, key, image

    def _add(self, table: Table, subset: str | None, key: str, image: str | None) -> int:
        reading = self._reading
        known = reading.number(key, subset)
        if known is not None:
            return known
        item = reading.item(key, subset=subset, media=image)
        if image is None and self._images:
            reading.warn(
                "image file missing", file=table.path, record="item", item=key,
                message=f"{key}: there is no image of this name",
            )  # fmt: skip
        return item

    # -- localization -----------------------------------------------------------------

    def _localization(self, table: Table, data: bytes) -> int:
        item = self._item(table)
        count = 0
        for number, line in lines_of(data):
            region = parse_region(line)
            if isinstance(region, str):
                self._reject(table, item, number, region)
                continue
            count += 1
            self._region(table, item, number, region)
        return count

    def _region(self, table: Table, item: int, line: int, region: Region) -> None:
        xy = np.asarray(region.numbers).reshape(-1, 2)
        low, high = xy.min(axis=0), xy.max(axis=0)
        if len(xy) == 2 and (xy[1] < xy[0]).any():
            self._warn(
                table, item, line, "corners in another order", "its right or bottom comes first"
            )
        if (high == low).any():
            self._warn(table, item, line, "box without area", "its width or height is 0")
        columns: dict[str, Any] = dict(zip("xywh", [*low.tolist(), *(high - low).tolist()],
                                           strict=True))  # fmt: skip
        if len(xy) == 4:
            columns["points"] = list(region.numbers)
        attributes = {"language": region.language} if region.language else {}
        kind = "polygon" if len(xy) == 4 else "box"
        self._text(item, region.text, attributes, type=kind, label=LABEL, **columns)

    def _text(self, item: int, text: str, attributes: dict[str, Any], **columns: Any) -> None:
        if text == ILLEGIBLE:
            attributes, text = {**attributes, "illegible": True}, ""
        told = json.dumps(attributes) if attributes else None
        self._reading.annotation(item, text=text or None, attributes=told, **columns)

    # -- recognition ------------------------------------------------------------------

    def _recognition(self, table: Table, data: bytes) -> int:
        count = 0
        for number, line in lines_of(data):
            word = parse_word(line)
            if isinstance(word, str):
                self._reject(table, None, number, word)
                continue
            count += 1
            place = self._place(table, word.image)
            if self._reading.is_full and self._reading.number(place[1], place[0]) is None:
                continue
            item = self._add(table, *place)
            if word.text:
                self._text(item, word.text, {}, type="text")
        return count

    # -- segmentation -----------------------------------------------------------------

    def _segmentation(self, table: Table, data: bytes) -> int:
        item = self._item(table)
        pixels = self._mask(table, item)
        masks = {}
        if pixels is not None:
            masks = {s.value: s.row for s in Runs.of(pixels.values).segments({0xFFFFFF})}
        word, count, numbers = 1, 0, 0
        text = text_of(data).replace("\r\n", "\n").replace("\r", "\n")
        for number, line in enumerate(text.split("\n"), 1):
            line = line.strip()
            if not line:
                word, count = (word + 1, 0) if count else (word, 0)
                continue
            character = parse_character(line)
            if isinstance(character, str):
                if line.startswith("#") and "numbers" in character:
                    continue  # a comment
                self._reject(table, item, number, character)
                continue
            count += 1
            numbers += 1
            self._character(table, item, number, character, word, masks)
        return numbers

    def _mask(self, table: Table, item: int) -> MaskPicture | None:
        base = table.path[: -len(".txt")]
        ends = (".bmp", ".png", ".BMP", ".PNG")
        paths = [base + end for end in ends if base + end in self._source.files]
        key = self._reading.key(item)
        if not paths:
            self._reading.ledger.note(
                "mask file missing", file=table.path, item=key,
                message=f"{base}.bmp is not there: characters are read as boxes",
            )  # fmt: skip
            return None
        try:
            picture = decode_mask(self._source.read(paths[0]), paths[0])
            if not picture.is_color:
                palette = np.array([pack(c) for c in picture.palette] or range(256), np.int64)
                if not picture.palette:
                    palette = palette * 0x10101
                values = palette[np.minimum(picture.values, len(palette) - 1)]
                picture = MaskPicture(values, True)
        except NbannotError as error:
            self._reading.ledger.note(
                "mask can't be read", file=paths[0], item=key, message=str(error)
            )
            return None
        return picture

    def _character(
        self,
        table: Table,
        item: int,
        line: int,
        character: Character,
        word: int,
        masks: dict[int, dict[str, Any]],
    ) -> None:
        row = masks.get(pack(character.color))
        extra = {
            "color": list(character.color), "center": list(character.center),
            "box": list(character.box),
        }  # fmt: skip
        if row is None:
            left, top, right, bottom = character.box
            row = {
                "type": "box", "x": min(left, right), "y": min(top, bottom),
                "w": abs(right - left), "h": abs(bottom - top),
            }  # fmt: skip
            if masks:
                text = f"the mask has no pixel of colour {character.color}; its box is taken"
                self._warn(table, item, line, "character without pixels", text)
        attributes = {} if character.counts else {"illegible": True}
        text = "" if character.text == ILLEGIBLE else character.text
        if character.text == ILLEGIBLE:
            attributes = {"illegible": True}
        self._text(
            item, text, attributes, label=LABEL, group=word, **row,
            extra=json.dumps({"icdar": extra}),
        )  # fmt: skip

    # -- the ledger -------------------------------------------------------------------

    def _reject(self, table: Table, item: int | None, line: int, text: str) -> None:
        where = f"line {line}"
        self._reading.reject(
            f"line is not of {table.task}", file=table.path, where=where, record=where,
            item="" if item is None else self._reading.key(item), message=f"{where}: {text}",
        )  # fmt: skip

    def _warn(self, table: Table, item: int, line: int, reason: str, text: str) -> None:
        where = f"line {line}"
        self._reading.warn(
            reason, file=table.path, where=where, record=where, item=self._reading.key(item),
            message=f"{where}: {text}",
        )  # fmt: skip
