"""How much an archive may unpack to, and the meter that holds it to that."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UnsafeSourceError, printable

__all__ = ["GIB", "MIB", "Limits", "Meter"]

MIB, GIB = 1 << 20, 1 << 30
RATIO_FROM = 64 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may unpack to, so that a bomb is an error and not a full disk.

    Checked against the bytes that are really produced, not those declared. Raise one where you
    trust the source: ``open_source(path, limits=Limits(total_bytes=200 << 30))``.

    * `total_bytes`: all members together.
    * `member_bytes`: one member.
    * `ratio`: bytes produced per byte stored, looked at once 64 MiB are produced.
    * `members`: how many files there may be.
    """

    total_bytes: int = 20 * GIB
    member_bytes: int = 2 * GIB
    ratio: float = 1000.0
    members: int = 1_000_000

    def check_members(self, count: int, source: str) -> None:
        """Raise UnsafeSourceError if `count` files are too many."""
        if count > self.members:
            raise _beyond(f"more than {self.members:,} files", source, "members", count)

    def check_stream(self, produced: int, stored: int, source: str) -> None:
        """Raise UnsafeSourceError if `produced` bytes out of `stored` are too many for a whole."""
        if produced > self.total_bytes:
            text = f"it unpacks to more than {_size(self.total_bytes)}"
            raise _beyond(text, source, "total_bytes", produced)
        if produced > RATIO_FROM and produced > self.ratio * max(stored, 1):
            text = f"it unpacks to more than {self.ratio:,.0f} times its size"
            raise _beyond(text, source, "ratio", produced // max(stored, 1))


class Meter:
    """Counts what an archive produces; a member that is read twice counts once."""

    def __init__(self, limits: Limits, source: str) -> None:
        self._limits, self._source = limits, source
        self._produced: dict[str, int] = {}
        self._total = 0

    def check_ratio(self, member: str, size: int, stored: int) -> None:
        """Raise UnsafeSourceError if `stored` bytes are said to unpack to far too many, `size`."""
        limits = self._limits
        if size > RATIO_FROM and size > limits.ratio * max(stored, 1):
            text = f"{printable(member)} unpacks to more than {limits.ratio:,.0f} times its size"
            raise _beyond(text, self._source, "ratio", size // max(stored, 1))

    def count(self, member: str, produced: int) -> None:
        """Take note that reading `member` has come to `produced` bytes.

        Raises:
            UnsafeSourceError: that is more than one member, or all together, may have.
        """
        limits = self._limits
        more = produced - self._produced.get(member, 0)
        if more > 0:
            self._produced[member] = produced
            self._total += more
        if produced > limits.member_bytes:
            text = f"{printable(member)} unpacks to more than {_size(limits.member_bytes)}"
            raise _beyond(text, self._source, "member_bytes", produced)
        if self._total > limits.total_bytes:
            text = f"it unpacks to more than {_size(limits.total_bytes)}"
            raise _beyond(text, self._source, "total_bytes", self._total)


def _size(count: int) -> str:
    return f"{count / GIB:,.0f} GiB" if count >= GIB else f"{count:,} bytes"


def _beyond(text: str, source: str, limit: str, least: int) -> UnsafeSourceError:
    return UnsafeSourceError(
        f"{source} was not read further: {text}",
        hint="If you trust it, open it as nbannot.sources.open_source(path, "
        f"limits=nbannot.sources.Limits({limit}=...)) with a number of more than {least}.",
    )
