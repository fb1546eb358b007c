"""What a dataset says of its columns: names of classes, and which columns are media.

It says so in the YAML at the head of ``README.md`` (``dataset_info``), and in the metadata of a
parquet file's schema (``huggingface``). A column in a column is named with a dot:
``objects.category``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

__all__ = ["MEDIA_TYPES", "Features", "front_matter", "of_readme", "of_schema"]

MEDIA_TYPES = {"Image": "image", "Audio": "audio", "Video": "video"}
_MOST_NAMES, _MOST_FIELDS = 1_000_000, 10_000


@dataclass
class Features:
    """Names of classes by column, and the kind of media by column, in the order of the columns."""

    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)
    looked: int = 0

    def merge(self, other: Features) -> None:
        """Take over what `other` knows and this does not."""
        self.names = {**other.names, **self.names}
        self.media = {**other.media, **self.media}

    def class_name(self, column: str, value: Any) -> str | None:
        """Return the name of a class given by number or name; None: there is none.

        Raises:
            ValueError: the number is not one of a class.
        """
        if value is None or value == "" or isinstance(value, bool):
            return None if not isinstance(value, bool) else str(value).lower()
        names = self.names.get(column)
        if not isinstance(value, (int, float, str)):
            raise ValueError(f"{value!r:.40} is no class")  # noqa: TRY004
        if isinstance(value, str) and names and value not in names and _is_number(value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int):
            return str(value)
        if value == -1:
            return None
        if names is None and value >= 0:
            return f"class_{value}"
        if names is None or not 0 <= value < len(names):
            raise ValueError(f"there is no class {value}")
        return names[value]


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


# -- README.md --------------------------------------------------------------------------------


def front_matter(text: str) -> dict[str, Any]:
    """Return the YAML between the first two lines ``---`` of a text; {} where there is none."""
    lines = text.lstrip("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---":
        return {}
    try:
        end = next(i for i, line in enumerate(lines) if i and line.strip() == "---")
        found = yaml.safe_load("\n".join(lines[1:end]))
    except (StopIteration, yaml.YAMLError, RecursionError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def of_readme(text: str) -> Features:
    """Return what a ``README.md`` says of the columns."""
    features = Features()
    info = front_matter(text).get("dataset_info")
    try:
        for one in info if isinstance(info, list) else [info]:
            if isinstance(one, dict):
                _yaml_fields(one.get("features"), "", features)
    except RecursionError:
        return Features()
    return features


def _yaml_fields(fields: Any, prefix: str, into: Features) -> None:
    for one in fields if isinstance(fields, list) else ():
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            _yaml_field(one, prefix + one["name"], into)


def _yaml_field(one: Mapping[str, Any], path: str, into: Features) -> None:
    # YAML can say a thing once and mean it a billion times.
    into.looked += 1
    if into.looked > _MOST_FIELDS:
        return
    for key in ("class_label", "dtype", "sequence", "list", "struct"):
        inner = one.get(key)
        if key == "class_label" and isinstance(inner, dict):
            into.names.setdefault(path, _names(inner.get("names")))
        elif isinstance(inner, dict):
            _yaml_field(inner, path, into)
        elif isinstance(inner, list):
            _yaml_fields(inner, f"{path}.", into)
        elif isinstance(inner, str) and inner.capitalize() in MEDIA_TYPES:
            into.media.setdefault(path, inner.lower())


def _names(names: Any) -> tuple[str, ...]:
    if isinstance(names, dict):
        numbered = {int(k): str(v) for k, v in names.items() if _is_number(str(k))}
        if not numbered or max(numbered) >= _MOST_NAMES or min(numbered) < 0:
            return ()
        return tuple(numbered.get(i, f"class_{i}") for i in range(max(numbered) + 1))
    return tuple(str(n) for n in names) if isinstance(names, Sequence) else ()


# -- the schema of a parquet file -------------------------------------------------------------


def of_schema(metadata: Mapping[bytes, bytes] | None) -> Features:
    """Return what the metadata of a parquet file's schema says of the columns."""
    features = Features()
    try:
        info = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return features
    try:
        for name, one in info.items() if isinstance(info, dict) else ():
            _json_field(one, name, features)
    except RecursionError:
        return Features()
    return features


def _json_field(one: Any, path: str, into: Features) -> None:
    if isinstance(one, list) and one:
        _json_field(one[0], path, into)
    if not isinstance(one, dict):
        return
    kind = one.get("_type")
    if kind == "ClassLabel":
        into.names.setdefault(path, _names(one.get("names")))
    elif isinstance(kind, str) and kind in MEDIA_TYPES:
        into.media.setdefault(path, MEDIA_TYPES[kind])
    elif "feature" in one:
        _json_field(one["feature"], path, into)
    else:
        for name, inner in one.items():
            if name != "_type":
                _json_field(inner, f"{path}.{name}", into)
