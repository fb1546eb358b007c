"""Label Studio's and JSON's part of the hostile set, and files changed at random."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from nbannot.errors import BrokenFileError, NbannotError
from nbannot.formats import get_format
from nbannot.formats.examples import read_back
from nbannot.sources import open_source

from .labelstudio_files import every_kind, read_files


@pytest.fixture(scope="module")
def hostile(shared, tmp_path_factory):
    """Return the folder of hostile files, made once."""
    folder = tmp_path_factory.mktemp("hostile")
    make = shared / "hostile" / "make_hostile.py"
    subprocess.run(
        [sys.executable, str(make), "--out", str(folder)], check=True, capture_output=True
    )
    return folder


def read(folder, name, **options):
    """Read one hostile file as Label Studio."""
    return read_files({name: (folder / name).read_bytes()}, **options)


def told(found):
    """Return all that the ledger says of records, as one text."""
    lines = [r for r in found.ledger.to_arrow().to_pylist() if r["outcome"] != "note"]
    return " ".join(f"{r['record']} {r['message']}" for r in lines)


def test_an_unknown_control_is_named(hostile):
    """With a configuration that lacks it, the control of task 2 is a warning; both boxes stay."""
    config = (
        '<View><Image name="image" value="$image"/>'
        '<RectangleLabels name="label" toName="image"><Label value="cat"/></RectangleLabels></View>'
    )
    found = read(hostile, "ls_unknown_from_name.json", config=config)
    assert len(found.annotations) == 2
    assert found.balance.warned == 1
    assert "task 2" in told(found)


def test_percent_without_a_size_is_named(hostile):
    """A box in percent of nobody knows what is rejected; its task stays."""
    found = read(hostile, "ls_missing_original_size.json")
    assert (len(found.items), found.annotations) == (1, [])
    assert "task 1" in told(found)


def test_paths_and_addresses_that_reach_out_are_refused(hostile):
    """Paths that climb out, file:, javascript: and data: are text; nothing is linked or opened."""
    found = read(hostile, "ls_local_files_traversal.json")
    assert [(r.get("media"), r.get("uri")) for r in found.items] == [(None, None)] * 4
    assert [r["key"] for r in found.items] == ["task-1", "task-2", "task-3", "task-4"]
    assert found.balance.warned == 4
    for n, what in enumerate(("leaves the dataset", "file:", "javascript:", "media written"), 1):
        assert f"task {n}" in told(found)
        assert what in told(found)


def test_script_in_text_is_text(hostile):
    """Markup and odd keys in the data are kept as they are written."""
    for name in ("ls_html_script_text.json", "json_proto_pollution.json"):
        given = json.loads((hostile / name).read_bytes())
        found = read(hostile, name)
        assert [json.loads(r["data"]) for r in found.items] == [t["data"] for t in given]
        assert found.balance.warned == found.balance.rejected == 0


def test_ids_of_any_size_are_exact(hostile):
    """Ids past 2**53 and 2**63 come back unchanged; only the one past int64 is warned of."""
    found = read(hostile, "json_int_beyond_53_bits.json")
    assert [r["source_id"] for r in found.items] == [
        "9007199254740991", "9007199254740993", "9223372036854775807", str(10**30)
    ]  # fmt: skip
    assert found.balance.warned == 1
    assert f"id {10**30}" in told(found)


def test_half_a_surrogate_is_mended_and_named(hostile):
    """A text that can't be encoded is mended, and its task is named; the other is untouched."""
    found = read(hostile, "json_lone_surrogate.json")
    assert [json.loads(r["data"])["text"] for r in found.items] == ["ok", "bad \ufffd end"]
    assert found.balance.warned == 1
    assert "task 2" in told(found)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("json_depth_100k.json", "nested too deeply"),
        ("json_truncated.json", "byte 384"),
        ("predictions_pickle.json", "byte 0"),
    ],
)
def test_what_is_no_json_is_an_error(hostile, name, text):
    """A container that can't be parsed is one clear error that names file and place."""
    with pytest.raises(BrokenFileError, match=text) as error:
        read(hostile, name)
    assert name in str(error.value)


def test_files_changed_at_random_end_in_rows_or_our_errors():
    """Of 300 files with a few bytes changed, none crashes, and each that is read balances."""
    whole = json.dumps(every_kind()).encode()
    chance = random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            read_back(get_format("labelstudio"), open_source({"a.json": bytes(data)}))
        except NbannotError:
            continue


def test_values_changed_at_random_end_in_rows_or_lines():
    """Of 400 files with one value replaced by another kind, all are read, and balance."""
    chance = random.Random(1)
    odd = [None, 7, -1.5, "x", [], {}, [[]], [{}], True, "", {"a": 1}, 10**30, [1, "x", None]]
    for _ in range(400):
        tasks = every_kind()
        place = chance.choice(tasks)
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = chance.choice(keys)
            if isinstance(place[key], (dict, list)) and place[key] and chance.random() < 0.8:
                place = place[key]
                continue
            place[key] = chance.choice(odd)
            break
        found = read_files({"a.json": json.dumps(tasks).encode()})
        assert found.balance is not None
