"""Which suffix is what kind of media. Names only; the bytes decide when media is opened."""

from __future__ import annotations

__all__ = ["IMAGE_SUFFIXES", "KIND_OF_SUFFIX", "is_image", "kind_of"]

IMAGE_SUFFIXES = (
    ".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp",
)  # fmt: skip
AUDIO_SUFFIXES = (".aac", ".aiff", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav")
VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")

KIND_OF_SUFFIX = {
    **dict.fromkeys(IMAGE_SUFFIXES, "image"),
    **dict.fromkeys(AUDIO_SUFFIXES, "audio"),
    **dict.fromkeys(VIDEO_SUFFIXES, "video"),
}


def suffix(path: str) -> str:
    """Return the suffix of `path` in lower case, with its dot."""
    name = path.rpartition("/")[2]
    stem, dot, end = name.rpartition(".")
    return f".{end.lower()}" if stem and dot else ""


def is_image(path: str) -> bool:
    """Say whether the name of a file is that of an image."""
    return suffix(path) in IMAGE_SUFFIXES


def kind_of(path: str) -> str:
    """Return "image", "audio", "video" or "other", by the name of a file."""
    return KIND_OF_SUFFIX.get(suffix(path), "other")
