"""WIDER Face: samples, there and back, and what is malformed."""

from __future__ import annotations

import json

import pytest

from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases, example
from nbannot.formats.examples import Example, MemorySink, read_back
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

WIDER = get_format("widerface")
TABLE = "wider_face_split/wider_face_train_bbx_gt.txt"


def read(text, extra=(), **options):
    """Read the text of one subset."""
    files = {TABLE: text if isinstance(text, bytes) else text.encode(), **dict.fromkeys(extra, b"")}
    return read_back(WIDER, open_source(files), **options)


def lines(found):
    """Return (outcome, reason, where) of the ledger."""
    table = found.ledger.to_pandas()
    return list(zip(table["outcome"], table["reason"], table["where"], strict=True))


class TestWiderFace(FormatCases):
    """Boxes come back; whatever their label, they are faces."""

    format_name = "widerface"
    compared = ("type", "label", "x", "y", "w", "h")

    @pytest.fixture
    def dataset(self):
        """The example, all of it faces."""
        made = example(("box",))
        for rows in made.annotations.values():
            for row in rows:
                row["label"] = "face"
        return made

    def expected(self, row):
        """The format has no labels."""
        return {**row, "label": "face"}


@pytest.mark.parametrize(
    ("case", "reader"),
    [("datumaro-widerface", "wider_face"), ("cvatdatumaro-widerface", "wider_face.cvatfork")],
)
def test_samples(samples, expected, case, reader):
    """Faces, their attributes and events are those that Datumaro reads, but for its errors.

    It gives boxes no label (openvino's), and takes the last three columns as occluded, pose,
    invalid; WIDER's readme says invalid, occlusion, pose (and a pose of 2 there is not).
    """
    columns = {n: n for n in ("blur", "expression", "illumination")}
    columns |= {"occluded": "invalid", "pose": "occlusion", "invalid": "pose"}
    source = open_source(samples / "widerface" / case)
    best = detect(source)[0]
    assert (best.format, best.confidence) == ("widerface", 0.95)
    found = read_back(WIDER, source)
    truth = json.loads((expected / "widerface" / f"{case}.{reader}.json").read_text())
    assert {(r["subset"], f"WIDER_{r['subset']}/images/{r['key']}") for r in found.items} == {
        (i["subset"], i["file"]) for i in truth["items"]
    }
    wanted, got = [], []
    for item in truth["items"]:
        for row in item["annotations"]:
            if row["type"] == "bbox":
                told = {columns[k]: int(v) for k, v in row["attributes"].items() if int(v)}
                key = item["file"].partition("/images/")[2]
                wanted.append((key, row["bbox_xywh"], sorted(told.items())))
    for row in found.annotations:
        if row["type"] == "box":
            told = json.loads(row.get("attributes", "{}"))
            assert row["label"] == "face"
            got.append((row["key"], [row[n] for n in "xywh"], sorted(told.items())))
    assert sorted(got) == sorted(wanted)
    assert len(got) == 6
    tags = [r["label"] for r in found.annotations if r["type"] == "tag"]
    assert tags == ["Parade", "Handshaking", "Parade"]
    assert found.ledger.groups() == []


def test_rows_by_hand():
    """Ten columns, a score after ten or after four, and an image without a face."""
    found = read(
        "0--Parade/a.jpg\n3\n449 330 122 149 0 1 0 0 2 0\n1 2 3.5 4 0 0 0 1 0 0 0.75\n"
        "5 6 7 8 0.5\nb.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n"
    )
    a, b, c = [r for r in found.annotations if r["type"] == "box"]
    assert [a[n] for n in "xywh"] == [449, 330, 122, 149]
    assert json.loads(a["attributes"]) == {"expression": 1, "occlusion": 2}
    assert a["occluded"] is True
    assert (json.loads(b["attributes"]), b["score"], b["w"]) == ({"invalid": 1}, 0.75, 3.5)
    assert (c["score"], "attributes" in c) == (0.5, False)
    assert [r["key"] for r in found.items] == ["0--Parade/a.jpg", "b.jpg"]
    assert found.ledger.groups() == []
    assert found.balance.read == 2 + 1 + 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x 1 1 1\n", ("rejected", "row without an image", "")),
        ("a.jpg\n1\n1 2 x 4\n", ("rejected", "row is not numbers", "line 3")),
        ("a.jpg\n1\n1 2 3\n", ("rejected", "row has too few columns", "line 3")),
        ("a.jpg\n1\n1 2 nan 4\n", ("rejected", "box without numbers", "line 3")),
        ("a.jpg\n1\n1 2 -3 4\n", ("rejected", "box of negative size", "line 3")),
        ("a.jpg\n1\n1 2 0 4\n", ("warning", "box without area", "line 3")),
        ("a.jpg\n2\n1 2 3 4\n", ("warning", "count is not the number of rows", "line 1")),
        ("a.jpg\n0\n1 2 3 4\n", ("warning", "count is not the number of rows", "line 1")),
        ("1 2 3 4\n", ("rejected", "row without an image", "line 1")),
        ("a.jpg\n1\n1 2 3 4\na.jpg\n1\n5 5 5 5\n",
         ("warning", "image is listed twice", "line 4")),
        ("a.jpg\n1\n1 2 3 4 0 0 0 0 0 0 0 0\n", ("warning", "columns not understood", "line 3")),
    ],
)  # fmt: skip
def test_malformed(text, line):
    """One broken row is one line of the ledger; the next image is read all the same."""
    found = read(text + "next.jpg\n1\n1 1 1 1\n")
    if text.startswith("x"):  # a line that is no row is taken as a path
        assert [r["key"] for r in found.items] == ["x 1 1 1", "next.jpg"]
        return
    assert lines(found) == [line]
    assert found.annotations[-1]["key"] == "next.jpg"


def test_encodings_and_paths():
    """UTF-16, CRLF and backslashes make no difference."""
    text = "0--Fête/größe.jpg\n1\n1 2 3 4 0 0 0 0 0 0\n"
    wanted = read(text)
    for data in (
        text.encode("utf-16"),
        text.replace("\n", "\r\n").encode("utf-8-sig"),
        text.replace("/", "\\").encode(),
    ):
        assert read(data).annotations == wanted.annotations


def test_images_that_are_not_listed():
    """An image beside is an item; one that is listed and not there is told."""
    images = ["WIDER_train/images/0--P/b.jpg"]
    found = read("0--P/a.jpg\n1\n1 2 3 4\n", images)
    assert [(r["key"], r.get("media")) for r in found.items] == [
        ("0--P/a.jpg", None), ("0--P/b.jpg", images[0])
    ]  # fmt: skip
    assert found.ledger.groups() == [("warning", "image file missing", 1)]
    assert [r["label"] for r in found.annotations if r["type"] == "tag"] == ["P", "P"]
    assert len(read("0--P/a.jpg\n1\n1 2 3 4\n", images, events=False).annotations) == 1


def test_a_list_of_files():
    """The list of a subset without faces gives its images."""
    files = {"wider_face_split/wider_face_test_filelist.txt": b"0--P/a.jpg\n0--P/b.jpg\n"}
    found = read_back(WIDER, open_source(files))
    assert [(r["subset"], r["key"]) for r in found.items] == [
        ("test", "0--P/a.jpg"), ("test", "0--P/b.jpg")
    ]  # fmt: skip


def test_foreign_and_empty_files(tmp_path):
    """An empty table is a dataset without images; other texts are not WIDER Face."""
    found = read("")
    assert (found.items, found.annotations) == ([], [])
    path = tmp_path / "faces.txt"
    for text, is_it in (("a.jpg\n1\n1 2 3 4\n", True), ("a.jpg 1\n2\n", False), ("", False)):
        path.write_text(text)
        with open_source(path) as source:
            found = {c.format for c in detect(source) if c.confidence}
        assert ("widerface" in found) == is_it


def test_losses_are_told():
    """Labels, attributes of others and tags that are no events."""
    box = {"item": "0--P/a.jpg", "type": "box", "label": "face", "x": 1.0, "y": 2.0, "w": 3.0,
           "h": 4.5}  # fmt: skip
    rows = [
        {**box, "label": "cat", "occluded": True},
        {**box, "attributes": '{"blur": 2, "color": "red"}', "score": 0.5},
        {"item": box["item"], "type": "tag", "label": "P"},
        {"item": box["item"], "type": "tag", "label": "Q"},
    ]
    data = Example({"train": [{"key": box["item"]}]}, {"train": rows}, (Label("cat"),))
    sink, ledger = MemorySink(), Ledger()
    WIDER.write(data, sink, {}, ledger, Progress())
    assert sink.files[TABLE].decode().splitlines() == [
        "0--P/a.jpg", "2", "1 2 3 4.5 0 0 0 0 1 0", "1 2 3 4.5 2 0 0 0 0 0 0.5"
    ]  # fmt: skip
    assert ledger.groups() == [
        ("rejected", "tag can't be written", 1),
        ("warning", "attributes can't be written", 1),
        ("warning", "label can't be written", 1),
    ]
