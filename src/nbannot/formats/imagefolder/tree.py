"""What the folders of a folder of images mean: subsets, classes, or nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...media.kinds import is_image
from ...schema import Label
from ...sources.base import Listing

__all__ = ["UNLABELED", "Place", "Tree", "is_hidden", "plan_tree"]

UNLABELED = "_unlabeled"
"""The folder of images without a class, as FiftyOne calls it."""

_SUBSET = re.compile(
    r"(train(ing)?|val(id(ation)?)?|dev|test(ing)?|eval(uation)?)([_ -]?(set|data|split|\d{4}))?",
    re.IGNORECASE,
)
# Folders of these names are parts of a dataset: a class is hardly ever called so.
_NOT_CLASSES = frozenset(
    ("annotations", "background_masks", "depth", "frames", "gt", "gtfine", "ground_truth",
     "groundtruth", "hr", "image", "images", "img", "imgs", "input", "inputs", "jpegimages",
     "label", "labels", "leftimg8bit", "lr", "mask", "masks", "output", "segmentation",
     "segmentationclass", "segmentationobject", "target", "targets", "upsampled")
)  # fmt: skip


class Place(NamedTuple):
    """What a folder means to its images: how much of their path is not the key, and more."""

    skip: int
    subset: str | None
    label: str | None


@dataclass(frozen=True)
class Tree:
    """What each folder with images means.

    `classes` are the labels, sorted; `against` says why folders are no classes, "" where nothing
    speaks against it, or there are none.
    """

    folders: Mapping[str, Place]
    subsets: tuple[str, ...]
    classes: tuple[str, ...]
    against: str = ""

    def labels(self) -> tuple[Label, ...]:
        """Return a label for each class; the class of the folder above is its parent."""
        known = set(self.classes)
        above = ((name, name.rpartition("/")[0]) for name in self.classes)
        return tuple(Label(name, parent=up if up in known else None) for name, up in above)


def is_hidden(path: str) -> bool:
    """Say whether a file, or a folder that it is in, is hidden (``.x``, ``__MACOSX``)."""
    return path.startswith((".", "__MACOSX/")) or "/." in path or "/__MACOSX/" in path


def plan_tree(files: Listing, labels: str = "auto", *, top: bool = True) -> Tree:
    """Decide what the folders with images mean.

    Args:
        files: all files; only folders with images count.
        labels: ``"auto"``, ``"folders"`` (each folder is a class) or ``"none"``.
        top: a folder within a class belongs to it, instead of being a class ``above/below``.

    >>> tree = plan_tree(Listing(["train/cat/1.jpg", "train/dog/1.jpg"]))
    >>> tree.subsets, tree.classes, tree.folders["train/cat"]
    (('train',), ('cat', 'dog'), Place(skip=6, subset='train', label='cat'))
    """
    names = (f for f in files.all_folders() if not is_hidden(f"{f}/"))
    folders = [f for f in names if any(map(is_image, files.files(f)))]
    wrapper = _wrapper(folders)
    tops = {folder[len(wrapper) :].partition("/")[0] for folder in folders} - {""}
    in_subsets = bool(tops) and all(map(_SUBSET.fullmatch, tops))
    tails = {f: _tail(f[len(wrapper) :], in_subsets) for f in folders}
    against = _against(files, tails, in_subsets=in_subsets)
    classed = labels == "folders" or (labels == "auto" and against is None)
    if not classed and not in_subsets:
        wrapper = ""
    places = {}
    for folder, (subset, rest) in tails.items():
        skip = len(wrapper) + (len(subset) + 1 if subset else 0)
        label = None
        if f"{rest}/".startswith(f"{UNLABELED}/"):
            skip += len(UNLABELED) + 1
        elif classed and rest:
            label = rest.partition("/")[0] if top else rest
        places[folder] = Place(skip, subset, label)
    classes = sorted({p.label for p in places.values() if p.label is not None})
    subsets = tuple(sorted(tops)) if in_subsets else ()
    return Tree(places, subsets, tuple(classes), against or "")


def _wrapper(folders: Sequence[str]) -> str:
    # Folders that hold nothing but one other folder, as an unpacked archive has: "pets/data/".
    common: list[str] | None = None
    for folder in folders:
        parts = folder.split("/") if folder else []
        if common is None:
            common = parts
        while common != parts[: len(common)]:
            common.pop()
    kept = []
    for part in common or []:
        if _SUBSET.fullmatch(part):
            break
        kept.append(part)
    return "".join(f"{part}/" for part in kept)


def _tail(folder: str, in_subsets: bool) -> tuple[str | None, str]:
    # (subset, path below it)
    if not in_subsets or not folder:
        return None, folder
    subset, _, rest = folder.partition("/")
    return subset, rest


def _against(
    files: Listing, tails: Mapping[str, tuple[str | None, str]], *, in_subsets: bool
) -> str | None:
    """Return why the folders are no classes, None where they are, "" where there are none."""
    classes: dict[str, list[str]] = {}
    telling = set()
    for folder, (_, rest) in tails.items():
        parts = rest.split("/")
        if rest and parts[0] != UNLABELED:
            classes.setdefault(parts[0], []).append(folder)
            telling |= {p for p in parts if p.lower() in _NOT_CLASSES or _names_a_subset(p)}
    if len(classes) < (1 if in_subsets else 2):
        return ""
    if telling:
        names = ", ".join(sorted(telling)[:3])
        return f"folders called {names} are parts of a dataset, not classes"
    if len(classes) == 2:
        (one, first), (two, second) = classes.items()
        stems = _stems(files, first, tails)
        # 1.jpg, 2.jpg in every class is numbering; IMG_0012.jpg twice is a pair.
        if stems == _stems(files, second, tails) and not all(s.isdigit() for _, s in stems):
            return f"{one} and {two} hold files of the same names: pairs, not classes"
    return None


def _names_a_subset(name: str) -> bool:
    return any(_SUBSET.fullmatch(word) for word in re.split(r"[_\s-]", name))


def _stems(
    files: Listing, folders: Sequence[str], tails: Mapping[str, tuple[str | None, str]]
) -> set[tuple[str | None, str]]:
    # (subset, name without suffix) of the images in some folders.
    return {
        (tails[folder][0], path.rpartition("/")[2].rpartition(".")[0])
        for folder in folders
        for path in files.files(folder)
        if is_image(path)
    }
