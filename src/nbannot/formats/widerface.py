"""WIDER Face: one text per subset, with the faces of each image under its path."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..ledger import Ledger
from ..media.kinds import is_image
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format, Option
from .fitting import FileNames, Fitting, Holds, Row
from .look import Look
from .reading import Reading
from .text_lines import lines_of, one_line, plain_number
from .writing import Export, Sink

__all__ = ["WiderFace"]

_TABLE = re.compile(r"(?:^|/)wider_face_([^/]+?)_(bbx_gt|filelist)\.txt$", re.IGNORECASE)
_EVENT = re.compile(r"\d+--(.+)")
_ATTRIBUTES = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")
_FACE = "face"
_HOLDS = Holds({"box": (), "tag": ()}, columns=("score", "occluded", "attributes"))


@dataclass
class _Block:
    # One image: the lines under its path.
    line: int
    path: str
    count: int | None = None
    rows: list[tuple[int, list[str]]] = field(default_factory=list)


class WiderFace(Format):
    """WIDER Face: ``wider_face_<subset>_bbx_gt.txt``, and images in ``WIDER_<subset>``.

    **Items** are the images that the text names, and those that only lie in the folder; the key
    is the path below ``images`` (``0--Parade/0_Parade_marchingband_1_849.jpg``). The folder's
    event is a tag of the image.

    **Boxes** are left, top, width and height in pixels, label ``face``. Blur, expression,
    illumination, invalid, occlusion and pose are attributes where they are not 0; an occlusion
    is `occluded` too. A last column after them, or after the box alone, is the `score`.

    **Records** are images, their events and their rows. Any other label, and anything that is no
    box, has no place in the format.
    """

    name: ClassVar[str] = "widerface"
    title: ClassVar[str] = "WIDER Face"
    summary: ClassVar[str] = "Faces as boxes, one text per subset."
    rules: ClassVar[str] = "http://shuoyang1213.me/WIDERFACE/"
    holds: ClassVar[tuple[str, ...]] = ("box",)
    read_options: ClassVar[tuple[Option, ...]] = (
        Option("events", "bool", True, "Read the event (0--Parade) as a tag of the image."),
    )

    def requires(self, look: Look) -> float:
        """Recognise wider_face_..._bbx_gt.txt, or a text of the same lines."""
        main = look.source.main
        if main is not None:
            look.need(main.lower().endswith(".txt"), "the file is not a text")
            look.need(_has_blocks(look.head(main).lines), "no image path, count and rows of faces")
            look.found(f"{main} has image paths, counts and rows of faces")
            return 0.9
        tables = [p for p in look.files.with_suffix(".txt") if _TABLE.search(p)]
        look.need(tables, "no wider_face_..._bbx_gt.txt")
        filled = [p for p in tables if _has_blocks(look.head(p).lines)]
        look.need(
            filled or not any(look.head(p).lines for p in tables),
            f"{tables[0]} has no image path, count and rows of faces",
        )
        look.found(f"{(filled or tables)[0]} lists faces by image")
        return 0.95 if filled else 0.6

    # -- reading ----------------------------------------------------------------------

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the images and faces; see `Format.read`."""
        events = bool(self.check_options(options)["events"])
        reading = Reading(source, ledger, progress, limit)
        paths = [source.main] if source.main is not None else _tables(source)
        for path, data in reading.files(paths):
            match = _TABLE.search(path)
            subset = match[1] if match else None
            folder = path.rpartition("/")[0].rpartition("/")[0]
            images = "/".join(p for p in (folder, f"WIDER_{subset}", "images") if p)
            for block in _blocks(data, path, ledger):
                if reading.is_full and reading.number(block.path, subset) is None:
                    continue
                _read_block(reading, block, path, subset, images, events=events)
                yield from reading.batches()
        if source.main is None:
            _leftover(reading, paths, events=events)
        yield from reading.rest()

    # -- writing ----------------------------------------------------------------------

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write a text per subset, with a block per image; one without faces has a row of zeros.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        self.check_options(options, writing=True)
        fitting = Fitting(self.title, _HOLDS, ledger)
        progress.start("Writing faces", None, "items")
        for subset in export.subsets:
            names = FileNames()
            lines: list[str] = []
            for batch in export.batches(subset):
                for item, rows in fitting.fit(batch):
                    path = names.of({**item, "key": one_line(item["key"])})
                    if not is_image(path):
                        path += ".jpg"
                    if path != item["key"]:
                        _warn_name(ledger, item, path)
                    sink.add_media(f"WIDER_{subset}/images/{path}", item["number"])
                    faces = [line for row in rows if (line := _line(fitting, item, row, path))]
                    lines += [path, str(len(faces)), *(faces or ["0 0 0 0 0 0 0 0 0 0"])]
                    progress.advance()
            text = "".join(f"{line}\n" for line in lines)
            sink.write(f"wider_face_split/wider_face_{subset}_bbx_gt.txt", text)
        fitting.close()


def _tables(source: Source) -> list[str]:
    # A list of files says nothing where there is a table of the same subset.
    found = {p: m for p in source.files.with_suffix(".txt") if (m := _TABLE.search(p))}
    tables = {m[1] for m in found.values() if m[2].lower() == "bbx_gt"}
    return [p for p, m in found.items() if m[2].lower() == "bbx_gt" or m[1] not in tables]


def _has_blocks(lines: list[str]) -> bool:
    if len(lines) < 2 or not is_image(lines[0]) or not lines[1].isdigit():
        return False
    if len(lines) == 2:
        return lines[1] == "0"
    cells = lines[2].split()
    return is_image(lines[2]) or (len(cells) >= 4 and _numbers(cells) is not None)


def _blocks(data: bytes, file: str, ledger: Ledger) -> Iterator[_Block]:
    block: _Block | None = None
    for number, line in lines_of(data):
        cells = line.split()
        if is_image(line) or (_numbers(cells) is None and not _numbers(cells[:1])):
            if block is not None:
                yield block
            block = _Block(number, line.replace("\\", "/"))
        elif block is None:
            where = f"line {number}"
            ledger.read()
            ledger.reject(
                "row without an image", file=file, where=where, record=where,
                message=f"{where}: no image path stands before it",
            )  # fmt: skip
        elif block.count is None and not block.rows and len(cells) == 1 and line.isdecimal():
            block.count = int(line[:18])
        else:
            block.rows.append((number, cells))
    if block is not None:
        yield block


def _numbers(cells: list[str]) -> list[float] | None:
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        return None


def _read_block(
    reading: Reading, block: _Block, file: str, subset: str | None, images: str, *, events: bool
) -> None:
    known = reading.number(block.path, subset)
    item = reading.image_item(block.path, file=file, near=[images], subset=subset)
    where = f"line {block.line}"
    if known is not None:
        reading.warn(
            "image is listed twice", file=file, where=where, record="item", item=block.path,
            message=f"{where}: {block.path} was listed before; its faces are added",
        )  # fmt: skip
    elif events:
        _event(reading, item, block.path)
    rows = block.rows
    if not block.count and len(rows) == 1 and _is_zero(rows[0][1]):
        rows = []
    if block.count is not None and block.count != len(rows):
        reading.warn(
            "count is not the number of rows", file=file, where=where, record="item",
            item=block.path, message=f"{where}: {block.count} faces, but {len(rows)} rows",
        )  # fmt: skip
    for number, cells in rows:
        _read_row(reading, item, file, number, cells)


def _is_zero(cells: list[str]) -> bool:
    numbers = _numbers(cells)
    return numbers is not None and not any(numbers)


def _event(reading: Reading, item: int, path: str) -> None:
    match = _EVENT.fullmatch(path.rpartition("/")[0].rpartition("/")[2])
    if match:
        reading.annotation(item, type="tag", label=match[1])


def _read_row(reading: Reading, item: int, file: str, line: int, cells: list[str]) -> None:
    where, key = f"line {line}", reading.key(item)
    numbers = _numbers(cells)
    problem = ""
    if numbers is None:
        problem, text = "row is not numbers", f"{' '.join(cells)!r} is not x, y, width, height"
    elif len(numbers) < 4:
        problem, text = "row has too few columns", f"it has {len(numbers)}; a box needs 4"
    elif not all(map(math.isfinite, numbers)):
        problem, text = "box without numbers", "infinite or not a number"
    elif numbers[2] < 0 or numbers[3] < 0:
        problem, text = "box of negative size", "its width or height is below 0"
    if problem or numbers is None:
        reading.reject(
            problem, file=file, where=where, record=where, item=key, message=f"{where}: {text}"
        )
        return
    x, y, w, h = numbers[:4]
    if not (w and h):
        reading.warn(
            "box without area", file=file, where=where, record=where, item=key,
            message=f"{where}: its width or height is 0",
        )  # fmt: skip
    rest = numbers[4:]
    score = rest.pop() if len(rest) in (1, 7) else None
    if len(rest) > len(_ATTRIBUTES):
        reading.warn(
            "columns not understood", file=file, where=where, record=where, item=key,
            message=f"{where}: it has {len(numbers)} columns, the last are not read",
        )  # fmt: skip
    told = {
        name: int(value) if value.is_integer() else value
        for name, value in zip(_ATTRIBUTES, rest, strict=False)
        if value
    }
    reading.annotation(
        item, type="box", label=_FACE, x=x, y=y, w=w, h=h, score=score,
        occluded=True if told.get("occlusion") else None,
        attributes=json.dumps(told) if told else None,
    )  # fmt: skip


def _leftover(reading: Reading, tables: list[str], *, events: bool) -> None:
    files = reading.source.files
    for table in tables:
        match = _TABLE.search(table)
        if match is None:
            continue
        folder = table.rpartition("/")[0].rpartition("/")[0]
        images = "/".join(p for p in (folder, f"WIDER_{match[1]}", "images") if p)
        for path in files:
            if path.startswith(f"{images}/") and is_image(path) and not reading.is_full:
                if path not in reading.used_media:
                    key = path[len(images) + 1 :]
                    item = reading.item(key, subset=match[1], media=path)
                    if events:
                        _event(reading, item, key)


def _warn_name(ledger: Ledger, item: Row, path: str) -> None:
    key = item["key"]
    text = f"{key} is written as {path}"
    ledger.warn("image renamed", file=key, record="item", item=key, message=text)


def _line(fitting: Fitting, item: Row, row: Row, path: str) -> str:
    if row["type"] == "tag":
        match = _EVENT.fullmatch(path.rpartition("/")[0].rpartition("/")[2])
        if match is None or match[1] != row["label"]:
            text = f"{row['label']!r} is not the event of its folder"
            fitting.reject(item, row, "tag can't be written", text)
        return ""
    if row["label"] != _FACE:
        text = f"a face is written, not {row['label']!r}"
        fitting.warn(item, row, "label can't be written", text)
    attributes = json.loads(row.get("attributes") or "{}")
    cells = []
    for name in _ATTRIBUTES:
        value = attributes.get(name, 0)
        if isinstance(value, (int, float)):
            attributes.pop(name, None)
            cells.append(plain_number(value))
        else:
            cells.append("0")
    occlusion = _ATTRIBUTES.index("occlusion")
    if row.get("occluded") and cells[occlusion] == "0":
        cells[occlusion] = "1"
    if attributes:
        text = f"attributes {', '.join(attributes)} are lost"
        fitting.warn(item, row, "attributes can't be written", text)
    if row.get("score") is not None:
        cells.append(plain_number(row["score"]))
    return " ".join([*(plain_number(row[n]) for n in "xywh"), *cells])
