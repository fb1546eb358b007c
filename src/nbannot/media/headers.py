"""Sizes and orientations from the first bytes of an image, without a decoder.

A dataset has 100,000 images and more, and each needs its size: Pillow takes 100 µs and more for
one, this takes a tenth. What is unusual is left to Pillow (`scan` answers None).

Rules: JPEG, ITU T.81 B.2; EXIF 2.32 §4.6.4 (Orientation, tag 0x0112); PNG third edition §11;
GIF89a §18; BMP, BITMAPINFOHEADER; WebP container, RFC 9649 §2; TIFF 6.0 §2.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FIRST_BYTES", "HEAD_BYTES", "MAX_PIXELS", "ImageInfo", "Scanned", "has_size",
    "jpeg_orientation", "other_kind", "scan", "scan_files",
]  # fmt: skip

HEAD_BYTES = 64 * 1024
"""What is looked at, at most: more than this in front of an image's size is unusual."""

FIRST_BYTES = 8 * 1024
"""What is looked at first."""
MAX_PIXELS = 1 << 31

_SIZE = struct.Struct(">HH")
_PNG_SIZE = struct.Struct(">II")
# Baseline, progressive ...: every start of frame but DHT (C4), JPG (C8), DAC (CC).
_FRAME_MARKERS = frozenset(set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC})
# Segments that say nothing of size or orientation: DHT, DQT, DRI, APP0, APP2 to APP15, COM ...
_PLAIN_MARKERS = frozenset({0xC4, 0xC8, 0xCC, *range(0xDB, 0xFF)} - {0xE1})
_SIDEWAYS = (5, 6, 7, 8)
# What most programs write, and nothing else: APP0, tables, a frame of three colours, tables.
_USUAL_JPEG = re.compile(
    rb"\xff\xd8\xff\xe0\x00\x10.{14}(?:\xff\xdb\x00(?:\x43.{65}|\x84.{130}))*"
    rb"\xff[\xc0-\xc2]\x00\x11.(.{4}).{10}"
    rb"(?:\xff\xc4(?:\x00\x1f.{29}|\x00\xb5.{179}|\x01\xa2.{416}))*\xff\xda",
    re.DOTALL,
)


class ImageInfo(NamedTuple):
    """What the header of an image says.

    `width` and `height` are pixels of the image as displayed: EXIF `orientation` (1 to 8) applied.
    `stored_width` and `stored_height` are those of the pixels as they lie in the file. `format`
    is Pillow's name: ``"JPEG"``, ``"PNG"`` ...
    """

    width: int
    height: int
    orientation: int
    format: str
    stored_width: int
    stored_height: int


def info_of(format: str, width: int, height: int, orientation: int = 1) -> ImageInfo:
    """Return the ImageInfo of stored pixels `width` x `height`."""
    if orientation in _SIDEWAYS:
        return ImageInfo(height, width, orientation, format, width, height)
    return ImageInfo(width, height, orientation, format, width, height)


def scan(head: bytes) -> ImageInfo | None:
    """Return what the first bytes of an image say; None: more bytes, or Pillow, must tell.

    >>> scan(b"GIF89a" + bytes([64, 0, 48, 0]) + bytes(3))[:4]
    (64, 48, 1, 'GIF')
    """
    try:
        if head[:3] == b"\xff\xd8\xff":
            return _jpeg(head)
        if head[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(head)
        if head[:6] in (b"GIF87a", b"GIF89a"):
            return info_of("GIF", *struct.unpack_from("<HH", head, 6))
        if head[:2] == b"BM":
            return _bmp(head)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp(head)
        if head[:4] in (b"II*\0", b"MM\0*"):
            return _tiff(head)
    except (struct.error, IndexError):  # the bytes end too soon
        return None
    return None


def has_size(info: ImageInfo) -> bool:
    """Say whether an image can have the size that its header says."""
    return 0 < info.stored_width * info.stored_height <= MAX_PIXELS


class Scanned(NamedTuple):
    """What the first bytes of images say: `infos` that differ, and `which` of them each has.

    -1 where the first bytes do not tell.
    """

    infos: list[ImageInfo]
    which: NDArray[np.int32]

    def each(self) -> Iterator[ImageInfo | None]:
        """Yield what is known of each image, None where something else must tell."""
        infos: list[ImageInfo | None] = [*self.infos, None]
        return map(infos.__getitem__, self.which.tolist())

    def sizes(self) -> NDArray[np.float64] | None:
        """Return width and height of each image, None where one of them is not known."""
        if len(self.which) and self.which.min() < 0:
            return None
        sizes = np.array([info[:2] for info in self.infos], np.float64).reshape(-1, 2)
        return sizes[self.which]


class _Files(Protocol):
    # What is needed of DiskFiles, which are of a layer above.
    def heads(self, limit: int) -> Iterator[bytes | None]: ...


def scan_files(files: _Files | None) -> Scanned | None:
    """Return what the first bytes of images on disk say; nothing of no files."""
    if files is None:
        return None
    codes: dict[ImageInfo | None, int] = {None: -1}
    infos: list[ImageInfo] = []
    which: list[int] = []
    for head in files.heads(FIRST_BYTES):
        info = scan(head) if head else None
        code = codes.get(info)
        if code is None:
            assert info is not None
            code = codes[info] = len(infos) if has_size(info) else -1
            infos += [info] * (code >= 0)
        which.append(code)
    return Scanned(infos, np.array(which, np.int32))


def jpeg_orientation(head: bytes) -> int | None:
    """Return the EXIF orientation (1 to 8) that the first bytes of a JPEG name, None for none."""
    try:
        return _jpeg_segments(head)[2]
    except (struct.error, IndexError):
        return None


def _jpeg(head: bytes) -> ImageInfo | None:
    usual = _USUAL_JPEG.match(head)
    if usual is not None:
        return _jpeg_of(usual[1])
    width, height, orientation = _jpeg_segments(head)
    if not width or not height:  # a height of 0 is told after the first scan
        return None
    return info_of("JPEG", width, height, orientation or 1)


@lru_cache(1024)  # most images of a dataset have one size
def _jpeg_of(size: bytes) -> ImageInfo | None:
    height, width = _SIZE.unpack(size)
    return info_of("JPEG", width, height) if width and height else None


def _jpeg_segments(head: bytes) -> tuple[int, int, int | None]:
    # Up to the first scan: EXIF may come after the frame's header, though it seldom does.
    width = height = 0
    orientation = None
    place = 2
    while True:
        if head[place] != 0xFF:
            return 0, 0, orientation
        marker = head[place + 1]
        if marker in _PLAIN_MARKERS:  # most are
            place += 2 + (head[place + 2] << 8 | head[place + 3])
            continue
        while marker == 0xFF:  # fill bytes
            place += 1
            marker = head[place + 1]
        if marker == 0xDA:
            return width, height, orientation
        if marker in (0xD9, 0x00, 0xD8):
            return 0, 0, orientation
        if 0xD0 <= marker <= 0xD7 or marker == 0x01:  # they stand alone
            place += 2
            continue
        length = head[place + 2] << 8 | head[place + 3]
        if marker in _FRAME_MARKERS:
            height, width = _SIZE.unpack_from(head, place + 5)
        elif marker == 0xE1 and orientation is None and head[place + 4 : place + 10] == b"Exif\0\0":
            orientation = exif_orientation(head[place + 10 : place + 2 + length])
        place += 2 + length


def exif_orientation(tiff: bytes) -> int | None:
    """Return the orientation (1 to 8) that EXIF data names, None where it names none."""
    tags = _tags(tiff, (0x0112,))
    value = tags.get(0x0112)
    return value if value is not None and 1 <= value <= 8 else None


def _tags(tiff: bytes, wanted: tuple[int, ...]) -> dict[int, int]:
    # Whole numbers in the first directory of TIFF data; {} where it is cut or none.
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    found: dict[int, int] = {}
    if order is None or len(tiff) < 8:
        return found
    (place,) = struct.unpack_from(f"{order}I", tiff, 4)
    if place + 2 > len(tiff):
        return found
    (count,) = struct.unpack_from(f"{order}H", tiff, place)
    for entry in range(place + 2, min(place + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", tiff, entry)
        if tag in wanted and number == 1 and kind in (3, 4):
            (found[tag],) = struct.unpack_from(order + "HI"[kind - 3], tiff, entry + 8)
    return found


def _png(head: bytes) -> ImageInfo | None:
    if head[12:16] != b"IHDR":
        return None
    width, height = _PNG_SIZE.unpack_from(head, 16)
    orientation = None
    place = 33
    while (kind := head[place + 4 : place + 8]) != b"IDAT":
        (length,) = struct.unpack_from(">I", head, place)
        if kind == b"eXIf":
            orientation = exif_orientation(head[place + 8 : place + 8 + length])
        elif kind == b"IEND":
            return None
        place += 12 + length
    return info_of("PNG", width, height, orientation or 1)


def _bmp(head: bytes) -> ImageInfo | None:
    (size,) = struct.unpack_from("<I", head, 14)
    if size == 12:  # OS/2
        return info_of("BMP", *struct.unpack_from("<HH", head, 18))
    width, height = struct.unpack_from("<ii", head, 18)
    return info_of("BMP", width, abs(height)) if size in (40, 52, 56, 64, 108, 124) else None


def _webp(head: bytes) -> ImageInfo | None:
    kind = head[12:16]
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", head, 26)
        return info_of("WEBP", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L" and head[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", head, 21)
        return info_of("WEBP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind != b"VP8X":
        return None
    width, height = (1 + int.from_bytes(head[at : at + 3], "little") for at in (24, 27))
    if len(head) < 30:
        return None
    if not head[20] & 0x08:  # no EXIF
        return info_of("WEBP", width, height)
    place = 12  # EXIF stands behind the picture, so usually behind these bytes
    while place + 8 <= len(head):
        (length,) = struct.unpack_from("<I", head, place + 4)
        if head[place : place + 4] == b"EXIF":
            data = head[place + 8 : place + 8 + length]
            data = data[6:] if data[:6] == b"Exif\0\0" else data
            return info_of("WEBP", width, height, exif_orientation(data) or 1)
        place += 8 + length + (length & 1)
    return None


def _tiff(head: bytes) -> ImageInfo | None:
    tags = _tags(head, (256, 257, 274))
    if 256 not in tags or 257 not in tags:
        return None
    turn = tags.get(274, 1)
    return info_of("TIFF", tags[256], tags[257], turn if 1 <= turn <= 8 else 1)


def other_kind(head: bytes) -> str:
    """Return what a file that is no image seems to be, "" where its first bytes do not tell.

    >>> other_kind(b"<!doctype html><p>404"), other_kind(b"%!PS-Adobe-3.0 EPSF-3.0")
    ('an HTML page', 'PostScript')
    """
    text = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if b"<svg" in text:
        return "SVG"
    starts = {
        b"%!ps": "PostScript",
        b"\xc5\xd0\xd3\xc6": "PostScript",
        b"%pdf": "PDF",
        b"<?xml": "XML",
        b"pk\x03\x04": "a zip archive",
        b"\x1f\x8b": "gzip data",
        b"version https://git-lfs": "a pointer of Git LFS, not the file it stands for",
        b"{": "JSON",
    }
    return next((kind for start, kind in starts.items() if text.startswith(start)), "")
