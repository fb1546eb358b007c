"""Tables: roles found, boxes in any convention, cells as they are written, lines accounted for."""

from __future__ import annotations

from nbannot.formats.cases import FormatCases


class TestTable(FormatCases):
    """The conformance suite, as CSV."""

    format_name = "table"
    keeps_ids = False


class TestTableParquet(TestTable):
    """The conformance suite, as Parquet."""

    write_options = {"file_format": "parquet"}


class TestTableJsonLines(TestTable):
    """The conformance suite, as JSON lines."""

    write_options = {"file_format": "jsonl"}
