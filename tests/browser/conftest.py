"""Fixtures of the browser tests: one server and one Chromium for all, a notebook for each test."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from . import rig

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "test-results"
AXE = ROOT / "node_modules/axe-core/axe.min.js"
VIEWPORT = {"width": 1280, "height": 900}


def pytest_collection_modifyitems(items):
    """Mark every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory):
    """The Jupyter server."""
    with rig.serve(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture(scope="session")
def browser():
    """Chromium; where there is none the test fails in CI, and is skipped elsewhere."""
    if rig.find_chromium() is None and not os.environ.get("CI"):
        pytest.skip("there is no Chromium: install it, or name one in NBANNOT_CHROMIUM")
    with rig.chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def context(browser):
    """A browser context with an empty profile."""
    context = browser.new_context(viewport=VIEWPORT, accept_downloads=True)
    yield context
    context.close()


@pytest.fixture(scope="session")
def _lab(jupyter, context):
    """Return the shared JupyterLab page, opened anew where a failed test closed it."""
    opened = []

    def get():
        if not opened or opened[-1].page.is_closed():
            opened.append(rig.open_notebook(jupyter, context, ["0"], "full-lab"))
            opened[-1].close()
        return opened[-1]

    return get


@pytest.fixture
def notebook(jupyter, context, _lab, request):
    """Open notebooks: ``nb = notebook(["code", ...])`` opens and runs one in JupyterLab.

    * ``app="notebook"`` opens it in Notebook 7, ``app="lab"`` as a single document.
    * ``run=False`` leaves the cells to the test.

    Afterwards nothing may have been asked of any other host, and no widget's code may have failed.
    Where the test failed, test-results/ has a screenshot and the console.
    """
    opened = []

    def opener(cells, app="shared", run=True):
        if app == "shared":
            nb = rig.open_beside(_lab(), cells)
        else:
            nb = rig.open_notebook(jupyter, context, cells, app)
        opened.append((nb, app))
        if run:
            nb.run_all()
        return nb

    yield opener
    failed = getattr(request.node, "failed", True)
    for nb, app in opened:
        if failed:
            _keep_evidence(nb, request.node.name)
        try:
            nb.close()
        finally:
            if failed or app != "shared":  # a failed test leaves its page to nobody
                nb.page.close()
    if not failed:
        for nb, _ in opened:
            assert not nb.external, "the page asked another host"
            assert not nb.widget_errors


def _keep_evidence(nb, test_name):
    RESULTS.mkdir(exist_ok=True)
    name = re.sub(r"\W+", "-", test_name).strip("-")
    (RESULTS / f"{name}.console.txt").write_text("\n".join(nb.console))
    if not nb.page.is_closed():
        nb.page.screenshot(path=RESULTS / f"{name}.png")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Tell fixtures whether their test failed."""
    report = yield
    if report.when == "call":
        item.failed = report.failed
    return report


@pytest.fixture(scope="session")
def demo_folder(jupyter):
    """The demo data below the server's root; kernels find it as ``demo-data``."""
    from nbannot import demo

    folder = jupyter.root / "demo-data"
    demo.demo_dataset(folder)
    demo.demo_tasks(folder)
    demo.demo_predictions(folder)
    return folder


@pytest.fixture
def faults():
    """Find serious accessibility faults: ``assert not faults(page, ".nbannot")``."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm ci")

    def find(page, selector):
        page.add_script_tag(content=AXE.read_text("utf-8"))
        found = page.evaluate("(selector) => axe.run(selector)", selector)
        return [
            f"{v['id']}: {v['help']} ({node['html'][:160]})"
            for v in found["violations"]
            if v["impact"] in ("serious", "critical")
            for node in v["nodes"]
        ]

    return find
