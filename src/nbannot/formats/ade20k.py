"""ADE20K, the releases of 2017 (lines of text) and of 2020 (JSON)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..errors import NbannotError
from ..ledger import Ledger
from ..media.kinds import IMAGE_SUFFIXES
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from . import json_shapes
from .base import Format, Option
from .json_documents import Spot, list_of, mapping_of, put, spare, whole
from .json_values import dumps
from .look import Look
from .mask_images import MaskPicture, Runs, decode_mask, matched_to, without_suffix
from .mask_items import Contents, MaskItem, read_items
from .reading import Reading
from .text_lines import lines_of

__all__ = ["Ade20k"]

_SUBSETS = frozenset(("training", "validation", "test", "testing", "train", "val", "consistency"))
_LINE = re.compile(r"(\d+)\s*#\s*(\d+)\s*#\s*(\d+)\s*#(.*)#([^#]*)#\s*\"(.*)\"\s*")
_PARTS = re.compile(r"(.+)_parts_(\d+)")

_NOT_KEPT = ("scene", "saved_date", "hypernym")


class Ade20k(Format):
    """ADE20K as it is downloaded: full annotations, of 2017 or of 2020 and 2021.

    **Items.** Each image that has a ``_atr.txt`` (2017) or a JSON (2020) is one; the key is the
    path below ``training`` or ``validation`` (``street/ADE_train_1.jpg``), which is the subset.

    **Annotations.** One mask per object and part. In 2017 the pixels are those whose blue in
    ``_seg.png`` (parts: ``_parts_1.png`` ...) is the line's number, or has its rank; in 2020 those
    of the file ``instance_mask``, or, where there is none or by the option `use`, the polygon.
    The label is the first of the names (``person`` of "person, individual ..."), all of them where
    another class has it already. Attributes are True; `occluded` and `z_order` (the level of a
    part) are columns; a part has the `group` of its object (2020). All names, the crop and where
    a part belongs are in `extra`; hypernyms, dates and the scene are not kept (a note).

    **Records** are items, objects and parts.
    """

    name: ClassVar[str] = "ade20k"
    title: ClassVar[str] = "ADE20K"
    summary: ClassVar[str] = "Scenes with objects and parts, as PNG and lines of text or JSON."
    rules: ClassVar[str] = "https://groups.csail.mit.edu/vision/datasets/ADE20K/ (README, toolbox)"
    holds: ClassVar[tuple[str, ...]] = ("mask", "polygon")
    writes: ClassVar[bool] = False
    read_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "use", "choice", "masks", "What to read of objects that have both (2020).",
            ("masks", "polygons"),
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Recognise ``_atr.txt`` by its lines, and the JSON by its keys."""
        if look.source.main is not None:
            look.need(_is_json(look, look.source.main), "the file is no JSON of ADE20K's")
            look.found("the JSON has ADE20K's keys")
            return 0.9
        lines = [p for p in look.files.with_suffix(".txt") if p.endswith("_atr.txt")]
        if lines:
            some = look.head(lines[0]).lines
            look.need(
                not some or any(_LINE.fullmatch(line) for line in some[:3]),
                f"{lines[0]} has no lines of ADE20K's",
            )
            look.found(f"{len(lines):,} files of objects, such as {lines[0]}")
            return 0.95
        every = look.files.with_suffix(".json")
        beside = {without_suffix(path) for path in look.images} if every else set()
        jsons = [p for p in every if without_suffix(p) in beside]
        some = sorted({*jsons[:1], *jsons[len(jsons) // 2 :][:1]})
        look.need(some, "no _atr.txt, and no JSON beside an image")
        look.need(any(_is_json(look, p) for p in some), f"{some[0]} has no ADE20K annotation")
        look.found(f"{some[0]} has ADE20K's keys")
        return 0.95

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the dataset; see `Format.read`."""
        chosen = self.check_options(options)
        reading = Reading(source, ledger, progress, limit)
        reader = _Reader(reading, chosen["use"])
        yield from read_items(reading, _items(source), reader.add, size_of=_declared_size)


def _is_json(look: Look, path: str) -> bool:
    keys = look.head(path).json_keys
    return {"annotation", "imsize", "object"} <= keys or {"annotation", "name_ndx"} <= keys


def _items(source: Source) -> list[MaskItem]:
    if source.main is not None:
        return [MaskItem(None, without_suffix(source.main) + ".jpg", None, (source.main,))]
    files: dict[str, list[str]] = {}
    for path in sorted(source.files.with_suffix(".txt", ".json", ".png")):
        stem = without_suffix(path)
        parts = _PARTS.fullmatch(stem)
        if path.endswith(("_atr.txt", "_seg.png")):
            files.setdefault(stem[:-4], []).append(path)
        elif parts and path.endswith(".png"):
            files.setdefault(parts[1], []).append(path)
        elif path.endswith(".json"):
            files.setdefault(stem, []).append(path)
    images: dict[str, str] = {}
    for path in source.files.with_suffix(*IMAGE_SUFFIXES):
        if without_suffix(path) in files:
            images.setdefault(without_suffix(path), path)
    items, roots = [], set()
    for stem, some in sorted(files.items()):
        given = [p for p in some if p.endswith((".txt", ".json"))]
        if given and (stem in images or not given[0].endswith(".json") or _named(given[0])):
            old = any(p.endswith(".txt") for p in given)
            kept = [p for p in some if not p.endswith(".json")] if old else given
            items.append((stem, images.get(stem), tuple(sorted(kept, key=_rank))))
            roots.add(_place(stem)[0])
    out = []
    for stem, image, paths in items:
        root, subset, below = _place(stem)
        key = f"{root}/{below}" if root and len(roots) > 1 else below
        end = image[len(without_suffix(image)) :] if image else ".jpg"
        out.append(MaskItem(subset, key + end, image, paths))
    return out


def _named(path: str) -> bool:
    return path.rpartition("/")[2].startswith("ADE_")


def _rank(path: str) -> tuple[bool, str]:
    return not path.endswith(".txt"), path


def _place(stem: str) -> tuple[str, str | None, str]:
    parts = stem.split("/")
    at = next((i for i, p in enumerate(parts[:-1]) if p.lower() in _SUBSETS), None)
    if at is None:
        return "", None, stem
    return "/".join(parts[:at]), parts[at], "/".join(parts[at + 1 :])


def _declared_size(contents: Contents) -> tuple[int, int] | None:
    for value in contents.values():
        size = list_of(mapping_of(mapping_of(value).get("annotation")).get("imsize"))
        if len(size) >= 2:
            height, width = whole(size[0], 1), whole(size[1], 1)
            if width and height:
                return width, height
    return None


@dataclass
class _Reader:
    reading: Reading
    use: str
    _names: dict[str, str] = field(default_factory=dict)
    _taken: dict[str, str] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def add(self, number: int, item: MaskItem, contents: Contents) -> None:
        """Add the annotations of an image."""
        for path in item.files:
            if path not in contents:
                continue
            if path.endswith(".json"):
                self._document(number, item, path, contents[path])
            elif path.endswith(".txt"):
                self._lines(number, item, path, contents)

    def label(self, names: str) -> str:
        """Return the label of a class: the first of its names, or all, where that is taken."""
        if names not in self._names:
            first = names.split(",", maxsplit=1)[0].strip() or names
            self._names[names] = first if self._taken.setdefault(first, names) == names else names
        return self._names[names]

    # -- 2017 -------------------------------------------------------------------------

    def _lines(self, number: int, item: MaskItem, path: str, contents: Contents) -> None:
        levels = {
            _level(p): _instances(c) for p, c in contents.items() if isinstance(c, MaskPicture)
        }
        rows: list[tuple[int, int, re.Match[str]]] = []
        for at, line in lines_of(contents[path]):
            match = _LINE.fullmatch(line)
            if match is None:
                self._reject(
                    "line is not understood", item, path, at, "it is not 001 # 0 # 0 # ..."
                )
            else:
                rows.append((at, int(match[2]), match))
        for level in sorted({level for _, level, _ in rows} | set(levels)):
            mine = [(at, match) for at, of, match in rows if of == level]
            found = levels.get(level, {})
            numbers = {int(match[1]) for _, match in mine}
            blue = sorted(v for v in found if v > 0)
            by_rank = not set(blue) <= numbers
            ranks = dict(enumerate(blue, 1))
            for at, match in mine:
                value = ranks.get(int(match[1]), -1) if by_rank else int(match[1])
                row = found.pop(value, None)
                if row is None:
                    text = f"no pixel of level {level} has its number"
                    self._reject("object without pixels", item, path, at, text)
                else:
                    self.reading.annotation(number, **row, **self._said(match, level))
            for value, row in sorted(found.items()):
                file = next(p for p in item.files if p in contents and _level(p) == level)
                record = f"level {level} value {value}"
                self.reading.warn(
                    "pixels without a line", file=file, record=record, item=item.key,
                    message=f"{item.key}: no line of {path} is of these pixels; they have no label",
                )  # fmt: skip
                self.reading.annotation(number, **row, z_order=level)

    def _reject(self, reason: str, item: MaskItem, path: str, at: int, text: str) -> None:
        where = f"line {at}"
        self.reading.reject(
            reason, file=path, where=where, record=where, item=item.key,
            message=f"{path}, {where}: {text}",
        )  # fmt: skip

    def _said(self, match: re.Match[str], level: int) -> dict[str, Any]:
        names, raw = match[4].strip(), match[5].strip()
        attributes = {a.strip(): True for a in match[6].split(",") if a.strip()}
        label = self.label(names or raw)
        extra = {k: v for k, v in (("name", names), ("raw_name", raw)) if v != label}
        return {
            "label": label, "source_id": f"{level}/{match[1]}", "z_order": level,
            "occluded": match[3] != "0", "attributes": dumps(attributes) if attributes else None,
            "extra": dumps({"ade20k": extra}) if extra else None,
        }  # fmt: skip

    # -- 2020 -------------------------------------------------------------------------

    def _document(self, number: int, item: MaskItem, path: str, value: Any) -> None:
        whole = mapping_of(mapping_of(value).get("annotation"))
        given = list_of(whole.get("object"))
        every = (whole, *(mapping_of(one) for one in given))
        lost = {name for name in _NOT_KEPT if any(one.get(name) for one in every)} - self._told
        for name in sorted(lost):  # once, and not for each of 25,000 images
            text = f"{name} of images or objects, in {path} for one"
            self.reading.ledger.note("not kept", file=path, message=text)
        self._told |= lost
        parents = {}
        for found in map(mapping_of, given):
            parents[str(found.get("id"))] = mapping_of(found.get("parts"))
        size = self.reading.size(item.image) or _declared_size({path: value})
        for rank, one in enumerate(given):
            spot = Spot(path, f"annotation.object[{rank}]", f"object {rank + 1}", item.key)
            found = mapping_of(one)

            def make() -> dict[str, Any]:
                return self._object(found, path, size, parents)  # noqa: B023

            put(self.reading, number, spot, make, size or (None, None))

    def _object(
        self, found: Mapping[str, Any], path: str, size: tuple[int, int] | None,
        parents: Mapping[str, Mapping[str, Any]],
    ) -> dict[str, Any]:  # fmt: skip
        names = found.get("name") or found.get("raw_name")
        if not isinstance(names, str):
            raise json_shapes.Unusable("object without name", f"its name is {names!r}")
        row = self._shape(found, path, size)
        parts = mapping_of(found.get("parts"))
        ident = str(found.get("id"))
        level = whole(parts.get("part_level")) or 0
        group = _owner(ident, parents)
        attributes = {str(a): True for a in list_of(found.get("attributes")) if isinstance(a, str)}
        occluded = {"yes": True, "no": False}.get(str(found.get("occluded")))
        if "name_ndx" in found:
            label = self.reading.label(self.label(names), source_id=str(found["name_ndx"]))
        else:
            label = self.label(names)
        extra = spare(
            "ade20k", found, "id", "attributes", "occluded", "polygon", "instance_mask",
            "saved_date", "hypernym", *(["name"] if label == names else []),
            *(["raw_name"] if label == found.get("raw_name") else []), "name_ndx",
            *([] if level or list_of(parts.get("hasparts")) else ["parts"]),
        )  # fmt: skip
        return {
            **row, "label": label, "source_id": ident, "z_order": level, "occluded": occluded,
            "group": group, "attributes": dumps(attributes) if attributes else None,
            "extra": extra,
        }  # fmt: skip

    def _shape(
        self, found: Mapping[str, Any], path: str, size: tuple[int, int] | None
    ) -> dict[str, Any]:
        polygon = mapping_of(found.get("polygon"))
        xs, ys = list_of(polygon.get("x")), list_of(polygon.get("y"))
        outline = len(xs) >= 3 and len(xs) == len(ys)
        name = found.get("instance_mask")
        file = f"{path.rpartition('/')[0]}/{name}".lstrip("/") if isinstance(name, str) else ""
        mask = file in self.reading.source.files
        if outline and (self.use == "polygons" or not mask):
            pairs = [list(p) for p in zip(xs, ys, strict=True)]
            return json_shapes.polygon([(json_shapes.points(pairs, 3, "polygon"), False)])
        if not mask:
            what = f"there is no {file}" if name else "it names no mask"
            raise json_shapes.Unusable("object without mask or polygon", what)
        try:
            picture, _ = matched_to(decode_mask(self.reading.source.read(file), file), size)
        except NbannotError as error:
            raise json_shapes.Unusable("the mask can't be read", error.message) from None
        segments = list(Runs.of((picture.values != 0).astype(np.uint8)).segments({0}))
        if not segments:
            raise json_shapes.Unusable("mask is empty", f"no pixel of {file} is set")
        return segments[0].row


def _owner(ident: str, parents: Mapping[str, Mapping[str, Any]]) -> int | None:
    # The id of the outermost object of a part, or of an object that has parts.
    seen: set[str] = set()
    here = ident
    while here not in seen:
        seen.add(here)
        above = parents.get(here, {}).get("ispartof")
        if isinstance(above, (list, type(None))) or str(above) not in parents:
            break
        here = str(above)
    has = here != ident or bool(list_of(parents.get(here, {}).get("hasparts")))
    has = has or any(str(p.get("ispartof")) == here for p in parents.values())
    return int(here) + 1 if has and here.isdecimal() else None  # 0 might pass for none


def _level(path: str) -> int:
    parts = _PARTS.fullmatch(without_suffix(path))
    if parts:
        return int(parts[2])
    return 0 if path.endswith("_seg.png") else -1


def _instances(picture: MaskPicture) -> dict[int, dict[str, Any]]:
    # Instance (blue) → row; where there is none but a class (red, green), minus the class.
    values = picture.values
    blue = values & 255
    index = (values >> 16) // 10 * 256 + (values >> 8 & 255)
    coded = np.where(blue > 0, blue, -index) if picture.is_color else values
    return {s.value: s.row for s in Runs.of(coded).segments({0})}
