"""SageMaker Ground Truth: augmented manifests, one JSON object per line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Option
from ..fitting import Fitting, Holds
from ..image_files import ImageFiles, fitted, subset_folder
from ..image_records import (
    At,
    Images,
    candidates,
    files_of,
    json_lines,
    subset_of,
)
from ..look import Head, Look
from ..reading import Reading
from ..writing import Export, Sink
from .lines import TWIN, layers_of, read_line
from .write import LineWriter

__all__ = ["SageMaker"]

_SUFFIXES = (".manifest", ".jsonl", ".json")


class SageMaker(Format):
    """The output manifest of Amazon SageMaker Ground Truth.

    **Items** are lines. The key of an image is its path, or for ``s3://bucket/path`` bucket and
    path, and the address is kept; a text (``source``) has the number of its line. The subset is
    the name of the manifest, or its folder, where that is train, validation or the like.

    **Labels** are the attributes that have a ``-metadata`` twin: boxes of object detection,
    classes of images and texts as tags, spans of named entities, and masks, where the PNG of a
    semantic segmentation is in the source. Confidences are scores.

    **Several jobs** of one kind: the last is ground truth, as a job that adjusts another comes
    after it; the others are layers called as the attribute. `ground_truth` says otherwise.

    **Records** are lines, boxes, classes, spans; a mask image is one. Kinds that are not read
    (3D, videos) and lines of which labelling failed are named.
    """

    name: ClassVar[str] = "sagemaker"
    title: ClassVar[str] = "SageMaker Ground Truth"
    summary: ClassVar[str] = "Augmented manifest: JSON lines with source-ref and labels."
    rules: ClassVar[str] = "https://docs.aws.amazon.com/sagemaker/latest/dg/sms-data-output.html"
    holds: ClassVar[tuple[str, ...]] = ("box", "tag")
    read_options: ClassVar[tuple[Option, ...]] = (
        Option("ground_truth", "text", None, "The label attribute that is ground truth."),
    )
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "whole_pixels", "bool", True,
            "Round boxes to whole pixels, as Ground Truth has them; otherwise as they are.",
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Return 0.95 for lines with source-ref (or source) and an attribute with -metadata."""
        paths = candidates(look.source, *_SUFFIXES)
        look.need(paths, "no .manifest, .jsonl or .json file")
        mine = files_of(look, _is_mine, *_SUFFIXES)
        if mine:
            look.found(f"{mine[0]} has lines with source-ref and attributes with metadata")
            return 0.95
        plain = files_of(look, _is_input, *_SUFFIXES)
        look.need(plain, f"{paths[0]} has no lines with source-ref")
        look.found(f"{plain[0]} has lines with source-ref, without labels")
        return 0.6

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield lines with their labels.

        Raises:
            BrokenFileError: a manifest is not JSON.
            OptionError: no line has the attribute that `ground_truth` names.
        """
        reading = Reading(source, ledger, progress, limit)
        images = Images(reading)
        look = Look(source)
        paths = files_of(look, _is_mine, *_SUFFIXES, limit=None)
        paths = paths or files_of(look, _is_input, *_SUFFIXES, limit=None)
        paths = paths or candidates(source, *_SUFFIXES)
        subsets = _subsets(paths)
        for path, data in reading.files(paths):
            lines = list(json_lines(data, path, reading))
            layers = layers_of(lines, options.get("ground_truth"), path, ledger)
            for where, line in lines:
                read_line(reading, images, At(path, where, ""), line, subsets[path], layers)
                yield from reading.batches()
                if reading.is_full:
                    break
            if reading.is_full:
                break
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>.manifest``, and the images in the subset's folder.

        ``source-ref`` is the item's address, where it has one and no image is written; otherwise
        the path of the image beside the manifest.
        """
        options = self.check_options(options, writing=True)
        fitting = Fitting(self.title, Holds({"box": (), "tag": ()}, ("score", "layer")), ledger)
        writer = LineWriter(export, fitting, whole=bool(options["whole_pixels"]))
        progress.start("Writing images", unit="images")
        for subset in export.subsets:
            folder = subset_folder(export, subset, ledger)
            files = ImageFiles(sink, fitting)
            some = []
            for item, rows in fitted(export, subset, fitting, progress):
                path = files.add(item, folder)
                if item.get("uri") and not sink.saves_media:
                    path = item["uri"]
                some.append((path, item, rows))
            several = any(
                sum(row["type"] == "tag" and row.get("layer") == layer for row in rows) > 1
                for _, _, rows in some
                for layer in {row.get("layer") for row in rows}
            )
            lines = [writer.line(*one, several=several) for one in some]
            sink.write(f"{folder or 'output'}.manifest", "".join(f"{line}\n" for line in lines))
        fitting.close()


def _is_mine(head: Head) -> bool:
    keys = head.json_keys
    sourced = bool({"source-ref", "source"} & keys)
    return sourced and any(k.endswith(TWIN) and k[: -len(TWIN)] in keys for k in keys)


def _is_input(head: Head) -> bool:
    return head.json_start == "{" and "source-ref" in head.json_keys


def _subsets(paths: Sequence[str]) -> dict[str, str | None]:
    found = {path: subset_of(path, paths) for path in paths}
    stems = {path: path.rpartition("/")[2].rpartition(".")[0] for path in paths}
    if len(paths) > 1 and len(set(stems.values())) == len(paths):
        found = {path: subset or stems[path] for path, subset in found.items()}
    return found
