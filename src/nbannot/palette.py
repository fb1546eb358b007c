"""Colours for labels that have none: told apart at a glance, on dark pictures and light ones."""

from __future__ import annotations

__all__ = ["PALETTE", "color_of"]

PALETTE = (
    "#e6194b", "#3cb44b", "#ffb000", "#4363d8", "#f58231", "#b04fd8", "#00a5b5", "#f032e6",
    "#84b000", "#ff7f9f", "#008f7a", "#9b7ede", "#a9743b", "#c2185b", "#00b37d", "#7f8c1d",
    "#e08a7a", "#2f6fdb", "#8d6e63", "#d4a017",
)  # fmt: skip


def color_of(index: int) -> str:
    """Return the colour, ``"#rrggbb"``, of the label at `index` in its project.

    >>> color_of(0), color_of(20)
    ('#e6194b', '#e6194b')
    """
    return PALETTE[index % len(PALETTE)]
