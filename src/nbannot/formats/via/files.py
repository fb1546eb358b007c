"""VIA's containers, of any version, as one list of files with regions."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...errors import BrokenFileError
from ..image_records import document
from ..json_values import loads
from ..look import HEAD_BYTES, Head
from ..reading import Reading
from .shapes import from_via3

__all__ = ["Document", "Problem", "Region", "ViaFile", "kind_of_file", "parse"]

_CSV = {"region_shape_attributes", "region_attributes"}
_VIA3 = {"project", "config", "attribute", "file"}
_MAX_CELL = 1 << 28
_KINDS = {2: "image", 4: "video", 8: "audio"}


class Problem(NamedTuple):
    """A record that can't be read, and why."""

    where: str
    reason: str
    message: str


class Region(NamedTuple):
    """A region: its shape as VIA 2 writes it ({}: none), its attributes, its times (VIA 3)."""

    where: str
    shape: Mapping[str, Any]
    attributes: Mapping[str, Any]
    times: tuple[float, ...] = ()


@dataclass
class ViaFile:
    """A file of a project."""

    where: str
    name: Any
    kind: str = "image"
    size: Any = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    regions: list[Region | Problem] = field(default_factory=list)
    id: str | None = None


@dataclass
class Document:
    """What a container holds: files, definitions of attributes, where the files are said to lie."""

    path: str
    files: list[ViaFile | Problem] = field(default_factory=list)
    region_attributes: Mapping[str, Any] = field(default_factory=dict)
    file_attributes: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""
    loose: list[Problem] = field(default_factory=list)


def kind_of_file(head: Head) -> str:
    """Return "project", "json", "csv", "via3", or "" where the file is not VIA's."""
    if head.json_start == "{":
        keys = head.json_keys
        if "_via_img_metadata" in keys or "_via_settings" in keys:
            return "project"
        if keys >= {*_VIA3} and keys & {"pid", "vid_list", "fname", "aname"}:
            return "via3"
        export = {"filename", "regions"} <= keys and keys & {"shape_attributes", "file_attributes"}
        return "json" if export else ""
    first = head.text.lstrip().partition("\n")[0]
    return "csv" if all(name in first for name in _CSV) else ""


def parse(path: str, data: bytes, reading: Reading) -> Document:
    """Return what a container holds.

    Raises:
        BrokenFileError: it is not JSON, or its top is not what VIA writes.
    """
    kind = kind_of_file(Head(data[:HEAD_BYTES]))
    if kind == "csv" or path.lower().endswith(".csv"):
        return _csv(path, data)
    value = document(data, path, reading)
    if not isinstance(value, dict):
        raise BrokenFileError("The file is not VIA's: it is no object", where=path)
    if kind == "via3":
        return _via3(path, value)
    made = Document(path)
    metadata = value
    if "_via_img_metadata" in value or "_via_settings" in value:
        metadata = _dict(value.get("_via_img_metadata"))
        attributes = _dict(value.get("_via_attributes"))
        made.region_attributes = _dict(attributes.get("region"))
        made.file_attributes = _dict(attributes.get("file"))
        core = _dict(_dict(value.get("_via_settings")).get("core"))
        made.folder = str(core.get("default_filepath") or "").strip("/")
    for key, record in metadata.items():
        if key.startswith("_via_"):
            continue
        made.files.append(_file(f"[{key!r}]", record))
    return made


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _file(where: str, record: Any) -> ViaFile | Problem:
    if not isinstance(record, dict):
        return Problem(where, "file is not an object", "it is no JSON object")
    made = ViaFile(
        where, record.get("filename"), size=record.get("size"),
        attributes=_dict(record.get("file_attributes")),
    )  # fmt: skip
    regions = record.get("regions")
    numbered: Iterable[tuple[Any, Any]] = ()
    if isinstance(regions, dict):  # VIA 1
        numbered = regions.items()
    elif isinstance(regions, list):
        numbered = enumerate(regions)
    for index, region in numbered:
        place = f"{where}.regions[{index}]"
        shape = region.get("shape_attributes") if isinstance(region, dict) else None
        if not isinstance(shape, dict):
            text = "it has no shape_attributes"
            made.regions.append(Problem(place, "region without a shape", text))
        else:
            made.regions.append(Region(place, shape, _dict(region.get("region_attributes"))))
    return made


# -- CSV ----------------------------------------------------------------------------------


def _csv(path: str, data: bytes) -> Document:
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = data.decode("utf-16" if wide else "utf-8-sig", "replace")
    made = Document(path)
    files: dict[str, ViaFile] = {}
    limit = csv.field_size_limit(_MAX_CELL)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), strict=False)
        header = [name.strip().lstrip("#") for name in next(rows, [])]
        if not set(header) >= _CSV:
            hint = "Export it from VIA again."
            text = "The header has no region_shape_attributes and region_attributes"
            raise BrokenFileError(text, where=f"{path}, line 1", hint=hint)
        for row in rows:
            if row:
                _csv_row(made, files, dict(zip(header, row, strict=False)), rows.line_num)
    except csv.Error as error:
        raise BrokenFileError(f"The file is no CSV: {error}", where=path) from None
    finally:
        csv.field_size_limit(limit)
    return made


def _csv_row(made: Document, files: dict[str, ViaFile], row: dict[str, str], line: int) -> None:
    where = f"line {line}"
    name = row.get("filename", "")
    file = files.get(name)
    if file is None:
        file = files[name] = ViaFile(f"{where}, file", name, size=row.get("file_size"))
        made.files.append(file)
        attributes = _cell(row.get("file_attributes"))
        if attributes is None:
            file.attributes = {"file_attributes": row["file_attributes"]}
        else:
            file.attributes = attributes
    shape, attributes = (
        _cell(row.get("region_shape_attributes")),
        _cell(row.get("region_attributes")),
    )
    if shape is None or attributes is None:
        text = "region_shape_attributes or region_attributes is not a JSON object"
        file.regions.append(Problem(where, "cell is not JSON", text))
    elif shape:
        file.regions.append(Region(where, shape, attributes))
    elif row.get("region_count", "0").strip() not in ("0", ""):
        file.regions.append(Problem(where, "region without a shape", "its shape is empty"))


def _cell(text: str | None) -> dict[str, Any] | None:
    # {} of an empty cell; None of one that is no JSON object.
    if text is None or not text.strip():
        return {}
    try:
        value, _ = loads(text.encode("utf-8", "replace"))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


# -- VIA 3 --------------------------------------------------------------------------------


def _via3(path: str, value: dict[str, Any]) -> Document:
    made = Document(path)
    definitions: dict[str, tuple[str, dict[str, Any]]] = {}
    for number, record in _dict(value.get("attribute")).items():
        if isinstance(record, dict):
            title = str(record.get("aname") or number)
            kind = {1: "text", 2: "checkbox", 3: "radio", 4: "dropdown", 5: "image"}
            options = _dict(record.get("options"))
            definition: dict[str, Any] = {"type": kind.get(record.get("type"), "text")}  # type: ignore[arg-type]
            definition |= {"options": options, "description": record.get("desc") or ""}
            definitions[str(number)] = (title, definition)
    # Values are written by name here, as VIA 2 does, not by number.
    made.region_attributes = made.file_attributes = {
        title: {**d, "options": dict.fromkeys(map(str, d["options"].values()), "")}
        for title, d in definitions.values()
    }
    files: dict[str, ViaFile] = {}
    for number, record in _dict(value.get("file")).items():
        where = f"file[{number!r}]"
        if not isinstance(record, dict):
            made.files.append(Problem(where, "file is not an object", "it is no JSON object"))
            continue
        name: Any = record.get("fname")
        if record.get("loc") in (2, 3) and record.get("src"):
            name = record["src"]
        kind3 = _KINDS.get(record.get("type"), "image")  # type: ignore[arg-type]
        file = ViaFile(where, name, kind=kind3, id=str(number))
        files[str(number)] = file
        made.files.append(file)
    views = _dict(value.get("view"))
    for number, record in _dict(value.get("metadata")).items():
        where = f"metadata[{number!r}]"
        if not isinstance(record, dict):
            made.loose.append(Problem(where, "region is not an object", "it is no JSON object"))
            continue
        view = _dict(views.get(str(record.get("vid"))))
        listed = view.get("fid_list")
        first = str(listed[0]) if isinstance(listed, list) and listed else ""
        target = files.get(first)
        if target is None:
            text = f"its view {record.get('vid')!r} has no file"
            made.loose.append(Problem(where, "region without a file", text))
            continue
        target.regions.append(_region3(where, record, definitions))
    return made


def _region3(
    where: str, record: dict[str, Any], definitions: Mapping[str, tuple[str, dict[str, Any]]]
) -> Region | Problem:
    values = {}
    for number, value in _dict(record.get("av")).items():
        title, definition = definitions.get(str(number), (str(number), {}))
        options = definition.get("options", {})
        if definition.get("type") == "checkbox":
            chosen = [v for v in str(value).split(",") if v]
            value = {str(options.get(v, v)): True for v in chosen}
        values[title] = options.get(value, value) if isinstance(value, str) else value
    shape = from_via3(record.get("xy"))
    z = record.get("z")
    times = z if isinstance(z, list) else []
    if shape is None or not all(isinstance(t, (int, float)) for t in times):
        return Problem(where, "region without numbers", "xy or z is not what VIA 3 writes")
    return Region(where, shape, values, tuple(float(t) for t in times))
