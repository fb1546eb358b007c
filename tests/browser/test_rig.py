"""The rig itself: JupyterLab and Notebook 7 open, nbannot imports there, a widget answers."""

from __future__ import annotations

import pytest

VERSION = "import nbannot as nb\nnb.__version__"
WIDGET = '''
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = """
    export default { render({ model, el }) {
      const button = document.createElement("button");
      const show = () => { button.textContent = `count ${model.get("count")}`; };
      button.className = "counter";
      button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); };
      model.on("change:count", show);
      show();
      el.append(button);
    } };
    """
    count = traitlets.Int(0).tag(sync=True)

counter = Counter()
counter
'''


@pytest.mark.parametrize("app", ["shared", "lab", "notebook"])
def test_a_click_reaches_python_and_python_reaches_the_page(notebook, app):
    """A click on a widget is seen in the kernel; a change in the kernel is seen on the page."""
    nb = notebook([VERSION, WIDGET, "counter.count = 41"], app, run=False)
    assert "text/plain" in nb.run_cell(0)[0]["data"]
    nb.run_cell(1)
    button = nb.page.locator(".counter")
    button.click()
    nb.wait_until("counter.count", 1)
    nb.run_cell(2)
    nb.page.locator(".counter", has_text="count 41").wait_for()


def test_nothing_but_loopback_resolves(notebook):
    """A script that reaches for a CDN fails, and the rig sees that it tried."""
    nb = notebook(["0"])
    url = "https://cdn.example.org/x.js"
    script = "(url) => fetch(url).then(() => 'loaded', () => 'failed')"
    assert nb.page.evaluate(script, url) == "failed"
    assert nb.external == [url]
    nb.external.clear()


def test_an_uncaught_error_of_a_widget_is_seen(notebook):
    """What fails in a widget's code on the page is told apart from Jupyter's own errors."""
    broken = WIDGET.replace("button.onclick = () => {", "button.onclick = () => { oops();")
    nb = notebook([broken])
    with nb.page.expect_event("pageerror"):
        nb.page.locator(".counter").click()
    assert any("oops is not defined" in error for error in nb.widget_errors)
    nb.console.clear()
