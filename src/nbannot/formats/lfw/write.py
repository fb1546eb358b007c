"""Writing LFW."""

from __future__ import annotations

import json
import re

from ...ledger import Ledger
from ...media.kinds import suffix
from ...progress import Progress
from ..faces import FACE, Once, attributes_of, landmark_cells, lose_attributes, renamed
from ..fitting import FileNames, Fitting, Holds, Row
from ..text_lines import one_line
from ..writing import Export, Sink, safe_path
from .names import NEGATIVE, PERSON_IMAGE, POSITIVE, image_of, stem_of

__all__ = ["write_lfw"]

_HOLDS = Holds({"tag": (), "skeleton": (), "points": ()}, columns=("attributes", "extra"))


def write_lfw(export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
    """Write an export; see `Lfw.write`."""
    fitting = Fitting("LFW", _HOLDS, ledger)
    progress.start("Writing faces", None, "items")
    for subset in export.subsets:
        _SubsetWriter(export, subset, sink, fitting, progress).write()
    fitting.close()


class _SubsetWriter:
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
            stem_of(key)
            for batch in self._export.batches(self._subset)
            for key in batch.items["key"].to_pylist()
        }

    def _item(self, item: Row, rows: list[Row], taken: set[str]) -> None:
        once = Once(self._fitting, item)
        tags = [r for r in rows if r["type"] == "tag" and once.take("person", r)]
        label = tags[0]["label"] if tags else None
        path = self._names.of({**item, "key": self._path(item, label, taken)})
        renamed(self._fitting.ledger, item, path)
        self._stems[stem_of(item["key"])] = stem_of(path)
        self._sink.add_media(f"{self._subset}/images/{path}", item["number"])
        match = PERSON_IMAGE.fullmatch(stem_of(path))
        if match:
            count = max(self._people.get(match[1], 0), int(match[2]))
            self._people[match[1]] = count
        for row in tags:
            self._tag(item, row, stem_of(path))
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
        key = one_line(safe_path(item["key"])).replace("\t", "_")
        end = suffix(key) or suffix(item.get("media") or "") or ".jpg"
        match = PERSON_IMAGE.fullmatch(stem_of(key))
        if label is None:
            if match is None:
                return key if suffix(key) else key + end
            return f"{stem_of(key)}-untagged{end}"  # it would be read as a person's
        name = re.sub(r"[\\/\t\r\n]", "_", label).strip(". ") or "_"
        if match is not None and match[1] == label and len(match[2]) >= 4:
            return key
        number = 1
        while image_of(name, number) in taken:
            number += 1
        taken.add(image_of(name, number))
        return image_of(name, number) + end

    def _tag(self, item: Row, row: Row, stem: str) -> None:
        attributes = attributes_of(row)
        extra = json.loads(row.get("extra") or "{}").get("lfw")
        told = extra.get("folds") if isinstance(extra, dict) else None
        folds: dict[str, int] = {}
        for entry in told if isinstance(told, list) else ():
            if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], int):
                folds[str(entry[1])] = entry[0]
        for name in (POSITIVE, NEGATIVE):
            found = attributes.get(name)
            if isinstance(found, list) and all(isinstance(v, str) for v in found):
                del attributes[name]
                for other in found:
                    pairs = self._pairs.setdefault((folds.get(other, 0), name == POSITIVE), [])
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
        a, b = PERSON_IMAGE.fullmatch(first), PERSON_IMAGE.fullmatch(second)
        if a is None or b is None or (a[1] == b[1]) != same:
            return None
        if image_of(a[1], int(a[2])) != first or image_of(b[1], int(b[2])) != second:
            return None
        return f"{a[1]}\t{int(a[2])}\t" + (f"{int(b[2])}\n" if same else f"{b[1]}\t{int(b[2])}\n")
