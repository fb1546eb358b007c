"""Pascal VOC: one XML per image, lists of images per subset, masks as PNG."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Miss, Option
from ..look import Head, Look
from ..writing import Export, Sink
from .layout import is_mask_folder
from .read import VocReader
from .write import VocWriter

__all__ = ["Voc"]

_ROOT = re.compile(r"<annotation[\s/>]")


class Voc(Format):
    """Pascal VOC, as VOC2007/2012, labelImg, CVAT, Roboflow, Datumaro and supervision write it.

    **Items.** Each annotation file and each image is one. Its image is the one with the file's
    own name, else the one that ``<filename>`` names. The key is the image's path in its subset,
    without the folders that only sort (``JPEGImages``, ``train``). Subsets come from
    ``ImageSets`` or from folders called train, valid, test and the like.

    **Boxes** are kept as written, w = xmax - xmin; the files of the challenge itself
    (``<database>The VOC2007 Database``) are 1-based with inclusive corners and are converted,
    see `one_based`. ``part`` boxes are boxes with the group of their object; CVAT's attributes,
    Roboflow's polygons and roLabelImg's rotated boxes are read. ``pose``, ``truncated`` and
    ``difficult`` become attributes where they say more than VOC's default.

    **Masks** are one mask per instance of ``SegmentationObject``, with the class that most of its
    pixels have in ``SegmentationClass``; without instances one per class.

    **Records** are items, objects, parts, instances (or classes in a mask), and the lines of
    ``ImageSets/Main/<class>_<subset>.txt`` that say of an image what its objects do not.
    """

    name: ClassVar[str] = "voc"
    title: ClassVar[str] = "Pascal VOC"
    summary: ClassVar[str] = "One XML file per image, with boxes; masks as PNG."
    rules: ClassVar[str] = "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/devkit_doc.pdf"
    holds: ClassVar[tuple[str, ...]] = ("box", "polygon", "mask")
    read_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "one_based",
            "choice",
            "auto",
            "Are corners 1-based and inclusive? auto: only in files of VOC2007 to VOC2012 itself.",
            ("auto", "yes", "no"),
        ),
        Option(
            "class_lists",
            "bool",
            True,
            "Read <class>_<subset>.txt: classes of images that no object shows become tags.",
        ),
    )
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "polygons",
            "choice",
            "masks",
            "masks: a box and a PNG mask; xml: <polygon> in the XML, as Roboflow writes it.",
            ("masks", "xml"),
        ),
        Option(
            "one_based",
            "bool",
            False,
            "Write corners 1-based and inclusive, as VOC2012 itself and supervision read them.",
        ),
    )

    def requires(self, look: Look) -> float:
        """Recognise VOC by the heads of up to three XML files, or by its folders of masks."""
        main = look.source.main
        if main is not None:
            look.need(main.lower().endswith(".xml"), "the file is not XML")
            xmls: Sequence[str] = [main]
        else:
            xmls = look.files.with_suffix(".xml")
        if not xmls:
            return self._without_xml(look)
        inside = [p for p in xmls if "/annotations/" in f"/{p}".lower()] or xmls
        picked = sorted({inside[0], inside[len(inside) // 2], inside[-1]})
        scores = [self._judge(look.head(path)) for path in picked]
        look.need(
            any(scores), f"{picked[0]} has no <annotation> with <object>, <size> or <filename>"
        )
        look.found(f"{picked[0]} is an annotation file of VOC")
        if len(xmls) > 1:
            look.found(f"{len(xmls):,} XML files")
        if _lists(look):
            look.found("ImageSets lists the subsets")
        return max(scores)

    def _judge(self, head: Head) -> float:
        if not _ROOT.search(head.text):
            return 0.0
        text = head.text
        if "<imagesize" in text or ("<polygon" in text and "<pt>" in text):
            raise Miss("the XML files are LabelMe's")
        if "<bndbox" in text or "<robndbox" in text:
            return 0.95
        if "<size>" in text or "<object>" in text:
            return 0.9
        return 0.6 if "<filename>" in text else 0.0

    def _without_xml(self, look: Look) -> float:
        folders = [f for f in look.files.all_folders() if is_mask_folder(f.rpartition("/")[2])]
        masks = [f for f in folders if any(p.lower().endswith(".png") for p in look.files.files(f))]
        lists = _lists(look)
        look.need(masks or lists, "no XML files, no SegmentationClass with PNG masks, no ImageSets")
        if masks:
            look.found(f"{masks[0]} holds masks")
        if lists:
            look.found("ImageSets lists the subsets")
        return 0.7

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
            BrokenFileError: ``labelmap.txt`` can't be parsed, or not a single annotation file.
        """
        yield from VocReader(source, self.check_options(options), ledger, progress).read(limit)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write a devkit: Annotations, ImageSets/Main, labelmap.txt, masks where there are any.

        Boxes, polygons (a box and a mask, unless ``polygons="xml"``) and masks are written; what
        the format has no place for is a line of the ledger. A rotated box is written as
        roLabelImg's ``robndbox`` within the box that encloses it. Corners are written 0-based,
        as most tools read them, unless ``one_based=True``: then the files say so.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        chosen = self.check_options(options, writing=True)
        as_masks, one_based = chosen["polygons"] == "masks", bool(chosen["one_based"])
        VocWriter(export, sink, as_masks, one_based, ledger, progress).write()


def _lists(look: Look) -> list[str]:
    # Folders with lists: ImageSets/Main, ImageSets/Segmentation ...
    folders = [f"{f}/" for f in look.files.all_folders()]
    named = [f for f in folders if "/imagesets/" in f"/{f}".lower()]
    return [f for f in named if any(p.endswith(".txt") for p in look.files.files(f[:-1]))]
