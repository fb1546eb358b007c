"""Segment Anything, SA-1B: one JSON of masks without classes per image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ..errors import BrokenFileError
from ..ledger import Ledger
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from . import json_shapes
from .base import Format
from .json_documents import Spot, document, list_of, mapping_of, put, spare, whole
from .json_values import dumps
from .look import Look
from .mask_images import rle_segment
from .media_index import as_path
from .reading import Reading

__all__ = ["Sa1b"]

_MAX_SIDE = 1 << 20


class Sa1b(Format):
    """SA-1B, and what Segment Anything's own script writes in its form.

    **Items.** Each JSON is one: the image that it names, beside it. The key is the image's path
    in the folder that holds all; `source_id` is ``image_id``.

    **Annotations.** Masks without a label: the RLE is taken as it is, its box is worked out.
    ``predicted_iou`` and ``stability_score`` are attributes; ``point_coords``, ``crop_box`` and a
    ``bbox`` that is not the mask's are in `extra`.

    **Records** are items and annotations. A mask that is empty, or of another size than its
    image, stays, with a warning.
    """

    name: ClassVar[str] = "sa1b"
    title: ClassVar[str] = "Segment Anything (SA-1B)"
    summary: ClassVar[str] = "One JSON of masks without classes per image."
    rules: ClassVar[str] = "https://github.com/facebookresearch/segment-anything (README, Dataset)"
    holds: ClassVar[tuple[str, ...]] = ("mask",)
    writes: ClassVar[bool] = False

    def requires(self, look: Look) -> float:
        """Recognise the keys that only SA-1B has."""
        main = look.source.main
        paths = [main] if main is not None else look.files.with_suffix(".json")
        look.need(paths, "no JSON")
        some = sorted({paths[0], paths[len(paths) // 2], paths[-1]})
        found = [p for p in some if _is_ours(look.head(p).json_keys)]
        look.need(found, f"{some[0]} has no image and annotations with predicted_iou")
        look.found(f"{found[0]} has the keys of SA-1B")
        look.found(f"{len(paths):,} JSON files")
        return 0.95

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the dataset; see `Format.read`.

        Raises:
            BrokenFileError: the only file is not JSON.
        """
        reading = Reading(source, ledger, progress, limit)
        paths = [source.main] if source.main is not None else source.files.with_suffix(".json")
        top = _common([path.rpartition("/")[0] for path in paths])
        for path, data in reading.files(paths):
            try:
                value = mapping_of(document(data, path, ledger))
            except BrokenFileError as error:
                if len(paths) == 1:
                    raise
                reading.reject("the file is not JSON", file=path, record="file", message=str(error))
                continue
            _image(reading, path, value, top)
            yield from reading.batches()
            if reading.is_full:
                break
        yield from reading.rest()


def _is_ours(keys: frozenset[str]) -> bool:
    return {"image", "annotations", "image_id"} <= keys and bool(
        {"predicted_iou", "stability_score"} & keys or "crop_box" in keys
    )


def _common(folders: list[str]) -> str:
    # The folder that all are in, with its "/".
    split = [folder.split("/") if folder else [] for folder in folders]
    kept = []
    for names in zip(*split, strict=False):
        if len(set(names)) > 1:
            break
        kept.append(names[0])
    return "".join(f"{name}/" for name in kept)


def _image(reading: Reading, path: str, value: Mapping[str, Any], top: str) -> None:
    image = mapping_of(value.get("image"))
    name = image.get("file_name")
    if not isinstance(name, str) or not name or not isinstance(value.get("annotations"), list):
        reading.reject(
            "no image and annotations", file=path, record="file",
            message=f"{path} names no image, or has no list of annotations",
        )  # fmt: skip
        return
    folder = path.rpartition("/")[0]
    name = as_path(name)
    key = (f"{folder}/{name}" if folder else name)[len(top) :]
    width, height = whole(image.get("width"), 1), whole(image.get("height"), 1)
    media = _media(reading, folder, name)
    number = reading.item(
        key, media=media, width=width, height=height,
        source_id=str(image["image_id"]) if "image_id" in image else None,
    )  # fmt: skip
    if media is None and reading.has_images:
        reading.warn(
            "image file missing", file=path, record="item", item=key,
            message=f"{key}: there is no image of this name",
        )  # fmt: skip
    for rank, given in enumerate(list_of(value["annotations"])):
        spot = Spot(path, f"annotations[{rank}]", f"annotation {rank + 1}", key)

        def make() -> dict[str, Any]:
            return _annotation(mapping_of(given), reading, spot, width, height)  # noqa: B023

        put(reading, number, spot, make, (width, height))


def _media(reading: Reading, folder: str, name: str) -> str | None:
    # Beside the JSON; else where no other JSON is beside it, which it would belong to.
    files = reading.source.files
    beside = f"{folder}/{name}" if folder else name
    if beside in files:
        return beside
    found = reading.find(name).path
    if found is None or any(p.endswith(".json") for p in files.files(found.rpartition("/")[0])):
        return None
    return found


def _annotation(
    found: Mapping[str, Any], reading: Reading, spot: Spot, width: int | None, height: int | None
) -> dict[str, Any]:
    mask = mapping_of(found.get("segmentation"))
    size = [whole(v, 1) for v in list_of(mask.get("size"))]
    if len(size) != 2 or not size[0] or not size[1] or max(size[0], size[1]) > _MAX_SIDE:
        raise json_shapes.Unusable("mask without size", f"its size is {mask.get('size')!r}")
    counts = mask.get("counts")
    if not isinstance(counts, (str, list)):
        raise json_shapes.Unusable("mask without counts", f"its counts are {type(counts).__name__}")
    try:
        segment = rle_segment(
            counts.encode("ascii") if isinstance(counts, str) else counts, size[0], size[1]
        )
    except ValueError as error:  # a UnicodeEncodeError is one
        raise json_shapes.Unusable("mask can't be read", str(error)) from None
    doubts = []
    if (width or size[1], height or size[0]) != (size[1], size[0]):
        text = f"{size[1]}x{size[0]} in an image of {width}x{height}"
        doubts.append(("mask and image differ in size", f"the mask is of {text}"))
    area = found.get("area")
    if segment is None:
        doubts.append(("mask is empty", "no pixel of it is set"))
        whole_image = [size[0] * size[1]]
        row: dict[str, Any] = {
            "type": "mask", "mask": _compressed(whole_image, size[0], size[1]),
            "mask_height": size[0], "mask_width": size[1], "x": 0.0, "y": 0.0, "w": 0.0, "h": 0.0,
        }  # fmt: skip
    else:
        row = segment.row
        if json_shapes.is_number(area) and area != segment.area:
            text = f"it says {area:g}, the mask has {segment.area:,} pixels"
            doubts.append(("area is not the mask's", text))
    for reason, text in doubts:
        reading.warn(reason, **spot.line(), message=f"{spot.record}: {text}")
    attributes = {n: found[n] for n in ("predicted_iou", "stability_score") if n in found}
    known = ["id", "segmentation", "area", *attributes]
    if found.get("bbox") == [row[n] for n in "xywh"]:
        known.append("bbox")
    ident = found.get("id")
    return {
        **row, "source_id": None if ident is None else str(ident),
        "attributes": dumps(attributes) if attributes else None,
        "extra": spare("sa1b", found, *known),
    }  # fmt: skip


def _compressed(counts: list[int], height: int, width: int) -> bytes:
    from pycocotools import mask as coco_mask

    encoded = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    out: bytes = encoded["counts"]
    return out
