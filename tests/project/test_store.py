from __future__ import annotations

import threading

import pytest

from nbannot.errors import NbannotError, ProjectError
from nbannot.project import _store, _store_tables, open_project
from nbannot.project._store_connection import connect
from tests.project.making import add, annotation_rows, item_rows, keys


def connection_to(folder):
    """Return a connection of one's own to the database in a project's folder."""
    folder.mkdir(exist_ok=True)
    return connect(str(folder / "project.sqlite"), "test")


def test_a_project_is_there_when_it_is_opened_again(tmp_path):
    """What was imported is in the folder `name.nbannot`, however the path is written."""
    with open_project(tmp_path / "pets") as project:
        add(project)
        before = project.summary()
    assert (tmp_path / "pets.nbannot" / "project.sqlite").is_file()
    with open_project(str(tmp_path / "pets.nbannot")) as project:
        assert project.summary() == before
        assert (project.name, project.path) == ("pets", tmp_path / "pets.nbannot")


def test_odd_names(tmp_path):
    """Spaces, per cent, question marks and non-ASCII letters are a name like any other."""
    for name in ("a b", "100%", "what?", "éè#1", "v1.2"):
        with open_project(tmp_path / name) as project:
            add(project)
        with open_project(tmp_path / name, read_only=True) as project:
            assert len(project.items) == 3
    assert len(list(tmp_path.iterdir())) == 5


def test_a_closed_project_says_so(project):
    """Using a closed project is an error, not a crash."""
    project.close()
    with pytest.raises(ProjectError, match="The project is closed"):
        len(project.items)
    with pytest.raises(ProjectError, match="The project is closed"):
        add(project)
    project.close()


# -- versions -------------------------------------------------------------------------


def test_a_store_of_version_0_is_brought_up_to_date(tmp_path):
    """An empty database is version 0: all steps are done, and it is a project."""
    made = connection_to(tmp_path / "old.nbannot")
    made.run("PRAGMA user_version = 0")
    made.close()
    with open_project(tmp_path / "old") as project:
        add(project)
        meta = project.sql("SELECT value FROM meta WHERE key = 'format_version'")
        assert meta["value"].tolist() == [str(len(_store_tables.MIGRATIONS))]
        version = project.sql("PRAGMA user_version")["user_version"].tolist()
        assert version == [len(_store_tables.MIGRATIONS)]


def test_an_older_project_is_brought_up_to_date(tmp_path, monkeypatch):
    """A new step is done on opening, in one transaction, and what was there is still there."""
    with open_project(tmp_path / "p") as project:
        add(project)
        before = project.summary()
    step = "ALTER TABLE tasks ADD COLUMN note TEXT DEFAULT 'old; older';\nSELECT 1;"
    monkeypatch.setattr(_store, "MIGRATIONS", (*_store_tables.MIGRATIONS, step))
    with pytest.raises(ProjectError, match="Open it once without read_only"):
        open_project(tmp_path / "p", read_only=True)
    with open_project(tmp_path / "p") as project:
        assert project.summary() == before
        assert project.sql("SELECT note FROM tasks")["note"].tolist() == ["old; older"]
    monkeypatch.undo()
    with pytest.raises(ProjectError, match=r"version 2.*reads up to 1.*pip install -U nbannot"):
        open_project(tmp_path / "p")


def test_a_step_that_fails_leaves_the_project_as_it_was(tmp_path, monkeypatch):
    """When a step fails half way, the older version still opens the project."""
    with open_project(tmp_path / "p") as project:
        add(project)
    step = "DROP TABLE jobs;\nSELECT * FROM nowhere;"
    monkeypatch.setattr(_store, "MIGRATIONS", (*_store_tables.MIGRATIONS, step))
    with pytest.raises(ProjectError, match="nowhere"):
        open_project(tmp_path / "p")
    monkeypatch.undo()
    with open_project(tmp_path / "p") as project:
        assert len(project.task("train").split_jobs(2)) == 2


def test_a_database_of_something_else_is_refused(tmp_path):
    """A SQLite file that is not ours is not written to."""
    made = connection_to(tmp_path / "notes.nbannot")
    made.run("CREATE TABLE notes(text)")
    made.close()
    for read_only in (False, True):
        with pytest.raises(ProjectError, match="not made by nbannot"):
            open_project(tmp_path / "notes", read_only=read_only)
    made = connection_to(tmp_path / "notes.nbannot")
    assert [r["name"] for r in made.rows("SELECT name FROM sqlite_master")] == ["notes"]
    made.close()


def test_what_is_no_project_is_refused(tmp_path):
    """A file in place of the folder, and a file of rubbish in place of the database."""
    (tmp_path / "file.nbannot").write_text("hello")
    with pytest.raises(ProjectError, match="A project is a folder"):
        open_project(tmp_path / "file")
    (tmp_path / "bad.nbannot").mkdir()
    (tmp_path / "bad.nbannot" / "project.sqlite").write_bytes(b"\0rubbish" * 1000)
    with pytest.raises(ProjectError, match="not a project's database"):
        open_project(tmp_path / "bad")


# -- reading only ---------------------------------------------------------------------


def test_read_only(tmp_path):
    """A project that is only read can be looked at, and refuses every change."""
    with pytest.raises(ProjectError, match="no such project"):
        open_project(tmp_path / "p", read_only=True)
    with open_project(tmp_path / "p") as project:
        add(project)
    with open_project(tmp_path / "p", read_only=True) as project:
        assert project.page().total == 3
        assert len(list(project.annotation_batches())) == 1
        for change in (lambda: add(project, "x"), project.undo, project.redo, project.compact):
            with pytest.raises(ProjectError, match="reading only"):
                change()
    with open_project(tmp_path / "p") as project:
        assert project.task_names() == ["train"]


def test_read_only_disk(tmp_path, monkeypatch):
    """Where SQLite can't make its shared-memory file, a project that nobody writes can be read."""
    with open_project(tmp_path / "p") as project:
        add(project)
    real = _store.connect

    def connect_only_immutable(place, name):
        if "immutable=1" not in place:
            raise ProjectError("The project's database can't be opened")
        return real(place, name)

    monkeypatch.setattr(_store, "connect", connect_only_immutable)
    with open_project(tmp_path / "p", read_only=True) as project:
        assert project.page().total == 3
    (tmp_path / "p.nbannot" / "project.sqlite-wal").write_bytes(b"somebody writes")
    with pytest.raises(ProjectError, match="can't be opened"):
        open_project(tmp_path / "p", read_only=True)


def test_sql_only_reads(project):
    """A query sees what is there; one that would change something is refused."""
    add(project)
    found = project.sql("SELECT task, key FROM live_items WHERE width = 64 ORDER BY key")
    assert found.to_dict("list") == {
        "task": ["train"] * 3,
        "key": ["a.jpg", "b.jpg", "c.jpg"],
    }
    per_label = "SELECT label, layer, count(*) AS n FROM live_annotations GROUP BY label, layer"
    assert project.sql(per_label).to_numpy().tolist() == [
        ["cat", "ground truth", 2],
        ["dog", "ground truth", 1],
    ]
    for change in ("DELETE FROM items", "DROP TABLE items", "INSERT INTO meta VALUES ('a', 'b')"):
        with pytest.raises(ProjectError, match=r"sql\(\) may only read"):
            project.sql(change)
    add(project, "val")  # and writing goes on
    project.undo()
    for view in ("items", "annotations", "labels", "layers", "tasks"):
        assert len(project.sql(f"SELECT * FROM live_{view}")) > 0
    assert len(project.sql("SELECT * FROM live_items")) == 3


# -- faults ---------------------------------------------------------------------------


def test_a_full_disk_leaves_the_project_as_it_was(project):
    """A disk that fills up in the middle is an error that says so; the next import works."""
    add(project)
    before = project.summary()
    pages = project._store._writer.rows("PRAGMA page_count")[0]["page_count"]
    project._store._writer.rows(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(NbannotError, match=r"The disk is full .* the project is as it was"):
        add(project, "large", {f"{i}.jpg": ["cat"] * 50 for i in range(500)})
    assert project.summary() == before
    project._store._writer.rows("PRAGMA max_page_count = 1000000")
    add(project, "large", {f"{i}.jpg": ["cat"] * 50 for i in range(500)})
    assert project.count_items() == 503


# -- threads --------------------------------------------------------------------------


def test_pages_are_seen_while_an_import_runs(stored):
    """Another thread reads the last committed state while a change is open."""
    add(stored)
    seen = []
    with stored.begin("import") as commit:
        commit.add_items(commit.add_task("val"), item_rows(["x"]))
        thread = threading.Thread(target=lambda: seen.append(stored.page().total))
        thread.start()
        thread.join()
    assert seen == [3]
    assert stored.page().total == 4


def test_a_second_thread_waits_its_turn(project):
    """Imports from several threads all come in, one after the other, while others look."""
    errors = []

    def work(name):
        try:
            for n in range(5):
                add(project, f"{name}{n}", {"a.jpg": ["cat"], "b.jpg": []})
                assert project.page(label="cat").total >= n + 1
                assert project.summary()["counts"]["items"] % 2 == 0
        except Exception as error:  # noqa: BLE001  whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert project.count_items() == 40
    assert project.count_items(label="cat") == 20


def test_a_thread_that_waits_too_long_says_so(project, monkeypatch):
    """When an import in another thread does not end, the second one says why it gave up."""
    monkeypatch.setattr(_store, "WAIT_MS", 1)
    errors = []

    def work():
        try:
            add(project)
        except ProjectError as error:
            errors.append(str(error))

    with project.begin("import"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert "Another import into this project is still running" in errors[0]


def test_batches_are_of_one_state(stored):
    """A long read sees the project as it was when it began, whatever is committed meanwhile."""
    add(stored, "one", {f"{i}": ["cat"] for i in range(10)})
    batches = stored.annotation_batches(batch_items=4)
    first, _ = next(batches)
    with stored.begin("edit") as commit:
        commit.remove_items(range(1, 11))
        commit.add_items(commit.add_task("two"), item_rows(["new"]))
    rest = list(batches)
    assert [len(first), *(len(items) for items, _ in rest)] == [4, 4, 2]
    assert sum(len(rows) for _, rows in rest) == 6
    assert keys(stored) == ["two/new"]


def test_batches_hold_items_with_all_their_annotations(project):
    """By task and position; an item's annotations come with it, in their order."""
    with project.begin("import") as commit:
        late, early = commit.add_task("b"), commit.add_task("a")
        items = [*commit.add_items(early, item_rows(["a1", "a2"])).tolist()]
        items += commit.add_items(late, item_rows(["b1", "b2", "b3"])).tolist()
        rows = [{"item": i, "type": "tag", "score": s} for s in (0.1, 0.2) for i in items[::-1]]
        commit.add_annotations(annotation_rows(rows))
    found = [
        (i["key"].to_pylist(), r["item"].to_pylist(), r["score"].to_pylist())
        for i, r in project.annotation_batches(batch_items=2)
    ]
    assert found == [
        (["b1", "b2"], [3, 3, 4, 4], [0.1, 0.2] * 2),
        (["b3"], [5, 5], [0.1, 0.2]),
        (["a1", "a2"], [1, 1, 2, 2], [0.1, 0.2] * 2),
    ]
    some = list(project.annotation_batches(item_ids=[2, 4], layer_ids=[1]))
    assert [i["key"].to_pylist() for i, _ in some] == [["b2"], ["a2"]]
    assert all(len(rows) == 0 for _, rows in some)
