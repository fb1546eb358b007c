"""Writing images and masks in pairs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ...ledger import Ledger
from ...progress import Progress
from ..class_tables import assigned_indices, distinct_colors
from ..fitting import FileNames, Fitting, Holds, Row
from ..mask_images import Color, encode_mask, palette_colors, without_suffix
from ..mask_painting import Painting
from ..writing import Export, Sink

__all__ = ["PAINTED", "MasksWriter", "tell_merged", "told_names"]

PAINTED = Holds(
    {"mask": (), "polygon": ("parts", "holes"), "box": ("rotation",), "ellipse": ("rotation",)},
    columns=("z_order",),
)
"""What can be painted."""

_MOST = 65_535


class MasksWriter:
    """One write: images, masks and ``dataset_meta.json`` for each subset, and one for all."""

    def __init__(
        self, export: Export, sink: Sink, task: str, encoding: str, ledger: Ledger,
        progress: Progress,
    ) -> None:  # fmt: skip
        self._export, self._sink, self._ledger, self._progress = export, sink, ledger, progress
        self._task, self._encoding = task, encoding
        self._fitting = Fitting("Segmentation masks", PAINTED, ledger)
        most = 254 if encoding != "index" and len(export.labels) < 255 else _MOST
        self._index = assigned_indices(export.labels, most)
        self._colors = distinct_colors(export.labels)
        self._high = max(self._index.values(), default=0)

    def write(self) -> None:
        """Write everything."""
        meta = self._meta()
        for subset in self._export.subsets:
            names = told_names(subset, self._ledger)
            self._progress.start(f"Writing {subset}", None, "images")
            for batch in self._export.batches(subset):
                for item, rows in self._fitting.fit(batch):
                    path = names(item)
                    self._sink.add_media(f"{subset}/images/{path}", item["number"])
                    self._masks(subset, without_suffix(path), item, rows)
                    self._progress.advance()
            self._sink.write(f"{subset}/dataset_meta.json", meta)
        self._sink.write("dataset_meta.json", meta)
        self._fitting.close()

    def _masks(self, subset: str, stem: str, item: Row, rows: list[Row]) -> None:
        fits = []
        for row in rows:
            if row["label"] in self._index:
                fits.append(row)
            else:
                text = f"{row['label']!r} is beyond {len(self._index):,} classes"
                self._fitting.reject(item, row, "label has no index", text)
        painting = Painting.of(item, fits, self._fitting) or Painting.blank(item)
        if painting is None:
            return  # an image without a mask has no annotation either
        if self._task == "semantic":
            tell_merged(item, painting, self._fitting)
        classes = painting.values(lambda row: self._index[row["label"]], np.uint16)
        self._sink.write(f"{subset}/masks/{stem}.png", self._encoded(classes))
        if self._task == "instance":
            numbers = painting.numbers
            if numbers.max() > _MOST:
                for row, number in painting.paints:
                    if number > _MOST:
                        text = f"an image holds {_MOST:,} instances"
                        self._fitting.warn(item, row, "too many instances", text)
                numbers = np.where(numbers > _MOST, 0, numbers)
            data = encode_mask(numbers.astype(np.uint16))
            self._sink.write(f"{subset}/instance_masks/{stem}.png", data)

    def _encoded(self, classes: Any) -> bytes:
        if self._encoding == "color":
            table = np.zeros((self._high + 1, 3), np.uint8)
            for name, index in self._index.items():
                table[index] = self._colors[name]
            return encode_mask(table[classes])
        if self._high > 255:
            return encode_mask(classes)
        small = classes.astype(np.uint8)
        return encode_mask(small, self._palette() if self._encoding == "palette" else None)

    def _palette(self) -> list[Color]:
        by_index = {index: self._colors[name] for name, index in self._index.items()}
        taken = {(0, 0, 0), *by_index.values()}
        spare = (c for c in palette_colors() if c not in taken)
        return [(0, 0, 0)] + [by_index.get(i) or next(spare) for i in range(1, self._high + 1)]

    def _meta(self) -> str:
        labels = self._index
        zero = next(n for n in ("background", "_background_", "__background__") if n not in labels)
        rows = sorted((index, name) for name, index in labels.items())
        # The colour of class i is at place i, whatever other classes there are.
        colors: list[Color | None] = [(0, 0, 0), *[None] * self._high]
        for index, name in rows:
            colors[index] = self._colors[name]
        meta = {
            "label_map": {"0": zero, **{str(index): name for index, name in rows}},
            "segmentation_colors": colors,
            "background_label": "0",
            "subsets": list(self._export.subsets),
        }
        return json.dumps(meta, ensure_ascii=False, indent=1)


def tell_merged(item: Row, painting: Painting, fitting: Fitting) -> None:
    """Warn of each annotation that is one mask with others of its label now."""
    labels: dict[str, int] = {}
    for row, _ in painting.paints:
        labels[row["label"]] = labels.get(row["label"], 0) + 1
    for row, _ in painting.paints:
        if labels[row["label"]] > 1:
            text = f"{labels[row['label']]} of {row['label']!r} are one mask now"
            fitting.warn(item, row, "merged with others of its label", text)


def told_names(subset: str, ledger: Ledger) -> Any:
    """Return a function that names each item's file; another name than its own is a warning."""
    names = FileNames(stems=True)

    def of(item: Row) -> str:
        path = names.of(item)
        if without_suffix(path) != without_suffix(item["key"]):
            ledger.warn(
                "renamed: two images with one stem", file=item["key"], record="item",
                item=item["key"], message=f"{item['key']} of {subset} is written as {path}",
            )  # fmt: skip
        return path

    return of
