"""Exporting: write a project, or a part of it, in a format, and account for every record.

What is exported is written beside the target under another name and moved into place when it is
whole, so that a failed or cancelled export leaves nothing behind, and nothing half done.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OptionError
from ..formats import get_format
from ..formats.base import Format
from ..ledger import Ledger
from ..progress import Progress
from ..project import Job, Task
from .delivery import LocalPlace, place_of, write_to
from .forecast import ExportPlan, forecast
from .report import ExportReport
from .selection import ProjectExport

if TYPE_CHECKING:
    from ..project import Project

__all__ = ["ExportPlan", "ExportReport", "export", "export_plan"]


def export(
    project: Project,
    format: str,
    target: object = None,
    *,
    what: object = None,
    save_media: bool = False,
    name: str | None = None,
    subsets: Sequence[str] | None = None,
    layer: str | Sequence[str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> ExportReport:
    """Write `project` in `format` to `target`, and return the account of it.

    A task is a subset, called as it was in its source, else as the task. Two tasks of one subset
    are two subsets, called as the tasks.

    Args:
        project: the project.
        format: name of the format.
        target: a folder, a file that ends in ``.zip``, or, for a format that writes only one file,
            a file that ends like it (``.json``); as a path, or as a URL that fsspec can write to
            (``s3://bucket/pets.zip``).
        what: all tasks (None), a task's name, a `Task` or `Job`, a list of these; or items: a list
            of item ids, a DataFrame with a column ``item_id`` (``project.items.query(...)``), or
            the text of a query (``"SELECT item_id FROM live_items WHERE width > 1000"``).
        save_media: write images and other media along.
        name: what the dataset is called in its files; by default the project's name.
        subsets: only these subsets.
        layer: the layer to export, or several; by default the ground truth.
        overwrite: replace what is at `target` (a folder with everything in it).
        progress: told how far it is, and asked whether to stop.
        **options: options of the format's writer.

    Raises:
        OptionError: an argument or option is wrong, the target exists, or replacing it would take
            media away that the project links to.
        ProjectError: there is no such task, or the project can't be read.
        UnsafeSourceError: an item's name would be written outside the target.
        NbannotError: the target can't be written.
        Cancelled: it was cancelled; nothing was written.

    >>> import nbannot as nb
    >>> project = nb.open_project()
    >>> report = project.import_dataset([{"image": "a.jpg", "label": "cat", "x1": 1, "y1": 2,
    ...                                   "x2": 5, "y2": 6}])
    >>> project.export("voc", "out").text
    'Wrote 2 of 2 records to out.'
    """
    started_s = time.monotonic()
    progress = progress or Progress()
    fmt = _writer(format)
    chosen = fmt.check_options(options, writing=True)
    ledger = Ledger()
    place = place_of(project, target, overwrite=overwrite)
    data = ProjectExport(project, what, subsets, layer, name, ledger, progress)
    arguments = {
        "what": _named(what), "save_media": save_media, "name": name, "subsets": subsets,
        "layer": layer, "overwrite": overwrite, **options,
    }  # fmt: skip
    with place.staged() as temporary:
        write_to(fmt, data, temporary, chosen, ledger, progress, save_media=save_media)
        progress.check()
        where = place.path if isinstance(place, LocalPlace) else str(place)
        report = ExportReport.of(fmt, where, data.read_count, ledger)
        report.code = _code(format, str(target), arguments)
        if project.read_only:
            place.put(temporary)
        else:
            with project.begin(
                "export",
                title=f"{place.name} ({fmt.title})",
                format=format,
                options=dict(options),
                target=str(place),
                code=report.code,
            ) as commit:
                commit.add_ledger(ledger.to_arrow())
                commit.finish(
                    read=report.read,
                    imported=report.written,
                    warned=report.converted,
                    rejected=report.rejected,
                    summary={"text": report.text, "subsets": list(data.subsets)},
                )
                place.put(temporary)
                report.request_id = commit.request_id
    report.seconds = time.monotonic() - started_s
    return report


def export_plan(
    project: Project,
    format: str,
    *,
    what: object = None,
    save_media: bool = False,
    subsets: Sequence[str] | None = None,
    layer: str | Sequence[str] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> ExportPlan:
    """Return what `export` would keep, convert and leave out; nothing is written.

    The arguments are those of `export`.

    >>> import nbannot as nb
    >>> project = nb.open_project()
    >>> report = project.import_dataset([{"image": "a.jpg", "label": "cat", "x1": 1, "y1": 2,
    ...                                   "x2": 5, "y2": 6}])
    >>> project.export_plan("voc").lossless
    True
    """
    progress = progress or Progress()
    fmt = _writer(format)
    chosen = fmt.check_options(options, writing=True)
    ledger = Ledger()
    data = ProjectExport(project, what, subsets, layer, None, ledger, progress)
    arguments = {
        "what": what, "save_media": save_media, "subsets": subsets, "layer": layer, **options
    }  # fmt: skip
    return forecast(project, fmt, data, chosen, arguments, progress, ledger)


def _writer(name: str) -> Format:
    fmt = get_format(name)
    if not fmt.writes:
        raise OptionError(f"{fmt.title} can be read, but not written")
    return fmt


def _named(what: object) -> object:
    if isinstance(what, (Task, Job)):
        return _Code(what.code)
    if isinstance(what, (list, tuple)):
        return [_named(w) for w in what]
    if hasattr(what, "columns"):
        return _Code("items")
    return what.tolist() if isinstance(what, np.ndarray) else what


class _Code(str):
    """A string that shows as code."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _code(format: str, target: str, arguments: Mapping[str, Any]) -> str:
    said = {k: v for k, v in arguments.items() if v is not None}
    given = [f"{k}={v!r}" for k, v in said.items() if v or k not in ("save_media", "overwrite")]
    return f"project.export({', '.join([repr(format), repr(target), *given])})"
