"""Labelbox: exports of version 1 and 2, and the NDJSON that is imported into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ..errors import BrokenFileError
from ..ledger import Ledger
from ..media.kinds import kind_of
from ..progress import Progress
from ..schema import Batch
from ..sources.base import Source
from .addresses import address_of, masked
from .base import Format
from .json_documents import (
    Spot,
    add_unannotated,
    gather,
    heads,
    is_http,
    list_of,
    mapping_of,
    paths_of,
    put,
    rows_of,
    spare,
    text_of,
    whole,
)
from .json_shapes import Row, Unusable, bitmap, box, is_number, mask, number, pair, points, polygon
from .json_values import dumps
from .look import Look
from .media_index import as_path
from .reading import Reading

__all__ = ["Labelbox"]

Size = tuple[int | None, int | None]

_SUFFIXES = (".json", ".ndjson", ".jsonl")
_SHAPES = (
    "bbox", "bounding_box", "polygon", "line", "point", "mask", "composite_mask", "location",
    "data",
)  # fmt: skip
_KNOWN = (
    *_SHAPES, "featureId", "feature_id", "schemaId", "feature_schema_id", "title", "value", "name",
    "color", "instanceURI", "classifications", "annotation_kind", "uuid", "dataRow", "confidence",
    "answer", "segments", "frames", "keyframe", "metadata", "page",
)  # fmt: skip
_KINDS = ("image", "video", "audio", "text")


class Labelbox(Format):
    """Labelbox: JSON of version 1, NDJSON of version 2, and annotations to be imported.

    **Items** are data rows, named by their external id, else by the global key, the end of
    their address, or their id; the address is kept, never opened. Where a row has several labels
    (consensus), ``set`` tells them apart. Experiments of version 2 are predictions: ``layer``.

    **Geometry** is in pixels as it is. Masks lie at addresses and are not fetched: such an
    object is kept as a tag of its class, with the address in ``extra``, and a warning; a PNG
    within the file is read. Spans of text end one character later than written: Labelbox counts
    the last one in. Frames of videos count from 1 in Labelbox, from 0 here.

    **Classifications**: answers of a list are choices with the question as an attribute, free
    text is text; those of an object are its attributes.

    **Records** are data rows, objects (frames in a video), answers and relationships.
    """

    name: ClassVar[str] = "labelbox"
    title: ClassVar[str] = "Labelbox"
    summary: ClassVar[str] = "Exports of Labelbox (JSON and NDJSON), and its import format."
    rules: ClassVar[str] = "https://docs.labelbox.com/reference/label-export"
    holds: ClassVar[tuple[str, ...]] = (
        "box",
        "polygon",
        "polyline",
        "points",
        "mask",
        "tag",
        "choice",
        "text",
        "text_span",
        "relation",
    )
    writes: ClassVar[bool] = False

    def requires(self, look: Look) -> float:
        """Recognise exports by their keys."""
        for path, head in heads(look, *_SUFFIXES):
            keys = head.json_keys
            if {"Labeled Data", "Label"} <= keys:
                look.found(f"{path} is an export of Labelbox, version 1")
                return 0.95
            if {"data_row", "projects"} <= keys or {"data_row", "experiments"} <= keys:
                look.found(f"{path} is an export of Labelbox, version 2")
                return 0.95
            if "dataRow" in keys and keys & {"schemaId", "uuid", "name"}:
                look.found(f"{path} holds annotations to be imported into Labelbox")
                return 0.9
        look.need(False, "no JSON file with Labeled Data, data_row or dataRow")
        return 0.0

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the data rows; see `Format.read`.

        Raises:
            BrokenFileError: a file is not JSON.
        """
        self.check_options(options)
        reading = Reading(source, ledger, progress, limit)
        paths = paths_of(source, *_SUFFIXES)
        ids: dict[str, str] = {}
        for path, data in reading.files(paths):
            try:
                rows = rows_of(data, path, ledger)
            except BrokenFileError as error:
                if len(paths) == 1:
                    raise
                text = str(error)
                reading.reject("the file is not JSON", file=path, record="file", message=text)
                continue
            file = _File(reading, path, rows, ids)
            for i, row in enumerate(rows):
                file.row(i, row)
                yield from reading.batches()
                if reading.is_full and not file.is_import:
                    break
            if reading.is_full:
                break
        add_unannotated(reading)
        yield from reading.rest()


class _File:
    """One file of data rows."""

    def __init__(
        self, reading: Reading, path: str, rows: Sequence[Any], ids: dict[str, str]
    ) -> None:
        self._reading, self._path = reading, path
        self._ids = ids  # key of an item → id of its data row
        named = [r for r in rows if isinstance(r, Mapping)]
        self._times = Counter(str(r.get("DataRow ID")) for r in named if r.get("DataRow ID"))
        self.is_import = any("dataRow" in r for r in named)

    def row(self, i: int, row: Any) -> None:
        """Read one row, of whatever version it is."""
        where = f"[{i}]"
        if not isinstance(row, Mapping):
            self._reading.reject(
                "row is not an object", file=self._path, where=where, record=f"row {i + 1}",
                message=f"{self._path}: row {i + 1} is {row!r:.80}",
            )  # fmt: skip
        elif "data_row" in row:
            self._version_2(i, row)
        elif "dataRow" in row:
            self._imported(i, row)
        elif "Label" in row or "Labeled Data" in row:
            self._version_1(i, row)
        else:
            self._reading.reject(
                "row of no data row", file=self._path, where=where, record=f"row {i + 1}",
                message=f"{self._path}: row {i + 1} has no Label, data_row or dataRow",
            )  # fmt: skip

    def _item(
        self, names: Sequence[Any], url: Any, ident: Any, size: Size, kind: str = "", **more: Any
    ) -> int:
        given = [as_path(n) for n in names if isinstance(n, str) and n.strip()]
        address = address_of(url) if isinstance(url, str) else None
        if address is not None and address.path:
            given.append(address.path.rpartition("/")[2])
        key = given[0] if given else str(ident)
        if self._ids.setdefault(key, str(ident)) != str(ident):
            self._reading.warn(
                "two data rows have one name", file=self._path, record="item",
                item=str(ident), message=f"{ident} is called {key}, as another is: named by its id",
            )  # fmt: skip
            key = str(ident)
        if kind == "application" or (given and given[0].lower().endswith(".pdf")):
            kind = "other"
        elif kind not in _KINDS:
            kinds = [kind_of(n) for n in given]
            kind = next((k for k in kinds if k != "other"), kind if kind in _KINDS else "image")
        found = next((n for n in given if self._reading.find(n).path), key)
        return self._reading.image_item(
            found, key=key, file=self._path, kind=kind, width=size[0], height=size[1],
            uri=url if is_http(url) else None, source_id=text_of(ident), **more,
        )  # fmt: skip

    # -- version 1 --------------------------------------------------------------------

    def _version_1(self, i: int, row: Mapping[str, Any]) -> None:
        label, ident = row.get("Label"), row.get("DataRow ID") or row.get("ID")
        media = mapping_of(row.get("Media Attributes") or row.get("Media Type"))
        objects = list_of(mapping_of(label).get("objects"))
        is_text = any(isinstance(o, Mapping) and "location" in mapping_of(o.get("data"))
                      for o in objects)  # fmt: skip
        number_ = self._item(
            [row.get("External ID")], row.get("Labeled Data"), ident, _size(media),
            "text" if is_text else "",
            meta=spare("labelbox", row, "Label", "Labeled Data", "DataRow ID", "External ID"),
        )  # fmt: skip
        pass_ = text_of(row.get("ID")) if self._times[str(row.get("DataRow ID"))] > 1 else None
        if isinstance(label, list) and label and all("frameNumber" in mapping_of(v) for v in label):
            label = {"frames": {str(v["frameNumber"]): v for v in label}}
        if isinstance(label, Mapping):
            more = {"set": pass_}
            self._label(number_, f"[{i}].Label", f"row {i + 1}", label, more, _size(media))
        elif label not in (None, "", "Skip") and not row.get("Skipped"):
            spot = Spot(self._path, f"[{i}].Label", f"row {i + 1}", self._reading.key(number_))
            text = f"{spot.record}: Label is {label!r:.80}"
            self._reading.reject("label is not an object", **spot.line(), message=text)

    # -- version 2 --------------------------------------------------------------------

    def _version_2(self, i: int, row: Mapping[str, Any]) -> None:
        data = mapping_of(row.get("data_row"))
        media = mapping_of(row.get("media_attributes"))
        mime = (text_of(media.get("mime_type")) or "").partition("/")[0]
        number_ = self._item(
            [data.get("external_id"), data.get("global_key")], data.get("row_data"),
            data.get("id"), _size(media), mime, frames=whole(media.get("frame_count")),
            meta=spare("labelbox", row, "data_row", "projects", "experiments", "media_attributes"),
        )  # fmt: skip
        projects = mapping_of(row.get("projects"))
        labels = [(p, k, one) for p, project in projects.items()
                  for k, one in enumerate(list_of(mapping_of(project).get("labels")))]  # fmt: skip
        for project, k, one in labels:
            where, record = f"[{i}].projects.{project}.labels[{k}]", f"row {i + 1}, label {k + 1}"
            if len(projects) > 1:
                record += f" of {project}"
            more = {"set": text_of(mapping_of(one).get("id")) if len(labels) > 1 else None}
            self._label(number_, where, record, mapping_of(mapping_of(one).get("annotations")),
                        more, _size(media))  # fmt: skip
        for name, experiment in mapping_of(row.get("experiments")).items():
            experiment = mapping_of(experiment)
            for run, runs in mapping_of(experiment.get("runs")).items():
                for k, one in enumerate(list_of(mapping_of(runs).get("labels"))):
                    where = f"[{i}].experiments.{name}.runs.{run}.labels[{k}]"
                    record = f"row {i + 1}, run {run}, label {k + 1}"
                    named = text_of(mapping_of(runs).get("name")) or run
                    more = {"layer": f"{text_of(experiment.get('name')) or name}/{named}"}
                    annotations = mapping_of(mapping_of(one).get("annotations"))
                    self._label(number_, where, record, annotations, more, _size(media))

    # -- what a label holds -----------------------------------------------------------

    def _label(
        self, number_: int, where: str, record: str, label: Mapping[str, Any], more: Row, size: Size
    ) -> None:
        key = self._reading.key(number_)
        for k, one in enumerate(list_of(label.get("objects"))):
            spot = Spot(self._path, f"{where}.objects[{k}]", f"{record}, object {k + 1}", key)
            self._object(number_, spot, one, more, size)
        for k, one in enumerate(list_of(label.get("classifications"))):
            there = f"{where}.classifications[{k}]"
            spot = Spot(self._path, there, f"{record}, classification {k + 1}", key)
            self._classification(number_, spot, one, more)
        for k, one in enumerate(list_of(label.get("relationships"))):
            spot = Spot(
                self._path, f"{where}.relationships[{k}]", f"{record}, relationship {k + 1}", key
            )  # fmt: skip
            self._relation(number_, spot, one, more)
        frames = label.get("frames")
        if isinstance(frames, str):
            spot = Spot(self._path, f"{where}.frames", f"{record}, frames", key)
            text = f"{spot.record} lie at {masked(frames)}; nothing is fetched"
            self._reading.reject("frames lie at an address", **spot.line(), message=text)
        keyframes = mapping_of(label.get("key_frame_feature_map"))
        for at, frame in mapping_of(frames).items():
            self._frame(
                number_, f"{where}.frames.{at}", record, (str(at), frame), keyframes, more, size
            )

    def _frame(
        self, number_: int, where: str, record: str, frame: tuple[str, Any],
        keyframes: Mapping[str, Any], more: Row, size: Size,
    ) -> None:  # fmt: skip
        at, content = frame
        key = self._reading.key(number_)
        if not at.isdecimal() or len(at) > 15 or not isinstance(content, Mapping):
            spot = Spot(self._path, where, f"{record}, frame {at}", key)
            text = f"{spot.record} is not understood"
            self._reading.reject("frame is not understood", **spot.line(), message=text)
            return
        place = {**more, "frame": max(int(at) - 1, 0)}
        objects = content.get("objects")
        named = objects.items() if isinstance(objects, Mapping) else enumerate(list_of(objects))
        for name, one in named:
            spot = Spot(
                self._path, f"{where}.objects.{name}", f"{record}, frame {at}, object {name}", key
            )  # fmt: skip
            feature = _feature(mapping_of(one)) or str(name)
            shown = keyframes.get(feature)
            is_key = (
                (at in shown or int(at) in shown) if isinstance(shown, (list, Mapping)) else None
            )
            said = mapping_of(one).get("keyframe")
            self._object(
                number_, spot, one,
                {**place, "track": feature, "keyframe": said if isinstance(said, bool) else is_key},
                size,
            )  # fmt: skip
        for k, one in enumerate(list_of(content.get("classifications"))):
            spot = Spot(
                self._path, f"{where}.classifications[{k}]",
                f"{record}, frame {at}, classification {k + 1}", key,
            )  # fmt: skip
            self._classification(number_, spot, one, place)

    def _object(self, number_: int, spot: Spot, one: Any, more: Row, size: Size) -> None:
        if not isinstance(one, Mapping):
            text = f"{spot.record} is no object"
            self._reading.reject("object is not an object", **spot.line(), message=text)
            return
        names = (one.get("title"), one.get("name"), one.get("value"), one.get("schemaId"))
        label = next((n for n in names if isinstance(n, str) and n), None)
        color = one.get("color")
        known = self._reading.labels.get(label or "")
        if label is not None and isinstance(color, str) and len(color) == 7 and known is None:
            self._reading.label(label, color=color.lower() if color[0] == "#" else None)
        url = ""

        def make() -> Row:
            nonlocal url
            figure, url = _figure(one, size)
            extra = {k: v for k, v in one.items() if k not in _KNOWN}
            if url:
                extra["mask"] = {"url": url}
            score, page = one.get("confidence"), whole(one.get("page"))
            return {
                **figure, "label": label, **_attributes(one.get("classifications"), page),
                "score": float(score) if is_number(score) else None,
                "source_id": _feature(one), "extra": spare("labelbox", extra), **more,
            }  # fmt: skip

        if put(self._reading, number_, spot, make, size) and url:
            text = f"{spot.record}: its mask lies at {masked(url)}, which is not fetched"
            self._reading.warn("mask lies at an address", **spot.line(), message=text)

    def _classification(self, number_: int, spot: Spot, one: Any, more: Row) -> None:
        if not isinstance(one, Mapping):
            text = f"{spot.record} is no object"
            self._reading.reject("classification is not an object", **spot.line(), message=text)
            return
        question = text_of(one.get("name") or one.get("title") or one.get("value")
                           or one.get("schemaId"))  # fmt: skip
        answers = _answers(one)
        if not answers:
            text = f"{spot.record} ({question}) has no answer"
            self._reading.reject("classification without an answer", **spot.line(), message=text)
        score = one.get("confidence")
        for k, (kind, answer, nested) in enumerate(answers):
            if k:
                self._reading.ledger.read()
            values = {"question": question, **nested}
            row: Row = {"type": "choice", "label": answer, "attributes": dumps(values)}
            if kind == "text":
                row = {"type": "text", "label": question, "text": answer}
            row |= {"score": float(score) if is_number(score) else None,
                    "source_id": _feature(one), **more}  # fmt: skip
            row = {name: value for name, value in row.items() if value is not None}
            self._reading.annotation(number_, counted=bool(k), **row)

    def _relation(self, number_: int, spot: Spot, one: Any, more: Row) -> None:
        one = mapping_of(one)
        inner = next((mapping_of(v) for k, v in one.items() if k.endswith("_relationship")),
                     mapping_of(one.get("data")) or one)  # fmt: skip
        ends = text_of(inner.get("source")), text_of(inner.get("target"))
        if None in ends:
            text = f"{spot.record} lacks its source or target"
            self._reading.reject("relationship without its ends", **spot.line(), message=text)
            return
        values = {"from": ends[0], "to": ends[1], "direction": "right"}
        row = {"label": text_of(one.get("name")), "source_id": _feature(one), **more}
        self._reading.annotation(
            number_, type="relation", attributes=dumps(values),
            **{k: v for k, v in row.items() if v is not None},
        )  # fmt: skip

    # -- annotations to be imported ---------------------------------------------------

    def _imported(self, i: int, row: Mapping[str, Any]) -> None:
        data = mapping_of(row.get("dataRow"))
        ident = data.get("globalKey") or data.get("id")
        if ident is None:
            self._reading.reject(
                "row of no data row", file=self._path, where=f"[{i}]", record=f"row {i + 1}",
                message=f"row {i + 1}: dataRow has neither id nor globalKey",
            )  # fmt: skip
            return
        known = self._reading.number(str(ident))
        if known is None and self._reading.is_full:
            return
        kind = "text" if "location" in row else "application" if "page" in row else ""
        if "segments" in row or "frames" in row:
            kind = "video"
        number_ = self._item([str(ident)], None, ident, (None, None), kind)
        spot = Spot(self._path, f"[{i}]", f"row {i + 1}", self._reading.key(number_))
        if "answer" in row:
            self._classification(number_, spot, row, {})
        elif "relationship" in row:
            self._relation(number_, spot, {**row, "data": row["relationship"]}, {})
        elif "segments" in row:
            self._segments(number_, spot, row)
        else:
            self._object(number_, spot, row, {}, (None, None))

    def _segments(self, number_: int, spot: Spot, row: Mapping[str, Any]) -> None:
        # [[{frame, bbox} ...] ...] or [{keyframes: [{frame, bbox} ...]} ...]
        track = _feature(row) or spot.record
        for k, segment in enumerate(list_of(row.get("segments"))):
            frames = segment.get("keyframes") if isinstance(segment, Mapping) else segment
            for n, frame in enumerate(list_of(frames)):
                here = Spot(
                    spot.file, f"{spot.where}.segments[{k}][{n}]",
                    f"{spot.record}, segment {k + 1}, frame {n + 1}", spot.item,
                )  # fmt: skip
                at = whole(mapping_of(frame).get("frame"))
                if at is None:
                    text = f"{here.record} has no number"
                    self._reading.reject("frame is not understood", **here.line(), message=text)
                    continue
                one = {**{k: v for k, v in row.items() if k != "segments"}, **mapping_of(frame)}
                one.pop("frame", None)
                more = {"frame": max(at - 1, 0), "track": track, "keyframe": True}
                self._object(number_, here, one, more, (None, None))


def _feature(one: Mapping[str, Any]) -> str | None:
    return text_of(one.get("feature_id") or one.get("featureId") or one.get("uuid"))


def _size(media: Mapping[str, Any]) -> Size:
    return whole(media.get("width"), 1), whole(media.get("height"), 1)


def _figure(one: Mapping[str, Any], size: Size) -> tuple[Row, str]:
    # The columns of a figure, and the address of a mask that is not here.
    given = one.get("bbox") or one.get("bounding_box")
    if isinstance(given, Mapping):
        return box(*(given.get(n) for n in ("left", "top", "width", "height"))), ""
    if "polygon" in one:
        return polygon([(points(one["polygon"], 3, "polygon"), False)]), ""
    if "line" in one:
        return {"type": "polyline", "points": points(one["line"], 2, "line")}, ""
    if "point" in one:
        return {"type": "points", "points": list(pair(one["point"]))}, ""
    place = one.get("location") or mapping_of(one.get("data")).get("location")
    if isinstance(place, Mapping):
        start, end = number(place.get("start"), "start"), number(place.get("end"), "end")
        if end < start:
            raise Unusable("span ends before it starts", f"{start:g} to {end:g}")
        return {"type": "text_span", "start": start, "end": end + 1}, ""
    there = mapping_of(one.get("mask") or one.get("composite_mask"))
    if isinstance(there.get("png"), str):
        return mask(bitmap(there["png"]) != 0, 0, 0, size), ""
    url = there.get("url") or there.get("instanceURI") or one.get("instanceURI")
    if isinstance(url, str) and url:
        return {"type": "tag"}, url
    if isinstance(one.get("geometry"), Mapping):
        raise Unusable("places on the earth can't be read", "its geometry is longitude, latitude")
    raise Unusable("object without a figure", f"it has {', '.join(sorted(map(str, one)))}")


def _answers(one: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    # Each answer as ("choice" or "text", what it says, nested answers by question).
    free = one.get("text_answer")
    if isinstance(free, Mapping):
        free = free.get("content")
    given = one.get("answer", one.get("radio_answer", one.get("answers")))
    many = given if isinstance(given, list) else [] if given is None else [given]
    many = [*many, *list_of(one.get("checklist_answers"))]
    found: list[tuple[str, str, dict[str, Any]]] = []
    if isinstance(free, str):
        found.append(("text", free, {}))
    for answer in many:
        if isinstance(answer, str):
            found.append(("text", answer, {}))
        elif isinstance(answer, Mapping):
            names = (answer.get("name"), answer.get("title"), answer.get("value"),
                     answer.get("schemaId"))  # fmt: skip
            name = next((n for n in names if isinstance(n, str)), None)
            if name is not None:
                found.append(("choice", name, _nested(answer.get("classifications"))))
    return found


def _nested(classifications: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for one in list_of(classifications):
        if isinstance(one, Mapping):
            names = (one.get("name"), one.get("title"), one.get("value"), one.get("schemaId"))
            question = next((n for n in names if isinstance(n, str)), "")
            for _, answer, deeper in _answers(one):
                gather(values, question, answer)
                for name, value in deeper.items():
                    gather(values, name, value)
    return values


def _attributes(classifications: Any, page: int | None) -> Row:
    values = _nested(classifications)
    if page is not None:
        values["page"] = page
    return {"attributes": dumps(values)} if values else {}
