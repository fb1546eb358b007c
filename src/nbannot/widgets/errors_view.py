"""Errors as the browser shows them."""

from __future__ import annotations

__all__ = ["error_dict"]


def error_dict(error: BaseException) -> dict[str, str]:
    """Return type, message, where and hint of an error."""
    return {
        "type": type(error).__name__,
        "message": getattr(error, "message", "") or str(error) or type(error).__name__,
        "where": getattr(error, "where", ""),
        "hint": getattr(error, "hint", ""),
    }
