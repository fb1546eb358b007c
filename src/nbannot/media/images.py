"""Images: their size as displayed, by the header alone, and thumbnails.

Only formats on a list are tried, whatever the bytes say they are: Pillow knows more than forty
decoders, and one of them starts Ghostscript. Nothing is decoded before its size is known.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import repeat
from typing import Any, BinaryIO, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import BrokenFileError, NbannotError, printable
from .headers import (
    FIRST_BYTES,
    HEAD_BYTES,
    MAX_PIXELS,
    ImageInfo,
    Scanned,
    exif_orientation,
    has_size,
    info_of,
    jpeg_orientation,
    other_kind,
    scan,
    scan_files,
)

try:
    import simplejpeg
except ImportError:  # the extra nbannot[fast]; Pillow does the same in twice the time
    simplejpeg = None

__all__ = [
    "FORMATS",
    "ImageInfo",
    "jpeg_orientation",
    "probe_image",
    "probe_source_image",
    "probe_source_images",
    "remember_scanned",
    "scan_files",
    "take_probed",
    "take_settled",
    "thumbnail",
    "thumbnails",
]


def _known_formats() -> tuple[str, ...]:
    # Only these plugins of Pillow are loaded here, and only these are ever asked.
    found = []
    for plugin in ("Jpeg", "Png", "WebP", "Bmp", "Gif", "Tiff", "Avif"):
        with contextlib.suppress(ImportError):  # AVIF came with Pillow 11.3
            import_module(f"PIL.{plugin}ImagePlugin")
            found.append(plugin.upper())
    return tuple(found)


FORMATS = _known_formats()
"""Formats that are opened, by Pillow's names; AVIF where Pillow has it."""

_probed: WeakKeyDictionary[_Readable, dict[str, ImageInfo]] = WeakKeyDictionary()
_settled: WeakKeyDictionary[_Readable, set[str]] = WeakKeyDictionary()
MAX_PREVIEW_PIXELS = 64_000_000
_QUALITY = 80
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class _Readable(Protocol):
    # What is needed of a Source, which is of a layer above.
    def read(self, path: str, limit: int | None = None) -> bytes: ...
    def open(self, path: str) -> BinaryIO: ...


def probe_image(image: bytes | BinaryIO, name: str = "") -> ImageInfo:
    """Return size, orientation and format of an image by its header; no pixel is decoded.

    Args:
        image: the whole file, or a binary stream of it, at its start and seekable.
        name: of the file, for messages.

    Raises:
        BrokenFileError: it is no image of a format on the list (`FORMATS`), its header is
            damaged, or it claims more than 2³¹ pixels.

    >>> data = io.BytesIO()
    >>> Image.new("RGB", (64, 48)).save(data, "PNG")
    >>> probe_image(data.getvalue())
    ImageInfo(width=64, height=48, orientation=1, format='PNG', stored_width=64, stored_height=48)
    """
    if isinstance(image, (bytes, bytearray, memoryview)):
        head = bytes(image[:HEAD_BYTES])
        return _checked(scan(head), head, name) or _ask_pillow(io.BytesIO(image), head, name)
    head = image.read(HEAD_BYTES)
    found = _checked(scan(head), head, name)
    if found is None:
        image.seek(0)
        found = _ask_pillow(image, head, name)
    return found


def probe_source_image(source: _Readable, path: str) -> ImageInfo:
    """Return what `probe_image` says of a file of a source, from as few bytes as will do.

    Raises:
        SourceError: the file can't be read.
        BrokenFileError: as `probe_image`.
    """
    head = source.read(path, FIRST_BYTES)
    found = _checked(scan(head), head, path)
    if found is not None:
        return found
    if len(head) < FIRST_BYTES:  # that was all of it
        return probe_image(head, path)
    with source.open(path) as stream:
        return probe_image(stream, path)


def probe_source_images(
    source: _Readable,
    paths: Iterable[str],
    *,
    scanned: Scanned | None = None,
    remember: bool = False,
) -> Iterator[ImageInfo | NbannotError]:
    """Yield what `probe_source_image` says of each path, or the error that it raises.

    What `scan_files` found is not asked for again. With `remember`, what was found is kept until
    `take_probed` asks for it.
    """
    probed = _probed.setdefault(source, {}) if remember else {}
    alike: dict[ImageInfo, ImageInfo] = {}  # most images of a dataset have one size
    read = source.read
    for path, found in zip(
        paths, repeat(None) if scanned is None else scanned.each(), strict=False
    ):
        if found is None:
            try:
                head = read(path, FIRST_BYTES)
                found = scan(head)
                if found is None or not has_size(found):
                    found = probe_source_image(source, path)
            except NbannotError as error:
                yield error
                continue
            found = alike.setdefault(found, found)
        if remember:
            probed[path] = found
        yield found


def remember_scanned(source: _Readable, paths: Sequence[str], scanned: Scanned) -> None:
    """Keep what is known of all of these images, whose items have the sizes that it says.

    `take_settled` and `take_probed` give it away.
    """
    if all(info.orientation == 1 for info in scanned.infos):
        _settled.setdefault(source, set()).update(paths)
        return
    known = ((p, i) for p, i in zip(paths, scanned.each(), strict=True) if i is not None)
    _probed.setdefault(source, {}).update(known)


def take_settled(source: _Readable) -> set[str]:
    """Return the images whose sizes leave nothing to be settled, as their reader knows."""
    return _settled.pop(source, set())


def take_probed(source: _Readable) -> dict[str, ImageInfo]:
    """Return what `probe_source_images` found since it was last asked, by path, and forget it.

    A reader that needs the sizes of images thus spares the importer to open each a second time.
    """
    return _probed.pop(source, {})


def thumbnail(data: bytes, size_px: int, name: str = "") -> bytes:
    """Return a small picture of an image, as displayed (EXIF orientation applied).

    Args:
        data: the whole file.
        size_px: the longest side of the result, in pixels; an image that is smaller stays so.
        name: of the file, for messages.

    Returns:
        JPEG; PNG where the image has transparency. Of several frames, the first. Values of more
        than 8 bits are spread from black to white.

    Raises:
        BrokenFileError: it can't be decoded, or has more than 64 million pixels.
    """
    info = probe_image(data, name)
    if info.stored_width * info.stored_height > MAX_PREVIEW_PIXELS:
        raise BrokenFileError(
            f"{_called(name)} of {info.width:,} x {info.height:,} pixels is too large to preview"
        )
    try:
        picture, turn = _decode(data, info, size_px)
        if picture.size != (fitted := _fit(picture.size, size_px)):
            picture = picture.resize(fitted, Image.Resampling.BILINEAR, reducing_gap=2.0)
        if turn in _TURNS:
            picture = picture.transpose(_TURNS[turn])
        return _encode(picture)
    except Exception as error:  # noqa: BLE001  damage makes decoders raise whatever they like
        raise BrokenFileError(
            f"{_called(name)} can't be decoded: {str(error) or type(error).__name__}"
        ) from None


def thumbnails(
    readers: Sequence[Callable[[], bytes] | None], size_px: int, workers: int = 2
) -> tuple[list[bytes], list[str]]:
    """Return thumbnails, and for each one the reason why it could not be made ("": it could).

    Args:
        readers: each gives the bytes of an image; None where there is no image.
        size_px: as for `thumbnail`.
        workers: how many threads work at once; the decoders let go of Python's lock.

    Returns:
        Pictures (b"" where there is none) and reasons, both in the order of `readers`.
    """

    def make(reader: Callable[[], bytes] | None) -> tuple[bytes, str]:
        if reader is None:
            return b"", ""
        try:
            return thumbnail(reader(), size_px), ""
        except (NbannotError, OSError) as error:
            return b"", getattr(error, "message", "") or str(error)

    if len(readers) < 2 or workers < 2:
        made = [make(reader) for reader in readers]
    else:
        with ThreadPoolExecutor(workers, "nbannot-thumbnails") as pool:
            made = list(pool.map(make, readers))
    return [picture for picture, _ in made], [reason for _, reason in made]


# -- headers --------------------------------------------------------------------------------


def _checked(info: ImageInfo | None, head: bytes, name: str) -> ImageInfo | None:
    # None stays None: somebody else must tell.
    if info is None:
        if not head:
            raise BrokenFileError(f"{_called(name)} is an empty file")
        return None
    pixels = info.stored_width * info.stored_height
    if info.stored_width <= 0 or info.stored_height <= 0:
        raise BrokenFileError(f"{_called(name)} claims a size of {info.width} x {info.height}")
    if pixels > MAX_PIXELS:
        raise BrokenFileError(
            f"{_called(name)} claims {info.width:,} x {info.height:,} pixels, which is no image"
        )
    return info


def _ask_pillow(stream: BinaryIO, head: bytes, name: str) -> ImageInfo:
    kind = other_kind(head)
    if kind:
        raise BrokenFileError(
            f"{_called(name)} is {kind}, which is not supported as an image",
            hint=f"Images are {', '.join(FORMATS[:-1])} and {FORMATS[-1]}.",
        )
    try:
        with Image.open(stream, formats=FORMATS) as image:
            exif, size = image.info.get("exif", b""), image.size
            turn = exif_orientation(exif[6:] if exif[:6] == b"Exif\0\0" else exif)
            if image.format == "TIFF":  # Pillow turns these itself, and gives the size as turned
                tags: Any = image.tag_v2  # type: ignore[attr-defined]
                turn, size = tags.get(274), (tags[256], tags[257])
            shown = "JPEG" if image.format == "MPO" else str(image.format)
            turn = turn if turn in _TURNS else 1
            found = info_of(shown, *size, turn)
    except Image.DecompressionBombError as error:
        raise BrokenFileError(f"{_called(name)} is too large: {error}") from None
    except Exception as error:  # noqa: BLE001  damage makes decoders raise whatever they like
        why = "" if isinstance(error, UnidentifiedImageError) else f": {error}"
        raise BrokenFileError(f"{_called(name)} is no image that can be read{why}") from None
    return _checked(found, head, name) or found


def _called(name: str) -> str:
    return printable(name) if name else "The image"


# -- pixels ---------------------------------------------------------------------------------


def _decode(data: bytes, info: ImageInfo, size_px: int) -> tuple[Image.Image, int]:
    # The image, in a mode that `_encode` takes, and not much larger than it must be; and how it
    # is still to be turned.
    if simplejpeg is not None and info.format == "JPEG":
        width, height = _fit((info.stored_width, info.stored_height), size_px)
        try:
            pixels = simplejpeg.decode_jpeg(
                data, "RGB", fastdct=True, fastupsample=True, min_width=width, min_height=height
            )
            return Image.fromarray(pixels), info.orientation
        except ValueError:
            pass  # CMYK, or damaged: Pillow reads the one, and says what is wrong with the other
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.format in ("JPEG", "MPO"):
        image.draft("RGB", (size_px, size_px))
    image.load()
    # Pillow turns a TIFF by itself, and nothing else.
    return _eight_bits(image), 1 if image.format == "TIFF" else info.orientation


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float64)
        finite = values[np.isfinite(values)]
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
        scale = 255 / (high - low) if high > low else 0.0
        gray = np.nan_to_num((np.clip(values, low, high) - low) * scale)
        return Image.fromarray(gray.astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    return image if image.mode in ("RGB", "L") else image.convert("RGB")


def _fit(size: tuple[int, int], size_px: int) -> tuple[int, int]:
    scale = min(size_px / max(size), 1.0)
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


def _encode(picture: Image.Image) -> bytes:
    if picture.mode == "RGBA":
        out = io.BytesIO()
        picture.save(out, "PNG", compress_level=1)
        return out.getvalue()
    if simplejpeg is not None:
        pixels: Any = np.ascontiguousarray(picture.convert("RGB"))
        return bytes(simplejpeg.encode_jpeg(pixels, _QUALITY, "RGB", "420", fastdct=True))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
