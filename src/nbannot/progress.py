"""Progress and cancel, passed as an argument to everything that can take long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import TypeVar

from .errors import Cancelled

__all__ = ["Progress", "ProgressState"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProgressState:
    """How far a piece of work is: `done` of `total` (None: unknown), counted in `unit`."""

    stage: str = ""
    done: int = 0
    total: int | None = None
    unit: str = ""
    seconds_elapsed: float = 0.0
    seconds_left: float | None = None

    @property
    def fraction(self) -> float | None:
        """Return the part done, 0 to 1, or None where the total is unknown."""
        return min(self.done / self.total, 1.0) if self.total else None


class Progress:
    """Counts work done, tells a listener at most every `interval_s` seconds, and carries a cancel.

    A function that works long takes ``progress: Progress`` and calls `start`
    per stage and `advance` as it goes; `advance` raises `Cancelled` once
    `cancel` was called from any thread. ``Progress()`` tells nobody.

    >>> seen = []
    >>> progress = Progress(seen.append, interval_s=0)
    >>> for _ in progress.each([1, 2], "Reading", unit="files"): pass
    >>> seen[-1].done, seen[-1].total
    (2, 2)
    """

    def __init__(
        self,
        listener: Callable[[ProgressState], None] | None = None,
        *,
        interval_s: float = 0.1,
    ) -> None:
        self._listener = listener
        self._interval_s = interval_s
        self._cancelled = threading.Event()
        self._started_s = self._told_s = 0.0
        self.state = ProgressState()

    def start(self, stage: str, total: int | None = None, unit: str = "") -> None:
        """Begin a stage of `total` units."""
        self._started_s = time.monotonic()
        self._set(ProgressState(stage, 0, total, unit), tell=True)

    def advance(self, count: int = 1) -> None:
        """Count `count` more units as done; raise `Cancelled` if asked to stop."""
        self.check()
        old, now = self.state, time.monotonic()
        done, elapsed = old.done + count, now - self._started_s
        left = None
        if old.total and done:
            left = max(elapsed * (old.total - done) / done, 0.0)
        finished = old.total is not None and done >= old.total
        self._set(
            ProgressState(old.stage, done, old.total, old.unit, elapsed, left),
            tell=finished or now - self._told_s >= self._interval_s,
        )

    def each(self, things: Iterable[T], stage: str, unit: str = "") -> Iterator[T]:
        """Yield `things`, one unit of progress each."""
        self.start(stage, len(things) if isinstance(things, Sized) else None, unit)
        for thing in things:
            yield thing
            self.advance()

    def cancel(self) -> None:
        """Ask the work to stop; it raises `Cancelled` at its next step."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise `Cancelled` if asked to stop."""
        if self._cancelled.is_set():
            raise Cancelled

    def _set(self, state: ProgressState, *, tell: bool) -> None:
        self.state = state
        if tell and self._listener is not None:
            self._told_s = time.monotonic()
            self._listener(state)
