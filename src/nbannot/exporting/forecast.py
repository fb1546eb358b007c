"""The loss forecast: what an export would keep, convert and leave out, before it writes a file.

It is the export itself, by the same writer, into nowhere: so it can't say anything else than the
export's own ledger does afterwards.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..formats.base import Format
from ..formats.writing import annotation_ranks
from ..ledger import Ledger
from ..progress import Progress
from ..schema import Batch
from .delivery import Nowhere
from .report import counts_of, groups_html
from .selection import ProjectExport

if TYPE_CHECKING:
    import pandas as pd

    from ..project import Project
    from .report import ExportReport

__all__ = ["ExportPlan", "forecast"]

_ANNOTATION = re.compile(r"annotation (\d+)")
_OUTCOMES = {"rejected": "dropped", "warning": "converted"}


@dataclass
class Watched:
    """What a writer was given, and where in the ledger it began each subset."""

    ledger: Ledger
    marks: list[tuple[int, str]] = field(default_factory=list)
    parts: dict[str, list[tuple[pa.Table, pa.Table]]] = field(default_factory=dict)

    def begin(self, subset: str) -> None:
        """A writer begins a subset (some do so twice: the second time counts)."""
        self.marks.append((len(self.ledger), subset))
        self.parts[subset] = []

    def add(self, subset: str, items: pa.Table, rows: pa.Table, batch: Batch) -> None:
        """A writer was given a batch."""
        ranks = pa.array(annotation_ranks(batch))
        kept = rows.select(["annotation_id", "item", "type"]).append_column("rank", ranks)
        self.parts[subset].append((items.select(["item_id", "key"]), kept))

    def table(self) -> pa.Table:
        """Return subset, key, rank, annotation_id and type of each annotation."""
        out = []
        for subset, parts in self.parts.items():
            for items, rows in parts:
                keys = dict(
                    zip(items["item_id"].to_pylist(), items["key"].to_pylist(), strict=True)
                )
                owner = [keys[i] for i in rows["item"].to_pylist()]
                columns = {
                    "subset": pa.array([subset] * len(rows), pa.string()),
                    "key": pa.array(owner, pa.string()),
                    **{n: rows[n] for n in ("rank", "annotation_id", "type")},
                }
                out.append(pa.table(columns))
        return pa.concat_tables(out) if out else pa.table({n: [] for n in _COLUMNS})

    def subset_of(self, line: int) -> str:
        """Return the subset that a line of the ledger was written in."""
        starts = [at for at, _ in self.marks]
        place = int(np.searchsorted(starts, line, side="right")) - 1
        return self.marks[place][1] if place >= 0 else ""


_COLUMNS = ("subset", "key", "rank", "annotation_id", "type")


@dataclass(eq=False)
class ExportPlan:
    """What an export would do: ``read == written + converted + rejected``, counts of records.

    * `kinds` is a DataFrame: of each type of annotation how many are kept as they are,
      converted (and how) and dropped.
    * `annotations` returns those that would be converted or dropped, as a DataFrame.
    * `ledger` is a DataFrame, line by line what the export's own ledger will say.
    * `apply` exports.
    """

    project: Project
    format: Format
    arguments: Mapping[str, Any]
    read: int
    written: int
    converted: int
    rejected: int
    notes: Ledger
    _fates: pa.Table

    @property
    def ledger(self) -> pd.DataFrame:
        """One line per record that would be converted or left out, and per note."""
        return self.notes.to_pandas()

    @property
    def lossless(self) -> bool:
        """Would every record be written as it is?"""
        return not self.converted and not self.rejected

    @property
    def kinds(self) -> pd.DataFrame:
        """One row per type of annotation: total, kept, converted, dropped, and how."""
        import pandas as pd

        fates = self._fates.to_pandas()
        rows = []
        for kind, mine in fates.groupby("type", sort=False):
            counts = mine["outcome"].value_counts()
            how = sorted(
                {reason for text in mine["reasons"] for reason in text.split("; ") if text}
            )
            rows.append(
                {
                    "type": kind,
                    "total": len(mine),
                    **{name: int(counts.get(name, 0)) for name in ("kept", "converted", "dropped")},
                    "how": "; ".join(how),
                }
            )
        return pd.DataFrame(rows, columns=["type", "total", "kept", "converted", "dropped", "how"])

    def annotation_ids(
        self, outcome: str | None = None, *, type: str | None = None, reason: str | None = None
    ) -> list[int]:
        """Return the ids of annotations that would be changed or dropped.

        Args:
            outcome: ``"kept"``, ``"converted"`` or ``"dropped"``; None: the latter two.
            type: only those of this type.
            reason: only those of this reason in the ledger.
        """
        ids = []
        for row in self._fates.to_pylist():
            fits = row["outcome"] == outcome if outcome else row["outcome"] != "kept"
            fits = fits and type in (None, row["type"])
            if fits and (reason is None or reason in row["reasons"].split("; ")):
                ids.append(row["annotation_id"])
        return ids

    def annotations(
        self, outcome: str | None = None, *, type: str | None = None, reason: str | None = None
    ) -> pd.DataFrame:
        """Return rows of `Project.annotations`: those that `annotation_ids` selects."""
        rows = self.project.annotations
        return rows[
            rows["annotation_id"].isin(self.annotation_ids(outcome, type=type, reason=reason))
        ]

    def apply(
        self, target: object, *, progress: Progress | None = None, **more: Any
    ) -> ExportReport:
        """Export to `target`; see `Project.export` for the arguments that may be added."""
        from . import export

        given = {**self.arguments, **more}
        return export(self.project, self.format.name, target, progress=progress, **given)

    @property
    def text(self) -> str:
        """The forecast in one sentence."""
        if self.lossless:
            return f"{self.format.title} can hold all {self.read:,} records as they are."
        parts = [f"{self.written:,} of {self.read:,} records as they are"]
        parts += [f"{self.converted:,} converted"] * bool(self.converted)
        parts += [f"{self.rejected:,} left out"] * bool(self.rejected)
        return f"{self.format.title}: {', '.join(parts)}."

    def __repr__(self) -> str:
        lines = [f"Export plan: {self.text}"]
        for row in self.kinds.to_dict("records"):
            counts = (f"{row[n]:,} {n}" for n in ("kept", "converted", "dropped") if row[n])
            how = f" ({row['how']})" if row["how"] else ""
            lines.append(f"  {row['type']}: {', '.join(counts)}{how}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cell = "style='text-align:left;padding:2px 12px 2px 0'"
        heads = ("annotations", "kept", "converted", "dropped", "how")
        body = "".join(
            f"<tr><td {cell}>{html.escape(row['type'])}</td>"
            + "".join(f"<td {cell}>{row[n]:,}</td>" for n in ("kept", "converted", "dropped"))
            + f"<td {cell}>{html.escape(row['how'])}</td></tr>"
            for row in self.kinds.to_dict("records")
        )
        head = "".join(f"<th scope='col' {cell}>{h}</th>" for h in heads)
        return (
            "<div style='max-width:60em'>"
            f"<div style='font-weight:600'>{html.escape(self.text)}</div>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"{groups_html(self.notes)}</div>"
        )


def forecast(
    project: Project,
    fmt: Format,
    data: ProjectExport,
    options: Mapping[str, Any],
    arguments: Mapping[str, Any],
    progress: Progress,
    ledger: Ledger,
) -> ExportPlan:
    """Run the writer of `fmt` into nowhere, and say what it said; `data` tells `ledger` too."""
    watched = Watched(ledger)
    data.watched = watched
    nowhere = Nowhere(None, data, ledger, saves=bool(arguments.get("save_media")))
    fmt.write(data, nowhere, options, ledger, progress)
    written, converted, rejected = counts_of(ledger, data.read_count)
    fates = _fates(watched, ledger)
    return ExportPlan(
        project, fmt, arguments, data.read_count, written, converted, rejected, ledger, fates
    )


def _fates(watched: Watched, ledger: Ledger) -> pa.Table:
    # Each annotation with its outcome and the reasons the ledger gives.
    said: dict[tuple[str, str, int], tuple[str, list[str]]] = {}
    columns = ledger.to_arrow().select(["outcome", "reason", "record", "item"]).to_pydict()
    rows: Sequence[tuple[str, ...]] = list(zip(*columns.values(), strict=True))
    for line, (outcome, reason, record, key) in enumerate(rows):
        match = _ANNOTATION.match(record)
        if match is None or outcome not in _OUTCOMES:
            continue
        place = (watched.subset_of(line), key, int(match[1]))
        fate, reasons = said.setdefault(place, (_OUTCOMES[outcome], []))
        if outcome == "rejected" and fate != "dropped":
            said[place] = ("dropped", reasons)
        if reason not in reasons:
            reasons.append(reason)
    table = watched.table()
    places = zip(*(table[n].to_pylist() for n in ("subset", "key", "rank")), strict=True)
    fates = [said.get(place, ("kept", [])) for place in places]
    return table.append_column(
        "outcome", pa.array([fate for fate, _ in fates], pa.string())
    ).append_column("reasons", pa.array(["; ".join(r) for _, r in fates], pa.string()))
