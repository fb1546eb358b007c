"""Which image a mask belongs to, and which subset both are of: by folders and by names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ...media.kinds import IMAGE_SUFFIXES, is_image
from ...sources.base import Listing
from ..mask_images import without_suffix

__all__ = ["Layout", "Pair", "sample_of"]

SUBSETS = frozenset(
    ("train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval",
     "evaluation")
)  # fmt: skip
MASKS, INSTANCES, IMAGES = "mask", "instance", "image"
_ROLES = {
    **dict.fromkeys(
        ("masks", "mask", "labels", "label", "annotations", "annotation", "annot", "annots", "gt",
         "gts", "groundtruth", "ground_truth", "ground-truth", "seg", "segs", "segmentation",
         "segmentations", "segmentation_masks", "masks_machine", "targets", "semantic_masks"),
        MASKS),
    "instance_masks": INSTANCES,
    **dict.fromkeys(
        ("images", "image", "imgs", "img", "jpegimages", "photos", "input", "inputs", "raw"),
        IMAGES),
}  # fmt: skip
_BESIDE = re.compile(r"(.+?)[_-]?(?:masks?|labels?|annotations?|gt)", re.IGNORECASE)
_ENDS = re.compile(
    r"(.+?)(?:[_.-](?:masks?|seg(?:mentation)?|labels?|labelids|gt|annotation|groundtruth)|_[LP])",
    re.IGNORECASE,
)
_PART = re.compile(r"(.+)_\d{5}")


@dataclass
class Pair:
    """An image, and the masks that belong to it; without an image, `key` is a mask's."""

    subset: str | None
    key: str
    image: str | None = None
    masks: list[str] = field(default_factory=list)
    instances: str | None = None


@dataclass(frozen=True)
class _Named:
    # A file, what it is, and its place: subset, and path without suffix and sorting folders.
    path: str
    role: str
    subset: str | None
    stem: str


def sample_of(files: Listing) -> Listing:
    """Return some of the images of a source, as many as tell its layout, from each kind of folder.

    Those of one name are sampled alike in the folders of images and of masks.
    """
    folders = files.all_folders()
    sorting = [f for f in folders if any(p.lower() in _ROLES for p in f.split("/"))]
    masks = [f for f in sorting if any(_ROLES.get(p.lower()) != IMAGES for p in f.split("/"))]
    chosen = dict.fromkeys([*folders[:_FOLDERS], *sorting[:_FOLDERS], *masks[:_FOLDERS]])
    return Listing(
        path
        for folder in chosen
        for path in islice((p for p in files.files(folder) if is_image(p)), _FILES)
    )


_FOLDERS, _FILES = 60, 40


class Layout:
    """The pairs of a source.

    Masks lie in a folder named so (``masks``, ``labels``, ``annotations`` ...) beside or above
    the images' folder, in ``train_masks`` beside ``train``, or, as ``a_mask.png``, beside the
    image. Subsets are folders in front of or behind the sorting one.
    """

    def __init__(self, files: Listing, subsets: Collection[str] = ()) -> None:
        self._declared = frozenset(subsets)
        paths = files.with_suffix(*IMAGE_SUFFIXES)
        self._stems = {without_suffix(p) for p in paths}
        self._folders = {f.lower() for f in files.all_folders()}
        named = [self._named(path) for path in sorted(paths)]
        self.masks = [n.path for n in named if n.role == MASKS]
        self.instances = [n.path for n in named if n.role == INSTANCES]
        self.images = [n.path for n in named if n.role == IMAGES]
        self.pairs = self._paired(_one_root(named))

    def _named(self, path: str) -> _Named:
        *folders, name = path.split("/")
        role: str | None
        for place, folder in enumerate(folders[1:], 1):
            role = _ROLES.get(folder.lower())
            if folders[place - 1] in self._declared and role is not None:
                return self._placed(path, role, folders[:place], folders[place + 1 :], name)
        for place in range(len(folders) - 1, -1, -1):
            role = _ROLES.get(folders[place].lower())
            before, after = folders[:place], folders[place + 1 :]
            beside = _BESIDE.fullmatch(folders[place]) if role is None else None
            if beside and "/".join([*before, beside[1]]).lower() in self._folders:
                role, after = MASKS, [beside[1], *after]
            if role is not None:
                return self._placed(path, role, before, after, name)
        role = IMAGES
        stem = without_suffix(name)
        end = _ENDS.fullmatch(stem)
        if end and "/".join([*folders, end[1]]) in self._stems:
            role = MASKS
        return self._placed(path, role, [], folders, name)

    def _placed(
        self, path: str, role: str, before: list[str], after: list[str], name: str
    ) -> _Named:
        subset = None
        if before and (before[-1] in self._declared or before[-1].lower() in SUBSETS):
            subset, before = before[-1], before[:-1]
        elif after and after[0].lower() in SUBSETS and not self._declared:
            subset, after = after[0], after[1:]
        return _Named(path, role, subset, "/".join([*before, *after, without_suffix(name)]))

    def _paired(self, named: Sequence[_Named]) -> list[Pair]:
        pairs: dict[tuple[str | None, str], Pair] = {}
        by_stem: dict[tuple[str | None, str], Pair] = {}
        for one in named:
            if one.role == IMAGES:
                end = one.path[len(without_suffix(one.path)) :]
                key = one.stem + end
                key = one.path if (one.subset, key) in pairs else key
                pair = Pair(one.subset, key, one.path)
                pairs[one.subset, pair.key] = pair
                by_stem.setdefault((one.subset, one.stem), pair)
        masks = [n for n in named if n.role != IMAGES]
        renamed = _renamed([n for n in named if n.role == IMAGES], masks)
        for one in masks:
            found = None
            for stem in _stems(one.stem, renamed):
                found = found or by_stem.get((one.subset, stem))
            if found is None:
                place = (one.subset, self._without_image(one))
                found = pairs.setdefault(place, Pair(*place))
                by_stem[place] = found
            if one.role == INSTANCES:
                found.instances = one.path
            else:
                found.masks.append(one.path)
        for pair in pairs.values():
            paths = [*pair.masks, *([pair.instances] if pair.instances else [])]
            if pair.image is None and len(paths) == 1:
                pair.key += paths[0][len(without_suffix(paths[0])) :]
        return list(pairs.values())

    def _without_image(self, one: _Named) -> str:
        # a_00000, a_00001 ... beside each other are the instances of one image, as Darwin has it.
        part = _PART.fullmatch(one.stem)
        first = without_suffix(one.path)[:-5] + "00000" if part else ""
        return part[1] if part and first in self._stems else one.stem


def _stems(stem: str, renamed: dict[str, str]) -> Iterator[str]:
    yield stem
    folder, slash, name = stem.rpartition("/")
    end = _ENDS.fullmatch(name)
    if end:
        yield folder + slash + end[1]
    if stem in renamed:
        yield renamed[stem]


def _one_root(named: list[_Named]) -> list[_Named]:
    # A folder in which everything lies is no part of a key.
    roots = {n.stem.split("/")[0] if "/" in n.stem else "" for n in named}
    outer = {n.path.split("/")[0] for n in named}
    if len(roots) != 1 or roots != outer or "" in roots:
        return named
    cut = len(next(iter(roots))) + 1
    return [_Named(n.path, n.role, n.subset, n.stem[cut:]) for n in named]


def _renamed(images: Iterable[_Named], masks: Iterable[_Named]) -> dict[str, str]:
    # gt_0001 and image_0001: where no mask in a folder has its image's name, but all differ alike.
    by_folder: dict[str, tuple[list[str], list[str]]] = {}
    for which, some in enumerate((images, masks)):
        for one in some:
            folder = one.stem.rpartition("/")[0]
            by_folder.setdefault(folder, ([], []))[which].append(one.stem)
    out: dict[str, str] = {}
    for by_image, by_mask in by_folder.values():
        if by_image and by_mask and not set(by_image) & set(by_mask):
            heads = [_head(stems) for stems in (by_image, by_mask)]
            found = {s: heads[0] + s[len(heads[1]) :] for s in by_mask if s != heads[1]}
            if set(found.values()) <= set(by_image):
                out.update(found)
    return out


def _head(stems: Sequence[str]) -> str:
    # What all have in front, up to the last character that is no digit.
    low, high = min(stems), max(stems)
    size = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[:size].rstrip("0123456789")
