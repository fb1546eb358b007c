"""The rows of several label files while they are read: which are good, what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ledger import Ledger
from .rows import Rows, Shapes

__all__ = ["RowLines", "RowWork"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class RowLines:
    """Tells the ledger of rows: by file and line, each in one sentence.

    `files` and `items` are the label file and the item key of each text.
    """

    def __init__(self, ledger: Ledger, files: Sequence[str], items: Sequence[str]) -> None:
        self.ledger, self.files, self.items = ledger, files, items

    def tell(
        self,
        how: str,
        reason: str,
        file: Integers,
        line: Integers,
        texts: str | Sequence[str],
    ) -> None:
        """Add lines with outcome `how` (``warn``, ``reject``, ``note``) about rows."""
        if not len(file):
            return
        names = [self.files[i] for i in file.tolist()]
        where = [f"line {n}" for n in line.tolist()]
        texts = [texts] * len(names) if isinstance(texts, str) else texts
        getattr(self.ledger, how)(
            reason,
            file=names,
            where=where,
            record=where,
            item=[self.items[i] for i in file.tolist()],
            message=[f"{n} {w}: {t}" for n, w, t in zip(names, where, texts, strict=True)],
        )


class RowWork:
    """The rows, which of them are still good, and what is to be said of them."""

    def __init__(self, rows: Rows, shapes: Shapes, size: Floats, lines: RowLines) -> None:
        self.rows, self.shapes, self.size, self.lines = rows, shapes, size, lines
        self.good = np.ones(len(rows), bool)
        self.extra: dict[int, dict[str, Any]] = {}
        self.attributes: dict[int, dict[str, Any]] = {}

    def reject(self, which: Flags, reason: str, text: Callable[[int], str] | str) -> None:
        """Reject the good rows in `which`."""
        self.tell("reject", which, reason, text)
        self.good &= ~which

    def warn(self, which: Flags, reason: str, text: Callable[[int], str] | str) -> None:
        """Warn of the good rows in `which`."""
        self.tell("warn", which, reason, text)

    def tell(self, how: str, which: Flags, reason: str, text: Callable[[int], str] | str) -> None:
        """Say something of the good rows in `which`."""
        index = np.flatnonzero(which & self.good)
        if len(index):
            texts = text if isinstance(text, str) else [text(i) for i in index.tolist()]
            self.lines.tell(how, reason, self.rows.file[index], self.rows.line[index], texts)

    def kind(self, what: int) -> Integers:
        """Return the good rows of a kind."""
        return np.flatnonzero((self.shapes.kind == what) & self.good)

    def flags(self, rows: Integers | Sequence[int]) -> Flags:
        """Return flags that are set at `rows`."""
        out = np.zeros(len(self.rows), bool)
        out[rows] = True
        return out

    def repeated(self) -> None:
        """Note rows that say the same as an earlier one of their file; they are kept."""
        flat, begins = self.rows.flat()
        count, file, line = self.rows.count, self.rows.file, self.rows.line
        # Only rows of equal file and weighted sum are compared number by number.
        place = np.arange(len(flat)) - np.repeat(begins, count)
        with np.errstate(over="ignore"):
            sums = np.add.reduceat(flat * (place * 0.7548776662466927 % 1 + 0.5), begins)
        order = np.lexsort((line, sums, file))
        same = (np.diff(sums[order]) == 0) & (np.diff(file[order]) == 0)
        first: dict[int, int] = {}
        for k in np.flatnonzero(same).tolist():
            a, b = int(order[k]), int(order[k + 1])
            if np.array_equal(self.numbers_of(a), self.numbers_of(b)):
                first[b] = first.get(a, a)
        text = "it repeats line {}; kept"
        twins = self.flags(list(first))
        self.tell("note", twins, "row repeated", lambda i: text.format(line[first[i]]))

    def numbers_of(self, row: int) -> Floats:
        """Return the numbers of one row, the class first."""
        start = self.rows.start[row]
        return self.rows.values[start : start + self.rows.count[row]]
