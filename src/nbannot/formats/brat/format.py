"""brat standoff, as brat, BioNLP shared tasks and Label Studio have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format
from ..look import Look
from ..writing import Export, Sink
from .read import ANN_SUFFIXES, LINE, BratReader
from .write import BratWriter

__all__ = ["Brat"]

_HEADS = 8


class Brat(Format):
    """A text file, and beside it an ``.ann`` file (``.a1`` and ``.a2``) of lines about it.

    **Items** are the texts; the key is the path with ``.txt``, and folders called train, dev and
    test are subsets. A text without annotations is an item, too; annotations without a text are
    rejected. Offsets are code points; where a span does not read as it quotes, other ways to
    count are tried (a line break of two characters as one, UTF-16, a byte order mark).

    **Spans** (T) are spans of text; each part of a discontinuous one is a row, all with one
    `group`. **Relations** (R, ``*``) are relations, with the ids of their ends in `attributes`;
    each argument of an event (E) is a relation from its trigger, and an event without arguments
    stays with its trigger. **Attributes** (A, M), normalizations (N) and notes (#) become part of
    what they are about. Every line is a record.

    Labels and colours come from ``annotation.conf`` and ``visual.conf``. What has no place in
    brat: scores, tags of a whole text, spaces in labels.
    """

    name: ClassVar[str] = "brat"
    title: ClassVar[str] = "brat"
    summary: ClassVar[str] = "Texts with .ann files beside them: spans, relations, events."
    rules: ClassVar[str] = "https://brat.nlplab.org/standoff.html"
    holds: ClassVar[tuple[str, ...]] = ("text_span", "relation")

    def requires(self, look: Look) -> float:
        """Recognise lines with ids and tabs in .ann files that have a text beside them."""
        main = look.source.main
        paths = [main] if main is not None else look.files.with_suffix(*ANN_SUFFIXES)
        paths = [p for p in paths if p.lower().endswith(ANN_SUFFIXES)]
        look.need(paths, "no .ann file")
        some = paths[:: max(1, len(paths) // _HEADS)][:_HEADS]
        good = [p for p in some if any(LINE.match(x) for x in look.head(p).text.splitlines()[:50])]
        empty = [p for p in some if not look.head(p).text.strip()]
        pairs = [p for p in some if p.rpartition(".")[0] + ".txt" in look.files]
        look.need(good or (empty and pairs), f"no line of {some[0]} begins with an id and a tab")
        if good:
            look.found(f"{good[0]} has lines like T1, R1 or E1")
        if pairs:
            look.found(f"{pairs[0]} has a text beside it")
        if not good:
            return 0.6
        return 0.95 if pairs else 0.5

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield a text per item; see the class."""
        self.check_options(options)
        yield from BratReader(source, ledger, progress).read(limit)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write a folder per subset, annotation.conf, and visual.conf where there are colours.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        self.check_options(options, writing=True)
        BratWriter(export, sink, ledger, progress).write()
