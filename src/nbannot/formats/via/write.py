"""Writing VIA 2: a project, or its JSON or CSV export."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from ...ledger import Ledger
from ...progress import Progress
from ..fitting import Fitting, Holds, Row
from ..image_files import ImageFiles, extra_of, fitted, subset_folder
from ..json_values import loads
from ..writing import Export, Sink
from .shapes import to_shapes

__all__ = ["write_via"]

_HOLDS = Holds(
    {"box": (), "ellipse": ("rotation",), "polygon": (), "polyline": (), "points": (), "tag": ()},
    ("attributes", "extra"),
    unlabelled=True,
)
_NAMES = {"project": "via_project.json", "json": "via_region_data.json",
          "csv": "via_region_data.csv"}  # fmt: skip
_HEADER = ("filename", "file_size", "file_attributes", "region_count", "region_id",
           "region_shape_attributes", "region_attributes")  # fmt: skip
_SETTINGS = {
    "ui": {
        "annotation_editor_height": 25, "annotation_editor_fontsize": 0.8,
        "leftsidebar_width": 18, "image_grid": {
            "img_height": 80, "rshape_fill": "none", "rshape_fill_opacity": 0.3,
            "rshape_stroke": "yellow", "rshape_stroke_width": 2,
            "show_region_shape": True, "show_image_policy": "all",
        },
        "image": {
            "region_label": "__via_region_id__", "region_color": "__via_default_region_color__",
            "region_label_font": "10px Sans", "on_image_annotation_editor_placement": "NEAR_REGION",
        },
    },
    "core": {"buffer_size": 18, "filepath": {}, "default_filepath": ""},
}  # fmt: skip


def write_via(
    export: Export, sink: Sink, options: Mapping[str, Any], ledger: Ledger, progress: Progress
) -> None:
    """Write one file for each subset; see `Via.write`."""
    fitting = Fitting("VIA", _HOLDS, ledger)
    progress.start("Writing images", unit="images")
    writer = _Writer(export, sink, options, fitting)
    for subset in export.subsets:
        folder = subset_folder(export, subset, ledger)
        files = ImageFiles(sink, fitting)
        records = {}
        for item, rows in fitted(export, subset, fitting, progress, "via"):
            record = writer.record(item, rows, files.add(item, folder), folder)
            records[f"{record['filename']}{record['size']}"] = record
        name = _NAMES[options["file"]]
        sink.write(f"{folder}/{name}" if folder else name, writer.text(records))
    fitting.close()


class _Writer:
    def __init__(
        self, export: Export, sink: Sink, options: Mapping[str, Any], fitting: Fitting
    ) -> None:
        kept = [label.extra.get("via") for label in export.labels]
        was = [k["attribute"] for k in kept if isinstance(k, dict) and "attribute" in k]
        self.label = options["label"] or (str(was[0]) if was else "label")
        self.export, self.sink, self.kind, self.fitting = export, sink, options["file"], fitting
        self.used: dict[str, Any] = {}  # other region attributes that occur
        self.file_used: dict[str, set[str] | None] = {}  # None: a text

    def record(self, item: Row, rows: list[Row], path: str, folder: str) -> Row:
        """Return the file's entry of ``_via_img_metadata``."""
        meta = extra_of(item, "via", "meta")
        name = path[len(folder) + 1 :] if folder else path
        if item.get("uri") and not self.sink.saves_media:
            name = item["uri"]
        attributes = dict(meta.get("file_attributes") or {})
        for text in attributes:
            self.file_used.setdefault(text, None)
        regions = []
        for row in rows:
            kept = extra_of(row, "via")
            if row["type"] == "tag":
                self._tag(attributes, row, kept)
                continue
            shapes = to_shapes(row, kept)
            if len(shapes) > 1:
                text = f"its {len(shapes)} points become regions of their own"
                self.fitting.warn(item, row, "points written one by one", text)
            values = self._attributes(item, row)
            regions += [{"shape_attributes": s, "region_attributes": values} for s in shapes]
        return {
            "filename": name, "size": _size(meta.get("size")), "regions": regions,
            "file_attributes": attributes,
        }  # fmt: skip

    def _tag(self, attributes: Row, row: Row, kept: Mapping[str, Any]) -> None:
        name = str(kept.get("attribute") or "label")
        if not isinstance(attributes.get(name), dict):
            attributes[name] = {}
        attributes[name][row["label"]] = True
        options = self.file_used.get(name) or set()
        self.file_used[name] = options | {row["label"]}

    def _attributes(self, item: Row, row: Row) -> Row:
        values: Row = {}
        if row.get("attributes"):
            values, _ = loads(row["attributes"].encode())
        if row.get("label") is not None:
            if self.label in values and not isinstance(values[self.label], dict):
                text = f"the attribute {self.label!r} gives way to the label"
                self.fitting.warn(item, row, "attribute replaced by the label", text)
            if not isinstance(values.get(self.label), dict):
                values = {self.label: row["label"], **values, self.label: row["label"]}
        for name, value in values.items():
            if name != self.label:
                self.used.setdefault(name, value)
        return values

    def text(self, records: Mapping[str, Row]) -> str:
        """Return the whole file."""
        if self.kind == "csv":
            return _csv(records)
        body: Any = records
        if self.kind == "project":
            body = {
                "_via_settings": _SETTINGS | {"project": {"name": self.export.name}},
                "_via_img_metadata": records,
                "_via_attributes": {"region": self._region_definitions(),
                                    "file": self._file_definitions()},
                "_via_data_format_version": "2.0.10",
                "_via_image_id_list": list(records),
            }  # fmt: skip
        return json.dumps(body, ensure_ascii=False) + "\n"

    def _region_definitions(self) -> Row:
        names = {label.name: "" for label in self.export.labels}
        made: Row = {self.label: _definition("dropdown", names)}
        known = {str(d.get("name")): d for label in self.export.labels for d in label.attributes}
        for name in {**known, **self.used}:
            if name == self.label:
                continue
            given = {k: v for k, v in known.get(name, {}).items() if k != "name"}
            if given.get("type") not in ("text", "radio", "dropdown", "checkbox", "image"):
                flags = self.used.get(name)
                given = (_definition("checkbox", dict.fromkeys(flags, ""))
                         if isinstance(flags, dict) else {"type": "text"})  # fmt: skip
            made[name] = {"description": "", "default_value": "", **given}
        return made

    def _file_definitions(self) -> Row:
        return {
            name: {"type": "text", "description": "", "default_value": ""}
            if options is None
            else _definition("checkbox", dict.fromkeys(sorted(options), ""))
            for name, options in self.file_used.items()
        }


def _definition(kind: str, options: Mapping[str, str]) -> Row:
    return {"type": kind, "description": "", "options": dict(options), "default_options": {}}


def _size(value: Any) -> Any:
    return int(value) if isinstance(value, (int, str)) and str(value).isdigit() else -1


def _csv(records: Mapping[str, Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_HEADER)
    for record in records.values():
        head = [record["filename"], record["size"], _dumps(record["file_attributes"])]
        regions = record["regions"]
        if not regions:
            writer.writerow([*head, 0, 0, "{}", "{}"])
        for number, region in enumerate(regions):
            shape, values = region["shape_attributes"], region["region_attributes"]
            writer.writerow([*head, len(regions), number, _dumps(shape), _dumps(values)])
    return out.getvalue()


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
