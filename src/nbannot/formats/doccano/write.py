"""Writing doccano: JSON lines (or CSV) per subset, and the list of labels."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow.compute as pc

from ...ledger import Ledger
from ...progress import Progress
from ..fitting import Fitting, Holds, Row
from ..texts import (
    Keys,
    json_object,
    subset_files,
    text_items,
    warn_attributes,
)
from ..writing import Export, Sink

__all__ = ["DoccanoWriter"]

_HOLDS = Holds(
    {"text_span": (), "relation": (), "tag": (), "text": ()}, columns=("attributes",),
    kinds=("text",),
)  # fmt: skip
_HELD = {
    "sequence": {"text_span"}, "relation": {"text_span", "relation", "tag", "text"},
    "intent": {"text_span", "tag", "text"}, "classification": {"tag"}, "seq2seq": {"text"},
}  # fmt: skip
_WHOLE = re.compile(r"0|[1-9][0-9]{0,17}")
_TASK_TYPES = {"tag": "Category", "text_span": "Span", "relation": "Relation"}


class DoccanoWriter:
    """Writes one file per subset."""

    def __init__(
        self, export: Export, sink: Sink, options: Mapping[str, Any], ledger: Ledger,
        progress: Progress,
    ) -> None:  # fmt: skip
        self._export, self._sink, self._options = export, sink, options
        self._ledger, self._progress = ledger, progress
        self._fitting = Fitting("doccano", _HOLDS, ledger)

    def write(self) -> None:
        """Write all subsets, and ``label_config.json``."""
        used = self._used()
        task = self._options["task"]
        if task == "auto":
            task = _task_for({kind for kinds in used.values() for kind in kinds})
        as_csv = self._options["file_format"] == "csv"
        if as_csv and task not in ("classification", "seq2seq"):
            task = "classification"
        for subset, path, base in subset_files(
            self._export, ".csv" if as_csv else ".jsonl", self._ledger
        ):
            keys = Keys(base, set())
            with self._sink.open(path) as stream:
                if as_csv:
                    stream.write(_csv_line(["id", "text", "label"]))
                for item, rows, text, data in text_items(
                    self._export, subset, self._fitting, self._progress, f"Writing {path}"
                ):
                    if not text:
                        self._empty(item, rows)
                        continue
                    row = self._row(item, self._held(item, rows, task), text, data, task, keys)
                    if as_csv:
                        stream.write(self._as_csv(item, row))
                    else:
                        stream.write(f"{json.dumps(row, ensure_ascii=False)}\n".encode())
        labels = list(self._label_types(used, task))
        if labels:
            body = json.dumps(labels, ensure_ascii=False, indent=2)
            self._sink.write("label_config.json", body + "\n")
        self._fitting.close()

    def _used(self) -> dict[str | None, set[str]]:
        # label -> types of annotation that it is on; None: those without a label
        found: dict[str | None, set[str]] = {}
        for subset in self._export.subsets:
            for batch in self._export.batches(subset):
                pairs = batch.annotations.group_by(["label", "type"]).aggregate([])
                labels, kinds = (pc.cast(pairs[n], "string") for n in ("label", "type"))
                for label, kind in zip(labels.to_pylist(), kinds.to_pylist(), strict=True):
                    if kind in _HOLDS.types:
                        found.setdefault(label, set()).add(kind)
        return found

    def _empty(self, item: Row, rows: Sequence[Row]) -> None:
        self._ledger.reject(
            "empty text can't be written", file=item["key"], record="item", item=item["key"],
            message="doccano takes no row without a text",
        )  # fmt: skip
        for row in rows:
            self._fitting.reject(item, row, "empty text can't be written", "its item is left out")

    def _held(self, item: Row, rows: Sequence[Row], task: str) -> list[Row]:
        kept = []
        for row in rows:
            if row["type"] not in _HELD[task]:
                self._fitting.reject(
                    item, row, f"{row['type']} can't be written", f"the task is {task}"
                )
                continue
            if row["type"] != "relation":
                warn_attributes(self._fitting, item, row)
            kept.append(row)
        return kept

    def _row(
        self, item: Row, rows: Sequence[Row], text: str, data: Mapping[str, Any], task: str,
        keys: Keys,
    ) -> dict[str, Any]:  # fmt: skip
        row: dict[str, Any] = {}
        given = item.get("source_id")
        if given:
            row["id"] = _number(given)
        row["text"] = text
        row |= {k: v for k, v in data.items() if k not in ("label", "labels", "id", "key")}
        if keys.to_declare(item["key"], given) != given:
            row["key"] = item["key"]
        spans = [r for r in rows if r["type"] == "text_span"]
        tags = [r["label"] for r in rows if r["type"] == "tag"]
        texts = [r["text"] for r in rows if r["type"] == "text"]
        triples = [[r["start"], r["end"], r["label"]] for r in spans]
        if task == "sequence":
            row["label"] = triples
        elif task == "intent":
            row |= {"entities": triples, "cats": tags}
        elif task == "relation":
            row |= self._entities(item, spans, [r for r in rows if r["type"] == "relation"])
            row |= {"cats": tags} if tags else {}
        else:
            row["label"] = tags if task == "classification" else texts
        if texts and "label" not in row:
            row["label"] = texts
        return row

    def _entities(
        self, item: Row, spans: Sequence[Row], relations: Sequence[Row]
    ) -> dict[str, Any]:
        numbers: dict[str, int] = {}
        given = [str(r.get("source_id", "")) for r in (*spans, *relations)]
        taken = {int(g) for g in given if _WHOLE.fullmatch(g)}
        free = (n for n in range(len(given) + len(taken)) if n not in taken)
        entities = []
        for row in spans:
            name = str(row.get("source_id", ""))
            number = int(name) if _WHOLE.fullmatch(name) and name not in numbers else next(free)
            numbers.setdefault(name, number)
            entities.append({
                "id": number, "label": row["label"], "start_offset": row["start"],
                "end_offset": row["end"],
            })  # fmt: skip
        made = []
        for row in relations:
            ends = json_object(row.get("attributes"))
            one, other = (numbers.get(str(ends.get(n))) for n in ("from", "to"))
            if one is None or other is None:
                self._fitting.reject(item, row, "end of a relation is missing", "it is not written")
                continue
            name = str(row.get("source_id", ""))
            number = int(name) if _WHOLE.fullmatch(name) else next(free)
            made.append({"id": number, "from_id": one, "to_id": other, "type": row["label"]})
        return {"entities": entities, "relations": made}

    def _as_csv(self, item: Row, row: Mapping[str, Any]) -> bytes:
        separator = self._options["label_sep"] or "#"
        if any(separator in label for label in row["label"]):
            self._ledger.warn(
                "label holds the separator", file=item["key"], record="item", item=item["key"],
                message=f"{separator!r} parts labels in CSV; choose label_sep=",
            )  # fmt: skip
        rest = set(row) - {"id", "text", "label"}
        if rest:
            self._ledger.warn(
                "data can't be written", file=item["key"], record="item", item=item["key"],
                message=f"{', '.join(sorted(rest))} is lost in CSV",
            )  # fmt: skip
        return _csv_line([row.get("id", ""), row["text"], separator.join(row["label"])])

    def _label_types(
        self, used: Mapping[str | None, set[str]], task: str
    ) -> Iterator[dict[str, Any]]:
        usual = "Category" if task in ("classification", "seq2seq") else "Span"
        for label in self._export.labels:
            kinds = sorted({_TASK_TYPES[k] for k in used.get(label.name, ()) if k in _TASK_TYPES})
            entry: dict[str, Any] = {
                "text": label.name, "prefix_key": None,
                "suffix_key": label.hotkey if label.hotkey and len(label.hotkey) == 1 else None,
                "background_color": label.color or "#209cee", "text_color": "#ffffff",
                "task_type": (kinds or [usual])[0],
            }  # fmt: skip
            yield entry


def _task_for(kinds: set[str]) -> str:
    if "relation" in kinds:
        return "relation"
    if "text_span" in kinds:
        return "sequence" if kinds == {"text_span"} else "intent"
    if "text" in kinds:
        return "seq2seq" if kinds == {"text"} else "intent"
    return "classification"


def _number(name: str) -> int | str:
    return int(name) if _WHOLE.fullmatch(name) else name


def _csv_line(cells: Sequence[object]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().encode()
