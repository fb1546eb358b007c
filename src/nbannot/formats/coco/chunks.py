"""The annotations of a document in chunks: each a JSON array, with what it holds as columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pickle import PickleBuffer
from typing import NamedTuple

import msgspec
from msgspec import Raw

from ...errors import BrokenFileError
from ...helper import Helper, in_order
from ...progress import Progress
from .bytes import let_go
from .json import Document
from .outline import Outline
from .parse import Parsed, parse

__all__ = ["Chunk", "chunks_of", "outlined_chunks", "parsed_chunks"]

CHUNK = 16_000
"""Annotations per chunk: about 6 MB of JSON, and a twentieth of a second until a cancel is seen."""


class Chunk(NamedTuple):
    """Some annotations; `parsed` is what they hold where all are of the usual shape."""

    text: bytes
    places: Sequence[int]
    parsed: Parsed | None = None


def chunks_of(document: Document, places: Sequence[int], progress: Progress) -> Iterator[Chunk]:
    """Yield annotations at `places`, not parsed; the document can't give them again."""
    for start in range(0, len(places), CHUNK):
        progress.check()
        some = places[start : start + CHUNK]
        yield Chunk(document.text(document.annotations[start : start + CHUNK], some), some)
        document.forget(some)


def parsed_chunks(
    document: Document, places: Sequence[int], progress: Progress, helper: Helper | None
) -> Iterator[Chunk]:
    """Return an iterator of annotations, parsed; a helper begins with the first at once."""
    given = ((c, (PickleBuffer(c.text),)) for c in chunks_of(document, places, progress))
    parsed = in_order(parse, given, helper)
    return (chunk._replace(parsed=columns) for chunk, columns in parsed)


def outlined_chunks(
    document: Document, outline: Outline, progress: Progress, helper: Helper | None,
    again: Callable[[], Document],
) -> Iterator[Chunk]:  # fmt: skip
    """Return an iterator of the annotations of an outline, parsed; the helper begins at once.

    Args:
        document: all else of the file.
        outline: where they are.
        progress: what stops it.
        helper: who parses some of them.
        again: reads and splits the file, or says where it is broken.
    """
    given = ((text, (PickleBuffer(text),)) for text in _texts(outline, progress))
    pieces = in_order(parse, given, helper)
    return _placed(document, pieces, progress, helper, again)


def _texts(outline: Outline, progress: Progress) -> Iterator[bytes]:
    view = memoryview(outline.data)
    for begin, end in outline.pieces():
        progress.check()
        yield b"".join((b"[", view[begin:end], b"]"))
        let_go(outline.data, begin, end)


def _placed(
    known: Document, pieces: Iterator[tuple[bytes, Parsed | None]], progress: Progress,
    helper: Helper | None, again: Callable[[], Document],
) -> Iterator[Chunk]:  # fmt: skip
    at = 0
    for text, parsed in pieces:
        count = len(parsed.images) if parsed is not None else _count(text)
        if count is None:  # it was cut in the middle of an annotation, or is broken
            document = again()
            if document.rest.get("categories") != known.rest["categories"]:
                raise BrokenFileError("The file's lists can't be told apart", where=known.path)
            places = range(at, len(document.annotations))
            document.annotations = document.annotations[at:]
            yield from parsed_chunks(document, places, progress, helper)
            return
        yield Chunk(text, range(at, at + count), parsed)
        at += count


def _count(text: bytes) -> int | None:
    try:
        return len(msgspec.json.decode(text, type=list[Raw]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
