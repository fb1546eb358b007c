"""YOLO datasets that tests make, in memory, and what a read of them gives."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from nbannot import geometry
from nbannot.formats.look import Look
from nbannot.formats.writing import FolderSink
from nbannot.formats.yolo import Yolo
from nbannot.formats.yolo.darknet import YoloDarknet
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import BatchBuilder, Label
from nbannot.sources import open_source
from nbannot.sources.memory import MemorySource

__all__ = [
    "CAT", "DOG", "YAML", "Exported", "Read", "batch", "box", "evidence", "mask", "memory",
    "one_file", "picture", "polygon", "read", "read_folder", "write", "written",
]  # fmt: skip

YAML = "train: images\nnames:\n  0: cat\n  1: dog\n"


def picture(width=100, height=50, kind="PNG"):
    """Return the bytes of a picture."""
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, kind)
    return out.getvalue()


def header(width, height):
    """Return a PNG that claims a size, and has no pixels: all that a reader looks at."""
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IEND\xaeB`\x82"


PICTURE = picture()


def memory(files):
    """Return a source of files; text becomes bytes, and None a picture of 100 x 50."""
    contents = {
        path: PICTURE if data is None else data.encode() if isinstance(data, str) else data
        for path, data in files.items()
    }
    return MemorySource(contents, name="files")


class Read:
    """All that one read gives: rows as dicts without nulls, labels by name, ledger, balance."""

    def __init__(self, source, limit=None, darknet=False, **options):
        self.ledger = Ledger()
        format = YoloDarknet() if darknet else Yolo()
        batches = list(format.read(source, options, self.ledger, Progress(), limit))
        self.items = [_short(r) for b in batches for r in b.items.to_pylist()]
        self.rows = [_short(r) for b in batches for r in b.annotations.to_pylist()]
        self.labels = {label.name: label for b in batches for label in b.labels}
        if limit is None:
            self.balance = self.ledger.check(len(self.items) + len(self.rows))

    @property
    def keys(self):
        """Keys by subset."""
        out = {}
        for item in self.items:
            out.setdefault(item.get("subset"), []).append(item["key"])
        return out

    def said(self, outcome):
        """Return the messages of one outcome, by reason."""
        return {
            reason: [line["message"] for line in self.ledger.lines(outcome, reason)]
            for kind, reason, _ in self.ledger.groups()
            if kind == outcome
        }

    def of(self, media):
        """Return the rows of the item whose image is `media`."""
        number = next(i["item"] for i in self.items if i.get("media") == media)
        return [row for row in self.rows if row["item"] == number]


def _short(row):
    return {k: v for k, v in row.items() if v is not None}


def read(files, limit=None, **options):
    """Read files in memory: {path: text, bytes, or None for a picture of 100 x 50}."""
    return Read(memory(files), limit, **options)


def one_file(labels, yaml=YAML, **options):
    """Read a dataset of one image of 100 x 50 whose label file is `labels`."""
    return read({"data.yaml": yaml, "images/a.png": None, "labels/a.txt": labels}, **options)


def evidence(files, darknet=False):
    """Return the confidence of a format in files, and its evidence."""
    look = Look(memory(files))
    return (YoloDarknet() if darknet else Yolo()).requires(look), look.evidence


class Exported:
    """What a writer gets, out of batches by subset."""

    name = "mine"

    def __init__(self, subsets, labels):
        self._batches = {s: b if isinstance(b, list) else [b] for s, b in subsets.items()}
        self.subsets, self.labels = tuple(subsets), tuple(labels)

    def batches(self, subset):
        """Yield a subset's batches."""
        return iter(self._batches[subset])


def write(folder, exported, darknet=False, sizes=None, **options):
    """Write to a folder; return the ledger and the texts written, by path.

    `sizes` are those of the images, by item number; (100, 50) where not given.
    """
    ledger = Ledger()
    sink = FolderSink(folder, lambda item: header(*sizes[item]) if sizes else PICTURE)
    format = YoloDarknet() if darknet else Yolo()
    format.write(exported, sink, options, ledger, Progress())
    texts = {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".txt", ".yaml", ".names", ".data")
    }
    return ledger, texts


def read_folder(folder, **options):
    """Read a dataset in a folder."""
    return Read(open_source(str(folder)), **options)


# -- what there is to write ----------------------------------------------------------------

CAT, DOG = Label("cat"), Label("dog")


def batch(*annotations, key="a.png", size=(100, 50), **item):
    """Return a batch of one image with annotations."""
    builder = BatchBuilder()
    width, height = size or (None, None)
    number = builder.item(key=key, kind="image", width=width, height=height, **item)
    for annotation in annotations:
        builder.annotation(number, **{"label": "cat", **annotation})
    return builder.flush()


def box(x=10.0, y=5.0, w=20.0, h=10.0, **more):
    """Return a box."""
    return {"type": "box", "x": x, "y": y, "w": w, "h": h, **more}


def polygon(points=(0, 0, 50, 0, 50, 50), **more):
    """Return a polygon."""
    return {"type": "polygon", "points": [float(p) for p in points], **more}


def mask(pixels):
    """Return a mask."""
    pixels = np.asarray(pixels, np.uint8)
    return {
        "type": "mask",
        "mask": geometry.mask_to_rle(pixels),
        "mask_height": pixels.shape[0],
        "mask_width": pixels.shape[1],
    }


def written(folder, *annotations, labels=(CAT, DOG), **options):
    """Write one image; return the ledger, the rows of its label file, and all texts."""
    ledger, texts = write(folder, Exported({"train": batch(*annotations)}, labels), **options)
    rows = texts.get("labels/train/a.txt", "").splitlines()
    return ledger, rows, texts
