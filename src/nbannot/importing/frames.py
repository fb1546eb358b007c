"""Image sizes and EXIF orientation: which frame a file's coordinates speak of.

A project's coordinates are in the image as displayed. A format that declares an image's size
tells by it which frame it means: where the declared size is that of the stored pixels, and EXIF
turns them, the annotations are turned along, and the ledger says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .. import geometry
from ..errors import NbannotError
from ..helper import in_order
from ..ledger import Ledger
from ..media.headers import scan_files
from ..media.images import ImageInfo, probe_source_images, take_probed, take_settled
from ..progress import Progress
from ..sources.base import Source
from .staging import Staged, column

__all__ = ["check_images"]

_CHUNK = 256
_PIECE = 2048
_TURNS_SIDEWAYS = (5, 6, 7, 8)


def check_images(staged: Staged, source: Source, ledger: Ledger, progress: Progress) -> int:
    """Fill in image sizes that the format left out, and settle the frame of those it gave.

    Reads the header of each image that is in the source, nothing else. Returns how many images'
    annotations were turned.
    """
    items = staged.items
    media, keys = items["media"].to_numpy().tolist(), items["key"]
    images = pc.and_(pc.equal(items["kind"], "image"), pc.is_valid(items["media"]))
    wanted = [i for i in np.flatnonzero(images).tolist() if media[i]]
    probed, settled = take_probed(source), take_settled(source)
    if settled:
        wanted = [i for i in wanted if media[i] not in settled]
    if not wanted:
        return 0
    widths = items["width"].to_numpy(zero_copy_only=False).astype(np.float64, copy=True)
    heights = items["height"].to_numpy(zero_copy_only=False).astype(np.float64, copy=True)
    given = list(zip(widths.tolist(), heights.tolist(), strict=True))
    turned: dict[int, tuple[int, float, float]] = {}
    progress.start("Checking images", len(wanted), "images")
    if probed:
        infos = map(probed.get, media)
        agree = {i for i, info in enumerate(infos) if info and _agrees(given[i], info)}
        wanted = [i for i in wanted if i not in agree]
    found = _probe([media[i] for i in wanted], probed, source)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        for i, info in zip(chunk, found, strict=False):
            if isinstance(info, NbannotError):
                key = keys[i].as_py()
                _say(ledger, "warn", "the image can't be read", key, media[i], info.message)
            elif _agrees(given[i], info):
                continue
            elif math.isnan(given[i][0]) or math.isnan(given[i][1]):
                widths[i], heights[i] = info.width, info.height
            else:
                turn = _settle(info, *given[i], keys[i].as_py(), media[i], ledger)
                if turn:
                    turned[i] = (turn, *given[i])
                    widths[i], heights[i] = info.width, info.height
        progress.advance(len(chunk))
    items = column(items, "width", pa.array(widths, from_pandas=True).cast(pa.int32()))
    staged.items = column(items, "height", pa.array(heights, from_pandas=True).cast(pa.int32()))
    if turned:
        _turn(staged, turned)
    return len(turned)


def _agrees(given: tuple[float, float], info: ImageInfo | None) -> bool:
    # Most images: the size is known, and there is nothing to settle.
    return info is not None and info[2] == 1 and info[:2] == given


def _probe(
    paths: Sequence[str], probed: Mapping[str, ImageInfo], source: Source
) -> Iterator[ImageInfo | NbannotError]:
    # What is known already is not asked for again.
    others = [path for path in paths if path not in probed] if probed else paths
    parts = (others[start : start + _PIECE] for start in range(0, len(others), _PIECE))
    pieces = ((part, (source.on_disk(part),)) for part in parts)
    found = chain.from_iterable(
        probe_source_images(source, part, scanned=scanned)
        for part, scanned in in_order(scan_files, pieces, source.helper)
    )
    return (probed.get(path) or next(found) for path in paths) if probed else found


def _settle(
    info: ImageInfo, width: float, height: float, key: str, file: str, ledger: Ledger
) -> int:
    # The orientation by which annotations must be turned; 0: they are as displayed.
    declared, stored = (width, height), (info.stored_width, info.stored_height)
    displayed = (info.width, info.height)
    if declared == displayed and info.orientation == 1:
        return 0
    if info.orientation in _TURNS_SIDEWAYS and declared == stored != displayed:
        text = (
            f"its size {width:.0f}x{height:.0f} is that of the stored pixels; its annotations "
            f"were turned to the image as displayed, {info.width}x{info.height} "
            f"(EXIF orientation {info.orientation})"
        )
        _say(ledger, "warn", "turned to the image as displayed", key, file, text)
        return info.orientation
    if declared != displayed:
        text = (
            f"declared as {width:.0f}x{height:.0f}, but the file is "
            f"{info.width}x{info.height}; coordinates are kept as given"
        )
        _say(ledger, "warn", "the declared size is not the image's", key, file, text)
    elif declared == stored:  # square, mirrored or upside down: the size can't tell
        text = (
            f"EXIF orientation {info.orientation} does not change its size, so the frame of its "
            "annotations can't be told; they are taken as in the image as displayed"
        )
        _say(ledger, "warn", "the frame can't be told from the size", key, file, text)
    return 0


def _say(ledger: Ledger, how: str, reason: str, key: str, file: str, message: str) -> None:
    getattr(ledger, how)(reason, file=file, record="item", item=key, message=message)


def _turn(staged: Staged, turned: dict[int, tuple[int, float, float]]) -> None:
    numbers = staged.item_numbers
    by_number = {int(numbers[i]): how for i, how in turned.items()}
    batches = []
    for rows in staged.batches:
        owner = rows["item"].to_numpy()
        mine = np.flatnonzero(np.isin(owner, list(by_number)))
        if len(mine):
            fixed = {
                int(r): _turn_row(rows.slice(r, 1).to_pylist()[0], *by_number[int(owner[r])])
                for r in mine
            }
            for name in (
                "x",
                "y",
                "w",
                "h",
                "rotation",
                "points",
                "mask",
                "mask_height",
                "mask_width",
            ):
                values = rows[name].to_pylist()
                for r, row in fixed.items():
                    values[r] = row[name]
                rows = column(rows, name, values)
        batches.append(rows)
    staged.replace_batches(batches)


def _turn_row(row: dict[str, Any], how: int, width: float, height: float) -> dict[str, Any]:
    if row["x"] is not None:
        box = [[row["x"], row["y"], row["w"], row["h"]]]
        if row["rotation"]:
            corners = geometry.box_corners(box, [row["rotation"]])[0]
            moved = geometry.orient_points(corners, how, width, height)
            if how in (5, 7):  # mirrored: keep the corners clockwise
                moved = moved[[0, 3, 2, 1]]
            boxes, angle = geometry.corners_to_box(moved[None])
            row["x"], row["y"], row["w"], row["h"] = boxes[0].tolist()
            row["rotation"] = float(angle[0])
        else:
            row["x"], row["y"], row["w"], row["h"] = geometry.orient_xywh(box, how, width, height)[
                0
            ].tolist()
    if row["points"]:
        row["points"] = geometry.orient_points(row["points"], how, width, height).ravel().tolist()
    if row["mask"] is not None:
        mask = geometry.rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
        moved_mask = geometry.orient_mask(mask, how)
        row["mask"] = geometry.mask_to_rle(moved_mask)
        row["mask_height"], row["mask_width"] = moved_mask.shape
    return row
