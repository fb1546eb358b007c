"""The conformance suite for formats of audio and video in time: recordings in place of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbannot.formats.base import Format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, ReadBack, Row, read_back, written
from nbannot.media.kinds import KIND_OF_SUFFIX, suffix
from nbannot.schema import Label
from nbannot.sources import open_source

LABELS = (Label("cat"), Label("big dog"), Label("größe ✓"), Label("pose"))
DURATION_S = 20.0

# (subset, item, start, end, label): two recordings share a base name, one span crosses another,
# one is a point, one recording has none.
_SPANS = (
    ("train", 0, 0.5, 2.25, "cat"),
    ("train", 0, 1.123456789012345, 3.0, "cat"),
    ("train", 0, 2.25, 4.0, "big dog"),
    ("train", 1, 0.0, 20.0, "größe ✓"),
    ("train", 3, 7.5, 7.75, "cat"),
    ("val", 0, 5.0, 5.0, "big dog"),
    ("val", 0, 6.0, 6.1, "cat"),
)


class Recorded(Example):
    """A dataset whose media is a few bytes, other ones for each recording."""

    def media(self, item: int) -> bytes:
        """Return bytes that stand for a recording."""
        return b"RIFF%04d" % item


def audio_example(
    *, text: bool = False, kind: str = "audio", end: str = ".wav", labelled: bool = True
) -> Example:
    """Return a dataset of recordings with time spans; with a `text` in each span."""
    keys = {
        "train": ("a/1", "b/1", "plain", "ordner/größe ✓ 1.2"),
        "val": ("a/1", "empty"),
    }
    items: dict[str, list[Row]] = {
        subset: [
            {"key": name + end, "kind": kind, "duration": DURATION_S,
             "source_id": str(10 * len(subset) + n)}
            for n, name in enumerate(names)
        ]
        for subset, names in keys.items()
    }  # fmt: skip
    rows: dict[str, list[Row]] = {"train": [], "val": []}
    for n, (subset, rank, start, stop, label) in enumerate(_SPANS):
        row = {
            "item": items[subset][rank]["key"], "type": "time_span", "start": start, "end": stop,
            "source_id": str(n),
        }  # fmt: skip
        if labelled:
            row["label"] = label
        if text:
            row["text"] = f'he said "{label}" {n}'
        rows[subset].append(row)
    return Recorded(items, rows, LABELS)


class AudioCases(FormatCases):
    """`FormatCases` with recordings.

    * `texts`: have the spans a text of their own?
    * `labelled`: have they a label?
    * `kind`, `end`: kind of the items, and the suffix of their keys.
    * `words`: texts of made-up spans; `most_subsets`: how many subsets they have at most.
    """

    compared = ("type", "label", "start", "end", "text")
    texts: ClassVar[bool] = False
    labelled: ClassVar[bool] = True
    kind: ClassVar[str] = "audio"
    end: ClassVar[str] = ".wav"
    words: ClassVar[tuple[str, ...]] = ("hello", 'say "so"', "größe ✓", "a b", "-", "0")

    most_subsets: ClassVar[int] = 2

    @pytest.fixture
    def dataset(self) -> Example:
        """Recordings with time spans."""
        return audio_example(
            text=self.texts, kind=self.kind, end=self.end, labelled=self.labelled
        )  # fmt: skip

    @settings(
        deadline=None, max_examples=25, derandomize=True,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture, HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
    )  # fmt: skip
    @given(data=st.data())
    def test_made_up_datasets_come_back(self, format: Format, data: st.DataObject) -> None:
        """Made up recordings with spans come back, up to declared losses."""
        words = self.words if self.texts else ()
        made = data.draw(
            _datasets(words, self.kind, self.end, self.most_subsets, labelled=self.labelled)
        )
        files = written(format, made, **self.write_options)
        if not files:
            return
        found = self.read(format, open_source(files))
        self.same_annotations(made, found)

    def test_media_is_not_needed(self, format: Format, dataset: Example) -> None:
        """Exported without media, none is written, and the annotations can be read."""
        files = written(format, dataset, media=False, **self.write_options)
        assert not any(suffix(path) in KIND_OF_SUFFIX for path in files)
        found = self.read(format, open_source(files))
        kept = [
            row
            for s, rows in dataset.annotations.items()
            for row in rows
            if self.expected({**row, "subset": s, "key": row["item"]}) is not None
        ]
        assert len(found.annotations) == len(kept)

    def test_equal_base_names_are_two_items(self, format: Format, files: dict[str, bytes]) -> None:
        """a/1 and b/1 keep their own media."""
        source = open_source(files)
        found = self.read(format, source)
        keys = {self.item_key("train", f"{folder}/1{self.end}") for folder in "ab"}
        train = self.subset("train")
        twins = [r for r in found.items if r.get("subset") == train and r["key"] in keys]
        assert len({source.read(row["media"]) for row in twins}) == 2

    def test_labels_come_back(
        self, format: Format, dataset: Example, files: dict[str, bytes]
    ) -> None:
        """Each label in use is declared once, by the name that comes back."""
        found = self.read(format, open_source(files))
        given = [
            {**row, "subset": self.subset(s), "key": self.item_key(s, row["item"])}
            for s, rows in dataset.annotations.items()
            for row in rows
        ]
        kept = [row for row in map(self.expected, given) if row is not None]
        assert {row["label"] for row in kept if row.get("label")} <= set(found.labels)
        assert {row["label"] for row in found.annotations if "label" in row} <= set(found.labels)

    def same_annotations(self, dataset: Example, found: ReadBack) -> None:
        """Assert that the spans read are those of the example, to the microsecond."""
        wanted = []
        for subset, rows in dataset.annotations.items():
            for row in rows:
                key = self.item_key(subset, row["item"])
                back = self.expected({**row, "subset": self.subset(subset), "key": key})
                if back is not None:
                    wanted.append(self._brief(back))
        assert sorted(map(self._brief, found.annotations)) == sorted(wanted)

    def _brief(self, row: Row) -> str:
        compared = {*self.compared, "subset", "key"}
        short = {
            k: round(v, 6) + 0.0 if isinstance(v, float) else v
            for k, v in row.items()
            if k in compared and v is not None
        }
        return repr(sorted(short.items()))


def _datasets(
    words: Sequence[str], kind: str, end: str, most: int, *, labelled: bool
) -> st.SearchStrategy[Example]:
    time = st.integers(0, 40).map(lambda n: n / 4 + 0.01)
    span = st.tuples(
        time, st.integers(0, 12).map(lambda n: n / 8),
        st.sampled_from([label.name for label in LABELS[:3]]), st.sampled_from(words or ("",)),
    )  # fmt: skip
    name = st.sampled_from(("1", "a/1", "b/1", "a b", "ordner/größe ✓", "x.y.z"))
    item = st.tuples(name, st.lists(span, max_size=5))
    items = st.lists(item, min_size=1, max_size=4, unique_by=lambda i: i[0])

    def make(subsets: Sequence[Sequence[Any]]) -> Example:
        made = Recorded({}, {}, LABELS)
        for subset, some in zip(("train", "val"), subsets, strict=False):
            made.items[subset], made.annotations[subset] = [], []
            for stem, spans in some:
                key = stem + end
                made.items[subset].append({"key": key, "kind": kind, "duration": DURATION_S})
                for start, length, label, text in dict.fromkeys(spans):
                    row = {"item": key, "type": "time_span", "start": start, "end": start + length}
                    row |= {"label": label} if labelled else {}
                    made.annotations[subset].append({**row, **({"text": text} if text else {})})
        return made

    return st.lists(items, min_size=1, max_size=most).map(make)


def read(format: Format, files: dict[str, str | bytes], **options: Any) -> ReadBack:
    """Return what is read of files in memory."""
    data = {p: t.encode() if isinstance(t, str) else t for p, t in files.items()}
    return read_back(format, open_source(data), **options)


def spans_of(found: ReadBack, key: str | None = None) -> list[tuple[Any, ...]]:
    """Return (start, end, label, text) of the spans of one item, or of all."""
    return [
        (r["start"], r["end"], r.get("label"), r.get("text"))
        for r in found.annotations
        if r["type"] == "time_span" and key in (None, r["key"])
    ]


def told(found: ReadBack) -> list[tuple[str, str, int]]:
    """Return the groups of the ledger, but for notes."""
    return [group for group in found.ledger.groups() if group[0] != "note"]
