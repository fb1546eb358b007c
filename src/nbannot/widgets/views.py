"""Small JSON views of plans and projects: what traits hold. Nothing here is unbounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..formats.base import Candidate, Fix, Format
from ..ledger import Ledger
from ..palette import color_of
from ..progress import ProgressState

if TYPE_CHECKING:
    from ..importing import Plan
    from ..project import Project

__all__ = [
    "candidate_of",
    "candidates_view",
    "changes_view",
    "fields_view",
    "labels_view",
    "preview_view",
    "problems_view",
    "progress_view",
    "project_view",
    "summary_view",
]

MAX_GROUPS = 50
MAX_EXAMPLES = 5
MAX_LABELS = 1000


def candidates_view(candidates: list[Candidate]) -> list[dict[str, Any]]:
    """Return the ranked formats with the evidence for each and what the others miss."""
    return [
        {
            "format": c.format,
            "title": c.title,
            "confidence": round(c.confidence, 3),
            "evidence": list(c.evidence),
            "missing": c.missing,
            "root": c.root,
            "fixes": [{"text": f.text, "options": dict(f.options)} for f in c.fixes],
        }
        for c in candidates
    ]


def candidate_of(view: dict[str, Any]) -> Candidate:
    """Return the candidate that `candidates_view` showed."""
    fixes = tuple(Fix(fix["text"], fix["options"]) for fix in view["fixes"])
    return Candidate(**{**view, "evidence": tuple(view["evidence"]), "fixes": fixes})


def fields_view(fmt: Format, values: dict[str, Any], hidden: set[str]) -> list[dict[str, Any]]:
    """Return the options of a format as controls, but those in `hidden` (roles of columns)."""
    return [
        {
            "name": o.name,
            "kind": o.kind,
            "default": o.default,
            "help": o.help,
            "choices": list(o.choices),
            "value": values.get(o.name, o.default),
        }
        for o in fmt.read_options
        if o.name not in hidden
    ]


def labels_view(plan: Plan) -> list[dict[str, Any]]:
    """Return the labels of a plan with their colours, counts and what becomes of them."""
    existing = {label.name: label.color for label in plan.project.label_list()}
    out = []
    for i, mapping in enumerate(plan.labels[:MAX_LABELS]):
        declared = plan.staged.labels.get(mapping.name)
        color = existing.get(mapping.to) or (declared.color if declared else None)
        out.append(
            {
                "name": mapping.name,
                "color": color or color_of(len(existing) + i),
                "count": mapping.count,
                "action": mapping.action,
                "to": mapping.to,
                "suggestion": mapping.suggestion,
            }
        )
    return out


def problems_view(notes: Ledger) -> list[dict[str, Any]]:
    """Return the lines of a ledger grouped by reason, with a few of each."""
    out = []
    for outcome, reason, count in notes.groups()[:MAX_GROUPS]:
        lines = notes.lines(outcome, reason, MAX_EXAMPLES)
        examples = [
            {k: line[k] for k in ("file", "where", "record", "item", "message")} for line in lines
        ]
        out.append({"outcome": outcome, "reason": reason, "count": count, "examples": examples})
    return out


def preview_view(plan: Plan, *, complete: bool, revision: int) -> dict[str, Any]:
    """Return the counts of what was read so far."""
    staged = plan.staged
    media = staged.items["media"]
    return {
        "revision": revision,
        "items": staged.items.num_rows,
        "annotations": staged.annotation_count,
        "complete": complete,
        "subsets": [
            {"name": name, "items": items, "annotations": rows}
            for name, items, rows in staged.subsets()
        ],
        "media_found": len(media) - media.null_count,
        "summary": "" if plan.already is None else "Already imported and unchanged.",
    }


def changes_view(plan: Plan) -> dict[str, Any]:
    """Return what Import will do."""
    changes = plan.changes
    text = changes.text
    if plan.already is not None:
        text = "Already imported and unchanged: nothing to do."
    return {
        "adds_items": changes.adds_items,
        "adds_annotations": changes.adds_annotations,
        "removes_annotations": changes.removes_annotations,
        "updates_items": changes.updates_items,
        "unchanged_items": changes.unchanged_items,
        "tasks": changes.tasks[:50],
        "text": text,
        "warning": changes.warning,
    }


def progress_view(state: ProgressState) -> dict[str, Any]:
    """Return how far the work is."""
    left = state.seconds_left
    return {
        "stage": state.stage,
        "done": state.done,
        "total": state.total,
        "unit": state.unit,
        "fraction": state.fraction,
        "seconds_left": None if left is None else round(left, 1),
    }


def project_view(project: Project) -> dict[str, Any]:
    """Return the project as a target of imports: its tasks, jobs and labels."""
    tasks = [
        {
            "id": task.task_id,
            "name": task.name,
            "items": task.item_count,
            "jobs": [
                {"id": job.job_id, "name": job.name, "items": job.item_count} for job in task.jobs
            ],
        }
        for task in project.task_list()[:500]
    ]
    labels = [{"name": x.name, "color": x.color} for x in project.label_list()[:MAX_LABELS]]
    name = project.name if project.path else "the project in memory"
    return {"name": name, "path": str(project.path or ""), "tasks": tasks, "labels": labels}


def summary_view(project: Project) -> dict[str, Any]:
    """Return the project as the gallery shows it: counts, filters and history."""
    found = project.summary()
    return {
        "name": found["name"] if found["path"] else "Project in memory",
        "path": found["path"],
        "items": found["counts"]["items"],
        "annotations": found["counts"]["annotations"],
        "tasks": found["tasks"],
        "labels": [
            {"name": x["name"], "color": x["color"], "count": x["annotations"]}
            for x in found["labels"]
        ],
        "layers": [
            {"name": x["name"], "kind": x["kind"], "count": x["annotations"]}
            for x in found["layers"]
        ],
        "requests": [
            {
                "id": x["request_id"],
                "title": x["title"],
                "when": x["finished"] or x["started"],
                "added": x["text"],
                "undone": x["undone"],
                **{k: x[k] or 0 for k in ("read", "imported", "warned", "rejected")},
            }
            for x in found["requests"]
        ],
    }
