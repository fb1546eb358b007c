"""CIFAR-10 and CIFAR-100 in their Python version: pickles of pixels and classes."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..errors import BrokenFileError
from ..ledger import Ledger
from ..media.kinds import suffix
from ..progress import Progress
from ..schema import DEFAULT_SUBSET, Batch
from ..sources import pickles
from ..sources.base import Source
from ..sources.inside import inside_path
from ..sources.limits import Limits
from .base import Format, Miss, Option
from .fitting import FileNames, Fitting, Holds, Row
from .json_values import dumps
from .look import Look
from .pixels import pixels_of
from .reading import Reading
from .unique_keys import UniqueKeys
from .writing import Export, Sink

__all__ = ["Cifar"]

_META = ("batches.meta", "meta")
_WORDS = (b"fine_label", b"coarse_label", b"label_names")
_BATCH = re.compile(r"(?:(data)_batch_\d+|(.+?)_batch)")
_UNSAFE = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_MAX_CLASSES = 1_000_000


class Cifar(Format):
    """CIFAR-10 and CIFAR-100, the Python version: ``data_batch_1``, ``test_batch``, ``train``.

    **Items** are the images of each batch; the key is the name in ``filenames``, else the number.
    ``data_batch_1`` to ``5`` are the subset train, ``test_batch`` is test; in CIFAR-100 the
    file's name is the subset. Images are 32 x 32, unless ``image_sizes`` says otherwise
    (Datumaro); each is read from its place in the batch, as PNG.

    **Annotations** are tags, one for each image: the class, in CIFAR-100 the fine one, whose
    parent is the coarse one. Names are in ``batches.meta`` or ``meta``.

    **Safety.** The pickles are read as plain data: nothing that they name is called, and a
    pickle with anything but numbers, text, lists, dicts and arrays is refused.

    **Lost in writing:** items without a class, and colours beyond 8 bits.
    """

    name: ClassVar[str] = "cifar"
    title: ClassVar[str] = "CIFAR-10/100"
    summary: ClassVar[str] = "Batches of pixels and classes, the Python version."
    rules: ClassVar[str] = "https://www.cs.toronto.edu/~kriz/cifar.html"
    holds: ClassVar[tuple[str, ...]] = ("tag",)
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "kind",
            "choice",
            "auto",
            "auto: CIFAR-100 where every class in use has a parent, else CIFAR-10.",
            ("auto", "cifar10", "cifar100"),
        ),
        Option("size", "number", None, "Bring images to this many pixels square; CIFAR has 32."),
    )

    def requires(self, look: Look) -> float:
        """Recognise pickles by what their heads name."""
        main = look.source.main
        files = [main] if main else _likely(look.source)
        look.need(files, "no batches.meta or meta, and no data_batch_1 or test_batch")
        for path in files[:8]:
            data = look.head(path).data
            if not _is_pickle(data):
                continue
            pixels = b"labels" in data or b"_reconstruct" in data
            if any(word in data for word in _WORDS) or (b"data" in data and pixels):
                look.found(f"{path} is a pickle of classes and pixels")
                return 0.95
        raise Miss(f"{files[0]} is no pickle of CIFAR")

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the images of each batch, in order; see `Format.read`.

        Raises:
            BrokenFileError: the only batch is no pickle of plain data.
        """
        reading = Reading(source, ledger, progress, limit)
        names: dict[str, list[str]] = {}
        batches = []
        keys = UniqueKeys(reading)
        for path in [source.main] if source.main else _likely(source):
            if path.rpartition("/")[2] in _META:
                names.update(_names(source, path))
            else:
                batches.append(path)
        fine = names.get("fine_label_names") or names.get("label_names") or []
        for name in [*fine, *names.get("coarse_label_names", [])]:
            reading.label(name)
        progress.start("Reading", unit="items")
        for path in batches:
            reader = _Batch(reading, keys, path, fine, names.get("coarse_label_names", []))
            try:
                yield from reader.read()
            except BrokenFileError as error:
                if len(batches) == 1:
                    raise
                reading.reject(
                    "batch that can't be read", file=path, record="file", message=str(error)
                )
            if reading.is_full:
                break
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write a batch for each subset, and the names of the classes.

        Items with one tag are written. Where media is not saved, the batches have no pixels.
        """
        chosen = self.check_options(options, writing=True)
        fitting = Fitting(self.title, Holds({"tag": ()}), ledger)
        classes = _classes(export, chosen["kind"])
        side = int(chosen["size"]) if chosen["size"] else 0
        size = (side, side) if side else None
        progress.start("Writing", unit="items")
        taken: set[str] = set()
        for subset in export.subsets:
            name = _UNSAFE.sub("_", subset or DEFAULT_SUBSET)
            if not classes.coarse:
                name = "data_batch_1" if name == "train" else f"{name}_batch"
            while name in taken:
                name += "_"
            taken.add(name)
            writer = _Writer(sink, fitting, classes, size)
            sink.write(name, _pickled(writer.batch(export.batches(subset), progress, name)))
        if classes.coarse:
            meta = {"fine_label_names": list(classes.fine), "coarse_label_names": classes.coarse}
            sink.write("meta", _pickled(meta))
        else:
            sink.write("batches.meta", _pickled({"label_names": list(classes.fine)}))
        fitting.close()


def _likely(source: Source) -> list[str]:
    # Files that may be batches: beside batches.meta or meta, or called like one; names first.
    files = source.files.with_suffix("", ".meta", ".pkl", ".pickle")
    named = [p for p in files if p.rpartition("/")[2] in _META]
    folders = {p.rpartition("/")[0] for p in named}
    found = []
    for path in files:
        folder, _, name = path.rpartition("/")
        if name not in _META and (folder in folders or _BATCH.fullmatch(name)):
            found.append(path)
    return [*named, *found]


def _is_pickle(data: bytes) -> bool:
    return data[:1] == b"\x80" or data[:3] in (b"(dp", b"(lp")


def _load(source: Source, path: str) -> dict[str, Any]:
    if (source.size(path) or 0) > Limits().member_bytes:
        raise BrokenFileError("The file is too large to be read at once", where=path)
    try:
        found = pickles.loads(source.read(path))
    except ValueError as error:
        raise BrokenFileError(
            f"The file is no pickle of plain data: {error}", where=path,
            hint="Pickles can run programs, so only those of CIFAR's kind are read.",
        ) from None  # fmt: skip
    if not isinstance(found, dict):
        raise BrokenFileError("The file is no batch of CIFAR", where=path)
    return found


def _names(source: Source, path: str) -> dict[str, list[str]]:
    found = _load(source, path)
    lists = {k: v for k, v in found.items() if isinstance(v, list) and "names" in str(k)}
    return {k: [_text(name) for name in v[:_MAX_CLASSES]] for k, v in lists.items()}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _numbers(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist()
    return list(value) if isinstance(value, (list, tuple)) else []


class _Batch:
    """One batch."""

    def __init__(
        self,
        reading: Reading,
        keys: UniqueKeys,
        path: str,
        fine: Sequence[str],
        coarse: Sequence[str],
    ) -> None:
        self._reading, self._keys, self._path = reading, keys, path
        self._fine, self._coarse = fine, coarse
        name = path.rpartition("/")[2]
        name = name.removesuffix(suffix(name))
        match = _BATCH.fullmatch(name)
        self._subset = ("train" if match[1] else match[2]) if match else name

    def read(self) -> Iterator[Batch]:
        """Add the images."""
        batch = _load(self._reading.source, self._path)
        images = pickles.images(batch)
        fine = _numbers(batch.get("fine_labels", batch.get("labels")))
        coarse = _numbers(batch.get("coarse_labels"))
        names = _numbers(batch.get("filenames"))
        count = max(len(images), len(fine), len(names))
        if not count and not {"data", "labels", "fine_labels"} & set(batch):
            raise BrokenFileError("The file is no batch of CIFAR", where=self._path)
        for number in range(count):
            given = _text(names[number]) if number < len(names) else ""
            image = images[number] if number < len(images) else None
            item = self._item(number, given, image, bool(images))
            self._tag(item, number, fine, coarse)
            self._reading.progress.advance()
            yield from self._reading.batches()
            if self._reading.is_full:
                return

    def _item(self, number: int, given: str, image: Any, pixels: bool) -> int:
        key = given.replace("\\", "/").lstrip("/")
        if not key or ".." in key.split("/"):
            key = f"{self._path.rpartition('/')[2]}/{number:05d}.png"
        reading = self._reading
        where = f"image {number}"
        wanted, key = key, self._keys.of(key, self._subset)
        renamed = key != wanted
        media = None if image is None else inside_path(self._path, "cifar", number)
        item = reading.item(
            key, subset=self._subset, media=media,
            width=None if image is None else image.shape[1],
            height=None if image is None else image.shape[0],
        )  # fmt: skip
        if renamed:
            reading.warn(
                "second image of one name", file=self._path, where=where, record="item", item=key,
                message=f"{where}: {given} is another image's name, so it is called {key}",
            )  # fmt: skip
        if image is None and pixels:
            reading.warn(
                "image without pixels", file=self._path, where=where, record="item", item=key,
                message=f"{where}: its pixels are not three planes of its size",
            )  # fmt: skip
        return item

    def _tag(self, item: int, number: int, fine: list[Any], coarse: list[Any]) -> None:
        record = f"label {number}"
        value = fine[number] if number < len(fine) else None
        if value is None:
            self._reading.warn(
                "image without a class", file=self._path, record="item",
                item=self._reading.key(item), message=f"there is no class for image {number}",
            )  # fmt: skip
            return
        label = _named(self._fine, value)
        if label is None:
            self._reading.reject(
                "class is not in the names", file=self._path, where=record, record=record,
                item=self._reading.key(item), message=f"{record}: there is no class {value!r:.40}",
            )  # fmt: skip
            return
        above = _named(self._coarse, coarse[number]) if number < len(coarse) else None
        attributes = None
        if above and above != label:
            self._reading.label(above)
            known = self._reading.labels.get(label)
            if known is None or known.parent is None:
                self._reading.label(label, parent=above)
            elif known.parent != above:  # not as in CIFAR-100, where one follows from the other
                attributes = dumps({"coarse": above})
        self._reading.annotation(item, type="tag", label=label, attributes=attributes)


def _named(names: Sequence[str], value: Any) -> str | None:
    if not isinstance(value, int) or value < 0:
        return None
    if not names:
        return f"class_{value}"
    return names[value] if value < len(names) else None


# -- writing ----------------------------------------------------------------------------------


@dataclass
class _Classes:
    """Numbers of the classes, and of the coarse class of each; no coarse ones: CIFAR-10."""

    fine: dict[str, int] = field(default_factory=dict)
    parents: dict[str, int] = field(default_factory=dict)
    coarse: list[str] = field(default_factory=list)


def _classes(export: Export, kind: str) -> _Classes:
    parents = {label.name: label.parent for label in export.labels if label.parent}
    above = list(dict.fromkeys(parents.values()))
    plain = [label.name for label in export.labels if label.name not in above]
    hundred = kind == "cifar100" or (
        kind == "auto" and bool(plain) and all(n in parents for n in plain)
    )
    if not hundred:
        return _Classes({label.name: i for i, label in enumerate(export.labels)})
    names = [str(name) for name in above]
    if any(n not in parents for n in plain) or not names:
        names.append("other")
    found = _Classes({name: i for i, name in enumerate(plain)}, {}, names)
    for name in plain:
        found.parents[name] = names.index(parents.get(name) or "other")
    return found


def _pickled(value: Any) -> bytes:
    # As of protocol 3 bytes are data; before, they name a function, which Datumaro refuses.
    return pickle.dumps(value, protocol=3)


class _Writer:
    """One subset."""

    def __init__(
        self, sink: Sink, fitting: Fitting, classes: _Classes, size: tuple[int, int] | None
    ) -> None:
        self._sink, self._fitting, self._classes = sink, fitting, classes
        self._size = size
        self._names = FileNames()

    def batch(self, batches: Iterator[Batch], progress: Progress, name: str) -> dict[str, Any]:
        """Return the batch as a dict."""
        files: list[str] = []
        labels: list[int] = []
        coarse: list[int] = []
        images: list[Any] = []
        for batch in batches:
            for item, rows in self._fitting.fit(batch):
                progress.advance()
                pixels = self._pixels(item, rows)
                if pixels is None:
                    continue
                files.append(self._names.of(item))
                labels.append(self._classes.fine[rows[0]["label"]])
                coarse.append(self._classes.parents.get(rows[0]["label"], 0))
                images.append(pixels)
        out: dict[str, Any] = {"batch_label": name, "filenames": files}
        if self._classes.coarse:
            out.update(fine_labels=labels, coarse_labels=coarse)
        else:
            out["labels"] = labels
        if self._sink.saves_media:
            out.update(_data(images))
        return out

    def _pixels(self, item: Row, rows: list[Row]) -> Any:
        # The pixels; an empty array where media is not saved, None where it is not written.
        problem = "" if rows else "item without a class"
        if rows and rows[0]["label"] not in self._classes.fine:
            problem = "class that is not declared"
        pixels: Any = np.empty(0, np.uint8)
        if not problem and self._sink.saves_media:
            try:
                data = self._sink.media(item["number"]) or b""
                pixels, changes = pixels_of(data, "RGB", self._size)
                if changes:
                    self._say("warn", item, "pixels changed", changes)
            except ValueError:
                problem = "image that can't be read"
        if problem:
            self._say("reject", item, problem, "it is not written")
            for row in rows:
                self._fitting.reject(item, row, problem, "its image is not written")
            return None
        for row in rows[1:]:
            self._fitting.reject(item, row, "more than one class", "CIFAR holds one for each image")
        return pixels

    def _say(self, how: str, item: Row, reason: str, text: str) -> None:
        key = item["key"]
        getattr(self._fitting.ledger, how)(
            reason, file=key, record="item", item=key, message=f"{key}: {text}"
        )


def _data(images: list[Any]) -> dict[str, Any]:
    # Planes of red, green, blue; sizes other than 32 x 32 as Datumaro writes them.
    planes = [image.transpose(2, 0, 1).ravel() for image in images]
    sizes = [tuple(image.shape[:2]) for image in images]
    if len(set(sizes)) <= 1:
        rows: Any = np.stack(planes) if planes else np.empty((0, 3072), np.uint8)
    else:
        rows = np.empty(len(planes), object)
        rows[:] = planes
    out: dict[str, Any] = {"data": rows}
    if set(sizes) - {(32, 32)}:
        out["image_sizes"] = sizes
    return out
