"""Label Studio's results: every type, regions of several results, spans, masks, faults."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nbannot.formats.labelstudio.brush import decode_brush, encode_brush
from nbannot.formats.labelstudio.spans import locate
from nbannot.geometry import rle_to_mask

from .labelstudio_files import (
    BOX,
    HEIGHT,
    PIXELS,
    WIDTH,
    box,
    every_kind,
    mask,
    png_address,
    read_tasks,
    result,
    task,
)


def one(*results, **more):
    """Return the one row that becomes of some results."""
    found = read_tasks(task(*results, **more))
    (row,) = found.annotations
    return row


def reasons(*results, **more):
    """Return {reason: lines} of warnings and rejections that some results bring."""
    found = read_tasks(task(*results, **more))
    return {reason: n for outcome, reason, n in found.ledger.groups() if outcome != "note"}


# -- geometry ---------------------------------------------------------------------------------


def test_a_box_is_in_pixels_and_keeps_the_rest():
    """Percent become pixels; names, origin and rotation of the image stay in extra."""
    row = one(box(origin="manual", score=0.25))
    assert {n: row[n] for n in "xywh"} == PIXELS
    assert (row["type"], row["label"], row["score"], row["source_id"]) == ("box", "cat", 0.25, "r1")
    assert json.loads(row["extra"]) == {
        "from_name": "rectanglelabels", "image_rotation": 0, "origin": "manual",
        "to_name": "image", "type": "rectanglelabels",
    }  # fmt: skip


def test_a_turned_box_is_about_its_centre():
    """A square turned by 90 degrees about its corner lies to the left of it."""
    value = {"x": 50, "y": 50, "width": 15, "height": 20, "rotation": 90, "rectanglelabels": ["a"]}
    row = one(result("rectanglelabels", value))
    assert [round(row[n], 9) for n in "xywh"] == [224.0, 240.0, 96.0, 96.0]
    assert row["rotation"] == 90


@pytest.mark.parametrize("turn", [0, 40])
def test_a_box_drawn_backwards_covers_the_same(turn):
    """Negative sizes are turned round, about the same place, and come back when written."""
    forward = {"x": 30, "y": 40, "width": 10, "height": 5, "rotation": turn}
    good = one(result("rectangle", forward))
    angle = np.radians(turn)
    dx, dy = 10 * 6.4, 5 * 4.8
    corner = (
        30 * 6.4 + dx * np.cos(angle) - dy * np.sin(angle),
        40 * 4.8 + dx * np.sin(angle) + dy * np.cos(angle),
    )
    backward = {"x": corner[0] / 6.4, "y": corner[1] / 4.8, "width": -10, "height": -5}
    row = one(result("rectangle", {**backward, "rotation": turn}))
    assert [row[n] for n in "xywh"] == pytest.approx([good[n] for n in "xywh"], abs=1e-9)
    assert json.loads(row["extra"])["value"]["width"] == -10


def test_ellipse_polygon_points_and_vector():
    """An ellipse is its bounding box, a key point one point, an open polygon or path a polyline."""
    value = {"x": 50, "y": 50, "radiusX": 10, "radiusY": 5, "rotation": 30, "ellipselabels": ["e"]}
    row = one(result("ellipselabels", value))
    assert [row[n] for n in "xywh"] == [256, 216, 128, 48]
    assert (row["type"], row["rotation"]) == ("ellipse", 30)
    points = [[10, 10], [20, 10], [20, 50]]
    row = one(result("polygonlabels", {"points": points, "closed": True, "polygonlabels": ["p"]}))
    assert row["points"] == [64, 48, 128, 48, 128, 240]
    assert [row[n] for n in "xywh"] == [64, 48, 64, 192]
    row = one(result("polygonlabels", {"points": points, "closed": False, "polygonlabels": ["p"]}))
    assert (row["type"], "x" in row) == ("polyline", False)
    row = one(result("keypointlabels", {"x": 10, "y": 10, "width": 0.5, "keypointlabels": ["k"]}))
    assert (row["type"], row["points"]) == ("points", [64, 48])
    vertices = [{"x": x, "y": y, "id": f"v{x}", "isBezier": False} for x, y in points]
    for closed, kind in ((True, "polygon"), (False, "polyline")):
        row = one(result("vectorlabels", {"vertices": vertices, "closed": closed}))
        assert (row["type"], row["points"]) == (kind, [64, 48, 128, 48, 128, 240])


def test_masks_are_where_alpha_is():
    """Brush strokes and bit masks are masks of the image's size, and bounded by a box."""
    code = {"format": "rle", "rle": encode_brush(mask())}
    for value, kind in (
        ({**code, "brushlabels": ["a"]}, "brushlabels"),
        (code, "magicwand"),
        ({"imageDataURL": png_address(), "bitmasklabels": ["a"]}, "bitmasklabels"),
    ):
        row = one(result(kind, value))
        assert (row["type"], row["mask_height"], row["mask_width"]) == ("mask", HEIGHT, WIDTH)
        assert (rle_to_mask(row["mask"], HEIGHT, WIDTH) == mask()).all()
        assert [row[n] for n in "xywh"] == [20, 10, 70, 40]


def test_a_brush_of_another_size_is_rejected():
    """A code that is cut, or of an image of another size, is named, and nothing is painted."""
    code = encode_brush(mask())
    for rle, text in (
        (code[:-20], "it ends after"),
        (encode_brush(mask()[1:]), "but the image has"),
    ):
        found = read_tasks(task(result("brushlabels", {"format": "rle", "rle": rle})))
        assert found.annotations == []
        (line,) = found.ledger.lines("rejected", "brush mask can't be decoded")
        assert text in line["message"]
    assert reasons(result("brushlabels", {"format": "rle", "rle": "?"})) == {
        "brush mask can't be decoded": 1
    }


def test_brush_code_is_read_and_written_exactly():
    """Masks of any shape come back; runs, literals and soft edges are read."""
    chance = np.random.default_rng(7)
    for height, width, share in ((1, 1, 1), (3, 5, 0.5), (40, 70, 0.02), (300, 500, 0.9)):
        some = (chance.random((height, width)) < share).astype(np.uint8)
        back, soft = decode_brush(encode_brush(some), height, width)
        assert (back == some).all()
        assert not soft
    # One literal packet: the RGBA bytes of two pixels, the first half transparent.
    bits = f"{8:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}" + "0" + "00" + f"{7:03b}"
    bits += "".join(f"{v:08b}" for v in (1, 2, 3, 128, 9, 9, 9, 0))
    code = np.packbits([int(b) for b in bits]).tolist()
    back, soft = decode_brush(code, 1, 2)
    assert back.tolist() == [[1, 0]]
    assert soft


def test_a_long_run_is_cut():
    """More than 65,536 equal values are several packets, as one can't say more."""
    large = np.zeros((300, 400), np.uint8)
    assert (decode_brush(encode_brush(large), 300, 400)[0] == large).all()


# -- regions of several results ---------------------------------------------------------------


def test_results_of_one_region_are_one_row():
    """Shape, labels, choice, text and rating of one id are one row with attributes."""
    parts = [
        result("choices", {**BOX, "choices": ["big"]}, "a", name="size"),
        result("labels", {**BOX, "labels": ["Planet"]}, "a", name="tag"),
        result("textarea", {**BOX, "text": ["one", "two"]}, "a", name="note"),
        result("rectangle", BOX, "a", name="rect"),
        result("rating", {**BOX, "rating": 4}, "a", name="stars"),
    ]
    found = read_tasks(task(*parts))
    (row,) = found.annotations
    assert (row["type"], row["label"]) == ("box", "Planet")
    assert json.loads(row["attributes"]) == {"size": "big", "note": ["one", "two"], "stars": 4}
    assert found.balance.read == found.balance.imported == 6


def test_two_regions_of_one_id_stay_two():
    """Two boxes that bear one id are two rows, and it is said."""
    other = box()
    other["value"] = {**other["value"], "x": 1}
    found = read_tasks(task(box(), other))
    assert len(found.annotations) == 2
    assert reasons(box(), other) == {"two regions have one id": 1}


def test_several_labels_are_the_first_and_all():
    """A region with two labels is one row; both are in its attributes, with a warning."""
    value = {**BOX, "rectanglelabels": ["Car", "Red"]}
    row = one(result("rectanglelabels", value))
    assert (row["label"], json.loads(row["attributes"])) == ("Car", {"labels": ["Car", "Red"]})
    assert reasons(result("rectanglelabels", value)) == {"region has several labels": 1}


def test_regions_of_a_parent_are_a_group(samples):
    """Key points that name a box as their parent are in its group; relations name both ends."""
    data = json.loads(
        (samples / "label_studio/sdk-test_export_yolo/data_keypoints.json").read_text()
    )
    rows = read_tasks(*data).annotations
    grouped = [r["label"] for r in rows if r.get("group") == 1]
    assert sorted(grouped) == ["left_eye", "nose", "person", "right_eye"]
    relations = [json.loads(r["attributes"]) for r in rows if r["type"] == "relation"]
    assert len(relations) == 5
    ids = {r.get("source_id") for r in rows}
    assert {a["from"] for a in relations} | {a["to"] for a in relations} <= ids


# -- what is chosen, written, rated -----------------------------------------------------------


def test_each_choice_is_a_row():
    """Two choices are two rows of one record; a tree's choice keeps its path."""
    found = read_tasks(
        task(
            result("choices", {"choices": ["cat", "dog"]}, "c", sized=False),
            result("taxonomy", {"taxonomy": [["A", "B/x"]]}, "t", sized=False),
            result("choices", {"choices": "one"}, "s", sized=False),
            result("choices", {"choices": []}, "e", sized=False),
        )
    )
    assert [(r["type"], r.get("label")) for r in found.annotations] == [
        ("choice", "cat"), ("choice", "dog"), ("taxonomy", "A/B/x"), ("choice", "one"),
        ("choice", None),
    ]  # fmt: skip
    assert json.loads(found.annotations[2]["attributes"]) == {"path": ["A", "B/x"]}
    assert found.balance.read == found.balance.imported == 5


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("rating", {"rating": 3}, ("rating", "number", 3.0)),
        ("number", {"number": -2.5}, ("number", "number", -2.5)),
        ("datetime", {"datetime": "2024-01-01"}, ("datetime", "text", "2024-01-01")),
        ("pairwise", {"selected": "left"}, ("pairwise", "text", "left")),
        ("textarea", {"text": "words"}, ("text", "text", "words")),
        ("ranker", {"ranker": {"b": ["1"]}}, ("ranking", "attributes", '{"ranking":{"b":["1"]}}')),
        ("chatmessage", {"chatmessage": {"role": "user", "content": "hi"}}, ("text", "text", "hi")),
        ("reactcode", {"reactcode": {"a": 1}}, ("text", "text", '{"a":1}')),
    ],
)
def test_a_value_is_in_its_column(kind, value, wanted):
    """Ratings and numbers are numbers, dates and messages text, a ranking an attribute."""
    row = one(result(kind, value, sized=False))
    assert (row["type"], wanted[1], row[wanted[1]]) == wanted


# -- spans ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "start", "end", "quoted", "wanted"),
    [
        ("plain text", 6, 10, "text", (6, 10)),
        ("Hi 😀 there", 6, 11, "there", (5, 10)),  # as a browser counts
        ("Hi 😀 there", 5, 10, "there", (5, 10)),  # as a script counts
        ("a\r\nb\r\ncat", 4, 7, "cat", (6, 9)),  # a line break counted once
        ("😀\r\n😀 cat", 6, 9, "cat", (5, 8)),
        ("one\r\ntwo", 0, 8, "one\\ntwo", (0, 8)),
    ],
)
def test_a_span_reads_as_it_quotes(text, start, end, quoted, wanted):
    """Whatever unit the offsets count in, the text at the row's offsets is the text quoted."""
    assert locate(text, start, end, quoted) == (*wanted, "")
    span = {"start": start, "end": end, "text": quoted, "labels": ["w"]}
    row = one(result("labels", span, to="text", sized=False), data={"text": text})
    assert (row["type"], row["start"], row["end"]) == ("text_span", *wanted)


def test_a_span_that_quotes_something_else_is_said():
    """Where the text at the offsets is another, the row is kept with a warning."""
    span = {"start": 0, "end": 3, "text": "dog", "labels": ["w"]}
    given = result("labels", span, to="text", sized=False)
    assert reasons(given, data={"text": "cat and dog"}) == {"span is suspect": 1}


def test_spans_of_sound_and_series_are_of_time():
    """Labels on audio are seconds, labels on a series in the units of its axis."""
    tasks = every_kind()
    rows = {r["key"]: r for r in read_tasks(*tasks).annotations}
    sound, series = rows["a.wav"], rows["task-6"]
    assert (sound["type"], sound["start"], sound["end"]) == ("time_span", 1.5, 3.25)
    assert (series["type"], series["start"], series["end"]) == ("time_span", 100, 200)
    assert json.loads(sound["extra"])["value"] == {"channel": 0}


def test_a_track_is_a_row_per_keyframe():
    """A rectangle in a video is its keyframes, counted from 0, with one name."""
    rows = [r for r in read_tasks(*every_kind()).annotations if r.get("track")]
    assert [(r["track"], r["frame"], r["keyframe"]) for r in rows] == [
        ("vr", 0, True),
        ("vr", 29, True),
    ]
    assert [rows[0][n] for n in "xywh"] == pytest.approx([6.4, 9.6, 19.2, 19.2])


def test_a_track_without_a_size_stays_as_written():
    """Where a video's size is not known, its boxes are kept in extra, with a warning."""
    track = {"sequence": [{"frame": 3, "x": 1, "y": 2, "width": 3, "height": 4}], "labels": ["m"]}
    given = result("videorectangle", track, to="video", sized=False)
    row = one(given, data={"video": "v.mp4"})
    assert (row["type"], row["frame"], row["label"]) == ("time_span", 2, "m")
    assert json.loads(row["extra"])["value"]["sequence"] == track["sequence"]
    assert reasons(given, data={"video": "v.mp4"}) == {"video region is kept as written": 1}


# -- faults -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (result("cube", {"x": 1}), "unknown result type 'cube'"),
        (7, "result is not an object"),
        (result("rectanglelabels", None), "result has no value"),
        (result("rectanglelabels", {"rectanglelabels": ["a"]}), "result has no geometry"),
        (result("rectangle", {**BOX, "x": None}), "not a number"),
        (result("rectangle", {**BOX, "x": float("nan")}), "not a number"),
        (result("polygon", {"points": []}), "polygon has no points"),
        (result("polygon", {"points": [[1, 2], [3]]}), "points are not pairs"),
        (result("vector", {"vertices": [1]}), "vertices are not objects"),
        (result("rating", {"rating": "x"}, sized=False), "not a number"),
        (result("choices", {"choices": 7}, sized=False), "choices holds no list"),
        (result("taxonomy", {"taxonomy": [1]}, sized=False), "taxonomy holds no paths"),
        (result("bitmask", {"imageDataURL": "data:text/html,x"}), "bit mask can't be decoded"),
        ({"type": "relation", "from_id": "a"}, "relation has no ends"),
    ],
)
def test_a_broken_result_is_rejected_and_the_others_stay(broken, reason):
    """Each fault is named by its reason, record and place; the box beside it is read."""
    found = read_tasks(task(broken, box(region="good")))
    assert [r["source_id"] for r in found.annotations] == ["good"]
    (line,) = found.ledger.lines("rejected", reason)
    assert line["record"].startswith("task 1, annotation 101, result 1")
    assert line["where"] == "$[0].annotations[0].result[0]"
    assert (found.balance.read, found.balance.rejected) == (3, 1)


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (result("rectangle", {**BOX, "x": "10.5"}), "number is written as text"),
        (result("rectangle", {**BOX, "width": 0}), "box has no area"),
        (result("polygon", {"points": [[1, 2], [3, 4]]}), "polygon has less than 3 points"),
        (result("rectangle", BOX, image_rotation=90), "image was turned while labelling"),
        (result("vector", {"vertices": [{"x": 1, "y": 2, "isBezier": True}]}),
         "curve is kept as straight lines"),
    ],
)  # fmt: skip
def test_an_odd_result_is_kept_with_a_warning(odd, reason):
    """What is suspect but readable is a row, and a warning says what is odd."""
    assert reasons(odd) == {reason: 1}


def test_a_region_on_the_second_image_is_said():
    """A region whose image has another size than the task's first is kept, with a warning."""
    second = {**box(region="b"), "original_width": 100, "original_height": 50}
    found = read_tasks(task(box(), second))
    assert found.annotations[1]["x"] == 10.5
    assert next(g[1] for g in found.ledger.groups()) == "region is on another image of its task"


def test_every_kind_is_accounted_for():
    """A file with every type of result balances, and nothing in it is rejected."""
    found = read_tasks(*every_kind())
    assert found.balance.rejected == 0
    assert {r["type"] for r in found.annotations} >= {
        "box", "ellipse", "polygon", "polyline", "points", "mask", "relation", "choice", "taxonomy",
        "rating", "number", "datetime", "text", "pairwise", "ranking", "text_span", "time_span",
    }  # fmt: skip
