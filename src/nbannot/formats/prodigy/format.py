"""Prodigy: texts with spans, relations and labels, as its db-out writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format
from ..json_records import (
    first_objects,
)
from ..look import Look
from ..texts import (
    head_files,
)
from ..writing import Export, Sink
from .read import ProdigyReader
from .write import ProdigyWriter

__all__ = ["Prodigy"]

SUFFIXES = (".jsonl", ".json", ".ndjson")
_HEADS = 12
_ANSWERS = ("accept", "reject", "ignore")


class Prodigy(Format):
    """A task per line of JSON: a text, its spans, relations, labels, and the answer.

    **Items** are tasks about texts; the key is the rank in the file: ``train-7``. Tokens, hashes
    and options are kept in the item's `meta`, all else of a task in `data`. Tasks about images
    and sounds are rejected.

    **Spans** have code point offsets and may have a score; those of patterns may lack a label.
    **Relations** refer to spans; one from a token without a span is kept, and written again.
    **Labels** of text classification (`label`, and those accepted of `options`) are tags.
    A task that was rejected or ignored is read: its `data` says so, and each of its annotations
    has the attribute ``answer``. **Records** are tasks, spans, relations and labels.
    """

    name: ClassVar[str] = "prodigy"
    title: ClassVar[str] = "Prodigy"
    summary: ClassVar[str] = "JSON lines of texts with spans, relations, labels and answers."
    rules: ClassVar[str] = "https://prodi.gy/docs/api-interfaces"
    holds: ClassVar[tuple[str, ...]] = ("text_span", "relation", "tag")

    def requires(self, look: Look) -> float:
        """Recognise texts with spans, an answer or Prodigy's hashes in the first rows."""
        paths = head_files(look.source, SUFFIXES)
        look.need(paths, "no JSON lines")
        best = 0.0
        for path in paths[:: max(1, len(paths) // _HEADS)][:_HEADS]:
            for row in first_objects(look.head(path).text):
                confidence, why = _judge(row)
                if confidence > best:
                    best = confidence
                    look.found(f"{path}: {why}")
        look.need(best, "no texts with spans or an answer")
        return best

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield tasks as items; see the class.

        Raises:
            BrokenFileError: a file is neither JSON lines nor JSON.
        """
        self.check_options(options)
        paths = head_files(source, SUFFIXES)
        yield from ProdigyReader(source, ledger, progress).read(paths, limit)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write one file per subset; where items have several tags, as options to accept."""
        self.check_options(options, writing=True)
        ProdigyWriter(export, sink, ledger, progress).write()


def _judge(row: Mapping[str, Any]) -> tuple[float, str]:
    if not isinstance(row.get("text"), str):
        return 0.0, ""
    if "_input_hash" in row or "_task_hash" in row:
        return 0.95, "texts with Prodigy's hashes"
    spans = row.get("spans")
    first = spans[0] if isinstance(spans, list) and spans else None
    whole = isinstance(first, dict) and ("start" in first or "token_start" in first)
    if row.get("answer") in _ANSWERS:
        return 0.95, f"texts with an answer ({row['answer']})"
    if whole:
        return 0.9, "texts with spans"
    if isinstance(row.get("options"), list) and isinstance(row.get("accept"), list):
        return 0.9, "texts with options and what was accepted"
    return 0.0, ""
