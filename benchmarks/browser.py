"""What is measured on the page: a page of 24 thumbnails, from click to painted, in JupyterLab."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext

from tests.browser import rig

from . import data
from .frame import Outcome, Run

__all__ = ["measure_pages"]

JUMPS = 20
WAIT = """(count) =>
  performance.getEntriesByName("nbannot-page").length > count"""
LAST = """() => performance.getEntriesByName("nbannot-page").at(-1).duration"""
COUNT = """() => performance.getEntriesByName("nbannot-page").length"""

# In the kernel: a project whose items all link to a few pictures.
PROJECT = """
import numpy as np, pyarrow as pa, nbannot as nb
from nbannot.schema import Label

def make(folder, pictures, items):
    project = nb.open_project(folder)
    numbers = np.arange(items)
    names = pa.array(pictures).take(pa.array(numbers % len(pictures)))
    with project.begin("import", title="benchmark") as commit:
        labels = list(commit.ensure_labels([Label("cat"), Label("dog")]).values())
        task = commit.add_task("pictures", None)
        ids = np.asarray(commit.add_items(task, pa.table({{
            "key": pa.array([f"{{n:07d}}.jpg" for n in numbers]),
            "kind": pa.array(["image"] * items),
            "uri": names,
            "width": pa.array(np.full(items, 640, np.int32)),
            "height": pa.array(np.full(items, 480, np.int32)),
        }})))
        rng = np.random.default_rng(0)
        both = np.repeat(ids, 2)
        commit.add_annotations(pa.table({{
            "item": both,
            "layer": np.zeros(len(both), np.int64),
            "type": pa.array(["box"] * len(both)),
            "label": np.asarray(labels)[rng.integers(0, 2, len(both))],
            "x": rng.uniform(0, 400, len(both)), "y": rng.uniform(0, 300, len(both)),
            "w": rng.uniform(20, 200, len(both)), "h": rng.uniform(20, 150, len(both)),
        }}))
        commit.finish(read=items, imported=items, warned=0, rejected=0, summary={{}})
    return project

project = make({folder!r}, {pictures!r}, {items})
nb.ProjectWidget(project)
"""


def measure_pages(tell: Callable[[str], None] = print) -> list[Outcome]:
    """Jump to pages that are not in memory, at 1,000 and at 1,000,000 items; compare the two."""
    pictures = [str(path) for path in data.pictures()]
    found: dict[int, float] = {}
    with (
        tempfile.TemporaryDirectory() as home,
        rig.serve(Path(home)) as server,
        rig.chromium() as browser,
    ):
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        for items in (1_000, 1_000_000):
            folder = str(Path(home, f"project-{items}"))
            code = PROJECT.format(folder=folder, pictures=pictures, items=items)
            found[items] = _jumps(server, context, code, items)
            tell(f"24 thumbnails at {items:,} items: {found[items] * 1000:.0f} ms")
    small, large = (Run(found[n], 0) for n in (1_000, 1_000_000))
    fixed = Run(0.083, 0)
    title = "24 thumbnails, click to painted, JupyterLab"
    return [
        Outcome(
            f"{title}, 1,000 items", small, fixed, "a plain gallery", 100 / 83, 60 / 83,
            note="measured elsewhere, 83 ms",
        ),
        Outcome(f"{title}, 1,000,000 items", large, small, "the same at 1,000", 1.2, 1.0),
    ]  # fmt: skip


def _jumps(server: rig.Server, context: BrowserContext, code: str, items: int) -> float:
    notebook = rig.open_notebook(server, context, [code], "lab", timeout_s=300)
    notebook.run_all()
    page = notebook.page
    field = page.get_by_role("spinbutton", name="Page")
    field.wait_for()
    page.wait_for_function(WAIT, arg=0)
    pages = -(-items // 24)
    stride = int((pages - 2) * 0.425)  # never a neighbour, which would have been fetched ahead
    durations = []
    for jump in range(1, JUMPS + 1):
        seen = page.evaluate(COUNT)
        field.press("Control+a")
        # Typed, not filled: a field that is filled tells nobody when Enter is pressed.
        field.press_sequentially(str(2 + jump * stride % (pages - 2)))
        field.press("Enter")
        page.wait_for_function(WAIT, arg=seen)
        durations.append(page.evaluate(LAST) / 1000)
    notebook.close()
    page.close()
    return statistics.median(durations)
