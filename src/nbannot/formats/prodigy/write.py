"""Writing Prodigy: a task per line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.compute as pc

from ...ledger import Ledger
from ...progress import Progress
from ..fitting import Fitting, Holds, Row
from ..json_records import (
    own,
)
from ..json_values import dumps
from ..texts import (
    Keys,
    json_object,
    subset_files,
    text_items,
    tokenize,
    warn_attributes,
)
from ..writing import Export, Sink

__all__ = ["ProdigyWriter"]

_HOLDS = Holds(
    {"text_span": (), "relation": (), "tag": ()}, columns=("attributes", "extra", "score"),
    kinds=("text",), unlabelled=True,
)  # fmt: skip


class ProdigyWriter:
    """Writes one file per subset."""

    def __init__(self, export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
        self._export, self._sink, self._ledger = export, sink, ledger
        self._progress = progress
        self._fitting = Fitting("Prodigy", _HOLDS, ledger)
        self._choices: list[str] = []

    def write(self) -> None:
        """Write all subsets."""
        self._choices = self._find_choices()
        for subset, path, base in subset_files(self._export, ".jsonl", self._ledger):
            keys = Keys(base, set())
            with self._sink.open(path) as stream:
                for item, rows, text, data in text_items(
                    self._export, subset, self._fitting, self._progress, f"Writing {path}"
                ):
                    row = self._task(item, rows, text, data)
                    declared = keys.to_declare(item["key"])
                    if declared is not None:
                        row["key"] = declared
                    stream.write(f"{json.dumps(row, ensure_ascii=False)}\n".encode())
        self._fitting.close()

    def _find_choices(self) -> list[str]:
        # Labels to choose from, where an item has several; [] where each has one at most.
        several = False
        used: dict[str, None] = {}
        for subset in self._export.subsets:
            for batch in self._export.batches(subset):
                tags = batch.annotations.filter(pc.equal(batch.annotations["type"], "tag"))
                several = several or len(pc.unique(tags["item"])) < tags.num_rows
                used |= dict.fromkeys(x for x in pc.unique(tags["label"]).to_pylist() if x)
        names = [label.name for label in self._export.labels if label.name in used]
        return [*names, *(n for n in used if n not in names)] if several else []

    def _task(
        self, item: Row, rows: Sequence[Row], text: str, data: Mapping[str, Any]
    ) -> dict[str, Any]:
        inner = own(item, "prodigy", "meta")
        task: dict[str, Any] = {"text": text, **{k: v for k, v in data.items() if k != "key"}}
        task |= inner
        task.setdefault("answer", "accept")
        spans = [r for r in rows if r["type"] == "text_span"]
        relations = [r for r in rows if r["type"] == "relation"]
        for row in rows:
            self._say_lost(item, row, task["answer"])
        tokens = task.get("tokens")
        if relations and not isinstance(tokens, list):
            tokens = task["tokens"] = _tokens(text, spans)
        tokens = _sound(tokens)
        made = [self._span(row, tokens) for row in spans]
        if made or not (inner or any(r["type"] == "tag" for r in rows)):
            task["spans"] = made
        by_name = {str(r.get("source_id", "")): span for r, span in zip(spans, made, strict=True)}
        found = [self._relation(item, row, by_name) for row in relations]
        if found:
            task["relations"] = [relation for relation in found if relation is not None]
        self._labels(item, [r for r in rows if r["type"] == "tag"], task)
        return task

    def _say_lost(self, item: Row, row: Row, answer: object) -> None:
        values = json_object(row.get("attributes"))
        if values.get("answer") == answer:
            values.pop("answer")
        if row["type"] == "relation":
            values = {k: v for k, v in values.items() if k not in ("from", "to")}
        if values:
            warn_attributes(self._fitting, item, {**row, "attributes": dumps(values)})
        if "score" in row and row["type"] != "text_span":
            self._fitting.warn(item, row, "score can't be written", f"score {row['score']} is lost")

    def _span(self, row: Row, tokens: Sequence[Any]) -> dict[str, Any]:
        span: dict[str, Any] = {"start": row["start"], "end": row["end"]}
        if row.get("label") is not None:
            span["label"] = row["label"]
        hit = [t["id"] for t in tokens if t["start"] < row["end"] and t["end"] > row["start"]]
        if hit:
            span |= {"token_start": hit[0], "token_end": hit[-1]}
        if "score" in row:
            span["score"] = row["score"]
        return span | own(row, "prodigy")

    def _relation(
        self, item: Row, row: Row, spans: Mapping[str, dict[str, Any]]
    ) -> dict[str, Any] | None:
        ends = json_object(row.get("attributes"))
        kept = own(row, "prodigy")
        made: dict[str, Any] = {}
        for mine, theirs in (("from", "head"), ("to", "child")):
            span = spans.get(str(ends.get(mine)))
            if span is not None and "token_end" in span:
                made[theirs] = span["token_end"]
                names = ("start", "end", "token_start", "token_end", "label")
                made[f"{theirs}_span"] = {k: span.get(k) for k in names}
            elif theirs not in kept:
                self._fitting.reject(
                    item, row, "end of a relation is missing", f"{ends.get(mine)} is not written"
                )
                return None
        return {**made, "label": row.get("label"), **kept}

    def _labels(self, item: Row, tags: Sequence[Row], task: dict[str, Any]) -> None:
        names = []
        for row in tags:
            if row.get("label") is None:
                self._fitting.reject(item, row, "annotation without a label", "a tag needs one")
            else:
                names.append(row["label"])
        options = task.get("options")
        if not isinstance(options, list) and (self._choices or len(names) > 1):
            options = task["options"] = [{"id": n, "text": n} for n in self._choices or names]
        if isinstance(options, list):
            ids = {str(o["id"]): o["id"] for o in options if isinstance(o, dict) and "id" in o}
            task["accept"] = [ids.get(name, name) for name in names]
        elif names:
            task["label"] = names[0]


def _sound(tokens: object) -> list[Any]:
    some = tokens if isinstance(tokens, list) else []
    return [
        t for t in some
        if isinstance(t, dict) and all(isinstance(t.get(n), int) for n in ("id", "start", "end"))
    ]  # fmt: skip


def _tokens(text: str, spans: Sequence[Row]) -> list[dict[str, Any]]:
    places = tokenize(text, [n for row in spans for n in (row["start"], row["end"])])
    return [
        {"text": text[low:high], "start": low, "end": high, "id": n,
         "ws": text[high : high + 1].isspace()}
        for n, (low, high) in enumerate(places)
    ]  # fmt: skip
