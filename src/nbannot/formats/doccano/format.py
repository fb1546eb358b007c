"""doccano: texts with spans, relations, classes, other texts, or intents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Option
from ..json_records import (
    first_objects,
)
from ..look import Look
from ..texts import (
    head_files,
)
from ..writing import Export, Sink
from .read import DoccanoReader
from .rows import DATA, LABELS, csv_header, is_label_types, judge
from .write import DoccanoWriter

__all__ = ["Doccano"]

SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".ndjson")
_HEADS = 12


class Doccano(Format):
    """Rows of JSON lines, JSON or CSV: a text, and what was said of it.

    **Items** are rows; the key is the row's id, else its rank: ``train-7``. Columns that doccano
    has no meaning for stay in `data`. JSON that is called .jsonl but spans several lines is read.

    **Labels** ``[start, end, label]`` and entities are spans of text, in code points; relations
    are relations between entities' ids; ``cats`` and labels that are words are tags, or, in a
    task of writing (seq2seq), texts. Which, is guessed by how they look, and noted.
    **Records** are rows, labels, entities, categories and relations.

    Files of label types declare labels with their colours. doccano's CoNLL and fastText files
    are read by those formats.
    """

    name: ClassVar[str] = "doccano"
    title: ClassVar[str] = "doccano"
    summary: ClassVar[str] = "JSON lines or CSV of texts with spans, relations, classes or texts."
    rules: ClassVar[str] = "https://doccano.github.io/doccano/ and backend/data_import of doccano"
    holds: ClassVar[tuple[str, ...]] = ("text_span", "relation", "tag", "text")
    read_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "task", "choice", "auto", "What labels that are words are: classes, or texts written",
            ("auto", "classification", "seq2seq"),
        ),
        Option("label_sep", "text", "#", "Between several labels in a cell of CSV"),
    )  # fmt: skip
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "task", "choice", "auto", "auto: the task that holds what there is",
            ("auto", "sequence", "relation", "intent", "classification", "seq2seq"),
        ),
        Option("file_format", "choice", "jsonl", "Kind of file", ("jsonl", "csv")),
        Option("label_sep", "text", "#", "Between several labels in a cell of CSV"),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Recognise texts with labels in the first rows of some files."""
        paths = head_files(look.source, SUFFIXES)
        look.need(paths, "no JSON lines, JSON or CSV")
        some = paths[:: max(1, len(paths) // _HEADS)][:_HEADS]
        best = 0.0
        for path in some:
            confidence, why = _judge(path, look.head(path).text)
            if confidence > best:
                best = confidence
                look.found(f"{path}: {why}")
        look.need(best, "no rows of text with labels, spans or entities")
        return best

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield rows as items; see the class.

        Raises:
            BrokenFileError: a file is neither JSON lines nor JSON, or CSV that can't be parsed.
            FormatError: the one file has no column of texts.
        """
        reader = DoccanoReader(source, self.check_options(options), ledger, progress)
        yield from reader.read(head_files(source, SUFFIXES), limit)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write one file per subset, and label_config.json, which doccano imports, too."""
        chosen = self.check_options(options, writing=True)
        DoccanoWriter(export, sink, chosen, ledger, progress).write()


def _judge(path: str, text: str) -> tuple[float, str]:
    if path.lower().endswith((".csv", ".tsv")):
        names = csv_header(text)[1]
        if "column_data" in names and "column_label" in names:
            return 0.6, "columns column_data and column_label"
        plain = {"id", "Comments", *DATA, *LABELS}
        if set(names) <= plain and set(names) & set(DATA) and set(names) & set(LABELS):
            return 0.3, f"columns {', '.join(names)}"
        return 0.0, ""
    rows = first_objects(text)
    if is_label_types(rows):
        return 0.95, "types of labels with their colours"
    return max((judge(row) for row in rows), default=(0.0, ""))
