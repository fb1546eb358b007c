"""Writing records."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from ... import geometry
from ...errors import NbannotError
from ...ledger import Ledger
from ...media.images import probe_image
from ...media.kinds import suffix
from ...progress import Progress
from ...schema import DEFAULT_SUBSET
from ...sources.tfrecord import Features, example, record
from ..bit_masks import write_mask
from ..fitting import FileNames, Fitting, Holds, Row
from ..writing import Export, Sink
from .label_map import text_of_map
from .read import FLAGS

__all__ = ["write"]

_HOLDS = Holds(
    {"box": (), "tag": (), "mask": ()},
    columns=("score", "occluded", "attributes"),
    unlabelled=True,
)
_UNSAFE = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_OBJECT = "image/object/"


def write(export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
    """Write a dataset; see `TFRecord.write`."""
    fitting = Fitting("TFRecord (Object Detection API)", _HOLDS, ledger)
    numbers = {label.name: i for i, label in enumerate(export.labels, 1)}
    ledger.note(
        "coordinates as 32-bit floats", message="a TFRecord holds coordinates as 32-bit floats"
    )
    progress.start("Writing", unit="items")
    taken: set[str] = set()
    for subset in export.subsets:
        name = _UNSAFE.sub("_", subset or DEFAULT_SUBSET)
        while name in taken:
            name += "_"
        taken.add(name)
        if name != (subset or DEFAULT_SUBSET):
            ledger.note("subset renamed", message=f"{subset!r} is written as {name!r}")
        files = FileNames()
        with sink.open(f"{name}.tfrecord") as stream:
            for batch in export.batches(subset):
                for item, rows in fitting.fit(batch):
                    data = sink.media(item["number"])
                    features = _features(item, files.of(item), data)
                    _add_rows(features, item, rows, numbers, fitting)
                    stream.write(record(example(features)))
                    progress.advance()
    sink.write("label_map.pbtxt", text_of_map(list(numbers)))
    fitting.close()


def _features(item: Row, name: str, data: bytes | None) -> Features:
    if data and not (item.get("width") and item.get("height")):
        try:
            info = probe_image(data)
            item["width"], item["height"] = info.width, info.height
        except NbannotError:
            pass  # without a size, its boxes are rejected
    form = suffix(name).lstrip(".")
    features: Features = {
        "image/filename": [name.encode()],
        "image/source_id": [str(item.get("source_id", "")).encode()],
        "image/format": [("jpeg" if form == "jpg" else form).encode()],
        "image/encoded": [data or b""],
    }
    if data:
        features["image/key/sha256"] = [hashlib.sha256(data).hexdigest().encode()]
    for side in ("width", "height"):
        if item.get(side):
            features[f"image/{side}"] = [int(item[side])]
    return features


def _add_rows(
    features: Features, item: Row, rows: Sequence[Row], numbers: dict[str, int], fitting: Fitting
) -> None:
    tags = [r for r in rows if r["type"] == "tag"]
    labelled = [r for r in tags if r.get("label") is not None]
    for row in tags:
        if row.get("label") is None:
            fitting.reject(item, row, "annotation without a label", "a class needs one")
            continue
        for name in ("score", "occluded", "attributes"):
            if row.get(name) not in (None, False, "{}"):
                text = f"{name} {row[name]} is lost"
                fitting.warn(item, row, f"{name} of a class can't be written", text)
    if labelled:
        features["image/class/text"] = [r["label"].encode() for r in labelled]
        features["image/class/label"] = [_number(r, numbers) for r in labelled]
    objects = [r for r in rows if r["type"] != "tag"]
    if not (item.get("width") and item.get("height")):
        for row in objects:
            text = "coordinates are parts of the image's size, which is not known"
            fitting.reject(item, row, "size of the image is unknown", text)
        objects = []
    _add_objects(features, item, objects, numbers, fitting)


def _add_objects(
    features: Features, item: Row, rows: Sequence[Row], numbers: dict[str, int], fitting: Fitting
) -> None:
    boxes = [_box(item, row) for row in rows]
    for n, name in enumerate(("xmin", "ymin", "xmax", "ymax")):
        features[f"{_OBJECT}bbox/{name}"] = [float(box[n]) for box in boxes]
    features[f"{_OBJECT}class/text"] = [(r.get("label") or "").encode() for r in rows]
    features[f"{_OBJECT}class/label"] = [_number(r, numbers) for r in rows]
    values = [_attributes(item, row, fitting) for row in rows]
    for name in FLAGS:
        if any(v.get(name) for v in values):
            features[f"{_OBJECT}{name}"] = [int(v.get(name, False)) for v in values]
    if any(v.get("view") for v in values):
        features[f"{_OBJECT}view"] = [str(v.get("view", "")).encode() for v in values]
    if any(r.get("occluded") for r in rows):
        features[f"{_OBJECT}occluded"] = [int(r.get("occluded") or False) for r in rows]
    if any(r.get("score") is not None for r in rows):
        features[f"{_OBJECT}score"] = [float(r.get("score", "nan")) for r in rows]
    if any(r["type"] == "mask" for r in rows):
        features[f"{_OBJECT}mask"] = [_mask(item, row, fitting) for row in rows]


def _box(item: Row, row: Row) -> list[float]:
    if row.get("w") is None:
        mask = geometry.rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
        ys, xs = mask.nonzero()
        x, y = (float(xs.min()), float(ys.min())) if len(xs) else (0.0, 0.0)
        w, h = (float(xs.max()) + 1 - x, float(ys.max()) + 1 - y) if len(xs) else (0.0, 0.0)
    else:
        x, y, w, h = (row[n] for n in "xywh")
    width, height = item["width"], item["height"]
    return [x / width, y / height, (x + w) / width, (y + h) / height]


def _mask(item: Row, row: Row, fitting: Fitting) -> bytes:
    if row["type"] != "mask":
        return b""
    if (row["mask_width"], row["mask_height"]) != (item["width"], item["height"]):
        text = f"its size is {row['mask_width']}x{row['mask_height']}"
        fitting.warn(item, row, "mask of another size", text)
    return write_mask(geometry.rle_to_mask(row["mask"], row["mask_height"], row["mask_width"]))


def _number(row: Row, numbers: dict[str, int]) -> int:
    label = row.get("label")
    return 0 if label is None else numbers.setdefault(label, len(numbers) + 1)


def _attributes(item: Row, row: Row, fitting: Fitting) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(row.get("attributes") or "{}")
    kept = {
        n: v for n, v in values.items()
        if (n in FLAGS and isinstance(v, bool)) or (n == "view" and isinstance(v, str))
    }  # fmt: skip
    if len(kept) < len(values):
        lost = {n: v for n, v in values.items() if n not in kept}
        fitting.warn(item, row, "attributes can't be written", f"attributes {lost} are lost")
    return kept
