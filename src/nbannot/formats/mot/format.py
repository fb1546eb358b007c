"""MOT Challenge 1.1, as the challenge, CVAT and Datumaro write it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Miss, Option
from ..look import Look
from ..writing import Export, Sink
from .read import MotReader
from .sequences import find_sequences
from .write import write_sequences

__all__ = ["Mot"]

_ROW = re.compile(r"-?\d+(?:\.0*)?(?:\s*,\s*[-+\deE.naif]+){5,9}\s*,?")
_LOOSE_ROW = re.compile(r"\d+(?:[;\s]+[-+\deE.]+){6,9}")


class Mot(Format):
    """MOT Challenge 1.1: ``<sequence>/gt/gt.txt``, ``det/det.txt``, ``img1``, ``seqinfo.ini``.

    **Items** are frames: the images of a sequence, else one for each frame up to ``seqLength``,
    else one for each frame that a row names. The key is the image's path with its sequence
    (``MOT17-02/img1/000001.jpg``); the subset is the folder around the sequences (``train``).

    **Boxes** are left, top, width and height as written, in pixels; `track` is the id (-1: none),
    `frame` the frame from 0. A row of gt.txt that is not to be considered has the attribute
    ``ignored``; a visibility below 1 is the attribute ``visibility``, and 0 is `occluded`. Rows
    of det.txt are the layer ``det``, their confidence is `score`. Classes are the lines of
    ``labels.txt``, from 1, else those of MOT Challenge; MOT15 has only pedestrians.

    **Records** are frames and rows. The format holds boxes and tracks, and nothing else.
    """

    name: ClassVar[str] = "mot"
    title: ClassVar[str] = "MOT Challenge"
    summary: ClassVar[str] = "Sequences of frames, and boxes of tracks in gt/gt.txt."
    rules: ClassVar[str] = "https://motchallenge.net/instructions/"
    holds: ClassVar[tuple[str, ...]] = ("box",)
    read_options: ClassVar[tuple[Option, ...]] = (
        Option("detections", "bool", True, "Read det/det.txt too, as the layer det."),
    )

    def requires(self, look: Look) -> float:
        """Recognise gt/gt.txt or det/det.txt by its rows, or a sequence by seqinfo.ini."""
        main = look.source.main
        if main is not None:
            return self._one_file(look, main)
        sequences = find_sequences(look.source)
        look.need(sequences, "no gt/gt.txt, det/det.txt or seqinfo.ini")
        tables = [p for s in sequences for p in (s.gt, s.det) if p is not None]
        infos = [p for s in sequences if (p := s.path("seqinfo.ini")) in look.files]
        filled = next((p for p in tables if look.head(p).lines), None)
        if filled is not None:
            lines = look.head(filled).lines
            look.need(_rows_of(lines), f"{filled} has no rows of frame, id, left, top, ...")
            look.found(f"{filled} has rows of frame, id, left, top, width, height")
        elif infos:
            look.need(
                any("seqlength" in look.head(p).text.lower() for p in infos[:1]),
                f"{infos[0]} has no seqLength",
            )
        else:
            raise Miss(f"{tables[0]} is empty")
        if infos:
            look.found(f"{infos[0]} describes a sequence")
        look.found(f"{len(sequences):,} sequence{'s' * (len(sequences) != 1)}")
        return 0.95 if filled else 0.9

    def _one_file(self, look: Look, main: str) -> float:
        look.need(main.lower().endswith((".txt", ".csv")), "the file is not text")
        lines = look.head(main).lines
        look.need(_rows_of(lines), "the file has no rows of frame, id, left, top, width, height")
        look.need(not any('"' in line for line in lines[:5]), "the rows hold text")
        look.found(f"{main} has rows of frame, id, left, top, width, height")
        if main.rpartition("/")[2] in ("gt.txt", "det.txt"):
            return 0.9
        # VisDrone's videos have ten columns too: class, truncation and occlusion are the last.
        return 0.6 if lines[0].count(",") == 9 and lines[0].endswith("-1") else 0.3

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield a batch per sequence; see `Format.read`."""
        yield from MotReader(source, self.check_options(options), ledger, progress).read(limit)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>/<sequence>/{img1,gt,det,seqinfo.ini}``.

        A folder of images is a sequence. Where its images are not called by their numbers
        (``img1/000001.jpg``), they are numbered in order, and the ledger tells each one's new
        name. A video is a sequence without images. Predictions go to det.txt.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        self.check_options(options, writing=True)
        write_sequences(export, sink, ledger, progress)


def _rows_of(lines: list[str]) -> bool:
    # Are the first lines rows? One of them may be broken, or a header; the last may be cut.
    head = lines[:8] if len(lines) < 2 else lines[: min(8, len(lines) - (len(lines) > 100))]
    if not head:
        return False
    good = sum(bool(_ROW.fullmatch(line) or _LOOSE_ROW.fullmatch(line)) for line in head)
    return good * 2 >= len(head)
