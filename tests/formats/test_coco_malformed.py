"""COCO as it is found: every record that is not as it should be is named, and none is lost."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbannot.errors import BrokenFileError, NbannotError, UnsafeSourceError
from nbannot.formats import get_format
from nbannot.formats.examples import read_back
from nbannot.sources import open_source

from .coco_files import SQUARE, annotation, document, lines, read, read_document, typed

# -- containers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps(document())[:200], "byte offset 200"),
        (json.dumps(document()) * 2, "extra data"),
        ('{"images": [,]}', "not valid JSON"),
        ("[" * 100_000 + "]" * 100_000, "annotations/instances_train.json"),
        ('{"images": [], "annotations": [{"a": ' + "[" * 100_000 + "]" * 100_000 + "}]}", "nested"),
        ('{"images": 5, "annotations": []}', "'images' is neither a list nor an object"),
        ('{"images": [], "annotations": [1], "annotations": []}', "more than once"),
        ("", "ends in the middle"),
        ("[]", "not an object"),
    ],
)
def test_a_broken_container_is_an_error(content, message):
    """It says what is wrong, and where."""
    with pytest.raises(BrokenFileError, match=message):
        list(_forced(content))


def _forced(content):
    # Read a file that detection would not even offer.
    yield read_forced({"annotations/instances_train.json": content})


def read_forced(files):
    """Read the one file that is asked for, whatever its head looks like."""
    source = open_source({p: c.encode() for p, c in files.items()})
    source.main = next(iter(files))
    return read_back(get_format("coco"), source)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_any_unicode_encoding_is_read(encoding):
    """With a byte order mark or without."""
    content = json.dumps(document(annotation()), ensure_ascii=False).encode(encoding)
    assert len(read_document(content).annotations) == 1


def test_json_lines_are_read():
    """One image, annotation or category per line; a line that is none of them is rejected."""
    whole = document(annotation(), annotation(2, image_id=2))
    rows = [*whole["images"], *whole["annotations"], *whole["categories"], {"what": 1}]
    found = read({"train.jsonl": "\n".join([*map(json.dumps, rows), "{not json"])})
    assert (len(found.items), typed(found)) == (2, ["box", "box"])
    assert [record for record, _ in lines(found, "rejected")] == ["line 7", "line 8"]


def test_records_keyed_by_id_are_read():
    """`annotations` and `images` as objects are read by their values, with the key as id."""
    whole = document(annotation())
    keyed = {
        "images": {
            str(i["id"]): {k: v for k, v in i.items() if k != "id"} for i in whole["images"]
        },
        "annotations": {"17": {k: v for k, v in whole["annotations"][0].items() if k != "id"}},
        "categories": whole["categories"],
    }
    found = read_document(keyed)
    assert [row["source_id"] for row in found.items] == ["1", "2"]
    assert [(row["source_id"], row["key"]) for row in found.annotations] == [("17", "a.png")]


@pytest.mark.parametrize("missing", ["annotations", "categories"])
def test_a_missing_list_is_an_empty_one(missing):
    """Images alone are items; a file without categories has annotations without labels."""
    found = read_document(document(annotation(category_id=...), **{missing: None}))
    assert len(found.items) == 2
    assert len(found.annotations) == (0 if missing == "annotations" else 1)


def test_annotations_without_images_are_rejected():
    """A file without images has nothing that its annotations could be on."""
    found = read_document(document(annotation(), images=None))
    assert lines(found, "rejected") == [
        ("annotation id 1", "the annotation is on an unknown image")
    ]


def test_nan_is_named():
    """NaN is no JSON: the file is read all the same, and what can't be meant is rejected."""
    content = (
        '{"images":[{"id":1,"file_name":"a NaN.png","width":64,"height":48}],'
        '"categories":[{"id":1,"name":"cat"}],"annotations":['
        '{"id":1,"image_id":1,"category_id":1,"bbox":[1,2,3,4],"score":NaN},'
        '{"id":2,"image_id":1,"category_id":1,"bbox":[NaN,0,Infinity,5]},'
        '{"id":3,"image_id":1,"category_id":1,"bbox":[1,2,3,4],"depth":-Infinity}]}'
    )
    found = read_document(content)
    assert [row["source_id"] for row in found.annotations] == ["1", "3"]
    assert [record for record, _ in lines(found, "rejected")] == ["annotation id 2"]
    assert [record for record, _ in lines(found, "warning")] == ["annotation id 1"]
    assert json.loads(found.annotations[1]["extra"]) == {"depth": "-Infinity"}
    assert found.items[0]["key"] == "a NaN.png"


def test_half_a_surrogate_pair_is_named():
    """It is no text, and is read as the replacement character; whole pairs stay."""
    images = [{"id": 1, "file_name": "a\ud83d.png"}, {"id": 2, "file_name": "b\U0001f600\\\\u.png"}]
    found = read_document(json.dumps(document(images=images)))
    assert [row["key"] for row in found.items] == ["a\ufffd.png", "b\U0001f600/u.png"]
    (note,) = found.ledger.lines("note", "half a surrogate pair, which is no Unicode text")
    assert note["where"].startswith("byte offset")


def test_bytes_that_are_not_utf8_are_named():
    """A file in another encoding is read with replacement characters, and a note says so."""
    content = json.dumps(document(annotation())).encode().replace(b"b.png", b"gr\xf6\xdfe.png")
    found = read_document(content)
    assert found.items[1]["key"] == "gr\ufffd\ufffde.png"
    assert ("", "the file is not UTF-8") in lines(found, "note")


def test_numbers_of_any_length_are_read():
    """Thousands of digits are an id as text, or no coordinate; they stop nothing."""
    long = "9" * 5000
    whole = document(
        annotation(1, bbox=["LONG", 2, 3, 4]), annotation("LONG"), annotation(3, image_id="LONG"),
        annotation(4, area="LONG"), annotation(5, attributes={"n": "LONG"}), annotation(6),
        images=[*document()["images"], {"id": "LONG", "file_name": "c.png", "width": "LONG"}],
        categories=[{"id": 1, "name": "cat"}, {"id": "LONG", "name": "long"}],
    )  # fmt: skip
    found = read_document(json.dumps(whole).replace('"LONG"', long))
    assert found.labels["long"].source_id == long
    assert [row["key"] for row in found.annotations] == ["a.png", "c.png", *["a.png"] * 3]
    assert [record for record, _ in lines(found, "rejected")] == ["annotation id 1"]


def test_repeated_keys_are_named():
    """Of two equal keys JSON keeps the last: the record says so."""
    twice = json.dumps(annotation(7)).replace('"iscrowd"', '"bbox": [5, 6, 7, 8], "iscrowd"')
    whole = json.dumps(document("HERE", annotation(8), info={"a": 1})).replace('"HERE"', twice)
    found = read_document(whole.replace('"info"', '"info": 3, "info"'))
    assert lines(found, "warning") == [("annotation id 7", "a key comes more than once")]
    assert found.annotations[0]["x"] == 5
    assert ("", "a key comes more than once") in lines(found, "note")


# -- images -----------------------------------------------------------------------------------


def test_one_file_name_twice_is_two_items():
    """Two ids with one file name are two items, and the warning names both ids."""
    images = [{"id": 1, "file_name": "d/a.png"}, {"id": 3, "file_name": "d/a.png"}]
    found = read_document(document(annotation(1), annotation(2, image_id=3), images=images))
    assert [row["key"] for row in found.items] == ["d/a.png", "d/a (2).png"]
    assert [row["key"] for row in found.annotations] == ["d/a.png", "d/a (2).png"]
    text = found.ledger.lines("warning", "two images have one file name")[0]["message"]
    assert "1 and 3" in text


def test_a_repeated_image_is_one_item():
    """The same image once more adds nothing, and is accounted for."""
    images = document()["images"]
    found = read_document(document(annotation(), images=[*images, images[0]]))
    assert len(found.items) == 2
    assert found.balance.imported == found.balance.read == 4


def test_one_image_id_twice_is_two_items():
    """Two images with one id are kept; the first one gets the annotations."""
    images = [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}]
    found = read_document(document(annotation(), images=images))
    assert [row["key"] for row in found.items] == ["a.png", "b.png"]
    assert found.annotations[0]["key"] == "a.png"
    assert lines(found, "warning") == [("image id 1 (images[1])", "an image id comes twice")]


@pytest.mark.parametrize(
    ("image", "outcome", "reason"),
    [
        ({"id": 1, "file_name": "a.png", "width": 0, "height": 5}, "warning", "size is no size"),
        ({"id": 1, "file_name": "a.png", "width": "wide"}, "warning", "size is no size"),
        ({"id": 1}, "warning", "no file name"),
        ({"id": 1, "file_name": ""}, "warning", "no file name"),
        ({"id": 1, "file_name": 5}, "warning", "no file name"),
        ({"file_name": "a.png"}, "warning", "no id"),
        ({"id": True, "file_name": "a.png"}, "warning", "no id"),
        ("a.png", "rejected", "not an object"),
        (None, "rejected", "not an object"),
    ],
)
def test_an_odd_image_is_named(image, outcome, reason):
    """It is kept where it can be, with a warning."""
    found = read_document(document(images=[image, {"id": 2, "file_name": "b.png"}]))
    (line,) = lines(found, outcome)
    assert reason in line[1]
    assert len(found.items) == (2 if outcome == "warning" else 1)


def test_a_name_that_leaves_the_dataset_stops_everything():
    """Nothing is read from a file that points outside."""
    image = {"id": 8, "file_name": "../../../../etc/passwd"}
    with pytest.raises(UnsafeSourceError, match=r"\.\./\.\./\.\./\.\./etc/passwd"):
        read_document(document(images=[image]))


def test_some_missing_images_are_named_and_all_missing_are_one_note():
    """A missing file is a warning each; where there is none at all, one line says so."""
    some = read({"annotations/instances_train.json": document(), "images/a.png": b"x"})
    none = read({"annotations/instances_train.json": document()})
    assert lines(some, "warning") == [("image id 2", "the image file is missing")]
    assert lines(none, "warning") == []
    assert lines(none, "note") == [("", "no image file is in the source")]


def test_an_ambiguous_name_is_not_guessed():
    """Two files that fit equally are a warning, and neither is taken."""
    content = document(images=[{"id": 1, "file_name": "a.png"}])
    found = read({"x.json": content, "one/a.png": b"1", "two/a.png": b"2"})
    assert "media" not in found.items[0]
    assert ("image id 1", "several files fit the image's name") in lines(found, "warning")


# -- annotations ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bbox": [1, 2, 3]}, "no usable geometry"),
        ({"bbox": None}, "no usable geometry"),
        ({"bbox": []}, "no usable geometry"),
        ({"bbox": ...}, "no usable geometry"),
        ({"bbox": {"x": 1}}, "no usable geometry"),
        ({"bbox": [1, 2, None, 4]}, "no usable geometry"),
        ({"bbox": [1, 2, True, 4]}, "no usable geometry"),
        ({"bbox": ["a", 2, 3, 4]}, "no usable geometry"),
        ({"category_id": 7}, "the category is not declared"),
        ({"category_id": [1]}, "the category is no id"),
        ({"image_id": 99}, "the annotation is on an unknown image"),
        ({"image_id": ...}, "the annotation is on no image"),
        ({"image_id": None}, "the annotation is on no image"),
        ({"segmentation": {"size": [10, 10], "counts": [0, 100]}}, "the mask does not fit"),
        ({"segmentation": {"size": [48, 64], "counts": [5, 5]}}, "the mask does not fit"),
        ({"segmentation": {"size": [64, 48], "counts": [100, 50, 2922]}}, "the mask does not fit"),
        (
            {"segmentation": {"size": [48, 64], "counts": "~~~~\x7f\x00oo0"}},
            "the mask does not fit",
        ),
        ({"segmentation": {"size": [48, 64], "counts": [-5, 3077]}}, "the mask does not fit"),
        ({"segmentation": {"size": [10**9, 10**9], "counts": [10**18]}}, "the mask does not fit"),
        ({"segmentation": {"counts": [1]}}, "the mask does not fit"),
    ],
)
def test_what_is_not_understood_is_rejected(changes, reason):
    """By name, with a reason, and the other records are imported."""
    found = read_document(document(annotation(3), annotation(4, **changes), annotation(5)))
    assert [row["source_id"] for row in found.annotations] == ["3", "5"]
    assert lines(found, "rejected") == [("annotation id 4", reason)]
    assert lines(found, "warning") == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"bbox": ["1", "2", "10", "12"]}, "box"),
        ({"bbox": [60, 40, 30, 30]}, "box"),
        ({"bbox": [-1, 2, 3, 4]}, "box"),
        ({"bbox": [1e308, 1e308, 1e308, 1e308]}, "box"),
        ({"bbox": [1, 2, 0, 5]}, "box"),
        ({"bbox": [10, 20, -4, -5]}, "box"),
        ({"bbox": [1, 2, 3], "segmentation": SQUARE}, "polygon"),
        ({"segmentation": SQUARE[0]}, "polygon"),
        ({"segmentation": [[[1, 2], [11, 2], [11, 14]]]}, "polygon"),
        ({"segmentation": [["1", "2", "11", "2", "11", "14"]]}, "polygon"),
        ({"segmentation": [*SQUARE, [1, 2, 3, 4]]}, "polygon"),
        ({"segmentation": [*SQUARE, [1, 2, 3, 4, 5, 6, 7]]}, "polygon"),
        ({"segmentation": [[1, 2, 3, 4]]}, "box"),
        ({"segmentation": [[1, 2, 3, 4, 5]]}, "box"),
        ({"segmentation": "polygon"}, "box"),
        ({"segmentation": 5}, "box"),
        ({"segmentation": [{"size": [48, 64], "counts": [0, 3072]}]}, "mask"),
        ({"keypoints": [1, 2]}, "box"),
        ({"keypoints": [[1, 2, 2], [3, 4, 1]]}, "skeleton"),
        ({"keypoints": [1, 2, 0.9]}, "skeleton"),
        ({"score": "0.5"}, "box"),
        ({"score": [1]}, "box"),
        ({"iscrowd": "yes"}, "box"),
        ({"caption": 5}, "box"),
    ],
)
def test_what_can_be_understood_is_imported_with_a_warning(changes, kind):
    """The record is named, and its neighbours are not."""
    found = read_document(document(annotation(3), annotation(4, **changes), annotation(5)))
    assert typed(found) == ["box", kind, "box"]
    assert {record for record, _ in lines(found, "warning")} == {"annotation id 4"}


@pytest.mark.parametrize(
    "changes",
    [
        {"segmentation": None},
        {"segmentation": []},
        {"segmentation": [[]]},
        {"segmentation": ""},
        {"keypoints": None},
        {"keypoints": []},
        {"attributes": None},
        {"attributes": []},
        {"attributes": {}},
        {"iscrowd": False},
        {"iscrowd": None},
        {"score": None},
        {"area": None},
        {"area": "12"},
        {"category_id": 1.0, "image_id": "1"},
        {"track_id": "t1"},
        {"id": "one"},
        {"unknown": {"deep": [1, None]}},
    ],
)
def test_what_means_nothing_else_is_no_warning(changes):
    """Empty, null and whole-number forms that tools write are read as they are meant."""
    found = read_document(document(annotation(3), annotation(**{"number": 4, **changes})))
    assert typed(found) == ["box", "box"]
    assert lines(found, "warning") == lines(found, "rejected") == []


def test_values_out_of_shape_keep_their_neighbours_apart():
    """Ids 2 and 2: both are kept; the second is named once, whatever else is wrong with it."""
    found = read_document(document(annotation(2), annotation(2, bbox=[60, 40, 30, 30])))
    assert len(found.annotations) == 2
    assert {record for record, _ in lines(found, "warning")} == {"annotation id 2"}
    assert found.balance.warned == 1


def test_rejected_records_with_one_id_are_counted_each():
    """The account adds up where several rejected records share an id, or have none."""
    bad = annotation(2, bbox=[1])
    found = read_document(document(bad, bad, annotation(bbox=[1], number=None), "text", None))
    assert found.balance.rejected == 5
    assert found.balance.imported == 2  # the images


def test_each_line_is_written_once():
    """A record that is looked at again does not repeat the lines of its neighbours."""
    bad_mask = annotation(2, segmentation={"size": [9, 9], "counts": [81]})
    outside = annotation(3, bbox=[60, 40, 30, 30])
    for odd in ({"attributes": 5}, {"bbox": ["1", 2, 3, 4]}, {"caption": [1]}):
        found = read_document(document(annotation(1, **odd), bad_mask, outside))
        records = [record for record, _ in lines(found, "warning") + lines(found, "rejected")]
        assert sorted(set(records) - {"annotation id 1"}) == ["annotation id 2", "annotation id 3"]
        assert len(records) == len(set(records))


def test_original_values_are_kept_in_extra():
    """What was not usable is not thrown away."""
    found = read_document(document(annotation(segmentation="polygon", score="high")))
    extra = json.loads(found.annotations[0]["extra"])
    assert (extra["segmentation"], extra["score"]) == ("polygon", "high")


def test_corners_for_boxes_are_noticed_and_can_be_read():
    """Boxes that are x1, y1, x2, y2 leave their images: a note says how to read them."""
    corners = [annotation(n, bbox=[30 + n, 20, 60, 40]) for n in range(1, 9)]
    found = read_document(document(*corners))
    assert ("", "boxes look like corners") in lines(found, "note")
    right = read_document(document(*corners), boxes="xyxy")
    assert [right.annotations[0][n] for n in "xywh"] == [31, 20, 29, 20]
    assert lines(right, "warning") == []


def test_labels_that_look_alike_are_kept_apart():
    """Case, blanks and Unicode forms make different labels; a note names them."""
    names = ["cat", "Cat", "cat ", "caf\u00e9", "cafe\u0301", "", "L" * 10_000, "two\nlines"]
    categories = [{"id": n, "name": name} for n, name in enumerate(names, 1)]
    given = [annotation(n, category_id=n) for n in range(1, 9)]
    found = read_document(document(*given, categories=categories))
    assert len({row["label"] for row in found.annotations}) == 8
    assert len([1 for _, reason in lines(found, "note") if reason == "labels look alike"]) == 2


@pytest.mark.parametrize("indent", [None, 1, "\t"])
@pytest.mark.parametrize("key_order", ["images first", "annotations first"])
def test_the_writing_of_json_does_not_matter(indent, key_order):
    """Blanks, line breaks and the order of keys change nothing."""
    mask = {"size": [48, 64], "counts": [194, 2, 46, 2, 46, 2, 2780]}
    whole = document(
        annotation(1, segmentation=[*SQUARE, [1.5, 2, 3, 4, 5, 6]]),
        annotation(2, segmentation=mask, iscrowd=1),
        annotation(3, segmentation=[], attributes={"a": [1, 2]}),
        annotation(4, keypoints=[1, 2, 2, 3, 4, 1], num_keypoints=2),
        annotation(5, segmentation=SQUARE, note="x"),
    )
    if key_order == "annotations first":
        whole = dict(reversed(whole.items()))
    compact = read_document(json.dumps(whole, separators=(",", ":")))
    found = read_document(json.dumps(whole, indent=indent))
    assert _without_blanks(found.annotations) == _without_blanks(compact.annotations)
    assert typed(found) == ["polygon", "mask", "box", "skeleton", "polygon"]


def _without_blanks(rows):
    return [
        {k: json.loads(v) if k in ("extra", "attributes") else v for k, v in row.items()}
        for row in rows
    ]


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip
KEYS = (
    "id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd", "keypoints",
    "num_keypoints", "attributes", "score", "caption", "track_id", "other",
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KEYS), ODD), max_size=4), st.lists(ODD, max_size=1))
def test_no_value_whatever_breaks_the_account(changes, extra):
    """Any JSON value at any key: the record is imported, warned or rejected, and the rest is."""
    odd = [annotation(3 + n, **{key: value}) for n, (key, value) in enumerate(changes)]
    content = json.dumps(document(annotation(1), *odd, *extra, annotation(2, segmentation=SQUARE)))
    found = read_document(content)
    assert found.balance.read == 4 + len(odd) + len(extra)
    kept = [row.get("source_id") for row in found.annotations]
    assert {"1", "2"} <= set(kept)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["id", "file_name", "width", "height", "x"]), ODD)))
def test_no_image_whatever_breaks_the_account(changes):
    """Any JSON value at any key of an image."""
    images = [{"id": 1, "file_name": "a.png"}]
    images += [{"id": 2 + n, "file_name": f"{n}.png", k: v} for n, (k, v) in enumerate(changes)]
    try:
        found = read_document(json.dumps(document(annotation(), images=images)))
    except UnsafeSourceError:
        return
    assert found.balance.read == 1 + len(images)
    assert len({row["key"] for row in found.items}) == len(found.items)


def test_cut_and_garbled_files_end_in_an_error_or_an_account():
    """A file damaged anywhere is an NbannotError, or a read that adds up."""
    whole = json.dumps(document(annotation(1, segmentation=SQUARE), annotation(2))).encode()
    chance = random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        source = open_source({"a.json": bytes(data)})
        source.main = "a.json"
        try:
            read_back(get_format("coco"), source)
        except NbannotError:
            continue


# -- the hostile set --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(shared, tmp_path_factory):
    """Return the folder of hostile files, made once."""
    folder = tmp_path_factory.mktemp("hostile")
    make = shared / "hostile" / "make_hostile.py"
    subprocess.run(
        [sys.executable, str(make), "--out", str(folder)], check=True, capture_output=True
    )
    return folder


def test_hostile_files_end_as_they_must(hostile):
    """Each COCO file of the hostile set is a clear error, or is read with the record named."""
    cases = json.loads((hostile / "MANIFEST.json").read_text())
    cases += json.loads((hostile / "CONTROLS.json").read_text())
    broken = ("json_nan_infinity.json", "json_truncated.json", "json_trailing_garbage.json")
    mine = [c for c in cases if c["class"] == "coco" or c["file"] in broken]
    assert len(mine) > 18
    for case in mine:
        _check(case, hostile)
    labels = next(c for c in cases if c["file"] == "labels_script_and_paths.zip")
    _check(labels, hostile)


def _check(case, folder):
    name = case["file"]
    if name == "coco_size_mismatch.zip":
        return  # what the file itself is, is for the import to say
    with open_source(folder / name) as source:
        if case["expected"] == "clear error":
            with pytest.raises(NbannotError, match=case["name"]):
                read_back(get_format("coco"), source)
            return
        found = read_back(get_format("coco"), source)
    counts = case.get("counts", {})
    told = {
        "images": len(found.items),
        "annotations": len(found.annotations),
        "warned": found.balance.warned,
        "rejected": found.balance.rejected,
    }
    assert {k: told[k] for k in counts} == counts, name
    rows = found.ledger.to_pandas()
    assert case.get("name", "") in " ".join(rows["message"]), name
    if case["expected"] == "import exactly":
        assert len(rows) == 0, name
