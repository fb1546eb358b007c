"""The CoNLL family: CoNLL-2002 and 2003, GermEval, WNUT, CoNLL-U, columns of flair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Option
from ..look import Look
from ..texts import (
    head_files,
)
from ..writing import Export, Sink
from .layout import Layout, layout_of
from .read import ConllReader
from .tags import SCHEMES
from .write import ConllWriter

__all__ = ["Conll"]

NAMED = (".conll", ".conllu", ".conllup", ".conll03", ".bio", ".bioes", ".iob", ".iob2")
OTHERS = (
    ".ner", ".train", ".dev", ".test", ".testa", ".testb", ".annotated", ".txt", ".tsv", ".data",
    "",
)  # fmt: skip
_HEADS = 12
_MANY = 100


class Conll(Format):
    """A word per line with its columns, a blank line after each sentence.

    **Items** are documents where the file marks them (``-DOCSTART-``, ``# newdoc``), else
    sentences, unless `items` says otherwise; a file of Label Studio has a task per sentence. The
    text is put together from the words: a space between them, a line break between sentences,
    unless ``SpaceAfter=No``, ``SpacesAfter`` or a column of + and - says otherwise. The key is the
    id of the document or sentence, else the rank: ``train-7``. Subsets are the files: eng.train.

    **Entities** are spans of text, from IOB1, BIO, BIOES or BILOU: which, is found out by the
    tags, and a tag that does not follow is mended with a warning. Tags are looked for in the last
    column (the last two of GermEval, the first of the MIT corpora), in a column NER or NE of
    CoNLL-U Plus, and in ``ner=`` of MISC in CoNLL-U.

    **Records** are items and entities. All other columns are kept in the item's `meta`, and the
    same file can be written. Overlaps beyond the columns of tags, relations, attributes and scores
    are lost when written.
    """

    name: ClassVar[str] = "conll"
    title: ClassVar[str] = "CoNLL"
    summary: ClassVar[str] = "One word per line with its tag: CoNLL-2003, BIO files, CoNLL-U."
    rules: ClassVar[str] = (
        "https://www.clips.uantwerpen.be/conll2003/ner/; "
        "https://universaldependencies.org/format.html"
    )
    holds: ClassVar[tuple[str, ...]] = ("text_span",)
    read_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "items", "choice", "auto",
            "What becomes an item. auto: documents where they are marked, else sentences",
            ("auto", "document", "sentence"),
        ),
        Option("token_column", "number", None, "Column of the word, counted from 0"),
        Option(
            "tag_column", "number", None, "Column of the tag, counted from 0; -1 is the last"
        ),
    )  # fmt: skip
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "layout", "choice", "auto",
            "auto: as it was read, else columns (word -X- _ tag); conllu keeps all spaces",
            ("auto", "columns", "conllu"),
        ),
        Option(
            "scheme", "choice", "auto", "Tags; auto: as they were read, else BIO",
            ("auto", *SCHEMES),
        ),
        Option(
            "words", "choice", "auto",
            "Divide new texts at spaces only, or into words and signs; auto: as the text looks",
            ("auto", "words", "spaces"),
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Recognise a column of tags, or CoNLL-U, in the heads of some files."""
        paths = _files(look.source)
        look.need(paths, "no text file with a word per line")
        step = max(1, len(paths) // _HEADS)
        some = paths[::step][:_HEADS]
        found: list[tuple[str, Layout]] = []
        why = ""
        for path in some:
            layout = _judge(look.head(path).text)
            if isinstance(layout, Layout):
                found.append((path, layout))
            else:
                why = why or f"{path}: {layout}"
        look.need(found, why)
        path, layout = found[0]
        if layout.kind == "conllu":
            look.found(f"{path} is CoNLL-U")
        else:
            tags = " and ".join(str(i + 1) for i in layout.tags)
            look.found(f"{path} has a word per line, and tags in column {tags} of {layout.width}")
        if 2 * len(found) < len(some):
            return 0.25
        if not any(layout.sure for _, layout in found):
            return 0.6
        return 0.95 if len(found) == len(some) else 0.9

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield documents or sentences; see the class.

        Raises:
            FormatError: no file has a column of tags.
        """
        paths = _files(source)
        look = Look(source)
        named = source.main is None and bool(source.files.with_suffix(*NAMED))
        for path in source.files.with_suffix(*OTHERS)[:_MANY] if named else ():
            if isinstance(_judge(look.head(path).text), Layout):
                ledger.note(
                    "file was not read", file=path,
                    message=f"{path} is CoNLL, too, but not called so, as {paths[0]} is; to read "
                    "it, open it by itself",
                )  # fmt: skip
        yield from ConllReader(source, self.check_options(options), ledger, progress).read(
            paths, limit
        )

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write one file per subset; see the class for what is lost."""
        chosen = self.check_options(options, writing=True)
        ConllWriter(export, sink, chosen, ledger, progress).write()


def _files(source: Source) -> list[str]:
    # Those that are called CoNLL; where none is, any text.
    return head_files(source, NAMED) or head_files(source, OTHERS)


def _judge(text: str) -> Layout | str:
    lines = text.splitlines()
    return layout_of(lines[:-1] if len(text) > 60_000 else lines)
