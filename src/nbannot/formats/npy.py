"""Arrays of numbers in numpy's own file format: nothing else in it is ever read."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["npy_array"]


def npy_array(data: bytes) -> NDArray[Any]:
    """Return the array of a .npy file.

    Raises:
        ValueError: it is none, holds objects (which would be code), or is shorter than it claims.

    >>> out = io.BytesIO()
    >>> np.save(out, np.array([[1, 2]]))
    >>> npy_array(out.getvalue()).tolist()
    [[1, 2]]
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except Exception as error:  # noqa: BLE001  numpy raises whatever the header makes it
        raise ValueError(f"it is no .npy: {error}") from None
    count = 1
    for length in shape:
        count *= length
    if dtype.hasobject or dtype.kind not in "biuf":
        raise ValueError(f"its values are {dtype}, not numbers")
    start = stream.tell()
    if count < 0 or min(shape, default=0) < 0 or len(data) - start < count * dtype.itemsize:
        raise ValueError(f"it claims the shape {shape}, but is shorter")
    flat = np.frombuffer(data, dtype, count, start)
    return flat.reshape(shape, order="F" if fortran else "C")
