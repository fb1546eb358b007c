"""Mapping the labels of a source onto those of a project."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..errors import OptionError

__all__ = ["LabelMapping", "map_labels", "suggest"]


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """What becomes of one label of the source.

    `action` is ``"exact"`` (the project has it), ``"create"``, ``"map"`` or ``"drop"``; `to` is
    its name in the project; `suggestion` a label of the project that may be the same, "" if none.
    """

    name: str
    count: int
    action: str
    to: str
    suggestion: str = ""


def map_labels(
    counts: Mapping[str, int],
    existing: Iterable[str],
    wanted: Mapping[str, str | None] | None = None,
) -> list[LabelMapping]:
    """Return what becomes of each label.

    A name that the project has is that label, exactly as written. Any other is created, unless
    `wanted` says otherwise; a likely twin ("Cat" for "cats") is suggested and never assumed.

    Args:
        counts: annotations per label of the source.
        existing: labels of the project.
        wanted: source label → project label; None drops it, "" creates it under its own name.

    Raises:
        OptionError: `wanted` names a label that the source does not have.

    >>> [m.action for m in map_labels({"cat": 2, "dog": 1}, ["cat"], {"dog": None})]
    ['exact', 'drop']
    """
    have = list(existing)
    wanted = wanted or {}
    unknown = sorted(set(wanted) - set(counts))
    if unknown:
        close = suggest(unknown[0], counts)
        raise OptionError(
            f"labels= names {unknown[0]!r}, which the source does not have",
            hint=f"Did you mean {close!r}?" if close else f"It has: {', '.join(counts)}.",
        )
    out = []
    for name, count in counts.items():
        exact = LabelMapping(name, count, "exact" if name in have else "create", name)
        if name in wanted:
            target = wanted[name]
            if target is None:
                exact = replace(exact, action="drop", to="")
            elif target and target != name:
                exact = replace(exact, action="map", to=target)
        elif exact.action == "create":
            exact = replace(exact, suggestion=suggest(name, have))
        out.append(exact)
    return out


def suggest(name: str, among: Iterable[str]) -> str:
    """Return the label that `name` may be another spelling of, "" if none comes close.

    >>> suggest("Traffic-Lights", ["traffic light", "car"])
    'traffic light'
    """
    plain = {_plain(other): other for other in among}
    key = _plain(name)
    if key in plain:
        return plain[key]
    close = difflib.get_close_matches(key, plain, n=1, cutoff=0.8)
    return plain[close[0]] if close else ""


def _plain(name: str) -> str:
    words = re.split(r"[\W_]+", name.casefold())
    joined = "".join(words)
    return joined[:-1] if len(joined) > 3 and joined.endswith("s") else joined
