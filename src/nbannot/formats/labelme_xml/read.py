"""Reading LabelMe's XML: files, their images and masks, subsets by folders."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import BrokenFileError, SourceError
from ...ledger import Ledger
from ...media.images import FORMATS
from ...media.kinds import IMAGE_SUFFIXES, suffix
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..json_documents import whole
from ..json_shapes import Row, Unusable, doubts, image_values, mask
from ..json_values import dumps
from ..look import Head
from ..media_index import as_path
from ..reading import Reading
from ..voc.layout import SUBSET_NAMES
from .element import Object, objects_of, parse, text_of

__all__ = ["LabelMeXmlReader", "is_labelme_xml"]

_SIDE = frozenset(("masks", "scribbles"))


def is_labelme_xml(head: Head) -> bool:
    """Say whether the head of a file is LabelMe's: polygons of pt, masks, or its own head."""
    if head.xml_root != "annotation":
        return False
    text = head.text
    if "<bndbox" in text or "<robndbox" in text:
        return False
    marks = ("<imagesize", "<sourceAnnotation", "<segm>")
    return ("<polygon" in text and "<pt>" in text) or any(mark in text for mark in marks)


class LabelMeXmlReader:
    """One read of a dataset; see `LabelMeXml`."""

    def __init__(
        self, source: Source, deleted: bool, ledger: Ledger, progress: Progress, limit: int | None
    ) -> None:
        self._reading = Reading(source, ledger, progress, limit)
        self._source, self._ledger, self._deleted = source, ledger, deleted
        self._wrapper = ""
        self._scribbles = 0
        self._folders: set[str] = set()

    def read(self) -> Iterator[Batch]:
        """Yield the dataset: the annotated images, then those beside them that are not."""
        reading, main = self._reading, self._source.main
        paths = [main] if main is not None else self._source.files.with_suffix(".xml")
        self._wrapper = _wrapper(paths) if main is None else ""
        good = 0
        broken: BrokenFileError | None = None
        for path, data in reading.files(paths):
            try:
                root = parse(data, path)
            except BrokenFileError as error:
                broken = broken or error
                reading.reject("the file is not XML", file=path, record="file", message=str(error))
                continue
            if root.tag != "annotation":
                text = f"the root of {path} is <{root.tag}>, not <annotation>"
                self._ledger.note("not a LabelMe file", file=path, message=text)
                continue
            good += 1
            self._file(path, root)
            yield from reading.batches()
            if reading.is_full:
                break
        if paths and not good:
            raise broken or BrokenFileError(
                "There is no file of LabelMe's: none has the root <annotation>", where=paths[0],
                hint="Choose another format.",
            )  # fmt: skip
        if self._scribbles:
            text = f"the scribbles of {self._scribbles:,} masks are left where they are"
            self._ledger.note("scribbles are not read", message=text)
        self._leftover()
        yield from reading.rest()

    # -- places -----------------------------------------------------------------------

    def _place(self, path: str) -> tuple[str, str | None, str]:
        """Return the root of a file's dataset, its subset, and its folder in the subset."""
        parts = path.split("/")[:-1]
        names = [p.lower() for p in parts]
        if "annotations" in names:
            at = names.index("annotations")
            root, rest = "/".join(parts[:at]), parts[at + 1 :]
        else:
            own = len(self._wrapper.split("/")) if self._wrapper else 0
            root, rest = "/".join(parts[:own]), parts[own:]
        subset = rest[0] if rest else None
        return root, subset, "/".join(rest[1:])

    def _near(self, path: str, kind: str) -> list[str]:
        """Return the folders where images or masks (`kind`) of a file are looked for."""
        root, subset, inner = self._place(path)
        own = path.rpartition("/")[0]
        top = f"{root}/{kind}" if root else kind
        at = f"{top}/{subset}" if subset else top
        found = [f"{at}/{inner}" if inner else at, at, top]
        beside = [f"{own}/{kind}" if own else kind, own]
        if kind == "Masks" and subset and "annotations" not in path.lower().split("/"):
            beside.append(f"{root}/{subset}/{kind}" if root else f"{subset}/{kind}")
        return [*beside, *found] if "annotations" not in path.lower().split("/") else found + beside

    def _leftover(self) -> None:
        reading = self._reading
        if self._source.main is not None:
            return
        for path in self._source.files.with_suffix(*IMAGE_SUFFIXES):
            folder = path.rpartition("/")[0]
            if reading.is_full:
                return
            if folder not in self._folders or path in reading.used_media:
                continue
            if _SIDE & set(folder.lower().split("/")):
                continue
            subset, key = self._image_place(path)
            if reading.number(key, subset) is None:
                reading.item(key, subset=subset, media=path)

    def _image_place(self, path: str) -> tuple[str | None, str]:
        # As an XML file beside it, or at its place in Annotations, would be.
        parts = path.split("/")
        names = [p.lower() for p in parts[:-1]]
        if "images" in names:
            parts[names.index("images")] = "Annotations"
        _, subset, inner = self._place("/".join(parts))
        return subset, f"{inner}/{parts[-1]}" if inner else parts[-1]

    # -- one file ---------------------------------------------------------------------

    def _file(self, path: str, root: Element) -> None:
        reading = self._reading
        _, subset, inner = self._place(path)
        name = as_path(text_of(root, "filename"))
        base = name.rpartition("/")[2]
        warnings: list[tuple[str, str]] = []
        if not base:
            base = path.rpartition("/")[2][: -len(".xml")]
            warnings.append(
                ("file without a filename", f"{path} does not say of which image it is")
            )
        media = self._image(path, base)
        if media is not None and not suffix(base):
            base += media[len(media) - len(suffix(media)) :]
        key = f"{inner}/{base}" if inner else base
        if reading.number(key, subset) is not None:
            warnings.append(("two files for one image", f"{path} is of {key}, as another file is"))
            key = f"{inner}/" if inner else ""
            key += path.rpartition("/")[2]
        height, width = (_side(text_of(root, f"imagesize/{n}")) for n in ("nrows", "ncols"))
        size = (width, height) if width and height else (None, None)
        source = {e.tag: (e.text or "").strip() for e in root.findall("source/*")}
        kept = {k: v for k, v in source.items() if v}
        item = reading.item(
            key, subset=subset, media=media, width=size[0], height=size[1],
            meta=dumps({"labelme-xml": {"source": kept}}) if kept else None,
        )  # fmt: skip
        if media is None and reading.has_images:
            warnings.append(("image file missing", f"there is no image {base}"))
        elif media is not None:
            self._folders.add(media.rpartition("/")[0])
        for reason, text in warnings:
            reading.warn(reason, file=path, record="item", item=key, message=f"{key}: {text}")
        for n, one in enumerate(objects_of(root), 1):
            self._object(item, path, key, n, one, size)

    def _image(self, path: str, base: str) -> str | None:
        stem = path.rpartition("/")[2][: -len(".xml")]
        near = self._near(path, "Images")
        for folder in near:
            for name in (base, f"{stem}{suffix(base)}"):
                place = f"{folder}/{name}" if folder else name
                if place in self._source.files and suffix(place) in IMAGE_SUFFIXES:
                    return place
        for found in (
            self._reading.find(base).path,
            self._reading.find(base.rpartition(".")[0] or base, near=near, stem=True).path,
        ):
            if found is not None and not _SIDE & set(found.lower().split("/")[:-1]):
                subset, _ = self._image_place(found)
                if subset in (None, self._place(path)[1]):
                    return found
        return None

    def _object(
        self, item: int, path: str, key: str, n: int, one: Object,
        size: tuple[int | None, int | None],
    ) -> None:  # fmt: skip
        reading, record = self._reading, f"object {n}"
        line = {"file": path, "where": record, "record": record, "item": key}
        try:
            if one.deleted and not self._deleted:
                raise Unusable("object is marked as deleted", "deleted=True reads it, too")
            row = self._mask(path, one, size) if one.mask else one.figure()
            row |= one.columns()
        except Unusable as why:
            reading.reject(why.reason, **line, message=f"{record}: {why.text}")
            return
        for reason, text in (*one.warnings, *doubts(row, *size)):
            reading.warn(reason, **line, message=f"{record}: {text}")
        reading.annotation(item, **row)

    def _mask(self, path: str, one: Object, size: tuple[int | None, int | None]) -> Row:
        name = as_path(one.mask)
        if one.element.find("segm/scribbles") is not None:
            self._scribbles += 1
        found = self._mask_file(path, name)
        if found is None:
            raise Unusable("mask file missing", f"there is no mask {name}")
        try:
            inside = _inside(self._source.read(found))
        except SourceError as error:
            raise Unusable("mask can't be read", str(error)) from None
        shape: Sequence[Any] = inside.shape[::-1]
        if size[0] and tuple(shape) != size:
            text = f"{name} is {shape[0]}x{shape[1]}, the image {size[0]}x{size[1]}"
            one.warnings.append(("mask of another size than the image", text))
        return mask(inside, 0, 0, (shape[0], shape[1]))

    def _mask_file(self, path: str, name: str) -> str | None:
        for folder in self._near(path, "Masks"):
            place = f"{folder}/{name}" if folder else name
            if place in self._source.files:
                return place
        return None


def _inside(data: bytes) -> NDArray[Any]:
    # Where an image is opaque all over, its transparency says nothing: its colours do.
    values = image_values(data)
    if values.size and values.min() == 255:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            values = np.asarray(image.convert("RGB")).max(axis=2)
    return values != 0


def _side(text: str) -> int | None:
    try:
        return whole(float(text), 1)
    except (ValueError, OverflowError):
        return None


def _wrapper(paths: Sequence[str]) -> str:
    # A folder around everything, which says nothing; one called train does.
    tops = {path.split("/")[0] for path in paths if "/" in path}
    if len(tops) != 1 or not all("/" in path for path in paths):
        return ""
    top = tops.pop()
    return "" if top.lower() in SUBSET_NAMES or top.lower() in ("default", "annotations") else top
