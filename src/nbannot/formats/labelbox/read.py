"""Reading files of data rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ...media.kinds import kind_of
from ..addresses import address_of, masked
from ..json_documents import (
    Spot,
    is_http,
    list_of,
    mapping_of,
    put,
    spare,
    text_of,
    whole,
)
from ..json_shapes import Row, is_number
from ..json_values import dumps
from ..media_index import as_path
from ..reading import Reading
from .objects import Size, answers_of, attributes_of, feature_of, figure_of, size_of

__all__ = ["FileReader"]


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


class FileReader:
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
            [row.get("External ID")], row.get("Labeled Data"), ident, size_of(media),
            "text" if is_text else "",
            meta=spare("labelbox", row, "Label", "Labeled Data", "DataRow ID", "External ID"),
        )  # fmt: skip
        pass_ = text_of(row.get("ID")) if self._times[str(row.get("DataRow ID"))] > 1 else None
        if isinstance(label, list) and label and all("frameNumber" in mapping_of(v) for v in label):
            label = {"frames": {str(v["frameNumber"]): v for v in label}}
        if isinstance(label, Mapping):
            more = {"set": pass_}
            self._label(number_, f"[{i}].Label", f"row {i + 1}", label, more, size_of(media))
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
            data.get("id"), size_of(media), mime, frames=whole(media.get("frame_count")),
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
                        more, size_of(media))  # fmt: skip
        for name, experiment in mapping_of(row.get("experiments")).items():
            experiment = mapping_of(experiment)
            for run, runs in mapping_of(experiment.get("runs")).items():
                for k, one in enumerate(list_of(mapping_of(runs).get("labels"))):
                    where = f"[{i}].experiments.{name}.runs.{run}.labels[{k}]"
                    record = f"row {i + 1}, run {run}, label {k + 1}"
                    named = text_of(mapping_of(runs).get("name")) or run
                    more = {"layer": f"{text_of(experiment.get('name')) or name}/{named}"}
                    annotations = mapping_of(mapping_of(one).get("annotations"))
                    self._label(number_, where, record, annotations, more, size_of(media))

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
            feature = feature_of(mapping_of(one)) or str(name)
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
            figure, url = figure_of(one, size)
            extra = {k: v for k, v in one.items() if k not in _KNOWN}
            if url:
                extra["mask"] = {"url": url}
            score, page = one.get("confidence"), whole(one.get("page"))
            return {
                **figure, "label": label, **attributes_of(one.get("classifications"), page),
                "score": float(score) if is_number(score) else None,
                "source_id": feature_of(one), "extra": spare("labelbox", extra), **more,
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
        answers = answers_of(one)
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
                    "source_id": feature_of(one), **more}  # fmt: skip
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
        row = {"label": text_of(one.get("name")), "source_id": feature_of(one), **more}
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
        track = feature_of(row) or spot.record
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
