"""Darknet YOLO datasets: obj.data, a file of names, images and one label file per image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import FormatError
from ...ledger import Ledger
from ...media.kinds import is_image
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Listing, Source
from ..base import Format
from .data import Declared, Names, read_lines, read_names, read_obj_data
from .format import classes_seen, label_share
from .layout import lay_out
from .read import READ_OPTIONS, read_layout
from .write import DARKNET_OPTIONS, write_darknet

if TYPE_CHECKING:
    from ..look import Look
    from ..writing import Export, Sink

__all__ = ["YoloDarknet"]

_NAMES = ("obj.names", "_darknet.labels", "classes.txt", "predefined_classes.txt", "labels.txt")
_LISTS = {"train": "train", "valid": "valid", "val": "val", "test": "test", "images": ""}
_DEPTH = 2  # folders above a file of names, at most
_NO_SPLITS = ("classes", "names", "backup", "results", "eval", "weights", "map")


class YoloDarknet(Format):
    """Darknet YOLO, also called YOLO 1.1 and YOLOv4: boxes, with names in a file of their own.

    Reads what CVAT ("YOLO 1.1"), Darknet, labelImg, Label Studio, Roboflow ("darknet") and
    FiftyOne write: ``obj.data`` or lists of images or folders; names in ``obj.names``,
    ``classes.txt`` or ``_darknet.labels``; label files beside the images or in ``labels/``.
    Without names the classes are called ``class_0``, ``class_1`` …. Rows are read as `Yolo` does.

    Rules: https://github.com/AlexeyAB/darknet#how-to-train-to-detect-your-custom-objects and
    https://docs.cvat.ai/docs/dataset_management/formats/format-yolo/
    """

    name = "yolo-darknet"
    title = "YOLO (Darknet)"
    summary = "obj.names or classes.txt, images, and a text file of boxes per image."
    rules = "https://github.com/AlexeyAB/darknet#how-to-train-to-detect-your-custom-objects"
    holds = ("box",)
    read_options = READ_OPTIONS
    write_options = DARKNET_OPTIONS

    def requires(self, look: Look) -> float:
        """Need obj.data, a file of names, or label files whose lines are rows."""
        data, names = _data_file(look.source), _names_file(look.files)
        good, lines, files = label_share(look)
        rows = lines and good >= lines / 2
        missing = "no label files with rows of class cx cy w h"
        which = f"{names}, but" if names else "no data.yaml, obj.names or classes.txt, and"
        look.need(data or rows or (names and files and not lines), f"{which} {missing}")
        look.need(look.images or rows, "no images and no label files")
        if data:
            look.found(f"{data[0]}: {', '.join(f'{k} = {v}' for k, v in data[1].items())}"[:200])
        if names:
            count = sum(bool(line) for line in look.head(names).text.splitlines())
            look.found(f"{names}: {count} classes")
        texts = len(look.files.with_suffix(".txt"))
        look.found(f"{len(look.images):,} images, {texts:,} text files")
        if not names and not data:
            names_of = ", ".join(f"class_{n}" for n in range(classes_seen(look)))
            look.offer("No file names the classes: name them, in order", names=names_of)
        if lines:
            look.found(f"{good} of {lines} lines looked at are rows")
        if look.files.with_suffix(".yaml", ".yml"):
            return 0.3  # Ultralytics' layout, most likely
        if data and (names or lines):
            return 0.95
        if names and rows:
            return 0.9 if not names.endswith(".txt") or "notes.json" in look.files else 0.85
        return 0.5 if rows and look.images else 0.3

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the images of the lists, then those of none by folder, with their rows.

        Raises:
            FormatError: there are neither images nor label files, and no obj.data says so.
            BrokenFileError: a file of names or a list is not text.
        """
        options = self.check_options(options)
        declared, files = declare(source)
        if options["names"] and not declared.names.declared:
            names = [name.strip() for name in str(options["names"]).split(",")]
            declared.names = Names(dict(enumerate(names)))
            declared.names.declared = False  # a class beyond them is named as without them
        layout = lay_out(source, declared, files)
        if not len(layout.entries) and not layout.orphans and _data_file(source) is None:
            raise FormatError(f"{source.name} has no images and no label files")
        yield from read_layout(source, declared, layout, options, ledger, progress, limit)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write obj.data, obj.names, ``<subset>.txt`` and ``obj_<subset>_data/``."""
        options = self.check_options(options, writing=True)
        write_darknet(export, sink, options, ledger, progress)


def declare(source: Source) -> tuple[Declared, list[str]]:
    """Return what obj.data, the names and the lists declare, and those files' paths."""
    data = _data_file(source)
    where, pairs = data or ("", {})
    home = where.rpartition("/")[0]
    names_file = _existing(source.files, pairs.get("names", ""), home) or _names_file(source.files)
    names = read_names(source, names_file) if names_file else Names()
    declared = Declared(where or names_file or source.name, names)
    if not names.declared and pairs.get("classes", "").isdigit():
        declared.names = Names({i: f"class_{i}" for i in range(int(pairs["classes"][:6]))})
    for key, value in pairs.items():
        if key not in _NO_SPLITS and value:
            declared.splits[key] = [value]
    if not declared.splits:
        declared.splits = _lists(source)
    if pairs.get("classes", "").isdigit() and int(pairs["classes"]) != len(names.by_id):
        text = f"{where}: classes is {pairs['classes']}, but {names_file} has {len(names.by_id)}"
        declared.remarks.append(("classes is not the number of names", text))
    other = [p for p in _all_names_files(source.files) if p != names_file]
    for path in other:
        if names_file and read_lines(source, path) != read_lines(source, names_file):
            text = f"{path} differs from {names_file}, and is not read"
            declared.remarks.append(("several files of names", text))
    declared.remark_on_names()
    return declared, [path for path in (names_file, *other) if path and path.endswith(".txt")]


def _data_file(source: Source) -> tuple[str, dict[str, str]] | None:
    for path in [p for p in source.files.with_suffix(".data") if p.count("/") <= _DEPTH][:5]:
        pairs = read_obj_data(source, path)
        if "names" in pairs or "train" in pairs:
            return path, pairs
    return None


def _all_names_files(files: Listing) -> list[str]:
    folders = [folder for folder in files.all_folders() if folder.count("/") < _DEPTH][:1000]
    found = [
        path
        for name in _NAMES
        for folder in folders
        if (path := f"{folder}/{name}".lstrip("/")) in files
    ]
    found += [p for p in files.with_suffix(".names") if p.count("/") <= _DEPTH and p not in found]
    # An image called labels.jpg has its rows in labels.txt.
    return [p for p in found if not (p[-4:] == ".txt" and p[:-3] + "jpg" in files)]


def _names_file(files: Listing) -> str | None:
    return next(iter(_all_names_files(files)), None)


def _existing(files: Listing, value: str, home: str) -> str | None:
    parts = [part for part in value.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for i in range(len(parts)):
        for base in (f"{home}/" if home else "", ""):
            if base + "/".join(parts[i:]) in files:
                return base + "/".join(parts[i:])
    return None


def _lists(source: Source) -> dict[str, list[str]]:
    # train.txt and its like, where their first line is the path of an image.
    found: dict[str, list[str]] = {}
    for name, split in _LISTS.items():
        for path in source.files.match(f"{name}.txt", f"data/{name}.txt"):
            head = source.read(path, 4096).decode("utf-8-sig", "replace").strip()
            if is_image(head.partition("\n")[0].strip()):
                found.setdefault(split, []).append(path)
    return found
