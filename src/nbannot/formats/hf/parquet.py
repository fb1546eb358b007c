"""Hugging Face parquet: a table with the media inside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ...errors import BrokenFileError, NbannotError
from ...ledger import Ledger
from ...progress import Progress
from ...schema import DEFAULT_SUBSET, Batch
from ...sources.base import Source
from ...sources.inside import inside_path
from ..base import Format, Option
from ..fitting import FileNames, Fitting
from ..look import Look
from ..media_index import as_path
from ..reading import Reading
from ..unique_keys import UniqueKeys
from ..writing import Export, Sink
from .features import MEDIA_TYPES, Features, of_schema
from .folder import BOXES, readme
from .rows import RowReader, is_mask, is_xyxy
from .write import HOLDS, Columns, columns_of

__all__ = ["HfParquet"]

_SHARD = re.compile(r"^(.*?)(?:-\d{5}-of-\d{5})?(?:-[0-9a-f]{16})?$")
_UNSAFE = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_SNIFFED = 100
_GROUP_ROWS, _GROUP_BYTES = 1000, 64 << 20


class HfParquet(Format):
    """Parquet as the datasets package writes it, with images, audio or video inside.

    **Items** are the rows. The key is the path that stands with the media, else the number of
    the row; the subset is in the name of the file (``data/train-00000-of-00001.parquet``) or its
    folder. The media stays where it is: an item's is read from its cell.

    **Annotations** are read from columns as in a Hugging Face folder; names of classes are in the
    metadata of the schema (``huggingface``), else in README.md. Only the columns other than the
    media are read, row group by row group.

    **Lost in writing:** everything but boxes, classes and texts.
    """

    name: ClassVar[str] = "hf-parquet"
    title: ClassVar[str] = "Hugging Face parquet"
    summary: ClassVar[str] = "Parquet of the datasets package, with the media inside."
    rules: ClassVar[str] = "https://huggingface.co/docs/datasets/about_dataset_features"
    holds: ClassVar[tuple[str, ...]] = ("box", "tag", "text")
    read_options: ClassVar[tuple[Option, ...]] = (BOXES,)

    def requires(self, look: Look) -> float:
        """Recognise a parquet file with a column of media."""
        main = look.source.main
        files = [main] if main else look.files.with_suffix(".parquet")
        look.need(files and files[0].lower().endswith(".parquet"), "no .parquet file")
        named = [f for f in files if f.rpartition("/")[2].lower() != "metadata.parquet"]
        look.need(named, "metadata.parquet is a folder's")
        schema = _schema(look.source, named[0])
        look.need(schema is not None, f"{named[0]} is no parquet that can be read")
        found = _media(schema, of_schema(schema.metadata))
        look.need(found, f"{named[0]} has no column of images, audio or video")
        look.found(f"{named[0]} has the {found[0][1]}s inside, in the column {found[0][0]!r}")
        return 0.95

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the rows of each file, in order; see `Format.read`.

        Raises:
            BrokenFileError: a file is no parquet.
        """
        reading = Reading(source, ledger, progress, limit)
        features, keys = readme(source), UniqueKeys(reading)
        files = [source.main] if source.main else source.files.with_suffix(".parquet")
        progress.start("Reading", unit="items")
        for file in files:
            yield from _File(reading, keys, features, file, options["bbox"]).read()
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
        """Write ``data/<subset>-00000-of-00001.parquet`` with the media inside.

        Boxes, tags and texts are written; what has no column is a line of the ledger. Where media
        is not saved, the cells hold its path only.
        """
        columns = columns_of(export)
        fitting = Fitting(self.title, HOLDS, ledger)
        progress.start("Writing", unit="items")
        taken: set[str] = set()
        for subset in export.subsets:
            name = _UNSAFE.sub("_", subset or DEFAULT_SUBSET)
            while name in taken:
                name += "_"
            taken.add(name)
            if name != (subset or DEFAULT_SUBSET):
                ledger.note("subset renamed", message=f"{subset!r} is written as {name!r}")
            with sink.open(f"data/{name}-00000-of-00001.parquet") as stream:
                _write(export, subset, sink, stream, columns, fitting, progress)
        fitting.close()


def _schema(source: Source, file: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with source.open(file) as stream:
            return pq.read_schema(stream)
    except (OSError, NbannotError, pa.ArrowException):
        return None


def _media(schema: Any, features: Features) -> list[tuple[str, str]]:
    # (column, kind of media) of the columns that hold media, by what is said of them or by type.
    import pyarrow as pa

    found = []
    for column in schema:
        kind = column.type
        pair = pa.types.is_struct(kind) and {f.name for f in kind} == {"bytes", "path"}
        said = features.media.get(column.name)
        if pair or (said and pa.types.is_binary(kind)):
            found.append((column.name, said or _by_name(column.name)))
    return found


def _by_name(column: str) -> str:
    return next((k for k in ("audio", "video") if k in column.lower()), "image")


def _subset(file: str) -> str | None:
    # "data/train-00000-of-00003.parquet", "default/train/0000.parquet" -> "train"
    folder, _, name = file.rpartition("/")
    match = _SHARD.match(name[: -len(".parquet")])
    stem = match[1] if match else name
    if not stem.isdecimal():
        return stem or None
    last = folder.rpartition("/")[2]
    return last if last not in ("", "data") else None


class _File:
    """One parquet file."""

    def __init__(
        self, reading: Reading, keys: UniqueKeys, features: Features, file: str, boxes: str
    ) -> None:
        self._reading, self._keys = reading, keys
        self._file, self._boxes = file, boxes
        self._given = features
        self._subset = _subset(file)
        self._number = 0
        self._full: set[str] = set()  # media columns without an empty cell in this row group

    def read(self) -> Iterator[Batch]:
        """Add the rows; cells with media are not read, but for what the key needs."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self._reading.source.open(self._file) as stream:
                yield from self._read(pq.ParquetFile(stream))
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise BrokenFileError(
                f"The file is no parquet that can be read: {error}", where=self._file,
                hint="Download or write it again.",
            ) from None  # fmt: skip

    def _read(self, table: Any) -> Iterator[Batch]:
        schema = table.schema_arrow
        features = of_schema(schema.metadata)
        features.merge(self._given)
        media = _media(schema, features)
        for column, kind in media:
            features.media.setdefault(column, kind)
        plain = [n for n in schema.names if n not in dict(media)]
        paths = [f"{c}.path" for c, _ in media if not _is_binary(schema.field(c).type)]
        reader = RowReader(self._reading, features, self._boxes == "xyxy")
        for group in range(table.num_row_groups):
            rows = table.read_row_group(group, columns=[*plain, *paths]).to_pylist()
            if not plain and not paths:
                rows = [{} for _ in range(table.metadata.row_group(group).num_rows)]
            self._full = {c for c, _ in media if _has_no_nulls(table.metadata.row_group(group), c)}
            if group == 0 and self._boxes == "auto":
                reader.xyxy = self._sniff(rows[:_SNIFFED], media)
            for row in rows:
                self._add(reader, row, media)
                self._reading.progress.advance()
                yield from self._reading.batches()
                if self._reading.is_full:
                    return

    def _sniff(self, rows: Sequence[Any], media: list[tuple[str, str]]) -> bool:
        if not media:
            return False
        pairs = []
        for n, row in enumerate(rows):
            if any(isinstance(v, (dict, list)) and c != media[0][0] for c, v in row.items()):
                size = self._reading.size(inside_path(self._file, "parquet", media[0][0], n))
                pairs.append((row, size))
        found = is_xyxy(pairs)
        if found:
            self._reading.ledger.note(
                "boxes are corners", file=self._file,
                message="as x, y, width, height some would leave their image, as corners none "
                "does; bbox='xywh' reads them as the convention says",
            )  # fmt: skip
        return found

    def _add(self, reader: RowReader, row: dict[str, Any], media: list[tuple[str, str]]) -> None:
        number, self._number = self._number, self._number + 1
        where = f"row {number}"
        cells = {c: row.pop(c, None) for c, _ in media}
        column, kind = media[0] if media else ("", "image")
        given = (cells.get(column) or {}).get("path") or ""
        path, head = self._place(column, number, given) if column else (None, b"")
        key = self._key(given, number, head, kind)
        if path is None and given:
            path = self._reading.find(given).path
        item = self._reading.item(
            key, subset=self._subset, kind=kind, media=path, **reader.columns(row)
        )
        if given and not key.endswith(as_path(given).rpartition("/")[2]):
            self._reading.warn(
                "second row of one path", file=self._file, where=where, record="item", item=key,
                message=f"{where}: {given} is another row's, so it is called {key}",
            )  # fmt: skip
        if path is None and self._reading.has_images:
            self._reading.warn(
                "media missing", file=self._file, where=where, record="item", item=key,
                message=f"{where} holds no bytes, and there is no file of its name",
            )  # fmt: skip
        reader.add(item, row, self._file, where)
        for other, other_kind in media[1:]:
            if other_kind != "image" or not is_mask(other):
                reader.not_read(other, self._file)
                continue
            inner, _ = self._place(other, number, "")
            if inner is not None:
                reader.mask(item, other, inner, self._file, where)

    def _place(self, column: str, number: int, given: str) -> tuple[str | None, bytes]:
        # The media's path, None where the cell is empty; and its first bytes.
        path = inside_path(self._file, "parquet", column, number)
        if given and column in self._full:
            return path, b""  # what it begins with is not needed
        try:
            return path, self._reading.source.read(path, 64)
        except NbannotError:
            return None, b""

    def _key(self, given: str, number: int, head: bytes, kind: str) -> str:
        key = as_path(given).lstrip("/")
        if ".." in key.split("/"):
            key = key.rpartition("/")[2].strip(".")
        if not key:
            key = f"{number:06d}{_suffix(head, kind)}"
            stem = self._file.rpartition("/")[2][: -len(".parquet")]
            if self._reading.number(key, self._subset) is not None:
                key = f"{stem}/{key}"
        return self._keys.of(key, self._subset)


def _has_no_nulls(group: Any, column: str) -> bool:
    chunks = (group.column(i) for i in range(group.num_columns))
    names = (column, f"{column}.bytes")
    found = [c.statistics for c in chunks if c.path_in_schema in names]
    return bool(found and found[0] and found[0].has_null_count and not found[0].null_count)


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind))


def _suffix(head: bytes, kind: str) -> str:
    for start, end in ((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"), (b"GIF8", ".gif"),
                       (b"BM", ".bmp"), (b"II*", ".tif"), (b"MM\0*", ".tif"), (b"fLaC", ".flac"),
                       (b"OggS", ".ogg"), (b"ID3", ".mp3")):  # fmt: skip
        if head.startswith(start):
            return end
    if head[:4] == b"RIFF":
        return ".webp" if head[8:12] == b"WEBP" else ".wav"
    return {"image": ".jpg", "audio": ".wav"}.get(kind, ".mp4")


# -- writing ----------------------------------------------------------------------------------


def _write(
    export: Export, subset: str, sink: Sink, stream: Any, columns: Columns, fitting: Fitting,
    progress: Progress,
) -> None:  # fmt: skip
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = FileNames()
    kind = ""
    rows: list[dict[str, Any]] = []
    held = 0
    schema: Any = None
    writer: Any = None
    for batch in export.batches(subset):
        for item, found in fitting.fit(batch):
            if not kind:
                kind = item["kind"]
                schema = _schema_of(columns, kind)
                writer = pq.ParquetWriter(stream, schema, compression="snappy")
            if item["kind"] != kind:
                _reject(fitting, item, found, kind)
                continue
            data = sink.media(item["number"])
            row = columns.values(item, found, fitting)
            row[kind] = {"bytes": data, "path": names.of(item)}
            rows.append(row)
            held += len(data or b"")
            if len(rows) >= _GROUP_ROWS or held >= _GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows, held = [], 0
            progress.advance()
    if writer is None:
        schema = _schema_of(columns, "image")
        writer = pq.ParquetWriter(stream, schema, compression="snappy")
    if rows:
        writer.write_table(pa.Table.from_pylist(rows, schema))
    writer.close()


def _reject(
    fitting: Fitting, item: Mapping[str, Any], rows: list[dict[str, Any]], kind: str
) -> None:
    for record in ["item", *dict.fromkeys(row["record"] for row in rows)]:
        fitting.ledger.reject(
            "another kind of media", file=item["key"], record=record, item=item["key"],
            message=f"it is of kind {item['kind']}, and the file holds {kind}",
        )  # fmt: skip


def _schema_of(columns: Columns, kind: str) -> Any:
    # The Arrow schema, with what the datasets package says of the columns in its metadata.
    import pyarrow as pa

    label = {"names": columns.names, "_type": "ClassLabel"}
    title = next(t for t, k in MEDIA_TYPES.items() if k == kind)
    fields = [pa.field(kind, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
    said: dict[str, Any] = {kind: {"_type": title}}
    if columns.boxes:
        types: dict[str, tuple[Any, Any]] = {
            "bbox": (pa.list_(pa.float64(), 4), _list(_value("float64"), 4)),
            "category": (pa.int64(), label),
            "score": (pa.float64(), _value("float64")),
            "text": (pa.string(), _value("string")),
            "attributes": (pa.string(), _value("string")),
        }
        names = ("bbox", "category", *columns.more)
        inner = [(n, pa.list_(types[n][0])) for n in names]
        fields.append(pa.field("objects", pa.struct(inner)))
        said["objects"] = {n: _list(types[n][1]) for n in names}
    if columns.tag == "label":
        fields.append(pa.field("label", pa.int64()))
        said["label"] = label
    elif columns.tag:
        fields.append(pa.field("labels", pa.list_(pa.int64())))
        said["labels"] = _list(label)
    if columns.text == "text":
        fields.append(pa.field("text", pa.string()))
        said["text"] = _value("string")
    elif columns.text:
        fields.append(pa.field("captions", pa.list_(pa.string())))
        said["captions"] = _list(_value("string"))
    info = json.dumps({"info": {"features": said}}, ensure_ascii=False)
    return pa.schema(fields, metadata={"huggingface": info})


def _value(kind: str) -> dict[str, Any]:
    return {"dtype": kind, "_type": "Value"}


def _list(feature: dict[str, Any], length: int = -1) -> dict[str, Any]:
    return {"feature": feature, "length": length, "_type": "Sequence"}
