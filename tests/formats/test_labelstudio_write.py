"""Writing Label Studio: what was read comes back, and what is from elsewhere opens in it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbannot.formats import get_format
from nbannot.formats.examples import MemorySink, example, written
from nbannot.formats.labelstudio.config import parse_config
from nbannot.formats.labelstudio.rows import percent_of, pixels_of
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Batch, Label
from nbannot.sources import open_source

from .labelstudio_files import BOX, box, every_kind, read_files, result, task

FORMAT = get_format("labelstudio")


class Whole:
    """What was read, as an export."""

    name = "whole"

    def __init__(self, files):
        ledger = Ledger()
        source = open_source(files)
        options = FORMAT.check_options({})
        batches = list(FORMAT.read(source, options, ledger, Progress()))
        self.items = pa.concat_tables([b.items for b in batches])
        self.rows = pa.concat_tables([b.annotations for b in batches])
        self.labels = tuple(label for b in batches for label in b.labels)
        named = pc.fill_null(self.items["subset"], "default")
        self.subsets = tuple(pc.unique(named).to_pylist())

    def batches(self, subset):
        """Yield all of a subset at once."""
        items = self.items.filter(pc.equal(pc.fill_null(self.items["subset"], "default"), subset))
        mine = pc.is_in(self.rows["item"], value_set=items["item"].combine_chunks())
        yield Batch(items, self.rows.filter(mine), self.labels)


def write(what, **options):
    """Return (files, ledger) of an export."""
    sink, ledger = MemorySink(), Ledger()
    FORMAT.write(what, sink, FORMAT.check_options(options, writing=True), ledger, Progress())
    return sink.files, ledger


def tasks_in(files, name="tasks.json"):
    """Return the tasks in a file that was written."""
    return json.loads(files[name])


def differences(one, other, path="$"):
    """Yield the places where two JSON values differ by more than the last bits of a number."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {*one, *other}:
            yield from differences(one.get(key), other.get(key), f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from differences(a, b, f"{path}[{i}]")
    elif isinstance(one, (int, float)) and isinstance(other, (int, float)):
        if abs(one - other) > 1e-9:
            yield path, one, other
    elif one != other:
        yield path, one, other


def test_every_kind_of_result_is_written_as_it_was_read():
    """A file with every type of result, read and written, is the same JSON."""
    given_tasks = every_kind()
    files, ledger = write(Whole({"tasks.json": json.dumps(given_tasks).encode()}))
    found = [d for d in differences(given_tasks, tasks_in(files)) if not d[0].endswith("nbannot")]
    assert found == []
    assert len(ledger) == 0


@pytest.mark.parametrize(
    "name",
    [
        "sdk-test_export_coco/data.json",
        "sdk-test_export_csv/csv_test2.json",
        "sdk-test_export_csv/csv_test_history.json",
        "sdk-test_export_csv/csv_test_colliding_keys_mixed.json",
        "sdk-test_export_json_min/chat_data.json",
        "sdk-test_export_json_min/data_repeater.json",
        "sdk-test_export_yolo/data.json",
        "sdk-test_export_yolo/data_keypoints.json",
        "sdk-test_export_yolo/data_obb.json",
        "sdk-test_export_yolo/data_polygons.json",
    ],
)
def test_real_exports_are_written_as_they_were_read(samples, name):
    """A real export, read and written, is the same JSON, up to the last bits of numbers."""
    data = (samples / "label_studio" / name).read_bytes()
    files, _ = write(Whole({"tasks.json": data}))
    assert list(differences(json.loads(data), tasks_in(files))) == []


def test_reading_what_was_written_changes_nothing():
    """Import, export and import again give the same rows, to the last bit."""
    first = Whole({"tasks.json": json.dumps(every_kind()).encode()})
    files, _ = write(first)
    second = Whole(files)
    assert second.items.equals(first.items)
    assert second.rows.combine_chunks().equals(first.rows.combine_chunks())


def test_what_was_edited_is_written_anew():
    """A box that was moved, a label and a choice that were changed are written as they are now."""
    parts = [
        result("rectangle", {**BOX, "rotation": 30}, "a", name="rect"),
        result("labels", {**BOX, "rotation": 30, "labels": ["Planet"]}, "a", name="tag"),
        result("choices", {**BOX, "rotation": 30, "choices": ["big"]}, "a", name="size"),
    ]
    whole = Whole({"tasks.json": json.dumps([task(*parts)]).encode()})
    (row,) = whole.rows.to_pylist()
    row |= {"x": row["x"] + 64, "label": "Moon", "attributes": '{"size":"small"}'}
    whole.rows = pa.Table.from_pylist([row], schema=whole.rows.schema)
    files, _ = write(whole)
    shape, labels, choice = tasks_in(files)[0]["annotations"][0]["result"]
    assert shape["value"]["x"] == pytest.approx(BOX["x"] + 10)
    assert labels["value"]["labels"] == ["Moon"]
    assert labels["value"]["x"] == shape["value"]["x"]
    assert choice["value"]["choices"] == ["small"]


def test_annotations_of_another_format_open_in_label_studio():
    """A dataset from elsewhere gets names, an object and a configuration that knows them all."""
    files = written(FORMAT, example(FORMAT.holds))
    config = parse_config(files["label_config.xml"])
    assert config.objects == {"image": ("image", "image")}
    tasks = tasks_in(files, "train.json") + tasks_in(files, "val.json")
    results = [r for t in tasks for a in t["annotations"] for r in a["result"]]
    assert results
    for each in results:
        control = config.controls[each["from_name"]]
        assert control.tag.lower() == each["type"]
        assert each["to_name"] in control.to_names
    labels = {label.name for label in config.labels}
    assert labels >= {"cat", "big dog", "größe ✓"}
    assert all(t["data"]["image"] in files for t in tasks)


def test_the_configuration_keeps_colours_and_hotkeys():
    """Labels are written in their order with what is known of them, special characters escaped."""
    what = replace(
        example(("box",)),
        labels=(Label('<a> & "b"', color="#00ff00", hotkey="q"), Label("cat"), Label("größe ✓")),
    )
    config = parse_config(written(FORMAT, what)["label_config.xml"])
    assert [label.name for label in config.labels] == ['<a> & "b"', "cat", "größe ✓"]
    assert (config.labels[0].color, config.labels[0].hotkey) == ("#00ff00", "q")


def test_ground_truth_can_be_written_as_predictions():
    """With model_version= the truth becomes predictions of that model."""
    files, _ = write(Whole({"a.json": json.dumps([task(box())]).encode()}), model_version="yolo")
    (one,) = tasks_in(files)
    assert one["annotations"] == []
    assert one["predictions"][0]["model_version"] == "yolo"
    assert len(one["predictions"][0]["result"]) == 1
    assert "label_config.xml" not in write(example(("box",)), config=False)[0]


def test_layers_and_sets_from_elsewhere_come_back():
    """Layers are predictions; sets that are no annotators are kept by name."""
    rows = [
        {"item": "1.jpg", "type": "box", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0, **more}
        for more in (
            {"set": "first pass"}, {"set": "a@b.c"}, {"layer": "m", "score": 0.5},
            {"layer": "m", "set": "again"},
        )
    ]  # fmt: skip
    what = replace(example(()), items={"default": [{"key": "1.jpg", "width": 64, "height": 48}]},
                   annotations={"default": rows})  # fmt: skip
    files, _ = write(what)
    found = read_files(files)
    assert [(r.get("layer"), r.get("set")) for r in found.annotations] == [
        (None, "first pass"), (None, "a@b.c"), ("m", None), ("m", "again")
    ]  # fmt: skip
    assert found.annotations[2]["score"] == 0.5


def test_columns_that_label_studio_lacks_come_back():
    """Occlusion, drawing order, attributes, two-part polygons and rows of points survive."""
    ring = [8.0, 4.0, 24.0, 4.0, 24.0, 40.0, 8.0, 40.0]
    rows = [
        {"type": "box", "label": "a", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0, "occluded": True,
         "z_order": 3, "group": 2, "attributes": '{"colour":"red"}'},
        {"type": "polygon", "label": "a", "points": [*ring, 10.0, 6.0, 12.0, 6.0, 12.0, 9.0],
         "rings": [4, -3], "x": 8.0, "y": 4.0, "w": 16.0, "h": 36.0},
        {"type": "points", "label": "a", "points": [1.0, 2.0, 30.0, 4.5, 7.0, 8.0]},
        {"type": "tag", "label": "a", "score": 0.5},
    ]  # fmt: skip
    rows = [{"item": "1.jpg", "source_id": str(n), **row} for n, row in enumerate(rows)]
    what = replace(example(()), items={"default": [{"key": "1.jpg", "width": 64, "height": 48}]},
                   annotations={"default": rows})  # fmt: skip
    back = read_files(write(what)[0]).annotations
    for row, read in zip(rows, back, strict=True):
        wanted = {k: v for k, v in row.items() if k != "item"}
        assert {k: read[k] for k in wanted} == wanted


def test_a_mask_painted_since_is_not_the_outline_it_was():
    """The outline kept with a mask is dropped when the mask no longer is what it outlines."""
    rows = [{"item": "1.jpg", "type": "polygon", "label": "a", "rings": [4, 3], "x": 8.0, "y": 4.0,
             "w": 32.0, "h": 36.0, "points": [8.0, 4.0, 24.0, 4.0, 24.0, 40.0, 8.0, 40.0,
                                              30.0, 10.0, 40.0, 10.0, 35.0, 20.5]}]  # fmt: skip
    what = replace(example(()), items={"default": [{"key": "1.jpg", "width": 64, "height": 48}]},
                   annotations={"default": rows})  # fmt: skip
    files, _ = write(what)
    assert read_files(files).annotations[0]["type"] == "polygon"
    tasks = tasks_in(files)
    own = tasks[0]["annotations"][0]["result"][0]["meta"]["nbannot"]
    own["outline"]["points"][0] = 0.0
    assert read_files({"a.json": json.dumps(tasks).encode()}).annotations[0]["type"] == "mask"


def test_what_can_not_be_held_is_named():
    """A cuboid, and a box on an image of unknown size, are rejected by name."""
    rows = [
        {"item": "1.jpg", "type": "cuboid", "points": [1.0] * 16},
        {"item": "2.jpg", "type": "box", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0},
    ]
    items = [{"key": "1.jpg", "width": 64, "height": 48}, {"key": "2.jpg"}]
    what = replace(example(()), items={"default": items}, annotations={"default": rows})
    _, ledger = write(what)
    assert [(g[0], g[1]) for g in ledger.groups()] == [
        ("rejected", "cuboid can't be held"),
        ("rejected", "the size of the image is not known"),
    ]
    assert [line["item"] for line in ledger.to_arrow().to_pylist()] == ["1.jpg", "2.jpg"]


def test_a_name_that_leaves_the_folder_is_taken_only_as_a_name():
    """What a file claims as nbannot's own is taken where it is sound, else left alone."""
    given_task = task(
        box(meta={"nbannot": {"z_order": "x", "track": 7, "outline": 1}, "text": ["n"]})
    )
    given_task["nbannot"] = {
        "key": "../x",
        "subset": 7,
        "kind": "?",
        "size": [0, "a"],
        "sets": [1, 2],
    }
    found = read_files({"a.json": json.dumps([given_task]).encode()})
    assert (found.items[0]["key"], found.items[0].get("subset")) == ("1.jpg", None)
    row = found.annotations[0]
    assert not {"z_order", "track"} & row.keys()
    assert json.loads(row["extra"])["meta"] == {"text": ["n"]}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=40),
    st.integers(1, 20_000),
)
def test_percent_and_pixels_are_exact_both_ways(percent, size):
    """Pixels made of percent give percent that make the very same pixels."""
    sizes = np.full(len(percent), float(size))
    pixels = pixels_of(np.array(percent), sizes)
    assert (pixels_of(percent_of(pixels, sizes), sizes) == pixels).all()
