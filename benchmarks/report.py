"""The Markdown that a run leaves: ``docs/benchmarks.md``, and the table in the README."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

from .frame import Outcome

__all__ = ["into_readme", "page", "table"]

MARKED = re.compile(
    r"(<!-- benchmarks: made by python -m benchmarks -->\n).*?(<!-- end of benchmarks -->)",
    re.DOTALL,
)
PACKAGES = ("nbannot", "anywidget", "jupyterlab", "numpy", "pandas", "pyarrow", "pycocotools")


def seconds(value: float) -> str:
    """Return a time in the unit that reads best.

    >>> seconds(12.345), seconds(0.0834), seconds(0.00012)
    ('12.3 s', '83 ms', '0.12 ms')
    """
    if value >= 1:
        return f"{value:.3g} s"
    return f"{value * 1000:.0f} ms" if value >= 0.01 else f"{value * 1000:.2g} ms"


def times(ratio: float) -> str:
    """Return a ratio as a person says it.

    >>> times(0.1), times(1.1), times(1 / 3)
    ('1/10', '1.1 ×', '1/3')
    """
    return f"1/{1 / ratio:.3g}" if ratio < 0.95 else f"{ratio:.3g} ×"


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a Markdown table."""
    lines = [
        "| work | nbannot | beside it | ratio | must | goal |",
        "|-|-|-|-|-|-|",
    ]
    for one in outcomes:
        ours, peer = seconds(one.ours.seconds), seconds(one.peer.seconds)
        must = f"≤ {times(one.must)}"
        if one.must_memory is not None:
            ours += f", {one.ours.peak_mb:,.0f} MB"
            peer += f", {one.peer.peak_mb:,.0f} MB"
            must += f", memory ≤ {times(one.must_memory)}"
        ratio = times(one.ratio)
        if one.must_memory is not None:
            ratio += f", memory {times(one.memory_ratio)}"
        note = f" ({one.note})" if one.note else ""
        goal = f"≤ {times(one.goal)}"
        lines.append(
            f"| {one.title} | {ours} | {one.peer_name}{note}: {peer} | {ratio} | {must} | {goal} |"
        )
    return "\n".join(lines) + "\n"


def page(outcomes: Sequence[Outcome]) -> str:
    """Return the whole page, with what it was measured on."""
    installed = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        "# Benchmarks\n\n"
        "Made by `make bench` (`python -m benchmarks`). Both sides run in the same session, in\n"
        "turn, each in a process of its own; times are medians and include imports, memory is the\n"
        "peak of the process. Trust the ratios, not the seconds.\n\n"
        f"{table(outcomes)}\n"
        f"{date.today():%Y-%m-%d}, {os.cpu_count()} cores, {platform.system()} "  # noqa: DTZ011
        f"{platform.machine()}, Python {platform.python_version()}; {installed}.\n"
        f"{NOTES}"
    )


NOTES = """
## Where the time goes

* **Import of COCO.** First the file is read and its annotations are found, on one core; then two
  processes parse them while SQLite writes, which keeps both cores busy; last come the index, the
  counts per label, and the disk. The memory is that of both processes. The peer is only loading
  the file.
* **First preview.** Importing pandas, pyarrow and the store, then reading the file and finding
  where each of its annotations begins and ends.
* **Folders of many files.** Half the time is spent in the system: opening a label file and the head
  of a picture, and asking for their dates to know them again. All files were read once before, so
  that neither side waits for the disk. Two processes read; the peers only load, nbannot also checks
  and commits. Of CVAT's images Datumaro looks at none, and nbannot at the head of each, since EXIF
  may turn them.
* **Finding a format among many files.** Listing them, then one look at the names by each of the
  formats that these files could be.
* **Export of COCO, rows of a DataFrame.** Not profiled to the end yet.
"""


def into_readme(readme: Path, outcomes: Sequence[Outcome]) -> None:
    """Put the table between the README's markers, where it has them."""
    text = readme.read_text("utf-8")
    new = MARKED.sub(lambda found: found[1] + table(outcomes) + found[2], text)
    if new != text:
        readme.write_text(new, "utf-8")
