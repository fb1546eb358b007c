"""Items of a table: one for each image that its rows name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...errors import NbannotError
from ...media.images import probe_source_image
from ...media.kinds import KIND_OF_SUFFIX, suffix
from ...sources.base import Source
from ..addresses import Address, address_of, find_media, masked
from ..media_index import Found, MediaIndex

__all__ = ["Images", "MediaFinder", "group_rows"]

SAMPLE_IMAGES = 16
"""Images whose sizes are looked at where only they tell what the numbers of a box mean."""


@dataclass
class Images:
    """The images of a table, in the order in which they first occur.

    * `of_row`: index of each row's image, -1 where it names none.
    * `first_row`: the first row of each.
    * `keys`, `kinds`, `media`, `uris`, `subsets`: columns of the items.
    * `problems`: (reason, image, message) of images that are refused: their rows are rejected.
    * `warnings`: likewise, of images that are kept.
    """

    of_row: NDArray[np.int64]
    first_row: NDArray[np.int64]
    keys: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    media: list[str | None] = field(default_factory=list)
    uris: list[str | None] = field(default_factory=list)
    subsets: list[str | None] = field(default_factory=list)
    problems: list[tuple[str, int, str]] = field(default_factory=list)
    warnings: list[tuple[str, int, str]] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    shown: int | None = None  # a preview: the images from here on are left out

    def __len__(self) -> int:
        return len(self.first_row)


class MediaFinder:
    """Finds the media that cells name: in the source's files, or, of a frame, on this machine."""

    def __init__(self, source: Source, near: str, index: MediaIndex | None = None) -> None:
        self._source = source
        self._index = MediaIndex(source.files) if index is None else index
        self._near = [near, f"{near}/images".lstrip("/"), f"{near}/img".lstrip("/")]
        self._is_frame = source.table() is not None
        self._has_media = bool(source.files.with_suffix(*KIND_OF_SUFFIX))
        self._by_name: dict[str, str] = {}

    def find(self, text: str, address: Address) -> Found:
        """Return where the media of a cell is, as a path in the source."""
        if self._is_frame:
            if address.uri is not None:
                return Found(None, "missing")
            plain = text.strip()
            return Found(plain) if self._source.link(plain) else Found(None, "missing")
        if not self._has_media:
            return Found(None, "missing")
        found = find_media(self._index, address, self._near)
        if found.path is None and found.problem == "missing" and address.kind == "other":
            found = self._index.find_stem(address.path, self._near)
        if found.path is not None and address.uri is not None:
            if self._by_name.setdefault(found.path, address.uri) != address.uri:
                return Found(None, "ambiguous")
        return found

    def size_of(self, path: str | None) -> tuple[float, float]:
        """Return (width, height) in pixels of an image of the source, NaN where it has none."""
        if path is not None:
            try:
                info = probe_source_image(self._source, path)
            except NbannotError:
                return np.nan, np.nan  # said by whoever opens the image
            return float(info.width), float(info.height)
        return np.nan, np.nan


def group_rows(
    texts: pa.ChunkedArray, splits: pa.ChunkedArray | None, subset: str | None, finder: MediaFinder
) -> Images:
    """Return the images of rows that name them by `texts`, in the subsets that `splits` name."""
    names, of_row = _codes(texts)
    addresses = [address_of(name) for name in names]
    found = [
        finder.find(name, a) if not a.problem else Found(None, "refused")
        for name, a in zip(names, addresses, strict=True)
    ]
    kinds = [a.kind for a in addresses]
    keys = [
        a.path if kind != "other" and not a.problem else _key(name, a, f)
        for name, a, f, kind in zip(names, addresses, found, kinds, strict=True)
    ]
    # Two spellings of one path are one image.
    place: dict[str, int] = {}
    same = np.array([place.setdefault(k, i) for i, k in enumerate(keys)], np.int64)
    of_row = np.where(of_row >= 0, same[of_row] if len(same) else of_row, -1)
    split_names: list[str | None] = [subset]
    if splits is not None:
        given, split_codes = _codes(splits)
        split_names = [*given, subset]
        split_codes = np.where(split_codes < 0, len(given), split_codes)
        of_row = np.where(of_row >= 0, of_row * len(split_names) + split_codes, -1)
    used, first_row, inverse = np.unique(of_row, return_index=True, return_inverse=True)
    keep = used >= 0
    order = np.argsort(first_row[keep], kind="stable")
    rank = np.full(len(used), -1)
    rank[np.flatnonzero(keep)[order]] = np.arange(len(order))
    images = Images(rank[inverse], first_row[keep][order].astype(np.int64))
    count = len(split_names) if splits is not None else 1
    for n, code in enumerate(used[keep][order].tolist()):
        i, s = divmod(code, count)
        address, where = addresses[i], found[i]
        images.keys.append(keys[i])
        images.uris.append(address.uri)
        images.media.append(where.path)
        images.kinds.append(kinds[i] if kinds[i] != "other" else _kind(where))
        images.subsets.append(split_names[s] if splits is not None else subset)
        if address.problem:
            shown = masked(names[i])
            images.problems.append(("image is not reachable", n, f"{shown!r} {address.problem}"))
        elif where.problem == "ambiguous":
            text = f"more than one file fits {keys[i]!r}"
            images.warnings.append(("several files fit", n, text))
        elif where.problem == "unicode":
            text = f"the file's name is in another normal form than {keys[i]!r}"
            images.warnings.append(("name is in another Unicode form", n, text))
        elif where.path is None and address.uri is None:
            images.missing.append(n)
    return images


def _codes(column: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64]]:
    encoded = pc.dictionary_encode(column.combine_chunks())
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes: Any = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return encoded.dictionary.to_pylist(), codes.astype(np.int64)


def _key(name: str, address: Address, found: Found) -> str:
    if address.problem:
        return name
    # A name without its suffix, like "1" or "1670577347.002843", gets that of its file.
    return address.path if found.path is None else address.path + suffix(found.path)


def _kind(found: Found) -> str:
    if found.path is not None:
        return KIND_OF_SUFFIX.get(suffix(found.path), "image")
    return "image"  # a table of boxes or labels that names neither: images are the rule
