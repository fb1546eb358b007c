"""Reading images one by one, each with the files of masks or JSON that speak of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import BrokenFileError, NbannotError, SourceError
from ..media.images import probe_source_image
from ..media.kinds import is_image
from ..schema import Batch
from .json_documents import document
from .mask_images import MaskPicture, decode_mask, matched_to, read_groups
from .reading import Reading
from .text_lines import text_of

__all__ = ["Contents", "MaskItem", "read_items"]

Contents = Mapping[str, Any]
"""What files hold, by path: a `MaskPicture`, the value of a JSON, or text; no broken ones."""


@dataclass(frozen=True)
class MaskItem:
    """An image of a dataset: its file, None where there is none, and the files about it."""

    subset: str | None
    key: str
    image: str | None
    files: tuple[str, ...] = ()


def read_items(
    reading: Reading,
    items: Sequence[MaskItem],
    add: Callable[[int, MaskItem, Contents], None],
    *,
    size_of: Callable[[Contents], tuple[int, int] | None] = lambda _: None,
) -> Iterator[Batch]:
    """Yield the items; `add` is called with each one's number and the contents of its files.

    Masks come in the size of their image (a warning, where they had another). A file that can't
    be read is a rejected record, an image that is missing a warning, where there are images.
    `size_of` says the size of an image that is not there.
    """
    has_images = any(item.image for item in items)
    reading.progress.start("Reading masks", len(items), "images")
    at_once = 32 if reading.limit is None else min(32, max(1, reading.limit))
    groups = [item.files for item in items]
    for item, found in zip(items, read_groups(reading.source, groups, at_once), strict=True):
        if reading.is_full:
            break
        contents: dict[str, Any] = {}
        broken: dict[str, str] = {}
        for path, data in found.items():
            try:
                contents[path] = _content(reading, path, data)
            except (BrokenFileError, SourceError) as error:
                broken[path] = error.message
        size, orientation = _size(reading, item, contents)
        size = size or size_of(contents)
        number = reading.item(
            item.key, subset=item.subset, media=item.image, width=size and size[0],
            height=size and size[1],
        )  # fmt: skip
        if item.image is None and has_images:
            reading.warn(
                "image file missing", file=next(iter(item.files), ""), record="item",
                item=item.key, message=f"{item.key}: there is no image of this name",
            )  # fmt: skip
        for path, problem in broken.items():
            reading.reject(
                "the mask can't be read" if is_image(path) else "the file can't be read",
                file=path, record="file", item=item.key, message=problem,
            )  # fmt: skip
        for path, content in contents.items():
            if isinstance(content, MaskPicture):
                contents[path], changed = matched_to(content, size, orientation)
                if changed:
                    reading.warn(
                        "mask and image differ in size", file=path, record="item", item=item.key,
                        message=f"{item.key}: the mask is {changed}",
                    )  # fmt: skip
        add(number, item, contents)
        yield from reading.batches()
        reading.progress.advance()
    yield from reading.rest()


def _content(reading: Reading, path: str, data: bytes | SourceError) -> Any:
    if isinstance(data, SourceError):
        raise data
    if is_image(path):
        return decode_mask(data, path)
    return document(data, path, reading.ledger) if path.endswith(".json") else text_of(data)


def _size(
    reading: Reading, item: MaskItem, contents: Contents
) -> tuple[tuple[int, int] | None, int]:
    if item.image is not None and item.files:
        try:
            info = probe_source_image(reading.source, item.image)
        except NbannotError:
            pass
        else:
            return (info.width, info.height), info.orientation
    for content in contents.values():
        if isinstance(content, MaskPicture):
            height, width = content.values.shape
            return (width, height), 1
    return None, 1
