"""Label Studio's spans of text and time, and its tracks in video."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .shapes import is_frame, is_number

__all__ = ["locate"]


def locate(text: str, start: int, end: int, quoted: str | None) -> tuple[int, int, str]:
    """Return (start, end) in code points of a span, and "" or what is suspect about it.

    The browser counts UTF-16 units, scripts count code points, and some count a line break of
    two characters as one: whichever makes the span read as `quoted` is taken.

    >>> locate("😀 hello", 3, 8, "hello")
    (2, 7, '')
    >>> locate("😀 hello", 2, 7, "hello")
    (2, 7, '')
    """
    units = _from_utf16(text, start), _from_utf16(text, end)
    plain = text.replace("\r\n", "\n")
    tries = [units, (start, end)]
    if len(plain) != len(text):
        tries += [
            (
                _past_breaks(text, _from_utf16(plain, start)),
                _past_breaks(text, _from_utf16(plain, end)),
            ),
            (_past_breaks(text, start), _past_breaks(text, end)),
        ]
    if quoted is None:
        return (*units, "" if units == (start, end) else "offsets are taken as UTF-16 units")
    wanted = _same(quoted)
    for low, high in tries:
        if _same(text[low:high]) == wanted:
            return low, high, ""
    return (*units, "the text at its offsets is not the text that it quotes")


def _same(text: str) -> str:
    return text.replace("\\n", "\n").replace("\r\n", "\n")


def _from_utf16(text: str, offset: int) -> int:
    if text.isascii() or not any(c > "\uffff" for c in text[:offset]):
        return offset
    return len(text.encode("utf-16-le")[: 2 * offset].decode("utf-16-le", "ignore"))


def _past_breaks(text: str, offset: int) -> int:
    # An offset into the text with \n for \r\n, as an offset into the text itself.
    for n, match in enumerate(re.finditer("\r\n", text)):
        if match.start() - n >= offset:
            return offset + n
    return offset + text.count("\r\n")


def span_columns(
    kind: str, value: Mapping[str, Any], data: Mapping[str, Any], to_name: object,
    media_key: str | None, item_kind: str,
) -> tuple[str, dict[str, Any], str]:  # fmt: skip
    """Return (type, columns, problem) of a span; columns are empty where none can hold it."""
    if kind == "timelinelabels":
        ranges = value.get("ranges")
        first = ranges[0].get("start") if isinstance(ranges, list) and ranges else None
        frame = {"frame": int(first) - 1} if is_frame(first) else {}
        return "time_span", frame, ""
    if kind == "timeserieslabels" or (kind == "labels" and _is_sound(value, item_kind)):
        return "time_span", _numbers(value), ""
    if kind == "hypertextlabels":
        offsets = value.get("globalOffsets")
        columns = _numbers(offsets) if isinstance(offsets, Mapping) else {}
        return "text_span", columns | _quoted(value), ""
    columns = _quoted(value)
    if kind == "paragraphlabels":
        return "text_span", columns, ""
    numbers = _numbers(value)
    text = next((data[k] for k in (to_name, media_key) if isinstance(k, str) and k in data), None)
    if len(numbers) < 2 or not isinstance(text, str):
        return "text_span", columns | numbers, ""
    start, end, problem = locate(
        text, int(numbers["start"]), int(numbers["end"]), columns.get("text")
    )
    return "text_span", columns | {"start": float(start), "end": float(end)}, problem


def _is_sound(value: Mapping[str, Any], item_kind: str) -> bool:
    return item_kind in ("audio", "video") or ("channel" in value and item_kind != "text")


def _numbers(value: Mapping[str, Any]) -> dict[str, Any]:
    found = {k: value.get(k) for k in ("start", "end")}
    good = {k: float(v) for k, v in found.items() if is_number(v)}
    return good if len(good) == 2 else {}


def _quoted(value: Mapping[str, Any]) -> dict[str, Any]:
    text = value.get("text")
    return {"text": text} if isinstance(text, str) else {}
