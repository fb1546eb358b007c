"""COCO panoptic as nbannot writes it, and outlines written otherwise than they are."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from nbannot.formats import get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, MemorySink, example, read_back
from nbannot.formats.features import fates_of
from nbannot.geometry import mask_to_rle, rings_to_mask, rle_to_mask
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

HEIGHT, WIDTH = 48, 64
PNG = "annotations/panoptic_train/a.png"
JSON = "annotations/panoptic_train.json"


def rectangle(x, y, w, h):
    """Return a mask with ones in a rectangle."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[y : y + h, x : x + w] = 1
    return mask


def masked(mask, label="cat", **more):
    """Return a row with this mask."""
    return {
        "type": "mask", "label": label, "mask": mask_to_rle(mask), "mask_height": mask.shape[0],
        "mask_width": mask.shape[1], **more,
    }  # fmt: skip


def polygon(*points, **more):
    """Return a row with this polygon."""
    return {"type": "polygon", "label": "cat", "points": [float(p) for p in points], **more}


def write(*rows, key="a.jpg", options=None, size=True, media=None):
    """Write a dataset of one image; return the sink's files and the ledger."""
    item = {"key": key, **({"width": WIDTH, "height": HEIGHT} if size else {})}
    labels = (Label("cat", source_id="5"), Label("sky", source_id="9", extra={"isthing": 0}))
    what = Example({"train": [item]}, {"train": [{"item": key, **r} for r in rows]}, labels)
    sink, ledger = MemorySink(media), Ledger()
    chosen = get_format("coco").check_options(options or {"panoptic": True}, writing=True)
    get_format("coco").write(what, sink, chosen, ledger, Progress())
    return sink.files, ledger


def painted(files, path=PNG):
    """Return the ids in a PNG file, as the rule says: R + 256 G + 65536 B."""
    pixels = np.asarray(Image.open(io.BytesIO(files[path])).convert("RGB"), np.uint32)
    return pixels[..., 0] + 256 * pixels[..., 1] + 65536 * pixels[..., 2]


def told(ledger):
    """Return (outcome, record, reason) of the ledger's lines, and the messages."""
    table = ledger.to_pandas()
    return list(zip(table["outcome"], table["record"], table["reason"], strict=True))


class TestConformance(FormatCases):
    """What every format must do, with masks as segments (the example's overlap if all are)."""

    format_name = "coco"
    write_options = {"panoptic": True}
    generates = ("box", "tag", "text", "skeleton")

    @pytest.fixture
    def dataset(self, format):
        """All but the polygons, which the mask would cover."""
        return example([kind for kind in format.holds if kind != "polygon"])

    def _is_mask(self, path):
        return "/panoptic_" in path


def test_a_segment_is_a_colour_and_a_line():
    """Ids of the source are kept where they can be; bbox and area are those of the pixels."""
    files, ledger = write(
        masked(rectangle(1, 2, 10, 5), source_id="70000"), masked(rectangle(30, 20, 4, 4), "sky")
    )
    document = json.loads(files[JSON])
    (annotation,) = document["annotations"]
    assert (annotation["image_id"], annotation["file_name"]) == (1, "a.png")
    assert annotation["segments_info"] == [
        {"id": 70000, "category_id": 5, "bbox": [1, 2, 10, 5], "area": 50, "iscrowd": 0},
        {"id": 1, "category_id": 9, "bbox": [30, 20, 4, 4], "area": 16, "iscrowd": 0},
    ]
    ids = painted(files)
    assert (
        ids == np.where(rectangle(1, 2, 10, 5), 70000, rectangle(30, 20, 4, 4).astype(int))
    ).all()
    assert [(c["id"], c["isthing"]) for c in document["categories"]] == [(5, 1), (9, 0)]
    assert told(ledger) == []
    assert set(files) == {JSON, PNG}


def test_what_is_covered_is_told():
    """The last is on top, or that of the higher drawing order; nothing is lost without a line."""
    files, ledger = write(
        masked(rectangle(0, 0, 10, 10)),
        masked(rectangle(5, 0, 10, 10)),
        masked(rectangle(0, 20, 4, 4)),
        masked(rectangle(0, 20, 4, 4), z_order=-1),
    )
    segments = json.loads(files[JSON])["annotations"][0]["segments_info"]
    assert [(s["bbox"], s["area"]) for s in segments] == [
        ([0, 0, 5, 10], 50), ([5, 0, 10, 10], 100), ([0, 20, 4, 4], 16),
    ]  # fmt: skip
    assert told(ledger) == [
        ("warning", "annotation 1", "partly covered by other segments"),
        ("rejected", "annotation 4", "covered by other segments"),
        ("note", "", "no place in COCO"),
    ]
    messages = ledger.to_pandas()["message"].tolist()
    assert messages[0] == "annotation 1 of a.jpg: 50 of its 100 pixels are covered"


def test_what_has_no_place_is_told():
    """No label, a mask of another size, no size at all, no pixel, no number."""
    files, ledger = write(
        masked(rectangle(0, 0, 4, 4), None),
        masked(np.ones((4, 4), np.uint8)),
        masked(rectangle(0, 0, 0, 0)),
        polygon(1, 2, float("nan"), 3, 4, 5),
    )
    assert JSON in files
    assert told(ledger) == [
        ("rejected", "annotation 1", "segment without label"),
        ("rejected", "annotation 2", "the mask does not fit"),
        ("rejected", "annotation 3", "covers no pixel"),
        ("rejected", "annotation 4", "not a number"),
    ]
    _, ledger = write(polygon(1, 2, 5, 2, 4, 5), size=False)
    assert told(ledger) == [("rejected", "annotation 1", "image without size")]


def test_a_polygon_is_painted_as_pycocotools_fills_it():
    """With its hole; a warning says that it is a mask now."""
    points = [8, 4, 24, 4, 24, 40, 8, 40, 10, 10, 20, 10, 20, 20, 10, 20]
    files, ledger = write(polygon(*points, rings=[4, -4]))
    assert (painted(files) == rings_to_mask(points, [4, -4], HEIGHT, WIDTH)).all()
    assert told(ledger) == [("warning", "annotation 1", "polygon written as a mask")]


def test_other_annotations_have_their_own_files():
    """Boxes stay instances; they share their images with the segments."""
    box = {"type": "box", "label": "cat", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0}
    files, _ = write(box, masked(rectangle(1, 2, 10, 5), extra='{"iscrowd":1}'))
    assert set(files) == {"annotations/instances_train.json", JSON, PNG}
    found = read_back(get_format("coco"), open_source(files))
    assert [row["type"] for row in found.annotations] == ["box", "mask"]
    assert json.loads(found.annotations[1]["extra"])["iscrowd"] == 1
    assert len(found.items) == 1


def test_the_picture_of_segments_is_not_taken_for_the_image():
    """The image a.png is not written along: it is not found, though its segments' PNG is."""
    files, _ = write(masked(rectangle(1, 2, 10, 5)), key="a.png")
    found = read_back(get_format("coco"), open_source(files))
    assert "media" not in found.items[0]
    assert (
        rle_to_mask(found.annotations[0]["mask"], HEIGHT, WIDTH) == rectangle(1, 2, 10, 5)
    ).all()


def test_nothing_is_lost_silently():
    """Of each thing that an annotation can have, the ledger says what becomes of it."""
    for options in ({"panoptic": True}, {"segmentation": "rle"}, {"segmentation": "polygons"}):
        fates = fates_of(get_format("coco"), **options)
        assert [name for name, fate in fates.items() if fate.outcome == "lost"] == []


def test_by_default_there_are_no_segments():
    """Without the option, polygons and masks are instances."""
    files, _ = write(masked(rectangle(1, 2, 10, 5)), options={"panoptic": False})
    assert set(files) == {"annotations/instances_train.json"}


# -- outlines ---------------------------------------------------------------------------------


def test_masks_as_polygons():
    """Along the edges of pixels; one with a hole stays a mask."""
    holed = rectangle(1, 2, 10, 5) - rectangle(3, 3, 2, 2)
    two = rectangle(1, 2, 3, 4) + rectangle(20, 2, 3, 4)
    files, ledger = write(masked(two), masked(holed), options={"segmentation": "polygons"})
    first, second = json.loads(files["annotations/instances_train.json"])["annotations"]
    assert sorted(map(sorted, first["segmentation"])) == [
        sorted([1.0, 2.0, 4.0, 2.0, 4.0, 6.0, 1.0, 6.0]),
        sorted([20.0, 2.0, 23.0, 2.0, 23.0, 6.0, 20.0, 6.0]),
    ]
    assert (first["bbox"], first["area"]) == ([1, 2, 22, 4], 24)
    assert second["segmentation"]["size"] == [HEIGHT, WIDTH]
    assert told(ledger) == [
        ("warning", "annotation 1", "mask written as a polygon"),
        ("warning", "annotation 2", "mask can't be a polygon"),
    ]


def test_polygons_as_run_lengths():
    """All of them, and a warning for each."""
    points = [8, 4, 24, 4, 24, 40, 8, 40]
    files, ledger = write(polygon(*points), options={"segmentation": "rle"})
    (made,) = json.loads(files["annotations/instances_train.json"])["annotations"]
    mask = rle_to_mask(made["segmentation"]["counts"].encode(), HEIGHT, WIDTH)
    assert (mask == rings_to_mask(points, None, HEIGHT, WIDTH)).all()
    assert told(ledger) == [("warning", "annotation 1", "polygon written as a mask")]


@pytest.mark.parametrize("key", ["x/a.jpg", "a"])
def test_png_files_lie_as_images_do(key):
    """In folders of their own, and with or without a suffix."""
    files, _ = write(masked(rectangle(1, 2, 10, 5)), key=key)
    found = read_back(get_format("coco"), open_source(files))
    assert [(row["key"], row["type"]) for row in found.annotations] == [(key, "mask")]


def test_two_images_of_one_stem_have_two_files():
    """a.jpg and a.png do not share the PNG of their segments."""
    items = [{"key": k, "width": WIDTH, "height": HEIGHT} for k in ("a.jpg", "a.png")]
    rows = [
        {"item": "a.jpg", **masked(rectangle(0, 0, 4, 4))},
        {"item": "a.png", **masked(rectangle(9, 9, 4, 4))},
    ]
    sink = MemorySink()
    what = Example({"train": items}, {"train": rows}, (Label("cat"),))
    get_format("coco").write(what, sink, {"panoptic": True}, Ledger(), Progress())
    found = read_back(get_format("coco"), open_source(sink.files))
    assert [(row["key"], row["x"]) for row in found.annotations] == [("a.jpg", 0), ("a.png", 9)]
