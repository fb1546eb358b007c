"""What a format is: how it is recognised, read and written.

A format is one class in one module, named in the table of `nbannot.formats`. It looks at a
source with a `Look`, says what it needs with ``look.need``, and yields `Batch`es.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import OptionError
from ..ledger import Ledger
from ..progress import Progress
from ..schema import Batch

if TYPE_CHECKING:
    from ..sources.base import Source
    from .look import Look
    from .writing import Export, Sink

__all__ = ["Candidate", "Fix", "Format", "Miss", "Option"]


class Miss(Exception):  # noqa: N818  not an error: an answer
    """A format is not this source's: the one thing that is missing, in a user's words."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a format's reader or writer, shown as a control in the widget.

    `kind` is ``"bool"``, ``"choice"`` (of `choices`), ``"text"``, ``"number"`` or ``"column"``
    (the name of a column of a table); `default` None means: found out by itself.
    """

    name: str
    kind: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fix:
    """What would mend a lack, for a person to accept: `options` of the format, with a `text`."""

    text: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A format, and how sure it is that a source is its own.

    `confidence` is 0 (it is not: `missing` says the one thing it lacks) to 1. `evidence` is
    what speaks for it, in a user's words. `root` is the folder of the source where the dataset
    lies, "" for all of it. What is recognised and not read has no `format`,
    only a title. `fixes` are what a person may accept to have it read, or read better.
    """

    format: str
    title: str
    confidence: float
    evidence: tuple[str, ...] = ()
    missing: str = ""
    root: str = ""
    fixes: tuple[Fix, ...] = ()


class Format(ABC):
    """One format. Stateless: an instance may be shared by threads.

    A subclass sets `name` (``"coco"``), `title` (``"COCO"``), `summary` (one sentence),
    `holds` (types of annotation that a file can hold) and `rules` (where its rules come from),
    and overrides `requires` and `read`, `write`, or both.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    rules: ClassVar[str]
    holds: ClassVar[tuple[str, ...]] = ()
    read_options: ClassVar[tuple[Option, ...]] = ()
    write_options: ClassVar[tuple[Option, ...]] = ()
    catches_all: ClassVar[bool] = False
    """Does it read anything of a kind (any images), so that it is no sign of a dataset?"""
    reads: ClassVar[bool] = True
    writes: ClassVar[bool] = True

    @abstractmethod
    def requires(self, look: Look) -> float:
        """Return the confidence (0 to 1] that the source is of this format.

        Adds evidence with ``look.found(...)``; says what is missing with
        ``look.need(condition, "what is missing")`` or by raising `Miss`. Must be cheap: it
        looks at names and at the head of one or two files, never at all of them.

        Confidence, so that formats rank the same way: 0.9 and more, the content of a file says
        so; 0.6, the layout and one file's content agree; 0.3, it can be read so, but another
        reading is likely; 0.1, a last resort (a folder of images is only that).
        """

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the content of `source`.

        Counts each record in the ledger as it is met, and rejects or warns by line; an error
        in one record never stops the others. With `limit`, the first `limit` items of the very
        same sequence and their annotations (more may come; nothing else may differ), as fast as
        the format allows: this is the preview. The ledger need not balance with a limit.

        Raises:
            BrokenFileError: a container can't be parsed at all.
        """
        raise NotImplementedError

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write `export` to `sink`; each record that the format can't hold is a ledger line."""
        raise NotImplementedError

    def check_options(self, given: Mapping[str, Any], *, writing: bool = False) -> dict[str, Any]:
        """Return `given` with the defaults filled in.

        Raises:
            OptionError: an option is unknown, or a choice is not one of its choices.
        """
        known = {o.name: o for o in (self.write_options if writing else self.read_options)}
        for name, value in given.items():
            option = known.get(name)
            if option is None:
                names = ", ".join(known) or "none"
                raise OptionError(f"{self.title} has no option {name!r}", hint=f"It has: {names}.")
            if option.kind == "choice" and value is not None and value not in option.choices:
                raise OptionError(
                    f"Option {name!r} of {self.title} can't be {value!r}",
                    hint=f"Choose one of: {', '.join(option.choices)}.",
                )
        return {name: given.get(name, option.default) for name, option in known.items()}
