"""Hugging Face imagefolder, audiofolder and videofolder with a metadata file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar

from ...errors import BrokenFileError, printable
from ...ledger import Ledger
from ...media.kinds import kind_of, suffix
from ...progress import Progress
from ...schema import DEFAULT_SUBSET, Batch
from ...sources.base import Source
from ..base import Format, Option
from ..fitting import FileNames, Fitting
from ..json_values import dumps, loads
from ..look import Look
from ..media_index import as_path
from ..reading import Reading
from ..writing import Export, Sink, safe_path
from .features import Features, of_readme, of_schema
from .rows import RowReader, is_mask, is_xyxy
from .write import HOLDS, columns_of, extra_columns, readme_of

__all__ = ["BOXES", "SPLITS", "HfFolder", "readme"]

SPLITS = frozenset(
    ("train", "training", "validation", "valid", "val", "dev", "test", "testing", "eval",
     "evaluation")
)  # fmt: skip
"""Names that `datasets` knows as splits."""

BOXES = Option(
    "bbox", "choice", "auto",
    "Are boxes x, y, width, height or corners? auto: corners only where nothing else fits.",
    ("auto", "xywh", "xyxy"),
)  # fmt: skip
_NAMES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
_SNIFFED = 100
_Rows = Iterator[tuple[str, Mapping[str, Any]]]


class HfFolder(Format):
    """Hugging Face's imagefolder, audiofolder and videofolder, with ``metadata.*`` beside them.

    **Items** are the rows of ``metadata.jsonl``, ``.csv`` or ``.parquet``; the key is
    ``file_name``, the subset the folder of the metadata file (at the root: the first folder of
    ``file_name``, where that is a split). Images of which no row speaks are items without
    annotations, though `datasets` leaves them out.

    **Annotations.** ``objects`` with ``bbox`` (pixels, x, y, width, height) are boxes; ``label``
    and other columns of classes are tags; ``text``, ``caption`` and the like are texts; a second
    image column (``mask_file_name``) holds a mask, one for each value but 0. Names of classes are
    in the YAML of ``README.md``; without them a class is ``class_<number>``. Other columns stay
    with the item.

    **Lost in writing:** everything but boxes, classes and texts.
    """

    name: ClassVar[str] = "hf-folder"
    title: ClassVar[str] = "Hugging Face folder"
    summary: ClassVar[str] = "Media files beside metadata.jsonl, .csv or .parquet."
    rules: ClassVar[str] = "https://huggingface.co/docs/datasets/image_dataset"
    holds: ClassVar[tuple[str, ...]] = ("box", "tag", "text")
    read_options: ClassVar[tuple[Option, ...]] = (BOXES,)

    def requires(self, look: Look) -> float:
        """Recognise a metadata file with a column file_name."""
        main = look.source.main
        if main is not None:
            files = [main] if main.rpartition("/")[2].lower() in _NAMES else []
        else:
            files = _metadata(look.source)
        look.need(files, "no metadata.jsonl, metadata.csv or metadata.parquet")
        file = min(files, key=lambda f: (f.count("/"), f))
        look.need(_names_files(look, file), f"{file} has no column file_name")
        look.found(f"{file} has a column file_name")
        return 0.95

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the rows of each metadata file, in order; see `Format.read`.

        Raises:
            BrokenFileError: a metadata file can't be parsed at all.
        """
        reading = Reading(source, ledger, progress, limit)
        features = readme(source)
        main = source.main
        files = [main] if main else _metadata(source)
        progress.start("Reading", unit="items")
        for file in files:
            yield from _File(reading, features, file, options["bbox"]).read()
            if reading.is_full:
                break
        if not reading.is_full and main is None:
            _leftover(reading, files)
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write a folder for each subset with ``metadata.jsonl``, and the classes in README.md.

        Boxes, tags and texts are written; what has no column is a line of the ledger.
        """
        columns = columns_of(export)
        fitting = Fitting(self.title, HOLDS, ledger)
        progress.start("Writing", unit="items")
        for subset in export.subsets:
            folder = safe_path(subset or DEFAULT_SUBSET)
            names = FileNames()
            names.of({"key": "metadata.jsonl"})
            rows: list[str] = []
            for batch in export.batches(subset):
                for item, found in fitting.fit(batch):
                    path = names.of(item)
                    sink.add_media(f"{folder}/{path}", item["number"])
                    row = _row(path, item, columns.values(item, found, fitting))
                    rows.append(dumps(row))
                    progress.advance()
            sink.write(f"{folder}/metadata.jsonl", "".join(f"{row}\n" for row in rows))
        sink.write("README.md", readme_of(columns))
        fitting.close()


def readme(source: Source) -> Features:
    """Return what the dataset's ``README.md`` says of its columns."""
    path = next(iter(source.files.match("README.md")), None)
    data = source.read(path, 1 << 20) if path else b""
    return of_readme(_text(data))


def _metadata(source: Source) -> list[str]:
    paths = source.files.with_suffix(".jsonl", ".csv", ".parquet")
    return [path for path in paths if path.rpartition("/")[2].lower() in _NAMES]


def _names_files(look: Look, file: str) -> bool:
    head = look.head(file)
    if file.lower().endswith(".parquet"):
        names = _parquet_columns(look.source, file)
    elif file.lower().endswith(".csv"):
        names = next(csv.reader(head.text.splitlines()[:1]), [])
    else:
        names = list(head.json_keys)
    return any(n == "file_name" or n.endswith("_file_name") for n in names)


def _parquet_columns(source: Source, file: str) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with source.open(file) as stream:
            return list(pq.read_schema(stream).names)
    except (OSError, pa.ArrowException):
        return []


def _leftover(reading: Reading, files: list[str]) -> None:
    # Media that no row names, below the folders of the metadata files.
    folders = sorted((f.rpartition("/")[0] for f in files), key=len, reverse=True)
    found = 0
    for path in reading.source.files:
        if kind_of(path) == "other" or path in reading.used_media or reading.is_full:
            continue
        folder = next((f for f in folders if not f or path.startswith(f"{f}/")), None)
        if folder is None:
            continue
        subset, key = _place(folder, path[len(folder) + 1 :] if folder else path)
        if reading.number(key, subset) is None:
            reading.item(key, subset=subset, kind=kind_of(path), media=path)
            found += 1
    if found:
        reading.ledger.note(
            "media without a row", file=files[0],
            message=f"{found:,} media files are in no metadata file; the datasets package leaves "
            "them out, here they are items without annotations",
        )  # fmt: skip


def _place(folder: str, name: str) -> tuple[str | None, str]:
    # Subset and key of a file, given the folder of its metadata file.
    first, slash, rest = name.partition("/")
    parts = [p for p in folder.split("/") if p]
    if parts and parts[0].lower() in ("data", "images") and len(parts) > 1:
        parts = parts[1:]
    if parts and parts != ["data"]:
        return "/".join(parts), name
    if slash and first.lower() in SPLITS:
        return first, rest
    return None, name


class _File:
    """One metadata file."""

    def __init__(self, reading: Reading, features: Features, file: str, boxes: str) -> None:
        self._reading, self._file, self._boxes = reading, file, boxes
        self._features = Features(dict(features.names), dict(features.media))
        self._folder = file.rpartition("/")[0]

    def read(self) -> Iterator[Batch]:
        """Add the rows."""
        rows = self._rows()
        first = list(islice(rows, _SNIFFED))
        xyxy = self._boxes == "xyxy" or (self._boxes == "auto" and self._sniff(first))
        if xyxy and self._boxes == "auto":
            self._reading.ledger.note(
                "boxes are corners", file=self._file,
                message="as x, y, width, height some would leave their image, as corners none "
                "does; bbox='xywh' reads them as the convention says",
            )  # fmt: skip
        reader = RowReader(self._reading, self._features, xyxy)
        for where, row in (*first, *rows):
            self._add(reader, row, where)
            self._reading.progress.advance()
            yield from self._reading.batches()
            if self._reading.is_full:
                return

    def _sniff(self, rows: list[tuple[str, Mapping[str, Any]]]) -> bool:
        pairs = []
        for _, row in rows:
            if any(n == "objects" or isinstance(v, (dict, list)) for n, v in row.items()):
                found = self._reading.find(str(row.get("file_name")), near=[self._folder])
                pairs.append((row, self._reading.size(found.path)))
        return is_xyxy(pairs)

    def _add(self, reader: RowReader, row: Mapping[str, Any], where: str) -> None:
        reading, file = self._reading, self._file
        name = row.get("file_name")
        column = "file_name"
        if name in (None, ""):
            column = next((n for n in row if n.endswith("_file_name")), "")
            name = row.get(column)
        if not isinstance(name, str) or not name.strip():
            reading.reject(
                "row without a file name", file=file, where=where, record=where,
                message=f"{where} names no file",
            )  # fmt: skip
            return
        path = as_path(name)
        if ".." in path.split("/") or path.startswith("/"):
            reading.reject(
                "file name leaves the dataset", file=file, where=where, record=where,
                message=f"{where} names {printable(path)}",
            )  # fmt: skip
            return
        subset, key = _place(self._folder, path)
        if reading.number(key, subset) is not None:
            reading.reject(
                "second row of one file", file=file, where=where, record=where, item=key,
                message=f"{where}: {key} has a row already",
            )  # fmt: skip
            return
        kind = kind_of(key)
        item = reading.image_item(
            path, file=file, near=[self._folder], subset=subset, key=key,
            kind="image" if kind == "other" else kind, **reader.columns(row),
        )  # fmt: skip
        width, height = row.get("width"), row.get("height")
        if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
            reader.sizes[item] = width, height
        reader.add(item, row, file, where)
        for other, value in row.items():
            if other.endswith("_file_name") and other != column and isinstance(value, str):
                self._second(reader, item, other, value, where)

    def _second(self, reader: RowReader, item: int, name: str, value: str, where: str) -> None:
        # A second media column: an image beside the image may be a mask.
        if not is_mask(name):
            reader.not_read(name, self._file)
            return
        found = self._reading.find(value, near=[self._folder])
        if found.path is None:
            self._reading.reject(
                "mask file missing", file=self._file, where=where, record=f"{where}, {name}",
                item=self._reading.key(item), message=f"there is no file {printable(value)}",
            )  # fmt: skip
            return
        self._reading.used_media.add(found.path)
        reader.mask(item, name, found.path, self._file, where)

    # -- the three kinds of file --------------------------------------------------------

    def _rows(self) -> _Rows:
        end = suffix(self._file)
        if end == ".parquet":
            return self._parquet()
        text = _text(self._reading.source.read(self._file))
        return self._csv(text) if end == ".csv" else self._jsonl(text)

    def _jsonl(self, text: str) -> _Rows:
        good = False
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            line = line.strip().rstrip(",")
            if not line:
                continue
            where = f"line {number}"
            try:
                row, _ = loads(line.encode())
                if not isinstance(row, dict):
                    raise ValueError("it is no object")  # noqa: TRY004
            except ValueError as error:
                if not good and not any(_is_row(other) for other in lines[number:]):
                    raise BrokenFileError(
                        f"The file is no JSON lines: {error}", where=f"{self._file}, {where}",
                        hint="Each line must be one JSON object with file_name.",
                    ) from None  # fmt: skip
                self._reading.reject(
                    "line is not JSON", file=self._file, where=where, record=where,
                    message=f"{where}: {error}",
                )  # fmt: skip
                continue
            good = True
            yield where, row

    def _csv(self, text: str) -> _Rows:
        csv.field_size_limit(1 << 30)
        rows = csv.DictReader(io.StringIO(text, newline=""), restkey="")
        try:
            for row in rows:
                where = f"line {rows.line_num}"
                more = row.pop("", None)
                if more:
                    self._reading.ledger.note(
                        "line with too many fields", file=self._file, where=where,
                        message=f"{where} has {printable(more)} beyond the last column",
                    )  # fmt: skip
                values = {k: v for k, v in row.items() if v not in (None, "")}
                yield where, values
        except csv.Error as error:
            raise BrokenFileError(
                f"The file is no CSV: {error}", where=f"{self._file}, line {rows.line_num}"
            ) from None

    def _parquet(self) -> _Rows:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self._reading.source.open(self._file) as stream:
                table = pq.ParquetFile(stream)
                self._features.merge(of_schema(table.schema_arrow.metadata))
                number = 0
                for batch in table.iter_batches(256):
                    for row in batch.to_pylist():
                        yield f"row {number}", row
                        number += 1
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise BrokenFileError(
                f"The file is no parquet: {error}", where=self._file, hint="Download it again."
            ) from None


def _is_row(line: str) -> bool:
    try:
        return isinstance(loads(line.strip().rstrip(",").encode())[0], dict)
    except ValueError:
        return False


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


# -- writing ----------------------------------------------------------------------------------


def _row(path: str, item: Mapping[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"file_name": path}
    for name in ("width", "height"):
        if item.get(name):
            row[name] = item[name]
    row.update(values)
    for name, value in extra_columns(dict(item)).items():
        row.setdefault(name, value)
    return row
