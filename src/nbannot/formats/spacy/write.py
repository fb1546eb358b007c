"""Writing spaCy: tuples, the JSON of version 2, or lines as of ``Doc.to_json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow.compute as pc

from ...ledger import Ledger
from ...progress import Progress
from ..conll.tags import Entity, encode_tags
from ..fitting import Fitting, Holds, Row
from ..json_records import (
    own,
)
from ..texts import (
    Keys,
    subset_files,
    text_items,
    tokenize,
)
from ..writing import Export, Sink
from .read import word_places

__all__ = ["SpacyWriter"]

_HOLDS = Holds({"text_span": (), "tag": ()}, columns=("extra", "score"), kinds=("text",))


class SpacyWriter:
    """Writes one file per subset."""

    def __init__(
        self, export: Export, sink: Sink, form: str, ledger: Ledger, progress: Progress
    ) -> None:
        self._export, self._sink, self._form = export, sink, form
        self._ledger, self._progress = ledger, progress
        self._fitting = Fitting("spaCy", _HOLDS, ledger)
        self._cats: list[str] = []

    def write(self) -> None:
        """Write all subsets."""
        self._cats = self._find_cats()
        if self._form == "auto":
            self._form = self._find_form()
        lines = self._form == "doc"
        lost = {"keys": 0, "data": 0}
        for subset, path, base in subset_files(
            self._export, ".jsonl" if lines else ".json", self._ledger
        ):
            keys = Keys(base, set())
            with self._sink.open(path) as stream:
                between = b"" if lines else b"["
                for item, rows, text, data in text_items(
                    self._export, subset, self._fitting, self._progress, f"Writing {path}"
                ):
                    value, named = self._value(item, rows, text)
                    lost["keys"] += keys.to_declare(item["key"], named) != named
                    lost["data"] += bool(data)
                    stream.write(between + b"\n" if not lines else between)
                    stream.write(json.dumps(value, ensure_ascii=False).encode())
                    between = b"\n" if lines else b","
                stream.write(b"\n" if lines else b"[\n]\n" if between == b"[" else b"\n]\n")
        self._fitting.close()
        for what, count in lost.items():
            if count:
                self._ledger.note("no place in spaCy", message=f"{what} of {count:,} items")

    def _find_cats(self) -> list[str]:
        used: dict[str, None] = {}
        for subset in self._export.subsets:
            for batch in self._export.batches(subset):
                tags = batch.annotations.filter(pc.equal(batch.annotations["type"], "tag"))
                used |= dict.fromkeys(x for x in pc.unique(tags["label"]).to_pylist() if x)
        names = [label.name for label in self._export.labels if label.name in used]
        return [*names, *(n for n in used if n not in names)]

    def _find_form(self) -> str:
        found = {
            own(row, "spacy", "meta").get("form", "tuples")
            for subset in self._export.subsets
            for batch in self._export.batches(subset)
            for row in batch.items.select(["meta"]).to_pylist()
        }
        return str(found.pop()) if len(found) == 1 else "tuples"

    def _value(self, item: Row, rows: Sequence[Row], text: str) -> tuple[Any, str | None]:
        meta = own(item, "spacy", "meta")
        rest = meta.get("rest", {}) if meta.get("form") == self._form else {}
        spans = sorted(
            (r for r in rows if r["type"] == "text_span"), key=lambda r: (r["start"], r["end"])
        )
        for row in spans:
            if "score" in row:
                self._fitting.warn(
                    item, row, "score can't be written", f"score {row['score']} is lost"
                )
        cats = self._cats_of(rows)
        if self._form == "json":
            return self._document(item, meta, text, spans, cats)
        entities, groups = _apart(spans)
        if self._form == "tuples":
            said: dict[str, Any] = {"entities": [list(_span(r)) for r in entities]}
            if groups:
                said["spans"] = {n: [list(_span(r)) for r in g] for n, g in groups.items()}
            return [text, {**said, **cats, **rest}], None
        doc: dict[str, Any] = {"text": text, "ents": [_as_object(r) for r in entities]}
        if groups:
            doc["spans"] = {n: [_as_object(r) for r in g] for n, g in groups.items()}
        return {**doc, **cats, **rest}, None

    def _cats_of(self, rows: Sequence[Row]) -> dict[str, Any]:
        if not self._cats:
            return {}
        cats = dict.fromkeys(self._cats, 0.0)
        cats |= {r["label"]: r.get("score", 1.0) for r in rows if r["type"] == "tag"}
        return {"cats": cats}

    # -- JSON of version 2 ------------------------------------------------------------------

    def _document(
        self, item: Row, meta: Mapping[str, Any], text: str, spans: Sequence[Row],
        cats: Mapping[str, Any],
    ) -> tuple[dict[str, Any], str | None]:  # fmt: skip
        sentences = meta.get("sentences")
        words = _words(sentences) if isinstance(sentences, list) else None
        places = word_places(text, words) if words is not None else None
        if places is None or not isinstance(sentences, list):
            cuts = [n for row in spans for n in (row["start"], row["end"])]
            places = [tokenize(text, cuts)]
            sentences = [
                {"tokens": [{"id": n, "orth": text[a:b]} for n, (a, b) in enumerate(places[0])],
                 "brackets": []}
            ]  # fmt: skip
        taken: dict[int, list[Entity]] = {}
        for row in spans:
            self._tag(item, row, places, taken)
        made = []
        for s, sentence in enumerate(sentences):
            tags = encode_tags(len(places[s]), taken.get(s, []), "BILOU")
            tokens = [
                {**token, "ner": tag} for token, tag in zip(sentence["tokens"], tags, strict=True)
            ]
            made.append({**sentence, "tokens": tokens})
        paragraph: dict[str, Any] = {"raw": text, "sentences": made}
        if cats:
            given = cats["cats"].items()
            paragraph["cats"] = [{"label": name, "value": value} for name, value in given]
        number = meta.get("id")
        number = number if str(number) == item["key"] else item["key"]
        return {"id": number, "paragraphs": [paragraph]}, str(number)

    def _tag(
        self, item: Row, row: Row, places: Sequence[Sequence[tuple[int, int]]],
        taken: dict[int, list[Entity]],
    ) -> None:  # fmt: skip
        for s, words in enumerate(places):
            hit = [n for n, (a, b) in enumerate(words) if a < row["end"] and b > row["start"]]
            if not hit:
                continue
            one = Entity(hit[0], hit[-1], row["label"])
            if any(e.first <= one.last and e.last >= one.first for e in taken.get(s, ())):
                self._fitting.reject(
                    item, row, "overlapping span can't be written", "a word has one tag"
                )
                return
            if (words[hit[0]][0], words[hit[-1]][1]) != (row["start"], row["end"]):
                self._fitting.warn(
                    item, row, "span is changed to whole words",
                    f"{row['start']} to {row['end']} became "
                    f"{words[hit[0]][0]} to {words[hit[-1]][1]}",
                )  # fmt: skip
            taken.setdefault(s, []).append(one)
            return
        self._fitting.reject(item, row, "span without a word", "it covers no word")


def _words(sentences: Sequence[Any]) -> list[list[str]] | None:
    try:
        words = [[t["orth"] for t in s["tokens"]] for s in sentences]
    except (KeyError, TypeError):
        return None
    return words if all(isinstance(w, str) for some in words for w in some) else None


def _apart(spans: Sequence[Row]) -> tuple[list[Row], dict[str, list[Row]]]:
    # Entities of spaCy do not overlap; those that do go with its groups of spans.
    entities: list[Row] = []
    groups: dict[str, list[Row]] = {}
    for row in spans:
        group = own(row, "spacy").get("spans")
        if group is None and (not entities or entities[-1]["end"] <= row["start"]):
            entities.append(row)
        else:
            groups.setdefault(group or "sc", []).append(row)
    return entities, groups


def _span(row: Row) -> Iterator[Any]:
    yield from (row["start"], row["end"], row["label"])


def _as_object(row: Row) -> dict[str, Any]:
    return {"start": row["start"], "end": row["end"], "label": row["label"]}
