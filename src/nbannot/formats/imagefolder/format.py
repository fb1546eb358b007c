"""Image folders: plain ones, and classification trees of one folder per class."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa

from ...errors import OptionError
from ...ledger import Ledger
from ...media.kinds import IMAGE_SUFFIXES, is_image
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Listing, Source
from ..base import Format, Option
from ..look import Look
from ..writing import Export, Sink
from .tree import Tree, is_hidden, plan_tree
from .write import write_folders

__all__ = ["ImageFolder"]

_BATCH_ROWS = 65_536
_HARMLESS = re.compile(
    r"(readme|licen[cs]e|copying|changelog).*|.*\.(md|html?|pdf|rst)|thumbs\.db|desktop\.ini|"
    r"(classes|labels|class_names|synsets|words|loc_synset_mapping)\.txt|"
    r"(imagenet_class_index|class_indices)\.json",
    re.IGNORECASE,
)


class ImageFolder(Format):
    """A folder of images; where its folders are classes, each image has a tag.

    Read as classes are ``<class>/<image>`` and ``<subset>/<class>/<image>``, as ImageNet,
    torchvision, Keras, Roboflow and YOLO's classification have them, where the subset is a folder
    called train, valid, test or the like. The class is the topmost folder, as torchvision and
    Keras read it; with ``nested="path"`` a folder within a class is a class of its own
    (``animal/cat``, with ``animal`` as its parent), as in Datumaro. Images beside the class
    folders, or in ``_unlabeled``, have no tag.

    Folders that hold the same names (``images`` and ``masks``, ``HR`` and ``LR``) or are called
    like parts of a dataset are not classes. ``labels="folders"`` reads any folder as a class,
    ``labels="none"`` none.

    **Keys** are paths below the subset, class folder included, so that ``cat/1.jpg`` and
    ``dog/1.jpg`` are two items. **Records** are images and, apart from them, their classes: an
    image in a class folder counts two. Sizes are not read here.
    """

    name: ClassVar[str] = "imagefolder"
    title: ClassVar[str] = "Image folder"
    summary: ClassVar[str] = "A folder of images, or one folder per class."
    rules: ClassVar[str] = (
        "https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html"
    )
    holds: ClassVar[tuple[str, ...]] = ("tag",)
    catches_all: ClassVar[bool] = True
    read_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "labels",
            "choice",
            "auto",
            "Are folders classes? auto: where they look like it.",
            ("auto", "folders", "none"),
        ),
        Option(
            "nested",
            "choice",
            "top",
            "The class of an image in animal/cat: top: animal; path: animal/cat.",
            ("top", "path"),
        ),
    )

    def requires(self, look: Look) -> float:
        """Recognise class folders with confidence, any other images as a last resort."""
        look.need(not look.is_table, "it is a table, not files")
        main = look.source.main
        if main is not None:
            look.need(is_image(main), "the file is not an image")
            look.found(f"{main} is an image")
            return 0.2
        count = sum(look.files.suffixes().get(s, 0) for s in IMAGE_SUFFIXES)
        look.need(count, "no images")
        told = f"{count:,} image{'s' * (count != 1)}"
        others = _others(look.files)
        if others:
            look.found(f"{told}; other files ({', '.join(others)}) are not read")
            return 0.05
        tree = plan_tree(look.files)
        if tree.against:
            look.found(tree.against)
        if not tree.classes:
            look.found(f"{told}, nothing else")
            return 0.1 if tree.against else 0.2
        look.found(f"{told} in {len(tree.classes):,} class folders: {_some(tree.classes)}")
        if tree.subsets:
            look.found(f"in subsets {_some(tree.subsets)}")
        return 0.6 if tree.subsets else 0.5

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield the images and their tags; see `Format.read`."""
        chosen = self.check_options(options)
        files = source.files if source.main is None else Listing([source.main])
        labels, others = chosen["labels"], _others(files)
        if labels == "auto" and others:
            labels = "none"
        tree = plan_tree(files, labels, top=chosen["nested"] == "top")
        images = files.with_suffix(*IMAGE_SUFFIXES)
        paths = [p for p in images if not is_hidden(p)]
        if limit is None:
            if len(paths) < len(images):
                text = f"{len(images) - len(paths):,} images are hidden, or in hidden folders"
                ledger.note("not read: hidden files", message=text)
            if others:
                ledger.note("not read: other files", message=", ".join(others))
            if tree.against and chosen["labels"] == "auto":
                ledger.note("folders are not classes", message=tree.against)
        paths = paths[:limit]
        progress.start("Reading folders", len(paths), "images")
        for start in range(0, len(paths), _BATCH_ROWS):
            batch = _batch(tree, paths[start : start + _BATCH_ROWS], start)
            ledger.read(batch.items.num_rows + batch.annotations.num_rows)
            yield batch
            progress.advance(batch.items.num_rows)

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write each image as ``<subset>/<label>/<key>``, one without a tag at the subset's root.

        An image with several tags is written once in the folder of each, with a line in the
        ledger; annotations that are not tags are rejected by line. A subset ``default`` that is
        the only one has no folder of its own.

        Raises:
            OptionError: media is not written along.
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        self.check_options(options, writing=True)
        if not sink.saves_media:
            raise OptionError("An image folder is its images", hint="Export with save_media=True.")
        write_folders(export, sink, ledger, progress)


def _others(files: Listing) -> list[str]:
    """Return what says something of the images, as "3 .txt", most first: other formats' files."""
    counts = {}
    for suffix in files.suffixes():
        if suffix and suffix not in IMAGE_SUFFIXES:
            count = sum(1 for p in files.with_suffix(suffix) if not _harmless(p))
            if count:
                counts[suffix] = count
    top = sorted(counts.items(), key=lambda c: (-c[1], c[0]))[:3]
    return [f"{count:,} {suffix}" for suffix, count in top]


def _harmless(path: str) -> bool:
    return is_hidden(path) or _HARMLESS.fullmatch(path.rpartition("/")[2]) is not None


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")


def _batch(tree: Tree, paths: Sequence[str], first: int) -> Batch:
    folders = [path.rpartition("/")[0] for path in paths]
    places = [tree.folders[folder] for folder in folders]
    items = pa.array(range(first, first + len(paths)), pa.int64())
    tags = pa.array([place.label for place in places], pa.string())
    tagged = tags.is_valid()
    labels = tags.filter(tagged)
    count = len(labels)
    return Batch.of(
        {
            "item": items,
            "subset": [place.subset for place in places],
            "key": [path[place.skip :] for path, place in zip(paths, places, strict=True)],
            "kind": pa.repeat("image", len(paths)),
            "media": list(paths),
        },
        {"item": items.filter(tagged), "type": pa.repeat("tag", count), "label": labels}
        if count
        else None,
        tree.labels(),
    )
