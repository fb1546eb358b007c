"""One row of a dataset: an item, and what its columns say of it."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ...errors import NbannotError
from ...geometry import mask_to_rle
from ...media.images import FORMATS, MAX_PREVIEW_PIXELS
from ..json_values import dumps
from ..reading import Reading
from .features import Features

__all__ = ["RowReader", "is_mask", "is_xyxy"]

Row = Mapping[str, Any]

_LABELS = ("label", "labels", "class", "classes", "category", "categories", "tag", "tags")
_TEXTS = (
    "text", "texts", "caption", "captions", "transcription", "transcript", "sentence",
)  # fmt: skip
_IDS = ("image_id", "id")
_BOX_LABELS = (
    "category", "categories", "label", "labels", "category_id", "class", "classes", "name",
)  # fmt: skip
_MOST_VALUES = 1000


@dataclass
class RowReader:
    """Turns rows into annotations; `xyxy`: boxes are corners, not x, y, width, height."""

    reading: Reading
    features: Features
    xyxy: bool = False

    def columns(self, row: Row) -> dict[str, Any]:
        """Return the columns of ITEMS that a row fills: size, id, and what nothing else takes."""
        values: dict[str, Any] = {}
        width, height = _size(row)
        if width and height:
            values.update(width=width, height=height)
        given = next((row[n] for n in _IDS if row.get(n) not in (None, "")), None)
        if given is not None:
            values["source_id"] = str(given)
        rest = {k: v for k, v in row.items() if v is not None and not self._is_known(k, v)}
        if rest:
            values["meta"] = dumps({"hf": rest})
        return values

    def _is_known(self, name: str, value: Any) -> bool:
        if name in ("file_name", "width", "height", *_IDS):
            return True
        return self._role(name, value) != ""

    def _role(self, name: str, value: Any) -> str:
        if name in self.features.media or name.endswith("_file_name"):
            return "media"
        if name == "objects" or _has_boxes(value):
            return "objects"
        if name in self.features.names or name in _LABELS:
            return "label"
        return "text" if name in _TEXTS else ""

    def add(self, item: int, row: Row, file: str, where: str) -> None:
        """Add what a row says of its item."""
        for name, value in row.items():
            role = self._role(name, value) if value is not None else ""
            if role == "objects":
                self._objects(item, name, value, file, where)
            elif role == "label":
                self._tags(item, name, value, file, where)
            elif role == "text":
                self._texts(item, name, value, file, where)

    # -- classes and texts ----------------------------------------------------------------

    def _tags(self, item: int, name: str, value: Any, file: str, where: str) -> None:
        values = _several(value)
        for n, one in enumerate(values, 1):
            record = f"{where}, {name}" + (f" {n}" if len(values) > 1 else "")
            try:
                label = self.features.class_name(name, one)
            except ValueError as error:
                self._reject("class is not in names", item, file, where, record, str(error))
                continue
            if label is not None:
                more = None if name in _LABELS else dumps({"column": name})
                self.reading.annotation(item, type="tag", label=label, attributes=more)

    def _texts(self, item: int, name: str, value: Any, file: str, where: str) -> None:
        values = value if isinstance(value, list) else [value]
        for n, one in enumerate(values, 1):
            if one is None:
                continue
            if not isinstance(one, (str, int, float)):
                record = f"{where}, {name} {n}"
                self._reject("text is not a text", item, file, where, record, f"{one!r:.80}")
                continue
            self.reading.annotation(item, type="text", text=str(one))

    # -- boxes ----------------------------------------------------------------------------

    def _objects(self, item: int, name: str, value: Any, file: str, where: str) -> None:
        try:
            objects = _objects(value)
        except ValueError as error:
            self._reject("objects that can't be read", item, file, where, f"{where}, {name}",
                         str(error))  # fmt: skip
            return
        size = self.sizes.get(item)
        for n, one in enumerate(objects):
            record = f"{where}, {name} {n + 1}"
            box = numbers(one.get("bbox"))
            if box is None:
                text = f"its bbox is {one.get('bbox')!r:.80}"
                self._reject("box without numbers", item, file, where, record, text)
                continue
            if self.xyxy:
                box = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            if box[2] < 0 or box[3] < 0:
                text = f"it is {box[2]:g} wide and {box[3]:g} high"
                self._reject("box of negative size", item, file, where, record, text)
                continue
            self._box(item, name, one, box, file, where, record, size)

    def _box(
        self, item: int, name: str, one: Row, box: list[float], file: str, where: str,
        record: str, size: tuple[int, int] | None,
    ) -> None:  # fmt: skip
        column = next((c for c in _BOX_LABELS if c in one), "")
        try:
            label = self.features.class_name(f"{name}.{column}", one.get(column))
        except ValueError as error:
            self._reject("class is not in names", item, file, where, record, str(error))
            return
        x, y, w, h = box
        if size and (x < 0 or y < 0 or x + w > size[0] + 1e-6 or y + h > size[1] + 1e-6):
            self.reading.warn(
                "box reaches outside the image", file=file, where=where, record=record,
                item=self.reading.key(item),
                message=f"{record}: {box} in an image of {size[0]}x{size[1]}",
            )  # fmt: skip
        values: dict[str, Any] = {"label": label, "x": x, "y": y, "w": w, "h": h}
        values.update(self._more(one, column))
        self.reading.annotation(item, type="box", **values)

    def _more(self, one: Row, column: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, value in one.items():
            if value is None or name in ("bbox", column):
                continue
            if name in ("id", "bbox_id"):
                values["source_id"] = str(value)
            elif name in ("score", "scores") and isinstance(value, (int, float)):
                values["score"] = float(value)
            elif name in ("text", "transcription") and isinstance(value, str):
                values["text"] = value
            elif name == "attributes" and isinstance(value, str) and _is_object(value):
                attributes.update(json.loads(value))
            elif name in ("area", "iscrowd", "is_crowd"):
                extra[name] = value
            else:
                attributes[name] = value
        if attributes:
            values["attributes"] = dumps(attributes)
        if extra:
            values["extra"] = dumps({"hf": extra})
        return values

    def __post_init__(self) -> None:
        self.sizes: dict[int, tuple[int, int]] = {}
        self._told: set[str] = set()

    def not_read(self, column: str, file: str) -> None:
        """Note, once, that a column of media is not read."""
        if column not in self._told:
            self._told.add(column)
            self.reading.ledger.note(
                "second media column", file=file,
                message=f"{column} is neither the item nor a mask, and is not read",
            )  # fmt: skip

    # -- masks ----------------------------------------------------------------------------

    def mask(self, item: int, name: str, path: str, file: str, where: str) -> None:
        """Add the masks of an image of class numbers: one for each number but 0."""
        record = f"{where}, {name}"
        try:
            classes = _pixels(self.reading.source.read(path))
        except (NbannotError, ValueError) as error:
            self._reject("mask can't be read", item, file, where, record, str(error))
            return
        values = [int(v) for v in np.unique(classes) if v]
        if len(values) > _MOST_VALUES:
            text = f"it has {len(values):,} different values"
            self._reject("mask of too many values", item, file, where, record, text)
            return
        column = name.removesuffix("_file_name")
        binary = values in ([1], [255])
        for value in values:
            chosen = classes == value
            ys, xs = np.nonzero(chosen)
            label = column if binary else f"class_{value}"
            names = self.features.names.get(column, ())
            self.reading.annotation(
                item, type="mask", label=names[value] if value < len(names) else label,
                mask=mask_to_rle(chosen), mask_height=classes.shape[0],
                mask_width=classes.shape[1], x=float(xs.min()), y=float(ys.min()),
                w=float(np.ptp(xs) + 1), h=float(np.ptp(ys) + 1),
            )  # fmt: skip

    def _reject(
        self, reason: str, item: int, file: str, where: str, record: str, text: str
    ) -> None:
        self.reading.reject(
            reason, file=file, where=where, record=record, item=self.reading.key(item),
            message=f"{record}: {text}",
        )  # fmt: skip


def is_mask(column: str) -> bool:
    """Say whether a second column of images is one of masks, by its name.

    >>> is_mask("segmentation_mask_file_name"), is_mask("depth")
    (True, False)
    """
    return any(word in column.lower() for word in ("mask", "annotation", "label", "seg"))


def _size(row: Row) -> tuple[int | None, int | None]:
    found = []
    for name in ("width", "height"):
        try:
            value = int(row.get(name) or 0)
        except (TypeError, ValueError, OverflowError):
            value = 0
        found.append(value if 0 < value < 1 << 31 else None)
    return found[0], found[1]


def _several(value: Any) -> Sequence[Any]:
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        try:
            value = json.loads(value)
        except ValueError:
            return [value]
    return value if isinstance(value, list) else [value]


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _has_boxes(value: Any) -> bool:
    if isinstance(value, dict):
        return "bbox" in value
    return bool(isinstance(value, list) and value and isinstance(value[0], dict)
                and "bbox" in value[0])  # fmt: skip


def _objects(value: Any) -> list[Row]:
    # A list of dicts, or a dict of lists; in CSV, either of them as JSON.
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("it is no JSON") from None
    if isinstance(value, list):
        return [one if isinstance(one, dict) else {"bbox": one} for one in value]
    if not isinstance(value, dict):
        raise ValueError("it is neither a list nor a dict of lists")  # noqa: TRY004
    lists = {k: v for k, v in value.items() if isinstance(v, list)}
    boxes = lists.get("bbox")
    if boxes is None:
        if value.get("bbox") is None:
            return []
        raise ValueError("its bbox is no list")
    if len(boxes) == 4 and all(isinstance(v, (int, float)) for v in boxes):
        return [{**value, "bbox": boxes}]
    # A category without a box is rejected as a box without numbers.
    labelled = [len(lists[c]) for c in _BOX_LABELS if c in lists][:1]
    count = max([len(boxes), *labelled])
    return [{k: v[i] for k, v in lists.items() if i < len(v)} for i in range(count)]


def numbers(value: Any) -> list[float] | None:
    """Return four finite numbers, None where `value` is anything else."""
    if not isinstance(value, (list, tuple)) or len(value) != 4:
        return None
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in value):
        return None
    box = [float(v) for v in value]
    return box if all(math.isfinite(v) for v in box) else None


def is_xyxy(rows: Iterable[tuple[Row, tuple[int, int] | None]]) -> bool:
    """Say whether boxes are corners: as x, y, w, h some leave their image, as corners none does."""
    outside = False
    for row, size in rows:
        if size is None:
            continue
        for name, value in row.items():
            if name != "objects" and not _has_boxes(value):
                continue
            try:
                boxes = [numbers(one.get("bbox")) for one in _objects(value)]
            except ValueError:
                continue
            for box in boxes:
                if box is None:
                    continue
                a, b, c, d = box
                if not (a < c <= size[0] + 1 and b < d <= size[1] + 1):
                    return False
                outside = outside or a + c > size[0] + 1 or b + d > size[1] + 1
    return outside


def _pixels(data: bytes) -> Any:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PREVIEW_PIXELS:
                raise ValueError("it is too large")
            values = np.asarray(image)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"it is no image: {error}") from None
    if values.ndim == 3:
        if values.shape[2] >= 3 and not (values[..., 0] == values[..., 1]).all():
            raise ValueError("it has colours, and which colour is which class is not said")
        values = values[..., 0]
    return values
