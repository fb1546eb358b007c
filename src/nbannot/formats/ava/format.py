"""The format: what it is called, how it is recognised, its options."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import DEFAULT_SUBSET, Batch
from ...sources.base import Source
from ..base import Format, Option
from ..fitting import Fitting, Holds, Row
from ..image_files import fitted
from ..image_records import candidates
from ..look import Look
from ..reading import Reading
from ..text_lines import text_of
from ..texts import (
    is_split,
)
from ..writing import Export, Sink, safe_path
from .read import FRAMES, NAME, Reader, action_lists, actions, is_mine, number_option
from .write import Writer, numbers_of

__all__ = ["Ava"]

_LISTS = "annotations"
_ACTIONS = "ava_action_list_v2.2.pbtxt"
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
        mine = [p for p in paths[:8] if is_mine(look.head(p))]
        lists = action_lists(look)
        if not mine and lists and all(not look.head(p).text.strip() for p in paths[:8]):
            look.found(f"{lists[0]} is a list of actions, and {paths[0]} is empty")
            return 0.8
        look.need(mine, f"{paths[0]} has no rows of video, timestamp, box, action and person")
        look.found(f"{mine[0]} has rows of video, timestamp, box, action and person")
        if lists:
            look.found(f"{lists[0]} is a list of actions")
            return 0.95
        return 0.9 if NAME.fullmatch(mine[0].rpartition("/")[2]) else 0.6

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
        reader = Reader(reading, actions(reading, look), options)
        paths = candidates(source, ".csv")
        mine = [p for p in paths if source.main or is_mine(look.head(p))]
        for path in paths:
            if path not in mine and look.head(path).text.strip():
                ledger.note("file has no rows of AVA", file=path)
        for path, data in reading.files(mine):
            reader.file(path, text_of(data))
            yield from reading.batches()
        for folder in (FRAMES, *(f"{s}/{FRAMES}" for s in source.files.folders())):
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
        numbers = numbers_of(export.labels)
        shared = len(export.subsets) < 2
        for subset in export.subsets:
            name = safe_path(subset or DEFAULT_SUBSET).replace("/", "-")
            if not shared and name != subset:
                ledger.note("name of a subset is not kept", file=name)
            writer = Writer(fitting, numbers, number_option(options, "fps"))
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
