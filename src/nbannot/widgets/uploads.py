"""Uploads from the browser: files of any size, in acknowledged pieces."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from ..errors import OptionError, SourceError
from ..sources import Source, UploadSource, open_source
from .commands import Answer, command

__all__ = ["CHUNK_BYTES", "WINDOW", "UploadCommands"]

CHUNK_BYTES = 4 * 1024 * 1024
"""Size of a piece: the server drops a message of 10 MiB without a word."""
WINDOW = 4
"""Pieces under way at once: beyond it nothing gets faster, and cancel slower."""


class UploadCommands:
    """The commands by which a browser hands over files; each upload becomes a source."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._described: dict[str, list[tuple[str, int]]] = {}
        self._uploads: dict[str, UploadSource] = {}
        super().__init__(*arguments, **named)

    @command(inline=True)
    def upload_begin(self, files: Sequence[dict[str, Any]], upload: str = "") -> Answer:
        """Open an upload of `files`: {"path": relative path, "size": bytes} each.

        A list too long for one message comes in several calls, the later ones with `upload`.
        """
        try:
            described = [(str(f["path"]), int(f["size"])) for f in files]
        except (TypeError, KeyError, ValueError):
            raise OptionError("files must be a list of {path, size}") from None
        number = upload or str(len(self._described) + 1)
        if upload and upload not in self._described:
            raise SourceError("There is no such upload any more", hint="Upload the files again.")
        self._described.setdefault(number, []).extend(described)
        if not upload:  # the whole list is checked with the first piece; one call, at once
            UploadSource(described).close()
        return {"upload": number, "chunk_bytes": CHUNK_BYTES, "window": WINDOW}, []

    @command(inline=True)
    def upload_chunk(
        self, upload: str, file: int, offset: int, buffers: Sequence[Any] = ()
    ) -> Answer:
        """Take a piece of a file; the answer acknowledges it."""
        # Kernels hand over buffers as bytes, memoryview or their own class.
        data = b"".join(bytes(memoryview(b)) for b in buffers)
        return {"received": self.upload(upload).write(file, offset, data)}, []

    @command()
    def upload_abort(self, upload: str) -> Answer:
        """Forget an upload."""
        self.upload(upload).close()
        del self._uploads[upload], self._described[upload]
        return {}, []

    def upload(self, number: Hashable) -> UploadSource:
        """Return the upload of that number; raise `SourceError` where there is none."""
        key = str(number)
        if key not in self._described:
            raise SourceError("There is no such upload any more", hint="Upload the files again.")
        if key not in self._uploads:
            self._uploads[key] = UploadSource(self._described[key])
        return self._uploads[key]

    def uploaded(self, number: str) -> Source:
        """Return a complete upload as a source."""
        return open_source(self.upload(number))
