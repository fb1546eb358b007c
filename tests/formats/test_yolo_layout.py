"""Where the images and labels of a YOLO dataset are found, whatever wrote it."""

from __future__ import annotations

import json
import unicodedata

import pytest

from nbannot.errors import OptionError

from .yolo_files import YAML, one_file, picture, read

BOX = "0 0.5 0.5 0.2 0.4\n"
DOG = "1 0.5 0.5 0.2 0.4\n"
LIST_YAML = "train: train.txt\nnames: [cat, dog]\n"

# -- where images are -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "path"),
    [
        ("train/images", ""),
        ("../train/images", ""),
        ("../train/images", "path: ''\n"),
        ("train/images", "path: ./\n"),
        ("train/images", "path:\n"),
        ("train/images", "path: ../datasets/pets\n"),
        ("train/images", "path: /home/me/pets\n"),
        ("/home/me/pets/train/images", ""),
        ("C:\\pets\\train\\images", ""),
        ("[train/images]", ""),
        ("/elsewhere/training/pictures", ""),
        ("train", ""),
    ],
)
def test_splits_of_another_machine(train, path):
    """However a tool writes where a split is, it is found in the source."""
    files = {
        "data.yaml": f"{path}train: {train}\nval: ../valid/images\ntest:\nnames: [cat, dog]\n",
        "train/images/a.png": None,
        "train/labels/a.txt": BOX,
        "valid/images/a.png": None,
        "valid/labels/a.txt": DOG,
    }
    result = read(files)
    assert result.keys == {"train": ["a.png"], "valid": ["a.png"]}
    assert [r["label"] for r in result.rows] == ["cat", "dog"]
    assert result.balance.warned == result.balance.rejected == 0


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_val_by_its_other_names(name):
    """The folder is found by any of its names; the subset is called as it is."""
    yaml = f"{name}: /gone/val_pictures\nnames: [cat]\n"
    result = read({"data.yaml": yaml, "images/Valid/a.png": None, "labels/Valid/a.txt": BOX})
    assert result.keys == {"Valid": ["a.png"]}
    result = read({"data.yaml": f"{name}: images/v\nnames: [cat]\n", "images/v/a.png": None})
    assert result.keys == {name: ["a.png"]}


def test_a_list_of_images():
    """Paths in a list may be relative, absolute, of Windows, or of another machine."""
    lines = (
        "./images/a.png\n/home/me/pets/images/b.png\nD:\\pets\\images\\c.png\n\ndata/images/d.png"
    )
    files = {"data.yaml": LIST_YAML, "train.txt": lines}
    files |= {f"images/{name}.png": None for name in "abcd"}
    files |= {f"labels/{name}.txt": BOX for name in "abcd"}
    result = read(files)
    assert result.keys == {"train": ["a.png", "b.png", "c.png", "d.png"]}
    assert len(result.rows) == 4


def test_what_a_list_names_and_is_not_there():
    """A missing image is rejected with its rows; one that fits two files is never guessed."""
    files = {
        "data.yaml": LIST_YAML,
        "train.txt": "images/a.png\nimages/gone.png\ntwice.png\n/x/images/gone.png\n",
        "images/a.png": None,
        "images/x/twice.png": None,
        "images/y/twice.png": None,
        "labels/a.txt": BOX,
        "labels/gone.txt": BOX + DOG,
    }
    result = read(files)
    assert result.keys["train"] == ["a.png"]
    rejected = result.said("rejected")
    assert len(rejected["image is not in the source"]) == 1
    assert len(rejected["image name fits several files"]) == 1
    assert [m.split(":")[0] for m in rejected["its image is not imported"]] == [
        "labels/gone.txt line 1",
        "labels/gone.txt line 2",
    ]


def test_labels_without_images_take_a_given_size():
    """CVAT exports labels alone: with image_size= they are items without media."""
    files = {
        "data.yaml": LIST_YAML,
        "train.txt": "data/images/train/a.png\n",
        "labels/train/a.txt": BOX,
        "labels/train/unlisted.txt": DOG,
    }
    result = read(files, image_size="200x100")
    assert [(i["key"], i["width"], i["height"]) for i in result.items] == [
        ("a.png", 200, 100),
        ("unlisted", 200, 100),
    ]
    assert [[r[k] for k in "xywh"] for r in result.rows] == [[80, 30, 40, 40]] * 2
    assert not any("media" in item for item in result.items)
    assert result.balance.warned == 2
    assert read(files).balance.rejected == 3


def test_an_image_that_is_broken():
    """It is rejected with its rows, unless its size is given."""
    files = {"data.yaml": YAML, "images/a.png": b"no picture", "labels/a.txt": BOX}
    result = read(files | {"images/b.png": None})
    assert result.keys == {"train": ["b.png"]}
    assert result.balance.rejected == 2
    assert len(read(files, image_size=(100, 50)).rows) == 1
    with pytest.raises(OptionError, match="image_size"):
        read(files, image_size="large")


def test_images_of_no_split_are_not_lost():
    """With labels, or where images lie, they are imported; others are noted."""
    files = {
        "data.yaml": "train: images/train\nnames: [cat, dog]\n",
        "images/train/a.png": None,
        "images/extra/b.png": None,
        "labels/extra/b.txt": DOG,
        "test/images/c.png": None,
        "runs/plot.png": None,
    }
    result = read(files)
    assert result.keys == {"train": ["a.png"], None: ["extra/b.png"], "test": ["c.png"]}
    notes = result.said("note")
    assert "runs/plot.png" in notes["images that are not imported"][0]
    assert "2 images" in notes["images in no split"][0]


def test_splits_that_share_images():
    """An image is imported once, in the first split that names it, and it is said."""
    yaml = "train: images\nval: images\nnames: [cat]\n"
    result = one_file(BOX, yaml)
    assert result.keys == {"train": ["a.png"]}
    assert "one folder for two splits" in result.said("note")
    files = {"data.yaml": "train: images\nval: [images/v.png]\nnames: [cat]\n"}
    result = read(files | {"images/a.png": None, "images/v.png": None})
    assert result.keys == {"train": ["a.png", "v.png"]}
    assert "1 images of val are already in train" in result.said("note")["images in two splits"][0]


def test_subsets_of_any_name():
    """CVAT writes a subset under its own name beside train and val."""
    yaml = "train: images/a\nval: images/a\na: images/a\nb: images/b\nauthor: me\nnames: [cat]\n"
    result = read({"data.yaml": yaml, "images/a/1.png": None, "images/b/1.png": None})
    assert result.keys == {"a": ["1.png"], "b": ["1.png"]}
    assert any("author" in m for m in result.said("note")["keys that are not imported"])


def test_keys_never_collide():
    """Two images that would have one key keep their whole paths."""
    yaml = "train: [a/images, b/images]\nnames: [cat]\n"
    result = read({"data.yaml": yaml, "a/images/1.png": None, "b/images/1.png": None})
    assert result.keys == {"train": ["a/images/1.png", "b/images/1.png"]}


# -- where labels are -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/train/a.png", "labels/train/a.txt"),
        ("images/train/deep/a.png", "labels/train/deep/a.txt"),
        ("train/images/a.png", "train/labels/a.txt"),
        ("train/images/a.PNG", "train/labels/a.TXT"),
        ("images/1.2.3.png", "labels/1.2.3.txt"),
        ("images/a.png", "labels/a.png.txt"),
        ("images/x/images/a.png", "images/x/labels/a.txt"),
        ("train/a.png", "train/a.txt"),
        ("train/a.png", "labels/train/a.txt"),
        ("pictures/a.png", "pictures/labels/a.txt"),
        ("train/images/a.png", "train/labelTxt/a.txt"),
        ("Images/a.png", "Annotations/a.txt"),
        ("images/classes.png", "labels/classes.txt"),
    ],
)
def test_the_label_file_of_an_image(image, label):
    """Layouts of Ultralytics, Roboflow, Darknet and others."""
    result = read({"data.yaml": "names: [cat, dog]\nnc: 2\n", image: None, label: BOX})
    assert len(result.rows) == 1
    assert result.balance.rejected == 0


def test_equal_names_in_two_folders_share_nothing():
    """Labels go by path, never by base name."""
    files = {"data.yaml": "train: images\nnames: [cat, dog]\n"}
    files |= {"images/a/1.png": None, "images/b/1.png": None, "labels/b/1.txt": DOG}
    result = read(files)
    assert [r["label"] for r in result.of("images/b/1.png")] == ["dog"]
    assert result.of("images/a/1.png") == []


def test_two_images_with_one_stem():
    """Both are items; one bare label file goes to the JPEG, and the other image is named."""
    files = {"data.yaml": YAML, "images/a.jpg": picture(kind="JPEG"), "images/a.png": None}
    result = read(files | {"labels/a.txt": BOX})
    assert result.keys == {"train": ["a.jpg", "a.png"]}
    assert len(result.of("images/a.jpg")) == 1
    (message,) = result.said("warning")["one label file for two images"]
    assert "labels/a.txt" in message
    assert "images/a.jpg" in message
    result = read(files | {"labels/a.txt": BOX, "labels/a.png.txt": DOG})
    assert [r["label"] for r in result.of("images/a.png")] == ["dog"]
    assert result.balance.warned == 0


def test_empty_is_not_missing():
    """An empty label file is an image without objects; no file is an image not annotated."""
    files = {"data.yaml": YAML, "labels/a.txt": " \n"} | {f"images/{n}.png": None for n in "ab"}
    result = read(files)
    assert [json.loads(i.get("meta", "null")) for i in result.items] == [
        {"label_file": "empty"},
        None,
    ]


def test_label_files_of_no_image_are_named():
    """Each of their rows is rejected; text files that are something else are not."""
    files = {"data.yaml": YAML, "images/a.png": None, "labels/a.txt": BOX}
    files |= {"labels/b.txt": BOX + "x", "labels/c.txt": "", "README.dataset.txt": "hello"}
    result = read(files | {"labels/classes.txt": "cat\ndog"})
    assert result.balance.rejected == 2
    assert len(result.said("rejected")["label file without an image"]) == 2
    assert result.said("note")["label file without an image"] == ["labels/c.txt is empty"]


def test_names_in_another_unicode_form():
    """A label file in NFC is that of an image in NFD; it is said."""
    nfc, nfd = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    result = read({"data.yaml": YAML, f"images/{nfd}.png": None, f"labels/{nfc}.txt": BOX})
    assert len(result.rows) == 1
    assert list(result.said("warning")) == ["name in another Unicode form"]
