"""Reading CoNLL: documents or sentences as items, tagged words as spans."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import FormatError
from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..json_values import dumps
from ..reading import Reading
from ..texts import (
    Keys,
    TextFile,
    covered,
    declared_key,
    decode,
    text_files,
)
from .layout import Document, Layout, Sentence, documents, layout_of
from .surface import Placed, build, misc_value
from .tags import NOTHING, decode_tags, is_tag, scheme_of

__all__ = ["TAG_NAMES", "ConllReader"]

TAG_NAMES = ("ner", "NER", "NE", "Entity")
_SENTENCE_TEXT = re.compile(r"#\s*text\s*=\s*(.*)")
_SENTENCE_ID = re.compile(r"#\s*sent_id\s*=\s*(.*\S)")


class ConllReader:
    """One read of files of the CoNLL family."""

    def __init__(
        self, source: Source, options: Mapping[str, Any], ledger: Ledger, progress: Progress
    ) -> None:
        self._source, self._options = source, options
        self._ledger, self._progress = ledger, progress

    def read(self, paths: Sequence[str], limit: int | None) -> Iterator[Batch]:
        """Yield the content of `paths`; those that hold no tagged tokens are noted."""
        reading = Reading(self._source, self._ledger, self._progress, limit)
        taken: dict[str | None, set[str]] = {}
        files = {file.path: file for file in text_files(paths)}
        misses = []
        for path, data in reading.files(paths):
            text = decode(data, path, self._ledger)
            token, tag = self._options["token_column"], self._options["tag_column"]
            layout = layout_of(text.splitlines(), _whole(token), _whole(tag))
            if isinstance(layout, str):
                misses.append((path, layout))
                continue
            file = files[path]
            keys = Keys(file.base, taken.setdefault(file.subset, set()))
            _FileReader(reading, file, layout, keys).read(text, self._options["items"])
            yield from reading.batches()
            if reading.is_full:
                break
        for path, why in misses:
            self._ledger.note("file was not read", file=path, message=f"{path}: {why}")
        if misses and len(misses) == len(paths) and any(
            "no lines" not in why for _, why in misses
        ):  # fmt: skip
            raise FormatError(f"No file is CoNLL: {misses[0][0]}: {misses[0][1]}")
        yield from reading.rest()


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, (int, float)) else None


class _FileReader:
    """Reads one file."""

    def __init__(self, reading: Reading, file: TextFile, layout: Layout, keys: Keys) -> None:
        self._reading, self._file, self._layout, self._keys = reading, file, layout, keys
        self._scheme: tuple[str, ...] = ("BIO",)

    def read(self, text: str, items: str) -> None:
        """Read all documents of the file."""
        found = list(documents(text, self._layout))
        by_sentence = items == "sentence" or (items == "auto" and not _by_document(found))
        columns = self._layout.tags or (None,)
        every = [s for d in found for s in d.sentences]
        self._scheme = tuple(
            scheme_of([self._row_tag(cells, column) for cells in s.rows] for s in every)
            for column in columns
        )
        for document in found:
            if not by_sentence:
                self._item(document, "document")
                continue
            for i, sentence in enumerate(document.sentences):
                one = Document(document.start if not i else None, None, not i, [sentence])
                ids = [m[1] for c in sentence.comments if (m := _SENTENCE_ID.match(c))]
                one.id = ids[0] if ids else None
                self._item(one, "sentence")
                if self._reading.is_full:
                    return
            if self._reading.is_full:
                return

    def _item(self, document: Document, mode: str) -> None:
        layout, path, reading = self._layout, self._file.path, self._reading
        text, placed = build(document.sentences, layout)
        first = document.sentences[0].lines[0] if document.sentences else 0
        where = f"line {first}" if first else ""
        key = declared_key(reading, self._keys, document.id, path, where)
        meta = {
            **layout.as_json(), "scheme": list(self._scheme), "mode": mode,
            "start": document.start, "id": document.id, "marked": document.marked,
            "sentences": [{"comments": s.comments, "rows": s.rows} for s in document.sentences],
        }  # fmt: skip
        item = reading.item(
            key, subset=self._file.subset, kind="text", source_id=document.id,
            data=dumps({"text": text}), meta=dumps({"conll": meta}),
        )  # fmt: skip
        self._check_rows(document, key)
        for sentence, words in zip(document.sentences, placed, strict=True):
            self._check_text(sentence, words, text, key)
            for rank, column in enumerate(self._layout.tags or (None,)):
                self._entities(item, key, text, sentence, words, column, rank)

    def _entities(
        self, item: int, key: str, text: str, sentence: Sentence, words: Placed,
        column: int | None, rank: int,
    ) -> None:  # fmt: skip
        tags = []
        for row in words.rows:
            tag = self._row_tag(sentence.rows[row], column)
            if tag in NOTHING:
                within = words.parts.get(row, ())
                tag = next((t for t in (self._row_tag(sentence.rows[i], column) for i in within)
                            if t not in NOTHING), "O")  # fmt: skip
            if tag not in NOTHING and not is_tag(tag):
                self._odd_tag(tag, sentence, row, column, key)
                tag = "O"
            tags.append(tag)
        for first, last, label, problem in decode_tags(tags, self._scheme[rank]):
            line = sentence.lines[words.rows[first]]
            start, end = words.spans[first][0], words.spans[last][1]
            if problem:
                self._reading.warn(
                    problem, file=self._file.path, where=f"line {line}", item=key,
                    record=_record(line, rank),
                    message=f"line {line}: {problem}, which {self._scheme[rank]} does not; it "
                    f"is read as an entity {label} of its own",
                )  # fmt: skip
            self._reading.annotation(
                item, type="text_span", label=label, start=float(start), end=float(end),
                text=covered(text, start, end),
                extra=dumps({"conll": {"column": column}}) if rank else None,
            )  # fmt: skip

    def _odd_tag(
        self, tag: str, sentence: Sentence, row: int, column: int | None, key: str
    ) -> None:
        line = sentence.lines[row]
        if column is None or len(sentence.rows[row]) != self._layout.width:
            return  # MISC of another kind; a row of another width is a warning on the item
        self._reading.reject(
            "tag can't be read", file=self._file.path, where=f"line {line}", item=key,
            record=_record(line, self._layout.tags.index(column)) + " tag",
            message=f"line {line}: {tag!r} is neither O nor a letter of a scheme with a label",
        )  # fmt: skip

    def _row_tag(self, cells: list[str], column: int | None) -> str:
        if column is not None:
            return self._layout.tag(cells, column)
        misc = self._layout.misc
        if misc is None or misc >= len(cells) or "=" not in cells[misc]:
            return "O"
        found = (misc_value(cells[misc], name) for name in TAG_NAMES)
        return next((tag for tag in found if tag is not None and is_tag(tag)), "O")

    def _check_rows(self, document: Document, key: str) -> None:
        layout = self._layout
        for sentence in document.sentences:
            for cells, line in zip(sentence.rows, sentence.lines, strict=True):
                if len(cells) == layout.width:
                    continue
                tagged = all(is_tag(layout.tag(cells, c)) for c in layout.tags)
                if tagged and layout.kind == "columns" and len(cells) > 1:
                    continue
                self._reading.warn(
                    "line of another number of columns", file=self._file.path,
                    where=f"line {line}", record="item", item=key,
                    message=f"line {line} has {len(cells)} columns, not {layout.width}, and no "
                    "tag at its end; its word is read without one",
                )  # fmt: skip

    def _check_text(self, sentence: Sentence, words: Placed, text: str, key: str) -> None:
        given = next((m[1] for c in sentence.comments if (m := _SENTENCE_TEXT.match(c))), None)
        if given is None or not words.spans:
            return
        built = covered(text, words.spans[0][0], words.spans[-1][1])
        if " ".join(built.split()) != " ".join(given.split()):
            line = sentence.lines[0]
            self._reading.warn(
                "words are not those of # text", file=self._file.path, where=f"line {line}",
                record="item", item=key, message=f"before line {line}: # text is {given!r}, "
                f"its words are {built!r}",
            )  # fmt: skip


def _record(line: int, rank: int) -> str:
    return f"line {line}, tags {rank + 1}" if rank else f"line {line}"


def _by_document(found: Sequence[Document]) -> bool:
    # Label Studio writes one marker at the top, and its tasks as sentences.
    marked = [d for d in found if d.marked]
    if not marked:
        return False
    top = found[0]
    if len(marked) > 1 or not top.marked or top.id is not None or not top.start:
        return True
    rows = [cells for s in top.sentences for cells in s.rows]
    return not all(len(cells) == 4 and cells[1:3] == ["-X-", "_"] for cells in rows)
