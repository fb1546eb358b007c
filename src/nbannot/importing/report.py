"""What an import did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..ledger import Balance, Ledger
from . import display
from .target import Changes

if TYPE_CHECKING:
    import pandas as pd

    from ..project import Project
    from .plan import Plan

__all__ = ["Report"]


@dataclass(eq=False)
class Report:
    """The result of `Plan.apply`: ``read == imported + warned + rejected``.

    * `request_id` is its number in the project's history, None where nothing was to do.
    * `changes` says what was added and removed; `seconds` how long it took.
    * `ledger` is a DataFrame: outcome, reason, file, where, record, item, message.
    """

    project: Project
    request_id: int | None
    balance: Balance
    notes: Ledger
    changes: Changes = field(default_factory=Changes)
    seconds: float = 0.0
    title: str = ""

    @classmethod
    def unchanged(cls, plan: Plan) -> Report:
        """Return the report of a repetition: everything was there already."""
        assert plan.already is not None
        return cls(plan.project, None, plan.balance, plan.notes, title=display.title_of(plan))

    @property
    def read(self) -> int:
        """Records met in the source."""
        return self.balance.read

    @property
    def imported(self) -> int:
        """Records imported as given."""
        return self.balance.imported

    @property
    def warned(self) -> int:
        """Records imported with a warning."""
        return self.balance.warned

    @property
    def rejected(self) -> int:
        """Records not imported."""
        return self.balance.rejected

    @property
    def ledger(self) -> pd.DataFrame:
        """One line per record that was not imported as given, and per note."""
        return self.notes.to_pandas()

    @property
    def text(self) -> str:
        """The report in one sentence."""
        if self.request_id is None:
            return "Already imported and unchanged: nothing to do."
        return self.changes.done

    def as_dict(self) -> dict[str, Any]:
        """Return what a widget shows."""
        return {
            "request": self.request_id,
            "read": self.read,
            "imported": self.imported,
            "warned": self.warned,
            "rejected": self.rejected,
            "seconds": round(self.seconds, 3),
            "tasks": self.changes.tasks,
            "undone": False,
            "text": self.text,
        }

    def __repr__(self) -> str:
        return display.report_text(self)

    def _repr_html_(self) -> str:
        return display.report_html(self)
