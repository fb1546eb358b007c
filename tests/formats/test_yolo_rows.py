"""Rows of YOLO label files: each line is typed by itself, and none is lost in silence."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbannot.formats.yolo.data import Names
from nbannot.formats.yolo.rows import parse_rows, row_share
from nbannot.sources import open_source

from .yolo_files import YAML, Read, one_file, read

BOX = "0 0.5 0.5 0.2 0.4\n"
POSE = "names: [cat, dog]\ntrain: images\nkpt_shape: [2, 3]\n"


def only(labels, **options):
    """Return the single row that a label file gives on an image of 100 x 50."""
    result = one_file(labels, **options)
    assert len(result.rows) == 1
    return result.rows[0]


def test_a_box_in_pixels():
    """Centre and size, 0 to 1, become the corner and size in pixels of the image."""
    row = only(BOX)
    assert (row["type"], row["label"]) == ("box", "cat")
    assert [row[k] for k in "xywh"] == [40.0, 15.0, 20.0, 20.0]
    assert "score" not in row
    assert "track" not in row


def test_one_file_mixes_boxes_and_polygons():
    """Five numbers are a box and seven or more a polygon, line by line."""
    result = one_file(f"{BOX}1 0 0 0.5 0 0.5 1\n{BOX}")
    assert [r["type"] for r in result.rows] == ["box", "polygon", "box"]
    polygon = result.rows[1]
    assert polygon["points"] == [0, 0, 50, 0, 50, 50]
    assert [polygon[k] for k in "xywh"] == [0, 0, 50, 50]
    assert result.balance.warned == 0


@pytest.mark.parametrize(
    ("line", "score", "track"),
    [
        ("0 .5 .5 .2 .2 0.9", 0.9, None),
        ("0 .5 .5 .2 .2 0", None, "0"),
        ("0 .5 .5 .2 .2 17", None, "17"),
        ("0 .5 .5 .2 .2 0.9 17", 0.9, "17"),
        ("0 .1 .1 .2 .2 .3 .1 0.25", 0.25, None),
        ("0 .1 .1 .2 .2 .3 .1 0.25 4", None, None),
    ],
    ids=["confidence", "track 0", "track", "both", "polygon", "four points"],
)
def test_confidence_and_track_follow_the_geometry(line, score, track):
    """Ultralytics writes a confidence and a track at the end, CVAT a track."""
    row = only(line)
    assert row.get("score") == score
    assert row.get("track") == track


def test_a_confidence_of_one_is_no_track():
    """`1` is a confidence where the file's other rows have confidences."""
    rows = one_file("0 .5 .5 .2 .2 0.25\n0 .4 .4 .2 .2 1\n").rows
    assert [r["score"] for r in rows] == [0.25, 1.0]
    assert not any("track" in r for r in rows)


def test_columns_of_ones_own_are_kept_apart():
    """Ten numbers are a box and five more (ultralytics' coco8-human), not a polygon."""
    result = one_file("0 0.5 0.5 0.2 0.4 1 0 0.25 3 2")
    row = result.rows[0]
    assert [row[k] for k in "xywh"] == [40.0, 15.0, 20.0, 20.0]
    assert json.loads(row["extra"]) == {"columns": [1, 0, 0.25, 3, 2]}
    assert result.balance.warned == 1


# -- rotated boxes --------------------------------------------------------------------

TURNED = "0 0.3 0.2 0.5 0.6 0.34 0.92 0.14 0.52\n"  # 100 x 50: (30,10) (50,30) (34,46) (14,26)


def test_nine_numbers_everywhere_are_rotated_boxes():
    """Near rectangles, where the dataset has nothing else, are boxes with a rotation."""
    row = only(TURNED)
    assert row["type"] == "box"
    assert row["rotation"] == pytest.approx(45)
    assert [row["w"], row["h"]] == pytest.approx([800**0.5, 512**0.5])
    assert [row["x"] + row["w"] / 2, row["y"] + row["h"] / 2] == pytest.approx([32, 28])


def test_nine_numbers_among_polygons_are_a_polygon():
    """In a dataset of polygons a polygon may well have four points."""
    rows = one_file(f"{TURNED}0 0 0 0.5 0 0.5 1\n").rows
    assert [r["type"] for r in rows] == ["polygon", "polygon"]
    assert rows[0]["points"] == pytest.approx([30, 10, 50, 30, 34, 46, 14, 26])


def test_four_points_far_from_a_rectangle_are_a_polygon():
    """A dataset of trapezia is one of polygons, also where each has four points."""
    assert only("0 0.1 0.1 0.9 0.1 0.5 0.9 0.4 0.9")["type"] == "polygon"


def test_data_yaml_may_say_what_four_points_are():
    """`task:` settles it: rectangles of a segmentation are polygons, and skew boxes are known."""
    assert only(TURNED, yaml=YAML + "task: segment\n")["type"] == "polygon"
    assert only(TURNED + "\n", yaml=YAML + "task: obb\n")["rotation"] == pytest.approx(45)


def test_task_overrides_what_rows_look_like():
    """`task` settles what the numbers can't tell."""
    assert only(TURNED, task="segment")["type"] == "polygon"
    skew = one_file("0 0.1 0.1 0.9 0.1 0.5 0.9 0.4 0.9", task="obb")
    assert skew.rows[0]["type"] == "polygon"
    assert list(skew.said("note")) == ["rotated box that is no rectangle"]
    row = only(TURNED, task="detect")
    assert json.loads(row["extra"]) == {"columns": [0.34, 0.92, 0.14, 0.52]}


def test_corners_that_are_not_quite_a_rectangle_are_kept():
    """What a rotated box can't say exactly stays in `extra`, in pixels."""
    row = only("0 0.1 0.1 0.9 0.1 0.9 0.91 0.1 0.9")
    assert row["type"] == "box"
    assert json.loads(row["extra"])["corners"] == pytest.approx([10, 5, 90, 5, 90, 45.5, 10, 45])


def test_rotated_boxes_of_a_model():
    """A confidence and a track follow the eight numbers."""
    rows = one_file(f"{TURNED.strip()} 0.5\n{TURNED.strip()} 0.75 3\n").rows
    assert [r["score"] for r in rows] == [0.5, 0.75]
    assert rows[1]["track"] == "3"
    assert all(r["rotation"] == pytest.approx(45) for r in rows)


def test_dota_rows():
    """Pixels, a name and how difficult it is: Roboflow's labelTxt."""
    rows = one_file("imagesource:Google\n0 0 0 20 40 20 40 0 dog 1\n1 1 5 1 5 5 1 5 cat 0\n").rows
    assert [[r[k] for k in "xywh"] for r in rows] == [[0, 0, 40, 20], [1, 1, 4, 4]]
    assert [r["label"] for r in rows] == ["dog", "cat"]
    assert json.loads(rows[0]["attributes"]) == {"difficult": True}
    assert "attributes" not in rows[1]


def test_dota_without_names(samples):
    """DOTA's own layout is read so, too: names are those of the rows, outside is said."""
    result = Read(open_source(str(samples / "dota/mmrotate-toy")), darknet=True)
    assert list(result.labels) == ["plane"]
    assert [r["label"] for r in result.rows] == ["plane"] * 4
    assert "no class names" not in result.said("note")
    far = read({"a.png": None, "a.txt": "200 0 220 0 220 9 200 9 cat 0"}, darknet=True)
    assert list(far.said("warning")) == ["reaches outside the image"]


# -- keypoints ------------------------------------------------------------------------


def test_keypoints_with_visibility():
    """kpt_shape makes rows skeletons: a box, and x y visibility for each point."""
    result = one_file("0 0.5 0.5 0.2 0.4 0.1 0.2 2 0 0 0\n", POSE)
    row = result.rows[0]
    assert (row["type"], row["points"], row["visibility"]) == ("skeleton", [10, 10, 0, 0], [2, 0])
    assert [row[k] for k in "xywh"] == [40.0, 15.0, 20.0, 20.0]
    assert result.labels["cat"].skeleton.points == ("point_0", "point_1")


def test_keypoints_without_visibility():
    """With two numbers a point is there, unless it is 0 0 or negative."""
    yaml = POSE.replace("3]", "2]")
    row = only("0 0.5 0.5 0.2 0.4 0.1 0.2 0 0", yaml=yaml)
    assert row["visibility"] == [2, 0]


def test_keypoints_of_a_model():
    """A confidence per point is kept, and one for the whole is its score."""
    result = one_file("0 0.5 0.5 0.2 0.4 0.1 0.2 0.9 0.3 0.4 0.25 0.8 6", POSE)
    row = result.rows[0]
    assert (row["visibility"], row["score"], row["track"]) == ([2, 1], 0.8, "6")
    assert json.loads(row["extra"]) == {"keypoint_scores": [0.9, 0.25]}
    assert result.balance.warned == 1


def test_rows_with_fewer_keypoints():
    """Label Studio leaves out points that were not drawn: read, and said."""
    result = one_file(f"0 0.5 0.5 0.2 0.4 0.1 0.2 2\n{BOX}", POSE)
    assert [r["type"] for r in result.rows] == ["skeleton", "box"]
    assert result.rows[0]["visibility"] == [2, 0]
    assert list(result.said("warning")) == ["keypoints are missing"]


def test_names_and_mirror_of_keypoints():
    """kpt_names name the joints of a class, flip_idx is kept; a shorter class is not padded."""
    yaml = POSE + "flip_idx: [1, 0]\nkpt_names: {0: [left, right], 1: [nose]}\n"
    result = one_file("0 .5 .5 .2 .4 .1 .2 2 .3 .4 1\n1 .5 .5 .2 .4 .1 .2 2 0 0 0\n", yaml)
    assert result.labels["cat"].skeleton.points == ("left", "right")
    assert result.labels["cat"].extra == {"flip_idx": [1, 0]}
    assert [len(r["points"]) for r in result.rows] == [4, 2]


def test_keypoints_by_option():
    """kpt_shape= stands in for a file that does not say."""
    assert only("0 .5 .5 .2 .4 .1 .2 2 .3 .4 1", kpt_shape="2,3")["type"] == "skeleton"


# -- what the wild holds --------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason", "says"),
    [
        ("0 0.5 0.5 0.2", "wrong number of columns", "4 columns"),
        ("7 0.5 0.5 0.2 0.2", "class is not in names", "class 7 is not in names (0 to 1)"),
        ("0.5 0.5 0.5 0.2 0.2", "class is not a whole number", "class 0.5"),
        ("-1 0.5 0.5 0.2 0.2", "class is not a whole number", "class -1"),
        ("0 nan 0.5 0.2 0.2", "not a number", "'nan' is not a number"),
        ("0 1e999 0.5 0.2 0.2", "not a number", "'1e999' is not a number"),
        ("0 0.5 -1e300 0.2 0.2", "not a number", "'-1e300' is not a number"),
        ("0 0,5 0,5 0,2 0,2", "not a number", "decimals need a point"),
        ("0 0.5 0.5 x 0.2", "not a number", "'x' is not a number"),
        ("0 0.5 0.5 -0.2 0.2", "width or height is negative", "negative"),
        ("bird 0.5 0.5 0.2 0.2", "not a number", "'bird' is not a number"),
        ("0 0 0 20 40 20 40 0 bird 0", "class is not in names", "'bird' is not in names"),
        ("<html>", "not a number", "'<html>' is not a number"),
    ],
)
def test_a_bad_line_is_named_and_the_others_stay(line, reason, says):
    """Each line that can't be read is rejected by file and line; Ultralytics drops the image."""
    result = one_file(f"{BOX}\n{line}\n{BOX}")
    assert len(result.rows) == 2
    messages = result.said("rejected")[reason]
    assert len(messages) == 1
    assert says in messages[0]
    assert messages[0].startswith("labels/a.txt line 3: ")
    assert result.balance.rejected == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 1.0000001 0.5 0.2 0.2", "coordinates outside 0 to 1"),
        ("0 -0.01 0.5 0.2 0.2", "coordinates outside 0 to 1"),
        ("0 0.95 0.5 0.2 0.2", "reaches outside the image"),
        ("0 0.5 0.5 0 0.2", "box has no area"),
        ("0,0.5,0.5,0.2,0.2", "separated by commas"),
        ("0, 0.5, 0.5, 0.2, 0.2", "separated by commas"),
        ("cat 0.5 0.5 0.2 0.2", "class is given by name"),
        ("0 0.5 0.5 0.2 0.2 # a comment", "text after the numbers"),
    ],
)
def test_an_odd_line_is_read_and_warned_of(line, reason):
    """Numbers are kept as they are: nothing is clipped, and the ledger says what is odd."""
    result = one_file(line)
    assert [r["label"] for r in result.rows] == ["cat"]
    assert list(result.said("warning")) == [reason]


def test_values_just_over_one_are_kept_exactly():
    """Float error of a tool is not clipped away."""
    row = only("0 1.0000001 0.5 0.2 0.2")
    assert row["x"] == (1.0000001 - 0.1) * 100


def test_rounding_to_six_decimals_is_no_warning():
    """A box of the image's full width, rounded by its tool, does not reach outside."""
    assert one_file("0 0.133333 0.5 0.266667 1").balance.warned == 0


def test_coordinates_in_pixels():
    """Values far past 1 that fit the image are read as pixels, and said to be."""
    result = one_file("0 50 25 20 10\n1 10 10 20 10 20 20\n0 2 2 4 4\n")
    box, polygon, corner = result.rows
    assert [box[k] for k in "xywh"] == [40, 20, 20, 10]
    assert polygon["points"] == [10, 10, 20, 10, 20, 20]
    assert [corner[k] for k in "xywh"] == [0, 0, 4, 4]  # by the other rows of the file
    assert list(result.said("warning")) == ["coordinates in pixels"]


def test_far_outside_is_not_pixels():
    """Twice the image's width is kept as it is: no tool's pixels are that small throughout."""
    result = one_file("0 2.5 0.5 0.2 0.2")
    assert result.rows[0]["x"] == pytest.approx(240)
    assert list(result.said("warning")) == ["coordinates outside 0 to 1"]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf0 0.5 0.5 0.2 0.4",
        BOX.encode("utf-16"),
        b"\r\n0\t0.5  0.5 0.2 0.4 \r\n\r\n",
        b"0 0.5 0.5 0.2 0.4\r",
        "0\u00a00.5 0.5 0.2 0.4".encode(),
        b"0.0 +0.5 5e-1 .2 0.40000",
    ],
    ids=["bom", "utf16", "crlf", "cr", "nbsp", "numbers"],
)
def test_as_editors_save_it(data):
    """Byte order marks, line ends, tabs and ways to write a number make no difference."""
    result = one_file(data)
    assert [[r[k] for k in "xywh"] for r in result.rows] == [[40.0, 15.0, 20.0, 20.0]]
    assert result.balance.warned == result.balance.rejected == 0


def test_repeated_rows_are_kept_and_noted():
    """Ultralytics removes them; merging is the user's choice."""
    result = one_file(f"{BOX}1 0.5 0.5 0.2 0.4\n{BOX}")
    assert len(result.rows) == 3
    assert result.said("note")["row repeated"] == ["labels/a.txt line 3: it repeats line 1; kept"]


def test_classes_without_names_are_numbered():
    """Without names there are class_0, class_1 …, never the 80 of COCO, and it is said."""
    result = read({"a.png": None, "a.txt": "3 .5 .5 .2 .2\n0 .5 .5 .2 .2\n"}, darknet=True)
    assert [r["label"] for r in result.rows] == ["class_3", "class_0"]
    assert sorted(result.labels) == ["class_0", "class_3"]
    assert "no class names" in result.said("note")


def test_two_classes_of_one_name():
    """They become one label; the id of each row is kept, and it is said."""
    result = one_file("0 .5 .5 .2 .2\n1 .5 .5 .2 .2\n", "train: images\nnames: [cat, cat]\n")
    assert [json.loads(r["extra"]) for r in result.rows] == [{"class": 0}, {"class": 1}]
    assert "one name for several classes" in result.said("note")


# -- against a plain reading ----------------------------------------------------------

NUMBER = st.floats(0, 1, allow_subnormal=False).map(repr)
LINE = st.one_of(
    st.lists(NUMBER, min_size=4, max_size=9).map(lambda n: " ".join(["1", *n])),
    st.sampled_from(["", "  ", "\t", "1 2", "x y", "0 a b c d", "1 .5 .5 .5 .5 text", "nan"]),
)


@given(st.lists(st.lists(LINE, max_size=6), max_size=4), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_rows_are_what_a_plain_reading_gives(files, end):
    """Line by line, Python's own split and float find the same rows."""
    rows = parse_rows([end.join(lines).encode() for lines in files], Names({1: "a"}))
    plain = []
    for f, lines in enumerate(files):
        for n, line in enumerate(end.join(lines).split("\n"), 1):
            try:
                numbers = [float(token) for token in line.split()]
            except ValueError:
                continue
            if numbers and all(map(math.isfinite, numbers)):
                plain.append((f, n, numbers))
    at = [i for i in range(len(rows)) if i not in rows.rescued]
    found = [
        (int(rows.file[i]), int(rows.line[i]), rows.numbers(np.array([i]), 0, rows.count[i])[0])
        for i in at
    ]
    assert [(f, n, list(map(str, v))) for f, n, v in plain] == [
        (f, n, list(map(str, v.tolist()))) for f, n, v in found
    ]
    lines_in_all = sum(bool(line.strip()) for lines in files for line in lines)
    assert len(rows) + len(rows.bad) == lines_in_all


@given(st.binary(max_size=200))
def test_any_bytes_are_accounted_for(data):
    """Whatever a label file holds, each line ends as a row, a warning or a rejection."""
    result = one_file(data)
    assert result.balance.read == 1 + len(result.rows) + result.balance.rejected
    for row in result.rows:
        assert all(math.isfinite(v) for v in (*[row[k] for k in "xywh"], *row.get("points", [])))


@pytest.mark.parametrize(
    ("text", "share"),
    [
        (b"Car 0.0 0 1.5 1 2 3 4 5 6 7 8 9 10 11", (0, 1)),
        (b"1,2,3,4,5,6", (0, 1)),
        (b"100 200\n300 400", (0, 2)),
        (b"0 .5 .5 .1 .1\nreadme", (1, 2)),
        (b"0 0 0 9 9 9 9 0 plane 0", (1, 1)),
        (b"", (0, 0)),
    ],
    ids=["kitti", "mot", "landmarks", "mixed", "dota", "empty"],
)
def test_other_formats_are_no_rows(text, share):
    """Numbers in lines are not yet YOLO."""
    assert row_share(text) == share


def test_yaml_of_the_other_tests_is_plain():
    """The dataset that these tests read is itself without remark."""
    assert one_file(BOX, YAML).ledger.groups() == []
