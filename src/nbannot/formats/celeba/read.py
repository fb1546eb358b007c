"""Reading CelebA: its tables are put together by image."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from ...ledger import Ledger
from ...media.kinds import is_image, suffix
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..faces import FACE, LANDMARKS, finite_numbers, five_points
from ..json_values import loads
from ..reading import Reading
from .tables import Rows, cells_of, find_tables, parse_table

__all__ = ["SUBSETS", "CelebAReader"]

SUBSETS = ("train", "val", "test")
"""What 0, 1 and 2 mean in list_eval_partition.txt."""

_FOLDERS = {
    True: ("img_align_celeba", "img_align_celeba_png"),
    False: ("img_celeba", "img_celeba_png"),
}

Values = tuple[int, str]


class CelebAReader:
    """Reads a source; one use."""

    def __init__(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None,
    ) -> None:
        self._reading = Reading(source, ledger, progress, limit)
        self._source, self._ledger = source, ledger
        self._images: dict[str, str] = {}
        self._stems: dict[str, str] = {}
        self._paths: dict[str, str] = {}
        self._tables: dict[str, dict[str, Values]] = {}
        self._columns: list[str] = []
        self._names: tuple[str, ...] | None = None
        self._choice = options["images"]

    def read(self) -> Iterator[Batch]:
        """Yield the content."""
        reading = self._reading
        found = sorted(find_tables(self._source), key=lambda t: t.kind != "partition")
        tables = {t.path: t.kind for t in found}
        aligned = self._is_aligned(set(tables.values()))
        self._list_images(aligned=aligned)
        left_out = ("bbox", "landmarks") if aligned else ("landmarks_align",)
        for path, kind in tables.items():
            if kind in left_out:
                text = f"{path} speaks of the {'original' if aligned else 'aligned'} images"
                self._ledger.note("not read: of other images", file=path, message=text)
        wanted = [p for p, kind in tables.items() if kind not in left_out]
        order: dict[str, None] = {}
        for path, data in reading.files(wanted, record="table"):
            self._take(path, tables[path], parse_table(data, self._previewed(order)), order)
        self._declare()
        partition = self._tables.get("partition", {})
        first = [n for n in partition if n in order]
        for name in [*first, *(n for n in order if n not in partition)]:
            if reading.is_full:
                break
            self._image(name, aligned=aligned)
            yield from reading.batches()
        for key, path in self._images.items():
            if path not in reading.used_media and not reading.is_full:
                reading.item(key, media=path)
        yield from reading.rest()

    # -- files ------------------------------------------------------------------------

    def _previewed(self, order: dict[str, None]) -> set[str] | None:
        # The only names that matter: the first ones, where a table has as many as are asked for.
        limit = self._reading.limit
        return None if limit is None or len(order) < limit else set(islice(order, limit))

    def _is_aligned(self, kinds: set[str]) -> bool:
        if self._choice != "auto":
            return bool(self._choice == "aligned")
        folders = {part for f in self._source.files.all_folders() for part in f.split("/")}
        by_folder = [a for a, names in _FOLDERS.items() if folders & set(names)]
        if len(by_folder) == 1:
            return by_folder[0]
        return "landmarks_align" in kinds and not kinds & {"landmarks", "bbox"}

    def _list_images(self, *, aligned: bool) -> None:
        if self._source.main is not None:
            return
        other = set(_FOLDERS[not aligned])
        for path in self._source.files:
            parts = path.split("/")
            if not is_image(path) or other & set(parts[:-1]):
                continue
            while parts[0].lower() in ("img", "images", *_FOLDERS[aligned]) and len(parts) > 1:
                parts = parts[1:]
            key = "/".join(parts)
            self._images.setdefault(key, path)
            self._stems.setdefault(key[: -len(suffix(key))], path)

    def _take(self, path: str, kind: str, table: Rows, order: dict[str, None]) -> None:
        self._paths[kind] = path
        known = self._tables.setdefault(kind, {})
        for line in table.bad:
            self._reject(kind, line, "line is not of a table", "it is not an image and values")
        for line, name, values in table.rows:
            if name in known:
                self._reject(kind, line, "image is listed twice", f"{name} was listed before")
                continue
            known[name] = (line, values)
            order[name] = None
        if (
            self._reading.limit is None
            and table.count is not None
            and table.count != len(table.rows) + len(table.bad)
        ):
            self._ledger.note(
                "count is not the number of rows", file=path,
                message=f"{path} says {table.count:,} rows and has {len(table.rows):,}",
            )  # fmt: skip
        if kind == "attr":
            columns = table.columns
            self._columns = columns[1:] if columns[:1] == ["image_id"] else columns

    def _declare(self) -> None:
        if "dataset_meta.json" in self._source.files and self._source.main is None:
            try:
                found = loads(self._source.read("dataset_meta.json"))[0]
            except ValueError:
                found = None
            names = found.get("labels") if isinstance(found, dict) else None
            if isinstance(names, list) and all(isinstance(n, str) for n in names):
                self._names = tuple(names)
        for name in self._names or ():
            self._reading.label(name)
        for name in self._columns:
            self._reading.label(name, extra={"celeba": "attribute"})

    # -- one image --------------------------------------------------------------------

    def _image(self, name: str, *, aligned: bool) -> None:
        reading = self._reading
        media = self._images.get(name)
        if media is None and suffix(name):
            media = self._stems.get(name[: -len(suffix(name))])
        own: dict[str, Any] = {"attributes": True} if name in self._tables.get("attr", {}) else {}
        if aligned:
            own["aligned"] = True
        item = reading.item(
            name, subset=self._subset(name), media=media,
            meta=json.dumps({"celeba": own}) if own else None,
        )  # fmt: skip
        if media is None and self._images:
            reading.warn(
                "image file missing", record="item", item=name,
                message=f"{name}: there is no image of this name",
            )  # fmt: skip
        identity = self._identity(name)
        if identity is not None:
            reading.annotation(item, type="tag", label=identity)
        self._attributes(item, name)
        label = identity or FACE
        for kind in ("landmarks_align", "landmarks"):
            numbers = self._numbers(kind, name, 10)
            if numbers is not None:
                self._skeleton(label)
                reading.annotation(item, label=label, **five_points(numbers))
        self._box(item, name, label)

    def _subset(self, name: str) -> str | None:
        found = self._tables.get("partition", {}).get(name)
        if found is None:
            return None
        line, cells = found[0], cells_of(found[1])
        if len(cells) == 1 and cells[0] in ("0", "1", "2"):
            return SUBSETS[int(cells[0])]
        self._reject(
            "partition", line, "partition is not 0, 1 or 2", f"{name} has {' '.join(cells)!r}"
        )
        return None

    def _identity(self, name: str) -> str | None:
        found = self._tables.get("identity", {}).get(name)
        if found is None:
            return None
        line, cells = found[0], cells_of(found[1])
        if len(cells) != 1 or not cells[0].isdecimal():
            text = f"{name} has {' '.join(cells)!r}"
            self._reject("identity", line, "identity is not a number", text)
            return None
        number = int(cells[0][:18])
        if self._names is not None and number < len(self._names):
            return self._names[number]
        return str(number)

    def _attributes(self, item: int, name: str) -> None:
        found = self._tables.get("attr", {}).get(name)
        if found is None:
            return
        line, cells = found[0], cells_of(found[1])
        if len(cells) != len(self._columns):
            text = f"{name} has {len(cells)} values for {len(self._columns)} attributes"
            self._reject("attr", line, "row of another length", text)
            return
        for attribute, value in zip(self._columns, cells, strict=True):
            if value == "1":
                self._reading.annotation(item, type="tag", label=attribute)
            elif value not in ("-1", "0"):
                text = f"{attribute} of {name} is {value!r}, not 1 or -1"
                self._reject("attr", line, "attribute is not 1 or -1", text, f" {attribute}")

    def _numbers(self, kind: str, name: str, count: int) -> list[float] | None:
        found = self._tables.get(kind, {}).get(name)
        if found is None:
            return None
        line, cells = found[0], cells_of(found[1])
        numbers = finite_numbers(cells)
        if numbers is None or len(numbers) != count:
            text = f"{name} has not {count} numbers"
            self._reject(kind, line, "row is not numbers", text)
            return None
        return numbers

    def _box(self, item: int, name: str, label: str) -> None:
        numbers = self._numbers("bbox", name, 4)
        if numbers is None:
            return
        line = self._tables["bbox"][name][0]
        x, y, w, h = numbers
        if w < 0 or h < 0:
            self._reject("bbox", line, "box of negative size", f"{name}: {w:g} x {h:g}")
            return
        if not (w and h):
            where = f"line {line}"
            self._ledger.warn(
                "box without area", file=self._paths["bbox"], where=where, record=where, item=name,
                message=f"{where}: its width or height is 0",
            )  # fmt: skip
        self._reading.annotation(item, type="box", label=label, x=x, y=y, w=w, h=h)

    def _skeleton(self, label: str) -> None:
        known = self._reading.labels.get(label)
        if known is None or known.skeleton is None:
            self._reading.label(label, skeleton=LANDMARKS)

    def _reject(self, kind: str, line: int, reason: str, text: str, more: str = "") -> None:
        where = f"line {line}"
        self._reading.reject(
            reason, file=self._paths[kind], where=where, record=where + more,
            message=f"{where}: {text}",
        )  # fmt: skip
