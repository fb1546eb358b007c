"""CelebA and Align-CelebA, as their makers, Kaggle and Datumaro write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...ledger import Ledger
from ...progress import Progress
from ...schema import Batch
from ...sources.base import Source
from ..base import Format, Option
from ..look import Look
from ..writing import Export, Sink
from .read import CelebAReader
from .tables import find_tables, parse_table
from .write import write_celeba

__all__ = ["CelebA"]


class CelebA(Format):
    """CelebA: tables of identity, attributes, box, landmarks and partition, by image.

    **Items** are the images that a table names; the key is the name there, the subset what
    list_eval_partition.txt says (0 train, 1 val, 2 test). **Tags** are the identity (its number,
    or its name in ``dataset_meta.json``) and each attribute that is 1. The box and the five
    landmarks (a skeleton) are labelled with the identity, or ``face`` where none is known.

    The makers give boxes and landmarks of the original images, and landmarks of the aligned
    ones: only what speaks of the images that are there is read (see `images`). Tables may be
    text or Kaggle's CSV. **Records** are images, identities, attributes that are 1, rows of boxes
    and landmarks, and lines that can't be read.
    """

    name: ClassVar[str] = "celeba"
    title: ClassVar[str] = "CelebA"
    summary: ClassVar[str] = "Faces with identity, attributes, a box and five landmarks."
    rules: ClassVar[str] = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
    holds: ClassVar[tuple[str, ...]] = ("tag", "box", "skeleton")
    read_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "images",
            "choice",
            "auto",
            "Original or aligned images? auto: by their folder.",
            ("auto", "original", "aligned"),
        ),
    )
    write_options: ClassVar[tuple[Option, ...]] = (
        Option(
            "images",
            "choice",
            "auto",
            "Original or aligned images? auto: aligned if they were read so.",
            ("auto", "original", "aligned"),
        ),
    )

    def requires(self, look: Look) -> float:
        """Recognise one of the tables by its name, and by a line of an image and values."""
        tables = find_tables(look.source)
        look.need(tables, "no list_attr_celeba.txt, identity_CelebA.txt or the like")
        heads = {t.path: parse_table(look.head(t.path).data) for t in tables}
        filled = [path for path, rows in heads.items() if rows.rows]
        empty = [t.path for t in tables if not look.head(t.path).lines]
        look.need(filled or len(empty) == len(tables), f"{tables[0].path} has no line of an image")
        look.found(f"{(filled or empty)[0]} is a table of CelebA")
        return 0.95 if filled else 0.5

    def read(
        self,
        source: Source,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
        limit: int | None = None,
    ) -> Iterator[Batch]:
        """Yield images and what the tables say of them; see `Format.read`."""
        chosen = self.check_options(options)
        yield from CelebAReader(source, chosen, ledger, progress, limit).read()

    def write(
        self,
        export: Export,
        sink: Sink,
        options: Mapping[str, Any],
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        """Write Anno, Eval and Img.

        Tags that are numbers are identities, others attributes. Boxes and landmarks of other
        labels make those identities, named in ``dataset_meta.json``. Coordinates become whole
        pixels, which is told.

        Raises:
            UnsafeSourceError: an item's key would be written outside the folder.
        """
        chosen = self.check_options(options, writing=True)
        write_celeba(export, sink, ledger, progress, images=chosen["images"])
