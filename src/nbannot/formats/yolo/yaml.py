"""Reading ``data.yaml`` without running it: every scalar is text, no tag makes an object.

PyYAML's loaders turn a class called ``no`` into False, build Python objects on demand, and let ten
lines of aliases stand for a billion nodes. Here events become dicts, lists and strings, counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from ...errors import BrokenFileError

__all__ = ["decode_text", "is_null", "load_yaml"]

MAX_NODES = 200_000
"""Values in one file, those that aliases repeat included (ImageNet-21k has 21,841 names)."""
MAX_DEPTH = 50

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_PLAIN_TAGS = {None, "!"} | {
    f"tag:yaml.org,2002:{kind}" for kind in ("bool", "float", "int", "map", "null", "seq", "str")
}


def decode_text(data: bytes, where: str) -> str:
    """Return a text file's content: UTF-8, or UTF-16 where a byte order mark says so; no BOM.

    Raises:
        BrokenFileError: it is neither.
    """
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BrokenFileError(
            f"{where} is not {encoding[:6].upper().rstrip('-')} text",
            where=f"{where}, byte {error.start}",
            hint="Save it as UTF-8.",
        ) from None


def is_null(value: object) -> bool:
    """Say whether a value of `load_yaml` stands for nothing (``test:``, ``test: null``)."""
    return value in ("", "~", "null", "Null", "NULL")


def load_yaml(data: bytes, where: str) -> tuple[Any, list[str]]:
    """Return the content of a YAML file, as dicts, lists and strings, and what was odd in it.

    Scalars stay the text they are: ``no`` is "no", ``0`` is "0".

    Raises:
        BrokenFileError: it is no YAML, asks for objects to be made, or grows without end.

    >>> load_yaml(b"names: {0: no, 1: 007}", "data.yaml")
    ({'names': {'0': 'no', '1': '007'}}, [])
    """
    text = decode_text(data, where)
    try:
        return _Builder(text, where).build()
    except yaml.YAMLError as error:
        if "\t" not in text:
            raise _broken(error, where) from None
    # YAML forbids tabs as indentation; people type them all the same.
    try:
        value, odd = _Builder(text.replace("\t", "  "), where).build()
    except yaml.YAMLError as error:
        raise _broken(error, where) from None
    return value, [*odd, "tabs were read as two spaces"]


def _broken(error: yaml.YAMLError, where: str) -> BrokenFileError:
    mark = getattr(error, "problem_mark", None)
    place = f"{where}, line {mark.line + 1}" if mark is not None else where
    problem = getattr(error, "problem", None) or str(error)
    return BrokenFileError(f"{where} is not valid YAML: {problem}", where=place)


class _Builder:
    def __init__(self, text: str, where: str) -> None:
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=_LOADER))
        self._where = where
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self._odd: list[str] = []

    def build(self) -> tuple[Any, list[str]]:
        value, documents = None, 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error(event, "it holds more than one document")
            elif isinstance(event, yaml.NodeEvent):
                value = self._node(event, 0)
        return value, self._odd

    def _node(self, event: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise self._error(event, f"it is nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._error(event, f"the alias *{event.anchor} has no anchor before it")
            value, size = self._anchors[event.anchor]
            self._count(event, size)
            return value
        if event.tag not in _PLAIN_TAGS:
            raise self._error(event, f"the tag {event.tag!r} asks for an object to be made")
        before = self._nodes
        self._count(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            value = event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(depth)
        else:
            value = self._mapping(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._nodes - before
        return value

    def _sequence(self, depth: int) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._node(event, depth + 1))
        return values

    def _mapping(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, str):
                raise self._error(event, "a key is not a word")
            if key in values:
                self._odd.append(f"{key!r} is given twice; the last one counts")
            values[key] = self._node(next(self._events), depth + 1)
        return values

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise self._error(event, f"it stands for more than {MAX_NODES:,} values")

    def _error(self, event: Any, problem: str) -> BrokenFileError:
        line = event.start_mark.line + 1
        return BrokenFileError(
            f"{self._where} can't be read safely: {problem}", where=f"{self._where}, line {line}"
        )
