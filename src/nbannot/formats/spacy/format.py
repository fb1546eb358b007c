"""spaCy: texts with entities and categories, as its training data has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Miss, Option
from ..json_records import (
    first_values,
)
from ..look import Look
from ..texts import (
    head_files,
)
from ..writing import Export, Sink
from .read import SpacyReader, form_of
from .write import SpacyWriter

__all__ = ["Spacy"]

SUFFIXES = (".json", ".jsonl", ".spacy")
_HEADS = 12


class Spacy(Format):
    """Training data of spaCy: tuples, the JSON of version 2, or documents as JSON.

    * ``["text", {"entities": [[0, 4, "ORG"]], "cats": {"a": 1.0}}]``, in a list, one per line, or
      within ``{"classes": ..., "annotations": ...}``, as NER annotators write it;
    * ``{"id": 0, "paragraphs": [{"raw": ..., "sentences": [{"tokens": ...}]}]}`` with BILUO tags;
    * ``{"text": ..., "ents": [...]}``, what ``doc.to_json()`` gives.

    **Items** are texts (paragraphs); the key is the id of a document, else the rank: ``train-7``.
    Entities and groups of spans are spans of text, in code points; categories above 0 are tags,
    with the value as score unless it is 1. **Records** are texts, entities and categories.
    ``.spacy`` (DocBin) is binary: it is recognised, and not read.
    """

    name: ClassVar[str] = "spacy"
    title: ClassVar[str] = "spaCy"
    summary: ClassVar[str] = "Training data as JSON: texts with entities and categories."
    rules: ClassVar[str] = "https://spacy.io/api/data-formats; https://v2.spacy.io/api/annotation"
    holds: ClassVar[tuple[str, ...]] = ("text_span", "tag")
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "layout", "choice", "auto",
            "tuples: [text, {entities}]; json: version 2; doc: lines as of doc.to_json(); auto: "
            "as it was read, else tuples",
            ("auto", "tuples", "json", "doc"),
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Recognise one of spaCy's forms in the first values of some files; name a DocBin."""
        paths = head_files(look.source, SUFFIXES)
        plain = [path for path in paths if not path.lower().endswith(".spacy")]
        look.need(paths, "no JSON")
        best = 0.0
        for path in plain[:: max(1, len(plain) // _HEADS)][:_HEADS]:
            confidence, why = _judge(look.head(path).text, look.head(path).json_keys)
            if confidence > best:
                best = confidence
                look.found(f"{path}: {why}")
        binary = [p for p in paths if p not in plain and look.head(p).data[:1] == b"\x78"]
        if binary:
            look.found(f"{binary[0]} is a DocBin of spaCy")
        if not best and binary:
            raise Miss(
                f"{binary[0]} is a DocBin, which only spaCy reads; write doc.to_json() of each "
                "document as a line of JSON"
            )
        look.need(best, "no [text, {entities}], no paragraphs, no text with ents")
        return best

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield texts as items; see the class.

        Raises:
            BrokenFileError: a file is not JSON.
            FormatError: no file holds texts of spaCy, or all are DocBins.
        """
        self.check_options(options)
        paths = head_files(source, SUFFIXES)
        yield from SpacyReader(source, ledger, progress).read(paths, limit)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write one file per subset; overlapping spans go with spaCy's groups of spans."""
        form = self.check_options(options, writing=True)["layout"]
        SpacyWriter(export, sink, form, ledger, progress).write()


_SAID = {
    "tuples": "[text, {entities}]", "json": "documents with paragraphs",
    "doc": "texts with ents", "list": "classes and annotations",
}  # fmt: skip


def _judge(text: str, keys: frozenset[str]) -> tuple[float, str]:
    values = first_values(text)
    forms = {form_of(value) for value in values} - {""}
    if len(values) > 1 and isinstance(values[0], str) and form_of(values[:2]):
        forms.add("tuples")  # a list per line
    if forms:
        return 0.95, _SAID[min(forms)]
    if {"paragraphs", "sentences", "tokens", "orth"} <= keys:
        return 0.9, _SAID["json"]
    if {"classes", "annotations", "entities"} <= keys and not values:
        return 0.9, _SAID["list"]
    return 0.0, ""
