"""Market-1501 and MARS: people who are seen again, told by the names of the images."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..ledger import Ledger
from ..media.kinds import is_image, suffix
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .base import Format, Option
from .faces import Once, attributes_of, lose_attributes, renamed
from .fitting import FileNames, Fitting, Holds, Row
from .look import Look
from .reading import Reading
from .text_lines import lines_of, one_line
from .writing import Export, Sink, safe_path

__all__ = ["Market1501"]

_MARKET = re.compile(r"(-1|[0-9]{4,9})_c([0-9]{1,9})s([0-9]{1,9})_(-?[0-9]{1,9})_([0-9]{1,9})")
_MARS = re.compile(r"(00-1|[0-9]{4,9})C([0-9]{1,9})T([0-9]{1,9})F([0-9]{1,9})")
_FOLDER = re.compile(r"(bounding_box|bbox)_(.+)|(query|gt_bbox|gt_query)")
_LIST = re.compile(r"(?:^|/)images_([^/]+)\.txt$")
_HOLDS = Holds({"tag": ()}, columns=("track", "frame", "attributes"))
_LEAST = 0.9
_NUMBERS = ("camera", "sequence", "frame", "box")


@dataclass(frozen=True)
class _Name:
    # What the name of an image says.
    person: str
    attributes: dict[str, int]
    track: str | None = None
    frame: int | None = None


def _parse(stem: str) -> _Name | None:
    """Return what a name says.

    >>> _parse("0002_c1s3_000151_00").attributes
    {'camera': 1, 'sequence': 3, 'frame': 151, 'box': 0}
    >>> _parse("0001C1T0002F003").track
    '0001C1T0002'
    """
    match = _MARKET.fullmatch(stem)
    if match:
        numbers = map(int, match.groups()[1:])
        return _Name(match[1], dict(zip(_NUMBERS, numbers, strict=True)))
    match = _MARS.fullmatch(stem)
    if match:
        track = stem[: match.start(4) - 1]
        return _Name(match[1], {"camera": int(match[2])}, track, int(match[4]) - 1)
    return None


class Market1501(Format):
    """Market-1501 (``0002_c1s3_000151_00.jpg``) and MARS (``0001/0001C1T0001F001.jpg``).

    **Items** are images; the key is the path below ``bounding_box_<subset>`` (``bbox_<subset>``
    in MARS), ``query`` or ``gt_bbox``, which are the subsets train, test, query and gt_bbox.
    Without images, ``images_<subset>.txt`` lists them.

    The person is a **tag** of the image (``-1``, ``00-1`` distractors, ``0000`` junk), with the
    attributes camera, sequence, frame and box; of MARS, the tracklet is `track` and `frame` is
    counted from 0. An image whose name says nothing has no tag. **Records** are images and tags.
    """

    name: ClassVar[str] = "market1501"
    title: ClassVar[str] = "Market-1501"
    summary: ClassVar[str] = "Images of people, identified by the names of the files."
    rules: ClassVar[str] = "https://zheng-lab.cecs.anu.edu.au/Project/project_reid.html"
    holds: ClassVar[tuple[str, ...]] = ("tag",)
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "names",
            "choice",
            "auto",
            "Names as in Market-1501 or in MARS; auto: MARS where tags have tracks.",
            ("auto", "market", "mars"),
        ),
    )

    def requires(self, look: Look) -> float:
        """Recognise nine of ten names of images in the folders of Market-1501 or MARS."""
        look.need(look.source.main is None, "it is a single file")
        folders = (f.rpartition("/")[2] for f in look.files.all_folders())
        known = any(_FOLDER.fullmatch(folder) for folder in folders)
        images = [p for p in look.images if _place(p) is not None] if known else []
        lists = [p for p in look.files.with_suffix(".txt") if _LIST.search(p)]
        if images:
            look.need(
                len(images) >= _LEAST * len(look.images),
                "most images lie outside of bounding_box_<subset>, bbox_<subset> and query",
            )
            names = images
        else:
            look.need(
                lists, "no bounding_box_<subset>, bbox_<subset>, query or images_<subset>.txt"
            )
            lines = [line for path in lists for line in look.head(path).lines[:100]]
            names = [line for line in lines if is_image(line)]
        good = sum(_parse(_stem(name)) is not None for name in names)
        listed = bool(images and lists and good)
        look.need(
            listed or (good and good >= _LEAST * len(names)),
            "images are not called like 0002_c1s3_000151_00.jpg or 0001C1T0001F001.jpg",
        )
        shown = next(_stem(name) for name in names if _parse(_stem(name)) is not None)
        look.found(f"{good:,} images are called like {shown}")
        return 0.95 if good >= _LEAST * len(names) else 0.6

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield images and people; see `Format.read`."""
        self.check_options(options)
        reading = Reading(source, ledger, progress, limit)
        images = [p for p in source.files if is_image(p)]
        progress.start("Reading names", len(images), "images")
        silent: list[str] = []
        for path in images:
            if reading.is_full:
                break
            place = _place(path)
            if place is None:
                reading.item(path, media=path)
                silent.append(path)
            else:
                _read_name(reading, place, path, silent)
            yield from reading.batches()
            progress.advance()
        lists = [p for p in source.files.with_suffix(".txt") if _LIST.search(p)]
        for path, data in reading.files(lists):
            _read_list(reading, path, data, silent, has_images=bool(images))
        if silent and limit is None:
            text = f"{len(silent):,} names say nothing of a person, as {silent[0]}"
            ledger.note("names that say nothing", message=text)
        yield from reading.rest()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``bounding_box_<subset>`` or ``bbox_<subset>``, and ``images_<subset>.txt``.

        An image is called after its tag; people that are no numbers get one. Both are told.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        chosen = self.check_options(options, writing=True)
        _Writer(export, sink, ledger, progress, chosen["names"]).write()


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _stem(path: str) -> str:
    base = path.replace("\\", "/").rpartition("/")[2]
    return base[: len(base) - len(suffix(base))]


def _place(path: str) -> tuple[str, str] | None:
    # The subset of an image, and its path there.
    parts = path.split("/")
    for i, part in enumerate(parts[:-1]):
        match = _FOLDER.fullmatch(part)
        if match:
            return match[2] or match[3], "/".join(parts[i + 1 :])
    return None


def _read_name(
    reading: Reading, place: tuple[str, str], media: str | None, silent: list[str]
) -> None:
    subset, key = place
    if reading.number(key, subset) is not None:
        return
    item = reading.item(key, subset=subset, media=media)
    found = _parse(_stem(key))
    if found is None:
        silent.append(key)
        return
    reading.annotation(
        item, type="tag", label=found.person, track=found.track, frame=found.frame,
        attributes=json.dumps(found.attributes),
    )  # fmt: skip


def _read_list(
    reading: Reading, path: str, data: bytes, silent: list[str], *, has_images: bool
) -> None:
    match = _LIST.search(path)
    assert match
    for number, line in lines_of(data):
        if reading.is_full:
            return
        name = line.replace("\\", "/")
        place = _place(name) or (match[1], name)
        if not is_image(name):
            where = f"line {number}"
            reading.reject(
                "line is not an image", file=path, where=where, record=where,
                message=f"{where}: {line!r} is not the path of an image",
            )  # fmt: skip
            continue
        if reading.number(place[1], place[0]) is None:
            _read_name(reading, place, None, silent)
            if has_images:
                reading.warn(
                    "image file missing", file=path, record="item", item=place[1],
                    message=f"line {number}: there is no image {name}",
                )  # fmt: skip


class _Writer:
    def __init__(
        self, export: Export, sink: Sink, ledger: Ledger, progress: Progress, names: str
    ) -> None:
        self._export, self._sink, self._ledger, self._progress = export, sink, ledger, progress
        self._fitting = Fitting("Market-1501", _HOLDS, ledger)
        self._mars = self._has_tracks() if names == "auto" else names == "mars"
        self._people: dict[str, str] = {}
        self._tracks: dict[tuple[str, str], int] = {}
        self._frames: dict[tuple[str, ...], int] = {}

    def write(self) -> None:
        self._number_people()
        self._progress.start("Writing images", None, "items")
        for subset in self._export.subsets:
            folder = self._folder(subset)
            names, lines = FileNames(), []
            for batch in self._export.batches(subset):
                for item, rows in self._fitting.fit(batch):
                    path = self._path(item, rows)
                    place = names.of({**item, "key": path}, folder)
                    renamed(self._ledger, item, place[len(folder) + 1 :])
                    self._sink.add_media(place, item["number"])
                    lines.append(f"{place}\n")
                    self._progress.advance()
            self._sink.write(f"images_{subset}.txt", "".join(lines))
        self._fitting.close()

    def _folder(self, subset: str) -> str:
        if subset in ("query", "gt_bbox", "gt_query"):
            return subset
        return f"{'bbox' if self._mars else 'bounding_box'}_{subset}"

    def _has_tracks(self) -> bool:
        return any(
            batch.annotations["track"].null_count < batch.annotations.num_rows
            for subset in self._export.subsets
            for batch in self._export.batches(subset)
        )

    def _number_people(self) -> None:
        # Names that are numbers of Market-1501 stay; others get a number that is free.
        pattern = re.compile(r"00-1|[0-9]{4,9}" if self._mars else r"-1|[0-9]{4,9}")
        labels: dict[str | None, None] = {}
        for subset in self._export.subsets:
            for batch in self._export.batches(subset):
                labels.update(dict.fromkeys(batch.annotations["label"].unique().to_pylist()))
        people = sorted(label for label in labels if label is not None)
        self._people = {label: label for label in people if pattern.fullmatch(label)}
        distractor = {"-1": "00-1"} if self._mars else {"00-1": "-1"}
        self._people.update({a: b for a, b in distractor.items() if a in labels})
        taken, number = set(self._people.values()), 0
        for label in people:
            if label not in self._people:
                wanted = f"{int(label):04d}" if re.fullmatch(r"[0-9]{1,3}", label) else ""
                while not wanted or wanted in taken:
                    number += 1
                    wanted = f"{number:04d}"
                self._people[label] = wanted
                taken.add(wanted)

    def _path(self, item: Row, rows: list[Row]) -> str:
        key = one_line(safe_path(item["key"]))
        once = Once(self._fitting, item)
        tags = [row for row in rows if once.take("person", row)]
        end = suffix(key) or suffix(item.get("media") or "") or ".jpg"
        known = _parse(_stem(key))
        if not tags:
            if known is not None:  # it would be read as a person
                folder, _, base = key.rpartition("/")
                return f"{folder}/untagged_{base}" if folder else f"untagged_{base}"
            return key if suffix(key) else key + end
        row = tags[0]
        person = self._people[row["label"]]
        if person != row["label"]:
            text = f"{row['label']!r} is written as {person}"
            self._fitting.warn(item, row, "person renumbered", text)
        given = attributes_of(row)
        told = {n: given[n] for n in _NUMBERS if _is_int(given.get(n))}
        name = _Name(person, told, row.get("track"), row.get("frame"))
        if known is not None and self._is_same(known, name, given):
            return key
        stem, kept = self._mars_stem(item, row, name) if self._mars else self._market_stem(name)
        lost = {n: v for n, v in given.items() if n not in kept}
        lose_attributes(self._fitting, item, row, lost)
        if not self._mars and (row.get("track") is not None or row.get("frame") is not None):
            text = "a name of Market-1501 holds no track"
            self._fitting.warn(item, row, "track can't be written", text)
        return f"{person}/{stem}{end}" if self._mars else f"{stem}{end}"

    def _is_same(self, known: _Name, name: _Name, given: dict[str, Any]) -> bool:
        is_mars = known.track is not None
        return is_mars == self._mars and known == name and given == known.attributes

    def _market_stem(self, name: _Name) -> tuple[str, set[str]]:
        told = name.attributes
        camera, sequence, box = told.get("camera", 1), told.get("sequence", 1), told.get("box", 0)
        frame = told.get("frame")
        if frame is None:
            frame = self._next((name.person, str(camera), str(sequence)))
        numbers = (camera, sequence, frame, box)
        if any(not 0 <= n < 10**9 for n in numbers):
            return self._market_stem(_Name(name.person, {}))[0], set()
        stem = f"{name.person}_c{camera}s{sequence}_{frame:06d}_{box:02d}"
        return stem, set(_NUMBERS)

    def _mars_stem(self, item: Row, row: Row, name: _Name) -> tuple[str, set[str]]:
        camera = name.attributes.get("camera", 1)
        camera = camera if 0 <= camera < 10**9 else 1
        track = name.track or ""
        match = re.search(r"T([0-9]{1,9})$", track)
        number = int(match[1]) if match else self._track(name.person, track)
        stem = f"{name.person}C{camera}T{number:04d}"
        if track and track != stem:
            text = f"track {track} is written as {stem}"
            self._fitting.warn(item, row, "track renumbered", text)
        frame = name.frame if name.frame is not None else self._next((stem,)) - 1
        kept: set[str] = set()
        if name.attributes.get("camera", camera) == camera:
            kept.add("camera")
        return f"{stem}F{frame + 1:03d}", kept

    def _track(self, person: str, track: str) -> int:
        known = self._tracks.get((person, track))
        if known is None:
            known = 1 + sum(p == person for p, _ in self._tracks)
            self._tracks[person, track] = known
        return known

    def _next(self, what: tuple[str, ...]) -> int:
        self._frames[what] = self._frames.get(what, 0) + 1
        return self._frames[what]
