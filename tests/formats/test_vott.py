"""VoTT: exports and assets, samples of Datumaro, what is malformed."""

from __future__ import annotations

import json

import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import example, read_back, written
from nbannot.sources import open_source


class TestJson(FormatCases):
    """Boxes, polygons of one part, polylines, points."""

    format_name = "vott"
    compared = ("type", "label", "x", "y", "w", "h", "points")

    @pytest.fixture
    def dataset(self, format):
        """The example, with polygons of one part."""
        made = example(format.holds)
        for rows in made.annotations.values():
            for row in rows:
                if "rings" in row:
                    row["points"] = row["points"][:8]
                    row |= {"rings": None, "w": 16.0}
        return made


class TestCsv(FormatCases):
    """Boxes alone; images without one are found by their files."""

    format_name = "vott"
    compared = ("type", "label", "x", "y", "w", "h")
    write_options = {"file": "csv"}
    generates = ("box",)

    @pytest.fixture
    def dataset(self):
        """The example's boxes."""
        return example(("box",))


def read(files, **options):
    """Read made-up files."""
    return read_back(get_format("vott"), open_source(files), **options)


def reference(path):
    """Return (subset, key, label, box) of each annotation of an expected file."""
    return sorted(
        (item["subset"], f"{item['id']}.jpg", a.get("label", ""), a["bbox_xywh"])
        for item in json.loads(path.read_text())["items"]
        for a in item["annotations"]
    )


def boxes(found):
    """Return the same of what was read."""
    return sorted(
        (row["subset"], row["key"], row.get("label", ""), [round(row[n], 6) for n in "xywh"])
        for row in found.annotations
    )


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_samples(samples, expected, kind):
    """Datumaro's samples: every box, label and subset as Datumaro reads them."""
    name = f"vott/datumaro-vott_{kind}"
    with open_source(samples / name / "dataset") as source:
        assert detect(source)[0].format == "vott"
        found = read_back(get_format("vott"), source)
    wanted = reference(expected / f"{name}__dataset.vott_{kind}.json")
    assert boxes(found) == wanted
    assert found.balance.rejected == 0
    # A region with two tags is one record; one without tags is kept without a label.
    assert found.balance.read == len(found.items) + len(found.annotations) - (kind == "json")
    if kind == "json":
        assert ("warning", "annotation without a label", 1) in found.ledger.groups()
        assert found.labels["animal"].color == "#5db300"
        pair = [r["source_id"] for r in found.annotations if r["key"] == "img0002.jpg"]
        assert pair == ["mosw0b97K", "mosw0b97K"]


def test_labels_of_a_meta_file(samples):
    """dataset_meta.json lists labels, also those that nothing has."""
    with open_source(samples / "vott/datumaro-vott_json/dataset_with_meta_file") as source:
        found = read_back(get_format("vott"), source)
    assert list(found.labels) == ["animal", "dog", "person"]


def region(*tags, **values):
    """Return a region."""
    return {"id": "r1", "type": "RECTANGLE", "tags": list(tags),
            "boundingBox": {"left": 1, "top": 2, "width": 3, "height": 4}, **values}  # fmt: skip


def asset(*regions, name="a.jpg", path=None, **values):
    """Return an asset with its regions."""
    about = {"id": name, "name": name, "path": path or name, "size": {"width": 64, "height": 48},
             "state": 2, "type": 1, **values}  # fmt: skip
    return {"asset": about, "regions": list(regions), "version": "2.2.0"}


def export(*assets):
    """Return an export."""
    body = {"name": "x", "tags": [], "assets": {a["asset"]["id"]: a for a in assets}}
    return {"x-export.json": json.dumps(body).encode()}


def test_several_tags_are_one_region_again():
    """A region of two tags is two rows, and is written as the one it was."""
    found = read(export(asset(region("cat", "dog"))))
    assert [r["label"] for r in found.annotations] == ["cat", "dog"]
    assert found.balance.read == 2
    made = example(())
    made.items = {"default": [{"key": "a.jpg", "width": 64, "height": 48}]}
    made.annotations = {"default": [
        {**{k: v for k, v in r.items() if k not in ("subset", "key")}, "item": "a.jpg"}
        for r in found.annotations
    ]}  # fmt: skip
    files = written(get_format("vott"), made, media=False)
    body = json.loads(files["vott-export.json"])
    (only,) = body["assets"].values()
    assert only["regions"][0]["tags"] == ["cat", "dog"]
    assert len(only["regions"]) == 1


def test_paths_of_another_machine():
    """file: with percent signs is decoded; its name is the key; two of one name stay two."""
    files = export(
        asset(name="a b.jpg", path="file:C:/me/a%20b.jpg"),
        asset(name="1.jpg", path="file:/x/1.jpg"),
        asset(name="1.jpg", path="file:/y/1.jpg", id="2"),
        asset(name="w.jpg", path="https://example.org/c/w.jpg?sig=1"),
    )
    found = read(files)
    assert [i["key"] for i in found.items] == ["a b.jpg", "1.jpg", "y/1.jpg", "w.jpg"]
    assert found.items[3]["uri"] == "https://example.org/c/w.jpg?sig=1"
    assert found.ledger.groups() == []


def test_a_percent_sign_in_a_name():
    """A name with a percent sign that escapes nothing is a name, found or not."""
    found = read(export(asset(name="100%.jpg"), asset(name="a%20b.jpg")))
    assert [i["key"] for i in found.items] == ["100%.jpg", "a%20b.jpg"]
    image = written(get_format("vott"), example(("box",)))["train/plain.jpg"]
    found = read({**export(asset(name="a%20b.jpg")), "a b.jpg": image})
    assert [(i["key"], i["media"]) for i in found.items] == [("a b.jpg", "a b.jpg")]


def test_assets_one_by_one():
    """Files of assets; one that is broken is rejected, the others are read."""
    files = {
        "1-asset.json": json.dumps(asset(region("cat"))).encode("utf-8-sig"),
        "2-asset.json": json.dumps(asset(region("cat"), name="b.jpg")).encode()[:60],
        "p.vott": json.dumps({"tags": [{"name": "cat", "color": "#ff0000"}]}).encode(),
    }
    source = open_source(files)
    assert detect(source)[0].format == "vott"
    found = read_back(get_format("vott"), source)
    assert [i["key"] for i in found.items] == ["a.jpg"]
    assert found.labels["cat"].color == "#ff0000"
    assert found.ledger.groups() == [("rejected", "the file can't be read", 1)]


def test_an_export_is_read_once():
    """Exports beside the files of assets hold the same: the JSON export is read."""
    files = {**export(asset(region("cat"))),
             "a-asset.json": json.dumps(asset(region("cat"))).encode()}  # fmt: skip
    found = read(files)
    assert len(found.annotations) == 1
    assert ("note", "files were not read", 1) in found.ledger.groups()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (region("cat", boundingBox=None), "box without numbers"),
        (region("cat", boundingBox={"left": 1, "top": 2, "width": -3, "height": 4}),
         "width or height is negative"),
        (region("cat", type="POLYGON", points=[{"x": 1}]), "polygon without numbers"),
        (region("cat", type="POLYGON", points=[{"x": 1, "y": 1}]), "polygon with too few points"),
        (5, "region is not an object"),
    ],
)  # fmt: skip
def test_one_bad_region_is_rejected(bad, reason):
    """A bad region is a line with its place, and the next one is read."""
    found = read(export(asset(bad, region("dog"))))
    assert [r["label"] for r in found.annotations] == ["dog"]
    line = found.ledger.lines("rejected", reason)[0]
    assert line["where"] == "assets['a.jpg'].regions[0]"


def test_absolute_names_in_rows():
    """Rows of one image under a path of another machine are of one item, in a preview too."""
    image = written(get_format("vott"), example(("box",)))["train/plain.jpg"]
    row = '"/home/me/p/%s.jpg",1,2,3,4,"cat"\n'
    table = '"image","xmin","ymin","xmax","ymax","label"\n' + (row % 1 + row % 2) * 2
    files = {"p/x-export.csv": table.encode(), "p/p/1.jpg": image, "p/p/2.jpg": image}
    found = read(files)
    assert [(i["key"], i["media"]) for i in found.items] == [
        ("p/1.jpg", "p/p/1.jpg"), ("p/2.jpg", "p/p/2.jpg"),
    ]  # fmt: skip
    assert [r["key"] for r in found.annotations] == ["p/1.jpg", "p/2.jpg"] * 2
    some = read(files, limit=1)
    assert [r["key"] for r in some.annotations] == ["p/1.jpg"] * 2


def test_bad_rows():
    """A number that is none, a row that is short, no label; UTF-16 and CRLF are read."""
    table = (
        '"image","xmin","ymin","xmax","ymax","label"\r\n"ä.jpg",1,2,x,4,"cat"\r\n"ä.jpg",1\r\n'
        '"ä.jpg",1,2,3,4,""\r\n"ä.jpg",1,2,3,4,"cat"\r\n'
    )
    source = open_source({"pets-export.csv": table.encode("utf-16")})
    assert detect(source)[0].format == "vott"
    found = read_back(get_format("vott"), source)
    assert [i["key"] for i in found.items] == ["ä.jpg"]
    assert [[r[n] for n in "xywh"] for r in found.annotations] == [[1, 2, 2, 2]] * 2
    line = found.ledger.lines("rejected", "box without numbers")[0]
    assert line["where"] == "line 2"
    assert ("warning", "annotation without a label", 1) in found.ledger.groups()


def test_not_vott():
    """LabelMe, other tables and nothing are not VoTT; a broken export is named."""
    for name, text in (("x.json", '{"shapes": []}'), ("x.csv", "a,b\n1,2\n"), ("x.json", "")):
        candidates = {c.format: c for c in detect(open_source({name: text.encode()}))}
        assert candidates["vott"].confidence == 0
    for name, data in (("x-export.json", b""), ("x.json", b"{}"), ("x.csv", b"a,b\n1,2\n")):
        with pytest.raises(BrokenFileError, match=name.replace(".", r"\.")):
            read({name: data})
