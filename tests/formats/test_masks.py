"""Segmentation masks: pairs of images and masks, and what their pixels mean."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from nbannot import geometry
from nbannot.errors import BrokenFileError, OptionError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import Example, example, written
from nbannot.formats.mask_images import Runs
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

from .mask_files import PaintedCases, digest, lexed, lines, masks_of, picture, png, read, told

META = b'{"label_map": {"0": "sky", "1": "cat", "2": "dog"}, "background_label": "0"}'


class MasksCases(PaintedCases):
    """The list of classes is the container."""

    format_name = "masks"

    def container(self, files):
        """The list of classes."""
        return "dataset_meta.json"


class TestSemantic(MasksCases):
    """Palette PNG, one mask per class."""


class TestInstance(MasksCases):
    """A second mask that numbers the instances."""

    write_options = {"task": "instance"}
    merges = False

    @pytest.fixture
    def dataset(self):
        """Three masks of one class on one image, and one of another."""
        made = example(("mask",))
        rows = made.annotations["train"]
        for x in (30, 40):
            mask = np.zeros((48, 64), np.uint8)
            mask[10:20, x : x + 5] = 1
            box = {"x": float(x), "y": 10.0, "w": 5.0, "h": 10.0}
            rows.append({**rows[0], **box, "mask": geometry.mask_to_rle(mask)})
        rows[-1]["label"] = "größe ✓"
        return made


class TestIndex(MasksCases):
    """Grey PNG."""

    write_options = {"encoding": "index"}


class TestColor(MasksCases):
    """RGB PNG."""

    write_options = {"encoding": "color"}


# -- samples --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [
        "kaggle/datumaro-image_mask",
        "kaggle/datumaro-image_mask_with_labelmap",
        "segmentation_mask/datumaro-common_semantic_segmentation",
        "segmentation_mask/datumaro-common_semantic_segmentation/dataset",
        "segmentation_mask/datumaro-common_semantic_segmentation/non_standard_dataset",
        "segmentation_mask/darwin-instance_mask/to",
    ],
)
def test_samples_are_found(samples, case):
    """The samples are this format's before any other's."""
    with open_source(samples / case) as source:
        assert detect(source)[0].format == "masks"


@pytest.mark.parametrize("root", ["dataset", "non_standard_dataset"])
def test_common_semantic_segmentation(samples, expected, root):
    """The masks are those that Datumaro reads; where it finds no image, we do (gt_, image_)."""
    case = "datumaro-common_semantic_segmentation"
    found = read("masks", samples / "segmentation_mask" / case / root)
    name = f"{case}__{root}.common_semantic_segmentation.json"
    truth = told(expected / "segmentation_mask" / name)
    truth = {(s, i.replace("gt_", "image_")): rows for (s, i), rows in truth.items()}
    assert masks_of(found) == truth
    assert lines(found, "reason") == []
    assert all("media" in item for item in found.items)


def test_two_datasets_below_one_root(samples):
    """Each has classes of its own, and keys that carry its folder."""
    found = read("masks", samples / "segmentation_mask/datumaro-common_semantic_segmentation")
    assert lines(found, "reason") == []
    assert {item["key"].split("/")[0] for item in found.items} == {
        "dataset", "non_standard_dataset",
    }  # fmt: skip
    assert [row["label"] for row in found.annotations].count("SignSymbol") == 1


def test_classes_of_each_split():
    """Roboflow lists the classes in each split, beside images and masks."""
    text = "Pixel Value, Class\n0, background\n{}, cat\n"
    files = {}
    for split, index in (("train", 1), ("valid", 2)):
        files[f"{split}/_classes.csv"] = text.format(index).encode()
        files[f"{split}/a_jpg.rf.0a.jpg"] = picture(2, 1, "JPEG")
        files[f"{split}/a_jpg.rf.0a_mask.png"] = png([[0, index]])
    with open_source(files) as source:
        assert detect(source)[0].format == "masks"
    found = read("masks", files)
    assert [(r["subset"], r["key"], r["label"]) for r in found.annotations] == [
        ("train", "a_jpg.rf.0a.jpg", "cat"), ("valid", "a_jpg.rf.0a.jpg", "cat"),
    ]  # fmt: skip
    assert lines(found, "reason") == []


def test_kaggle_with_labelmap(samples):
    """The pixels of the 16-bit masks, read off by hand: 1 is cat, 2 is dog."""
    found = read("masks", samples / "kaggle/datumaro-image_mask_with_labelmap")
    assert lexed(found) == [
        ("cat", [[1, 0, 0, 0, 1]]), ("dog", [[0, 1, 0, 1, 0]]), ("cat", [[0, 0, 0, 0, 1]]),
        ("dog", [[0, 0, 1, 0, 0]]), ("cat", [[0, 1, 0, 0, 0]]), ("dog", [[1, 0, 0, 0, 0]]),
    ]  # fmt: skip
    assert (found.labels["cat"].color, found.labels["cat"].source_id) == ("#ff0000", "1")
    assert lines(found, "reason") == []


def test_kaggle_without_names(samples):
    """Without a list of classes, an index is its name."""
    found = read("masks", samples / "kaggle/datumaro-image_mask")
    assert lexed(found) == [("class_1", [[1, 1, 0, 0, 1]]), ("class_1", [[0, 0, 1, 0, 1]])]


def test_darwin_instances(samples):
    """a_00000, a_00001, a_00002 are three instances of one image; areas counted by numpy."""
    folder = samples / "segmentation_mask/darwin-instance_mask/to"
    found = read("masks", folder)
    areas = [
        int((np.asarray(Image.open(path)) > 0).sum()) for path in sorted(folder.rglob("*.png"))
    ]
    assert [digest(row)[0] for row in found.annotations] == areas
    assert [item["key"] for item in found.items] == ["000000021295"]


def test_a_sample_without_masks(samples):
    """Darwin's list of classes alone is no dataset of masks."""
    with open_source(samples / "segmentation_mask/darwin-semantic_mask") as source:
        assert next(c for c in detect(source) if c.format == "masks").confidence == 0


# -- pairs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "mask", "item"),
    [
        ("images/a.jpg", "masks/a.png", (None, "a.jpg")),
        ("train/images/x/a.jpg", "train/masks/x/a.png", ("train", "x/a.jpg")),
        ("images/val/a.jpg", "annotations/val/a.png", ("val", "a.jpg")),
        ("images/a.jpg", "labels/a_P.png", (None, "a.jpg")),
        ("train/a.jpg", "train/a_mask.png", ("train", "a.jpg")),
        ("train/a.jpg", "train_masks/a_mask.gif", ("train", "a.jpg")),
        ("set/img/a.jpg", "set/masks_machine/a.png", (None, "a.jpg")),
        ("images/größe ✓.jpg", "masks/größe ✓.png", (None, "größe ✓.jpg")),
    ],
)
def test_layouts(image, mask, item):
    """The places where masks lie in datasets of others."""
    files = {image: picture(2, 1), mask: png([[0, 1]])}
    with open_source(files) as source:
        assert detect(source)[0].format == "masks"
    found = read("masks", files)
    assert [(i.get("subset"), i["key"], i.get("media")) for i in found.items] == [(*item, image)]
    assert lexed(found) == [("class_1", [[0, 1]])]
    assert lines(found, "reason") == []


def test_a_mask_without_image_and_an_image_without_mask():
    """Both are items; the first is a warning."""
    found = read("masks", {"images/a.png": picture(2, 1), "masks/b.png": png([[0, 1]])})
    assert [i["key"] for i in found.items] == ["a.png", "b.png"]
    assert lines(found, "outcome", "reason", "item") == [("warning", "image file missing", "b.png")]


# -- what pixels mean -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labelmap.txt", b"# label:color:parts:actions\nsky:0,0,0::\ncat:1,2,3::\ndog:4,5,6::\n"),
        ("label_colors.txt", b"0 0 0 sky\r\n1 2 3 cat\r\n4 5 6 dog\r\n"),
        ("label_colors.txt", b"\xef\xbb\xbf0\t0\t0\tsky\n1\t2\t3\tcat\n4\t5\t6\tdog"),
        ("label_colors.txt", "0 0 0 sky\n1 2 3 cat\n4 5 6 dog".encode("utf-16")),
        ("class_dict.csv", b"name,r,g,b\nsky,0,0,0\ncat,1,2,3\ndog,4,5,6\n"),
        ("class_mapping.csv", b"class_name,class_color\nsky,0 0 0\ncat,1 2 3\ndog,4 5 6\n"),
        ("obj_class_to_machine_color.json", b'{"cat": [1, 2, 3], "dog": [4, 5, 6]}'),
        ("dataset_meta.json", META[:-1] + b', "segmentation_colors": [[0, 0, 0], [1, 2, 3], '
         b"[4, 5, 6]]}"),
    ],
)  # fmt: skip
def test_colours_are_looked_up(name, text):
    """Whatever file lists them, colours and indices mean the same classes."""
    mask = png([[(0, 0, 0), (1, 2, 3), (4, 5, 6)]])
    found = read("masks", {name: text, "images/a.png": picture(3, 1), "masks/a.png": mask})
    assert lexed(found) == [("cat", [[0, 1, 0]]), ("dog", [[0, 0, 1]])]
    found = read("masks", {name: text, "masks/a.png": png([[0, 1, 2]])})
    assert lexed(found) == [("cat", [[0, 1, 0]]), ("dog", [[0, 0, 1]])]


@pytest.mark.parametrize(
    "colors",
    [
        "[[0, 0, 0], [1, 2, 3], [4, 5, 6]]",  # as many as classes: one after the other
        "[[0, 0, 0], null, [1, 2, 3], null, [4, 5, 6]]",  # that of class 4 is the fifth
    ],
)
def test_colours_of_indices_with_gaps(colors):
    """A colour's place is the index of its class, or its rank among them."""
    meta = (
        f'{{"label_map": {{"0": "sky", "2": "cat", "4": "dog"}}, "segmentation_colors": {colors}}}'
    )
    mask = png([[(0, 0, 0), (1, 2, 3), (4, 5, 6)]])
    found = read("masks", {"dataset_meta.json": meta.encode(), "masks/a.png": mask})
    assert lexed(found) == [("cat", [[0, 1, 0]]), ("dog", [[0, 0, 1]])]


def test_colours_are_written_by_index():
    """Datumaro looks for the colour of class 90 at place 90, in each subset's own file."""
    files = written(get_format("masks"), example(("mask",)))
    meta = json.loads(files["dataset_meta.json"])
    colors = [meta["segmentation_colors"][int(index)] for index in meta["label_map"]]
    assert len({tuple(color) for color in colors}) == len(meta["label_map"])
    assert json.loads(files["train/dataset_meta.json"]) == meta


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("codes.txt", b"Void\ncat\nbig dog"),
        ("_classes.csv", b"Pixel Value, Class\n0, background\n1, cat\n2, big dog\n"),
    ],
)
def test_names_only(name, text):
    """A list of names: the line, or the pixel value, is the index."""
    found = read("masks", {name: text, "masks/a.png": png([[0, 1, 2]])})
    assert [row["label"] for row in found.annotations] == ["cat", "big dog"]


def test_a_palette_counts_only_where_its_colours_are_the_classes():
    """Indices are read as such; a palette that an optimiser reordered is followed."""
    table = b"0 0 0 sky\n1 2 3 cat\n4 5 6 dog"
    reordered = png([[0, 1, 2]], palette=[(4, 5, 6), (0, 0, 0), (1, 2, 3)])
    found = read("masks", {"label_colors.txt": table, "masks/a.png": reordered})
    assert lexed(found) == [("cat", [[0, 0, 1]]), ("dog", [[1, 0, 0]])]
    foreign = png([[0, 1, 2]], palette=[(7, 7, 7), (8, 8, 8), (9, 9, 9)])
    found = read("masks", {"label_colors.txt": table, "masks/a.png": foreign})
    assert lexed(found) == [("cat", [[0, 1, 0]]), ("dog", [[0, 0, 1]])]


def test_two_bits_of_grey():
    """Pillow spreads the greys of a 2-bit PNG; indices they stay."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data)
        )  # fmt: skip

    header = struct.pack(">IIBBBBB", 4, 1, 2, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    data += chunk(b"IDAT", zlib.compress(b"\x00\x1b")) + chunk(b"IEND", b"")  # 0 1 2 3
    found = read("masks", {"masks/a.png": data})
    assert [row["label"] for row in found.annotations] == ["class_1", "class_2", "class_3"]


def test_a_value_that_no_class_has():
    """It is kept, under a name made up, with a warning."""
    found = read("masks", {"dataset_meta.json": META, "masks/a.png": png([[0, 1, 7]])})
    assert lexed(found) == [("cat", [[0, 1, 0]]), ("class_7", [[0, 0, 1]])]
    assert lines(found, "outcome", "reason", "file", "record", "item") == [
        ("warning", "a value that no class has", "masks/a.png", "index 7", "a.png")
    ]
    colours = png([[(0, 0, 0), (1, 2, 9)]])
    found = read("masks", {"label_colors.txt": b"0 0 0 sky\n1 2 3 cat", "masks/a.png": colours})
    assert lexed(found) == [("#010209", [[0, 1]])]
    assert lines(found, "reason", "record") == [("a value that no class has", "colour #010209")]


def test_binary_and_ignored():
    """255 is the one class where there is nothing else, and ignored beside classes."""
    found = read("masks", {"masks/a.png": png([[0, 255]])})
    assert lexed(found) == [("class_1", [[0, 1]])]
    found = read("masks", {"dataset_meta.json": META, "masks/a.png": png([[1, 255]])})
    assert lexed(found) == [("cat", [[1, 0]])]
    assert ("note", "pixels to be ignored", 1) in found.ledger.groups()
    found = read("masks", {"masks/a.png": png([[True, False]], dtype=bool)})
    assert lexed(found) == [("class_1", [[1, 0]])]


def test_options():
    """Names, background and the ignored index can be said."""
    files = {"masks/a.png": png([[0, 1, 3]])}
    found = read("masks", files, classes="cat, dog", background="none", ignore=3)
    assert lexed(found) == [("cat", [[1, 0, 0]]), ("dog", [[0, 1, 0]])]
    found = read("masks", files, classes="cat, dog", background="dog", ignore=None)
    assert [label for label, _ in lexed(found)] == ["cat", "class_3"]
    with pytest.raises(OptionError, match="bird"):
        read("masks", files, background="bird")


def test_another_size_is_resized_with_a_warning():
    """The nearest pixel counts."""
    files = {"images/a.png": picture(4, 2), "masks/a.png": png([[0, 1]])}
    found = read("masks", files)
    assert lexed(found) == [("class_1", [[0, 0, 1, 1], [0, 0, 1, 1]])]
    assert lines(found, "outcome", "reason", "record") == [
        ("warning", "mask and image differ in size", "item")
    ]


def test_a_mask_of_the_stored_pixels_is_turned():
    """An image that EXIF turns: a mask of its stored pixels turns with it."""
    out = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (3, 1)).save(out, "JPEG", exif=exif)
    found = read("masks", {"images/a.jpg": out.getvalue(), "masks/a.png": png([[0, 0, 1]])})
    assert lexed(found) == [("class_1", [[0], [0], [1]])]
    assert lines(found, "reason") == [("mask and image differ in size",)]


def test_jpeg_masks():
    """Grey ones are thresholded, coloured ones take the nearest class, others are rejected."""
    out = io.BytesIO()
    half = np.zeros((16, 16), np.uint8)
    half[:, 8:] = 250
    Image.fromarray(half).save(out, "JPEG")
    found = read("masks", {"images/a.jpg": picture(16, 16), "masks/a.jpg": out.getvalue()})
    assert [digest(row)[0] for row in found.annotations] == [128]
    assert lines(found, "outcome", "reason", "item") == [
        ("warning", "mask saved as JPEG", "a.jpg")
    ]  # fmt: skip
    out = io.BytesIO()
    colours = np.zeros((16, 16, 3), np.uint8)
    colours[:, 8:] = (250, 0, 0)
    Image.fromarray(colours).save(out, "JPEG")
    files = {"masks/a.jpg": out.getvalue()}
    found = read("masks", {**files, "label_colors.txt": b"0 0 0 sky\n250 0 0 cat\n0 0 250 dog"})
    assert [row["label"] for row in found.annotations] == ["cat"]
    found = read("masks", files)
    assert lines(found, "outcome", "reason", "file") == [
        ("rejected", "the mask can't be read", "masks/a.jpg")
    ]


# -- what is broken -------------------------------------------------------------------------


def test_a_broken_mask_stops_no_other():
    """A PNG cut in half is one rejected record; the others are read."""
    whole = png(np.arange(64 * 64).reshape(64, 64) % 3)
    files = {"masks/a.png": whole[: len(whole) // 2], "masks/b.png": whole, "masks/c.png": b""}
    found = read("masks", files)
    assert [row["key"] for row in found.annotations] == ["b.png", "b.png"]
    assert lines(found, "outcome", "reason", "file") == [
        ("rejected", "the mask can't be read", "masks/a.png"),
        ("rejected", "the mask can't be read", "masks/c.png"),
    ]


def test_a_picture_is_no_mask():
    """Thousands of colours are a picture."""
    shades = np.random.default_rng(1).integers(0, 255, (40, 40, 3))
    found = read("masks", {"masks/a.png": png(shades)})
    assert lines(found, "outcome", "reason") == [("rejected", "a picture, not a mask")]


def test_a_mask_that_claims_to_be_huge_is_not_decoded():
    """A header of 60,000 by 60,000 pixels is a rejected record."""
    data = bytearray(png([[1]]))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    found = read("masks", {"masks/a.png": bytes(data), "masks/b.png": png([[1]])})
    assert lines(found, "outcome", "file") == [("rejected", "masks/a.png")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dataset_meta.json", b'{"label_map": {'),
        ("label_colors.txt", b"0 0 0 sky\n999 2 3 cat"),
        ("labelmap.txt", b"sky:0,0,0::\ncat:red::"),
        ("class_dict.csv", b"a,b\n1,2"),
    ],
)
def test_a_broken_list_of_classes_is_named(name, text):
    """The file of classes is what can't be read in part."""
    with pytest.raises(BrokenFileError, match=name):
        read("masks", {name: text, "masks/a.png": png([[0, 1]])})


def test_not_this_format():
    """Images alone, and a single file, are no pairs."""
    for files in ({"a.png": picture(2, 2)}, {"images/a.png": picture(2, 2)}, {"a.txt": b"x"}):
        with open_source(files) as source:
            found = next(c for c in detect(source) if c.format == "masks")
        assert found.confidence == 0
        assert found.missing


# -- instances and size ---------------------------------------------------------------------


def test_instances_get_the_class_of_most_pixels():
    """A second mask numbers instances; pixels that have a class but no number stay."""
    files = {
        "dataset_meta.json": META,
        "masks/a.png": png([[1, 1, 1, 2, 2, 0, 2]]),
        "instance_masks/a.png": png([[1, 2, 2, 2, 0, 3, 0]], dtype=np.uint16),
    }
    found = read("masks", files)
    assert lexed(found) == [
        ("cat", [[1, 0, 0, 0, 0, 0, 0]]), ("cat", [[0, 1, 1, 1, 0, 0, 0]]),
        (None, [[0, 0, 0, 0, 0, 1, 0]]), ("dog", [[0, 0, 0, 0, 1, 0, 1]]),
    ]  # fmt: skip
    assert lines(found, "reason", "record") == [
        ("instance of several classes", "instance 2"), ("instance without class", "instance 3"),
    ]  # fmt: skip


def test_ten_thousand_instances():
    """Each instance's mask is its own pixels; the work grows with the pixels."""
    side = 300
    values = np.arange(side * side).reshape(side, side) // 9
    segments = list(Runs.of(values).segments({0}))
    assert len(segments) == 9_999
    for segment in (segments[0], segments[33], segments[-1]):
        wanted = values == segment.value
        assert segment.area == wanted.sum()
        assert segment.row["mask"] == geometry.mask_to_rle(wanted)
        ys, xs = np.nonzero(wanted)
        assert [segment.row[n] for n in "xywh"] == [
            xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1,
        ]  # fmt: skip


# -- writing --------------------------------------------------------------------------------


def _mask(values, label, **more):
    array = np.array(values)
    return {
        "item": "a.jpg", "type": "mask", "label": label, "mask": geometry.mask_to_rle(array),
        "mask_height": array.shape[0], "mask_width": array.shape[1], **more,
    }  # fmt: skip


def _write(rows, size=(4, 1), **options):
    item = {"key": "a.jpg", "width": size[0], "height": size[1]}
    made = Example({"train": [item]}, {"train": rows}, (Label("cat"), Label("dog")))
    ledger = Ledger()
    files: dict[str, bytes] = {}

    class Sink:
        saves_media = False

        def add_media(self, path, item):
            """Write no media."""

        def write(self, path, data):
            files[path] = data.encode() if isinstance(data, str) else data

    masks = get_format("masks")
    chosen = masks.check_options(options, writing=True)
    masks.write(made, Sink(), chosen, ledger, Progress())
    return files, ledger


def test_losses_are_told():
    """Covered, merged, empty, of another size, without a class: each is a line."""
    rows = [
        _mask([[1, 1, 0, 0]], "cat", z_order=2),
        _mask([[0, 1, 1, 0]], "dog", z_order=1),
        _mask([[0, 1, 0, 0]], "dog"),
        _mask([[0, 0, 0, 1]], "cat", attributes='{"a": 1}'),
        _mask([[0, 0, 0, 0]], "cat"),
        _mask([[1], [1]], "cat"),
        {**_mask([[1, 1, 1, 1]], "cat"), "label": None},
        {"item": "a.jpg", "type": "tag", "label": "cat"},
    ]
    files, ledger = _write(rows)
    values = np.asarray(Image.open(io.BytesIO(files["train/masks/a.png"])))
    assert values.tolist() == [[1, 1, 2, 1]]
    assert set(ledger.groups()) == {
        ("rejected", "a mask has another size than its image", 1),
        ("rejected", "annotation without a label", 1),
        ("rejected", "nothing to paint", 1),
        ("rejected", "tag can't be written", 1),
        ("rejected", "wholly covered", 1),
        ("warning", "attributes can't be written", 1),
        ("warning", "merged with others of its label", 2),
        ("warning", "partly covered", 1),
    }


def test_shapes_are_painted():
    """A box, an ellipse and a polygon become pixels, each with a warning."""
    rows = [
        {"item": "a.jpg", "type": "box", "label": "cat", "x": 0, "y": 0, "w": 2, "h": 2},
        {"item": "a.jpg", "type": "polygon", "label": "dog", "x": 4, "y": 0, "w": 4, "h": 4,
         "points": [4, 0, 8, 0, 8, 4, 4, 4, 5, 1, 7, 1, 7, 3, 5, 3], "rings": [4, -4]},
        {"item": "a.jpg", "type": "ellipse", "label": "cat", "x": -3, "y": 3, "w": 6, "h": 6},
    ]  # fmt: skip
    files, ledger = _write(rows, size=(8, 6))
    values = np.asarray(Image.open(io.BytesIO(files["train/masks/a.png"])))
    assert values[:2, :2].tolist() == [[1, 1], [1, 1]]
    assert values[:4, 4:].tolist() == [[2, 2, 2, 2], [2, 0, 0, 2], [2, 0, 0, 2], [2, 2, 2, 2]]
    assert values[5, 0] == 1
    assert ("warning", "box written as mask", 1) in ledger.groups()
    assert ("warning", "polygon written as mask", 1) in ledger.groups()
    assert ("warning", "ellipse written as mask", 1) in ledger.groups()


def test_encodings():
    """A palette has the labels' colours; indices are grey; colours are RGB."""
    rows = [_mask([[1, 0, 0, 0]], "cat")]
    for encoding, mode in (("palette", "P"), ("index", "L"), ("color", "RGB")):
        files, _ = _write(rows, encoding=encoding)
        assert Image.open(io.BytesIO(files["train/masks/a.png"])).mode == mode


def test_more_classes_than_a_byte_holds():
    """Three hundred classes are written as 16 bits, and come back."""
    labels = tuple(Label(f"c{n}") for n in range(300))
    mask = _mask([[1, 0]], "c299")
    items = {"train": [{"key": "a.jpg", "width": 2, "height": 1}]}
    files = written(get_format("masks"), Example(items, {"train": [mask]}, labels))
    assert lexed(read("masks", files)) == [("c299", [[1, 0]])]


def test_noise_and_long_runs_are_encoded_alike():
    """Whether runs are few or very many, the RLE is pycocotools'."""
    rng = np.random.default_rng(5)
    for classes in (2, 3, 40):
        values = rng.integers(0, classes, (60, 70))
        for segment in Runs.of(values).segments():
            wanted = values == segment.value
            assert segment.row["mask"] == geometry.mask_to_rle(wanted)
            assert segment.area == wanted.sum()
    (one,) = Runs.of(np.ones((3, 4), np.uint8)).segments()
    assert (one.area, [one.row[n] for n in "xywh"]) == (12, [0, 0, 4, 3])


def test_sizes_that_are_too_large():
    """What an image or an item claims is not allocated."""
    claims = bytearray(picture(2, 1))
    claims[16:24] = (40_000).to_bytes(4, "big") * 2
    found = read("masks", {"images/a.png": bytes(claims), "masks/a.png": png([[0, 1]])})
    assert lexed(found) == [("class_1", [[0, 1]])]
    assert lines(found, "reason") == [("mask and image differ in size",)]
    _, ledger = _write([_mask([[1, 1]], "cat")], size=(100_000, 100_000))
    assert ledger.groups() == [("rejected", "image too large for a mask", 1)]


def test_a_mask_of_a_project_that_is_none():
    """Bytes that are no RLE are a rejected annotation."""
    broken = {**_mask([[1, 0, 0, 0]], "cat"), "mask": b"\x01\x02"}
    _, ledger = _write([broken])
    assert ledger.groups() == [("rejected", "mask can't be read", 1)]
