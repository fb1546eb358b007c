"""The format Labelbox: how it is recognised, and what its rows are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...errors import BrokenFileError
from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format
from ..json_documents import (
    add_unannotated,
    heads,
    paths_of,
    rows_of,
)
from ..look import Look
from ..reading import Reading
from .read import FileReader

__all__ = ["Labelbox"]

_SUFFIXES = (".json", ".ndjson", ".jsonl")


class Labelbox(Format):
    """Labelbox: JSON of version 1, NDJSON of version 2, and annotations to be imported.

    **Items** are data rows, named by their external id, else by the global key, the end of
    their address, or their id; the address is kept, never opened. Where a row has several labels
    (consensus), ``set`` tells them apart. Experiments of version 2 are predictions: ``layer``.

    **Geometry** is in pixels as it is. Masks lie at addresses and are not fetched: such an
    object is kept as a tag of its class, with the address in ``extra``, and a warning; a PNG
    within the file is read. Spans of text end one character later than written: Labelbox counts
    the last one in. Frames of videos count from 1 in Labelbox, from 0 here.

    **Classifications**: answers of a list are choices with the question as an attribute, free
    text is text; those of an object are its attributes.

    **Records** are data rows, objects (frames in a video), answers and relationships.
    """

    name: ClassVar[str] = "labelbox"
    title: ClassVar[str] = "Labelbox"
    summary: ClassVar[str] = "Exports of Labelbox (JSON and NDJSON), and its import format."
    rules: ClassVar[str] = "https://docs.labelbox.com/reference/label-export"
    holds: ClassVar[tuple[str, ...]] = (
        "box",
        "polygon",
        "polyline",
        "points",
        "mask",
        "tag",
        "choice",
        "text",
        "text_span",
        "relation",
    )
    writes: ClassVar[bool] = False

    def requires(self, look: Look) -> float:
        """Recognise exports by their keys."""
        for path, head in heads(look, *_SUFFIXES):
            keys = head.json_keys
            if {"Labeled Data", "Label"} <= keys:
                look.found(f"{path} is an export of Labelbox, version 1")
                return 0.95
            if {"data_row", "projects"} <= keys or {"data_row", "experiments"} <= keys:
                look.found(f"{path} is an export of Labelbox, version 2")
                return 0.95
            if "dataRow" in keys and keys & {"schemaId", "uuid", "name"}:
                look.found(f"{path} holds annotations to be imported into Labelbox")
                return 0.9
        look.need(False, "no JSON file with Labeled Data, data_row or dataRow")
        return 0.0

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the data rows; see `Format.read`.

        Raises:
            BrokenFileError: a file is not JSON.
        """
        self.check_options(options)
        reading = Reading(source, ledger, progress, limit)
        paths = paths_of(source, *_SUFFIXES)
        ids: dict[str, str] = {}
        for path, data in reading.files(paths):
            try:
                rows = rows_of(data, path, ledger)
            except BrokenFileError as error:
                if len(paths) == 1:
                    raise
                text = str(error)
                reading.reject("the file is not JSON", file=path, record="file", message=text)
                continue
            file = FileReader(reading, path, rows, ids)
            for i, row in enumerate(rows):
                file.row(i, row)
                yield from reading.batches()
                if reading.is_full and not file.is_import:
                    break
            if reading.is_full:
                break
        add_unannotated(reading)
        yield from reading.rest()
