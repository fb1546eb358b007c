"""DOTA: rectangles and other quadrangles, samples, what is malformed."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from nbannot import geometry
from nbannot.errors import FormatError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.dota import _rectangle, _smallest
from nbannot.formats.examples import MemorySink, example, read_back, written
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source


class TestBoxes(FormatCases):
    """Boxes that are not turned come back to the digit."""

    format_name = "dota"
    compared = ("type", "label", "x", "y", "w", "h", "rotation")
    generates = ("box",)

    @pytest.fixture
    def dataset(self):
        """The example's boxes."""
        return example(("box",))


class TestRotated(TestBoxes):
    """Turned boxes too."""

    generates = ()

    @pytest.fixture
    def dataset(self):
        """The example's boxes, turned."""
        made = example(("box",))
        for rows in made.annotations.values():
            for number, row in enumerate(rows):
                row |= {"rotation": 30.0 - 50 * number, "x": row["x"] / 4 + 20, "y": 14.0}
                row |= {"w": row["w"] / 4 + 6, "h": row["h"] / 4 + 5}
        return made


def read(text, path="labelTxt/a.txt", more=None):
    """Read one made-up file."""
    data = text if isinstance(text, bytes) else text.encode()
    return read_back(get_format("dota"), open_source({path: data, **(more or {})}))


def corners(row):
    """Return the corners of a box or polygon, as a set, rounded."""
    flat = row.get("points")
    if row["type"] == "box":
        box = [row[n] for n in "xywh"]
        flat = geometry.box_corners([box], [row.get("rotation", 0.0)]).ravel()
    return {(round(float(x), 6), round(float(y), 6)) for x, y in np.reshape(flat, (-1, 2))}


def test_datumaro(samples, expected):
    """The corners of every box are those of Datumaro's, which gives them all 90 degrees."""
    with open_source(samples / "dota/datumaro-dota") as source:
        assert detect(source)[0].format == "dota"
        found = read_back(get_format("dota"), source)
    wanted = []
    reference = json.loads((expected / "dota/datumaro-dota.dota.json").read_text())
    for item in reference["items"]:
        for a in item["annotations"]:
            x, y, w, h, turn = a["rbox"]
            box = {"x": x - w / 2, "y": y - h / 2, "w": w, "h": h, "rotation": turn}
            key = f"{item['id']}.jpg"
            wanted.append((item["subset"], key, a["label"], corners({"type": "box", **box})))
    back = [(r["subset"], r["key"], r["label"], corners(r)) for r in found.annotations]
    assert sorted(back, key=repr) == sorted(wanted, key=repr)
    assert [r.get("rotation") for r in found.annotations] == [None] * 4
    assert len(found.items) == 3
    assert found.balance.rejected == 0


def test_mmrotate(samples):
    """Three planes are rectangles but for rounding, one is not; an empty file is an item."""
    with open_source(samples / "dota/mmrotate-toy") as source:
        assert detect(source)[0].format == "dota"
        found = read_back(get_format("dota"), source)
        text = source.read("labelTxt/P0004__1__0___0.txt").decode()
    assert [i["key"] for i in found.items] == ["P0004__1__0___0.png", "P0004__1__0___1024"]
    assert [r["type"] for r in found.annotations] == ["box", "box", "box", "polygon"]
    assert json.loads(found.annotations[2]["attributes"]) == {"difficult": 1}
    given = [[float(v) for v in line.split()[:8]] for line in text.splitlines()]
    kept = [json.loads(r["extra"])["dota"]["corners"] for r in found.annotations[:3]]
    assert [*kept, found.annotations[3]["points"]] == given
    for row, flat in zip(found.annotations, given, strict=True):
        far = [min(math.dist(p, q) for q in corners(row)) for p in np.reshape(flat, (4, 2))]
        assert max(far) < 3.4


def test_corners_come_back_to_the_digit(samples):
    """Read and written, the lines of the sample are the same numbers."""
    with open_source(samples / "dota/mmrotate-toy") as source:
        found = read_back(get_format("dota"), source)
        text = source.read("labelTxt/P0004__1__0___0.txt").decode()
    made = example(())
    made.items = {"default": [{"key": "p.png", "width": 1024, "height": 1024}]}
    made.annotations = {"default": [
        {**{k: v for k, v in r.items() if k not in ("subset", "key")}, "item": "p.png"}
        for r in found.annotations
    ]}  # fmt: skip
    files = written(get_format("dota"), made, media=False)
    back = files["labelTxt/p.txt"].decode().splitlines()
    assert [line.split() for line in back] == [
        [c.removesuffix(".0") for c in line.split()] for line in text.splitlines()
    ]


def test_a_box_that_was_changed_is_not_written_as_it_was():
    """The kept corners count only while they are the box's."""
    found = read("0 0 10 0 10 5 0 5 cat 0\n")
    row = {**found.annotations[0], "item": "a.jpg", "x": 3.0}
    made = example(())
    made.items = {"default": [{"key": "a.jpg", "width": 64, "height": 48}]}
    made.annotations = {"default": [{k: v for k, v in row.items() if k not in ("key", "subset")}]}
    files = written(get_format("dota"), made, media=False)
    assert files["labelTxt/a.txt"] == b"3 0 13 0 13 5 3 5 cat 0\n"


@pytest.mark.parametrize("turn", [0, 17, 90, -45, 179])
@pytest.mark.parametrize("backwards", [False, True])
def test_rounded_rectangles_are_rectangles(turn, backwards):
    """A turned rectangle, rounded to whole pixels, either way round, is a rotated box."""
    square = geometry.box_corners([[100, 100, 60, 25]], [turn])[0]
    given = np.round(square[::-1] if backwards else square)
    found = _rectangle(given.ravel().tolist())
    assert found is not None
    box, degrees, _ = found
    seen = geometry.box_corners([box], [degrees])[0]
    far = [min(math.dist(p, q) for q in seen) for p in square]
    assert max(far) < 1.5


def test_headers_difficulty_and_spaces():
    """Headers are kept; a class may have a space; difficulty may be missing; CRLF, UTF-16."""
    text = (
        "imagesource:GoogleEarth\r\ngsd:0.146\r\n0 0 10 0 10 5 0 5 big  dog 2\r\n"
        "0 0 10 0 10 5 0 5 ship\r\n"
    )
    for data in (text.encode("utf-8-sig"), text.encode("utf-16")):
        found = read(data, "train/labelTxt-v1.5/a.b.txt")
        assert [(i["subset"], i["key"]) for i in found.items] == [("train", "a.b")]
        meta = {"dota": {"imagesource": "GoogleEarth", "gsd": "0.146"}}
        assert json.loads(found.items[0]["meta"]) == meta
        assert [r["label"] for r in found.annotations] == ["big  dog", "ship"]
        assert json.loads(found.annotations[0]["attributes"]) == {"difficult": 2}
        assert "attributes" not in found.annotations[1]
        assert found.ledger.groups() == []


def test_subsets_below_the_label_folder():
    """labelTxt/train/a.txt and images/train/a.jpg: train, a.jpg."""
    row = b"0 0 10 0 10 5 0 5 cat 0\n"
    image = written(get_format("dota"), example(("box",)))["train/images/plain.jpg"]
    found = read_back(get_format("dota"), open_source({
        "labelTxt/train/a.txt": row, "images/train/a.jpg": image, "images/train/b.jpg": image,
    }))  # fmt: skip
    assert [(i["subset"], i["key"]) for i in found.items] == [
        ("train", "a.jpg"),
        ("train", "b.jpg"),
    ]


def test_a_subset_without_a_usual_name_is_noted():
    """A single subset that no folder tells is a folder, and the ledger says so."""
    made = example(("box",))
    made.items = {"holdout": made.items["train"]}
    made.annotations = {"holdout": made.annotations["train"]}
    sink, ledger = MemorySink(), Ledger()
    get_format("dota").write(made, sink, {}, ledger, Progress())
    assert ledger.groups() == [("note", "subset is a folder only", 1)]
    found = read_back(get_format("dota"), open_source(sink.files))
    assert {i.get("subset") for i in found.items} == {None}


def test_folders_of_any_name_are_subsets():
    """Two folders with labelTxt stay two, whatever they are called."""
    row = b"0 0 10 0 10 5 0 5 cat 0\n"
    files = {"one/labelTxt/a.txt": row, "two/labelTxt/a.txt": row}
    found = read_back(get_format("dota"), open_source(files))
    assert [(i["subset"], i["key"]) for i in found.items] == [("one", "a"), ("two", "a")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0 10 0 10 5 0 5", "line is too short"),
        ("0 0 10 0 10 5 0 x cat 0", "box without numbers"),
        ("0 0 10 0 10 5 0 nan cat 0", "box without numbers"),
        ("cat", "line is too short"),
    ],
)
def test_one_bad_line_is_rejected(line, reason):
    """A bad line is named, and the next one is read."""
    found = read(f"{line}\n0 0 10 0 10 5 0 5 dog 0\n")
    assert [r["label"] for r in found.annotations] == ["dog"]
    said = found.ledger.lines("rejected", reason)[0]
    assert (said["file"], said["where"]) == ("labelTxt/a.txt", "line 1")


def test_outside_and_no_area():
    """A box beyond the image, and one of no area, are kept and said."""
    image = written(get_format("dota"), example(("box",)))["train/images/plain.jpg"]
    text = "0 0 100 0 100 5 0 5 dog 0\n3 3 3 3 3 3 3 3 dog 0\n"
    found = read(text, more={"images/a.jpg": image})
    assert len(found.annotations) == 2
    assert {g[1] for g in found.ledger.groups()} == {
        "box reaches outside the image", "box has no area",
    }  # fmt: skip


def test_other_polygons_become_the_smallest_rectangle():
    """A hexagon is written as the rectangle around it, and the ledger says so."""
    made = example(())
    made.items = {"default": [{"key": "a.jpg", "width": 64, "height": 48}]}
    points = [10.0, 0.0, 20.0, 0.0, 25.0, 5.0, 20.0, 10.0, 10.0, 10.0, 5.0, 5.0]
    row = {"item": "a.jpg", "type": "polygon", "label": "cat", "points": points,
           "x": 5.0, "y": 0.0, "w": 20.0, "h": 10.0}  # fmt: skip
    made.annotations = {"default": [row]}
    sink, ledger = MemorySink(), Ledger()
    get_format("dota").write(made, sink, {}, ledger, Progress())
    assert ledger.groups() == [("warning", "polygon written as rotated box", 1)]
    flat = [float(v) for v in sink.files["labelTxt/a.txt"].split()[:8]]
    assert abs(geometry.ring_area(flat)) == pytest.approx(200)
    turned = geometry.box_corners([[30, 30, 50, 20]], [33])[0]
    assert abs(geometry.ring_area(_smallest(turned))) == pytest.approx(1000)


def test_not_dota():
    """YOLO's rows, text of ICDAR, prose: not DOTA; no text file at all: an error."""
    for text in ("0 0.5 0.5 0.1 0.1\n", "1,2,3,4,5,6,7,8,word\n", "hello there\n"):
        candidates = {c.format: c for c in detect(open_source({"labels/a.txt": text.encode()}))}
        assert candidates["dota"].confidence == 0
    with pytest.raises(FormatError, match="no text files"):
        read_back(get_format("dota"), open_source({"a.json": b"{}"}))
