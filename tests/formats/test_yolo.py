"""Ultralytics YOLO: what tools write, what data.yaml says, detection and preview."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from nbannot.errors import BrokenFileError, FormatError, SourceError
from nbannot.formats.base import Miss
from nbannot.formats.look import Look
from nbannot.formats.yolo import Yolo
from nbannot.formats.yolo.rows import parse_rows
from nbannot.sources import open_source

from .yolo_files import YAML, Read, evidence, memory, one_file, picture, read

BOX = "0 0.5 0.5 0.2 0.4\n"
DOG = "1 0.5 0.5 0.2 0.4\n"

# -- real samples ---------------------------------------------------------------------

SAMPLES = {
    "roboflow/datumaro-yolo": "roboflow/datumaro-yolo.roboflow_yolo",
    "roboflow/datumaro-yolo_obb": "roboflow/datumaro-yolo_obb.roboflow_yolo_obb",
    **{
        f"yolo_ultralytics/cvatdatumaro-yolov8_{name}": (
            f"yolo_ultralytics/cvatdatumaro-yolov8_{name}.yolov8_{kind}.cvatfork"
        )
        for name, kind in {
            "detection": "detection",
            "detection_with_list_of_imgs": "detection",
            "detection_with_list_of_names": "detection",
            "detection_with_subset_txt": "detection",
            "oriented_boxes": "oriented_boxes",
            "pose": "pose",
            "pose_two_values_per_point": "pose",
            "segmentation": "segmentation",
        }.items()
    },
}


def numbers(annotation):
    """Return what an independent reader says of an annotation's geometry, as ours does."""
    if annotation["type"] == "polygon":
        return annotation["points"]
    if annotation["type"] == "skeleton":
        return [v for element in annotation["elements"] for v in element["points"]]
    if annotation["type"] == "rotated_bbox":
        cx, cy, w, h, degrees = annotation["rbox"]
        assert degrees == 90  # the same rectangle, lying
        return [cx - h / 2, cy - w / 2, h, w]
    return annotation["bbox_xywh"]


@pytest.mark.parametrize("case", SAMPLES)
def test_samples_agree_with_datumaro(case, samples, expected):
    """Names, items, subsets, sizes and geometry are what Datumaro reads."""
    source = open_source(str(samples / case))
    result = Read(source)
    facts = json.loads((expected / f"{SAMPLES[case]}.json").read_text("utf-8"))
    assert list(result.labels) == [n for n in facts["labels"] if "_point_" not in n]
    found = {(i["subset"], i["key"].rpartition(".")[0]): i for i in result.items}
    assert set(found) == {(i["subset"], i["id"]) for i in facts["items"]}
    for fact in facts["items"]:
        item = found[fact["subset"], fact["id"]]
        assert [item["height"], item["width"]] == fact["size_hw"]
        assert item["media"] == fact["file"]
        rows = result.of(item["media"])
        assert [r["label"] for r in rows] == [a["label"] for a in fact["annotations"]]
        for row, annotation in zip(rows, fact["annotations"], strict=True):
            mine = row.get("points") or [row[k] for k in "xywh"]
            rotation = annotation.get("attributes", {}).get("rotation", 0)
            if abs(row.get("rotation", 0) - rotation) > 1:  # the other side comes first
                assert row["rotation"] == pytest.approx(rotation + 90, abs=1e-3)
                x, y, w, h = mine
                mine = [x + (w - h) / 2, y + (h - w) / 2, h, w]
            assert mine == pytest.approx(numbers(annotation), abs=1e-4)
    assert result.balance.rejected == 0
    assert Yolo().requires(Look(source)) >= 0.9


def test_sharks_mix_boxes_and_polygons(samples, expected):
    """60 lines are 43 boxes and 17 polygons; absolute and `../` splits are found all the same."""
    result = Read(open_source(str(samples / "roboflow/roboflow-sharks_yolov9")))
    raw = json.loads((expected / "_raw/roboflow/roboflow-sharks_yolov9.json").read_text("utf-8"))
    types = [row["type"] for row in result.rows]
    assert (types.count("box"), types.count("polygon")) == (raw["yolo"]["columns"]["5"], 17)
    assert len(types) == raw["yolo"]["lines"] == 60
    assert {s: len(keys) for s, keys in result.keys.items()} == {"train": 7, "valid": 2, "test": 1}
    assert list(result.labels) == ["fish", "primary", "shark"]
    twenty = next(i["media"] for i in result.items if "sharks_mp4-20_" in i["key"])
    assert len(result.of(twenty)) == 5
    assert result.balance.read == result.balance.imported == 70


def test_classification_is_not_ours(samples):
    """A tree of class folders has no label files: that is what is missing."""
    source = open_source(str(samples / "yolo_ultralytics/cvatdatumaro-yolov8_classification"))
    with pytest.raises(Miss, match=r"no data\.yaml"):
        Yolo().requires(Look(source))


# -- the hostile set ------------------------------------------------------------------


@pytest.fixture(scope="session")
def hostile(shared, tmp_path_factory):
    """Return the folder of hostile files, and what each must become."""
    folder = tmp_path_factory.mktemp("hostile")
    script = shared / "hostile" / "make_hostile.py"
    command = [sys.executable, "-W", "ignore", str(script), "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    cases = [
        case
        for name in ("MANIFEST.json", "CONTROLS.json")
        for case in json.loads((folder / name).read_text("utf-8"))
    ]
    return folder, {case["file"]: case for case in cases}


HOSTILE = [
    "ok_same_name_two_folders.zip",
    "ok_unicode_names.zip",
    "ok_yolo.zip",
    "yolo_class_out_of_names.zip",
    "yolo_duplicate_and_orphan.zip",
    "yolo_four_columns.zip",
    "yolo_names_gap.zip",
    "yolo_whitespace_crlf.zip",
    "yolo_yaml_alias_bomb.zip",
    "yolo_yaml_download_exec.zip",
    "yolo_yaml_path_escape.zip",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name, hostile, monkeypatch):
    """Each hostile file ends as its manifest says, named, counted, and without harm."""
    monkeypatch.delenv("NBANNOT_CANARY", raising=False)
    folder, cases = hostile
    case = cases[name]
    with open_source(str(folder / name)) as source:
        assert Yolo().requires(Look(source)) >= 0.9
        if case["expected"] == "clear error":
            with pytest.raises(FormatError) as caught:
                Read(source)
            assert case["name"] in str(caught.value)
            return
        result = Read(source)
    assert "NBANNOT_CANARY" not in os.environ
    counts = case.get("counts", {})
    assert len(result.items) == counts.get("images", 2)
    assert len(result.rows) == counts.get("annotations", len(result.rows))
    assert result.balance.rejected == counts.get("rejected", result.balance.rejected)
    if case["expected"] == "import exactly":
        assert result.balance.warned == result.balance.rejected == 0
    else:
        assert case["name"] in result.ledger.to_pandas()["message"].str.cat(sep="\n")


def test_a_gap_in_the_ids_moves_no_name(hostile):
    """Of names {0: cat, 5: dog} row 5 is a dog."""
    result = Read(open_source(str(hostile[0] / "yolo_names_gap.zip")))
    assert [row["label"] for row in result.rows] == ["cat", "dog"]


# -- data.yaml ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    ["[cat, dog]", "{0: cat, 1: dog}", "{'0': cat, '1': dog}", "{cat: 0, dog: 1}", "names.txt"],
)
def test_ways_to_write_names(names):
    """A list, a mapping of ids, the mapping turned round, or a file of names."""
    yaml = f"train: images\nnames: {names}\n"
    files = {"data.yaml": yaml, "names.txt": "cat\ndog\n", "images/a.png": None}
    result = read(files | {"labels/a.txt": DOG})
    assert list(result.labels) == ["cat", "dog"]
    assert result.rows[0]["label"] == "dog"


def test_names_that_yaml_would_change():
    """`no`, `on` and `007` are the names of classes."""
    result = one_file(DOG, "train: images\nnames: [on, no, 007]\n")
    assert list(result.labels) == ["on", "no", "007"]


def test_ids_that_skip_a_billion():
    """A far id costs nothing, and the gap is noted."""
    result = one_file("999999999 .5 .5 .2 .2", "train: images\nnames: {3: '', 999999999: far}\n")
    assert [r["label"] for r in result.rows] == ["far"]
    assert list(result.labels) == ["class_3", "far"]
    notes = result.said("note")
    assert "skip the ids 0, 1, 2, 4, 5" in notes["names skip ids"][0]
    assert "class 3 has no name" in notes["class without a name"][0]


def test_remarks_on_data_yaml():
    """What is odd or not used is noted, and nothing is fetched or run."""
    yaml = YAML + "nc: 3\ndownload: https://example.org/x.zip\nroboflow: {version: 1}\n"
    notes = one_file(BOX, yaml).said("note")
    assert set(notes) == {
        "nc is not the number of names",
        "download ignored",
        "keys that are not imported",
    }


def test_colors_of_supervisely():
    """Its `colors` become those of the labels."""
    labels = one_file(BOX, YAML + "colors: [[255, 0, 16], [0, 0, 0]]\n").labels
    assert labels["cat"].color == "#ff0010"
    assert labels["cat"].source_id == "0"


@pytest.mark.parametrize("extra", ["nc: 2", "kpt_shape: [17, 4]", "kpt_shape: many"])
def test_names_or_keypoints_that_say_nothing(extra):
    """A data.yaml that can't be understood is an error that names it."""
    names = "" if extra.startswith("nc") else "names: [cat]\n"
    yaml = f"train: images\n{names or 'names: 3'}\n{extra}\n"
    with pytest.raises(FormatError, match=r"data\.yaml"):
        one_file(BOX, yaml)


def test_python_objects_are_refused():
    """data.yaml that asks for objects is an error that names it, and detection says so."""
    yaml = YAML + "x: !!python/object/apply:os.system ['true']\n"
    files = {"data.yaml": yaml, "images/a.png": None, "labels/a.txt": BOX}
    confidence, said = evidence(files)
    assert confidence >= 0.9
    assert "data.yaml can't be read safely" in said[0]
    with pytest.raises(BrokenFileError, match=r"data\.yaml can't be read safely"):
        read(files)


def test_several_yaml_files():
    """data.yaml goes first and the others are named; config= chooses."""
    files = {"data.yaml": YAML, "images/a.png": None, "labels/a.txt": BOX}
    files |= {"dataset.yaml": YAML.replace("cat", "bird"), "args.yaml": "epochs: 3\n"}
    assert "several YAML files" in read(files).said("note")
    assert read(files).rows[0]["label"] == "cat"
    assert read(files, config="dataset.yaml").rows[0]["label"] == "bird"


def test_a_yaml_file_deeper_down():
    """A dataset in a folder of the source is found; two in equal places are not chosen from."""
    inner = {"data.yaml": YAML, "images/a.png": None, "labels/a.txt": BOX}
    result = read({f"pets/{path}": data for path, data in inner.items()})
    assert result.keys == {"train": ["a.png"]}
    both = {f"{top}/{path}": data for top in ("p", "q") for path, data in inner.items()}
    with pytest.raises(Miss, match=r"2 datasets \(p/data\.yaml, q/data\.yaml\)"):
        evidence(both)


# -- detection, preview ---------------------------------------------------------------


def test_evidence_is_in_words():
    """Classes, images per split and label files, from names alone."""
    files = {"data.yaml": "train: images/train\nval: images/val\nnames: [cat, dog, cow]\n"}
    files |= {f"images/train/{i}.png": None for i in range(7)}
    files |= {f"images/val/{i}.png": None for i in range(2)}
    files |= {f"labels/train/{i}.txt": BOX for i in range(7)}
    confidence, said = evidence(files)
    assert confidence >= 0.9
    assert said[:2] == ["data.yaml: 3 classes, train 7, val 2", "9 images, 7 label files"]


def test_what_is_not_yolo():
    """Names without images or labels, and images without names, miss one thing each."""
    with pytest.raises(Miss, match="no images and no label files"):
        evidence({"data.yaml": YAML})
    with pytest.raises(Miss, match=r"no data\.yaml with names"):
        evidence({"a.png": None, "config.yaml": "learning_rate: 1"})
    confidence, _ = evidence({"data.yaml": YAML, "images/a.png": None, "labels/a.txt": "a b c\nd"})
    assert confidence < 0.5
    with pytest.raises(FormatError, match="yolo-darknet"):
        read({"a.png": None, "a.txt": BOX})


def test_data_yaml_alone_is_refused(tmp_path):
    """The file without its folder has no labels: that is said, not imported as nothing."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    (tmp_path / "images/a.png").write_bytes(picture())
    (tmp_path / "labels/a.txt").write_text(BOX)
    (tmp_path / "data.yaml").write_text(YAML)
    with pytest.raises(FormatError, match="without its label files"):
        Read(open_source(str(tmp_path / "data.yaml")))
    assert len(Read(open_source(str(tmp_path))).rows) == 1


def many(count):
    """Return a dataset of many images, every third without labels, every fourth broken."""
    files = {"data.yaml": "train: images/train\nval: images/val\nnames: [cat, dog]\n"}
    for i in range(count):
        split = "train" if i % 5 else "val"
        files[f"images/{split}/{i:03}.png"] = b"broken" if i % 4 == 3 else None
        if i % 3:
            files[f"labels/{split}/{i:03}.txt"] = BOX + f"{i % 3} 0.5 0.5 0.{i % 9 + 1} 0.1 0.5\n"
    return memory(files)


@pytest.mark.parametrize("limit", [1, 7, 24])
def test_a_preview_is_the_beginning_of_the_whole(limit):
    """The first n items and their rows are those of the whole read, number for number."""
    whole, first = Read(many(60)), Read(many(60), limit)
    assert len(first.items) == limit
    assert first.items == whole.items[:limit]
    assert first.rows == [row for row in whole.rows if row["item"] < limit]


def test_chunks_make_no_difference(monkeypatch):
    """However the work is cut up, the result is the same."""
    whole = Read(many(60))
    monkeypatch.setattr("nbannot.formats.yolo.read.CHUNK_IMAGES", 7)
    monkeypatch.setattr("nbannot.formats.yolo.read.CHUNK_BYTES", 50)
    parts = Read(many(60))
    assert (parts.items, parts.rows) == (whole.items, whole.rows)
    assert parts.balance == whole.balance


def test_no_more_label_files_are_held_than_allowed(monkeypatch):
    """Parts hold as many bytes as they may and a file, in whatever order a source gives them."""
    whole = Read(many(60))
    source = many(60)
    in_order = source.read_many
    monkeypatch.setattr("nbannot.formats.yolo.read.CHUNK_BYTES", 100)
    for read_many in (in_order, lambda paths: reversed(list(in_order(paths)))):
        held = []
        monkeypatch.setattr(source, "read_many", read_many)
        monkeypatch.setattr(
            "nbannot.formats.yolo.read.parse_rows",
            lambda texts, names, held=held: held.append(texts) or parse_rows(texts, names),
        )
        parts = Read(source)
        assert (parts.items, parts.rows) == (whole.items, whole.rows)
        assert parts.balance == whole.balance
        assert len(held) > 10
        sizes = [[len(text) for text in texts if text] for texts in held[1:]]  # 0: a sample
        assert all(sum(part[:-1]) < 100 for part in sizes)


def test_a_label_file_that_cannot_be_read(monkeypatch):
    """It is named and rejected; the image and the other files are imported."""
    files = {"data.yaml": YAML, "labels/a.txt": BOX, "labels/b.txt": BOX}
    source = memory(files | {"images/a.png": None, "images/b.png": None})
    plain = source.read

    def failing(path, limit=None):
        if path == "labels/a.txt":
            raise SourceError("labels/a.txt is damaged")
        return plain(path, limit)

    monkeypatch.setattr(source, "read", failing)
    result = Read(source)
    assert len(result.items) == 2
    assert len(result.rows) == 1
    assert not any("meta" in item for item in result.items)
    assert "labels/a.txt is damaged" in result.said("rejected")["label file can't be read"][0]
