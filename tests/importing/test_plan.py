"""Plan, apply, report: what a user sees before, and has after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbannot as nb
from nbannot.errors import (
    BalanceError,
    Cancelled,
    OptionError,
    StrictError,
    UnknownFormatError,
)
from nbannot.formats import get_format
from nbannot.importing import staging
from nbannot.progress import Progress, ProgressState
from nbannot.schema import Batch
from tests.datasets import coco_document, picture, write_coco

TRAIN = coco_document(
    ["a.jpg", "deep/b.jpg"],
    [(0, "cat", (1, 2, 10, 8)), (0, "dog", (5, 5, 5, 5)), (1, "cat", (0, 0, 3, 3))],
)
VAL = coco_document(["c.jpg"], [(0, "dog", (2, 2, 4, 4))])


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Return a COCO dataset of two subsets, three images and four boxes."""
    return write_coco(tmp_path / "pets", {"train": TRAIN, "val": VAL})


@pytest.fixture
def project() -> Iterator[Any]:
    """Return a project in memory."""
    with nb.open_project() as opened:
        yield opened


def test_a_plan_changes_nothing(project: Any, dataset: Path) -> None:
    """A plan says what would happen; the project is as it was."""
    plan = project.plan(dataset)
    assert plan.format.name == "coco"
    assert (plan.items, plan.annotations) == (3, 4)
    assert sorted(plan.subsets) == [("train", 2, 3), ("val", 1, 1)]
    assert {m.name: (m.count, m.action) for m in plan.labels} == {
        "cat": (2, "create"),
        "dog": (2, "create"),
    }
    assert len(project.items) == len(project.labels) == len(project.requests) == 0


def test_apply_does_what_the_plan_said(project: Any, dataset: Path) -> None:
    """One task per subset, all boxes where they were, and a balance that adds up."""
    plan = project.plan(dataset)
    report = plan.apply()
    assert sorted(project.tasks["name"]) == ["train", "val"]
    assert (len(project.items), len(project.annotations)) == (3, 4)
    assert sorted(project.items["key"]) == ["a.jpg", "c.jpg", "deep/b.jpg"]
    first = project.annotations.sort_values("w").iloc[-1]
    assert (first["label"], first["x"], first["y"], first["w"], first["h"]) == ("cat", 1, 2, 10, 8)
    assert report.read == report.imported == 7
    assert report.warned == report.rejected == len(report.ledger) == 0
    assert plan.apply() is report  # a plan is applied once


def test_the_same_cell_twice_changes_nothing(tmp_path: Path, dataset: Path) -> None:
    """An import that was done is recognised, also after the project was closed."""
    with nb.open_project(tmp_path / "p") as project:
        project.import_dataset(dataset)
    with nb.open_project(tmp_path / "p") as project:
        report = project.import_dataset(dataset)
        assert "nothing to do" in report.text
        assert len(project.items) == 3
        assert len(project.requests) == 1


def test_an_undone_import_can_be_done_again(project: Any, dataset: Path) -> None:
    """What was undone is not there, so importing it again imports it."""
    project.import_dataset(dataset)
    project.undo()
    assert len(project.items) == 0
    assert project.import_dataset(dataset).imported == 7
    assert len(project.items) == 3


def test_a_changed_source_is_an_update(project: Any, dataset: Path) -> None:
    """New items are added, changed ones get their new annotations, others are left alone."""
    project.import_dataset(dataset)
    before = set(project.annotations["annotation_id"])
    changed = coco_document(
        ["a.jpg", "deep/b.jpg", "new.jpg"],
        [
            (0, "cat", (1, 2, 10, 8)),
            (0, "dog", (5, 5, 5, 6)),
            (1, "cat", (0, 0, 3, 3)),
            (2, "cat", (1, 1, 1, 1)),
        ],
    )
    write_coco(dataset, {"train": changed})
    plan = project.plan(dataset)
    changes = plan.changes
    assert (changes.adds_items, changes.updates_items, changes.unchanged_items) == (1, 1, 2)
    assert (changes.adds_annotations, changes.removes_annotations) == (3, 2)
    plan.apply()
    assert (len(project.items), len(project.annotations)) == (4, 5)
    assert 6.0 in project.annotations["h"].tolist()
    assert len(before & set(project.annotations["annotation_id"])) == 2  # the unchanged ones
    assert sorted(project.tasks["name"]) == ["train", "val"]
    project.undo()
    assert set(project.annotations["annotation_id"]) == before


def test_items_that_left_the_source_are_kept_and_named(project: Any, dataset: Path) -> None:
    """An update never removes items."""
    project.import_dataset(dataset)
    write_coco(dataset, {"train": coco_document(["a.jpg"], [])})
    plan = project.plan(dataset)
    assert "no longer in the source" in plan.ledger["reason"].tolist()
    plan.apply()
    assert len(project.items) == 3


def fix(
    tmp_path: Path, boxes: list[Any], images: tuple[str, ...] = ("a.jpg", "deep/b.jpg")
) -> Path:
    """Write a lone COCO file of corrections."""
    file = tmp_path / "fix.json"
    file.write_text(json.dumps(coco_document(images, boxes)), "utf-8")
    return file


def test_replace_says_how_many_go_and_undo_brings_them_back(
    project: Any, dataset: Path, tmp_path: Path
) -> None:
    """Replacing a task's annotations is announced, done, and taken back whole."""
    project.import_dataset(dataset)
    before = project.annotations.sort_values("annotation_id").reset_index(drop=True)
    task = project.task("train")
    plan = task.plan(fix(tmp_path, [(0, "dog", (1, 1, 2, 2))]), mode="replace")
    assert plan.changes.removes_annotations == 3
    assert "3 annotations" in plan.changes.warning
    plan.apply()
    assert len(task.annotations) == 1
    assert len(project.annotations) == 2  # the other task keeps its own
    project.undo()
    after = project.annotations.sort_values("annotation_id").reset_index(drop=True)
    assert after.equals(before)
    project.redo()
    assert len(task.annotations) == 1


def test_append_adds_and_merge_adds_only_what_is_new(
    project: Any, dataset: Path, tmp_path: Path
) -> None:
    """Append keeps all; merge knows what is there, and replaces what has the same id."""
    project.import_dataset(dataset)
    task = project.task("train")
    same = fix(
        tmp_path, [(0, "cat", (1, 2, 10, 8)), (0, "dog", (5, 5, 5, 6)), (1, "dog", (9, 9, 1, 1))]
    )
    merged = task.plan(same, mode="merge")
    # ids 1 to 3: 1 is as it was, 2 and 3 changed
    assert (merged.changes.adds_annotations, merged.changes.removes_annotations) == (2, 2)
    assert merged.imported == merged.read
    task.import_annotations(same, mode="append")
    assert len(task.annotations) == 6
    project.undo()
    merged.apply()
    assert len(task.annotations) == 3


def test_what_does_not_match_is_named_and_the_rest_imported(
    project: Any, dataset: Path, tmp_path: Path
) -> None:
    """An image that the task does not have, and its boxes, are lines; the others come in."""
    project.import_dataset(dataset)
    boxes = [(0, "cat", (1, 1, 1, 1)), (1, "cat", (2, 2, 2, 2)), (2, "dog", (3, 3, 3, 3))]
    report = project.task("train").import_annotations(
        fix(tmp_path, boxes, ("a.jpg", "nowhere.jpg", "x/b.jpg")), mode="append"
    )
    assert (report.read, report.imported + report.warned, report.rejected) == (6, 2, 4)
    lines = report.ledger[report.ledger["outcome"] == "rejected"]
    assert set(lines["item"]) == {"nowhere.jpg", "x/b.jpg"}
    assert len(project.annotations) == 5


def test_labels_are_mapped_and_dropped(project: Any, dataset: Path) -> None:
    """labels= maps one, drops one; each dropped annotation is a line."""
    report = project.import_dataset(dataset, labels={"cat": "kitty", "dog": None})
    assert project.labels["name"].tolist() == ["kitty"]
    assert project.annotations["label"].tolist() == ["kitty", "kitty"]
    assert (report.read, report.imported, report.rejected) == (7, 5, 2)
    assert set(report.ledger["reason"]) == {"its label is dropped"}


def test_only_the_subsets_asked_for(project: Any, dataset: Path) -> None:
    """subsets= takes some, says what was left out, and refuses names that are not there."""
    report = project.import_dataset(dataset, subsets=["val"])
    assert project.tasks["name"].tolist() == ["val"]
    assert (report.read, report.imported) == (2, 2)
    assert "left out" in report.ledger["message"][0]
    with pytest.raises(OptionError, match="It has: train, val"):
        project.plan(dataset, subsets=["test"])


def test_strict_refuses_before_anything_is_changed(project: Any, dataset: Path) -> None:
    """strict=True turns the ledger's warnings into one error."""
    (dataset / "images/train/a.jpg").unlink()
    with pytest.raises(StrictError, match="warning"):
        project.import_dataset(dataset, strict=True)
    assert len(project.items) == 0
    assert project.import_dataset(dataset).warned == 1


def test_media_by_link_or_copied_once(tmp_path: Path, project: Any) -> None:
    """A link reads the file where it is; a copy is stored once, by content."""
    folder = tmp_path / "same"
    picture(folder / "x/1.jpg")
    picture(folder / "y/1.jpg")
    project.import_dataset(folder, media="copy")
    items = project.items
    assert len(items) == 2
    assert items["blob"].nunique() == 1
    assert project.media_bytes(int(items["item_id"][0])) == (folder / "x/1.jpg").read_bytes()
    with nb.open_project() as linked:
        linked.import_dataset(folder)
        assert linked.items["blob"].isna().all()
        first = int(linked.items["item_id"][0])
        assert linked.media_bytes(first) == (folder / "x/1.jpg").read_bytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_follow_the_image_as_displayed(
    project: Any, tmp_path: Path, orientation: int
) -> None:
    """A file that speaks of the stored pixels has its boxes turned, and the ledger says so."""
    document = coco_document(["a.jpg"], [(0, "cat", (0, 0, 20, 15))])
    folder = write_coco(tmp_path / "turned", {"train": document}, media=False)
    picture(folder / "images/train/a.jpg", 40, 30, orientation)
    report = project.import_dataset(folder)
    box = project.annotations.iloc[0]
    item = project.items.iloc[0]
    if orientation >= 5:
        assert (item["width"], item["height"]) == (30, 40)
        assert "turned to the image as displayed" in report.ledger["reason"].tolist()
        assert (box["w"], box["h"]) == (15, 20)
        assert _is_red(folder / "images/train/a.jpg", box)
    else:
        assert (box["x"], box["y"], box["w"], box["h"]) == (0, 0, 20, 15)
        assert report.warned == (0 if orientation == 1 else 1)


def test_an_image_that_the_reader_measured_is_not_opened_again(
    project: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """An import of YOLO reads each head once; what EXIF leaves open is said all the same."""
    from nbannot.sources import local

    folder = tmp_path / "yolo"
    (folder / "labels").mkdir(parents=True)
    (folder / "data.yaml").write_text("path: .\ntrain: images\nnames: [cat]\n")
    for name, orientation in (("a", 1), ("b", 3), ("c", 6)):
        picture(folder / f"images/{name}.jpg", 40, 30, orientation)
        (folder / f"labels/{name}.txt").write_text("0 .5 .5 .2 .2\n")
    heads: list[str] = []
    plain = local.read_head
    monkeypatch.setattr(
        local, "read_head", lambda place, limit: heads.append(place[-5:]) or plain(place, limit)
    )
    report = project.import_dataset(folder, format="yolo")
    assert sorted(h for h in heads if h.endswith(".jpg")) == ["a.jpg", "b.jpg", "c.jpg"]
    assert project.items["width"].tolist() == [40, 40, 30]
    told = report.ledger[report.ledger["outcome"] == "warning"]
    assert told["item"].tolist() == ["b.jpg"]
    assert told["reason"].tolist() == ["the frame can't be told from the size"]


def _is_red(path: Path, box: Any) -> bool:
    from PIL import Image, ImageOps

    shown = ImageOps.exif_transpose(Image.open(path))
    r, _, b = shown.getpixel((int(box["x"] + box["w"] / 2), int(box["y"] + box["h"] / 2)))
    return r > 200 and b < 80


def test_two_items_of_one_name_are_both_kept(project: Any, tmp_path: Path) -> None:
    """The second has a name of its own, and the ledger names both ids."""
    document = coco_document(
        ["a.jpg", "a.jpg"], [(0, "cat", (1, 1, 2, 2)), (1, "dog", (3, 3, 2, 2))]
    )
    report = project.import_dataset(write_coco(tmp_path / "twins", {"train": document}))
    assert len(project.items) == 2
    assert project.items["key"].is_unique
    (message,) = report.ledger["message"]
    assert "0" in message
    assert "1" in message
    assert "a.jpg" in message
    assert report.read == report.imported + report.warned


def test_a_reader_that_loses_a_record_imports_nothing(
    project: Any, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that can't account for its input fails its own import."""

    def read(
        self: Any, source: Any, options: Any, ledger: Any, progress: Any, limit: Any = None
    ) -> Any:
        ledger.read(2)
        yield Batch.of({"item": [0], "key": ["a"], "kind": ["image"]})

    monkeypatch.setattr(type(get_format("coco")), "read", read)
    with pytest.raises(BalanceError, match="not accounted for"):
        project.import_dataset(dataset, format="coco")
    assert len(project.items) == 0


def test_what_is_no_dataset_is_said_so(project: Any, tmp_path: Path) -> None:
    """A folder that is no dataset raises, with what each format misses; it is never "empty"."""
    (tmp_path / "notes.md").write_text("hello", "utf-8")
    with pytest.raises(UnknownFormatError, match="Pascal VOC: "):
        project.plan(tmp_path)


@pytest.mark.parametrize("stage", ["Reading", "Checking images", "Importing"])
def test_cancel_leaves_the_project_as_it_was(project: Any, dataset: Path, stage: str) -> None:
    """Whenever it is cancelled, nothing is half imported."""

    def listener(state: ProgressState) -> None:
        if state.stage.startswith(stage):
            progress.cancel()

    progress = Progress(listener, interval_s=0)
    with pytest.raises(Cancelled):
        project.import_dataset(dataset, progress=progress)
    assert len(project.items) == len(project.tasks) == len(project.labels) == 0
    plan = project.plan(dataset)
    progress = Progress(listener, interval_s=0)
    if stage == "Importing":
        with pytest.raises(Cancelled):
            plan.apply(progress)
    assert len(project.items) == len(project.tasks) == len(project.labels) == 0
    assert project.import_dataset(dataset).imported == 7


def test_a_large_plan_lies_on_disk(
    project: Any, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan beyond the memory limit is kept in a temporary file, with the same result."""
    monkeypatch.setattr(staging, "MEMORY_BYTES", 0)
    assert project.import_dataset(dataset).imported == 7
    assert sorted(project.annotations["label"]) == ["cat", "cat", "dog", "dog"]


def test_the_preview_is_what_is_imported(project: Any, dataset: Path) -> None:
    """Every page of a plan shows the items and annotations that the project has afterwards."""
    plan = project.plan(dataset)
    shown, _ = plan.page(0, 24).encode()
    plan.apply()
    stored, _ = project.page(start=0, count=24).encode()
    assert [i["key"] for i in shown["items"]] == [i["key"] for i in stored["items"]]
    assert [i["annotations"] for i in shown["items"]] == [i["annotations"] for i in stored["items"]]
    assert [x["name"] for x in shown["labels"]] == [x["name"] for x in stored["labels"]]
    only, _ = plan.page(label="dog").encode()
    assert {i["key"] for i in only["items"]} == {"a.jpg", "c.jpg"}


def test_code_does_the_same(project: Any, dataset: Path) -> None:
    """The code that a plan shows, run, imports the same."""
    plan = project.plan(dataset, labels={"dog": None}, subsets=["train"])
    with nb.open_project() as other:
        exec(plan.code, {"project": other})
        plan.apply()
        assert other.annotations["label"].tolist() == project.annotations["label"].tolist()


def test_wrong_arguments_are_refused(project: Any, dataset: Path) -> None:
    """A mode, format or option that does not exist is an error that lists those that do."""
    with pytest.raises(OptionError, match="replace, append, merge"):
        project.plan(dataset, mode="overwrite")
    with pytest.raises(OptionError, match=r"Formats are: .*coco, "):
        project.plan(dataset, format="cocoo")
    with pytest.raises(OptionError, match="has no option 'colour'"):
        project.plan(dataset, colour="red")


def test_plans_and_reports_show_themselves(project: Any, tmp_path: Path) -> None:
    """Both have a text and an HTML form; names from files are text in it, never markup."""
    document = coco_document(["a.jpg"], [(0, "<b>x</b>", (1, 1, 2, 2))], ("<b>x</b>",))
    plan = project.plan(write_coco(tmp_path / "odd", {"train": document}))
    report = plan.apply()
    for text in (repr(plan), repr(report)):
        assert "1 item" in text
    for html in (plan._repr_html_(), report._repr_html_()):
        assert "<b>x</b>" not in html
    assert "&lt;b&gt;x" in plan._repr_html_()
    assert "data:image/svg+xml" in plan._repr_html_()  # drawn on the real picture


def test_importing_while_reading_gives_what_a_plan_gives(tmp_path: Path, dataset: Path) -> None:
    """Without a look in between the import is done as it is read, with the same outcome."""
    planned, streamed = (
        nb.open_project(tmp_path / "planned"),
        nb.open_project(tmp_path / "streamed"),
    )
    with planned, streamed:
        one = planned.plan(dataset).apply()
        two = streamed.import_dataset(dataset)
        assert one.balance == two.balance
        assert one.text == two.text
        assert planned.items.equals(streamed.items)
        assert planned.annotations.equals(streamed.annotations)
        assert planned.labels.equals(streamed.labels)
        assert planned.summary()["counts"] == streamed.summary()["counts"]
        assert "nothing to do" in streamed.import_dataset(dataset).text


def test_a_label_is_completed_by_what_another_file_knows(project: Any, tmp_path: Path) -> None:
    """A label met first without its skeleton has it once another file declares it."""
    plain = coco_document(["a.jpg"], [(0, "cat", (1, 1, 5, 5))], ("cat",))
    joints = coco_document(["b.jpg"], [], ("cat",))
    joints["categories"][0] |= {"keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}
    folder = write_coco(tmp_path / "joints", {"a": plain, "b": joints})
    plan = project.plan(folder)
    assert plan.staged.labels["cat"].skeleton.points == ("nose", "tail")
    project.import_dataset(folder)
    (label,) = project.label_list()
    assert label.skeleton.points == ("nose", "tail")
