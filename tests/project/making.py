"""Small projects that tests make."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from PIL import Image

from nbannot.project import Commit, Project
from nbannot.schema import ANNOTATIONS, ITEMS, Label, table

__all__ = ["add", "annotation_rows", "item_rows", "jpeg", "keys"]


def jpeg(color: str = "navy", size: tuple[int, int] = (64, 48)) -> bytes:
    """Return a picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "JPEG")
    return out.getvalue()


def item_rows(names: Sequence[str], **columns: Any) -> pa.Table:
    """Return items as `Commit.add_items` takes them, images of 64 x 48."""
    count = len(names)
    values = {"width": [64] * count, "height": [48] * count, "kind": ["image"] * count}
    blobs = columns.pop("blob", [None] * count)
    rows = table({"item": range(count), "key": names, **values, **columns}, ITEMS)
    rows = rows.drop_columns(["item", "subset", "media"])
    return rows.append_column("blob", pa.array(blobs, pa.string()))


def annotation_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return annotations as `Commit.add_annotations` takes them: item, layer, label are ids."""
    ids = ("item", "layer", "label")
    columns = {n: [row.get(n) for row in rows] for n in ANNOTATIONS.names if n not in ids}
    made = table(columns, ANNOTATIONS)
    for name in ids:
        place = ANNOTATIONS.get_field_index(name)
        made = made.set_column(place, name, pa.array([r.get(name) for r in rows], pa.int64()))
    return made


def add(
    project: Project,
    task: str = "train",
    boxes: Mapping[str, Sequence[str]] | None = None,
    layer: str | None = None,
) -> Commit:
    """Import a task: `boxes` has, for each key, the labels of the boxes on it."""
    boxes = {"a.jpg": ["cat", "dog"], "b.jpg": ["cat"], "c.jpg": []} if boxes is None else boxes
    names = list(dict.fromkeys(label for labels in boxes.values() for label in labels))
    with project.begin("import", title=f"Import {task}") as commit:
        labels = commit.ensure_labels([Label(name) for name in names])
        items = commit.add_items(commit.add_task(task, task), item_rows(list(boxes)))
        rows = [
            {"item": item, "label": labels[name], "layer": commit.ensure_layer(layer),
             "type": "box", "x": 1.0 + n, "y": 2.0, "w": 3.0, "h": 4.0}
            for item, (_, found) in zip(items.tolist(), boxes.items(), strict=True)
            for n, name in enumerate(found)
        ]  # fmt: skip
        commit.add_annotations(annotation_rows(rows))
        count = len(boxes) + len(rows)
        commit.finish(read=count, imported=count, summary={"text": f"Adds {task}."})
    return commit


def keys(project: Project) -> list[str]:
    """Return ``task/key`` of all items, in their order."""
    found = project.items
    return [f"{t}/{k}" for t, k in zip(found["task"], found["key"], strict=True)]
