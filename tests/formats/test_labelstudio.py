"""Label Studio: the conformance suite, real samples, media, what a task holds beside results."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from nbannot.errors import BrokenFileError, FormatError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import read_back
from nbannot.formats.labelstudio import tasks as labelstudio_tasks
from nbannot.geometry import box_corners
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source

from .labelstudio_files import BOX, PIXELS, box, picture, read_files, read_tasks, result, task


class TestConformance(FormatCases):
    """What every format must do."""

    format_name = "labelstudio"


def groups(found):
    """Return {reason: lines} of warnings and rejections."""
    return {reason: n for outcome, reason, n in found.ledger.groups() if outcome != "note"}


# -- real samples -----------------------------------------------------------------------------


def test_annotators_are_kept_apart(samples):
    """The export of two tasks and two annotators has their boxes in two sets, in exact pixels."""
    found = read_files((samples / "label_studio/sdk-test_export_yolo").as_posix())
    rows = [r for r in found.annotations if r["subset"] == "data"]
    assert [(r["key"], r["set"], r["label"]) for r in rows] == [
        ("image1", "annotator 2", "parasites"),
        ("image1", "annotator 2", "white"),
        ("image1", "annotator 1", "parasites"),
        ("image1", "annotator 1", "white"),
        ("image2", "annotator 1", "white"),
        ("image2", "annotator 1", "white"),
    ]
    first = rows[0]
    assert (first["x"] + first["w"] / 2) / 2800 == pytest.approx(0.39253187613843354, abs=1e-15)
    assert (first["y"] + first["h"] / 2) / 2800 == pytest.approx(0.7304189435336975, abs=1e-15)
    assert first["w"] / 2800 == pytest.approx(0.04189435336976321, abs=1e-15)


def test_rotated_boxes_have_the_corners_that_label_studio_draws():
    """A rectangle turned about its corner has the four corners of Label Studio's own export."""
    value = {
        "x": 11.552474514692952, "y": 80.83731446979957, "width": 19.0454700246567,
        "height": 6.629026203797071, "rotation": 328.33240366032836, "rectanglelabels": ["a"],
    }  # fmt: skip
    given = result("rectanglelabels", value) | {"original_width": 597, "original_height": 768}
    (row,) = read_tasks(task(given)).annotations
    assert row["rotation"] == 328.33240366032836
    corners = box_corners([[row["x"], row["y"], row["w"], row["h"]]], [row["rotation"]])[0]
    wanted = [
        (0.11552474514692952, 0.8083731446979957),
        (0.27762229351938456, 0.7306489626734597),
        (0.3223923846720476, 0.7870691452334665),
        (0.16029483629959254, 0.8647933272580025),
    ]
    for corner, want in zip(corners, wanted, strict=True):
        assert (corner[0] / 597, corner[1] / 768) == pytest.approx(want, abs=1e-12)


def test_coco_sample_has_the_pixels_of_its_coco_export(samples):
    """Rectangle, polygon and two key points of the COCO sample are where its export has them."""
    found = read_files((samples / "label_studio/sdk-test_export_coco").as_posix())
    rows = {r["label"]: r for r in found.annotations}
    assert [r["type"] for r in found.annotations] == ["box", "polygon", "points", "points"]
    rectangle = rows["rectangle_label"]
    assert [rectangle[n] for n in "xywh"] == [
        31.941923774954628 * 500 / 100,
        4.113475177304964 * 320 / 100,
        6.352087114337568 * 500 / 100,
        9.929078014184398 * 320 / 100,
    ]
    assert len(rows["polygon_label"]["points"]) == 6
    assert groups(found) == {}


@pytest.mark.parametrize("case", ["export_coco", "export_csv", "export_json_min", "export_yolo"])
def test_nothing_in_the_samples_is_lost(samples, expected, case):
    """Each task, annotation and result of the samples is counted as independent counts say."""
    name = f"sdk-test_{case}"
    raw = json.loads((expected / f"_raw/label_studio/{name}.json").read_text())
    folder = samples / "label_studio" / name
    for entry in raw["parsed"]:
        data = (folder / entry["file"]).read_bytes()
        found = read_files({"tasks.json": data})
        guesses = [p for t in json.loads(data) for p in t.get("predictions") or ()]
        results = sum(entry["result_types"].values())
        results += sum(len(p["result"]) for p in guesses if isinstance(p, dict))
        assert len(found.items) == entry["tasks"]
        assert len(guesses) == entry["predictions"]
        assert found.balance.read == entry["tasks"] + results
        assert found.balance.rejected == 0
        truth = [r for r in found.annotations if "layer" not in r and r["type"] != "relation"]
        labels = [r["label"] for r in truth if "label" in r]
        known = {name: labels.count(name) for name in entry["labels"]}
        assert known == entry["labels"]


def test_every_folder_of_samples_is_recognised(samples):
    """The exports are Label Studio's beyond doubt; a configuration without tasks says so."""
    for case in ("sdk-test_export_yolo", "sdk-test_export_coco", "sdk-test_export_csv"):
        best = detect(open_source((samples / "label_studio" / case).as_posix()))[0]
        assert (best.format, best.confidence) == ("labelstudio", 0.95)


def test_both_ways_of_reading_agree(samples, monkeypatch):
    """The fast way for plain boxes and polygons gives the very rows of the careful one."""
    folder = samples / "label_studio/sdk-test_export_yolo"
    source = open_source({p.name: p.read_bytes() for p in sorted(folder.glob("*.json"))})
    plain = task(box(), box("dog", "r2", score=0.25), task_id=5)
    plain["predictions"] = [{"model_version": "m", "score": 0.5, "result": [box(), box("a", "b")]}]
    outside = box("far", "r9")
    outside["value"] = {**BOX, "x": 90.0, "rectanglelabels": ["far"]}
    polygon = {"points": [[1, 2], [50.5, 3], [4, 60]], "closed": True, "polygonlabels": ["p"]}
    mixed = task(result("polygonlabels", polygon), outside, task_id=6)
    opened = task(result("polygonlabels", {**polygon, "closed": False}), task_id=7)
    ours = open_source({"x.json": json.dumps([plain, mixed, opened]).encode()})
    for each in (source, ours):
        fast = tables(each)
        with monkeypatch.context() as patch:
            patch.setattr(labelstudio_tasks, "plain_task", lambda _: None)
            careful = tables(each)
        assert fast[0].equals(careful[0])
        assert fast[1].equals(careful[1])
        assert fast[2] == careful[2]


def tables(source):
    """Return (items without what surrounds their results, annotations, ledger) of a source."""
    ledger = Ledger()
    fmt = get_format("labelstudio")
    batches = list(fmt.read(source, fmt.check_options({}), ledger, Progress()))
    items = pa.concat_tables([b.items for b in batches])
    rows = pa.concat_tables([b.annotations for b in batches])
    return items.drop_columns("meta"), rows.combine_chunks(), ledger.to_arrow().to_pylist()


# -- shapes of files --------------------------------------------------------------------------


def test_one_task_per_line_or_per_file():
    """A task may be a file, a line, or an entry of a list; `completions` are annotations."""
    one = json.dumps(task(box())).encode()
    old = task(box(), task_id=2)
    old["completions"] = old.pop("annotations")
    two = json.dumps(old).encode()
    stored = {"id": 7, "result": [box()], "task": {"id": 3, "data": {"image": "3.jpg"}}}
    for files in (
        {"1.json": one, "2.json": two},
        {"tasks.ndjson": one + b"\n" + two + b"\n"},
        {"tasks.json": b"[" + one + b",\n" + two + b"]"},
        {"tasks.json": b"\xef\xbb\xbf[" + one + b"," + two + b"]"},
    ):
        found = read_files(files)
        assert [r["source_id"] for r in found.items] == ["1", "2"]
        assert [r["label"] for r in found.annotations] == ["cat", "cat"]
    found = read_files({"7": json.dumps(stored).encode()})
    assert [(r["source_id"], r["key"]) for r in found.items] == [("3", "3.jpg")]
    assert len(found.annotations) == 1


def test_a_broken_line_is_named_and_the_others_stay():
    """Of tasks one per line, a line that is cut is rejected by its number."""
    lines = [json.dumps(task(box(), task_id=n)) for n in (1, 2, 3)]
    lines[1] = lines[1][:50]
    found = read_files({"tasks.jsonl": "\n".join(lines).encode()})
    assert [r["source_id"] for r in found.items] == ["1", "3"]
    assert found.balance.rejected == 1
    assert found.ledger.lines("rejected", "line is not JSON")[0]["where"] == "line 2"


def test_several_files_are_subsets():
    """Files named as splits, or several lists, are subsets by their names."""
    files = {f"{n}.json": json.dumps([task(box()), task(task_id=2)]).encode() for n in "ab"}
    assert {r["subset"] for r in read_files(files).items} == {"a", "b"}
    found = read_files({"train.json": json.dumps([task(box())]).encode()})
    assert found.items[0]["subset"] == "train"


def test_files_of_others_are_left_and_named():
    """A JSON file that holds no tasks is not read, and a note says which."""
    found = read_files({"tasks.json": json.dumps([task(box())]).encode(), "other.json": b'{"a":1}'})
    assert len(found.items) == 1
    assert found.ledger.lines("note", "file was not read")[0]["file"] == "other.json"


def test_look_alikes_are_not_taken():
    """COCO, its results, and CreateML's list are not Label Studio's."""
    coco = {"images": [{"id": 1, "file_name": "a"}], "annotations": [], "categories": []}
    results = [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]
    createml = [{"image": "a.jpg", "annotations": [{"label": "x", "coordinates": {"x": 1}}]}]
    for value in (coco, results, createml, [{"data": "a.jpg"}], {"data": {"a": 1}, "model": "x"}):
        found = {
            c.format: c.confidence
            for c in detect(open_source({"a.json": json.dumps(value).encode()}))
        }
        assert found["labelstudio"] == 0


def test_no_tasks_at_all_is_an_error():
    """Reading what holds no tasks is an error, never an empty result."""
    with pytest.raises(FormatError, match="No file holds tasks"):
        read_files({"a.json": b'{"a":1}', "b.json": b'{"b":1}'})
    with pytest.raises(BrokenFileError, match=r"tasks\.json, line 1, byte 9"):
        read_files({"tasks.json": b'[{"id": 1'})


# -- items ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "media"),
    [
        ("/data/upload/3/0a1b2c3d-cat.jpg", "cat.jpg", "images/cat.jpg"),
        ("/data/local-files/?d=data/images/cat%20two.jpg", "data/images/cat two.jpg",
         "images/cat two.jpg"),
        ("images\\cat.jpg", "images/cat.jpg", "images/cat.jpg"),
        ("/home/me/data/images/cat.jpg", "home/me/data/images/cat.jpg", "images/cat.jpg"),
        ("s3://bucket/pets/cat.jpg", "bucket/pets/cat.jpg", "images/cat.jpg"),
        ("https://me:secret@example.org/1/cat.jpg?token=secret", "example.org/1/cat.jpg",
         "images/cat.jpg"),
        ("nowhere.jpg", "nowhere.jpg", None),
    ],
)  # fmt: skip
def test_media_is_found_by_what_label_studio_calls_it(text, key, media):
    """Uploads, local files, paths of another machine and addresses find their file."""
    files = {"images/cat.jpg": b"", "images/cat two.jpg": b""}
    found = read_tasks(task(box(), data={"image": text}), files=files)
    item = found.items[0]
    assert (item["key"], item.get("media")) == (key, media)
    assert "secret" not in item["key"]
    assert (item.get("uri") == text) == ("://" in text)


def test_an_upload_is_found_under_its_prefix():
    """A file that still has the eight digits in front is found before one that has not."""
    files = {"0a1b2c3d-cat.jpg": b"", "cat.jpg": b""}
    found = read_tasks(task(box(), data={"image": "/data/upload/3/0a1b2c3d-cat.jpg"}), files=files)
    assert found.items[0]["media"] == "0a1b2c3d-cat.jpg"


def test_two_addresses_are_never_one_file():
    """Two addresses that end alike are not both the one file of that name."""
    tasks = [task(task_id=n, data={"image": f"https://example.org/{n}/a.jpg"}) for n in (1, 2)]
    found = read_tasks(*tasks, files={"a.jpg": b""})
    assert [r.get("media") for r in found.items] == ["a.jpg", None]
    assert groups(found) == {"several files fit": 1}


def test_a_missing_file_is_named_where_others_are_there():
    """With some images in the source, one that is not there is a warning; with none, one note."""
    tasks = [task(box(), task_id=n) for n in (1, 2)]
    found = read_tasks(*tasks, files={"1.jpg": b""})
    assert groups(found) == {"image file is missing": 1}
    assert found.ledger.lines("warning", "image file is missing")[0]["record"] == "task 2"
    assert groups(read_tasks(*tasks)) == {}


@pytest.mark.parametrize(
    ("data", "results", "kind"),
    [
        ({"image": "a.jpg"}, [], "image"),
        ({"img": "https://example.org/x"}, [box(to="img")], "image"),
        ({"sound": "a.wav"}, [], "audio"),
        ({"text": "a.jpg is a name"}, [], "text"),
        ({"text": "s"}, [result("labels", {"start": 0, "end": 1, "text": "s", "labels": ["x"]},
                                to="text", sized=False)], "text"),
        ({"csv": "/data/upload/1/x.csv"}, [result("timeserieslabels",
         {"start": 1, "end": 2, "timeserieslabels": ["x"]}, to="ts", sized=False)], "time_series"),
        ({"a": 1}, [], "other"),
    ],
)  # fmt: skip
def test_the_kind_of_an_item(data, results, kind):
    """What an item is follows from its results, its data's suffix, its key, or its text."""
    assert read_tasks(task(*results, data=data)).items[0]["kind"] == kind


def test_data_and_ids_are_kept_as_they_are():
    """The data dict comes back whole; ids are texts, and one past 64 bits is said to be."""
    data = {
        "text": "a",
        "n": 9007199254740993,
        "deep": {"x": [1, None, "é"]},
        "__proto__": {"p": 1},
    }
    big = 10**30
    found = read_tasks(
        task(task_id=9007199254740993, data=data), task(task_id=big, data={"a": big})
    )
    assert json.loads(found.items[0]["data"]) == data
    assert [r["source_id"] for r in found.items] == ["9007199254740993", str(big)]
    assert groups(found) == {"id is past 64 bits": 1}


def test_a_task_without_data_is_taken_as_label_studio_takes_it():
    """A record that is no task is data, said to be; one with results but no data is rejected."""
    fmt = get_format("labelstudio")
    data = json.dumps([task(box()), {"image": "b.jpg"}, {"annotations": []}, 7]).encode()
    found = read_back(fmt, open_source({"a.json": data}))
    assert [r["key"] for r in found.items] == ["1.jpg", "b.jpg"]
    assert groups(found) == {
        "record without data": 1,
        "task has no data": 1,
        "task is not an object": 1,
    }


# -- annotations, predictions, cancelled ------------------------------------------------------


def test_predictions_are_layers_by_model_version():
    """Each model version is a layer; several predictions of one are sets; k in, k out."""
    predictions = [
        {"model_version": "m1", "score": 0.75, "result": [box(), box("dog", "r2", score=0.25)]},
        {"id": 5, "model_version": "m1", "result": [box()]},
        {"result": [box()]},
    ]
    found = read_tasks(task(box(), predictions=predictions))
    assert [(r.get("layer"), r.get("set"), r.get("score")) for r in found.annotations] == [
        (None, None, None),
        ("m1", None, 0.75),
        ("m1", None, 0.25),
        ("m1", "prediction 5", None),
        ("undefined", None, None),
    ]


def test_annotations_are_sets_by_annotator():
    """Annotators are named by address, number or, where neither is there, by annotation."""
    entries = [
        {"id": 1, "completed_by": {"id": 3, "email": "a@b.c"}, "result": [box()]},
        {"id": 2, "completed_by": 4, "result": [box()]},
        {"id": 3, "completed_by": 4, "result": [box()]},
        {"result": [box()]},
        {"result": [box()]},
    ]
    found = read_tasks({**task(), "annotations": entries})
    assert [r.get("set") for r in found.annotations] == [
        "a@b.c", "annotator 4", "annotator 4, annotation 3", None, "annotation 5"
    ]  # fmt: skip


def test_cancelled_annotations_are_rejected_unless_asked_for():
    """What its annotator cancelled is listed and left out; an option takes it in; drafts too."""
    cancelled = [
        {"id": 1, "was_cancelled": True, "result": [box(), box("dog", "r2")]},
        {"id": 2, "was_cancelled": True, "result": []},
        {"id": 3, "result": [box()]},
    ]
    drafts = [{"id": 4, "result": [box()]}]
    given = {**task(), "annotations": cancelled, "drafts": drafts}
    found = read_tasks(given)
    assert len(found.annotations) == 1
    assert groups(found) == {"cancelled by its annotator": 3, "draft that was never submitted": 1}
    found = read_tasks(given, include_cancelled=True)
    assert len(found.annotations) == 3
    assert groups(found) == {"draft that was never submitted": 1}


def test_annotations_that_are_none_are_named():
    """Results that are no list, and annotations that are no object, are rejected records."""
    given = {**task(), "annotations": [{"id": 1, "result": "x"}, 7, {"id": 2, "result": None}]}
    given["predictions"] = [{"result": {"choices": ["x"]}}]
    found = read_tasks(given)
    assert groups(found) == {
        "annotation has no list of results": 2,
        "prediction has no list of results": 1,
    }
    assert found.annotations == []


def test_a_preview_reads_only_its_tasks():
    """With a limit of one, of two tasks the first is read, with its rows."""
    files = {"a.json": json.dumps([task(box()), task(box(), task_id=2)]).encode()}
    found = read_files(files, limit=1)
    assert [r["key"] for r in found.items] == ["1.jpg"]
    assert len(found.annotations) == 1


# -- the configuration ------------------------------------------------------------------------

CONFIG = """<View>
  <Image name="image" value="$photo"/>
  <RectangleLabels name="rectanglelabels" toName="image">
    <Label value="dog" background="rgba(218, 1, 238, 1)" hotkey="d"/>
    <Label value="cat" background="green"/>
    <Label value="Long name" alias="ln" category="10"/>
  </RectangleLabels>
  <Taxonomy name="tax" toName="image">
    <Choice value="Animal"><Choice value="Fish"/></Choice>
  </Taxonomy>
</View>"""


def test_labels_come_from_the_configuration():
    """Order, colours, hotkeys, aliases and the tree of a taxonomy are those of the XML beside."""
    files = {"label_config.xml": CONFIG.encode()}
    found = read_tasks(task(box(), data={"photo": "x"}), files=files)
    assert list(found.labels) == ["dog", "cat", "ln", "Animal", "Animal/Fish"]
    dog, cat, alias, _, fish = found.labels.values()
    assert (dog.color, dog.hotkey, cat.color) == ("#da01ee", "d", "#008000")
    assert (alias.extra["value"], alias.extra["category"]) == ("Long name", "10")
    assert fish.parent == "Animal"
    assert (found.items[0]["kind"], found.items[0]["key"]) == ("image", "x")


def test_a_control_that_the_configuration_lacks_is_named():
    """A from_name that Label Studio would silently not show is a warning that names the task."""
    files = {"label_config.xml": CONFIG.encode()}
    found = read_tasks(task(box()), task(box(name="nope"), task_id=2), files=files)
    assert groups(found) == {"control is not in the configuration": 1}
    line = found.ledger.lines("warning", "control is not in the configuration")[0]
    assert "task 2" in line["record"]
    assert "nope" in line["message"]
    assert len(found.annotations) == 2
    assert groups(read_tasks(task(box(name="nope")), config=CONFIG)) == groups(found)


@pytest.mark.parametrize(
    "xml",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><View><Text name="a" value="$b"/></View>',
        b"<View><Text",
    ],
)
def test_a_bad_configuration_is_not_read(xml):
    """A configuration with a DTD, or cut short, is noted; the tasks are read all the same."""
    found = read_tasks(task(box()), files={"label_config.xml": xml})
    assert len(found.annotations) == 1
    assert found.ledger.lines("note", "configuration was not read")
    with pytest.raises(BrokenFileError, match="configuration"):
        read_tasks(task(box()), config=xml.decode())


def test_of_several_configurations_the_one_that_fits_is_taken(samples):
    """Each export of the sample gets the configuration that knows its controls."""
    found = read_files((samples / "label_studio/sdk-test_export_yolo").as_posix())
    notes = found.ledger.lines("note", "one of several configurations")
    chosen = {line["message"].split()[-1]: line["file"] for line in notes}
    assert chosen["data_keypoints.json"] == "label_config_keypoints.xml"
    assert chosen["data.json"] == "label_config.xml"


# -- sizes ------------------------------------------------------------------------------------


def test_without_a_declared_size_the_image_is_looked_at():
    """Percent become pixels by the image itself; with neither, the result is rejected."""
    bare = result("rectanglelabels", {**BOX, "rectanglelabels": ["cat"]}, sized=False)
    found = read_tasks(task(bare), files={"1.jpg": picture()})
    assert {n: found.annotations[0][n] for n in "xywh"} == PIXELS
    assert (found.items[0]["width"], found.items[0]["height"]) == (640, 480)
    found = read_tasks(task(bare))
    assert groups(found) == {"the size of the image is not known": 1}
    assert len(found.items) == 1


def test_boxes_outside_and_scores_beyond_are_kept_and_said():
    """Numbers past the edge, and scores past 1, stay as they are, with a warning each."""
    far = box(region="far")
    far["value"] = {**BOX, "x": 95, "rectanglelabels": ["cat"]}
    found = read_tasks(task(far, box(region="sure", score=1.5)))
    assert found.annotations[0]["x"] == 608
    assert found.annotations[1]["score"] == 1.5
    assert groups(found) == {"region reaches outside the image": 1, "score is not from 0 to 1": 1}
