"""Reading spaCy: tuples, the JSON of version 2, and what ``Doc.to_json`` gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import FormatError
from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..conll.tags import decode_tags
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

__all__ = ["SpacyReader", "form_of", "word_places"]


def form_of(value: Any) -> str:
    """Return which of spaCy's forms a value has: tuples, json, doc, list (of tuples), or ""."""
    if isinstance(value, list):
        fits = len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict)
        return "tuples" if fits and {"entities", "cats", "spans"} & set(value[1]) else ""
    if not isinstance(value, dict):
        return ""
    paragraphs = value.get("paragraphs")
    if isinstance(paragraphs, list):
        fits = all(isinstance(p, dict) and ({"raw", "sentences"} & set(p)) for p in paragraphs)
        return "json" if fits else ""
    if isinstance(value.get("text"), str) and ("ents" in value or _is_cats(value.get("cats"))):
        return "doc"
    some = value.get("annotations")
    if isinstance(some, list) and "classes" in value:
        return "list" if any(form_of(v) == "tuples" for v in some) or not some else ""
    return ""


def _is_cats(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(v, (int, float)) for v in value.values())


class SpacyReader:
    """One read of files of spaCy."""

    def __init__(self, source: Source, ledger: Ledger, progress: Progress) -> None:
        self._source, self._ledger, self._progress = source, ledger, progress

    def read(self, paths: Sequence[str], limit: int | None) -> Iterator[Batch]:
        """Yield the texts of `paths`; a DocBin among them is noted, and an error if it is all."""
        reading = Reading(self._source, self._ledger, self._progress, limit)
        binary = [path for path in paths if path.lower().endswith(".spacy")]
        for path in binary:
            self._ledger.note(
                "DocBin was not read", file=path,
                message=f"{path} is a DocBin, which only spaCy reads; write doc.to_json() of each "
                "of its documents as a line of JSON",
            )  # fmt: skip
        plain = [path for path in paths if path not in binary]
        if binary and not plain:
            raise FormatError(
                f"{binary[0]} is a DocBin, a binary file that only spaCy itself reads",
                hint="In spaCy: DocBin().from_disk(path).get_docs(vocab), and write "
                "doc.to_json() of each as a line of JSON.",
            )
        files = {file.path: file for file in text_files(plain)}
        taken: dict[str | None, set[str]] = {}
        read = 0
        for path, data in reading.files(plain):
            file = files[path]
            keys = Keys(file.base, taken.setdefault(file.subset, set()))
            records = list(json_records(data, path, self._ledger))
            if records and not any(form_of(value) for value, _ in records):
                self._ledger.note(
                    "file was not read", file=path, message=f"{path} holds no texts of spaCy"
                )
                continue
            read += 1
            for value, where in records:
                _Value(reading, file, keys).read(value, where)
                yield from reading.batches()
                if reading.is_full:
                    break
            if reading.is_full:
                break
        if plain and not read:
            raise FormatError(f"{plain[0]} holds no texts of spaCy", where=self._source.name)
        yield from reading.rest()


class _Value:
    """Reads one value of a file: one text, or several."""

    def __init__(self, reading: Reading, file: TextFile, keys: Keys) -> None:
        self._reading, self._file, self._keys = reading, file, keys
        self._item, self._key, self._text, self._where = 0, "", "", ""

    def read(self, value: Any, where: str) -> None:
        """Read all texts of the value."""
        self._where = where
        form = form_of(value)
        if form == "tuples":
            self._tuple(value[0], value[1])
        elif form == "doc":
            self._doc(value)
        elif form == "json":
            self._paragraphs(value)
        elif form == "list":
            for name in value["classes"] if isinstance(value["classes"], list) else ():
                if isinstance(name, str):
                    self._reading.label(name)
            for n, entry in enumerate(value["annotations"]):
                if self._reading.is_full:
                    return
                if entry is not None:  # the annotator leaves null for a text that was not shown
                    self.read(entry, f"annotations[{n}]")
        else:
            self._reading.reject(
                "not a text of spaCy", file=self._file.path, where=where, record=where,
                message=f"{where} is neither [text, {{entities}}] nor a document of spaCy",
            )  # fmt: skip

    def _tuple(self, text: str, said: Mapping[str, Any]) -> None:
        rest = {k: v for k, v in said.items() if k not in ("entities", "cats", "spans")}
        self._new(text, None, {"form": "tuples", **({"rest": rest} if rest else {})}, said)
        self._spans(said.get("entities"), "entities", None)
        self._groups(said)
        self._cats(said.get("cats"))

    def _doc(self, doc: Mapping[str, Any]) -> None:
        rest = {k: v for k, v in doc.items() if k not in ("text", "ents", "cats", "spans")}
        self._new(doc["text"], None, {"form": "doc", **({"rest": rest} if rest else {})}, doc)
        self._spans(doc.get("ents"), "ents", None)
        self._groups(doc)
        self._cats(doc.get("cats"))

    def _paragraphs(self, document: Mapping[str, Any]) -> None:
        number = document.get("id")
        named = str(number) if isinstance(number, (int, str)) and number != "" else None
        several = len(document["paragraphs"]) > 1
        where = self._where
        for n, paragraph in enumerate(document["paragraphs"]):
            self._where = f"{where}.paragraphs[{n}]"
            tokens = _tokens_of(paragraph)
            words = [[_word(t) for t in some] for some in tokens]
            joined = "\n".join(" ".join(some) for some in words)
            raw = paragraph.get("raw")
            text = raw if isinstance(raw, str) else joined
            places = word_places(text, words)
            if places is None:
                text, places = joined, word_places(joined, words) or []
            key = f"{named}-{n + 1}" if named is not None and several else named
            said = {"cats": _old_cats(paragraph.get("cats"))}
            kept = {"form": "json", "id": number, "sentences": paragraph.get("sentences")}
            self._new(text, key, kept, said)
            if isinstance(raw, str) and raw != text:
                self._reading.warn(
                    "words are not in the raw text", file=self._file.path, where=self._where,
                    record="item", item=self._key,
                    message=f"{self._where}: its text is put together from its words",
                )  # fmt: skip
            for s, some in enumerate(tokens):
                self._tagged(some, places[s], s)
            self._cats(said["cats"])
            if self._reading.is_full:
                return

    def _tagged(
        self, tokens: Sequence[Any], places: Sequence[tuple[int, int]], sentence: int
    ) -> None:
        tags = [str(t.get("ner", "O")) for t in tokens]
        for first, last, label, problem in decode_tags(tags, "BILOU"):
            record = f"sentences[{sentence}].tokens[{first}]"
            start, end = places[first][0], places[last][1]
            if problem:
                self._reading.warn(
                    problem, file=self._file.path, where=self._where, item=self._key,
                    record=f"{self._where}, {record}",
                    message=f"{self._where}, {record}: {problem}, which BILUO does not",
                )  # fmt: skip
            self._reading.annotation(
                self._item, type="text_span", label=label, start=float(start), end=float(end),
                text=covered(self._text, start, end),
            )  # fmt: skip

    def _new(
        self, text: str, named: str | None, meta: Mapping[str, Any], said: Mapping[str, Any]
    ) -> None:
        self._text = text
        self._key = declared_key(self._reading, self._keys, named, self._file.path, self._where)
        cats = said.get("cats")
        if isinstance(cats, dict):
            for name in cats:
                self._reading.label(name)
        self._item = self._reading.item(
            self._key, subset=self._file.subset, kind="text", source_id=named,
            data=dumps({"text": text}), meta=dumps({"spacy": meta}),
        )  # fmt: skip

    def _reject(self, reason: str, record: str, message: str) -> None:
        self._reading.reject(
            reason, file=self._file.path, where=self._where, item=self._key,
            record=f"{self._where}, {record}", message=f"{self._where}, {record}: {message}",
        )  # fmt: skip

    def _groups(self, said: Mapping[str, Any]) -> None:
        groups = said.get("spans")
        if isinstance(groups, dict):
            for name, spans in groups.items():
                self._spans(spans, f"spans.{name}", name)

    def _spans(self, spans: Any, what: str, group: str | None) -> None:
        for n, span in enumerate(spans if isinstance(spans, list) else ()):
            record = f"{what}[{n}]"
            triple = _triple(span)
            if triple is None:
                self._reject("entity can't be read", record, f"{span!r} is not [start, end, label]")
                continue
            start, end, label = triple
            if not 0 <= start < end <= len(self._text):
                reason = "span without characters" if start == end else "span outside the text"
                self._reject(reason, record, f"{start} to {end} of {len(self._text)} characters")
                continue
            self._reading.annotation(
                self._item, type="text_span", label=label, start=float(start), end=float(end),
                text=covered(self._text, start, end),
                extra=dumps({"spacy": {"spans": group}}) if group is not None else None,
            )  # fmt: skip

    def _cats(self, cats: Any) -> None:
        if not isinstance(cats, dict):
            return
        for name, value in cats.items():
            if not isinstance(value, (int, float)):
                self._reject("category can't be read", f"cats.{name}", f"{value!r} is no number")
            elif value > 0:
                score = float(value) if value < 1 else None
                self._reading.annotation(self._item, type="tag", label=name, score=score)


def _triple(span: Any) -> tuple[int, int, str] | None:
    if isinstance(span, dict):
        span = [span.get("start"), span.get("end"), span.get("label")]
    if not isinstance(span, list) or len(span) < 3 or not isinstance(span[2], str):
        return None
    whole = all(isinstance(n, int) and not isinstance(n, bool) for n in span[:2])
    return (span[0], span[1], span[2]) if whole else None


def _tokens_of(paragraph: Mapping[str, Any]) -> list[list[Any]]:
    found = []
    sentences = paragraph.get("sentences")
    for sentence in sentences if isinstance(sentences, list) else ():
        tokens = sentence.get("tokens") if isinstance(sentence, dict) else None
        found.append([t for t in tokens if isinstance(t, dict)] if isinstance(tokens, list) else [])
    return found


def _word(token: Mapping[str, Any]) -> str:
    word = token.get("orth")
    return word if isinstance(word, str) else ""


def word_places(text: str, words: Sequence[Sequence[str]]) -> list[list[tuple[int, int]]] | None:
    """Return where the words of each sentence lie in `text`; None where one is not there.

    >>> word_places("It is.", [["It", "is", "."]])
    [[(0, 2), (3, 5), (5, 6)]]
    """
    at, found = 0, []
    for some in words:
        places = []
        for word in some:
            low = text.find(word, at)
            if low < 0 or text[at:low].strip():
                return None
            at = low + len(word)
            places.append((low, at))
        found.append(places)
    return found


def _old_cats(cats: Any) -> dict[str, Any]:
    if isinstance(cats, dict):
        return cats
    rows = [c for c in cats if isinstance(c, dict)] if isinstance(cats, list) else []
    return {str(c["label"]): c.get("value", 1) for c in rows if "label" in c}
