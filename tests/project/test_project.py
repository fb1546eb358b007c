from __future__ import annotations

import gc

import pandas as pd
import pytest

from nbannot.errors import OptionError, ProjectError
from nbannot.project import Job, Project, Task, _above, open_project
from nbannot.schema import Label, Skeleton
from tests.project.making import add, annotation_rows, item_rows


def test_an_empty_project(project):
    """Everything can be asked of a project that holds nothing yet."""
    assert len(project.items) == len(project.annotations) == len(project.labels) == 0
    assert len(project.tasks) == len(project.requests) == 0
    assert project.layers["name"].tolist() == ["ground truth"]
    assert project.page().total == 0
    assert list(project.annotation_batches()) == []
    assert "no items yet" in repr(project)
    assert project.summary()["counts"]["items"] == 0
    with pytest.raises(ProjectError, match=r"no task 'val'.*none yet"):
        project.task("val")


def test_frames_have_names_for_ids(project):
    """Annotations name their task, item, label and layer; lists are lists, integers integers."""
    add(project)
    with project.begin("import") as commit:
        rows = [
            {"item": 3, "layer": commit.ensure_layer("yolo"), "type": "polygon", "frame": 2**53 + 1,
             "points": [0.0, 0.0, 1.0, 1.0], "occluded": True},
        ]  # fmt: skip
        commit.add_annotations(annotation_rows(rows))
    frame = project.annotations
    assert frame["task"].tolist() == ["train"] * 4
    assert frame["key"].tolist() == ["a.jpg", "a.jpg", "b.jpg", "c.jpg"]
    assert frame["label"].tolist()[:3] == ["cat", "dog", "cat"]
    assert frame["layer"].tolist() == ["ground truth"] * 3 + ["yolo"]
    assert frame["item"].tolist() == [1, 1, 2, 3]
    assert frame["points"].iloc[3] == [0.0, 0.0, 1.0, 1.0]
    assert frame["frame"].iloc[3] == 2**53 + 1
    assert frame["occluded"].iloc[3]
    assert pd.isna(frame["frame"].iloc[0])
    assert frame["x"].tolist()[:3] == [1.0, 2.0, 1.0]
    items = project.items
    assert items["task"].tolist() == ["train"] * 3
    assert items["width"].tolist() == [64] * 3
    assert project.labels[["name", "annotations"]].to_numpy().tolist() == [["cat", 2], ["dog", 1]]


def test_labels_show_their_skeletons(project):
    """A label's joints and attributes are in its row."""
    bones = Skeleton(("nose", "tail"), ((0, 1),))
    with project.begin("edit") as commit:
        commit.ensure_labels([Label("cat", skeleton=bones, attributes=({"name": "age"},))])
    row = project.labels.iloc[0]
    assert row["skeleton"] == ["nose", "tail"]
    assert row["attributes"] == [{"name": "age"}]


def test_tasks_by_name(project):
    """A task is had by its name, also from the DataFrame, where columns come first."""
    add(project, "val")
    add(project, "name", {"x": ["cat"]})
    tasks = project.tasks
    assert isinstance(tasks["val"], Task)
    assert tasks["name"].tolist() == ["val", "name"]
    assert project.task("name").item_count == 1
    assert tasks[tasks["items"] > 1]["name"].tolist() == ["val"]
    assert tasks[["name", "items", "annotations"]].to_numpy().tolist() == [
        ["val", 3, 3],
        ["name", 1, 1],
    ]
    with pytest.raises(ProjectError, match="no task 'nope'"):
        tasks["nope"]
    task = project.task("val")
    assert task.items["key"].tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert task.annotations["label"].tolist() == ["cat", "dog", "cat"]
    assert (task.subset, task.ref, task.code) == ("val", "task:1", "project.task('val')")
    assert [t.name for t in project.task_list()] == project.task_names() == ["val", "name"]
    assert project.task_by_id(task.task_id).name == "val"
    project.undo()
    project.undo()
    with pytest.raises(ProjectError, match=r"no task 1 .* Was it undone"):
        len(task.items)


def test_jobs_divide_a_task(project):
    """Jobs are contiguous parts that together are the task; splitting again replaces them."""
    add(project, "val", {f"{i}": ["cat"] * i for i in range(7)})
    with project.begin("edit") as commit:
        commit.remove_items([2])
    task = project.task("val")
    jobs = task.split_jobs(4)
    assert [job.items["key"].tolist() for job in jobs] == [["0", "2", "3", "4"], ["5", "6"]]
    assert [len(job.annotations) for job in jobs] == [9, 11]
    assert [job.name for job in jobs] == ["val 1", "val 2"]
    assert task.job("val 2").item_count == 2
    assert eval(jobs[1].code, {"project": project}).job_id == jobs[1].job_id
    assert project.job_by_id(jobs[0].job_id).ref == f"job:{jobs[0].job_id}"
    assert len(task.split_jobs(10)) == 1
    assert len(task.jobs) == 1
    project.undo()
    assert [job.name for job in task.jobs] == ["val 1", "val 2"]
    with pytest.raises(ProjectError, match=r"no job 'x'.*'val 1', 'val 2'"):
        task.job("x")
    with pytest.raises(ProjectError, match="no job 99"):
        project.job_by_id(99)
    with pytest.raises(OptionError, match="1 item or more"):
        task.split_jobs(0)
    assert isinstance(jobs[0], Job)


def test_an_empty_task_has_no_jobs(project):
    """Splitting a task without items makes none."""
    with project.begin("edit") as commit:
        commit.add_task("empty")
    assert project.task("empty").split_jobs(3) == []


def test_tables_can_be_narrowed(project):
    """By task, items and layers; ids may be lists, ranges or arrays."""
    add(project, "one")
    add(project, "two", layer="yolo")
    two = project.task("two").task_id
    assert project.item_table(two)["item_id"].to_pylist() == [4, 5, 6]
    assert project.item_table(item_ids=[6, 1, 99])["item_id"].to_pylist() == [1, 6]
    assert project.item_table(item_ids=[])["item_id"].to_pylist() == []
    assert project.item_table(two, positions=(1, 3))["item_id"].to_pylist() == [5, 6]
    assert project.annotation_table(two)["layer"].to_pylist() == ["yolo"] * 3
    assert len(project.annotation_table(layer_ids=[0])) == 3
    assert len(project.annotation_table(layer_ids=[])) == 0
    assert project.annotation_table(item_ids=range(2, 5))["item"].to_pylist() == [2, 4, 4]
    items = project.items["item_id"]
    assert len(project.annotation_table(item_ids=items)) == 6


def test_the_summary_counts(project):
    """Counts are those of the tables, the most frequent label first, the newest request first."""
    add(project, "one", {"a": ["dog", "cat", "cat"], "b": []})
    add(project, "two", {"a": ["cat"]}, layer="yolo")
    add(project, "gone")
    project.undo()
    found = project.summary()
    assert found["counts"] == {
        "tasks": 2, "items": 3, "annotations": 4, "labels": 2, "layers": 2, "requests": 3,
    }  # fmt: skip
    assert [(t["name"], t["items"], t["annotations"]) for t in found["tasks"]] == [
        ("one", 2, 3),
        ("two", 1, 1),
    ]
    assert [(x["name"], x["annotations"]) for x in found["labels"]] == [("cat", 3), ("dog", 1)]
    assert [(y["name"], y["annotations"]) for y in found["layers"]] == [
        ("ground truth", 3),
        ("yolo", 1),
    ]
    assert [r["undone"] for r in found["requests"]] == [True, False, False]
    assert found["requests"][2]["text"] == "Adds one."
    few = project.summary(1)
    assert [len(few[n]) for n in ("tasks", "labels", "layers", "requests")] == [1, 1, 1, 1]
    assert few["counts"] == found["counts"]


def test_the_version_changes_with_the_project(project):
    """It is the same until something changes."""
    before = project.version
    assert project.version == before
    add(project)
    assert project.version != before


def test_what_lies_above_is_found_by_name():
    """Each name of the table is a function or class that exists, or a module not written yet."""
    for name in ("plan", "import_dataset", "widget"):
        assert callable(_above.above(name))


def test_methods_pass_on_what_they_are_given(project, monkeypatch):
    """The project and its tasks hand their arguments to the layer above."""
    calls = []
    monkeypatch.setattr(
        "nbannot.project.project.above", lambda n: lambda *a, **k: calls.append((n, a, k))
    )
    monkeypatch.setattr(
        "nbannot.project.task.above", lambda n: lambda *a, **k: calls.append((n, a, k))
    )
    add(project)
    task = project.task("train")
    project.plan("x", media="copy")
    project.import_dataset("x", "coco", subsets=["a"])
    project.export("yolo", "out.zip", save_media=True)
    task.plan("x", mode="merge")
    task.import_annotations("x", "coco")
    assert calls == [
        ("plan", (project, "x", None), {"media": "copy"}),
        ("import_dataset", (project, "x", "coco"), {"subsets": ["a"]}),
        ("export", (project, "yolo", "out.zip"), {"save_media": True}),
        ("plan", (project, "x", None), {"into": task, "mode": "merge"}),
        ("import_dataset", (project, "x", "coco"), {"into": task, "mode": "replace"}),
    ]


def test_a_forgotten_project_lets_go_of_its_files(tmp_path):
    """A project that is not closed, but not held any more, closes by itself."""
    project = open_project(tmp_path / "p")
    add(project)
    del project
    gc.collect()
    assert [p.name for p in (tmp_path / "p.nbannot").iterdir()] == ["project.sqlite"]


def test_ids_of_the_next_items_do_not_depend_on_who_looks(project):
    """A read while nothing is committed changes nothing."""
    add(project)
    project.sql("SELECT 1")
    assert isinstance(project, Project)
    with project.begin("import") as commit:
        assert commit.add_items(commit.add_task("x"), item_rows(["y"])).tolist() == [4]
