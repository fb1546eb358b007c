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

__all__ = ["ExportReport"]


@dataclass(eq=False)
class ExportReport:
    """What an export did: ``read == written + converted + rejected``, counts of records.

    * Records are items, and annotations on them; `converted` ones were written, but changed.
    * `path` is what was written; `request_id` its number in the project's history.
    * `ledger` is a DataFrame: outcome, reason, file, where, record, item, message.
    """

    format: str
    path: Path
    read: int
    written: int
    converted: int
    rejected: int
    notes: Ledger
    request_id: int | None = None
    seconds: float = 0.0
    code: str = ""

    @classmethod
    def of(cls, fmt: Format, path: Path, read: int, ledger: Ledger) -> ExportReport:
        """Return the report of `read` records, by what the writer says in the ledger."""
        lines = ledger.to_arrow().select(["outcome", "file", "record"]).to_pylist()
        named = {
            outcome: {(r["file"], r["record"]) for r in lines if r["outcome"] == outcome}
            for outcome in ("rejected", "warning")
        }
        rejected = len(named["rejected"])
        converted = min(len(named["warning"] - named["rejected"]), read - rejected)
        return cls(fmt.title, path, read, read - converted - rejected, converted, rejected, ledger)

    @property
    def ledger(self) -> pd.DataFrame:
        """One line per record that was converted or left out, and per note."""
        return self.notes.to_pandas()

    @property
    def text(self) -> str:
        """The report in one sentence."""
        kept = self.written + self.converted
        text = f"Wrote {kept:,} of {self.read:,} records to {self.path.name}"
        return f"{text}, {self.converted:,} of them changed." if self.converted else f"{text}."

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
        cell = "style='text-align:left;padding:2px 12px 2px 0'"
        heads = ("outcome", "reason", "lines", "what it says")
        rows = []
        for outcome, (kind, reason, n) in zip(self._groups(), self.notes.groups(), strict=True):
            said = self.notes.lines(kind, reason, 1)[0]
            rows.append((outcome[0], reason, f"{n:,}", said["message"] or said["record"]))
        body = "".join(
            "<tr>" + "".join(f"<td {cell}>{html.escape(v)}</td>" for v in row) + "</tr>"
            for row in rows[:20]
        )
        head = "".join(f"<th scope='col' {cell}>{h}</th>" for h in heads)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return (
            "<div style='max-width:60em'>"
            f"<div style='font-weight:600'>{html.escape(f'{self.format}: {self.path}')}</div>"
            f"<div>{self._counts()}, in {self.seconds:.1f} s</div>{table if rows else ''}</div>"
        )

    def _counts(self) -> str:
        return (
            f"{self.read:,} records read = {self.written:,} written as they are + "
            f"{self.converted:,} converted + {self.rejected:,} left out"
        )

    def _groups(self) -> list[tuple[str, str, int]]:
        words = {"warning": "converted", "rejected": "left out"}
        return [(words.get(kind, kind), reason, n) for kind, reason, n in self.notes.groups()]
