"""The import model: pick, detect, preview, import, undo; all of it works without a browser.

>>> import nbannot as nb
>>> model = nb.ImportModel(nb.open_project(), source=nb.demo.demo_dataset())
>>> model.wait().state
'ready'
>>> model.format, model.preview["items"] > 0
('coco', True)
>>> model.apply().rejected
0
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from ..errors import NbannotError, OptionError, SourceError
from ..formats import detect, get_format
from ..formats.base import Candidate
from ..importing import Report, Request
from ..importing.plan import Plan, best_of, read, settle, target_json
from ..progress import Progress, ProgressState
from ..sources import Source, open_source
from . import picker, views
from .commands import Answer, command
from .errors_view import error_dict
from .pages import item_page
from .uploads import UploadCommands
from .work import Worker

if TYPE_CHECKING:
    from ..project import Job, Project, Task

__all__ = ["ImportModel"]

PREVIEW_ITEMS = 24
FIRST_PAGE_S = 0.25
"""How long reading goes on hold for the browser to ask for the first page, and get it."""


def _dict() -> Any:
    return traitlets.Dict().tag(sync=True)


def _list() -> Any:
    return traitlets.List().tag(sync=True)


def _text(default: str = "") -> Any:
    return traitlets.Unicode(default).tag(sync=True)


class ImportModel(UploadCommands, traitlets.HasTraits):
    """What is chosen, what was found, and what an import would do, as traits.

    Set `source` (a path), or call `choose` with anything that `nbannot.plan` takes; detection and
    reading start on a thread of their own, and the other traits follow. Set `format`, `options`,
    `columns`, `subsets`, `mapping`, `target`, `mode` or `media` to choose otherwise. `wait`
    blocks until all is settled; `apply` imports.
    """

    # chosen by a person, in the browser or in Python
    location, filter = _text(), _text()
    source, format, root = _text(), _text(), _text()
    options, columns, mapping, subsets = _dict(), _dict(), _dict(), _list()
    target, mode, media = _text("new"), _text("replace"), _text("link")
    # found out
    project, parents, entries, frames = _dict(), _list(), _list(), _list()
    entries_total = traitlets.Int(0).tag(sync=True)
    candidates, fields, roles, labels = _list(), _list(), _dict(), _list()
    preview, problems, changes = _dict(), _list(), _dict()
    state, progress, report, error, code = _text("empty"), _dict(), _dict(), _dict(), _text()

    def __init__(self, project: Project, source: object = None, **traits: Any) -> None:
        self._lock = threading.RLock()
        self._inside = threading.local()
        self._project = project
        self._plan: Plan | None = None
        self._opened: Source | None = None
        self._worker = Worker(self._show_progress, self._show_error, self._after_cancel)
        self._revision = 0
        self._drawn = threading.Event()
        super().__init__(**traits)
        self.observe(self._on_location, names=["location", "filter"])
        self.observe(self._on_source, names=["source"])
        self.observe(self._on_reading, names=["format", "root", "options", "columns", "subsets"])
        self.observe(self._on_settling, names=["mapping", "target", "mode", "media"])
        self.refresh()
        project.on_change(self._on_project)
        if source is not None:
            self.choose(source)
        elif self.source:
            self._on_source(None)

    # -- choosing ---------------------------------------------------------------------

    def choose(self, source: object) -> None:
        """Choose a source: a path, a DataFrame, a list of dicts, or a `Source`."""
        if isinstance(source, (str, os.PathLike)):
            self.source = os.fspath(source)
        else:
            self._begin(lambda progress: self._detect(open_source(source), progress), "detecting")

    def wait(self, timeout_s: float | None = None) -> ImportModel:
        """Block until detection, reading and settling are done; return the model.

        Raises:
            NbannotError: what went wrong, where the state is "error" or "unrecognised".
        """
        self._worker.wait(timeout_s)
        if self.state in ("error", "unrecognised") and self.error:
            raise NbannotError(
                self.error["message"], where=self.error["where"], hint=self.error["hint"]
            )
        return self

    @property
    def plan(self) -> Plan | None:
        """The plan behind what is shown, None where nothing was read yet."""
        return self._plan

    # -- what follows from a choice ------------------------------------------------------

    @contextmanager
    def _publish(self) -> Iterator[None]:
        # Traits set here were found out, not chosen: observers do not react to them.
        depth = getattr(self._inside, "depth", 0)
        self._inside.depth = depth + 1
        try:
            with self._lock, self._hold():
                yield
        finally:
            self._inside.depth = depth

    @contextmanager
    def _hold(self) -> Iterator[None]:
        yield

    def _chosen(self) -> bool:
        return not getattr(self._inside, "depth", 0)

    def _on_location(self, _: object) -> None:
        if self._chosen():
            self.refresh()

    def _on_source(self, _: object) -> None:
        if not self._chosen():
            return
        if not self.source:
            self.reset()
            return
        name = self.source
        self._begin(lambda progress: self._detect(self._resolve(name), progress), "detecting")

    def _on_reading(self, change: Any) -> None:
        if self._chosen() and self._opened is not None and self.state != "importing":
            if change["name"] == "format":
                with self._publish():
                    self.options, self.columns, self.mapping, self.subsets = {}, {}, {}, []
            self._begin(self._read, "reading")

    def _on_settling(self, _: object) -> None:
        if self._chosen() and self._plan is not None and self.state in ("ready", "done", "error"):
            self._begin(self._settle, "reading")

    def _on_project(self) -> None:
        with self._publish():
            self.project = views.project_view(self._project)

    def _resolve(self, name: str) -> Source:
        kind, _, value = name.partition(":")
        if kind == "frame":
            variables = picker.notebook_variables()
            if value not in variables:
                raise SourceError(f"The notebook has no variable {value!r}", hint="Run its cell.")
            return open_source(variables[value], name=value)
        if kind == "upload":
            return self.uploaded(value)
        place = Path(self.location, Path(name).expanduser())
        # Relative to where the notebook runs, where it can be: the code then runs elsewhere too.
        here = Path.cwd()
        return open_source(place.relative_to(here) if place.is_relative_to(here) else place)

    # -- the work, on a thread ------------------------------------------------------------

    def _begin(self, work: Callable[[Progress], None], state: str) -> None:
        with self._publish():
            self.state, self.error, self.progress = state, {}, {}
        self._worker.begin(work)

    def _show_progress(self, state: ProgressState) -> None:
        with self._publish():
            self.progress = views.progress_view(state)

    def _show_error(self, error: BaseException) -> None:
        with self._publish():
            self.error, self.progress = error_dict(error), {}
            self.state = "unrecognised" if self.candidates and not self.format else "error"

    def _after_cancel(self) -> None:
        with self._publish():
            self.progress = {}
            if self._plan is not None and self.preview.get("complete"):
                self.state = "ready"
            else:
                self._clear()

    def _detect(self, source: Source, progress: Progress) -> None:
        self._opened, self._plan = source, None
        with self._publish():
            self._forget_source()
        progress.start(f"Looking at {source.name}")
        candidates = detect(source)
        progress.check()
        with self._publish():
            self.candidates = views.candidates_view(candidates)
        best = best_of(candidates, source)
        with self._publish():
            self.format, self.root, self.state = best.format, best.root, "reading"
        self._read(progress)

    def _request(self) -> Request:
        chosen = {k: v for k, v in {**self.columns, **self.options}.items() if v not in ("", None)}
        return Request(
            format=self.format,
            into=self._into(),
            mode=self.mode,
            labels=dict(self.mapping),
            subsets=list(self.subsets) or None,
            media=self.media,
            root=self.root,
            options=chosen,
        )

    def _into(self) -> Task | Job | None:
        kind, _, number = self.target.partition(":")
        if kind == "new":
            return None
        try:
            return (
                self._project.task_by_id(int(number))
                if kind == "task"
                else (self._project.job_by_id(int(number)))
            )
        except ValueError:
            raise OptionError(f"There is no target {self.target!r}") from None

    def _read(self, progress: Progress) -> None:
        source = self._opened
        assert source is not None
        fmt, request = get_format(self.format), self._request()
        roles = self._roles(source.under(request.root), fmt.name)
        with self._publish():
            hidden = set(roles.get("hidden", ()))
            self.fields = views.fields_view(fmt, dict(self.options), hidden)
            self.roles = {k: v for k, v in roles.items() if k != "hidden"}
            self.state = "reading"
        # First the few items that fill a page, then everything, by the very same reader.
        first = Plan(self._project, source, fmt, request, self._ranked())
        first.staged = read(source, fmt, request, first.reading, progress, PREVIEW_ITEMS)
        self._drawn.clear()
        self._show_preview(first, progress, complete=False)
        if first.items == PREVIEW_ITEMS:  # more to come: first let the page be drawn
            self._drawn.wait(FIRST_PAGE_S)
        plan = Plan(self._project, source, fmt, request, self._ranked())
        plan.fingerprint = source.fingerprint()
        plan.staged = read(source, fmt, request, plan.reading, progress)
        self._plan = plan
        self._settle(progress)

    def _ranked(self) -> list[Candidate]:
        return [views.candidate_of(view) for view in self.candidates]

    def _roles(self, source: Source, name: str) -> dict[str, Any]:
        if name != "table":
            return {}
        from ..formats.table import roles_view

        return roles_view(source, dict(self.columns))

    def _settle(self, progress: Progress) -> None:
        plan = self._plan
        assert plan is not None
        plan.request = self._request()
        plan.report = None
        previous = self._project.last_import(plan.source.uri, target_json(plan))
        same = previous is not None and previous["source_fingerprint"] == plan.fingerprint
        settle(plan, progress, previous)
        plan.already = previous if same else None
        self._show_preview(plan, progress, complete=True)
        progress.check()
        with self._publish():
            self.changes, self.code = views.changes_view(plan), plan.code
            self.progress, self.state = {}, "ready"

    def _show_preview(self, plan: Plan, progress: Progress, *, complete: bool) -> None:
        progress.check()
        with self._publish():
            self._plan = plan
            self._revision += 1
            if not complete:
                plan.labels = []
            else:
                self.labels = views.labels_view(plan)
                self.problems = views.problems_view(plan.notes)
            self.preview = views.preview_view(plan, complete=complete, revision=self._revision)

    # -- commands: a script may call them too ---------------------------------------------

    @command()
    def refresh(self) -> Answer:
        """List the folder, the notebook's tables and the project's tasks anew."""
        with self._publish():
            self.location = self.location or str(Path.cwd())
            try:
                self.entries, self.entries_total = picker.list_folder(self.location, self.filter)
            except NbannotError as error:
                self.entries, self.entries_total, self.error = [], 0, error_dict(error)
            self.parents = picker.parents_of(self.location)
            self.frames = picker.list_frames()
            self.project = views.project_view(self._project)
        return {}, []

    def apply(self) -> Report:
        """Import what is shown, wait for it, and return the report.

        Raises:
            NbannotError: nothing is ready, or what went wrong.
        """
        self.wait()
        self._start()
        self.wait()
        report = self._plan.report if self._plan is not None else None
        assert report is not None
        return report

    def _start(self) -> None:
        plan = self._plan
        if plan is None or self.state not in ("ready", "done"):
            raise NbannotError("There is nothing to import yet", hint="Choose a source first.")

        def work(progress: Progress) -> None:
            report = plan.apply(progress)
            with self._publish():
                self.report, self.progress, self.state = report.as_dict(), {}, "done"

        self._begin(work, "importing")

    @command()
    def start(self) -> Answer:
        """Import (the browser's Import button); progress and report are traits."""
        self._start()
        return {}, []

    @command(inline=True)
    def cancel(self) -> Answer:
        """Stop reading or importing; the project is as it was."""
        self._worker.cancel()
        return {}, []

    @command()
    def undo(self) -> Answer:
        """Take back the newest request of the project."""
        return self._turn(self._project.undo, undone=True)

    @command()
    def redo(self) -> Answer:
        """Bring back what `undo` took."""
        return self._turn(self._project.redo, undone=False)

    def _turn(self, change: Callable[[], Any], *, undone: bool) -> Answer:
        done = change()
        with self._publish():
            if self.report:
                self.report = {**self.report, "undone": undone}
        return done, []

    @command()
    def reset(self) -> Answer:
        """Go back to the beginning: nothing chosen."""
        self._worker.forget()
        with self._publish():
            self._clear()
        self.refresh()
        return {}, []

    def _clear(self) -> None:
        self._plan = self._opened = None
        self.source, self.state, self.error, self.progress = "", "empty", {}, {}
        self._forget_source()

    def _forget_source(self) -> None:
        self.format, self.root, self.report = "", "", {}
        self.options, self.columns, self.mapping, self.subsets = {}, {}, {}, []
        self.candidates, self.fields, self.roles, self.labels = [], [], {}, []
        self.preview, self.problems, self.changes, self.code = {}, [], {}, ""

    @command()
    def page(
        self,
        start: int = 0,
        count: int = 24,
        size_px: int = 160,
        label: str = "",
        subset: str = "",
    ) -> Answer:
        """Answer a page of what would be imported: a header and one buffer per column."""
        plan = self._ready_plan()
        page = plan.page(
            start, min(count, 200), min(size_px, 512), subset=subset or None, label=label or None
        )
        answer = page.encode()
        self._drawn.set()
        return answer

    @command()
    def item(self, item: str, size_px: int = 1280) -> Answer:
        """Answer one item, larger, with the details of its annotations."""
        return item_page(self._ready_plan(), int(item), min(size_px, 4096))

    @command()
    def lines(self, outcome: str, reason: str, start: int = 0, count: int = 100) -> Answer:
        """Answer the ledger lines of one group of problems."""
        found = self._ready_plan().notes.lines(outcome, reason, start + min(count, 1000))
        total = next(
            (n for o, r, n in self._ready_plan().notes.groups() if (o, r) == (outcome, reason)), 0
        )
        return {"total": total, "lines": found[start:]}, []

    def _ready_plan(self) -> Plan:
        if self._plan is None:
            raise NbannotError("There is nothing to show yet", hint="Choose a source first.")
        return self._plan

    @command()
    def complete_path(self, text: str) -> Answer:
        """Answer the paths that begin with `text`."""
        return {"paths": picker.complete(text, self.location)}, []

    @command()
    def upload_end(self, upload: str) -> Answer:
        """Close an upload; it becomes the source."""
        self.upload(upload).finish()
        self.source = f"upload:{upload}"
        return {"source": self.source}, []
