"""Progress and cancel."""

from __future__ import annotations

import pytest

from nbannot.errors import Cancelled
from nbannot.progress import Progress, ProgressState


def test_the_end_is_always_told() -> None:
    """However seldom a listener is told, it hears of the last step."""
    seen: list[ProgressState] = []
    progress = Progress(seen.append, interval_s=1000)
    for _ in progress.each(range(50), "Reading", unit="files"):
        pass
    assert seen[-1].done == seen[-1].total == 50
    assert seen[-1].fraction == 1.0
    assert len(seen) == 2  # the start and the end, nothing between


def test_cancel_stops_at_the_next_step() -> None:
    """Work stops at its next step after `cancel`."""
    progress = Progress()
    done = []
    with pytest.raises(Cancelled):
        for i in progress.each(range(10), "Reading"):
            done.append(i)
            if i == 3:
                progress.cancel()
    assert done == [0, 1, 2, 3]


def test_an_unknown_total_has_no_fraction() -> None:
    """Without a total there is no fraction and no time left, but a count."""
    progress = Progress()
    progress.start("Reading")
    progress.advance(7)
    assert (progress.state.done, progress.state.fraction, progress.state.seconds_left) == (
        7,
        None,
        None,
    )
