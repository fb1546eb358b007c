"""The text that the rows of a sentence stand for, and where in it each word lies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .layout import Layout, Sentence

__all__ = ["Placed", "build", "escape_spaces", "misc_value", "with_misc"]

_SPACES = {"\\s": " ", "\\t": "\t", "\\n": "\n", "\\r": "\r", "\\p": "|", "\\\\": "\\"}
_ESCAPED = re.compile(r"\\[stnrp\\]")
_ID = re.compile(r"(\d{1,9})(?:([-.])(\d{1,9}))?")


@dataclass
class Placed:
    """Words of a sentence: `rows` that hold them, and `spans`, where they lie in the text.

    `parts` are the rows within a multiword token, by the row that stands for it.
    """

    rows: list[int] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    parts: dict[int, list[int]] = field(default_factory=dict)


def build(sentences: Sequence[Sentence], layout: Layout) -> tuple[str, list[Placed]]:
    """Return the text of sentences, and the place of their words.

    A space follows a word, a line break a sentence, unless the file says otherwise.
    """
    parts: list[str] = []
    at = 0
    placed = []
    for sentence in sentences:
        words = _words(sentence, layout)
        for row in words.rows:
            cells = sentence.rows[row]
            if not at and layout.misc is not None:
                before = unescape_spaces(misc_value(_misc(cells, layout), "SpacesBefore") or "")
                parts.append(before)
                at += len(before)
            word = cells[layout.token] if layout.token < len(cells) else ""
            words.spans.append((at, at + len(word)))
            after = _after(cells, layout, last=row == words.rows[-1])
            parts += [word, after]
            at += len(word) + len(after)
        placed.append(words)
    text = "".join(parts)
    if placed and placed[-1].rows and _is_default_end(sentences[-1], placed[-1], layout):
        text = text[:-1]
    return text, placed


def _is_default_end(sentence: Sentence, words: Placed, layout: Layout) -> bool:
    # The last word of all is followed by nothing, unless the file says so.
    cells = sentence.rows[words.rows[-1]]
    return _declared_after(cells, layout) is None


def _words(sentence: Sentence, layout: Layout) -> Placed:
    words = Placed()
    if layout.kind != "conllu" or "ID" not in layout.names:
        words.rows = list(range(len(sentence.rows)))
        return words
    column = layout.names.index("ID")
    inside, whole = 0, -1
    for i, cells in enumerate(sentence.rows):
        match = _ID.fullmatch(cells[column]) if column < len(cells) else None
        if match and match[2] == ".":
            continue  # an empty node: it has no text
        if match and match[2] == "-":
            inside, whole = int(match[3]), i
        elif match and int(match[1]) <= inside:
            words.parts.setdefault(whole, []).append(i)
            continue
        words.rows.append(i)
    return words


def _after(cells: list[str], layout: Layout, *, last: bool) -> str:
    declared = _declared_after(cells, layout)
    return declared if declared is not None else "\n" if last else " "


def _declared_after(cells: list[str], layout: Layout) -> str | None:
    if layout.space is not None and len(cells) == layout.width:
        return "" if cells[layout.space] == "-" else None
    if layout.misc is None:
        return None
    misc = _misc(cells, layout)
    if misc_value(misc, "SpaceAfter") == "No":
        return ""
    spaces = misc_value(misc, "SpacesAfter")
    return None if spaces is None else unescape_spaces(spaces)


def _misc(cells: list[str], layout: Layout) -> str:
    column = layout.misc
    return cells[column] if column is not None and column < len(cells) else "_"


def misc_value(misc: str, name: str) -> str | None:
    """Return the value of ``name=`` in a cell of MISC.

    >>> misc_value("ner=B-PER|SpaceAfter=No", "SpaceAfter")
    'No'
    """
    for entry in misc.split("|"):
        key, equals, value = entry.partition("=")
        if equals and key == name:
            return value
    return None


def with_misc(misc: str, **values: str | None) -> str:
    """Return a cell of MISC with values set, or taken out (None).

    >>> with_misc("_", ner="B-PER"), with_misc("ner=O|Gloss=x", ner=None)
    ('ner=B-PER', 'Gloss=x')
    """
    entries = [e for e in misc.split("|") if e != "_" and e.partition("=")[0] not in values]
    entries += [f"{name}={value}" for name, value in values.items() if value is not None]
    return "|".join(entries) or "_"


def escape_spaces(text: str) -> str:
    r"""Return spaces as UDPipe writes them in ``SpacesAfter=``.

    >>> escape_spaces(" \n")
    '\\s\\n'
    """
    back = {value: key for key, value in _SPACES.items()}
    return "".join(back.get(c, c) for c in text)


def unescape_spaces(text: str) -> str:
    """Return what `escape_spaces` was given."""
    return _ESCAPED.sub(lambda m: _SPACES[m[0]], text)
