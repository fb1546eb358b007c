"""Where the annotations of a large file lie, found without reading them.

Splitting 400 MB of JSON into its records takes a third of a second in which nothing else can run,
and parsing the pieces tells anyway whether they are JSON. So the list of annotations is cut out
by looking at its two ends, and into pieces where an object ends and another begins. Both are
guesses, and proved by what comes of them: the file without the list is JSON with an empty list in
that place, with images and categories elsewhere, and each piece is a list of annotations. Where
one is not, the file is split after all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from .bytes import LARGE, Buffer

__all__ = ["Outline", "outline_of"]

PIECE_BYTES = 6 << 20
_TAIL_BYTES = 64 << 20  # images may come after the annotations
_HEAD_BYTES = 1 << 16
_MAX_ENDS = 64

_KEY = b'"annotations"'
_BEGIN = re.compile(rb'"annotations"\s*:\s*\[\s*(?=\{)')
_END = re.compile(rb"\}\s*\](?=\s*[,}])")
_BETWEEN = re.compile(rb"\}(\s*,\s*)\{")
# Files that are read in another way: panoptic ones, and videos.
_OTHER = (b'"segments_info"', b'"segmentations"')
_VIDEOS = b'"videos"'


class Outline(NamedTuple):
    """The bytes of a file, and where in them its annotations begin and end."""

    data: Buffer
    begin: int
    end: int

    def without(self) -> bytes:
        """Return the file without its annotations: an empty list is in their place."""
        return b"".join((self.data[: self.begin], self.data[self.end :]))

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Yield where pieces of the list begin and end, the commas between them left out."""
        begin = self.begin
        while begin < self.end:
            found = _BETWEEN.search(self.data, min(begin + PIECE_BYTES, self.end), self.end)
            yield begin, found.start(1) if found else self.end
            begin = found.end(1) if found else self.end


def outline_of(data: Buffer) -> Outline | None:
    """Return where the annotations of a file lie; None where it is to be split."""
    key = data.find(_KEY) if len(data) >= LARGE else -1
    begin = _BEGIN.match(data, key) if key >= 0 else None
    if begin is None or any(data.find(w, key, key + _HEAD_BYTES) >= 0 for w in _OTHER):
        return None
    start = max(len(data) - _TAIL_BYTES, begin.end())
    for _, match in zip(range(_MAX_ENDS), _END.finditer(data, start), strict=False):
        outline = Outline(data, begin.end(), match.start() + 1)
        try:
            rest = b'{"annotations":[' + data[match.end() - 1 :]
            msgspec.json.decode(rest, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, RecursionError):
            continue
        return None if _VIDEOS in rest or _VIDEOS in data[:key] else outline
    return None
