"""ICDAR's Robust Reading: 2013 and 2015, localization, recognition and segmentation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Option
from ..look import Look
from ..writing import Export, Sink
from .layout import TASKS, Table, find_tables
from .lines import Region, Word, parse_character, parse_region, parse_word
from .read import IcdarReader
from .write import write_icdar

__all__ = ["Icdar"]


_NUMBERS = re.compile(r"[-+\d.,;\s]*")


class Icdar(Format):
    """ICDAR's Robust Reading: the text in images.

    * Localization: ``gt_<image>.txt`` with lines ``left top right bottom "text"`` (2013: boxes)
      or ``x1,y1,...,x4,y4,text`` (2015: polygons); MLT's language is an attribute.
    * Recognition: ``gt.txt`` with lines ``word_1.png, "text"``: an annotation of type text.
    * Segmentation: ``<image>_GT.txt`` with a line per character, a word ending at an empty line
      (`group`), and ``<image>_GT.bmp`` with each character in its colour: masks.

    **Items** are images; the key is the image's path in its subset, without the folder
    ``images``. The transcription is `text`, ``###`` the attribute ``illegible``; every label is
    ``text``. **Records** are images and lines. Labels, attributes and rotation have no place.
    """

    name: ClassVar[str] = "icdar"
    title: ClassVar[str] = "ICDAR"
    summary: ClassVar[str] = "Text in images: one text of boxes or characters per image."
    rules: ClassVar[str] = "https://rrc.cvc.uab.es/?ch=4&com=tasks"
    holds: ClassVar[tuple[str, ...]] = ("box", "polygon", "mask", "text")
    read_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "task",
            "choice",
            "auto",
            "What the texts hold; auto: by their names.",
            ("auto", *TASKS),
        ),
    )
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "decimals",
            "bool",
            False,
            "Write coordinates with decimals, which ICDAR's own scripts do not read.",
        ),
    )

    def requires(self, look: Look) -> float:
        """Recognise gt_<image>.txt, <image>_GT.txt or gt.txt by a line of one of them."""
        main = look.source.main
        if main is not None:
            look.need(main.lower().endswith(".txt"), "the file is not a text")
        tables = find_tables(look.source)
        look.need(tables, "no gt_<image>.txt, <image>_GT.txt or gt.txt")
        step = max(1, len(tables) // 8)
        filled = [t for t in tables[::step] if look.head(t.path).lines][:8]
        if not filled:
            look.found(f"{len(tables):,} empty texts called gt_<image>.txt or the like")
            return 0.3
        right = [t for t in filled if _fits(t, look.head(t.path).lines[0])]
        look.need(right, f"{filled[0].path} has no box with a text")
        look.found(f"{right[0].path} is a text of {right[0].task}")
        return 0.95 if len(right) == len(filled) else 0.6

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield images and what is on them; see `Format.read`."""
        chosen = self.check_options(options)
        yield from IcdarReader(source, chosen, ledger, progress, limit).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>/images`` and the texts of what there is.

        Boxes and polygons go to gt_<image>.txt, masks to <image>_GT.txt and .bmp, annotations of
        type text to gt.txt. Coordinates become whole pixels, which is told, unless
        ``decimals=True``. Polygons that are no quadrangles are written as their boxes.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        chosen = self.check_options(options, writing=True)
        write_icdar(export, sink, ledger, progress, decimals=bool(chosen["decimals"]))


def _fits(table: Table, line: str) -> bool:
    if table.task == "recognition":
        word = parse_word(line)
        # Numbers after an image are boxes or classes of another format.
        return isinstance(word, Word) and ('"' in line or not _NUMBERS.fullmatch(word.text))
    if table.task == "segmentation":
        return not isinstance(parse_character(line), str)
    region = parse_region(line)
    return isinstance(region, Region) and bool(region.text or line.rstrip().endswith('""'))
