"""The PNG masks of Pascal VOC: ``SegmentationClass`` and ``SegmentationObject``.

A pixel of a palette (or grey) PNG is an index, one of an RGB PNG a colour. 0 is background, 255
(or its colour in VOC's palette) is void: pixels that belong to nothing, most often an outline.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import BrokenFileError
from ...schema import Label

__all__ = [
    "VOC_LABELS", "VOID", "Classes", "Instance", "MaskPair", "encode_mask", "hex_color",
    "parse_labelmap", "voc_colormap",
]  # fmt: skip

VOC_LABELS = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
"""The 20 classes of VOC2007 and VOC2012, in the order of their indices 1 to 20."""

VOID = 255
_MAX_PIXELS = 100_000_000
_MAX_COLORS = 256

Color = tuple[int, int, int]
Pixels = NDArray[np.int64]


def voc_colormap() -> NDArray[np.uint8]:
    """Return VOC's palette, shape (256, 3): the bits of an index, dealt to red, green and blue.

    >>> voc_colormap()[[1, 15, 255]].tolist()
    [[128, 0, 0], [192, 128, 128], [224, 224, 192]]
    """
    index = np.arange(256)
    colors = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colors[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(
                np.uint8
            )
    return colors


_COLORMAP: list[Color] = [tuple(c) for c in voc_colormap().tolist()]
_INDEX_OF_COLOR = {color: i for i, color in enumerate(_COLORMAP)}


def hex_color(color: Sequence[int]) -> str:
    """Return a colour as ``"#rrggbb"``."""
    return "#{:02x}{:02x}{:02x}".format(*color)


@dataclass(frozen=True)
class Classes:
    """The classes of a dataset: `names` by index (0 is background), their colours, and more.

    `declared` says whether a file of the dataset declares them; else they are VOC's own.
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...]
    parts: tuple[tuple[str, ...], ...]
    actions: tuple[tuple[str, ...], ...]
    declared: str = ""

    @classmethod
    def of(cls, names: Sequence[str], declared: str = "") -> Classes:
        """Return classes 1, 2, ... called `names`, with VOC's colours."""
        count = len(names) + 1
        colors = tuple(_COLORMAP[i % 256] for i in range(count))
        return cls(("background", *names), colors, ((),) * count, ((),) * count, declared)

    @property
    def has_background(self) -> bool:
        """Does a line of the file say that index 0 is background?"""
        return self.names[0] == "background" or self.colors[0] == (0, 0, 0)

    def labels(self) -> Iterator[Label]:
        """Yield a label for each class but the background, and one for each part."""
        owners: dict[str, set[str]] = {}
        for i, name in enumerate(self.names):
            for part in self.parts[i]:
                owners.setdefault(part, set()).add(name)
            if i or not self.has_background:
                lists = {"parts": list(self.parts[i]), "actions": list(self.actions[i])}
                extra = {k: v for k, v in lists.items() if v}
                yield Label(name, color=hex_color(self.colors[i]), extra=extra)
        for part, of in owners.items():
            if part not in self.names:
                yield Label(part, parent=min(of) if len(of) == 1 else None)

    def index_of_color(self) -> dict[Color, int]:
        """Return the index of each colour."""
        return {color: i for i, color in reversed(list(enumerate(self.colors)))}


def parse_labelmap(text: str, file: str) -> Classes:
    r"""Return the classes of a ``labelmap.txt``: lines ``label:r,g,b:part,part:action,action``.

    A missing colour is VOC's for that index; where no line is the background, index 0 is.

    Raises:
        BrokenFileError: a colour is not three numbers from 0 to 255.

    >>> parse_labelmap("cat:::\ndog:1,2,3::run", "labelmap.txt").colors[1:]
    ((128, 0, 0), (1, 2, 3))
    """
    rows: list[tuple[str, Color | None, tuple[str, ...], tuple[str, ...]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.strip().rsplit(":", 3) if line.count(":") > 3 else line.strip().split(":")
        name, color, parts, actions = (*fields, "", "", "")[:4]
        rows.append((name, _color(color, file, number), _split(parts), _split(actions)))
    if not any(name == "background" or color == (0, 0, 0) for name, color, _, _ in rows):
        rows.insert(0, ("background", (0, 0, 0), (), ()))
    return Classes(
        tuple(r[0] for r in rows),
        tuple(r[1] or _COLORMAP[i % 256] for i, r in enumerate(rows)),
        tuple(r[2] for r in rows),
        tuple(r[3] for r in rows),
        file,
    )


def _split(names: str) -> tuple[str, ...]:
    return tuple(n.strip() for n in names.split(",") if n.strip())


def _color(text: str, file: str, line: int) -> Color | None:
    if not text.strip():
        return None
    try:
        red, green, blue = (int(v) for v in text.split(","))
    except ValueError:
        red = green = blue = -1
    if not all(0 <= v <= 255 for v in (red, green, blue)):
        raise BrokenFileError(
            f"The colour {text!r} is not three numbers from 0 to 255", where=f"{file}, line {line}"
        )
    return (red, green, blue)


@dataclass(frozen=True)
class Instance:
    """One mask: its `number` in SegmentationObject (0: the dataset has none) and its class.

    `label` is None where the class is background, or `unknown` says what it is.
    """

    number: int
    label: str | None
    mask: NDArray[np.bool_]
    unknown: str = ""


class MaskPair:
    """The masks of one image: instances, where there are any, else one mask per class.

    Raises:
        BrokenFileError: a PNG can't be read, the two differ in size, or have too many colours.
    """

    def __init__(self, class_png: bytes | None, object_png: bytes | None, classes: Classes) -> None:
        self._classes = classes
        self._class = None
        self._objects = None
        if class_png is not None:
            image = _open(class_png)
            by_color = classes.index_of_color()
            self._class = _indices(image, by_color, palette=bool(classes.declared))
        if object_png is not None:
            self._objects = _indices(_open(object_png), _INDEX_OF_COLOR, palette=False)
        both = [m for m in (self._class, self._objects) if m is not None]
        if len({m.shape for m in both}) > 1:
            raise BrokenFileError(
                f"SegmentationClass is {_size(both[0])}, but SegmentationObject {_size(both[1])}"
            )
        self.height, self.width = both[0].shape
        self.void_pixels = int((both[-1] == VOID).sum())

    def instances(self) -> Iterator[Instance]:
        """Yield the instances in the order of their numbers, or the classes in their order."""
        objects = self._objects if self._objects is not None else self._class
        assert objects is not None
        values = [v for v in np.unique(objects).tolist() if v not in (0, VOID)]
        for place, value in enumerate(values):
            mask = objects == value
            if self._objects is None:
                yield Instance(0, *self._named(value, mask))
            else:
                # An instance's colour that VOC's palette does not have says only: another one.
                number = value if value < _COLOR_BASE else _COLOR_BASE + place
                yield Instance(number, *self._named(self._majority(mask), mask))

    def _majority(self, mask: NDArray[np.bool_]) -> int | None:
        if self._class is None:
            return None
        values, counts = np.unique(self._class[mask], return_counts=True)
        known = [(n, -v, v) for v, n in zip(values.tolist(), counts.tolist(), strict=True)]
        classes = [k for k in known if k[2] not in (0, VOID)]
        return max(classes)[2] if classes else None

    def _named(self, index: int | None, mask: NDArray[np.bool_]) -> tuple[Any, ...]:
        if index is None:
            return None, mask
        if index > _COLOR_BASE:
            return None, mask, f"colour {hex_color(_unpack(index - _COLOR_BASE - 1))}"
        if index >= len(self._classes.names):
            return f"class_{index}", mask, f"index {index}"
        return self._classes.names[index], mask


_COLOR_BASE = 1 << 16  # indices above stand for colours that no class has


def _unpack(packed: int) -> Color:
    return packed >> 16, packed >> 8 & 255, packed & 255


def _size(mask: Pixels) -> str:
    return f"{mask.shape[1]}x{mask.shape[0]}"


def _open(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=["PNG"])
        if image.width * image.height > _MAX_PIXELS:
            raise BrokenFileError(f"The mask has {image.width}x{image.height} pixels: too many")
        image.load()
    except BrokenFileError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever they like
        raise BrokenFileError(f"The mask can't be read as PNG: {error}") from error
    return image


def _indices(image: Image.Image, by_color: dict[Color, int], *, palette: bool) -> Pixels:
    # The index of each pixel's class or instance; colours that are in no table get their own.
    if image.mode in ("P", "L", "1", "I", "I;16"):
        values: Pixels = np.asarray(image).astype(np.int64)
        if image.mode == "P" and palette:
            return _by_palette(image, values, by_color)
        return values
    rgb = np.asarray(image.convert("RGB")).astype(np.int64)
    packed = rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
    colors, inverse = np.unique(packed, return_inverse=True)
    if len(colors) > _MAX_COLORS:
        raise BrokenFileError(f"The mask has {len(colors)} colours: it is a picture, or a JPEG was")
    table = []
    for color in colors.tolist():
        rgb_color = _unpack(color)
        if rgb_color == (0, 0, 0):
            table.append(0)
        elif rgb_color == _COLORMAP[VOID]:
            table.append(VOID)
        else:
            table.append(by_color.get(rgb_color, _COLOR_BASE + 1 + color))
    out: Pixels = np.array(table, np.int64)[inverse].reshape(packed.shape)
    return out


def _by_palette(image: Image.Image, values: Pixels, by_color: dict[Color, int]) -> Pixels:
    # A palette whose colours are all in labelmap.txt means those; else the index itself counts.
    flat = image.getpalette("RGB") or []
    table = np.arange(256)
    for index in np.unique(values).tolist():
        if index in (0, VOID):
            continue
        found = by_color.get(tuple(flat[3 * index : 3 * index + 3]))  # type: ignore[arg-type]
        if found is None:
            return values
        table[index] = found
    out: Pixels = table[values]
    return out


def encode_mask(indices: NDArray[np.uint8], colors: Sequence[Color] | None = None) -> bytes:
    """Return `indices` as a palette PNG: VOC's palette, with `colors` in place of its first."""
    palette = voc_colormap()
    if colors is not None:
        palette[: len(colors)] = colors
    image = Image.fromarray(indices, "L")
    image.putpalette(palette.ravel().tolist())
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
