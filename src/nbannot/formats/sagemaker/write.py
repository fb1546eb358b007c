"""Lines of a manifest, of items and their annotations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..fitting import Fitting, Row
from ..image_files import extra_of, rounded
from ..writing import Export
from .lines import TWIN

__all__ = ["LineWriter"]

_LONG_AGO = "1970-01-01T00:00:00.000000"
_BOXES, _TAGS = "bounding-box", "category"


class LineWriter:
    """Writes the lines; class ids are those of the labels, where these are numbers."""

    def __init__(self, export: Export, fitting: Fitting, *, whole: bool) -> None:
        self.fitting, self.whole = fitting, whole
        given = [label.source_id or "" for label in export.labels]
        kept = len(set(given)) == len(given) and all(g.isascii() and g.isdigit() for g in given)
        ids = [int(g) for g in given] if kept else list(range(len(given)))
        names = [label.name for label in export.labels]
        self.ids: dict[str, int] = dict(zip(names, ids, strict=True))

    def line(self, path: str, item: Row, rows: list[Row], *, several: bool) -> str:
        """Return the line of one image; `several`: images have several tags."""
        made: Row = {"source-ref": path}
        meta = extra_of(item, "sagemaker", "meta")
        layers = dict.fromkeys(row.get("layer") for row in rows if row.get("layer"))
        for layer in (*layers, None):  # the last one is ground truth when it is read
            mine = [row for row in rows if row.get("layer") == layer]
            boxes = [row for row in mine if row["type"] == "box"]
            tags = [row for row in mine if row["type"] == "tag"]
            if boxes:
                name = str(layer) if layer else _BOXES
                made[name], about = self._boxes(item, boxes)
                made[f"{name}{TWIN}"] = about | self._about(meta, name)
            if tags:
                name = f"{layer}-{_TAGS}" if layer else _TAGS
                made[name], about = self._tags(tags, several=several)
                made[f"{name}{TWIN}"] = about | self._about(meta, name)
        return json.dumps(made, ensure_ascii=False)

    def _about(self, meta: Row, name: str) -> Row:
        kept = meta.get(name)
        usual = {"human-annotated": "yes", "creation-date": _LONG_AGO, "job-name": f"job/{name}"}
        return {**usual, **(kept if isinstance(kept, dict) else {})}

    def _names(self, rows: Sequence[Row]) -> dict[str, str]:
        return {str(self._id(row["label"])): row["label"] for row in rows}

    def _id(self, label: str) -> int:
        return self.ids.setdefault(label, max(self.ids.values(), default=-1) + 1)

    def _boxes(self, item: Row, rows: Sequence[Row]) -> tuple[Row, Row]:
        annotations = []
        for row in rows:
            x, y, w, h = (row[n] for n in "xywh")
            if self.whole:
                left, top, right, bottom = (round(v) for v in (x, y, x + w, y + h))
                if [left, top, right - left, bottom - top] != [x, y, w, h]:
                    text = f"{x:g} {y:g} {w:g} {h:g} are rounded"
                    reason = "coordinates rounded to whole pixels"
                    self.fitting.warn(item, row, reason, text)
                x, y, w, h = left, top, right - left, bottom - top
            annotations.append({
                "class_id": self._id(row["label"]), "left": rounded(x), "top": rounded(y),
                "width": rounded(w), "height": rounded(h),
            })  # fmt: skip
        size = {"width": item.get("width"), "height": item.get("height"), "depth": 3}
        value = {"image_size": [size], "annotations": annotations}
        scores = [{"confidence": row["score"]} if "score" in row else {} for row in rows]
        about = {"objects": scores, "class-map": self._names(rows),
                 "type": "groundtruth/object-detection"}  # fmt: skip
        return value, about

    def _tags(self, rows: Sequence[Row], *, several: bool) -> tuple[Any, Row]:
        ids = [self._id(row["label"]) for row in rows]
        if several:
            scores = {str(i): row["score"] for i, row in zip(ids, rows, strict=True)
                      if "score" in row}  # fmt: skip
            return ids, {"class-map": self._names(rows), "confidence-map": scores,
                         "type": "groundtruth/image-classification-multilabel"}  # fmt: skip
        about: Row = {"class-name": rows[0]["label"], "type": "groundtruth/image-classification"}
        if "score" in rows[0]:
            about["confidence"] = rows[0]["score"]
        return ids[0], about
