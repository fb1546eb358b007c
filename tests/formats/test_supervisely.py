"""Supervisely projects: the conformance suite, real samples, and what projects in the wild hold."""

from __future__ import annotations

import base64
import io
import json
import math
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.base import Miss
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, read_back, written
from nbannot.formats.look import Look
from nbannot.formats.supervisely.write import SuperviselyWriter
from nbannot.formats.writing import FolderSink
from nbannot.geometry import rle_to_mask
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label, Skeleton
from nbannot.sources import open_source

from .json_junk import reads_any_junk
from .supervisely_files import IMAGE, VIDEO
from .supervisely_files import META as SDK_META


class TestSupervisely(FormatCases):
    """A graph has no box of its own, and a rectangle is at least a pixel."""

    format_name = "supervisely"

    def expected(self, row):
        """Drop the box of a skeleton; widen what is smaller than a pixel."""
        if row["type"] == "skeleton":
            return {k: v for k, v in row.items() if k not in "xywh"}
        if row["type"] == "box":
            return {**row, "w": max(row["w"], 1.0), "h": max(row["h"], 1.0)}
        return row

    def same_annotations(self, dataset, found):
        """Expect points one by one: Supervisely's are single."""
        single = {s: [one for row in rows for one in _singles(row)]
                  for s, rows in dataset.annotations.items()}  # fmt: skip
        super().same_annotations(replace(dataset, annotations=single), found)

    def container(self, files):
        """The project's meta.json; annotation files are one of many."""
        return "meta.json"


def _singles(row):
    points = row.get("points", ())
    if row["type"] != "points" or len(points) < 3:
        return [row]
    return [{**row, "points": points[i : i + 2]} for i in range(0, len(points), 2)]


def doc(*objects, size=(40, 30), **more):
    """Return an annotation file of an image, width and height given."""
    named = {"height": size[1], "width": size[0]}
    return {"description": "", "size": named, "tags": [], "objects": list(objects), **more}


def rect(title="cat", corners=((10, 20), (19, 29)), **more):
    """Return a rectangle."""
    points = {"exterior": [list(c) for c in corners], "interior": []}
    return {"classTitle": title, "geometryType": "rectangle", "tags": [], "points": points, **more}


def png(values, mode=None):
    """Return a PNG of pixels."""
    out = io.BytesIO()
    Image.fromarray(np.asarray(values, np.uint8), mode).save(out, "PNG")
    return out.getvalue()


def packed(data):
    """Return bytes as Supervisely keeps bitmaps."""
    return base64.b64encode(zlib.compress(data)).decode()


META = {
    "classes": [{"title": "cat", "shape": "any", "color": "#FF0000", "geometry_config": {}}],
    "tags": [],
}


def files_of(meta=META, **named):
    """Return a project of one dataset, ds, in memory."""
    files = {} if meta is None else {"meta.json": json.dumps(meta).encode()}
    for name, value in named.items():
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        files[f"ds/ann/{name}.jpg.json"] = data
    return files


def read(files, **options):
    """Read files in memory."""
    return read_back(get_format("supervisely"), open_source(files), **options)


def read_one(*objects, meta=META, **more):
    """Read one image with these objects."""
    return read(files_of(meta, a=doc(*objects, **more)))


# -- samples --------------------------------------------------------------------------


def test_sample_of_point_clouds(samples, expected):
    """A project of point clouds: every cloud, its tags, and a line for each cuboid."""
    source = open_source(samples / "supervisely/datumaro-sly_pointcloud")
    assert detect(source)[0].format == "supervisely"
    found = read_back(get_format("supervisely"), source)
    facts = json.loads(
        (expected / "supervisely/datumaro-sly_pointcloud.sly_pointcloud.json").read_text()
    )
    assert sorted(found.labels)[:2] == sorted(facts["labels"])
    assert {(i["key"].removesuffix(".pcd"), i["media"], i["kind"]) for i in found.items} == {
        (i["id"], i["file"], "other") for i in facts["items"]
    }
    tags = {(a["key"], a["label"], json.loads(a["attributes"])["value"]) for a in found.annotations}
    assert tags == {("frame1.pcd", "tag2", 65), ("frame1.pcd", "tag1", "25dsd")}
    lines = found.ledger.lines("rejected", "cuboid_3d can't be read")
    assert sorted(line["item"] for line in lines) == ["frame1.pcd", "frame1.pcd", "frame2.pcd"]
    assert (found.balance.read, found.balance.imported, found.balance.rejected) == (7, 4, 3)


def test_files_of_the_sdk():
    """Every geometry as SDK 6.74 writes it, made of known numbers."""
    sdk = {"meta.json": SDK_META, "ds/ann/a.png.json": IMAGE, "ds/ann/v.mp4.json": VIDEO}
    found = read({path: json.dumps(value).encode() for path, value in sdk.items()})
    rows = {r.get("label"): r for r in found.annotations if r["key"] == "a.png"}
    assert [rows["rect"][n] for n in "xywh"] == [3, 2, 10, 8]
    assert json.loads(rows["rect"]["attributes"]) == {"num": 5, "one": "a"}
    assert rows["poly"]["points"] == [0, 0, 20, 0, 20, 20, 5, 2, 8, 2, 8, 4]
    assert rows["poly"]["rings"] == [3, -3]
    assert rows["line"]["points"] == [1, 2, 3, 4]
    expected = np.zeros((30, 40), int)
    expected[3:9, 5:15] = 1
    expected[5, 7] = 0
    assert (rle_to_mask(rows["bm"]["mask"], 30, 40) == expected).all()
    assert np.argwhere(rle_to_mask(rows["am"]["mask"], 30, 40)).tolist() == [
        [y, x] for y in (2, 3) for x in (3, 4, 5)
    ]
    assert rows["pt"]["points"] == [8, 7]
    assert rows["ob"]["rotation"] == pytest.approx(30)
    assert rows["cub"]["points"] == [0, 4, 4, 4, 4, 8, 0, 8, 2, 2, 6, 2, 6, 6, 2, 6]
    assert (rows["kp"]["points"], rows["kp"]["visibility"]) == ([6, 5, 8, 7], [2, 1])
    assert found.labels["kp"].skeleton == Skeleton(("nose", "ear"), ((0, 1),))
    assert rows["mp"]["rings"] == [3, 3]
    assert rows[None]["text"] == "desc"
    boxes = [r for r in found.annotations if r["key"] == "v.mp4" and r["type"] == "box"]
    assert [(b["frame"], b["x"], b["w"], b.get("attributes")) for b in boxes] == [
        (0, 3, 10, None), (2, 5, 10, '{"num":3}'),
    ]  # fmt: skip
    assert found.ledger.groups() == [("warning", "hidden corner of a cuboid", 1)]


def test_grey_of_an_alpha_mask():
    """An alpha mask of several values is a mask, and the loss is told."""
    grey = {"origin": [0, 0], "data": packed(png([[0, 100], [255, 255]]))}
    figure = {"classTitle": "cat", "geometryType": "alpha_mask", "bitmap": grey}
    found = read_one(figure)
    assert rle_to_mask(found.annotations[0]["mask"], 30, 40).sum() == 3
    assert found.ledger.groups() == [("warning", "alpha mask read as a mask", 1)]


# -- geometry -------------------------------------------------------------------------


def test_rectangle_includes_its_corners():
    """[[10, 20], [19, 29]] covers ten pixels each way, whichever corner comes first."""
    for corners in (((10, 20), (19, 29)), ((19, 29), (10, 20)), ((19, 20), (10, 29))):
        (row,) = read_one(rect(corners=corners)).annotations
        assert [row[n] for n in "xywh"] == [10, 20, 10, 10]


def test_oriented_box_in_radians():
    """Points are a plain list, the angle is clockwise, about the centre."""
    figure = {"classTitle": "cat", "geometryType": "oriented_bbox", "points": [[2, 4], [5, 9]],
              "angle": math.pi / 6}  # fmt: skip
    (row,) = read_one(figure).annotations
    assert [row[n] for n in "xywh"] == [2, 4, 4, 6]
    assert row["rotation"] == pytest.approx(30)


def test_polygon_with_a_hole_and_multipolygon():
    """Interior are holes; the parts of a multipolygon are parts of one polygon."""
    square = [[0, 0], [9, 0], [9, 9], [0, 9]]
    hole = [[2, 2], [4, 2], [4, 4]]
    one = {"classTitle": "cat", "geometryType": "polygon",
           "points": {"exterior": square, "interior": [hole]}}  # fmt: skip
    two = {"classTitle": "cat", "geometryType": "multipolygon",
           "parts": [{"exterior": square, "interior": [hole]}, {"exterior": hole}]}  # fmt: skip
    rows = read_one(one, two).annotations
    assert rows[0]["rings"] == [4, -3]
    assert rows[0]["points"] == [0, 0, 9, 0, 9, 9, 0, 9, 2, 2, 4, 2, 4, 4]
    assert rows[1]["rings"] == [4, -3, 3]
    assert [rows[1][n] for n in "xywh"] == [0, 0, 9, 9]


def test_line_and_point():
    """A line is a polyline, a point is points."""
    line = rect(corners=((0, 0), (3, 4), (5, 6)), geometryType="line")
    point = rect(corners=((7, 8),), geometryType="point")
    rows = read_one(line, point).annotations
    assert [(r["type"], r["points"]) for r in rows] == [
        ("polyline", [0, 0, 3, 4, 5, 6]), ("points", [7, 8]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        packed(png([[0, 255], [255, 255]])),
        packed(png([[0, 1], [1, 1]])),
        packed(png([[[9, 9, 9, 0], [0, 0, 0, 255]], [[0, 0, 0, 7], [0, 0, 0, 255]]])),
        base64.b64encode(png([[0, 255], [255, 255]])).decode(),
    ],
    ids=["8 bit", "index", "alpha", "not deflated"],
)
def test_bitmaps_of_all_kinds(data):
    """A bitmap is put at its origin; an image with alpha is its alpha, black or not."""
    figure = {"classTitle": "cat", "geometryType": "bitmap",
              "bitmap": {"data": data, "origin": [5, 3]}}  # fmt: skip
    (row,) = read_one(figure).annotations
    pixels = rle_to_mask(row["mask"], 30, 40)
    assert sorted(np.argwhere(pixels).tolist()) == [[3, 6], [4, 5], [4, 6]]
    assert [row[n] for n in "xywh"] == [5, 3, 2, 2]


def test_bitmap_of_the_sdk():
    """A palette of two colours with the first transparent, as the SDK writes it."""
    image = Image.fromarray(np.array([[1, 0], [1, 1]], np.uint8))
    image.putpalette([0, 0, 0, 255, 255, 255])
    out = io.BytesIO()
    image.save(out, "PNG", transparency=0, optimize=False)
    figure = {"classTitle": "cat", "bitmap": {"data": packed(out.getvalue()), "origin": [0, 0]}}
    (row,) = read_one(figure).annotations
    assert rle_to_mask(row["mask"], 30, 40)[:2, :2].tolist() == [[1, 0], [1, 1]]


def test_graph_follows_its_template():
    """Joints come in the template's order; a missing node is absent, a disabled one hidden."""
    config = {
        "nodes": {"u1": {"label": "nose", "loc": [0, 0]}, "u2": {"label": "ear", "loc": [9, 9]},
                  "u3": {"label": "tail", "loc": [5, 5]}},
        "edges": [{"src": "u1", "dst": "u3"}],
    }  # fmt: skip
    meta = {"classes": [{"title": "dog", "shape": "graph", "geometry_config": config}], "tags": []}
    figure = {"classTitle": "dog", "geometryType": "graph",
              "nodes": {"u3": {"loc": [7, 8], "disabled": True},
                        "u1": {"loc": [1, 2]}}}  # fmt: skip
    found = read_one(figure, meta=meta)
    (row,) = found.annotations
    assert row["points"] == [1, 2, 0, 0, 7, 8]
    assert row["visibility"] == [2, 0, 1]
    assert found.labels["dog"].skeleton == Skeleton(("nose", "ear", "tail"), ((0, 2),))


def test_graph_node_that_the_template_lacks():
    """A node of no joint is a rejected line, and the others stay."""
    config = {"nodes": {"u1": {"label": "nose"}}, "edges": []}
    meta = {"classes": [{"title": "dog", "shape": "graph", "geometry_config": config}], "tags": []}
    good = {"classTitle": "dog", "nodes": {"u1": {"loc": [1, 2]}}}
    bad = {"classTitle": "dog", "nodes": {"zz": {"loc": [1, 2]}}}
    found = read_one(bad, good, meta=meta)
    assert len(found.annotations) == 1
    assert found.ledger.groups() == [("rejected", "node is not in the class's template", 1)]


def test_cuboid_2d():
    """Eight named corners: front face first, clockwise."""
    names = [
        f"face{n}-{c}" for n in (1, 2) for c in ("topleft", "topright", "bottomright", "bottomleft")
    ]
    vertices = {name: {"loc": [i, 10 + i]} for i, name in enumerate(names)}
    figure = {"classTitle": "cat", "geometryType": "cuboid_2d",
              "vertices": dict(reversed(vertices.items()))}  # fmt: skip
    (row,) = read_one(figure).annotations
    assert row["points"] == [v for i in range(8) for v in (i, 10 + i)]


def test_cuboid_of_seven_points():
    """The eighth corner completes the parallelogram of the back face; it is warned of."""
    points = [[0, 4], [4, 4], [4, 8], [0, 8], [2, 2], [6, 2], [6, 6]]
    faces = [[0, 1, 2, 3], [0, 4, 5, 1], [1, 5, 6, 2]]
    figure = {"classTitle": "cat", "geometryType": "cuboid", "points": points, "faces": faces}
    found = read_one(figure)
    (row,) = found.annotations
    assert row["points"] == [0, 4, 4, 4, 4, 8, 0, 8, 2, 2, 6, 2, 6, 6, 2, 6]
    assert found.ledger.groups() == [("warning", "hidden corner of a cuboid", 1)]


@pytest.mark.parametrize("faces", [[[0, 1, 2, 3]], "no", [[0, 1, 2, 99]] * 3, [[0, 1, 2, 3]] * 3])
def test_cuboid_of_impossible_faces(faces):
    """Faces that make no cuboid are a rejected line."""
    points = [[0, 4], [4, 4], [4, 8], [0, 8], [2, 2], [6, 2], [6, 6]]
    figure = {"classTitle": "cat", "geometryType": "cuboid", "points": points, "faces": faces}
    assert read_one(figure).ledger.groups() == [("rejected", "cuboid without three faces", 1)]


# -- tags, groups, descriptions -------------------------------------------------------


def test_tags_of_objects_and_images():
    """Tags of objects are attributes, scores and flags; those of an image are annotations."""
    tags = [{"name": "color", "value": "red"}, {"name": "confidence", "value": 0.5},
            {"name": "occluded"}, {"name": "n", "value": 1}, {"name": "n", "value": 2}]  # fmt: skip
    meta = {**META, "tags": [{"name": "day", "value_type": "none", "applicable_type": "imagesOnly"},
                             {"name": "temperature", "value_type": "any_number"}]}  # fmt: skip
    named = [{"name": "day"}, {"name": "temperature", "value": 21.5}]
    found = read_one(
        rect(tags=tags, description="STOP", instance="9"), meta=meta, tags=named,
        description="A street",
    )  # fmt: skip
    by_type = {r["type"]: r for r in found.annotations}
    box = by_type["box"]
    assert json.loads(box["attributes"]) == {"color": "red", "n": [1, 2]}
    assert (box["score"], box["occluded"], box["text"], box["group"]) == (0.5, True, "STOP", 9)
    assert by_type["text"]["text"] == "A street"
    tags = {r["label"]: r.get("attributes") for r in found.annotations if r["type"] == "tag"}
    assert tags == {"day": None, "temperature": '{"value":21.5}'}
    assert found.ledger.groups() == []


def test_tags_of_old_projects():
    """tags_images and tags_objects in meta.json, tags as bare names."""
    meta = {"classes": [{"title": "cat", "shape": "rectangle", "color": [255, 0, 16]}],
            "tags_images": ["day"], "tags_objects": ["old"]}  # fmt: skip
    found = read_one(rect(tags=["old"]), meta=meta, tags=["day"])
    assert [(r["type"], r["label"]) for r in found.annotations] == [("tag", "day"), ("box", "cat")]
    assert json.loads(found.annotations[1]["attributes"]) == {"old": True}
    assert found.labels["cat"].color == "#ff0010"
    assert found.ledger.groups() == []


# -- layouts --------------------------------------------------------------------------


def test_nested_datasets_and_images_without_annotations():
    """datasets/ folders nest; an image without a file is an item; equal names stay apart."""
    image = png([[[1, 2, 3]]])
    files = {
        "p/meta.json": json.dumps(META).encode(),
        "p/a/ann/1.png.json": json.dumps(doc(rect())).encode(),
        "p/a/img/1.png": image,
        "p/a/datasets/b/ann/1.png.json": json.dumps(doc()).encode(),
        "p/a/datasets/b/img/1.png": image,
        "p/a/datasets/b/img/2.png": image,
    }
    found = read(files)
    assert {(i["subset"], i["key"], i["media"]) for i in found.items} == {
        ("a", "1.png", "p/a/img/1.png"),
        ("a/b", "1.png", "p/a/datasets/b/img/1.png"),
        ("a/b", "2.png", "p/a/datasets/b/img/2.png"),
    }
    assert found.ledger.groups() == []


def test_image_of_another_dataset_is_not_taken():
    """Where the image is missing, one of the same name in another dataset is not it."""
    files = files_of(a=doc(rect())) | {"other/img/a.jpg": b"x", "ds/img/b.jpg": b"x"}
    found = read(files)
    media = {(i.get("subset"), i["key"]): i.get("media") for i in found.items}
    assert media["ds", "a.jpg"] is None
    assert media["other", "a.jpg"] == "other/img/a.jpg"
    assert found.ledger.groups() == [("warning", "image file missing", 1)]


def test_pairs_without_folders_and_without_meta():
    """image.jpg.json beside image.jpg, without meta.json: classes are those of the objects."""
    files = {"x/a.png": png([[[1, 2, 3]]]), "x/a.png.json": json.dumps(doc(rect("dog"))).encode(),
             "x/b.png": b""}  # fmt: skip
    best = detect(open_source(files))[0]
    assert (best.format, best.confidence) == ("supervisely", 0.9)
    found = read(files)
    assert [(i["key"], i["media"]) for i in found.items] == [("x/a.png",) * 2, ("x/b.png",) * 2]
    assert list(found.labels) == ["dog"]
    assert found.ledger.groups() == [("note", "no meta.json", 1)]


def test_old_names_without_the_suffix():
    """a.json for a.jpg, as projects before 2019 have it."""
    files = {"meta.json": json.dumps(META).encode(), "ds/img/a.jpg": b"",
             "ds/ann/a.json": json.dumps(doc(rect())).encode()}  # fmt: skip
    found = read(files)
    assert [(i["key"], i["media"]) for i in found.items] == [("a.jpg", "ds/img/a.jpg")]
    assert len(found.annotations) == 1


def test_two_annotation_files_for_one_image():
    """a.json and a.jpg.json: both are kept, and said."""
    files = {"meta.json": json.dumps(META).encode(), "ds/img/a.jpg": b"",
             "ds/ann/a.json": json.dumps(doc(rect())).encode(),
             "ds/ann/a.jpg.json": json.dumps(doc(rect())).encode()}  # fmt: skip
    found = read(files)
    assert (len(found.items), len(found.annotations)) == (1, 2)
    assert found.ledger.groups() == [("warning", "two annotation files for one image", 1)]


def test_image_info_and_own_data():
    """img_info gives an id and a link, meta/ an image's own data."""
    files = files_of(a=doc()) | {
        "ds/img_info/a.jpg.json": json.dumps({"id": 7, "link": "https://x.org/a.jpg"}).encode(),
        "ds/meta/a.jpg.json": json.dumps({"camera": "front"}).encode(),
    }
    (item,) = read(files).items
    assert (item["source_id"], item["uri"]) == ("7", "https://x.org/a.jpg")
    assert json.loads(item["meta"]) == {"supervisely": {"meta": {"camera": "front"}}}


def test_a_single_file(tmp_path):
    """One annotation file is recognised by itself."""
    path = tmp_path / "a.jpg.json"
    path.write_text(json.dumps(doc(rect("dog"))))
    with open_source(path) as source:
        assert detect(source)[0].format == "supervisely"
        found = read_back(get_format("supervisely"), source)
    assert [(i["key"], i["width"]) for i in found.items] == [("a.jpg", 40)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings(encoding):
    """A byte order mark, and UTF-16."""
    data = (
        json.dumps(doc(rect("größe ✓")), ensure_ascii=False).replace("\n", "\r\n").encode(encoding)
    )
    found = read(files_of(None, a=data))
    assert [r["label"] for r in found.annotations] == ["größe ✓"]


# -- videos, volumes ------------------------------------------------------------------


def video():
    """Return the annotation of a video: a car on two frames, an object on none."""

    def figure(key, left):
        return {"key": f"f{left}", "objectKey": key, "geometryType": "rectangle",
                "geometry": {"points": {"exterior": [[left, 0], [left + 3, 4]],
                                        "interior": []}}}  # fmt: skip

    return {
        "size": {"height": 30, "width": 40}, "framesCount": 9, "key": "v",
        "tags": [{"name": "rain", "frameRange": [2, 4]}],
        "objects": [
            {"key": "o1", "classTitle": "cat",
             "tags": [{"name": "wet", "frameRange": [3, 3]}, {"name": "color", "value": "red"}]},
            {"key": "o2", "classTitle": "cat", "tags": []},
        ],
        "frames": [
            {"index": 2, "figures": [figure("o1", 1)]},
            {"index": 3, "figures": [figure("o1", 5), figure("nobody", 5)]},
        ],
    }  # fmt: skip


def test_videos():
    """Figures carry frame and track; tags hold for their frames; what has no object is told."""
    files = {"meta.json": json.dumps(META).encode(), "ds/video/v.mp4": b"",
             "ds/ann/v.mp4.json": json.dumps(video()).encode()}  # fmt: skip
    assert detect(open_source(files))[0].format == "supervisely"
    found = read(files)
    (item,) = found.items
    assert (item["kind"], item["key"], item["frames"]) == ("video", "v.mp4", 9)
    boxes = [r for r in found.annotations if r["type"] == "box"]
    assert [(b["frame"], b["track"], b["label"], b["x"], b["w"]) for b in boxes] == [
        (2, "o1", "cat", 1, 4), (3, "o1", "cat", 5, 4),
    ]  # fmt: skip
    assert [json.loads(b["attributes"]) for b in boxes] == [
        {"color": "red"}, {"wet": True, "color": "red"},
    ]  # fmt: skip
    tag = next(r for r in found.annotations if r["type"] == "tag")
    assert (tag["frame"], json.loads(tag["attributes"])) == (2, {"frames": [2, 4]})
    assert {g[:2] for g in found.ledger.groups()} == {
        ("rejected", "figure of no object"), ("rejected", "object without figures"),
        ("warning", "tag is not in meta.json"),
    }  # fmt: skip


def test_volumes_and_episodes():
    """Figures of slices and of episodes are rejected one by one; the media are items."""
    volume = {"volumeMeta": {}, "objects": [], "tags": [], "spatialFigures": [{}],
              "planes": [{"name": "axial", "slices": [{"index": 1, "figures": [
                  {"geometryType": "bitmap"}]}]}]}  # fmt: skip
    episode = {"objects": [], "frames": [{"index": 0, "figures": [{"geometryType": "cuboid_3d"}]}]}
    found = read(
        {
            "meta.json": json.dumps(META).encode(),
            "v/ann/a.nrrd.json": json.dumps(volume).encode(), "v/volume/a.nrrd": b"x",
            "e/annotation.json": json.dumps(episode).encode(), "e/pointcloud/1.pcd": b"x",
        }
    )  # fmt: skip
    assert {(i["subset"], i["key"], i["kind"]) for i in found.items} == {
        ("v", "a.nrrd", "other"), ("e", "1.pcd", "other"),
    }  # fmt: skip
    assert found.balance.rejected == 3


# -- malformed ------------------------------------------------------------------------


def bitmap_at(x, y, data=None):
    """Return a bitmap of 2 x 2 at a place."""
    data = packed(png([[255, 255], [255, 255]])) if data is None else data
    return {
        "classTitle": "cat",
        "geometryType": "bitmap",
        "bitmap": {"data": data, "origin": [x, y]},
    }


@pytest.mark.parametrize(
    ("figure", "reason"),
    [
        ("no object", "figure is not an object"),
        (rect(corners=()), "too few points"),
        (rect(corners=((0, 0), ("a", 1))), "coordinate is not a number"),
        (rect(corners=((0, 0), (1, 1), (2, 2))), "rectangle without two corners"),
        ({"classTitle": "cat", "geometryType": "rectangle", "points": {}}, "no points"),
        (rect(geometryType="polygon"), "too few points"),
        ({"classTitle": "cat", "geometryType": "hologram"}, "hologram can't be read"),
        ({"classTitle": "cat"}, "figure without a shape can't be read"),
        (bitmap_at(39, 29), "mask reaches outside the image"),
        (bitmap_at(-1, 0), "mask reaches outside the image"),
        (bitmap_at(0, 0, "%%%"), "mask can't be decoded"),
        (bitmap_at(0, 0, packed(b"GIF89a")), "mask can't be decoded"),
        (bitmap_at(0, 0, packed(b"\0" * (1 << 27))), "mask is too large"),
        (bitmap_at(0, 0, packed(png([[0]]))), "mask is empty"),
        ({"classTitle": "cat", "geometryType": "cuboid_2d", "vertices": {}},
         "cuboid without eight corners"),
    ],
)  # fmt: skip
def test_figures_that_can_not_be_read(figure, reason):
    """One bad figure is one rejected line, and the next one is read."""
    found = read_one(figure, rect())
    assert found.ledger.groups() == [("rejected", reason, 1)]
    (line,) = found.ledger.lines("rejected", reason)
    assert (line["file"], line["where"], line["record"], line["item"]) == (
        "ds/ann/a.jpg.json", "objects[0]", "object 1", "a.jpg",
    )  # fmt: skip
    assert len(found.annotations) == 1


@pytest.mark.parametrize(
    ("figure", "reason"),
    [
        (rect("dog"), "class is not in meta.json"),
        (rect(None), "object without a class"),
        (rect(corners=((30, 20), (45, 29))), "reaches outside the image"),
        (rect(tags=[3]), "tag without a name"),
    ],
)
def test_figures_that_are_doubtful(figure, reason):
    """It is read as it is, with a warning."""
    found = read_one(figure)
    assert found.ledger.groups() == [("warning", reason, 1)]
    assert len(found.annotations) == 1


def test_floats_and_the_old_key_type():
    """Floats in points are kept; the key type is as good as geometryType."""
    figure = rect(corners=((1.5, 2.25), (3.5, 4.25)))
    figure["type"] = figure.pop("geometryType")
    (row,) = read_one(figure).annotations
    assert [row[n] for n in "xywh"] == [1.5, 2.25, 3, 3]


def test_shape_comes_from_the_class():
    """Files of the SDK may omit geometryType: the class says that two points are a line."""
    figure = rect()
    del figure["geometryType"]
    meta = {"classes": [{"title": "cat", "shape": "line", "id": 5}], "tags": []}
    assert read_one(figure, meta=meta).annotations[0]["type"] == "polyline"
    assert read_one(figure).annotations[0]["type"] == "box"
    del figure["classTitle"]
    assert read_one({**figure, "classId": 5}, meta=meta).annotations[0]["label"] == "cat"


def test_sizes_that_are_none():
    """A size of zero or text is a warning; a declared size of 10**9 allocates nothing."""
    found = read_one(rect(), size=(0, "x"))
    assert found.ledger.groups() == [("warning", "size is no size", 1)]
    assert "width" not in found.items[0]
    found = read_one(bitmap_at(0, 0), size=(10**9, 10**9))
    assert found.ledger.groups() == [("rejected", "mask is too large", 1)]


def test_one_broken_file_of_many():
    """A file cut in half is a rejected line; its neighbour is read."""
    found = read(files_of(a=b'{"size": {"hei', b=doc(rect()), c=b"[1, 2]"))
    assert [(i["key"]) for i in found.items] == ["b.jpg"]
    assert {g[:2] for g in found.ledger.groups()} == {
        ("rejected", "the file is not JSON"), ("rejected", "the file is no annotation"),
    }  # fmt: skip


def test_nothing_but_broken_files():
    """Where not a single file is JSON, that is an error that names the first."""
    with pytest.raises(BrokenFileError, match=r"a\.jpg\.json"):
        read(files_of(a=b"{", b=b""))


def test_a_broken_meta_json():
    """meta.json cut in half is an error that names it."""
    with pytest.raises(BrokenFileError, match=r"meta\.json"):
        read({"meta.json": b'{"classes": [', "ds/ann/a.jpg.json": b"{}"})


def test_junk_in_any_place():
    """Whatever stands in place of a value, nothing is raised and the ledger balances."""
    meta = {"meta.json": {
        "classes": [{"title": "cat", "shape": "any", "color": "#ff0000", "id": 3},
                    {"title": "pose", "shape": "graph", "geometry_config": {
                        "nodes": {"u": {"label": "nose"}}, "edges": [{"src": "u", "dst": "u"}]}}],
        "tags": [{"name": "t", "value_type": "none"}],
    }}  # fmt: skip
    graph = {"classTitle": "pose", "nodes": {"u": {"loc": [1, 2], "disabled": True}}}
    points = [[0, 4], [4, 4], [4, 8], [0, 8], [2, 2], [6, 2], [6, 6]]
    faces = [[0, 1, 2, 3], [0, 4, 5, 1], [1, 5, 6, 2]]
    cuboid = {"classTitle": "cat", "points": points, "faces": faces}
    polygon = {"classTitle": "cat", "geometryType": "polygon", "tags": [{"name": "t", "value": 1}],
               "points": {"exterior": [[0, 0], [2, 0], [2, 2]],
                          "interior": [[[0, 0], [2, 0], [2, 2]]]}}  # fmt: skip
    image = doc(rect(), graph, cuboid, polygon, bitmap_at(1, 1), tags=[{"name": "t"}])
    more = {**meta, "ds/ann/b.jpg.json": doc()}
    reads_any_junk("supervisely", "ds/ann/a.jpg.json", image, more)
    reads_any_junk("supervisely", "ds/ann/v.mp4.json", video(), more)
    annotated = {"ds/ann/a.jpg.json": image}
    reads_any_junk("supervisely", "meta.json", meta["meta.json"], annotated)
    info = {"id": 1, "link": "https://x.org", "meta": {"nbannot_key": "a/b.jpg"}}
    reads_any_junk("supervisely", "ds/img_info/a.jpg.json", info, {**meta, **annotated})


def test_blobs_are_noted():
    """Images within blob/*.tar and their offsets are not opened; a note says so."""
    found = read(files_of(a=doc()) | {"blob/0.tar": b"", "ds/0_offsets.pkl": b"\x80\x04"})
    assert ("note", "not read: images within blobs", 1) in found.ledger.groups()


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({"a.txt": b""}, "no JSON file"),
        ({"a.json": b""}, "no meta.json with classes, no JSON file with objects and size"),
        ({"a.json": b'{"imgHeight": 1, "objects": [], "size": {"width": 1}}'},
         "no meta.json with classes, no JSON file with objects and size"),
        ({"meta.json": b'{"info": 1}'},
         "no meta.json with classes, no JSON file with objects and size"),
    ],
)  # fmt: skip
def test_not_a_project(files, missing):
    """The one thing that is missing is said."""
    with pytest.raises(Miss, match=missing):
        get_format("supervisely").requires(Look(open_source(files)))


# -- writing --------------------------------------------------------------------------


CAT = Label("cat")


def export(*rows, labels=(CAT,), **item):
    """Return an example of one image."""
    columns = {"key": "a.jpg", "width": 64, "height": 48, **item}
    return Example(
        {"train": [columns]}, {"train": [{"item": columns["key"], **r} for r in rows]}, labels
    )


def write(data, **options):
    """Return the files written, parsed, and the ledger."""
    ledger = Ledger()

    class Told(type(get_format("supervisely"))):
        def write(self, export, sink, options, _, progress):
            super().write(export, sink, options, ledger, progress)

    files = written(Told(), data, media=False, **options)
    return {path: json.loads(text) for path, text in files.items()}, ledger


BOX = {"type": "box", "label": "cat", "x": 10.0, "y": 20.0, "w": 10.0, "h": 10.0}


def test_what_is_written():
    """Rectangles with inclusive whole corners, tags for attributes, ids that are numbers."""
    row = {**BOX, "score": 0.25, "occluded": True, "group": 3, "text": "hi", "source_id": "12",
           "attributes": '{"color": "red", "n": 2, "wet": true}'}  # fmt: skip
    files, ledger = write(export(row))
    assert sorted(files) == ["meta.json", "train/ann/a.jpg.json"]
    (figure,) = files["train/ann/a.jpg.json"]["objects"]
    assert figure["points"] == {"exterior": [[10, 20], [19, 29]], "interior": []}
    assert (figure["id"], figure["instance"], figure["description"]) == (12, "3", "hi")
    assert figure["tags"] == [
        {"name": "color", "value": "red"}, {"name": "n", "value": 2}, {"name": "wet"},
        {"name": "confidence", "value": 0.25}, {"name": "occluded"},
    ]  # fmt: skip
    kinds = {t["name"]: (t["value_type"], t["applicable_type"]) for t in files["meta.json"]["tags"]}
    assert kinds == {
        "color": ("any_string", "objectsOnly"), "n": ("any_number", "objectsOnly"),
        "wet": ("none", "objectsOnly"), "confidence": ("any_number", "objectsOnly"),
        "occluded": ("none", "objectsOnly"),
    }  # fmt: skip
    assert files["meta.json"]["classes"][0]["shape"] == "rectangle"
    assert ledger.groups() == []
    back = read_back(
        get_format("supervisely"), open_source(written(get_format("supervisely"), export(row)))
    ).annotations[0]  # fmt: skip
    assert json.loads(back["attributes"]) == {"color": "red", "n": 2, "wet": True}
    assert (back["score"], back["occluded"], back["group"], back["text"], back["source_id"]) == (
        0.25, True, 3, "hi", "12",
    )  # fmt: skip


def test_rotation_and_cuboid_come_back():
    """Degrees become radians and degrees again; cuboids keep their corners."""
    corners = [float(v) for v in range(16)]
    rows = [{**BOX, "rotation": 30.0}, {"type": "cuboid", "label": "cat", "points": corners}]
    format = get_format("supervisely")
    back = read_back(format, open_source(written(format, export(*rows)))).annotations
    assert back[0]["rotation"] == pytest.approx(30)
    assert back[1]["points"] == corners


def test_names_with_folders():
    """a/1.jpg is called a_1.jpg in its dataset; its path is kept, and it is told."""
    files, ledger = write(export(key="a/1.jpg"))
    assert files["train/meta/a_1.jpg.json"] == {"nbannot_key": "a/1.jpg"}
    assert ledger.groups() == [("warning", "renamed", 1)]


def test_a_nested_subset():
    """The subset a/b is the dataset a/datasets/b."""
    data = export()
    files = written(get_format("supervisely"), Example({"a/b": data.items["train"]}, {}))
    assert "a/datasets/b/img/a.jpg" in files


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({**BOX, "w": 0.5}, "box smaller than a pixel"),
        ({**BOX, "attributes": '{"a": false}'}, "value written as text"),
        ({**BOX, "attributes": '{"occluded": true}'}, "attribute means occluded"),
        ({**BOX, "attributes": '{"occluded": 1}', "occluded": True}, "attribute can't be written"),
        ({**BOX, "track": "7"}, "track can't be written"),
        ({"type": "points", "label": "cat", "points": [1.0, 2.0, 3.0, 4.0]},
         "points written one by one"),
        ({"type": "skeleton", "label": "cat", "points": [1.0, 2.0], "x": 1.0, "y": 1.0, "w": 1.0,
          "h": 1.0}, "box of a skeleton can't be written"),
        ({"type": "tag", "label": "cat", "attributes": '{"x": 1}'},
         "value of a tag can't be written"),
        ({"type": "text", "label": "cat", "text": "hi"}, "label of a text"),
    ],
)  # fmt: skip
def test_what_is_changed_is_told(row, reason):
    """It is written, and a warning says what is lost."""
    _, ledger = write(export(row))
    assert [g[:2] for g in ledger.groups()] == [("warning", reason)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"type": "box", "label": "cat", "x": 1.0}, "box is incomplete"),
        ({"type": "polygon", "label": "cat", "points": [1.0, 2.0]},
         "polygon with fewer than three points"),
        ({"type": "polyline", "label": "cat", "points": [1.0, 2.0]},
         "line with fewer than two points"),
        ({"type": "points", "label": "cat", "points": []}, "no points"),
        ({"type": "cuboid", "label": "cat", "points": [1.0, 2.0]}, "cuboid without eight corners"),
        ({"type": "skeleton", "label": "cat", "points": [1.0, 2.0], "visibility": [0]},
         "skeleton without points"),
        ({"type": "text", "text": ""}, "text is empty"),
        ({"type": "box", "x": 1.0, "y": 1.0, "w": 1.0, "h": 1.0}, "annotation without a label"),
    ],
)  # fmt: skip
def test_what_can_not_be_written_is_told(row, reason):
    """It is left out, with a line that names it."""
    files, ledger = write(export(row))
    assert files["train/ann/a.jpg.json"]["objects"] == []
    assert [g[:2] for g in ledger.groups()] == [("rejected", reason)]
    assert ledger.lines("rejected", reason)[0]["record"] == "annotation 1"


def movie(*rows):
    """Return an example of one video."""
    item = {"key": "a/v.mp4", "kind": "video", "width": 64, "height": 48, "frames": 30}
    return Example({"train": [item]}, {"train": [{"item": "a/v.mp4", **r} for r in rows]}, (CAT,))


def test_videos_come_back():
    """Frames, tracks, and what is said of an object on some frames only."""
    rows = [
        {**BOX, "frame": 3, "track": "7", "attributes": '{"color": "red"}', "score": 0.5},
        {**BOX, "frame": 4, "track": "7", "attributes": '{"color": "red", "wet": true}',
         "score": 0.5},
        {**BOX, "frame": 6, "track": "7", "attributes": '{"color": "red", "wet": true}',
         "score": 0.5},
        {**BOX, "frame": 3, "track": "0123456789abcdef0123456789abcdef", "occluded": True},
        {**BOX, "frame": 3},
        {"type": "tag", "label": "rain", "frame": 2, "attributes": '{"frames": [2, 4]}'},
        {"type": "text", "text": "a street"},
    ]  # fmt: skip
    files, ledger = write(movie(*rows))
    document = files["train/ann/a_v.mp4.json"]
    assert files["meta.json"]["projectType"] == "videos"
    tags = document["objects"][0]["tags"]
    assert tags == [
        {"name": "color", "value": "red"},
        {"name": "confidence", "value": 0.5},
        {"name": "wet", "frameRange": [4, 4]},
        {"name": "wet", "frameRange": [6, 6]},
    ]
    assert [f["index"] for f in document["frames"]] == [3, 4, 6]
    assert {g[:2] for g in ledger.groups()} == {
        ("warning", "renamed"), ("note", "frames between keyframes are not filled"),
    }  # fmt: skip
    found = read({path: json.dumps(value).encode() for path, value in files.items()})
    assert found.ledger.groups() == []
    (item,) = found.items
    assert (item["key"], item["kind"], item["frames"]) == ("a/v.mp4", "video", 30)
    names = ("type", "label", "frame", "track", "x", "y", "w", "h", "score", "occluded", "text")
    back = [
        ({n: r[n] for n in names if n in r}, json.loads(r.get("attributes", "{}")))
        for r in found.annotations
    ]
    given = [
        ({n: r[n] for n in names if n in r}, json.loads(r.get("attributes", "{}"))) for r in rows
    ]
    assert sorted(map(repr, back)) == sorted(map(repr, given))


def test_what_a_video_can_not_hold():
    """Figures without a frame, or outside, are rejected; images and videos do not mix."""
    files, ledger = write(movie(BOX, {**BOX, "frame": 1, "track": "1", "outside": True}))
    assert files["train/ann/a_v.mp4.json"]["frames"] == []
    assert {g[:2] for g in ledger.groups() if g[0] == "rejected"} == {
        ("rejected", "figure without a frame"), ("rejected", "outside can't be written"),
    }  # fmt: skip
    both = movie()
    both.items["train"].append({"key": "b.jpg", "width": 64, "height": 48})
    files, ledger = write(both)
    assert "train/ann/b.jpg.json" in files
    assert ledger.groups() == [("rejected", "video can't be written", 1)]


def test_whole_pixels():
    """Asked for, coordinates are rounded, and a warning says whose changed."""
    files, ledger = write(export({**BOX, "x": 10.4}, BOX), whole_pixels=True)
    corners = [f["points"]["exterior"] for f in files["train/ann/a.jpg.json"]["objects"]]
    assert corners == [[[10, 20], [19, 29]]] * 2
    assert ledger.groups() == [("warning", "coordinates rounded to whole pixels", 1)]


def test_mixed_values_of_one_tag():
    """A tag with numbers and texts is text in all of Supervisely; a choice stays a choice."""
    label = Label("cat", attributes=({"name": "size", "value_type": "oneof_string",
                                      "values": ["S", "L"]},))  # fmt: skip
    rows = [{**BOX, "attributes": json.dumps({"n": v, "size": "S"})} for v in (1, "two")]
    files, ledger = write(export(*rows, labels=(label,)))
    tags = {t["name"]: t for t in files["meta.json"]["tags"]}
    assert tags["n"]["value_type"] == "any_string"
    assert (tags["size"]["value_type"], tags["size"]["values"]) == ("oneof_string", ["S", "L"])
    assert ledger.groups() == [("warning", "value written as text", 1)]


def test_a_project_comes_back_as_it_was(tmp_path):
    """Ids, colours, templates, tags and what is not understood are written again."""
    config = {"nodes": {"u1": {"label": "nose", "loc": [0, 0], "color": "#00ff00"}}, "edges": []}
    meta = {
        "classes": [
            {"title": "cat", "shape": "rectangle", "color": "#ff0000", "geometry_config": {},
             "id": 9, "hotkey": "c"},
            {"title": "pose", "shape": "graph", "color": "#00ff00", "geometry_config": config,
             "id": 10, "hotkey": ""},
        ],
        "tags": [{"name": "day", "value_type": "any_string", "color": "#112233", "id": 3,
                  "hotkey": "", "applicable_type": "imagesOnly", "classes": []}],
        "projectType": "images",
    }  # fmt: skip
    figures = [
        rect(id=5, labelerLogin="me", description="", shape="rectangle"),
        {"classTitle": "pose", "geometryType": "graph", "shape": "graph", "description": "",
         "tags": [], "nodes": {"u1": {"loc": [3, 4]}}},
    ]  # fmt: skip
    given = files_of(meta, a=doc(*figures, tags=[{"name": "day", "value": "Monday"}], name="a.jpg"))
    source = open_source(given)

    class Export:
        name, subsets = "project", ("ds",)

        def __init__(self):
            self.given = list(get_format("supervisely").read(source, {}, Ledger(), Progress()))
            self.labels = self.given[0].labels

        def batches(self, subset):
            return iter(self.given)

    ledger = Ledger()
    sink = FolderSink(tmp_path)
    SuperviselyWriter(Export(), sink, ledger, Progress(), whole_pixels=False).write()
    for path, data in given.items():
        assert json.loads((tmp_path / path).read_text()) == json.loads(data), path
    assert ledger.groups() == []
