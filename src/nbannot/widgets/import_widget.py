"""The import screen: `ImportModel` with a face."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ._base import BaseWidget, asset
from .import_model import ImportModel

if TYPE_CHECKING:
    from ..project import Project

__all__ = ["ImportWidget"]


class ImportWidget(BaseWidget, ImportModel):
    """Pick a dataset, see it, import it, undo it; in a notebook's cell.

    Args:
        project: where to import into; a new one in memory when not given.
        source: a path, DataFrame, list of dicts or `Source` to begin with.
        **traits: `location` (folder to start in), `target`, `mode`, `media` ...
    """

    _esm, _css = asset("import.js"), asset("import.css")

    def __init__(
        self, project: Project | None = None, source: object = None, **traits: Any
    ) -> None:
        if project is None:
            from ..project import open_project

            project = open_project()
        super().__init__(project=project, **traits)
        # Only now: what a thread publishes while the comm is being opened would be lost.
        if source is not None:
            self.choose(source)

    @contextmanager
    def _hold(self) -> Iterator[None]:
        with self.hold_sync():
            yield

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/plain"] = repr(self)
        return bundle

    def __repr__(self) -> str:
        return f"ImportWidget(into {self._project.name})"
