"""``label_map.pbtxt``: numbers and names of classes, in protobuf's text form."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["parse", "text_of_map"]

_TOKEN = re.compile(
    r"""#[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[{}<>:;,]|[^\s{}<>:;,"'#]+"""
)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)
_PLAIN = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}


def parse(text: str) -> dict[int, tuple[str, str]]:
    r"""Return number → (name, display name or "") of each item.

    >>> parse("item { id: 1 name: 'cat' } item { name: 'gr\\303\\266' id: 2 }")
    {1: ('cat', ''), 2: ('grö', '')}
    """
    found: dict[int, tuple[str, str]] = {}
    values: dict[str, str] = {}
    key = ""
    for token in _TOKEN.findall(text):
        if token[0] in "}>":
            if values.get("id", "").isdecimal():
                name = values.get("name") or values.get("display_name") or ""
                found[int(values["id"])] = name, values.get("display_name", "")
            values, key = {}, ""
        elif token[0] in "{<:;,#":
            continue
        elif key:
            values[key] = _unquoted(token)
            key = ""
        elif token != "item":
            key = token
    return found


def _unquoted(token: str) -> str:
    if token[0] not in "\"'":
        return token
    data = _ESCAPE.sub(lambda m: _escaped(m[1]), token[1:-1].encode())
    return data.decode("utf-8", "replace")


def _escaped(code: bytes) -> bytes:
    if code[:1].isdigit():
        return bytes([int(code, 8) & 0xFF])
    if code[:1] == b"x" and len(code) > 1:
        return bytes([int(code[1:], 16)])
    return _PLAIN.get(code, code)


def text_of_map(names: Sequence[str]) -> str:
    r"""Return a label map of names, numbered from 1.

    >>> text_of_map(["it's"])
    "item {\n  id: 1\n  name: 'it\\'s'\n}\n"
    """
    out = []
    for number, name in enumerate(names, 1):
        shown = name.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        out.append(f"item {{\n  id: {number}\n  name: '{shown}'\n}}\n")
    return "\n".join(out)
