"""The conformance suite for formats of text: the same tests, with texts in place of images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbannot.formats.base import Format
from nbannot.formats.cases import FormatCases
from nbannot.formats.examples import Example, Row, written
from nbannot.schema import Label
from nbannot.sources import open_source

TEXTS = {
    "train": (
        "a cat and a big dog 😀 in Köln",
        "first line\na cat on the second , größe ✓ here",
        "nothing to see",
        "x y z",
    ),
    "val": ("the cat sat", "no annotation at all"),
}
KEYS = {
    "train": ("a/1", "b/1", "plain", "ordner/größe ✓ 1.2"),
    "val": ("a/1", "empty"),
}


def text_example(holds: Sequence[str], keys: dict[str, tuple[str, ...]] = KEYS) -> Example:
    """Return a dataset of texts with what a format holds: spans, relations, tags, texts."""
    items: dict[str, list[Row]] = {
        subset: [
            {"key": key, "kind": "text", "data": json.dumps({"text": text}, ensure_ascii=False),
             "source_id": str(10 * len(subset) + n)}
            for n, (key, text) in enumerate(zip(keys[subset], TEXTS[subset], strict=True))
        ]
        for subset in TEXTS
    }  # fmt: skip
    train, val = keys["train"], keys["val"]
    rows: dict[str, list[Row]] = {"train": [], "val": []}

    def span(subset: str, rank: int, start: int, end: int, label: str, number: str) -> None:
        text = TEXTS[subset][rank][start:end]
        rows[subset].append({
            "item": keys[subset][rank], "type": "text_span", "label": label,
            "start": float(start), "end": float(end), "text": text, "source_id": number,
        })  # fmt: skip

    if "text_span" in holds:
        span("train", 0, 2, 5, "cat", "T1")
        span("train", 0, 12, 19, "big dog", "T2")
        span("train", 0, 20, 21, "größe ✓", "T3")
        span("train", 1, 13, 16, "cat", "T1")
        span("train", 1, 31, 38, "größe ✓", "T2")
        span("val", 0, 4, 7, "cat", "T1")
    if "relation" in holds:
        ends = {"from": "T1", "to": "T2"}
        rows["train"].append({
            "item": train[0], "type": "relation", "label": "chases", "source_id": "R1",
            "attributes": json.dumps(ends),
        })  # fmt: skip
    if "tag" in holds:
        rows["train"].append(
            {"item": train[3], "type": "tag", "label": "big dog", "source_id": "C1"}
        )
        rows["val"].append({"item": val[0], "type": "tag", "label": "cat", "source_id": "C1"})
        rows["val"].append({"item": val[0], "type": "tag", "label": "pose", "source_id": "C2"})
    if "text" in holds:
        rows["train"].append(
            {"item": train[2], "type": "text", "text": "rien à voir !", "source_id": "X1"}
        )
    labels = (Label("cat"), Label("big dog"), Label("größe ✓"), Label("pose"))
    return Example(items, rows, labels)


class TextCases(FormatCases):
    """`FormatCases` with texts.

    * `keys`: the keys of the example's items, where a format keeps only those it makes itself.
    * `spaces`: what stands between the words of texts that are made up.
    """

    compared = ("type", "label", "start", "end", "text")
    keys: ClassVar[dict[str, tuple[str, ...]]] = KEYS
    spaces: ClassVar[tuple[str, ...]] = (" ", "  ", "\n", "", "\n\n", "\t")

    @pytest.fixture
    def dataset(self, format: Format) -> Example:
        """Texts with what the format holds."""
        return text_example(format.holds, self.keys)

    @settings(
        deadline=None, max_examples=25, derandomize=True,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture, HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
    )  # fmt: skip
    @given(data=st.data())
    def test_made_up_datasets_come_back(self, format: Format, data: st.DataObject) -> None:
        """Made up texts with spans and tags come back, up to declared losses."""
        made = data.draw(_datasets(format.holds, self.spaces, own_keys=self.keys is KEYS))
        files = written(format, made, **self.write_options)
        if not files:
            return
        found = self.read(format, open_source(files))
        self.same_annotations(made, found)
        wanted = [json.loads(r["data"])["text"] for rows in made.items.values() for r in rows]
        back = [json.loads(r["data"])["text"] for r in found.items]
        assert sorted(back) == sorted(wanted)

    def test_items_come_back(
        self, format: Format, dataset: Example, files: dict[str, bytes]
    ) -> None:
        """Every text is there, under its own key, letter for letter."""
        found = self.read(format, open_source(files))
        wanted = {
            (self.subset(s), self.item_key(s, row["key"]), json.loads(row["data"])["text"])
            for s, rows in dataset.items.items()
            for row in rows
        }
        back = [(r.get("subset"), r["key"], json.loads(r["data"])["text"]) for r in found.items]
        assert set(back) == wanted
        assert len(back) == len(wanted)
        assert {row["kind"] for row in found.items} == {"text"}

    def test_equal_base_names_are_two_items(self, format: Format, files: dict[str, bytes]) -> None:
        """Every annotation is on the text that it covers."""
        found = self.read(format, open_source(files))
        texts = {(r.get("subset"), r["key"]): json.loads(r["data"])["text"] for r in found.items}
        for row in found.annotations:
            if row["type"] == "text_span":
                text = texts[row.get("subset"), row["key"]]
                assert text[int(row["start"]) : int(row["end"])] == row["text"]

    def test_labels_come_back(
        self, format: Format, dataset: Example, files: dict[str, bytes]
    ) -> None:
        """Each label in use is declared once, by the name that comes back."""
        found = self.read(format, open_source(files))
        given = [a for rows in dataset.annotations.values() for a in rows]
        kept = [row for row in map(self.expected, given) if row is not None]
        used = {a["label"] for a in kept if "label" in a}
        assert used <= set(found.labels)
        assert {row["label"] for row in found.annotations if "label" in row} <= set(found.labels)


def read_written(format: Format, files: dict[str, bytes], **options: Any) -> Any:
    """Return what is read of files in memory, as an Example that can be written again."""
    from nbannot.formats.examples import read_back

    found = read_back(format, open_source(files), **options)
    items: dict[str, list[Row]] = {}
    rows: dict[str, list[Row]] = {}
    for row in found.items:
        subset = row.get("subset", "default")
        kept = {k: v for k, v in row.items() if k not in ("item", "subset")}
        items.setdefault(subset, []).append(kept)
    for row in found.annotations:
        kept = {k: v for k, v in row.items() if k not in ("subset", "key")}
        rows.setdefault(row["subset"] or "default", []).append({**kept, "item": row["key"]})
    return Example(items, rows, tuple(found.labels.values()))


_WORDS = ("cat", "Köln", "😀", ",", "x-y", "#", "O", "-DOCSTART", "3.14", "größe", "|", "(a)")


def _datasets(
    holds: Sequence[str], spaces: Sequence[str], *, own_keys: bool
) -> st.SearchStrategy[Example]:
    word = st.tuples(
        st.sampled_from(_WORDS), st.sampled_from(spaces),
        st.sampled_from((None, None, "cat", "big dog", "größe ✓")),
    )  # fmt: skip
    tags = st.lists(st.sampled_from(("cat", "pose")), unique=True, max_size=2)
    text = st.tuples(st.lists(word, min_size=1, max_size=8), tags)
    subsets = st.lists(st.lists(text, max_size=4), min_size=1, max_size=2)
    return subsets.map(lambda some: _dataset(some, holds, own_keys=own_keys))


def _dataset(
    subsets: Sequence[Sequence[Any]], holds: Sequence[str], *, own_keys: bool
) -> Example:  # fmt: skip
    made = Example({}, {}, (Label("cat"), Label("big dog"), Label("größe ✓"), Label("pose")))
    for subset, texts in zip(("train", "val"), subsets, strict=False):
        made.items[subset], made.annotations[subset] = [], []
        for n, (words, tags) in enumerate(texts, 1):
            key = f"{subset}-{n}" if not own_keys else f"ordner/größe {n * 7 % 5}.{n}"
            text, rows = "", []
            for rank, (word, space, label) in enumerate(words):
                start, text = len(text), text + word
                if label and "text_span" in holds:
                    rows.append({
                        "type": "text_span", "label": label, "start": float(start),
                        "end": float(len(text)), "text": word,
                    })  # fmt: skip
                text += space if rank + 1 < len(words) else ""
            if "tag" in holds:
                rows += [{"type": "tag", "label": label} for label in tags]
            data = json.dumps({"text": text})
            made.items[subset].append({"key": key, "kind": "text", "data": data})
            made.annotations[subset] += [
                {"item": key, **row, "source_id": f"T{rank}"} for rank, row in enumerate(rows, 1)
            ]
    return made
