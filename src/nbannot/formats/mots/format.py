"""MOTS, as KITTI MOTS, MOTS Challenge, CVAT and Datumaro write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...errors import NbannotError
from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Miss, Option
from ..look import HEAD_BYTES, Look
from ..mask_images import decode_mask
from ..writing import Export, Sink
from .ids import CLASS_STEP, ROW
from .read import MotsReader, instance_pngs, row_files
from .write import MotsWriter

__all__ = ["Mots"]


class Mots(Format):
    """MOTS: masks of tracked objects, as 16-bit PNG or as text with COCO's run lengths.

    PNG: ``<subset>/images/<name>.jpg`` and ``<subset>/instances/<name>.png``, a pixel is
    class * 1000 + instance, 0 is background, 10000 a region to ignore. Text:
    ``instances_txt/0002.txt`` (frames from 0) or ``<sequence>/gt/gt.txt`` (frames from 1) with
    lines of frame, object id, class, height, width and run lengths. Classes are the lines of
    ``labels.txt``, from 1, else car and pedestrian.

    **Items** are images; the key is the path below ``images``, or that of MOT for sequences.
    **Masks** have the object id as `track` (``"2005"``: class 2, instance 5). **Records** are
    images, and values in a PNG or lines of a file. Masks that overlap, attributes and boxes have
    no place; so have more than 999 instances of a class, and more than 64 classes.
    """

    name: ClassVar[str] = "mots"
    title: ClassVar[str] = "MOTS"
    summary: ClassVar[str] = "Masks of tracked objects, as 16-bit PNG or run lengths."
    rules: ClassVar[str] = "https://www.vision.rwth-aachen.de/page/mots"
    holds: ClassVar[tuple[str, ...]] = ("mask",)
    write_options: ClassVar[tuple[Option, ...]] = (
        Option("masks", "choice", "png", "PNG masks, or lines of run lengths.", ("png", "txt")),
    )

    def requires(self, look: Look) -> float:
        """Recognise a PNG of numbers from 1000 in a folder instances, or lines of MOTS txt."""
        pngs = instance_pngs(look.files) if look.source.main is None else []
        if not pngs:
            return self._rows(look)
        first = pngs[len(pngs) // 2]
        root = first.root
        beside = {f.lower() for f in look.files.folders(root)}
        look.need(
            not beside & {"labels", "panoptic", "polygons"}, f"{root or 'the root'} is Mapillary's"
        )
        head = look.head(first.path).data
        look.need(
            head[:4] == b"\x89PNG" and head[24:26] == b"\x10\x00",
            f"{first.path} is not a PNG of 16-bit numbers",
        )
        look.found(f"{first.path} holds 16-bit numbers")
        if not self._has_classes(look, head, first.path):
            named = f"{root}/instances/labels.txt".lstrip("/") in look.files
            return 0.9 if named else 0.6
        look.found("they are class * 1000 + instance")
        return 0.95

    def _has_classes(self, look: Look, head: bytes, path: str) -> bool:
        if len(head) >= HEAD_BYTES:
            return False
        try:
            values = decode_mask(head, path).values
        except NbannotError:
            return False
        inside = values[values > 0]
        if len(inside) and inside.min() < CLASS_STEP:
            raise Miss(f"{path} holds numbers below 1000: they have no class")
        return bool(len(inside)) or any(p.endswith("labels.txt") for p in look.files)

    def _rows(self, look: Look) -> float:
        names = ("instances/labels.txt", "*/instances/labels.txt")
        if look.source.main is None and look.files.match(*names):
            look.found("there is a labels.txt of instances, and no mask")
            return 0.5
        paths = row_files(look.source)
        look.need(paths, "no PNG in a folder instances, no gt/gt.txt, no instances_txt")
        filled = next((p for p in paths if look.head(p).data), None)
        look.need(filled is not None, "the files are empty")
        assert filled is not None
        lines = look.head(filled).lines[:3]
        look.need(
            any(ROW.fullmatch(line) for line in lines),
            f"{filled} has no lines of frame, id, class, height, width, run lengths",
        )
        look.found(f"{filled} has lines of frame, object id, class, height, width, run lengths")
        return 0.95

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield images and masks; see `Format.read`."""
        self.check_options(options)
        yield from MotsReader(source, ledger, progress, limit).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write a PNG per image, or a text per sequence.

        A mask without a track gets a number of its own; of masks that overlap, the later one (or
        the one with the higher `z_order`) covers the other in a PNG. Each change is told.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        chosen = self.check_options(options, writing=True)
        MotsWriter(export, sink, ledger, progress).write(png=chosen["masks"] == "png")
