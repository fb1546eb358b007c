"""What a format can hold, found out by writing and reading it: one annotation per thing.

The documents and the conformance suite use it, so that what they say of a loss is what happens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import NbannotError
from ..geometry import mask_to_rle
from ..ledger import Ledger
from ..progress import Progress
from ..schema import Label, Skeleton
from ..sources import open_source
from . import detect, get_format
from .base import Format
from .examples import HEIGHT, WIDTH, Example, MemorySink, Row, read_back

__all__ = ["FEATURES", "Fate", "fates_of", "sample_of"]

_BOX = {"x": 8.0, "y": 4.0, "w": 16.0, "h": 36.0}
_POINTS = {"points": [8.0, 4.0, 24.0, 4.0, 24.0, 40.0, 8.0, 40.0], **_BOX}
_HOLE = [10.0, 10.0, 20.0, 10.0, 20.0, 20.0, 10.0, 20.0]
_PART = [30.0, 10.0, 40.0, 10.0, 35.0, 20.0]
_MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
_MASK[4:40, 8:24] = 1
_CORNERS = [4, 4, 24, 4, 24, 24, 4, 24, 8, 8, 28, 8, 28, 28, 8, 28]
_SPAN = {"start": 4.0, "end": 7.0, "text": "cat"}

FEATURES: Mapping[str, Row] = {
    "box": {"type": "box", **_BOX},
    "rotated box": {"type": "box", "rotation": 30.0, "x": 20.0, "y": 14.0, "w": 16.0, "h": 8.0},
    "polygon": {"type": "polygon", **_POINTS},
    "polygon with a hole": {
        "type": "polygon", **_POINTS, "points": [*_POINTS["points"], *_HOLE],  # type: ignore[misc]
        "rings": [4, -4],
    },
    "polygon of two parts": {
        "type": "polygon", **_BOX, "points": [*_POINTS["points"], *_PART],  # type: ignore[misc]
        "rings": [4, 3], "w": 32.0,
    },
    "polyline": {"type": "polyline", "points": [1.0, 2.0, 30.0, 4.5, 31.0, 40.0]},
    "points": {"type": "points", "points": [1.0, 2.0, 30.0, 4.5]},
    "skeleton": {
        "type": "skeleton", "label": "pose", "points": [5.0, 6.5, 10.0, 12.0, 0.0, 0.0],
        "visibility": [2, 1, 0], "x": 4.0, "y": 5.0, "w": 8.0, "h": 9.0,
    },
    "mask": {
        "type": "mask", "mask": mask_to_rle(_MASK), "mask_height": HEIGHT, "mask_width": WIDTH,
        **_BOX,
    },
    "ellipse": {"type": "ellipse", **_BOX},
    "cuboid": {"type": "cuboid", "points": [float(v) for v in _CORNERS]},
    "tag": {"type": "tag"},
    "caption": {"type": "text", "label": None, "text": "a cat on a mat"},
    "attributes": {"type": "box", **_BOX, "attributes": json.dumps({"pose": "lying"})},
    "score": {"type": "box", **_BOX, "score": 0.75},
    "track": {"type": "box", **_BOX, "track": "7"},
    "group": {"type": "box", **_BOX, "group": 3},
    "occluded": {"type": "box", **_BOX, "occluded": True},
    "z-order": {"type": "box", **_BOX, "z_order": 2},
    "text of a region": {"type": "box", **_BOX, "text": "STOP"},
    "no label": {"type": "box", **_BOX, "label": None},
    "tag of a text": {"type": "tag"},
    "text span": {"type": "text_span", **_SPAN},
    "time span": {"type": "time_span", "start": 0.5, "end": 2.25},
}  # fmt: skip
"""Name → columns of one annotation (its label is "cat" where none is said)."""

_KIND = {"tag of a text": "text", "text span": "text", "time span": "audio"}
_SUFFIX = {"image": ".jpg", "text": ".txt", "audio": ".wav"}
_TOLERANCE_PX = 1e-3


@dataclass(frozen=True)
class Fate:
    """What becomes of a thing: ``"kept"``, ``"converted"``, ``"dropped"`` or ``"lost"``.

    `how` are the ledger's reasons. "lost" is a fault: it came back otherwise, and the ledger of
    the export says nothing.
    """

    outcome: str
    how: tuple[str, ...] = ()


def fates_of(format: Format, **options: Any) -> dict[str, Fate]:
    """Return what becomes of each of `FEATURES` that is written in `format` and read again."""
    return {name: _fate(format, name, options) for name in FEATURES}


def sample_of(format: Format) -> dict[str, bytes]:
    """Return the files of the first of `FEATURES` that the format can write."""
    for name in FEATURES:
        sink, dataset = MemorySink(_dataset(name).media), _dataset(name)
        ledger = Ledger()
        try:
            format.write(dataset, sink, format.check_options({}, writing=True), ledger, Progress())
        except NbannotError:
            continue
        if sink.files and not any(outcome == "rejected" for outcome, *_ in ledger.groups()):
            return sink.files
    return {}


def _fate(format: Format, name: str, options: Mapping[str, Any]) -> Fate:
    dataset, ledger = _dataset(name), Ledger()
    sink = MemorySink(dataset.media)
    chosen = format.check_options(options, writing=True)
    try:
        format.write(dataset, sink, chosen, ledger, Progress())
    except NbannotError as error:
        return Fate("dropped", (error.message,))
    lines = ledger.to_arrow().select(["outcome", "reason", "record"]).to_pylist()
    mine = [line for line in lines if line["record"].startswith("annotation")]
    reasons = _reasons(line for line in mine if line["outcome"] != "note")
    if any(line["outcome"] == "rejected" for line in mine):
        return Fate("dropped", reasons)
    if reasons:
        return Fate("converted", reasons)
    if _comes_back(format, name, sink.files):
        return Fate("kept")
    # What is said of the item (it is left out, say) or of the dataset.
    others = _reasons(lines)
    gone = any(line["outcome"] == "rejected" for line in lines)
    return Fate("dropped" if gone else "converted" if others else "lost", others)


def _reasons(lines: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line["reason"] for line in lines))


def _dataset(name: str) -> Example:
    kind = _KIND.get(name, "image")
    key = f"a{_SUFFIX[kind]}"
    item: Row = {"key": key, "kind": kind}
    if kind == "image":
        item |= {"width": WIDTH, "height": HEIGHT}
    if kind == "text":
        item["data"] = json.dumps({"text": "the cat sat on the mat"})
    if kind == "audio":
        item["duration"] = 10.0
    rows = [{"item": key, "label": "cat", **FEATURES[name]}]
    if name == "group":
        rows.append({**rows[0], "label": "dog", "x": 30.0})
    if name == "no label":
        rows = [{k: v for k, v in row.items() if k != "label"} for row in rows]
    labels = (
        Label("cat"),
        Label("dog"),
        Label("pose", skeleton=Skeleton(("nose", "left", "right"), ((0, 1), (0, 2)))),
    )
    return Example({"train": [item]}, {"train": rows}, labels)


def _comes_back(format: Format, name: str, files: Mapping[str, bytes]) -> bool:
    if not format.reads:
        return True
    try:
        source = open_source(dict(files))
        best = detect(source)[0]  # YOLO's tags are folders of images, which another format reads
        reader = get_format(best.format) if best.confidence else format
        found = read_back(reader, source).annotations
    except NbannotError:
        return False
    wanted = {k: v for k, v in {"label": "cat", **FEATURES[name]}.items() if v is not None}
    if name == "no label":
        wanted.pop("label", None)
    return any(_is_same(wanted, row) for row in found)


def _is_same(wanted: Row, found: Row) -> bool:
    for name, value in wanted.items():
        other = found.get(name)
        if name == "attributes":
            if json.loads(value).items() > json.loads(other or "{}").items():
                return False
        elif name == "group":  # which number it is says nothing
            if other is None:
                return False
        elif isinstance(value, (float, list)):
            if other is None or np.shape(other) != np.shape(value):
                return False
            if not np.allclose(value, other, rtol=0, atol=_TOLERANCE_PX):
                return False
        elif other != value and not (value is False and other is None):
            return False
    return True
