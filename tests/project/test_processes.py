"""One project opened by several processes at once."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from nbannot.errors import ProjectError
from nbannot.project import _store, open_project
from tests.project.killing import context, hold, import_many, look
from tests.project.making import add


@contextmanager
def child(function, *arguments):
    """Run a function in another process; give the pipe to it."""
    ours, theirs = context().Pipe()
    process = context().Process(target=function, args=(*arguments, theirs))
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.join()
        ours.close()
    assert process.exitcode == 0


def test_one_writes_and_the_others_read_on(tmp_path, monkeypatch):
    """While another process writes, reads go on; a second writer waits, then says why not."""
    monkeypatch.setattr(_store, "WAIT_MS", 100)
    path = tmp_path / "p"
    with open_project(path) as project:
        add(project)
        before = project.version
        with child(hold, str(path)) as pipe:
            assert pipe.recv() == "holding"
            assert project.page().total == 3
            assert project.version == before
            with pytest.raises(ProjectError, match="Another notebook is writing"):
                add(project, "mine")
            assert project.task_names() == ["train"]
            pipe.send("go on")
            assert pipe.recv() == "done"
        assert project.version != before
        assert project.task_names() == ["train", "held"]
        assert project.page().total == 4
        add(project, "mine")
        assert project.undo()["title"] == "Import mine"
        assert project.undo()["title"] == "held"


def test_several_writers_take_turns(tmp_path):
    """Imports from four processes all come in, none twice, and a reader never sees half of one."""
    path = str(tmp_path / "p")
    with open_project(path):
        pass
    with child(look, path) as reader:
        pipes = []
        with (
            child(import_many, path, "a", 10) as a,
            child(import_many, path, "b", 10) as b,
            child(import_many, path, "c", 10) as c,
            child(import_many, path, "d", 10) as d,
        ):
            pipes = [p.recv() for p in (a, b, c, d)]
        assert pipes == [[]] * 4
        reader.send("stop")
        reads, torn = reader.recv()
    assert torn == []
    assert reads > 0
    with open_project(path) as project:
        assert sorted(project.task_names()) == sorted(f"{x}{n}" for x in "abcd" for n in range(10))
        assert len(project.items) == len(project.annotations) == 80
        assert [label.name for label in project.label_list()] == ["cat", "dog"]
        assert len(project.requests) == 40


def test_a_new_project_made_by_several_at_once(tmp_path):
    """Four processes that open a project that is not there yet all get the same one."""
    path = str(tmp_path / "p")
    with (
        child(import_many, path, "a", 2) as a,
        child(import_many, path, "b", 2) as b,
        child(import_many, path, "c", 2) as c,
        child(import_many, path, "d", 2) as d,
    ):
        assert [p.recv() for p in (a, b, c, d)] == [[]] * 4
    with open_project(path) as project:
        assert len(project.items) == 16
