"""The formats: one sorted table of lazy names, and detection.

Adding a format of your own takes a class and an entry point::

    # nbannot_mine/__init__.py
    from nbannot.formats.base import Format

    class Mine(Format):
        name, title = "mine", "My format"
        summary = "One line about it."
        rules = "https://example.org/mine"
        def requires(self, look):
            look.need("mine.json" in look.files, "no mine.json")
            look.found("mine.json is there")
            return 0.9
        def read(self, source, options, ledger, progress, limit=None):
            ...

    # pyproject.toml
    [project.entry-points."nbannot.formats"]
    mine = "nbannot_mine:Mine"

A name that is taken is an error, never a silent replacement.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import FormatError, OptionError
from .base import Candidate, Format
from .builtin import BUILT_IN, Place

if TYPE_CHECKING:
    from ..sources.base import Source

__all__ = ["FORMATS", "detect", "get_format"]


FORMATS = MappingProxyType({name: place.where for name, place in BUILT_IN.items()})
"""Name of each built-in format, and where its class is."""


@cache
def get_format(name: str) -> Format:
    """Return the format called `name`.

    Raises:
        OptionError: there is no such format; the hint names those that are.
        FormatError: an installed package claims a name that is taken.
    """
    where = _places().get(name)
    if where is None:
        raise OptionError(
            f"There is no format {name!r}", hint=f"Formats are: {', '.join(_places())}."
        )
    module, _, attribute = where.where.partition(":")
    made: Format = getattr(import_module(module), attribute)()
    return made


@cache
def _places() -> dict[str, Place]:
    places = dict(BUILT_IN)
    for entry in entry_points(group="nbannot.formats"):
        if entry.name in places:
            raise FormatError(
                f"The format name {entry.name!r} of {entry.value} is taken by "
                f"{places[entry.name].where}",
                hint="Rename the entry point, or uninstall one of the two.",
            )
        places[entry.name] = Place(entry.value, entry.name)
    return dict(sorted(places.items()))


def detect(source: Source) -> list[Candidate]:
    """Return every format that can be read, best first.

    Those that do not fit come last, with confidence 0 and the one thing they miss. Where nothing
    fits at the top, the folders below are looked at, and where several folders are datasets of
    their own, each is a candidate (`Candidate.root`). What is recognised by name, and not read,
    is a candidate of confidence 0 with evidence.
    """
    from .detection import detect_in

    there = source.files.suffixes()
    looked = {
        name: (place, get_format(name) if _may_be(place, there) else None)
        for name, place in _places().items()
    }
    return detect_in(source, looked)


def _may_be(place: Place, suffixes: Mapping[str, int]) -> bool:
    return not place.suffixes or any(s in suffixes for s in place.suffixes)
