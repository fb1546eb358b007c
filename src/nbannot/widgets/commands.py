"""What the browser may call: methods marked with `command`, and the `Call` they answer.

One request is ``call{id, name, params}``; the answer is ``result{id, result}`` with binary
buffers, or ``error{id, type, message, where, hint}``. Knows no browser, so models can use it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..errors import NbannotError

__all__ = ["Answer", "command", "find_command"]

Answer = tuple[Any, Sequence[bytes]]
"""A JSON result and its binary buffers."""

F = TypeVar("F", bound=Callable[..., Any])


def command(*, inline: bool = False) -> Callable[[F], F]:
    """Let the browser call this method by name.

    Calls are answered on a thread of their own, so that a long one never blocks another;
    ``inline=True`` answers at once, in the order in which messages come.
    """

    def mark(method: F) -> F:
        method._nbannot_command = {"inline": inline}  # type: ignore[attr-defined]  # noqa: SLF001
        return method

    return mark


def find_command(owner: object, name: object) -> tuple[Callable[..., Any], bool]:
    """Return (method, inline) of the command called `name`.

    Raises:
        NbannotError: there is no such command; any other method can't be reached.
    """
    method = getattr(type(owner), name, None) if isinstance(name, str) else None
    marks = getattr(method, "_nbannot_command", None)
    if marks is None or method is None:
        raise NbannotError(f"{type(owner).__name__} has no command {name!r}")
    return method, marks["inline"]
