"""Pickles of plain data, as CIFAR's: numbers, text, bytes, lists, dicts and numpy arrays.

Nothing that a pickle names is ever called: arrays are put together from their bytes here, not by
numpy, and any other name is an error. What the instructions may be is looked at before the first
of them is carried out.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any, NoReturn

import numpy as np

__all__ = ["images", "loads"]

_ALLOWED = frozenset(
    """
    PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT
    BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8
    BINBYTES SHORT_BINBYTES BINBYTES8 EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1
    TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT
    MEMOIZE POP POP_MARK GLOBAL STACK_GLOBAL REDUCE BUILD
    """.split()  # noqa: SIM905  as many words are read best so
)
_TYPES = frozenset(("u1", "i1", "b1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"))


class _Dtype:
    def __init__(self, name: Any, *_: Any) -> None:
        self.name, self.order = str(name), "="

    def __setstate__(self, state: Any) -> None:
        if state[1] in ("<", ">"):
            self.order = state[1]


class _Array:
    """What is known of an array, before it is put together."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()
        self.dtype: Any = None
        self.fortran = False
        self.data: Any = b""

    def __setstate__(self, state: Any) -> None:
        _, shape, self.dtype, self.fortran, self.data = state
        self.shape = tuple(int(n) for n in shape)

    def make(self) -> Any:
        """Return a numpy array, or a list of what an array of objects holds."""
        if not isinstance(self.dtype, _Dtype):
            raise TypeError("an array without a type")
        name = self.dtype.name
        if name.startswith("O"):
            if not isinstance(self.data, list):
                raise TypeError("an array of objects without objects")
            return [plain(value) for value in self.data]
        data = self.data.encode("latin-1") if isinstance(self.data, str) else self.data
        if name not in _TYPES or not isinstance(data, bytes):
            raise ValueError(f"an array of {name}")
        values = np.frombuffer(data, np.dtype(self.dtype.order + name))
        return values.reshape(self.shape, order="F" if self.fortran else "C")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _no_bytes() -> bytes:
    return b""  # how Python 3 tells Python 2 of b""


def _encode(text: str, _codec: str = "") -> bytes:
    return text.encode("latin-1")  # how Python 2 is told of bytes


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            if name == "_reconstruct":
                return _reconstruct
        elif (module, name) == ("numpy", "ndarray"):
            return "ndarray"  # only handed to _reconstruct, which does not look at it
        elif (module, name) == ("numpy", "dtype"):
            return _Dtype
        elif name == "bytes" and module in ("__builtin__", "builtins"):
            return _no_bytes
        elif (module, name) == ("_codecs", "encode"):
            return _encode
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is not plain data")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("it refers to something outside of it")


def loads(data: bytes) -> Any:
    """Return what a pickle of plain data holds; text and bytes alike as text where they are ASCII.

    Raises:
        ValueError: it is no pickle, or holds anything but plain data.
    """
    try:
        _check(data)
        found = _Unpickler(io.BytesIO(data), encoding="bytes").load()
        return plain(found)
    except ValueError:
        raise
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except Exception as error:  # noqa: BLE001  a damaged pickle raises whatever it likes
        raise ValueError(str(error) or type(error).__name__) from None


def _check(data: bytes) -> None:
    # pickletools reads arguments by what is there, so no size that is only said takes memory.
    for count, (op, arg, _) in enumerate(pickletools.genops(data)):
        if op.name not in _ALLOWED:
            raise ValueError(f"it has the instruction {op.name}, which plain data has not")
        if op.name.endswith("PUT") and int(arg or 0) > 2 * count + 16:
            raise ValueError("its memo has holes")


def plain(value: Any) -> Any:
    """Return `value` with arrays put together, and keys as text."""
    if isinstance(value, _Array):
        return value.make()
    if isinstance(value, dict):
        return {_text(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(v) for v in value)
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    raise TypeError(f"a {type(value).__name__}")


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def images(batch: Any) -> list[Any]:
    """Return the images of a batch of CIFAR as arrays (h, w, 3); None: no pixels of three planes.

    Sizes are 32 x 32, unless ``image_sizes`` says otherwise (Datumaro's).
    """
    if not isinstance(batch, dict):
        return []
    rows = batch.get("data")
    sizes = batch.get("image_sizes")
    if isinstance(rows, list) and rows and isinstance(rows[0], int):  # an array of objects, flat
        rows = _split(rows, _first(batch, "labels", "fine_labels"))
    if not isinstance(rows, list) and not (isinstance(rows, np.ndarray) and rows.ndim):
        return []
    out: list[Any] = []
    for i, row in enumerate(rows):
        size = sizes[i] if isinstance(sizes, (list, tuple)) and i < len(sizes) else (32, 32)
        out.append(_image(row, size))
    return out


def _first(batch: dict[str, Any], *names: str) -> Any:
    return next((batch[n] for n in names if n in batch), None)


def _split(values: list[Any], labels: Any) -> list[Any]:
    count = len(labels) if isinstance(labels, list) else 1
    each, rest = divmod(len(values), max(count, 1))
    return [] if rest else [values[i * each : (i + 1) * each] for i in range(count)]


def _image(row: Any, size: Any) -> Any:
    try:
        height, width = (int(n) for n in size)
        values = np.asarray(row, np.float64).ravel()
        if not len(values) or len(values) != 3 * height * width:
            return None
        if values.min() < 0 or values.max() > 255:
            return None
        return values.astype(np.uint8).reshape(3, height, width).transpose(1, 2, 0)
    except (TypeError, ValueError, OverflowError):
        return None
