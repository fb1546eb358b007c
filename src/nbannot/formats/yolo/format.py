"""Ultralytics YOLO datasets: data.yaml, images and one label file per image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import BrokenFileError, FormatError, NbannotError
from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Listing, Source
from ..base import Format, Miss, Option
from ..look import HEAD_BYTES
from .data import Declared, read_yaml
from .labels import is_label_name
from .layout import lay_out, under
from .read import READ_OPTIONS, read_layout
from .rows import row_share
from .splits import find_splits
from .write import WRITE_OPTIONS, write_ultralytics

if TYPE_CHECKING:
    from ..look import Look
    from ..writing import Export, Sink

__all__ = ["Yolo", "find_config", "label_share"]

_USUAL_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_MAX_BYTES = 8 << 20


class Yolo(Format):
    """Ultralytics YOLO (v5 to v12, YOLO26): boxes, polygons, rotated boxes, keypoints.

    Reads what Ultralytics, Roboflow, CVAT, Label Studio and Supervisely write: ``data.yaml``
    beside ``images/<split>`` and ``labels/<split>``, or ``<split>/images`` and
    ``<split>/labels``, or lists of images. Each line is typed by itself; numbers are kept as they
    are, also outside 0 to 1; what can't be read is named by file and line.

    An empty label file is an image without objects, and its item says so in `meta`:
    ``{"label_file": "empty"}``. An image without a label file is not annotated.

    Rules: https://docs.ultralytics.com/datasets/detect/ and its sister pages; how splits and
    labels are found follows ``ultralytics/data/utils.py``.
    """

    name = "yolo"
    title = "YOLO (Ultralytics)"
    summary = "data.yaml, images, and a text file per image: boxes, polygons, rotated boxes, poses."
    rules = "https://docs.ultralytics.com/datasets/"
    holds = ("box", "polygon", "skeleton", "tag")
    read_options = (
        *READ_OPTIONS,
        Option("config", "text", None, "the YAML file, where there are several"),
        Option("any_case", "bool", False, "take Images/Train for images/train"),
    )
    write_options = WRITE_OPTIONS

    def requires(self, look: Look) -> float:
        """Need a YAML file with names; its splits, and the rows of three label files, speak."""
        try:
            declared = find_config(look.source)
        except Miss:
            raise
        except NbannotError as error:
            look.found(str(error))
            return 0.9  # it is one, and reading it will say what is wrong with it
        texts = look.files.with_suffix(".txt")
        beside = look.files.files(declared.where.rpartition("/")[0])[:1000]
        labels = len(texts) - sum(p[-4:] == ".txt" and not is_label_name(p) for p in beside)
        look.need(
            look.images or labels,
            f"{declared.where} has names of classes, but there are no images and no label files",
        )
        try:
            splits, _ = find_splits(look.files, look.images, declared)
        except FormatError as error:
            look.found(str(error))
            return 0.9
        whole, _ = find_splits(look.files, look.images, declared, any_case=True)
        if len(whole) > len(splits):
            new = [p.path for name, places in whole.items() if name not in splits for p in places]
            text = f"{declared.where} means {', '.join(new)}, written in another case"
            look.offer(text, any_case=True)
        counts = []
        for split, places in splits.items():
            lists = [place.path for place in places if place.kind == "list"]
            images = sum(
                len(under(place.path, look.images)) if place.kind == "folder" else 1
                for place in places
            )
            counts.append(f"{split} in {lists[0]}" if lists else f"{split} {images:,}")
        classes = f"{declared.where}: {len(declared.names.by_id)} classes"
        look.found(", ".join([classes, *counts]))
        look.found(f"{len(look.images):,} images, {labels:,} label files")
        if not labels:
            return 0.5 if splits else 0.2
        good, lines, _ = label_share(look)
        if lines:
            look.found(f"{good} of {lines} lines looked at are rows")
        if lines and good < lines / 2:
            return 0.4
        return 0.95 if splits else 0.8 if declared.splits or declared.pose else 0.6

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the images of train, val, test, other splits and none, with their rows.

        Raises:
            BrokenFileError: data.yaml can't be parsed safely.
            FormatError: there is none, or it leads out of the source.
        """
        options = self.check_options(options)
        try:
            declared = find_config(source, options["config"])
        except Miss as miss:
            raise FormatError(
                f"{source.name} is no YOLO dataset: {miss}",
                hint="For labels without data.yaml there is format='yolo-darknet'.",
            ) from None
        if source.main is not None and not source.files.with_suffix(".txt"):
            raise FormatError(
                f"{source.main} was opened alone, without its label files",
                hint="Open the folder that holds it.",
            )
        layout = lay_out(source, declared, any_case=options["any_case"])
        yield from read_layout(source, declared, layout, options, ledger, progress, limit)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write ``images/<subset>/<key>``, ``labels/<subset>/<key>.txt`` and ``data.yaml``."""
        options = self.check_options(options, writing=True)
        write_ultralytics(export, sink, options, ledger, progress)


def find_config(source: Source, config: str | None = None) -> Declared:
    """Return what the dataset's YAML file declares; `config` says which it is.

    Raises:
        Miss: there is none, or there are several in equal places.
        BrokenFileError: it can't be parsed safely.
        FormatError: its names can't be understood.
    """
    broken: NbannotError | None = None
    found: list[Declared] = []
    for path in [config] if config else _candidates(source.files, source.main):
        data = source.read(path, _MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            broken = broken or BrokenFileError(f"{path} is larger than {_MAX_BYTES >> 20} MiB")
            continue
        try:
            declared = read_yaml(data, path, source)
        except NbannotError as error:
            if config or path.rpartition("/")[2] in _USUAL_NAMES or b"names" in data:
                broken = broken or error
            continue
        if declared.names.declared and declared.names.by_id:
            found.append(declared)
    if not found and broken is not None:
        raise broken
    if not found:
        raise Miss("no data.yaml with names of classes")
    usual = [d for d in found if d.where.rpartition("/")[2] in _USUAL_NAMES]
    best = [d for d in usual or found if d.splits] or usual or found
    homes = {d.where.rpartition("/")[0] for d in best}
    if len(homes) > 1:
        raise Miss(f"{len(homes)} datasets ({', '.join(d.where for d in best[:3])}): open one")
    if len(best) > 1:
        others = ", ".join(d.where for d in best[1:])
        text = f"{best[0].where} is read; config= chooses another of {others}"
        best[0].remarks.append(("several YAML files", text))
    return best[0]


def _candidates(files: Listing, main: str | None) -> list[str]:
    if main is not None and main.lower().endswith((".yaml", ".yml")):
        return [main]
    paths = files.with_suffix(".yaml", ".yml")
    top = min((path.count("/") for path in paths), default=0)
    level = [path for path in paths if path.count("/") == top]
    return sorted(level, key=lambda p: (p.rpartition("/")[2] not in _USUAL_NAMES, p))[:20]


def label_share(look: Look) -> tuple[int, int, int]:
    """Return (lines that look like rows, lines, files) of three text files that may hold labels."""
    paths = _some_labels(look)
    good = lines = 0
    for path in paths:
        head = look.head(path).data
        cut = head.rfind(b"\n") + 1 if len(head) >= HEAD_BYTES else len(head)
        rows, all_lines = row_share(head[:cut])
        good, lines = good + rows, lines + all_lines
    return good, lines, len(paths)


def classes_seen(look: Look) -> int:
    """Return one more than the highest class id in the label files looked at, 1 at least."""
    most = 100  # an id above that is no class to be offered by name
    first = (line.split()[0] for path in _some_labels(look) for line in look.head(path).lines)
    ids = [int(word) for word in first if word.isdecimal() and len(word) < 4]
    return min(max(ids, default=0), most - 1) + 1


def _some_labels(look: Look) -> set[str]:
    # Three text files that may hold labels: from the beginning, the middle and the end.
    texts = look.files.with_suffix(".txt")
    paths: set[str] = set()
    for k in (0, len(texts) // 2, len(texts) - 1):
        paths.update([path for path in texts[max(k, 0) : k + 5] if is_label_name(path)][:1])
    return paths
