"""The conformance suite: what every format must do, as tests to inherit.

For pytest and Hypothesis, which nbannot itself does not need. A format's own test file says which
format, and what of the example it keeps::

    from nbannot.formats.cases import FormatCases

    class TestMine(FormatCases):
        format_name = "mine"
        compared = ("type", "label", "x", "y", "w", "h")   # columns that come back

Each example is written by the format, found by `detect`, and read again; what is not tested this
way (samples of others, malformed files) is for the format's own tests.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..errors import BrokenFileError
from ..media.kinds import is_image
from ..sources import open_source
from ..sources.base import Source
from . import detect, get_format
from .base import Format
from .examples import Example, ReadBack, Row, example, read_back, written
from .generated import datasets

__all__ = ["FormatCases"]

_NUMBERS = ("x", "y", "w", "h", "rotation", "points", "score")


class FormatCases:
    """Inherit, set `format_name`, and say below what the format can't give back.

    * `compared`: columns of an annotation that come back.
    * `tolerance_px`: how far a coordinate may be off.
    * `keeps_ids`: do items and annotations come back with their source ids?
    * `keeps_empty`: does an image without annotations come back?
    * `needs_media`: is there nothing to write without media?
    * `subset_names`: what the example's subsets are called when they come back.
    * `expected`: change an annotation into what is expected back, or None: nothing is.
    * `generates`: types of annotation that made-up datasets have; by default all it holds.
    """

    format_name: ClassVar[str]
    compared: ClassVar[tuple[str, ...]] = (
        "type", "label", "x", "y", "w", "h", "points", "rings", "visibility", "mask",
        "mask_height", "mask_width", "text",
    )  # fmt: skip
    tolerance_px: ClassVar[float] = 1e-9
    keeps_ids: ClassVar[bool] = False
    keeps_empty: ClassVar[bool] = True
    needs_media: ClassVar[bool] = False
    subset_names: ClassVar[Mapping[str, str]] = {}
    write_options: ClassVar[Mapping[str, Any]] = {}
    read_options: ClassVar[Mapping[str, Any]] = {}
    generates: ClassVar[tuple[str, ...] | None] = None

    def expected(self, row: Row) -> Row | None:
        """Return what comes back of an annotation (override for declared losses)."""
        return row

    def item_key(self, subset: str, key: str) -> str:
        """Return the key that comes back of an item (override where a format changes it)."""
        return key

    def container(self, files: Mapping[str, bytes]) -> str | None:
        """Return the file that is cut in half to break the container; None: there is none."""
        found = [p for p in files if p.endswith((".json", ".parquet"))]
        return max(found, key=lambda p: len(files[p])) if found else None

    # -- fixtures ---------------------------------------------------------------------

    @pytest.fixture
    def format(self) -> Format:
        """The format."""
        return get_format(self.format_name)

    @pytest.fixture
    def dataset(self, format: Format) -> Example:
        """A dataset of what the format holds (override where it can't hold the example)."""
        return example(format.holds)

    @pytest.fixture
    def files(self, format: Format, dataset: Example) -> dict[str, bytes]:
        """The dataset as the format writes it."""
        return written(format, dataset, **self.write_options)

    def read(self, format: Format, source: Source, limit: int | None = None) -> ReadBack:
        """Read a source with the options of this format."""
        return read_back(format, source, limit=limit, **self.read_options)

    # -- tests ------------------------------------------------------------------------

    def test_detects_its_own_output_best(self, format: Format, files: dict[str, bytes]) -> None:
        """`detect` puts the format first, with evidence, for what it wrote."""
        best = detect(open_source(files))[0]
        assert best.format == format.name
        assert best.confidence > 0
        assert best.evidence

    def test_comes_back_as_it_was(
        self, format: Format, dataset: Example, files: dict[str, bytes]
    ) -> None:
        """Written and read again, every annotation is what it was, up to declared losses."""
        found = self.read(format, open_source(files))
        self.same_annotations(dataset, found)

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
    )
    @given(data=st.data())
    def test_made_up_datasets_come_back(self, format: Format, data: st.DataObject) -> None:
        """Whatever is written comes back, up to declared losses, and every record is told of."""
        kinds = format.holds if self.generates is None else self.generates
        if not kinds:
            pytest.skip(f"{format.title} holds nothing that is made up here")
        dataset = data.draw(datasets(kinds))
        files = written(format, dataset, **self.write_options)
        if not files:
            return
        found = self.read(format, open_source(files))
        self.same_annotations(dataset, found)

    def test_nothing_it_wrote_is_doubtful(self, format: Format, files: dict[str, bytes]) -> None:
        """The ledger of its own output balances, without a warning or a rejection."""
        found = self.read(format, open_source(files))
        assert [g for g in found.ledger.groups() if g[0] != "note"] == []

    def test_items_come_back(
        self, format: Format, dataset: Example, files: dict[str, bytes]
    ) -> None:
        """Every item is there, under its own path, with its media: nested, unicode, or empty."""
        found = self.read(format, open_source(files))
        names = {
            (self.subset(s), self.item_key(s, row["key"]))
            for s, rows in dataset.items.items()
            for row in rows
            if self.keeps_empty or any(a["item"] == row["key"] for a in dataset.annotations[s])
        }
        assert {(row.get("subset"), row["key"]) for row in found.items} == names
        assert len(found.items) == len(names)
        media = [row["media"] for row in found.items]
        assert len(set(media)) == len(media)
        assert set(media) <= set(files)

    def test_equal_base_names_are_two_items(self, format: Format, files: dict[str, bytes]) -> None:
        """a/1.jpg and b/1.jpg keep their own annotations and their own media."""
        source = open_source(files)
        found = self.read(format, source)
        train = [row for row in found.items if row.get("subset") == self.subset("train")]
        twins = [
            r for r in train if r["key"] in {self.item_key("train", f"{d}/1.jpg") for d in "ab"}
        ]
        assert len({source.read(row["media"]) for row in twins}) == 2

    def test_labels_come_back(
        self, format: Format, dataset: Example, files: dict[str, bytes]
    ) -> None:
        """Each label in use is declared once, by the same name."""
        found = self.read(format, open_source(files))
        used = {a["label"] for rows in dataset.annotations.values() for a in rows if "label" in a}
        assert used <= set(found.labels)
        assert {row["label"] for row in found.annotations if "label" in row} <= set(found.labels)

    def test_ids_are_opaque_keys(self, format: Format, dataset: Example) -> None:
        """Ids of 0, and ids beyond 2**53, mix nothing up."""
        ids = iter(("0", "9007199254740993", "9223372036854775807", "41", "3", "4"))
        items = {
            s: [{**row, "source_id": next(ids)} for row in rows]
            for s, rows in dataset.items.items()
        }
        numbers = ("0", "9007199254740993", "9223372036854775807", "5")
        labels = tuple(
            replace(label, source_id=number)
            for label, number in zip(dataset.labels, numbers, strict=True)
        )
        changed = replace(dataset, items=items, labels=labels)
        files = written(format, changed, **self.write_options)
        found = self.read(format, open_source(files))
        self.same_annotations(changed, found)
        if self.keeps_ids:
            given = {row["source_id"] for rows in items.values() for row in rows}
            assert {row["source_id"] for row in found.items} == given
            assert {label.source_id for label in found.labels.values()} == set(numbers)

    def test_source_ids_come_back(
        self, format: Format, dataset: Example, files: dict[str, bytes]
    ) -> None:
        """Where the format has ids, those of the source are kept."""
        if not self.keeps_ids:
            pytest.skip(f"{format.title} has no ids")
        found = self.read(format, open_source(files))
        for name, rows in (("item", dataset.items), ("annotation", dataset.annotations)):
            given = {row["source_id"] for some in rows.values() for row in some}
            back = found.items if name == "item" else found.annotations
            assert {row["source_id"] for row in back} == given, name

    def test_an_empty_dataset(self, format: Format, dataset: Example) -> None:
        """A dataset without items is written and read as one."""
        empty = replace(dataset, items={"train": []}, annotations={})
        files = written(format, empty, **self.write_options)
        if not files:
            pytest.skip(f"{format.title} writes no file where there is nothing")
        found = self.read(format, open_source(files))
        assert (found.items, found.annotations) == ([], [])

    def test_a_broken_container_is_named(self, format: Format, files: dict[str, bytes]) -> None:
        """A container cut in half is an error that names the file."""
        path = self.container(files)
        if path is None:
            pytest.skip(f"{format.title} has no container that can break as a whole")
        broken = {**files, path: files[path][: len(files[path]) // 2]}
        with pytest.raises(BrokenFileError, match=Path(path).name):
            self.read(format, open_source(broken))

    def test_a_preview_is_a_prefix(self, format: Format, files: dict[str, bytes]) -> None:
        """With a limit, the first items and all their annotations are those of the full read."""
        source = open_source(files)
        whole = self.read(format, source)
        for limit in (1, 2, 5):
            some = self.read(format, source, limit)
            wanted = whole.items[:limit]
            assert [_without_number(r) for r in some.items[:limit]] == [
                _without_number(r) for r in wanted
            ]
            keys = {(row.get("subset"), row["key"]) for row in wanted}
            assert _of(some.annotations, keys) == _of(whole.annotations, keys)

    def test_folder_zip_and_memory_are_read_alike(
        self, format: Format, files: dict[str, bytes], tmp_path: Path
    ) -> None:
        """It does not matter where the files lie."""
        folder = tmp_path / "data"
        with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
            for path, data in files.items():
                place = folder / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
                archive.writestr(path, data)
        found = []
        for where in (files, folder, tmp_path / "data.zip"):
            with open_source(where) as source:
                back = self.read(format, source)
            found.append((back.items, back.annotations, list(back.labels.values())))
        assert found[1] == found[0]
        assert found[2] == found[0]

    def test_media_is_not_needed(self, format: Format, dataset: Example) -> None:
        """Exported without media, no image is written."""
        if self.needs_media:
            pytest.skip(f"{format.title} is its media")
        files = written(format, dataset, media=False, **self.write_options)
        assert not any(is_image(path) and not self._is_mask(path) for path in files)

    def _is_mask(self, path: str) -> bool:
        return "segmentation" in path.lower() or "mask" in path.lower()

    # -- comparing --------------------------------------------------------------------

    def subset(self, name: str) -> str:
        """Return what a subset of the example is called when it comes back."""
        return self.subset_names.get(name, name)

    def same_annotations(self, dataset: Example, found: ReadBack) -> None:
        """Assert that the annotations read are those of the example."""
        given = [
            {**row, "subset": self.subset(s), "key": self.item_key(s, row["item"])}
            for s, rows in dataset.annotations.items()
            for row in rows
        ]
        wanted = [self._comparable(row) for row in map(self.expected, given) if row is not None]
        back = [self._comparable(row) for row in found.annotations]
        assert len(back) == len(wanted)
        for one, other in zip(sorted(back, key=_order), sorted(wanted, key=_order), strict=True):
            assert self._rounded(one) == self._rounded(other)
            for name in _NUMBERS:
                if name in one:
                    assert one[name] == pytest.approx(other[name], abs=self.tolerance_px), name

    def _comparable(self, row: Row) -> Row:
        return {k: v for k, v in row.items() if k in {*self.compared, "subset", "key"}}

    def _rounded(self, row: Row) -> Row:
        return {k: None if k in _NUMBERS else v for k, v in row.items()}


def _order(row: Row) -> str:
    # A stable order that coordinates a little off do not change.
    names = ("subset", "key", "type", "label", "text", "w", "h", "x", "y", "points")
    values = [row.get(n) for n in names]
    return json.dumps([_coarse(v) for v in values])


def _coarse(value: Any) -> Any:
    if isinstance(value, float):
        return f"{round(value):08d}"
    if isinstance(value, list):
        return [_coarse(v) for v in value]
    return "" if value is None else str(value)


def _without_number(row: Row) -> Row:
    return {k: v for k, v in row.items() if k != "item"}


def _of(rows: Sequence[Row], keys: set[tuple[Any, str]]) -> list[Row]:
    return [r for r in rows if (r.get("subset"), r["key"]) in keys]
