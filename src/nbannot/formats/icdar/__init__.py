"""ICDAR's Robust Reading: text in images, as boxes, quadrangles, characters or whole words."""

from .format import Icdar

__all__ = ["Icdar"]
