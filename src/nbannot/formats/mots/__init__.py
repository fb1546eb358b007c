"""MOTS: tracked instances as 16-bit PNG masks, or as lines of run lengths."""

from .format import Mots

__all__ = ["Mots"]
