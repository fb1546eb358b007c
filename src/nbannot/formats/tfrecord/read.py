"""Reading records: an item and its objects from each."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...errors import BrokenFileError, NbannotError, printable
from ...ledger import Ledger
from ...media.images import probe_image
from ...media.kinds import suffix
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ...sources.inside import inside_path
from ...sources.tfrecord import Features, Value, parse_example, records
from ..bit_masks import read_mask
from ..json_values import dumps
from ..media_index import as_path
from ..reading import Reading
from ..text_lines import lines_of, text_of
from ..unique_keys import UniqueKeys
from .label_map import parse

__all__ = ["FLAGS", "Reader"]

FLAGS = ("difficult", "truncated", "group_of", "is_crowd")

_SPLITS = frozenset(
    ("train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval")
)  # fmt: skip
_NO_SUBSET = frozenset(("", "tf", "data", "dataset", "records", "objects"))
_ENCODED = ("image/encoded", "image_bytes", "image")
_NAMES = ("image/filename", "filename", "file_name", "image/filename/0")
_OBJECT = "image/object/"
_CORNERS = tuple(f"{_OBJECT}bbox/{n}" for n in ("xmin", "ymin", "xmax", "ymax"))
_SIDES = 1e-6
_FORMATS = {"jpeg": ".jpg", "jpg": ".jpg", "png": ".png", "gif": ".gif", "bmp": ".bmp"}


class Reader:
    """One read."""

    def __init__(
        self, source: Source, files: Sequence[str], ledger: Ledger, progress: Progress,
        limit: int | None,
    ) -> None:  # fmt: skip
        self._reading = Reading(source, ledger, progress, limit)
        self._source, self._files, self._progress = source, files, progress
        self._keys = UniqueKeys(self._reading)
        self._maps: dict[str, dict[int, str]] = {}
        self._file = ""
        self._subset: str | None = None
        self._names: dict[int, str] = {}
        self._lists: dict[str, list[str]] = {}

    def read(self) -> Iterator[Batch]:
        """Yield everything."""
        self._progress.start("Reading", unit="items")
        for path in () if self._source.main else self._source.files.match("**/*.labels.txt"):
            name = path.rpartition("/")[2].removesuffix(".labels.txt")  # TensorFlow Datasets
            lines = [line for _, line in lines_of(self._source.read(path))]
            self._lists[name] = [self._reading.label(line) for line in lines]
        for file in self._files:
            self._file, self._subset = file, _subset(file)
            self._names = self._map()
            yield from self._records()
            if self._reading.is_full:
                break
        yield from self._reading.rest()

    def _map(self) -> dict[int, str]:
        # The label map beside the file, else the one that lies nearest above or the only one.
        if self._source.main:
            return {}
        home = self._file.rpartition("/")[0]
        maps = self._source.files.match("**/*.pbtxt")
        near = [m for m in maps if m.rpartition("/")[0] == home]
        above = [m for m in maps if f"{home}/".startswith(f"{m.rpartition('/')[0]}/".lstrip("/"))]
        chosen = next(iter([*near, *above, *(maps if len(maps) == 1 else [])]), None)
        if chosen is None:
            return {}
        if chosen not in self._maps:
            found = parse(text_of(self._source.read(chosen)))
            self._maps[chosen] = {}
            for number, (name, shown) in found.items():
                more = {"display_name": shown} if shown and shown != name else {}
                label = name or f"class_{number}"
                self._reading.label(label, source_id=str(number), extra=more)
                self._maps[chosen][number] = label
        return self._maps[chosen]

    def _records(self) -> Iterator[Batch]:
        number = 0
        try:
            with self._source.open(self._file) as stream:
                for offset, data, right in records(stream, name=self._file):
                    self._record(number, offset, data, right=right)
                    number += 1
                    self._progress.advance()
                    yield from self._reading.batches()
                    if self._reading.is_full:
                        return
        except BrokenFileError as error:
            if not number and len(self._files) == 1:
                raise
            self._reading.reject(
                "the file is damaged", file=self._file, where=f"record {number}",
                record=f"record {number}", message=str(error),
            )  # fmt: skip

    def _record(self, number: int, offset: int, data: bytes, *, right: bool) -> None:
        where = f"record {number}"
        problem = "" if right else "its checksum is wrong"
        features: Features = {}
        if right:
            try:
                features = parse_example(data)
            except ValueError as error:
                problem = f"it is no tf.train.Example: {error}"
        if not problem and not features:
            problem = "it has no features"
        if problem:
            self._reading.reject(
                "record that can't be read", file=self._file, where=where, record=where,
                message=f"{where}: {problem}",
            )  # fmt: skip
            return
        self._item(features, number, offset, where)

    # -- the item -----------------------------------------------------------------------

    def _item(self, features: Features, number: int, offset: int, where: str) -> None:
        column = next((n for n in _ENCODED if _bytes(features, n)), "")
        encoded = _bytes(features, column) if column else b""
        given = next((t for n in _NAMES if (t := _text(features, n))), "")
        ident = _text(features, "image/source_id")
        key, other = self._key(given, ident, number, features, encoded)
        if other:
            self._reading.warn(
                "second record of one name", file=self._file, where=where, record="item", item=key,
                message=f"{where}: {other} is another record's, so it is called {key}",
            )  # fmt: skip
        media = inside_path(self._file, "tfrecord", offset, column, 0) if encoded else None
        if media is None and given:
            media = self._reading.find(given).path
        size = _declared(features) or _probed(encoded)
        item = self._reading.item(
            key, subset=self._subset, media=media, source_id=ident or None,
            width=size[0] if size else None, height=size[1] if size else None,
        )  # fmt: skip
        if media is None and self._reading.has_images:
            self._reading.warn(
                "image file missing", file=self._file, where=where, record="item", item=key,
                message=f"{where} holds no image, and there is no file of its name",
            )  # fmt: skip
        self._tags(item, features, where)
        self._objects(item, features, size, where)

    def _key(
        self, given: str, ident: str, number: int, features: Features, encoded: bytes
    ) -> tuple[str, str]:
        key = as_path(given or ident).lstrip("/")
        if ".." in key.split("/"):
            key = key.rpartition("/")[2].strip(".")
        key = key or f"{number:06d}"
        if not suffix(key):
            form = _text(features, "image/format") or _text(features, "format")
            png = encoded.startswith(b"\x89PNG")
            key += _FORMATS.get(form.lower().lstrip("."), ".png" if png else ".jpg")
        free = self._keys.of(key, self._subset)
        return free, key if free != key else ""

    # -- what is on it ------------------------------------------------------------------

    def _tags(self, item: int, features: Features, where: str) -> None:
        texts = features.get("image/class/text", ())
        numbers = features.get("image/class/label", ())
        for n in range(max(len(texts), len(numbers))):
            label = self._label(_at(texts, n), _at(numbers, n), self._names)
            if label:
                self._reading.annotation(item, type="tag", label=label)
        if "image/class/text" in features or "image/class/label" in features:
            return
        for value in features.get("label", ()):
            listed = dict(enumerate(self._lists.get("label", ())))
            text = value if isinstance(value, bytes) else None
            label = self._label(text, None if text else value, listed, zero=True)
            if label:
                self._reading.annotation(item, type="tag", label=label)

    def _label(
        self, text: Value | None, number: Value | None, names: dict[int, str], *, zero: bool = False
    ) -> str | None:
        if isinstance(text, bytes) and text:
            return text.decode("utf-8", "replace")
        if number is None or isinstance(number, bytes):
            return None
        whole = int(number) if math.isfinite(number) else -1
        if whole in names:
            return names[whole]
        return f"class_{whole}" if whole > 0 or (zero and whole == 0) else None

    def _objects(
        self, item: int, features: Features, size: tuple[int, int] | None, where: str
    ) -> None:
        corners: Sequence[Sequence[Value]] = [features.get(n, ()) for n in _CORNERS]
        texts = features.get(f"{_OBJECT}class/text", ())
        numbers = features.get(f"{_OBJECT}class/label", ())
        names = self._names
        if not any(corners) and "objects/bbox" in features:  # TensorFlow Datasets: y, x, y, x
            flat = features["objects/bbox"]
            corners = [flat[1::4], flat[0::4], flat[3::4], flat[2::4]]
            numbers = features.get("objects/label", ())
            names = dict(enumerate(self._lists.get("objects-label", ())))
        masks = features.get(f"{_OBJECT}mask", ())
        count = max(len(c) for c in [*corners, masks, texts])
        for n in range(count):
            record = f"{where}, object {n + 1}"
            zero = "objects/bbox" in features
            label = self._label(_at(texts, n), _at(numbers, n), names, zero=zero)
            values = {"label": label, **_more(features, n)}
            mask = _at(masks, n)
            if isinstance(mask, bytes) and mask:
                self._mask(item, mask, size, values, where, record)
            else:
                self._box(item, [_at(c, n) for c in corners], size, values, where, record)

    def _mask(
        self, item: int, data: bytes, size: tuple[int, int] | None, values: dict[str, Any],
        where: str, record: str,
    ) -> None:  # fmt: skip
        try:
            columns = read_mask(data, size)
        except ValueError as error:
            self._reject("mask can't be read", item, where, record, str(error))
            return
        self._reading.annotation(item, type="mask", **values, **columns)

    def _box(
        self, item: int, corners: Sequence[Value | None], size: tuple[int, int] | None,
        values: dict[str, Any], where: str, record: str,
    ) -> None:  # fmt: skip
        edges = [float(v) for v in corners if isinstance(v, (int, float)) and math.isfinite(v)]
        if len(edges) < 4:
            text = f"xmin, ymin, xmax, ymax are {printable(list(corners))}"
            self._reject("box without numbers", item, where, record, text)
            return
        x1, y1, x2, y2 = edges
        if size is None:
            text = "its coordinates are parts of the image's size"
            self._reject("size of the image is unknown", item, where, record, text)
        elif x2 < x1 or y2 < y1:
            text = f"xmin, ymin, xmax, ymax are {edges}"
            self._reject("box of negative size", item, where, record, text)
        else:
            if min(edges) < -_SIDES or max(edges) > 1 + _SIDES:
                self._reading.warn(
                    "box reaches outside the image", file=self._file, where=where, record=record,
                    item=self._reading.key(item), message=f"{record}: {edges}, of 0 to 1",
                )  # fmt: skip
            width, height = size
            self._reading.annotation(
                item, type="box", x=x1 * width, y=y1 * height, w=(x2 - x1) * width,
                h=(y2 - y1) * height, **values,
            )  # fmt: skip

    def _reject(self, reason: str, item: int, where: str, record: str, text: str) -> None:
        self._reading.reject(
            reason, file=self._file, where=where, record=record, item=self._reading.key(item),
            message=f"{record}: {text}",
        )  # fmt: skip


def _subset(file: str) -> str | None:
    # "train/x.tfrecord", "train.tfrecord-00000-of-00010", "voc-train.tfrecord" -> "train"
    folder, _, name = file.rpartition("/")
    stem = re.sub(r"(?i)(-\d+-of-\d+)?(\.tf-?records?|\.records?)(-\d+-of-\d+)?$", "", name)
    last = folder.rpartition("/")[2]
    if stem.lower() not in _SPLITS and last.lower() in _SPLITS:
        return last
    end = re.split(r"[-_.]", stem)[-1]
    if end.lower() in _SPLITS and stem != end:
        return end
    return None if stem.lower() in _NO_SUBSET else stem


def _at(values: Sequence[Value], n: int) -> Value | None:
    return values[n] if n < len(values) else None


def _bytes(features: Features, name: str) -> bytes:
    value = _at(features.get(name, ()), 0)
    return value if isinstance(value, bytes) else b""


def _text(features: Features, name: str) -> str:
    value = _at(features.get(name, ()), 0)
    if isinstance(value, int):
        return str(value)
    return value.decode("utf-8", "replace").strip("\0") if isinstance(value, bytes) else ""


def _declared(features: Features) -> tuple[int, int] | None:
    found = []
    for name in ("width", "height"):
        value = _at(features.get(f"image/{name}", ()) or features.get(name, ()), 0)
        # Some tools write sizes as floats.
        if not isinstance(value, (int, float)) or not 0 < value < 1 << 31 or value != int(value):
            return None
        found.append(int(value))
    return found[0], found[1]


def _probed(encoded: bytes) -> tuple[int, int] | None:
    try:
        info = probe_image(encoded) if encoded else None
    except NbannotError:
        return None
    return (info.width, info.height) if info else None


def _more(features: Features, n: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    flags: dict[str, Any] = {}
    for name in FLAGS:
        if _at(features.get(f"{_OBJECT}{name}", ()), n) == 1:
            flags[name] = True
    view = _at(features.get(f"{_OBJECT}view", ()), n)
    if isinstance(view, bytes) and view:
        flags["view"] = view.decode("utf-8", "replace")
    if flags:
        values["attributes"] = dumps(flags)
    if _at(features.get(f"{_OBJECT}occluded", ()), n) == 1:
        values["occluded"] = True
    score = _at(features.get(f"{_OBJECT}score", ()), n)
    if isinstance(score, float) and math.isfinite(score):
        values["score"] = score
    area = _at(features.get(f"{_OBJECT}area", ()), n)
    if isinstance(area, (int, float)) and math.isfinite(area):
        values["extra"] = dumps({"tfrecord": {"area": area}})
    return values
