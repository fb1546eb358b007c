"""Tasks and jobs of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..errors import OptionError, ProjectError
from ._above import above
from ._store_read import TaskRow

if TYPE_CHECKING:
    import pandas as pd

    from .project import Project

__all__ = ["Job", "Task"]


class _Part:
    """What a task and a job have in common: items, and annotations on them."""

    project: Project
    task_id: int
    name: str

    @property
    def ref(self) -> str:
        """What it is called in the project's history: "task:3", "job:5"."""
        raise NotImplementedError

    @property
    def code(self) -> str:
        """The Python that gets it from ``project``."""
        raise NotImplementedError

    def item_table(self) -> pa.Table:
        """Return its items as an Arrow table; see `Project.item_table`."""
        raise NotImplementedError

    def annotation_table(self) -> pa.Table:
        """Return the annotations on its items as an Arrow table; see `Project.annotation_table`."""
        raise NotImplementedError

    @property
    def items(self) -> pd.DataFrame:
        """Its items; see `Project.items`."""
        from ._frames import items_frame

        return items_frame(self.item_table(), self.project._tasks())

    @property
    def annotations(self) -> pd.DataFrame:
        """The annotations on its items; see `Project.annotations`."""
        from ._frames import annotations_frame

        items = self.item_table().sort_by("item_id")
        return annotations_frame(self.annotation_table(), items, self.project._tasks())

    def plan(self, source: object, format: str | None = None, **options: Any) -> Any:
        """Return what importing annotations from `source` would do, without doing it.

        Takes what `Project.plan` takes, but `into`.
        """
        return above("plan")(self.project, source, format, into=self, **options)

    def import_annotations(
        self, source: object, format: str | None = None, *, mode: str = "replace", **options: Any
    ) -> Any:
        """Import annotations onto the items it has, and return the `Report`.

        Args:
            source: what `Project.plan` takes.
            format: name of the format; found by itself when not given.
            mode: "replace" (the annotations it has go; undo brings them back), "append", or
                "merge" (what is there already is not added again).
            **options: the rest of what `Project.plan` takes.
        """
        return above("import_dataset")(
            self.project, source, format, into=self, mode=mode, **options
        )


class Task(_Part):
    """A named group of items; an import of a dataset makes one per subset.

    Got from `Project.task`; it stays valid while the task is in the project.
    """

    def __init__(self, project: Project, row: TaskRow) -> None:
        self.project = project
        self.task_id = row.task_id
        self.name = row.name
        self.subset = row.subset

    def _row(self) -> TaskRow:
        return self.project._task_row(self.task_id)

    @property
    def ref(self) -> str:
        """What it is called in the project's history."""
        return f"task:{self.task_id}"

    @property
    def code(self) -> str:
        """The Python that gets it from ``project``."""
        return f"project.task({self.name!r})"

    @property
    def item_count(self) -> int:
        """How many items it has."""
        return self._row().items

    def item_table(self) -> pa.Table:
        """Return its items as an Arrow table; see `Project.item_table`."""
        self._row()
        return self.project.item_table(task_id=self.task_id)

    def annotation_table(self) -> pa.Table:
        """Return the annotations on its items as an Arrow table."""
        self._row()
        return self.project.annotation_table(task_id=self.task_id)

    @property
    def jobs(self) -> list[Job]:
        """Its jobs, by where they start."""
        return self.project._jobs(self)

    def job(self, name: str) -> Job:
        """Return the job called `name`.

        Raises:
            ProjectError: the task has none of that name.
        """
        found = [job for job in self.jobs if job.name == name]
        if not found:
            names = ", ".join(repr(job.name) for job in self.jobs[:20]) or "none"
            raise ProjectError(f"Task {self.name!r} has no job {name!r}", hint=f"It has: {names}.")
        return found[0]

    def split_jobs(self, size: int) -> list[Job]:
        """Divide the task into jobs of `size` items, in place of those it has; return them.

        The last one may be smaller. One request: `Project.undo` takes it back.

        Raises:
            OptionError: `size` is not at least 1.
        """
        if size < 1:
            raise OptionError(f"size= can't be {size!r}", hint="It must be 1 item or more.")
        positions = np.sort(self.item_table()["position"].to_numpy())
        starts = [0, *positions[size::size].tolist()]
        stops = [*starts[1:], self._row().stop]
        code = f"{self.code}.split_jobs({size})"
        with self.project.begin("edit", title=f"Split {self.name} into jobs", code=code) as commit:
            commit.remove_jobs(self.task_id)
            for number, (start, stop) in enumerate(zip(starts, stops, strict=True), 1):
                if start < stop:
                    commit.add_job(self.task_id, f"{self.name} {number}", start, stop)
        return self.jobs

    def __repr__(self) -> str:
        return f"Task {self.name!r}: {self.item_count:,} items, {len(self.jobs):,} jobs"


class Job(_Part):
    """A contiguous part of a task's items, given to one person (`assignee`).

    `start` and `stop` are positions in the task, `stop` exclusive.
    """

    def __init__(self, task: Task, row: dict[str, Any]) -> None:
        self.task = task
        self.project = task.project
        self.task_id = task.task_id
        self.job_id: int = row["job_id"]
        self.name: str = row["name"]
        self.start: int = row["start"]
        self.stop: int = row["stop"]
        self.assignee: str = row["assignee"]
        self.state: str = row["state"]

    @property
    def ref(self) -> str:
        """What it is called in the project's history."""
        return f"job:{self.job_id}"

    @property
    def code(self) -> str:
        """The Python that gets it from ``project``."""
        return f"{self.task.code}.job({self.name!r})"

    @property
    def item_count(self) -> int:
        """How many items it has."""
        return len(self.item_table())

    def item_table(self) -> pa.Table:
        """Return its items as an Arrow table; see `Project.item_table`."""
        return self.project.item_table(task_id=self.task_id, positions=(self.start, self.stop))

    def annotation_table(self) -> pa.Table:
        """Return the annotations on its items as an Arrow table."""
        ids = self.item_table()["item_id"].to_numpy()
        return self.project.annotation_table(item_ids=ids)

    def __repr__(self) -> str:
        return f"Job {self.name!r}: items {self.start:,} to {self.stop - 1:,} of {self.task.name!r}"
