"""The headers of pictures, read by two processes beside the XML that names them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...helper import Helper, in_order, start_helper
from ...media.headers import scan_files
from ...media.images import probe_source_images
from ...media.kinds import IMAGE_SUFFIXES
from ...progress import Progress
from ...sources.base import Source

__all__ = ["Pictures"]

_MANY = 20_000
_PIECE = 2_000


class Pictures:
    """Reads the headers of all pictures of a source, and keeps them for who asks (`take_probed`).

    An import asks for them when all is read. A helper begins at once; what it has not done when
    the XML is read, it and this process do together.
    """

    def __init__(self, source: Source, progress: Progress, helper: Helper | None) -> None:
        self._source, self._progress = source, progress
        paths = source.files.with_suffix(*IMAGE_SUFFIXES) if helper is not None else []
        self._count, self._done = len(paths), 0
        parts = (paths[start : start + _PIECE] for start in range(0, len(paths), _PIECE))
        pieces = ((part, (source.on_disk(part),)) for part in parts)
        self._found = in_order(scan_files, pieces, helper)

    @classmethod
    @contextmanager
    def of(cls, source: Source, progress: Progress, *, is_whole: bool) -> Iterator[Pictures]:
        """Begin to read the headers, where all is read and it is worth a helper."""
        if source.helper is not None or not is_whole or not _has_many(source):
            yield cls(source, progress, source.helper if is_whole else None)
            return
        helper = start_helper()
        if helper is None:
            yield cls(source, progress, None)
            return
        with helper:
            yield cls(source, progress, helper)

    def go_on(self, share: float = 1.0) -> None:
        """Go on until this share of them is read."""
        while self._done < share * self._count:
            self._progress.check()
            part, scanned = next(self._found)
            self._done += len(part)
            for _ in probe_source_images(self._source, part, scanned=scanned, remember=True):
                pass


def _has_many(source: Source) -> bool:
    paths = source.files.with_suffix(*IMAGE_SUFFIXES) if source.main is None else []
    return len(paths) >= _MANY and source.on_disk(paths[:_PIECE]) is not None
