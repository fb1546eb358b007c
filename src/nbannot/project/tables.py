"""A project as tables: DataFrames for people, Arrow tables for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..schema import Label
from . import _store_history as history
from . import _store_read as read
from ._store import Store
from ._store_rows import as_json

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

    from ._frames import Tasks

__all__ = ["ProjectTables"]


class ProjectTables:
    """What is in a project now: undone and removed rows are not there."""

    _store: Store

    @property
    def items(self) -> pd.DataFrame:
        """One row per item; `data` and `meta` are JSON, `blob` the sha-256 of copied media."""
        from ._frames import items_frame

        with self._store.read() as connection:
            return items_frame(read.item_rows(connection), self._tasks())

    @property
    def annotations(self) -> pd.DataFrame:
        """One row per annotation, in columns of `nbannot.schema`; `item` is the item_id.

        `layer` is "ground truth" or the name of a model's version.
        """
        from ._frames import annotations_frame

        with self._store.read() as connection:
            rows = read.annotation_rows(connection, self._names())
            return annotations_frame(rows, read.item_rows(connection), self._tasks())

    @property
    def labels(self) -> pd.DataFrame:
        """One row per label, with how many annotations have it."""
        from ._frames import labels_frame

        with self._store.read():
            return labels_frame(self._names(), self._counts().by_label)

    @property
    def tasks(self) -> Tasks:
        """One row per task; ``project.tasks["val"]`` is the task called "val"."""
        from ._frames import Tasks

        with self._store.read():
            rows, tally = self._tasks(), self._counts().by_task
        return Tasks.of(self, rows, tally)

    @property
    def layers(self) -> pd.DataFrame:
        """One row per layer: the ground truth, and one per version of a model."""
        import pandas as pd

        with self._store.read():
            known, tally = self._names(), self._counts().by_layer
        return pd.DataFrame(
            {
                "layer_id": list(known.layers),
                "name": list(known.layers.values()),
                "kind": list(known.layer_kinds.values()),
                "annotations": [tally.get(i, 0) for i in known.layers],
            }
        )

    @property
    def requests(self) -> pd.DataFrame:
        """One row per import, export and edit, oldest first; `undone` says what was taken back."""
        from ._frames import frame

        with self._store.read() as connection:
            return frame(history.requests(connection))

    def ledger(self, request_id: int) -> pd.DataFrame:
        """Return the ledger of a request: what was not imported as given, and why."""
        from ._frames import frame

        with self._store.read() as connection:
            return frame(history.ledger(connection, request_id)[0])

    def sql(self, query: str) -> pd.DataFrame:
        """Return the rows of a query that may only read.

        Views hold what is in the project now: ``live_items``, ``live_annotations``,
        ``live_labels``, ``live_layers``, ``live_tasks``. The dialect is SQLite's; `points` are
        blobs of little-endian float64.

        Raises:
            ProjectError: the query is wrong, or would change something.
        """
        from ._frames import frame

        return frame(self._store.sql(query))

    def item_table(
        self,
        task_id: int | None = None,
        item_ids: ArrayLike | None = None,
        *,
        positions: tuple[int, int] | None = None,
    ) -> pa.Table:
        """Return items as an Arrow table (item_id, task_id, position, key, ...), by item_id.

        Args:
            task_id: only those of a task.
            item_ids: only these.
            positions: only those at positions from the first to the second (exclusive).
        """
        ids = None if item_ids is None else read.id_array(item_ids)
        with self._store.read() as connection:
            return read.item_rows(connection, task_id=task_id, item_ids=ids, positions=positions)

    def annotation_table(
        self,
        task_id: int | None = None,
        item_ids: ArrayLike | None = None,
        layer_ids: Sequence[int] | None = None,
    ) -> pa.Table:
        """Return annotations as an Arrow table, by annotation_id.

        Columns are annotation_id, those of `schema.ANNOTATIONS` (`item` is the item_id, `layer`
        null for the ground truth) and added_by, the request that added it.

        Args:
            task_id: only those on items of a task.
            item_ids: only those on these items.
            layer_ids: only those of these layers; 0 is the ground truth.
        """
        ids = None if item_ids is None else read.id_array(item_ids)
        with self._store.read() as connection:
            return read.annotation_rows(
                connection,
                self._names(),
                task_id=task_id,
                item_ids=ids,
                layer_ids=layer_ids,
            )

    def annotation_batches(
        self,
        task_id: int | None = None,
        item_ids: ArrayLike | None = None,
        layer_ids: Sequence[int] | None = None,
        *,
        batch_items: int = 4096,
    ) -> Iterator[tuple[pa.Table, pa.Table]]:
        """Yield (items, annotations on them), `batch_items` items at a time, in their order.

        In constant memory, and of one committed state, however long it takes (a project in
        memory must not be changed meanwhile).
        """
        ids = None if item_ids is None else read.id_array(item_ids)
        with self._store.snapshot() as connection:
            yield from read.batches(connection, task_id, ids, layer_ids, batch_items)

    def label_list(self) -> list[Label]:
        """Return the labels, in the order they were added."""
        return list(self._names().labels.values())

    def last_import(self, source_uri: str, target: Any) -> dict[str, Any] | None:
        """Return the newest import of a source into a target that is not undone, as a dict."""
        with self._store.read() as connection:
            return history.last_import(connection, source_uri, as_json(target) or "")

    # -- kept until the project changes --------------------------------------------------

    def _tasks(self) -> list[read.TaskRow]:
        return self._store.cached("tasks", read.task_rows)

    def _names(self) -> read.Names:
        return self._store.cached("names", read.names)

    def _counts(self) -> read.Counts:
        return self._store.cached("counts", read.counts)
