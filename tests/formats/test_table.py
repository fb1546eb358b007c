"""Tables: the conformance suite, roles, boxes in any convention, what cells and rows become."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from nbannot.errors import FormatError, OptionError
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import example, read_back, written
from nbannot.formats.table import infer_roles, roles_view
from nbannot.sources import open_source

FORMAT = get_format("table")


class TestCsv(FormatCases):
    """What every format must do, as CSV."""

    format_name = "table"


class TestParquet(FormatCases):
    """What every format must do, as Parquet."""

    format_name = "table"
    write_options = {"file_format": "parquet"}


class TestJsonLines(FormatCases):
    """What every format must do, as JSON lines."""

    format_name = "table"
    write_options = {"file_format": "jsonl"}


def read(files, *, limit=None, **options):
    """Read files, a folder, or text as one CSV file, as a table."""
    if isinstance(files, str):
        files = {"table.csv": files.encode()}
    return read_back(FORMAT, open_source(files), limit=limit, **options)


def boxes(found):
    """Return (key, label, x, y, w, h) of each annotation."""
    return [(r["key"], r.get("label"), *(r.get(n) for n in "xywh")) for r in found.annotations]


def groups(found):
    """Return {reason: lines} of warnings and rejections."""
    return {reason: n for outcome, reason, n in found.ledger.groups() if outcome != "note"}


def notes(found):
    """Return the messages of notes by reason."""
    lines = [r for r in found.ledger.to_arrow().to_pylist() if r["outcome"] == "note"]
    return {r["reason"]: r["message"] for r in lines}


def picture(width, height):
    """Return the bytes of an image."""
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "PNG")
    return out.getvalue()


# -- real samples -----------------------------------------------------------------------------

KAGGLE = [
    ("1.jpg", "dog", 0, 1, 1, 1), ("1.jpg", "cat", 1, 2, 2, 1), ("2.jpg", "cat", 0, 0, 1, 1),
    ("3.jpg", "dog", 0, 2, 2, 2), ("3.jpg", "dog", 0, 0, 1, 1), ("3.jpg", "cat", 1, 1, 1, 1),
]  # fmt: skip


@pytest.mark.parametrize("file", ["ann.csv", "ann2.csv", "ann3.csv", None])
def test_kaggle_boxes_are_the_same_in_three_conventions(samples, file):
    """Corners, corner and size, and one cell in five spellings are the same six boxes."""
    found = read(samples / "kaggle/datumaro-image_csv_det", file=file)
    assert boxes(found) == KAGGLE
    assert groups(found) == {}
    assert {r["media"] for r in found.items} == {f"images/{n}.jpg" for n in (1, 2, 3)}


@pytest.mark.parametrize("file", ["ann.csv", "ann_wo_ext.csv"])
def test_kaggle_labels_with_and_without_suffix(samples, file):
    """A label per image is a tag, and a name without its suffix finds its file."""
    found = read(samples / "kaggle/datumaro-image_csv", file=file)
    assert [(r["key"], r["label"], r["type"]) for r in found.annotations] == [
        (f"{n}.jpg", label, "tag") for n, label in enumerate(("dog", "cat", "dog", "cat", "cat"), 1)
    ]
    found = read(samples / "kaggle/datumaro-image_csv_multi_label", file=file)
    assert [(r["key"], r["label"]) for r in found.annotations] == [
        ("1.jpg", "dog"), ("2.jpg", "cat"), ("3.jpg", "person"), ("4.jpg", "dog"), ("4.jpg", "cat"),
        ("5.jpg", "dog"), ("5.jpg", "person"), ("6.jpg", "cat"), ("6.jpg", "person"),
    ]  # fmt: skip


def test_roboflow_classes_agree_with_datumaro(samples, expected):
    """One column per class, with spaces after the commas, gives the tags that Datumaro reads."""
    name = "roboflow/datumaro-multiclass"
    found = read(samples / name)
    wanted = json.loads((expected / f"{name}.roboflow_multiclass.json").read_text())
    tags = {}
    for row in found.annotations:
        tags.setdefault((row["subset"], row["key"]), []).append(row["label"])
    assert tags == {
        (i["subset"], f"{i['id']}.jpg"): [a["label"] for a in i["annotations"]]
        for i in wanted["items"]
    }
    assert list(found.labels) == wanted["labels"]


def test_a_file_without_a_header(samples):
    """Names and labels without a header, one path per folder, are read as such."""
    found = read(samples / "csv/darwin-csv_tags")
    assert len(found.items) == 8
    assert found.items[-1]["key"] == "dir1/dir3/image_8.jpg"
    assert {r["label"] for r in found.annotations} == {"test_tag_basic"}


def test_rows_without_images_are_items(samples):
    """A table of measurements becomes an item per row with the row as its data."""
    found = read(samples / "tabular/datumaro-tabular", file="electricity.csv")
    assert len(found.items) == 100
    first = found.items[0]
    assert (first["key"], first["kind"]) == ("row-1", "table")
    assert json.loads(first["data"])["date"] == "0.425556"
    assert {r["label"] for r in found.annotations} == {"UP", "DOWN"}
    found = read(samples / "tabular/datumaro-tabular/adopt-a-buddy")
    assert {r["subset"] for r in found.items} == {"train", "test"}
    found = read(samples / "tabular/datumaro-tabular", file="women_clothing_orig.csv")
    assert {r["kind"] for r in found.items} == {"text"}
    assert "<div>HTML tag</div>" in found.items[3]["data"]


@pytest.mark.parametrize(
    ("case", "confidence"),
    [
        ("kaggle/datumaro-image_csv_det", 0.67),
        ("kaggle/datumaro-image_csv", 0.57),
        ("roboflow/datumaro-multiclass", 0.57),
        ("csv/darwin-csv_tags", 0.5),
        ("tabular/datumaro-tabular", 0.2),
    ],
)
def test_samples_are_recognised_with_the_roles_as_evidence(samples, case, confidence):
    """How sure a table is of itself follows from its roles, and the evidence names them."""
    best = detect(open_source((samples / case).as_posix()))[0]
    assert (best.format, round(best.confidence, 2)) == ("table", confidence)
    assert "label" in best.evidence[0] or "columns of 0 and 1" in best.evidence[0]


def test_tables_of_other_formats_are_not_taken(samples):
    """COCO results, Label Studio's lists and CreateML's are not flat records."""
    for value in (
        [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}],
        [{"id": 1, "data": {"image": "a.jpg"}}],
        [{"image": "a.jpg", "annotations": [{"label": "x"}]}],
        [{"image": "a.jpg", "annotation_id": 1, "lead_time": 2.5}],
        {"images": [], "annotations": []},
        [1, 2],
    ):
        found = detect(open_source({"a.json": json.dumps(value).encode()}))
        assert {c.format: c.confidence for c in found}["table"] == 0


# -- roles ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        ("filename,width,height,class,xmin,ymin,xmax,ymax",
         "image,width,height,label,x1,y1,x2,y2"),
        ("img_fName,img_w,img_h,class_label,bbx_xtl,bbx_ytl,bbx_xbr,bbx_ybr",
         "image,width,height,label,x1,y1,x2,y2"),
        ("image,xmin,ymin,xmax,ymax,label", "image,x1,y1,x2,y2,label"),
        ("image,x,y,width,height,label,score", "image,x1,y1,x2,y2,label,score"),
        ("path,cx,cy,w,h,category", "image,x1,y1,x2,y2,label"),
        ("file_name,x0,y0,x1,y1", "image,x1,y1,x2,y2"),
        ("image,bbox_x,bbox_y,bbox_w,bbox_h,width,height",
         "image,x1,y1,x2,y2,width,height"),
        ("ImageID,LabelName,Confidence,XMin,XMax,YMin,YMax", "image,label,score,x1,x2,y1,y2"),
        ("left,top,width,height,name,split", "x1,y1,x2,y2,image,split"),
        ("annotation_id,image_path,label", "id,image,label"),
    ],
)  # fmt: skip
def test_roles_by_the_names_that_people_use(columns, wanted):
    """Columns named as Roboflow, VoTT, Open Images and others name them get their roles."""
    names = columns.split(",")
    values = {n: [1.0] for n in names}
    for name, role in zip(names, wanted.split(","), strict=True):
        if role in ("image", "label", "split"):
            values[name] = ["a.jpg"] if role == "image" else ["cat"]
    roles = {r.column: r.role for r in infer_roles(pa.table(values))}
    assert roles == dict(zip(names, wanted.split(","), strict=True))


def test_a_column_of_paths_is_the_image_whatever_its_name():
    """Cells that name images make a column the image; a vague name alone does not."""
    (role,) = infer_roles(pa.table({"which": ["a.jpg", "b.png"]}))
    assert (role.role, role.column, role.sure) == ("image", "which", True)
    assert infer_roles(pa.table({"name": ["Ann", "Bob"], "age": [1, 2]})) == []


def test_roles_can_be_chosen():
    """Options name columns; "-" says there is none; a column that is not there is an error."""
    text = "a,b,c,d,e,f\nx,1,2,3,4,cat\n"
    found = read(text, image="a", bbox=("b", "c", "d", "e"), label="f", box_format="xyxy")
    assert boxes(found) == [("x", "cat", 1, 2, 2, 2)]
    found = read(text, image="a", bbox="b,c,d,e", label="f", box_format="cxcywh")
    assert boxes(found) == [("x", "cat", -0.5, 0, 3, 4)]
    found = read(text, image="a", x1="b", y1="c", x2="d", y2="e", box_format="xywh")
    assert boxes(found) == [("x", None, 1, 2, 3, 4)]
    found = read("image,label\na.jpg,cat\n", label="-")
    assert found.annotations == []
    assert json.loads(found.items[0]["data"]) == {"label": "cat"}
    with pytest.raises(OptionError, match="'nope'"):
        read(text, image="nope")
    with pytest.raises(OptionError, match="four columns"):
        read(text, image="a", x1="b")
    with pytest.raises(OptionError, match="can't be 'x'"):
        read(text, box_format="x")


def test_the_view_of_roles_for_a_screen():
    """A screen gets every column with a sample, every role with its column, no secret."""
    text = "image,label,x1,y1,x2,y2\nhttps://me:pw@h/a.jpg?token=t,cat,1,2,3,4\n"
    source = open_source({"a.csv": text.encode()})
    view = roles_view(source, {})
    assert view["available"][0] == {
        "name": "image", "type": "string", "sample": "https://h/a.jpg"
    }  # fmt: skip
    chosen = {r["role"]: r["column"] for r in view["roles"] if r["column"]}
    assert chosen == {n: n for n in ("image", "label", "x1", "y1", "x2", "y2")}
    assert set(view["hidden"]) >= set(chosen)
    changed = roles_view(source, {"label": "y2"})
    assert {r["role"]: r["column"] for r in changed["roles"]}["label"] == "y2"
    json.dumps(view)
    assert roles_view(open_source({"a.txt": b"x"}), {}) == {}


# -- boxes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "convention"),
    [
        (["50,60,20,10", "5,6,2,1"], "xywh"),  # the third is smaller
        (["1,2,3,4", "1,2,5,6", "2,2,9,9", "3,3,8,8"], "xyxy"),  # always larger
        (["1,2,3,4"], "xywh"),  # too few to tell
        (["40,30,60,45", "50,40,64,48"], "xyxy"),  # else outside of 64 x 48
    ],
)
def test_what_four_unnamed_numbers_are(cells, convention):
    """Without names the numbers and the image's size tell, and a note says by which."""
    text = "image,bbox\n" + "".join(f'a.png,"[{c}]"\n' for c in cells)
    found = read({"t.csv": text.encode(), "a.png": picture(64, 48)})
    given = np.array([c.split(",") for c in cells], float)
    if convention == "xyxy":
        given[:, 2:] -= given[:, :2]
    assert [list(r[2:]) for r in boxes(found)] == given.tolist()
    assert "box_format=" in notes(found)["convention of the boxes"]
    forced = read({"t.csv": text.encode()}, box_format="xywh")
    assert "convention of the boxes" not in notes(forced)


def test_centres_under_the_names_of_corners_are_noticed():
    """x, y, w, h that reach outside from the corner, but not from the centre, are centres."""
    rows = "a.png,60,24,8,40\na.png,32,40,60,16\na.png,10,10,4,4\n"
    found = read({"t.csv": f"image,x,y,w,h\n{rows}".encode(), "a.png": picture(64, 48)})
    assert boxes(found)[0] == ("a.png", None, 56, 4, 8, 40)
    assert "centre" in notes(found)["convention of the boxes"]


def test_parts_of_the_image_become_pixels():
    """Numbers from 0 to 1 are times the size in the table, else that of the image."""
    head = "image,xmin,ymin,xmax,ymax"
    found = read({"t.csv": f"{head}\na.png,0.25,0.5,0.5,1\n".encode(), "a.png": picture(64, 48)})
    assert boxes(found) == [("a.png", None, 16, 24, 16, 24)]
    assert "parts" in notes(found)["boxes are parts of the image"]
    found = read(f"{head},width,height\na.png,0.25,0.5,0.5,1,640,480\n")
    assert boxes(found) == [("a.png", None, 160, 240, 160, 240)]
    assert (found.items[0]["width"], found.items[0]["height"]) == (640, 480)
    found = read(f"{head}\na.png,0.25,0.5,0.5,1\nb.png,0,0,1,1\n")
    assert groups(found) == {"the size of the image is not known": 2}
    found = read(f"{head}\na.png,0.25,0.5,0.5,1\n", normalized="no")
    assert boxes(found) == [("a.png", None, 0.25, 0.5, 0.25, 0.5)]
    assert boxes(read(f"{head}\na.png,0,0,1,1\n"))[0][2:] == (0, 0, 1, 1)  # whole numbers: pixels


def test_numbers_keep_all_their_digits():
    """Sixteen digits, exponents, spaces and a decimal comma are read exactly."""
    found = read("image,x,y,w,h\na.jpg,2.123456789012345, 1e-7 ,+3,.5\n")
    assert boxes(found)[0][2:] == (2.123456789012345, 1e-7, 3, 0.5)
    found = read("image;x;y;w;h\na.jpg;0,5;1,25;3;4\n")
    assert boxes(found)[0][2:] == (0.5, 1.25, 3, 4)
    assert set(notes(found)) >= {"decimal comma"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.jpg,x,2,3,4,cat", "box is not four numbers"),
        ("a.jpg,nan,2,3,4,cat", "box is not four numbers"),
        ("a.jpg,inf,2,3,4,cat", "box is not four numbers"),
        ("a.jpg,1,2,,4,cat", "box is not four numbers"),
        (",1,2,3,4,cat", "row names no image"),
        ("../../etc/passwd,1,2,3,4,cat", "image is not reachable"),
        ("file:///etc/passwd,1,2,3,4,cat", "image is not reachable"),
    ],
)
def test_a_bad_row_is_rejected_by_its_line(row, reason):
    """A row that can't be read is named by its line; the others stay."""
    found = read(f"image,xmin,ymin,xmax,ymax,label\nok.jpg,1,2,3,4,dog\n{row}\n")
    assert boxes(found) == [("ok.jpg", "dog", 1, 2, 2, 2)]
    (line,) = found.ledger.lines("rejected", reason)
    assert line["record"] == "line 3"
    assert (found.balance.read, found.balance.rejected) == (2, 1)


def test_odd_boxes_are_kept_with_a_warning():
    """Corners in another order are turned round; boxes outside or without area stay."""
    head = "image,xmin,ymin,xmax,ymax,width,height\n"
    rows = "a.jpg,5,6,1,2,64,48\na.jpg,60,2,70,4,64,48\na.jpg,1,1,1,4,64,48\na.jpg,1,1,3,4,64,48\n"
    found = read(head + rows)
    assert boxes(found)[0][2:] == (1, 2, 4, 4)
    assert boxes(found)[1][2:] == (60, 2, 10, 2)
    assert groups(found) == {
        "box was turned round": 1, "box reaches outside the image": 1, "box has no area": 1
    }  # fmt: skip
    assert found.balance.imported == 1


def test_an_empty_box_is_an_image_without_one():
    """Empty cells say that the image is there; a label without a box is a tag, with a warning."""
    head = "image,xmin,ymin,xmax,ymax,label\n"
    found = read(head + "a.jpg,,,,,\nb.jpg,1,2,3,4,cat\nc.jpg,,,,,nothing\n")
    assert [r["key"] for r in found.items] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [(r["key"], r["type"]) for r in found.annotations] == [
        ("b.jpg", "box"),
        ("c.jpg", "tag"),
    ]
    assert groups(found) == {"label without a box": 1}
    found = read('image,bbox\na.jpg,\na.jpg,"[]"\nb.jpg,"[1,2,3,4]"\nb.jpg,"[1,2,3]"\n')
    assert len(found.annotations) == 1
    assert found.balance.rejected == 1


# -- cells and rows ---------------------------------------------------------------------------


def test_text_stays_text():
    """Seven labels that pandas would take for missing, a number and spaces stay what they are."""
    labels = ["NA", "nan", "None", "null", "007", "1e5", " two "]
    text = "image,label\n" + "".join(f'{n}.jpg,"{label}"\n' for n, label in enumerate(labels))
    found = read(text)
    assert [r["label"] for r in found.annotations] == labels
    assert groups(found) == {}


def test_other_columns_are_data_or_attributes():
    """What all rows of an image share is the image's data, what differs the annotations'."""
    text = (
        "image,label,xmin,ymin,xmax,ymax,site,colour,n\n"
        'a.jpg,cat,1,2,3,4,north,"re""d",9007199254740993\n'
        "a.jpg,dog,1,2,3,4,north,blue,2\n"
        "b.jpg,cat,1,2,3,4,,red,3\n"
    )
    found = read(text)
    assert [r.get("data") for r in found.items] == ['{"site":"north"}', None]
    assert [json.loads(r["attributes"]) for r in found.annotations] == [
        {"colour": 're"d', "n": "9007199254740993"}, {"colour": "blue", "n": "2"},
        {"colour": "red", "n": "3"},
    ]  # fmt: skip


def test_scores_splits_ids_and_models():
    """A score stays with its row, or with its model's layer; a split column makes subsets."""
    text = (
        "id,image,label,xmin,ymin,xmax,ymax,score,split\n"
        "7,a.jpg,cat,1,2,3,4,0.5,train\n8,a.jpg,cat,1,2,3,4,x,val\n9,b.jpg,cat,1,2,3,4,1.5,\n"
    )
    found = read(text, model_version="yolo")
    assert [(r.get("subset"), r["key"]) for r in found.items] == [
        ("train", "a.jpg"), ("val", "a.jpg"), (None, "b.jpg")
    ]  # fmt: skip
    assert [(r["layer"], r.get("score"), r["source_id"]) for r in found.annotations] == [
        ("yolo", 0.5, "7"), ("yolo", None, "8"), ("yolo", 1.5, "9")
    ]  # fmt: skip
    assert groups(found) == {"score is not a number": 1, "score is not from 0 to 1": 1}
    assert "layer" not in read(text).annotations[0]


def test_several_labels_in_a_cell_only_when_asked_for():
    """A cell "cat dog" is one label; with a separator given, two rows of one record."""
    text = "image,label\na.jpg,cat dog\nb.jpg,\nc.jpg,cat\n"
    assert [r["label"] for r in read(text).annotations] == ["cat dog", "cat"]
    found = read(text, label_sep=" ")
    assert [(r["key"], r["label"]) for r in found.annotations] == [
        ("a.jpg", "cat"), ("a.jpg", "dog"), ("c.jpg", "cat")
    ]  # fmt: skip
    assert (found.balance.read, found.balance.imported) == (3, 3)


def test_two_spellings_of_a_path_are_one_image():
    """Dots and backslashes are read as paths are; twins in two folders stay two."""
    found = read("image,label\n./a.jpg,x\na.jpg,y\nd\\a.jpg,z\nd/a.jpg,w\ne/a.jpg,v\n")
    assert [r["key"] for r in found.items] == ["a.jpg", "d/a.jpg", "e/a.jpg"]
    assert [r["key"] for r in found.annotations] == [
        "a.jpg",
        "a.jpg",
        "d/a.jpg",
        "d/a.jpg",
        "e/a.jpg",
    ]
    assert found.balance.imported == 5


def test_an_image_named_twice_without_a_word_is_one():
    """Two rows that only name an image are one item, and nothing is lost in the account."""
    found = read("image\na.jpg\na.jpg\n")
    assert len(found.items) == 1
    assert (found.balance.read, found.balance.imported) == (2, 2)


def test_addresses_are_kept_and_not_printed():
    """An address in a cell is the item's; its secrets are in no message and no name."""
    found = read("image,label\nhttps://u:S3@h/a.jpg?sig=T0,cat\nfile://S3/x.jpg,dog\n")
    assert found.items[0]["uri"] == "https://u:S3@h/a.jpg?sig=T0"
    assert found.items[0]["key"] == "h/a.jpg"
    assert "T0" not in str(found.ledger.to_arrow().to_pylist())


def test_missing_files_are_named_by_row_where_others_are_there():
    """With media in the source, an image that is not there is a warning on its first row."""
    found = read({"t.csv": b"image,label\na.jpg,x\nb.jpg,y\n", "images/a.jpg": b""})
    assert groups(found) == {"image file is missing": 1}
    assert found.ledger.lines("warning", "image file is missing")[0]["record"] == "line 3"
    assert groups(read("image,label\na.jpg,x\n")) == {}


def test_a_preview_is_of_the_first_images():
    """With a limit of one, all rows of the first image are read, and no others."""
    found = read("image,label\na.jpg,x\nb.jpg,y\na.jpg,z\n", limit=1)
    assert [r["key"] for r in found.items] == ["a.jpg"]
    assert [r["label"] for r in found.annotations] == ["x", "z"]


def test_texts_are_items_of_text():
    """A column of texts makes items of kind text; its id is the key where it is unique."""
    found = read("id,text,label\na1,Hello,pos\na2,Bye,neg\n")
    assert [(r["key"], r["kind"], r["data"]) for r in found.items] == [
        ("a1", "text", '{"id":"a1","text":"Hello"}'), ("a2", "text", '{"id":"a2","text":"Bye"}')
    ]  # fmt: skip
    assert [(r["key"], r["type"], r["label"]) for r in found.annotations] == [
        ("a1", "tag", "pos"), ("a2", "tag", "neg")
    ]  # fmt: skip


# -- frames -----------------------------------------------------------------------------------


def test_a_frame_in_memory(tmp_path):
    """A DataFrame with paths, lists as boxes, categories and NaN is read like a file."""
    (tmp_path / "a.png").write_bytes(picture(64, 48))
    frame = pd.DataFrame(
        {
            "path": [str(tmp_path / "a.png"), str(tmp_path / "a.png"), "gone.png"],
            "class": pd.Categorical(["cat", "NA", None]),
            "bbox": [[0.25, 0.5, 0.5, 0.25], [0, 0, 1, 1], None],
            "n": [2**53 + 1, 7, 8],
            "w": [0.5, np.nan, 1.5],
        }
    )
    source = open_source(frame)
    best = detect(source)[0]
    assert (best.format, best.confidence) == ("table", 0.9)
    found = read_back(FORMAT, source)
    key = str(tmp_path / "a.png").lstrip("/").replace("\\", "/")
    assert boxes(found) == [(key, "cat", 16, 24, 32, 12), (key, "NA", 0, 0, 64, 48)]
    assert [r.get("media") for r in found.items] == [str(tmp_path / "a.png"), None]
    assert json.loads(found.annotations[0]["attributes"]) == {"n": "9007199254740993", "w": 0.5}
    assert groups(found) == {"image file is missing": 1}
    assert found.ledger.lines("warning", "image file is missing")[0]["record"] == "row 3"


def test_frames_of_any_number_type():
    """Integer labels, unsigned coordinates and a struct as a box are what they say."""
    table = pa.table(
        {
            "image": ["a.jpg", "b.jpg"],
            "label": pa.array([3, 4], pa.int8()),
            "box": pa.array([{"x": 1, "y": 2, "width": 3, "height": 4}, None]),
        }
    )
    found = read_back(FORMAT, open_source(table), bbox="box")
    assert boxes(found) == [("a.jpg", "3", 1, 2, 3, 4), ("b.jpg", "4", None, None, None, None)]
    ids = pd.DataFrame({"image": [1.0, 2.0, np.nan], "label": [1.0, np.nan, 2.0]})
    found = read_back(FORMAT, open_source(ids), label="label", image="image")
    assert [(r["key"], r["label"]) for r in found.annotations] == [("1", "1")]
    assert groups(found) == {"row names no image": 1}


def test_records_in_memory_are_a_table():
    """A list of flat dicts is a table; a record that is none is named."""
    rows = [
        {"path": "a.jpg", "label": "cat", "x1": 1, "y1": 2, "x2": 5, "y2": 6},
        {"path": "b.jpg"},
    ]
    found = read_back(FORMAT, open_source(rows))
    assert boxes(found) == [("a.jpg", "cat", 1, 2, 4, 4)]
    assert len(found.items) == 2
    data = b'{"path":"a.jpg","label":"x"}\n7\n{"path":"b.jpg",\n{"path":"c.jpg","label":"y"}\n'
    found = read({"a.jsonl": data})
    assert [r["key"] for r in found.items] == ["a.jpg", "c.jpg"]
    assert groups(found) == {"line is not JSON": 1, "not a record": 1}


# -- which file -------------------------------------------------------------------------------


def test_of_several_tables_the_one_about_the_images_is_read():
    """The table whose images are there is read; the others are named; file= chooses."""
    files = {
        "a.csv": b"n,m\n1,2\n",
        "b.csv": b"image,label\nx.jpg,cat\n",
        "c.csv": b"image,label\na.jpg,dog\n",
        "a.jpg": b"",
    }
    found = read(files)
    assert [r["label"] for r in found.annotations] == ["dog"]
    assert {r["file"] for r in found.ledger.lines("note", "file was not read")} == {
        "a.csv",
        "b.csv",
    }
    assert [r["label"] for r in read(files, file="b.csv").annotations] == ["cat"]
    assert len(read(files, file="b.csv, c.csv").items) == 2
    with pytest.raises(OptionError, match="not in the source"):
        read(files, file="d.csv")


def test_files_per_split_are_subsets():
    """train.csv and val.csv, or a file in each folder, are one dataset of two subsets."""
    row = b"image,label\na.jpg,cat\n"
    for files in (
        {"train.csv": row, "val.csv": row},
        {"train/_classes.csv": row, "valid/_classes.csv": row},
        {"labels_train.csv": row, "labels_test.csv": row},
    ):
        found = read(files)
        assert len(found.items) == 2
        assert len({r["subset"] for r in found.items}) == 2


def test_parquet_is_read_by_its_types():
    """Types of Parquet are kept in the data; bytes are left out, and said to be."""
    table = pa.table(
        {"image": ["a.jpg"], "when": pa.array([0], pa.timestamp("s")), "n": [7], "ok": [True],
         "raw": [b"x"], "tags": [["a", "b"]]}
    )  # fmt: skip
    out = io.BytesIO()
    parquet.write_table(table, out)
    found = read({"a.parquet": out.getvalue()})
    assert json.loads(found.items[0]["data"]) == {
        "when": "1970-01-01 00:00:00.000", "n": 7, "ok": True, "tags": ["a", "b"]
    }  # fmt: skip
    assert "'raw'" in notes(found)["column was left out"]


def test_no_table_is_an_error():
    """What holds no table is an error, never an empty result."""
    with pytest.raises(FormatError):
        read({"a.json": b'{"a": {"b": 1}}'})
    with pytest.raises(FormatError, match="No file holds a table"):
        read({"a.bin": b"x"})


# -- writing ----------------------------------------------------------------------------------


def test_corners_and_spreadsheets():
    """Boxes are written as corners, and cells made harmless, only where asked for."""
    what = example(("box", "tag"))
    text = written(FORMAT, what, box_format="xyxy")["annotations.csv"].decode()
    assert text.splitlines()[0].startswith('"item"')
    assert '"xmin","ymin","xmax","ymax"' in text
    back = read({"annotations.csv": text.encode()})
    assert {r["w"] for r in back.annotations if "w" in r} >= {64.0, 3.0}
    what.annotations["train"][0]["label"] = "=1+1"
    plain = read(written(FORMAT, what))
    assert "=1+1" in {r.get("label") for r in plain.annotations}
    safe = written(FORMAT, what, spreadsheet_safe=True)["annotations.csv"].decode()
    assert '"\'=1+1"' in safe


def test_awkward_text_comes_back():
    """Quotes, line breaks, commas, empty and missing texts survive CSV and JSON lines."""
    texts = ['"', "a,b", "line\nbreak", "\r\n", "'", "=1", " ", "NA", "", "\t"]
    what = example(())
    what.annotations["train"] = [
        {"item": "plain.jpg", "type": "text", "text": text, "attributes": json.dumps({"t": text})}
        for text in texts
    ]
    for kind in ("csv", "tsv", "jsonl", "parquet"):
        found = read(written(FORMAT, what, file_format=kind))
        assert [r.get("text") for r in found.annotations] == texts, kind
        assert [json.loads(r["attributes"])["t"] for r in found.annotations] == texts


def test_a_bad_cell_of_our_own_table_is_rejected():
    """In a table that nbannot wrote, a cell that is not what its column holds is named."""
    text = "item,subset,type,label,points,x,y,w,h,occluded\n"
    text += "a.jpg,default,box,cat,,1,2,3,4,true\na.jpg,default,box,cat,,x,2,3,4,\n"
    text += 'a.jpg,default,polygon,cat,"[1,",,,,,\n,default,box,cat,,1,2,3,4,\nb.jpg,val,,,,,,,,\n'
    found = read(text)
    assert [(r["key"], r["occluded"]) for r in found.annotations] == [("a.jpg", True)]
    assert [(r.get("subset"), r["key"]) for r in found.items] == [(None, "a.jpg"), ("val", "b.jpg")]
    assert groups(found) == {"cell is not what its column holds": 2, "row names no item": 1}
    assert found.balance.read == 5
