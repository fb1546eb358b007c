"""LFW, Labeled Faces in the Wild: a folder per person, pairs, landmarks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..ledger import Ledger
from ..media.kinds import is_image, suffix
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format
from .faces import (
    FACE,
    LANDMARKS,
    Once,
    attributes_of,
    finite_numbers,
    five_points,
    landmark_cells,
    lose_attributes,
    renamed,
)
from .fitting import FileNames, Fitting, Holds, Row
from .look import Look
from .mot.sequences import SPLITS
from .reading import Reading
from .text_lines import lines_of
from .writing import Export, Sink, safe_path

__all__ = ["Lfw"]

_TABLE = re.compile(
    r"(?:^|/)(pairs|people|landmarks)(DevTrain|DevTest|_[^/]+)?\.txt$", re.IGNORECASE
)
_NAME = re.compile(r"(?:.*/)?([^/]+)/\1_([0-9]{1,9})")
_MOST_LISTED = 100_000
_HOLDS = Holds({"tag": (), "skeleton": (), "points": ()}, columns=("attributes", "extra"))
_POSITIVE, _NEGATIVE = "positive_pairs", "negative_pairs"


class Lfw(Format):
    """LFW: ``images/<Name>/<Name>_0001.jpg``, ``annotations/{pairs,people,landmarks}.txt``.

    **Items** are images, and what the tables name without an image; the key is the path below
    ``images`` (``lfw``); the subset is the folder around both, or what a name like
    ``peopleDevTrain.txt`` says. Without images, people.txt tells how many there are of each.

    The person is a **tag** of each image that is called after its folder. Pairs are attributes
    of the tag of the first of both: ``positive_pairs`` (the same person) and ``negative_pairs``,
    lists of keys without suffix. Landmarks are a skeleton of five points. **Records** are images,
    tags, lines of pairs (part of the tag) and lines of landmarks.
    """

    name: ClassVar[str] = "lfw"
    title: ClassVar[str] = "LFW"
    summary: ClassVar[str] = "Faces in a folder per person, pairs of them, landmarks."
    rules: ClassVar[str] = "http://vis-www.cs.umass.edu/lfw/README.txt"
    holds: ClassVar[tuple[str, ...]] = ("tag", "skeleton")

    def requires(self, look: Look) -> float:
        """Recognise pairs.txt, people.txt or landmarks.txt by their lines."""
        main = look.source.main
        paths = [main] if main is not None else look.files.with_suffix(".txt")
        tables = {p: m[1].lower() for p in paths if (m := _TABLE.search(p))}
        look.need(tables, "no pairs.txt, people.txt or landmarks.txt")
        right = [p for p, kind in tables.items() if _fits(kind, look.head(p).lines)]
        look.need(right, f"{next(iter(tables))} has no lines of LFW")
        look.found(f"{right[0]} has lines of LFW")
        named = sum(_NAME.fullmatch(_stem(p)) is not None for p in look.images[:200])
        if named:
            look.found("images are called after the folders that they lie in")
        shown = [tables[p] for p in right]
        if named * 2 >= min(len(look.images), 200) and (named or "pairs" in shown):
            return 0.95
        return 0.6 if "pairs" in shown or "landmarks" in shown else 0.3

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield images, people and landmarks; see `Format.read`."""
        self.check_options(options)
        yield from _Reader(Reading(source, ledger, progress, limit)).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>/images`` and ``<subset>/annotations``.

        An image with a tag is called after it (``<Name>/<Name>_0001.jpg``); where it is not, it
        gets another name, which is told.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        self.check_options(options, writing=True)
        fitting = Fitting(self.title, _HOLDS, ledger)
        progress.start("Writing faces", None, "items")
        for subset in export.subsets:
            _Writer(export, subset, sink, fitting, progress).write()
        fitting.close()


def _stem(path: str) -> str:
    return path[: len(path) - len(suffix(path))]


def _fits(kind: str, lines: list[str]) -> bool:
    if not lines:
        return False
    if kind == "landmarks":
        cells = lines[0].split("\t")
        return is_image(cells[0].strip()) and len(cells) == 11
    if not all(cell.isdecimal() for cell in lines[0].split()):
        return False
    if len(lines) == 1:
        return lines[0].split()[-1] == "0"
    if kind == "people":
        return len(lines[1].split("\t")) == 2 and lines[1].split("\t")[1].strip().isdecimal()
    return _pair(lines[1]) is not None


def _pair(line: str) -> tuple[str, str, bool] | None:
    r"""Return both keys without suffix, and whether they show one person.

    >>> _pair("Ann_B\t1\t4"), _pair("Ann_B\t1\tCid\t12")
    (('Ann_B/Ann_B_0001', 'Ann_B/Ann_B_0004', True), ('Ann_B/Ann_B_0001', 'Cid/Cid_0012', False))
    """
    cells = [cell.strip() for cell in line.split("\t") if cell.strip()]
    if len(cells) not in (3, 4):
        cells = line.split()
    if len(cells) == 3:
        cells = [cells[0], cells[1], cells[0], cells[2]]
        same = True
    elif len(cells) == 4:
        same = False
    else:
        return None
    if not (cells[1].isdecimal() and cells[3].isdecimal()):
        return None
    return _image(cells[0], int(cells[1][:9])), _image(cells[2], int(cells[3][:9])), same


def _image(name: str, number: int) -> str:
    return f"{name}/{name}_{number:04d}"


@dataclass
class _Subset:
    # What the tables say of one subset, by key without suffix.
    positive: dict[str, list[str]] = field(default_factory=dict)
    negative: dict[str, list[str]] = field(default_factory=dict)
    folds: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    landmarks: list[tuple[str, int, str, list[float]]] = field(default_factory=list)
    people: dict[str, int] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    images: dict[str, tuple[str, str]] = field(default_factory=dict)
    twins: list[tuple[str, str]] = field(default_factory=list)


class _Reader:
    def __init__(self, reading: Reading) -> None:
        self._reading, self._source = reading, reading.source
        self._subsets: dict[str | None, _Subset] = {}

    def read(self) -> Iterator[Batch]:
        source, reading = self._source, self._reading
        paths = [source.main] if source.main is not None else source.files.with_suffix(".txt")
        tables = {p: m for p in paths if (m := _TABLE.search(p))}
        for path, data in reading.files(list(tables), record="table"):
            subset = self._subsets.setdefault(self._subset_of(path, tables[path][2]), _Subset())
            {"pairs": self._pairs, "people": self._people, "landmarks": self._landmarks}[
                tables[path][1].lower()
            ](path, data, subset)
        if source.main is None:
            self._list_images()
        has_images = any(s.images for s in self._subsets.values())
        for name, subset in sorted(self._subsets.items(), key=lambda s: s[0] or ""):
            yield from self._items(name, subset, has_images=has_images)
        yield from reading.rest()

    # -- tables -----------------------------------------------------------------------

    def _subset_of(self, path: str, more: str | None) -> str | None:
        folder = path.rpartition("/")[0]
        subset = _root(folder)
        if subset is None and more:
            low = more.strip("_").lower()
            return {"devtrain": "train", "devtest": "test"}.get(low, more.strip("_"))
        return subset

    def _pairs(self, path: str, data: bytes, subset: _Subset) -> None:
        lines = list(lines_of(data))
        head = lines[0][1].split() if lines else []
        is_head = bool(head) and all(cell.isdecimal() for cell in head)
        body = lines[1:] if is_head else lines
        folds, size = 1, len(body)
        if is_head and len(head) == 2 and int(head[0][:9]) * 2 * int(head[1][:9]) == len(body):
            folds, size = int(head[0][:9]), 2 * int(head[1][:9])
        for rank, (number, line) in enumerate(body):
            pair = _pair(line)
            if pair is None:
                text = "it is not name, number, number, or name, number, name, number"
                self._reject(path, number, "line is not a pair", text)
                continue
            first, second, same = pair
            self._reading.ledger.read()
            self._reading.ledger.joined()
            (subset.positive if same else subset.negative).setdefault(first, []).append(second)
            if folds > 1:
                subset.folds.setdefault(first, []).append((rank // size, second))
            for key in (first, second):
                subset.named.setdefault(key, path)

    def _people(self, path: str, data: bytes, subset: _Subset) -> None:
        for number, line in lines_of(data):
            cells = [cell.strip() for cell in line.split("\t")]
            if len(cells) == 1 and len(line.split()) == 2 and not line.split()[0].isdecimal():
                cells = line.split()
            if all(cell.isdecimal() for cell in line.split()):
                continue  # the number of people, or of folds
            if len(cells) != 2 or not cells[1].isdecimal():
                self._reject(path, number, "line is not a person", "it is not name and number")
                continue
            subset.people[cells[0]] = int(cells[1][:9])

    def _landmarks(self, path: str, data: bytes, subset: _Subset) -> None:
        for number, line in lines_of(data):
            cells = [cell.strip() for cell in line.split("\t")]
            if len(cells) != 11:
                cells = line.rsplit(None, 10)
            numbers = finite_numbers(cells[1:])
            if numbers is None or len(numbers) != 10:
                text = "it is not an image and ten numbers"
                self._reject(path, number, "line is not landmarks", text)
                continue
            name = cells[0].replace("\\", "/")
            subset.landmarks.append((path, number, name, numbers))
            subset.named.setdefault(_stem(name), path)

    def _reject(self, path: str, line: int, reason: str, text: str) -> None:
        where = f"line {line}"
        self._reading.reject(
            reason, file=path, where=where, record=where, message=f"{where}: {text}"
        )

    # -- images -----------------------------------------------------------------------

    def _list_images(self) -> None:
        person_of = {p: name for name, s in self._subsets.items() for p in s.people}
        for path in self._source.files:
            if not is_image(path):
                continue
            parts = path.split("/")
            at = next((i for i, p in enumerate(parts[:-1]) if _IMAGES.fullmatch(p)), None)
            subset = _root("/".join(parts[:at])) if at is not None else None
            inner = parts[at + 1 :] if at is not None else parts
            if at is None and len(parts) > 2:
                subset = _root("/".join(parts[:-2]))
                inner = parts[1:] if subset == parts[0] else parts
            if subset is None and len(inner) > 1:
                subset = person_of.get(inner[-2])
            key = "/".join(inner)
            target = self._subsets.setdefault(subset, _Subset())
            if target.images.setdefault(_stem(key), (key, path)) != (key, path):
                target.twins.append((key, path))

    def _items(self, name: str | None, subset: _Subset, *, has_images: bool) -> Iterator[Batch]:
        reading = self._reading
        ends = {_stem(mark[2]): suffix(mark[2]) for mark in subset.landmarks}
        stems = dict.fromkeys([*subset.images, *subset.named])
        if not has_images:
            for person, count in subset.people.items():
                if len(stems) + count > _MOST_LISTED:
                    text = f"{person} has {count:,} images, which are too many to list"
                    reading.ledger.note("not read: images that people.txt counts", message=text)
                    continue
                stems.update(dict.fromkeys(_image(person, n + 1) for n in range(count)))
        marks: dict[str, list[tuple[str, int, str, list[float]]]] = {}
        for mark in subset.landmarks:
            marks.setdefault(_stem(mark[2]), []).append(mark)
        for stem in stems:
            if reading.is_full:
                break
            key, media = subset.images.get(stem, (stem + (ends.get(stem) or ".jpg"), None))
            item = reading.item(key, subset=name, media=media)
            if media is None and has_images:
                reading.warn(
                    "image file missing", file=subset.named[stem], record="item", item=key,
                    message=f"{key}: there is no image of this name",
                )  # fmt: skip
            label = self._tag(item, stem, subset)
            for path, line, _, numbers in marks.get(stem, ()):
                known = reading.labels.get(label)
                if known is None or known.skeleton is None:
                    reading.label(label, skeleton=LANDMARKS)
                if (path, line) != marks[stem][0][:2]:
                    where = f"line {line}"
                    reading.warn(
                        "image has landmarks already", file=path, where=where, record=where,
                        item=key, message=f"{where}: {key} has several sets of landmarks",
                    )  # fmt: skip
                reading.annotation(item, label=label, **five_points(numbers))
            yield from reading.batches()
        for key, media in subset.twins:  # a.png beside a.jpg
            if not reading.is_full:
                reading.item(key, subset=name, media=media)

    def _tag(self, item: int, stem: str, subset: _Subset) -> str:
        match = _NAME.fullmatch(stem)
        if match is None:
            return FACE
        pairs = {
            name: found
            for name, found in (
                (_POSITIVE, subset.positive.get(stem)), (_NEGATIVE, subset.negative.get(stem))
            )
            if found
        }  # fmt: skip
        folds = subset.folds.get(stem)
        self._reading.annotation(
            item, type="tag", label=match[1],
            attributes=json.dumps(pairs) if pairs else None,
            extra=json.dumps({"lfw": {"folds": folds}}) if folds else None,
        )  # fmt: skip
        return match[1]


_IMAGES = re.compile(r"images|lfw([-_].*)?", re.IGNORECASE)
_NO_SUBSET = re.compile(r"annotations?|images|lfw.*|view\d*", re.IGNORECASE)


def _root(folder: str) -> str | None:
    # The subset that a folder means: of its name, or the first folder that does not only sort.
    parts = [p for p in folder.split("/") if p]
    for part in parts:
        if part.lower() in SPLITS:
            return part
    return next((p for p in parts if not _NO_SUBSET.fullmatch(p)), None)


class _Writer:
    def __init__(
        self, export: Export, subset: str, sink: Sink, fitting: Fitting, progress: Progress
    ) -> None:
        self._export, self._subset, self._sink = export, subset, sink
        self._fitting, self._progress = fitting, progress
        self._names = FileNames(stems=True)
        self._stems: dict[str, str] = {}
        self._people: dict[str, int] = {}
        self._marks: list[str] = []
        self._pairs: dict[tuple[int, bool], list[tuple[Row, Row, str, str]]] = {}

    def write(self) -> None:
        taken = self._taken()
        for batch in self._export.batches(self._subset):
            for item, rows in self._fitting.fit(batch):
                self._item(item, rows, taken)
                self._progress.advance()
        place = f"{self._subset}/annotations"
        lines = self._pair_lines()
        self._sink.write(f"{place}/pairs.txt", "".join(lines))
        people = [f"{name}\t{count}\n" for name, count in sorted(self._people.items())]
        self._sink.write(f"{place}/people.txt", f"{len(people)}\n{''.join(people)}")
        if self._marks:
            self._sink.write(f"{place}/landmarks.txt", "".join(self._marks))

    def _taken(self) -> set[str]:
        # Names that images have already: others do not get them.
        return {
            _stem(key)
            for batch in self._export.batches(self._subset)
            for key in batch.items["key"].to_pylist()
        }

    def _item(self, item: Row, rows: list[Row], taken: set[str]) -> None:
        once = Once(self._fitting, item)
        tags = [r for r in rows if r["type"] == "tag" and once.take("person", r)]
        label = tags[0]["label"] if tags else None
        path = self._names.of({**item, "key": self._path(item, label, taken)})
        renamed(self._fitting.ledger, item, path)
        self._stems[_stem(item["key"])] = _stem(path)
        self._sink.add_media(f"{self._subset}/images/{path}", item["number"])
        match = _NAME.fullmatch(_stem(path))
        if match:
            count = max(self._people.get(match[1], 0), int(match[2]))
            self._people[match[1]] = count
        for row in tags:
            self._tag(item, row, _stem(path))
        for row in rows:
            if row["type"] == "tag":
                continue
            if row["label"] != (label or FACE):
                text = f"{row['label']!r} is not the person {label!r} of the image"
                self._fitting.warn(item, row, "label can't be written", text)
            lose_attributes(self._fitting, item, row, attributes_of(row))
            cells = landmark_cells(self._fitting, item, row)
            if cells and once.take("set of landmarks", row):
                self._marks.append("\t".join([path, *cells]) + "\n")

    def _path(self, item: Row, label: str | None, taken: set[str]) -> str:
        key = safe_path(item["key"])
        end = suffix(key) or suffix(item.get("media") or "") or ".jpg"
        match = _NAME.fullmatch(_stem(key))
        if label is None:
            if match is None:
                return key if suffix(key) else key + end
            return f"{_stem(key)}-untagged{end}"  # it would be read as a person's
        name = re.sub(r"[\\/\t\r\n]", "_", label).strip(". ") or "_"
        if match is not None and match[1] == label and len(match[2]) >= 4:
            return key
        number = 1
        while _image(name, number) in taken:
            number += 1
        taken.add(_image(name, number))
        return _image(name, number) + end

    def _tag(self, item: Row, row: Row, stem: str) -> None:
        attributes = attributes_of(row)
        extra = json.loads(row.get("extra") or "{}").get("lfw")
        told = extra.get("folds") if isinstance(extra, dict) else None
        folds: dict[str, int] = {}
        for entry in told if isinstance(told, list) else ():
            if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], int):
                folds[str(entry[1])] = entry[0]
        for name in (_POSITIVE, _NEGATIVE):
            found = attributes.get(name)
            if isinstance(found, list) and all(isinstance(v, str) for v in found):
                del attributes[name]
                for other in found:
                    pairs = self._pairs.setdefault((folds.get(other, 0), name == _POSITIVE), [])
                    pairs.append((item, row, stem, other))
        lose_attributes(self._fitting, item, row, attributes)

    def _pair_lines(self) -> list[str]:
        made: dict[int, list[str]] = {}
        sizes: list[int] = []
        for (fold, same), pairs in sorted(
            self._pairs.items(), key=lambda p: (p[0][0], not p[0][1])
        ):
            lines = made.setdefault(fold, [])
            count = len(lines)
            for item, row, first, other in pairs:
                line = self._pair_line(first, self._stems.get(other, other), same=same)
                if line is None:
                    text = f"{first} and {other} are not called as people are"
                    self._fitting.warn(item, row, "pair can't be written", text)
                else:
                    lines.append(line)
            sizes.append(len(lines) - count)
        return [
            f"{max(len(made), 1)}\t{max(sizes, default=0)}\n",
            *(x for m in made.values() for x in m),
        ]

    def _pair_line(self, first: str, second: str, *, same: bool) -> str | None:
        a, b = _NAME.fullmatch(first), _NAME.fullmatch(second)
        if a is None or b is None or (a[1] == b[1]) != same:
            return None
        if _image(a[1], int(a[2])) != first or _image(b[1], int(b[2])) != second:
            return None
        return f"{a[1]}\t{int(a[2])}\t" + (f"{int(b[2])}\n" if same else f"{b[1]}\t{int(b[2])}\n")
