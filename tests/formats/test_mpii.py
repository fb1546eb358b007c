"""MPII: samples of Datumaro, people of several entries, what is malformed."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from nbannot.errors import BrokenFileError, FormatError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import MemorySink, example, read_back
from nbannot.formats.mpii import _EDGES, _JOINTS
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label, Skeleton
from nbannot.sources import open_source


class TestMpii(FormatCases):
    """People of 16 joints; images without people are found by their files."""

    format_name = "mpii"
    compared = ("type", "label", "points", "visibility")
    generates = ()

    @pytest.fixture
    def dataset(self):
        """The example, with people of MPII's joints."""
        made = example(())
        made.labels = tuple(
            Label(name, source_id=str(i), skeleton=Skeleton(_JOINTS, _EDGES))
            for i, name in enumerate(("human", "b", "c", "d"))
        )
        points = [float(v) / 2 + 1 for v in range(32)]
        person = {"type": "skeleton", "label": "human", "points": points, "source_id": "5",
                  "visibility": [2, 1] * 8}  # fmt: skip
        other = {**person, "points": [*points[:30], 0.0, 0.0], "visibility": [2] * 15 + [0]}
        made.annotations = {
            "train": [{"item": "a/1.jpg", **person}, {"item": "a/1.jpg", **other},
                      {"item": "b/1.jpg", **person}],
            "val": [{"item": "a/1.jpg", **other}],
        }  # fmt: skip
        return made


@pytest.mark.parametrize("case", ["dataset_wo_numpy_files", "dataset_with_numpy_files"])
def test_samples(samples, expected, case):
    """Datumaro's samples: joints, visibility, and boxes of heads as Datumaro reads them."""
    with open_source(samples / "mpii/datumaro-mpii_json" / case) as source:
        assert detect(source)[0].format == "mpii"
        found = read_back(get_format("mpii"), source)
    name = f"mpii/datumaro-mpii_json__{case}.mpii_json.cvatfork.json"
    reference = json.loads((expected / name).read_text())
    for item in reference["items"]:
        rows = [r for r in found.annotations if r["key"] == item["file"]]
        people = sorted(
            ([round(v, 2) for v in r["points"]], [int(v == 2) for v in r["visibility"]])
            for r in rows if r["type"] == "skeleton"
        )  # fmt: skip
        heads = sorted([round(r[n], 2) for n in "xywh"] for r in rows if r["type"] == "box")
        given = [a for a in item["annotations"] if a["type"] == "points"]
        assert people == sorted((a["points"], a["visibility"]) for a in given)
        boxes = [a["bbox_xywh"] for a in item["annotations"] if a["type"] == "bbox"]
        assert heads == sorted(boxes)
    assert len(found.items) == 3
    assert found.balance.rejected == 0
    assert found.labels["human"].skeleton.points == _JOINTS


def test_matlab_is_named(samples):
    """The .mat is MPII's, and reading it says what to do."""
    with open_source(samples / "mpii/datumaro-mpii") as source:
        assert detect(source)[0].format == "mpii"
        with pytest.raises(FormatError, match="MATLAB"):
            read_back(get_format("mpii"), source)


JOINTS = [[float(i + 1), float(i + 2), 1.0] for i in range(16)]
OTHER = [[float(i + 3), float(i + 4), 1.0] for i in range(15)] + [[0, 0, 0]]


def entry(joints=JOINTS, *others, name="a.jpg", **more):
    """Return an entry."""
    return {"img_paths": name, "img_width": 64.0, "img_height": 48.0, "objpos": [1, 2],
            "scale_provided": 2.5, "isValidation": 0.0, "dataset": "MPI", "joint_self": joints,
            "joint_others": list(others), **more}  # fmt: skip


def read(*entries, more=None):
    """Read made-up entries."""
    files = {"mpii.json": json.dumps(entries).encode("utf-8-sig"), **(more or {})}
    source = open_source(files)
    assert detect(source)[0].format == "mpii"
    return read_back(get_format("mpii"), source)


def test_a_person_of_two_entries_is_one():
    """Who is another in one entry and himself in the next is read once, and accounted for."""
    found = read(entry(JOINTS, OTHER, objpos_other=[[5, 6]], scale_provided_other=[1.5]),
                 entry(OTHER, JOINTS))  # fmt: skip
    assert len(found.items) == 1
    assert len(found.annotations) == 2
    assert found.balance.read == 5  # an image, and four times a person
    assert found.annotations[1]["visibility"] == [2] * 15 + [0]
    alone = read(entry(JOINTS, OTHER, objpos_other=[[5, 6]], scale_provided_other=[1.5]))
    about = [json.loads(r["attributes"]) for r in alone.annotations]
    assert about == [{"center": [1, 2], "scale": 2.5}, {"center": [5, 6], "scale": 1.5}]


def test_validation_is_a_subset():
    """Where some are marked isValidation, they are val and the others train."""
    found = read(entry(), entry(name="b.jpg", isValidation=1.0))
    assert [(i["subset"], i["key"]) for i in found.items] == [("train", "a.jpg"), ("val", "b.jpg")]
    assert [i.get("subset") for i in read(entry()).items] == [None]


@pytest.mark.parametrize(
    "joints", [None, [], JOINTS[:15], [*JOINTS[:15], [None, 1, 1]], [*JOINTS[:15], 5]]
)
def test_one_bad_person_is_rejected(joints):
    """Joints that are missing or no numbers: a line, and the next entry is read."""
    found = read(entry(joints), entry(name="b.jpg"))
    assert [r["key"] for r in found.annotations] == ["b.jpg"]
    line = found.ledger.lines("rejected", "skeleton without its joints")[0]
    assert line["where"] == "people[0].joint_self"


def test_bad_entries():
    """No object, no image."""
    found = read(entry(), 5, entry(name=None))
    assert [r["key"] for r in found.annotations] == ["a.jpg"]
    assert sorted(g[1] for g in found.ledger.groups()) == [
        "image was rejected", "image without a name", "record is not an object",
    ]  # fmt: skip


def test_arrays_that_do_not_fit():
    """Files of objects, or of another shape, are noted and not read."""
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], object), allow_pickle=True)
    shape = io.BytesIO()
    np.save(shape, np.ones((16, 7)))
    found = read(entry(), more={"mpii_headboxes.npy": out.getvalue(),
                                "jnt_visible.npy": shape.getvalue()})  # fmt: skip
    assert len(found.annotations) == 1
    assert found.ledger.groups() == [("note", "file was not read", 2)]


def test_what_has_no_place():
    """Other skeletons are rejected; labels, boxes of people are named."""
    made = example(("skeleton", "box"))
    made.annotations["val"] = [{
        "item": "a/1.jpg", "type": "skeleton", "label": "cat", "points": [1.0] * 32,
        "visibility": [2] * 16, "x": 1.0, "y": 1.0, "w": 2.0, "h": 2.0,
    }]  # fmt: skip
    sink, ledger = MemorySink(), Ledger()
    get_format("mpii").write(made, sink, {}, ledger, Progress())
    assert {g[1] for g in ledger.groups()} == {
        "skeleton is not that of MPII", "box can't be written", "label can't be written",
        "box of a skeleton can't be written", "image without people can't be written",
    }  # fmt: skip


def test_not_mpii():
    """COCO and nothing are not MPII's; a broken file is named."""
    for text in ('{"images": [], "annotations": []}', ""):
        candidates = {c.format: c for c in detect(open_source({"x.json": text.encode()}))}
        assert candidates["mpii"].confidence == 0
    with pytest.raises(BrokenFileError, match=r"x\.json"):
        read_back(get_format("mpii"), open_source({"x.json": b'[{"img_paths"'}))
