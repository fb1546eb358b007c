"""Pascal VOC: what is written, what other readers make of it, and what comes back."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nbannot import geometry
from nbannot.errors import OptionError, UnsafeSourceError
from nbannot.formats.cases import FormatCases, example
from nbannot.formats.voc import Voc
from nbannot.formats.writing import FolderSink, Sink
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Batch, Label
from nbannot.sources import open_source

from .voc_files import Read, memory

CAT, DOG = Label("cat", color="#112233"), Label("dog")


class Data:
    """What a writer gets: batches by subset, and labels."""

    name = "test"

    def __init__(self, subsets, labels=(CAT, DOG)):
        self._batches = subsets
        self.subsets = tuple(subsets)
        self.labels = tuple(labels)

    def batches(self, subset):
        """Yield the one batch of a subset."""
        yield self._batches[subset]


class Memory(Sink):
    """A sink into a dict."""

    def __init__(self, media=None):
        super().__init__(media)
        self.files = {}

    def write(self, path, data):
        """Keep a file."""
        self.files[path] = data.encode() if isinstance(data, str) else data

    def open(self, path):
        """Not needed here."""
        raise NotImplementedError


def batch(keys, rows=(), first=0, size=(20, 10), **columns):
    """Return a batch of images and annotation rows (dicts)."""
    names = sorted({name for row in rows for name in row})
    items = {
        "item": range(first, first + len(keys)),
        "key": keys,
        "kind": ["image"] * len(keys),
        "width": [size[0]] * len(keys),
        "height": [size[1]] * len(keys),
        **columns,
    }
    return Batch.of(items, {n: [r.get(n) for r in rows] for n in names} if rows else None)


def box(item, label, x, y, w, h, **more):
    """Return a row of a box."""
    return {"item": item, "type": "box", "label": label, "x": x, "y": y, "w": w, "h": h, **more}


def mask(item, label, pixels, **more):
    """Return a row of a mask."""
    height, width = np.shape(pixels)
    return {
        "item": item, "type": "mask", "label": label, "mask": geometry.mask_to_rle(pixels),
        "mask_height": height, "mask_width": width, **more,
    }  # fmt: skip


def polygon(item, label, points, **more):
    """Return a row of a polygon."""
    return {"item": item, "type": "polygon", "label": label, "points": points, **more}


def write(data, media=None, **options):
    """Return the files that are written, and the ledger."""
    sink, ledger = Memory(media), Ledger()
    Voc().write(data, sink, options, ledger, Progress())
    return sink.files, ledger


def there_and_back(data, **options):
    """Write `data` and read it again."""
    files, _ = write(data, **options)
    return Read(memory(files))


def square(left, top, right, bottom):
    """Return pixels of 10 x 20 with a rectangle set."""
    pixels = np.zeros((10, 20), int)
    pixels[top:bottom, left:right] = 1
    return pixels


# -- there and back -------------------------------------------------------------------


def test_layout_of_a_devkit():
    """Folders and lists are VOC2012's; images are written where media is wanted."""
    data = Data({"train": batch(["a.jpg", "s/b c.png"]), "val": batch(["d.jpg"], first=2)})
    files, ledger = write(data, media=lambda item: b"%d" % item)
    assert sorted(files) == [
        "Annotations/a.xml", "Annotations/d.xml", "Annotations/s/b c.xml",
        "ImageSets/Main/train.txt", "ImageSets/Main/val.txt",
        "JPEGImages/a.jpg", "JPEGImages/d.jpg", "JPEGImages/s/b c.png", "labelmap.txt",
    ]  # fmt: skip
    assert files["ImageSets/Main/train.txt"] == b'a\n"s/b c"\n'
    assert files["JPEGImages/d.jpg"] == b"2"
    assert not len(ledger)


def test_boxes_come_back():
    """Boxes with attributes, flags, score, rotation and track come back as they were."""
    attributes = {"color": "red", "n": 3, "rotation": "x", "list": [1, "\u00e9"], "difficult": True}
    rows = [
        box(0, "cat", 0.1, 0.2, 0.7, 0.3, attributes=json.dumps(attributes), occluded=True),
        box(0, "dog", 3.0, 1.0, 6.0, 4.0, rotation=30.0, score=0.25),
        box(0, None, 1.0, 1.0, 2.0, 2.0, track="7", keyframe=False, outside=True),
        box(1, " <&> ", 0.0, 0.0, 5.0, 5.0),
    ]
    read = there_and_back(Data({"train": batch(["a.jpg", "b.jpg"], rows)}))
    assert read.keys == {"train": ["a.jpg", "b.jpg"]}
    found = [{k: v for k, v in row.items() if v is not None} for row in read.rows]
    assert json.loads(found[0].pop("attributes")) == attributes
    del rows[0]["attributes"]
    assert found == [{k: v for k, v in row.items() if v is not None} for row in rows]


coordinate = st.floats(0, 4096, allow_nan=False).map(lambda v: round(v, 6))


@settings(max_examples=200, deadline=None)
@given(
    x=coordinate,
    y=coordinate,
    w=coordinate,
    h=coordinate,
    label=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1),
    key=st.from_regex(
        r"[a-z0-9][a-z0-9 .\u00e9\U0001f600-]{0,12}/?[a-z#\"]{1,5}\.(jpg|PNG)", fullmatch=True
    ),
)
def test_any_box_comes_back(x, y, w, h, label, key):
    """Any box, label and path are read as they were written, to within the last digit."""
    parts = key.split("/")
    if any(p in ("", ".", "..") for p in parts):
        return
    read = there_and_back(Data({"val": batch([key], [box(0, label, x, y, w, h)])}, [Label(label)]))
    row = read.rows[0]
    assert read.keys == {"val": [key]}
    assert row["label"] == label
    assert (row["x"], row["y"]) == (x, y)
    assert row["w"] == pytest.approx(w, rel=1e-12, abs=1e-11)
    assert row["h"] == pytest.approx(h, rel=1e-12, abs=1e-11)
    assert there_and_back(_again(read)).rows == read.rows


def _again(read):
    rows = [{k: v for k, v in row.items() if k != "extra"} for row in read.rows]
    return Data({"val": batch([i["key"] for i in read.items], rows)}, list(read.labels.values()))


def test_samples_come_back(samples):
    """What is read from real files is the same after it was written and read (D28)."""
    for case in ("voc/datumaro-voc_dataset1", "voc/datumaro-voc_dataset2", "roboflow/datumaro-voc"):
        first = Read(open_source(str(samples / case)))
        rows = [r for r in first.rows if r["type"] != "tag"]
        subsets = {}
        for subset in first.keys:
            items = [i for i in first.items if i["subset"] == subset]
            numbers = {i["item"] for i in items}
            subsets[subset] = Batch.of(
                {
                    n: [i.get(n) for i in items]
                    for n in ("item", "key", "kind", "width", "height", "meta")
                },
                {
                    n: [r.get(n) for r in rows if r["item"] in numbers]
                    for n in {k for r in rows for k in r}
                },
            )
        used = {r["label"] for r in rows} - set(first.labels)
        again = there_and_back(Data(subsets, [*first.labels.values(), *map(Label, sorted(used))]))
        assert again.keys == first.keys
        assert _by_key(again, again.rows) == _by_key(first, rows)


def _by_key(read, rows):
    keys = {i["item"]: i["key"] for i in read.items}
    return sorted(
        (keys[r["item"]], sorted((k, v) for k, v in r.items() if k != "item")) for r in rows
    )


def test_the_same_name_in_two_subsets():
    """train/1.png and val/1.png are two images, also when all share a folder (D2)."""
    data = Data({
        "train": batch(["1.png", "train/2.png"], [box(0, "cat", 1.0, 1.0, 2.0, 2.0)]),
        "val": batch(["1.png"], [box(2, "dog", 1.0, 1.0, 3.0, 3.0)], first=2),
    })  # fmt: skip
    files, _ = write(data, media=lambda item: b"%d" % item)
    read = Read(memory(files))
    assert read.keys == {"train": ["1.png", "train/2.png"], "val": ["1.png"]}
    media = {(i["subset"], i["key"]): files[i["media"]] for i in read.items}
    assert media == {
        ("train", "1.png"): b"0",
        ("train", "train/2.png"): b"1",
        ("val", "1.png"): b"2",
    }


def test_folders_called_like_their_subset_stay():
    """Keys that begin with their own subset's name keep it."""
    data = Data({"train": batch(["train/a.jpg"]), "val": batch(["val/b.jpg"], first=1)})
    assert there_and_back(data).keys == {"train": ["train/a.jpg"], "val": ["val/b.jpg"]}


def test_two_images_of_one_stem():
    """a.jpg and a.png get an annotation file each (D3, D5)."""
    rows = [box(0, "cat", 1.0, 1.0, 2.0, 2.0), box(1, "dog", 1.0, 1.0, 3.0, 3.0)]
    files, _ = write(Data({"train": batch(["a.jpg", "a.png"], rows)}), media=lambda item: b"")
    read = Read(memory(files))
    assert read.boxes("a.jpg") == [("cat", 1, 1, 2, 2)]
    assert read.boxes("a.png") == [("dog", 1, 1, 3, 3)]
    assert {i["media"] for i in read.items} == {"JPEGImages/a.jpg", "JPEGImages/a.png"}


def test_parts_and_actions_come_back():
    """Parts stay in their object, actions are actions, and the labels say so."""
    person = Label("person", extra={"parts": ["head"], "actions": ["run"]})
    rows = [
        box(0, "person", 0.0, 0.0, 9.0, 9.0, group=5, attributes='{"run": true, "hat": "red"}'),
        box(0, "head", 1.0, 1.0, 2.0, 2.0, group=5, extra='{"part": true}'),
    ]
    data = Data({"train": batch(["a.jpg"], rows)}, [person, Label("head", parent="person")])
    files, ledger = write(data)
    assert b"<actions>" in files["Annotations/a.xml"]
    assert not len(ledger)
    read = Read(memory(files))
    assert [(r["label"], r["group"]) for r in read.rows] == [("person", 1), ("head", 1)]
    assert json.loads(read.rows[0]["attributes"]) == {"run": True, "hat": "red"}
    assert read.labels["person"].extra == person.extra
    assert read.labels["head"].parent == "person"


def test_labels_keep_order_and_colour():
    """labelmap.txt has the labels in their order, each with its colour or a free one of VOC's."""
    labels = [Label("b", color="#800000"), Label("a"), Label("c", color="#000000"), Label("x:y")]
    read = there_and_back(Data({"train": batch(["a.jpg"])}, labels))
    assert list(read.labels) == ["b", "a", "c", "x:y"]
    assert read.labels["b"].color == "#800000"
    assert len({label.color for label in read.labels.values()} | {"#000000"}) == 5


# -- masks and polygons ---------------------------------------------------------------


def test_masks_come_back():
    """Masks that do not overlap come back bit for bit, on an image that is not square."""
    rows = [mask(0, "cat", square(3, 2, 9, 5)), mask(0, "dog", square(10, 5, 18, 8)),
            mask(0, None, square(0, 9, 1, 10))]  # fmt: skip
    files, ledger = write(Data({"train": batch(["a.jpg"], rows)}))
    assert not len(ledger)
    image = Image.open(io.BytesIO(files["SegmentationClass/a.png"]))
    assert image.mode == "P"
    assert np.unique(np.asarray(image)).tolist() == [0, 1, 2]
    assert image.getpalette()[3:6] == [0x11, 0x22, 0x33]
    assert files["ImageSets/Segmentation/train.txt"] == b"a\n"
    read = Read(memory(files))
    assert {(r.get("label"), r["mask"]) for r in read.rows} == {
        (r["label"], r["mask"]) for r in rows
    }
    assert b"<object>" not in files["Annotations/a.xml"]


def test_a_later_mask_lies_on_top():
    """Overlapping masks are painted by z_order, then in order; what is lost is said."""
    rows = [mask(0, "cat", square(0, 0, 4, 4), z_order=1), mask(0, "dog", square(2, 0, 8, 4)),
            mask(0, "dog", square(0, 1, 1, 2))]  # fmt: skip
    files, ledger = write(Data({"train": batch(["a.jpg"], rows)}))
    read = Read(memory(files))
    areas = {r["label"]: int(geometry.rle_to_mask(r["mask"], 10, 20).sum()) for r in read.rows}
    assert areas == {"cat": 16, "dog": 16}
    assert ledger.lines("warning", "partly covered")[0]["record"] == "annotation 2 (mask)"
    assert ledger.lines("rejected", "wholly covered")[0]["record"] == "annotation 3 (mask)"


def test_polygons_become_masks_with_a_line_each():
    """A polygon is a box and the pixels that it covers, and the ledger says so."""
    points = [1.0, 1.0, 9.0, 1.0, 9.0, 8.0, 1.0, 8.0]
    files, ledger = write(Data({"train": batch(["a.jpg"], [polygon(0, "cat", points)])}))
    assert ledger.groups() == [("warning", "polygon became a mask", 1)]
    read = Read(memory(files))
    assert [(r["type"], r["label"], r["group"]) for r in read.rows] == [
        ("box", "cat", 1), ("mask", "cat", 1)
    ]  # fmt: skip
    assert read.boxes("a.jpg") == [("cat", 1, 1, 8, 7)]
    assert int(geometry.rle_to_mask(read.rows[1]["mask"], 10, 20).sum()) == 56


def test_polygons_as_roboflow_writes_them():
    """polygons="xml" keeps the points; one with a hole is a mask all the same."""
    points = [1.5, 1.0, 9.0, 1.0, 9.0, 8.25]
    hole = [0.0, 0.0, 9.0, 0.0, 9.0, 9.0, 0.0, 9.0, 2.0, 2.0, 4.0, 2.0, 4.0, 4.0]
    rows = [polygon(0, "cat", points), polygon(1, "dog", hole, rings=[4, -3])]
    data = Data({"train": batch(["a.jpg", "b.jpg"], rows)})
    files, ledger = write(data, polygons="xml")
    assert [line["item"] for line in ledger.lines("warning", "polygon became a mask")] == ["b.jpg"]
    read = Read(memory(files))
    assert next(r["points"] for r in read.rows if r["type"] == "polygon") == points
    with pytest.raises(OptionError, match="polygons"):
        write(data, polygons="other")


def test_masks_that_can_not_be_painted_are_named():
    """Empty masks, masks of another size and too many instances are rejected by line."""
    rows = [mask(0, "cat", square(0, 0, 0, 0)), mask(0, "cat", np.ones((3, 3))),
            *(mask(1, "dog", square(n % 20, n // 20 % 10, n % 20 + 1, n // 20 % 10 + 1))
              for n in range(200))]  # fmt: skip
    files, ledger = write(Data({"train": batch(["a.jpg", "b.jpg"], rows)}))
    reasons = {reason for _, reason, _ in ledger.groups()}
    assert reasons == {"nothing to paint", "a mask has another size than its image"}
    assert "SegmentationObject/a.png" not in files
    assert len(Read(memory(files)).rows) == 200
    many = [mask(0, "dog", np.ones((20, 20))) for _ in range(255)]
    _, ledger = write(Data({"train": batch(["a.jpg"], many, size=(20, 20))}))
    assert len(ledger.lines("rejected", "too many instances")) == 1


def test_polygon_without_a_size_is_a_box():
    """Where the image's size is not known, a polygon is a box, and said to be."""
    rows = [polygon(0, "cat", [1.0, 1.0, 5.0, 1.0, 5.0, 6.0])]
    items = batch(["a.jpg"], rows, width=[None], height=[None])
    files, ledger = write(Data({"train": items}))
    assert ledger.groups() == [("warning", "image size unknown", 1)]
    assert b"<size>" not in files["Annotations/a.xml"]
    assert Read(memory(files)).boxes("a.jpg") == [("cat", 1, 1, 4, 5)]


# -- what the format can't hold -------------------------------------------------------


def test_each_record_that_is_dropped_is_a_line():
    """Types without a place are rejected one by one; what is lost of others is said."""
    rows = [
        {"item": 0, "type": "tag", "label": "cat"},
        {"item": 0, "type": "ellipse", "label": "cat", "x": 1.0, "y": 1.0, "w": 2.0, "h": 2.0},
        box(0, "cat", 1.0, 1.0, 2.0, 2.0, layer="yolo11n"),
        box(0, "cat", 1.0, 1.0, 2.0, 2.0, group=1, source_id="x"),
        box(0, "dog", 1.0, 1.0, 2.0, 2.0, group=1),
        box(0, "bad\x01", 1.0, 1.0, 2.0, 2.0),
        box(0, "cat", 1.0, float("nan"), 2.0, 2.0),
    ]
    files, ledger = write(Data({"train": batch(["a.jpg"], rows)}))
    lines = ledger.to_pandas()
    by_outcome = lines.groupby("outcome")["record"].apply(list).to_dict()
    assert by_outcome["rejected"] == [
        "annotation 1 (tag)", "annotation 2 (ellipse)", "annotation 6 (box)", "annotation 7 (box)"
    ]  # fmt: skip
    assert sorted(by_outcome["warning"]) == [f"annotation {n} (box)" for n in (3, 4, 5)]
    assert "source_id of 1 records" in set(lines["message"])
    assert len(Read(memory(files)).rows) == 3


def test_items_that_are_no_images_are_rejected_with_their_annotations():
    """A video and each annotation on it is a line; the images are written."""
    items = batch(["a.mp4", "b.jpg"], [box(0, "cat", 1.0, 1.0, 2.0, 2.0)], kind=["video", "image"])
    files, ledger = write(Data({"train": items}))
    assert [line["record"] for line in ledger.lines("rejected", "not an image")] == [
        "image", "annotation 1"
    ]  # fmt: skip
    assert files["ImageSets/Main/train.txt"] == b"b\n"


@pytest.mark.parametrize(
    "key", ["../../evil.jpg", "/etc/evil.jpg", "C:\\evil.jpg", "a/../../b.jpg"]
)
def test_a_key_that_leaves_the_folder_is_refused(key, tmp_path):
    """Nothing is written outside the target, whatever an item is called (S14)."""
    target = tmp_path / "deep" / "out"
    with pytest.raises(UnsafeSourceError, match="outside"):
        Voc().write(Data({"train": batch([key])}), FolderSink(target), {}, Ledger(), Progress())
    assert not list(tmp_path.rglob("*evil*"))


def test_the_challenges_own_files_are_not_shifted_twice():
    """What was read 1-based and is written 0-based is not taken for 1-based again."""
    head = "<source><database>The VOC2007 Database</database></source>"
    text = (
        f"<annotation>{head}<filename>a.jpg</filename><object><name>cat</name><bndbox><xmin>1</xmin>"
        "<ymin>2</ymin><xmax>5</xmax><ymax>6</ymax></bndbox></object></annotation>"
    )
    first = Read(memory({"a.xml": text}))
    assert first.boxes("a.jpg") == [("cat", 0, 1, 5, 5)]
    items = batch(["a.jpg"], first.rows, meta=[first.items[0]["meta"]])
    assert there_and_back(Data({"train": items})).boxes("a.jpg") == [("cat", 0, 1, 5, 5)]


# -- other readers --------------------------------------------------------------------


def test_supervision_reads_the_same_boxes(tmp_path):
    """supervision, which takes VOC for 1-based, finds the boxes of what is written so."""
    supervision = pytest.importorskip("supervision")
    picture = io.BytesIO()
    Image.new("RGB", (20, 10)).save(picture, "PNG")
    rows = [box(0, "cat", 1.0, 2.0, 5.0, 4.0), box(0, "dog", 3.0, 1.0, 6.0, 4.0),
            box(1, "dog", 2.0, 2.0, 9.0, 7.0)]  # fmt: skip
    sink = FolderSink(tmp_path, lambda item: picture.getvalue())
    data = Data({"train": batch(["a.png", "b.png", "c.png"], rows)})
    Voc().write(data, sink, {"one_based": True}, Ledger(), Progress())
    found = supervision.DetectionDataset.from_pascal_voc(
        images_directory_path=str(tmp_path / "JPEGImages"),
        annotations_directory_path=str(tmp_path / "Annotations"),
    )
    assert sorted(found.classes) == ["cat", "dog"]
    boxes = {}
    for path, _, detections in found:
        boxes[path.rpartition("/")[2]] = sorted(
            (found.classes[c], *xyxy)
            for c, xyxy in zip(detections.class_id, detections.xyxy.tolist(), strict=True)
        )
    assert boxes == {
        "a.png": [("cat", 1, 2, 6, 6), ("dog", 3, 1, 9, 5)],
        "b.png": [("dog", 2, 2, 11, 9)],
        "c.png": [],
    }
    assert Read(open_source(str(tmp_path))).boxes("a.png") == [
        ("cat", 1, 2, 5, 4), ("dog", 3, 1, 6, 4)
    ]  # fmt: skip


def test_masks_of_a_palette_and_of_colours_are_the_same():
    """Reading our palette PNG and the same as RGB, as CVAT writes it, gives equal masks."""
    files, _ = write(Data({"train": batch(["a.jpg"], [mask(0, "cat", square(3, 2, 9, 5))])}))
    palette = Read(memory(files)).rows
    for path in ("SegmentationClass/a.png", "SegmentationObject/a.png"):
        out = io.BytesIO()
        Image.open(io.BytesIO(files[path])).convert("RGB").save(out, "PNG")
        files[path] = out.getvalue()
    assert Read(memory(files)).rows == palette


class TestConformance(FormatCases):
    """What every format must do; an annotation file is a record: it does not break the others."""

    format_name = "voc"
    write_options = {"polygons": "xml"}
    tolerance_px = 1e-12
    generates = ("box", "polygon")  # where masks overlap, a pixel has one class

    @pytest.fixture
    def dataset(self, format):
        """The example without the polygon of two rings, which becomes a box and a mask."""
        made = example(format.holds)
        made.annotations = {
            subset: [row for row in rows if len(row.get("rings", ())) < 2]
            for subset, rows in made.annotations.items()
        }
        return made

    def container(self, files):
        """None: see test_voc.py for broken files."""
