"""Large folders are read by two processes, and what comes of it is the same."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import nbannot as nb
from nbannot.formats.voc import read as voc
from nbannot.formats.yolo import read as yolo
from nbannot.sources import local, open_source
from nbannot.sources.base import helper_of_thread

COUNT = 300


def picture(path: Path, width: int = 40, height: int = 30, orientation: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    Image.new("RGB", (width, height)).save(path, exif=exif)


def pictures(folder: Path) -> None:
    for n in range(COUNT):
        picture(folder / f"{n:03d}.jpg", 40 + n % 3)
    (folder / "010.jpg").write_bytes(b"no image")
    (folder / "011.jpg").write_bytes(b"")
    picture(folder / "120.jpg", orientation=6)
    picture(folder / "121.jpg", orientation=3)


@pytest.fixture
def yolo_folder(tmp_path: Path) -> Path:
    """Make a YOLO dataset in which something is odd in one part of the files, and not in others."""
    folder = tmp_path / "yolo"
    pictures(folder / "images/train")
    labels = folder / "labels/train"
    labels.mkdir(parents=True)
    for n in range(COUNT):
        rows = "".join(f"{k % 2} .5 .{k + 1} .2 .{n % 8 + 1}\n" for k in range(n % 4))
        (labels / f"{n:03d}.txt").write_text(rows)
    (labels / "020.txt").write_text("cat .5 .5 .2 .2\n1 .5 .5 x .2\n7 .5 .5 .2 .2\n")
    (labels / "150.txt").unlink()
    (labels / "gone.txt").write_text("0 .5 .5 .2 .2\n")
    (folder / "data.yaml").write_text("path: .\ntrain: images/train\nnames: [cat, dog]\n")
    return folder


@pytest.fixture
def voc_folder(tmp_path: Path) -> Path:
    """Make a Pascal VOC dataset in which some files are odd."""
    folder = tmp_path / "voc"
    pictures(folder / "JPEGImages")
    (folder / "Annotations").mkdir()
    for n in range(COUNT):
        box = f"<xmin>{n % 7}</xmin><ymin>2</ymin><xmax>{n % 7 + 5}</xmax><ymax>9</ymax>"
        thing = f"<object><name>cat</name><bndbox>{box}</bndbox></object>"
        (folder / f"Annotations/{n:03d}.xml").write_text(
            f"<annotation><filename>{n:03d}.jpg</filename><size><width>{40 + n % 3}</width>"
            f"<height>30</height></size>{thing * (n % 4)}</annotation>"
        )
    odd = folder / "Annotations/050.xml"
    odd.write_text(odd.read_text().replace("<xmax>", "<xmax>9"))
    (folder / "Annotations/051.xml").write_text("<annotation><filename>051.jpg")
    (folder / "Annotations/052.xml").write_text("<!-- é --><annotation></annotation>")
    return folder


def outcome(folder: Path, **options: Any) -> list[Any]:
    project = nb.open_project()
    report = project.import_dataset(folder, **options)
    items, rows = project.items, project.annotations
    return [
        report.read, report.imported, report.warned, report.rejected,
        items.to_dict("list"), rows.astype(object).where(rows.notna(), None).to_dict("list"),
        report.ledger.to_dict("list"),
    ]  # fmt: skip


@pytest.mark.parametrize("format", ["yolo", "voc"])
def test_a_helper_changes_nothing(request: Any, monkeypatch: Any, format: str) -> None:
    """With a helper, without one, and file by file: the rows and the ledger are the same."""
    folder = request.getfixturevalue(f"{format}_folder")
    monkeypatch.setattr(yolo, "CHUNK_IMAGES", 100)
    monkeypatch.setattr(voc, "_CHUNK", 100)
    started = []
    start = local.start_helper
    monkeypatch.setattr(local, "start_helper", lambda: started.append(start()) or started[-1])
    alone = outcome(folder, format=format)
    assert not started
    monkeypatch.setattr(local, "_MANY", 500)
    helped = outcome(folder, format=format)
    assert len(started) == 1
    assert helper_of_thread.get() is None
    monkeypatch.setattr(local, "start_helper", nullcontext)
    monkeypatch.setattr(local.FolderSource, "on_disk", lambda *_: None)
    one_by_one = outcome(folder, format=format)
    assert alone[3]
    assert alone[:4] == helped[:4] == one_by_one[:4]
    for a, b, c in zip(alone[4:], helped[4:], one_by_one[4:], strict=True):
        assert repr(a) == repr(b) == repr(c)


def test_a_fingerprint_is_the_same_in_two_processes(yolo_folder: Path, monkeypatch: Any) -> None:
    """A helper tells of the files what this process would."""
    alone = open_source(yolo_folder).fingerprint()
    monkeypatch.setattr(local, "_MANY", 500)
    monkeypatch.setattr(local, "_HASHED_AT_ONCE", 100)
    source = open_source(yolo_folder)
    with source.helped():
        assert source.helper is not None
        assert source.fingerprint() == alone
    assert source.helper is None


def test_files_that_are_gone_are_named(yolo_folder: Path) -> None:
    """What was listed and is not there any more is told as it is of one file."""
    source = open_source(yolo_folder)
    paths = source.files.with_suffix(".txt")
    files = source.on_disk(paths)
    assert files is not None
    (yolo_folder / paths[3]).unlink()
    contents = list(files.contents())
    assert [i for i, text in enumerate(contents) if text is None] == [3]
    assert contents[4] == (yolo_folder / paths[4]).read_bytes()
    with pytest.raises(nb.errors.SourceError, match="not there any more"):
        source.fingerprint()
    shutil.rmtree(yolo_folder)
    assert set(files.contents()) == {None}


def test_only_many_listed_files_are_read_elsewhere(yolo_folder: Path) -> None:
    """A path that was not listed is not opened, whoever reads."""
    source = open_source(yolo_folder)
    assert source.on_disk(source.files[:10]) is None
    assert source.on_disk([*source.files, "../secret.txt"]) is None
    part = source.under("labels")
    files = part.on_disk(part.files)
    assert files is not None
    assert list(files.contents()) == [part.read(path) for path in part.files]
