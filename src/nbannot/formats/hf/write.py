"""Columns of a dataset to be written: which there are, and the values of one row."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc
import yaml

from ...schema import Label
from ..fitting import Fitting, Holds, Row
from ..writing import Export

__all__ = ["HOLDS", "Columns", "columns_of", "extra_columns", "readme_of"]

HOLDS = Holds(
    {"box": (), "tag": (), "text": ()},
    columns=("score", "attributes", "text"),
    kinds=("image", "audio", "video"),
    unlabelled=True,
)
_MORE = ("score", "text", "attributes")


@dataclass
class Columns:
    """Which columns are written, by what there is to write.

    `boxes`: ``objects``; `tag`: ``label`` (one class) or ``labels`` (several); `text`: ``text`` or
    ``captions``; `more`: further lists in ``objects``.
    """

    boxes: bool = False
    tag: str = ""
    text: str = ""
    more: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    numbers: dict[str, int] = field(default_factory=dict)

    def values(self, item: Row, rows: list[Row], fitting: Fitting) -> Row:
        """Return the columns of one row; what none of them holds is a line of the ledger."""
        out: Row = {}
        boxes = [r for r in rows if r["type"] == "box"]
        if self.boxes:
            out["objects"] = self._objects(boxes)
        tags = self._tags(item, [r for r in rows if r["type"] == "tag"], fitting)
        if self.tag == "label":
            out["label"] = tags[0] if tags else None
        elif self.tag:
            out["labels"] = tags
        texts = [r["text"] for r in rows if r["type"] == "text" and "text" in r]
        if self.text == "text":
            out["text"] = texts[0] if texts else None
        elif self.text:
            out["captions"] = texts
        return out

    def _objects(self, boxes: list[Row]) -> Row:
        out: Row = {
            "bbox": [[r[n] for n in "xywh"] for r in boxes],
            "category": [self.number(r.get("label")) for r in boxes],
        }
        for name in self.more:
            out[name] = [r.get(name) for r in boxes]
        return out

    def _tags(self, item: Row, rows: list[Row], fitting: Fitting) -> list[int]:
        out: list[int] = []
        for row in rows:
            number = self.number(row.get("label"))
            if number is None:
                fitting.reject(item, row, "annotation without a label", "a class needs one")
                continue
            for name in ("score", "attributes"):
                value = row.get(name)
                if value not in (None, "{}"):
                    text = f"{name} {value} is lost"
                    fitting.warn(item, row, f"{name} of a class can't be written", text)
            out.append(number)
        return out

    def number(self, label: str | None) -> int | None:
        """Return the number of a class; None: no class."""
        if label is None:
            return None
        return self.numbers.setdefault(label, len(self.numbers))

    @property
    def names(self) -> list[str]:
        """Names of the classes, in the order of their numbers."""
        return list(self.numbers)


_SHAPES = ("box", "polygon", "mask", "ellipse", "cuboid", "skeleton")


def columns_of(export: Export) -> Columns:
    """Return the columns that a dataset needs, by looking through it once."""
    found = Columns(numbers={label.name: i for i, label in enumerate(export.labels)})
    tags = texts = 0
    more: set[str] = set()
    for subset in export.subsets:
        for batch in export.batches(subset):
            rows = batch.annotations
            shapes = rows.filter(pc.is_in(rows["type"], value_set=_strings(_SHAPES)))
            found.boxes = found.boxes or shapes.num_rows > 0
            more |= {n for n in _MORE if shapes[n].null_count < shapes.num_rows}
            names = pc.unique(rows["label"].drop_null()).to_pylist()
            for name in names:
                found.numbers.setdefault(name, len(found.numbers))
            tags = max(tags, _most(rows, "tag"))
            texts = max(texts, _most(rows, "text"))
    found.tag = "" if not tags else "label" if tags == 1 else "labels"
    found.text = "" if not texts else "text" if texts == 1 else "captions"
    found.more = tuple(n for n in _MORE if n in more)
    return found


def _strings(values: Any) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.string())


def _most(rows: Any, kind: str) -> int:
    # How many rows of a type are on one item, at most.
    some = rows.filter(pc.equal(rows["type"], kind))
    if not some.num_rows:
        return 0
    return int(pc.max(pc.value_counts(some["item"].combine_chunks()).field("counts")).as_py())


def extra_columns(item: Row) -> Row:
    """Return the columns that a dataset had beyond those that are known here."""
    try:
        kept = json.loads(item.get("meta") or "{}").get("hf")
    except (ValueError, AttributeError):
        return {}
    return kept if isinstance(kept, dict) else {}


def readme_of(columns: Columns) -> str:
    """Return a ``README.md`` that names the columns and the classes."""
    label = {"class_label": {"names": {str(i): n for i, n in enumerate(columns.names)}}}
    features: list[dict[str, Any]] = [{"name": "file_name", "dtype": "string"}]
    if columns.boxes:
        inner: list[dict[str, Any]] = [
            {"name": "bbox", "sequence": "float64", "length": 4},
            {"name": "category", "dtype": label},
        ]
        kinds = {"score": "float64", "text": "string", "attributes": "string"}
        inner += [{"name": n, "dtype": kinds[n]} for n in columns.more]
        features.append({"name": "objects", "sequence": inner})
    if columns.tag == "label":
        features.append({"name": "label", "dtype": label})
    elif columns.tag:
        features.append({"name": "labels", "sequence": label})
    if columns.text == "text":
        features.append({"name": "text", "dtype": "string"})
    elif columns.text:
        features.append({"name": "captions", "sequence": "string"})
    text = yaml.safe_dump(
        {"dataset_info": {"features": features}}, sort_keys=False, allow_unicode=True
    )
    return f"---\n{text}---\n"
