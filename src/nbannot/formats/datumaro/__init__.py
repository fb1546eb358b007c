"""Datumaro JSON, as Datumaro (OpenVINO, Intel) and CVAT write it."""

from __future__ import annotations

from .format import DatumaroJson

__all__ = ["DatumaroJson"]
