"""Labelbox: exports of version 1 and 2, and the NDJSON that is imported into it."""

from __future__ import annotations

from .format import Labelbox

__all__ = ["Labelbox"]
