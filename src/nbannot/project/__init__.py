"""The project: tables, copied media and history behind `Project`, `Task`, `Job` and `Page`."""

from __future__ import annotations

from ._store_commit import Commit
from .page import Page
from .project import Project, open_project
from .task import Job, Task

__all__ = ["Commit", "Job", "Page", "Project", "Task", "open_project"]
