"""Writing annotation files of many images: a file for each subset, and the images beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..ledger import Ledger
from ..progress import Progress
from ..schema import DEFAULT_SUBSET
from .fitting import FileNames, Fitting, Row
from .image_records import is_subset
from .json_values import loads
from .writing import Export, Sink, safe_path

__all__ = ["ImageFiles", "extra_of", "fitted", "rounded", "subset_folder"]


def subset_folder(export: Export, subset: str, ledger: Ledger | None = None) -> str:
    """Return the folder of a subset, a single one; "" where the data has no subsets.

    A note in `ledger` says where the subset will not be known by the folder.
    """
    if list(export.subsets) in ([], [DEFAULT_SUBSET], [""]):
        return ""
    folder = safe_path(subset or DEFAULT_SUBSET).replace("/", "-")
    unusual = folder != subset or (len(export.subsets) == 1 and not is_subset(folder))
    if ledger is not None and unusual:
        ledger.note(
            "subset is a folder only", file=folder,
            message=f"the folder {folder} is the subset {subset!r}: nothing else tells it",
        )  # fmt: skip
    return folder


def fitted(
    export: Export, subset: str, fitting: Fitting, progress: Progress, own: str = ""
) -> Iterator[tuple[Row, list[Row]]]:
    """Yield the items of a subset with their annotations, as they fit; tell the progress.

    `own` is the name under which a format keeps its own values in `extra`: a note counts the
    records on which another format had kept some.
    """
    lost = 0
    for batch in export.batches(subset):
        for item, rows in fitting.fit(batch):
            lost += sum(_of_others(row["extra"], own) for row in rows if own and "extra" in row)
            yield item, rows
            progress.advance()
    if lost:
        message = f"extra of {lost:,} records"
        fitting.ledger.note(f"no place in {fitting.title}", message=message)


def _of_others(extra: str, own: str) -> bool:
    # Is there something in `extra` that is not the format's own?
    if extra == "{}":
        return False
    try:
        kept, _ = loads(extra.encode())
    except ValueError:
        return True
    return not isinstance(kept, dict) or bool(kept.keys() - {own})


class ImageFiles:
    """Writes images under their keys, and says where one had to get another name."""

    def __init__(self, sink: Sink, fitting: Fitting, *, stems: bool = False) -> None:
        """`stems`: a.jpg and a.png would be one name in this format."""
        self._sink, self._fitting = sink, fitting
        self._names = FileNames(stems=stems)

    def add(self, item: Row, folder: str = "") -> str:
        """Write the image of an item under `folder`; return its path."""
        path = self._names.of(item, folder)
        key = safe_path(item["key"])
        if path != (f"{folder}/{key}" if folder else key):
            self._fitting.ledger.warn(
                "renamed", file=item["key"], record="item", item=item["key"],
                message=f"{item['key']} is written as {path}",
            )  # fmt: skip
        self._sink.add_media(path, item["number"])
        return path


def extra_of(row: Row, name: str, column: str = "extra") -> dict[str, Any]:
    """Return what the reader of format `name` kept in a row's `extra` (or an item's ``meta``).

    The column is taken out of the row, so that it is not counted as lost, where it is its own.
    """
    if not row.get(column):
        return {}
    try:
        kept, _ = loads(row[column].encode())
    except ValueError:
        return {}
    mine = kept.get(name) if isinstance(kept, dict) else None
    return mine if isinstance(mine, dict) else {}


def rounded(value: float) -> float | int:
    """Return a number as files write it: whole numbers without a point.

    >>> rounded(3.0), rounded(0.1)
    (3, 0.1)
    """
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(value)
