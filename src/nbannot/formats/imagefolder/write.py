"""Writing classification trees: one folder per class."""

from __future__ import annotations

from ...errors import UnsafeSourceError
from ...ledger import Ledger
from ...media.kinds import is_image, suffix
from ...progress import Progress
from ...schema import DEFAULT_SUBSET, Batch
from ..writing import Export, Sink, safe_path
from .tree import UNLABELED

__all__ = ["write_folders"]

_LOST = ("layer", "set", "text", "number", "score", "group", "attributes")


def write_folders(export: Export, sink: Sink, ledger: Ledger, progress: Progress) -> None:
    """Write every image; see `ImageFolder.write`."""
    deep = [label.name for label in export.labels if "/" in label.name]
    if deep:
        text = f"{deep[0]!r}: a folder in a folder; nested='path' reads it as it was"
        ledger.note("labels with a slash", message=text)
    alone = list(export.subsets) in ([], [DEFAULT_SUBSET], [""])
    progress.start("Writing images", unit="images")
    for subset in export.subsets:
        folder = "" if alone else f"{safe_path(subset or DEFAULT_SUBSET)}/"
        used: set[str] = set()
        for batch in export.batches(subset):
            _write(batch, sink, folder, used, ledger, progress)


def _write(
    batch: Batch, sink: Sink, folder: str, used: set[str], ledger: Ledger, progress: Progress
) -> None:
    keys = dict(zip(batch.items["item"].to_pylist(), batch.items["key"].to_pylist(), strict=True))
    tags = _tags(batch, keys, ledger)
    kinds = batch.items["kind"].to_pylist()
    media = batch.items["media"].to_pylist()
    for (item, key), kind, file in zip(keys.items(), kinds, media, strict=True):
        progress.advance()
        safe_path(key)
        labels = tags.get(item, [])
        if kind != "image":
            records = ["image", *(record for _, record in labels)]
            text = f"it is of kind {kind}"
            ledger.reject("not an image", file=key, record=records, item=key, message=text)
            continue
        name = key
        if not is_image(key) and suffix(file or ""):
            name = f"{key}{suffix(file)}"
            text = f"written as {name}: without a suffix no reader would find it"
            ledger.warn("suffix added", file=key, record="image", item=key, message=text)
        paths = [_place(name, label) for label, _ in labels] or [_place(name, None)]
        for n, path in enumerate(paths):
            free, count = f"{folder}{path}", 1
            while free in used:
                count += 1
                stem, dot, end = path.rpartition(".")
                free = f"{folder}{stem}-{count}{dot}{end}" if stem else f"{folder}{path}-{count}"
            used.add(free)
            if count > 1:
                text = f"written as {free}: another image has its place"
                ledger.warn("renamed", file=key, record="image", item=key, message=text)
            if n:
                text = f"the image is copied to {free}: a folder holds one class"
                ledger.warn("several tags", file=key, record=labels[n][1], item=key, message=text)
            sink.add_media(free, item)


def _place(name: str, label: str | None) -> str:
    if label is None:
        return f"{UNLABELED}/{name}" if "/" in name else name
    # The key of an image that was read from a class folder has it already.
    return name if name.startswith(f"{label}/") else f"{label}/{name}"


def _tags(batch: Batch, keys: dict[int, str], ledger: Ledger) -> dict[int, list[tuple[str, str]]]:
    # item -> its (label, record) pairs; everything else is said in the ledger.
    rows = batch.annotations
    tags: dict[int, list[tuple[str, str]]] = {}
    counts: dict[int, int] = {}
    lost = {name: rows[name].to_pylist() for name in _LOST if rows[name].null_count < len(rows)}
    columns = (rows[name].to_pylist() for name in ("item", "type", "label"))
    for r, (item, kind, label) in enumerate(zip(*columns, strict=True)):
        counts[item] = counts.get(item, 0) + 1
        record = f"annotation {counts[item]} ({kind})"
        line = {"file": keys[item], "record": record, "item": keys[item]}
        if kind not in ("tag", "choice"):
            ledger.reject("not a tag", **line, message=f"{record}: a folder is a class, no more")
            continue
        problem = _unusable(label)
        if problem:
            ledger.reject("label can't be a folder", **line, message=f"{record}: {problem}")
            continue
        gone = [name for name, values in lost.items() if values[r] is not None]
        if gone:
            text = f"{record}: {', '.join(gone)} {'is' if len(gone) == 1 else 'are'} not kept"
            ledger.warn("more than a class", **line, message=text)
        if any(label == other for other, _ in tags.get(item, ())):
            ledger.reject("twice the same tag", **line, message=f"{record}: {label!r}")
            continue
        tags.setdefault(item, []).append((label, record))
    return tags


def _unusable(label: str | None) -> str:
    if not label:
        return "it has no label"
    try:
        same = safe_path(label) == label
    except UnsafeSourceError:
        same = False
    if not same or label.startswith((".", UNLABELED)) or not label.isprintable():
        return f"{label!r} is no name of a folder"
    return ""
