"""Hugging Face datasets: a folder with metadata, and parquet with the media inside."""

from __future__ import annotations

from .folder import HfFolder
from .parquet import HfParquet

__all__ = ["HfFolder", "HfParquet"]
