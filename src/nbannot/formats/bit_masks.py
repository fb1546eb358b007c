"""Masks as a PNG of one bit each, perhaps in a resolution of their own."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from ..geometry import mask_to_rle
from ..media.images import MAX_PREVIEW_PIXELS

__all__ = ["read_mask", "write_mask"]


def read_mask(data: bytes, size: tuple[int, int] | None) -> dict[str, Any]:
    """Return the columns of a mask, brought to `size` (width, height) by the nearest pixel.

    Raises:
        ValueError: it is no PNG, is too large, or nothing is in it.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.width * image.height > MAX_PREVIEW_PIXELS:
                raise ValueError("it is too large")
            if size and size[0] * size[1] > MAX_PREVIEW_PIXELS:
                raise ValueError("its image is too large")
            values: Any = np.asarray(image.convert("L")) > 0
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"it is no PNG that can be read: {error}") from None
    if size and (size[1], size[0]) != values.shape:
        rows = ((np.arange(size[1]) + 0.5) * values.shape[0] / size[1]).astype(np.int64)
        columns = ((np.arange(size[0]) + 0.5) * values.shape[1] / size[0]).astype(np.int64)
        values = values[np.ix_(rows, columns)]
    ys, xs = np.nonzero(values)
    if not len(xs):
        raise ValueError("nothing is in it")
    return {
        "mask": mask_to_rle(values),
        "mask_height": values.shape[0],
        "mask_width": values.shape[1],
        "x": float(xs.min()),
        "y": float(ys.min()),
        "w": float(np.ptp(xs) + 1),
        "h": float(np.ptp(ys) + 1),
    }


def write_mask(mask: Any) -> bytes:
    """Return a mask (0 and 1) as a PNG of one bit."""
    out = io.BytesIO()
    Image.fromarray((np.asarray(mask) * 255).astype(np.uint8)).convert("1").save(out, "PNG")
    return out.getvalue()
