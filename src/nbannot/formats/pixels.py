"""Images as plain pixels, for formats that hold nothing else."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from ..media.images import FORMATS, MAX_PREVIEW_PIXELS

__all__ = ["pixels_of"]


def pixels_of(data: bytes, mode: str, size: tuple[int, int] | None = None) -> tuple[Any, str]:
    """Return the pixels of an image, and what had to be changed, "" where nothing was.

    Args:
        data: the file.
        mode: ``"L"`` (grey) or ``"RGB"``.
        size: width and height to bring it to.

    Raises:
        ValueError: it can't be read.
    """
    changes = []
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PREVIEW_PIXELS:
                raise ValueError("it is too large")
            found: Image.Image = image
            if image.mode != mode:
                if not (mode == "RGB" and image.mode in ("L", "1")):
                    changes.append(f"from {image.mode} to {mode}")
                found = image.convert(mode)
            if size and found.size != size:
                changes.append(f"from {found.width}x{found.height} to {size[0]}x{size[1]}")
                found = found.resize(size, Image.Resampling.BILINEAR)
            return np.asarray(found, np.uint8), " and ".join(changes)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"it is no image that can be read: {error}") from None
