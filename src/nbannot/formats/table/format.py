"""Tables: CSV, TSV, JSON records, Parquet, and frames in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ...errors import FormatError
from ...ledger import Ledger
from ...progress import Progress
from ...schema import TYPES, Batch
from ..addresses import masked
from ..base import Format, Miss, Option
from ..look import Look
from .choice import Choice, Chosen, choose_tables
from .files import open_table, table_files
from .own import is_own, read_own
from .roles import BOX, TABLE_ROLES, Role, Roles, choose_roles, infer_roles
from .rows import TablePart, read_rows

if TYPE_CHECKING:
    from ...sources.base import Source
    from ..writing import Export, Sink

__all__ = ["TABLE_ROLES", "Role", "Table", "infer_roles", "roles_view"]

_HELP = {r.role: r.help for r in TABLE_ROLES}


class Table(Format):
    """Rows and columns. What each column is, its role, is found by name and by its cells.

    * Rows that name images become one item per image, and an annotation for each row: a box, or a
      tag of the image where there are none. A row with an empty box and no label says only that
      the image is there.
    * Columns of 0 and 1, one per label, become the tags of those that are 1.
    * Other columns become the image's `data` where all rows of each image agree, else the
      annotations' `attributes`.
    * Rows that name no image are items themselves (kind text or table) with the row as `data`; a
      label makes a tag.
    * Cells of text are text: "NA" and "007" stay what they are.
    * A score stays with the row; with ``model_version`` the rows are predictions of that model.

    >>> from nbannot.formats import get_format
    >>> get_format("table").name
    'table'
    """

    name = "table"
    title = "Table"
    summary = (
        "A table (CSV, Parquet, JSON records or a DataFrame) with a row per box, label or image."
    )
    rules = "Column names and conventions as found in Kaggle, Roboflow, VoTT and AutoML exports"
    holds = TYPES
    catches_all = True
    read_options = (
        *(Option(r.role, "column", None, r.help) for r in TABLE_ROLES),
        Option(
            "box_format", "choice", "auto",
            "What the four numbers of a box are: corners, corner and size, or centre and size",
            ("auto", "xyxy", "xywh", "cxcywh"),
        ),
        Option(
            "normalized", "choice", "auto", "Are boxes parts (0 to 1) of the image's size?",
            ("auto", "yes", "no"),
        ),
        Option("model_version", "text", None, "Read the rows as predictions of this model version"),
        Option("label_sep", "text", None, "Several labels in a cell are separated by this"),
        Option("file", "text", None, "Which file, where there are several; or several, by commas"),
        Option("delimiter", "text", None, "Between the cells of CSV: , ; | or tab"),
        Option("encoding", "text", None, "Of CSV: utf-8, cp1252 ..."),
        Option(
            "header", "choice", "auto", "Does the first line of CSV name the columns?",
            ("auto", "yes", "no"),
        ),
    )  # fmt: skip
    write_options = (
        Option("file_format", "choice", "csv", "Kind of file", ("csv", "tsv", "parquet", "jsonl")),
        Option(
            "box_format", "choice", "xywh",
            "Columns of boxes: x, y, w, h, or xmin, ymin, xmax, ymax", ("xywh", "xyxy"),
        ),
        Option(
            "spreadsheet_safe", "bool", False,
            "Put ' before cells of CSV that a spreadsheet would run (=, +, -, @); they are not "
            "read back as they were",
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Return 0.9 for a frame; for files 0.6 with boxes, 0.5 with labels, 0.2 as mere rows."""
        source = look.source
        paths = [] if look.is_table else table_files(source)
        if not look.is_table:
            look.need(paths, "no table (.csv, .tsv, .parquet, .json, .jsonl)")
        heads = {p: look.head(p).data for p in paths if not p.lower().endswith((".parquet", ".pq"))}
        choice = choose_tables(source, {}, heads)
        if choice.broken and not choice.chosen:
            look.found(f"{choice.broken[0]} is a table by its name")
            return 0.1  # reading it will say what is wrong with it
        if not choice.chosen:
            path, reason = next(iter(choice.reasons.items()), ("", "no rows"))
            raise Miss(f"{path} holds {reason}" if path else reason)
        best = choice.chosen[0]
        for evidence in _evidence(choice):
            look.found(evidence)
        if best.own:
            return 0.95
        if look.is_table:
            return 0.9
        return _confidence(best, has_images=bool(look.images))

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield items and annotations; see the class.

        Raises:
            BrokenFileError: a file can't be parsed; the message says where.
            FormatError: no file holds a table.
            OptionError: an option names a column or file that is not there.
        """
        choice = choose_tables(source, options)
        if not choice.chosen:
            _explain(choice, source, options, ledger)
            return
        for path in choice.others:
            ledger.note(
                "file was not read", file=path,
                message=f"{path} is another table; name it with file= to read it",
            )  # fmt: skip
        count = 0
        for chosen in choice.chosen:
            if limit is not None and count >= limit:
                break
            left = None if limit is None else limit - count
            progress.start(f"Reading {chosen.path or source.name}", None, "rows")
            part = _part(chosen, source, options, ledger)
            _say_unsure(part, ledger)
            own = chosen.own and is_own(part.table)
            batches = (
                read_own(part, source, ledger, count, left)
                if own
                else read_rows(part, source, options, ledger, count, left)
            )
            for batch in batches:
                count += batch.items.num_rows
                yield batch
                progress.advance(batch.items.num_rows + batch.annotations.num_rows)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write one file with a row for each annotation, and for each item that has none."""
        from .write import write_table

        write_table(export, sink, options, progress)


def roles_view(source: Source, columns: Mapping[str, str]) -> dict[str, Any]:
    """Return what a screen shows of a table's columns and roles.

    Args:
        source: the source, as the table's reader gets it.
        columns: column by role, as the user chose so far.

    Returns:
        ``{"available": [{"name", "type", "sample"}], "roles": [{"role", "help", "column",
        "required", "sure"}], "hidden": [names of the options that these replace]}``; {} where the
        source holds no table.

    >>> from nbannot.sources import open_source
    >>> view = roles_view(open_source([{"path": "a.jpg", "label": "cat"}]), {})
    >>> [(r["role"], r["column"]) for r in view["roles"] if r["column"]]
    [('image', 'path'), ('label', 'label')]
    """
    chosen = choose_tables(source, {}).chosen
    if not chosen or chosen[0].own:
        return {}
    head = chosen[0].head
    given = {role: column for role, column in columns.items() if column in head.column_names}
    complete = all(role in given for role in BOX)
    if not complete and any(role in given for role in BOX):
        inferred = {r.role: r.column for r in choose_roles(head, {}).found if r.role in BOX}
        given = {**inferred, **given}
    try:
        roles = choose_roles(head, given)
    except FormatError:
        roles = choose_roles(head, {})
    found = {r.role: r for r in roles.found}
    shown = []
    for entry in TABLE_ROLES:
        role = found.get(entry.role)
        shown.append(
            {
                "role": entry.role,
                "help": entry.help if role is None else f"{entry.help} ({role.why})",
                "column": role.column if role is not None else columns.get(entry.role, ""),
                "required": False,
                "sure": role.sure if role is not None else True,
            }
        )
    available = [
        {"name": name, "type": str(head[name].type), "sample": _sample(head[name])}
        for name in head.column_names
    ]
    return {
        "available": available,
        "roles": shown,
        "hidden": [entry.role for entry in TABLE_ROLES],
    }


def _sample(column: pa.ChunkedArray) -> str:
    for value in column.slice(0, 20).to_pylist():
        if value is not None and value != "":
            text = f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)
            return masked(text)[:80]
    return ""


def _part(chosen: Chosen, source: Source, options: Mapping[str, Any], ledger: Ledger) -> TablePart:
    frame = source.table()
    if frame is not None:
        return TablePart(frame, choose_roles(frame, options))
    found = open_table(source, chosen.path, dict(options), ledger)
    if chosen.own and is_own(found.table):
        return TablePart(found.table, Roles(()), chosen.path, found.lines)
    roles = choose_roles(found.table, options)
    return TablePart(found.table, roles, chosen.path, found.lines, chosen.subset)


def _say_unsure(part: TablePart, ledger: Ledger) -> None:
    for role in part.roles.found:
        if not role.sure:
            ledger.note(
                "role of a column was guessed", file=part.file,
                message=f"{role.column!r} is taken as {role.role}: {role.why} "
                f"({role.role}= otherwise)",
            )  # fmt: skip


def _explain(choice: Choice, source: Source, options: Mapping[str, Any], ledger: Ledger) -> None:
    # A file that can't be read says itself why; one without rows is an empty table.
    rows = [open_table(source, p, dict(options), ledger).table.num_rows for p in choice.reasons]
    if not rows or any(rows):
        raise FormatError("No file holds a table", where=source.name)


def _confidence(best: Chosen, *, has_images: bool) -> float:
    found = 0.07 if best.media_share > 0.5 else 0.0
    if best.roles.column("image") is None:
        return 0.05 if has_images else 0.2
    if best.roles.box:
        return 0.6 + found
    if best.roles.column("label") is not None or best.roles.one_hot:
        return 0.5 + found
    return 0.3


def _evidence(choice: Choice) -> list[str]:
    best = choice.chosen[0]
    where = ", ".join(c.path for c in choice.chosen[:4]) or "table"
    if len(choice.chosen) > 4:
        where += f" and {len(choice.chosen) - 4} more"
    if best.own:
        return [f"{where}: a table that nbannot wrote"]
    roles = [f"{r.role} {r.column!r}" for r in best.roles.found]
    if best.roles.one_hot:
        roles.append(f"{len(best.roles.one_hot)} columns of 0 and 1")
    out = [f"{where}: {', '.join(roles)}" if roles else f"{where}: rows as data"]
    if choice.others:
        shown = ", ".join(choice.others[:4]) + (" ..." if len(choice.others) > 4 else "")
        out.append(f"other tables, read with file=: {shown}")
    return out
