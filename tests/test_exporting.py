"""Exporting a project: what is written, what is said of it, and what a failure leaves behind."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import nbannot as nb
from nbannot.errors import Cancelled, FormatError, NbannotError, OptionError, UnsafeSourceError
from nbannot.exporting import export
from nbannot.formats.imagefolder import ImageFolder
from nbannot.formats.voc import Voc
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source


def png(color):
    """Return a picture of 20 x 10."""
    out = io.BytesIO()
    Image.new("RGB", (20, 10), color).save(out, "PNG")
    return out.getvalue()


def fill(project, tasks, labels=("cat", "dog"), layer=None, media=True):
    """Add tasks {(name, subset): {key: [label, ...]}}: a box per label on each image."""
    with project.begin("import") as commit:
        ids = commit.ensure_labels([Label(name) for name in labels])
        layer_id = commit.ensure_layer(layer)
        for number, ((name, subset), items) in enumerate(tasks.items()):
            task = commit.add_task(name, subset)
            blobs = [commit.put_media(png((number, n, 0))) for n in range(len(items))]
            table = {
                "key": list(items),
                "kind": ["image"] * len(items),
                "width": pa.array([20] * len(items), pa.int32()),
                "height": pa.array([10] * len(items), pa.int32()),
            }
            if media:
                table["blob"] = blobs
            added = commit.add_items(task, pa.table(table))
            rows = [
                (i, ids[n]) for i, names in zip(added, items.values(), strict=True) for n in names
            ]
            if rows:
                commit.add_annotations(boxes([i for i, _ in rows], [n for _, n in rows], layer_id))
    return project


def boxes(items, labels, layer=0):
    """Return rows of boxes."""
    count = len(items)
    return pa.table(
        {
            "item": pa.array(items, pa.int64()),
            "type": ["box"] * count,
            "label": pa.array(labels, pa.int64()),
            "layer": pa.array([layer] * count, pa.int64()),
            **{n: pa.array(np.arange(1.0, count + 1)) for n in ("x", "y", "w", "h")},
        }
    )


PETS = {
    ("train", "train"): {"a.png": ["cat"], "s/b.png": ["cat", "dog"]},
    ("val", "val"): {"c.png": []},
}


@pytest.fixture
def project(tmp_path):
    """Return a project of two tasks, three images and three boxes."""
    with nb.open_project(tmp_path / "work" / "pets") as opened:
        yield fill(opened, PETS)


def read(path, fmt=None, **options):
    """Return {(subset, key): labels} of what lies at `path`."""
    batches = list((fmt or Voc()).read(open_source(str(path)), options, Ledger(), Progress()))
    items = {r["item"]: r for b in batches for r in b.items.to_pylist()}
    found = {(r["subset"], r["key"]): [] for r in items.values()}
    for row in (r for b in batches for r in b.annotations.to_pylist()):
        item = items[row["item"]]
        found[item["subset"], item["key"]].append(row["label"])
    return found


ALL = {("train", "a.png"): ["cat"], ("train", "s/b.png"): ["cat", "dog"], ("val", "c.png"): []}


def left(folder):
    """Return the names of what lies in a folder, hidden or not."""
    return sorted(p.name for p in Path(folder).iterdir())


# -- what is written ------------------------------------------------------------------


def test_a_folder(project, tmp_path):
    """All tasks are written as subsets, with an account that adds up."""
    report = project.export("voc", tmp_path / "out", save_media=True)
    assert read(tmp_path / "out") == ALL
    assert (report.read, report.written, report.converted, report.rejected) == (6, 6, 0, 0)
    assert report.path == tmp_path / "out"
    assert report.text == "Wrote 6 of 6 records to out."
    assert left(tmp_path) == ["out", "work"]
    image = (tmp_path / "out/JPEGImages/s/b.png").read_bytes()
    assert image == png((0, 1, 0))


def test_a_zip(project, tmp_path):
    """A target that ends in .zip is one; pictures in it are stored, not deflated again."""
    project.export("voc", tmp_path / "out.zip", save_media=True)
    assert read(tmp_path / "out.zip") == ALL
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.testzip() is None
        kinds = {i.filename[-4:]: i.compress_type for i in archive.infolist()}
    assert kinds[".png"] == zipfile.ZIP_STORED
    assert kinds[".xml"] == zipfile.ZIP_DEFLATED
    project.export("voc", tmp_path / "again.zip", save_media=True)
    assert (tmp_path / "out.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()


def test_without_media(project, tmp_path):
    """Media is written only where it is asked for."""
    project.export("voc", tmp_path / "out")
    assert not (tmp_path / "out/JPEGImages").exists()
    assert read(tmp_path / "out") == ALL
    with pytest.raises(OptionError, match="save_media=True"):
        project.export("imagefolder", tmp_path / "images")
    assert left(tmp_path) == ["out", "work"]


def test_image_folder(project, tmp_path):
    """What the format can't hold is a line each, and the images are all there."""
    report = project.export("imagefolder", tmp_path / "out", save_media=True)
    assert report.rejected == 3
    assert set(report.ledger["reason"]) == {"not a tag"}
    assert len(read(tmp_path / "out", ImageFolder())) == 3


@pytest.mark.parametrize(
    ("what", "found"),
    [
        (lambda p: None, {"a.png", "s/b.png", "c.png"}),
        (lambda p: "val", {"c.png"}),
        (lambda p: p.task("train"), {"a.png", "s/b.png"}),
        (lambda p: p.task("train").split_jobs(1)[1], {"s/b.png"}),
        (lambda p: ["val", p.task("train")], {"a.png", "s/b.png", "c.png"}),
        (lambda p: p.task("train").split_jobs(1), {"a.png", "s/b.png"}),
        (lambda p: [p.task("train").split_jobs(1)[0], "train"], {"a.png", "s/b.png"}),
        (lambda p: p.items["item_id"].tolist()[1:], {"s/b.png", "c.png"}),
        (lambda p: np.array([1]), {"a.png"}),
    ],
)
def test_a_part(what, found, project, tmp_path):
    """A task, a job, several of them, or items by id."""
    project.export("voc", tmp_path / "out", what=what(project))
    assert {key for _, key in read(tmp_path / "out")} == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"what": 1.5}, "what="),
        ({"what": [1, "train"]}, "what="),
        ({"what": []}, "what="),
        ({"what": [999]}, "item 999"),
        ({"what": "nope"}, "nope"),
        ({"subsets": ["nope"]}, "nope"),
        ({"layer": "nope"}, "nope"),
        ({"polygons": "nope"}, "polygons"),
        ({"no_such": 1}, "no_such"),
    ],
)
def test_wrong_arguments_are_errors_before_anything_is_written(
    arguments, message, project, tmp_path
):
    """A wrong argument is named, and the target is not there."""
    with pytest.raises(NbannotError, match=message):
        project.export("voc", tmp_path / "out", **arguments)
    assert left(tmp_path) == ["work"]
    assert "export" not in set(project.requests["kind"])


def test_subsets(project, tmp_path):
    """Only the subsets that are asked for."""
    project.export("voc", tmp_path / "out", subsets=["val"])
    assert set(read(tmp_path / "out")) == {("val", "c.png")}


def test_two_tasks_of_one_subset_stay_apart(project, tmp_path):
    """Two tasks of subset train are two subsets: no image is lost or merged (D7, D8)."""
    fill(project, {("train (2)", "train"): {"a.png": ["dog"]}})
    report = project.export("voc", tmp_path / "out", save_media=True)
    assert read(tmp_path / "out") == {**ALL, ("train (2)", "a.png"): ["dog"]}
    assert set(report.ledger["reason"]) == {"subset called as its task"}
    assert len(list((tmp_path / "out/JPEGImages").rglob("a.png"))) == 2


def test_layers(project, tmp_path):
    """The ground truth is exported, predictions when they are asked for; the rest is said."""
    fill(project, {("more", "more"): {"d.png": ["dog"]}}, layer="yolo11n")
    report = project.export("voc", tmp_path / "truth")
    assert read(tmp_path / "truth") == {**ALL, ("more", "d.png"): []}
    assert "yolo11n" in report.ledger["message"][0]
    project.export("voc", tmp_path / "predictions", layer="yolo11n")
    found = read(tmp_path / "predictions")
    assert [v for v in found.values() if v] == [["dog"]]
    project.export("voc", tmp_path / "both", layer=["ground truth", "yolo11n"])
    assert read(tmp_path / "both") == {**ALL, ("more", "d.png"): ["dog"]}


def test_an_image_that_can_not_be_read_is_a_line(tmp_path):
    """An image that is gone is named; the others and all annotations are written."""
    with nb.open_project() as project:
        fill(project, PETS, media=False)
        report = project.export("voc", tmp_path / "out", save_media=True)
    assert report.converted == 3
    assert set(report.ledger["reason"]) == {"media not written"}
    assert "a.png" in report.ledger["message"][0]
    assert read(tmp_path / "out") == ALL


def test_it_streams(project, tmp_path, monkeypatch):
    """Items come in batches, with all their annotations, in their order."""
    original = type(project).annotation_batches
    monkeypatch.setattr(
        type(project), "annotation_batches", lambda self, *a: original(self, *a, batch_items=1)
    )
    report = project.export("voc", tmp_path / "out")
    assert read(tmp_path / "out") == ALL
    assert report.read == 6


# -- the account ----------------------------------------------------------------------


def test_history(project, tmp_path):
    """An export is a request with its counts, its ledger and the code that does it again."""
    task = project.task("train")
    report = project.export(
        "imagefolder", str(tmp_path / "out"), what=task, save_media=True, overwrite=False
    )
    row = project.requests.iloc[-1]
    assert (row["kind"], row["format"], row["target"]) == (
        "export",
        "imagefolder",
        str(tmp_path / "out"),
    )
    assert (row["read"], row["rejected"]) == (report.read, report.rejected)
    assert row["code"] == report.code
    assert report.code == (
        f"project.export('imagefolder', {str(tmp_path / 'out')!r}, what=project.task('train'), "
        "save_media=True)"
    )
    assert len(project.ledger(report.request_id)) == 3
    again = report.code.replace("/out'", "/again'")
    eval(again, {"project": project})
    assert read(tmp_path / "again", ImageFolder()) == read(tmp_path / "out", ImageFolder())


def test_an_export_does_not_stand_in_the_way_of_undo(project, tmp_path):
    """Undo takes back the import, not the export."""
    project.export("voc", tmp_path / "out")
    assert project.undo()["kind"] == "import"
    assert len(project.items) == 0


def test_a_read_only_project_can_be_exported(project, tmp_path):
    """Without a line in the history."""
    with nb.open_project(project.path, read_only=True) as other:
        report = other.export("voc", tmp_path / "out")
    assert report.request_id is None
    assert read(tmp_path / "out") == ALL


def test_the_report_shows_itself(project, tmp_path):
    """As text and as HTML; names in it are text, whatever they hold."""
    fill(project, {("<script>", None): {"x.png": ["dog"]}})
    report = project.export("imagefolder", tmp_path / "<b>", save_media=True)
    text = repr(report)
    assert "8 records read = 4 written as they are + 0 converted + 4 left out" in text
    assert "left out: not a tag (4)" in text
    page = report._repr_html_()
    assert "not a tag" in page
    assert "<b>" not in page
    assert report.as_dict()["rejected"] == 4


# -- where it goes --------------------------------------------------------------------


def test_an_existing_target_is_not_touched(project, tmp_path):
    """What is there stays, unless overwrite=True; an empty folder is as good as none."""
    (tmp_path / "out").mkdir()
    project.export("voc", tmp_path / "out")
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*.xml")}
    (tmp_path / "file.zip").write_text("mine")
    for target in ("out", "file.zip"):
        with pytest.raises(OptionError, match="exists already"):
            project.export("voc", tmp_path / target, what="val")
    assert {p: p.read_bytes() for p in (tmp_path / "out").rglob("*.xml")} == before
    assert (tmp_path / "file.zip").read_text() == "mine"


def test_overwriting_equals_a_fresh_export(project, tmp_path):
    """Nothing of an earlier export is left over (D9)."""
    project.export("voc", tmp_path / "out", save_media=True)
    project.export("voc", tmp_path / "out", what="val", overwrite=True)
    project.export("voc", tmp_path / "fresh", what="val")

    def content(folder):
        paths = (p for p in (tmp_path / folder).rglob("*") if p.is_file())
        return {p.relative_to(tmp_path / folder): p.read_bytes() for p in paths}

    assert content("out") == content("fresh")
    project.export("voc", tmp_path / "out", overwrite=True)  # a folder by a folder again
    (tmp_path / "a.zip").write_text("old")
    project.export("voc", tmp_path / "a.zip", overwrite=True)
    assert read(tmp_path / "a.zip") == ALL
    assert left(tmp_path) == ["a.zip", "fresh", "out", "work"]


def test_overwrite_never_takes_away_what_is_not_an_export(project, tmp_path, monkeypatch):
    """The project, the folder one works in, and linked media are not replaced."""
    media = tmp_path / "media"
    media.mkdir()
    (media / "z.png").write_bytes(png("red"))
    with project.begin("import") as commit:
        task = commit.add_task("linked")
        uri = open_source(str(media)).link("z.png")
        commit.add_items(task, pa.table({"key": ["z.png"], "kind": ["image"], "uri": [uri]}))
    monkeypatch.chdir(tmp_path)
    for target in (media, project.path, project.path.parent, tmp_path):
        with pytest.raises(OptionError, match="is not replaced"):
            project.export("voc", target, overwrite=True)
    assert (media / "z.png").exists()
    assert (project.path / "project.sqlite").exists()


@pytest.mark.parametrize(
    "target", ["s3://bucket/out.zip", "https://host/x", "out.tar.gz", "", None, 3]
)
def test_targets_that_are_none(target, project, tmp_path, monkeypatch):
    """A URL, another archive, and nothing at all are errors that say what to do."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError) as caught:
        project.export("voc", target)
    assert "zip" in str(caught.value)
    assert left(tmp_path) == ["work"]


def test_a_target_that_is_one_file(project, tmp_path):
    """A format of many files does not go into one .json, and says so."""
    with pytest.raises(FormatError, match=r"writes \d+ files"):
        project.export("voc", tmp_path / "out.json")
    assert left(tmp_path) == ["work"]


class Failing(Voc):
    """Writes some, and then does not go on."""

    error: BaseException = OSError(28, "No space left on device")

    def write(self, export, sink, options, ledger, progress):
        """Write a file, and fail."""
        sink.write("Annotations/a.xml", b"<annotation/>")
        list(export.batches(export.subsets[0]))
        raise self.error


@pytest.mark.parametrize("target", ["out", "out.zip"])
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), ValueError("x"), KeyboardInterrupt()],
    ids=repr,
)
def test_a_failure_leaves_nothing(error, overwrite, target, project, tmp_path, monkeypatch):
    """Whatever goes wrong: the target is as it was, no litter beside it, no request."""
    monkeypatch.setattr("nbannot.exporting.get_format", lambda name: Failing())
    monkeypatch.setattr(Failing, "error", error)
    if overwrite:
        (tmp_path / target).write_text("mine")
    kind = NbannotError if isinstance(error, OSError) else type(error)
    with pytest.raises(kind):
        export(project, "voc", tmp_path / target, overwrite=overwrite)
    assert left(tmp_path) == ([target, "work"] if overwrite else ["work"])
    if overwrite:
        assert (tmp_path / target).read_text() == "mine"
    assert "export" not in set(project.requests["kind"])


def test_cancel_leaves_nothing(project, tmp_path):
    """A cancelled export is not there, and the project knows nothing of it."""
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        project.export("voc", tmp_path / "out", progress=progress)
    assert left(tmp_path) == ["work"]
    assert "export" not in set(project.requests["kind"])


def test_progress_is_told(project, tmp_path):
    """A listener hears how far it is."""
    seen = []
    project.export("voc", tmp_path / "out", progress=Progress(seen.append, interval_s=0))
    assert seen[-1].done == 3
    assert seen[-1].unit == "images"


def test_a_name_that_leaves_the_target_is_refused(tmp_path):
    """A key that was put into the store by hand does not write outside the target (S14)."""
    with nb.open_project() as project:
        fill(project, {("train", "train"): {"../../NBANNOT_ESCAPED.png": ["cat"]}})
        for name in ("voc", "imagefolder"):
            for target in ("deep/out", "deep/out.zip"):
                with pytest.raises(UnsafeSourceError, match="NBANNOT_ESCAPED"):
                    project.export(name, tmp_path / target, save_media=True)
    assert not list(tmp_path.rglob("*ESCAPED*"))
    assert left(tmp_path) == []
