"""Darknet YOLO: obj.data, files of names, lists and bare folders; detection beside Ultralytics."""

from __future__ import annotations

import json

import pytest

from nbannot.errors import FormatError
from nbannot.formats.base import Miss
from nbannot.formats.look import Look
from nbannot.formats.yolo.darknet import YoloDarknet
from nbannot.sources import open_source

from .yolo_files import Read, evidence, memory, read

BOX = "0 0.5 0.5 0.2 0.4\n"
DOG = "1 0.5 0.5 0.2 0.4\n"

SAMPLES = {
    "yolo_darknet/cvatdatumaro-yolo": 0.9,
    "yolo_darknet/datumaro-annotations": 0.9,
    "yolo_darknet/datumaro-labels": 0.9,
    "yolo_darknet/datumaro-strict": 0.9,
}


@pytest.mark.parametrize("case", SAMPLES)
def test_samples_agree_with_datumaro(case, samples, expected):
    """Names, items, subsets, sizes and boxes are what Datumaro reads."""
    source = open_source(str(samples / case))
    assert YoloDarknet().requires(Look(source)) >= SAMPLES[case]
    result = Read(source, darknet=True)
    facts = json.loads((expected / f"{case}.yolo.json").read_text("utf-8"))
    assert list(result.labels) == facts["labels"]
    found = {(i.get("subset", "default"), i["key"].rpartition(".")[0]): i for i in result.items}
    assert set(found) == {(i["subset"], i["id"]) for i in facts["items"]}
    for fact in facts["items"]:
        item = found[fact["subset"], fact["id"]]
        assert [item["height"], item["width"]] == fact["size_hw"]
        mine = [(r["label"], *[r[k] for k in "xywh"]) for r in result.of(item["media"])]
        theirs = [(a["label"], *a["bbox_xywh"]) for a in fact["annotations"]]
        for a, b in zip(mine, theirs, strict=True):
            assert a[0] == b[0]
            assert a[1:] == pytest.approx(b[1:], abs=1e-4)
    assert result.balance.rejected == result.balance.warned == 0


def test_label_studio_export(samples, expected):
    """classes.txt beside images/ and labels/: every line of the files is a box."""
    source = open_source(str(samples / "yolo_darknet/ls_sdk-import_yolo_unif_dims"))
    result = Read(source, darknet=True)
    case = expected / "_raw/yolo_darknet/ls_sdk-import_yolo_unif_dims.json"
    raw = json.loads(case.read_text("utf-8"))["yolo"]
    names = ["closed_door", "opened_door", "bus", "number"]
    counts = {str(i): sum(r["label"] == n for r in result.rows) for i, n in enumerate(names)}
    assert list(result.labels) == names
    assert {k: v for k, v in counts.items() if v} == raw["classes"]
    assert len(result.rows) == raw["lines"] == 19


def test_images_and_texts_alone(samples):
    """A bare folder of pairs: names are made up and said to be, and confidence is middling."""
    source = open_source(str(samples / "kaggle/datumaro-relaxed_yolo"))
    assert YoloDarknet().requires(Look(source)) == 0.5
    result = Read(source, darknet=True)
    assert [r["label"] for r in result.rows] == ["class_2", "class_4", "class_1", "class_3"]
    assert "no class names" in result.said("note")


OBJ = {
    "obj.data": "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\n"
    "names = data/obj.names\nbackup = backup/\n",
    "obj.names": "cat\ndog\n\n",
    "train.txt": "data/obj_train_data/a.png\n",
    "valid.txt": "data/obj_valid_data/sub/a.png\n",
    "obj_train_data/a.png": None,
    "obj_train_data/a.txt": BOX,
    "obj_valid_data/sub/a.png": None,
    "obj_valid_data/sub/a.txt": DOG,
}


def test_obj_data():
    """CVAT's YOLO 1.1: the lists give the subsets, `data/` in front of paths is stripped."""
    result = read(OBJ, darknet=True)
    assert result.keys == {"train": ["a.png"], "valid": ["sub/a.png"]}
    assert [r["label"] for r in result.rows] == ["cat", "dog"]
    assert result.ledger.groups() == []
    confidence, said = evidence(OBJ, darknet=True)
    assert confidence >= 0.9
    assert "obj.names: 2 classes" in said


def test_a_list_of_another_machine():
    """Absolute paths and backslashes in a list are matched by their tail."""
    files = OBJ | {"train.txt": "C:\\darknet\\data\\obj_train_data\\a.png\n"}
    assert read(files, darknet=True).keys == {"train": ["a.png"], "valid": ["sub/a.png"]}


def test_labels_exported_without_images():
    """CVAT writes label files and lists alone: their rows wait for a size."""
    files = {path: data for path, data in OBJ.items() if not path.endswith(".png")}
    assert read(files, darknet=True).balance.rejected == 4
    result = read(files, darknet=True, image_size="100x50")
    assert result.keys == {"train": ["a.png"], "valid": ["sub/a.png"]}
    assert [[r[k] for k in "xywh"] for r in result.rows] == [[40, 15, 20, 20]] * 2


@pytest.mark.parametrize(
    "files",
    [
        {"classes.txt": "cat\ndog", "images/a.png": None, "labels/a.txt": DOG},
        {"classes.txt": "cat\ndog", "a.png": None, "a.txt": DOG},
        {"labels/classes.txt": "cat\r\ndog", "images/a.png": None, "labels/a.txt": DOG},
        {"labels.txt": "cat\ndog", "images/a.png": None, "annotations/a.txt": DOG},
        {"train/_darknet.labels": "cat\ndog", "train/a.png": None, "train/a.txt": DOG},
        {
            "obj.names": "cat\ndog",
            "images.txt": "data/a.png",
            "data/a.png": None,
            "data/a.txt": DOG,
        },
        {"voc.names": "cat\ndog", "JPEGImages/a.png": None, "labels/a.txt": DOG},
    ],
    ids=["labelstudio", "labelimg", "labelimg labels", "dataloop", "roboflow", "fiftyone", "voc"],
)
def test_layouts_of_other_tools(files):
    """Names in any of the usual files, labels in any of the usual places."""
    confidence, _ = evidence(files, darknet=True)
    assert confidence >= 0.85
    result = read(files, darknet=True)
    assert list(result.labels) == ["cat", "dog"]
    assert [item["key"].rpartition("/")[2] for item in result.items] == ["a.png"]
    assert [row["label"] for row in result.rows] == ["dog"]
    assert result.balance.rejected == result.balance.warned == 0


def test_subsets_by_folder():
    """Without lists the folders train, valid, test … are the subsets."""
    files = {"obj.names": "cat\n"}
    files |= {f"{split}/a.png": None for split in ("train", "valid", "test")}
    files |= {f"images/{split}/b.png": None for split in ("train", "Val")} | {"c.png": None}
    result = read(files | {"train/a.txt": BOX}, darknet=True)
    assert result.keys == {
        None: ["c.png"],
        "Val": ["b.png"],
        "train": ["b.png", "a.png"],
        "test": ["a.png"],
        "valid": ["a.png"],
    }


def test_names_keep_their_lines():
    """The line is the id: blank lines in between count, those at the end do not."""
    result = read(
        {"classes.txt": "cat\n\n dog \n\n\n", "a.png": None, "a.txt": "2 .5 .5 .1 .1"}, darknet=True
    )
    assert list(result.labels) == ["cat", "class_1", "dog"]
    assert result.rows[0]["label"] == "dog"


def test_remarks_on_obj_data():
    """A wrong count, and a second file of other names, are noted."""
    files = OBJ | {"obj.data": OBJ["obj.data"].replace("2", "5", 1), "classes.txt": "bird\n"}
    notes = read(files, darknet=True).said("note")
    assert set(notes) == {"classes is not the number of names", "several files of names"}


def test_confidence_where_data_yaml_is():
    """Ultralytics' layout is for `yolo`: this is the second best reading."""
    files = {"data.yaml": "names: [cat]", "images/a.png": None, "labels/a.txt": BOX}
    assert evidence(files, darknet=True)[0] < 0.5


@pytest.mark.parametrize(
    "files",
    [
        {"a.png": None},
        {"a.png": None, "a.txt": "a cat on a mat"},
        {
            "a.png": None,
            "a.txt": "Car 0.00 0 -1.57 614 181 727 284 1.57 1.73 4.15 1.0 1.75 13.22 -1.6",
        },
        {"a.png": None, "a.txt": "1,1,794.2,47.5,71.2,174.8,-1,-1,-1,-1"},
        {"a.png": None, "a.txt": "128.5 200.25\n130 210\n"},
        {"classes.txt": "cat", "a.png": None, "a.txt": "a cat on a mat"},
        {"train.csv": "a,b", "readme.txt": "0 .5 .5 .5 .5"},
    ],
    ids=["images", "captions", "kitti", "mot", "landmarks", "names only", "readme"],
)
def test_what_is_not_darknet(files):
    """Texts of other formats are not taken for rows."""
    with pytest.raises(Miss, match="no label files with rows of class cx cy w h"):
        evidence(files, darknet=True)


def test_nothing_is_no_dataset():
    """A source without images and label files is refused, not imported as nothing."""
    with pytest.raises(FormatError, match="no images and no label files"):
        Read(memory({"obj.names": "cat"}), darknet=True)
