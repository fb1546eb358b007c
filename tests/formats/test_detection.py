"""Detection over whole sources: several datasets, wrappers, fixes, and what is only recognised."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from nbannot import open_project
from nbannot.errors import UnknownFormatError
from nbannot.formats import detect, get_format
from nbannot.formats.base import Miss
from nbannot.formats.builtin import BUILT_IN
from nbannot.formats.detection import Formats
from nbannot.formats.examples import example, read_back, written
from nbannot.formats.features import sample_of
from nbannot.formats.look import Look
from nbannot.formats.recognised import RECOGNISED
from nbannot.importing.plan import best_of
from nbannot.sources import open_source


def jpeg():
    """Return a small picture."""
    out = io.BytesIO()
    Image.new("RGB", (64, 48)).save(out, "JPEG")
    return out.getvalue()


def below(folder, files):
    """Return files under a folder."""
    return {f"{folder}/{path}": data for path, data in files.items()}


def exported(name):
    """Return the files of the example in a format."""
    format = get_format(name)
    return written(format, example(("box",)))


def test_two_datasets_in_one_folder_are_offered_one_by_one():
    """A folder of a COCO and a VOC dataset: both come first, each in its folder."""
    found = detect(open_source(below("pets", exported("coco")) | below("cars", exported("voc"))))
    assert {(c.format, c.root) for c in found[:2]} == {("coco", "pets"), ("voc", "cars")}
    whole = [c for c in found if c.confidence and not c.root]
    assert all(c.confidence < found[1].confidence for c in whole)
    assert any("2 datasets lie below it" in text for c in whole for text in c.evidence)


def test_two_datasets_of_one_format_can_be_read_together_or_one_by_one():
    """A folder of two COCO datasets: the whole first, then each."""
    found = detect(open_source(below("one", exported("coco")) | below("two", exported("coco"))))
    coco = [(c.root, c.confidence > 0) for c in found if c.format == "coco"]
    assert coco == [("", True), ("one", True), ("two", True)]


def test_the_splits_of_one_dataset_are_not_datasets():
    """Roboflow's train/ and valid/, each with its JSON, are one dataset."""
    files = exported("coco")
    annotations = {p: d for p, d in files.items() if p.endswith(".json")}
    split = {}
    for path, data in annotations.items():
        subset = "valid" if "val" in path else "train"
        split[f"{subset}/_annotations.coco.json"] = data
        split[f"{subset}/a.jpg"] = jpeg()
    found = [c for c in detect(open_source(split)) if c.confidence and c.format == "coco"]
    assert [c.root for c in found] == [""]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_dataset_in_wrapping_folders_is_found(depth):
    """As a zip of a zip's folder unpacks: the dataset lies some folders down."""
    folder = "/".join(["data", "unpacked", "export"][:depth])
    best = detect(open_source(below(folder, exported("yolo"))))[0]
    assert best.format == "yolo"
    assert best.confidence >= 0.9


@pytest.mark.parametrize(
    ("files", "title"),
    [
        ({"v1.0-mini/sample_annotation.json": b"[]"}, "nuScenes"),
        ({"data/velodyne_points/0.bin": b"x", "tracklet_labels.xml": b"<a/>"}, "KITTI 3D"),
        ({"a.odgt": b"{}"}, "CrowdHuman"),
        ({"a.eaf": b"<ANNOTATION_DOCUMENT/>"}, "ELAN"),
        ({"train.spacy": b"DOCBIN"}, "spaCy DocBin"),
        ({"x.json": b'{"openlabel": {}}'}, "OpenLABEL"),
        ({"scan.nii.gz": b"x"}, "NIfTI"),
        ({"a/b.dcm": b"DICM"}, "DICOM"),
        ({"a.geojson": b'{"type": "", "features": [{"geometry": 1}]}'}, "GeoJSON"),
        ({"label.json": b'{"lanes": [], "h_samples": [], "raw_file": ""}'}, "TuSimple"),
        ({"a.xml": b"<dataset><images><image file='a.jpg'/></images></dataset>"}, "dlib"),
    ],
)  # fmt: skip
def test_what_is_recognised_and_not_read_is_named(files, title):
    """The error names the format, what shows it, and that it is not read yet."""
    source = open_source(files)
    with pytest.raises(UnknownFormatError) as error:
        best_of(detect(source), source)
    assert f"looks like {title}" in str(error.value)
    assert "does not read it yet" in str(error.value)


def test_recognised_formats_are_told_apart():
    """No title comes twice in the table."""
    titles = [known.title for known in RECOGNISED]
    assert len(set(titles)) == len(titles)


def test_a_folder_that_is_no_dataset_says_so():
    """Neither "empty" nor a guess: what each format misses."""
    project = open_project()
    with pytest.raises(UnknownFormatError, match="no dataset in a format that nbannot reads"):
        project.plan({"notes.md": b"# hello", "a.bin": b"\0\1"})
    project.close()


def test_missing_class_names_can_be_given():
    """Label files without names: a fix offers the option, and with it the labels are named."""
    source = open_source({"a.jpg": jpeg(), "a.txt": b"1 0.5 0.5 0.2 0.2\n"})
    best = detect(source)[0]
    (fix,) = best.fixes
    assert "names the classes" in fix.text
    options = {**fix.options, "names": "cat, dog"}
    found = read_back(get_format(best.format), source, **options)
    assert [row["label"] for row in found.annotations] == ["dog"]


def test_accepting_names_loses_no_class():
    """The offer has a name per class that is seen, and a class beyond given names is kept."""
    source = open_source({"a.jpg": jpeg(), "a.txt": b"1 .5 .5 .2 .2\n7 .5 .5 .1 .1\n"})
    best = detect(source)[0]
    (fix,) = best.fixes
    assert fix.options["names"].split(", ")[-1] == "class_7"
    for names, labels in ((fix.options["names"], {"class_1", "class_7"}),
                          ("cat, dog", {"dog", "class_7"})):  # fmt: skip
        found = read_back(get_format(best.format), source, names=names)
        assert {row["label"] for row in found.annotations} == labels
        assert [g for g in found.ledger.groups() if g[0] != "note"] == []


def test_folders_in_another_case_can_be_accepted():
    """``images/train`` that is written ``Images/Train``: a fix has it read as the split."""
    source = open_source({
        "data.yaml": b"train: images/train\nval: images/val\nnames: [cat]\n",
        "Images/Train/a.jpg": jpeg(), "Labels/Train/a.txt": b"0 0.5 0.5 0.2 0.2\n",
        "Images/Val/b.jpg": jpeg(), "Labels/Val/b.txt": b"0 0.5 0.5 0.2 0.2\n",
    })  # fmt: skip
    best = detect(source)[0]
    assert best.format == "yolo"
    (fix,) = best.fixes
    assert "Images/Train" in fix.text
    found = read_back(get_format("yolo"), source, **fix.options)
    assert sorted((row["subset"].lower(), row["key"]) for row in found.items) == [
        ("train", "a.jpg"), ("val", "b.jpg"),
    ]  # fmt: skip
    assert len(found.annotations) == 2


def alone(path, data, folder):
    """Return a JSON file as a source of its own."""
    place = folder / path.replace("/", "_")
    place.write_bytes(data)
    return open_source(place)


def refused(source):
    """Return formats that would take a source, and are kept from looking at it."""
    look = Look(source)
    formats = Formats(BUILT_IN, get_format)
    wrong = []
    for name, place in BUILT_IN.items():
        if not formats.lacks(place, look, name):
            continue
        try:
            confidence = get_format(name).requires(look)
        except Miss:
            continue
        wrong += [name] if confidence >= 0.3 else []
    return wrong


@pytest.mark.parametrize("name", [n for n in BUILT_IN if get_format(n).writes])
def test_no_format_is_kept_from_its_own_json(name, tmp_path):
    """What is not imported for the lack of keys would not have taken the file either."""
    for path, data in sample_of(get_format(name)).items():
        if path.endswith(".json"):
            assert refused(alone(path, data, tmp_path)) == []


def test_no_format_is_kept_from_a_sample(samples, tmp_path):
    """The same of the JSON files of all real samples."""
    paths = [p for p in samples.rglob("*.json") if "_expected" not in p.parts]
    assert len(paths) > 50
    for path in paths:
        assert refused(alone(path.name, path.read_bytes(), tmp_path)) == [], path


def test_a_format_that_fails_does_not_stop_the_others(monkeypatch):
    """Its fault is what it misses; the right format is found all the same."""
    monkeypatch.setattr(type(get_format("voc")), "requires", lambda *_: 1 / 0)
    found = detect(open_source(exported("coco")))
    assert found[0].format == "coco"
    (voc,) = [c for c in found if c.format == "voc"]
    assert "ZeroDivisionError" in voc.missing


def test_a_lone_carriage_return_in_a_header(tmp_path):
    """A CSV that Python's csv refuses is looked at by all formats."""
    found = detect(open_source({"a.csv": b"text,la\rbel\nx,y\n"}))
    assert not any("looking at it failed" in c.missing for c in found)
