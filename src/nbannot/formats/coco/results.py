"""COCO results: lists of a model's detections, which name images and categories by id only.

They are read as a layer of predictions: on the images of the subset that they are about, where
that lies in the same source; else on items that are named by the ids.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from ...ledger import Ledger
from ...sources.base import Source
from .json import Document, open_document
from .labels import ident
from .layout import Part

__all__ = ["choose_subsets", "on_named_images", "say_alone", "say_resolved"]

_SIDE_LIMIT = 2**31
_FRAME = re.compile(r"([\w-]+):(\d+)")


class _Image(msgspec.Struct):
    id: Any = None


class _Result(msgspec.Struct):
    image_id: Any = None
    segmentation: Raw = Raw()


class _Mask(msgspec.Struct):
    size: tuple[int, int]


def choose_subsets(
    results: Sequence[Part], parts: Sequence[Part], source: Source, ledger: Ledger
) -> Mapping[str, str | None]:
    """Return for each file of results (by path) the subset that it is about.

    It is the one whose name the file has in its own; else that which has most of its images.
    """
    subsets = list(dict.fromkeys(p.subset for p in parts))
    if len(subsets) < 2:
        return {part.path: subsets[0] for part in results}
    chosen: dict[str, str | None] = {}
    known: dict[str | None, set[Any]] = {}
    for part in results:
        named = {p.subset for p in parts if _names(part, p)}
        if len(named) == 1:
            chosen[part.path] = named.pop()
            continue
        if not known:
            for other in parts:
                known.setdefault(other.subset, set()).update(_image_ids(source, other))
        document = open_document(source, part.path, Ledger(), results=True)
        wanted = {key for key, _ in _named(document)}
        counts = {subset: len(wanted & known[subset]) for subset in subsets}
        best = max(subsets, key=lambda s: counts[s])
        chosen[part.path] = best
        others = [s or "default" for s in subsets if s != best and counts[s] == counts[best]]
        if others:
            text = (
                f"the image ids of {part.path} fit {best or 'default'} and {', '.join(others)} "
                f"alike; they are read as those of {best or 'default'}. Put the subset's name "
                "into the file's name to say it"
            )
            ledger.note("results fit several subsets", file=part.path, message=text)
    return chosen


def _names(results: Part, part: Part) -> bool:
    # Does the name or a folder of the results say the subset of a file?
    if results.split is not None and results.split == part.split:
        return True
    folder, _, name = results.path.rpartition("/")
    words = re.escape(part.subset or "")
    inside = re.search(rf"(?:^|[_\-. ]){words}(?:$|[_\-. ])", name) if words else None
    return inside is not None or (part.subset in folder.split("/") if part.subset else False)


def _image_ids(source: Source, part: Part) -> set[Any]:
    document = open_document(source, part.path, Ledger())
    return {ident(image.id) for raw in document.images if (image := _loose(raw, _Image))}


def _loose(raw: Raw, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _named(document: Document) -> list[tuple[Any, Raw]]:
    # (image id, segmentation) of each result that names an image
    found = [_loose(raw, _Result) for raw in document.annotations]
    pairs = [(ident(r.image_id), r.segmentation) for r in found if r is not None]
    return [(key, outline) for key, outline in pairs if key is not None]


def on_named_images(document: Document) -> Document:
    """Return results with the images that they name, in order: all that is known are the ids.

    Run lengths tell the size of an image, too.
    """
    sizes: dict[Any, tuple[int, int] | None] = {}
    for key, outline in _named(document):
        if sizes.get(key) is None:
            mask = _loose(outline, _Mask) if bytes(outline)[:1] == b"{" else None
            sizes[key] = mask.size if mask is not None else None
    images = []
    for key, size in sizes.items():
        image: dict[str, Any] = {"id": key, "file_name": _path(key)}
        if size is not None and all(0 < side < _SIDE_LIMIT for side in size):
            image["height"], image["width"] = size
        images.append(Raw(json.dumps(image).encode()))
    found = Document(
        document.path, document.data, images, document.annotations, {}, contiguous=False
    )
    found.place_of = document.place_of
    return found


def _path(key: Any) -> str:
    # An id that is a path must not lead anywhere; that of a frame is a file of its video.
    frame = _FRAME.fullmatch(str(key))
    path = f"{frame[1]}/{frame[2]}" if frame else str(key)
    return posixpath.normpath(f"/{path}".replace("\\", "/")).lstrip("/") or str(key)


def say_resolved(part: Part, ledger: Ledger) -> None:
    """Say what results were taken for."""
    subset = part.subset or "default"
    text = (
        f"{part.path} is read as predictions, in the layer {part.layer!r}, on the images of "
        f"subset {subset}; labels are the categories of that subset"
    )
    ledger.note("results are a layer of predictions", file=part.path, message=text)


def say_alone(part: Part, ledger: Ledger) -> None:
    """Say that results were read without the file that tells what their ids are."""
    text = (
        f"{part.path} names images and categories by id only: items are named by those ids. Put "
        "the COCO file of those images beside it to have it read on them"
    )
    ledger.note("results without their images", file=part.path, message=text)
    say_resolved(part, ledger)
