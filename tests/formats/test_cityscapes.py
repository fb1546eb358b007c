"""Cityscapes: polygons, instances and classes, official and of one's own."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, example, read_back, written
from nbannot.geometry import mask_to_rle
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

from .mask_files import PaintedCases, lexed, lines, masks_of, picture, png, read, told

PREFIX = "gtFine/train/aachen/aachen_000000_000019_gtFine_"
IMAGE = "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png"
KEY = "aachen/aachen_000000_000019.png"


class CityscapesCases(FormatCases):
    """Ids are in files called _gtFine_; no one of them is a container."""

    format_name = "cityscapes"

    def container(self, files):
        """None: see test_broken_files_stop_no_other."""

    def _is_mask(self, path):
        return "_gtFine_" in path


class TestPolygons(CityscapesCases):
    """Polygons of one ring are written as JSON."""

    generates = ("polygon",)

    @pytest.fixture
    def dataset(self):
        """The example's polygons of one ring."""
        made = example(("polygon",))
        made.annotations = {
            subset: [row for row in rows if "rings" not in row]
            for subset, rows in made.annotations.items()
        }
        return made


class TestMasks(PaintedCases, CityscapesCases):
    """Masks are written as instances."""

    generates = ("mask",)
    merges = False

    @pytest.fixture
    def dataset(self):
        """The example's masks."""
        return example(("mask",))


# -- samples --------------------------------------------------------------------------------


def test_sample(samples, expected):
    """The masks are those that Datumaro reads of the instance ids; names as officially spelt."""
    with open_source(samples / "cityscapes/datumaro-cityscapes/dataset") as source:
        assert detect(source)[0].format == "cityscapes"
    found = read("cityscapes", samples / "cityscapes/datumaro-cityscapes/dataset")
    truth = told(expected / "cityscapes/datumaro-cityscapes__dataset.cityscapes.json")
    got = {
        place: sorted((label.replace(" ", ""), area, sha) for label, area, sha in rows)
        for place, rows in masks_of(found).items()
    }
    assert got == {  # the reference names all of ids 1 to 6; unlabeled is nothing in both
        place: sorted(rows) for place, rows in truth.items()
    }
    assert lines(found, "reason") == []
    assert all("media" in item for item in found.items)


def test_sample_with_train_ids(samples):
    """Both files of a frame say the same: the instances are read, by hand from the PNG."""
    found = read("cityscapes", samples / "cityscapes/datumaro-cityscapes/train_dataset")
    assert [(row["label"], row.get("source_id")) for row in found.annotations] == [
        ("out of roi", None), ("truck", "27001"), ("truck", "27002"), ("out of roi", None),
        ("wall", None), ("train", "31001"), ("out of roi", None), ("person", "24001"),
        ("out of roi", None), ("ego vehicle", "1024"),
    ]  # fmt: skip


def test_two_datasets_below_one_root(samples):
    """Keys carry the dataset's folder, so that nothing is mixed up."""
    found = read("cityscapes", samples / "cityscapes/datumaro-cityscapes")
    assert len(found.items) == 8
    assert {item["key"].split("/")[0] for item in found.items} == {"dataset", "train_dataset"}


# -- reading --------------------------------------------------------------------------------


def _polygons(*objects, **more):
    value = {"imgHeight": 10, "imgWidth": 20, "objects": list(objects), **more}
    return json.dumps(value).encode()


def test_polygons():
    """Order is depth, group is a crowd, the image's size is declared, other keys are kept."""
    square = [[1, 1], [5, 1], [5, 5]]
    data = _polygons(
        {"label": "road", "polygon": [[0, 0], [20, 0], [20, 10.5]]},
        {"label": "persongroup", "polygon": square},
        {"label": "polegroup", "polygon": square, "id": 7},
    )
    found = read("cityscapes", {f"{PREFIX}polygons.json": data, IMAGE: picture(20, 10)})
    rows = [(r["label"], r["z_order"], r.get("extra")) for r in found.annotations]
    assert rows == [
        ("road", 0, None), ("person", 1, '{"iscrowd":1}'),
        ("polegroup", 2, '{"cityscapes":{"id":7}}'),
    ]  # fmt: skip
    assert found.annotations[0]["points"] == [0, 0, 20, 0, 20, 10.5]
    assert [(i["subset"], i["key"], i["width"]) for i in found.items] == [("train", KEY, 20)]
    assert lines(found, "outcome", "reason", "where") == [
        ("warning", "reaches outside the image", "objects[0]")
    ]


def test_malformed_polygons():
    """Each bad object is a line that names it; the good ones stay."""
    good = {"label": "car", "polygon": [[1, 1], [5, 1], [5, 5]]}
    data = _polygons(
        {"label": "car", "polygon": [[1, 1], [5, 1]]}, {"label": "car", "polygon": [[1, "x"]] * 3},
        {"polygon": good["polygon"]}, {**good, "deleted": 1}, 7, good,
    )  # fmt: skip
    found = read("cityscapes", {f"{PREFIX}polygons.json": b"\xef\xbb\xbf" + data})
    assert lines(found, "outcome", "reason", "record") == [
        ("rejected", "too few points", "object 1"),
        ("rejected", "coordinate is not a number", "object 2"),
        ("rejected", "object without label", "object 3"),
        ("rejected", "object is deleted", "object 4"),
        ("rejected", "object without label", "object 5"),
    ]
    assert [row["label"] for row in found.annotations] == ["car"]


def test_what_is_read_of_a_frame():
    """Polygons first, masks by option; instances before classes before colours."""
    files = {
        f"{PREFIX}polygons.json": _polygons({"label": "sky", "polygon": [[0, 0], [1, 0], [1, 1]]}),
        f"{PREFIX}instanceIds.png": png([[0, 7, 24, 26000, 26001]], dtype=np.uint16),
        f"{PREFIX}labelIds.png": png([[0, 7, 24, 26, 26]]),
    }
    assert [row["type"] for row in read("cityscapes", files).annotations] == ["polygon"]
    found = read("cityscapes", files, use="masks")
    assert [(r["label"], r.get("source_id"), r.get("extra")) for r in found.annotations] == [
        ("road", None, None), ("person", None, '{"iscrowd":1}'), ("car", "26000", None),
        ("car", "26001", None),
    ]  # fmt: skip
    del files[f"{PREFIX}polygons.json"], files[f"{PREFIX}instanceIds.png"]
    assert lexed(read("cityscapes", files))[2] == ("car", [[0, 0, 0, 1, 1]])


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("color", [[(0, 0, 0), (128, 64, 128), (0, 0, 142)]]),
        ("labelTrainIds", [[255, 0, 13]]),
        ("labelIds", [[255, 7, 26]]),
    ],
)
def test_other_masks(kind, values):
    """Colours and train ids mean the same classes."""
    found = read("cityscapes", {f"{PREFIX}{kind}.png": png(values)})
    assert lexed(found) == [("road", [[0, 1, 0]]), ("car", [[0, 0, 1]])]


def test_fine_before_coarse():
    """A frame annotated both ways is read once."""
    coarse = PREFIX.replace("gtFine", "gtCoarse")
    files = {f"{PREFIX}labelIds.png": png([[7, 8]]), f"{coarse}labelIds.png": png([[7, 7]])}
    assert [label for label, _ in lexed(read("cityscapes", files))] == ["road", "sidewalk"]
    found = read("cityscapes", {f"{coarse}labelIds.png": png([[7, 7]])})
    assert [label for label, _ in lexed(found)] == ["road"]


def test_classes_of_ones_own():
    """label_colors.txt numbers the classes; CVAT keeps images in imgsFine."""
    files = {
        "label_colors.txt": b"0 0 0 background\n1 2 3 my cat\n",
        f"{PREFIX}instanceIds.png": png([[0, 1000, 1001, 9]], dtype=np.uint16),
        f"imgsFine/{IMAGE}": picture(4, 1),
    }
    found = read("cityscapes", files)
    assert [row["label"] for row in found.annotations] == ["class_9", "my cat", "my cat"]
    assert lines(found, "outcome", "reason", "record") == [
        ("warning", "a value that no class has", "value 9")
    ]
    assert found.labels["my cat"].color == "#010203"
    ids = b'[{"name": "void", "id": 0, "color": [0, 0, 0]}, {"name": "cat", "id": 4}]'
    files = {"class_to_id.json": ids, f"{PREFIX}labelIds.png": png([[0, 4]])}
    assert lexed(read("cityscapes", files)) == [("cat", [[0, 1]])]


def test_broken_files_stop_no_other():
    """A cut JSON and a cut PNG are rejected records; images without annotation are items."""
    whole = png(np.full((40, 40), 7))
    files = {
        f"{PREFIX}polygons.json": b'{"imgHeight": 10, "obj',
        "gtFine/val/x/a_gtFine_labelIds.png": whole[:50],
        "gtFine/val/x/b_gtFine_labelIds.png": whole,
        "leftImg8bit/val/x/c_leftImg8bit.jpg": picture(9, 9, "JPEG"),
    }
    found = read("cityscapes", files)
    assert [line for line in lines(found, "outcome", "file") if line[0] == "rejected"] == [
        ("rejected", f"{PREFIX}polygons.json"),
        ("rejected", "gtFine/val/x/a_gtFine_labelIds.png"),
    ]
    assert [row["key"] for row in found.annotations] == ["x/b.png"]
    assert [item["key"] for item in found.items if "media" in item] == ["x/c.jpg"]


def test_a_broken_list_of_classes_is_named():
    """The list of classes is needed by all."""
    files = {f"{PREFIX}labelIds.png": png([[1]]), "label_colors.txt": b"0 0 300 x"}
    with pytest.raises(BrokenFileError, match=r"label_colors\.txt"):
        read("cityscapes", files)


def test_not_this_format():
    """Images called leftImg8bit alone are no annotations."""
    with open_source({IMAGE: picture(2, 2)}) as source:
        found = next(c for c in detect(source) if c.format == "cityscapes")
    assert (found.confidence, bool(found.missing)) == (0, True)


# -- writing --------------------------------------------------------------------------------


def _write(rows, labels):
    items = {"train": [{"key": "aachen/a.png", "width": 6, "height": 4}]}
    made = Example(items, {"train": [{"item": "aachen/a.png", **r} for r in rows]}, labels)
    ledger = Ledger()
    files: dict[str, bytes] = {}

    class Sink:
        def add_media(self, path, item):
            """Write no media."""

        def write(self, path, data):
            files[path] = data.encode() if isinstance(data, str) else data

    city = get_format("cityscapes")
    city.write(made, Sink(), {}, ledger, Progress())
    return files, ledger


def _mask(label, *pixels, **more):
    values = np.zeros((4, 6), np.uint8)
    values[0, list(pixels)] = 1
    return {"type": "mask", "label": label, "mask": mask_to_rle(values), "mask_height": 4,
            "mask_width": 6, **more}  # fmt: skip


def test_official_classes_keep_their_ids():
    """Things are numbered, stuff is not, crowds have no number; no list of colours is written."""
    rows = [
        _mask("road", 0), _mask("road", 1), _mask("car", 2), _mask("car", 3),
        _mask("person", 4, extra='{"iscrowd": 1}'), _mask("license plate", 5),
    ]  # fmt: skip
    labels = tuple(Label(n) for n in ("road", "car", "person", "license plate"))
    files, ledger = _write(rows, labels)
    stem = "gtFine/train/aachen/a_gtFine_"
    assert sorted(files) == [f"{stem}{k}.png" for k in ("color", "instanceIds", "labelIds")]
    ids = np.asarray(Image.open(io.BytesIO(files[f"{stem}instanceIds.png"])))
    assert ids[0].tolist() == [7, 7, 26000, 26001, 24, 0]
    classes = np.asarray(Image.open(io.BytesIO(files[f"{stem}labelIds.png"])))
    assert classes[0].tolist() == [7, 7, 26, 26, 24, 0]
    assert Image.open(io.BytesIO(files[f"{stem}color.png"])).getpixel((0, 0)) == (128, 64, 128)
    assert set(ledger.groups()) == {
        ("rejected", "label has no index", 1),
        ("warning", "merged with others of its label", 2),
    }
    back = read_back(get_format("cityscapes"), open_source(files))
    assert [row["label"] for row in back.annotations] == ["road", "person", "car", "car"]


def test_boxes_and_rings():
    """A box becomes a polygon; a polygon with a hole, pixels."""
    box = {"type": "box", "label": "car", "x": 1.0, "y": 1.0, "w": 2.0, "h": 2.0}
    files, ledger = _write([box], (Label("car"),))
    objects = json.loads(files["gtFine/train/aachen/a_gtFine_polygons.json"])["objects"]
    assert objects == [{"label": "car", "polygon": [[1, 1], [3, 1], [3, 3], [1, 3]]}]
    assert ledger.groups() == [("warning", "box written as polygon", 1)]
    holed = {"type": "polygon", "label": "car", "rings": [4, -4], "x": 0, "y": 0, "w": 4, "h": 4,
             "points": [0, 0, 4, 0, 4, 4, 0, 4, 1, 1, 3, 1, 3, 3, 1, 3]}  # fmt: skip
    files, ledger = _write([holed], (Label("car"),))
    assert "gtFine/train/aachen/a_gtFine_polygons.json" not in files
    assert ledger.groups() == [("warning", "polygon written as mask", 1)]


def test_names_of_files():
    """Images of no city get one, and come back without it."""
    files = written(get_format("cityscapes"), example(("mask",)))
    assert "leftImg8bit/train/nocity/plain_leftImg8bit.jpg" in files
    assert "gtFine/train/a/1_gtFine_instanceIds.png" in files
    assert files["label_colors.txt"].decode().splitlines()[0] == "0 0 0 unlabeled"
