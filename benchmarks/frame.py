"""Cases, and how they are measured: in turn, in processes of their own, by medians."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Case", "Outcome", "Run", "Work", "in_child", "measure"]

CHILD_TIMEOUT_S = 1800


@dataclass(frozen=True)
class Work:
    """A function of `benchmarks.work`, by name, and what it is called with (JSON values)."""

    name: str
    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    python: str = sys.executable
    """The interpreter: peers that can't live beside nbannot's dependencies have their own."""


@dataclass(frozen=True)
class Run:
    """One measured call: seconds by the clock, MB at the peak of the process."""

    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Case:
    """What is compared, and the budget: at most `must` (and at best `goal`) times the peer."""

    title: str
    ours: Work
    peer: Work
    must: float
    goal: float
    must_memory: float | None = None
    repeats: int = 3
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """A case with its medians."""

    title: str
    ours: Run
    peer: Run
    peer_name: str
    must: float
    goal: float
    must_memory: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Our time as a part of the peer's."""
        return self.ours.seconds / self.peer.seconds

    @property
    def memory_ratio(self) -> float:
        """Our peak as a part of the peer's."""
        return self.ours.peak_mb / self.peer.peak_mb if self.peer.peak_mb else float("nan")


def in_child(work: Work) -> Run:
    """Do `work` in a new process, and return what it took.

    Raises:
        RuntimeError: the process failed; the message is what it said.
    """
    call = json.dumps({"function": work.function, "arguments": dict(work.arguments)})
    done = subprocess.run(
        [work.python, "-m", "benchmarks.work", call],
        capture_output=True,
        text=True,
        check=False,
        timeout=CHILD_TIMEOUT_S,
    )
    if done.returncode:
        raise RuntimeError(f"{work.name} failed:\n{done.stdout}{done.stderr}")
    measured = json.loads(done.stdout.splitlines()[-1])
    return Run(measured["seconds"], measured["peak_mb"])


def median(runs: Sequence[Run]) -> Run:
    """Return the median of seconds and of peaks."""
    return Run(
        statistics.median(run.seconds for run in runs),
        statistics.median(run.peak_mb for run in runs),
    )


def measure(case: Case, tell: Callable[[str], None] = print) -> Outcome:
    """Run both sides of a case in turn, `repeats` times, and return the medians."""
    ours: list[Run] = []
    peers: list[Run] = []
    for turn in range(case.repeats):
        peers.append(in_child(case.peer))
        ours.append(in_child(case.ours))
        tell(
            f"{case.title} [{turn + 1}/{case.repeats}]: {ours[-1].seconds:.3f} s, "
            f"{case.peer.name} {peers[-1].seconds:.3f} s"
        )
    return Outcome(
        case.title,
        median(ours),
        median(peers),
        case.peer.name,
        case.must,
        case.goal,
        case.must_memory,
        case.note,
    )
