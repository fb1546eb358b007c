"""COCO: the format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..ledger import Ledger
from ..progress import Progress
from ..schema import Batch
from .base import Format, Miss, Option

if TYPE_CHECKING:
    from ..sources.base import Source
    from .look import Look
    from .writing import Export, Sink

__all__ = ["Coco"]

_HEADS = 8


class Coco(Format):
    """Microsoft COCO."""

    name = "coco"
    title = "COCO"
    summary = (
        "JSON files of images, annotations and categories: boxes, polygons, masks, keypoints, "
        "captions, tags and panoptic segments."
    )
    rules = "https://cocodataset.org/#format-data"
    holds = ("box", "polygon", "mask", "skeleton", "tag", "text")
    read_options = (
        Option(
            "boxes", "choice", "xywh",
            "How bbox is written: x, y, width, height as COCO says, or corners x1, y1, x2, y2",
            ("xywh", "xyxy"),
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Look for a JSON file with images and annotations that name them by image_id."""
        from .coco_layout import json_files, shape_of

        files = json_files(look.source)
        look.need(files, "no JSON file")
        missing = ""
        for path in files[:_HEADS]:
            shape = shape_of(look.head(path), path)
            if shape.confidence:
                look.found(f"{path}: {shape.evidence}")
                return shape.confidence
            missing = missing or f"{path}: {shape.missing}"
        raise Miss(missing)

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield, per subset, its items and then its annotations."""
        from .coco_read import read_coco

        return read_coco(source, self.check_options(options), ledger, progress, limit)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write annotations/<task>_<subset>.json and images/<subset>/."""
        from .coco_write import write_coco

        self.check_options(options, writing=True)
        write_coco(export, sink, ledger, progress)
