"""LabelMe JSON: what it is, how it is recognised, its options."""

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
from .read import LabelMeReader, is_labelme
from .write import LabelMeWriter

__all__ = ["LabelMe"]


class LabelMe(Format):
    """LabelMe of wkentaro, from 2018 to 5.7, and what is written alike: X-AnyLabeling.

    **Items.** Each JSON file is one image: the one of the file's own name, else the one that
    ``imagePath`` names. The key is the image's path without the folders that only sort
    (``images``, ``train``); a folder called train, valid, test and the like is the subset. Images
    beside the files that have none are items without annotations.

    **Shapes.** Coordinates are pixels, as ours. A rectangle is a box, an oriented_rectangle (and
    X-AnyLabeling's rotation) a rotated box, a circle an ellipse, line and linestrip are polylines,
    point and points are points. Polygons of one label and one group_id that say nothing different
    are one polygon of several rings. A mask is placed at its rounded corner. ``flags`` of a shape
    (and X-AnyLabeling's attributes) are attributes, its description is the text; ``flags`` of the
    image that are true are tags, and a description of the image is a text.

    **Records** are images, flags that are true, the image's description, and shapes.

    **Lost in writing**: holes (such a polygon becomes a mask), tracks, the order of layers.
    Ellipses that are no circles become polygons, skeletons a box and a point per joint in one
    group, ``occluded`` a flag.
    """

    name: ClassVar[str] = "labelme"
    title: ClassVar[str] = "LabelMe"
    summary: ClassVar[str] = "One JSON file per image, beside it, with shapes."
    rules: ClassVar[str] = "https://github.com/wkentaro/labelme"
    holds: ClassVar[tuple[str, ...]] = (
        "box", "polygon", "mask", "polyline", "points", "ellipse", "tag", "text",
    )  # fmt: skip
    read_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "instances",
            "bool",
            False,
            "Read person-1, person-2 as label person in groups 1 and 2, as LabelMe 3 had it.",
        ),
    )
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "rotated_boxes",
            "choice",
            "oriented_rectangle",
            "oriented_rectangle: as the newest LabelMe; rotation: as X-AnyLabeling; polygon: as "
            "every version reads them.",
            ("oriented_rectangle", "rotation", "polygon"),
        ),
    )

    def requires(self, look: Look) -> float:
        """Return 0.95 where a JSON file has shapes and names its image."""
        some = heads(look, ".json")
        mine = [path for path, head in some if is_labelme(head)]
        look.need(mine, f"{some[0][0]} has no shapes and no imagePath")
        look.found(f"{mine[0]} has shapes, as LabelMe writes them")
        if len(mine) > 1:
            look.found(f"{len(look.files.with_suffix('.json')):,} JSON files")
        return 0.95 if 2 * len(mine) >= len(some) else 0.6

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the images with their shapes; see `Format.read`.

        Raises:
            BrokenFileError: not a single file is LabelMe's.
        """
        instances = bool(self.check_options(options)["instances"])
        yield from LabelMeReader(source, instances, ledger, progress, limit).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write each image and its JSON beside it, in a folder per subset, and ``labels.txt``.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        turned = self.check_options(options, writing=True)["rotated_boxes"]
        LabelMeWriter(export, sink, turned, ledger, progress).write()
