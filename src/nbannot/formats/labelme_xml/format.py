"""LabelMe XML: what it is, how it is recognised, its options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Option
from ..json_documents import heads
from ..look import Look
from ..writing import Export, Sink
from .read import LabelMeXmlReader, is_labelme_xml
from .write import LabelMeXmlWriter

__all__ = ["LabelMeXml"]


class LabelMeXml(Format):
    """LabelMe 3.0, the web tool of MIT, as it, CVAT and Datumaro write its XML.

    **Items.** Each XML file is one image, which ``<filename>`` names. Files lie in
    ``Annotations/<subset>`` with ``Images/<subset>`` and ``Masks/<subset>`` beside, or with their
    images, ``Masks`` among them; the first folder is the subset, what is below belongs to the key.

    **Objects.** A polygon is one (of type ``bounding_box`` a box, of one or two points points or a
    line), a ``segm`` a mask: its pixels that are not transparent, or not black. Coordinates are
    pixels, as ours. Objects that are parts of another have its id as their group. ``attributes``
    are names (true) and ``name=value``, as Datumaro has them.

    **Records** are images and objects; an object marked as deleted is rejected, see `deleted`.

    **Lost in writing**: scores, tracks, texts, and the number of a group. A polygon with holes or
    of several parts becomes a mask; a rotated box a polygon.
    """

    name: ClassVar[str] = "labelme-xml"
    title: ClassVar[str] = "LabelMe XML"
    summary: ClassVar[str] = "One XML file per image, with polygons; masks as PNG."
    rules: ClassVar[str] = "http://labelme.csail.mit.edu/Release3.0/"
    holds: ClassVar[tuple[str, ...]] = ("box", "polygon", "mask")
    read_options: ClassVar[tuple[Option, ...]] = (
        Option("deleted", "bool", False, "Read objects that are marked as deleted, too."),
    )

    def requires(self, look: Look) -> float:
        """Return 0.95 where an XML file has polygons of pt, masks, or LabelMe's head."""
        some = heads(look, ".xml")
        mine = [path for path, head in some if is_labelme_xml(head)]
        look.need(mine, f"{some[0][0]} has no <polygon> of <pt> and no <imagesize>")
        look.found(f"{mine[0]} is an annotation file of LabelMe")
        if len(mine) > 1:
            look.found(f"{len(look.files.with_suffix('.xml')):,} XML files")
        return 0.95

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the images with their objects; see `Format.read`.

        Raises:
            BrokenFileError: not a single file is LabelMe's.
        """
        deleted = bool(self.check_options(options)["deleted"])
        yield from LabelMeXmlReader(source, deleted, ledger, progress, limit).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``Annotations/<subset>``, ``Images/<subset>`` and ``Masks/<subset>``.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        self.check_options(options, writing=True)
        LabelMeXmlWriter(export, sink, ledger, progress).write()
