"""Keys for items whose names a format does not keep apart."""

from __future__ import annotations

from ..media.kinds import suffix
from .reading import Reading

__all__ = ["UniqueKeys"]


class UniqueKeys:
    """Gives the second item of a name another key, and stays fast where a name is everybody's."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._next: dict[tuple[str | None, str], int] = {}

    def of(self, key: str, subset: str | None) -> str:
        """Return `key`, or where that is taken ``a-2.jpg``, ``a-3.jpg`` ... for ``a.jpg``."""
        if self._reading.number(key, subset) is None:
            return key
        end = suffix(key)
        stem = key[: len(key) - len(end)]
        count = self._next.get((subset, key), 2)
        while self._reading.number(f"{stem}-{count}{end}", subset) is not None:
            count += 1
        self._next[subset, key] = count + 1
        return f"{stem}-{count}{end}"
