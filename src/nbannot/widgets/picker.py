"""What there is to pick: files of the kernel's machine, and tables among a notebook's variables."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import SourceError
from ..media.kinds import is_image

__all__ = ["LIMIT", "complete", "list_folder", "list_frames", "parents_of"]

LIMIT = 500
"""Entries of a folder that are listed; a filter finds the others."""

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_ANNOTATIONS = (
    ".csv",
    ".json",
    ".jsonl",
    ".ndjson",
    ".parquet",
    ".tsv",
    ".txt",
    ".xml",
    ".yaml",
    ".yml",
)
_ORDER = {"folder": 0, "archive": 1, "file": 2, "image": 3}


def list_folder(location: str, text: str = "") -> tuple[list[dict[str, Any]], int]:
    """Return (entries, how many there are in all) of a folder; hidden ones are left out.

    Folders come first, then archives, annotation files, and images. Each entry has name, path,
    kind ("folder", "archive", "file"), size_bytes, files (of a folder) and note.

    Raises:
        SourceError: the folder is not there or may not be read.
    """
    try:
        with os.scandir(location) as scan:
            found = [
                e for e in scan if not e.name.startswith(".") and text.lower() in e.name.lower()
            ]
    except OSError as error:
        raise SourceError(
            f"The folder can't be listed: {error.strerror}", where=location
        ) from error
    rows = sorted((_ORDER[_kind(e)], e.name.lower(), e) for e in found)
    return [_entry(e) for _, _, e in rows[:LIMIT]], len(rows)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_dir():
        return "folder"
    if entry.name.lower().endswith(_ARCHIVES):
        return "archive"
    return "image" if is_image(entry.name) else "file"


def _entry(entry: os.DirEntry[str]) -> dict[str, Any]:
    kind = _kind(entry)
    out: dict[str, Any] = {
        "name": entry.name,
        "path": entry.path,
        "kind": "file" if kind == "image" else kind,
        "size_bytes": None,
        "files": None,
        "note": "image" if kind == "image" else "",
    }
    try:
        if kind == "folder":
            out["files"] = len(os.listdir(entry.path))
        else:
            out["size_bytes"] = entry.stat().st_size
            if kind == "file" and entry.name.lower().endswith(_ANNOTATIONS):
                out["note"] = "annotations?"
    except OSError as error:
        out["note"] = error.strerror or "can't be read"
    return out


def parents_of(location: str) -> list[dict[str, str]]:
    """Return the folders above `location` and itself, outermost first."""
    path = Path(location)
    return [{"name": p.name or p.anchor, "path": str(p)} for p in [*reversed(path.parents), path]]


def complete(text: str, base: str, limit: int = 20) -> list[str]:
    """Return paths that begin with `text`, folders with a ``/`` at their end."""
    folder, _, start = text.rpartition("/")
    place = Path(base, os.path.expanduser(folder) or ("/" if text.startswith("/") else "."))
    try:
        names = sorted(e.name + "/" * e.is_dir() for e in os.scandir(place))
    except OSError:
        return []
    prefix = f"{folder}/" if "/" in text else ""
    hidden = start.startswith(".")
    return [prefix + n for n in names if n.startswith(start) and (hidden or not n.startswith("."))][
        :limit
    ]


def list_frames(namespace: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
    """Return the tables among the notebook's variables: name, kind, rows, columns.

    Recognised by duck type, so no library is imported for it.
    """
    found = []
    for name, value in (notebook_variables() if namespace is None else namespace).items():
        if name.startswith("_"):
            continue
        size = _frame_size(value)
        if size is not None:
            kind = type(value)
            library = kind.__module__.partition(".")[0]
            found.append(
                {
                    "name": name,
                    "kind": f"{library}.{kind.__name__}",
                    "rows": size[0],
                    "columns": size[1],
                }
            )
    return sorted(found, key=lambda f: str(f["name"]))


def _frame_size(value: object) -> tuple[int, int] | None:
    if isinstance(value, type):
        return None
    if isinstance(value, list):
        if value and all(isinstance(row, dict) for row in value[:100]):
            return len(value), len(value[0])
        return None
    if not (hasattr(value, "__arrow_c_stream__") or hasattr(value, "__dataframe__")):
        return None
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and len(shape) == 2 and all(isinstance(n, int) for n in shape):
        return shape
    return None


def notebook_variables() -> Mapping[str, object]:
    """Return the variables of the notebook this runs in, none outside of one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return dict(shell.user_ns) if shell is not None else {}
