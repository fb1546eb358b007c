"""Writing Open Images."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ... import geometry
from ...ledger import Ledger
from ...progress import Progress
from ...schema import DEFAULT_SUBSET, Label
from ..bit_masks import write_mask
from ..fitting import FileNames, Fitting, Holds, Row
from ..image_files import extra_of
from ..writing import Export, Sink

__all__ = ["write"]

_HOLDS = Holds(
    {"box": (), "tag": (), "mask": ()},
    columns=("score", "occluded", "attributes", "source_id", "extra"),
)
_FLAGS = ("truncated", "is_group_of", "is_depiction", "is_inside")
# fmt: off
_BOX = [
    "ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax", "IsOccluded",
    "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside",
]
_TAG = ["ImageID", "Source", "LabelName", "Confidence"]
_MASK = [
    "MaskPath", "ImageID", "LabelName", "BoxID", "BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax",
    "PredictedIoU", "Clicks",
]
_LIST = [
    "ImageID", "Subset", "OriginalURL", "OriginalLandingURL", "License", "AuthorProfileURL",
    "Author", "Title", "OriginalSize", "OriginalMD5", "Thumbnail300KURL", "Rotation",
]
# fmt: on
_ID = re.compile(r"/[a-z]/\w+")
_UNSAFE = re.compile(r'[\x00-\x1f<>:"/\\|?*]')


class _Table:
    """A CSV file that is put together in memory."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._out = io.StringIO(newline="")
        self._csv = csv.writer(self._out, lineterminator="\n")
        self.rows = -1
        if columns:
            self.add(columns)

    def add(self, cells: Sequence[Any]) -> None:
        """Add a row."""
        self._csv.writerow(cells)
        self.rows += 1

    def text(self) -> str:
        """Return the file."""
        return self._out.getvalue()


class _Subset:
    """What is written of one subset: three tables, and the masks at once."""

    def __init__(self, name: str, sink: Sink, fitting: Fitting, ids: dict[str, str]) -> None:
        self.name, self._sink, self._fitting, self._ids = name, sink, fitting, ids
        self.boxes, self.tags, self.masks = _Table(_BOX), _Table(_TAG), _Table(_MASK)
        self._masks = 0
        self.lost = 0  # annotations with what another format's reader had kept

    def add(self, item: Row, image: str, rows: Sequence[Row]) -> None:
        """Add the annotations of an item, whose ImageID is `image`."""
        size = item.get("width"), item.get("height")
        seen: set[str] = set()
        for row in rows:
            self.lost += bool(row.get("extra")) and not extra_of(row, "openimages")
            label = self._ids.setdefault(row["label"], row["label"])
            if row["type"] == "tag":
                if label in seen:
                    self._fitting.reject(item, row, "twice the same class", row["label"])
                    continue
                seen.add(label)
                self._tag(item, image, label, row)
            elif not (size[0] and size[1]):
                text = "coordinates are parts of the image's size, which is not known"
                self._fitting.reject(item, row, "size of the image is unknown", text)
            elif row["type"] == "box":
                self._box(item, image, label, row, size)
            else:
                self._mask(item, image, label, row, size)

    def _tag(self, item: Row, image: str, label: str, row: Row) -> None:
        values = self._values(item, row, ("absent",))
        confidence: Any = 0 if values.get("absent") is True else row.get("score", 1)
        if row.get("occluded"):
            text = "occluded True is lost"
            self._fitting.warn(item, row, "occluded can't be written", text)
        source = extra_of(row, "openimages").get("source", "verification")
        self.tags.add([image, source, label, confidence])

    def _box(self, item: Row, image: str, label: str, row: Row, size: Any) -> None:
        values = self._values(item, row, _FLAGS)
        flags = [row.get("occluded"), *(values.get(n) for n in _FLAGS)]
        source = extra_of(row, "openimages").get("source", "xclick")
        shown = [-1 if f is None else int(f) for f in flags]
        self.boxes.add([image, source, label, row.get("score", 1), *_edges(row, size), *shown])

    def _mask(self, item: Row, image: str, label: str, row: Row, size: Any) -> None:
        self._values(item, row, ())
        height, width = row["mask_height"], row["mask_width"]
        if (width, height) != size:
            text = f"its size is {width}x{height}, and the image's {size[0]}x{size[1]}"
            self._fitting.warn(item, row, "mask of another size", text)
        for name in ("score", "occluded"):
            if row.get(name) not in (None, False):
                text = f"{name} {row[name]} is lost"
                self._fitting.warn(item, row, f"{name} can't be written", text)
        self._masks += 1
        known = row.get("source_id", "")
        box = known if re.fullmatch(r"[0-9a-f]{8}", known) else f"{self._masks:08x}"
        stem = _UNSAFE.sub("_", f"{image}_{label.replace('/', '')}_{self._masks:08x}")
        mask = geometry.rle_to_mask(row["mask"], height, width)
        self._sink.write(f"masks/{self.name}/{stem}.png", write_mask(mask))
        extra = extra_of(row, "openimages")
        more = [extra.get("predictediou", ""), extra.get("clicks", "")]
        edges = _edges(row, (width, height)) if row.get("w") is not None else [""] * 4
        self.masks.add([f"{stem}.png", image, label, box, *edges, *more])

    def _values(self, item: Row, row: Row, kept: Sequence[str]) -> dict[str, Any]:
        values = json.loads(row.get("attributes") or "{}")
        lost = {n: v for n, v in values.items() if n not in kept or not isinstance(v, bool)}
        if lost:
            text = f"attributes {lost} are lost"
            self._fitting.warn(item, row, "attributes can't be written", text)
        return {n: v for n, v in values.items() if n not in lost}


def write(export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
    """Write a dataset; see `OpenImages.write`."""
    fitting = Fitting("Open Images", _HOLDS, ledger)
    ids = _ids(export.labels)
    images, sizes = _Table(_LIST), io.StringIO()
    progress.start("Writing", unit="items")
    taken: set[str] = set()
    lost = 0
    for subset in export.subsets:
        name = _UNSAFE.sub("_", subset or DEFAULT_SUBSET)
        while name in taken:
            name += "_"
        taken.add(name)
        if name != (subset or DEFAULT_SUBSET):
            ledger.note("subset renamed", message=f"{subset!r} is written as {name!r}")
        files = FileNames(stems=True)
        part = _Subset(name, sink, fitting, ids)
        for batch in export.batches(subset):
            for item, rows in fitting.fit(batch):
                path = files.of(item)
                image = path.rpartition(".")[0] or path
                sink.add_media(f"images/{name}/{path}", item["number"])
                images.add(_list_row(item, image, name))
                if item.get("width") and item.get("height"):
                    quoted = json.dumps(image, ensure_ascii=False)
                    sizes.write(f"{quoted} {item['height']} {item['width']}\n")
                part.add(item, image, rows)
                progress.advance()
        lost += part.lost
        for table, end in (
            (part.boxes, "annotations-bbox"),
            (part.tags, "annotations-human-imagelabels"),
            (part.masks, "annotations-object-segmentation"),
        ):
            if table.rows:
                sink.write(f"annotations/{name}-{end}.csv", table.text())
    if lost:
        ledger.note("no place in Open Images", message=f"extra of {lost:,} records")
    _finish(export, sink, images, sizes.getvalue(), ids)
    fitting.close()


def _finish(export: Export, sink: Sink, images: _Table, sizes: str, ids: dict[str, str]) -> None:
    names = _Table(["LabelName", "DisplayName"])
    for shown, given in ids.items():
        names.add([given, shown])
    sink.write("annotations/class-descriptions.csv", names.text())
    sink.write("annotations/image_ids_and_rotation.csv", images.text())
    sink.write("annotations/images.meta", sizes)
    parents = {label.name: label.parent for label in export.labels if label.parent in ids}
    if parents:
        tree = _tree(parents, ids)
        text = json.dumps(tree, ensure_ascii=False, indent=1)
        sink.write("annotations/bbox_labels_600_hierarchy.json", text)


def _ids(labels: Sequence[Label]) -> dict[str, str]:
    # Name of the label -> LabelName: its id where that is one of Open Images, else its name.
    ids: dict[str, str] = {}
    used: set[str] = set()
    for label in labels:
        given = label.source_id if _ID.fullmatch(label.source_id or "") else label.name
        chosen = given if given and given not in used else label.name
        ids[label.name] = chosen
        used.add(chosen)
    return ids


def _tree(parents: Mapping[str, str | None], ids: dict[str, str]) -> dict[str, Any]:
    nodes: dict[str, dict[str, Any]] = {n: {"LabelName": i} for n, i in ids.items()}
    root: dict[str, Any] = {"LabelName": "/m/0bl9f", "Subcategory": []}
    for name in ids:
        chain, above = {name}, parents.get(name)
        while above and above not in chain:
            chain.add(above)
            above = parents.get(above)
        parent = parents.get(name) if above is None else None  # a circle is cut open
        place = nodes[parent] if parent else root
        place.setdefault("Subcategory", []).append(nodes[name])
    return root


def _list_row(item: Row, image: str, subset: str) -> list[Any]:
    kept = {str(k).lower(): v for k, v in extra_of(item, "openimages", "meta").items()}
    cells = [image, subset, *(kept.get(n.lower(), "") for n in _LIST[2:])]
    cells[-1] = cells[-1] or 0
    return cells


def _edges(row: Row, size: tuple[int, int]) -> list[float]:
    x, y, w, h = (row[n] for n in "xywh")
    return [x / size[0], (x + w) / size[0], y / size[1], (y + h) / size[1]]
