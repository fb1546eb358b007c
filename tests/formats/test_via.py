"""VIA 1 to 3: containers, shapes, which attribute is the label, what is malformed."""

from __future__ import annotations

import json
import math

import pytest

from nbannot.errors import BrokenFileError, OptionError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import example, read_back, written
from nbannot.schema import Label
from nbannot.sources import open_source


class TestProject(FormatCases):
    """Everything comes back; a file that is cut names itself."""

    format_name = "via"
    compared = ("type", "label", "x", "y", "w", "h", "rotation", "points", "attributes")

    generates = ("box", "ellipse", "polygon", "polyline", "tag")  # points come back one by one

    @pytest.fixture
    def dataset(self, format):
        """The example, with polygons of one part and single points."""
        made = example(format.holds)
        for rows in made.annotations.values():
            for row in rows:
                if row["type"] == "points":
                    row["points"] = row["points"][:2]
                if row["type"] == "polygon" and "rings" in row:
                    row["points"] = row["points"][:8]
                    row |= {"rings": None, "w": 16.0}
        return made


class TestJson(TestProject):
    """The JSON export."""

    write_options = {"file": "json"}


class TestCsv(TestProject):
    """The CSV export."""

    write_options = {"file": "csv"}


def read(files, **options):
    """Read made-up files with VIA's reader."""
    return read_back(get_format("via"), open_source(files), **options)


def region(shape, **attributes):
    """Return a region."""
    return {"shape_attributes": shape, "region_attributes": attributes}


RECT = {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}
DICT = {
    "a.jpg99": {
        "filename": "a.jpg", "size": 99, "file_attributes": {"caption": "hi"},
        "regions": [
            region(RECT, label="cat", text="one"),
            region({"name": "circle", "cx": 10, "cy": 20, "r": 5}, label="dog"),
            region({"name": "ellipse", "cx": 10, "cy": 20, "rx": 5, "ry": 2,
                    "theta": math.pi / 6}, label="Right "),
            region({"name": "polygon", "all_points_x": [0, 4, 4, 0],
                    "all_points_y": [0, 0, 4, 0]}, label="cat"),
            region({"name": "polyline", "all_points_x": [0, 4], "all_points_y": [1, 2]},
                   label="###"),
            region({"name": "point", "cx": 3, "cy": 4}, label="cat"),
        ],
    },
    "b.jpg-1": {"filename": "b.jpg", "size": -1, "regions": [], "file_attributes": {}},
}  # fmt: skip


def test_shapes_of_version_2():
    """Each shape, by hand: circle to ellipse, radians to degrees, the closed ring opened."""
    source = open_source({"via_region_data.json": json.dumps(DICT).encode()})
    assert detect(source)[0].format == "via"
    found = read_back(get_format("via"), source)
    assert [row["key"] for row in found.items] == ["a.jpg", "b.jpg"]
    assert json.loads(found.items[0]["meta"])["via"] == {
        "size": 99, "file_attributes": {"caption": "hi"},
    }  # fmt: skip
    rect, circle, ellipse, polygon, polyline, point = found.annotations
    assert (rect["type"], rect["label"]) == ("box", "cat")
    assert [rect[n] for n in "xywh"] == [1, 2, 3, 4]
    assert json.loads(rect["attributes"]) == {"text": "one"}
    assert [circle["type"], *(circle[n] for n in "xywh")] == ["ellipse", 5, 15, 10, 10]
    assert [ellipse[n] for n in "xywh"] == [5, 18, 10, 4]
    assert ellipse["rotation"] == pytest.approx(30)
    assert ellipse["label"] == "Right "
    assert polygon["points"] == [0, 0, 4, 0, 4, 4]
    assert (polyline["label"], polyline["points"]) == ("###", [0, 1, 4, 2])
    assert (point["type"], point["points"]) == ("points", [3, 4])
    assert [g for g in found.ledger.groups() if g[0] != "note"] == []


def test_version_1_numbers_its_regions():
    """Regions as an object {"0": ...} are the same; so is the CSV export with ``#filename``."""
    old = {"a.jpg9": {
        "fileref": "", "size": 9, "filename": "a.jpg", "base64_img_data": "",
        "file_attributes": {}, "regions": {"0": region(RECT, name="cat")},
    }}  # fmt: skip
    shape = json.dumps(RECT).replace('"', '""')
    table = (
        "#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
        "region_attributes\r\n"
        f'a.jpg,9,"{{}}",1,0,"{shape}","{{""name"":""cat""}}"\r\n'
    )
    for files in ({"x.json": json.dumps(old).encode()}, {"x.csv": table.encode("utf-8-sig")},
                  {"x.csv": table.encode("utf-16")}):  # fmt: skip
        source = open_source(files)
        assert detect(source)[0].format == "via"
        found = read_back(get_format("via"), source)
        assert [(r["label"], r["x"], r["h"]) for r in found.annotations] == [("cat", 1, 4)]


def test_all_three_containers_are_read_once():
    """A project beside its exports is read alone; the ledger names the others."""
    made = example(("box",))
    files = {
        path: data
        for kind in ("project", "json", "csv")
        for path, data in written(get_format("via"), made, media=False, file=kind).items()
    }
    assert len(files) == 6
    found = read(files)
    assert len(found.annotations) == 3
    assert ("note", "file was not read", 4) in found.ledger.groups()
    assert [g for g in found.ledger.groups() if g[0] != "note"] == []


def test_version_3():
    """VIA 3: attributes by number, shapes as lists; a time span, a tag of the whole file."""
    project = {
        "project": {"pid": "__VIA_PROJECT_ID__", "vid_list": ["1", "2"]},
        "config": {},
        "attribute": {
            "1": {"aname": "kind", "type": 4, "options": {"0": "cat", "1": "dog"}, "desc": ""},
            "2": {"aname": "scene", "type": 2, "options": {"0": "day", "1": "rain"}},
        },
        "file": {
            "1": {"fid": "1", "fname": "a.jpg", "type": 2, "loc": 1, "src": ""},
            "2": {"fid": "2", "fname": "b.mp4", "type": 4, "loc": 1, "src": ""},
        },
        "metadata": {
            "1_a": {"vid": "1", "flg": 0, "z": [], "xy": [2, 1, 2, 3, 4], "av": {"1": "1"}},
            "1_b": {"vid": "1", "z": [], "xy": [7, 0, 0, 4, 0, 4, 4], "av": {"1": "0"}},
            "1_c": {"vid": "1", "z": [], "xy": [], "av": {"2": "0,1"}},
            "2_a": {"vid": "2", "z": [1.5, 2.5], "xy": [], "av": {"1": "0"}},
            "2_b": {"vid": "2", "z": [1.5], "xy": [2, 1, 2, 3, 4], "av": {"1": "0"}},
            "9_x": {"vid": "9", "z": [], "xy": [2, 1, 2, 3, 4], "av": {}},
            "1_y": {"vid": "1", "z": [], "xy": [2, 1, 2], "av": {}},
        },
        "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": ["2"]}},
    }
    source = open_source({"via3.json": json.dumps(project).encode()})
    assert detect(source)[0].format == "via"
    found = read_back(get_format("via"), source)
    assert [(r["key"], r["kind"]) for r in found.items] == [("a.jpg", "image"), ("b.mp4", "video")]
    seen = [(r["type"], r.get("label"), r.get("start"), r.get("end")) for r in found.annotations]
    assert seen == [
        ("box", "dog", None, None), ("polygon", "cat", None, None), ("tag", "day", None, None),
        ("tag", "rain", None, None), ("time_span", "cat", 1.5, 2.5), ("box", "cat", 1.5, 1.5),
    ]  # fmt: skip
    assert [g for g in found.ledger.groups() if g[0] != "note"] == [
        ("rejected", "region without a file", 1),
        ("rejected", "region without numbers", 1),
        ("warning", "frame of a region is not known", 1),
    ]


def _labels(regions, attributes=None, **options):
    images = {"a.jpg1": {"filename": "a.jpg", "size": 1, "file_attributes": {},
                         "regions": regions}}  # fmt: skip
    if attributes is not None:
        images = {"_via_settings": {}, "_via_img_metadata": images,
                  "_via_attributes": {"region": attributes, "file": {}}}  # fmt: skip
    found = read({"x.json": json.dumps(images).encode()}, **options)
    return [row.get("label") for row in found.annotations], found


def test_the_label_is_the_attribute_that_most_regions_have():
    """As in a file of icevision: `object` on five regions, `label` on four: `object`."""
    regions = [region(RECT, object=f"o{i % 2}", **({"label": "l"} if i else {})) for i in range(5)]
    labels, found = _labels(regions)
    assert labels == ["o0", "o1", "o0", "o1", "o0"]
    assert ("note", "attribute taken as the label", 1) in found.ledger.groups()
    assert _labels(regions, label="label")[0] == [None, "l", "l", "l", "l"]
    with pytest.raises(OptionError, match="No region"):
        _labels(regions, label="nothing")


def test_do_not_care_is_no_label():
    """Where one attribute says ### and the other a class, the other is the label."""
    regions = [
        region(RECT, label="z", object="z", qualities={"is_rotated": True}),
        region(RECT, label="###", object="o", qualities={"is_rotated": True, "is_inverted": True}),
    ]
    labels, found = _labels(regions)
    assert labels == ["z", "o"]
    assert json.loads(found.annotations[1]["attributes"])["label"] == "###"


def test_a_project_of_version_3_from_the_web():
    """A remote file is kept by its address; an extreme rectangle is the box of its points."""
    project = {
        "project": {"pid": "__VIA_PROJECT_ID__", "rev": "1", "vid_list": ["1"]},
        "config": {"file": {"loc_prefix": {"1": ""}}},
        "attribute": {"1": {"aname": "screws", "anchor_id": "FILE1_Z0_XY1", "type": 3, "desc": "",
                            "options": {"0": "cyl", "1": "hex"}, "default_option_id": ""}},
        "file": {"1": {"fid": "1", "fname": "Pic.png", "type": 2, "loc": 2,
                       "src": "https://example.org/images/Pic.png"}},
        "metadata": {
            "1_a": {"vid": "1", "flg": 0, "z": [], "xy": [3, 589.5, 217.25, 44.25],
                    "av": {"1": "0"}},
            "1_b": {"vid": "1", "flg": 0, "z": [], "av": {"1": "1"},
                    "xy": [8, 1690.5, 223.25, 1588.75, 68.25, 1566.25, 162.0, 1595.75, 122.5]},
        },
        "view": {"1": {"fid_list": ["1"]}},
    }  # fmt: skip
    found = read({"via3.json": json.dumps(project).encode()})
    item = found.items[0]
    assert (item["key"], item["uri"]) == (
        "example.org/images/Pic.png", "https://example.org/images/Pic.png",
    )  # fmt: skip
    circle, box = found.annotations
    assert [circle["label"], *(circle[n] for n in "xywh")] == ["cyl", 545.25, 173, 88.5, 88.5]
    assert [box["label"], *(box[n] for n in "xywh")] == ["hex", 1566.25, 68.25, 124.25, 155]
    assert list(found.labels) == ["cyl", "hex"]


def test_a_list_is_the_label_before_a_free_text():
    """A drop-down list on most regions wins over a text on all; its options are labels."""
    attributes = {
        "text": {"type": "text", "description": "what it says"},
        "kind": {"type": "dropdown", "options": {"word": "", "line": "", "page": ""}},
    }
    regions = [
        region(RECT, text=f"t{i}", **({"kind": "word"} if i else {})) for i in range(3)
    ]  # fmt: skip
    labels, found = _labels(regions, attributes)
    assert labels == [None, "word", "word"]
    assert list(found.labels) == ["word", "line", "page"]
    assert found.labels["word"].attributes == (
        {"name": "text", "type": "text", "description": "what it says"},
    )


def test_checkboxes():
    """One option that is true is the label; of several the first, and all are kept."""
    both = {"cat": True, "dog": True}
    labels, found = _labels([region(RECT, kind={"dog": True}), region(RECT, kind=both)])
    assert labels == ["dog", "cat"]
    assert json.loads(found.annotations[1]["attributes"]) == {"kind": both}
    assert ("warning", "several labels in one region", 1) in found.ledger.groups()


def test_the_label_goes_back_to_its_attribute():
    """Read from `name`, written to `name`, with the definitions of the others."""
    made = example(("box",))
    extra = {"via": {"attribute": "name"}}
    made.labels = (Label("cat", extra=extra, attributes=({"name": "age", "type": "text"},)),)
    files = written(get_format("via"), made)
    body = json.loads(files["train/via_project.json"])
    region_ = next(r for v in body["_via_img_metadata"].values() for r in v["regions"])
    assert list(region_["region_attributes"]) == ["name"]
    assert list(body["_via_attributes"]["region"]) == ["name", "age"]
    back = read(files)
    assert back.labels["cat"].extra == extra


def test_file_attributes_with_options_are_tags():
    """A radio button of a file is a tag under its attribute; a text stays with the item."""
    body = {
        "_via_settings": {}, "_via_attributes": {"region": {}, "file": {
            "scene": {"type": "radio", "options": {"day": "", "night": ""}},
            "caption": {"type": "text"}}},
        "_via_img_metadata": {"a.jpg-1": {
            "filename": "a.jpg", "size": -1, "regions": [],
            "file_attributes": {"scene": "night", "caption": "x"}}},
    }  # fmt: skip
    found = read({"x.json": json.dumps(body).encode()})
    assert [(r["type"], r["label"], json.loads(r["extra"])) for r in found.annotations] == [
        ("tag", "night", {"via": {"attribute": "scene"}})
    ]
    assert json.loads(found.items[0]["meta"]) == {"via": {"file_attributes": {"caption": "x"}}}


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"name": "rect", "x": 1, "y": 2, "width": 3}, "box without numbers"),
        ({"name": "circle", "cx": 1, "cy": None, "r": 3}, "ellipse without numbers"),
        ({"name": "cube"}, "unknown shape"),
        ({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]},
         "polygon without numbers"),
        ({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]},
         "polygon with too few points"),
        ({"name": "point", "cx": 1}, "points without numbers"),
    ],
)  # fmt: skip
def test_one_bad_region_is_rejected(shape, reason):
    """A bad shape is a line with its place; the region after it is read."""
    labels, found = _labels([region(shape), region(RECT, label="cat")])
    assert labels == ["cat"]
    line = found.ledger.lines("rejected", reason)[0]
    assert (line["where"], line["item"]) == ("['a.jpg1'].regions[0]", "a.jpg")


def test_bad_records_and_cells():
    """A file that is no object, a region without a shape, a cell that is not JSON."""
    body = {"x": 5, "a.jpg1": {"filename": "a.jpg", "regions": [{}], "file_attributes": {}}}
    found = read({"x.json": json.dumps(body).encode()})
    assert sorted(found.ledger.groups()) == [
        ("rejected", "file is not an object", 1), ("rejected", "region without a shape", 1),
    ]  # fmt: skip
    table = (
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
        'region_attributes\na.jpg,1,{},2,0,"{""name"":","{}"\nb.jpg,1,{},0,0,{},{}\n'
    )
    found = read({"x.csv": table.encode()})
    assert len(found.items) == 2
    line = found.ledger.lines("rejected", "cell is not JSON")[0]
    assert line["where"] == "line 2"


def test_addresses_are_kept():
    """A file of the web has its address as its uri, and is written so where no image is."""
    url = "https://example.org/pets/a.jpg"
    body = {url + "-1": {"filename": url, "size": -1, "file_attributes": {}, "regions": []}}
    found = read({"x.json": json.dumps(body).encode()})
    assert (found.items[0]["key"], found.items[0]["uri"]) == ("example.org/pets/a.jpg", url)
    made = example(())
    made.items = {"default": [{k: v for k, v in found.items[0].items() if k != "item"}]}
    files = written(get_format("via"), made, media=False)
    assert url in files["via_project.json"].decode()


def test_not_via():
    """LabelMe, COCO and nothing are not VIA; an empty or a cut file is broken."""
    for text in ('{"shapes": [], "imagePath": "a.jpg"}', '{"images": [], "annotations": []}', ""):
        candidates = {c.format: c for c in detect(open_source({"x.json": text.encode()}))}
        assert candidates["via"].confidence == 0
    for name, data in (("x.json", b""), ("x.json", b"[1]"), ("x.csv", b"a,b\n1,2\n")):
        with pytest.raises(BrokenFileError, match=name.replace(".", r"\.")):
            read({name: data})
