"""CVAT: real samples against independent readers, malformed files, tracks and their frames."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import read_back
from nbannot.geometry import rle_to_mask
from nbannot.schema import Skeleton
from nbannot.sources import open_source

IMAGES, VIDEO = get_format("cvat"), get_format("cvat-video")


def png(width=20, height=10, shade=0):
    """Return the bytes of an image."""
    out = io.BytesIO()
    Image.new("L", (width, height), shade).save(out, "PNG")
    return out.getvalue()


def xml(inner, meta=""):
    """Return a file of CVAT with `inner`."""
    head = f"<meta>{meta}</meta>" if meta else ""
    return f"<annotations><version>1.1</version>{head}{inner}</annotations>".encode()


def image(shapes, attrs='id="0" name="a.png" width="20" height="10"'):
    """Return an image of 20 x 10 with shapes."""
    return f"<image {attrs}>\n{shapes}\n</image>"


BOX = '<box label="cat" source="manual" occluded="0" xtl="1" ytl="2" xbr="4" ybr="6" z_order="0"/>'


def read(files, format=IMAGES, limit=None, **options):
    """Read files in memory (or one XML file), checking the balance."""
    if isinstance(files, bytes):
        files = {"annotations.xml": files}
    return read_back(format, open_source(files), limit=limit, **options)


def problems(found):
    """Return the groups of the ledger that speak of records."""
    return [g for g in found.ledger.groups() if g[0] != "note"]


def line(found, reason, outcome="rejected"):
    """Return the one line of a reason."""
    (one,) = found.ledger.lines(outcome, reason)
    return one


# -- samples -------------------------------------------------------------------------


def compared(expected):
    """Return the annotations of an independent reader's answer, as rows that compare."""
    rows = []
    for item in expected["items"]:
        for a in item["annotations"]:
            more = dict(a.get("attributes", {}))
            if a["type"] == "skeleton":
                parts = a["elements"]
                geometry = [v for e in parts for v in e["points"]]
            else:
                geometry = a.get("bbox_xywh") or a["points"]
            kind = {"bbox": "box"}.get(a["type"], a["type"])
            track = more.pop("track_id", None)
            frame = item["attributes"]["frame"]
            rows.append(
                {
                    "item": item["id"], "type": kind, "label": a.get("label"),
                    "geometry": geometry, "z": a.get("z_order", 0),
                    "occluded": bool(more.pop("occluded")),
                    "keyframe": more.pop("keyframe", None), "outside": more.pop("outside", None),
                    "track": None if track is None else str(track),
                    "frame": None if track is None else frame, "attributes": more,
                }
            )  # fmt: skip
    return rows


def ours(found):
    """Return our rows in the same shape."""
    rows = []
    for a in found.annotations:
        geometry = [a[n] for n in "xywh"] if a["type"] == "box" else a["points"]
        rows.append(
            {
                "item": a["key"].rpartition(".")[0], "type": a["type"], "label": a.get("label"),
                "geometry": geometry, "z": a.get("z_order", 0),
                "occluded": a.get("occluded", False), "keyframe": a.get("keyframe"),
                "outside": a.get("outside"), "track": a.get("track"), "frame": a.get("frame"),
                "attributes": json.loads(a.get("attributes", "{}")),
            }
        )  # fmt: skip
    return rows


def ordered(rows):
    """Return rows in an order of their own."""
    return sorted(rows, key=lambda r: json.dumps(r, sort_keys=True, default=str))


@pytest.mark.parametrize(
    ("case", "name", "answer"),
    [
        ("cvatdatumaro-for_images", "cvat", "cvatdatumaro-for_images.cvat.cvatfork"),
        ("datumaro-for_images/export_project", "cvat", "datumaro-for_images__export_project.cvat"),
        ("datumaro-for_images/export_task", "cvat",
         "datumaro-for_images__export_task_train.xml.cvat"),
        ("datumaro-for_video", "cvat-video", "datumaro-for_video.cvat"),
        ("cvatdatumaro-for_video", "cvat-video", "cvatdatumaro-for_video.cvat.cvatfork"),
    ],
)  # fmt: skip
def test_samples_are_what_independent_readers_say(samples, expected, case, name, answer):
    """Every annotation of the samples: geometry, attributes, tracks, frames."""
    truth = json.loads((expected / "cvat" / f"{answer}.json").read_text())
    with open_source(samples / "cvat" / case) as source:
        best = detect(source)[0]
        assert (best.format, best.root, best.confidence) == (name, "", 0.95)
        found = read_back(get_format(name), source)
    wanted, back = compared(truth), ours(found)
    for row in wanted:
        # Joint 3 went outside at frame 13 and is gone at 16: Datumaro leaves it out, we say 0.
        if row["type"] == "skeleton" and len(row["geometry"]) == 6:
            row["geometry"][4:4] = [83.27, 106.61]
    assert ordered(back) == ordered(wanted)
    assert not [g for g in found.ledger.groups() if g[0] == "rejected"]
    named = "annotations.xml" in str(truth["path"]) or name == "cvat-video"
    subsets = {None: truth["n_items"]} if named else truth["subsets"]
    counts: dict[str | None, int] = {}
    for item in found.items:
        counts[item.get("subset")] = counts.get(item.get("subset"), 0) + 1
    assert counts == subsets


def test_the_sample_of_joints(samples):
    """Visibility is what outside and occluded say; the joints' names are those of the label."""
    with open_source(samples / "cvat" / "cvatdatumaro-for_images") as source:
        found = read_back(IMAGES, source)
    shown = [a["visibility"] for a in found.annotations if a["type"] == "skeleton"]
    assert shown == [[0, 2, 2, 2], [2, 2, 0, 2]]
    label = found.labels["skeleton"]
    assert label.skeleton == Skeleton(("1", "2", "3", "4"), ((2, 1), (0, 3)))
    assert label.color == "#0c81b5"
    assert label.extra["cvat"]["joints"]["1"] == {"color": "#d12345"}
    assert sorted(found.labels) == ["label1", "label2", "skeleton"]
    assert problems(found) == [("warning", "annotation without a label", 2)]


def test_a_frame_whose_image_is_missing(samples):
    """Frame 16 has annotations and no image: it is an item, and the ledger says so."""
    with open_source(samples / "cvat" / "cvatdatumaro-for_video") as source:
        found = read_back(VIDEO, source)
    assert [(i["key"], i.get("media"), i["width"], i["height"]) for i in found.items] == [
        ("frame_000010.png", "images/frame_000010.png", 25, 20),
        ("frame_000013.png", "images/frame_000013.png", 25, 20),
        ("frame_000016.png", None, 25, 20),
    ]
    told = line(found, "image file missing", "warning")
    assert (told["record"], told["item"]) == ("item", "frame_000016.png")
    # The joints of this sample lie far below its picture of 25 x 20.
    assert ("warning", "skeleton reaches outside the image", 3) in found.ledger.groups()


def test_a_single_file_without_its_images(samples):
    """An XML file alone is read; that images are not there is no warning."""
    with open_source(samples / "cvat/datumaro-for_images/export_task/train.xml") as source:
        assert detect(source)[0].format == "cvat"
        found = read_back(IMAGES, source)
    assert [i["key"] for i in found.items] == ["img0.jpg", "img1.jpg"]
    assert len(found.annotations) == 4
    assert problems(found) == [("warning", "annotation without a label", 2)]


def test_two_exports_in_one_folder(samples):
    """Keys begin with the folder of each file, so that nothing is mixed up."""
    with open_source(samples / "cvat" / "datumaro-for_images") as source:
        found = read_back(IMAGES, source)
    assert len(found.items) == 8
    assert {i["key"] for i in found.items if i["subset"] == "train"} == {
        "export_task/img0.jpg", "export_task/img1.jpg"
    }  # fmt: skip
    assert len({i["media"] for i in found.items}) == 8


# -- geometry ------------------------------------------------------------------------


def test_a_mask_is_rows_within_its_box():
    """Runs begin with zeros and go along the rows of the box; ours is the whole image."""
    shape = '<mask label="cat" rle="1, 2, 1, 2" left="3" top="4" width="3" height="2"/>'
    found = read(xml(image(shape)))
    (row,) = found.annotations
    truth = np.zeros((10, 20), np.uint8)
    truth[4, 4:6] = 1
    truth[5, 4:6] = 1
    assert rle_to_mask(row["mask"], row["mask_height"], row["mask_width"]).tolist() == (
        truth.tolist()
    )
    assert [row[n] for n in "xywh"] == [4.0, 4.0, 2.0, 2.0]


def test_masks_of_any_shape():
    """Random masks against plain numpy, to the image's edges, empty and full."""
    random = np.random.default_rng(5)
    for _ in range(60):
        width, height = (int(v) for v in random.integers(1, 9, 2))
        left, top = int(random.integers(0, 21 - width)), int(random.integers(0, 11 - height))
        inside = random.random((height, width)) < random.choice([0.0, 0.2, 0.8, 1.0])
        if random.random() < 0.3:
            top, height = 0, 10
            inside = np.ones((10, width), bool)
        flat = inside.ravel().astype(int)
        changes = np.flatnonzero(np.diff(flat, prepend=0))
        runs = np.diff([0, *changes, flat.size]).tolist()
        shape = (
            f'<mask label="c" rle="{", ".join(map(str, runs))}" left="{left}" top="{top}" '
            f'width="{width}" height="{height}"/>'
        )
        (row,) = read(xml(image(shape))).annotations
        truth = np.zeros((10, 20), np.uint8)
        truth[top : top + height, left : left + width] = inside
        assert (rle_to_mask(row["mask"], 10, 20) == truth).all()


def test_cuboids_are_turned_into_our_order():
    """Front face tl, tr, br, bl; then the rear, whose top right is what CVAT calls tl2."""
    names = ("tl1", "bl1", "tr1", "br1", "tl2", "bl2", "tr2", "br2")
    corners = {n: (float(i), float(i) / 2) for i, n in enumerate(names)}
    attrs = " ".join(f'x{n}="{x}" y{n}="{y}"' for n, (x, y) in corners.items())
    (row,) = read(xml(image(f'<cuboid label="cat" {attrs}/>'))).annotations
    order = ("tl1", "tr1", "br1", "bl1", "tr2", "tl2", "bl2", "br2")
    assert row["points"] == [v for n in order for v in corners[n]]


def test_ellipses_rotation_and_tags():
    """The centre and the radii of an ellipse; degrees clockwise; tags with attributes."""
    shapes = (
        '<ellipse label="c" cx="10" cy="5" rx="4" ry="2" rotation="30.5"/>'
        '<box label="c" xtl="1" ytl="2" xbr="4" ybr="6" rotation="350"/>'
        '<tag label="c" source="auto" group_id="2"><attribute name="a">b</attribute></tag>'
    )
    ellipse, box, tag = read(xml(image(shapes))).annotations
    assert [ellipse[n] for n in (*"xywh", "rotation")] == [6.0, 3.0, 8.0, 4.0, 30.5]
    assert box["rotation"] == 350.0
    assert (tag["type"], tag["group"], tag["attributes"]) == ("tag", 2, '{"a":"b"}')
    assert json.loads(tag["extra"]) == {"cvat": {"source": "auto"}}


def test_attributes_have_the_type_their_label_declares():
    """Checkbox and number; a value that is none stays text, as one that nobody declared."""
    kinds = {"c": "checkbox", "n": "number", "t": "text", "x": "number", "y": "checkbox"}
    declared = "".join(
        f"<attribute><name>{n}</name><input_type>{k}</input_type></attribute>"
        for n, k in kinds.items()
    )
    label = f"<label><name>cat</name><attributes>{declared}</attributes></label>"
    meta = f"<task><labels>{label}</labels></task>"
    values = {"c": "True", "n": "-1.50", "t": "1", "x": "many", "y": "yes", "occluded": "no"}
    inner = "".join(f'<attribute name="{n}">{v}</attribute>' for n, v in values.items())
    shape = f'<box label="cat" xtl="1" ytl="2" xbr="4" ybr="6" occluded="1">{inner}</box>'
    (row,) = read(xml(image(shape), meta)).annotations
    assert json.loads(row["attributes"]) == {
        "c": True, "n": -1.5, "t": "1", "x": "many", "y": "yes", "occluded": "no"
    }  # fmt: skip
    assert row["occluded"] is True


def test_attributes_are_those_of_their_own_shape():
    """A box without attributes after one with some has none."""
    with_some = BOX.replace("/>", '><attribute name="a">1</attribute></box>')
    found = read(xml(image(BOX + with_some + BOX)))
    assert [r.get("attributes") for r in found.annotations] == [None, '{"a":"1"}', None]


# -- the head ------------------------------------------------------------------------


def test_a_job_and_no_head_at_all():
    """Labels of a job's head; without a head those that occur."""
    job = "<job><id>3</id><labels><label><name>dog</name></label></labels></job>"
    assert list(read(xml(image(BOX), job)).labels) == ["dog", "cat"]
    found = read(xml(image(BOX)))
    assert list(found.labels) == ["cat"]
    assert found.ledger.groups() == []


def test_labels_that_are_not_declared_are_noted():
    """They are labels all the same."""
    meta = "<task><labels><label><name>dog</name></label></labels></task>"
    found = read(xml(image(BOX), meta))
    assert found.ledger.groups() == [("note", "labels that are not declared", 1)]


@pytest.mark.parametrize(
    "meta",
    [
        "<task><original_size><width>20</width><height>10</height></original_size></task>",
        "<job/><original_size><width>20</width><height>10</height></original_size>",
        (
            "<task><data><original_size><width>20</width><height>10</height></original_size></data>"
            "</task>"
        ),
    ],
)
def test_original_size_at_any_depth(meta):
    """In the task, beside it, or deeper."""
    track = f'<track id="0" label="cat">{BOX.replace("<box", "<box frame=" + repr("0"))}</track>'
    (item,) = read(xml(track, meta), VIDEO).items
    assert (item["kind"], item["width"], item["height"]) == ("video", 20, 10)


def test_names_of_joints_are_not_labels_and_may_come_twice():
    """Two skeletons may both have a nose; a drawing is read, and not kept."""
    part = "<label><name>nose</name><type>points</type><parent>{}</parent></label>"
    svg = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;circle data-label-name='x'&gt;"
    top = "<label><name>{}</name><type>skeleton</type><svg>" + svg + "</svg></label>"
    labels = "".join(t.format(n) for n in ("cat", "dog") for t in (top, part))
    found = read(xml("", f"<project><labels>{labels}</labels></project>"))
    assert {n: label.skeleton for n, label in found.labels.items()} == {
        "cat": Skeleton(("nose",)), "dog": Skeleton(("nose",))
    }  # fmt: skip
    assert "script" not in repr(found.labels)


# -- items ---------------------------------------------------------------------------


def test_a_project_with_subsets():
    """Equal names in two subsets are two items, each with its own image."""
    both = "".join(
        image(BOX, f'id="0" name="a.png" subset="{s}" task_id="{n}" width="20" height="10"')
        for n, s in enumerate(("Train", "Test"))
    )
    files = {
        "annotations.xml": xml(both), "images/Train/a.png": png(),
        "images/Test/a.png": png(shade=9),
    }  # fmt: skip
    found = read(files)
    assert [(i["subset"], i["media"]) for i in found.items] == [
        ("Train", "images/Train/a.png"), ("Test", "images/Test/a.png")
    ]  # fmt: skip
    del files["images/Test/a.png"]
    found = read(files)
    assert [i.get("media") for i in found.items] == ["images/Train/a.png", None]
    assert line(found, "image file missing", "warning")["item"] == "a.png"


def test_two_tasks_with_one_name_in_one_subset():
    """The second is called after its task; which image is whose nobody can say."""
    both = "".join(
        image(BOX, f'id="0" name="a.png" subset="s" task_id="{n}" width="20" height="10"')
        for n in (7, 8)
    )
    found = read({"annotations.xml": xml(both), "images/s/a.png": png()})
    assert [(i["key"], i.get("media")) for i in found.items] == [
        ("a.png", "images/s/a.png"), ("8/a.png", None)
    ]  # fmt: skip
    assert ("warning", "two images of one name", 1) in found.ledger.groups()


def test_an_image_that_is_given_twice():
    """As jobs that overlap do: the shapes of both are on it."""
    files = {"job_1.xml": xml(image(BOX)), "job_2.xml": xml(image(BOX)), "images/a.png": png()}
    found = read(files)
    assert (len(found.items), len(found.annotations)) == (1, 2)
    assert problems(found) == [("warning", "image is given twice", 1)]


def test_several_tasks_in_an_archive():
    """One XML file and one folder of images each, with equal names."""
    files = {}
    for n in (1, 2):
        files[f"task_{n}/annotations.xml"] = xml(image(BOX))
        files[f"task_{n}/images/a.png"] = png(shade=n)
    found = read(files)
    assert [(i["key"], i["media"]) for i in found.items] == [
        ("task_1/a.png", "task_1/images/a.png"), ("task_2/a.png", "task_2/images/a.png")
    ]  # fmt: skip
    assert problems(found) == []


def test_a_file_for_each_split():
    """In folders called train and val, with the images in data/, as FiftyOne has them."""
    files = {}
    for split in ("train", "val"):
        files[f"{split}/labels.xml"] = xml(image(BOX))
        files[f"{split}/data/a.png"] = png(shade=len(split))
        files[f"{split}/data/b.png"] = png()
    found = read(files)
    assert sorted((i["subset"], i["key"], i["media"]) for i in found.items) == [
        (split, f"{name}.png", f"{split}/data/{name}.png")
        for split in ("train", "val")
        for name in "ab"
    ]
    assert problems(found) == []


def test_names_without_a_suffix_and_with_backslashes():
    r"""The image's suffix is added; ``sub\a.png`` is sub/a.png."""
    two = image(BOX, 'id="0" name="frame_000001"') + image(BOX, 'id="1" name="sub\\a.png"')
    found = read(
        {"annotations.xml": xml(two), "images/frame_000001.PNG": png(), "images/sub/a.png": png()}
    )
    assert [(i["key"], i["media"]) for i in found.items] == [
        ("frame_000001.PNG", "images/frame_000001.PNG"), ("sub/a.png", "images/sub/a.png")
    ]  # fmt: skip
    assert problems(found) == []


def test_images_that_are_not_named_are_items_too():
    """FiftyOne leaves out images without shapes; they are noted."""
    found = read({"annotations.xml": xml(image(BOX)), "images/a.png": png(),
                  "images/b.png": png()})  # fmt: skip
    assert [i["key"] for i in found.items] == ["a.png", "b.png"]
    assert found.ledger.groups() == [("note", "images that no annotation names", 1)]


def test_a_name_that_leads_out_is_refused():
    """Nothing outside the source is looked at; the key is safe to write."""
    found = read(xml(image(BOX, 'id="0" name="../../etc/passwd.png" width="9" height="9"')))
    assert found.items[0]["key"] == "etc/passwd.png"
    assert problems(found) == [("warning", "image path refused", 1)]


# -- malformed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "outcome", "reason"),
    [
        ('<box label="c" xtl="1" ytl="2" xbr="4"/>', "rejected", "box without numbers"),
        ('<box label="c" xtl="x" ytl="2" xbr="4" ybr="5"/>', "rejected", "box without numbers"),
        ('<box label="c" xtl="nan" ytl="2" xbr="4" ybr="5"/>', "rejected",
         "coordinate is not a number"),
        ('<box label="c" xtl="4" ytl="2" xbr="1" ybr="5"/>', "rejected",
         "width or height is negative"),
        ('<box label="c" xtl="1" ytl="2" xbr="1" ybr="5"/>', "warning", "box has no area"),
        ('<box label="c" xtl="1" ytl="2" xbr="99" ybr="5"/>', "warning",
         "box reaches outside the image"),
        ('<box label="" xtl="1" ytl="2" xbr="4" ybr="5"/>', "warning",
         "annotation without a label"),
        ('<box xtl="1" ytl="2" xbr="4" ybr="5"/>', "warning", "annotation without a label"),
        ('<box label="c" xtl="1" ytl="2" xbr="4" ybr="5" z_order="top"/>', "warning",
         "z_order is not a number"),
        ('<box label="c" xtl="1" ytl="2" xbr="4" ybr="5" group_id="99999999999999999999"/>',
         "warning", "group_id is not a number"),
        ('<polygon label="c"/>', "rejected", "polygon without points"),
        ('<polygon label="c" points="1,2;3;4,5"/>', "rejected", "polygon without numbers"),
        ('<polyline label="c" points="1,2;a,b"/>', "rejected", "polyline without numbers"),
        ('<points label="c" points="1,inf"/>', "rejected", "coordinate is not a number"),
        ('<polygon label="c" points="1,1;3,3;99,5"/>', "warning",
         "polygon reaches outside the image"),
        ('<ellipse label="c" cx="1" cy="2" rx="-1" ry="2"/>', "rejected",
         "width or height is negative"),
        ('<cuboid label="c" xtl1="1"/>', "rejected", "cuboid without numbers"),
        ('<mask label="c" rle="1,2" left="0" top="0" width="2" height="2"/>', "rejected",
         "mask runs do not fit"),
        ('<mask label="c" rle="1,-2" left="0" top="0" width="2" height="2"/>', "rejected",
         "mask runs do not fit"),
        (('<mask label="c" rle="9223372036854775807,9223372036854775807,6" left="0" top="0" '
         'width="2" height="2"/>'), "rejected", "mask runs do not fit"),
        ('<mask label="c" rle="1000000000" left="0" top="0" width="100000" height="10000"/>',
         "rejected", "mask is too large"),
        ('<mask label="c" rle="" left="0" top="0" width="2" height="2"/>', "rejected",
         "mask without numbers"),
        ('<mask label="c" rle="4" left="0" top="0" width="2" height="2"/>', "warning",
         "mask is empty"),
        ('<mask label="c" rle="0,4" left="-1" top="0" width="2" height="2"/>', "rejected",
         "mask has no place"),
        ('<mask label="c" rle="0,4" left="19" top="0" width="2" height="2"/>', "warning",
         "mask reaches outside the image"),
        ('<mask label="c" rle="0,1" left="2000000000" top="2000000000" width="1" height="1"/>',
         "rejected", "mask is too large"),
        ('<skeleton label="c"></skeleton>', "rejected", "skeleton without points"),
        ('<brush label="c" points="1,2"/>', "rejected", "<brush> is not known"),
    ],
)  # fmt: skip
def test_a_malformed_shape_is_one_line(shape, outcome, reason):
    """The shapes beside it stay; the line names file, line and shape."""
    found = read(xml(image(f"{BOX}\n{shape}\n{BOX}")))
    assert problems(found) == [(outcome, reason, 1)]
    told = line(found, reason, outcome)
    assert (told["file"], told["where"], told["record"], told["item"]) == (
        "annotations.xml", "line 3", "shape 2", "a.png"
    )  # fmt: skip
    assert len(found.annotations) == (2 if outcome == "rejected" else 3)


def test_semicolons_at_the_end():
    """As some tools write them: nothing is lost by it."""
    (row,) = read(xml(image('<polygon label="c" points="1,2;3,4;5,6;"/>'))).annotations
    assert row["points"] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_an_image_without_a_name_takes_its_shapes_with_it():
    """Each of them is a line, the other image stays."""
    found = read(xml(image(BOX + BOX, 'id="7" width="5" height="5"') + image(BOX)))
    assert problems(found) == [
        ("rejected", "image was rejected", 2), ("rejected", "image without a name", 1)
    ]  # fmt: skip
    assert len(found.annotations) == 1


def test_declared_sizes_that_are_none():
    """The size of the image itself counts then."""
    odd = image(BOX, 'id="0" name="a.png" width="0" height="x"')
    found = read({"annotations.xml": xml(odd), "images/a.png": png(7, 3)})
    assert (found.items[0]["width"], found.items[0]["height"]) == (7, 3)
    assert problems(found) == [
        ("warning", "box reaches outside the image", 1), ("warning", "declared size is none", 1)
    ]  # fmt: skip


def test_a_shape_outside_of_any_image():
    """It can't be on anything."""
    found = read(xml(BOX + image(BOX)))
    assert problems(found) == [("rejected", "shape of no image", 1)]


def test_an_old_file_and_its_extra_attributes():
    """What is not known of a shape is kept in `extra`."""
    shape = BOX.replace("<box", '<box flipped="1" annotation_type="manual"')
    (row,) = read(xml(image(shape))).annotations
    assert json.loads(row["extra"]) == {"cvat": {"flipped": "1"}}


def test_joints_that_do_not_fit():
    """A joint that the label has not, one that is no point: a warning each."""
    part = "<label><name>a</name><type>points</type><parent>p</parent></label>"
    meta = f"<task><labels><label><name>p</name><type>skeleton</type></label>{part}</labels></task>"
    shape = (
        '<skeleton label="p"><points label="a" points="1,2"/><points label="z" points="3,4"/>'
        '<box label="b" xtl="1" ytl="1" xbr="2" ybr="2"/><attribute name="q">1</attribute>'
        "</skeleton>"
    )
    found = read(xml(image(shape), meta))
    (row,) = found.annotations
    assert (row["points"], row["visibility"], row["attributes"]) == ([1.0, 2.0], [2], '{"q":"1"}')
    assert {g[1] for g in problems(found)} == {
        "joint is not of the skeleton", "joint is not a point"
    }  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1251"])
def test_encodings_and_line_ends(encoding):
    """A byte order mark, UTF-16, a declared code page, CRLF."""
    name = "котик" if encoding == "cp1251" else "größe ✓"
    shape = BOX.replace("cat", name)
    text = xml(image(shape)).decode().replace("\n", "\r\n")
    if encoding == "cp1251":
        text = f'<?xml version="1.0" encoding="windows-1251"?>{text}'
    files = {"annotations.xml": text.encode(encoding)}
    assert detect(open_source(files))[0].format == "cvat"
    assert read(files).annotations[0]["label"] == name


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><annotations><image name="&x;"/></annotations>',
        b'<!DOCTYPE a SYSTEM "http://example.org/a.dtd"><annotations><image /></annotations>',
        (
            b'<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><annotations>'
            b"<image /></annotations>"
        ),
    ],
)
def test_document_types_are_refused(data):
    """And with them all entities, before anything is made of them."""
    with pytest.raises(BrokenFileError, match=r"document type.*annotations\.xml"):
        read(data)


def test_a_file_cut_in_half_is_named():
    """With the line; of several files the others are read, and what came before stays."""
    whole = xml(image(BOX) + image(BOX, 'id="1" name="b.png"'))
    half = whole[: len(whole) - 30]
    with pytest.raises(BrokenFileError, match=r"annotations\.xml, line 4"):
        read(half)
    found = read({"one.xml": half, "two.xml": xml(image(BOX, 'id="0" name="c.png"'))})
    assert [i["key"] for i in found.items] == ["a.png", "b.png", "c.png"]
    assert problems(found) == [("rejected", "the file can't be read", 1)]
    assert line(found, "the file can't be read")["file"] == "one.xml"


def test_files_of_others_and_empty_ones():
    """Detection says the one thing that is missing; reading says what is expected."""
    for data, missing in (
        (b"", "the first element of annotations.xml is not <annotations>"),
        (b"<annotation><object/></annotation>",
         "the first element of annotations.xml is not <annotations>"),
        (b"<annotations><note/></annotations>",
         "annotations.xml has no <image>, <meta>, <version>"),
    ):  # fmt: skip
        candidates = {c.format: c for c in detect(open_source({"annotations.xml": data}))}
        assert candidates["cvat"].confidence == candidates["cvat-video"].confidence == 0
        assert candidates["cvat"].missing == missing
        with pytest.raises(BrokenFileError, match="There is no XML file of CVAT"):
            read(data)


def test_nesting_without_end():
    """A million elements within one another: read as nothing, without a crash."""
    deep = b"<a>" * 200_000 + b"</a>" * 200_000
    for data in (xml(deep.decode()), xml("", deep.decode()), xml(image(deep.decode()))):
        found = read(data)
        assert not found.annotations


def test_one_token_that_is_very_long():
    """A mask of a million runs is read in linear time."""
    runs = ",".join(["1"] * 1_000_000)
    shape = f'<mask label="c" rle="{runs}" left="0" top="0" width="1000" height="1000"/>'
    found = read(xml(image(shape, 'id="0" name="a.png" width="1000" height="1000"')))
    (row,) = found.annotations
    assert rle_to_mask(row["mask"], 1000, 1000).sum() == 500_000


def test_a_preview_stops_early():
    """With a limit the file is read no further than it must be."""
    many = "".join(image(BOX, f'id="{n}" name="{n}.png"') for n in range(9))
    found = read(xml(many)[:-40], limit=2)  # its end is broken: nobody gets there
    assert [i["key"] for i in found.items] == ["0.png", "1.png"]
    assert len(found.annotations) == 2


# -- tracks --------------------------------------------------------------------------


def track(shapes, attrs='id="0" label="cat"'):
    """Return a track."""
    return f"<track {attrs}>{shapes}</track>"


def framed(frame, x=0, *, outside=0, keyframe=1, more=""):
    """Return a box of 2 x 2 at (x, 0) on a frame."""
    return (
        f'<box frame="{frame}" keyframe="{keyframe}" outside="{outside}" occluded="0" '
        f'xtl="{x}" ytl="0" xbr="{x + 2}" ybr="2" z_order="0" {more}></box>'
    )


def meta(start=0, stop=9, step=1, more=""):
    """Return the head of a task of a video."""
    return (
        f"<task><id>5</id><name>clip</name><size>10</size><mode>interpolation</mode>"
        f"<start_frame>{start}</start_frame><stop_frame>{stop}</stop_frame>"
        f"<frame_filter>step={step}</frame_filter>{more}</task><source>t.mp4</source>"
    )


def test_a_video_is_one_item():
    """Its key is the video's name; rows have frame, track, keyframe and outside."""
    data = xml(track(framed(2) + framed(5, 3, keyframe=0) + framed(7, outside=1)), meta())
    assert detect(open_source({"annotations.xml": data}))[0].format == "cvat-video"
    found = read(data, VIDEO)
    assert [(i["key"], i["kind"], i["frames"]) for i in found.items] == [("t.mp4", "video", 10)]
    names = ("track", "frame", "x", "keyframe", "outside")
    assert [tuple(r[n] for n in names) for r in found.annotations] == [
        ("0", 2, 0.0, True, False), ("0", 5, 3.0, False, False), ("0", 7, 0.0, True, True)
    ]  # fmt: skip
    assert problems(found) == []


def test_the_video_beside_it_is_found():
    """By the name in the head, or as the only one there is."""
    data = xml(track(framed(2)), meta())
    found = read({"annotations.xml": data, "t.mp4": b"x", "u.mp4": b"y"}, VIDEO)
    assert found.items[0]["media"] == "t.mp4"
    data = xml(track(framed(2)))
    found = read({"annotations.xml": data, "u.mp4": b"y"}, VIDEO)
    assert (found.items[0]["media"], found.items[0]["key"]) == ("u.mp4", "u.mp4")


def test_interpolation_between_keyframes():
    """Linear for boxes, none after outside, held to the last frame of the task."""
    shapes = framed(0, 0) + framed(4, 8) + framed(6, 8, outside=1) + framed(8, 1)
    found = read(xml(track(shapes), meta()), VIDEO, frames="interpolated")
    rows = [(r["frame"], r["x"], r["keyframe"], r["outside"]) for r in found.annotations]
    assert rows == [
        (0, 0.0, True, False), (1, 2.0, False, False), (2, 4.0, False, False),
        (3, 6.0, False, False), (4, 8.0, True, False), (5, 8.0, False, False),
        (6, 8.0, True, True), (8, 1.0, True, False), (9, 1.0, False, False),
    ]  # fmt: skip


def test_interpolation_goes_in_the_steps_of_the_task():
    """Every fifth frame is one of the task; the keyframes are where they were."""
    data = xml(track(framed(10, 0) + framed(25, 3)), meta(10, 30, 5))
    found = read(data, VIDEO, frames="interpolated")
    rows = [(r["frame"], r["x"]) for r in found.annotations]
    assert rows == [(10, 0.0), (15, 1.0), (20, 2.0), (25, 3.0), (30, 3.0)]
    assert [r["frame"] for r in read(data, VIDEO).annotations] == [10, 25]


def test_other_shapes_are_held_or_moved():
    """Points with equal counts move, polygons and masks are held; rotation takes the short way."""
    pair = {
        "points": ('points="0,0;2,2"', 'points="2,4;4,6"'),
        "polygon": ('points="0,0;2,2;0,2"', 'points="2,4;4,6;2,6"'),
        "box": ('xtl="0" ytl="0" xbr="2" ybr="2" rotation="350"',
                'xtl="2" ytl="0" xbr="4" ybr="2" rotation="20"'),
    }  # fmt: skip
    tracks = "".join(
        track("".join(f'<{tag} frame="{2 * i}" {a}/>' for i, a in enumerate(two)), f'id="{tag}"')
        for tag, two in pair.items()
    )
    found = read(xml(tracks, meta(stop=2)), VIDEO, frames="interpolated")
    middle = {r["type"]: r for r in found.annotations if r["frame"] == 1}
    assert middle["points"]["points"] == [1.0, 2.0, 3.0, 4.0]
    assert middle["polygon"]["points"] == [0.0, 0.0, 2.0, 2.0, 0.0, 2.0]
    assert (middle["box"]["x"], middle["box"]["rotation"]) == (1.0, 365.0)


def test_frames_without_end_are_not_made():
    """A task that claims 10**12 frames costs nothing; the track stays as stored."""
    data = xml(track(framed(0)), meta(stop=10**12))
    found = read(data, VIDEO, frames="interpolated")
    assert len(found.annotations) == 1
    assert problems(found) == [("warning", "not interpolated", 1)]


def test_frames_as_images():
    """images/frame_000010.png is frame 10; frames without annotations are items too."""
    files = {
        "annotations.xml": xml(track(framed(10) + framed(13)), meta(10, 16, 3)),
        **{f"images/frame_{n:06d}.png": png() for n in (10, 13, 16)},
    }
    found = read(files, VIDEO)
    assert [(i["key"], i["source_id"]) for i in found.items] == [
        ("frame_000010.png", "10"), ("frame_000013.png", "13"), ("frame_000016.png", "16")
    ]  # fmt: skip
    assert [(r["key"], r["frame"]) for r in found.annotations] == [
        ("frame_000010.png", 10), ("frame_000013.png", 13)
    ]  # fmt: skip
    assert problems(found) == []


def test_tracks_of_a_project_are_on_the_videos_of_their_tasks():
    """task_id and subset say which; equal track ids of two tasks are two tracks."""
    tasks = "".join(
        f"<task><id>{n}</id><name>{name}</name><subset>{s}</subset></task>"
        for n, name, s in ((3, "one", "Train"), (4, "two", "Test"))
    )
    tracks = "".join(
        track(framed(1), f'id="0" label="cat" task_id="{n}" subset="{s}"')
        for n, s in ((3, "Train"), (4, "Test"))
    )
    data = xml(tracks, f"<project><tasks>{tasks}</tasks></project>")
    found = read(data, VIDEO)
    assert [(i["subset"], i["key"]) for i in found.items] == [("Train", "one"), ("Test", "two")]
    assert [r["subset"] for r in found.annotations] == ["Train", "Test"]


def test_joints_within_a_track():
    """Each has a state of its own; what differs from the skeleton's keyframe is kept."""
    skeleton = (
        '<skeleton frame="{}" keyframe="1" z_order="0">'
        '<points label="a" keyframe="1" outside="0" occluded="1" points="1,2"></points>'
        '<points label="b" keyframe="0" outside="1" occluded="0" points="3,4"></points>'
        '<attribute name="q">1</attribute></skeleton>'
    )
    data = xml(track("".join(skeleton.format(n) for n in (0, 2))), meta(stop=2))
    found = read(data, VIDEO, frames="interpolated")
    assert [(r["frame"], r["points"], r["visibility"]) for r in found.annotations] == [
        (n, [1.0, 2.0, 3.0, 4.0], [1, 0]) for n in range(3)
    ]
    first = found.annotations[0]
    assert json.loads(first["extra"]) == {"cvat": {"joints": {"b": {"keyframe": False}}}}
    assert first["attributes"] == '{"q":"1"}'
    assert found.labels["cat"].skeleton == Skeleton(("a", "b"))


def test_a_skeleton_whose_joints_are_all_outside_is_outside():
    """CVAT says it of the joints alone; a track ends so."""
    joint = '<points label="a" keyframe="1" outside="{}" occluded="0" points="1,2"></points>'
    shapes = "".join(
        f'<skeleton frame="{n}" keyframe="1">{joint.format(n // 3)}</skeleton>' for n in (0, 3)
    )
    found = read(xml(track(shapes), meta()), VIDEO, frames="interpolated")
    assert [(r["frame"], r["outside"]) for r in found.annotations] == [
        (0, False),
        (1, False),
        (2, False),
        (3, True),
    ]


def test_a_joint_of_several_points_and_a_skeleton_without_a_label():
    """The first point counts; no label is made of an empty name."""
    shape = '<skeleton label=""><points label="a" points="1,2;3,4"/></skeleton>'
    found = read(xml(image(shape)))
    assert found.annotations[0]["points"] == [1.0, 2.0]
    assert found.labels == {}
    assert {g[1] for g in problems(found)} == {
        "annotation without a label",
        "joint of several points",
    }


@pytest.mark.parametrize(
    ("shapes", "groups"),
    [
        ("", [("rejected", "track without shapes", 1)]),
        (BOX, [("rejected", "shape without a frame", 1)]),
        (framed("x"), [("rejected", "shape without a frame", 1)]),
        (framed(-1), [("rejected", "shape without a frame", 1)]),
        (framed(3) + framed(3), [("warning", "two shapes of a track on one frame", 1)]),
        (framed(3) + framed(1), []),
        ('<skeleton frame="1" keyframe="1"></skeleton>',
         [("rejected", "skeleton without points", 1)]),
    ],
)  # fmt: skip
def test_a_malformed_track(shapes, groups):
    """Each record of it is a line; rows are in the order of their frames."""
    found = read(xml(track(shapes)), VIDEO)
    assert problems(found) == groups
    frames = [r["frame"] for r in found.annotations]
    assert frames == sorted(frames)


def test_a_track_id_that_is_given_thrice():
    """They are three tracks, and the second and third say so."""
    found = read(xml("".join(track(framed(n)) for n in (1, 2, 3))), VIDEO)
    assert [r["track"] for r in found.annotations] == ["0", "0-2", "0-3"]
    assert problems(found) == [("warning", "track id is given twice", 2)]


def test_one_image_is_not_two_items():
    """A name that only resembles that of another item's image has none."""
    two = image("", 'id="0" name="x/a.png"') + image("", 'id="1" name="a.png"')
    found = read({"annotations.xml": xml(two), "images/x/a.png": png()})
    assert [i.get("media") for i in found.items] == ["images/x/a.png", None]
    assert problems(found) == [("warning", "image file missing", 1)]


def test_images_and_tracks_in_one_file():
    """CVAT never writes both; both are read, by either format."""
    data = xml(image(BOX) + track(framed(1)), meta())
    for format in (IMAGES, VIDEO):
        found = read(data, format)
        assert [i["kind"] for i in found.items] == ["image", "video"]
        assert len(found.annotations) == 2
