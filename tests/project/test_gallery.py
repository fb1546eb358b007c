"""Pages of a project: which items, in which order, whatever was filtered, removed or added."""

from __future__ import annotations

import itertools
import random

import pytest

from nbannot.errors import ProjectError
from nbannot.project import _gallery
from nbannot.schema import Label
from tests.project.making import add, annotation_rows, item_rows, jpeg


def shown(project, **filters):
    """Return ``task/key`` of the items of a page, and the total."""
    header, _ = project.page(**filters).encode()
    return [f"{i['task']}/{i['key']}" for i in header["items"]], header["total"]


@pytest.fixture
def mixed(project):
    """Return a project with gaps: items removed, undone, and appended to an earlier task."""
    random.seed(3)
    labels = ("cat", "dog", "cow")
    for task in ("one", "two", "three"):
        boxes = {f"{i}.jpg": random.choices(labels, k=random.randrange(3)) for i in range(12)}
        add(project, task, boxes)
    add(project, "gone")
    project.undo()
    with project.begin("import") as commit:
        ids = commit.ensure_labels([Label("cat"), Label("late")])
        layer = commit.ensure_layer("yolo")
        items = commit.add_items(project.task("one").task_id, item_rows(["late.jpg", "x.jpg"]))
        rows = [
            {"item": item, "type": "box", "label": ids[label], "layer": layer, "score": 0.5}
            for item, label in ((items[0], "cat"), (items[0], "late"), (5, "cat"), (20, "late"))
        ]
        rows.append({"item": 6, "type": "tag", "layer": layer})
        commit.add_annotations(annotation_rows(rows))
    with project.begin("edit") as commit:
        commit.remove_items([2, 3, 14, 36])
        mine = project.annotations
        commit.remove_annotations(mine["annotation_id"][mine["item"].isin([5, 20])].tolist()[:1])
    return project


def expected_keys(project, task, label, layer):
    """Return ``task/key`` of the items that the filters leave, by what the DataFrames say."""
    items, rows = project.items, project.annotations
    order = {name: n for n, name in enumerate(project.task_names())}
    items = items.sort_values(
        ["task", "position"], key=lambda c: c.map(order) if c.name == "task" else c
    )
    if label is not None:
        rows = rows[rows["label"] == label]
    if layer is not None:
        rows = rows[rows["layer"] == layer]
    if label is not None or layer is not None:
        items = items[items["item_id"].isin(rows["item"])]
    if task is not None:
        items = items[items["task"] == task]
    return [f"{t}/{k}" for t, k in zip(items["task"], items["key"], strict=True)]


def test_a_page_is_the_part_of_the_whole(mixed):
    """For every filter, pages of any size are the slices of what the DataFrames say."""
    filters = itertools.product(
        (None, "one", "two", "three"), (None, "cat", "late"), (None, "ground truth", "yolo")
    )
    for chosen in (dict(zip(("task", "label", "layer"), f, strict=True)) for f in filters):
        expected = expected_keys(mixed, **chosen)
        assert mixed.count_items(**chosen) == len(expected)
        for start, count in itertools.product((0, 11, 30, 99), (0, 7, 100)):
            found = shown(mixed, **chosen, start=start, count=count)
            assert found == (expected[start : start + count], len(expected)), chosen


def test_the_annotations_are_those_of_the_items(mixed):
    """Each item has its own annotations, in their order; `layer` leaves the others out."""
    page = mixed.page(count=100)
    owner = page.annotations["item"].to_pylist()
    assert owner == sorted(owner)
    ids = [int(i) for i in page.items["id"].to_pylist()]
    expected = mixed.annotation_table().to_pylist()
    mine = [[r["label"] for r in expected if r["item"] == i] for i in ids]
    labels = page.annotations["label"].to_pylist()
    found = [
        [label for label, i in zip(labels, owner, strict=True) if i == n] for n in range(len(ids))
    ]
    assert found == mine
    assert set(mixed.page(layer="yolo").annotations["layer"].to_pylist()) == {"yolo"}


def test_one_item(mixed):
    """An item's page has it alone; one that was removed is not there."""
    page = mixed.item_page(5)
    assert page.items["id"].to_pylist() == ["5"]
    assert len(page.annotations) == len(mixed.annotation_table(item_ids=[5]))
    with pytest.raises(ProjectError, match="no item 2"):
        mixed.item_page(2)


def test_filters_that_name_nothing_are_refused(mixed):
    """An unknown name is an error that lists the known ones, not an empty page."""
    with pytest.raises(ProjectError, match=r"no task 'four'.*'one', 'two', 'three'"):
        mixed.page(task="four")
    with pytest.raises(ProjectError, match=r"no label 'hen'.*'late'"):
        mixed.page(label="hen")
    with pytest.raises(ProjectError, match=r"no layer 'gpt'.*'ground truth', 'yolo'"):
        mixed.count_items(layer="gpt")


def test_a_page_follows_the_project(project):
    """Import, undo and redo show on the next page, also with a filter."""
    assert shown(project) == ([], 0)
    add(project, "one", {"a": ["cat"]})
    assert shown(project, label="cat") == (["one/a"], 1)
    add(project, "two", {"a": ["cat"]})
    assert shown(project, label="cat") == (["one/a", "two/a"], 2)
    project.undo()
    assert shown(project, label="cat") == (["one/a"], 1)
    assert shown(project) == (["one/a"], 1)
    project.redo()
    assert shown(project)[1] == 2


def test_pictures_and_notes(stored, tmp_path, monkeypatch):
    """A picture is made once per size; where there is none the page says why."""
    (tmp_path / "linked.jpg").write_bytes(jpeg("red"))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    with stored.begin("import") as commit:
        blob = commit.put_media(jpeg())
        names = ["copied", "linked", "broken", "gone", "none", "text", "sound"]
        uris = [None, *(str(tmp_path / f"{n}.jpg") for n in names[1:4]), None, None, None]
        blobs = [blob] + [None] * 6
        kinds = ["image"] * 5 + ["text", "audio"]
        data = [None] * 5 + ['{"id": "7", "text": "Dogs chase cats."}', None]
        commit.add_items(
            commit.add_task("t"), item_rows(names, blob=blobs, uri=uris, kind=kinds, data=data)
        )
    header, _ = stored.page().encode()
    page = stored.page()
    assert [bool(data) for data in page.thumbnails] == [True, True, *[False] * 5]
    notes = [item["note"] for item in header["items"]]
    assert notes[:2] == notes[5:] == ["", ""]
    assert all(notes[2:5])
    assert [item.get("text") for item in header["items"]][5:] == ["Dogs chase cats.", None]
    read = []
    real = stored._gallery._media
    monkeypatch.setattr(stored._gallery, "_media", lambda i: (read.append(i), real(i))[1])
    stored.page()
    assert read == [3, 4]  # what could not be read is tried again
    stored.page(size_px=20)
    assert sorted(read) == [1, 2, 3, 3, 4, 4]
    monkeypatch.setattr(_gallery, "MAX_THUMBNAILS", 1)
    stored.page(size_px=21)
    assert len(stored._gallery._pictures) == 1
