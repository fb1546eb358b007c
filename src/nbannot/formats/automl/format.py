"""Google AutoML Vision and Vertex AI: CSV and JSON lines to import images with labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Option
from ..image_records import candidates, files_of
from ..look import Head, Look
from ..writing import Export, Sink
from .rows import first_row, is_header, uses

__all__ = ["AutoML"]

_LINES = ("imageGcsUri", "imagePayload", "textGcsUri", "textContent", "videoGcsUri")


class AutoML(Format):
    """What AutoML Vision and Vertex AI import and export: classification and detection.

    **Items** are images; the key is the path, or for ``gs://bucket/path`` bucket and path, and
    the address is kept. The subset is ML_USE in lower case (TRAIN is ``train``; UNASSIGNED is
    none), or the folder, where the path begins with one of that meaning (``val/a.jpg``).

    **Boxes** are shares of the image's size, so an image that is not there leaves them without
    pixels: they are rejected. Two vertices or four that are a rectangle make a box, others a
    polygon. Labels without coordinates are tags.

    **Records** are images, boxes and tags; lines of texts and videos are rejected by name.
    Written are boxes and tags: a file for each of the two, in one folder.
    """

    name: ClassVar[str] = "automl"
    title: ClassVar[str] = "AutoML / Vertex AI"
    summary: ClassVar[str] = "CSV or JSON lines of Google Cloud: images, labels, boxes."
    rules: ClassVar[str] = (
        "https://cloud.google.com/vertex-ai/docs/image-data/object-detection/prepare-data"
    )
    holds: ClassVar[tuple[str, ...]] = ("box", "tag")
    write_options: ClassVar[tuple[Option, ...]] = (
        Option("file", "choice", "csv", "csv or jsonl: what Vertex AI imports.", ("csv", "jsonl")),
    )

    def requires(self, look: Look) -> float:
        """Return 0.95 for JSON lines with imageGcsUri, 0.9 for CSV with ML_USE or gs://."""
        paths = candidates(look.source, ".csv", ".jsonl", ".json")
        look.need(paths, "no CSV or JSON lines")
        lines = files_of(look, is_lines, ".jsonl", ".json")
        if lines:
            look.found(f"{lines[0]} has lines with the keys of Vertex AI")
            return 0.95
        tables = files_of(look, is_table, ".csv")
        look.need(tables, f"{paths[0]} has neither imageGcsUri nor rows with ML_USE and a path")
        look.found(f"{tables[0]} has rows with ML_USE or gs:// and an image")
        return 0.9

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield images with their boxes and tags.

        Raises:
            BrokenFileError: a file has no lines of JSON, or is no CSV.
        """
        from .read import read_automl

        look = Look(source)
        paths = files_of(look, is_lines, ".jsonl", ".json", limit=None)
        paths += files_of(look, is_table, ".csv", limit=None)
        paths = paths or candidates(source, ".csv", ".jsonl", ".json")
        return read_automl(source, paths, ledger, progress, limit)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``detection.csv``, ``classification.csv`` or both, and the images.

        Images lie in the folder of their subset; a subset that is none of training, validation
        and test is UNASSIGNED. An address is written where no image is.
        """
        from .write import write_automl

        kind = self.check_options(options, writing=True)["file"]
        write_automl(export, sink, kind, ledger, progress)


def is_lines(head: Head) -> bool:
    """Say whether a file's lines have the keys of Vertex AI."""
    return head.json_start == "{" and bool(head.json_keys.intersection(_LINES))


def is_table(head: Head) -> bool:
    """Say whether a file's first rows have ML_USE or gs:// first."""
    rows = first_row(head.text)
    if rows and is_header(rows[0]):
        rows = rows[1:]
    cells = [[cell.strip() for cell in row] for row in rows]
    named = any(cell for row in cells for cell in row[1:2] if uses(row[0]) is not None)
    google = any(cell.lower().startswith("gs://") for row in cells for cell in row[:2])
    return (named or google) and all(
        uses(row[0]) is not None
        or "gs://" in (row[0][:5].lower(), *(c[:5].lower() for c in row[1:2]))
        for row in cells
    )
