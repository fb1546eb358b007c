"""Reading Pascal VOC: from the entries of a layout to batches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ... import geometry
from ...errors import BrokenFileError, FormatError, SourceError
from ...helper import in_order
from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch, BatchBuilder, Label
from ...sources.base import Source
from ...sources.disk import DiskFiles
from ..media_index import as_path
from .files import get, read_all
from .find import FOREIGN, SEVERAL, AnyFile, ImageFinder
from .layout import Entry, Layout, image_stem
from .masks import VOC_LABELS, Classes, Instance, MaskPair, parse_labelmap
from .plain import PlainFile, PlainFiles, parse_plain_files, read_plain_files
from .xml import AnnotationFile, add_objects, object_name, parse_annotation_file

__all__ = ["VocReader"]

_CHUNK = 1024
_BATCH_ROWS = 16_384


class VocReader:
    """One read: the state that goes from file to file."""

    def __init__(
        self, source: Source, options: Mapping[str, Any], ledger: Ledger, progress: Progress
    ) -> None:
        self.source, self.options, self.ledger, self.progress = source, options, ledger, progress
        self.layout = Layout(source, ledger)
        self.finder = ImageFinder(self.layout)
        self.builder = BatchBuilder()
        self.labels: dict[str, Label] = {}
        self._classes: dict[str, Classes] = {}
        self._item_of_image: dict[str, int] = {}
        self._absent: set[tuple[str | None, str]] = set()
        self._failures: list[tuple[str, BrokenFileError | SourceError]] = []
        self._boxes = {False: 0, True: 0}
        self._void = 0
        self._assumed_classes = False
        self._have_images = bool(self.layout.images) and source.main is None

    def read(self, limit: int | None) -> Iterator[Batch]:
        """Yield the dataset, or its first `limit` items; see `Format.read`."""
        entries = self.layout.entries
        self.labels.update((label.name, label) for label in self._declared())
        self.progress.start("Reading Pascal VOC", len(entries), "files")
        step = _CHUNK if limit is None else min(_CHUNK, limit)
        pieces = self._pieces(entries, step, limit)
        helper = self.source.helper if limit is None else None
        for chunk, found in in_order(read_plain_files, pieces, helper):
            data, files = self._read(chunk, found)
            fast = 0
            for entry, plain in zip(chunk, files, strict=True):
                self._entry(entry, data, plain)
                if plain is not None:
                    fast += 1
                else:
                    self.progress.advance()
                if len(self.builder) >= _BATCH_ROWS:
                    yield self._flush()
            self.progress.advance(fast)
        if not self._enough(limit):
            yield from self._leftover(limit)
        if self._failures and not self.builder.next_item:
            raise self._nothing()
        yield self._flush()
        if limit is None:
            self._closing()

    def _nothing(self) -> FormatError:
        path, error = self._failures[0]
        where = ", ".join(filter(None, (path, error.where)))
        count = len(self._failures)
        several = f"None of {count} annotation files can be read; of the first: " * (count > 1)
        return BrokenFileError(several + error.message, where=where)

    def _enough(self, limit: int | None) -> bool:
        return limit is not None and self.builder.next_item >= limit

    def _leftover(self, limit: int | None) -> Iterator[Batch]:
        rest = self.layout.leftover()
        if limit is not None:
            rest = rest[: limit - self.builder.next_item]
        for entry in self.progress.each(rest, "Adding images without annotations", "images"):
            self.ledger.read()
            self._finish(entry, None, entry.image or "")
            if len(self.builder) >= _BATCH_ROWS:
                yield self._flush()

    def _flush(self) -> Batch:
        return self.builder.flush(tuple(self.labels.values()))

    # -- one item ---------------------------------------------------------------------

    def _pieces(
        self, entries: Sequence[Entry], step: int, limit: int | None
    ) -> Iterator[tuple[Sequence[Entry], tuple[DiskFiles | None, str]]]:
        # Some entries at a time, and their files where these are on disk, and all there is.
        for start in range(0, len(entries), step):
            if self._enough(limit):
                return
            chunk = entries[start : start + step]
            paths = [e.xml for e in chunk if e.xml and not (e.class_mask or e.object_mask)]
            files = self.source.on_disk(paths) if len(paths) == len(chunk) else None
            yield chunk, (files, self.options["one_based"])

    def _read(
        self, chunk: Sequence[Entry], found: PlainFiles | None
    ) -> tuple[Mapping[str, bytes | SourceError], Sequence[PlainFile | None]]:
        # The bytes of the files of entries, by path, and what those say that need no parser; None
        # for others, and where there are masks too.
        if found is not None:
            texts = {chunk[i].xml or "": text for i, text in found.texts.items()}
            return texts, found.spread()
        paths = [p for e in chunk for p in (e.xml, e.class_mask, e.object_mask) if p]
        data = read_all(self.source, paths)
        plain = []
        for entry in chunk:
            text = None if entry.class_mask or entry.object_mask else data.get(entry.xml or "")
            plain.append(text if isinstance(text, bytes) else b"")
        return data, parse_plain_files(plain, self.options["one_based"])

    def _entry(
        self, entry: Entry, data: Mapping[str, bytes | SourceError], plain: PlainFile | None
    ) -> None:
        self.ledger.read()
        where = entry.xml or entry.class_mask or entry.object_mask or ""
        file: AnyFile | None = plain
        if entry.xml is not None:
            try:
                if file is None:
                    file = parse_annotation_file(get(data, entry.xml), self.options["one_based"])
                self.finder.find(entry, file)
            except (BrokenFileError, SourceError) as error:
                self._failures.append((entry.xml, error))
                self.ledger.reject(
                    "the annotation file can't be read",
                    file=entry.xml,
                    where=error.where,
                    record=f"image {entry.name}",
                    item=entry.name,
                    message=f"{error}",
                )
                return
        item, key = self._finish(entry, file, where)
        if isinstance(file, PlainFile):
            self._plain_objects(file, item)
            return
        masks = self._open_masks(entry, key, data)
        instances = [] if masks is None else list(masks.instances())
        names = file.names if file is not None else []
        # Instances are numbered like the objects in the XML, most often: believed if both agree.
        linked = {
            i.number
            for i in instances
            if 0 < i.number <= len(names) and names[i.number - 1] == i.label
        }
        if file is not None:
            self._objects(entry, file, item, key, linked)
        for instance in instances:
            self._mask(entry, file, item, key, instance, linked)

    def _finish(self, entry: Entry, file: AnyFile | None, where: str) -> tuple[int, str]:
        listed = self.layout.listed(entry)
        subset = self.layout.subset(entry, listed)
        key = self._key(entry, subset, file)
        record = f"image {entry.name}"
        if entry.image is not None and entry.image in self._item_of_image:
            self.ledger.joined()
            text = f"{where} is a second annotation file of {entry.image}; its objects were added"
            self.ledger.warn(
                "two annotation files for one image", file=where, record=record, item=key,
                message=text,
            )  # fmt: skip
            return self._item_of_image[entry.image], key
        problems = list(file.problems) if file is not None else []
        if entry.image is None:
            if entry.rivals:
                rivals = ", ".join(entry.rivals)
                problems.append((SEVERAL, f"{rivals}: it does not say which"))
            elif self._have_images and all(reason != SEVERAL for reason, _ in problems):
                problems.append(("image file missing", "there is no image of this name"))
        for reason, message in problems:
            self.ledger.warn(
                reason, file=where, record=record, item=key, message=f"{key}: {message}"
            )
        meta = file.meta if file is not None else None
        values = {"meta": meta} if meta is not None else {}
        item = self.builder.item(
            subset=subset,
            key=key,
            kind="image",
            media=entry.image,
            width=file.width if file is not None else None,
            height=file.height if file is not None else None,
            **values,
        )
        if entry.image is not None:
            self._item_of_image[entry.image] = item
        self._tags(entry, listed, file, item, key)
        return item, key

    def _key(self, entry: Entry, subset: str | None, file: AnyFile | None) -> str:
        if entry.image is not None or file is None or not file.filename:
            return self.layout.key(entry, subset)
        name = as_path(file.filename)
        if FOREIGN.match(name) or ".." in name.split("/"):
            name = name.rpartition("/")[2]
        key = self.layout.key(entry, subset, name)
        if (subset, key) in self._absent:  # copied and renamed, but for <filename>
            self.finder.stale.append(entry.xml or "")
            suffix = name[len(image_stem(name)) :]
            key = self.layout.key(entry, subset, f"{entry.name}{suffix}")
        self._absent.add((subset, key))
        return key

    # -- annotations ------------------------------------------------------------------

    def _plain_objects(self, file: PlainFile, item: int) -> None:
        if file.count:
            self._boxes[file.one_based] += 1
            self.ledger.read(file.count)
            self.builder.annotations(item, file.columns)

    def _objects(
        self, entry: Entry, file: AnnotationFile, item: int, key: str, linked: set[int]
    ) -> None:
        assert entry.xml is not None
        self._boxes[file.one_based] += bool(file.objects)
        for element in file.objects:
            name = object_name(element)
            parts = [p for p in map(object_name, element.findall("part")) if p]
            actions = [a.tag for a in element.findall("actions/*")]
            if name and (parts or actions):
                self._learn(name, parts, actions)
        add_objects(file, entry.xml, item, key, linked, self.builder, self.ledger)

    def _learn(self, name: str, parts: Sequence[str], actions: Sequence[str]) -> None:
        label = self.labels.get(name, Label(name))
        extra = dict(label.extra)
        for kind, names in (("parts", parts), ("actions", actions)):
            if names:
                extra[kind] = list(dict.fromkeys([*extra.get(kind, ()), *names]))
        self.labels[name] = replace(label, extra=extra)
        for part in parts:
            self.labels.setdefault(part, Label(part, parent=name))

    def _tags(
        self, entry: Entry, listed: str | None, file: AnyFile | None, item: int, key: str
    ) -> None:
        sets = self.layout.sets.get(entry.root)
        if sets is None or listed is None or not self.options["class_lists"]:
            return
        present = sets.present.get(listed)
        if not present:
            return
        shown = set(file.names) if file is not None else set()
        for label, mark in present.items():
            if label not in shown:
                self.ledger.read()
                hard = json.dumps({"difficult": True}) if mark == "0" else None
                self.builder.annotation(item, type="tag", label=label, attributes=hard)

    def _open_masks(
        self, entry: Entry, key: str, data: Mapping[str, bytes | SourceError]
    ) -> MaskPair | None:
        paths = (entry.class_mask, entry.object_mask)
        if not any(paths):
            return None
        try:
            classes, objects = (get(data, path) if path else None for path in paths)
            pair = MaskPair(classes, objects, self._classes_of(entry.root))
        except (BrokenFileError, SourceError) as error:
            self.ledger.read()
            path, text = paths[1] or paths[0] or "", f"{error}"
            self.ledger.reject(
                "the mask can't be read", file=path, record="mask", item=key, message=text
            )
            return None
        self._void += bool(pair.void_pixels)
        return pair

    def _mask(
        self,
        entry: Entry,
        file: AnnotationFile | None,
        item: int,
        key: str,
        instance: Instance,
        linked: set[int],
    ) -> None:
        self.ledger.read()
        mask = instance.mask
        height, width = mask.shape
        problems = []
        if instance.unknown:
            text = f"{instance.unknown} is in no list of classes"
            problems.append(("a mask's class is unknown", text))
        if file is not None and file.width and (file.width, file.height) != (width, height):
            text = f"it is {width}x{height}, its image {file.width}x{file.height}"
            problems.append(("a mask has another size than its image", text))
        record = f"instance {instance.number}"
        if not entry.object_mask:
            record = f"mask of {instance.label or instance.unknown}"
        for reason, text in problems:
            self.ledger.warn(
                reason,
                file=entry.object_mask or entry.class_mask or "",
                record=record,
                item=key,
                message=f"{record}: {text}",
            )
        ys, xs = np.nonzero(mask)
        self.builder.annotation(
            item,
            type="mask",
            label=instance.label,
            mask=geometry.mask_to_rle(mask),
            mask_height=height,
            mask_width=width,
            x=float(xs.min()),
            y=float(ys.min()),
            w=float(np.ptp(xs) + 1),
            h=float(np.ptp(ys) + 1),
            group=instance.number if instance.number in linked else None,
            extra=json.dumps({"class": instance.unknown}) if instance.unknown else None,
        )

    # -- labels -----------------------------------------------------------------------

    def _declared(self) -> Iterator[Label]:
        for path in self.source.files.with_suffix(".txt"):
            root, _, name = path.rpartition("/")
            if name.lower() not in ("labelmap.txt", "class_names.txt"):
                continue
            text = self.source.read(path).decode("utf-8-sig", "replace")
            if name.lower() == "labelmap.txt":
                classes = parse_labelmap(text, path)
            else:  # labelme writes these
                names = [n.strip() for n in text.splitlines() if n.strip()]
                hidden = ("_background_", "__ignore__")
                classes = Classes.of([n for n in names if n not in hidden], path)
            self._classes.setdefault(root, classes)
            if classes.has_background and classes.names[0] != "background":
                text = f"{classes.names[0]!r} is index 0 of the masks, and not a label"
                self.ledger.note("background is not a label", file=path, message=text)
            yield from classes.labels()

    def _classes_of(self, root: str) -> Classes:
        while root not in self._classes and root:
            root = root.rpartition("/")[0]
        if root not in self._classes:
            self._assumed_classes = True
            self._classes[root] = Classes.of(VOC_LABELS)
        return self._classes[root]

    # -- the end ----------------------------------------------------------------------

    def _closing(self) -> None:
        note = self.ledger.note
        if self._boxes[True] or self._boxes[False]:
            told = {
                False: "as written, w = xmax - xmin",
                True: "as 1-based with inclusive corners, x = xmin - 1, w = xmax - xmin + 1",
            }
            parts = [f"{n} file{'s' * (n != 1)}: {told[k]}" for k, n in self._boxes.items() if n]
            note("how boxes were read", message=f"{'; '.join(parts)} (option one_based)")
        if self.finder.stale:
            note(
                "<filename> is another name",
                file=self.finder.stale[0],
                message=f"{len(self.finder.stale)} annotation files name another image than the "
                "one that is called like themselves; their own name was believed",
            )
        if self._void:
            note("void pixels", message=f"{self._void} masks have pixels of no class (255)")
        if self._assumed_classes:
            note(
                "classes of VOC2012 assumed",
                message="no labelmap.txt says what the masks' indices mean: VOC's 20 classes do",
            )
        for root, sets in self.layout.sets.items():
            if sets.class_lists and not self.options["class_lists"]:
                folder = self.layout.set_folders[root]
                note("not read: class lists", file=folder, message=f"{sets.class_lists} lists")
        self.layout.closing_notes(self.ledger)
