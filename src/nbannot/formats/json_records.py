"""Records in JSON: lines, lists, and what is pretty-printed where lines were meant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..errors import BrokenFileError
from ..ledger import Ledger
from .fitting import Row
from .json_values import loads
from .texts import decode, json_object

__all__ = ["first_objects", "first_values", "json_records", "own"]


def own(row: Row, name: str, column: str = "extra") -> dict[str, Any]:
    """Return what the reader of format `name` has kept in `extra` (or `meta`) of a row."""
    value = json_object(row.get(column)).get(name)
    return value if isinstance(value, dict) else {}


def json_records(data: bytes, file: str, ledger: Ledger) -> Iterator[tuple[Any, str]]:
    """Yield (value, "line 3") of JSON lines, of a list, or of values one after the other.

    A line that is not JSON is a rejected record; the others stay.

    Raises:
        BrokenFileError: it is not JSON, or was cut off within a value of many lines.
    """
    text = decode(data, file, ledger)
    stripped = text.lstrip()
    if not stripped:
        return
    if stripped[0] == "[" and not _is_line_of_json(stripped):
        yield from _listed(text, file, ledger)
        return
    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len(lines) == 1 or not (_is_json(lines[0][1]) or (len(lines) > 1 and _is_json(lines[1][1]))):
        yield from _streamed(text, file, ledger)
        return
    for n, line in lines:
        try:
            value, mended = loads(line.strip().encode("utf-8", "surrogatepass"))
        except ValueError as error:
            ledger.read()
            ledger.reject(
                "line is not JSON", file=file, where=f"line {n}", record=f"line {n}",
                message=f"line {n} is not JSON: {error}",
            )  # fmt: skip
            continue
        if mended:
            ledger.note("JSON was mended", file=file, where=f"line {n}", message=mended)
        yield value, f"line {n}"


def _is_json(line: str) -> bool:
    try:
        loads(line.strip().encode("utf-8", "surrogatepass"))
    except ValueError:
        return False
    return True


def _is_line_of_json(text: str) -> bool:
    # lists on lines of their own: ["text", {...}]\n["text", {...}]
    first, _, rest = text.partition("\n")
    return bool(rest.strip()) and _is_json(first)


def _listed(text: str, file: str, ledger: Ledger) -> Iterator[tuple[Any, str]]:
    try:
        value, mended = loads(text.strip().encode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise _broken(error, file) from None
    if mended:
        ledger.note("JSON was mended", file=file, message=mended)
    for n, entry in enumerate(value):
        yield entry, f"[{n}]"


def _streamed(text: str, file: str, ledger: Ledger) -> Iterator[tuple[Any, str]]:
    decoder = json.JSONDecoder()
    at, line, counted = 0, 1, 0
    before = {0: 0}  # values that began on a line
    while True:
        while at < len(text) and (text[at].isspace() or text[at] == ","):
            at += 1
        if at == len(text):
            return
        line += text.count("\n", counted, at)
        counted = at
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise _broken(error, file) from None
        value, mended = loads(text[at:end].encode("utf-8", "surrogatepass"))
        if mended:
            ledger.note("JSON was mended", file=file, where=f"line {line}", message=mended)
        if at and 0 in before and len(before) == 2:
            ledger.note(
                "file is not JSON lines", file=file,
                message=f"{file} holds JSON values of several lines each, one after the other",
            )  # fmt: skip
            del before[0]
        at = end
        before[line] = before.get(line, 0) + 1
        yield value, f"line {line}" if before[line] == 1 else f"line {line}, value {before[line]}"


def _broken(error: Exception, file: str) -> BrokenFileError:
    where, what = file, str(error) or "nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        where = f"{file}, line {error.lineno}"
        what = error.msg[0].lower() + error.msg[1:]
    return BrokenFileError(
        f"The file is not JSON: {what}", where=where, hint="Export or download it again."
    )


def first_values(text: str, count: int = 20) -> list[Any]:
    """Return the first JSON values in the head of a file: of a list, or one after the other.

    >>> first_values('[{"a": 1}, {"a": 2}, {"a')
    [{'a': 1}, {'a': 2}]
    """
    found: list[Any] = []
    decoder = json.JSONDecoder()
    at = len(text) - len(text.lstrip())
    at += text[at : at + 1] == "["
    while len(found) < count:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        found.append(value)
    return found


def first_objects(text: str, count: int = 20) -> list[dict[str, Any]]:
    """Return those of the `first_values` that are objects."""
    return [value for value in first_values(text, count) if isinstance(value, dict)]
