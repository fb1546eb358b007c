"""LabelMe JSON: there and back, every version and shape, what is malformed."""

from __future__ import annotations

import base64
import io
import json
import math

import numpy as np
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, MemorySink, read_back, written
from nbannot.geometry import box_corners, mask_to_rle, rle_to_mask
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label, Skeleton
from nbannot.sources import open_source

FORMAT = get_format("labelme")


class TestLabelMe(FormatCases):
    """All comes back exactly but ellipses, which LabelMe has as circles only."""

    format_name = "labelme"
    compared = (*FormatCases.compared, "group", "rotation", "score")
    generates = ("box", "polygon", "mask", "polyline", "points", "tag")

    def container(self, files):
        """Each image has its own file; a broken one is a record."""

    def expected(self, row):
        """An ellipse that is no circle is a polygon of 64 points."""
        if row["type"] != "ellipse":
            return row
        turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        x = row["x"] + row["w"] / 2 * (1 + np.cos(turn))
        y = row["y"] + row["h"] / 2 * (1 + np.sin(turn))
        return {**row, "type": "polygon", "points": np.stack([x, y], axis=1).ravel().tolist()}


def test_keys_that_look_like_folders_come_back():
    """Keys in folders called images, train and the like are not taken for what they are not."""
    keys = ("a/1.jpg", "train/2.jpg", "images/3.jpg", "x/val/4.jpg", "5.png", "5.jpg")
    frame = {"type": "box", "label": "cat", "y": 1.0, "w": 2.0, "h": 3.0}
    items = [{"key": k, "width": 64, "height": 48} for k in keys]
    boxes = [{**frame, "item": k, "x": float(n)} for n, k in enumerate(keys)]
    for subset in ("default", "my own", "train"):
        data = Example({subset: items}, {subset: boxes}, (Label("cat"),))
        found = read(written(FORMAT, data))
        back = None if subset == "default" else subset
        assert {(i.get("subset"), i["key"]) for i in found.items} == {(back, k) for k in keys}
        assert {(r["key"], r["x"]) for r in found.annotations} == {
            (k, float(n)) for n, k in enumerate(keys)
        }
        assert found.ledger.groups() == []


def shape(label="cat", points=((1, 2), (5, 9)), kind="rectangle", **more):
    """Return a shape."""
    return {"label": label, "points": [list(p) for p in points], "shape_type": kind, **more}


def of(*shapes, name="a.json", **more):
    """Return a file of one image of 40 x 30 pixels."""
    value = {"version": "5.7.0", "flags": {}, "shapes": list(shapes), "imagePath": "a.jpg",
             "imageData": None, "imageHeight": 30, "imageWidth": 40, **more}  # fmt: skip
    return {name: json.dumps(value).encode()}


def read(files, **options):
    """Read made-up files."""
    return read_back(FORMAT, open_source(files), **options)


def one(*shapes, **more):
    """Return the one annotation of made-up shapes; the ledger must be clean."""
    found = read(of(*shapes, **more))
    assert found.ledger.groups() == []
    (row,) = found.annotations
    return row


def png(pixels):
    """Return pixels as LabelMe writes a mask: a PNG of 0 and 1 in base64."""
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def jpeg(width=40, height=30):
    """Return an image."""
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "JPEG")
    return out.getvalue()


def rewritten(files, key="a.json", **options):
    """Read files and write them again; return the first file."""
    found = read(files)
    rows = [{k: v for k, v in r.items() if k not in ("subset", "key")} | {"item": r["key"]}
            for r in found.annotations]  # fmt: skip
    items = [{k: v for k, v in i.items() if k not in ("item", "media")} for i in found.items]
    data = Example({"default": items}, {"default": rows}, tuple(found.labels.values()))
    return json.loads(written(FORMAT, data, media=False, **options)[key])


# -- shapes ---------------------------------------------------------------------------


def test_a_rectangle_is_any_two_corners():
    """Corners come in any order; no extent is legal."""
    row = one(shape(points=((5, 2), (1, 9))))
    assert [row[n] for n in "xywh"] == [1, 2, 4, 7]
    assert [one(shape(points=((5, 2), (5, 2))))[n] for n in "xywh"] == [5, 2, 0, 0]
    four = one(shape(points=((1, 2), (5, 2), (5, 9), (1, 9))))  # as X-AnyLabeling writes it
    assert (four["type"], [four[n] for n in "xywh"], "rotation" in four) == (
        "box", [1, 2, 4, 7], False,
    )  # fmt: skip


def test_a_circle_is_an_ellipse():
    """Its centre and a point of its edge give the box around it."""
    row = one(shape(points=((10, 20), (13, 24)), kind="circle"))
    assert (row["type"], [row[n] for n in "xywh"]) == ("ellipse", [5, 15, 10, 10])


@pytest.mark.parametrize("kind", ["oriented_rectangle", "rotation"])
def test_a_rotated_rectangle(kind):
    """Four corners, clockwise or not, are a box turned about its centre."""
    corners = box_corners([[10, 10, 8, 4]], [30])[0]
    row = one(shape(points=corners.tolist(), kind=kind))
    assert [row[n] for n in "xywh"] + [row["rotation"]] == pytest.approx([10, 10, 8, 4, 30])
    back = one(shape(points=corners[[0, 3, 2, 1]].tolist(), kind=kind))
    assert [back[n] for n in "xywh"] + [back["rotation"]] == pytest.approx([10, 10, 8, 4, 30])


def test_a_skewed_oriented_rectangle_is_a_polygon():
    """Corners that are no rectangle are not forced into one."""
    skewed = shape(points=((1, 1), (9, 1), (12, 9), (1, 9)), kind="oriented_rectangle")
    found = read(of(skewed))
    (row,) = found.annotations
    assert (row["type"], row["points"]) == ("polygon", [1, 1, 9, 1, 12, 9, 1, 9])
    assert found.ledger.groups() == [("warning", "rotated box is not a rectangle", 1)]
    assert rewritten(of(skewed))["shapes"][0]["shape_type"] == "oriented_rectangle"


@pytest.mark.parametrize(
    ("kind", "points", "type_"),
    [
        ("line", [[1, 2], [3, 4]], "polyline"),
        ("linestrip", [[1, 2], [3, 4], [5, 6]], "polyline"),
        ("linestrip", [[1, 2], [3, 4]], "polyline"),
        ("point", [[1, 2]], "points"),
        ("points", [[1, 2], [3, 4]], "points"),
        ("points", [[1, 2]], "points"),
        ("polygon", [[1, 2], [3, 4], [1, 4], [1, 2]], "polygon"),
        ("quadrilateral", [[1, 2], [3, 2], [4, 4], [1, 4]], "polygon"),
    ],
)
def test_lines_points_and_polygons(kind, points, type_):
    """Points stay as they are, a last one twice too, and are written as the same shape."""
    row = one(shape(points=points, kind=kind))
    assert (row["type"], row["points"]) == (type_, [v for p in points for v in p])
    again = rewritten(of(shape(points=points, kind=kind)))["shapes"][0]
    assert (again["shape_type"], again["points"]) == (kind, points)


def test_a_mask_lies_at_its_rounded_corner():
    """With fractions the pixels count, not the corners; it is written as it was."""
    pixels = np.array([[1, 1, 0], [0, 1, 1]])
    row = one(shape(points=((4.4, 6.0), (6.4, 7.0)), kind="mask", mask=png(pixels)))
    mask = rle_to_mask(row["mask"], 30, 40)
    assert mask[6:8, 4:7].tolist() == pixels.tolist()
    assert (mask.sum(), [row[n] for n in "xywh"]) == (4, [4, 6, 3, 2])
    given = shape(points=((4.4, 6.0), (6.4, 7.0)), kind="mask", mask=png(pixels))
    again = rewritten(of(given))["shapes"][0]
    assert again["points"] == [[4.4, 6.0], [6.4, 7.0]]
    back = Image.open(io.BytesIO(base64.b64decode(again["mask"])))
    assert np.asarray(back).tolist() == pixels.tolist()


def test_groups_of_polygons_are_one_polygon():
    """One label and one group_id: one row with several rings; the records are joined."""
    a, b = ((1, 1), (5, 1), (5, 5)), ((10, 10), (15, 10), (15, 15), (10, 15))
    found = read(
        of(
            shape(points=a, kind="polygon", group_id=3),
            shape(points=a, kind="polygon"),
            shape(points=b, kind="polygon", group_id=3),
            shape("dog", points=b, kind="polygon", group_id=3),
            shape(group_id=3),
        )
    )
    assert [(r["type"], r["label"], r.get("rings"), r.get("group")) for r in found.annotations] == [
        ("polygon", "cat", [3, 4], 3), ("polygon", "cat", None, None),
        ("polygon", "dog", None, 3), ("box", "cat", None, 3),
    ]  # fmt: skip
    whole = found.annotations[0]
    assert whole["points"] == [1, 1, 5, 1, 5, 5, 10, 10, 15, 10, 15, 15, 10, 15]
    assert [whole[n] for n in "xywh"] == [1, 1, 14, 14]
    assert (found.balance.read, found.balance.imported) == (6, 6)
    assert found.ledger.groups() == []


def test_parts_that_say_different_things_stay_apart():
    """Polygons of a group with other flags or descriptions are not joined: one would be lost."""
    triangle = ((1, 1), (5, 1), (5, 5))
    found = read(
        of(
            shape(points=triangle, kind="polygon", group_id=3, flags={"far": True}),
            shape(points=triangle, kind="polygon", group_id=3, flags={"far": False}),
        )
    )
    assert [(r["group"], r["attributes"]) for r in found.annotations] == [
        (3, '{"far":true}'), (3, '{"far":false}'),
    ]  # fmt: skip


def test_polygons_that_only_share_a_group_come_back_apart():
    """Two objects of one label in one group: LabelMe joins them, so the ledger says it."""
    ring = {"type": "polygon", "label": "cat", "group": 4, "item": "a.jpg"}
    rows = [{**ring, "points": [1.0, 1.0, 5.0, 1.0, 5.0, 5.0 + n]} for n in range(2)]
    items = [{"key": "a.jpg", "width": 40, "height": 30}]
    data = Example({"default": items}, {"default": rows}, (Label("cat"),))
    sink, ledger = MemorySink(), Ledger()
    FORMAT.write(data, sink, FORMAT.check_options({}, writing=True), ledger, Progress())
    assert ledger.groups() == [("warning", "group joins polygons", 2)]
    assert [r["points"] for r in read(sink.files).annotations] == [r["points"] for r in rows]


def test_what_a_shape_says():
    """Flags are attributes, the description is the text; other keys are written again."""
    given = shape(
        flags={"blurred": True, "far": False}, description="A word", group_id=7,
        score=0.5, difficult=True, attributes={"color": "red"}, kie_linking=[[1, 2]],
    )  # fmt: skip
    row = one(given)
    assert json.loads(row["attributes"]) == {
        "color": "red", "blurred": True, "far": False, "difficult": True,
    }  # fmt: skip
    assert (row["text"], row["group"], row["score"]) == ("A word", 7, 0.5)
    again = rewritten(of(given))["shapes"][0]
    assert {k: again[k] for k in given} == given


def test_the_text_of_anylabeling():
    """Its shapes have a text where LabelMe's have a description."""
    given = shape(text="A word")
    assert one(given)["text"] == "A word"
    again = rewritten(of(given))["shapes"][0]
    assert (again["text"], again["description"]) == ("A word", "")


def test_a_direction_is_written_again():
    """X-AnyLabeling's rotation keeps its direction and its corners."""
    corners = box_corners([[10, 10, 8, 4]], [30])[0].tolist()
    given = shape(points=corners, kind="rotation", direction=math.radians(30))
    again = rewritten(of(given))["shapes"][0]
    assert {k: again[k] for k in given} == given


# -- images ---------------------------------------------------------------------------


def test_flags_are_tags():
    """Flags that are true are tags; those that are false come back."""
    files = of(flags={"__ignore__": False, "cat": True, "dog": False})
    (row,) = read(files).annotations
    assert (row["type"], row["label"]) == ("tag", "cat")
    assert rewritten(files)["flags"] == {"__ignore__": False, "cat": True, "dog": False}


def test_version_2018():
    """No version, flags, shape_type or size; colours are kept; the size is the image's."""
    old = {
        "shapes": [{"label": "cat", "points": [[1, 2], [3, 2], [3, 9]],
                    "line_color": [0, 255, 0, 128], "fill_color": None}],
        "lineColor": [0, 255, 0, 128], "fillColor": [255, 0, 0, 128], "imagePath": "a.jpg",
        "imageData": base64.b64encode(jpeg(50, 20)).decode(),
    }  # fmt: skip
    files = {"a.json": json.dumps(old).encode(), "a.jpg": jpeg(50, 20)}
    assert detect(open_source(files))[0].format == "labelme"
    found = read(files)
    (item,), (row,) = found.items, found.annotations
    assert (item["width"], item["height"], item["media"]) == (50, 20, "a.jpg")
    assert (row["type"], row["points"]) == ("polygon", [1, 2, 3, 2, 3, 9])
    again = rewritten(files)
    assert (again["lineColor"], again["fillColor"]) == (old["lineColor"], old["fillColor"])
    assert again["shapes"][0]["line_color"] == [0, 255, 0, 128]


def test_an_image_that_is_only_in_the_file():
    """Its size is taken from imageData; that the picture is not kept is said."""
    data = base64.b64encode(jpeg(50, 20)).decode()
    found = read(of(imageData=data, imageHeight=None, imageWidth=None))
    (item,) = found.items
    assert (item["key"], item["width"], item["height"]) == ("a.jpg", 50, 20)
    assert found.ledger.groups() == [("warning", "image is only in the file", 1)]


@pytest.mark.parametrize(
    ("json_path", "image_path", "image", "place"),
    [
        ("a.json", "a.jpg", "a.jpg", (None, "a.jpg")),
        ("train/a.json", "a.jpg", "train/a.jpg", ("train", "a.jpg")),
        ("train/b/a.json", "a.jpg", "train/b/a.jpg", ("train", "b/a.jpg")),
        ("labels/val/a.json", "..\\..\\images\\val\\a.jpg", "images/val/a.jpg", ("val", "a.jpg")),
        ("val/labels/a.json", "../images/a.jpg", "val/images/a.jpg", ("val", "a.jpg")),
        ("json/a.json", "/home/me/a.jpg", "images/a.jpg", (None, "a.jpg")),
        ("json/a.json", "C:\\data\\a.JPG", "images/a.JPG", (None, "a.JPG")),
        ("a.json", "old name.jpg", "a.png", (None, "a.png")),
        ("data/train/a.json", "a.jpg", "data/train/a.jpg", ("train", "a.jpg")),
        ("b/a.json", "../../../a.jpg", "b/a.jpg", (None, "b/a.jpg")),
    ],
)
def test_finding_the_image(json_path, image_path, image, place):
    """Relative, with backslashes, absolute, stale: the image is found, subset and key told."""
    found = read({**of(shape(), name=json_path, imagePath=image_path), image: jpeg()})
    (item,) = found.items
    assert (item["media"], (item.get("subset"), item["key"])) == (image, place)


def test_the_image_of_the_files_own_name_wins():
    """Files copied with their images all name the first one; each has its own, and says so."""
    files = {
        **of(shape(), name="a.json"), **of(shape(), name="b.json"),
        "a.jpg": jpeg(), "b.jpg": jpeg(),
    }  # fmt: skip
    found = read(files)
    assert [i["media"] for i in found.items] == ["a.jpg", "b.jpg"]
    (line,) = found.ledger.lines("warning", "imagePath names another image")
    assert (line["file"], line["item"]) == ("b.json", "b.jpg")


def test_two_files_of_one_image():
    """The second is an item of its own: its shapes are not mixed with the first's."""
    files = {**of(shape(), name="a.json"), **of(shape("dog"), name="a_2.json"), "a.jpg": jpeg()}
    found = read(files)
    assert [(i["key"], i["media"]) for i in found.items] == [
        ("a.jpg", "a.jpg"), ("a_2.jpg", "a.jpg"),
    ]  # fmt: skip
    assert found.ledger.groups() == [("warning", "two files for one image", 1)]


def test_an_image_of_another_subset_is_not_taken():
    """train/a.json does not get val/a.jpg."""
    found = read({**of(shape(), name="train/a.json"), "val/a.jpg": jpeg(), "val/b.jpg": jpeg()})
    (item,) = found.items
    assert (item["subset"], item["key"], item.get("media")) == ("train", "a.jpg", None)
    assert found.ledger.groups() == [("warning", "image file missing", 1)]


def test_images_without_a_file_are_items():
    """Beside the annotated ones; images of other folders are not of this dataset."""
    found = read({**of(shape()), "a.jpg": jpeg(), "b.jpg": jpeg(), "masks/a.png": jpeg()})
    assert [i["key"] for i in found.items] == ["a.jpg", "b.jpg"]


def test_labels_txt_declares_labels():
    """In its order, without the names that LabelMe uses itself."""
    found = read({**of(shape("dog")), "labels.txt": b"__ignore__\n_background_\ncat\ndog\n"})
    assert list(found.labels) == ["cat", "dog"]


def test_instances_in_labels():
    """person-1 is a person in group 1, if asked for."""
    files = of(shape("person-1"), shape("x-ray"))
    assert [r["label"] for r in read(files).annotations] == ["person-1", "x-ray"]
    rows = read(files, instances=True).annotations
    assert [(r["label"], r.get("group")) for r in rows] == [("person", 1), ("x-ray", None)]


def test_supervision_reads_what_is_written(tmp_path):
    """An independent reader finds the same boxes."""
    sv = pytest.importorskip("supervision")
    rows = [
        {"item": "a.jpg", "type": "box", "label": "cat", "x": 2.5, "y": 3.0, "w": 10.0, "h": 5.0},
        {"item": "a.jpg", "type": "polygon", "label": "dog",
         "points": [1.0, 2, 30, 4, 30, 20, 4, 9]},
    ]  # fmt: skip
    items = [{"key": "a.jpg", "width": 40, "height": 30}]
    data = Example({"default": items}, {"default": rows}, (Label("cat"), Label("dog")))
    for path, content in written(FORMAT, data).items():
        (tmp_path / path).write_bytes(content)
    if not hasattr(sv.DetectionDataset, "from_labelme"):
        pytest.skip("this supervision has no reader of LabelMe")
    theirs = sv.DetectionDataset.from_labelme(
        images_directory_path=str(tmp_path), annotations_directory_path=str(tmp_path)
    )
    found = {
        (theirs.classes[c], tuple(box.tolist()))
        for _, _, detections in theirs
        for c, box in zip(detections.class_id, detections.xyxy, strict=True)
    }
    assert found == {("cat", (2.5, 3, 12.5, 8)), ("dog", (1, 2, 30, 20))}


# -- losses of writing ----------------------------------------------------------------


def test_losses_of_writing_are_told():
    """What LabelMe has no place for has a line each."""
    pixels = np.zeros((30, 40))
    rows = [
        {"type": "tag", "label": "cat"}, {"type": "tag", "label": "cat"},
        {"type": "tag", "label": "dog", "score": 0.5}, {"type": "tag"},
        {"type": "text", "text": "one"}, {"type": "text", "text": "two"},
        {"type": "ellipse", "label": "cat", "x": 1.0, "y": 1.0, "w": 4.0, "h": 2.0},
        {"type": "mask", "label": "cat", "mask": mask_to_rle(pixels), "mask_height": 30,
         "mask_width": 40, "x": 0.0, "y": 0.0, "w": 0.0, "h": 0.0},
        {"type": "box", "label": "cat", "x": 1.0, "y": 1.0, "w": 4.0, "h": 2.0, "track": "3"},
    ]  # fmt: skip
    items = [{"key": "a.jpg", "width": 40, "height": 30}]
    data = Example({"default": items}, {"default": [{**r, "item": "a.jpg"} for r in rows]})
    sink, ledger = MemorySink(), Ledger()
    FORMAT.write(data, sink, FORMAT.check_options({}, writing=True), ledger, Progress())
    assert ledger.groups() == [
        ("rejected", "annotation without a label", 1),
        ("rejected", "mask is empty", 1),
        ("rejected", "second text can't be written", 1),
        ("rejected", "tag given twice", 1),
        ("warning", "ellipse written as polygon", 1),
        ("warning", "score can't be written", 1),
        ("warning", "track can't be written", 1),
    ]


def test_a_skeleton_is_points_of_a_group():
    """A point per joint that is there, of its name, and the box, all of one group."""
    pose = Label("pose", skeleton=Skeleton(("nose", "left", "right")))
    row = {"item": "a.jpg", "type": "skeleton", "label": "pose", "points": [5.0, 6, 7, 8, 0, 0],
           "visibility": [2, 1, 0], "x": 4.0, "y": 5.0, "w": 6.0, "h": 7.0,
           "occluded": True}  # fmt: skip
    items = [{"key": "a.jpg", "width": 40, "height": 30}]
    data = Example({"default": items}, {"default": [row]}, (pose,))
    sink, ledger = MemorySink(), Ledger()
    FORMAT.write(data, sink, FORMAT.check_options({}, writing=True), ledger, Progress())
    shapes = json.loads(sink.files["a.json"])["shapes"]
    assert [(s["label"], s["shape_type"], s["points"], s["group_id"]) for s in shapes] == [
        ("pose", "rectangle", [[4, 5], [10, 12]], 0), ("nose", "point", [[5, 6]], 0),
        ("left", "point", [[7, 8]], 0),
    ]  # fmt: skip
    assert ledger.groups() == [
        ("warning", "occluded written as a flag", 1), ("warning", "skeleton written as points", 1),
    ]  # fmt: skip


def test_annotations_alone():
    """Without its images, the dataset is read with the same keys and subsets, and no doubts."""
    frame = {"type": "box", "label": "cat", "x": 1.0, "y": 1.0, "w": 2.0, "h": 3.0}
    items = [{"key": k, "width": 40, "height": 30} for k in ("1.jpg", "a/1.png")]
    rows = [{"item": i["key"], **frame} for i in items]
    data = Example({"train": items, "val": items}, {"train": rows, "val": rows}, (Label("cat"),))
    found = read(written(FORMAT, data, media=False))
    places = [(s, k) for s in ("train", "val") for k in ("1.jpg", "a/1.png")]
    assert [(i["subset"], i["key"]) for i in found.items] == places
    assert len(found.annotations) == 4
    assert found.ledger.groups() == []


def test_rotated_boxes_as_polygons():
    """For versions of LabelMe that refuse a file with an oriented_rectangle."""
    row = {"item": "a.jpg", "type": "box", "label": "cat", "x": 10.0, "y": 10.0, "w": 4.0, "h": 2.0,
           "rotation": 90.0}  # fmt: skip
    data = Example({"default": [{"key": "a.jpg"}]}, {"default": [row]}, (Label("cat"),))
    files = written(FORMAT, data, media=False, rotated_boxes="polygon")
    (found,) = json.loads(files["a.json"])["shapes"]
    assert found["shape_type"] == "polygon"
    assert np.round(found["points"], 6).tolist() == [[13, 9], [13, 13], [11, 13], [11, 9]]


# -- malformed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (shape(kind="blob"), "shape_type is not known"),
        (shape(points=((1, 2),)), "wrong count of points"),
        (shape(points=((1, 2),), kind="polygon"), "too few points"),
        (shape(points=(), kind="polygon"), "too few points"),
        (shape(points=((1, "x"), (2, 3))), "coordinate is not a number"),
        (shape(points=((1, math.nan), (2, 3))), "coordinate is not a number"),
        ({"label": "cat", "shape_type": "polygon"}, "no points"),
        (shape(kind="mask"), "mask without pixels"),
        (shape(kind="mask", mask="no PNG"), "mask can't be decoded"),
        (shape(kind="mask", mask=png(np.zeros((8, 5)))), "mask is empty"),
        (shape(points=((38, 2), (42, 3)), kind="mask", mask=png(np.ones((2, 5)))),
         "mask reaches outside the image"),
        ("text", "shape is not an object"),
    ],
)  # fmt: skip
def test_a_bad_shape_is_rejected_alone(given, reason):
    """The line names the shape; its neighbour is read."""
    found = read(of(shape("good"), given))
    assert [r["label"] for r in found.annotations] == ["good"]
    rejected = [g for g in found.ledger.groups() if g[0] == "rejected"]
    assert rejected == [("rejected", reason, 1)]
    (line,) = found.ledger.lines("rejected", reason)
    assert (line["file"], line["where"], line["item"]) == ("a.json", "shapes[1]", "a.jpg")


@pytest.mark.parametrize(
    ("given", "reason", "label"),
    [
        (shape(7), "label is no text", "7"),
        (shape(None), "shape without a label", None),
        (shape(group_id="x"), "group_id is not a whole number", "cat"),
        (shape(points=((1, 2), (3, 4)), kind="polygon"), "polygon of two points", "cat"),
        (shape(points=((-5, 2), (5, 9))), "reaches outside the image", "cat"),
        (shape(flags=[1]), "flags are not an object", "cat"),
    ],
)
def test_a_doubtful_shape_is_kept(given, reason, label):
    """It is imported, with one warning."""
    found = read(of(given))
    (row,) = found.annotations
    assert (row.get("label"), found.ledger.groups()) == (label, [("warning", reason, 1)])


def test_flags_that_are_neither():
    """A flag that is a text is rejected by name."""
    found = read(of(flags={"a": "yes", "b": True}))
    assert [r["label"] for r in found.annotations] == ["b"]
    (line,) = found.ledger.lines("rejected", "flag is neither true nor false")
    assert line["where"] == "flags['a']"


def test_a_broken_file_of_many_is_a_record():
    """The others are read; other JSON is noted; none at all is an error."""
    broken = {"b.json": b'{"shapes": [', "c.json": b'{"shapes": 5, "imagePath": "c.jpg"}',
              "d.json": b"", "e.json": b'{"images": []}'}  # fmt: skip
    found = read({**of(shape()), **broken})
    assert [i["key"] for i in found.items] == ["a.jpg"]
    assert found.ledger.groups() == [
        ("rejected", "the file is not JSON", 2),
        ("rejected", "file without shapes", 1),
        ("note", "not a LabelMe file", 1),
    ]
    with pytest.raises(BrokenFileError, match=r"b\.json"):
        read({"b.json": broken["b.json"]})
    with pytest.raises(BrokenFileError, match="has shapes"):
        read({"e.json": broken["e.json"]})


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_encodings(encoding):
    """UTF-8 with a mark, UTF-16, and GBK, as Chinese Windows wrote it."""
    text = json.dumps(json.loads(of(shape("猫咪"))["a.json"]), ensure_ascii=False)
    found = read({"a.json": text.encode(encoding)})
    assert [r["label"] for r in found.annotations] == ["猫咪"]
    notes = [g[1] for g in found.ledger.groups()]
    assert notes == (["file is not UTF-8"] if encoding == "gb18030" else [])


def test_a_declared_size_allocates_nothing():
    """A mask in an image that claims 10^9 pixels a side is refused."""
    given = shape(kind="mask", mask=png(np.ones((8, 5))))
    found = read(of(given, imageHeight=10**9, imageWidth=10**9))
    assert found.ledger.groups() == [("rejected", "mask is too large", 1)]


def test_an_image_before_everything_else():
    """A file that begins with a long imageData is still found out."""
    value = {"version": "4", "imageData": "A" * 100_000, "shapes": [], "imagePath": "a.jpg"}
    source = open_source({"a.json": json.dumps(value).encode()})
    assert detect(source)[0].format == "labelme"


def test_detects_no_sample_of_others(samples):
    """No JSON of another format is taken for LabelMe's."""
    for folder in ("coco", "datumaro", "createml", "label_studio", "supervisely", "darwin", "vott"):
        for case in sorted((samples / folder).iterdir()):
            with open_source(case) as source:
                assert not [c for c in detect(source) if c.format == "labelme" and c.confidence]
