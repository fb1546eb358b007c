"""Datumaro JSON: what it is, how it is recognised, its options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Option
from ..look import Look
from ..writing import Export, Sink
from .read import DatumaroReader, is_datumaro
from .write import DatumaroWriter

__all__ = ["DatumaroJson"]


class DatumaroJson(Format):
    """Datumaro's own JSON: legacy (as CVAT writes it) and version 1.0.

    **Items.** ``annotations/<subset>.json`` lists the items of a subset. The key is an item's id
    with the suffix of its image. Frames of a video are one item, of kind video, whose annotations
    carry ``frame``; point clouds are items of kind other.

    **Annotations.** bbox, polygon, polyline, points, mask, ellipse, label (a tag), caption (a
    text), skeleton, rotated_bbox and cuboid_2d are read; coordinates are pixels, as ours. Points
    of a label with as many joints are a skeleton. ``occluded``, ``rotation``, ``score``,
    ``track_id``, ``keyframe`` and ``outside``, which CVAT writes among the attributes, are
    columns; a score outside 0 to 1 stays an attribute. The joints of a skeleton, which CVAT lists
    as labels, are no labels of their own.

    **Records** are items and annotations. cuboid_3d, feature_vector, hash_key and the like have
    no type of ours and are rejected by name.

    **Lost in writing**: the text of a region, the model and the annotator of an annotation.
    Polygons of several parts are written as one polygon each, in a group, and are one again when
    read here; polygons with holes become masks.
    """

    name: ClassVar[str] = "datumaro"
    title: ClassVar[str] = "Datumaro"
    summary: ClassVar[str] = "One JSON file per subset, with nearly every type of annotation."
    rules: ClassVar[str] = (
        "https://open-edge-platform.github.io/datumaro/stable/docs/data-formats/formats/datumaro.html"
    )
    holds: ClassVar[tuple[str, ...]] = (
        "box", "polygon", "polyline", "points", "skeleton", "mask", "ellipse", "cuboid", "tag",
        "text",
    )  # fmt: skip
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "dialect",
            "choice",
            "1.0",
            "1.0: as Datumaro 1.x reads it; cvat: as CVAT reads it, with skeletons of its own type "
            "and ellipses and cuboids as polygons.",
            ("1.0", "cvat"),
        ),
    )

    def requires(self, look: Look) -> float:
        """Return 0.95 where a JSON file has items, and categories that are an object."""
        main = look.source.main
        if main is not None:
            look.need(main.lower().endswith(".json"), "the file is not JSON")
            paths = [main]
        else:
            every = look.files.with_suffix(".json")
            look.need(every, "no JSON file")
            inside = [p for p in every if f"/{p}".rpartition("/")[0].endswith("/annotations")]
            found = inside or every
            paths = sorted({found[0], found[len(found) // 2], found[-1]})
        mine = [p for p in paths if is_datumaro(look.head(p))]
        look.need(mine, f"{paths[0]} has no items with categories that are an object")
        look.found(f"{mine[0]} has items and categories, as Datumaro writes them")
        head = look.head(mine[0])
        if "dm_format_version" in head.json_keys:
            look.found("it names the version of Datumaro's format")
        return 0.95

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the dataset, subset by subset; see `Format.read`.

        Raises:
            BrokenFileError: a file is not JSON, or not an object with items and categories.
        """
        yield from DatumaroReader(source, ledger, progress, limit).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``annotations/<subset>.json``, and media to images/, videos/ or point_clouds/.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        chosen = self.check_options(options, writing=True)
        DatumaroWriter(export, sink, chosen["dialect"] == "cvat", ledger, progress).write()
