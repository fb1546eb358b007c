"""CVAT for images and for video: what is written, and what comes back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nbannot import geometry
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, example, read_back, written
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label, Skeleton
from nbannot.sources import open_source

IMAGES, VIDEO = get_format("cvat"), get_format("cvat-video")


class Cases(FormatCases):
    """What both formats give back: all but the parts of a polygon and the box of a skeleton."""

    def expected(self, row):
        """A polygon of several rings comes back as a mask, a skeleton without its box."""
        if row["type"] == "skeleton":
            return {k: v for k, v in row.items() if k not in ("x", "y", "w", "h")}
        rings = row.get("rings")
        if row["type"] == "polygon" and rings and len(rings) > 1:
            mask = geometry.rings_to_mask(row["points"], rings, 48, 64)
            ys, xs = mask.nonzero()
            box = {"x": float(xs.min()), "y": float(ys.min()), "w": float(xs.max() - xs.min() + 1),
                   "h": float(ys.max() - ys.min() + 1)}  # fmt: skip
            kept = {k: v for k, v in row.items() if k not in ("points", "rings")}
            return {**kept, **box, "type": "mask", "mask": geometry.mask_to_rle(mask),
                    "mask_height": 48, "mask_width": 64}  # fmt: skip
        if row["type"] == "polygon":
            return {k: v for k, v in row.items() if k != "rings"}
        return row

    def container(self, files):
        """The XML file."""
        return "annotations.xml"


class TestImages(Cases):
    """CVAT for images through the conformance suite."""

    format_name = "cvat"


class TestVideo(Cases):
    """CVAT for video through the conformance suite: images become frames, and come back."""

    format_name = "cvat-video"


CAT = (Label("cat"),)


def one(rows, *, items=None, labels=CAT, subset="train", **more):
    """Return a dataset of one subset; an item ``a.jpg`` of 64 x 48 where none are given."""
    given = items or [{"key": "a.jpg", "width": 64, "height": 48}]
    rows = [{"item": given[0]["key"], **row} for row in rows]
    return Example({subset: given}, {subset: rows}, tuple(labels), **more)


def there_and_back(format, what, **options):
    """Return what comes back of a dataset, and the ledger of the writer."""
    from nbannot.formats.examples import MemorySink

    sink, ledger = MemorySink(what.media), Ledger()
    format.write(what, sink, {}, ledger, Progress())
    return read_back(format, open_source(sink.files), **options), ledger, sink.files


BOX = {"type": "box", "label": "cat", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0}


def test_the_bytes_are_cvats():
    """Numbers have two decimals, and elements the order that CVAT gives them."""
    files = written(IMAGES, one([{**BOX, "rotation": 30.0, "group": 3, "z_order": 2}]))
    text = files["annotations.xml"].decode()
    assert (
        '    <box label="cat" source="manual" occluded="0" xtl="1.00" ytl="2.00" xbr="4.00" '
        'ybr="6.00" rotation="30.00" z_order="2" group_id="3">\n    </box>\n'
    ) in text
    assert '<image id="0" name="a.jpg" width="64" height="48">' in text
    assert "<subset>train</subset>" in text


def test_everything_that_has_a_place_comes_back():
    """Rotation, occlusion, order, group, score, attributes, cuboids and ellipses."""
    corners = [float(v) for v in range(16)]
    rows = [
        {**BOX, "rotation": 33.3, "occluded": True, "z_order": -2, "group": 7, "score": 0.25},
        {"type": "cuboid", "label": "cat", "points": corners},
        {"type": "ellipse", "label": "cat", "x": 4.0, "y": 5.0, "w": 8.0, "h": 10.0,
         "rotation": 12.5},
        {**BOX, "attributes": '{"a b":true,"n":2.5,"i":12345678901234567890,"t":"x < \\n y"}'},
    ]  # fmt: skip
    for format in (IMAGES, VIDEO):
        found, ledger, _ = there_and_back(format, one(rows))
        assert [g for g in ledger.groups() if g[0] != "note"] == []
        back = found.annotations
        assert back[0]["rotation"] == 33.3
        assert (back[0]["occluded"], back[0]["z_order"], back[0]["group"]) == (True, -2, 7)
        assert back[0]["score"] == 0.25
        assert back[1]["points"] == corners
        assert (back[2]["x"], back[2]["h"], back[2]["rotation"]) == (4.0, 10.0, 12.5)
        assert json.loads(back[3]["attributes"]) == json.loads(rows[3]["attributes"])


def test_cuboid_corners_go_where_cvat_draws_them():
    """Our rear top left is CVAT's tr2, for its editor draws the rear right edge first."""
    corners = [float(v) for v in range(16)]
    text = written(IMAGES, one([{"type": "cuboid", "label": "cat", "points": corners}]))
    line = next(s for s in text["annotations.xml"].decode().splitlines() if "<cuboid" in s)
    assert 'xtl1="0.00" ytl1="1.00" xbl1="6.00" ybl1="7.00" xtr1="2.00"' in line
    assert 'xtl2="10.00" ytl2="11.00"' in line  # behind the top right
    assert 'xtr2="8.00" ytr2="9.00"' in line  # behind the top left


def test_labels_come_back_with_all_that_is_declared():
    """Colours, types, attributes with values, and skeletons with edges and joints' colours."""
    attribute = {
        "name": "pose", "mutable": True, "input_type": "select", "default_value": "up",
        "values": ["up", "down & out"],
    }  # fmt: skip
    labels = (
        Label("cat", color="#112233", attributes=(attribute,), extra={"cvat": {"type": "mask"}}),
        Label("person", color="#445566", skeleton=Skeleton(('no"se', "a>b"), ((0, 1),)),
              extra={"cvat": {"joints": {"a>b": {"color": "#000001"}}}}),
    )  # fmt: skip
    for format in (IMAGES, VIDEO):
        found, _, _ = there_and_back(format, one([BOX], labels=labels))
        cat, person = found.labels["cat"], found.labels["person"]
        assert (cat.color, cat.attributes, cat.extra) == (
            "#112233", (attribute,), {"cvat": {"type": "mask"}}
        )  # fmt: skip
        assert person.skeleton == labels[1].skeleton
        assert person.extra["cvat"]["joints"] == {"a>b": {"color": "#000001"}}
        assert "&" not in "".join(person.extra["cvat"]["places"])


def test_what_has_no_place_is_told():
    """Tracks, unlabelled shapes, empty masks and values of mixed type: one line each."""
    empty = {"mask": geometry.mask_to_rle([[0] * 64] * 48), "mask_height": 48, "mask_width": 64}
    rows = [
        {**BOX, "track": "3", "frame": 0}, {**BOX, "outside": True}, {**BOX, "label": None},
        {"type": "mask", "label": "cat", **empty}, {"type": "text", "text": "hello"},
        {**BOX, "attributes": '{"m":1,"n":null,"l":[1]}'}, {**BOX, "attributes": '{"m":"one"}'},
        {**BOX, "extra": '{"coco":{}}'},
    ]  # fmt: skip
    found, ledger, _ = there_and_back(IMAGES, one(rows))
    assert ledger.groups() == [
        ("rejected", "annotation without a label", 1),
        ("rejected", "mask is empty", 1),
        ("rejected", "outside the view", 1),
        ("rejected", "text can't be written", 1),
        ("warning", "attribute without a value", 1),
        ("warning", "attribute written as text", 1),
        ("warning", "track can't be written", 1),
        ("note", "no place in CVAT for images", 1),
    ]
    assert len(found.annotations) == 4


def test_joints_keep_their_order_and_state():
    """Each joint has its name, outside and occluded; the box of the whole is noted as lost."""
    row = {"type": "skeleton", "label": "p", "points": [1.0, 2.0, 3.0, 4.0, 9.0, 9.0],
           "visibility": [2, 1, 0], "x": 0.0, "y": 0.0, "w": 9.0, "h": 9.0}  # fmt: skip
    labels = (Label("p", skeleton=Skeleton(("a", "b", "c"))),)
    found, ledger, files = there_and_back(IMAGES, one([row], labels=labels))
    assert found.annotations[0]["points"] == row["points"]
    assert found.annotations[0]["visibility"] == [2, 1, 0]
    assert (
        '<points label="b" source="manual" outside="0" occluded="1" points="3.00,4.00">'
        in files["annotations.xml"].decode()
    )
    lines = ledger.lines("note", "no place in CVAT for images")
    assert [line["message"] for line in lines] == ["box of a skeleton of 1 records"]


def test_a_skeleton_whose_label_has_no_joints_gets_numbers():
    """They are called 1, 2 and so on, and are read again in this order."""
    row = {"type": "skeleton", "label": "cat", "points": [1.0, 2.0, 3.0, 4.0]}
    for format in (IMAGES, VIDEO):
        found, _, _ = there_and_back(format, one([row]))
        assert found.annotations[0]["points"] == [1.0, 2.0, 3.0, 4.0]
        assert found.labels["cat"].skeleton == Skeleton(("1", "2"))


def test_frame_ids_are_kept_where_they_are_numbers():
    """An id that is taken, or none, becomes the next that is free."""
    items = [{"key": f"{n}.jpg", "source_id": i} for n, i in enumerate(["5", "x", "5", None])]
    text = written(IMAGES, one([], items=items))["annotations.xml"].decode()
    assert [line.split('"')[1] for line in text.splitlines() if "<image " in line] == [
        "5", "0", "1", "2"
    ]  # fmt: skip


def video(rows, **more):
    """Return a dataset of one video of ten frames."""
    item = {"key": "clips/t.mp4", "kind": "video", "frames": 10, "width": 64, "height": 48}
    return one(rows, items=[{**item, **more}])


def test_tracks_come_back_as_stored():
    """Keyframes, outside, and the frame of each row, of a video that is not there."""
    rows = [
        {**BOX, "track": "7", "frame": 2, "keyframe": True, "outside": False},
        {**BOX, "track": "7", "frame": 6, "keyframe": False, "outside": False},
        {**BOX, "track": "7", "frame": 8, "keyframe": True, "outside": True},
        {**BOX, "track": "2", "frame": 0, "keyframe": True, "outside": False},
    ]
    files = written(VIDEO, video(rows), media=False)
    found = read_back(VIDEO, open_source(files))
    assert [(i["kind"], i["key"], i["frames"]) for i in found.items] == [
        ("video", "clips/t.mp4", 10)
    ]
    names = ("track", "frame", "keyframe", "outside")
    assert [tuple(r[n] for n in names) for r in found.annotations] == [
        tuple(r[n] for n in names) for r in rows
    ]
    assert "closing" not in files["annotations.xml"].decode()


def test_tracks_of_any_name_have_numbers_for_other_tools():
    """The id is a number, as CVAT and Datumaro want it; the name comes back all the same."""
    more = {"keyframe": True, "outside": False}
    names = ("car 1", "007", "1", "0", None)
    rows = [{**BOX, "track": t, "frame": n, **more} for n, t in enumerate(names)]
    found, ledger, files = there_and_back(VIDEO, video(rows))
    heads = [s for s in files["annotations.xml"].decode().splitlines() if "<track" in s]
    assert all(s.split('"')[1].isdigit() for s in heads)
    assert len({s.split('"')[1] for s in heads}) == 5
    assert [r.get("track") for r in found.annotations] == list(names)
    assert ledger.groups() == []


def test_a_track_of_two_labels_is_two_tracks():
    """CVAT's tracks have one label; the ledger says which rows changed their track."""
    rows = [{**BOX, "track": "7", "frame": n, "label": s} for n, s in enumerate(("cat", "dog"))]
    found, ledger, _ = there_and_back(VIDEO, video(rows))
    assert [(r["track"], r["label"]) for r in found.annotations] == [("7", "cat"), ("7-2", "dog")]
    assert ledger.groups() == [("warning", "track has several labels", 1)]


def test_cvat_is_told_where_a_track_without_keyframes_ends():
    """After a gap and at the end it is outside for CVAT; our reader gives the rows alone."""
    rows = [{**BOX, "track": "7", "frame": n} for n in (2, 3, 6)]
    found, _, files = there_and_back(VIDEO, video(rows), frames="interpolated")
    text = files["annotations.xml"].decode()
    assert [line.split('"')[1] for line in text.splitlines() if "closing=" in line] == ["4", "7"]
    assert 'frame="4" keyframe="1" outside="1" closing="1"' in text
    assert [row["frame"] for row in found.annotations] == [2, 3, 6]


def test_a_shape_without_a_track_is_a_track_of_one_frame():
    """As CVAT exports it, with a shape that ends it; it comes back without a track."""
    found, _, files = there_and_back(VIDEO, video([{**BOX, "frame": 4}]))
    assert files["annotations.xml"].decode().count("<box ") == 2
    assert [(r["frame"], r.get("track")) for r in found.annotations] == [(4, None)]


def test_skeletons_in_tracks():
    """Joints and the state of each are within; at the end all of them are outside."""
    labels = (Label("p", skeleton=Skeleton(("a", "b"))),)
    row = {"type": "skeleton", "label": "p", "points": [1.0, 2.0, 3.0, 4.0], "track": "1",
           "visibility": [2, 0], "frame": 3}  # fmt: skip
    what = video([row])
    what.labels = labels
    found, _, files = there_and_back(VIDEO, what)
    assert [r["visibility"] for r in found.annotations] == [[2, 0]]
    text = files["annotations.xml"].decode()
    assert text.count('<points label="a" frame="4" keyframe="1" outside="1"') == 1


def test_several_videos_are_several_files():
    """Each has an XML file with its own task; annotations without a frame are rejected."""
    items = [{"key": f"{n}.mp4", "kind": "video", "frames": 5} for n in "ab"]
    rows = [{**BOX, "frame": 1, "track": "0"}, {**BOX}]
    what = Example(
        {"train": items}, {"train": [{**r, "item": "b.mp4"} for r in rows]}, (Label("cat"),)
    )
    found, ledger, files = there_and_back(VIDEO, what)
    assert sorted(files) == ["a.mp4", "b.mp4", "task_000.xml", "task_001.xml"]
    assert ledger.groups() == [("rejected", "annotation without a frame", 1)]
    assert [(r["key"], r["frame"]) for r in found.annotations] == [("b.mp4", 1)]


def test_numbers_in_the_names_of_frames_are_kept():
    """frame_000010.png stays frame 10; what is called otherwise is numbered, and noted."""
    items = [{"key": f"frame_{n:06d}.png", "width": 9, "height": 9} for n in (10, 13, 16)]
    found, ledger, files = there_and_back(VIDEO, one([BOX], items=items))
    assert {p for p in files if p.endswith("png")} == {f"images/{i['key']}" for i in items}
    text = files["annotations.xml"].decode()
    assert "<start_frame>10</start_frame>" in text
    assert "<frame_filter>step=3</frame_filter>" in text
    assert ledger.groups() == []
    assert found.annotations[0]["frame"] == 10
    _, ledger, files = there_and_back(VIDEO, one([BOX]))
    assert ledger.groups() == [("note", "images became frames", 1)]
    assert "images/frame_000000.jpg" in files


@pytest.mark.parametrize("name", ["cvat", "cvat-video"])
def test_written_twice_is_the_same(name):
    """Reading and writing again gives the same bytes, as CVAT's own numbers would."""
    format = get_format(name)
    first = written(format, example(format.holds))
    assert first == written(format, example(format.holds))


@pytest.mark.parametrize(
    "case",
    [
        "cvatdatumaro-for_images",
        "cvatdatumaro-for_video",
        "datumaro-for_images/export_project",
        "datumaro-for_images/export_task",
        "datumaro-for_video",
    ],
)
def test_a_sample_comes_back_whole(samples, case):
    """Read, written and read again: every column of every row, and every label."""
    with open_source(samples / "cvat" / case) as source:
        format = get_format(detect(source)[0].format)
        before = read_back(format, source)
    items: dict[str, list] = {}
    annotations: dict[str, list] = {}
    for row in before.items:
        kept = {k: v for k, v in row.items() if k not in ("item", "subset", "media", "meta")}
        items.setdefault(row.get("subset", "default"), []).append(kept)
    for row in before.annotations:
        kept = {k: v for k, v in row.items() if k not in ("key", "subset")}
        subset = row["subset"] or "default"
        annotations.setdefault(subset, []).append({**kept, "item": row["key"]})
    what = Example(items, annotations, tuple(before.labels.values()))
    after, ledger, _ = there_and_back(format, what)
    assert {g[1] for g in ledger.groups()} <= {"annotation without a label"}
    wanted = [
        {"occluded": False, "z_order": 0, **r, "subset": r["subset"] or "default"}
        for r in before.annotations
        if "label" in r
    ]
    assert _sorted(after.annotations) == _sorted(wanted)
    assert list(after.labels.values()) == [
        replace(v, extra=after.labels[n].extra) for n, v in before.labels.items()
    ]
    for name, label in before.labels.items():
        again = after.labels[name].extra.get("cvat", {})
        assert again.get("joints") == label.extra.get("cvat", {}).get("joints")
    assert [i["key"] for i in after.items] == [i["key"] for i in before.items]


def _sorted(rows):
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))
