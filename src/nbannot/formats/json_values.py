"""JSON of any quality as a list of values: what can be mended is, and it is said what was wrong."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from ..errors import BrokenFileError
from ..ledger import Ledger

__all__ = ["dumps", "loads", "values_of"]

_LIST = msgspec.json.Decoder(list[Raw])
_ONE = msgspec.json.Decoder(Raw)
_ANY = msgspec.json.Decoder()
_SURROGATE = re.compile("[\ud800-\udfff]")


def loads(raw: Raw | bytes) -> tuple[Any, str]:
    """Return the value of some JSON, and "" or what was wrong with it and mended.

    Mended are NaN and Infinity (kept as such), lone surrogates and bytes that are not UTF-8
    (U+FFFD put in their place).

    Raises:
        ValueError: it is not JSON at all.
    """
    try:
        return _ANY.decode(raw), ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    problems: set[str] = set()
    text = _text(bytes(raw), problems)
    return _mend(_python(text), problems), "; ".join(sorted(problems))


def _text(data: bytes, problems: set[str]) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        problems.add("bytes that are not UTF-8, replaced by U+FFFD")
        return data.decode("utf-8", "replace")


def _python(text: str) -> Any:
    # Python's own parser takes NaN and half a surrogate pair, and says where it stumbles.
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _mend(value: Any, problems: set[str]) -> Any:
    if isinstance(value, str):
        if _SURROGATE.search(value):
            problems.add("half a surrogate pair, replaced by U+FFFD")
            return _SURROGATE.sub("\ufffd", value)
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            problems.add("NaN or Infinity, which JSON has not")
        return value
    if isinstance(value, dict):
        return {_mend(k, problems): _mend(v, problems) for k, v in value.items()}
    if isinstance(value, list):
        return [_mend(v, problems) for v in value]
    return value


def dumps(value: Any) -> str:
    """Return compact JSON; integers of any size, NaN as null."""
    try:
        return msgspec.json.encode(value).decode()
    except (OverflowError, msgspec.MsgspecError):  # an integer past 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def values_of(data: bytes, file: str, ledger: Ledger) -> Sequence[Raw]:
    """Return the values of a JSON file, unparsed: of a list, of one object, or one per line.

    A line that is not JSON is a rejected record; the others stay.

    Raises:
        BrokenFileError: it is not JSON.
    """
    data = _utf8(data)
    first = data[:1024].lstrip()[:1]
    if not first and not data.strip() and file.lower().endswith((".jsonl", ".ndjson")):
        return []  # no lines, no values
    try:
        if first == b"[":
            return _LIST.decode(data)
        return [_ONE.decode(data)]
    except (msgspec.DecodeError, RecursionError) as error:
        if first == b"{" and "trailing" in str(error) and _is_json(data.split(b"\n", 1)[0]):
            return list(_lines(data, file, ledger))
    # Perhaps only one task is at fault: put each on its own, and `loads` will say what it was.
    problems: set[str] = set()
    try:
        value = _python(_text(data, problems))
    except ValueError as error:
        raise _broken(error, file) from None
    for problem in problems:
        ledger.note("file is not UTF-8", file=file, message=f"{file} holds {problem}")
    values = value if isinstance(value, list) else [value]
    return [Raw(json.dumps(v).encode()) for v in values]


def _utf8(data: bytes) -> bytes:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data[3:] if data[:3] == b"\xef\xbb\xbf" else data


def _is_json(data: bytes) -> bool:
    try:
        loads(data)
    except ValueError:
        return False
    return True


def _lines(data: bytes, file: str, ledger: Ledger) -> Iterator[Raw]:
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            loads(line)
        except ValueError as error:
            ledger.read()
            ledger.reject(
                "line is not JSON", file=file, where=f"line {number}", record=f"line {number}",
                message=f"line {number} is not JSON: {error}",
            )  # fmt: skip
        else:
            yield Raw(line)


def _broken(error: ValueError, file: str) -> BrokenFileError:
    where = file
    text = str(error)
    if isinstance(error, json.JSONDecodeError):
        offset = len(error.doc[: error.pos].encode("utf-8", "replace"))
        where = f"{file}, line {error.lineno}, byte {offset}"
        text = error.msg[0].lower() + error.msg[1:]
    return BrokenFileError(
        f"The file is not JSON: {text}", where=where, hint="Export or download it again."
    )
