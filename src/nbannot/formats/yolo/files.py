"""What the files of images say as far as it is plain: sizes and rows, as columns.

It needs nothing but the files, so that another process can do it.
"""

from __future__ import annotations

from ...media.headers import Scanned, scan_files
from ...sources.disk import DiskFiles
from .rows import Rows, parse_plain_rows

__all__ = ["CHUNK_BYTES", "read_files"]

CHUNK_BYTES = 8 << 20
"""Text of label files that is parsed at once."""


def read_files(
    images: DiskFiles | None, labels: DiskFiles | None
) -> tuple[Scanned | None, Rows | None]:
    """Return what the heads of images and the text of label files say.

    No rows where there is more to it: a file that can't be read, a line that is no row, or more
    text than is parsed at once.
    """
    return scan_files(images), _plain_rows(labels)


def _plain_rows(files: DiskFiles | None) -> Rows | None:
    if files is None:
        return None
    texts: list[bytes] = []
    size = 0
    for text in files.contents():
        size += CHUNK_BYTES if text is None else len(text)
        if text is None or size >= CHUNK_BYTES:
            return None
        texts.append(text)
    return parse_plain_rows(texts)
