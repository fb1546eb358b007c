"""A real Jupyter server and a real Chromium: what the browser tests and benchmarks stand on.

`serve` starts a server of its own on 127.0.0.1 at a free port, with settings, data and workspaces
in a folder of its own; `chromium` starts the browser, for which no name but loopback resolves, so
that an import from a CDN fails at once; `open_notebook` opens a new notebook with a new kernel.
"""

from __future__ import annotations

import ast
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

__all__ = ["Notebook", "Server", "chromium", "find_chromium", "open_notebook", "serve"]

START_TIMEOUT_S = 60

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # there is none for root, as in a container
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    # Not by `page.route()`: that would turn Chromium's HTTP cache off.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

SETTINGS: dict[str, dict[str, Any]] = {
    # Every cell in the DOM: the widget of a cell that is scrolled away would not be rendered.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none", "kernelShutdown": True},
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
PAGE_CONFIG = {
    "disabledExtensions": {
        "@jupyterlab/apputils-extension:announcements": True,
        "@jupyterlab/extensionmanager-extension": True,
    }
}

APPS = {"lab": "doc/tree", "full-lab": "lab/tree", "notebook": "notebooks"}
"""Where each application shows a notebook; "lab" is one document, "full-lab" has the side bars."""


# -- the server ------------------------------------------------------------------------------------


@dataclass
class Server:
    """A running Jupyter server; notebooks lie in `root`."""

    url: str
    token: str
    root: Path
    process: subprocess.Popen[bytes]

    @property
    def host(self) -> str:
        """``127.0.0.1:port``."""
        return self.url.split("/")[2]

    def address(self, name: str, app: str) -> str:
        """Return the URL that opens the notebook `name` in `app`."""
        return f"{self.url}{APPS[app]}/{name}?token={self.token}"

    def write_notebook(self, cells: Sequence[str]) -> str:
        """Write a notebook of code cells into `root`, and return its name."""
        name = f"test-{uuid.uuid4().hex[:8]}.ipynb"
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": kernel},
        )
        nbformat.write(notebook, self.root / name)
        return name


@contextmanager
def serve(home: Path) -> Iterator[Server]:
    """Run a Jupyter server whose files are all below `home`; stop it at the end.

    It also stops by itself, ten minutes after its last kernel, should nobody come back to it.
    """
    config, runtime, root = home / "config", home / "runtime", home / "root"
    for folder in (config / "labconfig", runtime, root):
        folder.mkdir(parents=True, exist_ok=True)
    for name, value in SETTINGS.items():
        file = config / "lab/user-settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value))
    (config / "labconfig/page_config.json").write_text(json.dumps(PAGE_CONFIG))
    token = secrets.token_hex(16)
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_SETTINGS_DIR": str(config / "lab/user-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(config / "lab/workspaces"),
        "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel of this environment
        "IPYTHONDIR": str(home / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    command = [
        *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={root}",
        "--ServerApp.terminals_enabled=False",
        "--ServerApp.shutdown_no_activity_timeout=600",
        "--MappingKernelManager.cull_idle_timeout=600",
        # `window.jupyterapp`: cells are run by command, with no clicking and no guessing.
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
        "--LabApp.news_url=",
        "--LabApp.extension_manager=readonly",
        "--LanguageServerManager.autodetect=False",
    ]
    log = home / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Server(_wait_for_server(process, runtime, token, log), token, root, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the session that it leads: it and its kernels


def _wait_for_server(process: subprocess.Popen[bytes], runtime: Path, token: str, log: Path) -> str:
    info = runtime / f"jpserver-{process.pid}.json"
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            url = str(json.loads(info.read_text())["url"]).replace("localhost", "127.0.0.1")
            urllib.request.urlopen(f"{url}api/status?token={token}", timeout=2).close()
        except (OSError, ValueError, KeyError, urllib.error.URLError):
            time.sleep(0.05)
        else:
            return url
    raise RuntimeError(f"Jupyter did not start:\n{log.read_text()[-4000:]}")


# -- the browser -----------------------------------------------------------------------------------


def find_chromium() -> str | None:
    """Return the path of a Chromium: NBANNOT_CHROMIUM, or the first that is found by name."""
    named = os.environ.get("NBANNOT_CHROMIUM")
    return named or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium, headless."""
    path = find_chromium()
    if path is None:
        raise RuntimeError("There is no Chromium: install it, or name one in NBANNOT_CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


# -- a notebook ------------------------------------------------------------------------------------

_READY = """() => {
  const widget = window.jupyterapp?.shell.currentWidget;
  return Boolean(widget?.context?.isReady
    && widget.sessionContext?.session?.kernel?.status === "idle");
}"""
_OPEN = """async (path) => {
  const app = window.jupyterapp;
  const widget = await app.commands.execute("docmanager:open", {
    path, factory: "Notebook", kernelPreference: {name: "python3", autoStartDefault: true}});
  await widget.context.ready;
  await widget.revealed;
  app.shell.activateById(widget.id);
  await widget.sessionContext.ready;
}"""
_CLOSE = """async () => {
  for (const widget of [...window.jupyterapp.shell.widgets("main")]) {
    if (!widget.context) continue;
    await widget.sessionContext?.shutdown().catch(() => {});
    widget.context.model.dirty = false;
    widget.close();
  }
}"""
_RUN_ALL = """async () => {
  const app = window.jupyterapp, widget = app.shell.currentWidget;
  await widget.context.ready;
  await widget.sessionContext.ready;
  await app.commands.execute("notebook:run-all-cells");
  return widget.content.widgets
    .filter((cell) => cell.model.type === "code")
    .map((cell) => cell.model.outputs.toJSON());
}"""
_RUN_CELL = """async (index) => {
  const app = window.jupyterapp, notebook = app.shell.currentWidget.content;
  notebook.deselectAll();
  notebook.activeCellIndex = index;
  await app.commands.execute("notebook:run-cell");
  return notebook.widgets[index].model.outputs.toJSON();
}"""
_START_CELL = _RUN_CELL.replace("await app.commands", "void app.commands")
_EVALUATE = """async (expression) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute(
    {code: "", store_history: false, user_expressions: {value: expression}}, true);
  return (await future.done).content.user_expressions.value;
}"""
_SAVE = "() => window.jupyterapp.shell.currentWidget.context.save()"


@dataclass
class Notebook:
    """An open notebook with a kernel of its own; `page` is Playwright's.

    `external` collects requests to anything but the server, `console` what the browser said.
    Wait for what a widget shows (``page.locator(...).wait_for()``) before counting: it renders
    some 50 ms after its cell is done.
    """

    server: Server
    page: Page
    name: str
    app: str
    external: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    @property
    def widget_errors(self) -> list[str]:
        """Errors that nobody caught in the code of a widget (which is loaded from a blob: URL)."""
        return [e for e in self.console if e.startswith("pageerror") and "blob:" in e]

    @property
    def path(self) -> Path:
        """The file, as far as it was saved."""
        return self.server.root / self.name

    def run_all(self) -> list[list[dict[str, Any]]]:
        """Run all cells; return the outputs of each. A cell that raises fails the test."""
        outputs: list[list[dict[str, Any]]] = self.page.evaluate(_RUN_ALL)
        for cell in outputs:
            _check(cell)
        return outputs

    def run_cell(self, index: int) -> list[dict[str, Any]]:
        """Run the cell at `index` and return its outputs."""
        outputs: list[dict[str, Any]] = self.page.evaluate(_RUN_CELL, index)
        _check(outputs)
        return outputs

    def start_cell(self, index: int) -> None:
        """Start the cell at `index`, and do not wait for its end."""
        self.page.evaluate(_START_CELL, index)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a Python expression in the kernel (its repr, where no literal)."""
        answer = self.page.evaluate(_EVALUATE, expression)
        assert answer["status"] == "ok", "\n".join(answer.get("traceback", [str(answer)]))
        text = answer["data"]["text/plain"]
        try:
            return ast.literal_eval(text)
        except (SyntaxError, ValueError):
            return text

    def wait_until(self, expression: str, value: Any = True, timeout_s: float = 15) -> None:
        """Wait until a Python expression in the kernel has a value."""
        deadline = time.monotonic() + timeout_s
        while (found := self.evaluate(expression)) != value:
            assert time.monotonic() < deadline, f"{expression} is {found!r}, not {value!r}"
            self.page.wait_for_timeout(50)

    def save(self) -> nbformat.NotebookNode:
        """Save, and return what is in the file."""
        self.page.evaluate(_SAVE)
        return nbformat.read(self.path, as_version=4)

    def close(self) -> None:
        """Shut the kernel down and close the notebook, its page stays."""
        self.page.evaluate(_CLOSE)


def open_notebook(
    server: Server,
    context: BrowserContext,
    cells: Sequence[str],
    app: str = "lab",
    timeout_s: float = 15,
) -> Notebook:
    """Open a new notebook on a new page; its kernel is idle when this returns."""
    page = context.new_page()
    page.set_default_timeout(timeout_s * 1000)
    notebook = Notebook(server, page, server.write_notebook(cells), app)

    def note_request(url: str) -> None:
        if re.match(r"(https?|wss?)://", url) and url.split("/")[2] != server.host:
            notebook.external.append(url)

    page.on("request", lambda request: note_request(request.url))
    page.on("websocket", lambda socket: note_request(socket.url))
    page.on("console", lambda message: notebook.console.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: notebook.console.append(f"pageerror: {error.stack}"))
    page.goto(server.address(notebook.name, app), wait_until="commit")
    page.wait_for_function(_READY, polling=50)
    return notebook


def open_beside(notebook: Notebook, cells: Sequence[str]) -> Notebook:
    """Open another notebook on the same page: a quarter of the time of a new page."""
    notebook.external.clear()
    notebook.console.clear()
    name = notebook.server.write_notebook(cells)
    notebook.page.evaluate(_OPEN, name)
    notebook.page.wait_for_function(_READY, polling=20)
    beside = Notebook(notebook.server, notebook.page, name, notebook.app)
    beside.external, beside.console = notebook.external, notebook.console
    return beside


def _check(outputs: list[dict[str, Any]]) -> None:
    for output in outputs:
        assert output["output_type"] != "error", "\n".join(output["traceback"])
