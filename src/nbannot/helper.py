"""A second Python process beside this one, for pure work that would hold this one's lock.

Threads take turns at Python code; two processes use two processors. `in_order` shares the pieces
of a long job between a helper and this process, whichever is free, and gives the results in
order. What it calls must be a function of a module, without state: it can run in either. Where
there is no second processor, or no way to start a process, all runs here, with the same results.
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

import numpy as np

__all__ = ["Helper", "HelperGone", "in_order", "start_helper"]

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 8
"""Pieces that are begun, or made ready to be, before their results are asked for."""
SENT = 2
"""Pieces that the helper has: one in work, and one on the way."""

_COUNT = struct.Struct("<Q")
_PIPE_BYTES = 1 << 20
# It has no use for numpy's threads; and memory that it gives back it would need again at once, and
# get from the kernel page by page, which takes a tenth of its time. (Names of OpenBLAS and glibc.)
_SETTINGS = {
    "OPENBLAS_NUM_THREADS": "1",
    "NUMPY_MADVISE_HUGEPAGE": "0",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}
# The helper finds modules where this process does.
_PROGRAM = "import sys; sys.path[:] = {!r}; from nbannot.helper import serve; serve()"


class HelperGone(Exception):  # noqa: N818  not an error: its work is done here
    """The helper ended, or never began."""


def start_helper() -> Helper | None:
    """Start a helper, which takes half a second beside other work; None where there can't be one.

    Use it as a context manager: it ends with the block, whatever it is doing.
    """
    # What embeds Python (a server, a frozen program) is not to be started again.
    program = Path(sys.executable or "").name.lower()
    is_python = program.startswith(("python", "pypy")) and not getattr(sys, "frozen", False)
    if len(_processors()) < 2 or not is_python or sys.platform == "emscripten":
        return None
    try:
        return Helper()
    except OSError:
        return None


class Helper:
    """A process that runs functions of modules, one after the other.

    Large buffers (numpy arrays, `pickle.PickleBuffer`) go through its pipes without being copied
    into a pickle. It does not see this process's `__main__`, and ends when this process does.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  Python itself, and our own program
            [sys.executable, "-c", _PROGRAM.format([*map(str, sys.path)])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
            start_new_session=True,  # an interrupt of the notebook is not for it
            env={**os.environ, **_SETTINGS},
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        for stream in (self._to, self._from):
            _widen(stream)
        self._sender = ThreadPoolExecutor(1, "nbannot-to-helper")
        self._receiver = ThreadPoolExecutor(1, "nbannot-from-helper")

    def __enter__(self) -> Helper:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._sender.shutdown(cancel_futures=True)
        self._receiver.shutdown(cancel_futures=True)
        self._to.close()
        self._from.close()

    def submit(self, function: Callable[..., R], *args: Any) -> Future[R]:
        """Have the helper call a function; its results come in the order of these calls.

        The future raises what the function raises, or `HelperGone`.
        """
        try:
            self._sender.submit(self._send, (function, args))
            return self._receiver.submit(self._receive)
        except RuntimeError:  # it was ended meanwhile
            gone: Future[R] = Future()
            gone.set_exception(HelperGone())
            return gone

    def _send(self, task: Any) -> None:
        try:
            send(self._to, task)
        except OSError:
            return  # it is gone: who waits for the result is told
        except Exception as error:  # noqa: BLE001  raised by it, where the result is waited for
            send(self._to, (_refuse, (f"It can't be sent to the helper: {error}",)))

    def _receive(self) -> Any:
        try:
            succeeded, value = receive(self._from)
        except (EOFError, OSError) as error:
            raise HelperGone from error
        if not succeeded:
            raise value
        return value


def in_order(
    function: Callable[..., R],
    pieces: Iterable[tuple[T, tuple[Any, ...]]],
    helper: Helper | None,
) -> Iterator[tuple[T, R]]:
    """Return an iterator of (piece, ``function(*args)``) of each (piece, args), in order.

    The helper begins at once, and goes on while nobody asks for more; this process does what
    the helper has not begun when it is needed.

    >>> list(in_order(len, [("a", ("one",)), ("b", ("three",))], None))
    [('a', 3), ('b', 5)]
    """
    left = (_Job(function, piece, args) for piece, args in pieces)
    feeder = _Feeder(helper)
    jobs = deque(islice(left, AHEAD if helper is not None else 0))
    feeder.add(jobs)
    return _results(jobs, left, feeder, AHEAD if helper is not None else 1)


def _results(
    jobs: deque[_Job[T, R]], left: Iterator[_Job[T, R]], feeder: _Feeder, ahead: int
) -> Iterator[tuple[T, R]]:
    while True:
        more = list(islice(left, ahead - len(jobs)))
        jobs.extend(more)
        feeder.add(more)
        if not jobs:
            return
        if not jobs[0].future.done() and (job := feeder.take()) is not None:
            job.run()
        else:
            yield jobs.popleft().result()


class _Job(Generic[T, R]):
    """A piece, and what is to be called for it."""

    def __init__(self, function: Callable[..., R], piece: T, args: tuple[Any, ...]) -> None:
        self.function, self.piece, self.args = function, piece, args
        self.future: Future[R] = Future()

    def run(self) -> None:
        """Do it here."""
        self.future.set_result(self.function(*self.args))

    def result(self) -> tuple[T, R]:
        """Return the piece and its result, when there is one."""
        try:
            return self.piece, self.future.result()
        except HelperGone:
            return self.piece, self.function(*self.args)


class _Feeder:
    """Jobs that nobody has begun: the helper is given the next one whenever it ends one."""

    def __init__(self, helper: Helper | None) -> None:
        self._helper, self._lock = helper, threading.Lock()
        self._open: deque[_Job[Any, Any]] = deque()
        self._sent = 0

    def add(self, jobs: Iterable[_Job[Any, Any]]) -> None:
        with self._lock:
            self._open.extend(jobs)
        self._feed()

    def take(self) -> _Job[Any, Any] | None:
        with self._lock:
            return self._open.popleft() if self._open else None

    def _feed(self) -> None:
        while self._helper is not None:
            with self._lock:
                if self._sent >= SENT or not self._open:
                    return
                job = self._open.popleft()
                self._sent += 1
            answer = self._helper.submit(job.function, *job.args)
            answer.add_done_callback(partial(self._ended, job))

    def _ended(self, job: _Job[Any, Any], answer: Future[Any]) -> None:
        error = CancelledError() if answer.cancelled() else answer.exception()
        if isinstance(error, (CancelledError, HelperGone)):
            self._helper, error = None, HelperGone()
        if error is None:
            job.future.set_result(answer.result())
        else:
            job.future.set_exception(error)
        with self._lock:
            self._sent -= 1
        self._feed()


def _processors() -> Any:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _widen(stream: IO[bytes]) -> None:
    with suppress(ImportError, AttributeError, OSError):  # Linux has it
        import fcntl

        fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


# -- both ends --------------------------------------------------------------------------


def send(stream: IO[bytes], value: Any) -> None:
    """Write a value to a pipe: how many buffers, their sizes, the pickle, the other buffers."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, 5, buffer_callback=buffers.append)
    parts = [memoryview(head), *(buffer.raw() for buffer in buffers)]
    sizes = b"".join(_COUNT.pack(n) for n in (len(parts), *(len(part) for part in parts)))
    for part in (memoryview(sizes), *parts):
        while part:
            part = part[stream.write(part) :]


def receive(stream: IO[bytes]) -> Any:
    """Read a value from a pipe.

    Raises:
        EOFError: the other end is closed.
    """
    (count,) = _COUNT.unpack(_read(stream, _COUNT.size))
    sizes = _read(stream, count * _COUNT.size)
    head, *buffers = [_read(stream, size) for (size,) in _COUNT.iter_unpack(sizes)]
    return pickle.loads(head, buffers=buffers)  # noqa: S301  from our own process


def _read(stream: IO[bytes], size: int) -> memoryview:
    data = np.empty(size, np.uint8).data  # a bytearray would be filled with zeros first
    left = data
    while left:
        count = stream.readinto(left)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        left = left[count:]
    return data


class _NoPandas:
    # Arrow looks whether pandas is there, and would import it to no use.
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _refuse(reason: str) -> None:
    raise TypeError(reason)


def serve() -> None:
    """Run in the helper: call what comes, and send back what it gives, until nothing comes."""
    sys.meta_path.insert(0, _NoPandas())
    incoming, outgoing = FileIO(os.dup(0), "rb"), FileIO(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not print between the results
    while True:
        try:
            function, args = receive(incoming)
        except EOFError:
            return
        try:
            answer = (True, function(*args))
        except Exception as error:  # noqa: BLE001  raised where it was asked for
            answer = (False, error)
        try:
            send(outgoing, answer)
        except BrokenPipeError:
            return
