"""A small dataset to write, and reading it back: what the conformance suite works with."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from ..geometry import mask_to_rle
from ..ledger import Balance, Ledger
from ..progress import Progress
from ..schema import Batch, Label, Skeleton
from ..sources.base import Source
from .base import Format
from .writing import Sink, safe_path

__all__ = ["Example", "MemorySink", "ReadBack", "Row", "example", "read_back", "written"]

Row = dict[str, Any]
WIDTH, HEIGHT = 64, 48


@dataclass
class Example:
    """A small dataset, as a writer sees it: rows of items and annotations by subset.

    An item is a dict of columns of ITEMS (`item` is given by the order); an annotation of columns
    of ANNOTATIONS, `item` being the key of its item.
    """

    items: dict[str, list[Row]]
    annotations: dict[str, list[Row]] = field(default_factory=dict)
    labels: tuple[Label, ...] = ()
    name: str = "example"

    @property
    def subsets(self) -> tuple[str, ...]:
        """Return the names of the subsets."""
        return tuple(self.items)

    def batches(self, subset: str) -> Iterator[Batch]:
        """Yield the subset, two items at a time."""
        rows = self.items[subset]
        first = sum(len(self.items[s]) for s in self.subsets[: self.subsets.index(subset)])
        for start in range(0, len(rows), 2):
            some = rows[start : start + 2]
            numbers = {row["key"]: first + start + i for i, row in enumerate(some)}
            theirs = [a for a in self.annotations.get(subset, ()) if a["item"] in numbers]
            yield Batch.of(
                _columns(
                    {"item": numbers[r["key"]], "subset": subset, "kind": "image", **r}
                    for r in some
                ),
                _columns({**a, "item": numbers[a["item"]]} for a in theirs),
                self.labels,
            )

    def media(self, item: int) -> bytes:
        """Return a picture of the item's size."""
        row = [r for rows in self.items.values() for r in rows][item]
        out = io.BytesIO()
        size = (row.get("width") or WIDTH, row.get("height") or HEIGHT)
        suffix = Path(row["key"]).suffix.lower()
        shade = (40 * item % 256, 90, 160)
        Image.new("RGB", size, shade).save(out, "PNG" if suffix == ".png" else "JPEG")
        return out.getvalue()


class MemorySink(Sink):
    """Keeps what is written, in `files`."""

    def __init__(self, media: Any = None) -> None:
        super().__init__(media)
        self.files: dict[str, bytes] = {}
        self._open = ""

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """Open a file; as a zip, it knows one at a time."""
        assert not self._open, f"{path} is opened while {self._open} is: a zip can't do that"
        path = safe_path(path)
        assert path not in self.files, f"{path} is written twice"
        self._open = path
        stream = io.BytesIO()
        yield stream
        self.files[path] = stream.getvalue()
        self._open = ""


@dataclass
class ReadBack:
    """What a format read: items and annotations as dicts (of values that are not null)."""

    items: list[Row]
    annotations: list[Row]
    labels: dict[str, Label]
    ledger: Ledger
    balance: Balance | None


def written(format: Format, what: Any, *, media: bool = True, **options: Any) -> dict[str, bytes]:
    """Return the files that a format writes of an example."""
    sink = MemorySink(what.media if media else None)
    chosen = format.check_options(options, writing=True)
    format.write(what, sink, chosen, Ledger(), Progress())
    return sink.files


def read_back(
    format: Format, source: Source, *, limit: int | None = None, **options: Any
) -> ReadBack:
    """Read a source with a format; the ledger must balance, unless there is a limit."""
    ledger = Ledger()
    items: list[Row] = []
    annotations: list[Row] = []
    labels: dict[str, Label] = {}
    for batch in format.read(source, format.check_options(options), ledger, Progress(), limit):
        items += batch.items.to_pylist()
        annotations += batch.annotations.to_pylist()
        for label in batch.labels:
            labels.setdefault(label.name, label)
    balance = ledger.check(len(items) + len(annotations)) if limit is None else None
    keys = {row["item"]: (row["subset"], row["key"]) for row in items}
    plain = [{k: v for k, v in row.items() if v is not None} for row in annotations]
    for row in plain:
        row["subset"], row["key"] = keys[row.pop("item")]
    items = [{k: v for k, v in row.items() if v is not None} for row in items]
    return ReadBack(items, plain, labels, ledger, balance)


_POSE = Skeleton(("nose", "left", "right"), ((0, 1), (0, 2)))


def example(holds: Sequence[str]) -> Example:
    """Return a dataset of two subsets with an annotation of each type in `holds`.

    Names are nested and not ASCII, two images of different folders share a base name, one image
    has no annotation, and no image is square.
    """
    labels = (
        Label("cat", source_id="7"),
        Label("big dog", source_id="2"),
        Label("größe ✓", source_id="90"),
        Label("pose", skeleton=_POSE, source_id="3"),
    )
    items = {
        "train": [
            _item("a/1.jpg", "11"), _item("b/1.jpg", "5"), _item("plain.jpg", "900"),
            _item("ordner/größe ✓ 1.2.jpg", "12"),
        ],
        "val": [_item("a/1.jpg", "1"), _item("empty.jpg", "2")],
    }  # fmt: skip
    annotations: dict[str, list[Row]] = {"train": [], "val": []}
    shapes = _shapes()
    for kind in holds:
        for number, shape in enumerate(shapes.get(kind, ())):
            subset = "val" if number % 2 else "train"
            keys = [row["key"] for row in items[subset]]
            key = "a/1.jpg" if subset == "val" else keys[number % 3 and 3]
            annotations[subset].append({"item": key, "type": kind, **shape})
    if "box" in holds:
        box = {"x": 1.0, "y": 2.0, "w": 3.0, "h": 4.0}
        annotations["train"].append({"item": "b/1.jpg", "type": "box", "label": "cat", **box})
    for rows in annotations.values():
        for number, row in enumerate(rows):
            row["source_id"] = str(100 + 7 * number)
    return Example(items, annotations, labels)


def _item(key: str, source_id: str) -> Row:
    return {"key": key, "width": WIDTH, "height": HEIGHT, "source_id": source_id}


def _shapes() -> dict[str, list[Row]]:
    mask = [
        [int(8 <= x < 24 and 4 <= y < 40 and x != 12) for x in range(WIDTH)] for y in range(HEIGHT)
    ]
    ring = [8.0, 4.0, 24.0, 4.0, 24.0, 40.0, 8.0, 40.0]
    two = [*ring, 30.0, 10.0, 40.0, 10.0, 35.0, 20.5]
    return {
        "box": [
            {"label": "cat", "x": 2.123456789012345, "y": 3.1, "w": 10.7, "h": 5.9},
            {"label": "größe ✓", "x": 0.0, "y": 0.0, "w": 64.0, "h": 48.0},
        ],
        "polygon": [
            {"label": "big dog", "points": ring, "x": 8.0, "y": 4.0, "w": 16.0, "h": 36.0},
            {"label": "cat", "points": two, "rings": [4, 3], "x": 8.0, "y": 4.0, "w": 32.0,
             "h": 36.0},
        ],
        "mask": [
            {"label": "cat", "mask": mask_to_rle(mask), "mask_height": HEIGHT,
             "mask_width": WIDTH, "x": 8.0, "y": 4.0, "w": 16.0, "h": 36.0},
        ],
        "skeleton": [
            {"label": "pose", "points": [5.0, 6.5, 10.0, 12.0, 0.0, 0.0], "visibility": [2, 1, 0],
             "x": 4.0, "y": 5.0, "w": 8.0, "h": 9.0},
        ],
        "ellipse": [{"label": "cat", "x": 4.0, "y": 5.0, "w": 8.0, "h": 10.0}],
        "polyline": [{"label": "cat", "points": [1.0, 2.0, 30.0, 4.5, 31.0, 40.0]}],
        "points": [{"label": "cat", "points": [1.0, 2.0, 30.0, 4.5]}],
        "tag": [{"label": "cat"}, {"label": "big dog"}],
        "text": [{"text": 'a "cat",\na dog and größe ✓'}],
    }  # fmt: skip


def _columns(rows: Iterable[Row]) -> dict[str, list[Any]]:
    rows = list(rows)
    names = dict.fromkeys(n for row in rows for n in row)
    return {n: [row.get(n) for row in rows] for n in names}
