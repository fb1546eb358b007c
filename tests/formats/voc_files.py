"""Annotation files and masks of Pascal VOC that tests make, and what a read of them gives."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from nbannot.formats.voc import Voc
from nbannot.formats.voc.masks import voc_colormap
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources.memory import MemorySource

__all__ = ["Read", "memory", "obj", "png", "read_files", "xml"]


class Read:
    """All that one read gives: rows as dicts without nulls, labels by name, ledger, balance."""

    def __init__(self, source, limit=None, **options):
        self.ledger = Ledger()
        batches = list(Voc().read(source, options, self.ledger, Progress(), limit))
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

    def reasons(self, outcome):
        """Return the reasons of one outcome."""
        return {reason for kind, reason, _ in self.ledger.groups() if kind == outcome}

    def boxes(self, key):
        """Return (label, x, y, w, h) of an item's boxes."""
        item = next(i["item"] for i in self.items if i["key"] == key)
        return [
            (r.get("label"), r["x"], r["y"], r["w"], r["h"])
            for r in self.rows
            if r["item"] == item and r["type"] == "box"
        ]


def _short(row):
    return {k: v for k, v in row.items() if v is not None}


def xml(objects="", filename="a.jpg", size=(20, 10), head=""):
    """Return an annotation file."""
    text = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    name = f"<filename>{filename}</filename>" if filename is not None else ""
    return f"<annotation>{head}{name}{text}{objects}</annotation>".encode()


def obj(name="cat", box=(1, 2, 5, 6), more=""):
    """Return an <object>."""
    sides = ("xmin", "ymin", "xmax", "ymax")
    inner = "".join(f"<{s}>{v}</{s}>" for s, v in zip(sides, box, strict=True)) if box else ""
    box_text = f"<bndbox>{inner}</bndbox>" if box else ""
    return f"<object><name>{name}</name>{box_text}{more}</object>"


def png(array, palette=False):
    """Return a PNG of an index mask, in VOC's palette or as its colours."""
    indices = np.asarray(array, np.uint8)
    if palette:
        image = Image.fromarray(indices, "L")
        image.putpalette(voc_colormap().ravel().tolist())
    else:
        image = Image.fromarray(voc_colormap()[indices], "RGB")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def memory(files):
    """Return a source of files in memory."""
    return MemorySource({k: v.encode() if isinstance(v, str) else v for k, v in files.items()})


def read_files(files, **options):
    """Read files in memory."""
    return Read(memory(files), **options)
