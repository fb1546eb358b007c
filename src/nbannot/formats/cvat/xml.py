"""XML in a stream: an expat parser that refuses document types, and text that is safe to write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn
from xml.parsers.expat import ExpatError, ParserCreate, XMLParserType
from xml.sax.saxutils import escape, quoteattr

from ...errors import BrokenFileError

__all__ = ["INVALID", "attr", "chunks", "named_errors", "parser", "text"]

_CHUNK = 1 << 18
_LARGEST = 1 << 28

INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that XML 1.0 can't hold."""


def parser(file: str) -> XMLParserType:
    """Return a parser that refuses document types, and with them all entities.

    `file` is for the message of the BrokenFileError that it raises at one.
    """

    def refuse(*_: object) -> NoReturn:
        raise BrokenFileError("The file declares a document type or entities: refused", where=file)

    made = ParserCreate()
    made.buffer_text = True
    made.StartDoctypeDeclHandler = refuse
    made.EntityDeclHandler = refuse
    made.UnparsedEntityDeclHandler = refuse
    made.ExternalEntityRefHandler = refuse
    return made


def chunks(stream: BinaryIO, made: XMLParserType, file: str) -> Iterator[int]:
    """Feed a stream to a parser; yield the number of bytes fed after each chunk.

    Raises:
        BrokenFileError: it is not XML; says at which line.
    """
    size = _CHUNK
    with named_errors(file):
        while data := stream.read(size):
            before = made.CurrentByteIndex
            made.Parse(data, False)
            # A token longer than a chunk is scanned again with each: larger chunks, fewer scans.
            size = min(size * 2, _LARGEST) if made.CurrentByteIndex == before else _CHUNK
            yield len(data)
        made.Parse(b"", True)


@contextmanager
def named_errors(file: str) -> Iterator[None]:
    """Say where a file is not XML.

    Raises:
        BrokenFileError: a parser found so.
    """
    try:
        yield
    except ExpatError as error:
        where = f"{file}, line {error.lineno}, column {error.offset}"
        reason = str(error).partition(":")[0]
        raise BrokenFileError(
            f"The file is not XML: {reason}", where=where, hint="Export or download it again."
        ) from None
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        raise BrokenFileError(f"The file is not XML: {error}", where=file) from None


def text(value: str) -> str:
    """Return `value` as the text of an element."""
    return INVALID.sub("\ufffd", escape(value, {"\r": "&#13;"}))


def attr(value: str) -> str:
    """Return `value` as the value of an XML attribute, in quotes."""
    return INVALID.sub("\ufffd", quoteattr(value))
