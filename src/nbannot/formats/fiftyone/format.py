"""FiftyOneDataset: metadata.json and samples.json, FiftyOne's own export of everything."""

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

__all__ = ["FiftyOne"]


class FiftyOne(Format):
    """A dataset of FiftyOne, as ``export(dataset_type=FiftyOneDataset)`` writes it.

    **Items** are samples; the key is the path below ``data/``, without the folder of the subset.
    A tag like train or val is the subset; the other tags, and fields that are no labels, are
    kept with the item.

    **Labels**: Detections are boxes, or masks where they have one; Polylines polygons (closed)
    or polylines; Keypoints skeletons where the field has one, else points; Classifications and
    Segmentation tags and masks; Regression a number; TemporalDetections time spans. Coordinates
    are shares of the image's size, and become pixels. Custom values of a label are attributes.

    **Several fields**: those whose labels have a confidence are layers of predictions, called
    as the field; the others are ground truth. `ground_truth` says otherwise. The name of the
    field is kept.

    **Records** are samples, labels, and the values of a segmentation. Not read, and said so:
    heatmaps, places, frames of videos. Written are boxes, masks, polygons, polylines, points,
    skeletons and tags; holes in polygons are lost.
    """

    name: ClassVar[str] = "fiftyone"
    title: ClassVar[str] = "FiftyOne dataset"
    summary: ClassVar[str] = "metadata.json and samples.json: everything that FiftyOne has."
    rules: ClassVar[str] = (
        "https://docs.voxel51.com/user_guide/export_datasets.html#fiftyonedataset"
    )
    holds: ClassVar[tuple[str, ...]] = (
        "box", "mask", "polygon", "polyline", "points", "skeleton", "tag",
    )  # fmt: skip
    read_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "ground_truth",
            "text",
            None,
            "Fields of labels that are ground truth, with commas; the others become layers.",
        ),
    )

    def requires(self, look: Look) -> float:
        """Return 0.95 for samples.json with samples that have a filepath."""
        main = look.source.main
        path = "samples.json" if main is None else main
        folder = look.files.files("samples") if main is None else []
        if path not in look.files and any(p.endswith(".json") for p in folder):
            path = next(p for p in folder if p.endswith(".json"))
        look.need(path in look.files, "no samples.json")
        keys = look.head(path).json_keys
        look.need(
            "filepath" in keys and ("samples" in keys or path.startswith("samples/")),
            f"{path} has no samples with a filepath",
        )
        look.found(f"{path} holds samples of FiftyOne")
        if "metadata.json" in look.files and "sample_fields" in look.head("metadata.json").text:
            look.found("metadata.json declares the fields")
        return 0.95 if "_cls" in keys or "metadata.json" in look.files else 0.9

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield samples with their labels.

        Raises:
            BrokenFileError: samples.json or metadata.json is not JSON.
            OptionError: `ground_truth` names a field that no sample has.
        """
        from .read import read_dataset

        return read_dataset(source, self.check_options(options), ledger, progress, limit)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write metadata.json, samples.json and ``data/``; the subset is a tag.

        An image whose size is not known keeps no coordinates: they are shares of its size.
        """
        from .write import write_dataset

        self.check_options(options, writing=True)
        write_dataset(export, sink, ledger, progress)
