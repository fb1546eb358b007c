"""Label Studio's flat exports as nbannot writes them: JSON-MIN and CSV."""

from __future__ import annotations

import csv
import io
import json

import pytest

from nbannot.errors import OptionError
from nbannot.formats import get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, MemorySink, example
from nbannot.formats.features import fates_of
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label

from .labelstudio_files import BOX as BOX_VALUE
from .labelstudio_files import box, read_files, read_tasks, result, task

SHAPES = ("box", "polygon", "mask", "ellipse", "polyline", "text")


class FlatCases(FormatCases):
    """What every format must do, for what flat records hold."""

    format_name = "labelstudio"
    generates = ("box", "ellipse")

    @pytest.fixture
    def dataset(self, format):
        """Shapes of one outline: other parts have no place in a record."""
        whole = example(SHAPES)
        for rows in whole.annotations.values():
            rows[:] = [row for row in rows if "rings" not in row]
        return whole


class TestJsonMin(FlatCases):
    """Records as JSON."""

    write_options = {"layout": "json_min"}


class TestCsv(FlatCases):
    """Records as a table."""

    write_options = {"layout": "csv"}

    def container(self, files):
        """A table cut in half is a shorter table: there is no container."""


def write(*rows, layout="json_min", **options):
    """Write a dataset of one image with these rows; return the files and the ledger."""
    item = {"key": "a.jpg", "width": 64, "height": 48}
    what = Example({"train": [item]}, {"train": [{"item": "a.jpg", **r} for r in rows]}, ())
    sink, ledger = MemorySink(), Ledger()
    chosen = get_format("labelstudio").check_options({"layout": layout, **options}, writing=True)
    get_format("labelstudio").write(what, sink, chosen, ledger, Progress())
    return sink.files, ledger


def again(found, layout):
    """Write what was read, and return the files."""
    items = [{k: v for k, v in i.items() if k not in ("item", "subset")} for i in found.items]
    rows = [{**{k: v for k, v in r.items() if k not in ("key", "subset")}, "item": r["key"]}
            for r in found.annotations]  # fmt: skip
    what = Example({"default": items}, {"default": rows}, tuple(found.labels.values()))
    sink = MemorySink()
    get_format("labelstudio").write(what, sink, {"layout": layout}, Ledger(), Progress())
    return sink.files


BOX = {"type": "box", "label": "cat", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0}


def test_a_record_is_what_label_studio_writes():
    """Data, id, what each control gave, then who annotated and when."""
    found = read_tasks(
        task(
            box(), result("choices", {"choices": ["day"]}, "c", name="light", sized=False),
            result("textarea", {"text": ["hello"]}, "t", name="note", sized=False),
        )
    )  # fmt: skip
    (record,) = json.loads(again(found, "json_min")["tasks.json"])
    assert list(record)[:2] == ["image", "id"]
    assert (record["image"], record["id"], record["light"], record["note"]) == (
        "1.jpg", 1, "day", "hello",
    )  # fmt: skip
    (shape,) = record["rectanglelabels"]
    assert (shape["rectanglelabels"], shape["original_width"]) == (["cat"], 640)
    assert (record["annotation_id"], record["annotator"]) == (101, None)


def test_a_table_has_a_column_for_each_key():
    """Lists are JSON in cells, columns are sorted, text is in quotes."""
    files, _ = write(BOX, {"type": "choice", "label": "day"}, layout="csv")
    text = files["tasks.csv"].decode()
    assert text.startswith('"annotation_id","annotator","choices","created_at","id","image"')
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["choices"] == "day"
    assert json.loads(row["rectangle"])[0]["rectanglelabels"] == ["cat"]


@pytest.mark.parametrize("layout", ["json_min", "csv"])
def test_what_is_said_of_a_region_stays_with_it(layout):
    """Its choices get its outline, as in Label Studio's own, and find it again."""
    about = result("choices", {"choices": ["pet"]}, name="kind", sized=False)
    other = result("rectanglelabels", {**BOX_VALUE, "x": 50, "rectanglelabels": ["dog"]}, "r2")
    found = read_tasks(task(box(), about, other))
    back = read_files(again(found, layout))
    assert [json.loads(r.get("attributes") or "{}") for r in back.annotations] == [
        {"kind": "pet"}, {},
    ]  # fmt: skip


@pytest.mark.parametrize("layout", ["json_min", "csv"])
def test_annotators_and_tasks_without_any_come_back(layout):
    """One record each; the item stays one."""
    one = task(box(), task_id=1)
    one["annotations"][0]["completed_by"] = {"email": "a@b.org"}
    one["annotations"].append({"id": 7, "completed_by": 3, "result": [box("dog")]})
    found = read_tasks(one, {"id": 2, "data": {"image": "2.jpg"}, "annotations": []})
    back = read_files(again(found, layout))
    assert [i["key"] for i in back.items] == ["1.jpg", "2.jpg"]
    assert [(r["label"], r["set"]) for r in back.annotations] == [
        ("cat", "a@b.org"), ("dog", "annotator 3"),
    ]  # fmt: skip


def test_what_flat_records_lack_is_told():
    """Predictions are rejected by name; scores and what only nbannot knows are counted."""
    _, ledger = write({**BOX, "layer": "yolo"}, {**BOX, "score": 0.5}, {**BOX, "track": "4"})
    table = ledger.to_pandas()
    assert list(zip(table["outcome"], table["record"], table["message"], strict=True)) == [
        ("rejected", "annotation 1", "annotation 1 of a.jpg: flat exports have no predictions"),
        ("note", "", "scores: 1"),
        ("note", "", "what only nbannot knows (attributes, tracks, groups, ...): 1"),
    ]


def test_a_relation_is_told():
    """Ids are not in flat records, so nothing can be related."""
    row = {"type": "relation", "attributes": json.dumps({"from": "a", "to": "b"})}
    _, ledger = write(row)
    assert ledger.groups() == [("rejected", "relation can't be held", 1)]


@pytest.mark.parametrize("layout", ["json_min", "csv"])
def test_nothing_is_lost_silently(layout):
    """Of each thing that an annotation can have, the ledger says what becomes of it."""
    fates = fates_of(get_format("labelstudio"), layout=layout)
    assert [name for name, fate in fates.items() if fate.outcome == "lost"] == []
    assert fates["box"].outcome == fates["mask"].outcome == "kept"


def test_flat_predictions_are_refused():
    """They would be nowhere."""
    with pytest.raises(OptionError, match="Flat exports have no predictions"):
        write(BOX, model_version="m1")


def test_data_with_the_name_of_a_control_is_kept_apart():
    """As the SDK's CSV does it."""
    found = read_tasks(
        task(
            result("choices", {"choices": ["good"]}, "c", name="text", to="t", sized=False),
            data={"text": "A sentence"},
        )
    )
    files = again(found, "json_min")
    (record,) = json.loads(files["tasks.json"])
    assert (record["_data_text"], record["text"]) == ("A sentence", "good")
    back = read_files(files)
    assert json.loads(back.items[0]["data"]) == {"text": "A sentence"}
    assert [r["label"] for r in back.annotations] == ["good"]


def test_labels_and_their_colours_are_in_the_configuration():
    """It lies beside the records, so that they are read by it."""
    item = {"key": "a.jpg", "width": 64, "height": 48}
    what = Example({"t": [item]}, {"t": [{"item": "a.jpg", **BOX}]}, (Label("cat", "#112233"),))
    sink = MemorySink()
    get_format("labelstudio").write(what, sink, {"layout": "csv"}, Ledger(), Progress())
    assert read_files(sink.files).labels["cat"].color == "#112233"
