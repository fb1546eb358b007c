"""Label Studio's flat exports: JSON-MIN, CSV and TSV, as label-studio-sdk 2.1 writes them."""

from __future__ import annotations

import json

import pytest

from nbannot.errors import BrokenFileError
from nbannot.formats import detect
from nbannot.sources import open_source

from .labelstudio_files import BOX, PIXELS, read_files

SIZE = {"original_width": 640, "original_height": 480}
AROUND = {
    "annotator": "a@b.org", "annotation_id": 22, "created_at": "2024-01-30T02:40:43Z",
    "updated_at": "2024-01-30T02:41:43Z", "lead_time": 8.65,
}  # fmt: skip
CONFIG = """<View>
  <Image name="img" value="$image"/>
  <RectangleLabels name="shape" toName="img"><Label value="cat" background="red"/></RectangleLabels>
  <Choices name="light" toName="img"><Choice value="day"/></Choices>
  <TextArea name="note" toName="img"/>
  <Rating name="stars" toName="img"/>
  <Taxonomy name="kind" toName="img" perRegion="true"><Choice value="pet"/></Taxonomy>
</View>"""


def record(*, task=7, image="a.jpg", **outcome):
    """Return a record of JSON-MIN; the keys stand in the order in which the SDK writes them."""
    return {"image": image, "id": task, **outcome, **AROUND}


def box(label="cat", **more):
    """Return what a box looks like in a flat export."""
    return {**BOX, **more, "rectanglelabels": [label], **SIZE}


def read_min(*records, config=CONFIG, **options):
    """Read records as a JSON-MIN export."""
    files = {"min.json": json.dumps(list(records)).encode()}
    return read_files({**files, **({"config.xml": config.encode()} if config else {})}, **options)


def read_table(text, *, config=CONFIG, name="result.csv"):
    """Read a CSV export."""
    files = {name: text.encode()}
    return read_files({**files, **({"config.xml": config.encode()} if config else {})})


def rejected(found):
    """Return (where, record, reason) of the rejected."""
    return told(found, "rejected", "where", "record", "reason")


def told(found, outcome, *names):
    """Return fields of the ledger's lines of an outcome."""
    table = found.ledger.to_pandas()
    return list(table[table["outcome"] == outcome][list(names)].itertuples(index=False, name=None))


# -- JSON-MIN ----------------------------------------------------------------------------------


def test_a_record_is_a_task_with_an_annotation():
    """Types come from the configuration, sizes from the regions, the annotator is the set."""
    found = read_min(record(shape=[box()], light="day", note="two\nlines", stars=[{"rating": 4}]))
    item, rows = found.items[0], found.annotations
    assert (item["key"], item["source_id"], item["width"], item["height"]) == (
        "a.jpg", "7", 640, 480,
    )  # fmt: skip
    assert json.loads(item["data"]) == {"image": "a.jpg"}
    assert [(r["type"], r.get("label"), r["set"]) for r in rows] == [
        ("box", "cat", "a@b.org"), ("choice", "day", "a@b.org"), ("text", None, "a@b.org"),
        ("rating", None, "a@b.org"),
    ]  # fmt: skip
    assert {k: rows[0][k] for k in PIXELS} == pytest.approx(PIXELS)
    assert (rows[2]["text"], rows[3]["number"]) == ("two\nlines", 4)
    assert found.labels["cat"].color == "#ff0000"
    assert (found.balance.read, found.balance.imported) == (5, 5)
    assert [reason for (reason,) in told(found, "note", "reason")] == [
        "a flat export has lost ids and relations", "media files are not in the source",
    ]  # fmt: skip


def test_controls_on_one_outline_are_one_region():
    """A taxonomy with the box's geometry is the box's attribute, as it was before the export."""
    same = {**BOX, "taxonomy": [["pet"]], **SIZE}
    found = read_min(record(shape=[box(), box(x=50)], kind=[same]))
    first, second = found.annotations
    assert json.loads(first["attributes"]) == {"kind": ["pet"]}
    assert "attributes" not in second


def test_several_annotators_of_a_task_are_one_item():
    """Their records are merged by the id; each is a set."""
    other = {**record(light="day"), "annotator": 3, "annotation_id": 23}
    found = read_min(record(light="day"), other, record(task=8, image="b.jpg", light="day"))
    assert [item["key"] for item in found.items] == ["a.jpg", "b.jpg"]
    assert [r["set"] for r in found.annotations] == ["a@b.org", "annotator 3", "a@b.org"]
    assert found.balance.read == 6


def test_a_task_without_annotation_is_an_item():
    """Its values are data, even where a control has the name of one."""
    found = read_min({**record(light="day"), "annotation_id": None, "annotator": None})
    assert len(found.items) == 1
    assert json.loads(found.items[0]["data"]) == {"image": "a.jpg", "light": "day"}
    assert not found.annotations


def test_without_a_configuration_the_order_of_keys_tells():
    """JSON-MIN has the data first, then the id, then what controls gave; a note says the guess."""
    found = read_min(record(shape=[box()], light="day"), config=None)
    assert [(r["type"], r["label"]) for r in found.annotations] == [
        ("box", "cat"), ("choice", "day"),
    ]  # fmt: skip
    note = found.ledger.lines("note", "which columns are results is a guess")[0]
    assert note["message"] == (
        "there is no labelling configuration for min.json: read as results are light, shape; as "
        "data image. Put the configuration beside it to have it read by that, or name the columns "
        "of choices (choices=)"
    )


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"points": [[1, 2], [3, 4], [5, 1]], "polygonlabels": ["cat"], **SIZE}, "polygon"),
        ({"x": 1, "y": 2, "width": 1, "keypointlabels": ["cat"], **SIZE}, "points"),
        ({"x": 1, "y": 2, "radiusX": 1, "radiusY": 2, "ellipselabels": ["cat"], **SIZE}, "ellipse"),
        ({**BOX, "labels": ["cat"], **SIZE}, "box"),
        ({**BOX, **SIZE}, "box"),
        ({"start": 1, "end": 2, "labels": ["cat"], "channel": 0}, "time_span"),
        ({"choices": ["a", "b"]}, "choice"),
        ({"number": 4}, "number"),
        ({"role": "user", "content": "hi"}, "text"),
    ],
)
def test_the_shape_of_a_value_is_its_type(value, kind):
    """Without a configuration, too."""
    found = read_min(record(it=[value]), config=None)
    assert {row["type"] for row in found.annotations} == {kind}


def test_what_is_broken_is_told_by_the_record():
    """A record that is no object, a box without numbers."""
    found = read_min(record(shape=[box(x="left")]), 5)
    assert rejected(found) == [
        ("record 1", "task 7, annotation 22, result 1", "not a number"),
        ("record 2", "task #2", "task is not an object"),
    ]  # fmt: skip


# -- CSV ---------------------------------------------------------------------------------------

# What label-studio-sdk 2.1 writes of a task of two annotators, cells in quotes and doubled.
CELLS = json.dumps([box()]).replace('"', '""')
TABLE = (
    '"annotation_id","annotator","created_at","id","image","lead_time","light","shape","updated_at"'
    f'\r\n22,"a@b.org","2024",7,"a.jpg",8.65,"day","{CELLS}","2024"'
    '\r\n23,"3","2024",7,"a.jpg",1.5,"","[]","2024"\r\n'
)


def test_a_table_is_read_like_json_min():
    """Lists are JSON in cells; an empty cell is nothing; line ends and quotes are CSV's."""
    found = read_table(TABLE)
    assert [item["key"] for item in found.items] == ["a.jpg"]
    assert [(r["type"], r["label"], r["set"]) for r in found.annotations] == [
        ("choice", "day", "a@b.org"), ("box", "cat", "a@b.org"),
    ]  # fmt: skip
    assert {k: found.annotations[1][k] for k in PIXELS} == pytest.approx(PIXELS)
    meta = json.loads(found.items[0]["meta"])["label_studio"]["task"]
    assert [a["lead_time"] for a in meta["annotations"]] == [8.65, 1.5]


def test_tabs_and_a_byte_order_mark():
    """A TSV, saved by Excel."""
    text = "\ufeff" + TABLE.replace('","', '"\t"').replace(',"', '\t"').replace('",', '"\t')
    text = text.replace(CELLS, "[]").replace("7,", "7\t").replace("3,1.5", "3\t1.5")
    found = read_table(text, name="result.tsv")
    assert len(found.items) == 1
    assert [r["label"] for r in found.annotations] == ["day"]


def test_a_table_without_configuration_says_what_it_took_for_data():
    """A bare word may be data as well as a choice: it is not guessed at, and a note says so."""
    found = read_table(TABLE, config=None)
    assert [r["type"] for r in found.annotations] == ["box"]
    assert json.loads(found.items[0]["data"])["light"] == "day"
    note = found.ledger.lines("note", "which columns are results is a guess")[0]
    assert "read as results are shape; as data image, light" in note["message"]


def test_columns_of_choices_can_be_named():
    """What repeats is offered as choices; accepted, it is read so."""
    rows = "".join(
        f'{i},"a@b.org","2024",{i},"A line of text, number {i}",1.5,"{"good" if i % 2 else "bad"}"'
        ",2024\r\n"
        for i in range(1, 9)
    )
    head = "annotation_id,annotator,created_at,id,text,lead_time,mood,updated_at\r\n"
    with_choices = (head + rows).encode()
    best = detect(open_source({"a.csv": with_choices}))[0]
    assert [dict(fix.options) for fix in best.fixes] == [{"choices": "mood"}]
    found = read_files({"a.csv": with_choices}, choices="mood")
    assert [r["label"] for r in found.annotations] == ["good", "bad"] * 4
    assert "mood" not in json.loads(found.items[0]["data"])


def test_a_control_with_the_name_of_data():
    """The SDK writes the data as _data_text then: that tells the two apart, without more."""
    text = (
        '"_data_text","annotation_id","annotator","created_at","id","lead_time","text","updated_at"'
        '\r\n"A sentence",1,"a@b.org","2024",1,1.0,"positive","2024"'
        '\r\n"Unannotated","","","",2,"","",""\r\n'
    )
    found = read_table(text, config=None)
    assert [json.loads(i["data"]) for i in found.items] == [
        {"text": "A sentence"}, {"text": "Unannotated"},
    ]  # fmt: skip
    assert [(r["type"], r["label"]) for r in found.annotations] == [("choice", "positive")]


def test_a_row_with_too_few_cells_is_rejected():
    """By its line; the others are read."""
    found = read_table(TABLE + '24,"x"\r\n')
    assert rejected(found) == [("line 4", "task #2", "task is not an object")]


def test_a_cell_of_a_megabyte():
    """A brush stroke is one cell."""
    points = [[i % 100, i % 97] for i in range(60_000)]
    cell = json.dumps([{"points": points, "polygonlabels": ["cat"], **SIZE}]).replace('"', '""')
    found = read_table(TABLE.replace(CELLS, cell))
    assert len(found.annotations[1]["points"]) == 120_000


def test_a_quote_that_is_never_closed_is_broken():
    """The rest of the file would be one cell: the line is named."""
    found = read_table(TABLE.replace("\r\n23", '\r\n"23'))
    assert rejected(found)[0][0] == "line 3"


def test_half_a_list_of_records_is_broken():
    """The file is named."""
    with pytest.raises(BrokenFileError, match=r"min\.json"):
        read_files({"min.json": json.dumps([record(light="day")]).encode()[:-20]})


# -- among other files -------------------------------------------------------------------------


def test_full_tasks_come_before_flat_ones():
    """Where both are there, they are the same tasks: the flat ones are left, and a note says so."""
    task = {"id": 7, "data": {"image": "a.jpg"}, "annotations": [{"id": 22, "result": []}]}
    found = read_files({"a.csv": TABLE.encode(), "tasks.json": json.dumps([task]).encode()})
    assert (len(found.items), found.annotations) == (1, [])
    note = found.ledger.lines("note", "file was not read")[0]
    assert note["message"] == "a.csv: is a flat export, and full ones are there"


@pytest.mark.parametrize("name", ["min.json", "result.csv"])
def test_flat_exports_are_recognised(name):
    """By annotation_id, annotator and lead_time; no other format is surer."""
    text = TABLE if name == "result.csv" else json.dumps([record(shape=[box()])])
    best = detect(open_source({name: text.encode()}))[0]
    assert (best.format, best.confidence) == ("labelstudio", 0.93)
    assert any("annotation_id" in line for line in best.evidence)


def test_a_stroke_longer_than_the_head_is_recognised():
    """Who drew it comes after it: its run lengths tell."""
    stroke = {"format": "rle", "rle": [0] * 40_000, "brushlabels": ["cat"], **SIZE}
    data = json.dumps([record(it=[stroke])]).encode()
    best = detect(open_source({"min.json": data}))[0]
    assert (best.format, best.confidence) == ("labelstudio", 0.6)


@pytest.mark.parametrize(
    "text", ["annotation_id,label\n1,cat\n", "image,label\na.jpg,cat\n", "a,b\n", ""]
)
def test_other_tables_are_not(text):
    """A table of someone else's is not taken."""
    found = {c.format: c.confidence for c in detect(open_source({"a.csv": text.encode()}))}
    assert found["labelstudio"] == 0


def test_a_sample_of_the_sdk_is_its_tasks(samples):
    """The CSV in label-studio-sdk's tests has what the JSON has that it was made of."""
    folder = samples / "label_studio" / "sdk-test_export_csv"
    config = (
        '<View><Text name="$uri" value="$uri"/><Choices name="uri_selection" toName="$uri">'
        '<Choice value="Yes"/></Choices></View>'
    )
    full = read_files({"a.json": (folder / "csv_test2.json").read_bytes()}, config=config)
    flat = read_files({"a.csv": (folder / "csv_test2_result.csv").read_bytes()}, config=config)
    assert len(full.annotations) == 1
    assert flat.annotations == []  # the SDK's test leaves it out
    mine, theirs = (json.loads(f.items[0]["data"]) for f in (flat, full))
    assert {k: v for k, v in theirs.items() if v is not None} == {
        k: v for k, v in mine.items() if v != ""
    }
