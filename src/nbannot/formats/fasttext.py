"""fastText: a text per line, its labels before it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ..ledger import Ledger
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format, Option
from .fitting import Fitting, Holds, Row
from .json_records import (
    own,
)
from .json_values import dumps
from .look import Look
from .reading import Reading
from .texts import (
    Keys,
    TextFile,
    decode,
    head_files,
    is_split,
    plain_label,
    subset_files,
    text_files,
    text_items,
)
from .writing import Export, Sink

__all__ = ["FastText"]

SUFFIXES = (".txt", ".train", ".valid", ".test", ".dev", ".ft", ".fasttext", ".csv", ".tsv", "")
_PREFIX = "__label__"
_HEADS = 12
_HOLDS = Holds({"tag": ()}, columns=("extra",), kinds=("text",))
_BREAKS = re.compile(r"\s*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+\s*")


class FastText(Format):
    """``__label__positive __label__short the text``, as fastText, flair and doccano have it.

    **Items** are the lines; the key is the rank in the file: ``train-7``. Subsets are the files.
    Every word that begins with the prefix is a label, wherever it stands; what is left is the
    text. **Records** are items and labels, which become tags. A line without labels is a text
    without tags. Keys, ids and line breaks within a text are lost when written.
    """

    name: ClassVar[str] = "fasttext"
    title: ClassVar[str] = "fastText"
    summary: ClassVar[str] = "A text per line after its labels: __label__a the text."
    rules: ClassVar[str] = "https://fasttext.cc/docs/en/supervised-tutorial.html"
    holds: ClassVar[tuple[str, ...]] = ("tag",)
    read_options: ClassVar[tuple[Option, ...]] = (
        Option("prefix", "text", _PREFIX, "What a label begins with"),
    )
    write_options: ClassVar[tuple[Option, ...]] = (
        Option("prefix", "text", _PREFIX, "What a label begins with"),
    )

    def requires(self, look: Look) -> float:
        """Recognise lines that begin with ``__label__`` in the heads of some files."""
        paths = head_files(look.source, SUFFIXES)
        look.need(paths, "no text file")
        some = paths[:: max(1, len(paths) // _HEADS)][:_HEADS]
        shares = {path: _share(look.head(path).lines) for path in some}
        good = [path for path, share in shares.items() if share > 0.1]
        look.need(good, f"no lines that begin with {_PREFIX}")
        look.found(f"{good[0]} has lines that begin with {_PREFIX}")
        if 2 * len(good) < len(some):
            return 0.25
        sure = len(good) == len(some) and any(share > 0.5 for share in shares.values())
        return 0.95 if sure else 0.6

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield a text per line; see the class. A file without labels is noted, not read."""
        prefix = self.check_options(options)["prefix"] or _PREFIX
        reading = Reading(source, ledger, progress, limit)
        paths = head_files(source, SUFFIXES)
        files = {file.path: file for file in text_files(paths)}
        taken: dict[str | None, set[str]] = {}
        chosen = _chosen(source, paths, files, prefix)
        for path, data in reading.files(paths):
            lines = decode(data, path, ledger).split("\n")
            if path not in chosen and not any(prefix in line for line in lines):
                ledger.note(
                    "file was not read", file=path, message=f"{path} holds no word with {prefix}"
                )
                continue
            file = files[path]
            keys = Keys(file.base, taken.setdefault(file.subset, set()))
            for number, line in enumerate(lines, 1):
                if line.strip():
                    _read_line(reading, line.strip("\r"), number, path, file.subset, keys, prefix)
                    yield from reading.batches()
                if reading.is_full:
                    break
            if reading.is_full:
                break
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write one file per subset; see the class for what is lost."""
        prefix = self.check_options(options, writing=True)["prefix"] or _PREFIX
        fitting = Fitting(self.title, _HOLDS, ledger)
        lost = {"keys": 0, "data": 0}
        for subset, path, base in subset_files(export, ".txt", ledger):
            keys = Keys(base, set())
            with sink.open(path) as stream:
                for item, rows, text, data in text_items(
                    export, subset, fitting, progress, f"Writing {path}"
                ):
                    labels = [plain_label(fitting, item, row) for row in rows]
                    line = _line(item, labels, text, prefix, ledger)
                    if not line.strip():
                        ledger.reject(
                            "empty text can't be written", file=item["key"], record="item",
                            item=item["key"], message="a line without a word is no text",
                        )  # fmt: skip
                        continue
                    stream.write(f"{line}\n".encode())
                    lost["keys"] += keys.next(None)[0] != item["key"]
                    lost["data"] += bool(data)
        fitting.close()
        for what, count in lost.items():
            if count:
                ledger.note("no place in fastText", message=f"{what} of {count:,} items")


def _share(lines: list[str]) -> float:
    return sum(line.startswith(_PREFIX) for line in lines) / len(lines) if lines else 0.0


def _chosen(
    source: Source, paths: Sequence[str], files: Mapping[str, TextFile], prefix: str
) -> set[str]:
    # Files to read even if no label is in them: all where none has any, else the only one, and
    # test.txt beside train.txt.
    look = Look(source)
    labelled = [path for path in paths if prefix.encode() in look.head(path).data]
    if len(paths) == 1 or not labelled:
        return set(paths)
    folders = {path.rpartition("/")[0] for path in labelled}
    return {
        path
        for path in paths
        if path.rpartition("/")[0] in folders and is_split(files[path].subset or "")
    }


def _read_line(
    reading: Reading, line: str, number: int, path: str, subset: str | None, keys: Keys,
    prefix: str,
) -> None:  # fmt: skip
    words = re.split(r"([ \t]+)", line)
    places = [i for i, w in enumerate(words) if w.startswith(prefix) and w != prefix]
    labels = [words[i][len(prefix) :] for i in places]
    before = places[: next((n for n, i in enumerate(places) if i != 2 * n), len(places))]
    rest = line
    tail = len(places) > len(before)
    if tail:
        kept = [w for i, w in enumerate(words) if i not in places]
        rest = re.sub(r"[ \t]{2,}", " ", "".join(kept)).strip(" \t")
    elif before:
        rest = "".join(words[before[-1] + 2 :])
    key, _ = keys.next(None)
    meta = {"fasttext": {"line": line}} if tail else None
    item = reading.item(
        key, subset=subset, kind="text", data=dumps({"text": rest}),
        meta=dumps(meta) if meta else None,
    )  # fmt: skip
    if not rest.strip():
        reading.warn(
            "labels without a text", file=path, where=f"line {number}", record="item", item=key,
            message=f"line {number} holds labels only",
        )  # fmt: skip
    for rank, label in enumerate(labels, 1):
        record = f"line {number}, label {rank}"
        if label in labels[: rank - 1]:
            reading.reject(
                "label is given twice", file=path, where=f"line {number}", record=record, item=key,
                message=f"line {number} has the label {label!r} twice",
            )  # fmt: skip
        else:
            reading.annotation(item, type="tag", label=label)


def _line(item: Row, labels: list[str], text: str, prefix: str, ledger: Ledger) -> str:
    given = own(item, "fasttext", "meta").get("line")
    if isinstance(given, str):  # labels elsewhere than at the beginning
        words = given.split()
        if [w[len(prefix) :] for w in words if w.startswith(prefix)] == labels and [
            w for w in words if not w.startswith(prefix)
        ] == text.split():
            return given
    plain = _BREAKS.sub(" ", text)
    if plain != text:
        ledger.warn(
            "line breaks written as spaces", file=item["key"], record="item", item=item["key"],
            message=f"{item['key']} has several lines, and fastText has one per text",
        )  # fmt: skip
    return " ".join([*(f"{prefix}{label}" for label in labels), plain])
