"""LabelMe 3.0: the XML of MIT's web tool."""

from __future__ import annotations

from .format import LabelMeXml

__all__ = ["LabelMeXml"]
