"""Reading MOTS: PNG masks in folders called instances, and files of run lengths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...errors import BrokenFileError, NbannotError
from ...ledger import Ledger
from ...media.kinds import IMAGE_SUFFIXES, is_image
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Listing, Source
from ..coco.segmentation import parse_rles
from ..mask_images import Runs, decode_mask, without_suffix
from ..mot.sequences import (
    Sequence,
    find_sequences,
    load_sequence,
    number_frames,
    split_place,
)
from ..reading import Reading
from ..text_lines import lines_of, text_of
from .ids import CLASS_STEP, IGNORED, IGNORED_LABEL, ROW, class_name

__all__ = ["MotsReader", "instance_pngs", "row_files"]

_IMAGE_FOLDERS = ("images", "image_02", "img1", "")
_TXT_FOLDERS = ("instances_txt", "mots_txt")


@dataclass(frozen=True)
class _Png:
    path: str
    root: str
    inner: str


def instance_pngs(files: Listing) -> list[_Png]:
    """Return the PNGs in folders called ``instances``: `root` is above, `inner` is below it."""
    found = []
    for path in files.with_suffix(".png"):
        parts = path.split("/")
        if "instances" in parts[:-1]:
            at = parts.index("instances")
            found.append(_Png(path, "/".join(parts[:at]), "/".join(parts[at + 1 :])))
    return found


def _place(root: str) -> tuple[str | None, str]:
    # The subset and the sequence of a folder with instances: one folder is the subset.
    return (root, "") if root and "/" not in root else split_place(root)


def row_files(source: Source) -> list[str]:
    """Return the files that may hold lines of MOTS txt."""
    if source.main is not None:
        return [source.main]
    return [
        p for p in source.files.with_suffix(".txt")
        if p.endswith("/gt/gt.txt") or p == "gt/gt.txt"
        or p.rpartition("/")[0].rpartition("/")[2] in _TXT_FOLDERS
    ]  # fmt: skip


class MotsReader:
    """Reads a source; one use."""

    def __init__(
        self, source: Source, ledger: Ledger, progress: Progress, limit: int | None
    ) -> None:
        self._reading = Reading(source, ledger, progress, limit)
        self._source = source
        self._doubted: set[str] = set()
        self._images = {
            without_suffix(p): p
            for p in source.files.with_suffix(*IMAGE_SUFFIXES)
            if "instances" not in p.split("/")[:-1]
        }

    def read(self) -> Iterator[Batch]:
        """Yield the content.

        Raises:
            BrokenFileError: it is one file, and holds no line of MOTS.
        """
        pngs = instance_pngs(self._source.files) if self._source.main is None else []
        roots = list(dict.fromkeys([*(png.root for png in pngs), *self._named_roots()]))
        if roots:
            yield from self._read_pngs(pngs, roots)
            if row_files(self._source):
                text = "the PNG masks say the same as the lines of run lengths"
                self._reading.ledger.note("not read: MOTS txt", message=text)
        else:
            yield from self._read_rows(row_files(self._source))
        yield from self._reading.rest()

    # -- PNG --------------------------------------------------------------------------

    def _named_roots(self) -> list[str]:
        # Subsets without a single mask still have a labels.txt.
        if self._source.main is not None:
            return []
        names = [f"/{p}" for p in self._source.files.with_suffix(".txt")]
        end = "/instances/labels.txt"
        return [name[: -len(end)].lstrip("/") for name in names if name.endswith(end)]

    def _read_pngs(self, pngs: list[_Png], roots: list[str]) -> Iterator[Batch]:
        reading = self._reading
        by_path = {png.path: png for png in pngs}
        names = {root: self._class_names(root) for root in roots}
        for root in roots:
            self._declare(names[root])
        for path, data in reading.files(list(by_path)):
            png = by_path[path]
            item, key, image = self._item(png.root, png.inner, path)
            self._instances(item, key, path, data, names[png.root], image)
            yield from reading.batches()
            if reading.is_full:
                return
        for root in roots:
            subset, name = _place(root)
            folder = f"{root}/images" if root else "images"
            for path in self._images.values():
                if path.startswith(f"{folder}/") and path not in reading.used_media:
                    inner = path[len(folder) + 1 :]
                    key = f"{name}/{inner}" if name else inner
                    if not reading.is_full:
                        reading.item(key, subset=subset, media=path)

    def _item(self, root: str, inner: str, path: str) -> tuple[int, str, str | None]:
        subset, name = _place(root)
        stem = without_suffix(inner)
        image = None
        for folder in _IMAGE_FOLDERS:
            place = "/".join(part for part in (root, folder, stem) if part)
            image = image or self._images.get(place)
        image = image or self._elsewhere(stem)
        shown = stem + (image[image.rindex(".") :] if image else ".jpg")
        key = f"{name}/{shown}" if name else shown
        item = self._reading.item(key, subset=subset, media=image)
        if image is None and self._images:
            self._reading.warn(
                "image file missing", file=path, record="item", item=key,
                message=f"{path} has no image of the same name",
            )  # fmt: skip
        return item, key, image

    def _elsewhere(self, stem: str) -> str | None:
        # The only image whose path ends so, where there is one: KITTI's lie in training/image_02.
        if "/" not in stem:
            return None
        found = self._by_end.get("/".join(stem.split("/")[-2:]), [])
        ends = [p for p in found if f"/{without_suffix(p)}".endswith(f"/{stem}")]
        return ends[0] if len(ends) == 1 else None

    @cached_property
    def _by_end(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for stem, path in self._images.items():
            found.setdefault("/".join(stem.split("/")[-2:]), []).append(path)
        return found

    def _instances(
        self,
        item: int,
        key: str,
        path: str,
        data: bytes,
        names: tuple[str, ...] | None,
        image: str | None,
    ) -> None:
        reading = self._reading
        try:
            picture = decode_mask(data, path).as_index()
            if picture is None:
                raise BrokenFileError("The mask has colours, not numbers", where=path)
        except NbannotError as error:
            reading.reject(
                "the mask can't be read", file=path, record="mask", item=key, message=str(error)
            )
            return
        size = self._reading.size(image)
        if size is not None and size != picture.values.shape[::-1]:
            reading.warn(
                "mask has another size than its image", file=path, record="item", item=key,
                message=f"{path} is {picture.size}, {key} is {size[0]}x{size[1]}; kept as it is",
            )  # fmt: skip
        for segment in Runs.of(picture.values).segments({0}):
            record = f"value {segment.value}"
            number = segment.value // CLASS_STEP
            ignored = segment.value == IGNORED
            label = IGNORED_LABEL if ignored else class_name(number, names)
            if number == 0 or label is None:
                reason = "class is not in labels.txt" if number else "value without a class"
                text = f"{record} of {path} is class {number}, instance {segment.value % 1000}"
                reading.reject(reason, file=path, where=record, record=record, item=key,
                               message=text)  # fmt: skip
                continue
            self._doubt_name(label, path)
            track = None if ignored or not segment.value % CLASS_STEP else str(segment.value)
            reading.annotation(item, label=label, track=track, **segment.row)

    def _class_names(self, root: str) -> tuple[str, ...] | None:
        above = root.rpartition("/")[0]
        for folder in (f"{root}/instances", root, above, ""):
            path = f"{folder.strip('/')}/labels.txt".lstrip("/")
            if path in self._source.files:
                lines = text_of(self._source.read(path)).rstrip().splitlines()
                return tuple(line.strip() for line in lines) or None
        return None

    def _declare(self, names: tuple[str, ...] | None) -> None:
        for name in names or ():
            self._reading.label(name)

    def _doubt_name(self, label: str, file: str) -> None:
        if label.startswith("class ") and label not in self._doubted:
            if label not in self._reading.labels:
                text = f"{label} has no name: there is no labels.txt"
                self._reading.ledger.note("classes without names", file=file, message=text)
            self._doubted.add(label)

    # -- lines of run lengths ---------------------------------------------------------

    def _read_rows(self, paths: list[str]) -> Iterator[Batch]:
        reading = self._reading
        folders = {s.folder: s for s in find_sequences(self._source) if s.gt is not None}
        count = 0
        for path, data in reading.files(paths):
            parent = path.rpartition("/")[0]
            known = folders.get(parent.rpartition("/")[0]) if path.endswith("gt/gt.txt") else None
            sequence = known or self._loose_sequence(path)
            if known is not None and self._source.main is None:
                load_sequence(self._source, sequence)
            else:
                sequence.labels = self._class_names(parent.rpartition("/")[0])
            self._declare(sequence.labels)
            count += self._rows(path, data, sequence, 1 if known else 0)
            yield from reading.batches()
            if reading.is_full:
                return
        if self._source.main is not None and not count:
            hint = "A line is: frame, object id, class, height, width, run lengths."
            raise BrokenFileError("The file holds no line of MOTS", where=paths[0], hint=hint)

    def _loose_sequence(self, path: str) -> Sequence:
        # instances_txt/0002.txt of KITTI MOTS: frames from 0, images in image_02/0002.
        folder, _, base = path.rpartition("/")
        root = folder.rpartition("/")[0]
        subset, name = split_place(root)
        stem = without_suffix(base)
        made = Sequence(root, subset, f"{name}/{stem}" if name else stem, gt=path)
        made.image_folder, made.suffix = "", ".png"
        if self._source.main is not None:
            return made
        files = self._source.files
        inside = [f"{inner}/{stem}" for inner in _IMAGE_FOLDERS[:-1]]
        places = [f"{root}/{place}" if root else place for place in inside]
        # KITTI's images lie in training/image_02, its texts may lie anywhere.
        ends = tuple(f"/{place}" for place in inside)
        others = [f for f in files.all_folders() if f.endswith(ends)]
        for place in places + (others if len(others) == 1 else []):
            for image in files.files(place):
                number = without_suffix(image).rpartition("/")[2]
                if number.isdigit() and is_image(image):
                    made.frames.setdefault(int(number), image)
        return made

    def _rows(self, path: str, data: bytes, sequence: Sequence, base: int) -> int:
        reading = self._reading
        rows, good = [], 0
        for number, line in lines_of(data):
            match = ROW.fullmatch(line)
            if match is None:
                text = "it is not frame, id, class, height, width and run lengths"
                self._reject(path, number, "line is not of MOTS", text)
                continue
            good += 1
            rows.append((number, [int(v[:18]) for v in match.groups()[:5]], match[6]))
        if any(values[0] == 0 for _, values, _ in rows):
            base = 0
        meta = {"frameRate": sequence.rate, "imDir": sequence.image_folder}
        told = {k: v for k, v in meta.items() if v and v != "img1"}
        number_frames(sequence, {values[0] for _, values, _ in rows})
        frames = set(sequence.frames) | {values[0] for _, values, _ in rows if values[0] >= base}
        items = {frame: self._frame(sequence, frame, path, told) for frame in sorted(frames)}
        for number, (frame, identity, kind, height, width), rle in rows:
            if frame not in items:
                self._reject(path, number, "frame is below 0", f"its frame is {frame}")
                continue
            self._mask(items[frame], (path, number), sequence.labels,
                       (frame - base, identity, kind, height, width), rle)  # fmt: skip
        for image in sequence.others:
            reading.item(
                sequence.key(image.rpartition("/")[2]), subset=sequence.subset, media=image
            )
        return good

    def _frame(self, sequence: Sequence, frame: int, path: str, meta: dict[str, Any]) -> int:
        image = sequence.frames.get(frame)
        name = image.rpartition("/")[2] if image else f"{frame:06d}{sequence.suffix}"
        key = sequence.key(name)
        item = self._reading.item(
            key, subset=sequence.subset, media=image, width=sequence.width,
            height=sequence.height,
            meta=json.dumps({"mots": meta}) if meta else None,
        )  # fmt: skip
        if image is None and self._images:
            self._reading.warn(
                "image file missing", file=path, record="item", item=key,
                message=f"there is no image of frame {frame}",
            )  # fmt: skip
        return item

    def _mask(
        self,
        item: int,
        place: tuple[str, int],
        names: tuple[str, ...] | None,
        row: tuple[int, int, int, int, int],
        rle: str,
    ) -> None:
        from pycocotools import mask as coco_mask

        path, line = place
        frame, identity, kind, height, width = row
        ignored = identity == IGNORED
        label = IGNORED_LABEL if ignored else class_name(kind, names)
        if label is None or kind < 1:
            self._reject(path, line, "class is not in labels.txt", f"its class is {kind}")
            return
        text = json.dumps({"size": [height, width], "counts": rle}).encode()
        (mask,) = parse_rles([text])
        if mask.problem:
            self._reject(path, line, "run lengths are broken", mask.problem)
            return
        self._doubt_name(label, path)
        size = [height, width]
        x, y, w, h = coco_mask.toBbox({"size": size, "counts": mask.counts}).tolist()
        if not (w and h):
            self._warn(path, line, "mask without pixels", "it covers nothing")
        if not ignored and identity // CLASS_STEP != kind:
            self._warn(path, line, "id is of another class", f"id {identity} of class {kind}")
        self._reading.annotation(
            item, type="mask", label=label, x=x, y=y, w=w, h=h, mask=mask.counts,
            mask_height=height, mask_width=width, frame=frame,
            track=None if ignored else str(identity),
        )  # fmt: skip

    def _reject(self, path: str, line: int, reason: str, text: str) -> None:
        where = f"line {line}"
        self._reading.reject(
            reason, file=path, where=where, record=where, message=f"{where}: {text}"
        )

    def _warn(self, path: str, line: int, reason: str, text: str) -> None:
        where = f"line {line}"
        self._reading.warn(reason, file=path, where=where, record=where, message=f"{where}: {text}")
