"""Writing YOLO datasets: files, names and splits, in Ultralytics' and in Darknet's layout."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import yaml

from ...ledger import Ledger
from ...media.kinds import is_image, suffix
from ...progress import Progress
from ...schema import Batch, Label
from ..base import Option
from .data import SPLIT_ALIASES
from .encode import RowEncoder

if TYPE_CHECKING:
    from ..writing import Export, Sink

__all__ = ["DARKNET_OPTIONS", "WRITE_OPTIONS", "write_darknet", "write_ultralytics"]

_SCORES = Option("scores", "bool", False, "write confidences as a last column (for predictions)")
WRITE_OPTIONS = (
    Option(
        "task", "choice", "auto", "what the rows hold; auto goes by what there is",
        ("auto", "detect", "segment", "obb", "pose", "classify"),
    ),
    Option(
        "multipart", "choice", "bridge", "polygons of several parts: join them, or a row for each",
        ("bridge", "split"),
    ),
    _SCORES,
    Option("tracks", "bool", False, "write track ids as a last column, as CVAT does"),
)  # fmt: skip
DARKNET_OPTIONS = (_SCORES,)


def write_ultralytics(
    export: Export, sink: Sink, options: Mapping[str, Any], ledger: Ledger, progress: Progress
) -> None:
    """Write ``images/<subset>/<key>``, ``labels/<subset>/<key>.txt`` and ``data.yaml``."""
    found = _Contents(export)
    task = options["task"] if options["task"] != "auto" else found.task()
    if task == "classify":
        _write_classes(export, sink, ledger, progress)
        return
    classes = {label.name: i for i, label in enumerate(export.labels)}
    encoder = RowEncoder(
        task, classes, ledger,
        keypoints=found.keypoints, multipart=options["multipart"],
        scores=options["scores"], tracks=options["tracks"],
    )  # fmt: skip
    for subset in export.subsets:
        for _ in _write_subset(export, subset, f"images/{subset}", sink, encoder, progress):
            pass
    encoder.tell_losses()
    sink.write("data.yaml", _yaml(export, task, classes, found.keypoints, ledger))


def write_darknet(
    export: Export, sink: Sink, options: Mapping[str, Any], ledger: Ledger, progress: Progress
) -> None:
    """Write obj.data, obj.names, ``<subset>.txt`` and ``obj_<subset>_data/``."""
    classes = {label.name: i for i, label in enumerate(export.labels)}
    encoder = RowEncoder("detect", classes, ledger, scores=options["scores"])
    for subset in export.subsets:
        folder = f"obj_{subset}_data"
        # Darknet wants a label file with each image, empty where there is nothing on it.
        paths = _write_subset(export, subset, folder, sink, encoder, progress, always=True)
        sink.write(f"{subset}.txt", "".join(f"data/{path}\n" for path in paths))
    encoder.tell_losses()
    names = []
    for name in classes:
        line = " ".join(name.split("\n")).strip()
        if line != name:
            text = f"{name!r} is written as {line!r}: a name is one line without spaces around it"
            ledger.note("name of a label changed", message=text)
        names.append(line + "\n")
    sink.write("obj.names", "".join(names))
    keys = _split_keys(export.subsets, {"train": "train", "valid": "val", "test": "test"}, ledger)
    lines = [f"classes = {len(classes)}"]
    lines += [f"{key} = data/{subset}.txt" for key, subset in keys.items()]
    lines += ["names = data/obj.names", "backup = backup/"]
    sink.write("obj.data", "\n".join(lines) + "\n")


class _Contents:
    """What there is to write: found by one look at the types of all annotations."""

    def __init__(self, export: Export) -> None:
        self.types: dict[str, int] = {}
        self.rotated = False
        self.keypoints = max(
            (len(la.skeleton.points) for la in export.labels if la.skeleton), default=0
        )
        for subset in export.subsets:
            for batch in export.batches(subset):
                self._add(batch)

    def _add(self, batch: Batch) -> None:
        rows = batch.annotations
        for entry in pc.value_counts(rows["type"]).to_pylist():
            self.types[entry["values"]] = self.types.get(entry["values"], 0) + entry["counts"]
        self.rotated = self.rotated or bool(pc.any(pc.not_equal(rows["rotation"], 0)).as_py())
        skeletons = rows.filter(pc.equal(rows["type"], "skeleton"))
        longest = pc.max(pc.list_value_length(skeletons["points"])).as_py() or 0
        self.keypoints = max(self.keypoints, longest // 2)

    def task(self) -> str:
        """Return the task whose rows hold the most of it."""
        if "skeleton" in self.types:
            return "pose"
        if "polygon" in self.types or "mask" in self.types:
            return "segment"
        if self.rotated:
            return "obb"
        tags = self.types.keys() & {"tag", "choice"}
        return "classify" if tags and "box" not in self.types else "detect"


def _write_subset(
    export: Export, subset: str, folder: str, sink: Sink, encoder: RowEncoder, progress: Progress,
    *, always: bool = False,
) -> Iterator[str]:  # fmt: skip
    # Writes images and label files (`always`: empty ones too); yields the paths of the images.
    names = _FileNames(folder, encoder.ledger)
    progress.start(f"Writing {subset}", None, "images")
    for batch in export.batches(subset):
        batch = _images_only(batch, encoder.ledger)
        items = batch.items.select(["item", "key", "media", "uri", "meta"]).to_pylist()
        images = [names.image(item) for item in items]
        labels = [_label_path(path) for path in images]
        rows = encoder.encode(batch, labels)
        for item, image, label, lines in zip(items, images, labels, rows, strict=True):
            sink.add_media(image, item["item"])
            if lines:
                sink.write(label, "\n".join(lines) + "\n")
            elif always or _is_negative(item["meta"]):
                sink.write(label, "")
            yield image
        progress.advance(len(items))


def _images_only(batch: Batch, ledger: Ledger) -> Batch:
    kinds = pc.equal(batch.items["kind"], "image")
    if pc.all(kinds).as_py() is not False:
        return batch
    others = batch.items.filter(pc.invert(kinds))
    keys, numbers = others["key"].to_pylist(), others["item"]
    ledger.reject(
        "item is no image", file=keys, record=[f"item {key}" for key in keys], item=keys,
        message=[f"{key} is no image, and YOLO holds only those" for key in keys],
    )  # fmt: skip
    theirs = pc.is_in(batch.annotations["item"], numbers.combine_chunks())
    count = pc.sum(theirs).as_py() or 0
    key_of = dict(zip(numbers.to_pylist(), keys, strict=True))
    owners = [key_of[n] for n in batch.annotations.filter(theirs)["item"].to_pylist()]
    ledger.reject(
        "annotation of no image", file=owners, item=owners,
        record=[f"annotation {n + 1}" for n in range(count)],
    )  # fmt: skip
    return Batch(batch.items.filter(kinds), batch.annotations.filter(pc.invert(theirs)))


def _is_negative(meta: str | None) -> bool:
    return bool(meta) and json.loads(meta or "{}").get("label_file") == "empty"


class _FileNames:
    """Gives each image of a subset a path whose label file is its own."""

    def __init__(self, folder: str, ledger: Ledger) -> None:
        self._folder, self._ledger = folder, ledger
        self._taken: dict[str, str] = {}

    def image(self, item: Mapping[str, Any]) -> str:
        """Return where the image of an item is written."""
        key = item["key"]
        name = key
        if not is_image(name):  # a key may be an id; a file needs its suffix
            name += next(
                (suffix(n) for n in (item["media"] or "", item["uri"] or "") if is_image(n)), ""
            )
        first = self._taken.get(_stem(name))
        wanted = name
        while _stem(name) in self._taken:
            name += suffix(name) or ".image"
        self._taken[_stem(name)] = key
        if name != wanted:
            text = f"{key} is written as {name}: it would have shared the label file of {first}"
            self._ledger.warn(
                "renamed: two images with one stem",
                file=f"{self._folder}/{name}", record=f"image {key}", item=key, message=text,
            )  # fmt: skip
        return f"{self._folder}/{name}"


def _stem(path: str) -> str:
    return path[: path.rindex(".")] if is_image(path) else path


def _label_path(image: str) -> str:
    # Ultralytics: the last "images" folder becomes "labels". Darknet's folders have none.
    before, found, after = f"/{image}".rpartition("/images/")
    path = f"{before}/labels/{after}" if found else after
    return _stem(path.lstrip("/")) + ".txt"


def _split_keys(
    subsets: tuple[str, ...], usual: Mapping[str, str], ledger: Ledger
) -> dict[str, str]:
    # Key → subset. Training needs train and val. Any other subset has a key of its own, and so has
    # one that its folder's name would not be read back from (see `find_splits`).
    keys: dict[str, str] = {}
    for key, split in usual.items():
        names = (split, *SPLIT_ALIASES[split])
        found = [s for name in names for s in subsets if s.lower() == name]
        if found:
            keys[key] = found[0]
    first, second, *_ = usual
    if subsets:
        for key in (first, second):
            if key not in keys:
                keys[key] = keys.get(first, subsets[0])
                text = (
                    f"there is no subset {key}; {key} points at {keys[key]}, as training needs it"
                )
                ledger.note("subset for training", message=text)
    keys = {key: keys[key] for key in usual if key in keys}
    for subset in subsets:
        mine = [key for key, s in keys.items() if s == subset]
        if not (len(mine) > 1 or any(subset.lower() in SPLIT_ALIASES[usual[k]] for k in mine)):
            keys[subset] = subset
    return keys


def _yaml(
    export: Export, task: str, classes: Mapping[str, int], keypoints: int, ledger: Ledger
) -> str:
    # Without path: Ultralytics looks beside the file, wherever it lies; with "path: ." it would
    # look in the working directory.
    keys = _split_keys(export.subsets, {"train": "train", "val": "val", "test": "test"}, ledger)
    content: dict[str, Any] = {key: f"images/{subset}" for key, subset in keys.items()}
    content["names"] = {i: name for name, i in classes.items()}
    # Four points are four points: a comment says which they are. CVAT takes any key that it does
    # not know for a subset.
    parts = [f"# task: {task}\n", _dump(content)]
    if task == "pose":
        parts.append(_dump({"kpt_shape": [keypoints, 3]}, flow=True))
        parts.append(_pose_keys(export.labels, classes, keypoints))
    return "".join(parts)


def _pose_keys(labels: tuple[Label, ...], classes: Mapping[str, int], keypoints: int) -> str:
    names = {classes[label.name]: list(label.skeleton.points) for label in labels if label.skeleton}
    text = _dump({"kpt_names": names}) if names else ""
    flips = [label.extra.get("flip_idx") or () for label in labels if label.skeleton]
    if flips and len(flips[0]) == keypoints and all(flip == flips[0] for flip in flips):
        text += _dump({"flip_idx": list(flips[0])}, flow=True)
    return text


def _dump(content: Mapping[str, Any], *, flow: bool = False) -> str:
    text: str = yaml.safe_dump(
        dict(content), sort_keys=False, allow_unicode=True, width=1 << 30,
        default_flow_style=None if flow else False,
    )  # fmt: skip
    return text


def _write_classes(export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
    # <subset>/<class>/<image>: the folder is the class, there are no label files.
    if not sink.saves_media:
        text = "a classification dataset is its images: without save_media there is nothing in it"
        ledger.note("images are not written", message=text)
    for subset in export.subsets:
        progress.start(f"Writing {subset}", None, "images")
        for batch in export.batches(subset):
            batch = _images_only(batch, ledger)
            tags: dict[int, list[str]] = {}
            rows = batch.annotations.select(["item", "type", "label"]).to_pylist()
            keys = dict(zip(*(batch.items[n].to_pylist() for n in ("item", "key")), strict=True))
            for n, row in enumerate(rows, 1):
                key = keys[row["item"]]
                if row["type"] in ("tag", "choice") and row["label"]:
                    tags.setdefault(row["item"], []).append(row["label"])
                    continue
                ledger.reject(
                    f"{row['type']} can't be written", file=key, record=f"annotation {n}", item=key,
                    message=f"classify writes one class per image, and can't hold a {row['type']}",
                )  # fmt: skip
            for item, key in keys.items():
                labels = tags.get(item, [])
                line = {"file": f"{subset}/{key}", "record": f"image {key}", "item": key}
                if not labels:
                    text = f"{key} has no tag, so there is no folder for it"
                    ledger.reject("image without a class", **line, message=text)
                elif len(labels) > 1:
                    text = f"{key} has {len(labels)} tags: written to the folder of each"
                    ledger.warn("image with several classes", **line, message=text)
                for label in labels:
                    sink.add_media(f"{subset}/{_folder(label)}/{key}", item)
            progress.advance(len(keys))


def _folder(label: str) -> str:
    # One folder, whatever the label is called.
    name = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in label)
    return name.strip(" .") or "_"
