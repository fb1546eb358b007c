"""Reading Cityscapes: polygons where there are any, else instances, else classes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import BrokenFileError, NbannotError, SourceError
from ...ledger import Ledger
from ...media.kinds import IMAGE_SUFFIXES
from ...schema import Batch
from ...sources.base import Source
from .. import json_shapes
from ..class_tables import ClassTable, read_class_table
from ..json_documents import Spot, document, list_of, mapping_of, put, spare
from ..mask_images import MaskPicture, Runs, decode_mask, read_groups
from ..reading import Reading
from .classes import CITYSCAPES, THINGS, TRAIN_IDS, official_name

__all__ = ["CityscapesReader", "Frame", "frames_of"]

_NAME = re.compile(
    r"(?P<stem>.+)_gt(?:Fine|Coarse)_"
    r"(?P<kind>polygons|instanceIds|labelIds|color|labelTrainIds|instanceTrainIds)"
    r"\.(?:json|png)",
    re.IGNORECASE,
)
_IMAGE = "_leftImg8bit"
_NO_CITY = "nocity/"


@dataclass
class Frame:
    """An image of the dataset, and its files by kind."""

    subset: str | None
    key: str
    root: str = ""
    coarse: bool = False
    files: dict[str, str] = field(default_factory=dict)
    image: str | None = None


def frames_of(source: Source) -> dict[tuple[str | None, str], Frame]:
    """Return what is annotated, by subset and key (without suffix); fine before coarse."""
    frames: dict[tuple[str | None, str], Frame] = {}
    found = []
    for path in source.files.with_suffix(".png", ".json"):
        match = _NAME.fullmatch(path.rpartition("/")[2]) if "_gt" in path else None
        if match:
            found.append((*_place(path, "gt"), match, path))
    several = len({root for root, _, _, _, _ in found}) > 1
    for root, subset, folder, match, path in sorted(found, key=lambda f: f[4]):
        key = folder + match["stem"]
        key = f"{root}/{key}" if several and root else key
        coarse = "_gtcoarse_" in path.lower()
        frame = frames.setdefault((subset, key), Frame(subset, key, root, coarse))
        if frame.coarse and not coarse:
            frame = frames[subset, key] = Frame(subset, key, root)
        if frame.coarse == coarse:
            frame.files[match["kind"].lower()] = path
    return frames


def _place(path: str, tree: str) -> tuple[str, str | None, str]:
    # What is in front of gtFine (or leftImg8bit), the subset, and the folder below with its "/".
    parts = path.split("/")[:-1]
    at = next((i for i, p in enumerate(parts) if p.lower().startswith(tree)), None)
    if at is None:
        return "", None, "".join(f"{p}/" for p in parts)
    root = "/".join(p for p in parts[:at] if p != "imgsFine")
    below = parts[at + 1 :]
    subset = below.pop(0) if below else None
    folder = "".join(f"{p}/" for p in below)
    return root, subset, folder.removeprefix(_NO_CITY)


class CityscapesReader:
    """One read."""

    def __init__(self, reading: Reading, use: str) -> None:
        self._reading = reading
        images = reading.source.files.with_suffix(*IMAGE_SUFFIXES)
        self._images = [p for p in images if _IMAGE in p.rpartition("/")[2]]
        self._table, self._official = _table(reading.source)
        order = ["polygons", "instanceids", "labelids", "color", "labeltrainids"]
        self._order = order if use == "polygons" else [*order[1:], order[0]]

    def read(self) -> Iterator[Batch]:
        """Yield the dataset."""
        reading = self._reading
        for label in self._table.labels():
            reading.label(label.name, color=label.color, source_id=label.source_id)
        frames = frames_of(reading.source)
        self._add_images(frames)
        some = list(frames.values())
        groups = [[frame.files[k] for k in self._order if k in frame.files][:1] for frame in some]
        reading.progress.start("Reading frames", len(some), "images")
        at_once = 32 if reading.limit is None else min(32, max(1, reading.limit))
        for frame, found in zip(some, read_groups(reading.source, groups, at_once), strict=True):
            if reading.is_full:
                break
            for path, data in found.items() or [("", b"")]:
                self._frame(frame, path, data)
            yield from reading.batches()
            reading.progress.advance()
        yield from reading.rest()

    def _add_images(self, frames: dict[tuple[str | None, str], Frame]) -> None:
        several = len({frame.root for frame in frames.values()}) > 1
        for path in self._images:
            name = path.rpartition("/")[2]
            stem = name.rpartition(".")[0]
            if not stem.endswith(_IMAGE):
                continue
            root, subset, folder = _place(path, "leftimg8bit")
            key = folder + stem[: -len(_IMAGE)]
            key = f"{root}/{key}" if several and root else key
            frame = frames.setdefault((subset, key), Frame(subset, key, root))
            frame.image = frame.image or path

    def _frame(self, frame: Frame, path: str, data: bytes | SourceError) -> None:
        reading = self._reading
        end = frame.image[frame.image.rindex(".") :] if frame.image else ".png"
        key = frame.key + end
        value: Any = None
        problem = ""
        if path and not isinstance(data, SourceError):
            try:
                if path.endswith(".json"):
                    value = document(data, path, reading.ledger)
                else:
                    value = decode_mask(data, path)
            except BrokenFileError as error:
                problem = error.message
        size = self._size(frame, value)
        number = reading.item(
            key, subset=frame.subset, media=frame.image, width=size[0], height=size[1]
        )
        if frame.image is None and self._images:
            reading.warn(
                "image file missing", file=path, record="item", item=key,
                message=f"{key}: there is no image of this name",
            )  # fmt: skip
        if not path:
            return
        if isinstance(data, SourceError) or problem:
            message = problem or str(data)
            reading.reject(
                "the file can't be read", file=path, record="file", item=key, message=message
            )
        elif path.endswith(".json"):
            self._polygons(number, key, path, value, size)
        else:
            self._mask(number, key, path, value, frame)

    def _size(self, frame: Frame, value: Any) -> tuple[int | None, int | None]:
        if isinstance(value, dict):
            found = [value.get("imgWidth"), value.get("imgHeight")]
            if all(isinstance(v, int) and 0 < v < 2**31 for v in found):
                return found[0], found[1]
        if hasattr(value, "values") and isinstance(value.values, np.ndarray):
            height, width = value.values.shape
            return width, height
        return self._reading.size(frame.image) or (None, None)

    # -- polygons ---------------------------------------------------------------------

    def _polygons(
        self, number: int, key: str, path: str, value: Any, size: tuple[int | None, int | None]
    ) -> None:
        for rank, given in enumerate(list_of(mapping_of(value).get("objects"))):
            spot = Spot(path, f"objects[{rank}]", f"object {rank + 1}", key)
            put(self._reading, number, spot, lambda: self._object(given, rank), size)  # noqa: B023

    def _object(self, given: Any, rank: int) -> dict[str, Any]:
        found = mapping_of(given)
        if found.get("deleted"):
            raise json_shapes.Unusable("object is deleted", "it is marked as deleted")
        name = found.get("label")
        if not isinstance(name, str) or not name:
            raise json_shapes.Unusable("object without label", f"its label is {name!r}")
        flat = json_shapes.points(found.get("polygon"), 3, "polygon")
        row = json_shapes.polygon([(flat, False)])
        known = set(self._table.names.values())
        crowd = False
        if name not in known and official_name(name) is None and name.endswith("group"):
            crowd = name[:-5] in known
        label = name[:-5] if crowd else (official_name(name) or name if self._official else name)
        extra = spare("cityscapes", found, "label", "polygon", "deleted")
        if crowd:
            extra = '{"iscrowd":1' + (f",{extra[1:]}" if extra else "}")
        return {**row, "label": label, "z_order": rank, "extra": extra}

    # -- masks ------------------------------------------------------------------------

    def _mask(self, number: int, key: str, path: str, picture: MaskPicture, frame: Frame) -> None:
        kind = next(k for k, p in frame.files.items() if p == path)
        runs = Runs.of(picture.values)
        if kind == "color":
            runs, table = self._table.interpret(picture)
            runs = runs.mapped(table)
        elif kind == "labeltrainids":
            table = {v: TRAIN_IDS.get(v, 0) if self._official else v for v in runs.unique()}
            runs = runs.mapped(table)
        instances = kind == "instanceids"
        for segment in runs.segments():
            counted = instances and segment.value >= 1000
            index = segment.value // 1000 if counted else segment.value
            if index in self._table.background and not counted:
                continue
            if index == 255 and index not in self._table.names:
                continue  # -1 in eight bits: nothing
            record = f"value {segment.value}"
            if not self._table.knows(index):
                self._reading.warn(
                    "a value that no class has", file=path, record=record, item=key,
                    message=f"{key}: {record} is not in {self._table.file}",
                )  # fmt: skip
            more: dict[str, Any] = {}
            if counted:
                more["source_id"] = str(segment.value)
            elif instances and self._official and index in THINGS:
                more["extra"] = '{"iscrowd":1}'
            self._reading.annotation(
                number, label=self._table.name(index), **segment.row, **more
            )  # fmt: skip


def _table(source: Source) -> tuple[ClassTable, bool]:
    colors = [p for p in source.files.match("**/label_colors.txt") if "gtFine" not in p]
    if colors:
        table = read_class_table(source, min(colors, key=lambda p: p.count("/")))
        same = {official_name(n) for n in table.names.values()} <= {
            *CITYSCAPES.names.values(), "license plate",
        }  # fmt: skip
        ordered = all(official_name(n) == CITYSCAPES.names.get(i) for i, n in table.names.items())
        return (CITYSCAPES, True) if same and ordered and len(table.names) > 30 else (table, False)
    ids = source.files.match("**/class_to_id.json")
    if ids:
        return _supervisely(source, ids[0]), False
    return CITYSCAPES, True


def _supervisely(source: Source, path: str) -> ClassTable:
    try:
        value = document(source.read(path), path, Ledger())
    except NbannotError as error:
        raise BrokenFileError("The list of classes is not JSON", where=path) from error
    rows = []
    for place, given in enumerate(list_of(value)):
        found: Mapping[str, Any] = mapping_of(given)
        number, color = found.get("id", place), found.get("color")
        if isinstance(number, int) and number >= 0:
            rgb = tuple(color) if isinstance(color, list) and len(color) == 3 else None
            rows.append((number, str(found.get("name", f"class_{number}")), rgb))
    return ClassTable.of(rows, path)
