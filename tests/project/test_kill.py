"""A project after ``kill -9``: an import is whole or absent, and nothing is damaged."""

from __future__ import annotations

import os
import random
import shutil
import sys
import time

import pytest

from nbannot.project import open_project
from tests.project.killing import CHUNKS, ITEMS, context, import_slowly
from tests.project.making import add, jpeg

KILLS = int(os.environ.get("NBANNOT_KILLS", "50"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9"),
]


def kill_at(path, step, delay_s):
    """Run an import, kill it `delay_s` after it told `step`; return the last step it told."""
    ours, theirs = context().Pipe()
    child = context().Process(target=import_slowly, args=(str(path), theirs))
    child.start()
    theirs.close()
    told = ""
    try:
        while told != step:
            told = ours.recv()
        until = time.monotonic() + delay_s
        while time.monotonic() < until:  # a sleep would be too coarse
            pass
        child.kill()  # SIGKILL
        while True:  # what it told before it died
            told = ours.recv()
    except EOFError:
        pass
    finally:
        child.join()
        ours.close()
    return told


def test_an_import_that_is_killed_is_whole_or_absent(tmp_path):
    """Kills spread over the whole import, the commit and what follows; at least 30 % each side."""
    base = tmp_path / "base"
    with open_project(base) as project:
        add(project)
        before = project.summary()
    random.seed(7)
    # Steps are as far apart in time as they are here: the commit gets as many as all chunks.
    inside = ["begun", *(f"chunk {n}" for n in range(CHUNKS))]
    steps = [*inside, *["committing"] * len(inside), "committed"]
    steps += [f"after {n}" for n in range(CHUNKS)]
    whole = absent = 0
    for kill in range(KILLS):
        step = steps[kill * len(steps) // KILLS]
        copy = tmp_path / f"{kill}.nbannot"
        shutil.copytree(f"{base}.nbannot", copy)
        told = kill_at(copy, step, random.uniform(0, 0.01))
        with open_project(copy) as project:
            after = project.summary()
            integrity = project.sql("PRAGMA integrity_check")
            assert integrity["integrity_check"].tolist() == ["ok"], told
            if after["counts"] == before["counts"]:
                absent += 1
                assert not told.startswith(("committed", "after", "closed")), "a commit was lost"
            else:
                whole += 1
                assert after["counts"]["items"] == before["counts"]["items"] + ITEMS
                annotations = before["counts"]["annotations"] + 2 * ITEMS
                assert after["counts"]["annotations"] == annotations
                assert len(project.annotation_table()) == annotations
                assert project.media_bytes(ITEMS) == jpeg("red")
                assert project.undo()["title"] == "killed"
            add(project, "next")
            assert project.count_items() == 6
            assert not list(project._media.folder.glob("incoming/*"))
        shutil.rmtree(copy)
    assert min(whole, absent) >= 0.3 * KILLS, f"{whole} whole, {absent} absent"
