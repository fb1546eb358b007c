"""COCO: the format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ..base import Format, Miss, Option

if TYPE_CHECKING:
    from ...sources.base import Source
    from ..look import Look
    from ..writing import Export, Sink

__all__ = ["Coco"]

_HEADS = 8


class Coco(Format):
    """Microsoft COCO: instances, keypoints, stuff, panoptic, captions, image info, and tags.

    **Layouts.** ``annotations/<task>_<subset>.json`` with ``images/<subset>/`` or ``<subset>/``;
    Roboflow's ``<subset>/_annotations.coco.json``; FiftyOne's ``labels.json`` with ``data/``; or
    any JSON file, with images anywhere or nowhere. The subset is that of the file's name, else of
    its folder's. Several tasks of one subset are merged by image.

    **Rows.** One annotation is one row: a polygon (all its parts), mask (either kind of run
    lengths, never decoded), skeleton, box, text (caption) or tag, the first that it has. Keypoints
    beside a polygon or mask are a second row, with the same `group`; so are the keypoints that
    another file of the subset tells of the same object. The bbox of the file is in x, y, w, h, to
    the last digit; area, iscrowd and unknown keys are in `extra`; CVAT's attributes occluded,
    rotation, track_id and keyframe in their columns.

    **Ids** are opaque keys: 0 and 2**63 are good ids. Categories of one name stay apart.

    **What is malformed** is mended with a warning where its meaning is clear (numbers as text, a
    polygon without its outer list, points as pairs), else rejected; numbers are never changed.

    Rules: https://cocodataset.org/#format-data, pycocotools for run lengths, CVAT and Datumaro for
    attributes and tags.

    >>> from nbannot.ledger import Ledger
    >>> from nbannot.progress import Progress
    >>> from nbannot.sources import open_source
    >>> source = open_source({
    ...     "images": [{"id": 7, "file_name": "a.jpg", "width": 64, "height": 48}],
    ...     "annotations": [{"id": 1, "image_id": 7, "category_id": 0, "bbox": [1, 2, 3, 4]}],
    ...     "categories": [{"id": 0, "name": "cat"}],
    ... })
    >>> items, annotations = Coco().read(source, {}, Ledger(), Progress())
    >>> annotations.annotations.select(["type", "label", "x", "y", "w", "h"]).to_pylist()
    [{'type': 'box', 'label': 'cat', 'x': 1.0, 'y': 2.0, 'w': 3.0, 'h': 4.0}]
    """

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
        from .layout import json_files, shape_of

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
        from .read import read_coco

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
        from .write import write_coco

        self.check_options(options, writing=True)
        write_coco(export, sink, ledger, progress)
