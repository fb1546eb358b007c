"""The loss forecast, and that the export then says the same; targets and choices of an export."""

from __future__ import annotations

import fsspec
import numpy as np
import pytest

import nbannot as nb
from nbannot.errors import NbannotError, OptionError
from nbannot.exporting.delivery import RemotePlace
from nbannot.formats import FORMATS, get_format
from nbannot.formats.examples import example
from nbannot.formats.writing import FolderSink
from nbannot.geometry import mask_to_rle
from nbannot.ledger import Ledger
from nbannot.progress import Progress

WRITERS = [name for name in FORMATS if get_format(name).writes]


@pytest.fixture
def project(tmp_path):
    """A project with an annotation of each type that the conformance suite knows."""
    coco = get_format("table")
    made = example(
        ("box", "polygon", "mask", "skeleton", "ellipse", "polyline", "points", "tag", "text")
    )
    folder = tmp_path / "made"
    folder.mkdir()
    coco.write(
        made, FolderSink(folder, made.media), coco.check_options({}, writing=True), Ledger(),
        Progress(),
    )  # fmt: skip
    with nb.open_project() as opened:
        opened.import_dataset(folder, format="table")
        yield opened


def rows_of(ledger):
    """Return the lines of a ledger about records, comparable."""
    frame = ledger[ledger["outcome"] != "note"]
    return sorted(
        zip(frame["outcome"], frame["reason"], frame["record"], frame["item"], strict=True)
    )


@pytest.mark.parametrize("name", WRITERS)
def test_the_forecast_is_what_the_export_says(project, name, tmp_path):
    """Of every writer: the same counts and the same lines, before and after."""
    plan = project.export_plan(name, save_media=True)
    report = project.export(name, tmp_path / "out", save_media=True)
    assert (plan.read, plan.written, plan.converted, plan.rejected) == (
        report.read, report.written, report.converted, report.rejected,
    )  # fmt: skip
    assert rows_of(plan.ledger) == rows_of(report.ledger)
    assert plan.read == plan.written + plan.converted + plan.rejected


@pytest.mark.parametrize("name", WRITERS)
def test_every_annotation_has_one_fate(project, name):
    """Kept, converted and dropped add up to the project's annotations, type by type."""
    kinds = project.export_plan(name, save_media=True).kinds
    assert (kinds["total"] == kinds["kept"] + kinds["converted"] + kinds["dropped"]).all()
    counts = project.annotations["type"].value_counts()
    assert dict(zip(kinds["type"], kinds["total"], strict=True)) == counts.to_dict()


def test_kinds_say_how(project):
    """YOLO's boxes hold boxes; everything else is dropped, with the reason."""
    plan = project.export_plan("yolo", task="detect")
    kinds = plan.kinds.set_index("type")
    assert kinds.loc["box", "dropped"] == 0
    assert kinds.loc["ellipse", "dropped"] == 1
    assert "ellipse" in kinds.loc["ellipse", "how"]
    assert not plan.lossless
    assert "left out" in plan.text


def test_the_annotations_concerned_can_be_had(project):
    """Those that are dropped, as rows of the project, by type and by reason."""
    plan = project.export_plan("yolo", task="detect")
    lost = plan.annotations("dropped", type="ellipse")
    assert lost["type"].tolist() == ["ellipse"]
    reason = plan.kinds.set_index("type").loc["ellipse", "how"]
    assert plan.annotation_ids(reason=reason) == lost["annotation_id"].tolist()
    kept = set(plan.annotation_ids("kept"))
    changed = set(plan.annotation_ids())
    assert kept | changed == set(project.annotations["annotation_id"])
    assert not kept & changed


def test_nothing_is_written_and_nothing_remembered(project, tmp_path):
    """A forecast leaves no file and no request."""
    requests = len(project.requests)
    project.export_plan("coco")
    assert len(project.requests) == requests
    assert not (tmp_path / "out").exists()


def test_the_plan_can_be_applied(project, tmp_path):
    """`apply` exports with the very arguments of the plan."""
    report = project.export_plan("yolo", task="detect", subsets=["val"]).apply(tmp_path / "out")
    assert (tmp_path / "out" / "data.yaml").exists()
    assert "task='detect'" in report.code
    assert not (tmp_path / "out" / "labels" / "train").exists()


def test_it_shows_itself(project):
    """As text and as HTML: each type with its counts, names escaped."""
    plan = project.export_plan("voc")
    assert "skeleton" in repr(plan)
    assert "<td" in plan._repr_html_()
    assert "1 dropped" in repr(plan)


def test_a_lossless_export_says_so():
    """Boxes to COCO: all of it."""
    with nb.open_project() as project:
        rows = [{"image": "a.jpg", "label": "cat", "x1": 1, "y1": 2, "x2": 5, "y2": 6}]
        project.import_dataset(rows)
        plan = project.export_plan("coco")
        assert plan.lossless
        assert plan.text == "COCO can hold all 2 records as they are."


def test_equal_keys_in_two_subsets_are_told_apart():
    """a/1.jpg is in train and in val: the line of one is not the other's."""
    mask = mask_to_rle(np.ones((4, 4)))
    with nb.open_project() as project:
        box = {"image": "a.jpg", "label": "cat", "x1": 1, "y1": 2, "x2": 5, "y2": 6}
        rows = [{**box, "split": split} for split in ("train", "val")]
        project.import_dataset(rows)
        items = project.items.set_index("task")["item_id"]
        import pyarrow as pa

        with project.begin("edit") as commit:
            ids = commit.ensure_labels(project.label_list())
            commit.add_annotations(pa.table({
                "item": pa.array([items["val"]], pa.int64()), "type": ["mask"],
                "label": pa.array([ids["cat"]], pa.int64()), "mask": pa.array([mask], pa.binary()),
                "mask_height": pa.array([4], pa.int32()), "mask_width": pa.array([4], pa.int32()),
            }))  # fmt: skip
        lost = project.export_plan("yolo", task="detect").annotations("dropped", type="mask")
        assert lost["item"].tolist() == [items["val"]]


# -- what is exported ----------------------------------------------------------------------------


def test_items_of_a_query(project, tmp_path):
    """A query's text, or a part of `project.items`, says which items."""
    ids = project.items.query("key == 'a/1.jpg'")["item_id"]
    frame = project.items[project.items["key"] == "a/1.jpg"]
    query = "SELECT item_id FROM live_items WHERE key = 'a/1.jpg'"
    counts = {
        project.export_plan("coco", what=what).read for what in (list(ids), frame, query)
    }  # fmt: skip
    assert len(counts) == 1
    report = project.export("coco", tmp_path / "out", what=query)
    assert f"what={query!r}" in report.code
    with pytest.raises(OptionError, match="no column item_id"):
        project.export_plan("coco", what="SELECT key FROM live_items")


# -- where it goes -------------------------------------------------------------------------------


@pytest.fixture
def bucket():
    """An empty file system in memory."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    yield fs
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


def test_a_zip_in_a_bucket(project, bucket):
    """A URL that fsspec can write to; nothing else is left there."""
    report = project.export("coco", "memory://bucket/pets.zip")
    assert bucket.find("/bucket") == ["/bucket/pets.zip"]
    assert bucket.cat("/bucket/pets.zip")[:2] == b"PK"
    assert report.text.endswith("pets.zip.") or "pets.zip" in report.text


def test_a_folder_in_a_bucket(project, bucket):
    """All files of it, under the folder."""
    project.export("yolo", "memory://bucket/pets", save_media=True, task="detect")
    found = bucket.find("/bucket")
    assert "/bucket/pets/data.yaml" in found
    assert all(path.startswith("/bucket/pets/") for path in found)


def test_a_bucket_is_not_overwritten_unless_asked(project, bucket):
    """What is there stays, or is replaced as a whole."""
    bucket.pipe("/bucket/pets/old.txt", b"old")
    with pytest.raises(OptionError, match="exists already"):
        project.export("coco", "memory://bucket/pets")
    project.export("coco", "memory://bucket/pets", overwrite=True)
    assert "/bucket/pets/old.txt" not in bucket.find("/bucket")


def test_a_failed_upload_leaves_nothing(project, bucket, monkeypatch):
    """The file system fails half way: an error, and what was there is as it was."""
    bucket.pipe("/bucket/pets.zip", b"old")
    move = type(bucket).mv

    def fail(self, source, target, **options):
        if source.endswith(".new"):
            raise OSError("no space")
        move(self, source, target, **options)

    monkeypatch.setattr(type(bucket), "mv", fail)
    with pytest.raises(NbannotError, match="no space"):
        project.export("coco", "memory://bucket/pets.zip", overwrite=True)
    assert bucket.find("/bucket") == ["/bucket/pets.zip"]
    assert bucket.cat("/bucket/pets.zip") == b"old"
    assert project.requests["kind"].tolist() == ["import"]


@pytest.mark.parametrize("url", ["https://me:secret@host/x.zip", "nosuch://x/y.zip"])
def test_urls_that_can_t_be_written(project, url):
    """They are refused before anything is written, without showing a password."""
    with pytest.raises(OptionError) as caught:
        project.export("coco", url)
    assert "secret" not in str(caught.value)


def test_a_remote_place_shows_no_secrets(bucket):
    """Neither in its name nor in errors."""
    assert "secret" not in str(RemotePlace("memory://bucket/x.zip?sig=secret", overwrite=False))
