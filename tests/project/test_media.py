from __future__ import annotations

import hashlib

import pytest

from nbannot.errors import ProjectError, SourceError
from nbannot.project import _media, open_project
from tests.project.making import item_rows, jpeg


def put(project, data, name="a.jpg", task="t"):
    """Add an item with copied media."""
    with project.begin("import") as commit:
        blob = commit.put_media(data)
        commit.add_items(commit.add_task(task), item_rows([name], blob=[blob]))
    return blob


def files(project):
    """Return the files under the project's media folder."""
    return sorted(p for p in project._media.folder.rglob("*") if p.is_file())


def test_media_is_stored_once_per_content(project):
    """The same bytes twice, in one import or two, are one file named by its sha-256."""
    data = jpeg()
    digest = put(project, data)
    with project.begin("import") as commit:
        assert commit.put_media(data) == commit.put_media(data) == digest
    assert digest == hashlib.sha256(data).hexdigest()
    assert [p.name for p in files(project)] == [digest]
    assert project.media_bytes(1) == data


def test_a_failed_import_leaves_no_media(project):
    """Files that came with a change that failed are gone with it."""
    with pytest.raises(ZeroDivisionError), project.begin("import") as commit:
        commit.put_media(jpeg())
        commit.put_media(jpeg("red"))
        raise ZeroDivisionError
    assert files(project) == []


def test_media_is_on_the_disk_before_the_commit(stored, monkeypatch):
    """File and folders are synced while the transaction that names them is still open."""
    synced = []
    real = _media.sync
    monkeypatch.setattr(_media, "sync", lambda p: (synced.append((p, len(stored.items))), real(p)))
    digest = put(stored, jpeg())
    assert [count for _, count in synced] == [0] * len(synced)
    media = stored.path / "media"
    assert [p for p, _ in synced] == [media / "incoming" / digest, media / digest[:2], media]


def test_a_half_written_file_is_written_again(stored):
    """A file of another size than its content's is not taken for it."""
    digest = put(stored, jpeg())
    stored._media.path(digest).write_bytes(b"cut")
    put(stored, jpeg(), task="again")
    assert stored.media_bytes(2) == jpeg()


def test_missing_media_is_named(stored, tmp_path):
    """No media, a lost copy and a lost link are three errors that say what is missing."""
    with stored.begin("import") as commit:
        blob = commit.put_media(jpeg())
        uris = [None, None, str(tmp_path / "gone.jpg")]
        rows = item_rows(["none", "copy", "link"], blob=[None, blob, None], uri=uris)
        commit.add_items(commit.add_task("t"), rows)
    stored._media.path(blob).unlink()
    with pytest.raises(ProjectError, match=r"no media \(none\)"):
        stored.media_bytes(1)
    with pytest.raises(ProjectError, match="can't be read"):
        stored.media_bytes(2)
    with pytest.raises(SourceError, match=r"gone\.jpg"):
        stored.media_bytes(3)
    with pytest.raises(ProjectError, match="no item 4"):
        stored.media_bytes(4)


def test_a_blob_is_a_name_and_never_a_path(stored, tmp_path):
    """A project that somebody else made can't reach files outside its media folder."""
    (tmp_path / "secret").write_text("S3CRET")
    with stored.begin("import") as commit:
        commit.add_items(commit.add_task("t"), item_rows(["x"], blob=["../../secret"]))
    with pytest.raises(ProjectError, match="no sha-256"):
        stored.media_bytes(1)


def test_media_in_memory_goes_with_the_project():
    """The temporary folder of a project in memory is removed when it is closed."""
    project = open_project()
    put(project, jpeg())
    folder = project._media.folder
    assert folder.is_dir()
    project.close()
    assert not folder.exists()


def test_a_full_disk_is_an_error_that_changes_nothing(stored, monkeypatch):
    """Where media can't be written the import fails, says so, and nothing is there."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_media.Path, "write_bytes", full)
    with pytest.raises(ProjectError, match="No space left on device"):
        put(stored, jpeg())
    monkeypatch.undo()
    assert len(stored.items) == 0
    put(stored, jpeg())
    assert len(stored.items) == 1
