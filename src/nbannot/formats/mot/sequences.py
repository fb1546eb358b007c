"""Where the sequences of a multi-object tracking dataset lie, and what seqinfo.ini says of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from ...errors import SourceError
from ...media.kinds import is_image, suffix
from ...sources.base import Listing, Source
from ..text_lines import lines_of, text_of

__all__ = [
    "IMAGE_FOLDER",
    "SPLITS",
    "Sequence",
    "find_sequences",
    "folder_of",
    "load_sequence",
    "number_frames",
    "split_place",
]

IMAGE_FOLDER = "img1"
"""The folder of the frames of a sequence."""

SPLITS = frozenset(
    ("train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval",
     "evaluation", "default")
)  # fmt: skip
"""Folders that are subsets."""

_MOST_FRAMES = 1_000_000
_NUMBER = re.compile(r"(\d{1,18})\D*$")


@dataclass
class Sequence:
    """A sequence: its folder, and its place in the dataset.

    `images` are its images, `frames` maps the number of each frame to one of them. `rate`,
    `length`, `width` and `height` are None where nothing says. `problems` are remarks on
    seqinfo.ini.
    """

    folder: str
    subset: str | None
    name: str
    gt: str | None = None
    det: str | None = None
    labels: tuple[str, ...] | None = None
    labels_file: str = ""
    image_folder: str = IMAGE_FOLDER
    suffix: str = ".jpg"
    rate: float | None = None
    length: int | None = None
    width: int | None = None
    height: int | None = None
    images: list[str] = field(default_factory=list)
    frames: dict[int, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def path(self, name: str) -> str:
        """Return the path of a file of the sequence."""
        return f"{self.folder}/{name}" if self.folder else name

    def key(self, name: str) -> str:
        """Return the key of an image: its name below the sequence's place in the subset."""
        inner = f"{self.image_folder}/{name}" if self.image_folder else name
        return f"{self.name}/{inner}" if self.name else inner


def split_place(folder: str) -> tuple[str | None, str]:
    """Return the subset and the name of the sequence in `folder`.

    >>> split_place("MOT17/train/MOT17-02"), split_place("MOT17-02"), split_place("mine/a/b")
    (('train', 'MOT17-02'), (None, 'MOT17-02'), ('mine', 'a/b'))
    """
    parts = folder.split("/") if folder else []
    for i, part in enumerate(parts):
        if part.lower() in SPLITS:
            return part, "/".join(parts[i + 1 :])
    if len(parts) > 1:
        return parts[0], "/".join(parts[1:])
    return None, folder


def folder_of(subset: str, name: str, *, alone: bool) -> tuple[str, str]:
    """Return the folder that a sequence is written to, and its name there, perhaps another.

    Args:
        subset: the subset.
        name: the sequence, "" where it has no name.
        alone: it is the only subset, and called default: it needs no folder.
    """
    if alone and split_place(name) == (None, name):
        return name, name
    for inner in (name, name or "sequence", f"sequence/{name}"):
        folder = f"{subset}/{inner}" if inner else subset
        if split_place(folder) == (subset, inner):
            return folder, inner
    return f"{subset}/{name}" if name else subset, name


def find_sequences(source: Source) -> list[Sequence]:
    """Return the sequences of a source, in order of their folders; no file is read."""
    files = source.files
    if source.main is not None and not source.main.lower().endswith("seqinfo.ini"):
        return [Sequence("", None, "", gt=source.main)]
    found: dict[str, Sequence] = {}
    for path in files.with_suffix(".txt", ".ini"):
        folder, _, base = path.rpartition("/")
        parent, _, inner = folder.rpartition("/")
        if base == "seqinfo.ini":
            _of(found, folder)
        elif base == "gt.txt" and inner == "gt":
            _of(found, parent).gt = path
        elif base == "det.txt" and inner == "det":
            _of(found, parent).det = path
    ordered = [found[folder] for folder in sorted(found)]
    _tell_apart(ordered)
    return ordered


def _of(found: dict[str, Sequence], folder: str) -> Sequence:
    if folder not in found:
        found[folder] = Sequence(folder, *split_place(folder))
    return found[folder]


def _tell_apart(sequences: Iterable[Sequence]) -> None:
    taken: set[tuple[str | None, str]] = set()
    for sequence in sequences:
        if (sequence.subset, sequence.name) in taken:
            sequence.name = sequence.folder
        taken.add((sequence.subset, sequence.name))


def load_sequence(source: Source, sequence: Sequence) -> None:
    """Read seqinfo.ini and labels.txt of a sequence, and list its frames."""
    info = sequence.path("seqinfo.ini")
    if info in source.files:
        _read_info(sequence, _text(source, info, sequence))
    for place in ("gt/labels.txt", "labels.txt"):
        path = sequence.path(place)
        if path in source.files and sequence.labels is None:
            text = _text(source, path, sequence).rstrip()
            sequence.labels = tuple(line.strip() for line in text.splitlines()) or None
            sequence.labels_file = path
    if source.main is None:
        _list_frames(source.files, sequence)


def _text(source: Source, path: str, sequence: Sequence) -> str:
    try:
        return text_of(source.read(path))
    except SourceError as error:
        sequence.problems.append(str(error))
        return ""


def _read_info(sequence: Sequence, text: str) -> None:
    values: dict[str, str] = {}
    section = stray = ""
    for _, line in lines_of(text):
        key, equals, value = line.partition("=")
        if line.startswith("["):
            section = line.strip("[] ").lower()
        elif section in ("", "sequence") and equals and line[0] not in "#;":
            values.setdefault(key.strip().lower(), value.strip())
        elif not equals and line[0] not in "#;":
            stray = stray or line
    if stray:
        sequence.problems.append(f"{stray!r} is not a name and a value")
    if section == "" or not values:
        sequence.problems.append("it has no section [Sequence]")
    folder = values.get("imdir", "").replace("\\", "/").strip("/")
    if folder and ".." not in folder.split("/"):
        sequence.image_folder = folder
    if suffix(f"a{values.get('imext', '')}"):
        sequence.suffix = values["imext"]
    sequence.rate = _number(sequence, values, "framerate")
    for name, key in (("length", "seqlength"), ("width", "imwidth"), ("height", "imheight")):
        number = _number(sequence, values, key)
        if number is not None:
            setattr(sequence, name, int(number))
    for name in ("width", "height"):
        if getattr(sequence, name) is not None and getattr(sequence, name) >= 2**31:
            setattr(sequence, name, None)
    if sequence.length is not None and sequence.length > _MOST_FRAMES:
        sequence.problems.append(f"seqLength {sequence.length:,} can't be: it is not used")
        sequence.length = None


def _number(sequence: Sequence, values: dict[str, str], key: str) -> float | None:
    text = values.get(key, "")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if 0 < number < float("inf"):
        return number
    sequence.problems.append(f"{key} is {text!r}, which is not used")
    return None


def _list_frames(files: Listing, sequence: Sequence) -> None:
    for folder in dict.fromkeys((sequence.image_folder, IMAGE_FOLDER, "images", "")):
        place = sequence.path(folder).rstrip("/") if folder else sequence.folder
        images = [p for p in files.files(place) if is_image(p)]
        if images:
            sequence.image_folder = folder
            break
    else:
        return
    sequence.images = images


def number_frames(sequence: Sequence, named: Collection[int]) -> bool:
    """Say which image is which frame, given the frames that rows name.

    An image is the frame of the number that its name ends in. Where that can't be (CVAT keeps
    the names that images had), the images are the frames in the order of their names: then it
    returns True.
    """
    if not sequence.images:
        return False
    stems = [p.rpartition("/")[2].rpartition(".")[0] for p in sequence.images]
    found = [int(m[1]) if (m := _NUMBER.search(stem)) else None for stem in stems]
    numbers = {n for n in found if n is not None}
    told = len(numbers) == len(stems)
    from_zero = 0 in numbers and 0 not in named
    if told and all(stem.isdigit() for stem in stems):
        told = not from_zero or numbers.issuperset(named)
    else:
        told = told and not from_zero and numbers.issuperset(named)
    first = 0 if 0 in named else 1
    if not told and max(named, default=0) < len(stems) + first:
        sequence.frames = dict(enumerate(sequence.images, first))
        return True
    for path, number in zip(sequence.images, found, strict=True):
        if number is None or number in sequence.frames:
            sequence.others.append(path)
        else:
            sequence.frames[number] = path
    return False
