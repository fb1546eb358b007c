"""Cityscapes: polygons as JSON, ids of classes and of instances as PNG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Option
from ..look import Look
from ..reading import Reading
from ..writing import Export, Sink
from .read import CityscapesReader, frames_of
from .write import write_cityscapes

__all__ = ["Cityscapes"]


class Cityscapes(Format):
    """Cityscapes, its own and as CVAT and Datumaro write it.

    **Items.** Each ``<city>/<frame>_gtFine_*`` and each ``<city>/<frame>_leftImg8bit`` is one;
    the key is ``<city>/<frame>`` with the image's suffix, the subset the folder below ``gtFine``.
    Where a frame is annotated finely and coarsely, the fine one counts.

    **Annotations.** Polygons of ``_polygons.json`` in their order (`z_order`: later ones cover
    earlier ones); where there is no such file, masks of ``_instanceIds.png`` (16 bits, class ·
    1000 + instance), else of ``_labelIds``, ``_color`` or ``_labelTrainIds``. ``persongroup`` and
    instances without a number are crowds (``iscrowd`` in `extra`). ``unlabeled`` is nothing.
    Classes are the official ones, or those of ``label_colors.txt``.

    **Records** are items, objects, and values in a mask. Images whose polygons have one ring each
    are written as JSON and PNG, others as PNG only, where overlaps and attributes are lost.
    """

    name: ClassVar[str] = "cityscapes"
    title: ClassVar[str] = "Cityscapes"
    summary: ClassVar[str] = "Polygons as JSON, ids of classes and of instances as PNG."
    rules: ClassVar[str] = "https://github.com/mcordts/cityscapesScripts"
    holds: ClassVar[tuple[str, ...]] = ("polygon", "mask")
    read_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "use", "choice", "polygons", "What to read of frames that have both.",
            ("polygons", "masks"),
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Recognise files called ``_gtFine_`` or ``_gtCoarse_``."""
        look.need(look.source.main is None, "a single file is no dataset of Cityscapes")
        frames = frames_of(look.source)
        look.need(frames, "no files called _gtFine_polygons.json or _gtFine_instanceIds.png")
        frame = next(iter(frames.values()))
        look.found(f"{next(iter(frame.files.values()))} and {len(frames):,} frames of its kind")
        if "polygons" in frame.files:
            keys = look.head(frame.files["polygons"]).json_keys
            if {"imgHeight", "objects"} <= keys:
                look.found("its polygons are Cityscapes'")
        return 0.95

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the dataset; see `Format.read`.

        Raises:
            BrokenFileError: ``label_colors.txt`` can't be parsed.
        """
        chosen = self.check_options(options)
        reading = Reading(source, ledger, progress, limit)
        yield from CityscapesReader(reading, chosen["use"]).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``gtFine``, ``leftImg8bit`` and, for classes of one's own, ``label_colors.txt``."""
        self.check_options(options, writing=True)
        write_cityscapes(export, sink, ledger, progress)
