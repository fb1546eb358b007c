"""Plain text files as people's tools write them: any encoding, any line ends, lines by number."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["lines_of", "one_line", "plain_number", "text_of"]


def text_of(data: bytes) -> str:
    r"""Return text: UTF-8, or UTF-16 where a byte order mark says so, else Latin-1; BOM removed.

    >>> text_of("\ufeffé".encode("utf-16")), text_of(b"\xe9")
    ('é', 'é')
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace").lstrip("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def lines_of(data: bytes | str) -> Iterator[tuple[int, str]]:
    r"""Yield the number (from 1) and the text of each line that is not empty, stripped.

    >>> list(lines_of(b"a\r\n\r\n b \n"))
    [(1, 'a'), (3, 'b')]
    """
    text = data if isinstance(data, str) else text_of(data)
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        line = line.strip()
        if line:
            yield number, line


def one_line(name: str) -> str:
    r"""Return a name that can stand on a line: line breaks in it become ``_``.

    >>> one_line("a\nb.jpg")
    'a_b.jpg'
    """
    return re.sub(r"[\r\n]", "_", name)


def plain_number(value: float) -> str:
    """Return a number as text, whole ones without a point.

    >>> plain_number(3.0), plain_number(0.1)
    ('3', '0.1')
    """
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
