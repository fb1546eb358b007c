"""Made-up masks for the tests of formats of masks, and comparing with independent readers."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json

import numpy as np
from PIL import Image

from nbannot import geometry
from nbannot.formats import get_format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import read_back
from nbannot.sources import open_source


def png(values, *, palette=None, dtype=np.uint8):
    """Return an image of nested lists of values (or colours) as PNG."""
    image = Image.fromarray(np.array(values, dtype))
    if palette is not None:
        image.putpalette([v for color in palette for v in color])
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def picture(width, height, kind="PNG"):
    """Return a plain picture."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (9, 9, 9)).save(out, kind)
    return out.getvalue()


def read(name, files, limit=None, **options):
    """Read files of memory (or a folder) with a format."""
    with open_source(files) as source:
        return read_back(get_format(name), source, limit=limit, **options)


def lines(found, *names):
    """Return the ledger's lines that are no notes, as tuples of the columns `names`."""
    table = found.ledger.to_arrow().to_pylist()
    return [tuple(r[n] for n in names) for r in table if r["outcome"] != "note"]


def digest(row):
    """Return the area and the digest of a mask, as the independent readers' results have it."""
    mask = geometry.rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
    packed = np.packbits(mask.astype(bool), axis=None).tobytes()
    return int(mask.sum()), hashlib.sha1(packed).hexdigest()[:16]


def told(path):
    """Return what an independent reader says: {(subset, id): sorted (label, area, digest)}."""
    value = json.loads(path.read_text())
    return {
        (item["subset"], item["id"]): sorted(
            (a["label"] or "", a["area"], a["mask_sha1"])
            for a in item["annotations"]
            if a["type"] == "mask"
        )
        for item in value["items"]
    }


def masks_of(found, item_id=lambda key: key.rpartition(".")[0]):
    """Return the same of what was read."""
    out = {(i.get("subset") or "default", item_id(i["key"])): [] for i in found.items}
    for row in found.annotations:
        if row["type"] == "mask":
            place = (row["subset"] or "default", item_id(row["key"]))
            out[place].append((row.get("label") or "", *digest(row)))
    return {place: sorted(rows) for place, rows in out.items()}


def pixels(row):
    """Return a mask as nested lists."""
    return geometry.rle_to_mask(row["mask"], row["mask_height"], row["mask_width"]).tolist()


def lexed(found):
    """Return (label, pixels) of each mask, in order."""
    return [(row.get("label"), pixels(row)) for row in found.annotations]


class PaintedCases(FormatCases):
    """What comes back of masks that are painted over each other, and merged where `merges`."""

    merges = True

    def same_annotations(self, dataset, found):
        """Compare with what a painter leaves of each mask, worked out pixel by pixel."""
        rows = {s: self._seen(some) for s, some in dataset.annotations.items()}
        super().same_annotations(dataclasses.replace(dataset, annotations=rows), found)

    def _seen(self, rows):
        out = []
        for key in dict.fromkeys(row["item"] for row in rows):
            mine = [row for row in rows if row["item"] == key and row["type"] == "mask"]
            out += [r for r in rows if r["item"] == key and r["type"] != "mask"]
            size = (mine[0]["mask_height"], mine[0]["mask_width"]) if mine else (0, 0)
            numbers = np.zeros(size, int)
            for n, row in enumerate(mine, 1):
                numbers[np.array(pixels(row)) == 1] = n
            groups = {}
            for n, row in enumerate(mine, 1):
                groups.setdefault(row["label"] if self.merges else n, []).append(n)
            for some in groups.values():
                left = np.isin(numbers, some)
                if left.any():
                    ys, xs = np.nonzero(left)
                    box = (xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1)
                    frame = dict(zip("xywh", map(float, box), strict=True))
                    rle = geometry.mask_to_rle(left)
                    out.append({**mine[some[0] - 1], **frame, "mask": rle})
        return out
