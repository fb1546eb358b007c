"""Writing a FiftyOneDataset."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ... import geometry
from ...ledger import Ledger
from ...progress import Progress
from ...schema import Label, Skeleton
from ..fitting import Fitting, Holds, Row
from ..image_files import ImageFiles, extra_of, fitted, subset_folder
from ..json_values import loads
from ..writing import Export, Sink
from .values import mask_text

__all__ = ["write_dataset"]

_HOLDS = Holds(
    {"box": (), "mask": (), "polygon": ("parts",), "polyline": (), "points": (), "skeleton": (),
     "tag": ()},
    ("score", "attributes", "extra", "layer"),
    unlabelled=True,
)  # fmt: skip
# type of annotation -> class of the label, class of the field, name of its list, usual field
_CLASSES = {
    "box": ("Detection", "Detections", "detections", "ground_truth"),
    "mask": ("Detection", "Detections", "detections", "ground_truth"),
    "polygon": ("Polyline", "Polylines", "polylines", "polylines"),
    "polyline": ("Polyline", "Polylines", "polylines", "polylines"),
    "points": ("Keypoint", "Keypoints", "keypoints", "points"),
    "skeleton": ("Keypoint", "Keypoints", "keypoints", "keypoints"),
    "tag": ("Classification", "Classifications", "classifications", "classifications"),
}
_NAN = {"$numberDouble": "NaN"}
_FIELDS = {bool: "BooleanField", int: "IntField", float: "FloatField", str: "StringField",
           list: "ListField"}  # fmt: skip


def write_dataset(export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
    """Write the dataset; see `FiftyOne.write`."""
    fitting = Fitting("FiftyOne", _HOLDS, ledger)
    writer = _Writer(export, fitting)
    files = ImageFiles(sink, fitting)
    lines: list[str] = []
    progress.start("Writing samples", unit="samples")
    for subset in export.subsets:
        folder = subset_folder(export, subset)
        for item, rows in fitted(export, subset, fitting, progress, "fiftyone"):
            path = files.add(item, f"data/{folder}" if folder else "data")
            lines.append(writer.sample(item, rows, path, folder and subset))
    sink.write("metadata.json", writer.metadata())
    sink.write("samples.json", '{"samples": [' + ",\n".join(lines) + "]}\n")
    fitting.close()


class _Writer:
    def __init__(self, export: Export, fitting: Fitting) -> None:
        self.export, self.fitting = export, fitting
        self.labels = {label.name: label for label in export.labels}
        self.fields: dict[str, str] = {}  # name -> its class
        self.layers: dict[str, str] = {}  # name -> layer
        self.skeletons: dict[str, Skeleton] = {}
        self.others: dict[str, type] = {}
        self.subsets: list[str] = []
        self._ids = 0

    def _id(self, given: Any = None) -> dict[str, str]:
        # A MongoDB id: the source's own, or a number.
        if isinstance(given, str) and re.fullmatch("[0-9a-f]{24}", given):
            return {"$oid": given}
        self._ids += 1
        return {"$oid": f"{self._ids:024x}"}

    def sample(self, item: Row, rows: list[Row], path: str, subset: str) -> str:
        """Return one sample as JSON."""
        meta = extra_of(item, "fiftyone", "meta")
        size = (item.get("width"), item.get("height"))
        if subset and subset not in self.subsets:
            self.subsets.append(subset)
        made: Row = {
            "_id": self._id(item.get("source_id")),
            "filepath": path,
            "tags": [*([subset] if subset else []), *(meta.get("tags") or ())],
            "metadata": None,
            "_media_type": "image",
        }
        if all(size):
            made["metadata"] = {"_cls": "ImageMetadata", "width": size[0], "height": size[1]}
        for name, value in (meta.get("fields") or {}).items():
            made[name] = value
            if value is not None:
                self.others.setdefault(name, type(value))
        for row in rows:
            if not all(size) and row["type"] != "tag":
                text = "coordinates are shares of the image's size, which is not known"
                self.fitting.reject(item, row, "image size is not known", text)
                continue
            kept = extra_of(row, "fiftyone")
            label = self._label(item, row, kept, size)
            if label is None:
                continue
            kind, several, name, _ = _CLASSES[row["type"]]
            single = bool(kept.get("single")) and kind in ("Classification", "Detection")
            field = self._field(row, kept, kind if single else several)
            if single and field not in made:
                made[field] = label
            elif single:
                field = self._field(row, {"field": f"{field}_{name}"}, several)
                made.setdefault(field, {"_cls": several, name: []})[name].append(label)
            else:
                made.setdefault(field, {"_cls": several, name: []})[name].append(label)
        return json.dumps(made, ensure_ascii=False)

    def _field(self, row: Row, kept: Mapping[str, Any], kind: str) -> str:
        # The field that a label is written to: the one it came from, or one of its class.
        layer = row.get("layer")
        usual = _CLASSES[row["type"]][3]
        if layer:
            plain = re.sub(r"\W", "_", layer) or "predictions"
            usual = plain if usual == "ground_truth" else f"{plain}_{usual}"
        if row["type"] == "skeleton":
            joints = self._joints(row)
            known = [n for n, s in self.skeletons.items() if s == joints and n.startswith(usual)]
            if known:
                usual = known[0]
            elif usual in self.skeletons:
                usual = f"{usual}_{len(self.skeletons) + 1}"
        name = str(kept.get("field") or usual)
        while self._taken(name, kind, layer, row):
            name += "_2"
        self.fields[name] = kind
        if layer:
            self.layers[name] = layer
        if row["type"] == "skeleton":
            self.skeletons.setdefault(name, self._joints(row))
        return name

    def _taken(self, name: str, kind: str, layer: Any, row: Row) -> bool:
        if name in self.others:
            return True
        if name not in self.fields:
            return False
        if self.fields[name] != kind or self.layers.get(name) != layer:
            return True
        joints = self._joints(row) if row["type"] == "skeleton" else None
        return kind == "Keypoints" and self.skeletons.get(name) != joints

    def _joints(self, row: Row) -> Skeleton:
        label = self.labels.get(row.get("label", ""), Label(""))
        names = tuple(str(i + 1) for i in range(len(row["points"]) // 2))
        return label.skeleton or Skeleton(names)

    def _label(self, item: Row, row: Row, kept: Mapping[str, Any], size: Any) -> Row | None:
        attributes = loads(row["attributes"].encode())[0] if row.get("attributes") else {}
        made: Row = {"_id": self._id(row.get("source_id")), "_cls": _CLASSES[row["type"]][0],
                     "tags": kept.get("tags") or [], **attributes,
                     "label": row.get("label")}  # fmt: skip
        if row.get("score") is not None:
            made["confidence"] = row["score"]
        if row["type"] == "tag":
            return made
        shape = self._shape(item, row, size)
        return made | shape if shape is not None else None

    def _shape(self, item: Row, row: Row, size: Any) -> Row | None:
        width, height = size
        kind = row["type"]
        if kind == "mask":
            return self._mask(item, row, size)
        made: Row = {}
        if kind in ("box", "skeleton") and row.get("w") is not None:
            made["bounding_box"] = [row["x"] / width, row["y"] / height, row["w"] / width,
                                    row["h"] / height]  # fmt: skip
        if kind == "box":
            return made
        parts = [
            [[x / width, y / height] for x, y in ring.tolist()]
            for ring, _ in geometry.split_rings(row["points"], row.get("rings"))
        ]
        if kind in ("polygon", "polyline"):
            closed = kind == "polygon"
            return {"points": parts, "closed": closed, "filled": closed}
        points: list[Any] = parts[0]
        if kind == "skeleton":
            shown = row.get("visibility") or [2] * len(points)
            points = [p if v else [_NAN, _NAN] for p, v in zip(points, shown, strict=True)]
            if set(shown) != {2}:
                made["visibility"] = list(shown)
        return {"points": points, **made}

    def _mask(self, item: Row, row: Row, size: Any) -> Row | None:
        mask = geometry.rle_to_mask(row["mask"], row["mask_height"], row["mask_width"])
        if (mask.shape[1], mask.shape[0]) != tuple(size):
            text = (
                f"it is {mask.shape[1]} x {mask.shape[0]} pixels, the image {size[0]} x {size[1]}"
            )
            self.fitting.reject(item, row, "mask is not of the image's size", text)
            return None
        ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(xs):
            self.fitting.reject(item, row, "mask is empty", "it has no pixel")
            return None
        x, y, w, h = int(xs[0]), int(ys[0]), int(xs[-1] - xs[0] + 1), int(ys[-1] - ys[0] + 1)
        if row.get("w") is not None and any(
            abs(row[n] - v) > 1 for n, v in zip("xywh", (x, y, w, h), strict=True)
        ):
            text = f"its box becomes that of its pixels, {x} {y} {w} {h}"
            self.fitting.warn(item, row, "box of a mask drawn anew", text)
        return {
            "bounding_box": [x / size[0], y / size[1], w / size[0], h / size[1]],
            "mask": mask_text(mask[y : y + h, x : x + w]),
        }

    def metadata(self) -> str:
        """Return metadata.json."""
        label = "fiftyone.core.labels."
        declared: list[Row] = [
            _declared("id", "ObjectIdField"), _declared("filepath", "StringField"),
            _declared("tags", "ListField"),
            _declared("metadata", "EmbeddedDocumentField", "fiftyone.core.metadata.Metadata"),
        ]  # fmt: skip
        declared += [_declared(n, _FIELDS.get(t, "DictField")) for n, t in self.others.items()]
        declared += [
            _declared(n, "EmbeddedDocumentField", f"{label}{c}") for n, c in self.fields.items()
        ]
        own: Row = {"subsets": self.subsets, "layers": self.layers}
        return json.dumps({
            "name": self.export.name, "version": "1.0.0", "media_type": "image",
            "sample_fields": declared,
            "default_classes": [label.name for label in self.export.labels],
            "skeletons": {
                name: {"labels": list(s.points), "edges": [list(e) for e in s.edges]}
                for name, s in self.skeletons.items()
            },
            "info": {"nbannot": {k: v for k, v in own.items() if v}},
        }, ensure_ascii=False, indent=1) + "\n"  # fmt: skip


def _declared(name: str, kind: str, document: str | None = None) -> Row:
    prefix = "fiftyone.core.fields."
    made: Row = {
        "name": name, "ftype": prefix + kind, "embedded_doc_type": document, "subfield": None,
        "fields": [], "db_field": "_id" if name == "id" else name,
    }  # fmt: skip
    if name == "tags":
        made["subfield"] = prefix + "StringField"
    return made
