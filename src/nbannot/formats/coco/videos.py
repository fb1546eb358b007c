"""COCO's videos: one annotation per track, as YouTube-VIS has it, becomes one per frame.

``videos`` name the files of their frames; an annotation has lists of segmentations, boxes and
areas, one entry per frame, null where the object is not seen. Each frame becomes an image, with
video_id, frame_id and what else is told of its video (`video`) in its meta; each entry an
annotation of that image, in a track that is named by the annotation's id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from msgspec import Raw

from ...ledger import Ledger
from .json import Document, loads, plain_json
from .labels import ident

__all__ = ["frame_name", "has_frames", "has_tracks", "has_videos", "split_tracks"]

_LISTS = {"segmentations": "segmentation", "bboxes": "bbox", "areas": "area"}
_OF_VIDEO = ("id", "video_id", "width", "height", "length")
_OWN = ("id", "width", "height", "length", "file_names")


def has_videos(document: Document) -> bool:
    """Say whether the images of a file are frames of videos."""
    return bool(document.images) and b'"video_id"' in bytes(document.images[0])


def has_frames(document: Document) -> bool:
    """Say whether a file has videos that name the files of their frames, and no images."""
    videos = document.rest.get("videos")
    return (
        isinstance(videos, list)
        and not document.images
        and (
            any(isinstance(v, dict) and "file_names" in v for v in videos)
            or any(b'"segmentations"' in bytes(raw) for raw in document.annotations[:1])
        )
    )


def has_tracks(results: Document) -> bool:
    """Say whether results are on videos: one per track."""
    first = bytes(results.annotations[0]) if results.annotations else b""
    return b'"video_id"' in first and (b'"segmentations"' in first or b'"bboxes"' in first)


def frame_name(video: Any, frame: Any) -> str:
    """Return what stands for the id of an image: that of its video and its number in it."""
    return f"{video}:{frame}"


def split_tracks(document: Document, ledger: Ledger, *, results: bool = False) -> Document:
    """Return a document of frames and of what is on each of them; `results` have no videos.

    A track that is seen on no frame, and a video that names none, is a line of the ledger.
    """
    made = _Frames(document.path, ledger, results=results)
    for at, video in enumerate(document.rest.get("videos") or ()):
        made.video(video, at)
    for at, raw in enumerate(document.annotations):
        made.track(raw, at)
    rest = {k: v for k, v in document.rest.items() if k != "videos"}
    found = Document(
        document.path, b"", made.images, made.annotations, rest, contiguous=False
    )  # fmt: skip
    found.place_of = made.places.__getitem__
    found.image_place_of = made.image_places.__getitem__
    return found


class _Frames:
    """Collects the images and annotations of frames, and where in the file they come from."""

    def __init__(self, path: str, ledger: Ledger, *, results: bool) -> None:
        self._path, self._ledger, self._results = path, ledger, results
        self.images: list[Raw] = []
        self.annotations: list[Raw] = []
        self.image_places: list[str] = []
        self.places: list[tuple[str, str]] = []

    def video(self, video: Any, at: int) -> None:
        """Take the frames of a video."""
        where = f"$.videos[{at}]"
        names = video.get("file_names") if isinstance(video, dict) else None
        if not isinstance(names, list):
            text = f"videos[{at}] names no files of its frames"
            self._reject("the video names no frames", where, f"videos[{at}]", text)
            return
        about = {k: v for k, v in video.items() if k not in _OWN and v not in (None, "")}
        for frame, name in enumerate(names):
            image = {
                "id": frame_name(video.get("id"), frame), "file_name": name,
                "width": video.get("width"), "height": video.get("height"),
                "video_id": video.get("id"), "frame_id": frame,
            }  # fmt: skip
            if about:
                image["video"] = about
            self.images.append(_raw(image))
            self.image_places.append(f"{where}.file_names[{frame}]")

    def track(self, raw: Raw, at: int) -> None:
        """Take what a track has on each frame."""
        where = f"$[{at}]" if self._results else f"$.annotations[{at}]"
        try:
            track = loads(bytes(raw))
        except (ValueError, RecursionError):
            track = None
        lists = track if isinstance(track, dict) else {}
        lists = {k: v for k, v in lists.items() if k in _LISTS and isinstance(v, list)}
        if not lists:
            name = f"result #{at + 1}" if self._results else f"annotations[{at}]"
            self._add(raw, where, name)  # is told when it is read as a record
            return
        if self._results:
            track.setdefault("id", at + 1)  # each is a track
            name = f"result #{at + 1}"
        else:
            name = f"annotation id {track.get('id')}" if "id" in track else f"annotations[{at}]"
        shown = [lists[key] for key in ("segmentations", "bboxes") if key in lists]
        count = max((len(values) for values in shown), default=0)
        seen = [k for k in range(count) if any(k < len(v) and _is_there(v[k]) for v in shown)]
        if not seen:
            text = f"{name}: all of its segmentations and boxes are null"
            self._reject("the track is on no frame", where, name, text)
        for frame in seen:
            made = _on_frame(track, lists, frame, count)
            self._add(_raw(made), f"{where}, frame {frame}", f"{name}, frame {frame}")

    def _add(self, raw: Raw, where: str, name: str) -> None:
        self.annotations.append(raw)
        self.places.append((where, name))

    def _reject(self, reason: str, where: str, record: str, message: str) -> None:
        self._ledger.read()
        self._ledger.reject(
            reason, file=self._path, where=where, record=record, message=message
        )  # fmt: skip


def _is_there(value: Any) -> bool:
    return value is not None and value != []


def _on_frame(
    track: dict[str, Any], lists: dict[str, list[Any]], frame: int, count: int
) -> dict[str, Any]:
    made: dict[str, Any] = {"image_id": frame_name(track.get("video_id"), frame)}
    for key, value in _others(track):
        # Such as OVIS' occlusion: a list of one value per frame.
        each = isinstance(value, list) and len(value) == count
        made[key] = value[frame] if each else value
    for key, values in lists.items():
        value = values[frame] if frame < len(values) else None
        if _is_there(value):
            made[_LISTS[key]] = value
    track_id = ident(track.get("id"))
    if track_id is not None:
        made["track_id"] = track_id
    return made


def _others(track: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    return ((k, v) for k, v in track.items() if k not in (*_OF_VIDEO, *_LISTS))


def _raw(value: dict[str, Any]) -> Raw:
    try:
        return Raw(json.dumps(value, separators=(",", ":"), allow_nan=False).encode())
    except ValueError:
        return Raw(plain_json(value).encode())
