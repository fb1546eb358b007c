"""Reading AutoML's CSV and Vertex AI's JSON lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import BrokenFileError
from ...ledger import Ledger
from ...media.kinds import kind_of, suffix
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..image_records import (
    At,
    Images,
    add_box,
    add_points,
    as_json,
    json_lines,
    label_of,
    numbers,
)
from ..look import Head
from ..reading import Reading
from .rows import FOLDERS, corners, is_header, shape_of, uses

__all__ = ["read_automl"]

_ML_USE = "aiplatform.googleapis.com/ml_use"
_CORNERS = ("xMin", "yMin", "xMax", "yMax")


@dataclass
class _Label:
    # One label of a line: a tag, or with corners (shares of the size) a box or polygon.
    where: str
    label: str | None
    shares: list[float] | None = None
    problem: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    reason: str = "box without numbers"


def read_automl(
    source: Source,
    paths: Sequence[str],
    ledger: Ledger,
    progress: Progress,
    limit: int | None = None,
) -> Iterator[Batch]:
    """Yield images with their labels; see `AutoML.read`."""
    reading = Reading(source, ledger, progress, limit)
    images = Images(reading)
    for path, data in reading.files(paths):
        lines = path.lower().endswith(".csv")
        for row in _rows(path, data) if lines else json_lines(data, path, reading):
            where, value = row
            if isinstance(value, list):
                _read_row(reading, images, At(path, where, ""), value)
            else:
                _read_line(reading, images, At(path, where, ""), value)
            yield from reading.batches()
            if reading.is_full and not lines and len(paths) == 1:
                break
    yield from reading.rest()


def _rows(path: str, data: bytes) -> Iterator[tuple[str, list[str]]]:
    rows = csv.reader(io.StringIO(Head(data).text, newline=""))
    first = True
    try:
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if not (first and is_header(row)):
                yield f"line {rows.line_num}", row
            first = False
    except csv.Error as error:
        raise BrokenFileError(f"The file is no CSV: {error}", where=path) from None


def _read_row(reading: Reading, images: Images, at: At, row: list[str]) -> None:
    use = uses(row[0]) if row else None
    cells = row[1:] if use is not None or not row[0].strip() else row
    name = cells[0].strip() if cells else ""
    labels: list[_Label] = []
    shares = corners(cells[2:])
    if shares is not None:
        labels = [_Label(at.where, label_of(cells[1].strip()), shares)]
    elif len(cells) > 9:
        text = "its coordinates are missing or no numbers"
        if any(cell.strip() for cell in cells[1:]):
            labels = [_Label(at.where, label_of(cells[1].strip()), None, text)]
    else:
        given = [cell.strip() for cell in cells[1:] if cell.strip()]
        labels = [_Label(f"{at.where}, label {i}", v) for i, v in enumerate(given, 1)]
    _add(reading, images, at, name, use, labels)


def _read_line(reading: Reading, images: Images, at: At, line: Mapping[str, Any]) -> None:
    payload = line.get("imagePayload")
    name = payload.get("imageUri") if isinstance(payload, dict) else line.get("imageGcsUri")
    if name is None and {"textGcsUri", "textContent", "videoGcsUri"} & line.keys():
        what = "video" if "videoGcsUri" in line else "text"
        reading.reject(f"{what} is not read", **at.line(f"it is of a {what}, not of an image"))
        return
    about = line.get("dataItemResourceLabels")
    about = dict(about) if isinstance(about, dict) else {}
    use = uses(str(about.pop(_ML_USE, "") or "UNASSIGNED"))
    labels = [*_vertex(line, at), *_labeling(line, at)]
    meta = as_json({"automl": {"labels": about} if about else None})
    _add(reading, images, at, name, use, labels, meta=meta)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _vertex(line: Mapping[str, Any], at: At) -> Iterator[_Label]:
    for index, one in enumerate(_list(line.get("boundingBoxAnnotations"))):
        where = f"{at.where}.boundingBoxAnnotations[{index}]"
        if not isinstance(one, dict):
            yield _Label(where, None, None, "it is no JSON object")
            continue
        # What is 0 may be left out.
        shares = numbers(*(one.get(n, 0) for n in _CORNERS)) if set(one) & set(_CORNERS) else None
        kept = one.get("annotationResourceLabels")
        extra = {"labels": kept} if kept else {}
        problem = "" if shares else "its coordinates are missing or no numbers"
        yield _Label(where, label_of(one.get("displayName")), shares, problem, extra)
    single = line.get("classificationAnnotation")
    several = _list(line.get("classificationAnnotations"))
    for index, one in enumerate([*([single] if single is not None else []), *several]):
        where = f"{at.where}.classificationAnnotations[{index}]"
        name = label_of(one.get("displayName")) if isinstance(one, dict) else None
        yield _Label(where, name, None, "" if name else "it has no displayName",
                         reason="tag without a label")  # fmt: skip


def _labeling(line: Mapping[str, Any], at: At) -> Iterator[_Label]:
    # Of the data labelling service.
    for index, one in enumerate(_list(line.get("annotations"))):
        where = f"{at.where}.annotations[{index}]"
        value = one.get("annotationValue") if isinstance(one, dict) else None
        value = value if isinstance(value, dict) else {}
        found = value.get("imageClassificationAnnotation")
        poly = value.get("imageBoundingPolyAnnotation")
        inner = found if isinstance(found, dict) else poly if isinstance(poly, dict) else {}
        spec = inner.get("annotationSpec")
        name = label_of(spec.get("displayName")) if isinstance(spec, dict) else None
        if isinstance(found, dict):
            yield _Label(where, name, None, "" if name else "it has no displayName",
                         reason="tag without a label")  # fmt: skip
            continue
        bounds = inner.get("normalizedBoundingPoly")
        points = _list(bounds.get("normalizedVertices")) if isinstance(bounds, dict) else []
        pairs = [p if isinstance(p, dict) else {"x": None} for p in points]
        shares = numbers(*(p.get(n, 0) for p in pairs for n in "xy")) or None
        problem = "" if shares else "it has no normalizedVertices with numbers"
        yield _Label(where, name, shares, problem)


# -- records ------------------------------------------------------------------------------


def _add(
    reading: Reading,
    images: Images,
    at: At,
    name: Any,
    use: str | None,
    labels: Sequence[_Label],
    **values: Any,
) -> None:
    subset: str | None = use or None
    strip: tuple[str, ...] = ()
    if isinstance(name, str) and name.strip():
        other = "" if name in reading.source.files else _other_media(name)
        if other:
            reading.reject(f"{other} is not read", **at.line(f"it is a {other}, not an image"))
            for label in labels:
                place = At(at.file, f"{label.where}, label", "")
                reading.reject(f"{other} is not read", **place.line(f"it is of a {other}"))
            return
        folder = name.strip().removeprefix("./").partition("/")[0]
        if folder in FOLDERS.get(use or "", ()):
            subset, strip = folder, (folder,)
        if reading.is_full and images.known(name, at, subset) is None:
            return  # a preview: rows of its images may come later
    item = images.add(name, at, subset=subset, strip=strip, again=True, **values)
    size = images.size(item) if item is not None and any(v.shares for v in labels) else None
    for label in labels:
        record = f"{label.where}, label" if label.where == at.where else label.where
        place = At(at.file, record, "" if item is None else reading.key(item))
        if item is None:
            reading.reject("image was rejected", **place.line("its image was rejected"))
        elif label.problem:
            reading.reject(label.reason, **place.line(label.problem))
        else:
            _add_label(reading, item, place, label, size)


def _other_media(name: str) -> str:
    # What an address is of, where it is not an image: "video", "text"; "" where it is one.
    kind = kind_of(name)
    if kind in ("video", "audio"):
        return kind
    end = suffix(name)
    if end in (".txt", ".pdf", ".csv", ".jsonl", ".html"):
        return "text" if end != ".csv" else "list of other files"
    plain = not name.lower().startswith("gs://") and "/" not in name
    return "text" if kind == "other" and plain and (" " in name.strip() or not end) else ""


def _add_label(
    reading: Reading, item: int, at: At, label: _Label, size: tuple[int, int] | None
) -> None:
    if label.shares is None:
        reading.annotation(item, type="tag", label=label.label)
        return
    if size is None:
        text = "its coordinates are shares of the image's size, which is not known"
        reading.reject("image size is not known", **at.line(text))
        return
    box, points = shape_of(label.shares, size)
    extra = as_json({"automl": dict(label.extra) or None})
    values: dict[str, Any] = {"label": label.label, "extra": extra}
    if box is not None:
        added = add_box(reading, item, at, box, size, **values)
    else:
        added = add_points(reading, item, at, points, size, **values)
    if added and label.label is None:
        reading.warn("annotation without a label", **at.line("it has no label"))
