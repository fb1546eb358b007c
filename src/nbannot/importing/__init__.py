"""Importing: `plan` says what will happen, `Plan.apply` does it, `Report` accounts for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..progress import Progress
from ..sources import open_source
from .plan import Plan, Request, detect, fill_plan, make_plan, open_plan
from .report import Report
from .streaming import can_stream, stream_import

if TYPE_CHECKING:
    from ..project import Job, Project, Task

__all__ = ["Plan", "Report", "Request", "detect", "import_dataset", "plan"]


def plan(
    project: Project,
    source: object,
    format: str | None = None,
    *,
    into: Task | Job | None = None,
    mode: str = "replace",
    labels: Mapping[str, str | None] | None = None,
    subsets: Sequence[str] | None = None,
    media: str = "link",
    root: str = "",
    strict: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Plan:
    """Return what importing `source` would do, without doing it.

    Args:
        project: the project.
        source: a folder, file or archive (path), a DataFrame (pandas, polars, pyarrow, or
            anything with ``__arrow_c_stream__``), a list of dicts, or a `Source`.
        format: name of the format; found by itself when not given.
        into: a task or job that receives annotations on the items it has; by default new tasks
            are made, one per subset.
        mode: what becomes of annotations that the task has: "replace", "append" or "merge".
        labels: source label → project label; None drops it, "" creates it under its own name.
        subsets: names of the subsets to import; all by default.
        media: "link" leaves files where they are, "copy" stores each once in the project.
        root: folder of the source in which the dataset lies.
        strict: refuse to apply while the ledger has warnings or rejections.
        progress: told how far it is, and asked whether to stop.
        **options: options of the format.

    Raises:
        SourceError: the source can't be opened or read.
        UnknownFormatError: no format fits; the hint says what each misses.
        BrokenFileError: a container can't be parsed at all.
        OptionError: an argument or option is wrong.

    >>> import nbannot as nb
    >>> project = nb.open_project()
    >>> rows = [{"image": "a.jpg", "label": "cat", "x1": 1, "y1": 2, "x2": 5, "y2": 6}]
    >>> project.plan(rows).changes.text
    'Adds 1 item and 1 annotation in task default.'
    """
    request = Request(format, into, mode, labels or {}, subsets, media, root, strict, options)
    opened = open_source(source)
    with opened.helped():
        return make_plan(project, opened, request, progress)


def import_dataset(
    project: Project,
    source: object,
    format: str | None = None,
    *,
    into: Task | Job | None = None,
    mode: str = "replace",
    labels: Mapping[str, str | None] | None = None,
    subsets: Sequence[str] | None = None,
    media: str = "link",
    root: str = "",
    strict: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Report:
    """Plan and apply in one step; takes what `plan` takes, returns a `Report`.

    Running it again with the same source changes nothing; with a changed source it updates
    what that source brought, and says what changed.
    """
    request = Request(format, into, mode, labels or {}, subsets, media, root, strict, options)
    progress = progress or Progress()
    opened = open_source(source)
    with opened.helped():
        made, previous = open_plan(project, opened, request)
        if made.already is None:
            if previous is None and can_stream(request):
                report = stream_import(made, progress)
                if report is not None:
                    return report
            fill_plan(made, progress, previous)
    try:
        return made.apply(progress)
    finally:
        made.staged.close()
