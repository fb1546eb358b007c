"""Google AutoML Vision and Vertex AI: CSV and JSON lines."""

from __future__ import annotations

from .format import AutoML

__all__ = ["AutoML"]
