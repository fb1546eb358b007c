"""TFRecord: what it is, how it is recognised."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ...sources.tfrecord import masked_crc
from ..base import Format
from ..look import Look
from ..writing import Export, Sink
from .read import Reader
from .write import write

__all__ = ["TFRecord"]

_NAME = re.compile(r"(?i)(?:.*\.)?tf-?records?(?:-\d+-of-\d+)?$|.*\.records?(?:-\d+-of-\d+)?$")
_KEYS = (b"image/encoded", b"image/object", b"image/class", b"image_bytes", b"image/filename")


class TFRecord(Format):
    """TFRecord of the TensorFlow Object Detection API, as Datumaro, Roboflow and its tools write.

    **Items** are the records; the key is ``image/filename``, else the source id or the number of
    the record. The subset is the folder or the file's name (``train.tfrecord-00000-of-00010``).
    The image stays in the record, and is read from there. TensorFlow is not needed.

    **Boxes** are parts of the image's size, 0 to 1, in 32-bit floats; an object with a PNG in
    ``image/object/mask`` is a mask. Names come from ``class/text``, else from ``label_map.pbtxt``,
    else a class is ``class_<number>``; 0 is no class unless the map has it. ``image/class`` and
    ``label`` are tags. difficult, truncated, group_of, is_crowd and view are attributes. The simple
    records of FiftyOne and TensorFlow Datasets are read too.

    **Checks:** a record whose checksum is wrong is rejected.

    **Lost in writing:** other attributes; coordinates are rounded to 32-bit floats.
    """

    name: ClassVar[str] = "tfrecord"
    title: ClassVar[str] = "TFRecord (Object Detection API)"
    summary: ClassVar[str] = "Records with the image, boxes and masks inside."
    rules: ClassVar[str] = (
        "https://github.com/tensorflow/models/blob/master/research/object_detection/g3doc/"
        "using_your_own_dataset.md"
    )
    holds: ClassVar[tuple[str, ...]] = ("box", "tag", "mask")

    def requires(self, look: Look) -> float:
        """Recognise the head of a record, and names of features in it."""
        files = _files(look.source)
        look.need(files, "no file called .tfrecord, .tfrecords or .record")
        data = look.head(files[0]).data
        if not data and len(files) > 1:
            files, data = files[1:], look.head(files[1]).data
        look.need(data, f"{files[0]} is empty")
        right = len(data) > 12 and masked_crc(data[:8]) == struct.unpack("<I", data[8:12])[0]
        look.need(right, f"{files[0]} does not begin with a record")
        look.found(f"{files[0]} begins with a record")
        if any(key in data for key in _KEYS):
            look.found("its features are those of images and objects")
            return 0.95
        look.need(b"image" in data, f"the records of {files[0]} have no images")
        return 0.6

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the records of each file, in order; see `Format.read`.

        Raises:
            BrokenFileError: the only file is no TFRecord.
        """
        yield from Reader(source, _files(source), ledger, progress, limit).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>.tfrecord`` and ``label_map.pbtxt``.

        Boxes, tags and masks are written; polygons become masks. Where media is not saved, the
        records hold no images.
        """
        write(export, sink, ledger, progress)


def _files(source: Source) -> list[str]:
    if source.main:
        return [source.main] if _NAME.match(source.main.rpartition("/")[2]) else []
    if not any("rec" in end or not end for end in source.files.suffixes()):
        return []
    names = ((path, path.rpartition("/")[2]) for path in source.files)
    return [path for path, name in names if "rec" in name.lower() and _NAME.match(name)]
