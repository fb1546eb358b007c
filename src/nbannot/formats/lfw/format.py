"""LFW: how it is recognised, read and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...media.kinds import is_image
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format
from ..look import Look
from ..writing import Export, Sink
from .names import PERSON_IMAGE, TABLE, parse_pair, stem_of
from .read import LfwReader
from .write import write_lfw

__all__ = ["Lfw"]


class Lfw(Format):
    """LFW: ``images/<Name>/<Name>_0001.jpg``, ``annotations/{pairs,people,landmarks}.txt``.

    **Items** are images, and what the tables name without an image; the key is the path below
    ``images`` (``lfw``); the subset is the folder around both, or what a name like
    ``peopleDevTrain.txt`` says. Without images, people.txt tells how many there are of each.

    The person is a **tag** of each image that is called after its folder. Pairs are attributes
    of the tag of the first of both: ``positive_pairs`` (the same person) and ``negative_pairs``,
    lists of keys without suffix. Landmarks are a skeleton of five points. **Records** are images,
    tags, lines of pairs (part of the tag) and lines of landmarks.
    """

    name: ClassVar[str] = "lfw"
    title: ClassVar[str] = "LFW"
    summary: ClassVar[str] = "Faces in a folder per person, pairs of them, landmarks."
    rules: ClassVar[str] = "http://vis-www.cs.umass.edu/lfw/README.txt"
    holds: ClassVar[tuple[str, ...]] = ("tag", "skeleton")

    def requires(self, look: Look) -> float:
        """Recognise pairs.txt, people.txt or landmarks.txt by their lines."""
        main = look.source.main
        paths = [main] if main is not None else look.files.with_suffix(".txt")
        tables = {p: m[1].lower() for p in paths if (m := TABLE.search(p))}
        look.need(tables, "no pairs.txt, people.txt or landmarks.txt")
        right = [p for p, kind in tables.items() if _fits(kind, look.head(p).lines)]
        look.need(right, f"{next(iter(tables))} has no lines of LFW")
        look.found(f"{right[0]} has lines of LFW")
        named = sum(PERSON_IMAGE.fullmatch(stem_of(p)) is not None for p in look.images[:200])
        if named:
            look.found("images are called after the folders that they lie in")
        shown = [tables[p] for p in right]
        if named * 2 >= min(len(look.images), 200) and (named or "pairs" in shown):
            return 0.95
        return 0.6 if "pairs" in shown or "landmarks" in shown else 0.3

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield images, people and landmarks; see `Format.read`."""
        self.check_options(options)
        yield from LfwReader(source, ledger, progress, limit).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>/images`` and ``<subset>/annotations``.

        An image with a tag is called after it (``<Name>/<Name>_0001.jpg``); where it is not, it
        gets another name, which is told.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        self.check_options(options, writing=True)
        write_lfw(export, sink, ledger, progress)


def _fits(kind: str, lines: list[str]) -> bool:
    if not lines:
        return False
    if kind == "landmarks":
        cells = lines[0].split("\t")
        return is_image(cells[0].strip()) and len(cells) == 11
    if not all(cell.isdecimal() for cell in lines[0].split()):
        return False
    if len(lines) == 1:
        return lines[0].split()[-1] == "0"
    if kind == "people":
        return len(lines[1].split("\t")) == 2 and lines[1].split("\t")[1].strip().isdecimal()
    return parse_pair(lines[1]) is not None
