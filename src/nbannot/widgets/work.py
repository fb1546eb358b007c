"""Long work of a model: on a thread, one piece at a time, cancelled when the next begins.

A thread and not the kernel's own: so progress goes out and cancel comes in while a cell runs,
whatever the kernel does with messages.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..errors import Cancelled
from ..progress import Progress, ProgressState

__all__ = ["Worker"]

Work = Callable[[Progress], None]


class Worker:
    """Runs one piece of work after another; beginning one cancels the one before.

    Args:
        on_progress: told how far the newest work is, at most ten times a second.
        on_error: told what it raised; anything that an older one raises is of no interest.
        on_cancel: told that it was cancelled, and not by a newer one.
    """

    def __init__(
        self,
        on_progress: Callable[[ProgressState], None],
        on_error: Callable[[BaseException], None],
        on_cancel: Callable[[], None],
    ) -> None:
        self._on_progress, self._on_error, self._on_cancel = on_progress, on_error, on_cancel
        self._newest: Progress | None = None
        self._thread: threading.Thread | None = None

    def begin(self, work: Work) -> None:
        """Cancel what runs, wait for it on the new thread, and run `work` there."""
        self.cancel()
        before, progress = self._thread, Progress(lambda state: self._tell(progress, state))
        self._newest = progress
        self._thread = threading.Thread(
            target=self._run, args=(work, progress, before), name="nbannot-work", daemon=True
        )
        self._thread.start()

    def cancel(self) -> None:
        """Ask the newest work to stop."""
        if self._newest is not None:
            self._newest.cancel()

    def forget(self) -> None:
        """Cancel the newest work, and hear nothing more of it."""
        self.cancel()
        self._newest = None

    def wait(self, timeout_s: float | None = None) -> None:
        """Block until the newest work has ended."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    def _tell(self, progress: Progress, state: ProgressState) -> None:
        if self._newest is progress:
            self._on_progress(state)

    def _run(self, work: Work, progress: Progress, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        try:
            progress.check()
            work(progress)
        except Cancelled:
            if self._newest is progress:
                self._on_cancel()
        except Exception as error:  # noqa: BLE001  shown: a thread has no other way out
            if self._newest is progress:
                self._on_error(error)
