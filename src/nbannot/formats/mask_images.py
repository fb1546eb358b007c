"""Images whose pixels are classes or instances, and rows of masks: there and back.

An image is cut into runs of equal pixels once, and each value's mask is made of its own runs, so
that ten thousand instances cost what the pixels cost, not ten thousand times as much.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import geometry
from ..errors import BrokenFileError, SourceError
from ..media.images import FORMATS, probe_image
from ..media.kinds import suffix
from ..sources.base import Source

__all__ = [
    "MAX_MASK_PIXELS", "Color", "MaskPicture", "Runs", "Segment", "combined", "decode_mask",
    "encode_mask", "hex_color", "majority", "matched_to", "pack", "palette_colors", "parse_color",
    "read_groups", "rle_counts", "rle_segment", "unpack", "without_suffix",
]  # fmt: skip

MAX_MASK_PIXELS = 89_000_000
"""More than this is not decoded; Pillow warns of a bomb above it."""

Color = tuple[int, int, int]
Pixels = NDArray[Any]


# -- colours --------------------------------------------------------------------------------


def pack(color: Sequence[int]) -> int:
    """Return a colour as one number.

    >>> hex(pack((1, 2, 255)))
    '0x102ff'
    """
    return int(color[0]) << 16 | int(color[1]) << 8 | int(color[2])


def unpack(packed: int) -> Color:
    """Return the colour that `pack` made a number of."""
    return packed >> 16 & 255, packed >> 8 & 255, packed & 255


def hex_color(color: Sequence[int]) -> str:
    """Return a colour as ``"#rrggbb"``."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def parse_color(text: str | None) -> Color | None:
    """Return the colour ``"#rrggbb"``, None where it is none.

    >>> parse_color("#0102ff"), parse_color("red")
    ((1, 2, 255), None)
    """
    if text is None or len(text) != 7 or text[0] != "#":
        return None
    try:
        return unpack(int(text[1:], 16))
    except ValueError:
        return None


def palette_colors() -> list[Color]:
    """Return VOC's palette: the bits of an index, dealt to red, green and blue.

    >>> palette_colors()[1], palette_colors()[15]
    ((128, 0, 0), (192, 128, 128))
    """
    out: list[Color] = []
    for index in range(256):
        color = [0, 0, 0]
        for bit in range(8):
            color[bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
        out.append((color[0], color[1], color[2]))
    return out


# -- reading --------------------------------------------------------------------------------


class MaskPicture(NamedTuple):
    """A decoded mask: `values` are indices, or colours as `pack` gives them (`is_color`).

    `palette` are the colours of the indices, where the image has such; `lossy` says that the
    image was saved as JPEG, which changes values.
    """

    values: Pixels
    is_color: bool = False
    palette: tuple[Color, ...] = ()
    lossy: bool = False

    @property
    def size(self) -> str:
        """The size, as ``"640x480"``."""
        return f"{self.values.shape[1]}x{self.values.shape[0]}"

    def as_index(self) -> MaskPicture | None:
        """Return a grey picture in three channels as indices; None where it has colours."""
        if not self.is_color:
            return self
        low = self.values & 255
        if ((self.values >> 8 & 255) != low).any() or (self.values >> 16 != low).any():
            return None
        return self._replace(values=low.astype(np.uint8), is_color=False)


def decode_mask(data: bytes, name: str = "") -> MaskPicture:
    """Return the pixels of a mask.

    Raises:
        BrokenFileError: it is no image, is damaged, or has more than 89 million pixels.
    """
    info = probe_image(data, name)
    if info.stored_width * info.stored_height > MAX_MASK_PIXELS:
        raise BrokenFileError(
            f"The mask has {info.width:,} x {info.height:,} pixels: too many", where=name
        )
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        image.load()
    except Exception as error:  # damage makes decoders raise whatever they like
        raise BrokenFileError(f"The mask can't be decoded: {error}", where=name) from error
    lossy = info.format == "JPEG"
    if image.mode in ("P", "PA"):
        flat = image.getpalette("RGB") or []
        colors = [(r, g, b) for r, g, b in zip(flat[::3], flat[1::3], flat[2::3], strict=False)]
        index = image.getchannel(0) if image.mode == "PA" else image
        return MaskPicture(np.asarray(index), False, tuple(colors), lossy)
    if image.mode in ("L", "LA", "1") or image.mode.startswith("I"):
        grey = image.getchannel(0) if image.mode == "LA" else image
        return MaskPicture(_whole(np.asarray(grey), data), False, (), lossy)
    if image.mode.startswith("F"):
        raise BrokenFileError("The mask holds fractions, which are no classes", where=name)
    try:
        rgb = np.asarray(image.convert("RGB")).astype(np.int32)
    except ValueError as error:  # a mode that has no colours
        raise BrokenFileError(f"The mask can't be read: {error}", where=name) from error
    return MaskPicture(rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2], True, (), lossy)


def _whole(values: Pixels, data: bytes) -> Pixels:
    # Pillow spreads the greys of a PNG of 2 or 4 bits from 0 to 255: that is undone here.
    if values.dtype == bool:
        return values.astype(np.uint8)
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[25] == 0 and data[24] in (2, 4):
        out: Pixels = values // (85 if data[24] == 2 else 17)
        return out
    return values


def matched_to(
    picture: MaskPicture, size: tuple[int, int] | None, orientation: int = 1
) -> tuple[MaskPicture, str]:
    """Return a mask in its image's size, and "" or what had to be done for it, as a sentence.

    Args:
        picture: the mask.
        size: width and height of the image as displayed; None where there is no image.
        orientation: EXIF orientation of the image: a mask of its stored pixels is turned.
    """
    height, width = picture.values.shape
    if size is None or (width, height) == size:
        return picture, ""
    if orientation >= 5 and (height, width) == size:
        turned = geometry.orient_mask(picture.values, orientation)
        return picture._replace(values=turned), "turned as the image is (EXIF)"
    if size[0] * size[1] > MAX_MASK_PIXELS:
        return picture, f"of {picture.size}, the image of {size[0]}x{size[1]}: too large to resize"
    rows = np.minimum((np.arange(size[1]) * height) // size[1], height - 1)
    columns = np.minimum((np.arange(size[0]) * width) // size[0], width - 1)
    text = f"of {picture.size}, resized to the image's {size[0]}x{size[1]} (nearest pixel)"
    return picture._replace(values=picture.values[rows[:, None], columns]), text


class Segment(NamedTuple):
    """The pixels of one value; `area` is their number."""

    value: int
    area: int
    row: dict[str, Any]
    """Type and geometry: columns of ANNOTATIONS."""


@dataclass(frozen=True)
class Runs:
    """An image as runs of equal pixels, column by column: `values`, and where each `starts`.

    >>> runs = Runs.of(np.array([[0, 7], [7, 7]]))
    >>> [(s.value, s.area, s.row["x"], s.row["w"]) for s in runs.segments({0})]
    [(7, 3, 0.0, 2.0)]
    """

    height: int
    width: int
    values: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, pixels: Pixels) -> Runs:
        """Return the runs of an image of shape (height, width)."""
        flat = pixels.ravel(order="F")
        starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
        height, width = pixels.shape
        return cls(height, width, flat[starts].astype(np.int64), starts)

    def unique(self) -> list[int]:
        """Return the values that occur, sorted."""
        found: list[int] = np.unique(self.values).tolist()
        return found

    def areas(self) -> dict[int, int]:
        """Return the number of pixels of each value."""
        values, inverse = np.unique(self.values, return_inverse=True)
        areas = np.bincount(inverse.ravel(), weights=self._lengths()).astype(np.int64)
        return dict(zip(values.tolist(), areas.tolist(), strict=True))

    def mapped(self, table: Mapping[int, int]) -> Runs:
        """Return the image with each value replaced by what `table` says; others stay."""
        values, inverse = np.unique(self.values, return_inverse=True)
        new = np.array([table.get(v, v) for v in values.tolist()], np.int64)[inverse.ravel()]
        first = np.concatenate([[True], new[1:] != new[:-1]])
        return Runs(self.height, self.width, new[first], self.starts[first])

    def segments(self, skip: Collection[int] = ()) -> Iterator[Segment]:
        """Yield the pixels of each value but those in `skip`, in the order of the values."""
        keep = ~np.isin(self.values, list(skip))
        order = np.argsort(self.values[keep], kind="stable")
        values = self.values[keep][order]
        starts, lengths = self.starts[keep][order], self._lengths()[keep][order]
        if not len(values):
            return
        edges = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1], [True]]))
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            row = self._row(starts[low:high], lengths[low:high])
            yield Segment(int(values[low]), int(lengths[low:high].sum()), row)

    def _lengths(self) -> NDArray[np.int64]:
        return np.diff(self.starts, append=self.height * self.width)

    def _row(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> dict[str, Any]:
        ends = starts + lengths
        counts = self._encoded(starts, ends)
        first, last = starts // self.height, (ends - 1) // self.height
        left, right = int(first[0]), int(last[-1])
        if (first != last).any():  # a run that goes on in the next column
            top, bottom = 0, self.height - 1
        else:
            top = int((starts % self.height).min())
            bottom = int(((ends - 1) % self.height).max())
        return {
            "type": "mask", "mask": counts, "mask_height": self.height,
            "mask_width": self.width, "x": float(left), "y": float(top),
            "w": float(right - left + 1), "h": float(bottom - top + 1),
        }  # fmt: skip

    def _encoded(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> bytes:
        # The COCO compressed RLE: of the runs, or, where they are very many, of the pixels.
        from pycocotools import mask as coco_mask

        total = self.height * self.width
        if len(starts) > total // 64 + 64:
            steps = np.zeros(total + 1, np.int8)
            steps[starts] = 1
            steps[ends] -= 1
            flat = np.cumsum(steps[:-1], dtype=np.int8).view(np.uint8)
            return geometry.mask_to_rle(flat.reshape((self.height, self.width), order="F"))
        counts = np.empty(2 * len(starts), np.int64)
        counts[::2] = starts - np.concatenate([[0], ends[:-1]])
        counts[1::2] = ends - starts
        tail = total - int(ends[-1])
        whole = [*counts.tolist(), *([tail] if tail else [])]
        size = [self.height, self.width]
        encoded = coco_mask.frPyObjects({"size": size, "counts": whole}, *size)
        out: bytes = encoded["counts"]
        return out


def read_groups(
    source: Source, groups: Sequence[Sequence[str]], at_once: int = 32
) -> Iterator[dict[str, bytes | SourceError]]:
    """Yield the bytes of each group of files, in order, or why a file can't be read."""
    for start in range(0, len(groups), at_once):
        some = groups[start : start + at_once]
        wanted = list(dict.fromkeys(path for group in some for path in group))
        found: dict[str, bytes | SourceError] = {}
        try:
            found.update(source.read_many(wanted))
        except SourceError:  # which of them is to be found out one by one
            for path in wanted:
                try:
                    found[path] = source.read(path)
                except SourceError as error:
                    found[path] = error
        for group in some:
            yield {path: found[path] for path in group}


def combined(high: Pixels, low: Pixels) -> Pixels:
    """Return two images of one size as one: ``high << 32 | low``."""
    out: Pixels = high.astype(np.int64) << 32 | low.astype(np.int64)
    return out


def majority(
    instances: Pixels, classes: Pixels, skip: Collection[int] = ()
) -> dict[int, tuple[int, int]]:
    """Return, for each instance, the class that most of its pixels have, and how many others do.

    Classes in `skip` count only where an instance has no other.
    """
    votes: dict[int, list[tuple[bool, int, int]]] = {}
    for value, area in Runs.of(combined(instances, classes)).areas().items():
        found = value & 0xFFFFFFFF
        votes.setdefault(value >> 32, []).append((found not in skip, area, -found))
    out: dict[int, tuple[int, int]] = {}
    for instance, some in votes.items():
        counted = [v for v in some if v[0]] or some
        best = max(counted)
        out[instance] = (-best[2], sum(v[1] for v in counted) - best[1])
    return out


# -- writing --------------------------------------------------------------------------------


def encode_mask(values: Pixels, colors: Sequence[Color] | None = None) -> bytes:
    """Return indices as a PNG: 8 or 16 bits of grey by their type, or, given colours, a palette.

    An array of shape (height, width, 3) becomes an RGB PNG.
    """
    image = Image.fromarray(values)
    if colors is not None:
        palette = palette_colors()
        palette[: len(colors)] = list(colors)[:256]
        image.putpalette([v for color in palette for v in color])
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def rle_counts(rle: bytes) -> NDArray[np.int64]:
    """Return the lengths of the runs of a COCO compressed RLE.

    Raises:
        ValueError: the characters are none of such.

    >>> rle_counts(b"532").tolist()
    [5, 3, 2]
    """
    # Six bits a character, low ones first, each number but the first three less the one before
    # the last.
    chars = np.frombuffer(rle, np.uint8).astype(np.int64) - 48
    if not len(chars):
        return chars
    last = np.flatnonzero((chars & 32) == 0)
    if (chars < 0).any() or (chars > 63).any() or not len(last) or last[-1] != len(chars) - 1:
        raise ValueError("the counts are no compressed RLE")
    first = np.concatenate([[0], last[:-1] + 1])
    if int((last - first).max()) > 6:
        raise ValueError("the counts hold a number beyond any image")
    place = np.arange(len(chars)) - np.repeat(first, last - first + 1)
    counts = np.add.reduceat((chars & 31) << (5 * place), first)
    negative = (chars[last] & 16) != 0
    counts[negative] -= np.int64(1) << (5 * (last - first + 1)[negative])
    counts[1::2] = np.cumsum(counts[1::2])
    counts[2::2] = np.cumsum(counts[2::2])
    return counts


def rle_segment(counts: bytes | Sequence[int], height: int, width: int) -> Segment | None:
    """Return the mask of a COCO RLE, compressed or not; None where it has no pixel.

    Nothing of the size that is said is allocated.

    Raises:
        ValueError: the counts are none, or are not those of an image of that size.

    >>> segment = rle_segment([5, 3, 2], 5, 2)
    >>> segment.area, segment.row["mask"], segment.row["x"], segment.row["h"]
    (3, b'532', 1.0, 3.0)
    """
    if isinstance(counts, bytes):
        runs = rle_counts(counts)
    else:
        try:
            runs = np.array(counts, np.int64)
        except (OverflowError, TypeError, ValueError):
            raise ValueError("the counts are no list of whole numbers") from None
    if runs.ndim != 1 or (runs < 0).any() or (runs > height * width).any():
        raise ValueError("the counts are no lengths of runs in the image")
    if int(runs.sum()) != height * width:
        raise ValueError(f"the counts add up to {int(runs.sum()):,}, not {height} x {width}")
    values = np.arange(len(runs)) % 2
    starts = np.concatenate([[0], np.cumsum(runs)[:-1]]) if len(runs) else runs
    kept = runs > 0
    whole = Runs(height, width, values[kept], starts[kept]).mapped({})
    return next(whole.segments({0}), None)


def without_suffix(path: str) -> str:
    """Return a path without its last suffix."""
    end = suffix(path)
    return path[: len(path) - len(end)] if end else path
