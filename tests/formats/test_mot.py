"""MOT Challenge: samples, what is malformed, and there and back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import Example, MemorySink, read_back, written
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

from .mot_cases import SequenceCases

MOT = get_format("mot")
CAR = Label("car")


def read(files, **options):
    """Read files (text or bytes) kept in memory."""
    return read_back(
        MOT,
        open_source({p: t.encode() if isinstance(t, str) else t for p, t in files.items()}),
        **options,
    )


def lines(found):
    """Return (outcome, reason, where) of the ledger."""
    table = found.ledger.to_pandas()
    return list(zip(table["outcome"], table["reason"], table["where"], strict=True))


class TestMot(SequenceCases):
    """Boxes come back as they were."""

    format_name = "mot"
    compared = ("type", "label", "x", "y", "w", "h", "score", "track")


@pytest.mark.parametrize("case", ["datumaro-mot_seq", "datumaro-mot_seq_with_seqinfo"])
def test_samples(samples, expected, case):
    """A box of the third label on frame 1, as Datumaro reads it."""
    source = open_source(samples / "mot" / case)
    best = detect(source)[0]
    assert (best.format, best.confidence) == ("mot", 0.95)
    found = read_back(MOT, source)
    truth = json.loads((expected / "mot" / f"{case}.mot_seq.json").read_text())
    assert list(found.labels) == truth["labels"]
    assert [row["key"] for row in found.items] == ["img1/000001.jpg"]
    (box,) = found.annotations
    (known,) = truth["items"][0]["annotations"]
    assert [box[n] for n in "xywh"] == known["bbox_xywh"]
    assert (box["label"], box["frame"]) == (known["label"], 0)
    assert not {"track", "attributes", "occluded"} & set(box)
    assert found.ledger.groups() == []
    media = found.items[0].get("media")
    assert media == (None if "seqinfo" in case else "img1/000001.jpg")


def test_size_and_rate_of_seqinfo(samples):
    """Where there are no images, seqinfo.ini says how large the frames are."""
    source = open_source(samples / "mot" / "datumaro-mot_seq_with_seqinfo")
    (item,) = read_back(MOT, source).items
    assert (item["width"], item["height"]) == (16, 16)
    assert json.loads(item["meta"]) == {"mot": {"frameRate": 10.0}}


MOT17 = """1,1,912,484,97,109,0,7,1
1,2,1338.5,418,167,379,1,1,0.25
2,2,1342,417,168,380,1,1,0
3,-1,586,447,85,263,1,3,1
"""


def test_rows_of_mot17():
    """Classes of the challenge, ignored rows, visibility, tracks and untracked boxes."""
    found = read({"train/MOT17-02/gt/gt.txt": MOT17})
    keys = [f"MOT17-02/img1/{n:06d}.jpg" for n in (1, 2, 3)]
    assert [(row["subset"], row["key"]) for row in found.items] == [("train", k) for k in keys]
    a, b, c, d = found.annotations
    assert [row["label"] for row in (a, b, c, d)] == [
        "static person", "pedestrian", "pedestrian", "car"
    ]  # fmt: skip
    assert [row.get("track") for row in (a, b, c, d)] == ["1", "2", "2", None]
    assert [row["frame"] for row in (a, b, c, d)] == [0, 0, 1, 2]
    assert json.loads(a["attributes"]) == {"ignored": True}
    assert json.loads(b["attributes"]) == {"visibility": 0.25}
    assert [b[n] for n in "xywh"] == [1338.5, 418, 167, 379]
    assert c["occluded"] is True
    assert "attributes" not in d
    assert found.ledger.groups() == []


def test_rows_of_mot15_and_its_detections():
    """Ten columns have no class: pedestrians; rows of det.txt are predictions with a score."""
    files = {
        "train/ADL/gt/gt.txt": "1,4,10,20,30,40,1,-1.5,2,3\n",
        "train/ADL/det/det.txt": "1,-1,11,21,30,40,0.75,-1,-1,-1\n",
        "test/AVG/det/det.txt": "2,-1,1,2,3,4,7.5\n",
    }
    found = read(files)
    rows = {(r["subset"], r.get("layer"), r["label"], r.get("score")) for r in found.annotations}
    assert rows == {
        ("train", None, "pedestrian", None),
        ("train", "det", "pedestrian", 0.75),
        ("test", "det", "pedestrian", 7.5),
    }
    assert found.ledger.groups() == [("note", "confidences are not 0 to 1", 1)]
    without = read(files, detections=False)
    assert len(without.annotations) == 1


def test_frames_are_images_of_their_number():
    """An image belongs to the row of its number; a gap stays a gap, a missing image is told."""
    files = {
        "gt/gt.txt": "1,1,0,0,2,2,1,1,1\n4,1,0,0,2,2,1,1,1\n",
        "seqinfo.ini": "[Sequence]\r\nname=x\r\nimDir=frames\r\nseqLength=3\r\nimExt=.png\r\n",
        **{f"frames/{n:06d}.png": b"" for n in (1, 2, 3)},
    }
    found = read(files)
    assert [(r["key"], r.get("media")) for r in found.items] == [
        ("frames/000001.png", "frames/000001.png"),
        ("frames/000002.png", "frames/000002.png"),
        ("frames/000003.png", "frames/000003.png"),
        ("frames/000004.png", None),
    ]
    assert [r["key"] for r in found.annotations] == ["frames/000001.png", "frames/000004.png"]
    assert found.ledger.groups() == [("warning", "image file missing", 1)]
    assert found.balance.warned == 1


@pytest.mark.parametrize(
    ("names", "frames", "wanted", "in_order"),
    [
        (["cat_9", "dog_2", "owl_5"], (1, 3), ["cat_9", "owl_5"], True),
        (["frame_000000", "frame_000001"], (1, 2), ["frame_000000", "frame_000001"], True),
        (["frame_000000", "frame_000001"], (1, 1), ["frame_000000", "frame_000000"], True),
        (["frame_000000", "frame_000001"], (0, 1), ["frame_000000", "frame_000001"], False),
        (["a", "b", "c"], (2, 3), ["b", "c"], True),
        (["000005", "000006"], (5, 6), ["000005", "000006"], False),
        (["000000", "000001"], (1, 2), ["000000", "000001"], True),
        (["000000", "000001"], (1, 1), ["000001", "000001"], False),
        (["seq7_1", "seq7_2", "seq7_10"], (2, 10), ["seq7_2", "seq7_10"], False),
    ],
)
def test_which_image_is_which_frame(names, frames, wanted, in_order):
    """The number at the end of a name, else the order of the names, which is noted."""
    files = {f"img1/{name}.jpg": b"" for name in names}
    text = "".join(f"{frame},{i},0,0,2,2,1,1,1\n" for i, frame in enumerate(frames, 1))
    found = read({**files, "gt/gt.txt": text})
    assert [r["key"] for r in found.annotations] == [f"img1/{name}.jpg" for name in wanted]
    assert len(found.items) == len(names)
    notes = {reason for _, reason, _ in lines(found)} - {"frames are counted from 0"}
    assert notes == ({"images are frames in order"} if in_order else set())


def test_two_sequences_of_equal_frames_are_apart():
    """Frame 1 of two sequences are two items."""
    files = {f"train/{s}/gt/gt.txt": "1,1,0,0,2,2,1,1,1\n" for s in "ab"}
    assert {r["key"] for r in read(files).items} == {"a/img1/000001.jpg", "b/img1/000001.jpg"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("1,1,0,0\n", ("rejected", "row has too few columns", "line 2")),
        ("1,1,0,0,x,4,1,1,1\n", ("rejected", "row is not numbers", "line 2")),
        ("1.5,1,0,0,3,4,1,1,1\n", ("rejected", "frame is not a whole number", "line 2")),
        ("1,1.5,0,0,3,4,1,1,1\n", ("rejected", "id is not a whole number", "line 2")),
        ("-1,1,0,0,3,4,1,1,1\n", ("rejected", "frame is below 0", "line 2")),
        ("1,9,nan,0,3,4,1,1,1\n", ("rejected", "box without numbers", "line 2")),
        ("1,9,0,0,-3,4,1,1,1\n", ("rejected", "box of negative size", "line 2")),
        ("1,9,0,0,3,4,1,3,1\n", ("rejected", "class is not in labels.txt", "line 2")),
        ("1,9,0,0,3,4,1,0,1\n", ("rejected", "class is not in labels.txt", "line 2")),
        ("1,1,0,0,3,4,1,1,1,1,1\n", ("rejected", "row has too many columns", "line 2")),
        ("1,9,0,0,0,4,1,1,1\n", ("warning", "box without area", "line 2")),
        ("1,9,-2,0,5,4,1,1,1\n", ("warning", "box reaches outside the image", "line 2")),
        ("1,1,0,0,5,4,1,1,1\n", ("warning", "track has two boxes in one frame", "line 2")),
        ("1,9,0,0,3,4,1,-1,1\n", ("warning", "row without a class", "line 2")),
    ],
)
def test_malformed_rows(text, line):
    """One broken row is one line of the ledger; the rows around it are read."""
    good = "1,1,5,5,3,4,1,1,1\n"
    more = "1,2,6,6,3,4,1,2,1\n"
    files = {
        "gt/gt.txt": good + text + more,
        "gt/labels.txt": "a\nb",
        "seqinfo.ini": "[Sequence]\nseqLength=1\nimWidth=20\nimHeight=10",
    }
    found = read(files)
    assert lines(found) == [line]
    assert len(found.annotations) == (2 if line[0] == "rejected" else 3)
    assert found.balance.read == 4


def test_other_separators_line_ends_and_encodings():
    """White space, CRLF, blank lines, byte order marks, UTF-16, trailing commas, ids as 1.0."""
    plain = "1,7,1.5,2,3,4,1,1,1\n2,7,1.5,2,3,4,1,1,1\n"
    wanted = read({"gt/gt.txt": plain}).annotations
    for data in (
        plain.replace("\n", "\r\n").encode(),
        plain.replace(",", " , ").encode("utf-8-sig"),
        plain.replace(",", " ").encode("utf-16"),
        plain.replace("\n", ",\n\n").encode(),
        plain.replace(",7,", ",7.0,").encode(),
        plain.replace(",", ";").encode(),
    ):
        found = read({"gt/gt.txt": data})
        assert found.annotations == wanted
        assert found.ledger.groups() == []


def test_a_header_is_no_record():
    """A first line of names is told, and not counted."""
    found = read({"gt/gt.txt": "frame,id,x,y,w,h,conf,class,vis\n1,1,0,0,3,4,1,1,1\n"})
    assert found.ledger.groups() == [("note", "first line is a header", 1)]
    assert found.balance.read == 2


def test_frames_from_zero():
    """A file that has a frame 0 counts from 0: nothing is shifted."""
    found = read({"gt/gt.txt": "0,1,0,0,3,4,1,1,1\n1,1,0,0,3,4,1,1,1\n"})
    assert [r["key"] for r in found.items] == ["img1/000000.jpg", "img1/000001.jpg"]
    assert [r["frame"] for r in found.annotations] == [0, 1]
    assert found.ledger.groups() == [("note", "frames are counted from 0", 1)]


def test_classes_nobody_names():
    """Without labels.txt, classes past 13 get a name of their own, and it is noted."""
    found = read({"gt/gt.txt": "1,1,0,0,3,4,1,80,1\n"})
    assert found.annotations[0]["label"] == "class 80"
    assert found.ledger.groups() == [("note", "classes without names", 1)]


def test_a_hostile_seqinfo():
    """A length of 10**12 allocates nothing; values that are no numbers are told."""
    files = {
        "gt/gt.txt": "1,1,0,0,3,4,1,1,1\n",
        "seqinfo.ini": "[Sequence]\nseqLength=1000000000000\nimWidth=many\nimDir=../../etc\n",
    }
    found = read(files)
    assert [r["key"] for r in found.items] == ["img1/000001.jpg"]
    assert found.ledger.groups() == [("note", "seqinfo.ini is doubtful", 2)]


def test_an_ini_that_is_none():
    """Lines without a section are read, and told."""
    files = {"gt/gt.txt": "1,1,0,0,3,4\n", "seqinfo.ini": "name=x\nseqLength=2\nwhat is this\n"}
    found = read(files)
    assert len(found.items) == 2
    assert found.ledger.groups() == [("note", "seqinfo.ini is doubtful", 2)]


def test_empty_and_foreign_files():
    """An empty gt.txt is a sequence without boxes; something else is not MOT."""
    found = read({"gt/gt.txt": "", "img1/000001.jpg": b""})
    assert (len(found.items), found.annotations) == (1, [])
    assert MOT.name not in {
        c.format
        for c in detect(open_source({"gt.txt": b'word_1.png, "A"\n', "gt/gt.txt": b"a b c\n"}))
        if c.confidence
    }


def test_one_file_alone(tmp_path):
    """A single gt.txt is read; one without a single row can't be."""
    path = tmp_path / "gt.txt"
    path.write_text("1,1,0,0,3,4,1,1,1\n")
    with open_source(path) as source:
        assert detect(source)[0].format == "mot"
        assert len(read_back(MOT, source).annotations) == 1
    path.write_text("nothing\n")
    with open_source(path) as source, pytest.raises(BrokenFileError, match=r"gt\.txt"):
        read_back(MOT, source)


def test_many_rows_are_columns():
    """100,000 rows are one batch of columns, and every number is right."""
    count = 100_000
    frames = np.repeat(np.arange(1, 101), count // 100)
    text = "\n".join(f"{f},{i},{i}.25,2,3,4,1,1,0.5" for i, f in enumerate(frames.tolist()))
    (batch,) = MOT.read(
        open_source({"gt/gt.txt": text.encode()}), {"detections": True}, Ledger(), Progress()
    )
    assert (batch.items.num_rows, batch.annotations.num_rows) == (100, count)
    assert batch.annotations["x"].to_numpy().sum() == sum(range(count)) + count / 4
    assert (batch.annotations["frame"].to_numpy() == frames - 1).all()


# -- writing --------------------------------------------------------------------------


def write(items, annotations, labels=(CAR,), subset="train"):
    """Return the files written of one subset, and the ledger."""
    made = Example({subset: items}, {subset: annotations}, tuple(labels))
    sink, ledger = MemorySink(), Ledger()
    MOT.write(made, sink, {}, ledger, Progress())
    return sink.files, ledger


BOX = {"type": "box", "label": "car", "x": 1.0, "y": 2.5, "w": 3.0, "h": 4.0}


def test_a_sequence_is_written_as_it_was_read():
    """Sequences of MOT come back byte by byte, names and numbers and all."""
    files = {
        "train/S/gt/gt.txt": "1,7,1,2.5,3,4,0,1,1\n3,8,1,2.5,3,4,1,2,0.5\n",
        "train/S/gt/labels.txt": "car\nbus\n",
        "train/S/det/det.txt": "1,-1,1,2,3,4,0.5,1\n",
        "train/S/seqinfo.ini": "[Sequence]\nname=S\nimDir=frames\nframeRate=25\nseqLength=3\n"
        "imWidth=64\nimHeight=48\nimExt=.jpg\n",
    }
    found = read(files)
    rows = {
        "items": [{k: v for k, v in r.items() if k not in ("item", "subset")} for r in found.items],
        "annotations": [
            {**{k: v for k, v in r.items() if k not in ("key", "subset")}, "item": r["key"]}
            for r in found.annotations
        ],
    }
    again, ledger = write(rows["items"], rows["annotations"], found.labels.values())
    assert {p: t.decode() for p, t in again.items()} == files
    assert ledger.groups() == []


def test_what_is_lost_is_told():
    """Tracks that are no numbers, attributes, layers, scores that say something else."""
    items = [{"key": f"S/img1/00000{n}.jpg"} for n in (1, 2)]
    rows = [
        {"item": items[0]["key"], **BOX, "track": "x"},
        {"item": items[0]["key"], **BOX, "track": "1", "score": 1.0},
        {"item": items[0]["key"], **BOX, "attributes": '{"color": "red"}'},
        {"item": items[1]["key"], **BOX, "layer": "yolo", "score": 0.5, "occluded": True},
        {"item": items[1]["key"], **BOX, "outside": True, "track": "1"},
        {"item": items[1]["key"], "type": "tag", "label": "car"},
    ]
    files, ledger = write(items, rows)
    assert files["train/S/gt/gt.txt"].decode().splitlines() == [
        "1,1,1,2.5,3,4,1,1,1", "1,2,1,2.5,3,4,1,1,1", "1,-1,1,2.5,3,4,1,1,1"
    ]  # fmt: skip
    assert files["train/S/det/det.txt"] == b"2,-1,1,2.5,3,4,0.5,1\n"
    assert sorted(ledger.groups()) == [
        ("rejected", "outside the view", 1),
        ("rejected", "tag can't be written", 1),
        ("warning", "attributes can't be written", 1),
        ("warning", "layer can't be named", 1),
        ("warning", "occluded can't be written", 1),
        ("warning", "score can't be written", 1),
        ("warning", "track renumbered", 2),
    ]


def test_images_that_are_no_frames_are_numbered():
    """Each image that gets another name is a line of the ledger."""
    files, ledger = write([{"key": "b.png"}, {"key": "a.png"}], [{"item": "a.png", **BOX}])
    assert files["train/gt/gt.txt"] == b"2,-1,1,2.5,3,4,1,1,1\n"
    assert [r["message"] for r in ledger.lines("warning", "frame renamed")] == [
        "b.png is written as img1/000001.png", "a.png is written as img1/000002.png"
    ]  # fmt: skip


def test_a_video_is_a_sequence():
    """Boxes of a video's frames become rows of a sequence without images."""
    items = [{"key": "clip.mp4", "kind": "video", "frames": 9}]
    rows = [{"item": "clip.mp4", **BOX, "frame": 4, "track": "3"}]
    files, ledger = write(items, rows)
    assert files["train/clip/gt/gt.txt"] == b"5,3,1,2.5,3,4,1,1,1\n"
    assert b"seqLength=9\n" in files["train/clip/seqinfo.ini"]
    assert ledger.groups() == [("warning", "video written as a sequence", 1)]


def test_subsets_and_sequences_of_any_name_come_back():
    """Where a folder could be misread, the sequence gets a name."""
    items = {s: [{"key": "q/img1/000001.jpg"}] for s in ("default", "mine", "train")}
    back = read_back(MOT, open_source(written(MOT, Example(items), media=False)))
    assert {(r["subset"], r["key"]) for r in back.items} == {
        (s, "q/img1/000001.jpg") for s in items
    }
    alone = written(MOT, Example({"default": items["default"]}), media=False)
    assert "q/gt/gt.txt" in alone
    mine = read_back(MOT, open_source(written(MOT, Example({"mine": [{"key": "1.jpg"}]}))))
    assert [(r["subset"], r["key"]) for r in mine.items] == [("mine", "sequence/img1/000001.jpg")]
