"""How formats look at a source: names, and the heads of a few files, each read once."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from ..errors import SourceError
from ..media.kinds import IMAGE_SUFFIXES
from ..sources.base import Listing, Source
from .base import Fix, Miss

__all__ = ["HEAD_BYTES", "Head", "Look"]

HEAD_BYTES = 64 * 1024
_JSON_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:')


class Head:
    """The first 64 KiB of a file."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def text(self) -> str:
        """The head as text: UTF-8, or UTF-16 where a byte order mark says so; BOM removed."""
        if self.data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return self.data.decode("utf-16", "replace")
        return self.data.decode("utf-8-sig", "replace")

    @property
    def lines(self) -> list[str]:
        """The lines, stripped, without empty ones; the last may be cut."""
        return [line.strip() for line in self.text.splitlines() if line.strip()]

    @cached_property
    def json_start(self) -> str:
        """``"{"`` or ``"["`` where the file begins like JSON, else ""."""
        first = self.text.lstrip()[:1]
        return first if first in "{[" else ""

    @cached_property
    def json_keys(self) -> frozenset[str]:
        """Every key of every JSON object that occurs in the head, at any depth."""
        return frozenset(_JSON_KEY.findall(self.text)) if self.json_start else frozenset()

    @cached_property
    def xml_root(self) -> str:
        """Name of the XML root element, "" where there is none."""
        match = re.search(r"<([A-Za-z_][\w.:-]*)", re.sub(r"<[?!][^>]*>", "", self.text))
        return match.group(1) if match else ""


class Look:
    """A source, as a format sees it while it makes up its mind.

    One Look serves all formats in turn, so that a head is read once; `evidence` is emptied
    between them.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.evidence: list[str] = []
        self._fixes: list[Fix] = []
        self._heads: dict[str, Head] = {}

    @property
    def files(self) -> Listing:
        """The files of the source."""
        return self.source.files

    @cached_property
    def images(self) -> list[str]:
        """Paths of the images."""
        return self.files.with_suffix(*IMAGE_SUFFIXES)

    @property
    def is_table(self) -> bool:
        """Is the source a table (a DataFrame) rather than files?"""
        return self.source.table() is not None

    def head(self, path: str) -> Head:
        """Return the head of a file; an empty one where it can't be read."""
        if path not in self._heads:
            try:
                data = self.source.read(path, HEAD_BYTES)
            except SourceError:
                data = b""
            self._heads[path] = Head(data)
        return self._heads[path]

    def found(self, evidence: str) -> None:
        """Add what speaks for the format, in a user's words."""
        self.evidence.append(evidence)

    def offer(self, text: str, **options: Any) -> None:
        """Offer a fix: with these options the format reads the source, or reads it better."""
        self._fixes.append(Fix(text, options))

    def take_fixes(self) -> tuple[Fix, ...]:
        """Return the fixes offered since it was last asked."""
        fixes, self._fixes = tuple(self._fixes), []
        return fixes

    def need(self, condition: object, missing: str) -> None:
        """Raise `Miss` unless `condition` holds."""
        if not condition:
            raise Miss(missing)
