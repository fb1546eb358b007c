"""Which item of the project an item of the source is: by path, never by base name alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["AMBIGUOUS", "NONE", "match_paths"]

NONE, AMBIGUOUS = -1, -2
"""What `match_paths` answers where no item fits, and where several fit equally."""


def match_paths(names: Sequence[str], keys: Sequence[str]) -> NDArray[np.int64]:
    """Return for each path in `names` the index of its item among `keys`, `NONE` or `AMBIGUOUS`.

    The same path matches first. Else one whole path must be the end of the other, part by part:
    ``val/a.jpg`` is ``images/val/a.jpg``, but ``x/a.jpg`` is never ``y/a.jpg``. Several that fit
    equally are ambiguous, and so are two names for one item.

    >>> match_paths(["a/1.png", "b/1.png", "1.png"], ["img/a/1.png", "img/b/1.png"]).tolist()
    [0, 1, -2]
    """
    clean = [_clean(key) for key in keys]
    exact: dict[str, int] = {key: i for i, key in enumerate(clean)}
    by_base: dict[str, list[int]] = {}
    for i, key in enumerate(clean):
        by_base.setdefault(key.rpartition("/")[2], []).append(i)
    out = np.full(len(names), NONE, np.int64)
    for n, raw in enumerate(names):
        name = _clean(raw)
        found = exact.get(name)
        if found is None:
            pool = by_base.get(name.rpartition("/")[2], ())
            fits = [
                i
                for i in pool
                if f"/{clean[i]}".endswith(f"/{name}") or f"/{name}".endswith(f"/{clean[i]}")
            ]
            if len(fits) > 1:
                # Of several ends of the same name, the longest says most.
                longest = max(len(clean[i]) for i in fits)
                best = [i for i in fits if len(clean[i]) == longest]
                shorter = all(len(clean[i]) <= len(name) for i in fits)
                fits = best if shorter else fits
            found = fits[0] if len(fits) == 1 else (AMBIGUOUS if fits else NONE)
        out[n] = found
    taken, counts = np.unique(out[out >= 0], return_counts=True)
    twice = set(taken[counts > 1].tolist())
    for n in np.flatnonzero(np.isin(out, list(twice))).tolist():
        if _clean(names[n]) != clean[out[n]]:
            out[n] = AMBIGUOUS
    return out


def _clean(path: str) -> str:
    path = path.replace("\\", "/").lstrip("/")
    return path if path.isascii() else unicodedata.normalize("NFC", path)
