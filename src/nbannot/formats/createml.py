"""CreateML: a JSON list of images with boxes, as Apple, Roboflow and labelImg write it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ..ledger import Ledger
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format
from .fitting import Fitting, Holds, Row
from .image_files import ImageFiles, extra_of, fitted, rounded, subset_folder
from .image_records import (
    At,
    Images,
    add_box,
    as_json,
    candidates,
    files_of,
    label_of,
    number,
    numbers,
    objects,
    subset_of,
)
from .look import Head, Look
from .reading import Reading
from .writing import Export, Sink

__all__ = ["CreateML"]

_FILE = "_annotations.createml.json"
_IMAGE_KEYS = ("image", "imagefilename", "imageFilename", "filename")
_LISTS = ("annotations", "annotation")
_KNOWN = {"label", "coordinates", "confidence"}


class CreateML(Format):
    """Apple's CreateML, for object detection.

    **Items** are the objects of the list; the key is the image's name as given, relative to the
    file. The subset is the folder of the file (train, valid, test).

    **Boxes**: ``x`` and ``y`` are the centre, in pixels; they become the top left corner.
    ``confidence`` is the score. Other values of an annotation, and of an image
    (``verified``), are kept and written again. An ``annotation`` that is a text is a tag.

    **Records** are images and annotations. Written are boxes; nothing else has a place.
    """

    name: ClassVar[str] = "createml"
    title: ClassVar[str] = "CreateML"
    summary: ClassVar[str] = "One JSON list of images with boxes, centre and size in pixels."
    rules: ClassVar[str] = (
        "https://developer.apple.com/documentation/createml/building-an-object-detector-data-source"
    )
    holds: ClassVar[tuple[str, ...]] = ("box",)

    def requires(self, look: Look) -> float:
        """Return 0.95 where a JSON list has images, annotations and coordinates."""
        paths = candidates(look.source, ".json")
        look.need(paths, "no JSON file")
        mine = files_of(look, _is_mine, ".json")
        look.need(mine, f"{paths[0]} is no list of images with annotations and coordinates")
        look.found(f"{mine[0]} is a list of images with annotations")
        if _is_empty(look.head(mine[0])):
            return 0.9
        look.found("boxes have coordinates x, y, width, height")
        return 0.95

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield images with their boxes, file by file; then the images that no file names.

        Raises:
            BrokenFileError: a file is not JSON.
        """
        reading = Reading(source, ledger, progress, limit)
        images = Images(reading)
        paths = files_of(Look(source), _is_mine, ".json", limit=None)
        paths = paths or candidates(source, ".json")
        subsets = {path: subset_of(path, paths) for path in paths}
        for path, data in reading.files(paths):
            for where, record in objects(data, path, reading):
                _read_image(reading, images, record, At(path, where, ""), subsets[path])
                yield from reading.batches()
                if reading.is_full:
                    break
            if reading.is_full:
                break
        for path in paths:
            images.leftover(path.rpartition("/")[0], subsets[path])
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>/_annotations.createml.json``, as Roboflow does, images beside it."""
        fitting = Fitting(self.title, Holds({"box": ()}, ("score", "extra")), ledger)
        progress.start("Writing images", unit="images")
        for subset in export.subsets:
            folder = subset_folder(export, subset, ledger)
            files = ImageFiles(sink, fitting)
            lines = []
            for item, rows in fitted(export, subset, fitting, progress, "createml"):
                path = files.add(item, folder)
                record = {
                    "image": path[len(folder) + 1 :] if folder else path,
                    **extra_of(item, "createml", "meta"),
                    "annotations": [_annotation(row) for row in rows],
                }
                lines.append(json.dumps(record, ensure_ascii=False))
            text = "[" + ",\n".join(lines) + "]\n"
            sink.write(f"{folder}/{_FILE}" if folder else _FILE, text)
        fitting.close()


def _is_mine(head: Head) -> bool:
    if head.json_start != "[":
        return False
    keys = head.json_keys
    if not keys.intersection(_IMAGE_KEYS) or keys & {"result", "image_id", "boundingBoxes"}:
        return False
    if "coordinates" in keys and {"x", "y", "width", "height"} <= keys:
        return bool(keys.intersection(_LISTS))
    return _is_empty(head)


def _is_empty(head: Head) -> bool:
    # Images without a single annotation, as far as the head goes.
    keys = head.json_keys
    text = head.text.replace(" ", "").replace("\n", "")
    return (
        "coordinates" not in keys
        and bool(keys.intersection(_LISTS))
        and keys <= {*_IMAGE_KEYS, *_LISTS, "verified"}
        and ('"annotations":[]' in text or '"annotation":[]' in text)
    )


def _read_image(reading: Reading, images: Images, record: Row, at: At, subset: str | None) -> None:
    name = next((record[k] for k in _IMAGE_KEYS if k in record), None)
    found: Any = next((record[k] for k in _LISTS if k in record), [])
    rest = {k: v for k, v in record.items() if k not in (*_IMAGE_KEYS, *_LISTS)}
    meta = as_json({"createml": rest or None})
    item = images.add(name, at, subset=subset, meta=meta)
    rows: Sequence[Any] = found if isinstance(found, list) else [found]
    if item is None:
        for index in range(len(rows)):
            where = f"{at.where}.annotations[{index}]"
            text = "its image was rejected"
            reading.reject("image was rejected", **At(at.file, where, "").line(text))
        return
    size = images.size(item) if rows else None
    for index, row in enumerate(rows):
        place = At(at.file, f"{at.where}.annotations[{index}]", reading.key(item))
        _read_annotation(reading, item, row, place, size)


def _read_annotation(
    reading: Reading, item: int, row: Any, at: At, size: tuple[int, int] | None
) -> None:
    if isinstance(row, str) and row:
        reading.annotation(item, type="tag", label=row)
        return
    if not isinstance(row, dict):
        reading.reject("annotation is not an object", **at.line("it is no JSON object"))
        return
    label = label_of(row.get("label"))
    if label is None:
        reading.warn("annotation without a label", **at.line("it has no label"))
    where = row.get("coordinates")
    box = None
    if isinstance(where, dict):
        box = numbers(*(where.get(n) for n in ("x", "y", "width", "height")))
    if box is not None:
        box = [box[0] - box[2] / 2, box[1] - box[3] / 2, box[2], box[3]]
    rest = {k: v for k, v in row.items() if k not in _KNOWN}
    add_box(
        reading, item, at, box, size, label=label, score=number(row.get("confidence")),
        extra=as_json({"createml": rest or None}),
    )  # fmt: skip


def _annotation(row: Row) -> Row:
    where = {
        "x": rounded(row["x"] + row["w"] / 2),
        "y": rounded(row["y"] + row["h"] / 2),
        "width": rounded(row["w"]),
        "height": rounded(row["h"]),
    }
    made: Row = {"label": row["label"], "coordinates": where, **extra_of(row, "createml")}
    if row.get("score") is not None:
        made["confidence"] = row["score"]
    return made
