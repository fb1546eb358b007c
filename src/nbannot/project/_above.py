"""What a project can do that lives in layers above it: a name, and where it is found.

``project.plan(...)`` is what a user wants to write, and importing is built on the project, not
the other way round. So the methods that belong above are found by name on first use, as formats
are, and nothing above is imported by importing a project. This table is the only place where the
project knows that there is anything above it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

__all__ = ["ABOVE", "above"]

ABOVE = {
    "export": "nbannot.exporting:export",
    "export_plan": "nbannot.exporting:export_plan",
    "import_dataset": "nbannot.importing:import_dataset",
    "plan": "nbannot.importing:plan",
    "widget": "nbannot.widgets.project_widget:ProjectWidget",
}


@cache
def above(name: str) -> Any:
    """Return the function or class that `ABOVE` calls `name`."""
    module, _, attribute = ABOVE[name].partition(":")
    return getattr(import_module(module), attribute)
