"""What every widget shares: finding its bundle, and answering the browser."""

from __future__ import annotations

import inspect
import logging
import threading
from pathlib import Path
from typing import Any

import anywidget

from ..errors import NbannotError
from .commands import find_command
from .errors_view import error_dict

__all__ = ["BaseWidget", "asset"]

logger = logging.getLogger(__name__)

STATIC = Path(__file__).parents[1] / "static"

_NOT_BUILT = """export default { render({ el }) {
  el.textContent = "nbannot: the browser code of '%s' is not built. "
    + "In the checkout, run: npm ci && npm run build";
} }"""


def asset(name: str) -> Path | str:
    """Return the path of a built bundle, or a stand-in that says how to build it."""
    path = STATIC / name
    if path.is_file():
        return path
    return _NOT_BUILT % name if name.endswith(".js") else ""


class BaseWidget(anywidget.AnyWidget):
    """An anywidget that answers commands (see `nbannot.widgets.commands`).

    A subclass sets ``_esm`` and ``_css`` with `asset`. Unknown keyword arguments are refused.
    """

    def __init__(self, **traits: Any) -> None:
        unknown = sorted(set(traits) - set(self.trait_names()))
        if unknown:
            raise TypeError(f"{type(self).__name__}() got unexpected {', '.join(unknown)}")
        super().__init__(**traits)
        # ipykernel >= 7.4 sends all messages of a comm to the shell that made it, where they
        # wait while a cell runs; honour the subshell that the frontend chose. A private name:
        # tests/browser/test_import_walk.py cancels while a cell runs.
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = lambda data, default: default  # noqa: SLF001
        self.on_msg(lambda _, message, buffers: self._answer(message, buffers))

    def _answer(self, message: Any, buffers: Any = ()) -> None:
        # Anything may arrive here: any script of the page can send to a comm.
        if not isinstance(message, dict) or message.get("kind") != "call":
            return
        call_id, params = message.get("id"), message.get("params")
        try:
            method, inline = find_command(self, message.get("name"))
            if not isinstance(params, dict) or not all(isinstance(k, str) for k in params):
                raise NbannotError(f"params of {message.get('name')!r} are not an object")
            if buffers:
                params = {**params, "buffers": buffers}
            inspect.signature(method).bind(self, **params)
        except (NbannotError, TypeError) as error:
            self._fail(call_id, error)
            return
        if inline:
            self._run(call_id, method, params)
        else:
            threading.Thread(
                target=self._run, args=(call_id, method, params), name="nbannot-call", daemon=True
            ).start()

    def _run(self, call_id: Any, method: Any, params: dict[str, Any]) -> None:
        try:
            result, out = method(self, **params)
        except Exception as error:  # noqa: BLE001  whatever it is, the browser must hear of it
            self._fail(call_id, error)
        else:
            self.send({"kind": "result", "id": call_id, "result": result}, list(out))

    def _fail(self, call_id: Any, error: Exception) -> None:
        if not isinstance(error, (NbannotError, TypeError)):
            logger.error("nbannot: unexpected error", exc_info=error)
        self.send({"kind": "error", "id": call_id, **error_dict(error)})
