"""Segmentation masks: images, and images of the same name whose pixels are classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...errors import BrokenFileError
from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Option
from ..class_tables import ClassTable, class_files, read_class_table
from ..look import Look
from ..reading import Reading
from ..writing import Export, Sink
from .layout import Layout, sample_of
from .read import MasksReader, class_table, tables_of_folders
from .write import MasksWriter

__all__ = ["Masks"]

_PNG = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = (0, 4), 3


class Masks(Format):
    """Images and masks in pairs, as most code for semantic segmentation reads them.

    **Items.** Each image is one, and each mask without an image. The key is the image's path
    without the folders that only sort (``images``, ``train``). A mask belongs to the image of its
    name (``a.png``, ``a_mask.png``, ``gt_1.png`` for ``image_1.jpg``) in the folder beside or
    above; ``instance_masks`` beside ``masks`` number the instances.

    **Annotations.** One mask per class in the pixels, or per instance where those are numbered.
    Pixels are indices (grey, palette, 16 bits) or colours, named by ``dataset_meta.json``,
    ``labelmap.txt``, ``label_colors.txt``, ``codes.txt`` or a CSV; without a list they are
    ``class_1`` and so on. The background and the index 255 are no annotation. Masks of 0 and 255
    only are binary.

    **Records** are items, and the values in each mask; a mask that can't be read is one.

    What is written loses overlaps (a later one hides an earlier one), attributes, and, unless
    ``task="instance"``, which pixels of one class belong together.
    """

    name: ClassVar[str] = "masks"
    title: ClassVar[str] = "Segmentation masks"
    summary: ClassVar[str] = "Images, and images of the same name whose pixels are classes."
    rules: ClassVar[str] = (
        "https://docs.cvat.ai/docs/dataset_management/formats/format-smask/ and common practice"
    )
    holds: ClassVar[tuple[str, ...]] = ("mask",)
    read_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "classes", "text", None,
            "Names of the classes by index, with commas between, or the file that lists them.",
        ),
        Option(
            "background", "text", None,
            "Names or indices that are no annotation, with commas between; none: there is none.",
        ),
        Option("ignore", "number", 255, "Index of pixels that belong to nothing."),
    )  # fmt: skip
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "task", "choice", "semantic",
            "semantic: one mask of classes; instance: a second one that numbers the instances.",
            ("semantic", "instance"),
        ),
        Option(
            "encoding", "choice", "palette",
            "What a pixel is: an index with a colour, an index, or a colour (RGB).",
            ("palette", "index", "color"),
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Recognise pairs by folders and names, a mask's header, and a list of classes."""
        look.need(look.source.main is None, "a single file is no pair of image and mask")
        files = class_files(look.source)
        look.need(look.images, "no images")
        table = _table(look, files)
        layout = Layout(sample_of(look.files), table.subsets)
        look.need(layout.masks or layout.instances, "no folder masks, no images named a_mask.png")
        _not_anothers(look)
        paired = [p for p in layout.pairs if p.image and (p.masks or p.instances)]
        grey = _indexed(look, (layout.masks or layout.instances)[0])
        if paired:
            look.found(f"{paired[0].image} has a mask of its name")
        if table.names:
            look.found(f"{table.file} lists {len(table.names)} classes")
        if grey:
            look.found("the masks are indices")
        look.need(paired or table.names or grey, "no image has a mask of its name")
        score = 0.3 + 0.2 * bool(paired) + 0.2 * grey
        return min(0.85, score + (0.3 if table.names else 0.0))

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
            BrokenFileError: the list of classes can't be parsed.
            OptionError: the option ``background`` names no class.
        """
        chosen = self.check_options(options)
        table = class_table(source, chosen)
        layout = Layout(source.files, table.subsets)
        reader = MasksReader(
            Reading(source, ledger, progress, limit),
            table,
            layout.pairs,
            ignore=None if chosen["ignore"] is None else int(chosen["ignore"]),
            sample=layout.masks,
            has_images=bool(layout.images),
            tables=tables_of_folders(source, chosen),
        )
        yield from reader.read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>/images``, ``<subset>/masks`` as PNG, and ``dataset_meta.json``.

        That file lies at the root and in each subset, which is where Datumaro looks for it.
        Boxes, ellipses and polygons are painted, which is a warning for each. Labels keep the
        indices that they came with, where those are 1 to 254.
        """
        chosen = self.check_options(options, writing=True)
        task, encoding = chosen["task"], chosen["encoding"]
        MasksWriter(export, sink, task, encoding, ledger, progress).write()


def _table(look: Look, files: list[str]) -> ClassTable:
    if not files:
        return ClassTable()
    try:
        return read_class_table(look.source, files[0])
    except BrokenFileError:  # reading says so
        return ClassTable()


def _not_anothers(look: Look) -> None:
    # Datasets of known names have folders of masks too, and say more than masks do.
    folders = [f"/{f.lower()}" for f in look.files.all_folders()]
    for missing, found in (
        ("MVTec AD", any(f.rpartition("/")[0].endswith("/ground_truth") for f in folders)),
        (
            "SYNTHIA",
            any(f.endswith(("/gt/labels", "/gtleft", "/semseg")) for f in folders)
            or any(f.endswith("/gt") and f"{f[:-3]}/rgb" in folders for f in folders),
        ),
        ("Open Images", _ends(look, ".csv", "-object-segmentation.csv")),
        ("Mapillary Vistas", _ends(look, ".json", "config_v1.2.json", "config_v2.0.json")),
        ("ADE20K", _ends(look, ".txt", "_atr.txt") or _ends(look, ".png", "_parts_1.png")),
    ):
        look.need(not found, f"the files are those of {missing}")


def _ends(look: Look, suffix: str, *ends: str) -> bool:
    return any(path.endswith(ends) for path in look.files.with_suffix(suffix))


def _indexed(look: Look, path: str) -> bool:
    # Are the pixels of this PNG indices rather than colours?
    head = look.head(path).data
    return head[:8] == _PNG and len(head) > 25 and (head[25] in _GREY or head[25] == _PALETTE)
