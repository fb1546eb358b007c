"""What formats of text share: files and their subsets, keys, offsets, JSON lines, tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..ledger import Ledger
from ..progress import Progress
from ..schema import DEFAULT_SUBSET
from ..sources.base import Source
from .fitting import Fitting, Row
from .json_values import loads
from .reading import Reading
from .writing import Export

__all__ = [
    "Keys",
    "TextFile",
    "covered",
    "declared_key",
    "decode",
    "fit_offsets",
    "head_files",
    "is_split",
    "json_object",
    "plain_label",
    "subset_files",
    "text_files",
    "text_items",
    "tokenize",
    "warn_attributes",
]

_SPLITS = frozenset(
    ("train", "training", "dev", "devel", "val", "valid", "validation", "test", "testing",
     "testa", "testb", "eval", "evaluation")
)  # fmt: skip
_MANY = 20
_WORDS = re.compile(r"[A-Za-z]+")
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f]')
_TOKEN = re.compile(r"\w+|[^\w\s]")


# -- files, subsets and keys ----------------------------------------------------------


@dataclass(frozen=True)
class TextFile:
    """A file with records: its path, its subset, and what the keys of its records begin with."""

    path: str
    subset: str | None
    base: str


def text_files(paths: Sequence[str]) -> list[TextFile]:
    """Return the files with their subsets: of the name, of the folder, else one per file.

    Many files in one folder that are not called train, test and the like have no subset.

    >>> [(f.subset, f.base) for f in text_files(["ner/eng.testa", "ner/eng.train"])]
    [('testa', 'ner/testa'), ('train', 'ner/train')]
    >>> text_files(["reviews.jsonl"])
    [TextFile(path='reviews.jsonl', subset=None, base='reviews')]
    """
    beside: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        beside.setdefault(folder, set()).add(_stem(name))
    made = [_text_file(path, beside[path.rpartition("/")[0]]) for path in paths]
    counts: dict[str, int] = {}
    for file in made:
        counts[file.base] = counts.get(file.base, 0) + 1
    return [f if counts[f.base] == 1 else TextFile(f.path, f.subset, f.path) for f in made]


def _text_file(path: str, stems: set[str]) -> TextFile:
    folder, _, name = path.rpartition("/")
    stem = _stem(name)
    subset = _split_in(name)
    last = folder.rpartition("/")[2]
    if subset is not None:
        stem = subset
    elif is_split(last):
        subset = last
    if subset is None and 1 < len(stems) <= _MANY and stem != DEFAULT_SUBSET:
        subset = stem
    return TextFile(path, subset, f"{folder}/{stem}" if folder else stem)


def _stem(name: str) -> str:
    stem, _, end = name.rpartition(".")
    return stem if stem and end.lower() not in _SPLITS else name


def is_split(name: str) -> bool:
    """Is a name one of those that subsets have: train, dev, test ...?"""
    return name.lower() in _SPLITS


def _split_in(name: str) -> str | None:
    found = [w for w in _WORDS.findall(name) if w.lower() in _SPLITS]
    return found[-1] if found else None


class Keys:
    """Gives each record of a file its key: the one it declares, else its rank; unique.

    A writer asks the same object which keys it has to declare, so that they come back.

    >>> keys = Keys("train", set())
    >>> keys.next(None), keys.next("a"), keys.next("a")
    (('train-1', False), ('a', False), ('a-2', True))
    """

    def __init__(self, base: str, taken: set[str]) -> None:
        self._base, self._taken, self._count = base, taken, 0

    def next(self, declared: str | None) -> tuple[str, bool]:
        """Return the key of the next record, and whether it had to be changed to be unique."""
        key, changed = self._key(declared)
        self._count += 1
        self._taken.add(key)
        return key, changed

    def to_declare(self, key: str, declared: str | None = None) -> str | None:
        """Return what the next record must declare to get `key`.

        `declared` is what it says in any case: None where it says nothing.
        """
        if self._key(declared)[0] != key:
            declared = key
        self.next(declared)
        return declared

    def _key(self, declared: str | None) -> tuple[str, bool]:
        first = key = declared or f"{self._base}-{self._count + 1}"
        n = 1
        while key in self._taken:
            n += 1
            key = f"{first}-{n}"
        return key, key != first


def declared_key(reading: Reading, keys: Keys, declared: str | None, file: str, where: str) -> str:
    """Return the key of the next record; a warning where the one it declares is taken."""
    key, changed = keys.next(declared)
    if changed:
        reading.warn(
            "id is used twice", file=file, where=where, record="item", item=key,
            message=f"{declared!r} was met before in this subset; this one is called {key!r}",
        )  # fmt: skip
    return key


def subset_files(export: Export, suffix: str, ledger: Ledger) -> Iterator[tuple[str, str, str]]:
    """Yield (subset, path, base of keys) for one file per subset, called as `text_files` reads."""
    taken: set[str] = set()
    alone = len(export.subsets) == 1
    for subset in export.subsets:
        given = subset or DEFAULT_SUBSET
        name = _UNSAFE.sub("_", given).strip(". ") or "_"
        if alone and (not subset or subset == DEFAULT_SUBSET):
            name = "data"
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        back = _split_in(name + suffix) or (None if alone else name)
        if given not in (DEFAULT_SUBSET, back):
            ledger.note(
                "name of a subset is not kept", file=name + suffix,
                message=f"the subset {given!r} is {back or 'without a name'!r} when read again",
            )  # fmt: skip
        yield subset, name + suffix, _split_in(name + suffix) or name


# -- texts ----------------------------------------------------------------------------


def json_object(text: str | None) -> dict[str, Any]:
    """Return the JSON object in a column such as `meta`; {} where there is none."""
    value = loads(text.encode())[0] if text else {}
    return value if isinstance(value, dict) else {}


def decode(data: bytes, file: str, ledger: Ledger) -> str:
    r"""Return the text of a file: UTF-8, UTF-16 by its mark, else Latin-1, which is noted.

    >>> decode("Köln".encode("latin-1"), "a.txt", Ledger())
    'Köln'
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        ledger.note(
            "file is not UTF-8", file=file,
            message=f"{file} is read as Latin-1: byte {error.start} is not UTF-8",
        )  # fmt: skip
        return data.decode("latin-1")


def covered(text: str, start: float, end: float) -> str:
    """Return the characters of `text` from `start` to `end`."""
    return text[int(start) : int(end)]


def fit_offsets(
    text: str, start: int, end: int, quoted: str | None, *, mark: bool = False
) -> tuple[int, int, str]:
    r"""Return (start, end) of a span in code points, and "" or what is suspect about it.

    Where the span does not read as `quoted`, other ways to count are tried: a line break of two
    characters as one, UTF-16 units, a byte order mark (`mark`) as a character.

    >>> fit_offsets("a\r\nbc", 2, 4, "bc")
    (3, 5, 'offsets count a line break as one character')
    """
    if quoted is None or _plain(text[start:end]) == _plain(quoted):
        return start, end, ""
    ways: list[tuple[str, Callable[[int], int]]] = []
    if "\r\n" in text:
        ways.append(("offsets count a line break as one character", lambda n: _breaks(text, n)))
    if any(c > "\uffff" for c in text):
        ways.append(("offsets count UTF-16 units", lambda n: _units(text, n)))
    if mark:
        ways.append(("offsets count the byte order mark", lambda n: n - 1))
    for why, way in ways:
        low, high = way(start), way(end)
        if 0 <= low < high <= len(text) and _plain(text[low:high]) == _plain(quoted):
            return low, high, why
    return start, end, "the text at its offsets is not the text that it quotes"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _breaks(text: str, offset: int) -> int:
    for n, match in enumerate(re.finditer("\r\n", text)):
        if match.start() - n >= offset:
            return offset + n
    return offset + text.count("\r\n")


def _units(text: str, offset: int) -> int:
    return len(text.encode("utf-16-le")[: 2 * offset].decode("utf-16-le", "ignore"))


def tokenize(text: str, cuts: Sequence[int] = ()) -> list[tuple[int, int]]:
    """Return (start, end) of each word and sign of `text`, divided also at each of `cuts`.

    >>> tokenize("a New-York", [3])
    [(0, 1), (2, 3), (3, 5), (5, 6), (6, 10)]
    """
    found: list[tuple[int, int]] = []
    inner = sorted(set(cuts))
    at = 0
    for match in _TOKEN.finditer(text):
        low, high = match.span()
        while at < len(inner) and inner[at] <= low:
            at += 1
        while at < len(inner) and inner[at] < high:
            found.append((low, inner[at]))
            low = inner[at]
            at += 1
        found.append((low, high))
    return found


# -- writing --------------------------------------------------------------------------


def text_items(
    export: Export, subset: str, fitting: Fitting, progress: Progress, doing: str
) -> Iterator[tuple[Row, list[Row], str, dict[str, Any]]]:
    """Yield (item, annotations that fit, text, the rest of its data) of each item of a subset.

    An item whose data holds no text is left out with all that is on it.
    """
    progress.start(doing, None, "texts")
    for batch in export.batches(subset):
        for item, rows in fitting.fit(batch):
            data = json_object(item.get("data"))
            name = _text_name(data)
            if name is None:
                fitting.ledger.reject(
                    "item without a text", file=item["key"], item=item["key"], record="item",
                    message=f"the data of {item['key']} holds no text",
                )  # fmt: skip
                for row in rows:
                    fitting.reject(item, row, "item without a text", "its item is not written")
                continue
            text = data.pop(name)
            yield item, _within(fitting, item, rows, text), text, data
        progress.advance(batch.items.num_rows)


def _text_name(data: Mapping[str, Any]) -> str | None:
    if isinstance(data.get("text"), str):
        return "text"
    return next((name for name, value in data.items() if isinstance(value, str)), None)


def _within(fitting: Fitting, item: Row, rows: Sequence[Row], text: str) -> list[Row]:
    kept = []
    for row in rows:
        if row["type"] == "text_span":
            start, end = row.get("start"), row.get("end")
            if start is None or end is None:
                fitting.reject(item, row, "span without offsets", "it has no start or no end")
                continue
            if not 0 <= start < end <= len(text):
                fitting.reject(
                    item, row, "span outside the text", f"{start:g} to {end:g} of {len(text)}"
                )
                continue
            row["start"], row["end"] = int(start), int(end)
        kept.append(row)
    return kept


def plain_label(fitting: Fitting, item: Row, row: Row, unsafe: str = r"\s+") -> str:
    """Return the label of a row with what the format can't hold as _, and say so.

    Two labels that differ in nothing else become one.
    """
    label: str = row["label"]
    plain = re.sub(unsafe, "_", label)
    if plain != label:
        fitting.warn(item, row, "label is written with _", f"{label!r} became {plain!r}")
    return plain


def warn_attributes(fitting: Fitting, item: Row, row: Row) -> None:
    """Say that the attributes of an annotation are lost, where it has any."""
    if row.get("attributes", "{}") != "{}":
        fitting.warn(item, row, "attributes can't be written", f"{row['attributes']} is lost")


def head_files(source: Source, suffixes: Sequence[str]) -> list[str]:
    """Return the files to look at: the one that was asked for, or those of `suffixes`."""
    if source.main is not None:
        return [source.main]
    return source.files.with_suffix(*suffixes)
