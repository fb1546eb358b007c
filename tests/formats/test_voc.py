"""Pascal VOC: reading what tools write, and what the wild holds."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from nbannot import geometry
from nbannot.errors import BrokenFileError
from nbannot.formats.base import Miss
from nbannot.formats.look import Look
from nbannot.formats.voc import Voc
from nbannot.formats.voc.masks import parse_labelmap
from nbannot.sources import open_source

from .voc_files import Read, memory, obj, png, read_files, xml

# -- real samples ---------------------------------------------------------------------

SAMPLES = {
    "voc/datumaro-voc_dataset1": "voc/datumaro-voc_dataset1.voc.json",
    "voc/datumaro-voc_dataset2": "voc/datumaro-voc_dataset2.voc.json",
    "voc/datumaro-voc_dataset3": "voc/datumaro-voc_dataset3.voc.json",
    "roboflow/datumaro-voc": "roboflow/datumaro-voc.roboflow_voc.json",
}


@pytest.mark.parametrize("case", SAMPLES)
def test_samples_agree_with_datumaro(case, samples, expected):
    """Items, subsets, sizes, boxes and flags are what Datumaro reads."""
    read = Read(open_source(str(samples / case)))
    facts = json.loads((expected / SAMPLES[case]).read_text("utf-8"))
    found = {(i.get("subset"), i["key"].rpartition(".")[0]): i for i in read.items}
    assert set(found) == {(i["subset"], i["id"]) for i in facts["items"]}
    for fact in facts["items"]:
        item = found[fact["subset"], fact["id"]]
        if fact["size_hw"] and "width" in item:
            assert [item["height"], item["width"]] == fact["size_hw"]
        mine = [r for r in read.rows if r["item"] == item["item"] and r["type"] == "box"]
        theirs = [a for a in fact["annotations"] if a["type"] == "bbox"]
        assert sorted((r["label"], r["x"], r["y"], r["w"], r["h"]) for r in mine) == sorted(
            (a["label"], *a["bbox_xywh"]) for a in theirs
        )
        by_box = {(r["x"], r["y"]): r for r in mine}
        for annotation in theirs:
            row = by_box[tuple(annotation["bbox_xywh"][:2])]
            attributes = json.loads(row.get("attributes", "{}"))
            for name, value in annotation.get("attributes", {}).items():
                if name == "occluded":
                    assert row.get("occluded", False) == value
                else:
                    default = "Unspecified" if name == "pose" else False
                    assert attributes.get(name, default) == value
    assert read.balance.rejected == read.balance.warned == 0


def test_sample_with_everything(samples, expected):
    """Parts are linked to their object, masks get their class, class lists become tags."""
    read = Read(open_source(str(samples / "voc/datumaro-voc_dataset1")))
    by_label = {r["label"]: r for r in read.rows if r["type"] != "tag"}
    assert by_label["head"]["group"] == by_label["person"]["group"]
    assert read.labels["head"].parent == "person"
    assert json.loads(by_label["person"]["attributes"])["walking"] is True
    mask = by_label["bicycle"]
    pixels = geometry.rle_to_mask(mask["mask"], mask["mask_height"], mask["mask_width"])
    assert pixels.shape == (10, 20)
    assert pixels.all()
    facts = json.loads((expected / "voc/datumaro-voc_dataset1.voc.json").read_text("utf-8"))
    theirs = {a["label"] for a in facts["items"][0]["annotations"] if a["type"] == "label"}
    tags = {r["label"] for r in read.rows if r["type"] == "tag"}
    assert tags == theirs - {"person"}  # a person is there as an object: not counted twice
    assert read.balance.read == 2 + 2 + 1 + 1 + 10


@pytest.mark.parametrize("case", ["voc/darwin-import", "kaggle/datumaro-relaxed_voc1",
                                  "kaggle/datumaro-relaxed_voc2", *SAMPLES])  # fmt: skip
def test_nothing_is_dropped(case, samples, expected):
    """Every object that an independent count of the files knows is a box."""
    read = Read(open_source(str(samples / case)))
    raw = json.loads((expected / "_raw" / f"{case}.json").read_text("utf-8"))
    objects = [o for file in raw["parsed"] for o in file["objects"]]
    parts = sum(o[-1] for o in objects)
    boxes = [r for r in read.rows if r["type"] == "box"]
    assert len(boxes) == len(objects) + parts
    assert {r["label"] for r in boxes} >= {o[0] for o in objects}


def test_files_without_images_are_items(samples):
    """XML files alone are items whose names are those that they say."""
    read = Read(open_source(str(samples / "voc/darwin-import")))
    assert read.keys == {
        None: ["image_1.jpg", "image_2.jpg", "dir1/image_3.jpg", "dir1/image_4.jpg",
               "dir2/image_5.jpg", "dir2/image_6.jpg", "dir1/dir3/image_7.jpg",
               "dir1/dir3/image_8.jpg"]
    }  # fmt: skip
    assert not any("media" in i for i in read.items)


def test_detects_samples(samples):
    """VOC is recognised by content, with and without ImageSets."""
    for case in (*SAMPLES, "voc/darwin-import", "kaggle/datumaro-relaxed_voc1"):
        look = Look(open_source(str(samples / case)))
        assert Voc().requires(look) >= 0.9
        assert look.evidence


@pytest.mark.parametrize("case", ["cvat/cvatdatumaro-for_images", "labelme_xml/datumaro-labelme",
                                  "image_dir/datumaro-image_dir", "coco/datumaro-coco",
                                  "kitti/datumaro-kitti_raw"])  # fmt: skip
def test_does_not_take_look_alikes(case, samples):
    """CVAT's, LabelMe's and KITTI's XML, and data without XML, are not VOC."""
    with pytest.raises(Miss):
        Voc().requires(Look(open_source(str(samples / case))))


# -- layouts --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "keys"),
    [
        (["a.xml", "a.jpg"], {None: ["a.jpg"]}),
        (["train/a.xml", "train/a.jpg", "valid/a.xml", "valid/a.jpg"],
         {"train": ["a.jpg"], "valid": ["a.jpg"]}),
        (["annotations/a.xml", "images/a.jpg"], {None: ["a.jpg"]}),
        (["labels/s/a.xml", "data/s/a.jpg"], {None: ["s/a.jpg"]}),
        (["annotations/train/a.xml", "images/train/a.jpg"], {"train": ["a.jpg"]}),
        (["train/annotations/a.xml", "train/images/a.jpg"], {"train": ["a.jpg"]}),
        (["pets/Annotations/a.xml", "pets/JPEGImages/a.jpg"], {None: ["a.jpg"]}),
        (["a.jpg.xml", "a.jpg"], {None: ["a.jpg"]}),
        (["x/a.xml", "x/a.jpg", "y/a.xml", "y/a.jpg"], {None: ["x/a.jpg", "y/a.jpg"]}),
    ],
)  # fmt: skip
def test_layouts(files, keys):
    """An annotation file finds its image in every layout; folders that only sort are no key."""
    read = read_files({f: xml(obj()) if f.endswith(".xml") else b"" for f in files})
    assert read.keys == keys
    assert all("media" in item for item in read.items)
    assert read.balance.warned == 0


def test_images_without_annotations_are_items():
    """An image that no file speaks of is data, not an error (D41)."""
    read = read_files({"a.xml": xml(obj()), "a.jpg": b"", "b.jpg": b"", "sub/c.png": b""})
    assert read.keys == {None: ["a.jpg", "b.jpg", "sub/c.png"]}
    assert read.balance.read == 4


def test_own_name_comes_before_filename():
    """A stale <filename> is noted once, and the image of the file's own name is taken."""
    read = read_files({"a.xml": xml(filename="b.jpg"), "a.jpg": b"", "b.xml": xml(filename="b.jpg"),
                       "b.jpg": b""})  # fmt: skip
    assert [i["media"] for i in read.items] == ["a.jpg", "b.jpg"]
    assert "<filename> is another name" in read.reasons("note")
    assert read.balance.warned == 0


def test_filename_finds_a_renamed_image():
    """Where no image has the file's own name, <filename> finds it, also from another machine."""
    files = {"xml/1.xml": xml(filename="C:\\data\\pics\\a.jpg"), "pics/a.jpg": b"",
             "pics/b.jpg": b""}  # fmt: skip
    read = read_files(files)
    assert {i["key"]: i["media"] for i in read.items} == {
        "pics/a.jpg": "pics/a.jpg",
        "pics/b.jpg": "pics/b.jpg",
    }
    assert read.items[0]["width"] == 20


def test_two_images_of_one_stem():
    """a.jpg and a.png are told apart by <filename>; where it does not say, it is named (D5)."""
    images = {"a.jpg": b"", "a.png": b""}
    assert read_files({"a.xml": xml(filename="a.png"), **images}).items[0]["media"] == "a.png"
    read = read_files({"a.xml": xml(filename="a"), **images})
    assert "media" not in read.items[0]
    assert "several images fit" in read.reasons("warning")


def test_unicode_normal_forms_match_with_a_warning():
    """A name written in another Unicode normal form is found, and said (D11)."""
    read = read_files({"xml/x.xml": xml(filename="caf\u00e9.jpg"), "pics/cafe\u0301.jpg": b""})
    assert read.items[0]["media"] == "pics/cafe\u0301.jpg"
    assert "matched under another spelling" in read.reasons("warning")


def test_a_missing_image_is_named():
    """Among images, the one that is not there is a warning with its name."""
    read = read_files({"a.xml": xml(), "a.jpg": b"", "b.xml": xml(filename="b.jpg")})
    line = read.ledger.lines("warning", "image file missing")[0]
    assert line["item"] == "b.jpg"
    assert read.balance.warned == 1


def test_two_files_for_one_image_are_one_item():
    """A second annotation file of an image adds its objects, with a warning."""
    read = read_files({"a.xml": xml(obj("cat")), "a.jpg.xml": xml(obj("dog")), "a.jpg": b""})
    assert len(read.items) == 1
    assert {r["label"] for r in read.rows} == {"cat", "dog"}
    assert read.balance.warned == 1


def test_copies_that_say_the_same_filename_stay_apart():
    """Files without images that name one image are items of their own names."""
    read = read_files({"a.xml": xml(filename="x.jpg"), "b.xml": xml(filename="x.jpg")})
    assert read.keys == {None: ["x.jpg", "b.jpg"]}


def test_single_file_takes_only_its_own_image(tmp_path):
    """A file opened by itself is one item, whatever lies beside it."""
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (20, 10)).save(tmp_path / name)
    (tmp_path / "a.xml").write_bytes(xml(obj()))
    (tmp_path / "b.xml").write_bytes(xml(obj(), filename="b.jpg"))
    read = Read(open_source(str(tmp_path / "a.xml")))
    assert [i["key"] for i in read.items] == ["a.jpg"]


# -- ImageSets ------------------------------------------------------------------------


def devkit(lists, names=("a", "b", "c"), **more):
    """Return a devkit of images and annotation files."""
    files = {f"ImageSets/Main/{n}.txt": text for n, text in lists.items()}
    for name in names:
        files[f"Annotations/{name}.xml"] = xml(obj(), filename=f"{name}.jpg")
        files[f"JPEGImages/{name}.jpg"] = b""
    return {**files, **more}


def test_union_lists_do_not_count():
    """An image in train and trainval is in train, with a note (trainval is the union)."""
    read = read_files(devkit({"train": "a\n", "val": "b\n", "trainval": "a\nb\n", "test": "c"}))
    assert read.keys == {"train": ["a.jpg"], "val": ["b.jpg"], "test": ["c.jpg"]}
    assert "in several lists" in read.reasons("note")


def test_lists_may_name_what_is_not_there():
    """Names without image and annotation file are one note with their count."""
    text = "".join(f"{n:06}\n" for n in range(17_000)) + "a\n"
    read = read_files(devkit({"train": text}, names=("a",)))
    assert read.keys == {"train": ["a.jpg"]}
    note = read.ledger.lines("note", "listed, but not in the source")
    assert len(note) == 1
    assert "17000 of 17001" in note[0]["message"]


def test_listed_without_an_image_is_an_item():
    """A name with an annotation file and no image is an item without media."""
    files = devkit({"train": "a\nb\n"})
    del files["JPEGImages/b.jpg"]
    read = read_files(files)
    assert [i["key"] for i in read.items if "media" not in i] == ["b.jpg"]


def test_list_lines_of_all_kinds():
    """Comments, quotes, numbers after the name, suffixes and BOM are understood."""
    names = ("a", "b b", "c 1", "d")
    lists = {"train": '\ufeff# made by\r\na.jpg\r\n"b b"\r\n', "val": "c 1\nd 2 1\n"}
    read = read_files(devkit(lists, names=names))
    assert read.keys == {"train": ["a.jpg", "b b.jpg"], "val": ["c 1.jpg", "d.jpg"]}


def test_class_lists_become_tags_once():
    """A class that no object shows is a tag; 0 says difficult; -1 and shown ones say nothing."""
    lists = {"train": "a\nb\n", "cat_train": "a  1\nb  1\n", "dog_train": "a 0\nb -1\n"}
    read = read_files(devkit(lists, names=("a", "b")))
    tags = [r for r in read.rows if r["type"] == "tag"]
    assert [(t["item"], t["label"]) for t in tags] == [(0, "dog")]
    assert json.loads(tags[0]["attributes"]) == {"difficult": True}
    read = read_files(devkit(lists, names=("a", "b")), class_lists=False)
    assert all(r["type"] == "box" for r in read.rows)
    assert "not read: class lists" in read.reasons("note")


def test_class_lists_do_not_hide_a_subset_with_an_underscore():
    """my_train beside train is a subset where its lines are names only."""
    read = read_files(devkit({"train": "a\n", "my_train": "b\nc\n"}))
    assert read.keys == {"train": ["a.jpg"], "my_train": ["b.jpg", "c.jpg"]}


def test_two_datasets_side_by_side_keep_their_names_apart():
    """VOC2007 and VOC2012 with one name in both are two items."""
    files = {}
    for year in ("VOC2007", "VOC2012"):
        for path, data in devkit({"train": "a\n"}, names=("a",)).items():
            files[f"{year}/{path}"] = data
    assert read_files(files).keys == {"train": ["VOC2007/a.jpg", "VOC2012/a.jpg"]}


def test_images_with_lists_alone_are_a_classification_dataset():
    """ImageSets without a single annotation file gives subsets and tags."""
    files = {"JPEGImages/a.jpg": b"", "JPEGImages/b.jpg": b"", "ImageSets/Main/train.txt": "a\n",
             "ImageSets/Main/test.txt": "b\n", "ImageSets/Main/cat_train.txt": "a 1\n"}  # fmt: skip
    assert Voc().requires(Look(memory(files))) > 0.5
    read = read_files(files)
    assert read.keys == {"train": ["a.jpg"], "test": ["b.jpg"]}
    assert [(r["type"], r["label"], r["item"]) for r in read.rows] == [("tag", "cat", 0)]


# -- objects --------------------------------------------------------------------------


def test_boxes_are_as_written():
    """Corners are kept to the last digit, in any order of the four elements."""
    text = (
        "<object><name>cat</name><bndbox><xmax>3.3333333333333335</xmax><ymin>2.5</ymin>"
        "<xmin>1.1</xmin><ymax>6</ymax></bndbox></object>"
    )
    read = read_files({"a.xml": xml(text)})
    assert read.boxes("a.jpg") == [("cat", 1.1, 2.5, 3.3333333333333335 - 1.1, 3.5)]


@pytest.mark.parametrize(
    ("database", "option", "box"),
    [
        ("The VOC2007 Database", "auto", (0, 1, 5, 5)),
        ("The VOC2012 Database", "auto", (0, 1, 5, 5)),
        ("Unknown", "auto", (1, 2, 4, 4)),
        ("The VOC2007 Database", "no", (1, 2, 4, 4)),
        ("Unknown", "yes", (0, 1, 5, 5)),
    ],
)
def test_one_based_only_for_the_challenge_itself(database, option, box):
    """1-based inclusive corners are read in files of VOC itself, or when asked (D28)."""
    head = f"<source><database>{database}</database></source>"
    read = read_files({"a.xml": xml(obj(), head=head)}, one_based=option)
    assert read.boxes("a.jpg") == [("cat", *map(float, box))]
    said = read.ledger.lines("note", "how boxes were read")[0]["message"]
    assert ("1-based" in said) == (box[0] == 0)


def test_flags_say_something_only_where_set():
    """VOC's defaults are no attributes; pose, truncated and difficult are, where they speak."""
    quiet = "<pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>"
    loud = ("<pose>Left</pose><truncated>1</truncated><difficult>Unspecified</difficult>"
            "<occluded>1</occluded>")  # fmt: skip
    read = read_files({"a.xml": xml(obj(more=quiet) + obj(more=loud))})
    assert "attributes" not in read.rows[0]
    assert json.loads(read.rows[1]["attributes"]) == {
        "pose": "Left", "truncated": True, "difficult": "Unspecified"
    }  # fmt: skip
    assert read.rows[1]["occluded"] is True


def test_cvat_attributes():
    """CVAT's attributes are the user's, but rotation, track and the like are columns."""

    def attribute(name, value):
        return f"<attribute><name>{name}</name><value>{value}</value></attribute>"

    pairs = {"color": "red", "age": "007", "rotation": "30.5", "track_id": "4", "keyframe": "True"}
    text = "".join(attribute(k, v) for k, v in pairs.items())
    row = read_files({"a.xml": xml(obj(more=f"<attributes>{text}</attributes>"))}).rows[0]
    assert json.loads(row["attributes"]) == {"color": "red", "age": "007"}
    assert (row["rotation"], row["track"], row["keyframe"]) == (30.5, "4", True)


def test_parts_are_boxes_of_their_own():
    """Head and hand are boxes of the same group; the object's own box stays."""
    whole = obj("head") + obj("hand")
    parts = whole.replace("object>", "part>") + "<part><name>foot</name></part>"
    read = read_files({"a.xml": xml(obj("person", more=parts))})
    assert [(r["label"], r["group"]) for r in read.rows] == [
        ("person", 1), ("head", 1), ("hand", 1)
    ]  # fmt: skip
    assert read.balance.rejected == 1
    assert read.ledger.lines("rejected", "part without bndbox")[0]["record"] == "object 1 part 3"


def test_roboflow_polygon():
    """x1, y1, x2 ... is a polygon; the box beside it is kept where it is another."""
    points = (1, 1, 5, 1, 5, 6)
    names = (f"{axis}{n}" for n in (1, 2, 3) for axis in "xy")
    inner = "".join(f"<{n}>{v}</{n}>" for n, v in zip(names, points, strict=True))
    read = read_files({"a.xml": xml(obj(box=(1, 1, 5, 6), more=f"<polygon>{inner}</polygon>"))})
    row = read.rows[0]
    assert (row["type"], row["points"]) == ("polygon", [float(v) for v in points])
    assert "extra" not in row
    read = read_files({"a.xml": xml(obj(box=(0, 0, 9, 9), more=f"<polygon>{inner}</polygon>"))})
    assert json.loads(read.rows[0]["extra"]) == {"bndbox": [0.0, 0.0, 9.0, 9.0]}


def test_rotated_box_of_rolabelimg():
    """A robndbox is a box with its rotation in degrees."""
    angle = "<angle>0.5235987755982988</angle>"
    turned = f"<robndbox><cx>10</cx><cy>5</cy><w>4</w><h>2</h>{angle}</robndbox>"
    row = read_files({"a.xml": xml(obj(box=None, more=turned))}).rows[0]
    assert (row["x"], row["y"], row["w"], row["h"], row["rotation"]) == (8, 4, 4, 2, 30)


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        (obj(box=None), "object without bndbox"),
        (obj(box=("one", 2, 3, 4)), "coordinate is not a number"),
        (obj(box=("nan", 2, 3, 4)), "coordinate is not a number"),
        (obj(box=("1_0", 2, 30, 4)), "coordinate is not a number"),
        ("<object><name>x</name><bndbox><xmin>1</xmin></bndbox></object>",
         "coordinate is not a number"),
        (obj(box=(5, 2, 1, 6)), "corners in the wrong order"),
        (obj(box=(1, 6, 5, 2)), "corners in the wrong order"),
        (obj(more="<polygon><x1>1</x1><y1>1</y1></polygon>"), "polygon not understood"),
    ],
)  # fmt: skip
def test_a_bad_object_is_named_and_the_others_stay(objects, reason):
    """What can't be read is rejected by number and file; never clipped, never swapped."""
    read = read_files({"a.xml": xml(obj("dog") + objects)})
    assert [r["label"] for r in read.rows] == ["dog"]
    line = read.ledger.lines("rejected", reason)[0]
    assert (line["file"], line["record"]) == ("a.xml", "object 2")
    assert read.balance.rejected == 1


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        (obj(box=(15, 2, 25, 6)), "box reaches outside the image"),
        (obj(box=(-1, 2, 5, 6)), "box reaches outside the image"),
        (obj(box=(1, 2, 1, 6)), "box without area"),
        ("<object><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object>",
         "object without name"),
    ],
)  # fmt: skip
def test_a_suspect_object_is_kept_as_given(objects, reason):
    """Numbers that are strange are kept, with a warning (D32)."""
    read = read_files({"a.xml": xml(objects)})
    assert len(read.rows) == 1
    assert read.reasons("warning") == {reason}
    assert read.balance.warned == 1


def test_several_boxes_of_one_object_are_kept():
    """Two <bndbox> in one object are two boxes, with a warning."""
    more = "<bndbox><xmin>7</xmin><ymin>2</ymin><xmax>9</xmax><ymax>6</ymax></bndbox>"
    read = read_files({"a.xml": xml(obj(more=more))})
    assert len(read.rows) == 2
    assert (read.balance.read, read.balance.warned) == (2, 1)


def test_names_are_kept_as_they_are():
    """Case and spaces make another label; a printer's line breaks do not (D24)."""
    names = ("cat", "Cat", " cat", "\n  cat\n  ", "cat &amp; dog")
    read = read_files({"a.xml": xml("".join(obj(n) for n in names))})
    assert [r["label"] for r in read.rows] == ["cat", "Cat", " cat", "cat", "cat & dog"]


def test_what_no_column_holds_is_kept():
    """Unknown elements of a file and of an object are in `meta` and `extra`."""
    head = "<owner><name>me</name></owner><verified>yes</verified>"
    read = read_files({"a.xml": xml(obj(more="<id>17</id><score>0.5</score>"), head=head)})
    assert json.loads(read.items[0]["meta"])["voc"] == {"owner": {"name": "me"}, "verified": "yes"}
    assert json.loads(read.rows[0]["extra"]) == {"elements": {"id": "17"}}
    assert read.rows[0]["score"] == 0.5


# -- broken and hostile files ---------------------------------------------------------

BROKEN = {
    "cut short": b"<annotation><object><na",
    "not XML": b"hello",
    "empty": b"",
    "GBK that says UTF-8": '<?xml version="1.0" encoding="utf-8"?><annotation><filename>\u72d7'
    ".jpg</filename></annotation>".encode("gbk"),
    "bare ampersand": xml(obj("a & b")),
    "another root": b"<annotations/>",
    "unknown encoding": b'<?xml version="1.0" encoding="x-no"?><annotation/>',
    "entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>',
    "leads out": xml(obj(), filename="../../../etc/passwd"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_rejected_by_name(data):
    """One file that can't be read is a line of the ledger; the others are read."""
    read = read_files({"good.xml": xml(obj(), filename="good.jpg"), "bad.xml": data, "bad.jpg": b"",
                       "good.jpg": b""})  # fmt: skip
    assert read.keys == {None: ["good.jpg"]}
    line = read.ledger.lines("rejected", "the annotation file can't be read")[0]
    assert line["file"] == "bad.xml"
    assert "root:" not in line["message"]
    assert read.balance.rejected == 1


def test_nothing_but_broken_files_is_an_error():
    """Where no file can be read the answer is an error, not an empty dataset."""
    with pytest.raises(BrokenFileError, match=r"None of 2 .*bad\.xml"):
        read_files({"bad.xml": b"<annotation>", "worse.xml": b""})


def test_utf16_is_read():
    """A file in UTF-16 is XML like any other."""
    text = '<?xml version="1.0" encoding="utf-16"?>' + xml(obj("\u732b")).decode()
    assert read_files({"a.xml": text.encode("utf-16")}).rows[0]["label"] == "\u732b"


@pytest.fixture(scope="session")
def hostile(shared, tmp_path_factory):
    """Return the folder of hostile files, and what must become of each."""
    folder = tmp_path_factory.mktemp("hostile")
    script = shared / "hostile/make_hostile.py"
    done = subprocess.run(
        [sys.executable, str(script), "--out", str(folder)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    cases = {}
    for name in ("MANIFEST.json", "CONTROLS.json"):
        found = json.loads((folder / name).read_text("utf-8"))
        for case in found if isinstance(found, list) else found["files"]:
            cases[case["file"]] = case
    return folder, cases


@pytest.mark.parametrize(
    "name",
    ["ok_voc.xml", "voc_xmin_gt_xmax.xml", "voc_traversal_filename.xml", "voc_zero_size.xml",
     "xml_billion_laughs.xml", "xml_xxe_file.xml", "xml_xinclude.xml", "xml_truncated.xml",
     "xml_depth_100k.xml"],
)  # fmt: skip
def test_hostile(name, hostile):
    """Each hostile file ends as the manifest says, and its message names what is wrong."""
    folder, cases = hostile
    case = cases[name]
    source = open_source(str(folder / name))
    if case["expected"] == "clear error":
        with pytest.raises((BrokenFileError, Miss)) as caught:
            Voc().requires(Look(source))
            Read(source)
        message = str(caught.value)
    else:
        assert Voc().requires(Look(source)) >= 0.9
        read = Read(source)
        counts = case.get("counts", {})
        assert len(read.rows) == counts.get("annotations", len(read.rows))
        assert read.balance.rejected == counts.get("rejected", read.balance.rejected)
        bad = read.balance.rejected + read.balance.warned
        assert bool(bad) == (case["expected"] != "import exactly")
        message = " ".join(read.ledger.to_pandas()["message"])
    assert case.get("name", "") in message
    assert "root:" not in message


# -- masks ----------------------------------------------------------------------------

CLASSES = np.zeros((10, 20), int)
CLASSES[2:5, 3:9] = 1
CLASSES[5:8, 10:18] = 2
CLASSES[1, 3:9] = 255
OBJECTS = CLASSES.copy()
OBJECTS[2:5, 6:9] = 3
LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:::\ndog:0,128,0:tail:run\n"


def masks_of(read):
    """Return {(label, area)} of masks."""
    found = set()
    for row in read.rows:
        if row["type"] == "mask":
            pixels = geometry.rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
            found.add((row.get("label"), int(pixels.sum())))
    return found


@pytest.mark.parametrize("palette", [True, False])
def test_masks_are_instances_with_the_majority_class(palette):
    """Each instance is a mask, by index or colour; void pixels belong to nothing."""
    read = read_files({
        "labelmap.txt": LABELMAP,
        "JPEGImages/a.jpg": b"",
        "SegmentationClass/a.png": png(CLASSES, palette),
        "SegmentationObject/a.png": png(OBJECTS, palette),
    })  # fmt: skip
    assert read.keys == {None: ["a.jpg"]}
    assert masks_of(read) == {("cat", 9), ("dog", 24)}
    assert len(read.rows) == 3
    first = next(r for r in read.rows if r["x"] == 3)
    assert (first["x"], first["y"], first["w"], first["h"]) == (3, 2, 3, 3)
    assert (first["mask_height"], first["mask_width"]) == (10, 20)
    assert "void pixels" in read.reasons("note")
    assert read.labels["cat"].color == "#800000"  # no colour in the file: VOC's
    assert read.labels["dog"].extra == {"parts": ["tail"], "actions": ["run"]}
    assert read.labels["tail"].parent == "dog"
    assert "background" not in read.labels


def test_class_masks_alone_are_one_mask_per_class():
    """Without instances there is one mask per class; VOC's classes are assumed, with a note."""
    read = read_files({"SegmentationClass/a.png": png(CLASSES, palette=True)})
    assert masks_of(read) == {("aeroplane", 18), ("bicycle", 24)}
    assert "classes of VOC2012 assumed" in read.reasons("note")
    assert Voc().requires(Look(memory({"SegmentationClass/a.png": b""}))) > 0.5


def test_instances_and_objects_that_agree_are_linked():
    """Instance 1 and object 1 of one label share a group; of another label they do not."""
    files = {
        "labelmap.txt": LABELMAP,
        "Annotations/a.xml": xml(obj("cat") + obj("cat")),
        "SegmentationClass/a.png": png(CLASSES),
        "SegmentationObject/a.png": png(CLASSES),
    }
    groups = [(r["type"], r["label"], r.get("group")) for r in read_files(files).rows]
    assert groups == [
        ("box", "cat", 1), ("box", "cat", None), ("mask", "cat", 1), ("mask", "dog", None)
    ]  # fmt: skip


def test_strange_masks_are_named():
    """Unknown classes and colours, other sizes, and files that are no PNG are in the ledger."""
    rgb = np.zeros((10, 20, 3), np.uint8)
    rgb[:3] = (1, 2, 3)
    out = io.BytesIO()
    Image.fromarray(rgb, "RGB").save(out, "PNG")
    noise = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels, "RGB").save(noise, "PNG")
    read = read_files({
        "labelmap.txt": LABELMAP,
        "Annotations/size.xml": xml(filename="size.jpg", size=(5, 5)),
        "SegmentationClass/size.png": png(CLASSES),
        "SegmentationClass/index.png": png(CLASSES * 4, palette=True),
        "SegmentationClass/color.png": out.getvalue(),
        "SegmentationClass/noise.png": noise.getvalue(),
        "SegmentationClass/broken.png": b"\x89PNG",
    })  # fmt: skip
    said = " ".join(read.ledger.to_pandas()["message"])
    assert "colour #010203" in said
    assert "20x10, its image 5x5" in said
    assert {"class_4", "class_8"} <= {r.get("label") for r in read.rows}
    rejected = {line["file"] for line in read.ledger.lines("rejected", "the mask can't be read")}
    assert rejected == {"SegmentationClass/noise.png", "SegmentationClass/broken.png"}


def test_labelme_class_names():
    """A class_names.txt of labelme names the indices."""
    read = read_files({
        "class_names.txt": "_background_\ncat\ndog\n",
        "SegmentationClassPNG/a.png": png(CLASSES, palette=True),
        "SegmentationClassVisualization/a.jpg": b"",
        "JPEGImages/a.jpg": b"",
    })  # fmt: skip
    assert masks_of(read) == {("cat", 18), ("dog", 24)}
    assert len(read.items) == 1


def test_bad_labelmap_names_the_line():
    """A colour that is none is an error with its line."""
    with pytest.raises(BrokenFileError, match=r"'1,2'.*line 2"):
        parse_labelmap("cat:0,0,0::\ndog:1,2::", "labelmap.txt")


# -- preview --------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_preview_is_the_beginning_of_the_read(limit, samples):
    """With a limit, the first items and all their annotations are the very same."""
    for case in SAMPLES:
        source = open_source(str(samples / case))
        whole, part = Read(source), Read(source, limit=limit)
        count = len(part.items)
        assert count >= min(limit, len(whole.items))
        assert part.items == whole.items[:count]
        assert part.rows == [r for r in whole.rows if r["item"] < count]


def test_preview_goes_on_behind_a_broken_file():
    """A broken file at the start does not make the preview shorter."""
    files = {"a.xml": b"", "b.xml": xml(filename="b.jpg"), "c.xml": xml(filename="c.jpg"),
             "d.jpg": b""}  # fmt: skip
    assert [i["key"] for i in Read(memory(files), limit=1).items][:1] == ["b.jpg"]
