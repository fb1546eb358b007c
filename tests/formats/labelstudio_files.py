"""Label Studio's files, made small: tasks, results, and reading them."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
from PIL import Image

from nbannot.formats import get_format
from nbannot.formats.examples import read_back
from nbannot.formats.labelstudio.brush import encode_brush
from nbannot.sources import open_source

WIDTH, HEIGHT = 640, 480
SIZE = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
BOX = {"x": 10.5, "y": 20.25, "width": 30.1, "height": 7.7, "rotation": 0}
PIXELS = {"x": 67.2, "y": 97.2, "w": 192.64, "h": 36.96}


def result(kind, value, region="r1", *, name=None, to="image", sized=True, **more):
    """Return a result of type `kind`."""
    return {
        "id": region,
        "from_name": name or kind,
        "to_name": to,
        "type": kind,
        "value": value,
        **(SIZE if sized else {}),
        **more,
    }


def box(label="cat", region="r1", **more):
    """Return a plain box."""
    return result("rectanglelabels", {**BOX, "rectanglelabels": [label]}, region, **more)


def task(*results, task_id=1, data=None, **more):
    """Return a task with one annotation of `results`."""
    annotations = [{"id": 100 + task_id, "result": list(results)}]
    return {
        "id": task_id,
        "data": data or {"image": f"{task_id}.jpg"},
        "annotations": annotations,
        **more,
    }


def read_tasks(*tasks, files=None, **options):
    """Read tasks as Label Studio, with `files` beside them."""
    source = {"tasks.json": json.dumps(list(tasks)).encode(), **(files or {})}
    return read_files(source, **options)


def read_files(files, *, limit=None, **options):
    """Read files as Label Studio."""
    return read_back(get_format("labelstudio"), open_source(files), limit=limit, **options)


def picture(width=WIDTH, height=HEIGHT):
    """Return the bytes of an image."""
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "PNG")
    return out.getvalue()


def mask():
    """Return a mask that is not square."""
    out = np.zeros((HEIGHT, WIDTH), np.uint8)
    out[10:50, 20:90] = 1
    out[12, 30] = 0
    return out


def png_address():
    """Return `mask` as the address that a bit mask has."""
    alpha = mask() * 255
    out = io.BytesIO()
    Image.fromarray(np.dstack([alpha * 0, alpha * 0, alpha * 0, alpha]), "RGBA").save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def every_kind():
    """Return tasks with a result of every type that nbannot reads."""
    code = encode_brush(mask())
    turned = {**BOX, "rotation": 33.3}
    per_region = [
        result("rectangle", BOX, "a5", name="rect"),
        result("labels", {**BOX, "labels": ["Planet"]}, "a5", name="tag"),
        result("choices", {**BOX, "choices": ["big"]}, "a5", name="size"),
        result("textarea", {**BOX, "text": ["hello", "you"]}, "a5", name="ocr"),
        result("rating", {**BOX, "rating": 4}, "a5", name="stars"),
    ]
    vertices = [
        {"id": "v1", "x": 1.1, "y": 2.2, "prevPointId": None, "isBezier": False},
        {"id": "v2", "x": 10, "y": 20, "prevPointId": "v1", "isBezier": False},
    ]
    image = [
        box("Car", "a1", origin="manual"),
        result("rectanglelabels", {**turned, "rectanglelabels": ["Car"]}, "a2"),
        result(
            "rectanglelabels",
            {"x": 30, "y": 40, "width": -15.97, "height": -5, "rotation": 0,
             "rectanglelabels": ["Car"]},
            "a3",
        ),
        result("rectanglelabels", {**BOX, "width": -5, "rotation": 20, "rectanglelabels": ["Car"]},
               "a4"),
        *per_region,
        result("ellipselabels", {"x": 50, "y": 51, "radiusX": 11.3, "radiusY": 7.9, "rotation": 12,
                                 "ellipselabels": ["Moon"]}, "e1"),
        result("polygonlabels", {"points": [[1, 2], [30.3, 4], [20, 44.4]], "closed": True,
                                 "polygonlabels": ["Air"]}, "p1"),
        result("polygonlabels", {"points": [[1, 2], [30.3, 4]], "closed": False,
                                 "polygonlabels": ["Air"]}, "p2"),
        result("keypointlabels", {"x": 12.3, "y": 4.5, "width": 0.7, "keypointlabels": ["Nose"]},
               "k1", parentID="a1"),
        result("brushlabels", {"format": "rle", "rle": code, "brushlabels": ["Sky"]}, "b1"),
        result("bitmasklabels", {"imageDataURL": png_address(), "bitmasklabels": ["Sky"]}, "b2"),
        result("vectorlabels", {"vertices": vertices, "closed": False, "vectorlabels": ["Road"]},
               "v1"),
        result("ocrlabels", {**BOX, "ocrtext": "abc", "pageIndex": 1, "ocrlabels": ["T"]}, "o1"),
        {"type": "relation", "from_id": "a1", "to_id": "a2", "direction": "right",
         "labels": ["on"]},
        {"type": "relation", "from_id": "a1", "to_id": "k1", "direction": "bi"},
        result("choices", {"choices": ["cat", "dog"]}, "c1", sized=False),
        result("taxonomy", {"taxonomy": [["A", "B/x"], ["C"]]}, "t1", sized=False),
        result("rating", {"rating": 3}, "n1", sized=False),
        result("number", {"number": 3.25}, "n2", sized=False),
        result("datetime", {"datetime": "2024-01-01"}, "d1", sized=False),
        result("textarea", {"text": ["one", "two"]}, "x1", sized=False),
        result("pairwise", {"selected": "left"}, "w1", sized=False),
        result("ranker", {"ranker": {"b": ["1", "2"]}}, "w2", sized=False),
        result("rectanglelabels", {**BOX, "rectanglelabels": []}, "a9", meta={"text": ["note"]},
               readonly=True),
    ]  # fmt: skip
    words = [
        result("labels", {"start": 6, "end": 11, "text": "there", "labels": ["W"]}, "s1",
               to="text", sized=False),
        result("choices", {"start": 6, "end": 11, "text": "there", "choices": ["X"]}, "s1",
               to="text", name="per", sized=False),
    ]  # fmt: skip
    html = result(
        "hypertextlabels",
        {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "startOffset": 2, "endOffset": 5,
         "globalOffsets": {"start": 2, "end": 5}, "text": "llo", "hypertextlabels": ["Z"]},
        to="html", sized=False,
    )  # fmt: skip
    speech = result(
        "paragraphlabels",
        {"start": "0", "end": "0", "startOffset": 1, "endOffset": 3, "text": "el",
         "paragraphlabels": ["Z"]},
        to="dialogue", sized=False,
    )  # fmt: skip
    sound = result("labels", {"start": 1.5, "end": 3.25, "channel": 0, "labels": ["speech"]},
                   to="audio", sized=False, original_length=10.5)  # fmt: skip
    when = {"start": 100, "end": 200, "instant": False, "timeserieslabels": ["run"]}
    series = result("timeserieslabels", when, to="ts", sized=False)
    frames = [
        {"frame": 1, "enabled": True, "x": 1, "y": 2, "width": 3, "height": 4, "rotation": 0,
         "time": 0.04},
        {"frame": 30, "enabled": False, "x": 5, "y": 2, "width": 3, "height": 4, "rotation": 15,
         "time": 1.2},
    ]  # fmt: skip
    track = {"framesCount": 100, "duration": 4, "sequence": frames, "labels": ["Man"]}
    video = [
        result("videorectangle", track, "vr", to="video"),
        result("timelinelabels", {"ranges": [{"start": 3, "end": 9}], "timelinelabels": ["run"]},
               "tl", to="video", sized=False),
    ]  # fmt: skip
    message = {"role": "user", "content": "hi"}
    chat = [
        result("chatmessage", {"chatmessage": message}, "m1", name="chat", to="chat", sized=False),
        result("reactcode", {"reactcode": {"a": [1]}}, "m2", to="chat", sized=False),
    ]
    first = task(*image, data={"image": "a.jpg", "other": 5})
    first["annotations"] = [
        {"id": 11, "completed_by": {"id": 3, "email": "a@b.c"}, "result": image, "lead_time": 3.5},
        {"id": 12, "completed_by": 4, "result": []},
    ]
    first["predictions"] = [
        {"id": 5, "model_version": "m1", "score": 0.7, "result": [image[0], box(score=0.9)]},
        {"model_version": "m1", "result": []},
        {"result": [box(score=0.2)]},
    ]
    first["meta"] = {"q": 1}
    return [
        first,
        task(*words, task_id=2, data={"text": "Hi 😀 there\r\nworld"}),
        task(html, task_id=3, data={"html": "<p>hello</p>"}),
        task(speech, task_id=4, data={"dialogue": [{"author": "x", "text": "hello"}]}),
        task(sound, task_id=5, data={"audio": "/data/upload/3/01234567-a.wav"}),
        task(series, task_id=6, data={"csv": "/data/upload/3/x.csv"}),
        task(*video, task_id=7, data={"video": "s3://bucket/v.mp4"}),
        task(*chat, task_id=8, data={"text": "chat"}),
    ]
