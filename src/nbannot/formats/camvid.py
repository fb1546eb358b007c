"""CamVid: lists of images and masks, ``train`` beside ``trainannot``, colours of classes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ..errors import NbannotError
from ..ledger import Ledger
from ..media.kinds import IMAGE_SUFFIXES
from ..progress import Progress
from ..schema import Batch, Label
from ..sources.base import Source
from .base import Format, Option
from .class_tables import ClassTable, class_files, distinct_colors, read_class_table
from .fitting import Fitting, Row, note_spaces
from .look import Look
from .mask_images import Color, decode_mask, encode_mask, without_suffix
from .mask_painting import Painting
from .masks.layout import Pair
from .masks.read import MasksReader
from .masks.write import PAINTED, tell_merged, told_names
from .media_index import as_path
from .reading import Reading
from .text_lines import lines_of
from .writing import Export, Sink

__all__ = ["CamVid"]

CAMVID: tuple[tuple[str, Color], ...] = (
    ("Void", (0, 0, 0)), ("Animal", (64, 128, 64)), ("Archway", (192, 0, 128)),
    ("Bicyclist", (0, 128, 192)), ("Bridge", (0, 128, 64)), ("Building", (128, 0, 0)),
    ("Car", (64, 0, 128)), ("CartLuggagePram", (64, 0, 192)), ("Child", (192, 128, 64)),
    ("Column_Pole", (192, 192, 128)), ("Fence", (64, 64, 128)), ("LaneMkgsDriv", (128, 0, 192)),
    ("LaneMkgsNonDriv", (192, 0, 64)), ("Misc_Text", (128, 128, 64)),
    ("MotorcycycleScooter", (192, 0, 192)), ("OtherMoving", (128, 64, 64)),
    ("ParkingBlock", (64, 192, 128)), ("Pedestrian", (64, 64, 0)), ("Road", (128, 64, 128)),
    ("RoadShoulder", (128, 128, 192)), ("Sidewalk", (0, 0, 192)), ("SignSymbol", (192, 128, 128)),
    ("Sky", (128, 128, 128)), ("SUVPickupTruck", (64, 128, 192)), ("TrafficCone", (0, 0, 64)),
    ("TrafficLight", (0, 64, 64)), ("Train", (192, 64, 128)), ("Tree", (128, 128, 0)),
    ("Truck_Bus", (192, 128, 192)), ("Tunnel", (64, 0, 64)), ("VegetationMisc", (192, 192, 0)),
    ("Wall", (64, 192, 0)),
)  # fmt: skip
"""The 32 classes of CamVid itself, for masks of colours without a list of classes."""

SEGNET = ("Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car",
          "Pedestrian", "Bicyclist", "Unlabelled")  # fmt: skip
"""The 12 classes of SegNet's CamVid, for masks of indices without a list of classes."""

_WORD = re.compile(r'"([^"]*)"|(\S+)')


class CamVid(Format):
    """CamVid, as SegNet, CVAT and Datumaro lay it out.

    **Items.** Each line of ``<subset>.txt`` (``/train/a.png /trainannot/a.png``, in quotes where
    there are spaces) and each other image of the folder ``<subset>`` is one; without lists, what
    lies in a folder beside ``<folder>annot``. The key is the image's path in the subset's folder.

    **Annotations.** One mask per class. Masks are colours or indices that ``label_colors.txt``
    names; without it, CamVid's 32 colours, or the 12 indices of SegNet. The black class is the
    background and becomes no mask.

    **Records** are items, and the classes in each mask. Overlaps, instances and attributes are
    lost in writing.
    """

    name: ClassVar[str] = "camvid"
    title: ClassVar[str] = "CamVid"
    summary: ClassVar[str] = "Images in train, masks of colours in trainannot, lists in train.txt."
    rules: ClassVar[str] = "https://docs.cvat.ai/docs/dataset_management/formats/format-camvid/"
    holds: ClassVar[tuple[str, ...]] = ("mask",)
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "encoding", "choice", "color", "What a pixel of a mask is: a colour, or an index.",
            ("color", "index"),
        ),
    )  # fmt: skip

    def requires(self, look: Look) -> float:
        """Recognise a list of images and masks, or folders with ``annot`` behind their name."""
        look.need(look.source.main is None, "a single file is no dataset of CamVid's")
        folders = _annot_folders(look.source)
        look.need(folders, "no folder trainannot (or the like) with masks")
        look.found(f"{folders[0]} holds masks")
        for path in _lists(look.source):
            if any("annot/" in line and len(_words(line)) == 2 for line in look.head(path).lines):
                look.found(f"{path} lists images and masks")
                return 0.95
        beside = [f for f in folders if look.files.files(f[: -len("annot")])]
        look.need(beside, f"no list of images and masks, no images beside {folders[0]}")
        return 0.9

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the dataset; see `Format.read`.

        Raises:
            BrokenFileError: ``label_colors.txt`` has a colour that is none.
        """
        reading = Reading(source, ledger, progress, limit)
        pairs = _pairs(reading)
        masks = [path for pair in pairs for path in pair.masks]
        table = _table(source, masks, ledger)
        has_images = any(pair.image for pair in pairs)
        yield from MasksReader(reading, table, pairs, ignore=None, has_images=has_images).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``<subset>``, ``<subset>annot``, ``<subset>.txt`` and ``label_colors.txt``."""
        chosen = self.check_options(options, writing=True)
        fitting = Fitting(self.title, PAINTED, ledger)
        note_spaces(export.labels, ledger, self.title)
        classes = _Classes(export.labels, chosen["encoding"], ledger)
        for subset in export.subsets:
            names = told_names(subset, ledger)
            lines = []
            progress.start(f"Writing {subset}", None, "images")
            for batch in export.batches(subset):
                for item, rows in fitting.fit(batch):
                    path = names(item)
                    sink.add_media(f"{subset}/{path}", item["number"])
                    words = [f"/{subset}/{path}"]
                    mask = classes.mask(item, rows, fitting)
                    if mask is not None:
                        words.append(f"/{subset}annot/{without_suffix(path)}.png")
                        sink.write(words[1][1:], mask)
                    quoted = [f'"{w}"' if re.search(r"\s", w) else w for w in words]
                    lines.append(" ".join(quoted) + "\n")
                    progress.advance()
            sink.write(f"{subset}.txt", "".join(lines))
        sink.write("label_colors.txt", classes.label_colors())
        fitting.close()


class _Classes:
    # Colours and indices of labels, for the writer.

    def __init__(self, labels: tuple[Label, ...], encoding: str, ledger: Ledger) -> None:
        most = 255 if encoding == "index" else 1 << 24
        self._encoding, self._ledger = encoding, ledger
        self._colors = distinct_colors(labels[:most])
        self._index = {name: i for i, name in enumerate(self._colors, 1)}

    def mask(self, item: Row, rows: list[Row], fitting: Fitting) -> bytes | None:
        fits = []
        for row in rows:
            if row["label"] in self._index:
                fits.append(row)
            else:
                text = f"{row['label']!r} is beyond 255 classes"
                fitting.reject(item, row, "label has no index", text)
        painting = Painting.of(item, fits, fitting) or Painting.blank(item)
        if painting is None:
            return None
        tell_merged(item, painting, fitting)
        values = painting.values(lambda row: self._index[row["label"]], np.int32)
        if self._encoding == "index":
            return encode_mask(values.astype(np.uint8))
        table = np.zeros((len(self._colors) + 1, 3), np.uint8)
        if self._colors:
            table[1:] = list(self._colors.values())
        return encode_mask(table[values])

    def label_colors(self) -> str:
        void = next(n for n in ("Void", "Background", "_Void_") if n not in self._colors)
        lines = [f"0 0 0 {void}\n"]
        for name, color in self._colors.items():
            plain = " ".join(name.split("\n")).strip()
            if plain != name:
                text = f"{name!r} is written as {plain!r}: a name is one line"
                self._ledger.note("name of a label changed", message=text)
            lines.append(f"{' '.join(map(str, color))} {plain}\n")
        return "".join(lines)


def _words(line: str) -> list[str]:
    return [quoted or plain for quoted, plain in _WORD.findall(line)]


def _annot_folders(source: Source) -> list[str]:
    folders = [f for f in source.files.all_folders() if f.lower().endswith("annot")]
    named = [f for f in folders if f.rpartition("/")[2].lower() not in ("annot", "")]
    prefixes = tuple(f"{f}/" for f in named)
    if not prefixes:
        return []
    images = source.files.with_suffix(*IMAGE_SUFFIXES)
    used = {p for p in prefixes if any(path.startswith(p) for path in images)}
    return [f for f in named if f"{f}/" in used]


def _lists(source: Source) -> list[str]:
    known = {path for path in class_files(source) if path.endswith(".txt")}
    return sorted(p for p in source.files.with_suffix(".txt") if p not in known)


def _pairs(reading: Reading) -> list[Pair]:
    # What the lists say, then what lies in the folders.
    files = reading.source.files
    pairs: dict[tuple[str | None, str], Pair] = {}
    seen: set[str] = set()
    for path in _lists(reading.source):
        if not any("annot" in w for _, line in _head(reading, path) for w in _words(line)):
            continue
        subset = without_suffix(path.rpartition("/")[2])
        for number, line in lines_of(reading.source.read(path)):
            words = [as_path(w).lstrip("/") for w in _words(line)]
            if len(words) > 2:
                reading.reject(
                    "line is not understood", file=path, where=f"line {number}",
                    record=f"line {number}",
                    message=f"{path}, line {number}: it has {len(words)} words; names with "
                            "spaces go in quotes",
                )  # fmt: skip
                continue
            key = _key(words[0], subset)
            pair = pairs.setdefault((subset, key), Pair(subset, key, _found(reading, words[0])))
            mask = _found(reading, words[1]) if len(words) > 1 else None
            if mask is not None and mask not in seen:
                pair.masks.append(mask)
                seen.add(mask)
            elif len(words) > 1 and mask is None:
                reading.reject(
                    "mask file missing", file=path, where=f"line {number}",
                    record=f"line {number}", item=key,
                    message=f"{path}, line {number}: there is no {words[1]}",
                )  # fmt: skip
            if pair.image:
                seen.add(pair.image)
    left = [p for p in files.with_suffix(*IMAGE_SUFFIXES) if p not in seen]
    folders = _annot_folders(reading.source)
    _add_folders(pairs, left, folders)
    return list(pairs.values())


def _add_folders(
    pairs: dict[tuple[str | None, str], Pair], left: Sequence[str], folders: Sequence[str]
) -> None:
    # Adds images that no list names, and then masks that no list names.
    for annot in folders:
        folder = annot[: -len("annot")]
        for path in left:
            if path.startswith(f"{folder}/"):
                place = folder.rpartition("/")[2], path[len(folder) + 1 :]
                pairs.setdefault(place, Pair(*place, path))
    by_stem = {(s, without_suffix(k)): p for (s, k), p in reversed(list(pairs.items()))}
    for annot in folders:
        for path in left:
            if path.startswith(f"{annot}/"):
                subset, key = annot.rpartition("/")[2][: -len("annot")], path[len(annot) + 1 :]
                stem = subset, without_suffix(key)
                if stem not in by_stem:
                    by_stem[stem] = pairs[subset, key] = Pair(subset, key)
                by_stem[stem].masks.append(path)


def _head(reading: Reading, path: str) -> Iterator[tuple[int, str]]:
    return lines_of(reading.source.read(path, 4096))


def _found(reading: Reading, name: str) -> str | None:
    return reading.find(name).path


def _key(path: str, subset: str) -> str:
    # The path within the folder of its subset.
    parts = path.split("/")
    return "/".join(parts[parts.index(subset) + 1 :]) if subset in parts[:-1] else path


def _table(source: Source, masks: list[str], ledger: Ledger) -> ClassTable:
    files = class_files(source)
    if files:
        return read_class_table(source, files[0])
    values: set[int] = set()
    for path in masks[:8]:
        try:
            picture = decode_mask(source.read(path), path)
        except NbannotError:
            continue
        if picture.is_color or picture.palette:
            return ClassTable.of([(i, n, c) for i, (n, c) in enumerate(CAMVID)], "CamVid's list")
        values |= set(np.unique(picture.values).tolist())
    if values and max(values) < len(SEGNET):
        ledger.note(
            "no label_colors.txt",
            message="masks of indices up to 11 are read as the 12 classes of SegNet's CamVid",
        )
        return ClassTable.of([(i, n, None) for i, n in enumerate(SEGNET)], "SegNet's list")
    return ClassTable(background=frozenset())
