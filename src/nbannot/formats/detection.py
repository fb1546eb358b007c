"""Detection: which formats a source is in, where in it, and what the others miss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from ..sources.base import Source
from .base import Candidate, Format, Miss
from .builtin import JSON_KEYS, Place
from .look import Look
from .recognised import recognise

__all__ = ["Formats", "detect_in"]

_CONVINCING = 0.3  # below this a format is only what anything can be read as
_OWN_DATASET = 0.85
_MAX_FOLDERS = 24
_MAX_DEPTH = 4
_SPLITS = {
    "train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval", "trainval",
}  # fmt: skip
_PARTS = {
    "images", "image", "imgs", "img", "jpegimages", "labels", "label", "labeltxt", "annotations",
    "annotation", "ann", "imagesets", "masks", "mask", "data", "media", "segmentationclass",
    "segmentationobject", "videos", "frames",
}  # fmt: skip


@dataclass(frozen=True)
class Formats:
    """The formats there are: their places in the table, and how one is imported."""

    places: Mapping[str, Place]
    load: Callable[[str], Format]

    def lacks(self, place: Place, look: Look, name: str) -> str:
        """Say what `look` lacks, as far as that is known without importing the format.

        Most formats are never imported: for each that is, a user waits some milliseconds.
        """
        there = look.files.suffixes()
        if place.suffixes and not any(s in there for s in place.suffixes):
            return f"there is no {' or '.join(s for s in place.suffixes[:4] if s)} file"
        main, keys = look.source.main, JSON_KEYS.get(name)
        if main is None or keys is None or not main.lower().endswith(".json"):
            return ""
        if not keys:
            return "a JSON file alone is none of its datasets"
        if look.head(main).json_keys.isdisjoint(keys):
            return f"{main} has no key {' or '.join(map(repr, keys[:3]))}"
        return ""


def detect_in(source: Source, formats: Formats) -> list[Candidate]:
    """Return a candidate per format, best first; see `nbannot.formats.detect`."""
    look = Look(source)
    found = list(_look_at(look, formats, ""))
    unseen = {name for name, place in formats.places.items() if formats.lacks(place, look, name)}
    best = max((c.confidence for c in found), default=0.0)
    if best < _CONVINCING:
        found += _deeper(source, formats, "", _MAX_DEPTH)
    else:
        found = _several(source, formats, found, best)
    if max((c.confidence for c in found), default=0.0) < _CONVINCING:
        found += recognise(look)

    def rank(candidate: Candidate) -> tuple[float, bool, bool, bool]:
        # What is recognised by name before what is not; what was not even looked at comes last.
        known = bool(candidate.format)
        return -candidate.confidence, known, not candidate.evidence, candidate.format in unseen

    return sorted(found, key=rank)


def _look_at(look: Look, formats: Formats, root: str) -> Iterator[Candidate]:
    for name, place in formats.places.items():
        lacking = formats.lacks(place, look, name)
        if lacking:
            yield Candidate(name, place.title, 0.0, (), lacking, root)
            continue
        format = formats.load(name)
        if not format.reads:
            continue
        look.evidence = []
        try:
            confidence = format.requires(look)
        except Miss as miss:
            evidence = tuple(look.evidence)
            yield Candidate(name, format.title, 0.0, evidence, str(miss), root, look.take_fixes())
        except Exception as error:  # noqa: BLE001  one format's fault is not the others'
            text = f"looking at it failed: {error!r}. Please report it with the file."
            yield Candidate(name, format.title, 0.0, (), text, root)
        else:
            evidence, fixes = tuple(look.evidence), look.take_fixes()
            yield Candidate(name, format.title, confidence, evidence, "", root, fixes)


def _deeper(source: Source, formats: Formats, root: str, depth: int) -> list[Candidate]:
    # Nothing at the top: a folder within may be the dataset, or several may be one each.
    folders = source.files.folders()[:_MAX_FOLDERS]
    found: list[Candidate] = []
    for folder in folders:
        part, place = source.under(folder), f"{root}{folder}"
        here = [c for c in _look_at(Look(part), formats, place) if c.confidence]
        here = [c for c in here if not _catches_all(formats, c)]
        if depth and len(folders) == 1 and all(c.confidence < _CONVINCING for c in here):
            here += _deeper(part, formats, f"{place}/", depth - 1)
        found += [c for c in here if c.confidence >= _CONVINCING or not root]
    return found


def _catches_all(formats: Formats, candidate: Candidate) -> bool:
    # A folder of images is no dataset of its own where something lies beside it.
    return formats.load(candidate.format).catches_all


def _several(
    source: Source, formats: Formats, found: list[Candidate], best: float
) -> list[Candidate]:
    # Folders that are datasets of their own, each with its media: offered one by one.
    names = [f for f in source.files.folders() if f.lower() not in _SPLITS | _PARTS]
    if not 2 <= len(names) <= _MAX_FOLDERS:
        return found
    own: list[Candidate] = []
    for folder in names:
        look = Look(source.under(folder))
        ranked = sorted(_look_at(look, formats, folder), key=lambda c: -c.confidence)
        if ranked and ranked[0].confidence >= _OWN_DATASET and (look.images or not _images(source)):
            own.append(ranked[0])
    if len(own) < 2:
        return found
    if len({c.format for c in own}) == 1:  # the whole comes first
        return found + [replace(c, confidence=min(c.confidence, best - 0.05)) for c in own]
    told = f"{len(own)} datasets lie below it: {', '.join(c.root for c in own)}"
    whole = [
        replace(c, confidence=min(c.confidence, _CONVINCING), evidence=(*c.evidence, told))
        if c.confidence else c
        for c in found
    ]  # fmt: skip
    return whole + own


def _images(source: Source) -> bool:
    return bool(Look(source).images)
