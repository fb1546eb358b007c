"""A line of a manifest, as an item and its annotations."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import geometry
from ...errors import NbannotError, OptionError
from ...ledger import Ledger
from ...media.images import FORMATS, probe_image
from ..addresses import address_of, find_media
from ..image_records import (
    At,
    Images,
    add_box,
    as_json,
    number,
    numbers,
)
from ..json_values import dumps
from ..reading import Reading

__all__ = ["TWIN", "layers_of", "read_line"]

TWIN = "-metadata"
"""What the metadata of an attribute is called, after its name."""
_LOOKED_AT = 1000
_MAX_PIXELS = 1 << 26


def _attributes(line: Mapping[str, Any]) -> list[tuple[str, Any, dict[str, Any]]]:
    # (name, value, metadata) of each label attribute, in order.
    found = []
    for name, value in line.items():
        metadata = line.get(f"{name}{TWIN}")
        if isinstance(metadata, dict):
            found.append((name, value, metadata))
    for name, metadata in line.items():  # labelling failed: there is no value
        bare = name.removesuffix(TWIN)
        if name != bare and bare not in line and isinstance(metadata, dict):
            found.append((bare, None, metadata))
    return found


def _kind(metadata: Mapping[str, Any]) -> str:
    return str(metadata.get("type", "")).rpartition("/")[2]


def layers_of(
    lines: Sequence[tuple[str, Mapping[str, Any]]], given: str | None, path: str, ledger: Ledger
) -> dict[str, str]:
    """Return the attributes that are layers, and what these are called.

    Args:
        lines: all lines; the first ones are looked at.
        given: the attribute that is ground truth, where the user says so.
        path: the manifest.
        ledger: gets a note where there are layers.

    Raises:
        OptionError: no line has the attribute `given`.
    """
    kinds: dict[str, str] = {}
    for _, line in lines[:_LOOKED_AT]:
        for name, _, metadata in _attributes(line):
            kinds.setdefault(name, _kind(metadata))
    if given is not None and given not in kinds and kinds:
        hint = f"There are: {', '.join(kinds)}."
        raise OptionError(f"No line has the attribute {given!r}", hint=hint)
    truth = {kind: name for name, kind in kinds.items()}  # the last of each kind
    if given is not None and given in kinds:
        truth[kinds[given]] = given
    layers = {name: name for name, kind in kinds.items() if truth[kind] != name}
    if layers:
        ledger.note(
            "attributes taken as layers", file=path,
            message=f"{', '.join(layers)} become layers, {', '.join(truth.values())} ground truth "
            "(ground_truth= otherwise)",
        )  # fmt: skip
    return layers


def read_line(
    reading: Reading,
    images: Images,
    at: At,
    line: Mapping[str, Any],
    subset: str | None,
    layers: Mapping[str, str],
) -> None:
    """Count and add the item of a line, and its labels."""
    attributes = _attributes(line)
    keep = ("creation-date", "job-name", "human-annotated")
    about = {
        name: {k: metadata[k] for k in keep if k in metadata} for name, _, metadata in attributes
    }
    meta = as_json({"sagemaker": {k: v for k, v in about.items() if v} or None})
    text = line.get("source")
    item: int | None
    if "source-ref" not in line and isinstance(text, str):
        key = at.where.removeprefix("line ")
        item = reading.item(key, subset=subset, kind="text", data=dumps({"text": text}), meta=meta)
    else:
        strip = (subset or at.file.rpartition("/")[2].rpartition(".")[0],)
        item = images.add(line.get("source-ref"), at, subset=subset, strip=strip, meta=meta)
    for name, value, metadata in attributes:
        place = At(at.file, f"{at.where}.{name}", "" if item is None else reading.key(item))
        if item is None:
            reading.reject("image was rejected", **place.line("its image was rejected"))
        elif value is None or metadata.get("failure-reason"):
            why = metadata.get("failure-reason") or "there is no label"
            reading.reject("labelling failed", **place.line(f"{why}"))
        else:
            values = {"layer": layers.get(name)}
            _read_attribute(reading, images, item, place, value, metadata, values, text)


def _read_attribute(
    reading: Reading,
    images: Images,
    item: int,
    at: At,
    value: Any,
    metadata: dict[str, Any],
    values: dict[str, Any],
    text: Any,
) -> None:
    kind = _kind(metadata)
    if kind == "object-detection":
        _boxes(reading, images, item, at, value, metadata, values)
    elif kind in ("image-classification", "text-classification"):
        label = metadata.get("class-name")
        if not isinstance(label, str) or not label:
            label = _class(reading, at, value, metadata)
        score = number(metadata.get("confidence"))
        reading.annotation(item, type="tag", label=label, score=score, **values)
    elif kind.endswith("classification-multilabel"):
        scores = metadata.get("confidence-map")
        scores = scores if isinstance(scores, dict) else {}
        for index, number_ in enumerate(value if isinstance(value, list) else [value]):
            place = At(at.file, f"{at.where}[{index}]", at.key)
            label = _class(reading, place, number_, metadata)
            score = number(scores.get(str(number_)))
            reading.annotation(item, type="tag", label=label, score=score, **values)
    elif kind == "semantic-segmentation":
        _masks(reading, item, at, value, metadata, values)
    elif isinstance(value, dict) and isinstance(text, str) and "annotations" in value:
        _spans(reading, item, at, value["annotations"], values, text)
    else:
        reading.reject("kind of label is not read", **at.line(f"{kind or 'it'} has no place here"))


def _class(reading: Reading, at: At, number_: Any, metadata: Mapping[str, Any]) -> str:
    # The name of a class, declared with its number.
    names = metadata.get("class-map")
    found = names.get(str(number_)) if isinstance(names, dict) else None
    if not isinstance(found, str) or not found:
        text = f"class {number_!r} is not in class-map; its number is the label"
        reading.warn("class is not in class-map", **at.line(text))
        return str(number_)
    if found not in reading.labels:
        reading.label(found, source_id=str(number_))
    return found


def _boxes(
    reading: Reading,
    images: Images,
    item: int,
    at: At,
    value: Any,
    metadata: Mapping[str, Any],
    values: Mapping[str, Any],
) -> None:
    value = value if isinstance(value, dict) else {}
    rows, objects_ = value.get("annotations"), metadata.get("objects")
    sizes = value.get("image_size")
    about = sizes[0] if isinstance(sizes, list) and sizes and isinstance(sizes[0], dict) else {}
    declared = numbers(about.get("width"), about.get("height"))
    size = (declared[0], declared[1]) if declared else images.size(item)
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        place = At(at.file, f"{at.where}.annotations[{index}]", at.key)
        if not isinstance(row, dict):
            reading.reject("annotation is not an object", **place.line("it is no JSON object"))
            continue
        box = numbers(*(row.get(n) for n in ("left", "top", "width", "height")))
        label = _class(reading, place, row.get("class_id"), metadata)
        score = None
        if isinstance(objects_, list) and index < len(objects_):
            inner = objects_[index]
            score = number(inner.get("confidence")) if isinstance(inner, dict) else None
        add_box(reading, item, place, box, size, label=label, score=score, **values)


def _spans(
    reading: Reading, item: int, at: At, value: Any, values: Mapping[str, Any], text: str
) -> None:
    entities = value.get("entities") if isinstance(value, dict) else None
    for index, row in enumerate(entities if isinstance(entities, list) else ()):
        place = At(at.file, f"{at.where}.entities[{index}]", at.key)
        row = row if isinstance(row, dict) else {}
        found = numbers(row.get("startOffset"), row.get("endOffset"))
        if found is None or not 0 <= found[0] < found[1] <= len(text):
            line = place.line(f"it is not within the text of {len(text)} characters")
            reading.reject("span is not within the text", **line)
            continue
        start, end = int(found[0]), int(found[1])
        reading.annotation(item, type="text_span", start=start, end=end, text=text[start:end],
                           label=str(row.get("label")), **values)  # fmt: skip


def _masks(
    reading: Reading,
    item: int,
    at: At,
    value: Any,
    metadata: Mapping[str, Any],
    values: Mapping[str, Any],
) -> None:
    try:
        pixels = _picture(reading, value)
    except (ValueError, NbannotError) as error:
        reading.reject("mask can't be read", **at.line(f"{error}"))
        return
    colors = metadata.get("internal-color-map")
    count = 0
    for index, about in colors.items() if isinstance(colors, dict) else ():
        about = about if isinstance(about, dict) else {}
        label = str(about.get("class-name") or index)
        color = str(about.get("hex-color") or "")
        known = color if len(color) == 7 and color[0] == "#" else None
        inside = _where(pixels, str(index), color)
        if label.upper() == "BACKGROUND" or inside is None or not inside.any():
            continue
        if count:
            reading.ledger.split()
        count += 1
        reading.label(label, color=known)
        ys, xs = np.nonzero(inside)
        reading.annotation(
            item, counted=count > 1, type="mask", label=label, mask=geometry.mask_to_rle(inside),
            mask_height=inside.shape[0], mask_width=inside.shape[1], x=float(xs.min()),
            y=float(ys.min()), w=float(np.ptp(xs) + 1), h=float(np.ptp(ys) + 1),
            score=number(about.get("confidence")), **values,
        )  # fmt: skip
    if not count:
        reading.reject("mask is empty", **at.line("none of its colours is of a class"))


def _picture(reading: Reading, value: Any) -> NDArray[Any]:
    from PIL import Image

    address = address_of(value if isinstance(value, str) else "")
    found = find_media(reading.media, address)
    if found.path is None:  # on disk, a colon in a name is an underscore
        names = tuple(n.replace(":", "_") for n in address.names)
        found = find_media(reading.media, address._replace(names=names))
    if found.path is None:
        raise ValueError("its PNG is not in the source")
    data = reading.source.read(found.path)
    info = probe_image(data, found.path)
    if info.stored_width * info.stored_height > _MAX_PIXELS:
        raise ValueError("its PNG is too large")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return np.asarray(image.convert("RGB") if image.mode == "RGBA" else image)
    except Exception as error:  # noqa: BLE001  damage makes decoders raise whatever they like
        raise ValueError(f"{found.path} can't be decoded: {error}") from None


def _where(pixels: NDArray[Any], index: str, color: str) -> NDArray[Any] | None:
    # Where the pixels of a class are: by number in a palette, by colour otherwise.
    if pixels.ndim == 2:
        return np.asarray(pixels == int(index)) if index.isdigit() else None
    try:
        rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    except ValueError:
        return None
    return np.asarray((pixels[:, :, :3] == rgb).all(axis=2))
