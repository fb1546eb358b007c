"""Reading Prodigy: a task per line, its spans, relations, labels and answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..json_records import (
    json_records,
)
from ..json_values import dumps
from ..reading import Reading
from ..texts import (
    Keys,
    TextFile,
    covered,
    declared_key,
    text_files,
)

__all__ = ["ProdigyReader"]

_MEDIA = ("image", "audio", "video")
_INNER = frozenset(
    ("tokens", "options", "config", "head", "style", "view_id", "html", "text_field")
)
_SPAN = frozenset(("start", "end", "label", "token_start", "token_end", "score"))
_RELATION = frozenset(("head", "child", "label", "head_span", "child_span"))


class ProdigyReader:
    """One read of files of Prodigy."""

    def __init__(self, source: Source, ledger: Ledger, progress: Progress) -> None:
        self._source, self._ledger, self._progress = source, ledger, progress

    def read(self, paths: Sequence[str], limit: int | None) -> Iterator[Batch]:
        """Yield the tasks of `paths`."""
        reading = Reading(self._source, self._ledger, self._progress, limit)
        files = {file.path: file for file in text_files(paths)}
        taken: dict[str | None, set[str]] = {}
        answers: dict[str, int] = {}
        for path, data in reading.files(paths):
            file = files[path]
            keys = Keys(file.base, taken.setdefault(file.subset, set()))
            for value, where in json_records(data, path, self._ledger):
                if reading.is_full:
                    break
                task = _Task(reading, file, where)
                task.read(value, keys)
                answers[task.answer] = answers.get(task.answer, 0) + 1
                yield from reading.batches()
            if reading.is_full:
                break
        for answer, count in sorted(answers.items()):
            if answer not in ("accept", ""):
                self._ledger.note(
                    f"answered {answer}",
                    message=f"{count:,} tasks were answered {answer}; their annotations have the "
                    f"attribute answer: {answer}",
                )  # fmt: skip
        yield from reading.rest()


class _Task:
    """Reads one task."""

    def __init__(self, reading: Reading, file: TextFile, where: str) -> None:
        self._reading, self._file, self._where = reading, file, where
        self._item, self._key, self._text = 0, "", ""
        self._names: dict[tuple[Any, Any, Any], str] = {}
        self.answer = ""

    def read(self, row: Any, keys: Keys) -> None:
        """Read the task and all that is on it."""
        text = row.get("text") if isinstance(row, dict) else None
        if not isinstance(text, str):
            media = [m for m in _MEDIA if isinstance(row, dict) and m in row]
            reason = f"task about {media[0]}" if media else "task without a text"
            self._reading.reject(
                reason, file=self._file.path, where=self._where, record=self._where,
                message=f"{self._where} of {self._file.path} holds no text",
            )  # fmt: skip
            return
        self._text = text
        answer = row.get("answer")
        self.answer = answer if isinstance(answer, str) else ""
        named = row.get("key")
        self._key = declared_key(
            self._reading, keys, named if isinstance(named, str) else None,
            self._file.path, self._where,
        )  # fmt: skip
        used = {"text", "spans", "relations", "label", "accept", "key"}
        rest = {k: v for k, v in row.items() if k not in used}
        inner = {k: v for k, v in rest.items() if k.startswith("_") or k in _INNER}
        if row.get("spans") == []:
            inner["spans"] = []  # not the same as none at all
        number = row.get("_task_hash")
        self._item = self._reading.item(
            self._key, subset=self._file.subset, kind="text",
            source_id=str(number) if isinstance(number, int) else None,
            data=dumps({"text": text, **{k: v for k, v in rest.items() if k not in inner}}),
            meta=dumps({"prodigy": inner}) if inner else None,
        )  # fmt: skip
        self._spans(row)
        self._relations(row)
        self._labels(row)

    def _reject(self, reason: str, record: str, message: str) -> None:
        self._reading.reject(
            reason, file=self._file.path, where=self._where, item=self._key,
            record=f"{self._where}, {record}", message=f"{self._where}: {message}",
        )  # fmt: skip

    def _attributes(self, **values: Any) -> str | None:
        if self.answer not in ("accept", ""):
            values["answer"] = self.answer
        return dumps(values) if values else None

    def _spans(self, row: Mapping[str, Any]) -> None:
        tokens = _listed(row.get("tokens"))
        for n, span in enumerate(_listed(row.get("spans"))):
            record = f"span {n + 1}"
            place = _place(span, tokens)
            if place is None:
                self._reject("span without offsets", record, f"{_short(span)} has no start or end")
                continue
            start, end = place
            if not 0 <= start < end <= len(self._text):
                what = "span without characters" if start == end else "span outside the text"
                self._reject(what, record, f"{start} to {end} of {len(self._text)} characters")
                continue
            label, score = span.get("label"), span.get("score")
            rest = {k: v for k, v in span.items() if k not in _SPAN}
            label = label if isinstance(label, str) and label else None
            self._names.setdefault((start, end, label), str(n))
            self._names.setdefault((start, end, None), str(n))
            self._reading.annotation(
                self._item, type="text_span", label=label, start=float(start), end=float(end),
                text=covered(self._text, start, end), source_id=str(n),
                score=float(score) if _is_score(score) else None,
                attributes=self._attributes(),
                extra=dumps({"prodigy": rest}) if rest else None,
            )  # fmt: skip

    def _relations(self, row: Mapping[str, Any]) -> None:
        tokens = _listed(row.get("tokens"))
        for n, value in enumerate(_listed(row.get("relations")), 1):
            label = value.get("label") if isinstance(value, dict) else None
            if not isinstance(label, str):
                self._reject("relation can't be read", f"relation {n}", f"{_short(value)} has no "
                             "label")  # fmt: skip
                continue
            kept = {k: v for k, v in value.items() if k not in _RELATION}
            ends = {}
            for mine, theirs in (("from", "head"), ("to", "child")):
                name = self._end(value, theirs, tokens)
                if name is None:
                    kept |= {k: value[k] for k in (theirs, f"{theirs}_span") if k in value}
                    name = f"token {value.get(theirs)}"
                ends[mine] = name
            self._reading.annotation(
                self._item, type="relation", label=label, source_id=f"r{n}",
                attributes=self._attributes(**ends),
                extra=dumps({"prodigy": kept}) if kept else None,
            )  # fmt: skip

    def _end(self, value: Mapping[str, Any], which: str, tokens: Sequence[Any]) -> str | None:
        # The span that an end of a relation is on, where it is on one.
        span = value.get(f"{which}_span")
        place = _place(span, tokens)
        if place is not None and isinstance(span, dict):
            label = span.get("label")
            label = label if isinstance(label, str) else None
            found = self._names.get((*place, label)) or self._names.get((*place, None))
            if found is not None:
                return found
        token = next((t for t in tokens if isinstance(t, dict) and t.get("id") == value.get(which)),
                     None)  # fmt: skip
        place = _place(token, ())
        return None if place is None else self._names.get((*place, None))

    def _labels(self, row: Mapping[str, Any]) -> None:
        for option in _listed(row.get("options")):
            if isinstance(option, dict) and isinstance(option.get("id"), (str, int)):
                self._reading.label(str(option["id"]))
        given = [("label", row.get("label"))] if row.get("label") is not None else []
        given += [(f"accept {n}", v) for n, v in enumerate(_listed(row.get("accept")), 1)]
        for record, label in given:
            if isinstance(label, (str, int)):
                self._reading.annotation(
                    self._item, type="tag", label=str(label), attributes=self._attributes()
                )
            else:
                self._reject("label can't be read", record, f"{_short(label)} is no label")


def _listed(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _place(span: Any, tokens: Sequence[Any]) -> tuple[int, int] | None:
    if not isinstance(span, dict):
        return None
    pair = span.get("start"), span.get("end")
    if not _are_whole(*pair):
        some = [t for t in tokens if isinstance(t, dict)]
        by_id = {t.get("id", n): t for n, t in enumerate(some) if _are_whole(t.get("id", n))}
        ends = span.get("token_start"), span.get("token_end")
        if not _are_whole(*ends) or not set(ends) <= set(by_id):
            return None
        pair = by_id[ends[0]].get("start"), by_id[ends[1]].get("end")
    low, high = pair
    return (low, high) if isinstance(low, int) and isinstance(high, int) else None


def _are_whole(*values: object) -> bool:
    return all(isinstance(v, int) and not isinstance(v, bool) for v in values)


def _is_score(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
