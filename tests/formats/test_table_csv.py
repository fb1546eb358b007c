"""CSV: delimiters, encodings, headers, quotes out of order, and the hostile set."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbannot.errors import BrokenFileError, NbannotError, OptionError
from nbannot.formats import get_format
from nbannot.formats.examples import read_back
from nbannot.formats.table.csv import read_csv
from nbannot.ledger import Ledger
from nbannot.sources import open_source

from .test_table import groups, notes, read


def table(data, **options):
    """Return (rows as dicts, lines, ledger) of CSV."""
    ledger = Ledger()
    data = data if isinstance(data, bytes) else data.encode()
    found = read_csv(data, "a.csv", ledger, **options)
    return found.table.to_pylist(), found.lines.tolist(), ledger


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(delimiter):
    """Comma, semicolon, tab and bar are told apart, also where cells hold the others."""
    text = f'a{delimiter}b\n"1,2;3"{delimiter}x|y\n4{delimiter}z\n'.replace(
        "|y", "" if delimiter == "|" else "|y"
    )
    rows, _, _ = table(text)
    assert [list(r) for r in rows] == [["a", "b"]] * 2
    assert rows[0]["a"] == "1,2;3"


@pytest.mark.parametrize(
    ("encoding", "noted"),
    [("utf-8", False), ("utf-8-sig", False), ("utf-16", False), ("cp1252", True)],
)
def test_the_encoding_is_found_out(encoding, noted):
    """UTF-8 and UTF-16 are told by their marks; Windows-1252 is the last resort, and is noted."""
    data = "image,label\na.jpg,größe\n".encode(encoding)
    rows, _, ledger = table(data)
    assert rows == [{"image": "a.jpg", "label": "größe"}]
    assert bool(ledger.lines("note", "file is not UTF-8")) == noted
    with pytest.raises(OptionError, match="encoding="):
        table(data, encoding="ascii")


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("filename,class\na.jpg,cat\n", True),
        ("a.jpg,cat\nb.jpg,dog\n", False),
        ("a.jpg,1,2,3,4,cat\n", False),
        ("alpha,beta\n1,2\n", True),
        ("what,ever\nfoo.jpg,bar\n", True),
        ("1,2\n3,4\n", False),
    ],
)
def test_is_there_a_header(text, header):
    """A line of names is told from a line of values; header= settles it."""
    rows, lines, _ = table(text)
    assert lines[0] == (2 if header else 1)
    assert (next(iter(rows[0])) == "column 1") == (not header)
    assert table(text, header="yes")[1] == list(range(2, len(text.splitlines()) + 1))
    assert table(text, header="no")[1][0] == 1


def test_keras_boxes_without_a_header():
    """Path, four numbers and a class, as RetinaNet wants them, are read without a header."""
    text = "a.jpg,10,20,50,60,mask\na.jpg,1,2,5,6,no mask\nb.jpg,,,,,\nc.jpg,3,4,9,9,mask\n"
    found = read(text + "d.jpg,5,5,9,9,mask\n")
    assert [(r["key"], r["label"], *(r[n] for n in "xywh")) for r in found.annotations][:2] == [
        ("a.jpg", "mask", 10, 20, 40, 40), ("a.jpg", "no mask", 1, 2, 4, 4)
    ]  # fmt: skip
    assert "guessed" in " ".join(notes(found))
    assert len(found.items) == 4


def test_lines_are_counted_as_an_editor_counts_them():
    """Blank lines, quoted line breaks and Windows line ends shift no line number."""
    text = 'a,b\r\n\r\n"x\r\ny",1\r\n\r\nz,2\r\n'
    rows, lines, _ = table(text)
    assert [r["a"] for r in rows] == ["x\r\ny", "z"]
    assert lines == [3, 6]


def test_a_quote_within_a_cell_is_text():
    """5" in a cell is kept as it is written; the line is noted where it is out of order."""
    rows, _, ledger = table('a,b\n5" pipe,x\n"7" pipe,y\nz,w\n')
    assert [r["b"] for r in rows] == ["x", "y", "w"]
    assert rows[0]["a"] == '5" pipe'
    assert ledger.lines("note", "quote within a cell")[0]["where"] == "line 3"


def test_an_open_quote_is_an_error_at_its_line():
    """A quote that swallows lines is an error that names where it opens, wherever it ends."""
    for rest in ("2,b\n", '2,b,"x"\n', '2,"b\n'):
        with pytest.raises(BrokenFileError, match="line 2"):
            table(f'a,b\n1,"cat\n{rest}')


def test_uneven_lines_are_rejected_by_number():
    """Lines with too few or too many cells are named; a delimiter too many at the end is none."""
    rows, lines, ledger = table("a,b\n1,2\n1\n1,2,3\n3,4,\n5,6\n")
    assert [r["a"] for r in rows] == ["1", "3", "5"]
    assert lines == [2, 5, 6]
    found = ledger.to_arrow().to_pylist()
    assert [(r["outcome"], r["record"]) for r in found] == [
        ("rejected", "line 3"), ("rejected", "line 4")
    ]  # fmt: skip
    rows, _, _ = table("a,b\nx,1,2\ny,3,4\n")  # the name of the row names is left out
    assert rows[0] == {"column 1": "x", "a": "1", "b": "2"}


def test_an_empty_file_and_one_with_only_names():
    """No lines are no rows; names alone are a table without rows."""
    assert table("")[0] == []
    found = read("image,label\n")
    assert (found.items, found.annotations) == ([], [])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            *[st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=6)] * 3
        ),
        min_size=1,
        max_size=8,
    )
)
def test_cells_come_back_as_the_csv_module_wrote_them(rows):
    """Whatever the csv module writes, quotes and line breaks included, is read cell by cell."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(["image", "label", "text"])
    writer.writerows(rows)
    found, _, ledger = table(out.getvalue(), delimiter=",", header="yes")
    back = [tuple(v or "" for v in row.values()) for row in found]
    assert back == [tuple(row) for row in rows]
    assert not [g for g in ledger.groups() if g[0] != "note"]


# -- the hostile set --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(shared, tmp_path_factory):
    """Return the folder of hostile files, made once."""
    folder = tmp_path_factory.mktemp("hostile")
    make = shared / "hostile" / "make_hostile.py"
    subprocess.run(
        [sys.executable, str(make), "--out", str(folder)], check=True, capture_output=True
    )
    return folder


def hostile_read(folder, name, **options):
    """Read one hostile file as a table."""
    return read({name: (folder / name).read_bytes()}, **options)


def test_counts_of_the_hostile_set(hostile):
    """Each CSV of the set that is to be read has the counts that it must have."""
    cases = json.loads((hostile / "MANIFEST.json").read_text())
    cases += json.loads((hostile / "CONTROLS.json").read_text())
    mine = [c for c in cases if c["class"] == "csv" and c["expected"] != "clear error"]
    assert len(mine) > 6
    for case in mine:
        found = hostile_read(hostile, case["file"])
        told = {"images": len(found.items), "rejected": found.balance.rejected}
        counts = case.get("counts", {})
        assert {k: told[k] for k in counts} == counts, case["file"]
        said = " ".join(
            f"{r['record']} {r['message']}" for r in found.ledger.to_arrow().to_pylist()
        )
        assert case.get("name", "") in said, case["file"]
        if case["expected"] == "import exactly":
            assert len(found.ledger) == 0


def test_formulas_are_text(hostile):
    """Cells that a spreadsheet would run are labels, letter by letter."""
    found = hostile_read(hostile, "csv_formula_injection.csv")
    assert [r["label"] for r in found.annotations] == [
        '=HYPERLINK("http://127.0.0.1:9/nbannot-canary")', "+1+cmd|' /C calc'!A0", "-2+3",
        "@SUM(1)", "\t=1", "\r=1",
    ]  # fmt: skip


def test_european_numbers(hostile):
    """sep=; in the first line and a decimal comma are understood: x is 0.5."""
    found = hostile_read(hostile, "csv_semicolon_decimal_comma.csv")
    assert float(json.loads(found.items[0]["data"])["x"]) == 0.5


def test_a_very_long_cell(hostile):
    """A cell of two million characters is a cell."""
    found = hostile_read(hostile, "ok_csv_2mb_field.csv")
    assert len(json.loads(found.items[0]["data"])["text"]) == 2_000_000
    assert groups(found) == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("csv_unclosed_quote.csv", "line 2"),
        ("parquet_footer_length_lie.parquet", "parquet_footer_length_lie.parquet"),
        ("arrow_offsets_out_of_bounds.arrow", "'label'"),
    ],
)
def test_what_is_broken_is_an_error(hostile, name, text):
    """A file that can't be parsed is one clear error that says where, also when detected."""
    with pytest.raises(BrokenFileError, match=text):
        hostile_read(hostile, name)


def test_a_pickle_in_metadata_is_never_run(hostile, monkeypatch):
    """A column that declares a pickled type is read as what it is stored as, and is named."""
    monkeypatch.delenv("NBANNOT_CANARY", raising=False)
    found = hostile_read(hostile, "parquet_pickled_extension.parquet")
    assert [json.loads(r["data"])["x"] for r in found.items] == [1, 2, 3]
    assert "'x'" in notes(found)["column of an unknown type"]
    import os

    assert "NBANNOT_CANARY" not in os.environ


def test_files_changed_at_random_end_in_rows_or_our_errors():
    """Of 300 files with a few bytes changed, none crashes, and each that is read balances."""
    whole = (
        "image,label,xmin,ymin,xmax,ymax,score\n"
        + "".join(f'{n % 3}.jpg,"l,{n}",1,2,{n + 3},4,0.5\n' for n in range(12))
    ).encode()
    chance = random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 5)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            found = read_back(get_format("table"), open_source({"a.csv": bytes(data)}))
        except NbannotError:
            continue
        assert found.balance is not None
        assert np.isfinite(found.balance.read)
