"""Annotation files as most tools write them, without an XML parser and many at a time.

Regular expressions tell a file in ASCII whose elements come in the usual order, without entities,
comments or anything unusual in an object. All other files are None here and left to `xml`, which
says the same of each file that both can read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...sources.disk import DiskFiles
from .xml import is_one_based, meta_json

__all__ = ["PlainFile", "PlainFiles", "parse_plain_files", "read_plain_files"]

# Two runs of white space never touch, so that no file takes quadratic time.
_S = r"[ \t\n]*"
_TEXT = r"[\t\n\x20-\x25\x27-\x3b\x3d\x3f-\x7e]*"  # ASCII but & < >
_NUMBER = r"[+-]?[0-9]{1,15}(?:\.[0-9]{0,17})?"
_NAME = r"[\t\x20-\x25\x27-\x3b\x3d\x3f-\x7e]+"


def _tag(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>{_S}"


def _maybe(name: str, content: str) -> str:
    return f"(?:{_tag(name, content)})?"


_HEAD = re.compile(
    (
        r"""(?:<\?xml version=["']1\.0["'](?: encoding=["'](?:utf|UTF)-8["'])? ?\?>[ \t\n]*)?"""
        rf'<annotation(?: verified="[a-z]*")?>{_S}'
        + _maybe("folder", f"({_TEXT})")
        + _maybe("filename", f"({_TEXT})")
        + _maybe("path", f"({_TEXT})")
        + _maybe("source", rf"({_S}(?:<([a-z]+)>{_TEXT}</\5>{_S})*)")
        + r"(?:<size>"
        + _S
        + _tag("width", f"{_S}([0-9]{{1,9}}){_S}")
        + _tag("height", f"{_S}([0-9]{{1,9}}){_S}")
        + _maybe("depth", f"{_S}(?:([0-9]+){_S})?")
        + rf"</size>{_S})?"
        + _maybe("segmented", _TEXT)
    ).encode()
)
_FLAG = f"{_S}([01]){_S}"


def _objects_with(*sides: str) -> re.Pattern[bytes]:
    return re.compile(
        (
            rf"(<object>{_S}"
            + _tag("name", f"({_NAME})")
            + _maybe("pose", rf"{_S}(?:([A-Za-z]+){_S})?")
            + _maybe("truncated", _FLAG)
            + _maybe("difficult", _FLAG)
            + _maybe("occluded", _FLAG)
            + _maybe("difficult", _FLAG)
            + _tag("bndbox", _S + "".join(_tag(s, f"{_S}({_NUMBER}){_S}") for s in sides))
            + _maybe("difficult", _FLAG)
            + rf"</object>{_S})"
        ).encode()
    )


_OBJECT = _objects_with("xmin", "ymin", "xmax", "ymax")
_OBJECT_OF_ROBOFLOW = _objects_with("xmin", "xmax", "ymin", "ymax")
_TAIL = re.compile(rf"</annotation>{_S}".encode())
_CHILD = re.compile(rf"<([a-z]+)>({_TEXT})</\1>".encode())
_FLAGS = {b"": None, b"0": False, b"1": True}

Objects = list[tuple[bytes, ...]]


@dataclass(slots=True)
class PlainFile:
    """What a file says: its head, and the columns of its objects.

    `by_axis`: a box's sides come as xmin, xmax, ymin, ymax.
    """

    filename: str
    one_based: bool
    meta: str | None
    width: int | None = None
    height: int | None = None
    count: int = 0
    by_axis: bool = False
    columns: dict[str, list[Any]] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The names of the objects."""
        return self.columns.get("label", [])


class PlainFiles(NamedTuple):
    """Files as they come from another process: all objects in one set of columns.

    `texts` are the bytes of those that are None in `files`, by their places.
    """

    files: list[PlainFile | None]
    columns: dict[str, Any]
    texts: dict[int, bytes]

    def spread(self) -> list[PlainFile | None]:
        """Give each file its objects, and return the files."""
        lists = {n: v.tolist() if isinstance(v, np.ndarray) else v for n, v in self.columns.items()}
        stop = 0
        for file in self.files:
            if file is not None:
                start, stop = stop, stop + file.count
                file.columns = {name: values[start:stop] for name, values in lists.items()}
        return self.files


def read_plain_files(files: DiskFiles | None, one_based: str) -> PlainFiles | None:
    """Return what annotation files on disk say; None where there is one that can't be read.

    Nothing else is needed for it: another process can do it.
    """
    texts = [] if files is None else list(files.contents())
    known = [text for text in texts if text is not None]
    return _parse(known, one_based) if files is not None and len(known) == len(texts) else None


def parse_plain_files(texts: Sequence[bytes], one_based: str) -> list[PlainFile | None]:
    """Return what each plain file says, None for a file that is to be parsed as XML.

    A file is not plain either where anything has to be said of its objects.
    """
    return _parse(texts, one_based).spread()


def _parse(texts: Sequence[bytes], one_based: str) -> PlainFiles:
    files: list[PlainFile | None] = []
    objects: Objects = []
    for text in texts:
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        file = None
        head = _HEAD.match(text)
        if head is not None:
            start, end = head.end(), text.rfind(b"</annotation>")
            by_axis = text.find(b"<xmax>", start) < text.find(b"<ymin>", start)
            found = (_OBJECT_OF_ROBOFLOW if by_axis else _OBJECT).findall(text, start, end)
            # They follow each other without anything between, and nothing follows them.
            length = sum([len(row[0]) for row in found])
            if start + length == end and _TAIL.fullmatch(text, end):
                file = _read_head(head.groups(b""), one_based)
            if file is not None:
                file.count, file.by_axis = len(found), by_axis
                objects += found
        files.append(file)
    columns = _columns_of(files, objects) if objects else {}
    return PlainFiles(files, columns, {i: texts[i] for i, f in enumerate(files) if f is None})


def _read_head(groups: tuple[bytes, ...], one_based: str) -> PlainFile | None:
    folder, filename, path, source, _, width, height, depth = groups
    about = _about(folder, path, source, depth)
    if about is None:
        return None
    database, meta = about
    file = PlainFile(filename.decode().strip(), is_one_based(database, one_based), meta)
    if width:
        file.width, file.height = int(width), int(height)
    return file if file.width != 0 and file.height != 0 else None


@lru_cache(1024)
def _about(
    folder: bytes, path: bytes, source: bytes, depth: bytes
) -> tuple[str, str | None] | None:
    # The database, and what is kept of a head; None where it says something twice.
    children = _CHILD.findall(source)
    found = {tag.decode(): text.decode().strip() for tag, text in children}
    if len(found) < len(children):
        return None
    texts = {"folder": folder, "path": path, "source": b"", "depth": depth}
    said: dict[str, Any] = {name: text.decode().strip() for name, text in texts.items()}
    said["source"] = found
    return found.get("database", ""), meta_json(said.items())


def _columns_of(files: list[PlainFile | None], objects: Objects) -> dict[str, Any]:
    # The columns of the files' objects; None takes the place of a file that has an unusual one.
    _, names, pose, truncated, hard, occluded, later, *sides, last = zip(*objects, strict=True)
    plain = [file for file in files if file is not None]
    counts = [file.count for file in plain]
    numbers = np.array([list(map(float, side)) for side in sides])
    by_axis = np.repeat([file.by_axis for file in plain], counts)
    left, top, right, bottom = np.where(by_axis, numbers[[0, 2, 1, 3]], numbers)
    shift = np.repeat([float(file.one_based) for file in plain], counts)
    width = np.repeat(np.array([file.width for file in plain], np.float64), counts)
    height = np.repeat(np.array([file.height for file in plain], np.float64), counts)
    x, y = left - shift, top - shift
    w, h = right - x, bottom - y
    good = (right >= left) & (bottom >= top) & (w > 0) & (h > 0)
    # NaN where no size is declared: then nothing is outside.
    good &= ~((x + w > width) | (y + h > height) | (((x < 0) | (y < 0)) & (width > 0)))
    if not good.all():
        bad = np.searchsorted(np.cumsum(counts), np.flatnonzero(~good), side="right")
        unusual = {id(plain[i]) for i in bad.tolist()}
        owners = [file for file in plain for _ in range(file.count)]
        files[:] = [None if id(file) in unusual else file for file in files]
        usual = [o for o, file in zip(objects, owners, strict=True) if id(file) not in unusual]
        return _columns_of(files, usual) if usual else {}
    columns: dict[str, Any] = {
        "type": ["box"] * len(objects),
        "label": [name.decode() for name in names],
        **dict(zip("xywh", (x, y, w, h), strict=True)),
    }
    if any(occluded):
        columns["occluded"] = [_FLAGS[flag] for flag in occluded]
    said = list(zip(pose, truncated, hard, later, last, strict=True))
    attributes = {values: _attributes(*values) for values in set(said)}
    if any(attributes.values()):
        columns["attributes"] = [attributes[values] for values in said]
    return columns


def _attributes(pose: bytes, truncated: bytes, *difficult: bytes) -> str | None:
    found: dict[str, Any] = {}
    if pose not in (b"", b"Unspecified"):
        found["pose"] = pose.decode()
    if truncated == b"1":
        found["truncated"] = True
    if next(filter(None, difficult), b"") == b"1":  # the first counts
        found["difficult"] = True
    return json.dumps(found) if found else None
