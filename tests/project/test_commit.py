from __future__ import annotations

import pyarrow as pa
import pytest

from nbannot.errors import ProjectError
from nbannot.ledger import Ledger
from nbannot.palette import color_of
from nbannot.schema import Label, Skeleton
from tests.project.making import add, annotation_rows, item_rows, keys


def test_a_change_is_whole_or_absent(project):
    """An error within the block, of whatever kind, leaves nothing behind."""
    add(project)
    before = project.summary()
    with pytest.raises(KeyboardInterrupt), project.begin("import") as commit:
        items = commit.add_items(commit.add_task("val"), item_rows(["x.jpg"]))
        commit.ensure_labels([Label("new")])
        commit.ensure_layer("yolo")
        commit.add_annotations(annotation_rows([{"item": items[0], "type": "tag"}]))
        commit.add_ledger(_ledger().to_arrow())
        commit.remove_items([1])
        raise KeyboardInterrupt
    assert project.summary() == before
    add(project, "val")
    assert len(project.items) == 6


def test_one_change_at_a_time(project):
    """A change within a change is refused at once, and the outer one goes on."""
    with project.begin("edit") as commit:
        with pytest.raises(ProjectError, match="already under way"):
            add(project)
        commit.add_task("train")
    assert project.task_names() == ["train"]


def test_a_change_that_ended_changes_nothing(project):
    """A commit that is kept and used after its block is refused."""
    with project.begin("edit") as commit:
        commit.add_task("train")
    with pytest.raises(ProjectError, match="This change has ended"):
        commit.add_task("late")
    assert project.task_names() == ["train"]


def test_many_scattered_ids(project):
    """Thousands of ids with gaps are removed in one go."""
    add(project, "t", {f"{i}": ["cat"] for i in range(5000)})
    with project.begin("edit") as commit:
        assert commit.remove_annotations(range(1, 5001, 2)) == 2500
    assert project.annotations["annotation_id"].tolist() == list(range(2, 5001, 2))


def test_a_task_name_is_free_again_after_undo(project):
    """Names are taken by what is in the project now, not by what was undone."""
    add(project)
    with pytest.raises(ProjectError, match="There is a task 'train' already"):
        add(project)
    project.undo()
    add(project)
    assert project.task_names() == ["train"]
    assert [label.name for label in project.label_list()] == ["cat", "dog"]


def test_labels_are_reused_and_given_what_they_lack(project):
    """A known label keeps its colour and gets a skeleton; undo takes the skeleton away again."""
    with project.begin("import") as commit:
        first = commit.ensure_labels([Label("cat", "#ABCDEF"), Label("dog"), Label("cat")])
    bones = Skeleton(("nose", "tail"), ((0, 1),))
    with project.begin("import") as commit:
        more = Label("cat", "#000000", "animal", bones, ({"name": "age"},), "c", "7", {"x": [1]})
        again = commit.ensure_labels([more, Label("cow", "red")])
    assert again["cat"] == first["cat"]
    cat, dog, cow = project.label_list()
    assert cat == Label("cat", "#abcdef", "animal", bones, ({"name": "age"},), "c", "7", {"x": [1]})
    assert (dog.color, cow.color) == (color_of(1), color_of(3))
    with project.begin("import") as commit:
        other = Skeleton(("a", "b", "c"))
        assert commit.ensure_labels([Label("cat", skeleton=other)]) == {"cat": first["cat"]}
    assert project.label_list()[0].skeleton == bones
    project.undo()
    project.undo()
    assert project.label_list() == [Label("cat", "#abcdef"), Label("dog", color_of(1))]
    project.redo()
    assert project.label_list()[0].skeleton == bones


def test_layers(project):
    """The ground truth is always there; a layer of predictions is made once."""
    with project.begin("import") as commit:
        assert commit.ensure_layer(None) == 0
        assert commit.ensure_layer("yolo") == commit.ensure_layer("yolo") == 1
        with pytest.raises(ProjectError, match="can't be called 'ground truth'"):
            commit.ensure_layer("ground truth")
    assert project.layers["name"].tolist() == ["ground truth", "yolo"]
    assert project.layers["kind"].tolist() == ["truth", "prediction"]


def test_items_are_numbered_in_row_order(project):
    """Ids are contiguous, positions go on where the task ended, and keys are unique in a task."""
    with project.begin("import") as commit:
        task = commit.add_task("t")
        assert commit.add_items(task, item_rows(["b", "a"])).tolist() == [1, 2]
        assert commit.add_items(task, item_rows([])).tolist() == []
    twice = pytest.raises(ProjectError, match=r"1 keys would be in one task twice.*'a'")
    with twice, project.begin("import") as commit:
        commit.add_items(task, item_rows(["c", "a"]))
    with project.begin("import") as commit:
        assert commit.add_items(task, item_rows(["c"])).tolist() == [3]
        commit.add_items(commit.add_task("other"), item_rows(["a"]))
    assert keys(project) == ["t/b", "t/a", "t/c", "other/a"]
    assert project.items["position"].tolist() == [0, 1, 2, 0]


def test_annotations_lie_by_item(project):
    """They are numbered by item and then as they came, and each knows its request."""
    with project.begin("import") as commit:
        items = commit.add_items(commit.add_task("t"), item_rows(["a", "b"])).tolist()
        rows = [(items[1], 1), (items[0], 2), (items[1], 3), (items[0], 4)]
        made = [{"item": i, "type": "number", "number": float(n)} for i, n in rows]
        assert commit.add_annotations(annotation_rows(made)) == 4
    found = project.annotation_table()
    assert found["annotation_id"].to_pylist() == [1, 2, 3, 4]
    assert found["number"].to_pylist() == [2, 4, 1, 3]
    assert set(found["added_by"].to_pylist()) == {commit.request_id}


def test_an_annotation_needs_its_item(project):
    """An annotation on an item that is not there fails the change."""
    with pytest.raises(ProjectError, match="no item 7"), project.begin("import") as commit:
        commit.add_annotations(annotation_rows([{"item": 7, "type": "tag"}]))
    assert len(project.annotations) == 0


def test_removing_items_takes_their_annotations(project):
    """What is on a removed item goes with it, and comes back with it."""
    add(project)
    with project.begin("edit") as commit:
        assert commit.remove_items([1, 99]) == 1
        assert commit.remove_items([1]) == 0
    assert keys(project) == ["train/b.jpg", "train/c.jpg"]
    assert project.annotations["key"].tolist() == ["b.jpg"]
    assert project.labels["annotations"].tolist() == [1, 0]
    project.undo()
    assert project.labels["annotations"].tolist() == [2, 1]
    assert len(project.annotations) == 3


def test_added_and_removed_in_one_change(project):
    """Removing what the same change added leaves no trace, also in the counts."""
    with project.begin("edit") as commit:
        label = commit.ensure_labels([Label("cat")])["cat"]
        item = commit.add_items(commit.add_task("t"), item_rows(["a"]))[0]
        row = {"item": item, "type": "tag", "label": label, "score": 0.5}
        commit.add_annotations(annotation_rows([row, row]))
        ids = pa.array([1], pa.int64())
        assert commit.remove_annotations(ids) == 1
        assert commit.remove_annotations(ids) == 0
    assert project.annotations["annotation_id"].tolist() == [2]
    assert project.labels["annotations"].tolist() == [1]


def test_the_request_is_kept_with_its_ledger(project):
    """What was asked for, what came of it, and each line of the ledger can be read again."""
    with project.begin(
        "import",
        title="Import pets",
        source_uri="/data/pets.zip",
        source_fingerprint="f1",
        format="coco",
        options={"b": 1, "a": None},
        target={"into": None},
        code="project.import_dataset('pets.zip')",
    ) as commit:
        commit.add_ledger(_ledger().to_arrow())
        commit.finish(read=3, imported=1, warned=1, rejected=1, summary={"text": "ok"})
    row = project.requests.iloc[0]
    assert (row["kind"], row["title"], row["state"]) == ("import", "Import pets", "done")
    assert (row["read"], row["imported"], row["warned"], row["rejected"]) == (3, 1, 1, 1)
    assert row["options"] == '{"a": null, "b": 1}'
    assert row["started"] <= row["finished"]
    assert not row["undone"]
    ledger = project.ledger(commit.request_id)
    assert ledger.equals(_ledger().to_pandas().astype(ledger.dtypes))
    lines = project.ledger_lines(commit.request_id, "warning", "too big", start=1, count=1)
    assert lines["total"] == 2
    assert [line["record"] for line in lines["lines"]] == ["box 2"]
    found = project.last_import("/data/pets.zip", {"into": None})
    assert found["source_fingerprint"] == "f1"
    assert project.last_import("/data/pets.zip", {"into": 1}) is None
    project.undo()
    assert project.last_import("/data/pets.zip", {"into": None}) is None


def _ledger() -> Ledger:
    ledger = Ledger()
    ledger.warn("too big", file="a.json", record=["box 1", "box 2"], item="é.jpg")
    ledger.reject(
        "no label", file="a.json", record="box 3", where="line 3", message="9 is no class"
    )
    return ledger
