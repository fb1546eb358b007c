r"""The formats: one sorted table of lazy names, and detection.

A format of your own is a class and an entry point. The class says what it needs to see, reads and
writes; `Reading` counts every record for the ledger, `Fitting` converts what the format can't
hold, or leaves it out, and says so::

    # nbannot_dots.py: one line per box: image, label, left, top, width, height
    from nbannot.formats.base import Format
    from nbannot.formats.fitting import Fitting, Holds
    from nbannot.formats.reading import Reading


    class Dots(Format):
        '''Boxes in ``<subset>.dots``: image, label, left, top, width, height.'''

        name, title = "dots", "Dots"
        summary = "One line per box, one file per subset."
        rules = "https://example.org/dots"
        holds = ("box",)

        def requires(self, look):
            paths = look.files.with_suffix(".dots")
            look.need(paths, "no .dots file")
            lines = look.head(paths[0]).lines
            look.need(
                all(line.count("\t") in (0, 5) for line in lines[:20]),
                f"{paths[0]} has lines of another kind",
            )
            look.found(f"{paths[0]} has {len(lines)} lines of six values")
            return 0.95

        def read(self, source, options, ledger, progress, limit=None):
            reading = Reading(source, ledger, progress, limit)
            for path, data in reading.files(source.files.with_suffix(".dots")):
                subset = path.rpartition("/")[2].removesuffix(".dots")
                for number, line in enumerate(data.decode("utf-8-sig").splitlines(), 1):
                    image, *values = line.split("\t")
                    if not values and reading.is_full:
                        break
                    item = reading.image_item(
                        image, file=path, subset=subset, near=[f"images/{subset}"]
                    )
                    try:
                        if values:
                            label, *box = values
                            x, y, w, h = map(float, box)
                            reading.annotation(item, type="box", label=label, x=x, y=y, w=w, h=h)
                    except ValueError as error:
                        reading.reject(
                            "not a box",
                            file=path,
                            where=f"line {number}",
                            record=f"line {number}",
                            item=image,
                            message=str(error),
                        )
                yield from reading.batches()
            yield from reading.rest()

        def write(self, export, sink, options, ledger, progress):
            fitting = Fitting(self.title, Holds({"box": ()}), ledger)
            for subset in export.subsets:
                lines, media = [], []
                for batch in export.batches(subset):
                    for item, rows in fitting.fit(batch):
                        media.append((f"images/{subset}/{item['key']}", item["number"]))
                        lines.append(item["key"])
                        for row in rows:
                            box = [repr(row[name]) for name in "xywh"]
                            lines.append("\t".join([item["key"], row["label"], *box]))
                sink.write(f"{subset}.dots", "".join(f"{line}\n" for line in lines))
                for path, number in media:
                    sink.add_media(path, number)
            fitting.close()

    # pyproject.toml
    [project.entry-points."nbannot.formats"]
    dots = "nbannot_dots:Dots"

    # test_dots.py: what every format must do
    from nbannot.formats.cases import FormatCases


    class TestDots(FormatCases):
        format_name = "dots"

A name that is taken is an error, never a silent replacement. With its package installed, the
format is found by `detect`, offered in the widget, and has its forecast of losses.
"""

from __future__ import annotations

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
    from .detection import Formats, detect_in

    return detect_in(source, Formats(_places(), get_format))
