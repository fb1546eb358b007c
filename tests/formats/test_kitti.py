"""KITTI detection: rows of 15 and 16 columns."""

from __future__ import annotations

import json

import pytest

from nbannot.formats import detect, get_format
from nbannot.formats.base import Miss
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, written
from nbannot.formats.look import Look
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

from .mask_files import lines, picture, read

TAIL = "-1 -1 -1 -1 -1 -1 -1"


class TestKitti(FormatCases):
    """Boxes; there is no container that can break."""

    format_name = "kitti"
    compared = ("type", "label", "x", "y", "w", "h")


@pytest.mark.parametrize("case", ["detection", "3d", "3d_with_subset"])
def test_samples_are_found(samples, case):
    """The samples with 2D boxes are this format's."""
    with open_source(samples / f"kitti/datumaro-kitti_{case}") as source:
        assert detect(source)[0].format == "kitti"


def test_raw_tracklets_are_named(samples):
    """KITTI raw is told apart, and said not to be read."""
    source = open_source(samples / "kitti/datumaro-kitti_raw")
    with source, pytest.raises(Miss, match="tracklets"):
        get_format("kitti").requires(Look(source))


def test_sample(samples, expected):
    """Counts, boxes and occlusion are those that Datumaro reads."""
    found = read("kitti", samples / "kitti/datumaro-kitti_detection")
    truth = json.loads((expected / "kitti/datumaro-kitti_detection.kitti.json").read_text())
    wanted = [
        (i["subset"], i["id"] + ".png", a["label"], a["bbox_xywh"], a["attributes"]["occluded"],
         a["attributes"]["truncated"])
        for i in truth["items"] for a in i["annotations"]
    ]  # fmt: skip
    got = [
        (r["subset"], r["key"], r["label"], [r[n] for n in "xywh"], r["occluded"],
         json.loads(r.get("extra", "{}")).get("kitti", {}).get("truncated", 0) > 0)
        for r in found.annotations
    ]  # fmt: skip
    assert got == wanted
    assert lines(found, "reason") == []
    assert [(i["width"], i["height"]) for i in found.items] == [(10, 10), (10, 10)]


def test_sample_with_3d(samples):
    """The 2D boxes of the 3D samples, as in the files; the 3D ones are kept in extra."""
    found = read("kitti", samples / "kitti/datumaro-kitti_3d")
    boxes = [(r["label"], *(r[n] for n in "xywh")) for r in found.annotations]
    assert boxes == [
        ("Truck", 600, 150, 30, 40), ("Car", 650, 160, 50, 40), ("DontCare", 500, 170, 90, 20),
    ]  # fmt: skip
    assert json.loads(found.annotations[0]["extra"]) == {
        "kitti": {"alpha": -1.57, "height": 2.85, "width": 2.63, "length": 12.34, "x": 0.47,
                  "y": 1.49, "z": 69.44, "rotation_y": -1.56}
    }  # fmt: skip
    # The images of the sample are 10x10: its boxes can't lie within.
    assert {reason for (reason,) in lines(found, "reason")} == {"box reaches outside the image"}
    assert ("note", "3D boxes are not shown", 1) in found.ledger.groups()
    assert found.ledger.lines("note", "3D boxes are not shown")[0]["message"].startswith(
        "3D boxes of 2 rows"
    )


def test_3d_is_written_again():
    """Truncation, occlusion, alpha, the 3D box and the score come back as they were."""
    row = "Car 0.88 3 -0.69 0 190 400 380 1.6 1.57 3.23 -2.7 1.74 3.68 -1.29 0.5"
    found = read("kitti", {"training/label_2/1.txt": f"{row}\n".encode()})
    again = Example(
        {"training": [{"key": "1.png"}]},
        {"training": [{k: v for k, v in r.items() if k not in ("key", "subset")} | {"item": "1.png"}
                      for r in found.annotations]},
        (Label("Car"),),
    )  # fmt: skip
    files = written(get_format("kitti"), again, media=False)
    assert files["training/label_2/1.txt"].decode().split() == row.split()


@pytest.mark.parametrize(
    ("row", "label", "score"),
    [
        (f"Car 0 0 -1 1 2 3 4 {TAIL}", "Car", None),
        (f"Personal vehicle 0 0 -1 1 2 3 4 {TAIL}", "Personal vehicle", None),
        (f"Car 0 0 -1 1 2 3 4 {TAIL} 0.25", "Car", 0.25),
        (f"Class 7 0 0 -1 1 2 3 4 {TAIL}", "Class 7", None),
        (f"Car\t0 0 -1 1 2  3 4 {TAIL}\r", "Car", None),
    ],
)
def test_rows_are_read_from_the_right(row, label, score):
    """A name may hold spaces, and even end in a number."""
    found = read("kitti", {"label_2/1.txt": row.encode()}).annotations
    assert [(r["label"], r.get("score"), [r[n] for n in "xywh"]) for r in found] == [
        (label, score, [1, 2, 2, 2])
    ]


def test_a_score_beyond_1_is_kept():
    """KITTI's scores have no bounds; ours do."""
    found = read("kitti", {"label_2/1.txt": f"Car 0 0 -1 1 2 3 4 {TAIL} 7.5".encode()})
    assert json.loads(found.annotations[0]["extra"]) == {"kitti": {"score": 7.5}}


def test_malformed_rows():
    """Each bad row is a line that names it; the good ones stay."""
    text = "\n".join(
        [
            "Car 1 2 3", f"Car 0 0 -1 9 2 3 4 {TAIL}", f"Car 0 0 -1 nan 2 3 4 {TAIL}", "",
            f"Car 0 0 -1 1 2 1 4 {TAIL}", f"Car 0 0 -1 -1 2 3 99 {TAIL}",
            f"Car 0 0 -1 1 2 3 4 {TAIL}",
        ]
    )  # fmt: skip
    found = read("kitti", {"label_2/1.txt": text.encode("utf-16"), "image_2/1.png": picture(9, 9)})
    assert lines(found, "outcome", "reason", "file", "where") == [
        ("rejected", "row is not understood", "label_2/1.txt", "line 1"),
        ("rejected", "corners in the wrong order", "label_2/1.txt", "line 2"),
        ("rejected", "coordinate is not a number", "label_2/1.txt", "line 3"),
        ("warning", "box without area", "label_2/1.txt", "line 5"),
        ("warning", "box reaches outside the image", "label_2/1.txt", "line 6"),
    ]
    assert len(found.annotations) == 3


def test_layouts():
    """CVAT's subsets, FiftyOne's data and labels, and files without images or rows."""
    row = f"Car 0 0 -1 1 2 3 4 {TAIL}".encode()
    files = {"train/label_2/a.txt": row, "train/image_2/a.jpg": picture(9, 9, "JPEG"),
             "train/image_2/b.jpg": picture(8, 9, "JPEG")}  # fmt: skip
    found = read("kitti", files)
    assert [(i["subset"], i["key"]) for i in found.items] == [
        ("train", "a.jpg"), ("train", "b.jpg")
    ]  # fmt: skip
    files = {"labels/a.txt": row, "labels/c.txt": b"", "data/a.jpg": picture(9, 9)}
    with open_source(files) as source:
        assert detect(source)[0].format == "kitti"
    found = read("kitti", files)
    assert [(i.get("subset"), i["key"]) for i in found.items] == [(None, "a.jpg"), (None, "c")]
    assert lines(found, "reason", "item") == [("image file missing", "c")]


def test_label_colors():
    """CVAT's label_colors.txt declares labels, with a colour or a blank one."""
    files = {"label_colors.txt": b"1 2 3 Car\n Human\n", "train/label_2/a.txt": b""}
    found = read("kitti", files)
    assert [(n, label.color) for n, label in found.labels.items()] == [
        ("Car", "#010203"), ("Human", None)
    ]  # fmt: skip


def test_not_this_format():
    """YOLO's rows, and folders without rows of KITTI's, are not taken."""
    for files in (
        {"labels/a.txt": b"0 0.5 0.5 0.1 0.1"},
        {"labels/a.txt": f"0 0 0 -1 1 2 3 4 {TAIL}".encode()},
        {"label_2/a.txt": b"Car 1 2"},
        {"a.txt": b""},
    ):
        with open_source(files) as source:
            found = next(c for c in detect(source) if c.format == "kitti")
        assert (found.confidence, bool(found.missing)) == (0, True)


def test_what_is_lost_is_told():
    """Attributes and rotation have no place."""
    row = {"item": "a.png", "type": "box", "label": "Car", "x": 1, "y": 2, "w": 3, "h": 4}
    rows = [{**row, "rotation": 30.0}, {**row, "attributes": '{"a": 1}', "extra": '{"voc": {}}'}]
    made = Example({"train": [{"key": "a.png"}]}, {"train": rows}, (Label("Car"),))
    ledger = Ledger()
    kitti = get_format("kitti")

    class Sink:
        def add_media(self, path, item):
            """Write no media."""

        def write(self, path, data):
            """Forget it."""

    kitti.write(made, Sink(), kitti.check_options({}, writing=True), ledger, Progress())
    assert ledger.groups() == [
        ("warning", "attributes can't be written", 1),
        ("warning", "rotated box written as enclosing box", 1),
        ("note", "no place in KITTI", 1),
    ]
