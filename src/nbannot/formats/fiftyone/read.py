"""Reading a FiftyOneDataset."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import BrokenFileError, OptionError
from ...ledger import Ledger
from ...media.kinds import kind_of
from ...progress import Progress
from ...schema import Batch, Skeleton
from ...sources.base import Source
from ..image_records import At, Images, as_json, document, number, numbers
from ..reading import Reading
from .labels_of import Field, add_label
from .values import plain

__all__ = ["read_dataset"]

_LOOKED_AT = 1000
_SUBSET = re.compile(r"(?i)(train(ing)?|val(id(ation)?)?|dev|test(ing)?|eval(uation)?)")
_OWN = {"filepath", "tags", "metadata", "_id", "_media_type", "_rand", "_dataset_id", "id",
        "created_at", "last_modified_at", "_cls"}  # fmt: skip


@dataclass
class _Dataset:
    # What metadata.json says.
    about: Mapping[str, Any]
    subsets: frozenset[str] = frozenset()
    layers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, about: Any) -> _Dataset:
        about = about if isinstance(about, dict) else {}
        info = about.get("info")
        own = info.get("nbannot") if isinstance(info, dict) else None
        own = own if isinstance(own, dict) else {}
        layers, subsets = own.get("layers"), own.get("subsets")
        return cls(
            about,
            frozenset(map(str, subsets)) if isinstance(subsets, list) else frozenset(),
            layers if isinstance(layers, dict) else {},
        )

    def of_field(self, kind: str, name: str) -> Any:
        """Return classes, mask_targets or skeletons of a field, or the default ones."""
        found = self.about.get(kind)
        mine = found.get(name) if isinstance(found, dict) else None
        default = {"classes": "default_classes", "mask_targets": "default_mask_targets",
                   "skeletons": "default_skeleton"}[kind]  # fmt: skip
        return mine or self.about.get(default)


def read_dataset(
    source: Source,
    options: Mapping[str, Any],
    ledger: Ledger,
    progress: Progress,
    limit: int | None = None,
) -> Iterator[Batch]:
    """Yield samples with their labels; see `FiftyOne.read`."""
    reading = Reading(source, ledger, progress, limit)
    images = Images(reading)
    dataset = _Dataset.of({})
    if source.main is None and "metadata.json" in source.files:
        about = document(source.read("metadata.json"), "metadata.json", reading)
        dataset = _Dataset.of(plain(about))
    if source.main is None and "frames.json" in source.files:
        ledger.note("frames are not read", file="frames.json",
                    message="frames.json holds labels of the frames of videos")  # fmt: skip
    paths = _paths(source)
    fields: dict[str, Field] | None = None
    for path, data in reading.files(paths):
        samples = _samples(data, path, reading)
        if fields is None:
            fields = _fields(dataset, samples, options.get("ground_truth"), path, ledger)
            for name, one in fields.items():
                _declare(reading, dataset, name, one)
        for index, sample in enumerate(samples):
            at = At(path, f"samples[{index}]", "")
            _read_sample(reading, images, dataset, fields, sample, at)
            yield from reading.batches()
            if reading.is_full:
                break
        if reading.is_full:
            break
    if source.main is None and not reading.is_full:
        some = source.files.match("data/*")
        reading.leftover([p for p in some if kind_of(p) == "image"], under="data")
    yield from reading.rest()


def _paths(source: Source) -> list[str]:
    if source.main is not None:
        return [source.main]
    if "samples.json" in source.files:
        return ["samples.json"]
    return list(source.files.match("samples/*.json"))


def _samples(data: bytes, path: str, reading: Reading) -> Sequence[Any]:
    # {"samples": [...]}, a list, or one sample for itself.
    value = document(data, path, reading)
    if isinstance(value, dict):
        samples = value.get("samples")
        if isinstance(samples, list):
            return samples
        if "filepath" in value:
            return [value]
    elif isinstance(value, list):
        return value
    raise BrokenFileError("The file has no samples", where=path)


def _fields(
    dataset: _Dataset, samples: Sequence[Any], given: str | None, path: str, ledger: Ledger
) -> dict[str, Field]:
    # The fields of labels in the first samples, in order, and which of them are predictions.
    kinds: dict[str, str] = {}
    scored: set[str] = set()
    for sample in samples[:_LOOKED_AT]:
        for name, value in sample.items() if isinstance(sample, dict) else ():
            if isinstance(value, dict) and isinstance(value.get("_cls"), str) and name not in _OWN:
                kinds.setdefault(name, value["_cls"])
                if _has_scores(value):
                    scored.add(name)
    truth = [n for n in kinds if n not in scored] or [
        n for n in ("ground_truth", *kinds) if n in kinds
    ][:1]
    if given:
        truth = [name.strip() for name in given.split(",") if name.strip()]
        unknown = [name for name in truth if name not in kinds]
        if unknown:
            raise OptionError(
                f"No sample has the field {unknown[0]!r}", hint=f"There are: {', '.join(kinds)}."
            )
    layers = {n: str(dataset.layers.get(n, n)) for n in kinds if n not in truth}
    if not given:
        layers = {n: v for n, v in layers.items() if not dataset.layers or n in dataset.layers}
        layers |= {n: str(v) for n, v in dataset.layers.items() if n in kinds}
    if layers:
        ledger.note(
            "fields taken as predictions", file=path,
            message=f"{', '.join(layers)} become layers, {', '.join(truth) or 'none'} ground "
            "truth (ground_truth= otherwise)",
        )  # fmt: skip
    return {
        name: Field(
            name, layers.get(name), _skeleton(dataset.of_field("skeletons", name)),
            _targets(dataset.of_field("mask_targets", name)),
        )
        for name in kinds
    }  # fmt: skip


def _has_scores(value: dict[str, Any]) -> bool:
    # Do the first labels of a field have a confidence?
    several = next((v for v in value.values() if isinstance(v, list)), [])
    first = [v for v in several[:5] if isinstance(v, dict)] or [value]
    return any(number(plain(v.get("confidence"))) is not None for v in first)


def _skeleton(value: Any) -> Skeleton | None:
    if not isinstance(value, dict):
        return None
    names, edges = value.get("labels"), value.get("edges")
    pairs: list[tuple[int, int]] = []
    for chain in edges if isinstance(edges, list) else ():
        if isinstance(chain, list) and all(isinstance(i, int) for i in chain):
            pairs += itertools.pairwise(chain)
    if isinstance(names, list) and names:
        return Skeleton(tuple(map(str, names)), tuple(pairs))
    count = max((i for pair in pairs for i in pair), default=-1) + 1
    return Skeleton(tuple(str(i + 1) for i in range(count)), tuple(pairs)) if count else None


def _targets(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {str(k).lower(): v if isinstance(v, str) else str(v) for k, v in value.items()}


def _declare(reading: Reading, dataset: _Dataset, name: str, one: Field) -> None:
    classes = dataset.of_field("classes", name)
    for label in classes if isinstance(classes, list) else ():
        if isinstance(label, str) and label and label not in reading.labels:
            reading.label(label)
    for label in one.targets.values():
        if label not in reading.labels:
            reading.label(label)


def _read_sample(
    reading: Reading,
    images: Images,
    dataset: _Dataset,
    fields: Mapping[str, Field],
    sample: Any,
    at: At,
) -> None:
    if not isinstance(sample, dict):
        reading.reject("sample is not an object", **at.line("it is no JSON object"))
        return
    given = sample.get("tags")
    tags = [t for t in given if isinstance(t, str)] if isinstance(given, list) else []
    known = [t for t in tags if t in dataset.subsets] or [t for t in tags if _SUBSET.fullmatch(t)]
    subset = known[0] if known else None
    about = plain(sample.get("metadata"))
    about = about if isinstance(about, dict) else {}
    wh = numbers(about.get("width"), about.get("height"))
    known_size = (int(wh[0]), int(wh[1])) if wh and min(wh) >= 1 and max(wh) < 2**31 else None
    others = {k: plain(v) for k, v in sample.items()
              if k not in _OWN and not isinstance(v, dict) and not k.startswith("_")}  # fmt: skip
    kept = {"tags": [t for t in tags if t != subset], "fields": others}
    path = sample.get("filepath")
    kind = kind_of(path) if isinstance(path, str) else "image"
    identity = plain(sample.get("_id"))
    folder = (subset or "").replace("/", "-")
    item = images.add(
        path, at, subset=subset, strip=(f"data/{folder}", "data") if subset else ("data",),
        kind=kind if kind in ("video", "audio") else "image",
        width=known_size[0] if known_size else None, height=known_size[1] if known_size else None,
        source_id=identity if isinstance(identity, str) else None,
        meta=as_json({"fiftyone": {k: v for k, v in kept.items() if v} or None}),
    )  # fmt: skip
    labelled = [(n, v) for n, v in sample.items()
                if isinstance(v, dict) and "_cls" in v and n not in _OWN]  # fmt: skip
    if item is None:
        for name, _ in labelled:
            place = At(at.file, f"{at.where}.{name}", "")
            reading.reject("sample was rejected", **place.line("its sample was rejected"))
        return

    def size() -> Any:
        return known_size or images.size(item)

    for name, value in labelled:
        place = At(at.file, f"{at.where}.{name}", reading.key(item))
        add_label(reading, item, place, value, fields.get(name) or Field(name), size, about)
