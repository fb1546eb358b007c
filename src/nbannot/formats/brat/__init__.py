"""brat standoff: a text and its annotations beside it."""

from .format import Brat

__all__ = ["Brat"]
