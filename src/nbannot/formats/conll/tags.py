"""Tag schemes: IOB1, BIO, BIOES and BILOU, read with repair, and written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

__all__ = ["SCHEMES", "Entity", "decode_tags", "encode_tags", "is_tag", "scheme_of"]

SCHEMES = ("BIO", "IOB1", "BIOES", "BILOU")
NOTHING = frozenset(("O", "o", "_", "*", ""))
_TAG = re.compile(r"([BIESLUM])-(.+)", re.DOTALL)
_OPEN = "entity is not ended"
_LETTERS = {"BIOES": "BIES", "BILOU": "BILU"}


class Entity(NamedTuple):
    """Tokens `first` to `last`, both included; `problem` is "" or what was mended."""

    first: int
    last: int
    label: str
    problem: str = ""


@lru_cache(10_000)
def _parts(tag: str) -> tuple[str, str]:
    # The letter and the label of a tag; "" and "" of O.
    match = _TAG.fullmatch(tag)
    return (match[1], match[2]) if match else ("", "")


def is_tag(cell: str) -> bool:
    """Is a cell ``O``, or a letter of a scheme with a label?

    >>> is_tag("B-PER"), is_tag("O"), is_tag("NNP")
    (True, True, False)
    """
    return cell == "O" or bool(_parts(cell)[0])


def is_entity(cell: str) -> bool:
    """Is a cell a tag with a label?"""
    return bool(_parts(cell)[0])


def scheme_of(sentences: Iterable[Sequence[str]]) -> str:
    """Return the scheme in which sentences are tagged.

    >>> scheme_of([["I-PER", "I-PER", "O"]]), scheme_of([["B-PER", "I-PER"]])
    ('IOB1', 'BIO')
    >>> scheme_of([["S-LOC"]]), scheme_of([["U-LOC"]])
    ('BIOES', 'BILOU')
    """
    loose = begun = 0
    every = list(sentences)
    for tags in every:
        before = ""
        for tag in tags:
            letter, label = _parts(tag)
            if letter == "I" and label != before:
                loose += 1
            elif letter == "B" and label != before:
                begun += 1
            before = label
    for scheme, ends in (("BIOES", "ES"), ("BILOU", "LU")):
        ended = sum(tag[0] in ends and is_entity(tag) for tags in every for tag in tags if tag)
        if not ended:
            continue
        open_ended = sum(e.problem == _OPEN for tags in every for e in decode_tags(tags, scheme))
        if ended >= open_ended:
            return scheme
    return "IOB1" if loose and not begun else "BIO"


def decode_tags(tags: Sequence[str], scheme: str) -> list[Entity]:
    """Return the entities of a sentence; what does not follow the scheme is mended.

    >>> decode_tags(["O", "I-PER", "I-PER"], "BIO")
    [Entity(first=1, last=2, label='PER', problem='entity begins with I-')]
    """
    found: list[Entity] = []
    ends = scheme in _LETTERS
    open_at, open_label, problem = -1, "", ""

    def close(last: int, *, ended: bool) -> None:
        nonlocal open_at
        if open_at >= 0:
            said = problem or ("" if ended or not ends else _OPEN)
            found.append(Entity(open_at, last, open_label, said))
        open_at = -1

    for i, tag in enumerate(tags):
        letter, label = _parts(tag)
        goes_on = letter in ("I", "E", "L", "M") and open_at >= 0 and label == open_label
        if not goes_on:
            close(i - 1, ended=False)
            if not letter:
                continue
            begins = letter in ("B", "S", "U") or (scheme == "IOB1" and letter == "I")
            open_at, open_label = i, label
            problem = "" if begins else f"entity begins with {letter}-"
        if letter in ("S", "U", "E", "L"):
            close(i, ended=True)
    close(len(tags) - 1, ended=False)
    return found


def encode_tags(count: int, entities: Sequence[Entity], scheme: str) -> list[str]:
    """Return the tags of a sentence of `count` tokens; entities do not overlap.

    >>> encode_tags(3, [Entity(0, 1, "PER"), Entity(2, 2, "LOC")], "BIOES")
    ['B-PER', 'E-PER', 'S-LOC']
    """
    tags = ["O"] * count
    before = Entity(-2, -2, "")
    for entity in sorted(entities):
        first, last, label, _ = entity
        letters = _LETTERS.get(scheme, "BIIB")
        touches = before.last == first - 1 and before.label == label
        if scheme == "IOB1" and not touches:
            letters = "IIII"
        for i in range(first, last + 1):
            tags[i] = f"{letters[1]}-{label}"
        tags[last] = f"{letters[2]}-{label}"
        tags[first] = f"{letters[3] if first == last else letters[0]}-{label}"
        before = entity
    return tags
