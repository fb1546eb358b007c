"""The gallery: a project, paged from its store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from ._base import BaseWidget, asset
from .commands import Answer, command
from .pages import project_item_page
from .views import summary_view

if TYPE_CHECKING:
    from ..project import Project

__all__ = ["ProjectWidget"]

_FILTERS = ("task", "label", "layer")


class ProjectWidget(BaseWidget):
    """Items of a project with their annotations, 24 a page, filtered by task, label and layer.

    Shown when a project is the last line of a cell. `refresh` after the project was changed
    elsewhere; changes through the same `Project` show by themselves.
    """

    _esm, _css = asset("project.js"), asset("project.css")

    task = traitlets.Unicode("").tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    layer = traitlets.Unicode("").tag(sync=True)
    start = traitlets.Int(0).tag(sync=True)
    page_size = traitlets.Int(24).tag(sync=True)
    summary = traitlets.Dict().tag(sync=True)
    total = traitlets.Int(0).tag(sync=True)
    revision = traitlets.Int(0).tag(sync=True)
    can_undo = traitlets.Bool(False).tag(sync=True)
    can_redo = traitlets.Bool(False).tag(sync=True)

    def __init__(self, project: Project, **traits: Any) -> None:
        self._project = project
        super().__init__(**traits)
        self.observe(self._on_filter, names=_FILTERS)
        self.refresh()
        project.on_change(self.refresh)

    def refresh(self) -> None:
        """Show the project as it is now."""
        with self.hold_sync():
            self.summary = summary_view(self._project)
            self._drop_filters()
            self.can_undo, self.can_redo = self._project.can_undo, self._project.can_redo
            self.total = self._count()
            self.revision += 1

    def _drop_filters(self) -> None:
        # A filter by what an undo took away would find nothing, and could not be chosen off.
        known = {name: {x["name"] for x in self.summary[f"{name}s"]} for name in _FILTERS}
        gone = [name for name in _FILTERS if getattr(self, name) not in {"", *known[name]}]
        with self.hold_trait_notifications():
            for name in gone:
                self.set_trait(name, "")

    def _on_filter(self, _: object) -> None:
        self.start, self.total = 0, self._count()

    def _count(self) -> int:
        return self._project.count_items(
            task=self.task or None, label=self.label or None, layer=self.layer or None
        )

    @command()
    def page(
        self,
        task: str = "",
        label: str = "",
        layer: str = "",
        start: int = 0,
        count: int = 24,
        size_px: int = 160,
    ) -> Answer:
        """Answer a page of items: a header and one buffer per column."""
        return self._project.page(
            task=task or None,
            label=label or None,
            layer=layer or None,
            start=start,
            count=min(count, 200),
            size_px=min(size_px, 512),
        ).encode()

    @command()
    def item(self, item: str, size_px: int = 1280) -> Answer:
        """Answer one item, larger, with the details of its annotations."""
        return project_item_page(self._project, int(item), min(size_px, 4096))

    @command()
    def undo(self) -> Answer:
        """Take back the newest request."""
        return self._project.undo(), []

    @command()
    def redo(self) -> Answer:
        """Bring back what `undo` took."""
        return self._project.redo(), []

    @command()
    def lines(
        self, request: int, outcome: str = "", reason: str = "", start: int = 0, count: int = 100
    ) -> Answer:
        """Answer ledger lines of a request, all or those of one reason."""
        return self._project.ledger_lines(request, outcome, reason, start, min(count, 1000)), []

    def __repr__(self) -> str:
        return repr(self._project)
