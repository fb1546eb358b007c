"""The lines of ICDAR's texts: numbers, then a transcription."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ...media.kinds import IMAGE_SUFFIXES

__all__ = [
    "ILLEGIBLE", "LANGUAGES", "Character", "Region", "Word", "parse_character", "parse_region",
    "parse_word", "quoted",
]  # fmt: skip

ILLEGIBLE = "###"
"""The transcription of text that nobody has to read."""

LANGUAGES = frozenset(
    ("arabic", "latin", "chinese", "japanese", "korean", "bangla", "hindi", "symbols", "mixed",
     "none")
)  # fmt: skip
"""What MLT puts before the transcription."""

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?:\s*,\s*|\s+|$)")
_QUOTED = re.compile(r'"(.*)"', re.DOTALL)
_SUFFIXES = "|".join(re.escape(s[1:]) for s in IMAGE_SUFFIXES)
_WORD = re.compile(rf"\s*\"?(.+?\.(?:{_SUFFIXES}))\"?(?:(?:\s*[,;\t]\s*|\s+)(.*)|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Region:
    """A box (4 numbers: left, top, right, bottom) or quadrangle (8), and its text, "" for none."""

    numbers: tuple[float, ...]
    text: str
    language: str = ""


@dataclass(frozen=True)
class Word:
    """An image of one word, and its text."""

    image: str
    text: str


@dataclass(frozen=True)
class Character:
    """A character: its colour in the mask, centre, box (left, top, right, bottom) and text."""

    color: tuple[int, int, int]
    center: tuple[float, float]
    box: tuple[float, float, float, float]
    text: str
    counts: bool = True


def quoted(text: str) -> str:
    r"""Return a transcription as it is written.

    >>> quoted('say "a"')
    '"say \\"a\\""'
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unquoted(text: str) -> str:
    text = text.strip()
    match = _QUOTED.fullmatch(text)
    return re.sub(r'\\([\\"])', r"\1", match[1]) if match else text


def _leading(line: str, most: int) -> tuple[list[float], list[int]]:
    # Up to `most` numbers at the start of a line, and where the rest begins after each.
    numbers: list[float] = []
    ends: list[int] = []
    at = 0
    while len(numbers) < most:
        match = _NUMBER.match(line, at)
        if match is None:
            break
        numbers.append(float(match[1]))
        at = match.end()
        ends.append(at)
    return numbers, ends


def parse_region(line: str) -> Region | str:
    """Return a line of localization, or what is wrong with it.

    >>> parse_region('0 0 2 3 "RED"')
    Region(numbers=(0.0, 0.0, 2.0, 3.0), text='RED', language='')
    >>> parse_region("0,0,3,1,4,6,1,7,a, b").text
    'a, b'
    >>> parse_region("1,2,3")
    'it begins with 3 numbers; a box has 4, a quadrangle 8'
    """
    numbers, ends = _leading(line, 8)
    count = 8 if len(numbers) == 8 else 4
    if len(numbers) < 4:
        return f"it begins with {len(numbers)} numbers; a box has 4, a quadrangle 8"
    if not all(map(math.isfinite, numbers)):
        return "its numbers are too large"
    rest = line[ends[count - 1] :]
    language = ""
    first, comma, after = rest.partition(",")
    if count == 8 and comma and first.strip().lower() in LANGUAGES:
        language, rest = first.strip(), after
    return Region(tuple(numbers[:count]), _unquoted(rest), language)


def parse_word(line: str) -> Word | str:
    """Return a line of recognition, or what is wrong with it.

    >>> parse_word('word_1.png, "Tiredness"')
    Word(image='word_1.png', text='Tiredness')
    """
    match = _WORD.fullmatch(line)
    if match is None:
        return "it is not the name of an image and a text"
    return Word(match[1].replace("\\", "/"), _unquoted(match[2] or ""))


def parse_character(line: str) -> Character | str:
    """Return a line of segmentation, or what is wrong with it."""
    counts = not line.startswith("#")
    body = line.lstrip("# \t")
    numbers, ends = _leading(body, 9)
    if len(numbers) < 9:
        return f"it begins with {len(numbers)} numbers; a character has 9"
    if any(not v.is_integer() or not 0 <= v <= 255 for v in numbers[:3]):
        return "its colour is not three numbers from 0 to 255"
    if not all(map(math.isfinite, numbers)):
        return "its numbers are too large"
    red, green, blue = (int(v) for v in numbers[:3])
    left, top, right, bottom = numbers[5:]
    center = (numbers[3], numbers[4])
    text = _unquoted(body[ends[8] :])
    return Character((red, green, blue), center, (left, top, right, bottom), text, counts)
