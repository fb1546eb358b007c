"""The account of an import."""

from __future__ import annotations

import pytest

from nbannot.errors import BalanceError
from nbannot.ledger import Balance, Ledger


def test_a_record_warned_of_twice_counts_once() -> None:
    """Two warnings about one record are one warned record."""
    ledger = Ledger()
    ledger.read(2)
    ledger.warn("outside", file="a.json", record="annotation 1")
    ledger.warn("no area", file="a.json", record="annotation 1")
    assert ledger.check(rows=2) == Balance(read=2, imported=1, warned=1, rejected=0)


def test_a_record_that_is_rejected_is_not_also_warned() -> None:
    """Rejection outweighs a warning about the same record."""
    ledger = Ledger()
    ledger.read(1)
    ledger.warn("odd", record="annotation 1")
    ledger.reject("broken", record="annotation 1")
    assert ledger.check(rows=0) == Balance(1, 0, 0, 1)


def test_a_lost_record_fails_the_import() -> None:
    """A reader that drops a record without a line is found out, and told how many."""
    ledger = Ledger()
    ledger.read(3)
    with pytest.raises(BalanceError, match="1 are not accounted for"):
        ledger.check(rows=2)


def test_an_invented_row_fails_the_import() -> None:
    """A row that no record stands for is found out too."""
    ledger = Ledger()
    ledger.read(1)
    with pytest.raises(BalanceError):
        ledger.check(rows=2)


def test_joined_and_split_records_balance() -> None:
    """Two records in one row, and one record in two rows, both add up."""
    ledger = Ledger()
    ledger.read(3)
    ledger.joined(1)  # records 1 and 2 are one row
    ledger.split(1)  # record 3 is two rows
    assert ledger.check(rows=3).imported == 3


def test_notes_count_no_record() -> None:
    """A note is a line, not a record."""
    ledger = Ledger()
    ledger.note("download ignored", file="data.yaml")
    assert ledger.check(rows=0) == Balance(0, 0, 0, 0)
    assert len(ledger) == 1


def test_many_lines_at_once() -> None:
    """Fields may be columns: one call makes a line per value, other fields are repeated."""
    ledger = Ledger()
    ledger.reject("dropped", file="a.csv", record=["row 1", "row 2"], item=["a", "b"])
    frame = ledger.to_pandas()
    assert frame["record"].tolist() == ["row 1", "row 2"]
    assert frame["file"].tolist() == ["a.csv", "a.csv"]
    assert ledger.to_arrow().num_rows == 2


def test_a_line_must_name_its_record() -> None:
    """A warning about nobody in particular is a fault of the reader."""
    with pytest.raises(ValueError, match="must name it"):
        Ledger().warn("something is odd")


def test_columns_of_different_lengths_are_refused() -> None:
    """Two columns that do not pair up are a fault of the reader."""
    with pytest.raises(ValueError, match="different lengths"):
        Ledger().warn("odd", record=["1", "2"], item=["a"])


def test_control_characters_do_not_reach_the_ledger() -> None:
    """A file name with an escape sequence is shown, not executed."""
    ledger = Ledger()
    ledger.note("odd name", file="a\x1b[31m\u202e.jpg")
    assert ledger.to_pandas()["file"][0] == "a\\x1b[31m\\u202e.jpg"


def test_groups_put_the_worst_first() -> None:
    """Rejections before warnings before notes, many before few."""
    ledger = Ledger()
    ledger.note("n")
    ledger.warn("w", record="1")
    ledger.reject("r1", record="2")
    ledger.reject("r2", record=["3", "4"])
    assert [g[1] for g in ledger.groups()] == ["r2", "r1", "w", "n"]
    assert [line["record"] for line in ledger.lines("rejected", "r2")] == ["3", "4"]
