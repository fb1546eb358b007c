"""ICDAR: localization, recognition and segmentation, there and back, and what is malformed."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases, example
from nbannot.formats.examples import Example, MemorySink, read_back, written
from nbannot.geometry import mask_to_rle, rle_to_mask
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

from .test_mots import visible

ICDAR = get_format("icdar")


def read(files, **options):
    """Read files (text or bytes) kept in memory."""
    made = {p: t.encode() if isinstance(t, str) else t for p, t in files.items()}
    return read_back(ICDAR, open_source(made), **options)


def lines(found):
    """Return (outcome, reason, where) of the ledger."""
    table = found.ledger.to_pandas()
    return list(zip(table["outcome"], table["reason"], table["where"], strict=True))


class TextCases(FormatCases):
    """All that is read is labelled text."""

    format_name = "icdar"
    write_options = {"decimals": True}
    kinds = ()

    @pytest.fixture
    def dataset(self):
        """The example, labelled and with a text."""
        made = example(self.kinds)
        for rows in made.annotations.values():
            rows[:] = [r for r in rows if len(r.get("rings", ())) < 2]
            for number, row in enumerate(rows):
                if row["type"] != "text":
                    row |= {"label": "text", "text": f'"{number}", größe \\ ✓'}
        return made

    def expected(self, row):
        """The format has no labels, and a text is one line."""
        if row["type"] == "text":
            return {**row, "text": row["text"].replace("\n", " ")}
        return {**row, "label": "text"}


class TestLocalization(TextCases):
    """Boxes and quadrangles."""

    kinds = ("box", "polygon")
    generates = ("box",)
    compared = ("type", "label", "x", "y", "w", "h", "points", "text")


class TestRecognition(TextCases):
    """Words."""

    kinds = ("text",)
    generates = ()
    compared = ("type", "text")


class TestSegmentation(TextCases):
    """Characters, but for what lies under others."""

    kinds = ("mask",)
    generates = ("mask",)
    compared = ("type", "label", "x", "y", "w", "h", "mask", "mask_height", "mask_width", "text")

    def _is_mask(self, path):
        return path.endswith("_GT.bmp")

    def same_annotations(self, dataset, found):
        """Compare with what is not covered."""
        super().same_annotations(visible(dataset), found)


def sample(samples, expected, task):
    """Return what is read of a sample, and what Datumaro reads of it."""
    source = open_source(samples / "icdar" / f"datumaro-{task}")
    best = detect(source)[0]
    assert (best.format, best.confidence) == ("icdar", 0.95)
    found = read_back(ICDAR, source)
    truth = json.loads((expected / "icdar" / f"datumaro-{task}.icdar_{task}.json").read_text())
    assert {(r["subset"], r["media"]) for r in found.items} == {
        (i["subset"], i["file"]) for i in truth["items"]
    }
    assert found.ledger.groups() == []
    return found, {i["file"].partition("/images/")[2]: i["annotations"] for i in truth["items"]}


def test_sample_of_localization(samples, expected):
    """Boxes of 2013 and a quadrangle of 2015, with their texts."""
    found, truth = sample(samples, expected, "text_localization")
    wanted = sorted(
        (key, a["attributes"]["text"], a.get("bbox_xywh") or a["points"])
        for key, rows in truth.items()
        for a in rows
    )
    got = sorted(
        (r["key"], r["text"], r.get("points") or [r[n] for n in "xywh"]) for r in found.annotations
    )
    assert got == wanted
    assert len(got) == 3


def test_sample_of_recognition(samples, expected):
    """A word per image."""
    found, truth = sample(samples, expected, "word_recognition")
    assert {(r["key"], r["type"], r["text"]) for r in found.annotations} == {
        (key, "text", a["caption"]) for key, rows in truth.items() for a in rows
    }


def test_sample_of_segmentation(samples, expected):
    """Characters, their pixels, and which of them are a word."""
    found, truth = sample(samples, expected, "text_segmentation")
    wanted = [
        (a["attributes"]["text"], a["area"], a["mask_sha1"], a["attributes"]["color"])
        for a in truth["1.png"]
    ]
    got = []
    for row in found.annotations:
        mask = rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
        sha1 = hashlib.sha1(np.packbits(mask.astype(bool), axis=None).tobytes()).hexdigest()[:16]
        color = json.loads(row["extra"])["icdar"]["color"]
        got.append((row["text"], int(mask.sum()), sha1, " ".join(map(str, color))))
    assert got == wanted
    assert [r["group"] for r in found.annotations] == [1, 2, 2]


def test_sample_of_segmentation_is_written_as_it_was(samples):
    """Colours, centres, boxes, words: the same text and the same pixels."""
    folder = samples / "icdar" / "datumaro-text_segmentation" / "train"
    found = read_back(ICDAR, open_source(folder.parent))
    rows = [{**{k: v for k, v in r.items() if k not in ("key", "subset")}, "item": r["key"]}
            for r in found.annotations]  # fmt: skip
    files, ledger = write([{"key": "1.png"}], rows)
    assert files["train/1_GT.txt"].split() == (folder / "1_GT.txt").read_bytes().split()
    assert files["train/1_GT.txt"].count(b"\n\n") == 1
    given, made = (
        Image.open(f) for f in (folder / "1_GT.bmp", io.BytesIO(files["train/1_GT.bmp"]))
    )
    assert np.array_equal(np.asarray(given), np.asarray(made))
    assert ledger.groups() == []


def test_transcriptions():
    """Commas, quotes, escapes, numbers, ### and nothing, as the challenge's scripts read them."""
    text = (
        "1,2,3,4,5,6,7,8,a, b,c\n"
        '1,2,3,4,5,6,7,8,"say \\"hi\\" \\\\"\n'
        "1,2,3,4,5,6,7,8,90\n"
        "1,2,3,4,5,6,7,8,###\n"
        "1,2,3,4,5,6,7,8\n"
        '38, 43, 920, 215, "Tiredness"\n'
        "38 43 920 215 12\n"
    )
    found = read({"gt_img_1.txt": text.encode("utf-8-sig")})
    assert [r.get("text") for r in found.annotations] == [
        "a, b,c", 'say "hi" \\', "90", None, None, "Tiredness", "12"
    ]  # fmt: skip
    assert [r["type"] for r in found.annotations] == ["polygon"] * 5 + ["box"] * 2
    assert [json.loads(r.get("attributes", "{}")) for r in found.annotations[3:5]] == [
        {"illegible": True}, {}
    ]  # fmt: skip
    assert [found.annotations[5][n] for n in "xywh"] == [38, 43, 882, 172]
    assert [(r.get("subset"), r["key"]) for r in found.items] == [(None, "img_1.jpg")]
    assert found.ledger.groups() == []


def test_languages_of_mlt():
    """MLT's language before the text is an attribute, and is written again."""
    found = read({"gt_1.txt": "0,0,9,0,9,9,0,9,Latin,Hello, you\n"})
    (row,) = found.annotations
    assert (row["text"], json.loads(row["attributes"])) == ("Hello, you", {"language": "Latin"})
    files, _ = write([{"key": "1.jpg"}], [{**plain(row), "item": "1.jpg"}])
    assert files["train/gt_1.txt"].decode() == '0,0,9,0,9,9,0,9,Latin,"Hello, you"\n'


def test_folders_of_the_challenge():
    """The folders as they are downloaded: the texts here, the images there."""
    found = read({
        "ch4_training_localization_transcription_gt/gt_img_1.txt": "1,2,3,4,5,6,7,8,a\n",
        "ch4_training_images/img_1.jpg": b"", "ch4_training_images/img_2.jpg": b"",
        "ch4_test_images/img_1.jpg": b"",
    })  # fmt: skip
    assert {(r["subset"], r["key"], r["media"]) for r in found.items} == {
        ("training", "img_1.jpg", "ch4_training_images/img_1.jpg"),
        ("training", "img_2.jpg", "ch4_training_images/img_2.jpg"),
        ("test", "img_1.jpg", "ch4_test_images/img_1.jpg"),
    }
    assert [(r["subset"], r["key"]) for r in found.annotations] == [("training", "img_1.jpg")]
    assert found.ledger.groups() == []


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("gt_1.txt", "1,2,3\n", ("rejected", "line is not of localization", "line 2")),
        ("gt_1.txt", "hello\n", ("rejected", "line is not of localization", "line 2")),
        ("gt_1.txt", f"1,2,3,{'9' * 400}\n", ("rejected", "line is not of localization", "line 2")),
        ("gt_1.txt", "5 5 2 2 a\n", ("warning", "corners in another order", "line 2")),
        ("gt_1.txt", "5 5 5 9 a\n", ("warning", "box without area", "line 2")),
        ("gt.txt", "no image here\n", ("rejected", "line is not of recognition", "line 2")),
        ("1_GT.txt", "1 2 3 4 5 6 7 8\n", ("rejected", "line is not of segmentation", "line 2")),
        ("1_GT.txt", "1 2 300 4 5 6 7 8 9 a\n",
         ("rejected", "line is not of segmentation", "line 2")),
    ],
)  # fmt: skip
def test_malformed_lines(path, text, line):
    """One broken line is one line of the ledger; the next is read."""
    good = {
        "gt_1.txt": '1 2 3 4 "a"\n',
        "gt.txt": "1.jpg, a\n",
        "1_GT.txt": '1 2 3 4 5 6 7 8 9 "a"\n',
    }
    found = read({path: good[path] + text + good[path]})
    assert [entry for entry in lines(found) if entry[0] != "note"] == [line]
    assert len(found.annotations) == (2 if line[0] == "rejected" else 3)


def test_characters_without_pixels():
    """Without a mask, or without its colour in it, a character is its box."""
    text = '# by hand\n1 2 3 4 5 6 7 8 9 "a"\n# 9 9 9 4 5 6 7 8 9 "b"\n'
    found = read({"1_GT.txt": text})
    assert [(r["type"], [r[n] for n in "xywh"], r["text"]) for r in found.annotations] == [
        ("box", [6, 7, 2, 2], "a"), ("box", [6, 7, 2, 2], "b")
    ]  # fmt: skip
    assert json.loads(found.annotations[1]["attributes"]) == {"illegible": True}
    assert found.ledger.groups() == [("note", "mask file missing", 1)]
    out = io.BytesIO()
    Image.new("RGB", (4, 3), (1, 2, 3)).save(out, "BMP")
    found = read({"1_GT.txt": text, "1_GT.bmp": out.getvalue()})
    assert [r["type"] for r in found.annotations] == ["mask", "box"]
    assert found.ledger.groups() == [("warning", "character without pixels", 1)]
    found = read({"1_GT.txt": text, "1_GT.bmp": out.getvalue()[:30]})
    assert found.ledger.groups() == [("note", "mask can't be read", 1)]


def test_images_that_are_missing_or_more():
    """A text without its image is told; an image without a text is an item."""
    found = read({"train/gt_1.txt": '1 2 3 4 "a"\n', "train/images/2.png": b""})
    assert [(r["key"], r.get("media")) for r in found.items] == [
        ("1.jpg", None), ("2.png", "train/images/2.png")
    ]  # fmt: skip
    assert found.ledger.groups() == [("warning", "image file missing", 1)]


def test_a_preview_has_all_of_its_items():
    """What later texts, or later lines, say of the first images is in the preview."""
    made = {
        "a/gt_1.txt": b"1 2 3 4 x\n", "a/gt_2.txt": b"1 2 3 4 y\n",
        "a/gt.txt": b"1.jpg, x\n2.jpg, y\n1.jpg, z\n", "a/1_GT.txt": b'1 2 3 4 5 6 7 8 9 "x"\n',
        "a/images/1.jpg": b"", "a/images/2.jpg": b"",
    }  # fmt: skip
    found = read_back(ICDAR, open_source(made), limit=1)
    assert [r["key"] for r in found.items] == ["1.jpg"]
    assert [r["text"] for r in found.annotations] == ["x", "x", "z", "x"]


def test_one_file_alone(tmp_path):
    """A single text is read; one without a line of ICDAR can't be."""
    path = tmp_path / "gt_1.txt"
    path.write_text("1,2,3,4,5,6,7,8,a\n", "utf-16")
    with open_source(path) as source:
        assert detect(source)[0].format == "icdar"
        assert len(read_back(ICDAR, source).annotations) == 1
    path.write_text("hello\n")
    with open_source(path) as source, pytest.raises(BrokenFileError, match=r"gt_1\.txt"):
        read_back(ICDAR, source)


def test_the_task_may_be_said():
    """Texts that are not called as ICDAR calls them are read when the task is given."""
    files = {"labels/img_1.txt": "1,2,3,4,5,6,7,8,a\n"}
    assert read(files).annotations == []
    found = read(files, task="localization")
    assert [(r["key"], r["text"]) for r in found.annotations] == [("img_1.jpg", "a")]


def test_look_alikes_are_not_icdar():
    """MOT's gt/gt.txt, tracks of one object and YOLO's lines have no text."""
    for files in (
        {"gt/gt.txt": b"1,1,2,3,4,5,1,1,1\n"},
        {"groundtruth.txt": b"1,2,3,4,5,6,7,8\n"},
        {"gt_1.txt": b"1,2,3,4,5,6,7,8\n"},
        {"gt.txt": b"a.jpg 3\n"},
        {"gt.txt": b"a.jpg;774;411;815;446;11\n"},
        {"labels/a.txt": b"0 0.5 0.5 0.1 0.1\n"},
    ):
        assert "icdar" not in {c.format for c in detect(open_source(files)) if c.confidence}


# -- writing --------------------------------------------------------------------------


def write(items, annotations, **options):
    """Return the files written of one subset, and the ledger."""
    sink, ledger = MemorySink(), Ledger()
    data = Example({"train": items}, {"train": annotations}, (Label("text"),))
    ICDAR.write(data, sink, {"decimals": False, **options}, ledger, Progress())
    return sink.files, ledger


def plain(row):
    """Return a row that was read as one to write."""
    return {k: v for k, v in row.items() if k not in ("key", "subset")}


BOX = {"item": "1.jpg", "type": "box", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0, "label": "text"}


def test_coordinates_are_whole_pixels():
    """ICDAR's scripts read whole numbers; what is rounded is told."""
    files, ledger = write([{"key": "1.jpg"}], [{**BOX, "x": 1.4, "text": "a"}, BOX])
    assert files["train/gt_1.txt"].decode() == '1,2,4,6,"a"\n1,2,4,6,""\n'
    assert ledger.groups() == [("warning", "coordinates rounded to whole pixels", 1)]


@pytest.mark.parametrize("subset", ["mine", "my_test_set", "gt_data", "default"])
def test_subsets_of_any_name_come_back(subset):
    """A folder that holds images is a subset; without images the name has to tell."""
    data = Example({subset: [{"key": "a/1.jpg"}]}, {subset: [{**BOX, "item": "a/1.jpg"}]})
    found = read_back(ICDAR, open_source(written(ICDAR, data)))
    assert [(r["subset"], r["key"]) for r in found.items] == [(subset, "a/1.jpg")]
    sink, ledger = MemorySink(), Ledger()
    ICDAR.write(data, sink, {"decimals": False}, ledger, Progress())
    told = ("note", "subset can't be written", 1) in ledger.groups()
    assert told == (subset in ("my_test_set", "gt_data"))


def test_losses_are_told():
    """Labels, attributes, line breaks, polygons of five points, rotation."""
    rows = [
        {**BOX, "label": "sign", "text": "a\nb"},
        {**BOX, "attributes": '{"illegible": true, "font": 3}', "text": "c"},
        {**BOX, "rotation": 90.0},
        {**BOX, "type": "polygon", "points": [1.0, 2, 4, 2, 4, 6, 2, 6, 1, 4]},
        {"item": "1.jpg", "type": "tag", "label": "text"},
    ]
    files, ledger = write([{"key": "1.jpg"}], rows)
    assert files["train/gt_1.txt"].decode().splitlines() == [
        '1,2,4,6,"a b"', '1,2,4,6,"###"', '4,2,4,6,0,6,0,2,""', '1,2,4,6,""'
    ]  # fmt: skip
    assert sorted(ledger.groups()) == [
        ("rejected", "tag can't be written", 1),
        ("warning", "attributes can't be written", 1),
        ("warning", "coordinates rounded to whole pixels", 1),
        ("warning", "illegible text can't be written", 1),
        ("warning", "label can't be written", 1),
        ("warning", "line break in a text", 1),
        ("warning", "polygon written as its box", 1),
        ("warning", "rotated box written as polygon", 1),
    ]


def test_colours_are_told_apart():
    """Characters without a colour get one each, never the background's."""
    left = mask_to_rle([[1, 0, 0]])
    right = mask_to_rle([[0, 1, 0]])
    base = {**BOX, "type": "mask", "mask_height": 1, "mask_width": 3}
    white = '{"icdar": {"color": [255, 255, 255]}}'
    files, _ = write([{"key": "1.jpg"}], [{**base, "mask": left, "extra": white, "text": "a"},
                                          {**base, "mask": right, "text": "b"}])  # fmt: skip
    pixels = np.asarray(Image.open(io.BytesIO(files["train/1_GT.bmp"])))[0].tolist()
    assert pixels[2] == [255, 255, 255]
    assert len({tuple(p) for p in pixels}) == 3
    assert [r["text"] for r in read(files).annotations] == ["a", "b"]
