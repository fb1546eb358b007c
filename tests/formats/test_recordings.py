"""What formats of time share: names, places, and that no writer of them loses a thing silently."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbannot.formats import get_format
from nbannot.formats.examples import Example, MemorySink, Row, read_back
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.schema import DEFAULT_SUBSET, Label
from nbannot.sources import open_source

from .audio_cases import Recorded, read, told

FORMATS = (
    "textgrid", "audacity", "raven", "cvat-tsv", "ctm", "rttm", "kaldi", "activitynet", "kinetics",
)  # fmt: skip
TEXTS = (
    "cat", " lead", "trail ", "a\tb", "<NA>", "-", ";; x", "a\nb", '"q"', 'say "x"', "a,b", "ünï",
    "\u2028x", "1", "label", "a b", "\\", "#x", "!x", "<exists>", "x\ry",
)  # fmt: skip
KEYS = (
    "a.wav", "b/a.wav", "train/a.wav", "c d.mp4", "x", "y.z", "default/k.wav", "-", "#a.wav",
    "a,b.wav", 'q"q.wav', "a.mp3", "Ü.wav",
)  # fmt: skip
ATTRIBUTES: tuple[Row, ...] = (
    {"k": 1}, {"low_hz": 10, "high_hz": 20}, {"low_hz": "x"}, {"gender": "m"}, {"text": "x"},
    {"start": "q"}, {"Species": "z"}, {"a b": "c\td"}, {"k": " s "}, {"k": True}, {"k": "1"},
)  # fmt: skip
SUBSETS = (
    ("train",), ("train", "val"), ("default",), ("fold1",), ("fold1", "default"), ("a/b", "train"),
)  # fmt: skip
COMPARED = ("type", "label", "start", "end", "text", "score", "attributes", "track", "layer")


def _row() -> st.SearchStrategy[Row]:
    seldom: dict[str, st.SearchStrategy[Any]] = {
        "text": st.sampled_from((*TEXTS, " ", "hello world")), "score": st.just(0.5),
        "attributes": st.sampled_from(ATTRIBUTES).map(json.dumps), "track": st.just("t"),
        "layer": st.just("m"), "label": st.sampled_from(TEXTS),
    }  # fmt: skip
    times: dict[str, st.SearchStrategy[Any]] = {
        "start": st.integers(0, 8).map(lambda n: n / 4 + 0.125),
        "end": st.sampled_from((0, 0.5, 1)),
    }
    made = st.fixed_dictionaries(times, optional=seldom)
    return made.map(lambda r: {**r, "type": "time_span", "end": r["start"] + r["end"]})


def _example() -> st.SearchStrategy[Example]:
    item = st.tuples(st.sampled_from(KEYS), st.lists(_row(), max_size=2))
    some = st.lists(item, min_size=1, max_size=2, unique_by=lambda i: i[0])
    return st.sampled_from(SUBSETS).flatmap(
        lambda names: st.tuples(*[some] * len(names)).map(lambda found: _made(names, found))
    )


def _made(names: Sequence[str], found: Sequence[Any]) -> Example:
    made = Recorded({}, {}, tuple(Label(text) for text in TEXTS))
    for name, some in zip(names, found, strict=True):
        made.items[name] = [
            {"key": key, "kind": "video" if key.endswith("mp4") else "audio", "duration": 9.0}
            for key, _ in some
        ]
        made.annotations[name] = [{**row, "item": key} for key, rows in some for row in rows]
    return made


def _brief(row: Row, subset: str | None, key: str) -> str:
    kept = {k: row[k] for k in COMPARED if row.get(k) is not None}
    shown = None if subset == DEFAULT_SUBSET else subset
    return json.dumps([shown, key, kept], sort_keys=True)


@pytest.mark.parametrize("name", FORMATS)
@settings(
    deadline=None, max_examples=150, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)  # fmt: skip
@given(made=_example(), media=st.booleans())
def test_what_the_ledger_is_silent_about_comes_back(name: str, made: Example, media: bool) -> None:
    """Whatever names, labels, texts and attributes are: an export without a word is complete."""
    sink, ledger, format = MemorySink(made.media if media else None), Ledger(), get_format(name)
    format.write(made, sink, format.check_options({}, writing=True), ledger, Progress())
    found = read_back(format, open_source(sink.files)) if sink.files else None
    if ledger.groups() or found is None:
        return
    given_rows = [(r, s, r["item"]) for s, rows in made.annotations.items() for r in rows]
    back = [(r, r.get("subset"), r["key"]) for r in found.annotations]
    assert sorted(_brief(*row) for row in back) == sorted(_brief(*row) for row in given_rows)
    items = sorted(
        (s.replace(DEFAULT_SUBSET, ""), r["key"], r["kind"]) for s, rows in made.items.items()
        for r in rows
    )  # fmt: skip
    shown = [(r.get("subset", DEFAULT_SUBSET), r["key"], r["kind"]) for r in found.items]
    assert sorted((s.replace(DEFAULT_SUBSET, ""), k, kind) for s, k, kind in shown) == items


def _written(name: str, made: Example, *, media: bool) -> tuple[dict[str, bytes], Ledger]:
    sink, ledger, format = MemorySink(made.media if media else None), Ledger(), get_format(name)
    format.write(made, sink, format.check_options({}, writing=True), ledger, Progress())
    return sink.files, ledger


def test_a_kind_that_nothing_tells_is_told_of() -> None:
    """A video without a suffix comes back as audio, and the ledger says so."""
    made = Recorded({"train": [{"key": "x", "kind": "video"}]}, {})
    _, ledger = _written("rttm", made, media=True)
    assert ledger.groups() == [("warning", "kind of item is not kept", 1)]
    assert _written("activitynet", made, media=True)[1].groups() == []


def test_names_without_media_lose_their_suffixes() -> None:
    """A TextGrid is called as its recording, so that without that the suffix is gone."""
    made = Recorded({"train": [{"key": "x.wav", "kind": "audio"}]}, {})
    files, ledger = _written("textgrid", made, media=False)
    assert list(files) == ["train/x.TextGrid"]
    assert ledger.groups() == [("note", "suffixes of names are not kept", 1)]
    assert _written("textgrid", made, media=True)[1].groups() == []


def test_a_key_that_looks_like_a_subset() -> None:
    """Without subsets, train/x.wav goes into a folder where it stays what it is."""
    made = Recorded({"default": [{"key": "train/x.wav", "kind": "audio"}]}, {})
    files, _ = _written("audacity", made, media=True)
    assert sorted(files) == ["default/train/x.txt", "default/train/x.wav"]


def test_two_recordings_of_one_name_are_told_apart() -> None:
    """a.wav and a.mp3 have one TextGrid name, so that one is renamed, with a warning."""
    keys = ("a.wav", "a.mp3")
    made = Recorded({"train": [{"key": key, "kind": "audio"} for key in keys]}, {})
    files, ledger = _written("textgrid", made, media=True)
    assert sorted(files) == [
        "train/a-2.TextGrid", "train/a-2.mp3", "train/a.TextGrid", "train/a.wav",
    ]  # fmt: skip
    assert ledger.groups() == [("warning", "renamed", 1)]


def test_recordings_in_a_folder_of_their_own() -> None:
    """They are found by name, where no two files of either kind have it; else they are not."""
    tier = 'File type = "ooTextFile"\n"TextGrid"\n0\n1\n<exists>\n0\n'
    files: dict[str, str | bytes] = {"tg/a.TextGrid": tier, "wav/a.wav": "RIFF"}
    found = read(get_format("textgrid"), files)
    assert [(r["key"], r["media"]) for r in found.items] == [("tg/a.wav", "wav/a.wav")]
    found = read(get_format("textgrid"), {**files, "b/a.TextGrid": tier})
    assert told(found) == [("warning", "audio file missing", 2)]
    assert [r.get("media") for r in found.items] == [None, None, "wav/a.wav"]


def test_several_recordings_fit() -> None:
    """a.wav and a.mp3 beside a.TextGrid: neither is taken, and both are items."""
    tier = 'File type = "ooTextFile"\n"TextGrid"\n0\n1\n<exists>\n0\n'
    found = read(get_format("textgrid"), {"a.TextGrid": tier, "a.wav": "R", "a.mp3": "I"})
    assert told(found) == [("warning", "several audio files fit", 1)]
    assert [r["key"] for r in found.items] == ["a", "a.mp3", "a.wav"]
