"""What an export did."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..formats.base import Format
from ..ledger import Ledger

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ExportReport", "counts_of", "groups_html"]

_WORDS = {"warning": "converted", "rejected": "left out"}


@dataclass(eq=False)
class ExportReport:
    """What an export did: ``read == written + converted + rejected``, counts of records.

    * Records are items, and annotations on them; `converted` ones were written, but changed.
    * `path` is what was written; `request_id` its number in the project's history.
    * `ledger` is a DataFrame: outcome, reason, file, where, record, item, message.
    """

    format: str
    path: Path | str
    read: int
    written: int
    converted: int
    rejected: int
    notes: Ledger
    request_id: int | None = None
    seconds: float = 0.0
    code: str = ""

    @classmethod
    def of(cls, fmt: Format, path: Path | str, read: int, ledger: Ledger) -> ExportReport:
        """Return the report of `read` records, by what the writer says in the ledger."""
        written, converted, rejected = counts_of(ledger, read)
        return cls(fmt.title, path, read, written, converted, rejected, ledger)

    @property
    def ledger(self) -> pd.DataFrame:
        """One line per record that was converted or left out, and per note."""
        return self.notes.to_pandas()

    @property
    def text(self) -> str:
        """The report in one sentence."""
        kept = self.written + self.converted
        text = f"Wrote {kept:,} of {self.read:,} records to {self._name}"
        return f"{text}, {self.converted:,} of them changed." if self.converted else f"{text}."

    @property
    def _name(self) -> str:
        return self.path.name if isinstance(self.path, Path) else self.path

    def as_dict(self) -> dict[str, Any]:
        """Return what a widget shows."""
        return {
            "request": self.request_id,
            "path": str(self.path),
            "read": self.read,
            "written": self.written,
            "converted": self.converted,
            "rejected": self.rejected,
            "seconds": round(self.seconds, 3),
            "text": self.text,
        }

    def __repr__(self) -> str:
        lines = [
            f"Export: {self.path} ({self.format})",
            f"  {self._counts()}",
        ]
        lines += [f"  {outcome}: {reason} ({n:,})" for outcome, reason, n in self._groups()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return (
            "<div style='max-width:60em'>"
            f"<div style='font-weight:600'>{html.escape(f'{self.format}: {self.path}')}</div>"
            f"<div>{self._counts()}, in {self.seconds:.1f} s</div>{groups_html(self.notes)}</div>"
        )

    def _counts(self) -> str:
        return (
            f"{self.read:,} records read = {self.written:,} written as they are + "
            f"{self.converted:,} converted + {self.rejected:,} left out"
        )

    def _groups(self) -> list[tuple[str, str, int]]:
        return [(_WORDS.get(kind, kind), reason, n) for kind, reason, n in self.notes.groups()]


def counts_of(ledger: Ledger, read: int) -> tuple[int, int, int]:
    """Return how many of `read` records were written as they are, converted, and left out."""
    lines = ledger.to_arrow().select(["outcome", "file", "record"]).to_pylist()
    named = {
        outcome: {(r["file"], r["record"]) for r in lines if r["outcome"] == outcome}
        for outcome in ("rejected", "warning")
    }
    rejected = len(named["rejected"])
    converted = min(len(named["warning"] - named["rejected"]), read - rejected)
    return read - converted - rejected, converted, rejected


def groups_html(notes: Ledger) -> str:
    """Return the groups of a ledger as a table, "" where there are none."""
    cell = "style='text-align:left;padding:2px 12px 2px 0'"
    heads = ("outcome", "reason", "lines", "what it says")
    rows = []
    for kind, reason, n in notes.groups():
        said = notes.lines(kind, reason, 1)[0]
        words = (_WORDS.get(kind, kind), reason, f"{n:,}", said["message"] or said["record"])
        rows.append(words)
    body = "".join(
        "<tr>" + "".join(f"<td {cell}>{html.escape(v)}</td>" for v in row) + "</tr>"
        for row in rows[:20]
    )
    head = "".join(f"<th scope='col' {cell}>{h}</th>" for h in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
