"""Which of a source's tables are read: the one about its images, or one per subset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ...media.kinds import suffix
from ...sources.base import Source
from ..addresses import address_of
from ..media_index import MediaIndex
from .files import Head, head_of, split_of, wanted
from .items import MediaFinder
from .own import is_own
from .roles import Roles, choose_roles, texts

__all__ = ["Choice", "Chosen", "choose_tables"]

_LOOKED_AT = 50


@dataclass(frozen=True)
class Chosen:
    """A table to read: `path` ("" for a frame), its first rows, their roles, its subset."""

    path: str
    head: pa.Table
    roles: Roles
    subset: str | None = None
    own: bool = False
    media_share: float = 0.0  # of the first images named, how many are there

    @property
    def rank(self) -> tuple[bool, bool, bool, bool]:
        """The better table has the greater one."""
        has_image = self.roles.column("image") is not None
        return (
            self.own,
            has_image and self.media_share > 0.5,
            has_image,
            bool(self.roles.box) or self.roles.column("label") is not None,
        )


@dataclass
class Choice:
    """The tables to read, those that are not, why files are none, and which should be some."""

    chosen: list[Chosen] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def choose_tables(
    source: Source, options: Mapping[str, Any], heads: Mapping[str, bytes] | None = None
) -> Choice:
    """Return which tables of a source to read.

    A frame is its own table. Of files: those that ``file=`` names; else, where each is named or
    placed as a subset (train, val, test) and they have the same columns, all; else the one whose
    images are there, then one that names images, then the first.

    Raises:
        OptionError: ``file=`` names what is not there, or an option a column that is not.
    """
    frame = source.table()
    if frame is not None:
        head = frame.slice(0, 1_000)
        return Choice([Chosen("", head, choose_roles(head, options), own=is_own(head))])
    given = options.get("file")
    choice, index = Choice(), MediaIndex(source.files)
    found = []
    for path in wanted(source, given):
        head = head_of(source, path, dict(options), (heads or {}).get(path))
        if head.table is None or not head.table.num_columns:
            choice.reasons[path] = head.reason or "no table"
            choice.broken += [path] if head.broken else []
            continue
        found.append(_look(source, head, options, index))
    if given or len(found) < 2:
        choice.chosen = found
        return choice
    best = max(found, key=lambda c: c.rank)
    alike = [c for c in found if c.rank == best.rank and _kinds(c) == _kinds(best)]
    subsets = [c.subset for c in alike]
    if len(alike) > 1 and None not in subsets and len(set(subsets)) == len(subsets):
        choice.chosen = alike
    else:
        choice.chosen = [best]
    choice.others = [c.path for c in found if c not in choice.chosen]
    return choice


def _kinds(chosen: Chosen) -> tuple[frozenset[str], int]:
    roles = frozenset(r.role for r in chosen.roles.found) - {"label", "score", "id"}
    return roles, len(chosen.roles.one_hot) > 0


def _look(source: Source, head: Head, options: Mapping[str, Any], index: MediaIndex) -> Chosen:
    table = head.table
    assert table is not None
    roles = choose_roles(table, options)
    return Chosen(
        head.path, table, roles, split_of(head.path), is_own(table),
        _share(source, head.path, table, roles, index),
    )  # fmt: skip


def _share(source: Source, path: str, table: pa.Table, roles: Roles, index: MediaIndex) -> float:
    column = roles.column("image")
    if column is None:
        return 0.0
    cells = dict.fromkeys(texts(table[column].cast(pa.string()))[:_LOOKED_AT])
    finder = MediaFinder(source, path.rpartition("/")[0], index)
    found = [finder.find(c, address_of(c)).path for c in cells if suffix(c) or len(c) < 256]
    return sum(p is not None for p in found) / len(cells) if cells else 0.0
