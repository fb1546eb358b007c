"""KITTI segmentation: ids of instances, of classes, or colours, as PNG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from ..ledger import Ledger
from ..media.kinds import IMAGE_SUFFIXES
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format
from .cityscapes.classes import CITYSCAPES, THINGS, WrittenClasses
from .cityscapes.write import coded_instances, is_foreign
from .class_tables import ClassTable, read_class_table
from .fitting import Fitting, Holds, note_spaces
from .kitti import Place, placed
from .look import Look
from .mask_images import MaskPicture, Runs, encode_mask, without_suffix
from .mask_items import Contents, MaskItem, read_items
from .mask_painting import Painting
from .masks.write import PAINTED, told_names
from .reading import Reading
from .writing import Export, Sink

__all__ = ["KittiSegmentation"]

_KINDS = ("instance", "semantic", "semantic_rgb")
_HIGHEST = 254


class KittiSegmentation(Format):
    """KITTI's semantic and instance segmentation, as the benchmark, CVAT and Datumaro write it.

    **Items.** Each image of ``image_2`` and each mask is one; the key is the path in that folder,
    the subset the folder above (``training``).

    **Annotations.** Masks of ``instance`` (16 bits, class · 256 + instance; instance 0 is a crowd
    of a class that has instances, ``iscrowd`` in `extra`), else one per class of ``semantic``, else
    of the colours of ``semantic_rgb``. Classes are those of Cityscapes, or of
    ``label_colors.txt``; index 0 is nothing.

    **Records** are items and values in a mask. Overlaps and attributes are lost in writing.
    """

    name: ClassVar[str] = "kitti-segmentation"
    title: ClassVar[str] = "KITTI segmentation"
    summary: ClassVar[str] = "Ids of instances and of classes, and colours, as PNG."
    rules: ClassVar[str] = "https://www.cvlibs.net/datasets/kitti/eval_semseg.php (devkit)"
    holds: ClassVar[tuple[str, ...]] = ("mask",)

    def requires(self, look: Look) -> float:
        """Recognise folders of masks beside ``image_2``."""
        look.need(look.source.main is None, "a single file is no dataset of KITTI's")
        found = {kind: [p for p in look.images if placed(p, kind)] for kind in _KINDS}
        kinds = [kind for kind in _KINDS if found[kind]]
        look.need(kinds, "no folder instance, semantic or semantic_rgb with masks")
        images = any(placed(p, "image_2") for p in look.images)
        look.need(images or "semantic_rgb" in kinds, "no folder image_2")
        look.found(f"{', '.join(kinds)} hold masks")
        if images:
            look.found("image_2 holds the images")
        return 0.95 if images else 0.8

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
        yield from _Reader(Reading(source, ledger, progress, limit)).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``image_2``, ``instance``, ``semantic``, ``semantic_rgb`` in each subset's folder.

        Boxes, ellipses and polygons are painted, which is a warning for each.
        """
        fitting = Fitting(self.title, Holds(PAINTED.types, columns=("z_order", "extra")), ledger)
        note_spaces(export.labels, ledger, self.title)
        classes = WrittenClasses(export.labels, _HIGHEST, ledger)
        lost = 0
        for subset in export.subsets:
            names = told_names(subset, ledger)
            progress.start(f"Writing {subset}", None, "images")
            for batch in export.batches(subset):
                for item, rows in fitting.fit(batch):
                    path = names(item)
                    stem = f"{without_suffix(path)}.png"
                    sink.add_media(f"{subset}/image_2/{path}", item["number"])
                    progress.advance()
                    fits = []
                    for row in rows:
                        lost += is_foreign(row)
                        if row["label"] in classes.index:
                            fits.append(row)
                        else:
                            text = f"{row['label']!r} has no id from 0 to {_HIGHEST}"
                            fitting.reject(item, row, "label has no index", text)
                    painting = Painting.of(item, fits, fitting) or Painting.blank(item)
                    if painting is None:
                        continue
                    codes = coded_instances(painting, classes, 256, 1, item, fitting)
                    sink.write(f"{subset}/instance/{stem}", encode_mask(codes))
                    ids = (codes >> 8).astype(np.uint8)
                    sink.write(f"{subset}/semantic/{stem}", encode_mask(ids))
                    colors = np.array(classes.palette(), np.uint8)
                    sink.write(f"{subset}/semantic_rgb/{stem}", encode_mask(colors[ids]))
        if not classes.is_official:
            sink.write("label_colors.txt", classes.label_colors())
        if lost:
            ledger.note(f"no place in {self.title}", message=f"extra of {lost:,} records")
        fitting.close()


class _Reader:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        source = reading.source
        lists = source.files.match("**/label_colors.txt")
        self._official = not lists
        self._table: ClassTable = CITYSCAPES
        if lists:
            self._table = read_class_table(source, min(lists, key=lambda p: p.count("/")))
        paths = sorted(source.files.with_suffix(*IMAGE_SUFFIXES))
        self._images: dict[Place, str] = {}
        self._masks: dict[Place, tuple[str, str]] = {}
        for path in paths:
            image = placed(path, "image_2")
            if image is not None:
                self._images.setdefault(image, path)
        for kind in _KINDS:
            for path in paths:
                mask = placed(path, kind)
                if mask is not None:
                    self._masks.setdefault(mask, (kind, path))
        self._kinds = {path: kind for kind, path in self._masks.values()}

    def read(self) -> Iterator[Batch]:
        for label in self._table.labels():
            self._reading.label(label.name, color=label.color, source_id=label.source_id)
        places = sorted({*self._images, *self._masks}, key=lambda p: (p.root, p.subset or "", p))
        several = len({place.root for place in places}) > 1
        items = []
        for place in places:
            image, mask = self._images.get(place), self._masks.get(place)
            named = image or (mask[1] if mask else "")
            root = f"{place.root}/" if several and place.root else ""
            key = root + place.stem + named[len(without_suffix(named)) :]
            items.append(MaskItem(place.subset, key, image, (mask[1],) if mask else ()))
        yield from read_items(self._reading, items, self._add)

    def _add(self, number: int, item: MaskItem, contents: Contents) -> None:
        for path, picture in contents.items():
            kind = self._kinds[path]
            self._rows(number, item.key, path, kind, picture)

    def _rows(self, number: int, key: str, path: str, kind: str, picture: MaskPicture) -> None:
        runs = Runs.of(picture.values)
        if kind == "semantic_rgb":
            runs, table = self._table.interpret(picture)
            runs = runs.mapped(table)
        for segment in runs.segments():
            coded = kind == "instance"
            index = segment.value >> 8 if coded else segment.value
            instance = segment.value & 255 if coded else 0
            if index in self._table.background and not instance:
                continue
            record = f"value {segment.value}"
            if not self._table.knows(index):
                self._reading.warn(
                    "a value that no class has", file=path, record=record, item=key,
                    message=f"{key}: {record} is of class {index}, not in {self._table.file}",
                )  # fmt: skip
            more: dict[str, Any] = {}
            if instance:
                more["source_id"] = str(segment.value)
            elif coded and (index in THINGS or not self._official):
                more["extra"] = '{"iscrowd":1}'
            name = self._table.name(index)
            self._reading.annotation(number, label=name, **segment.row, **more)
