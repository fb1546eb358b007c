"""FiftyOne's labels of images: labels.json beside data/, and ETA's labels for each image."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...errors import BrokenFileError
from ...ledger import Ledger
from ...media.kinds import is_image
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format
from ..fitting import Fitting, Holds, Row
from ..image_files import ImageFiles, fitted, subset_folder
from ..image_records import At, candidates, document, files_of, number, numbers, subset_of
from ..json_values import loads
from ..look import Head, Look
from ..reading import Reading
from ..writing import Export, Sink
from .labels_of import Field, add_label

__all__ = ["FiftyOneLabels"]

_COORDINATES = re.compile(r'"bounding_box"\s*:\s*\[')
_SHAPE = re.compile(r'"labels"\s*:\s*\{')
_FIELD = Field("")


class FiftyOneLabels(Format):
    """FiftyOneImageDetectionDataset and FiftyOneImageClassificationDataset; ETA's, to read.

    **Items** are the names in ``labels``, without suffix: the image of that name in ``data/`` is
    found, and its suffix belongs to the key. The folder of labels.json is the subset, where it
    is called train, val or the like. Images that it does not name are items too.

    **Labels** are texts, or numbers into ``classes``. Boxes are shares of the image's size, so
    an image that is not there leaves them without pixels: they are rejected. A label of a whole
    image is a tag.

    **Records** are images, boxes and tags. A file holds boxes or tags: where there are both,
    boxes are written, and the tags are named in the ledger.
    """

    name: ClassVar[str] = "fiftyone-labels"
    title: ClassVar[str] = "FiftyOne image labels"
    summary: ClassVar[str] = "labels.json with boxes or classes by the image's name, and data/."
    rules: ClassVar[str] = (
        "https://docs.voxel51.com/user_guide/export_datasets.html#fiftyoneimagedetectiondataset"
    )
    holds: ClassVar[tuple[str, ...]] = ("box", "tag")

    def requires(self, look: Look) -> float:
        """Return 0.95 for labels.json with classes and labels, or ETA's manifest."""
        paths = candidates(look.source, ".json")
        look.need(paths, "no JSON file")
        manifests = files_of(look, _is_eta, ".json")
        if manifests:
            look.found(f"{manifests[0]} lists images and labels of ETA")
            return 0.95
        mine = files_of(look, _is_mine, ".json")
        look.need(mine, f"{paths[0]} has no classes and labels")
        look.found(f"{mine[0]} has classes, and labels by name")
        if _COORDINATES.search(look.head(mine[0]).text):
            look.found("boxes are in it")
            return 0.95
        return 0.9

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the images of each labels.json, then those that none names.

        Raises:
            BrokenFileError: labels.json is not JSON, or has no labels.
        """
        reading = Reading(source, ledger, progress, limit)
        manifests = files_of(Look(source), _is_eta, ".json")
        paths = manifests or files_of(Look(source), _is_mine, ".json", limit=None)
        paths = paths or candidates(source, ".json")
        subsets = {path: subset_of(path, paths) for path in paths}
        for path, data in reading.files(paths):
            value = document(data, path, reading)
            if manifests:
                records = _eta_records(reading, value, path)
            else:
                records = _records(reading, value, path)
            home = path.rpartition("/")[0]
            folder = f"{home}/data" if home else "data"
            for name, where, labels in records:
                _read(reading, At(path, where, ""), name, labels, folder, subsets[path])
                yield from reading.batches()
                if reading.is_full:
                    break
            if reading.is_full:
                break
        for path in paths if source.main is None else ():
            home = path.rpartition("/")[0]
            folder = f"{home}/data" if home else "data"
            some = [p for p in source.files if p.startswith(f"{folder}/") and is_image(p)]
            reading.leftover(some, subsets[path], under=folder)
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``labels.json`` and ``data/`` for each subset, in its folder."""
        holds = Holds({"box": (), "tag": ()}, ("score", "attributes"))
        fitting = Fitting(self.title, holds, ledger)
        progress.start("Writing images", unit="images")
        made: dict[str, dict[str, tuple[Row, list[Row]]]] = {}
        for subset in export.subsets:
            folder = subset_folder(export, subset, ledger)
            files = ImageFiles(sink, fitting, stems=True)
            place = f"{folder}/data" if folder else "data"
            some = made[folder] = {}
            for item, rows in fitted(export, subset, fitting, progress):
                path = files.add(item, place)[len(place) + 1 :]
                stem = path.rpartition(".")[0] if is_image(path) else path
                some[stem] = (item, rows)
        kinds = {row["type"] for some in made.values() for _, rows in some.values() for row in rows}
        names = [label.name for label in export.labels]
        for folder, some in made.items():
            text = _text(some, names, fitting, boxes="box" in kinds or "tag" not in kinds)
            sink.write(f"{folder}/labels.json" if folder else "labels.json", text)
        fitting.close()


def _is_mine(head: Head) -> bool:
    keys = head.json_keys
    if head.json_start != "{" or not {"labels", "classes"} <= keys:
        return False
    others = {"images", "annotations", "categories", "shapes", "items", "objects", "_cls",
              "dataset", "tags_count", "project"}  # fmt: skip
    return not keys & others and bool(_SHAPE.search(head.text))


def _is_eta(head: Head) -> bool:
    return head.json_start == "{" and "eta.core.datasets.LabeledImageDataset" in head.text


# -- reading ------------------------------------------------------------------------------

_Record = tuple[str, str, "list[dict[str, Any]] | None"]


def _records(reading: Reading, value: Any, path: str) -> Iterator[_Record]:
    # (name, where, labels as FiftyOne's documents); what can't be one is rejected.
    labels = value.get("labels") if isinstance(value, dict) else None
    if not isinstance(labels, dict):
        raise BrokenFileError("The file has no labels by name", where=path)
    classes = value.get("classes")
    names = [str(c) for c in classes] if isinstance(classes, list) else []
    for name in names:
        reading.label(name)
    for name, given in labels.items():
        where = f"labels[{name!r}]"
        several = [] if given is None else given if isinstance(given, list) else [given]
        made = []
        for index, one in enumerate(several):
            label = one if isinstance(one, dict) else {"label": one}
            number_ = label.get("label")
            if isinstance(number_, int) and not isinstance(number_, bool) and names:
                if not 0 <= number_ < len(names):
                    at = At(path, f"{where}[{index}]", name)
                    text = f"{number_} is none of the {len(names)} classes"
                    reading.reject("class number is not in classes", **at.line(text))
                    continue
                label = {**label, "label": names[number_]}
            made.append({**label, "_cls": _kind(label), "_where": f"{where}[{index}]"})
        yield name, where, made


def _kind(label: Mapping[str, Any]) -> str:
    if "bounding_box" in label:
        return "Detection"
    return "TemporalDetection" if {"support", "timestamps"} & set(label) else "Classification"


def _eta_records(reading: Reading, value: Any, path: str) -> Iterator[_Record]:
    index = value.get("index") if isinstance(value, dict) else None
    home = path.rpartition("/")[0]
    for number_, entry in enumerate(index if isinstance(index, list) else ()):
        where = f"index[{number_}]"
        names = [entry.get(k) if isinstance(entry, dict) else None for k in ("data", "labels")]
        if not all(isinstance(n, str) and n for n in names):
            at = At(path, where, "")
            reading.reject("image without a name", **at.line("it names no image and labels"))
            continue
        name, file = (f"{home}/{n}" if home else str(n) for n in names)
        labels: list[dict[str, Any]] = []
        if file not in reading.source.files:
            text = f"{file} is not there: the image has no labels"
            reading.warn("label file missing", **At(path, where, name).line(text, "item"))
        else:
            try:
                labels = _eta_labels(document(reading.source.read(file), file, reading), file)
            except BrokenFileError as error:
                reading.reject("the file can't be read", file=file, record="file",
                               message=str(error))  # fmt: skip
        yield str(names[0]), where, labels


def _eta_labels(value: Any, file: str) -> list[dict[str, Any]]:
    # ETA's objects, polylines, keypoints and attributes of the frame as FiftyOne's documents.
    made: list[dict[str, Any]] = []

    def several(kind: str, of: Any = value) -> list[dict[str, Any]]:
        inner = of.get(kind) if isinstance(of, dict) else None
        found = inner.get(kind) if isinstance(inner, dict) else None
        return [v for v in found if isinstance(v, dict)] if isinstance(found, list) else []

    def put(kind: str, index: int, one: dict[str, Any], **more: Any) -> None:
        values = {str(a.get("name")): a.get("value") for a in several("attrs", one)}
        known = ("label", "confidence", "mask", "points", "closed", "filled")
        label = {k: one[k] for k in known if k in one}
        where = f"{kind}[{index}]"
        made.append({**values, **label, **more, "_where": where, "_file": file})

    for index, one in enumerate(several("objects")):
        box = one.get("bounding_box")
        corners = [box.get(k) if isinstance(box, dict) else None
                   for k in ("top_left", "bottom_right")]  # fmt: skip
        xy = numbers(*(c.get(n) if isinstance(c, dict) else None for c in corners for n in "xy"))
        place = [xy[0], xy[1], xy[2] - xy[0], xy[3] - xy[1]] if xy else None
        put("objects", index, one, _cls="Detection", bounding_box=place)
    for index, one in enumerate(several("polylines")):
        put("polylines", index, one, _cls="Polyline")
    for index, one in enumerate(several("keypoints")):
        put("keypoints", index, one, _cls="Keypoint")
    for index, one in enumerate(several("attrs")):
        label = {"label": one.get("value"), "confidence": one.get("confidence")}
        where = f"attrs[{index}]"
        made.append({**label, "_cls": "Classification", "_where": where, "_file": file,
                     "attribute": one.get("name")})  # fmt: skip
    return made


def _read(
    reading: Reading,
    at: At,
    name: str,
    labels: list[dict[str, Any]] | None,
    folder: str,
    subset: str | None,
) -> None:
    bare = name.removeprefix("data/")
    if ".." in bare.replace("\\", "/").split("/") or bare.startswith(("/", "\\")) or not bare:
        reading.reject("image name refused", **at.line(f"{name!r} leaves the dataset"))
        for label in labels or ():
            place = At(at.file, label["_where"], "")
            reading.reject("image was rejected", **place.line("its image was rejected"))
        return
    whole = is_image(bare) and reading.find(bare, near=[folder]).path is not None
    item = reading.image_item(bare, file=at.file, near=[folder], subset=subset, stem=not whole)
    key = reading.key(item)
    found = reading.find(bare, near=[folder], stem=not whole).path if labels else None
    size = reading.size(found)
    for label in labels or ():
        place = At(label.pop("_file", at.file), label.pop("_where"), key)
        times = label.get("timestamps")
        span = numbers(*times) if isinstance(times, list) and len(times) == 2 else None
        if span is not None:
            reading.annotation(
                item, type="time_span", start=span[0], end=span[1],
                label=str(label.get("label")), score=number(label.get("confidence")),
            )  # fmt: skip
        else:
            add_label(reading, item, place, label, _FIELD, lambda: size, {})


# -- writing ------------------------------------------------------------------------------


def _text(
    some: Mapping[str, tuple[Row, list[Row]]], names: list[str], fitting: Fitting, *, boxes: bool
) -> str:
    numbered = {name: index for index, name in enumerate(names)}
    labels: dict[str, Any] = {}
    for stem, (item, rows) in some.items():
        size = (item.get("width"), item.get("height"))
        made: list[Any] = []
        for row in rows:
            label: Row = {"label": numbered.get(row["label"], row["label"])}
            if row["type"] == "tag" and boxes:
                text = "labels.json holds boxes or tags; boxes are written"
                fitting.reject(item, row, "tag beside boxes", text)
                continue
            if boxes and not all(size):
                text = "coordinates are shares of the image's size, which is not known"
                fitting.reject(item, row, "image size is not known", text)
                continue
            if boxes:
                label["bounding_box"] = [row["x"] / size[0], row["y"] / size[1],
                                         row["w"] / size[0], row["h"] / size[1]]  # fmt: skip
            if row.get("score") is not None:
                label["confidence"] = row["score"]
            if row.get("attributes"):
                label["attributes"] = loads(row["attributes"].encode())[0]
            made.append(label if boxes or len(label) > 1 else label["label"])
        if boxes:
            labels[stem] = made or None
        else:
            labels[stem] = made if len(made) > 1 else made[0] if made else None
    return json.dumps({"classes": names, "labels": labels}, ensure_ascii=False) + "\n"
