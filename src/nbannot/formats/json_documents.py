"""JSON files that are read one by one: a broken one is a record, all of them broken an error.

Shared by formats that keep one JSON file per image, or one per export, whatever its encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import BrokenFileError
from ..ledger import Ledger
from ..media.kinds import IMAGE_SUFFIXES
from ..sources.base import Source
from .base import Miss
from .json_shapes import Unusable, doubts
from .json_values import dumps, loads, values_of
from .look import Head, Look
from .reading import Reading

__all__ = [
    "Spot", "add_unannotated", "document", "documents", "gather", "heads", "is_http", "list_of",
    "mapping_of", "own_folder", "paths_of", "put", "rows_of", "spare", "tell_twice", "text_of",
    "whole",
]  # fmt: skip

_HEADS = 12
_DEPTH = 100
_MAX_SIDE = 2**31 - 1


def document(data: bytes, file: str, ledger: Ledger) -> Any:
    """Return the value of a JSON file: UTF-8 or UTF-16, with or without byte order mark.

    Several values, one per line, are returned as a list.

    Raises:
        BrokenFileError: it is not JSON.
    """
    raws = values_of(data, file, ledger)
    problems: dict[str, None] = {}
    values = []
    for raw in raws:
        try:
            value, problem = loads(raw)
        except ValueError as error:
            raise BrokenFileError(
                f"The file is not JSON: {error}", where=file, hint="Export or download it again."
            ) from None
        if _is_deep(value):
            raise BrokenFileError(
                "The file is nested too deeply", where=file, hint="No annotation file is."
            )
        values.append(value)
        if problem:
            problems[problem] = None
    for problem in problems:
        ledger.note("file is not strict JSON", file=file, message=f"{file} holds {problem}")
    return values[0] if len(values) == 1 and not _is_list(data) else values


def _is_list(data: bytes) -> bool:
    head = Head(data[:4096]).text.lstrip("\ufeff \t\r\n\0")
    return head.startswith("[")


def rows_of(data: bytes, file: str, ledger: Ledger) -> list[Any]:
    """Return the values of a JSON list or of lines; one nested too deeply is a text that says so.

    Raises:
        BrokenFileError: it is not JSON.
    """
    found = []
    for raw in values_of(data, file, ledger):
        try:
            value = loads(raw)[0]
        except ValueError as error:
            raise BrokenFileError(f"The file is not JSON: {error}", where=file) from None
        found.append("nested too deeply" if _is_deep(value) else value)
    return found


def _is_deep(value: Any) -> bool:
    # Code that walks through it, or only shows it, would run out of stack.
    level = [value]
    for _ in range(_DEPTH):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, (dict, list)):
                parts = one.values() if isinstance(one, dict) else one
                inner += [part for part in parts if isinstance(part, (dict, list))]
        if not inner:
            return False
        level = inner
    return True


def documents(reading: Reading, paths: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield each path and the value of its JSON; a broken one is rejected.

    Raises:
        BrokenFileError: not a single one is JSON.
    """
    first: BrokenFileError | None = None
    good = False
    for path, data in reading.files(paths):
        try:
            value = document(data, path, reading.ledger)
        except BrokenFileError as error:
            if len(paths) == 1:
                raise
            first = first or error
            reading.reject("the file is not JSON", file=path, record="file", message=str(error))
        else:
            good = True
            yield path, value
    if first is not None and not good:
        raise first


def heads(look: Look, *suffixes: str) -> list[tuple[str, Head]]:
    """Return the heads of the file that was asked for, or of some with these suffixes.

    Raises:
        Miss: there is none.
    """
    main = look.source.main
    if main is not None:
        look.need(main.lower().endswith(suffixes), f"the file is no {' or '.join(suffixes)}")
        return [(main, look.head(main))]
    paths = look.files.with_suffix(*suffixes)
    if not paths:
        raise Miss(f"no {' or '.join(suffixes)} file")
    step = max(1, len(paths) // _HEADS)
    return [(path, look.head(path)) for path in paths[::step][:_HEADS]]


def paths_of(source: Source, *suffixes: str) -> list[str]:
    """Return the file that was asked for, or all with these suffixes."""
    if source.main is not None:
        return [source.main]
    return source.files.with_suffix(*suffixes)


def tell_twice(reading: Reading, key: str, file: str) -> None:
    """Warn where an item of this key has been met: the annotations of both files are kept."""
    if reading.number(key) is not None:
        reading.warn(
            "two annotation files for one image", file=file, record="item", item=key,
            message=f"{file} is about {key}, too; the annotations of both are kept",
        )  # fmt: skip


_SORTING = {"annotations", "annotation", "ann", "json", "jsons", "labels", "items", "images"}


def own_folder(path: str) -> str:
    """Return the folder of an annotation file, without folders that only sort.

    >>> own_folder("annotations/cars/a.jpg.json")
    'cars'
    """
    return "/".join(p for p in path.split("/")[:-1] if p.lower() not in _SORTING)


def text_of(value: Any) -> str | None:
    """Return a value as text: a text as it is, nothing for nothing, else its JSON."""
    return None if value is None else value if isinstance(value, str) else dumps(value)


def mapping_of(value: Any) -> dict[str, Any]:
    """Return a JSON object, or an empty one for anything else."""
    return dict(value) if isinstance(value, Mapping) else {}


def list_of(value: Any) -> list[Any]:
    """Return a JSON list, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def gather(values: dict[str, Any], name: str, value: Any) -> None:
    """Add a value to those of a name; several become a list."""
    if name not in values:
        values[name] = value
    elif isinstance(values[name], list):
        values[name].append(value)
    else:
        values[name] = [values[name], value]


def add_unannotated(reading: Reading) -> None:
    """Add the images of a folder that no file speaks of, as items without annotations."""
    source = reading.source
    if source.main is not None or reading.is_full:
        return
    images = source.files.with_suffix(*IMAGE_SUFFIXES)
    folder = "images" if images and all(p.startswith("images/") for p in images) else ""
    reading.leftover(images, under=folder)


def is_http(value: Any) -> bool:
    """Is it an address that a browser opens?"""
    return isinstance(value, str) and value.lower().startswith(("http://", "https://"))


def whole(value: Any, least: int = 0) -> int | None:
    """Return a whole number of at most 31 bits; None where `value` is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not least <= value <= _MAX_SIDE or value != int(value):
        return None
    return int(value)


def spare(format_name: str, values: Mapping[str, Any], *known: str) -> str | None:
    """Return, as JSON for `extra` or `meta`, the values of a record that are not `known`."""
    rest = {k: v for k, v in values.items() if k not in known and v not in (None, "", [], {})}
    return dumps({format_name: rest}) if rest else None


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a record is, as the ledger names it."""

    file: str
    where: str
    record: str
    item: str

    def line(self) -> dict[str, str]:
        """Return the fields of a ledger line."""
        return {"file": self.file, "where": self.where, "record": self.record, "item": self.item}


def put(
    reading: Reading,
    item: int,
    spot: Spot,
    make: Callable[[], dict[str, Any]],
    size: tuple[int | None, int | None] = (None, None),
) -> bool:
    """Add the annotation that `make` returns; reject it where it raises `Unusable`.

    What is doubtful (outside the image, no area) is warned of. Was it added?
    """
    try:
        values = make()
    except Unusable as why:
        reading.reject(why.reason, **spot.line(), message=f"{spot.record}: {why.text}")
        return False
    for reason, text in doubts(values, *size):
        reading.warn(reason, **spot.line(), message=f"{spot.record}: {text}")
    reading.annotation(item, **{k: v for k, v in values.items() if v is not None})
    return True
