"""A plan: what an import will do, before it does it.

`plan` opens the source, ranks formats, reads through the chosen one into `Staged` batches, settles
image frames, labels and items, and returns a `Plan`; `Plan.apply` commits exactly that.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from ..errors import OptionError, StrictError, UnknownFormatError
from ..formats import detect as detect_formats
from ..formats import get_format
from ..formats.base import Candidate, Format
from ..ledger import Balance, Ledger
from ..progress import Progress
from ..sources import Source, open_source
from . import display
from .commit import commit_plan
from .frames import check_images
from .labels import LabelMapping, map_labels
from .report import Report
from .staging import Staged, collector_paused, name_twins
from .target import Changes, Target, resolve_target

if TYPE_CHECKING:
    import pandas as pd

    from ..project import Job, Page, Project, Task

__all__ = ["Plan", "Request", "choose_format", "detect", "make_plan", "read"]

MODES = ("replace", "append", "merge")
MEDIA = ("link", "copy")
SURE = 0.15
"""Below this confidence, a format that is recognised by name says more."""


def detect(source: object) -> list[Candidate]:
    """Return every format, the one that fits `source` best first.

    Formats that do not fit come last, with confidence 0 and the one thing they miss.

    Args:
        source: what `plan` takes: a path, a DataFrame, a list of dicts, a `Source`.

    Raises:
        SourceError: the source can't be opened.

    >>> from nbannot import demo
    >>> detect(demo.demo_dataset())[0].format
    'coco'
    """
    return detect_formats(open_source(source))


@dataclass(frozen=True)
class Request:
    """What was asked for: everything that decides what an import does, but the source's bytes."""

    format: str | None = None
    into: Task | Job | None = None
    mode: str = "replace"
    labels: Mapping[str, str | None] = field(default_factory=dict)
    subsets: Sequence[str] | None = None
    media: str = "link"
    root: str = ""
    strict: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value, allowed in (("mode", self.mode, MODES), ("media", self.media, MEDIA)):
            if value not in allowed:
                raise OptionError(
                    f"{name}= can't be {value!r}", hint=f"Choose one of: {', '.join(allowed)}."
                )

    def key(self) -> dict[str, Any]:
        """Return what, beside source and format, tells one import from another."""
        return {
            "into": self.into.ref if self.into is not None else None,
            "mode": self.mode if self.into is not None else None,
            "labels": dict(self.labels),
            "subsets": sorted(self.subsets) if self.subsets is not None else None,
            "media": self.media,
            "root": self.root,
            "options": {k: v for k, v in self.options.items() if v is not None},
        }


def choose_format(source: Source, request: Request) -> tuple[Format, str, list[Candidate]]:
    """Return the format to read `source` with, the folder it lies in, and all candidates.

    Raises:
        UnknownFormatError: none fits; the hint lists what the nearest ones miss.
    """
    if request.format is not None:
        return get_format(request.format), request.root, []
    candidates = detect_formats(source)
    best = best_of(candidates, source)
    return get_format(best.format), request.root or best.root, candidates


def best_of(candidates: Sequence[Candidate], source: Source) -> Candidate:
    """Return the first of ranked formats.

    Raises:
        UnknownFormatError: none fits; the hint lists what the nearest ones miss.
    """
    best = candidates[0] if candidates else None
    known = [c for c in candidates if not c.format]
    if best is not None and best.confidence < SURE and known:
        others = f" Format {best.format!r} reads something of it." if best.confidence else ""
        raise UnknownFormatError(
            f"{source.name} looks like {known[0].title} ({known[0].evidence[0]})",
            where=f"{len(source.files):,} file{'s' * (len(source.files) != 1)}",
            hint=f"{known[0].missing[0].upper()}{known[0].missing[1:]}.{others}",
        )
    if best is None or best.confidence <= 0:
        near = sorted((c for c in candidates if c.format), key=lambda c: not c.evidence)
        misses = "; ".join(f"{c.title}: {c.missing}" for c in near[:8])
        raise UnknownFormatError(
            f"{source.name} is no dataset in a format that nbannot reads",
            where=f"{len(source.files):,} file{'s' * (len(source.files) != 1)}",
            hint=f"What is missing: {misses}. Give format= if you know better.",
        )
    return best


def read(
    source: Source,
    fmt: Format,
    request: Request,
    ledger: Ledger,
    progress: Progress,
    limit: int | None = None,
) -> Staged:
    """Read `source` into a `Staged`: all of it, or the first `limit` items (the preview)."""
    part = source.under(request.root)
    staged = Staged()
    options = fmt.check_options(request.options)
    progress.start(f"Reading {fmt.title}")
    with collector_paused():
        for batch in fmt.read(part, options, ledger, progress, limit):
            staged.add(batch)
            progress.check()
    staged.finish()
    if limit is not None and staged.items.num_rows > limit:
        keep = np.arange(staged.items.num_rows) < limit
        staged.keep_items(keep)
    if request.subsets is not None and limit is None:
        _choose_subsets(staged, request.subsets, ledger)
    name_twins(staged, ledger)
    check_images(staged, part, ledger, progress)
    return staged


def _choose_subsets(staged: Staged, wanted: Sequence[str], ledger: Ledger) -> None:
    names = [name for name, _, _ in staged.subsets()]
    unknown = [s for s in wanted if s not in names]
    if unknown:
        raise OptionError(
            f"subsets= names {unknown[0]!r}, which the source does not have",
            hint=f"It has: {', '.join(names)}.",
        )
    column = staged.items["subset"]
    keep = pc.is_in(column, value_set=_array(wanted)).to_numpy(zero_copy_only=False)
    items, rows = staged.keep_items(keep)
    if items:
        ledger.leave_out(items + rows)
        others = ", ".join(n for n in names if n not in wanted)
        ledger.note(
            "not asked for",
            message=f"{items} items and {rows} annotations of {others} were left out (subsets=)",
        )


def _array(values: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.array(list(values), pa.string())


class Plan:
    """What an import will do. Show it, look at its `ledger`, then `apply` it.

    * `read`, `imported`, `warned`, `rejected`: counts of records.
    * `items`, `annotations`: how many the source brings.
    * `subsets`: (name, items, annotations) each; `labels`: a `LabelMapping` each.
    * `changes`: what will be added, removed, replaced, in the project's terms.
    * `candidates`: the formats considered, with their evidence.
    """

    def __init__(
        self,
        project: Project,
        source: Source,
        fmt: Format,
        request: Request,
        candidates: Sequence[Candidate] = (),
    ) -> None:
        self.project = project
        self.source = source
        self.format = fmt
        self.request = request
        self.candidates = list(candidates)
        self.reading = Ledger()
        self.notes = Ledger()
        self.staged = Staged()
        self.labels: list[LabelMapping] = []
        self.target: Target | None = None
        self.changes = Changes()
        self.fingerprint = ""
        self.already: dict[str, Any] | None = None
        self.report: Report | None = None

    # -- counts -----------------------------------------------------------------------

    @property
    def items(self) -> int:
        """Items that the source brings."""
        return self.staged.items.num_rows

    @property
    def annotations(self) -> int:
        """Annotations that the source brings."""
        return self.staged.annotation_count

    @property
    def subsets(self) -> list[tuple[str, int, int]]:
        """(name, items, annotations) of each subset."""
        return self.staged.subsets()

    @property
    def read(self) -> int:
        """Records met in the source."""
        return self.balance.read

    @property
    def imported(self) -> int:
        """Records that will be imported as given."""
        return self.balance.imported

    @property
    def warned(self) -> int:
        """Records that will be imported with a warning."""
        return self.balance.warned

    @property
    def rejected(self) -> int:
        """Records that will not be imported, each with a reason in the ledger."""
        return self.balance.rejected

    @property
    def balance(self) -> Balance:
        """The counts together; raises BalanceError where they do not add up."""
        if self.target is None:
            return self.notes.check(self.items + self.annotations)
        return self.notes.check(self.target.kept_items + self.target.kept_rows)

    @property
    def ledger(self) -> pd.DataFrame:
        """One line per record that is not imported as given, and per note."""
        return self.notes.to_pandas()

    # -- looking ----------------------------------------------------------------------

    def page(
        self,
        start: int = 0,
        count: int = 24,
        size_px: int = 160,
        *,
        subset: str | None = None,
        label: str | None = None,
    ) -> Page:
        """Return `count` items with their annotations and thumbnails, as the import has them."""
        return display.staged_page(
            self.staged, self.source.under(self.request.root), self.project,
            start, count, size_px, subset=subset, label=label,
        )  # fmt: skip

    @property
    def code(self) -> str:
        """The Python that does the same."""
        return display.code_of(self.source, self.format, self.request, self.candidates)

    def __repr__(self) -> str:
        return display.plan_text(self)

    def _repr_html_(self) -> str:
        return display.plan_html(self)

    # -- doing ------------------------------------------------------------------------

    def apply(self, progress: Progress | None = None) -> Report:
        """Commit the plan in one transaction and return what was done.

        A plan is applied once; a second call returns the same report. Where the source was
        imported before and has not changed, nothing is done and the report says so.

        Raises:
            StrictError: ``strict=True``, and the ledger has warnings or rejections.
            BalanceError: the reader did not account for all its records.
            ProjectError: the project can't be written; it is as it was.
        """
        if self.report is None:
            balance = self.balance
            if self.request.strict and (balance.warned or balance.rejected):
                reasons = "; ".join(
                    f"{reason} ({n})" for kind, reason, n in self.notes.groups() if kind != "note"
                )
                raise StrictError(
                    f"{balance.warned} records would be imported with a warning and "
                    f"{balance.rejected} rejected: {reasons}",
                    where=self.source.name,
                    hint="Mend the source, or import without strict=True; plan.ledger has each.",
                )
            started_s = time.monotonic()
            self.report = (
                Report.unchanged(self)
                if self.already is not None
                else commit_plan(self, balance, progress or Progress(), started_s)
            )
        return self.report


def make_plan(
    project: Project,
    source: object,
    request: Request,
    progress: Progress | None = None,
) -> Plan:
    """Open, detect, read and settle; see `nbannot.Project.plan` for the arguments."""
    progress = progress or Progress()
    plan, previous = open_plan(project, source, request)
    if plan.already is None:
        fill_plan(plan, progress, previous)
    return plan


def open_plan(
    project: Project, source: object, request: Request
) -> tuple[Plan, dict[str, Any] | None]:
    """Return a plan of which nothing is read yet, and the last import of the same source."""
    opened = open_source(source)
    fmt, root, candidates = choose_format(opened, request)
    request = Request(**{**request.__dict__, "root": root})
    plan = Plan(project, opened, fmt, request, candidates)
    plan.fingerprint = opened.fingerprint()
    previous = project.last_import(opened.uri, target_json(plan))
    if previous is not None and previous["source_fingerprint"] == plan.fingerprint:
        plan.already = previous
        plan.notes.note(
            "already imported",
            file=opened.name,
            message=f"request {previous['request_id']} imported the same source; nothing to do",
        )
    return plan, previous


def fill_plan(plan: Plan, progress: Progress, previous: Mapping[str, Any] | None) -> None:
    """Read the source of a plan, and settle it."""
    plan.staged = read(plan.source, plan.format, plan.request, plan.reading, progress)
    settle(plan, progress, previous)


def target_json(plan: Plan) -> str:
    """Return the key that, with the source's uri, tells whether an import is a repetition."""
    return json.dumps(
        {"format": plan.format.name, **plan.request.key()}, sort_keys=True, default=str
    )


def settle(plan: Plan, progress: Progress, previous: Mapping[str, Any] | None = None) -> None:
    """Map labels and items of what was read onto the project: the part that knows the project.

    May be done again after another choice of labels or target; what was read stays as it is.
    """
    plan.notes = Ledger()
    plan.notes.extend(plan.reading)
    existing = [label.name for label in plan.project.label_list()]
    plan.labels = map_labels(plan.staged.label_counts(), existing, plan.request.labels)
    for remark in getattr(plan.source, "notes", ()):
        plan.notes.note("source", file=plan.source.name, message=remark)
    plan.target = resolve_target(plan, progress, previous)
    plan.changes = plan.target.changes
    _ = plan.balance  # a reader that can't account for its input fails here, not at apply
