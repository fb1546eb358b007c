"""The account of an import or export: what became of every record.

A **record** is one thing that a source declares: an image, an annotation, a row.
It ends in exactly one way: imported, imported with a warning, or rejected.
The reader counts what it meets with `Ledger.read` *before* it interprets it;
the importer counts what was written. `Ledger.check` holds the two together.

Lines with outcome ``note`` speak of a file or a dataset, not of a record, and
are not counted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import BalanceError, printable

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Balance", "Ledger"]

COLUMNS = ("outcome", "reason", "file", "where", "record", "item", "message")


@dataclass(frozen=True, slots=True)
class Balance:
    """Counts of records: ``read == imported + warned + rejected``."""

    read: int
    imported: int
    warned: int
    rejected: int


class Ledger:
    """Collects one line per record that was not imported as given, and per note.

    * `reason` is a short stable phrase that groups lines: ``"box reaches outside the image"``.
    * `file` is the path in the source; `where` the line, JSON path or row in it.
    * `record` names the record within the file, ``"annotation 17"``; (`file`, `record`)
      identifies it, so that two warnings about one record count once. A line about an item
      itself has the record ``"item"``, and its key in `item` identifies it.
    * `item` is the key of the item concerned; `message` the whole sentence.

    >>> ledger = Ledger()
    >>> ledger.read(3)
    >>> ledger.reject("class 9 is not in names", file="a.txt", where="line 2", record="line 2")
    >>> ledger.check(rows=2)
    Balance(read=3, imported=2, warned=0, rejected=1)
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[str]] = {name: [] for name in COLUMNS}
        self._read = 0
        self._joined = 0
        self._split = 0
        self._uncounted: set[tuple[str, str]] = set()

    # -- counting ---------------------------------------------------------------------

    def read(self, count: int = 1) -> None:
        """Count records met in the source, before it is known what becomes of them."""
        self._read += count

    def joined(self, count: int = 1) -> None:
        """Count records that became part of another record's row and lost nothing by it.

        Example: Label Studio writes a rectangle and its label as two results with one id.
        """
        self._joined += count

    def split(self, count: int = 1) -> None:
        """Count rows beyond the first that came from one record.

        Example: one CSV row ``"cat dog"`` that becomes two tags counts 1 here.
        """
        self._split += count

    def leave_out(self, count: int) -> None:
        """Take back the reading of records that were not asked for (``subsets=``)."""
        self._read -= count

    def gone(self, items: Collection[str]) -> None:
        """Stop counting warnings on `items` (keys): their records were rejected afterwards."""
        columns = self._columns
        rows = zip(columns["file"], columns["record"], columns["item"], strict=True)
        self._uncounted |= {_identity(*row) for row in rows if row[2] in items}

    # -- lines ------------------------------------------------------------------------

    def warn(self, reason: str, **line: Any) -> None:
        """Add a warning: the record is imported, but changed or suspect."""
        self._add("warning", reason, **line)

    def reject(self, reason: str, **line: Any) -> None:
        """Add a rejection: the record is not imported."""
        self._add("rejected", reason, **line)

    def note(self, reason: str, **line: Any) -> None:
        """Add a remark about a file or the dataset; it counts no record."""
        self._add("note", reason, **line)

    def _add(
        self,
        outcome: str,
        reason: str,
        *,
        file: str | Sequence[str] = "",
        where: str | Sequence[str] = "",
        record: str | Sequence[str] = "",
        item: str | Sequence[str] = "",
        message: str | Sequence[str] = "",
    ) -> None:
        # Each field may be one value or one per record: a column of 10,000 warnings is one call.
        fields = {"file": file, "where": where, "record": record, "item": item, "message": message}
        lengths = {len(v) for v in fields.values() if not isinstance(v, str)}
        if len(lengths) > 1:
            raise ValueError(f"ledger fields of different lengths: {sorted(lengths)}")
        count = lengths.pop() if lengths else 1
        if outcome != "note" and not (record if isinstance(record, str) else all(record)):
            raise ValueError(f"a line about a record must name it: {reason!r}")
        self._columns["outcome"] += [outcome] * count
        self._columns["reason"] += [reason] * count
        for name, value in fields.items():
            values = [value] * count if isinstance(value, str) else value
            self._columns[name] += [printable(v) for v in values]

    # -- reading it back --------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._columns["outcome"])

    def extend(self, other: Ledger) -> None:
        """Append everything that `other` holds, lines and counts."""
        for name, values in self._columns.items():
            values += other._columns[name]
        self._read += other._read
        self._joined += other._joined
        self._split += other._split
        self._uncounted |= other._uncounted

    def check(self, rows: int) -> Balance:
        """Return the balance, given the number of item and annotation rows written.

        Raises:
            BalanceError: if ``read != imported + warned + rejected``.
        """
        rejected = self._records("rejected")
        kept = rows + self._joined - self._split
        warned = min(len(self._records("warning") - rejected - self._uncounted), kept)
        balance = Balance(self._read, kept - warned, warned, len(rejected))
        if balance.read != kept + balance.rejected:
            raise BalanceError(
                f"The reader met {balance.read} records, but {kept} were kept and "
                f"{balance.rejected} rejected, so {balance.read - kept - balance.rejected} are "
                "not accounted for, and nothing was imported",
                hint="This is a fault in the format's reader: please report it with the file.",
            )
        return balance

    def _records(self, outcome: str) -> set[tuple[str, str]]:
        columns = self._columns
        rows = zip(columns["file"], columns["record"], columns["item"], strict=True)
        return {
            _identity(*row)
            for kind, row in zip(columns["outcome"], rows, strict=True)
            if kind == outcome
        }

    @property
    def read_count(self) -> int:
        """Records met so far."""
        return self._read

    def groups(self) -> list[tuple[str, str, int]]:
        """Return ``(outcome, reason, lines)``, worst and largest first."""
        counts: dict[tuple[str, str], int] = {}
        for key in zip(self._columns["outcome"], self._columns["reason"], strict=True):
            counts[key] = counts.get(key, 0) + 1
        order = {"rejected": 0, "warning": 1, "note": 2}
        return sorted(
            ((*key, n) for key, n in counts.items()), key=lambda g: (order[g[0]], -g[2], g[1])
        )

    def lines(self, outcome: str, reason: str, limit: int = 100) -> list[dict[str, str]]:
        """Return up to `limit` lines of one group, as dicts."""
        found = []
        for i, key in enumerate(
            zip(self._columns["outcome"], self._columns["reason"], strict=True)
        ):
            if key == (outcome, reason):
                found.append({name: values[i] for name, values in self._columns.items()})
                if len(found) == limit:
                    break
        return found

    def to_arrow(self) -> pa.Table:
        """Return the lines as an Arrow table of strings; absent fields are empty strings."""
        import pyarrow as pa

        return pa.table({n: pa.array(v, pa.string()) for n, v in self._columns.items()})

    def to_pandas(self) -> pd.DataFrame:
        """Return the lines as a DataFrame, in the order they were added."""
        import pandas as pd

        return pd.DataFrame(self._columns)


def _identity(file: str, record: str, item: str) -> tuple[str, str]:
    return ("item", item) if record == "item" else (file, record)
