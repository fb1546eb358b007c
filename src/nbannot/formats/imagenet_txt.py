"""ImageNet as text: a list of classes, and for each subset a list of images with class numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ..errors import BrokenFileError
from ..ledger import Ledger
from ..media.kinds import is_image
from ..progress import Progress
from ..schema import DEFAULT_SUBSET, Batch
from ..sources.base import Source
from .base import Format
from .fitting import FileNames, Fitting, Holds, Row
from .look import Look
from .reading import Reading
from .text_lines import lines_of
from .writing import Export, Sink, safe_path

__all__ = ["ImagenetTxt", "name_lines"]

_SUBSETS = frozenset(
    ("train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval",
     "trainval", "minival")
)  # fmt: skip
# Datumaro has the suffix behind the quotes, others within: "a b".jpg 0, "a b.jpg" 0
_LINE = re.compile(r'(?:"((?:[^"\\]|\\.)*)"(\.\w+)?|(\S.*?))((?:\s+-?\d+)*)\s*')
_NAMED = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|(\S+))\s+(\S.*)')
_WNID = re.compile(r"(n\d{8})\s+(.+)")


class ImagenetTxt(Format):
    """ImageNet as text (Caffe, Datumaro): ``synsets.txt`` and ``<subset>.txt``.

    **Items** are the lines of ``<subset>.txt``: a path, relative to ``images/`` or to the root, and
    the numbers (from 0) of its classes. The key is the path without the subset's own folder; the
    subset is the name of the file. Paths with spaces stand in double quotes, written as Datumaro
    has it: ``"a b".jpg 0``.

    **Annotations** are tags, one for each number. Their names are the lines of ``synsets.txt``;
    without it a class is ``class_<number>``. Lists of names instead of numbers (``1.jpg dog``)
    are read too.

    **Lost in writing:** everything but tags.
    """

    name: ClassVar[str] = "imagenet-txt"
    title: ClassVar[str] = "ImageNet (text lists)"
    summary: ClassVar[str] = "synsets.txt, and lists of images with class numbers."
    rules: ClassVar[str] = (
        "https://docs.cvat.ai/docs/dataset_management/formats/format-imagenet/ and Datumaro"
    )
    holds: ClassVar[tuple[str, ...]] = ("tag",)

    def requires(self, look: Look) -> float:
        """Recognise a list whose lines are images and numbers."""
        names, lists = _files(look.source)
        look.need(lists, "no <subset>.txt beside a synsets.txt, and no train.txt or the like")
        heads = [look.head(path).lines[:50] for path in lists]
        numbered = [p for p, h in zip(lists, heads, strict=True) if _is_numbered(h)]
        if numbered:
            look.found(f"the lines of {numbered[0]} are images and numbers of classes")
            if names:
                look.found(f"{names} names the classes")
            return 0.95 if names and names.endswith("synsets.txt") else 0.9 if names else 0.6
        named = [
            p for p, h in zip(lists, heads, strict=True) if _is_named(h) and _is_there(look, h)
        ]
        look.need(named, f"the lines of {lists[0]} are not images and numbers of classes")
        look.found(f"the lines of {named[0]} are images and classes")
        return 0.6

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the lists, in order; see `Format.read`.

        Raises:
            BrokenFileError: no line of any list can be read.
        """
        reading = Reading(source, ledger, progress, limit)
        names, lists = _files(source)
        classes = _classes(reading, names) if names else None
        good = bad = 0
        for path, data in reading.files(lists):
            reader = _List(reading, path, classes)
            for number, line in lines_of(data):
                progress.check()
                if reader.add(number, line):
                    good += 1
                else:
                    bad += 1
                if reading.is_full:
                    break
            if bad > 20 and not good:
                raise BrokenFileError(
                    "The file is no list of images with classes", where=path,
                    hint="Each line is a path and numbers of classes: images/1.jpg 0 3",
                )  # fmt: skip
            yield from reading.batches()
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
        """Write ``synsets.txt``, ``<subset>.txt``, and images in ``images/<subset>/``.

        Tags are written; what is no tag is a line of the ledger.
        """
        numbers = {label.name: i for i, label in enumerate(export.labels)}
        fitting = Fitting(self.title, Holds({"tag": ()}), ledger)
        progress.start("Writing", unit="items")
        for subset in export.subsets:
            folder = safe_path(subset or DEFAULT_SUBSET).replace("/", "_")
            files, lines = FileNames(), []
            for batch in export.batches(subset):
                for item, rows in fitting.fit(batch):
                    name = f"{folder}/{files.of(item)}"
                    sink.add_media(f"images/{name}", item["number"])
                    found = _numbers(item, rows, numbers, fitting)
                    lines.append(" ".join([_quoted(name), *map(str, found)]))
                    progress.advance()
            sink.write(f"{folder}.txt", "".join(f"{line}\n" for line in lines))
        sink.write("synsets.txt", name_lines(numbers, ledger))
        fitting.close()


def _files(source: Source) -> tuple[str, list[str]]:
    # The list of classes ("" where there is none), and the lists of images.
    if source.main:
        return "", [source.main] if source.main.lower().endswith(".txt") else []
    texts = [p for f in ("", "meta", "annotations") for p in source.files.files(f)
             if p.lower().endswith(".txt")]  # fmt: skip
    names = [p for p in texts if p.rpartition("/")[2].lower().startswith("synset")]
    names.sort(key=lambda p: (not p.endswith("synsets.txt"), p))
    rest = [p for p in texts if p not in names]
    if names and names[0].endswith("synsets.txt"):
        return names[0], rest
    stems = [(p, p.rpartition("/")[2][:-4].lower()) for p in rest]
    lists = [p for p, s in stems if s in _SUBSETS or s.startswith("ann")]
    return (names[0] if names else ""), lists


def _is_numbered(lines: Sequence[str]) -> bool:
    matches = [_LINE.fullmatch(line) for line in lines]
    found = [m for m in matches if m and is_image(_path(m))]
    return bool(found) and len(found) == len(lines) and any(m[4] for m in found)


def _path(line: re.Match[str]) -> str:
    return line[3] if line[3] is not None else line[1] + (line[2] or "")


def _is_named(lines: Sequence[str]) -> bool:
    found = [_NAMED.fullmatch(line) for line in lines]
    # A second path is a mask, and what has commas is a table.
    return bool(found) and all(m and not re.search(r"[/,]", m[3]) for m in found)


def _is_there(look: Look, lines: Sequence[str]) -> bool:
    # Two words in a line are anything: the first must be an image that there is.
    names = {p.rpartition("/")[2] for p in look.images}
    names |= {n.rpartition(".")[0] for n in names}
    firsts = [line.split()[0].strip('"').rpartition("/")[2] for line in lines]
    return bool(firsts) and all(first in names for first in firsts)


def _classes(reading: Reading, path: str) -> list[str]:
    lines = [line for _, line in lines_of(reading.source.read(path))]
    # synset_words.txt: an id of WordNet and a description.
    listed = not path.endswith("synsets.txt")
    described = listed and bool(lines) and all(_WNID.fullmatch(line) for line in lines)
    names = []
    for line in lines:
        match = _WNID.fullmatch(line) if described else None
        if match:
            names.append(reading.label(match[1], extra={"description": match[2]}))
        else:
            names.append(reading.label(line))
    return names


class _List:
    """One list of images."""

    def __init__(self, reading: Reading, path: str, classes: list[str] | None) -> None:
        self._reading, self._file, self._classes = reading, path, classes
        stem = path.rpartition("/")[2][:-4]
        self._subset = None if stem.lower().startswith("ann") else stem
        self._seen: set[tuple[int, str]] = set()

    def add(self, number: int, line: str) -> bool:
        """Add a line; False: it can't be read."""
        where = f"line {number}"
        match = _LINE.fullmatch(line)
        path = _path(match) if match else ""
        numbers = match[4].split() if match else []
        names: list[str] = []
        if not numbers and (named := _NAMED.fullmatch(line)) and not is_image(path):
            path, names = named[1] or named[2], [named[3]]
        path = path.replace('\\"', '"').replace("\\", "/")
        if not path or ".." in path.split("/") or path.startswith("/"):
            self._reject("line without an image", where, where, f"{line!r:.80}")
            return False
        item = self._item(path)
        for n, text in enumerate(numbers or names, 1):
            record = where if n == 1 else f"{where}, class {n}"
            label = text if names else self._label(int(text))
            if label is None:
                self._reject(
                    "class is not in synsets.txt", where, record, f"there is no class {text}", item
                )
            elif (item, label) in self._seen:
                self._reject("twice the same class", where, record, f"{label} again", item)
            else:
                self._seen.add((item, label))
                self._reading.annotation(item, type="tag", label=label)
        return True

    def _item(self, path: str) -> int:
        subset = self._subset
        home = self._file.rpartition("/")[0]
        folders = [f for f in (f"images/{subset}", "images", subset, home) if f]
        key = path.removeprefix("images/")
        if subset:
            key = key.removeprefix(f"{subset}/")
        reading = self._reading
        if not is_image(path):
            found = reading.find(path, near=folders, stem=True)
            key += found.path[found.path.rindex(".") :] if found.path else ""
            return reading.image_item(found.path or path, file=self._file, subset=subset, key=key)
        return reading.image_item(path, file=self._file, near=folders, subset=subset, key=key)

    def _label(self, number: int) -> str | None:
        if self._classes is None:
            return f"class_{number}" if number >= 0 else None
        return self._classes[number] if 0 <= number < len(self._classes) else None

    def _reject(
        self, reason: str, where: str, record: str, text: str, item: int | None = None
    ) -> None:
        self._reading.reject(
            reason, file=self._file, where=where, record=record,
            item="" if item is None else self._reading.key(item), message=f"{where}: {text}",
        )  # fmt: skip


def name_lines(names: Iterable[str], ledger: Ledger) -> str:
    """Return names one to a line; one that does not fit in a line is changed, and noted."""
    lines = []
    for name in names:
        line = (
            " ".join(name.split()) if name != name.strip() or len(name.splitlines()) > 1 else name
        )
        if line != name:
            ledger.note("label renamed", message=f"{name!r} is written as {line!r}")
        lines.append(f"{line}\n")
    return "".join(lines)


# -- writing ----------------------------------------------------------------------------------


def _numbers(
    item: Row, rows: Sequence[Row], numbers: dict[str, int], fitting: Fitting
) -> list[int]:
    out: list[int] = []
    for row in rows:
        number = numbers.setdefault(row["label"], len(numbers))
        if number in out:
            fitting.reject(item, row, "twice the same class", f"{row['label']} again")
        else:
            out.append(number)
    return out


def _quoted(path: str) -> str:
    if not re.search(r'[\s"]', path):
        return path
    escaped = path.replace('"', '\\"')
    stem, dot, end = escaped.rpartition(".")
    return f'"{stem}"{dot}{end}' if end.isalnum() else f'"{escaped}"'
