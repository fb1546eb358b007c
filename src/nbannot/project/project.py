"""A project: what a user opens, looks at, imports into and exports from."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import ProjectError
from . import _store_history as history
from . import _store_read as read
from ._above import above
from ._gallery import Gallery
from ._media import MediaFolder, sync
from ._store import Store
from ._store_commit import Commit, begin
from .page import Page
from .tables import ProjectTables
from .task import Job, Task

__all__ = ["Project", "open_project"]

SUFFIX = ".nbannot"


def open_project(path: str | Path | None = None, *, read_only: bool = False) -> Project:
    """Open a project, and make it when it is not there.

    Args:
        path: the folder, ``"pets"`` is ``./pets.nbannot``; None is a project in memory, which is
            gone when it is closed or forgotten.
        read_only: refuse every change; the project must exist.

    Raises:
        ProjectError: it can't be opened, is not a project, was written by a newer nbannot, or
            (`read_only`) is not there.

    >>> import nbannot as nb
    >>> with nb.open_project() as project:
    ...     project
    Project in memory: no items yet
    """
    if path is None:
        return Project(None, read_only=read_only)
    folder = Path(path).expanduser().absolute()
    if folder.suffix != SUFFIX:
        folder = folder.with_name(folder.name + SUFFIX)
    return Project(folder, read_only=read_only)


class Project(ProjectTables):
    """Tasks, items, annotations, labels and layers, copied media, and the history of requests.

    Opened by `open_project`. May be used from several threads, and by several processes at
    once: one of them writes, the others read on and see what was last committed.
    """

    def __init__(self, folder: Path | None, *, read_only: bool = False) -> None:
        self.path = folder
        self.name = "in memory" if folder is None else folder.stem
        self.read_only = read_only
        if folder is not None:
            _prepare(folder, read_only=read_only)
        self._store = Store(folder, name=self.name, read_only=read_only)
        self._media = MediaFolder(None if folder is None else folder / "media")
        self._gallery = Gallery(self._store, self.media_bytes)
        self._listeners: list[weakref.WeakMethod[Callable[[], None]]] = []

    def close(self) -> None:
        """Close the project; what is in memory is gone."""
        self._store.close()
        self._media.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- importing and exporting (layers above: see _above.py) ------------------------

    def plan(self, source: object, format: str | None = None, **options: Any) -> Any:
        """Return what importing `source` would do, as a `Plan`, without doing it.

        Args:
            source: a folder, file or archive (path), a DataFrame, a list of dicts, or a `Source`.
            format: name of the format; found by itself when not given.
            **options: see `nbannot.importing.plan`.
        """
        return above("plan")(self, source, format, **options)

    def import_dataset(self, source: object, format: str | None = None, **options: Any) -> Any:
        """Import `source` as new tasks, one per subset, and return the `Report`.

        Running it again with the same source changes nothing. Takes what `plan` takes.
        """
        return above("import_dataset")(self, source, format, **options)

    def export(self, format: str, target: object = None, **options: Any) -> Any:
        """Write the project in a format; see `nbannot.exporting.export`."""
        return above("export")(self, format, target, **options)

    def export_plan(self, format: str, **options: Any) -> Any:
        """Return what `export` would lose; see `nbannot.exporting.export_plan`."""
        return above("export_plan")(self, format, **options)

    # -- tasks and jobs ---------------------------------------------------------------

    def task(self, name: str) -> Task:
        """Return the task called `name`.

        Raises:
            ProjectError: there is none.
        """
        found = [row for row in self._tasks() if row.name == name]
        if not found:
            names = ", ".join(repr(n) for n in self.task_names()[:20]) or "none yet"
            raise ProjectError(f"The project has no task {name!r}", hint=f"It has: {names}.")
        return Task(self, found[0])

    def task_list(self) -> list[Task]:
        """Return all tasks, in their order."""
        return [Task(self, row) for row in self._tasks()]

    def task_names(self) -> list[str]:
        """Return the names of all tasks, in their order."""
        return [row.name for row in self._tasks()]

    def task_by_id(self, task_id: int) -> Task:
        """Return the task of that id; raise `ProjectError` where there is none."""
        return Task(self, self._task_row(task_id))

    def job_by_id(self, job_id: int) -> Job:
        """Return the job of that id; raise `ProjectError` where there is none."""
        rows = [row for row in self._store.cached("jobs", read.job_rows) if row["job_id"] == job_id]
        if not rows:
            raise ProjectError(f"There is no job {job_id} in the project", where=self.name)
        return Job(self.task_by_id(rows[0]["task_id"]), rows[0])

    def _task_row(self, task_id: int) -> read.TaskRow:
        for row in self._tasks():
            if row.task_id == task_id:
                return row
        raise ProjectError(
            f"There is no task {task_id} in the project", where=self.name, hint="Was it undone?"
        )

    def _jobs(self, task: Task) -> list[Job]:
        rows = self._store.cached("jobs", read.job_rows)
        return [Job(task, row) for row in rows if row["task_id"] == task.task_id]

    # -- looking ----------------------------------------------------------------------

    def page(
        self,
        task: str | None = None,
        label: str | None = None,
        layer: str | None = None,
        start: int = 0,
        count: int = 24,
        size_px: int = 160,
    ) -> Page:
        """Return items from `start` on, with their annotations and thumbnails.

        Args:
            task: only items of this task.
            label: only items with an annotation of this label (all their annotations are shown).
            layer: only items with an annotation of this layer, and only these annotations.
            start: the number of the first item, from 0, among those that the filters leave.
            count: how many items.
            size_px: the longest side of a thumbnail.

        Raises:
            ProjectError: there is no task, label or layer of that name.
        """
        return self._gallery.page(task, label, layer, start, count, size_px)

    def item_page(self, item_id: int, size_px: int = 1280) -> Page:
        """Return one item, with its annotations and a picture of `size_px`, as a page."""
        return self._gallery.of_items([item_id], size_px)

    def count_items(
        self, task: str | None = None, label: str | None = None, layer: str | None = None
    ) -> int:
        """Return how many items the filters of `page` leave."""
        return self._gallery.count(task, label, layer)

    def media_bytes(self, item_id: int) -> bytes:
        """Return the bytes of an item's media, from the project or from where it is linked.

        Raises:
            ProjectError: there is no such item, it has no media, or its copy is missing.
            SourceError: the link can't be read.
        """
        with self._store.read() as connection:
            rows = read.item_rows(connection, item_ids=read.id_array([item_id])).to_pylist()
        if not rows:
            raise ProjectError(f"There is no item {item_id}", where=self.name)
        if rows[0]["blob"]:
            return self._media.read(rows[0]["blob"])
        if not rows[0]["uri"]:
            raise ProjectError("The item has no media", where=rows[0]["key"])
        from ..sources import open_media

        data: bytes = open_media(rows[0]["uri"])
        return data

    def ledger_lines(
        self, request_id: int, outcome: str = "", reason: str = "", start: int = 0, count: int = 100
    ) -> dict[str, Any]:
        """Return ``{"total", "lines"}``: some lines of a request's ledger, as dicts."""
        with self._store.read() as connection:
            lines, total = history.ledger(
                connection, request_id, outcome=outcome, reason=reason, start=start, count=count
            )
        return {"total": total, "lines": lines.to_pylist()}

    def summary(self, limit: int = 500) -> dict[str, Any]:
        """Return counts of everything, and up to `limit` tasks, labels, layers and requests."""
        with self._store.read() as connection:
            parts = self._tasks(), self._names(), self._counts()
            found = history.summary(connection, *parts, limit)
        return {"name": self.name, "path": str(self.path or ""), **found}

    @property
    def version(self) -> str:
        """A string that changes whenever the project does, also by another process."""
        return self._store.version()

    # -- changing ---------------------------------------------------------------------

    @contextmanager
    def begin(self, kind: str, *, title: str = "", **about: Any) -> Iterator[Commit]:
        """Begin a change: ``with project.begin("edit", title="...") as commit: ...``.

        Whole when the block ends, absent when it raises. One at a time: others wait.

        Args:
            kind: "import", "export" or "edit".
            title: what it is called in the history.
            **about: source_uri, source_fingerprint, format, options, target (any JSON), code.

        Raises:
            ProjectError: the project is read only, or another notebook writes for too long; at
                the end, when the disk is full.
        """
        with begin(self._store, self._media, kind, title=title, **about) as commit:
            yield commit
        self._changed()

    def undo(self) -> dict[str, Any]:
        """Take back the newest import or edit that is not undone; return its row of `requests`.

        Raises:
            ProjectError: there is nothing to undo.
        """
        row = history.undo(self._store)
        self._changed()
        return row

    def redo(self) -> dict[str, Any]:
        """Bring back what the last `undo` took; return its row of `requests`.

        Raises:
            ProjectError: there is nothing to redo, or something else was done since.
        """
        row = history.redo(self._store)
        self._changed()
        return row

    @property
    def can_undo(self) -> bool:
        """Is there something that `undo` would take back?"""
        with self._store.read() as connection:
            row = history.undoable(connection)
        return row is not None and not row["compacted"]

    @property
    def can_redo(self) -> bool:
        """Is there something that `redo` would bring back?"""
        with self._store.read() as connection:
            return history.redoable(connection) is not None

    def compact(self) -> dict[str, int]:
        """Drop for good what is undone or was removed, and media that nothing needs.

        Requests that removed something can't be undone afterwards. Returns how many rows of
        each table, media files and bytes were dropped.
        """
        return history.compact(self._store, self._media)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` (a bound method) after each change made through this object.

        It is held weakly: what is forgotten is not called. It is called on the thread that made
        the change.
        """
        self._listeners.append(weakref.WeakMethod(listener))

    def _changed(self) -> None:
        self._listeners = [held for held in self._listeners if held() is not None]
        for held in self._listeners:
            listener = held()
            if listener is not None:
                listener()

    # -- showing itself ---------------------------------------------------------------

    def __repr__(self) -> str:
        from .display import text_of

        return text_of(self)

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        from .display import bundle_of

        return bundle_of(self)


def _prepare(folder: Path, *, read_only: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise ProjectError(
            "A project is a folder, and this is a file",
            where=str(folder),
            hint="Choose another name.",
        )
    if read_only and not folder.is_dir():
        raise ProjectError(
            "There is no such project", where=str(folder), hint="Look for a typing error."
        )
    try:
        if not read_only and not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            sync(folder.parent)
    except OSError as error:
        raise ProjectError(
            f"The project's folder can't be made: {error.strerror}", where=str(folder)
        ) from error
