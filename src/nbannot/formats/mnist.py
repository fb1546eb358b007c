"""MNIST and its kin: idx files of pixels and classes, or CSV with a pixel in each column."""

from __future__ import annotations

import csv
import gzip
import io
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, BinaryIO, ClassVar, cast

from ..errors import BrokenFileError
from ..ledger import Ledger
from ..progress import Progress
from ..schema import DEFAULT_SUBSET, Batch
from ..sources.base import Source
from ..sources.cells import csv_image
from ..sources.idx import IdxFile, header, idx_header
from ..sources.inside import inside_path
from .base import Format, Miss, Option
from .fitting import Fitting, Holds, Row
from .imagenet_txt import name_lines
from .look import Look
from .pixels import pixels_of
from .reading import Reading
from .text_lines import lines_of
from .writing import Export, Sink

__all__ = ["Mnist"]

_IDX = re.compile(r"(?i)(.*?)[-_.]?(images|labels)[-.]idx\d-ubyte(?:\.gz)?$")
_SPLIT = re.compile(r"(?i).*[-_](train|test|valid|validation|val)$")
_SUFFIXES = ("", ".gz", ".csv", ".idx3-ubyte", ".idx1-ubyte")
_UNSAFE = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_IN_MEMORY = 64 << 20
_LEAST_SIDE = 8
_DIGITS = [str(n) for n in range(10)]


class Mnist(Format):
    """MNIST, Fashion-MNIST, EMNIST: ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``.

    **Items** are the images, in order; they have no names, so the key is the number
    (``00000.png``), and the image is read from its place in the file, as PNG. ``t10k`` is the
    subset test. Files may be gzipped. Also read: CSV with the class and then a pixel in each
    column (``mnist_train.csv``), with a header or without.

    **Annotations** are tags, one for each image. Their names are the lines of ``labels.txt``, else
    the numbers themselves.

    **Lost in writing:** names of items, colours (pixels are grey), and items without a class. All
    images of a file have one size: that of the first, unless `size` is given.
    """

    name: ClassVar[str] = "mnist"
    title: ClassVar[str] = "MNIST (idx, CSV)"
    summary: ClassVar[str] = "Pixels and classes in idx files, or as CSV."
    rules: ClassVar[str] = "http://yann.lecun.com/exdb/mnist/"
    holds: ClassVar[tuple[str, ...]] = ("tag",)
    write_options: ClassVar[tuple[Option, ...]] = (
        Option("size", "number", None, "Bring images to this many pixels square; MNIST has 28."),
        Option("gzip", "bool", False, "Write .gz files, as MNIST comes."),
    )

    def requires(self, look: Look) -> float:
        """Recognise the head of an idx file, or a row of pixels in CSV."""
        pairs, tables = _files(look.source)
        for _, files in pairs:
            for kind, path in files.items():
                shape = header(look.head(path).data[:4096])
                look.need(shape, f"{path} is no idx file of bytes")
                look.found(f"{path} is an idx file of {kind}")
            return 0.95
        for _, path in tables:
            if _is_pixels(look.head(path).text):
                look.found(f"{path} has a class and the pixels of a square image in each row")
                return 0.9
        look.need(tables, "no idx files (train-images-idx3-ubyte)")
        raise Miss(f"the rows of {tables[0][1]} are not a class and pixels")

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the images of each subset, in order; see `Format.read`.

        Raises:
            BrokenFileError: a file is no idx file.
        """
        reading = Reading(source, ledger, progress, limit)
        pairs, tables = _files(source)
        names = _names(reading)
        progress.start("Reading", unit="items")
        for subset, files in pairs:
            yield from _read_pair(reading, subset, files, names)
        for subset, path in [] if pairs else tables:
            yield from _read_csv(reading, subset, path, names)
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write two idx files for each subset, and the names of the classes in ``labels.txt``.

        Items with one tag are written. Where media is not saved, only the classes are.
        """
        chosen = self.check_options(options, writing=True)
        fitting = Fitting(self.title, Holds({"tag": ()}), ledger)
        numbers = {label.name: i for i, label in enumerate(export.labels)}
        ledger.note("names of items are not written", message="MNIST numbers its images")
        progress.start("Writing", unit="items")
        taken: set[str] = set()
        for subset in export.subsets:
            prefix = _UNSAFE.sub("_", "t10k" if subset == "test" else subset or DEFAULT_SUBSET)
            while prefix in taken:
                prefix += "_"
            taken.add(prefix)
            writer = _Writer(sink, fitting, numbers, chosen)
            writer.write(export.batches(subset), prefix, progress)
        sink.write("labels.txt", name_lines(numbers, ledger))
        fitting.close()


def _files(
    source: Source,
) -> tuple[list[tuple[str | None, dict[str, str]]], list[tuple[str | None, str]]]:
    # The idx files of each subset by what they hold, and the CSV files.
    found: dict[tuple[str, str], dict[str, str]] = {}
    paths = [source.main] if source.main else source.files.with_suffix(*_SUFFIXES)
    for path in paths:
        folder, _, name = path.rpartition("/")
        match = _IDX.fullmatch(name)
        if match:
            found.setdefault((folder, match[1]), {}).setdefault(match[2].lower(), path)
    pairs = [(_subset(prefix), files) for (_, prefix), files in found.items()]
    pairs.sort(key=lambda p: p[0] != "train")
    tables = [p for p in paths if p.lower().endswith(".csv")]
    stems = [(p, p.rpartition("/")[2][:-4]) for p in tables]
    named = [((_SPLIT.match(s) or [None, None])[1], p) for p, s in stems]
    return pairs, sorted(named, key=lambda t: (t[0] != "train", t[1]))


def _subset(prefix: str) -> str | None:
    match = _SPLIT.match(prefix) if "mnist" in prefix.lower() else None
    name = match[1] if match else prefix
    return "test" if name == "t10k" else name or None


def _names(reading: Reading) -> list[str]:
    path = next(iter(reading.source.files.match("labels.txt")), None)
    lines = [line for _, line in lines_of(reading.source.read(path))] if path else []
    return [reading.label(line) for line in lines or _DIGITS]


def _label(names: Sequence[str], number: int) -> str:
    return names[number] if number < len(names) else str(number)


# -- idx --------------------------------------------------------------------------------------


def _read_pair(
    reading: Reading, subset: str | None, files: dict[str, str], names: list[str]
) -> Iterator[Batch]:
    images, labels = files.get("images"), files.get("labels")
    shape: tuple[int, ...] = ()
    count = tags = 0
    if images:
        with reading.source.open(images) as stream:
            pixels = IdxFile(stream, images)
            shape, count = pixels.shape, pixels.count
            _check_count(reading, images, pixels)
        if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] != 3):
            raise BrokenFileError(f"The file holds no images: its shape is {shape}", where=images)
    found: Any = None
    if labels:
        with reading.source.open(labels) as stream:
            found = IdxFile(stream, labels)
            if len(found.shape) != 1:
                raise BrokenFileError("The file holds no classes", where=labels)
            tags = found.count
            _check_count(reading, labels, found)
            yield from _items(reading, subset, (images, labels), (shape, count), found, names)
            return
    yield from _items(reading, subset, (images, labels), (shape, max(count, tags)), None, names)


def _check_count(reading: Reading, path: str, file: IdxFile) -> None:
    # Datumaro writes the number of pixels where that of images should be.
    entries = 1
    for side in file.shape[1:]:
        entries *= side
    if file.shape[0] not in (file.count, file.count * entries):
        reading.ledger.note(
            "file is cut short", file=path,
            message=f"{path} says it has {file.shape[0]:,} entries, and has {file.count:,}",
        )  # fmt: skip


def _items(
    reading: Reading, subset: str | None, files: tuple[str | None, str | None],
    pixels: tuple[tuple[int, ...], int], labels: IdxFile | None, names: list[str],
) -> Iterator[Batch]:  # fmt: skip
    images, classes = files
    shape, count = pixels
    for number in range(max(count, labels.count if labels else 0)):
        if reading.is_full:
            return
        there = number < count
        key = f"{number:05d}.png"
        item = reading.item(
            key, subset=subset,
            media=inside_path(images, "idx", number) if images and there else None,
            width=shape[2] if there else None, height=shape[1] if there else None,
        )  # fmt: skip
        if labels and number < labels.count:
            label = _label(names, int(labels[number]))
            reading.annotation(item, type="tag", label=label)
        elif classes:
            reading.warn(
                "image without a class", file=classes, record="item", item=key,
                message=f"there is no class for image {number}",
            )  # fmt: skip
        if images and not there:
            reading.warn(
                "class without an image", file=images, record="item", item=key,
                message=f"there are no pixels for class {number}",
            )  # fmt: skip
        reading.progress.advance()
        yield from reading.batches()


# -- CSV --------------------------------------------------------------------------------------


def _is_pixels(text: str) -> bool:
    lines = text.splitlines()[:2]
    for line in lines:
        cells = line.split(",")
        side = int((len(cells) - 1) ** 0.5)
        if side < _LEAST_SIDE or side * side != len(cells) - 1:
            return False
        if all(c.strip().isdecimal() for c in cells):
            return all(int(c) <= 255 for c in cells[1:])
    return False


def _read_csv(reading: Reading, subset: str | None, path: str, names: list[str]) -> Iterator[Batch]:
    with reading.source.open(path) as stream:
        rows = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", "replace", newline=""))
        number = good = 0
        for place, row in enumerate(rows):
            where = f"line {place + 1}"
            if not row or (place == 0 and not row[0].strip().isdecimal()):
                continue  # an empty line, or the header
            try:
                pixels = csv_image(row)
                label = _label(names, _byte(row[0]))
            except ValueError as error:
                reading.reject(
                    "row without pixels", file=path, where=where, record=where,
                    message=f"{where}: {error}",
                )  # fmt: skip
                if place > 20 and not good:
                    raise BrokenFileError("The file holds no rows of pixels", where=path) from None
                number += 1
                continue
            good += 1
            key = f"{number:05d}.png"
            number += 1
            item = reading.item(
                key, subset=subset, media=inside_path(path, "mnist-csv", place),
                width=pixels.shape[1], height=pixels.shape[0],
            )  # fmt: skip
            reading.annotation(item, type="tag", label=label)
            reading.progress.advance()
            yield from reading.batches()
            if reading.is_full:
                return


def _byte(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 255:
        raise ValueError(f"its class is {value}")
    return value


# -- writing ----------------------------------------------------------------------------------


class _Writer:
    """One subset."""

    def __init__(
        self, sink: Sink, fitting: Fitting, numbers: dict[str, int], options: Mapping[str, Any]
    ) -> None:
        self._sink, self._fitting, self._numbers = sink, fitting, numbers
        side = int(options["size"]) if options["size"] else 0
        self._size = (side, side) if side else None
        self._gzip = bool(options["gzip"])
        self._first: tuple[int, ...] | None = None
        self._labels = bytearray()

    def write(self, batches: Iterator[Batch], prefix: str, progress: Progress) -> None:
        """Write the two files; the pixels wait in a temporary file, for their number is first."""
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as waiting:
            for batch in batches:
                for item, rows in self._fitting.fit(batch):
                    pixels = self._add(item, rows)
                    if pixels is not None:
                        waiting.write(pixels)
                    progress.advance()
            count = len(self._labels)
            if self._sink.saves_media:
                waiting.seek(0)
                shape = self._first or (28, 28)
                with self._open(f"{prefix}-images-idx3-ubyte") as stream:
                    stream.write(idx_header(count, *shape))
                    shutil.copyfileobj(waiting, stream)
        with self._open(f"{prefix}-labels-idx1-ubyte") as stream:
            stream.write(idx_header(count) + bytes(self._labels))

    def _open(self, path: str) -> AbstractContextManager[BinaryIO]:
        return _gzipped(self._sink, path) if self._gzip else self._sink.open(path)

    def _add(self, item: Row, rows: list[Row]) -> bytes | None:
        fitting = self._fitting
        chosen = rows[0] if rows else None
        number = self._numbers.get(chosen["label"], 256) if chosen else 256
        problem = "" if chosen else "item without a class"
        if chosen and number > 255:
            problem = "more than 256 classes"
        data = None if problem else self._sink.media(item["number"])
        pixels: Any = None
        if not problem and self._sink.saves_media:
            try:
                pixels, changes = pixels_of(data or b"", "L", self._size)
                if changes:
                    self._say("warn", item, "pixels changed", changes)
                if self._first is None:
                    self._first = pixels.shape
                if pixels.shape != self._first:
                    problem = "image of another size"
            except ValueError:
                problem = "image that can't be read"
        if problem:
            self._say("reject", item, problem, "it is not written")
            for row in rows:
                fitting.reject(item, row, problem, "its image is not written")
            return None
        for row in rows[1:]:
            fitting.reject(item, row, "more than one class", "MNIST holds one for each image")
        self._labels.append(number)
        return pixels.tobytes() if pixels is not None else None

    def _say(self, how: str, item: Row, reason: str, text: str) -> None:
        key = item["key"]
        getattr(self._fitting.ledger, how)(
            reason, file=key, record="item", item=key, message=f"{key}: {text}"
        )


@contextmanager
def _gzipped(sink: Sink, path: str) -> Iterator[BinaryIO]:
    # A file of a sink, compressed; the same content gives the same bytes.
    with sink.open(f"{path}.gz") as out, gzip.GzipFile("", "wb", fileobj=out, mtime=0) as stream:
        yield cast(BinaryIO, stream)
