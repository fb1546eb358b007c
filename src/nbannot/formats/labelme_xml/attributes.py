r"""The text of ``<attributes>``: names and values, as CVAT and Datumaro write them.

``red, count=3, note="12"``: a name alone is true; a comma, an equals sign, a quote and a backslash
that belong to a name or a value have a backslash in front.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["parse_attributes", "write_attributes"]

_SPECIAL = re.compile(r'([\\=",])')
_QUOTED = re.compile(r'"(?:[^\\]|\\.)*"', re.DOTALL)
_BARE = ("true", "false")


def parse_attributes(text: str) -> dict[str, Any]:
    r"""Return the names and values of a text.

    >>> parse_attributes(r'red, n=3, x=0.5, s="3", ok=false, a\,b=c\=d')
    {'red': True, 'n': 3, 'x': 0.5, 's': '3', 'ok': False, 'a,b': 'c=d'}
    """
    found: dict[str, Any] = {}
    for part in _split(text, ","):
        part = part.strip()
        if part:
            name, *rest = _split(part, "=", most=1)
            found[_plain(name)] = _value(rest[0]) if rest else True
    return found


def write_attributes(values: Mapping[str, Any]) -> str:
    """Return the text of names and values; the inverse of `parse_attributes`.

    >>> write_attributes({"red": True, "n": 3, "s": "3"})
    'red, n=3, s="3"'
    """
    return ", ".join(
        _escaped(name) if value is True else f"{_escaped(name)}={_text(value)}"
        for name, value in values.items()
    )


def _split(text: str, mark: str, most: int = 0) -> Iterator[str]:
    start = i = 0
    while i < len(text):
        if text[i] == "\\":
            i += 1
        elif text[i] == mark:
            yield text[start:i]
            start = i + 1
            most -= 1
            if not most:
                break
        i += 1
    yield text[start:]


def _plain(text: str) -> str:
    return re.sub(r'\\([\\=",])', r"\1", text)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _value(text: str) -> Any:
    if text.lower() in _BARE:
        return text.lower() == "true"
    if _QUOTED.fullmatch(text):
        return _plain(text[1:-1])
    number = _number(text)
    return _plain(text) if number is None else number


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            found = kind(text)
        except ValueError:
            continue
        if str(found) == text and math.isfinite(found):
            return found
    return None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    text = _escaped(value)
    bare = text and text == text.strip() and text.lower() not in _BARE and text[0] != '"'
    return text if bare and _number(text) is None else f'"{text}"'
