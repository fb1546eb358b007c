"""The annotations of a video: objects, and their figures frame by frame."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ..fitting import Row
from ..json_values import dumps
from .layout import TRACK

__all__ = ["VideoDocument"]

_KEY = re.compile("[0-9a-f]{32}")


class VideoDocument:
    """Collects the figures of one video; `finish` gives its objects and frames."""

    def __init__(self, name: str, ids: Iterator[int]) -> None:
        """`ids` are numbers that are unique in the project: the SDK wants them beside the keys."""
        self._name, self._ids = name, ids
        self._objects: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._seen: dict[str, list[int]] = {}  # key of an object → its frames
        self._tags: dict[str, dict[str, tuple[dict[str, Any], set[int]]]] = {}
        self._frames: dict[int, list[dict[str, Any]]] = {}
        self._count = 0

    def add(self, row: Row, common: Mapping[str, Any], figures: Sequence[dict[str, Any]]) -> None:
        """Add the figures of a row; `common` is what an image's object would have beside them."""
        frame, key = row["frame"], self._object(row)
        self._seen[key].append(frame)
        for tag in common["tags"]:
            frames = self._tags[key].setdefault(dumps(tag), (tag, set()))[1]
            frames.add(frame)
        for figure in figures:
            self._count += 1
            own_id = row.get("source_id") or ""
            geometry = {k: v for k, v in figure.items() if k not in ("geometryType", "shape")}
            self._frames.setdefault(frame, []).append(
                {
                    "key": own_id if _KEY.fullmatch(own_id) else self._key("figure", self._count),
                    "id": next(self._ids),
                    "objectKey": key,
                    "geometryType": figure["geometryType"],
                    "geometry": geometry,
                }
            )

    def _object(self, row: Row) -> str:
        track, label = row.get("track"), row["label"]
        ident = (track, label) if track is not None else (None, label, self._count)
        if ident not in self._objects:
            key = track if track is not None and _KEY.fullmatch(track) else ""
            if not key or key in self._seen:
                key = self._key("object", *ident)
            made = {"key": key, "id": next(self._ids), "classTitle": label, "tags": []}
            self._objects[ident] = made if key == track else {**made, TRACK: track}
            self._seen[key], self._tags[key] = [], {}
        found: str = self._objects[ident]["key"]
        return found

    def _key(self, *parts: Any) -> str:
        # Keys are UUIDs; these are made of what they stand for, so that they are always the same.
        text = "\0".join(map(str, (self._name, *parts)))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def gaps(self) -> int:
        """How often a track has frames without a figure between two with one."""
        return sum(
            later - earlier > 1
            for frames in map(sorted, self._seen.values())
            for earlier, later in pairwise(frames)
        )

    def finish(self, count: int | None) -> dict[str, Any]:
        """Return the keys of the annotation file that tell of objects and frames."""
        for made in self._objects.values():
            key = made["key"]
            for tag, frames in self._tags[key].values():
                if frames == set(self._seen[key]):
                    made["tags"].append(tag)
                else:
                    made["tags"] += [{**tag, "frameRange": list(r)} for r in _ranges(frames)]
        return {
            "key": self._key("video"),
            "objects": list(self._objects.values()),
            "frames": [{"index": n, "figures": f} for n, f in sorted(self._frames.items())],
            "framesCount": max(count or 0, max(self._frames, default=-1) + 1),
        }


def _ranges(frames: set[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for frame in sorted(frames):
        if found and found[-1][1] == frame - 1:
            found[-1] = (found[-1][0], frame)
        else:
            found.append((frame, frame))
    return found
