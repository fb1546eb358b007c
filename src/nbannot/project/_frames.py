"""Arrow tables as the DataFrames that users get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ._store_read import Names, TaskRow
from ._store_tables import GROUND_TRUTH

if TYPE_CHECKING:
    from .project import Project

__all__ = ["Tasks", "annotations_frame", "frame", "items_frame", "labels_frame"]


def frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a DataFrame: integers stay integers beside nulls, lists stay lists."""
    columns = {name: _series(table.select([name]))[name] for name in table.column_names}
    return pd.DataFrame(columns, copy=False)


def _series(table: pa.Table) -> pd.DataFrame:
    kind, nulls = table.schema.types[0], table.column(0).null_count
    mapped: Any = None
    if pa.types.is_list(kind):  # zero copy: a list is made of a value when it is looked at
        mapped = pd.ArrowDtype(kind)
    elif nulls and pa.types.is_integer(kind):
        mapped = pd.Int64Dtype()
    elif nulls and pa.types.is_boolean(kind):
        mapped = pd.BooleanDtype()
    return table.to_pandas(types_mapper={kind: mapped}.get if mapped is not None else None)


def items_frame(items: pa.Table, tasks: Sequence[TaskRow]) -> pd.DataFrame:
    """Return items (columns of ``STORED_ITEMS``) with the names of their tasks."""
    table = items.drop_columns("task_id")
    return frame(table.add_column(1, "task", _task_names(items["task_id"], tasks)))


def annotations_frame(
    annotations: pa.Table, items: pa.Table, tasks: Sequence[TaskRow]
) -> pd.DataFrame:
    """Return annotations with the task and key of their items, which `items` must hold."""
    place = pa.array(_positions(items["item_id"], annotations["item"]))
    layer = pc.fill_null(annotations["layer"], GROUND_TRUTH)
    table = annotations.set_column(
        annotations.schema.get_field_index("layer"), "layer", layer
    ).drop_columns("added_by")
    table = table.add_column(1, "task", _task_names(items["task_id"].take(place), tasks))
    return frame(table.add_column(3, "key", items["key"].take(place)))


def labels_frame(known: Names, tally: dict[int, int]) -> pd.DataFrame:
    """Return the labels, with how many annotations each has."""
    rows = [
        {
            "label_id": label_id,
            "name": label.name,
            "color": label.color,
            "annotations": tally.get(label_id, 0),
            "parent": label.parent,
            "skeleton": None if label.skeleton is None else list(label.skeleton.points),
            "attributes": [dict(a) for a in label.attributes],
            "hotkey": label.hotkey,
            "source_id": label.source_id,
        }
        for label_id, label in known.labels.items()
    ]
    columns = (
        "label_id", "name", "color", "annotations", "parent", "skeleton", "attributes", "hotkey",
        "source_id",
    )  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _positions(sorted_ids: pa.ChunkedArray, wanted: pa.ChunkedArray) -> NDArray[np.int64]:
    out: NDArray[np.int64] = np.searchsorted(sorted_ids.to_numpy(), wanted.to_numpy())
    return out


def _task_names(ids: pa.ChunkedArray, tasks: Sequence[TaskRow]) -> pa.ChunkedArray:
    index = pc.index_in(ids, pa.array([t.task_id for t in tasks], pa.int64()))
    return pc.take(pa.chunked_array([[t.name for t in tasks]], pa.string()), index)


class Tasks(pd.DataFrame):
    """The tasks of a project as a DataFrame; ``tasks["val"]`` is the `Task` called "val".

    A column's name comes first: for a task that is called like a column, use `Project.task`.
    """

    _metadata: ClassVar[list[str]] = ["_project"]

    @classmethod
    def of(cls, project: Any, rows: Sequence[TaskRow], annotations: Mapping[int, int]) -> Tasks:
        """Return the tasks of a project; `annotations` are counted by task_id."""
        columns = {
            "task_id": pa.array([row.task_id for row in rows], pa.int64()),
            "name": pa.array([row.name for row in rows], pa.string()),
            "subset": pa.array([row.subset for row in rows], pa.string()),
            "items": pa.array([row.items for row in rows], pa.int64()),
            "annotations": pa.array([annotations.get(r.task_id, 0) for r in rows], pa.int64()),
        }
        tasks = cls(frame(pa.table(columns)))
        tasks._project = project
        return tasks

    @property
    def _constructor(self) -> type[Tasks]:
        return Tasks

    def __getitem__(self, key: Any) -> Any:
        project: Project | None = getattr(self, "_project", None)
        if isinstance(key, str) and key not in self.columns and project is not None:
            return project.task(key)
        return super().__getitem__(key)
