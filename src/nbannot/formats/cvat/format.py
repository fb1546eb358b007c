"""CVAT for images and CVAT for video: how they are recognised, and their options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Miss, Option
from ..look import Head, Look
from ..writing import Export, Sink

__all__ = ["Cvat", "CvatVideo"]

_SHAPES = (
    "box", "polygon", "polyline", "points", "skeleton", "mask", "ellipse", "cuboid"
)  # fmt: skip
_IMAGE, _TRACK = re.compile(r"<image\s"), re.compile(r"<track[\s>]")
_FRAMES = Option(
    "frames",
    "choice",
    "stored",
    "Of tracks: stored: the frames that the file holds; interpolated: those between them too.",
    ("stored", "interpolated"),
)


class _CvatXml(Format):
    """What both have in common: one reader takes ``<image>`` and ``<track>`` as they come."""

    rules: ClassVar[str] = "https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/"
    read_options: ClassVar[tuple[Option, ...]] = (_FRAMES,)

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
            BrokenFileError: there is no XML file of CVAT, or the only one is no XML.
        """
        from .read import CvatReader

        yield from CvatReader(source, self.check_options(options), ledger, progress, limit).read()

    def _look(self, look: Look) -> tuple[str, Head]:
        # The XML file that speaks for the others.
        main = look.source.main
        if main is not None:
            look.need(main.lower().endswith(".xml"), "the file is not XML")
            paths = [main]
        else:
            paths = look.files.with_suffix(".xml")
            look.need(paths, "there is no .xml file")
            named = [p for p in paths if p.rpartition("/")[2] == "annotations.xml"]
            paths = [*named[:3], paths[0], paths[-1]]
        for path in dict.fromkeys(paths):
            head = look.head(path)
            if head.xml_root == "annotations":
                return path, head
        raise Miss(f"the first element of {paths[0]} is not <annotations>")


class Cvat(_CvatXml):
    """CVAT for images 1.1: one XML file with an ``<image>`` each, and a folder ``images``.

    **Items.** Each ``<image>`` is one, its key the name in the file; images that lie there and
    are not named are items without annotations. The subset is that of the image, else of its
    task, else the name of the XML file or of its folder where that is one (``train.xml``). Of
    files in several folders the keys begin with the folder. A file with tracks is read too: see
    `CvatVideo`.

    **Geometry** is as in CVAT: pixels, box corners, degrees clockwise about the centre. A mask's
    runs in its box become those of the whole image. A cuboid's corners are tl, tr, br, bl of the
    front face, then of the rear one; CVAT's own ``xtl2`` is the corner behind the top *right* one
    (its editor draws the edges front left, front right, rear right, rear left), and goes there.
    A joint of a skeleton is 0 where it is outside, 1 where occluded, 2 else.

    **Records** are images, shapes, tags, and each frame of a track; joints are part of their
    skeleton. Attributes have the type that their label declares: checkbox, number, text. What the
    head says of a task beyond labels, subset, frames and size is not kept, and noted.
    """

    name: ClassVar[str] = "cvat"
    title: ClassVar[str] = "CVAT for images"
    summary: ClassVar[str] = "One annotations.xml with every image and its shapes."
    holds: ClassVar[tuple[str, ...]] = (*_SHAPES, "tag")

    def requires(self, look: Look) -> float:
        """Recognise CVAT's XML by its root and by ``<image>``; tracks are the other format's."""
        path, head = self._look(look)
        text = head.text
        if _IMAGE.search(text):
            look.found(f"{path} is CVAT's XML, with <image> elements")
            return 0.95
        look.need(not _TRACK.search(text), f"{path} has tracks, and no <image>")
        look.need(
            "<version" in text or "<meta" in text, f"{path} has no <image>, <meta>, <version>"
        )
        look.need("<mode>interpolation" not in text, f"{path} is of a task with tracks")
        look.found(f"{path} is CVAT's XML")
        return 0.9

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write annotations.xml and images/; with several subsets as a project of a task each.

        Numbers have two decimals, as CVAT writes them, or as many as they need. The box of a
        skeleton, tracks and what is no image have no place.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        from .write import ImagesWriter

        ImagesWriter(export, sink, ledger, progress).write()


class CvatVideo(_CvatXml):
    """CVAT for video 1.1: one XML file with a ``<track>`` each, whose shapes have frames.

    **Items.** Where the frames lie beside it as ``images/frame_000010.png``, each frame is one;
    else a task is one video, its key the name of the video, and annotations have their frame.
    Frames are those of the video, as CVAT numbers them (``start_frame`` and ``step`` count
    nothing in again).

    **Tracks.** Each frame that the file holds is a row, with `track`, `keyframe` and `outside` as
    stored; where ``outside`` is true, the object is gone from that frame on. With
    ``frames="interpolated"`` the frames of the task between two rows are made: boxes, ellipses,
    cuboids, points and skeletons with equal counts between the two, others as the row before.
    Joints are read from within the skeleton, and from tracks of their own, as Datumaro has them.

    Geometry, labels and records are as in `Cvat`.
    """

    name: ClassVar[str] = "cvat-video"
    title: ClassVar[str] = "CVAT for video"
    summary: ClassVar[str] = "One annotations.xml with tracks over the frames of a video."
    holds: ClassVar[tuple[str, ...]] = _SHAPES

    def requires(self, look: Look) -> float:
        """Recognise CVAT's XML by its root and by ``<track>``."""
        path, head = self._look(look)
        text = head.text
        if _TRACK.search(text):
            look.found(f"{path} is CVAT's XML, with <track> elements")
            return 0.95 if not _IMAGE.search(text) else 0.9
        look.need(
            "<mode>interpolation" in text and not _IMAGE.search(text), f"{path} has no <track>"
        )
        look.found(f"{path} is CVAT's XML, of a task with tracks")
        return 0.95

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write annotations.xml with tracks; of several videos one XML file each.

        Images become frames in their order, ``images/frame_000000.jpg`` ..., or keep the number
        in such a name; what they were called is in ``<meta><frames>``, which other tools skip. An
        annotation without a track is a track of one frame.
        """
        from .write_video import VideoWriter

        VideoWriter(export, sink, ledger, progress).write()
