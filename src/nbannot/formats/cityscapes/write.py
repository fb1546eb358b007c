"""Writing Cityscapes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ledger import Ledger
from ...progress import Progress
from ..fitting import Fitting, Row
from ..json_values import dumps
from ..mask_images import encode_mask, without_suffix
from ..mask_painting import Painting, outline
from ..masks.write import PAINTED, told_names
from ..writing import Export, Sink
from .classes import WrittenClasses

__all__ = ["coded_instances", "is_foreign", "write_cityscapes"]

_HIGHEST = 254


def write_cityscapes(export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
    """Write ``gtFine``, ``leftImg8bit``, and ``label_colors.txt`` for classes of one's own."""
    title = "Cityscapes"
    holds = type(PAINTED)(PAINTED.types, columns=("z_order", "extra"))
    fitting = Fitting(title, holds, ledger)
    classes = WrittenClasses(export.labels, _HIGHEST, ledger)
    lost = 0
    for subset in export.subsets:
        names = told_names(subset, ledger)
        progress.start(f"Writing {subset}", None, "images")
        for batch in export.batches(subset):
            for item, rows in fitting.fit(batch):
                path = names(item)
                path = path if "/" in path else f"nocity/{path}"
                stem = without_suffix(path)
                stem = stem.removesuffix("_leftImg8bit")
                image = (
                    f"leftImg8bit/{subset}/{stem}_leftImg8bit{path[len(without_suffix(path)) :]}"
                )
                sink.add_media(image, item["number"])
                lost += sum(is_foreign(row) for row in rows)
                _write_item(sink, f"gtFine/{subset}/{stem}_gtFine", item, rows, fitting, classes)
                progress.advance()
    if not classes.is_official:
        sink.write("label_colors.txt", classes.label_colors())
    if lost:
        ledger.note(f"no place in {title}", message=f"extra of {lost:,} records")
    fitting.close()


def is_foreign(row: Row) -> bool:
    """Has a row something in `extra` that other formats kept there?"""
    return bool(set(json.loads(row.get("extra") or "{}")) - {"cityscapes", "iscrowd", "area"})


def _write_item(
    sink: Sink, stem: str, item: Row, rows: Sequence[Row], fitting: Fitting,
    classes: WrittenClasses,
) -> None:  # fmt: skip
    shapes = all(r["type"] != "mask" and len(r.get("rings") or [0]) == 1 for r in rows)
    width, height = item.get("width"), item.get("height")
    told = fitting
    if shapes:
        objects = []
        for row in sorted(rows, key=lambda r: r.get("z_order") or 0):
            if row["type"] != "polygon":
                text = f"{fitting.title} holds no {row['type']}"
                fitting.warn(item, row, f"{row['type']} written as polygon", text)
            objects.append(_object(row))
        document = {"imgHeight": height, "imgWidth": width, "objects": objects}
        sink.write(f"{stem}_polygons.json", dumps(document) + "\n")
        # The polygons have it all: what of them the pixels lose is no loss.
        told = Fitting(fitting.title, fitting.holds, Ledger())
    fits = []
    for row in rows:
        if row["label"] in classes.index:
            fits.append(row)
        else:
            text = f"{row['label']!r} has no id from 0 to {_HIGHEST}"
            told.reject(item, row, "label has no index", text)
    painting = Painting.of(item, fits, told) or Painting.blank(item)
    if painting is None:
        return
    ids = painting.values(lambda row: classes.index[row["label"]], np.uint8)
    sink.write(f"{stem}_labelIds.png", encode_mask(ids))
    instances = coded_instances(painting, classes, 1000, 0, item, told)
    sink.write(f"{stem}_instanceIds.png", encode_mask(instances))
    sink.write(f"{stem}_color.png", encode_mask(np.array(classes.palette(), np.uint8)[ids]))


def _object(row: Row) -> dict[str, Any]:
    extra = json.loads(row.get("extra") or "{}")
    label = row["label"] + ("group" if extra.get("iscrowd") else "")
    more = extra.get("cityscapes")
    points = outline(row).tolist()
    return {
        **(more if isinstance(more, dict) else {}),
        "label": label,
        "polygon": [[int(v) if v == int(v) else v for v in p] for p in points],
    }


def coded_instances(
    painting: Painting, classes: WrittenClasses, base: int, first: int, item: Row, fitting: Fitting
) -> Any:
    """Return class · `base` + instance of each pixel (from `first` on), in 16 bits.

    A crowd, and what has no number, is the class alone in Cityscapes (`base` 1000), and instance
    0 in KITTI's (`base` 256). Several that get no number become one, with a warning for each.
    """
    used: dict[int, int] = {}
    table = np.zeros(max((p.number for p in painting.paints), default=0) + 1, np.uint16)
    plain: dict[int, list[Row]] = {}
    for row, number in painting.paints:
        index = classes.index[row["label"]]
        crowd = json.loads(row.get("extra") or "{}").get("iscrowd")
        instance = used.get(index, first)
        code = index * base + instance
        if crowd or not classes.counts(row["label"]) or instance >= base or code > 65_535:
            table[number] = index if base == 1000 else index * base
            plain.setdefault(index, []).append(row)
        else:
            table[number] = code
            used[index] = instance + 1
    for rows in plain.values():
        for row in rows if len(rows) > 1 else []:
            text = f"{len(rows)} of {row['label']!r} are one mask now"
            fitting.warn(item, row, "merged with others of its label", text)
    return table[painting.numbers]
