"""Open Images: written and read again, Datumaro's samples, and malformed tables."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, MemorySink, example, read_back, written
from nbannot.geometry import rle_to_mask
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source


class TestOpenImages(FormatCases):
    """Boxes, tags and masks."""

    format_name = "openimages"

    def container(self, files):
        """A CSV cut in half is a shorter CSV; the files that can break are tested below."""


def read(where):
    """Read with the format; the ledger balances."""
    return read_back(get_format("openimages"), open_source(where))


def lines(found, outcome="rejected"):
    """Return (reason, record) of the ledger's lines."""
    rows = found.ledger.to_arrow().to_pylist()
    return [(r["reason"], r["record"]) for r in rows if r["outcome"] == outcome]


def pictures(*paths, size=(10, 20)):
    """Return images of one size by path."""
    out = io.BytesIO()
    Image.new("RGB", size).save(out, "JPEG")
    return dict.fromkeys(paths, out.getvalue())


SAMPLES = [
    ("datumaro-v5", "", "datumaro-v5.open_images"),
    ("datumaro-v6", "", "datumaro-v6.open_images"),
    ("cvatdatumaro-open_images", "v5", "cvatdatumaro-open_images__v5.open_images.cvatfork"),
    ("cvatdatumaro-open_images", "v6", "cvatdatumaro-open_images__v6.open_images.cvatfork"),
]


@pytest.mark.parametrize(("case", "root", "truth"), SAMPLES)
def test_samples(samples, expected, case, root, truth):
    """Datumaro's samples: items, labels, boxes and masks are what Datumaro reads."""
    place = samples / "openimages" / case
    best = detect(open_source(place))
    assert best[0].format == "openimages"
    assert root in [c.root for c in best if c.format == "openimages" and c.confidence > 0.8]
    wanted = json.loads((expected / "openimages" / f"{truth}.json").read_text())
    found = read(place / root)
    assert [label.source_id for label in found.labels.values()] == wanted["labels"]
    ids = {label.name: label.source_id for label in found.labels.values()}
    rows = {(r["subset"], r["key"].rpartition(".")[0]): r for r in found.items}
    assert set(rows) == {(i["subset"], i["id"]) for i in wanted["items"]}
    assert all(r["media"] for r in found.items)
    for item in wanted["items"]:
        key = rows[item["subset"], item["id"]]["key"]
        mine = [r for r in found.annotations if (r["subset"], r["key"]) == (item["subset"], key)]
        assert [_plain(r, ids) for r in mine] == [_of_datumaro(a) for a in item["annotations"]]
    assert [g for g in found.ledger.groups() if g[0] != "note"] == []


def _plain(row, ids):
    kind = {"tag": "label", "box": "bbox", "mask": "mask"}[row["type"]]
    out = {"type": kind, "label": ids[row["label"]]}
    if kind == "bbox":
        out["bbox"] = pytest.approx([row[n] for n in "xywh"])
    if kind == "mask":
        mask = rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
        bits = np.packbits(mask.astype(bool), axis=None).tobytes()
        out["mask"] = hashlib.sha1(bits).hexdigest()[:16]
    return out


def _of_datumaro(row):
    out = {"type": row["type"], "label": row["label"]}
    if row["type"] == "bbox":
        out["bbox"] = row["bbox_xywh"]
    if row["type"] == "mask":
        out["mask"] = row["mask_sha1"]
    return out


def test_flags_and_absence(samples):
    """Flags and the confidence of what is not there are kept; -1 is nothing."""
    found = read(samples / "openimages/datumaro-v6")
    tags = {(r["key"], r["label"]): r.get("attributes") for r in found.annotations
            if r["type"] == "tag"}  # fmt: skip
    assert tags["b.jpg", "Generic label #0"] == '{"absent":true}'
    assert tags["a.jpg", "Generic label #0"] is None
    boxes = {r["key"]: r for r in found.annotations if r["type"] == "box"}
    assert (boxes["c.jpg"]["score"], boxes["c.jpg"]["occluded"]) == (0.7, True)
    assert json.loads(boxes["c.jpg"]["attributes"]) == {
        "truncated": False, "is_group_of": True, "is_depiction": False, "is_inside": False
    }  # fmt: skip
    assert "attributes" not in boxes["b.jpg"]
    assert found.labels["Generic label #1"].parent == "Generic label #0"
    assert [r["source_id"] for r in found.annotations if r["type"] == "mask"] == ["01234567"]


HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded\n"


def test_malformed_boxes():
    """Numbers that are none, turned corners, too few cells, no image: each is a line."""
    text = HEADER + (
        "a,xclick,/m/1,1,0.1,0.2,x,0.5,0\n"
        "a,xclick,/m/1,1,0.5,0.2,0,0.5,0\n"
        "a,xclick,/m/1,1,0.5\n"
        "gone,xclick,/m/1,1,0.1,0.2,0,0.5,0\n"
        "a,xclick,/m/1,1,0.5,1.5,0,0.5,1\n"
        ",xclick,/m/1,1,0.5,1.5,0,0.5,1\n"
    )
    files = {"train-annotations-bbox.csv": text.encode(), **pictures("images/train/a.jpg")}
    found = read(files)
    assert sorted(lines(found)) == [
        ("box of negative size", "row 2"),
        ("box without numbers", "row 1"),
        ("row with a wrong number of cells", "row 3"),
        ("row without an image", "row 6"),
        ("size of the image is unknown", "row 4"),
    ]
    assert lines(found, "warning") == [
        ("image file missing", "item"), ("box reaches outside the image", "row 5")
    ]  # fmt: skip
    assert [(r["label"], r["x"], r["y"], r["w"], r["h"]) for r in found.annotations] == [
        ("/m/1", 5, 0, 10, 10)
    ]
    assert [(r["subset"], r["key"]) for r in found.items] == [
        ("train", "a.jpg"), ("train", "gone.jpg")
    ]  # fmt: skip


def test_columns_in_any_order():
    """Columns may be reordered or missing; UTF-16 and CRLF are read."""
    text = "YMax,YMin,XMax,XMin,LabelName,ImageID\r\n0.5,0,0.2,0.1,/m/1,a\r\n"
    files = {"b.csv": text.encode("utf-16"), **pictures("images/a.jpg")}
    found = read(files)
    assert [(r["x"], r["y"], r["w"], r["h"]) for r in found.annotations] == [(1, 0, 1, 10)]
    assert "score" not in found.annotations[0]


def test_descriptions_of_one_name():
    """Two ids of one description stay two labels; names have commas and are not ASCII."""
    text = 'LabelName,DisplayName\n/m/1,"Bär, braun"\n/m/2,"Bär, braun"\n'
    files = {"class-descriptions.csv": text.encode(), "a.csv": HEADER.encode()}
    assert list(read(files).labels) == ["Bär, braun", "Bär, braun (/m/2)"]


def test_masks():
    """A mask in another resolution is brought to the image's; one that is lost is a line."""
    half = Image.new("1", (5, 10))
    half.paste(1, (0, 0, 2, 1))
    out, empty = io.BytesIO(), io.BytesIO()
    half.save(out, "PNG")
    Image.new("1", (5, 5)).save(empty, "PNG")
    text = "MaskPath,ImageID,LabelName,BoxID\nm.png,a,/m/1,x\nno.png,a,/m/1,y\nz.png,a,/m/1,z\n"
    files = {
        "annotations/test-annotations-object-segmentation.csv": text.encode(),
        "masks/test/m.png": out.getvalue(), "masks/test/z.png": empty.getvalue(),
        **pictures("images/test/a.jpg"),
    }  # fmt: skip
    found = read(files)
    row = found.annotations[0]
    assert (row["mask_width"], row["mask_height"]) == (10, 20)
    assert [row[n] for n in "xywh"] == [0, 0, 4, 2]
    assert lines(found) == [("mask file missing", "row 2"), ("mask can't be read", "row 3")]


def test_what_is_no_open_images():
    """Tables of another kind are not recognised; a broken one raises; an empty one is empty."""
    found = {c.format: c for c in detect(open_source({"a.csv": b"image,label\n1.jpg,cat\n"}))}
    assert found["openimages"].missing == "a.csv has no columns ImageID and LabelName"
    assert read({"a.csv": HEADER.encode()}).items == []
    odd = read({"a.csv": HEADER.encode() + b"a,b,\xff,1,0,1,0,1,0\na,\xff\n"})
    assert len(lines(odd)) == 2
    assert ("note", "file is not UTF-8", 1) in odd.ledger.groups()
    broken = {"a.csv": HEADER.encode(), "bbox_labels_600_hierarchy.json": b'{"LabelName":'}
    with pytest.raises(BrokenFileError, match="hierarchy"):
        read(broken)


def test_two_datasets_at_once(samples):
    """A folder with two datasets is read as one, too."""
    found = read(samples / "openimages/cvatdatumaro-open_images")
    keys = sorted((r["subset"], r["key"]) for r in found.items)
    assert keys == [
        ("test", "c.jpg"), ("test", "cc.jpg"), ("train", "a.jpg"), ("train", "aa.jpg"),
        ("train", "b.jpg"), ("validation", "d.png"),
    ]  # fmt: skip
    assert len(found.annotations) == 7


def test_what_is_written_again(samples):
    """The sample is written as it was read: flags, absence, the mask's number, the hierarchy."""
    format = get_format("openimages")
    source = open_source(samples / "openimages/datumaro-v6")
    ledger, sink = Ledger(), MemorySink()
    batches = list(format.read(source, {}, Ledger(), Progress()))
    labels = batches[-1].labels
    found = read(samples / "openimages/datumaro-v6")
    sizes = {"a.jpg": (6, 8), "b.jpg": (8, 2), "c.jpg": (5, 10), "d.png": (5, 1)}
    items, rows = {}, {}
    for row in found.items:
        plain = {n: row[n] for n in ("key", "meta") if n in row}
        width, height = sizes[row["key"]]
        items.setdefault(row["subset"], []).append({**plain, "width": width, "height": height})
    for row in found.annotations:
        plain = {n: v for n, v in row.items() if n not in ("subset", "key")}
        rows.setdefault(row["subset"], []).append({**plain, "item": row["key"]})
    format.write(Example(items, rows, labels), sink, {}, ledger, Progress())
    assert ledger.groups() == []
    text = sink.files["annotations/test-annotations-bbox.csv"].decode()
    assert text.splitlines()[1] == "c,xclick,/m/3,0.7,0.7,0.8,0.0,0.5,1,0,1,0,0"
    text = sink.files["annotations/train-annotations-human-imagelabels.csv"].decode()
    assert text.splitlines()[1:] == ["a,verification,/m/0,1", "b,verification,/m/0,0"]
    text = sink.files["annotations/train-annotations-object-segmentation.csv"].decode()
    assert text.splitlines()[1].split(",")[1:4] == ["b", "/m/0", "01234567"]
    tree = json.loads(sink.files["annotations/bbox_labels_600_hierarchy.json"])
    children = {n["LabelName"]: n.get("Subcategory") for n in tree["Subcategory"]}
    assert children["/m/0"] == [{"LabelName": "/m/1"}]
    assert b"Test Image A" in sink.files["annotations/image_ids_and_rotation.csv"]


def test_without_media():
    """Exported without images, nothing is missing, though masks are images too."""
    files = written(get_format("openimages"), example(("box", "tag", "mask")), media=False)
    assert any(path.startswith("masks/") for path in files)
    found = read(files)
    assert found.ledger.groups() == []
    assert len(found.items) == len(found.annotations) == 6
