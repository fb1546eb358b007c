"""Mapillary Vistas, versions 1.2 and 2.0: instances and classes as PNG, polygons as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import BrokenFileError
from ..ledger import Ledger
from ..media.kinds import IMAGE_SUFFIXES
from ..progress import Progress
from ..schema import Batch, Label
from ..sources.base import Source
from . import json_shapes
from .base import Format, Option
from .json_documents import Spot, document, list_of, mapping_of, put, spare
from .look import Look
from .mask_images import MaskPicture, Runs, hex_color, without_suffix
from .mask_items import Contents, MaskItem, read_items
from .reading import Reading

__all__ = ["Mapillary"]

_CONFIG = re.compile(r"config(?:_(v\d\.\d))?\.json")
_KINDS = ("polygons", "instances", "labels")
_VERSION = re.compile(r"v\d\.\d")


class Mapillary(Format):
    """Mapillary Vistas, as it is downloaded.

    **Items.** Each image of ``<split>/images`` and each mask or file of polygons is one; the key
    is the path in that folder, the subset the split.

    **Annotations.** Polygons of ``v2.0/polygons`` in their order (`z_order`); where there are
    none, or by the option `use`, masks of ``instances`` (16 bits, class · 256 + instance), else
    one per class of ``labels``. Labels are the names of ``config_v*.json``
    (``object--vehicle--car``), each pixel belongs to one. Of several versions the newest is read,
    see the option `version`. ``panoptic`` says the same again and is not read.

    **Records** are items, polygons, and values in a mask.
    """

    name: ClassVar[str] = "mapillary"
    title: ClassVar[str] = "Mapillary Vistas"
    summary: ClassVar[str] = "Street images with polygons, and instances as 16-bit PNG."
    rules: ClassVar[str] = "https://www.mapillary.com/dataset/vistas (README of versions 1.2, 2.0)"
    holds: ClassVar[tuple[str, ...]] = ("polygon", "mask")
    writes: ClassVar[bool] = False
    read_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "version", "choice", "auto", "Which version of the annotations; auto: the newest.",
            ("auto", "v1.2", "v2.0"),
        ),
        Option(
            "use", "choice", "polygons", "What to read of images that have both.",
            ("polygons", "masks"),
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Recognise ``config_v1.2.json`` or the like, and the folders of masks."""
        look.need(look.source.main is None, "a single file is no dataset of Mapillary Vistas")
        configs = _configs(look.source)
        look.need(configs, "no config_v1.2.json, config_v2.0.json or config.json")
        path = next(iter(configs.values()))
        keys = look.head(path).json_keys
        look.need({"labels", "readable", "name"} <= keys, f"{path} lists no labels of Mapillary's")
        look.found(f"{path} lists Mapillary's labels")
        layout = _Layout.of(look.source, "auto", "polygons")
        look.need(layout.masks, "no folder instances, labels or polygons")
        look.found(f"annotations of version {layout.version or '1'}")
        return 0.97

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
            BrokenFileError: the list of labels (``config_v2.0.json``) is not JSON.
        """
        chosen = self.check_options(options)
        layout = _Layout.of(source, chosen["version"], chosen["use"])
        reading = Reading(source, ledger, progress, limit)
        names = _declare(reading, layout.config)
        if layout.others:
            text = f"{layout.version} is read, {', '.join(layout.others)} is not; see version"
            ledger.note("another version is there", message=text)
        if any(f.rpartition("/")[2] == "panoptic" for f in source.files.all_folders()):
            text = "panoptic holds what the other folders do, and is not read"
            ledger.note("panoptic is not read", message=text)

        def add(number: int, item: MaskItem, contents: Contents) -> None:
            for path, content in contents.items():
                if isinstance(content, MaskPicture):
                    coded = _placed(path)[1] == "instances"
                    _masks(reading, number, item, path, content, names, coded)
                else:
                    _polygons(reading, number, item, path, content)

        yield from read_items(reading, layout.items(), add, size_of=_declared_size)


@dataclass(frozen=True)
class _Layout:
    # The files of one version: (split, stem) → path.
    version: str
    others: tuple[str, ...]
    config: str | None
    images: Mapping[tuple[str | None, str], str]
    masks: Mapping[tuple[str | None, str], str]

    @classmethod
    def of(cls, source: Source, version: str, use: str) -> _Layout:
        found: dict[str, dict[str, dict[tuple[str | None, str], str]]] = {}
        images: dict[tuple[str | None, str], str] = {}
        for path in sorted(source.files.with_suffix(".json", *IMAGE_SUFFIXES)):
            split, kind, name, of_version = _placed(path)
            place = split, without_suffix(name)
            if kind == "images":
                images.setdefault(place, path)
            elif kind in _KINDS and path.endswith(".json") == (kind == "polygons"):
                found.setdefault(of_version, {}).setdefault(kind, {})[place] = path
        versions = sorted(found, reverse=True)
        chosen = version if version != "auto" else next(iter(versions), "")
        kinds = found.get(chosen, {})
        masks: dict[tuple[str | None, str], str] = {}
        for kind in _KINDS if use == "polygons" else (*_KINDS[1:], _KINDS[0]):
            for place, path in kinds.get(kind, {}).items():
                masks.setdefault(place, path)
        configs = _configs(source)
        config = configs.get(chosen) or next(iter(configs.values()), None)
        others = tuple(v for v in versions if v != chosen)
        return cls(chosen, others, config, images, masks)

    def items(self) -> list[MaskItem]:
        out = []
        for place in sorted({*self.images, *self.masks}, key=lambda p: (p[0] or "", p[1])):
            image, mask = self.images.get(place), self.masks.get(place)
            end = image[len(without_suffix(image)) :] if image else ".jpg"
            out.append(MaskItem(place[0], place[1] + end, image, (mask,) if mask else ()))
        return out


def _placed(path: str) -> tuple[str | None, str, str, str]:
    # Split, kind (the folder), path in that folder, and version ("" where there is no folder).
    parts = path.split("/")
    kinds = ("images", *_KINDS)
    at = next((i for i, p in enumerate(parts[:-1]) if p in kinds), None)
    if at is None:
        return None, "", path, ""
    before = parts[:at]
    version = before.pop() if before and _VERSION.fullmatch(before[-1]) else ""
    return before[-1] if before else None, parts[at], "/".join(parts[at + 1 :]), version


def _configs(source: Source) -> dict[str, str]:
    # Version → path of its list of labels, the newest first.
    found: dict[str, str] = {}
    for path in source.files.with_suffix(".json"):
        match = _CONFIG.fullmatch(path.rpartition("/")[2])
        if match and path.count("/") < 2:
            found.setdefault(match[1] or "", path)
    return dict(sorted(found.items(), reverse=True))


def _declare(reading: Reading, config: str | None) -> list[str]:
    if config is None:
        return []
    names = []
    value = document(reading.source.read(config), config, reading.ledger)
    given = mapping_of(value).get("labels")
    if not isinstance(given, list):
        raise BrokenFileError("The list of labels has no labels", where=config)
    for index, found in enumerate(map(mapping_of, given)):
        name = str(found.get("name") or f"class_{index}")
        color = list_of(found.get("color"))
        good = len(color) == 3 and all(isinstance(v, int) and 0 <= v < 256 for v in color)
        shown = hex_color(color) if good else None
        readable = found.get("readable")
        extra = {"readable": readable} if isinstance(readable, str) else {}
        reading.labels[name] = Label(name, color=shown, source_id=str(index), extra=extra)
        names.append(name)
    return names


def _declared_size(contents: Contents) -> tuple[int, int] | None:
    for value in map(mapping_of, contents.values()):
        width, height = value.get("width"), value.get("height", value.get("heigth"))
        if isinstance(width, int) and isinstance(height, int) and 0 < min(width, height) < 2**31:
            return (width, height) if max(width, height) < 2**31 else None
    return None


def _masks(
    reading: Reading, number: int, item: MaskItem, path: str, picture: MaskPicture,
    names: Sequence[str], coded: bool,
) -> None:  # fmt: skip
    for segment in Runs.of(picture.values).segments():
        index = segment.value >> 8 if coded else segment.value
        record = f"value {segment.value}"
        known = 0 <= index < len(names)
        if not known:
            reading.warn(
                "a value that no class has", file=path, record=record, item=item.key,
                message=f"{item.key}: {record} is of class {index} of {len(names)}",
            )  # fmt: skip
        name = names[index] if known else f"class_{index}"
        reading.annotation(number, label=name, source_id=str(segment.value), **segment.row)


def _polygons(reading: Reading, number: int, item: MaskItem, path: str, value: Any) -> None:
    size = reading.size(item.image) or _declared_size({path: value}) or (None, None)
    for rank, given in enumerate(list_of(mapping_of(value).get("objects"))):
        spot = Spot(path, f"objects[{rank}]", f"object {rank + 1}", item.key)
        put(reading, number, spot, lambda: _object(given, rank), size)  # noqa: B023


def _object(given: Any, rank: int) -> dict[str, Any]:
    found = mapping_of(given)
    name = found.get("label")
    if not isinstance(name, str) or not name:
        raise json_shapes.Unusable("object without label", f"its label is {name!r}")
    given_points = found.get("polygon")
    if isinstance(given_points, list) and given_points and isinstance(given_points[0], list):
        first = given_points[0]
        if len(given_points) == 1 and len(first) >= 6 and len(first) % 2 == 0:
            given_points = [first[i : i + 2] for i in range(0, len(first), 2)]
    flat = json_shapes.points(given_points, 3, "polygon")
    ident = found.get("id")
    return {
        **json_shapes.polygon([(flat, False)]), "label": name, "z_order": rank,
        "source_id": None if ident is None else str(ident),
        "extra": spare("mapillary", found, "label", "polygon", "id"),
    }  # fmt: skip
