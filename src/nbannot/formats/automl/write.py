"""Writing AutoML's CSV and Vertex AI's JSON lines."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from ...ledger import Ledger
from ...progress import Progress
from ...schema import DEFAULT_SUBSET
from ..fitting import Fitting, Holds, Row
from ..image_files import ImageFiles, extra_of, fitted, subset_folder
from ..writing import Export, Sink
from .rows import FOLDERS

__all__ = ["write_automl"]

_ML_USE = "aiplatform.googleapis.com/ml_use"
_COLUMNS = 9
_Image = tuple[str, str, Row, list[Row]]  # use, address, item, its annotations


def write_automl(export: Export, sink: Sink, kind: str, ledger: Ledger, progress: Progress) -> None:
    """Write detection and classification, each to a file of its own; see `AutoML.write`."""
    fitting = Fitting("AutoML", Holds({"box": (), "tag": ()}, ("extra",)), ledger)
    images: list[_Image] = []
    progress.start("Writing images", unit="images")
    for subset in export.subsets:
        use = next((u for u, names in FOLDERS.items() if subset.lower() in names), "unassigned")
        folder = subset_folder(export, subset)
        if use == "unassigned" and subset not in (DEFAULT_SUBSET, ""):
            ledger.note(
                "subset is UNASSIGNED", file=subset,
                message=f"{subset!r} is none of training, validation and test; its images are "
                f"in the folder {folder}",
            )  # fmt: skip
        files = ImageFiles(sink, fitting)
        for item, rows in fitted(export, subset, fitting, progress, "automl"):
            path = files.add(item, folder)
            if item.get("uri") and not sink.saves_media:
                path = item["uri"]
            images.append((use, path, item, _sized(item, rows, fitting)))
    kinds = {row["type"] for *_, rows in images for row in rows}
    for one, name in (("box", "detection"), ("tag", "classification")):
        if one in kinds or (one == "box" and "tag" not in kinds):
            write = _csv if kind == "csv" else _lines
            sink.write(f"{name}.{kind}", write(images, one))
    fitting.close()


def _sized(item: Row, rows: list[Row], fitting: Fitting) -> list[Row]:
    # The annotations that can be written: boxes need the size of the image.
    kept = []
    for row in rows:
        if row["type"] == "box" and not (item.get("width") and item.get("height")):
            text = "coordinates are shares of the image's size, which is not known"
            fitting.reject(item, row, "image size is not known", text)
        else:
            kept.append(row)
    return kept


def _shares(item: Row, row: Row) -> list[float]:
    width, height = item["width"], item["height"]
    x, y, right, low = row["x"], row["y"], row["x"] + row["w"], row["y"] + row["h"]
    return [x / width, y / height, right / width, low / height]


def _csv(images: list[_Image], kind: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for use, path, item, rows in images:
        mine = [row for row in rows if row["type"] == kind]
        head = [use.upper(), path]
        if kind == "tag":
            writer.writerow([*head, *(row["label"] for row in mine)])
            continue
        for row in mine:
            x, y, right, low = _shares(item, row)
            writer.writerow([*head, row["label"], x, y, right, y, right, low, x, low])
        if not mine:
            writer.writerow([*head, *[""] * _COLUMNS])
    return out.getvalue()


def _lines(images: list[_Image], kind: str) -> str:
    several = any(sum(row["type"] == "tag" for row in rows) > 1 for *_, rows in images)
    lines = []
    for use, path, item, rows in images:
        mine = [row for row in rows if row["type"] == kind]
        about: dict[str, Any] = dict(extra_of(item, "automl", "meta").get("labels") or {})
        if use != "unassigned":
            about[_ML_USE] = "training" if use == "train" else use
        line: Row = {"imageGcsUri": path}
        if kind == "box":
            line["boundingBoxAnnotations"] = [_box(item, row) for row in mine]
        elif several:
            line["classificationAnnotations"] = [{"displayName": r["label"]} for r in mine]
        elif mine:
            line["classificationAnnotation"] = {"displayName": mine[0]["label"]}
        if about:
            line["dataItemResourceLabels"] = about
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    return "".join(lines)


def _box(item: Row, row: Row) -> Row:
    made: Row = dict(zip(("xMin", "yMin", "xMax", "yMax"), _shares(item, row), strict=True))
    kept = extra_of(row, "automl").get("labels")
    return {"displayName": row["label"], **made,
            **({"annotationResourceLabels": kept} if kept else {})}  # fmt: skip
