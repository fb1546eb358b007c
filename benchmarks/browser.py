"""What is measured on the page: a page of 24 thumbnails, from click to painted, in JupyterLab.

Beside it, in the same server and browser, a widget that does nothing else: 24 thumbnails made by
Pillow, one message, one canvas each.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from tests.browser import rig

from . import data
from .frame import Outcome, Run

__all__ = ["measure_pages"]

TURNS = 20
SIZES = (1_000, 1_000_000)

# In the kernel: a project whose items all link to a few pictures, two boxes on each.
PROJECT = """
import numpy as np, pyarrow as pa, nbannot as nb
from nbannot.schema import Label

def make(folder, pictures, items):
    project = nb.open_project(folder)
    numbers = np.arange(items)
    with project.begin("import", title="benchmark") as commit:
        labels = np.asarray(list(commit.ensure_labels([Label("cat"), Label("dog")]).values()))
        task = commit.add_task("pictures", None)
        ids = np.asarray(commit.add_items(task, pa.table({{
            "key": [f"{{n:07d}}.jpg" for n in numbers],
            "kind": ["image"] * items,
            "uri": pa.array(pictures).take(pa.array(numbers % len(pictures))),
            "width": np.full(items, 640, np.int32),
            "height": np.full(items, 480, np.int32),
        }})))
        rng = np.random.default_rng(0)
        both = np.repeat(ids, 2)
        count = len(both)
        commit.add_annotations(pa.table({{
            "item": both,
            "layer": np.zeros(count, np.int64),
            "type": ["box"] * count,
            "label": labels[rng.integers(0, 2, count)],
            "x": rng.uniform(0, 400, count), "y": rng.uniform(0, 300, count),
            "w": rng.uniform(20, 200, count), "h": rng.uniform(20, 150, count),
        }}))
        commit.finish(read=items, imported=items, warned=0, rejected=0, summary={{}})
    return project

nb.ProjectWidget(make({folder!r}, {pictures!r}, {items}))
"""

PLAIN = """
import io, itertools, anywidget
from PIL import Image

pictures = itertools.cycle({pictures!r})

def thumbnail(path):
    out = io.BytesIO()
    with Image.open(path) as image:
        image.thumbnail((160, 160))
        image.save(out, "JPEG")
    return out.getvalue()

def answer(*_):
    plain.send({{}}, buffers=[thumbnail(path) for path in itertools.islice(pictures, 24)])

class Plain(anywidget.AnyWidget):
    _esm = '''
    export default {{ render({{ model, el }}) {{
      const button = document.createElement("button");
      button.textContent = "turn";
      el.append(button);
      const canvases = Array.from({{ length: 24 }}, () => {{
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = 160;
        el.append(canvas);
        return canvas.getContext("2d");
      }});
      let asked = 0;
      button.onclick = () => {{ asked = performance.now(); model.send({{}}); }};
      model.on("msg:custom", async (_, buffers) => {{
        const bitmaps = await Promise.all(buffers.map((b) => createImageBitmap(new Blob([b]))));
        bitmaps.forEach((bitmap, i) => canvases[i].drawImage(bitmap, 0, 0));
        requestAnimationFrame(() => setTimeout(() =>
          performance.measure("plain-page", {{ start: asked, end: performance.now() }})));
      }});
    }} }};
    '''

plain = Plain()
plain.on_msg(answer)
plain
"""


def measure_pages(tell: Callable[[str], None] = print) -> list[Outcome]:
    """Turn to pages that are not in memory, at 1,000 and at 1,000,000 items."""
    pictures = [str(path) for path in data.pictures()]
    found: dict[int, Run] = {}
    with (
        tempfile.TemporaryDirectory() as home,
        rig.serve(Path(home)) as server,
        rig.chromium() as browser,
    ):
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        plain = _measure(server, context, PLAIN.format(pictures=pictures), _turn_plain)
        tell(f"24 thumbnails in a plain widget: {plain.seconds * 1000:.0f} ms")
        for items in SIZES:
            folder = str(Path(home, f"project-{items}"))
            code = PROJECT.format(folder=folder, pictures=pictures, items=items)
            found[items] = _measure(server, context, code, _turn_project)
            tell(f"24 thumbnails at {items:,} items: {found[items].seconds * 1000:.0f} ms")
    title = "24 thumbnails with boxes, click to painted, JupyterLab"
    small, large = (found[n] for n in SIZES)
    return [
        Outcome(
            title,
            small,
            plain,
            "a plain widget",
            must=1.2,
            goal=0.72,
        ),
        Outcome(f"{title}, at 1,000,000 items", large, small, "at 1,000", must=1.2, goal=1),
    ]


def _measure(
    server: rig.Server, context: BrowserContext, code: str, turn: Callable[[Page, int], str]
) -> Run:
    notebook = rig.open_notebook(server, context, [code], "lab", timeout_s=120)
    notebook.run_all()
    page = notebook.page
    durations = []
    for number in range(1, TURNS + 1):
        seen = page.evaluate("() => performance.getEntriesByType('measure').length")
        name = turn(page, number)
        page.wait_for_function(
            "(seen) => performance.getEntriesByType('measure').length > seen", arg=seen
        )
        last = "(name) => performance.getEntriesByName(name).at(-1).duration"
        durations.append(page.evaluate(last, name) / 1000)
    notebook.close()
    page.close()
    return Run(statistics.median(durations), 0)


def _turn_plain(page: Page, _: int) -> str:
    page.get_by_role("button", name="turn").click()
    return "plain-page"


def _turn_project(page: Page, number: int) -> str:
    field = page.get_by_role("spinbutton", name="Page")
    page.locator("[data-page-ready]").wait_for()
    pages = int(field.get_attribute("max") or 0)
    stride = int((pages - 2) * 0.425)  # never a neighbour, which would have been fetched ahead
    field.fill(str(2 + number * stride % (pages - 2)))
    field.blur()
    return "nbannot-page"
