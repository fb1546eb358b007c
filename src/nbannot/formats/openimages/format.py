"""Open Images: what it is, how it is recognised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format
from ..look import Look
from ..writing import Export, Sink
from .files import BOXES, LABELS, LISTS, MASKS, kind_of_header
from .read import Reader
from .write import write

__all__ = ["OpenImages"]

_SHOWN = {BOXES: "boxes", LABELS: "classes of images", MASKS: "masks", LISTS: "images"}


class OpenImages(Format):
    """Open Images V4 to V7, as Google, Datumaro and CVAT lay it out.

    **Items** are the images of the image lists, of ``images/<subset>/``, and those that an
    annotation names, in this order. The key is the file's path in ``images/<subset>/``, or the
    ImageID with ``.jpg`` where there is no file. The subset is in the column Subset, or at the
    head of the file's name (``oidv6-train-annotations-bbox.csv``).

    **Boxes** are parts of the image's size, 0 to 1, as xmin, xmax, ymin, ymax; the size comes from
    ``images.meta`` or the image itself, and without it a box is rejected. IsOccluded becomes
    `occluded`, the other flags attributes (``truncated``, ``is_group_of``, ``is_depiction``,
    ``is_inside``), -1 nothing. **Classes of images** are tags; Confidence 0 (a person saw that
    it is not there) is the attribute ``absent``. **Masks** are brought to the image's size.

    Labels are called by their description; the id (``/m/01g317``) stays with them, and the
    hierarchy gives their parents.

    **Lost:** clicks of boxes, relations, point labels; in writing, attributes other than the
    flags.
    """

    name: ClassVar[str] = "openimages"
    title: ClassVar[str] = "Open Images"
    summary: ClassVar[str] = "Boxes, image labels and masks as CSV, V4 to V7."
    rules: ClassVar[str] = "https://storage.googleapis.com/openimages/web/download_v7.html"
    holds: ClassVar[tuple[str, ...]] = ("box", "tag", "mask")

    def requires(self, look: Look) -> float:
        """Recognise the header of a CSV file: ImageID, and what else there is in such files."""
        main = look.source.main
        files = [main] if main else look.files.with_suffix(".csv")
        look.need(files and files[0].lower().endswith(".csv"), "no .csv file")
        likely = sorted(files, key=lambda f: ("annotations" not in f.lower(), f))[:12]
        kinds = {f: kind_of_header(look.head(f).text) for f in likely}
        found = {f: kind for f, kind in kinds.items() if kind}
        look.need(found, f"{likely[0]} has no columns ImageID and LabelName")
        for file, kind in list(found.items())[:3]:
            look.found(f"{file} lists {_SHOWN.get(kind, 'what is known of images')}")
        sure = any(kind in (BOXES, MASKS) for kind in found.values())
        return 0.95 if sure else 0.9

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield images, then the annotations of each file; see `Format.read`.

        Raises:
            BrokenFileError: a CSV file or the hierarchy can't be parsed.
        """
        yield from Reader(source, ledger, progress, limit).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``annotations/*.csv``, ``masks/<subset>/`` and ``images/<subset>/``.

        Boxes, tags and masks are written; polygons become masks.
        """
        write(export, sink, ledger, progress)
