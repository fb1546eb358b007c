"""Reading LFW: its tables are put together by image."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...ledger import Ledger
from ...media.kinds import is_image, suffix
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..faces import FACE, LANDMARKS, finite_numbers, five_points
from ..mot.sequences import SPLITS
from ..reading import Reading
from ..text_lines import lines_of
from .names import NEGATIVE, PERSON_IMAGE, POSITIVE, TABLE, image_of, parse_pair, stem_of

__all__ = ["LfwReader"]

_MOST_LISTED = 100_000
_IMAGES = re.compile(r"images|lfw([-_].*)?", re.IGNORECASE)
_NO_SUBSET = re.compile(r"annotations?|images|lfw.*|view\d*", re.IGNORECASE)


def _root(folder: str) -> str | None:
    # The subset that a folder means: of its name, or the first folder that does not only sort.
    parts = [p for p in folder.split("/") if p]
    for part in parts:
        if part.lower() in SPLITS:
            return part
    return next((p for p in parts if not _NO_SUBSET.fullmatch(p)), None)


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


class LfwReader:
    """Reads a source; one use."""

    def __init__(
        self, source: Source, ledger: Ledger, progress: Progress, limit: int | None
    ) -> None:
        self._reading, self._source = Reading(source, ledger, progress, limit), source
        self._subsets: dict[str | None, _Subset] = {}

    def read(self) -> Iterator[Batch]:
        """Yield the content."""
        source, reading = self._source, self._reading
        paths = [source.main] if source.main is not None else source.files.with_suffix(".txt")
        tables = {p: m for p in paths if (m := TABLE.search(p))}
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
            pair = parse_pair(line)
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
            subset.named.setdefault(stem_of(name), path)

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
            if target.images.setdefault(stem_of(key), (key, path)) != (key, path):
                target.twins.append((key, path))

    def _items(self, name: str | None, subset: _Subset, *, has_images: bool) -> Iterator[Batch]:
        reading = self._reading
        ends = {stem_of(mark[2]): suffix(mark[2]) for mark in subset.landmarks}
        stems = dict.fromkeys([*subset.images, *subset.named])
        if not has_images:
            for person, count in subset.people.items():
                if len(stems) + count > _MOST_LISTED:
                    text = f"{person} has {count:,} images, which are too many to list"
                    reading.ledger.note("not read: images that people.txt counts", message=text)
                    continue
                stems.update(dict.fromkeys(image_of(person, n + 1) for n in range(count)))
        marks: dict[str, list[tuple[str, int, str, list[float]]]] = {}
        for mark in subset.landmarks:
            marks.setdefault(stem_of(mark[2]), []).append(mark)
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
        match = PERSON_IMAGE.fullmatch(stem)
        if match is None:
            return FACE
        pairs = {
            name: found
            for name, found in (
                (POSITIVE, subset.positive.get(stem)), (NEGATIVE, subset.negative.get(stem))
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
