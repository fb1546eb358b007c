"""One item enlarged: its page, and what is to be read beside the picture."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..importing.display import staged_page
from .commands import Answer

if TYPE_CHECKING:
    from ..importing import Plan
    from ..project import Project

__all__ = ["item_page", "project_item_page"]

MAX_ROWS = 2000
_SHOWN = (
    "score", "text", "number", "occluded", "frame", "track", "group", "z_order", "set",
    "source_id",
)  # fmt: skip


def item_page(plan: Plan, position: int, size_px: int) -> Answer:
    """Return one item of a plan as an answer to the browser."""
    source = plan.source.under(plan.request.root)
    page = staged_page(
        plan.staged, source, plan.project, position, 1, size_px, positions=[position]
    )
    header, buffers = page.encode()
    row = plan.staged.items.slice(position, 1).to_pylist()[0]
    rows = plan.staged.rows_of([position])  # type: ignore[arg-type]
    return _with_details(header, row, rows), buffers


def project_item_page(project: Project, item_id: int, size_px: int) -> Answer:
    """Return one item of a project as an answer to the browser."""
    page = project.item_page(item_id, size_px)
    header, buffers = page.encode()
    row = project.item_table(item_ids=[item_id]).to_pylist()[0]
    return _with_details(header, row, project.annotation_table(item_ids=[item_id])), buffers


def _with_details(header: dict[str, Any], row: dict[str, Any], rows: pa.Table) -> dict[str, Any]:
    details = [[name, row[name]] for name in ("source_id", "uri", "duration", "frames")]
    for name in ("data", "meta"):
        details += [[k, v] for k, v in _object(row.get(name)).items()]
    header["items"][0]["details"] = [[k, _plain(v)] for k, v in details if v is not None]
    header["rows"] = [
        {
            "index": i,
            "label": r["label"] or "",
            "type": r["type"],
            "text": r["text"] or "",
            "layer": r["layer"] or "",
            "attributes": [
                [k, _plain(v)]
                for k, v in [*((n, r[n]) for n in _SHOWN), *_object(r["attributes"]).items()]
                if v is not None and v is not False
            ],
        }
        for i, r in enumerate(rows.slice(0, MAX_ROWS).drop_columns(["points", "mask"]).to_pylist())
    ]
    return header


def _object(text: str | None) -> dict[str, Any]:
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}


def _plain(value: object, limit: int = 500) -> str:
    # Everything is text for the browser: integers past 2**53 and NaN would not survive.
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[: limit - 1] + "…"
