"""COCO datasets that tests make, in memory, and what a read of them gives."""

from __future__ import annotations

import json
from typing import Any

from nbannot.formats import get_format
from nbannot.formats.examples import ReadBack, read_back
from nbannot.sources import open_source

__all__ = ["SQUARE", "annotation", "document", "lines", "read", "read_document", "typed"]

SQUARE = [[1.0, 2.0, 11.0, 2.0, 11.0, 14.0, 1.0, 14.0]]


def document(*annotations: Any, **changes: Any) -> dict[str, Any]:
    """Return a document of two images (64x48) and two categories, with these annotations."""
    whole = {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 64, "height": 48},
            {"id": 2, "file_name": "b.png", "width": 64, "height": 48},
        ],
        "annotations": list(annotations),
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    return {k: v for k, v in {**whole, **changes}.items() if v is not None}


def annotation(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a box on the first image; a change to `...` takes the key away."""
    whole = {
        "id": number, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 12], "area": 120,
        "iscrowd": 0, **changes,
    }  # fmt: skip
    return {k: v for k, v in whole.items() if v is not ...}


def read(files: dict[str, Any], limit: int | None = None, **options: Any) -> ReadBack:
    """Read files (bytes, text, or values that become JSON), without their media."""
    data = {p: _bytes(content) for p, content in files.items()}
    return read_back(get_format("coco"), open_source(data), limit=limit, **options)


def _bytes(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    return content.encode() if isinstance(content, str) else json.dumps(content).encode()


def read_document(content: Any, **options: Any) -> ReadBack:
    """Read one document from annotations/instances_train.json."""
    return read({"annotations/instances_train.json": content}, **options)


def lines(found: ReadBack, outcome: str) -> list[tuple[str, str]]:
    """Return (record, reason) of the ledger's lines of one outcome."""
    rows = found.ledger.to_pandas()
    rows = rows[rows["outcome"] == outcome]
    return list(zip(rows["record"], rows["reason"], strict=True))


def typed(found: ReadBack) -> list[str]:
    """Return the types of the annotations, in order."""
    return [row["type"] for row in found.annotations]
