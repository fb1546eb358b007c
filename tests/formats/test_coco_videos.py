"""COCO's videos: CocoVID and TAO (images of videos), YouTube-VIS (one annotation per track)."""

from __future__ import annotations

import json

import pytest

from nbannot.formats import detect, get_format
from nbannot.formats.examples import written
from nbannot.formats.look import Look
from nbannot.schema import ANNOTATIONS, Batch
from nbannot.sources import open_source

from .coco_files import SQUARE, annotation, document, lines, read, read_document
from .test_coco_results import messages

RLE = {"size": [48, 64], "counts": [0, 48 * 64]}
FULL = [0, 0, 64, 48]


def frames(*annotations, **changes):
    """Return a document of the video "v", two frames long, with these annotations."""
    images = [
        {"id": 1, "file_name": "v/0.jpg", "width": 64, "height": 48, "frame_id": 0, "video_id": 5},
        {"id": 2, "file_name": "v/1.jpg", "width": 64, "height": 48, "frame_id": 1, "video_id": 5},
    ]
    videos = [{"id": 5, "name": "v"}]
    return document(*annotations, **{"images": images, "videos": videos, **changes})


def tracks(*annotations, **changes):
    """Return a YouTube-VIS document of a video of three frames."""
    video = {
        "id": 5, "width": 64, "height": 48, "length": 3, "coco_url": "",
        "file_names": ["v/0.jpg", "v/1.jpg", "v/2.jpg"], **changes,
    }  # fmt: skip
    return document(*annotations, images=None, videos=[video])


def track(**changes):
    """Return a track seen on the first and the last frame."""
    return {
        "id": 8, "video_id": 5, "category_id": 1, "iscrowd": 0, "width": 64, "height": 48,
        "segmentations": [RLE, None, SQUARE], "bboxes": [FULL, None, [1, 2, 10, 12]],
        "areas": [3072, None, 120], **changes,
    }  # fmt: skip


# -- images of videos ---------------------------------------------------------------------------


def test_annotations_of_a_video_have_track_and_frame():
    """CocoVID's instance_id, and the track_id of others; the frame is that of the image."""
    found = read_document(
        frames(annotation(instance_id=3), annotation(2, image_id=2, track_id=4), annotation(3))
    )
    assert [(r["key"], r.get("track"), r["frame"]) for r in found.annotations] == [
        ("v/0.jpg", "3", 0), ("v/1.jpg", "4", 1), ("v/0.jpg", None, 0),
    ]  # fmt: skip
    assert [item["kind"] for item in found.items] == ["image", "image"]
    assert json.loads(found.items[1]["meta"]) == {"video_id": 5, "frame_id": 1}


def test_tao_counts_its_frames_otherwise():
    """TAO has frame_index, tracks, and boxes without outline."""
    whole = frames(annotation(track_id=9, video_id=5, segmentation=[]))
    for image in whole["images"]:
        image["frame_index"] = 30 * (image.pop("frame_id") + 1)
    whole["tracks"] = [{"id": 9, "category_id": 1, "video_id": 5}]
    row = read_document(whole).annotations[0]
    assert (row["type"], row["track"], row["frame"]) == ("box", "9", 30)


def test_a_video_comes_back():
    """Written as COCO and read again: tracks, frames and what names the video."""
    found = read_document(frames(annotation(instance_id=3), annotation(2, image_id=2, track_id=4)))
    files = written(get_format("coco"), Written(found))
    again = read(dict(files))
    pick = ("key", "track", "frame", "x", "y", "w", "h", "label", "source_id")
    told = [[row.get(k) for k in pick] for row in found.annotations]
    assert [[row.get(k) for k in pick] for row in again.annotations] == told
    assert [item["meta"] for item in again.items] == [item["meta"] for item in found.items]


class Written:
    """What was read, as something to write."""

    def __init__(self, found):
        self.name, self.labels, self.subsets = "again", tuple(found.labels.values()), ("train",)
        self._found = found

    def batches(self, subset):
        """Yield one batch."""
        numbers = {item["key"]: item["item"] for item in self._found.items}
        names = ANNOTATIONS.names
        rows = [
            {k: v for k, v in {**row, "item": numbers[row["key"]]}.items() if k in names}
            for row in self._found.annotations
        ]
        items = [{k: v for k, v in i.items() if k != "media"} for i in self._found.items]
        yield Batch.of(columns(items), columns(rows), self.labels)

    def media(self, item):
        """Return no picture worth looking at."""
        return b""


def columns(rows):
    """Return rows as columns."""
    return {name: [row.get(name) for row in rows] for name in {n for row in rows for n in row}}


def test_without_videos_nothing_has_a_frame():
    """An instance_id and a frame_id alone are keys that someone made up."""
    whole = document(annotation(instance_id=3))
    whole["images"][0]["frame_id"] = 4
    row = read_document(whole).annotations[0]
    assert not {"track", "frame"} & row.keys()
    assert json.loads(row["extra"])["instance_id"] == 3


# -- one annotation per track -------------------------------------------------------------------


def test_a_track_is_a_row_on_each_frame_where_it_is_seen():
    """Null means absent; frames are items; boxes and areas are those of the file."""
    found = read_document(tracks(track()))
    assert [item["key"] for item in found.items] == ["v/0.jpg", "v/1.jpg", "v/2.jpg"]
    assert [(i["width"], i["height"], i["source_id"]) for i in found.items] == [
        (64, 48, "5:0"), (64, 48, "5:1"), (64, 48, "5:2"),
    ]  # fmt: skip
    first, last = found.annotations
    assert (first["type"], first["key"], first["frame"], first["track"]) == (
        "mask", "v/0.jpg", 0, "8",
    )  # fmt: skip
    assert (last["type"], last["key"], last["frame"], last["track"]) == (
        "polygon", "v/2.jpg", 2, "8",
    )  # fmt: skip
    assert [last[n] for n in "xywh"] == [1, 2, 10, 12]
    assert json.loads(last["extra"]) == {"area": 120}
    assert {row["label"] for row in found.annotations} == {"cat"}
    assert (found.balance.read, found.balance.imported) == (5, 5)


def test_boxes_alone_are_boxes():
    """A track may have no outlines at all."""
    found = read_document(tracks(track(segmentations=None)))
    assert [row["type"] for row in found.annotations] == ["box", "box"]


def test_what_is_told_per_frame_stays_with_its_frame():
    """OVIS tells the occlusion of each frame; other keys are those of all."""
    found = read_document(tracks(track(occlusion=["none", "much", "some"], ok=True)))
    assert [json.loads(row["extra"])["occlusion"] for row in found.annotations] == ["none", "some"]
    assert [json.loads(row["extra"])["ok"] for row in found.annotations] == [True, True]


def test_what_is_told_of_a_video_is_in_the_meta_of_its_frames():
    """Such as its date; empty keys say nothing."""
    found = read_document(tracks(date_captured="2019"))
    assert json.loads(found.items[2]["meta"]) == {
        "video_id": 5, "frame_id": 2, "video": {"date_captured": "2019"},
    }  # fmt: skip


def test_what_is_wrong_with_a_track_is_told_by_name():
    """Nothing seen, no such frame, no such video, a size that is not the video's, no list."""
    found = read_document(
        tracks(
            track(segmentations=[None] * 3, bboxes=[None] * 3),
            track(id=9, segmentations=[None] * 3 + [RLE], bboxes=None),
            track(id=10, video_id=6, segmentations=[RLE], bboxes=None),
            track(id=11, segmentations=[{"size": [4, 4], "counts": [0, 16]}], bboxes=None),
            track(id=12, segmentations=None, bboxes=None, areas=None),
        )
    )
    assert lines(found, "rejected") == [
        ("annotation id 8", "the track is on no frame"),
        ("annotations[4]", "the annotation is on no image"),
        ("annotation id 9, frame 3", "the annotation is on an unknown image"),
        ("annotation id 10, frame 0", "the annotation is on an unknown image"),
        ("annotation id 11, frame 0", "the mask does not fit"),
    ]
    table = found.ledger.to_pandas()
    assert "$.annotations[1], frame 3" in table["where"].tolist()
    assert found.balance.rejected == 5


def test_a_video_without_names_of_its_frames_is_rejected():
    """And the tracks on it with it."""
    found = read_document(tracks(track(), file_names=None))
    assert lines(found, "rejected")[0] == ("videos[0]", "the video names no frames")
    assert (found.items, found.annotations) == ([], [])


def test_frames_that_are_missing_are_named_by_their_place():
    """The place is that in the list of the video's files."""
    found = read({"instances.json": tracks(), "v/0.jpg": b"picture", "v/1.jpg": b"picture"})
    table = found.ledger.to_pandas()
    line = table[table["reason"] == "the image file is missing"].iloc[0]
    assert (line["where"], line["item"]) == ("$.videos[0].file_names[2]", "v/2.jpg")
    assert [item.get("media") for item in found.items] == ["v/0.jpg", "v/1.jpg", None]


def test_a_preview_of_tracks():
    """The first frames and what is on them."""
    found = read({"x.json": tracks(track())}, limit=1)
    assert [item["key"] for item in found.items] == ["v/0.jpg"]
    assert [row["frame"] for row in found.annotations] == [0]


@pytest.mark.parametrize("content", [tracks(track()), tracks(), frames(annotation())])
def test_videos_are_recognised(content):
    """By the tracks, or by the names of frames."""
    look = Look(open_source({"x.json": json.dumps(content).encode()}))
    assert get_format("coco").requires(look) >= 0.9
    best = detect(open_source({"x.json": json.dumps(content).encode()}))[0]
    assert best.format == "coco"


# -- results on videos --------------------------------------------------------------------------


def found_track(**changes):
    """Return what a model found on the second frame, and on no other."""
    return {"video_id": 5, "score": 0.5, "category_id": 2, "segmentations": [None, RLE], **changes}


@pytest.mark.parametrize("truth", [tracks(), frames()])
def test_results_on_videos_are_on_their_frames(truth):
    """Of both kinds of video; each result is a track, in the layer of its file."""
    found = read({"truth.json": truth, "vis.json": [found_track(), found_track(category_id=1)]})
    assert [
        (r["key"], r["frame"], r["layer"], r["track"], r["label"], r["score"], r["type"])
        for r in found.annotations
    ] == [
        ("v/1.jpg", 1, "vis", "1", "dog", 0.5, "mask"),
        ("v/1.jpg", 1, "vis", "2", "cat", 0.5, "mask"),
    ]


def test_results_on_videos_alone_are_on_frames_of_their_numbers():
    """Their items are named by the video's id and the frame's number."""
    found = read({"vis.json": [found_track(), found_track(segmentations=[None])]})
    assert [item["key"] for item in found.items] == ["5/1"]
    assert [(r["label"], r["type"]) for r in found.annotations] == [("category 2", "mask")]
    assert lines(found, "rejected") == [("result #2", "the track is on no frame")]
    look = Look(open_source({"vis.json": json.dumps([found_track()]).encode()}))
    assert get_format("coco").requires(look) == 0.9


# -- other sets of keypoints --------------------------------------------------------------------


def test_other_sets_of_keypoints_are_kept():
    """Whole-body, OCHuman and CrowdPose have keys of their own: they are in `extra` and `meta`."""
    more = {"foot_kpts": [1, 2, 2.0], "lefthand_kpts": [3, 4, 0.5], "face_valid": True}
    crowd = {"segms": {"outer": SQUARE, "inner": []}}
    whole = document(annotation(keypoints=[1, 2, 2], num_keypoints=1, **more, **crowd))
    whole["images"][0]["crowdIndex"] = 0.5
    found = read_document(whole)
    extra = json.loads(found.annotations[0]["extra"])
    assert {k: extra[k] for k in (*more, *crowd)} == {**more, **crowd}
    assert json.loads(found.items[0]["meta"]) == {"crowdIndex": 0.5}
    assert (lines(found, "rejected"), messages(found, "not read")) == ([], [])
