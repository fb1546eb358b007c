"""One field of labels of a FiftyOne sample, as annotations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import geometry
from ...schema import Skeleton
from ..image_records import At, add_box, add_points, as_json, label_of, number, numbers
from ..reading import Reading
from .values import MAX_PIXELS, array_of, picture, place_mask, plain

__all__ = ["Field", "add_label"]

_LISTS = {
    "Detections": "detections", "Classifications": "classifications", "Polylines": "polylines",
    "Keypoints": "keypoints", "TemporalDetections": "detections",
}  # fmt: skip
_KNOWN = {"_cls", "_id", "id", "label", "bounding_box", "confidence", "tags", "attributes",
          "mask", "mask_path", "points", "closed", "filled", "support", "logits", "value",
          "visibility"}  # fmt: skip
Size = Callable[[], "tuple[int, int] | None"]


@dataclass(frozen=True)
class Field:
    """A field of labels: its layer (None: ground truth), skeleton, and the names of values."""

    name: str
    layer: str | None = None
    skeleton: Skeleton | None = None
    targets: Mapping[str, str] = field(default_factory=dict)


def add_label(
    reading: Reading,
    item: int,
    at: At,
    value: Mapping[str, Any],
    one: Field,
    size: Size,
    about: Mapping[str, Any],
) -> None:
    """Count and add the labels of one field of a sample.

    Args:
        reading: the read.
        item: number of the item.
        at: where the field is.
        value: the field's value, with its ``_cls``.
        one: what is known of the field.
        size: returns width and height of the image, None where they are not known.
        about: the sample's metadata (``frame_rate``).
    """
    kind = value.get("_cls")
    name = _LISTS.get(str(kind))
    if kind == "Segmentation":
        _segmentation(reading, item, at, value, one, size)
        return
    if name is None:
        _single(reading, item, at, value, one, size, about)
        return
    several = value.get(name)
    for index, label in enumerate(several if isinstance(several, list) else ()):
        place = At(at.file, f"{at.where}.{name}[{index}]", at.key)
        if not isinstance(label, dict):
            reading.reject("label is not an object", **place.line("it is no JSON object"))
            continue
        kinds = {"classifications": "Classification", "polylines": "Polyline",
                 "keypoints": "Keypoint"}  # fmt: skip
        usual = "TemporalDetection" if kind == "TemporalDetections" else "Detection"
        made = {**label, "_cls": kinds.get(name, usual)}
        _single(reading, item, place, made, one, size, about, listed=True)


def _single(
    reading: Reading,
    item: int,
    at: At,
    label: Mapping[str, Any],
    one: Field,
    size: Size,
    about: Mapping[str, Any],
    *,
    listed: bool = False,
) -> None:
    kind = str(label.get("_cls"))
    values = _values(label, one, listed=listed)
    if values["label"] is None and kind in _GEOMETRY:
        reading.warn("annotation without a label", **at.line("it has no label"))
    if kind == "Classification":
        if values["label"] is None:
            reading.reject("tag without a label", **at.line("it has no label"))
        else:
            reading.annotation(item, type="tag", **values)
    elif kind == "Regression":
        found = number(plain(label.get("value")))
        if found is None:
            reading.reject("value is no number", **at.line("its value is missing or no number"))
        else:
            values["label"] = values["label"] or one.name or None
            reading.annotation(item, type="number", number=found, **values)
    elif kind == "TemporalDetection":
        _temporal(reading, item, at, label, values, about)
    elif kind in _GEOMETRY:
        px = size()
        if px is None:
            text = "its coordinates are shares of the image's size, which is not known"
            reading.reject("image size is not known", **at.line(text))
        else:
            _GEOMETRY[kind](reading, item, at, label, one, px, values)
    else:
        reading.reject("kind of label is not read", **at.line(f"{kind} has no place here"))


def _values(label: Mapping[str, Any], one: Field, *, listed: bool) -> dict[str, Any]:
    # The columns that all labels have.
    attributes = {k: plain(v) for k, v in label.items()
                  if k not in _KNOWN and not k.startswith("_") and v is not None}  # fmt: skip
    nested = label.get("attributes")
    for name, value in nested.items() if isinstance(nested, dict) else ():
        inner = value.get("value") if isinstance(value, dict) else value
        if inner is not None:
            attributes[name] = plain(inner)
    if isinstance(label.get("confidence"), list):  # of each point
        attributes["confidence"] = plain(label["confidence"])
    kept: dict[str, Any] = {"field": one.name} if one.name else {}
    if one.name and not listed:
        kept["single"] = True
    if label.get("tags"):
        kept["tags"] = label["tags"]
    identity = plain(label.get("_id"))
    return {
        "label": label_of(label.get("label")),
        "layer": one.layer,
        "score": number(plain(label.get("confidence"))),
        "source_id": identity if isinstance(identity, str) else None,
        "attributes": as_json(attributes),
        "extra": as_json({"fiftyone": kept or None}),
    }


def _box(label: Mapping[str, Any], size: tuple[int, int]) -> tuple[float, ...] | None:
    box = plain(label.get("bounding_box"))
    found = numbers(*box) if isinstance(box, list) and len(box) == 4 else None
    if found is None:
        return None
    return tuple(v * size[i % 2] for i, v in enumerate(found))


def _detection(
    reading: Reading, item: int, at: At, label: Mapping[str, Any], one: Field,
    size: tuple[int, int], values: dict[str, Any],
) -> None:  # fmt: skip
    del one
    box = _box(label, size)
    if label.get("mask") is None and not label.get("mask_path"):
        add_box(reading, item, at, box, size, **values)
        return
    if box is None or min(box[2:]) < 0:
        reading.reject("mask without a box", **at.line("its bounding_box is no box"))
        return
    try:
        _check_size(size)
        mask = _pixels(reading, label)
    except ValueError as error:
        reading.reject("mask can't be read", **at.line(f"{error}"))
        return
    whole, changed = place_mask(mask, (box[0], box[1], box[2], box[3]), size)
    if changed:
        reading.warn("mask fitted to its box", **at.line(changed))
    x, y, w, h = box
    reading.annotation(
        item, type="mask", mask=geometry.mask_to_rle(whole), mask_height=size[1],
        mask_width=size[0], x=x, y=y, w=w, h=h, **values,
    )  # fmt: skip


def _check_size(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"an image of {size[0]:,} x {size[1]:,} pixels is too large for a mask")


def _pixels(reading: Reading, label: Mapping[str, Any]) -> NDArray[Any]:
    # The 2-D mask of a label, of its own or in a file.
    if label.get("mask") is not None:
        mask = array_of(label["mask"])
    else:
        found = reading.media.find(str(label["mask_path"]), tails=True)
        if found.path is None:
            raise ValueError(f"there is no file {label['mask_path']!r}")
        mask = picture(reading.source, found.path)
    if mask.ndim == 3 and mask.shape[2] == 1:
        mask = mask[:, :, 0]
    if mask.ndim != 2:
        raise ValueError(f"it has the shape {mask.shape}, not rows and columns")
    return mask


def _polyline(
    reading: Reading, item: int, at: At, label: Mapping[str, Any], one: Field,
    size: tuple[int, int], values: dict[str, Any],
) -> None:  # fmt: skip
    del one
    rings = plain(label.get("points"))
    parts: list[list[float]] = []
    for ring in rings if isinstance(rings, list) else ():
        flat = _flat(ring, size)
        if flat is None:
            reading.reject("polygon without numbers", **at.line("a point is no pair of numbers"))
            return
        if flat:
            parts.append(flat)
    if not parts:
        reading.reject("polygon with too few points", **at.line("it has no points"))
    elif label.get("closed") or label.get("filled"):
        whole = [v for part in parts for v in part]
        counts = [len(part) // 2 for part in parts] if len(parts) > 1 else None
        if min(len(part) for part in parts) < 6:
            text = "a part has fewer than three points"
            reading.reject("polygon with too few points", **at.line(text))
            return
        add_points(reading, item, at, whole, size, rings=counts, **values)
    else:
        for rank, part in enumerate(parts):
            if rank:
                reading.ledger.split()
                reading.annotation(item, counted=True, type="polyline", points=part, **values)
            elif not add_points(reading, item, at, part, size, type="polyline", **values):
                return


def _flat(ring: Any, size: tuple[int, int]) -> list[float] | None:
    if not isinstance(ring, list):
        return None
    flat: list[float] = []
    for point in ring:
        pair = numbers(*point) if isinstance(point, list) and len(point) == 2 else None
        if pair is None:
            return None
        flat += [pair[0] * size[0], pair[1] * size[1]]
    return flat


def _keypoint(
    reading: Reading, item: int, at: At, label: Mapping[str, Any], one: Field,
    size: tuple[int, int], values: dict[str, Any],
) -> None:  # fmt: skip
    points = plain(label.get("points"))
    flat: list[float] = []
    seen: list[int] = []
    for point in points if isinstance(points, list) else ():
        pair = point if isinstance(point, list) and len(point) == 2 else [None, None]
        absent = [v is None or (isinstance(v, float) and math.isnan(v)) for v in pair]
        found = numbers(*pair)
        if found is None and not all(absent):
            reading.reject("points without numbers", **at.line("a point is no pair of numbers"))
            return
        flat += [found[0] * size[0], found[1] * size[1]] if found else [0.0, 0.0]
        seen.append(2 if found else 0)
    shown = plain(label.get("visibility"))
    if isinstance(shown, list) and len(shown) == len(seen) and all(v in (0, 1, 2) for v in shown):
        seen = [int(s) if v else 0 for s, v in zip(shown, seen, strict=True)]
    if one.skeleton is None and 0 not in seen:
        add_points(reading, item, at, flat, size, type="points", **values)
        return
    if not seen:
        reading.reject("skeleton without points", **at.line("it has no points"))
        return
    joints = one.skeleton
    if joints is None or len(joints.points) != len(seen):
        if joints is not None:
            text = f"it has {len(seen)} points, the skeleton {len(joints.points)}"
            reading.warn("points are not those of the skeleton", **at.line(text))
        joints = Skeleton(tuple(str(i + 1) for i in range(len(seen))))
    name = values["label"]
    if name is not None and (name not in reading.labels or reading.labels[name].skeleton is None):
        reading.label(name, skeleton=joints)
    box = _box(label, size)
    frame: dict[str, Any] = dict(zip("xywh", box, strict=True)) if box else {}
    reading.annotation(item, type="skeleton", points=flat, visibility=seen, **frame, **values)


_GEOMETRY: Mapping[str, Callable[..., None]] = {
    "Detection": _detection, "Polyline": _polyline, "Keypoint": _keypoint,
}  # fmt: skip


def _temporal(
    reading: Reading, item: int, at: At, label: Mapping[str, Any], values: dict[str, Any],
    about: Mapping[str, Any],
) -> None:  # fmt: skip
    support = plain(label.get("support"))
    rate = number(about.get("frame_rate"))
    found = numbers(*support) if isinstance(support, list) and len(support) == 2 else None
    if found is None:
        reading.reject("time span without numbers", **at.line("its support is no pair of frames"))
    elif not rate or rate < 0:
        text = "its support counts frames, and the sample has no frame_rate"
        reading.reject("frame rate is not known", **at.line(text))
    else:  # frames first to last, from 1, inclusive
        start, end = (found[0] - 1) / rate, found[1] / rate
        reading.annotation(item, type="time_span", start=start, end=end, **values)


def _segmentation(
    reading: Reading, item: int, at: At, value: Mapping[str, Any], one: Field, size: Size
) -> None:
    # One mask for each value but 0.
    px = size()
    try:
        if px is None:
            raise ValueError("the image's size is not known")
        _check_size(px)
        mask = _pixels(reading, value)
    except ValueError as error:
        reading.reject("mask can't be read", **at.line(f"{error}"))
        return
    if (mask.shape[1], mask.shape[0]) != px:
        text = f"it is {mask.shape[1]} x {mask.shape[0]} pixels, the image {px[0]} x {px[1]}"
        reading.warn("mask stretched to the image", **at.line(text))
        rows = np.arange(px[1]) * mask.shape[0] // px[1]
        mask = mask[rows][:, np.arange(px[0]) * mask.shape[1] // px[0]]
    found = [v for v in np.unique(mask).tolist() if v]
    if not found:
        reading.reject("mask is empty", **at.line("all its values are 0"))
        return
    for rank, pixel in enumerate(found):
        if rank:
            reading.ledger.split()
        inside = mask == pixel
        ys, xs = np.nonzero(inside)
        text = str(int(pixel))
        values = _values({**value, "label": one.targets.get(text, text)}, one, listed=False)
        reading.annotation(
            item, counted=bool(rank), type="mask", mask=geometry.mask_to_rle(inside),
            mask_height=px[1], mask_width=px[0], x=float(xs.min()), y=float(ys.min()),
            w=float(np.ptp(xs) + 1), h=float(np.ptp(ys) + 1), **values,
        )  # fmt: skip
