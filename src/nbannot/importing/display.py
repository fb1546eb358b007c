"""How plans and reports show themselves: text, HTML, a Page, and the code that does the same."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..formats.base import Candidate, Format
from ..ledger import Ledger
from ..media.images import thumbnails
from ..palette import color_of
from ..project import Page
from ..project.display import PICTURES, SIZE_PX, pictures_html
from ..sources.base import Source
from .staging import Staged

if TYPE_CHECKING:
    from ..project import Project
    from .plan import Plan, Request
    from .report import Report

__all__ = ["code_of", "plan_html", "plan_text", "report_html", "report_text", "staged_page"]


def staged_page(
    staged: Staged,
    source: Source,
    project: Project,
    start: int,
    count: int,
    size_px: int,
    *,
    subset: str | None = None,
    label: str | None = None,
    positions: Sequence[int] | None = None,
) -> Page:
    """Return items of what was read as a Page: `count` from `start` on, or those at `positions`."""
    if positions is None:
        all_positions = (
            np.arange(staged.items.num_rows)
            if subset is None and label is None
            else staged.positions(subset=subset, label=label)
        )
        total = len(all_positions)
        chosen = all_positions[start : start + count]
    else:
        chosen, total = np.asarray(positions, np.int64), len(positions)
    rows = staged.items.take(pa.array(chosen))
    media = rows["media"].to_pylist()
    readers = [(lambda p=path: source.read(p)) if path else None for path in media]
    pictures, problems = thumbnails(readers, size_px)
    notes = [
        "" if path and not problem else (problem or "image not found")
        for path, problem in zip(media, problems, strict=True)
    ]
    items = pa.table(
        {
            "id": pa.array([str(p) for p in chosen.tolist()], pa.string()),
            "key": rows["key"],
            "task": rows["subset"],
            "kind": rows["kind"],
            "width": rows["width"],
            "height": rows["height"],
            "note": pa.array(notes, pa.string()),
        }
    )
    existing = {label.name: label for label in project.label_list()}
    annotations = staged.rows_of(chosen)
    used = [n for n in annotations["label"].unique().to_pylist() if n is not None]
    declared = list(staged.labels)
    labels = []
    for name in used:
        known = existing.get(name) or staged.labels.get(name)
        place = declared.index(name) if name in staged.labels else len(declared)
        color = (known.color if known else None) or color_of(len(existing) + place)
        labels.append((name, color, known.skeleton if known else None))
    return Page.from_tables(items, annotations, labels, pictures, start=start, total=total)


def code_of(source: Source, fmt: Format, request: Request, candidates: Sequence[Candidate]) -> str:
    """Return the Python that does the same import."""
    arguments = [source.code]
    best = candidates[0] if candidates else None
    if best is None or best.format != fmt.name:
        arguments.append(f"format={fmt.name!r}")
    if request.root and (best is None or best.root != request.root):
        arguments.append(f"root={request.root!r}")
    if request.labels:
        arguments.append(f"labels={dict(request.labels)!r}")
    if request.subsets is not None:
        arguments.append(f"subsets={list(request.subsets)!r}")
    if request.media != "link":
        arguments.append(f"media={request.media!r}")
    if request.strict:
        arguments.append("strict=True")
    arguments += [f"{k}={v!r}" for k, v in request.options.items() if v is not None]
    if request.into is None:
        return f"project.import_dataset({', '.join(arguments)})"
    arguments.append(f"mode={request.mode!r}")
    return f"{request.into.code}.import_annotations({', '.join(arguments)})"


def title_of(plan: Plan) -> str:
    """Return what was imported, as a heading."""
    return f"{plan.source.name} ({plan.format.title})"


def plan_text(plan: Plan) -> str:
    """Return the plan as plain text."""
    if plan.already is not None:
        return f"Plan: {title_of(plan)} is imported already and has not changed; nothing to do."
    lines = [f"Plan: {title_of(plan)}", f"  {plan.changes.text}"]
    if plan.changes.warning:
        lines.append(f"  Warning: {plan.changes.warning}")
    lines += [
        f"  {name}: {items:,} items, {rows:,} annotations" for name, items, rows in plan.subsets
    ]
    lines += [f"  {text}" for text in _account(plan)]
    return "\n".join(lines)


def report_text(report: Report) -> str:
    """Return the report as plain text."""
    lines = [f"Report: {report.title}", f"  {report.text}"]
    if report.request_id is not None:
        lines += [f"  {text}" for text in _account(report)]
    return "\n".join(lines)


def _account(thing: Plan | Report) -> list[str]:
    balance = thing.balance
    total = (
        f"{balance.read:,} records read = {balance.imported:,} imported + "
        f"{balance.warned:,} with a warning + {balance.rejected:,} rejected"
    )
    return [total, *(f"{kind}: {reason} ({n:,})" for kind, reason, n in thing.notes.groups())]


def plan_html(plan: Plan) -> str:
    """Return the plan as HTML: what will happen, labels, problems, formats considered."""
    if plan.already is not None:
        return _card(f"Plan: {title_of(plan)}", ["Already imported and unchanged: nothing to do."])
    parts = [plan.changes.text]
    if plan.changes.warning:
        parts.append(f"⚠ {plan.changes.warning}")
    body = _table(
        ("subset", "items", "annotations"),
        [(name, f"{items:,}", f"{rows:,}") for name, items, rows in plan.subsets],
    )
    labels = sorted(plan.labels, key=lambda m: -m.count)
    rows = [
        (
            m.name,
            f"{m.count:,}",
            f"{m.action} {m.to}" if m.action == "map" else m.action,
            m.suggestion,
        )
        for m in labels[:12]
    ]
    if rows:
        body += _table(("label", "annotations", "action", "did you mean"), rows)
    if len(labels) > 12:
        body += _line(f"… and {len(labels) - 12} more labels")
    evidence = plan.candidates[0].evidence if plan.candidates else ()
    found = _line(f"{plan.format.title}: {'; '.join(evidence)}") if evidence else ""
    pictures = "".join(pictures_html(plan.page(0, PICTURES, SIZE_PX)))
    account = _ledger_html(plan.notes, plan.balance)
    return _card(f"Plan: {title_of(plan)}", parts, found + pictures + body + account)


def report_html(report: Report) -> str:
    """Return the report as HTML."""
    account = "" if report.request_id is None else _ledger_html(report.notes, report.balance)
    took = f" in {report.seconds:.1f} s" if report.request_id is not None else ""
    return _card(f"Imported {report.title}{took}", [report.text], account)


def _ledger_html(notes: Ledger, balance: Any) -> str:
    out = _table(
        ("records read", "imported", "with a warning", "rejected"),
        [
            tuple(
                f"{n:,}" for n in (balance.read, balance.imported, balance.warned, balance.rejected)
            )
        ],
    )
    groups = notes.groups()
    rows = []
    for kind, reason, n in groups[:20]:
        line = notes.lines(kind, reason, 1)[0]
        where = ", ".join(v for v in (line["file"], line["where"], line["record"]) if v)
        rows.append((kind, reason, f"{n:,}", where, line["message"]))
    if rows:
        out += _table(("outcome", "reason", "lines", "first one", "what it says"), rows)
    if len(groups) > 20:
        out += _line(f"… and {len(groups) - 20} more reasons, see .ledger")
    return out


def _card(title: str, lines: Iterable[str], body: str = "") -> str:
    head = f"<div style='font-weight:600;margin-bottom:4px'>{html.escape(title)}</div>"
    return "<div style='max-width:60em'>" + head + "".join(map(_line, lines)) + body + "</div>"


def _line(text: str) -> str:
    return f"<div style='margin:2px 0'>{html.escape(text)}</div>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cell = "style='text-align:left;padding:2px 12px 2px 0'"
    heads = "".join(f"<th scope='col' {cell}>{html.escape(h)}</th>" for h in head)
    body = "".join(
        "<tr>" + "".join(f"<td {cell}>{html.escape(str(v))}</td>" for v in row) + "</tr>"
        for row in rows
    )
    return (
        f"<table style='margin:6px 0'><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )
