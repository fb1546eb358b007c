"""The page as the browser gets it: decoded here as `decodePage` in js/shared/page.ts does."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nbannot.errors import SchemaError
from nbannot.palette import color_of
from nbannot.project import Page
from nbannot.schema import ANNOTATIONS, TYPES, Label, Skeleton, table


def decode(page: Page) -> list[dict[str, Any]]:
    """Return the annotations of an encoded page, as a browser reads them."""
    header, buffers = page.encode()
    json.dumps(header, allow_nan=False)
    assert len(buffers) == len(header["columns"])
    column = {
        c["name"]: np.frombuffer(data, np.dtype(c["dtype"]).newbyteorder("<"))
        for c, data in zip(header["columns"], buffers, strict=True)
    }

    def part(name: str, values: str, i: int) -> list[Any]:
        start = column[f"annotation.{name}_start"]
        return column[values][start[i] : start[i + 1]].tolist()

    def number(name: str, i: int) -> float | None:
        value = column[f"annotation.{name}"][i]
        return None if np.isnan(value) else float(value)

    found = []
    for i in range(len(column["annotation.item"])):
        label = column["annotation.label"][i]
        first = column["annotation.points_start"][i] // 2
        count = len(part("points", "points", i)) // 2
        found.append(
            {
                "item": int(column["annotation.item"][i]),
                "type": TYPES[column["annotation.type"][i]],
                "label": None if label < 0 else header["labels"][label]["name"],
                "layer": header["layers"][column["annotation.layer"][i]],
                **{n: number(n, i) for n in ("x", "y", "w", "h", "rotation", "score")},
                "points": part("points", "points", i),
                "rings": part("rings", "rings", i),
                "visibility": column["visibility"][first : first + count].tolist(),
                "mask": bytes(part("mask", "mask", i)),
                "mask_size": (
                    int(column["annotation.mask_height"][i]),
                    int(column["annotation.mask_width"][i]),
                ),
                "text": header["texts"].get(str(i)),
            }
        )
    return found


def items(count: int) -> pa.Table:
    """Return a page's items, only with the columns that must be there."""
    ids = [str(2**60 + i) for i in range(count)]
    return pa.table(
        {"id": ids, "key": [f"{i}.jpg" for i in range(count)], "kind": ["image"] * count}
    )


def rows(*values: dict[str, Any]) -> pa.Table:
    """Return annotations of a page."""
    return table({n: [v.get(n) for v in values] for n in ANNOTATIONS.names}, ANNOTATIONS)


def test_what_the_browser_gets_is_what_is_there():
    """Every kind of geometry, nulls, layers, labels and texts come through."""
    made = rows(
        {"item": 1, "type": "box", "label": "cat", "x": 1.5, "y": 0.0, "w": 3.0, "h": 4.0,
         "rotation": 30.0, "attributes": '{"age": 3, "é": "ü"}'},
        {"item": 0, "type": "polygon", "label": "dog", "layer": "yolo", "score": 0.25,
         "points": [0.0, 0, 4, 0, 4, 4, 1, 1, 2, 1, 2, 2], "rings": [3, -3]},
        {"item": 1, "type": "mask", "mask": b"ab\xff", "mask_height": 48, "mask_width": 64},
        {"item": 1, "type": "skeleton", "label": "cat", "points": [1.0, 2, 3, 4],
         "visibility": [2, 0]},
        {"item": 1, "type": "number", "number": 2.5, "text": "so"},
        {"item": 1, "type": "tag", "points": []},
    )  # fmt: skip
    labels = [Label("unused"), Label("cat", "#010203", skeleton=Skeleton(("a", "b"), ((0, 1),)))]
    page = Page.from_tables(items(2), made, labels, [b"", b"\xff\xd8jpeg"], start=24, total=1000)
    header, _ = page.encode()
    assert (header["start"], header["total"], len(page)) == (24, 1000, 2)
    assert header["layers"] == ["ground truth", "yolo"]
    assert header["labels"] == [
        {"name": "cat", "color": "#010203", "points": ["a", "b"], "edges": [[0, 1]]},
        {"name": "dog", "color": color_of(3), "points": None, "edges": []},
    ]
    assert header["items"][0] == {
        "item": str(2**60), "key": "0.jpg", "task": "", "kind": "image", "width": None,
        "height": None, "annotations": 1, "note": "",
    }  # fmt: skip
    assert header["items"][1]["annotations"] == 5
    box, polygon, mask, skeleton, number, tag = decode(page)
    assert (box["item"], box["type"], box["label"], box["layer"]) == (
        1,
        "box",
        "cat",
        "ground truth",
    )
    assert [box[n] for n in ("x", "y", "w", "h", "rotation", "score")] == [1.5, 0, 3, 4, 30, None]
    assert box["text"] == "age: 3, é: ü"
    assert (polygon["layer"], polygon["score"], polygon["x"]) == ("yolo", 0.25, None)
    assert polygon["points"] == [0, 0, 4, 0, 4, 4, 1, 1, 2, 1, 2, 2]
    assert polygon["rings"] == [3, -3]
    assert polygon["visibility"] == [2] * 6
    assert (mask["mask"], mask["mask_size"], mask["label"]) == (b"ab\xff", (48, 64), None)
    assert (skeleton["points"], skeleton["visibility"]) == ([1, 2, 3, 4], [2, 0])
    assert (number["text"], tag["points"], tag["text"]) == ("so, 2.5", [], None)


def test_thumbnails_are_packed():
    """Pictures lie one after the other; an empty one is none."""
    page = Page.from_tables(items(3), rows(), {}, [b"one", b"", b"three"])
    header, buffers = page.encode()
    column = {c["name"]: data for c, data in zip(header["columns"], buffers, strict=True)}
    start = np.frombuffer(column["thumb_start"], np.int32)
    thumbs = [column["thumbs"][a:b] for a, b in itertools.pairwise(start)]
    assert thumbs == [b"one", b"", b"three"]
    assert header["has_visibility"] is False
    assert decode(page) == []


def test_an_empty_page():
    """No items at all is a page too."""
    page = Page.from_tables(items(0), rows(), {}, [])
    header, _ = page.encode()
    assert (header["items"], header["total"]) == ([], 0)


def test_long_texts_and_odd_attributes():
    """A text is cut, and attributes that are no object are shown as they are."""
    made = rows(
        {"item": 0, "type": "text", "text": "x" * 500},
        {"item": 0, "type": "tag", "attributes": "not JSON"},
        {"item": 0, "type": "tag", "attributes": "{}"},
    )
    page = Page.from_tables(items(1), made, {}, [b""])
    long, odd, none = (row["text"] for row in decode(page))
    assert (len(long), long[-1], odd, none) == (200, "…", "not JSON", None)


def test_more_layers_than_a_byte_counts():
    """Layers beyond 256 share the last code; nothing wraps around to another layer."""
    made = rows(*({"item": 0, "type": "tag", "layer": f"v{n}"} for n in range(300)))
    layers = [row["layer"] for row in decode(Page.from_tables(items(1), made, {}, [b""]))]
    assert layers[:255] == [f"v{n}" for n in range(255)]
    assert set(layers[255:]) == {"v254"}


def test_tables_that_do_not_fit_are_refused():
    """A missing column, or pictures that are not one per item, are errors."""
    with pytest.raises(SchemaError, match=r"lack the columns.*kind"):
        Page.from_tables(items(1).drop_columns("kind"), rows(), {}, [b""])
    with pytest.raises(SchemaError, match="2 thumbnails for 1 items"):
        Page.from_tables(items(1), rows(), {}, [b"", b""])
