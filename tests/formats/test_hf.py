"""Hugging Face folders and parquet: both written and read again, and files as others make them."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nbannot.errors import BrokenFileError, Cancelled
from nbannot.formats import detect, get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, read_back, written
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import Label
from nbannot.sources import open_source

COLUMNS = ("type", "label", "x", "y", "w", "h", "text")


class TestFolder(FormatCases):
    """metadata.jsonl beside the media."""

    format_name = "hf-folder"
    compared = COLUMNS


class TestParquet(FormatCases):
    """The media inside the parquet."""

    format_name = "hf-parquet"
    compared = COLUMNS

    def test_items_come_back(self, format, dataset, files):
        """Every item is there, under its own path, with its media inside the file."""
        source = open_source(files)
        found = self.read(format, source)
        names = {(s, row["key"]) for s, rows in dataset.items.items() for row in rows}
        assert {(row.get("subset"), row["key"]) for row in found.items} == names
        pictures = [row for rows in dataset.items.values() for row in rows]
        for row in found.items:
            number = next(
                i
                for i, p in enumerate(pictures)
                if (p["key"], i < 4) == (row["key"], row["subset"] == "train")
            )
            assert source.read(row["media"]) == dataset.media(number)


# -- files as others make them ----------------------------------------------------------------


def picture(size=(64, 48), mode="RGB", form="JPEG", color=0):
    """Return an image file."""
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, form)
    return out.getvalue()


def folder(rows, *, files=(), readme="", name="train/metadata.jsonl"):
    """Return an imagefolder: metadata of `rows` (text or objects), and images a.jpg, b.jpg."""
    text = rows if isinstance(rows, (str, bytes)) else "\n".join(json.dumps(r) for r in rows)
    base = name.rpartition("/")[0]
    found = {name: text if isinstance(text, bytes) else text.encode()}
    found.update({f"{base}/{f}".lstrip("/"): picture() for f in ("a.jpg", "b.jpg")})
    found.update(dict(files))
    if readme:
        found["README.md"] = readme.encode()
    return found


def read(name, files, **options):
    """Read files in memory; the ledger balances."""
    return read_back(get_format(name), open_source(files), **options)


def lines(found, outcome="rejected"):
    """Return (reason, record) of the ledger's lines."""
    rows = found.ledger.to_arrow().to_pylist()
    return [(r["reason"], r["record"]) for r in rows if r["outcome"] == outcome]


README = """---
dataset_info:
  features:
  - name: image
    dtype: image
  - name: objects
    sequence:
    - name: bbox
      sequence: float32
      length: 4
    - name: categories
      dtype:
        class_label:
          names:
            '0': cat
            '1': dog
  - name: label
    dtype:
      class_label:
        names:
        - day
        - night
---
# My pets
"""


def test_names_come_from_the_readme():
    """Numbers of classes in objects and in label get the names of README.md."""
    objects = {"bbox": [[1, 2, 3, 4], [5, 6, 7.5, 8]], "categories": [1, 0], "id": [70, 71]}
    files = folder([{"file_name": "a.jpg", "objects": objects, "label": 1}], readme=README)
    assert detect(open_source(files))[0].format == "hf-folder"
    found = read("hf-folder", files)
    rows = [(r["type"], r.get("label"), r.get("x"), r.get("w")) for r in found.annotations]
    assert rows == [("box", "dog", 1, 3), ("box", "cat", 5, 7.5), ("tag", "night", None, None)]
    assert [r["source_id"] for r in found.annotations[:2]] == ["70", "71"]
    assert [(r["subset"], r["key"]) for r in found.items] == [
        ("train", "a.jpg"),
        ("train", "b.jpg"),
    ]


def test_classes_without_names():
    """Numbers that no file names are class_<number>; -1 is no class."""
    rows = [{"file_name": "a.jpg", "label": 3}, {"file_name": "b.jpg", "label": -1}]
    found = read("hf-folder", folder(rows))
    assert [r["label"] for r in found.annotations] == ["class_3"]


def test_lines_from_the_wild():
    """Trailing spaces and commas, blank lines, no last newline, a column filename that differs."""
    text = (
        '{"file_name": "a.jpg", "filename": "x.jpg", "text": "größe"},  \r\n\r\n'
        '{"file_name": "b.jpg", "text": null}'
    )
    found = read("hf-folder", folder(text))
    assert [r["key"] for r in found.items] == ["a.jpg", "b.jpg"]
    assert json.loads(found.items[0]["meta"]) == {"hf": {"filename": "x.jpg"}}
    assert [(r["type"], r["text"]) for r in found.annotations] == [("text", "größe")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings(encoding):
    """A byte order mark, and UTF-16, are read."""
    text = '{"file_name": "a.jpg", "text": "größe"}\n{"file_name": "b.jpg"}\n'
    found = read("hf-folder", folder(text.encode(encoding)))
    assert [r["text"] for r in found.annotations] == ["größe"]


def test_a_broken_line_is_one_record():
    """A line that is no JSON, and rows without a file or twice the same, are rejected by line."""
    text = (
        '{"file_name": "a.jpg"}\n{"file_name": "b\n{"text": "no file"}\n'
        '{"file_name": "../etc/passwd"}\n{"file_name": "a.jpg"}\n{"file_name": "c.jpg"}\n'
    )
    found = read("hf-folder", folder(text))
    assert lines(found) == [
        ("line is not JSON", "line 2"),
        ("row without a file name", "line 3"),
        ("file name leaves the dataset", "line 4"),
        ("second row of one file", "line 5"),
    ]
    assert lines(found, "warning") == [("image file missing", "item")]
    assert [r["key"] for r in found.items] == ["a.jpg", "c.jpg", "b.jpg"]


def test_broken_boxes():
    """Boxes without numbers, of negative size, of an unknown class: each a line; others stay."""
    objects = {
        "bbox": [[1, 2, 3], [1, 2, None, 4], [1, 2, -3, 4], [0, 0, 9, 9], [60, 40, 10, 10]],
        "categories": [0, 0, 0, 7, 0],
    }
    row = {"file_name": "a.jpg", "width": 64, "height": 48, "objects": objects}
    found = read("hf-folder", folder([row], readme=README))
    assert lines(found) == [
        ("box without numbers", "line 1, objects 1"),
        ("box without numbers", "line 1, objects 2"),
        ("box of negative size", "line 1, objects 3"),
        ("class is not in names", "line 1, objects 4"),
    ]
    assert lines(found, "warning") == [("box reaches outside the image", "line 1, objects 5")]
    assert len(found.annotations) == 1


def test_corners_are_found_out():
    """Boxes that fit their images only as corners are corners; an option says otherwise."""
    objects = {"bbox": [[10, 10, 60, 40], [2, 3, 4, 5]], "category": ["cat", "cat"]}
    files = folder([{"file_name": "a.jpg", "objects": objects}])
    found = read("hf-folder", files)
    assert [(r["x"], r["w"], r["h"]) for r in found.annotations] == [(10, 50, 30), (2, 2, 2)]
    assert ("note", "boxes are corners", 1) in found.ledger.groups()
    plain = read("hf-folder", files, bbox="xywh")
    assert [r["w"] for r in plain.annotations] == [60, 4]


def test_csv_at_the_root():
    """metadata.csv at the root: the first folder of file_name is the split."""
    text = "file_name,label,objects\ntrain/a.jpg,cat,\n"
    text += 'test/x/b.jpg,dog,"{""bbox"": [[1, 2, 3, 4]], ""category"": [""ear""]}"\n'
    files = {"metadata.csv": text.encode(), "train/a.jpg": picture(), "test/x/b.jpg": picture()}
    found = read("hf-folder", files)
    assert [(r["subset"], r["key"], r["media"]) for r in found.items] == [
        ("train", "a.jpg", "train/a.jpg"),
        ("test", "x/b.jpg", "test/x/b.jpg"),
    ]
    assert [(r["type"], r["label"]) for r in found.annotations] == [
        ("tag", "cat"),
        ("tag", "dog"),
        ("box", "ear"),
    ]


def test_audio():
    """An audiofolder: items are audio, a transcription is a text."""
    rows = [{"file_name": "x.wav", "transcription": "hello"}]
    found = read("hf-folder", {"metadata.jsonl": json.dumps(rows[0]).encode(), "x.wav": b"RIFF"})
    assert [(r["kind"], r["media"]) for r in found.items] == [("audio", "x.wav")]
    assert [r["text"] for r in found.annotations] == ["hello"]


def test_masks():
    """A second image column holds a mask: one for each value but 0."""
    mask = Image.new("L", (64, 48))
    mask.paste(1, (2, 3, 6, 5))
    mask.paste(2, (10, 10, 11, 12))
    out = io.BytesIO()
    mask.save(out, "PNG")
    rows = [{"file_name": "a.jpg", "mask_file_name": "a_mask.png"}]
    found = read("hf-folder", folder(rows, files={"train/a_mask.png": out.getvalue()}))
    assert [(r["label"], r["x"], r["y"], r["w"], r["h"]) for r in found.annotations] == [
        ("class_1", 2, 3, 4, 2),
        ("class_2", 10, 10, 1, 2),
    ]
    assert [r["key"] for r in found.items] == ["a.jpg", "b.jpg"]


def test_not_a_folder_of_this_kind():
    """A metadata file that is nothing of the sort raises, or is not recognised."""
    files = folder("this is no JSON\nat all\n")
    with pytest.raises(BrokenFileError, match=r"metadata\.jsonl"):
        read("hf-folder", files)
    found = {c.format: c for c in detect(open_source(files))}
    assert found["hf-folder"].missing == "train/metadata.jsonl has no column file_name"
    assert read("hf-folder", {"metadata.jsonl": b""}).items == []


def parquet(rows, features=None, **types):
    """Return a parquet file as the datasets package writes it."""
    cell = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [pa.field("image", cell), *(pa.field(n, t) for n, t in types.items())]
    meta = {"huggingface": json.dumps({"info": {"features": features or {}}})}
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields, meta)), out, row_group_size=2)
    return out.getvalue()


def test_parquet_of_others():
    """Shards, rows without a path or of one path, null bytes, ClassLabel names of the schema."""
    names = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    cell = {"bytes": picture(), "path": None}
    rows = [
        {"image": cell, "label": 1},
        {"image": {**cell, "path": "x.jpg"}, "label": 0},
        {"image": {**cell, "path": "x.jpg"}, "label": None},
        {"image": {"bytes": None, "path": "gone.jpg"}, "label": 5},
    ]
    files = {
        "data/train-00000-of-00002.parquet": parquet(rows, names, label=pa.int64()),
        "data/train-00001-of-00002.parquet": parquet(rows[:1], names, label=pa.int64()),
        "data/test-00000-of-00001.parquet": parquet(rows[:1], names, label=pa.int64()),
    }
    best = detect(open_source(files))
    assert [c.format for c in best if c.confidence > 0.3] == ["hf-parquet"]
    source = open_source(files)
    found = read("hf-parquet", files)
    assert [(r["subset"], r["key"]) for r in found.items] == [
        ("test", "000000.jpg"), ("train", "000000.jpg"), ("train", "x.jpg"),
        ("train", "x-2.jpg"), ("train", "gone.jpg"),
        ("train", "train-00001-of-00002/000000.jpg"),
    ]  # fmt: skip
    assert [r["label"] for r in found.annotations] == ["dog", "dog", "cat", "dog"]
    assert lines(found) == [("class is not in names", "row 3, label")]
    assert lines(found, "warning") == [("second row of one path", "item")]
    media = [r.get("media") for r in found.items]
    assert media[4] is None
    assert all(source.read(m) == picture() for m in media if m)


def test_parquet_masks_and_other_columns():
    """A second image column is a mask where its name says so; audio is not an image."""
    mask = picture((64, 48), "L", "PNG", 255)
    cell = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    row = {"image": {"bytes": picture(), "path": "a.jpg"}, "mask": {"bytes": mask, "path": None},
           "depth": {"bytes": mask, "path": None}}  # fmt: skip
    found = read("hf-parquet", {"train.parquet": parquet([row], mask=cell, depth=cell)})
    assert [(r["type"], r["label"], r["w"]) for r in found.annotations] == [("mask", "mask", 64)]
    assert ("note", "second media column", 1) in found.ledger.groups()


def test_not_a_parquet():
    """A file of another kind, or without media, is not recognised; reading it says why."""
    files = {"train.parquet": b"PAR1 and nothing else"}
    missing = {c.format: c.missing for c in detect(open_source(files))}
    assert missing["hf-parquet"] == "train.parquet is no parquet that can be read"
    with pytest.raises(BrokenFileError, match=r"train\.parquet"):
        read("hf-parquet", files)
    out = io.BytesIO()
    pq.write_table(pa.table({"label": [1]}), out)
    found = {c.format: c for c in detect(open_source({"a.parquet": out.getvalue()}))}
    assert found["hf-parquet"].confidence == 0


@pytest.mark.parametrize("name", ["hf-folder", "hf-parquet"])
def test_audio_and_texts_come_back(name):
    """Audio with a transcription and two classes is written and read again; a third kind is not."""
    items = [
        {"key": "a/x.wav", "kind": "audio"}, {"key": "y.wav", "kind": "audio"},
        {"key": "z.txt", "kind": "text"},
    ]  # fmt: skip
    rows = [
        {"item": "a/x.wav", "type": "text", "text": "hello\nyou"},
        {"item": "a/x.wav", "type": "tag", "label": "cat"},
        {"item": "a/x.wav", "type": "tag", "label": "dog"},
        {"item": "y.wav", "type": "text", "text": "größe"},
    ]
    what = Example({"test": items}, {"test": rows}, (Label("cat"), Label("dog")))
    what.media = lambda item: b"RIFF....WAVE"
    files = written(get_format(name), what)
    source = open_source(files)
    assert detect(source)[0].format == name
    found = read(name, files)
    assert [(r["kind"], r["key"], source.read(r["media"])) for r in found.items] == [
        ("audio", "a/x.wav", b"RIFF....WAVE"), ("audio", "y.wav", b"RIFF....WAVE")
    ]  # fmt: skip
    back = [(r["key"], r["type"], r.get("label"), r.get("text")) for r in found.annotations]
    assert sorted(back, key=repr) == sorted(
        [
            ("a/x.wav", "text", None, "hello\nyou"), ("a/x.wav", "tag", "cat", None),
            ("a/x.wav", "tag", "dog", None), ("y.wav", "text", None, "größe"),
        ],
        key=repr,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["hf-folder", "hf-parquet"])
def test_what_a_box_has_besides(name):
    """Score, text and attributes come back, also where only some boxes have them; none is none."""
    box = {"item": "a.jpg", "type": "box", "x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0}
    rows = [
        {**box, "label": "cat", "score": 0.25, "attributes": '{"a":1,"b":[null,"x"]}'},
        {**box, "text": "größe"},
    ]
    size = {"key": "a.jpg", "width": 64, "height": 48}
    found = read(name, written(get_format(name), Example({"train": [size]}, {"train": rows},
                                                         (Label("cat"),))))  # fmt: skip
    names = ("label", "score", "attributes", "text")
    assert [{n: r[n] for n in names if n in r} for r in found.annotations] == [
        {"label": "cat", "score": 0.25, "attributes": '{"a":1,"b":[null,"x"]}'}, {"text": "größe"}
    ]  # fmt: skip


def test_a_read_can_be_cancelled():
    """Also within one file: Cancel is heard at the next row."""
    files = folder([{"file_name": f"{n}.jpg"} for n in range(9)])
    progress = Progress(lambda state: progress.cancel() if state.done else None, interval_s=0)
    with pytest.raises(Cancelled):
        list(get_format("hf-folder").read(open_source(files), {"bbox": "auto"}, Ledger(), progress))


def test_yaml_that_is_meant_a_billion_times():
    """Anchors that multiply take no time; names that were said before them are used."""
    head = "---\ndataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n"
    head += "        names: [day, night]\n  - &a0\n    name: x\n"
    for n in range(1, 30):
        inner = ", ".join([f"*a{n - 1}"] * 9)
        head += f"  - &a{n}\n    name: x\n    struct: [{inner}]\n"
    files = folder([{"file_name": "a.jpg", "label": 1}], readme=head + "---\n")
    assert [r["label"] for r in read("hf-folder", files).annotations] == ["night"]


def test_classes_that_are_none():
    """Lists in lists and objects are no classes: each is a line."""
    rows = [
        {"file_name": "a.jpg", "label": {"a": 1}},
        {"file_name": "b.jpg", "labels": [[1], True]},
    ]
    found = read("hf-folder", folder(rows))
    assert lines(found) == [
        ("class is not in names", "line 1, label"), ("class is not in names", "line 2, labels 1")
    ]  # fmt: skip
    assert [r["label"] for r in found.annotations] == ["true"]


def test_metadata_as_parquet():
    """metadata.parquet: names of classes are in its schema; rows are read like lines."""
    features = {"objects": {"feature": {"bbox": {}, "category": {"names": ["cat"],
                            "_type": "ClassLabel"}}, "_type": "Sequence"}}  # fmt: skip
    objects = [{"bbox": [[1.0, 2.0, 3.0, 4.0]], "category": [0]}, None]
    meta = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"file_name": ["a.jpg", "b.jpg"], "objects": objects})
    table = table.replace_schema_metadata(meta)
    out = io.BytesIO()
    pq.write_table(table, out)
    files = folder(out.getvalue(), name="train/metadata.parquet")
    assert detect(open_source(files))[0].format == "hf-folder"
    found = read("hf-folder", files)
    assert [(r["key"], r["label"], r["w"]) for r in found.annotations] == [("a.jpg", "cat", 3)]
    assert len(found.items) == 2
    files["train/metadata.parquet"] = files["train/metadata.parquet"][:-9]
    with pytest.raises(BrokenFileError, match=r"metadata\.parquet"):
        read("hf-folder", files)


def test_objects_as_a_list_of_structs():
    """The other way round, as newer versions of the datasets package keep them."""
    objects = [{"bbox": [1, 2, 3, 4], "category": "cat", "iscrowd": 1}, {"bbox": [5, 6, 7, 8]}]
    found = read("hf-folder", folder([{"file_name": "a.jpg", "objects": objects}]))
    assert [(r.get("label"), r["x"], r.get("extra")) for r in found.annotations] == [
        ("cat", 1, '{"hf":{"iscrowd":1}}'), (None, 5, None)
    ]  # fmt: skip


def test_text_that_is_no_utf8():
    """A parquet file whose text is damaged is an error that names it."""
    data = parquet([{"image": {"bytes": b"x", "path": "a.jpg"}, "text": "größe"}], text=pa.string())
    assert data.count("größe".encode()) >= 1
    with pytest.raises(BrokenFileError, match=r"train\.parquet"):
        read(
            "hf-parquet", {"train.parquet": data.replace("größe".encode(), b"gr\xff\xff\xff\xffe")}
        )
