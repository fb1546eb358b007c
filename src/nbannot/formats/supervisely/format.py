"""Supervisely: a project of datasets, one JSON file of annotations per image or video."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Miss, Option
from ..look import Head, Look
from ..writing import Export, Sink

__all__ = ["Supervisely"]

_HEADS = 8


class Supervisely(Format):
    """A Supervisely project, as the platform and its SDK write it.

    **Items.** Each annotation file (``<dataset>/ann/<name>.json``) and each image without one is
    an item. Its key is the image's name in the dataset, the dataset is the subset; nested ones
    (``a/datasets/b``) are called ``a/b``. Videos are one item each, with ``frame`` and ``track``
    on their figures. Point clouds and volumes are items of kind "other"; figures in space are
    not read, each is a rejected line.

    **Geometry.** The corners of a rectangle are pixels that belong to it: [[10, 20], [19, 29]]
    is a box of 10 x 10; angles (radians) become degrees. Bitmaps and alpha masks become masks,
    graphs skeletons with the joints of their class's template (a disabled node is hidden), the
    hidden corner of an old ``cuboid`` is computed.

    **Tags.** Tags of an image are annotations; tags of an object are its attributes (``confidence``
    its score, ``occluded`` its flag), a description is its text, ``instance`` its group.

    **Records** are items, objects or figures, tags of items, and descriptions of images. What is
    lost: the grey of an alpha mask, and images within ``blob/*.tar``.
    """

    name: ClassVar[str] = "supervisely"
    title: ClassVar[str] = "Supervisely"
    summary: ClassVar[str] = "A project: meta.json, and one JSON file of annotations per image."
    rules: ClassVar[str] = "https://docs.supervisely.com/data-organization/00_ann_format_navi"
    holds: ClassVar[tuple[str, ...]] = (
        "box", "polygon", "polyline", "points", "mask", "skeleton", "cuboid", "tag", "text",
    )  # fmt: skip
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "whole_pixels", "bool", False,
            "Round coordinates to whole pixels, as old versions of Supervisely need them.",
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Recognise a project by meta.json with classes, or by files with objects and size."""
        main = look.source.main
        if main is not None:
            look.need(main.lower().endswith(".json"), "the file is not JSON")
            found = _judge(look.head(main))
            look.need(found, f"{main} has no objects and size")
            look.found(f"{main} is an annotation file of Supervisely")
            return found
        metas = sorted(look.files.match("**/meta.json"), key=lambda p: (p.count("/"), p))
        for path in metas[:_HEADS]:
            keys = look.head(path).json_keys
            if "classes" in keys and keys & {"title", "tags", "projectType", "tags_images"}:
                look.found(f"{path} declares classes and tags")
                return 0.95
        jsons = look.files.with_suffix(".json")
        look.need(jsons, "no JSON file")
        inside = [p for p in jsons if "/ann/" in f"/{p}"] or jsons
        step = max(1, len(inside) // _HEADS)
        scores = {path: _judge(look.head(path)) for path in inside[::step][:_HEADS]}
        best = max(scores, key=lambda p: scores[p])
        if not scores[best]:
            raise Miss("no meta.json with classes, no JSON file with objects and size")
        look.found(f"{best} is an annotation file of Supervisely")
        return scores[best]

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the project; see `Format.read`.

        Raises:
            BrokenFileError: meta.json is not JSON, or not a single annotation file is.
        """
        from .read import SuperviselyReader

        self.check_options(options)
        return SuperviselyReader(source, ledger, progress, limit).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write meta.json, and ann/ and img/ of a dataset per subset.

        Images lie flat in a dataset: ``a/1.jpg`` becomes ``a_1.jpg``, with its path in
        ``meta/a_1.jpg.json``. Scores become tags ``confidence``, attributes tags of their name.
        An export of videos alone becomes a project of videos; beside images they have no place.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        from .write import SuperviselyWriter

        chosen = self.check_options(options, writing=True)
        whole = bool(chosen["whole_pixels"])
        SuperviselyWriter(export, sink, ledger, progress, whole_pixels=whole).write()


def _judge(head: Head) -> float:
    keys = head.json_keys
    if head.json_start != "{" or "imgHeight" in keys or "size" not in keys:
        return 0.0
    if "objects" not in keys or not {"height", "width"} & keys:
        return 0.0
    return 0.9 if keys & {"classTitle", "tags", "framesCount"} else 0.6
