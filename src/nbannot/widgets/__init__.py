"""Widgets: traits and commands. `ImportModel` works without a browser."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .import_model import ImportModel as ImportModel
    from .import_widget import ImportWidget as ImportWidget
    from .project_widget import ProjectWidget as ProjectWidget

__all__ = ["ImportModel", "ImportWidget", "ProjectWidget"]

_PLACES = {
    "ImportModel": "import_model",  # needs no anywidget
    "ImportWidget": "import_widget",
    "ProjectWidget": "project_widget",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PLACES[name]}", __name__), name)
