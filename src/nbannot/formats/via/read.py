"""Reading VIA's containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import OptionError
from ...ledger import Ledger
from ...media.kinds import is_image
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..image_records import At, Images, as_json, candidates, subset_of
from ..look import Look
from ..reading import Reading
from .files import Document, Problem, Region, ViaFile, kind_of_file, parse
from .shapes import add_shape

__all__ = ["read_via"]

_ORDER = ("via3", "project", "json", "csv")
_USUAL = ("label", "class", "name", "type", "category", "object", "class_name", "label_name")
_LISTS = ("dropdown", "radio", "checkbox")


def read_via(
    source: Source,
    options: Mapping[str, Any],
    ledger: Ledger,
    progress: Progress,
    limit: int | None = None,
) -> Iterator[Batch]:
    """Yield the files of all containers; see `Via.read`."""
    reading = Reading(source, ledger, progress, limit)
    images = Images(reading)
    paths = _chosen(source, ledger)
    subsets = {path: subset_of(path, paths) for path in paths}
    documents = [parse(path, data, reading) for path, data in reading.files(paths)]
    roles = _Roles.find(documents, options.get("label"), ledger)
    for made in documents:
        _declare(made, roles, reading)
        for file in made.files:
            _read_file(reading, images, made, file, roles, subsets[made.path])
            yield from reading.batches()
            if reading.is_full:
                break
        if reading.is_full:
            break
        for problem in made.loose:
            _reject(reading, made.path, problem)
    for path in paths:
        images.leftover(path.rpartition("/")[0], subsets[path])
    yield from reading.rest()


def _chosen(source: Source, ledger: Ledger) -> list[str]:
    # A project and exports of it in one folder are the same data: the richest kind is read.
    look = Look(source)
    kinds = {p: kind_of_file(look.head(p)) for p in candidates(source, ".json", ".csv")}
    if not any(kinds.values()):
        return list(kinds)
    best: dict[str, str] = {}
    for path, kind in kinds.items():
        folder = path.rpartition("/")[0]
        if kind and _ORDER.index(kind) <= _ORDER.index(best.get(folder, "csv")):
            best[folder] = kind
    chosen = []
    for path, kind in kinds.items():
        if kind == best.get(path.rpartition("/")[0]):
            chosen.append(path)
        elif kind:
            ledger.note(
                "file was not read", file=path,
                message=f"{path} lies beside a project of VIA that holds the same; to read it, "
                "open it alone",
            )  # fmt: skip
    return chosen


# -- which attribute is the label ---------------------------------------------------------


@dataclass(frozen=True)
class _Roles:
    label: str | None
    tags: frozenset[str]  # file attributes whose values are tags

    @classmethod
    def find(cls, documents: Sequence[Document], given: str | None, ledger: Ledger) -> _Roles:
        values: dict[str, list[Any]] = {}
        regions = 0
        for made in documents:
            for file in made.files:
                for region in file.regions if isinstance(file, ViaFile) else ():
                    if isinstance(region, Region) and region.shape:
                        regions += 1
                        for name, value in region.attributes.items():
                            values.setdefault(name, []).append(value)
        kinds = {n: d.get("type") for made in documents
                 for n, d in made.region_attributes.items() if isinstance(d, dict)}  # fmt: skip
        if given is not None and given not in values and given not in kinds and regions:
            raise OptionError(
                f"No region has the attribute {given!r}", hint=f"There are: {', '.join(values)}."
            )
        label = given or _best(values, kinds, regions)
        if label is not None and given is None and len(values) > 1:
            others = ", ".join(repr(n) for n in values if n != label)
            ledger.note(
                "attribute taken as the label", file=documents[0].path,
                message=f"{label!r} is taken as the label, {others} as attributes "
                "(label= otherwise)",
            )  # fmt: skip
        return cls(label, _tags(documents))


def _best(
    values: Mapping[str, Sequence[Any]], kinds: Mapping[str, Any], regions: int
) -> str | None:
    def rank(name: str) -> tuple[bool, int, bool, int]:
        single = [chosen[0] for v in values[name] if len(chosen := _options(v)) == 1]
        single = [value for value in single if value != "###"]  # "do not care"
        listed = kinds.get(name) in _LISTS and 2 * len(single) >= regions
        free = len(single) > 10 and len(set(single)) * 2 > len(single)  # a text of its own each
        usual = name.lower() in _USUAL
        return (listed, 0 if free else len(single), usual, -list(values).index(name))

    best = max(values, key=rank, default=None)
    if best is None or not any(_options(v) for v in values[best]):
        return None
    return best


def _tags(documents: Sequence[Document]) -> frozenset[str]:
    # File attributes with options; without definitions, those that look like it.
    found = set()
    for made in documents:
        for name, definition in made.file_attributes.items():
            if isinstance(definition, dict) and definition.get("type") in _LISTS:
                found.add(name)
        for file in made.files if not made.file_attributes else ():
            if isinstance(file, ViaFile):
                for name, value in file.attributes.items():
                    flags = (
                        isinstance(value, dict) and value and all(v is True for v in value.values())
                    )
                    if flags or (name.lower() in ("label", "class") and isinstance(value, str)):
                        found.add(name)
    return frozenset(found)


def _options(value: Any) -> list[str]:
    """Return what a value of an attribute chooses: one text, or each option that is true."""
    if isinstance(value, dict):
        return [str(k) for k, v in value.items() if v in (True, "true", 1)]
    if value is None or value == "" or isinstance(value, list):
        return []
    return [str(value)]


def _declare(made: Document, roles: _Roles, reading: Reading) -> None:
    others = tuple(
        {"name": name, **{k: d[k] for k in ("type", "description", "options", "default_options")
                          if d.get(k)}}
        for name, d in made.region_attributes.items()
        if name != roles.label and isinstance(d, dict)
    )  # fmt: skip
    extra = {"via": {"attribute": roles.label}} if roles.label not in (None, "label") else {}
    definition = made.region_attributes.get(roles.label or "")
    if isinstance(definition, dict) and isinstance(definition.get("options"), dict):
        for name in definition["options"]:
            if str(name):
                reading.label(str(name), attributes=others, extra=extra)
    for file in made.files:
        for region in file.regions if isinstance(file, ViaFile) else ():
            if isinstance(region, Region):
                for name in _options(region.attributes.get(roles.label or ""))[:1]:
                    if name not in reading.labels:
                        reading.label(name, attributes=others, extra=extra)


# -- files and regions --------------------------------------------------------------------


def _reject(reading: Reading, path: str, problem: Problem, key: str = "") -> None:
    at = At(path, problem.where, key)
    reading.reject(problem.reason, **at.line(problem.message))


def _read_file(
    reading: Reading,
    images: Images,
    made: Document,
    file: ViaFile | Problem,
    roles: _Roles,
    subset: str | None,
) -> None:
    if isinstance(file, Problem):
        _reject(reading, made.path, file)
        return
    at = At(made.path, file.where, "")
    plain = {n: v for n, v in file.attributes.items() if n not in roles.tags}
    size = file.size if file.size not in (None, -1, "-1", "") else None
    kept = {"size": size, "file_attributes": plain}
    meta = as_json({"via": {k: v for k, v in kept.items() if v} or None})
    item = images.add(
        file.name, at, subset=subset, folders=(made.folder,) if made.folder else (),
        kind=file.kind, meta=meta, source_id=file.id,
    )  # fmt: skip
    if item is None:
        for region in file.regions:
            text = "its file was rejected"
            _reject(reading, made.path, Problem(region.where, "file was rejected", text))
        return
    key = reading.key(item)
    _read_tags(reading, item, file, roles)
    px = images.size(item) if file.regions and is_image(key) else None
    for region in file.regions:
        if isinstance(region, Problem):
            _reject(reading, made.path, region, key)
        else:
            _read_region(reading, item, At(made.path, region.where, key), region, roles, px, file)


def _read_tags(reading: Reading, item: int, file: ViaFile, roles: _Roles) -> None:
    for name in file.attributes:
        for value in _options(file.attributes[name]) if name in roles.tags else ():
            extra = as_json({"via": {"attribute": name}}) if name != "label" else None
            reading.annotation(item, type="tag", label=value, extra=extra)


def _read_region(
    reading: Reading,
    item: int,
    at: At,
    region: Region,
    roles: _Roles,
    px: tuple[int, int] | None,
    file: ViaFile,
) -> None:
    if not region.shape and not region.times:
        _read_whole(reading, item, at, region)
        return
    chosen = _options(region.attributes.get(roles.label or ""))
    attributes = {n: v for n, v in region.attributes.items() if n != roles.label}
    if len(chosen) > 1:
        attributes[roles.label or ""] = region.attributes[roles.label or ""]
        text = f"it has {len(chosen)} labels: {chosen[0]!r} is taken, all are kept as an attribute"
        reading.warn("several labels in one region", **at.line(text))
    values: dict[str, Any] = {
        "label": chosen[0] if chosen else None,
        "attributes": as_json(attributes),
    }
    if region.times:
        values["start"], values["end"] = region.times[0], region.times[-1]
    if region.shape:
        if region.times and file.kind == "video":
            reading.warn(
                "frame of a region is not known",
                **at.line(f"VIA gives a time, {region.times[0]:g} s; it is kept as that"),
            )
        add_shape(reading, item, at, region.shape, px, **values)
    else:
        reading.annotation(item, type="time_span", **values)


def _read_whole(reading: Reading, item: int, at: At, region: Region) -> None:
    # VIA 3: attributes of the file as a whole; each value that is chosen is a tag.
    tags = [(n, o) for n, v in region.attributes.items() for o in _options(v)]
    if not tags:
        reading.reject("region without a shape", **at.line("it has neither shape nor values"))
    for rank, (name, option) in enumerate(tags):
        if rank:
            reading.ledger.split()
        extra = as_json({"via": {"attribute": name}}) if name != "label" else None
        reading.annotation(item, counted=bool(rank), type="tag", label=option, extra=extra)
