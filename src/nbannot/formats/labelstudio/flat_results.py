"""What a control gave in a flat export of Label Studio, as the results that it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .config import Config

__all__ = ["kind_of", "results_of"]

_PLAIN = ("choices", "taxonomy", "rating", "number", "datetime", "pairwise", "ranker")
_SHAPES = (
    ("rle", "brush"), ("imageDataURL", "bitmask"), ("vertices", "vector"), ("points", "polygon"),
    ("radiusX", "ellipse"), ("sequence", "videorectangle"), ("ranges", "timelinelabels"),
    ("height", "rectangle"),
)  # fmt: skip
_SIZES = ("original_width", "original_height")
_GEOMETRY = frozenset(("x", "y", "width", "height", "points", "rle", "vertices", "sequence"))


def kind_of(found: Any) -> str:
    """Return the type of the results in a cell or value, "" where it holds none.

    >>> kind_of([{"x": 1, "y": 2, "width": 3, "height": 4, "rectanglelabels": ["cat"]}])
    'rectanglelabels'
    >>> kind_of([{"name": "JIN", "role": "writer"}])
    ''
    """
    values = found if isinstance(found, list) else [found]
    for value in values:
        if isinstance(value, Mapping):
            kind = _kind_of_value(value)
            if kind:
                return kind
    return ""


def _kind_of_value(value: Mapping[str, Any]) -> str:
    for key in value:
        if key.endswith("labels") and isinstance(value[key], list):
            return key
    for key in _PLAIN:
        if key in value:
            return key
    if value.keys() & set(_SIZES):
        return next((kind for key, kind in _SHAPES if key in value), "keypoint")
    return "textarea" if value.keys() == {"text"} else ""


def results_of(name: str, found: Any, config: Config | None) -> list[dict[str, Any]]:
    """Return the results of the control `name`, as they were before they were made flat."""
    if found in (None, "", []):
        return []
    tag, to_name = _control(name, config)
    out = []
    for entry in found if isinstance(found, list) else [found]:
        kind, value = _value(entry, tag)
        result: dict[str, Any] = {"from_name": name, "type": kind}
        if to_name is not None:
            result["to_name"] = to_name
        if isinstance(value, Mapping):
            value = dict(value)
            result |= {k: value.pop(k) for k in _SIZES if k in value}
            result |= {k: value.pop(k) for k in ("id", "parentID") if value.get(k) is not None}
        out.append({**result, "value": value})
    return out


def _control(name: str, config: Config | None) -> tuple[str, str | None]:
    # (type of its results, name of the object), "" and None where nobody says
    if config is None:
        return "", None
    control = config.controls.get(name) or config.control_like(name)
    if control is None:
        return "", None
    kind = control.tag.lower()
    return "chatmessage" if kind == "chat" else kind, control.to_names[0]


def _value(entry: Any, tag: str) -> tuple[str, Any]:
    # (type, value) of one entry of a list, or of what stood for the whole list
    if isinstance(entry, Mapping):
        inner = _kind_of_value(entry)
        if tag == "chatmessage" or (not inner and {"role", "content"} <= entry.keys()):
            return "chatmessage", {"chatmessage": entry}
        if "ranker" in (tag, inner) and "ranker" not in entry:
            return "ranker", {"ranker": entry}
        shaped = bool(entry.keys() & _GEOMETRY)
        # <Labels> on a shape, and a shape without labels, are what they look like.
        return (inner if tag in ("", "labels") and inner and shaped else tag or inner), entry
    if tag == "textarea":
        return "textarea", {"text": [entry]}
    if tag in ("rating", "number", "datetime"):
        return tag, {tag: entry}
    return "choices", {"choices": [entry]}
