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

    **Results** (a list of detections, with image_id, category_id and score) are a layer of
    predictions, named after the file, on the images of the COCO file beside it; alone, on items
    that are named by the image ids, with labels "category 3".

    **Videos.** Images with video_id and frame_id (CocoVID, TAO) are items whose annotations have
    `track` and `frame`. The tracks of YouTube-VIS (`videos` with file_names, annotations with
    lists per frame) are taken apart: each frame is an item, each entry a row.

    **Written** are polygons and masks as they are, or as one kind (`segmentation`), or painted
    (`panoptic`): one PNG per image, where a pixel has one segment; what is covered is told.

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

    write_options = (
        Option(
            "segmentation", "choice", "given",
            "How outlines are written: as they are, masks as polygons, or polygons as run lengths",
            ("given", "polygons", "rle"),
        ),
        Option(
            "panoptic", "bool", False,
            "Paint polygons and masks into one PNG per image, with panoptic_<subset>.json: a pixel "
            "has one segment, the topmost",
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Look for a JSON file with images and annotations that name them by image_id."""
        from .layout import json_files, shape_of

        files = json_files(look.source)
        look.need(files, "no JSON file")
        missing, results = "", 0.0
        for path in files[:_HEADS]:
            shape = shape_of(look.head(path), path)
            if shape.confidence:
                look.found(f"{path}: {shape.evidence}")
                if not shape.is_results:
                    return shape.confidence
                results = shape.confidence  # what they are about may lie beside
            missing = missing or f"{path}: {shape.missing}"
        if results:
            return results
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
        """Write annotations/<task>_<subset>.json, images/<subset>/, and PNG files of segments."""
        from .write import write_coco

        write_coco(export, sink, self.check_options(options, writing=True), ledger, progress)
