"""Import and export of annotation data, in a notebook: seen before it is committed, undone at will.

>>> import nbannot as nb
>>> project = nb.open_project()
>>> project
Project in memory: no items yet
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import NbannotError as NbannotError
    from .importing import Plan as Plan
    from .importing import Report as Report
    from .importing import detect as detect
    from .progress import Progress as Progress
    from .project import Project as Project
    from .project import open_project as open_project
    from .widgets import ImportModel as ImportModel
    from .widgets import ImportWidget as ImportWidget
    from .widgets import ProjectWidget as ProjectWidget

__version__ = "0.1.0"

# Public name -> module that has it. Nothing is imported before it is used: `import nbannot`
# costs what an empty module costs.
_NAMES = {
    "ImportModel": "widgets",
    "ImportWidget": "widgets",
    "NbannotError": "errors",
    "Plan": "importing",
    "Progress": "progress",
    "Project": "project",
    "ProjectWidget": "widgets",
    "Report": "importing",
    "demo": "demo",
    "detect": "importing",
    "open_project": "project",
}

__all__ = [
    "ImportModel",
    "ImportWidget",
    "NbannotError",
    "Plan",
    "Progress",
    "Project",
    "ProjectWidget",
    "Report",
    "__version__",
    "demo",
    "detect",
    "open_project",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_NAMES[name]}", __name__)
    value = module if name == _NAMES[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
