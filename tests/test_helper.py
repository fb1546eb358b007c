"""The helper process: results in order, from both processes, whatever becomes of it."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time

import numpy as np
import pytest

from nbannot import helper as helping
from nbannot.helper import Helper, HelperGone, in_order, start_helper

pytestmark = pytest.mark.skipif(sys.platform == "emscripten", reason="no processes")


def who_am_i(number: int) -> tuple[int, int]:
    """Return the number, and the process that it was given to."""
    time.sleep(0.002)
    return number, os.getpid()


def doubled(numbers: np.ndarray) -> np.ndarray:
    """Return twice the numbers."""
    return numbers * 2


def fail(number: int) -> int:
    """Raise for 3."""
    if number == 3:
        raise ValueError("three is not allowed")
    return number


def shout(text: str) -> str:
    """Print, as a library may."""
    print(text)  # noqa: T201
    return text.upper()


def die_in_helper(number: int, parent: int) -> int:
    """End the process, unless it is `parent`."""
    if os.getpid() != parent:
        os._exit(1)
    return number


def numbered(count: int) -> list[tuple[int, tuple[int]]]:
    """Return pieces for a function of one number."""
    return [(n, (n,)) for n in range(count)]


def test_results_come_in_order_and_from_both():
    with Helper() as helper:
        helper.submit(who_am_i, 0).result()  # it is up
        found = list(in_order(who_am_i, numbered(200), helper))
    assert [piece for piece, _ in found] == list(range(200))
    assert [number for _, (number, _) in found] == list(range(200))
    processes = {process for _, (_, process) in found}
    assert len(processes) == 2
    assert os.getpid() in processes


def test_all_runs_here_without_a_helper():
    found = list(in_order(who_am_i, numbered(5), None))
    assert [result for _, result in found] == [(n, os.getpid()) for n in range(5)]


def test_it_begins_before_it_is_asked():
    with Helper() as helper:
        begun = in_order(who_am_i, numbered(3), helper)
        time.sleep(2)
        found = list(begun)
    assert {process for _, (_, process) in found} != {os.getpid()}


def test_large_arrays_pass_unchanged():
    numbers = np.arange(3_000_000, dtype=np.float64)
    with Helper() as helper:
        result = helper.submit(doubled, numbers).result()
        text = helper.submit(bytes, pickle.PickleBuffer(b"abc")).result()
    assert text == b"abc"
    np.testing.assert_array_equal(result, numbers * 2)
    result[0] = 1  # it is our own


def test_an_error_is_raised_where_the_result_is_taken():
    with Helper() as helper, pytest.raises(ValueError, match="three is not allowed"):
        list(in_order(fail, numbered(6), helper))
    with pytest.raises(ValueError, match="three is not allowed"):
        list(in_order(fail, numbered(6), None))


def test_what_cannot_be_sent_is_said_so():
    with Helper() as helper:
        answer = helper.submit(lambda: 1)
        with pytest.raises(TypeError, match="can't be sent"):
            answer.result()
        assert helper.submit(len, "abc").result() == 3


def test_what_is_printed_there_does_not_come_between(capfd):
    with Helper() as helper:
        assert helper.submit(shout, "hello").result() == "HELLO"
        assert helper.submit(shout, "again").result() == "AGAIN"


def test_when_it_dies_the_rest_is_done_here():
    pieces = [(n, (n, os.getpid())) for n in range(40)]
    with Helper() as helper:
        found = list(in_order(die_in_helper, pieces, helper))
        with pytest.raises(HelperGone):
            helper.submit(len, "abc").result()
    assert found == [(n, n) for n in range(40)]


def test_it_ends_with_the_block_whatever_it_does():
    with Helper() as helper:
        process = helper._process
        helper.submit(time.sleep, 60)
    assert process.poll() is not None


def test_an_interrupt_is_not_for_it():
    with Helper() as helper:
        helper.submit(len, "abc").result()
        assert os.getpgid(helper._process.pid) != os.getpgid(0)
        os.kill(os.getpid(), signal.SIGCHLD)  # the like of it does not end it either
        assert helper.submit(len, "abcd").result() == 4


def test_there_is_none_where_it_is_of_no_use(monkeypatch):
    monkeypatch.setattr(helping, "_processors", lambda: {0})
    assert start_helper() is None
    monkeypatch.setattr(helping, "_processors", lambda: {0, 1})
    for program in ("", "/nowhere/python", "/usr/sbin/uwsgi"):
        monkeypatch.setattr(sys, "executable", program)
        assert start_helper() is None
