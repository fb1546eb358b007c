from __future__ import annotations

import pytest

from nbannot.errors import ProjectError
from nbannot.schema import Label
from tests.project.making import add, annotation_rows, item_rows, jpeg, keys


def replace(project, labels=("cow",)):
    """Replace all annotations of the first item by one per label."""
    with project.begin("import", title="replace") as commit:
        ids = commit.ensure_labels([Label(name) for name in labels])
        mine = project.annotation_table(item_ids=[1])["annotation_id"]
        commit.remove_annotations(mine)
        rows = [{"item": 1, "type": "box", "label": ids[name]} for name in labels]
        commit.add_annotations(annotation_rows(rows))


def state(project):
    """Return all that a user sees, as values that can be compared."""
    return (
        project.annotation_table().to_pylist(),
        project.item_table().to_pylist(),
        project.label_list(),
        project.task_names(),
        project.labels["annotations"].tolist(),
        project.count_items(),
        [project.count_items(label=label.name) for label in project.label_list()],
    )


def test_undo_and_redo_walk_through_the_history(project):
    """Each undo is the state before, each redo the state after, through a replace and a removal."""
    states = [state(project)]
    add(project)
    states.append(state(project))
    replace(project)
    states.append(state(project))
    with project.begin("edit", title="remove") as commit:
        commit.remove_items([2])
    states.append(state(project))
    titles = []
    for before in reversed(states[:-1]):
        titles.append(project.undo()["title"])
        assert state(project) == before
    assert titles == ["remove", "replace", "Import train"]
    assert not project.can_undo
    for after in states[1:]:
        project.redo()
        assert state(project) == after
    assert not project.can_redo


def test_nothing_to_undo_or_redo(project):
    """Both say so, and change nothing."""
    with pytest.raises(ProjectError, match="nothing to undo"):
        project.undo()
    add(project)
    with pytest.raises(ProjectError, match="nothing to redo"):
        project.redo()
    assert len(project.items) == 3


def test_something_new_ends_redo(project):
    """What was undone can't come back over what was done since; undo goes past it."""
    add(project, "one")
    add(project, "two")
    project.undo()
    add(project, "two", {"x.jpg": []})
    assert not project.can_redo
    assert keys(project)[-1] == "two/x.jpg"
    project.undo()
    project.undo()
    assert keys(project) == []
    assert project.requests["undone"].tolist() == [True, True, True]


def test_exports_are_history_but_not_undone(project):
    """An export takes no part in undo, and does not end redo."""
    add(project)
    project.undo()
    with project.begin("export", title="to yolo"):
        pass
    assert project.redo()["title"] == "Import train"
    assert project.undo()["title"] == "Import train"
    assert project.requests["kind"].tolist() == ["import", "export"]


def test_compact_drops_what_is_gone_and_keeps_what_is_there(project):
    """Undone requests, removed rows and their media go; what is seen is the same."""
    with project.begin("import") as commit:
        task = commit.add_task("kept")
        blobs = [commit.put_media(jpeg("red")), commit.put_media(jpeg("blue"))]
        commit.add_items(task, item_rows(["a", "b"], blob=blobs))
        label = commit.ensure_labels([Label("cat")])["cat"]
        rows = [{"item": i, "type": "tag", "label": label} for i in (1, 2, 2)]
        commit.add_annotations(annotation_rows(rows))
    with project.begin("import") as commit:
        commit.remove_items([1])
    with project.begin("import") as commit:
        blob = commit.put_media(jpeg("green"))
        commit.add_items(commit.add_task("undone"), item_rows(["c"], blob=[blob]))
    project.undo()
    before = state(project)
    dropped = project.compact()
    assert state(project) == before
    assert (dropped["items"], dropped["annotations"], dropped["tasks"]) == (2, 1, 1)
    assert (dropped["requests"], dropped["media"]) == (1, 2)
    assert dropped["media_bytes"] == len(jpeg("red")) + len(jpeg("green"))
    assert project.media_bytes(2) == jpeg("blue")
    with pytest.raises(ProjectError, match=r"can't be undone: compact\(\) has dropped"):
        project.undo()
    assert not project.can_undo
    assert project.compact()["items"] == 0


def test_ids_are_never_given_twice(project):
    """What was dropped by compact does not lend its ids to what comes after."""
    add(project)
    project.undo()
    project.compact()
    add(project)
    assert project.items["item_id"].tolist() == [4, 5, 6]
    assert project.annotations["annotation_id"].tolist() == [4, 5, 6]
    assert project.tasks["task_id"].tolist() == [2]
    assert project.requests["request_id"].tolist() == [2]


def test_what_only_added_can_be_undone_after_compact(project):
    """Compact takes away only the undo of requests that removed something."""
    add(project, "one")
    add(project, "two")
    project.compact()
    project.undo()
    assert project.task_names() == ["one"]
