"""What a row of doccano is: which of its columns is the text, which its labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["DATA", "LABELS", "csv_header", "csv_rows", "is_label_types", "judge", "looks_written"]

DATA = ("text", "column_data", "data")
LABELS = ("label", "labels", "column_label")
_OWN = {*DATA, *LABELS, "id", "Comments", "cats", "entities", "relations", "key"}
_STOPS = tuple(".!?。！？…")  # noqa: RUF001  the full-width ones are meant


def data_column(row: Mapping[str, Any]) -> str | None:
    """Return the column with the text of a row, None where there is none."""
    return next((name for name in DATA if name in row), None)


def label_column(row: Mapping[str, Any]) -> str | None:
    """Return the column with the labels of a row, None where there is none."""
    return next((name for name in LABELS if name in row), None)


def is_span(value: object) -> bool:
    """Is a value ``[start, end, label]``?"""
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(n, int) and not isinstance(n, bool) for n in value[:2])
        and isinstance(value[2], str)
    )


def is_label_types(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Do the rows declare labels, as doccano exports those of a project?"""
    good = sum(
        "background_color" in row
        and ("suffix_key" in row or "id" in row)
        and not {*LABELS, "entities", "cats"} & set(row)
        for row in rows
    )
    return 2 * good > len(rows)


def judge(row: Mapping[str, Any]) -> tuple[float, str]:
    """Return how sure it is that a row is doccano's, and why."""
    column = data_column(row)
    if column is None or not isinstance(row[column], str):
        return 0.0, ""
    if {"spans", "answer", "_input_hash", "tokens", "ents"} & set(row):
        return 0.0, ""  # Prodigy's, spaCy's
    entities = row.get("entities")
    if isinstance(entities, list) and entities:
        if isinstance(entities[0], dict) and "start_offset" in entities[0]:
            return 0.95, "texts with entities and relations"
        if isinstance(entities[0], dict) and {"start", "end", "label"} <= set(entities[0]):
            return 0.6, "texts with entities"
        if is_span(entities[0]):
            return 0.9, "texts with entities"
    labels = row.get(label_column(row) or "")
    own = column == "column_data" or set(row) <= _OWN
    if isinstance(labels, list) and labels:
        if is_span(labels[0]):
            return 0.95, "texts with spans [start, end, label]"
        if isinstance(labels[0], str):
            return (0.9 if own else 0.5), "texts with a list of labels"
    if isinstance(labels, str) and own:
        return 0.3, "texts with a label"
    return 0.0, ""


def csv_header(text: str) -> tuple[str, list[str]]:
    """Return the delimiter and the names in the first line of CSV."""
    line = text.lstrip("\ufeff").partition("\n")[0].strip("\r")
    delimiter = max(",\t;|", key=line.count)
    try:
        return delimiter, next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # a lone carriage return within the line
        return delimiter, []


def csv_rows(text: str, separator: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the rows of CSV, with their lines; labels are parted at `separator`.

    Raises:
        ValueError: it can't be parsed.
    """
    delimiter, names = csv_header(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        next(reader, None)
        before = reader.line_num
        for cells in reader:
            where, before = f"line {before + 1}", reader.line_num
            if not cells:
                continue
            row: dict[str, Any] = dict(zip(names, cells, strict=False))
            column = label_column(row)
            if column is not None:
                some = row[column].split(separator) if separator else [row[column]]
                row[column] = [label for label in some if label]
            yield row, where
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None


def looks_written(labels: Sequence[str]) -> bool:
    """Do labels look like texts that somebody wrote, rather than like classes?

    >>> looks_written(["Hello!", "See you."]), looks_written(["positive", "negative"])
    (True, False)
    """
    if not labels or len(set(labels)) < len(labels):
        return False
    written = sum(label.endswith(_STOPS) or len(label.split()) > 3 for label in labels)
    return 2 * written > len(labels)
