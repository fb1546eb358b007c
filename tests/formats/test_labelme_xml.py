"""LabelMe XML: there and back, the samples of Datumaro and CVAT, what is malformed."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, MemorySink, example, read_back, written
from nbannot.formats.labelme_xml.attributes import parse_attributes, write_attributes
from nbannot.geometry import mask_to_rle, rings_to_mask, rle_to_mask
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

FORMAT = get_format("labelme-xml")


class TestLabelMeXml(FormatCases):
    """All comes back exactly, but polygons of several parts are masks."""

    format_name = "labelme-xml"

    def same_annotations(self, dataset, found):
        """Know the sizes of images, for the masks that polygons become."""
        self.sizes = {
            (self.subset(s), self.item_key(s, row["key"])): (row["height"], row["width"])
            for s, rows in dataset.items.items()
            for row in rows
        }
        super().same_annotations(dataset, found)

    def expected(self, row):
        """A polygon of several rings is the mask of what it covers."""
        rings = row.get("rings")
        if row["type"] != "polygon" or not rings or len(rings) == 1:
            return row
        height, width = self.sizes[row["subset"], row["key"]]
        pixels = rings_to_mask(row["points"], rings, height, width)
        ys, xs = np.nonzero(pixels)
        whole = {k: v for k, v in row.items() if k not in ("points", "rings")}
        return {
            **whole, "type": "mask", "mask": mask_to_rle(pixels), "mask_height": height,
            "mask_width": width, "x": xs.min(), "y": ys.min(), "w": np.ptp(xs) + 1,
            "h": np.ptp(ys) + 1,
        }  # fmt: skip


def pt(x, y):
    """Return a point."""
    return f"<pt><x>{x}</x><y>{y}</y></pt>"


def obj(name="cat", points=((1, 2), (9, 2), (9, 8)), more="", **texts):
    """Return an object with a polygon."""
    inner = "".join(f"<{k}>{v}</{k}>" for k, v in texts.items())
    ring = "".join(pt(*p) for p in points)
    return f"<object><name>{name}</name>{inner}{more}<polygon>{ring}</polygon></object>"


def of(*objects, path="a.xml", filename="a.jpg", size=(30, 40)):
    """Return a file of one image of 40 x 30 pixels."""
    head = f"<filename>{filename}</filename><folder>x</folder>"
    if size:
        head += f"<imagesize><nrows>{size[0]}</nrows><ncols>{size[1]}</ncols></imagesize>"
    return {path: f"<annotation>{head}{''.join(objects)}</annotation>".encode()}


def read(files, **options):
    """Read made-up files."""
    return read_back(FORMAT, open_source(files), **options)


def png(pixels, mode=None):
    """Return pixels as a PNG."""
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8), mode).save(out, "PNG")
    return out.getvalue()


def write(rows, **item):
    """Write annotations of one image; return the files and the ledger."""
    items = [{"key": "a.jpg", "width": 40, "height": 30, **item}]
    rows = [{"item": items[0]["key"], "label": "cat", **row} for row in rows]
    data = Example({"train": items}, {"train": rows}, (Label("cat"),))
    sink, ledger = MemorySink(), Ledger()
    FORMAT.write(data, sink, {}, ledger, Progress())
    return sink.files, ledger


# -- samples --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "reader", "place"),
    [
        ("cvatdatumaro-labelme", "label_me.cvatfork", (None, "img1.png")),
        ("datumaro-labelme", "label_me", ("subset1", "img1.png")),
    ],
)
def test_samples_are_what_datumaro_says(case, reader, place, samples, expected):
    """Types, labels, coordinates, pixels, attributes and groups are Datumaro's.

    Two things differ on purpose: <folder> is no part of the key, and occluded is false only
    where the file says so.
    """
    with open_source(samples / "labelme_xml" / case) as source:
        best = detect(source)[0]
        found = read_back(FORMAT, source)
    assert (best.format, best.confidence) == ("labelme-xml", 0.95)
    truth = json.loads((expected / "labelme_xml" / f"{case}.{reader}.json").read_text())
    (item,), (wanted,) = found.items, truth["items"]
    assert (item.get("subset"), item["key"], item["media"]) == (*place, wanted["file"])
    assert [item["height"], item["width"]] == wanted["size_hw"]
    assert list(found.labels) == truth["labels"]
    assert len(found.annotations) == len(wanted["annotations"]) == 7
    groups = {}
    for row, ann in zip(found.annotations, wanted["annotations"], strict=True):
        assert row["label"] == ann["label"]
        assert row["source_id"] == str(ann.get("id", 0))
        if ann["type"] == "polygon":
            assert (row["type"], row["points"]) == ("polygon", ann["points"])
        elif ann["type"] == "bbox":
            assert (row["type"], [row[n] for n in "xywh"]) == ("box", ann["bbox_xywh"])
        else:
            pixels = rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
            packed = np.packbits(pixels.astype(bool), axis=None).tobytes()
            assert hashlib.sha1(packed).hexdigest()[:16] == ann["mask_sha1"]
            assert pixels.sum() == ann["area"]
        theirs = dict(ann["attributes"])
        assert bool(row.get("occluded")) == theirs.pop("occluded")
        assert json.loads(row["extra"])["labelme-xml"]["username"] == theirs.pop("username")
        assert json.loads(row.get("attributes", "{}")) == theirs
        groups.setdefault(ann.get("group"), set()).add(row.get("group"))
    assert groups == {None: {None}, 2: {2}, 1: {5}}  # a group is called by its whole
    assert found.ledger.groups() == [("note", "scribbles are not read", 1)]


def test_a_sample_is_written_as_it_was(samples):
    """Names, dates, users, parts and attributes come back in the XML."""
    with open_source(samples / "labelme_xml/datumaro-labelme") as source:
        found = read_back(FORMAT, source)
        rows = [{k: v for k, v in r.items() if k not in ("subset", "key")} | {"item": "img1.png"}
                for r in found.annotations]  # fmt: skip
        (item,) = found.items
        items = [{k: v for k, v in item.items() if k not in ("item", "media", "subset")}]
    data = Example({"subset1": items}, {"subset1": rows}, tuple(found.labels.values()))
    files = written(FORMAT, data)
    assert sorted(files) == [
        "Annotations/subset1/img1.xml", "Images/subset1/img1.png",
        "Masks/subset1/img1_mask_1.png", "Masks/subset1/img1_mask_5.png",
    ]  # fmt: skip
    text = files["Annotations/subset1/img1.xml"].decode()
    for part in (
        "<hasparts>3,4</hasparts>", "<ispartof>2</ispartof>", "<hasparts>6</hasparts>",
        "<username>brussell</username>", "<date>27-Jul-2014 02:58:50</date>",
        "<attributes>gfd lkj lkj hi</attributes>", "<type>bounding_box</type>",
        "<sourceAnnotation>LabelMe Webtool</sourceAnnotation>", "<nrows>77</nrows>",
    ):  # fmt: skip
        assert part in text, part
    back = read(files)
    assert [{**r, "item": 0} for r in back.annotations] == [
        {**r, "item": 0} for r in found.annotations
    ]
    assert back.ledger.groups() == []


def test_detects_no_sample_of_others(samples):
    """No XML of VOC or CVAT is taken for LabelMe's."""
    for folder in ("voc", "cvat", "kitti", "roboflow"):
        for case in sorted((samples / folder).iterdir()):
            with open_source(case) as source:
                assert not [c for c in detect(source) if c.format == "labelme-xml" and c.confidence]


# -- made-up files --------------------------------------------------------------------


def test_text_with_line_breaks():
    """The web tool of old puts line breaks around texts."""
    files = of(obj("\ncat\n", occluded="\nyes\n", deleted="\n0\n"), filename="\na.jpg\n")
    (row,) = read(files).annotations
    assert (row["label"], row["occluded"]) == ("cat", True)
    assert read(files).items[0]["key"] == "a.jpg"


@pytest.mark.parametrize(
    ("xml", "image", "place"),
    [
        ("a.xml", "a.jpg", (None, "a.jpg")),
        ("train/a.xml", "train/a.jpg", ("train", "a.jpg")),
        ("Annotations/train/b/a.xml", "Images/train/b/a.jpg", ("train", "b/a.jpg")),
        ("mine/Annotations/train/a.xml", "mine/Images/train/a.jpg", ("train", "a.jpg")),
        ("Annotations/a.xml", "Images/a.jpg", (None, "a.jpg")),
        ("street/a.xml", "street/a.jpg", (None, "a.jpg")),
    ],
)
def test_places(xml, image, place):
    """Folders below Annotations, or around the files: the first is the subset."""
    picture = png(np.zeros((30, 40, 3)))
    other = f"{image.rpartition('.')[0]}2.jpg"
    found = read({**of(obj(), path=xml), image: picture, other: picture})
    first, second = found.items
    assert (first["media"], (first.get("subset"), first["key"])) == (image, place)
    assert (second.get("subset"), second["key"]) == (place[0], place[1].replace("a.jpg", "a2.jpg"))
    assert found.ledger.groups() == []


def test_parts_of_parts_have_one_group():
    """A hierarchy is one group; written, it is the same hierarchy; a circle of parts ends."""

    def node(own, whole, parts):
        return obj(f"n{own}", id=own, more=f"<parts><hasparts>{parts}</hasparts>"
                                           f"<ispartof>{whole}</ispartof></parts>")  # fmt: skip

    files = of(node(3, "", "4"), node(4, "3", "5"), node(5, "4", ""), node(6, "", ""),
               node(7, "8", "8"), node(8, "7", "7"))  # fmt: skip
    found = read(files)
    assert [r.get("group") for r in found.annotations[:4]] == [3, 3, 3, None]
    assert found.annotations[4]["group"] == found.annotations[5]["group"] != 3
    rows = [{k: v for k, v in r.items() if k not in ("subset", "key", "item")}
            for r in found.annotations]  # fmt: skip
    text = write(rows[:4])[0]["Annotations/train/a.xml"].decode()
    assert text.count("<hasparts>4</hasparts>") == text.count("<ispartof>4</ispartof>") == 1
    assert text.count("<hasparts>5</hasparts>") == text.count("<ispartof>3</ispartof>") == 1


def test_masks_of_other_kinds():
    """An opaque colour image, a grey one and one of a palette: what is not black is inside."""
    colors = np.zeros((30, 40, 4))
    colors[..., 3] = 255
    colors[2:4, 5:9, 0] = 200
    grey = np.zeros((30, 40))
    grey[2:4, 5:9] = 1
    palette = Image.fromarray(grey.astype(np.uint8), "L").convert("P")
    out = io.BytesIO()
    palette.save(out, "PNG")
    for data in (png(colors), png(grey), out.getvalue()):
        segm = "<object><name>cat</name><segm><mask>m.png</mask></segm></object>"
        (row,) = read({**of(segm), "Masks/m.png": data}).annotations
        assert (row["type"], [row[n] for n in "xywh"]) == ("mask", [5, 2, 4, 2])


def test_an_object_that_was_deleted():
    """It is rejected, unless asked for."""
    files = of(obj("cat", deleted=1), obj("dog"))
    found = read(files)
    assert [r["label"] for r in found.annotations] == ["dog"]
    (line,) = found.ledger.lines("rejected", "object is marked as deleted")
    assert (line["file"], line["where"]) == ("a.xml", "object 1")
    assert [r["label"] for r in read(files, deleted=True).annotations] == ["cat", "dog"]


values = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
)


@given(st.dictionaries(st.text(min_size=1).filter(lambda t: t == t.strip()), values))
def test_attributes_come_back(given):
    """Whatever their names and values are: commas, quotes, numbers that are texts."""
    back = parse_attributes(write_attributes(given))
    assert back == given
    assert [type(v) for v in back.values()] == [type(v) for v in given.values()]


# -- losses of writing ----------------------------------------------------------------


def test_losses_of_writing_are_told():
    """What LabelMe has no place for has a line each."""
    frame = {"type": "box", "x": 10.0, "y": 10.0, "w": 4.0, "h": 2.0}
    _, ledger = write(
        [
            {**frame, "rotation": 30.0}, {**frame, "score": 0.5}, {**frame, "group": 3},
            {**frame, "attributes": '{"a": [1], "": 2}'}, {**frame, "label": "a\x01"},
            {**frame, "label": " cat"}, {"type": "tag"},
            {"type": "mask", "mask": mask_to_rle(np.zeros((30, 40))), "mask_height": 30,
             "mask_width": 40, "x": 0.0, "y": 0.0, "w": 0.0, "h": 0.0},
        ]
    )  # fmt: skip
    assert ledger.groups() == [
        ("rejected", "mask is empty", 1),
        ("rejected", "tag can't be written", 1),
        ("rejected", "text can't be written", 1),
        ("warning", "attribute can't be written", 1),
        ("warning", "attribute written as text", 1),
        ("warning", "group of one can't be written", 1),
        ("warning", "label with blanks around it", 1),
        ("warning", "rotated box written as polygon", 1),
        ("warning", "score can't be written", 1),
    ]


def test_two_images_of_one_stem():
    """a.jpg and a.png have files and masks of their own."""
    items = [{"key": k, "width": 8, "height": 8} for k in ("a.jpg", "a.png")]
    pixels = np.eye(8)
    rows = [
        {"item": i["key"], "type": "mask", "label": "cat", "mask": mask_to_rle(pixels[:, ::n]),
         "mask_height": 8, "mask_width": 8, "x": 0.0, "y": 0.0, "w": 8.0, "h": 8.0}
        for i, n in zip(items, (1, -1), strict=True)
    ]  # fmt: skip
    data = Example({"train": items}, {"train": rows}, (Label("cat"),))
    found = read(written(FORMAT, data))
    assert {(r["key"], r["mask"]) for r in found.annotations} == {
        (r["item"], r["mask"]) for r in rows
    }


def test_annotations_alone():
    """Without images, masks are written nevertheless, and all is read with the same keys."""
    data = example(FORMAT.holds)
    whole, alone = read(written(FORMAT, data)), read(written(FORMAT, data, media=False))
    assert alone.annotations == whole.annotations
    assert [(i["subset"], i["key"]) for i in alone.items] == [
        (i["subset"], i["key"]) for i in whole.items
    ]


# -- malformed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("<object><name>cat</name></object>", "object without polygon"),
        (obj(points=()), "no points"),
        (obj(points=((1, "x"), (2, 3))), "coordinate is not a number"),
        ("<object><polygon><pt><x>1</x></pt></polygon></object>", "coordinate is not a number"),
        ("<object><segm><box/></segm></object>", "mask without a name"),
        ("<object><segm><mask>no.png</mask></segm></object>", "mask file missing"),
        ("<object><segm><mask>bad.png</mask></segm></object>", "mask can't be decoded"),
        ("<object><segm><mask>empty.png</mask></segm></object>", "mask is empty"),
        ("<object><segm><mask>../../etc/passwd</mask></segm></object>", "mask file missing"),
    ],
)
def test_a_bad_object_is_rejected_alone(bad, reason):
    """The line names the object; its neighbour is read."""
    masks = {"Masks/bad.png": b"no picture", "Masks/empty.png": png(np.zeros((30, 40)))}
    found = read({**of(obj("good"), bad), **masks, "a.jpg": b"x"})
    assert [r["label"] for r in found.annotations] == ["good"]
    (line,) = found.ledger.lines("rejected", reason)
    assert (line["file"], line["where"], line["item"]) == ("a.xml", "object 2", "a.jpg")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (of(obj("")), "object without a name"),
        (of(obj(points=((1, 2),))), "polygon of one or two points"),
        (of(obj(points=((1, 2), (3, 4)))), "polygon of one or two points"),
        (of(obj(points=((1, 2), (50, 2), (9, 9)))), "reaches outside the image"),
        (of(obj(), filename=""), "file without a filename"),
        ({**of(obj()), "b.jpg": b"x"}, "image file missing"),
        ({**of(obj()), **of(obj(), path="b.xml")}, "two files for one image"),
    ],
)
def test_what_is_doubtful_is_kept(files, reason):
    """It is imported, with one warning."""
    found = read(files)
    assert found.ledger.groups() == [("warning", reason, 1)]
    assert len(found.annotations) == sum(p.endswith(".xml") for p in files)


def test_a_broken_file_of_many_is_a_record():
    """The others are read; other XML is noted; none at all is an error."""
    bomb = b'<!DOCTYPE a [<!ENTITY x "y">]><annotation><filename>&x;</filename></annotation>'
    others = {"b.xml": b"<annotation><object>", "c.xml": bomb, "d.xml": b"<dataset/>"}
    found = read({**of(obj()), **others})
    assert len(found.items) == 1
    assert found.ledger.groups() == [
        ("rejected", "the file is not XML", 2), ("note", "not a LabelMe file", 1),
    ]  # fmt: skip
    for path, data in {**others, "e.xml": b""}.items():
        with pytest.raises(BrokenFileError, match=path):
            read({path: data})


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings(encoding):
    """UTF-8 with a byte order mark, and UTF-16, are found and read."""
    data = of(obj("größe ✓"))["a.xml"].decode().encode(encoding)
    source = open_source({"a.xml": data})
    assert detect(source)[0].format == "labelme-xml"
    (row,) = read_back(FORMAT, source).annotations
    assert row["label"] == "größe ✓"


def test_sizes_that_are_none():
    """An empty, negative or missing size is none."""
    for size in (("", ""), ("-1", "5"), None, ("x", "y")):
        files = of(obj(points=((1, 2), (500, 2), (9, 9))), size=size)
        assert "width" not in read(files).items[0]
        assert read(files).ledger.groups() == []
