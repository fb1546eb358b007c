"""VIA: projects, JSON and CSV exports of the VGG Image Annotator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Option
from ..image_records import candidates
from ..look import Look
from ..writing import Export, Sink
from .files import kind_of_file

__all__ = ["Via"]

_HEADS = 8
_CALLED = {
    "project": "is a project of VIA 2",
    "json": "is a JSON export of VIA",
    "csv": "is a CSV export of VIA",
    "via3": "is a project of VIA 3",
}


class Via(Format):
    """VIA 1, 2 and 3: a project, or what it exports as JSON or CSV.

    **Items** are the files of the project; the key is the file's name as given. The subset is the
    folder of the annotation file, where it is called train, val or the like. Where one folder
    has a project and exports of it, the project is read, and the ledger names the others.

    **Regions**: rect is a box, circle and ellipse an ellipse (theta in radians becomes degrees),
    polygon, polyline and point are kept. In a video of VIA 3 they carry their time in ``start``;
    a stretch of time without a shape is a time span.

    **Attributes**: one region attribute is the label: `label`, or else the one that gives most
    regions a single value, lists before free texts. The others are attributes, with their
    definitions. A file attribute with options is a tag for each one that is chosen; other file
    attributes are kept with the item.

    **Records** are files, regions and tags. Rotated boxes, masks and skeletons have no place.
    """

    name: ClassVar[str] = "via"
    title: ClassVar[str] = "VIA (VGG Image Annotator)"
    summary: ClassVar[str] = "Project, JSON or CSV with regions and attributes of any name."
    rules: ClassVar[str] = "https://www.robots.ox.ac.uk/~vgg/software/via/"
    holds: ClassVar[tuple[str, ...]] = ("box", "ellipse", "polygon", "polyline", "points", "tag")
    read_options: ClassVar[tuple[Option, ...]] = (
        Option("label", "text", None, "Region attribute that is the label; found out by itself."),
    )
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "file",
            "choice",
            "project",
            "project: opens in VIA 2; json or csv: what VIA 2 exports and imports.",
            ("project", "json", "csv"),
        ),
        Option("label", "text", None, "Region attribute to write the label to; else as it was."),
    )

    def requires(self, look: Look) -> float:
        """Return 0.95 where the keys of a JSON file, or the header of a CSV file, are VIA's."""
        paths = candidates(look.source, ".json", ".csv")
        look.need(paths, "no JSON or CSV file")
        found = [(p, kind) for p in paths[:_HEADS] if (kind := kind_of_file(look.head(p)))]
        look.need(found, f"{paths[0]} has no regions with shape_attributes")
        path, kind = found[0]
        look.found(f"{path} {_CALLED[kind]}")
        return 0.95

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield files with their regions and tags.

        Raises:
            BrokenFileError: a file is not JSON.
            OptionError: no region has the attribute that `label` names.
        """
        from .read import read_via

        return read_via(source, self.check_options(options), ledger, progress, limit)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write a file for each subset, in its folder, and the images beside it."""
        from .write import write_via

        write_via(export, sink, self.check_options(options, writing=True), ledger, progress)
