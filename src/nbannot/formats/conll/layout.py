"""Which column of a CoNLL file is what, and its lines as sentences and documents."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .tags import is_entity, is_tag

__all__ = ["CONLLU", "FRESH", "Document", "Layout", "Sentence", "documents", "layout_of"]

DOCSTART = "-DOCSTART-"
_BLANKS = re.compile(r"[ \t]+")
_ID = re.compile(r"\d+([-.]\d+)?")
_GLOBAL = re.compile(r"#\s*global\.columns\s*=\s*(.+)")
_NER = re.compile(r".*\b(NER|NE|ENTITY|NER_TAG|BIO|IOB2?)\b.*", re.IGNORECASE)
_ENOUGH = 20_000
_UD = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")


@dataclass(frozen=True)
class Layout:
    """Columns of a file, counted from 0.

    `tags` are the columns of tags; () where they are in ``ner=`` of MISC, or nowhere. `space` says
    with + or - whether a space follows. `names` are those of CoNLL-U.
    """

    kind: str
    separator: str
    width: int
    token: int
    tags: tuple[int, ...]
    space: int | None = None
    names: tuple[str, ...] = ()
    sure: bool = True

    @property
    def misc(self) -> int | None:
        """The column MISC of CoNLL-U, None where there is none."""
        return self.names.index("MISC") if "MISC" in self.names else None

    def split(self, line: str) -> list[str]:
        """Return the cells of a line."""
        if self.separator == "\t":
            return line.split("\t")
        return _BLANKS.split(line.strip(" \t"))

    def tag(self, cells: list[str], column: int) -> str:
        """Return the tag in `column`, counted from the right where the line has another width."""
        if len(cells) == self.width or column == 0:
            return cells[column]
        place = column - self.width
        return cells[place] if -place < len(cells) else ""

    def as_json(self) -> dict[str, Any]:
        """Return the layout as a JSON object."""
        return {
            "kind": self.kind, "separator": self.separator, "width": self.width,
            "token": self.token, "tags": list(self.tags), "space": self.space,
            "names": list(self.names),
        }  # fmt: skip

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Layout:
        """Return the layout that `as_json` made."""
        return cls(
            value["kind"], value["separator"], value["width"], value["token"],
            tuple(value["tags"]), value["space"], tuple(value["names"]),
        )  # fmt: skip


FRESH = Layout("columns", " ", 4, 0, (3,))
"""How CoNLL-2003 and Label Studio write: ``token -X- _ TAG``."""

CONLLU = Layout("conllu", "\t", 10, 1, (), None, _UD)
"""CoNLL-U, with tags in MISC."""


@dataclass
class Sentence:
    """Rows between blank lines: their cells, their line numbers, the comments before them."""

    comments: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


@dataclass
class Document:
    """Sentences from one marker to the next; `start` is the ``-DOCSTART-`` line, if it has one."""

    start: str | None = None
    id: str | None = None
    marked: bool = False
    sentences: list[Sentence] = field(default_factory=list)


def is_docstart(line: str) -> bool:
    """Does a line begin a document?"""
    return line.lstrip("\ufeff").startswith(DOCSTART)


def layout_of(
    lines: Iterable[str], token: int | None = None, tag: int | None = None
) -> Layout | str:
    """Return the layout of a file, or why it is not CoNLL; `token` and `tag` as a user says.

    >>> layout_of(["EU NNP I-NP B-ORG", ". . O O"]).tags
    (3,)
    >>> layout_of(["just a text", "on two lines"])
    'no column of tags (B-..., I-..., O)'
    """
    rows: list[str] = []
    hashes: list[str] = []
    for line in lines:
        if len(rows) == _ENOUGH:
            break
        named = _GLOBAL.fullmatch(line.strip()) if line.startswith("#") else None
        if named:
            return _named(named[1].split(), tag)
        if line.strip() and not is_docstart(line):
            (hashes if line.startswith("#") else rows).append(line)
    rows = rows or hashes  # perhaps a # is all that is said
    if not rows:
        return "no lines with tokens"
    tabs = [line.split("\t") for line in rows]
    ten = sum(len(cells) == 10 and _ID.fullmatch(cells[0]) is not None for cells in tabs)
    if ten > len(rows) / 2:
        return _named(_UD, tag)
    return _columns(rows, token, tag)


def _named(names: Iterable[str], tag: int | None) -> Layout | str:
    found = tuple(n.upper() for n in names)
    if "FORM" not in found:
        return "its global.columns name no FORM"
    columns = [i for i, n in enumerate(found) if _NER.fullmatch(n.replace(":", " "))]
    tags = tuple(columns[:1]) if tag is None else (tag,)
    return Layout("conllu", "\t", len(found), found.index("FORM"), tags, None, found)


def _columns(lines: list[str], token: int | None, tag: int | None) -> Layout | str:
    tabbed = sum("\t" in line for line in lines)
    separator = "\t" if 2 * tabbed > len(lines) else " "
    probe = Layout("columns", separator, 0, 0, ())
    rows = [probe.split(line) for line in lines]
    width = Counter(len(cells) for cells in rows).most_common(1)[0][0]
    if width < 2:
        return "one column only"
    full = [cells for cells in rows if len(cells) == width]
    columns = list(zip(*full, strict=True))
    numbered = width > 2 and all(c.isdigit() for c in columns[0])
    first = token if token is not None else int(numbered)
    space = next((i for i in range(width - 1, first, -1) if set(columns[i]) <= {"+", "-"}), None)
    if tag is not None:
        chosen = [tag % width]
    else:
        last = max(i for i in range(width) if i != space)
        chosen = [last] if _is_tags(columns[last]) and last != first else []
        if chosen and numbered and last - 1 > first and _is_tags(columns[last - 1]):
            chosen = [last - 1, last]
        elif not chosen and width == 2 and _is_tags(columns[0]):
            chosen, first = [0], 1  # as the MIT corpora have it: tag, token
        if not chosen:
            return "no column of tags (B-..., I-..., O)"
    sure = any(is_entity(cell) for i in chosen for cell in columns[i])
    return Layout("columns", separator, width, first, tuple(chosen), space, (), sure)


def _is_tags(cells: Iterable[str]) -> bool:
    some = list(cells)
    return 10 * sum(map(is_tag, some)) >= 9 * len(some)


def documents(text: str, layout: Layout) -> Iterator[Document]:
    """Yield the documents of a file; a file without markers is one."""
    document, sentence = Document(), Sentence()
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if not line.strip():
            if sentence.rows:
                document.sentences.append(sentence)
                sentence = Sentence()
            continue
        if layout.kind == "columns" and is_docstart(line):
            if sentence.rows:
                document.sentences.append(sentence)
                sentence = Sentence()
            if document.sentences or document.id:
                yield document
            named = re.search(r"\((.*)\)\s*$", line)
            document = Document(line.strip(), named[1] if named else None, marked=True)
            continue
        if line[0] == "#" and _is_comment(line, layout):
            new = re.match(r"#\s*newdoc\b(?:\s+id\s*=\s*(.*))?", line)
            if new and layout.kind == "conllu":
                if sentence.rows:  # the blank line before it is missing
                    document.sentences.append(sentence)
                    sentence = Sentence()
                if document.sentences or document.id:
                    yield document
                document = Document(None, (new[1] or "").strip() or None, marked=True)
            if not _GLOBAL.fullmatch(line.strip()):
                sentence.comments.append(line)
            continue
        sentence.rows.append(layout.split(line))
        sentence.lines.append(number)
    if sentence.rows:
        document.sentences.append(sentence)
    if document.sentences or document.id:
        yield document


def _is_comment(line: str, layout: Layout) -> bool:
    if layout.kind == "conllu":
        return True
    cells = layout.split(line)
    return len(cells) != layout.width or not all(is_tag(cells[i]) for i in layout.tags)
