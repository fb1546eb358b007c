"""Writing CoNLL: the rows that were read, with new tags, or words divided anew."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...ledger import Ledger
from ...progress import Progress
from ..fitting import Fitting, Holds, Row
from ..json_records import (
    own,
)
from ..texts import (
    Keys,
    plain_label,
    subset_files,
    text_items,
    tokenize,
)
from ..writing import Export, Sink
from .layout import CONLLU, FRESH, Layout, Sentence
from .read import TAG_NAMES
from .surface import Placed, build, escape_spaces, with_misc
from .tags import Entity, encode_tags, is_tag

__all__ = ["ConllWriter"]

_HOLDS = Holds({"text_span": ()}, columns=("extra",), kinds=("text",))
_GLUED = re.compile(r"\w[.,;:!?)\]}\"”’](\s|$)")
_BREAK = re.compile(r"\s*\n\s*")


class ConllWriter:
    """Writes one file per subset."""

    def __init__(
        self, export: Export, sink: Sink, options: Mapping[str, Any], ledger: Ledger,
        progress: Progress,
    ) -> None:  # fmt: skip
        self._export, self._sink, self._options = export, sink, options
        self._ledger, self._progress = ledger, progress
        self._layout = FRESH
        self._lost_data = 0

    def write(self) -> None:
        """Write all subsets."""
        self._layout = self._choose_layout()
        suffix = ".conllu" if self._layout.kind == "conllu" else ".conll"
        fitting = Fitting("CoNLL", _HOLDS, self._ledger)
        for subset, path, base in subset_files(self._export, suffix, self._ledger):
            marked = self._needs_marks(subset, base)
            keys = Keys(base, set())
            with self._sink.open(path) as stream:
                named = self._layout.names
                if named and named != CONLLU.names:
                    stream.write(f"# global.columns = {' '.join(named)}\n".encode())
                first = True
                for item, rows, text, data in text_items(
                    self._export, subset, fitting, self._progress, f"Writing {path}"
                ):
                    self._lost_data += bool(data)
                    lines = self._item(fitting, item, rows, text, keys, first, marked)
                    stream.write("".join(f"{line}\n" for line in lines).encode())
                    first = False
        fitting.close()
        if self._lost_data:
            self._ledger.note(
                "no place in CoNLL",
                message=f"data beside the text of {self._lost_data:,} items",
            )

    # -- what all items have in common -------------------------------------------------

    def _metas(self, subset: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for batch in self._export.batches(subset):
            for row in batch.items.select(["key", "kind", "meta"]).to_pylist():
                if row["kind"] == "text":
                    yield row["key"], own(row, "conll", "meta")

    def _choose_layout(self) -> Layout:
        wanted = self._options["layout"]
        found: list[Layout] = []
        for subset in self._export.subsets:
            for _, meta in self._metas(subset):
                layout = Layout.of_json(meta) if "sentences" in meta else FRESH
                if layout not in found:
                    found.append(layout)
        if len(found) == 1 and wanted in ("auto", found[0].kind):
            return found[0]
        return CONLLU if wanted == "conllu" else FRESH

    def _needs_marks(self, subset: str, base: str) -> bool:
        # Sentences that come back as they are, in order, need no marker between them.
        keys = Keys(base, set())
        for rank, (key, meta) in enumerate(self._metas(subset)):
            sentences = meta.get("sentences", ())
            fits = meta.get("mode") == "sentence" and len(sentences) == 1
            if not fits or (rank and meta["start"] and "(" in meta["start"]):
                return True
            declared = meta["id"]
            if keys.to_declare(key, declared) != declared:
                return True
        return False

    # -- one item -----------------------------------------------------------------------

    def _item(
        self, fitting: Fitting, item: Row, rows: Sequence[Row], text: str, keys: Keys,
        first: bool, marked: bool,
    ) -> Iterator[str]:  # fmt: skip
        meta = own(item, "conll", "meta")
        layout = self._layout
        sentences = [
            Sentence(list(s["comments"]), [list(r) for r in s["rows"]])
            for s in meta.get("sentences", ())
        ]
        kept = bool(sentences) and Layout.of_json(meta) == layout
        built, placed = build(sentences, layout) if kept else ("", [])
        if not kept or built != text:
            kept = False
            sentences = self._divide(text, rows, layout)
            built, placed = build(sentences, layout)
        if built != text:
            self._ledger.warn(
                "text is changed", file=item["key"], record="item", item=item["key"],
                message=f"{item['key']}: spaces between words are not kept; choose "
                "layout='conllu' to keep them",
            )  # fmt: skip
        chosen = self._options["scheme"]
        schemes = meta.get("scheme", ["BIO"]) if chosen == "auto" else [chosen]
        self._tag(fitting, item, rows, sentences, placed, text, layout, schemes)
        if marked:
            given = meta.get("id") if kept and meta.get("mode") == "document" else None
            declared = keys.to_declare(item["key"], given)
            yield from self._marker(item, meta if kept else {}, declared, given, first, layout,
                                    sentences)  # fmt: skip
        else:
            keys.to_declare(item["key"], meta.get("id"))
            if meta.get("start"):
                yield from (meta["start"], "")
        for number, sentence in enumerate(sentences, 1):
            yield from sentence.comments
            if layout is CONLLU and not kept:
                spans = placed[number - 1].spans
                yield f"# sent_id = {item['key']}-{number}"
                yield f"# text = {' '.join(built[spans[0][0] : spans[-1][1]].split())}"
            for cells in sentence.rows:
                yield layout.separator.join(cells)
            yield ""

    def _marker(
        self, item: Row, meta: Mapping[str, Any], declared: str | None, given: str | None,
        first: bool, layout: Layout, sentences: Sequence[Sentence],
    ) -> Iterator[str]:  # fmt: skip
        same = bool(meta) and declared == given
        if layout.kind == "conllu":
            has = sentences and any(c.startswith("# newdoc") for c in sentences[0].comments)
            if same and (has or (first and not meta.get("marked"))):
                return
            for sentence in sentences[:1]:
                sentence.comments = [c for c in sentence.comments if not c.startswith("# newdoc")]
                sentence.comments.insert(0, f"# newdoc id = {declared or item['key']}")
            return
        if same and meta.get("mode") == "document":
            if meta.get("start"):
                yield from (meta["start"], "")
                return
            if first:
                return
        cells = " ".join(["-DOCSTART-", "-X-", "O", "O"][: max(layout.width, 1)])
        alike = layout == FRESH and declared is None
        name = item["key"] if alike else declared
        yield cells if name is None else f"{cells} ({name})"
        yield ""

    def _divide(self, text: str, rows: Sequence[Row], layout: Layout) -> list[Sentence]:
        spans = [(r["start"], r["end"]) for r in rows if r["type"] == "text_span"]
        cuts = [n for span in spans for n in span]
        words = tokenize(text, cuts)
        if self._options["words"] == "spaces" or (
            self._options["words"] == "auto" and not _GLUED.search(text)
        ):
            words = _by_spaces(text, cuts)
        sentences: list[Sentence] = []
        before = 0
        for n, (low, high) in enumerate(words):
            gap = text[before:low]
            whole = not any(a < low and b > before for a, b in spans)
            if not sentences or (_BREAK.fullmatch(gap) and whole):
                sentences.append(Sentence())
            after = text[high : words[n + 1][0] if n + 1 < len(words) else len(text)]
            ends = n + 1 == len(words) or (
                bool(_BREAK.fullmatch(after))
                and not any(a < words[n + 1][0] and b > high for a, b in spans)
            )
            misc = _misc(gap if not n else "", after, ends=ends, last=n + 1 == len(words))
            sentences[-1].rows.append(
                _cells(layout, text[low:high], len(sentences[-1].rows) + 1, after, misc)
            )
            before = high
        return sentences

    # -- tags -----------------------------------------------------------------------------

    def _tag(
        self, fitting: Fitting, item: Row, rows: Sequence[Row], sentences: Sequence[Sentence],
        placed: Sequence[Placed], text: str, layout: Layout, schemes: Sequence[str],
    ) -> None:  # fmt: skip
        columns: tuple[int | None, ...] = layout.tags or (None,)
        if placed and not layout.tags and layout.misc is None:
            columns = ()
        entities: dict[tuple[int, int], list[Entity]] = {}
        built_words = self._word_places(sentences, placed, text, layout)
        for row in sorted(rows, key=lambda r: (r["start"], -r["end"])):
            hits = _hits(built_words, row["start"], row["end"])
            if not hits:
                fitting.reject(item, row, "span without a word", "it covers no word")
                continue
            label = plain_label(fitting, item, row, self._unsafe())
            wide = (
                built_words[hits[0][0]][hits[0][1]][0],
                built_words[hits[-1][0]][hits[-1][2]][1],
            )
            if wide != _trimmed(text, row["start"], row["end"]):
                fitting.warn(
                    item,
                    row,
                    "span is widened to whole words",
                    f"{row['start']} to {row['end']} became {wide[0]} to {wide[1]}",
                )
            if len(hits) > 1:
                fitting.warn(
                    item,
                    row,
                    "span over several sentences is divided",
                    f"it becomes {len(hits)} entities",
                )
            rank = _free_column(entities, hits, columns, own(row, "conll").get("column"))
            if rank is None:
                fitting.reject(
                    item, row, "overlapping span can't be written",
                    "a word has one tag, and another span has it",
                )  # fmt: skip
                continue
            for s, low, high in hits:
                entities.setdefault((s, rank), []).append(Entity(low, high, label))
        for s, (sentence, words) in enumerate(zip(sentences, placed, strict=True)):
            for rank, column in enumerate(columns):
                scheme = schemes[min(rank, len(schemes) - 1)]
                tags = encode_tags(len(words.rows), entities.get((s, rank), []), scheme)
                for row_number, tag in zip(words.rows, tags, strict=True):
                    _set_tag(sentence.rows[row_number], layout, column, tag)

    def _unsafe(self) -> str:
        if self._layout.separator == " ":
            return r"\s+"
        return r"[\t\r\n|]+"

    def _word_places(
        self, sentences: Sequence[Sentence], placed: Sequence[Placed], text: str, layout: Layout
    ) -> list[list[tuple[int, int]]]:
        # Where the words lie in the item's own text, which may have other spaces.
        found, at = [], 0
        for sentence, words in zip(sentences, placed, strict=True):
            places = []
            for row in words.rows:
                cells = sentence.rows[row]
                word = cells[layout.token] if layout.token < len(cells) else ""
                low = text.find(word, at)
                low = at if low < 0 else low
                places.append((low, low + len(word)))
                at = low + len(word)
            found.append(places)
        return found


def _by_spaces(text: str, cuts: Sequence[int]) -> list[tuple[int, int]]:
    found = []
    for match in re.finditer(r"\S+", text):
        low, high = match.span()
        for cut in sorted({c for c in cuts if low < c < high}):
            found.append((low, cut))
            low = cut
        found.append((low, high))
    return found


def _misc(before: str, after: str, *, ends: bool, last: bool) -> str:
    values: dict[str, str | None] = {}
    if before:
        values["SpacesBefore"] = escape_spaces(before)
    usual = "" if last else "\n" if ends else " "
    if after == "" and not last:
        values["SpaceAfter"] = "No"
    elif after != usual:
        values["SpacesAfter"] = escape_spaces(after)
    return with_misc("_", **values)


def _cells(layout: Layout, word: str, number: int, after: str, misc: str) -> list[str]:
    cells = ["_"] * layout.width
    if layout == FRESH:
        cells[1] = "-X-"
    if layout.kind == "conllu" and "ID" in layout.names:
        cells[layout.names.index("ID")] = str(number)
    elif layout.token:
        cells[0] = str(number)
    for column in layout.tags:
        cells[column] = "O"
    cells[layout.token] = word
    if layout.space is not None:
        cells[layout.space] = "+" if after else "-"
    if layout.misc is not None:
        cells[layout.misc] = misc
    return cells


def _set_tag(cells: list[str], layout: Layout, column: int | None, tag: str) -> None:
    if column is None:
        misc = layout.misc
        if misc is not None and misc < len(cells):
            taken_out: dict[str, str | None] = {
                name: None for name in TAG_NAMES if f"{name}=" in cells[misc]
            }
            value = None if tag == "O" else tag
            if value is not None or taken_out:
                cells[misc] = with_misc(cells[misc], **{**taken_out, "ner": value})
        return
    place = column
    if len(cells) != layout.width and column:
        place = column - layout.width
        if len(cells) <= -place or not is_tag(cells[place]):  # it has no tag
            if tag == "O":
                return
            cells += ["_"] * (layout.width - len(cells))
            place = column
    if tag != "O" or cells[place] not in ("_", "*", "o"):
        cells[place] = tag


def _hits(
    places: Sequence[Sequence[tuple[int, int]]], start: int, end: int
) -> list[tuple[int, int, int]]:
    found = []
    for s, words in enumerate(places):
        within = [i for i, (low, high) in enumerate(words) if low < end and high > start]
        if within:
            found.append((s, within[0], within[-1]))
    return found


def _free_column(
    entities: Mapping[tuple[int, int], Sequence[Entity]], hits: Sequence[tuple[int, int, int]],
    columns: Sequence[int | None], wanted: int | None,
) -> int | None:  # fmt: skip
    ranks = list(range(len(columns)))
    if wanted in columns:
        ranks.sort(key=lambda r: columns[r] != wanted)
    for rank in ranks:
        taken = any(
            e.first <= high and e.last >= low
            for s, low, high in hits for e in entities.get((s, rank), ())
        )  # fmt: skip
        if not taken:
            return rank
    return None


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    some = text[start:end]
    return start + len(some) - len(some.lstrip()), end - len(some) + len(some.rstrip())
