"""Values in FiftyOne's files: MongoDB's extended JSON, arrays, masks of boxes."""

from __future__ import annotations

import base64
import binascii
import io
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BrokenFileError, NbannotError
from ...media.images import FORMATS, probe_image
from ...sources.base import Source
from ..npy import npy_array

__all__ = ["MAX_PIXELS", "array_of", "mask_text", "picture", "place_mask", "plain"]

_MAX_BYTES = 1 << 28
MAX_PIXELS = 1 << 28
"""Images with more pixels than this get no masks: a size that is only claimed is not allocated."""
_NUMBERS = {"$numberDouble": float, "$numberInt": int, "$numberLong": int, "$numberDecimal": float}


def plain(value: Any) -> Any:
    """Return a value of extended JSON as a plain one; binaries stay as they are.

    >>> plain({"_id": {"$oid": "6a"}, "n": [{"$numberInt": "3"}]})
    {'_id': '6a', 'n': [3]}
    """
    if isinstance(value, list):
        return [plain(v) for v in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (name, inner), *_ = value.items()
        if name == "$oid":
            return inner
        if name in _NUMBERS:
            try:
                return _NUMBERS[name](inner)
            except (TypeError, ValueError):
                return None
        if name == "$date":
            return inner["$numberLong"] if isinstance(inner, dict) else inner
    return {k: plain(v) for k, v in value.items()}


def array_of(value: Any) -> NDArray[Any]:
    """Return the array of a ``$binary`` (or a base64 text): a .npy file packed by zlib.

    Nothing but numbers is ever read: objects would be code.

    Raises:
        ValueError: it is none; the message says why.
    """
    if isinstance(value, dict):
        value = value.get("$binary", value)
        value = value.get("base64") if isinstance(value, dict) else value
    if not isinstance(value, str):
        raise ValueError("it is no binary")  # noqa: TRY004  what the caller catches
    try:
        packed = base64.b64decode(value, validate=True)
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(packed, _MAX_BYTES)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ValueError(f"it is not base64 of zlib: {error}") from None
    if unpacker.unconsumed_tail:
        raise ValueError(f"it is larger than {_MAX_BYTES >> 20} MiB")
    return npy_array(data)


def mask_text(mask: NDArray[Any]) -> dict[str, Any]:
    """Return a mask as FiftyOne writes it: ``$binary`` of a .npy packed by zlib."""
    out = io.BytesIO()
    np.save(out, np.ascontiguousarray(mask).astype(bool), allow_pickle=False)
    packed = base64.b64encode(zlib.compress(out.getvalue())).decode()
    return {"$binary": {"base64": packed, "subType": "00"}}


def picture(source: Source, path: str) -> NDArray[Any]:
    """Return the pixels of a mask that is an image file.

    Raises:
        ValueError: it can't be read; the message says why.
    """
    from PIL import Image

    try:
        data = source.read(path)
        info = probe_image(data, path)
        if info.stored_width * info.stored_height > _MAX_BYTES // 4:
            raise BrokenFileError(f"{path} is too large for a mask")
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return np.asarray(image)
    except NbannotError as error:
        raise ValueError(error.message) from None
    except Exception as error:  # noqa: BLE001  damage makes decoders raise whatever they like
        raise ValueError(f"{path} can't be decoded: {error}") from None


def place_mask(
    mask: NDArray[Any], box: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], str]:
    """Return a box's mask as one of the whole image, and "" or how it had to be changed.

    Args:
        mask: 2-D, of the box alone.
        box: x, y, w, h in pixels.
        size: width and height of the image.
    """
    width, height = size
    left, top = round(box[0]), round(box[1])
    box_w, box_h = max(round(box[0] + box[2]) - left, 1), max(round(box[1] + box[3]) - top, 1)
    rows, columns = mask.shape
    whole = np.zeros((height, width), np.uint8)
    if not rows or not columns:
        return whole, ""
    if max(abs(left), abs(top), box_w, box_h) > 1 << 40:
        return whole, "its box is far outside the image"
    changed = ""
    if abs(rows - box_h) > 1 or abs(columns - box_w) > 1:
        changed = f"it is {columns} x {rows} pixels for a box of {box_w} x {box_h}"
    else:
        box_w, box_h = columns, rows
    # Only what lies within the image is looked up, however large the box claims to be.
    ys = np.arange(max(top, 0), min(top + box_h, height))
    xs = np.arange(max(left, 0), min(left + box_w, width))
    if len(ys) and len(xs):
        seen = mask[(ys - top) * rows // box_h][:, (xs - left) * columns // box_w]
        whole[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1] = seen != 0
    if len(ys) < box_h or len(xs) < box_w:
        changed = changed or "part of it lies outside the image"
    return whole, changed
