"""What Label Studio's annotators choose, write, rate and rank, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..json_values import dumps
from .rows import Row
from .shapes import Fault, is_number

__all__ = ["value_rows"]


def value_rows(row: Row, result: Mapping[str, Any]) -> list[Row]:
    """Return `row` filled with the value of a result, once for each thing chosen or written.

    Raises:
        Fault: the value is not what its type says.
    """
    kind, value = result["type"], result["value"]
    rest = {k: v for k, v in value.items() if k not in (kind, "text")}
    if kind in ("choices", "taxonomy", "textarea"):
        rows = _several(kind, value, row)
        if kind != "textarea" and "text" in value:
            rest["text"] = value["text"]
    else:
        rows = [_one(kind, value, row, rest)]
    return [_with_rest(r, rest if i == 0 else {}, i) for i, r in enumerate(rows)]


def _several(kind: str, value: Mapping[str, Any], row: Row) -> list[Row]:
    found = value.get("text" if kind == "textarea" else kind)
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        raise Fault(f"{kind} holds no list", f"it holds {found!r:.60}")
    if kind == "taxonomy":
        if found and all(isinstance(v, str) for v in found):
            found = [found]
        if not all(isinstance(p, list) and all(isinstance(v, str) for v in p) for p in found):
            raise Fault("taxonomy holds no paths", f"it holds {found!r:.60}")
        return [
            row._replace(
                type="taxonomy", label="/".join(p) or None,
                more={"attributes": dumps({"path": p})},
            )
            for p in found
        ] or [row._replace(type="taxonomy")]  # fmt: skip
    if not all(isinstance(v, (str, int, float)) for v in found):
        raise Fault(f"{kind} holds no text", f"it holds {found!r:.60}")
    if kind == "choices":
        return [row._replace(type="choice", label=str(v)) for v in found] or [
            row._replace(type="choice")
        ]
    return [row._replace(type="text", more={"text": str(v)}) for v in found] or [
        row._replace(type="text")
    ]


def _one(kind: str, value: Mapping[str, Any], row: Row, rest: dict[str, Any]) -> Row:
    found = value.get("selected" if kind == "pairwise" else kind)
    if kind in ("rating", "number"):
        if not is_number(found):
            raise Fault("not a number", f"{kind} is {found!r:.60}")
        return row._replace(type=kind, more={"number": float(found)})
    if kind in ("datetime", "pairwise"):
        if not isinstance(found, str):
            raise Fault(f"{kind} holds no text", f"it holds {found!r:.60}")
        rest.pop("selected", None)
        return row._replace(type=kind, more={"text": found})
    if found is None:
        raise Fault(f"{kind} holds nothing", f"its value has {sorted(value)!r:.60}")
    if kind == "ranker":
        return row._replace(type="ranking", more={"attributes": dumps({"ranking": found})})
    # A chat message, or what a component of the user's own made: readable, and whole in extra.
    rest[kind] = found
    if kind == "chatmessage" and isinstance(found, Mapping):
        more: dict[str, Any] = {"text": str(found.get("content"))}
        if "role" in found:
            more["attributes"] = dumps({"role": found["role"]})
        return row._replace(type="text", more=more)
    return row._replace(type="text", more={"text": dumps(found)})


def _with_rest(row: Row, rest: Mapping[str, Any], place: int) -> Row:
    extra = msgspec.json.decode(row.extra) if row.extra else {}
    if rest:
        extra["value"] = rest
    if place:
        extra["nth"] = place  # of several rows that are one result
    return row._replace(extra=dumps(dict(sorted(extra.items()))))
