"""ActivityNet, Kinetics and AVA: the conformance suite, real samples, and wrong files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nbannot.errors import BrokenFileError, OptionError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, MemorySink, ReadBack, Row, read_back
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

from .audio_cases import AudioCases, Recorded, audio_example, read, spans_of, told


class TestActivityNet(AudioCases):
    """Actions of videos; ids are unique in the file, so keys of one example may not repeat."""

    format_name = "activitynet"
    kind = "video"
    end = ".mp4"
    most_subsets = 1

    @pytest.fixture
    def dataset(self) -> Example:
        """Videos, of which two subsets have one of the same key."""
        return audio_example(kind=self.kind, end=self.end)

    def item_key(self, subset: str, key: str) -> str:
        """The second video of a key gets another name."""
        return "a/1-2.mp4" if (subset, key) == ("val", "a/1.mp4") else key


class TestKinetics(AudioCases):
    """Actions of videos."""

    format_name = "kinetics"
    kind = "video"
    end = ".mp4"


class TestAva(FormatCases):
    """Boxes on frames, called as AVA calls them."""

    format_name = "ava"
    compared = ("type", "label", "x", "y", "w", "h")
    tolerance_px = 1e-6

    def item_key(self, subset: str, key: str) -> str:
        """An image becomes frame 0 of a video of its name."""
        stem, _, end = key.rpartition(".")
        return f"{stem}/{stem.rpartition('/')[2]}_000000.{end}"


def of(name: str, files: Mapping[str, str | bytes], **options: Any) -> ReadBack:
    return read(get_format(name), dict(files), **options)


def written(name: str, made: Example, **options: Any) -> tuple[dict[str, bytes], Ledger]:
    """Return the files and the ledger of an export without media."""
    sink, ledger, format = MemorySink(), Ledger(), get_format(name)
    chosen = format.check_options(options, writing=True)
    format.write(made, sink, chosen, ledger, Progress())
    return sink.files, ledger


# -- ActivityNet ------------------------------------------------------------------------

TRUTH: Row = {
    "version": "VERSION 1.3",
    "taxonomy": [
        {"nodeName": "Root", "nodeId": 0, "parentId": None, "parentName": None},
        {"nodeName": "Sports", "nodeId": 1, "parentId": 0, "parentName": "Root"},
        {"nodeName": "Drinking beer", "nodeId": 2, "parentId": 1, "parentName": "Sports"},
    ],
    "database": {
        "sJn1jAUO0o": {
            "duration": 82.73, "subset": "training", "resolution": "320x240", "fps": 25,
            "url": "https://www.youtube.com/watch?v=x",
            "annotations": [
                {"label": "Drinking beer", "segment": [6.75, 19.5]},
                {"label": "Cheering", "segment": [20, 21.5]},
            ],
        },
        "v2": {"subset": "testing", "annotations": []},
    },
}  # fmt: skip
PREDICTED: Row = {
    "version": "VERSION 1.3",
    "results": {
        "sJn1jAUO0o": [{"label": "Cheering", "score": 0.64, "segment": [1.5, 3]}],
        "other": [{"label": "Cheering", "score": 0.25}],
    },
    "external_data": {"used": True},
}


def test_activitynet_rows() -> None:
    """Ground truth and predictions, with all that the entries say."""
    files = {
        "gt.json": json.dumps(TRUTH), "mine.json": json.dumps(PREDICTED),
        "videos/v_sJn1jAUO0o.mp4": "x", "videos/v2.mkv": "y",
    }  # fmt: skip
    source = open_source({p: t.encode() for p, t in files.items()})
    assert detect(source)[0].format == "activitynet"
    found = of("activitynet", files)
    assert spans_of(found) == [
        (6.75, 19.5, "Drinking beer", None), (20.0, 21.5, "Cheering", None),
        (1.5, 3.0, "Cheering", None),
    ]  # fmt: skip
    assert [(r.get("layer"), r.get("score")) for r in found.annotations] == [
        (None, None), (None, None), ("mine", 0.64), ("mine", 0.25),
    ]  # fmt: skip
    assert found.annotations[3]["type"] == "tag"
    first = found.items[0]
    assert (first["subset"], first["media"]) == ("training", "videos/v_sJn1jAUO0o.mp4")
    assert (first["width"], first["height"], first["duration"]) == (320, 240, 82.73)
    assert json.loads(first["meta"]) == {"activitynet": {"fps": 25}}
    assert [(r.get("subset"), r["key"]) for r in found.items[1:]] == [
        ("testing", "v2"), (None, "other"),
    ]  # fmt: skip
    assert found.labels["Drinking beer"] == Label("Drinking beer", parent="Sports", source_id="2")
    assert list(found.labels) == ["Drinking beer", "Cheering"]
    assert told(found) == [("warning", "video file missing", 1)]


def test_activitynet_predictions_are_written_apart() -> None:
    """A layer is a file of results."""
    span = {"item": "v", "type": "time_span", "label": "cat", "start": 1.0, "end": 2.5}
    made = Recorded(
        {"training": [{"key": "v", "kind": "video", "duration": 9.5, "width": 8, "height": 6}]},
        {"training": [span, {**span, "layer": "mine", "score": 0.5}]}, (Label("cat"),),
    )  # fmt: skip
    files, ledger = written("activitynet", made)
    assert json.loads(files["activitynet.json"])["database"] == {
        "v": {"duration": 9.5, "subset": "training", "resolution": "8x6",
              "annotations": [{"label": "cat", "segment": [1, 2.5]}]},
    }  # fmt: skip
    assert json.loads(files["predictions/mine.json"])["results"] == {
        "v": [{"label": "cat", "segment": [1, 2.5], "score": 0.5}]
    }
    assert ledger.groups() == []
    found = of("activitynet", files)
    assert [(r["subset"], r.get("layer")) for r in found.annotations] == [
        ("training", None), ("training", "mine"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "outcome", "reason"),
    [
        ({"label": "a", "segment": [2, 1]}, "rejected", "end before start"),
        ({"label": "a", "segment": ["x", 1]}, "rejected", "time is not a number"),
        ({"label": "a", "segment": [1]}, "rejected", "segment is not [start, end]"),
        ("a", "rejected", "annotation is not an object"),
        ({"segment": [1, 2]}, "warning", "annotation without a label"),
    ],
)
def test_activitynet_annotations_that_are_wrong(row: Any, outcome: str, reason: str) -> None:
    """Each is a line of the ledger, with its place, and stops nothing."""
    entry = {"annotations": [row, {"label": "b", "segment": [0, 1]}]}
    found = of("activitynet", {"a.json": json.dumps({"database": {"v": entry, "w": 3}})})
    assert (outcome, reason, 1) in told(found)
    line = found.ledger.lines(outcome, reason)[0]
    assert line["where"] == "database['v'].annotations[0]"
    assert ("rejected", "video is not an object", 1) in told(found)
    assert spans_of(found)[-1] == (0.0, 1.0, "b", None)


def test_a_taxonomy_of_junk_is_no_obstacle() -> None:
    """Nodes that are none are passed over."""
    nodes: list[Any] = [3, {"nodeName": ["x"]}, {"nodeName": "a", "parentName": [1]}]
    text = json.dumps({"taxonomy": nodes, "database": {}, "version": "1"})
    found = of("activitynet", {"a.json": text})
    assert (list(found.labels), told(found)) == (["a"], [])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"database": 3}', '{"a": {}}'])
def test_what_is_no_activitynet(text: str) -> None:
    """It is an error that names the file."""
    with pytest.raises(BrokenFileError, match=r"a\.json"):
        of("activitynet", {"a.json": text})


# -- Kinetics ---------------------------------------------------------------------------


def test_kinetics_sample(samples: Path, expected: Path) -> None:
    """Items, subsets, labels and times are those of the reference."""
    wanted = json.loads((expected / "kinetics/datumaro-kinetics.kinetics.json").read_text())
    with open_source(samples / "kinetics/datumaro-kinetics") as source:
        assert detect(source)[0].format == "kinetics"
        found = read_back(get_format("kinetics"), source)
    items = {(r["id"], r["subset"], r["file"]) for r in wanted["items"]}
    assert {(r["key"], r["subset"], r.get("media")) for r in found.items} == items
    rows = {
        (item["id"], row["label"], *(float(v) for v in row["attributes"].values()))
        for item in wanted["items"]
        for row in item["annotations"]
    }
    assert {(r["key"], r["label"], r["start"], r["end"]) for r in found.annotations} == rows
    assert len(found.annotations) == wanted["annotation_counts"]["label"]
    assert told(found) == [("warning", "video file missing", 2)]  # the reference has none too


CSV = (
    "label,youtube_id,time_start,time_end,split,is_cc\n"
    'abseiling,abc,20,30.5,train,1\n"eating, fast",abc,40,50,train,0\n'
)


def test_kinetics_rows() -> None:
    """A video may have several clips; more columns are kept and written again."""
    found = of("kinetics", {"x.csv": CSV.encode("utf-8-sig").replace(b"\n", b"\r\n")})
    assert spans_of(found) == [(20.0, 30.5, "abseiling", None), (40.0, 50.0, "eating, fast", None)]
    assert json.loads(found.annotations[0]["extra"]) == {"kinetics": {"is_cc": "1"}}
    rows = [{**r, "item": r["key"]} for r in found.annotations]
    rows = [{k: v for k, v in r.items() if k not in ("subset", "key")} for r in rows]
    made = Recorded({"train": [{"key": "abc", "kind": "video"}]}, {"train": rows})
    files, ledger = written("kinetics", made)
    assert files["train.csv"].decode() == CSV
    assert ledger.groups() == []


def test_kinetics_without_labels() -> None:
    """A test set has times and no labels."""
    found = of("kinetics", {"test.csv": "youtube_id,time_start,time_end\nabc,1,2\n"})
    assert spans_of(found) == [(1.0, 2.0, None, None)]
    assert [(r["subset"], r["key"]) for r in found.items] == [("test", "abc")]


def test_kinetics_clips() -> None:
    """Videos that are cut are items of their own, whose action is a tag; written again as such."""
    found = of("kinetics", {"train.csv": CSV, "train/abc_000020_000030.mp4": "x",
                            "train/abc_000040_000050.mp4": "y"})  # fmt: skip
    assert [(r["key"], r["media"]) for r in found.items] == [
        ("abc_000020_000030", "train/abc_000020_000030.mp4"),
        ("abc_000040_000050", "train/abc_000040_000050.mp4"),
    ]
    assert [(r["type"], r["label"]) for r in found.annotations] == [
        ("tag", "abseiling"), ("tag", "eating, fast"),
    ]  # fmt: skip
    items = [{k: v for k, v in r.items() if k not in ("item", "subset")} for r in found.items]
    rows = [
        {"item": r["key"], "type": "tag", "label": r["label"], "extra": r["extra"]}
        for r in found.annotations
    ]
    files, ledger = written("kinetics", Recorded({"train": items}, {"train": rows}))
    assert files["train.csv"].decode() == CSV
    assert ledger.groups() == []


def test_kinetics_lists_that_are_there_twice() -> None:
    """The downloads have each list as CSV and JSON: the CSV is read, and the other noted."""
    entry = {"annotations": {"label": "a", "segment": [0, 1]}, "subset": "train"}
    found = of("kinetics", {"train.csv": CSV, "train.json": json.dumps({"abc": entry})})
    assert len(found.annotations) == 2
    assert found.ledger.groups() == [("note", "file says the same as another", 1)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a,abc,x,2,train,1", "time is not a number"),
        ("a,abc,3,,train,1", "time is not a number"),
        ("a,abc,3,2,train,1", "end before start"),
        ("a,,1,2,train,1", "row without a video"),
        ("a,abc,1,2,train,1,9,9", "line has too many columns"),
    ],
)
def test_kinetics_rows_that_are_wrong(line: str, reason: str) -> None:
    """Each is rejected, with its line, and stops nothing."""
    found = of("kinetics", {"x.csv": CSV + line + "\n"})
    assert told(found) == [("rejected", reason, 1)]
    assert found.ledger.lines("rejected", reason)[0]["where"] == "line 4"
    assert len(found.annotations) == 2


def test_kinetics_json_that_is_wrong() -> None:
    """Broken entries are rejected one by one, a broken file is an error."""
    good = {"annotations": {"label": "a", "segment": [0, 1]}, "subset": "train", "duration": 3}
    bad = {"annotations": {"label": "a", "segment": 5}, "subset": "train"}
    text = json.dumps({"x": good, "y": bad, "z": 1})
    found = of("kinetics", {"a.json": text})
    assert spans_of(found) == [(0.0, 1.0, "a", None)]
    assert sorted(told(found)) == [
        ("rejected", "segment is not [start, end]", 1), ("rejected", "video is not an object", 1),
    ]  # fmt: skip
    with pytest.raises(BrokenFileError, match=r"a\.json"):
        of("kinetics", {"a.json": text[: len(text) // 2]})


# -- AVA --------------------------------------------------------------------------------


def test_ava_sample(samples: Path) -> None:
    """Four frames with ten boxes; no reference reads it, so that the rows themselves are it."""
    folder = samples / "ava/datumaro-ava"
    with open_source(folder) as source:
        assert detect(source)[0].format == "ava"
        found = read_back(get_format("ava"), source)
    lines = (folder / "annotations/ava_default_v2.2.csv").read_text().split()
    back = sorted(
        f"{r['key'].split('/')[0]},{r['key'][-10:-4]},{r['x']:g},{r['y']:g},"
        f"{r['x'] + r['w']:g},{r['y'] + r['h']:g},{r['label'][-1]},{r['track']}"
        for r in found.annotations
    )
    assert back == sorted(lines)  # labels are label_0 .. label_4 for 0 .. 4
    assert [r["media"] for r in found.items] == [f"frames/{r['key']}" for r in found.items]
    assert len(found.items) == 4
    assert found.labels["label_0"].source_id == "0"  # its label_id is left out, and so 0
    assert found.ledger.groups() == [("note", "coordinates are pixels", 1)]


LIST = 'item {\n  name: "bend/bow"\n  id: 1\n}\nlabel { name: "sit" label_id: 11 }\n'
AVA = "-5KQ66BBWC4,0902,0.1,0.25,0.5,0.75,1,0\n-5KQ66BBWC4,0903,0,0,1,1,11,-1\n"


def test_ava_without_frames() -> None:
    """Boxes are on frames of the video, whose size has to be said."""
    files = {"ava_train_v2.2.csv": AVA, "list.pbtxt": LIST}
    assert detect(open_source({p: t.encode() for p, t in files.items()}))[0].format == "ava"
    found = of("ava", files, size="200x100")
    rows = [(r["label"], r["x"], r["y"], r["w"], r["h"], r["frame"]) for r in found.annotations]
    assert rows == [("bend/bow", 20.0, 25.0, 80.0, 50.0, 902), ("sit", 0.0, 0.0, 200.0, 100.0, 903)]
    assert [r.get("track") for r in found.annotations] == ["0", None]
    assert [(r["subset"], r["key"], r["kind"]) for r in found.items] == [
        ("train", "-5KQ66BBWC4", "video")
    ]
    assert of("ava", files, size="200x100", fps="30").annotations[0]["frame"] == 27060
    found = of("ava", files)
    assert told(found) == [("rejected", "size of the video is not known", 2)]
    with pytest.raises(OptionError, match="size"):
        of("ava", files, size="big")


def test_ava_of_videos_is_written_again() -> None:
    """Frames become timestamps."""
    item = {"key": "v.mp4", "kind": "video", "width": 200, "height": 100}
    box = {"item": "v.mp4", "type": "box", "label": "sit", "x": 20.0, "y": 25.0, "w": 80.0,
           "h": 50.0, "track": "3", "frame": 60}  # fmt: skip
    still = {k: v for k, v in box.items() if k != "frame"}
    made = Recorded({"val": [item]}, {"val": [box, still]}, (Label("sit", source_id="11"),))
    files, ledger = written("ava", made, fps=30)
    assert files["annotations/ava_val_v2.2.csv"] == b"v.mp4,0002,0.1,0.25,0.5,0.75,11,3\n"
    assert b"label_id: 11" in files["annotations/ava_action_list_v2.2.pbtxt"]
    assert ledger.groups() == [("rejected", "box without a frame", 1)]
    found = of("ava", files, size="200x100", fps=30)
    assert [(r["frame"], r["track"], r["label"]) for r in found.annotations] == [(60, "3", "sit")]


@pytest.mark.parametrize(
    ("line", "outcome", "reason"),
    [
        ("v,0902,0.1,x,0.5,0.5,1,0", "rejected", "line is not a row of AVA"),
        ("v,0902,0.1", "rejected", "line is not a row of AVA"),
        ("v,0902,0.1,0.1,0.5,0.5,²,0", "rejected", "line is not a row of AVA"),
        ("v,1e300,0.1,0.1,0.5,0.5,1,0", "rejected", "timestamp is of no frame"),
        ("v,-5,0.1,0.1,0.5,0.5,1,0", "rejected", "timestamp is of no frame"),
        ("v,0902,0.5,0.5,0.1,0.9,1,0", "rejected", "width or height is negative"),
        ("v,0902,0.5,0.5,1.2,0.9,1,0", "warning", "box reaches outside the image"),
        ("v,0902,0.1,0.1,0.5,0.5,99,0", "warning", "action is not in the list"),
    ],
)
def test_ava_rows_that_are_wrong(line: str, outcome: str, reason: str) -> None:
    """Each is a line of the ledger, and stops nothing."""
    rows = AVA * 11 + line + "\n"
    found = of("ava", {"ava_train_v2.2.csv": rows, "list.pbtxt": LIST}, size="200x100")
    assert told(found) == [(outcome, reason, 1)]
    assert found.ledger.lines(outcome, reason)[0]["where"] == "line 23"
    assert len(found.annotations) == (23 if outcome == "warning" else 22)


@pytest.mark.parametrize("label", ["a{b", "}", 'say "x"', "a\\b", "größe ✓", "a\nb", "name: 3"])
def test_ava_actions_of_any_name(label: str) -> None:
    """Braces, quotes and breaks in a name are no end of it."""
    item = {"key": "v/v_000000.jpg", "width": 20, "height": 10}
    box = {"item": item["key"], "type": "box", "label": label, "x": 1.0, "y": 2.0, "w": 3.0,
           "h": 4.0}  # fmt: skip
    made = Example({"train": [item]}, {"train": [box]}, (Label(label), Label("other")))
    sink, ledger, format = MemorySink(made.media), Ledger(), get_format("ava")
    format.write(made, sink, format.check_options({}, writing=True), ledger, Progress())
    assert ledger.groups() == []
    found = read_back(format, open_source(sink.files))
    assert [r["label"] for r in found.annotations] == [label]
    assert list(found.labels) == [label, "other"]


def test_ava_without_a_list_of_actions() -> None:
    """Labels are numbers then, and a note says so."""
    found = of("ava", {"ava_val_v2.2.csv": AVA}, size="200x100")
    assert [r["label"] for r in found.annotations] == ["1", "11"]
    assert found.ledger.groups() == [("note", "no list of actions", 1)]


def test_ava_other_tables_are_noted() -> None:
    """The timestamps that are left out of AVA are no rows; an empty file is nothing."""
    found = of("ava", {"ava_train_excluded_timestamps_v2.2.csv": "v,0902\n", "e.csv": ""})
    assert (found.items, told(found)) == ([], [])
    assert found.ledger.groups() == [("note", "file has no rows of AVA", 1)]
